/* Limits: nothing that a peer sends, and nothing that an application asks for, takes more than the
 * configuration allows. Challenge ACKs (RFC 5961 section 7), backlog, connections, buffers. */
#include "talk.h"

/* RFC 5961 section 7: so many a second, for the whole stack. */
START_TEST(challenge_acks_are_limited_per_second)
{
    struct stack_config config = talk_config();

    config.challenge_acks_per_s = 5;
    struct talk *t = talk_new(&config);
    talk_establish(t, "mss 1460");
    for (int second = 0; second < 3; second++) {
        for (int i = 0; i < 20; i++) {
            peer_sends(t, i % 2 == 0 ? "S 100:100(0)" : "R 100:100(0)");
            if (i < 5)
                we_send(t, ". 1:1(0) ack 1");
            we_send_nothing(t);
        }
        time_passes_ms(t, 1000);
    }
    state_is(t, TCPS_ESTABLISHED);
    talk_free(t);
}
END_TEST

/* The limit is for doubtful segments only: an honest one is acknowledged. */
START_TEST(limit_does_not_hold_back_acknowledgments_of_data)
{
    struct stack_config config = talk_config();

    config.challenge_acks_per_s = 0;
    struct talk *t = talk_new(&config);
    talk_establish(t, "mss 1460");
    peer_sends(t, "S 100:100(0)");
    we_send_nothing(t);
    peer_sends(t, "P. 11:21(10) ack 1");
    we_send(t, ". 1:1(0) ack 1");
    talk_free(t);
}
END_TEST

/* A SYN beyond the backlog is dropped, so that the peer tries again; tcp_accept() makes room. */
START_TEST(full_backlog_drops_syns_until_one_is_accepted)
{
    struct stack_config config = talk_config();

    config.tcp.backlog = 2;
    struct talk *t = talk_new(&config);
    talk_listen(t);
    for (t->peer_port = 7000; t->peer_port < 7002; t->peer_port++) {
        peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
        we_send(t, "S. 0:0(0) ack 1");
        peer_sends(t, ". 1:1(0) ack 1");
    }
    ck_assert_int_eq(peer_sends(t, "S 0:0(0) win 65535 <mss 1460>"), DROP_TCP_BACKLOG_FULL);
    we_send_nothing(t);
    ck_assert_ptr_nonnull(tcp_accept(t->listener));
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    we_send(t, "S. 0:0(0) ack 1");
    talk_free(t);
}
END_TEST

/* A flood of SYNs takes no more than the backlog, and no TCB of its own time-out. */
START_TEST(syn_flood_takes_no_more_than_the_backlog)
{
    struct stack_config config = talk_config();

    config.tcp.syn_cookies = TCP_SYN_COOKIES_OFF;
    struct talk *t = talk_new(&config);
    talk_listen(t);
    uint64_t answered = 0;

    for (uint32_t i = 0; i < 20000; i++) {
        t->peer_port = (uint16_t)(1024 + i);
        t->peer_addr = 0x0a000100 + i / 60000;
        answered += peer_sends(t, "S 0:0(0) win 65535 <mss 1460>") == DROP_NOT;
        t->sent_count = t->sent_first = 0;
    }
    ck_assert_uint_eq(answered, 128);
    ck_assert_uint_eq(drops(t, DROP_TCP_BACKLOG_FULL), 20000 - 128);
    talk_free(t);
}
END_TEST

/* connections_max counts listeners, connections and records alike. */
START_TEST(connections_are_limited)
{
    struct stack_config config = talk_config();
    struct ip_addr peer;
    enum tcp_err error = TCP_OK;

    config.connections_max = 3;
    struct talk *t = talk_new(&config);
    peer = ip_addr_from_v4(t->peer_addr);
    talk_listen(t);
    for (t->peer_port = 7000; t->peer_port < 7002; t->peer_port++) {
        peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
        we_send(t, "S. 0:0(0) ack 1");
    }
    ck_assert_int_eq(peer_sends(t, "S 0:0(0) win 65535 <mss 1460>"), DROP_TCP_MEMORY);
    we_send_nothing(t);
    ck_assert_ptr_null(tcp_open_active(t->stack, NULL, 0, &peer, 80, NULL, &error));
    ck_assert_int_eq(error, TCP_ERR_RESOURCES);
    ck_assert_ptr_null(tcp_open_passive(t->stack, NULL, 81, NULL, &error));
    ck_assert_int_eq(error, TCP_ERR_RESOURCES);
    t->peer_port = 7000;
    peer_sends(t, "R 1:1(0)"); /* one ends: there is room again */
    t->peer_port = 7002;
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    we_send(t, "S. 0:0(0) ack 1");
    talk_free(t);
}
END_TEST

