/* Events as sentences. A tcb is not needed for most of them; those about loss add its status. */
#include "../unit.h"

#include <string.h>

#include "../../../stack/tcp/tcp.h"
#include "../../../tun/explain.h"

static char text[EXPLAIN_BYTES];

static const char *said(struct trace_event event)
{
    return explain_event(&event, text, sizeof text);
}

START_TEST(state_change_names_both_states_cause_and_clause)
{
    ck_assert_str_eq(said((struct trace_event){.kind = TRACE_STATE,
                                               .cause = "CLOSE call",
                                               .clause = "9293 3.10.4",
                                               .u.state = {TCPS_ESTABLISHED, TCPS_FIN_WAIT_1}}),
                     "ESTABLISHED -> FIN-WAIT-1: CLOSE call (9293 3.10.4)");
}
END_TEST

START_TEST(packet_in_says_nothing)
{
    ck_assert_str_eq(said((struct trace_event){.kind = TRACE_PACKET_IN, .cause = "x"}), "");
}
END_TEST

START_TEST(packet_out_says_its_cause_alone)
{
    ck_assert_str_eq(said((struct trace_event){.kind = TRACE_PACKET_OUT, .cause = "active OPEN"}),
                     "active OPEN");
    ck_assert_str_eq(said((struct trace_event){.kind = TRACE_PACKET_OUT}), "");
}
END_TEST

START_TEST(drop_names_its_reason)
{
    struct trace_event event = {.kind = TRACE_DROP, .u.drop = DROP_TCP_CHECKSUM};

    said(event);
    ck_assert_ptr_nonnull(strstr(text, "dropped, "));
    ck_assert_ptr_nonnull(strstr(text, drop_name(DROP_TCP_CHECKSUM)));
}
END_TEST

START_TEST(retransmission_counts_from_the_first_repetition)
{
    ck_assert_str_eq(said((struct trace_event){
                         .kind = TRACE_RETRANSMIT, .cause = "RTO", .u.range = {1, 1449, 3}}),
                     "retransmission 2 of bytes 1 to 1448: RTO");
}
END_TEST

START_TEST(loss_tells_the_numbers_that_decided)
{
    static const struct {
        struct trace_event event;
        const char *text;
    } rows[] = {
        {{.clause = "RFC 8985 6.2",
          .u.lost = {1, 1449, TRACE_LOST_BY_RACK, .later_us = 12400, .reo_wnd_us = 3100}},
         "bytes 1 to 1448 are lost: RACK, a segment sent 12.4 ms later is delivered, reo_wnd 3.1 "
         "ms "
         "(RFC 8985 6.2)"},
        {{.u.lost = {1, 1449, TRACE_LOST_BY_SACK, .sacked_above_bytes = 4344}},
         "bytes 1 to 1448 are lost: 4344 bytes above are selectively acknowledged"},
        {{.u.lost = {1, 2, TRACE_LOST_BY_DUPLICATE_ACKS}}, "byte 1 is lost: third duplicate ACK"},
        {{.u.lost = {1, 2, TRACE_LOST_BY_PARTIAL_ACK}},
         "byte 1 is lost: the acknowledgment ends before it"},
        {{.u.lost = {1, 2, TRACE_LOST_BY_TIMEOUT, .age_us = 200000}},
         "byte 1 is lost: no acknowledgment for 200 ms"},
    };
    struct trace_event event = rows[_i].event;

    event.kind = TRACE_LOST;
    ck_assert_str_eq(said(event), rows[_i].text);
}
END_TEST

START_TEST(recovery_tells_how_much_it_lets_through)
{
    ck_assert_str_eq(said((struct trace_event){.kind = TRACE_PRR,
                                               .clause = "RFC 9937 6.2",
                                               .u.prr = {.pipe = 26280,
                                                         .ssthresh = 14600,
                                                         .delivered = 1460,
                                                         .out = 0,
                                                         .count = 730}}),
                     "PRR lets 730 bytes through, in proportion: pipe=26280 ssthresh=14600 "
                     "delivered=1460 sent=0 (RFC 9937 6.2)");
}
END_TEST

START_TEST(what_else_a_peer_tells_about_delivery)
{
    ck_assert_str_eq(
        said((struct trace_event){.kind = TRACE_DUPLICATE, .u.range = {.start = 1, .end = 1449}}),
        "the peer reports a duplicate (D-SACK): bytes 1 to 1448");
    ck_assert_str_eq(
        said((struct trace_event){.kind = TRACE_RENEGED, .u.range = {.start = 1, .end = 1449}}),
        "the peer has reneged on bytes 1 to 1448");
    ck_assert_str_eq(
        said((struct trace_event){.kind = TRACE_REORDERING,
                                  .u.reordering = {.bytes = 2896, .reo_wnd_us = 9000}}),
        "the network reorders: 2896 bytes late, from now on reo_wnd is at least 9 ms");
}
END_TEST

