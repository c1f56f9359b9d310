/* How much may be sent, see recovery.h.
 *
 * The window limits the pipe: bytes that are thought to be on their way. A byte leaves the pipe
 * when it is acknowledged, selectively acknowledged, or held to be lost; without SACK each
 * duplicate ACK takes one segment out, because it shows that one has arrived. Limited transmit (RFC
 * 3042) and NewReno's window inflation and deflation (RFC 6582) are then the same rule: send while
 * pipe < cwnd. */
#include "recovery.h"

#include "../seq.h"

void recovery_start(struct tcb *tcb)
{
    const struct tcp_config *config = tcb->config;
    uint32_t segments = config->initial_window_segments;

    if (tcb->retransmit_count > 0) { /* RFC 5681 3.1: a lost SYN or SYN,ACK: one segment */
        segments = 1;
        tcp_rto_after_lost_syn(&tcb->rto);
    }
    congestion_init(&tcb->cc, congestion_ops_of(config->congestion), tcb->snd_mss, segments);
    tcb->recovery = (struct recovery){.recover = tcb->iss}; /* RFC 6582 3.2 step 1 */
}

static void trace_cwnd(struct tcb *tcb, const char *cause)
{
    tcb_trace(tcb, (struct trace_event){.kind = TRACE_CWND,
                                        .cause = cause,
                                        .u.cwnd = {tcb->cc.cwnd, tcb->cc.ssthresh}});
}

void recovery_after_idle(struct tcb *tcb)
{
    uint64_t pause_us = tcb->stack->now_us - tcb->last_sent_us;

    if (pause_us <= tcp_rto_current_us(&tcb->rto, tcb->config) ||
        tcb->cc.cwnd <= tcb->cc.initial_cwnd)
        return;
    tcb->cc.cwnd = tcb->cc.initial_cwnd;
    trace_cwnd(tcb, "restart after a pause (RFC 5681 4.1)");
}

uint32_t recovery_pipe(const struct tcb *tcb)
{
    uint32_t flight = tcb->snd_nxt - tcb->snd_una;
    uint32_t left =
        tcb->in_flight.sacked_bytes + tcb->in_flight.lost_bytes + tcb->recovery.dup_acked_bytes;

    return flight > left ? flight - left : 0;
}

uint32_t recovery_allowance(const struct tcb *tcb)
{
    uint32_t pipe = recovery_pipe(tcb);
    uint32_t allowance = tcb->cc.cwnd > pipe ? tcb->cc.cwnd - pipe : 0;

    if (tcb->recovery.send_one && allowance < tcb->snd_mss)
        return tcb->snd_mss;
    return allowance;
}

static void trace_recovery(struct tcb *tcb, enum trace_recovery what, const char *cause,
                           const char *clause)
{
    tcb_trace(tcb, (struct trace_event){
                       .kind = TRACE_RECOVERY,
                       .cause = cause,
                       .clause = clause,
                       .u.recovery = {.what = what, .recover = tcb->recovery.recover - tcb->iss}});
}

/* Without SACK: count what the duplicate ACKs say has arrived; a cumulative ACK covers some of it.
 */
static void count_duplicates(struct tcb *tcb, const struct ack_news *news)
{
    struct recovery *recovery = &tcb->recovery;

    if (news->is_duplicate) {
        recovery->dup_ack_count++;
        uint32_t flight = tcb->snd_nxt - tcb->snd_una;
        if (recovery->dup_ack_count == 1)
            recovery->flight_at_first_dup = flight;
        if (!tcb->sack && recovery->dup_acked_bytes + 2 * tcb->snd_mss <= flight)
            recovery->dup_acked_bytes += tcb->snd_mss;
    } else if (news->acked_bytes > 0) {
        recovery->dup_ack_count = 0;
        /* Of what is acknowledged now, all but the repaired segment had been counted. */
        uint32_t covered = news->acked_bytes > tcb->snd_mss ? news->acked_bytes - tcb->snd_mss : 0;
        recovery->dup_acked_bytes -=
            covered < recovery->dup_acked_bytes ? covered : recovery->dup_acked_bytes;
        if (!recovery->is_active)
            recovery->dup_acked_bytes = 0;
    }
}

static void reduce(struct tcb *tcb, uint32_t flight)
{
    uint32_t cwnd = tcb->cc.cwnd;

    tcb->cc.ops->on_congestion(&tcb->cc, flight);
    if (tcb->cc.cwnd > cwnd) /* of less than two segments: no reduction makes it larger */
        tcb->cc.cwnd = cwnd;
    ecn_window_was_reduced(tcb);
}

