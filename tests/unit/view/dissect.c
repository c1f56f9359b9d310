/* The dissector: expected texts are what tshark 4.0.17 prints for the same packets. */
#include "../unit.h"

#include "see.h"

START_TEST(options_stand_in_the_order_of_the_wire)
{
    struct tcp_options options = {.has_mss = true,
                                  .mss = 1460,
                                  .has_window_scale = true,
                                  .window_scale = 6,
                                  .has_timestamps = true,
                                  .tsval = 596778860,
                                  .sack_permitted = true};
    struct packet p = segment(true, WEB, TCP_SYN, 0, 0, 65535, "", &options);

    see(&p);
    ck_assert_str_eq(row.info, "53747 → 80 [SYN] Seq=0 Win=65535 Len=0 MSS=1460 WS=64 "
                               "TSval=596778860 TSecr=0 SACK_PERM");
    ck_assert_str_eq(row.source, "10.0.0.2");
    ck_assert_str_eq(row.destination, "142.250.196.142");
    ck_assert_str_eq(row.protocol, "TCP");
    ck_assert_uint_eq(row.length, 64);
}
END_TEST

/* What a kernel says on a device that has just come up, as tshark shows it. */
START_TEST(ipv6_of_the_kernel_is_shown_by_address_and_kind)
{
    struct packet p = {
        .memory = {0x60, 0, 0, 0, 0, 8, 58, 255, 0xfe, 0x80, [23] = 5, 0xff, 2, [39] = 2, 133},
        .len = 48};

    see(&p);
    ck_assert_str_eq(row.source, "fe80::5");
    ck_assert_str_eq(row.destination, "ff02::2");
    ck_assert_str_eq(row.protocol, "ICMPv6");
    ck_assert_str_eq(row.info, "Router Solicitation");
    p = (struct packet){.memory = {0x60, 0,    0,        0,    0, 36,          0,  1,
                                   0xfe, 0x80, [23] = 5, 0xff, 2, [39] = 0x16, 58, 0,
                                   5,    2,    0,        0,    1, 0,           143},
                        .len = 76};
    see(&p);
    ck_assert_str_eq(row.destination, "ff02::16");
    ck_assert_str_eq(row.info, "Multicast Listener Report Message v2");
    p.len = 30;
    see(&p);
    ck_assert_str_eq(row.protocol, "IPv6");
    ck_assert_str_eq(row.info, "[Malformed Packet]");
}
END_TEST

START_TEST(
    user_timeout_is_shown_without_its_unit) /* RFC 5482 (3.3): 15 bits, as Wireshark has it */
{
    struct tcp_options options = {.user_timeout = 900};
    struct packet p = segment(true, WEB, TCP_SYN, 0, 0, 65535, "", &options);

    see(&p);
    ck_assert_str_eq(row.info, "53747 → 80 [SYN] Seq=0 Win=65535 Len=0 USER_TO=900");
    options.user_timeout = 0x8000 + 60;
    p = segment(false, WEB, TCP_SYN | TCP_ACK, 0, 1, 65535, "", &options);
    see(&p);
    ck_assert_str_eq(row.info, "80 → 53747 [SYN, ACK] Seq=0 Ack=1 Win=65535 Len=0 USER_TO=60");
}
END_TEST

START_TEST(window_is_scaled_after_the_syns_when_both_offered) /* RFC 7323 2 */
{
    struct tcp_options ours = {.has_window_scale = true, .window_scale = 6};
    struct tcp_options theirs = {.has_window_scale = true, .window_scale = 8};
    struct packet syn = segment(true, WEB, TCP_SYN, 0, 0, 65535, "", &ours);
    struct packet syn_ack = segment(false, WEB, TCP_SYN | TCP_ACK, 0, 1, 65535, "", &theirs);

    see(&syn);
    see(&syn_ack);
    ck_assert_str_eq(row.info, "80 → 53747 [SYN, ACK] Seq=0 Ack=1 Win=65535 Len=0 WS=256");
    ck_assert_str_eq(client(WEB, TCP_ACK, 1, 1, 2056, ""),
                     "53747 → 80 [ACK] Seq=1 Ack=1 Win=131584 Len=0");
}
END_TEST

