/* RFC 9293 as a judge: given what happened to one connection and what was seen of it afterwards,
 * says whether the RFC allows that.
 *
 * The model is written from the text of the RFC, not from stack/tcp/, and it is no second
 * implementation: where the text leaves a choice it takes what it sees, if that is one of the
 * outcomes that are allowed. It keeps the variables of 9293 3.3.1, which bytes of the peer's stream
 * have arrived, and what the segments sent so far have promised.
 *
 *     struct model_seen          one event (a segment, a call, time), and then: the states passed,
 *                                the segments sent, and STATUS, where the user has a handle
 *     outcomes.c, arrival.c      which results this event may have, 9293 3.10
 *     truth.c                    which of them has come true
 *     memory.c                   what the model keeps of it
 *     sent.c                     what each segment that is sent must be, whatever its cause
 *     model.c                    asks all these, and judges calls and time
 *
 * What is judged is RFC 9293 with RFC 5961 and RFC 7323, but nothing that congestion control or
 * loss recovery decides: when something is sent, and which of the lost segments, is free, within
 * the peer's window. Where stack/ says `Departure:` the model says so as well.
 *
 * It lives among the talks because it is what they are, one connection against a peer; only that
 * nobody has written the conversation down. */
#ifndef TUNTCP_TESTS_TALK_MODEL_H
#define TUNTCP_TESTS_TALK_MODEL_H

#include "../../../stack/tcp/tcp.h"

enum {
    MODEL_WHY_BYTES = 300,
    MODEL_RANGES_MAX = 512,
    MODEL_FINS_MAX = 8,
    MODEL_MOVES_MAX = 8,
};

/* What can be broken. model_rule_text() has the section and the sentence of each. */
enum model_rule {
    RULE_NONE,
    /* the outcome of an event */
    RULE_MOVE,
    RULE_STATE,
    RULE_SND_UNA,
    RULE_RCV_NXT,
    RULE_SND_WND,
    RULE_RCV_UP,
    RULE_ACK_LACKS,
    RULE_REPLY,
    RULE_RESET_LACKS,
    RULE_RESET_NUMBERS,
    RULE_RESET,
    RULE_ERROR,
    /* each segment */
    RULE_QUIET,
    RULE_SYN,
    RULE_ACK_BIT,
    RULE_ACK,
    RULE_SEQ,
    RULE_SKIP,
    RULE_ACKED_AGAIN,
    RULE_UNWRITTEN,
    RULE_TEXT,
    RULE_WINDOW,
    RULE_FIN,
    RULE_SIZE,
    RULE_EDGE,
    RULE_SYN_OPTIONS,
    RULE_TIMESTAMP_LACKS,
    RULE_TIMESTAMP,
    RULE_TSVAL,
    RULE_TSECR,
    RULE_SACK,
    RULE_URGENT,
    RULE_REOPEN,
    /* the variables */
    RULE_SND_NXT,
    /* time */
    RULE_DELAYED_ACK,
    RULE_TIME_WAIT_SHORT,
    RULE_TIME_WAIT_LONG,
    RULE_SILENCE,
    RULE_GIVES_UP,
    /* the user */
    RULE_RECEIVED,
    RULE_CALL,
    RULE_COUNT,
};

enum model_event {
    MODEL_SEGMENT,
    MODEL_TIME,
    MODEL_OPEN, /* active */
    MODEL_SEND,
    MODEL_RECEIVE,
    MODEL_SHUTDOWN,
    MODEL_CLOSE,
    MODEL_ABORT,
};

struct model_move {
    enum tcp_state from, to;
};

struct model_sent {
    struct tcp_segment seg;
    size_t header_bytes;
};

struct model_seen {
    enum model_event event;
    uint64_t time_us;
    const struct tcp_segment *arrived;
    bool is_damaged; /* its checksum is wrong */
    bool is_urgent;  /* of MODEL_SEND */
    size_t len;      /* of MODEL_SEND and MODEL_RECEIVE */
    ptrdiff_t result;
    const uint8_t *data; /* `result` bytes received */

    struct model_move move[MODEL_MOVES_MAX];
    unsigned move_count;
    struct model_sent *sent;
    unsigned sent_count;
    bool has_status; /* the user holds the connection */
    struct tcp_status status;
};

/* Sorted, disjoint, relative to the peer's initial sequence number. */
struct model_ranges {
    struct {
        uint32_t start, end;
    } range[MODEL_RANGES_MAX];
    unsigned count;
};

struct model {
    /* The end under test: what the test has set. */
    bool listens;
    bool throttles; /* challenge ACKs are limited to a few: each may be left out, RFC 5961 7 */
    uint64_t msl_us, rto_max_us, fin_wait_2_us, syn_ack_r2_us;

    enum tcp_state state; /* CLOSED stands for LISTEN too, if `listens` */
    bool from_listener;
    unsigned errors; /* that STATUS may show, 1 << -error */

    /* 9293 3.3.1, and what the user has asked for. */
    bool has_iss;
    uint32_t iss, snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2, max_snd_wnd;
    bool wl_is_unsure;              /* nothing has shown whether the last segment counted */
    uint32_t least_edge, most_edge; /* SND.UNA+SND.WND is one of what lies between */
    uint32_t written;               /* bytes that SEND has accepted */
    bool has_shut_down, has_closed, fin_is_sent;
    uint32_t urgent_end; /* bytes written up to the end of urgent data; 0: none */

    uint32_t irs, rcv_nxt;
    bool has_edge, fin_is_taken;
    uint32_t edge;                       /* the rightmost that our segments have announced */
    uint32_t far_edge;                   /* what is beyond it cannot be accepted */
    uint32_t read;                       /* bytes delivered */
    uint32_t least_up, most_up;          /* RCV.UP is one of what lies between, relative; 0: none */
    struct model_ranges surely, perhaps; /* text that has arrived within the window */
    struct {
        uint32_t at; /* relative */
        bool is_sure;
    } fin[MODEL_FINS_MAX];
    unsigned fin_count;

    /* Options: ours as our last SYN has them, the peer's as its SYN has them. */
    struct tcp_options ours, peers;
    uint16_t syn_wnd;
    uint32_t ts_recent, ts_recent_max; /* one of what lies between */
    uint32_t tsval;                    /* our last */
    bool has_tsval;
    uint32_t last_ack_sent;

    /* Before this incarnation, in TIME-WAIT: MAY-2. */
    bool has_past;
    uint32_t past_snd_nxt;

    uint64_t now_us, ack_owed_us, sent_us, progress_us, time_wait_us, time_wait_last_us, closed_us;

    uint64_t judged_count; /* segments, in and out */
    enum model_rule broken;
    char why[MODEL_WHY_BYTES];
};

/* A connection that does not exist yet. */
void model_init(struct model *m, const struct tcp_config *config, uint64_t now_us);
/* RULE_NONE, or the rule that what was seen breaks; m->why then has a sentence with numbers. */
enum model_rule model_judge(struct model *m, const struct model_seen *seen);
/* May this segment's text be delivered to the user? */
bool model_takes_text(const struct model *m, const struct tcp_segment *seg);
const char *model_rule_text(enum model_rule rule);

/* Byte `position` of our stream, and of the peer's. */
uint8_t model_byte_ours(uint32_t position);
uint8_t model_byte_peers(uint32_t position);

#endif
