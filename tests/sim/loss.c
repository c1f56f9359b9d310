/* What loss recovery owes: over links that lose, reorder and duplicate, not much more is sent again
 * than was lost; a lost tail does not wait for the timer; reordering costs next to nothing; and the
 * sums hold for each way of loss detection.
 *
 * Left out here: that every byte arrives over any link (bulk.c), all combinations of bad links
 * (grid.c), and single rules, which have scripts in tests/talk. With VERBOSE in the environment
 * each figure is printed. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "../unit/unit.h"

enum {
    MILLI_US = 1000,
    SECOND_US = 1000000,
    MBIT = 1000000,
    SEGMENT_BYTES = 1448,
};

static struct sim_plan plan_over(uint64_t rate_bits_per_s, uint64_t rtt_us, uint64_t bytes)
{
    struct sim_plan plan = sim_plan_plain(1, bytes);

    for (unsigned end = 0; end < 2; end++)
        plan.link[end] = (struct link_config){
            .rate_bits_per_s = rate_bits_per_s, .delay_us = rtt_us / 2, .queue_bytes = 64 << 20};
    plan.pulls_after_each_packet = true;
    plan.is_traced = true;
    return plan;
}

/* ---- how much is sent again */

static const struct grid_row {
    const char *name;
    double loss, reorder, duplicate;
    uint64_t rtt_us;
    enum tcp_loss_detection way;
} grid[] = {
    {"loss 0.5 %, 20 ms", 0.005, 0, 0, 20 * MILLI_US, TCP_LOSS_DETECTION_RACK},
    {"loss 2 %, 20 ms", 0.02, 0, 0, 20 * MILLI_US, TCP_LOSS_DETECTION_RACK},
    {"loss 5 %, 100 ms", 0.05, 0, 0, 100 * MILLI_US, TCP_LOSS_DETECTION_RACK},
    {"loss 10 %, 20 ms", 0.1, 0, 0, 20 * MILLI_US, TCP_LOSS_DETECTION_RACK},
    {"loss 2 %, 2 ms", 0.02, 0, 0, 2 * MILLI_US, TCP_LOSS_DETECTION_RACK},
    {"loss 2 %, duplicates 5 %, 20 ms", 0.02, 0, 0.05, 20 * MILLI_US, TCP_LOSS_DETECTION_RACK},
    {"loss 2 %, reordering 2 %, 20 ms", 0.02, 0.02, 0, 20 * MILLI_US, TCP_LOSS_DETECTION_RACK},
    {"loss 2 %, 20 ms, RFC 6675", 0.02, 0, 0, 20 * MILLI_US, TCP_LOSS_DETECTION_RFC6675},
    {"loss 1 %, 20 ms, NewReno", 0.01, 0, 0, 20 * MILLI_US, TCP_LOSS_DETECTION_NEWRENO},
};
enum { GRID_COUNT = sizeof grid / sizeof grid[0], GRID_SEEDS = 8, GRID_BYTES = 1500000 };

/* Of packets that were lost on the way from end 0 hardly any is without data. */
START_TEST(little_more_is_sent_again_than_was_lost)
{
    const struct grid_row *row = &grid[_i];
    uint64_t lost_bytes = 0, resent_bytes = 0;

    for (uint64_t seed = 1; seed <= GRID_SEEDS; seed++) {
        struct sim_plan plan = plan_over(20 * MBIT, row->rtt_us, GRID_BYTES);
        plan.seed = seed;
        plan.link[0].loss = row->loss;
        plan.link[0].reorder = row->reorder;
        plan.link[0].reorder_us = row->rtt_us / 8;
        plan.link[0].duplicate = row->duplicate;
        plan.tcp[0].loss_detection = row->way;
        struct sim *sim = sim_new(&plan);
        ck_assert_msg(sim_run(sim), "%s, seed %llu: %s", row->name, (unsigned long long)seed,
                      sim->failure);
        lost_bytes += link_counters(sim->link[0])->lost * SEGMENT_BYTES;
        resent_bytes += sim->seen[0].resent_bytes;
        sim_free(sim);
    }
    if (getenv("VERBOSE") != NULL)
        printf("%-40s lost %8llu, sent again %8llu bytes: %.3f\n", row->name,
               (unsigned long long)lost_bytes, (unsigned long long)resent_bytes,
               (double)resent_bytes / (double)lost_bytes);
    ck_assert_uint_gt(lost_bytes, 20 * SEGMENT_BYTES);
    ck_assert_uint_le(resent_bytes * 10, lost_bytes * 12);
}
END_TEST

