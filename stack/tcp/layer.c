/* The TCP room's front door: which connection a segment belongs to, whose turn it is to send, whose
 * timer is due, and the one place where connections are reaped.
 *
 * Every event ends in layer_settle(): inside an event a TCB is never freed, so the code of the
 * event may go on using it whatever happened. */
#include "layer.h"

#include <stdlib.h>

#include "arrives.h"
#include "frozen.h"
#include "output.h"
#include "seq.h"
#include "tcb.h"
#include "timeout.h"

static struct siphash_key random_key(struct stack *stack)
{
    uint64_t k0 = stack_random(stack);
    return (struct siphash_key){k0, stack_random(stack)};
}

int tcp_layer_init(struct tcp_layer *tcp, struct stack *stack)
{
    isn_init(&tcp->isn, stack);
    wheel_init(&tcp->wheel, stack->now_us);
    return table_init(&tcp->table, random_key(stack));
}

void tcp_layer_free(struct tcp_layer *tcp)
{
    struct tcb *next;

    for (unsigned i = 0; i < tcp->table.bucket_count && tcp->table.bucket != NULL; i++) {
        struct flow *flow;
        while ((flow = tcp->table.bucket[i]) != NULL) {
            tcp->table.bucket[i] = flow->next;
            if (flow->kind == FLOW_FROZEN)
                frozen_free((struct frozen *)flow);
            else
                tcb_free((struct tcb *)flow);
        }
    }
    for (struct tcb *tcb = tcp->listeners; tcb != NULL; tcb = next) {
        next = tcb->next;
        tcb_free(tcb);
    }
    for (struct tcb *tcb = tcp->closed; tcb != NULL; tcb = next) {
        next = tcb->next;
        tcb_free(tcb);
    }
    table_free(&tcp->table);
}

void layer_adopt(struct tcb *tcb)
{
    tcb->stack->tcp.connection_count++;
    if (tcb->flow.id.remote_port != 0)
        table_add(&tcb->stack->tcp.table, &tcb->flow);
}

static void append_to_accept_queue(struct tcb *listener, struct tcb *tcb)
{
    tcb->next = NULL;
    if (listener->accept_last != NULL)
        listener->accept_last->next = tcb;
    else
        listener->accept_first = tcb;
    listener->accept_last = tcb;
    tcb->is_in_accept_queue = true;
    tcb_notify(listener);
}

static void leave_accept_queue(struct tcb *listener, const struct tcb *tcb)
{
    struct tcb *previous = NULL;

    for (struct tcb *one = listener->accept_first; one != tcb; one = one->next)
        previous = one;
    if (previous != NULL)
        previous->next = tcb->next;
    else
        listener->accept_first = tcb->next;
    if (listener->accept_last == tcb)
        listener->accept_last = previous;
}

/* CLOSED: out of table, wheel and queues, so that its ports are free. Whoever holds it may still
 * read. */
static void retire(struct tcb *tcb)
{
    struct tcp_layer *layer = &tcb->stack->tcp;

    if (tcb->is_retired)
        return;
    tcb->is_retired = true;
    layer->connection_count--;
    if (tcb->flow.id.remote_port != 0)
        table_remove(&layer->table, &tcb->flow);
    wheel_clear(&layer->wheel, &tcb->flow.timer);
    queue_leave(&layer->output, &tcb->output_link);
    if (tcb->listener != NULL) {
        if (tcb->is_in_accept_queue)
            leave_accept_queue(tcb->listener, tcb);
        tcb->listener->child_count--;
        tcb->listener = NULL;
    }
    if (tcb->is_held) { /* remembered until it is given back */
        tcb->next = layer->closed;
        layer->closed = tcb;
    }
}

static void forget_closed(struct tcb *tcb)
{
    for (struct tcb **link = &tcb->stack->tcp.closed; *link != NULL; link = &(*link)->next)
        if (*link == tcb) {
            *link = tcb->next;
            return;
        }
}

