/* Congestion control: the target window. It is told what happened by separate events, because a
 * loss seen by duplicate ACKs, a time-out and a correction want different answers; which bytes are
 * lost is detect.h's business, how much of the window may be sent during recovery is recovery.h's,
 * and window.h brings the events here.
 *
 * An algorithm is a table of functions (congestion_ops). Reno and CUBIC share the slow start of
 * hystart.c and differ in what they do after it. BBR (bbr.c) models the path instead: it asks for
 * samples of the delivery rate (rate.h), and says at which rate to send besides. They work on
 * struct congestion alone, and a test can call them without a connection. BBR's state is large and
 * is allocated when it is chosen; the others need none. Each answers with a note that says what it
 * decided, and by which numbers, for the trace.
 */
#ifndef TUNTCP_TCP_CONGESTION_H
#define TUNTCP_TCP_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

#include "../../trace.h"
#include "../config.h"

enum {
    CONGESTION_WINDOW_MAX = 1 << 30, /* bytes: what window scaling can announce */
};

/* "Arbitrarily high" (RFC 5681 3.1): nothing is known about the path yet. */
#define SSTHRESH_UNKNOWN UINT32_MAX

struct congestion_ops;
struct rate;
struct rate_mark;

/* HyStart++, RFC 9406 4.2: the round trips of the rounds, in microseconds; 0: not known. */
struct hystart {
    uint32_t last_round_min_us, current_round_min_us;
    uint32_t css_baseline_min_us; /* above 0: in conservative slow start, CSS */
    uint8_t rtt_sample_count;
    uint8_t css_round_count;
};

/* CUBIC, RFC 9438 4.1: one stage of congestion avoidance. */
struct cubic_epoch {
    bool has_begun;
    uint32_t w_max;      /* bytes; 0: not known, the window at the beginning of the stage */
    uint32_t cwnd_prior; /* bytes, before the last reduction */
    uint32_t k_ms;       /* how long it takes to come back to w_max */
    uint32_t t_us;       /* how long the window has been in use: RFC 9438's t */
    uint32_t acked_us;   /* time of the last acknowledgment, its lower 32 bits */
    uint64_t w_est_fine; /* Reno's window in its place, in 1024ths of a byte */
};

/* RFC 7661, see validation.h. */
struct validation {
    uint64_t half_began_us;        /* of the sampling period */
    uint64_t unvalidated_since_us; /* 0: the window is validated */
    uint32_t pipe_ack[2];          /* the largest round of this half, and of the one before */
    uint32_t round_bytes;          /* acknowledged in this round so far */
    bool has_round;                /* it began when the last one ended */
    bool is_measured;              /* pipeACK is defined, if only by nothing */
    uint32_t loss_bytes;    /* max(pipeACK, LossFlightSize) of a window that was not validated,
                               while that loss is repaired; 0: it was */
    uint64_t resent_before; /* what had been sent again before the loss */
};

struct congestion {
    const struct congestion_ops *ops;
    uint32_t cwnd;                       /* bytes */
    uint32_t ssthresh;                   /* bytes */
    uint32_t mss;                        /* SMSS, bytes of payload */
    uint32_t initial_cwnd;               /* also the restart window, RFC 5681 4.1 */
    uint32_t prior_cwnd, prior_ssthresh; /* before the last reduction, for on_undo */
    bool has_hystart, has_abe;
    struct hystart hystart;
    union {
        struct {
            uint32_t acked_bytes; /* counted towards the next increase */
        } reno;
        struct {
            struct cubic_epoch now, before; /* the last reduction, for on_undo */
        } cubic;
        struct bbr *bbr; /* allocated */
    } u;
    struct rate *rate; /* NULL: the algorithm wants no samples */

    /* Kept by window.c. Sequence numbers: */
    uint32_t round_end; /* a round trip is over when this is acknowledged */
    uint32_t full_at;   /* SND.NXT when the window was last full: what lies before it was sent by a
                           sender that used its window */
    uint32_t burst_bytes;    /* sent since the last acknowledgment */
    uint32_t flight_most[2]; /* the most in flight at once, in this round and the one before */
    struct validation validation;
    uint64_t paced_until_ns; /* pacing.c: what has left is paid for at this time */
};

/* What one acknowledgment tells. */
struct congestion_ack {
    uint64_t now_us;
    uint32_t acked_bytes;     /* SND.UNA moved by so much */
    uint32_t delivered_bytes; /* newly acknowledged, or selectively */
    uint32_t rtt_us;          /* the round trip that it measures; 0: none */
    uint32_t srtt_us, min_rtt_us;
    uint32_t flight_before, flight_after; /* bytes sent and not acknowledged */
    bool round_begins;  /* the last byte that was in flight when the round began is acknowledged */
    uint32_t in_flight; /* less what is sacked or lost */
    bool window_was_used;    /* when the acknowledged bytes were sent, the window was the limit */
    bool window_was_full;    /* likewise, in slow start as well */
    bool is_congestion_echo; /* it carries ECE (RFC 3168 6.1.2) */
    bool in_recovery;        /* loss is being repaired by acknowledgments */
    bool after_timeout;      /* or in slow start after a time-out */
    bool is_paced;           /* what it releases leaves at the pace of the window, not as a burst */
};

