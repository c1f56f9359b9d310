/* BBR, version 3 (draft-ietf-ccwg-bbr-06): what its four files share. bbr.c is the state machine
 * and the door (5.2 to 5.4), bbr_probe_bw.c the cycle of probes in it (5.3.3), bbr_model.c what is
 * known of the path (5.5), bbr_control.c what follows from it: pacing rate and window (5.6). Names
 * are the draft's; bytes and microseconds. */
#ifndef TUNTCP_TCP_BBR_H
#define TUNTCP_TCP_BBR_H

#include "congestion.h"
#include "rate.h"

enum bbr_state {
    BBR_STARTUP,
    BBR_DRAIN,
    BBR_PROBE_BW_DOWN,
    BBR_PROBE_BW_CRUISE,
    BBR_PROBE_BW_REFILL,
    BBR_PROBE_BW_UP,
    BBR_PROBE_RTT,
    BBR_STATE_COUNT,
};

/* What the samples of this moment were sent by. */
enum bbr_ack_phase {
    BBR_ACKS_INIT,
    BBR_ACKS_REFILLING,
    BBR_ACKS_PROBE_STARTING, /* probing, and nothing of it has come back */
    BBR_ACKS_PROBE_FEEDBACK,
    BBR_ACKS_PROBE_STOPPING, /* no longer, but samples of it still come */
};

#define BBR_NO_BW       UINT64_MAX /* Infinity */
#define BBR_NO_INFLIGHT UINT32_MAX
#define BBR_NO_RTT      UINT32_MAX

/* The window and the bounds before a loss, 5.5.11.1. */
struct bbr_undo {
    bool has_state; /* the loss ended `state`: Startup or ProbeBW_UP */
    enum bbr_state state;
    uint64_t bw_shortterm;
    uint32_t inflight_shortterm, inflight_longterm;
};

struct bbr {
    /* Of the acknowledgment at hand. */
    uint64_t now_us;
    uint32_t in_flight, newly_acked;
    bool is_cwnd_limited, in_recovery;
    bool has_lost; /* something is held to be lost since the last one */

    enum bbr_state state;
    enum bbr_ack_phase ack_phase;
    enum trace_cwnd entered; /* a state that was not told yet; CWND_KEPT: none */
    uint32_t random;
    bool has_sack; /* C.has_selective_acks */

    /* Rounds, 5.5.1. */
    uint32_t next_round_delivered, round_count;
    bool round_start;

    /* Bandwidth, 5.5.2; bytes per second. */
    uint64_t max_bw_filter[2]; /* the ProbeBW cycle before, and this one */
    uint64_t max_bw, bw, bw_latest, bw_shortterm;
    uint64_t pacing_rate;
    uint32_t srtt_us;

    /* Round trip, 5.5.7 and 5.3.4. */
    uint64_t min_rtt_stamp_us, probe_rtt_min_stamp_us, probe_rtt_done_stamp_us;
    uint32_t min_rtt_us, probe_rtt_min_delay_us;
    bool probe_rtt_expired, probe_rtt_round_done, idle_restart;

    /* Volume of data. */
    uint32_t inflight_latest, inflight_shortterm, inflight_longterm;
    uint32_t prior_cwnd;

    /* Aggregation of acknowledgments, 5.5.9. */
    uint64_t extra_acked_interval_start_us, extra_acked_delivered;
    uint32_t extra_acked_filter[2], extra_acked_round; /* round_count when its half began */

    /* Is the pipe full? 5.3.1.2. */
    uint64_t full_bw;
    uint8_t full_bw_count;
    bool full_bw_now, full_bw_reached;

    /* Losses, 5.5.10. */
    uint32_t loss_round_delivered, last_lost_end;
    uint8_t lost_ranges; /* in this round */
    bool loss_round_start, is_loss_in_round;
    struct bbr_undo undo;

    /* The cycle of ProbeBW, 5.3.3. */
    uint64_t cycle_stamp_us;
    uint32_t bw_probe_wait_us, rounds_since_probe_up, drain_start_round;
    uint32_t probe_up_acked_per_inc, bw_probe_up_acked;
    uint8_t bw_probe_up_rounds;
    bool is_bw_probe_sample, prev_probe_too_high, prev_probe_precautionary;
};

static inline const struct rate_sample *bbr_sample(const struct congestion *cc)
{
    return &cc->rate->sample;
}

static inline bool bbr_is_in_probe_bw(const struct bbr *bbr)
{
    return bbr->state >= BBR_PROBE_BW_DOWN && bbr->state <= BBR_PROBE_BW_UP;
}

/* The bytes that leave in `us` at `bw`. */
uint64_t bbr_bytes_in(uint64_t bw, uint64_t us);

/* ---- bbr.c */

void bbr_start_round(struct congestion *cc);
void bbr_enter(struct bbr *bbr, enum bbr_state state);
void bbr_reset_full_bw(struct bbr *bbr);
/* IsProbingBW(). */
bool bbr_is_probing_bw(const struct bbr *bbr);

/* ---- bbr_probe_bw.c */

void bbr_start_probe_bw_down(struct congestion *cc);
void bbr_start_probe_bw_refill(struct congestion *cc);
void bbr_update_probe_bw_cycle_phase(struct congestion *cc);
/* Once per probe. */
void bbr_handle_inflight_too_high(struct congestion *cc, const struct rate_sample *rs);

/* ---- bbr_model.c */

void bbr_init_model(struct congestion *cc, const struct congestion_path *path);
void bbr_update_latest_delivery_signals(struct congestion *cc);
/* True: bounds were lowered. */
bool bbr_update_congestion_signals(struct congestion *cc);
void bbr_update_ack_aggregation(struct congestion *cc);
void bbr_update_min_rtt(struct congestion *cc);
void bbr_advance_latest_delivery_signals(struct congestion *cc);
void bbr_bound_bw_for_model(struct bbr *bbr);
void bbr_advance_max_bw_filter(struct bbr *bbr);
void bbr_reset_congestion_signals(struct bbr *bbr);
void bbr_reset_short_term_model(struct bbr *bbr);
void bbr_note_loss(struct congestion *cc);
void bbr_save_state_upon_loss(struct congestion *cc);
bool bbr_is_inflight_too_high(const struct bbr *bbr, const struct rate_sample *rs);
/* At what volume in flight the losses passed the threshold, inside a packet of `bytes`. */
uint32_t bbr_inflight_at_loss(const struct rate_sample *rs, uint32_t bytes);
uint32_t bbr_extra_acked(const struct bbr *bbr);

/* ---- bbr_control.c */

uint32_t bbr_inflight(const struct congestion *cc, uint64_t bw, unsigned gain_percent);
uint32_t bbr_inflight_with_headroom(const struct congestion *cc);
uint32_t bbr_target_inflight(const struct congestion *cc);
uint32_t bbr_probe_rtt_cwnd(const struct congestion *cc);
void bbr_init_pacing_rate(struct congestion *cc);
void bbr_set_pacing_rate(struct congestion *cc);
void bbr_set_pacing_rate_with_gain(struct congestion *cc, unsigned gain_percent);
void bbr_set_cwnd(struct congestion *cc);
void bbr_save_cwnd(struct congestion *cc);
void bbr_restore_cwnd(struct congestion *cc);
/* BDPMultiple(). */
uint32_t bbr_bdp_multiple(const struct congestion *cc, uint64_t bw, unsigned gain_percent);

#endif
