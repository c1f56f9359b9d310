/* The TCP room's front door: which connection a segment belongs to, whose turn it is to send, whose
 * timer is due, and the one place where connections are reaped.
 *
 * Every event ends in layer_settle(): inside an event a TCB is never freed, so the code of the
 * event may go on using it whatever happened. */
#include "layer.h"

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

enum { TCBS_PER_CHUNK = 16, WORKS_PER_CHUNK = 8, CONFIGS_PER_CHUNK = 8 };

int tcp_layer_init(struct tcp_layer *tcp, struct stack *stack)
{
    struct memory *memory = &stack->memory;
    const struct table_entries entries = flow_entries(stack);
    const struct wheel_timers timers = flow_timers(stack);

    isn_init(&tcp->isn, stack);
    syn_flood_init(&tcp->syn_flood, random_key(stack));
    queue_init(&tcp->listeners, offsetof(struct tcb, list_link));
    queue_init(&tcp->closed, offsetof(struct tcb, list_link));
    queue_init(&tcp->output, offsetof(struct tcb, output_link));
    queue_init(&tcp->ready, offsetof(struct tcb, ready_link));
    queue_init(&tcp->answered, offsetof(struct tcb, ready_link));
    wheel_init(&tcp->wheel, &timers, stack->now_us);
    pool_init(&tcp->tcbs, sizeof(struct tcb), TCBS_PER_CHUNK, memory);
    pool_init(&tcp->works, sizeof(struct work), WORKS_PER_CHUNK, memory);
    pool_init(&tcp->time_waits, sizeof(struct time_wait), POOL_CHUNK_OBJECTS_MAX, memory);
    pool_init(&tcp->syn_receiveds, sizeof(struct syn_received), POOL_CHUNK_OBJECTS_MAX, memory);
    pool_init(&tcp->shared_configs, sizeof(struct shared_config), CONFIGS_PER_CHUNK, memory);
    return table_init(&tcp->table, random_key(stack), &entries, memory);
}

void tcp_layer_free(struct tcp_layer *tcp)
{
    for (int64_t i = 0; (i = pool_next(&tcp->tcbs, (uint32_t)i)) >= 0; i++)
        tcb_free(pool_at(&tcp->tcbs, (uint32_t)i));
    syn_flood_free(&tcp->syn_flood, tcp->syn_receiveds.memory);
    pool_free(&tcp->tcbs);
    pool_free(&tcp->works);
    pool_free(&tcp->time_waits);
    pool_free(&tcp->syn_receiveds);
    pool_free(&tcp->shared_configs);
    table_free(&tcp->table);
}

void layer_adopt(struct tcb *tcb)
{
    tcb->stack->tcp.connection_count++;
    if (tcb->flow.id.remote_port != 0)
        table_add(&tcb->stack->tcp.table, tcb->flow.ref);
}

static void append_to_accept_queue(struct tcb *listener, struct tcb *tcb)
{
    queue_leave(&tcb->list_link);
    listener->work->handshaking_count--;
    queue_join(&listener->work->accept_queue, &tcb->list_link);
    listener->work->accept_count++;
    tcb->is_in_accept_queue = true;
    tcb_notify(listener);
}

void layer_leave_listener(struct tcb *tcb)
{
    struct tcb *listener = tcb->listener;

    queue_leave(&tcb->list_link);
    if (tcb->is_in_accept_queue)
        listener->work->accept_count--;
    else
        listener->work->handshaking_count--;
    tcb->is_in_accept_queue = false;
    tcb->listener = NULL;
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
        table_remove(&layer->table, tcb->flow.ref);
    wheel_clear(&layer->wheel, tcb->flow.ref);
    queue_leave(&tcb->output_link);
    if (tcb->listener != NULL)
        layer_leave_listener(tcb);
    if (tcb->is_held) /* remembered until it is given back */
        queue_join(&layer->closed, &tcb->list_link);
}

static void leave_answered(struct tcb *tcb)
{
    if (!tcb->is_among_answered)
        return;
    tcb->is_among_answered = false;
    queue_leave(&tcb->ready_link);
    tcb->stack->tcp.answered_count--;
}

/* Nothing is to be done until the peer or a timer says something: a record is enough. But whoever
 * answers our SYN,ACK at all mostly does so within a round trip. Therefore the newest few in
 * SYN-RECEIVED stay what they are, until their SYN,ACK has to go out again: a short connection
 * takes 11 % fewer instructions when it need not be frozen and thawed. */
