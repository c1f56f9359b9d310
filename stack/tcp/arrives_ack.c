/* SEGMENT ARRIVES, the fifth check: the ACK field (RFC 9293 3.10.7.4). What it acknowledges leaves
 * the flight, gives a round-trip sample (RFC 6298, RFC 7323 4.1), opens the window, and tells
 * recovery/ what is lost; the acknowledgment of our FIN moves the state on. */
#include "arrives_steps.h"

#include "output.h"
#include "recovery/sack.h"
#include "seq.h"

/* SEG.WND is unsigned (MUST-1), and SND.WND has 32 bits for what the scale makes of it (REC-1). */
void arrives_set_window(struct tcb *tcb, const struct tcp_segment *seg)
{
    uint32_t shift = seg->flags & TCP_SYN ? 0 : tcb->snd_wnd_shift; /* RFC 7323 2.2 */

    tcb->snd_wnd = (uint32_t)seg->wnd << shift;
    tcb->snd_wl1 = seg->seq;
    tcb->snd_wl2 = seg->ack;
    if (tcb->snd_wnd > tcb->max_snd_wnd)
        tcb->max_snd_wnd = tcb->snd_wnd;
}

/* How long ago the segment that caused this acknowledgment was sent at most, by the echoed
 * timestamp (RFC 7323 4.1); NEVER without one. The clock of the timestamps ticks once a
 * millisecond. */
static uint64_t echo_age_us(const struct tcb *tcb, const struct tcp_segment *seg)
{
    uint32_t age_ms = tcb_tsval(tcb) - seg->options.tsecr;

    if (!tcb->timestamps || !seg->options.has_timestamps || age_ms > (uint32_t)INT32_MAX)
        return NEVER;
    return ((uint64_t)age_ms + 1) * 1000;
}

/* A round trip, unless Karn's rule forbids it. With timestamps a retransmission may be measured too
 * if the echo shows that it is the one that is acknowledged. An older echo proves nothing (it may
 * come from a duplicate, which leaves the peer's TS.Recent alone), but it bounds the round trip:
 * without that, a few lost ACKs in a row would leave the back-off at its highest although data
 * arrives. So does a D-SACK, which says that a second copy has just come, most likely the last:
 * only ACKs had been lost, and none of the waiting was for the round trip.
 *
 * Below a tick of the timestamps, on a path of microseconds, both transmissions have the same one:
 * what would make the round trip shorter than any before is taken for the first one's (as RFC 8985
 * 6.2 step 2 does). */
static void sample_rtt(struct tcb *tcb, const struct tx_acked *acked, const struct tcp_segment *seg,
                       struct ack_news *news)
{
    uint64_t echo_us = echo_age_us(tcb, seg);
    uint64_t rtt_us =
        tcb->stack->now_us - (acked->was_retransmitted ? acked->resent_us : acked->sent_us);
    bool is_ambiguous = echo_us > rtt_us + 1000 || rtt_us < tcb->work->rack.min_rtt.us;

    if (acked->was_retransmitted ? is_ambiguous : !acked->has_rtt) {
        bool is_second_copy =
            acked->was_retransmitted && news->has_duplicate && rtt_us >= tcb->work->rack.min_rtt.us;
        uint64_t rtt_max_us = is_second_copy && rtt_us < echo_us ? rtt_us : echo_us;
        if (rtt_max_us != NEVER)
            tcp_rto_relax(&tcb->rto, rtt_max_us, tcb->config);
        return;
    }
    if (rtt_us > echo_us) /* the ACK that was due first is lost */
        rtt_us = echo_us;
    tcp_rto_sample(&tcb->rto, rtt_us, tcb->config);
    rack_note_rtt(&tcb->work->rack, rtt_us, tcb->stack->now_us);
    tcb_trace(tcb, (struct trace_event){
                       .kind = TRACE_RTT,
                       .u.rtt = {rtt_us, tcb->rto.srtt_us, tcb->rto.rttvar_us, tcb->rto.rto_us}});
    news->has_rtt_sample = true;
    news->rtt_us = rtt_us;
}

