/* The user calls, 9293 3.10.1 to 3.10.5, and time, 3.10.8; and what the model's parts share. */
#include "outcomes.h"

#include <assert.h>

#include "../../../stack/tcp/seq.h"
#include "arrival.h"

enum { ERRORS_GIVEN_UP = 1 << -TCP_ERR_TIMED_OUT | 1 << -TCP_ERR_ABORTED };

static unsigned bit(enum tcp_state state)
{
    return 1u << state;
}

/* ---- what the parts share */

unsigned outcome_states(const struct model *m, enum tcp_state state)
{
    bool fin_may_leave = state == TCPS_CLOSE_WAIT && m->has_shut_down;

    return bit(state) | (fin_may_leave ? bit(TCPS_LAST_ACK) : 0);
}

struct outcome outcome_unchanged(const struct model *m, const char *clause)
{
    return (struct outcome){
        .clause = clause,
        .states = outcome_states(m, m->state),
        .una = m->snd_una,
        .rcv_nxt_min = m->rcv_nxt,
        .rcv_nxt_max = m->rcv_nxt,
        .wnd = m->snd_wnd,
        .wl1 = m->snd_wl1,
        .wl2 = m->snd_wl2,
        .wl_is_unsure = m->wl_is_unsure,
        .reply = REPLY_FREE,
    };
}

static bool both_scale(const struct model *m)
{
    return m->ours.has_window_scale && m->peers.has_window_scale;
}

unsigned model_our_shift(const struct model *m)
{
    return both_scale(m) ? m->ours.window_scale : 0;
}

unsigned model_peers_shift(const struct model *m)
{
    enum { SHIFT_MAX = 14 }; /* RFC 7323 2.3 */
    unsigned shift = m->peers.window_scale > SHIFT_MAX ? SHIFT_MAX : m->peers.window_scale;

    return both_scale(m) ? shift : 0;
}

bool model_has_timestamps(const struct model *m)
{
    return m->ours.has_timestamps && m->peers.has_timestamps;
}

bool model_is_next(uint32_t seq, uint32_t snd_nxt, uint32_t least_edge, uint32_t most_edge)
{
    return seq == snd_nxt ||
           (seq_geq(seq, least_edge) && seq_leq(seq, most_edge) && seq_lt(seq, snd_nxt));
}

/* ---- ranges of the peer's stream */

void model_ranges_add(struct model_ranges *ranges, uint32_t start, uint32_t end)
{
    unsigned kept = 0;

    if (start >= end)
        return;
    for (unsigned i = 0; i < ranges->count; i++) {
        if (ranges->range[i].start <= end && start <= ranges->range[i].end) { /* they touch */
            start = ranges->range[i].start < start ? ranges->range[i].start : start;
            end = ranges->range[i].end > end ? ranges->range[i].end : end;
        } else {
            ranges->range[kept++] = ranges->range[i];
        }
    }
    ranges->count = kept < MODEL_RANGES_MAX ? kept + 1 : kept; /* forgets the last when full */
    unsigned at = ranges->count - 1;
    for (; at > 0 && ranges->range[at - 1].start > start; at--)
        ranges->range[at] = ranges->range[at - 1];
    ranges->range[at].start = start;
    ranges->range[at].end = end;
}

bool model_ranges_hold(const struct model_ranges *ranges, uint32_t start, uint32_t end)
{
    for (unsigned i = 0; i < ranges->count; i++)
        if (ranges->range[i].start <= start && end <= ranges->range[i].end)
            return true;
    return false;
}

uint32_t model_frontier(const struct model_ranges *ranges, uint32_t from, uint32_t start,
                        uint32_t end)
{
    bool goes_on = true;

    while (goes_on) {
        goes_on = false;
        if (start <= from && end > from) {
            from = end;
            goes_on = true;
        }
        for (unsigned i = 0; i < ranges->count; i++) {
            if (ranges->range[i].start <= from && ranges->range[i].end > from) {
                from = ranges->range[i].end;
                goes_on = true;
            }
        }
    }
    return from;
}

/* ---- the calls */

void outcome_add(struct outcomes *all, const struct outcome *one)
{
    assert(all->count < OUTCOMES_MAX);
    all->list[all->count++] = *one;
}

static struct outcome reset_by_us(const struct model *m, const char *clause)
{
    struct outcome o = outcome_unchanged(m, clause);

    o.states = bit(TCPS_CLOSED);
    o.reply = REPLY_RESET;
    o.reset_seq = m->snd_nxt;
    o.is_our_reset = true;
    return o;
}

