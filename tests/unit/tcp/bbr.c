/* BBR, draft-ietf-ccwg-bbr-06: each move between its states and each bound of its model, by samples
 * that are made up here. */
#include "../unit.h"

#include "../../../stack/tcp/recovery/bbr.h"

enum {
    MSS = 1000,
    MILLI_US = 1000,
    SECOND_US = 1000000,
    RTT_US = 100 * MILLI_US,
    BW = 1000000, /* bytes per second */
    BDP = BW / 10,
};

static struct memory memory;
static struct congestion cc;
static struct congestion_ack ack;
static struct rate_sample rs;
static uint64_t now_us;

static void start_with(uint32_t seed, bool has_sack)
{
    struct tcp_config config;

    tcp_config_init(&config);
    config.congestion = TCP_CONGESTION_BBR;
    now_us = 10 * SECOND_US;
    congestion_init(&cc, &config, MSS, 10);
    congestion_start(&cc, &(struct congestion_path){.now_us = now_us,
                                                    .srtt_us = RTT_US,
                                                    .seed = seed,
                                                    .has_sack = has_sack,
                                                    .account = &memory});
    ck_assert_ptr_eq(cc.ops, &congestion_bbr);
    ack = (struct congestion_ack){.srtt_us = RTT_US, .in_flight = BDP, .delivered_bytes = MSS};
    rs = (struct rate_sample){.has_data = true,
                              .delivery_rate = BW,
                              .rtt_us = RTT_US,
                              .delivered = BDP,
                              .tx_in_flight = BDP};
}

static void set_up(void)
{
    start_with(1, true);
}

static void tear_down(void)
{
    ck_assert_uint_ge(memory.used_bytes, sizeof *cc.u.bbr);
    congestion_stop(&cc);
    ck_assert_uint_eq(memory.used_bytes, 0);
}

static struct bbr *bbr(void)
{
    return cc.u.bbr;
}

/* An acknowledgment after `us`, of something that was sent in this round. */
static struct congestion_note acknowledge(uint64_t us)
{
    now_us += us;
    ack.now_us = now_us;
    cc.rate->delivered += ack.delivered_bytes;
    if (rs.prior_delivered == 0)
        rs.prior_delivered = bbr()->next_round_delivered - 1;
    cc.rate->sample = rs;
    rs.prior_delivered = 0;
    return cc.ops->on_ack(&cc, &ack);
}

/* Likewise, but it was sent after the round had begun: the next one begins. */
static struct congestion_note next_round(uint64_t us)
{
    rs.prior_delivered = congestion_larger(bbr()->next_round_delivered, 1);
    return acknowledge(us);
}

static struct congestion_note lose(uint32_t start, uint32_t end, uint32_t tx_in_flight)
{
    struct rate_mark mark = {.tx_in_flight = tx_in_flight, .lost = cc.rate->lost};

    rate_on_lost(cc.rate, end - start);
    return cc.ops->on_lost(&cc, &(struct congestion_lost){
                                    .now_us = now_us, .start = start, .end = end, .mark = &mark});
}

static void is_in(enum bbr_state state)
{
    ck_assert_int_eq((int)bbr()->state, (int)state);
}

/* A window that has grown to what it may be. */
static void fill_window(void)
{
    for (int i = 0; i < 250; i++)
        acknowledge(MILLI_US); /* a segment per millisecond is BW */
}

/* By way of a Drain that lasts three rounds. */
static void reach_down(void)
{
    ack.in_flight = 3 * BDP;
    for (int i = 0; i < 4 + 4; i++)
        next_round(RTT_US);
    fill_window();
    is_in(BBR_PROBE_BW_DOWN);
}

static void reach_cruise(void)
{
    reach_down();
    ack.in_flight = BDP / 2;
    acknowledge(0);
    is_in(BBR_PROBE_BW_CRUISE);
    ack.in_flight = BDP;
}

static void reach_refill(void)
{
    reach_cruise();
    acknowledge(3 * SECOND_US + 1);
    is_in(BBR_PROBE_BW_REFILL);
}

static void reach_up(void)
{
    reach_refill();
    next_round(RTT_US);
    is_in(BBR_PROBE_BW_UP);
}

static void paces_at(uint64_t percent)
{
    ck_assert_uint_eq(cc.ops->pacing_rate(&cc), BW / 100 * percent * 99 / 100);
}

/* ---- Startup and Drain */

