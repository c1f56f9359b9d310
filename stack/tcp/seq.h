/* Sequence numbers, RFC 9293 3.4: 32 bits that wrap, so "less than" means "less than half the space
 * behind". Only these functions compare them: a bare `<` is a bug that waits for the wrap. */
#ifndef TUNTCP_TCP_SEQ_H
#define TUNTCP_TCP_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool seq_lt(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static inline bool seq_leq(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) <= 0;
}

static inline bool seq_gt(uint32_t a, uint32_t b)
{
    return seq_lt(b, a);
}

static inline bool seq_geq(uint32_t a, uint32_t b)
{
    return seq_leq(b, a);
}

static inline uint32_t seq_max(uint32_t a, uint32_t b)
{
    return seq_lt(a, b) ? b : a;
}

static inline uint32_t seq_min(uint32_t a, uint32_t b)
{
    return seq_lt(a, b) ? a : b;
}

/* start <= seq < start + len: inside a window. */
static inline bool seq_in(uint32_t seq, uint32_t start, uint32_t len)
{
    return seq - start < len;
}

#endif
