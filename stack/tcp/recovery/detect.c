/* What is lost, as far as acknowledgments show it.
 *
 * With SACK: RFC 6675 IsLost(): a range is lost when more than (DupThresh - 1) * SMSS bytes above
 * it have been selectively acknowledged; and of section 5 (5) that the third duplicate ACK says so
 * of the first segment, however short the ones above it are. A range that was sent again is not
 * judged by the old SACKs above it: if it is lost again the timer finds out. Without SACK: the
 * third duplicate ACK says that the first segment is lost (RFC 5681 3.2), and during recovery each
 * partial acknowledgment says that the next one is (RFC 6582 3.2 step 3). */
#include "../seq.h"
#include "recovery.h"

enum { DUP_THRESH = 3 };

static bool detect_by_sack(struct tcb *tcb)
{
    struct tx_records *records = &tcb->in_flight;
    uint32_t sacked_above = 0;
    bool found = false;

    if (records->sacked_bytes == 0)
        return false;
    if (!tcb->recovery.is_active && tcb->recovery.dup_ack_count >= DUP_THRESH &&
        seq_gt(tcb->snd_una, tcb->recovery.recover) && !records_at(records, 0)->lost &&
        !records_at(records, 0)->sacked) {
        records_mark_lost(records, 0, tcb->snd_mss);
        found = true;
    }
    if (records->sacked_bytes <= (DUP_THRESH - 1) * tcb->snd_mss)
        return found;
    for (unsigned i = records->count; i-- > 0;) {
        const struct tx_record *record = records_at(records, i);
        if (record->sacked) {
            sacked_above += record->end - record->start;
            continue;
        }
        if (sacked_above <= (DUP_THRESH - 1) * tcb->snd_mss || record->transmission_count > 1 ||
            record->lost)
            continue;
        records_mark_lost(records, i, UINT32_MAX);
        found = true;
    }
    return found;
}

bool detect_losses(struct tcb *tcb)
{
    if (tcb->in_flight.count == 0)
        return false;
    if (tcb->sack)
        return detect_by_sack(tcb);
    bool is_third = tcb->recovery.dup_ack_count == DUP_THRESH &&
                    seq_gt(tcb->snd_una, tcb->recovery.recover); /* RFC 6582 3.2 step 2 */
    if (!tcb->recovery.is_active && !is_third)
        return false;
    if (records_at(&tcb->in_flight, 0)->lost)
        return false;
    records_mark_lost(&tcb->in_flight, 0, tcb->snd_mss);
    return true;
}
