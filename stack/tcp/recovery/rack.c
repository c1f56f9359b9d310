/* RACK, RFC 8985 section 6: what was sent before something that has been delivered is lost, unless
 * the network has merely reordered the two.
 *
 *     sent at     1  2  3  4          a is lost when d, sent 3 later, has been delivered, and the
 *     segment     a  b  c  d          reordering window has passed: xmit(a) + RACK.rtt + reo_wnd
 *     delivered      -  -  d          lies in the past
 *
 * Time instead of counted duplicates: it works for a tail too short for three duplicate ACKs, finds
 * lost retransmissions (their time is that of the last transmission), and waits for segments that
 * are merely late. The window begins at a quarter of the least round trip; it is nothing while no
 * reordering has been seen and either three segments were sacked or a recovery goes on; and each
 * round trip in which the peer reports a duplicate adds another quarter, up to SRTT.
 *
 * Departure: among segments that left at the same time RFC 8985 takes the higher number for the
 * later one. Output is pulled in batches with one reading of the clock, so a retransmission may
 * leave behind new data and at the same time; transmissions are numbered instead.
 *
 * RFC 8985 keeps segments in the order of their transmission, so that a walk can stop early. Ours
 * are in the order of their numbers, which is that of their first transmission: behind the first
 * one that was sent once and later than RACK.segment, all were sent later still, and the walk ends.
 * What it passes is holes and sacked runs, at most RECORDS_MAX of them; a walk that the peer's
 * acknowledgments have not paid for is put off (records.h). */
#include "rack.h"

#include "../seq.h"
#include "detect.h"
#include "tlp.h"

enum {
    DUP_THRESH = 3,
    REO_WND_PERSIST = 16,
    REO_WND_MORE_MAX = 1000, /* SRTT bounds the window long before */
    MIN_RTT_WINDOW_US = 10 * 1000000,
};

static void update_segment(struct tcb *tcb, const struct ack_news *news);
static void detect_reordering(struct tcb *tcb, const struct tx_delivered *delivered);
static void adapt_to_duplicates(struct tcb *tcb, const struct ack_news *news);

static void note_least(struct min_rtt *min, uint64_t rtt_us, uint64_t now_us, uint64_t window_us)
{
    if (rtt_us == 0)
        rtt_us = 1; /* 0 means "none yet" */
    uint64_t age_us = now_us - min->window_start_us;
    if (min->us != 0 && age_us >= window_us) {
        min->us = age_us < 2 * window_us ? min->next_us : rtt_us;
        min->next_us = rtt_us;
        min->window_start_us = now_us;
    }
    if (min->us == 0)
        *min = (struct min_rtt){rtt_us, rtt_us, now_us};
    min->us = rtt_us < min->us ? rtt_us : min->us;
    min->next_us = rtt_us < min->next_us ? rtt_us : min->next_us;
}

/* Step 1. */
void rack_note_rtt(struct rack *rack, uint64_t rtt_us, uint64_t now_us)
{
    note_least(&rack->min_rtt, rtt_us, now_us, MIN_RTT_WINDOW_US);
}

void rack_on_ack(struct tcb *tcb, const struct ack_news *news)
{
    update_segment(tcb, news);
    detect_reordering(tcb, &news->delivered);
    adapt_to_duplicates(tcb, news);
}

/* ---- step 2: RACK.segment */

/* RACK_sent_after() of RFC 8985 6.2. Of one transmission, which may be a super-segment, the part
 * with the lower numbers is the earlier one. */
static bool sent_after(uint32_t order, uint32_t end, uint32_t other_order, uint32_t other_end)
{
    return seq_gt(order, other_order) || (order == other_order && seq_gt(end, other_end));
}

static void advance(struct tcb *tcb, uint64_t xmit_us, uint32_t order, uint32_t end_seq)
{
    struct rack *rack = &tcb->work->rack;

    rack->rtt_us = tcb->stack->now_us - xmit_us;
    if (rack->has_segment && !sent_after(order, end_seq, rack->order, rack->end_seq))
        return;
    rack->has_segment = true;
    rack->xmit_us = xmit_us;
    rack->order = order;
    rack->end_seq = end_seq;
}

/* What no round trip is shorter than. Where a queue has grown the least of 10 s says little: the
 * acknowledgment of the first transmission comes later than that behind a retransmission that was
 * not needed, and all that lay in the queue would be held to be lost. A queue that drains while the
 * window is reduced leaves more than half of what the last round trips have taken. */
static uint64_t shortest_rtt_us(const struct tcb *tcb)
{
    const struct rack *rack = &tcb->work->rack;
    uint64_t age_us = tcb->stack->now_us - rack->recent_rtt.window_start_us;
    uint64_t recent_us = age_us < 4 * tcb->rto.srtt_us ? rack->recent_rtt.us / 2 : 0;
    uint64_t least_us = rack->min_rtt.us / 4 * 3;

    return recent_us > least_us ? recent_us : least_us;
}

