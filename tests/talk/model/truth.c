/* Of the outcomes that an event may have, which one has come true? The states passed are followed
 * on figure 5; then each outcome is held against STATUS, where the user has a handle, and against
 * what was sent in reply. When none fits, the one that fits furthest tells which rule is broken. */
#include "../../../stack/tcp/seq.h"
#include "outcomes.h"

/* ---- moves */

static bool is_move(const struct model *m, struct model_move move)
{
    static const unsigned next[TCPS_COUNT] = {
        [TCPS_CLOSED] = 1u << TCPS_SYN_SENT,
        [TCPS_LISTEN] = 1u << TCPS_SYN_RECEIVED | 1u << TCPS_SYN_SENT,
        [TCPS_SYN_SENT] = 1u << TCPS_SYN_RECEIVED | 1u << TCPS_ESTABLISHED,
        [TCPS_SYN_RECEIVED] = 1u << TCPS_ESTABLISHED | 1u << TCPS_FIN_WAIT_1 | 1u << TCPS_LISTEN,
        [TCPS_ESTABLISHED] = 1u << TCPS_FIN_WAIT_1 | 1u << TCPS_CLOSE_WAIT,
        [TCPS_FIN_WAIT_1] = 1u << TCPS_FIN_WAIT_2 | 1u << TCPS_CLOSING | 1u << TCPS_TIME_WAIT,
        [TCPS_FIN_WAIT_2] = 1u << TCPS_TIME_WAIT,
        [TCPS_CLOSE_WAIT] = 1u << TCPS_LAST_ACK,
        [TCPS_CLOSING] = 1u << TCPS_TIME_WAIT,
    };

    if (move.from == TCPS_CLOSED && move.to == TCPS_SYN_RECEIVED) /* a listener's child begins */
        return m->listens;
    return move.to == TCPS_CLOSED || (next[move.from] & 1u << move.to);
}

/* The state after the event; LISTEN of a listener without a connection counts as CLOSED. */
enum tcp_state truth_state(struct model *m, const struct model_seen *seen)
{
    enum tcp_state state = m->state;

    for (unsigned i = 0; i < seen->move_count; i++) {
        bool is_first = state == TCPS_CLOSED; /* a child comes from LISTEN */
        if (!is_move(m, seen->move[i]) || (!is_first && seen->move[i].from != state))
            model_complain(m, RULE_MOVE, "%s to %s", tcp_state_name(seen->move[i].from),
                           tcp_state_name(seen->move[i].to));
        state = seen->move[i].to == TCPS_LISTEN ? TCPS_CLOSED : seen->move[i].to;
    }
    return state;
}

/* ---- which outcome is it? */

static const struct tcp_segment *reset_in(const struct model_seen *seen)
{
    for (unsigned i = 0; i < seen->sent_count; i++)
        if (seen->sent[i].seg.flags & TCP_RST)
            return &seen->sent[i].seg;
    return NULL;
}

static bool numbers_fit(const struct outcome *o, const struct tcp_segment *rst)
{
    bool has_ack = rst->flags & TCP_ACK;

    if (rst->flags & (TCP_SYN | TCP_FIN))
        return false;
    if (o->is_our_reset)
        return model_is_next(rst->seq, o->reset_seq, o->least_edge, o->most_edge) &&
               (!has_ack || seq_geq(rst->ack, o->rcv_nxt_min));
    return rst->seq == o->reset_seq && has_ack == o->reset_has_ack &&
           (!has_ack || rst->ack == o->reset_ack);
}

static bool has_ack_in(const struct model_seen *seen)
{
    for (unsigned i = 0; i < seen->sent_count; i++)
        if (seen->sent[i].seg.flags & TCP_ACK)
            return true;
    return false;
}

static enum model_rule reply_breaks(const struct outcome *o, const struct model_seen *seen)
{
    const struct tcp_segment *rst = reset_in(seen);

    if (o->reply == REPLY_NOTHING)
        return seen->sent_count > 0 ? RULE_REPLY : RULE_NONE;
    if (o->reply == REPLY_RESET) {
        if (rst == NULL)
            return RULE_RESET_LACKS;
        return numbers_fit(o, rst) ? seen->sent_count > 1 ? RULE_REPLY : RULE_NONE
                                   : RULE_RESET_NUMBERS;
    }
    if (rst != NULL)
        return RULE_RESET;
    return o->reply == REPLY_ACK && !has_ack_in(seen) ? RULE_ACK_LACKS : RULE_NONE;
}

bool model_is_visible(const struct model_seen *seen, enum tcp_state state)
{
    return seen->has_status && state != TCPS_CLOSED;
}

