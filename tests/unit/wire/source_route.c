/* stack/wire/source_route.c: RFC 791 3.1, RFC 1122 3.2.1.8 (c). */
#include "../../../stack/wire/source_route.h"

#include <stdarg.h>

#include "wire.h"

static struct ip_addr addr(const char *text)
{
    struct ip_addr addr;

    ck_assert(ip_addr_parse(text, &addr));
    return addr;
}

static void hops_are(const struct source_route *route, unsigned count, ...)
{
    va_list args;

    ck_assert_uint_eq(route->hop_count, count);
    va_start(args, count);
    for (unsigned i = 0; i < count; i++) {
        struct ip_addr expected = addr(va_arg(args, const char *));
        ck_assert(ip_addr_equal(&route->hop[i], &expected));
    }
    va_end(args);
}

START_TEST(packet_leaves_for_the_first_gateway_and_names_the_end_last) /* RFC 1122 3.2.1.8 (A) */
{
    static const uint8_t wanted[] = {131, 11, 4, 10, 0, 0, 2, 10, 0, 0, 9};
    struct source_route route = {.hop_count = 2, .hop = {addr("10.0.0.1"), addr("10.0.0.2")}};
    struct ipv4_packet ip = {.dst = addr("10.0.0.9")};
    struct ip_addr first = route.hop[0];
    uint8_t option[SOURCE_ROUTE_MAX_BYTES];

    source_route_apply(&route, &ip, option);
    ck_assert(ip_addr_equal(&ip.dst, &first));
    ck_assert_uint_eq(ip.options.len, sizeof wanted);
    ck_assert_mem_eq(ip.options.data, wanted, sizeof wanted);
    ck_assert_uint_eq(source_route_bytes(&route), 12);

    struct source_route read;
    ck_assert_int_eq(source_route_parse(ip.options, &read), SOURCE_ROUTE_GOES_ON);
    hops_are(&read, 2, "10.0.0.2", "10.0.0.9");
}
END_TEST

START_TEST(no_route_changes_nothing)
{
    struct source_route none = {0};
    struct ipv4_packet ip = {.dst = addr("10.0.0.9")};
    struct ip_addr dst = ip.dst;
    uint8_t option[SOURCE_ROUTE_MAX_BYTES];

    source_route_apply(&none, &ip, option);
    ck_assert(ip_addr_equal(&ip.dst, &dst));
    ck_assert_uint_eq(ip.options.len, 0);
    ck_assert_uint_eq(source_route_bytes(&none), 0);
}
END_TEST

START_TEST(longest_route_fills_the_header)
{
    struct source_route route = {.is_strict = true, .hop_count = SOURCE_ROUTE_HOPS_MAX}, read;
    struct ipv4_packet ip = {.dst = addr("10.0.0.99")};
    uint8_t option[SOURCE_ROUTE_MAX_BYTES];

    for (unsigned i = 0; i < SOURCE_ROUTE_HOPS_MAX; i++)
        route.hop[i] = ip_addr_from_v4(0x0a000001 + i);
    source_route_apply(&route, &ip, option);
    ck_assert_uint_eq(ip.options.len, 39);
    ck_assert_uint_eq(source_route_bytes(&route), 40);
    ck_assert_int_eq(source_route_parse(ip.options, &read), SOURCE_ROUTE_GOES_ON);
    ck_assert(read.is_strict);
    ck_assert_uint_eq(read.hop_count, SOURCE_ROUTE_HOPS_MAX);
}
END_TEST

/* A route as it arrives, behind options that are skipped. */
static const uint8_t complete[] = {1, 7, 3, 4, 131, 11, 12, 10, 0, 0, 1, 10, 0, 0, 2, 0};

START_TEST(complete_route_read_backwards_is_the_way_home)
{
    struct source_route route, back;
    struct ip_addr source = addr("10.0.0.9"), first = addr("10.0.0.1");

    ck_assert_int_eq(source_route_parse((struct bytes){complete, sizeof complete}, &route),
                     SOURCE_ROUTE_COMPLETE);
    hops_are(&route, 2, "10.0.0.1", "10.0.0.2");
    back = source_route_back(&route, &source);
    hops_are(&back, 2, "10.0.0.2", "10.0.0.1");
    back = source_route_back(&route, &first); /* RFC 1122 3.2.1.8 (B): {S, G1 >>} */
    hops_are(&back, 1, "10.0.0.2");
}
END_TEST

static const struct {
    uint8_t option[12];
    size_t len;
    enum source_route_end end;
} cases[] = {
    {{0}, 0, SOURCE_ROUTE_NONE},
    {{1, 1, 0, 131}, 4, SOURCE_ROUTE_NONE},                   /* behind the end */
    {{7, 7, 4, 0, 0, 0, 0}, 7, SOURCE_ROUTE_NONE},            /* record route */
    {{131, 3, 4}, 3, SOURCE_ROUTE_COMPLETE},                  /* no hops at all */
    {{137, 7, 8, 10, 0, 0, 1}, 7, SOURCE_ROUTE_COMPLETE},     /* strict */
    {{131, 7, 4, 10, 0, 0, 1}, 7, SOURCE_ROUTE_GOES_ON},      /* hops left */
    {{131, 7, 3, 10, 0, 0, 1}, 7, SOURCE_ROUTE_MALFORMED},    /* pointer in the head */
    {{131, 7, 6, 10, 0, 0, 1}, 7, SOURCE_ROUTE_MALFORMED},    /* between two addresses */
    {{131, 8, 4, 10, 0, 0, 1, 0}, 8, SOURCE_ROUTE_MALFORMED}, /* half an address */
    {{131, 2}, 2, SOURCE_ROUTE_MALFORMED},                    /* no pointer */
    {{131, 1}, 2, SOURCE_ROUTE_MALFORMED},                    /* shorter than its head */
    {{131, 11, 4, 10, 0, 0, 1}, 7, SOURCE_ROUTE_MALFORMED},   /* longer than what is there */
    {{131}, 1, SOURCE_ROUTE_MALFORMED},                       /* no length */
    {{131, 7, 8, 10, 0, 0, 1, 137, 3, 4}, 10, SOURCE_ROUTE_COMPLETE}, /* the first one counts */
};

START_TEST(option_is_judged_by_its_lengths)
{
    struct source_route route;
    uint8_t *exact = malloc(cases[_i].len + 1);

    memcpy(exact, cases[_i].option, cases[_i].len);
    ck_assert_int_eq(source_route_parse((struct bytes){exact, cases[_i].len}, &route),
                     cases[_i].end);
    free(exact);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, packet_leaves_for_the_first_gateway_and_names_the_end_last);
    tcase_add_test(tc, no_route_changes_nothing);
    tcase_add_test(tc, longest_route_fills_the_header);
    tcase_add_test(tc, complete_route_read_backwards_is_the_way_home);
    tcase_add_loop_test(tc, option_is_judged_by_its_lengths, 0, sizeof cases / sizeof *cases);
}

int main(void)
{
    return unit_main("wire/source_route", tests);
}
