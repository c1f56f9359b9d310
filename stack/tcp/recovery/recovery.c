/* How much may be sent, see recovery.h.
 *
 * The window limits the pipe: bytes that are thought to be on their way. A byte leaves the pipe
 * when it is acknowledged, selectively acknowledged, or held to be lost; without SACK each
 * duplicate ACK takes one segment out, because it shows that one has arrived. Limited transmit (RFC
 * 3042) and NewReno's window inflation and deflation (RFC 6582) are then the same rule: send while
 * pipe < cwnd. During a fast recovery PRR says where the pipe may grow to, and congestion control
 * what it is to be in the end. */
#include "recovery.h"

#include "../seq.h"
#include "detect.h"
#include "frto.h"
#include "prr.h"
#include "rack.h"
#include "tlp.h"
#include "undo.h"
#include "window.h"

void recovery_start(struct tcb *tcb)
{
    const struct tcp_config *config = tcb->config;
    uint32_t segments = config->initial_window_segments;

    if (tcb->retransmit_count > 0) { /* RFC 5681 3.1: a lost SYN or SYN,ACK: one segment */
        segments = 1;
        tcp_rto_after_lost_syn(&tcb->rto);
    }
    window_start(tcb, segments);
    tcb->work->recovery = (struct recovery){.recover = tcb->iss}; /* RFC 6582 3.2 step 1 */
    undo_disarm(tcb);                                             /* a lost SYN is not taken back */
}

uint32_t recovery_pipe(const struct tcb *tcb)
{
    uint32_t flight = tcb->snd_nxt - tcb->snd_una;
    uint32_t left = tcb->work->in_flight.sacked_bytes + tcb->work->in_flight.lost_bytes +
                    tcb->work->recovery.dup_acked_bytes;

    return flight > left ? flight - left : 0;
}

uint32_t recovery_allowance(const struct tcb *tcb)
{
    uint32_t pipe = recovery_pipe(tcb);
    bool is_first_sign = !tcb->work->recovery.is_active && !tcb->work->recovery.is_after_timeout;

    if (is_first_sign && !tcb->config->limited_transmit) /* what is sacked stays in the pipe */
        pipe = tcb->snd_nxt - tcb->snd_una - tcb->work->in_flight.lost_bytes;
    if (tcb->work->frto.step == FRTO_NEXT_ACK)
        return tcb->work->frto.new_bytes;
    bool has_prr =
        tcb->work->recovery.is_active && tcb->config->prr && !tcb->work->cc.ops->has_model;
    uint32_t window = has_prr ? tcb->work->recovery.prr_window : tcb->work->cc.cwnd;
    uint32_t allowance = window > pipe ? window - pipe : 0;

    /* One segment may always be in flight, RFC 5681 3.1: a window of small segments may be less
     * than one when the path turns out to take larger ones. */
    if ((tcb->work->recovery.send_one || pipe == 0) && allowance < tcb->snd_mss)
        return tcb->snd_mss;
    return allowance;
}

static void trace_recovery(struct tcb *tcb, enum trace_recovery what, const char *cause,
                           const char *clause)
{
    tcb_trace(tcb,
              (struct trace_event){
                  .kind = TRACE_RECOVERY,
                  .cause = cause,
                  .clause = clause,
                  .u.recovery = {.what = what, .recover = tcb->work->recovery.recover - tcb->iss}});
}

/* Has the peer got another segment that it has not said so of? At most all that was in flight when
 * the round trip began, but for the first: RFC 5681 3.2 and section 5 against a peer that makes up
 * duplicate ACKs, each of which would let new data out. */
static bool may_have_arrived(struct tcb *tcb)
{
    struct recovery *recovery = &tcb->work->recovery;

    if (tcb->stack->now_us - recovery->dup_round_us >= tcb->rto.srtt_us ||
        seq_leq(recovery->dup_round_end, tcb->snd_una)) {
        recovery->dup_round_us = tcb->stack->now_us;
        recovery->dup_round_end = tcb->snd_nxt;
    }
    return recovery->dup_acked_bytes + 2 * tcb->snd_mss <= recovery->dup_round_end - tcb->snd_una;
}

/* Count duplicate ACKs. Without SACK each says that a segment has arrived, and a cumulative ACK
 * covers some of those. */
