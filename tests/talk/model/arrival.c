/* SEGMENT ARRIVES, 9293 3.10.7, as sets: each function adds the outcomes that one step of the text
 * allows.
 *
 * Where a check can fall out either way, because only the end under test knows how large its window
 * is just now or which timestamp it has kept, the outcomes of both are allowed. */
#include "arrival.h"

#include "../../../stack/tcp/seq.h"

enum fits { FITS_NOT, FITS, FITS_PERHAPS };

static uint32_t len_of(const struct tcp_segment *seg)
{
    return (uint32_t)seg->payload.len + !!(seg->flags & TCP_SYN) + !!(seg->flags & TCP_FIN);
}

/* Nothing changes. */
static struct outcome unchanged(const struct model *m, const char *clause, enum reply reply)
{
    struct outcome o = outcome_unchanged(m, clause);

    o.reply = reply;
    return o;
}

static struct outcome reset_by(const struct model *m, const struct tcp_segment *seg,
                               const char *clause)
{
    struct outcome o = unchanged(m, clause, REPLY_RESET);

    if (seg->flags & TCP_ACK) {
        o.reset_seq = seg->ack;
    } else {
        o.reset_has_ack = true;
        o.reset_ack = seg->seq + len_of(seg);
    }
    return o;
}

/* The connection is gone, by the peer's will. */
static struct outcome ended(const struct model *m, const char *clause, unsigned errors)
{
    struct outcome o = unchanged(m, clause, REPLY_NOTHING);

    o.states = 1u << TCPS_CLOSED;
    o.errors = errors;
    return o;
}

/* An ACK in reply. RFC 5961 7 permits to throttle such answers, and of those to segments without
 * text and control the stack sends one in half a second: two ends of which each holds the other's
 * ACKs to be wrong would go on for ever. */
static void answer(const struct model *m, const struct tcp_segment *seg, const char *clause,
                   struct outcomes *all)
{
    enum { HALF_A_SECOND_US = 500000 };
    struct outcome o = unchanged(m, clause, REPLY_ACK);

    outcome_add(all, &o);
    o.reply = REPLY_NOTHING;
    if (len_of(seg) == 0 && m->now_us - m->sent_us < HALF_A_SECOND_US)
        outcome_add(all, &o);
}

/* RFC 5961's answer to what may be an attack. */
static void challenge(const struct model *m, const char *clause, struct outcomes *all)
{
    struct outcome o = unchanged(m, clause, REPLY_ACK);

    o.is_acceptable = true;
    outcome_add(all, &o);
    o.reply = REPLY_NOTHING;
    if (m->throttles)
        outcome_add(all, &o);
}

/* ---- 3.10.7.1 and 3.10.7.2 */

/* Departure: text and FIN on a SYN that nobody has answered yet are not queued, but left for the
 * peer to send again. */
static struct outcome opened_by(const struct model *m, const struct tcp_segment *seg,
                                const char *clause)
{
    struct outcome o = unchanged(m, clause, REPLY_ACK);

    o.takes_syn = true;
    o.states = 1u << TCPS_SYN_RECEIVED;
    o.rcv_nxt_min = o.rcv_nxt_max = seg->seq + 1;
    o.wnd = seg->wnd; /* RFC 7323 2.2: the window of a SYN is not scaled */
    o.wl1 = seg->seq;
    o.wl2 = seg->ack;
    o.wl_is_unsure = false;
    return o;
}

static void on_closed(const struct model *m, const struct tcp_segment *seg, struct outcomes *all)
{
    struct outcome o;

    if (seg->flags & TCP_RST)
        o = unchanged(m, "9293 3.10.7.1: a reset is discarded", REPLY_NOTHING);
    else if (!m->listens)
        o = reset_by(m, seg, "9293 3.10.7.1: reset");
    else if (seg->flags & TCP_ACK)
        o = reset_by(m, seg, "9293 3.10.7.2 second: reset");
    else if (seg->flags & TCP_SYN)
        o = opened_by(m, seg, "9293 3.10.7.2 third: SYN");
    else
        o = unchanged(m, "9293 3.10.7.2 fourth: drop", REPLY_NOTHING);
    outcome_add(all, &o);
}

