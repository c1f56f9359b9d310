/* RACK's memory: the least round trip of the last seconds, and for how long a wider window stays.
 */
#include "../unit.h"

#include "../../../stack/tcp/recovery/rack.h"

enum { SECOND_US = 1000000 };

static struct rack rack;

START_TEST(least_round_trip_is_forgotten_when_the_path_gets_longer) /* RFC 8985 6.2 step 1 */
{
    rack = (struct rack){0};
    rack_note_rtt(&rack, 50, 0);
    ck_assert_uint_eq(rack.min_rtt.us, 50);
    for (uint64_t second = 1; second < 10; second++) {
        rack_note_rtt(&rack, 1000, second * SECOND_US);
        ck_assert_uint_eq(rack.min_rtt.us, 50);
    }
    rack_note_rtt(&rack, 900, 10 * SECOND_US); /* a new window begins; the last one held the 50 */
    ck_assert_uint_eq(rack.min_rtt.us, 50);
    rack_note_rtt(&rack, 1000, 20 * SECOND_US);
    ck_assert_uint_eq(rack.min_rtt.us, 900);
    rack_note_rtt(&rack, 700, 20 * SECOND_US);
    ck_assert_uint_eq(rack.min_rtt.us, 700);
}
END_TEST

START_TEST(round_trip_of_nothing_counts_as_a_microsecond)
{
    rack = (struct rack){0};
    rack_note_rtt(&rack, 0, 0);
    ck_assert_uint_eq(rack.min_rtt.us, 1);
}
END_TEST

START_TEST(wider_window_lasts_for_sixteen_recoveries) /* RFC 8985 6.2 step 4 */
{
    rack = (struct rack){.reo_wnd_more = 3, .reo_wnd_persist = 16};
    for (int i = 0; i < 15; i++) {
        rack_on_recovered(&rack);
        ck_assert_uint_eq(rack.reo_wnd_more, 3);
    }
    rack_on_recovered(&rack);
    ck_assert_uint_eq(rack.reo_wnd_more, 0);
    rack_on_recovered(&rack);
    ck_assert_uint_eq(rack.reo_wnd_more, 0);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, least_round_trip_is_forgotten_when_the_path_gets_longer);
    tcase_add_test(tc, round_trip_of_nothing_counts_as_a_microsecond);
    tcase_add_test(tc, wider_window_lasts_for_sixteen_recoveries);
}

int main(void)
{
    return unit_main("rack", tests);
}
