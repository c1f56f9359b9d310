/* The steps of SEGMENT ARRIVES that lie in files of their own, for arrives*.c alone. */
#ifndef TUNTCP_TCP_ARRIVES_STEPS_H
#define TUNTCP_TCP_ARRIVES_STEPS_H

#include "tcb.h"

/* Of the peer's SYN or SYN,ACK: IRS, options, and what it says of ECN. (arrives.c) */
void arrives_take_syn(struct tcb *tcb, const struct tcp_segment *seg);

/* Is there no room for another connection until tcp_accept() is called? (arrives_listen.c) */
bool arrives_accept_queue_is_full(const struct tcb *listener);

/* Fifth; DROP_NOT to go on. (arrives_ack.c) */
enum drop arrives_check_ack(struct tcb *tcb, const struct tcp_segment *seg);
/* The processing of an acceptable one in ESTABLISHED, which the other synchronized states share. */
void arrives_take_ack(struct tcb *tcb, const struct tcp_segment *seg);
/* Our SYN is acknowledged: SND.UNA and the round trip of the handshake. */
void arrives_take_syn_ack(struct tcb *tcb, const struct tcp_segment *seg);
/* SND.WND, SND.WL1 and SND.WL2 from this segment. */
void arrives_set_window(struct tcb *tcb, const struct tcp_segment *seg);
void arrives_enter_time_wait(struct tcb *tcb, const char *why, const char *clause);

/* Sixth to eighth. (arrives_text.c) */
void arrives_check_urg(struct tcb *tcb, const struct tcp_segment *seg);
enum drop arrives_process_text(struct tcb *tcb, const struct tcp_segment *seg);
/* Text that begins at RCV.NXT and fits the window, with no holes; ECN is off. */
enum drop arrives_take_next_text(struct tcb *tcb, const struct tcp_segment *seg);
void arrives_check_fin(struct tcb *tcb, const struct tcp_segment *seg);

/* Shared by several. (arrives.c) */
/* TS.Recent, RFC 7323 4.3. */
void arrives_take_timestamp(struct tcb *tcb, const struct tcp_segment *seg);
void arrives_challenge(struct tcb *tcb, const char *cause);
void arrives_answer_unwanted(struct tcb *tcb, const struct tcp_segment *seg, const char *cause);
void arrives_round_receive_buffer(struct tcb *tcb);
bool arrives_is_crossed_syn_ack(const struct tcb *tcb, const struct tcp_segment *seg);

#endif