/* ---- 3.10.7.3 */

/* With text and FIN: "continue processing at the sixth step". */
static void synchronized_by(const struct model *m, const struct tcp_segment *seg,
                            struct outcomes *all)
{
    struct outcome o = opened_by(m, seg, "9293 3.10.7.3 fourth: our SYN is acknowledged");
    uint32_t end = seg->seq + 1 + (uint32_t)seg->payload.len, edge = seg->seq + 1 + m->syn_wnd;

    o.states = 1u << (m->has_shut_down ? TCPS_FIN_WAIT_1 : TCPS_ESTABLISHED);
    o.una = seg->ack;
    o.takes_text = true;
    o.rcv_nxt_min = o.rcv_nxt_max = seq_min(end, edge);
    if (!(seg->flags & TCP_FIN) || seq_geq(end, edge))
        outcome_add(all, &o);
    if (seg->flags & TCP_FIN && seq_leq(end, edge)) {
        o.states = 1u << (m->has_shut_down ? TCPS_CLOSING : TCPS_CLOSE_WAIT);
        o.rcv_nxt_min = o.rcv_nxt_max = end + 1;
        o.takes_fin = true;
        outcome_add(all, &o);
    }
}

static void on_syn_sent(const struct model *m, const struct tcp_segment *seg, struct outcomes *all)
{
    bool has_ack = seg->flags & TCP_ACK;
    bool has_rst = seg->flags & TCP_RST;
    struct outcome o = unchanged(m, "9293 3.10.7.3 fifth: drop", REPLY_NOTHING);

    if (has_ack && (seq_leq(seg->ack, m->iss) || seq_gt(seg->ack, m->snd_nxt))) {
        if (!has_rst)
            o = reset_by(m, seg, "9293 3.10.7.3 first: reset");
    } else if (has_rst && has_ack) {
        o = ended(m, "9293 3.10.7.3 second: connection reset",
                  1u << -TCP_ERR_RESET | 1u << -TCP_ERR_REFUSED);
    } else if (!has_rst && seg->flags & TCP_SYN && has_ack) {
        synchronized_by(m, seg, all);
        return;
    } else if (!has_rst && seg->flags & TCP_SYN) {
        o = opened_by(m, seg, "9293 3.10.7.3 fourth: simultaneous open");
    }
    outcome_add(all, &o);
}

/* ---- 3.10.7.4 first: sequence number, and RFC 7323 5.3: timestamp */

/* Table 6, for a window of `wnd`. */
static bool is_acceptable(const struct model *m, const struct tcp_segment *seg, uint32_t wnd)
{
    uint32_t len = len_of(seg);

    if (wnd == 0)
        return len == 0 && seg->seq == m->rcv_nxt;
    return seq_in(seg->seq, m->rcv_nxt, wnd) ||
           (len > 0 && seq_in(seg->seq + len - 1, m->rcv_nxt, wnd));
}

/* The window, as small and as large as it may be. What a segment has announced counts, but for what
 * the window scale cannot express (RFC 7323 2.4). */
static uint32_t sure_window(const struct model *m)
{
    uint32_t edge = m->edge - ((1u << model_our_shift(m)) - 1);

    return seq_gt(edge, m->rcv_nxt) ? edge - m->rcv_nxt : 0;
}

static uint32_t far_window(const struct model *m)
{
    uint32_t edge = seq_max(m->edge, m->far_edge);

    return seq_gt(edge, m->rcv_nxt) ? edge - m->rcv_nxt : 0;
}

static enum fits sequence_fits(const struct model *m, const struct tcp_segment *seg)
{
    bool if_small = is_acceptable(m, seg, sure_window(m));
    bool if_large = is_acceptable(m, seg, far_window(m));

    return if_small && if_large ? FITS : if_small || if_large ? FITS_PERHAPS : FITS_NOT;
}

