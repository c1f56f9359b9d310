/* Loss detection by SACK, RFC 6675.
 *
 * IsLost(): a range is lost when more than (DupThresh - 1) * SMSS bytes above it are sacked, or
 * DupThresh ranges with holes between them; and by section 5 (1) the third duplicate ACK says so of
 * the first segment, however short those above it are. A range that was sent again is not judged by
 * the old SACKs above it: if it is lost again, the timer finds out.
 *
 * NextSeg(): rule 1 sends what is lost and rule 2 new data, which is output.c's order of questions;
 * what is left is rule 3, a hole below the highest sacked byte that is not known to be lost, and
 * rule 4, once per recovery, the last of what is in flight: a rescue, since without an answer to
 * anything above it no hole at the end can be found.
 * Departure: a range of rule 3 is taken out of the pipe before it is sent again; RFC 6675 counts it
 * twice. */
#include "../seq.h"
#include "detect.h"

enum { DUP_THRESH = 3 };

static bool is_judged(const struct tx_record *record)
{
    return !record->sacked && !record->lost && record->transmission_count == 1;
}

/* Section 5 (1) and (4.3): the first segment, by the number of duplicate ACKs. */
static bool third_duplicate(struct tcb *tcb)
{
    const struct recovery *recovery = &tcb->work->recovery;
    const struct tx_record *first = records_at(&tcb->work->in_flight, 0);

    if (recovery->is_active || recovery->is_after_timeout || recovery->dup_ack_count < DUP_THRESH ||
        !seq_gt(tcb->snd_una, recovery->recover) || first->lost || first->sacked)
        return false;
    detect_mark(tcb, 0, tcb->snd_mss,
                &(struct trace_event){.clause = "RFC 6675 5 (1)",
                                      .u.lost = {.by = TRACE_LOST_BY_DUPLICATE_ACKS}});
    return true;
}

/* What is sacked above a range: bytes, and ranges with holes between them. */
struct sacked_above {
    uint32_t bytes;
    unsigned range_count;
};

static void add_sacked(struct sacked_above *above, const struct tx_records *records, unsigned i)
{
    const struct tx_record *record = records_at(records, i);

    above->bytes += record->end - record->start;
    if (i + 1 == records->count || !records_at(records, i + 1)->sacked)
        above->range_count++;
}

/* IsLost(). */
static bool is_lost(const struct sacked_above *above, uint32_t mss)
{
    return above->bytes > (DUP_THRESH - 1) * mss || above->range_count >= DUP_THRESH;
}

bool detect_by_sack(struct tcb *tcb)
{
    struct tx_records *records = &tcb->work->in_flight;
    struct sacked_above above = {0};

    if (records->sacked_bytes == 0)
        return false;
    bool found = third_duplicate(tcb);
    if (tcb->work->recovery.is_after_timeout || !records_can_walk(records))
        return found;
    records_spend(records, records->count);
    for (unsigned i = records->count; i-- > 0;) {
        const struct tx_record *record = records_at(records, i);
        if (record->sacked)
            add_sacked(&above, records, i);
        if (!is_judged(record) || !is_lost(&above, tcb->snd_mss))
            continue;
        detect_mark(tcb, i, UINT32_MAX,
                    &(struct trace_event){
                        .clause = "RFC 6675 4",
                        .u.lost = {.by = TRACE_LOST_BY_SACK, .sacked_above_bytes = above.bytes}});
        found = true;
    }
    return found;
}

/* Rule 3: the first hole that was not sent again, with something sacked above it. */
static bool next_hole(struct tcb *tcb)
{
    struct tx_records *records = &tcb->work->in_flight;
    uint32_t sacked_left = records->sacked_bytes;

    if (!records_can_walk(records))
        return false;
    records_spend(records, records->count);
    for (unsigned i = 0; i < records->count && sacked_left > 0; i++) {
        const struct tx_record *record = records_at(records, i);
        if (record->sacked)
            sacked_left -= record->end - record->start;
        if (!is_judged(record))
            continue;
        records_mark_lost(records, i, tcb->snd_mss);
        return true;
    }
    return false;
}

bool detect_next_seg(struct tcb *tcb)
{
    struct recovery *recovery = &tcb->work->recovery;

    if (detect_way(tcb) != TCP_LOSS_DETECTION_RFC6675 || !recovery->is_active ||
        tcb->work->in_flight.lost_bytes > 0 || recovery_allowance(tcb) < tcb->snd_mss)
        return false;
    if (next_hole(tcb)) {
        tcb->work->resend_cause =
            "a hole, and nothing else may be sent (RFC 6675 4, NextSeg rule 3)";
        return true;
    }
    struct tx_record *tail =
        recovery->has_rescued ? NULL : records_tail(&tcb->work->in_flight, tcb->snd_mss);
    if (tail == NULL || tail->transmission_count > 1)
        return false;
    recovery->has_rescued = true;
    records_mark_lost(&tcb->work->in_flight,
                      (unsigned)(tail - records_at(&tcb->work->in_flight, 0)), UINT32_MAX);
    tcb->work->resend_cause = "rescue: the last segment once more (RFC 6675 4, NextSeg rule 4)";
    return true;
}
