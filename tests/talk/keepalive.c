/* Keep-alives, RFC 9293 3.8.4: when a silent peer is asked, when not, and what its silence means.
 */
#include "talk.h"

enum { HOUR_MS = 3600000, IDLE_MS = 20000, INTERVAL_MS = 5000, PROBES = 3 };

/* ESTABLISHED; probes after 20 s of silence, then every 5 s, 3 of them. */
static struct stack_config watchful(void)
{
    struct stack_config config = talk_config();

    config.tcp.keepalive = true;
    config.tcp.keepalive_idle_us = IDLE_MS * 1000ull;
    config.tcp.keepalive_interval_us = INTERVAL_MS * 1000ull;
    config.tcp.keepalive_count = PROBES;
    return config;
}

static struct talk *established_with(struct stack_config config)
{
    struct talk *t = talk_new(&config);

    talk_establish(t, "mss 1460");
    return t;
}

static void we_wait(struct talk *t, uint64_t ms, const char *text, int line)
{
    uint64_t wait_us = time_until_we_send_us(t, 10ull * HOUR_MS);

    if (wait_us != ms * 1000)
        talk_fail(t, __FILE__, line, "%s after %llu us", text, (unsigned long long)wait_us);
    we_send_at(t, text, __FILE__, line);
}
#define after_ms_we_send(t, ms, text) we_wait(t, ms, text, __LINE__)

/* MUST-25 */
START_TEST(silence_is_left_alone_by_default)
{
    struct talk *t = talk_established("mss 1460");

    time_passes_ms(t, 100ull * HOUR_MS);
    we_send_nothing(t);
    state_is(t, TCPS_ESTABLISHED);
    talk_free(t);
}
END_TEST

/* MAY-5, MUST-28; SHLD-12: SEG.SEQ is SND.NXT-1, and there is no data. */
START_TEST(switched_on_it_probes_after_two_hours)
{
    struct talk *t = talk_established("mss 1460");

    tcp_set_keepalive(t->tcb, true); /* MUST-24 */
    after_ms_we_send(t, 2 * HOUR_MS, ". 0:0(0) ack 1");
    after_ms_we_send(t, 75000, ". 0:0(0) ack 1");
    peer_sends(t, ". 1:1(0) ack 1");
    after_ms_we_send(t, 2 * HOUR_MS, ". 0:0(0) ack 1");
    talk_free(t);
}
END_TEST

/* MUST-27: the interval is the configuration's. */
START_TEST(answered_probes_keep_the_connection_for_ever)
{
    struct talk *t = established_with(watchful());

    for (int i = 0; i < 100; i++) {
        after_ms_we_send(t, IDLE_MS, ". 0:0(0) ack 1");
        peer_sends(t, ". 1:1(0) ack 1");
        we_send_nothing(t);
    }
    state_is(t, TCPS_ESTABLISHED);
    talk_free(t);
}
END_TEST

/* The interval may be the longer one: an answer brings the short one back. */
START_TEST(answer_shortens_the_wait_for_the_next_probe)
{
    struct stack_config config = watchful();
    struct talk *t;

    config.tcp.keepalive_interval_us = 60000000;
    t = established_with(config);
    after_ms_we_send(t, IDLE_MS, ". 0:0(0) ack 1");
    after_ms_we_send(t, 60000, ". 0:0(0) ack 1");
    peer_sends(t, ". 1:1(0) ack 1");
    after_ms_we_send(t, IDLE_MS, ". 0:0(0) ack 1");
    talk_free(t);
}
END_TEST

static void silence_ends(struct talk *t, unsigned probe_count)
{
    for (unsigned i = 0; i < probe_count; i++)
        after_ms_we_send(t, i == 0 ? IDLE_MS : INTERVAL_MS, ". 0:0(0) ack 1");
    state_is(t, TCPS_ESTABLISHED);
    after_ms_we_send(t, INTERVAL_MS, "R. 1:1(0) ack 1");
    state_is(t, TCPS_CLOSED);
    ck_assert_int_eq(tcp_error(t->tcb), TCP_ERR_TIMED_OUT);
    time_passes_ms(t, HOUR_MS);
    talk_free(t);
}

START_TEST(unanswered_probes_end_the_connection)
{
    silence_ends(established_with(watchful()), PROBES);
}
END_TEST

/* MUST-29, whatever the configuration says. */
START_TEST(one_unanswered_probe_never_ends_the_connection)
{
    struct stack_config config = watchful();

    config.tcp.keepalive_count = (unsigned)_i;
    silence_ends(established_with(config), 2);
}
END_TEST

