/* How well a connection uses its path, in virtual time, so that the figures are exact: the rate it
 * reaches on links without and with a little loss, that nothing is sent twice without need, and
 * that a loss is repaired by acknowledgments rather than by waiting for the timer.
 *
 * Rates are those of the payload, measured at the reader. With VERBOSE in the environment each is
 * printed. */
#include "sim.h"

#include <stdio.h>

#include "../unit/unit.h"

enum {
    MBIT = 1000000,
    MILLI_US = 1000,
    SECOND_US = 1000000,
    SLOW_START_BYTES = 1000000,
    LARGE_QUEUE_BYTES = 64 << 20,
    BULK_BYTES = 5000000,
};

struct result {
    double mbit_per_s; /* over everything that follows SLOW_START_BYTES */
    double total_s;    /* until the last byte was read */
    struct sim_seen sender, receiver;
    uint64_t queue_full; /* packets that the link had no room for */
    uint64_t packets[2];
};

static struct sim_plan plan_over(uint64_t rate_bits_per_s, uint64_t rtt_us, uint64_t bytes)
{
    struct sim_plan plan = sim_plan_plain(1, bytes);

    for (unsigned end = 0; end < 2; end++)
        plan.link[end] =
            (struct link_config){.rate_bits_per_s = rate_bits_per_s, .delay_us = rtt_us / 2};
    plan.is_traced = true;
    return plan;
}

/* Run it from end 0 to end 1. */
static struct result transfer(const struct sim_plan *plan, const char *what)
{
    struct sim *sim = sim_new(plan);
    uint64_t begin_us = 0, begin_bytes = 0;
    struct result result = {0};

    while ((!sim->app[0].has_closed || !sim->app[1].has_closed) && sim_step(sim))
        if (begin_us == 0 && sim->app[1].received_bytes >= SLOW_START_BYTES) {
            begin_us = sim->now_us;
            begin_bytes = sim->app[1].received_bytes;
        }
    ck_assert_msg(sim_run(sim), "%s: %s", what, sim->failure);
    uint64_t end_us = sim->app[1].done_us;
    result.total_s = (double)(end_us - plan->start_us) / SECOND_US;
    if (end_us > begin_us)
        result.mbit_per_s =
            (double)(plan->app[0].send_bytes - begin_bytes) * 8 / (double)(end_us - begin_us);
    result.sender = sim->seen[0];
    result.receiver = sim->seen[1];
    result.queue_full = link_counters(sim->link[0])->queue_full;
    result.packets[0] = link_counters(sim->link[0])->sent;
    result.packets[1] = link_counters(sim->link[1])->sent;
    sim_free(sim);
    if (getenv("VERBOSE") != NULL)
        printf("%-55s %8.2f Mbit/s %8.3f s, sent again %u, time-outs %u, recoveries %u, queue full "
               "%llu, packets %llu/%llu\n",
               what, result.mbit_per_s, result.total_s, result.sender.retransmits,
               result.sender.timeouts, result.sender.recoveries,
               (unsigned long long)result.queue_full, (unsigned long long)result.packets[0],
               (unsigned long long)result.packets[1]);
    return result;
}

/* ---- no loss */

static const struct path {
    const char *name;
    uint64_t rate_bits_per_s, rtt_us, bytes;
    double least_mbit_per_s;
} paths[] = {
    {"10 Mbit/s, 50 ms", 10 * MBIT, 50 * MILLI_US, BULK_BYTES, 9.3},
    {"10 Mbit/s, 200 ms", 10 * MBIT, 200 * MILLI_US, BULK_BYTES, 9.0},
    {"100 Mbit/s, 20 ms", 100 * MBIT, 20 * MILLI_US, 10 * BULK_BYTES, 93},
    {"100 Mbit/s, 100 ms", 100 * MBIT, 100 * MILLI_US, 20 * BULK_BYTES, 77},
    {"1 Gbit/s, 1 ms", 1000 * (uint64_t)MBIT, 1 * MILLI_US, 20 * BULK_BYTES, 930},
    {"64 kbit/s, 600 ms", 64000, 600 * MILLI_US, BULK_BYTES / 4, 0.059},
};
enum { PATH_COUNT = sizeof paths / sizeof paths[0] };

START_TEST(a_link_without_loss_is_filled_and_nothing_is_sent_twice)
{
    const struct path *path = &paths[_i];
    struct sim_plan plan = plan_over(path->rate_bits_per_s, path->rtt_us, path->bytes);

    plan.link[0].queue_bytes = LARGE_QUEUE_BYTES;
    struct result result = transfer(&plan, path->name);
    ck_assert_uint_eq(result.sender.retransmits, 0);
    ck_assert_uint_eq(result.sender.timeouts, 0);
    ck_assert_double_ge(result.mbit_per_s, path->least_mbit_per_s);
}
END_TEST

