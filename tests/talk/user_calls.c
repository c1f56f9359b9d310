/* What an application sees: RECEIVE, readiness and its events, urgent data (RFC 9293 3.8.5, 3.9.1,
 * 3.10). */
#include "../../stack/tcp/tcb.h"
#include "talk.h"

/* MUST-62, MUST-32, MUST-33: the pointer names the octet behind the urgent data. */
START_TEST(urgent_data_is_announced_until_it_is_read)
{
    struct talk *t = talk_established("mss 1460");

    t->ready_events = 0;
    peer_sends(t, "U. 1:1(0) ack 1 urg 20"); /* ahead of its text */
    ck_assert_uint_eq(t->ready_events, 1);
    ck_assert(tcp_readiness(t->tcb) & TCP_URGENT);
    ck_assert_uint_eq(talk_status(t).urgent_bytes, 20);
    peer_sends(t, "PU. 1:31(30) ack 1 urg 20");
    app_reads(t, 19);
    ck_assert_uint_eq(talk_status(t).urgent_bytes, 1);
    app_reads(t, 1);
    ck_assert(!(tcp_readiness(t->tcb) & TCP_URGENT));
    app_reads(t, 10);
    time_passes_ms(t, 500);
    we_send(t, ". 1:1(0) ack 31");
    talk_free(t);
}
END_TEST

/* MUST-32 */
START_TEST(urgent_pointer_that_advances_is_announced_again)
{
    struct talk *t = talk_established("mss 1460");

    t->ready_events = 0;
    peer_sends(t, "U. 1:1(0) ack 1 urg 20");
    peer_sends(t, "U. 1:1(0) ack 1 urg 20"); /* the same: nothing new */
    ck_assert_uint_eq(t->ready_events, 1);
    peer_sends(t, "U. 1:1(0) ack 1 urg 30");
    ck_assert_uint_eq(t->ready_events, 2);
    peer_sends(t, "U. 1:1(0) ack 1 urg 25"); /* it never recedes */
    ck_assert_uint_eq(t->ready_events, 2);
    ck_assert_uint_eq(talk_status(t).urgent_bytes, 30);
    talk_free(t);
}
END_TEST

/* 3.8.5: the mode ends with the urgent data. 2 GiB later the old pointer would seem to lie ahead
 * again; the numbers are moved on here, as if so much had been received. */
START_TEST(urgent_data_is_over_for_good_when_it_is_read)
{
    const uint32_t far = 0x80000100;
    struct talk *t = talk_established("mss 1460");

    peer_sends(t, "PU. 1:11(10) ack 1 urg 10");
    app_reads(t, 10);
    time_passes_ms(t, 500);
    we_send(t, ". 1:1(0) ack 11");
    t->tcb->rcv_nxt += far;
    t->tcb->rcv_adv += far;
    t->irs += far;
    ck_assert_uint_eq(talk_status(t).urgent_bytes, 0);
    ck_assert_uint_eq(tcp_readiness(t->tcb) & TCP_URGENT, 0);
    talk_free(t);
}
END_TEST

/* 3.8.5: a receiver should be robust to invalid urgent pointer values. */
START_TEST(urgent_pointer_beyond_the_end_of_the_stream_ends_with_it)
{
    struct talk *t = talk_established("mss 1460");

    peer_sends(t, "FPU. 1:11(10) ack 1 urg 60000");
    we_send(t, ". 1:1(0) ack 12");
    ck_assert_uint_eq(talk_status(t).urgent_bytes, 10);
    app_reads(t, 10);
    ck_assert(!(tcp_readiness(t->tcb) & TCP_URGENT));
    talk_free(t);
}
END_TEST

START_TEST(urgent_pointer_without_the_flag_means_nothing)
{
    struct talk *t = talk_established("mss 1460");

    peer_sends(t, "P. 1:11(10) ack 1 urg 5");
    ck_assert(!(tcp_readiness(t->tcb) & TCP_URGENT));
    app_reads(t, 10);
    time_passes_ms(t, 500);
    we_send(t, ". 1:1(0) ack 11");
    talk_free(t);
}
END_TEST

/* 3.10.2, 3.10.3: what a call says where it makes no sense. */
START_TEST(calls_in_the_wrong_state_are_refused)
{
    static const struct {
        enum tcp_state state;
        int send, receive, shutdown;
    } rows[] = {
        {TCPS_LISTEN, TCP_ERR_NOT_OPEN, TCP_ERR_NOT_OPEN, TCP_ERR_NOT_OPEN},
        {TCPS_SYN_SENT, 1, 0, 0},
        {TCPS_ESTABLISHED, 1, 0, 0},
        {TCPS_FIN_WAIT_1, TCP_ERR_CLOSING, 0, TCP_ERR_CLOSING},
        {TCPS_FIN_WAIT_2, TCP_ERR_CLOSING, 0, TCP_ERR_CLOSING},
        {TCPS_CLOSE_WAIT, 1, 0, 0},
        {TCPS_CLOSING, TCP_ERR_CLOSING, 0, TCP_ERR_CLOSING},
        {TCPS_LAST_ACK, TCP_ERR_CLOSING, 0, TCP_ERR_CLOSING},
        {TCPS_TIME_WAIT, TCP_ERR_CLOSING, 0, TCP_ERR_CLOSING},
    };
    struct talk *t = talk_in_state(rows[_i].state);
    uint8_t byte = talk_byte(1);

    t->title = tcp_state_name(rows[_i].state);
    if (t->tcb == NULL)
        t->tcb = t->listener;
    ck_assert_int_eq(tcp_send(t->tcb, &byte, 1), rows[_i].send);
    ck_assert_int_eq(tcp_receive(t->tcb, &byte, 1), rows[_i].receive);
    ck_assert_int_eq(tcp_shutdown(t->tcb), rows[_i].shutdown);
    if (rows[_i].shutdown == 0) /* the second time it is too late */
        ck_assert_int_eq(tcp_shutdown(t->tcb), TCP_ERR_CLOSING);
    talk_pull(t);
    t->sent_count = t->sent_first = 0;
    talk_free(t);
}
END_TEST

