/* Options: what a SYN offers and a SYN,ACK answers, MSS (RFC 9293 3.7.1), window scale and
 * timestamps with PAWS (RFC 7323), SACK blocks that we send (RFC 2018). */
#include "talk.h"

/* ---- negotiation */

/* MUST-4, MUST-14, RFC 7323 1.3 and 3.2, RFC 2018 section 2: a SYN,ACK carries what the SYN
 * offered. */
START_TEST(syn_ack_answers_only_what_was_offered)
{
    static const struct {
        const char *offered, *answered;
    } rows[] = {
        {"", "mss 1460"},
        {"mss 1460", "mss 1460"},
        {"sackOK", "mss 1460,sackOK"},
        {"wscale 7", "mss 1460,wscale 6"},
        {"TS val 5 ecr 0", "mss 1460,TS val 0 ecr 5"},
        {"mss 1460,sackOK,TS val 5 ecr 0,nop,wscale 7", "mss 1460,wscale 6,TS val 0 ecr 5,sackOK"},
        {"nop,nop,nop,mss 536", "mss 1460"},                         /* MUST-64: at any alignment */
        {"raw 77 4 1 2,mss 900,raw 78 2,sackOK", "mss 1460,sackOK"}, /* MUST-6: unknown kinds */
        {"eol,sackOK", "mss 1460"}, /* nothing counts behind the end */
    };
    struct talk *t = talk_in_state(TCPS_LISTEN);

    t->title = rows[_i].offered;
    peer_sends(t, segment("S 0:0(0) win 65535 <%s>", rows[_i].offered));
    we_send(t, segment("S. 0:0(0) ack 1 <%s>", rows[_i].answered));
    talk_free(t);
}
END_TEST

START_TEST(syn_offers_what_the_configuration_says)
{
    static const struct {
        bool timestamps, window_scaling, sack;
        const char *offered;
    } rows[] = {
        {true, true, true, "mss 1460,wscale 6,TS val 0 ecr 0,sackOK"},
        {false, true, true, "mss 1460,wscale 6,sackOK"},
        {true, false, true, "mss 1460,TS val 0 ecr 0,sackOK"},
        {true, true, false, "mss 1460,wscale 6,TS val 0 ecr 0"},
        {false, false, false, "mss 1460"},
    };
    struct stack_config config = talk_config();

    config.tcp.timestamps = rows[_i].timestamps;
    config.tcp.window_scaling = rows[_i].window_scaling;
    config.tcp.sack = rows[_i].sack;
    struct talk *t = talk_new(&config);
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);
    t->our_port = TALK_OUR_PORT;
    t->tcb = tcp_open_active(t->stack, NULL, 0, &peer, t->peer_port, NULL, NULL);
    we_send(t, segment("S 0:0(0) <%s>", rows[_i].offered));

    /* And takes nothing that it has not offered. */
    peer_sends(t, "S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 5 ecr 0,nop,wscale 7>");
    we_send(t, rows[_i].timestamps ? ". 1:1(0) ack 1 <TS val 0 ecr 5>" : ". 1:1(0) ack 1 <>");
    ck_assert_int_eq(talk_status(t).timestamps, rows[_i].timestamps);
    ck_assert_int_eq(talk_status(t).window_scaling, rows[_i].window_scaling);
    ck_assert_int_eq(talk_status(t).sack, rows[_i].sack);
    ck_assert_uint_eq(talk_status(t).snd_wnd_shift, rows[_i].window_scaling ? 7 : 0);
    talk_free(t);
}
END_TEST

/* ---- MSS */

