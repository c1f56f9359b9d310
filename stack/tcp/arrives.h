/* SEGMENT ARRIVES, RFC 9293 3.10.7. */
#ifndef TUNTCP_TCP_ARRIVES_H
#define TUNTCP_TCP_ARRIVES_H

#include "tcb.h"

/* A segment for a connection in any state but CLOSED and LISTEN. Returns DROP_NOT, or why it was
 * not acceptable (answered already, if an answer is due; the caller counts it). */
enum drop tcp_arrives(struct tcb *tcb, const struct tcp_segment *seg);

/* A segment for a listener; `id` as seen from us. A SYN makes a child in SYN-RECEIVED. */
enum drop tcp_arrives_listen(struct tcb *listener, const struct flow_id *id,
                             const struct tcp_segment *seg);

/* May this SYN begin a new connection over one in TIME-WAIT (MAY-2, RFC 6191)? */
bool tcp_time_wait_may_be_reused(const struct tcb *tcb, const struct tcp_segment *seg);

#endif
