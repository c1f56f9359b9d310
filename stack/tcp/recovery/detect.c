/* Loss detection: which way is taken, and what they share. See detect.h.
 *
 * A way marks transmission records as lost and says why, by an event with the numbers that decided.
 * After a time-out RFC 2018 section 8 wants all SACKs to be forgotten, for the peer may have thrown
 * away what it had sacked; RACK keeps them, since it looks for the one sure sign of that
 * (recovery.c does so on each acknowledgment): a peer that has the first byte in flight would have
 * acknowledged it. */
#include "detect.h"

#include "rack.h"
#include "window.h"

enum tcp_loss_detection detect_way(const struct tcb *tcb)
{
    return tcb->sack ? tcb->config->loss_detection : TCP_LOSS_DETECTION_NEWRENO;
}

bool detect_losses(struct tcb *tcb, const struct ack_news *news)
{
    if (tcb->work->in_flight.count == 0) {
        tcb_timer_clear(tcb, TIMER_REORDER);
        return false;
    }
    switch (detect_way(tcb)) {
    case TCP_LOSS_DETECTION_RACK:
        return rack_detect(tcb);
    case TCP_LOSS_DETECTION_RFC6675:
        return detect_by_sack(tcb);
    case TCP_LOSS_DETECTION_NEWRENO:
    case TCP_LOSS_DETECTION_COUNT:
        break;
    }
    return detect_by_duplicates(tcb, news);
}

static void mark_all(struct tcb *tcb)
{
    for (unsigned i = 0; i < tcb->work->in_flight.count; i++)
        detect_mark(tcb, i, UINT32_MAX,
                    &(struct trace_event){.clause = "RFC 5681 3.1",
                                          .u.lost = {.by = TRACE_LOST_BY_TIMEOUT}});
}

void detect_on_timeout(struct tcb *tcb)
{
    bool is_rack = detect_way(tcb) == TCP_LOSS_DETECTION_RACK;

    if (!is_rack ||
        (tcb->work->in_flight.count > 0 && records_at(&tcb->work->in_flight, 0)->sacked))
        records_forget_sacks(&tcb->work->in_flight);
    if (is_rack)
        rack_mark_on_timeout(tcb);
    else
        mark_all(tcb);
}

void detect_mark(struct tcb *tcb, unsigned i, uint32_t bytes, const struct trace_event *why)
{
    const struct tx_record *record = records_at(&tcb->work->in_flight, i);
    struct recovery *recovery = &tcb->work->recovery;

    if (record->lost || record->sacked)
        return;
    if (record->transmission_count > 1 && record->sent_us >= recovery->reduced_us)
        recovery->retransmission_is_lost = true;
    records_mark_lost(&tcb->work->in_flight, i, bytes);
    record = records_at(&tcb->work->in_flight, i); /* it may have been split */
    window_on_lost(tcb, record);
    if (tcb->stack->config.trace == NULL)
        return;
    struct trace_event event = *why;
    event.kind = TRACE_LOST;
    event.u.lost.start = record->start - tcb->iss;
    event.u.lost.end = record->end - tcb->iss;
    event.u.lost.age_us = tcb->stack->now_us - record->sent_us;
    tcb_trace(tcb, event);
}