static void count_duplicates(struct tcb *tcb, const struct ack_news *news)
{
    struct recovery *recovery = &tcb->work->recovery;

    if (news->is_duplicate) {
        recovery->dup_ack_count++;
        uint32_t flight = tcb->snd_nxt - tcb->snd_una;
        if (recovery->dup_ack_count == 1)
            recovery->flight_at_first_dup = flight;
        if (!tcb->sack && may_have_arrived(tcb))
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

/* DeliveredData of RFC 9937 6.2: with SACK what is newly acknowledged one way or the other;
 * without, a segment for each duplicate ACK, deducted again from the cumulative ACK that covers it.
 * Departure: against made-up duplicates 6.2 stops counting at RecoverFS for the whole recovery;
 * may_have_arrived() does so for each round trip, since NewReno's recovery may take many.
 * `uncovered_before` is dup_acked_bytes before this acknowledgment. */
static uint32_t delivered_bytes(const struct tcb *tcb, const struct ack_news *news,
                                uint32_t uncovered_before)
{
    uint32_t before = tcb->sack ? news->sacked_before : uncovered_before;
    uint32_t after =
        tcb->sack ? tcb->work->in_flight.sacked_bytes : tcb->work->recovery.dup_acked_bytes;

    after += news->acked_bytes;
    return after > before ? after - before : 0;
}

/* What an acknowledgment that starts or continues a fast recovery lets through. Departure: RFC 9937
 * 6.2 calls an acknowledgment safe when SND.UNA advances and no further loss is indicated; with not
 * a segment in flight, as after a probe of a lost tail, it is safe as well: two add to no queue. */
static void let_through(struct tcb *tcb, uint32_t delivered, bool is_progress)
{
    struct recovery *recovery = &tcb->work->recovery;
    uint32_t pipe = recovery_pipe(tcb);
    bool is_empty = pipe < tcb->snd_mss; /* a FIN may be left */
    struct prr_ack ack = {.pipe = is_empty ? 0 : pipe,
                          .ssthresh = tcb->work->cc.ssthresh,
                          .mss = tcb->snd_mss,
                          .delivered = delivered,
                          .is_safe = is_progress || is_empty};

    uint32_t count = prr_on_ack(&recovery->prr, &ack);
    recovery->prr_window = pipe + count;
    tcb_trace(tcb, (struct trace_event){.kind = TRACE_PRR,
                                        .clause = "RFC 9937 6.2",
                                        .u.prr = {.pipe = ack.pipe,
                                                  .ssthresh = ack.ssthresh,
                                                  .delivered = recovery->prr.delivered,
                                                  .out = recovery->prr.out,
                                                  .count = count,
                                                  .is_safe = ack.is_safe}});
}

void recovery_on_sent(struct tcb *tcb, uint32_t bytes)
{
    if (tcb->work->recovery.is_active)
        prr_on_sent(&tcb->work->recovery.prr, bytes);
    if (tcb->work->frto.step == FRTO_NEXT_ACK)
        tcb->work->frto.new_bytes -=
            bytes < tcb->work->frto.new_bytes ? bytes : tcb->work->frto.new_bytes;
}

static void reduce(struct tcb *tcb, enum congestion_reason reason, uint32_t flight)
{
    tcb->work->recovery.reduced_us = tcb->stack->now_us;
    tcb->work->recovery.retransmission_is_lost = false;
    window_on_congestion(tcb, reason, flight);
}

static const char *cause_of_recovery(enum tcp_loss_detection way, const char **clause)
{
    switch (way) {
    case TCP_LOSS_DETECTION_RACK:
        *clause = "RFC 8985 6.2";
        return "fast retransmit: what was sent later has been delivered";
    case TCP_LOSS_DETECTION_RFC6675:
        *clause = "RFC 6675 (5)";
        return "fast retransmit: bytes above it were selectively acknowledged";
    case TCP_LOSS_DETECTION_NEWRENO:
    case TCP_LOSS_DETECTION_COUNT:
        break;
    }
    *clause = "RFC 6582 3.2";
    return "fast retransmit: third duplicate ACK";
}

static void enter(struct tcb *tcb, uint32_t flight, uint32_t recover_fs)
{
    const char *clause;

    tlp_reset(tcb);
    tcb->work->recovery.is_active = true;
    tcb->work->recovery.has_rescued = false;
    tcb->work->recovery.recover = tcb->snd_nxt;
    tcb->work->recovery.send_one = true;
    tcb->work->resend_cause = cause_of_recovery(detect_way(tcb), &clause);
    /* RFC 5681 3.2 step 2: the segments of limited transmit do not count. */
    if (tcb->work->recovery.dup_ack_count > 0 && tcb->work->recovery.flight_at_first_dup < flight)
        flight = tcb->work->recovery.flight_at_first_dup;
    trace_recovery(tcb, RECOVERY_ENTERED, tcb->work->resend_cause, clause);
    if (!tcb->ecn.is_reduced) { /* once per window of data, whatever comes first (RFC 3168 6.1.2) */
        undo_arm(tcb, false, flight);
        reduce(tcb, CONGESTION_LOSS, flight);
    }
    prr_start(&tcb->work->recovery.prr, recover_fs);
}

/* What was sent again in this recovery is lost once more: a second sign of congestion, which lowers
 * the window a second time (RFC 5681 4.3), though not twice in one round trip. */
static void enter_again(struct tcb *tcb, uint32_t recover_fs)
{
    uint32_t flight = tcb->snd_nxt - tcb->snd_una;

    tcb->work->recovery.recover = tcb->snd_nxt;
    tcb->work->recovery.send_one = true;
    tcb->work->resend_cause = "its retransmission is lost as well";
    undo_disarm(tcb);
    trace_recovery(tcb, RECOVERY_ENTERED, tcb->work->resend_cause, "RFC 5681 4.3");
    reduce(tcb, CONGESTION_LOSS, flight < tcb->work->cc.cwnd ? flight : tcb->work->cc.cwnd);
    prr_start(&tcb->work->recovery.prr, recover_fs);
}

/* Something was marked lost. `flight` bytes were outstanding, of which `delivered` are no longer.
 */
static void on_losses(struct tcb *tcb, uint32_t flight, uint32_t delivered)
{
    struct recovery *recovery = &tcb->work->recovery;
    uint32_t recover_fs = recovery_pipe(tcb) + tcb->work->in_flight.lost_bytes + delivered;

    if (recovery->is_after_timeout) /* slow start goes over it */
        return;
    if (!recovery->is_active) {
        if (path_mtu_takes_loss(tcb))
            return;
        enter(tcb, flight, recover_fs);
    } else if (recovery->retransmission_is_lost) {
        enter_again(tcb, recover_fs);
    } else if (!tcb->sack) {
        recovery->send_one = true;
        tcb->work->resend_cause = "partial acknowledgment: the next segment is lost too";
    }
}

static void leave(struct tcb *tcb)
{
    struct recovery *recovery = &tcb->work->recovery;

    trace_recovery(tcb, RECOVERY_LEFT, "everything sent before the loss is acknowledged",
                   "RFC 6582 3.2");
    tcb->work->frto.step = FRTO_OFF;
    recovery->is_active = false;
    recovery->is_after_timeout = false;
    recovery->send_one = false;
    recovery->dup_ack_count = 0;
    recovery->dup_acked_bytes = 0;
    rack_on_recovered(&tcb->work->rack);
    window_on_recovered(tcb);
    undo_on_recovered(tcb);
}

/* It was all a mistake: an acknowledgment shows that nothing had been lost. */
static void undo(struct tcb *tcb, const struct ack_news *news, const char *cause,
                 const char *clause)
{
    uint32_t before_bytes = tcb->work->cc.cwnd;

    undo_reduction(tcb, news->acked_bytes);
    records_forget_losses(&tcb->work->in_flight);
    tcb->undo_count++;
    tcb->work->frto.step = FRTO_OFF;
    tcb->work->recovery.is_active = false;
    tcb->work->recovery.is_after_timeout = false;
    tcb->work->recovery.send_one = false;
    tcb->work->recovery.dup_ack_count = 0;
    tcb->work->recovery.dup_acked_bytes = 0;
    trace_recovery(tcb, RECOVERY_UNDONE, cause, clause);
    window_was_undone(tcb, before_bytes);
}

/* True when this acknowledgment takes a reduction back. */
static bool is_undone(struct tcb *tcb, const struct ack_news *news)
{
    const char *clause = NULL;
    const char *cause = undo_on_ack(tcb, news, &clause);

    if (cause == NULL && frto_on_ack(tcb, news)) {
        clause = "RFC 5682 (3b)";
        cause = "bytes that were sent once arrive after the time-out (F-RTO)";
    }
    if (cause == NULL ||
        news->is_congestion_echo) /* RFC 4015 (9): a mark is congestion all the same */
        return false;
    undo(tcb, news, cause, clause);
    return true;
}

/* RFC 2018 section 8: a peer that had the first byte in flight would have acknowledged it. It has
 * reneged: nothing that it has sacked is sure, and all of it counts as in flight again. */
static void check_reneging(struct tcb *tcb)
{
    if (tcb->work->in_flight.count == 0 || !records_at(&tcb->work->in_flight, 0)->sacked)
        return;
    const struct tx_record *first = records_at(&tcb->work->in_flight, 0);
    tcb_trace(tcb, (struct trace_event){.kind = TRACE_RENEGED,
                                        .cause = "bytes that it had sacked are not acknowledged",
                                        .clause = "RFC 2018 8",
                                        .u.range = {.start = first->start - tcb->iss,
                                                    .end = first->end - tcb->iss}});
    records_renege(&tcb->work->in_flight);
}

bool recovery_is_at_rest(const struct tcb *tcb)
{
    const struct work *work = tcb->work;

    return work->in_flight.count == 0 && !work->recovery.is_active &&
           !work->recovery.is_after_timeout && work->frto.step == FRTO_OFF &&
           !work->undo.is_armed && !work->tlp.is_out && !work->rack.has_dsack_round &&
           window_is_at_rest(tcb);
}

void recovery_on_ack(struct tcb *tcb, const struct ack_news *news)
{
    struct recovery *recovery = &tcb->work->recovery;
    bool was_active = recovery->is_active;
    bool was_after_timeout = recovery->is_after_timeout;
    uint32_t uncovered_before = recovery->dup_acked_bytes;

    count_duplicates(tcb, news);
    uint32_t delivered = delivered_bytes(tcb, news, uncovered_before);
    check_reneging(tcb);
    rack_on_ack(tcb, news);
    window_sample_rate(tcb, news, delivered);
    bool probe_has_repaired = tlp_on_ack(tcb, news);
    if (!was_active && !was_after_timeout && seq_gt(tcb->snd_una, recovery->recover))
        recovery->recover =
            tcb->snd_una - 1; /* keeps up, so that it never lies half the space back */
    if (is_undone(tcb, news)) {
        window_on_ack(tcb, news, delivered, true, false);
        tlp_schedule(tcb);
        return;
    }
    if ((was_active || was_after_timeout) && seq_geq(tcb->snd_una, recovery->recover))
        leave(tcb);
    bool found = detect_losses(tcb, news);
    if (found)
        on_losses(tcb, news->flight_before, delivered);
    else if (probe_has_repaired && !was_active && !was_after_timeout)
        reduce(tcb, CONGESTION_LOSS, news->flight_before); /* RFC 8985 7.4.2 */
    if (recovery->is_active && delivered > 0 && !tcb->work->cc.ops->has_model)
        let_through(tcb, delivered, news->acked_bytes > 0 && !found);
    /* The ACK that ends recovery leaves ssthresh, RFC 6582 3.2 step 3. */
    window_on_ack(tcb, news, delivered, was_active || recovery->is_active, was_after_timeout);
    if (news->acked_bytes > 0 || tcb->work->in_flight.sacked_bytes > 0)
        tlp_schedule(tcb);
}

/* Departure from RFC 9937 6.2, whose steps are taken at acknowledgments alone: here the timer may
 * begin the recovery, and the fast retransmission must not wait for the next one. */
void recovery_on_reorder_timer(struct tcb *tcb)
{
    records_pay(&tcb->work->in_flight, tcb->stack->now_us, false);
    if (!rack_detect(tcb))
        return;
    on_losses(tcb, tcb->snd_nxt - tcb->snd_una, 0);
    if (tcb->work->recovery.is_active && !tcb->work->cc.ops->has_model)
        let_through(tcb, 0, false);
}

bool recovery_on_echo(struct tcb *tcb, uint32_t flight)
{
    if (tcb->work->recovery.is_active || tcb->work->recovery.is_after_timeout)
        return false;
    undo_disarm(tcb);
    reduce(tcb, CONGESTION_ECN, flight);
    return true;
}

void recovery_on_timeout(struct tcb *tcb)
{
    struct recovery *recovery = &tcb->work->recovery;

    bool is_repeated = recovery->is_after_timeout && tcb->work->in_flight.count > 0 &&
                       records_at(&tcb->work->in_flight, 0)->transmission_count > 1;
    frto_on_timeout(tcb, recovery->is_after_timeout);
    if (!is_repeated)
        undo_arm(tcb, true, tcb->snd_nxt - tcb->snd_una);
    window_on_timeout(tcb, is_repeated);
    ecn_window_was_reduced(tcb);
    detect_on_timeout(tcb);
    tlp_reset(tcb);
    *recovery = (struct recovery){.is_after_timeout = true,
                                  .recover = tcb->snd_nxt,
                                  .send_one = true,
                                  .reduced_us = tcb->stack->now_us};
    tcb->work->resend_cause = "the retransmission timer expired";
}
