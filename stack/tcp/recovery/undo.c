/* Spurious retransmissions. Nothing was lost: an acknowledgment came late, or the network reordered
 * more than was waited for. There are two signs here, and a third after a time-out in frto.c:
 *
 * - Eifel detection (RFC 3522): the first acknowledgment that covers the first retransmission
 * echoes a timestamp from before it, so the first transmission has arrived.
 * - D-SACK (RFC 3708): all that was sent again is reported as duplicate; or there was no time to
 * send anything again.
 *
 * The answer is that of RFC 4015: the old ssthresh, and a window that lets out no burst: slow start
 * fills it again in a round trip or two. After a time-out the timer learns from the delay that it
 * did not expect (rto.c). Departure: RFC 4015 answers spurious time-outs alone; a fast retransmit
 * that was a mistake has lowered the window just the same.
 *
 * A peer might call true losses spurious, by an old echo or by reporting each retransmission, and
 * keep its stream and the window as well. But its acknowledgment of what was lost comes no sooner
 * than a round trip after the retransmission; what had only been late is acknowledged before, for
 * it arrives before the retransmission or that would be no second copy. So an echo does not
 * count when what was sent again first is acknowledged that late, nor do reports when anything is.
 * After a time-out they count all the same: there ACKs were lost rather than data, and the timer
 * takes more than lies bring. What is reported beyond what was sent twice counts for nothing
 * (sack.c).
 *
 * Departure from RFC 3708 3 (A.3), (A.4): what was sent again twice has to be reported twice, and
 * does not forbid it; and a report of what was not sent again, where the network has made the copy,
 * counts for nothing, where (A.4) gives the algorithm up for the rest of the connection: anybody's
 * copy could end it, and the time tells as much.
 *
 * Not done: RFC 3522 3.2 (5), which leaves the window reduced where the acknowledgments were lost
 * and not late, as a D-SACK or an acknowledgment of all that was in flight may show. */
#include "undo.h"

#include "../seq.h"
#include "detect.h"
#include "pacing.h"
#include "tlp.h"

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* A recovery may follow so close upon the last one that the duplicates of that are still on their
 * way. Then both are mistakes if all that both have sent again is reported. */
void undo_arm(struct tcb *tcb, bool is_by_timeout, uint32_t flight)
{
    uint32_t ssthresh = tcb->work->cc.ssthresh;
    struct undo before = tcb->work->undo;

    tcb->work->undo =
        (struct undo){.is_armed = true,
                      .is_by_timeout = is_by_timeout,
                      .pipe_prev = ssthresh == SSTHRESH_UNKNOWN ? flight : larger(flight, ssthresh),
                      .ssthresh_prev = ssthresh};
    if (!before.is_armed || before.was_needed || before.is_by_timeout || is_by_timeout)
        return;
    tcb->work->undo.is_one_of_several = true;
    tcb->work->undo.resent_bytes = before.resent_bytes;
    tcb->work->undo.resent_left = before.resent_left;
    tcb->work->undo.resent_right = before.resent_right;
    tcb->work->undo.ssthresh_prev = before.ssthresh_prev;
}

void undo_disarm(struct tcb *tcb)
{
    tcb->work->undo = (struct undo){0};
}

void undo_on_recovered(struct tcb *tcb)
{
    tcb->work->undo.has_until = true;
    tcb->work->undo.until = tcb->snd_nxt;
}

void undo_on_resent(struct tcb *tcb, const struct tx_record *record)
{
    struct undo *undo = &tcb->work->undo;

    if (!undo->is_armed)
        return;
    bool is_first = !undo->has_resent && undo->resent_bytes == 0;
    undo->resent_bytes += record->end - record->start;
    undo->resent_left = is_first ? record->start : seq_min(undo->resent_left, record->start);
    undo->resent_right = is_first ? record->end : seq_max(undo->resent_right, record->end);
    if (undo->has_resent)
        return;
    undo->has_resent = true;
    undo->first_end = record->end;
    undo->retransmit_ts = tcb_tsval(tcb); /* RFC 3522 3.2 (2) */
    undo->retransmit_us = tcb->stack->now_us;
    undo->waits_for_echo = tcb->timestamps && record->start == tcb->snd_una;
}

/* Has it been so long since this retransmission as its own acknowledgment takes, or somewhat less?
 * Queues fill and drain. */
static bool is_old_enough(const struct tcb *tcb, uint64_t resent_us)
{
    uint64_t least_us = tcb->rto.srtt_us / 4 * 3;

    if (least_us < tcb->work->rack.min_rtt.us)
        least_us = tcb->work->rack.min_rtt.us;
    return !tcb->work->undo.is_by_timeout && tcb->stack->now_us - resent_us >= least_us;
}