/* Segments in flight and waiting to be sent; at least `enough` when there are more. */
static unsigned count_segments(const struct tcb *tcb, unsigned enough)
{
    unsigned count = (tcb_unsent_bytes(tcb) + tcb->snd_mss - 1) / tcb->snd_mss;

    for (unsigned i = 0; i < tcb->work->in_flight.count && count < enough; i++) {
        const struct tx_record *record = records_at(&tcb->work->in_flight, i);
        count += (record->end - record->start + tcb->snd_mss - 1) / tcb->snd_mss;
    }
    return count;
}

/* RFC 6298 (5.3): how long the timer waits from this acknowledgment on. RFC 7765 section 4: a short
 * flight can bring no three duplicate ACKs, so its timer has been running since it was sent. */
static uint64_t rto_from_now_us(const struct tcb *tcb)
{
    enum { RRTHRESH = 4 };
    uint64_t rto_us = tcp_rto_current_us(&tcb->rto, tcb->config);

    if (!tcb->config->rto_restart || count_segments(tcb, RRTHRESH) >= RRTHRESH)
        return rto_us;
    uint64_t earliest_us = tcb->stack->now_us - records_at(&tcb->work->in_flight, 0)->sent_us;
    return earliest_us < rto_us ? rto_us - earliest_us : rto_us;
}

/* SND.UNA advances: forget what is acknowledged, RTT, timer. Returns by how many bytes. */
static uint32_t advance_snd_una(struct tcb *tcb, const struct tcp_segment *seg,
                                struct ack_news *news)
{
    if (seq_leq(seg->ack, tcb->snd_una))
        return 0;
    uint32_t advance = seg->ack - tcb->snd_una;
    uint32_t data = advance;

    if (!tcb_is_synchronized(tcb))
        data--; /* the SYN */
    if (tcb->fin_sent && seg->ack == tcb->snd_nxt)
        data--; /* the FIN */
    ring_consume(&tcb->work->send_ring, data);
    tcb->bytes_acked += data;
    tcb->snd_una = seg->ack;
    tcb->progress_us = tcb->stack->now_us;
    if (tcb->has_snd_up && seq_geq(tcb->snd_una, tcb->snd_up))
        tcb->has_snd_up = false; /* or it would lie ahead again after half the sequence space */
    struct tx_acked acked = records_ack(&tcb->work->in_flight, seg->ack, &news->delivered);
    path_mtu_on_ack(tcb);
    sample_rtt(tcb, &acked, seg, news);
    tcb->trouble_reported = false;
    if (tcb->work->in_flight.count == 0 && !tcb->ecn.holds) /* RFC 6298 (5.2) */
        tcb_timer_clear(tcb, TIMER_RETRANSMIT);
    else /* (5.3) */
        tcb_timer_set(tcb, TIMER_RETRANSMIT, tcb->stack->now_us + rto_from_now_us(tcb));
    if (tcb->work->send_ring.used == 0 && tcb->work->send_ring.size > 0)
        tcb_timer_set(tcb, TIMER_IDLE, tcb->stack->now_us + TCB_IDLE_US);
    return data;
}

void arrives_take_syn_ack(struct tcb *tcb, const struct tcp_segment *seg)
{
    struct ack_news news = {0};

    advance_snd_una(tcb, seg, &news);
    records_release(&tcb->work->in_flight); /* many a connection says nothing for long */
    rack_on_ack(tcb, &news);
    tcb->work->unanswered_since_us = tcb->work->in_flight.count > 0 ? tcb->stack->now_us : NEVER;
}

/* Has the peer sent this segment after the one that set SND.WND last? Departure from 3.10.7.4
 * fifth, which compares SEG.SEQ first: a peer that retransmits goes back with it, but never with
 * SEG.ACK. If SND.UNA advanced and SND.WND did not, their sum would lie beyond what was announced.
 */
static bool is_newer_window(const struct tcb *tcb, const struct tcp_segment *seg)
{
    return seq_lt(tcb->snd_wl2, seg->ack) ||
           (tcb->snd_wl2 == seg->ack && seq_leq(tcb->snd_wl1, seg->seq));
}