static void enter(struct tcb *tcb, uint32_t flight)
{
    tcb->recovery.is_active = true;
    tcb->recovery.recover = tcb->snd_nxt;
    tcb->recovery.send_one = true;
    tcb->resend_cause = tcb->sack ? "fast retransmit: bytes above it were selectively acknowledged"
                                  : "fast retransmit: third duplicate ACK";
    /* RFC 5681 3.2 step 2: the segments of limited transmit do not count. */
    if (tcb->recovery.dup_ack_count > 0 && tcb->recovery.flight_at_first_dup < flight)
        flight = tcb->recovery.flight_at_first_dup;
    if (!tcb->ecn.is_reduced) /* once per window of data, whatever comes first (RFC 3168 6.1.2) */
        reduce(tcb, flight);
    trace_recovery(tcb, RECOVERY_ENTERED, tcb->resend_cause,
                   tcb->sack ? "RFC 6675 (5)" : "RFC 6582 3.2");
    trace_cwnd(tcb, "loss: half of the flight");
}

static void leave(struct tcb *tcb)
{
    struct recovery *recovery = &tcb->recovery;

    trace_recovery(tcb, RECOVERY_LEFT, "everything sent before the loss is acknowledged",
                   "RFC 6582 3.2");
    recovery->is_active = false;
    recovery->is_after_timeout = false;
    recovery->send_one = false;
    recovery->dup_ack_count = 0;
    recovery->dup_acked_bytes = 0;
}

/* RFC 5681 assumes a sender that uses its window: one that does not learns nothing about the path.
 */
static bool window_was_used(const struct tcb *tcb, uint32_t flight_before)
{
    if (tcb->cc.cwnd < tcb->cc.ssthresh)
        return 2 * (uint64_t)flight_before >= tcb->cc.cwnd;
    return flight_before + 2 * tcb->snd_mss >= tcb->cc.cwnd;
}

static void grow(struct tcb *tcb, const struct ack_news *news)
{
    if (news->acked_bytes == 0 || news->is_congestion_echo ||
        !window_was_used(tcb, news->flight_before))
        return;
    uint32_t cwnd = tcb->cc.cwnd;
    tcb->cc.ops->on_ack(&tcb->cc, news->acked_bytes);
    if (tcb->cc.cwnd != cwnd)
        trace_cwnd(tcb, cwnd < tcb->cc.ssthresh ? "slow start" : "congestion avoidance");
}

void recovery_on_ack(struct tcb *tcb, const struct ack_news *news)
{
    struct recovery *recovery = &tcb->recovery;

    count_duplicates(tcb, news);
    if (!recovery->is_active && !recovery->is_after_timeout &&
        seq_gt(tcb->snd_una, recovery->recover))
        recovery->recover =
            tcb->snd_una - 1; /* keeps up, so that it never lies half the space back */
    bool was_active = recovery->is_active;
    bool was_after_timeout = recovery->is_after_timeout;
    if ((recovery->is_active || recovery->is_after_timeout) &&
        seq_geq(tcb->snd_una, recovery->recover))
        leave(tcb);
    if (recovery->is_active) {
        bool is_partial = news->acked_bytes > 0;
        if ((is_partial || tcb->sack) && detect_losses(tcb) && !tcb->sack) {
            recovery->send_one = true;
            tcb->resend_cause = "partial acknowledgment: the next segment is lost too";
        }
    } else if (was_after_timeout) {
        /* What a retransmission acknowledges was mostly not sent in this window: L = 1, RFC 3465
         * 2.3. */
        uint32_t bytes = news->acked_bytes < tcb->snd_mss ? news->acked_bytes : tcb->snd_mss;
        grow(tcb, &(struct ack_news){.flight_before = tcb->cc.cwnd,
                                     .acked_bytes = bytes,
                                     .is_congestion_echo = news->is_congestion_echo});
    } else if (detect_losses(tcb)) {
        if (!path_mtu_takes_loss(tcb))
            enter(tcb, news->flight_before);
    } else if (!was_active) { /* the ACK that ends recovery leaves ssthresh, RFC 6582 3.2 step 3 */
        grow(tcb, news);
    }
}

bool recovery_on_echo(struct tcb *tcb, uint32_t flight)
{
    if (tcb->recovery.is_active || tcb->recovery.is_after_timeout)
        return false;
    reduce(tcb, flight);
    trace_cwnd(tcb, "a router's mark: half of the flight");
    return true;
}

void recovery_on_timeout(struct tcb *tcb)
{
    struct recovery *recovery = &tcb->recovery;
    uint32_t flight = tcb->snd_nxt - tcb->snd_una;

    bool is_repeated = recovery->is_after_timeout && tcb->in_flight.count > 0 &&
                       records_at(&tcb->in_flight, 0)->transmission_count > 1;
    if (is_repeated) /* RFC 5681 3.1: ssthresh is held for the same segment */
        tcb->cc.cwnd = tcb->snd_mss;
    else if (tcb->cc.ops != NULL)
        tcb->cc.ops->on_timeout(&tcb->cc, flight);
    ecn_window_was_reduced(tcb);
    records_forget_sacks(&tcb->in_flight);
    records_all_lost(&tcb->in_flight);
    *recovery =
        (struct recovery){.is_after_timeout = true, .recover = tcb->snd_nxt, .send_one = true};
    tcb->resend_cause = "the retransmission timer expired";
    if (tcb->cc.ops != NULL)
        trace_cwnd(tcb, "time-out: one segment");
}
