/* ICMP, RFC 792 with RFC 1122 3.2.2: echo is answered, errors about our packets are handed to the
 * transport that sent them, errors about others' packets are sent.
 *
 * An error carries the first bytes of the packet it speaks of. It is believed only if that packet
 * claims one of our addresses as its source; whether the connection exists, and whether the quoted
 * sequence number makes sense, is for the transport to ask (RFC 5927).
 *
 * We send an error only where RFC 1122 3.2.2 allows it, at most config.icmp_errors_per_s a second,
 * and quote as much of the offender as makes a packet of 576 bytes (RFC 1812 4.3.2.3). An error
 * never answers an error: that is what keeps two hosts from talking for ever. The limit of each
 * second is lower by a random part, up to an eighth: who knows it exactly, and forges packets from
 * a name server, could count by what is left of it on which port we listen to that server (the
 * "SAD DNS" attack of 2020).
 *
 * Source quench is discarded (RFC 6633, MUST-55). Redirects are ignored: there is one way out.
 *
 * Not done: timestamp and address mask requests (RFC 1122 3.2.2.8 and .9 are MAY). Echo replies are
 * parsed but nobody here asks for them yet. */
#include "ip.h"

#include <stdlib.h>

#include "../instance.h"
#include "../wire/source_route.h"

enum {
    ICMP_RATE_SPREAD = 8,
    ICMP_ERROR_PACKET_MAX_BYTES = 576,
    ICMP_ERROR_MAX_BYTES = ICMP_ERROR_PACKET_MAX_BYTES - IPV4_HEADER_BYTES,
    ICMP_QUOTE_MAX_BYTES = ICMP_ERROR_MAX_BYTES - ICMP_HEADER_BYTES,
    QUOTED_TRANSPORT_MIN_BYTES = 8, /* RFC 792: enough for the ports and a sequence number */
    SECOND_US = 1000000,
};

static enum drop answer_echo(struct stack *stack, const struct ipv4_packet *ip,
                             const struct icmp_message *request);
static enum drop hand_to_transport(struct stack *stack, const struct icmp_message *icmp);
static enum drop parse_quotation(struct bytes body, struct icmp_error *error);
static bool may_be_told(const struct ipv4_packet *offender);
static bool is_icmp_query(const struct ipv4_packet *offender);
static bool is_within_rate(struct stack *stack);
static size_t quote(const struct stack *stack, const struct ipv4_packet *offender,
                    uint8_t body[static ICMP_QUOTE_MAX_BYTES]);

enum drop icmp_input(struct stack *stack, const struct ipv4_packet *ip)
{
    struct icmp_message icmp;
    struct flow_id flow = {.local = ip->dst, .remote = ip->src};

    enum drop drop = icmp_parse(ip->payload, false, &icmp);
    if (drop != DROP_NOT)
        return stack_drop(stack, drop, &flow);
    switch (icmp.type) {
    case ICMP_ECHO_REQUEST:
        return answer_echo(stack, ip, &icmp);
    case ICMP_ECHO_REPLY:
        return DROP_NOT;
    case ICMP_UNREACHABLE:
    case ICMP_TIME_EXCEEDED:
    case ICMP_PARAMETER_PROBLEM:
        drop = hand_to_transport(stack, &icmp);
        return drop == DROP_NOT ? DROP_NOT : stack_drop(stack, drop, &flow);
    default: /* RFC 1122 3.2.2: an unknown type is discarded; source quench and redirect as well */
        return stack_drop(stack, DROP_ICMP_UNKNOWN_TYPE, &flow);
    }
}

