/* Messages of several segments: expected texts are what tshark 4.0.17 prints for the same packets.
 */
#include "../unit.h"

#include "see.h"

static const char CONTINUES[] = "[TCP segment of a reassembled PDU]";
/* 39 bytes. */
static const char HEAD_OF_10[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";

static bool says(const char *info, const char *text)
{
    return strstr(info, text) != NULL;
}

/* The connection has spoken HTTP: bytes that are none are a continuation from now on. */
static void request(void)
{
    handshake(WEB);
    client(WEB, TCP_ACK, 1, 1, 65535, "GET / HTTP/1.1\r\n\r\n");
}

static const char *response(uint32_t seq, const char *text)
{
    return server(WEB, TCP_ACK, seq, 19, 65535, text);
}

/* After it `seq` again within 20 ms is a fast retransmission. */
static void client_misses(uint32_t seq)
{
    for (unsigned i = 0; i < 3; i++)
        client(WEB, TCP_ACK, 19, seq, 65535, "");
}

START_TEST(bytes_behind_a_hole_belong_to_a_body_that_reaches_so_far)
{
    request();
    response(1, HEAD_OF_10);
    ck_assert(says(response(45, "67890"), CONTINUES));
    ck_assert_str_eq(row.protocol, "TCP");
}
END_TEST

START_TEST(bytes_behind_a_hole_are_a_continuation_where_no_message_reaches)
{
    request();
    response(1, "HTTP/1.1 200 OK\r\n");
    ck_assert_str_eq(response(30, "th: 10\r\n"),
                     "[TCP Previous segment not captured] Continuation");
    ck_assert_str_eq(row.protocol, "HTTP");
}
END_TEST

START_TEST(retransmission_does_not_fill_the_hole)
{
    request();
    response(1, HEAD_OF_10);
    response(45, "67890");
    now_us += 100000;
    ck_assert_str_eq(response(40, "12345"),
                     "[TCP Retransmission] 80 → 53747 [ACK] Seq=40 Ack=19 Win=65535 Len=5");
}
END_TEST

START_TEST(fast_retransmission_completes_the_message)
{
    request();
    response(1, HEAD_OF_10);
    response(45, "67890");
    client_misses(40);
    ck_assert_str_eq(response(40, "12345"), "[TCP Fast Retransmission] HTTP/1.1 200 OK ");
    ck_assert_str_eq(row.protocol, "HTTP");
}
END_TEST

START_TEST(message_that_a_segment_out_of_order_completes_is_lost)
{
    request();
    response(1, HEAD_OF_10);
    response(45, "67890");
    ck_assert_str_eq(response(40, "12345"),
                     "[TCP Out-Of-Order] 80 → 53747 [ACK] Seq=40 Ack=19 Win=65535 Len=5");
}
END_TEST

START_TEST(bytes_of_a_message_that_is_done_are_an_error)
{
    request();
    response(1, HEAD_OF_10);
    response(40, "12345");
    response(45, "67890");
    client_misses(45);
    ck_assert(says(response(45, "67890"), "Len=5[Reassembly error, protocol TCP: New fragment "
                                          "overlaps old data (retransmission?)]"));
}
END_TEST

START_TEST(first_segment_of_a_message_again_says_nothing)
{
    request();
    response(1, HEAD_OF_10);
    client_misses(1);
    ck_assert_str_eq(response(1, HEAD_OF_10),
                     "[TCP Fast Retransmission] 80 → 53747 [ACK] Seq=1 Ack=19 Win=65535 Len=39");
}
END_TEST

START_TEST(next_message_is_read_even_when_the_one_before_has_a_hole)
{
    request();
    response(1, HEAD_OF_10);
    ck_assert(says(response(45, "67890HTTP/1.1 204 No\r\n\r\n"),
                   "Len=24 [TCP segment of a reassembled PDU]HTTP/1.1 204 No "));
    ck_assert_str_eq(row.protocol, "TCP");
}
END_TEST

START_TEST(only_the_first_part_of_a_segment_says_that_it_goes_on)
{
    request();
    response(1, HEAD_OF_10);
    ck_assert_str_eq(response(40, "1234567890HTTP/1.1 200 OK\r\n"),
                     "HTTP/1.1 200 OK HTTP/1.1 200 OK ");
    ck_assert_str_eq(row.protocol, "HTTP");
    ck_assert_str_eq(response(67, "Content-Length: 0\r\n\r\n"), "HTTP/1.1 200 OK ");
}
END_TEST

START_TEST(fin_does_not_end_a_message_with_a_hole)
{
    request();
    response(1, "HTTP/1.0 200 OK\r\n\r\nbody");
    response(34, "more");
    ck_assert_str_eq(server(WEB, TCP_ACK | TCP_FIN, 38, 19, 65535, ""),
                     "80 → 53747 [FIN, ACK] Seq=38 Ack=19 Win=65535 Len=0");
}
END_TEST

START_TEST(segment_with_fin_ends_the_message_whose_head_is_in_it) /* RFC 9112 6.3 */
{
    request();
    ck_assert_str_eq(server(WEB, TCP_ACK | TCP_FIN, 1, 19, 65535,
                            "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 9\r\n\r\n12"),
                     "HTTP/1.1 200 OK  (a/b)");
}
END_TEST

START_TEST(bytes_behind_the_end_of_a_stream_lie_past_its_message)
{
    request();
    response(1, "HTTP/1.0 200 OK\r\n\r\nbody");
    server(WEB, TCP_ACK | TCP_FIN, 24, 19, 65535, "");
    ck_assert(says(response(25, "more"), "Len=4[Reassembly error, protocol TCP: New fragment past "
                                         "old data limits]"));
}
END_TEST

START_TEST(chunk_behind_a_hole_is_a_continuation)
{
    request();
    response(1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123");
    ck_assert(says(response(56, "789\r\n0\r\n\r\n"), "Continuation"));
}
END_TEST

START_TEST(holes_without_number_are_bounded)
{
    request();
    response(1, "HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n");
    for (uint32_t i = 0; i < 2000; i++)
        ck_assert(says(response(100 + 10 * i, "body"), CONTINUES));
}
END_TEST

START_TEST(daytime_is_named) /* RFC 867 */
{
    enum { DAYTIME = 13 };

    handshake(DAYTIME);
    ck_assert_str_eq(server(DAYTIME, TCP_ACK, 1, 1, 65535, "noon\r\n"), "DAYTIME Response");
    ck_assert_str_eq(row.protocol, "DAYTIME");
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, bytes_behind_a_hole_belong_to_a_body_that_reaches_so_far);
    tcase_add_test(tc, bytes_behind_a_hole_are_a_continuation_where_no_message_reaches);
    tcase_add_test(tc, retransmission_does_not_fill_the_hole);
    tcase_add_test(tc, fast_retransmission_completes_the_message);
    tcase_add_test(tc, message_that_a_segment_out_of_order_completes_is_lost);
    tcase_add_test(tc, bytes_of_a_message_that_is_done_are_an_error);
    tcase_add_test(tc, first_segment_of_a_message_again_says_nothing);
    tcase_add_test(tc, next_message_is_read_even_when_the_one_before_has_a_hole);
    tcase_add_test(tc, only_the_first_part_of_a_segment_says_that_it_goes_on);
    tcase_add_test(tc, fin_does_not_end_a_message_with_a_hole);
    tcase_add_test(tc, segment_with_fin_ends_the_message_whose_head_is_in_it);
    tcase_add_test(tc, bytes_behind_the_end_of_a_stream_lie_past_its_message);
    tcase_add_test(tc, chunk_behind_a_hole_is_a_continuation);
    tcase_add_test(tc, daytime_is_named);
    tcase_add_test(tc, holes_without_number_are_bounded);
}

int main(void)
{
    return unit_main("stream", tests);
}
