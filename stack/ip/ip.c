/* What comes in: a packet is parsed and checked, put together if it is a fragment, and handed to
 * ICMP, UDP or TCP. RFC 791, RFC 1122 3.2.1.
 *
 *     device -> ip_input -> parse, addresses, options -> reassembly -> icmp_input
 *                                                                     udp_input
 *                                                                     tcp_input
 *
 * A discarded packet is counted and traced once, where the decision falls: the transports do it
 * for what they discard. What is sent is in output.c, ICMP in icmp.c.
 *
 * Invariant: behind ip_input the source is an address that can be answered and the destination is
 * one of ours.
 *
 * TTL 0 is no reason to discard a packet that has arrived (RFC 1122 3.2.1.7). Options are skipped
 * (MUST-50): the parser has checked their lengths. One is looked at: a source route that does not
 * end here asks us to forward, which a host does not do (RFC 1122 3.3.5); one that ends here is the
 * transport's (RFC 1122 3.2.1.8).
 *
 * Broadcast and multicast are not received: a TUN device carries one peer's unicast, and TCP
 * forbids them (MUST-57).
 *
 * Not done: record route (MAY-11) and timestamp options (MAY-10) are not filled in: nobody here
 * asks for them, and routers discard such packets on the way (RFC 7126).
 *
 * Departure: a packet that claims to come from one of our own addresses is discarded, though RFC
 * 1122 does not say so. Nothing that we send to ourselves comes back through a device, so it is
 * forged. */
#include "ip.h"

#include "../instance.h"
#include "../wire/source_route.h"
#include "reassembly.h"

static enum drop check(struct stack *stack, const struct ipv4_packet *ip);
static bool asks_to_forward(struct bytes options);
static enum drop refuse(struct stack *stack, const struct ipv4_packet *ip, enum drop drop);
static enum drop deliver(struct stack *stack, const struct ipv4_packet *ip,
                         const struct packet_in *packet);
static enum drop collect(struct stack *stack, const struct ipv4_packet *fragment);
static struct flow_id flow_of(const struct ipv4_packet *ip);

int ip_layer_init(struct ip_layer *ip, struct stack *stack)
{
    const struct stack_config *config = &stack->config;

    ip->memory = &stack->memory;
    ip->reassembly = reassembly_new(config->reassembly_max_bytes, config->reassembly_timeout_us);
    if (ip->reassembly == NULL)
        return -1;
    reassembly_count_in(ip->reassembly, ip->memory);
    return 0;
}

enum drop ip_input(struct stack *stack, const struct packet_in *packet)
{
    struct ipv4_packet ip;

    /* `checksum_ok` speaks of the transport; twenty bytes of our own are quickly verified. */
    enum drop drop = ipv4_parse(packet->bytes, false, &ip);
    if (drop != DROP_NOT)
        return stack_drop(stack, drop, NULL);
    drop = check(stack, &ip);
    if (drop != DROP_NOT)
        return refuse(stack, &ip, drop);
    if (ip.more_fragments || ip.fragment_offset_bytes > 0)
        return collect(stack, &ip);
    return deliver(stack, &ip, packet);
}

void ip_on_time(struct stack *stack)
{
    struct ipv4_packet first;

    while (reassembly_expire(stack->ip.reassembly, stack->now_us, &first)) {
        struct flow_id flow = flow_of(&first);
        bool first_has_come = first.payload.len > 0;
        stack_drop(stack, DROP_FRAGMENT_TIMEOUT, first_has_come ? &flow : NULL);
        if (first_has_come) /* RFC 792: without fragment zero, no time exceeded needs be sent */
            icmp_send_error(stack, &first, ICMP_TIME_EXCEEDED, ICMP_TIME_EXCEEDED_REASSEMBLY,
                            "not all fragments of the datagram came in time");
    }
}

uint64_t ip_next_deadline_us(const struct ip_layer *ip)
{
    return reassembly_next_deadline_us(ip->reassembly);
}

bool ip_is_ours(const struct stack *stack, const struct ip_addr *addr)
{
    for (unsigned i = 0; i < stack->config.address_count; i++) {
        if (ip_addr_equal(addr, &stack->config.address[i]))
            return true;
    }
    return false;
}

void ip_drop_aside(struct stack *stack, enum drop drop, const struct flow_id *flow,
                   const char *cause)
{
    stack->counters.drops[drop]++;
    if (stack->config.trace)
        stack_trace(stack, &(struct trace_event){
                               .kind = TRACE_DROP, .flow = flow, .cause = cause, .u.drop = drop});
}

/* RFC 1122 3.2.1.3: a datagram whose destination is not ours, or whose source names no single host,
 * is discarded. */
static enum drop check(struct stack *stack, const struct ipv4_packet *ip)
{
    if (!ip_is_ours(stack, &ip->dst))
        return DROP_IP_NOT_OURS;
    if (!ip_addr_is_valid_source(&ip->src) || ip_is_ours(stack, &ip->src))
        return DROP_IP_SOURCE;
    return ip->options.len > 0 && asks_to_forward(ip->options) ? DROP_IP_OPTIONS : DROP_NOT;
}

static enum drop refuse(struct stack *stack, const struct ipv4_packet *ip, enum drop drop)
{
    struct flow_id flow = flow_of(ip);

    stack_drop(stack, drop, &flow);
    if (drop == DROP_IP_OPTIONS)
        icmp_send_error(stack, ip, ICMP_UNREACHABLE, ICMP_UNREACHABLE_SOURCE_ROUTE,
                        "a source route leads on from here, and a host does not forward");
    if (drop == DROP_IP_PROTOCOL) /* RFC 1122 3.2.2.1 */
        icmp_send_error(stack, ip, ICMP_UNREACHABLE, ICMP_UNREACHABLE_PROTOCOL,
                        "nobody here speaks this protocol");
    return drop;
}

static bool asks_to_forward(struct bytes options)
{
    struct source_route route;
    enum source_route_end end = source_route_parse(options, &route);

    return end == SOURCE_ROUTE_GOES_ON || end == SOURCE_ROUTE_MALFORMED;
}

static enum drop deliver(struct stack *stack, const struct ipv4_packet *ip,
                         const struct packet_in *packet)
{
    switch (ip->protocol) {
    case IP_PROTOCOL_TCP:
        return tcp_input(stack, ip, packet);
    case IP_PROTOCOL_UDP:
        return udp_input(stack, ip, packet->checksum_ok);
    case IP_PROTOCOL_ICMP:
        return icmp_input(stack, ip);
    default:
        return refuse(stack, ip, DROP_IP_PROTOCOL);
    }
}

/* Keep a fragment, at the expense of older ones when memory is full; deliver what it completes.
 * What the device said of the fragment's checksum does not hold for the datagram. */
static enum drop collect(struct stack *stack, const struct ipv4_packet *fragment)
{
    struct reassembly *reassembly = stack->ip.reassembly;
    struct ipv4_packet whole;
    bool complete;
    enum drop drop;

    while ((drop = reassembly_add(reassembly, fragment, stack->now_us, &whole, &complete)) ==
               DROP_FRAGMENT_MEMORY &&
           reassembly_discard_oldest(reassembly))
        ip_drop_aside(stack, DROP_FRAGMENT_MEMORY, NULL,
                      "fragments of an older datagram make room for these");
    if (drop != DROP_NOT)
        return refuse(stack, fragment, drop);
    return complete ? deliver(stack, &whole, &(struct packet_in){0}) : DROP_NOT;
}

static struct flow_id flow_of(const struct ipv4_packet *ip)
{
    return (struct flow_id){.local = ip->dst, .remote = ip->src};
}
