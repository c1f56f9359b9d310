/* Freezing and thawing of connections that wait, see frozen.h. A child in SYN-RECEIVED has exactly
 * its SYN,ACK in flight, and a connection in TIME-WAIT nothing; that is what makes the record
 * small. */
#include "frozen.h"

#include <stdlib.h>

#include "layer.h"

bool frozen_is_possible(const struct tcb *tcb)
{
    if (tcb->is_held || tcb->output_link.is_queued || tcb->ack_now || tcb->learned_route != NULL)
        return false;
    if (tcb->state == TCPS_TIME_WAIT)
        return tcb->receive_ring.used == 0;
    return tcb->state == TCPS_SYN_RECEIVED && tcb->listener != NULL && tcb->in_flight.count == 1 &&
           tcb->in_flight.lost_bytes == 0;
}

/* The record takes over the place in the table and the wheel. */
void frozen_freeze(struct tcb *tcb)
{
    struct wheel *wheel = &tcb->stack->tcp.wheel;
    bool waits_for_ack = tcb->state == TCPS_SYN_RECEIVED;
    struct frozen *frozen = malloc(sizeof *frozen);

    if (frozen == NULL)
        return;
    *frozen = (struct frozen){
        .flow = {.id = tcb->flow.id, .kind = FLOW_FROZEN},
        .stack = tcb->stack,
        .listener = tcb->listener,
        .shared_config = tcb->shared_config,
        .deadline_us = tcb->deadline_us[waits_for_ack ? TIMER_RETRANSMIT : TIMER_TIME_WAIT],
        .unanswered_since_us = tcb->unanswered_since_us,
        .sent_us = waits_for_ack ? records_at(&tcb->in_flight, 0)->sent_us : 0,
        .iss = tcb->iss,
        .snd_nxt = tcb->snd_nxt,
        .snd_wnd = tcb->snd_wnd,
        .irs = tcb->irs,
        .rcv_nxt = tcb->rcv_nxt,
        .rcv_adv = tcb->rcv_adv,
        .ts_offset = tcb->ts_offset,
        .ts_recent = tcb->ts_recent,
        .retransmit_count = (uint32_t)tcb->retransmit_count,
        .peer_mss = tcb->peer_mss,
        .remote_uto = tcb->remote_uto,
        .state = (uint8_t)tcb->state,
        .snd_wnd_shift = tcb->snd_wnd_shift,
        .rcv_wnd_shift = tcb->rcv_wnd_shift,
        .backoff_count = (uint8_t)tcb->rto.backoff_count,
        .window_scaling = tcb->window_scaling,
        .timestamps = tcb->timestamps,
        .sack = tcb->sack,
        .passive_open = tcb->passive_open,
        .ecn_is_on = tcb->ecn.is_on,
        .ecn_has_declined = tcb->ecn.has_declined,
    };
    if (frozen->shared_config != NULL)
        frozen->shared_config->holder_count++;
    table_replace(&tcb->stack->tcp.table, &tcb->flow, &frozen->flow);
    wheel_clear(wheel, &tcb->flow.timer);
    wheel_set(wheel, &frozen->flow.timer, frozen->deadline_us);
    queue_leave(&tcb->stack->tcp.ready, &tcb->ready_link);
    tcb_free(tcb);
}

void frozen_free(struct frozen *frozen)
{
    if (frozen->shared_config != NULL && --frozen->shared_config->holder_count == 0)
        free(frozen->shared_config);
    free(frozen);
}

void frozen_drop(struct frozen *frozen, const char *why, const char *clause)
{
    struct tcp_layer *layer = &frozen->stack->tcp;

    struct trace_event event = {
        .kind = TRACE_STATE, .flow = &frozen->flow.id, .cause = why, .clause = clause};
    event.u.state.from = frozen->state;
    event.u.state.to = (int)TCPS_CLOSED;
    stack_trace(frozen->stack, &event);
    table_remove(&layer->table, &frozen->flow);
    wheel_clear(&layer->wheel, &frozen->flow.timer);
    layer->connection_count--;
    if (frozen->listener != NULL)
        frozen->listener->child_count--;
    frozen_free(frozen);
}

/* The SYN,ACK in flight again, with its history. False when memory is short. */
static bool restore_syn_ack(struct tcb *tcb, const struct frozen *frozen)
{
    if (!records_append(&tcb->in_flight, frozen->iss, frozen->iss + 1, frozen->sent_us))
        return false;
    records_at(&tcb->in_flight, 0)->transmission_count = (uint16_t)(1 + frozen->retransmit_count);
    return true;
}

struct tcb *frozen_thaw(struct frozen *frozen)
{
    struct stack *stack = frozen->stack;
    struct wheel *wheel = &stack->tcp.wheel;
    bool waits_for_ack = frozen->state == TCPS_SYN_RECEIVED;
    const struct tcp_config *config =
        frozen->shared_config != NULL ? &frozen->shared_config->config : &stack->config.tcp;
    struct tcb *tcb = tcb_new(stack, &frozen->flow.id, (enum tcp_state)frozen->state, config,
                              frozen->shared_config);

    if (tcb == NULL)
        return NULL;
    if (waits_for_ack && !restore_syn_ack(tcb, frozen)) {
        tcb_free(tcb);
        return NULL;
    }
    tcb->listener = frozen->listener;
    tcb->iss = frozen->iss;
    tcb->snd_una = waits_for_ack ? frozen->iss : frozen->snd_nxt;
    tcb->snd_nxt = frozen->snd_nxt;
    tcb->snd_wnd = tcb->max_snd_wnd = frozen->snd_wnd;
    tcb->fin_sent = tcb->fin_queued = tcb->peer_fin = !waits_for_ack;
    tcb->irs = frozen->irs;
    tcb->rcv_nxt = tcb->last_ack_sent = frozen->rcv_nxt;
    tcb->rcv_adv = frozen->rcv_adv;
    tcb->ts_offset = frozen->ts_offset;
    tcb->ts_recent = frozen->ts_recent;
    tcb->ts_recent_us = stack->now_us; /* neither state lasts long enough to matter */
    tcb->retransmit_count = frozen->retransmit_count;
    tcb->unanswered_since_us = frozen->unanswered_since_us;
    tcb->peer_mss = frozen->peer_mss;
    tcb->remote_uto = frozen->remote_uto;
    tcb->snd_wnd_shift = frozen->snd_wnd_shift;
    tcb->rcv_wnd_shift = frozen->rcv_wnd_shift;
    tcb->rto.backoff_count = frozen->backoff_count;
    tcb->window_scaling = frozen->window_scaling;
    tcb->timestamps = frozen->timestamps;
    tcb->sack = frozen->sack;
    tcb->passive_open = frozen->passive_open;
    tcb->ecn.is_on = frozen->ecn_is_on;
    tcb->ecn.has_declined = frozen->ecn_has_declined;
    if (!tcb->window_scaling && tcb->rcv_buffer_bytes > UINT16_MAX)
        tcb->rcv_buffer_bytes = UINT16_MAX;
    tcb_update_mss(tcb);

    table_replace(&stack->tcp.table, &frozen->flow, &tcb->flow);
    wheel_clear(wheel, &frozen->flow.timer);
    enum tcp_timer timer = waits_for_ack ? TIMER_RETRANSMIT : TIMER_TIME_WAIT;
    tcb->deadline_us[timer] = frozen->deadline_us;
    wheel_set(wheel, &tcb->flow.timer, frozen->deadline_us);
    frozen_free(frozen); /* the TCB holds the configuration now */
    return tcb;
}
