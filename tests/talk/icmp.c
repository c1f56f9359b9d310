/* ICMP errors about our segments, RFC 9293 3.9.2.2 with RFC 5927: which end a connection, which are
 * noted, and which are not believed. */
#include "talk.h"

#include "../../stack/wire/icmp.h"

/* MUST-54, SHLD-26: before the handshake is done, port and protocol unreachable are hard. */
START_TEST(hard_error_refuses_a_connection)
{
    static const uint8_t codes[] = {ICMP_UNREACHABLE_PROTOCOL, ICMP_UNREACHABLE_PORT};
    struct talk *t = talk_in_state(TCPS_SYN_SENT);

    router_sends_error(t, ICMP_UNREACHABLE, codes[_i], 0);
    state_is(t, TCPS_CLOSED);
    ck_assert_int_eq(tcp_error(t->tcb), TCP_ERR_UNREACHABLE);
    time_passes_ms(t, 200000);
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* MUST-56: nor Time Exceeded and Parameter Problem abort; MUST-47, SHLD-25: they can be known. */
START_TEST(soft_error_is_noted_and_the_connection_goes_on)
{
    static const struct {
        uint8_t type, code;
    } rows[] = {
        {ICMP_UNREACHABLE, ICMP_UNREACHABLE_NET},
        {ICMP_UNREACHABLE, ICMP_UNREACHABLE_HOST},
        {ICMP_UNREACHABLE, ICMP_UNREACHABLE_SOURCE_ROUTE},
        {ICMP_TIME_EXCEEDED, ICMP_TIME_EXCEEDED_TRANSIT},
        {ICMP_TIME_EXCEEDED, ICMP_TIME_EXCEEDED_REASSEMBLY},
        {ICMP_PARAMETER_PROBLEM, 0},
    };
    struct talk *t = talk_in_state(TCPS_SYN_SENT);

    router_sends_error(t, rows[_i].type, rows[_i].code, 0);
    state_is(t, TCPS_SYN_SENT);
    ck_assert_int_eq(talk_status(t).soft_error, TCP_ERR_UNREACHABLE);
    ck_assert_uint_eq(t->events[TRACE_ERROR], 1);
    ck_assert_int_eq(tcp_error(t->tcb), TCP_OK);
    time_passes_ms(t, 1000);
    we_send(t, "S 0:0(0)");
    peer_sends(t, "S. 0:0(0) ack 1 <mss 1460>");
    we_send(t, ". 1:1(0) ack 1");
    talk_free(t);
}
END_TEST

/* Departure from SHLD-26, RFC 5927 5.2: an established connection survives hard ones too. */
START_TEST(hard_error_is_soft_once_established)
{
    struct talk *t = talk_in_state(TCPS_ESTABLISHED);

    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    router_sends_error(t, ICMP_UNREACHABLE, ICMP_UNREACHABLE_PORT, 1);
    state_is(t, TCPS_ESTABLISHED);
    ck_assert_int_eq(talk_status(t).soft_error, TCP_ERR_UNREACHABLE);
    peer_sends(t, ". 1:1(0) ack 11");
    talk_free(t);
}
END_TEST

/* RFC 5927 4.1: whoever guesses the ports has still to guess a number in flight. */
START_TEST(error_about_what_is_not_in_flight_is_not_believed)
{
    static const uint32_t seqs[] = {1, 5000, (uint32_t)-1, 0x80000000};
    struct talk *t = talk_in_state(TCPS_SYN_SENT);

    router_sends_error(t, ICMP_UNREACHABLE, ICMP_UNREACHABLE_PORT, seqs[_i]);
    state_is(t, TCPS_SYN_SENT);
    ck_assert_int_eq(talk_status(t).soft_error, TCP_OK);
    talk_free(t);
}
END_TEST

/* MUST-55 */
START_TEST(source_quench_is_discarded)
{
    struct talk *t = talk_in_state(TCPS_SYN_SENT);

    router_sends_error(t, ICMP_SOURCE_QUENCH, 0, 0);
    state_is(t, TCPS_SYN_SENT);
    ck_assert_int_eq(talk_status(t).soft_error, TCP_OK);
    ck_assert_uint_eq(t->events[TRACE_ERROR], 0);
    talk_free(t);
}
END_TEST

START_TEST(error_about_an_unknown_connection_is_ignored)
{
    struct talk *t = talk_in_state(TCPS_SYN_SENT);

    t->our_port++;
    router_sends_error(t, ICMP_UNREACHABLE, ICMP_UNREACHABLE_PORT, 0);
    t->our_port--;
    state_is(t, TCPS_SYN_SENT);
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* 3.9.2.2: the information is available: what a SYN that nobody answers fails with. */
START_TEST(syn_that_times_out_fails_with_the_noted_error)
{
    struct talk *t = talk_in_state(TCPS_SYN_SENT);

    router_sends_error(t, ICMP_UNREACHABLE, ICMP_UNREACHABLE_HOST, 0);
    time_passes_ms(t, 200000);
    t->sent_count = t->sent_first = 0;
    state_is(t, TCPS_CLOSED);
    ck_assert_int_eq(tcp_error(t->tcb), TCP_ERR_UNREACHABLE);
    talk_free(t);
}
END_TEST

/* A connection that only waits in SYN-RECEIVED is found, too. */
START_TEST(hard_error_ends_a_connection_in_syn_received)
{
    struct talk *t = talk_in_state(TCPS_SYN_RECEIVED);

    router_sends_error(t, ICMP_UNREACHABLE, ICMP_UNREACHABLE_PORT, 0);
    state_is(t, TCPS_CLOSED);
    time_passes_ms(t, 10000);
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, hard_error_refuses_a_connection, 0, 2);
    tcase_add_loop_test(tc, soft_error_is_noted_and_the_connection_goes_on, 0, 6);
    tcase_add_test(tc, hard_error_is_soft_once_established);
    tcase_add_loop_test(tc, error_about_what_is_not_in_flight_is_not_believed, 0, 4);
    tcase_add_test(tc, source_quench_is_discarded);
    tcase_add_test(tc, error_about_an_unknown_connection_is_ignored);
    tcase_add_test(tc, syn_that_times_out_fails_with_the_noted_error);
    tcase_add_test(tc, hard_error_ends_a_connection_in_syn_received);
}

int main(void)
{
    return unit_main("icmp", tests);
}