START_TEST(window_is_not_scaled_when_one_side_did_not_offer) /* RFC 7323 2 */
{
    struct tcp_options ours = {.has_window_scale = true, .window_scale = 6};
    struct packet syn = segment(true, WEB, TCP_SYN, 0, 0, 65535, "", &ours);

    see(&syn);
    server(WEB, TCP_SYN | TCP_ACK, 0, 1, 65535, "");
    ck_assert_str_eq(client(WEB, TCP_ACK, 1, 1, 2056, ""),
                     "53747 → 80 [ACK] Seq=1 Ack=1 Win=2056 Len=0");
}
END_TEST

START_TEST(flags_are_listed_from_the_lowest_bit)
{
    ck_assert_str_eq(client(PLAIN, 0xff, 0, 1, 10, "abc"),
                     "53747 → 9999 [FIN, SYN, RST, PSH, ACK, URG, ECE, CWR] Seq=0 Ack=1 Win=10 "
                     "Urg=0 Len=3");
    ck_assert_str_eq(server(PLAIN, 0, 1, 0, 10, ""), "9999 → 53747 [<None>] Seq=1 Win=10 Len=0");
}
END_TEST

START_TEST(second_copy_of_an_ack_is_a_duplicate_of_the_first)
{
    handshake(PLAIN);
    server(PLAIN, TCP_ACK, 1, 1, 65535, "data!");
    client(PLAIN, TCP_ACK, 1, 6, 65535, "");
    ck_assert_str_eq(client(PLAIN, TCP_ACK, 1, 6, 65535, ""),
                     "[TCP Dup ACK 5#1] 53747 → 9999 [ACK] Seq=1 Ack=6 Win=65535 Len=0");
    ck_assert_ptr_nonnull(strstr(client(PLAIN, TCP_ACK, 1, 6, 65535, ""), "[TCP Dup ACK 5#2] "));
}
END_TEST

START_TEST(segment_behind_a_hole_says_that_one_is_missing)
{
    handshake(PLAIN);
    ck_assert_ptr_nonnull(strstr(server(PLAIN, TCP_ACK, 11, 1, 65535, "data!"),
                                 "[TCP Previous segment not captured] 9999"));
}
END_TEST

START_TEST(data_again_after_two_duplicate_acks_is_a_fast_retransmission)
{
    handshake(PLAIN);
    server(PLAIN, TCP_ACK, 1, 1, 65535, "data!");
    server(PLAIN, TCP_ACK, 6, 1, 65535, "data!");
    client(PLAIN, TCP_ACK, 1, 1, 65535, "");
    client(PLAIN, TCP_ACK, 1, 1, 65535, "");
    ck_assert_ptr_nonnull(
        strstr(server(PLAIN, TCP_ACK, 1, 1, 65535, "data!"), "[TCP Fast Retransmission] 9999"));
}
END_TEST

START_TEST(fast_retransmission_comes_within_20_ms)
{
    handshake(PLAIN);
    server(PLAIN, TCP_ACK, 1, 1, 65535, "data!");
    server(PLAIN, TCP_ACK, 6, 1, 65535, "data!");
    client(PLAIN, TCP_ACK, 1, 1, 65535, "");
    client(PLAIN, TCP_ACK, 1, 1, 65535, "");
    now_us += 20000;
    ck_assert_ptr_nonnull(
        strstr(server(PLAIN, TCP_ACK, 1, 1, 65535, "data!"), "[TCP Retransmission] 9999"));
}
END_TEST

START_TEST(old_data_soon_after_newer_is_out_of_order)
{
    handshake(PLAIN);
    server(PLAIN, TCP_ACK, 6, 1, 65535, "data!");
    ck_assert_ptr_nonnull(
        strstr(server(PLAIN, TCP_ACK, 1, 1, 65535, "data!"), "[TCP Out-Of-Order] 9999"));
}
END_TEST

