/* The SACK option, see sack.h.
 *
 * As the receiver (RFC 2018 section 4): the first block is the one that the segment just received
 * belongs to, the others follow in the order in which they last grew; ranges.h keeps that order. If
 * text arrives a second time, the first block tells which (RFC 2883 section 4), and if that lies in
 * a range behind a hole, the second block is the whole range: it has just been touched, so it is
 * the newest by itself.
 *
 * As the sender (RFC 2018 section 5): blocks mark transmission records. A block is a statement of
 * the peer, and may be old or a lie: one that does not lie within what is in flight is ignored. A
 * first block below the acknowledgment number, or inside the second block, reports a duplicate (RFC
 * 2883 section 4.1): it counts only as far as we have sent something twice, so that a peer cannot
 * make up duplicates; RFC 2883 section 5 leaves what to do about them to others (rack.c, undo.c).
 *
 * The work per acknowledgment is bounded whatever the blocks are: there are at most four of them,
 * their left edges are found by bisection, and neighbours that are sacked are one record. */
#include "sack.h"

#include "../seq.h"

/* ---- what we report */

/* The text taken so far, but not more than half the sequence space of it: [left, right). */
static struct tcp_sack_block taken_text(const struct tcb *tcb)
{
    bool fin_is_taken = tcb->peer_fin && seq_gt(tcb->rcv_nxt, tcb->fin_seq);
    uint32_t end = fin_is_taken ? tcb->fin_seq : tcb->rcv_nxt;
    uint64_t bytes = tcb->bytes_received < INT32_MAX ? tcb->bytes_received : INT32_MAX;

    return (struct tcp_sack_block){end - (uint32_t)bytes, end};
}

bool sack_note_duplicate(struct tcb *tcb, uint32_t start, uint32_t end)
{
    struct tcp_sack_block first = {start, start}, taken = taken_text(tcb);

    if (!tcb->sack || !tcb->config->dsack || start == end)
        return false;
    if (seq_lt(start, tcb->rcv_nxt)) {
        first = (struct tcp_sack_block){seq_max(start, taken.left), seq_min(end, taken.right)};
    } else {
        for (unsigned i = 0; i < tcb->work->out_of_order.count; i++) {
            const struct range *range = &tcb->work->out_of_order.range[i];
            if (seq_leq(range->end, start))
                continue;
            if (seq_geq(range->start, end))
                break;
            first = (struct tcp_sack_block){seq_max(start, range->start), seq_min(end, range->end)};
            break;
        }
    }
    if (seq_geq(first.left, first.right))
        return false;
    tcb->work->duplicate = first;
    return true;
}

bool sack_is_due(const struct tcb *tcb)
{
    return tcb->work->out_of_order.count > 0 ||
           tcb->work->duplicate.left != tcb->work->duplicate.right;
}

unsigned sack_report(struct tcb *tcb, struct tcp_sack_block *blocks, unsigned max)
{
    unsigned count = 0;

    if (!tcb->sack || max == 0)
        return 0;
    if (tcb->work->duplicate.left != tcb->work->duplicate.right) {
        blocks[count++] = tcb->work->duplicate;
        tcb->work->duplicate = (struct tcp_sack_block){0};
    }
    return count + ranges_sack(&tcb->work->out_of_order, blocks + count, max - count);
}

/* ---- what we are told */

/* RFC 2883 section 4: below the acknowledgment number, or part of the second block. */
static bool reports_duplicate(const struct tcp_segment *seg)
{
    const struct tcp_sack_block *first = &seg->options.sack[0];
    const struct tcp_sack_block *second = &seg->options.sack[1];

    if (seq_leq(first->right, seg->ack))
        return true;
    return seg->options.sack_count > 1 && seq_geq(first->left, second->left) &&
           seq_leq(first->right, second->right);
}

/* A duplicate is believed if it lies within a window of what we have sent, and if not more has been
 * reported than was sent twice. */
static void take_duplicate(struct tcb *tcb, const struct tcp_sack_block *block,
                           struct ack_news *news)
{
    uint32_t bytes = block->right - block->left;
    bool is_ancient = seq_lt(block->left, tcb->snd_una - tcb->max_snd_wnd);
    bool is_unsent = seq_gt(block->right, tcb->snd_nxt);

    if (is_ancient || is_unsent || bytes > tcb->resent_bytes - tcb->duplicate_bytes)
        return;
    tcb->duplicate_bytes += bytes;
    news->has_duplicate = true;
    news->duplicate = *block;
    tcb_trace(tcb, (struct trace_event){.kind = TRACE_DUPLICATE,
                                        .clause = "RFC 2883 4",
                                        .u.range = {.start = block->left - tcb->iss,
                                                    .end = block->right - tcb->iss}});
}

void sack_take(struct tcb *tcb, const struct tcp_segment *seg, struct ack_news *news)
{
    enum { RECORDS_SPARE = 64 };
    /* Blocks of single bytes would cut the flight into as many records, to be walked at each ACK.
     */
    unsigned record_max = RECORDS_SPARE + 4 * ((tcb->snd_nxt - tcb->snd_una) / tcb->snd_mss);
    record_max = record_max < RECORDS_MAX ? record_max : RECORDS_MAX;
    uint32_t acked = seq_max(seg->ack, tcb->snd_una);

    if (!tcb->sack)
        return;
    for (unsigned i = 0; i < seg->options.sack_count; i++) {
        const struct tcp_sack_block *block = &seg->options.sack[i];
        if (seq_geq(block->left, block->right))
            continue;
        news->has_sack = true;
        if (i == 0 && reports_duplicate(seg))
            take_duplicate(tcb, block, news);
        else if (seq_gt(block->left, acked) && seq_leq(block->right, tcb->snd_nxt))
            news->sacked_bytes += records_sack(&tcb->work->in_flight, block->left, block->right,
                                               record_max, &news->delivered);
    }
}
