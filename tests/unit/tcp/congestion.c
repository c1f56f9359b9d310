/* Reno, RFC 5681, and the initial window of RFC 6928. */
#include "../unit.h"

#include "../../../stack/tcp/recovery/congestion.h"

enum { MSS = 1000 };

static struct congestion cc;

static void set_up(uint32_t cwnd, uint32_t ssthresh)
{
    congestion_init(&cc, &congestion_reno, MSS, 10);
    cc.cwnd = cwnd;
    cc.ssthresh = ssthresh;
}

/* RFC 6928 (1): min(10 * MSS, max(2 * MSS, 14600)). */
START_TEST(initial_window_is_ten_segments_within_bounds)
{
    static const struct {
        uint32_t mss, segments, cwnd;
    } rows[] = {{536, 10, 5360},   {1460, 10, 14600}, {8960, 10, 17920},
                {4000, 10, 14600}, {1460, 1, 1460},   {1460, 4, 5840}};

    congestion_init(&cc, &congestion_reno, rows[_i].mss, rows[_i].segments);
    ck_assert_uint_eq(cc.cwnd, rows[_i].cwnd);
    ck_assert_uint_ge(cc.ssthresh, 1u << 30); /* 3.1: arbitrarily high at first */
}
END_TEST

/* 3.1 (2) */
START_TEST(slow_start_grows_by_what_is_acknowledged) /* 9293 MUST-19 */
{
    set_up(10 * MSS, UINT32_MAX);
    cc.ops->on_ack(&cc, MSS);
    ck_assert_uint_eq(cc.cwnd, 11 * MSS);
    cc.ops->on_ack(&cc, 2 * MSS);
    ck_assert_uint_eq(cc.cwnd, 13 * MSS);
    cc.ops->on_ack(&cc, 1); /* RFC 3465: a peer that splits its ACKs gains nothing */
    ck_assert_uint_eq(cc.cwnd, 13 * MSS + 1);
}
END_TEST

/* RFC 3465 2.2: one ACK, however much it covers, adds no more than a bounded burst. */
START_TEST(slow_start_is_bounded_per_ack)
{
    set_up(100 * MSS, UINT32_MAX);
    cc.ops->on_ack(&cc, 100 * MSS);
    ck_assert_uint_le(cc.cwnd, 110 * MSS);
}
END_TEST

/* 3.1 (3): about one segment per round trip. */
START_TEST(congestion_avoidance_adds_a_segment_per_window) /* 9293 MUST-19 */
{
    set_up(10 * MSS, 10 * MSS);
    for (int i = 0; i < 9; i++)
        cc.ops->on_ack(&cc, MSS);
    ck_assert_uint_eq(cc.cwnd, 10 * MSS);
    cc.ops->on_ack(&cc, MSS);
    ck_assert_uint_eq(cc.cwnd, 11 * MSS);
    for (int i = 0; i < 11; i++)
        cc.ops->on_ack(&cc, MSS);
    ck_assert_uint_eq(cc.cwnd, 12 * MSS);
}
END_TEST

/* 3.1 (4): half of the flight, not of the window, and at least two segments. */
START_TEST(loss_halves_the_flight)
{
    set_up(20 * MSS, UINT32_MAX);
    cc.ops->on_congestion(&cc, 10 * MSS);
    ck_assert_uint_eq(cc.ssthresh, 5 * MSS);
    ck_assert_uint_eq(cc.cwnd, 5 * MSS);
    cc.ops->on_congestion(&cc, MSS);
    ck_assert_uint_eq(cc.ssthresh, 2 * MSS);
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
        cc.ops->on_ack(&cc, 1u << 30);
    ck_assert_uint_ge(cc.cwnd, 1u << 30);
    ck_assert_uint_lt(cc.cwnd, 1u << 31);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, initial_window_is_ten_segments_within_bounds, 0, 6);
    tcase_add_test(tc, slow_start_grows_by_what_is_acknowledged);
    tcase_add_test(tc, slow_start_is_bounded_per_ack);
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
