/* stack/dns/answer.c: what a response says. RFC 1034 3.6.2, RFC 2308, RFC 6604. */
#include "bench.h"

#include "../../../stack/dns/answer.h"

enum { WEEK_S = 604800, NEGATIVE_MAX_S = 10800 };

static struct dns_message *empty_response(uint8_t rcode)
{
    struct dns_message *message = calloc(1, sizeof *message);

    message->is_response = true;
    message->rcode = rcode;
    return message;
}

static enum dns_verdict read(struct dns_message *message, const char *name,
                             struct dns_answer *answer)
{
    struct dns_config config;

    dns_config_init(&config);
    enum dns_verdict verdict = dns_answer_read(message, name, &config, answer);
    free(message);
    return verdict;
}

START_TEST(an_address_is_read_with_its_time_to_live)
{
    struct dns_message *message = empty_response(DNS_RCODE_OK);
    struct dns_answer answer;

    add_address(message, "GOOGLE.com", "142.250.196.142", 267);
    ck_assert_int_eq(read(message, "google.com", &answer), DNS_VERDICT_ADDRESSES);
    ck_assert_uint_eq(answer.address_count, 1);
    ck_assert_uint_eq(ip_addr_to_v4(&answer.address[0]), 0x8efac48e);
    ck_assert_uint_eq(answer.ttl_s, 267);
    ck_assert_str_eq(answer.canonical_name, "google.com");
    ck_assert(!answer.from_cache);
}
END_TEST

START_TEST(a_chain_of_aliases_is_followed_in_any_order) /* RFC 1034 3.6.2 */
{
    struct dns_message *message = empty_response(DNS_RCODE_OK);
    struct dns_answer answer;

    add_address(message, "c.x", "192.0.2.3", 100);
    add_alias(message, "b.x", "c.x", 30);
    add_alias(message, "a.x", "B.X", 200);
    ck_assert_int_eq(read(message, "a.x", &answer), DNS_VERDICT_ADDRESSES);
    ck_assert_str_eq(answer.canonical_name, "c.x");
    ck_assert_uint_eq(answer.ttl_s, 30); /* the shortest-lived of the chain */
}
END_TEST

START_TEST(records_of_other_names_types_and_classes_are_not_used) /* RFC 2181 5.4.1 */
{
    struct dns_message *message = empty_response(DNS_RCODE_OK);
    struct dns_answer answer;

    add_address(message, "evil.x", "192.0.2.66", 1);
    add_record(message, "a.x", DNS_TYPE_AAAA, 1);
    add_record(message, "a.x", DNS_TYPE_A, 1)->class = 3;
    add_alias(message, "evil.x", "a.x", 1);
    add_alias(message, "a.x", "evil.x", 1);
    message->record[message->record_count - 1].class = 3;
    add_address(message, "a.x", "192.0.2.1", 100);
    ck_assert_int_eq(read(message, "a.x", &answer), DNS_VERDICT_ADDRESSES);
    ck_assert_uint_eq(answer.address_count, 1);
    ck_assert_uint_eq(ip_addr_to_v4(&answer.address[0]), 0xc0000201);
    ck_assert_uint_eq(answer.ttl_s, 100);
}
END_TEST

START_TEST(as_many_addresses_as_there_is_room_for_are_kept)
{
    struct dns_message *message = empty_response(DNS_RCODE_OK);
    struct dns_answer answer;

    for (int i = 0; i < 20; i++)
        add_address(message, "a.x", "192.0.2.1", 100);
    ck_assert_int_eq(read(message, "a.x", &answer), DNS_VERDICT_ADDRESSES);
    ck_assert_uint_eq(answer.address_count, DNS_ADDRESSES_MAX);
}
END_TEST

START_TEST(a_loop_of_aliases_is_of_no_use) /* of one, two or three */
{
    static const char *names[] = {"a.x", "b.x", "c.x"};
    struct dns_message *message = empty_response(DNS_RCODE_OK);
    struct dns_answer answer;

    for (int i = 0; i <= _i; i++)
        add_alias(message, names[i], names[(i + 1) % (_i + 1)], 60);
    ck_assert_int_eq(read(message, "a.x", &answer), DNS_VERDICT_NO_USE);
}
END_TEST

START_TEST(a_chain_as_long_as_the_message_is_no_loop)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    struct dns_message *message = empty_response(DNS_RCODE_OK);
    struct dns_answer answer;

    for (int i = 0; i < 25; i++)
        add_alias(message, (char[]){letters[i], 0}, (char[]){letters[i + 1], 0}, 60);
    ck_assert_int_eq(read(message, "a", &answer), DNS_VERDICT_ALIAS);
    ck_assert_str_eq(answer.canonical_name, "z");
}
END_TEST

START_TEST(an_alias_without_an_address_is_to_be_asked_for) /* RFC 1034 5.3.3 */
{
    struct dns_message *message = empty_response(DNS_RCODE_OK);
    struct dns_answer answer;

    add_alias(message, "a.x", "b.y", 77);
    ck_assert_int_eq(read(message, "a.x", &answer), DNS_VERDICT_ALIAS);
    ck_assert_str_eq(answer.canonical_name, "b.y");
    ck_assert_uint_eq(answer.ttl_s, 77);
}
END_TEST

