/* SEGMENT ARRIVES, RFC 9293 3.10.7: one function per state with a list of its own (LISTEN,
 * SYN-SENT) and one per numbered check for all the others, in the order of the text. CLOSED is
 * layer.c's business: there is no TCB.
 *
 * Each check returns DROP_NOT to go on, or the reason for which the segment is dropped; whatever is
 * to be answered has been asked for by then. RFC 5961 (blind reset, SYN and data injection) is
 * followed throughout: doubtful segments are answered by a challenge ACK. RFC 7323 adds PAWS to the
 * first check.
 *
 * Not done: the third check, security and compartment (9293 A.1), which nobody uses. */
#include "arrives.h"

#include "layer.h"
#include "output.h"
#include "recovery/recovery.h"
#include "seq.h"

static enum drop arrives_syn_sent(struct tcb *tcb, const struct tcp_segment *seg);
static enum drop arrives_otherwise(struct tcb *tcb, const struct tcp_segment *seg);
static enum drop check_sequence(struct tcb *tcb, const struct tcp_segment *seg);
static enum drop check_rst(struct tcb *tcb, const struct tcp_segment *seg);
static enum drop check_syn(struct tcb *tcb, const struct tcp_segment *seg);
static enum drop check_ack(struct tcb *tcb, const struct tcp_segment *seg);
static void check_urg(struct tcb *tcb, const struct tcp_segment *seg);
static enum drop process_text(struct tcb *tcb, const struct tcp_segment *seg);
static void check_fin(struct tcb *tcb, const struct tcp_segment *seg);

enum drop tcp_arrives(struct tcb *tcb, const struct tcp_segment *seg)
{
    tcb->segments_received++;
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
static void challenge(struct tcb *tcb, const char *cause)
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
static void answer_unwanted(struct tcb *tcb, const struct tcp_segment *seg, const char *cause)
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

    if (options->has_mss)
        tcb->peer_mss = options->mss;
    tcb->window_scaling = config->window_scaling && options->has_window_scale;
    tcb->snd_wnd_shift = 0;
    if (tcb->window_scaling) { /* RFC 7323 2.3: more than 14 counts as 14 */
        tcb->snd_wnd_shift =
            options->window_scale > WINDOW_SHIFT_MAX ? WINDOW_SHIFT_MAX : options->window_scale;
    } else {
        tcb->rcv_wnd_shift = 0;
        if (tcb->rcv_buffer_bytes > UINT16_MAX)
            tcb->rcv_buffer_bytes = UINT16_MAX;
    }
    tcb->timestamps = config->timestamps && options->has_timestamps;
    tcb->ts_recent = tcb->timestamps ? options->tsval : 0;
    tcb->ts_recent_us = tcb->stack->now_us;
    tcb->sack = config->sack && options->sack_permitted;
    tcb_update_mss(tcb);
}

/* With the segment size known: the window offered is a whole number of segments. */
static void round_receive_buffer(struct tcb *tcb)
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

/* ---- 3.10.7.2 LISTEN */

enum drop tcp_arrives_listen(struct tcb *listener, const struct flow_id *id,
                             const struct tcp_segment *seg)
{
    struct stack *stack = listener->stack;

    if (seg->flags & TCP_RST) /* first */
        return DROP_TCP_STATE;
    if (seg->flags & TCP_ACK) { /* second */
        tcp_refuse(stack, id, seg, "an ACK on a port that only listens (9293 3.10.7.2)");
        return DROP_TCP_STATE;
    }
    if (!(seg->flags & TCP_SYN)) /* fourth */
        return DROP_TCP_STATE;
    if (listener->child_count >= listener->config->backlog) /* third */
        return DROP_TCP_BACKLOG_FULL;
    struct tcb *tcb = layer_new_child(listener, id);
    if (tcb == NULL)
        return DROP_TCP_MEMORY;
    take_irs(tcb, seg);
    take_syn_options(tcb, &seg->options);
    tcb->snd_wnd = seg->wnd;
    tcp_set_state(tcb, TCPS_SYN_RECEIVED, "SYN arrives", "9293 3.10.7.2 third");
    tcb_wants_output(tcb);
    /* Departure: text on a SYN is not queued but left for the peer to send again: before the
     * handshake is done it may come from anywhere. */
    return DROP_NOT;
}

/* ---- 3.10.7.3 SYN-SENT */

