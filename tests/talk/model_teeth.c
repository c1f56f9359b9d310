/* The model has teeth: for each of its rules a walk is falsified in one place, between the stack
 * and the judge, and that very rule must be named in that very step. Without a lie the same walks
 * break nothing.
 *
 * A lie is a function that looks for a place where it fits (what the model knows before the event,
 * and what was seen of it), changes it and returns true. */
#include <stdio.h>
#include <string.h>

#include "../unit/unit.h"
#include "model/walk.h"

enum { STEPS = 400, SEEDS_MAX = 3000, SECOND_US = 1000000 };

typedef bool lie_function(const struct model *m, struct model_seen *seen);

struct liar {
    lie_function *lie;
    bool has_lied, was_believed;
};

/* ---- where lies fit */

/* In ESTABLISHED, before and after, with a handle to look through. */
static bool is_plain(const struct model *m, const struct model_seen *seen)
{
    return m->state == TCPS_ESTABLISHED && seen->has_status && seen->move_count == 0 &&
           !m->has_shut_down;
}

static bool is_plain_segment(const struct model *m, const struct model_seen *seen)
{
    return is_plain(m, seen) && seen->event == MODEL_SEGMENT && !seen->is_damaged;
}

static bool is_plain_time(const struct model *m, const struct model_seen *seen)
{
    return is_plain(m, seen) && seen->event == MODEL_TIME && seen->sent_count == 0;
}

/* The user's bytes leave at once. */
static struct tcp_segment *sent_text(const struct model *m, struct model_seen *seen)
{
    bool fits = is_plain(m, seen) && seen->event == MODEL_SEND && seen->sent_count > 0 &&
                !seen->is_urgent && seen->sent[0].seg.payload.len > 0;

    return fits ? &seen->sent[0].seg : NULL;
}

static struct tcp_segment *sent_anything(const struct model *m, struct model_seen *seen)
{
    return is_plain(m, seen) && seen->sent_count > 0 ? &seen->sent[0].seg : NULL;
}

static void move(struct model_seen *seen, enum tcp_state from, enum tcp_state to)
{
    seen->move[seen->move_count++] = (struct model_move){from, to};
}

static void invent_ack(const struct model *m, struct model_seen *seen)
{
    seen->sent[0] = (struct model_sent){
        .seg = {.flags = TCP_ACK, .seq = m->snd_nxt, .ack = m->rcv_nxt, .wnd = 1000},
        .header_bytes = TCP_HEADER_BYTES};
    seen->sent_count = 1;
}

/* ---- the outcome of an event */

static bool lie_move(const struct model *m, struct model_seen *seen)
{
    if (m->state != TCPS_FIN_WAIT_1 || seen->move_count != 1)
        return false;
    seen->move[0].to = TCPS_CLOSE_WAIT;
    return true;
}

static bool lie_state(const struct model *m, struct model_seen *seen)
{
    if (!is_plain_segment(m, seen))
        return false;
    move(seen, TCPS_ESTABLISHED, TCPS_FIN_WAIT_1);
    return true;
}

static bool lie_snd_una(const struct model *m, struct model_seen *seen)
{
    if (!is_plain_segment(m, seen))
        return false;
    seen->status.snd_una++;
    return true;
}

static bool lie_rcv_nxt(const struct model *m, struct model_seen *seen)
{
    if (!is_plain_segment(m, seen) || seen->arrived->payload.len == 0)
        return false;
    seen->status.rcv_nxt += (uint32_t)seen->arrived->payload.len + 1;
    return true;
}

static bool lie_snd_wnd(const struct model *m, struct model_seen *seen)
{
    if (!is_plain_segment(m, seen))
        return false;
    seen->status.snd_wnd += 12345;
    return true;
}

static bool lie_rcv_up(const struct model *m, struct model_seen *seen)
{
    if (!is_plain_segment(m, seen))
        return false;
    seen->status.urgent_bytes += 100000;
    return true;
}

static bool lie_ack_lacks(const struct model *m, struct model_seen *seen)
{
    bool fits = is_plain_segment(m, seen) && seen->sent_count > 0 &&
                seen->arrived->payload.len > 0 && !(seen->arrived->flags & TCP_RST) &&
                seen->arrived->seq + seen->arrived->payload.len == m->rcv_nxt;

    if (fits)
        seen->sent_count = 0;
    return fits;
}

