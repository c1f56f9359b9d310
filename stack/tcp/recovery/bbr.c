/* BBR, version 3 (draft-ietf-ccwg-bbr-06): congestion control that measures how fast the path
 * delivers and how long it takes, and sends at that rate with that much in flight. Loss is one sign
 * among others: what is lost by chance does not halve the window, and a queue is not filled to find
 * its end. Here is the state machine (5.3) and what congestion.h calls.
 *
 *     Startup --> Drain --> ProbeBW_DOWN --> CRUISE --> REFILL --> UP --+        ProbeRTT: from
 *     x 2.77      x 0.5      x 0.9  ^         x 1.0      x 1.0   x 1.25 |        any, each 5 s, and
 *                                   +-----------------------------------+        back to CRUISE
 *
 * Startup doubles the rate each round trip until that brings no more; Drain empties the queue that
 * came of it. After that the rate is what is known, and every 2 to 3 seconds, or 62 round trips, a
 * little more is tried (UP) and given back (DOWN). Where nothing has been shorter for 5 seconds,
 * ProbeRTT leaves so little in flight that the true round trip shows.
 *
 * Departure from 5.5.10.2 and 5.6.4.4: the state before a loss is saved with the first range that
 * is lost, and not again with each round or when recovery begins: those come after that range has
 * changed it, and what is undone is the whole recovery.
 * Departure from 5.6.4.4: a time-out leaves a window of one segment, whatever is in flight.
 *
 * ECN: 3.7 leaves the answer open and wants one. A mark is a round with a loss: it lowers the
 * short-term bounds, ends a probe of bandwidth, and ends Startup.
 *
 * Not done: marks in proportion (L4S, or DCTCP's alpha).
 * Not done: acknowledgments at a frequency of our choice (4.1.3.3). */
#include "bbr.h"

enum {
    STARTUP_FULL_BW_ROUNDS = 3,
    STARTUP_FULL_LOSS_COUNT = 6,
    DRAIN_ROUNDS_MAX = 3,
    PROBE_RTT_DURATION_US = 200000,
};

static void update_model_and_state(struct congestion *cc, struct congestion_note *note);
static void check_full_bw_reached(struct congestion *cc);
static void check_startup_done(struct congestion *cc, struct congestion_note *note);
static void check_drain_done(struct congestion *cc);
static void check_probe_rtt(struct congestion *cc);
static void check_probe_rtt_done(struct congestion *cc);
static void enter_startup(struct congestion *cc);
static void end_startup(struct congestion *cc);

/* ---- notes */

static struct congestion_note note_of(const struct congestion *cc, enum trace_cwnd what)
{
    const struct bbr *bbr = cc->u.bbr;
    uint64_t bw = bbr->max_bw < bbr->bw_shortterm ? bbr->max_bw : bbr->bw_shortterm;

    return (struct congestion_note){what,
                                    {bw < UINT32_MAX ? (uint32_t)bw : UINT32_MAX, bbr->min_rtt_us,
                                     bbr->inflight_longterm, bbr->inflight_shortterm}};
}

/* What this event has decided; a state that was entered before all. */
static struct congestion_note tell(struct congestion *cc, enum trace_cwnd what)
{
    struct bbr *bbr = cc->u.bbr;

    if (bbr->entered != CWND_KEPT)
        what = bbr->entered;
    bbr->entered = CWND_KEPT;
    return note_of(cc, what);
}

void bbr_enter(struct bbr *bbr, enum bbr_state state)
{
    bbr->state = state;
    bbr->entered = (enum trace_cwnd)(CWND_BBR_STARTUP + (int)state);
}

/* ---- the events of congestion.h */

static bool start(struct congestion *cc, const struct congestion_path *path)
{
    cc->u.bbr = memory_take(cc->rate->account, sizeof *cc->u.bbr);
    if (cc->u.bbr == NULL)
        return false;
    *cc->u.bbr = (struct bbr){0};
    bbr_init_model(cc, path);
    bbr_init_pacing_rate(cc);
    enter_startup(cc);
    return true;
}

static void stop(struct congestion *cc)
{
    memory_give(cc->rate->account, cc->u.bbr, sizeof *cc->u.bbr);
    cc->u.bbr = NULL;
}

