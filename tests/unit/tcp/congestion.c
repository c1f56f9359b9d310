/* Reno, RFC 5681 and RFC 3465, with RFC 8511 (ABE); the initial window of RFC 6928. */
#include "../unit.h"

#include "../../../stack/tcp/recovery/congestion.h"

enum { MSS = 1000 };

static struct congestion cc;

static struct tcp_config reno(void)
{
    struct tcp_config config;

    tcp_config_init(&config);
    config.congestion = TCP_CONGESTION_RENO;
    return config;
}

static void set_up(uint32_t cwnd, uint32_t ssthresh)
{
    struct tcp_config config = reno();

    congestion_init(&cc, &config, MSS, 10);
    cc.cwnd = cwnd;
    cc.ssthresh = ssthresh;
}

/* An acknowledgment of `bytes` to a sender that uses its window. */
static void acknowledge(uint32_t bytes)
{
    struct congestion_ack ack = {.acked_bytes = bytes, .window_was_used = true};

    cc.ops->on_ack(&cc, &ack);
}

/* RFC 6928 (1): min(10 * MSS, max(2 * MSS, 14600)). */
START_TEST(initial_window_is_ten_segments_within_bounds)
{
    static const struct {
        uint32_t mss, segments, cwnd;
    } rows[] = {{536, 10, 5360},   {1460, 10, 14600}, {8960, 10, 17920},
                {4000, 10, 14600}, {1460, 1, 1460},   {1460, 4, 5840}};

    struct tcp_config config = reno();

    congestion_init(&cc, &config, rows[_i].mss, rows[_i].segments);
    ck_assert_uint_eq(cc.cwnd, rows[_i].cwnd);
    ck_assert_uint_ge(cc.ssthresh, 1u << 30); /* 3.1: arbitrarily high at first */
}
END_TEST

/* 3.1 (2) */
START_TEST(slow_start_grows_by_what_is_acknowledged) /* 9293 MUST-19 */
{
    set_up(10 * MSS, UINT32_MAX);
    acknowledge(MSS);
    ck_assert_uint_eq(cc.cwnd, 11 * MSS);
    acknowledge(2 * MSS);
    ck_assert_uint_eq(cc.cwnd, 13 * MSS);
    acknowledge(1); /* RFC 3465: a peer that splits its ACKs gains nothing */
    ck_assert_uint_eq(cc.cwnd, 13 * MSS + 1);
}
END_TEST

/* RFC 3465 2.2: one ACK, however much it covers, adds no more than a bounded burst. */
START_TEST(slow_start_is_bounded_per_ack)
{
    set_up(100 * MSS, UINT32_MAX);
    acknowledge(100 * MSS);
    ck_assert_uint_le(cc.cwnd, 110 * MSS);
}
END_TEST

START_TEST(slow_start_of_a_pacing_sender_is_not_bounded_per_ack) /* RFC 9406 4.2 */
{
    struct congestion_ack ack = {
        .acked_bytes = 100 * MSS, .window_was_used = true, .is_paced = true};

    set_up(100 * MSS, UINT32_MAX);
    cc.ops->on_ack(&cc, &ack);
    ck_assert_uint_eq(cc.cwnd, 200 * MSS);
}
END_TEST

START_TEST(slow_start_after_a_time_out_adds_a_segment_per_ack) /* RFC 3465 2.3: L = 1 */
{
    struct congestion_ack ack = {
        .acked_bytes = 6 * MSS, .window_was_used = true, .after_timeout = true};

    set_up(MSS, 10 * MSS);
    cc.ops->on_ack(&cc, &ack);
    ck_assert_uint_eq(cc.cwnd, 2 * MSS);
}
END_TEST

/* 3.1 of RFC 5681 and 3.2 of RFC 6582. */
START_TEST(window_that_is_not_used_or_under_repair_does_not_grow)
{
    static const struct congestion_ack acks[] = {
        {.acked_bytes = 10 * MSS, .window_was_used = false},
        {.acked_bytes = 10 * MSS, .window_was_used = true, .in_recovery = true},
        {.acked_bytes = 0, .delivered_bytes = MSS, .window_was_used = true},
    };

    set_up(10 * MSS, _i < 3 ? UINT32_MAX : 10 * MSS);
    cc.ops->on_ack(&cc, &acks[_i % 3]);
    ck_assert_uint_eq(cc.cwnd, 10 * MSS);
}
END_TEST

START_TEST(slow_start_ends_at_ssthresh)
{
    set_up(8 * MSS, 10 * MSS);
    acknowledge(8 * MSS);
    ck_assert_uint_eq(cc.cwnd, 10 * MSS);
}
END_TEST

