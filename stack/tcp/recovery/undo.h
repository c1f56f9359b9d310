/* Taking a reduction of the window back that was a mistake: RFC 3522, RFC 3708, RFC 4015. */
#ifndef TUNTCP_TCP_UNDO_H
#define TUNTCP_TCP_UNDO_H

#include <stdbool.h>
#include <stdint.h>

struct tcb;
struct ack_news;
struct tx_record;

/* The last reduction, as long as it may be taken back. */
struct undo {
    bool is_armed;
    bool is_by_timeout;
    bool has_resent;        /* something was sent again: the first of it ... */
    uint32_t first_end;     /* ... ends here ... */
    uint32_t retransmit_ts; /* ... and had this TSval, RFC 3522: RetransmitTS ... */
    uint64_t retransmit_us; /* ... at this time */
    bool waits_for_echo;    /* the acknowledgment that covers it has not come yet */
    bool was_needed; /* something that was sent again has been acknowledged a round trip later */
    uint32_t resent_bytes; /* sent again, and not reported as duplicates; all of it lies in ... */
    uint32_t resent_left, resent_right; /* ... [left, right) */
    uint32_t pipe_prev;                 /* RFC 4015 (0) */
    uint32_t ssthresh_prev;             /* before the first of several that follow close */
    bool is_one_of_several; /* they follow close: what all have sent again counts together */
    bool is_by_echo;        /* the sign speaks of the last one alone */
    bool has_until;         /* the recovery is over: the offer ends when `until` is acknowledged */
    uint32_t until;
};

/* Congestion control is about to reduce the window. */
void undo_arm(struct tcb *tcb, bool is_by_timeout, uint32_t flight);
void undo_disarm(struct tcb *tcb);
/* The recovery has ended in order. */
void undo_on_recovered(struct tcb *tcb);
void undo_on_resent(struct tcb *tcb, const struct tx_record *record);
/* Does the acknowledgment show that nothing had been lost? Then why, else NULL; `clause` too. */
const char *undo_on_ack(struct tcb *tcb, const struct ack_news *news, const char **clause);
/* The window as before, RFC 4015: the recovery is over, nothing is lost. */
void undo_reduction(struct tcb *tcb, uint32_t acked_bytes);

#endif