START_TEST(first_pace_is_that_of_the_initial_window) /* 5.6.2, InitPacingRate() */
{
    ck_assert_uint_eq(cc.ops->pacing_rate(&cc), 277000); /* 10000 bytes in 100 ms, times 2.77 */
    is_in(BBR_STARTUP);
}
END_TEST

START_TEST(startup_goes_on_while_the_rate_grows_by_a_quarter) /* 5.3.1.2 */
{
    for (int i = 0; i < 20; i++) {
        next_round(RTT_US);
        rs.delivery_rate = rs.delivery_rate * 5 / 4;
        is_in(BBR_STARTUP);
    }
}
END_TEST

START_TEST(startup_ends_after_three_rounds_without_growth)
{
    next_round(RTT_US);
    rs.delivery_rate = BW * 124ull / 100;
    for (int i = 0; i < 2; i++) {
        next_round(RTT_US);
        acknowledge(0); /* counts once per round */
        is_in(BBR_STARTUP);
    }
    ack.in_flight = 3 * BDP;
    ck_assert_int_eq(next_round(RTT_US).what, CWND_BBR_DRAIN);
    is_in(BBR_DRAIN);
    ck_assert(bbr()->full_bw_reached);
}
END_TEST

START_TEST(rounds_limited_by_the_application_do_not_end_startup)
{
    rs.is_app_limited = true;
    for (int i = 0; i < 10; i++)
        next_round(RTT_US);
    is_in(BBR_STARTUP);
}
END_TEST

/* 5.3.1.3: six ranges in a round, 2 per cent, in recovery; and without one of these not. */
START_TEST(startup_ends_when_much_is_lost)
{
    const unsigned ranges = _i == 1 ? 5 : 6;
    const bool in_recovery = _i != 2, is_much = _i != 3;

    next_round(RTT_US);
    ack.in_recovery = in_recovery;
    for (unsigned i = 0; i < ranges; i++)
        lose(i * 10000, i * 10000 + MSS, BDP);
    lose((ranges - 1) * 10000 + MSS, (ranges - 1) * 10000 + 2 * MSS, BDP); /* the same range */
    rs.lost = is_much ? BDP / 50 + 1 : BDP / 50;
    rs.delivery_rate = BW * 2;
    rs.delivered = BDP * 3;
    ack.in_flight = 9 * BDP;
    next_round(RTT_US);
    is_in(_i == 0 ? BBR_DRAIN : BBR_STARTUP);
    ck_assert_uint_eq(bbr()->inflight_longterm, _i == 0 ? BDP * 3 : BBR_NO_INFLIGHT);
}
END_TEST

START_TEST(without_sack_one_loss_ends_startup) /* 5.3.1.3 */
{
    tear_down();
    start_with(1, false);
    next_round(RTT_US);
    ack.in_recovery = true;
    lose(0, MSS, BDP);
    rs.lost = 1;
    ack.in_flight = 9 * BDP;
    next_round(RTT_US);
    is_in(BBR_DRAIN);
}
END_TEST

START_TEST(drain_ends_when_its_queue_has_gone) /* 5.3.2 */
{
    for (int i = 0; i < 3; i++)
        next_round(RTT_US);
    ack.in_flight = 3 * BDP;
    next_round(RTT_US);
    is_in(BBR_DRAIN);
    paces_at(50);
    acknowledge(0);
    is_in(BBR_DRAIN);
    ack.in_flight = BDP;
    acknowledge(0);
    is_in(BBR_PROBE_BW_CRUISE); /* DOWN has nothing left to do */
}
END_TEST

START_TEST(drain_ends_after_three_rounds)
{
    ack.in_flight = 3 * BDP;
    for (int i = 0; i < 4 + 3; i++)
        next_round(RTT_US);
    is_in(BBR_DRAIN);
    next_round(RTT_US);
    is_in(BBR_PROBE_BW_DOWN);
}
END_TEST

/* ---- ProbeBW */

