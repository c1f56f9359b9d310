/* Header prediction changes nothing but time: two runs of one plan, with and without it, side by
 * side. After each step both have sent the same packets at the same times and are in the same
 * state, inside as well. */
#include "sim.h"

#include "../../stack/tcp/tcb.h"
#include "../unit/unit.h"

enum { SEEDS = 1500 };

/* What an end is up to, from SND.UNA to the deadlines; without what only says where things lie. */
struct inside {
    uint32_t numbers[24];
    uint64_t deadline_us[TIMER_COUNT];
    uint64_t times[9];
    bool flags[24];
};

static void look_at_work(const struct work *work, struct inside *inside)
{
    const uint32_t numbers[] = {work->unacked_bytes,
                                work->cc.cwnd,
                                work->cc.ssthresh,
                                work->cc.full_at,
                                work->cc.burst_bytes,
                                work->cc.round_end,
                                work->recovery.recover,
                                work->recovery.dup_ack_count,
                                work->rack.fack,
                                work->in_flight.owed,
                                work->unanswered_probe_count,
                                work->probe_count,
                                work->keepalive_probe_count,
                                (uint32_t)work->autotune_bytes};
    const bool flags[] = {work->recovery.is_active, work->recovery.is_after_timeout,
                          work->tlp.is_out,         work->tlp.is_due,
                          work->undo.is_armed,      work->rack.has_fack,
                          work->rack.has_segment,   work->probe_now,
                          work->urgent_now,         work->keepalive_now,
                          work->cork_is_over,       work->was_refused};

    memcpy(inside->numbers, numbers, sizeof numbers);
    memcpy(inside->flags, flags, sizeof flags);
    memcpy(inside->deadline_us, work->deadline_us, sizeof inside->deadline_us);
    inside->times[0] = work->unanswered_since_us;
    inside->times[1] = work->in_flight.paid_us;
    inside->times[2] = work->autotune_start_us;
    inside->times[3] = work->rack.min_rtt.us;
}

static struct inside look(const struct tcb *tcb)
{
    struct inside inside = {0};

    if (tcb == NULL)
        return inside;
    if (tcb->work != NULL)
        look_at_work(tcb->work, &inside);
    const uint32_t numbers[] = {
        tcb->snd_una,   tcb->snd_nxt, tcb->snd_wl1,       tcb->snd_wl2,          tcb->rcv_adv,
        tcb->ts_recent, tcb->rcv_mss, tcb->last_ack_sent, tcb->rcv_buffer_bytes, tcb->snd_wnd};
    memcpy(inside.numbers + 14, numbers, sizeof numbers);
    const bool flags[] = {tcb->ack_now, tcb->peer_fin, tcb->rcv_wnd_is_closed, tcb->may_sleep};
    memcpy(inside.flags + 12, flags, sizeof flags);
    inside.times[4] = tcb->ts_recent_us;
    inside.times[5] = tcb->last_heard_us;
    inside.times[6] = tcb->progress_us;
    inside.times[7] = tcb->last_sent_us;
    inside.times[8] = tcb->rto.srtt_us;
    return inside;
}

static void compare(struct sim *with, struct sim *without, uint64_t seed)
{
    ck_assert_msg(with->hash == without->hash && with->now_us == without->now_us,
                  "seed %llu: other packets at %llu us", (unsigned long long)seed,
                  (unsigned long long)with->now_us);
    for (unsigned end = 0; end < 2; end++) {
        struct inside a = look(with->app[end].tcb), b = look(without->app[end].tcb);
        ck_assert_msg(memcmp(&a, &b, sizeof a) == 0, "seed %llu: end %u differs at %llu us",
                      (unsigned long long)seed, end, (unsigned long long)with->now_us);
        ck_assert(memcmp(stack_counters(with->stack[end]), stack_counters(without->stack[end]),
                         sizeof(struct stack_counters)) == 0);
    }
}

static void run_both(struct sim_plan plan, uint64_t seed)
{
    plan.tcp[0].header_prediction = plan.tcp[1].header_prediction = true;
    struct sim *with = sim_new(&plan);
    plan.tcp[0].header_prediction = plan.tcp[1].header_prediction = false;
    struct sim *without = sim_new(&plan);
    bool goes_on = true;

    while (goes_on) {
        goes_on = sim_step(with);
        ck_assert_int_eq(goes_on, sim_step(without));
        compare(with, without, seed);
    }
    sim_free(with);
    sim_free(without);
}

START_TEST(prediction_changes_nothing)
{
    struct sim_seeds seeds = sim_seeds(SEEDS);

    for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
        run_both(sim_plan_random(seed), seed);
        sim_progress("predict", seed - seeds.first + 1, seeds.count);
    }
}
END_TEST

/* Links on which all comes in order, and connections on which each side has its turn. */
START_TEST(prediction_changes_nothing_where_nothing_goes_wrong)
{
    struct sim_seeds seeds = sim_seeds(SEEDS);

    for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
        struct sim_plan plan = sim_plan_random(seed);
        plan.link[0] = plan.link[1] = (struct link_config){.delay_us = seed % 7 * 1000};
        plan.tcp[0].ecn = plan.tcp[1].ecn = TCP_ECN_OFF;
        run_both(plan, seed);
        sim_progress("predict", seed - seeds.first + 1, seeds.count);
    }
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, prediction_changes_nothing);
    tcase_add_test(tc, prediction_changes_nothing_where_nothing_goes_wrong);
    tcase_set_timeout(tc, 0);
}

int main(void)
{
    return unit_main("predict", tests);
}
