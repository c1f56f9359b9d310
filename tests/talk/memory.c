/* The limit on the memory of a stack (memory_max_bytes): who gets how much of it, who is refused,
 * and that all of it is counted. */
#include "../../stack/tcp/tcb.h"
#include "talk.h"

enum { LIMIT_BYTES = 1 << 20 };

static struct talk *limited(void)
{
    struct stack_config config = talk_config();

    config.memory_max_bytes = LIMIT_BYTES;
    config.tcp.send_buffer_bytes = 64 << 20;
    config.tcp.receive_buffer_bytes = 64 << 20;
    config.tcp.backlog = 100000;
    return talk_new(&config);
}

/* The stream from its beginning on, as the frame expects it. */
static const uint8_t *stream(void)
{
    static uint8_t data[LIMIT_BYTES];

    for (uint32_t i = 0; i < sizeof data; i++)
        data[i] = talk_byte(1 + i);
    return data;
}

START_TEST(a_send_buffer_stops_growing_at_half_of_the_memory)
{
    const uint8_t *data = stream();
    struct talk *t = limited();

    talk_establish(t, "mss 1460");
    ptrdiff_t accepted = tcp_send(t->tcb, data, LIMIT_BYTES);
    ck_assert_int_ge(accepted, LIMIT_BYTES / 4);
    ck_assert_int_le(accepted, LIMIT_BYTES / 2);
    ck_assert_int_eq(tcp_send(t->tcb, data, LIMIT_BYTES), 0);
    ck_assert_uint_eq(tcp_readiness(t->tcb) & TCP_WRITABLE, 0); /* or it would ask for ever */
    ck_assert_uint_le(stack_memory_bytes(t->stack), LIMIT_BYTES);
    forget_sent(t);
    talk_free(t);
}
END_TEST

/* The rest of the memory is taken by something else. */
static void take_the_rest(struct talk *t)
{
    t->stack->memory.used_bytes += LIMIT_BYTES;
}

static void give_it_back(struct talk *t)
{
    t->stack->memory.used_bytes -= LIMIT_BYTES;
}

START_TEST(without_memory_a_connection_goes_on_with_small_buffers)
{
    uint8_t data[10000] = {0};
    struct talk *t = limited();

    talk_establish(t, "mss 1460");
    take_the_rest(t);
    ck_assert_int_eq(tcp_send(t->tcb, stream(), sizeof data), RING_ASSURED_BYTES);
    forget_sent(t);
    for (unsigned at = 1; at <= 8 * 1000; at += 1000) {
        ck_assert_int_eq(peer_sends(t, segment("P. %u:%u(1000) ack 1", at, at + 1000)), DROP_NOT);
        ck_assert_int_eq(tcp_receive(t->tcb, data, sizeof data), 1000);
        forget_sent(t);
    }
    give_it_back(t);
    talk_free(t);
}
END_TEST

/* What was offered before may not fit any more: the beginning is taken, the rest comes again. */
START_TEST(without_memory_what_does_not_fit_comes_again)
{
    struct talk *t = limited();

    talk_establish(t, "mss 1460");
    take_the_rest(t);
    for (unsigned at = 1; at < 4001; at += 1000) {
        ck_assert_int_eq(peer_sends(t, segment(". %u:%u(1000) ack 1", at, at + 1000)), DROP_NOT);
        forget_sent(t);
    }
    ck_assert_int_eq(peer_sends(t, ". 4001:5001(1000) ack 1"), DROP_NOT);
    ck_assert_uint_eq(tcp_receive_peek(t->tcb).len, RING_ASSURED_BYTES);
    forget_sent(t);
    ck_assert_int_eq(peer_sends(t, ". 5001:6001(1000) ack 1"), DROP_TCP_MEMORY);
    give_it_back(t);
    ck_assert_int_eq(peer_sends(t, ". 4097:5097(1000) ack 1"), DROP_NOT);
    ck_assert_uint_eq(tcp_receive_peek(t->tcb).len, 5096);
    forget_sent(t);
    talk_free(t);
}
END_TEST

/* A window that was offered stays (SHLD-14), but it does not move on. */
START_TEST(without_memory_the_window_does_not_grow)
{
    struct talk *t = limited();
    struct talk_heard heard;

    talk_establish(t, "mss 1460");
    peer_sends(t, "P. 1:1001(1000) ack 1");
    peer_sends(t, "P. 1001:3921(2920) ack 1");
    forget_sent(t);
    take_the_rest(t);
    uint32_t edge = 0;
    for (unsigned at = 3921; at < 3951; at += 10) {
        peer_sends(t,
                   segment("P. %u:%u(5) ack 1", at + 5, at + 10)); /* leaves a hole: ACK at once */
        ck_assert(talk_hear(t, &heard));
        if (edge == 0)
            edge = heard.win + (uint32_t)heard.ack;
        ck_assert_uint_eq(heard.win + (uint32_t)heard.ack, edge);
        peer_sends(t, segment("P. %u:%u(5) ack 1", at, at + 5));
        ck_assert(talk_hear(t, &heard));
        ck_assert_uint_eq(heard.win + (uint32_t)heard.ack, edge);
    }
    give_it_back(t);
    talk_free(t);
}
END_TEST

