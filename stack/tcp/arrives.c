/* SEGMENT ARRIVES, RFC 9293 3.10.7: one function per state with a list of its own (LISTEN,
 * SYN-SENT) and one per numbered check for all the others, in the order of the text. CLOSED is
 * layer.c's business: there is no TCB.
 *
 * Each check returns DROP_NOT to go on, or the reason for which the segment is dropped; whatever is
 * to be answered has been asked for by then. RFC 5961 (blind reset, SYN and data injection) is
 * followed throughout: doubtful segments are answered by a challenge ACK. RFC 7323 adds PAWS to the
 * first check.
 *
 * LISTEN is in arrives_listen.c; the fifth check, the acknowledgment, fills arrives_ack.c; the
 * sixth to eighth, urgent pointer, text and FIN, arrives_text.c.
 *
 * Not done: the third check, security and compartment (9293 A.1), which nobody uses. */
#include "arrives.h"

#include "arrives_steps.h"

#include "layer.h"
#include "output.h"
#include "predict.h"
#include "recovery/recovery.h"
#include "route.h"
#include "recovery/sack.h"
#include "seq.h"

static enum drop arrives_syn_sent(struct tcb *tcb, const struct tcp_segment *seg);
static enum drop arrives_otherwise(struct tcb *tcb, const struct tcp_segment *seg);
static enum drop check_sequence(struct tcb *tcb, const struct tcp_segment *seg);
static enum drop check_rst(struct tcb *tcb, const struct tcp_segment *seg);
static enum drop check_syn(struct tcb *tcb, const struct tcp_segment *seg);

/* The peer is there, 9293 3.8.4: data or an acknowledgment, a keep-alive of its own included, which
 * lies before the window. The acknowledgment must be one that it can have sent: else a stranger
 * could keep a dead connection alive. */
static void note_heard(struct tcb *tcb, const struct tcp_segment *seg)
{
    if ((seg->flags & (TCP_ACK | TCP_RST)) != TCP_ACK || seq_lt(seg->ack, tcb->snd_una) ||
        seq_gt(seg->ack, tcb->snd_nxt))
        return;
    tcb->last_heard_us = tcb->stack->now_us;
    if (tcb->work->keepalive_probe_count > 0)
        tcb_watch_silence(tcb);
}

enum drop tcp_arrives(struct tcb *tcb, const struct tcp_segment *seg)
{
    tcb->segments_received += tcp_segment_count((uint32_t)seg->payload.len, seg->segment_bytes);
    note_heard(tcb, seg);
    enum drop drop;
    if (predict_arrives(tcb, seg, &drop))
        return drop;
    return tcb->state == TCPS_SYN_SENT ? arrives_syn_sent(tcb, seg) : arrives_otherwise(tcb, seg);
}

/* The limit of this second: lower by up to an eighth, at random, so that nobody can find out by
 * counting to it whether another connection exists (CVE-2016-5696). */
static unsigned challenge_limit(struct stack *stack)
{
    unsigned limit = stack->config.challenge_acks_per_s;

    return limit - (unsigned)(stack_random(stack) % (limit / 8 + 1));
}

/* RFC 5961 (5) and (7): an ACK that makes an honest peer tell where it stands, so many a second. */
void arrives_challenge(struct tcb *tcb, const char *cause)
{
    enum { SECOND_US = 1000000 };
    struct tcp_layer *layer = &tcb->stack->tcp;
    uint64_t now_us = tcb->stack->now_us;

    if (now_us - layer->challenge_window_start_us >= SECOND_US) {
        layer->challenge_window_start_us = now_us;
        layer->challenge_left = challenge_limit(tcb->stack);
    }
    if (layer->challenge_left == 0)
        return;
    layer->challenge_left--;
    tcb_ack_now(tcb, cause);
}

/* An unacceptable segment is answered by an ACK. One that occupies no sequence numbers, twice
 * within half a second, is not: if two ends each hold the other's ACKs to be unacceptable, they
 * would answer each other for ever (RFC 5961 (7) wants such answers throttled). */