/* Our SYN is acknowledged: SND.UNA and the round trip of the handshake. */
static void take_syn_ack(struct tcb *tcb, const struct tcp_segment *seg);

static void set_window(struct tcb *tcb, const struct tcp_segment *seg)
{
    uint32_t shift = seg->flags & TCP_SYN ? 0 : tcb->snd_wnd_shift; /* RFC 7323 2.2 */

    tcb->snd_wnd = (uint32_t)seg->wnd << shift;
    tcb->snd_wl1 = seg->seq;
    tcb->snd_wl2 = seg->ack;
    if (tcb->snd_wnd > tcb->max_snd_wnd)
        tcb->max_snd_wnd = tcb->snd_wnd;
}

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
        tcb_fail(tcb, TCP_ERR_REFUSED, "RST in answer to our SYN", "9293 3.10.7.3 second");
        return DROP_NOT;
    }
    if (!(seg->flags & TCP_SYN)) /* fifth */
        return DROP_TCP_NO_ACK;

    take_irs(tcb, seg); /* fourth */
    take_syn_options(tcb, &seg->options);
    if (ack_is_acceptable) {
        round_receive_buffer(tcb);
        take_syn_ack(tcb, seg);
        set_window(tcb, seg);
        tcb_establish(tcb, "our SYN is acknowledged", "9293 3.10.7.3 fourth");
        tcb_ack_now(tcb, "acknowledges the peer's SYN");
        check_urg(tcb, seg);
        enum drop drop = process_text(tcb, seg);
        check_fin(tcb, seg);
        return drop;
    }
    set_window(tcb, seg); /* SYNs have crossed: MUST-10 */
    tcp_set_state(tcb, TCPS_SYN_RECEIVED, "a SYN crosses ours: simultaneous open",
                  "9293 3.10.7.3 fourth");
    if (tcb->in_flight.count > 0) {
        records_mark_lost(&tcb->in_flight, 0, UINT32_MAX); /* our SYN again, with the ACK now */
        tcb->resend_cause = "answers the SYN that crossed ours";
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
        drop = check_ack(tcb, seg); /* fifth */
    if (drop != DROP_NOT || tcb->state == TCPS_CLOSED)
        return drop;
    check_urg(tcb, seg);           /* sixth */
    drop = process_text(tcb, seg); /* seventh */
    if (tcb->state != TCPS_CLOSED)
        check_fin(tcb, seg); /* eighth */
    return drop;
}

/* ---- first: sequence number */

static uint32_t receive_window(const struct tcb *tcb)
{
    return tcb->rcv_adv - tcb->rcv_nxt;
}

/* Table 6. A window of zero still lets valid ACKs, URGs and RSTs in (MUST-66): a segment at RCV.NXT
 * is taken, and its text is trimmed to nothing further down. */
static bool is_acceptable(const struct tcb *tcb, const struct tcp_segment *seg)
{
    uint32_t wnd = receive_window(tcb);
    uint32_t len = tcp_segment_len(seg);

    if (wnd == 0)
        return seg->seq == tcb->rcv_nxt;
    if (seq_in(seg->seq, tcb->rcv_nxt, wnd))
        return true;
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
    if (!seg->options.has_timestamps) /* RFC 7323 3.2 */
        return DROP_TCP_PAWS;
    if (is_old_timestamp(tcb, seg)) {
        answer_unwanted(tcb, seg, "the segment's timestamp is old (RFC 7323 5.3 R1)");
        return DROP_TCP_PAWS;
    }
    return DROP_NOT;
}

/* RFC 7323 4.3 (2): only a segment that touches the last ACK that we sent. */
static void take_timestamp(struct tcb *tcb, const struct tcp_segment *seg)
{
    if (!tcb->timestamps || !seg->options.has_timestamps || is_old_timestamp(tcb, seg) ||
        seq_gt(seg->seq, tcb->last_ack_sent))
        return;
    tcb->ts_recent = seg->options.tsval;
    tcb->ts_recent_us = tcb->stack->now_us;
}

/* A SYN,ACK that crosses ours starts at IRS, left of the window; the text of 3.10.7.4 would drop
 * it, figure 8 of 9293 takes it as the acknowledgment that it is. */
static bool is_crossed_syn_ack(const struct tcb *tcb, const struct tcp_segment *seg)
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

static enum drop check_sequence(struct tcb *tcb, const struct tcp_segment *seg)
{
    enum drop drop = check_paws(tcb, seg);

