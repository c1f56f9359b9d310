/* HyStart++, RFC 9406 4.2: when slow start becomes conservative, when it goes on, and when it ends.
 */
#include "../unit.h"

#include "../../../stack/tcp/recovery/congestion.h"

enum { MSS = 1000, MILLI_US = 1000 };

static struct congestion cc;

static void set_up(void)
{
    struct tcp_config config;

    tcp_config_init(&config);
    congestion_init(&cc, &config, MSS, 10);
}

/* A round trip of `count` acknowledgments of a segment each, all `rtt_ms` after it was sent; what
 * the last note of interest was. */
static enum trace_cwnd round_trip(unsigned count, uint32_t rtt_us)
{
    enum trace_cwnd what = CWND_KEPT;

    for (unsigned i = 0; i < count; i++) {
        struct congestion_ack ack = {.acked_bytes = MSS,
                                     .rtt_us = rtt_us + i, /* the first is the least */
                                     .window_was_used = true,
                                     .round_begins = i + 1 == count};
        struct congestion_note note = cc.ops->on_ack(&cc, &ack);
        if (note.what != CWND_SLOW_START && note.what != CWND_KEPT)
            what = note.what;
    }
    return what;
}

static bool is_in_css(void)
{
    return cc.hystart.css_baseline_min_us > 0;
}

/* 4.2: RttThresh = max(4 ms, min(lastRoundMinRTT / 8, 16 ms)). */
START_TEST(css_begins_when_the_least_rtt_grows_by_the_threshold)
{
    static const struct {
        uint32_t last_us, current_us;
        bool begins;
    } rows[] = {
        {1000, 4999, false},     {1000, 5000, true},      {40000, 44999, false},
        {40000, 45000, true},    {200000, 215999, false}, {200000, 216000, true},
        {200000, 190000, false},
    };

    set_up();
    ck_assert_int_eq(round_trip(10, rows[_i].last_us), CWND_KEPT);
    ck_assert_int_eq(round_trip(10, rows[_i].current_us),
                     rows[_i].begins ? CWND_CSS_ENTERED : CWND_KEPT);
    ck_assert_int_eq(is_in_css(), rows[_i].begins);
    ck_assert(congestion_is_first_slow_start(&cc));
}
END_TEST

START_TEST(fewer_than_eight_samples_decide_nothing) /* 4.3: N_RTT_SAMPLE */
{
    set_up();
    round_trip(10, 40 * MILLI_US);
    ck_assert_int_eq(round_trip(7, 90 * MILLI_US), CWND_KEPT);
    ck_assert_int_eq(round_trip(8, 180 * MILLI_US), CWND_CSS_ENTERED);
}
END_TEST

START_TEST(window_grows_a_quarter_as_fast_in_css) /* 4.2, CSS_GROWTH_DIVISOR */
{
    set_up();
    round_trip(10, 40 * MILLI_US);
    ck_assert_uint_eq(cc.cwnd, 20 * MSS);
    round_trip(8, 60 * MILLI_US);
    ck_assert_uint_eq(cc.cwnd, 28 * MSS);
    round_trip(8, 60 * MILLI_US);
    ck_assert_uint_eq(cc.cwnd, 30 * MSS);
}
END_TEST

START_TEST(slow_start_goes_on_when_the_delay_was_jitter) /* 4.2 */
{
    set_up();
    round_trip(10, 40 * MILLI_US);
    round_trip(10, 60 * MILLI_US);
    ck_assert_int_eq(round_trip(10, 59 * MILLI_US), CWND_CSS_RESUMED);
    ck_assert(!is_in_css());
    uint32_t cwnd = cc.cwnd;
    round_trip(10, 59 * MILLI_US);
    ck_assert_uint_eq(cc.cwnd, cwnd + 10 * MSS);
    ck_assert_int_eq(round_trip(10, 80 * MILLI_US), CWND_CSS_ENTERED); /* it is still watched */
}
END_TEST

/* 4.2: at most five rounds, and the partial one in which it began counts. */
START_TEST(fifth_round_of_css_ends_slow_start)
{
    set_up();
    round_trip(10, 40 * MILLI_US);
    for (int i = 0; i < 4; i++)
        ck_assert_int_ne(round_trip(10, 60 * MILLI_US), CWND_HYSTART_EXIT);
    ck_assert_int_eq(round_trip(10, 60 * MILLI_US), CWND_HYSTART_EXIT);
    ck_assert_uint_eq(cc.ssthresh, cc.cwnd);
    uint32_t cwnd = cc.cwnd;
    round_trip(4, 60 * MILLI_US);
    ck_assert_uint_le(cc.cwnd, cwnd + MSS); /* congestion avoidance */
}
END_TEST

START_TEST(later_slow_starts_are_not_watched) /* 4.3 */
{
    set_up();
    round_trip(10, 40 * MILLI_US);
    cc.ops->on_timeout(&cc, 200 * MSS);
    round_trip(10, 40 * MILLI_US);
    uint32_t cwnd = cc.cwnd;
    ck_assert_int_eq(round_trip(10, 90 * MILLI_US), CWND_KEPT);
    ck_assert_uint_eq(cc.cwnd, cwnd + 10 * MSS);
}
END_TEST

START_TEST(it_can_be_switched_off)
{
    set_up();
    cc.has_hystart = false;
    round_trip(10, 40 * MILLI_US);
    ck_assert_int_eq(round_trip(10, 90 * MILLI_US), CWND_KEPT);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, css_begins_when_the_least_rtt_grows_by_the_threshold, 0, 7);
    tcase_add_test(tc, fewer_than_eight_samples_decide_nothing);
    tcase_add_test(tc, window_grows_a_quarter_as_fast_in_css);
    tcase_add_test(tc, slow_start_goes_on_when_the_delay_was_jitter);
    tcase_add_test(tc, fifth_round_of_css_ends_slow_start);
    tcase_add_test(tc, later_slow_starts_are_not_watched);
    tcase_add_test(tc, it_can_be_switched_off);
}

int main(void)
{
    return unit_main("hystart", tests);
}