/* Opening, closing and waiting out many connections leaves room for as many again. */
START_TEST(ended_connections_are_not_counted)
{
    struct stack_config config = talk_config();

    config.connections_max = 2;
    struct talk *t = talk_new(&config);
    talk_listen(t);
    for (t->peer_port = 7000; t->peer_port < 7200; t->peer_port++) {
        peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
        we_send(t, "S. 0:0(0) ack 1");
        peer_sends(t, ". 1:1(0) ack 1");
        t->tcb = tcp_accept(t->listener);
        ck_assert_ptr_nonnull(t->tcb);
        if (t->peer_port % 2 == 0) {
            peer_sends(t, "R 1:1(0)");
            tcp_close(t->tcb);
        } else {
            tcp_close(t->tcb);
            we_send(t, "F. 1:1(0) ack 1");
            peer_sends(t, "F. 1:1(0) ack 2");
            we_send(t, ". 2:2(0) ack 2");
            time_passes_ms(t, 60000);
        }
    }
    talk_free(t);
}
END_TEST

/* Not more ranges than RANGES_MAX, whatever the peer makes of its stream. */
START_TEST(out_of_order_ranges_are_limited)
{
    struct talk *t = talk_established("mss 1460");

    for (uint32_t i = 0; i < 5000; i++) {
        peer_sends(t, segment(". %u:%u(1) ack 1", 3 + 2 * i, 4 + 2 * i));
        t->sent_count = t->sent_first = 0;
    }
    ck_assert_uint_le(talk_status(t).out_of_order_ranges, 4096);
    ck_assert_uint_gt(drops(t, DROP_TCP_MEMORY), 0);
    /* And what was refused comes again: the stream is whole in the end. */
    for (uint32_t at = 1; at < 10001; at += 1000) {
        peer_sends(t, segment(". %u:%u(1000) ack 1", at, at + 1000));
        t->sent_count = t->sent_first = 0;
    }
    app_reads(t, 10000);
    t->sent_count = t->sent_first = 0;
    talk_free(t);
}
END_TEST

/* The window is all that a peer can fill. */
START_TEST(receive_buffer_holds_no_more_than_the_window)
{
    struct talk *t = talk_established("mss 1460");

    for (uint32_t at = 1; at < 200000; at += 1000) {
        peer_sends(t, segment(". %u:%u(1000) ack 1", at, at + 1000));
        t->sent_count = t->sent_first = 0;
    }
    ck_assert_uint_eq(talk_status(t).receive_queued_bytes, 65535);
    app_reads(t, 65535);
    t->sent_count = t->sent_first = 0;
    talk_free(t);
}
END_TEST

/* 3.10.2: tcp_send() takes what fits. */
START_TEST(send_buffer_takes_no_more_than_its_limit)
{
    static const uint8_t data[4000];
    struct stack_config config = talk_config();

    config.tcp.send_buffer_bytes = 10000;
    struct talk *t = talk_new(&config);
    talk_connect(t);
    ck_assert_int_eq(tcp_send(t->tcb, data, 4000), 4000);
    ck_assert_int_eq(tcp_send(t->tcb, data, 4000), 4000);
    ck_assert_int_eq(tcp_send(t->tcb, data, 4000), 2000);
    ck_assert_int_eq(tcp_send(t->tcb, data, 4000), 0);
    ck_assert(!(tcp_readiness(t->tcb) & TCP_WRITABLE));
    tcp_abort(t->tcb);
    talk_free(t);
}
END_TEST

/* After a second without use both rings are given back; the streams go on as if nothing had been.
 */
START_TEST(idle_buffers_give_their_memory_back_and_work_again)
{
    struct talk *t = talk_established("mss 1460");

    for (uint32_t at = 1; at < 30001; at += 10000) {
        app_writes(t, 1000);
        uint32_t sent = (at - 1) / 10 + 1;
        we_send(t, segment("P. %u:%u(1000) ack %u", sent, sent + 1000, (at - 1) / 10 + 1));
        peer_sends(t, segment("P. %u:%u(1000) ack %u", sent, sent + 1000, sent + 1000));
        time_passes_ms(t, 500);
        we_send(t, segment(". %u:%u(0) ack %u", sent + 1000, sent + 1000, sent + 1000));
        app_reads(t, 1000);
        time_passes_ms(t, 5000);
    }
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, challenge_acks_are_limited_per_second);
    tcase_add_test(tc, limit_does_not_hold_back_acknowledgments_of_data);
    tcase_add_test(tc, full_backlog_drops_syns_until_one_is_accepted);
    tcase_add_test(tc, syn_flood_takes_no_more_than_the_backlog);
    tcase_add_test(tc, connections_are_limited);
    tcase_add_test(tc, ended_connections_are_not_counted);
    tcase_add_test(tc, out_of_order_ranges_are_limited);
    tcase_add_test(tc, receive_buffer_holds_no_more_than_the_window);
    tcase_add_test(tc, send_buffer_takes_no_more_than_its_limit);
    tcase_add_test(tc, idle_buffers_give_their_memory_back_and_work_again);
}

int main(void)
{
    return unit_main("limits", tests);
}
