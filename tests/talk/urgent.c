/* Sending urgent data, RFC 9293 3.8.5; how its arrival is told is in user_calls.c. */
#include "talk.h"

/* Hand over bytes talk_byte(n)... as urgent data and have them accepted. */
static void app_writes_urgent(struct talk *t, size_t len)
{
    uint8_t *data = malloc(len);

    for (size_t i = 0; i < len; i++)
        data[i] = talk_byte(t->written + 1 + (uint32_t)i);
    ptrdiff_t accepted = tcp_send_urgent(t->tcb, data, len);
    free(data);
    ck_assert_int_eq(accepted, (ptrdiff_t)len);
    t->written += (uint32_t)len;
    talk_pull(t);
}

static struct talk *with_peer_window(unsigned win)
{
    struct talk *t = talk_new(NULL);

    talk_connect(t);
    time_passes_ms(t, 100);
    peer_sends(t, segment("S. 0:0(0) ack 1 win %u <mss 1460>", win));
    we_send(t, ". 1:1(0) ack 1");
    return t;
}

/* MUST-30; MUST-62: the pointer names the octet behind the urgent data. */
START_TEST(pointer_names_the_octet_behind_the_urgent_data)
{
    struct talk *t = talk_established("mss 1460");

    app_writes_urgent(t, 10);
    we_send(t, "PU. 1:11(10) ack 1 urg 10");
    we_send_nothing(t);
    peer_sends(t, ". 1:1(0) ack 11");
    talk_free(t);
}
END_TEST

START_TEST(single_urgent_octet_has_pointer_one)
{
    struct talk *t = talk_established("mss 1460");

    app_writes_urgent(t, 1);
    we_send(t, "PU. 1:2(1) ack 1 urg 1");
    talk_free(t);
}
END_TEST

/* The absence of the flag says that no urgent data is outstanding. */
START_TEST(data_behind_the_urgent_data_is_normal_again)
{
    struct talk *t = talk_established("mss 1460");

    app_writes_urgent(t, 10);
    we_send(t, "PU. 1:11(10) ack 1 urg 10");
    app_writes(t, MSS);
    we_send(t, "P. 11:1471(1460) ack 1");
    talk_free(t);
}
END_TEST

START_TEST(normal_data_in_the_same_segment_lies_behind_the_pointer)
{
    struct talk *t = talk_established("mss 1460");

    t->is_holding = true;
    app_writes_urgent(t, 10);
    app_writes(t, 20);
    t->is_holding = false;
    we_send(t, "PU. 1:31(30) ack 1 urg 10");
    talk_free(t);
}
END_TEST

/* Normal data that waits before the urgent data is what the receiver is to hurry through. */
START_TEST(data_before_the_urgent_data_carries_the_flag)
{
    struct talk *t = talk_established("mss 1460");

    t->is_holding = true;
    app_writes(t, 2 * MSS);
    app_writes_urgent(t, 10);
    t->is_holding = false;
    we_send(t, "U. 1:1461(1460) ack 1 urg 2930");
    we_send(t, "U. 1461:2921(1460) ack 1 urg 1470");
    we_send_nothing(t); /* Nagle: 3.7.4 knows no exception */
    peer_sends(t, ". 1:1(0) ack 2921");
    we_send(t, "PU. 2921:2931(10) ack 1 urg 10");
    talk_free(t);
}
END_TEST

START_TEST(retransmission_carries_the_flag)
{
    struct talk *t = with_peer_window(65535);

    app_writes_urgent(t, 10);
    we_send(t, "PU. 1:11(10) ack 1 urg 10");
    ck_assert_uint_ne(time_until_we_send_us(t, 1000), UINT64_MAX);
    we_send(t, "PU. 1:11(10) ack 1 urg 10");
    peer_sends(t, ". 1:1(0) ack 5");
    ck_assert_uint_ne(time_until_we_send_us(t, 2000), UINT64_MAX);
    we_send(t, "PU. 5:11(6) ack 1 urg 6"); /* the same octet */
    talk_free(t);
}
END_TEST

START_TEST(retransmission_does_not_make_normal_data_urgent)
{
    struct talk *t = with_peer_window(65535);

    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    ck_assert_uint_ne(time_until_we_send_us(t, 1000), UINT64_MAX);
    we_send(t, "P. 1:11(10) ack 1");
    talk_free(t);
}
END_TEST

/* 3.8.5: the pointer cannot recede, and advances with each call. */
START_TEST(second_urgent_write_moves_the_pointer)
{
    struct talk *t = talk_established("mss 1460");

    t->is_holding = true;
    app_writes_urgent(t, 10);
    app_writes(t, 10);
    app_writes_urgent(t, 10);
    app_writes(t, 10);
    t->is_holding = false;
    we_send(t, "PU. 1:41(40) ack 1 urg 30");
    talk_free(t);
}
END_TEST