START_TEST(without_memory_no_connection_is_made)
{
    struct talk *t = limited();
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);
    enum tcp_err error = TCP_OK;

    talk_listen(t);
    t->stack->memory.used_bytes += LIMIT_BYTES / 8 * 7; /* the rest is for those that exist */
    ck_assert_int_eq(peer_sends(t, "S 0:0(0) win 65535 <mss 1460>"), DROP_TCP_MEMORY);
    ck_assert_ptr_null(tcp_open_active(t->stack, NULL, 0, &peer, 80, NULL, &error));
    ck_assert_int_eq(error, TCP_ERR_RESOURCES);
    t->stack->memory.used_bytes -= LIMIT_BYTES / 8 * 7;
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    we_send(t, "S. 0:0(0) ack 1");
    talk_free(t);
}
END_TEST

/* However it ends, what was counted is counted back. */
START_TEST(all_that_is_taken_is_given_back)
{
    struct talk *t = limited();
    size_t before_bytes = 0;

    talk_listen(t);
    for (int round = 0; round < 3; round++, t->peer_port++) {
        peer_sends(t, "S 0:0(0) win 65535 <mss 1460,sackOK>");
        we_send(t, "S. 0:0(0) ack 1");
        peer_sends(t, ". 1:1(0) ack 1");
        struct tcb *tcb = tcp_accept(t->listener);
        ck_assert_ptr_nonnull(tcb);
        peer_sends(t, "P. 1:1001(1000) ack 1");
        peer_sends(t, "P. 3001:4001(1000) ack 1");
        ck_assert_int_eq(tcp_send(tcb, stream(), 3), 3);
        ck_assert_int_eq(tcp_set(tcb, "r2_us", 100000000), 0);
        forget_sent(t);
        tcp_abort(tcb);
        forget_sent(t);
        time_passes_ms(t, 1);
        if (round == 0) /* with what pools and table keep in reserve */
            before_bytes = stack_memory_bytes(t->stack);
        ck_assert_uint_eq(stack_memory_bytes(t->stack), before_bytes);
    }
    talk_free(t);
}
END_TEST

static void counts_are(const struct talk *t, unsigned tcb_count, unsigned record_count)
{
    ck_assert_uint_eq(t->stack->tcp.tcbs.count, tcb_count);
    ck_assert_uint_eq(t->stack->tcp.syn_receiveds.count, record_count);
}

/* What waits in SYN-RECEIVED is a record, but for the newest, until their SYN,ACK is due again. */
START_TEST(the_newest_handshakes_become_records_late)
{
    struct stack_config config = talk_config();

    config.handshakes_awake_max = 2;
    struct talk *t = talk_new(&config);
    talk_listen(t);
    for (unsigned i = 0; i < 3; i++, t->peer_port++) {
        peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
        we_send(t, "S. 0:0(0) ack 1");
        counts_are(t, 1 + (i < 2 ? i + 1 : 2), i < 2 ? 0 : 1);
    }
    for (unsigned i = 0; i < 2; i++) { /* the record, and one that is none */
        t->peer_port = (uint16_t)(TALK_PEER_PORT + i);
        peer_sends(t, ". 1:1(0) ack 1 win 65535");
        ck_assert_ptr_nonnull(tcp_accept(t->listener));
    }
    counts_are(t, 1 + 3, 0);
    t->peer_port++;
    time_passes_ms(t, 1000);
    we_send(t, "S. 0:0(0) ack 1");
    counts_are(t, 1 + 2, 1);
    peer_sends(t, "R 1:1(0)");
    counts_are(t, 1 + 2, 0);
    talk_free(t);
}
END_TEST

/* As a record or not, it is the same connection: what is too old an acknowledgment (MAY-12) depends
 * on the largest window, which may be that of the SYN. */
START_TEST(the_window_of_the_syn_is_remembered)
{
    struct stack_config config = talk_config();

    config.handshakes_awake_max = (unsigned)_i;
    struct talk *t = talk_new(&config);
    talk_listen(t);
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    we_send(t, "S. 0:0(0) ack 1");
    peer_sends(t, ". 1:1(0) ack 1 win 0");
    ck_assert_ptr_nonnull(t->tcb = tcp_accept(t->listener));
    peer_sends(t, "P. 1:11(10) ack 0 win 0");
    app_reads(t, 10);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, the_window_of_the_syn_is_remembered, 0, 2);
    tcase_add_test(tc, the_newest_handshakes_become_records_late);
    tcase_add_test(tc, a_send_buffer_stops_growing_at_half_of_the_memory);
    tcase_add_test(tc, without_memory_a_connection_goes_on_with_small_buffers);
    tcase_add_test(tc, without_memory_what_does_not_fit_comes_again);
    tcase_add_test(tc, without_memory_the_window_does_not_grow);
    tcase_add_test(tc, without_memory_no_connection_is_made);
    tcase_add_test(tc, all_that_is_taken_is_given_back);
}

int main(void)
{
    return unit_main("memory", tests);
}
