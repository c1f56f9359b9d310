/* What goes out other than TCP segments: datagrams and ICMP messages wait in one queue until
 * stack_output() is pulled. RFC 791 3.2 (fragmentation), RFC 6864 (the ID field).
 *
 * A waiting datagram is one allocation that holds its header and its bytes. It is cut into
 * fragments only when it is pulled: the payload of each points into the one copy. The bound,
 * config.out_queue_max, counts the packets that the queue will become, so that one large datagram
 * does not pass for one small one. Taking memory per packet is fine here: these packets are few
 * (queries, pings, errors), TCP's segments do not come this way.
 *
 * The ID. A datagram that is not and cannot be fragmented (DF) may carry any (RFC 6864 4.1): zero,
 * or random when configured. Datagrams in fragments need IDs that do not repeat soon (4.2): a
 * counter from a random start, drawn when the first one is cut.
 *
 * Not done: path MTU discovery for datagrams. Fragments are made for the MTU of our own device; one
 * that a router finds too long comes back as an ICMP error to its socket. */
#include "ip.h"

#include <string.h>

#include "../instance.h"
#include "reassembly.h"

struct out_packet {
    struct out_packet *next;
    struct ipv4_packet header; /* its options are those below */
    uint8_t options[IPV4_HEADER_MAX_BYTES - IPV4_HEADER_BYTES];
    struct flow_id flow;
    const char *cause;
    size_t fragment_bytes; /* payload of each packet but the last */
    size_t sent_bytes;
    size_t len;
    uint8_t transport[];
};

static uint16_t draw_id(struct stack *stack);
static uint16_t next_fragment_id(struct stack *stack);
static size_t fragment_room(const struct stack *stack, size_t header_bytes);
static void join_queue(struct ip_layer *ip, struct out_packet *packet, unsigned packet_count);

static void free_packet(struct ip_layer *ip, struct out_packet *packet)
{
    if (packet != NULL)
        memory_give(ip->memory, packet, sizeof *packet + packet->len);
}

/* Here, because only this file knows what a waiting packet is. */
void ip_layer_free(struct ip_layer *ip)
{
    while (ip->first != NULL) {
        struct out_packet *packet = ip->first;
        ip->first = packet->next;
        free_packet(ip, packet);
    }
    free_packet(ip, ip->lent);
    reassembly_free(ip->reassembly);
    *ip = (struct ip_layer){0};
}

struct ipv4_packet ip_header_for(struct stack *stack, const struct ip_addr *src,
                                 const struct ip_addr *dst, uint8_t protocol, uint8_t ttl,
                                 uint8_t tos)
{
    uint32_t id = 0;

    if (!stack_choice(stack, CHOICE_IP_ID, &id) && stack->config.ip_id_random)
        id = (uint32_t)stack_random(stack);
    return (struct ipv4_packet){
        .src = *src,
        .dst = *dst,
        .protocol = protocol,
        .ttl = ttl,
        .tos = tos,
        .id = (uint16_t)id,
        .dont_fragment = true,
    };
}

enum drop ip_send(struct stack *stack, const struct ipv4_packet *header, struct bytes transport,
                  const struct flow_id *flow, const char *cause)
{
    struct flow_id between =
        flow != NULL ? *flow : (struct flow_id){.local = header->src, .remote = header->dst};
    size_t header_bytes = IPV4_HEADER_BYTES + (header->options.len + 3) / 4 * 4;
    bool fits = transport.len + header_bytes <= stack->config.mtu_bytes;
    size_t room = fits ? transport.len : fragment_room(stack, header_bytes);
    size_t packet_count = fits ? 1 : (transport.len + room - 1) / room;
    struct out_packet *packet = NULL;

    if (header_bytes <= IPV4_HEADER_MAX_BYTES &&
        transport.len + header_bytes <= IPV4_PACKET_MAX_BYTES &&
        stack->ip.queued_count + packet_count <= stack->config.out_queue_max)
        packet = memory_take(stack->ip.memory, sizeof *packet + transport.len);
    if (packet == NULL) {
        ip_drop_aside(stack, DROP_OUT_QUEUE_FULL, &between, cause);
        return DROP_OUT_QUEUE_FULL;
    }
    *packet = (struct out_packet){
        .header = *header,
        .flow = between,
        .cause = cause,
        .fragment_bytes = room,
        .len = transport.len,
    };
    if (header->options.len > 0)
        memcpy(packet->options, header->options.data, header->options.len);
    packet->header.options.data = packet->options;
    if (!fits) {
        packet->header.dont_fragment = false;
        packet->header.id = next_fragment_id(stack);
    }
    if (transport.len > 0)
        memcpy(packet->transport, transport.data, transport.len);
    join_queue(&stack->ip, packet, (unsigned)packet_count);
    return DROP_NOT;
}

bool ip_output(struct stack *stack, struct packet_out *out, const char **cause,
               struct flow_id *flow)
{
    struct ip_layer *ip = &stack->ip;
    struct out_packet *packet = ip->first;

    free_packet(ip, ip->lent);
    ip->lent = NULL;
    if (packet == NULL)
        return false;

    struct bytes rest = {packet->transport + packet->sent_bytes, packet->len - packet->sent_bytes};
    struct bytes payload = bytes_first(rest, packet->fragment_bytes);
    struct ipv4_packet header = packet->header;
    header.fragment_offset_bytes = (uint32_t)packet->sent_bytes;
    header.more_fragments = payload.len < rest.len;
    *out = (struct packet_out){.payload = {payload}};
    out->header_bytes = ipv4_emit(&header, payload.len, out->header, sizeof out->header);
    *cause = packet->cause;
    *flow = packet->flow;

    packet->sent_bytes += payload.len;
    ip->queued_count--;
    if (!header.more_fragments) {
        ip->first = packet->next;
        if (ip->first == NULL)
            ip->last = NULL;
        ip->lent = packet; /* *out points into it */
    }
    return true;
}

static uint16_t draw_id(struct stack *stack)
{
    uint32_t id;

    return stack_choice(stack, CHOICE_IP_ID, &id) ? (uint16_t)id : (uint16_t)stack_random(stack);
}

static uint16_t next_fragment_id(struct stack *stack)
{
    struct ip_layer *ip = &stack->ip;

    if (!ip->has_fragment_id)
        ip->fragment_id = draw_id(stack);
    ip->has_fragment_id = true;
    return ip->fragment_id++;
}

/* Offsets count in units of 8 bytes, so all fragments but the last carry a multiple of that. Each
 * carries the options: a source route, which is all that we send, is one of those to be copied (RFC
 * 791 3.1). */
static size_t fragment_room(const struct stack *stack, size_t header_bytes)
{
    return (stack->config.mtu_bytes - header_bytes) / 8 * 8;
}

static void join_queue(struct ip_layer *ip, struct out_packet *packet, unsigned packet_count)
{
    *(ip->last == NULL ? &ip->first : &ip->last->next) = packet;
    ip->last = packet;
    ip->queued_count += packet_count;
}
