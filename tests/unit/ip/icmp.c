/* stack/ip/icmp.c: echo, the errors we send and the errors we believe. RFC 792, RFC 1122 3.2.2. */
#include "rig.h"

static struct icmp_message echo_request(size_t len)
{
    return (struct icmp_message){
        .type = ICMP_ECHO_REQUEST, .echo_id = 7, .echo_seq = 9, .body = rig_pattern(len)};
}

/* A datagram from us to the peer, as an error message quotes it, with `len` bytes of UDP. */
static size_t quotation(const struct rig *rig, uint8_t *memory, size_t room, size_t len)
{
    struct ipv4_packet ip = {
        .src = rig->us, .dst = rig->peer, .ttl = 1, .protocol = IP_PROTOCOL_UDP};
    uint8_t udp[UDP_HEADER_BYTES + 64];
    size_t udp_bytes = rig_udp(&rig->us, 4000, &rig->peer, 53, rig_pattern(64), udp, sizeof udp);
    size_t header_bytes = ipv4_emit(&ip, udp_bytes, memory, room);

    memcpy(memory + header_bytes, udp, len);
    return header_bytes + len;
}

START_TEST(an_echo_request_is_answered_with_all_its_data) /* RFC 1122 3.2.2.6 */
{
    static const size_t lengths[] = {0, 1, 56, 1472};
    struct rig *rig = rig_new();
    struct icmp_message request = echo_request(lengths[_i]);

    ck_assert_int_eq(rig_in_icmp(rig, &request), DROP_NOT);
    struct icmp_message reply = rig_out_icmp(rig);
    ck_assert_uint_eq(reply.type, ICMP_ECHO_REPLY);
    ck_assert_uint_eq(reply.code, 0);
    ck_assert_uint_eq(reply.echo_id, 7);
    ck_assert_uint_eq(reply.echo_seq, 9);
    rig_assert_bytes(reply.body, request.body);
    ck_assert(ip_addr_equal(&rig->ip.src, &rig->us) && ip_addr_equal(&rig->ip.dst, &rig->peer));
    ck_assert_uint_eq(rig->ip.ttl, rig->config.ttl);
    ck_assert_str_eq(rig->out_cause, "answers an echo request");
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(an_echo_reply_comes_from_the_address_asked_with_the_same_tos) /* RFC 1122 3.2.2.6 */
{
    struct rig *rig = rig_prepare();
    struct icmp_message request = echo_request(8);
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_ICMP);
    uint8_t message[16];

    rig->config.address[1] = ip.dst = rig_addr("10.0.0.9");
    rig->config.address_count = 2;
    rig_start(rig);
    ip.tos = 0xb8;
    size_t len = icmp_emit(&request, message, sizeof message);
    ck_assert_int_eq(rig_in_packet(rig, &ip, (struct bytes){message, len}, false), DROP_NOT);
    rig_out_icmp(rig);
    ck_assert(ip_addr_equal(&rig->ip.src, &ip.dst));
    ck_assert_uint_eq(rig->ip.tos, 0xb8);
    rig_free(rig);
}
END_TEST

START_TEST(an_echo_reply_goes_back_by_the_source_route) /* RFC 1122 3.2.2.6 */
{
    static const uint8_t came[] = {131, 11, 12, 10, 1, 0, 1, 10, 2, 0, 1, 0};
    static const uint8_t goes[] = {131, 11, 4, 10, 1, 0, 1, 192, 0, 2, 1, 0};
    struct rig *rig = rig_new();
    struct icmp_message request = echo_request(8);
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_ICMP);
    struct ip_addr nearest = rig_addr("10.2.0.1");
    uint8_t message[16];

    ip.options = (struct bytes){came, sizeof came};
    size_t len = icmp_emit(&request, message, sizeof message);
    ck_assert_int_eq(rig_in_packet(rig, &ip, (struct bytes){message, len}, false), DROP_NOT);
    rig_out_icmp(rig);
    ck_assert(ip_addr_equal(&rig->ip.dst, &nearest));
    rig_assert_bytes(rig->ip.options, (struct bytes){goes, sizeof goes});
    rig_free(rig);
}
END_TEST

