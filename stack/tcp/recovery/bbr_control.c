/* What BBR lets its model do, draft-ietf-ccwg-bbr-06 section 5.6: a pacing rate, which is the bw of
 * the model times the gain of the state, and a window, which is twice the product of bw and min_rtt
 * and only catches what pacing alone would let pile up.
 *
 * Departure from 5.6.2: the rate does not fall below the least window per round trip, four segments
 * per SRTT. That window allows as much anyway, and a model that some strange rounds have ruined (no
 * sample, 0.7 of nothing) could otherwise not be measured again for minutes. */
#include "bbr.h"

enum {
    STARTUP_PACING_GAIN = 277,
    PACING_MARGIN_PERCENT = 1,
    PROBE_RTT_CWND_GAIN = 50,
    MIN_PIPE_CWND_SEGMENTS = 4,
    HEADROOM_PERCENT = 15,
    MILLI_US = 1000,
    QUANTUM_MAX_BYTES = 65536,
};

static const uint64_t SECOND_US = 1000000;
static const uint64_t RATE_MAX = 1000000000000; /* 8 Tbit/s: what pacing.c can compute with */

/* 5.6.1, in per cent. */
static const struct {
    uint16_t pacing, cwnd;
} gain[BBR_STATE_COUNT] = {
    [BBR_STARTUP] = {STARTUP_PACING_GAIN, 200},
    [BBR_DRAIN] = {50, 200},
    [BBR_PROBE_BW_DOWN] = {90, 200},
    [BBR_PROBE_BW_CRUISE] = {100, 200},
    [BBR_PROBE_BW_REFILL] = {100, 200},
    [BBR_PROBE_BW_UP] = {125, 225},
    [BBR_PROBE_RTT] = {100, PROBE_RTT_CWND_GAIN},
};

/* ---- pacing rate, 5.6.2, and the quantum of 5.6.3 */

static uint32_t min_pipe_cwnd(const struct congestion *cc)
{
    return MIN_PIPE_CWND_SEGMENTS * cc->mss;
}

/* `bytes` per round trip. */
static uint64_t rate_of(const struct bbr *bbr, uint32_t bytes)
{
    return bytes * SECOND_US / (bbr->srtt_us != 0 ? bbr->srtt_us : MILLI_US);
}

void bbr_init_pacing_rate(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    bbr->pacing_rate = rate_of(bbr, cc->initial_cwnd) * STARTUP_PACING_GAIN / 100;
}

/* Before the pipe is known to be full the rate only grows. */
void bbr_set_pacing_rate_with_gain(struct congestion *cc, unsigned gain_percent)
{
    struct bbr *bbr = cc->u.bbr;
    uint64_t rate = bbr->bw * gain_percent / 100 * (100 - PACING_MARGIN_PERCENT) / 100;
    uint64_t least = rate_of(bbr, min_pipe_cwnd(cc));

    if (rate > RATE_MAX)
        rate = RATE_MAX;
    if (bbr->full_bw_reached || rate > bbr->pacing_rate)
        bbr->pacing_rate = rate;
    if (bbr->pacing_rate < least)
        bbr->pacing_rate = least;
}

void bbr_set_pacing_rate(struct congestion *cc)
{
    bbr_set_pacing_rate_with_gain(cc, gain[cc->u.bbr->state].pacing);
}

static uint32_t send_quantum(const struct congestion *cc)
{
    uint64_t bytes = bbr_bytes_in(cc->u.bbr->pacing_rate, MILLI_US);

    return congestion_larger(bytes < QUANTUM_MAX_BYTES ? (uint32_t)bytes : QUANTUM_MAX_BYTES,
                             2 * cc->mss);
}

/* ---- volumes of data, 5.6.4.2 */

uint32_t bbr_bdp_multiple(const struct congestion *cc, uint64_t bw, unsigned gain_percent)
{
    const struct bbr *bbr = cc->u.bbr;

    if (bbr->min_rtt_us == BBR_NO_RTT)
        return cc->initial_cwnd;
    uint64_t bdp = bbr_bytes_in(bw, bbr->min_rtt_us);
    if (bdp > CONGESTION_WINDOW_MAX)
        bdp = CONGESTION_WINDOW_MAX;
    return congestion_smaller((uint32_t)(bdp * gain_percent / 100), CONGESTION_WINDOW_MAX);
}

