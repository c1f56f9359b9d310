/* Peers that lie, and what they gain: nothing that the truth would not bring. Each kind of lie is
 * told to one connection and the truth to another, or it is told as often as one likes. What the
 * lies cost is liars_cost.c's question.
 *
 * What no TCP can detect: a peer that acknowledges what was sent and has not arrived, or echoes a
 * timestamp or reports a duplicate to hide a loss. It gets what a receiver on a path without loss
 * gets, for which it gives up the stream. So the bound of these tests is that receiver. */
#include "talk.h"

#include "../../stack/tcp/tcb.h"

enum { IW = 10 * MSS, RTT_MS = 100 };

static unsigned pull_blindly(struct talk *t)
{
    struct packet_out out;
    unsigned count = 0;

    while (stack_output(t->stack, &out, t->now_us))
        count++;
    return count;
}

struct kind {
    enum tcp_congestion congestion;
    uint32_t ssthresh; /* 0: in slow start */
    const char *options;
};

static const struct kind kinds[] = {
    {TCP_CONGESTION_RENO, 0, "mss 1460,wscale 10,sackOK"},
    {TCP_CONGESTION_RENO, IW, "mss 1460,wscale 10,sackOK"},
    {TCP_CONGESTION_RENO, IW, "mss 1460,wscale 10"},
    {TCP_CONGESTION_CUBIC, 0, "mss 1460,wscale 10,sackOK"},
    {TCP_CONGESTION_CUBIC, IW, "mss 1460,wscale 10,sackOK"},
    {TCP_CONGESTION_CUBIC, IW, "mss 1460,wscale 10"},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* Much to send, and a flight of IW under way; nobody looks at what leaves. */
static struct talk *busy(const struct kind *kind)
{
    struct stack_config config = talk_config();

    config.tcp.send_buffer_bytes = 8 << 20;
    config.tcp.congestion = kind->congestion;
    config.tcp.pacing = TCP_PACING_OFF;
    config.tcp.tlp = false;
    struct talk *t = talk_new(&config);
    talk_connect(t);
    time_passes_ms(t, RTT_MS);
    peer_sends(t, segment("S. 0:0(0) ack 1 win 65535 <%s>", kind->options));
    we_send(t, ". 1:1(0) ack 1");
    if (kind->ssthresh > 0)
        t->tcb->work->cc.ssthresh = kind->ssthresh;
    t->is_holding = true;
    app_writes(t, 4 << 20);
    pull_blindly(t);
    return t;
}

static uint32_t una(struct talk *t)
{
    return talk_status(t).snd_una - t->iss;
}

static uint32_t nxt(struct talk *t)
{
    return talk_status(t).snd_nxt - t->iss;
}

/* Acknowledge all that is in flight, every so many bytes; a round trip later. */
static void acknowledge_in_pieces(struct talk *t, uint32_t piece)
{
    uint32_t end = nxt(t);

    time_passes_ms(t, RTT_MS);
    while (una(t) != end) {
        uint32_t next = end - una(t) < piece ? end : una(t) + piece;
        peer_sends(t, segment(". 1:1(0) ack %u win 65535", next));
        pull_blindly(t);
    }
}

/* RFC 3465: bytes are counted, not acknowledgments. */
START_TEST(ack_division_opens_the_window_no_faster)
{
    static const uint32_t pieces[] = {1, 100, MSS / 2, MSS};
    struct talk *honest = busy(&kinds[_i % KINDS]);
    struct talk *liar = busy(&kinds[_i % KINDS]);

    for (int round = 0; round < 3; round++) {
        acknowledge_in_pieces(honest, 2 * MSS);
        acknowledge_in_pieces(liar, pieces[_i / KINDS]);
        uint32_t truth = talk_status(honest).cwnd_bytes, lie = talk_status(liar).cwnd_bytes;
        ck_assert_msg(lie <= truth + MSS, "round %d: %u, honest %u", round, lie, truth);
    }
    talk_free(honest);
    talk_free(liar);
}
END_TEST

/* What was never sent cannot be acknowledged: 9293 3.10.7.4 fifth. The answers are few. */
START_TEST(acknowledgment_of_what_was_not_sent_does_nothing)
{
    struct talk *t = busy(&kinds[_i]);
    struct tcp_status before = talk_status(t);
    unsigned answers = 0;

    for (uint32_t i = 1; i <= 1000; i++) {
        peer_sends(t, segment(". 1:1(0) ack %u win 65535", nxt(t) + i * MSS));
        answers += pull_blindly(t);
    }
    struct tcp_status after = talk_status(t);
    ck_assert_uint_le(answers, 1);
    ck_assert_uint_eq(after.snd_una, before.snd_una);
    ck_assert_uint_eq(after.snd_nxt, before.snd_nxt);
    ck_assert_uint_eq(after.cwnd_bytes, before.cwnd_bytes);
    ck_assert_uint_eq(after.srtt_us, before.srtt_us);
    talk_free(t);
}
END_TEST

/* Optimistic ACKs are those of a receiver that loses nothing: as much is acknowledged, so much may
 * be sent. In slow start a byte for a byte; the peer's window holds all the same. */
START_TEST(acknowledgment_before_arrival_brings_what_arrival_would)
{
    struct talk *t = busy(&kinds[_i]);
    uint32_t before = talk_status(t).cwnd_bytes, from = una(t);

    for (int i = 0; i < 200; i++) {
        peer_sends(t, segment(". 1:1(0) ack %u win 60", nxt(t)));
        pull_blindly(t);
        ck_assert_uint_le(nxt(t) - una(t), 60 << 10);
    }
    ck_assert_uint_le(talk_status(t).cwnd_bytes, before + (una(t) - from));
    talk_free(t);
}
END_TEST

/* RFC 5681 section 3.2: duplicates count up to as many segments as were in flight a round trip ago,
 * and no further if each hundredth acknowledges a byte. */
START_TEST(duplicate_acks_without_number_let_a_flight_out_at_most)
{
    bool is_divided = _i >= KINDS;
    struct talk *t = busy(&kinds[_i % KINDS]);
    uint32_t flight = nxt(t) - una(t), sent = nxt(t);

    time_passes_ms(t, RTT_MS);
    for (int i = 0; i < 1000; i++) {
        peer_sends(t, segment(". 1:1(0) ack %d win 65535", is_divided ? 1 + i / 100 : 1));
        pull_blindly(t);
    }
    ck_assert_uint_le(nxt(t) - sent, flight);
    ck_assert_uint_le(talk_status(t).resent_bytes, 12 * MSS);
    ck_assert_uint_le(talk_status(t).cwnd_bytes, IW + MSS);
    talk_free(t);
}
END_TEST

/* RFC 2018: blocks that speak of nothing in flight. */
START_TEST(sack_of_what_is_not_in_flight_does_nothing)
{
    static const char *const blocks[] = {
        "14601:16061",      /* beyond SND.NXT */
        "13141:14602",      /* over its edge */
        "2921:1461",        /* inverted */
        "1461:1461",        /* empty */
        "-2000:-1000",      /* never sent */
        "0:1",              /* the SYN, acknowledged */
        "1:1461",           /* begins at SND.UNA */
        "-1000000000:1461", /* over half the sequence space */
        "1461:=2147483647", /* the same forwards */
        "1000000000:1000001000 14601:16061 2921:1461 1:2",
    };
    struct talk *t = busy(&kinds[0]);

    time_passes_ms(t, RTT_MS);
    for (int i = 0; i < 100; i++) {
        peer_sends(t, segment(". 1:1(0) ack 1 win 65535 <sack %s>", blocks[_i]));
        ck_assert_uint_eq(talk_status(t).sacked_bytes, 0);
        ck_assert_uint_eq(talk_status(t).resent_bytes, 0);
        ck_assert_uint_eq(talk_status(t).cwnd_bytes, IW);
    }
    talk_free(t);
}
END_TEST

/* Blocks that overlap count each byte once; what they let out is what they say has arrived. */
START_TEST(overlapping_blocks_count_each_byte_once)
{
    struct talk *t = busy(&kinds[0]);
    uint32_t sent = nxt(t);

    time_passes_ms(t, RTT_MS);
    for (int i = 0; i < 100; i++) {
        peer_sends(t, ". 1:1(0) ack 1 win 65535 <sack 13141:14601 12000:14000 12001:14601>");
        pull_blindly(t);
    }
    ck_assert_uint_eq(talk_status(t).sacked_bytes, 2601);
    ck_assert_uint_le(nxt(t) - sent, 2601);
    talk_free(t);
}
END_TEST

/* A retransmission is reported as a duplicate without end: RFC 8985 6.2 step 4, RFC 3708. */
START_TEST(flood_of_reported_duplicates_widens_the_reordering_window_once)
{
    struct talk *t = busy(&kinds[0]);

    time_passes_ms(t, RTT_MS);
    peer_sends(t, ". 1:1(0) ack 1 win 65535 <sack 2921:14601>");
    pull_blindly(t);
    ck_assert_uint_eq(talk_status(t).resent_bytes, 2 * MSS);
    time_passes_ms(t, RTT_MS);
    for (int i = 0; i < 1000; i++) {
        peer_sends(t, ". 1:1(0) ack 14601 win 65535 <sack 1:1461>");
        pull_blindly(t);
    }
    ck_assert_uint_le(t->tcb->work->rack.reo_wnd_more, 1);
    ck_assert_uint_eq(talk_status(t).undo_count, 0); /* they were needed: undo.c */
    ck_assert_uint_le(talk_status(t).cwnd_bytes, 2 * IW);
    ck_assert_uint_le(talk_status(t).reo_wnd_us, talk_status(t).srtt_us);
    talk_free(t);
}
END_TEST

/* RFC 6675 section 2: a SACK makes a duplicate ACK, whatever window it brings; so what limited
 * transmit has sent since does not count as in flight when the window is reduced. */
START_TEST(window_beside_a_sack_does_not_soften_the_reduction)
{
    struct talk *t = busy(&kinds[1]);

    t->tcb->work->cc.cwnd = t->tcb->work->cc.ssthresh = IW;
    time_passes_ms(t, RTT_MS);
    for (uint32_t i = 1; i <= 3; i++) {
        peer_sends(t, segment(". 1:1(0) ack 1 win %u <sack 1461:%u>", _i == 0 ? 65535 : 1000 * i,
                              1 + MSS + i * MSS));
        pull_blindly(t);
    }
    ck_assert(talk_status(t).in_recovery);
    ck_assert_uint_eq(talk_status(t).ssthresh_bytes, IW / 2);
    talk_free(t);
}
END_TEST

/* A window that closes and opens makes nothing go out twice. */
START_TEST(window_that_swings_is_no_sign_of_a_loss)
{
    struct talk *t = busy(&kinds[_i]);

    for (int i = 0; i < 1000; i++) {
        peer_sends(t, ". 1:1(0) ack 1 win 0");
        pull_blindly(t);
        peer_sends(t, segment(". 1:1(0) ack 1 win %d", 1 + i % 65535));
        pull_blindly(t);
    }
    ck_assert_uint_eq(talk_status(t).resent_bytes, 0);
    ck_assert_uint_eq(talk_status(t).cwnd_bytes, IW);
    talk_free(t);
}
END_TEST

/* 9293 3.8.6.2.1: a window that opens by a few bytes at a time is not filled by small segments. */
START_TEST(window_that_opens_byte_by_byte_gets_no_small_segments)
{
    struct talk *t = busy(&kinds[0]);
    uint32_t end = nxt(t);
    unsigned count = 0;

    peer_sends(t, segment(". 1:1(0) ack %u win 0", end));
    for (int i = 0; i < 100; i++) {
        t->tcb->snd_wnd_shift = 0; /* a fine window */
        peer_sends(t, segment(". 1:1(0) ack %u win %d", end, i + 1));
        count += pull_blindly(t);
    }
    ck_assert_uint_eq(count, 0);
    talk_free(t);
}
END_TEST

/* RFC 7323 4.1: an echo can only shorten what was measured; one of a time to come counts for
 * nothing. */
START_TEST(invented_echo_does_not_lengthen_the_round_trip)
{
    static const struct kind with_timestamps = {TCP_CONGESTION_RENO, 0,
                                                "mss 1460,wscale 10,sackOK,TS val 0 ecr 0"};
    static const int echoes[] = {-2000000000, -1000, 0, 1, 1000000, 2000000000};
    struct talk *t = busy(&with_timestamps);

    for (int i = 0; i < 20; i++) {
        time_passes_ms(t, RTT_MS);
        peer_sends(t, segment(". 1:1(0) ack %u win 65535 <TS val %d ecr %d>", nxt(t), 100 + i,
                              echoes[_i]));
        pull_blindly(t);
        ck_assert_uint_le(talk_status(t).srtt_us, RTT_MS * 1000);
        ck_assert_uint_le(talk_status(t).rto_us, 4 * RTT_MS * 1000);
    }
    talk_free(t);
}
END_TEST

/* Eifel (RFC 3522), spoofed at each loss: the window is at most what it was before the loss. */
START_TEST(spoofed_echoes_bring_back_what_was_and_no_more)
{
    static const struct kind with_timestamps = {TCP_CONGESTION_RENO, IW,
                                                "mss 1460,wscale 10,sackOK,TS val 0 ecr 0"};
    struct talk *t = busy(&with_timestamps);

    for (int i = 0; i < 50; i++) {
        uint32_t from = una(t), to = nxt(t), before = talk_status(t).cwnd_bytes;
        time_passes_ms(t, RTT_MS);
        peer_sends(t, segment(". 1:1(0) ack %u win 65535 <TS val 100 ecr 0,sack %u:%u>", from,
                              from + 2 * MSS, to));
        pull_blindly(t);
        peer_sends(t, segment(". 1:1(0) ack %u win 65535 <TS val 100 ecr 0>", to));
        pull_blindly(t);
        ck_assert_uint_le(talk_status(t).cwnd_bytes, before + MSS);
    }
    talk_free(t);
}
END_TEST

/* RFC 3168 6.1.2: once per window of data. An ECE that was not agreed upon is nothing. */
START_TEST(ece_on_every_acknowledgment_reduces_once_per_round)
{
    bool is_agreed = _i == 1;
    struct stack_config config = talk_config();

    config.tcp.congestion = TCP_CONGESTION_RENO;
    config.tcp.send_buffer_bytes = 8 << 20;
    struct talk *t = talk_new(&config);
    talk_listen(t);
    peer_sends(t, is_agreed ? "SEW 0:0(0) win 65535 <mss 1460>" : "S 0:0(0) win 65535 <mss 1460>");
    forget_sent(t);
    time_passes_ms(t, RTT_MS);
    peer_sends(t, ". 1:1(0) ack 1 win 65535");
    t->tcb = tcp_accept(t->listener);
    ck_assert_ptr_nonnull(t->tcb);
    t->is_holding = true;
    app_writes(t, 1 << 20);
    pull_blindly(t);
    for (uint32_t end = 1 + MSS; end <= 1 + 9 * MSS; end += MSS)
        peer_sends(t, segment("E. 1:1(0) ack %u win 65535", end));
    if (is_agreed)
        ck_assert_uint_eq(talk_status(t).cwnd_bytes, IW / 2);
    else
        ck_assert_uint_eq(talk_status(t).cwnd_bytes, IW + 9 * MSS);
    uint64_t acked = talk_status(t).bytes_acked;
    for (int i = 0; i < 200; i++) { /* and it goes on */
        time_passes_ms(t, 1000);
        pull_blindly(t);
        peer_sends(t, segment("E. 1:1(0) ack %u win 65535", nxt(t)));
        pull_blindly(t);
    }
    ck_assert_uint_ge(talk_status(t).cwnd_bytes, MSS);
    ck_assert_uint_ge(talk_status(t).bytes_acked, acked + 100 * MSS);
    talk_free(t);
}
END_TEST

/* 9293 3.7.1 says nothing of the least MSS; one byte each would be forty of header for one. */
START_TEST(announced_mss_of_one_is_not_followed)
{
    static const char *const options[] = {"mss 1", "mss 0", "mss 1,TS val 0 ecr 0"};
    struct talk *t = talk_new(NULL);

    talk_connect(t);
    peer_sends(t, segment("S. 0:0(0) ack 1 win 65535 <%s>", options[_i]));
    t->is_holding = true;
    app_writes(t, 64 << 10);
    forget_sent(t);
    ck_assert_uint_ge(talk_status(t).snd_mss_bytes, _i == 2 ? 48 - 12 : 48);
    ck_assert_uint_le(pull_blindly(t), 12);
    talk_free(t);
}
END_TEST

/* The pointer says whatever it likes: the stream is what it is (9293 3.8.5). */
START_TEST(urgent_pointers_do_not_touch_the_stream)
{
    struct talk *t = talk_established("mss 1460");

    for (uint32_t i = 0; i < 100; i++) {
        peer_sends(
            t, segment("UP. %u:%u(10) ack 1 urg %u", 1 + 10 * i, 11 + 10 * i, i * 7919 % 65536));
        forget_sent(t);
    }
    app_reads(t, 1000);
    ck_assert_uint_eq(talk_status(t).rcv_nxt - t->irs, 1001);
    forget_sent(t);
    talk_free(t);
}
END_TEST

/* Unknown kinds, lengths of 0 and 1 and beyond the header: the acknowledgment counts, or the
 * segment does not; nothing else changes. */
START_TEST(garbage_in_options_changes_nothing)
{
    struct talk *t = busy(&kinds[0]);
    struct tcp_status before = talk_status(t);

    for (unsigned kind = 2; kind < 256; kind++) {
        for (unsigned len = 0; len <= 12; len += 3) {
            peer_sends(t, segment(". 1:1(0) ack 1 win 65535 <raw %u %u 255 0 255>", kind, len));
            ck_assert_uint_le(pull_blindly(t), 1);
        }
    }
    ck_assert_uint_eq(talk_status(t).snd_mss_bytes, before.snd_mss_bytes);
    ck_assert_uint_eq(talk_status(t).snd_wnd_shift, before.snd_wnd_shift);
    ck_assert_uint_eq(talk_status(t).sacked_bytes, 0);
    ck_assert_uint_eq(talk_status(t).snd_una, before.snd_una);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, ack_division_opens_the_window_no_faster, 0, 4 * KINDS);
    tcase_add_loop_test(tc, acknowledgment_of_what_was_not_sent_does_nothing, 0, KINDS);
    tcase_add_loop_test(tc, acknowledgment_before_arrival_brings_what_arrival_would, 0, KINDS);
    tcase_add_loop_test(tc, duplicate_acks_without_number_let_a_flight_out_at_most, 0, 2 * KINDS);
    tcase_add_loop_test(tc, sack_of_what_is_not_in_flight_does_nothing, 0, 10);
    tcase_add_test(tc, overlapping_blocks_count_each_byte_once);
    tcase_add_test(tc, flood_of_reported_duplicates_widens_the_reordering_window_once);
    tcase_add_loop_test(tc, window_beside_a_sack_does_not_soften_the_reduction, 0, 2);
    tcase_add_loop_test(tc, window_that_swings_is_no_sign_of_a_loss, 0, KINDS);
    tcase_add_test(tc, window_that_opens_byte_by_byte_gets_no_small_segments);
    tcase_add_loop_test(tc, invented_echo_does_not_lengthen_the_round_trip, 0, 6);
    tcase_add_test(tc, spoofed_echoes_bring_back_what_was_and_no_more);
    tcase_add_loop_test(tc, ece_on_every_acknowledgment_reduces_once_per_round, 0, 2);
    tcase_add_loop_test(tc, announced_mss_of_one_is_not_followed, 0, 3);
    tcase_add_test(tc, urgent_pointers_do_not_touch_the_stream);
    tcase_add_test(tc, garbage_in_options_changes_nothing);
}

int main(void)
{
    return unit_main("liars_gain", tests);
}
