/* Windows: the peer's that closes, shrinks and opens (RFC 9293 3.8.6, 3.8.6.1), silly windows on
 * both sides (3.8.6.2), Nagle (3.7.4), our own window, and when we acknowledge (3.8.6.3). */
#include "talk.h"

/* ESTABLISHED, SRTT 100 ms and RTO 300 ms; the peer's window is `win`. */
static struct talk *with_peer_window(unsigned win)
{
    struct talk *t = talk_new(NULL);

    talk_connect(t);
    time_passes_ms(t, 100);
    peer_sends(t, segment("S. 0:0(0) ack 1 win %u <mss 1460>", win));
    we_send(t, ". 1:1(0) ack 1");
    return t;
}

static struct talk *without_nagle(unsigned win)
{
    struct stack_config config = talk_config();
    struct talk *t;

    config.tcp.nagle = false;
    t = talk_new(&config);
    talk_connect(t);
    peer_sends(t, segment("S. 0:0(0) ack 1 win %u <mss 1460>", win));
    we_send(t, ". 1:1(0) ack 1");
    return t;
}

/* ---- the peer's window */

START_TEST(nothing_is_sent_beyond_the_window)
{
    struct talk *t = with_peer_window(4000);

    app_writes(t, 10000);
    we_send(t, ". 1:1461(1460) ack 1");
    we_send(t, ". 1461:2921(1460) ack 1");
    we_send_nothing(t); /* 1080 more would fit, but not a full segment: SWS */
    peer_sends(t, ". 1:1(0) ack 2921 win 1080");
    time_passes_ms(t, 100);
    peer_sends(t, ". 1:1(0) ack 2921 win 4000");
    we_send(t, ". 2921:4381(1460) ack 1");
    we_send(t, ". 4381:5841(1460) ack 1");
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* 3.8.6.1, MUST-36, SHLD-29: the first probe after one RTO; SHLD-30: then exponentially; MUST-37:
 * as long as they are answered, for ever. */
START_TEST(closed_window_is_probed_after_one_rto_and_then_exponentially)
{
    static const unsigned waits_ms[] = {300,   600,   1200,  2400,  4800,  9600,  19200,
                                        38400, 60000, 60000, 60000, 60000, 60000, 60000};
    struct talk *t = with_peer_window(0);

    app_writes(t, 1000);
    we_send_nothing(t);
    for (unsigned i = 0; i < sizeof waits_ms / sizeof waits_ms[0]; i++) {
        uint64_t wait_us = time_until_we_send_us(t, 200000);
        if (wait_us != waits_ms[i] * 1000ull)
            talk_fail(t, __FILE__, __LINE__, "probe %u after %llu us", i,
                      (unsigned long long)wait_us);
        we_send(t, ". 1:2(1) ack 1");
        we_send_nothing(t);
        peer_sends(t, ". 1:1(0) ack 1 win 0");
    }
    state_is(t, TCPS_ESTABLISHED);
    ck_assert_int_eq(tcp_error(t->tcb), TCP_OK);
    ck_assert_uint_eq(t->events[TRACE_ERROR], 0); /* no trouble to report: R1 is about silence */
    talk_free(t);
}
END_TEST

/* Everything that has not been acknowledged when the window opens. */
static void acknowledge_all(struct talk *t, uint32_t up_to)
{
    for (int round = 0; round < 20 && talk_status(t).snd_una - t->iss != up_to; round++) {
        if (t->sent_count == 0)
            ck_assert_uint_ne(time_until_we_send_us(t, 10000), UINT64_MAX);
        t->sent_count = t->sent_first = 0;
        peer_sends(t, segment(". 1:1(0) ack %u win 65535", talk_status(t).snd_nxt - t->iss));
    }
    ck_assert_uint_eq(talk_status(t).snd_una - t->iss, up_to);
}

START_TEST(reopened_window_is_used_at_once)
{
    struct talk *t = with_peer_window(0);

    app_writes(t, 1000);
    time_passes_ms(t, 300);
    we_send(t, ". 1:2(1) ack 1");
    peer_sends(t, ". 1:1(0) ack 1 win 0");
    time_passes_ms(t, 10);
    peer_sends(t, ". 1:1(0) ack 1 win 65535"); /* a window update */
    ck_assert_uint_gt(t->sent_count, 0);
    acknowledge_all(t, 1001);
    talk_free(t);
}
END_TEST

START_TEST(window_that_opens_before_the_first_probe_needs_none)
{
    struct talk *t = with_peer_window(0);

    app_writes(t, 1000);
    time_passes_ms(t, 299);
    peer_sends(t, ". 1:1(0) ack 1 win 65535");
    we_send(t, "P. 1:1001(1000) ack 1");
    peer_sends(t, ". 1:1(0) ack 1001");
    time_passes_ms(t, 100000);
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* A peer that takes the probe's byte but has no more room. */
START_TEST(probe_that_is_taken_is_followed_by_the_next_byte)
{
    struct talk *t = with_peer_window(0);

    app_writes(t, 1000);
    for (uint32_t at = 1; at < 5; at++) {
        ck_assert_uint_ne(time_until_we_send_us(t, 100000), UINT64_MAX);
        we_send(t, segment(". %u:%u(1) ack 1", at, at + 1));
        we_send_nothing(t);
        peer_sends(t, segment(". 1:1(0) ack %u win 0", at + 1));
    }
    peer_sends(t, ". 1:1(0) ack 5 win 65535");
    we_send(t, "P. 5:1001(996) ack 1");
    talk_free(t);
}
END_TEST

/* R2 holds for probes that nobody answers. */
START_TEST(unanswered_probes_end_the_connection)
{
    struct talk *t = with_peer_window(0);

    app_writes(t, 1000);
    for (int i = 0; i < 60 && t->state == TCPS_ESTABLISHED; i++) {
        ck_assert_uint_ne(time_until_we_send_us(t, 200000), UINT64_MAX);
        if (t->state == TCPS_ESTABLISHED)
            we_send(t, ". 1:2(1) ack 1");
    }
    we_send(t, "R. 1:1(0) ack 1"); /* where the peer, which has not taken the probe, accepts it */
    ck_assert_int_eq(tcp_error(t->tcb), TCP_ERR_TIMED_OUT);
    ck_assert_uint_ge(t->now_us - t->start_us, 900000000);
    talk_free(t);
}
END_TEST

/* SHLD-9: R1 counts the probes since the last answer; the application hears of it once. */
START_TEST(probes_that_are_no_longer_answered_are_reported_at_r1)
{
    enum { R1_COUNT = 3 };
    struct talk *t = with_peer_window(0);

    app_writes(t, 1000);
    for (unsigned i = 0; i < 12; i++) {
        bool is_answered = i < 6;
        unsigned reports = i < 6 + R1_COUNT ? 0 : 1;
        ck_assert_uint_ne(time_until_we_send_us(t, 200000), UINT64_MAX);
        we_send(t, ". 1:2(1) ack 1");
        ck_assert_uint_eq(t->events[TRACE_ERROR], reports);
        if (is_answered)
            peer_sends(t, ". 1:1(0) ack 1 win 0");
    }
    talk_free(t);
}
END_TEST

/* MUST-34, SHLD-15, SHLD-16: the usable window is negative. */
START_TEST(shrunk_window_stops_new_data_but_not_the_old)
{
    struct talk *t = with_peer_window(65535);

    app_writes(t, 10 * MSS);
    for (uint32_t i = 0; i < 10; i++)
        we_send(t, segment("%s %u:%u(1460) ack 1", i == 9 ? "P." : ".", 1 + i * MSS,
                           1 + (i + 1) * MSS));
    time_passes_ms(t, 100);
    peer_sends(t, ". 1:1(0) ack 1461 win 1460");
    app_writes(t, MSS);
    we_send_nothing(t);
    ck_assert_uint_ne(time_until_we_send_us(t, 1000), UINT64_MAX);
    we_send(t, ". 1461:2921(1460) ack 1");
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* SHLD-17, MUST-35: and if it shrinks to nothing the peer that answers keeps the connection. */
START_TEST(window_shrunk_to_zero_is_probed_and_never_times_out)
{
    struct talk *t = with_peer_window(65535);
    uint64_t wait_us = 0;

    app_writes(t, 2 * MSS);
    we_send(t, ". 1:1461(1460) ack 1");
    we_send(t, "P. 1461:2921(1460) ack 1");
    time_passes_ms(t, 100);
    peer_sends(t, ". 1:1(0) ack 1 win 0");
    for (int i = 0; i < 30; i++) {
        uint64_t before_us = wait_us;
        wait_us = time_until_we_send_us(t, 200000);
        ck_assert_uint_ne(wait_us, UINT64_MAX);
        if (i >= 2 && before_us < 60000000)
            ck_assert_uint_ge(wait_us, before_us * 3 / 2); /* the intervals grow: SHLD-30 */
        ck_assert_uint_eq(t->sent_count, 1);
        t->sent_count = t->sent_first = 0;
        peer_sends(t, ". 1:1(0) ack 1 win 0");
    }
    state_is(t, TCPS_ESTABLISHED);
    peer_sends(t, ". 1:1(0) ack 1 win 65535");
    acknowledge_all(t, 2 * MSS + 1);
    talk_free(t);
}
END_TEST

/* 3.10.7.4 fifth: SND.WL1 and SND.WL2. */
START_TEST(old_segment_does_not_set_the_window)
{
    struct talk *t = with_peer_window(65535);

    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    peer_sends(t, ". 1:1(0) ack 11 win 5000");
    peer_sends(t, ". 1:1(0) ack 1 win 6000"); /* reordered: from before it */
    ck_assert_uint_eq(talk_status(t).snd_wnd, 5000);
    peer_sends(t, "P. 11:21(10) ack 1 win 7000");
    we_send(t, ". 11:11(0) ack 1");
    ck_assert_uint_eq(talk_status(t).snd_wnd, 5000);
    peer_sends(t, ". 1:1(0) ack 11 win 8000");
    ck_assert_uint_eq(talk_status(t).snd_wnd, 8000);
    talk_free(t);
}
END_TEST

/* ---- silly windows: the sender, 3.8.6.2.1 (MUST-38) */

/* (3): half of the largest window is worth a segment, (4): less than that has to wait. */
START_TEST(small_window_is_used_from_half_of_the_largest_on)
{
    struct talk *t = with_peer_window(1000);

    peer_sends(t, segment(". 1:1(0) ack 1 win %u", _i == 0 ? 500 : 499));
    app_writes(t, 2000);
    if (_i == 0)
        we_send(t, ". 1:501(500) ack 1");
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* (4): the override time-out, 0.1 to 1 s. */
START_TEST(window_that_stays_silly_is_used_after_the_override_time_out)
{
    struct talk *t = with_peer_window(10000);

    peer_sends(t, ". 1:1(0) ack 1 win 100");
    app_writes(t, 2000);
    we_send_nothing(t);
    uint64_t wait_us = time_until_we_send_us(t, 2000);
    ck_assert_uint_ge(wait_us, 100000);
    ck_assert_uint_le(wait_us, 1000000);
    we_send(t, ". 1:101(100) ack 1");
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* (2) and (3) without the bracketed condition, which is Nagle's. */
START_TEST(half_of_the_largest_window_is_used_with_data_in_flight_if_nagle_is_off)
{
    struct talk *t = without_nagle(1000);

    app_writes(t, 400);
    we_send(t, "P. 1:401(400) ack 1");
    app_writes(t, 700);
    we_send(t, ". 401:1001(600) ack 1");
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* ---- Nagle, 3.7.4 (SHLD-7, MUST-17) */

/* MUST-60: only until the peer answers; SHLD-27: and then as one segment. */
START_TEST(nagle_holds_a_short_segment_while_data_is_in_flight)
{
    struct talk *t = with_peer_window(65535);

    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    app_writes(t, 10);
    app_writes(t, 10);
    we_send_nothing(t);
    peer_sends(t, ". 1:1(0) ack 11");
    we_send(t, "P. 11:31(20) ack 1");
    talk_free(t);
}
END_TEST

/* SHLD-28; MUST-61: the last segment of what was written has PSH. */
START_TEST(nagle_does_not_hold_a_full_segment)
{
    struct talk *t = with_peer_window(65535);

    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    app_writes(t, MSS + 5);
    we_send(t, ". 11:1471(1460) ack 1");
    we_send_nothing(t);
    peer_sends(t, ". 1:1(0) ack 1471");
    we_send(t, "P. 1471:1476(5) ack 1");
    talk_free(t);
}
END_TEST

START_TEST(without_nagle_every_write_leaves_at_once)
{
    struct talk *t = without_nagle(65535);

    for (uint32_t at = 1; at < 51; at += 10) {
        app_writes(t, 10);
        we_send(t, segment("P. %u:%u(10) ack 1", at, at + 10));
    }
    talk_free(t);
}
END_TEST

START_TEST(nagle_does_not_hold_the_end_of_the_stream)
{
    struct talk *t = with_peer_window(65535);

    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    app_writes(t, 10);
    ck_assert_int_eq(tcp_shutdown(t->tcb), TCP_OK);
    we_send(t, "FP. 11:21(10) ack 1");
    talk_free(t);
}
END_TEST

/* ---- our window */

/* ESTABLISHED with a receive buffer of 4000 bytes. */
static struct talk *with_small_buffer(void)
{
    struct stack_config config = talk_config();
    struct talk *t;

    config.tcp.receive_buffer_bytes = 4000;
    config.tcp.window_scaling = false;
    t = talk_new(&config);
    talk_establish(t, "mss 1460");
    ck_assert_uint_eq(t->heard_win, 4000);
    return t;
}

/* 3.8.6.1: a closed window still answers, SHLD-14: the right edge stays. */
START_TEST(full_buffer_closes_the_window_and_answers_probes)
{
    struct talk *t = with_small_buffer();

    peer_sends(t, ". 1:1461(1460) ack 1");
    peer_sends(t, ". 1461:2921(1460) ack 1");
    we_send(t, ". 1:1(0) ack 2921 win 1080");
    peer_sends(t, "P. 2921:4001(1080) ack 1");
    time_passes_ms(t, 500);
    we_send(t, ". 1:1(0) ack 4001 win 0");
    peer_sends(t, ". 4001:4002(1) ack 1"); /* a probe */
    we_send(t, ". 1:1(0) ack 4001 win 0");
    app_reads(t, 4000);
    we_send(t, ". 1:1(0) ack 4001 win 4000");
    peer_sends(t, ". 4001:4002(1) ack 1");
    app_reads(t, 1);
    time_passes_ms(t, 500);
    we_send(t, ". 1:1(0) ack 4002 win 3999");
    talk_free(t);
}
END_TEST

/* From the second on a run of segments begins where half a cache line of the ring does. */
START_TEST(super_segments_end_at_half_a_cache_line)
{
    enum { TO_32_BYTES = 43, SO_AGAIN = 44, SHORT_RUN = 10 };
    struct stack_config config = talk_config();
    const unsigned wanted[] = {TO_32_BYTES, SO_AGAIN, SHORT_RUN};
    struct packet_out out;

    config.gso_max_bytes = STACK_GSO_MAX_BYTES;
    config.tcp.initial_window_segments = 200;
    config.tcp.pacing = TCP_PACING_OFF;
    struct talk *t = talk_new(&config);
    talk_establish(t, "mss 1448,wscale 7");
    peer_sends(t, ". 1:1(0) ack 1 win 4096");
    t->is_holding = true;
    app_writes(t, 1448);
    ck_assert(stack_output(t->stack, &out, t->now_us));
    app_writes(t, (TO_32_BYTES + SO_AGAIN + SHORT_RUN) * 1448);
    for (unsigned i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        ck_assert(stack_output(t->stack, &out, t->now_us));
        ck_assert_uint_eq(out.payload[0].len + out.payload[1].len, wanted[i] * 1448);
    }
    talk_free(t);
}
END_TEST

/* Fill a buffer of this size, probe the window and read everything. */
static void fill_probe_and_read(uint32_t buffer_bytes)
{
    struct stack_config config = talk_config();
    struct talk *t;
    uint32_t next = 1;

    config.tcp.receive_buffer_bytes = buffer_bytes;
    t = talk_new(&config);
    talk_establish(t, "mss 1460,wscale 0");
    for (t->heard_win = 1024; t->heard_win > 0;) { /* 1024 units of 64: the window of the SYN,ACK */
        uint32_t room = t->heard_win << 6;
        uint32_t len = room < 1449 ? room : 1449;
        peer_sends(t, segment("P. %u:%u(%u) ack 1", next, next + len, len));
        next += len;
        ck_assert_uint_ne(time_until_we_send_us(t, 1000), UINT64_MAX);
        we_send(t, segment(". 1:1(0) ack %u", next));
    }
    for (int i = 0; i < 5; i++) {
        peer_sends(t, segment(". %u:%u(0) ack 1", next - 1, next - 1));
        time_passes_ms(t, 1000);
        we_send(t, segment(". 1:1(0) ack %u win 0", next));
    }
    ck_assert_uint_eq(t->events[TRACE_WINDOW], 1);
    app_reads(t, next - 1);
    time_passes_ms(t, 1000);
    ck_assert_ptr_nonnull(talk_next_sent(t));
    t->sent_count = t->sent_first = 0;
    ck_assert_uint_eq(t->events[TRACE_WINDOW], 2);
    talk_free(t);
}

/* That the window has closed is told once, however often nothing is announced, and that it has
 * opened is too. Where the scale rounds, the right edge may lie beyond RCV.NXT when the window that
 * is announced is nothing. */
START_TEST(closed_window_is_told_once)
{
    for (uint32_t crumb = 0; crumb < 64; crumb++)
        fill_probe_and_read(100000 + crumb);
}
END_TEST

/* 3.10.7.4 first: special allowance for valid ACKs and RSTs, MUST-66. */
START_TEST(closed_window_still_takes_acks_and_resets)
{
    struct talk *t = with_small_buffer();

    peer_sends(t, "P. 1:4001(4000) ack 1");
    we_send(t, ". 1:1(0) ack 4001 win 0");
    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 4001 win 0");
    peer_sends(t, ". 4001:4101(100) ack 11"); /* its text does not fit, its ACK counts */
    we_send(t, ". 11:11(0) ack 4001 win 0");
    ck_assert_uint_eq(talk_status(t).snd_una - t->iss, 11);
    peer_sends(t, "R 4002:4002(0)");
    state_is(t, TCPS_ESTABLISHED);
    peer_sends(t, "R 4001:4001(0)");
    state_is(t, TCPS_CLOSED);
    talk_free(t);
}
END_TEST

/* 3.10.7.4 first: only the part inside the window is taken. */
START_TEST(text_that_straddles_the_right_edge_is_cut)
{
    struct talk *t = with_small_buffer();

    peer_sends(t, "P. 1:4501(4500) ack 1");
    we_send(t, ". 1:1(0) ack 4001 win 0");
    app_reads(t, 4000);
    we_send(t, ". 1:1(0) ack 4001 win 4000");
    talk_free(t);
}
END_TEST

/* 3.8.6.2.2, MUST-39: the window opens by a segment or half of the buffer, not by crumbs. */
START_TEST(window_does_not_open_by_crumbs)
{
    struct talk *t = with_small_buffer();

    peer_sends(t, ". 1:1461(1460) ack 1");
    peer_sends(t, ". 1461:2921(1460) ack 1");
    we_send(t, ". 1:1(0) ack 2921 win 1080");
    peer_sends(t, "P. 2921:4001(1080) ack 1");
    time_passes_ms(t, 500);
    we_send(t, ". 1:1(0) ack 4001 win 0");
    for (int i = 0; i < 14; i++) {
        app_reads(t, 100);
        we_send_nothing(t);
    }
    peer_sends(t, ". 4001:4002(1) ack 1"); /* a probe hears of no crumbs either */
    we_send(t, ". 1:1(0) ack 4001 win 0");
    app_reads(t, 1000); /* 2400: more than half */
    we_send(t, ". 1:1(0) ack 4001 win 2400");
    talk_free(t);
}
END_TEST

/* The application reads 32 KB each half millisecond, over a round trip of 50 us: a window for two
 * milliseconds of that is twice 128 KB. No more: it reads no faster. */
START_TEST(receive_buffer_holds_two_milliseconds_however_short_the_round_trip)
{
    struct stack_config config = talk_config();
    struct talk *t = talk_new(&config);
    uint32_t seq = 1;

    talk_connect(t);
    time_passes_us(t, 50);
    peer_sends(t, "S. 0:0(0) ack 1 win 65535 <mss 1460,wscale 2>");
    we_send(t, ". 1:1(0) ack 1");
    for (int i = 0; i < 100; i++) {
        for (int n = 0; n < 20; n++, seq += MSS) {
            peer_sends(t, segment(". %u:%u(%d) ack 1", seq, seq + MSS, MSS));
            forget_sent(t);
        }
        app_reads(t, (size_t)20 * MSS);
        time_passes_us(t, 500);
        forget_sent(t);
    }
    ck_assert_uint_ge(talk_status(t).receive_buffer_bytes, 200 << 10);
    ck_assert_uint_le(talk_status(t).receive_buffer_bytes, 512 << 10);
    talk_free(t);
}
END_TEST

/* ---- acknowledgments, 3.8.6.3 */

/* SHLD-18, MUST-40: below half a second. */
START_TEST(lone_segment_is_acknowledged_with_delay)
{
    struct talk *t = talk_established("mss 1460");

    peer_sends(t, "P. 1:11(10) ack 1");
    we_send_nothing(t);
    uint64_t wait_us = time_until_we_send_us(t, 1000);
    ck_assert_uint_gt(wait_us, 0);
    ck_assert_uint_lt(wait_us, 500000);
    we_send(t, ". 1:1(0) ack 11");
    time_passes_ms(t, 5000);
    talk_free(t);
}
END_TEST

/* SHLD-19 */
START_TEST(every_second_full_segment_is_acknowledged_at_once)
{
    struct talk *t = talk_established("mss 1460");

    for (uint32_t at = 1; at < 10 * MSS; at += 2 * MSS) {
        peer_sends(t, segment(". %u:%u(1460) ack 1", at, at + MSS));
        we_send_nothing(t);
        peer_sends(t, segment(". %u:%u(1460) ack 1", at + MSS, at + 2 * MSS));
        we_send(t, segment(". 1:1(0) ack %u", at + 2 * MSS));
    }
    talk_free(t);
}
END_TEST

START_TEST(acknowledgment_rides_on_data)
{
    struct talk *t = talk_established("mss 1460");

    peer_sends(t, "P. 1:11(10) ack 1");
    app_writes(t, 5);
    we_send(t, "P. 1:6(5) ack 11");
    peer_sends(t, ". 11:11(0) ack 6");
    time_passes_ms(t, 1000);
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* MUST-58, MUST-59: segments that wait together are acknowledged together. */
START_TEST(acknowledgments_are_aggregated)
{
    struct talk *t = talk_established("mss 1460");

    t->is_holding = true;
    for (uint32_t at = 1; at < 8 * MSS; at += MSS)
        peer_sends(t, segment(". %u:%u(1460) ack 1", at, at + MSS));
    t->is_holding = false;
    we_send(t, segment(". 1:1(0) ack %u", 1 + 8 * MSS));
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* SHLD-31, MAY-13, RFC 5681 4.2: a hole, and its end, are told at once. */
START_TEST(hole_is_reported_at_once_and_so_is_its_end)
{
    struct talk *t = talk_established("mss 1460");

    peer_sends(t, "P. 11:21(10) ack 1");
    we_send(t, ". 1:1(0) ack 1");
    peer_sends(t, "P. 31:41(10) ack 1");
    we_send(t, ". 1:1(0) ack 1");
    peer_sends(t, "P. 1:11(10) ack 1");
    we_send(t, ". 1:1(0) ack 21");
    peer_sends(t, "P. 21:31(10) ack 1");
    we_send(t, ". 1:1(0) ack 41");
    app_reads(t, 40);
    talk_free(t);
}
END_TEST

/* 3.10.7.4, SHLD-31: segments in any order, overlapping in any way, make one stream. */
START_TEST(overlapping_segments_make_one_stream)
{
    static const char *const segments[][6] = {
        {"P. 1:11(10) ack 1", "P. 1:21(20) ack 1", "P. 11:31(20) ack 1", "P. 5:41(36) ack 1"},
        {"P. 21:41(20) ack 1", "P. 11:31(20) ack 1", "P. 1:21(20) ack 1"},
        {"P. 11:21(10) ack 1", "P. 31:36(5) ack 1", "P. 5:39(34) ack 1", "P. 1:41(40) ack 1"},
        {"P. 39:41(2) ack 1", "P. 1:3(2) ack 1", "P. 20:30(10) ack 1", "P. 2:40(38) ack 1"},
        {"P. -9:11(20) ack 1", "P. -9:41(50) ack 1"},
    };
    struct talk *t = talk_established("mss 1460");

    for (int i = 0; i < 6 && segments[_i][i] != NULL; i++) {
        t->sent_count = t->sent_first = 0; /* acknowledgments are other tests' business */
        peer_sends(t, segments[_i][i]);
    }
    t->sent_count = t->sent_first = 0;
    time_passes_ms(t, 500);
    t->sent_count = t->sent_first = 0;
    app_reads(t, 40);
    ck_assert_uint_eq(talk_status(t).rcv_nxt - t->irs, 41);
    ck_assert_uint_eq(talk_status(t).out_of_order_ranges, 0);
    ck_assert_uint_eq(talk_status(t).bytes_received, 40);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, nothing_is_sent_beyond_the_window);
    tcase_add_test(tc, closed_window_is_probed_after_one_rto_and_then_exponentially);
    tcase_add_test(tc, reopened_window_is_used_at_once);
    tcase_add_test(tc, window_that_opens_before_the_first_probe_needs_none);
    tcase_add_test(tc, probe_that_is_taken_is_followed_by_the_next_byte);
    tcase_add_test(tc, unanswered_probes_end_the_connection);
    tcase_add_test(tc, probes_that_are_no_longer_answered_are_reported_at_r1);
    tcase_add_test(tc, shrunk_window_stops_new_data_but_not_the_old);
    tcase_add_test(tc, window_shrunk_to_zero_is_probed_and_never_times_out);
    tcase_add_test(tc, old_segment_does_not_set_the_window);
    tcase_add_loop_test(tc, small_window_is_used_from_half_of_the_largest_on, 0, 2);
    tcase_add_test(tc, window_that_stays_silly_is_used_after_the_override_time_out);
    tcase_add_test(tc, half_of_the_largest_window_is_used_with_data_in_flight_if_nagle_is_off);
    tcase_add_test(tc, nagle_holds_a_short_segment_while_data_is_in_flight);
    tcase_add_test(tc, nagle_does_not_hold_a_full_segment);
    tcase_add_test(tc, without_nagle_every_write_leaves_at_once);
    tcase_add_test(tc, nagle_does_not_hold_the_end_of_the_stream);
    tcase_add_test(tc, super_segments_end_at_half_a_cache_line);
    tcase_add_test(tc, closed_window_is_told_once);
    tcase_add_test(tc, receive_buffer_holds_two_milliseconds_however_short_the_round_trip);
    tcase_add_test(tc, full_buffer_closes_the_window_and_answers_probes);
    tcase_add_test(tc, closed_window_still_takes_acks_and_resets);
    tcase_add_test(tc, text_that_straddles_the_right_edge_is_cut);
    tcase_add_test(tc, window_does_not_open_by_crumbs);
    tcase_add_test(tc, lone_segment_is_acknowledged_with_delay);
    tcase_add_test(tc, every_second_full_segment_is_acknowledged_at_once);
    tcase_add_test(tc, acknowledgment_rides_on_data);
    tcase_add_test(tc, acknowledgments_are_aggregated);
    tcase_add_test(tc, hole_is_reported_at_once_and_so_is_its_end);
    tcase_add_loop_test(tc, overlapping_segments_make_one_stream, 0, 5);
}

int main(void)
{
    return unit_main("window", tests);
}
