/* Path MTU discovery, as far as one script cannot tell it: what a second connection to the same
 * host knows, what IP is advised, an outage that looks like a black hole, and what is told. What a
 * single connection does is in rfc1191/, rfc4821/ and rfc5927/. */
#include "talk.h"

#include "../../stack/instance.h"

static uint16_t known_mtu(const struct talk *t)
{
    struct ip_addr remote = ip_addr_from_v4(t->peer_addr);

    return ip_path_mtu(t->stack, &remote);
}

/* Established, and one full segment in flight. */
static struct talk *with_full_segment_in_flight(void)
{
    struct talk *t = talk_established("mss 1460");

    app_writes(t, MSS);
    we_send(t, "P. 1:1461(1460) ack 1");
    return t;
}

static void connect_again(struct talk *t)
{
    tcp_abort(t->tcb);
    talk_pull(t);
    forget_sent(t);
    t->tcb = NULL;
    t->written = t->read = 0;
    talk_establish(t, "mss 1460");
    app_writes(t, MSS);
}

/* RFC 1191 6.2 */
START_TEST(second_connection_begins_with_what_the_first_has_learned)
{
    struct talk *t = with_full_segment_in_flight();

    router_wants_less(t, 1000, 1);
    we_send(t, ". 1:961(960) ack 1");
    we_send(t, "P. 961:1461(500) ack 1");
    ck_assert_uint_eq(known_mtu(t), 1000);
    ck_assert_uint_eq(t->events[TRACE_PATH_MTU], 1);
    connect_again(t);
    ck_assert_uint_eq(t->events[TRACE_PATH_MTU], 2);
    ck_assert_uint_eq(talk_status(t).path_mtu_bytes, 1000);
    we_send(t, ". 1:961(960) ack 1");
    peer_sends(t, ". 1:1(0) ack 961");
    we_send(t, "P. 961:1461(500) ack 1");
    peer_sends(t, ". 1:1(0) ack 1461");
    talk_free(t);
}
END_TEST

/* RFC 5927 4.1 and 7.2: what quotes nothing in flight, or too little to be believed, teaches
 * nothing.
 */
START_TEST(claim_that_is_not_believed_teaches_others_nothing)
{
    struct talk *t = with_full_segment_in_flight();

    router_wants_less(t, 1000, 2000);
    ck_assert_uint_eq(known_mtu(t), 1500);
    peer_sends(t, ". 1:1(0) ack 1461");
    app_writes(t, MSS);
    we_send(t, "P. 1461:2921(1460) ack 1");
    router_wants_less(t, 1000, 1461);
    ck_assert_uint_eq(known_mtu(t), 1500);
    time_passes_ms(t, 1000);
    we_send(t, ". 1461:2421(960) ack 1");
    ck_assert_uint_eq(known_mtu(t), 1000);
    forget_sent(t);
    talk_free(t);
}
END_TEST

/* A guess is one until a segment of that size is acknowledged. */
START_TEST(guess_teaches_others_when_it_is_acknowledged)
{
    struct talk *t = with_full_segment_in_flight();

    for (unsigned i = 0; i < 2; i++) {
        ck_assert_uint_ne(time_until_we_send_us(t, 10000), UINT64_MAX);
        we_send(t, "P. 1:1461(1460) ack 1");
    }
    ck_assert_uint_ne(time_until_we_send_us(t, 10000), UINT64_MAX);
    we_send(t, ". 1:985(984) ack 1");
    ck_assert_uint_eq(known_mtu(t), 1500);
    peer_sends(t, ". 1:1(0) ack 985");
    ck_assert_uint_eq(known_mtu(t), 1024);
    we_send(t, "P. 985:1461(476) ack 1");
    talk_free(t);
}
END_TEST

/* MUST-20, 9293 3.8.3 (b): at R1, the third retransmission, IP is advised that the path may be at
 * fault, once for each trouble; a short segment, so that its size is not. */
START_TEST(ip_gets_negative_advice_at_r1)
{
    struct talk *t = talk_established("mss 1460");
    struct ip_addr remote = ip_addr_from_v4(t->peer_addr);

    ip_learn_path_mtu(t->stack, &remote, 1000);
    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    for (unsigned count = 1; count <= 6; count++) {
        ck_assert_uint_ne(time_until_we_send_us(t, 100000), UINT64_MAX);
        we_send(t, "P. 1:11(10) ack 1");
        ck_assert_uint_eq(known_mtu(t), count < 3 ? 1000 : 1500);
        ck_assert_uint_eq(t->events[TRACE_PATH_MTU], count < 3 ? 0 : 1);
    }
    state_is(t, TCPS_ESTABLISHED);
    talk_free(t);
}
END_TEST

static void ack_all(struct talk *t)
{
    forget_sent(t);
    peer_sends(t, segment(". 1:1(0) ack %u", talk_status(t).snd_nxt - talk_status(t).iss));
}

/* RFC 4821 7.7: nothing is answered for a while. When it is, the first probe is as large as the
 * segments were before, and everything is as it was, for other connections too. */
START_TEST(outage_is_over_with_the_first_probe)
{
    struct talk *t = with_full_segment_in_flight();

    time_passes_ms(t, 6000);
    ck_assert_uint_lt(talk_status(t).path_mtu_bytes, 1000);
    app_writes(t, 100 * MSS);
    for (unsigned round = 0; round < 12 && talk_status(t).path_mtu_bytes < 1500; round++) {
        time_passes_ms(t, 10);
        ack_all(t);
    }
    ck_assert_uint_eq(talk_status(t).path_mtu_bytes, 1500);
    ck_assert_uint_eq(known_mtu(t), 1500);
    forget_sent(t);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, second_connection_begins_with_what_the_first_has_learned);
    tcase_add_test(tc, claim_that_is_not_believed_teaches_others_nothing);
    tcase_add_test(tc, guess_teaches_others_when_it_is_acknowledged);
    tcase_add_test(tc, ip_gets_negative_advice_at_r1);
    tcase_add_test(tc, outage_is_over_with_the_first_probe);
}

int main(void)
{
    return unit_main("path_mtu", tests);
}
