/* Source routes of a connection, RFC 9293 3.9.2.1: given by the application, learned from what
 * arrives, and what they take from the segment size. The notation of talk.h has no IP options, so
 * segments are written and read here with the emitters and parsers of stack/wire/, which have tests
 * of their own. */
#include "talk.h"

#include "../../stack/wire/checksum.h"
#include "../../stack/wire/icmp.h"

struct heard {
    struct ipv4_packet ip;
    struct tcp_segment seg;
    uint8_t bytes[2048];
};

static struct ip_addr addr(const char *text)
{
    struct ip_addr addr;

    ck_assert(ip_addr_parse(text, &addr));
    return addr;
}

/* Output is pulled by hear() alone: the frame would call an IP header with options wrong. */
static struct talk *new_talk(void)
{
    struct talk *t = talk_new(NULL);

    t->is_holding = true;
    return t;
}

static bool hear(struct talk *t, struct heard *heard)
{
    struct packet_out out;

    if (!stack_output(t->stack, &out, t->now_us))
        return false;
    size_t len = packet_out_copy(&out, heard->bytes, sizeof heard->bytes);
    ck_assert_uint_le(len, 1500);
    ck_assert_int_eq(ipv4_parse((struct bytes){heard->bytes, len}, false, &heard->ip), DROP_NOT);
    /* The checksum counts the final destination, wherever the header sends the packet first. */
    struct ip_addr end = ip_addr_from_v4(t->peer_addr);
    ck_assert(tcp_checksum_is_right(heard->ip.payload, &heard->ip.src, &end));
    ck_assert_int_eq(tcp_parse(heard->ip.payload, &heard->seg), DROP_NOT);
    return true;
}

/* The next packet goes by these hops and then to the peer; "" for directly. */
static void goes_by(struct talk *t, struct heard *heard, const char *hops)
{
    struct source_route route;
    char text[SOURCE_ROUTE_HOPS_MAX * IP_ADDR_TEXT_BYTES] = "";
    char one[IP_ADDR_TEXT_BYTES];

    ck_assert(hear(t, heard));
    strcat(text, ip_addr_format(&heard->ip.dst, one));
    if (source_route_parse(heard->ip.options, &route) == SOURCE_ROUTE_GOES_ON)
        for (unsigned i = 0; i < route.hop_count; i++) {
            strcat(text, " ");
            strcat(text, ip_addr_format(&route.hop[i], one));
        }
    ck_assert_str_eq(text, hops);
}

/* A segment from the peer that has come by these gateways, nearest to the peer first. */
static void peer_sends_by(struct talk *t, unsigned hop_count, const char *const hop[],
                          uint8_t flags, uint32_t seq, uint32_t ack, const char *text)
{
    uint8_t packet[256], option[SOURCE_ROUTE_MAX_BYTES], header[TCP_HEADER_MAX_BYTES];
    struct writer route = writer_of(option, sizeof option);
    struct tcp_segment seg = {.src_port = t->peer_port,
                              .dst_port = t->our_port,
                              .seq = seq,
                              .ack = ack,
                              .wnd = 65535,
                              .flags = flags};
    struct ipv4_packet ip = {.src = ip_addr_from_v4(t->peer_addr),
                             .dst = ip_addr_from_v4(t->our_addr),
                             .ttl = 64,
                             .protocol = IP_PROTOCOL_TCP};
    struct checksum sum = {0};

    write_u8(&route, 131);
    write_u8(&route, (uint8_t)(3 + 4 * hop_count));
    write_u8(&route, (uint8_t)(4 + 4 * hop_count)); /* behind the last: complete */
    for (unsigned i = 0; i < hop_count; i++) {
        struct ip_addr gateway = addr(hop[i]);
        write_u32(&route, ip_addr_to_v4(&gateway));
    }
    if (hop_count > 0)
        ip.options = (struct bytes){option, sizeof option - route.left};
    size_t tcp_bytes = tcp_emit(&seg, TCP_SYN_STYLE_LINUX, header);
    struct bytes payload = {(const uint8_t *)text, strlen(text)};
    checksum_add_pseudo(&sum, &ip.src, &ip.dst, IP_PROTOCOL_TCP, tcp_bytes + payload.len);
    checksum_add(&sum, (struct bytes){header, tcp_bytes});
    checksum_add(&sum, payload);
    struct writer field = writer_of(header + TCP_CHECKSUM_OFFSET, 2);
    write_u16(&field, checksum_finish(&sum));
    struct writer w = writer_of(packet, sizeof packet);
    size_t ip_bytes = ipv4_emit(&ip, tcp_bytes + payload.len, packet, sizeof packet);
    w.at += ip_bytes;
    w.left -= ip_bytes;
    write_bytes(&w, (struct bytes){header, tcp_bytes});
    write_bytes(&w, payload);
    struct packet_in in = {.bytes = {packet, sizeof packet - w.left}};
    t->drop = stack_input(t->stack, &in, t->now_us);
}

