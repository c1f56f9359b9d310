/* The matrix, driven: a connection is led into its place by an ordinary conversation, which is
 * itself compared word by word; then one segment arrives, and everything that can be seen of the
 * connection is compared with the rules' expectation.
 *
 * Seen are: what is sent at once, and after the longest delay of an ACK; the state; what the user
 * can ask for (STATUS). The last question is put to the connection itself: an old octet left of the
 * window must be answered by <SEQ=SND.NXT><ACK=RCV.NXT>, which shows both, and TS.Recent, also
 * where nobody holds a handle. */
#include "drive.h"

#include <inttypes.h>

#include "names.h"

enum {
    HEARD_BYTES = 120,
    DELAY_MS = 50,    /* longer than the delay of an ACK, shorter than any retransmission */
    WAITED_MS = 1000, /* in TIME-WAIT, so that 2 MSL that begin again are told from the old ones */
};

/* What was seen, beside the reaction. */
struct seen {
    struct reaction reaction;
    bool is_held;            /* the application has a handle, so STATUS is known */
    unsigned at_once, later; /* segments */
    struct talk_heard heard; /* the first of them */
    bool has_probed;
    struct talk_heard probed; /* the answer to the last question */
};

/* ---- the way to a place */

static void peer_says(struct talk *t, const struct cell *cell, const char *text)
{
    bool is_syn = strchr(text, 'S') != NULL;
    const char *mss = is_syn ? "mss 1460" : "";
    const char *comma = is_syn && cell_has_timestamps(cell) ? "," : "";
    const char *stamp = cell_has_timestamps(cell) ? segment("TS val %d ecr 0", TS_RECENT) : "";

    peer_sends(t, segment("%s win %d <%s%s%s>", text, PEER_WINDOW, mss, comma, stamp));
}

static void handshake(struct talk *t, const struct cell *cell)
{
    bool is_half = cell->place->state == TCPS_SYN_RECEIVED;

    if (cell->place->is_passive) {
        talk_listen(t);
        peer_says(t, cell, "S 0:0(0)");
        we_send(t, segment("S. 0:0(0) ack 1 win %d", OUR_BUFFER));
        if (is_half)
            return;
        peer_says(t, cell, ". 1:1(0) ack 1");
        t->tcb = tcp_accept(t->listener);
        return;
    }
    talk_connect(t);
    peer_says(t, cell, is_half ? "S 0:0(0)" : "S. 0:0(0) ack 1");
    we_send(t, segment(is_half ? "S. 0:0(0) ack 1 win %d" : ". 1:1(0) ack 1 win %d", OUR_BUFFER));
}

static void exchange_text(struct talk *t, const struct cell *cell)
{
    uint32_t len = cell->place->is_shut ? OUR_BUFFER : PEER_TEXT;
    uint32_t end = len + 1;

    peer_says(t, cell, segment("P. 1:%u(%u) ack 1", end, len));
    time_passes_ms(t, DELAY_MS);
    we_send(t, segment(". 1:1(0) ack %u win %u", end, OUR_BUFFER - len));
    if (cell->place->is_given_up)
        app_reads(t, len);
    app_writes(t, OUR_TEXT);
    we_send(t, segment("P. 1:%d(%d) ack %u", OUR_TEXT + 1, OUR_TEXT, end));
    peer_says(t, cell, segment(". %u:%u(0) ack %d", end, end, OUR_TEXT_ACKED + 1));
}

static void we_finish(struct talk *t, const struct place *place, uint32_t ack)
{
    if (place->is_given_up) {
        tcp_close(t->tcb);
        t->tcb = NULL;
        talk_pull(t);
    } else {
        ck_assert_int_eq(tcp_shutdown(t->tcb), TCP_OK);
    }
    we_send(t, segment("F. %d:%d(0) ack %u", OUR_TEXT + 1, OUR_TEXT + 1, ack));
}

static void peer_finishes(struct talk *t, const struct cell *cell, int ack, int snd_nxt)
{
    peer_says(t, cell, segment("F. %d:%d(0) ack %d", PEER_TEXT + 1, PEER_TEXT + 1, ack));
    we_send(t, segment(". %d:%d(0) ack %d", snd_nxt, snd_nxt, PEER_TEXT + 2));
}

