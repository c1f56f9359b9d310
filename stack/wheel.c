/* A hierarchical timing wheel, see wheel.h.
 *
 * A timer lies on the level of the highest 6-bit digit in which its time differs from the wheel's:
 * on level 0 the slot is its time exactly, on level n a range of 64^n microseconds. When the
 * wheel's time enters a slot of an upper level, the slot's timers are placed anew and land further
 * down. A bit per slot tells which are occupied, so a jump over years costs a few operations per
 * level.
 *
 * Times beyond the horizon (64^8 us, nine years) are kept in the last slot and placed anew there.
 */
#include "wheel.h"

#include <stddef.h>

enum { DIGIT_BITS = 6 };

void wheel_init(struct wheel *wheel, uint64_t now_us)
{
    *wheel = (struct wheel){.now_us = now_us};
}

bool wheel_is_set(const struct wheel_timer *timer)
{
    return timer->previous_next != NULL;
}

static void link_into(struct wheel_timer **list, struct wheel_timer *timer)
{
    timer->next = *list;
    timer->previous_next = list;
    if (timer->next != NULL)
        timer->next->previous_next = &timer->next;
    *list = timer;
}

static void unlink_timer(struct wheel_timer *timer)
{
    *timer->previous_next = timer->next;
    if (timer->next != NULL)
        timer->next->previous_next = timer->previous_next;
    timer->next = NULL;
    timer->previous_next = NULL;
}

static int highest_bit(uint64_t value)
{
    return 63 - __builtin_clzll(value);
}

static void place(struct wheel *wheel, struct wheel_timer *timer)
{
    const uint64_t horizon = (uint64_t)1 << (DIGIT_BITS * WHEEL_LEVELS);
    uint64_t at_us = timer->at_us;

    if (at_us <= wheel->now_us) {
        link_into(&wheel->due, timer);
        return;
    }
    if (at_us - wheel->now_us >= horizon)
        at_us = wheel->now_us + horizon - 1;
    uint64_t differing = at_us ^ wheel->now_us;
    int level = highest_bit(differing) / DIGIT_BITS;
    if (level >= WHEEL_LEVELS)
        level = WHEEL_LEVELS - 1; /* the digit above the highest level is about to carry */
    unsigned slot = (unsigned)(at_us >> (level * DIGIT_BITS)) % WHEEL_SLOTS;
    link_into(&wheel->slot[level][slot], timer);
    wheel->occupied[level] |= (uint64_t)1 << slot;
}

void wheel_clear(struct wheel *wheel, struct wheel_timer *timer)
{
    (void)wheel; /* an emptied slot keeps its bit until the next look at it */
    if (wheel_is_set(timer))
        unlink_timer(timer);
}

void wheel_set(struct wheel *wheel, struct wheel_timer *timer, uint64_t at_us)
{
    wheel_clear(wheel, timer);
    timer->at_us = at_us;
    place(wheel, timer);
}

/* The slots of a level that time passes or enters on its way from one digit to another, as bits. */
static uint64_t passed_slots(uint64_t from_us, uint64_t to_us, int level)
{
    uint64_t from = from_us >> (level * DIGIT_BITS);
    uint64_t to = to_us >> (level * DIGIT_BITS);
    uint64_t count = to - from;

    if (count == 0)
        return 0;
    if (count >= WHEEL_SLOTS)
        return UINT64_MAX;
    uint64_t bits = ((uint64_t)1 << count) - 1;
    unsigned first = (unsigned)((from + 1) % WHEEL_SLOTS);
    return first == 0 ? bits : bits << first | bits >> (WHEEL_SLOTS - first);
}

void wheel_advance(struct wheel *wheel, uint64_t now_us)
{
    struct wheel_timer *moved = NULL; /* everything in the slots passed, to be placed anew */

    if (now_us <= wheel->now_us)
        return;
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t slots = passed_slots(wheel->now_us, now_us, level) & wheel->occupied[level];
        wheel->occupied[level] &= ~slots;
        for (; slots != 0; slots &= slots - 1) {
            struct wheel_timer **list = &wheel->slot[level][__builtin_ctzll(slots)];
            while (*list != NULL) {
                struct wheel_timer *timer = *list;
                unlink_timer(timer);
                link_into(&moved, timer);
            }
        }
    }
    wheel->now_us = now_us;
    while (moved != NULL) {
        struct wheel_timer *timer = moved;
        unlink_timer(timer);
        place(wheel, timer);
    }
}

struct wheel_timer *wheel_take_due(struct wheel *wheel)
{
    struct wheel_timer *timer = wheel->due;

    if (timer != NULL)
        unlink_timer(timer);
    return timer;
}

/* The next occupied slot of a level after the wheel's time, as the time at which it begins. */
static uint64_t next_on_level(const struct wheel *wheel, int level)
{
    uint64_t digit = wheel->now_us >> (level * DIGIT_BITS);
    uint64_t occupied = 0;

    for (uint64_t bits = wheel->occupied[level]; bits != 0; bits &= bits - 1) {
        int slot = __builtin_ctzll(bits);
        if (wheel->slot[level][slot] != NULL)
            occupied |= (uint64_t)1 << slot;
    }
    if (occupied == 0)
        return UINT64_MAX;
    unsigned first = (unsigned)((digit + 1) % WHEEL_SLOTS);
    uint64_t turned = first == 0 ? occupied : occupied >> first | occupied << (WHEEL_SLOTS - first);
    uint64_t steps = 1 + (uint64_t)__builtin_ctzll(turned);
    return (digit + steps) << (level * DIGIT_BITS);
}

uint64_t wheel_next_us(const struct wheel *wheel)
{
    uint64_t next_us = UINT64_MAX;

    if (wheel->due != NULL)
        return wheel->now_us;
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t level_us = next_on_level(wheel, level);
        if (level_us < next_us)
            next_us = level_us;
    }
    return next_us;
}