/* 3.1 (3): about one segment per round trip. */
START_TEST(congestion_avoidance_adds_a_segment_per_window) /* 9293 MUST-19 */
{
    set_up(10 * MSS, 10 * MSS);
    for (int i = 0; i < 9; i++)
        acknowledge(MSS);
    ck_assert_uint_eq(cc.cwnd, 10 * MSS);
    acknowledge(MSS);
    ck_assert_uint_eq(cc.cwnd, 11 * MSS);
    for (int i = 0; i < 11; i++)
        acknowledge(MSS);
    ck_assert_uint_eq(cc.cwnd, 12 * MSS);
}
END_TEST

/* 3.1 (4): half of the flight, not of the window, and at least two segments. */
START_TEST(loss_halves_the_flight)
{
    set_up(20 * MSS, UINT32_MAX);
    cc.ops->on_congestion(&cc, CONGESTION_LOSS, 10 * MSS);
    ck_assert_uint_eq(cc.ssthresh, 5 * MSS);
    ck_assert_uint_eq(cc.cwnd, 5 * MSS);
    cc.ops->on_congestion(&cc, CONGESTION_LOSS, MSS);
    ck_assert_uint_eq(cc.ssthresh, 2 * MSS);
}
END_TEST

/* RFC 8511 3.1: 0.8 for Reno, in congestion avoidance only; RFC 3168 6.1.2 without it. */
START_TEST(mark_is_answered_as_a_loss_or_by_less_with_abe)
{
    static const struct {
        bool abe;
        uint32_t ssthresh_before, flight, ssthresh, cwnd;
    } rows[] = {
        {false, 20 * MSS, 20 * MSS, 10 * MSS, 10 * MSS},
        {true, 20 * MSS, 20 * MSS, 16 * MSS, 16 * MSS},
        {true, UINT32_MAX, 20 * MSS, 10 * MSS, 10 * MSS}, /* slow start */
        {false, 20 * MSS, MSS, 2 * MSS, MSS},             /* down to one segment */
    };

    set_up(20 * MSS, rows[_i].ssthresh_before);
    cc.has_abe = rows[_i].abe;
    cc.ops->on_congestion(&cc, CONGESTION_ECN, rows[_i].flight);
    ck_assert_uint_eq(cc.ssthresh, rows[_i].ssthresh);
    ck_assert_uint_eq(cc.cwnd, rows[_i].cwnd);
    cc.cwnd = 20 * MSS;
    cc.ops->on_congestion(&cc, CONGESTION_LOSS, 20 * MSS); /* a loss is a loss */
    ck_assert_uint_eq(cc.cwnd, 10 * MSS);
}
END_TEST

START_TEST(time_out_leaves_one_segment)
{
    set_up(20 * MSS, UINT32_MAX);
    cc.ops->on_timeout(&cc, 20 * MSS);
    ck_assert_uint_eq(cc.ssthresh, 10 * MSS);
    ck_assert_uint_eq(cc.cwnd, MSS);
}
END_TEST

START_TEST(undo_takes_the_last_reduction_back)
{
    set_up(20 * MSS, 30 * MSS);
    cc.ops->on_timeout(&cc, 20 * MSS);
    cc.ops->on_undo(&cc);
    ck_assert_uint_eq(cc.cwnd, 20 * MSS);
    ck_assert_uint_eq(cc.ssthresh, 30 * MSS);
}
END_TEST

/* Any amount of acknowledgments. */
START_TEST(window_never_overflows)
{
    set_up(1u << 30, UINT32_MAX);
    for (int i = 0; i < 100000; i++)
        acknowledge(1u << 30);
    ck_assert_uint_ge(cc.cwnd, 1u << 30);
    ck_assert_uint_lt(cc.cwnd, 1u << 31);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, initial_window_is_ten_segments_within_bounds, 0, 6);
    tcase_add_test(tc, slow_start_grows_by_what_is_acknowledged);
    tcase_add_test(tc, slow_start_is_bounded_per_ack);
    tcase_add_test(tc, slow_start_of_a_pacing_sender_is_not_bounded_per_ack);
    tcase_add_test(tc, slow_start_after_a_time_out_adds_a_segment_per_ack);
    tcase_add_loop_test(tc, window_that_is_not_used_or_under_repair_does_not_grow, 0, 6);
    tcase_add_test(tc, slow_start_ends_at_ssthresh);
    tcase_add_loop_test(tc, mark_is_answered_as_a_loss_or_by_less_with_abe, 0, 4);
    tcase_add_test(tc, congestion_avoidance_adds_a_segment_per_window);
    tcase_add_test(tc, loss_halves_the_flight);
    tcase_add_test(tc, time_out_leaves_one_segment);
    tcase_add_test(tc, undo_takes_the_last_reduction_back);
    tcase_add_test(tc, window_never_overflows);
}

int main(void)
{
    return unit_main("congestion", tests);
}