START_TEST(jitter_that_keeps_the_order_makes_nobody_send_twice)
{
    struct sim_plan plan = plan_over(10 * MBIT, 50 * MILLI_US, BULK_BYTES);

    plan.link[0].queue_bytes = LARGE_QUEUE_BYTES;
    plan.link[0].jitter_us = plan.link[1].jitter_us = 20 * MILLI_US;
    struct result result = transfer(&plan, "10 Mbit/s, 50 ms, jitter 20 ms");
    ck_assert_uint_eq(result.sender.retransmits, 0);
    ck_assert_double_ge(result.mbit_per_s, 9.0);
}
END_TEST

START_TEST(both_directions_are_filled_at_once)
{
    struct sim_plan plan = plan_over(10 * MBIT, 50 * MILLI_US, BULK_BYTES);

    plan.link[0].queue_bytes = plan.link[1].queue_bytes = LARGE_QUEUE_BYTES;
    plan.app[1].send_bytes = BULK_BYTES;
    for (unsigned end = 0; end < 2; end++) /* twice the product of rate and round trip */
        plan.tcp[end].receive_buffer_max_bytes = plan.tcp[end].receive_buffer_bytes;
    struct result result = transfer(&plan, "10 Mbit/s, 50 ms, both ways");
    ck_assert_double_ge(result.mbit_per_s, 8.5);
    ck_assert_uint_eq(result.sender.retransmits + result.receiver.retransmits, 0);
}
END_TEST

START_TEST(a_stream_is_acknowledged_every_second_segment) /* SHLD-19 */
{
    struct sim_plan plan = plan_over(10 * MBIT, 50 * MILLI_US, BULK_BYTES);

    plan.link[0].queue_bytes = LARGE_QUEUE_BYTES;
    struct result result = transfer(&plan, "acknowledgments");
    ck_assert_uint_le(result.packets[1], result.packets[0] / 2 + 200);
    ck_assert_uint_ge(result.packets[1], result.packets[0] / 2 - 200);
}
END_TEST

/* ---- a queue that overflows, and loss */

/* The window does not grow beyond the 128 KiB that it has at first. */
static void bound_receive_window(struct sim_plan *plan)
{
    plan->tcp[1].receive_buffer_max_bytes = plan->tcp[1].receive_buffer_bytes;
}

START_TEST(an_overflowing_queue_costs_little_and_no_time_out)
{
    struct sim_plan plan = plan_over(10 * MBIT, 50 * MILLI_US, BULK_BYTES);

    plan.link[0].queue_bytes = 64000; /* about the product of rate and round trip */
    bound_receive_window(&plan);
    struct result result = transfer(&plan, "10 Mbit/s, 50 ms, queue 64 kB");
    ck_assert_uint_gt(result.queue_full, 0); /* or it shows nothing */
    ck_assert_uint_eq(result.sender.timeouts, 0);
    ck_assert_uint_le(result.sender.retransmits, result.queue_full);
    ck_assert_double_ge(result.mbit_per_s, 8.5);
}
END_TEST

/* A window that fills the link overflows a short queue when it leaves in bursts. */
START_TEST(pacing_fills_a_link_with_a_short_queue)
{
    struct sim_plan plan = plan_over(20 * MBIT, 50 * MILLI_US, BULK_BYTES);

    plan.link[0].queue_bytes = 40000; /* a third of the product of rate and round trip */
    bound_receive_window(&plan);
    plan.tcp[0].pacing = TCP_PACING_OFF;
    struct result bursts = transfer(&plan, "20 Mbit/s, 50 ms, queue 40 kB, not paced");
    plan.tcp[0].pacing = TCP_PACING_AUTO;
    struct result paced = transfer(&plan, "20 Mbit/s, 50 ms, queue 40 kB, paced");
    ck_assert_uint_gt(paced.sender.paces, 0);
    ck_assert_uint_gt(bursts.queue_full, 0);
    ck_assert_uint_eq(paced.queue_full, 0);
    ck_assert_double_ge(paced.mbit_per_s, 19);
}
END_TEST

/* At 50 to 500 us of round trip a pace of milliseconds would be a brake. */
START_TEST(short_path_is_filled_and_never_paced)
{
    struct sim_plan plan = plan_over(1000 * (uint64_t)MBIT, 50ull << _i, 4 * BULK_BYTES);

    plan.link[0].queue_bytes = LARGE_QUEUE_BYTES;
    struct result result = transfer(&plan, "1 Gbit/s, 50 to 400 us");
    ck_assert_uint_eq(result.sender.paces, 0);
    ck_assert_double_ge(result.mbit_per_s, 940);
}
END_TEST