/* RFC 3522 3.2 (3), (4). */
static bool echo_shows_it(struct tcb *tcb, const struct ack_news *news)
{
    struct undo *undo = &tcb->work->undo;

    if (!undo->waits_for_echo || !news->has_echo || news->acked_bytes == 0)
        return false;
    undo->waits_for_echo = false;
    return tcb->config->eifel && !is_old_enough(tcb, undo->retransmit_us) &&
           seq_lt(news->echo, undo->retransmit_ts);
}

/* Of what has been sent again since the reduction, and it has been acknowledged: what has arrived
 * twice has arrived. */
static bool is_believed(const struct tcb *tcb, const struct tcp_sack_block *duplicate)
{
    const struct undo *undo = &tcb->work->undo;

    return seq_geq(duplicate->left, undo->resent_left) &&
           seq_leq(duplicate->right, undo->resent_right) &&
           (seq_leq(duplicate->right, tcb->snd_una) ||
            records_is_sacked(&tcb->work->in_flight, duplicate->left));
}

/* RFC 3708 3 (B.1): every retransmission was a duplicate. */
static bool duplicates_show_it(struct tcb *tcb, const struct ack_news *news)
{
    struct undo *undo = &tcb->work->undo;

    if (!undo->has_resent || !news->has_duplicate || tlp_explains(tcb, news) ||
        !is_believed(tcb, &news->duplicate))
        return false;
    uint32_t bytes = news->duplicate.right - news->duplicate.left;
    undo->resent_bytes -= bytes < undo->resent_bytes ? bytes : undo->resent_bytes;
    return tcb->config->dsack_undo && !undo->was_needed && undo->resent_bytes == 0;
}

/* All is acknowledged before anything was sent again. */
static bool nothing_was_missing(const struct tcb *tcb)
{
    return tcb->work->recovery.is_active && !tcb->work->undo.is_by_timeout &&
           tcb->work->undo.resent_bytes == 0 && !tcb->work->undo.has_resent &&
           seq_geq(tcb->snd_una, tcb->work->recovery.recover);
}

const char *undo_on_ack(struct tcb *tcb, const struct ack_news *news, const char **clause)
{
    struct undo *undo = &tcb->work->undo;

    if (!undo->is_armed)
        return NULL;
    if (news->delivered.has_resent && is_old_enough(tcb, news->delivered.resent_first_us))
        undo->was_needed = true;
    if (echo_shows_it(tcb, news)) {
        undo->is_by_echo = true;
        *clause = "RFC 3522 3.2 (4)";
        return "the echoed timestamp is older than the retransmission (Eifel)";
    }
    if (duplicates_show_it(tcb, news)) {
        *clause = "RFC 3708 3 (B.1)";
        return "all that was sent again has arrived twice (D-SACK)";
    }
    if (nothing_was_missing(tcb)) {
        *clause = "RFC 4015";
        return "all has arrived, and nothing was sent again";
    }
    if (undo->has_until && seq_geq(tcb->snd_una, undo->until))
        undo_disarm(tcb);
    return NULL;
}

/* D-SACKs may still take back those before. */
static void wait_for_the_others(struct tcb *tcb)
{
    tcb->work->undo.is_by_echo = false;
    tcb->work->undo.is_one_of_several = false;
    undo_on_recovered(tcb);
}

/* RFC 4015 3.1 (9): cwnd = FlightSize + min(bytes_acked, IW), ssthresh = pipe_prev. Congestion
 * control has its own memory besides, and its window is what it may grow to again. Departure:
 * without pacing what was SACKed does not count as FlightSize: it is there, and as much new data
 * would leave in its place at once. */
void undo_reduction(struct tcb *tcb, uint32_t acked_bytes)
{
    uint32_t sacked = pacing_is_on(tcb) ? 0 : tcb->work->in_flight.sacked_bytes;
    uint32_t flight = tcb->snd_nxt - tcb->snd_una - sacked;
    uint32_t iw = tcb->work->cc.initial_cwnd;

    tcb->work->cc.ops->on_undo(&tcb->work->cc);
    if (!tcb->work->undo.is_by_echo)
        tcb->work->cc.ssthresh = larger(tcb->work->cc.ssthresh, tcb->work->undo.ssthresh_prev);
    uint32_t window = larger(flight + (acked_bytes < iw ? acked_bytes : iw), 2 * tcb->snd_mss);
    if (tcb->work->cc.cwnd > window &&
        !tcb->work->cc.ops->has_model) { /* whose pace lets out no burst */
        tcb->work->cc.ssthresh = larger(tcb->work->cc.ssthresh, tcb->work->undo.pipe_prev);
        tcb->work->cc.cwnd = window;
    }
    if (tcb->work->undo.is_by_timeout)
        tcp_rto_was_spurious(&tcb->rto); /* RFC 4015 (11) */
    if (tcb->work->undo.is_by_echo && tcb->work->undo.is_one_of_several)
        wait_for_the_others(tcb);
    else
        undo_disarm(tcb);
}
