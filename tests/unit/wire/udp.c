/* The UDP header, RFC 768. */
#include "../../../stack/wire/udp.h"

#include "wire.h"

static const uint8_t text[] = "datagram";

static size_t datagram_of(struct bytes payload, uint8_t *packet, size_t room)
{
    struct ip_addr src = ip_addr_from_v4(0x0a000002), dst = ip_addr_from_v4(0x0a000001);
    struct udp_datagram udp = {.src_port = 5000, .dst_port = 53, .payload = payload};

    return udp_emit(&udp, &src, &dst, packet, room);
}

static enum drop parse(struct bytes packet, struct udp_datagram *udp)
{
    struct ip_addr src = ip_addr_from_v4(0x0a000002), dst = ip_addr_from_v4(0x0a000001);

    return udp_parse(packet, &src, &dst, false, udp);
}

START_TEST(what_is_emitted_parses_to_the_same)
{
    uint8_t packet[100];
    size_t len = datagram_of((struct bytes){text, sizeof text}, packet, sizeof packet);
    struct udp_datagram udp;

    ck_assert_uint_eq(len, UDP_HEADER_BYTES + sizeof text);
    ck_assert_int_eq(parse((struct bytes){packet, len}, &udp), DROP_NOT);
    ck_assert_uint_eq(udp.src_port, 5000);
    ck_assert_uint_eq(udp.dst_port, 53);
    ck_assert_uint_eq(udp.payload.len, sizeof text);
    ck_assert_mem_eq(udp.payload.data, text, sizeof text);
}
END_TEST

static bool parses(struct bytes prefix)
{
    struct udp_datagram udp;

    return parse(prefix, &udp) == DROP_NOT;
}

START_TEST(no_prefix_of_a_datagram_is_a_datagram)
{
    uint8_t packet[100];
    size_t len = datagram_of((struct bytes){text, sizeof text}, packet, sizeof packet);

    ck_assert_uint_eq(accepted_prefixes((struct bytes){packet, len}, parses), 0);
}
END_TEST

START_TEST(a_checksum_of_zero_means_that_none_was_sent)
{
    uint8_t packet[100];
    size_t len = datagram_of((struct bytes){text, sizeof text}, packet, sizeof packet);
    struct udp_datagram udp;

    packet[8] ^= 1;
    ck_assert_int_eq(parse((struct bytes){packet, len}, &udp), DROP_UDP_CHECKSUM);
    packet[6] = packet[7] = 0;
    ck_assert_int_eq(parse((struct bytes){packet, len}, &udp), DROP_NOT);
}
END_TEST

START_TEST(a_sum_of_zero_is_sent_as_all_ones)
{
    uint8_t packet[100];
    struct udp_datagram udp;

    for (uint32_t value = 0; value <= UINT16_MAX; value++) { /* one of them sums to zero */
        const uint8_t payload[] = {(uint8_t)(value >> 8), (uint8_t)value};
        size_t len = datagram_of((struct bytes){payload, 2}, packet, sizeof packet);
        ck_assert(packet[6] != 0 || packet[7] != 0);
        ck_assert_int_eq(parse((struct bytes){packet, len}, &udp), DROP_NOT);
    }
}
END_TEST

START_TEST(lengths_that_lie_are_refused)
{
    uint8_t packet[100] = {0};
    struct udp_datagram udp;

    datagram_of((struct bytes){text, sizeof text}, packet, sizeof packet);
    packet[5] = 7; /* shorter than its header */
    ck_assert_int_eq(parse((struct bytes){packet, 17}, &udp), DROP_UDP_TRUNCATED);
    packet[4] = 0xff;
    ck_assert_int_eq(parse((struct bytes){packet, 17}, &udp), DROP_UDP_TRUNCATED);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, what_is_emitted_parses_to_the_same);
    tcase_add_test(tc, no_prefix_of_a_datagram_is_a_datagram);
    tcase_add_test(tc, a_checksum_of_zero_means_that_none_was_sent);
    tcase_add_test(tc, a_sum_of_zero_is_sent_as_all_ones);
    tcase_add_test(tc, lengths_that_lie_are_refused);
}

int main(void)
{
    return unit_main("wire/udp", tests);
}
