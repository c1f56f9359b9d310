/* What an acknowledgment says: how far we have received, and up to where the peer may send; see
 * announce.h. */
#include "announce.h"

#include "seq.h"

static uint32_t free_receive_bytes(const struct tcb *tcb)
{
    /* Where memory is short, no more is offered than is there: the window is smaller. */
    size_t capacity = ring_capacity(&tcb->work->receive_ring, tcb->rcv_buffer_bytes);

    return capacity > tcb->work->receive_ring.used
               ? (uint32_t)capacity - tcb->work->receive_ring.used
               : 0;
}

/* The right edge to announce: it never moves back (SHLD-14), and forward only by a worthwhile step,
 * 9293 3.8.6.2.2 (MUST-39). A full buffer keeps the window closed for as long as nobody reads
 * (MAY-8). */
static uint32_t right_edge(const struct tcb *tcb)
{
    uint32_t edge = tcb->rcv_nxt + free_receive_bytes(tcb);
    uint32_t half = tcb->rcv_buffer_bytes / 2;
    uint32_t step = half < tcb->rcv_mss ? half : tcb->rcv_mss;

    if (!tcb_is_synchronized(tcb)) /* a SYN,ACK sent again cannot say more than the first */
        return tcb->rcv_adv;
    return seq_lt(edge, tcb->rcv_adv + step) ? tcb->rcv_adv : edge;
}

bool announce_is_due(const struct tcb *tcb)
{
    uint32_t edge = tcb->rcv_nxt + free_receive_bytes(tcb);
    uint32_t half = tcb->rcv_buffer_bytes / 2;
    uint32_t step = half < 2 * tcb->rcv_mss ? half : 2 * tcb->rcv_mss;

    return tcb_may_receive(tcb) && !tcb->peer_fin && seq_geq(edge, tcb->rcv_adv + step);
}

/* SEG.WND, and RCV.WND with it. A new edge is rounded down to what the scale can say; an edge that
 * stays is rounded up, so that it does not creep back (RFC 7323 2.4). */
uint16_t announce_window(struct tcb *tcb)
{
    uint32_t unit = 1u << tcb->rcv_wnd_shift;
    uint32_t edge = right_edge(tcb);
    uint32_t wnd = edge - tcb->rcv_nxt;
    uint32_t raw = edge == tcb->rcv_adv ? (wnd + unit - 1) / unit : wnd / unit;

    /* Departure from SHLD-14: rounding up many times would let the edge creep beyond the buffer;
     * there it gives way by less than a unit, as RFC 7323 2.4 foresees. What was announced is still
     * accepted. */
    if (raw * unit > wnd &&
        tcb->work->receive_ring.used + raw * unit > tcb->rcv_buffer_bytes + unit)
        raw--;
    if (raw > UINT16_MAX)
        raw = UINT16_MAX;
    tcb->rcv_adv = seq_max(tcb->rcv_adv, tcb->rcv_nxt + raw * unit);
    bool is_closed = raw == 0;
    if (tcb->rcv_wnd_is_closed != is_closed && tcb_is_synchronized(tcb))
        tcb_trace(
            tcb, (struct trace_event){
                     .kind = TRACE_WINDOW,
                     .cause = is_closed ? "our receive buffer is full" : "the application has read",
                     .u.window = {.ours = true, .closed = is_closed, .wnd_bytes = raw * unit}});
    tcb->rcv_wnd_is_closed = is_closed;
    return (uint16_t)raw;
}

/* SEG.ACK: RCV.NXT. With stretch_acks off an ACK alone goes forward by two full-sized segments at
 * most (SHLD-19), and others follow it. */
uint32_t announce_acknowledgment(const struct tcb *tcb, uint32_t len, uint8_t flags)
{
    uint32_t step = 2 * tcb->rcv_mss;
    bool may_stretch =
        tcb->config->stretch_acks || len > 0 || flags != TCP_ACK || !tcb_is_synchronized(tcb);

    return may_stretch || tcb->rcv_nxt - tcb->last_ack_sent <= step ? tcb->rcv_nxt
                                                                    : tcb->last_ack_sent + step;
}

/* SEG.WND of an ACK that stays behind RCV.NXT: to the same right edge. */
uint16_t announce_window_behind(struct tcb *tcb, uint32_t ack)
{
    uint32_t unit = 1u << tcb->rcv_wnd_shift;
    uint32_t raw = (tcb->rcv_adv - ack + unit - 1) / unit;

    if (raw > UINT16_MAX)
        raw = UINT16_MAX;
    tcb->rcv_adv = seq_max(tcb->rcv_adv, ack + raw * unit);
    return (uint16_t)raw;
}

/* The window of a SYN is never scaled, RFC 7323 2.2. */
uint16_t announce_syn_window(struct tcb *tcb)
{
    uint32_t wnd = tcb->config->syn_wnd;

    if (wnd == 0 && tcb->config->syn_style == TCP_SYN_STYLE_LINUX)
        wnd = (uint32_t)UINT16_MAX / tcb_announced_mss(tcb) * tcb_announced_mss(tcb);
    if (wnd == 0 || wnd > tcb->rcv_buffer_bytes)
        wnd = tcb->rcv_buffer_bytes < UINT16_MAX ? tcb->rcv_buffer_bytes : UINT16_MAX;
    if (wnd < tcb->rcv_adv - tcb->rcv_nxt) /* an ACK in SYN-RECEIVED was rounded up */
        wnd = tcb->rcv_adv - tcb->rcv_nxt;
    if (wnd > UINT16_MAX)
        wnd = UINT16_MAX;
    tcb->rcv_adv = tcb->rcv_nxt + wnd; /* in SYN-SENT set again when the peer's SYN is known */
    return (uint16_t)wnd;
}