static bool lie_reply(const struct model *m, struct model_seen *seen)
{
    if (!is_plain_segment(m, seen) || !(seen->arrived->flags & TCP_RST) || seen->sent_count > 0)
        return false;
    invent_ack(m, seen);
    return true;
}

static bool lie_reset_lacks(const struct model *m, struct model_seen *seen)
{
    if (seen->event != MODEL_ABORT || m->state != TCPS_ESTABLISHED)
        return false;
    seen->sent_count = 0;
    return true;
}

static bool lie_reset_numbers(const struct model *m, struct model_seen *seen)
{
    if (seen->event != MODEL_SEGMENT || m->state != TCPS_CLOSED || m->listens ||
        seen->sent_count == 0)
        return false;
    seen->sent[0].seg.seq++;
    return true;
}

static bool lie_reset(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_anything(m, seen);

    if (seg != NULL)
        seg->flags = TCP_RST;
    return seg != NULL;
}

static bool lie_error(const struct model *m, struct model_seen *seen)
{
    bool fits = m->state == TCPS_ESTABLISHED && seen->event == MODEL_SEGMENT && seen->has_status &&
                seen->status.error == TCP_ERR_RESET;

    if (fits)
        seen->status.error = TCP_OK;
    return fits;
}

/* ---- each segment */

static bool lie_quiet(const struct model *m, struct model_seen *seen)
{
    if (m->state != TCPS_TIME_WAIT || seen->event != MODEL_TIME || seen->move_count > 0)
        return false;
    invent_ack(m, seen);
    return true;
}

static bool lie_syn(const struct model *m, struct model_seen *seen)
{
    if (m->state != TCPS_SYN_SENT || seen->event != MODEL_TIME || seen->sent_count == 0 ||
        seen->move_count > 0)
        return false;
    seen->sent[0].seg.seq++;
    return true;
}

static bool lie_ack_bit(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_text(m, seen);

    if (seg != NULL)
        seg->flags = TCP_PSH;
    return seg != NULL;
}

static bool lie_ack(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_text(m, seen);

    if (seg != NULL)
        seg->ack++;
    return seg != NULL;
}

static bool lie_seq(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_anything(m, seen);
    bool fits = seg != NULL && seg->payload.len == 0 && seen->event == MODEL_SEGMENT &&
                m->snd_una == m->snd_nxt && seen->status.snd_wnd > 0;

    if (fits)
        seg->seq--;
    return fits;
}

static bool lie_skip(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_text(m, seen);

    if (seg != NULL)
        seg->seq++;
    return seg != NULL;
}

static bool lie_acked_again(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_anything(m, seen);
    bool fits = seg != NULL && seen->event == MODEL_TIME && seg->payload.len > 0;

    if (fits)
        seg->seq = m->snd_una - 1;
    return fits;
}

static bool lie_unwritten(const struct model *m, struct model_seen *seen)
{
    if (sent_text(m, seen) == NULL)
        return false;
    const struct tcp_segment *last = &seen->sent[seen->sent_count - 1].seg;
    uint32_t end = last->seq + (uint32_t)last->payload.len;
    if (end != m->iss + 1 + m->written + (uint32_t)seen->result)
        return false;
    seen->result--; /* the last byte was not accepted, but sent */
    return true;
}

static bool lie_text(const struct model *m, struct model_seen *seen)
{
    static uint8_t copy[2048];
    struct tcp_segment *seg = sent_text(m, seen);

    if (seg == NULL)
        return false;
    memcpy(copy, seg->payload.data, seg->payload.len);
    copy[seg->payload.len - 1] ^= 1;
    seg->payload.data = copy;
    return true;
}

/* The window was closed by this ACK, and something new is sent all the same. */
static bool lie_window(const struct model *m, struct model_seen *seen)
{
    static struct tcp_segment arrived;
    struct tcp_segment *seg = sent_anything(m, seen);
    bool fits = seg != NULL && is_plain_segment(m, seen) && seen->status.snd_una != m->snd_una &&
                seg->payload.len > 1 && seg->seq == m->snd_nxt && seen->status.snd_wnd > 0 &&
                seen->arrived->seq == m->rcv_nxt;

    if (!fits)
        return false;
    arrived = *seen->arrived;
    arrived.wnd = 0;
    seen->arrived = &arrived;
    seen->status.snd_wnd = 0;
    return true;
}