/* 3.8.3 and the like: an event tells of each change, once. */
START_TEST(readiness_events_tell_of_changes_only)
{
    struct talk *t = talk_new(NULL);

    talk_connect(t);
    t->ready_events = 0;
    peer_sends(t, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
    we_send(t, ". 1:1(0) ack 1");
    ck_assert_uint_eq(t->ready_events, 1); /* connected, writable */
    peer_sends(t, "P. 1:11(10) ack 1");
    ck_assert_uint_eq(t->ready_events, 2); /* readable */
    peer_sends(t, "P. 11:21(10) ack 1");
    ck_assert_uint_eq(t->ready_events, 2);
    app_reads(t, 20);
    peer_sends(t, "F. 21:21(0) ack 1");
    we_send(t, ". 1:1(0) ack 22");
    ck_assert_uint_eq(t->ready_events, 3); /* readable again: the end; closed by the peer */
    peer_sends(t, "R 22:22(0)");
    ck_assert_uint_eq(t->ready_events, 4); /* failed */
    talk_free(t);
}
END_TEST

START_TEST(writable_again_is_told_when_the_peer_acknowledges)
{
    static const uint8_t data[2000];
    struct stack_config config = talk_config();

    config.tcp.send_buffer_bytes = config.tcp.send_buffer_max_bytes = 1000;
    struct talk *t = talk_new(&config);
    talk_establish(t, "mss 1460");
    ck_assert_int_eq(tcp_send(t->tcb, data, 2000), 1000);
    ck_assert(!(tcp_readiness(t->tcb) & TCP_WRITABLE));
    struct packet_out out;
    ck_assert(stack_output(t->stack, &out, t->now_us));
    ck_assert_uint_eq(packet_out_bytes(&out), 1040);
    t->ready_events = 0;
    peer_sends(t, ". 1:1(0) ack 1001");
    ck_assert_uint_eq(t->ready_events, 1);
    ck_assert(tcp_readiness(t->tcb) & TCP_WRITABLE);
    talk_free(t);
}
END_TEST

/* The ring itself, for large copies. */
START_TEST(reserve_and_peek_work_on_the_ring_itself)
{
    struct talk *t = talk_established("mss 1460");
    size_t room = 0;
    uint8_t *memory = tcp_send_reserve(t->tcb, &room);

    ck_assert_uint_ge(room, 100);
    for (uint32_t i = 0; i < 100; i++)
        memory[i] = talk_byte(i + 1);
    ck_assert_int_eq(tcp_send_commit(t->tcb, 100), 100);
    we_send(t, "P. 1:101(100) ack 1");
    peer_sends(t, "P. 1:51(50) ack 101");
    struct bytes peeked = tcp_receive_peek(t->tcb);
    ck_assert_uint_eq(peeked.len, 50);
    ck_assert_uint_eq(peeked.data[49], talk_byte(50));
    tcp_receive_consume(t->tcb, 49);
    peeked = tcp_receive_peek(t->tcb);
    ck_assert_uint_eq(peeked.len, 1);
    tcp_receive_consume(t->tcb, 1000); /* more than there is */
    ck_assert_uint_eq(tcp_receive_peek(t->tcb).len, 0);
    time_passes_ms(t, 500);
    we_send(t, ". 101:101(0) ack 51");
    talk_free(t);
}
END_TEST

/* NULL is fine, and a connection that has failed can still be closed or aborted. */
START_TEST(handles_can_be_given_back_at_any_time)
{
    struct talk *t = talk_established("mss 1460");

    tcp_close(NULL);
    tcp_abort(NULL);
    peer_sends(t, "R 1:1(0)");
    time_passes_ms(t, 1000);
    if (_i == 0)
        tcp_close(t->tcb);
    else
        tcp_abort(t->tcb);
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, urgent_data_is_announced_until_it_is_read);
    tcase_add_test(tc, urgent_pointer_that_advances_is_announced_again);
    tcase_add_test(tc, urgent_data_is_over_for_good_when_it_is_read);
    tcase_add_test(tc, urgent_pointer_beyond_the_end_of_the_stream_ends_with_it);
    tcase_add_test(tc, urgent_pointer_without_the_flag_means_nothing);
    tcase_add_loop_test(tc, calls_in_the_wrong_state_are_refused, 0, 9);
    tcase_add_test(tc, readiness_events_tell_of_changes_only);
    tcase_add_test(tc, writable_again_is_told_when_the_peer_acknowledges);
    tcase_add_test(tc, reserve_and_peek_work_on_the_ring_itself);
    tcase_add_loop_test(tc, handles_can_be_given_back_at_any_time, 0, 2);
}

int main(void)
{
    return unit_main("user_calls", tests);
}