void arrives_answer_unwanted(struct tcb *tcb, const struct tcp_segment *seg, const char *cause)
{
    enum { UNWANTED_INTERVAL_US = 500000 };
    uint64_t now_us = tcb->stack->now_us;

    if (tcp_segment_len(seg) == 0) {
        if (tcb->has_unwanted_ack && now_us - tcb->unwanted_ack_us < UNWANTED_INTERVAL_US)
            return;
        tcb->has_unwanted_ack = true;
        tcb->unwanted_ack_us = now_us;
    }
    tcb_ack_now(tcb, cause);
}

/* ---- options of the peer's SYN */

static void take_syn_options(struct tcb *tcb, const struct tcp_options *options)
{
    enum { WINDOW_SHIFT_MAX = 14 };
    const struct tcp_config *config = tcb->config;

    if (options->has_mss) /* MUST-14 */
        tcb->peer_mss = options->mss;
    tcb->window_scaling = config->window_scaling && options->has_window_scale;
    tcb->snd_wnd_shift = 0;
    if (tcb->window_scaling && options->window_scale > WINDOW_SHIFT_MAX) {
        tcb->snd_wnd_shift = WINDOW_SHIFT_MAX;
        tcb_trace(tcb,
                  (struct trace_event){.kind = TRACE_ERROR,
                                       .cause = "the peer's window scale is above 14: 14 is used",
                                       .clause = "RFC 7323 2.3",
                                       .u.error = {.error = (int)TCP_ERR_INVALID, .soft = true}});
    } else if (tcb->window_scaling) {
        tcb->snd_wnd_shift = options->window_scale;
    } else {
        tcb->rcv_wnd_shift = 0;
        if (tcb->rcv_buffer_bytes > UINT16_MAX)
            tcb->rcv_buffer_bytes = UINT16_MAX;
    }
    tcb->timestamps = config->timestamps && options->has_timestamps;
    tcb->ts_recent = tcb->timestamps ? options->tsval : 0;
    tcb->ts_recent_us = tcb->stack->now_us;
    tcb->sack = config->sack && options->sack_permitted;
    tcb_take_uto(tcb, options->user_timeout);
    tcb_update_mss(tcb);
}

/* With the segment size known: the window offered is a whole number of segments. */
void arrives_round_receive_buffer(struct tcb *tcb)
{
    if (tcb->window_scaling)
        tcb->rcv_buffer_bytes =
            (tcb->rcv_buffer_bytes + tcb->snd_mss - 1) / tcb->snd_mss * tcb->snd_mss;
}

static void take_irs(struct tcb *tcb, const struct tcp_segment *seg)
{
    uint32_t offered = tcb->rcv_adv - tcb->rcv_nxt; /* by the SYN that we have sent, if any */

    tcb->irs = seg->seq;
    tcb->rcv_nxt = seg->seq + 1;
    tcb->rcv_adv = tcb->rcv_nxt + offered;
    tcb->last_ack_sent = tcb->rcv_nxt;
}

void arrives_take_syn(struct tcb *tcb, const struct tcp_segment *seg)
{
    take_irs(tcb, seg);
    take_syn_options(tcb, &seg->options);
    ecn_take_syn(tcb, seg);
}

/* ---- 3.10.7.3 SYN-SENT */

static enum drop arrives_syn_sent(struct tcb *tcb, const struct tcp_segment *seg)
{
    bool ack_is_acceptable = false;

    if (seg->flags & TCP_ACK) { /* first */
        if (seq_leq(seg->ack, tcb->iss) || seq_gt(seg->ack, tcb->snd_nxt)) {
            tcp_refuse(tcb->stack, &tcb->flow.id, seg,
                       "acknowledges what was never sent (9293 3.10.7.3 first)");
            return DROP_TCP_ACK_INVALID;
        }
        ack_is_acceptable = true;
    }
    if (seg->flags & TCP_RST) { /* second */
        if (!ack_is_acceptable)
            return DROP_TCP_RST_INVALID;
        /* Departure: 3.10.7.3 calls it "connection reset". "Connection refused" is 3.10.7.4's word
         * for the same in SYN-RECEIVED, and what users know. */
        tcb_fail(tcb, TCP_ERR_REFUSED, "RST in answer to our SYN", "9293 3.10.7.3 second");
        return DROP_NOT;
    }
    if (!(seg->flags & TCP_SYN)) /* fifth */
        return DROP_TCP_NO_ACK;

