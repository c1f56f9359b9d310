/* The cache of path MTUs: what it remembers, for how long, and what makes it forget. */
#include "rig.h"

enum { MINUTE_US = 60 * RIG_SECOND_US };

static struct ip_addr host(unsigned n)
{
    return ip_addr_from_v4(0xc0000200u + n);
}

static uint16_t mtu_to(struct rig *rig, unsigned n)
{
    struct ip_addr remote = host(n);

    return ip_path_mtu(rig->stack, &remote);
}

static void learn(struct rig *rig, unsigned n, uint16_t mtu_bytes)
{
    struct ip_addr remote = host(n);

    ip_learn_path_mtu(rig->stack, &remote, mtu_bytes);
}

static void time_passes(struct rig *rig, uint64_t us)
{
    rig->now_us += us;
    stack_on_time(rig->stack, rig->now_us);
}

/* 9293 3.7.1, MUST-16: what the IP layer can send. */
START_TEST(unknown_path_takes_what_the_device_takes)
{
    struct rig *rig = rig_prepare();

    rig->config.mtu_bytes = 1400;
    rig_start(rig);
    ck_assert_uint_eq(mtu_to(rig, 1), 1400);
    rig_free(rig);
}
END_TEST

START_TEST(path_is_remembered_for_each_host)
{
    struct rig *rig = rig_new();

    learn(rig, 1, 1000);
    learn(rig, 2, 576);
    ck_assert_uint_eq(mtu_to(rig, 1), 1000);
    ck_assert_uint_eq(mtu_to(rig, 2), 576);
    ck_assert_uint_eq(mtu_to(rig, 3), 1500);
    learn(rig, 1, 1200); /* the last word counts */
    ck_assert_uint_eq(mtu_to(rig, 1), 1200);
    rig_free(rig);
}
END_TEST

START_TEST(path_as_wide_as_the_device_is_forgotten)
{
    struct rig *rig = rig_new();

    for (unsigned n = 0; n < 3; n++)
        learn(rig, n, (uint16_t)(1000 + n));
    learn(rig, 1, 1500);
    learn(rig, 7, UINT16_MAX); /* was never there */
    ck_assert_uint_eq(mtu_to(rig, 0), 1000);
    ck_assert_uint_eq(mtu_to(rig, 1), 1500);
    ck_assert_uint_eq(mtu_to(rig, 2), 1002);
    ck_assert_uint_eq(rig->stack->ip.paths.count, 2);
    rig_free(rig);
}
END_TEST

/* RFC 1191 6.3 */
START_TEST(path_is_believed_for_ten_minutes)
{
    struct rig *rig = rig_new();

    learn(rig, 1, 1000);
    time_passes(rig, 10ull * MINUTE_US - 1);
    ck_assert_uint_eq(mtu_to(rig, 1), 1000);
    time_passes(rig, 1);
    ck_assert_uint_eq(mtu_to(rig, 1), 1500);
    learn(rig, 1, 576);
    time_passes(rig, 9ull * MINUTE_US);
    learn(rig, 1, 576); /* heard again */
    time_passes(rig, 9ull * MINUTE_US);
    ck_assert_uint_eq(mtu_to(rig, 1), 576);
    ck_assert_uint_eq(rig->stack->ip.paths.count, 1);
    rig_free(rig);
}
END_TEST

START_TEST(oldest_makes_room)
{
    struct rig *rig = rig_new();

    for (unsigned n = 0; n < IP_PATHS_MAX; n++) {
        time_passes(rig, 1);
        learn(rig, n, 1000);
    }
    learn(rig, 0, 1001); /* the youngest now */
    learn(rig, 1000, 576);
    ck_assert_uint_eq(rig->stack->ip.paths.count, IP_PATHS_MAX);
    ck_assert_uint_eq(mtu_to(rig, 0), 1001);
    ck_assert_uint_eq(mtu_to(rig, 1), 1500);
    ck_assert_uint_eq(mtu_to(rig, 2), 1000);
    ck_assert_uint_eq(mtu_to(rig, IP_PATHS_MAX - 1), 1000);
    ck_assert_uint_eq(mtu_to(rig, 1000), 576);
    rig_free(rig);
}
END_TEST

/* 9293 3.8.3, MUST-20; RFC 1122 3.3.1.4 */
START_TEST(negative_advice_forgets_this_path_alone)
{
    struct rig *rig = rig_new();
    struct flow_id flow = {.local = rig->us, .remote = host(1)};

    learn(rig, 1, 1000);
    learn(rig, 2, 1000);
    for (unsigned time = 0; time < 2; time++) { /* and does no harm where nothing is known */
        ip_negative_advice(rig->stack, &flow, "a reason");
        ck_assert_str_eq(rig->path_cause, "a reason");
        ck_assert_uint_eq(rig->path_mtu, time == 0 ? 1000 : 0);
        ck_assert_uint_eq(mtu_to(rig, 1), 1500);
        ck_assert_uint_eq(mtu_to(rig, 2), 1000);
    }
    rig_free(rig);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, unknown_path_takes_what_the_device_takes);
    tcase_add_test(tc, path_is_remembered_for_each_host);
    tcase_add_test(tc, path_as_wide_as_the_device_is_forgotten);
    tcase_add_test(tc, path_is_believed_for_ten_minutes);
    tcase_add_test(tc, oldest_makes_room);
    tcase_add_test(tc, negative_advice_forgets_this_path_alone);
}

int main(void)
{
    return unit_main("ip/path_mtu", tests);
}