START_TEST(old_data_after_more_than_a_round_trip_is_a_retransmission)
{
    handshake(PLAIN); /* 2 ms */
    server(PLAIN, TCP_ACK, 1, 1, 65535, "data!");
    server(PLAIN, TCP_ACK, 6, 1, 65535, "data!");
    now_us += 2000;
    ck_assert_ptr_nonnull(
        strstr(server(PLAIN, TCP_ACK, 1, 1, 65535, "data!"), "[TCP Retransmission] 9999"));
}
END_TEST

START_TEST(acknowledged_data_again_is_spurious)
{
    handshake(PLAIN);
    server(PLAIN, TCP_ACK, 1, 1, 65535, "data!");
    client(PLAIN, TCP_ACK, 1, 6, 65535, "");
    ck_assert_ptr_nonnull(
        strstr(server(PLAIN, TCP_ACK, 1, 1, 65535, "data!"), "[TCP Spurious Retransmission] 9999"));
}
END_TEST

START_TEST(window_of_zero_and_its_probes_are_named)
{
    handshake(PLAIN);
    ck_assert_ptr_nonnull(strstr(client(PLAIN, TCP_ACK, 1, 1, 0, ""), "[TCP ZeroWindow] 53747"));
    ck_assert_ptr_nonnull(
        strstr(server(PLAIN, TCP_ACK, 1, 1, 65535, "p"), "[TCP ZeroWindowProbe] 9999"));
    ck_assert_ptr_nonnull(strstr(client(PLAIN, TCP_ACK, 1, 1, 0, ""),
                                 "[TCP ZeroWindowProbeAck] [TCP ZeroWindow] 53747"));
    ck_assert_ptr_nonnull(
        strstr(client(PLAIN, TCP_ACK, 1, 1, 500, ""), "[TCP Window Update] 53747"));
}
END_TEST

START_TEST(segment_up_to_the_edge_of_the_window_fills_it)
{
    handshake(PLAIN);
    client(PLAIN, TCP_ACK, 1, 1, 5, "");
    ck_assert_ptr_nonnull(
        strstr(server(PLAIN, TCP_ACK, 1, 1, 65535, "data!"), "[TCP Window Full] 9999"));
}
END_TEST

START_TEST(keep_alive_and_its_answer_are_named)
{
    handshake(PLAIN);
    ck_assert_ptr_nonnull(
        strstr(client(PLAIN, TCP_ACK, 0, 1, 65535, ""), "[TCP Keep-Alive] 53747"));
    server(PLAIN, TCP_ACK, 1, 1, 65535, "");
    client(PLAIN, TCP_ACK, 0, 1, 65535, "");
    ck_assert_ptr_nonnull(
        strstr(server(PLAIN, TCP_ACK, 1, 1, 65535, ""), "[TCP Keep-Alive ACK] 9999"));
}
END_TEST

START_TEST(syn_with_another_number_reuses_the_ports)
{
    handshake(PLAIN);
    ck_assert_str_eq(client(PLAIN, TCP_SYN, 5000, 0, 65535, ""),
                     "[TCP Port numbers reused] 53747 → 9999 [SYN] Seq=0 Win=65535 Len=0");
}
END_TEST

START_TEST(ack_beyond_what_was_seen_says_so)
{
    handshake(PLAIN);
    server(PLAIN, TCP_ACK, 1, 1, 65535, "data!");
    ck_assert_ptr_nonnull(
        strstr(client(PLAIN, TCP_ACK, 1, 100, 65535, ""), "[TCP ACKed unseen segment] 53747"));
}
END_TEST

START_TEST(ack_of_what_was_never_seen_is_told_once)
{
    handshake(PLAIN);
    client(PLAIN, TCP_ACK, 1, 100, 65535, "");
    ck_assert_str_eq(client(PLAIN, TCP_ACK, 1, 101, 65535, ""),
                     "53747 → 9999 [ACK] Seq=1 Ack=101 Win=65535 Len=0");
}
END_TEST

