/* stack/ip/ip.c: which packets are let in, and to whom they are handed. RFC 791, RFC 1122 3.2.1. */
#include "rig.h"

#include "../../../stack/ip/reassembly.h"

/* A datagram to an open socket, with this header. Is it delivered? */
static enum drop udp_with_header(struct rig *rig, const struct ipv4_packet *ip)
{
    uint8_t udp[UDP_HEADER_BYTES + 4];
    size_t len = rig_udp(&ip->src, 1000, &ip->dst, 2000, rig_pattern(4), udp, sizeof udp);

    return rig_in_packet(rig, ip, (struct bytes){udp, len}, false);
}

START_TEST(a_packet_to_another_address_is_discarded_without_a_word) /* RFC 1122 3.2.1.3 */
{
    static const char *others[] = {"10.0.0.3", "255.255.255.255", "224.0.0.1", "127.0.0.1"};
    struct rig *rig = rig_new();
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_UDP);

    ip.dst = rig_addr(others[_i]);
    ck_assert_int_eq(udp_with_header(rig, &ip), DROP_IP_NOT_OURS);
    ck_assert_uint_eq(rig_drops(rig, DROP_IP_NOT_OURS), 1);
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(a_source_that_names_no_single_host_is_discarded_without_a_word) /* RFC 1122 3.2.1.3 */
{
    static const char *sources[] = {"0.0.0.0",   "224.0.0.1", "255.255.255.255",
                                    "127.0.0.1", "240.0.0.1", "10.0.0.2"};
    struct rig *rig = rig_new();
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_UDP);

    ip.src = rig_addr(sources[_i]);
    ck_assert_int_eq(udp_with_header(rig, &ip), DROP_IP_SOURCE);
    ck_assert_uint_eq(rig_drops(rig, DROP_IP_SOURCE), 1);
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(each_of_our_addresses_is_heard)
{
    struct rig *rig = rig_prepare();
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_UDP);

    rig->config.address[1] = rig_addr("10.0.0.9");
    rig->config.address_count = 2;
    rig_start(rig);
    ck_assert_ptr_nonnull(udp_open(rig->stack, 2000));
    ip.dst = rig_addr(_i == 0 ? "10.0.0.2" : "10.0.0.9");
    ck_assert_int_eq(udp_with_header(rig, &ip), DROP_NOT);
    rig_free(rig);
}
END_TEST

START_TEST(ttl_zero_has_arrived_and_is_accepted) /* RFC 1122 3.2.1.7 */
{
    struct rig *rig = rig_new();
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_UDP);

    ip.ttl = 0;
    ck_assert_ptr_nonnull(udp_open(rig->stack, 2000));
    ck_assert_int_eq(udp_with_header(rig, &ip), DROP_NOT);
    rig_free(rig);
}
END_TEST

START_TEST(a_wrong_header_checksum_is_discarded_whatever_the_device_says) /* RFC 1122 3.2.1.2 */
{
    struct rig *rig = rig_new();
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_UDP);
    uint8_t packet[64] = {0};
    size_t header_bytes = ipv4_emit(&ip, 20, packet, sizeof packet);

    packet[10] ^= 1;
    ck_assert_int_eq(rig_in_bytes(rig, packet, header_bytes + 20, true), DROP_IP_CHECKSUM);
    ck_assert_uint_eq(rig_drops(rig, DROP_IP_CHECKSUM), 1);
    rig_free(rig);
}
END_TEST

START_TEST(every_beginning_of_a_packet_is_refused)
{
    struct rig *rig = rig_new();
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_UDP);
    uint8_t packet[64];
    size_t len = ipv4_emit(&ip, 20, packet, sizeof packet);

    memset(packet + len, 0, 20);
    for (size_t cut = 0; cut < len + 20; cut++)
        ck_assert_int_ne(rig_in_bytes(rig, packet, cut, false), DROP_NOT);
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

static const struct {
    uint8_t bytes[12];
    size_t len;
    bool is_refused;
} options[] = {
    {{1, 1, 1, 0}, 4, false},
    {{7, 7, 4, 0, 0, 0, 0, 0}, 8, false},    /* record route, room left */
    {{148, 4, 0, 0}, 4, false},              /* router alert */
    {{0, 131, 7, 4}, 4, false},              /* behind the end of the list */
    {{131, 7, 8, 10, 0, 0, 1, 0}, 8, false}, /* source route that ends here */
    {{131, 7, 4, 10, 0, 0, 1, 0}, 8, true},  /* loose, one hop left */
    {{137, 7, 4, 10, 0, 0, 1, 0}, 8, true},  /* strict, one hop left */
    {{131, 7, 7, 10, 0, 0, 1, 0}, 8, true},  /* the pointer at the last octet is not behind it */
    {{1, 131, 11, 8, 10, 0, 0, 1, 10, 0, 0, 5}, 12, true}, /* second of two hops */
    {{131, 7, 0, 10, 0, 0, 1, 0}, 8, true},                /* impossible pointer */
    {{131, 2, 1, 1}, 4, true},                             /* no pointer at all */
};

