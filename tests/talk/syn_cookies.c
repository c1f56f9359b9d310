/* SYN cookies, RFC 4987 3.6: what an answer that is remembered nowhere brings back, and what does
 * not count as one. */
#include "../../stack/instance.h"
#include "talk.h"

static struct talk *listening(enum tcp_syn_cookies cookies, unsigned backlog)
{
    struct stack_config config = talk_config();

    config.tcp.syn_cookies = cookies;
    config.tcp.backlog = backlog;
    struct talk *t = talk_new(&config);
    talk_listen(t);
    return t;
}

/* The peer's SYN is answered by a cookie: our numbers are relative to it from now on. Returns the
 * TSval of the answer, relative to our clock. */
static int32_t gets_cookie(struct talk *t, const char *syn)
{
    struct talk_heard heard;

    t->iss = TALK_ISS;
    ck_assert_int_eq(peer_sends(t, syn), DROP_NOT);
    ck_assert(talk_hear(t, &heard));
    ck_assert_int_eq(heard.flags & ~0x40, 0x12); /* SYN,ACK, with or without ECE */
    t->iss += (uint32_t)heard.seq;
    return heard.has_ts ? heard.ts_val : 0;
}

static struct tcp_status accepted(struct talk *t)
{
    struct tcp_status status;

    ck_assert_ptr_nonnull(t->tcb = tcp_accept(t->listener));
    tcp_status(t->tcb, &status);
    return status;
}

static unsigned record_count(const struct talk *t)
{
    return t->stack->tcp.connection_count - 1; /* without the listener */
}

START_TEST(nothing_is_kept_until_the_cookie_comes_back)
{
    struct talk *t = listening(TCP_SYN_COOKIES_ALWAYS, 8);

    int32_t val = gets_cookie(t, "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 0 ecr 0,wscale 7>");
    ck_assert_uint_eq(record_count(t), 0);
    time_passes_ms(t, 500);
    peer_sends(t, segment(". 1:1(0) ack 1 win 500 <TS val 500 ecr %d>", val));
    struct tcp_status status = accepted(t);
    ck_assert_int_eq(status.state, TCPS_ESTABLISHED);
    ck_assert(status.sack && status.timestamps && status.window_scaling && !status.ecn);
    ck_assert_uint_eq(status.peer_mss_bytes, 1460);
    ck_assert_uint_eq(status.snd_wnd_shift, 7);
    ck_assert_uint_eq(status.snd_wnd, 500 << 7);
    ck_assert_uint_eq(status.srtt_us, 0); /* nobody knows when the SYN,ACK was sent */
    peer_sends(t, "P. 1:11(10) ack 1 win 500 <TS val 501 ecr 501>");
    time_passes_ms(t, 40);
    we_send(t, ". 1:1(0) ack 11");
    ck_assert_uint_eq(stack_counters(t->stack)->syn_cookies_sent, 1);
    ck_assert_uint_eq(stack_counters(t->stack)->syn_cookies_taken, 1);
    talk_free(t);
}
END_TEST

/* Without timestamps there is no place for it. */
START_TEST(without_timestamps_scale_and_sack_are_not_agreed_upon)
{
    struct talk *t = listening(TCP_SYN_COOKIES_ALWAYS, 8);

    t->iss = TALK_ISS;
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460,sackOK,wscale 7>");
    struct talk_heard heard;
    ck_assert_ptr_nonnull(strstr(talk_next_sent(t), "<mss 1460>"));
    ck_assert(talk_hear(t, &heard));
    t->iss += (uint32_t)heard.seq;
    peer_sends(t, ". 1:1(0) ack 1 win 500");
    struct tcp_status status = accepted(t);
    ck_assert(!status.sack && !status.timestamps && !status.window_scaling);
    ck_assert_uint_eq(status.snd_wnd, 500);
    talk_free(t);
}
END_TEST

START_TEST(ecn_comes_back_in_the_timestamp)
{
    struct talk *t = listening(TCP_SYN_COOKIES_ALWAYS, 8);

    int32_t val = gets_cookie(t, "SEW 0:0(0) win 65535 <mss 1460,TS val 0 ecr 0>");
    peer_sends(t, segment(". 1:1(0) ack 1 <TS val 1 ecr %d>", val));
    struct tcp_status status = accepted(t);
    ck_assert(status.ecn && !status.sack && !status.window_scaling);
    talk_free(t);
}
END_TEST