static uint64_t pacing_rate(const struct congestion *cc)
{
    return cc->u.bbr->pacing_rate;
}

/* Recovery has ended: the last known good window, 5.6.4.4; the model bounds it. */
static void take_recovery(struct congestion *cc, bool in_recovery)
{
    struct bbr *bbr = cc->u.bbr;

    if (bbr->in_recovery && !in_recovery)
        bbr_restore_cwnd(cc);
    bbr->in_recovery = in_recovery;
}

/* 5.2.3, UpdateOnACK(). An acknowledgment of nothing new says nothing about the path. */
static struct congestion_note on_ack(struct congestion *cc, const struct congestion_ack *ack)
{
    struct bbr *bbr = cc->u.bbr;
    struct congestion_note note = {CWND_BBR_MODEL, {0}};

    bbr->now_us = ack->now_us;
    bbr->in_flight = ack->in_flight;
    bbr->newly_acked = ack->delivered_bytes;
    bbr->srtt_us = ack->srtt_us;
    bbr->is_cwnd_limited = ack->window_was_full;
    bbr->has_lost = false;
    take_recovery(cc, ack->in_recovery || ack->after_timeout);
    if (bbr_sample(cc)->has_data)
        update_model_and_state(cc, &note);
    bbr_set_pacing_rate(cc);
    bbr_set_cwnd(cc);
    return tell(cc, note.what);
}

static void update_model_and_state(struct congestion *cc, struct congestion_note *note)
{
    bbr_update_latest_delivery_signals(cc);
    if (bbr_update_congestion_signals(cc))
        note->what = CWND_BBR_SHORTTERM;
    bbr_update_ack_aggregation(cc);
    check_full_bw_reached(cc);
    check_startup_done(cc, note);
    check_drain_done(cc);
    bbr_update_probe_bw_cycle_phase(cc);
    bbr_update_min_rtt(cc);
    check_probe_rtt(cc);
    bbr_advance_latest_delivery_signals(cc);
    bbr_bound_bw_for_model(cc->u.bbr);
}

static bool is_another_range(struct bbr *bbr, const struct congestion_lost *lost)
{
    bool is_another = bbr->lost_ranges == 0 || lost->start != bbr->last_lost_end;

    bbr->last_lost_end = lost->end;
    return is_another;
}

/* 5.5.10.2, HandleLostPacket(). */
static struct congestion_note on_lost(struct congestion *cc, const struct congestion_lost *lost)
{
    struct bbr *bbr = cc->u.bbr;
    uint32_t bytes = lost->end - lost->start;

    bbr->now_us = lost->now_us;
    if (!bbr->in_recovery && !bbr->has_lost)
        bbr_save_state_upon_loss(cc);
    bbr->has_lost = true;
    bbr_note_loss(cc);
    if (is_another_range(bbr, lost) && bbr->lost_ranges < UINT8_MAX)
        bbr->lost_ranges++;
    if (!bbr->is_bw_probe_sample || lost->mark == NULL)
        return (struct congestion_note){CWND_KEPT, {0}};
    struct rate_sample rs = {.tx_in_flight = lost->mark->tx_in_flight,
                             .lost = cc->rate->lost - lost->mark->lost,
                             .is_app_limited = lost->mark->is_app_limited};
    if (!bbr_is_inflight_too_high(bbr, &rs))
        return (struct congestion_note){CWND_KEPT, {0}};
    rs.tx_in_flight = bbr_inflight_at_loss(&rs, bytes);
    bbr_handle_inflight_too_high(cc, &rs);
    return note_of(cc, CWND_BBR_TOO_HIGH);
}

/* Loss: OnEnterFastRecovery(). What is lost was told before, unless a tail loss probe has repaired
 * it already. A mark: see above. */
static struct congestion_note on_congestion(struct congestion *cc, enum congestion_reason reason,
                                            uint32_t flight)
{
    struct bbr *bbr = cc->u.bbr;

    if (reason == CONGESTION_LOSS && !bbr->has_lost) {
        bbr_save_state_upon_loss(cc);
        bbr_note_loss(cc);
    }
    if (reason == CONGESTION_LOSS) {
        bbr->in_recovery = true;
        return (struct congestion_note){CWND_KEPT, {0}};
    }
    bbr_note_loss(cc);
    if (bbr->state == BBR_STARTUP)
        end_startup(cc);
    else if (bbr->is_bw_probe_sample)
        bbr_handle_inflight_too_high(cc, &(struct rate_sample){.tx_in_flight = flight});
    else
        return note_of(cc, CWND_KEPT);
    return note_of(cc, CWND_BBR_TOO_HIGH);
}

