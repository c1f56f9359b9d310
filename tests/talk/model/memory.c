/* What the model keeps of an event: the variables of 9293 3.3.1 on both sides, and the text, FIN,
 * urgent pointer and timestamp that a segment has brought. Where nothing shows whether the segment
 * counted, it is kept what is sure and what is possible. */
#include <string.h>

#include "../../../stack/tcp/seq.h"
#include "outcomes.h"

/* A new incarnation; the settings stay. */
void memory_forget(struct model *m)
{
    struct model fresh = {
        .listens = m->listens,
        .throttles = m->throttles,
        .msl_us = m->msl_us,
        .rto_max_us = m->rto_max_us,
        .fin_wait_2_us = m->fin_wait_2_us,
        .syn_ack_r2_us = m->syn_ack_r2_us,
        .state = m->state,
        .errors = 1u,
        .has_past = m->state == TCPS_TIME_WAIT,
        .past_snd_nxt = m->snd_nxt,
        .now_us = m->now_us,
        .ack_owed_us = NEVER,
        .sent_us = m->now_us,
        .progress_us = m->now_us,
        .judged_count = m->judged_count,
        .broken = m->broken,
    };

    memcpy(fresh.why, m->why, sizeof fresh.why);
    *m = fresh;
}

/* ---- what a segment leaves behind */

static void remember_fin(struct model *m, const struct model_text *text)
{
    bool is_odd = false;

    for (unsigned i = 0; i < m->fin_count; i++) {
        if (m->fin[i].at == text->fin_at)
            return;
        m->fin[i].is_sure = false; /* two ends: nobody says which one counts */
        is_odd = true;
    }
    if (m->fin_count < MODEL_FINS_MAX) {
        m->fin[m->fin_count].at = text->fin_at;
        m->fin[m->fin_count++].is_sure = text->fin_is_sure && !is_odd;
    }
}

static void take_text(struct model *m, const struct tcp_segment *seg, bool is_unsure)
{
    struct model_text text = model_text_of(m, seg);

    if (is_unsure) {
        text.sure_end = text.start;
        text.fin_is_sure = false;
    }
    model_ranges_add(&m->surely, text.start, text.sure_end);
    model_ranges_add(&m->perhaps, text.start, text.end);
    for (unsigned i = 0; i < m->fin_count; i++)
        if (text.end > m->fin[i].at)
            m->fin[i].is_sure = false;
    if (text.fin_at > 0)
        remember_fin(m, &text);
}

/* Sixth. What does not lead ahead of what the user has read is no news. */
static void take_urgent(struct model *m, const struct tcp_segment *seg, bool is_sure)
{
    uint32_t up = seg->seq + seg->urgent - m->irs;

    if (seq_leq(up, m->read + 1))
        return;
    m->most_up = seq_max(m->most_up, up);
    if (is_sure)
        m->least_up = seq_max(m->least_up, up);
}

static void take_syn(struct model *m, const struct tcp_segment *seg)
{
    if (m->state == TCPS_CLOSED || m->state == TCPS_TIME_WAIT) { /* a listener's */
        memory_forget(m);
        m->from_listener = true;
    }
    m->peers = seg->options;
    m->irs = seg->seq;
    m->rcv_nxt = m->last_ack_sent = seg->seq + 1;
    m->edge = m->far_edge = m->rcv_nxt + m->syn_wnd;
    m->has_edge = m->state == TCPS_SYN_SENT;
    m->ts_recent = m->ts_recent_max = seg->options.tsval;
}

/* RFC 7323 4.3 (2). */
static void take_timestamp(struct model *m, const struct tcp_segment *seg, const struct outcome *o)
{
    bool is_newer = seq_geq(seg->options.tsval, m->ts_recent_max);

    if (!model_has_timestamps(m) || !seg->options.has_timestamps || !o->is_acceptable ||
        !is_newer || seq_gt(seg->seq, m->last_ack_sent))
        return;
    m->ts_recent_max = seg->options.tsval;
    if (o->is_surely_taken)
        m->ts_recent = seg->options.tsval;
}

static void take_segment(struct model *m, const struct tcp_segment *seg, const struct outcome *o)
{
    bool acks = m->has_iss && o->una != m->snd_una;

    if (o->takes_syn)
        take_syn(m, seg);
    if (o->takes_text)
        take_text(m, seg, o->text_is_unsure);
    if (o->takes_urgent)
        take_urgent(m, seg, o->is_surely_taken);
    if (!o->takes_syn)
        take_timestamp(m, seg, o);
    /* MUST-37. Departure: after CLOSE a window that stays closed does not keep the connection. */
    if (acks || (o->counts && m->snd_wnd == 0 && !m->has_closed))
        m->progress_us = m->now_us;
    if (m->state == TCPS_TIME_WAIT)
        m->time_wait_last_us = m->now_us; /* it may have been restarted */
}

/* ---- the variables after the event */

static void set_state(struct model *m, enum tcp_state state)
{
    if (state == TCPS_TIME_WAIT && m->state != TCPS_TIME_WAIT)
        m->time_wait_us = m->time_wait_last_us = m->now_us;
    if (state == TCPS_CLOSED)
        m->ack_owed_us = NEVER;
    m->state = state;
}

static uint32_t rcv_nxt_seen(const struct outcome *o, const struct model_seen *seen,
                             enum tcp_state state)
{
    if (model_is_visible(seen, state) && state >= TCPS_SYN_RECEIVED)
        return seen->status.rcv_nxt;
    if (o->reply != REPLY_RESET && seen->sent_count > 0) {
        uint32_t ack = seen->sent[seen->sent_count - 1].seg.ack;
        if (seq_geq(ack, o->rcv_nxt_min) && seq_leq(ack, o->rcv_nxt_max))
            return ack;
    }
    return o->rcv_nxt_min;
}

bool model_waits(const struct model *m)
{
    bool has_unsent = m->snd_nxt - m->iss - 1 < m->written || (m->has_shut_down && !m->fin_is_sent);

    return m->has_iss && (m->snd_una != m->snd_nxt || (m->state >= TCPS_ESTABLISHED && has_unsent));
}

void memory_commit(struct model *m, const struct model_seen *seen, const struct outcome *o,
                   enum tcp_state state)
{
    uint32_t before = m->rcv_nxt;

    if (seen->event == MODEL_SEGMENT && !seen->is_damaged)
        take_segment(m, seen->arrived, o);
    if (o->takes_syn)
        before = m->rcv_nxt;
    m->rcv_nxt = rcv_nxt_seen(o, seen, state);
    if (!(o->takes_syn && m->from_listener))
        m->snd_una = o->una;
    m->least_edge = o->least_edge;
    m->most_edge = o->most_edge;
    m->snd_wnd = o->wnd;
    m->snd_wl1 = o->wl1;
    m->snd_wl2 = o->wl2;
    m->wl_is_unsure = o->wl_is_unsure;
    if (m->max_snd_wnd < o->wnd)
        m->max_snd_wnd = o->wnd;
    m->fin_is_taken |= o->takes_fin;
    if (m->rcv_nxt != before && m->ack_owed_us == NEVER && state != TCPS_CLOSED)
        m->ack_owed_us = m->now_us;
    set_state(m, state);
}
