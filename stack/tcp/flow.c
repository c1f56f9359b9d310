/* From a ref to the links, the time and the four-tuple behind it, see flow.h. */
#include "flow.h"

#include "frozen.h"

static struct tcb *tcb_at(const struct stack *stack, uint32_t ref)
{
    return pool_at(&stack->tcp.tcbs, flow_number(ref));
}

static const struct pool *pool_of(const struct tcp_layer *tcp, uint32_t ref)
{
    switch (flow_kind_of(ref)) {
    case FLOW_TIME_WAIT:
        return &tcp->time_waits;
    case FLOW_SYN_RECEIVED:
        return &tcp->syn_receiveds;
    case FLOW_TCB:
        break;
    }
    return &tcp->tcbs;
}

/* All three begin with them. */
static struct flow_links *links_of(const void *owner, uint32_t ref)
{
    const struct stack *stack = owner;

    return pool_at(pool_of(&stack->tcp, ref), flow_number(ref));
}

static struct wheel_links *timer_of(const void *owner, uint32_t ref)
{
    return &links_of(owner, ref)->timer;
}

static void id_of(const void *owner, uint32_t ref, struct flow_id *id)
{
    if (flow_kind_of(ref) == FLOW_TCB)
        *id = tcb_at(owner, ref)->flow.id;
    else
        frozen_id(owner, ref, id);
}

static uint64_t at_us(const void *owner, uint32_t ref)
{
    return flow_kind_of(ref) == FLOW_TCB ? tcb_at(owner, ref)->flow.timer_at_us
                                         : frozen_deadline_us(owner, ref);
}

struct table_entries flow_entries(const struct stack *stack)
{
    return (struct table_entries){.owner = stack, .links = links_of, .id = id_of};
}

struct wheel_timers flow_timers(const struct stack *stack)
{
    return (struct wheel_timers){.owner = stack, .links = timer_of, .at_us = at_us};
}

struct tcb *flow_tcb(const struct stack *stack, uint32_t ref)
{
    return flow_kind_of(ref) == FLOW_TCB ? tcb_at(stack, ref) : NULL;
}
