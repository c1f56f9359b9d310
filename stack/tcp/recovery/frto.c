/* F-RTO, RFC 5682. After a time-out the first segment is sent again; before all the others follow,
 * the next two acknowledgments are looked at:
 *
 * - step 2: the first one covers the retransmission, but not all that had been sent: two segments
 *   of new data are sent instead of retransmissions;
 * - step 3: the next one covers more of what was sent once: that had arrived before, the time-out
 *   was spurious. A duplicate, or one for the new data: it was not, and slow start over the lost
 *   flight goes on.
 *
 * It needs no option of the peer's (2.1); with SACK (3.1) duplicates do not end step 2, and SACKed
 * bytes count as acknowledged in step 3. The first segment's retransmission alone is not proof,
 * since a hole may have been filled by it. Where there is no new data to send, or no window for it,
 * the recovery goes the conventional way at once, as (2b) recommends.
 *
 * Departure from 2.1 (3b), which believes any acknowledgment that advances: it must not cover the
 * new data, as 3.1 (3b) has it. */
#include "frto.h"

#include "../seq.h"
#include "detect.h"

enum { NEW_SEGMENTS = 2, CWND_SEGMENTS_MAX = 3 };

/* A recovery by SACK may have sent again what is acknowledged next, and shows nothing then (3.2);
 * from NewReno's F-RTO may be entered (2.1). */
void frto_on_timeout(struct tcb *tcb, bool is_repeated)
{
    bool is_in_sack_recovery = tcb->sack && tcb->work->recovery.is_active;
    bool is_possible =
        tcb->config->frto && tcb_is_synchronized(tcb) && !is_repeated && !is_in_sack_recovery;

    tcb->work->frto = (struct frto){.step = is_possible ? FRTO_FIRST_ACK : FRTO_OFF};
}

static bool has_new_data(const struct tcb *tcb)
{
    return tcb_unsent_bytes(tcb) > 0 && seq_lt(tcb->snd_nxt, tcb_snd_edge(tcb));
}

static void on_first_ack(struct tcb *tcb, const struct ack_news *news)
{
    struct frto *frto = &tcb->work->frto;

    if (news->acked_bytes == 0) {
        if (news->is_duplicate && !tcb->sack) /* (2a) */
            frto->step = FRTO_OFF;
        return;
    }
    bool covers_all = seq_geq(tcb->snd_una, tcb->work->recovery.recover);
    bool covers_resent = seq_geq(tcb->snd_una, tcb->work->undo.first_end);
    if (covers_all || !covers_resent || !has_new_data(tcb)) { /* (2a) */
        frto->step = FRTO_OFF;
        return;
    }
    *frto = (struct frto){.step = FRTO_NEXT_ACK, /* (2b) */
                          .recover = tcb->snd_nxt,
                          .new_bytes = NEW_SEGMENTS * tcb->snd_mss};
}

/* Something above `recover` has arrived: (3a) of 3.1. */
static bool is_above_recover_delivered(const struct tcb *tcb, const struct ack_news *news)
{
    return seq_gt(tcb->snd_una, tcb->work->frto.recover) ||
           (news->delivered.has_once && seq_gt(news->delivered.once_end, tcb->work->frto.recover));
}

static bool on_next_ack(struct tcb *tcb, const struct ack_news *news)
{
    bool is_news = news->acked_bytes > 0 || news->sacked_bytes > 0;

    if (!is_news && !news->is_duplicate)
        return false; /* says nothing */
    tcb->work->frto.step = FRTO_OFF;
    if (is_news && !is_above_recover_delivered(tcb, news)) /* (3b) */
        return true;
    uint32_t cwnd_max = CWND_SEGMENTS_MAX * tcb->snd_mss; /* (3a) */
    if (tcb->work->cc.cwnd > cwnd_max)
        tcb->work->cc.cwnd = cwnd_max;
    return false;
}

bool frto_on_ack(struct tcb *tcb, const struct ack_news *news)
{
    switch (tcb->work->frto.step) {
    case FRTO_OFF:
        break;
    case FRTO_FIRST_ACK:
        on_first_ack(tcb, news);
        break;
    case FRTO_NEXT_ACK:
        return on_next_ack(tcb, news);
    }
    return false;
}