    arrives_take_syn(tcb, seg); /* fourth */
    if (ack_is_acceptable) {
        arrives_round_receive_buffer(tcb);
        arrives_take_syn_ack(tcb, seg);
        arrives_set_window(tcb, seg);
        tcb_establish(tcb, "our SYN is acknowledged", "9293 3.10.7.3 fourth");
        tcb_ack_now(tcb, "acknowledges the peer's SYN");
        arrives_check_urg(tcb, seg);
        enum drop drop = arrives_process_text(tcb, seg);
        arrives_check_fin(tcb, seg);
        return drop;
    }
    arrives_set_window(tcb, seg); /* SYNs have crossed: MUST-10 */
    tcp_set_state(tcb, TCPS_SYN_RECEIVED, "a SYN crosses ours: simultaneous open",
                  "9293 3.10.7.3 fourth");
    if (tcb->work->in_flight.count > 0) {
        records_mark_lost(&tcb->work->in_flight, 0,
                          UINT32_MAX); /* our SYN again, with the ACK now */
        tcb->work->resend_cause = "answers the SYN that crossed ours";
    }
    tcb_wants_output(tcb);
    return DROP_NOT;
}

/* ---- 3.10.7.4 all other states */

static enum drop arrives_otherwise(struct tcb *tcb, const struct tcp_segment *seg)
{
    enum drop drop = check_sequence(tcb, seg); /* first */

    if (drop == DROP_NOT)
        drop = check_rst(tcb, seg); /* second; third, security. Not done: 9293 A.1 */
    if (drop == DROP_NOT && tcb->state != TCPS_CLOSED)
        drop = check_syn(tcb, seg); /* fourth */
    if (drop == DROP_NOT && tcb->state != TCPS_CLOSED)
        drop = arrives_check_ack(tcb, seg); /* fifth */
    if (drop != DROP_NOT || tcb->state == TCPS_CLOSED)
        return drop;
    route_learn(tcb, seg); /* SHLD-24 */
    tcb_take_uto(tcb, seg->options.user_timeout);
    arrives_check_urg(tcb, seg);           /* sixth */
    drop = arrives_process_text(tcb, seg); /* seventh */
    if (tcb->state != TCPS_CLOSED)
        arrives_check_fin(tcb, seg); /* eighth */
    return drop;
}

/* ---- first: sequence number */

/* Table 6. A window of zero still lets valid ACKs, URGs and RSTs in (MUST-66): a segment at RCV.NXT
 * is taken, answered as one that is not acceptable, and its text is trimmed to nothing further
 * down; for its FIN see take_fin(). */
static bool is_acceptable(const struct tcb *tcb, const struct tcp_segment *seg)
{
    uint32_t wnd = tcb_rcv_wnd(tcb);
    uint32_t len = tcp_segment_len(seg);

    if (wnd == 0)
        return seg->seq == tcb->rcv_nxt;
    if (seq_in(seg->seq, tcb->rcv_nxt, wnd))
        return true;
    if (seg->flags & TCP_RST) /* SEG.SEQ alone counts, not where its text ends: RFC 5961 3.2 (1) */
        return false;
    return len > 0 && seq_in(seg->seq + len - 1, tcb->rcv_nxt, wnd);
}

/* RFC 7323 5.5: after 24 days of silence the peer's clock may have gone half way round, and
 * TS.Recent says nothing any more. */
static bool is_old_timestamp(const struct tcb *tcb, const struct tcp_segment *seg)
{
    const uint64_t valid_us = 24ull * 24 * 3600 * 1000000;

    return seq_lt(seg->options.tsval, tcb->ts_recent) &&
           tcb->stack->now_us - tcb->ts_recent_us < valid_us;
}

