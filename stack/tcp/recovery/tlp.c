/* TLP, RFC 8985 section 7: when the last segments of a flight are lost, nothing comes back that
 * could show it. After two round trips without an acknowledgment one segment is sent, new data or
 * the last one once more: its acknowledgment brings the SACK by which RACK finds the rest. It costs
 * a round trip or two where a time-out would cost at least rto_min_us, and the window.
 *
 * A lone segment may be held back by the receiver's delayed acknowledgment, so ack_delay_us() is
 * added for it. Departure: 7.2 means one segment, we mean as many bytes as one segment holds at
 * most, since a receiver delays until two full-sized ones are there.
 *
 * Departure from section 8, where one timer serves the probe, reordering and the RTO by turns: each
 * has a deadline of its own here; the probe comes before the RTO and begins it anew. Where 7.3
 * skips the probe and begins the RTO anew, ours runs on, for nothing has stopped it.
 *
 * Departure from 7.3, by which no probe leaves before the first round trip is measured: it would
 * make nothing of the second that 7.2 grants for that case. A handshake that gave no sample, since
 * the SYN was sent twice, is followed by an RTO of 3 s, which a lost tail would have to wait for.
 */
#include "tlp.h"

#include "../seq.h"
#include "detect.h"

enum { PTO_WITHOUT_SRTT_US = 1000000 };

static bool is_in_use(const struct tcb *tcb)
{
    return tcb->config->tlp && detect_way(tcb) == TCP_LOSS_DETECTION_RACK &&
           tcb_is_synchronized(tcb);
}

/* 7.2: other mechanisms are at work in a recovery and while something is sacked. */
static bool is_needed(const struct tcb *tcb)
{
    return is_in_use(tcb) && tcb->work->in_flight.count > 0 &&
           tcb->work->in_flight.sacked_bytes == 0 && tcb->work->in_flight.lost_bytes == 0 &&
           !tcb->work->recovery.is_active && !tcb->work->recovery.is_after_timeout &&
           tcb->snd_wnd > 0;
}

static bool is_lone(const struct tcb *tcb)
{
    return tcb->snd_nxt - tcb->snd_una <= tcb->snd_mss;
}

/* Departure from 7.2, whose TLP.max_ack_delay is one budget for every peer: most acknowledge a
 * segment that ends a burst at once, and a lone loss would always wait for the slowest. It begins
 * small, and each probe that was for nothing doubles it up to that budget: three probes at most
 * are sent too many. */
static uint64_t ack_delay_us(const struct tcb *tcb)
{
    const struct tcp_config *config = tcb->config;
    uint64_t us = tcb->work->tlp.ack_delay_us;

    if (us < config->tlp_first_ack_delay_us)
        us = config->tlp_first_ack_delay_us;
    return us < config->tlp_max_ack_delay_us ? us : config->tlp_max_ack_delay_us;
}

static void learn_ack_delay(struct tcb *tcb)
{
    if (tcb->work->tlp.was_lone)
        tcb->work->tlp.ack_delay_us = (uint32_t)(2 * ack_delay_us(tcb));
}

/* TLP_calc_PTO() of RFC 8985 7.2. */
static uint64_t pto_us(const struct tcb *tcb)
{
    uint64_t us = PTO_WITHOUT_SRTT_US;

    if (tcb->rto.srtt_us > 0) {
        us = 2 * tcb->rto.srtt_us;
        if (is_lone(tcb))
            us += ack_delay_us(tcb);
    }
    return us;
}

void tlp_schedule(struct tcb *tcb)
{
    if (!is_needed(tcb)) {
        tcb_timer_clear(tcb, TIMER_PROBE);
        return;
    }
    uint64_t at_us = tcb->stack->now_us + pto_us(tcb);
    if (at_us > tcb->work->deadline_us[TIMER_RETRANSMIT])
        at_us = tcb->work->deadline_us[TIMER_RETRANSMIT];
    tcb_timer_set(tcb, TIMER_PROBE, at_us);
}

/* 7.3: one probe at a time, and a round trip measured since the last one: retransmissions give no
 * sample, and SRTT must be able to follow a path that has become slower. */
void tlp_on_timer(struct tcb *tcb)
{
    if (!is_needed(tcb) || tcb->work->tlp.is_out || tcb->work->tlp.has_probed)
        return;
    tcb->work->tlp.is_due = true;
    tcb_timer_set(tcb, TIMER_RETRANSMIT,
                  tcb->stack->now_us + tcp_rto_current_us(&tcb->rto, tcb->config));
    tcb_wants_output(tcb);
}

void tlp_on_sent(struct tcb *tcb, bool is_retrans)
{
    tcb->work->tlp = (struct tlp){.is_out = true,
                                  .is_retrans = is_retrans,
                                  .has_probed = true,
                                  .was_lone = is_lone(tcb),
                                  .ack_delay_us = tcb->work->tlp.ack_delay_us,
                                  .end_seq = tcb->snd_nxt};
    tcb_timer_clear(tcb, TIMER_PROBE);
}

/* The duplicate that the peer reports is the last segment's second copy. */
bool tlp_explains(const struct tcb *tcb, const struct ack_news *news)
{
    return tcb->work->tlp.is_out && tcb->work->tlp.is_retrans && news->has_duplicate &&
           news->duplicate.right == tcb->work->tlp.end_seq;
}

/* TLP_process_ack() of RFC 8985 7.4.2. A probe that repeated the last segment may have repaired the
 * only loss: then all is acknowledged, and no duplicate is reported. */
bool tlp_on_ack(struct tcb *tcb, const struct ack_news *news)
{
    struct tlp *tlp = &tcb->work->tlp;
    bool is_reported = tlp_explains(tcb, news);

    if (news->has_rtt_sample)
        tlp->has_probed = false;
    if (news->acked_bytes > 0) /* whatever was overdue has come */
        tlp->is_due = false;
    if (!tlp->is_out || seq_lt(tcb->snd_una, tlp->end_seq))
        return false;
    if (!tlp->is_retrans || is_reported) { /* new data has arrived; or case 1: both copies have */
        tlp->is_out = false;
        if (is_reported)
            learn_ack_delay(tcb);
        return false;
    }
    if (seq_gt(tcb->snd_una, tlp->end_seq)) { /* repaired: one of the two was lost */
        tlp->is_out = false;
        return true;
    }
    if (news->is_duplicate && !news->has_sack) /* case 2: both have, and the peer knows no D-SACK */
        tlp->is_out = false;
    return false;
}

void tlp_reset(struct tcb *tcb)
{
    tcb->work->tlp.is_due = false;
    tcb->work->tlp.is_out = false;
    tcb_timer_clear(tcb, TIMER_PROBE);
}
