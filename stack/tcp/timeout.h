/* The timeouts, RFC 9293 3.10.8. */
#ifndef TUNTCP_TCP_TIMEOUT_H
#define TUNTCP_TCP_TIMEOUT_H

#include "tcb.h"

/* Every timer of this connection that is due fires; the wheel is set for the next one. */
void tcp_on_time(struct tcb *tcb);
/* R2 may have become shorter: no time-out waits beyond it. */
void tcp_bring_r2_forward(struct tcb *tcb);

#endif