static enum fits timestamp_fits(const struct model *m, const struct tcp_segment *seg)
{
    if (!model_has_timestamps(m) || seq_geq(seg->options.tsval, m->ts_recent_max))
        return FITS;
    return seq_lt(seg->options.tsval, m->ts_recent) ? FITS_NOT : FITS_PERHAPS;
}

/* ---- second: RST, with the checks of RFC 5961 3.2 */

static void on_reset(const struct model *m, const struct tcp_segment *seg, struct outcomes *all)
{
    static const char clause[] = "9293 3.10.7.4 second: reset";
    struct outcome ignored = unchanged(m, "RFC 5961 3.2: silently drop", REPLY_NOTHING);
    static const char doubtful[] = "RFC 5961 3.2: challenge ACK";
    /* SEG.SEQ alone counts, not where the text of a reset ends. */
    bool if_small = seq_in(seg->seq, m->rcv_nxt, sure_window(m));
    bool if_large = seq_in(seg->seq, m->rcv_nxt, far_window(m));
    enum fits fits = if_small ? FITS : if_large ? FITS_PERHAPS : FITS_NOT;

    ignored.is_acceptable = fits != FITS_NOT || seg->seq == m->rcv_nxt;
    if (m->state == TCPS_TIME_WAIT) {
        /* Departure: 2 MSL are waited out, RFC 1337 3. */
        outcome_add(all, &ignored);
        if (fits != FITS_NOT && seg->seq != m->rcv_nxt)
            challenge(m, doubtful, all);
        return;
    }
    if (seg->seq == m->rcv_nxt) { /* MUST-66: whatever the window */
        unsigned errors = m->state == TCPS_SYN_RECEIVED ? 1u << -TCP_ERR_REFUSED : 0;
        bool is_closed = m->state == TCPS_CLOSING || m->state == TCPS_LAST_ACK;
        struct outcome o = ended(m, clause, errors | 1u << -TCP_ERR_RESET | (is_closed ? 1u : 0));
        outcome_add(all, &o);
        return;
    }
    if (fits != FITS)
        outcome_add(all, &ignored);
    if (fits != FITS_NOT)
        challenge(m, doubtful, all);
}

/* ---- fourth: SYN */

/* 9293 3.6.1 MAY-2, RFC 6191 2: a SYN that cannot be an old one opens anew, from TIME-WAIT. */
static void on_syn_in_time_wait(const struct model *m, const struct tcp_segment *seg,
                                struct outcomes *all)
{
    struct outcome o = opened_by(m, seg, "9293 3.6.1 MAY-2: a new incarnation");
    bool had = model_has_timestamps(m), has = seg->options.has_timestamps;
    bool is_new = seq_gt(seg->seq, m->rcv_nxt - 1) || (has && !had) ||
                  (has && had && seq_gt(seg->options.tsval, m->ts_recent));

    if (m->listens && !(seg->flags & TCP_ACK) && is_new)
        outcome_add(all, &o);
    o = unchanged(m, "RFC 6191 2: silently drop", REPLY_NOTHING);
    outcome_add(all, &o);
}

static void on_syn(const struct model *m, struct outcomes *all)
{
    struct outcome o = ended(m, "9293 3.10.7.4 fourth: back to LISTEN", 1u);

    if (m->state == TCPS_SYN_RECEIVED && m->from_listener)
        outcome_add(all, &o);
    else
        challenge(m, "RFC 5961 4.2: challenge ACK", all);
}

/* ---- fifth: ACK */

static uint32_t window_of(const struct model *m, const struct tcp_segment *seg)
{
    return (uint32_t)seg->wnd << (seg->flags & TCP_SYN ? 0 : model_peers_shift(m));
}

/* Departure: 3.10.7.4 compares SEG.SEQ with SND.WL1 first and SEG.ACK with SND.WL2 behind it; the
 * stack the other way round. 3.8.6 allows that: "act on the window information from segments that
 * carry the highest acknowledgment number". */
static void with_window(const struct model *m, const struct tcp_segment *seg, struct outcome o,
                        struct outcomes *all)
{
    bool is_newer =
        seq_lt(m->snd_wl2, seg->ack) || (m->snd_wl2 == seg->ack && seq_leq(m->snd_wl1, seg->seq));

