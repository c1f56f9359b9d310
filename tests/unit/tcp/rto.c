/* RFC 6298: the formulas, their bounds, the back-off. Expected values are computed by hand. */
#include "../unit.h"

#include "../../../stack/tcp/recovery/rto.h"

static struct tcp_config config;
static struct tcp_rto rto;

static void set_up(void)
{
    tcp_config_init(&config);
    tcp_rto_init(&rto, &config);
}

/* (2.1) */
START_TEST(rto_is_one_second_before_any_sample)
{
    set_up();
    ck_assert_uint_eq(tcp_rto_current_us(&rto, &config), 1000000);
    ck_assert_uint_eq(rto.srtt_us, 0);
}
END_TEST

/* (2.2), (2.3): RTTVAR from the old SRTT, then SRTT. */
START_TEST(samples_enter_by_an_eighth_and_a_quarter)
{
    static const struct {
        uint64_t rtt_us, srtt_us, rttvar_us, rto_us;
    } rows[] = {
        {400000, 400000, 200000, 1200000},
        {800000, 450000, 250000, 1450000}, /* 3/4 * 200 + 1/4 * 400; 7/8 * 400 + 1/8 * 800 */
        {450000, 450000, 187500, 1200000}, /* 3/4 * 250 */
        {50000, 400000, 240625, 1362500},  /* 3/4 * 187.5 + 1/4 * 400; 7/8 * 450 + 1/8 * 50 */
    };

    set_up();
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tcp_rto_sample(&rto, rows[i].rtt_us, &config);
        ck_assert_uint_eq(rto.srtt_us, rows[i].srtt_us);
        ck_assert_uint_eq(rto.rttvar_us, rows[i].rttvar_us);
        ck_assert_uint_eq(tcp_rto_current_us(&rto, &config), rows[i].rto_us);
    }
}
END_TEST

/* (2.4), with its departure, and (2.5). */
START_TEST(rto_stays_between_its_bounds)
{
    set_up();
    tcp_rto_sample(&rto, 1000, &config);
    ck_assert_uint_eq(tcp_rto_current_us(&rto, &config), 200000);
    tcp_rto_sample(&rto, 600ull * 1000000, &config);
    ck_assert_uint_eq(tcp_rto_current_us(&rto, &config), 60000000);
}
END_TEST

/* A round trip in no time is a sample all the same. */
START_TEST(sample_of_zero_counts)
{
    set_up();
    tcp_rto_sample(&rto, 0, &config);
    ck_assert_uint_gt(rto.srtt_us, 0);
    for (int i = 0; i < 100; i++)
        tcp_rto_sample(&rto, 0, &config);
    ck_assert_uint_gt(rto.srtt_us, 0);
    ck_assert_uint_eq(tcp_rto_current_us(&rto, &config), 200000);
}
END_TEST

/* (5.5), (2.5) */
START_TEST(back_off_doubles_up_to_the_maximum)
{
    set_up();
    for (uint64_t expected_us = 1000000; expected_us < 60000000; expected_us *= 2) {
        ck_assert_uint_eq(tcp_rto_current_us(&rto, &config), expected_us);
        tcp_rto_back_off(&rto);
    }
    for (int i = 0; i < 1000; i++) { /* and never overflows */
        ck_assert_uint_eq(tcp_rto_current_us(&rto, &config), 60000000);
        tcp_rto_back_off(&rto);
    }
}
END_TEST

START_TEST(sample_ends_the_back_off)
{
    set_up();
    tcp_rto_back_off(&rto);
    tcp_rto_back_off(&rto);
    tcp_rto_sample(&rto, 400000, &config);
    ck_assert_uint_eq(rto.backoff_count, 0);
    ck_assert_uint_eq(tcp_rto_current_us(&rto, &config), 1200000);
}
END_TEST

/* (5.7) */
START_TEST(lost_syn_without_a_sample_means_three_seconds)
{
    set_up();
    tcp_rto_back_off(&rto);
    tcp_rto_after_lost_syn(&rto);
    ck_assert_uint_eq(tcp_rto_current_us(&rto, &config), 3000000);

    set_up();
    tcp_rto_back_off(&rto);
    tcp_rto_sample(&rto, 100000, &config);
    tcp_rto_after_lost_syn(&rto);
    ck_assert_uint_eq(tcp_rto_current_us(&rto, &config), 300000);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, rto_is_one_second_before_any_sample);
    tcase_add_test(tc, samples_enter_by_an_eighth_and_a_quarter);
    tcase_add_test(tc, rto_stays_between_its_bounds);
    tcase_add_test(tc, sample_of_zero_counts);
    tcase_add_test(tc, back_off_doubles_up_to_the_maximum);
    tcase_add_test(tc, sample_ends_the_back_off);
    tcase_add_test(tc, lost_syn_without_a_sample_means_three_seconds);
}

int main(void)
{
    return unit_main("rto", tests);
}