/* RFC 7323 5.3 R1 to R3: a timestamp before TS.Recent marks an old duplicate. */
static enum drop check_paws(struct tcb *tcb, const struct tcp_segment *seg)
{
    if (!tcb->timestamps || seg->flags & TCP_RST)
        return DROP_NOT;
    /* RFC 7323 3.2: it SHOULD be dropped. But to a SYN we MUST answer (RFC 5961 4.2), or a peer
     * that has restarted without timestamps would never learn that the connection is half open. */
    if (!seg->options.has_timestamps)
        return seg->flags & TCP_SYN ? DROP_NOT : DROP_TCP_PAWS;
    if (is_old_timestamp(tcb, seg)) {
        /* A retransmission that was late itself: that it was not needed is worth a D-SACK. */
        if (seq_leq(seg->seq + (uint32_t)seg->payload.len, tcb->rcv_nxt))
            sack_note_duplicate(tcb, seg->seq, seg->seq + (uint32_t)seg->payload.len);
        arrives_answer_unwanted(tcb, seg, "the segment's timestamp is old (RFC 7323 5.3 R1)");
        return DROP_TCP_PAWS;
    }
    return DROP_NOT;
}

/* RFC 7323 4.3 (2): only from a segment that touches the last ACK that we sent; 5.2: never from a
 * RST. */
void arrives_take_timestamp(struct tcb *tcb, const struct tcp_segment *seg)
{
    if (!tcb->timestamps || !seg->options.has_timestamps || seg->flags & TCP_RST ||
        is_old_timestamp(tcb, seg) || seq_gt(seg->seq, tcb->last_ack_sent))
        return;
    tcb->ts_recent = seg->options.tsval;
    tcb->ts_recent_us = tcb->stack->now_us;
}

/* Departure: a SYN,ACK that crosses ours starts at IRS, left of the window, and the first check of
 * 3.10.7.4 would drop it; figure 8 of 9293 takes it as the acknowledgment that it is. */
bool arrives_is_crossed_syn_ack(const struct tcb *tcb, const struct tcp_segment *seg)
{
    return tcb->state == TCPS_SYN_RECEIVED && !tcb->passive_open && seg->seq == tcb->irs &&
           (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK);
}

/* The peer repeats its SYN: our SYN,ACK was lost. Departure from the plain ACK of 3.10.7.4 first:
 * the SYN,ACK again acknowledges as well, and spares the peer a time-out. */