static const char *const by_a_and_b[] = {"10.1.0.1", "10.2.0.1"};
static const char *const by_c[] = {"10.3.0.1"};

/* A connection from the listener whose SYN and ACK have come by a and b; the SYN,ACK is heard. */
static void accept_by_a_and_b(struct talk *t, struct heard *heard)
{
    talk_listen(t);
    peer_sends_by(t, 2, by_a_and_b, TCP_SYN, t->irs, 0, "");
    goes_by(t, heard, "10.2.0.1 10.1.0.1 10.0.0.1");
    ck_assert_uint_eq(heard->seg.flags, TCP_SYN | TCP_ACK);
    peer_sends_by(t, 2, by_a_and_b, TCP_ACK, t->irs + 1, heard->seg.seq + 1, "");
    t->tcb = tcp_accept(t->listener);
    ck_assert_ptr_nonnull(t->tcb);
}

static void let_go(struct talk *t, struct heard *heard)
{
    tcp_abort(t->tcb);
    t->tcb = NULL;
    while (hear(t, heard))
        ;
    talk_free(t);
}

START_TEST(active_open_goes_by_the_gateways_that_the_application_names) /* MUST-51 */
{
    struct talk *t = new_talk();
    struct tcp_config config = stack_config(t->stack)->tcp;
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);
    struct heard heard;

    config.source_route =
        (struct source_route){.hop_count = 2, .hop = {addr("10.1.0.1"), addr("10.2.0.1")}};
    t->our_port = TALK_OUR_PORT;
    t->tcb = tcp_open_active(t->stack, NULL, 0, &peer, t->peer_port, &config, NULL);
    goes_by(t, &heard, "10.1.0.1 10.2.0.1 10.0.0.1");
    ck_assert_uint_eq(heard.seg.flags, TCP_SYN);
    peer_sends_by(t, 0, NULL, TCP_SYN | TCP_ACK, t->irs, heard.seg.seq + 1, "");
    goes_by(t, &heard, "10.1.0.1 10.2.0.1 10.0.0.1");
    tcp_abort(t->tcb);
    t->tcb = NULL;
    goes_by(t, &heard, "10.1.0.1 10.2.0.1 10.0.0.1");
    ck_assert(heard.seg.flags & TCP_RST);
    talk_free(t);
}
END_TEST

/* MUST-52: a connection that names its way does not take another from what arrives. */
START_TEST(route_of_the_application_counts_more_than_one_that_arrives)
{
    struct talk *t = new_talk();
    struct tcp_config config = stack_config(t->stack)->tcp;
    struct heard heard;

    config.source_route = (struct source_route){.hop_count = 1, .hop = {addr("10.9.0.1")}};
    t->listener = tcp_open_passive(t->stack, NULL, TALK_LISTEN_PORT, &config, NULL);
    t->our_port = TALK_LISTEN_PORT;
    peer_sends_by(t, 2, by_a_and_b, TCP_SYN, t->irs, 0, "");
    goes_by(t, &heard, "10.9.0.1 10.0.0.1");
    tcp_close(t->listener);
    t->listener = NULL;
    goes_by(t, &heard, "10.9.0.1 10.0.0.1");
    ck_assert(heard.seg.flags & TCP_RST);
    talk_free(t);
}
END_TEST

