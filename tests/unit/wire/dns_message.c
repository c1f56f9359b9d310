/* DNS messages: round trips, and everything that a hostile server can put into one. RFC 1035
 * section 4. */
#include "../../../stack/wire/dns_message.h"

#include "wire.h"

/* The messages are large: kept off the stack. */
static struct dns_message message, again;

/* A response to google.com with an answer, a CNAME and an SOA. */
static size_t response(uint8_t *packet, size_t room)
{
    memset(&message, 0, sizeof message);
    message.id = 0x98ef;
    message.is_response = message.recursion_desired = message.recursion_available = true;
    message.question_count = 1;
    strcpy(message.question.text, "www.Google.com");
    message.question_type = DNS_TYPE_A;
    message.question_class = DNS_CLASS_IN;
    message.answer_count = 2;
    message.record_count = 3;
    struct dns_record *record = message.record;
    strcpy(record[0].name.text, "www.google.com");
    record[0].type = DNS_TYPE_CNAME;
    record[0].class = DNS_CLASS_IN;
    record[0].ttl_s = 60;
    strcpy(record[0].target.text, "google.com");
    strcpy(record[1].name.text, "google.com");
    record[1].type = DNS_TYPE_A;
    record[1].class = DNS_CLASS_IN;
    record[1].ttl_s = 267;
    record[1].address = ip_addr_from_v4(0x8efac48e);
    strcpy(record[2].name.text, "com");
    record[2].type = DNS_TYPE_SOA;
    record[2].class = DNS_CLASS_IN;
    record[2].ttl_s = 900;
    record[2].soa_minimum_s = 300;
    return dns_emit(&message, packet, room);
}

START_TEST(what_is_emitted_parses_to_the_same)
{
    uint8_t packet[DNS_UDP_MAX_BYTES];
    size_t len = response(packet, sizeof packet);

    ck_assert_uint_gt(len, 0);
    ck_assert_int_eq(dns_parse((struct bytes){packet, len}, &again), DROP_NOT);
    ck_assert_uint_eq(again.id, 0x98ef);
    ck_assert(again.is_response && again.recursion_desired && again.recursion_available);
    ck_assert(!again.truncated && !again.authoritative);
    ck_assert_str_eq(again.question.text, "www.Google.com");
    ck_assert_uint_eq(again.answer_count, 2);
    ck_assert_uint_eq(again.record_count, 3);
    ck_assert_str_eq(again.record[0].target.text, "google.com");
    ck_assert_uint_eq(ip_addr_to_v4(&again.record[1].address), 0x8efac48e);
    ck_assert_uint_eq(again.record[1].ttl_s, 267);
    ck_assert_uint_eq(again.record[2].soa_minimum_s, 300);
}
END_TEST

START_TEST(a_query_for_google_com_takes_28_bytes) /* as in every capture of it */
{
    static const uint8_t expected[] = {0x98, 0xef, 1,   0,   0,   1, 0,   0,   0,   0, 0, 0, 6, 'g',
                                       'o',  'o',  'g', 'l', 'e', 3, 'c', 'o', 'm', 0, 0, 1, 0, 1};
    uint8_t packet[DNS_UDP_MAX_BYTES];

    memset(&message, 0, sizeof message);
    message.id = 0x98ef;
    message.recursion_desired = true;
    message.question_count = 1;
    strcpy(message.question.text, "google.com");
    message.question_type = DNS_TYPE_A;
    message.question_class = DNS_CLASS_IN;
    ck_assert_uint_eq(dns_emit(&message, packet, sizeof packet), sizeof expected);
    ck_assert_mem_eq(packet, expected, sizeof expected);
}
END_TEST

static bool parses(struct bytes prefix)
{
    return dns_parse(prefix, &again) == DROP_NOT;
}

START_TEST(no_prefix_of_a_message_is_a_message)
{
    uint8_t packet[DNS_UDP_MAX_BYTES];
    size_t len = response(packet, sizeof packet);

    ck_assert_uint_eq(accepted_prefixes((struct bytes){packet, len}, parses), 0);
}
END_TEST

START_TEST(no_message_of_random_bytes_breaks_the_parser)
{
    uint8_t packet[DNS_UDP_MAX_BYTES];
    uint64_t random = 5;

    for (int round = 0; round < 20000; round++) {
        size_t len = response(packet, sizeof packet);
        for (int flips = 0; flips < 4; flips++)
            packet[next_random(&random) % len] = (uint8_t)next_random(&random);
        uint8_t *exact = malloc(len);
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, packet, len);
        (void)dns_parse((struct bytes){exact, len}, &again);
        ck_assert_uint_le(again.record_count, DNS_RECORD_MAX);
        ck_assert_uint_le(again.answer_count, again.record_count);
        free(exact);
    }
}
END_TEST

/* A query header with one question, then these bytes as its name, then type and class. */
static enum drop parse_question(const uint8_t *name, size_t len)
{
    uint8_t packet[600] = {0, 1, 1, 0, 0, 1};

