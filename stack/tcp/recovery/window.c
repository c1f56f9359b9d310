/* From events of the connection to events of congestion control, see window.h.
 *
 * Was the window in use? Only then may it grow (RFC 5681 3.1, RFC 9438 4.2). Output tells when it
 * would have gone on and the window was full; everything up to SND.NXT at that moment was sent by a
 * sender that used its window, and the acknowledgments of these bytes let it grow. Looking at the
 * flight instead would go wrong when many acknowledgments arrive before output is pulled: all but
 * the first would meet a flight that has shrunk already.
 *
 * In slow start half the window in use is enough: it is on its way to twice of what it was. */
#include "window.h"

#include "../seq.h"
#include "pacing.h"
#include "rate.h"
#include "validation.h"

static void trace_note(struct tcb *tcb, struct congestion_note note, uint32_t before_bytes);
static struct congestion_ack describe(struct tcb *tcb, const struct ack_news *news);
static void validate(struct tcb *tcb, struct congestion_ack *ack);

static uint32_t bounded_us(uint64_t us)
{
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

void window_start(struct tcb *tcb, uint32_t initial_segments)
{
    congestion_init(&tcb->work->cc, tcb->config, tcb->snd_mss, initial_segments);
    congestion_start(&tcb->work->cc,
                     &(struct congestion_path){.now_us = tcb->stack->now_us,
                                               .srtt_us = bounded_us(tcb->rto.srtt_us),
                                               .seed = tcb->iss,
                                               .has_sack = tcb->sack,
                                               .account = &tcb->stack->memory});
    tcb->work->cc.round_end = tcb->work->cc.full_at = tcb->snd_una;
}

/* RFC 7661 4.4.3: the window has not been in use for five minutes, or several times that. */
static void halve_unvalidated(struct tcb *tcb)
{
    struct congestion *cc = &tcb->work->cc;
    uint32_t before_bytes = cc->cwnd;
    unsigned count = validation_take_periods(&cc->validation, tcb->stack->now_us);

    if (count == 0 || cc->cwnd <= cc->initial_cwnd)
        return;
    cc->ssthresh = congestion_larger(cc->ssthresh, cc->cwnd - cc->cwnd / 4);
    cc->cwnd = congestion_larger(cc->cwnd >> count, cc->initial_cwnd);
    trace_note(tcb,
               (struct congestion_note){CWND_NOT_VALIDATED, {validation_pipe_ack(&cc->validation)}},
               before_bytes);
}

void window_after_idle(struct tcb *tcb)
{
    struct congestion *cc = &tcb->work->cc;
    uint64_t pause_us = tcb->stack->now_us - tcb->last_sent_us;
    uint32_t before_bytes = cc->cwnd;

    if (cc->ops->has_model) { /* it keeps the window, and paces what it lets out */
        cc->ops->on_restart(cc, tcb->stack->now_us);
        return;
    }
    if (pause_us <= tcp_rto_current_us(&tcb->rto, tcb->config) || cc->cwnd <= cc->initial_cwnd)
        return;
    if (tcb->config->window_validation) { /* it is kept for a while: RFC 7661 4.4 */
        validation_note(&cc->validation, false, tcb->last_sent_us);
        halve_unvalidated(tcb);
        return;
    }
    cc->cwnd = cc->initial_cwnd;
    trace_note(tcb, (struct congestion_note){CWND_RESTARTED, {bounded_us(pause_us)}}, before_bytes);
}

uint32_t window_burst_left(const struct tcb *tcb)
{
    uint64_t most = (uint64_t)tcb->config->burst_max_segments * tcb->snd_mss;

    if (most == 0 || pacing_is_on(tcb))
        return UINT32_MAX;
    if (tcb->snd_nxt == tcb->snd_una) /* no acknowledgment will come to let the next burst go */
        return UINT32_MAX;
    return most > tcb->work->cc.burst_bytes ? (uint32_t)(most - tcb->work->cc.burst_bytes) : 0;
}

void window_on_sent(struct tcb *tcb, uint32_t bytes)
{
    struct congestion *cc = &tcb->work->cc;

    cc->burst_bytes += bytes;
    cc->flight_most[0] = congestion_larger(cc->flight_most[0], tcb->snd_nxt - tcb->snd_una);
    if (tcb->work->cc.rate != NULL)
        rate_on_sent(tcb->work->cc.rate, tcb->work->in_flight.order, recovery_pipe(tcb), bytes,
                     tcb->work->in_flight.count, tcb->stack->now_us);
}

void window_on_lost(struct tcb *tcb, const struct tx_record *record)
{
    struct congestion *cc = &tcb->work->cc;
    uint32_t before_bytes = cc->cwnd;

    if (cc->rate == NULL || path_mtu_is_of_probe(tcb, record)) /* no sign of congestion: RFC 4821 */
        return;
    rate_on_lost(cc->rate, record->end - record->start);
    struct congestion_lost lost = {.now_us = tcb->stack->now_us,
                                   .start = record->start,
                                   .end = record->end,
                                   .mark = rate_mark_of(cc->rate, record->order)};
    trace_note(tcb, cc->ops->on_lost(cc, &lost), before_bytes);
}

void window_has_nothing_to_send(struct tcb *tcb)
{
    if (tcb->work->cc.rate == NULL || tcb->work->in_flight.lost_bytes > 0)
        return;
    uint32_t pipe = recovery_pipe(tcb);
    if (pipe < tcb->work->cc.cwnd)
        rate_app_limited(tcb->work->cc.rate, pipe);
}

/* The transmission that left last of what an acknowledgment says has arrived. What was sent again
 * counts when it is known which of the transmissions has arrived (4.1.3.5). */
void window_sample_rate(struct tcb *tcb, const struct ack_news *news, uint32_t delivered_bytes)
{
    const struct tx_delivered *delivered = &news->delivered;
    struct rate_ack ack = {.now_us = tcb->stack->now_us,
                           .delivered_bytes = delivered_bytes,
                           .has_newest = delivered->has_once,
                           .order = delivered->once_order,
                           .sent_us = delivered->once_us,
                           .min_rtt_us = tcb->work->rack.min_rtt.us};

    if (tcb->work->cc.rate == NULL)
        return;
    if (delivered->has_resent && rack_is_of_the_last_transmission(tcb, news) &&
        (!ack.has_newest || seq_gt(delivered->resent_order, ack.order))) {
        ack.has_newest = true;
        ack.order = delivered->resent_order;
        ack.sent_us = delivered->resent_us;
    }
    rate_on_ack(tcb->work->cc.rate, &ack);
}

void window_is_full(struct tcb *tcb)
{
    tcb->work->cc.full_at = tcb->snd_nxt;
}

void window_on_ack(struct tcb *tcb, const struct ack_news *news, uint32_t delivered_bytes,
                   bool in_recovery, bool after_timeout)
{
    struct congestion *cc = &tcb->work->cc;
    uint32_t before_bytes = cc->cwnd;
    struct congestion_ack ack = describe(tcb, news);

    ack.delivered_bytes = delivered_bytes;
    ack.in_recovery = in_recovery;
    ack.after_timeout = after_timeout;
    ack.window_was_used |= after_timeout; /* what was lost had filled it */
    if (tcb->config->window_validation && !cc->ops->has_model)
        validate(tcb, &ack);
    cc->burst_bytes = 0;
    trace_note(tcb, cc->ops->on_ack(cc, &ack), before_bytes);
}

/* In slow start an algorithm looks only at what is acknowledged or measured; later time counts too.
 */
bool window_is_at_rest(const struct tcb *tcb)
{
    const struct congestion *cc = &tcb->work->cc;

    return cc->cwnd < cc->ssthresh && cc->rate == NULL && !cc->ops->has_model &&
           !tcb->config->window_validation;
}

void window_on_congestion(struct tcb *tcb, enum congestion_reason reason, uint32_t flight)
{
    struct congestion *cc = &tcb->work->cc;
    uint32_t before_bytes = cc->cwnd;

    bool is_validated = cc->validation.unvalidated_since_us == 0;
    if (!is_validated) /* RFC 7661 4.4.1 */
        flight = congestion_larger(flight, validation_pipe_ack(&cc->validation));
    cc->validation.loss_bytes = !is_validated && tcb->work->recovery.is_active ? flight : 0;
    cc->validation.resent_before = tcb->resent_bytes;
    struct congestion_note note = cc->ops->on_congestion(cc, reason, flight);
    validation_forget(&cc->validation);
    if (cc->cwnd > before_bytes) /* of less than two segments: no reduction makes it larger */
        cc->cwnd = before_bytes;
    ecn_window_was_reduced(tcb);
    trace_note(tcb, note, before_bytes);
}

/* RFC 7661 4.4.1: cwnd = (max(pipeACK, LossFlightSize) - R) / 2, or the algorithm's own part of it,
 * and ssthresh with it. R is what was sent again: by so much at least the path was overrun.
 * Departure: what was sent again twice counts twice. */
void window_on_recovered(struct tcb *tcb)
{
    struct congestion *cc = &tcb->work->cc;
    uint32_t bytes = cc->validation.loss_bytes, before_bytes = cc->cwnd;
    uint64_t resent = tcb->resent_bytes - cc->validation.resent_before;

    if (bytes == 0)
        return;
    uint64_t left = resent < bytes ? bytes - resent : 0;
    uint32_t cwnd = congestion_larger((uint32_t)(left * cc->ssthresh / bytes), cc->mss);
    cc->cwnd = cwnd < cc->cwnd ? cwnd : cc->cwnd;
    cc->ssthresh = congestion_larger(cc->cwnd, 2 * cc->mss);
    cc->validation.loss_bytes = 0;
    trace_note(
        tcb, (struct congestion_note){CWND_LOSS, {bytes, (uint32_t)((uint64_t)cwnd * 100 / bytes)}},
        before_bytes);
}

void window_on_timeout(struct tcb *tcb, bool is_repeated)
{
    struct congestion *cc = &tcb->work->cc;
    uint32_t flight = tcb->snd_nxt - tcb->snd_una;
    uint32_t before_bytes = cc->cwnd;

    /* Beyond the window lies what was sent in a recovery for what was selectively acknowledged:
     * that has left the network. */
    if (flight > cc->cwnd)
        flight = cc->cwnd;
    cc->burst_bytes = 0;
    cc->validation.loss_bytes = 0;
    validation_forget(&cc->validation);
    if (is_repeated) /* RFC 5681 3.1: ssthresh is held for the same segment */
        cc->cwnd = tcb->snd_mss;
    else if (cc->ops != NULL) /* not in the handshake */
        trace_note(tcb, cc->ops->on_timeout(cc, flight), before_bytes);
}

void window_was_undone(struct tcb *tcb, uint32_t before_bytes)
{
    tcb->work->cc.validation.loss_bytes = 0;
    trace_note(tcb, (struct congestion_note){CWND_UNDONE, {0}}, before_bytes);
}

/* RFC 7661 4.3: a window of which half is acknowledged in a round trip may grow, and by 4.4 one
 * that fills up at times as well. Departure: that one counts as validated at once, and not only
 * when pipeACK has followed. */
static void validate(struct tcb *tcb, struct congestion_ack *ack)
{
    struct congestion *cc = &tcb->work->cc;

    validation_on_ack(&cc->validation, ack);
    ack->window_was_used |= validation_holds(&cc->validation, cc->cwnd);
    validation_note(&cc->validation, ack->window_was_used, tcb->stack->now_us);
    halve_unvalidated(tcb);
}

/* ---- an acknowledgment in the terms of congestion.h */

static bool window_was_full(struct tcb *tcb, const struct ack_news *news)
{
    struct congestion *cc = &tcb->work->cc;
    uint32_t first_acked = tcb->snd_nxt - news->flight_before;
    bool was_full = seq_lt(first_acked, cc->full_at);

    if (seq_lt(cc->full_at, tcb->snd_una))
        cc->full_at = tcb->snd_una; /* keeps up, so that it never lies half the space back */
    return was_full;
}

static bool round_begins(struct tcb *tcb, const struct ack_news *news)
{
    if (news->acked_bytes == 0 || seq_lt(tcb->snd_una, tcb->work->cc.round_end))
        return false;
    struct congestion *cc = &tcb->work->cc;
    cc->round_end = tcb->snd_nxt;
    cc->flight_most[1] = cc->flight_most[0];
    cc->flight_most[0] = 0;
    return true;
}

/* Of the last-sent segment that is delivered now, be it by a SACK: where the path reorders there is
 * always a hole, and what moves SND.UNA is what came late. */
static uint32_t round_trip_us(const struct tcb *tcb, const struct ack_news *news)
{
    uint64_t us = tcb->stack->now_us - news->delivered.once_us;

    return bounded_us(news->delivered.has_once && (!news->has_rtt_sample || us < news->rtt_us)
                          ? us
                          : news->rtt_us);
}

static struct congestion_ack describe(struct tcb *tcb, const struct ack_news *news)
{
    const struct congestion *cc = &tcb->work->cc;
    bool is_full = window_was_full(tcb, news);
    bool is_half_full = cc->cwnd < cc->ssthresh && 2 * (uint64_t)news->flight_before >= cc->cwnd;

    return (struct congestion_ack){
        .now_us = tcb->stack->now_us,
        .acked_bytes = news->acked_bytes,
        .rtt_us = round_trip_us(tcb, news),
        .srtt_us = bounded_us(tcb->rto.srtt_us),
        .min_rtt_us = bounded_us(tcb->work->rack.min_rtt.us),
        .flight_before = news->flight_before,
        .flight_after = tcb->snd_nxt - tcb->snd_una,
        .round_begins = round_begins(tcb, news),
        .is_congestion_echo = news->is_congestion_echo,
        .in_flight = cc->ops->has_model ? recovery_pipe(tcb) : 0,
        .window_was_full = is_full,
        .window_was_used = is_full || is_half_full,
        .is_paced = pacing_is_on(tcb),
    };
}

/* ---- telling */

static const struct {
    const char *cause, *clause;
} reasons[] = {
    [CWND_KEPT] = {NULL, NULL},
    [CWND_SLOW_START] = {"slow start", "RFC 5681 3.1"},
    [CWND_CSS_ENTERED] = {"delay grows: conservative slow start", "RFC 9406 4.2"},
    [CWND_CSS_RESUMED] = {"delay has fallen: slow start goes on", "RFC 9406 4.2"},
    [CWND_HYSTART_EXIT] = {"delay stays: slow start ends", "RFC 9406 4.2"},
    [CWND_AVOIDANCE] = {"congestion avoidance", "RFC 5681 3.1"},
    [CWND_CUBIC] = {"cubic growth", "RFC 9438 4.2"},
    [CWND_RENO_FRIENDLY] = {"as fast as Reno", "RFC 9438 4.3"},
    [CWND_LOSS] = {"loss", "RFC 5681 3.1"},
    [CWND_ECN] = {"a router marked a segment", "RFC 3168 6.1.2"},
    [CWND_TIMEOUT] = {"time-out: one segment", "RFC 5681 3.1"},
    [CWND_UNDONE] = {"as before, without a burst", "RFC 4015"},
    [CWND_RESTARTED] = {"restart after a pause", "RFC 5681 4.1"},
    [CWND_NOT_VALIDATED] = {"the window was not in use for five minutes", "RFC 7661 4.4.3"},
    [CWND_BBR_STARTUP] = {"BBR Startup: the rate doubles", "BBR draft 5.3.1"},
    [CWND_BBR_DRAIN] = {"BBR Drain: the pipe is full, its queue is emptied", "BBR draft 5.3.2"},
    [CWND_BBR_DOWN] = {"BBR ProbeBW_DOWN: slower than the path", "BBR draft 5.3.3.1"},
    [CWND_BBR_CRUISE] = {"BBR ProbeBW_CRUISE: as fast as the path", "BBR draft 5.3.3.2"},
    [CWND_BBR_REFILL] = {"BBR ProbeBW_REFILL: fill the pipe before a probe", "BBR draft 5.3.3.3"},
    [CWND_BBR_UP] = {"BBR ProbeBW_UP: is the path faster by now?", "BBR draft 5.3.3.5"},
    [CWND_BBR_PROBE_RTT] = {"BBR ProbeRTT: is the path shorter by now?", "BBR draft 5.3.4"},
    [CWND_BBR_MODEL] = {"twice what the model of the path needs", "BBR draft 5.6.4.6"},
    [CWND_BBR_TOO_HIGH] = {"too much is lost or marked: less in flight", "BBR draft 5.5.10.2"},
    [CWND_BBR_SHORTTERM] = {"a round trip with a loss: slower for now", "BBR draft 5.5.10.3"},
    [CWND_BBR_TIMEOUT] = {"time-out: one segment", "BBR draft 5.6.4.4"},
};

/* Growth that did not change the window is not worth a line. */
static void trace_note(struct tcb *tcb, struct congestion_note note, uint32_t before_bytes)
{
    bool is_growth = note.what == CWND_SLOW_START || note.what == CWND_AVOIDANCE ||
                     note.what == CWND_CUBIC || note.what == CWND_RENO_FRIENDLY ||
                     note.what == CWND_BBR_MODEL;

    if (note.what == CWND_KEPT || (is_growth && tcb->work->cc.cwnd == before_bytes))
        return;
    tcb_trace(tcb, (struct trace_event){.kind = TRACE_CWND,
                                        .cause = reasons[note.what].cause,
                                        .clause = reasons[note.what].clause,
                                        .u.cwnd = {tcb->work->cc.cwnd,
                                                   tcb->work->cc.ssthresh,
                                                   before_bytes,
                                                   note.what,
                                                   {note.number[0], note.number[1], note.number[2],
                                                    note.number[3]}}});
}