START_TEST(without_sack_an_overflowing_queue_is_survived_by_new_reno) /* RFC 6582 */
{
    struct sim_plan plan = plan_over(10 * MBIT, 50 * MILLI_US, 4 * BULK_BYTES);

    plan.link[0].queue_bytes = 64000;
    plan.tcp[0].sack = false;
    struct result result = transfer(&plan, "10 Mbit/s, 50 ms, queue 64 kB, no SACK");
    ck_assert_uint_gt(result.queue_full, 0);
    ck_assert_double_ge(result.mbit_per_s, 6);
}
END_TEST

/* With the window of Reno at loss p about 1.22 / sqrt(p) segments (Mathis et al., 1997), 1 % lets
 * 12 segments of 1448 bytes through each 20 ms: 7 Mbit/s. CUBIC is in its Reno-friendly region
 * here. */
START_TEST(one_percent_of_loss_is_repaired_without_waiting)
{
    struct sim_plan plan = plan_over(10 * MBIT, 20 * MILLI_US, BULK_BYTES);
    unsigned timeouts = 0;
    double sum = 0;

    plan.link[0].loss = 0.01;
    for (plan.seed = 1; plan.seed <= 20; plan.seed++) {
        struct result result = transfer(&plan, "10 Mbit/s, 20 ms, loss 1 %");
        timeouts += result.sender.timeouts;
        sum += result.mbit_per_s;
    }
    ck_assert_uint_le(timeouts,
                      40); /* of 700 losses: retransmissions that were lost again, tails */
    ck_assert_double_ge(sum / 20, 5);
}
END_TEST

/* A single lost segment in a full window costs one round trip and no time-out, with SACK and
 * without; of the bytes only the lost ones are sent again. */
START_TEST(a_single_loss_is_repaired_in_one_round_trip)
{
    struct sim_plan plan = plan_over(0, 50 * MILLI_US, 200000);

    plan.tcp[0].sack = _i == 0;
    plan.pulls_after_each_packet = true; /* or all duplicate ACKs of a burst would be one */
    double without_s = transfer(&plan, "200 kB, no loss").total_s;
    plan.link[0].drop_data_mask = (uint64_t)1 << 40;
    struct result result = transfer(&plan, "200 kB, the 41st segment lost");
    ck_assert_uint_eq(result.sender.timeouts, 0);
    ck_assert_uint_eq(result.sender.retransmits, 1);
    ck_assert_double_le(result.total_s, without_s + 0.11);
}
END_TEST

/* RTTVAR decays to nothing; the timer must not fire just before each acknowledgment. */
START_TEST(an_even_round_trip_above_the_least_rto_causes_no_time_out) /* RFC 6298 (2.3): G */
{
    struct sim_plan plan = plan_over(0, 300 * MILLI_US, 100);

    plan.app[0].write_max_bytes = 1;
    plan.app[0].write_pause_us = 310 * MILLI_US;
    plan.tcp[1].delayed_ack_us = 0;
    struct result result = transfer(&plan, "one byte each 310 ms, 300 ms");
    ck_assert_uint_eq(result.sender.timeouts, 0);
}
END_TEST

/* The timer began with the last acknowledgment; the retransmission is given a round trip of its
 * own. */
START_TEST(the_timer_starts_again_with_a_fast_retransmission) /* RFC 6675 6 */
{
    struct sim_plan plan = plan_over(0, 150 * MILLI_US, 300);

    plan.app[0].write_max_bytes = 1;
    plan.app[0].write_pause_us = 30 * MILLI_US;
    plan.tcp[0].nagle = false;
    plan.tcp[0].sack = _i == 0;
    plan.tcp[1].delayed_ack_us = 0;
    plan.link[0].drop_data_mask = (uint64_t)1 << 50;
    struct result result = transfer(&plan, "a byte each 30 ms, the 51st lost");
    ck_assert_uint_eq(result.sender.timeouts, 0);
    ck_assert_uint_eq(result.sender.retransmits, 1);
}
END_TEST

START_TEST(small_segments_that_were_lost_are_sent_again_as_one) /* 9293 3.8.6 */
{
    struct sim_plan plan = plan_over(0, 50 * MILLI_US, 30);

    plan.app[0].write_max_bytes = 1;
    plan.app[0].write_pause_us = MILLI_US;
    plan.tcp[0].nagle = false;
    plan.tcp[0].tlp = false;                               /* or its probe would be another one */
    plan.link[0].drop_data_mask = (1u << 30) - (1u << 10); /* all but the first ten */
    struct result result = transfer(&plan, "20 segments of a byte lost");
    ck_assert_uint_eq(result.sender.retransmits, 1);
}
END_TEST