/* 5.6.4.4, OnEnterRTO(). */
static struct congestion_note on_timeout(struct congestion *cc, uint32_t flight)
{
    (void)flight;
    bbr_save_state_upon_loss(cc);
    bbr_note_loss(cc);
    cc->u.bbr->in_recovery = true;
    cc->cwnd = cc->mss;
    return note_of(cc, CWND_BBR_TIMEOUT);
}

/* 5.5.11.2, HandleSpuriousLossDetection(). */
static struct congestion_note on_undo(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;
    const struct bbr_undo undo = bbr->undo;

    bbr_restore_cwnd(cc);
    bbr->in_recovery = false;
    bbr->is_loss_in_round = false;
    bbr_reset_full_bw(bbr);
    if (bbr->bw_shortterm < undo.bw_shortterm)
        bbr->bw_shortterm = undo.bw_shortterm;
    bbr->inflight_shortterm = congestion_larger(bbr->inflight_shortterm, undo.inflight_shortterm);
    bbr->inflight_longterm = congestion_larger(bbr->inflight_longterm, undo.inflight_longterm);
    bbr->undo.has_state = false;
    if (!undo.has_state || bbr->state == undo.state)
        return note_of(cc, CWND_UNDONE);
    if (undo.state == BBR_STARTUP)
        bbr->full_bw_reached = false;
    if (bbr->state != BBR_PROBE_RTT && undo.state == BBR_STARTUP)
        enter_startup(cc);
    else if (bbr->state != BBR_PROBE_RTT)
        bbr_start_probe_bw_refill(cc);
    return note_of(cc, CWND_UNDONE);
}

/* 5.4.1, HandleRestartFromIdle(). */
static void on_restart(struct congestion *cc, uint64_t now_us)
{
    struct bbr *bbr = cc->u.bbr;

    if (!cc->rate->is_app_limited)
        return;
    bbr->now_us = now_us;
    bbr->idle_restart = true;
    bbr->extra_acked_interval_start_us = now_us;
    if (bbr_is_in_probe_bw(bbr))
        bbr_set_pacing_rate_with_gain(cc, 100);
    else if (bbr->state == BBR_PROBE_RTT)
        check_probe_rtt_done(cc);
}

/* ---- rounds */

void bbr_start_round(struct congestion *cc)
{
    cc->u.bbr->next_round_delivered = cc->rate->delivered;
}

bool bbr_is_probing_bw(const struct bbr *bbr)
{
    return bbr->state == BBR_STARTUP || bbr->state == BBR_PROBE_BW_REFILL ||
           bbr->state == BBR_PROBE_BW_UP;
}

/* ---- Startup and Drain, 5.3.1 and 5.3.2 */

static void enter_startup(struct congestion *cc)
{
    bbr_enter(cc->u.bbr, BBR_STARTUP);
}

void bbr_reset_full_bw(struct bbr *bbr)
{
    bbr->full_bw = 0;
    bbr->full_bw_count = 0;
    bbr->full_bw_now = false;
}

/* Three rounds in which the rate did not grow by a quarter. */
static void check_full_bw_reached(struct congestion *cc)
{
    const struct rate_sample *rs = bbr_sample(cc);
    struct bbr *bbr = cc->u.bbr;

    if (bbr->full_bw_now || !bbr->round_start || rs->is_app_limited)
        return;
    if (rs->delivery_rate >= bbr->full_bw + bbr->full_bw / 4) {
        bbr_reset_full_bw(bbr);
        bbr->full_bw = rs->delivery_rate;
        return;
    }
    bbr->full_bw_now = ++bbr->full_bw_count >= STARTUP_FULL_BW_ROUNDS;
    bbr->full_bw_reached |= bbr->full_bw_now;
}

