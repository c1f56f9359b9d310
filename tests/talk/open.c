/* Opening: SYN-SENT (RFC 9293 3.10.7.3), active, passive and simultaneous OPEN (3.5, 3.10.1), and
 * what becomes of a handshake that goes wrong. */
#include "talk.h"

/* 3.10.7.3 first to fifth. ISS is 0, SND.NXT 1. */
START_TEST(peer_sends_x_in_syn_sent)
{
    static const struct {
        const char *heard, *answer;
        enum tcp_state state;
        enum tcp_err error;
    } rows[] = {
        /* first: the ACK */
        {". 0:0(0) ack 0", "R 0:0(0)", TCPS_SYN_SENT, TCP_OK},
        {"S. 0:0(0) ack 0", "R 0:0(0)", TCPS_SYN_SENT, TCP_OK},
        {"S. 0:0(0) ack 2", "R 2:2(0)", TCPS_SYN_SENT, TCP_OK},
        {". 0:0(0) ack -5", "R -5:-5(0)", TCPS_SYN_SENT, TCP_OK},
        {"R. 0:0(0) ack 0", NULL, TCPS_SYN_SENT, TCP_OK},
        {"R. 0:0(0) ack 2", NULL, TCPS_SYN_SENT, TCP_OK},
        /* second: RST */
        {"R 0:0(0)", NULL, TCPS_SYN_SENT, TCP_OK},
        {"SR 0:0(0)", NULL, TCPS_SYN_SENT, TCP_OK},
        {"R. 0:0(0) ack 1", NULL, TCPS_CLOSED, TCP_ERR_REFUSED},
        {"SR. 0:0(0) ack 1", NULL, TCPS_CLOSED, TCP_ERR_REFUSED},
        /* fourth: SYN */
        {"S. 0:0(0) ack 1 <mss 1460>", ". 1:1(0) ack 1", TCPS_ESTABLISHED, TCP_OK},
        {"S 0:0(0) <mss 1460>", "S. 0:0(0) ack 1", TCPS_SYN_RECEIVED, TCP_OK},
        {"SF. 0:0(0) ack 1 <mss 1460>", ". 1:1(0) ack 2", TCPS_CLOSE_WAIT, TCP_OK},
        {"SP. 0:10(10) ack 1 <mss 1460>", ". 1:1(0) ack 11", TCPS_ESTABLISHED, TCP_OK},
        {"SFP. 0:10(10) ack 1 <mss 1460>", ". 1:1(0) ack 12", TCPS_CLOSE_WAIT, TCP_OK},
        /* fifth: neither */
        {". 0:0(0) ack 1", NULL, TCPS_SYN_SENT, TCP_OK},
        {"F. 0:0(0) ack 1", NULL, TCPS_SYN_SENT, TCP_OK},
        {"P 0:10(10)", NULL, TCPS_SYN_SENT, TCP_OK},
        {"0 0:0(0)", NULL, TCPS_SYN_SENT, TCP_OK},
    };
    enum { ROWS = sizeof rows / sizeof rows[0] };
    struct talk *t = talk_in_state(TCPS_SYN_SENT);

    ck_assert_int_eq(ROWS, 19);
    t->title = rows[_i].heard;
    peer_sends(t, rows[_i].heard);
    if (rows[_i].answer != NULL)
        we_send(t, rows[_i].answer);
    we_send_nothing(t);
    state_is(t, rows[_i].state);
    ck_assert_int_eq(tcp_error(t->tcb), rows[_i].error);
    talk_free(t);
}
END_TEST

/* 3.5 figure 6. */
START_TEST(active_open_goes_through_syn_sent_to_established)
{
    struct talk *t = talk_new(NULL);

    talk_connect(t);
    ck_assert_uint_eq(tcp_readiness(t->tcb), 0);
    peer_sends(t, "S. 0:0(0) ack 1 win 5000 <mss 1460>");
    we_send(t, ". 1:1(0) ack 1");
    path_is(t, "CLOSED SYN-SENT ESTABLISHED");
    ck_assert_uint_eq(tcp_readiness(t->tcb), TCP_CONNECTED | TCP_WRITABLE);
    ck_assert(!talk_status(t).passive_open);
    ck_assert_uint_eq(talk_status(t).snd_wnd, 5000);
    talk_free(t);
}
END_TEST

