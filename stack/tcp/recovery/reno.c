/* Reno: congestion avoidance of RFC 5681 (MUST-19), with appropriate byte counting (RFC 3465 2.1);
 * slow start is in hystart.c. */
#include "congestion.h"

enum {
    BETA_LOSS_PERCENT = 50, /* RFC 5681 (4) */
    BETA_ECN_PERCENT = 80,  /* RFC 8511 3.1 */
};

static struct congestion_note on_ack(struct congestion *cc, const struct congestion_ack *ack)
{
    if (cc->cwnd < cc->ssthresh)
        return slow_start_on_ack(cc, ack);
    if (!congestion_may_grow(ack) || cc->cwnd >= CONGESTION_WINDOW_MAX)
        return (struct congestion_note){CWND_KEPT, {0}};
    cc->u.reno.acked_bytes += ack->acked_bytes; /* one SMSS per window, RFC 3465 2.1 */
    if (cc->u.reno.acked_bytes >= cc->cwnd) {
        cc->u.reno.acked_bytes -= cc->cwnd;
        cc->cwnd += cc->mss;
    }
    return (struct congestion_note){CWND_AVOIDANCE, {ack->acked_bytes}};
}

/* RFC 8511 changes the reaction to marks in congestion avoidance only (section 4); that includes
 * here cwnd = ssthresh, where a recovery has ended. */
static struct congestion_note on_congestion(struct congestion *cc, enum congestion_reason reason,
                                            uint32_t flight)
{
    bool is_ecn = reason == CONGESTION_ECN;
    bool is_abe = is_ecn && cc->has_abe && cc->cwnd >= cc->ssthresh;

    cc->u.reno.acked_bytes = 0;
    return congestion_reduce(cc, is_ecn ? CWND_ECN : CWND_LOSS, flight,
                             is_abe ? BETA_ECN_PERCENT : BETA_LOSS_PERCENT);
}

static struct congestion_note on_timeout(struct congestion *cc, uint32_t flight)
{
    struct congestion_note note = congestion_reduce(cc, CWND_TIMEOUT, flight, BETA_LOSS_PERCENT);

    cc->u.reno.acked_bytes = 0;
    cc->cwnd = cc->mss; /* the loss window, RFC 5681 3.1 */
    return note;
}

static struct congestion_note on_undo(struct congestion *cc)
{
    cc->cwnd = congestion_larger(cc->cwnd, cc->prior_cwnd);
    cc->ssthresh = congestion_larger(cc->ssthresh, cc->prior_ssthresh);
    return (struct congestion_note){CWND_UNDONE, {0}};
}

const struct congestion_ops congestion_reno = {
    .name = "reno",
    .on_ack = on_ack,
    .on_congestion = on_congestion,
    .on_timeout = on_timeout,
    .on_undo = on_undo,
};