/* The pipe is full by loss, or a mark: 5.3.1.3. */
static void end_startup(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    bbr->undo.has_state = true;
    bbr->undo.state = BBR_STARTUP;
    bbr->full_bw_reached = true;
    bbr->inflight_longterm =
        congestion_larger(bbr_bdp_multiple(cc, bbr->max_bw, 100), bbr->inflight_latest);
}

/* In recovery for a round trip, above 2 per cent, and in several places. */
static bool loss_is_high(const struct congestion *cc)
{
    const struct bbr *bbr = cc->u.bbr;
    unsigned ranges = bbr->has_sack ? STARTUP_FULL_LOSS_COUNT : 1;

    return bbr->in_recovery && bbr->loss_round_start && bbr->lost_ranges >= ranges &&
           bbr_is_inflight_too_high(bbr, bbr_sample(cc));
}

static void check_startup_done(struct congestion *cc, struct congestion_note *note)
{
    struct bbr *bbr = cc->u.bbr;

    if (bbr->state != BBR_STARTUP)
        return;
    if (!bbr->full_bw_reached && loss_is_high(cc)) {
        end_startup(cc);
        note->what = CWND_BBR_TOO_HIGH;
    }
    if (!bbr->full_bw_reached)
        return;
    bbr_enter(bbr, BBR_DRAIN);
    bbr->drain_start_round = bbr->round_count;
}

static void check_drain_done(struct congestion *cc)
{
    const struct bbr *bbr = cc->u.bbr;

    if (bbr->state == BBR_DRAIN && (bbr->in_flight <= bbr_inflight(cc, bbr->bw, 100) ||
                                    bbr->round_count > bbr->drain_start_round + DRAIN_ROUNDS_MAX))
        bbr_start_probe_bw_down(cc);
}

/* ---- ProbeRTT, 5.3.4 */

static void exit_probe_rtt(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    bbr_reset_short_term_model(bbr);
    if (!bbr->full_bw_reached) {
        enter_startup(cc);
        return;
    }
    bbr_start_probe_bw_down(cc);
    bbr_enter(bbr, BBR_PROBE_BW_CRUISE); /* nothing is left to drain */
}

static void check_probe_rtt_done(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    if (bbr->probe_rtt_done_stamp_us == 0 || bbr->now_us <= bbr->probe_rtt_done_stamp_us)
        return;
    bbr->probe_rtt_min_stamp_us = bbr->now_us; /* the next in 5 seconds */
    bbr_restore_cwnd(cc);
    exit_probe_rtt(cc);
}

/* What is sent here says nothing about the bandwidth. */
static void handle_probe_rtt(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    rate_app_limited(cc->rate, bbr->in_flight);
    if (bbr->probe_rtt_done_stamp_us == 0) {
        if (bbr->in_flight > bbr_probe_rtt_cwnd(cc))
            return;
        bbr->probe_rtt_done_stamp_us = bbr->now_us + PROBE_RTT_DURATION_US;
        bbr->probe_rtt_round_done = false;
        bbr_start_round(cc);
        return;
    }
    bbr->probe_rtt_round_done |= bbr->round_start;
    if (bbr->probe_rtt_round_done)
        check_probe_rtt_done(cc);
}

static void check_probe_rtt(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    if (bbr->state != BBR_PROBE_RTT && bbr->probe_rtt_expired && !bbr->idle_restart) {
        bbr_save_cwnd(cc);
        bbr_enter(bbr, BBR_PROBE_RTT);
        bbr->probe_rtt_done_stamp_us = 0;
        bbr->ack_phase = BBR_ACKS_PROBE_STOPPING;
        bbr_start_round(cc);
    }
    if (bbr->state == BBR_PROBE_RTT)
        handle_probe_rtt(cc);
    if (bbr_sample(cc)->delivered > 0)
        bbr->idle_restart = false;
}

const struct congestion_ops congestion_bbr = {
    .name = "bbr",
    .wants_pacing = true,
    .has_model = true,
    .on_ack = on_ack,
    .on_congestion = on_congestion,
    .on_timeout = on_timeout,
    .on_undo = on_undo,
    .start = start,
    .stop = stop,
    .on_lost = on_lost,
    .on_restart = on_restart,
    .pacing_rate = pacing_rate,
};
