/* A hierarchical timing wheel, see wheel.h.
 *
 * A timer lies on the level of the highest 6-bit digit in which its time differs from the wheel's:
 * on level 0 the slot is its time exactly, on level n a range of 64^n microseconds. When the
 * wheel's time enters a slot of an upper level, the slot's timers are placed anew and land further
 * down. A bit per slot tells which are occupied, so a jump over years costs a few operations per
 * level.
 *
 * The list of a slot is doubly linked by numbers. The first timer of a list has no predecessor and
 * says there which list it is in.
 *
 * Times beyond the horizon (64^8 us, nine years) are kept in the last slot and placed anew there.
 */
#include "wheel.h"

enum {
    DIGIT_BITS = 6,
    LIST_DUE = WHEEL_LEVELS * WHEEL_SLOTS, /* those whose time has passed, to be handed out */
    LIST_MOVED,                            /* in the slots passed, to be placed anew */
};
static const uint32_t IS_FIRST = 0x80000000; /* in `previous`: the rest is the list */

void wheel_init(struct wheel *wheel, const struct wheel_timers *timers, uint64_t now_us)
{
    *wheel = (struct wheel){.now_us = now_us, .timers = *timers};
}

static struct wheel_links *links_of(const struct wheel *wheel, uint32_t timer)
{
    return wheel->timers.links(wheel->timers.owner, timer);
}

/* In wheel->occupied[list / WHEEL_SLOTS]. Lists that are no slots have one as well. */
static uint64_t bit_of(unsigned list)
{
    return (uint64_t)1 << list % WHEEL_SLOTS;
}

/* `links` are those of `timer`, here and below: finding them is half the work. */
static void link_into(struct wheel *wheel, unsigned list, uint32_t timer, struct wheel_links *links)
{
    links->next = wheel->first[list];
    links->previous = IS_FIRST | list;
    if (links->next != 0)
        links_of(wheel, links->next)->previous = timer;
    wheel->first[list] = timer;
    wheel->occupied[list / WHEEL_SLOTS] |= bit_of(list);
}

static void unlink_timer(struct wheel *wheel, struct wheel_links *links)
{
    unsigned list = links->previous & ~IS_FIRST;
    bool is_first = (links->previous & IS_FIRST) != 0;

    if (is_first)
        wheel->first[list] = links->next;
    else
        links_of(wheel, links->previous)->next = links->next;
    if (links->next != 0)
        links_of(wheel, links->next)->previous = links->previous;
    else if (is_first)
        wheel->occupied[list / WHEEL_SLOTS] &= ~bit_of(list);
    *links = (struct wheel_links){0};
}

static int highest_bit(uint64_t value)
{
    return 63 - __builtin_clzll(value);
}

static void place(struct wheel *wheel, uint32_t timer, struct wheel_links *links)
{
    const uint64_t horizon = (uint64_t)1 << (DIGIT_BITS * WHEEL_LEVELS);
    uint64_t at_us = wheel->timers.at_us(wheel->timers.owner, timer);

    if (at_us <= wheel->now_us) {
        link_into(wheel, LIST_DUE, timer, links);
        return;
    }
    if (at_us - wheel->now_us >= horizon)
        at_us = wheel->now_us + horizon - 1;
    uint64_t differing = at_us ^ wheel->now_us;
    int level = highest_bit(differing) / DIGIT_BITS;
    if (level >= WHEEL_LEVELS)
        level = WHEEL_LEVELS - 1; /* the digit above the highest level is about to carry */
    unsigned slot = (unsigned)(at_us >> (level * DIGIT_BITS)) % WHEEL_SLOTS;
    link_into(wheel, (unsigned)level * WHEEL_SLOTS + slot, timer, links);
}

static void clear(struct wheel *wheel, struct wheel_links *links)
{
    if (wheel_is_set(links))
        unlink_timer(wheel, links);
}

void wheel_clear(struct wheel *wheel, uint32_t timer)
{
    clear(wheel, links_of(wheel, timer));
}

void wheel_set(struct wheel *wheel, uint32_t timer)
{
    struct wheel_links *links = links_of(wheel, timer);

    clear(wheel, links);
    place(wheel, timer, links);
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
    if (now_us <= wheel->now_us)
        return;
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t slots = passed_slots(wheel->now_us, now_us, level) & wheel->occupied[level];
        for (; slots != 0; slots &= slots - 1) {
            unsigned list = (unsigned)(level * WHEEL_SLOTS + __builtin_ctzll(slots));
            uint32_t timer;
            while ((timer = wheel->first[list]) != 0) {
                struct wheel_links *links = links_of(wheel, timer);
                unlink_timer(wheel, links);
                link_into(wheel, LIST_MOVED, timer, links);
            }
        }
    }
    wheel->now_us = now_us;
    uint32_t moved;
    while ((moved = wheel->first[LIST_MOVED]) != 0) {
        struct wheel_links *links = links_of(wheel, moved);
        unlink_timer(wheel, links);
        place(wheel, moved, links);
    }
}

uint32_t wheel_take_due(struct wheel *wheel)
{
    uint32_t timer = wheel->first[LIST_DUE];

    if (timer != 0)
        unlink_timer(wheel, links_of(wheel, timer));
    return timer;
}

/* The next occupied slot of a level after the wheel's time, as the time at which it begins. */
static uint64_t next_on_level(const struct wheel *wheel, int level)
{
    uint64_t digit = wheel->now_us >> (level * DIGIT_BITS);
    uint64_t occupied = wheel->occupied[level];

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

    if (wheel->first[LIST_DUE] != 0)
        return wheel->now_us;
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t level_us = next_on_level(wheel, level);
        if (level_us < next_us)
            next_us = level_us;
    }
    return next_us;
}