START_TEST(late_answer_forgives_the_probes_before_it)
{
    struct talk *t = established_with(watchful());

    for (int i = 0; i < PROBES; i++)
        after_ms_we_send(t, i == 0 ? IDLE_MS : INTERVAL_MS, ". 0:0(0) ack 1");
    time_passes_ms(t, INTERVAL_MS - 1);
    peer_sends(t, ". 1:1(0) ack 1");
    silence_ends(t, PROBES);
}
END_TEST

START_TEST(reset_in_answer_to_a_probe_ends_the_connection)
{
    struct talk *t = established_with(watchful());

    after_ms_we_send(t, IDLE_MS, ". 0:0(0) ack 1");
    peer_sends(t, "R 1:1(0)");
    ck_assert_int_eq(tcp_error(t->tcb), TCP_ERR_RESET);
    time_passes_ms(t, HOUR_MS);
    talk_free(t);
}
END_TEST

/* MAY-6 */
START_TEST(garbage_octet_is_sent_if_configured)
{
    struct stack_config config = watchful();
    struct talk *t;

    config.tcp.keepalive_garbage = true;
    t = established_with(config);
    for (int i = 0; i < 2; i++) {
        after_ms_we_send(t, IDLE_MS, ". 0:1(1) ack 1");
        ck_assert_uint_eq(talk_status(t).snd_nxt - t->iss, 1); /* nothing that has to arrive */
        ck_assert_uint_eq(talk_status(t).deadline_us[TIMER_RETRANSMIT], NEVER);
        peer_sends(t, ". 1:1(0) ack 1");
    }
    talk_free(t);
}
END_TEST

/* ---- MUST-26: not while data is outstanding, nor within the interval */

START_TEST(data_that_arrives_puts_the_probe_off)
{
    struct talk *t = established_with(watchful());

    time_passes_ms(t, IDLE_MS - 1);
    peer_sends(t, "P. 1:11(10) ack 1");
    after_ms_we_send(t, 40, ". 1:1(0) ack 11");
    after_ms_we_send(t, IDLE_MS - 40, ". 0:0(0) ack 11");
    talk_free(t);
}
END_TEST

START_TEST(acknowledgment_that_arrives_puts_the_probe_off)
{
    struct talk *t = established_with(watchful());

    time_passes_ms(t, IDLE_MS - 1);
    peer_sends(t, ". 1:1(0) ack 1 win 5000");
    after_ms_we_send(t, IDLE_MS, ". 0:0(0) ack 1");
    talk_free(t);
}
END_TEST

/* It is answered (3.10.7.4 first), and shows that the peer lives. */
START_TEST(keep_alive_of_the_peer_puts_ours_off)
{
    struct talk *t = established_with(watchful());

    time_passes_ms(t, IDLE_MS - 1);
    peer_sends(t, _i == 0 ? ". 0:0(0) ack 1" : ". 0:1(1) ack 1");
    we_send(t, ". 1:1(0) ack 1");
    after_ms_we_send(t, IDLE_MS, ". 0:0(0) ack 1");
    talk_free(t);
}
END_TEST

/* Else a stranger who guesses the ports could keep a dead connection alive. */
START_TEST(segment_that_acknowledges_what_was_never_sent_puts_nothing_off)
{
    struct talk *t = established_with(watchful());

    time_passes_ms(t, IDLE_MS - 1);
    peer_sends(t, ". 1:1(0) ack 5000");
    we_send(t, ". 1:1(0) ack 1");
    after_ms_we_send(t, 1, ". 0:0(0) ack 1");
    talk_free(t);
}
END_TEST

/* MUST-26: retransmissions and R2 watch the peer then. */
START_TEST(outstanding_data_is_never_joined_by_probes)
{
    struct talk *t = established_with(watchful());

    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    for (int i = 0; i < 10; i++) { /* longer than probes would have waited */
        ck_assert_uint_ne(time_until_we_send_us(t, 200000), UINT64_MAX);
        we_send(t, "P. 1:11(10) ack 1");
        we_send_nothing(t);
    }
    ck_assert_uint_gt(t->now_us - t->start_us, 100000000);
    state_is(t, TCPS_ESTABLISHED);
    peer_sends(t, ". 1:1(0) ack 11");
    after_ms_we_send(t, IDLE_MS, ". 10:10(0) ack 1");
    talk_free(t);
}
END_TEST

