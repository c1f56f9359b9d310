/* BBR's cycle of bandwidth probes, draft-ietf-ccwg-bbr-06 section 5.3.3: is the path faster by now?
 *
 *              DOWN       CRUISE                    REFILL     UP                    DOWN
 *     pace     x 0.9      x 1.0                     x 1.0      x 1.25                ...
 *     until    queue      2 to 3 s, or 62 round     a round    no faster for three
 *              is gone    trips where that is less  trip       rounds, or 2 % lost
 *
 * A probe that lost too much sets inflight_longterm, the bound for what follows; the next one turns
 * back where it reaches that, and goes on from there at once if nothing was lost (5.3.3.6).
 *
 * Departure from 5.3.3.8: when a probe is due is drawn by a generator of the connection's own,
 * seeded with its initial sequence number, which is a keyed hash (RFC 6528) that an outsider does
 * not know: the stack draws no random numbers for congestion control, and a replay decides alike.
 */
#include "bbr.h"

enum {
    BETA_PERCENT = 70,
    RENO_ROUNDS_MAX = 63,
    PROBE_UP_ROUNDS_MAX = 30,
    PROBE_WAIT_MIN_US = 2000000,
    PROBE_WAIT_SPAN_US = 1000000,
};

static uint32_t draw(struct bbr *bbr, uint32_t below)
{
    bbr->random = bbr->random * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)bbr->random * below >> 32);
}

void bbr_start_probe_bw_down(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    bbr_reset_congestion_signals(bbr);
    bbr->probe_up_acked_per_inc = UINT32_MAX;
    bbr->rounds_since_probe_up = draw(bbr, 2); /* PickProbeWait() */
    bbr->bw_probe_wait_us = PROBE_WAIT_MIN_US + draw(bbr, PROBE_WAIT_SPAN_US);
    bbr->cycle_stamp_us = bbr->now_us;
    bbr->ack_phase = BBR_ACKS_PROBE_STOPPING;
    bbr_start_round(cc);
    bbr_enter(bbr, BBR_PROBE_BW_DOWN);
}

void bbr_start_probe_bw_refill(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    bbr_reset_short_term_model(bbr);
    bbr->bw_probe_up_rounds = 0;
    bbr->bw_probe_up_acked = 0;
    bbr->prev_probe_precautionary = false;
    bbr->ack_phase = BBR_ACKS_REFILLING;
    bbr_start_round(cc);
    bbr_enter(bbr, BBR_PROBE_BW_REFILL);
}

/* inflight_longterm may grow by 1, 2, 4 ... segments a round. */
static void raise_inflight_longterm_slope(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    bbr->probe_up_acked_per_inc = congestion_larger(cc->cwnd >> bbr->bw_probe_up_rounds, cc->mss);
    if (bbr->bw_probe_up_rounds < PROBE_UP_ROUNDS_MAX)
        bbr->bw_probe_up_rounds++;
}

static void start_probe_bw_up(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    bbr->is_bw_probe_sample = true;
    bbr->ack_phase = BBR_ACKS_PROBE_STARTING;
    bbr_start_round(cc);
    bbr_reset_full_bw(bbr);
    bbr->full_bw = bbr_sample(cc)->delivery_rate;
    bbr_enter(bbr, BBR_PROBE_BW_UP);
    raise_inflight_longterm_slope(cc);
}

static void probe_inflight_longterm_upward(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    if (!bbr->is_cwnd_limited || cc->cwnd < bbr->inflight_longterm)
        return;
    bbr->bw_probe_up_acked += bbr->newly_acked;
    uint32_t delta = bbr->bw_probe_up_acked / bbr->probe_up_acked_per_inc;
    bbr->bw_probe_up_acked -= delta * bbr->probe_up_acked_per_inc;
    uint64_t raised = bbr->inflight_longterm + (uint64_t)delta * cc->mss;
    bbr->inflight_longterm =
        raised < CONGESTION_WINDOW_MAX ? (uint32_t)raised : CONGESTION_WINDOW_MAX;
    if (bbr->round_start)
        raise_inflight_longterm_slope(cc);
}

/* The samples of a probe have all come: True when that decides the next state. */
static bool end_of_probe_samples(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    bbr->is_bw_probe_sample = false;
    bbr->ack_phase = BBR_ACKS_INIT;
    if (!bbr_is_in_probe_bw(bbr))
        return false;
    if (!bbr_sample(cc)->is_app_limited)
        bbr_advance_max_bw_filter(bbr);
    if (!bbr->prev_probe_precautionary || bbr->prev_probe_too_high)
        return false;
    bbr_start_probe_bw_refill(cc); /* 5.3.3.6: it was safe, so again, and for longer */
    return true;
}

