/* Long fat paths: nothing is configured, and a clean link is filled whatever its round trip. The
 * windows of both ends grow to the product of rate and round trip (37.5 MB for 1 Gbit/s over 300
 * ms), slow start ends before or by a loss, and 20 round trips later the link is in use to 95 %.
 *
 * Packets are super-segments, which the link carries as they are, so that a gigabyte costs seconds.
 * Counted is what comes through the link, with headers. */
#include "sim.h"

#include <stdio.h>

#include "../unit/unit.h"

enum { MBIT = 1000000, MILLI_US = 1000, PER_MILLE = 1000 };

static const struct path {
    const char *name;
    uint64_t rate_mbit_per_s, rtt_ms;
    unsigned queue_percent; /* of the product of rate and round trip */
    enum tcp_congestion congestion;
} paths[] = {
    {"1 Gbit/s, 1 ms", 1000, 1, 100, TCP_CONGESTION_CUBIC},
    {"1 Gbit/s, 10 ms", 1000, 10, 100, TCP_CONGESTION_CUBIC},
    {"1 Gbit/s, 20 ms", 1000, 20, 100, TCP_CONGESTION_CUBIC},
    {"1 Gbit/s, 30 ms", 1000, 30, 100, TCP_CONGESTION_CUBIC},
    {"100 Mbit/s, 100 ms", 100, 100, 100, TCP_CONGESTION_CUBIC},
    {"100 Mbit/s, 300 ms", 100, 300, 100, TCP_CONGESTION_CUBIC},
    {"100 Mbit/s, 300 ms, half the queue", 100, 300, 50, TCP_CONGESTION_CUBIC},
    {"100 Mbit/s, 100 ms, Reno", 100, 100, 100, TCP_CONGESTION_RENO},
    {"1 Gbit/s, 100 ms", 1000, 100, 100, TCP_CONGESTION_CUBIC},
    {"1 Gbit/s, 300 ms", 1000, 300, 100, TCP_CONGESTION_CUBIC},
};
enum { PATH_COUNT = sizeof paths / sizeof paths[0], PATHS_THAT_COST_LITTLE = 8 };

static struct sim *new_sim(const struct path *path)
{
    uint64_t rate = path->rate_mbit_per_s * MBIT;
    uint64_t bdp_bytes = rate / 8 * path->rtt_ms / 1000;
    struct sim_plan plan = sim_plan_plain(1, UINT32_MAX);

    for (unsigned end = 0; end < 2; end++) {
        plan.link[end] =
            (struct link_config){.rate_bits_per_s = rate, .delay_us = path->rtt_ms * MILLI_US / 2};
        plan.gso_max_bytes[end] = STACK_GSO_MAX_BYTES / 4;
        plan.app[end].uses_the_ring = true;
        plan.app[end].write_max_bytes = plan.app[end].read_max_bytes = 1 << 20;
    }
    plan.link[0].queue_bytes = bdp_bytes * path->queue_percent / 100;
    plan.tcp[0].congestion = path->congestion;
    plan.is_traced = true;
    return sim_new(&plan);
}

/* What has come through the link. The application gets it later: while a loss is repaired, a round
 * trip's worth waits behind the hole. */
static void count_arrived(struct sim *sim, unsigned at, const struct link_packet *packet)
{
    if (at == 1)
        *(uint64_t *)sim->context += packet->bytes.len;
}

static void run_until(struct sim *sim, uint64_t until_us)
{
    while (sim->now_us < until_us)
        ck_assert_msg(sim_step(sim), "%s", sim->failure);
}

static struct tcp_status sender(const struct sim *sim)
{
    struct tcp_status status;

    tcp_status(sim->app[0].tcb, &status);
    return status;
}

START_TEST(clean_link_is_filled_whatever_its_round_trip)
{
    const struct path *path = &paths[_i];
    const uint64_t rtt_us = path->rtt_ms * MILLI_US;
    struct sim *sim = new_sim(path);
    uint64_t arrived_bytes = 0;

    sim->on_arrived = count_arrived;
    sim->context = &arrived_bytes;
    while (sender(sim).ssthresh_bytes == UINT32_MAX || sender(sim).cwnd_bytes == 0) {
        run_until(sim, sim->now_us + rtt_us);
        ck_assert_uint_lt(sim->now_us - sim->plan.start_us, 40 * rtt_us); /* slow start ends */
    }
    uint64_t slow_start_us = sim->now_us - sim->plan.start_us;
    run_until(sim, sim->now_us + 20 * rtt_us);
    uint64_t begin_bytes = arrived_bytes, begin_us = sim->now_us;
    run_until(sim, sim->now_us + 10 * rtt_us);
    uint64_t bits = (arrived_bytes - begin_bytes) * 8;
    uint64_t mille =
        bits * PER_MILLE / (path->rate_mbit_per_s * (sim->now_us - begin_us)); /* Mbit/s: bits/us */
    printf("%-36s %5.1f %% of the link; slow start %.1f round trips; cwnd %u, time-outs %u, "
           "recoveries %u, sent again %u, steps %llu\n",
           path->name, (double)mille / 10, (double)slow_start_us / (double)rtt_us,
           sender(sim).cwnd_bytes, sim->seen[0].timeouts, sim->seen[0].recoveries,
           sim->seen[0].retransmits, (unsigned long long)sim->step_count);
    sim_free(sim);
    ck_assert_uint_ge(mille, 950);
}
END_TEST

static void tests(TCase *tc)
{
    /* The last two move a gigabyte: not under sanitizers. */
    int count = sim_seeds(PER_MILLE).count < PER_MILLE ? PATHS_THAT_COST_LITTLE : PATH_COUNT;

    tcase_add_loop_test(tc, clean_link_is_filled_whatever_its_round_trip, 0, count);
}

int main(void)
{
    return unit_main("long fat", tests);
}