START_TEST(passive_open_goes_through_syn_received_to_established)
{
    struct talk *t = talk_new(NULL);

    talk_listen(t);
    peer_sends(t, "S 0:0(0) win 5000 <mss 1460>");
    we_send(t, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
    ck_assert_uint_eq(tcp_readiness(t->listener), 0);
    peer_sends(t, ". 1:1(0) ack 1 win 6000");
    path_is(t, "LISTEN SYN-RECEIVED ESTABLISHED");
    ck_assert_uint_eq(tcp_readiness(t->listener), TCP_ACCEPTABLE);
    t->tcb = tcp_accept(t->listener);
    ck_assert_uint_eq(talk_status(t).snd_wnd, 6000);
    ck_assert_uint_eq(tcp_readiness(t->listener), 0);
    talk_free(t);
}
END_TEST

/* 3.10.7.4 fifth, sixth and so on: the third packet may carry text, and a FIN. */
START_TEST(third_packet_of_the_handshake_may_carry_everything)
{
    struct talk *t = talk_in_state(TCPS_SYN_RECEIVED);

    peer_sends(t, "FP. 1:11(10) ack 1 win 65535");
    we_send(t, ". 1:1(0) ack 12");
    path_is(t, "LISTEN SYN-RECEIVED ESTABLISHED CLOSE-WAIT");
    t->tcb = tcp_accept(t->listener);
    app_reads(t, 10);
    app_reads(t, 0);
    ck_assert(tcp_readiness(t->tcb) & TCP_PEER_CLOSED);
    talk_free(t);
}
END_TEST

/* 3.5 figure 7, MUST-10; the peer answers our SYN,ACK as figure 7 does, by a SYN,ACK of its own. */
START_TEST(simultaneous_open_ends_established_by_syn_ack)
{
    struct talk *t = talk_new(NULL);

    talk_connect(t);
    peer_sends(t, "S 0:0(0) win 5000 <mss 1000>");
    we_send(t, "S. 0:0(0) ack 1");
    peer_sends(t, "S. 0:0(0) ack 1 win 5000 <mss 1000>");
    we_send(t, ". 1:1(0) ack 1");
    path_is(t, "CLOSED SYN-SENT SYN-RECEIVED ESTABLISHED");
    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    talk_free(t);
}
END_TEST

START_TEST(simultaneous_open_ends_established_by_plain_ack)
{
    struct talk *t = talk_new(NULL);

    talk_connect(t);
    peer_sends(t, "S 0:0(0) win 5000 <mss 1000>");
    we_send(t, "S. 0:0(0) ack 1");
    peer_sends(t, ". 1:1(0) ack 1 win 5000");
    path_is(t, "CLOSED SYN-SENT SYN-RECEIVED ESTABLISHED");
    talk_free(t);
}
END_TEST

/* 3.10.7.4 second: after an active OPEN the user is told. */
START_TEST(rst_after_crossing_syns_means_refused)
{
    struct talk *t = talk_new(NULL);

    talk_connect(t);
    peer_sends(t, "S 0:0(0) win 5000 <mss 1000>");
    we_send(t, "S. 0:0(0) ack 1");
    peer_sends(t, "R 1:1(0)");
    state_is(t, TCPS_CLOSED);
    ck_assert_int_eq(tcp_error(t->tcb), TCP_ERR_REFUSED);
    ck_assert(tcp_readiness(t->tcb) & TCP_FAILED);
    talk_free(t);
}
END_TEST

/* 3.5.1 figure 8: an old SYN arrives first; the RST of the peer undoes it. */
START_TEST(old_duplicate_syn_is_undone_by_the_peers_rst)
{
    struct talk *t = talk_in_state(TCPS_LISTEN);

    peer_sends(t, "S -5000:-5000(0) win 65535 <mss 1460>");
    we_send(t, "S. 0:0(0) ack -4999");
    peer_sends(t, "R -4999:-4999(0)");
    state_is(t, TCPS_CLOSED);
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    we_send(t, "S. 0:0(0) ack 1");
    peer_sends(t, ". 1:1(0) ack 1");
    state_is(t, TCPS_ESTABLISHED);
    talk_free(t);
}
END_TEST

/* 3.5.1 figure 9: the peer has crashed and does not know us; our ACK makes it reset. */
START_TEST(half_open_connection_is_discovered_by_a_syn)
{
    struct talk *t = talk_in_state(TCPS_ESTABLISHED);

    peer_sends(t, "S 5000:5000(0) win 65535 <mss 1460>");
    we_send(t, ". 1:1(0) ack 1");
    state_is(t, TCPS_ESTABLISHED);
    peer_sends(t, "R 1:1(0)"); /* its answer to an ACK that it did not expect */
    state_is(t, TCPS_CLOSED);
    ck_assert_int_eq(tcp_error(t->tcb), TCP_ERR_RESET);
    talk_free(t);
}
END_TEST

/* Departure from 3.10.7.4 first, which would answer a plain ACK. */
START_TEST(repeated_syn_is_answered_by_syn_ack_again)
{
    struct talk *t = talk_in_state(TCPS_SYN_RECEIVED);

    for (int i = 0; i < 3; i++) {
        peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
        we_send(t, "S. 0:0(0) ack 1 <mss 1460>");
        we_send_nothing(t);
    }
    peer_sends(t, ". 1:1(0) ack 1");
    state_is(t, TCPS_ESTABLISHED);
    talk_free(t);
}
END_TEST

/* 3.10.2, 3.10.4: SEND and CLOSE before ESTABLISHED wait for it. */
START_TEST(data_and_half_close_wait_for_the_handshake)
{
    struct talk *t = talk_new(NULL);

    talk_connect(t);
    app_writes(t, 10);
    ck_assert_int_eq(tcp_shutdown(t->tcb), TCP_OK);
    we_send_nothing(t);
    peer_sends(t, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
    we_send(t, "FP. 1:11(10) ack 1");
    path_is(t, "CLOSED SYN-SENT ESTABLISHED FIN-WAIT-1");
    talk_free(t);
}
END_TEST

/* 3.10.4 and 3.10.5 in SYN-SENT: the TCB is deleted, nothing is sent. */
START_TEST(giving_up_in_syn_sent_is_silent)
{
    struct talk *t = talk_in_state(TCPS_SYN_SENT);

    if (_i == 0)
        tcp_close(t->tcb);
    else
        tcp_abort(t->tcb);
    we_send_nothing(t);
    state_is(t, TCPS_CLOSED);
    time_passes_ms(t, 300000);
    we_send_nothing(t);
    peer_sends(t, "S. 0:0(0) ack 1"); /* too late */
    we_send(t, "R 1:1(0)");
    talk_free(t);
}
END_TEST

/* MUST-46, MUST-44, and what OPEN says to arguments that make no sense. */
START_TEST(open_checks_its_arguments)
{
    static const uint32_t invalid[] = {0, 0xffffffff, 0xe0000001};
    struct talk *t = talk_new(NULL);
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);
    enum tcp_err error = TCP_OK;

    ck_assert_ptr_null(tcp_open_active(t->stack, NULL, 0, &peer, 0, NULL, &error));
    ck_assert_int_eq(error, TCP_ERR_UNSPECIFIED);
    for (int i = 0; i < 3; i++) {
        struct ip_addr nobody = ip_addr_from_v4(invalid[i]);
        error = TCP_OK;
        ck_assert_ptr_null(tcp_open_active(t->stack, NULL, 0, &nobody, 80, NULL, &error));
        ck_assert_int_eq(error, TCP_ERR_UNSPECIFIED);
    }
    ck_assert_ptr_null(tcp_open_active(t->stack, &peer, 0, &peer, 80, NULL, &error));
    ck_assert_int_eq(error, TCP_ERR_INVALID); /* not our address */
    ck_assert_ptr_null(tcp_open_passive(t->stack, &peer, 80, NULL, &error));
    ck_assert_int_eq(error, TCP_ERR_INVALID);

    ck_assert_ptr_nonnull(tcp_open_active(t->stack, NULL, 1234, &peer, 80, NULL, NULL));
    ck_assert_ptr_null(tcp_open_active(t->stack, NULL, 1234, &peer, 80, NULL, &error));
    ck_assert_int_eq(error, TCP_ERR_EXISTS);
    t->our_port = 1234;
    t->peer_port = 80;
    we_send(t, "S 0:0(0)");
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, peer_sends_x_in_syn_sent, 0, 19);
    tcase_add_test(tc, active_open_goes_through_syn_sent_to_established);
    tcase_add_test(tc, passive_open_goes_through_syn_received_to_established);
    tcase_add_test(tc, third_packet_of_the_handshake_may_carry_everything);
    tcase_add_test(tc, simultaneous_open_ends_established_by_syn_ack);
    tcase_add_test(tc, simultaneous_open_ends_established_by_plain_ack);
    tcase_add_test(tc, rst_after_crossing_syns_means_refused);
    tcase_add_test(tc, old_duplicate_syn_is_undone_by_the_peers_rst);
    tcase_add_test(tc, half_open_connection_is_discovered_by_a_syn);
    tcase_add_test(tc, repeated_syn_is_answered_by_syn_ack_again);
    tcase_add_test(tc, data_and_half_close_wait_for_the_handshake);
    tcase_add_loop_test(tc, giving_up_in_syn_sent_is_silent, 0, 2);
    tcase_add_test(tc, open_checks_its_arguments);
}

int main(void)
{
    return unit_main("open", tests);
}