/* MUST-31: of any length. The field has 16 bits: it says 65535 until the end is nearer. */
START_TEST(pointer_beyond_its_field_says_as_much_as_it_can)
{
    enum { LEN = 100000 };
    struct talk *t = talk_established("mss 1460");
    uint32_t at = 1;

    app_writes_urgent(t, LEN);
    while (at <= LEN) {
        uint32_t left = LEN + 1 - at;
        uint32_t len = left < MSS ? left : MSS;
        if (t->sent_count == 0)
            peer_sends(t, segment(". 1:1(0) ack %u", at));
        we_send(t, segment("%sU. %u:%u(%u) ack 1 urg %u", len == left ? "P" : "", at, at + len, len,
                           left < 65535 ? left : 65535));
        at += len;
    }
    peer_sends(t, segment(". 1:1(0) ack %u", at));
    app_writes(t, 10);
    we_send(t, segment("P. %u:%u(10) ack 1", at, at + 10));
    talk_free(t);
}
END_TEST

/* ---- when the data has to wait, the indication does not */

START_TEST(closed_window_holds_the_data_but_not_the_indication)
{
    struct talk *t = with_peer_window(0);

    app_writes_urgent(t, 10);
    we_send(t, "U. 1:1(0) ack 1 urg 10");
    we_send_nothing(t); /* once */
    ck_assert_uint_eq(time_until_we_send_us(t, 1000), 300000);
    we_send(t, "U. 1:2(1) ack 1 urg 10"); /* the window probe of 3.8.6.1 says it again */
    peer_sends(t, ". 1:1(0) ack 1 win 65535");
    we_send(t, "U. 1:2(1) ack 1 urg 10");
    peer_sends(t, ". 1:1(0) ack 2 win 65535");
    we_send(t, "PU. 2:11(9) ack 1 urg 9");
    talk_free(t);
}
END_TEST

START_TEST(urgent_mode_is_entered_once)
{
    struct talk *t = with_peer_window(0);

    app_writes_urgent(t, 10);
    we_send(t, "U. 1:1(0) ack 1 urg 10");
    for (int i = 0; i < 100; i++)
        app_writes_urgent(t, 10);
    we_send_nothing(t);
    ck_assert_uint_ne(time_until_we_send_us(t, 1000), UINT64_MAX);
    we_send(t, "U. 1:2(1) ack 1 urg 1010");
    talk_free(t);
}
END_TEST

/* SND.UP lies behind everything that has been sent, so the peer is back in normal mode soon. */
START_TEST(urgent_mode_is_entered_again_after_all_was_sent)
{
    struct talk *t = talk_established("mss 1460");

    app_writes_urgent(t, 10);
    we_send(t, "PU. 1:11(10) ack 1 urg 10");
    app_writes_urgent(t, 5); /* Nagle holds it */
    we_send(t, "U. 11:11(0) ack 1 urg 5");
    we_send_nothing(t);
    peer_sends(t, ". 1:1(0) ack 11");
    we_send(t, "PU. 11:16(5) ack 1 urg 5");
    talk_free(t);
}
END_TEST

START_TEST(acknowledgments_say_it_while_urgent_data_waits)
{
    struct talk *t = with_peer_window(0);

    app_writes_urgent(t, 10);
    we_send(t, "U. 1:1(0) ack 1 urg 10");
    peer_sends(t, "P. 1:11(10) ack 1 win 0");
    time_passes_ms(t, 100);
    we_send(t, "U. 1:1(0) ack 11 urg 10");
    talk_free(t);
}
END_TEST