    o.counts = true;
    if (m->wl_is_unsure || !is_newer || seq_lt(seg->ack, m->snd_una))
        outcome_add(all, &o);
    if (seq_lt(seg->ack, m->snd_una) || !(is_newer || m->wl_is_unsure))
        return;
    o.wnd = window_of(m, seg);
    o.wl1 = seg->seq;
    o.wl2 = seg->ack;
    o.wl_is_unsure = false;
    outcome_add(all, &o);
}

static enum tcp_state state_after_ack(const struct model *m, const struct tcp_segment *seg)
{
    bool fin_is_acked = m->fin_is_sent && seg->ack == m->snd_nxt;

    switch (m->state) {
    case TCPS_SYN_RECEIVED:
        return m->has_shut_down ? TCPS_FIN_WAIT_1 : TCPS_ESTABLISHED;
    case TCPS_FIN_WAIT_1:
        return fin_is_acked ? TCPS_FIN_WAIT_2 : m->state;
    case TCPS_CLOSING:
        return fin_is_acked ? TCPS_TIME_WAIT : m->state;
    case TCPS_LAST_ACK:
        return fin_is_acked ? TCPS_CLOSED : m->state;
    case TCPS_CLOSE_WAIT: /* the FIN may leave any time, 3.10.4 */
    case TCPS_ESTABLISHED:
    case TCPS_FIN_WAIT_2:
    case TCPS_TIME_WAIT:
    case TCPS_CLOSED:
    case TCPS_LISTEN:
    case TCPS_SYN_SENT:
    case TCPS_COUNT:
        break;
    }
    return m->state;
}

/* ---- seventh and eighth: text and FIN */

static enum tcp_state state_after_fin(enum tcp_state state)
{
    if (state == TCPS_ESTABLISHED)
        return TCPS_CLOSE_WAIT;
    return state == TCPS_FIN_WAIT_1 ? TCPS_CLOSING : TCPS_TIME_WAIT;
}

/* SHLD-3: after CLOSE new data cannot be delivered, and the peer shall know. */
static void refuse_text(const struct model *m, const struct tcp_segment *seg, struct outcome o,
                        struct outcomes *all)
{
    o.clause = "9293 3.6.1 SHLD-3: data after CLOSE";
    o.states = 1u << TCPS_CLOSED;
    o.reply = REPLY_RESET;
    o.reset_seq = m->snd_nxt;
    o.is_our_reset = true;
    with_window(m, seg, o, all);
}

static void with_fin(const struct model *m, const struct tcp_segment *seg, struct outcome o,
                     enum tcp_state state, uint32_t at, struct outcomes *all)
{
    o.clause = "9293 3.10.7.4 eighth: FIN";
    o.takes_fin = true;
    o.states = 1u << state_after_fin(state);
    o.rcv_nxt_min = o.rcv_nxt_max = m->irs + at + 1;
    o.reply = REPLY_ACK;
    with_window(m, seg, o, all);
}

static void on_text(const struct model *m, const struct tcp_segment *seg, enum tcp_state state,
                    struct outcome o, struct outcomes *all)
{
    struct model_text text = model_text_of(m, seg);
    uint32_t from = m->rcv_nxt - m->irs;
    uint32_t sure = model_frontier(&m->surely, from, text.start, text.sure_end);
    uint32_t most = model_frontier(&m->perhaps, from, text.start, text.end);
    bool fin_is_due = false;

    if (m->has_closed && text.end > text.start) {
        refuse_text(m, seg, o, all);
        if (text.start > from || text.sure_end == text.start) /* not in order: may just be lost */
            with_window(m, seg, o, all);
        return;
    }
    o.takes_text = true;
    o.takes_urgent = seg->flags & TCP_URG;
    if (text.fin_at > 0 && text.fin_at <= most)
        with_fin(m, seg, o, state, text.fin_at, all);
    if (text.fin_at > 0 && text.fin_at <= sure && text.fin_is_sure)
        fin_is_due = true;
    for (unsigned i = 0; i < m->fin_count; i++) {
        uint32_t at = m->fin[i].at;
        if (at >= from && at <= most && at != text.fin_at)
            with_fin(m, seg, o, state, at, all);
        if (at >= from && at <= sure && m->fin[i].is_sure)
            fin_is_due = true;
    }
    if (fin_is_due && all->count > 0)
        return;
    o.rcv_nxt_min = m->irs + sure;
    o.rcv_nxt_max = m->irs + most;
    with_window(m, seg, o, all);
}

