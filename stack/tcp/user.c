/* The user calls, RFC 9293 3.9.1 and 3.10.1 to 3.10.5: one function per call, each a list of what
 * it does in which state. See tcp.h for what they promise. */
#include <string.h>

#include "announce.h"
#include "layer.h"
#include "output.h"
#include "route.h"
#include "seq.h"
#include "tcb.h"

enum { AUTOTUNE_ROUND_MIN_US = 2000 };

/* ---- OPEN, 3.10.1 */

static void *refuse_open(enum tcp_err *error, enum tcp_err why)
{
    if (error != NULL)
        *error = why;
    return NULL;
}

/* The smallest scale that can announce the largest buffer, RFC 7323 2.3, unless the buffer at first
 * is so small that windows in its unit would be too coarse, or none at all. */
static uint8_t window_shift_for(const struct tcp_config *config)
{
    enum { WINDOW_SHIFT_MAX = 14, UNITS_MIN = 8 };
    uint32_t unit_max_bytes = config->receive_buffer_bytes / UNITS_MIN;
    uint8_t shift = 0;

    while (shift < WINDOW_SHIFT_MAX && 2u << shift <= unit_max_bytes &&
           ((uint32_t)UINT16_MAX << shift) < config->receive_buffer_max_bytes)
        shift++;
    return shift;
}

/* A connection more: within the limits of the stack? */
static bool has_room_for_one(const struct stack *stack)
{
    return stack->tcp.connection_count < stack->config.connections_max &&
           memory_allows_newcomer(&stack->memory, sizeof(struct tcb));
}

/* A TCB with the stack's configuration, or with a copy of `config` that it shares with its
 * children. */
static struct tcb *new_tcb(struct stack *stack, const struct flow_id *id, enum tcp_state state,
                           const struct tcp_config *config)
{
    struct shared_config *shared = NULL;

    if (!has_room_for_one(stack))
        return NULL;
    if (config != NULL) {
        shared = shared_config_new(stack, config);
        if (shared == NULL)
            return NULL;
        tcp_config_bound(&shared->config);
        config = &shared->config;
    } else {
        config = &stack->config.tcp;
    }
    struct tcb *tcb = tcb_new(stack, id, state, config, shared);
    if (tcb == NULL) {
        if (shared != NULL)
            shared_config_release(stack, shared);
        return NULL;
    }
    tcb->is_held = true;
    return tcb;
}

void layer_choose_numbers(struct tcb *tcb)
{
    isn_choose(tcb->stack, &tcb->flow.id, &tcb->iss, &tcb->ts_offset);
    tcb->snd_una = tcb->snd_nxt = tcb->iss;
    if (tcb->config->window_scaling)
        tcb->rcv_wnd_shift = window_shift_for(tcb->config);
}

struct tcb *tcp_open_active(struct stack *stack, const struct ip_addr *local, uint16_t local_port,
                            const struct ip_addr *remote, uint16_t remote_port,
                            const struct tcp_config *config, enum tcp_err *error)
{
    if (remote_port == 0 || !ip_addr_is_valid_source(remote)) /* MUST-46 */
        return refuse_open(error, TCP_ERR_UNSPECIFIED);
    if (!route_is_valid(config != NULL ? &config->source_route : &stack->config.tcp.source_route))
        return refuse_open(error, TCP_ERR_UNSPECIFIED);
    if (local != NULL && !ip_is_ours(stack, local))
        return refuse_open(error, TCP_ERR_INVALID);
    struct flow_id id = {.local = local != NULL ? *local : stack->config.address[0], /* MUST-44 */
                         .remote = *remote,
                         .local_port = local_port,
                         .remote_port = remote_port};
    if (local_port == 0)
        id.local_port = isn_ephemeral_port(stack, id);
    if (id.local_port == 0 || table_find(&stack->tcp.table, &id) != 0)
        return refuse_open(error, TCP_ERR_EXISTS);
    struct tcb *tcb = new_tcb(stack, &id, TCPS_CLOSED, config);
    if (tcb == NULL)
        return refuse_open(error, TCP_ERR_RESOURCES);
    layer_choose_numbers(tcb);
    layer_adopt(tcb);
    tcp_set_state(tcb, TCPS_SYN_SENT, "active OPEN", "9293 3.10.1");
    tcb_wants_output(tcb);
    return tcb;
}

/* A listener's port: one that no other listener has on the same address. */
static uint16_t listening_port(struct stack *stack, const struct ip_addr *local)
{
    for (unsigned i = 0; i < EPHEMERAL_PORT_COUNT; i++) {
        uint16_t port =
            (uint16_t)(EPHEMERAL_PORT_FIRST + stack_random(stack) % EPHEMERAL_PORT_COUNT);
        if (layer_find_listener(stack, local, port) == NULL)
            return port;
    }
    return 0;
}

