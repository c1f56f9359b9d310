/* Datagram sockets, RFC 768 and RFC 1122 4.1.
 *
 * A socket is a local port and a queue of datagrams that wait for udp_receive(); connected to a
 * peer it hears that peer alone. To everybody else its port looks closed: the answer is the same
 * ICMP port unreachable, so that nobody can find out by asking which port a query left from.
 *
 * The queue is bounded twice, by config.datagram_queue_max and by UDP_QUEUE_MAX_BYTES; what comes
 * beyond is discarded, which is the datagram service's normal answer.
 *
 * Sockets are a linked list: a client has a handful, and at most one per port.
 *
 * Ephemeral ports are drawn at random (RFC 6056 3.3.1): for DNS they are half of what an attacker
 * has to guess (RFC 5452).
 *
 * Not done: several sockets on one port, IP options, and source and TOS per datagram (RFC 1122
 * 4.1.3.2, 4.1.4): no program here wants them.
 *
 * Departure: ICMP errors reach connected sockets only, where RFC 1122 4.1.3.3 passes on all of
 * them: an unconnected socket could not tell which of its datagrams is meant. */
#include "udp.h"

#include <stdlib.h>
#include <string.h>

#include "../instance.h"
#include "../wire/udp.h"

enum { DYNAMIC_PORT_FIRST = 49152, DYNAMIC_PORT_COUNT = 16384 }; /* RFC 6335 6 */

struct datagram {
    struct datagram *next;
    struct flow_id flow;
    size_t len;
    uint8_t data[];
};

struct udp_socket {
    struct udp_socket *next;
    struct stack *stack;
    uint16_t local_port;
    bool is_connected;
    struct ip_addr remote;
    uint16_t remote_port;
    struct datagram *first, *last;
    unsigned queued_count;
    size_t queued_bytes;
    enum udp_err error; /* to be reported by the next udp_receive(); UDP_OK: none */
};

static struct udp_socket *socket_on(const struct stack *stack, uint16_t local_port);
static struct udp_socket *open_on(struct stack *stack, uint16_t local_port);
static uint16_t ephemeral_port(struct stack *stack, const uint16_t *remote_port);
static bool hears(const struct udp_socket *socket, const struct flow_id *flow);
static bool can_be_sent_to(const struct ip_addr *remote, uint16_t remote_port);
static enum drop queue_datagram(struct udp_socket *socket, const struct flow_id *flow,
                                struct bytes payload);
static void append(struct udp_socket *socket, struct datagram *datagram);
static struct datagram *take_first(struct udp_socket *socket);
static enum udp_err error_of(const struct icmp_error *icmp);

static void free_datagram(struct stack *stack, struct datagram *datagram)
{
    memory_give(&stack->memory, datagram, sizeof *datagram + datagram->len);
}

struct udp_socket *udp_open(struct stack *stack, uint16_t local_port)
{
    return open_on(stack, local_port != 0 ? local_port : ephemeral_port(stack, NULL));
}

struct udp_socket *udp_open_toward(struct stack *stack, uint16_t remote_port)
{
    return open_on(stack, ephemeral_port(stack, &remote_port));
}

static struct udp_socket *open_on(struct stack *stack, uint16_t local_port)
{
    if (local_port == 0 || socket_on(stack, local_port) != NULL)
        return NULL;
    struct udp_socket *socket = calloc(1, sizeof *socket);
    if (socket == NULL)
        return NULL;
    socket->stack = stack;
    socket->local_port = local_port;
    socket->next = stack->udp.sockets;
    stack->udp.sockets = socket;
    return socket;
}

void udp_close(struct udp_socket *socket)
{
    if (socket == NULL)
        return;
    struct udp_socket **link = &socket->stack->udp.sockets;
    while (*link != socket)
        link = &(*link)->next;
    *link = socket->next;
    while (socket->first != NULL)
        free_datagram(socket->stack, take_first(socket));
    free(socket);
}

void udp_layer_free(struct udp_layer *udp)
{
    while (udp->sockets != NULL)
        udp_close(udp->sockets);
}