    if (drop != DROP_NOT)
        return drop;
    if (is_crossed_syn_ack(tcb, seg))
        return DROP_NOT;
    if (is_repeated_syn(tcb, seg)) {
        if (tcb->in_flight.count > 0)
            records_mark_lost(&tcb->in_flight, 0, UINT32_MAX);
        tcb->resend_cause = "the peer repeats its SYN";
        tcb_wants_output(tcb);
        return DROP_TCP_NOT_ACCEPTABLE;
    }
    if (is_acceptable(tcb, seg)) {
        take_timestamp(tcb, seg);
        return DROP_NOT;
    }
    if (seg->flags & TCP_RST)
        return DROP_TCP_RST_INVALID;
    bool repeats_fin = seg->flags & TCP_FIN && seg->seq + tcp_segment_len(seg) == tcb->rcv_nxt;
    if (tcb->state == TCPS_TIME_WAIT && repeats_fin) /* the peer missed our last ACK */
        tcb_timer_set(tcb, TIMER_TIME_WAIT, tcb->stack->now_us + 2 * tcb->config->msl_us);
    answer_unwanted(tcb, seg, "the segment is outside the receive window (9293 3.10.7.4 first)");
    return DROP_TCP_NOT_ACCEPTABLE;
}

/* ---- second: RST, with RFC 5961 (3) */

static enum drop check_rst(struct tcb *tcb, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_RST))
        return DROP_NOT;
    if (seg->seq != tcb->rcv_nxt) {
        challenge(tcb, "RST not at RCV.NXT: challenge ACK (RFC 5961 3)");
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
    if (!(seg->flags & TCP_SYN) || is_crossed_syn_ack(tcb, seg))
        return DROP_NOT;
    if (tcb->state == TCPS_SYN_RECEIVED && tcb->passive_open) {
        tcb_fail(tcb, TCP_OK, "SYN in SYN-RECEIVED: the listener goes on", "9293 3.10.7.4 fourth");
        return DROP_NOT;
    }
    challenge(tcb, "SYN in a synchronized state: challenge ACK (RFC 5961 4)");
    return DROP_TCP_SYN_INVALID;
}

/* ---- fifth: ACK */

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
 * arrives. */
static void sample_rtt(struct tcb *tcb, const struct tx_acked *acked, const struct tcp_segment *seg)
{
    uint64_t echo_us = echo_age_us(tcb, seg);
    uint64_t rtt_us =
        tcb->stack->now_us - (acked->was_retransmitted ? acked->resent_us : acked->sent_us);

    if (acked->was_retransmitted ? echo_us > rtt_us + 1000 : !acked->has_rtt) {
        if (echo_us != NEVER)
            tcp_rto_relax(&tcb->rto, echo_us, tcb->config);
        return;
    }
    if (rtt_us > echo_us) /* the ACK that was due first is lost */
        rtt_us = echo_us;
    tcp_rto_sample(&tcb->rto, rtt_us, tcb->config);
    tcb_trace(tcb, (struct trace_event){
                       .kind = TRACE_RTT,
                       .u.rtt = {rtt_us, tcb->rto.srtt_us, tcb->rto.rttvar_us, tcb->rto.rto_us}});
}

/* SND.UNA advances: forget what is acknowledged, RTT, timer. Returns by how many bytes. */
static uint32_t advance_snd_una(struct tcb *tcb, const struct tcp_segment *seg)
{
    if (seq_leq(seg->ack, tcb->snd_una))
        return 0;
    uint32_t advance = seg->ack - tcb->snd_una;
    uint32_t data = advance;

    if (!tcb_is_synchronized(tcb))
        data--; /* the SYN */
    if (tcb->fin_sent && seg->ack == tcb->snd_nxt)
        data--; /* the FIN */
    ring_consume(&tcb->send_ring, data);
    tcb->bytes_acked += data;
    tcb->snd_una = seg->ack;
    tcb->progress_us = tcb->stack->now_us;
    struct tx_acked acked = records_ack(&tcb->in_flight, seg->ack);
    sample_rtt(tcb, &acked, seg);
    tcb->trouble_reported = false;
    if (tcb->in_flight.count == 0) /* RFC 6298 (5.2) */
        tcb_timer_clear(tcb, TIMER_RETRANSMIT);
    else /* (5.3) */
        tcb_timer_set(tcb, TIMER_RETRANSMIT,
                      tcb->stack->now_us + tcp_rto_current_us(&tcb->rto, tcb->config));
    if (tcb->send_ring.used == 0 && tcb->send_ring.size > 0)
        tcb_timer_set(tcb, TIMER_IDLE, tcb->stack->now_us + TCB_IDLE_US);
    return data;
}

