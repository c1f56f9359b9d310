/* TLP, the tail loss probe: RFC 8985, section 7. */
#ifndef TUNTCP_TCP_TLP_H
#define TUNTCP_TCP_TLP_H

#include <stdbool.h>
#include <stdint.h>

struct tcb;
struct ack_news;

struct tlp {
    bool is_due;           /* a probe is to leave, whatever the window of congestion control */
    bool is_out;           /* a probe waits for its answer; RFC 8985: TLP.end_seq is set */
    bool is_retrans;       /* it repeats what was sent before */
    bool has_probed;       /* no round trip has been measured since the last probe */
    bool was_lone;         /* it was sent for as little as one segment */
    uint32_t ack_delay_us; /* how long the peer holds such an ACK back, as far as it has shown */
    uint32_t end_seq;
};

/* Data was sent that is no probe, or acknowledged: let TIMER_PROBE expire when an answer is
 * overdue.
 */
void tlp_schedule(struct tcb *tcb);
/* TIMER_PROBE expired. */
void tlp_on_timer(struct tcb *tcb);
/* The probe has left. */
void tlp_on_sent(struct tcb *tcb, bool is_retrans);
/* True: the probe has repaired a loss by itself, which congestion control does not know yet. */
bool tlp_on_ack(struct tcb *tcb, const struct ack_news *news);
/* The duplicate that an acknowledgment reports is that of the probe. */
bool tlp_explains(const struct tcb *tcb, const struct ack_news *news);
/* A recovery begins: RFC 8985 7.1. */
void tlp_reset(struct tcb *tcb);

#endif
