/* ^C (SIGINT), SIGTERM and SIGUSR1, seen by a loop that waits in poll(). */
#ifndef TUNTCP_SIGNALS_H
#define TUNTCP_SIGNALS_H

#include <stdbool.h>

/* Note SIGINT, SIGTERM and SIGUSR1 instead of dying of them, and ignore SIGPIPE. 0, or -1 with
 * errno. */
int signals_watch(void);
/* How often they have come: the first asks for an orderly end, the second for an end. SIGTERM
 * counts as two. */
int signals_count(void);
/* Has SIGUSR1 come since the last call? It asks for the status of the connection. */
bool signals_ask_for_status(void);
/* Readable while a signal has come that signals_drain() has not taken; -1 before signals_watch().
 */
int signals_fd(void);
void signals_drain(void);

#endif