START_TEST(ack_of_what_was_never_seen_is_told_again_when_the_other_end_has_acknowledged)
{
    handshake(PLAIN);
    client(PLAIN, TCP_ACK, 1, 100, 65535, "data!");
    server(PLAIN, TCP_ACK, 1, 6, 65535, "");
    ck_assert_ptr_nonnull(
        strstr(client(PLAIN, TCP_ACK, 6, 101, 65535, ""), "[TCP ACKed unseen segment] 53747"));
}
END_TEST

START_TEST(ack_of_a_byte_behind_a_hole_is_told_once)
{
    handshake(PLAIN);
    server(PLAIN, TCP_ACK, 6, 1, 65535, "data!");
    ck_assert_ptr_nonnull(
        strstr(client(PLAIN, TCP_ACK, 1, 6, 65535, ""), "[TCP ACKed unseen segment] 53747"));
    ck_assert_str_eq(client(PLAIN, TCP_ACK, 1, 11, 65535, ""),
                     "53747 → 9999 [ACK] Seq=1 Ack=11 Win=65535 Len=0");
}
END_TEST

START_TEST(ack_of_what_was_never_seen_is_not_told_after_duplicate_acks)
{
    handshake(PLAIN);
    server(PLAIN, TCP_ACK, 1, 1, 65535, "");
    ck_assert_str_eq(client(PLAIN, TCP_ACK, 1, 100, 65535, ""),
                     "53747 → 9999 [ACK] Seq=1 Ack=100 Win=65535 Len=0");
}
END_TEST

START_TEST(data_again_after_an_ack_of_unseen_data_is_a_fast_retransmission)
{
    handshake(PLAIN);
    server(PLAIN, TCP_ACK, 3, 28, 65535, "d");
    ck_assert_ptr_nonnull(
        strstr(server(PLAIN, TCP_ACK, 1, 28, 65535, "at"), "[TCP Fast Retransmission] 9999"));
}
END_TEST