enum congestion_reason { CONGESTION_LOSS, CONGESTION_ECN };

/* What is known of the path after the handshake, for an algorithm that keeps state of its own. */
struct congestion_path {
    uint64_t now_us;
    uint32_t srtt_us; /* 0: unknown */
    uint32_t seed;    /* of what it draws: the connection's own, unknown to outsiders */
    bool has_sack;
    struct memory *account; /* where the memory of that state is counted; NULL: nowhere */
};

/* A range is held to be lost. */
struct congestion_lost {
    uint64_t now_us;
    uint32_t start, end;          /* sequence numbers */
    const struct rate_mark *mark; /* how it was sent; NULL: not known any more */
};

/* What was decided; `what` is CWND_KEPT when nothing was. */
struct congestion_note {
    enum trace_cwnd what;
    uint32_t number[4];
};

struct congestion_ops {
    const char *name;
    bool wants_pacing;
    /* It models the path: wants samples (cc->rate), sets the pace, and its window holds during loss
     * recovery and after a pause as well, where PRR and RFC 5681 4.1 would lower it. */
    bool has_model;
    /* Every acknowledgment after the handshake. */
    struct congestion_note (*on_ack)(struct congestion *cc, const struct congestion_ack *ack);
    /* Loss found by acknowledgments, or a router's mark: once per round trip; `flight` bytes were
     * outstanding. */
    struct congestion_note (*on_congestion)(struct congestion *cc, enum congestion_reason reason,
                                            uint32_t flight);
    /* The retransmission timer expired for the first time for this segment. */
    struct congestion_note (*on_timeout)(struct congestion *cc, uint32_t flight);
    /* The last reduction was a mistake. */
    struct congestion_note (*on_undo)(struct congestion *cc);

    /* Only with has_model. The handshake is done: allocate; false: memory is short. */
    bool (*start)(struct congestion *cc, const struct congestion_path *path);
    void (*stop)(struct congestion *cc);
    /* Each range, before on_congestion(). */
    struct congestion_note (*on_lost)(struct congestion *cc, const struct congestion_lost *lost);
    /* Something will be sent after a pause in which the application had nothing to send. */
    void (*on_restart)(struct congestion *cc, uint64_t now_us);
    uint64_t (*pacing_rate)(const struct congestion *cc); /* bytes per second */
};

/* Start with the algorithm of the configuration and an initial window of `segments` segments, RFC
 * 6928, or of one when the SYN was lost. */
void congestion_init(struct congestion *cc, const struct tcp_config *config, uint32_t mss,
                     uint32_t segments);
/* After congestion_init(), when the handshake is done. When memory for the state of the algorithm
 * is short it is CUBIC instead. */
void congestion_start(struct congestion *cc, const struct congestion_path *path);
/* Give that state back. */
void congestion_stop(struct congestion *cc);
const struct congestion_ops *congestion_ops_of(enum tcp_congestion congestion);

extern const struct congestion_ops congestion_bbr;
extern const struct congestion_ops congestion_reno;
extern const struct congestion_ops congestion_cubic;

/* ---- for the algorithms */

/* May the window grow by this acknowledgment? RFC 5681 assumes a sender that uses its window: one
 * that does not learns nothing about the path. The acknowledgments of a recovery leave the window
 * alone (RFC 6582 3.2), and so do those that echo a mark. */
static inline bool congestion_may_grow(const struct congestion_ack *ack)
{
    return ack->acked_bytes > 0 && ack->window_was_used && !ack->in_recovery &&
           !ack->is_congestion_echo;
}

/* Nothing is known about the path: the first slow start. */
static inline bool congestion_is_first_slow_start(const struct congestion *cc)
{
    return cc->ssthresh == SSTHRESH_UNKNOWN;
}

/* An acknowledgment while cwnd < ssthresh. (hystart.c) */
struct congestion_note slow_start_on_ack(struct congestion *cc, const struct congestion_ack *ack);

/* Set ssthresh and cwnd to so many per cent of the flight, and remember what was before. Both stay
 * at two segments at least (RFC 5681 (4)); only marks may take cwnd down to one (RFC 9438 4.6, RFC
 * 3168 6.1.2). Returns the note. */
struct congestion_note congestion_reduce(struct congestion *cc, enum trace_cwnd what,
                                         uint32_t flight, uint32_t percent);

static inline uint32_t congestion_larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static inline uint32_t congestion_smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

#endif
