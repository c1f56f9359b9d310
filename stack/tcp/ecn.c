/* Explicit Congestion Notification, RFC 3168 (SHLD-8): a router that is about to drop marks
 * instead, and nobody has to send anything again.
 *
 *     sender                    router                 receiver
 *       data, ECT(0)  ---------> queue fills: CE -----> echo = true
 *       half the window <------------------------------ ACK with ECE, each ACK
 *       next new data with CWR ------------------------> echo = false
 *
 * Negotiation (6.1.1): a SYN with ECE and CWR offers, a SYN,ACK with ECE alone accepts; a peer that
 * merely reflects reserved bits sends both back and is not taken for one that accepts (6.1.1.2). By
 * default an offer is accepted, but none is made: see config.h.
 *
 * Only new data is sent as ECN-capable: not a SYN, an ACK alone (6.1.4), a retransmission (6.1.5)
 * or a window probe (6.1.6). The window is reduced once per window of data, by whichever of loss
 * and echo comes first.
 *
 * Not done: a second try without the offer when a middlebox answers it by RST (6.1.1.1, MAY). */
#include "ecn.h"

#include "recovery/recovery.h"
#include "seq.h"
#include "tcb.h"

enum { ECN_SETUP = TCP_ECE | TCP_CWR };

/* ---- negotiation */

/* 6.1.1.1: a SYN that was not answered goes out again without the offer, because some middleboxes
 * drop it. A SYN,ACK that is repeated says what it has said. */
uint8_t ecn_syn_flags(struct tcb *tcb, bool is_repeated)
{
    struct ecn *ecn = &tcb->ecn;

    if (tcb->state == TCPS_SYN_RECEIVED)
        return ecn->is_on ? TCP_ECE : 0;
    bool offers = tcb->config->ecn == TCP_ECN_ON && !is_repeated;
    if (!offers)
        ecn->has_declined = true;
    return offers ? ECN_SETUP : 0;
}

/* A SYN offers, and a SYN,ACK accepts what our SYN offered. Of SYNs that cross each offers. */
void ecn_take_syn(struct tcb *tcb, const struct tcp_segment *seg)
{
    bool is_answer = (seg->flags & TCP_ACK) != 0;
    bool is_setup = (seg->flags & ECN_SETUP) == (is_answer ? TCP_ECE : ECN_SETUP);
    bool we_want =
        tcb->passive_open ? tcb->config->ecn != TCP_ECN_OFF : tcb->config->ecn == TCP_ECN_ON;

    tcb->ecn.is_on = is_setup && we_want;
    if (!tcb->ecn.is_on)
        tcb->ecn.has_declined = true;
}

/* We may mark our data as ECN-capable: neither side has sent a SYN that says otherwise. */
static bool may_send_ect(const struct tcb *tcb)
{
    return tcb->ecn.is_on && !tcb->ecn.has_declined;
}

/* ---- receiver, 6.1.3 */

static void trace_ecn(struct tcb *tcb, bool is_echo, const char *cause, const char *clause)
{
    tcb_trace(tcb, (struct trace_event){.kind = TRACE_ECN,
                                        .cause = cause,
                                        .clause = clause,
                                        .u.ecn = {.is_echo = is_echo}});
}

/* CWR first: a packet that carries both says that the sender has slowed down, and that it was
 * marked after that. */
void ecn_on_text(struct tcb *tcb, const struct tcp_segment *seg)
{
    struct ecn *ecn = &tcb->ecn;

    if (!ecn->is_on)
        return;
    if (seg->flags & TCP_CWR && ecn->echo) {
        ecn->echo = false;
        trace_ecn(tcb, false, "the peer has reduced its window (CWR): echoed no more",
                  "RFC 3168 6.1.3");
    }
    if ((seg->tos & ECN_MASK) != ECN_CE)
        return;
    ecn->echo = true;
    trace_ecn(tcb, false, "a router marked the packet (CE): echoed until CWR", "RFC 3168 6.1.3");
}

uint8_t ecn_flags(struct tcb *tcb, bool is_new_data)
{
    uint8_t flags = tcb->ecn.echo ? TCP_ECE : 0;

    if (is_new_data && tcb->ecn.cwr_now) {
        tcb->ecn.cwr_now = false;
        flags |= TCP_CWR;
    }
    return flags;
}

uint8_t ecn_codepoint(const struct tcb *tcb, bool is_new_data)
{
    return is_new_data && may_send_ect(tcb) ? ECN_ECT_0 : ECN_NOT_ECT;
}

/* ---- sender, 6.1.2 */

void ecn_window_was_reduced(struct tcb *tcb)
{
    if (!may_send_ect(tcb))
        return;
    tcb->ecn.cwr_now = true;
    tcb->ecn.is_reduced = true;
    tcb->ecn.recover = tcb->snd_nxt;
}

/* A window of one segment cannot be halved: the timer slows the sender down instead. */
static void wait_for_timer(struct tcb *tcb)
{
    tcb->ecn.holds = true;
    tcb_timer_set(tcb, TIMER_RETRANSMIT,
                  tcb->stack->now_us + tcp_rto_current_us(&tcb->rto, tcb->config));
}

bool ecn_on_ack(struct tcb *tcb, const struct tcp_segment *seg, uint32_t flight_before)
{
    struct ecn *ecn = &tcb->ecn;

    if (ecn->is_reduced && seq_geq(tcb->snd_una, ecn->recover))
        ecn->is_reduced = false;
    if (!may_send_ect(tcb) || (seg->flags & (TCP_ECE | TCP_SYN)) != TCP_ECE)
        return false;
    if (ecn->is_reduced || ecn->holds) /* told already; the timer is not put off by telling again */
        return true;
    trace_ecn(tcb, true, "the peer echoes congestion (ECE)", "RFC 3168 6.1.2");
    bool is_least = tcb->work->cc.cwnd <= tcb->snd_mss;
    if (recovery_on_echo(tcb, flight_before) && is_least)
        wait_for_timer(tcb);
    return true;
}
