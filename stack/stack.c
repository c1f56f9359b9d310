/* One instance of the stack: it owns the rooms (ip, udp, tcp), passes the four verbs on to them,
 * and sends every event to the sink.
 *
 * The order of stack_output() is: waiting packets of ip/ first (they are answers to what came, and
 * few), then TCP, which makes a segment only when it is asked for one. */
#include "stack.h"

#include <stdlib.h>
#include <string.h>

#include "instance.h"

void stack_config_init(struct stack_config *config)
{
    *config = (struct stack_config){
        .mtu_bytes = 1500,
        .connections_max = 65536,
        .memory_max_bytes = (size_t)1 << 30,
        .datagram_queue_max = 64,
        .out_queue_max = 256,
        .reassembly_max_bytes = 256 * 1024,
        .reassembly_timeout_us = 30 * 1000000ull, /* RFC 1122 3.3.2 wants 60..120 s for slow links;
                                                     Linux and BSD take 30 */
        .path_mtu_age_us = 600 * 1000000ull,
        .icmp_errors_per_s = 100,
        .challenge_acks_per_s = 100,
        .syn_cookies_per_s = 20000,
        .handshakes_awake_max = 32,
        .ttl = 64,
    };
    tcp_config_init(&config->tcp);
}

static bool config_is_usable(const struct stack_config *config)
{
    return config->random != NULL && config->address_count >= 1 &&
           config->address_count <= STACK_ADDRESSES_MAX && config->mtu_bytes >= 68;
}

struct stack *stack_new(const struct stack_config *config, uint64_t now_us)
{
    if (!config_is_usable(config))
        return NULL;
    struct stack *stack = calloc(1, sizeof *stack);
    if (stack == NULL)
        return NULL;
    stack->config = *config;
    tcp_config_bound(&stack->config.tcp);
    if (config->connections_max > STACK_CONNECTIONS_MAX)
        stack->config.connections_max = STACK_CONNECTIONS_MAX;
    stack->memory.max_bytes = config->memory_max_bytes;
    stack->now_us = now_us;
    stack->origin = ORIGIN_USER;
    if (ip_layer_init(&stack->ip, stack) < 0 || tcp_layer_init(&stack->tcp, stack) < 0) {
        stack_free(stack);
        return NULL;
    }
    return stack;
}

void stack_free(struct stack *stack)
{
    if (stack == NULL)
        return;
    tcp_layer_free(&stack->tcp);
    udp_layer_free(&stack->udp);
    ip_layer_free(&stack->ip);
    free(stack);
}

/* Time never runs backwards inside: a driver's late argument counts as "no time has passed". */
static void enter(struct stack *stack, enum trace_origin origin, uint64_t now_us)
{
    if (now_us > stack->now_us)
        stack->now_us = now_us;
    stack->origin = origin;
}

static void leave(struct stack *stack)
{
    stack->origin = ORIGIN_USER; /* between the verbs, only the application calls */
}

enum drop stack_input(struct stack *stack, const struct packet_in *packet, uint64_t now_us)
{
    enter(stack, ORIGIN_PACKET_IN, now_us);
    stack->counters.packets_in++;
    stack->counters.bytes_in += packet->bytes.len;
    if (stack->config.trace)
        stack_trace(stack, &(struct trace_event){.kind = TRACE_PACKET_IN, .u.packet_in = packet});
    enum drop drop =
        packet->drop != DROP_NOT ? stack_drop(stack, packet->drop, NULL) : ip_input(stack, packet);
    leave(stack);
    return drop;
}

void stack_on_time(struct stack *stack, uint64_t now_us)
{
    enter(stack, ORIGIN_TIMER, now_us);
    ip_on_time(stack);
    tcp_layer_on_time(stack);
    leave(stack);
}

bool stack_output(struct stack *stack, struct packet_out *out, uint64_t now_us)
{
    struct trace_event event; /* its union is large, and seldom looked at */
    struct flow_id flow;

    event.kind = TRACE_PACKET_OUT;
    event.flow = NULL;
    event.tcb = NULL;
    event.cause = event.clause = NULL;
    event.u.packet_out = out;
    enter(stack, ORIGIN_OUTPUT, now_us);
    bool has_one = ip_output(stack, out, &event.cause, &flow);
    if (has_one)
        event.flow = &flow;
    else
        has_one = tcp_layer_output(stack, out, &event);
    if (has_one) {
        stack->counters.packets_out++;
        stack->counters.bytes_out += packet_out_bytes(out);
        if (stack->config.trace)
            stack_trace(stack, &event);
    }
    leave(stack);
    return has_one;
}

uint64_t stack_next_deadline_us(const struct stack *stack)
{
    uint64_t ip_us = ip_next_deadline_us(&stack->ip);
    uint64_t tcp_us = tcp_layer_next_deadline_us(stack);
    return ip_us < tcp_us ? ip_us : tcp_us;
}

const struct stack_counters *stack_counters(const struct stack *stack)
{
    return &stack->counters;
}

size_t stack_memory_bytes(const struct stack *stack)
{
    return stack->memory.used_bytes;
}

const struct stack_config *stack_config(const struct stack *stack)
{
    return &stack->config;
}

uint64_t stack_now_us(const struct stack *stack)
{
    return stack->now_us;
}

uint64_t stack_random(struct stack *stack)
{
    return stack->config.random(stack->config.random_context);
}

bool stack_is_on_our_queue(const struct stack *stack, uint16_t port, uint16_t other_port)
{
    unsigned count = stack->config.queue_count;

    return count == 0 || stack_queue(port, other_port, count) == stack->config.queue;
}

bool stack_choice(struct stack *stack, enum stack_choice what, uint32_t *value)
{
    return stack->config.choose != NULL &&
           stack->config.choose(stack->config.choose_context, what, value);
}

void stack_trace(struct stack *stack, const struct trace_event *event)
{
    if (stack->config.trace == NULL)
        return;
    struct trace_event stamped = *event;
    stamped.time_us = stack->now_us;
    stamped.origin = stack->origin;
    stack->config.trace(stack->config.trace_context, &stamped);
}

enum drop stack_drop(struct stack *stack, enum drop drop, const struct flow_id *flow)
{
    stack->counters.drops[drop]++;
    if (stack->config.trace)
        stack_trace(stack, &(struct trace_event){.kind = TRACE_DROP, .flow = flow, .u.drop = drop});
    return drop;
}