/* The acknowledgment may be that of an earlier transmission: the echoed timestamp tells, or that it
 * comes too early. Departure: the echo is asked only where SND.UNA has passed the segment. What is
 * SACKed is not echoed, for a receiver takes no timestamp from behind a hole (RFC 7323 4.3).
 * Departure: too early is what takes less than three quarters of the least round trip, not all of
 * it: where delays vary the acknowledgment of a probe may be the fastest yet, and if it counted for
 * nothing, the tail would wait for the timer; and less than half of the least of the last round
 * trips. */
bool rack_is_of_the_last_transmission(const struct tcb *tcb, const struct ack_news *news)
{
    uint64_t sent_us = news->delivered.resent_us;

    bool is_echoed = news->has_echo && seq_leq(news->delivered.resent_end, tcb->snd_una);

    if (is_echoed && seq_lt(news->echo, tcb_tsval_at(tcb, sent_us)))
        return false;
    return tcb->stack->now_us - sent_us >= shortest_rtt_us(tcb);
}

/* The acknowledgment of a lone segment may have been delayed; that of a second one, and a SACK,
 * come at once. */
static bool is_prompt(const struct tcb *tcb, const struct ack_news *news)
{
    return news->acked_bytes > tcb->snd_mss || seq_gt(news->delivered.once_end, tcb->snd_una);
}

static void update_segment(struct tcb *tcb, const struct ack_news *news)
{
    const struct tx_delivered *delivered = &news->delivered;
    uint64_t now_us = tcb->stack->now_us;

    if (delivered->has_once) {
        rack_note_rtt(&tcb->work->rack, now_us - delivered->once_us, now_us);
        if (is_prompt(tcb, news))
            note_least(&tcb->work->rack.recent_rtt, now_us - delivered->once_us, now_us,
                       tcb->rto.srtt_us);
        advance(tcb, delivered->once_us, delivered->once_order, delivered->once_end);
    }
    if (delivered->has_resent && rack_is_of_the_last_transmission(tcb, news))
        advance(tcb, delivered->resent_us, delivered->resent_order, delivered->resent_end);
}

/* ---- step 3: reordering */

static void see_reordering(struct tcb *tcb, uint32_t bytes, const char *cause)
{
    struct rack *rack = &tcb->work->rack;

    if (rack->reordering_seen)
        return;
    rack->reordering_seen = true;
    tcb_trace(tcb, (struct trace_event){
                       .kind = TRACE_REORDERING,
                       .cause = cause,
                       .clause = "RFC 8985 6.2 step 3",
                       .u.reordering = {.bytes = bytes, .reo_wnd_us = rack->min_rtt.us / 4}});
}

/* Something that was sent once arrives behind what was sent after it. */
static void detect_reordering(struct tcb *tcb, const struct tx_delivered *delivered)
{
    struct rack *rack = &tcb->work->rack;

    if (delivered->has_once && rack->has_fack && seq_lt(delivered->once_lowest_end, rack->fack))
        see_reordering(tcb, rack->fack - delivered->once_lowest_end,
                       "bytes arrive behind later ones, without a retransmission");
    if (delivered->has_once && (!rack->has_fack || seq_gt(delivered->once_end, rack->fack)))
        rack->fack = delivered->once_end;
    if (delivered->has_resent && (rack->has_fack || delivered->has_once) &&
        seq_gt(delivered->resent_end, rack->fack))
        rack->fack = delivered->resent_end;
    rack->has_fack = rack->has_fack || delivered->has_once;
    rack->fack = seq_max(rack->fack, tcb->snd_una);
}

/* ---- step 4: the reordering window */

/* A duplicate says that a retransmission was not needed: the window was too small. Once per round
 * trip, and only for retransmissions that have been made (sack.c). Departure: a probe that was not
 * needed does not count, for no window had a part in it. */
static void adapt_to_duplicates(struct tcb *tcb, const struct ack_news *news)
{
    struct rack *rack = &tcb->work->rack;

    if (rack->has_dsack_round && seq_geq(tcb->snd_una, rack->dsack_round))
        rack->has_dsack_round = false;
    if (!news->has_duplicate || rack->has_dsack_round || tlp_explains(tcb, news))
        return;
    /* Departure: step 3 looks only at what was never sent again. But while no reordering is known
     * all that is late is sent again at once, and none would ever be seen. */
    if (!tcb->work->recovery.is_after_timeout && !tcb->work->undo.is_by_timeout)
        see_reordering(tcb, news->duplicate.right - news->duplicate.left,
                       "what was sent again had only been late");
    rack->has_dsack_round = true;
    /* Departure: with nothing in flight a round trip has not passed at once. */
    rack->dsack_round = tcb->snd_nxt + (tcb->snd_una == tcb->snd_nxt ? 1 : 0);
    if (rack->reo_wnd_more < REO_WND_MORE_MAX)
        rack->reo_wnd_more++;
    rack->reo_wnd_persist = REO_WND_PERSIST;
}