static void take_syn_ack(struct tcb *tcb, const struct tcp_segment *seg)
{
    advance_snd_una(tcb, seg);
    tcb->unanswered_since_us = tcb->in_flight.count > 0 ? tcb->stack->now_us : NEVER;
}

/* RFC 2018: blocks outside (SND.UNA, SND.NXT] are old or lies, and are ignored. */
static uint32_t take_sacks(struct tcb *tcb, const struct tcp_segment *seg)
{
    enum { RECORDS_SPARE = 64 };
    /* Blocks of single bytes would cut the flight into as many records, to be walked at each ACK.
     */
    uint32_t record_max = RECORDS_SPARE + 4 * ((tcb->snd_nxt - tcb->snd_una) / tcb->snd_mss);
    uint32_t newly_bytes = 0;

    if (!tcb->sack)
        return 0;
    for (unsigned i = 0; i < seg->options.sack_count; i++) {
        const struct tcp_sack_block *block = &seg->options.sack[i];
        if (seq_leq(block->left, tcb->snd_una) || seq_gt(block->right, tcb->snd_nxt) ||
            seq_geq(block->left, block->right))
            continue;
        newly_bytes += records_sack(&tcb->in_flight, block->left, block->right, record_max);
    }
    return newly_bytes;
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
    set_window(tcb, seg);
    bool is_closed = tcb->snd_wnd == 0;
    if (was_closed != is_closed)
        tcb_trace(tcb, (struct trace_event){
                           .kind = TRACE_WINDOW,
                           .cause = is_closed ? "the peer's receive buffer is full"
                                              : "the peer has room again",
                           .u.window = {.closed = is_closed, .wnd_bytes = tcb->snd_wnd}});
    if (is_closed || !was_closed) /* a window that stays small leaves the override timer running */
        return;
    tcb->probe_count = 0;
    tcb->probe_now = false;
    tcb_timer_clear(tcb, TIMER_PERSIST);
    if (tcb->in_flight.count > 0) { /* the probe was not taken: again, now it fits */
        records_mark_lost(&tcb->in_flight, 0, UINT32_MAX);
        tcb->recovery.send_one = true;
        tcb->resend_cause = "the window is open again";
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
static void take_ack(struct tcb *tcb, const struct tcp_segment *seg)
{
    struct ack_news news = {.flight_before = tcb->snd_nxt - tcb->snd_una,
                            .is_duplicate = is_duplicate_ack(tcb, seg)};

    bool is_progress = seq_gt(seg->ack, tcb->snd_una);
    news.sacked_bytes = take_sacks(tcb, seg);
    news.acked_bytes = advance_snd_una(tcb, seg);
    update_window(tcb, seg);
    /* R2 counts from the last progress; a peer whose window is closed or shrunk and who goes on
     * answering keeps the connection open (MUST-37, SHLD-17). */
    if (seq_lt(tcb_snd_edge(tcb), tcb->snd_nxt))
        tcb->unanswered_since_us = NEVER; /* until the next probe */
    else if (is_progress)
        tcb->unanswered_since_us = tcb->in_flight.count > 0 ? tcb->stack->now_us : NEVER;
    recovery_on_ack(tcb, &news);
    if (news.acked_bytes > 0)
        tcb_notify(tcb);
    tcb_wants_output(tcb);
}

static void enter_time_wait(struct tcb *tcb, const char *why, const char *clause)
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
        if (!tcb->is_held) /* Departure: nobody is left to wait for the peer's FIN for ever */
            tcb_timer_set(tcb, TIMER_TIME_WAIT, tcb->stack->now_us + tcb->config->fin_wait_2_us);
        break;
    case TCPS_CLOSING:
        enter_time_wait(tcb, "our FIN is acknowledged", "9293 3.10.7.4 fifth");
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
    bool is_crossed = is_crossed_syn_ack(tcb, seg);
    round_receive_buffer(tcb);
    take_syn_ack(tcb, seg);
    set_window(tcb, seg);
    tcb_establish(tcb, "our SYN is acknowledged", "9293 3.10.7.4 fifth");
    if (is_crossed)
        tcb_ack_now(tcb, "acknowledges the SYN,ACK that crossed ours");
    return DROP_NOT;
}

static enum drop check_ack(struct tcb *tcb, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_ACK))
        return DROP_TCP_NO_ACK;
    if (tcb->state == TCPS_SYN_RECEIVED)
        return check_ack_syn_received(tcb, seg);
    if (seq_gt(seg->ack, tcb->snd_nxt)) {
        answer_unwanted(tcb, seg, "acknowledges what was never sent (9293 3.10.7.4 fifth)");
        return DROP_TCP_ACK_INVALID;
    }
    if (seq_lt(seg->ack, tcb->snd_una - tcb->max_snd_wnd)) { /* MAY-12, RFC 5961 (5) */
        challenge(tcb, "acknowledgment too old: challenge ACK (RFC 5961 5)");
        return DROP_TCP_ACK_INVALID;
    }
    if (tcb->state == TCPS_TIME_WAIT)
        return DROP_NOT;
    take_ack(tcb, seg);
    if (tcb_fin_is_acked(tcb))
        on_fin_acked(tcb);
    return DROP_NOT;
}