static struct outcome gone(const struct model *m, const char *clause)
{
    struct outcome o = outcome_unchanged(m, clause);

    o.states = bit(TCPS_CLOSED);
    o.reply = REPLY_NOTHING;
    return o;
}

/* 3.10.4: the FIN follows what was sent before. Departure: in SYN-RECEIVED it waits there for
 * ESTABLISHED, though 3.10.4 would let a FIN without data leave at once; both are allowed here. */
static void on_shutdown(const struct model *m, struct outcomes *all)
{
    struct outcome o = outcome_unchanged(m, "9293 3.10.4: CLOSE");

    if (m->state == TCPS_ESTABLISHED)
        o.states = bit(TCPS_FIN_WAIT_1);
    if (m->state == TCPS_SYN_RECEIVED)
        o.states |= bit(TCPS_FIN_WAIT_1);
    if (m->state == TCPS_CLOSE_WAIT)
        o.states |= bit(TCPS_LAST_ACK);
    outcome_add(all, &o);
}

static uint32_t unread_bytes(const struct model *m)
{
    return m->rcv_nxt - m->irs - 1 - (m->fin_is_taken ? 1 : 0) - m->read;
}

/* SHLD-3: who closes without having read everything resets. After both FINs it helps nobody. */
static void on_close(const struct model *m, struct outcomes *all)
{
    bool is_synchronized = m->state >= TCPS_ESTABLISHED;
    bool is_over = m->state >= TCPS_CLOSING;
    bool has_unread = is_synchronized && unread_bytes(m) > 0;
    bool has_hole = is_synchronized && m->perhaps.count > 1;
    struct outcome o = reset_by_us(m, "9293 3.6.1 SHLD-3: CLOSE with data unread");

    if (m->state == TCPS_SYN_SENT) {
        o = gone(m, "9293 3.10.4: CLOSE in SYN-SENT");
        outcome_add(all, &o);
        return;
    }
    if (has_unread || has_hole)
        outcome_add(all, &o);
    if (!has_unread || is_over)
        on_shutdown(m, all);
}

static void on_abort(const struct model *m, struct outcomes *all)
{
    static const unsigned states_reset = 1u << TCPS_SYN_RECEIVED | 1u << TCPS_ESTABLISHED |
                                         1u << TCPS_FIN_WAIT_1 | 1u << TCPS_FIN_WAIT_2 |
                                         1u << TCPS_CLOSE_WAIT;
    struct outcome o = bit(m->state) & states_reset
                           ? reset_by_us(m, "9293 3.10.5: ABORT sends a reset")
                           : gone(m, "9293 3.10.5: ABORT sends nothing");

    outcome_add(all, &o);
}

/* 3.10.8, and R2 of 3.8.3. Whether it is time for that is judged in model.c. */
static void on_time(const struct model *m, struct outcomes *all)
{
    struct outcome o = outcome_unchanged(m, "9293 3.10.8: nothing but retransmission");

    outcome_add(all, &o);
    if (m->state == TCPS_CLOSED)
        return;
    o = gone(m, "9293 3.10.8: TIME-WAIT or user timeout");
    o.errors = m->state == TCPS_TIME_WAIT ? 1u : ERRORS_GIVEN_UP;
    outcome_add(all, &o);
    o = reset_by_us(m, "9293 3.6: an abort sends a reset");
    o.errors = ERRORS_GIVEN_UP;
    if (m->state != TCPS_TIME_WAIT)
        outcome_add(all, &o);
}

void outcomes_of(const struct model *m, const struct model_seen *seen, struct outcomes *all)
{
    struct outcome o = outcome_unchanged(m, "9293 3.10: the call changes no state");

    all->count = 0;
    switch (seen->event) {
    case MODEL_SEGMENT:
        o = outcome_unchanged(m, "9293 3.1 MUST-3: discard");
        o.reply = REPLY_NOTHING;
        if (seen->is_damaged)
            outcome_add(all, &o);
        else
            arrival_outcomes(m, seen->arrived, all);
        break;
    case MODEL_TIME:
        on_time(m, all);
        break;
    case MODEL_OPEN:
        o.clause = "9293 3.10.1: OPEN";
        o.states = bit(TCPS_SYN_SENT);
        outcome_add(all, &o);
        break;
    case MODEL_SEND:
    case MODEL_RECEIVE:
        outcome_add(all, &o);
        break;
    case MODEL_SHUTDOWN:
        on_shutdown(m, all);
        break;
    case MODEL_CLOSE:
        on_close(m, all);
        break;
    case MODEL_ABORT:
        on_abort(m, all);
        break;
    }
}
