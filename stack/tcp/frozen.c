/* Freezing and thawing of connections that wait, see frozen.h. A child in SYN-RECEIVED has exactly
 * its SYN,ACK in flight, and a connection in TIME-WAIT nothing; that is what makes the records
 * small. */
#include "frozen.h"

#include "layer.h"
#include "output.h"

enum { BACKOFF_COUNT_MAX = 255 };

static struct time_wait *time_wait_at(const struct stack *stack, uint32_t ref)
{
    return pool_at(&stack->tcp.time_waits, flow_number(ref));
}

static struct syn_received *syn_received_at(const struct stack *stack, uint32_t ref)
{
    return pool_at(&stack->tcp.syn_receiveds, flow_number(ref));
}

/* ---- what a record can hold */

/* -1: not one of ours (any more). */
static int local_index(const struct stack *stack, const struct ip_addr *local)
{
    for (unsigned i = 0; i < stack->config.address_count; i++)
        if (ip_addr_equal(&stack->config.address[i], local))
            return (int)i;
    return -1;
}

static uint32_t shared_place(const struct tcb *tcb)
{
    return tcb->shared_config == NULL ? 0 : tcb->shared_config->number + 1;
}

static bool syn_received_fits(const struct tcb *tcb)
{
    uint64_t since_us = tcb->work->unanswered_since_us,
             deadline_us = tcb->work->deadline_us[TIMER_RETRANSMIT];

    return deadline_us != NEVER && deadline_us >= since_us &&
           deadline_us - since_us <= UINT32_MAX && tcb->snd_wnd <= UINT16_MAX &&
           tcb->retransmit_count <= UINT16_MAX && tcb->rto.backoff_count <= BACKOFF_COUNT_MAX;
}

bool frozen_is_possible(const struct tcb *tcb)
{
    if (tcb->is_held || queue_has(&tcb->output_link) || tcb->ack_now ||
        tcb->learned_route != NULL || local_index(tcb->stack, &tcb->flow.id.local) < 0)
        return false;
    if (tcb->state == TCPS_TIME_WAIT)
        return tcb->work->receive_ring.used == 0 && shared_place(tcb) <= TIME_WAIT_SHARED_MAX;
    return tcb->state == TCPS_SYN_RECEIVED && tcb->listener != NULL &&
           tcb->work->in_flight.count == 1 && tcb->work->in_flight.lost_bytes == 0 &&
           syn_received_fits(tcb);
}

/* ---- freezing */

/* A window as a header would say it, not less than it is. */
static uint16_t scaled_down(uint32_t wnd, unsigned shift)
{
    uint32_t raw = (wnd + (1u << shift) - 1) >> shift;

    return raw < UINT16_MAX ? (uint16_t)raw : UINT16_MAX;
}

static uint32_t freeze_time_wait(const struct tcb *tcb)
{
    struct pool *pool = &tcb->stack->tcp.time_waits;
    int64_t number = pool_take(pool);

    if (number < 0)
        return 0;
    *(struct time_wait *)pool_at(pool, (uint32_t)number) = (struct time_wait){
        .deadline_ms = (uint32_t)((tcb->work->deadline_us[TIMER_TIME_WAIT] + 999) / 1000),
        .remote = tcb->flow.id.remote,
        .local_port = tcb->flow.id.local_port,
        .remote_port = tcb->flow.id.remote_port,
        .snd_nxt = tcb->snd_nxt,
        .rcv_nxt = tcb->rcv_nxt,
        .ts_offset = tcb->ts_offset,
        .ts_recent = tcb->ts_recent,
        .snd_wnd = scaled_down(tcb->snd_wnd, tcb->snd_wnd_shift),
        .rcv_wnd = scaled_down(tcb_rcv_wnd(tcb), tcb->rcv_wnd_shift),
        .shared_config = shared_place(tcb) & TIME_WAIT_SHARED_MAX,
        .local = (unsigned)local_index(tcb->stack, &tcb->flow.id.local) & 7,
        .snd_wnd_shift = tcb->snd_wnd_shift & 15u,
        .rcv_wnd_shift = tcb->rcv_wnd_shift & 15u,
        .window_scaling = tcb->window_scaling,
        .timestamps = tcb->timestamps,
        .sack = tcb->sack,
        .passive_open = tcb->passive_open,
    };
    return flow_ref(FLOW_TIME_WAIT, (uint32_t)number);
}