static bool lie_fin(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_text(m, seen);

    if (seg != NULL)
        seg->flags |= TCP_FIN;
    return seg != NULL;
}

static bool lie_size(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_text(m, seen);

    if (seg != NULL)
        seen->sent[0].header_bytes += 10000;
    return seg != NULL;
}

static bool lie_edge(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_text(m, seen);
    bool fits = seg != NULL && m->edge - m->rcv_nxt > 3000;

    if (fits)
        seg->wnd = 0;
    return fits;
}

static bool lie_syn_options(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_text(m, seen);

    if (seg != NULL)
        seg->options.has_mss = true;
    return seg != NULL;
}

static bool lie_timestamp_lacks(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_text(m, seen);

    if (seg == NULL || !seg->options.has_timestamps)
        return false;
    seg->options.has_timestamps = false;
    return true;
}

static bool lie_timestamp(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_text(m, seen);

    if (seg == NULL || seg->options.has_timestamps)
        return false;
    seg->options.has_timestamps = true;
    return true;
}

static bool lie_tsval(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_text(m, seen);

    if (seg == NULL || !seg->options.has_timestamps)
        return false;
    seg->options.tsval = m->tsval - 1;
    return true;
}

static bool lie_tsecr(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_text(m, seen);

    if (seg == NULL || !seg->options.has_timestamps)
        return false;
    seg->options.tsecr++;
    return true;
}

static bool lie_sack(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_text(m, seen);

    if (seg == NULL || !m->peers.sack_permitted || !m->ours.sack_permitted)
        return false;
    seg->options.sack_count = 1;
    seg->options.sack[0] = (struct tcp_sack_block){m->edge, m->edge + 10};
    return true;
}

static bool lie_urgent(const struct model *m, struct model_seen *seen)
{
    struct tcp_segment *seg = sent_text(m, seen);

    if (seg == NULL || seg->flags & TCP_URG)
        return false;
    seg->flags |= TCP_URG;
    seg->urgent = 1;
    return true;
}

static bool lie_reopen(const struct model *m, struct model_seen *seen)
{
    if (m->state != TCPS_TIME_WAIT || seen->event != MODEL_SEGMENT || seen->move_count == 0 ||
        seen->sent_count == 0)
        return false;
    seen->sent[0].seg.seq = m->snd_nxt - 1;
    return true;
}

static bool lie_snd_nxt(const struct model *m, struct model_seen *seen)
{
    if (!is_plain(m, seen))
        return false;
    seen->status.snd_nxt++;
    return true;
}

/* ---- time */

static bool lie_delayed_ack(const struct model *m, struct model_seen *seen)
{
    if (!is_plain(m, seen) || seen->event != MODEL_TIME || m->ack_owed_us == NEVER)
        return false;
    seen->sent_count = 0;
    seen->time_us = m->ack_owed_us + SECOND_US / 2;
    return true;
}

static bool lie_time_wait_short(const struct model *m, struct model_seen *seen)
{
    if (m->state != TCPS_TIME_WAIT || seen->event != MODEL_TIME || seen->move_count > 0)
        return false;
    move(seen, TCPS_TIME_WAIT, TCPS_CLOSED);
    return true;
}

static bool lie_time_wait_long(const struct model *m, struct model_seen *seen)
{
    if (m->state != TCPS_TIME_WAIT || seen->event != MODEL_TIME || seen->move_count > 0)
        return false;
    seen->time_us = m->time_wait_last_us + 2 * m->msl_us + 1000; /* a record counts milliseconds */
    return true;
}

static bool lie_silence(const struct model *m, struct model_seen *seen)
{
    if (!is_plain_time(m, seen) || m->snd_una == m->snd_nxt || m->ack_owed_us != NEVER)
        return false;
    seen->time_us += m->rto_max_us + SECOND_US;
    return true;
}

static bool lie_gives_up(const struct model *m, struct model_seen *seen)
{
    if (!is_plain_time(m, seen) || m->snd_una == m->snd_nxt)
        return false;
    move(seen, TCPS_ESTABLISHED, TCPS_CLOSED);
    seen->status.error = TCP_ERR_TIMED_OUT;
    return true;
}

/* ---- the user */

