/* CUBIC, RFC 9438: after a loss at the window W_max the next window is a cubic function of the time
 * t since then, not of the number of acknowledgments, so that long paths are not left behind:
 *
 *     W_cubic(t) = C (t - K)^3 + W_max           C = 0.4, in segments and seconds
 *
 *       W_max  - - - - - - - - - - - - - _,,---=*=---'' <- convex: looks for more
 *                            _,-''              K
 *               _,-' <- concave: comes back fast, then carefully
 *     0.7 W_max '
 *
 * Where that is slower than Reno would be (short paths, small windows), Reno's window W_est is
 * followed instead (4.3).
 *
 * All in integers: bytes, milliseconds for the cubic function and microseconds for the clock. W_est
 * grows by less than a byte per acknowledgment, so it has ten binary places. The target is computed
 * anew from the time at each acknowledgment: rounding does not add up.
 *
 * t is a clock that runs only while the window is in use (4.2, 5.8), by at most one round trip per
 * acknowledgment: a pause, however long, does not let the window jump.
 *
 * Departure: 4.10 wants slow start up to and at ssthresh; at it, where a recovery ends, we avoid
 * congestion, as RFC 5681 3.1 allows. */
#include "congestion.h"

enum {
    BETA_PERCENT = 70,     /* 4.6 */
    BETA_ECN_PERCENT = 85, /* RFC 8511 3.1 */
    ALPHA_PARTS = 9,
    ALPHA_OF = 17, /* 3 (1 - beta) / (1 + beta), 4.3 */
    FINE = 1024,
    T_MAX_US = 1000000000, /* far behind any K */
};

static bool begin_stage(struct cubic_epoch *epoch, const struct congestion *cc);
static void run_clock(struct cubic_epoch *epoch, const struct congestion_ack *ack);
static uint32_t w_cubic(const struct cubic_epoch *epoch, uint32_t mss, uint64_t t_us);
static uint32_t grow_w_est(struct cubic_epoch *epoch, const struct congestion *cc,
                           uint32_t acked_bytes);
static uint32_t towards_target(const struct congestion *cc, const struct congestion_ack *ack);

static struct congestion_note on_ack(struct congestion *cc, const struct congestion_ack *ack)
{
    struct cubic_epoch *epoch = &cc->u.cubic.now;

    if (cc->cwnd < cc->ssthresh) {
        epoch->has_begun = false; /* after a pause as well: a stage begins where slow start ends */
        return slow_start_on_ack(cc, ack);
    }
    run_clock(epoch, ack);
    if (!congestion_may_grow(ack) || cc->cwnd >= CONGESTION_WINDOW_MAX)
        return (struct congestion_note){CWND_KEPT, {0}};
    if (!epoch->has_begun)
        epoch->has_begun = begin_stage(epoch, cc);
    uint32_t w_est = grow_w_est(epoch, cc, ack->acked_bytes);
    uint32_t now_bytes = w_cubic(epoch, cc->mss, epoch->t_us);
    uint32_t t_ms = epoch->t_us / 1000;
    if (now_bytes < w_est) { /* 4.3; what the target has added before is kept */
        cc->cwnd = congestion_larger(cc->cwnd, w_est);
        return (struct congestion_note){CWND_RENO_FRIENDLY, {t_ms, w_est, now_bytes}};
    }
    cc->cwnd += towards_target(cc, ack);
    return (struct congestion_note){CWND_CUBIC, {t_ms, epoch->k_ms, now_bytes, epoch->w_max}};
}

/* floor(x^(1/3)) for x below 2^63. */
static uint32_t cube_root(uint64_t x)
{
    uint64_t root = 0;

    for (int bit = 20; bit >= 0; bit--) {
        uint64_t larger = root | (uint64_t)1 << bit;
        if (larger * larger * larger <= x)
            root = larger;
    }
    return (uint32_t)root;
}

/* 4.2: K = cbrt((W_max - cwnd_epoch) / C); without a W_max that lies above, 4.8 and 4.10: K = 0 and
 * W_max = cwnd. Returns true. */
static bool begin_stage(struct cubic_epoch *epoch, const struct congestion *cc)
{
    const uint64_t ms3_per_c = 2500000000; /* (1000 ms/s)^3 / 0.4 */

    if (epoch->w_max < cc->cwnd)
        epoch->w_max = cc->cwnd;
    epoch->k_ms = cube_root((epoch->w_max - cc->cwnd) * ms3_per_c / cc->mss);
    epoch->t_us = 0;
    epoch->w_est_fine = (uint64_t)cc->cwnd * FINE;
    return true;
}

static void run_clock(struct cubic_epoch *epoch, const struct congestion_ack *ack)
{
    uint32_t passed_us = (uint32_t)ack->now_us - epoch->acked_us;

    epoch->acked_us = (uint32_t)ack->now_us;
    if (!congestion_may_grow(ack) || epoch->t_us >= T_MAX_US)
        return;
    epoch->t_us += passed_us < ack->srtt_us ? passed_us : ack->srtt_us;
}

