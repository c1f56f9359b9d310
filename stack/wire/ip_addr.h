/* One address type for both families. An IPv4 address is kept in its IPv4-mapped form,
 * ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so that everything above wire/ and ip/ compares, hashes and
 * stores addresses without asking for the family. */
#ifndef TUNTCP_WIRE_IP_ADDR_H
#define TUNTCP_WIRE_IP_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { IP_ADDR_TEXT_BYTES = 46 };

struct ip_addr {
    uint8_t octet[16];
};

/* From a.b.c.d as the number 0xaabbccdd, and back. */
static inline struct ip_addr ip_addr_from_v4(uint32_t address)
{
    return (struct ip_addr){{[10] = 0xff,
                             0xff,
                             (uint8_t)(address >> 24),
                             (uint8_t)(address >> 16),
                             (uint8_t)(address >> 8),
                             (uint8_t)address}};
}

static inline uint32_t ip_addr_to_v4(const struct ip_addr *addr)
{
    const uint8_t *at = addr->octet + 12;

    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline bool ip_addr_is_v4(const struct ip_addr *addr)
{
    static const uint8_t prefix[12] = {[10] = 0xff, 0xff};

    return memcmp(addr->octet, prefix, sizeof prefix) == 0;
}

static inline bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a->octet, b->octet, sizeof a->octet) == 0;
}

bool ip_addr_is_unspecified(const struct ip_addr *addr); /* 0.0.0.0 or all zero */
bool ip_addr_is_multicast(const struct ip_addr *addr);   /* 224.0.0.0/4 */
bool ip_addr_is_broadcast(const struct ip_addr *addr);   /* 255.255.255.255 only */
/* May stand as the source of a datagram: not multicast, broadcast, 0.0.0.0/8, 127/8 or 240/4. */
bool ip_addr_is_valid_source(const struct ip_addr *addr);

/* "142.250.196.142" to an address: exactly four decimal numbers, no blanks, no octal.
 * Returns false for anything else (IPv6 text is not parsed yet). */
bool ip_addr_parse(const char *text, struct ip_addr *addr);
/* Writes the text form and returns `text`. */
const char *ip_addr_format(const struct ip_addr *addr, char text[static IP_ADDR_TEXT_BYTES]);

#endif
