/* SEGMENT ARRIVES, the sixth to eighth check: urgent pointer, text and FIN (RFC 9293 3.10.7.4).
 * Text goes straight to its place in the receive ring, whether it is in order or not; ranges.h
 * remembers the holes (SHLD-31).
 *
 * Not done: handing PSH to the application (MAY-17); what is in order can be read at once anyway.
 */
#include "arrives_steps.h"

#include "output.h"
#include "recovery/sack.h"
#include "seq.h"

/* ---- sixth: URG */

void arrives_check_urg(struct tcb *tcb, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_URG) || !tcb_may_receive(tcb))
        return;
    uint32_t up = seg->seq + seg->urgent; /* the octet behind the urgent data: MUST-62 */
    uint32_t consumed = tcb->rcv_nxt - tcb->work->receive_ring.used; /* by the application */
    if (!seq_gt(up, consumed) || (tcb->has_rcv_up && !seq_gt(up, tcb->rcv_up)))
        return;
    tcb->has_rcv_up = true;
    tcb->rcv_up = up;
    tcb->last_readiness &= ~(unsigned)TCP_URGENT; /* MUST-32: told again when it has advanced */
    tcb_notify(tcb);
}

/* ---- seventh: text */

/* The application has closed and new text arrives: a RST says that it is lost (SHLD-3). */
static bool is_text_for_nobody(const struct tcb *tcb, const struct tcp_segment *seg)
{
    return seg->payload.len > 0 && !tcb->is_held && tcb->listener == NULL &&
           seq_gt(seg->seq + (uint32_t)seg->payload.len, tcb->rcv_nxt);
}

/* What "full-sized" means: the largest segment seen, of several merged ones the size of each. */
static void note_segment_size(struct tcb *tcb, const struct tcp_segment *seg)
{
    uint32_t len = (uint32_t)seg->payload.len;
    uint32_t size = seg->segment_bytes > 0 && seg->segment_bytes < len ? seg->segment_bytes : len;

    if (size > tcb->rcv_mss && size <= tcb_announced_mss(tcb))
        tcb->rcv_mss = size;
}

/* When to acknowledge, 9293 3.8.6.3: at once for a hole (MAY-13) or its end, and for every second
 * full-sized segment (SHLD-19); else with a delay (SHLD-18) of delayed_ack_us (MUST-40). Departure
 * from SHLD-19: segments that the device has merged, or that have come in one batch, have one ACK
 * together. MUST-58 and MUST-59 want it so, and an ACK costs as much as it does to receive three
 * segments. A sender whose window is opened by few ACKs sends in bursts; stretch_acks=off spares it
 * that, see announce_acknowledgment(). */
static void schedule_ack(struct tcb *tcb, uint32_t taken, bool in_order, bool had_holes)
{
    tcb->work->unacked_bytes += taken;
    if (!in_order) {
        tcb_ack_now(tcb, "bytes are missing before this segment (RFC 5681 4.2)");
    } else if (had_holes) {
        tcb_ack_now(tcb, "fills a hole (RFC 5681 4.2)");
    } else if (tcb->work->unacked_bytes >= 2 * tcb->rcv_mss || tcb->config->delayed_ack_us == 0) {
        tcb_ack_now(tcb, "second full-sized segment");
    } else if (tcb->work->deadline_us[TIMER_DELAYED_ACK] == NEVER) {
        tcb_timer_set(tcb, TIMER_DELAYED_ACK, tcb->stack->now_us + tcb->config->delayed_ack_us);
    }
}

/* RCV.NXT moves to the end of what is in order now. */
static void advance_rcv_nxt(struct tcb *tcb, uint32_t end)
{
    uint32_t next = ranges_join(&tcb->work->out_of_order, end);
    uint32_t len = next - tcb->rcv_nxt;

    ring_commit(&tcb->work->receive_ring, len);
    tcb->rcv_nxt = next;
    tcb->bytes_received += len;
    tcb_notify(tcb);
}

/* Into the ring, as far as it fits; what is in order can be read. */
static enum drop take_text(struct tcb *tcb, uint32_t seq, struct bytes text)
{
    bool in_order = seq == tcb->rcv_nxt;
    bool had_holes = tcb->work->out_of_order.count > 0;

    if (!had_holes)
        ring_rewind(&tcb->work->receive_ring);
    size_t offset = tcb->work->receive_ring.used + (seq - tcb->rcv_nxt);
    /* Where memory is short, what was offered may not fit any more: the rest comes again. */
    size_t capacity = ring_capacity(&tcb->work->receive_ring, offset + text.len);
    if (capacity <= offset)
        return DROP_TCP_MEMORY;
    text = bytes_first(text, capacity - offset);
    if (!ring_write_at(&tcb->work->receive_ring, offset, text) ||
        (!in_order && !ranges_add(&tcb->work->out_of_order, seq, seq + (uint32_t)text.len)))
        return DROP_TCP_MEMORY;
    if (in_order)
        advance_rcv_nxt(tcb, seq + (uint32_t)text.len);
    schedule_ack(tcb, (uint32_t)text.len, in_order, had_holes);
    return DROP_NOT;
}

