/* What the tests of wire/ share: seeded random numbers, and inputs cut short in memory of exactly
 * their size, so that the address sanitizer sees a read of even one byte too many. */
#ifndef TUNTCP_TESTS_WIRE_H
#define TUNTCP_TESTS_WIRE_H

#include <string.h>

#include "../../../stack/wire/bytes.h"
#include "../unit.h"

static inline uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* Call `parse` with every proper prefix of `packet`; it returns true if it accepted the prefix.
 * Returns how many prefixes were accepted. */
static inline size_t accepted_prefixes(struct bytes packet, bool (*parse)(struct bytes prefix))
{
    size_t accepted = 0;

    for (size_t len = 0; len < packet.len; len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1);
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, packet.data, len);
        if (parse((struct bytes){exact, len}))
            accepted++;
        free(exact);
    }
    return accepted;
}

#endif