/* The largest of eight that is not above the peer's, MUST-16. */
START_TEST(mss_is_rounded_down)
{
    static const uint16_t row[][2] = {{1460, 1460}, {1459, 1440}, {1380, 1380}, {1300, 1220},
                                      {536, 536},   {500, 48},    {9000, 8960}, {65535, 65495}};
    struct talk *t = listening(TCP_SYN_COOKIES_ALWAYS, 8);

    (void)gets_cookie(t, segment("S 0:0(0) win 65535 <mss %u>", row[_i][0]));
    peer_sends(t, ". 1:1(0) ack 1");
    ck_assert_uint_eq(accepted(t).peer_mss_bytes, row[_i][1]);
    talk_free(t);
}
END_TEST

START_TEST(text_and_fin_may_come_with_the_cookie)
{
    struct talk *t = listening(TCP_SYN_COOKIES_ALWAYS, 8);

    (void)gets_cookie(t, "S 0:0(0) win 65535 <mss 1460>");
    peer_sends(t, "FP. 1:101(100) ack 1");
    we_send(t, ". 1:1(0) ack 102");
    struct tcp_status status = accepted(t);
    ck_assert_int_eq(status.state, TCPS_CLOSE_WAIT);
    ck_assert_uint_eq(status.receive_queued_bytes, 100);
    talk_free(t);
}
END_TEST

/* A cookie is good for more than one minute and less than two and a half. */
START_TEST(cookie_lasts_between_one_and_two_units_of_time)
{
    struct talk *t = listening(TCP_SYN_COOKIES_ALWAYS, 8);

    (void)gets_cookie(t, "S 0:0(0) win 65535 <mss 1460>");
    time_passes_ms(t, _i == 0 ? 67000 : 2 * 67200);
    if (_i == 1) { /* some are awaited still */
        t->peer_port++;
        (void)gets_cookie(t, "S 0:0(0) win 65535 <mss 1460>");
        t->peer_port--;
    }
    peer_sends(t, ". 1:1(0) ack 1");
    if (_i == 0) {
        ck_assert_int_eq(accepted(t).state, TCPS_ESTABLISHED);
    } else {
        we_send(t, "R 1:1(0)");
        ck_assert_ptr_null(tcp_accept(t->listener));
    }
    talk_free(t);
}
END_TEST

/* 9293 3.10.7.2 second: <SEQ=SEG.ACK><CTL=RST>. */
START_TEST(an_ack_without_a_valid_cookie_is_reset)
{
    static const char *const ack[] = {". 1:1(0) ack 2", ". 2:2(0) ack 1", ". 1:1(0) ack 17",
                                      "S. 0:0(0) ack 1"};
    static const char *const reset[] = {"R 2:2(0)", "R 1:1(0)", "R 17:17(0)", "R 1:1(0)"};
    struct talk *t = listening(TCP_SYN_COOKIES_ALWAYS, 8);

    (void)gets_cookie(t, "S 0:0(0) win 65535 <mss 1460>");
    ck_assert_int_eq(peer_sends(t, ack[_i]), DROP_TCP_STATE);
    we_send(t, reset[_i]);
    ck_assert_uint_eq(record_count(t), 0);
    ck_assert_uint_eq(stack_counters(t->stack)->syn_cookies_failed, _i < 3);
    talk_free(t);
}
END_TEST

START_TEST(a_cookie_is_the_peers_own)
{
    struct talk *t = listening(TCP_SYN_COOKIES_ALWAYS, 8);

    (void)gets_cookie(t, "S 0:0(0) win 65535 <mss 1460>");
    if (_i == 0)
        t->peer_port++;
    else
        t->peer_addr += 8;
    peer_sends(t, ". 1:1(0) ack 1");
    we_send(t, "R 1:1(0)");
    ck_assert_uint_eq(record_count(t), 0);
    talk_free(t);
}
END_TEST

/* auto: the backlog is not full, so nothing is sent that could come back. */
START_TEST(no_cookie_is_taken_where_none_has_been_sent)
{
    struct talk *t = listening(TCP_SYN_COOKIES_AUTO, 8);

    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    we_send(t, "S. 0:0(0) ack 1");
    ck_assert_uint_eq(record_count(t), 1);
    t->peer_port++;
    peer_sends(t, ". 1:1(0) ack 1");
    we_send(t, "R 1:1(0)");
    ck_assert_uint_eq(stack_counters(t->stack)->syn_cookies_failed, 0);
    t->peer_port--;
    talk_free(t);
}
END_TEST