/* SND.WND, unless the segment is older than the one that set it last. */
static void update_window(struct tcb *tcb, const struct tcp_segment *seg)
{
    bool was_closed = tcb->snd_wnd == 0;

    if (!is_newer_window(tcb, seg))
        return;
    arrives_set_window(tcb, seg);
    bool is_closed = tcb->snd_wnd == 0;
    if (was_closed != is_closed)
        tcb_trace(tcb, (struct trace_event){
                           .kind = TRACE_WINDOW,
                           .cause = is_closed ? "the peer's receive buffer is full"
                                              : "the peer has room again",
                           .u.window = {.closed = is_closed, .wnd_bytes = tcb->snd_wnd}});
    if (is_closed || !was_closed) /* a window that stays small leaves the override timer running */
        return;
    bool is_repeated = tcb->work->was_refused && tcb->work->in_flight.count > 0;
    tcb->work->was_refused = false;
    tcb->work->probe_count = 0;
    tcb->work->probe_now = false;
    tcb_timer_clear(tcb, TIMER_PERSIST);
    if (is_repeated) { /* what is first in flight was not taken; now it fits */
        records_mark_lost(&tcb->work->in_flight, 0, UINT32_MAX);
        tcb->work->recovery.send_one = true;
        tcb->work->resend_cause = "the window is open again";
    }
}

/* RFC 5681 section 2: what makes an ACK a duplicate. With a closed window it answers a probe, and
 * says nothing of a loss. */
static bool is_duplicate_ack(const struct tcb *tcb, const struct tcp_segment *seg)
{
    return tcb->snd_nxt != tcb->snd_una && tcb->snd_wnd != 0 && seg->ack == tcb->snd_una &&
           seg->payload.len == 0 && !(seg->flags & (TCP_SYN | TCP_FIN)) &&
           ((uint32_t)seg->wnd << tcb->snd_wnd_shift) == tcb->snd_wnd;
}

/* The processing for ESTABLISHED, which the other synchronized states share. */
void arrives_take_ack(struct tcb *tcb, const struct tcp_segment *seg)
{
    struct ack_news news = {.flight_before = tcb->snd_nxt - tcb->snd_una,
                            .sacked_before = tcb->work->in_flight.sacked_bytes,
                            .is_duplicate = is_duplicate_ack(tcb, seg),
                            .has_echo = tcb->timestamps && seg->options.has_timestamps,
                            .echo = seg->options.tsecr};

    bool is_progress = seq_gt(seg->ack, tcb->snd_una);
    tcb->work->unanswered_probe_count = 0; /* the peer is there */
    records_pay(&tcb->work->in_flight, tcb->stack->now_us, true);
    sack_take(tcb, seg, &news);
    if (news.sacked_bytes > 0 && !is_progress) /* RFC 6675 2: whatever its window and text are */
        news.is_duplicate = true;
    news.acked_bytes = advance_snd_una(tcb, seg, &news);
    news.is_congestion_echo = ecn_on_ack(tcb, seg, news.flight_before);
    update_window(tcb, seg);
    /* R2 counts from the last progress; a peer whose window is closed or shrunk and who goes on
     * answering keeps the connection open (MUST-37, SHLD-17). */
    if (seq_lt(tcb_snd_edge(tcb), tcb->snd_nxt))
        tcb->work->unanswered_since_us = NEVER; /* until the next probe */
    else if (is_progress)
        tcb->work->unanswered_since_us =
            tcb->work->in_flight.count > 0 ? tcb->stack->now_us : NEVER;
    recovery_on_ack(tcb, &news);
    if (news.acked_bytes > 0)
        tcb_notify(tcb);
    tcb_wants_output(tcb);
}

void arrives_enter_time_wait(struct tcb *tcb, const char *why, const char *clause)
{
    for (int t = 0; t < TIMER_COUNT; t++)
        tcb_timer_clear(tcb, (enum tcp_timer)t);
    tcp_set_state(tcb, TCPS_TIME_WAIT, why, clause);
    tcb_timer_set(tcb, TIMER_TIME_WAIT, tcb->stack->now_us + 2 * tcb->config->msl_us); /* MUST-13 */
}

