/* Congestion control: the target window. It is told what happened by separate events, because a
 * loss seen by duplicate ACKs, a time-out and a correction want different answers; which bytes are
 * lost is detect.h's business, and how much of the window may be sent during recovery is
 * recovery.h's.
 *
 * Not done: a second algorithm beside Reno (MAY-18). */
#ifndef TUNTCP_TCP_CONGESTION_H
#define TUNTCP_TCP_CONGESTION_H

#include <stdint.h>

#include "../config.h"

struct congestion_ops;

struct congestion {
    const struct congestion_ops *ops;
    uint32_t cwnd;         /* bytes */
    uint32_t ssthresh;     /* bytes; UINT32_MAX: not known yet */
    uint32_t mss;          /* SMSS, bytes of payload */
    uint32_t initial_cwnd; /* also the restart window, RFC 5681 4.1 */
    uint32_t acked_bytes;  /* counted towards the next increase in congestion avoidance */
    uint32_t prior_cwnd, prior_ssthresh; /* before the last reduction, for on_undo */
};

struct congestion_ops {
    const char *name;
    /* `bytes` were newly acknowledged, and the window had been in use (not limited by the sender).
     */
    void (*on_ack)(struct congestion *cc, uint32_t bytes);
    /* Loss found by acknowledgments, or a router's mark (ECN), once per round trip; `flight` bytes
     * were outstanding. */
    void (*on_congestion)(struct congestion *cc, uint32_t flight);
    /* The retransmission timer expired for the first time for this segment. */
    void (*on_timeout)(struct congestion *cc, uint32_t flight);
    /* The last reduction was a mistake. */
    void (*on_undo)(struct congestion *cc);
};

/* Start with an initial window of `segments` segments, RFC 6928, or of one when the SYN was lost.
 */
void congestion_init(struct congestion *cc, const struct congestion_ops *ops, uint32_t mss,
                     uint32_t segments);

extern const struct congestion_ops congestion_reno;
/* The algorithm of a configuration. */
const struct congestion_ops *congestion_ops_of(enum tcp_congestion congestion);

#endif
