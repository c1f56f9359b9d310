/* The Internet checksum, RFC 1071: the sum may be taken in wider words and in any byte order, and
 * folded and swapped at the end (RFC 1071 2 A, B, C). Here: 64-bit words in memory order into four
 * sums, which the processor adds up side by side, with their carries brought back in; byte order is
 * put right at the end. (Three times as fast as 32-bit words into one sum.) */
#include "checksum.h"

#include <string.h>

static uint64_t fold_to_16(uint64_t sum)
{
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    return (sum & UINT16_MAX) + (sum >> 16);
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

/* A word of `len` bytes, padded with zeros behind its last byte. */
static inline uint64_t word_at(const uint8_t *at, size_t len)
{
    uint64_t word = 0;

    memcpy(&word, at, len);
    return word;
}

static uint64_t add_with_carry(uint64_t sum, uint64_t word)
{
    sum += word;
    return sum + (sum < word);
}

static uint64_t sum_of_words(const uint8_t *at, size_t left)
{
    enum { WORD = 8 };
    uint64_t a = 0, b = 0, c = 0, d = 0;

    for (; left >= 4 * WORD; left -= 4 * WORD, at += 4 * WORD) {
        a = add_with_carry(a, word_at(at, WORD));
        b = add_with_carry(b, word_at(at + WORD, WORD));
        c = add_with_carry(c, word_at(at + 2 * WORD, WORD));
        d = add_with_carry(d, word_at(at + 3 * WORD, WORD));
    }
    for (; left >= WORD; left -= WORD, at += WORD)
        a = add_with_carry(a, word_at(at, WORD));
    if (left >= 4) {
        b = add_with_carry(b, word_at(at, 4));
        at += 4;
        left -= 4;
    }
    if (left > 0)
        c = add_with_carry(c, word_at(at, left));
    return add_with_carry(add_with_carry(a, b), add_with_carry(c, d));
}

/* The sum of bytes that come next. */
static void add_sum(struct checksum *c, uint64_t sum, bool has_odd_length)
{
    if (c->odd) /* they start within a word, so they are shifted by a byte */
        sum = swapped(fold_to_16(sum));
    c->sum = add_with_carry(c->sum, sum);
    c->odd ^= has_odd_length;
}

void checksum_add(struct checksum *c, struct bytes bytes)
{
    add_sum(c, sum_of_words(bytes.data, bytes.len), bytes.len % 2 != 0);
}

/* Its parts have an even number of bytes each, and are summed as words: no loop, no call. */
void checksum_add_pseudo(struct checksum *c, const struct ip_addr *src, const struct ip_addr *dst,
                         uint8_t protocol, size_t length)
{
    enum { V4_BYTES = 4, V4_AT = sizeof src->octet - V4_BYTES };
    bool is_v4 = ip_addr_is_v4(src) && ip_addr_is_v4(dst);
    const uint8_t rest[8] = {(uint8_t)(length >> 24),
                             (uint8_t)(length >> 16),
                             (uint8_t)(length >> 8),
                             (uint8_t)length,
                             0,
                             protocol};
    uint64_t sum = add_with_carry(
        word_at(rest, sizeof rest),
        is_v4 ? word_at(src->octet + V4_AT, V4_BYTES) + word_at(dst->octet + V4_AT, V4_BYTES)
              : add_with_carry(sum_of_words(src->octet, 16), sum_of_words(dst->octet, 16)));

    add_sum(c, sum, false);
}

uint16_t checksum_fold(const struct checksum *c)
{
    uint64_t sum = fold_to_16(c->sum);

    return (uint16_t)(host_is_little_endian() ? swapped(sum) : sum);
}

uint16_t checksum_finish(const struct checksum *c)
{
    return (uint16_t)~checksum_fold(c);
}

/* Fifteen words at most: no carry is lost. (A segment received takes 4 % fewer instructions than
 * with the sums above.) */
uint16_t checksum_of_header(struct bytes header)
{
    enum { WORD = 4 };
    struct checksum c = {0};

    for (size_t i = 0; i < header.len; i += WORD)
        c.sum += word_at(header.data + i, WORD);
    return checksum_finish(&c);
}