static void close_up_to(struct talk *t, const struct cell *cell)
{
    const struct place *place = cell->place;
    uint32_t rcv_nxt = (place->is_shut ? OUR_BUFFER : PEER_TEXT) + 1;
    enum { TEXT_END = OUR_TEXT + 1, ACKED = OUR_TEXT_ACKED + 1 };

    switch (place->state) {
    case TCPS_FIN_WAIT_1:
        we_finish(t, place, rcv_nxt);
        break;
    case TCPS_FIN_WAIT_2:
        we_finish(t, place, rcv_nxt);
        peer_says(t, cell, segment(". %u:%u(0) ack %d", rcv_nxt, rcv_nxt, TEXT_END + 1));
        break;
    case TCPS_CLOSE_WAIT:
        peer_finishes(t, cell, ACKED, TEXT_END);
        break;
    case TCPS_CLOSING:
        we_finish(t, place, rcv_nxt);
        peer_finishes(t, cell, ACKED, TEXT_END + 1);
        break;
    case TCPS_LAST_ACK:
        peer_finishes(t, cell, ACKED, TEXT_END);
        we_finish(t, place, rcv_nxt + 1);
        break;
    case TCPS_TIME_WAIT:
        we_finish(t, place, rcv_nxt);
        peer_finishes(t, cell, TEXT_END + 1, TEXT_END + 1);
        time_passes_ms(t, WAITED_MS);
        break;
    case TCPS_CLOSED:
    case TCPS_LISTEN:
    case TCPS_SYN_SENT:
    case TCPS_SYN_RECEIVED:
    case TCPS_ESTABLISHED:
    case TCPS_COUNT:
        break;
    }
}

static struct talk *talk_in_place(const struct cell *cell)
{
    struct stack_config config = talk_config();
    const struct place *place = cell->place;

    config.tcp.receive_buffer_bytes = OUR_BUFFER;
    config.tcp.receive_buffer_max_bytes = OUR_BUFFER;
    config.tcp.window_scaling = false;
    config.tcp.nagle = false;
    struct talk *t = talk_new(&config);
    t->title = place->name;
    if (place->state == TCPS_LISTEN)
        talk_listen(t);
    if (place->state == TCPS_SYN_SENT)
        talk_connect(t);
    if (place->state >= TCPS_SYN_RECEIVED)
        handshake(t, cell);
    if (place->state >= TCPS_ESTABLISHED) {
        exchange_text(t, cell);
        close_up_to(t, cell);
    }
    state_is(t, place->state);
    if (place->state >= TCPS_SYN_RECEIVED)
        ck_assert_int_eq(t->heard_win, place->rcv_wnd);
    return t;
}

/* ---- what is seen */

static void hear(struct talk *t, struct seen *seen)
{
    struct talk_heard heard;

    while (talk_hear(t, &heard))
        if (seen->at_once++ == 0)
            seen->heard = heard;
    time_passes_ms(t, DELAY_MS);
    while (talk_hear(t, &heard))
        if (seen->at_once + seen->later++ == 0)
            seen->heard = heard;
}

static void ask_status(struct talk *t, uint64_t arrived_us, struct seen *seen)
{
    struct reaction *r = &seen->reaction;

    if (t->tcb == NULL && t->listener != NULL)
        t->tcb = tcp_accept(t->listener);
    seen->is_held = t->tcb != NULL;
    if (!seen->is_held)
        return;
    struct tcp_status status = talk_status(t);
    r->snd_una = (int32_t)(status.snd_una - t->iss);
    r->readable = (uint32_t)status.receive_queued_bytes;
    r->is_queued = status.out_of_order_ranges > 0;
    r->urgent = status.urgent_bytes;
    r->error = status.error;
    uint64_t two_msl_us = 2 * talk_config().tcp.msl_us;
    r->restarts_2_msl = r->state == TCPS_TIME_WAIT &&
                        status.deadline_us[TIMER_TIME_WAIT] == arrived_us + two_msl_us;
}

