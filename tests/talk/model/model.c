/* The judge, see model.h: the calls' own results, time, and STATUS; the rest is in the files beside
 * it, in the order in which model_judge() at the end asks them. */
#include "model.h"

#include <inttypes.h>

#include "outcomes.h"

static const uint64_t second_us = 1000000;

/* Two streams that nobody takes for each other, nor one place for another. */
static uint8_t mixed(uint32_t position, uint32_t salt)
{
    uint32_t x = (position + salt) * 2654435761u;

    return (uint8_t)(x >> 24 ^ x >> 13);
}

uint8_t model_byte_ours(uint32_t position)
{
    return mixed(position, 0x51ed27);
}

uint8_t model_byte_peers(uint32_t position)
{
    return mixed(position, 0x9e3779);
}

void model_init(struct model *m, const struct tcp_config *config, uint64_t now_us)
{
    *m = (struct model){
        .msl_us = config->msl_us,
        .rto_max_us = config->rto_max_us,
        .fin_wait_2_us = config->fin_wait_2_us,
        .syn_ack_r2_us = config->syn_ack_r2_us,
        .errors = 1u,
        .now_us = now_us,
        .ack_owed_us = NEVER,
    };
}

/* ---- the user */

static ptrdiff_t least(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

static void judge_received(struct model *m, const struct model_seen *seen)
{
    ptrdiff_t available = 0;

    if (m->state >= TCPS_ESTABLISHED)
        available = (ptrdiff_t)(m->rcv_nxt - m->irs - 1 - (m->fin_is_taken ? 1 : 0) - m->read);
    if (m->state != TCPS_CLOSED && seen->result != least(available, (ptrdiff_t)seen->len) &&
        !(available == 0 && seen->result < 0))
        model_complain(m, RULE_RECEIVED, "RECEIVE of %zu bytes gives %td, %td are there", seen->len,
                       seen->result, available);
    for (ptrdiff_t i = 0; i < seen->result; i++) {
        if (seen->data[i] != model_byte_peers(m->read + (uint32_t)i) ||
            !model_ranges_hold(&m->perhaps, m->read + (uint32_t)i + 1, m->read + (uint32_t)i + 2)) {
            model_complain(m, RULE_RECEIVED, "byte %u is not the peer's", m->read + (uint32_t)i);
            break;
        }
    }
    if (seen->result > 0)
        m->read += (uint32_t)seen->result;
}

/* 3.10.2: "connection closing" after CLOSE; an error where there is no connection any more. */
static void judge_send(struct model *m, const struct model_seen *seen)
{
    bool may_send = m->state != TCPS_CLOSED && !m->has_shut_down;
    bool is_right =
        may_send ? seen->result >= 0 && (size_t)seen->result <= seen->len : seen->result < 0;

    if (!is_right ||
        (may_send == false && m->state != TCPS_CLOSED && seen->result != TCP_ERR_CLOSING))
        model_complain(m, RULE_CALL, "SEND of %zu bytes in %s gives %td", seen->len,
                       tcp_state_name(m->state), seen->result);
    if (seen->result > 0) {
        if (!model_waits(m))
            m->progress_us = m->sent_us = m->now_us;
        m->written += (uint32_t)seen->result;
        if (seen->is_urgent)
            m->urgent_end = m->written;
    }
}

/* What the call itself says, before its effects are looked at. */
static void judge_call(struct model *m, const struct model_seen *seen)
{
    if (seen->event == MODEL_RECEIVE)
        judge_received(m, seen);
    if (seen->event == MODEL_SEND)
        judge_send(m, seen);
    if (seen->event == MODEL_SHUTDOWN && m->state != TCPS_CLOSED && seen->result != TCP_OK &&
        !m->has_shut_down)
        model_complain(m, RULE_CALL, "CLOSE in %s gives %td", tcp_state_name(m->state),
                       seen->result);
    if (seen->event == MODEL_SHUTDOWN || seen->event == MODEL_CLOSE) {
        if (!m->has_shut_down && !model_waits(m))
            m->progress_us = m->sent_us = m->now_us;
        m->has_shut_down = true;
    }
    if (seen->event == MODEL_CLOSE) {
        m->has_closed = true;
        m->closed_us = m->now_us;
    }
}

/* ---- time */

/* How long the end under test must have tried before it may give up. */
static uint64_t patience_us(const struct model *m)
{
    enum { R2_S = 100, R2_SYN_S = 180 }; /* SHLD-11, MUST-23 */

    /* The answer to a SYN is given up earlier: syn_ack_r2_us. MUST-23 speaks of what the user waits
     * for; nobody waits for a connection that a stranger has begun. */
    if (m->state == TCPS_SYN_RECEIVED && m->from_listener)
        return m->syn_ack_r2_us;
    return (m->state < TCPS_ESTABLISHED ? R2_SYN_S : R2_S) * second_us;
}

static void judge_end(struct model *m, enum tcp_state state)
{
    enum { TIME_WAIT_TICK_US = 1000 }; /* a record that waits counts milliseconds, rounded up */
    bool is_end = m->state != TCPS_CLOSED && state == TCPS_CLOSED;
    uint64_t waited_us = m->now_us - m->progress_us;

    if (m->state == TCPS_TIME_WAIT) {
        if (is_end && m->now_us < m->time_wait_us + 2 * m->msl_us)
            model_complain(m, RULE_TIME_WAIT_SHORT, "TIME-WAIT of %" PRIu64 " us",
                           m->now_us - m->time_wait_us);
        if (!is_end && m->now_us >= m->time_wait_last_us + 2 * m->msl_us + TIME_WAIT_TICK_US)
            model_complain(m, RULE_TIME_WAIT_LONG, "TIME-WAIT of %" PRIu64 " us",
                           m->now_us - m->time_wait_last_us);
        return;
    }
    /* Departure: after CLOSE nobody waits in FIN-WAIT-2 for ever. */
    if (is_end && m->state == TCPS_FIN_WAIT_2 && m->has_closed &&
        m->now_us >= m->closed_us + m->fin_wait_2_us)
        return;
    if (is_end && (!model_waits(m) || waited_us < patience_us(m)))
        model_complain(m, RULE_GIVES_UP, "given up in %s after %" PRIu64 " us",
                       tcp_state_name(m->state), waited_us);
}

/* Looks at the time before the segments of this moment have been judged. */
static void judge_time(struct model *m, const struct model_seen *seen, enum tcp_state state)
{
    /* Each acknowledgment restarts the timer, RFC 6298 (5.3). */
    uint64_t since_us = m->sent_us > m->progress_us ? m->sent_us : m->progress_us;
    uint64_t silent_us = m->now_us - since_us;

    if (seen->event == MODEL_TIME)
        judge_end(m, state);
    if (state == TCPS_CLOSED)
        return;
    if (m->ack_owed_us != NEVER && m->now_us - m->ack_owed_us >= second_us / 2)
        model_complain(m, RULE_DELAYED_ACK, "RCV.NXT %u is not acknowledged for %" PRIu64 " us",
                       m->rcv_nxt, m->now_us - m->ack_owed_us);
    if (model_waits(m) && silent_us > m->rto_max_us && seen->sent_count == 0)
        model_complain(m, RULE_SILENCE, "SND.UNA %u, SND.NXT %u, silent for %" PRIu64 " us",
                       m->snd_una, m->snd_nxt, silent_us);
}

/* ---- STATUS */

static void judge_urgent(struct model *m, const struct tcp_status *status)
{
    uint32_t at = m->read + 1; /* what the user reads next */
    uint32_t least = m->least_up > at ? m->least_up - at : 0;
    uint32_t most = m->most_up > at ? m->most_up - at : 0;
    uint32_t left = m->rcv_nxt - m->irs - 1 - at; /* to the FIN, if that is taken */

    if (m->fin_is_taken && least > left) /* a pointer behind the FIN leads nowhere */
        least = left;
    if (status->urgent_bytes < least || status->urgent_bytes > most)
        model_complain(m, RULE_RCV_UP, "%u urgent bytes are ahead, wanted %u to %u",
                       status->urgent_bytes, least, most);
}

static void judge_status(struct model *m, const struct model_seen *seen, const struct outcome *o)
{
    const struct tcp_status *status = &seen->status;

    if (!seen->has_status)
        return;
    if (o->errors != 0)
        m->errors = o->errors;
    if (!(m->errors & 1u << -status->error))
        model_complain(m, RULE_ERROR, "the user is told %d in %s", (int)status->error,
                       tcp_state_name(m->state));
    if (m->state == TCPS_CLOSED)
        return;
    if (m->has_iss && status->snd_nxt != m->snd_nxt)
        model_complain(m, RULE_SND_NXT, "SND.NXT is %u, sent was up to %u", status->snd_nxt,
                       m->snd_nxt);
    judge_urgent(m, status);
    m->far_edge = status->rcv_nxt + status->rcv_wnd;
}

enum model_rule model_judge(struct model *m, const struct model_seen *seen)
{
    enum { FAR_BYTES = 1 << 22 };

    m->now_us = seen->time_us;
    m->judged_count += seen->event == MODEL_SEGMENT ? 1 : 0;
    if (seen->event == MODEL_OPEN)
        memory_forget(m);
    judge_call(m, seen);
    enum tcp_state state = truth_state(m, seen);
    struct outcome outcome = truth_outcome(m, seen, state);
    judge_time(m, seen, state);
    memory_commit(m, seen, &outcome, state);
    sent_judge(m, seen, &outcome);
    if (!seen->has_status) /* nobody can look: it may have grown */
        m->far_edge = m->edge + FAR_BYTES;
    judge_status(m, seen, &outcome);
    return m->broken;
}

bool model_takes_text(const struct model *m, const struct tcp_segment *seg)
{
    struct model_seen seen = {.event = MODEL_SEGMENT, .arrived = seg};
    struct outcomes all;

    outcomes_of(m, &seen, &all);
    for (unsigned i = 0; i < all.count; i++)
        if (all.list[i].takes_text)
            return true;
    return false;
}