/* A new record or an error: no other record is touched (MUST-41), and only another listener is in
 * the way, not a connection of the same port in whatever state (MUST-42). */
struct tcb *tcp_open_passive(struct stack *stack, const struct ip_addr *local, uint16_t local_port,
                             const struct tcp_config *config, enum tcp_err *error)
{
    if (local != NULL && !ip_is_ours(stack, local))
        return refuse_open(error, TCP_ERR_INVALID);
    struct flow_id id = {.local_port = local_port};
    if (local != NULL)
        id.local = *local; /* MUST-43 */
    if (local_port == 0)
        id.local_port = listening_port(stack, &id.local);
    struct tcb *other = layer_find_listener(stack, &id.local, id.local_port);
    if (other != NULL && ip_addr_equal(&other->flow.id.local, &id.local))
        return refuse_open(error, TCP_ERR_EXISTS);
    struct tcb *tcb = new_tcb(stack, &id, TCPS_CLOSED, config);
    if (tcb == NULL)
        return refuse_open(error, TCP_ERR_RESOURCES);
    tcb->passive_open = true;
    layer_adopt(tcb);
    tcp_set_state(tcb, TCPS_LISTEN, "passive OPEN", "9293 3.10.1");
    queue_join(&stack->tcp.listeners, &tcb->list_link);
    return tcb;
}

struct tcb *layer_new_child(struct tcb *listener, const struct flow_id *id)
{
    struct stack *stack = listener->stack;

    if (!has_room_for_one(stack))
        return NULL;
    struct tcb *tcb = tcb_new(stack, id, TCPS_LISTEN, listener->config, listener->shared_config);
    if (tcb == NULL)
        return NULL;
    tcb->passive_open = true;
    tcb->listener = listener;
    listener->work->handshaking_count++;
    queue_join(&listener->work->handshaking, &tcb->list_link);
    layer_choose_numbers(tcb);
    layer_adopt(tcb);
    return tcb;
}

struct tcb *tcp_accept(struct tcb *listener)
{
    struct tcb *tcb = queue_front(&listener->work->accept_queue);

    if (tcb == NULL)
        return NULL;
    layer_leave_listener(tcb);
    listener->last_readiness = 0;
    tcb_notify(listener); /* there may be more */
    tcb->is_held = true;
    tcb_notify(tcb);
    return tcb;
}

/* ---- SEND, 3.10.2
 *
 * Urgent data is sent by tcp_send_urgent() (MUST-30, MUST-31); new applications should not use it
 * (SHLD-13).
 * Each SEND counts as PUSHed, unless the cork setting holds it back for more to come (MAY-16).
 * Not done: a PUSH flag (MAY-15) and a FLUSH call (MAY-14) beside it: taking the cork out is both.
 */

static enum tcp_err may_send(struct tcb *tcb)
{
    if (tcb->error != TCP_OK)
        return tcb->error;
    switch (tcb->state) {
    case TCPS_SYN_SENT: /* queued until ESTABLISHED */
    case TCPS_SYN_RECEIVED:
    case TCPS_ESTABLISHED:
    case TCPS_CLOSE_WAIT:
        if (tcb->fin_queued)
            return TCP_ERR_CLOSING;
        return tcb_wake(tcb) ? TCP_OK : TCP_ERR_RESOURCES;
    case TCPS_FIN_WAIT_1:
    case TCPS_FIN_WAIT_2:
    case TCPS_CLOSING:
    case TCPS_LAST_ACK:
    case TCPS_TIME_WAIT:
        return TCP_ERR_CLOSING;
    case TCPS_CLOSED:
    case TCPS_LISTEN:
    case TCPS_COUNT:
        break;
    }
    return TCP_ERR_NOT_OPEN;
}

ptrdiff_t tcp_send(struct tcb *tcb, const uint8_t *data, size_t len)
{
    enum tcp_err error = may_send(tcb);

    if (error != TCP_OK)
        return error;
    size_t accepted = ring_write(&tcb->work->send_ring, data, len, tcb_send_limit(tcb));
    tcb->last_readiness = tcp_readiness(tcb);
    if (accepted > 0)
        tcb_wants_output(tcb);
    return (ptrdiff_t)accepted;
}

/* SND.UP moves behind what was accepted, where SND.NXT will be when it is sent: the octet behind
 * the urgent data (MUST-62). */
ptrdiff_t tcp_send_urgent(struct tcb *tcb, const uint8_t *data, size_t len)
{
    ptrdiff_t accepted = tcp_send(tcb, data, len);

    if (accepted <= 0) /* 3.8.5: at least one octet goes with an urgent indication */
        return accepted;
    bool peer_knows = tcb->has_snd_up && seq_gt(tcb->snd_up, tcb->snd_nxt);
    tcb->snd_up = tcb_first_data_seq(tcb) + (uint32_t)tcb->work->send_ring.used;
    tcb->has_snd_up = true;
    if (!peer_knows) /* an advance is told by whatever is sent next */
        tcb->work->urgent_now = true;
    return accepted;
}