START_TEST(cycle_goes_down_cruises_refills_and_goes_up) /* 5.3.3 */
{
    reach_down();
    paces_at(90);
    ck_assert_uint_eq(cc.cwnd, 2 * BDP + bbr_extra_acked(bbr()));
    ack.in_flight = BDP + 1;
    acknowledge(0);
    is_in(BBR_PROBE_BW_DOWN);
    ack.in_flight = BDP;
    acknowledge(0);
    is_in(BBR_PROBE_BW_CRUISE);
    paces_at(100);
    acknowledge(2 * SECOND_US - 1);
    is_in(BBR_PROBE_BW_CRUISE); /* 2 s at least ... */
    acknowledge(SECOND_US + 2);
    is_in(BBR_PROBE_BW_REFILL); /* ... and 3 s at most */
    paces_at(100);
    acknowledge(0);
    is_in(BBR_PROBE_BW_REFILL);
    ck_assert_int_eq(next_round(RTT_US).what, CWND_BBR_UP);
    is_in(BBR_PROBE_BW_UP);
    paces_at(125);
    for (int i = 0; i < 2; i++)
        next_round(RTT_US);
    is_in(BBR_PROBE_BW_UP);
    next_round(RTT_US); /* no faster in three rounds */
    is_in(BBR_PROBE_BW_DOWN);
}
END_TEST

START_TEST(probe_is_due_when_reno_would_have_filled_the_pipe) /* 5.3.3.8.2 */
{
    reach_cruise();
    bbr()->rounds_since_probe_up = 0;
    for (int i = 0; i < 62; i++) {
        next_round(1);
        is_in(BBR_PROBE_BW_CRUISE);
    }
    next_round(1);
    is_in(BBR_PROBE_BW_REFILL); /* 100 segments: at most 63 rounds */
}
END_TEST

START_TEST(waits_differ_between_connections_and_not_between_replays)
{
    uint32_t wait_us[3];

    for (uint32_t i = 0; i < 3; i++) {
        tear_down();
        start_with(7 + i / 2, true);
        reach_down();
        wait_us[i] = bbr()->bw_probe_wait_us;
        ck_assert_uint_ge(wait_us[i], 2 * SECOND_US);
        ck_assert_uint_lt(wait_us[i], 3 * SECOND_US);
    }
    ck_assert_uint_eq(wait_us[0], wait_us[1]);
    ck_assert_uint_ne(wait_us[0], wait_us[2]);
}
END_TEST

/* 5.5.10.2: 2 per cent lost of what was in flight end the probe and set the bound, once. */
START_TEST(loss_during_a_probe_sets_the_bound)
{
    reach_up();
    ck_assert_int_eq(lose(0, 2 * MSS, 100 * MSS).what, CWND_KEPT); /* 2 % exactly */
    is_in(BBR_PROBE_BW_UP);
    ck_assert_int_eq(lose(5000, 5000 + 3 * MSS, 120 * MSS).what, CWND_BBR_TOO_HIGH);
    is_in(BBR_PROBE_BW_DOWN);
    /* before it 117 were in flight and none lost: (0.02 * 117 - 0) / 0.98 of it were too much */
    ck_assert_uint_eq(bbr()->inflight_longterm, 117 * MSS + 2387);
    ck_assert_int_eq(lose(9000, 9000 + 3 * MSS, 110 * MSS).what, CWND_KEPT);
    ack.in_flight = 3 * BDP;
    ck_assert_int_eq(acknowledge(0).what, CWND_BBR_DOWN); /* told with the acknowledgment */
    ck_assert_uint_eq(cc.cwnd, bbr()->inflight_longterm);
    ck_assert_uint_eq(bbr_inflight_with_headroom(&cc), /* 15 % in CRUISE, 5.6.4.7 */
                      bbr()->inflight_longterm -
                          (uint32_t)(bbr()->inflight_longterm * 15ull / 100));
}
END_TEST

START_TEST(bound_is_never_below_seven_tenths_of_the_target)
{
    reach_up();
    lose(0, 3 * MSS, 20 * MSS);
    ck_assert_uint_eq(bbr()->inflight_longterm, BDP * 7 / 10);
}
END_TEST

START_TEST(probe_after_one_that_lost_is_short_and_then_repeated) /* 5.3.3.6 */
{
    reach_up();
    lose(0, 3 * MSS, 120 * MSS);
    ck_assert(bbr()->prev_probe_too_high);
    next_round(RTT_US);
    ack.in_flight = BDP / 2;
    acknowledge(0);
    is_in(BBR_PROBE_BW_CRUISE);
    bbr()->probe_rtt_min_stamp_us = now_us;
    acknowledge(3 * SECOND_US + 1);
    next_round(RTT_US);
    is_in(BBR_PROBE_BW_UP);
    ack.in_flight = bbr()->inflight_longterm - 1;
    acknowledge(0);
    is_in(BBR_PROBE_BW_UP);
    ack.in_flight = bbr()->inflight_longterm;
    acknowledge(0);
    is_in(BBR_PROBE_BW_DOWN);
    ck_assert(bbr()->prev_probe_precautionary);
    next_round(RTT_US); /* nothing was lost: again, without the usual wait */
    is_in(BBR_PROBE_BW_REFILL);
    ck_assert(!bbr()->prev_probe_precautionary);
}
END_TEST

