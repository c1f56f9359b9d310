/* The list of out-of-order ranges, see ranges.h. Invariant: sorted by sequence number, no two
 * ranges touch. All of them lie within one receive window, so seq_lt() orders them without doubt.
 */
#include "ranges.h"

#include <stdlib.h>
#include <string.h>

#include "seq.h"

static bool has_room(struct ranges *ranges)
{
    if (ranges->count < ranges->room)
        return true;
    if (ranges->room >= RANGES_MAX)
        return false;
    unsigned room = ranges->room == 0 ? 8 : ranges->room * 2;
    struct range *grown = realloc(ranges->range, room * sizeof *grown);
    if (grown == NULL)
        return false;
    ranges->range = grown;
    ranges->room = room;
    return true;
}

static void remove_ranges(struct ranges *ranges, unsigned first, unsigned count)
{
    memmove(&ranges->range[first], &ranges->range[first + count],
            (ranges->count - first - count) * sizeof *ranges->range);
    ranges->count -= count;
}

bool ranges_add(struct ranges *ranges, uint32_t start, uint32_t end)
{
    unsigned first = 0; /* the first range that does not end before `start` */

    while (first < ranges->count && seq_lt(ranges->range[first].end, start))
        first++;
    unsigned behind = first; /* the first one that starts after `end` */
    while (behind < ranges->count && seq_leq(ranges->range[behind].start, end))
        behind++;

    if (behind == first) { /* touches none */
        if (!has_room(ranges))
            return false;
        memmove(&ranges->range[first + 1], &ranges->range[first],
                (ranges->count - first) * sizeof *ranges->range);
        ranges->count++;
    } else {
        start = seq_min(start, ranges->range[first].start);
        end = seq_max(end, ranges->range[behind - 1].end);
        remove_ranges(ranges, first + 1, behind - first - 1);
    }
    ranges->range[first] = (struct range){start, end, ++ranges->stamp};
    return true;
}

uint32_t ranges_join(struct ranges *ranges, uint32_t next)
{
    unsigned passed = 0;

    while (passed < ranges->count && seq_leq(ranges->range[passed].start, next)) {
        next = seq_max(next, ranges->range[passed].end);
        passed++;
    }
    if (passed > 0)
        remove_ranges(ranges, 0, passed);
    return next;
}

unsigned ranges_sack(const struct ranges *ranges, struct tcp_sack_block *blocks, unsigned max)
{
    uint32_t below = ranges->stamp + 1; /* stamps count up: take the largest below the last taken */
    unsigned count = 0;

    while (count < max && count < ranges->count) {
        const struct range *newest = NULL;
        for (unsigned i = 0; i < ranges->count; i++) {
            const struct range *range = &ranges->range[i];
            if (seq_lt(range->stamp, below) &&
                (newest == NULL || seq_gt(range->stamp, newest->stamp)))
                newest = range;
        }
        if (newest == NULL)
            break;
        blocks[count++] = (struct tcp_sack_block){newest->start, newest->end};
        below = newest->stamp;
    }
    return count;
}

uint32_t ranges_end(const struct ranges *ranges, uint32_t otherwise)
{
    return ranges->count > 0 ? ranges->range[ranges->count - 1].end : otherwise;
}

void ranges_free(struct ranges *ranges)
{
    free(ranges->range);
    *ranges = (struct ranges){0};
}