uint8_t *tcp_send_reserve(struct tcb *tcb, size_t *room)
{
    *room = 0;
    if (may_send(tcb) != TCP_OK)
        return NULL;
    return ring_reserve(&tcb->work->send_ring, tcb_send_limit(tcb), room);
}

ptrdiff_t tcp_send_commit(struct tcb *tcb, size_t len)
{
    enum tcp_err error = may_send(tcb);
    size_t room;

    if (error != TCP_OK)
        return error;
    (void)tcp_send_reserve(tcb, &room);
    if (len > room)
        return TCP_ERR_INVALID;
    ring_commit(&tcb->work->send_ring, len);
    tcb->last_readiness = tcp_readiness(tcb);
    if (len > 0)
        tcb_wants_output(tcb);
    return (ptrdiff_t)len;
}

/* ---- RECEIVE, 3.10.3 */

static void double_receive_buffer(struct tcb *tcb)
{
    uint32_t most = tcb->config->receive_buffer_max_bytes;

    if (tcb->rcv_buffer_bytes < most)
        tcb->rcv_buffer_bytes = tcb->rcv_buffer_bytes < most / 2 ? 2 * tcb->rcv_buffer_bytes : most;
}

/* Dynamic right-sizing: the window should hold twice what the application reads in a round trip,
 * and in slow start twice what it will read in the next one. It doubles when it does not. Without a
 * measured round trip (the handshake was disturbed, and we send nothing) a long one is assumed.
 *
 * On one machine a round trip is shorter than a host takes to get round to a connection again. A
 * sender that is limited by such a window waits for each ACK and sends when it comes, in the time
 * of whoever brings it; with one that holds two milliseconds it sends when it has something. Bulk
 * from the kernel over a TUN device without offload, where we bring the ACK: 15 % faster. */
static void autotune(struct tcb *tcb, size_t len)
{
    uint64_t now_us = tcb->stack->now_us;
    uint64_t round_us = tcb->rto.srtt_us > 0 ? tcb->rto.srtt_us : tcb->config->rto_initial_us;

    if (round_us < AUTOTUNE_ROUND_MIN_US)
        round_us = AUTOTUNE_ROUND_MIN_US;
    tcb->work->autotune_bytes += len;
    if (now_us - tcb->work->autotune_start_us < round_us)
        return;
    uint64_t bytes = tcb->work->autotune_bytes, last_bytes = tcb->work->autotune_last_bytes;
    uint64_t expected = bytes > last_bytes ? bytes + (bytes - last_bytes) : bytes;
    if (2 * expected > tcb->rcv_buffer_bytes && tcb->window_scaling &&
        tcb->work->autotune_start_us != 0)
        double_receive_buffer(tcb);
    tcb->work->autotune_start_us = now_us;
    tcb->work->autotune_last_bytes = bytes;
    tcb->work->autotune_bytes = 0;
}

struct bytes tcp_receive_peek(struct tcb *tcb)
{
    struct bytes span[2];

    if (tcb_readable_bytes(tcb) == 0)
        return (struct bytes){0};
    ring_spans(&tcb->work->receive_ring, 0, tcb->work->receive_ring.used, span);
    return span[0];
}

void tcp_receive_consume(struct tcb *tcb, size_t len)
{
    if (tcb->work == NULL) /* asleep: nothing is there to be read */
        return;
    if (len > tcb->work->receive_ring.used)
        len = tcb->work->receive_ring.used;
    ring_consume(&tcb->work->receive_ring, len);
    if (tcb_urgent_bytes(tcb) == 0)
        tcb->has_rcv_up = false; /* or it would lie ahead again after half the sequence space */
    tcb->last_readiness = tcp_readiness(tcb);
    if (tcb->state == TCPS_CLOSED)
        return;
    autotune(tcb, len);
    if (announce_is_due(tcb))
        tcb_ack_now(tcb, "window update: the application has read");
    if (tcb->work->receive_ring.used == 0)
        tcb_timer_set(tcb, TIMER_IDLE, tcb->stack->now_us + TCB_IDLE_US);
}

/* What RECEIVE says when nothing is left to read: how the connection was aborted, or 0 for the end
 * of a stream that the peer has closed (MUST-12). */
static ptrdiff_t at_end(const struct tcb *tcb)
{
    if (tcb->error != TCP_OK)
        return tcb->error;
    if (tcb->state == TCPS_LISTEN || (tcb->state == TCPS_CLOSED && !tcb->peer_fin))
        return TCP_ERR_NOT_OPEN;
    return 0;
}

