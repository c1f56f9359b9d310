/* Closing: RFC 9293 3.6 (both orders, simultaneous, half-close), 3.10.4 CLOSE, 3.10.5 ABORT,
 * TIME-WAIT (3.4.2, 3.6.1) and what is said about data that nobody will read. */
#include "talk.h"

enum { TWO_MSL_MS = 60000, FIN_WAIT_2_MS = 60000 };

/* 3.6 figure 12. */
START_TEST(we_close_first_and_wait_two_msl)
{
    struct talk *t = talk_in_state(TCPS_ESTABLISHED);

    tcp_close(t->tcb);
    we_send(t, "F. 1:1(0) ack 1");
    peer_sends(t, ". 1:1(0) ack 2");
    peer_sends(t, "F. 1:1(0) ack 2");
    we_send(t, ". 2:2(0) ack 2");
    path_is(t, "CLOSED SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT");
    time_passes_ms(t, TWO_MSL_MS - 1); /* MUST-13 */
    state_is(t, TCPS_TIME_WAIT);
    time_passes_ms(t, 1);
    state_is(t, TCPS_CLOSED);
    talk_free(t);
}
END_TEST

/* MUST-12: the application is told that it was the peer, and in order. */
START_TEST(peer_closes_first_and_nothing_is_waited_for)
{
    struct talk *t = talk_in_state(TCPS_ESTABLISHED);

    peer_sends(t, "F. 1:1(0) ack 1");
    we_send(t, ". 1:1(0) ack 2");
    ck_assert(tcp_readiness(t->tcb) & TCP_PEER_CLOSED);
    tcp_close(t->tcb);
    we_send(t, "F. 1:1(0) ack 2");
    peer_sends(t, ". 2:2(0) ack 2");
    path_is(t, "CLOSED SYN-SENT ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED");
    peer_sends(t, ". 2:2(0) ack 2"); /* nobody knows it any more */
    we_send(t, "R 2:2(0)");
    talk_free(t);
}
END_TEST

/* 3.6 figure 13. */
START_TEST(simultaneous_close_goes_through_closing)
{
    struct talk *t = talk_in_state(TCPS_FIN_WAIT_1);

    peer_sends(t, "F. 1:1(0) ack 1");
    we_send(t, ". 2:2(0) ack 2");
    peer_sends(t, ". 2:2(0) ack 2");
    path_is(t, "CLOSED SYN-SENT ESTABLISHED FIN-WAIT-1 CLOSING TIME-WAIT");
    talk_free(t);
}
END_TEST

START_TEST(fin_that_acknowledges_ours_skips_fin_wait_2_on_the_wire)
{
    struct talk *t = talk_in_state(TCPS_FIN_WAIT_1);

    peer_sends(t, "F. 1:1(0) ack 2");
    we_send(t, ". 2:2(0) ack 2");
    path_is(t, "CLOSED SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT");
    talk_free(t);
}
END_TEST

/* 3.6 case 1: after our FIN we go on receiving. */
START_TEST(half_close_still_receives)
{
    struct talk *t = talk_in_state(TCPS_FIN_WAIT_2);

    ck_assert(tcp_readiness(t->tcb) & TCP_FINISHED);
    ck_assert_int_eq(tcp_send(t->tcb, (const uint8_t *)"x", 1), TCP_ERR_CLOSING);
    ck_assert_int_eq(tcp_shutdown(t->tcb), TCP_ERR_CLOSING);
    peer_sends(t, "P. 1:1001(1000) ack 2");
    app_reads(t, 1000);
    time_passes_ms(t, 500);
    we_send(t, ". 2:2(0) ack 1001");
    peer_sends(t, "FP. 1001:1011(10) ack 2");
    we_send(t, ". 2:2(0) ack 1012");
    app_reads(t, 10);
    app_reads(t, 0);
    state_is(t, TCPS_TIME_WAIT);
    talk_free(t);
}
END_TEST

