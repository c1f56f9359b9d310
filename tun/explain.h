/* One event of the stack as a sentence for people: "ESTABLISHED -> FIN-WAIT-1: CLOSE call (9293
 * 3.10.4)", "RTO fired (1.00 s, backoff x2): first unacked byte 1 | cwnd=1448 ssthresh=7240
 * rto=2.00s". Used for packet comments and for the lines between the rows. */
#ifndef TUNTCP_EXPLAIN_H
#define TUNTCP_EXPLAIN_H

#include "../stack/trace.h"

enum { EXPLAIN_BYTES = 512 }; /* room for any sentence; longer causes are cut */

/* How much an event matters: 0 packets (rows of their own), 1 state changes, drops,
 * retransmissions, windows closing, path MTU, errors; 2 all the rest (timers, RTT samples, cwnd).
 */
int explain_level(const struct trace_event *event);
/* Does it go into a capture as a comment? All of level 1 does, and whatever moves the congestion
 * window: who looks at a capture has the time for each step of it. */
bool explain_belongs_in_capture(const struct trace_event *event);
/* Writes the sentence into `text`; returns it. Empty for TRACE_PACKET_IN. For TRACE_PACKET_OUT the
 * cause why it is sent, empty if it has none. */
const char *explain_event(const struct trace_event *event, char *text, size_t room);
/* "cwnd=1448 ssthresh=7240 rto=2.00s": how the connection stands (without cwnd during the
 * handshake); empty for NULL. Returns `text`.
 */
const char *explain_status(const struct tcb *tcb, char *text, size_t room);

#endif
