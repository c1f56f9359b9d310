/* What each segment that the end under test sends must be, whatever made it send: 9293 3.4, 3.8.6
 * and 3.10, RFC 7323 3.2, RFC 2018 3.
 *
 * SND.NXT here is one behind the last sequence number that was ever sent: an acknowledgment of it
 * is good, even if the sender has gone back to send again. */
#include "outcomes.h"

#include "../../../stack/tcp/seq.h"

/* ---- SYN */

static bool is_handshake(const struct model *m)
{
    return m->state == TCPS_SYN_SENT || m->state == TCPS_SYN_RECEIVED;
}

/* 3.10.1, 3.10.7.2, 3.10.7.3; MAY-2 (1) where it follows a TIME-WAIT. */
static void judge_syn(struct model *m, const struct tcp_segment *seg)
{
    bool has_ack = seg->flags & TCP_ACK;

    if (!is_handshake(m) || has_ack != (m->state == TCPS_SYN_RECEIVED) ||
        (m->has_iss && seg->seq != m->iss) || seg->payload.len > 0 || seg->flags & TCP_FIN)
        model_complain(m, RULE_SYN, "a SYN with seq %u in %s, ISS is %u", seg->seq,
                       tcp_state_name(m->state), m->iss);
    if (m->has_past && !m->has_iss && seq_leq(seg->seq, m->past_snd_nxt - 1))
        model_complain(m, RULE_REOPEN, "ISS %u, but %u was used before", seg->seq,
                       m->past_snd_nxt - 1);
    if (!m->has_iss) {
        m->has_iss = true;
        m->iss = m->snd_una = seg->seq;
        m->snd_nxt = seg->seq + 1;
    }
    m->ours = seg->options;
    m->syn_wnd = seg->wnd;
}

/* ---- sequence numbers, text and FIN */

static uint32_t written_end(const struct model *m)
{
    return m->iss + 1 + m->written;
}

static void judge_fin(struct model *m, const struct tcp_segment *seg)
{
    uint32_t at = seg->seq + (uint32_t)seg->payload.len;

    if (!m->has_shut_down || at != written_end(m))
        model_complain(m, RULE_FIN, "FIN at %u, the user has %s, and written up to %u", at,
                       m->has_shut_down ? "closed" : "not closed", written_end(m));
    m->fin_is_sent = true;
}

/* 3.8.6: the literal window, SND.UNA + SND.WND. Beyond it only a probe may go, of one octet, when a
 * timer wants it (3.8.6.1); and a FIN, which needs no room: once all SENDs are segmentized 3.10.4
 * has it formed and sent. */
static void judge_window(struct model *m, const struct tcp_segment *seg, enum model_event event)
{
    uint32_t edge = m->most_edge, end = seg->seq + (uint32_t)seg->payload.len;
    bool is_probe = event == MODEL_TIME && end - seg->seq == 1 && seq_geq(seg->seq, edge);

    if (seq_gt(end, m->snd_nxt) && seq_gt(end, edge) && !is_probe)
        model_complain(m, RULE_WINDOW, "new text up to %u, the peer's window ends at %u", end,
                       edge);
}

static void judge_text(struct model *m, const struct tcp_segment *seg, enum model_event event)
{
    if (seq_lt(seg->seq, m->snd_una))
        model_complain(m, RULE_ACKED_AGAIN, "seq %u, but SND.UNA is %u", seg->seq, m->snd_una);
    if (seq_gt(seg->seq + (uint32_t)seg->payload.len, written_end(m)) ||
        m->state < TCPS_ESTABLISHED)
        model_complain(m, RULE_UNWRITTEN, "text up to %u in %s, written up to %u",
                       seg->seq + (uint32_t)seg->payload.len, tcp_state_name(m->state),
                       written_end(m));
    for (size_t i = 0; i < seg->payload.len; i++) {
        if (seg->payload.data[i] != model_byte_ours(seg->seq - m->iss - 1 + (uint32_t)i)) {
            model_complain(m, RULE_TEXT, "byte %zu at seq %u is wrong", i, seg->seq);
            break;
        }
    }
    judge_window(m, seg, event);
}

static void judge_numbers(struct model *m, const struct tcp_segment *seg, enum model_event event)
{
    uint32_t end = seg->seq + tcp_segment_len(seg);

    if (seq_gt(seg->seq, m->snd_nxt))
        model_complain(m, RULE_SKIP, "seq %u, but SND.NXT is %u", seg->seq, m->snd_nxt);
    else if (end == seg->seq && !model_is_next(seg->seq, m->snd_nxt, m->least_edge, m->most_edge))
        model_complain(m, RULE_SEQ, "seq %u without text, SND.NXT is %u", seg->seq, m->snd_nxt);
    if (seg->flags & TCP_FIN)
        judge_fin(m, seg);
    if (end != seg->seq && !(seg->flags & TCP_SYN))
        judge_text(m, seg, event);
    m->snd_nxt = seq_max(m->snd_nxt, end);
}

/* 3.8.5, MUST-30, MUST-62: SEG.UP leads to the end of what the user has called urgent. */
static void judge_urgent(struct model *m, const struct tcp_segment *seg)
{
    uint32_t up = m->iss + 1 + m->urgent_end;

    if (seg->flags & TCP_URG && (m->urgent_end == 0 || seg->urgent == 0 ||
                                 (seg->seq + seg->urgent != up && seg->urgent != UINT16_MAX)))
        model_complain(m, RULE_URGENT, "seq %u with urg %u, urgent data ends at %u", seg->seq,
                       seg->urgent, up);
}

/* ---- acknowledgment and window */