static uint32_t freeze_syn_received(const struct tcb *tcb)
{
    struct pool *pool = &tcb->stack->tcp.syn_receiveds;
    int64_t number = pool_take(pool);

    if (number < 0)
        return 0;
    uint64_t since_us = tcb->work->unanswered_since_us;
    *(struct syn_received *)pool_at(pool, (uint32_t)number) = (struct syn_received){
        .listener = tcb->listener->flow.ref,
        .since_us = since_us,
        .sent_after_us = (uint32_t)(records_at(&tcb->work->in_flight, 0)->sent_us - since_us),
        .deadline_after_us = (uint32_t)(tcb->work->deadline_us[TIMER_RETRANSMIT] - since_us),
        .remote = tcb->flow.id.remote,
        .local_port = tcb->flow.id.local_port,
        .remote_port = tcb->flow.id.remote_port,
        .iss = tcb->iss,
        .irs = tcb->irs,
        .rcv_wnd = tcb_rcv_wnd(tcb),
        .ts_offset = tcb->ts_offset,
        .ts_recent = tcb->ts_recent,
        .snd_wnd = (uint16_t)tcb->snd_wnd,
        .peer_mss = tcb->peer_mss,
        .remote_uto = tcb->remote_uto,
        .retransmit_count = (uint16_t)tcb->retransmit_count,
        .shared_config = shared_place(tcb),
        .local = (unsigned)local_index(tcb->stack, &tcb->flow.id.local) & 7,
        .snd_wnd_shift = tcb->snd_wnd_shift & 15u,
        .rcv_wnd_shift = tcb->rcv_wnd_shift & 15u,
        .backoff_count = tcb->rto.backoff_count & 255u,
        .window_scaling = tcb->window_scaling,
        .timestamps = tcb->timestamps,
        .sack = tcb->sack,
        .ecn_is_on = tcb->ecn.is_on,
        .ecn_has_declined = tcb->ecn.has_declined,
    };
    return flow_ref(FLOW_SYN_RECEIVED, (uint32_t)number);
}

/* One takes the place of the other in the table and the wheel. */
static void take_place(struct stack *stack, uint32_t ref, uint32_t with)
{
    table_replace(&stack->tcp.table, ref, with);
    wheel_clear(&stack->tcp.wheel, ref);
    wheel_set(&stack->tcp.wheel, with);
}

void frozen_freeze(struct tcb *tcb)
{
    bool waits_for_ack = tcb->state == TCPS_SYN_RECEIVED;
    uint32_t ref = waits_for_ack ? freeze_syn_received(tcb) : freeze_time_wait(tcb);

    if (ref == 0)
        return;
    if (tcb->shared_config != NULL)
        tcb->shared_config->holder_count++;
    take_place(tcb->stack, tcb->flow.ref, ref);
    queue_leave(&tcb->ready_link);
    if (waits_for_ack)
        queue_leave(&tcb->list_link);
    tcb_free(tcb);
}

/* ---- thawing */

static struct shared_config *shared_at(const struct stack *stack, uint32_t place)
{
    return place == 0 ? NULL : pool_at(&stack->tcp.shared_configs, place - 1);
}

static struct tcb *new_tcb(struct stack *stack, uint32_t ref, enum tcp_state state,
                           uint32_t shared_config_place)
{
    struct shared_config *shared = shared_at(stack, shared_config_place);
    struct flow_id id;

    frozen_id(stack, ref, &id);
    return tcb_new(stack, &id, state, shared != NULL ? &shared->config : &stack->config.tcp,
                   shared);
}

static struct tcb *thaw_time_wait(struct stack *stack, uint32_t ref)
{
    const struct time_wait *frozen = time_wait_at(stack, ref);
    struct tcb *tcb = new_tcb(stack, ref, TCPS_TIME_WAIT, frozen->shared_config);