START_TEST(a_full_backlog_answers_by_cookies)
{
    struct talk *t = listening(TCP_SYN_COOKIES_AUTO, 2);

    for (t->peer_port = 7000; t->peer_port < 7002; t->peer_port++) {
        peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
        we_send(t, "S. 0:0(0) ack 1");
    }
    (void)gets_cookie(t, "S 0:0(0) win 65535 <mss 1460>");
    ck_assert_uint_eq(record_count(t), 2);
    peer_sends(t, ". 1:1(0) ack 1");
    ck_assert_uint_eq(record_count(t), 3);
    ck_assert_int_eq(accepted(t).state, TCPS_ESTABLISHED);
    talk_free(t);
}
END_TEST

/* Those that came by cookies have taken all places: neither a SYN nor an ACK is answered, and the
 * one that is kept is completed when there is room. */
START_TEST(a_full_accept_queue_drops_what_completes_a_handshake)
{
    struct talk *t = listening(TCP_SYN_COOKIES_AUTO, 2);
    uint32_t cookie[2];

    for (t->peer_port = 7000; t->peer_port < 7002; t->peer_port++) {
        peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
        we_send(t, "S. 0:0(0) ack 1");
    }
    for (t->peer_port = 8000; t->peer_port < 8002; t->peer_port++) {
        (void)gets_cookie(t, "S 0:0(0) win 65535 <mss 1460>");
        cookie[t->peer_port - 8000] = t->iss;
    }
    (void)gets_cookie(t, "S 0:0(0) win 65535 <mss 1460>"); /* 8002 */
    uint32_t late = t->iss;
    for (t->peer_port = 8000; t->peer_port < 8002; t->peer_port++) {
        t->iss = cookie[t->peer_port - 8000];
        ck_assert_int_eq(peer_sends(t, ". 1:1(0) ack 1"), DROP_NOT);
    }
    t->iss = late;
    unsigned count = record_count(t);
    ck_assert_int_eq(peer_sends(t, ". 1:1(0) ack 1"), DROP_TCP_BACKLOG_FULL);
    ck_assert_uint_eq(record_count(t), count); /* and nothing is kept of it */
    t->iss = TALK_ISS;
    t->peer_port = 7000;
    ck_assert_int_eq(peer_sends(t, ". 1:1(0) ack 1"), DROP_TCP_BACKLOG_FULL);
    t->peer_port = 9000;
    ck_assert_int_eq(peer_sends(t, "S 0:0(0) win 65535 <mss 1460>"), DROP_TCP_BACKLOG_FULL);
    we_send_nothing(t);
    ck_assert_ptr_nonnull(tcp_accept(t->listener));
    t->peer_port = 7000;
    ck_assert_int_eq(peer_sends(t, "P. 1:11(10) ack 1"), DROP_NOT);
    ck_assert_ptr_nonnull(tcp_accept(t->listener));
    ck_assert_ptr_nonnull(t->tcb = tcp_accept(t->listener));
    ck_assert_uint_eq(tcp_receive_peek(t->tcb).len, 10);
    forget_sent(t);
    talk_free(t);
}
END_TEST

/* TSval may be below the clock, but never above it: later ones would go back. */
START_TEST(timestamps_do_not_run_backwards)
{
    struct talk *t = listening(TCP_SYN_COOKIES_ALWAYS, 64);
    int32_t now_ms = 0;

    for (t->peer_port = 7000; t->peer_port < 7060; t->peer_port++, now_ms += 7) {
        int32_t val =
            gets_cookie(t, "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 0 ecr 0,wscale 7>");
        ck_assert_int_le(val, now_ms);
        ck_assert_int_ge(val, now_ms - 128);
        time_passes_ms(t, 7);
    }
    talk_free(t);
}
END_TEST