/* The last question, see above. It would change nothing in a connection that answers rightly. */
static void probe(struct talk *t, const struct reaction *expected, struct seen *seen)
{
    int64_t seq = expected->rcv_nxt - 1;
    const char *stamp = expected->has_stamp ? segment("<TS val %d ecr 0>", FRESH_TS) : "";

    peer_sends(t, segment(". %" PRId64 ":%" PRId64 "(1) ack %" PRId64 " win %d %s", seq, seq + 1,
                          expected->snd_una, PEER_WINDOW, stamp));
    seen->has_probed = talk_hear(t, &seen->probed);
}

static struct seen see(const struct cell *cell, const struct reaction *expected)
{
    struct talk *t = talk_in_place(cell);
    struct seen seen = {0};
    uint64_t arrived_us = t->now_us;

    if (cell_arrival(cell).is_damaged)
        peer_lies(t, LIE_CHECKSUM, cell_segment(cell));
    else
        peer_sends(t, cell_segment(cell));
    hear(t, &seen);
    seen.reaction.state = t->state;
    if (t->state == TCPS_CLOSED && t->listener != NULL && cell->place->state == TCPS_SYN_RECEIVED)
        seen.reaction.state = TCPS_LISTEN;
    ask_status(t, arrived_us, &seen);
    if (t->state == expected->state && t->state >= TCPS_SYN_RECEIVED)
        probe(t, expected, &seen);
    t->sent_count = 0;
    talk_free(t);
    return seen;
}

/* ---- the comparison */

struct comparison {
    char *text;
    size_t len;
};

static void differs(struct comparison *c, const char *what, const char *expected,
                    const char *actual)
{
    c->len += (size_t)snprintf(c->text + c->len, MESSAGE_BYTES - c->len,
                               "\n      %s: expected %s\n      %*s  actual   %s", what, expected,
                               (int)strlen(what), "", actual);
    if (c->len > MESSAGE_BYTES - 1)
        c->len = MESSAGE_BYTES - 1;
}

static void compare_number(struct comparison *c, const char *what, int64_t expected, int64_t actual)
{
    if (expected != actual)
        differs(c, what, segment("%" PRId64, expected), segment("%" PRId64, actual));
}

/* A segment of ours in the notation. */
static const char *heard_text(const struct talk_heard *heard, char text[static HEARD_BYTES])
{
    static const char letters[] = "FSRP.UEW";
    char flags[9] = "", echo[30] = "";

    for (size_t i = 0; i < 8; i++)
        if (heard->flags & 1u << i)
            strncat(flags, &letters[i], 1);
    if (heard->has_ts)
        snprintf(echo, sizeof echo, " <TS ecr %d>", heard->ts_ecr);
    snprintf(text, HEARD_BYTES, "%s %d:%d(%u) ack %d%s", flags, heard->seq,
             heard->seq + (int32_t)heard->len, heard->len, heard->ack, echo);
    return text;
}

/* The numbers that the RFC's notation stands for. */
static struct talk_heard spell_out(const struct reaction *r, const struct arrival *seg)
{
    struct talk_heard heard = {
        .flags = TCP_ACK,
        .seq = (int32_t)r->snd_nxt,
        .ack = (int32_t)r->rcv_nxt,
        .has_ts = r->has_stamp,
        .ts_ecr = r->ts_recent,
    };

    if (r->answer == ANSWER_RST)
        heard = (struct talk_heard){.flags = TCP_RST, .seq = (int32_t)seg->ack};
    if (r->answer == ANSWER_RST_ACK)
        heard = (struct talk_heard){.flags = TCP_RST | TCP_ACK,
                                    .seq = (int32_t)-TALK_ISS,
                                    .ack = (int32_t)(seg->seq + seg->seg_len)};
    if (r->answer == ANSWER_ABORT)
        heard.flags |= TCP_RST;
    if (r->answer == ANSWER_SYN_ACK) {
        heard.flags |= TCP_SYN;
        heard.seq = (int32_t)r->iss;
    }
    return heard;
}

static bool is_delay_right(enum answer answer, const struct seen *seen)
{
    if (answer == ANSWER_ACK_SOON)
        return seen->at_once + seen->later == 1;
    if (answer == ANSWER_ACK_LATER)
        return seen->at_once == 0 && seen->later == 1;
    return seen->at_once == 1 && seen->later == 0;
}