/* MUST-26 */
START_TEST(data_behind_a_closed_window_is_never_joined_by_probes)
{
    struct talk *t = established_with(watchful());

    peer_sends(t, ". 1:1(0) ack 1 win 0");
    app_writes(t, 10);
    for (int i = 0; i < 12; i++) { /* zero-window probes alone */
        ck_assert_uint_ne(time_until_we_send_us(t, 200000), UINT64_MAX);
        we_send(t, ". 1:2(1) ack 1");
        we_send_nothing(t);
        peer_sends(t, ". 1:1(0) ack 1 win 0");
    }
    ck_assert_uint_gt(t->now_us - t->start_us, 100000000);
    talk_free(t);
}
END_TEST

/* Before the first window probe nothing is outstanding; but the connection is not idle. */
START_TEST(data_that_waits_for_the_first_window_probe_is_no_idleness)
{
    struct stack_config config = watchful();
    struct talk *t;

    config.tcp.keepalive_idle_us = 50000;
    t = established_with(config);
    peer_sends(t, ". 1:1(0) ack 1 win 0");
    app_writes(t, 10);
    uint64_t wait_us = time_until_we_send_us(t, 10000);
    ck_assert_uint_ge(wait_us, 100000);
    we_send(t, ". 1:2(1) ack 1");
    talk_free(t);
}
END_TEST