/* MUST-15: 536 without the option; MUST-16: the smaller of what both can; timestamps count. */
START_TEST(full_segment_is_as_long_as_both_sides_allow)
{
    static const struct {
        const char *options;
        uint32_t clamp, mtu, len;
    } rows[] = {
        {"", 0, 1500, 536},
        {"mss 1000", 0, 1500, 1000},
        {"mss 1460", 0, 1500, 1460},
        {"mss 9000", 0, 1500, 1460},
        {"mss 9000", 1200, 1500, 1200},
        {"mss 9000", 0, 576, 536},
        {"mss 1460,TS val 0 ecr 0", 0, 1500, 1448},
        {"TS val 0 ecr 0", 0, 1500, 524},
        {"mss 1", 0, 1500, 48}, /* Departure: not a header per byte */
        {"mss 0", 0, 1500, 48},
        {"mss 1460", 0, 68, 28},
    };
    struct stack_config config = talk_config();

    config.mtu_bytes = (uint16_t)rows[_i].mtu;
    config.tcp.mss_clamp_bytes = rows[_i].clamp;
    config.tcp.window_scaling = false;
    struct talk *t = talk_new(&config);
    t->title = rows[_i].options;
    talk_establish(t, rows[_i].options);
    app_writes(t, 1500);
    we_send(t, segment("%s 1:%u(%u) ack 1", ".", rows[_i].len + 1, rows[_i].len));
    t->sent_count = t->sent_first = 0;
    talk_free(t);
}
END_TEST

/* 3.7.1, MUST-67, SHLD-5, SHLD-6: what we can take; the clamp shows; MAY-3: 536 is said, too. */
START_TEST(mss_that_we_announce_follows_mtu_and_clamp)
{
    static const struct {
        uint16_t mtu;
        uint32_t clamp, mss;
    } rows[] = {{1500, 0, 1460}, {576, 0, 536}, {1500, 1200, 1200}, {1500, 5000, 1460}};
    struct stack_config config = talk_config();

    config.mtu_bytes = rows[_i].mtu;
    config.tcp.mss_clamp_bytes = rows[_i].clamp;
    struct talk *t = talk_new(&config);
    talk_listen(t);
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    we_send(t, segment("S. 0:0(0) ack 1 <mss %u>", rows[_i].mss));
    talk_free(t);
}
END_TEST

/* ---- window scale, RFC 7323 section 2 */

START_TEST(window_of_a_syn_is_not_scaled_the_next_one_is)
{
    struct talk *t = talk_new(NULL);

    talk_connect(t);
    peer_sends(t, "S. 0:0(0) ack 1 win 1000 <mss 1460,nop,wscale 7>");
    we_send(t, ". 1:1(0) ack 1");
    ck_assert_uint_eq(talk_status(t).snd_wnd, 1000);
    ck_assert_uint_eq(t->heard_win << 6, talk_status(t).rcv_wnd); /* and so is ours */
    ck_assert_uint_gt(talk_status(t).rcv_wnd, 65535);
    peer_sends(t, ". 1:1(0) ack 1 win 1000");
    ck_assert_uint_eq(talk_status(t).snd_wnd, 128000);
    talk_free(t);
}
END_TEST

START_TEST(passive_side_scales_after_the_syn_too)
{
    struct talk *t = talk_new(NULL);

    talk_listen(t);
    peer_sends(t, "S 0:0(0) win 1000 <mss 1460,nop,wscale 7>");
    we_send(t, "S. 0:0(0) ack 1 win 65535");
    peer_sends(t, ". 1:1(0) ack 1 win 1000");
    t->tcb = tcp_accept(t->listener);
    ck_assert_uint_eq(talk_status(t).snd_wnd, 128000);
    talk_free(t);
}
END_TEST

/* 2.3: a shift above 14 is taken for 14. REC-1: a window of 30 bits is kept and computed with. */
START_TEST(window_shift_is_at_most_14)
{
    static const struct {
        unsigned offered, used;
    } rows[] = {{0, 0}, {14, 14}, {15, 14}, {255, 14}};
    struct talk *t = talk_established(segment("mss 1460,nop,wscale %u", rows[_i].offered));

    ck_assert_uint_eq(talk_status(t).snd_wnd_shift, rows[_i].used);
    ck_assert_uint_eq(t->events[TRACE_ERROR], rows[_i].offered > 14); /* 2.3: the error is told */
    peer_sends(t, ". 1:1(0) ack 1 win 65535");
    ck_assert_uint_eq(talk_status(t).snd_wnd, 65535u << rows[_i].used);
    talk_free(t);
}
END_TEST