static void compare_answer(struct comparison *c, const struct cell *cell, const struct reaction *r,
                           const struct seen *seen)
{
    struct arrival seg = cell_arrival(cell);
    struct talk_heard expected = spell_out(r, &seg);
    const struct talk_heard *heard = &seen->heard;
    unsigned count = seen->at_once + seen->later;

    if (r->answer == ANSWER_NONE && count == 0)
        return;
    /* A reset may carry timestamps or not, RFC 7323 3.2. */
    bool stamp_counts = (expected.flags & TCP_RST) == 0;
    bool is_right = r->answer != ANSWER_NONE && is_delay_right(r->answer, seen) &&
                    heard->flags == expected.flags && heard->len == 0 &&
                    heard->seq == expected.seq && heard->ack == expected.ack &&
                    (!stamp_counts || heard->has_ts == expected.has_ts) &&
                    (!stamp_counts || !heard->has_ts || heard->ts_ecr == expected.ts_ecr);
    char wanted[HEARD_BYTES], actual[HEARD_BYTES];
    heard_text(heard, actual);
    if (!is_right)
        differs(c, "answer",
                r->answer == ANSWER_NONE
                    ? "none"
                    : segment("%s: %s", answer_name(r->answer), heard_text(&expected, wanted)),
                segment("%u at once, %u delayed: %s", seen->at_once, seen->later,
                        count == 0 ? "none" : actual));
    /* "The total of RCV.NXT and RCV.WND should not be reduced", 3.10.7.4 seventh. */
    bool has_window = r->state >= TCPS_SYN_RECEIVED && (expected.flags & TCP_RST) == 0;
    if (is_right && has_window && heard->ack + (int64_t)heard->win < r->rcv_edge)
        differs(c, "right edge", segment("%" PRId64, r->rcv_edge),
                segment("%" PRId64, heard->ack + (int64_t)heard->win));
}

static void compare_status(struct comparison *c, const struct reaction *r, const struct seen *seen)
{
    const struct reaction *actual = &seen->reaction;

    if (r->state != actual->state)
        differs(c, "state", tcp_state_name(r->state), tcp_state_name(actual->state));
    if (!seen->is_held)
        return;
    if (r->error != actual->error)
        differs(c, "error", tcp_err_name(r->error), tcp_err_name(actual->error));
    if (r->state < TCPS_SYN_RECEIVED) /* what a closed connection has left is not compared */
        return;
    compare_number(c, "SND.UNA", r->snd_una, actual->snd_una);
    compare_number(c, "readable octets", r->readable, actual->readable);
    compare_number(c, "text held behind a hole", r->is_queued, actual->is_queued);
    compare_number(c, "urgent octets", r->urgent, actual->urgent);
    compare_number(c, "2 MSL begin again", r->restarts_2_msl, actual->restarts_2_msl);
}

static void compare_probe(struct comparison *c, const struct reaction *r, const struct seen *seen)
{
    if (r->state < TCPS_SYN_RECEIVED || r->state != seen->reaction.state)
        return;
    if (!seen->has_probed) {
        differs(c, "then, asked by an old octet", "an answer", "none");
        return;
    }
    compare_number(c, "SND.NXT", r->snd_nxt, seen->probed.seq);
    compare_number(c, "RCV.NXT", r->rcv_nxt, seen->probed.ack);
    if (r->has_stamp)
        compare_number(c, "TS.Recent", r->ts_recent, seen->probed.ts_ecr);
}

bool cell_comes_true(const struct cell *cell, const struct reaction *expected,
                     char message[static MESSAGE_BYTES])
{
    struct seen seen = see(cell, expected);
    char clauses[CLAUSES_BYTES];
    struct comparison c = {.text = message};

    c.len = (size_t)snprintf(message, MESSAGE_BYTES,
                             "%s: %s; SEQ %s, ACK %s, timestamps %s\n      < %s\n      rule: %s",
                             cell->place->name, cell->kind->name, seq_position_name(cell->seq),
                             ack_position_name(cell->ack), stamp_name(cell->stamp),
                             cell_segment(cell), clauses_text(expected, clauses));
    size_t head = c.len;
    compare_answer(&c, cell, expected, &seen);
    compare_status(&c, expected, &seen);
    compare_probe(&c, expected, &seen);
    return c.len == head;
}
