/* The Internet checksum, RFC 1071: the sum may be taken in wider words and in any byte order, and
 * folded and swapped at the end (RFC 1071 2 A, B, C). Here: 32-bit words in memory order into a
 * 64-bit sum, which the compiler turns into vector code; byte order is put right once per span. */
#include "checksum.h"

#include <string.h>

static uint64_t fold_to_16(uint64_t sum)
{
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static bool host_is_little_endian(void)
{
    const uint16_t one = 1;
    uint8_t first;

    memcpy(&first, &one, 1);
    return first == 1;
}

static uint64_t swapped(uint64_t sum16)
{
    return (sum16 & 0xff) << 8 | sum16 >> 8;
}

void checksum_add(struct checksum *c, struct bytes bytes)
{
    const uint8_t *at = bytes.data;
    size_t left = bytes.len;
    uint64_t sum = 0;

    for (; left >= 4; left -= 4, at += 4) {
        uint32_t word;
        memcpy(&word, at, 4);
        sum += word;
    }
    if (left > 0) {
        uint32_t word = 0; /* padded with zeros behind the last byte */
        memcpy(&word, at, left);
        sum += word;
    }
    sum = fold_to_16(sum);
    if (host_is_little_endian())
        sum = swapped(sum);
    c->sum +=
        c->odd ? swapped(sum) : sum; /* a span that starts within a word is shifted by a byte */
    if (bytes.len % 2 != 0)
        c->odd = !c->odd;
}

void checksum_add_pseudo(struct checksum *c, const struct ip_addr *src, const struct ip_addr *dst,
                         uint8_t protocol, size_t length)
{
    bool is_v4 = ip_addr_is_v4(src) && ip_addr_is_v4(dst);
    size_t skip = is_v4 ? 12 : 0;

    checksum_add(c, (struct bytes){src->octet + skip, 16 - skip});
    checksum_add(c, (struct bytes){dst->octet + skip, 16 - skip});
    c->sum += protocol;
    c->sum += length;
}

uint16_t checksum_fold(const struct checksum *c)
{
    return (uint16_t)fold_to_16(c->sum);
}

uint16_t checksum_finish(const struct checksum *c)
{
    return (uint16_t)~checksum_fold(c);
}