void layer_settle(struct tcb *tcb)
{
    if (tcb->state == TCPS_CLOSED) {
        bool was_retired = tcb->is_retired;
        retire(tcb);
        if (tcb->is_held)
            return;
        if (was_retired)
            forget_closed(tcb);
        queue_leave(&tcb->stack->tcp.ready, &tcb->ready_link);
        tcb_free(tcb);
        return;
    }
    if (tcb->listener != NULL && tcb_is_synchronized(tcb) && !tcb->is_in_accept_queue)
        append_to_accept_queue(tcb->listener, tcb);
    if (frozen_is_possible(tcb))
        frozen_freeze(tcb);
}

/* The TCB of a table entry, thawed if need be; NULL when memory is short. */
static struct tcb *tcb_of(struct flow *flow)
{
    return flow->kind == FLOW_TCB ? (struct tcb *)flow : frozen_thaw((struct frozen *)flow);
}

struct tcb *layer_find(struct stack *stack, const struct flow_id *id)
{
    struct flow *flow = table_find(&stack->tcp.table, id);

    return flow == NULL ? NULL : tcb_of(flow);
}

static const struct tcb *listener_of(const struct flow *flow)
{
    return flow->kind == FLOW_TCB ? ((const struct tcb *)flow)->listener
                                  : ((const struct frozen *)flow)->listener;
}

/* The peer knows nothing of it but our SYN,ACK; thawing it could fail for want of memory. */
static void abort_frozen(struct frozen *frozen)
{
    struct tcp_segment seg = {
        .seq = frozen->snd_nxt, .ack = frozen->rcv_nxt, .flags = TCP_RST | TCP_ACK};

    tcp_send_stray(frozen->stack, frozen->listener->config, &frozen->flow.id, NULL, seg,
                   "the listener has closed");
    frozen_drop(frozen, "the listener has closed", "9293 3.10.4");
}

static void abort_child(struct tcb *tcb)
{
    tcp_send_reset(tcb, "the listener has closed");
    tcb_fail(tcb, TCP_ERR_ABORTED, "the listener has closed", "9293 3.10.4");
    layer_settle(tcb);
}

void layer_abort_children(struct tcb *listener)
{
    struct table *table = &listener->stack->tcp.table;

    for (unsigned i = 0; i < table->bucket_count && listener->child_count > 0; i++) {
        struct flow *next;
        for (struct flow *flow = table->bucket[i]; flow != NULL; flow = next) {
            next = flow->next;
            if (listener_of(flow) != listener)
                continue;
            if (flow->kind == FLOW_FROZEN)
                abort_frozen((struct frozen *)flow);
            else
                abort_child((struct tcb *)flow);
        }
    }
}

struct tcb *layer_find_listener(struct stack *stack, const struct ip_addr *local, uint16_t port)
{
    struct tcb *any = NULL;

    for (struct tcb *tcb = stack->tcp.listeners; tcb != NULL; tcb = tcb->next) {
        if (tcb->flow.id.local_port != port)
            continue;
        if (ip_addr_equal(&tcb->flow.id.local, local))
            return tcb;
        if (ip_addr_is_unspecified(&tcb->flow.id.local))
            any = tcb;
    }
    return any;
}

/* ---- segments in */

/* A connection that takes the place of one in TIME-WAIT numbers its bytes above all that the old
 * one has used (9293 3.6.1, MAY-2 (1)): the clock of RFC 6528 alone is slower than a fast transfer.
 * Nothing of it has been sent yet.
 *
 * Not done: MAY-2 (2), back to TIME-WAIT when the SYN turns out to be an old duplicate, that is
 * when a RST answers our SYN,ACK. The old record would have to be kept beside the new one, for a
 * case that the tests of RFC 6191 let through only when numbers or timestamps have wrapped; that
 * RFC knows no way back either. Until 2 MSL would have passed the pair of ports is then as any
 * other. */
static void number_above(struct stack *stack, const struct flow_id *id, uint32_t old_snd_nxt)
{
    struct tcb *tcb = (struct tcb *)table_find(&stack->tcp.table, id);

    if (tcb != NULL && seq_lt(tcb->iss, old_snd_nxt))
        tcb->iss = tcb->snd_una = tcb->snd_nxt = old_snd_nxt;
}