/* AdaptLongTermModel(). */
static bool adapt_long_term_model(struct congestion *cc)
{
    const struct rate_sample *rs = bbr_sample(cc);
    struct bbr *bbr = cc->u.bbr;

    if (bbr->ack_phase == BBR_ACKS_PROBE_STARTING && bbr->round_start)
        bbr->ack_phase = BBR_ACKS_PROBE_FEEDBACK;
    if (bbr->ack_phase == BBR_ACKS_PROBE_STOPPING && bbr->round_start && end_of_probe_samples(cc))
        return true;
    if (bbr_is_inflight_too_high(bbr, rs) || bbr->inflight_longterm == BBR_NO_INFLIGHT)
        return false;
    bbr->inflight_longterm = congestion_larger(bbr->inflight_longterm, rs->tx_in_flight);
    if (bbr->state == BBR_PROBE_BW_UP)
        probe_inflight_longterm_upward(cc);
    return false;
}

/* HandleInflightTooHigh(): once per probe. */
void bbr_handle_inflight_too_high(struct congestion *cc, const struct rate_sample *rs)
{
    struct bbr *bbr = cc->u.bbr;

    bbr->prev_probe_too_high = true;
    bbr->is_bw_probe_sample = false;
    if (!rs->is_app_limited)
        bbr->inflight_longterm = congestion_larger(
            rs->tx_in_flight, (uint32_t)((uint64_t)bbr_target_inflight(cc) * BETA_PERCENT / 100));
    if (bbr->state != BBR_PROBE_BW_UP)
        return;
    bbr->undo.has_state = true;
    bbr->undo.state = BBR_PROBE_BW_UP;
    bbr_start_probe_bw_down(cc);
}

/* 5.3.3.8: 2 to 3 seconds, or, where that is less, as many round trips as the pipe holds segments,
 * which is when Reno would have filled it again. */
static bool is_time_to_probe_bw(struct congestion *cc)
{
    const struct bbr *bbr = cc->u.bbr;
    uint32_t rounds = congestion_smaller(bbr_target_inflight(cc) / cc->mss, RENO_ROUNDS_MAX);

    if (bbr->now_us <= bbr->cycle_stamp_us + bbr->bw_probe_wait_us &&
        bbr->rounds_since_probe_up < rounds)
        return false;
    bbr_start_probe_bw_refill(cc);
    return true;
}

static bool is_time_to_cruise(const struct congestion *cc)
{
    const struct bbr *bbr = cc->u.bbr;

    return bbr->in_flight <= bbr_inflight_with_headroom(cc) &&
           bbr->in_flight <= bbr_inflight(cc, bbr->max_bw, 100);
}

static bool is_time_to_go_down(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    if (bbr->prev_probe_too_high && bbr->in_flight >= bbr->inflight_longterm) {
        bbr->prev_probe_precautionary = true; /* 5.3.3.6: the last one went too far from here on */
        return true;
    }
    if (bbr->is_cwnd_limited && cc->cwnd >= bbr->inflight_longterm) {
        bbr_reset_full_bw(bbr); /* not the path is the limit but inflight_longterm */
        bbr->full_bw = bbr_sample(cc)->delivery_rate;
        return false;
    }
    return bbr->full_bw_now;
}

void bbr_update_probe_bw_cycle_phase(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    if (!bbr->full_bw_reached || adapt_long_term_model(cc))
        return;
    switch (bbr->state) {
    case BBR_PROBE_BW_DOWN:
        if (!is_time_to_probe_bw(cc) && is_time_to_cruise(cc))
            bbr_enter(bbr, BBR_PROBE_BW_CRUISE);
        return;
    case BBR_PROBE_BW_CRUISE:
        (void)is_time_to_probe_bw(cc);
        return;
    case BBR_PROBE_BW_REFILL:
        if (bbr->round_start)
            start_probe_bw_up(cc);
        return;
    case BBR_PROBE_BW_UP:
        if (is_time_to_go_down(cc)) {
            bbr->prev_probe_too_high = false;
            bbr_start_probe_bw_down(cc);
        }
        return;
    case BBR_STARTUP:
    case BBR_DRAIN:
    case BBR_PROBE_RTT:
    case BBR_STATE_COUNT:
        return;
    }
}