START_TEST(bound_rises_by_one_then_two_then_four_segments_a_round) /* 5.3.3.5 */
{
    reach_up();
    fill_window();
    bbr()->inflight_longterm = cc.cwnd = 20 * MSS;
    bbr()->bw_probe_up_rounds = 0;
    rs.tx_in_flight = 10 * MSS;
    ack.window_was_full = true;
    for (uint32_t round = 0; round < 3; round++) {
        next_round(RTT_US); /* sets the slope */
        uint32_t before = bbr()->inflight_longterm, window = cc.cwnd;
        bbr()->bw_probe_up_acked = 0;
        for (uint32_t acked = 0; acked < window; acked += MSS)
            acknowledge(0);
        ck_assert_uint_eq((bbr()->inflight_longterm - before) / MSS, 1u << round);
        is_in(BBR_PROBE_BW_UP); /* the bound, not the path, was the limit */
    }
}
END_TEST

START_TEST(bandwidth_is_remembered_for_two_cycles) /* 5.5.3, 5.5.6 */
{
    reach_down();
    bbr_advance_max_bw_filter(bbr());
    rs.delivery_rate = BW / 2;
    next_round(RTT_US);
    ck_assert_uint_eq(bbr()->max_bw, BW);
    bbr_advance_max_bw_filter(bbr());
    ck_assert_uint_eq(bbr()->max_bw, BW / 2);
    bbr_advance_max_bw_filter(bbr());
    bbr_advance_max_bw_filter(bbr()); /* a cycle without a sample */
    ck_assert_uint_eq(bbr()->max_bw, BW / 2);
    rs.is_app_limited = true;
    rs.delivery_rate = BW / 4;
    acknowledge(0);
    ck_assert_uint_eq(bbr()->max_bw_filter[1], 0); /* 5.5.4: says nothing */
    rs.delivery_rate = BW;
    acknowledge(0);
    ck_assert_uint_eq(bbr()->max_bw, BW); /* unless it is faster */
}
END_TEST

/* ---- ProbeRTT */

START_TEST(least_round_trip_is_looked_for_after_five_seconds) /* 5.3.4 */
{
    reach_cruise();
    uint32_t window = cc.cwnd;
    rs.rtt_us = 2 * RTT_US;
    bbr()->cycle_stamp_us = now_us + 100ull * SECOND_US;
    acknowledge(5 * SECOND_US + 1 - (now_us - bbr()->probe_rtt_min_stamp_us));
    is_in(BBR_PROBE_RTT);
    ck_assert_uint_eq(cc.cwnd, BDP / 2);
    ck_assert(cc.rate->is_app_limited);
    acknowledge(10 * RTT_US); /* too much is in flight yet */
    ck_assert_uint_eq(bbr()->probe_rtt_done_stamp_us, 0);
    ack.in_flight = BDP / 2;
    rs.rtt_us = RTT_US;
    acknowledge(0);
    next_round(200 * MILLI_US);
    is_in(BBR_PROBE_RTT);
    ck_assert_int_eq(acknowledge(1).what, CWND_BBR_CRUISE);
    ck_assert_uint_eq(cc.cwnd, window);
    ck_assert_uint_eq(bbr()->min_rtt_us, RTT_US);
}
END_TEST

START_TEST(it_lasts_a_round_trip_at_least)
{
    reach_cruise();
    bbr()->cycle_stamp_us = now_us + 100ull * SECOND_US;
    acknowledge(6 * SECOND_US);
    ack.in_flight = BDP / 2;
    acknowledge(0);
    acknowledge(SECOND_US);
    is_in(BBR_PROBE_RTT);
    next_round(0);
    is_in(BBR_PROBE_BW_CRUISE);
}
END_TEST

