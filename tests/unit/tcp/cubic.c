/* CUBIC, RFC 9438: the window over time against its formulas, computed here in floating point. */
#include "../unit.h"

#include <math.h>

#include "../../../stack/tcp/recovery/congestion.h"

enum { MSS = 1448, MILLI_US = 1000, SECOND_US = 1000000 };

static struct congestion cc;
static uint64_t now_us;

static void set_up(uint32_t cwnd_segments, uint32_t ssthresh)
{
    struct tcp_config config;

    tcp_config_init(&config);
    config.congestion = TCP_CONGESTION_CUBIC;
    congestion_init(&cc, &config, MSS, 10);
    cc.cwnd = cwnd_segments * MSS;
    cc.ssthresh = ssthresh;
    now_us = (uint64_t)UINT32_MAX - 3 * SECOND_US; /* the clock's lower 32 bits wrap on the way */
}

static struct congestion_note acknowledge(uint32_t bytes, uint32_t rtt_us, bool window_was_used)
{
    struct congestion_ack ack = {.now_us = now_us,
                                 .acked_bytes = bytes,
                                 .rtt_us = rtt_us,
                                 .srtt_us = rtt_us,
                                 .window_was_used = window_was_used};

    return cc.ops->on_ack(&cc, &ack);
}

/* A round trip in which the whole window is acknowledged, two segments at a time. */
static struct congestion_note round_trip(uint32_t rtt_us, bool window_was_used)
{
    uint32_t window = cc.cwnd;
    struct congestion_note note = {.what = CWND_KEPT};
    uint64_t begin_us = now_us;

    for (uint32_t done = 0; done < window;) {
        uint32_t bytes = window - done < 2 * MSS ? window - done : 2 * MSS;
        done += bytes;
        now_us = begin_us + (uint64_t)rtt_us * done / window;
        note = acknowledge(bytes, rtt_us, window_was_used);
    }
    return note;
}

static double segments(void)
{
    return (double)cc.cwnd / MSS;
}

static void is_within_a_percent(double is, double should_be)
{
    ck_assert_msg(fabs(is - should_be) <= should_be / 100, "is %f, should be %f", is, should_be);
}

/* 4.2 (1), (2): with each segment the window goes a part of the way to W_cubic(t + RTT), so that it
 * is W_cubic(t) at t. Long and fast paths, where CUBIC is faster
 * than Reno; up to W_max, beyond it, and for a minute. */
START_TEST(window_follows_the_cubic_function)
{
    static const struct {
        uint32_t w_max, rtt_ms;
    } rows[] = {{1000, 100}, {10000, 100}, {25000, 300}, {2000, 50}};
    uint32_t rtt_us = rows[_i].rtt_ms * MILLI_US;
    double w_max = rows[_i].w_max;

    set_up(rows[_i].w_max, rows[_i].w_max * MSS);
    cc.ops->on_congestion(&cc, CONGESTION_LOSS, cc.cwnd);
    double k_s = cbrt((w_max - segments()) / 0.4);
    acknowledge(2 * MSS, rtt_us, true); /* the stage begins */
    uint64_t begin_us = now_us;
    while (now_us < begin_us + 60ull * SECOND_US && segments() < 3 * w_max) {
        ck_assert_int_eq(round_trip(rtt_us, true).what, CWND_CUBIC);
        double t_s = (double)(now_us - begin_us) / SECOND_US;
        is_within_a_percent(segments(), 0.4 * pow(t_s - k_s, 3) + w_max);
    }
    ck_assert_uint_gt(now_us, begin_us + (uint64_t)(k_s * SECOND_US)); /* it has passed W_max */
}
END_TEST

/* 4.3 (4): alpha = 3 (1 - 0.7) / (1 + 0.7) segments a round trip until the old window is reached,
 * then one. */
START_TEST(small_window_grows_as_renos_would)
{
    const uint32_t rtt_us = 10 * MILLI_US;
    const double alpha = 9.0 / 17;

    set_up(40, 40 * MSS);
    cc.ops->on_congestion(&cc, CONGESTION_LOSS, cc.cwnd);
    double expected = segments();
    while (expected < 40) {
        ck_assert_int_eq(round_trip(rtt_us, true).what, CWND_RENO_FRIENDLY);
        expected += alpha;
        is_within_a_percent(segments(), expected);
    }
    double from = segments();
    for (int i = 0; i < 20; i++)
        round_trip(rtt_us, true);
    is_within_a_percent(segments(), from + 20);
}
END_TEST

START_TEST(a_round_trip_adds_at_most_half_the_window) /* 4.2: target <= 1.5 cwnd */
{
    const uint32_t rtt_us = 5 * SECOND_US; /* W_cubic(t + RTT) is far away */

    set_up(10, 10 * MSS);
    for (int i = 0; i < 10; i++) {
        uint32_t before = cc.cwnd;
        acknowledge(cc.cwnd, rtt_us, true);
        now_us += rtt_us;
        ck_assert_uint_le(cc.cwnd, before + before / 2);
    }
}
END_TEST

