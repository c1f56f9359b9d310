/* Datagram sockets, RFC 768 and RFC 1122 4.1. */
#ifndef TUNTCP_UDP_H
#define TUNTCP_UDP_H

#include "../stack.h"

struct udp_socket;

enum {
    UDP_PAYLOAD_MAX_BYTES = 65507,    /* 65535 less the headers of IP and UDP */
    UDP_QUEUE_MAX_BYTES = 256 * 1024, /* waiting in one socket, bookkeeping included */
};

enum udp_err {
    UDP_OK = 0,
    UDP_NOTHING = -1,       /* udp_receive(): no datagram is there */
    UDP_ERR_EXISTS = -2,    /* the port is taken */
    UDP_ERR_RESOURCES = -3, /* memory, or the outgoing queue is full */
    UDP_ERR_INVALID = -4,   /* an address that cannot be sent to */
    UDP_ERR_TOO_LONG = -5,  /* does not fit in one IP packet; or a router could not pass it on */
    UDP_ERR_REFUSED = -6,   /* ICMP port unreachable came back (1122 4.1.3.3) */
    UDP_ERR_UNREACHABLE = -7,
};

/* A socket on `local_port` (0: an ephemeral one, RFC 6056). NULL if the port is taken or memory is
 * short. `udp_close(NULL)` is fine. stack_free() closes all sockets. */
struct udp_socket *udp_open(struct stack *stack, uint16_t local_port);
/* On an ephemeral port for what goes to `remote_port` of a peer: of several stacks at queues of a
 * device (config.queue_count) this one gets the answers. With udp_open() it may be any. */
struct udp_socket *udp_open_toward(struct stack *stack, uint16_t remote_port);
void udp_close(struct udp_socket *socket);
uint16_t udp_local_port(const struct udp_socket *socket);

/* Bind to one peer: datagrams of others are not delivered (nor those of others that wait already),
 * and ICMP errors about datagrams to this peer are reported. */
void udp_connect(struct udp_socket *socket, const struct ip_addr *remote, uint16_t remote_port);

/* Queue one datagram; `local` NULL: the stack's first address. Copies the bytes. Returns 0 or a
 * negative enum udp_err. Datagrams above the MTU go out in fragments. `cause`, a string constant,
 * is traced. */
int udp_send(struct udp_socket *socket, const struct ip_addr *local, const struct ip_addr *remote,
             uint16_t remote_port, struct bytes payload, const char *cause);

/* The oldest datagram that has come: copied to `data`, what is beyond `len` is lost; *from (may be
 * NULL) tells its source as the remote end and the address it was sent to as the local one. Returns
 * how many bytes were copied, UDP_NOTHING, or UDP_ERR_REFUSED, UDP_ERR_UNREACHABLE or
 * UDP_ERR_TOO_LONG once after ICMP errors, behind the datagrams that wait. */
ptrdiff_t udp_receive(struct udp_socket *socket, uint8_t *data, size_t len, struct flow_id *from);
/* Is there something for udp_receive()? */
bool udp_readable(const struct udp_socket *socket);

#endif