static bool lie_received(const struct model *m, struct model_seen *seen)
{
    static uint8_t copy[8192];

    if (!is_plain(m, seen) || seen->event != MODEL_RECEIVE || seen->result <= 0)
        return false;
    memcpy(copy, seen->data, (size_t)seen->result);
    copy[seen->result - 1] ^= 1;
    seen->data = copy;
    return true;
}

static bool lie_call(const struct model *m, struct model_seen *seen)
{
    if (m->state != TCPS_FIN_WAIT_2 || seen->event != MODEL_SEND || !seen->has_status)
        return false;
    seen->result = 0;
    return true;
}

static lie_function *const lies[RULE_COUNT] = {
    [RULE_MOVE] = lie_move,
    [RULE_STATE] = lie_state,
    [RULE_SND_UNA] = lie_snd_una,
    [RULE_RCV_NXT] = lie_rcv_nxt,
    [RULE_SND_WND] = lie_snd_wnd,
    [RULE_RCV_UP] = lie_rcv_up,
    [RULE_ACK_LACKS] = lie_ack_lacks,
    [RULE_REPLY] = lie_reply,
    [RULE_RESET_LACKS] = lie_reset_lacks,
    [RULE_RESET_NUMBERS] = lie_reset_numbers,
    [RULE_RESET] = lie_reset,
    [RULE_ERROR] = lie_error,
    [RULE_QUIET] = lie_quiet,
    [RULE_SYN] = lie_syn,
    [RULE_ACK_BIT] = lie_ack_bit,
    [RULE_ACK] = lie_ack,
    [RULE_SEQ] = lie_seq,
    [RULE_SKIP] = lie_skip,
    [RULE_ACKED_AGAIN] = lie_acked_again,
    [RULE_UNWRITTEN] = lie_unwritten,
    [RULE_TEXT] = lie_text,
    [RULE_WINDOW] = lie_window,
    [RULE_FIN] = lie_fin,
    [RULE_SIZE] = lie_size,
    [RULE_EDGE] = lie_edge,
    [RULE_SYN_OPTIONS] = lie_syn_options,
    [RULE_TIMESTAMP_LACKS] = lie_timestamp_lacks,
    [RULE_TIMESTAMP] = lie_timestamp,
    [RULE_TSVAL] = lie_tsval,
    [RULE_TSECR] = lie_tsecr,
    [RULE_SACK] = lie_sack,
    [RULE_URGENT] = lie_urgent,
    [RULE_REOPEN] = lie_reopen,
    [RULE_SND_NXT] = lie_snd_nxt,
    [RULE_DELAYED_ACK] = lie_delayed_ack,
    [RULE_TIME_WAIT_SHORT] = lie_time_wait_short,
    [RULE_TIME_WAIT_LONG] = lie_time_wait_long,
    [RULE_SILENCE] = lie_silence,
    [RULE_GIVES_UP] = lie_gives_up,
    [RULE_RECEIVED] = lie_received,
    [RULE_CALL] = lie_call,
};

/* ---- the test of each */

static void lie_once(void *context, const struct model *m, struct model_seen *seen)
{
    struct liar *liar = context;

    if (liar->has_lied) /* the walk goes on: nobody has complained */
        liar->was_believed = true;
    else
        liar->has_lied = liar->lie(m, seen);
}

START_TEST(each_rule_complains_of_its_lie)
{
    enum model_rule rule = (enum model_rule)_i;
    struct liar liar = {.lie = lies[rule]};
    struct walk_result result = {0};
    uint64_t seed = 0;

    ck_assert_msg(liar.lie != NULL, "no lie for the rule: %s", model_rule_text(rule));
    while (!liar.has_lied && ++seed < SEEDS_MAX) {
        uint64_t state = walk_seed(seed);
        struct walk_plan plan = {.step_count = STEPS,
                                 .draw = walk_draw,
                                 .context = &state,
                                 .lie = lie_once,
                                 .lie_context = &liar};
        result = walk_run(&plan);
    }
    ck_assert_msg(liar.has_lied, "no place for the lie about: %s", model_rule_text(rule));
    ck_assert_msg(!liar.was_believed && result.broken == rule, "seed %llu, a lie about: %s\n%s%s",
                  (unsigned long long)seed, model_rule_text(rule),
                  liar.was_believed ? "was believed at first\n" : "", result.report);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, each_rule_complains_of_its_lie, RULE_NONE + 1, RULE_COUNT);
}

int main(void)
{
    return unit_main("model_teeth", tests);
}