START_TEST(pause_of_the_application_makes_it_unnecessary) /* 5.3.4.2, 5.4.1 */
{
    reach_cruise();
    now_us += 6 * SECOND_US;
    rate_app_limited(cc.rate, 0);
    cc.ops->on_restart(&cc, now_us);
    paces_at(100);
    acknowledge(RTT_US);
    ck_assert_int_ne((int)bbr()->state, BBR_PROBE_RTT);
    ck_assert(!bbr()->idle_restart);
}
END_TEST

START_TEST(pause_before_any_sample_leaves_a_pace)
{
    bbr()->full_bw_reached = true; /* by a mark */
    bbr()->state = BBR_PROBE_BW_DOWN;
    rate_app_limited(cc.rate, 0);
    cc.ops->on_restart(&cc, now_us + 1);
    ck_assert_uint_eq(cc.ops->pacing_rate(&cc), 4 * MSS * 10); /* four segments per round trip */
}
END_TEST

START_TEST(rate_beyond_any_link_is_bounded)
{
    rs.delivery_rate = UINT64_MAX / 1000;
    for (int i = 0; i < 20; i++)
        next_round(RTT_US);
    ck_assert_uint_eq(cc.ops->pacing_rate(&cc), 1000000000000);
    ck_assert_uint_le(cc.cwnd, CONGESTION_WINDOW_MAX);
}
END_TEST

START_TEST(longer_path_is_believed_after_ten_seconds) /* 5.5.7.2 */
{
    reach_cruise();
    rs.rtt_us = 3 * RTT_US;
    acknowledge(6 * SECOND_US);
    ck_assert_uint_eq(bbr()->min_rtt_us, RTT_US);
    acknowledge(5 * SECOND_US);
    ck_assert_uint_eq(bbr()->min_rtt_us, 3 * RTT_US);
}
END_TEST

/* ---- loss */

START_TEST(round_with_a_loss_lowers_the_short_term_bounds) /* 5.5.10.3 */
{
    reach_cruise();
    uint32_t window = cc.cwnd;
    rs.delivery_rate = BW / 2;
    rs.delivered = BDP;
    next_round(RTT_US); /* the round before has passed */
    lose(0, MSS, BDP);
    ck_assert_uint_eq(bbr()->bw_shortterm, BBR_NO_BW); /* at its end */
    rs.prior_delivered = cc.rate->delivered;
    ck_assert_int_eq(acknowledge(RTT_US).what, CWND_BBR_SHORTTERM);
    ck_assert_uint_eq(bbr()->bw_shortterm, BW * 7 / 10);
    ck_assert_uint_eq(bbr()->inflight_shortterm, (uint32_t)(window * 7ull / 10));
    ck_assert_uint_eq(bbr()->bw, BW * 7 / 10);
    bbr()->probe_rtt_min_stamp_us = now_us;
    acknowledge(4 * SECOND_US); /* REFILL forgets it */
    is_in(BBR_PROBE_BW_REFILL);
    ck_assert_uint_eq(bbr()->bw, BW);
}
END_TEST

START_TEST(little_loss_during_a_probe_lowers_nothing) /* AdaptLowerBoundsFromCongestion() */
{
    reach_up();
    lose(0, MSS, BDP);
    rs.prior_delivered = cc.rate->delivered;
    acknowledge(RTT_US);
    is_in(BBR_PROBE_BW_UP);
    ck_assert_uint_eq(bbr()->bw_shortterm, BBR_NO_BW);
    ck_assert_uint_eq(bbr()->inflight_shortterm, BBR_NO_INFLIGHT);
}
END_TEST

START_TEST(cruise_leaves_room_for_others) /* 5.6.4.7 */
{
    reach_cruise();
    bbr()->inflight_longterm = BDP + 1;
    acknowledge(0);
    is_in(BBR_PROBE_BW_CRUISE);
    ck_assert_uint_eq(cc.cwnd, BDP + 1 - (BDP + 1) * 15 / 100);
}
END_TEST

START_TEST(bounds_fall_no_lower_than_what_is_delivered)
{
    reach_cruise();
    rs.delivery_rate = BW * 9 / 10;
    next_round(RTT_US);
    lose(0, MSS, BDP);
    rs.prior_delivered = cc.rate->delivered;
    acknowledge(RTT_US);
    ck_assert_uint_eq(bbr()->bw_shortterm, BW * 9 / 10);
}
END_TEST