uint16_t udp_local_port(const struct udp_socket *socket)
{
    return socket->local_port;
}

void udp_connect(struct udp_socket *socket, const struct ip_addr *remote, uint16_t remote_port)
{
    struct datagram *waiting = socket->first;

    socket->is_connected = true;
    socket->remote = *remote;
    socket->remote_port = remote_port;
    socket->error = UDP_OK;
    socket->first = socket->last = NULL;
    socket->queued_count = 0;
    socket->queued_bytes = 0;
    while (waiting != NULL) {
        struct datagram *datagram = waiting;
        waiting = datagram->next;
        if (hears(socket, &datagram->flow)) {
            append(socket, datagram);
            continue;
        }
        ip_drop_aside(socket->stack, DROP_UDP_CLOSED_PORT, &datagram->flow,
                      "the socket has been connected to another peer");
        free_datagram(socket->stack, datagram);
    }
}

int udp_send(struct udp_socket *socket, const struct ip_addr *local, const struct ip_addr *remote,
             uint16_t remote_port, struct bytes payload, const char *cause)
{
    struct stack *stack = socket->stack;
    struct flow_id flow = {
        .local = local != NULL ? *local : stack->config.address[0],
        .remote = *remote,
        .local_port = socket->local_port,
        .remote_port = remote_port,
    };
    struct udp_datagram udp = {socket->local_port, remote_port, payload};

    if (!can_be_sent_to(remote, remote_port) || !ip_is_ours(stack, &flow.local))
        return UDP_ERR_INVALID;
    if (payload.len > UDP_PAYLOAD_MAX_BYTES)
        return UDP_ERR_TOO_LONG;
    size_t room = UDP_HEADER_BYTES + payload.len;
    uint8_t *packet = malloc(room);
    if (packet == NULL)
        return UDP_ERR_RESOURCES;
    size_t len = udp_emit(&udp, &flow.local, remote, packet, room);
    struct ipv4_packet header =
        ip_header_for(stack, &flow.local, remote, IP_PROTOCOL_UDP, stack->config.ttl, 0);
    enum drop drop = ip_send(stack, &header, (struct bytes){packet, len}, &flow, cause);
    free(packet);
    return drop == DROP_NOT ? UDP_OK : UDP_ERR_RESOURCES;
}

ptrdiff_t udp_receive(struct udp_socket *socket, uint8_t *data, size_t len, struct flow_id *from)
{
    struct datagram *datagram = take_first(socket);
    if (datagram == NULL) {
        enum udp_err error = socket->error;
        socket->error = UDP_OK;
        return error == UDP_OK ? UDP_NOTHING : error;
    }
    size_t copied = datagram->len < len ? datagram->len : len;
    if (copied > 0)
        memcpy(data, datagram->data, copied);
    if (from != NULL)
        *from = datagram->flow;
    free_datagram(socket->stack, datagram);
    return (ptrdiff_t)copied;
}

bool udp_readable(const struct udp_socket *socket)
{
    return socket->first != NULL || socket->error != UDP_OK;
}

enum drop udp_input(struct stack *stack, const struct ipv4_packet *ip, bool checksum_ok)
{
    struct udp_datagram udp;
    struct flow_id flow = {.local = ip->dst, .remote = ip->src};

    enum drop drop = udp_parse(ip->payload, &ip->src, &ip->dst, checksum_ok, &udp);
    if (drop != DROP_NOT)
        return stack_drop(stack, drop, &flow);
    flow.local_port = udp.dst_port;
    flow.remote_port = udp.src_port;
    struct udp_socket *socket = socket_on(stack, udp.dst_port);
    if (socket == NULL || !hears(socket, &flow)) {
        stack_drop(stack, DROP_UDP_CLOSED_PORT, &flow);
        icmp_send_error(stack, ip, ICMP_UNREACHABLE, ICMP_UNREACHABLE_PORT,
                        "no socket is open on this port");
        return DROP_UDP_CLOSED_PORT;
    }
    drop = queue_datagram(socket, &flow, udp.payload);
    return drop == DROP_NOT ? DROP_NOT : stack_drop(stack, drop, &flow);
}

