/* Merged packets are cut into the ordinary ones that a device makes of them. */
#include "../unit.h"

#include "../../../stack/wire/ipv4.h"
#include "../../../stack/wire/udp.h"
#include "../../../tun/segments.h"
#include "../view/packets.h"

static uint8_t memory[SEGMENT_MAX_BYTES];

struct seen {
    struct ipv4_packet ip;
    struct tcp_segment seg;
};

/* The next packet, whose checksums are right. */
static struct seen next(struct segments *segments)
{
    struct seen seen;
    size_t len = segments_next(segments, memory);

    ck_assert_uint_gt(len, 0);
    ck_assert_int_eq(ipv4_parse((struct bytes){memory, len}, false, &seen.ip), DROP_NOT);
    ck_assert_uint_eq(seen.ip.payload.len + IPV4_HEADER_BYTES, len);
    ck_assert(tcp_checksum_is_right(seen.ip.payload, &seen.ip.src, &seen.ip.dst));
    ck_assert_int_eq(tcp_parse(seen.ip.payload, &seen.seg), DROP_NOT);
    return seen;
}

START_TEST(each_piece_has_its_own_number_and_id)
{
    struct packet p = segment(true, 80, TCP_ACK, 1, 1, 500, "0123456789", NULL);
    struct packet_in in = {.bytes = packet_bytes(&p), .segment_bytes = 4};
    struct segments segments;

    segments_of_in(&segments, &in);
    for (uint32_t i = 0; i < 3; i++) {
        struct seen seen = next(&segments);

        ck_assert_uint_eq(seen.seg.seq, client_iss + 1 + 4 * i);
        ck_assert_uint_eq(seen.ip.id, 7 + i);
        ck_assert_mem_eq(seen.seg.payload.data, &"0123456789"[4 * i], seen.seg.payload.len);
    }
    ck_assert_uint_eq(segments_next(&segments, memory), 0);
}
END_TEST

START_TEST(fin_and_push_stand_on_the_last_piece_only) /* 9293 3.1, 3.9.1.2 */
{
    struct packet p =
        segment(true, 80, TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR, 1, 1, 500, "01234567", NULL);
    struct packet_in in = {.bytes = packet_bytes(&p), .segment_bytes = 4};
    struct segments segments;

    segments_of_in(&segments, &in);
    ck_assert_uint_eq(next(&segments).seg.flags, TCP_ACK | TCP_CWR); /* RFC 3168 6.1.2 */
    ck_assert_uint_eq(next(&segments).seg.flags, TCP_ACK | TCP_PSH | TCP_FIN);
}
END_TEST

START_TEST(piece_across_the_two_spans_is_whole)
{
    struct packet p = segment(true, 80, TCP_ACK, 1, 1, 500, "0123456789", NULL);
    struct packet_out out = {.header_bytes = p.header_bytes, .segment_bytes = 4};
    struct segments segments;

    memcpy(out.header, p.memory, p.header_bytes);
    out.payload[0] = (struct bytes){(const uint8_t *)"012345", 6};
    out.payload[1] = (struct bytes){(const uint8_t *)"6789", 4};
    segments_of_out(&segments, &out);
    next(&segments);
    ck_assert_mem_eq(next(&segments).seg.payload.data, "4567", 4);
    ck_assert_mem_eq(next(&segments).seg.payload.data, "89", 2);
}
END_TEST

START_TEST(checksum_left_to_the_device_is_completed)
{
    struct packet p = segment(true, 80, TCP_ACK, 1, 1, 500, "abc", NULL);
    struct packet_out out = {.header_bytes = p.header_bytes,
                             .payload = {{(const uint8_t *)"abc", 3}},
                             .checksum_needed = true,
                             .checksum_start = IPV4_HEADER_BYTES,
                             .checksum_offset = TCP_CHECKSUM_OFFSET};
    struct segments segments;
    struct checksum pseudo = {0};
    struct ip_addr src = end_address(true);
    struct ip_addr dst = end_address(false);

    memcpy(out.header, p.memory, p.header_bytes);
    checksum_add_pseudo(&pseudo, &src, &dst, IP_PROTOCOL_TCP, p.len - IPV4_HEADER_BYTES);
    struct writer field = writer_of(out.header + IPV4_HEADER_BYTES + TCP_CHECKSUM_OFFSET, 2);
    write_u16(&field, checksum_fold(&pseudo));
    segments_of_out(&segments, &out);
    next(&segments);
    ck_assert_uint_eq(segments_next(&segments, memory), 0);
}
END_TEST

