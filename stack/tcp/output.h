/* What a connection sends: asked one segment at a time, as late as possible, so that ACKs coalesce
 * by themselves (MUST-58, MUST-59) and window, Nagle and the delayed-ACK clock are asked once. */
#ifndef TUNTCP_TCP_OUTPUT_H
#define TUNTCP_TCP_OUTPUT_H

#include "tcb.h"

/* The next segment of this connection, with the reason in *event; false when it has none now. */
bool tcp_output(struct tcb *tcb, struct packet_out *out, struct trace_event *event);

/* A SYN,ACK by which the stack remembers nothing: `tcb` is thrown away afterwards. */
void tcp_send_syn_cookie(struct tcb *tcb, uint32_t tsval, const char *cause);
/* The state of `tcb` as it is behind its SYN,ACK, which has been sent some time before, without it.
 * False when memory is short. */
bool tcp_syn_ack_was_sent(struct tcb *tcb);

/* A reset or SYN,ACK, with TTL and Differentiated Services of `config` (MUST-48, MUST-49), queued
 * at once. `id` is the connection as we see it; `route` NULL: that of `config`, if it has one; of
 * `seg` numbers, flags and options. */
void tcp_send_stray(struct stack *stack, const struct tcp_config *config, const struct flow_id *id,
                    const struct source_route *route, struct tcp_segment seg, const char *cause);
/* <SEQ=SND.NXT><CTL=RST,ACK> for a connection that we give up. */
void tcp_send_reset(struct tcb *tcb, const char *cause);
/* The answer to a segment that no connection wants, 9293 3.10.7.1. */
void tcp_refuse(struct stack *stack, const struct flow_id *id, const struct tcp_segment *seg,
                const char *cause);

/* How long the persist timer waits: one RTO, doubled for each probe that was not answered with a
 * larger window (SHLD-29, SHLD-30). */
uint64_t tcp_persist_us(const struct tcb *tcb);

#endif
