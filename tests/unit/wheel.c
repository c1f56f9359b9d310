/* The timing wheel against a plain list of the same timers. */
#include "../../stack/wheel.h"

#include "unit.h"
#include "wire/wire.h"

enum { TIMER_COUNT = 64 };

/* What the wheel must do, in the simplest way. */
struct model {
    struct wheel wheel;
    struct wheel_links links[TIMER_COUNT];
    bool is_set[TIMER_COUNT];
    uint64_t at_us[TIMER_COUNT];
    uint64_t now_us;
};

/* Timer i is number i + 1. */
static struct wheel_links *links_of(const void *owner, uint32_t timer)
{
    const struct model *m = owner;

    return (struct wheel_links *)&m->links[timer - 1];
}

static uint64_t at_us_of(const void *owner, uint32_t timer)
{
    return ((const struct model *)owner)->at_us[timer - 1];
}

static struct model *new_model(uint64_t now_us)
{
    struct model *m = calloc(1, sizeof *m);

    ck_assert_ptr_nonnull(m);
    m->now_us = now_us;
    wheel_init(&m->wheel, &(struct wheel_timers){m, links_of, at_us_of}, now_us);
    return m;
}

static uint64_t earliest(const struct model *m)
{
    uint64_t earliest_us = UINT64_MAX;

    for (int i = 0; i < TIMER_COUNT; i++)
        if (m->is_set[i] && m->at_us[i] < earliest_us)
            earliest_us = m->at_us[i];
    return earliest_us;
}

static void advance_and_take(struct model *m, uint64_t now_us)
{
    uint32_t timer;

    m->now_us = now_us;
    wheel_advance(&m->wheel, now_us);
    while ((timer = wheel_take_due(&m->wheel)) != 0) {
        uint32_t i = timer - 1;
        ck_assert_msg(m->is_set[i] && m->at_us[i] <= now_us, "timer %u fires early", i);
        m->is_set[i] = false;
    }
    ck_assert_msg(earliest(m) > now_us, "a timer did not fire");
}

static void set(struct model *m, uint32_t i, uint64_t at_us)
{
    m->is_set[i] = true;
    m->at_us[i] = at_us;
    wheel_set(&m->wheel, i + 1);
}

/* A delay of any size: the exponent is uniform. */
static uint64_t random_delay(uint64_t *random)
{
    return next_random(random) >> (8 + next_random(random) % 56);
}

START_TEST(random_timers_fire_exactly_when_they_are_due)
{
    uint64_t random = (uint64_t)_i + 1;
    struct model *m = new_model(random_delay(&random) >> 2);

    for (int step = 0; step < 3000; step++) {
        uint32_t i = (uint32_t)(next_random(&random) % TIMER_COUNT);
        switch (next_random(&random) % 8) {
        case 0:
            wheel_clear(&m->wheel, i + 1);
            m->is_set[i] = false;
            break;
        case 1: { /* to the next event, as a driver would */
            uint64_t next_us = wheel_next_us(&m->wheel);
            ck_assert(next_us <= earliest(m) || next_us == m->now_us); /* the past is now */
            if (next_us != UINT64_MAX && next_us < UINT64_MAX / 4)
                advance_and_take(m, next_us);
            break;
        }
        case 2: /* a jump */
            if (m->now_us < UINT64_MAX / 8)
                advance_and_take(m, m->now_us + (random_delay(&random) >> 4));
            break;
        default: /* now and then in the past */
            set(m, i, m->now_us + random_delay(&random) - (next_random(&random) % 4 == 0));
        }
    }
    free(m);
}
END_TEST

START_TEST(following_wheel_next_reaches_a_timer_in_few_steps)
{
    for (int bits = 0; bits < 47; bits++) {
        uint64_t start_us = 123456789, at_us = start_us + ((uint64_t)1 << bits) + 12345;
        int steps = 0;
        struct model *m = new_model(start_us);
        struct wheel *wheel = &m->wheel;
        set(m, 0, at_us);
        while (wheel_take_due(wheel) == 0) {
            uint64_t next_us = wheel_next_us(wheel);
            ck_assert_uint_gt(next_us, wheel->now_us);
            ck_assert_uint_le(next_us, at_us);
            wheel_advance(wheel, next_us);
            ck_assert_int_le(++steps, WHEEL_LEVELS + 1);
        }
        ck_assert_uint_eq(wheel->now_us, at_us);
        free(m);
    }
}
END_TEST

START_TEST(a_timer_set_for_the_past_is_due_at_once)
{
    struct model *m = new_model(1000);

    set(m, 0, 999);
    ck_assert_uint_eq(wheel_next_us(&m->wheel), 1000);
    ck_assert_uint_eq(wheel_take_due(&m->wheel), 1);
    ck_assert(!wheel_is_set(&m->links[0]));
    free(m);
}
END_TEST

START_TEST(a_timer_beyond_the_horizon_fires_in_time)
{
    uint64_t at_us = ((uint64_t)1 << 50) + 17;
    struct model *m = new_model(5);

    set(m, 0, at_us);
    wheel_advance(&m->wheel, at_us - 1);
    ck_assert_uint_eq(wheel_take_due(&m->wheel), 0);
    wheel_advance(&m->wheel, at_us);
    ck_assert_uint_eq(wheel_take_due(&m->wheel), 1);
    free(m);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, random_timers_fire_exactly_when_they_are_due, 0, 100);
    tcase_add_test(tc, following_wheel_next_reaches_a_timer_in_few_steps);
    tcase_add_test(tc, a_timer_set_for_the_past_is_due_at_once);
    tcase_add_test(tc, a_timer_beyond_the_horizon_fires_in_time);
}

int main(void)
{
    return unit_main("wheel", tests);
}
