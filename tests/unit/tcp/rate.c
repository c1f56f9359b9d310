/* Samples of the delivery rate against examples computed by hand (draft-ietf-ccwg-bbr-06 4.1). */
#include "../unit.h"

#include "../../../stack/tcp/recovery/rate.h"

enum { KB = 1000, MILLI_US = 1000, RECORDS = 1000 };

static struct memory memory;
static struct rate *rate;
static uint32_t in_flight, order;
static uint64_t sent_us[100];

static void set_up(void)
{
    memory = (struct memory){0};
    rate = rate_new(&memory);
    in_flight = order = 0;
}

static void tear_down(void)
{
    rate_free(rate);
    ck_assert_uint_eq(memory.used_bytes, 0);
}

/* The next transmission, of 1000 bytes. */
static void send_at(uint64_t ms)
{
    in_flight += KB;
    sent_us[++order] = ms * MILLI_US;
    rate_on_sent(rate, order, in_flight, KB, order, ms * MILLI_US);
}

/* `count` transmissions up to this one arrive. */
static const struct rate_sample *acked_at(uint64_t ms, uint32_t newest, uint32_t count)
{
    in_flight -= count * KB;
    rate_on_ack(rate, &(struct rate_ack){.now_us = ms * MILLI_US,
                                         .delivered_bytes = count * KB,
                                         .has_newest = true,
                                         .order = newest,
                                         .sent_us = sent_us[newest],
                                         .min_rtt_us = 100 * MILLI_US});
    return &rate->sample;
}

START_TEST(rate_is_what_was_delivered_since_the_acknowledgment_before) /* 4.1.1.2.1 */
{
    send_at(1000);
    send_at(1010);
    const struct rate_sample *rs = acked_at(1100, 1, 1);
    ck_assert(rs->has_data);
    ck_assert_uint_eq(rs->delivery_rate, 10 * KB); /* 1000 bytes in 100 ms */
    ck_assert_uint_eq(rs->rtt_us, 100 * MILLI_US);
    ck_assert_uint_eq(rs->tx_in_flight, KB);
    rs = acked_at(1110, 2, 1);
    ck_assert_uint_eq(rs->interval_us, 110 * MILLI_US); /* nothing had been acknowledged before */
    ck_assert_uint_eq(rs->delivered, 2 * KB);
    ck_assert_uint_eq(rs->delivery_rate, 18181);
    ck_assert_uint_eq(rs->tx_in_flight, 2 * KB);
    send_at(1115);
    send_at(1120);
    rs = acked_at(1220, 4, 2); /* the pipe was empty: from 1115 on */
    ck_assert_uint_eq(rs->interval_us, 105 * MILLI_US);
    ck_assert_uint_eq(rs->delivery_rate, 19047);
    ck_assert_uint_eq(rs->prior_delivered, 2 * KB);
}
END_TEST

/* 4.1.1.2.2, 4.1.1.2.3: what was sent in 200 ms cannot have been delivered in less, though its
 * acknowledgments come all at once. */
START_TEST(rate_is_not_higher_than_that_of_sending)
{
    send_at(1000);
    for (unsigned i = 1; i <= 20; i++)
        send_at(1000 + 10 * i);
    acked_at(1190, 1, 1); /* 20 ms after it, the others were sent until 1190 but two */
    send_at(1201);
    const struct rate_sample *rs = acked_at(1301, 22, 21);
    ck_assert_uint_eq(rs->delivered, 21 * KB);
    ck_assert_uint_eq(rs->interval_us, 201 * MILLI_US); /* sent from 1000 to 1201; acked in 111 */
    ck_assert_uint_eq(rs->delivery_rate, 104477);
}
END_TEST

/* The end of 4.1.2.3: an acknowledgment of an earlier transmission comes too soon after the last.
 */
START_TEST(interval_below_the_least_round_trip_gives_no_rate)
{
    send_at(1000);
    const struct rate_sample *rs = acked_at(1099, 1, 1);

    ck_assert(rs->has_data);
    ck_assert_uint_eq(rs->delivery_rate, 0);
    ck_assert_uint_eq(rate->shown, 0);
}
END_TEST

START_TEST(samples_are_application_limited_until_the_bubble_has_left_the_pipe) /* 4.1.1.3 */
{
    send_at(1000);
    rate_app_limited(rate, in_flight);
    send_at(1010);
    send_at(1020);
    ck_assert(!acked_at(1100, 1, 1)->is_app_limited); /* it left before */
    ck_assert(rate->is_app_limited);
    ck_assert(acked_at(1110, 2, 1)->is_app_limited);
    ck_assert(!rate->is_app_limited);
    send_at(1111);
    ck_assert(acked_at(1120, 3, 1)->is_app_limited);
    ck_assert(!acked_at(1211, 4, 1)->is_app_limited);
}
END_TEST

