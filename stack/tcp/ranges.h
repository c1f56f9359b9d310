/* The out-of-order bytes that have arrived: a short sorted list of sequence ranges (SHLD-31). The
 * bytes themselves lie at their place in the receive ring; this list remembers where the holes are,
 * and in which order the ranges last grew, which is the order of SACK blocks (RFC 2018 section 4).
 *
 * Bounded: with RANGES_MAX ranges a further one is refused, and its bytes are dropped, to come
 * again. There are as many as the holes that a sender of ours keeps records of (RECORDS_MAX, two
 * for each): a slow start that overruns a queue loses every second segment of a whole window, and
 * what is refused then has crossed the path for nothing. */
#ifndef TUNTCP_TCP_RANGES_H
#define TUNTCP_TCP_RANGES_H

#include "../memory.h"
#include "../wire/tcp_options.h"

enum { RANGES_MAX = 4096 };

struct range {
    uint32_t start, end; /* [start, end) */
    uint32_t stamp;      /* grew last at this count of additions */
};

struct ranges {
    struct range *range;
    unsigned count, room;
    uint32_t stamp;
    struct memory *account; /* where its memory is counted; NULL: nowhere */
};

/* Add [start, end), merging what touches. False when the list is full or memory is short. */
bool ranges_add(struct ranges *ranges, uint32_t start, uint32_t end);
/* Everything is in order up to `next`: forget what lies before it, and if a range starts at or
 * before `next` return its end (the stream goes on to there), else `next`. */
uint32_t ranges_join(struct ranges *ranges, uint32_t next);
/* At most `max` SACK blocks, the most recently grown first. Returns how many. */
unsigned ranges_sack(const struct ranges *ranges, struct tcp_sack_block *blocks, unsigned max);
/* The end of the last range, or `otherwise` when there is none. */
uint32_t ranges_end(const struct ranges *ranges, uint32_t otherwise);
void ranges_free(struct ranges *ranges);

#endif
