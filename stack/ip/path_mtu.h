/* The largest packet that the path to a host takes, as far as transports have found out: a cache,
 * so that the second connection need not learn again what the first has learned. RFC 1191 6.2. */
#ifndef TUNTCP_IP_PATH_MTU_H
#define TUNTCP_IP_PATH_MTU_H

#include "../trace.h"

enum { IP_PATHS_MAX = 256 }; /* more push out the oldest */

struct stack;

struct ip_path {
    struct ip_addr remote;
    uint64_t learned_us;
    uint16_t mtu_bytes; /* less than our device's */
};

struct ip_paths {
    struct ip_path path[IP_PATHS_MAX];
    unsigned count;
};

/* "What the local IP layer can send" to there (9293 3.7.1, MUST-16): the path's MTU if it is known,
 * else the device's. */
uint16_t ip_path_mtu(const struct stack *stack, const struct ip_addr *remote);
/* A transport has found out, and has checked that it was not lied to. What is not less than the
 * device's MTU is nothing to remember: then what was known is forgotten. */
void ip_learn_path_mtu(struct stack *stack, const struct ip_addr *remote, uint16_t mtu_bytes);
/* A transport has retransmitted too often: the way to flow->remote may be at fault (9293 3.8.3 (b),
 * MUST-20; RFC 1122 3.3.1.4). What the cache says of it is forgotten. `cause` is a string constant.
 */
void ip_negative_advice(struct stack *stack, const struct flow_id *flow, const char *cause);

#endif
