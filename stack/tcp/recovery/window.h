/* The congestion window of a connection: what happens to it, brought to the algorithm of
 * congestion.h in its own terms, and each decision traced. */
#ifndef TUNTCP_TCP_WINDOW_H
#define TUNTCP_TCP_WINDOW_H

#include "recovery.h"

/* The handshake is done. */
void window_start(struct tcb *tcb, uint32_t initial_segments);
/* Before the first segment after a pause, RFC 5681 4.1. */
void window_after_idle(struct tcb *tcb);
/* How many bytes may leave before the next acknowledgment: the limit for bursts. */
uint32_t window_burst_left(const struct tcb *tcb);
/* So many bytes have left. */
void window_on_sent(struct tcb *tcb, uint32_t bytes);
/* It is held to be lost. */
void window_on_lost(struct tcb *tcb, const struct tx_record *record);
/* An acknowledgment that says nothing new would change nothing. */
bool window_is_at_rest(const struct tcb *tcb);
/* Output would go on, but the application has nothing to send. */
void window_has_nothing_to_send(struct tcb *tcb);
/* A sample of the delivery rate by this acknowledgment, for an algorithm that wants it. */
void window_sample_rate(struct tcb *tcb, const struct ack_news *news, uint32_t delivered_bytes);
/* Output would go on, but the window is full. */
void window_is_full(struct tcb *tcb);
/* Each acknowledgment, after loss detection has seen it: is it one of a recovery, or of the slow
 * start after a time-out? */
void window_on_ack(struct tcb *tcb, const struct ack_news *news, uint32_t delivered_bytes,
                   bool in_recovery, bool after_timeout);
/* Once per round trip; `flight` is what counts as outstanding. */
void window_on_congestion(struct tcb *tcb, enum congestion_reason reason, uint32_t flight);
/* The same segment may have timed out before. */
void window_on_timeout(struct tcb *tcb, bool is_repeated);
/* All that was lost is repaired. */
void window_on_recovered(struct tcb *tcb);
/* The last reduction was a mistake and has been taken back (undo.c). */
void window_was_undone(struct tcb *tcb, uint32_t before_bytes);

#endif