START_TEST(passive_open_answers_by_the_way_that_the_syn_came) /* MUST-53: all segments */
{
    struct talk *t = new_talk();
    struct heard heard;

    accept_by_a_and_b(t, &heard);
    ck_assert_int_eq(tcp_send(t->tcb, (const uint8_t *)"a", 1), 1);
    goes_by(t, &heard, "10.2.0.1 10.1.0.1 10.0.0.1");
    t->now_us += 1000000;
    stack_on_time(t->stack, t->now_us);
    goes_by(t, &heard, "10.2.0.1 10.1.0.1 10.0.0.1"); /* the retransmission too */
    ck_assert_uint_eq(heard.seg.payload.len, 1);
    peer_sends_by(t, 0, NULL, TCP_ACK, t->irs + 1, heard.seg.seq + 1, "x"); /* without a route */
    t->now_us += 500000;
    stack_on_time(t->stack, t->now_us);
    goes_by(t, &heard, "10.2.0.1 10.1.0.1 10.0.0.1"); /* and the ACK of what came another way */
    let_go(t, &heard);
}
END_TEST

START_TEST(connection_that_only_waits_keeps_its_way) /* MUST-53: in SYN-RECEIVED */
{
    struct talk *t = new_talk();
    struct heard heard;

    talk_listen(t);
    peer_sends_by(t, 2, by_a_and_b, TCP_SYN, t->irs, 0, "");
    goes_by(t, &heard, "10.2.0.1 10.1.0.1 10.0.0.1");
    ck_assert(!hear(t, &heard)); /* now it waits */
    t->now_us += 1000000;
    stack_on_time(t->stack, t->now_us);
    goes_by(t, &heard, "10.2.0.1 10.1.0.1 10.0.0.1");
    ck_assert(!hear(t, &heard));
    peer_sends_by(t, 0, NULL, TCP_ACK, t->irs + 1, heard.seg.seq + 1, "");
    t->tcb = tcp_accept(t->listener);
    ck_assert_ptr_nonnull(t->tcb);
    ck_assert_int_eq(tcp_send(t->tcb, (const uint8_t *)"a", 1), 1);
    goes_by(t, &heard, "10.2.0.1 10.1.0.1 10.0.0.1");
    let_go(t, &heard);
}
END_TEST

/* MUST-53 speaks of passive OPENs: who has opened knows how to get there. */
START_TEST(active_open_learns_no_way)
{
    struct talk *t = new_talk();
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);
    struct heard heard;

    t->our_port = TALK_OUR_PORT;
    t->tcb = tcp_open_active(t->stack, NULL, 0, &peer, t->peer_port, NULL, NULL);
    goes_by(t, &heard, "10.0.0.1");
    peer_sends_by(t, 2, by_a_and_b, TCP_SYN | TCP_ACK, t->irs, heard.seg.seq + 1, "");
    goes_by(t, &heard, "10.0.0.1");
    peer_sends_by(t, 2, by_a_and_b, TCP_ACK, t->irs + 1, heard.seg.seq, "x");
    t->now_us += 500000;
    stack_on_time(t->stack, t->now_us);
    goes_by(t, &heard, "10.0.0.1");
    let_go(t, &heard);
}
END_TEST

START_TEST(later_route_replaces_the_earlier_one) /* SHLD-24 */
{
    struct talk *t = new_talk();
    struct heard heard;

    accept_by_a_and_b(t, &heard);
    peer_sends_by(t, 1, by_c, TCP_ACK, t->irs + 1, heard.seg.seq + 1, "x");
    t->now_us += 500000;
    stack_on_time(t->stack, t->now_us);
    goes_by(t, &heard, "10.3.0.1 10.0.0.1");
    let_go(t, &heard);
}
END_TEST

START_TEST(segment_that_is_not_acceptable_changes_no_route) /* a stranger cannot lead us astray */
{
    struct talk *t = new_talk();
    struct heard heard;

    accept_by_a_and_b(t, &heard);
    peer_sends_by(t, 1, by_c, TCP_ACK, t->irs - 5000, heard.seg.seq + 1, "x");
    goes_by(t, &heard, "10.2.0.1 10.1.0.1 10.0.0.1");
    peer_sends_by(t, 1, by_c, TCP_ACK, t->irs + 1, heard.seg.seq + 5000, "x");
    t->now_us += 1000000;
    goes_by(t, &heard, "10.2.0.1 10.1.0.1 10.0.0.1");
    let_go(t, &heard);
}
END_TEST