/* 3.6 case 2: after the peer's FIN we go on sending. */
START_TEST(close_wait_still_sends)
{
    struct talk *t = talk_in_state(TCPS_CLOSE_WAIT);

    app_writes(t, 1000);
    we_send(t, "P. 1:1001(1000) ack 2");
    peer_sends(t, ". 2:2(0) ack 1001");
    tcp_close(t->tcb);
    we_send(t, "F. 1001:1001(0) ack 2");
    talk_free(t);
}
END_TEST

/* 3.10.4: CLOSE is an orderly end: what was accepted is sent first. */
START_TEST(fin_follows_everything_that_was_written)
{
    struct talk *t = talk_in_state(TCPS_ESTABLISHED);

    app_writes(t, 3000);
    we_send(t, ". 1:1461(1460) ack 1");
    we_send(t, ". 1461:2921(1460) ack 1");
    tcp_close(t->tcb);
    we_send(t, "FP. 2921:3001(80) ack 1");
    we_send_nothing(t);
    peer_sends(t, ". 1:1(0) ack 3002");
    state_is(t, TCPS_FIN_WAIT_2);
    talk_free(t);
}
END_TEST

/* An application that is gone does not wait for a FIN that never comes. */
START_TEST(fin_wait_2_of_a_closed_connection_ends)
{
    struct talk *t = talk_in_state(TCPS_FIN_WAIT_1);

    tcp_close(t->tcb);
    peer_sends(t, ". 1:1(0) ack 2");
    state_is(t, TCPS_FIN_WAIT_2);
    time_passes_ms(t, FIN_WAIT_2_MS - 1);
    state_is(t, TCPS_FIN_WAIT_2);
    time_passes_ms(t, 1);
    state_is(t, TCPS_CLOSED);
    talk_free(t);
}
END_TEST

START_TEST(fin_wait_2_of_a_half_closed_connection_does_not_end)
{
    struct talk *t = talk_in_state(TCPS_FIN_WAIT_2);

    time_passes_ms(t, 24 * 3600 * 1000);
    state_is(t, TCPS_FIN_WAIT_2);
    tcp_close(t->tcb);
    time_passes_ms(t, FIN_WAIT_2_MS);
    state_is(t, TCPS_CLOSED);
    talk_free(t);
}
END_TEST

/* ---- FIN out of order */

START_TEST(fin_before_its_text_waits_for_it)
{
    struct talk *t = talk_in_state(TCPS_ESTABLISHED);

    peer_sends(t, "FP. 11:21(10) ack 1");
    we_send(t, ". 1:1(0) ack 1");
    state_is(t, TCPS_ESTABLISHED);
    peer_sends(t, "P. 1:11(10) ack 1");
    we_send(t, ". 1:1(0) ack 22");
    state_is(t, TCPS_CLOSE_WAIT);
    app_reads(t, 20);
    app_reads(t, 0);
    talk_free(t);
}
END_TEST

START_TEST(lone_fin_before_its_text_waits_for_it)
{
    struct talk *t = talk_in_state(TCPS_ESTABLISHED);

    peer_sends(t, "F. 11:11(0) ack 1");
    we_send(t, ". 1:1(0) ack 1");
    peer_sends(t, "P. 1:11(10) ack 1");
    we_send(t, ". 1:1(0) ack 12");
    state_is(t, TCPS_CLOSE_WAIT);
    talk_free(t);
}
END_TEST

START_TEST(fin_outside_the_window_is_not_taken)
{
    struct talk *t = talk_in_state(TCPS_ESTABLISHED);

    peer_sends(t, "F. 70000:70000(0) ack 1");
    we_send(t, ". 1:1(0) ack 1");
    state_is(t, TCPS_ESTABLISHED);
    talk_free(t);
}
END_TEST

/* ---- TIME-WAIT */

