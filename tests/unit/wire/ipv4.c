/* The IPv4 header: what parses has a sound shape, and emitting it gives it back. RFC 791 3.1. */
#include "../../../stack/wire/ipv4.h"

#include "../../../stack/wire/checksum.h"
#include "wire.h"

static size_t packet_of(const struct ipv4_packet *ip, uint8_t *packet, size_t room)
{
    size_t header_bytes = ipv4_emit(ip, ip->payload.len, packet, room);

    ck_assert_uint_ge(header_bytes, IPV4_HEADER_BYTES);
    if (ip->payload.len > 0)
        memcpy(packet + header_bytes, ip->payload.data, ip->payload.len);
    return header_bytes + ip->payload.len;
}

static struct ipv4_packet an_example(void)
{
    static const uint8_t payload[] = "payload of some length";

    return (struct ipv4_packet){.src = ip_addr_from_v4(0x0a000002),
                                .dst = ip_addr_from_v4(0x0a000001),
                                .tos = 0xb8,
                                .ttl = 63,
                                .protocol = IP_PROTOCOL_UDP,
                                .id = 0x1234,
                                .dont_fragment = true,
                                .payload = {payload, sizeof payload}};
}

static void assert_equal(const struct ipv4_packet *a, const struct ipv4_packet *b)
{
    ck_assert(ip_addr_equal(&a->src, &b->src) && ip_addr_equal(&a->dst, &b->dst));
    ck_assert_uint_eq(a->tos, b->tos);
    ck_assert_uint_eq(a->ttl, b->ttl);
    ck_assert_uint_eq(a->protocol, b->protocol);
    ck_assert_uint_eq(a->id, b->id);
    ck_assert(a->dont_fragment == b->dont_fragment && a->more_fragments == b->more_fragments);
    ck_assert_uint_eq(a->fragment_offset_bytes, b->fragment_offset_bytes);
    ck_assert_uint_eq(a->payload.len, b->payload.len);
    ck_assert_mem_eq(a->payload.data, b->payload.data, a->payload.len);
}

START_TEST(what_is_emitted_parses_to_the_same)
{
    static const uint8_t nops[] = {1, 1, 1, 1, 1};
    uint8_t packet[2000];
    uint64_t random = 3;

    for (int i = 0; i < 2000; i++) {
        struct ipv4_packet ip = an_example(), again;
        ip.src = ip_addr_from_v4((uint32_t)next_random(&random));
        ip.dst = ip_addr_from_v4((uint32_t)next_random(&random));
        ip.id = (uint16_t)next_random(&random);
        ip.ttl = (uint8_t)next_random(&random);
        ip.tos = (uint8_t)next_random(&random);
        ip.dont_fragment = next_random(&random) % 2;
        ip.more_fragments = next_random(&random) % 2;
        ip.fragment_offset_bytes = (uint32_t)(next_random(&random) % 8192 * 8);
        ip.options = (struct bytes){nops, next_random(&random) % 6};
        size_t len = packet_of(&ip, packet, sizeof packet);
        ck_assert_int_eq(ipv4_parse((struct bytes){packet, len}, false, &again), DROP_NOT);
        assert_equal(&ip, &again);
    }
}
END_TEST

static bool parses(struct bytes prefix)
{
    struct ipv4_packet ip;

    return ipv4_parse(prefix, false, &ip) == DROP_NOT;
}

START_TEST(no_prefix_of_a_packet_is_a_packet)
{
    struct ipv4_packet ip = an_example();
    uint8_t packet[100];
    size_t len = packet_of(&ip, packet, sizeof packet);

    ck_assert_uint_eq(accepted_prefixes((struct bytes){packet, len}, parses), 0);
}
END_TEST

START_TEST(padding_of_the_link_is_cut_off)
{
    struct ipv4_packet ip = an_example(), again;
    uint8_t packet[100] = {0};
    size_t len = packet_of(&ip, packet, sizeof packet);

    ck_assert_int_eq(ipv4_parse((struct bytes){packet, len + 20}, false, &again), DROP_NOT);
    ck_assert_uint_eq(again.payload.len, ip.payload.len);
}
END_TEST