/* What of the variables does not fit; `steps` counts what does, to find the outcome that was
 * probably meant. */
static enum model_rule breaks(const struct model *m, const struct outcome *o,
                              const struct model_seen *seen, enum tcp_state state, unsigned *steps)
{
    const struct tcp_status *status = &seen->status;

    *steps = 0;
    if (!(o->states & 1u << state))
        return RULE_STATE;
    ++*steps;
    if (model_is_visible(seen, state) && m->has_iss && !(o->takes_syn && m->listens)) {
        if (status->snd_una != o->una)
            return RULE_SND_UNA;
        ++*steps;
        if (state >= TCPS_SYN_RECEIVED &&
            (seq_lt(status->rcv_nxt, o->rcv_nxt_min) || seq_gt(status->rcv_nxt, o->rcv_nxt_max)))
            return RULE_RCV_NXT;
        ++*steps;
        if (state >= TCPS_ESTABLISHED && status->snd_wnd != o->wnd)
            return RULE_SND_WND;
        ++*steps;
    }
    enum model_rule rule = reply_breaks(o, seen);
    if (rule != RULE_NONE)
        return rule;
    ++*steps;
    if (seen->has_status && o->errors != 0 && !(o->errors & 1u << -status->error))
        return RULE_ERROR;
    return RULE_NONE;
}

static void complain_about(struct model *m, enum model_rule rule, const struct outcome *o,
                           const struct model_seen *seen, enum tcp_state state)
{
    const struct tcp_status *s = &seen->status;

    model_complain(m, rule,
                   "now %s, SND.UNA %u, RCV.NXT %u, SND.WND %u, error %d, %u segments sent; wanted "
                   "(%s) SND.UNA %u, RCV.NXT %u to %u, SND.WND %u, states %#x",
                   tcp_state_name(state), s->snd_una, s->rcv_nxt, s->snd_wnd, (int)s->error,
                   seen->sent_count, o->clause, o->una, o->rcv_nxt_min, o->rcv_nxt_max, o->wnd,
                   o->states);
}

/* Several come true where nothing shows the difference, after CLOSE: the least may be acknowledged,
 * and of text, window and timestamp it is known only that they may have been taken. */
static void join(struct outcome *found, const struct outcome *other)
{
    found->least_edge = seq_min(found->least_edge, other->least_edge);
    found->most_edge = seq_max(found->most_edge, other->most_edge);
    found->una = seq_min(found->una, other->una);
    found->wl_is_unsure |=
        other->wl_is_unsure || found->wl1 != other->wl1 || found->wl2 != other->wl2;
    found->text_is_unsure |= found->takes_text != other->takes_text;
    found->takes_text |= other->takes_text;
    found->takes_urgent |= other->takes_urgent;
    found->is_acceptable |= other->is_acceptable;
    found->is_surely_taken &= other->is_surely_taken;
}

/* After CLOSE nothing shows whether an ACK has moved the window. */
static void widen(struct outcome *o, const struct model *m, const struct model_seen *seen)
{
    o->least_edge = seq_min(m->least_edge, o->least_edge);
    o->most_edge = seq_max(m->most_edge, o->most_edge);
    if (seen->event != MODEL_SEGMENT || !(seen->arrived->flags & TCP_ACK) ||
        seq_lt(seen->arrived->ack, m->snd_una) || seq_gt(seen->arrived->ack, m->snd_nxt))
        return;
    uint32_t edge = seen->arrived->ack + ((uint32_t)seen->arrived->wnd << model_peers_shift(m));
    o->least_edge = seq_min(edge, o->least_edge);
    o->most_edge = seq_max(edge, o->most_edge);
}

/* The outcome that comes true; complains when there is none. */
struct outcome truth_outcome(struct model *m, const struct model_seen *seen, enum tcp_state state)
{
    struct outcomes all;
    struct outcome found = {0}, nearest = {0};
    enum model_rule why = RULE_STATE;
    unsigned most = 0, count = 0;

    outcomes_of(m, seen, &all);
    for (unsigned i = 0; i < all.count; i++) {
        unsigned steps = 0;
        struct outcome *o = &all.list[i];
        o->least_edge = o->most_edge = o->una + o->wnd;
        if (m->has_closed && !o->takes_syn)
            widen(o, m, seen);
        enum model_rule rule = breaks(m, o, seen, state, &steps);
        if (rule == RULE_NONE && count++ == 0)
            found = *o;
        else if (rule == RULE_NONE)
            join(&found, o);
        if (i == 0 || steps > most) {
            nearest = *o;
            why = rule;
            most = steps;
        }
    }
    if (count == 0)
        complain_about(m, why, &nearest, seen, state);
    return count > 0 ? found : nearest;
}