static enum drop deliver(struct stack *stack, const struct flow_id *id,
                         const struct tcp_segment *seg)
{
    struct flow *flow = table_find(&stack->tcp.table, id);
    struct tcb *listener;

    if (flow != NULL) {
        struct tcb *tcb = tcb_of(flow);
        if (tcb == NULL)
            return DROP_TCP_MEMORY;
        bool is_reused = tcp_time_wait_may_be_reused(tcb, seg) &&
                         layer_find_listener(stack, &id->local, id->local_port) != NULL;
        uint32_t old_snd_nxt = tcb->snd_nxt;
        enum drop drop = DROP_NOT;
        if (is_reused)
            tcb_fail(tcb, TCP_OK, "a new SYN ends TIME-WAIT", "RFC 6191");
        else
            drop = tcp_arrives(tcb, seg);
        layer_settle(tcb);
        if (!is_reused)
            return drop;
        listener = layer_find_listener(stack, &id->local, id->local_port);
        drop = tcp_arrives_listen(listener, id, seg);
        number_above(stack, id, old_snd_nxt);
        return drop;
    }
    listener = layer_find_listener(stack, &id->local, id->local_port);
    if (listener != NULL)
        return tcp_arrives_listen(listener, id, seg);
    tcp_refuse(stack, id, seg, "no such connection (9293 3.10.7.1)");
    return DROP_TCP_CLOSED_PORT;
}

enum drop tcp_input(struct stack *stack, const struct ipv4_packet *ip,
                    const struct packet_in *packet)
{
    struct tcp_segment seg;

    if (!ip_addr_is_valid_source(&ip->src)) /* MUST-63; MUST-57: ip/ lets only our addresses in */
        return stack_drop(stack, DROP_TCP_BAD_ADDRESS, NULL);
    if (!packet->checksum_ok &&
        !tcp_checksum_is_right(ip->payload, &ip->src, &ip->dst)) /* MUST-3 */
        return stack_drop(stack, DROP_TCP_CHECKSUM, NULL);
    enum drop drop = tcp_parse(ip->payload, &seg);
    if (drop != DROP_NOT)
        return stack_drop(stack, drop, NULL);
    seg.tos = ip->tos;
    seg.ip_options = ip->options;
    seg.segment_bytes = packet->segment_bytes;
    struct flow_id id = {.local = ip->dst,
                         .remote = ip->src,
                         .local_port = seg.dst_port,
                         .remote_port = seg.src_port};
    drop = deliver(stack, &id, &seg);
    return drop == DROP_NOT ? DROP_NOT : stack_drop(stack, drop, &id);
}

/* ---- time */

void tcp_layer_on_time(struct stack *stack)
{
    struct wheel *wheel = &stack->tcp.wheel;
    struct wheel_timer *timer;

    wheel_advance(wheel, stack->now_us);
    while ((timer = wheel_take_due(wheel)) != NULL) {
        struct flow *flow = (struct flow *)((char *)timer - offsetof(struct flow, timer));
        struct tcb *tcb = tcb_of(flow);
        if (tcb == NULL) { /* memory is short: try again later */
            enum { RETRY_US = 100000 };
            wheel_set(wheel, timer, stack->now_us + RETRY_US);
            continue;
        }
        tcp_on_time(tcb);
        layer_settle(tcb);
    }
}

uint64_t tcp_layer_next_deadline_us(const struct stack *stack)
{
    return wheel_next_us(&stack->tcp.wheel);
}

/* ---- segments out */

bool tcp_layer_output(struct stack *stack, struct packet_out *out, struct trace_event *event)
{
    struct queue *queue = &stack->tcp.output;
    struct tcb *tcb;

    while ((tcb = queue_front(queue)) != NULL) {
        queue_leave(queue, &tcb->output_link);
        if (tcp_output(tcb, out, event)) {
            queue_join(queue, &tcb->output_link); /* behind the others: they take turns */
            return true;
        }
        layer_settle(tcb);
    }
    return false;
}

struct tcb *stack_next_ready(struct stack *stack)
{
    struct tcb *tcb;

    while ((tcb = queue_front(&stack->tcp.ready)) != NULL) {
        queue_leave(&stack->tcp.ready, &tcb->ready_link);
        unsigned readiness = tcp_readiness(tcb);
        bool has_changed = readiness != tcb->last_readiness;
        tcb->last_readiness = readiness;
        if (has_changed)
            return tcb;
    }
    return NULL;
}
