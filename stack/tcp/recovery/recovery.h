/* Loss recovery: what is lost (detect), how much may be sent (here), and what congestion control is
 * told. RFC 5681, RFC 6582 (NewReno), RFC 6675 (SACK), RFC 3042 (limited transmit). */
#ifndef TUNTCP_TCP_RECOVERY_H
#define TUNTCP_TCP_RECOVERY_H

#include "../tcb.h"

/* What one acknowledgment said. */
struct ack_news {
    uint32_t flight_before;  /* bytes outstanding before it */
    uint32_t acked_bytes;    /* SND.UNA moved by so much */
    uint32_t sacked_bytes;   /* newly selectively acknowledged */
    uint32_t sacked_before;  /* selectively acknowledged before it */
    bool is_duplicate;       /* RFC 5681 section 2 */
    bool is_congestion_echo; /* it carries ECE: the window must not grow, RFC 3168 6.1.2 */
    bool has_rtt_sample;
    uint64_t rtt_us; /* then: how long it was */
    bool has_echo;   /* and a timestamp of ours, echoed */
    uint32_t echo;
    bool has_sack;      /* it carried SACK blocks */
    bool has_duplicate; /* the first of them reports that `duplicate` arrived twice */
    struct tcp_sack_block duplicate;
    struct tx_delivered delivered;
};

/* The handshake is done: initial window, RTO after a lost SYN. */
void recovery_start(struct tcb *tcb);
void recovery_on_ack(struct tcb *tcb, const struct ack_news *news);
/* Nothing is in flight or under repair: the last acknowledgment has left everything as another one
 * would that says nothing new. */
bool recovery_is_at_rest(const struct tcb *tcb);
/* The peer echoes a router's mark, RFC 3168 6.1.2. False when the window has been reduced for this
 * window of data already. */
bool recovery_on_echo(struct tcb *tcb, uint32_t flight);
/* The retransmission timer expired; the back-off has not been counted yet. */
void recovery_on_timeout(struct tcb *tcb);
/* TIMER_REORDER expired: time has shown that something is lost. */
void recovery_on_reorder_timer(struct tcb *tcb);
/* `bytes` have left, new or sent again. */
void recovery_on_sent(struct tcb *tcb, uint32_t bytes);
/* How many bytes may leave now, as far as the network is concerned. */
uint32_t recovery_allowance(const struct tcb *tcb);
/* Bytes outstanding: sent and neither acknowledged, sacked nor lost (RFC 6675 calls it pipe). */
uint32_t recovery_pipe(const struct tcb *tcb);

#endif