void udp_on_icmp_error(struct stack *stack, const struct icmp_error *error)
{
    struct udp_socket *socket = socket_on(stack, error->flow.local_port);

    if (socket != NULL && socket->is_connected && hears(socket, &error->flow))
        socket->error = error_of(error);
}

static struct udp_socket *socket_on(const struct stack *stack, uint16_t local_port)
{
    struct udp_socket *socket = stack->udp.sockets;

    while (socket != NULL && socket->local_port != local_port)
        socket = socket->next;
    return socket;
}

/* A random port, or the next free one above it; 0 when all are taken. */
/* *remote_port, if there is one: what comes from there is to come to our queue. 0: none is left. */
static uint16_t ephemeral_port(struct stack *stack, const uint16_t *remote_port)
{
    uint32_t chosen;

    if (stack_choice(stack, CHOICE_LOCAL_PORT, &chosen) && chosen > 0 && chosen <= UINT16_MAX &&
        socket_on(stack, (uint16_t)chosen) == NULL)
        return (uint16_t)chosen;
    uint64_t start = stack_random(stack);
    for (uint64_t i = 0; i < DYNAMIC_PORT_COUNT; i++) {
        uint16_t port = (uint16_t)(DYNAMIC_PORT_FIRST + (start + i) % DYNAMIC_PORT_COUNT);
        if ((remote_port == NULL || stack_is_on_our_queue(stack, port, *remote_port)) &&
            socket_on(stack, port) == NULL)
            return port;
    }
    return 0;
}

static bool hears(const struct udp_socket *socket, const struct flow_id *flow)
{
    return !socket->is_connected || (socket->remote_port == flow->remote_port &&
                                     ip_addr_equal(&socket->remote, &flow->remote));
}

static bool can_be_sent_to(const struct ip_addr *remote, uint16_t remote_port)
{
    return remote_port != 0 && ip_addr_is_v4(remote) && ip_addr_is_valid_source(remote);
}

static enum drop queue_datagram(struct udp_socket *socket, const struct flow_id *flow,
                                struct bytes payload)
{
    size_t cost = sizeof(struct datagram) + payload.len;

    if (socket->queued_count >= socket->stack->config.datagram_queue_max ||
        socket->queued_bytes + cost > UDP_QUEUE_MAX_BYTES)
        return DROP_UDP_QUEUE_FULL;
    struct memory *memory = &socket->stack->memory;
    struct datagram *datagram = memory_allows(memory, cost) ? memory_take(memory, cost) : NULL;
    if (datagram == NULL)
        return DROP_UDP_QUEUE_FULL;
    datagram->flow = *flow;
    datagram->len = payload.len;
    if (payload.len > 0)
        memcpy(datagram->data, payload.data, payload.len);
    append(socket, datagram);
    return DROP_NOT;
}

static void append(struct udp_socket *socket, struct datagram *datagram)
{
    datagram->next = NULL;
    *(socket->last == NULL ? &socket->first : &socket->last->next) = datagram;
    socket->last = datagram;
    socket->queued_count++;
    socket->queued_bytes += sizeof *datagram + datagram->len;
}

static struct datagram *take_first(struct udp_socket *socket)
{
    struct datagram *datagram = socket->first;

    if (datagram == NULL)
        return NULL;
    socket->first = datagram->next;
    if (socket->first == NULL)
        socket->last = NULL;
    socket->queued_count--;
    socket->queued_bytes -= sizeof *datagram + datagram->len;
    return datagram;
}

static enum udp_err error_of(const struct icmp_error *icmp)
{
    if (icmp->type != ICMP_UNREACHABLE)
        return UDP_ERR_UNREACHABLE;
    if (icmp->code == ICMP_UNREACHABLE_PORT)
        return UDP_ERR_REFUSED;
    return icmp->code == ICMP_UNREACHABLE_FRAGMENTATION ? UDP_ERR_TOO_LONG : UDP_ERR_UNREACHABLE;
}
