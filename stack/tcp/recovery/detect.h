/* Loss detection: what is lost, as far as acknowledgments show it. Which way is chosen by
 * tcp_config.loss_detection; without SACK it is NewReno's. Reads and writes the transmission
 * records alone: how much is sent again, and when, is recovery.h's business. */
#ifndef TUNTCP_TCP_DETECT_H
#define TUNTCP_TCP_DETECT_H

#include "recovery.h"

enum tcp_loss_detection detect_way(const struct tcb *tcb);
/* Mark what the acknowledgments so far show to be lost; true if something new was marked. */
bool detect_losses(struct tcb *tcb, const struct ack_news *news);
/* Mark what a time-out shows to be lost, and forget SACKs that may no longer be true. */
void detect_on_timeout(struct tcb *tcb);
/* Mark record `i`, `bytes` of it at most, and tell it: `why` has the clause and u.lost.by with its
 * numbers. */
void detect_mark(struct tcb *tcb, unsigned i, uint32_t bytes, const struct trace_event *why);

/* RFC 6675: IsLost(), and what NextSeg() finds when nothing is lost and nothing new may be sent:
 * that range is marked, to be sent again. (detect_sack.c) */
bool detect_by_sack(struct tcb *tcb);
bool detect_next_seg(struct tcb *tcb);
/* RFC 6582. (detect_newreno.c) */
bool detect_by_duplicates(struct tcb *tcb, const struct ack_news *news);

#endif
