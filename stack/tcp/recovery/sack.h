/* The SACK option in both directions: what we report as the receiver of data, and what a peer's
 * blocks tell us as its sender. RFC 2018, and RFC 2883 for duplicates (D-SACK). */
#ifndef TUNTCP_TCP_SACK_H
#define TUNTCP_TCP_SACK_H

#include "recovery.h"

/* Text [start, end) has arrived: remember its first part that was there already, to be reported
 * once. True if there is one. Called before the text is taken. */
bool sack_note_duplicate(struct tcb *tcb, uint32_t start, uint32_t end);
/* Something is to be reported. */
bool sack_is_due(const struct tcb *tcb);
/* The blocks for a segment with room for `max`: a duplicate first, then what lies behind holes, the
 * newest first. Returns how many. The duplicate is forgotten: each is reported once. */
unsigned sack_report(struct tcb *tcb, struct tcp_sack_block *blocks, unsigned max);

/* Enter the blocks of an acknowledgment into the transmission records and into `news`. Before the
 * acknowledgment number is looked at. */
void sack_take(struct tcb *tcb, const struct tcp_segment *seg, struct ack_news *news);

#endif
