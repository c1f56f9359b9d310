/* What ip/ and stack.c call of the TCP room. Applications include tcp.h. */
#ifndef TUNTCP_TCP_LAYER_H
#define TUNTCP_TCP_LAYER_H

#include "../ip/ip.h"
#include "flow.h"
#include "isn.h"
#include "queue.h"
#include "syn_flood.h"
#include "tcp.h"

struct tcp_layer {
    struct table table;                          /* connections and their records, by four-tuple */
    struct pool tcbs, time_waits, syn_receiveds; /* the three things that a connection can be */
    struct pool works;                           /* of those of them that are awake */
    struct pool shared_configs;
    struct queue listeners;
    struct queue closed;   /* CLOSED, but still held by the application */
    struct wheel wheel;    /* when a connection wants tcp_on_time() */
    struct queue output;   /* connections that may have something to send */
    struct queue ready;    /* connections whose readiness changed */
    struct queue answered; /* those in SYN-RECEIVED that have not become records yet */
    unsigned answered_count;
    struct isn isn;
    struct syn_flood syn_flood;
    unsigned connection_count;
    uint64_t challenge_window_start_us;
    unsigned challenge_left; /* challenge ACKs that may still be sent in that second */
};

/* Inside tcp/: a child of `listener` for the connection `id`, in the table and counted; NULL when
 * memory or connections_max is exhausted. */
struct tcb *layer_new_child(struct tcb *listener, const struct flow_id *id);
/* ISS, the offset of its timestamps, and the scale of its windows. */
void layer_choose_numbers(struct tcb *tcb);
/* A TCB that becomes known: counted, and in the table unless it listens. */
void layer_adopt(struct tcb *tcb);
/* After each event on a connection: reap it when it is CLOSED, or shrink it to a record when it
 * waits in SYN-RECEIVED (and others do that came after it) or TIME-WAIT with nothing to send. The
 * one place where a TCB is freed; `tcb` may be gone when it returns. */
void layer_settle(struct tcb *tcb);
/* The listener's queues know it no more: it is accepted, or has ended. */
void layer_leave_listener(struct tcb *tcb);
/* End every connection that `listener` has not handed out yet. */
void layer_abort_children(struct tcb *listener);
/* The connection `id`, thawed if need be; NULL: there is none, or memory is short. To be settled.
 */
struct tcb *layer_find(struct stack *stack, const struct flow_id *id);
struct tcb *layer_find_listener(struct stack *stack, const struct ip_addr *local, uint16_t port);

int tcp_layer_init(struct tcp_layer *tcp, struct stack *stack);
void tcp_layer_free(struct tcp_layer *tcp);
/* A segment for us; its checksum has still to be verified unless checksum_ok. */
enum drop tcp_input(struct stack *stack, const struct ipv4_packet *ip,
                    const struct packet_in *packet);
void tcp_on_icmp_error(struct stack *stack, const struct icmp_error *error);
void tcp_layer_on_time(struct stack *stack);
uint64_t tcp_layer_next_deadline_us(const struct stack *stack);
/* The next segment of some connection that has one to send; they take turns. Fills in the cause,
 * clause, flow and tcb of the event that stack_output() emits for it. */
bool tcp_layer_output(struct stack *stack, struct packet_out *out, struct trace_event *event);

#endif
