/* The retransmission timer: RFC 6298 (MUST-18 to MUST-20), Karn's algorithm, R1 and R2 (RFC 9293
 * 3.8.3), for SYN, SYN,ACK, data and FIN. */
#include "talk.h"

/* ESTABLISHED with a round trip of 100 ms measured by the handshake: SRTT 100 ms, RTTVAR 50 ms, RTO
 * 100 + 4 * 50 = 300 ms (RFC 6298 2.2). */
static struct talk *with_rtt_of_100_ms(const struct stack_config *config, const char *options)
{
    struct talk *t = talk_new(config);

    talk_connect(t);
    time_passes_ms(t, 100);
    peer_sends(t, segment("S. 0:0(0) ack 1 win 65535 <%s>", options));
    we_send(t, ". 1:1(0) ack 1");
    return t;
}

/* The waits before each segment that we send, in milliseconds, up to a 0. */
static void sends_again_after(struct talk *t, const char *text, const unsigned *waits_ms)
{
    for (; *waits_ms != 0; waits_ms++) {
        uint64_t wait_us = time_until_we_send_us(t, 200000);
        if (wait_us != *waits_ms * 1000ull)
            talk_fail(t, __FILE__, __LINE__, "sent after %llu us instead of %u ms",
                      (unsigned long long)wait_us, *waits_ms);
        we_send(t, text);
        we_send_nothing(t);
    }
}

/* RFC 6298 (2.1), (5.5), (2.5); 9293 3.8.3, MUST-22, MUST-23: for at least 3 minutes. */
START_TEST(syn_is_sent_again_for_three_minutes_with_doubling_waits)
{
    static const unsigned waits_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 0};
    struct talk *t = talk_in_state(TCPS_SYN_SENT);

    sends_again_after(t, "S 0:0(0) <mss 1460,wscale 6,TS val * ecr 0,sackOK>", waits_ms);
    time_passes_ms(t, 56999); /* 179.999 s after the first */
    state_is(t, TCPS_SYN_SENT);
    time_passes_ms(t, 60000);
    we_send_nothing(t);
    state_is(t, TCPS_CLOSED);
    ck_assert_int_eq(tcp_error(t->tcb), TCP_ERR_TIMED_OUT);
    ck_assert(tcp_readiness(t->tcb) & TCP_FAILED);
    talk_free(t);
}
END_TEST

/* The three minutes of MUST-23 are the SYN's: forged SYNs fill the backlog no longer than this. */
START_TEST(syn_ack_is_sent_again_five_times_with_doubling_waits)
{
    static const unsigned waits_ms[] = {1000, 2000, 4000, 8000, 16000, 0};
    struct talk *t = talk_in_state(TCPS_SYN_RECEIVED);

    sends_again_after(t, "S. 0:0(0) ack 1 <mss 1460>", waits_ms);
    time_passes_ms(t, 120000);
    we_send_nothing(t);
    state_is(t, TCPS_CLOSED);
    ck_assert_uint_eq(tcp_readiness(t->listener), 0);
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>"); /* and the listener goes on */
    we_send(t, "S. 0:0(0) ack 1");
    talk_free(t);
}
END_TEST

START_TEST(handshake_goes_on_after_a_lost_syn_ack)
{
    struct talk *t = talk_in_state(TCPS_SYN_RECEIVED);

    time_passes_ms(t, 1000);
    we_send(t, "S. 0:0(0) ack 1");
    peer_sends(t, ". 1:1(0) ack 1");
    state_is(t, TCPS_ESTABLISHED);
    time_passes_ms(t, 10000);
    talk_free(t);
}
END_TEST

/* RFC 6298 (5.1), (5.4), (5.5), (5.6); 9293 MUST-19. */
START_TEST(data_is_sent_again_after_the_rto_with_doubling_waits)
{
    static const unsigned waits_ms[] = {300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 0};
    struct talk *t = with_rtt_of_100_ms(NULL, "mss 1460");

    app_writes(t, 500);
    we_send(t, "P. 1:501(500) ack 1");
    sends_again_after(t, "P. 1:501(500) ack 1", waits_ms);
    talk_free(t);
}
END_TEST