    memcpy(packet + DNS_HEADER_BYTES, name, len);
    packet[DNS_HEADER_BYTES + len + 1] = packet[DNS_HEADER_BYTES + len + 3] = 1;
    return dns_parse((struct bytes){packet, DNS_HEADER_BYTES + len + 4}, &again);
}

START_TEST(pointers_that_do_not_go_back_are_refused) /* loops, forward, into themselves */
{
    static const uint8_t self[] = {0xc0, 12}, forward[] = {0xc0, 20}, loop[] = {1, 'a', 0xc0, 12},
                         reserved[] = {0x80, 1, 0}, long_label[] = {64};

    ck_assert_int_eq(parse_question(self, sizeof self), DROP_DNS_MALFORMED);
    ck_assert_int_eq(parse_question(forward, sizeof forward), DROP_DNS_MALFORMED);
    ck_assert_int_eq(parse_question(loop, sizeof loop), DROP_DNS_MALFORMED);
    ck_assert_int_eq(parse_question(reserved, sizeof reserved), DROP_DNS_MALFORMED);
    ck_assert_int_eq(parse_question(long_label, sizeof long_label), DROP_DNS_MALFORMED);
}
END_TEST

/* Two records: in the data of the first lie pointers, each to the one before it and the first to
 * the root label; the name of the second follows `count` of them, its own included. */
static enum drop parse_pointer_chain(unsigned count)
{
    enum { RECORD_BYTES = 10, DATA_AT = DNS_HEADER_BYTES + 1 + RECORD_BYTES };
    uint8_t packet[1000] = {0, 1, 0x80, 0, 0, 0, 0, 2};
    size_t at = DATA_AT, target = DNS_HEADER_BYTES; /* the first record's name is the root */

    packet[DNS_HEADER_BYTES + 2] = 99; /* a type that nobody knows, so its data is skipped */
    for (unsigned i = 0; i + 1 < count; i++, at += 2) {
        packet[at] = (uint8_t)(0xc0 | target >> 8);
        packet[at + 1] = (uint8_t)target;
        target = at;
    }
    packet[DATA_AT - 2] = (uint8_t)((at - DATA_AT) >> 8);
    packet[DATA_AT - 1] = (uint8_t)(at - DATA_AT);
    packet[at] = (uint8_t)(0xc0 | target >> 8); /* the second record's name is the last pointer */
    packet[at + 1] = (uint8_t)target;
    packet[at + 3] = 99;
    return dns_parse((struct bytes){packet, at + 2 + RECORD_BYTES}, &again);
}

START_TEST(no_name_needs_more_pointers_than_it_can_have_labels)
{
    ck_assert_int_eq(parse_pointer_chain(127), DROP_NOT);
    ck_assert_int_eq(parse_pointer_chain(128), DROP_DNS_MALFORMED);
    ck_assert_int_eq(parse_pointer_chain(400), DROP_DNS_MALFORMED);
}
END_TEST

/* Labels of 61 octets, 62 on the wire: `count` of them, then one of `last` octets, then the root.
 */
static enum drop parse_long_name(unsigned count, uint8_t last)
{
    uint8_t name[400], *at = name;

    for (unsigned i = 0; i < count; i++) {
        *at++ = 61;
        memset(at, 1, 61); /* unprintable: the longest text there is */
        at += 61;
    }
    *at++ = last;
    memset(at, 'x', last);
    at += last;
    *at++ = 0;
    return parse_question(name, (size_t)(at - name));
}

START_TEST(a_name_of_255_octets_is_the_longest) /* RFC 1035 2.3.4 */
{
    ck_assert_int_eq(parse_long_name(4, 5), DROP_NOT); /* 4 * 62 + 6 + 1 = 255 */
    ck_assert_uint_lt(strlen(again.question.text), DNS_NAME_TEXT_BYTES);
    ck_assert_int_eq(parse_long_name(4, 6), DROP_DNS_MALFORMED);
}
END_TEST

START_TEST(octets_that_are_not_plain_are_escaped_and_come_back)
{
    static const uint8_t name[] = {5, 'a', '.', '\\', ' ', 0xff, 1, 'b', 0};
    uint8_t packet[DNS_UDP_MAX_BYTES];

    ck_assert_int_eq(parse_question(name, sizeof name), DROP_NOT);
    ck_assert_str_eq(again.question.text, "a\\.\\\\\\032\\255.b");
    size_t len = dns_emit(&again, packet, sizeof packet);
    ck_assert_uint_eq(len, DNS_HEADER_BYTES + sizeof name + 4);
    ck_assert_mem_eq(packet + DNS_HEADER_BYTES, name, sizeof name);
}
END_TEST