void icmp_send_error(struct stack *stack, const struct ipv4_packet *offender, uint8_t type,
                     uint8_t code, const char *cause)
{
    struct flow_id flow = {.local = offender->dst, .remote = offender->src};
    uint8_t body[ICMP_QUOTE_MAX_BYTES];
    uint8_t message[ICMP_ERROR_MAX_BYTES];

    if (!may_be_told(offender))
        return;
    if (!is_within_rate(stack)) {
        ip_drop_aside(stack, DROP_ICMP_RATE_LIMIT, &flow,
                      "our ICMP error is held back: too many in this second");
        return;
    }
    struct icmp_message icmp = {.type = type, .code = code, .body = {body, 0}};
    icmp.body.len = quote(stack, offender, body);
    size_t len = icmp_emit(&icmp, message, sizeof message);
    struct ipv4_packet header = ip_header_for(stack, &offender->dst, &offender->src,
                                              IP_PROTOCOL_ICMP, stack->config.ttl, 0);
    ip_send(stack, &header, (struct bytes){message, len}, &flow, cause);
}

/* RFC 1122 3.2.2.6: all the data comes back, from the address that was asked, with the request's
 * TOS, and by the way that the request came if it had a source route. */
static enum drop answer_echo(struct stack *stack, const struct ipv4_packet *ip,
                             const struct icmp_message *request)
{
    struct flow_id flow = {.local = ip->dst, .remote = ip->src};
    struct icmp_message reply = *request;
    size_t room = ICMP_HEADER_BYTES + request->body.len;
    uint8_t *message = malloc(room);

    if (message == NULL) {
        ip_drop_aside(stack, DROP_OUT_QUEUE_FULL, &flow, "no memory for an echo reply");
        return DROP_OUT_QUEUE_FULL;
    }
    reply.type = ICMP_ECHO_REPLY;
    reply.code = 0;
    size_t len = icmp_emit(&reply, message, room);
    struct ipv4_packet header =
        ip_header_for(stack, &ip->dst, &ip->src, IP_PROTOCOL_ICMP, stack->config.ttl, ip->tos);
    struct source_route route;
    uint8_t option[SOURCE_ROUTE_MAX_BYTES];
    if (source_route_parse(ip->options, &route) == SOURCE_ROUTE_COMPLETE) {
        route = source_route_back(&route, &ip->src);
        source_route_apply(&route, &header, option);
    }
    enum drop drop =
        ip_send(stack, &header, (struct bytes){message, len}, &flow, "answers an echo request");
    free(message);
    return drop;
}

static enum drop hand_to_transport(struct stack *stack, const struct icmp_message *icmp)
{
    struct icmp_error error = {
        .type = icmp->type, .code = icmp->code, .next_hop_mtu = icmp->next_hop_mtu};

    enum drop drop = parse_quotation(icmp->body, &error);
    if (drop != DROP_NOT)
        return drop;
    if (!ip_is_ours(stack, &error.quoted.src))
        return DROP_IP_NOT_OURS;
    error.protocol = error.quoted.protocol;
    error.quoted_transport = error.quoted.payload;
    struct reader r = reader_of(error.quoted_transport); /* UDP and TCP begin with the ports */
    error.flow.local = error.quoted.src;
    error.flow.remote = error.quoted.dst;
    error.flow.local_port = read_u16(&r);
    error.flow.remote_port = read_u16(&r);
    if (error.protocol == IP_PROTOCOL_TCP)
        tcp_on_icmp_error(stack, &error);
    else if (error.protocol == IP_PROTOCOL_UDP)
        udp_on_icmp_error(stack, &error);
    return DROP_NOT;
}

/* The header of a packet that is cut short: ipv4_parse() would rightly miss its end. The quoted
 * checksum is not verified, because routers change the TTL on the way, some without mending it. */
static enum drop parse_quotation(struct bytes body, struct icmp_error *error)
{
    struct reader r = reader_of(body);
    struct ipv4_packet *quoted = &error->quoted;

