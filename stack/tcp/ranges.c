/* The list of out-of-order ranges, see ranges.h. Invariant: sorted by sequence number, no two
 * ranges touch. All of them lie within one receive window, so seq_lt() orders them without doubt,
 * and a place is found by bisection. */
#include "ranges.h"

#include <string.h>

#include "seq.h"

static bool has_room(struct ranges *ranges)
{
    if (ranges->count < ranges->room)
        return true;
    if (ranges->room >= RANGES_MAX)
        return false;
    unsigned room = ranges->room == 0 ? 8 : ranges->room * 2;
    struct range *grown = memory_resize(ranges->account, ranges->range,
                                        ranges->room * sizeof *grown, room * sizeof *grown);
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

/* The first range that does not end before `start`; `count` when all do. */
static unsigned find(const struct ranges *ranges, uint32_t start)
{
    unsigned low = 0, high = ranges->count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (seq_lt(ranges->range[middle].end, start))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool ranges_add(struct ranges *ranges, uint32_t start, uint32_t end)
{
    unsigned first = find(ranges, start);
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

/* One pass, which keeps the newest so far in order. */
unsigned ranges_sack(const struct ranges *ranges, struct tcp_sack_block *blocks, unsigned max)
{
    uint32_t stamp[TCP_SACK_BLOCKS_MAX];
    unsigned count = 0;

    if (max > TCP_SACK_BLOCKS_MAX)
        max = TCP_SACK_BLOCKS_MAX;
    for (unsigned i = 0; i < ranges->count; i++) {
        const struct range *range = &ranges->range[i];
        unsigned at = count;
        while (at > 0 && seq_gt(range->stamp, stamp[at - 1]))
            at--;
        if (at >= max)
            continue;
        if (count < max)
            count++;
        for (unsigned k = count - 1; k > at; k--) {
            stamp[k] = stamp[k - 1];
            blocks[k] = blocks[k - 1];
        }
        stamp[at] = range->stamp;
        blocks[at] = (struct tcp_sack_block){range->start, range->end};
    }
    return count;
}

uint32_t ranges_end(const struct ranges *ranges, uint32_t otherwise)
{
    return ranges->count > 0 ? ranges->range[ranges->count - 1].end : otherwise;
}

void ranges_free(struct ranges *ranges)
{
    memory_give(ranges->account, ranges->range, ranges->room * sizeof *ranges->range);
    *ranges = (struct ranges){.account = ranges->account};
}
