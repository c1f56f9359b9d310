/* SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash that an outsider can neither predict nor
 * fill with collisions. Initial sequence numbers (RFC 6528), ephemeral ports (RFC 6056), timestamp
 * offsets and the four-tuple table all use it.
 *
 * SipHash-1-3 has fewer rounds: enough where nobody sees the result and only its low bits count, as
 * in a table, where an attack would have to find collisions by how long an answer takes. */
#ifndef TUNTCP_SIPHASH_H
#define TUNTCP_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k0, k1;
};

uint64_t siphash(const struct siphash_key *key, const void *data, size_t len);
uint64_t siphash_1_3(const struct siphash_key *key, const void *data, size_t len);

#endif