static bool is_repeated_syn(const struct tcb *tcb, const struct tcp_segment *seg)
{
    return tcb->state == TCPS_SYN_RECEIVED && seg->seq == tcb->irs &&
           (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

/* 9293 3.8.6.1: a closed window is said to whoever sends text or control into it, in any state.
 * What has no ACK is dropped by the fifth check. */
static void answer_if_closed(struct tcb *tcb, const struct tcp_segment *seg)
{
    if (tcb_rcv_wnd(tcb) == 0 && tcp_segment_len(seg) > 0 &&
        (seg->flags & (TCP_ACK | TCP_RST)) == TCP_ACK)
        tcb_ack_now(tcb, "the window is closed");
}

static enum drop check_sequence(struct tcb *tcb, const struct tcp_segment *seg)
{
    enum drop drop = check_paws(tcb, seg);

    if (drop != DROP_NOT)
        return drop;
    if (is_repeated_syn(tcb, seg)) {
        if (tcb->work->in_flight.count > 0)
            records_mark_lost(&tcb->work->in_flight, 0, UINT32_MAX);
        tcb->work->resend_cause = "the peer repeats its SYN";
        if (tcb->ecn.is_on) /* without the offer now, perhaps: RFC 3168 6.1.1.1 */
            ecn_take_syn(tcb, seg);
        tcb_wants_output(tcb);
        return DROP_TCP_NOT_ACCEPTABLE;
    }
    if (is_acceptable(tcb, seg) || arrives_is_crossed_syn_ack(tcb, seg)) {
        arrives_take_timestamp(tcb, seg);
        tcb->rcv_tos = seg->tos; /* MAY-9 */
        answer_if_closed(tcb, seg);
        return DROP_NOT;
    }
    if (seg->flags & TCP_RST)
        return DROP_TCP_RST_INVALID;
    bool repeats_fin = seg->flags & TCP_FIN && seg->seq + tcp_segment_len(seg) == tcb->rcv_nxt;
    if (tcb->state == TCPS_TIME_WAIT && repeats_fin) /* the peer missed our last ACK */
        tcb_timer_set(tcb, TIMER_TIME_WAIT, tcb->stack->now_us + 2 * tcb->config->msl_us);
    if (seq_lt(seg->seq, tcb->rcv_nxt)) /* all of it is old: RFC 2883 4.1.1 */
        sack_note_duplicate(tcb, seg->seq, seg->seq + (uint32_t)seg->payload.len);
    arrives_answer_unwanted(tcb, seg,
                            "the segment is outside the receive window (9293 3.10.7.4 first)");
    return DROP_TCP_NOT_ACCEPTABLE;
}

/* ---- second: RST, with RFC 5961 (3). It may carry text, which nobody looks at (SHLD-2). */

static enum drop check_rst(struct tcb *tcb, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_RST))
        return DROP_NOT;
    if (seg->seq != tcb->rcv_nxt) {
        arrives_challenge(tcb, "RST not at RCV.NXT: challenge ACK (RFC 5961 3)");
        return DROP_TCP_RST_INVALID;
    }
    switch (tcb->state) {
    case TCPS_SYN_RECEIVED:
        if (tcb->passive_open) /* back to LISTEN: the listener has never left it */
            tcb_fail(tcb, TCP_OK, "RST in SYN-RECEIVED: the listener goes on",
                     "9293 3.10.7.4 second");
        else
            tcb_fail(tcb, TCP_ERR_REFUSED, "RST in SYN-RECEIVED", "9293 3.10.7.4 second");
        break;
    case TCPS_ESTABLISHED:
    case TCPS_FIN_WAIT_1:
    case TCPS_FIN_WAIT_2:
    case TCPS_CLOSE_WAIT:
        tcb_fail(tcb, TCP_ERR_RESET, "RST from the peer", "9293 3.10.7.4 second");
        break;
    case TCPS_CLOSING:
    case TCPS_LAST_ACK:
        tcb_fail(tcb, TCP_ERR_RESET, "RST from the peer while closing", "9293 3.10.7.4 second");
        break;
    case TCPS_TIME_WAIT: /* Departure: RFC 1337, TIME-WAIT assassination: 2 MSL are waited out */
        return DROP_TCP_RST_INVALID;
    case TCPS_CLOSED:
    case TCPS_LISTEN:
    case TCPS_SYN_SENT:
    case TCPS_COUNT:
        break;
    }
    return DROP_NOT;
}

/* ---- fourth: SYN, with RFC 5961 (4) */

static enum drop check_syn(struct tcb *tcb, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_SYN) || arrives_is_crossed_syn_ack(tcb, seg))
        return DROP_NOT;
    if (tcb->state == TCPS_SYN_RECEIVED && tcb->passive_open) {
        tcb_fail(tcb, TCP_OK, "SYN in SYN-RECEIVED: the listener goes on", "9293 3.10.7.4 fourth");
        return DROP_NOT;
    }
    arrives_challenge(tcb, "SYN in a synchronized state: challenge ACK (RFC 5961 4)");
    return DROP_TCP_SYN_INVALID;
}

/* ---- TIME-WAIT reuse */

/* Departure from RFC 6191 section 2, which drops any other SYN silently: it is challenged like each
 * SYN in a synchronized state (RFC 5961 4.2). */
bool tcp_time_wait_may_be_reused(const struct tcb *tcb, const struct tcp_segment *seg)
{
    if (tcb->state != TCPS_TIME_WAIT || (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
        return false;
    bool is_behind_last = seq_geq(seg->seq, tcb->rcv_nxt); /* the last number was the FIN's */
    if (tcb->timestamps && seg->options.has_timestamps)    /* RFC 6191 section 2, SHLD-4 */
        return seq_gt(seg->options.tsval, tcb->ts_recent) ||
               (seg->options.tsval == tcb->ts_recent && is_behind_last);
    if (seg->options.has_timestamps && tcb->config->timestamps) /* no old segment has them */
        return true;
    return is_behind_last; /* 9293 3.6.1, from RFC 1122 4.2.2.13 */
}