ptrdiff_t tcp_receive(struct tcb *tcb, uint8_t *data, size_t len)
{
    struct bytes span[2];

    if (tcb_readable_bytes(tcb) == 0)
        return at_end(tcb);
    if (len > tcb->work->receive_ring.used)
        len = tcb->work->receive_ring.used;
    ring_spans(&tcb->work->receive_ring, 0, len, span);
    if (span[0].len > 0)
        memcpy(data, span[0].data, span[0].len);
    if (span[1].len > 0)
        memcpy(data + span[0].len, span[1].data, span[1].len);
    tcp_receive_consume(tcb, len);
    return (ptrdiff_t)len;
}

/* ---- CLOSE, 3.10.4 */

int tcp_shutdown(struct tcb *tcb)
{
    enum tcp_err error = may_send(tcb);

    if (error != TCP_OK)
        return error;
    tcb->fin_queued = true;
    /* Departure: 3.10.4 would let a FIN without data leave SYN-RECEIVED at once; it waits here
     * until ESTABLISHED, as it does in SYN-SENT. */
    if (tcb->state == TCPS_ESTABLISHED)
        tcp_set_state(tcb, TCPS_FIN_WAIT_1, "CLOSE call", "9293 3.10.4");
    tcb_wants_output(tcb);
    return TCP_OK;
}

static void close_listener(struct tcb *listener)
{
    queue_leave(&listener->list_link);
    layer_abort_children(listener);
}

/* The application lets go; nobody can be told any more. */
static void release(struct tcb *tcb)
{
    tcb->is_held = false;
    tcb->context = NULL;
    tcb->progress_us = tcb->stack->now_us;
    queue_leave(&tcb->ready_link);
}

/* CLOSE of a connection with nothing unread: in order, in the background, but not for longer than
 * linger_us (9293 3.9.1.4, SO_LINGER). */
static void close_in_order(struct tcb *tcb)
{
    uint64_t linger_us = tcb->config->linger_us;

    ranges_free(&tcb->work->out_of_order); /* nobody reads: new text is answered by RST */
    ring_release(&tcb->work->receive_ring);
    (void)tcp_shutdown(tcb);
    bool is_under_way =
        tcb->state != TCPS_CLOSED && tcb->state != TCPS_FIN_WAIT_2 && tcb->state != TCPS_TIME_WAIT;
    if (linger_us != NEVER && is_under_way)
        tcb_timer_set(tcb, TIMER_LINGER, tcb->stack->now_us + linger_us);
}

/* MAY-1: done. CLOSE gives the handle back, so nothing can be read any more; tcp_shutdown() is the
 * half-close. */
void tcp_close(struct tcb *tcb)
{
    if (tcb == NULL)
        return;
    bool is_abortive = tcb->config->linger_us == 0 && tcb->state >= TCPS_SYN_RECEIVED &&
                       tcb->state <= TCPS_LAST_ACK;
    if (is_abortive || !tcb_wake(tcb)) { /* without memory there is no other way */
        tcp_abort(tcb);
        return;
    }
    release(tcb);
    if (tcb->state == TCPS_LISTEN)
        close_listener(tcb);
    if (tcb->state == TCPS_LISTEN || tcb->state == TCPS_SYN_SENT) {
        tcb_fail(tcb, TCP_OK, "CLOSE call", "9293 3.10.4");
    } else if (tcb->work->receive_ring.used > 0 && tcb->state != TCPS_CLOSED &&
               tcb->state != TCPS_TIME_WAIT) {
        tcp_send_reset(tcb, "CLOSE with data unread (SHLD-3)");
        tcb_fail(tcb, TCP_OK, "CLOSE with data unread", "9293 3.6.1");
    } else {
        close_in_order(tcb);
    }
    if (tcb->state == TCPS_FIN_WAIT_2)
        tcb_timer_set(tcb, TIMER_TIME_WAIT, tcb->stack->now_us + tcb->config->fin_wait_2_us);
    layer_settle(tcb);
}

/* ---- ABORT, 3.10.5 */

void tcp_abort(struct tcb *tcb)
{
    if (tcb == NULL)
        return;
    release(tcb);
    if (tcb->state == TCPS_LISTEN)
        close_listener(tcb);
    if (tcb->state >= TCPS_SYN_RECEIVED && tcb->state <= TCPS_CLOSE_WAIT)
        tcp_send_reset(tcb, "ABORT call (9293 3.10.5)");
    if (tcb->state != TCPS_CLOSED)
        tcb_fail(tcb, TCP_ERR_ABORTED, "ABORT call", "9293 3.10.5");
    layer_settle(tcb);
}

/* ---- what the application keeps with it */

void tcp_set_context(struct tcb *tcb, void *context)
{
    tcb->context = context;
}

void *tcp_context(const struct tcb *tcb)
{
    return tcb->context;
}