    uint8_t version_and_length = read_u8(&r);
    size_t header_bytes = (size_t)(version_and_length & 15) * 4;
    quoted->tos = read_u8(&r);
    size_t total_bytes = error->quoted_bytes = read_u16(&r);
    quoted->id = read_u16(&r);
    uint16_t flags_and_offset = read_u16(&r);
    quoted->dont_fragment = flags_and_offset & 0x4000;
    quoted->more_fragments = flags_and_offset & 0x2000;
    quoted->fragment_offset_bytes = (flags_and_offset & 0x1fffu) * 8;
    quoted->ttl = read_u8(&r);
    quoted->protocol = read_u8(&r);
    read_u16(&r); /* checksum */
    quoted->src = ip_addr_from_v4(read_u32(&r));
    quoted->dst = ip_addr_from_v4(read_u32(&r));
    if (r.overrun || version_and_length >> 4 != 4 || header_bytes < IPV4_HEADER_BYTES ||
        total_bytes < header_bytes)
        return DROP_ICMP_TRUNCATED;
    quoted->options = read_bytes(&r, header_bytes - IPV4_HEADER_BYTES);
    struct source_route route; /* under way, the destination is the next gateway, not the end */
    if (source_route_parse(quoted->options, &route) == SOURCE_ROUTE_GOES_ON && route.hop_count > 0)
        quoted->dst = route.hop[route.hop_count - 1];
    size_t payload_bytes = total_bytes - header_bytes;
    quoted->payload = read_bytes(&r, payload_bytes < r.left ? payload_bytes : r.left);
    /* Ports stand in the first fragment only. */
    if (r.overrun || quoted->payload.len < QUOTED_TRANSPORT_MIN_BYTES ||
        quoted->fragment_offset_bytes > 0)
        return DROP_ICMP_TRUNCATED;
    return DROP_NOT;
}

static bool may_be_told(const struct ipv4_packet *offender)
{
    if (offender->fragment_offset_bytes > 0)
        return false;
    if (ip_addr_is_multicast(&offender->dst) || ip_addr_is_broadcast(&offender->dst))
        return false;
    if (!ip_addr_is_valid_source(&offender->src))
        return false;
    return offender->protocol != IP_PROTOCOL_ICMP || is_icmp_query(offender);
}

/* Of a type that is certainly no error: what is unknown today may be one tomorrow. */
static bool is_icmp_query(const struct ipv4_packet *offender)
{
    struct reader r = reader_of(offender->payload);
    uint8_t type = read_u8(&r);

    return !r.overrun && (type == ICMP_ECHO_REQUEST || type == ICMP_ECHO_REPLY);
}

static bool is_within_rate(struct stack *stack)
{
    struct ip_layer *ip = &stack->ip;
    unsigned limit = stack->config.icmp_errors_per_s;

    if (stack->now_us - ip->icmp_window_start_us >= SECOND_US) {
        ip->icmp_window_start_us = stack->now_us;
        ip->icmp_window_count = (unsigned)(stack_random(stack) % (limit / ICMP_RATE_SPREAD + 1));
    }
    if (ip->icmp_window_count >= limit)
        return false;
    ip->icmp_window_count++;
    return true;
}

/* The offender's header, written anew from what was parsed, and the beginning of its payload; no
 * more than travels in one packet of our own. Returns the length. */
static size_t quote(const struct stack *stack, const struct ipv4_packet *offender,
                    uint8_t body[static ICMP_QUOTE_MAX_BYTES])
{
    size_t room = (size_t)stack->config.mtu_bytes - IPV4_HEADER_BYTES - ICMP_HEADER_BYTES;
    size_t header_bytes =
        ipv4_emit(offender, offender->payload.len, body, (size_t)ICMP_QUOTE_MAX_BYTES);
    struct writer w = writer_of(body + header_bytes, ICMP_QUOTE_MAX_BYTES - header_bytes);
    struct bytes payload = bytes_first(offender->payload, w.left);

    write_bytes(&w, payload);
    size_t len = header_bytes + payload.len;
    return len < room ? len : room;
}