START_TEST(request_row_is_the_request_line_and_a_blank)
{
    handshake(WEB);
    ck_assert_str_eq(
        client(WEB, TCP_ACK | TCP_PSH, 1, 1, 65535, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        "GET / HTTP/1.1 ");
    ck_assert_str_eq(row.protocol, "HTTP");
}
END_TEST

START_TEST(response_row_is_that_of_the_segment_which_completes_it) /* RFC 9112 6.3 */
{
    handshake(WEB);
    ck_assert_str_eq(server(WEB, TCP_ACK, 1, 1, 65535,
                            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=x\r\n"
                            "Content-Length: 10\r\n\r\n12345"),
                     "HTTP/1.1 200 OK  [TCP segment of a reassembled PDU]");
    ck_assert_str_eq(row.protocol, "TCP");
    ck_assert_str_eq(server(WEB, TCP_ACK, 81, 1, 65535, "6789"),
                     "80 → 53747 [ACK] Seq=81 Ack=1 Win=65535 Len=4 "
                     "[TCP segment of a reassembled PDU]");
    ck_assert_str_eq(server(WEB, TCP_ACK, 85, 1, 65535, "0"), "HTTP/1.1 200 OK  (text/html)");
    ck_assert_str_eq(row.protocol, "HTTP");
}
END_TEST

START_TEST(response_without_length_ends_with_the_fin) /* RFC 9112 6.3 */
{
    handshake(WEB);
    server(WEB, TCP_ACK, 1, 1, 65535, "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\nx");
    ck_assert_str_eq(server(WEB, TCP_ACK | TCP_FIN, 46, 1, 65535, ""),
                     "HTTP/1.0 200 OK  (text/html)");
}
END_TEST

START_TEST(chunks_are_followed_to_the_last) /* RFC 9112 7.1 */
{
    handshake(WEB);
    server(WEB, TCP_ACK, 1, 1, 65535,
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: a/b\r\n\r\n5\r\nab");
    ck_assert_str_eq(server(WEB, TCP_ACK, 71, 1, 65535, "cde\r\n0\r\n"),
                     "HTTP/1.1 200 OK  [TCP segment of a reassembled PDU]");
    ck_assert_str_eq(server(WEB, TCP_ACK, 79, 1, 65535, "\r\n"), "HTTP/1.1 200 OK  (a/b)");
}
END_TEST

START_TEST(answer_to_head_has_no_body) /* RFC 9112 6.3 */
{
    handshake(WEB);
    client(WEB, TCP_ACK, 1, 1, 65535, "HEAD / HTTP/1.1\r\n\r\n");
    ck_assert_str_eq(
        server(WEB, TCP_ACK, 1, 20, 65535, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
        "HTTP/1.1 200 OK ");
}
END_TEST

START_TEST(body_is_complete_when_the_hole_in_it_is_filled)
{
    handshake(WEB);
    server(WEB, TCP_ACK, 1, 1, 65535, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    server(WEB, TCP_ACK, 45, 1, 65535, "678");
    server(WEB, TCP_ACK, 40, 1, 65535, "12345");
    ck_assert_ptr_nonnull(strstr(row.info, "[TCP Out-Of-Order] 80"));
    ck_assert_str_eq(server(WEB, TCP_ACK, 48, 1, 65535, "90"), "HTTP/1.1 200 OK ");
}
END_TEST

START_TEST(control_characters_are_escaped)
{
    handshake(WEB);
    ck_assert_str_eq(client(WEB, TCP_ACK, 1, 1, 65535, "GET /\x1b[2J\x9b HTTP/1.1\r\n\r\n"),
                     "GET /\\033[2J\\233 HTTP/1.1 ");
}
END_TEST

START_TEST(endless_head_is_given_up)
{
    static char text[1001];
    handshake(WEB);
    memset(text, 'a', 1000);
    memcpy(text, "GET ", 4);
    for (uint32_t i = 0; i < 100; i++)
        client(WEB, TCP_ACK, 1 + i * 1000, 1, 65535, text);
    ck_assert_str_eq(row.protocol, "TCP");
}
END_TEST

static void udp_packet(struct packet *p, const char *payload, size_t len, uint16_t port)
{
    struct ipv4_packet ip = {
        .src = end_address(true), .dst = end_address(false), .ttl = 64, .protocol = 17};
    size_t at = ipv4_emit(&ip, len + 8, p->memory, sizeof p->memory);
    struct writer w = writer_of(p->memory + at, sizeof p->memory - at);

    write_u16(&w, 5000);
    write_u16(&w, port);
    write_u16(&w, (uint16_t)(len + 8));
    write_u16(&w, 0);
    write_bytes(&w, (struct bytes){(const uint8_t *)payload, len});
    p->len = at + len + 8;
}

START_TEST(query_shows_id_type_and_name) /* RFC 1035 4.1 */
{
    static const char query[] = "\x98\xef\x01\0\0\x01\0\0\0\0\0\0\x06google\x03"
                                "com\0\0\x01\0\x01";
    struct packet p;

    udp_packet(&p, query, sizeof query - 1, 53);
    see(&p);
    ck_assert_str_eq(row.info, "Standard query 0x98ef A google.com");
    ck_assert_str_eq(row.protocol, "DNS");
}
END_TEST

START_TEST(compression_loop_ends) /* RFC 1035 4.1.4 */
{
    static const char query[] = "\x98\xef\x01\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x01\0\x01";
    struct packet p;

    udp_packet(&p, query, sizeof query - 1, 53);
    see(&p);
    ck_assert_ptr_nonnull(strstr(row.info, "[Malformed Packet]"));
}
END_TEST

START_TEST(datagram_shows_ports_and_length)
{
    struct packet p;

    udp_packet(&p, "hello", 5, 9999);
    see(&p);
    ck_assert_str_eq(row.info, "5000 → 9999 Len=5");
}
END_TEST

/* Any bytes: nothing may crash, hang or leak; the sanitizers watch. Half of them are real segments
 * with some bytes changed, so that they get deep. */
START_TEST(random_packets_do_no_harm)
{
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n", "\r\n", ""};
    uint64_t state = 1;

    for (unsigned i = 0; i < 200000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint32_t r = (uint32_t)(state >> 32);
        struct packet p = segment(r & 1, r & 2 ? WEB : 53, (uint8_t)(r >> 8), r >> 16 & 63,
                                  r >> 4 & 63, (uint16_t)r, texts[r >> 22 & 3], NULL);
        for (unsigned change = 0; change < (r >> 30); change++)
            p.memory[(r >> (3 * change)) % p.len] = (uint8_t)(state >> (8 * change));
        if (i % 7 == 0)
            p.len = r % (p.len + 1);
        see(&p);
    }
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, options_stand_in_the_order_of_the_wire);
    tcase_add_test(tc, ipv6_of_the_kernel_is_shown_by_address_and_kind);
    tcase_add_test(tc, user_timeout_is_shown_without_its_unit);
    tcase_add_test(tc, window_is_scaled_after_the_syns_when_both_offered);
    tcase_add_test(tc, window_is_not_scaled_when_one_side_did_not_offer);
    tcase_add_test(tc, flags_are_listed_from_the_lowest_bit);
    tcase_add_test(tc, second_copy_of_an_ack_is_a_duplicate_of_the_first);
    tcase_add_test(tc, segment_behind_a_hole_says_that_one_is_missing);
    tcase_add_test(tc, data_again_after_two_duplicate_acks_is_a_fast_retransmission);
    tcase_add_test(tc, fast_retransmission_comes_within_20_ms);
    tcase_add_test(tc, old_data_soon_after_newer_is_out_of_order);
    tcase_add_test(tc, old_data_after_more_than_a_round_trip_is_a_retransmission);
    tcase_add_test(tc, acknowledged_data_again_is_spurious);
    tcase_add_test(tc, window_of_zero_and_its_probes_are_named);
    tcase_add_test(tc, segment_up_to_the_edge_of_the_window_fills_it);
    tcase_add_test(tc, keep_alive_and_its_answer_are_named);
    tcase_add_test(tc, syn_with_another_number_reuses_the_ports);
    tcase_add_test(tc, ack_beyond_what_was_seen_says_so);
    tcase_add_test(tc, ack_of_what_was_never_seen_is_told_once);
    tcase_add_test(tc,
                   ack_of_what_was_never_seen_is_told_again_when_the_other_end_has_acknowledged);
    tcase_add_test(tc, ack_of_a_byte_behind_a_hole_is_told_once);
    tcase_add_test(tc, ack_of_what_was_never_seen_is_not_told_after_duplicate_acks);
    tcase_add_test(tc, data_again_after_an_ack_of_unseen_data_is_a_fast_retransmission);
    tcase_add_test(tc, request_row_is_the_request_line_and_a_blank);
    tcase_add_test(tc, response_row_is_that_of_the_segment_which_completes_it);
    tcase_add_test(tc, response_without_length_ends_with_the_fin);
    tcase_add_test(tc, chunks_are_followed_to_the_last);
    tcase_add_test(tc, answer_to_head_has_no_body);
    tcase_add_test(tc, body_is_complete_when_the_hole_in_it_is_filled);
    tcase_add_test(tc, control_characters_are_escaped);
    tcase_add_test(tc, endless_head_is_given_up);
    tcase_add_test(tc, query_shows_id_type_and_name);
    tcase_add_test(tc, compression_loop_ends);
    tcase_add_test(tc, datagram_shows_ports_and_length);
    tcase_add_test(tc, random_packets_do_no_harm);
}

int main(void)
{
    return unit_main("dissect", tests);
}
