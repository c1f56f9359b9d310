/* Reno: slow start and congestion avoidance of RFC 5681 (MUST-19), with appropriate byte counting
 * (RFC 3465) so that delayed and stretched ACKs neither slow it down nor let a peer that splits its
 * ACKs speed it up.
 *
 * Departure: RFC 3465 2.2 limits what one ACK adds in slow start to L = 2 segments, we to 8, as RFC
 * 9406 4.2 wants it for senders that do not pace. A receiver that takes many segments at once
 * acknowledges them by one ACK; with L = 2 the window would hardly grow. */
#include "congestion.h"

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

void congestion_init(struct congestion *cc, const struct congestion_ops *ops, uint32_t mss,
                     uint32_t segments)
{
    uint32_t cwnd = larger(segments, 1) * mss;

    if (segments == 10) /* RFC 6928 (1) */
        cwnd = mss * 10 < 14600 ? mss * 10 : larger(2 * mss, 14600);
    *cc = (struct congestion){
        .ops = ops, .cwnd = cwnd, .initial_cwnd = cwnd, .ssthresh = UINT32_MAX, .mss = mss};
}

static void on_ack(struct congestion *cc, uint32_t bytes)
{
    enum { CWND_MAX = 1 << 30, L = 8 };

    if (cc->cwnd >= CWND_MAX)
        return;
    if (cc->cwnd < cc->ssthresh) {
        uint32_t cwnd = cc->cwnd + (bytes < L * cc->mss ? bytes : L * cc->mss);
        cc->cwnd = cwnd < cc->ssthresh ? cwnd : cc->ssthresh; /* slow start ends there */
        return;
    }
    cc->acked_bytes += bytes; /* congestion avoidance: one SMSS per window, RFC 3465 2.1 */
    if (cc->acked_bytes >= cc->cwnd) {
        cc->acked_bytes -= cc->cwnd;
        cc->cwnd += cc->mss;
    }
}

/* RFC 5681 (4): ssthresh = max(FlightSize / 2, 2 * SMSS). */
static void reduce(struct congestion *cc, uint32_t flight)
{
    cc->prior_cwnd = cc->cwnd;
    cc->prior_ssthresh = cc->ssthresh;
    cc->ssthresh = larger(flight / 2, 2 * cc->mss);
    cc->acked_bytes = 0;
}

static void on_congestion(struct congestion *cc, uint32_t flight)
{
    reduce(cc, flight);
    cc->cwnd = cc->ssthresh;
}

static void on_timeout(struct congestion *cc, uint32_t flight)
{
    reduce(cc, flight);
    cc->cwnd = cc->mss; /* the loss window, RFC 5681 3.1 */
}

static void on_undo(struct congestion *cc)
{
    cc->cwnd = larger(cc->cwnd, cc->prior_cwnd);
    cc->ssthresh = larger(cc->ssthresh, cc->prior_ssthresh);
}

const struct congestion_ops congestion_reno = {
    .name = "reno",
    .on_ack = on_ack,
    .on_congestion = on_congestion,
    .on_timeout = on_timeout,
    .on_undo = on_undo,
};