START_TEST(each_step_of_the_congestion_window_says_what_decided)
{
    static const struct {
        enum trace_cwnd what;
        uint32_t now, before, ssthresh, number[4];
        const char *says;
    } rows[] = {
        {CWND_SLOW_START,
         17520,
         14600,
         UINT32_MAX,
         {2920},
         "cwnd=17520 (+2920), 2920 bytes acknowledged: why (RFC 1)"},
        {CWND_CSS_ENTERED,
         40880,
         40880,
         UINT32_MAX,
         {114000, 101000, 12625},
         "cwnd=40880, least RTT 114 ms in this round, 101 ms in the last, threshold 12.6 ms: why "
         "(RFC 1)"},
        {CWND_CSS_RESUMED,
         40880,
         40880,
         UINT32_MAX,
         {113000, 114000},
         "cwnd=40880, least RTT 113 ms in this round, baseline 114 ms: why (RFC 1)"},
        {CWND_HYSTART_EXIT,
         40880,
         40880,
         40880,
         {5},
         "cwnd=40880 ssthresh=40880, after 5 rounds: why (RFC 1)"},
        {CWND_CUBIC,
         73000,
         72000,
         70000,
         {1500, 4200, 73100, 100000},
         "cwnd=73000 (+1000) ssthresh=70000, t=1500ms K=4200ms W_cubic=73100 W_max=100000: why "
         "(RFC 1)"},
        {CWND_RENO_FRIENDLY,
         73000,
         72000,
         70000,
         {1500, 73000, 72900},
         "cwnd=73000 (+1000) ssthresh=70000, t=1500ms W_est=73000 W_cubic=72900: why (RFC 1)"},
        {CWND_ECN,
         85000,
         100000,
         85000,
         {100000, 85},
         "cwnd=85000 (-15000) ssthresh=85000, 85% of 100000 bytes in flight: why (RFC 1)"},
        {CWND_NOT_VALIDATED,
         50000,
         100000,
         75000,
         {4000},
         "cwnd=50000 (-50000) ssthresh=75000, 4000 bytes were acknowledged in a round trip lately: "
         "why (RFC 1)"},
        {CWND_BBR_UP,
         85000,
         84000,
         UINT32_MAX,
         {1256000, 40000, 100000, UINT32_MAX},
         "cwnd=85000 (+1000), bw=10.04Mbit/s min_rtt=40ms inflight_longterm=100000: why (RFC 1)"},
        {CWND_BBR_SHORTTERM,
         60000,
         85000,
         UINT32_MAX,
         {1256000, UINT32_MAX, UINT32_MAX, 59500},
         "cwnd=60000 (-25000), bw=10.04Mbit/s inflight_shortterm=59500: why (RFC 1)"},
        {CWND_RESTARTED,
         14600,
         85000,
         85000,
         {2500000},
         "cwnd=14600 (-70400) ssthresh=85000, nothing sent for 2.50 s: why (RFC 1)"},
    };
    struct trace_event event = {.kind = TRACE_CWND, .cause = "why", .clause = "RFC 1"};

    event.u.cwnd.cwnd_bytes = rows[_i].now;
    event.u.cwnd.before_bytes = rows[_i].before;
    event.u.cwnd.ssthresh_bytes = rows[_i].ssthresh;
    event.u.cwnd.what = rows[_i].what;
    memcpy(event.u.cwnd.number, rows[_i].number, sizeof rows[_i].number);
    ck_assert_str_eq(said(event), rows[_i].says);
    ck_assert_int_eq(explain_level(&event), 2);
    ck_assert(explain_belongs_in_capture(&event));
}
END_TEST

START_TEST(window_tells_whose_it_is)
{
    ck_assert_str_eq(said((struct trace_event){.kind = TRACE_WINDOW, .u.window = {.closed = true}}),
                     "the peer's window closed");
    ck_assert_str_eq(said((struct trace_event){.kind = TRACE_WINDOW,
                                               .u.window = {.ours = true, .wnd_bytes = 4096}}),
                     "our receive window opened to 4096 bytes");
}
END_TEST

START_TEST(mark_tells_whose_data_was_marked) /* RFC 3168 */
{
    ck_assert_str_eq(
        said((struct trace_event){.kind = TRACE_ECN, .cause = "ECE", .u.ecn = {.is_echo = true}}),
        "congestion ahead of us: ECE");
    ck_assert_str_eq(said((struct trace_event){.kind = TRACE_ECN, .cause = "CE"}),
                     "congestion ahead of the peer: CE");
}
END_TEST