    if (tcb == NULL)
        return NULL;
    /* Where the numbers began is forgotten: nothing in TIME-WAIT asks for it. */
    tcb->iss = frozen->snd_nxt - 1;
    tcb->irs = frozen->rcv_nxt - 1;
    tcb->snd_una = tcb->snd_nxt = frozen->snd_nxt;
    tcb->snd_wnd = tcb->max_snd_wnd = (uint32_t)frozen->snd_wnd << frozen->snd_wnd_shift;
    tcb->fin_sent = tcb->fin_queued = tcb->peer_fin = true;
    tcb->rcv_nxt = tcb->last_ack_sent = frozen->rcv_nxt;
    tcb->fin_seq = frozen->rcv_nxt - 1;
    tcb->rcv_adv = frozen->rcv_nxt + ((uint32_t)frozen->rcv_wnd << frozen->rcv_wnd_shift);
    tcb->ts_offset = frozen->ts_offset;
    tcb->ts_recent = frozen->ts_recent;
    tcb->snd_wnd_shift = frozen->snd_wnd_shift;
    tcb->rcv_wnd_shift = frozen->rcv_wnd_shift;
    tcb->window_scaling = frozen->window_scaling;
    tcb->timestamps = frozen->timestamps;
    tcb->sack = frozen->sack;
    tcb->passive_open = frozen->passive_open;
    tcb->work->deadline_us[TIMER_TIME_WAIT] = frozen_deadline_us(stack, ref);
    return tcb;
}

/* The SYN,ACK in flight again, with its history. False when memory is short. */
static bool restore_syn_ack(struct tcb *tcb, const struct syn_received *frozen)
{
    if (!records_append(&tcb->work->in_flight, frozen->iss, frozen->iss + 1,
                        frozen->since_us + frozen->sent_after_us))
        return false;
    records_at(&tcb->work->in_flight, 0)->transmission_count =
        (uint16_t)(1 + frozen->retransmit_count);
    return true;
}

static struct tcb *thaw_syn_received(struct stack *stack, uint32_t ref)
{
    const struct syn_received *frozen = syn_received_at(stack, ref);
    struct tcb *tcb = new_tcb(stack, ref, TCPS_SYN_RECEIVED, frozen->shared_config);

    if (tcb == NULL)
        return NULL;
    if (!restore_syn_ack(tcb, frozen)) {
        tcb_free(tcb);
        return NULL;
    }
    tcb->listener = pool_at(&stack->tcp.tcbs, flow_number(frozen->listener));
    tcb->iss = tcb->snd_una = frozen->iss;
    tcb->snd_nxt = frozen->iss + 1;
    tcb->snd_wnd = tcb->max_snd_wnd = frozen->snd_wnd;
    tcb->irs = frozen->irs;
    tcb->rcv_nxt = tcb->last_ack_sent = frozen->irs + 1;
    tcb->rcv_adv = tcb->rcv_nxt + frozen->rcv_wnd;
    tcb->ts_offset = frozen->ts_offset;
    tcb->ts_recent = frozen->ts_recent;
    tcb->retransmit_count = frozen->retransmit_count;
    tcb->work->unanswered_since_us = frozen->since_us;
    tcb->peer_mss = frozen->peer_mss;
    tcb->remote_uto = frozen->remote_uto;
    tcb->snd_wnd_shift = frozen->snd_wnd_shift;
    tcb->rcv_wnd_shift = frozen->rcv_wnd_shift;
    tcb->rto.backoff_count = frozen->backoff_count;
    tcb->window_scaling = frozen->window_scaling;
    tcb->timestamps = frozen->timestamps;
    tcb->sack = frozen->sack;
    tcb->passive_open = true;
    tcb->ecn.is_on = frozen->ecn_is_on;
    tcb->ecn.has_declined = frozen->ecn_has_declined;
    tcb->work->deadline_us[TIMER_RETRANSMIT] = frozen_deadline_us(stack, ref);
    queue_join(&tcb->listener->work->handshaking, &tcb->list_link);
    return tcb;
}

static void give(struct stack *stack, uint32_t ref)
{
    if (flow_kind_of(ref) == FLOW_TIME_WAIT)
        pool_give(&stack->tcp.time_waits, flow_number(ref));
    else
        pool_give(&stack->tcp.syn_receiveds, flow_number(ref));
}

