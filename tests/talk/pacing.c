/* Pacing: when the window leaves spread over the round trip, how large a part leaves at once, and
 * when all of it does. stack/tcp/recovery/pacing.c has the reasons for the numbers. */
#include "talk.h"

#include "../../stack/tcp/tcb.h"

enum { WINDOW_SEGMENTS = 18, MILLI_US = 1000 };

static struct stack_config config_with(enum tcp_congestion congestion, enum tcp_pacing pacing)
{
    struct stack_config config = talk_config();

    config.tcp.congestion = congestion;
    config.tcp.pacing = pacing;
    return config;
}

/* An established connection over a path of `rtt_ms` with a window of 18 segments, none of them in
 * flight, and so many waiting. */
static struct talk *with_waiting_window(const struct stack_config *config, uint64_t rtt_ms)
{
    struct talk *t = talk_new(config);

    talk_connect(t);
    time_passes_ms(t, rtt_ms);
    peer_sends(t, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
    t->sent_count = t->sent_first = 0;
    app_writes(t, 10 * MSS);
    time_passes_ms(t, rtt_ms);
    t->sent_count = t->sent_first = 0;
    peer_sends(t, ". 1:1(0) ack 14601"); /* slow start: eight more */
    app_writes(t, WINDOW_SEGMENTS * MSS);
    ck_assert_uint_eq(talk_status(t).cwnd_bytes, WINDOW_SEGMENTS * MSS);
    return t;
}

static unsigned left_now(struct talk *t)
{
    unsigned count = t->sent_count;

    t->sent_count = t->sent_first = 0;
    return count;
}

/* 2 * cwnd / SRTT in slow start: 18 segments in half of 100 ms, two at a time. */
START_TEST(window_leaves_over_half_the_round_trip_in_slow_start)
{
    struct stack_config config = config_with(TCP_CONGESTION_CUBIC, TCP_PACING_AUTO);
    struct talk *t = with_waiting_window(&config, 100);
    uint64_t begin_us = t->now_us;
    unsigned count = left_now(t);

    ck_assert_uint_eq(talk_status(t).pacing_bytes_per_s, 2 * WINDOW_SEGMENTS * MSS * 10 + 1);
    ck_assert_uint_ge(count, 2);
    ck_assert_uint_le(count, 4); /* a quantum, and one to catch up */
    while (count < WINDOW_SEGMENTS) {
        ck_assert_uint_ne(time_until_we_send_us(t, 50), UINT64_MAX);
        unsigned now = left_now(t);
        ck_assert_uint_le(now, 2);
        count += now;
    }
    ck_assert_uint_ge(t->now_us - begin_us, 35 * MILLI_US);
    ck_assert_uint_le(t->now_us - begin_us, 50 * MILLI_US);
    talk_free(t);
}
END_TEST

/* 1.2 * cwnd / SRTT: 18 segments take five sixths of 100 ms. */
START_TEST(window_leaves_over_most_of_the_round_trip_in_avoidance)
{
    struct stack_config config = config_with(TCP_CONGESTION_CUBIC, TCP_PACING_AUTO);
    struct talk *t = with_waiting_window(&config, 100);

    t->tcb->work->cc.ssthresh = t->tcb->work->cc.cwnd;
    uint64_t begin_us = t->now_us;
    unsigned count = left_now(t);
    while (count < WINDOW_SEGMENTS) {
        ck_assert_uint_ne(time_until_we_send_us(t, 50), UINT64_MAX);
        count += left_now(t);
    }
    ck_assert_uint_ge(t->now_us - begin_us, 60 * MILLI_US);
    ck_assert_uint_le(t->now_us - begin_us, 84 * MILLI_US);
    talk_free(t);
}
END_TEST

/* Where the whole window is a quantum or two, where nobody asked for it, and where it was
 * forbidden.
 */
START_TEST(window_leaves_at_once)
{
    static const struct {
        enum tcp_congestion congestion;
        enum tcp_pacing pacing;
        uint64_t rtt_ms;
    } rows[] = {
        {TCP_CONGESTION_CUBIC, TCP_PACING_AUTO, 3},
        {TCP_CONGESTION_RENO, TCP_PACING_AUTO, 100},
        {TCP_CONGESTION_CUBIC, TCP_PACING_OFF, 100},
    };
    struct stack_config config = config_with(rows[_i].congestion, rows[_i].pacing);
    struct talk *t = with_waiting_window(&config, rows[_i].rtt_ms);

    ck_assert_uint_eq(left_now(t), WINDOW_SEGMENTS);
    ck_assert_uint_eq(talk_status(t).pacing_bytes_per_s, 0);
    talk_free(t);
}
END_TEST

/* BBR's model says the rate, from the first segment on: 2.77 initial windows per round trip. */
START_TEST(bbr_is_paced_whatever_the_setting_and_the_path)
{
    static const uint64_t rtt_ms[] = {100, 1};
    struct stack_config config = config_with(TCP_CONGESTION_BBR, (enum tcp_pacing)(_i / 2));
    struct talk *t = talk_new(&config);

    talk_connect(t);
    time_passes_ms(t, rtt_ms[_i % 2]);
    peer_sends(t, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
    ck_assert_uint_eq(talk_status(t).pacing_bytes_per_s,
                      14600ull * 1000 / rtt_ms[_i % 2] * 277 / 100 + 1);
    left_now(t);
    app_writes(t, 10 * MSS);
    unsigned now = left_now(t);
    if (rtt_ms[_i % 2] == 100)
        ck_assert_uint_eq(now, 3);
    else /* the window is less than two quanta */
        ck_assert_uint_ge(now, 5);
    talk_free(t);
}
END_TEST

START_TEST(initial_window_leaves_at_once_unless_pacing_is_on) /* RFC 6928 2 */
{
    struct stack_config config =
        config_with(TCP_CONGESTION_CUBIC, _i == 0 ? TCP_PACING_AUTO : TCP_PACING_ON);
    struct talk *t = talk_new(&config);

    talk_connect(t);
    time_passes_ms(t, 100);
    peer_sends(t, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
    left_now(t);
    app_writes(t, 10 * MSS);
    unsigned count = left_now(t);
    if (_i == 0)
        ck_assert_uint_eq(count, 10);
    else
        ck_assert_uint_le(count, 4);
    time_passes_ms(t, 100);
    ck_assert_uint_eq(count + left_now(t), 10);
    talk_free(t);
}
END_TEST

/* It is not the pace that holds back what is not there: no timer runs then. */
START_TEST(nothing_waits_for_the_pace_when_nothing_is_to_be_sent)
{
    struct stack_config config = config_with(TCP_CONGESTION_CUBIC, TCP_PACING_AUTO);
    struct talk *t = with_waiting_window(&config, 100);

    time_passes_ms(t, 100);
    left_now(t);
    ck_assert_uint_eq(talk_status(t).deadline_us[TIMER_PACING], NEVER);
    app_writes(t, MSS);
    ck_assert_uint_eq(left_now(t), 0); /* the window is full: that is another matter */
    ck_assert_uint_eq(talk_status(t).deadline_us[TIMER_PACING], NEVER);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, window_leaves_over_half_the_round_trip_in_slow_start);
    tcase_add_test(tc, window_leaves_over_most_of_the_round_trip_in_avoidance);
    tcase_add_loop_test(tc, window_leaves_at_once, 0, 3);
    tcase_add_loop_test(tc, bbr_is_paced_whatever_the_setting_and_the_path, 0, 6);
    tcase_add_loop_test(tc, initial_window_leaves_at_once_unless_pacing_is_on, 0, 2);
    tcase_add_test(tc, nothing_waits_for_the_pace_when_nothing_is_to_be_sent);
}

int main(void)
{
    return unit_main("pacing", tests);
}