/* So much that offload on both ends and delayed acknowledgments do not stall the pipe. */
static uint32_t quantization_budget(const struct congestion *cc, uint32_t inflight)
{
    inflight = congestion_larger(inflight, 3 * send_quantum(cc)); /* offload_budget, 5.5.8.1 */
    inflight = congestion_larger(inflight, min_pipe_cwnd(cc));
    return cc->u.bbr->state == BBR_PROBE_BW_UP ? inflight + 2 * cc->mss : inflight;
}

uint32_t bbr_inflight(const struct congestion *cc, uint64_t bw, unsigned gain_percent)
{
    return quantization_budget(cc, bbr_bdp_multiple(cc, bw, gain_percent));
}

static uint32_t max_inflight(const struct congestion *cc)
{
    const struct bbr *bbr = cc->u.bbr;
    uint32_t inflight = bbr_bdp_multiple(cc, bbr->bw, gain[bbr->state].cwnd);

    return congestion_smaller(quantization_budget(cc, inflight + bbr_extra_acked(bbr)),
                              CONGESTION_WINDOW_MAX);
}

/* Room that other flows find. */
uint32_t bbr_inflight_with_headroom(const struct congestion *cc)
{
    uint32_t longterm = cc->u.bbr->inflight_longterm;

    if (longterm == BBR_NO_INFLIGHT)
        return BBR_NO_INFLIGHT;
    uint32_t headroom =
        congestion_larger(cc->mss, (uint32_t)((uint64_t)longterm * HEADROOM_PERCENT / 100));
    return congestion_larger(longterm > headroom ? longterm - headroom : 0, min_pipe_cwnd(cc));
}

uint32_t bbr_target_inflight(const struct congestion *cc)
{
    return congestion_smaller(bbr_bdp_multiple(cc, cc->u.bbr->bw, 100), cc->cwnd);
}

uint32_t bbr_probe_rtt_cwnd(const struct congestion *cc)
{
    return congestion_larger(bbr_bdp_multiple(cc, cc->u.bbr->bw, PROBE_RTT_CWND_GAIN),
                             min_pipe_cwnd(cc));
}

/* ---- the window, 5.6.4.4 to 5.6.4.7 */

void bbr_save_cwnd(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;

    if (!bbr->in_recovery && bbr->state != BBR_PROBE_RTT)
        bbr->prior_cwnd = cc->cwnd;
    else
        bbr->prior_cwnd = congestion_larger(bbr->prior_cwnd, cc->cwnd);
}

void bbr_restore_cwnd(struct congestion *cc)
{
    cc->cwnd = congestion_larger(cc->cwnd, cc->u.bbr->prior_cwnd);
}

static uint32_t cap_of_model(const struct congestion *cc)
{
    const struct bbr *bbr = cc->u.bbr;
    uint32_t cap = BBR_NO_INFLIGHT;

    if (bbr->state == BBR_PROBE_RTT || bbr->state == BBR_PROBE_BW_CRUISE)
        cap = bbr_inflight_with_headroom(cc);
    else if (bbr_is_in_probe_bw(bbr))
        cap = bbr->inflight_longterm;
    cap = congestion_smaller(cap, bbr->inflight_shortterm);
    return congestion_larger(cap, min_pipe_cwnd(cc));
}

/* 5.6.4.6: up by no more than what was delivered, down at once. */
void bbr_set_cwnd(struct congestion *cc)
{
    struct bbr *bbr = cc->u.bbr;
    uint32_t most = max_inflight(cc);

    if (bbr->full_bw_reached)
        cc->cwnd = congestion_smaller(cc->cwnd + bbr->newly_acked, most);
    else if (cc->cwnd < most || cc->rate->delivered < cc->initial_cwnd)
        cc->cwnd += bbr->newly_acked;
    cc->cwnd = congestion_larger(cc->cwnd, min_pipe_cwnd(cc));
    if (bbr->state == BBR_PROBE_RTT)
        cc->cwnd = congestion_smaller(cc->cwnd, bbr_probe_rtt_cwnd(cc));
    cc->cwnd = congestion_smaller(cc->cwnd, cap_of_model(cc));
    cc->cwnd = congestion_smaller(cc->cwnd, CONGESTION_WINDOW_MAX);
}
