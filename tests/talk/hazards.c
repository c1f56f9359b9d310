/* What only happens to a connection that lives long, is attacked, or meets a strange peer: the
 * sequence numbers come round to ISS, windows close at both ends, routers take smaller packets
 * only, segments are forged, nobody reads, nobody answers, nobody accepts.
 *
 * A few of these tests look into the TCB, or set a field of it: to be 4 GiB further, or to count
 * what costs memory. */
#include "talk.h"

#include "../../stack/tcp/tcb.h"

enum {
    SECOND_MS = 1000,
    MINUTE_MS = 60 * SECOND_MS,
    IP_BYTES = 20,
    INITIAL_WINDOW = 10 * MSS, /* RFC 6928 */
};

struct heard {
    uint32_t start, end, ack; /* relative */
    uint16_t win, port;       /* as on the wire; the peer's */
};

static uint32_t number_at(const uint8_t *at, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* The next segment that we have sent, whatever it is; the test fails if there is none. */
static struct heard hear_at(struct talk *t, int line)
{
    talk_pull(t);
    if (t->sent_count == 0)
        talk_fail(t, __FILE__, line, "nothing is sent");
    const struct talk_segment *sent = &t->sent[t->sent_first];
    const uint8_t *tcp = sent->bytes + IP_BYTES;
    size_t header_bytes = IP_BYTES + (size_t)(tcp[12] >> 4) * 4;
    struct heard heard = {.start = number_at(tcp + 4, 4) - t->iss,
                          .ack = number_at(tcp + 8, 4) - t->irs,
                          .win = (uint16_t)number_at(tcp + 14, 2),
                          .port = (uint16_t)number_at(tcp + 2, 2)};

    heard.end = heard.start + (uint32_t)(sent->len - header_bytes);
    t->sent_first++;
    if (--t->sent_count == 0)
        t->sent_first = 0;
    return heard;
}
#define hear(t) hear_at(t, __LINE__)

/* ESTABLISHED, RTO 300 ms; the peer's window is closed and `len` bytes wait for it. */
static struct talk *at_closed_window(const char *options, size_t len)
{
    struct talk *t = talk_new(NULL);

    talk_connect(t);
    time_passes_ms(t, 100);
    peer_sends(t, segment("S. 0:0(0) ack 1 win 0 <%s>", options));
    we_send(t, ". 1:1(0) ack 1");
    app_writes(t, len);
    we_send_nothing(t);
    return t;
}

/* Acknowledge what comes until the peer has everything up to `end`. */
static void acknowledge_up_to(struct talk *t, uint32_t end)
{
    for (int round = 0; round < 100 && talk_status(t).snd_una - t->iss != end; round++) {
        if (t->sent_count == 0)
            ck_assert_uint_ne(time_until_we_send_us(t, 2 * MINUTE_MS), UINT64_MAX);
        forget_sent(t);
        peer_sends(t, segment(". 1:1(0) ack %u win 65535", talk_status(t).snd_nxt - t->iss));
    }
    ck_assert_uint_eq(talk_status(t).snd_una - t->iss, end);
}

/* ---- 4 GiB later: 9293 3.4, sequence numbers come round */

START_TEST(snd_nxt_that_is_iss_again_sends_no_syn)
{
    struct talk *t = talk_established("mss 1460");

    app_writes(t, 1000);
    we_send(t, "P. 1:1001(1000) ack 1");
    peer_sends(t, ". 1:1(0) ack 1001");
    t->tcb->iss = t->tcb->snd_nxt + 500; /* as if 2^32 - 501 bytes had gone before */
    app_writes(t, 500);
    we_send(t, "P. 1001:1501(500) ack 1");
    we_send_nothing(t);
    peer_sends(t, ". 1:1(0) ack 1501");
    we_send_nothing(t);
    app_writes(t, 500);
    we_send(t, "P. 1501:2001(500) ack 1");
    peer_sends(t, ". 1:1(0) ack 2001");
    time_passes_ms(t, 5 * SECOND_MS);
    talk_free(t);
}
END_TEST

/* The frame compares every byte: a stream shifted by the octet of a SYN is seen. */
START_TEST(snd_una_that_is_iss_again_does_not_shift_the_stream)
{
    struct talk *t = talk_established("mss 1460");

    app_writes(t, 1000);
    we_send(t, "P. 1:1001(1000) ack 1");
    peer_sends(t, ". 1:1(0) ack 1001");
    t->tcb->iss = t->tcb->snd_nxt + MSS;
    app_writes(t, 4 * MSS);
    for (uint32_t at = 1001; at < 1001 + 4 * MSS; at += MSS)
        (void)hear(t);
    peer_sends(t, ". 1:1(0) ack 2461"); /* SND.UNA is ISS */
    ck_assert_uint_eq(talk_status(t).send_queued_bytes, 3 * MSS);
    ck_assert_uint_ne(time_until_we_send_us(t, 5 * SECOND_MS), UINT64_MAX);
    we_send(t, ". 2461:3921(1460) ack 1"); /* by the RTO */
    peer_sends(t, ". 1:1(0) ack 3921");
    ck_assert_uint_eq(talk_status(t).send_queued_bytes, 2 * MSS);
    forget_sent(t);
    app_writes(t, MSS);
    acknowledge_up_to(t, 1001 + 5 * MSS);
    ck_assert_uint_eq(talk_status(t).send_queued_bytes, 0);
    talk_free(t);
}
END_TEST

/* ---- closed windows, 9293 3.8.6.1 */

/* What the peer would drop, it would also answer. */
START_TEST(acknowledgment_beside_a_probe_lies_in_the_window)
{
    struct talk *t = at_closed_window("mss 1460", 1000);

    time_passes_ms(t, 300);
    we_send(t, ". 1:2(1) ack 1");
    peer_sends(t, "P. 1:101(100) ack 1 win 0");
    time_passes_ms(t, 100);
    we_send(t, ". 1:1(0) ack 101"); /* not 2:2 */
    talk_free(t);
}
END_TEST

START_TEST(lost_probe_does_not_end_a_connection_whose_others_are_answered) /* MUST-37 */
{
    struct talk *t = at_closed_window("mss 1460", 1000);

    for (unsigned i = 0; i < 40; i++) {
        ck_assert_uint_ne(time_until_we_send_us(t, 2 * MINUTE_MS), UINT64_MAX);
        we_send(t, ". 1:2(1) ack 1");
        if (i % 13 != 12)
            peer_sends(t, ". 1:1(0) ack 1 win 0");
        state_is(t, TCPS_ESTABLISHED);
    }
    ck_assert_uint_gt(t->now_us - t->start_us, 2 * talk_config().tcp.r2_us); /* or it says little */
    peer_sends(t, ". 1:1(0) ack 1 win 65535");
    acknowledge_up_to(t, 1001);
    talk_free(t);
}
END_TEST

/* RFC 2018 section 8: the octet may be dropped again, so a SACK of it settles nothing. */
START_TEST(sack_of_the_probe_does_not_stop_the_probing)
{
    struct talk *t = at_closed_window("mss 1460,sackOK", 1000);

    for (unsigned i = 0; i < 20; i++) {
        ck_assert_uint_ne(time_until_we_send_us(t, 2 * MINUTE_MS), UINT64_MAX);
        we_send(t, ". 1:2(1) ack 1");
        peer_sends(t, ". 1:1(0) ack 1 win 0 <sack 1:2>");
    }
    peer_sends(t, ". 1:1(0) ack 1 win 65535");
    acknowledge_up_to(t, 1001);
    talk_free(t);
}
END_TEST

/* Nobody is left who could abort it. 0: closed, 1: still held (MUST-37). */
START_TEST(connection_that_nobody_holds_ends_at_a_window_that_stays_closed)
{
    struct talk *t = at_closed_window("mss 1460", 1000);
    bool is_held = _i == 1;
    uint64_t r2_us = talk_config().tcp.r2_us;

    if (!is_held)
        tcp_close(t->tcb);
    state_is(t, is_held ? TCPS_ESTABLISHED : TCPS_FIN_WAIT_1);
    while (t->now_us - t->start_us < 3 * r2_us) {
        ck_assert_uint_ne(time_until_we_send_us(t, 2 * MINUTE_MS), UINT64_MAX);
        if (t->state == TCPS_CLOSED)
            break;
        we_send(t, ". 1:2(1) ack 1");
        peer_sends(t, ". 1:1(0) ack 1 win 0");
    }
    if (is_held) {
        state_is(t, TCPS_ESTABLISHED);
        peer_sends(t, ". 1:1(0) ack 1 win 65535");
        acknowledge_up_to(t, 1001);
    } else {
        state_is(t, TCPS_CLOSED);
        ck_assert_uint_ge(t->now_us - t->start_us, r2_us);
        ck_assert_uint_le(t->now_us - t->start_us, r2_us + 61000000); /* the next probe's turn */
        we_send(t, "R. 1:1(0) ack 1");
        ck_assert_uint_eq(t->stack->tcp.connection_count, 0);
    }
    talk_free(t);
}
END_TEST

/* It has made progress within R2, again and again. */
START_TEST(connection_that_nobody_holds_lives_while_the_peer_takes_bytes)
{
    struct talk *t = at_closed_window("mss 1460", 100);

    tcp_close(t->tcb);
    for (uint32_t at = 1; at < 60; at++) {
        ck_assert_uint_ne(time_until_we_send_us(t, 2 * MINUTE_MS), UINT64_MAX);
        we_send(t, segment(". %u:%u(1) ack 1", at, at + 1));
        peer_sends(t, segment(". 1:1(0) ack %u win 0", at + 1));
    }
    ck_assert_uint_gt(t->now_us - t->start_us, 2 * talk_config().tcp.r2_us);
    state_is(t, TCPS_FIN_WAIT_1);
    forget_sent(t);
    talk_free(t);
}
END_TEST

/* 3.8.6.2.1 (4): however often it is announced again. */
START_TEST(window_that_is_announced_again_does_not_put_off_the_override_time_out)
{
    struct talk *t = talk_established("mss 1460");
    uint64_t begin_us = t->now_us;

    peer_sends(t, ". 1:1(0) ack 1 win 100");
    app_writes(t, 2000);
    while (t->sent_count == 0 && t->now_us - begin_us < 5000000) {
        peer_sends(t, ". 1:1(0) ack 1 win 100");
        time_passes_ms(t, 10);
    }
    we_send(t, ". 1:101(100) ack 1");
    ck_assert_uint_le(t->now_us - begin_us, 1000000);
    talk_free(t);
}
END_TEST

/* ---- our window, 9293 3.8.6 and RFC 7323 2.4 */

/* Each segment is smaller than what the scale can say. The peer keeps to the window. */
START_TEST(small_segments_do_not_let_the_window_creep_beyond_the_buffer)
{
    static const uint32_t buffer_max_bytes[] = {65535u << 6, 1u << 30};
    enum { BUFFER = 128 << 10, SMALL = 63, SEGMENTS = 3 * BUFFER / SMALL };
    struct stack_config config = talk_config();
    uint32_t at = 1, win = 1;

    config.tcp.receive_buffer_bytes = BUFFER;
    config.tcp.receive_buffer_max_bytes = buffer_max_bytes[_i];
    config.tcp.delayed_ack_us = 0;
    struct talk *t = talk_new(&config);
    talk_establish(t, "mss 1460,wscale 7");
    uint32_t unit = 1u << talk_status(t).rcv_wnd_shift;
    ck_assert_uint_gt(unit, SMALL);
    for (int i = 0; i < SEGMENTS && win > 0; i++) {
        uint32_t len = win < SMALL && i > 0 ? win : SMALL;
        peer_sends(t, segment(". %u:%u(%u) ack 1", at, at + len, len));
        at += len;
        win = hear(t).win * unit;
    }
    ck_assert_uint_eq(win, 0);
    ck_assert_uint_eq(talk_status(t).receive_queued_bytes, at - 1);
    ck_assert_uint_ge(at - 1, BUFFER - 2 * unit); /* it was all offered */
    ck_assert_uint_le(at - 1, BUFFER + MSS + 2 * unit);
    while (t->read < at - 1)
        app_reads(t, at - 1 - t->read < 1000 ? at - 1 - t->read : 1000);
    ck_assert_uint_gt(t->sent_count, 0); /* and it opens again */
    forget_sent(t);
    talk_free(t);
}
END_TEST

/* In SYN-RECEIVED the window of an ACK is scaled and rounded up, that of a SYN,ACK is not. */
START_TEST(syn_ack_never_announces_a_closed_window)
{
    static const char *const options[] = {"mss 1460", "mss 1460,wscale 7"};
    struct talk *t = talk_new(NULL);

    talk_listen(t);
    peer_sends(t, segment("S 0:0(0) win 65535 <%s>", options[_i]));
    we_send(t, "S. 0:0(0) ack 1");
    unsigned first_win = t->heard_win;
    unsigned unit = _i == 0 ? 1 : 64; /* the default buffer's scale */
    ck_assert_uint_gt(first_win, 0);
    for (int i = 0; i < 3; i++) {
        peer_sends(t, ". 100000:100000(0) ack 1"); /* unacceptable: answered by an ACK */
        we_send(t, ". 1:1(0) ack 1");
        ck_assert_uint_lt(t->heard_win * unit, first_win + unit); /* no more than it can repeat */
        ck_assert_uint_ne(time_until_we_send_us(t, MINUTE_MS), UINT64_MAX);
        we_send(t, "S. 0:0(0) ack 1");
        ck_assert_uint_ge(t->heard_win, first_win);
        peer_sends(t, segment("S 0:0(0) win 65535 <%s>", options[_i]));
        we_send(t, "S. 0:0(0) ack 1");
        ck_assert_uint_ge(t->heard_win, first_win);
    }
    talk_free(t);
}
END_TEST

/* ---- path MTU discovery, RFC 1191 */

/* Full segments 1:1461 and 1461:2921 and a short one up to 3001 are in flight. */
static struct talk *with_full_segments_in_flight(void)
{
    struct stack_config config = talk_config();

    config.tcp.nagle = false;
    struct talk *t = talk_new(&config);
    talk_establish(t, "mss 1460");
    app_writes(t, 3000);
    we_send(t, ". 1:1461(1460) ack 1");
    we_send(t, ". 1461:2921(1460) ack 1");
    we_send(t, "P. 2921:3001(80) ack 1");
    return t;
}

/* What we have sent covers start to end, in segments of at most `mss`. */
static void we_send_in_pieces(struct talk *t, uint32_t start, uint32_t end, uint32_t mss)
{
    while (start < end) {
        struct heard heard = hear(t);
        ck_assert_uint_eq(heard.start, start);
        ck_assert_uint_gt(heard.end, start);
        ck_assert_uint_le(heard.end - heard.start, mss);
        start = heard.end;
    }
    ck_assert_uint_eq(start, end);
    we_send_nothing(t);
}

/* RFC 1191 6.4: no wait for the timer; RFC 1191 3: less than 68 cannot be, and 552 is our floor; a
 * router from before it says 0. */
START_TEST(segments_too_large_for_the_path_are_sent_again_at_once_in_pieces)
{
    static const struct {
        uint16_t mtu, mss;
    } rows[] = {{1000, 960}, {1499, 1459}, {552, 512}, {551, 512}, {68, 512}, {1, 512}, {0, 1452}};
    struct talk *t = with_full_segments_in_flight();
    uint16_t mss = rows[_i].mss;
    uint32_t cwnd_bytes = talk_status(t).cwnd_bytes;

    router_wants_less(t, rows[_i].mtu, 1461);
    we_send_in_pieces(t, 1, 2921, mss); /* the last one has fitted */
    ck_assert_uint_eq(talk_status(t).snd_mss_bytes, mss);
    ck_assert_uint_eq(talk_status(t).cwnd_bytes,
                      cwnd_bytes / MSS * mss); /* no sign of congestion */
    peer_sends(t, ". 1:1(0) ack 3001");
    app_writes(t, 3000);
    we_send_in_pieces(t, 3001, 6001, mss);
    peer_sends(t, ". 1:1(0) ack 6001");
    ck_assert_uint_eq(talk_status(t).in_flight_bytes, 0);
    time_passes_ms(t, 5 * SECOND_MS);
    talk_free(t);
}
END_TEST

/* RFC 5927 4.1: the quoted number must be in flight; RFC 1191 3: no error makes segments larger. */
START_TEST(forged_fragmentation_needed_does_nothing)
{
    static const struct {
        uint16_t mtu;
        uint32_t seq;
    } rows[] = {{1000, 0},          {1000, 3001}, {1000, 5000}, {1000, (uint32_t)-1},
                {1000, 0x80000000}, {1500, 1},    {9000, 1},    {65535, 1}};
    struct talk *t = with_full_segments_in_flight();

    router_wants_less(t, rows[_i].mtu, rows[_i].seq);
    we_send_nothing(t);
    ck_assert_uint_eq(talk_status(t).snd_mss_bytes, MSS);
    peer_sends(t, ". 1:1(0) ack 3001");
    app_writes(t, MSS);
    we_send(t, "P. 3001:4461(1460) ack 1");
    talk_free(t);
}
END_TEST

START_TEST(repeated_fragmentation_needed_sends_nothing_more)
{
    struct talk *t = with_full_segments_in_flight();

    router_wants_less(t, 1000, 1);
    we_send_in_pieces(t, 1, 2921, 960);
    router_wants_less(t, 1000, 1461);
    router_wants_less(t, 1200, 1461); /* nor larger ones */
    we_send_nothing(t);
    ck_assert_uint_eq(talk_status(t).snd_mss_bytes, 960);
    talk_free(t);
}
END_TEST

/* ---- forged and old segments, RFC 5961 */

static const struct unwanted {
    const char *options, *segment;
} unwanted[] = {
    {"mss 1460", ". -100:-100(0) ack 1"}, /* before the window */
    {"mss 1460", ". 4000000:4000000(0)"}, /* beyond it, and without ACK */
    {"mss 1460", ". 1:1(0) ack 5000"},    /* acknowledges what was never sent */
    {"mss 1460,TS val 0 ecr 0", ". 1:1(0) ack 1 <TS val -9 ecr 0>"}, /* PAWS */
};
enum { UNWANTED_COUNT = sizeof unwanted / sizeof unwanted[0] };

START_TEST(unwanted_segments_without_text_are_answered_once_in_half_a_second)
{
    const char *const text = unwanted[_i].segment;
    struct talk *t = talk_established(unwanted[_i].options);

    for (int i = 0; i < 3; i++) {
        peer_sends(t, text);
        we_send(t, ". 1:1(0) ack 1");
        for (int again = 0; again < 20; again++) {
            peer_sends(t, text);
            we_send_nothing(t);
        }
        time_passes_ms(t, 499);
        peer_sends(t, text);
        we_send_nothing(t);
        time_passes_ms(t, 1);
    }
    state_is(t, TCPS_ESTABLISHED);
    talk_free(t);
}
END_TEST

/* A retransmission whose acknowledgment was lost must not wait. */
START_TEST(unwanted_segments_with_text_are_always_answered)
{
    static const struct unwanted rows[] = {
        {"mss 1460", "P. -9:1(10) ack 1"},
        {"mss 1460", "P. 4000000:4000010(10) ack 1"},
        {"mss 1460,TS val 0 ecr 0", "P. 1:11(10) ack 1 <TS val -9 ecr 0>"},
    };
    struct talk *t = talk_established(rows[_i].options);

    for (int i = 0; i < 20; i++) {
        peer_sends(t, rows[_i].segment);
        we_send(t, ". 1:1(0) ack 1");
    }
    talk_free(t);
}
END_TEST

/* Blocks of one byte each, all over the flight. */
START_TEST(sack_blocks_of_single_bytes_do_not_grow_the_list_without_bound)
{
    enum { SEGMENTS = 100, LIMIT = 64 + 4 * SEGMENTS, ACKS = 3 * LIMIT / 8 };
    struct stack_config config = talk_config();

    config.tcp.initial_window_segments = SEGMENTS;
    struct talk *t = talk_new(&config);
    talk_establish(t, "mss 1460,wscale 7,sackOK");
    peer_sends(t, ". 1:1(0) ack 1 win 65535");
    app_writes(t, SEGMENTS * MSS);
    ck_assert_uint_eq(talk_status(t).snd_nxt - talk_status(t).snd_una, SEGMENTS * MSS);
    forget_sent(t);
    for (uint32_t at = 2, i = 0; i < ACKS; i++, at += 8) {
        peer_sends(t, segment(". 1:1(0) ack 1 win 65535 <sack %u:%u %u:%u %u:%u %u:%u>", at, at + 1,
                              at + 2, at + 3, at + 4, at + 5, at + 6, at + 7));
        ck_assert_uint_le(t->tcb->work->in_flight.count, LIMIT);
        forget_sent(t);
    }
    ck_assert_uint_gt(t->tcb->work->in_flight.count, LIMIT / 2); /* or it shows nothing */
    acknowledge_up_to(t, SEGMENTS * MSS + 1);
    ck_assert_uint_eq(t->tcb->work->in_flight.count, 0);
    talk_free(t);
}
END_TEST

/* ---- those who wait in the backlog */

static void peer_sends_syn_from(struct talk *t, uint16_t port, enum drop expected)
{
    t->peer_port = port;
    ck_assert_int_eq(peer_sends(t, "S 0:0(0) win 65535 <mss 1460>"), expected);
    if (expected == DROP_NOT)
        we_send(t, "S. 0:0(0) ack 1");
    else
        we_send_nothing(t);
}

START_TEST(connection_without_its_third_packet_leaves_the_backlog_after_32_s)
{
    struct stack_config config = talk_config();

    config.tcp.backlog = 2;
    config.tcp.syn_cookies = TCP_SYN_COOKIES_OFF;
    struct talk *t = talk_new(&config);
    talk_listen(t);
    peer_sends_syn_from(t, 7000, DROP_NOT);
    peer_sends_syn_from(t, 7001, DROP_NOT);
    peer_sends_syn_from(t, 7002, DROP_TCP_BACKLOG_FULL);
    for (int second = 0; second < 32; second++) { /* five transmissions each */
        time_passes_ms(t, SECOND_MS);
        forget_sent(t);
    }
    time_passes_ms(t, 1);
    ck_assert_uint_eq(t->stack->tcp.connection_count, 1); /* the listener */
    forget_sent(t);
    peer_sends_syn_from(t, 7003, DROP_NOT);
    peer_sends_syn_from(t, 7004, DROP_NOT);
    talk_free(t);
}
END_TEST

START_TEST(closed_listener_resets_those_who_wait_for_it)
{
    enum { CHILDREN = 5 };
    bool is_reset[CHILDREN] = {0};
    struct talk *t = talk_new(NULL);

    talk_listen(t);
    for (unsigned i = 0; i < CHILDREN; i++)
        peer_sends_syn_from(t, (uint16_t)(7000 + i), DROP_NOT);
    tcp_close(t->listener);
    talk_pull(t);
    ck_assert_uint_eq(t->sent_count, CHILDREN);
    for (unsigned i = 0; i < CHILDREN; i++) { /* in the order of the table */
        t->peer_port = (uint16_t)number_at(t->sent[t->sent_first].bytes + IP_BYTES + 2, 2);
        is_reset[t->peer_port - 7000] = true;
        we_send(t, "R. 1:1(0) ack 1");
    }
    ck_assert_uint_eq(t->stack->tcp.connection_count, 0);
    ck_assert_uint_eq(t->stack->tcp.table.count, 0);
    for (unsigned i = 0; i < CHILDREN; i++) {
        ck_assert(is_reset[i]);
        t->peer_port = (uint16_t)(7000 + i);
        peer_sends(t, ". 1:1(0) ack 1");
        we_send(t, "R 1:1(0)"); /* unknown */
    }
    time_passes_ms(t, 5 * MINUTE_MS);
    talk_free(t);
}
END_TEST

/* ---- sending */

START_TEST(commit_of_more_than_the_room_is_refused)
{
    struct talk *t = talk_established("mss 1460");
    size_t room;

    uint8_t *place = tcp_send_reserve(t->tcb, &room);
    ck_assert_ptr_nonnull(place);
    ck_assert_int_eq(tcp_send_commit(t->tcb, room + 1), TCP_ERR_INVALID);
    ck_assert_int_eq(tcp_send_commit(t->tcb, SIZE_MAX), TCP_ERR_INVALID);
    we_send_nothing(t);
    ck_assert_uint_eq(talk_status(t).send_queued_bytes, 0);
    place = tcp_send_reserve(t->tcb, &room);
    ck_assert_uint_ge(room, 3);
    for (uint32_t i = 0; i < 3; i++)
        place[i] = talk_byte(1 + i);
    ck_assert_int_eq(tcp_send_commit(t->tcb, 3), 3);
    we_send(t, "P. 1:4(3) ack 1");
    talk_free(t);
}
END_TEST

/* RFC 5681 4.1: what the window knew of the path may be long out of date. */
START_TEST(restart_after_a_pause_begins_with_the_initial_window)
{
    struct talk *t = talk_established("mss 1460,wscale 7,sackOK");

    for (int round = 0; round < 6; round++) {
        app_writes(t, 100000);
        time_passes_ms(t, 1);
        acknowledge_up_to(t, (uint32_t)(round + 1) * 100000 + 1);
    }
    uint32_t cwnd_bytes = talk_status(t).cwnd_bytes;
    ck_assert_uint_ge(cwnd_bytes, 3 * INITIAL_WINDOW); /* or it shows nothing */
    ck_assert_uint_ge(talk_status(t).snd_wnd, 3 * INITIAL_WINDOW);
    time_passes_ms(t, _i == 0 ? 3600 * SECOND_MS : 50);
    app_writes(t, 250000);
    uint32_t burst_bytes = talk_status(t).snd_nxt - talk_status(t).snd_una;
    if (_i == 0) {
        ck_assert_uint_le(burst_bytes, INITIAL_WINDOW);
        ck_assert_uint_ge(burst_bytes, INITIAL_WINDOW - MSS);
    } else { /* shorter than the RTO */
        ck_assert_uint_ge(burst_bytes, cwnd_bytes - MSS);
    }
    forget_sent(t);
    talk_free(t);
}
END_TEST

/* RFC 6582 3.2 step 2 and section 4: they come from what was sent twice. */
START_TEST(duplicate_acks_at_recover_after_a_time_out_are_no_loss)
{
    struct talk *t = talk_established("mss 1460");

    app_writes(t, 5 * MSS);
    forget_sent(t);
    ck_assert_uint_ne(time_until_we_send_us(t, 5 * SECOND_MS), UINT64_MAX);
    we_send(t, ". 1:1461(1460) ack 1");
    forget_sent(t);
    peer_sends(t, ". 1:1(0) ack 1461");
    forget_sent(t);
    peer_sends(t, ". 1:1(0) ack 4381");
    forget_sent(t);
    peer_sends(t, ". 1:1(0) ack 7301"); /* SND.UNA is recover */
    app_writes(t, 6 * MSS);
    ck_assert_uint_ge(t->sent_count, 2);
    forget_sent(t);
    uint64_t retransmit_count = talk_status(t).retransmit_count;
    uint32_t cwnd_bytes = talk_status(t).cwnd_bytes;
    for (int i = 0; i < 3; i++) {
        peer_sends(t, ". 1:1(0) ack 7301");
        forget_sent(t);
    }
    ck_assert(!talk_status(t).in_recovery);
    ck_assert_uint_eq(talk_status(t).retransmit_count, retransmit_count);
    ck_assert_uint_eq(talk_status(t).cwnd_bytes, cwnd_bytes);
    acknowledge_up_to(t, 1 + 11 * MSS);
    talk_free(t);
}
END_TEST

/* ---- TIME-WAIT, 9293 3.10.7.4 eighth: "restart the 2 MSL time-wait timeout" */

/* The peer's FIN again, alone and behind its last bytes; then ones that nobody has sent. */
START_TEST(only_the_fin_of_the_peer_restarts_time_wait)
{
    static const char *const fins[] = {
        "F. 1:1(0) ack 2",   "F. -9:1(10) ack 2", "F. 1000000:1000000(0) ack 2",
        "F. -5:-5(0) ack 2", "F. 10:10(0) ack 2", "F 1000000:1000000(0)",
        "F. 2:2(0) ack 2",
    };
    bool is_the_peers = _i < 2;
    struct talk *t = talk_in_state(TCPS_TIME_WAIT);

    tcp_close(t->tcb);
    time_passes_ms(t, 50 * SECOND_MS); /* of 60 */
    peer_sends(t, fins[_i]);
    forget_sent(t);
    time_passes_ms(t, 11 * SECOND_MS);
    if (is_the_peers) {
        state_is(t, TCPS_TIME_WAIT);
        time_passes_ms(t, 50 * SECOND_MS);
    }
    state_is(t, TCPS_CLOSED);
    ck_assert_uint_eq(t->stack->tcp.connection_count, 0);
    talk_free(t);
}
END_TEST

/* ---- configurations that make no sense */

static struct tcp_config absurd_config(int row)
{
    struct tcp_config config = talk_config().tcp;

    switch (row) {
    case 0:
        config.rto_max_us = 0;
        break;
    case 1:
        config.delayed_ack_us = 10000000;
        break;
    case 2:
        config.initial_window_segments = 0;
        break;
    case 3:
        config.backlog = 0;
        break;
    case 4:
        config.rto_initial_us = config.rto_min_us = config.rto_max_us = 0;
        break;
    case 5:
        config.rto_initial_us = config.rto_min_us = config.rto_max_us = UINT64_MAX;
        config.delayed_ack_us = UINT64_MAX;
        break;
    case 6:
        config.initial_window_segments = UINT32_MAX;
        config.backlog = UINT32_MAX;
        break;
    default:
        config.rto_max_us = config.rto_min_us = config.rto_initial_us = config.delayed_ack_us = 0;
        config.initial_window_segments = 0;
        config.backlog = 0;
        break;
    }
    return config;
}
enum { ABSURD_COUNT = 8 };

/* Both ways in order, and nothing waits for ever; time_passes_ms() fails when a deadline is due
 * without end. */
static void converse(struct talk *t, bool loses_a_segment)
{
    forget_sent(t);
    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    if (loses_a_segment) {
        ck_assert_uint_ne(time_until_we_send_us(t, 10 * SECOND_MS), UINT64_MAX);
        we_send(t, "P. 1:11(10) ack 1");
    }
    peer_sends(t, ". 1:1(0) ack 11");
    we_send_nothing(t);
    peer_sends(t, "P. 1:11(10) ack 11");
    if (t->sent_count == 0) /* MUST-40 */
        ck_assert_uint_lt(time_until_we_send_us(t, 10 * SECOND_MS), 500000);
    we_send(t, ". 11:11(0) ack 11");
    app_reads(t, 10);
    time_passes_ms(t, 10 * SECOND_MS);
    we_send_nothing(t);
    state_is(t, TCPS_ESTABLISHED);
}

START_TEST(absurd_configuration_of_the_stack_gives_a_connection_that_works)
{
    struct stack_config config = talk_config();

    config.tcp = absurd_config(_i);
    struct talk *t = talk_new(&config);
    talk_establish(t, "mss 1460");
    converse(t, config.tcp.rto_max_us != UINT64_MAX);
    talk_free(t);
}
END_TEST

START_TEST(absurd_configuration_of_a_listener_gives_a_connection_that_works)
{
    struct tcp_config config = absurd_config(_i);
    struct talk *t = talk_new(NULL);

    t->listener = tcp_open_passive(t->stack, NULL, TALK_LISTEN_PORT, &config, NULL);
    ck_assert_ptr_nonnull(t->listener);
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    we_send(t, "S. 0:0(0) ack 1");
    peer_sends(t, ". 1:1(0) ack 1 win 65535");
    t->tcb = tcp_accept(t->listener);
    ck_assert_ptr_nonnull(t->tcb);
    converse(t, config.rto_max_us != UINT64_MAX);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, snd_nxt_that_is_iss_again_sends_no_syn);
    tcase_add_test(tc, snd_una_that_is_iss_again_does_not_shift_the_stream);
    tcase_add_test(tc, acknowledgment_beside_a_probe_lies_in_the_window);
    tcase_add_test(tc, lost_probe_does_not_end_a_connection_whose_others_are_answered);
    tcase_add_test(tc, sack_of_the_probe_does_not_stop_the_probing);
    tcase_add_loop_test(tc, connection_that_nobody_holds_ends_at_a_window_that_stays_closed, 0, 2);
    tcase_add_test(tc, connection_that_nobody_holds_lives_while_the_peer_takes_bytes);
    tcase_add_test(tc, window_that_is_announced_again_does_not_put_off_the_override_time_out);
    tcase_add_loop_test(tc, small_segments_do_not_let_the_window_creep_beyond_the_buffer, 0, 2);
    tcase_add_loop_test(tc, syn_ack_never_announces_a_closed_window, 0, 2);
    tcase_add_loop_test(tc, segments_too_large_for_the_path_are_sent_again_at_once_in_pieces, 0, 7);
    tcase_add_loop_test(tc, forged_fragmentation_needed_does_nothing, 0, 8);
    tcase_add_test(tc, repeated_fragmentation_needed_sends_nothing_more);
    tcase_add_loop_test(tc, unwanted_segments_without_text_are_answered_once_in_half_a_second, 0,
                        UNWANTED_COUNT);
    tcase_add_loop_test(tc, unwanted_segments_with_text_are_always_answered, 0, 3);
    tcase_add_test(tc, sack_blocks_of_single_bytes_do_not_grow_the_list_without_bound);
    tcase_add_test(tc, connection_without_its_third_packet_leaves_the_backlog_after_32_s);
    tcase_add_test(tc, closed_listener_resets_those_who_wait_for_it);
    tcase_add_test(tc, commit_of_more_than_the_room_is_refused);
    tcase_add_loop_test(tc, restart_after_a_pause_begins_with_the_initial_window, 0, 2);
    tcase_add_test(tc, duplicate_acks_at_recover_after_a_time_out_are_no_loss);
    tcase_add_loop_test(tc, only_the_fin_of_the_peer_restarts_time_wait, 0, 7);
    tcase_add_loop_test(tc, absurd_configuration_of_the_stack_gives_a_connection_that_works, 0,
                        ABSURD_COUNT);
    tcase_add_loop_test(tc, absurd_configuration_of_a_listener_gives_a_connection_that_works, 0,
                        ABSURD_COUNT);
}

int main(void)
{
    return unit_main("hazards", tests);
}