/* Beyond syn_cookies_per_s a SYN has to come twice: who invents addresses does not repeat it. */
START_TEST(in_a_flood_a_syn_is_answered_when_it_comes_again)
{
    struct stack_config config = talk_config();

    config.tcp.syn_cookies = TCP_SYN_COOKIES_ALWAYS;
    config.syn_cookies_per_s = 20;
    struct talk *t = talk_new(&config);
    talk_listen(t);
    for (t->peer_port = 7000; t->peer_port < 7002; t->peer_port++)
        gets_cookie(t, "S 0:0(0) win 65535 <mss 1460>");
    t->iss = TALK_ISS;
    for (t->peer_port = 8000; t->peer_port < 8100; t->peer_port++)
        ck_assert_int_eq(peer_sends(t, "S 0:0(0) win 65535 <mss 1460>"), DROP_TCP_SYN_FLOOD);
    we_send_nothing(t);
    time_passes_ms(t, _i == 0 ? 50 : 3000); /* the filter has turned over once */
    for (t->peer_port = 7000; t->peer_port < 7002; t->peer_port++) { /* it goes on */
        peer_sends(t, "S 100:100(0) win 65535 <mss 1460>");
        forget_sent(t);
    }
    t->peer_port = 8050;
    gets_cookie(t, "S 0:0(0) win 65535 <mss 1460>");
    t->peer_port = 9000;
    t->iss = TALK_ISS;
    ck_assert_int_eq(peer_sends(t, "S 0:0(0) win 65535 <mss 1460>"), DROP_TCP_SYN_FLOOD);
    ck_assert_int_eq(peer_sends(t, "S 1:1(0) win 65535 <mss 1460>"), DROP_TCP_SYN_FLOOD);
    time_passes_ms(t, 200); /* and when it is over, all are answered at once */
    gets_cookie(t, "S 5:5(0) win 65535 <mss 1460>");
    talk_free(t);
}
END_TEST

/* Among many times as many as are answered hardly one is honest: none is answered at first sight.
 */
START_TEST(in_a_heavy_flood_every_syn_has_to_come_again)
{
    struct stack_config config = talk_config();
    unsigned count = 8 + (unsigned)_i; /* four times as many as a tenth of a second may have */

    config.tcp.syn_cookies = TCP_SYN_COOKIES_ALWAYS;
    config.syn_cookies_per_s = 20;
    struct talk *t = talk_new(&config);
    talk_listen(t);
    for (t->peer_port = 7000; t->peer_port < 7000 + count; t->peer_port++) {
        peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
        forget_sent(t);
    }
    time_passes_ms(t, 100);
    t->peer_port = 8000;
    t->iss = TALK_ISS;
    if (_i == 0) { /* not more than that */
        gets_cookie(t, "S 0:0(0) win 65535 <mss 1460>");
        talk_free(t);
        return;
    }
    ck_assert_int_eq(peer_sends(t, "S 0:0(0) win 65535 <mss 1460>"), DROP_TCP_SYN_FLOOD);
    we_send_nothing(t);
    gets_cookie(t, "S 0:0(0) win 65535 <mss 1460>");
    time_passes_ms(t, 100); /* it was over in the last tenth */
    t->peer_port = 9000;
    gets_cookie(t, "S 0:0(0) win 65535 <mss 1460>");
    talk_free(t);
}
END_TEST

enum { HEAVY_FLOOD = 20 }; /* SYNs in a tenth of a second, ten times as many as are answered */

static struct talk *flooded(void)
{
    struct stack_config config = talk_config();

    config.tcp.syn_cookies = TCP_SYN_COOKIES_ALWAYS;
    config.syn_cookies_per_s = 20;
    struct talk *t = talk_new(&config);
    talk_listen(t);
    t->iss = TALK_ISS;
    return t;
}

/* A heavy flood of SYNs, all different, for so many tenths of a second. */
static void flood_goes_on(struct talk *t, unsigned tenths)
{
    static uint32_t seq;

    for (; tenths > 0; tenths--) {
        for (t->peer_port = 1000; t->peer_port < 1000 + HEAVY_FLOOD; t->peer_port++) {
            peer_sends(t, segment("S %u:%u(0) win 65535 <mss 1460>", seq, seq));
            forget_sent(t);
        }
        seq++;
        time_passes_ms(t, 100);
    }
}

/* Whether the SYN of an honest peer is answered. */
static bool is_heard(struct talk *t)
{
    struct talk_heard heard;

    t->peer_port = 9000;
    bool is_answered = peer_sends(t, "S 77:77(0) win 65535 <mss 1460>") == DROP_NOT;
    ck_assert_int_eq(talk_hear(t, &heard), is_answered);
    return is_answered;
}