/* What waits for the handshake is announced with the first data, not on the SYN. */
START_TEST(urgent_data_written_in_syn_sent_follows_the_handshake)
{
    struct talk *t = talk_new(NULL);

    talk_connect(t);
    app_writes_urgent(t, 10);
    ck_assert_uint_ne(time_until_we_send_us(t, 2000), UINT64_MAX);
    we_send(t, "S 0:0(0)");
    peer_sends(t, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
    we_send(t, "PU. 1:11(10) ack 1 urg 10");
    talk_free(t);
}
END_TEST

START_TEST(fin_behind_urgent_data_travels_with_it)
{
    struct talk *t = talk_established("mss 1460");

    t->is_holding = true;
    app_writes_urgent(t, 10);
    ck_assert_int_eq(tcp_shutdown(t->tcb), TCP_OK);
    t->is_holding = false;
    we_send(t, "FPU. 1:11(10) ack 1 urg 10");
    peer_sends(t, "F. 1:1(0) ack 12");
    we_send(t, ". 12:12(0) ack 2");
    talk_free(t);
}
END_TEST

/* ---- the call */

/* 3.8.5: at least one octet goes with an indication. */
START_TEST(nothing_accepted_is_no_indication)
{
    struct talk *t = with_peer_window(0);

    ck_assert_int_eq(tcp_send_urgent(t->tcb, NULL, 0), 0);
    talk_pull(t);
    we_send_nothing(t);
    app_writes(t, 10);
    ck_assert_uint_ne(time_until_we_send_us(t, 1000), UINT64_MAX);
    we_send(t, ". 1:2(1) ack 1");
    talk_free(t);
}
END_TEST

START_TEST(partly_accepted_urgent_data_points_behind_what_was_accepted)
{
    struct stack_config config = talk_config();
    uint8_t data[2000];
    struct talk *t;

    config.tcp.send_buffer_bytes = config.tcp.send_buffer_max_bytes = 1000;
    t = talk_new(&config);
    talk_establish(t, "mss 1460");
    for (uint32_t i = 0; i < sizeof data; i++)
        data[i] = talk_byte(1 + i);
    ck_assert_int_eq(tcp_send_urgent(t->tcb, data, sizeof data), 1000);
    we_send(t, "PU. 1:1001(1000) ack 1 urg 1000");
    peer_sends(t, ". 1:1(0) ack 1001");
    ck_assert_int_eq(tcp_send_urgent(t->tcb, data + 1000, 1000), 1000);
    we_send(t, "PU. 1001:2001(1000) ack 1 urg 1000");
    talk_free(t);
}
END_TEST

START_TEST(urgent_data_is_refused_where_data_is)
{
    struct talk *t = talk_established("mss 1460");

    ck_assert_int_eq(tcp_shutdown(t->tcb), TCP_OK);
    we_send(t, "F. 1:1(0) ack 1");
    ck_assert_int_eq(tcp_send_urgent(t->tcb, (const uint8_t *)"!", 1), TCP_ERR_CLOSING);
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* The device copies the pointer to each piece that it cuts, where it would be wrong. */
START_TEST(urgent_data_is_never_left_to_the_device_to_cut)
{
    struct stack_config config = talk_config();
    struct packet_out out;
    struct talk *t;

    config.gso_max_bytes = STACK_GSO_MAX_BYTES;
    t = talk_new(&config);
    talk_establish(t, "mss 1460");
    t->is_holding = true;
    app_writes_urgent(t, 5 * MSS);
    for (unsigned i = 0; i < 5; i++) {
        ck_assert(stack_output(t->stack, &out, t->now_us));
        ck_assert_uint_eq(out.payload[0].len + out.payload[1].len, MSS);
        ck_assert_uint_eq(out.segment_bytes, 0);
    }
    peer_sends(t, segment(". 1:1(0) ack %u", 5 * MSS + 1));
    app_writes(t, 2 * MSS);
    ck_assert(stack_output(t->stack, &out, t->now_us)); /* normal again */
    ck_assert_uint_eq(out.payload[0].len + out.payload[1].len, 2 * MSS);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, pointer_names_the_octet_behind_the_urgent_data);
    tcase_add_test(tc, single_urgent_octet_has_pointer_one);
    tcase_add_test(tc, data_behind_the_urgent_data_is_normal_again);
    tcase_add_test(tc, normal_data_in_the_same_segment_lies_behind_the_pointer);
    tcase_add_test(tc, data_before_the_urgent_data_carries_the_flag);
    tcase_add_test(tc, retransmission_carries_the_flag);
    tcase_add_test(tc, retransmission_does_not_make_normal_data_urgent);
    tcase_add_test(tc, second_urgent_write_moves_the_pointer);
    tcase_add_test(tc, pointer_beyond_its_field_says_as_much_as_it_can);
    tcase_add_test(tc, closed_window_holds_the_data_but_not_the_indication);
    tcase_add_test(tc, urgent_mode_is_entered_once);
    tcase_add_test(tc, urgent_mode_is_entered_again_after_all_was_sent);
    tcase_add_test(tc, acknowledgments_say_it_while_urgent_data_waits);
    tcase_add_test(tc, urgent_data_written_in_syn_sent_follows_the_handshake);
    tcase_add_test(tc, fin_behind_urgent_data_travels_with_it);
    tcase_add_test(tc, nothing_accepted_is_no_indication);
    tcase_add_test(tc, partly_accepted_urgent_data_points_behind_what_was_accepted);
    tcase_add_test(tc, urgent_data_is_refused_where_data_is);
    tcase_add_test(tc, urgent_data_is_never_left_to_the_device_to_cut);
}

int main(void)
{
    return unit_main("urgent", tests);
}