static void wait_for_peer(struct tcb *tcb)
{
    struct tcp_layer *layer = &tcb->stack->tcp;

    if (tcb->state != TCPS_SYN_RECEIVED || tcb->retransmit_count > 0) {
        frozen_freeze(tcb);
        return;
    }
    tcb->is_among_answered = true;
    queue_join(&layer->answered, &tcb->ready_link);
    layer->answered_count++;
    if (layer->answered_count > tcb->stack->config.handshakes_awake_max) {
        struct tcb *oldest = queue_front(&layer->answered);
        leave_answered(oldest);
        frozen_freeze(oldest);
    }
}

void layer_settle(struct tcb *tcb)
{
    leave_answered(tcb);
    if (tcb->state == TCPS_CLOSED) {
        retire(tcb);
        if (tcb->is_held)
            return;
        queue_leave(&tcb->list_link);
        queue_leave(&tcb->ready_link);
        tcb_free(tcb);
        return;
    }
    if (tcb->listener != NULL && tcb_is_synchronized(tcb) && !tcb->is_in_accept_queue)
        append_to_accept_queue(tcb->listener, tcb);
    if (frozen_is_possible(tcb))
        wait_for_peer(tcb);
    else if (tcb->may_sleep)
        tcb_sleep(tcb);
}

/* The TCB of a table entry, thawed or woken if need be; NULL when memory is short. */
static struct tcb *tcb_of(struct stack *stack, uint32_t ref)
{
    struct tcb *tcb = flow_tcb(stack, ref);

    if (tcb == NULL)
        return frozen_thaw(stack, ref);
    return tcb_wake(tcb) ? tcb : NULL;
}

struct tcb *layer_find(struct stack *stack, const struct flow_id *id)
{
    uint32_t ref = table_find(&stack->tcp.table, id);

    return ref == 0 ? NULL : tcb_of(stack, ref);
}

static void abort_child(struct tcb *tcb)
{
    tcp_send_reset(tcb, "the listener has closed");
    tcb_fail(tcb, TCP_ERR_ABORTED, "the listener has closed", "9293 3.10.4");
    layer_settle(tcb);
}

/* The peer of a record knows nothing of it but our SYN,ACK. */
static void abort_records(struct tcb *listener)
{
    struct stack *stack = listener->stack;
    const struct pool *pool = &stack->tcp.syn_receiveds;

    for (int64_t i = 0; listener->work->handshaking_count > 0; i++) {
        i = pool_next(pool, (uint32_t)i);
        if (i < 0)
            return;
        const struct syn_received *frozen = pool_at(pool, (uint32_t)i);
        if (frozen->listener == listener->flow.ref)
            frozen_abort(stack, flow_ref(FLOW_SYN_RECEIVED, (uint32_t)i));
    }
}

void layer_abort_children(struct tcb *listener)
{
    struct tcb *child;

    while ((child = queue_front(&listener->work->accept_queue)) != NULL ||
           (child = queue_front(&listener->work->handshaking)) != NULL)
        abort_child(child);
    abort_records(listener);
}

struct tcb *layer_find_listener(struct stack *stack, const struct ip_addr *local, uint16_t port)
{
    const struct queue *listeners = &stack->tcp.listeners;
    struct tcb *any = NULL;

    for (struct tcb *tcb = queue_front(listeners); tcb != NULL;
         tcb = queue_behind(listeners, &tcb->list_link)) {
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
    uint32_t ref = table_find(&stack->tcp.table, id);
    struct tcb *tcb = ref == 0 ? NULL : flow_tcb(stack, ref);

    if (tcb != NULL && seq_lt(tcb->iss, old_snd_nxt))
        tcb->iss = tcb->snd_una = tcb->snd_nxt = old_snd_nxt;
}

static enum drop deliver(struct stack *stack, const struct flow_id *id,
                         const struct tcp_segment *seg)
{
    uint32_t ref = table_find(&stack->tcp.table, id);
    struct tcb *listener;

    if (ref != 0) {
        struct tcb *tcb = tcb_of(stack, ref);
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
    uint32_t ref;

    wheel_advance(wheel, stack->now_us);
    while ((ref = wheel_take_due(wheel)) != 0) {
        struct tcb *tcb = tcb_of(stack, ref);
        if (tcb == NULL) { /* memory is short: try again later */
            enum { RETRY_US = 100000 };
            frozen_postpone(stack, ref, stack->now_us + RETRY_US);
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
        queue_leave(&tcb->output_link);
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
        queue_leave(&tcb->ready_link);
        unsigned readiness = tcp_readiness(tcb);
        bool has_changed = readiness != tcb->last_readiness;
        tcb->last_readiness = readiness;
        if (has_changed)
            return tcb;
    }
    return NULL;
}
