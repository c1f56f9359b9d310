/* Header prediction, see predict.h.
 *
 * Which of the checks of 9293 3.10.7.4 are left out, and why:
 *
 *   first     the segment begins at RCV.NXT, its text fits the window, its timestamp is not old
 *   second    no RST
 *   fourth    no SYN
 *   fifth     SND.UNA =< SEG.ACK =< SND.NXT. Where nothing is in flight and the window stays, an
 *             acknowledgment says nothing: take_old_ack() is what is left of it
 *   sixth     no URG
 *   eighth    no FIN, and none that waits behind a hole
 *
 * So it is for ESTABLISHED only, without holes, and without ECN, which looks at each segment. (In
 * instructions: a segment received takes 22 % less by it, an acknowledgment 4 %.) */
#include "predict.h"

#include "arrives_steps.h"
#include "recovery/recovery.h"
#include "seq.h"

/* Nothing in it that an ordinary segment has not. A timestamp is there if one is due. */
static bool is_ordinary(const struct tcb *tcb, const struct tcp_segment *seg)
{
    const struct tcp_options *options = &seg->options;

    return (seg->flags | TCP_PSH) == (TCP_ACK | TCP_PSH) && seg->ip_options.len == 0 &&
           options->sack_count == 0 && options->user_timeout == 0 &&
           (!tcb->timestamps ||
            (options->has_timestamps && seq_geq(options->tsval, tcb->ts_recent)));
}

/* The connection is in none of the conditions for which a check was left out. (In ESTABLISHED
 * somebody holds it, or will: its text is for somebody.) */
static bool is_plain(const struct tcb *tcb)
{
    return tcb->state == TCPS_ESTABLISHED && !tcb->peer_fin && !tcb->ecn.is_on &&
           tcb->work->out_of_order.count == 0 && tcb->config->header_prediction;
}

static bool is_next_and_fits(const struct tcb *tcb, const struct tcp_segment *seg)
{
    return seg->seq == tcb->rcv_nxt && seg->payload.len <= tcb_rcv_wnd(tcb);
}

static bool acknowledges_something(const struct tcb *tcb, const struct tcp_segment *seg)
{
    return seq_gt(seg->ack, tcb->snd_una) && seq_leq(seg->ack, tcb->snd_nxt);
}

/* Text from a peer to which we have nothing to say: the acknowledgment is the last one again, with
 * the same window, and nobody waits for it. */
static bool acknowledges_nothing(const struct tcb *tcb, const struct tcp_segment *seg)
{
    return seg->payload.len > 0 && seg->ack == tcb->snd_una && tcb->work->send_ring.used == 0 &&
           seq_leq(tcb->snd_wl1, seg->seq) &&
           (uint32_t)seg->wnd << tcb->snd_wnd_shift == tcb->snd_wnd && recovery_is_at_rest(tcb);
}

/* What the fifth check does about it. It asks for output as well; there is none. */
static void take_old_ack(struct tcb *tcb, const struct tcp_segment *seg)
{
    records_pay(&tcb->work->in_flight, tcb->stack->now_us, true);
    tcb->snd_wl1 = seg->seq; /* SND.WL2 is SEG.ACK already */
}

bool predict_arrives(struct tcb *tcb, const struct tcp_segment *seg, enum drop *drop)
{
    if (!is_plain(tcb) || !is_next_and_fits(tcb, seg) || !is_ordinary(tcb, seg))
        return false;
    bool has_news = acknowledges_something(tcb, seg);
    if (!has_news && !acknowledges_nothing(tcb, seg))
        return false;
    arrives_take_timestamp(tcb, seg);
    tcb->rcv_tos = seg->tos; /* MAY-9 */
    if (has_news)
        arrives_take_ack(tcb, seg);
    else
        take_old_ack(tcb, seg);
    *drop = seg->payload.len > 0 ? arrives_take_next_text(tcb, seg) : DROP_NOT;
    return true;
}