/* 2.2: scaling needs the option in both SYNs. */
START_TEST(without_the_peers_option_neither_side_scales)
{
    struct talk *t = talk_established("mss 1460");

    ck_assert_uint_eq(t->heard_win, 65535);
    ck_assert_uint_eq(talk_status(t).rcv_wnd, 65535);
    peer_sends(t, ". 1:1(0) ack 1 win 1000");
    ck_assert_uint_eq(talk_status(t).snd_wnd, 1000);
    talk_free(t);
}
END_TEST

/* ---- timestamps, RFC 7323 sections 3 and 4 */

/* 3.2: once agreed on, in every segment but RST, and read in any (9293 MUST-5); MUST-65: no MSS. */
START_TEST(every_segment_carries_timestamps_once_agreed)
{
    struct talk *t = talk_established("mss 1460,TS val 5 ecr 0");

    time_passes_ms(t, 10);
    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1 <TS val 10 ecr 5>");
    time_passes_ms(t, 10);
    peer_sends(t, "P. 1:11(10) ack 11 <TS val 30 ecr 10>");
    time_passes_ms(t, 500);
    we_send(t, ". 11:11(0) ack 11 <TS val 60 ecr 30>");
    ck_assert_int_eq(tcp_shutdown(t->tcb), TCP_OK);
    we_send(t, "F. 11:11(0) ack 11 <TS val 520 ecr 30>");
    talk_free(t);
}
END_TEST

/* 4.3 (A): of segments that are acknowledged together the first one's. */
START_TEST(delayed_ack_echoes_the_earliest_timestamp)
{
    struct talk *t = talk_established("mss 1460,TS val 5 ecr 0");

    peer_sends(t, ". 1:1449(1448) ack 1 <TS val 10 ecr 0>");
    time_passes_ms(t, 10);
    peer_sends(t, ". 1449:2897(1448) ack 1 <TS val 20 ecr 0>");
    we_send(t, ". 1:1(0) ack 2897 <TS val 10 ecr 10>");
    talk_free(t);
}
END_TEST

/* 4.3 (B) and (C): not that of a segment behind a hole, but that of the one that fills it. */
START_TEST(hole_keeps_the_echo_and_its_filler_gives_a_new_one)
{
    struct talk *t = talk_established("mss 1460,TS val 5 ecr 0");

    peer_sends(t, "P. 11:21(10) ack 1 <TS val 20 ecr 0>");
    we_send(t, ". 1:1(0) ack 1 <TS val 0 ecr 5>");
    peer_sends(t, "P. 1:11(10) ack 1 <TS val 30 ecr 0>");
    we_send(t, ". 1:1(0) ack 21 <TS val 0 ecr 30>");
    talk_free(t);
}
END_TEST

/* 3.2: without the option where it was agreed on: dropped in silence; RST excepted. */
START_TEST(segment_without_the_agreed_timestamp_is_dropped)
{
    struct talk *t = talk_established("mss 1460,TS val 5 ecr 0");

    ck_assert_int_eq(peer_sends(t, "P. 1:11(10) ack 1"), DROP_TCP_PAWS);
    time_passes_ms(t, 1000);
    we_send_nothing(t);
    peer_sends(t, "R 1:1(0)");
    state_is(t, TCPS_CLOSED);
    talk_free(t);
}
END_TEST

/* 3.2: a timestamp that was not agreed on is ignored. */
START_TEST(timestamp_that_was_not_agreed_on_is_ignored)
{
    struct talk *t = talk_established("mss 1460");

    peer_sends(t, "P. 1:11(10) ack 1 <TS val -100 ecr 7>");
    time_passes_ms(t, 500);
    we_send(t, ". 1:1(0) ack 11 <>");
    talk_free(t);
}
END_TEST