struct tcb *frozen_thaw(struct stack *stack, uint32_t ref)
{
    struct tcb *tcb = flow_kind_of(ref) == FLOW_TIME_WAIT ? thaw_time_wait(stack, ref)
                                                          : thaw_syn_received(stack, ref);

    if (tcb == NULL)
        return NULL;
    tcb->ts_recent_us = stack->now_us; /* neither state lasts long enough to matter */
    if (!tcb->window_scaling && tcb->rcv_buffer_bytes > UINT16_MAX)
        tcb->rcv_buffer_bytes = UINT16_MAX;
    tcb_update_mss(tcb);
    tcb->flow.timer_at_us = frozen_deadline_us(stack, ref);
    take_place(stack, ref, tcb->flow.ref);
    if (tcb->shared_config != NULL)
        tcb->shared_config->holder_count--; /* the TCB holds the configuration now */
    give(stack, ref);
    return tcb;
}

/* ---- the end of a listener */

static void trace_closed(struct stack *stack, const struct flow_id *id, const char *why)
{
    struct trace_event event = {
        .kind = TRACE_STATE, .flow = id, .cause = why, .clause = "9293 3.10.4"};

    event.u.state.from = (int)TCPS_SYN_RECEIVED;
    event.u.state.to = (int)TCPS_CLOSED;
    stack_trace(stack, &event);
}

void frozen_abort(struct stack *stack, uint32_t ref)
{
    const struct syn_received *frozen = syn_received_at(stack, ref);
    struct tcb *listener = pool_at(&stack->tcp.tcbs, flow_number(frozen->listener));
    struct shared_config *shared = shared_at(stack, frozen->shared_config);
    struct tcp_segment seg = {
        .seq = frozen->iss + 1, .ack = frozen->irs + 1, .flags = TCP_RST | TCP_ACK};
    struct flow_id id;

    frozen_id(stack, ref, &id);
    tcp_send_stray(stack, listener->config, &id, NULL, seg, "the listener has closed");
    trace_closed(stack, &id, "the listener has closed");
    table_remove(&stack->tcp.table, ref);
    wheel_clear(&stack->tcp.wheel, ref);
    stack->tcp.connection_count--;
    listener->work->handshaking_count--;
    if (shared != NULL)
        shared_config_release(stack, shared);
    give(stack, ref);
}

/* ---- for the table and the wheel */

void frozen_id(const struct stack *stack, uint32_t ref, struct flow_id *id)
{
    const struct ip_addr *address = stack->config.address;

    if (flow_kind_of(ref) == FLOW_TIME_WAIT) {
        const struct time_wait *frozen = time_wait_at(stack, ref);
        *id = (struct flow_id){address[frozen->local], frozen->remote, frozen->local_port,
                               frozen->remote_port};
    } else {
        const struct syn_received *frozen = syn_received_at(stack, ref);
        *id = (struct flow_id){address[frozen->local], frozen->remote, frozen->local_port,
                               frozen->remote_port};
    }
}

uint64_t frozen_deadline_us(const struct stack *stack, uint32_t ref)
{
    if (flow_kind_of(ref) == FLOW_SYN_RECEIVED) {
        const struct syn_received *frozen = syn_received_at(stack, ref);
        return frozen->since_us + frozen->deadline_after_us;
    }
    uint64_t now_ms = stack->now_us / 1000;
    int32_t left_ms = (int32_t)(time_wait_at(stack, ref)->deadline_ms - (uint32_t)now_ms);

    return (uint64_t)((int64_t)now_ms + left_ms) * 1000;
}

void frozen_postpone(struct stack *stack, uint32_t ref, uint64_t deadline_us)
{
    if (flow_kind_of(ref) == FLOW_TIME_WAIT) {
        time_wait_at(stack, ref)->deadline_ms = (uint32_t)((deadline_us + 999) / 1000);
    } else {
        struct syn_received *frozen = syn_received_at(stack, ref);
        frozen->deadline_after_us = (uint32_t)(deadline_us - frozen->since_us);
    }
    wheel_set(&stack->tcp.wheel, ref);
}