/* 3.10.7.4 first and eighth: the peer has missed our last ACK. */
START_TEST(repeated_fin_in_time_wait_is_acknowledged_and_starts_two_msl_again)
{
    struct talk *t = talk_in_state(TCPS_TIME_WAIT);

    tcp_close(t->tcb);
    time_passes_ms(t, TWO_MSL_MS - 1000);
    peer_sends(t, "F. 1:1(0) ack 2");
    we_send(t, ". 2:2(0) ack 2");
    time_passes_ms(t, TWO_MSL_MS - 1);
    state_is(t, TCPS_TIME_WAIT);
    time_passes_ms(t, 1);
    state_is(t, TCPS_CLOSED);
    talk_free(t);
}
END_TEST

/* RFC 1337: time-wait assassination. */
START_TEST(old_duplicates_do_not_end_or_prolong_time_wait)
{
    struct talk *t = talk_in_state(TCPS_TIME_WAIT);

    tcp_close(t->tcb);
    time_passes_ms(t, TWO_MSL_MS - 1000);
    peer_sends(t, "P. 1:1(0) ack 1"); /* an old duplicate draws an ACK ... */
    we_send(t, ". 2:2(0) ack 2");
    peer_sends(t, "R 2:2(0)"); /* ... which the peer, knowing nothing, resets */
    state_is(t, TCPS_TIME_WAIT);
    time_passes_ms(t, 1000);
    state_is(t, TCPS_CLOSED);
    talk_free(t);
}
END_TEST

/* A connection from a listener to TIME-WAIT, closed by us. */
static struct talk *in_time_wait_with_listener(const char *options)
{
    struct talk *t = talk_new(NULL);
    bool has_ts = strstr(options, "TS ") != NULL;
    const char *ts = has_ts ? "<TS val 100 ecr 0>" : "";

    talk_accept(t, options);
    tcp_close(t->tcb);
    we_send(t, "F. 1:1(0) ack 1");
    peer_sends(t, segment("F. 1:1(0) ack 2 win 65535 %s", ts));
    we_send(t, ". 2:2(0) ack 2");
    state_is(t, TCPS_TIME_WAIT);
    return t;
}

/* MAY-2, 3.6.1: and our new numbers begin above all that the old connection has used. */
START_TEST(syn_with_a_higher_number_begins_a_new_connection_over_time_wait)
{
    struct talk *t = in_time_wait_with_listener("mss 1460");
    uint32_t old_snd_nxt = t->iss + 2;

    t->irs += 1000;
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    ck_assert_uint_eq(t->sent_count, 1);
    const uint8_t *tcp = t->sent[t->sent_first].bytes + 20;
    uint32_t iss = (uint32_t)tcp[4] << 24 | (uint32_t)tcp[5] << 16 | (uint32_t)tcp[6] << 8 | tcp[7];
    ck_assert_msg((int32_t)(iss - old_snd_nxt) >= 0, "the ISS lies %d before SND.NXT",
                  (int32_t)(old_snd_nxt - iss));
    t->iss = iss;
    we_send(t, "S. 0:0(0) ack 1");
    state_is(t, TCPS_SYN_RECEIVED);
    peer_sends(t, ". 1:1(0) ack 1");
    state_is(t, TCPS_ESTABLISHED);
    talk_free(t);
}
END_TEST

START_TEST(syn_with_an_old_number_does_not_disturb_time_wait)
{
    struct talk *t = in_time_wait_with_listener("mss 1460");

    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    we_send(t, ". 2:2(0) ack 2");
    state_is(t, TCPS_TIME_WAIT);
    talk_free(t);
}
END_TEST

/* SHLD-4, MAY-2, RFC 6191 section 2. TS.Recent is 100, RCV.NXT 2. */
START_TEST(syn_in_time_wait_is_judged_by_its_timestamp)
{
    static const struct {
        const char *syn;
        bool is_taken;
    } rows[] = {
        {"S -5000:-5000(0) win 65535 <mss 1460,TS val 101 ecr 0>", true},
        {"S 5000:5000(0) win 65535 <mss 1460,TS val 101 ecr 0>", true},
        {"S 5000:5000(0) win 65535 <mss 1460,TS val 100 ecr 0>", true},
        {"S -5000:-5000(0) win 65535 <mss 1460,TS val 100 ecr 0>", false},
        {"S 5000:5000(0) win 65535 <mss 1460,TS val 99 ecr 0>", false},
    };
    struct talk *t = in_time_wait_with_listener("mss 1460,TS val 0 ecr 0");

    t->title = rows[_i].syn;
    peer_sends(t, rows[_i].syn);
    state_is(t, rows[_i].is_taken ? TCPS_SYN_RECEIVED : TCPS_TIME_WAIT);
    ck_assert_uint_eq(t->sent_count, 1);
    t->sent_count = 0;
    talk_free(t);
}
END_TEST

