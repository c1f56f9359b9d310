/* Window validation, RFC 7661: pipeACK over its sampling period, and the non-validated period. */
#include "../unit.h"

#include "../../../stack/tcp/recovery/validation.h"

enum { MSS = 1000, MILLI_US = 1000, SECOND_US = 1000000, RTT_US = 100 * MILLI_US };

static struct validation validation;
static uint64_t now_us;

static void set_up(void)
{
    validation = (struct validation){0};
    now_us = 1000ull * SECOND_US;
}

/* A round trip in which so much is acknowledged, by two acknowledgments. */
static void round_trip(uint32_t bytes, bool in_recovery)
{
    for (int i = 0; i < 2; i++) {
        now_us += RTT_US / 2;
        struct congestion_ack ack = {.now_us = now_us,
                                     .acked_bytes = bytes / 2,
                                     .srtt_us = RTT_US,
                                     .round_begins = i == 1,
                                     .in_recovery = in_recovery};
        validation_on_ack(&validation, &ack);
    }
}

START_TEST(pipe_ack_is_undefined_before_a_whole_round) /* 4.2 */
{
    set_up();
    ck_assert(validation_holds(&validation, 40 * MSS));
    round_trip(10 * MSS, false); /* began when nobody looked */
    ck_assert(validation_holds(&validation, 40 * MSS));
    round_trip(10 * MSS, false);
    ck_assert_uint_eq(validation_pipe_ack(&validation), 10 * MSS);
    ck_assert(validation_holds(&validation, 20 * MSS)); /* 4.3: half of it */
    ck_assert(!validation_holds(&validation, 21 * MSS));
}
END_TEST

/* 4.2: the most of the sampling period, max(3 RTT, 1 s), not the last. */
START_TEST(pipe_ack_is_the_most_of_the_sampling_period)
{
    set_up();
    round_trip(20 * MSS, false);
    round_trip(20 * MSS, false);
    uint64_t begin_us = now_us;
    while (now_us < begin_us + SECOND_US / 2) {
        ck_assert_uint_eq(validation_pipe_ack(&validation), 20 * MSS);
        round_trip(2 * MSS, false);
    }
    while (now_us < begin_us + SECOND_US + 2 * RTT_US)
        round_trip(2 * MSS, false);
    ck_assert_uint_eq(validation_pipe_ack(&validation), 2 * MSS);
}
END_TEST

START_TEST(samples_before_and_in_a_recovery_do_not_count) /* 4.2 */
{
    set_up();
    round_trip(20 * MSS, false);
    round_trip(20 * MSS, false);
    round_trip(20 * MSS, true);
    ck_assert(validation_holds(&validation, 40 * MSS)); /* undefined again */
    round_trip(4 * MSS, false);
    round_trip(4 * MSS, false);
    ck_assert_uint_eq(validation_pipe_ack(&validation), 4 * MSS);
}
END_TEST

START_TEST(periods_count_from_when_the_window_was_validated_last) /* 4.4.3 */
{
    const uint64_t five_minutes_us = 300ull * SECOND_US;

    set_up();
    ck_assert_uint_eq(validation_take_periods(&validation, now_us + 2 * five_minutes_us), 0);
    validation_note(&validation, false, now_us);
    validation_note(&validation, false, now_us + SECOND_US); /* it was so before */
    ck_assert_uint_eq(validation_take_periods(&validation, now_us + five_minutes_us - 1), 0);
    ck_assert_uint_eq(validation_take_periods(&validation, now_us + five_minutes_us), 1);
    ck_assert_uint_eq(validation_take_periods(&validation, now_us + five_minutes_us + 1), 0);
    ck_assert_uint_eq(validation_take_periods(&validation, now_us + 3 * five_minutes_us), 2);
    validation_note(&validation, true, now_us);
    ck_assert_uint_eq(validation_take_periods(&validation, now_us + 9 * five_minutes_us), 0);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, pipe_ack_is_undefined_before_a_whole_round);
    tcase_add_test(tc, pipe_ack_is_the_most_of_the_sampling_period);
    tcase_add_test(tc, samples_before_and_in_a_recovery_do_not_count);
    tcase_add_test(tc, periods_count_from_when_the_window_was_validated_last);
}

int main(void)
{
    return unit_main("validation", tests);
}
