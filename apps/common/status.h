/* The status of a connection as text: what `ss -ti` shows of the kernel's. */
#ifndef TUNTCP_STATUS_H
#define TUNTCP_STATUS_H

#include <stdio.h>

#include "../../stack/tcp/tcp.h"

/* A block of a few lines. `now_us` is the stack's time: timers are shown with the time left. */
void status_print(FILE *out, const struct tcp_status *status, uint64_t now_us);

#endif