/* 3.10.1: while 2 MSL run the four-tuple is taken, for us too. */
START_TEST(active_open_over_time_wait_is_refused)
{
    struct talk *t = talk_in_state(TCPS_TIME_WAIT);
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);
    enum tcp_err error = TCP_OK;

    tcp_close(t->tcb);
    ck_assert_ptr_null(
        tcp_open_active(t->stack, NULL, t->our_port, &peer, t->peer_port, NULL, &error));
    ck_assert_int_eq(error, TCP_ERR_EXISTS);
    time_passes_ms(t, TWO_MSL_MS);
    ck_assert_ptr_nonnull(
        tcp_open_active(t->stack, NULL, t->our_port, &peer, t->peer_port, NULL, &error));
    we_send(t, "S 0:0(0)");
    talk_free(t);
}
END_TEST

/* ---- ABORT and data that nobody reads */

/* 3.10.5. */
START_TEST(abort_resets_where_the_peer_still_listens)
{
    static const struct {
        enum tcp_state state;
        bool is_reset;
    } rows[] = {
        {TCPS_SYN_SENT, false},  {TCPS_ESTABLISHED, true}, {TCPS_FIN_WAIT_1, true},
        {TCPS_FIN_WAIT_2, true}, {TCPS_CLOSE_WAIT, true},  {TCPS_CLOSING, false},
        {TCPS_LAST_ACK, false},  {TCPS_TIME_WAIT, false},
    };
    enum tcp_state state = rows[_i].state;
    struct talk *t = talk_in_state(state);
    uint32_t nxt = talk_snd_nxt(state);

    t->title = tcp_state_name(state);
    tcp_abort(t->tcb);
    if (rows[_i].is_reset)
        we_send(t, segment("R. %u:%u(0) ack %u", nxt, nxt, talk_rcv_nxt(state)));
    we_send_nothing(t);
    state_is(t, TCPS_CLOSED);
    time_passes_ms(t, 200000);
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* 3.6.1, SHLD-3. */
START_TEST(close_with_data_unread_resets)
{
    struct talk *t = talk_in_state(TCPS_ESTABLISHED);

    peer_sends(t, "P. 1:11(10) ack 1");
    tcp_close(t->tcb);
    we_send(t, "R. 1:1(0) ack 11");
    state_is(t, TCPS_CLOSED);
    talk_free(t);
}
END_TEST

/* The FIN alone is nothing unread. */
START_TEST(close_with_everything_read_is_orderly)
{
    struct talk *t = talk_in_state(TCPS_ESTABLISHED);

    peer_sends(t, "FP. 1:11(10) ack 1");
    we_send(t, ". 1:1(0) ack 12");
    app_reads(t, 10);
    tcp_close(t->tcb);
    we_send(t, "F. 1:1(0) ack 12");
    state_is(t, TCPS_LAST_ACK);
    talk_free(t);
}
END_TEST

/* 3.6.1, SHLD-3, MAY-1: in FIN-WAIT-1 and FIN-WAIT-2, in order or not. */
START_TEST(data_after_close_resets)
{
    static const struct {
        enum tcp_state state;
        const char *text;
        uint32_t ack;
    } rows[] = {
        {TCPS_FIN_WAIT_1, "P. 1:11(10) ack 1", 1},    {TCPS_FIN_WAIT_1, "P. 1:11(10) ack 2", 1},
        {TCPS_FIN_WAIT_2, "P. 1:11(10) ack 2", 1},    {TCPS_FIN_WAIT_2, "FP. 1:11(10) ack 2", 1},
        {TCPS_FIN_WAIT_2, "P. 101:111(10) ack 2", 1},
    };
    struct talk *t = talk_in_state(rows[_i].state);

    tcp_close(t->tcb);
    peer_sends(t, rows[_i].text);
    we_send(t, segment("R. 2:2(0) ack %u", rows[_i].ack));
    state_is(t, TCPS_CLOSED);
    talk_free(t);
}
END_TEST

START_TEST(old_data_after_close_is_only_acknowledged)
{
    struct talk *t = talk_in_state(TCPS_ESTABLISHED);

    peer_sends(t, "P. 1:11(10) ack 1");
    app_reads(t, 10);
    tcp_close(t->tcb);
    we_send(t, "F. 1:1(0) ack 11");
    peer_sends(t, "P. 1:11(10) ack 2");
    we_send(t, ". 2:2(0) ack 11");
    state_is(t, TCPS_FIN_WAIT_1); /* the segment is not acceptable, so its ACK does not count */
    talk_free(t);
}
END_TEST

/* MUST-12: an abort is told from an end. 9293 leaves open what becomes of text that has arrived and
 * was not read yet; tcp.h promises it. */
START_TEST(bytes_before_a_reset_are_readable)
{
    struct talk *t = talk_in_state(TCPS_ESTABLISHED);

    peer_sends(t, "P. 1:11(10) ack 1");
    peer_sends(t, "R 11:11(0)");
    state_is(t, TCPS_CLOSED);
    app_reads(t, 10);
    uint8_t byte;
    ck_assert_int_eq(tcp_receive(t->tcb, &byte, 1), TCP_ERR_RESET);
    ck_assert_int_eq(tcp_send(t->tcb, &byte, 1), TCP_ERR_RESET);
    ck_assert_int_eq(tcp_shutdown(t->tcb), TCP_ERR_RESET);
    tcp_close(t->tcb);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, we_close_first_and_wait_two_msl);
    tcase_add_test(tc, peer_closes_first_and_nothing_is_waited_for);
    tcase_add_test(tc, simultaneous_close_goes_through_closing);
    tcase_add_test(tc, fin_that_acknowledges_ours_skips_fin_wait_2_on_the_wire);
    tcase_add_test(tc, half_close_still_receives);
    tcase_add_test(tc, close_wait_still_sends);
    tcase_add_test(tc, fin_follows_everything_that_was_written);
    tcase_add_test(tc, fin_wait_2_of_a_closed_connection_ends);
    tcase_add_test(tc, fin_wait_2_of_a_half_closed_connection_does_not_end);
    tcase_add_test(tc, fin_before_its_text_waits_for_it);
    tcase_add_test(tc, lone_fin_before_its_text_waits_for_it);
    tcase_add_test(tc, fin_outside_the_window_is_not_taken);
    tcase_add_test(tc, repeated_fin_in_time_wait_is_acknowledged_and_starts_two_msl_again);
    tcase_add_test(tc, old_duplicates_do_not_end_or_prolong_time_wait);
    tcase_add_test(tc, syn_with_a_higher_number_begins_a_new_connection_over_time_wait);
    tcase_add_test(tc, syn_with_an_old_number_does_not_disturb_time_wait);
    tcase_add_loop_test(tc, syn_in_time_wait_is_judged_by_its_timestamp, 0, 5);
    tcase_add_test(tc, active_open_over_time_wait_is_refused);
    tcase_add_loop_test(tc, abort_resets_where_the_peer_still_listens, 0, 8);
    tcase_add_test(tc, close_with_data_unread_resets);
    tcase_add_test(tc, close_with_everything_read_is_orderly);
    tcase_add_loop_test(tc, data_after_close_resets, 0, 5);
    tcase_add_test(tc, old_data_after_close_is_only_acknowledged);
    tcase_add_test(tc, bytes_before_a_reset_are_readable);
}

int main(void)
{
    return unit_main("close", tests);
}