START_TEST(options_are_skipped_but_a_source_route_that_leads_on) /* RFC 1122 3.2.1.8, 3.3.5 */
{
    struct rig *rig = rig_new();
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_UDP);

    ip.options = (struct bytes){options[_i].bytes, options[_i].len};
    ck_assert_ptr_nonnull(udp_open(rig->stack, 2000));
    ck_assert_int_eq(udp_with_header(rig, &ip),
                     options[_i].is_refused ? DROP_IP_OPTIONS : DROP_NOT);
    if (options[_i].is_refused) {
        struct icmp_message icmp = rig_out_icmp(rig);
        ck_assert_uint_eq(icmp.type, ICMP_UNREACHABLE);
        ck_assert_uint_eq(icmp.code, ICMP_UNREACHABLE_SOURCE_ROUTE);
    }
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(an_unknown_protocol_is_answered_by_protocol_unreachable) /* RFC 1122 3.2.2.1 */
{
    struct rig *rig = rig_new();
    struct ipv4_packet ip = rig_header(rig, 132);

    ck_assert_int_eq(rig_in_packet(rig, &ip, rig_pattern(40), false), DROP_IP_PROTOCOL);
    ck_assert_uint_eq(rig_drops(rig, DROP_IP_PROTOCOL), 1);
    struct icmp_message icmp = rig_out_icmp(rig);
    ck_assert_uint_eq(icmp.type, ICMP_UNREACHABLE);
    ck_assert_uint_eq(icmp.code, ICMP_UNREACHABLE_PROTOCOL);
    ck_assert(ip_addr_equal(&rig->ip.dst, &rig->peer));
    rig_free(rig);
}
END_TEST

START_TEST(a_datagram_in_fragments_is_delivered_whole) /* RFC 791 3.2, RFC 1122 3.3.2 */
{
    struct rig *rig = rig_new();
    struct udp_socket *socket = udp_open(rig->stack, 2000);
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_UDP);
    uint8_t udp[UDP_HEADER_BYTES + 3000], data[3000];
    size_t len = rig_udp(&rig->peer, 1000, &rig->us, 2000, rig_pattern(3000), udp, sizeof udp);

    ck_assert_int_eq(rig_in_fragments(rig, ip, (struct bytes){udp, len}, 1000, false), DROP_NOT);
    ck_assert_int_eq(udp_receive(socket, data, sizeof data, NULL), 3000);
    ck_assert_mem_eq(data, rig_pattern(3000).data, 3000);
    rig_free(rig);
}
END_TEST

START_TEST(the_devices_word_on_a_fragments_checksum_does_not_hold_for_the_datagram)
{
    struct rig *rig = rig_new();
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_UDP);
    uint8_t udp[UDP_HEADER_BYTES + 100];
    size_t len = rig_udp(&rig->peer, 1000, &rig->us, 2000, rig_pattern(100), udp, sizeof udp);

    ck_assert_ptr_nonnull(udp_open(rig->stack, 2000));
    udp[50] ^= 1;
    ck_assert_int_eq(rig_in_fragments(rig, ip, (struct bytes){udp, len}, 64, true),
                     DROP_UDP_CHECKSUM);
    ck_assert_uint_eq(rig_drops(rig, DROP_UDP_CHECKSUM), 1);
    rig_free(rig);
}
END_TEST