/* Departure: a recovery that was a mistake and is undone does not count; the larger window has just
 * been shown to be needed. And one does count whose last acknowledgment has made the window larger,
 * where the text's "else" leaves it out: fifteen more then. */
void rack_on_recovered(struct rack *rack)
{
    if (rack->reo_wnd_persist > 0 && --rack->reo_wnd_persist == 0)
        rack->reo_wnd_more = 0;
}

/* RACK.segs_sacked >= DupThresh. A record holds many segments, so bytes are counted, and duplicate
 * ACKs for segments that are short. */
static bool many_are_sacked(const struct tcb *tcb)
{
    return tcb->work->in_flight.sacked_bytes > (DUP_THRESH - 1) * tcb->snd_mss ||
           (tcb->work->in_flight.sacked_bytes > 0 &&
            tcb->work->recovery.dup_ack_count >= DUP_THRESH);
}

static uint64_t reo_wnd_us(const struct tcb *tcb)
{
    const struct rack *rack = &tcb->work->rack;
    bool in_recovery = tcb->work->recovery.is_active || tcb->work->recovery.is_after_timeout;

    if (!rack->reordering_seen && (in_recovery || many_are_sacked(tcb)))
        return 0;
    uint64_t wnd_us = (uint64_t)(1 + rack->reo_wnd_more) * rack->min_rtt.us / 4;
    return wnd_us < tcb->rto.srtt_us ? wnd_us : tcb->rto.srtt_us;
}

/* ---- step 5: losses */

static void mark(struct tcb *tcb, unsigned i)
{
    const struct tx_record *record = records_at(&tcb->work->in_flight, i);

    detect_mark(
        tcb, i, UINT32_MAX,
        &(struct trace_event){.clause = "RFC 8985 6.2",
                              .u.lost = {.by = TRACE_LOST_BY_RACK,
                                         .later_us = tcb->work->rack.xmit_us - record->sent_us,
                                         .reo_wnd_us = tcb->work->rack.reo_wnd_us}});
}

static void put_off(struct tcb *tcb)
{
    uint64_t at_us = tcb->stack->now_us + records_walk_wait_us(&tcb->work->in_flight);

    if (at_us < tcb->work->deadline_us[TIMER_REORDER])
        tcb_timer_set(tcb, TIMER_REORDER, at_us);
}

bool rack_detect(struct tcb *tcb)
{
    struct rack *rack = &tcb->work->rack;
    uint64_t now_us = tcb->stack->now_us, latest_us = 0;
    bool found = false;

    if (!rack->has_segment)
        return false;
    rack->reo_wnd_us = reo_wnd_us(tcb);
    if (!records_can_walk(&tcb->work->in_flight)) {
        put_off(tcb);
        return false;
    }
    unsigned i = 0;
    for (; i < tcb->work->in_flight.count; i++) {
        const struct tx_record *record = records_at(&tcb->work->in_flight, i);
        if (record->sacked || record->lost)
            continue;
        if (!sent_after(rack->order, rack->end_seq, record->order, record->end)) {
            if (record->transmission_count == 1)
                break;
            continue;
        }
        uint64_t due_us = record->sent_us + rack->rtt_us + rack->reo_wnd_us;
        if (due_us <= now_us) {
            mark(tcb, i);
            found = true;
        } else if (due_us > latest_us) {
            latest_us = due_us; /* one expiry for all that wait: the last of them */
        }
    }
    records_spend(&tcb->work->in_flight, i);
    if (latest_us > 0)
        tcb_timer_set(tcb, TIMER_REORDER, latest_us);
    else
        tcb_timer_clear(tcb, TIMER_REORDER);
    return found;
}

/* The first, since the timer was its timer; of the others those that are overdue by RACK. */
void rack_mark_on_timeout(struct tcb *tcb)
{
    const struct rack *rack = &tcb->work->rack;
    uint64_t wait_us = rack->has_segment ? rack->rtt_us + rack->reo_wnd_us : 0;

    tcb_timer_clear(tcb, TIMER_REORDER);
    for (unsigned i = 0; i < tcb->work->in_flight.count; i++) {
        const struct tx_record *record = records_at(&tcb->work->in_flight, i);
        if (i == 0 || record->sent_us + wait_us <= tcb->stack->now_us)
            detect_mark(tcb, i, UINT32_MAX,
                        &(struct trace_event){.clause = "RFC 8985 6.3",
                                              .u.lost = {.by = TRACE_LOST_BY_TIMEOUT}});
    }
}