START_TEST(data_written_before_a_probe_has_left_takes_its_place)
{
    struct talk *t = established_with(watchful());

    t->is_holding = true;
    time_passes_ms(t, IDLE_MS);
    app_writes(t, 10);
    t->is_holding = false;
    we_send(t, "P. 1:11(10) ack 1");
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* The peer answers a probe without looking at its acknowledgment. */
START_TEST(probe_is_no_acknowledgment)
{
    struct stack_config config = watchful();
    struct talk *t;

    config.tcp.keepalive_idle_us = 15000;
    t = established_with(config);
    peer_sends(t, "P. 1:11(10) ack 1");
    after_ms_we_send(t, 15, ". 0:0(0) ack 11");
    after_ms_we_send(t, 25, ". 1:1(0) ack 11");
    talk_free(t);
}
END_TEST

/* Data written between two probes: what has not been answered so far counts no longer. */
START_TEST(data_ends_a_row_of_probes)
{
    struct talk *t = established_with(watchful());

    for (int i = 0; i < PROBES; i++)
        after_ms_we_send(t, i == 0 ? IDLE_MS : INTERVAL_MS, ". 0:0(0) ack 1");
    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    for (int i = 0; i < 5; i++) {
        ck_assert_uint_ne(time_until_we_send_us(t, 200000), UINT64_MAX);
        we_send(t, "P. 1:11(10) ack 1");
    }
    state_is(t, TCPS_ESTABLISHED);
    peer_sends(t, ". 1:1(0) ack 11");
    talk_free(t);
}
END_TEST

/* ---- MUST-24: on and off */

START_TEST(switched_off_it_stops)
{
    struct talk *t = established_with(watchful());

    for (int i = 0; i < _i; i++)
        after_ms_we_send(t, i == 0 ? IDLE_MS : INTERVAL_MS, ". 0:0(0) ack 1");
    tcp_set_keepalive(t->tcb, false);
    ck_assert_uint_eq(talk_status(t).deadline_us[TIMER_KEEPALIVE], NEVER);
    time_passes_ms(t, HOUR_MS);
    state_is(t, TCPS_ESTABLISHED);
    talk_free(t);
}
END_TEST

START_TEST(switched_on_after_a_long_silence_it_probes_at_once)
{
    struct stack_config config = watchful();
    struct talk *t;

    config.tcp.keepalive = false;
    t = established_with(config);
    time_passes_ms(t, HOUR_MS);
    tcp_set_keepalive(t->tcb, true);
    ck_assert_uint_le(time_until_we_send_us(t, IDLE_MS), 1000);
    we_send(t, ". 0:0(0) ack 1");
    talk_free(t);
}
END_TEST

/* Switching on what is on does not start the count anew. */
START_TEST(switched_on_twice_it_still_gives_up)
{
    struct talk *t = established_with(watchful());

    for (int i = 0; i < PROBES; i++) {
        after_ms_we_send(t, i == 0 ? IDLE_MS : INTERVAL_MS, ". 0:0(0) ack 1");
        tcp_set_keepalive(t->tcb, true);
    }
    after_ms_we_send(t, INTERVAL_MS, "R. 1:1(0) ack 1");
    talk_free(t);
}
END_TEST

START_TEST(switched_on_in_syn_sent_it_begins_when_established)
{
    struct talk *t = talk_new(NULL);

    talk_connect(t);
    tcp_set_keepalive(t->tcb, true);
    ck_assert_uint_eq(talk_status(t).deadline_us[TIMER_KEEPALIVE], NEVER);
    time_passes_ms(t, 500);
    peer_sends(t, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
    we_send(t, ". 1:1(0) ack 1");
    after_ms_we_send(t, 2 * HOUR_MS, ". 0:0(0) ack 1");
    talk_free(t);
}
END_TEST

/* Accepted connections start as the listener is set, by configuration or by the call. */
START_TEST(accepted_connection_follows_its_listener)
{
    struct stack_config config = watchful();
    struct talk *t;

    config.tcp.keepalive = _i == 0;
    t = talk_new(&config);
    talk_listen(t);
    tcp_set_keepalive(t->listener, true);
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    we_send(t, "S. 0:0(0) ack 1");
    peer_sends(t, ". 1:1(0) ack 1 win 65535");
    t->tcb = tcp_accept(t->listener);
    after_ms_we_send(t, IDLE_MS, ". 0:0(0) ack 1");
    talk_free(t);
}
END_TEST

/* ---- states */

/* Half-closed on either side, a connection may last; our FIN in SND.NXT-1 does not matter. */
START_TEST(half_closed_connection_is_probed)
{
    bool we_close = _i == 0;
    struct talk *t = talk_in_state(we_close ? TCPS_FIN_WAIT_2 : TCPS_CLOSE_WAIT);

    tcp_set_keepalive(t->tcb, true);
    after_ms_we_send(t, 2 * HOUR_MS, we_close ? ". 1:1(0) ack 1" : ". 0:0(0) ack 2");
    state_is(t, we_close ? TCPS_FIN_WAIT_2 : TCPS_CLOSE_WAIT);
    talk_free(t);
}
END_TEST

START_TEST(time_wait_is_not_probed)
{
    struct talk *t = established_with(watchful());

    ck_assert_int_eq(tcp_shutdown(t->tcb), TCP_OK);
    we_send(t, "F. 1:1(0) ack 1");
    peer_sends(t, "F. 1:1(0) ack 2");
    we_send(t, ". 2:2(0) ack 2");
    state_is(t, TCPS_TIME_WAIT);
    tcp_set_keepalive(t->tcb, false);
    tcp_set_keepalive(t->tcb, true);
    time_passes_ms(t, HOUR_MS);
    we_send_nothing(t);
    state_is(t, TCPS_CLOSED);
    tcp_set_keepalive(t->tcb, false); /* a handle that is still held may be asked anything */
    tcp_set_keepalive(t->tcb, true);
    time_passes_ms(t, HOUR_MS);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, silence_is_left_alone_by_default);
    tcase_add_test(tc, switched_on_it_probes_after_two_hours);
    tcase_add_test(tc, answered_probes_keep_the_connection_for_ever);
    tcase_add_test(tc, answer_shortens_the_wait_for_the_next_probe);
    tcase_add_test(tc, unanswered_probes_end_the_connection);
    tcase_add_loop_test(tc, one_unanswered_probe_never_ends_the_connection, 0, 2);
    tcase_add_test(tc, late_answer_forgives_the_probes_before_it);
    tcase_add_test(tc, reset_in_answer_to_a_probe_ends_the_connection);
    tcase_add_test(tc, garbage_octet_is_sent_if_configured);
    tcase_add_test(tc, data_that_arrives_puts_the_probe_off);
    tcase_add_test(tc, acknowledgment_that_arrives_puts_the_probe_off);
    tcase_add_loop_test(tc, keep_alive_of_the_peer_puts_ours_off, 0, 2);
    tcase_add_test(tc, segment_that_acknowledges_what_was_never_sent_puts_nothing_off);
    tcase_add_test(tc, outstanding_data_is_never_joined_by_probes);
    tcase_add_test(tc, data_behind_a_closed_window_is_never_joined_by_probes);
    tcase_add_test(tc, data_that_waits_for_the_first_window_probe_is_no_idleness);
    tcase_add_test(tc, data_written_before_a_probe_has_left_takes_its_place);
    tcase_add_test(tc, probe_is_no_acknowledgment);
    tcase_add_test(tc, data_ends_a_row_of_probes);
    tcase_add_loop_test(tc, switched_off_it_stops, 0, 3);
    tcase_add_test(tc, switched_on_after_a_long_silence_it_probes_at_once);
    tcase_add_test(tc, switched_on_twice_it_still_gives_up);
    tcase_add_test(tc, switched_on_in_syn_sent_it_begins_when_established);
    tcase_add_loop_test(tc, accepted_connection_follows_its_listener, 0, 2);
    tcase_add_loop_test(tc, half_closed_connection_is_probed, 0, 2);
    tcase_add_test(tc, time_wait_is_not_probed);
}

int main(void)
{
    return unit_main("keepalive", tests);
}