START_TEST(fragments_that_wait_too_long_are_told_of_if_the_first_has_come) /* RFC 792, 1122 3.3.2 */
{
    struct rig *rig = rig_new();
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_UDP);

    ip.more_fragments = true;
    ip.fragment_offset_bytes = _i == 0 ? 0 : 64;
    ck_assert_int_eq(rig_in_packet(rig, &ip, rig_pattern(64), false), DROP_NOT);
    uint64_t deadline_us = rig->now_us + rig->config.reassembly_timeout_us;
    ck_assert_uint_eq(stack_next_deadline_us(rig->stack), deadline_us);
    rig_pass(rig, rig->config.reassembly_timeout_us - 1);
    ck_assert_uint_eq(rig_drops(rig, DROP_FRAGMENT_TIMEOUT), 0);
    rig_pass(rig, 1);
    ck_assert_uint_eq(rig_drops(rig, DROP_FRAGMENT_TIMEOUT), 1);
    if (_i == 0) {
        struct icmp_message icmp = rig_out_icmp(rig);
        ck_assert_uint_eq(icmp.type, ICMP_TIME_EXCEEDED);
        ck_assert_uint_eq(icmp.code, ICMP_TIME_EXCEEDED_REASSEMBLY);
        ck_assert_uint_eq(icmp.body.len, IPV4_HEADER_BYTES + 64);
        ck_assert_mem_eq(icmp.body.data + IPV4_HEADER_BYTES, rig_pattern(64).data, 64);
    }
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(an_honest_datagram_gets_through_a_flood_of_fragments)
{
    struct rig *rig = rig_prepare();
    uint8_t udp[UDP_HEADER_BYTES + 1000];

    rig->config.reassembly_max_bytes = 32 * 1024;
    rig_start(rig);
    struct udp_socket *socket = udp_open(rig->stack, 2000);
    size_t len = rig_udp(&rig->peer, 1000, &rig->us, 2000, rig_pattern(1000), udp, sizeof udp);
    struct ipv4_packet flood = rig_header(rig, IP_PROTOCOL_UDP);
    flood.src = rig_addr("198.51.100.1");
    flood.more_fragments = true;
    for (unsigned i = 0; i < 5000; i++) {
        flood.id = (uint16_t)i;
        flood.fragment_offset_bytes = i % 7 * 1480;
        ck_assert_int_eq(rig_in_packet(rig, &flood, rig_pattern(1480), false), DROP_NOT);
        ck_assert_uint_le(reassembly_used_bytes(rig->stack->ip.reassembly), 32 * 1024);
    }
    ck_assert_uint_gt(rig_drops(rig, DROP_FRAGMENT_MEMORY), 4900);
    ck_assert_int_eq(rig_in_fragments(rig, rig_header(rig, IP_PROTOCOL_UDP),
                                      (struct bytes){udp, len}, 504, false),
                     DROP_NOT);
    ck_assert(udp_readable(socket));
    rig_free(rig);
}
END_TEST

START_TEST(a_fragment_larger_than_all_memory_is_discarded)
{
    struct rig *rig = rig_prepare();
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_UDP);

    rig->config.reassembly_max_bytes = 100;
    rig_start(rig);
    ip.more_fragments = true;
    ck_assert_int_eq(rig_in_packet(rig, &ip, rig_pattern(1480), false), DROP_FRAGMENT_MEMORY);
    ck_assert_uint_eq(rig_drops(rig, DROP_FRAGMENT_MEMORY), 1);
    rig_free(rig);
}
END_TEST

START_TEST(random_packets_do_no_harm) /* mutations of a good one, with a right header checksum */
{
    struct rig *rig = rig_new();
    uint8_t bytes[96];

    for (unsigned i = 0; i < 20000; i++) {
        uint64_t dice = rig_random(rig);
        struct ipv4_packet ip = rig_header(rig, dice & 1 ? IP_PROTOCOL_UDP : IP_PROTOCOL_ICMP);
        ip.more_fragments = dice >> 8 & 1;
        ip.fragment_offset_bytes = (dice >> 9 & 3) * 32;
        ip.id = dice >> 16 & 3;
        for (size_t j = 0; j < sizeof bytes; j++)
            bytes[j] = (uint8_t)rig_random(rig);
        if (dice >> 24 & 1)
            bytes[0] = (uint8_t[]){3, 4, 5, 8, 11, 12, 13, 17}[dice >> 25 & 7];
        rig_in_packet(rig, &ip, (struct bytes){bytes, dice >> 32 & 63}, true);
        rig_pass(rig, dice >> 40 & 0xfffff);
        while (rig_out(rig))
            ;
    }
    rig_free(rig);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, a_packet_to_another_address_is_discarded_without_a_word, 0, 4);
    tcase_add_loop_test(tc, a_source_that_names_no_single_host_is_discarded_without_a_word, 0, 6);
    tcase_add_loop_test(tc, each_of_our_addresses_is_heard, 0, 2);
    tcase_add_test(tc, ttl_zero_has_arrived_and_is_accepted);
    tcase_add_test(tc, a_wrong_header_checksum_is_discarded_whatever_the_device_says);
    tcase_add_test(tc, every_beginning_of_a_packet_is_refused);
    tcase_add_loop_test(tc, options_are_skipped_but_a_source_route_that_leads_on, 0,
                        sizeof options / sizeof *options);
    tcase_add_test(tc, an_unknown_protocol_is_answered_by_protocol_unreachable);
    tcase_add_test(tc, a_datagram_in_fragments_is_delivered_whole);
    tcase_add_test(tc, the_devices_word_on_a_fragments_checksum_does_not_hold_for_the_datagram);
    tcase_add_loop_test(tc, fragments_that_wait_too_long_are_told_of_if_the_first_has_come, 0, 2);
    tcase_add_test(tc, an_honest_datagram_gets_through_a_flood_of_fragments);
    tcase_add_test(tc, a_fragment_larger_than_all_memory_is_discarded);
    tcase_add_test(tc, random_packets_do_no_harm);
}

int main(void)
{
    return unit_main("ip/ip", tests);
}
