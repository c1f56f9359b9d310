/* stack/udp/udp.c: sockets, their queues, and the errors that come back. RFC 768, RFC 1122 4.1. */
#include "../ip/rig.h"

/* An ICMP error about a datagram from our port 4000 to `dst`, port 53. */
static enum drop error_about(struct rig *rig, const struct ip_addr *dst, uint8_t type, uint8_t code)
{
    struct ipv4_packet ip = {.src = rig->us, .dst = *dst, .ttl = 1, .protocol = IP_PROTOCOL_UDP};
    uint8_t body[IPV4_HEADER_BYTES + UDP_HEADER_BYTES];
    struct icmp_message icmp = {.type = type, .code = code, .body = {body, sizeof body}};
    size_t header_bytes = ipv4_emit(&ip, UDP_HEADER_BYTES, body, sizeof body);

    rig_udp(&rig->us, 4000, dst, 53, (struct bytes){NULL, 0}, body + header_bytes,
            UDP_HEADER_BYTES);
    return rig_in_icmp(rig, &icmp);
}

START_TEST(a_datagram_to_an_open_port_is_received_with_its_source) /* RFC 1122 4.1.3.5, 4.1.4 */
{
    struct rig *rig = rig_new();
    struct udp_socket *socket = udp_open(rig->stack, 2000);
    struct flow_id from;
    uint8_t data[16];

    ck_assert_int_eq(udp_receive(socket, data, sizeof data, &from), UDP_NOTHING);
    ck_assert(!udp_readable(socket));
    ck_assert_int_eq(rig_in_udp(rig, 1000, 2000, rig_pattern(5)), DROP_NOT);
    ck_assert(udp_readable(socket));
    ck_assert_int_eq(udp_receive(socket, data, sizeof data, &from), 5);
    ck_assert_mem_eq(data, rig_pattern(5).data, 5);
    ck_assert(ip_addr_equal(&from.remote, &rig->peer) && ip_addr_equal(&from.local, &rig->us));
    ck_assert_uint_eq(from.remote_port, 1000);
    ck_assert_uint_eq(from.local_port, 2000);
    ck_assert(!udp_readable(socket));
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(datagrams_keep_their_order_and_their_bounds) /* an empty one is one too */
{
    struct rig *rig = rig_new();
    struct udp_socket *socket = udp_open(rig->stack, 2000);
    uint8_t data[16];

    rig_in_udp(rig, 1000, 2000, rig_pattern(3));
    rig_in_udp(rig, 1000, 2000, rig_pattern(0));
    rig_in_udp(rig, 1000, 2000, rig_pattern(9));
    ck_assert_int_eq(udp_receive(socket, data, sizeof data, NULL), 3);
    ck_assert_int_eq(udp_receive(socket, data, sizeof data, NULL), 0);
    ck_assert_int_eq(udp_receive(socket, data, 4, NULL), 4); /* the rest is lost */
    ck_assert_int_eq(udp_receive(socket, data, sizeof data, NULL), UDP_NOTHING);
    rig_free(rig);
}
END_TEST

START_TEST(a_closed_port_is_answered_by_port_unreachable) /* RFC 1122 4.1.3.1 */
{
    struct rig *rig = rig_new();

    udp_close(udp_open(rig->stack, 2000));
    ck_assert_int_eq(rig_in_udp(rig, 1000, 2000, rig_pattern(5)), DROP_UDP_CLOSED_PORT);
    ck_assert_uint_eq(rig_drops(rig, DROP_UDP_CLOSED_PORT), 1);
    struct icmp_message icmp = rig_out_icmp(rig);
    ck_assert_uint_eq(icmp.type, ICMP_UNREACHABLE);
    ck_assert_uint_eq(icmp.code, ICMP_UNREACHABLE_PORT);
    ck_assert_str_eq(rig->out_cause, "no socket is open on this port");
    rig_free(rig);
}
END_TEST

START_TEST(a_connected_port_looks_closed_to_everybody_but_its_peer)
{
    struct rig *rig = rig_new();
    struct udp_socket *socket = udp_open(rig->stack, 2000);
    struct ip_addr stranger = rig_addr("192.0.2.66");

    udp_connect(socket, &rig->peer, 53);
    if (_i == 0)
        ck_assert_int_eq(rig_in_udp_from(rig, &stranger, 53, 2000, rig_pattern(5)),
                         DROP_UDP_CLOSED_PORT);
    else
        ck_assert_int_eq(rig_in_udp(rig, 54, 2000, rig_pattern(5)), DROP_UDP_CLOSED_PORT);
    ck_assert_uint_eq(rig_out_icmp(rig).code, ICMP_UNREACHABLE_PORT);
    ck_assert(!udp_readable(socket));
    ck_assert_int_eq(rig_in_udp(rig, 53, 2000, rig_pattern(5)), DROP_NOT);
    ck_assert(udp_readable(socket));
    rig_free(rig);
}
END_TEST

START_TEST(connecting_discards_what_others_have_sent_before)
{
    struct rig *rig = rig_new();
    struct udp_socket *socket = udp_open(rig->stack, 2000);
    uint8_t data[16];

    rig_in_udp(rig, 66, 2000, rig_pattern(5));
    rig_in_udp(rig, 53, 2000, rig_pattern(6));
    rig_in_udp(rig, 66, 2000, rig_pattern(7));
    udp_connect(socket, &rig->peer, 53);
    ck_assert_uint_eq(rig_drops(rig, DROP_UDP_CLOSED_PORT), 2);
    ck_assert_int_eq(udp_receive(socket, data, sizeof data, NULL), 6);
    ck_assert_int_eq(udp_receive(socket, data, sizeof data, NULL), UDP_NOTHING);
    rig_in_udp(rig, 53, 2000, rig_pattern(8));
    ck_assert_int_eq(udp_receive(socket, data, sizeof data, NULL), 8);
    rig_free(rig);
}
END_TEST

START_TEST(a_full_queue_discards_by_count)
{
    struct rig *rig = rig_prepare();

    rig->config.datagram_queue_max = 3;
    rig_start(rig);
    struct udp_socket *socket = udp_open(rig->stack, 2000);
    uint8_t data[16];
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(rig_in_udp(rig, 1000, 2000, rig_pattern(5)), DROP_NOT);
    ck_assert_int_eq(rig_in_udp(rig, 1000, 2000, rig_pattern(5)), DROP_UDP_QUEUE_FULL);
    ck_assert_uint_eq(rig_drops(rig, DROP_UDP_QUEUE_FULL), 1);
    ck_assert_int_eq(udp_receive(socket, data, sizeof data, NULL), 5);
    ck_assert_int_eq(rig_in_udp(rig, 1000, 2000, rig_pattern(5)), DROP_NOT);
    rig_free(rig); /* with datagrams waiting */
}
END_TEST

START_TEST(a_full_queue_discards_by_bytes)
{
    struct rig *rig = rig_prepare();
    unsigned accepted_count = 0;

    rig->config.datagram_queue_max = UINT32_MAX;
    rig_start(rig);
    ck_assert_ptr_nonnull(udp_open(rig->stack, 2000));
    for (int i = 0; i < 300; i++)
        accepted_count += rig_in_udp(rig, 1000, 2000, rig_pattern(1400)) == DROP_NOT;
    ck_assert_uint_gt(accepted_count, 100);
    ck_assert_uint_le(accepted_count, UDP_QUEUE_MAX_BYTES / 1400);
    for (int i = 0; i < 100000 && accepted_count > 0; i++) /* empty ones cost something too */
        accepted_count = rig_in_udp(rig, 1000, 2000, rig_pattern(0)) == DROP_NOT;
    ck_assert_uint_eq(accepted_count, 0);
    rig_free(rig);
}
END_TEST

START_TEST(what_is_received_makes_room_for_more)
{
    struct rig *rig = rig_new();
    struct udp_socket *socket = udp_open(rig->stack, 2000);
    uint8_t data[1400];

    for (int i = 0; i < 5000; i++) { /* bytes and bookkeeping */
        ck_assert_int_eq(rig_in_udp(rig, 1000, 2000, rig_pattern(1400)), DROP_NOT);
        ck_assert_int_eq(udp_receive(socket, data, sizeof data, NULL), 1400);
    }
    rig_free(rig);
}
END_TEST

START_TEST(a_port_belongs_to_one_socket)
{
    struct rig *rig = rig_new();
    struct udp_socket *socket = udp_open(rig->stack, 2000);

    ck_assert_ptr_null(udp_open(rig->stack, 2000));
    udp_close(socket);
    ck_assert_ptr_nonnull(udp_open(rig->stack, 2000));
    udp_close(NULL);
    rig_free(rig);
}
END_TEST

START_TEST(ephemeral_ports_are_spread_over_the_dynamic_range) /* RFC 6056 3.3.1, RFC 6335 6 */
{
    struct rig *rig = rig_new();
    unsigned neighbours = 0, last = 0;

    for (int i = 0; i < 1000; i++) {
        struct udp_socket *socket = udp_open(rig->stack, 0);
        unsigned port = udp_local_port(socket);
        ck_assert_uint_ge(port, 49152);
        neighbours += port == last + 1;
        last = port;
        udp_close(socket);
    }
    ck_assert_uint_lt(neighbours, 10);
    rig_free(rig);
}
END_TEST

/* Of several stacks at queues of a device this one has the answers brought to it. */
START_TEST(a_port_toward_a_peer_is_of_our_queue)
{
    struct rig *rig = rig_prepare();
    unsigned low = 0;

    rig->config.queue = (unsigned)_i;
    rig->config.queue_count = 3;
    rig_start(rig);
    for (uint16_t i = 0; i < 1000; i++) {
        struct udp_socket *socket = udp_open_toward(rig->stack, i);
        uint16_t port = udp_local_port(socket);
        ck_assert_uint_ge(port, 49152);
        ck_assert_uint_eq(stack_queue(port, i, 3), (unsigned)_i);
        low += port < 49152 + 8192;
        udp_close(socket);
    }
    ck_assert(low > 400 && low < 600); /* drawn at random as any other */
    rig_free(rig);
}
END_TEST

START_TEST(where_no_port_of_our_queue_is_left_there_is_none)
{
    struct rig *rig = rig_prepare();

    rig->config.queue_count = 2;
    rig_start(rig);
    for (unsigned port = 49152; port <= 65535; port++) {
        if (stack_queue((uint16_t)port, 53, 2) == 0)
            ck_assert_ptr_nonnull(udp_open(rig->stack, (uint16_t)port));
    }
    ck_assert_ptr_null(udp_open_toward(rig->stack, 53));
    ck_assert_ptr_nonnull(udp_open(rig->stack, 0));
    rig_free(rig);
}
END_TEST

START_TEST(the_last_free_ephemeral_port_is_found_and_then_none)
{
    struct rig *rig = rig_new();

    for (unsigned port = 49152; port <= 65535; port++) {
        if (port != 50000)
            ck_assert_ptr_nonnull(udp_open(rig->stack, (uint16_t)port));
    }
    ck_assert_uint_eq(udp_local_port(udp_open(rig->stack, 0)), 50000);
    ck_assert_ptr_null(udp_open(rig->stack, 0));
    rig_free(rig);
}
END_TEST

START_TEST(a_datagram_goes_out_as_it_was_given)
{
    struct rig *rig = rig_new();
    struct udp_socket *socket = udp_open(rig->stack, 2000);

    ck_assert_int_eq(udp_send(socket, NULL, &rig->peer, 53, rig_pattern((size_t)_i), "a cause"),
                     UDP_OK);
    struct udp_datagram udp = rig_out_udp(rig);
    ck_assert_uint_eq(udp.src_port, 2000);
    ck_assert_uint_eq(udp.dst_port, 53);
    rig_assert_bytes(udp.payload, rig_pattern((size_t)_i));
    ck_assert(ip_addr_equal(&rig->ip.src, &rig->us) && ip_addr_equal(&rig->ip.dst, &rig->peer));
    ck_assert_str_eq(rig->out_cause, "a cause");
    ck_assert_uint_eq(rig->out_flow.local_port, 2000);
    ck_assert_uint_eq(rig->out_flow.remote_port, 53);
    rig_free(rig);
}
END_TEST

START_TEST(the_longest_datagram_goes_out_and_a_longer_one_does_not)
{
    struct rig *rig = rig_new();
    struct udp_socket *socket = udp_open(rig->stack, 2000);
    size_t sent = 0;

    ck_assert_int_eq(udp_send(socket, NULL, &rig->peer, 53, rig_pattern(65508), "long"),
                     UDP_ERR_TOO_LONG);
    ck_assert(!rig_out(rig));
    ck_assert_int_eq(udp_send(socket, NULL, &rig->peer, 53, rig_pattern(65507), "long"), UDP_OK);
    while (rig_out(rig))
        sent += rig->ip.payload.len;
    ck_assert_uint_eq(sent, 65515);
    rig_free(rig);
}
END_TEST

START_TEST(what_cannot_be_sent_to_is_refused)
{
    static const char *remotes[] = {"0.0.0.0", "224.0.0.1", "255.255.255.255", "127.0.0.1"};
    struct rig *rig = rig_new();
    struct udp_socket *socket = udp_open(rig->stack, 2000);
    struct ip_addr remote = rig_addr(remotes[_i]), foreign = rig_addr("10.9.9.9");

    ck_assert_int_eq(udp_send(socket, NULL, &remote, 53, rig_pattern(1), "x"), UDP_ERR_INVALID);
    ck_assert_int_eq(udp_send(socket, NULL, &rig->peer, 0, rig_pattern(1), "x"), UDP_ERR_INVALID);
    ck_assert_int_eq(udp_send(socket, &foreign, &rig->peer, 53, rig_pattern(1), "x"),
                     UDP_ERR_INVALID);
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(a_full_outgoing_queue_is_told_to_the_sender)
{
    struct rig *rig = rig_prepare();

    rig->config.out_queue_max = 1;
    rig_start(rig);
    struct udp_socket *socket = udp_open(rig->stack, 2000);
    ck_assert_int_eq(udp_send(socket, NULL, &rig->peer, 53, rig_pattern(1), "x"), UDP_OK);
    ck_assert_int_eq(udp_send(socket, NULL, &rig->peer, 53, rig_pattern(1), "x"),
                     UDP_ERR_RESOURCES);
    rig_free(rig);
}
END_TEST

static const struct {
    uint8_t type, code;
    enum udp_err error;
} errors[] = {
    {ICMP_UNREACHABLE, ICMP_UNREACHABLE_PORT, UDP_ERR_REFUSED},
    {ICMP_UNREACHABLE, ICMP_UNREACHABLE_HOST, UDP_ERR_UNREACHABLE},
    {ICMP_UNREACHABLE, ICMP_UNREACHABLE_FRAGMENTATION, UDP_ERR_TOO_LONG},
    {ICMP_TIME_EXCEEDED, ICMP_TIME_EXCEEDED_TRANSIT, UDP_ERR_UNREACHABLE},
    {ICMP_PARAMETER_PROBLEM, 0, UDP_ERR_UNREACHABLE},
};

START_TEST(an_icmp_error_is_reported_once_to_the_connected_socket) /* RFC 1122 4.1.3.3 */
{
    struct rig *rig = rig_new();
    struct udp_socket *socket = udp_open(rig->stack, 4000);
    uint8_t data[16];

    udp_connect(socket, &rig->peer, 53);
    rig_in_udp(rig, 53, 4000, rig_pattern(5));
    ck_assert_int_eq(error_about(rig, &rig->peer, errors[_i].type, errors[_i].code), DROP_NOT);
    ck_assert(udp_readable(socket));
    ck_assert_int_eq(udp_receive(socket, data, sizeof data, NULL), 5); /* what has come is first */
    ck_assert(udp_readable(socket));
    ck_assert_int_eq(udp_receive(socket, data, sizeof data, NULL), errors[_i].error);
    ck_assert_int_eq(udp_receive(socket, data, sizeof data, NULL), UDP_NOTHING);
    ck_assert(!udp_readable(socket));
    rig_free(rig);
}
END_TEST

START_TEST(an_icmp_error_about_another_peer_or_an_unconnected_socket_is_not_reported)
{
    struct rig *rig = rig_new();
    struct udp_socket *socket = udp_open(rig->stack, 4000);
    struct ip_addr other = rig_addr("192.0.2.66");

    if (_i == 0)
        udp_connect(socket, &other, 53);
    if (_i == 1)
        udp_connect(socket, &rig->peer, 54);
    ck_assert_int_eq(error_about(rig, &rig->peer, ICMP_UNREACHABLE, ICMP_UNREACHABLE_PORT),
                     DROP_NOT);
    ck_assert(!udp_readable(socket));
    rig_free(rig);
}
END_TEST

START_TEST(
    the_checksum_decides_unless_none_was_sent_or_the_device_has_checked) /* RFC 1122 4.1.3.4 */
{
    struct rig *rig = rig_new();
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_UDP);
    uint8_t udp[UDP_HEADER_BYTES + 4];
    size_t len = rig_udp(&rig->peer, 1000, &rig->us, 2000, rig_pattern(4), udp, sizeof udp);
    static const enum drop expected[] = {DROP_UDP_CHECKSUM, DROP_NOT, DROP_NOT};

    ck_assert_ptr_nonnull(udp_open(rig->stack, 2000));
    udp[UDP_HEADER_BYTES] ^= 1;
    if (_i == 1)
        udp[6] = udp[7] = 0;
    ck_assert_int_eq(rig_in_packet(rig, &ip, (struct bytes){udp, len}, _i == 2), expected[_i]);
    ck_assert_uint_eq(rig_drops(rig, DROP_UDP_CHECKSUM), _i == 0);
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(a_datagram_shorter_than_it_says_is_discarded)
{
    struct rig *rig = rig_new();
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_UDP);
    uint8_t udp[UDP_HEADER_BYTES + 4];

    rig_udp(&rig->peer, 1000, &rig->us, 2000, rig_pattern(4), udp, sizeof udp);
    ck_assert_ptr_nonnull(udp_open(rig->stack, 2000));
    ck_assert_int_eq(rig_in_packet(rig, &ip, (struct bytes){udp, (size_t)_i}, true),
                     DROP_UDP_TRUNCATED);
    ck_assert_uint_eq(rig_drops(rig, DROP_UDP_TRUNCATED), 1);
    rig_free(rig);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, a_datagram_to_an_open_port_is_received_with_its_source);
    tcase_add_test(tc, datagrams_keep_their_order_and_their_bounds);
    tcase_add_test(tc, a_closed_port_is_answered_by_port_unreachable);
    tcase_add_loop_test(tc, a_connected_port_looks_closed_to_everybody_but_its_peer, 0, 2);
    tcase_add_test(tc, connecting_discards_what_others_have_sent_before);
    tcase_add_test(tc, a_full_queue_discards_by_count);
    tcase_add_test(tc, a_full_queue_discards_by_bytes);
    tcase_add_test(tc, what_is_received_makes_room_for_more);
    tcase_add_test(tc, a_port_belongs_to_one_socket);
    tcase_add_test(tc, ephemeral_ports_are_spread_over_the_dynamic_range);
    tcase_add_loop_test(tc, a_port_toward_a_peer_is_of_our_queue, 0, 3);
    tcase_add_test(tc, where_no_port_of_our_queue_is_left_there_is_none);
    tcase_add_test(tc, the_last_free_ephemeral_port_is_found_and_then_none);
    tcase_add_loop_test(tc, a_datagram_goes_out_as_it_was_given, 0, 3);
    tcase_add_test(tc, the_longest_datagram_goes_out_and_a_longer_one_does_not);
    tcase_add_loop_test(tc, what_cannot_be_sent_to_is_refused, 0, 4);
    tcase_add_test(tc, a_full_outgoing_queue_is_told_to_the_sender);
    tcase_add_loop_test(tc, an_icmp_error_is_reported_once_to_the_connected_socket, 0,
                        sizeof errors / sizeof *errors);
    tcase_add_loop_test(
        tc, an_icmp_error_about_another_peer_or_an_unconnected_socket_is_not_reported, 0, 3);
    tcase_add_loop_test(tc, the_checksum_decides_unless_none_was_sent_or_the_device_has_checked, 0,
                        3);
    tcase_add_loop_test(tc, a_datagram_shorter_than_it_says_is_discarded, 0, 12);
}

int main(void)
{
    return unit_main("udp/udp", tests);
}
