/* Addresses as text and as one type for both families. */
#include "../../../stack/wire/ip_addr.h"

#include "wire.h"

START_TEST(four_decimal_numbers_are_an_address)
{
    struct ip_addr addr;
    char text[IP_ADDR_TEXT_BYTES];

    ck_assert(ip_addr_parse("142.250.196.142", &addr));
    ck_assert_uint_eq(ip_addr_to_v4(&addr), 0x8efac48e);
    ck_assert_str_eq(ip_addr_format(&addr, text), "142.250.196.142");
    ck_assert(ip_addr_parse("0.0.0.0", &addr));
    ck_assert(ip_addr_parse("255.255.255.255", &addr));
}
END_TEST

static const char *const not_addresses[] = {
    "",          "1",      "1.2.3",      "1.2.3.4.5",  "1.2.3.4 ",          " 1.2.3.4",
    "1.2.3.256", "1..3.4", ".1.2.3.4",   "1.2.3.4.",   "01.2.3.4",          "1.2.3.-4",
    "1.2.3.0x4", "::1",    "google.com", "1.2.3.4444", "99999999999.1.1.1",
};

START_TEST(anything_else_is_not)
{
    struct ip_addr addr;

    ck_assert_msg(!ip_addr_parse(not_addresses[_i], &addr), "%s", not_addresses[_i]);
}
END_TEST

START_TEST(every_address_survives_its_text)
{
    uint64_t random = 1;
    char text[IP_ADDR_TEXT_BYTES];

    for (int i = 0; i < 10000; i++) {
        struct ip_addr addr = ip_addr_from_v4((uint32_t)next_random(&random)), again;
        ck_assert(ip_addr_parse(ip_addr_format(&addr, text), &again));
        ck_assert(ip_addr_equal(&addr, &again));
        ck_assert(ip_addr_is_v4(&again));
    }
}
END_TEST

START_TEST(multicast_broadcast_and_loopback_cannot_be_a_source) /* RFC 1122 3.2.1.3 */
{
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {{"10.0.0.1", true},   {"223.255.255.255", true}, {"0.0.0.0", false},
                 {"0.1.2.3", false},   {"127.0.0.1", false},      {"224.0.0.1", false},
                 {"240.0.0.1", false}, {"255.255.255.255", false}};
    struct ip_addr addr;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(ip_addr_parse(cases[i].text, &addr));
        ck_assert_msg(ip_addr_is_valid_source(&addr) == cases[i].valid, "%s", cases[i].text);
    }
}
END_TEST

START_TEST(an_ipv6_address_fits_its_text)
{
    struct ip_addr addr;
    char text[IP_ADDR_TEXT_BYTES];

    memset(addr.octet, 0xff, sizeof addr.octet);
    ck_assert_str_eq(ip_addr_format(&addr, text), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    ck_assert(!ip_addr_is_v4(&addr));
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, four_decimal_numbers_are_an_address);
    tcase_add_loop_test(tc, anything_else_is_not, 0,
                        (int)(sizeof not_addresses / sizeof *not_addresses));
    tcase_add_test(tc, every_address_survives_its_text);
    tcase_add_test(tc, multicast_broadcast_and_loopback_cannot_be_a_source);
    tcase_add_test(tc, an_ipv6_address_fits_its_text);
}

int main(void)
{
    return unit_main("wire/ip_addr", tests);
}