/* ---- PAWS, RFC 7323 section 5 */

/* 5.3 R1 */
START_TEST(old_timestamp_is_acknowledged_and_dropped)
{
    struct talk *t = talk_established("mss 1460,TS val 1000 ecr 0");

    ck_assert_int_eq(peer_sends(t, "P. 1:11(10) ack 1 <TS val 999 ecr 0>"), DROP_TCP_PAWS);
    we_send(t, ". 1:1(0) ack 1 <TS val 0 ecr 1000>");
    peer_sends(t, "P. 1:11(10) ack 1 <TS val 1000 ecr 0>"); /* the same is not old */
    app_reads(t, 10);
    time_passes_ms(t, 500);
    we_send(t, ". 1:1(0) ack 11");
    talk_free(t);
}
END_TEST

START_TEST(reset_is_not_judged_by_its_timestamp)
{
    struct talk *t = talk_established("mss 1460,TS val 1000 ecr 0");

    peer_sends(t, "R 1:1(0) <TS val 1 ecr 0>");
    state_is(t, TCPS_CLOSED);
    talk_free(t);
}
END_TEST

/* 5.3 R3 with 4.3 (2): a segment ahead of the left edge does not move TS.Recent, so that reordering
 * does no harm. */
START_TEST(reordered_segments_pass_paws)
{
    struct talk *t = talk_established("mss 1460,TS val 5 ecr 0");

    peer_sends(t, "P. 11:21(10) ack 1 <TS val 30 ecr 0>");
    we_send(t, ". 1:1(0) ack 1");
    ck_assert_int_eq(peer_sends(t, "P. 1:11(10) ack 1 <TS val 20 ecr 0>"), DROP_NOT);
    we_send(t, ". 1:1(0) ack 21");
    talk_free(t);
}
END_TEST

/* 5.5: after 24 days of silence the clock may have gone half way round. */
START_TEST(timestamp_of_24_days_ago_is_no_longer_compared)
{
    const uint64_t day_ms = 24ull * 3600 * 1000;
    struct talk *t = talk_established("mss 1460,TS val 0 ecr 0");

    time_passes_ms(t, 25 * day_ms);
    peer_sends(t, segment("P. 1:11(10) ack 1 <TS val %lld ecr 0>", (long long)(25 * day_ms)));
    app_reads(t, 10);
    time_passes_ms(t, 500);
    we_send(t, segment(". 1:1(0) ack 11 <TS val * ecr %lld>", (long long)(25 * day_ms)));
    talk_free(t);
}
END_TEST

/* ---- SACK blocks that we send, RFC 2018 section 4 */

START_TEST(newest_block_is_the_first)
{
    struct talk *t = talk_established("mss 1460,sackOK");

    peer_sends(t, "P. 11:21(10) ack 1");
    we_send(t, ". 1:1(0) ack 1 <sack 11:21>");
    peer_sends(t, "P. 31:41(10) ack 1");
    we_send(t, ". 1:1(0) ack 1 <sack 31:41 11:21>");
    peer_sends(t, "P. 51:61(10) ack 1");
    we_send(t, ". 1:1(0) ack 1 <sack 51:61 31:41 11:21>");
    peer_sends(t, "P. 21:26(5) ack 1"); /* grows the oldest */
    we_send(t, ". 1:1(0) ack 1 <sack 11:26 51:61 31:41>");
    peer_sends(t, "P. 71:81(10) ack 1");
    we_send(t, ". 1:1(0) ack 1 <sack 71:81 11:26 51:61 31:41>");
    peer_sends(t, "P. 91:101(10) ack 1"); /* four fit */
    we_send(t, ". 1:1(0) ack 1 <sack 91:101 71:81 11:26 51:61>");
    peer_sends(t, "P. 26:31(5) ack 1"); /* joins two */
    we_send(t, ". 1:1(0) ack 1 <sack 11:41 91:101 71:81 51:61>");
    peer_sends(t, "P. 1:11(10) ack 1");
    we_send(t, ". 1:1(0) ack 41 <sack 91:101 71:81 51:61>");
    talk_free(t);
}
END_TEST