static const struct {
    uint32_t soa_ttl_s, soa_minimum_s, kept_s;
} negatives[] = {
    {300, 60, 60},
    {60, 300, 60},
    {300, 0, 0},
    {1000000, 1000000, NEGATIVE_MAX_S},
};

START_TEST(a_negative_answer_is_kept_as_long_as_the_soa_says) /* RFC 2308 5 */
{
    bool is_name_error = _i % 2;
    struct dns_message *message =
        empty_response(is_name_error ? DNS_RCODE_NAME_ERROR : DNS_RCODE_OK);
    struct dns_answer answer;

    add_soa(message, negatives[_i / 2].soa_ttl_s, negatives[_i / 2].soa_minimum_s);
    ck_assert_int_eq(read(message, "a.x", &answer),
                     is_name_error ? DNS_VERDICT_NO_NAME : DNS_VERDICT_NO_ADDRESS);
    ck_assert_uint_eq(answer.ttl_s, negatives[_i / 2].kept_s);
}
END_TEST

START_TEST(a_negative_answer_without_soa_is_not_kept) /* RFC 2308 5 */
{
    bool is_name_error = _i % 2;
    struct dns_answer answer;

    ck_assert_int_eq(
        read(empty_response(is_name_error ? DNS_RCODE_NAME_ERROR : DNS_RCODE_OK), "a.x", &answer),
        is_name_error ? DNS_VERDICT_NO_NAME : DNS_VERDICT_NO_ADDRESS);
    ck_assert_uint_eq(answer.ttl_s, 0);
}
END_TEST

START_TEST(the_response_code_speaks_of_the_chains_end) /* RFC 6604 3 */
{
    bool is_name_error = _i % 2;
    struct dns_message *message =
        empty_response(is_name_error ? DNS_RCODE_NAME_ERROR : DNS_RCODE_OK);
    struct dns_answer answer;

    add_alias(message, "a.x", "b.x", 20);
    add_soa(message, 300, 300);
    ck_assert_int_eq(read(message, "a.x", &answer),
                     is_name_error ? DNS_VERDICT_NO_NAME : DNS_VERDICT_NO_ADDRESS);
    ck_assert_uint_eq(answer.ttl_s, 20);
}
END_TEST

START_TEST(a_referral_is_of_no_use) /* RFC 2308 2.2: name servers and no SOA */
{
    struct dns_message *message = empty_response(DNS_RCODE_OK);
    struct dns_answer answer;

    add_record(message, "x", DNS_TYPE_NS, 60);
    message->authoritative = _i == 1;
    ck_assert_int_eq(read(message, "a.x", &answer),
                     _i == 1 ? DNS_VERDICT_NO_ADDRESS : DNS_VERDICT_NO_USE);
}
END_TEST

START_TEST(other_response_codes_are_of_no_use_whatever_comes_with_them)
{
    static const uint8_t rcodes[] = {DNS_RCODE_FORMAT, DNS_RCODE_SERVER_FAILURE, 4,
                                     DNS_RCODE_REFUSED, 15};
    struct dns_message *message = empty_response(rcodes[_i]);
    struct dns_answer answer;

    add_address(message, "a.x", "192.0.2.1", 100);
    ck_assert_int_eq(read(message, "a.x", &answer), DNS_VERDICT_NO_USE);
}
END_TEST

START_TEST(an_answer_is_kept_a_week_at_most)
{
    struct dns_message *message = empty_response(DNS_RCODE_OK);
    struct dns_answer answer;

    add_address(message, "a.x", "192.0.2.1", INT32_MAX);
    ck_assert_int_eq(read(message, "a.x", &answer), DNS_VERDICT_ADDRESSES);
    ck_assert_uint_eq(answer.ttl_s, WEEK_S);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, an_address_is_read_with_its_time_to_live);
    tcase_add_test(tc, a_chain_of_aliases_is_followed_in_any_order);
    tcase_add_test(tc, records_of_other_names_types_and_classes_are_not_used);
    tcase_add_test(tc, as_many_addresses_as_there_is_room_for_are_kept);
    tcase_add_loop_test(tc, a_loop_of_aliases_is_of_no_use, 0, 3);
    tcase_add_test(tc, a_chain_as_long_as_the_message_is_no_loop);
    tcase_add_test(tc, an_alias_without_an_address_is_to_be_asked_for);
    tcase_add_loop_test(tc, a_negative_answer_is_kept_as_long_as_the_soa_says, 0, 8);
    tcase_add_loop_test(tc, a_negative_answer_without_soa_is_not_kept, 0, 2);
    tcase_add_loop_test(tc, the_response_code_speaks_of_the_chains_end, 0, 2);
    tcase_add_loop_test(tc, a_referral_is_of_no_use, 0, 2);
    tcase_add_loop_test(tc, other_response_codes_are_of_no_use_whatever_comes_with_them, 0, 5);
    tcase_add_test(tc, an_answer_is_kept_a_week_at_most);
}

int main(void)
{
    return unit_main("dns/answer", tests);
}
