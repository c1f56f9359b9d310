/* What the two halves of path MTU discovery say to each other: path_mtu.c has the size in use, and
 * what routers say of it; path_mtu_search.c finds it out without them. For these two files alone.
 */
#ifndef TUNTCP_TCP_PATH_MTU_SEARCH_H
#define TUNTCP_TCP_PATH_MTU_SEARCH_H

#include "tcb.h"

/* ---- path_mtu.c */

void path_mtu_trace(const struct tcb *tcb, enum trace_path_mtu what, uint16_t mtu_bytes,
                    const char *cause, const char *clause);
/* One size takes the place of another. */
void path_mtu_use(struct tcb *tcb, uint16_t mtu);
/* The same for a smaller one: what is in flight and larger is lost. */
void path_mtu_lower(struct tcb *tcb, uint16_t mtu);
/* Connections to come may begin with the size in use. */
void path_mtu_tell_others(struct tcb *tcb);

/* ---- path_mtu_search.c */

/* The largest size below `size` that links have; 0: none. */
uint16_t search_plateau_below(uint16_t size);
/* No search any more, and none for a while. */
void search_end(struct tcb *tcb);
/* The size that was guessed passes. */
void search_on_guess_confirmed(struct tcb *tcb);
bool search_is_in_probe(const struct tcb *tcb, uint32_t seq);
/* A router says that the probe, which is out, is too large, and that `mtu`, of at least the size in
 * use, is not. */
void search_on_probe_too_big(struct tcb *tcb, uint16_t mtu);
/* Bytes from `seq` on leave: as a probe, or in segments of SND.MSS. */
void search_on_probe_sent(struct tcb *tcb, uint32_t seq, uint32_t len);
void search_on_sent(struct tcb *tcb, uint32_t seq);
/* SND.UNA has advanced. */
void search_on_ack(struct tcb *tcb);
/* The retransmission timer has fired: what of a probe that is out, and then, if no router is to
 * blame, of the silence? */
void search_on_timeout(struct tcb *tcb);
void search_on_silence(struct tcb *tcb);

#endif
