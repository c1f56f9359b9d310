/* SipHash-2-4: two rounds per 8 bytes of input, four at the end; SipHash-1-3: one and three. The
 * input is read in little-endian order whatever the machine, so that a seed means the same
 * everywhere. */
#include "siphash.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotated(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_rounds(struct state *s, int count)
{
    while (count-- > 0) {
        s->v0 += s->v1;
        s->v1 = rotated(s->v1, 13) ^ s->v0;
        s->v0 = rotated(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotated(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotated(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotated(s->v1, 17) ^ s->v2;
        s->v2 = rotated(s->v2, 32);
    }
}

static uint64_t little_endian(const uint8_t *at, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

/* Written out, so that the compiler makes one load of it. */
static uint64_t little_endian_8(const uint8_t *at)
{
    return (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24 |
           (uint64_t)at[4] << 32 | (uint64_t)at[5] << 40 | (uint64_t)at[6] << 48 |
           (uint64_t)at[7] << 56;
}

static inline uint64_t hash(const struct siphash_key *key, const void *data, size_t len,
                            int word_rounds, int end_rounds)
{
    const uint8_t *at = data;
    struct state s = {key->k0 ^ 0x736f6d6570736575, key->k1 ^ 0x646f72616e646f6d,
                      key->k0 ^ 0x6c7967656e657261, key->k1 ^ 0x7465646279746573};
    size_t left = len;

    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word = little_endian_8(at);
        s.v3 ^= word;
        sip_rounds(&s, word_rounds);
        s.v0 ^= word;
    }
    uint64_t last = little_endian(at, left) | (uint64_t)len << 56;
    s.v3 ^= last;
    sip_rounds(&s, word_rounds);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    sip_rounds(&s, end_rounds);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t siphash(const struct siphash_key *key, const void *data, size_t len)
{
    return hash(key, data, len, 2, 4);
}

uint64_t siphash_1_3(const struct siphash_key *key, const void *data, size_t len)
{
    return hash(key, data, len, 1, 3);
}