START_TEST(fin_is_sent_again)
{
    static const unsigned waits_ms[] = {300, 600, 1200, 0};
    struct talk *t = with_rtt_of_100_ms(NULL, "mss 1460");

    tcp_close(t->tcb);
    we_send(t, "F. 1:1(0) ack 1");
    sends_again_after(t, "F. 1:1(0) ack 1", waits_ms);
    peer_sends(t, ". 1:1(0) ack 2");
    state_is(t, TCPS_FIN_WAIT_2);
    time_passes_ms(t, 10000);
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

START_TEST(fin_with_data_is_sent_again_with_both)
{
    struct talk *t = with_rtt_of_100_ms(NULL, "mss 1460");

    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    app_writes(t, 10); /* held back by Nagle until the FIN follows it */
    tcp_close(t->tcb);
    we_send(t, "FP. 11:21(10) ack 1");
    peer_sends(t, ". 1:1(0) ack 11");
    ck_assert_uint_ne(time_until_we_send_us(t, 1000), UINT64_MAX);
    we_send(t, "FP. 11:21(10) ack 1");
    peer_sends(t, ". 1:1(0) ack 22");
    state_is(t, TCPS_FIN_WAIT_2);
    talk_free(t);
}
END_TEST

/* (5.4): the earliest segment alone. */
START_TEST(time_out_sends_the_first_segment_alone)
{
    struct talk *t = with_rtt_of_100_ms(NULL, "mss 1460");

    app_writes(t, 3 * MSS);
    we_send(t, ". 1:1461(1460) ack 1");
    we_send(t, ". 1461:2921(1460) ack 1");
    we_send(t, "P. 2921:4381(1460) ack 1");
    time_passes_ms(t, 300);
    we_send(t, ". 1:1461(1460) ack 1");
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* (5.3) */
START_TEST(ack_of_new_data_restarts_the_timer)
{
    struct talk *t = with_rtt_of_100_ms(NULL, "mss 1460");

    app_writes(t, 2 * MSS);
    we_send(t, ". 1:1461(1460) ack 1");
    we_send(t, "P. 1461:2921(1460) ack 1");
    time_passes_ms(t, 100); /* a sample of 100 ms again: RTTVAR 37.5 ms, RTO 250 ms */
    peer_sends(t, ". 1:1(0) ack 1461");
    ck_assert_uint_eq(time_until_we_send_us(t, 1000), 250000);
    we_send(t, "P. 1461:2921(1460) ack 1");
    talk_free(t);
}
END_TEST

/* (5.2) */
START_TEST(nothing_is_sent_again_when_all_is_acknowledged)
{
    struct talk *t = with_rtt_of_100_ms(NULL, "mss 1460");

    app_writes(t, 1000);
    we_send(t, "P. 1:1001(1000) ack 1");
    time_passes_ms(t, 299);
    peer_sends(t, ". 1:1(0) ack 1001");
    time_passes_ms(t, 600000);
    we_send_nothing(t);
    ck_assert_uint_eq(talk_status(t).deadline_us[TIMER_RETRANSMIT], NEVER);
    talk_free(t);
}
END_TEST

/* (2.2), (2.3), MUST-18: two samples, computed by hand. */
START_TEST(rto_follows_the_formulas)
{
    struct talk *t = with_rtt_of_100_ms(NULL, "mss 1460");

    ck_assert_uint_eq(talk_status(t).srtt_us, 100000);
    ck_assert_uint_eq(talk_status(t).rttvar_us, 50000);
    ck_assert_uint_eq(talk_status(t).rto_us, 300000);
    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    time_passes_ms(t, 200);
    peer_sends(t, ". 1:1(0) ack 11");
    ck_assert_uint_eq(talk_status(t).rttvar_us, 62500); /* 3/4 * 50 + 1/4 * |100 - 200| */
    ck_assert_uint_eq(talk_status(t).srtt_us, 112500);  /* 7/8 * 100 + 1/8 * 200 */
    ck_assert_uint_eq(talk_status(t).rto_us, 362500);   /* SRTT + 4 * RTTVAR */
    talk_free(t);
}
END_TEST

/* Departure from (2.4): 200 ms. */
START_TEST(rto_has_a_lower_bound)
{
    struct talk *t = talk_established("mss 1460"); /* in no time */

    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    ck_assert_uint_eq(time_until_we_send_us(t, 10000), 200000);
    we_send(t, "P. 1:11(10) ack 1");
    talk_free(t);
}
END_TEST

/* Section 3 (Karn, MUST-18), and the back-off stays until there is a valid sample. */
START_TEST(segment_sent_twice_gives_no_sample_and_keeps_the_back_off)
{
    struct talk *t = with_rtt_of_100_ms(NULL, "mss 1460");

    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    time_passes_ms(t, 300);
    we_send(t, "P. 1:11(10) ack 1");
    time_passes_ms(t, 5);
    peer_sends(t, ". 1:1(0) ack 11");
    ck_assert_uint_eq(talk_status(t).srtt_us, 100000);
    app_writes(t, 10);
    we_send(t, "P. 11:21(10) ack 1");
    ck_assert_uint_eq(time_until_we_send_us(t, 10000), 600000);
    we_send(t, "P. 11:21(10) ack 1");
    talk_free(t);
}
END_TEST

/* RFC 7323 4.1: the echo tells which transmission is meant. */
START_TEST(timestamps_give_a_sample_even_then)
{
    struct talk *t = with_rtt_of_100_ms(NULL, "mss 1460,TS val 0 ecr 0");

    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1 <TS val 100 ecr 0>");
    time_passes_ms(t, 300);
    we_send(t, "P. 1:11(10) ack 1 <TS val 400 ecr 0>");
    time_passes_ms(t, 100);
    peer_sends(t, ". 1:1(0) ack 11 <TS val 1 ecr 400>");
    ck_assert_uint_eq(talk_status(t).srtt_us, 100000);
    ck_assert_uint_eq(talk_status(t).backoff_count, 0);
    ck_assert_uint_eq(talk_status(t).rttvar_us, 37500);
    talk_free(t);
}
END_TEST

/* (5.7), and RFC 5681 3.1: a lost SYN means 3 s and an initial window of one segment. */
START_TEST(after_a_lost_syn_rto_is_three_seconds_and_the_window_one_segment)
{
    struct talk *t = talk_in_state(TCPS_SYN_SENT);

    time_passes_ms(t, 1000);
    we_send(t, "S 0:0(0)");
    peer_sends(t, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
    we_send(t, ". 1:1(0) ack 1");
    app_writes(t, 3 * MSS);
    we_send(t, ". 1:1461(1460) ack 1");
    we_send_nothing(t);
    ck_assert_uint_eq(time_until_we_send_us(t, 10000), 3000000);
    we_send(t, ". 1:1461(1460) ack 1");
    talk_free(t);
}
END_TEST

/* A segment sent again is as fresh as any: acknowledgment, window, timestamps. */
START_TEST(retransmission_carries_the_latest_acknowledgment)
{
    struct talk *t = with_rtt_of_100_ms(NULL, "mss 1460");

    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    peer_sends(t, "P. 1:101(100) ack 1");
    time_passes_ms(t, 100);
    we_send(t, ". 11:11(0) ack 101");
    time_passes_ms(t, 200);
    we_send(t, "P. 1:11(10) ack 101");
    talk_free(t);
}
END_TEST

/* 9293 3.8.3 (e), SHLD-9, SHLD-10: after three retransmissions. */
START_TEST(r1_is_reported_once_and_the_connection_goes_on)
{
    struct talk *t = with_rtt_of_100_ms(NULL, "mss 1460");

    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    for (int i = 0; i < 6; i++) {
        ck_assert_uint_ne(time_until_we_send_us(t, 100000), UINT64_MAX);
        we_send(t, "P. 1:11(10) ack 1");
        ck_assert_uint_eq(t->events[TRACE_ERROR], i + 1 < 3 ? 0 : 1);
    }
    state_is(t, TCPS_ESTABLISHED);
    peer_sends(t, ". 1:1(0) ack 11");
    state_is(t, TCPS_ESTABLISHED);
    talk_free(t);
}
END_TEST

/* MUST-22: R1 and R2 are the SYN's as well, and the application hears of both. */
START_TEST(r1_of_a_syn_is_reported_too)
{
    struct talk *t = talk_in_state(TCPS_SYN_SENT);

    for (int i = 0; i < 6; i++) {
        ck_assert_uint_ne(time_until_we_send_us(t, 100000), UINT64_MAX);
        we_send(t, "S 0:0(0)");
        ck_assert_uint_eq(t->events[TRACE_ERROR], i + 1 < 3 ? 0 : 1);
    }
    state_is(t, TCPS_SYN_SENT);
    time_passes_ms(t, 180000);
    state_is(t, TCPS_CLOSED);
    ck_assert_uint_eq(t->events[TRACE_ERROR], 2);
    t->sent_first = t->sent_count = 0;
    talk_free(t);
}
END_TEST

/* 9293 3.8.3 (c), SHLD-11: at least 100 s; by default as long as Linux takes, a quarter of an hour.
 */
START_TEST(r2_ends_the_connection_after_fifteen_minutes)
{
    struct talk *t = with_rtt_of_100_ms(NULL, "mss 1460");

    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    uint64_t begin_us = t->now_us;
    while (t->state == TCPS_ESTABLISHED && t->now_us - begin_us < 2000000000) {
        ck_assert_uint_ne(time_until_we_send_us(t, 100000), UINT64_MAX);
        if (t->state == TCPS_ESTABLISHED)
            we_send(t, "P. 1:11(10) ack 1");
    }
    we_send(t, "R. 11:11(0) ack 1");
    ck_assert_uint_ge(t->now_us - begin_us, 900000000);
    ck_assert_uint_le(t->now_us - begin_us, 960000000);
    ck_assert_int_eq(tcp_error(t->tcb), TCP_ERR_TIMED_OUT);
    talk_free(t);
}
END_TEST

/* MUST-21: the application sets R2, "infinity" included. */
START_TEST(r2_is_the_applications_to_set)
{
    struct stack_config config = talk_config();
    bool is_infinite = _i == 1;

    config.tcp.r2_us = is_infinite ? UINT64_MAX : 2000000;
    struct talk *t = with_rtt_of_100_ms(&config, "mss 1460");
    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    for (int i = 0; i < (is_infinite ? 100 : 3); i++) { /* 0.3, 0.9, 2.1 s */
        ck_assert_uint_ne(time_until_we_send_us(t, 100000), UINT64_MAX);
        if (t->state != TCPS_CLOSED)
            we_send(t, "P. 1:11(10) ack 1");
    }
    if (!is_infinite)
        we_send(t, "R. 11:11(0) ack 1");
    state_is(t, is_infinite ? TCPS_ESTABLISHED : TCPS_CLOSED);
    talk_free(t);
}
END_TEST

/* R2 counts from the first transmission without an answer, not from the last progress of all. */
START_TEST(progress_begins_r2_anew)
{
    struct stack_config config = talk_config();

    config.tcp.r2_us = 2000000;
    struct talk *t = with_rtt_of_100_ms(&config, "mss 1460");
    for (uint32_t at = 1; at < 101; at += 10) { /* each segment is acknowledged after 1.8 s */
        app_writes(t, 10);
        we_send(t, segment("P. %u:%u(10) ack 1", at, at + 10));
        time_passes_ms(t, 1800);
        t->sent_count = 0; /* what was sent again meanwhile */
        t->sent_first = 0;
        peer_sends(t, segment(". 1:1(0) ack %u", at + 10));
        time_passes_ms(t, 5000);
        state_is(t, TCPS_ESTABLISHED);
    }
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, syn_is_sent_again_for_three_minutes_with_doubling_waits);
    tcase_add_test(tc, syn_ack_is_sent_again_five_times_with_doubling_waits);
    tcase_add_test(tc, handshake_goes_on_after_a_lost_syn_ack);
    tcase_add_test(tc, data_is_sent_again_after_the_rto_with_doubling_waits);
    tcase_add_test(tc, fin_is_sent_again);
    tcase_add_test(tc, fin_with_data_is_sent_again_with_both);
    tcase_add_test(tc, time_out_sends_the_first_segment_alone);
    tcase_add_test(tc, ack_of_new_data_restarts_the_timer);
    tcase_add_test(tc, nothing_is_sent_again_when_all_is_acknowledged);
    tcase_add_test(tc, rto_follows_the_formulas);
    tcase_add_test(tc, rto_has_a_lower_bound);
    tcase_add_test(tc, segment_sent_twice_gives_no_sample_and_keeps_the_back_off);
    tcase_add_test(tc, timestamps_give_a_sample_even_then);
    tcase_add_test(tc, after_a_lost_syn_rto_is_three_seconds_and_the_window_one_segment);
    tcase_add_test(tc, retransmission_carries_the_latest_acknowledgment);
    tcase_add_test(tc, r1_of_a_syn_is_reported_too);
    tcase_add_test(tc, r1_is_reported_once_and_the_connection_goes_on);
    tcase_add_test(tc, r2_ends_the_connection_after_fifteen_minutes);
    tcase_add_loop_test(tc, r2_is_the_applications_to_set, 0, 2);
    tcase_add_test(tc, progress_begins_r2_anew);
}

int main(void)
{
    return unit_main("retransmission", tests);
}