/* SHLD-14. A window that is not a multiple of the scale's unit may seem to shrink by less than that
 * (RFC 7323 2.4). */
static void judge_edge(struct model *m, const struct tcp_segment *seg)
{
    bool is_syn = seg->flags & TCP_SYN;
    uint32_t edge = seg->ack + ((uint32_t)seg->wnd << (is_syn ? 0 : model_our_shift(m)));

    if (m->has_edge && seq_leq(edge + (1u << model_our_shift(m)), m->edge))
        model_complain(m, RULE_EDGE, "the window ends at %u, it was %u", edge, m->edge);
    m->edge = m->has_edge ? seq_max(m->edge, edge) : edge;
    m->has_edge = true;
}

static void judge_ack(struct model *m, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_ACK)) {
        if (!(seg->flags & TCP_SYN && m->state == TCPS_SYN_SENT))
            model_complain(m, RULE_ACK_BIT, "no ACK in %s", tcp_state_name(m->state));
        return;
    }
    if (seg->ack != m->rcv_nxt)
        model_complain(m, RULE_ACK, "ack %u, but RCV.NXT is %u", seg->ack, m->rcv_nxt);
    judge_edge(m, seg);
    m->last_ack_sent = seg->ack;
    m->ack_owed_us = NEVER;
}

/* ---- options */

static void judge_timestamps(struct model *m, const struct tcp_segment *seg)
{
    const struct tcp_options *options = &seg->options;
    bool is_first = m->state == TCPS_SYN_SENT; /* whether to offer them is ours to say */
    bool wants = seg->flags & TCP_SYN ? options->has_timestamps && m->peers.has_timestamps
                                      : model_has_timestamps(m);

    if (!is_first && wants != options->has_timestamps)
        model_complain(m, wants ? RULE_TIMESTAMP_LACKS : RULE_TIMESTAMP, "timestamps are %s in use",
                       wants ? "" : "not");
    if (!options->has_timestamps)
        return;
    if (m->has_tsval && seq_lt(options->tsval, m->tsval))
        model_complain(m, RULE_TSVAL, "TSval %u, it was %u", options->tsval, m->tsval);
    m->has_tsval = true;
    m->tsval = options->tsval;
    if (!(seg->flags & TCP_ACK))
        return;
    if (seq_lt(options->tsecr, m->ts_recent) || seq_gt(options->tsecr, m->ts_recent_max))
        model_complain(m, RULE_TSECR, "TSecr %u, TS.Recent is %u to %u", options->tsecr,
                       m->ts_recent, m->ts_recent_max);
    m->ts_recent = m->ts_recent_max = options->tsecr;
}

static void judge_sack(struct model *m, const struct tcp_segment *seg)
{
    const struct tcp_options *options = &seg->options;

    for (unsigned i = 0; i < options->sack_count; i++) {
        uint32_t left = options->sack[i].left - m->irs, right = options->sack[i].right - m->irs;
        if (!m->ours.sack_permitted || !m->peers.sack_permitted || left >= right ||
            !model_ranges_hold(&m->perhaps, left, right))
            model_complain(m, RULE_SACK, "SACK of %u:%u, which has not arrived",
                           options->sack[i].left, options->sack[i].right);
    }
}

/* 3.7.1, MUST-16: options count. MUST-15: 536 where the peer has not said. Departure: an MSS below
 * 48 would make it a header for each few bytes; it counts as 48. */
static void judge_size(struct model *m, const struct model_sent *sent)
{
    enum { MSS_DEFAULT = 536, MSS_LEAST = 48 };
    size_t mss = m->peers.has_mss ? m->peers.mss : MSS_DEFAULT;
    if (mss < MSS_LEAST)
        mss = MSS_LEAST;
    size_t size = sent->header_bytes - TCP_HEADER_BYTES + sent->seg.payload.len;

    if (sent->seg.payload.len > 0 && size > mss)
        model_complain(m, RULE_SIZE, "%zu bytes with options, the peer's MSS is %zu", size, mss);
}

static void judge_options(struct model *m, const struct tcp_segment *seg)
{
    const struct tcp_options *options = &seg->options;

    bool is_offer = seg->flags & TCP_SYN && !(seg->flags & TCP_ACK);
    bool answers = seg->flags & TCP_SYN && !is_offer;

    if (!is_offer && ((options->has_mss && !answers) ||
                      (options->has_window_scale && !(answers && m->peers.has_window_scale)) ||
                      (options->sack_permitted && !(answers && m->peers.sack_permitted))))
        model_complain(m, RULE_SYN_OPTIONS, "options of a SYN, or not offered, seq %u", seg->seq);
    judge_timestamps(m, seg);
    judge_sack(m, seg);
}

/* ---- all of it */

static void judge_one(struct model *m, const struct model_sent *sent, enum model_event event)
{
    const struct tcp_segment *seg = &sent->seg;

    if (m->state == TCPS_CLOSED || (m->state == TCPS_TIME_WAIT && event != MODEL_SEGMENT))
        model_complain(m, RULE_QUIET, "seq %u is sent in %s", seg->seq, tcp_state_name(m->state));
    if (seg->flags & TCP_SYN)
        judge_syn(m, seg);
    judge_ack(m, seg);
    judge_numbers(m, seg, event);
    judge_options(m, seg);
    judge_size(m, sent);
    judge_urgent(m, seg);
    m->sent_us = m->now_us;
}

void sent_judge(struct model *m, const struct model_seen *seen, const struct outcome *outcome)
{
    m->judged_count += seen->sent_count;
    for (unsigned i = 0; i < seen->sent_count && outcome->reply != REPLY_RESET; i++)
        judge_one(m, &seen->sent[i], seen->event);
}
