/* The TCP header, RFC 9293 3.1. */
#include "../../../stack/wire/tcp_segment.h"

#include "../../../stack/wire/checksum.h"
#include "wire.h"

static const uint8_t text[] = "text of a segment";

static struct tcp_segment random_segment(uint64_t *random)
{
    struct tcp_segment seg = {.src_port = (uint16_t)next_random(random),
                              .dst_port = (uint16_t)next_random(random),
                              .seq = (uint32_t)next_random(random),
                              .ack = (uint32_t)next_random(random),
                              .wnd = (uint16_t)next_random(random),
                              .urgent = (uint16_t)next_random(random),
                              .flags = (uint8_t)next_random(random)};

    seg.options.has_timestamps = next_random(random) % 2;
    if (seg.options.has_timestamps)
        seg.options.tsval = (uint32_t)next_random(random);
    return seg;
}

/* Header and text with a right checksum between 10.0.0.2 and 10.0.0.1. */
static size_t packet_of(const struct tcp_segment *seg, uint8_t *packet)
{
    struct ip_addr src = ip_addr_from_v4(0x0a000002), dst = ip_addr_from_v4(0x0a000001);
    struct checksum sum = {0};
    size_t len = tcp_emit(seg, TCP_SYN_STYLE_LINUX, packet);

    memcpy(packet + len, text, sizeof text);
    len += sizeof text;
    checksum_add_pseudo(&sum, &src, &dst, 6, len);
    checksum_add(&sum, (struct bytes){packet, len});
    packet[TCP_CHECKSUM_OFFSET] = (uint8_t)(checksum_finish(&sum) >> 8);
    packet[TCP_CHECKSUM_OFFSET + 1] = (uint8_t)checksum_finish(&sum);
    return len;
}

static bool checksum_is_right(struct bytes packet)
{
    struct ip_addr src = ip_addr_from_v4(0x0a000002), dst = ip_addr_from_v4(0x0a000001);

    return tcp_checksum_is_right(packet, &src, &dst);
}

START_TEST(what_is_emitted_parses_to_the_same)
{
    uint64_t random = 11;
    uint8_t packet[TCP_HEADER_MAX_BYTES + sizeof text];

    for (int i = 0; i < 5000; i++) {
        struct tcp_segment seg = random_segment(&random), again;
        size_t len = packet_of(&seg, packet);
        ck_assert_int_eq(tcp_parse((struct bytes){packet, len}, &again), DROP_NOT);
        ck_assert(checksum_is_right((struct bytes){packet, len}));
        ck_assert(seg.src_port == again.src_port && seg.dst_port == again.dst_port);
        ck_assert(seg.seq == again.seq && seg.ack == again.ack);
        ck_assert(seg.wnd == again.wnd && seg.urgent == again.urgent); /* unsigned: MUST-1 */
        ck_assert_uint_eq(seg.flags, again.flags);
        ck_assert_uint_eq(seg.options.tsval, again.options.tsval);
        ck_assert_uint_eq(again.payload.len, sizeof text);
        ck_assert_mem_eq(again.payload.data, text, sizeof text);
    }
}
END_TEST

START_TEST(a_flipped_bit_anywhere_spoils_the_checksum) /* MUST-3 */
{
    uint64_t random = 12;
    uint8_t packet[TCP_HEADER_MAX_BYTES + sizeof text];
    struct tcp_segment seg = random_segment(&random);
    size_t len = packet_of(&seg, packet);

    for (size_t bit = 0; bit < len * 8; bit++) {
        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert(!checksum_is_right((struct bytes){packet, len}));
        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}
END_TEST

static bool parses(struct bytes prefix)
{
    struct tcp_segment seg;

    return tcp_parse(prefix, &seg) == DROP_NOT;
}

START_TEST(no_prefix_of_a_header_is_a_segment)
{
    struct tcp_segment seg = {.options = {.has_timestamps = true}};
    uint8_t header[TCP_HEADER_MAX_BYTES];
    size_t len = tcp_emit(&seg, TCP_SYN_STYLE_LINUX, header);

    ck_assert_uint_eq(accepted_prefixes((struct bytes){header, len}, parses), 0);
}
END_TEST

START_TEST(a_data_offset_that_lies_is_refused)
{
    struct tcp_segment seg = {.flags = TCP_ACK}, again;
    uint8_t header[TCP_HEADER_MAX_BYTES];
    size_t len = tcp_emit(&seg, TCP_SYN_STYLE_LINUX, header);

    header[12] = 4 << 4;
    ck_assert_int_eq(tcp_parse((struct bytes){header, len}, &again), DROP_TCP_TRUNCATED);
    header[12] = 15 << 4;
    ck_assert_int_eq(tcp_parse((struct bytes){header, len}, &again), DROP_TCP_TRUNCATED);
}
END_TEST

START_TEST(syn_and_fin_count_as_one_each) /* 9293 3.4, SEG.LEN */
{
    struct tcp_segment seg = {.flags = TCP_SYN | TCP_FIN | TCP_ACK, .payload = {text, 5}};

    ck_assert_uint_eq(tcp_segment_len(&seg), 7);
    seg.flags = TCP_ACK;
    ck_assert_uint_eq(tcp_segment_len(&seg), 5);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, what_is_emitted_parses_to_the_same);
    tcase_add_test(tc, a_flipped_bit_anywhere_spoils_the_checksum);
    tcase_add_test(tc, no_prefix_of_a_header_is_a_segment);
    tcase_add_test(tc, a_data_offset_that_lies_is_refused);
    tcase_add_test(tc, syn_and_fin_count_as_one_each);
}

int main(void)
{
    return unit_main("wire/tcp_segment", tests);
}