START_TEST(checksum_that_was_never_finished_is_completed)
{
    struct packet p = segment(true, 80, TCP_ACK, 1, 1, 500, "abc", NULL);
    struct packet_in in = {.bytes = packet_bytes(&p),
                           .checksum_ok = true,
                           .checksum_needed = true,
                           .checksum_start = IPV4_HEADER_BYTES,
                           .checksum_offset = TCP_CHECKSUM_OFFSET};
    struct segments segments;
    struct checksum pseudo = {0};
    struct ip_addr src = end_address(true);
    struct ip_addr dst = end_address(false);

    checksum_add_pseudo(&pseudo, &src, &dst, IP_PROTOCOL_TCP, p.len - IPV4_HEADER_BYTES);
    struct writer field = writer_of(p.memory + IPV4_HEADER_BYTES + TCP_CHECKSUM_OFFSET, 2);
    write_u16(&field, checksum_fold(&pseudo));
    segments_of_in(&segments, &in);
    next(&segments);
    ck_assert_uint_eq(segments_next(&segments, memory), 0);
}
END_TEST

START_TEST(datagrams_are_cut_with_a_header_each)
{
    struct udp_datagram udp = {
        .src_port = 53, .dst_port = 4000, .payload = {(const uint8_t *)"0123456789", 10}};
    struct ip_addr src = end_address(true), dst = end_address(false);
    struct ipv4_packet ip = {.src = src, .dst = dst, .ttl = 64, .protocol = IP_PROTOCOL_UDP};
    uint8_t packet[64];
    size_t len = ipv4_emit(&ip, UDP_HEADER_BYTES + 10, packet, sizeof packet);
    len += udp_emit(&udp, &src, &dst, packet + len, sizeof packet - len);
    struct packet_in in = {.bytes = {packet, len}, .checksum_ok = true, .segment_bytes = 4};
    struct segments segments;

    segments_of_in(&segments, &in);
    for (size_t at = 0; at < 10; at += 4) {
        len = segments_next(&segments, memory);
        ck_assert_int_eq(ipv4_parse((struct bytes){memory, len}, false, &ip), DROP_NOT);
        ck_assert_int_eq(udp_parse(ip.payload, &src, &dst, false, &udp), DROP_NOT);
        ck_assert_uint_eq(udp.src_port, 53);
        ck_assert_uint_eq(udp.payload.len, at < 8 ? 4 : 2);
        ck_assert_mem_eq(udp.payload.data, &"0123456789"[at], udp.payload.len);
    }
    ck_assert_uint_eq(segments_next(&segments, memory), 0);
}
END_TEST

START_TEST(packet_that_the_device_is_wrong_about_is_passed_on_as_it_is)
{
    struct packet p = segment(true, 80, TCP_ACK, 1, 1, 500, "0123456789", NULL);
    struct packet_in in = {
        .bytes = packet_bytes(&p), .segment_bytes = 4, .drop = DROP_DEVICE_HEADER};
    struct segments segments;

    segments_of_in(&segments, &in);
    ck_assert_uint_eq(segments_next(&segments, memory), p.len);
    ck_assert_mem_eq(memory, p.memory, p.len);
}
END_TEST

START_TEST(broken_packet_is_passed_on_as_it_is)
{
    struct packet p = segment(true, 80, TCP_ACK, 1, 1, 500, "0123456789", NULL);
    struct segments segments;

    for (size_t len = 0; len < p.header_bytes; len++) {
        struct packet_in in = {.bytes = {p.memory, len}, .segment_bytes = 4};

        segments_of_in(&segments, &in);
        ck_assert_uint_eq(segments_next(&segments, memory), len);
        ck_assert_uint_eq(segments_next(&segments, memory), 0);
    }
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, each_piece_has_its_own_number_and_id);
    tcase_add_test(tc, fin_and_push_stand_on_the_last_piece_only);
    tcase_add_test(tc, piece_across_the_two_spans_is_whole);
    tcase_add_test(tc, checksum_left_to_the_device_is_completed);
    tcase_add_test(tc, checksum_that_was_never_finished_is_completed);
    tcase_add_test(tc, datagrams_are_cut_with_a_header_each);
    tcase_add_test(tc, packet_that_the_device_is_wrong_about_is_passed_on_as_it_is);
    tcase_add_test(tc, broken_packet_is_passed_on_as_it_is);
}

int main(void)
{
    return unit_main("segments", tests);
}