/* Time-outs in a row let the path look as if it took small packets only, and later large ones
 * again: a window of small segments must not be too small for one large one. */
START_TEST(a_fifth_lost_each_way_is_survived)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim_plan plan = plan_over(0, 40 * MILLI_US, 1000000);
        plan.seed = seed;
        plan.link[0].loss = plan.link[1].loss = 0.2;
        plan.tcp[0].loss_detection = (enum tcp_loss_detection)_i;
        ck_assert(sim_run_plan(&plan, "build/fast/tests/sim/loss"));
    }
}
END_TEST

/* ---- tails */

static const uint64_t tail_rtts_us[] = {50, 5 * MILLI_US, 20 * MILLI_US, 100 * MILLI_US};
enum { TAIL_RTTS = 4, TAIL_MAX = 3, TAIL_SEEDS = 40, TAIL_SEGMENTS = 30 };

/* When the last acknowledgment before the silence came. */
static void note_last_ack(struct sim *sim, unsigned at, const struct link_packet *packet)
{
    (void)packet;
    if (at == 0 && sim->seen[0].retransmits == 0)
        *(uint64_t *)sim->context = sim->now_us;
}

/* From the last acknowledgment before the silence: the probe timeout of two round trips (10 ms at
 * least), the probe's round trip, and that of what it shows to be lost. Nothing is configured: the
 * receiver delays its acknowledgments. */
START_TEST(lost_tail_is_repaired_without_the_timer) /* RFC 8985 7 */
{
    uint64_t delay_us = tail_rtts_us[_i / TAIL_MAX], jitter_us = delay_us / 40;
    uint64_t rtt_us = delay_us + 2 * jitter_us; /* at its longest */
    uint32_t count = (uint32_t)_i % TAIL_MAX + 1;
    uint64_t probe_us = 2 * rtt_us > 10 * MILLI_US ? 2 * rtt_us : 10 * MILLI_US;
    unsigned good = 0, timeouts = 0;
    uint64_t sum_us = 0, most_us = 0, ack_us = 0;

    for (uint64_t seed = 1; seed <= TAIL_SEEDS; seed++) {
        struct sim_plan plan = plan_over(0, delay_us, TAIL_SEGMENTS * SEGMENT_BYTES);
        plan.seed = seed;
        plan.link[0].jitter_us = plan.link[1].jitter_us = jitter_us;
        for (uint32_t i = 1; i <= count; i++)
            plan.link[0].drop_data_mask |= (uint64_t)1 << (TAIL_SEGMENTS - i);
        plan.app[0].shutdown_when = SIM_SHUTDOWN_AFTER_THE_PEER; /* no FIN behind the tail ... */
        plan.app[1].send_bytes = 2;                              /* ... for 5 s */
        plan.app[1].write_max_bytes = 1;
        plan.app[1].write_pause_us = 5 * SECOND_US;
        struct sim *sim = sim_new(&plan);
        sim->on_arrived = note_last_ack;
        sim->context = &ack_us;
        ck_assert_msg(sim_run(sim), "%s", sim->failure);
        uint64_t took_us = sim->app[1].done_us - ack_us;
        good += took_us <= 2 * rtt_us + probe_us && sim->seen[0].timeouts == 0;
        timeouts += sim->seen[0].timeouts;
        sum_us += took_us;
        most_us = took_us > most_us ? took_us : most_us;
        sim_free(sim);
    }
    printf(
        "tail of %u, %6.2f ms: repaired after %7.2f ms on average, %7.2f at most; %u time-outs\n",
        (unsigned)count, (double)delay_us / MILLI_US, (double)sum_us / TAIL_SEEDS / MILLI_US,
        (double)most_us / MILLI_US, timeouts);
    ck_assert_uint_ge(good * 100, TAIL_SEEDS * 95);
}
END_TEST

