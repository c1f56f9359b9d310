/* Explicit Congestion Notification, RFC 3168 (SHLD-8), see ecn.c. */
#ifndef TUNTCP_TCP_ECN_H
#define TUNTCP_TCP_ECN_H

#include <stdbool.h>
#include <stdint.h>

#include "../wire/tcp_segment.h"

struct tcb;

/* The codepoints of the IP header's last two TOS bits, RFC 3168 5. */
enum { ECN_NOT_ECT = 0, ECN_ECT_1 = 1, ECN_ECT_0 = 2, ECN_CE = 3, ECN_MASK = 3 };

struct ecn {
    bool has_declined; /* a SYN or SYN,ACK of either side was none: we set no ECT (6.1.1) */
    bool is_on;        /* the peer's SYN was an ECN-setup one: marks are taken and echoed */
    bool echo;         /* receiver: our ACKs carry ECE until a CWR comes */
    bool cwr_now;      /* sender: the window was reduced, the next new data says so */
    bool is_reduced;   /* ... and not again until SND.UNA reaches `recover` */
    bool holds;        /* a window of one segment was too much: new data waits for the timer */
    uint32_t recover;  /* SND.NXT when the window was reduced */
};

/* What our SYN or SYN,ACK carries; `is_repeated`: it was sent before. */
uint8_t ecn_syn_flags(struct tcb *tcb, bool is_repeated);
/* The peer's SYN or SYN,ACK, each time that one is taken. */
void ecn_take_syn(struct tcb *tcb, const struct tcp_segment *seg);

/* Receiver: text that lies in the window. */
void ecn_on_text(struct tcb *tcb, const struct tcp_segment *seg);
/* What any segment but a SYN carries: ECE while there is something to echo, and on new data CWR,
 * which is then said. */
uint8_t ecn_flags(struct tcb *tcb, bool is_new_data);
/* The codepoint of a packet: new data alone may be marked (6.1.4, 6.1.5, 6.1.6). */
uint8_t ecn_codepoint(const struct tcb *tcb, bool is_new_data);

/* Sender: an acceptable ACK. True when it echoes congestion, so that the window must not grow. */
bool ecn_on_ack(struct tcb *tcb, const struct tcp_segment *seg, uint32_t flight_before);
/* The window has been reduced, for whatever reason. */
void ecn_window_was_reduced(struct tcb *tcb);

#endif