START_TEST(a_flipped_bit_in_the_header_is_noticed)
{
    struct ipv4_packet ip = an_example(), again;
    uint8_t packet[100];
    size_t len = packet_of(&ip, packet, sizeof packet);

    for (size_t bit = 0; bit < IPV4_HEADER_BYTES * 8; bit++) {
        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_int_ne(ipv4_parse((struct bytes){packet, len}, false, &again), DROP_NOT);
        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}
END_TEST

/* The example with one byte of its header changed, and the checksum put right again. */
static enum drop parse_with(size_t at, uint8_t value, struct ipv4_packet *again)
{
    struct ipv4_packet ip = an_example();
    uint8_t packet[100];
    size_t len = packet_of(&ip, packet, sizeof packet);
    struct checksum sum = {0};

    packet[at] = value;
    packet[10] = packet[11] = 0;
    checksum_add(&sum, (struct bytes){packet, IPV4_HEADER_BYTES});
    packet[10] = (uint8_t)(checksum_finish(&sum) >> 8);
    packet[11] = (uint8_t)checksum_finish(&sum);
    return ipv4_parse((struct bytes){packet, len}, false, again);
}

START_TEST(lengths_that_lie_are_refused)
{
    struct ipv4_packet ip;

    ck_assert_int_eq(parse_with(0, 0x65, &ip), DROP_IP_VERSION);
    ck_assert_int_eq(parse_with(0, 0x44, &ip), DROP_IP_HEADER_LENGTH);
    ck_assert_int_eq(parse_with(2, 0xff, &ip), DROP_IP_TRUNCATED); /* longer than what is there */
    ck_assert_int_eq(parse_with(3, 19, &ip), DROP_IP_TRUNCATED);   /* shorter than its header */
}
END_TEST

START_TEST(an_option_that_reaches_beyond_the_header_is_refused)
{
    static const uint8_t bad[][4] = {{7, 9, 4, 0}, {7, 0, 0, 0}, {7, 1, 0, 0}, {1, 1, 1, 7}};
    static const uint8_t good[][4] = {{0, 9, 9, 9}, {1, 1, 7, 2}, {7, 4, 4, 0}};
    uint8_t packet[100];

    for (size_t i = 0; i < 4 + 3; i++) {
        struct ipv4_packet ip = an_example(), again;
        ip.options = (struct bytes){i < 4 ? bad[i] : good[i - 4], 4};
        size_t len = packet_of(&ip, packet, sizeof packet);
        ck_assert_int_eq(ipv4_parse((struct bytes){packet, len}, false, &again),
                         i < 4 ? DROP_IP_OPTIONS : DROP_NOT);
    }
}
END_TEST

START_TEST(a_packet_beyond_65535_bytes_is_not_emitted)
{
    struct ipv4_packet ip = an_example();
    uint8_t header[IPV4_HEADER_MAX_BYTES];

    ck_assert_uint_eq(ipv4_emit(&ip, 65515, header, sizeof header), IPV4_HEADER_BYTES);
    ck_assert_uint_eq(ipv4_emit(&ip, 65516, header, sizeof header), 0);
    ck_assert_uint_eq(ipv4_emit(&ip, 0, header, IPV4_HEADER_BYTES - 1), 0);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, what_is_emitted_parses_to_the_same);
    tcase_add_test(tc, no_prefix_of_a_packet_is_a_packet);
    tcase_add_test(tc, padding_of_the_link_is_cut_off);
    tcase_add_test(tc, a_flipped_bit_in_the_header_is_noticed);
    tcase_add_test(tc, lengths_that_lie_are_refused);
    tcase_add_test(tc, an_option_that_reaches_beyond_the_header_is_refused);
    tcase_add_test(tc, a_packet_beyond_65535_bytes_is_not_emitted);
}

int main(void)
{
    return unit_main("wire/ipv4", tests);
}
