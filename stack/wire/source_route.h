/* Source routes, the IPv4 options of RFC 791 3.1: the gateways that a packet visits on its way. */
#ifndef TUNTCP_WIRE_SOURCE_ROUTE_H
#define TUNTCP_WIRE_SOURCE_ROUTE_H

#include "ipv4.h"

enum { SOURCE_ROUTE_HOPS_MAX = 9, SOURCE_ROUTE_MAX_BYTES = 40 };

/* Gateways from here to there; the final destination is not among them. */
struct source_route {
    bool is_strict; /* nothing else lies between them */
    uint8_t hop_count;
    struct ip_addr hop[SOURCE_ROUTE_HOPS_MAX];
};

enum source_route_end {
    SOURCE_ROUTE_NONE,      /* the options have no source route */
    SOURCE_ROUTE_MALFORMED, /* a length or a pointer that cannot be */
    SOURCE_ROUTE_GOES_ON,   /* hops are left: *route is all of the option, its last hop the end */
    SOURCE_ROUTE_COMPLETE,  /* the packet has arrived: *route is how it came */
};

/* The first source route among the options of a packet. */
enum source_route_end source_route_parse(struct bytes options, struct source_route *route);
/* The way back to `source` along a complete route. A route in which the source has named itself as
 * the first hop (RFC 1122 3.2.1.8 (B)) gives the same. */
struct source_route source_route_back(const struct source_route *route,
                                      const struct ip_addr *source);
/* Send the packet with this header along `route`: its destination becomes the first gateway, and
 * its options, which borrow from `option`, name the others and the end. */
void source_route_apply(const struct source_route *route, struct ipv4_packet *ip,
                        uint8_t option[static SOURCE_ROUTE_MAX_BYTES]);
/* What that adds to the header. */
size_t source_route_bytes(const struct source_route *route);

#endif