START_TEST(path_mtu_says_what_happened_and_why)
{
    static const struct {
        enum trace_path_mtu what;
        uint16_t mtu_bytes;
        const char *text;
    } rows[] = {
        {PATH_MTU_KNOWN, 1006, "path MTU is 1006: why (RFC 4821)"},
        {PATH_MTU_CLAIMED, 576, "path MTU of 576 claimed by a router: why (RFC 4821)"},
        {PATH_MTU_LOWERED, 576, "path MTU lowered to 576: why (RFC 4821)"},
        {PATH_MTU_SUSPECTED, 512, "black hole suspected, path MTU lowered to 512: why (RFC 4821)"},
        {PATH_MTU_PROBED, 1280, "path MTU probe of 1280 bytes: why (RFC 4821)"},
        {PATH_MTU_PROBE_LOST, 1280, "path MTU probe of 1280 bytes lost: why (RFC 4821)"},
        {PATH_MTU_RAISED, 1500, "path MTU raised to 1500: why (RFC 4821)"},
        {PATH_MTU_FORGOTTEN, 576, "path MTU of 576 forgotten: why (RFC 4821)"},
        {PATH_MTU_FORGOTTEN, 0,
         "IP asked to doubt the path, of which it knows nothing: why (RFC 4821)"},
    };
    struct trace_event event = {.kind = TRACE_PATH_MTU, .cause = "why", .clause = "RFC 4821"};

    event.u.path_mtu.what = rows[_i].what;
    event.u.path_mtu.mtu_bytes = rows[_i].mtu_bytes;
    ck_assert_str_eq(said(event), rows[_i].text);
    ck_assert_int_eq(explain_level(&event), 1);
}
END_TEST

START_TEST(times_have_fitting_units)
{
    ck_assert_str_eq(
        said((struct trace_event){.kind = TRACE_RTT, .u.rtt = {103, 36100, 18000, 1000000}}),
        "RTT sample 103 us: srtt=36.1ms rttvar=18ms rto=1.00s");
}
END_TEST

START_TEST(timer_says_in_what_time_it_fires)
{
    struct trace_event event = {.kind = TRACE_TIMER_ARMED,
                                .time_us = 1000,
                                .u.timer = {.timer = TIMER_RETRANSMIT, .deadline_us = 201000}};

    ck_assert_ptr_nonnull(strstr(said(event), "timer armed: fires in 200 ms"));
    event.u.timer.deadline_us = 0; /* in the past: at once */
    ck_assert_ptr_nonnull(strstr(said(event), "fires in 0 us"));
}
END_TEST

START_TEST(levels_put_changes_before_details)
{
    struct trace_event event = {.kind = TRACE_PACKET_OUT};

    ck_assert_int_eq(explain_level(&event), 0);
    event.kind = TRACE_STATE;
    ck_assert_int_eq(explain_level(&event), 1);
    event.kind = TRACE_RTT;
    ck_assert_int_eq(explain_level(&event), 2);
    event.kind = TRACE_TIMER_FIRED;
    event.u.timer.timer = TIMER_RETRANSMIT;
    ck_assert_int_eq(explain_level(&event), 1);
    event.u.timer.timer = TIMER_DELAYED_ACK;
    ck_assert_int_eq(explain_level(&event), 2);
}
END_TEST

START_TEST(sentence_is_cut_to_the_room_it_has)
{
    struct trace_event event = {.kind = TRACE_PACKET_OUT, .cause = "a long sentence"};
    char room[7] = "xxxxxx";

    ck_assert_str_eq(explain_event(&event, room, sizeof room), "a long");
    ck_assert_str_eq(explain_event(&event, room, 1), "");
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, state_change_names_both_states_cause_and_clause);
    tcase_add_test(tc, packet_in_says_nothing);
    tcase_add_test(tc, packet_out_says_its_cause_alone);
    tcase_add_test(tc, drop_names_its_reason);
    tcase_add_test(tc, retransmission_counts_from_the_first_repetition);
    tcase_add_loop_test(tc, loss_tells_the_numbers_that_decided, 0, 5);
    tcase_add_test(tc, recovery_tells_how_much_it_lets_through);
    tcase_add_test(tc, what_else_a_peer_tells_about_delivery);
    tcase_add_loop_test(tc, each_step_of_the_congestion_window_says_what_decided, 0, 11);
    tcase_add_test(tc, window_tells_whose_it_is);
    tcase_add_test(tc, mark_tells_whose_data_was_marked);
    tcase_add_loop_test(tc, path_mtu_says_what_happened_and_why, 0, 9);
    tcase_add_test(tc, times_have_fitting_units);
    tcase_add_test(tc, timer_says_in_what_time_it_fires);
    tcase_add_test(tc, levels_put_changes_before_details);
    tcase_add_test(tc, sentence_is_cut_to_the_room_it_has);
}

int main(void)
{
    return unit_main("explain", tests);
}