/* 4.2, figure 1. Below K the result is at least the window at the beginning of the stage; far
 * behind K the distance is bounded, and with it the product. */
static uint32_t w_cubic(const struct cubic_epoch *epoch, uint32_t mss, uint64_t t_us)
{
    const uint64_t distance_max_ms = 100000;
    uint64_t t_ms = t_us / 1000;
    bool is_concave = t_ms < epoch->k_ms;
    uint64_t d = is_concave ? epoch->k_ms - t_ms : t_ms - epoch->k_ms;

    if (!is_concave && d > distance_max_ms)
        d = distance_max_ms;
    uint64_t bytes = d * d * d / 1000 * 4 * mss / 10000000; /* 0.4 d^3, d in ms */
    if (is_concave)
        return bytes < epoch->w_max ? epoch->w_max - (uint32_t)bytes : 0;
    return bytes < CONGESTION_WINDOW_MAX ? epoch->w_max + (uint32_t)bytes : CONGESTION_WINDOW_MAX;
}

/* 4.3, figure 4: as Reno would, if it gave way by the same factor; as fast as Reno once it is back.
 */
static uint32_t grow_w_est(struct cubic_epoch *epoch, const struct congestion *cc,
                           uint32_t acked_bytes)
{
    bool is_back = epoch->w_est_fine / FINE >= epoch->cwnd_prior;
    uint64_t more = (uint64_t)acked_bytes * cc->mss * FINE / cc->cwnd;

    epoch->w_est_fine += is_back ? more : more * ALPHA_PARTS / ALPHA_OF;
    if (epoch->w_est_fine > (uint64_t)CONGESTION_WINDOW_MAX * FINE)
        epoch->w_est_fine = (uint64_t)CONGESTION_WINDOW_MAX * FINE;
    return (uint32_t)(epoch->w_est_fine / FINE);
}

/* 4.2, 4.4, 4.5: go in one round trip to where W_cubic will be then, but never by more than half
 * the window. */
static uint32_t towards_target(const struct congestion *cc, const struct congestion_ack *ack)
{
    const struct cubic_epoch *epoch = &cc->u.cubic.now;
    uint32_t target = w_cubic(epoch, cc->mss, (uint64_t)epoch->t_us + ack->srtt_us);
    uint32_t most = cc->cwnd + cc->cwnd / 2;
    uint32_t acked = ack->acked_bytes < cc->cwnd ? ack->acked_bytes : cc->cwnd;

    if (target > most)
        target = most;
    return target > cc->cwnd ? (uint32_t)((uint64_t)(target - cc->cwnd) * acked / cc->cwnd) : 0;
}

/* The stage is over: remember it, and where it ended. 4.7, fast convergence: a flow that lost below
 * its last W_max has a new neighbour, and leaves room for it. */
static void end_stage(struct congestion *cc, uint32_t w_max)
{
    cc->u.cubic.before = cc->u.cubic.now;
    cc->u.cubic.now = (struct cubic_epoch){.w_max = w_max, .cwnd_prior = cc->cwnd};
}

static struct congestion_note on_congestion(struct congestion *cc, enum congestion_reason reason,
                                            uint32_t flight)
{
    bool is_ecn = reason == CONGESTION_ECN;
    bool is_abe = is_ecn && cc->has_abe && cc->cwnd >= cc->ssthresh;
    bool is_squeezed = cc->cwnd < cc->u.cubic.now.w_max;

    end_stage(cc,
              is_squeezed ? (uint32_t)((uint64_t)cc->cwnd * (100 + BETA_PERCENT) / 200) : cc->cwnd);
    return congestion_reduce(cc, is_ecn ? CWND_ECN : CWND_LOSS, flight,
                             is_abe ? BETA_ECN_PERCENT : BETA_PERCENT);
}

/* 4.8: Reno's, with CUBIC's factor; the next stage takes W_max from where it begins. */
static struct congestion_note on_timeout(struct congestion *cc, uint32_t flight)
{
    end_stage(cc, 0);
    struct congestion_note note = congestion_reduce(cc, CWND_TIMEOUT, flight, BETA_PERCENT);
    cc->cwnd = cc->mss;
    return note;
}

/* 4.9.2. Departure: ssthresh comes back even where the window was not lowered, or has grown since:
 * a slow start that was cut short by mistake goes on. */
static struct congestion_note on_undo(struct congestion *cc)
{
    if (cc->cwnd >= cc->prior_cwnd && cc->ssthresh >= cc->prior_ssthresh)
        return (struct congestion_note){CWND_KEPT, {0}};
    if (cc->cwnd < cc->prior_cwnd) {
        cc->cwnd = cc->prior_cwnd;
        cc->u.cubic.now = cc->u.cubic.before;
    }
    cc->ssthresh = congestion_larger(cc->ssthresh, cc->prior_ssthresh);
    return (struct congestion_note){CWND_UNDONE, {0}};
}

const struct congestion_ops congestion_cubic = {
    .name = "cubic",
    .wants_pacing = true,
    .on_ack = on_ack,
    .on_congestion = on_congestion,
    .on_timeout = on_timeout,
    .on_undo = on_undo,
};