/* ---- sixth: URG */

static void check_urg(struct tcb *tcb, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_URG) || !tcb_may_receive(tcb))
        return;
    uint32_t up = seg->seq + seg->urgent; /* the octet behind the urgent data: MUST-62 */
    if (!seq_gt(up, tcb->rcv_nxt) || (tcb->has_rcv_up && !seq_gt(up, tcb->rcv_up)))
        return;
    tcb->has_rcv_up = true;
    tcb->rcv_up = up;
    tcb->last_readiness &= ~(unsigned)TCP_URGENT; /* MUST-32: told again when it has advanced */
    tcb_notify(tcb);
}

/* ---- seventh: text */

/* The application has closed and new text arrives: a RST says that it is lost (SHLD-3). */
static bool is_text_for_nobody(const struct tcb *tcb, const struct tcp_segment *seg)
{
    return seg->payload.len > 0 && !tcb->is_held && tcb->listener == NULL &&
           seq_gt(seg->seq + (uint32_t)seg->payload.len, tcb->rcv_nxt);
}

/* When to acknowledge, 9293 3.8.6.3: at once for a hole or its end, and for every second full-sized
 * segment (SHLD-19); else within delayed_ack_us (MUST-40). */
static void schedule_ack(struct tcb *tcb, uint32_t taken, bool in_order, bool had_holes)
{
    tcb->unacked_bytes += taken;
    if (!in_order) {
        tcb_ack_now(tcb, "bytes are missing before this segment (RFC 5681 4.2)");
    } else if (had_holes) {
        tcb_ack_now(tcb, "fills a hole (RFC 5681 4.2)");
    } else if (tcb->unacked_bytes >= 2 * tcb->rcv_mss || tcb->config->delayed_ack_us == 0) {
        tcb_ack_now(tcb, "second full-sized segment");
    } else if (tcb->deadline_us[TIMER_DELAYED_ACK] == NEVER) {
        tcb_timer_set(tcb, TIMER_DELAYED_ACK, tcb->stack->now_us + tcb->config->delayed_ack_us);
    }
}

/* RCV.NXT moves to the end of what is in order now. */
static void advance_rcv_nxt(struct tcb *tcb, uint32_t end)
{
    uint32_t next = ranges_join(&tcb->out_of_order, end);
    uint32_t len = next - tcb->rcv_nxt;

    ring_commit(&tcb->receive_ring, len);
    tcb->rcv_nxt = next;
    tcb->bytes_received += len;
    tcb_notify(tcb);
}

static enum drop process_text(struct tcb *tcb, const struct tcp_segment *seg)
{
    if (seg->payload.len == 0 || !tcb_may_receive(tcb))
        return DROP_NOT;
    if (is_text_for_nobody(tcb, seg)) {
        tcp_send_reset(tcb, "data for an application that has closed (SHLD-3)");
        tcb_fail(tcb, TCP_ERR_RESET, "data after CLOSE", "9293 3.6.1");
        return DROP_TCP_AFTER_CLOSE;
    }
    uint32_t seq = seg->flags & TCP_SYN ? seg->seq + 1 : seg->seq;
    struct bytes text = seg->payload;