enum drop arrives_take_next_text(struct tcb *tcb, const struct tcp_segment *seg)
{
    note_segment_size(tcb, seg);
    return take_text(tcb, seg->seq, seg->payload);
}

enum drop arrives_process_text(struct tcb *tcb, const struct tcp_segment *seg)
{
    if (seg->payload.len == 0 || !tcb_may_receive(tcb))
        return DROP_NOT;
    if (is_text_for_nobody(tcb, seg)) {
        tcp_send_reset(tcb, "data for an application that has closed (SHLD-3)");
        tcb_fail(tcb, TCP_ERR_RESET, "data after CLOSE", "9293 3.6.1");
        return DROP_TCP_AFTER_CLOSE;
    }
    uint32_t seq = seg->flags & TCP_SYN ? seg->seq + 1 : seg->seq;
    struct bytes text = seg->payload;

    bool repeats = sack_note_duplicate(tcb, seq, seq + (uint32_t)text.len);
    note_segment_size(tcb, seg);
    if (seq_lt(seq, tcb->rcv_nxt)) { /* only the new part */
        text = bytes_skip(text, tcb->rcv_nxt - seq);
        seq = tcb->rcv_nxt;
    }
    uint32_t edge = tcb->peer_fin ? seq_min(tcb->fin_seq, tcb->rcv_adv) : tcb->rcv_adv;
    text = bytes_first(text, seq_lt(seq, edge) ? edge - seq : 0);
    if (text.len == 0) {
        tcb_ack_now(tcb, tcb_rcv_wnd(tcb) == 0 ? "the window is closed" : "nothing new in it");
        return DROP_TCP_NOT_ACCEPTABLE;
    }
    ecn_on_text(tcb, seg);
    enum drop drop = take_text(tcb, seq, text);
    if (drop == DROP_NOT && repeats)
        tcb_ack_now(tcb, "part of it has arrived before: D-SACK (RFC 2883 4)");
    return drop;
}

/* ---- eighth: FIN */

/* The FIN is next in order: advance over it and change state. */
static void take_fin(struct tcb *tcb)
{
    tcb->rcv_nxt++;
    /* Departure from table 6: it is taken even by a closed window, for it needs no room. */
    tcb->rcv_adv = seq_max(tcb->rcv_adv, tcb->rcv_nxt);
    tcb_ack_now(tcb, "acknowledges the peer's FIN");
    switch (tcb->state) {
    case TCPS_SYN_RECEIVED:
    case TCPS_ESTABLISHED:
        tcp_set_state(tcb, TCPS_CLOSE_WAIT, "FIN arrives", "9293 3.10.7.4 eighth");
        break;
    case TCPS_FIN_WAIT_1: /* our FIN is not acknowledged, or this would be FIN-WAIT-2 */
        tcp_set_state(tcb, TCPS_CLOSING, "FIN arrives before the ACK of ours: simultaneous close",
                      "9293 3.10.7.4 eighth");
        break;
    case TCPS_FIN_WAIT_2:
        arrives_enter_time_wait(tcb, "FIN arrives", "9293 3.10.7.4 eighth");
        break;
    case TCPS_CLOSED:
    case TCPS_LISTEN:
    case TCPS_SYN_SENT:
    case TCPS_CLOSE_WAIT:
    case TCPS_CLOSING:
    case TCPS_LAST_ACK:
    case TCPS_TIME_WAIT:
    case TCPS_COUNT:
        break;
    }
}

/* Departure: with one FIN taken the text would have us take and acknowledge a second; there can be
 * nothing behind the first, so it is not looked at. */
void arrives_check_fin(struct tcb *tcb, const struct tcp_segment *seg)
{
    bool fin_may_come = tcb_may_receive(tcb);

    if (seg->flags & TCP_FIN && fin_may_come && !tcb->peer_fin) {
        uint32_t at = seg->seq + (seg->flags & TCP_SYN ? 1 : 0) + (uint32_t)seg->payload.len;
        bool is_in_window = seq_leq(tcb->rcv_nxt, at) && seq_leq(at, tcb->rcv_adv);
        if (is_in_window && seq_geq(at, ranges_end(&tcb->work->out_of_order, at))) {
            tcb->peer_fin = true;
            tcb->fin_seq = at;
            if (at != tcb->rcv_nxt)
                tcb_ack_now(tcb, "bytes are missing before this FIN (RFC 5681 4.2)");
        }
    }
    if (tcb->peer_fin && fin_may_come && tcb->rcv_nxt == tcb->fin_seq)
        take_fin(tcb);
}
