/* What ip/ and stack.c call of the UDP room. Applications include udp.h. */
#ifndef TUNTCP_UDP_LAYER_H
#define TUNTCP_UDP_LAYER_H

#include "../ip/ip.h"
#include "udp.h"

struct udp_layer {
    struct udp_socket *sockets; /* a linked list: a client has a handful */
};

void udp_layer_free(struct udp_layer *udp);
/* A datagram for us; its checksum has still to be verified unless checksum_ok. */
enum drop udp_input(struct stack *stack, const struct ipv4_packet *ip, bool checksum_ok);
void udp_on_icmp_error(struct stack *stack, const struct icmp_error *error);

#endif
