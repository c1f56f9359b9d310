/* struct stack itself, for the rooms inside stack/. Applications include stack.h. */
#ifndef TUNTCP_INSTANCE_H
#define TUNTCP_INSTANCE_H

#include "ip/ip.h"
#include "memory.h"
#include "tcp/layer.h"
#include "udp/layer.h"

struct stack {
    struct stack_config config;
    uint64_t now_us;          /* the argument of the last verb */
    enum trace_origin origin; /* which verb or call is being served */
    struct stack_counters counters;
    struct memory memory; /* what ip and tcp have taken */
    struct ip_layer ip;
    struct udp_layer udp;
    struct tcp_layer tcp;
};

uint64_t stack_random(struct stack *stack);
/* Has the configuration fixed this choice? Then *value is it. */
bool stack_choice(struct stack *stack, enum stack_choice what, uint32_t *value);

/* Would the device bring what passes between these two ports to this stack, and not to one at
 * another of its queues? */
bool stack_is_on_our_queue(const struct stack *stack, uint16_t port, uint16_t other_port);

/* Hand an event to the sink. Use as: if (stack->config.trace) stack_trace(stack, &(struct
 * trace_event){...}), so that nothing is built without a sink. Time and origin are filled in. */
void stack_trace(struct stack *stack, const struct trace_event *event);
/* Count and trace a discarded packet; returns `drop`, so that one can write return stack_drop(). */
enum drop stack_drop(struct stack *stack, enum drop drop, const struct flow_id *flow);

#endif