START_TEST(a_truncated_answer_is_not_read_further) /* TC: what follows is incomplete */
{
    uint8_t packet[DNS_UDP_MAX_BYTES];
    size_t len = response(packet, sizeof packet);

    packet[2] |= 0x02;
    ck_assert_int_eq(dns_parse((struct bytes){packet, len - 20}, &again), DROP_NOT);
    ck_assert(again.truncated);
    ck_assert_uint_eq(again.record_count, 0);
}
END_TEST

START_TEST(record_data_of_a_wrong_length_is_refused)
{
    uint8_t packet[DNS_UDP_MAX_BYTES];
    size_t len = response(packet, sizeof packet);

    for (size_t at = DNS_HEADER_BYTES; at + 6 < len; at++) /* the A record's length field */
        if (memcmp(packet + at, "\0\4\x8e\xfa", 4) == 0)
            packet[at + 1] = 3;
    ck_assert_int_eq(dns_parse((struct bytes){packet, len}, &again), DROP_DNS_MALFORMED);
}
END_TEST

START_TEST(a_ttl_with_the_top_bit_counts_as_zero) /* RFC 2181 section 8 */
{
    uint8_t packet[DNS_UDP_MAX_BYTES];

    response(packet, sizeof packet);
    message.record[1].ttl_s = 0x80000001;
    size_t len = dns_emit(&message, packet, sizeof packet);
    ck_assert_int_eq(dns_parse((struct bytes){packet, len}, &again), DROP_NOT);
    ck_assert_uint_eq(again.record[1].ttl_s, 0);
}
END_TEST

START_TEST(more_records_than_are_kept_are_skipped)
{
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4};
    uint8_t packet[2000] = {0, 1, 0x81, 0x80, 0, 1, 0, 40, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1};
    size_t len = 19;

    for (int i = 0; i < 40; i++, len += sizeof record)
        memcpy(packet + len, record, sizeof record);
    ck_assert_int_eq(dns_parse((struct bytes){packet, len}, &again), DROP_NOT);
    ck_assert_uint_eq(again.answer_count, DNS_RECORD_MAX);
    packet[7] = 41; /* one more than there is */
    ck_assert_int_eq(dns_parse((struct bytes){packet, len}, &again), DROP_DNS_MALFORMED);
}
END_TEST

START_TEST(only_names_that_fit_may_be_asked_for)
{
    char label64[65], long_name[300];

    memset(label64, 'a', 64);
    label64[64] = '\0';
    memset(long_name, 'a', sizeof long_name);
    for (size_t i = 50; i < sizeof long_name; i += 51)
        long_name[i] = '.';
    long_name[253] = '\0';
    ck_assert(dns_name_is_valid("google.com"));
    ck_assert(dns_name_is_valid("google.com."));
    ck_assert(dns_name_is_valid("a"));
    ck_assert(dns_name_is_valid(label64 + 1));
    ck_assert(dns_name_is_valid(long_name));
    ck_assert(!dns_name_is_valid(label64));
    ck_assert(!dns_name_is_valid(""));
    ck_assert(!dns_name_is_valid("."));
    ck_assert(!dns_name_is_valid(".com"));
    ck_assert(!dns_name_is_valid("a..b"));
    ck_assert(!dns_name_is_valid("a\\"));
    long_name[253] = 'b';
    long_name[254] = '\0';
    ck_assert(!dns_name_is_valid(long_name));
}
END_TEST

START_TEST(names_are_equal_whatever_their_case) /* RFC 1035 2.3.3 */
{
    ck_assert(dns_name_equal("Google.COM", "google.com"));
    ck_assert(dns_name_equal("google.com.", "google.com"));
    ck_assert(!dns_name_equal("google.com", "google.co"));
    ck_assert(!dns_name_equal("google.com", "google.comm"));
    ck_assert(!dns_name_equal("", "a"));
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, what_is_emitted_parses_to_the_same);
    tcase_add_test(tc, a_query_for_google_com_takes_28_bytes);
    tcase_add_test(tc, no_prefix_of_a_message_is_a_message);
    tcase_add_test(tc, no_message_of_random_bytes_breaks_the_parser);
    tcase_add_test(tc, pointers_that_do_not_go_back_are_refused);
    tcase_add_test(tc, no_name_needs_more_pointers_than_it_can_have_labels);
    tcase_add_test(tc, a_name_of_255_octets_is_the_longest);
    tcase_add_test(tc, octets_that_are_not_plain_are_escaped_and_come_back);
    tcase_add_test(tc, a_truncated_answer_is_not_read_further);
    tcase_add_test(tc, record_data_of_a_wrong_length_is_refused);
    tcase_add_test(tc, a_ttl_with_the_top_bit_counts_as_zero);
    tcase_add_test(tc, more_records_than_are_kept_are_skipped);
    tcase_add_test(tc, only_names_that_fit_may_be_asked_for);
    tcase_add_test(tc, names_are_equal_whatever_their_case);
}

int main(void)
{
    return unit_main("wire/dns_message", tests);
}
