/* SEGMENT ARRIVES, see arrival.c. */
#ifndef TUNTCP_TESTS_TALK_ARRIVAL_H
#define TUNTCP_TESTS_TALK_ARRIVAL_H

#include "outcomes.h"

void arrival_outcomes(const struct model *m, const struct tcp_segment *seg, struct outcomes *all);
/* All variables as they are; any reply that sent.c allows, but RST. */
struct outcome outcome_unchanged(const struct model *m, const char *clause);
/* `state`, and where the user's FIN waits to be sent, LAST-ACK: it may leave at any time. */
unsigned outcome_states(const struct model *m, enum tcp_state state);

#endif