/* ---- 3.10.7.4 in its order */

/* The fifth step and those behind it, for an acknowledgment that counts. */
static void go_on(const struct model *m, const struct tcp_segment *seg, bool with_text,
                  enum reply reply, struct outcomes *all)
{
    enum tcp_state state = state_after_ack(m, seg);
    struct outcome o = unchanged(m, "9293 3.10.7.4 fifth: ACK", reply);

    o.states = outcome_states(m, state);
    o.una = seq_max(m->snd_una, seg->ack);
    if (state == TCPS_CLOSED) {
        o.errors = 1u;
        o.reply = REPLY_NOTHING;
    }
    if (m->state == TCPS_SYN_RECEIVED) {
        o.wnd = window_of(m, seg);
        o.wl1 = seg->seq;
        o.wl2 = seg->ack;
    }
    if (m->state == TCPS_TIME_WAIT) { /* there is nothing left that an ACK could tell */
        o.clause = "9293 3.10.7.4 fifth: TIME-WAIT";
        o.counts = true;
        outcome_add(all, &o);
        return;
    }
    bool takes_text =
        state == TCPS_ESTABLISHED || state == TCPS_FIN_WAIT_1 || state == TCPS_FIN_WAIT_2;
    if (with_text && takes_text)
        on_text(m, seg, state, o, all);
    else
        with_window(m, seg, o, all);
}

static void on_ack(const struct model *m, const struct tcp_segment *seg, bool with_text,
                   enum reply reply, struct outcomes *all)
{
    struct outcome o;
    bool is_too_new = seq_gt(seg->ack, m->snd_nxt);
    /* After CLOSE nothing shows how large MAX.SND.WND has become. */
    uint32_t max_snd_wnd = m->has_closed ? 0 : m->max_snd_wnd;
    bool is_too_old = seq_lt(seg->ack, m->snd_una - max_snd_wnd);

    if (m->state == TCPS_SYN_RECEIVED && (is_too_new || seq_leq(seg->ack, m->snd_una))) {
        o = reset_by(m, seg, "9293 3.10.7.4 fifth: reset");
        outcome_add(all, &o);
    }
    if (is_too_new) /* RFC 5961 5.2 comes before the state, MAY-12 */
        answer(m, seg, "9293 3.10.7.4 fifth: not an acceptable ACK", all);
    if (is_too_old)
        challenge(m, "RFC 5961 5.2: the ACK is too old", all);
    if (!is_too_new && (m->state != TCPS_SYN_RECEIVED || seq_gt(seg->ack, m->snd_una)))
        go_on(m, seg, with_text, reply, all);
}

/* RFC 7323 4.3: the timestamp of what is acceptable is kept. Whether that of a segment which a
 * later check drops is kept as well nobody says. */
static void mark_acceptable(struct outcomes *all, unsigned first, bool surely)
{
    for (unsigned i = first; i < all->count; i++) {
        all->list[i].is_acceptable = true;
        all->list[i].is_surely_taken = surely && all->list[i].counts;
    }
}

static void on_acceptable(const struct model *m, const struct tcp_segment *seg,
                          struct outcomes *all)
{
    struct outcome o = unchanged(m, "9293 3.10.7.4 fifth: no ACK, drop", REPLY_NOTHING);
    unsigned first = all->count;

    if (seg->flags & TCP_SYN)
        on_syn(m, all);
    else if (!(seg->flags & TCP_ACK))
        outcome_add(all, &o);
    else
        on_ack(m, seg, true, REPLY_FREE, all);
    mark_acceptable(all, first, true);
}

/* An ACK, and the segment is dropped. But where the window is closed, "special allowance should be
 * made to accept valid ACKs", and A.2 tells of stacks that take the ACK field of a segment just
 * left of the window: a simultaneous open would not end otherwise. */
