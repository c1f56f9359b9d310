/* What an event may lead to: the part of the model that reads 9293 3.10. */
#ifndef TUNTCP_TESTS_TALK_OUTCOMES_H
#define TUNTCP_TESTS_TALK_OUTCOMES_H

#include "model.h"

enum { OUTCOMES_MAX = 64 }; /* twice what a segment can have: MODEL_FINS_MAX ends of text */

enum reply {
    REPLY_NOTHING, /* not a single segment */
    REPLY_FREE,    /* what sent.c allows, no RST */
    REPLY_ACK,     /* at least one segment with an ACK, no RST */
    REPLY_RESET,   /* this one segment */
};

struct outcome {
    const char *clause;
    unsigned states; /* 1 << state */
    unsigned errors; /* 1 << -error; 0: as before */
    uint32_t una, rcv_nxt_min, rcv_nxt_max;
    uint32_t wnd, wl1, wl2, least_edge, most_edge;
    enum reply reply;
    uint32_t reset_seq, reset_ack;
    bool reset_has_ack;
    bool is_our_reset; /* not in answer to what cannot be: at SND.NXT, an ACK does no harm */
    /* What a segment has brought. */
    bool takes_syn, takes_text, text_is_unsure, takes_urgent, takes_fin;
    bool counts, is_acceptable, is_surely_taken; /* its ACK field; its timestamp */
    bool wl_is_unsure;
};

struct outcomes {
    struct outcome list[OUTCOMES_MAX];
    unsigned count;
};

void outcome_add(struct outcomes *all, const struct outcome *one);
/* What `seen->event` may lead to; of *seen only the event itself is looked at. */
void outcomes_of(const struct model *m, const struct model_seen *seen, struct outcomes *all);
/* The scale of our window and of the peer's, RFC 7323 2.2: 0 unless both have offered it. */
unsigned model_our_shift(const struct model *m);
unsigned model_peers_shift(const struct model *m);
bool model_has_timestamps(const struct model *m);
/* SEQ=SND.NXT, of what has no text. Departure: where the peer's window ends left of SND.NXT,
 * because it has shrunk or because a probe was not taken, the stack says its edge instead. The peer
 * would drop the acknowledgment otherwise, and answer it, and so would we. */
bool model_is_next(uint32_t seq, uint32_t snd_nxt, uint32_t least_edge, uint32_t most_edge);
/* Up to where the stream is complete, with `text` added. */
uint32_t model_frontier(const struct model_ranges *ranges, uint32_t from, uint32_t start,
                        uint32_t end);
void model_ranges_add(struct model_ranges *ranges, uint32_t start, uint32_t end);
bool model_ranges_hold(const struct model_ranges *ranges, uint32_t start, uint32_t end);

/* The part of a segment's text in the window, relative to IRS; empty: start == end. */
struct model_text {
    uint32_t start, sure_end, end;
    uint32_t fin_at; /* 0: none in the window */
    bool fin_is_sure;
};
struct model_text model_text_of(const struct model *m, const struct tcp_segment *seg);

/* truth.c: the state after the moves that were seen, and the outcome that has come true. */
enum tcp_state truth_state(struct model *m, const struct model_seen *seen);
struct outcome truth_outcome(struct model *m, const struct model_seen *seen, enum tcp_state state);
/* STATUS tells of a connection that goes on. */
bool model_is_visible(const struct model_seen *seen, enum tcp_state state);
/* memory.c: go on from there; and begin anew, with the settings and perhaps a past. */
void memory_commit(struct model *m, const struct model_seen *seen, const struct outcome *o,
                   enum tcp_state state);
void memory_forget(struct model *m);
/* Something is to be acknowledged, or to be sent. */
bool model_waits(const struct model *m);
/* sent.c: judges each segment of `seen`, and remembers what it says. `outcome` is the one that was
 * found true. */
void sent_judge(struct model *m, const struct model_seen *seen, const struct outcome *outcome);
/* The first complaint counts. */
void model_complain(struct model *m, enum model_rule rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