START_TEST(a_slow_application_does_not_make_the_network_look_slow)
{
    send_at(1000);
    send_at(1001);
    acked_at(1101, 2, 2);
    uint64_t shown = rate->shown;
    rate_app_limited(rate, 0);
    send_at(2000);
    ck_assert_uint_eq(acked_at(2100, 3, 1)->delivery_rate, 10 * KB);
    ck_assert_uint_eq(rate->shown, shown);
}
END_TEST

START_TEST(losses_since_a_transmission_are_counted)
{
    rate_on_lost(rate, 7 * KB);
    send_at(1000);
    rate_on_lost(rate, 2 * KB);
    ck_assert_uint_eq(acked_at(1100, 1, 1)->lost, 2 * KB);
}
END_TEST

START_TEST(what_arrives_without_being_known_counts_as_delivered)
{
    rate_on_ack(rate, &(struct rate_ack){.now_us = 5, .delivered_bytes = KB});
    ck_assert_uint_eq(rate->delivered, KB);
    ck_assert(!rate->sample.has_data);
    send_at(1000);
    acked_at(1100, 1, 1);
    rate_on_ack(rate, &(struct rate_ack){.now_us = 2000000, .has_newest = true, .order = 1});
    ck_assert(!rate->sample.has_data); /* a duplicate */
    ck_assert_uint_eq(rate->delivered_us, 1100 * MILLI_US);
}
END_TEST

START_TEST(marks_grow_with_the_list_of_records_and_old_ones_are_forgotten)
{
    for (unsigned i = 0; i < 90; i++)
        send_at(1000 + i);
    for (uint32_t i = 1; i <= 90; i++)
        ck_assert_uint_eq(rate_mark_of(rate, i)->tx_in_flight, i * KB);
    ck_assert_ptr_null(rate_mark_of(rate, 91));
    for (uint32_t i = 0; i < rate->room; i++)
        rate_on_sent(rate, 1000 + i, KB, KB, 1, 2000000);
    ck_assert_ptr_null(rate_mark_of(rate, 1));
    ck_assert(!acked_at(2100, 1, 1)->has_data);
}
END_TEST

START_TEST(memory_is_counted_and_its_limit_kept)
{
    for (unsigned i = 0; i < 90; i++)
        send_at(1000 + i);
    ck_assert_uint_eq(memory.used_bytes, sizeof *rate + rate->room * sizeof *rate->mark);
    memory.max_bytes = memory.used_bytes;
    unsigned room = rate->room;
    rate_on_sent(rate, 91, KB, KB, RECORDS, 2000000);
    ck_assert_uint_eq(rate->room, room);
    memory.max_bytes = 0;
    rate_on_sent(rate, 92, KB, KB, RECORDS, 2000000);
    ck_assert_uint_gt(rate->room, room);
}
END_TEST

START_TEST(an_hour_and_more_is_a_long_time)
{
    const uint64_t two_hours_ms = 7200000;

    send_at(1000);
    send_at(1000 + two_hours_ms);
    const struct rate_sample *rs = acked_at(1100 + two_hours_ms, 2, 2);
    ck_assert_uint_eq(rs->interval_us, UINT32_MAX);
    ck_assert_uint_eq(rs->delivery_rate, 0); /* less than a byte per second */
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, rate_is_what_was_delivered_since_the_acknowledgment_before);
    tcase_add_test(tc, rate_is_not_higher_than_that_of_sending);
    tcase_add_test(tc, interval_below_the_least_round_trip_gives_no_rate);
    tcase_add_test(tc, samples_are_application_limited_until_the_bubble_has_left_the_pipe);
    tcase_add_test(tc, a_slow_application_does_not_make_the_network_look_slow);
    tcase_add_test(tc, losses_since_a_transmission_are_counted);
    tcase_add_test(tc, what_arrives_without_being_known_counts_as_delivered);
    tcase_add_test(tc, marks_grow_with_the_list_of_records_and_old_ones_are_forgotten);
    tcase_add_test(tc, memory_is_counted_and_its_limit_kept);
    tcase_add_test(tc, an_hour_and_more_is_a_long_time);
}

int main(void)
{
    return unit_main("rate", tests);
}