/* 4.6: 0.7 of the flight; RFC 8511 3.1: 0.85 of it after a mark, with ABE, but not in slow start.
 */
START_TEST(reduction_leaves_its_part_of_the_flight)
{
    static const struct {
        enum congestion_reason reason;
        bool abe, slow_start;
        uint32_t flight, ssthresh, cwnd;
    } rows[] = {
        {CONGESTION_LOSS, true, false, 100000, 70000, 70000},
        {CONGESTION_LOSS, false, true, 100000, 70000, 70000},
        {CONGESTION_ECN, false, false, 100000, 70000, 70000},
        {CONGESTION_ECN, true, false, 100000, 85000, 85000},
        {CONGESTION_ECN, true, true, 100000, 70000, 70000},
        {CONGESTION_LOSS, false, false, MSS, 2 * MSS, 2 * MSS},
        {CONGESTION_ECN, false, false, MSS, 2 * MSS, MSS},
    };

    set_up(100, rows[_i].slow_start ? UINT32_MAX : 100 * MSS);
    cc.has_abe = rows[_i].abe;
    cc.ops->on_congestion(&cc, rows[_i].reason, rows[_i].flight);
    ck_assert_uint_eq(cc.ssthresh, rows[_i].ssthresh);
    ck_assert_uint_eq(cc.cwnd, rows[_i].cwnd);
}
END_TEST

START_TEST(loss_below_the_last_w_max_leaves_room_for_the_other) /* 4.7 */
{
    set_up(1000, 1000 * MSS);
    cc.ops->on_congestion(&cc, CONGESTION_LOSS, cc.cwnd);
    ck_assert_uint_eq(cc.u.cubic.now.w_max, 1000 * MSS);
    acknowledge(MSS, 100 * MILLI_US, true);
    uint32_t cwnd = cc.cwnd;
    cc.ops->on_congestion(&cc, CONGESTION_LOSS, cc.cwnd);
    ck_assert_uint_eq(cc.u.cubic.now.w_max, (uint32_t)((uint64_t)cwnd * 85 / 100));
    cc.cwnd = 2000 * MSS;
    cc.ops->on_congestion(&cc, CONGESTION_LOSS, cc.cwnd);
    ck_assert_uint_eq(cc.u.cubic.now.w_max, 2000 * MSS); /* nobody else: all of it */
}
END_TEST

/* 4.8: one segment, slow start to ssthresh, then K = 0 and W_max = cwnd: convex from there on. */
START_TEST(stage_after_a_time_out_begins_at_its_own_window)
{
    const uint32_t rtt_us = 200 * MILLI_US;

    set_up(1000, 1000 * MSS);
    cc.ops->on_timeout(&cc, 1000 * MSS);
    ck_assert_uint_eq(cc.cwnd, MSS);
    ck_assert_uint_eq(cc.ssthresh, 700 * MSS);
    while (cc.cwnd < cc.ssthresh)
        acknowledge(8 * MSS, rtt_us, true);
    acknowledge(MSS, rtt_us, true);
    ck_assert_uint_eq(cc.u.cubic.now.k_ms, 0);
    ck_assert_uint_eq(cc.u.cubic.now.w_max, 700 * MSS);
    uint64_t begin_us = now_us;
    while (now_us < begin_us + 10 * SECOND_US)
        round_trip(rtt_us, true);
    is_within_a_percent(segments(), 700 + 0.4 * pow(10, 3));
}
END_TEST

/* 4.10: HyStart++ has ended slow start, and no W_max is known. */
START_TEST(stage_after_slow_start_without_loss_begins_at_its_own_window)
{
    set_up(500, 500 * MSS);
    acknowledge(MSS, 100 * MILLI_US, true);
    ck_assert_uint_eq(cc.u.cubic.now.k_ms, 0);
    ck_assert_uint_eq(cc.u.cubic.now.w_max, 500 * MSS);
}
END_TEST

/* 4.2, 5.8: t does not count what the application left unused, nor a pause. */
START_TEST(time_in_which_the_window_is_not_used_does_not_count)
{
    const uint32_t rtt_us = 100 * MILLI_US;

    set_up(1000, 1000 * MSS);
    cc.ops->on_congestion(&cc, CONGESTION_LOSS, cc.cwnd);
    for (int i = 0; i < 5; i++)
        round_trip(rtt_us, true);
    uint32_t cwnd = cc.cwnd, t_us = cc.u.cubic.now.t_us;
    for (int i = 0; i < 600; i++)
        round_trip(rtt_us, false);
    ck_assert_uint_eq(cc.cwnd, cwnd);
    ck_assert_uint_eq(cc.u.cubic.now.t_us, t_us);
    now_us += 3600ull * SECOND_US;
    acknowledge(2 * MSS, rtt_us, true);
    ck_assert_uint_le(cc.u.cubic.now.t_us, t_us + rtt_us);
}
END_TEST

