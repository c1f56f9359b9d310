/* SYN cookies, RFC 4987 3.6: an answer to a SYN for which nothing is remembered. What would be is
 * in the numbers of the SYN,ACK, and the ACK brings it back; see syncookie.c. */
#ifndef TUNTCP_TCP_SYNCOOKIE_H
#define TUNTCP_TCP_SYNCOOKIE_H

#include "tcb.h"

/* What is left of a SYN when it has been through a cookie. */
struct tcp_segment syncookie_reduced(const struct tcp_config *config,
                                     const struct tcp_segment *syn);
/* The ISS that says it, and a TSval not above `tsval` for the rest. */
uint32_t syncookie_iss(const struct stack *stack, const struct flow_id *id,
                       const struct tcp_segment *reduced);
uint32_t syncookie_tsval(uint32_t tsval, const struct tcp_segment *reduced);

/* Does this ACK bring back a cookie of ours? Then *syn is the SYN, as syncookie_reduced() made it,
 * and ISS is SEG.ACK - 1. */
bool syncookie_check(const struct stack *stack, const struct flow_id *id,
                     const struct tcp_segment *seg, struct tcp_segment *syn);

/* May an ACK bring one back: has the listener sent any that would still be valid? */
bool syncookie_is_awaited(const struct tcb *listener);

#endif
