/* SEG.ACK and SEG.WND of what we send: the acknowledgment and the receive window, RFC 9293 3.8.6.
 * The right edge announced, RCV.NXT + RCV.WND, is tcb->rcv_adv; these are its only writers once the
 * handshake has begun, but for text that a FIN ends. */
#ifndef TUNTCP_TCP_ANNOUNCE_H
#define TUNTCP_TCP_ANNOUNCE_H

#include "tcb.h"

/* SEG.ACK of a segment with `len` bytes of text and these flags. */
uint32_t announce_acknowledgment(const struct tcb *tcb, uint32_t len, uint8_t flags);
/* SEG.WND, scaled; RCV.WND is what it says from now on. */
uint16_t announce_window(struct tcb *tcb);
/* The same for an acknowledgment that stays behind RCV.NXT. */
uint16_t announce_window_behind(struct tcb *tcb, uint32_t ack);
/* The same for a SYN. */
uint16_t announce_syn_window(struct tcb *tcb);

/* Is the receive window worth announcing anew, without a segment that asks for it (MUST-39)? */
bool announce_is_due(const struct tcb *tcb);

#endif
