/* Pacing: the window leaves spread over the round trip rather than in bursts. Output asks how much
 * may leave now, and says what has left. */
#ifndef TUNTCP_TCP_PACING_H
#define TUNTCP_TCP_PACING_H

#include "../tcb.h"

bool pacing_is_on(const struct tcb *tcb);
/* Bytes per second; 0: pacing is off. */
uint64_t pacing_rate(const struct tcb *tcb);
/* How many bytes may leave now: none, or at least a segment. UINT32_MAX: pacing is off. */
uint32_t pacing_allowance(const struct tcb *tcb);
/* It was none, and something waits: come back when the pace allows. */
void pacing_wait(struct tcb *tcb);
/* So many bytes have left. */
void pacing_on_sent(struct tcb *tcb, uint32_t bytes);

#endif