    if (text.len > tcb->rcv_mss && text.len <= tcb_announced_mss(tcb))
        tcb->rcv_mss = (uint32_t)text.len;
    if (seq_lt(seq, tcb->rcv_nxt)) { /* only the new part */
        text = bytes_skip(text, tcb->rcv_nxt - seq);
        seq = tcb->rcv_nxt;
    }
    uint32_t edge = tcb->peer_fin ? seq_min(tcb->fin_seq, tcb->rcv_adv) : tcb->rcv_adv;
    text = bytes_first(text, seq_lt(seq, edge) ? edge - seq : 0);
    if (text.len == 0) {
        tcb_ack_now(tcb, receive_window(tcb) == 0 ? "the window is closed" : "nothing new in it");
        return DROP_TCP_NOT_ACCEPTABLE;
    }
    bool in_order = seq == tcb->rcv_nxt;
    bool had_holes = tcb->out_of_order.count > 0;
    size_t offset = tcb->receive_ring.used + (seq - tcb->rcv_nxt);
    if (!ring_write_at(&tcb->receive_ring, offset, text) ||
        (!in_order && !ranges_add(&tcb->out_of_order, seq, seq + (uint32_t)text.len)))
        return DROP_TCP_MEMORY;
    if (in_order)
        advance_rcv_nxt(tcb, seq + (uint32_t)text.len);
    schedule_ack(tcb, (uint32_t)text.len, in_order, had_holes);
    return DROP_NOT;
}

/* ---- eighth: FIN */

/* The FIN is next in order: advance over it and change state. */
static void take_fin(struct tcb *tcb)
{
    tcb->rcv_nxt++;
    tcb->rcv_adv = seq_max(tcb->rcv_adv, tcb->rcv_nxt); /* it is taken even by a closed window */
    tcb_ack_now(tcb, "acknowledges the peer's FIN");
    switch (tcb->state) {
    case TCPS_SYN_RECEIVED:
    case TCPS_ESTABLISHED:
        tcp_set_state(tcb, TCPS_CLOSE_WAIT, "FIN arrives", "9293 3.10.7.4 eighth");
        break;
    case TCPS_FIN_WAIT_1: /* our FIN is not acknowledged, or this would be FIN-WAIT-2 */
        tcp_set_state(tcb, TCPS_CLOSING, "FIN arrives before the ACK of ours: simultaneous close",
                      "9293 3.10.7.4 eighth");
        break;
    case TCPS_FIN_WAIT_2:
        enter_time_wait(tcb, "FIN arrives", "9293 3.10.7.4 eighth");
        break;
    case TCPS_CLOSED:
    case TCPS_LISTEN:
    case TCPS_SYN_SENT:
    case TCPS_CLOSE_WAIT:
    case TCPS_CLOSING:
    case TCPS_LAST_ACK:
    case TCPS_TIME_WAIT:
    case TCPS_COUNT:
        break;
    }
}

static void check_fin(struct tcb *tcb, const struct tcp_segment *seg)
{
    bool fin_may_come = tcb_may_receive(tcb);

    if (seg->flags & TCP_FIN && fin_may_come && !tcb->peer_fin) {
        uint32_t at = seg->seq + (seg->flags & TCP_SYN ? 1 : 0) + (uint32_t)seg->payload.len;
        bool is_in_window = seq_leq(tcb->rcv_nxt, at) && seq_leq(at, tcb->rcv_adv);
        if (is_in_window && seq_geq(at, ranges_end(&tcb->out_of_order, at))) {
            tcb->peer_fin = true;
            tcb->fin_seq = at;
            if (at != tcb->rcv_nxt)
                tcb_ack_now(tcb, "bytes are missing before this FIN (RFC 5681 4.2)");
        }
    }
    if (tcb->peer_fin && fin_may_come && tcb->rcv_nxt == tcb->fin_seq)
        take_fin(tcb);
}

/* ---- TIME-WAIT reuse */

bool tcp_time_wait_may_be_reused(const struct tcb *tcb, const struct tcp_segment *seg)
{
    if (tcb->state != TCPS_TIME_WAIT || (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
        return false;
    if (tcb->timestamps && seg->options.has_timestamps) /* RFC 6191 section 2 */
        return seq_gt(seg->options.tsval, tcb->ts_recent) ||
               (seg->options.tsval == tcb->ts_recent && seq_gt(seg->seq, tcb->rcv_nxt));
    return seq_gt(seg->seq, tcb->rcv_nxt); /* 9293 3.6.1, from RFC 1122 4.2.2.13 */
}
