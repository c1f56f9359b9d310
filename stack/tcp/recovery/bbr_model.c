/* BBR's model of the path, draft-ietf-ccwg-bbr-06 section 5.5: two numbers describe it, how fast it
 * delivers (max_bw, the maximum over two cycles of ProbeBW) and how long it takes (min_rtt, the
 * minimum over ten seconds). Their product is what has to be in flight.
 *
 *                  long term: what was possible          short term: what is possible now
 *     rate         max_bw                                bw_shortterm
 *     volume       inflight_longterm                     inflight_shortterm
 *
 * A round with a loss lowers the short-term bounds, by at most 30 per cent; they are forgotten
 * before the next probe. Loss above 2 per cent during a probe sets inflight_longterm. */
#include "../seq.h"
#include "bbr.h"

enum {
    BETA_PERCENT = 70,
    LOSS_THRESH_PERCENT = 2,
    EXTRA_ACKED_FILTER_ROUNDS = 10,
    PROBE_RTT_INTERVAL_US = 5000000,
    MIN_RTT_FILTER_US = 10000000,
};

static const uint64_t SECOND_US = 1000000;

uint64_t bbr_bytes_in(uint64_t bw, uint64_t us)
{
    if (us != 0 && bw > UINT64_MAX / us)
        return UINT64_MAX / SECOND_US;
    return bw * us / SECOND_US;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* 5.2.1, OnInit(), as far as it is not 0. */
void bbr_init_model(struct congestion *cc, const struct congestion_path *path)
{
    struct bbr *bbr = cc->u.bbr;

    bbr->now_us = path->now_us;
    bbr->random = path->seed;
    bbr->has_sack = path->has_sack;
    bbr->srtt_us = path->srtt_us;
    bbr->min_rtt_us = path->srtt_us != 0 ? path->srtt_us : BBR_NO_RTT;
    bbr->probe_rtt_min_delay_us = bbr->min_rtt_us;
    bbr->min_rtt_stamp_us = bbr->probe_rtt_min_stamp_us = path->now_us;
    bbr->extra_acked_interval_start_us = path->now_us;
    bbr->inflight_longterm = BBR_NO_INFLIGHT;
    bbr->probe_up_acked_per_inc = UINT32_MAX;
    bbr_reset_short_term_model(bbr);
    bbr->undo.bw_shortterm = bbr->bw_shortterm;
    bbr->undo.inflight_shortterm = bbr->undo.inflight_longterm = BBR_NO_INFLIGHT;
}

/* ---- bandwidth, 5.5.1 to 5.5.6 */

/* A round trip is over when something is delivered that was sent after it began. */
static void update_round(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    bbr->round_start = seq_geq(bbr_sample(cc)->prior_delivered, bbr->next_round_delivered);
    if (!bbr->round_start)
        return;
    bbr_start_round(cc);
    bbr->round_count++;
    bbr->rounds_since_probe_up++;
}

/* Where the application set the rate, only what is faster than anything so far says something of
 * the network (5.5.4). */
static void update_max_bw(struct congestion *cc)
{
    const struct rate_sample *rs = bbr_sample(cc);
    struct bbr *bbr = cc->u.bbr;

    update_round(cc);
    if (rs->delivery_rate == 0 || (rs->is_app_limited && rs->delivery_rate < bbr->max_bw))
        return;
    bbr->max_bw_filter[1] = larger(bbr->max_bw_filter[1], rs->delivery_rate);
    bbr->max_bw = larger(bbr->max_bw_filter[0], bbr->max_bw_filter[1]);
}

/* 5.5.6. A cycle without a sample does not count. */
void bbr_advance_max_bw_filter(struct bbr *bbr)
{
    if (bbr->max_bw_filter[1] == 0)
        return;
    bbr->max_bw_filter[0] = bbr->max_bw_filter[1];
    bbr->max_bw_filter[1] = 0;
    bbr->max_bw = bbr->max_bw_filter[0];
}

void bbr_bound_bw_for_model(struct bbr *bbr)
{
    bbr->bw = bbr->max_bw < bbr->bw_shortterm ? bbr->max_bw : bbr->bw_shortterm;
}

/* ---- round trip, 5.3.4.3 */

void bbr_update_min_rtt(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;
    uint32_t rtt_us = bbr_sample(cc)->rtt_us;

    bbr->probe_rtt_expired = bbr->now_us > bbr->probe_rtt_min_stamp_us + PROBE_RTT_INTERVAL_US;
    if (rtt_us > 0 && (rtt_us < bbr->probe_rtt_min_delay_us || bbr->probe_rtt_expired)) {
        bbr->probe_rtt_min_delay_us = rtt_us;
        bbr->probe_rtt_min_stamp_us = bbr->now_us;
    }
    bool is_expired = bbr->now_us > bbr->min_rtt_stamp_us + MIN_RTT_FILTER_US;
    if (bbr->probe_rtt_min_delay_us < bbr->min_rtt_us || is_expired) {
        bbr->min_rtt_us = bbr->probe_rtt_min_delay_us;
        bbr->min_rtt_stamp_us = bbr->probe_rtt_min_stamp_us;
    }
}

/* ---- aggregation, 5.5.9 */

/* The maximum over ten rounds is kept as those of two halves, so that it covers five to ten; in
 * Startup over one. */
static void turn_extra_acked_filter(struct bbr *bbr)
{
    uint32_t rounds = bbr->full_bw_reached ? EXTRA_ACKED_FILTER_ROUNDS / 2 : 1;

    if (!bbr->round_start || bbr->round_count - bbr->extra_acked_round < rounds)
        return;
    bbr->extra_acked_round = bbr->round_count;
    bbr->extra_acked_filter[0] = bbr->full_bw_reached ? bbr->extra_acked_filter[1] : 0;
    bbr->extra_acked_filter[1] = 0;
}

/* How much more was acknowledged at once than the bandwidth explains: where a receiver or a link
 * answers in lumps, the window has to bridge the silence between them. */
void bbr_update_ack_aggregation(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;
    uint64_t expected = bbr_bytes_in(bbr->bw, bbr->now_us - bbr->extra_acked_interval_start_us);

    turn_extra_acked_filter(bbr);
    if (bbr->extra_acked_delivered <= expected) {
        bbr->extra_acked_delivered = 0;
        bbr->extra_acked_interval_start_us = bbr->now_us;
        expected = 0;
    }
    bbr->extra_acked_delivered += bbr->newly_acked;
    uint64_t extra = bbr->extra_acked_delivered - expected;
    uint32_t bounded = extra < cc->cwnd ? (uint32_t)extra : cc->cwnd;
    bbr->extra_acked_filter[1] = congestion_larger(bbr->extra_acked_filter[1], bounded);
}

uint32_t bbr_extra_acked(const struct bbr *bbr)
{
    return congestion_larger(bbr->extra_acked_filter[0], bbr->extra_acked_filter[1]);
}

/* ---- losses, 5.5.10 */

/* Near the start of ACK processing. */
void bbr_update_latest_delivery_signals(struct congestion *cc)
{
    const struct rate_sample *rs = bbr_sample(cc);
    struct bbr *bbr = cc->u.bbr;

    bbr->bw_latest = larger(bbr->bw_latest, rs->delivery_rate);
    bbr->inflight_latest = congestion_larger(bbr->inflight_latest, rs->delivered);
    bbr->loss_round_start = seq_geq(rs->prior_delivered, bbr->loss_round_delivered);
    if (bbr->loss_round_start)
        bbr->loss_round_delivered = cc->rate->delivered;
}

/* Near its end. */
void bbr_advance_latest_delivery_signals(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    if (!bbr->loss_round_start)
        return;
    bbr->bw_latest = bbr_sample(cc)->delivery_rate;
    bbr->inflight_latest = bbr_sample(cc)->delivered;
    bbr->lost_ranges = 0;
}

void bbr_reset_congestion_signals(struct bbr *bbr)
{
    bbr->is_loss_in_round = false;
    bbr->bw_latest = 0;
    bbr->inflight_latest = 0;
}

void bbr_reset_short_term_model(struct bbr *bbr)
{
    bbr->bw_shortterm = BBR_NO_BW;
    bbr->inflight_shortterm = BBR_NO_INFLIGHT;
}

/* AdaptLowerBoundsFromCongestion(): to what was delivered in the round with a loss. */
static bool adapt_lower_bounds(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    if (bbr_is_probing_bw(bbr) || !bbr->is_loss_in_round)
        return false;
    if (bbr->bw_shortterm == BBR_NO_BW)
        bbr->bw_shortterm = bbr->max_bw;
    if (bbr->inflight_shortterm == BBR_NO_INFLIGHT)
        bbr->inflight_shortterm = cc->cwnd;
    uint32_t inflight = (uint32_t)((uint64_t)bbr->inflight_shortterm * BETA_PERCENT / 100);
    bbr->bw_shortterm = larger(bbr->bw_latest, bbr->bw_shortterm / 100 * BETA_PERCENT);
    bbr->inflight_shortterm = congestion_larger(bbr->inflight_latest, inflight);
    return true;
}

bool bbr_update_congestion_signals(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    update_max_bw(cc);
    if (!bbr->loss_round_start)
        return false;
    bool is_lower = adapt_lower_bounds(cc);
    bbr->is_loss_in_round = false;
    return is_lower;
}

/* NoteLoss(). */
void bbr_note_loss(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    if (!bbr->is_loss_in_round)
        bbr->loss_round_delivered = cc->rate->delivered;
    bbr->is_loss_in_round = true;
}

/* 5.5.11.1, with an undo_state of None. */
void bbr_save_state_upon_loss(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    bbr_save_cwnd(cc);
    bbr->undo = (struct bbr_undo){.bw_shortterm = bbr->bw_shortterm,
                                  .inflight_shortterm = bbr->inflight_shortterm,
                                  .inflight_longterm = bbr->inflight_longterm};
}

bool bbr_is_inflight_too_high(const struct bbr *bbr, const struct rate_sample *rs)
{
    return (uint64_t)rs->lost * 100 > (uint64_t)rs->tx_in_flight * LOSS_THRESH_PERCENT ||
           (rs->lost > 0 && !bbr->has_sack);
}

/* lost_prefix >= (LossThresh * inflight_prev - lost_prev) / (1 - LossThresh) */
uint32_t bbr_inflight_at_loss(const struct rate_sample *rs, uint32_t bytes)
{
    uint64_t inflight_prev = rs->tx_in_flight > bytes ? rs->tx_in_flight - bytes : 0;
    uint64_t lost_prev = rs->lost > bytes ? rs->lost - bytes : 0;
    uint64_t budget = inflight_prev * LOSS_THRESH_PERCENT, spent = lost_prev * 100;
    uint64_t prefix = budget > spent ? (budget - spent) / (100 - LOSS_THRESH_PERCENT) : 0;

    return (uint32_t)(inflight_prev + prefix);
}
