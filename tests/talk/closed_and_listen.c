/* Segments that find no connection: RFC 9293 3.10.7.1 (CLOSED) and 3.10.7.2 (LISTEN). */
#include "talk.h"

/* 3.10.7.1: the answer is made so that it is acceptable to who sent the offending segment. */
START_TEST(closed_answers_anything_but_rst_by_rst)
{
    static const struct {
        const char *heard, *answer; /* NULL: silence */
    } rows[] = {
        {"S 0:0(0)", "R. =0:=0(0) ack 1"},
        {"S 0:100(100)", "R. =0:=0(0) ack 101"},
        {"FS 0:0(0)", "R. =0:=0(0) ack 2"},
        {"F 5:15(10)", "R. =0:=0(0) ack 16"},
        {"0 5:5(0)", "R. =0:=0(0) ack 5"},
        {"S. 0:0(0) ack 77", "R 77:77(0)"},
        {". 5:5(0) ack 77", "R 77:77(0)"},
        {"F. 5:105(100) ack 77", "R 77:77(0)"},
        {"R 0:0(0)", NULL},
        {"R. 5:5(0) ack 77", NULL},
        {"SR 0:0(0)", NULL},
    };
    struct talk *t = talk_in_state(TCPS_CLOSED);

    t->title = rows[_i].heard;
    ck_assert_int_eq(peer_sends(t, rows[_i].heard), DROP_TCP_CLOSED_PORT);
    if (rows[_i].answer != NULL)
        we_send(t, segment("%s win 0 <>", rows[_i].answer));
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* 3.10.7.2 first to fourth. */
START_TEST(listen_takes_syn_alone)
{
    static const struct {
        const char *heard, *answer;
        enum tcp_state state;
    } rows[] = {
        {"R 0:0(0)", NULL, TCPS_LISTEN},
        {"R. 0:0(0) ack 1", NULL, TCPS_LISTEN},
        {"SR 0:0(0)", NULL, TCPS_LISTEN},
        {". 1:1(0) ack 77", "R 77:77(0)", TCPS_LISTEN},
        {"S. 0:0(0) ack 77", "R 77:77(0)", TCPS_LISTEN},
        {"F. 1:1(0) ack 77", "R 77:77(0)", TCPS_LISTEN},
        {"P. 1:11(10) ack 77", "R 77:77(0)", TCPS_LISTEN},
        {"0 1:1(0)", NULL, TCPS_LISTEN},
        {"P 1:11(10)", NULL, TCPS_LISTEN},
        {"F 1:1(0)", NULL, TCPS_LISTEN},
        {"S 0:0(0) win 1000 <mss 1000>", "S. 0:0(0) ack 1 win 65535 <mss 1460>", TCPS_SYN_RECEIVED},
    };
    struct talk *t = talk_in_state(TCPS_LISTEN);

    t->title = rows[_i].heard;
    peer_sends(t, rows[_i].heard);
    if (rows[_i].answer != NULL)
        we_send(t, rows[_i].answer);
    we_send_nothing(t);
    state_is(t, rows[_i].state);
    talk_free(t);
}
END_TEST

/* Departure from 3.10.7.2 third: the text is left for the peer to send again. */
START_TEST(text_on_a_syn_is_not_acknowledged_and_comes_again)
{
    struct talk *t = talk_in_state(TCPS_LISTEN);

    peer_sends(t, "S 0:10(10) win 65535 <mss 1460>");
    we_send(t, "S. 0:0(0) ack 1");
    peer_sends(t, "P. 1:11(10) ack 1");
    t->tcb = tcp_accept(t->listener);
    ck_assert_ptr_nonnull(t->tcb);
    app_reads(t, 10);
    time_passes_ms(t, 500);
    we_send(t, ". 1:1(0) ack 11");
    talk_free(t);
}
END_TEST

/* MUST-42, MUST-41: a listener goes on, and does not disturb what it has accepted. */
START_TEST(listener_accepts_many_at_once)
{
    struct talk *t = talk_in_state(TCPS_LISTEN);

    for (t->peer_port = 7000; t->peer_port < 7010; t->peer_port++) {
        peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
        we_send(t, "S. 0:0(0) ack 1");
    }
    for (t->peer_port = 7000; t->peer_port < 7010; t->peer_port++)
        peer_sends(t, ". 1:1(0) ack 1");
    for (uint16_t port = 7000; port < 7010; port++) {
        t->tcb = tcp_accept(t->listener);
        ck_assert_ptr_nonnull(t->tcb);
        ck_assert_uint_eq(talk_status(t).flow.remote_port, port);
        ck_assert(talk_status(t).passive_open); /* MUST-11 */
    }
    ck_assert_ptr_null(tcp_accept(t->listener));
    talk_free(t);
}
END_TEST

/* 3.10.7.4 second and fourth: the connection is gone, the listener is not. */
START_TEST(listener_goes_on_after_what_ends_a_connection_in_syn_received)
{
    static const char *const ends[] = {"R 1:1(0)", "S 100:100(0)"};
    struct talk *t = talk_in_state(TCPS_SYN_RECEIVED);

    peer_sends(t, ends[_i]);
    state_is(t, TCPS_CLOSED);
    path_is(t, "LISTEN SYN-RECEIVED CLOSED");
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    we_send(t, "S. 0:0(0) ack 1");
    peer_sends(t, ". 1:1(0) ack 1");
    ck_assert_ptr_nonnull(tcp_accept(t->listener));
    talk_free(t);
}
END_TEST

/* MUST-57, MUST-63: only unicast can have a connection. */
START_TEST(syn_from_an_address_that_nobody_can_have_is_ignored)
{
    static const uint32_t sources[] = {0xffffffff, 0xe0000001, 0x00000000, 0x7f000001, 0xf0000001};
    struct talk *t = talk_in_state(TCPS_LISTEN);

    t->peer_addr = sources[_i];
    ck_assert_int_eq(peer_sends(t, "S 0:0(0) win 65535 <mss 1460>"), DROP_IP_SOURCE);
    we_send_nothing(t);
    state_is(t, TCPS_LISTEN);
    talk_free(t);
}
END_TEST

/* MUST-57 */
START_TEST(syn_to_a_multicast_or_broadcast_address_is_ignored)
{
    static const uint32_t destinations[] = {0xffffffff, 0xe0000001};
    struct talk *t = talk_in_state(TCPS_LISTEN);

    t->our_addr = destinations[_i];
    ck_assert_int_ne(peer_sends(t, "S 0:0(0) win 65535 <mss 1460>"), DROP_NOT);
    we_send_nothing(t);
    state_is(t, TCPS_LISTEN);
    talk_free(t);
}
END_TEST

/* 3.10.1: one listener for a local socket. */
START_TEST(second_listener_on_a_port_is_refused)
{
    struct talk *t = talk_in_state(TCPS_LISTEN);
    enum tcp_err error = TCP_OK;

    ck_assert_ptr_null(tcp_open_passive(t->stack, NULL, TALK_LISTEN_PORT, NULL, &error));
    ck_assert_int_eq(error, TCP_ERR_EXISTS);
    talk_free(t);
}
END_TEST

/* 3.10.4: CLOSE in LISTEN deletes the TCB; from then on the port is closed. */
START_TEST(closed_listener_answers_by_rst)
{
    struct talk *t = talk_in_state(TCPS_LISTEN);

    tcp_close(t->listener);
    peer_sends(t, "S 0:0(0)");
    we_send(t, "R. =0:=0(0) ack 1");
    talk_free(t);
}
END_TEST

/* Connections that nobody can accept any more are reset; one that was accepted is not. */
START_TEST(closing_a_listener_resets_its_children_only)
{
    struct talk *t = talk_in_state(TCPS_LISTEN);

    for (t->peer_port = 7000; t->peer_port <= 7002; t->peer_port++) {
        peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
        we_send(t, "S. 0:0(0) ack 1");
    }
    t->peer_port = 7000;
    peer_sends(t, ". 1:1(0) ack 1");
    t->tcb = tcp_accept(t->listener);
    ck_assert_ptr_nonnull(t->tcb);
    t->peer_port = 7001;
    peer_sends(t, ". 1:1(0) ack 1");
    t->is_holding = true; /* two resets, in whatever order the table has */
    tcp_close(t->listener);
    t->is_holding = false;
    talk_pull(t);
    ck_assert_uint_eq(t->sent_count, 2);
    bool first_is_7001 = t->sent[t->sent_first].bytes[23] == (7001 & 0xff);
    t->peer_port = first_is_7001 ? 7001 : 7002;
    we_send(t, "R. 1:1(0) ack 1");
    t->peer_port = first_is_7001 ? 7002 : 7001;
    we_send(t, "R. 1:1(0) ack 1");

    t->peer_port = 7000;
    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, closed_answers_anything_but_rst_by_rst, 0, 11);
    tcase_add_loop_test(tc, listen_takes_syn_alone, 0, 11);
    tcase_add_test(tc, text_on_a_syn_is_not_acknowledged_and_comes_again);
    tcase_add_test(tc, listener_accepts_many_at_once);
    tcase_add_loop_test(tc, listener_goes_on_after_what_ends_a_connection_in_syn_received, 0, 2);
    tcase_add_loop_test(tc, syn_from_an_address_that_nobody_can_have_is_ignored, 0, 5);
    tcase_add_loop_test(tc, syn_to_a_multicast_or_broadcast_address_is_ignored, 0, 2);
    tcase_add_test(tc, second_listener_on_a_port_is_refused);
    tcase_add_test(tc, closed_listener_answers_by_rst);
    tcase_add_test(tc, closing_a_listener_resets_its_children_only);
}

int main(void)
{
    return unit_main("closed_and_listen", tests);
}