/* What the acknowledgment of our FIN does. */
static void on_fin_acked(struct tcb *tcb)
{
    switch (tcb->state) {
    case TCPS_FIN_WAIT_1:
        tcp_set_state(tcb, TCPS_FIN_WAIT_2, "our FIN is acknowledged", "9293 3.10.7.4 fifth");
        tcb_timer_clear(tcb, TIMER_LINGER);
        if (!tcb->is_held) /* Departure: nobody is left to wait for the peer's FIN for ever */
            tcb_timer_set(tcb, TIMER_TIME_WAIT, tcb->stack->now_us + tcb->config->fin_wait_2_us);
        break;
    case TCPS_CLOSING:
        arrives_enter_time_wait(tcb, "our FIN is acknowledged", "9293 3.10.7.4 fifth");
        break;
    case TCPS_LAST_ACK:
        tcb_fail(tcb, TCP_OK, "our FIN is acknowledged", "9293 3.10.7.4 fifth");
        break;
    case TCPS_CLOSED:
    case TCPS_LISTEN:
    case TCPS_SYN_SENT:
    case TCPS_SYN_RECEIVED:
    case TCPS_ESTABLISHED:
    case TCPS_FIN_WAIT_2:
    case TCPS_CLOSE_WAIT:
    case TCPS_TIME_WAIT:
    case TCPS_COUNT:
        break;
    }
}

static enum drop check_ack_syn_received(struct tcb *tcb, const struct tcp_segment *seg)
{
    if (!(seq_lt(tcb->snd_una, seg->ack) && seq_leq(seg->ack, tcb->snd_nxt))) {
        tcp_refuse(tcb->stack, &tcb->flow.id, seg,
                   "acknowledges what was never sent (9293 3.10.7.4 fifth)");
        return DROP_TCP_ACK_INVALID;
    }
    /* As Linux does: connections that came by SYN cookies have taken all places. It stays in
     * SYN-RECEIVED, and its SYN,ACK goes out again, until there is room or patience ends. */
    if (tcb->listener != NULL && arrives_accept_queue_is_full(tcb->listener))
        return DROP_TCP_BACKLOG_FULL;
    bool is_crossed = arrives_is_crossed_syn_ack(tcb, seg);
    if (is_crossed)
        ecn_take_syn(tcb, seg);
    arrives_round_receive_buffer(tcb);
    arrives_take_syn_ack(tcb, seg);
    arrives_set_window(tcb, seg);
    tcb_establish(tcb, "our SYN is acknowledged", "9293 3.10.7.4 fifth");
    if (is_crossed)
        tcb_ack_now(tcb, "acknowledges the SYN,ACK that crossed ours");
    return DROP_NOT;
}

enum drop arrives_check_ack(struct tcb *tcb, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_ACK))
        return DROP_TCP_NO_ACK;
    if (tcb->state == TCPS_SYN_RECEIVED)
        return check_ack_syn_received(tcb, seg);
    if (seq_gt(seg->ack, tcb->snd_nxt)) {
        arrives_answer_unwanted(tcb, seg, "acknowledges what was never sent (9293 3.10.7.4 fifth)");
        return DROP_TCP_ACK_INVALID;
    }
    if (seq_lt(seg->ack, tcb->snd_una - tcb->max_snd_wnd)) { /* MAY-12, RFC 5961 (5) */
        arrives_challenge(tcb, "acknowledgment too old: challenge ACK (RFC 5961 5)");
        return DROP_TCP_ACK_INVALID;
    }
    /* Departure: the text acknowledges here whatever comes, and starts 2 MSL again. Only the peer's
     * FIN does so (check_sequence()), or one ACK in TIME-WAIT would answer another. */
    if (tcb->state == TCPS_TIME_WAIT)
        return DROP_NOT;
    arrives_take_ack(tcb, seg);
    if (tcb_fin_is_acked(tcb))
        on_fin_acked(tcb);
    return DROP_NOT;
}
