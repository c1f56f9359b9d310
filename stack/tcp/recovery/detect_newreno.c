/* Loss detection without SACK: RFC 5681 3.2 and NewReno, RFC 6582.
 *
 * The third duplicate ACK says that the first segment in flight is lost; during recovery each
 * partial acknowledgment, which covers what was repaired but not all that had been sent, says that
 * the next one is lost too. After a time-out duplicate ACKs may come from what was sent twice, so
 * they count only above `recover` (RFC 6582 3.2 step 2).
 *
 * Departure: step 3 begins the retransmission timer anew for the first partial acknowledgment of a
 * recovery alone; RFC 6298 (5.3) does for each, and so do we: a long repair goes on segment by
 * segment instead of ending in a time-out.
 *
 * Not done: the heuristics of section 4 (MAY), which tell a loss after a time-out from duplicates
 * of what was sent twice. */
#include "../seq.h"
#include "detect.h"

enum { DUP_THRESH = 3 };

bool detect_by_duplicates(struct tcb *tcb, const struct ack_news *news)
{
    const struct recovery *recovery = &tcb->work->recovery;
    bool is_third = !recovery->is_active && recovery->dup_ack_count == DUP_THRESH &&
                    seq_gt(tcb->snd_una, recovery->recover);
    bool is_partial = recovery->is_active && news->acked_bytes > 0;

    if (recovery->is_after_timeout || (!is_third && !is_partial) ||
        records_at(&tcb->work->in_flight, 0)->lost)
        return false;
    detect_mark(tcb, 0, tcb->snd_mss,
                &(struct trace_event){.clause = is_partial ? "RFC 6582 3.2 step 3" : "RFC 5681 3.2",
                                      .u.lost = {.by = is_partial ? TRACE_LOST_BY_PARTIAL_ACK
                                                                  : TRACE_LOST_BY_DUPLICATE_ACKS}});
    return true;
}