START_TEST(window_after_recovery_is_the_one_before) /* 5.6.4.4 */
{
    reach_cruise();
    uint32_t window = cc.cwnd;
    cc.ops->on_congestion(&cc, CONGESTION_LOSS, BDP);
    ck_assert_uint_eq(cc.cwnd, window);
    ack.in_recovery = true;
    acknowledge(MILLI_US);
    cc.cwnd = 5 * MSS;
    ack.in_recovery = false;
    acknowledge(MILLI_US);
    ck_assert_uint_eq(cc.cwnd, window);
}
END_TEST

START_TEST(timeout_leaves_one_segment_and_recovery_brings_the_window_back)
{
    reach_cruise();
    uint32_t window = cc.cwnd;
    ck_assert_int_eq(cc.ops->on_timeout(&cc, BDP).what, CWND_BBR_TIMEOUT);
    ck_assert_uint_eq(cc.cwnd, MSS);
    ack.after_timeout = true;
    acknowledge(MILLI_US);
    ck_assert_uint_eq(cc.cwnd, 4 * MSS);
    acknowledge(MILLI_US);
    ck_assert_uint_eq(cc.cwnd, 5 * MSS);
    ack.after_timeout = false;
    acknowledge(MILLI_US);
    ck_assert_uint_eq(cc.cwnd, window);
}
END_TEST

START_TEST(undone_loss_gives_back_the_probe_and_the_bounds) /* 5.5.11.2 */
{
    reach_up();
    lose(0, 3 * MSS, 120 * MSS);
    lose(9000, 9000 + MSS, 120 * MSS); /* what is lost besides has no part in it */
    cc.ops->on_congestion(&cc, CONGESTION_LOSS, BDP);
    is_in(BBR_PROBE_BW_DOWN);
    cc.ops->on_undo(&cc);
    is_in(BBR_PROBE_BW_REFILL);
    ck_assert_uint_eq(bbr()->inflight_longterm, BBR_NO_INFLIGHT);
    cc.ops->on_undo(&cc); /* once */
    is_in(BBR_PROBE_BW_REFILL);
}
END_TEST

START_TEST(undone_loss_gives_back_startup)
{
    next_round(RTT_US);
    for (unsigned i = 0; i < 6; i++)
        lose(i * 10000, i * 10000 + MSS, BDP);
    ack.in_recovery = true;
    rs.lost = BDP;
    ack.in_flight = 9 * BDP;
    next_round(RTT_US);
    is_in(BBR_DRAIN);
    cc.ops->on_undo(&cc);
    is_in(BBR_STARTUP);
    ck_assert(!bbr()->full_bw_reached);
    ck_assert_uint_eq(bbr()->inflight_longterm, BBR_NO_INFLIGHT);
}
END_TEST

/* ---- marks: 3.7 wants an answer, and leaves it open */

START_TEST(mark_ends_startup)
{
    next_round(RTT_US);
    cc.ops->on_congestion(&cc, CONGESTION_ECN, BDP);
    ack.in_flight = 9 * BDP;
    acknowledge(0);
    is_in(BBR_DRAIN);
}
END_TEST

START_TEST(mark_ends_a_probe)
{
    reach_up();
    ck_assert_int_eq(cc.ops->on_congestion(&cc, CONGESTION_ECN, 150 * MSS).what, CWND_BBR_TOO_HIGH);
    is_in(BBR_PROBE_BW_DOWN);
    ck_assert_uint_eq(bbr()->inflight_longterm, 150 * MSS);
}
END_TEST

/* And a loss that a tail loss probe has repaired: 5.5.10.3 "whether in fast recovery, RTO recovery,
 * TLP recovery". */
START_TEST(mark_at_other_times_is_a_round_with_a_loss)
{
    reach_cruise();
    rs.delivery_rate = BW / 2;
    next_round(RTT_US);
    cc.ops->on_congestion(&cc, _i == 0 ? CONGESTION_ECN : CONGESTION_LOSS, BDP);
    rs.prior_delivered = cc.rate->delivered;
    acknowledge(RTT_US);
    ck_assert_uint_eq(bbr()->bw_shortterm, BW * 7 / 10);
}
END_TEST

/* ---- window */

START_TEST(acknowledgments_in_lumps_widen_the_window) /* 5.5.9 */
{
    reach_cruise();
    acknowledge(50 * MILLI_US);
    ack.delivered_bytes = BDP / 2;
    acknowledge(0);
    ck_assert_uint_eq(bbr_extra_acked(bbr()), BDP / 2 + MSS);
    ck_assert_uint_eq(cc.cwnd, 2 * BDP + BDP / 2 + MSS);
}
END_TEST