START_TEST(the_longest_echo_comes_in_fragments_and_goes_back_in_fragments)
{
    struct rig *rig = rig_new();
    struct icmp_message request = echo_request(65507), reply;
    static uint8_t message[65515], joined[65536];
    size_t len = icmp_emit(&request, message, sizeof message), at = 0;

    ck_assert_int_eq(rig_in_fragments(rig, rig_header(rig, IP_PROTOCOL_ICMP),
                                      (struct bytes){message, len}, 1480, false),
                     DROP_NOT);
    while (rig_out(rig)) {
        ck_assert_uint_eq(rig->ip.fragment_offset_bytes, at);
        memcpy(joined + at, rig->ip.payload.data, rig->ip.payload.len);
        at += rig->ip.payload.len;
    }
    ck_assert_int_eq(icmp_parse((struct bytes){joined, at}, false, &reply), DROP_NOT);
    ck_assert_uint_eq(reply.type, ICMP_ECHO_REPLY);
    rig_assert_bytes(reply.body, request.body);
    rig_free(rig);
}
END_TEST

START_TEST(a_wrong_checksum_is_discarded_without_a_word)
{
    struct rig *rig = rig_new();
    struct icmp_message request = echo_request(8);
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_ICMP);
    uint8_t message[16];
    size_t len = icmp_emit(&request, message, sizeof message);

    message[15] ^= 1;
    ck_assert_int_eq(rig_in_packet(rig, &ip, (struct bytes){message, len}, true),
                     DROP_ICMP_CHECKSUM);
    ck_assert_uint_eq(rig_drops(rig, DROP_ICMP_CHECKSUM), 1);
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(types_that_say_nothing_to_a_host_are_discarded_without_a_word) /* MUST-55 for quench */
{
    static const uint8_t types[] = {ICMP_SOURCE_QUENCH, ICMP_REDIRECT, 9, 13, 17, 30, 255};
    struct rig *rig = rig_new();
    uint8_t body[64];
    struct icmp_message icmp = {.type = types[_i], .body = {body, 0}};

    icmp.body.len = quotation(rig, body, sizeof body, 8);
    ck_assert_int_eq(rig_in_icmp(rig, &icmp), DROP_ICMP_UNKNOWN_TYPE);
    ck_assert_uint_eq(rig_drops(rig, DROP_ICMP_UNKNOWN_TYPE), 1);
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(an_error_quotes_what_fits_576_bytes) /* RFC 1812 4.3.2.3; RFC 792 wants 8 bytes */
{
    static const size_t lengths[] = {8, 100, 528, 529, 1400};
    static const size_t quoted[] = {8, 100, 528, 528, 528};
    struct rig *rig = rig_new();
    struct ipv4_packet ip = rig_header(rig, 132);
    uint8_t header[IPV4_HEADER_MAX_BYTES];

    ip.tos = 0x20;
    ip.dont_fragment = true;
    ck_assert_int_eq(rig_in_packet(rig, &ip, rig_pattern(lengths[_i]), false), DROP_IP_PROTOCOL);
    struct icmp_message icmp = rig_out_icmp(rig);
    ck_assert_uint_le(IPV4_HEADER_BYTES + rig->ip.payload.len, 576);
    size_t header_bytes = ipv4_emit(&ip, lengths[_i], header, sizeof header);
    ck_assert_uint_eq(icmp.body.len, header_bytes + quoted[_i]);
    ck_assert_mem_eq(icmp.body.data, header, header_bytes);
    ck_assert_mem_eq(icmp.body.data + header_bytes, rig_pattern(quoted[_i]).data, quoted[_i]);
    rig_free(rig);
}
END_TEST

START_TEST(an_error_fits_the_smallest_mtu_in_one_packet)
{
    struct rig *rig = rig_prepare();
    struct ipv4_packet ip = rig_header(rig, 132);
    uint8_t options[40] = {0};

    rig->config.mtu_bytes = 68;
    rig_start(rig);
    if (_i == 1)
        ip.options = (struct bytes){options, sizeof options};
    ck_assert_int_eq(rig_in_packet(rig, &ip, rig_pattern(100), false), DROP_IP_PROTOCOL);
    rig_out_icmp(rig);
    ck_assert(!rig->ip.more_fragments);
    ck_assert_uint_eq(IPV4_HEADER_BYTES + rig->ip.payload.len, 68);
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(no_error_is_sent_where_the_host_requirements_forbid_it) /* RFC 1122 3.2.2 */
{
    struct rig *rig = rig_new();
    struct ipv4_packet offender = rig_header(rig, IP_PROTOCOL_UDP);
    static const uint8_t icmp_error[8] = {ICMP_UNREACHABLE};
    static const uint8_t icmp_unknown[8] = {200};

    offender.payload = rig_pattern(16);
    switch (_i) {
    case 0: /* about an ICMP error */
        offender.protocol = IP_PROTOCOL_ICMP;
        offender.payload = (struct bytes){icmp_error, sizeof icmp_error};
        break;
    case 1: /* about what may be one */
        offender.protocol = IP_PROTOCOL_ICMP;
        offender.payload = (struct bytes){icmp_unknown, sizeof icmp_unknown};
        break;
    case 2: /* about ICMP that does not even have a type */
        offender.protocol = IP_PROTOCOL_ICMP;
        offender.payload.len = 0;
        break;
    case 3:
        offender.dst = rig_addr("255.255.255.255");
        break;
    case 4:
        offender.dst = rig_addr("224.0.0.1");
        break;
    case 5:
        offender.fragment_offset_bytes = 8;
        break;
    case 6:
        offender.src = rig_addr("0.0.0.0");
        break;
    case 7:
        offender.src = rig_addr("127.0.0.1");
        break;
    case 8:
        offender.src = rig_addr("224.0.0.5");
        break;
    case 9:
        offender.src = rig_addr("255.255.255.255");
        break;
    default: /* and this one is fine */
        break;
    }
    icmp_send_error(rig->stack, &offender, ICMP_UNREACHABLE, ICMP_UNREACHABLE_PORT, "a test");
    ck_assert_int_eq(rig_out(rig), _i == 10);
    rig_free(rig);
}
END_TEST

START_TEST(errors_are_limited_per_second)
{
    struct rig *rig = rig_prepare();
    unsigned sent_count = 0;

    rig->config.icmp_errors_per_s = 5;
    rig_start(rig);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(rig_in_udp(rig, 1000, 2000, rig_pattern(8)), DROP_UDP_CLOSED_PORT);
        sent_count += rig_out(rig);
        rig_pass(rig, RIG_SECOND_US / 20 - 1);
    }
    ck_assert_uint_eq(sent_count, 5);
    ck_assert_uint_eq(rig_drops(rig, DROP_ICMP_RATE_LIMIT), 15);
    ck_assert_uint_eq(rig_drops(rig, DROP_UDP_CLOSED_PORT), 20);
    rig_pass(rig, 20);
    rig_in_udp(rig, 1000, 2000, rig_pattern(8));
    ck_assert(rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(the_limit_of_a_second_cannot_be_known_exactly) /* against counting from outside */
{
    struct rig *rig = rig_new();
    unsigned least = 1000, most = 0;

    for (int second = 0; second < 50; second++) {
        unsigned sent_count = 0;
        for (int i = 0; i < 110; i++) {
            rig_in_udp(rig, 1000, 2000, rig_pattern(8));
            sent_count += rig_out(rig);
        }
        least = sent_count < least ? sent_count : least;
        most = sent_count > most ? sent_count : most;
        rig_pass(rig, RIG_SECOND_US);
    }
    ck_assert_uint_le(most, rig->config.icmp_errors_per_s);
    ck_assert_uint_ge(least, rig->config.icmp_errors_per_s * 7 / 8);
    ck_assert_uint_gt(most - least, 5);
    rig_free(rig);
}
END_TEST

START_TEST(an_error_about_a_packet_that_is_not_from_us_is_discarded)
{
    struct rig *rig = rig_new();
    uint8_t body[64];
    struct icmp_message icmp = {.type = ICMP_UNREACHABLE, .code = 3, .body = {body, 0}};

    struct ip_addr us = rig->us;
    rig->us = rig_addr("10.0.0.77");
    icmp.body.len = quotation(rig, body, sizeof body, 8);
    rig->us = us;
    ck_assert_int_eq(rig_in_icmp(rig, &icmp), DROP_IP_NOT_OURS);
    ck_assert_uint_eq(rig_drops(rig, DROP_IP_NOT_OURS), 1);
    rig_free(rig);
}
END_TEST

START_TEST(an_error_about_a_connection_that_does_not_exist_changes_nothing) /* UDP and TCP */
{
    struct rig *rig = rig_new();
    struct udp_socket *socket = udp_open(rig->stack, 4001);
    uint8_t body[64];
    struct icmp_message icmp = {.type = ICMP_UNREACHABLE, .code = 3, .body = {body, 0}};

    udp_connect(socket, &rig->peer, 53);
    icmp.body.len = quotation(rig, body, sizeof body, 8);
    if (_i == 1)
        body[9] = IP_PROTOCOL_TCP;
    if (_i == 2)
        body[9] = 132;
    ck_assert_int_eq(rig_in_icmp(rig, &icmp), DROP_NOT);
    ck_assert(!udp_readable(socket));
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(
    a_quotation_cut_short_is_discarded) /* anywhere before the eighth byte of the transport */
{
    struct rig *rig = rig_new();
    uint8_t body[64];
    struct icmp_message icmp = {.type = ICMP_TIME_EXCEEDED, .body = {body, (size_t)_i}};

    ck_assert_uint_eq(quotation(rig, body, sizeof body, 8), IPV4_HEADER_BYTES + 8);
    ck_assert_int_eq(rig_in_icmp(rig, &icmp),
                     _i < IPV4_HEADER_BYTES + 8 ? DROP_ICMP_TRUNCATED : DROP_NOT);
    rig_free(rig);
}
END_TEST

static const struct {
    size_t at;
    uint8_t value;
} lies[] = {
    {0, 0x65}, /* version 6 */
    {0, 0x44}, /* header of 16 bytes */
    {0, 0x4f}, /* header of 60 bytes, which are not there */
    {3, 19},   /* total length below the header's */
    {3, 27},   /* total length that leaves 7 bytes */
    {7, 1},    /* not the first fragment */
};

START_TEST(a_quotation_that_lies_is_discarded)
{
    struct rig *rig = rig_new();
    uint8_t body[64];
    struct icmp_message icmp = {.type = ICMP_UNREACHABLE, .code = 3, .body = {body, 0}};

    icmp.body.len = quotation(rig, body, sizeof body, 8);
    body[lies[_i].at] = lies[_i].value;
    ck_assert_int_eq(rig_in_icmp(rig, &icmp), DROP_ICMP_TRUNCATED);
    rig_free(rig);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, an_echo_request_is_answered_with_all_its_data, 0, 4);
    tcase_add_test(tc, an_echo_reply_comes_from_the_address_asked_with_the_same_tos);
    tcase_add_test(tc, an_echo_reply_goes_back_by_the_source_route);
    tcase_add_test(tc, the_longest_echo_comes_in_fragments_and_goes_back_in_fragments);
    tcase_add_test(tc, a_wrong_checksum_is_discarded_without_a_word);
    tcase_add_loop_test(tc, types_that_say_nothing_to_a_host_are_discarded_without_a_word, 0, 7);
    tcase_add_loop_test(tc, an_error_quotes_what_fits_576_bytes, 0, 5);
    tcase_add_loop_test(tc, an_error_fits_the_smallest_mtu_in_one_packet, 0, 2);
    tcase_add_loop_test(tc, no_error_is_sent_where_the_host_requirements_forbid_it, 0, 11);
    tcase_add_test(tc, errors_are_limited_per_second);
    tcase_add_test(tc, the_limit_of_a_second_cannot_be_known_exactly);
    tcase_add_test(tc, an_error_about_a_packet_that_is_not_from_us_is_discarded);
    tcase_add_loop_test(tc, an_error_about_a_connection_that_does_not_exist_changes_nothing, 0, 3);
    tcase_add_loop_test(tc, a_quotation_cut_short_is_discarded, 0, IPV4_HEADER_BYTES + 9);
    tcase_add_loop_test(tc, a_quotation_that_lies_is_discarded, 0, sizeof lies / sizeof *lies);
}

int main(void)
{
    return unit_main("ip/icmp", tests);
}