/* Its SYNs leave after 0, 1, 3 and 7 s, RFC 6298 (5.5), whatever the phase of the filter; those of
 * which the bit is set are lost on their way. Some peers wait 3 s at first. */
START_TEST(who_comes_again_is_heard_whatever_was_lost)
{
    static const struct {
        unsigned at_s[4], lost, heard; /* the last two: bits */
    } cases[] = {
        {{0, 1, 3, 7}, 0x0, 0x2}, {{0, 1, 3, 7}, 0x1, 0x4}, {{0, 1, 3, 7}, 0x2, 0x4},
        {{0, 1, 3, 7}, 0x4, 0x2}, {{0, 1, 3, 7}, 0x3, 0x8}, {{0, 3, 9, 21}, 0x0, 0x2},
    };
    struct talk *t = flooded();
    unsigned last_s = 0, heard = 0;

    flood_goes_on(t, 1 + (unsigned)_i / 6 * 7);
    for (unsigned i = 0; i < 4; i++) {
        flood_goes_on(t, (cases[_i % 6].at_s[i] - last_s) * 10);
        last_s = cases[_i % 6].at_s[i];
        if (!(cases[_i % 6].lost >> i & 1) && is_heard(t))
            heard |= 1u << i;
    }
    ck_assert_uint_eq(heard & cases[_i % 6].heard, cases[_i % 6].heard);
    if (_i % 6 == 0) /* and once more, for the answer may have been lost */
        ck_assert_uint_ne(heard & 0xc, 0);
    talk_free(t);
}
END_TEST

/* Or one prepared packet would be all that a flood needs. */
START_TEST(a_syn_again_and_again_is_answered_once_in_five_seconds)
{
    struct talk *t = flooded();
    unsigned answered_count = 0;

    flood_goes_on(t, 1);
    for (int i = 0; i < 500; i++)
        answered_count += is_heard(t);
    ck_assert_uint_eq(answered_count, 1);
    flood_goes_on(t, 51);
    ck_assert(is_heard(t));
    talk_free(t);
}
END_TEST

START_TEST(a_stack_with_little_memory_keeps_it_for_connections)
{
    struct stack_config config = talk_config();

    config.tcp.syn_cookies = TCP_SYN_COOKIES_ALWAYS;
    config.syn_cookies_per_s = 20;
    config.memory_max_bytes = 16 << 20;
    struct talk *t = talk_new(&config);
    talk_listen(t);
    t->iss = TALK_ISS;
    size_t before = stack_memory_bytes(t->stack);
    flood_goes_on(t, 30);
    ck_assert_uint_lt(stack_memory_bytes(t->stack), before + (1 << 20));
    ck_assert(is_heard(t));
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, who_comes_again_is_heard_whatever_was_lost, 0, 6 * 8);
    tcase_add_test(tc, a_syn_again_and_again_is_answered_once_in_five_seconds);
    tcase_add_test(tc, a_stack_with_little_memory_keeps_it_for_connections);
    tcase_add_loop_test(tc, in_a_flood_a_syn_is_answered_when_it_comes_again, 0, 2);
    tcase_add_loop_test(tc, in_a_heavy_flood_every_syn_has_to_come_again, 0, 2);
    tcase_add_test(tc, nothing_is_kept_until_the_cookie_comes_back);
    tcase_add_test(tc, without_timestamps_scale_and_sack_are_not_agreed_upon);
    tcase_add_test(tc, ecn_comes_back_in_the_timestamp);
    tcase_add_loop_test(tc, mss_is_rounded_down, 0, 8);
    tcase_add_test(tc, text_and_fin_may_come_with_the_cookie);
    tcase_add_loop_test(tc, cookie_lasts_between_one_and_two_units_of_time, 0, 2);
    tcase_add_loop_test(tc, an_ack_without_a_valid_cookie_is_reset, 0, 4);
    tcase_add_loop_test(tc, a_cookie_is_the_peers_own, 0, 2);
    tcase_add_test(tc, no_cookie_is_taken_where_none_has_been_sent);
    tcase_add_test(tc, a_full_backlog_answers_by_cookies);
    tcase_add_test(tc, a_full_accept_queue_drops_what_completes_a_handshake);
    tcase_add_test(tc, timestamps_do_not_run_backwards);
}

int main(void)
{
    return unit_main("syn_cookies", tests);
}