/* ---- reordering */

static const struct reordered_path {
    uint64_t rate_mbit_per_s, rtt_us, held_us;
} reordered_paths[] = {
    {20, 20 * MILLI_US, 15 * MILLI_US},
    {100, 20 * MILLI_US, 12 * MILLI_US},
    {20, 100 * MILLI_US, 60 * MILLI_US},
    {100, MILLI_US, 900},
    {1000, 500, 400},
};
enum { REORDERED_PATHS = sizeof reordered_paths / sizeof reordered_paths[0], REORDER_SEEDS = 5 };

/* Payload bits per microsecond, after the first 20 round trips. */
static double rate_of(const struct reordered_path *path, double reorder, uint64_t seed)
{
    enum { FIRST_ROUNDS = 20, ROUNDS = 60 };
    struct sim_plan plan = plan_over(path->rate_mbit_per_s * MBIT, path->rtt_us, UINT32_MAX);

    plan.seed = seed;
    plan.link[0].reorder = reorder;
    plan.link[0].reorder_us = path->held_us; /* within a round trip */
    struct sim *sim = sim_new(&plan);
    while (sim->now_us < plan.start_us + FIRST_ROUNDS * path->rtt_us && sim_step(sim))
        continue;
    uint64_t begin_us = sim->now_us, begin_bytes = sim->app[1].received_bytes;
    while (sim->now_us < plan.start_us + ROUNDS * path->rtt_us && sim_step(sim))
        continue;
    ck_assert_msg(sim->failure[0] == '\0', "%s", sim->failure);
    double rate =
        (double)((sim->app[1].received_bytes - begin_bytes) * 8) / (double)(sim->now_us - begin_us);
    if (getenv("VERBOSE") != NULL)
        printf("reordering %.2f: %.2f Mbit/s, sent again %u, time-outs %u, recoveries %u, undone "
               "%u\n",
               reorder, rate, sim->seen[0].retransmits, sim->seen[0].timeouts,
               sim->seen[0].recoveries, sim->seen[0].undone);
    sim_free(sim);
    return rate;
}

START_TEST(reordering_costs_next_to_nothing) /* RFC 8985 6.2 steps 3, 4 */
{
    const struct reordered_path *path = &reordered_paths[_i];
    double in_order = 0, reordered = 0;

    for (uint64_t seed = 1; seed <= REORDER_SEEDS; seed++) {
        in_order += rate_of(path, 0, seed) / REORDER_SEEDS;
        reordered += rate_of(path, 0.3, seed) / REORDER_SEEDS;
    }
    printf("30 %% held back %.2f of %.2f ms: %7.2f of %7.2f Mbit/s\n",
           (double)path->held_us / MILLI_US, (double)path->rtt_us / MILLI_US, reordered, in_order);
    ck_assert_double_ge(reordered, 0.95 * in_order);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, little_more_is_sent_again_than_was_lost, 0, GRID_COUNT);
    tcase_add_loop_test(tc, a_fifth_lost_each_way_is_survived, 0, TCP_LOSS_DETECTION_COUNT);
    tcase_add_loop_test(tc, lost_tail_is_repaired_without_the_timer, 0, TAIL_RTTS * TAIL_MAX);
    tcase_add_loop_test(tc, reordering_costs_next_to_nothing, 0, REORDERED_PATHS);
}

int main(void)
{
    return unit_main("loss", tests);
}
