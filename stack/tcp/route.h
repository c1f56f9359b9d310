/* The source route of a connection, RFC 9293 3.9.2.1, see route.c. */
#ifndef TUNTCP_TCP_ROUTE_H
#define TUNTCP_TCP_ROUTE_H

#include "tcb.h"

/* The gateways by way of which the connection's packets go, or NULL. */
const struct source_route *route_of(const struct tcb *tcb);
/* An acceptable segment has come; if it came by a source route, go back by that. */
void route_learn(struct tcb *tcb, const struct tcp_segment *seg);
/* Can packets be sent along it? No hop may be a broadcast or multicast address. */
bool route_is_valid(const struct source_route *route);

#endif
