/* stack/dns/cache.c: what is kept, how long, and what goes first. RFC 1035 7.4, RFC 2308 5. */
#include "../ip/rig.h"

#include "../../../stack/dns/cache.h"

static struct dns_answer answer_of(const char *address, uint32_t ttl_s)
{
    struct dns_answer answer = {.address_count = 1, .ttl_s = ttl_s, .canonical_name = "real.name"};

    answer.address[0] = rig_addr(address);
    return answer;
}

static void put(struct dns_cache *cache, const char *name, uint32_t ttl_s, uint64_t now_us)
{
    struct dns_answer answer = answer_of("192.0.2.7", ttl_s);

    dns_cache_put(cache, name, DNS_OK, &answer, now_us);
}

static bool has(struct dns_cache *cache, const char *name, uint64_t now_us)
{
    struct dns_answer answer;

    return dns_cache_get(cache, name, &answer, now_us) == DNS_OK;
}

START_TEST(what_was_put_is_found_with_the_time_that_is_left)
{
    struct dns_cache cache;
    struct dns_answer answer;

    dns_cache_init(&cache, 4);
    ck_assert_int_eq(dns_cache_get(&cache, "a.b", &answer, 0), DNS_PENDING);
    put(&cache, "a.b", 267, 0);
    ck_assert_int_eq(dns_cache_get(&cache, "a.b", &answer, 10 * RIG_SECOND_US), DNS_OK);
    ck_assert_uint_eq(answer.ttl_s, 257);
    ck_assert(answer.from_cache);
    ck_assert_uint_eq(answer.address_count, 1);
    ck_assert_uint_eq(ip_addr_to_v4(&answer.address[0]), 0xc0000207);
    ck_assert_str_eq(answer.canonical_name, "real.name");
    ck_assert(has(&cache, "a.b", 267 * RIG_SECOND_US - 1));
    ck_assert(!has(&cache, "a.b", 267 * RIG_SECOND_US));
    ck_assert_uint_eq(cache.entry_count, 0);
    dns_cache_free(&cache);
}
END_TEST

START_TEST(names_are_found_whatever_their_case) /* RFC 1035 2.3.3 */
{
    struct dns_cache cache;

    dns_cache_init(&cache, 4);
    put(&cache, "Google.COM", 60, 0);
    ck_assert(has(&cache, "gOOGLE.com", 0));
    ck_assert(!has(&cache, "google.co", 0));
    put(&cache, "google.com", 60, 0);
    ck_assert_uint_eq(cache.entry_count, 1);
    dns_cache_free(&cache);
}
END_TEST

START_TEST(a_time_to_live_of_zero_is_not_kept_and_ends_what_was) /* RFC 1035 3.2.1 */
{
    struct dns_cache cache;

    dns_cache_init(&cache, 4);
    put(&cache, "a", 60, 0);
    put(&cache, "a", 0, 0);
    ck_assert_uint_eq(cache.entry_count, 0);
    ck_assert(!has(&cache, "a", 0));
    dns_cache_free(&cache);
}
END_TEST

START_TEST(negative_answers_are_kept_too) /* RFC 2308 5 */
{
    struct dns_cache cache;
    struct dns_answer none = {.ttl_s = 60}, answer;

    dns_cache_init(&cache, 4);
    dns_cache_put(&cache, "nx", DNS_ERR_NOT_FOUND, &none, 0);
    dns_cache_put(&cache, "v6only", DNS_ERR_NO_ADDRESS, &none, 0);
    ck_assert_int_eq(dns_cache_get(&cache, "nx", &answer, 1), DNS_ERR_NOT_FOUND);
    ck_assert_int_eq(dns_cache_get(&cache, "v6only", &answer, 1), DNS_ERR_NO_ADDRESS);
    dns_cache_free(&cache);
}
END_TEST

START_TEST(a_full_cache_forgets_what_was_not_used_for_longest)
{
    struct dns_cache cache;

    dns_cache_init(&cache, 3);
    put(&cache, "a", 60, 0);
    put(&cache, "b", 60, 0);
    put(&cache, "c", 60, 0);
    ck_assert(has(&cache, "a", 0));
    put(&cache, "d", 60, 0);
    ck_assert(!has(&cache, "b", 0));
    ck_assert(has(&cache, "a", 0) && has(&cache, "c", 0) && has(&cache, "d", 0));
    ck_assert_uint_eq(cache.entry_count, 3);
    dns_cache_free(&cache);
}
END_TEST

START_TEST(the_number_of_entries_is_bounded) /* none at all included */
{
    struct dns_cache cache;
    char name[2] = "a";

    dns_cache_init(&cache, (unsigned)_i);
    for (name[0] = 'a'; name[0] <= 'z'; name[0]++) {
        put(&cache, name, 60, 0);
        ck_assert_uint_le(cache.entry_count, (unsigned)_i);
    }
    ck_assert_uint_eq(cache.entry_count, (unsigned)_i);
    dns_cache_free(&cache);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, what_was_put_is_found_with_the_time_that_is_left);
    tcase_add_test(tc, names_are_found_whatever_their_case);
    tcase_add_test(tc, a_time_to_live_of_zero_is_not_kept_and_ends_what_was);
    tcase_add_test(tc, negative_answers_are_kept_too);
    tcase_add_test(tc, a_full_cache_forgets_what_was_not_used_for_longest);
    tcase_add_loop_test(tc, the_number_of_entries_is_bounded, 0, 4);
}

int main(void)
{
    return unit_main("dns/cache", tests);
}