START_TEST(undo_restores_the_stage_too) /* 4.9 */
{
    set_up(1000, 1000 * MSS);
    cc.ops->on_congestion(&cc, CONGESTION_LOSS, cc.cwnd);
    for (int i = 0; i < 20; i++)
        round_trip(100 * MILLI_US, true);
    struct congestion before = cc;
    if (_i == 0)
        cc.ops->on_congestion(&cc, CONGESTION_LOSS, cc.cwnd);
    else
        cc.ops->on_timeout(&cc, cc.cwnd);
    acknowledge(2 * MSS, 100 * MILLI_US, true);
    ck_assert_int_eq(cc.ops->on_undo(&cc).what, CWND_UNDONE);
    ck_assert_uint_eq(cc.cwnd, before.cwnd);
    ck_assert_uint_eq(cc.ssthresh, before.ssthresh);
    ck_assert_mem_eq(&cc.u.cubic.now, &before.u.cubic.now, sizeof before.u.cubic.now);
    ck_assert_int_eq(cc.ops->on_undo(&cc).what, CWND_KEPT); /* once */
}
END_TEST

/* A recovery that left the window as it was, or after which it has grown again. */
START_TEST(undo_lets_slow_start_go_on_from_any_window) /* 4.9 */
{
    set_up(20, UINT32_MAX);
    cc.ops->on_congestion(&cc, CONGESTION_LOSS, cc.cwnd);
    cc.cwnd = 20 * MSS;
    ck_assert_int_eq(cc.ops->on_undo(&cc).what, CWND_UNDONE);
    ck_assert_uint_eq(cc.cwnd, 20 * MSS);
    ck_assert_uint_eq(cc.ssthresh, UINT32_MAX);
}
END_TEST

/* Any amount of acknowledgments, any numbers in them. */
START_TEST(window_never_overflows)
{
    static const uint32_t sizes[] = {1, 2 * MSS, 1u << 20, 1u << 30, UINT32_MAX};

    set_up(_i < 3 ? 2 : 700000, 2 * MSS);
    for (int i = 0; i < 200000; i++) {
        uint32_t bytes = sizes[i * 7 % 5], before = cc.cwnd;
        now_us += sizes[i % 5];
        acknowledge(bytes, sizes[i * 3 % 5], true);
        ck_assert_uint_ge(cc.cwnd, before);
        ck_assert_uint_lt(cc.cwnd, 1u << 31);
        if (i % 1000 == 999)
            cc.ops->on_congestion(&cc, (enum congestion_reason)(i / 1000 % 2), cc.cwnd);
    }
}
END_TEST

/* 4.3: W_est is cwnd_epoch where the stage begins. A pause (RFC 5681 4.1, RFC 7661) takes the
 * window back to slow start, and what the last stage had grown to is no more. */
START_TEST(a_stage_begins_where_slow_start_after_a_pause_ends)
{
    enum { RTT_US = 10 * MILLI_US };

    set_up(50, UINT32_MAX);
    cc.ops->on_congestion(&cc, CONGESTION_LOSS, cc.cwnd);
    cc.cwnd = cc.ssthresh;
    for (int i = 0; i < 300; i++)
        round_trip(RTT_US, true);
    ck_assert_uint_gt(cc.cwnd, 200 * MSS);
    cc.cwnd = 10 * MSS;
    now_us += 3 * SECOND_US;
    while (cc.cwnd < cc.ssthresh)
        acknowledge(2 * MSS, RTT_US, true);
    acknowledge(2 * MSS, RTT_US, true);
    ck_assert_uint_le(cc.cwnd, cc.ssthresh + 4 * MSS);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, a_stage_begins_where_slow_start_after_a_pause_ends);
    tcase_add_loop_test(tc, window_follows_the_cubic_function, 0, 4);
    tcase_add_test(tc, small_window_grows_as_renos_would);
    tcase_add_test(tc, a_round_trip_adds_at_most_half_the_window);
    tcase_add_loop_test(tc, reduction_leaves_its_part_of_the_flight, 0, 7);
    tcase_add_test(tc, loss_below_the_last_w_max_leaves_room_for_the_other);
    tcase_add_test(tc, stage_after_a_time_out_begins_at_its_own_window);
    tcase_add_test(tc, stage_after_slow_start_without_loss_begins_at_its_own_window);
    tcase_add_test(tc, time_in_which_the_window_is_not_used_does_not_count);
    tcase_add_loop_test(tc, undo_restores_the_stage_too, 0, 2);
    tcase_add_test(tc, undo_lets_slow_start_go_on_from_any_window);
    tcase_add_loop_test(tc, window_never_overflows, 0, 6);
}

int main(void)
{
    return unit_main("cubic", tests);
}
