/* A hierarchical timing wheel: 64 slots a level, each level 64 times as coarse as the one below.
 * Adding, moving and removing a timer cost O(1) whatever their number; a timer moves down at most
 * once per level before it fires. (Varghese and Lauck, 1987.) Times are microseconds. */
#ifndef TUNTCP_WHEEL_H
#define TUNTCP_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

enum { WHEEL_LEVELS = 8, WHEEL_SLOTS = 64 };

struct wheel_timer {
    struct wheel_timer *next, **previous_next; /* NULL: not in the wheel */
    uint64_t at_us;
};

struct wheel {
    uint64_t now_us;
    uint64_t occupied[WHEEL_LEVELS]; /* a bit per slot that is not empty */
    struct wheel_timer *slot[WHEEL_LEVELS][WHEEL_SLOTS];
    struct wheel_timer *due; /* those whose time has passed, to be handed out */
};

void wheel_init(struct wheel *wheel, uint64_t now_us);
/* Set the timer to fire at `at_us`, wherever it was before. */
void wheel_set(struct wheel *wheel, struct wheel_timer *timer, uint64_t at_us);
void wheel_clear(struct wheel *wheel, struct wheel_timer *timer);
bool wheel_is_set(const struct wheel_timer *timer);
/* Let time pass until now_us, then take timers that are due one by one; NULL: no more. */
void wheel_advance(struct wheel *wheel, uint64_t now_us);
struct wheel_timer *wheel_take_due(struct wheel *wheel);
/* No timer fires before this time: exact when it is near, else a lower bound worth a look. */
uint64_t wheel_next_us(const struct wheel *wheel);

#endif