/* ---- small writes */

/* A request of two writes: Nagle holds the second back until the first is acknowledged, and the
 * other end delays that; never longer than the delayed acknowledgment. */
START_TEST(small_writes_wait_no_longer_than_the_delayed_acknowledgment)
{
    struct sim_plan plan = plan_over(0, 10 * MILLI_US, 100);

    plan.app[0].write_max_bytes = 1;
    plan.app[0].write_pause_us = 1;
    struct result result = transfer(&plan, "100 bytes, one at a time");
    ck_assert_double_le(result.total_s, 0.015 + 0.001 + 0.040 + 0.010);
}
END_TEST

START_TEST(without_nagle_small_writes_do_not_wait) /* 9293 3.7.4, MUST-17 */
{
    struct sim_plan plan = plan_over(0, 10 * MILLI_US, 100);

    plan.app[0].write_max_bytes = 1;
    plan.app[0].write_pause_us = 1;
    plan.tcp[0].nagle = false;
    struct result result = transfer(&plan, "100 bytes, one at a time, no Nagle");
    ck_assert_double_le(result.total_s, 0.0152);
}
END_TEST

/* ---- a reader slower than the link */

START_TEST(a_slow_reader_holds_the_sender_up_without_probes_or_small_segments)
{
    struct sim_plan plan = plan_over(100 * MBIT, 20 * MILLI_US, 3000000);

    plan.link[0].queue_bytes = LARGE_QUEUE_BYTES;
    plan.app[1].read_pause_us = 1000; /* 8 MB/s at most, read in chunks of 8 KB on average */
    struct result result = transfer(&plan, "a slow reader");
    ck_assert_uint_eq(result.sender.probes, 0);
    ck_assert_uint_eq(result.sender.retransmits, 0);
    ck_assert_uint_le(result.packets[0], 3000000 / 1448 + 100);
    ck_assert_double_ge(result.mbit_per_s, 55);
}
END_TEST

/* Without a window update the sender would find out by a probe, whose interval has doubled to
 * seconds by then. */
START_TEST(a_closed_window_is_reported_open_when_the_application_reads) /* 9293 3.8.6.2.2 */
{
    struct sim_plan plan = plan_over(10 * MBIT, 20 * MILLI_US, 500000);

    plan.app[1].stop_at_bytes = 200000;
    plan.app[1].stop_us = 5 * SECOND_US;
    struct result result = transfer(&plan, "a reader that stops for 5 s");
    ck_assert_uint_ge(result.sender.probes, 3);
    ck_assert_double_le(result.total_s, 5 + 500000 * 8 / 10e6 + 0.3);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, a_link_without_loss_is_filled_and_nothing_is_sent_twice, 0, PATH_COUNT);
    tcase_add_test(tc, jitter_that_keeps_the_order_makes_nobody_send_twice);
    tcase_add_test(tc, both_directions_are_filled_at_once);
    tcase_add_test(tc, a_stream_is_acknowledged_every_second_segment);
    tcase_add_test(tc, an_overflowing_queue_costs_little_and_no_time_out);
    tcase_add_test(tc, pacing_fills_a_link_with_a_short_queue);
    tcase_add_loop_test(tc, short_path_is_filled_and_never_paced, 0, 4);
    tcase_add_test(tc, without_sack_an_overflowing_queue_is_survived_by_new_reno);
    tcase_add_test(tc, one_percent_of_loss_is_repaired_without_waiting);
    tcase_add_loop_test(tc, a_single_loss_is_repaired_in_one_round_trip, 0, 2);
    tcase_add_test(tc, an_even_round_trip_above_the_least_rto_causes_no_time_out);
    tcase_add_loop_test(tc, the_timer_starts_again_with_a_fast_retransmission, 0, 2);
    tcase_add_test(tc, small_segments_that_were_lost_are_sent_again_as_one);
    tcase_add_test(tc, small_writes_wait_no_longer_than_the_delayed_acknowledgment);
    tcase_add_test(tc, without_nagle_small_writes_do_not_wait);
    tcase_add_test(tc, a_slow_reader_holds_the_sender_up_without_probes_or_small_segments);
    tcase_add_test(tc, a_closed_window_is_reported_open_when_the_application_reads);
}

int main(void)
{
    return unit_main("clean", tests);
}
