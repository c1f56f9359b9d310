/* A hierarchical timing wheel: 64 slots a level, each level 64 times as coarse as the one below.
 * Adding, moving and removing a timer cost O(1) whatever their number; a timer moves down at most
 * once per level before it fires. (Varghese and Lauck, 1987.) Times are microseconds. */
#ifndef TUNTCP_WHEEL_H
#define TUNTCP_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

enum { WHEEL_LEVELS = 8, WHEEL_SLOTS = 64 };

/* A timer is known by a number; where its links and its time lie is its owner's business. So a
 * small record pays 8 bytes for its place in the wheel, and no pointers. */
enum { WHEEL_LISTS = WHEEL_LEVELS * WHEEL_SLOTS + 2 };

struct wheel_links {
    uint32_t next, previous; /* previous 0: not in the wheel; see wheel.c */
};

/* How the wheel finds a timer. Numbers are from 1 to WHEEL_TIMER_MAX. */
#define WHEEL_TIMER_MAX 0x7fffffffu
struct wheel_timers {
    const void *owner;
    struct wheel_links *(*links)(const void *owner, uint32_t timer);
    uint64_t (*at_us)(const void *owner, uint32_t timer);
};

struct wheel {
    uint64_t now_us;
    uint64_t occupied[WHEEL_LEVELS + 1]; /* a bit per list that is not empty: those of each level */
    uint32_t first[WHEEL_LISTS];         /* of each slot, of those due, and of those being moved */
    struct wheel_timers timers;
};

void wheel_init(struct wheel *wheel, const struct wheel_timers *timers, uint64_t now_us);
/* Set the timer to fire at what at_us() says now, wherever it was before. */
void wheel_set(struct wheel *wheel, uint32_t timer);
void wheel_clear(struct wheel *wheel, uint32_t timer);
static inline bool wheel_is_set(const struct wheel_links *links)
{
    return links->previous != 0;
}
/* Let time pass until now_us, then take timers that are due one by one; 0: no more. */
void wheel_advance(struct wheel *wheel, uint64_t now_us);
uint32_t wheel_take_due(struct wheel *wheel);
/* No timer fires before this time: exact when it is near, else a lower bound worth a look. */
uint64_t wheel_next_us(const struct wheel *wheel);

#endif