/* Section 3: three blocks beside timestamps. */
START_TEST(three_blocks_fit_beside_timestamps)
{
    struct talk *t = talk_established("mss 1460,sackOK,TS val 0 ecr 0");

    for (uint32_t at = 11; at < 91; at += 20) {
        peer_sends(t, segment("P. %u:%u(10) ack 1 <TS val 1 ecr 0>", at, at + 10));
        t->sent_count = at < 71 ? 0 : t->sent_count;
    }
    t->sent_first = t->sent_count > 0 ? t->sent_first : 0;
    we_send(t, ". 1:1(0) ack 1 <TS val 0 ecr 0,sack 71:81 51:61 31:41>");
    talk_free(t);
}
END_TEST

/* Section 3: none unless it was agreed on. */
START_TEST(no_block_is_sent_without_permission)
{
    struct talk *t = talk_established("mss 1460");

    peer_sends(t, "P. 11:21(10) ack 1");
    we_send(t, ". 1:1(0) ack 1 <>");
    talk_free(t);
}
END_TEST

/* Section 4: a segment behind a hole is answered by an ACK with its block, data to send or not: an
 * ACK that rides on data is no duplicate ACK and has no block. */
START_TEST(hole_is_reported_even_while_we_send_data)
{
    struct talk *t = talk_established("mss 1460,sackOK");
    bool has_told = false;

    t->is_holding = true;
    peer_sends(t, "P. 11:21(10) ack 1");
    app_writes(t, 10);
    t->is_holding = false;
    talk_pull(t);
    for (; t->sent_count > 0; t->sent_count--, t->sent_first++) {
        const struct talk_segment *sent = &t->sent[t->sent_first];
        has_told = has_told || (sent->bytes[32] >> 4) * 4 > TCP_HEADER_BYTES;
    }
    ck_assert_msg(has_told, "no segment carries the block");
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, syn_ack_answers_only_what_was_offered, 0, 9);
    tcase_add_loop_test(tc, syn_offers_what_the_configuration_says, 0, 5);
    tcase_add_loop_test(tc, full_segment_is_as_long_as_both_sides_allow, 0, 11);
    tcase_add_loop_test(tc, mss_that_we_announce_follows_mtu_and_clamp, 0, 4);
    tcase_add_test(tc, window_of_a_syn_is_not_scaled_the_next_one_is);
    tcase_add_test(tc, passive_side_scales_after_the_syn_too);
    tcase_add_loop_test(tc, window_shift_is_at_most_14, 0, 4);
    tcase_add_test(tc, without_the_peers_option_neither_side_scales);
    tcase_add_test(tc, every_segment_carries_timestamps_once_agreed);
    tcase_add_test(tc, delayed_ack_echoes_the_earliest_timestamp);
    tcase_add_test(tc, hole_keeps_the_echo_and_its_filler_gives_a_new_one);
    tcase_add_test(tc, segment_without_the_agreed_timestamp_is_dropped);
    tcase_add_test(tc, timestamp_that_was_not_agreed_on_is_ignored);
    tcase_add_test(tc, old_timestamp_is_acknowledged_and_dropped);
    tcase_add_test(tc, reset_is_not_judged_by_its_timestamp);
    tcase_add_test(tc, reordered_segments_pass_paws);
    tcase_add_test(tc, timestamp_of_24_days_ago_is_no_longer_compared);
    tcase_add_test(tc, newest_block_is_the_first);
    tcase_add_test(tc, three_blocks_fit_beside_timestamps);
    tcase_add_test(tc, no_block_is_sent_without_permission);
    tcase_add_test(tc, hole_is_reported_even_while_we_send_data);
}

int main(void)
{
    return unit_main("options", tests);
}
