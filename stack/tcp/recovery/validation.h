/* Window validation, RFC 7661: what a sender that does not use its window may keep of it. Pure
 * functions on a small record; window.c calls them where the configuration asks for it. */
#ifndef TUNTCP_TCP_VALIDATION_H
#define TUNTCP_TCP_VALIDATION_H

#include "congestion.h"

/* An acknowledgment: take a sample of pipeACK at the end of each round. */
void validation_on_ack(struct validation *validation, const struct congestion_ack *ack);
/* pipeACK (4.2): the most that was acknowledged in a round lately. */
uint32_t validation_pipe_ack(const struct validation *validation);
/* The validated phase (4.3): pipeACK is half of the window, or not defined. */
bool validation_holds(const struct validation *validation, uint32_t cwnd);
/* After a loss nothing that was measured before counts (4.2). */
void validation_forget(struct validation *validation);
/* The sender is in the validated phase (4.3) or, since so long, is not. */
void validation_note(struct validation *validation, bool is_validated, uint64_t since_us);
/* How often the non-validated period has passed (4.4.3) since then; counts anew after that. */
unsigned validation_take_periods(struct validation *validation, uint64_t now_us);

#endif