static void on_unacceptable(const struct model *m, const struct tcp_segment *seg,
                            struct outcomes *all)
{
    bool is_beside = (seg->seq == m->rcv_nxt && sure_window(m) == 0) || seg->seq == m->rcv_nxt - 1;

    unsigned first = all->count;
    answer(m, seg, "9293 3.10.7.4 first: acknowledge and drop", all);
    struct outcome dropped = unchanged(m, "9293 3.10.7.4 fifth: no ACK, drop", REPLY_NOTHING);
    if (is_beside && !(seg->flags & TCP_ACK)) /* let in for an ACK that it lacks */
        outcome_add(all, &dropped);
    else if (is_beside)
        on_ack(m, seg, seg->seq + !!(seg->flags & TCP_SYN) == m->rcv_nxt, REPLY_ACK, all);
    if (is_beside) /* its timestamp too */
        mark_acceptable(all, first, false);
}

void arrival_outcomes(const struct model *m, const struct tcp_segment *seg, struct outcomes *all)
{
    if (m->state == TCPS_CLOSED) {
        on_closed(m, seg, all);
        return;
    }
    if (m->state == TCPS_SYN_SENT) {
        on_syn_sent(m, seg, all);
        return;
    }
    if (seg->flags & TCP_RST) {
        on_reset(m, seg, all);
        return;
    }
    enum fits sequence = sequence_fits(m, seg), timestamp = timestamp_fits(m, seg);
    if (m->state == TCPS_SYN_RECEIVED && seg->flags & TCP_SYN && seg->seq == m->irs)
        sequence = FITS_PERHAPS; /* the peer's SYN again: with text or FIN it reaches the window */
    if (m->state == TCPS_TIME_WAIT && seg->flags & TCP_SYN)
        on_syn_in_time_wait(m, seg, all);
    if (model_has_timestamps(m) && !seg->options.has_timestamps) {
        struct outcome o = unchanged(m, "RFC 7323 3.2: silently drop", REPLY_NOTHING);
        outcome_add(all, &o);
        if (seg->flags & TCP_SYN && sequence != FITS_NOT) /* RFC 5961 4.2: but this is a MUST */
            on_syn(m, all);
        if (sequence != FITS)
            on_unacceptable(m, seg, all);
        return;
    }
    if (sequence != FITS_NOT && timestamp != FITS_NOT)
        on_acceptable(m, seg, all);
    if (sequence != FITS || timestamp != FITS)
        on_unacceptable(m, seg, all);
}

/* ---- text in the window */

/* A peer that sends on behind its own FIN, or that sends two: nobody says what counts. */
static bool contradicts(const struct model *m, uint32_t at)
{
    for (unsigned i = 0; i < m->fin_count; i++)
        if (m->fin[i].at != at)
            return true;
    return m->perhaps.count > 0 && m->perhaps.range[m->perhaps.count - 1].end > at;
}

struct model_text model_text_of(const struct model *m, const struct tcp_segment *seg)
{
    uint32_t from = m->rcv_nxt - m->irs;
    uint32_t sure_end = from + sure_window(m), far_end = from + far_window(m);
    uint32_t start = seg->seq - m->irs + !!(seg->flags & TCP_SYN);
    uint32_t end = start + (uint32_t)seg->payload.len;
    struct model_text text = {0};

    /* Departure: a FIN that comes right behind the window, a closed one included, is taken: it
     * needs no room. */
    if (seg->flags & TCP_FIN && seq_geq(end, from) && seq_leq(end, far_end)) {
        text.fin_at = end;
        text.fin_is_sure = seq_lt(end, sure_end) && !contradicts(m, end);
    }
    text.start = seq_max(start, from);
    text.end = seq_max(text.start, seq_min(end, far_end));
    text.sure_end = seq_max(text.start, seq_min(end, sure_end));
    if (seg->flags & TCP_SYN) { /* it may be taken or left */
        text.sure_end = text.start;
        text.fin_is_sure = false;
    }
    return text;
}
