/* The timing wheel against a plain list of the same timers. */
#include "../../stack/wheel.h"

#include "unit.h"
#include "wire/wire.h"

enum { TIMER_COUNT = 64 };

/* What the wheel must do, in the simplest way. */
struct model {
    struct wheel wheel;
    struct wheel_timer timer[TIMER_COUNT];
    bool is_set[TIMER_COUNT];
    uint64_t at_us[TIMER_COUNT];
    uint64_t now_us;
};

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
    struct wheel_timer *timer;

    m->now_us = now_us;
    wheel_advance(&m->wheel, now_us);
    while ((timer = wheel_take_due(&m->wheel)) != NULL) {
        long i = timer - m->timer;
        ck_assert_msg(m->is_set[i] && m->at_us[i] <= now_us, "timer %ld fires early", i);
        m->is_set[i] = false;
    }
    ck_assert_msg(earliest(m) > now_us, "a timer did not fire");
}

static void set(struct model *m, int i, uint64_t at_us)
{
    wheel_set(&m->wheel, &m->timer[i], at_us);
    m->is_set[i] = true;
    m->at_us[i] = at_us;
}

/* A delay of any size: the exponent is uniform. */
static uint64_t random_delay(uint64_t *random)
{
    return next_random(random) >> (8 + next_random(random) % 56);
}

START_TEST(random_timers_fire_exactly_when_they_are_due)
{
    uint64_t random = (uint64_t)_i + 1;
    struct model *m = calloc(1, sizeof *m);

    ck_assert_ptr_nonnull(m);
    m->now_us = random_delay(&random) >> 2;
    wheel_init(&m->wheel, m->now_us);
    for (int step = 0; step < 3000; step++) {
        int i = (int)(next_random(&random) % TIMER_COUNT);
        switch (next_random(&random) % 8) {
        case 0:
            wheel_clear(&m->wheel, &m->timer[i]);
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
    struct wheel *wheel = calloc(1, sizeof *wheel);
    struct wheel_timer timer = {0};

    ck_assert_ptr_nonnull(wheel);
    for (int bits = 0; bits < 47; bits++) {
        uint64_t start_us = 123456789, at_us = start_us + ((uint64_t)1 << bits) + 12345;
        int steps = 0;
        wheel_init(wheel, start_us);
        wheel_set(wheel, &timer, at_us);
        while (wheel_take_due(wheel) == NULL) {
            uint64_t next_us = wheel_next_us(wheel);
            ck_assert_uint_gt(next_us, wheel->now_us);
            ck_assert_uint_le(next_us, at_us);
            wheel_advance(wheel, next_us);
            ck_assert_int_le(++steps, WHEEL_LEVELS + 1);
        }
        ck_assert_uint_eq(wheel->now_us, at_us);
    }
    free(wheel);
}
END_TEST

START_TEST(a_timer_set_for_the_past_is_due_at_once)
{
    struct wheel *wheel = calloc(1, sizeof *wheel);
    struct wheel_timer timer = {0};

    ck_assert_ptr_nonnull(wheel);
    wheel_init(wheel, 1000);
    wheel_set(wheel, &timer, 999);
    ck_assert_uint_eq(wheel_next_us(wheel), 1000);
    ck_assert_ptr_eq(wheel_take_due(wheel), &timer);
    ck_assert(!wheel_is_set(&timer));
    free(wheel);
}
END_TEST

START_TEST(a_timer_beyond_the_horizon_fires_in_time)
{
    struct wheel *wheel = calloc(1, sizeof *wheel);
    struct wheel_timer timer = {0};
    uint64_t at_us = ((uint64_t)1 << 50) + 17;

    ck_assert_ptr_nonnull(wheel);
    wheel_init(wheel, 5);
    wheel_set(wheel, &timer, at_us);
    wheel_advance(wheel, at_us - 1);
    ck_assert_ptr_null(wheel_take_due(wheel));
    wheel_advance(wheel, at_us);
    ck_assert_ptr_eq(wheel_take_due(wheel), &timer);
    free(wheel);
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
