/* How large the segments of a connection may be: path MTU discovery with ICMP (RFC 1191, with the
 * doubts of RFC 5927), see path_mtu.c, and without (RFC 4821), see path_mtu_search.c. */
#ifndef TUNTCP_TCP_PATH_MTU_H
#define TUNTCP_TCP_PATH_MTU_H

#include "../ip/ip.h"

struct tcb;
struct tx_record;

/* Sizes are those of whole packets, IP header included. */
struct path_mtu {
    uint16_t mtu;         /* no larger ones are sent; eff_pmtu and search_low of RFC 4821 */
    uint16_t search_high; /* no larger ones are tried; `mtu`: no search goes on */
    uint16_t next_probe;  /* the size to try next, in a search */
    uint16_t suspect;     /* the least size that vanished before the search; 0: none */
    uint16_t acked;       /* the largest that was acknowledged: maxsizeacked of RFC 5927 */
    uint16_t sent;        /* the largest that was sent since `mtu` was lowered: maxsizesent */
    bool is_guess;        /* `mtu` was lowered without ICMP, and nothing of its size acknowledged */
    bool has_reason;      /* since the last acknowledgment a router has given another reason */
    uint8_t checks_left;  /* of the suspected size */
    bool others_passed; /* large ones behind the one that vanishes were selectively acknowledged */
    unsigned vanished_count; /* how often the timer found the same large segment unanswered */
    uint64_t not_before_us;  /* for the next probe, or the next search */

    struct {
        bool is_out;
        uint32_t start, end; /* sequence numbers */
        uint16_t size;
    } probe;
    struct { /* one segment in flight whose acknowledgment will show that its size passes */
        bool is_out;
        uint32_t end;
        uint16_t size;
    } sample;
    struct { /* what a router has said and RFC 5927 7.2 does not let us believe yet */
        bool is_pending;
        uint32_t seq; /* that it has quoted */
        uint16_t mtu;
    } claim;
};

/* A new record: with what ip/ knows of the path. */
void path_mtu_start(struct tcb *tcb);
/* The peer's MSS is known. */
void path_mtu_on_established(struct tcb *tcb);
/* A router says that our segment `seq`, which is in flight, was too large. */
void path_mtu_on_too_big(struct tcb *tcb, const struct icmp_error *error, uint32_t seq);
/* SND.UNA has advanced. */
void path_mtu_on_ack(struct tcb *tcb);
/* The retransmission timer has fired; before loss recovery hears of it. */
void path_mtu_on_timeout(struct tcb *tcb);
/* It is part of a probe that is under way. */
bool path_mtu_is_of_probe(const struct tcb *tcb, const struct tx_record *record);
/* Segments were just found to be lost. True if it is a probe alone: then it is seen to here, and is
 * no sign of congestion. */
bool path_mtu_takes_loss(struct tcb *tcb);
/* The payload of a probe that should leave now in the place of an ordinary segment; 0: none.
 * `waiting` bytes may go as far as the peer's window is concerned; the network's is asked, but not
 * the pace: it counts for the probe alone, the window for what follows it as well. */
uint32_t path_mtu_probe_bytes(struct tcb *tcb, uint32_t waiting);
/* These bytes leave, in segments of SND.MSS or as one probe; for the first time or again. */
void path_mtu_on_sent(struct tcb *tcb, uint32_t seq, uint32_t len, bool is_probe);

#endif
