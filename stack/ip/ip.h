/* The IP room: what comes in is checked, put together from fragments and handed to its transport;
 * what goes out other than TCP segments waits here, in one bounded queue. RFC 791, RFC 1122 3.2.
 *
 * TCP segments do not pass through the queue: TCP is asked for them when the queue is empty, so
 * that they are made as late as possible. Both use ip_header_for() for their IP header. */
#ifndef TUNTCP_IP_H
#define TUNTCP_IP_H

#include "../stack.h"
#include "../wire/icmp.h"
#include "path_mtu.h"

struct reassembly;
struct out_packet; /* one waiting datagram */

struct ip_layer {
    struct reassembly *reassembly;
    struct out_packet *first, *last;
    unsigned queued_count;   /* packets that the queue will become: fragments count one by one */
    struct memory *memory;   /* where what waits is counted */
    struct out_packet *lent; /* the one that the last stack_output() points into */
    bool has_fragment_id;
    uint16_t fragment_id;          /* ID of the next datagram that is sent in fragments */
    uint64_t icmp_window_start_us; /* rate limit of our ICMP errors: this second ... */
    unsigned icmp_window_count;    /* ... and how many were sent in it */
    struct ip_paths paths;         /* narrower than our link, see path_mtu.h */
};

/* An ICMP error about a packet that we sent, taken apart for the transport it concerns. */
struct icmp_error {
    uint8_t type, code;
    uint16_t next_hop_mtu;
    struct ipv4_packet quoted; /* as far as it is there: its payload may be only 8 bytes */
    uint16_t quoted_bytes;     /* how long the quoted packet was, by its header */
    struct flow_id flow;       /* from the quotation: local is who sent it, that is we */
    uint8_t protocol;
    struct bytes quoted_transport; /* first bytes of the quoted TCP or UDP header: at least 8 */
};

/* 0, or -1 when memory is short. */
int ip_layer_init(struct ip_layer *ip, struct stack *stack);
void ip_layer_free(struct ip_layer *ip);

/* One packet from the device: checks, reassembly, then icmp, udp_input() or tcp_input(). */
enum drop ip_input(struct stack *stack, const struct packet_in *packet);
void ip_on_time(struct stack *stack);
uint64_t ip_next_deadline_us(const struct ip_layer *ip);

bool ip_is_ours(const struct stack *stack, const struct ip_addr *addr);
/* Count and trace, with a cause, that something other than the packet at hand was discarded: older
 * fragments, or a packet of our own. */
void ip_drop_aside(struct stack *stack, enum drop drop, const struct flow_id *flow,
                   const char *cause);

/* Everything of an IP header that does not depend on the transport: DF set (the stack sends atomic
 * datagrams; RFC 6864), ID by configuration, TTL and TOS as given. */
struct ipv4_packet ip_header_for(struct stack *stack, const struct ip_addr *src,
                                 const struct ip_addr *dst, uint8_t protocol, uint8_t ttl,
                                 uint8_t tos);

/* Queue a transport's packet: `header` (from ip_header_for(), options added where needed) and
 * `transport` are copied; cut into fragments (with DF clear and a fresh ID) when they do not fit
 * the MTU. `cause` is a string constant, traced when the packet goes out; `flow` may be NULL.
 * Returns DROP_NOT, or, counted and traced, DROP_OUT_QUEUE_FULL (also when memory is short). */
enum drop ip_send(struct stack *stack, const struct ipv4_packet *header, struct bytes transport,
                  const struct flow_id *flow, const char *cause);
/* The next queued packet, why it is sent and between whom; its memory is freed by the following
 * call. False, with nothing stored, when none waits. */
bool ip_output(struct stack *stack, struct packet_out *out, const char **cause,
               struct flow_id *flow);

/* Tell the sender of `offender` about an error, unless RFC 1122 3.2.2 forbids it (ICMP errors,
 * broadcast or multicast, fragments other than the first, no valid source) or the rate limit does.
 * `cause` is a string constant. */
void icmp_send_error(struct stack *stack, const struct ipv4_packet *offender, uint8_t type,
                     uint8_t code, const char *cause);
/* A message for us, its checksum still to be verified: the device knows nothing of ICMP's. */
enum drop icmp_input(struct stack *stack, const struct ipv4_packet *ip);

#endif