START_TEST(window_is_four_segments_and_three_quanta_at_least) /* 5.6.4.2, 5.6.4.3 */
{
    rs.delivery_rate = 10 * MSS;
    for (int i = 0; i < 9; i++)
        next_round(RTT_US);
    bbr()->pacing_rate = 0;
    acknowledge(0);
    ck_assert_uint_eq(bbr_inflight(&cc, 0, 100), 6 * MSS); /* a quantum: two segments */
    bbr()->inflight_longterm = 1;
    rs.tx_in_flight = 0;
    acknowledge(0);
    ck_assert_uint_eq(cc.cwnd, 4 * MSS);
    ck_assert_uint_ge(cc.ops->pacing_rate(&cc), 4 * MSS * 10); /* per SRTT */
}
END_TEST

START_TEST(acknowledgment_of_nothing_new_changes_nothing)
{
    reach_up();
    struct bbr before = *bbr();
    rs.has_data = false;
    ack.delivered_bytes = 0;
    acknowledge(10 * SECOND_US);
    ck_assert_uint_eq(bbr()->max_bw, before.max_bw);
    ck_assert_uint_eq(bbr()->round_count, before.round_count);
    is_in(BBR_PROBE_BW_UP);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, first_pace_is_that_of_the_initial_window);
    tcase_add_test(tc, startup_goes_on_while_the_rate_grows_by_a_quarter);
    tcase_add_test(tc, startup_ends_after_three_rounds_without_growth);
    tcase_add_test(tc, rounds_limited_by_the_application_do_not_end_startup);
    tcase_add_loop_test(tc, startup_ends_when_much_is_lost, 0, 4);
    tcase_add_test(tc, without_sack_one_loss_ends_startup);
    tcase_add_test(tc, drain_ends_when_its_queue_has_gone);
    tcase_add_test(tc, drain_ends_after_three_rounds);
    tcase_add_test(tc, cycle_goes_down_cruises_refills_and_goes_up);
    tcase_add_test(tc, probe_is_due_when_reno_would_have_filled_the_pipe);
    tcase_add_test(tc, waits_differ_between_connections_and_not_between_replays);
    tcase_add_test(tc, loss_during_a_probe_sets_the_bound);
    tcase_add_test(tc, bound_is_never_below_seven_tenths_of_the_target);
    tcase_add_test(tc, probe_after_one_that_lost_is_short_and_then_repeated);
    tcase_add_test(tc, bound_rises_by_one_then_two_then_four_segments_a_round);
    tcase_add_test(tc, bandwidth_is_remembered_for_two_cycles);
    tcase_add_test(tc, least_round_trip_is_looked_for_after_five_seconds);
    tcase_add_test(tc, it_lasts_a_round_trip_at_least);
    tcase_add_test(tc, pause_of_the_application_makes_it_unnecessary);
    tcase_add_test(tc, pause_before_any_sample_leaves_a_pace);
    tcase_add_test(tc, rate_beyond_any_link_is_bounded);
    tcase_add_test(tc, longer_path_is_believed_after_ten_seconds);
    tcase_add_test(tc, round_with_a_loss_lowers_the_short_term_bounds);
    tcase_add_test(tc, little_loss_during_a_probe_lowers_nothing);
    tcase_add_test(tc, cruise_leaves_room_for_others);
    tcase_add_test(tc, bounds_fall_no_lower_than_what_is_delivered);
    tcase_add_test(tc, window_after_recovery_is_the_one_before);
    tcase_add_test(tc, timeout_leaves_one_segment_and_recovery_brings_the_window_back);
    tcase_add_test(tc, undone_loss_gives_back_the_probe_and_the_bounds);
    tcase_add_test(tc, undone_loss_gives_back_startup);
    tcase_add_test(tc, mark_ends_startup);
    tcase_add_test(tc, mark_ends_a_probe);
    tcase_add_loop_test(tc, mark_at_other_times_is_a_round_with_a_loss, 0, 2);
    tcase_add_test(tc, acknowledgments_in_lumps_widen_the_window);
    tcase_add_test(tc, window_is_four_segments_and_three_quanta_at_least);
    tcase_add_test(tc, acknowledgment_of_nothing_new_changes_nothing);
}

int main(void)
{
    return unit_main("BBR", tests);
}
