/* BBR over simulated paths, in virtual time: it fills the link whatever the round trip, leaves a
 * queue that is far larger than the path needs mostly empty, and goes on where loss by chance stops
 * an algorithm that takes each for congestion. How it shares a link is in fairness.c.
 *
 * VERBOSE in the environment prints each figure. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "../unit/unit.h"

enum {
    KBIT = 1000,
    MILLI_US = 1000,
    PER_MILLE = 1000,
    SECOND_US = 1000000,
    PACKET_BYTES = 1500,
    PAYLOAD_BYTES = 1448,
    GSO_BYTES = 16384
};

struct measured {
    uint64_t mille; /* of the link */
    uint64_t srtt_us, srtt_max_us;
    struct sim_seen seen;
};

static struct sim *new_sim(enum tcp_congestion congestion, uint64_t rate_kbit_per_s,
                           uint64_t rtt_us, uint64_t queue_bytes, uint32_t loss_ppm,
                           uint32_t gso_max_bytes)
{
    struct sim_plan plan = sim_plan_plain(1, UINT64_MAX / 2);

    for (unsigned end = 0; end < 2; end++) {
        plan.link[end] =
            (struct link_config){.rate_bits_per_s = rate_kbit_per_s * KBIT, .delay_us = rtt_us / 2};
        plan.gso_max_bytes[end] = gso_max_bytes;
        plan.app[end].uses_the_ring = true;
        plan.app[end].write_max_bytes = plan.app[end].read_max_bytes = 1 << 20;
    }
    plan.app[1].send_bytes = 0;
    plan.link[0].queue_bytes = queue_bytes;
    plan.link[0].loss = (double)loss_ppm / 1e6;
    plan.tcp[0].congestion = congestion;
    plan.is_traced = true;
    return sim_new(&plan);
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

/* What the link carries from `from_us` after the start for `for_us`; its round trips. */
static struct measured measure(struct sim *sim, uint64_t rate_kbit_per_s, uint64_t from_us,
                               uint64_t for_us)
{
    enum { LOOKS = 100 };
    struct measured measured = {0};
    uint64_t sum_us = 0;

    run_until(sim, sim->plan.start_us + from_us);
    uint64_t begin_bytes = sim->app[1].received_bytes, begin_us = sim->now_us;
    for (unsigned i = 1; i <= LOOKS; i++) {
        run_until(sim, begin_us + for_us * i / LOOKS);
        uint64_t srtt_us = sender(sim).srtt_us;
        sum_us += srtt_us;
        if (srtt_us > measured.srtt_max_us)
            measured.srtt_max_us = srtt_us;
    }
    uint64_t bits = (sim->app[1].received_bytes - begin_bytes) * 8;
    uint64_t possible = rate_kbit_per_s * (sim->now_us - begin_us) / 1000;
    if (sim->plan.gso_max_bytes[0] == 0) /* the rest is headers */
        possible = possible * PAYLOAD_BYTES / PACKET_BYTES;
    measured.mille = bits * PER_MILLE / possible;
    measured.srtt_us = sum_us / LOOKS;
    measured.seen = sim->seen[0];
    return measured;
}

static void print(const char *name, uint64_t rate_kbit_per_s, uint64_t rtt_us,
                  const struct measured *m)
{
    if (getenv("VERBOSE") == NULL)
        return;
    printf("%-5s %7.1f Mbit/s %6.1f ms: %5.1f %% of the link; round trip %.1f ms, at most %.1f ms; "
           "time-outs %u, recoveries %u, sent again %u\n",
           name, (double)rate_kbit_per_s / 1000, (double)rtt_us / 1000, (double)m->mille / 10,
           (double)m->srtt_us / 1000, (double)m->srtt_max_us / 1000, m->seen.timeouts,
           m->seen.recoveries, m->seen.retransmits);
}

static uint64_t bdp_bytes(uint64_t rate_kbit_per_s, uint64_t rtt_us)
{
    return rate_kbit_per_s * rtt_us / 8000;
}

static const struct path {
    uint64_t rate_kbit_per_s, rtt_us;
    unsigned queue_bdps, seconds;
    uint32_t gso_max_bytes;
} paths[] = {
    {10000, 1 * MILLI_US, 1, 12, 0},
    {10000, 20 * MILLI_US, 1, 12, 0},
    {10000, 100 * MILLI_US, 1, 20, 0},
    {10000, 300 * MILLI_US, 1, 40, 0},
    {100000, 1 * MILLI_US, 1, 6, 0},
    {100000, 20 * MILLI_US, 1, 8, 0},
    {100000, 100 * MILLI_US, 1, 20, GSO_BYTES},
    {100000, 300 * MILLI_US, 1, 40, GSO_BYTES},
    /* Twenty times the queue that the path needs. */
    {10000, 20 * MILLI_US, 20, 12, 0},
    {100000, 20 * MILLI_US, 20, 12, GSO_BYTES},
    {10000, 100 * MILLI_US, 20, 20, 0},
    /* Round trips far below the quantum of a millisecond: the pace must not be the limit. */
    {1000000, 200, 20, 2, GSO_BYTES},
    {10000000, 100, 20, 1, GSO_BYTES},
};
enum { PATH_COUNT = sizeof paths / sizeof paths[0] };

/* 90 per cent of the link while all of the machine works, ProbeRTT included. The queue holds what
 * a probe adds; where there are four segments and three quanta at least in flight, on short paths,
 * that is the limit (5.6.4.2). */
START_TEST(link_is_filled_and_its_queue_is_not)
{
    const struct path *path = &paths[_i];
    uint64_t queue = bdp_bytes(path->rate_kbit_per_s, path->rtt_us) * path->queue_bdps;
    if (queue < 10 * PACKET_BYTES)
        queue = 10 * PACKET_BYTES;
    struct sim *sim = new_sim(TCP_CONGESTION_BBR, path->rate_kbit_per_s, path->rtt_us, queue, 0,
                              path->gso_max_bytes);

    struct measured m = measure(sim, path->rate_kbit_per_s, path->seconds * (SECOND_US / 4ull),
                                path->seconds * (SECOND_US / 1ull));
    print("bbr", path->rate_kbit_per_s, path->rtt_us, &m);
    sim_free(sim);
    ck_assert_uint_ge(m.mille, 900);
    if (path->rtt_us < 20 * MILLI_US)
        return;
    ck_assert_uint_le(m.srtt_us, path->rtt_us * 3 / 2);
    ck_assert_uint_le(m.srtt_max_us, path->rtt_us * 5 / 2);
}
END_TEST

/* Up to 2 per cent the model ignores; above it gives way, and still sends several times as much. */
static const struct lossy {
    uint64_t rate_kbit_per_s, rtt_us;
    uint32_t loss_ppm;
    unsigned least_mille, least_times_reno;
} lossy[] = {
    {10000, 50 * MILLI_US, 10000, 700, 2},   {10000, 50 * MILLI_US, 20000, 500, 2},
    {10000, 50 * MILLI_US, 50000, 200, 2},   {10000, 50 * MILLI_US, 100000, 120, 2},
    {100000, 50 * MILLI_US, 10000, 700, 20},
};
enum { LOSSY_COUNT = sizeof lossy / sizeof lossy[0] };

START_TEST(loss_by_chance_stops_it_less_than_reno)
{
    const struct lossy *path = &lossy[_i];
    static const enum tcp_congestion congestion[] = {TCP_CONGESTION_BBR, TCP_CONGESTION_RENO};
    struct measured m[2];

    for (unsigned i = 0; i < 2; i++) {
        struct sim *sim =
            new_sim(congestion[i], path->rate_kbit_per_s, path->rtt_us,
                    2 * bdp_bytes(path->rate_kbit_per_s, path->rtt_us), path->loss_ppm, 0);
        m[i] = measure(sim, path->rate_kbit_per_s, 5 * SECOND_US, 30 * SECOND_US);
        print(i == 0 ? "bbr" : "reno", path->rate_kbit_per_s, path->rtt_us, &m[i]);
        sim_free(sim);
    }
    ck_assert_uint_ge(m[0].mille, path->least_mille);
    ck_assert_uint_ge(m[0].mille, path->least_times_reno * m[1].mille);
}
END_TEST

/* An application that pauses: the window stays, and what follows leaves at the pace of the path. */
START_TEST(pause_costs_neither_window_nor_a_burst)
{
    struct sim *sim = new_sim(TCP_CONGESTION_BBR, 10000, 40 * MILLI_US, 50000, 0, 0);

    measure(sim, 10000, 2 * SECOND_US, SECOND_US);
    uint32_t before = sender(sim).cwnd_bytes;
    sim->app[0].next_write_us = sim->now_us + 8ull * SECOND_US;
    run_until(sim, sim->now_us + 8ull * SECOND_US);
    ck_assert_uint_eq(sender(sim).in_flight_bytes, 0);
    ck_assert_uint_ge(sender(sim).cwnd_bytes, before / 2);
    uint32_t resent = (uint32_t)sim->seen[0].retransmits;
    uint64_t resumed_us = sim->now_us - sim->plan.start_us;
    struct measured m = measure(sim, 10000, resumed_us, 5 * 40 * MILLI_US);
    ck_assert_uint_eq(m.seen.retransmits, resent); /* later it may probe, and lose by that */
    m = measure(sim, 10000, resumed_us + 5 * 40 * MILLI_US, SECOND_US);
    print("bbr", 10000, 40 * MILLI_US, &m);
    sim_free(sim);
    ck_assert_uint_ge(m.mille, 800);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, link_is_filled_and_its_queue_is_not, 0, PATH_COUNT);
    tcase_add_loop_test(tc, loss_by_chance_stops_it_less_than_reno, 0, LOSSY_COUNT);
    tcase_add_test(tc, pause_costs_neither_window_nor_a_burst);
}

int main(void)
{
    return unit_main("BBR", tests);
}