START_TEST(route_by_a_multicast_address_is_not_taken)
{
    static const char *const by_multicast[] = {"224.0.0.1"};
    struct talk *t = new_talk();
    struct heard heard;

    talk_listen(t);
    peer_sends_by(t, 1, by_multicast, TCP_SYN, t->irs, 0, "");
    goes_by(t, &heard, "10.0.0.1");
    talk_free(t);

    t = new_talk();
    struct tcp_config config = stack_config(t->stack)->tcp;
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);
    enum tcp_err error = TCP_OK;
    config.source_route = (struct source_route){.hop_count = 1, .hop = {addr("224.0.0.1")}};
    ck_assert_ptr_null(tcp_open_active(t->stack, NULL, 0, &peer, 80, &config, &error));
    ck_assert_int_eq(error, TCP_ERR_UNSPECIFIED);
    talk_free(t);
}
END_TEST

START_TEST(routes_that_arrive_can_be_left_alone) /* RFC 7126 4.3 */
{
    struct stack_config config = talk_config();
    struct heard heard;

    config.tcp.accept_source_routes = false;
    struct talk *t = talk_new(&config);
    t->is_holding = true;
    talk_listen(t);
    peer_sends_by(t, 2, by_a_and_b, TCP_SYN, t->irs, 0, "");
    goes_by(t, &heard, "10.0.0.1");
    talk_free(t);
}
END_TEST

/* The packet comes back as it was on the way: its destination is a gateway, not the end. */
START_TEST(icmp_error_about_a_routed_segment_finds_its_connection) /* MUST-54 */
{
    struct talk *t = new_talk();
    struct tcp_config config = stack_config(t->stack)->tcp;
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);
    struct heard heard;
    uint8_t message[64], packet[96];

    config.source_route =
        (struct source_route){.hop_count = 2, .hop = {addr("10.1.0.1"), addr("10.2.0.1")}};
    t->our_port = TALK_OUR_PORT;
    t->tcb = tcp_open_active(t->stack, NULL, 0, &peer, t->peer_port, &config, NULL);
    goes_by(t, &heard, "10.1.0.1 10.2.0.1 10.0.0.1");
    struct icmp_message error = {.type = ICMP_UNREACHABLE,
                                 .code = ICMP_UNREACHABLE_PORT,
                                 .body = {heard.bytes, IPV4_HEADER_BYTES + 12 + 8}};
    size_t len = icmp_emit(&error, message, sizeof message);
    struct ipv4_packet ip = {
        .src = addr("10.2.0.1"), .dst = heard.ip.src, .ttl = 64, .protocol = IP_PROTOCOL_ICMP};
    size_t ip_bytes = ipv4_emit(&ip, len, packet, sizeof packet);
    memcpy(packet + ip_bytes, message, len);
    struct packet_in in = {.bytes = {packet, ip_bytes + len}};
    ck_assert_int_eq(stack_input(t->stack, &in, t->now_us), DROP_NOT);
    ck_assert_int_eq(tcp_error(t->tcb), TCP_ERR_UNREACHABLE);
    let_go(t, &heard);
}
END_TEST

START_TEST(route_takes_its_bytes_from_the_segment) /* MUST-16: IPoptionsize */
{
    static uint8_t much[4000];
    struct talk *t = new_talk();
    struct heard heard;

    accept_by_a_and_b(t, &heard);
    ck_assert_int_eq(tcp_send(t->tcb, much, sizeof much), sizeof much);
    goes_by(t, &heard, "10.2.0.1 10.1.0.1 10.0.0.1");
    ck_assert_uint_eq(heard.seg.payload.len, 536 - 12); /* the peer has announced no MSS */
    ck_assert_uint_eq(heard.ip.options.len, 12);
    let_go(t, &heard);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, active_open_goes_by_the_gateways_that_the_application_names);
    tcase_add_test(tc, route_of_the_application_counts_more_than_one_that_arrives);
    tcase_add_test(tc, passive_open_answers_by_the_way_that_the_syn_came);
    tcase_add_test(tc, connection_that_only_waits_keeps_its_way);
    tcase_add_test(tc, active_open_learns_no_way);
    tcase_add_test(tc, later_route_replaces_the_earlier_one);
    tcase_add_test(tc, segment_that_is_not_acceptable_changes_no_route);
    tcase_add_test(tc, route_by_a_multicast_address_is_not_taken);
    tcase_add_test(tc, routes_that_arrive_can_be_left_alone);
    tcase_add_test(tc, icmp_error_about_a_routed_segment_finds_its_connection);
    tcase_add_test(tc, route_takes_its_bytes_from_the_segment);
}

int main(void)
{
    return unit_main("source_route", tests);
}
