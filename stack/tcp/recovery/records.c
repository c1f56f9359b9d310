/* The list of transmission records, see records.h: an array whose front moves forward as the peer
 * acknowledges, and back to the start of its memory when that runs out. Insertions and removals
 * move whichever side of the array is shorter: holes lie near the front. */
#include "records.h"

#include <string.h>

#include "../seq.h"

enum { RECORDS_FIRST_ROOM = 8 };

struct tx_record *records_at(const struct tx_records *records, unsigned i)
{
    return &records->record[records->first + i];
}

/* The first record that ends behind `seq`; `count` if there is none. */
static unsigned find(const struct tx_records *records, uint32_t seq)
{
    unsigned low = 0, high = records->count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (seq_leq(records_at(records, middle)->end, seq))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool records_is_sacked(const struct tx_records *records, uint32_t seq)
{
    unsigned i = find(records, seq);

    return i < records->count && records_at(records, i)->sacked;
}

void records_pay(struct tx_records *records, uint64_t now_us, bool is_ack)
{
    uint64_t paid = (now_us - records->paid_us) * RECORDS_PER_US;

    records->paid_us = now_us;
    if (is_ack)
        paid += RECORDS_PER_ACK;
    records->owed -= paid < records->owed ? (uint32_t)paid : records->owed;
}

static bool may_owe(const struct tx_records *records, unsigned count)
{
    return records->owed + count <= RECORDS_OWED_MAX;
}

bool records_can_walk(const struct tx_records *records)
{
    return may_owe(records, records->count);
}

uint64_t records_walk_wait_us(const struct tx_records *records)
{
    unsigned owed = records->owed + records->count;

    if (owed <= RECORDS_OWED_MAX)
        return 0;
    owed += records->count / 4; /* what is sent meanwhile owes as well */
    return (owed - RECORDS_OWED_MAX) / RECORDS_PER_US + 1;
}

void records_spend(struct tx_records *records, unsigned count)
{
    records->work += count;
    records->owed += count;
    if (records->owed > RECORDS_OWED_MAX)
        records->owed = RECORDS_OWED_MAX;
}

static uint32_t length_of(const struct tx_record *record)
{
    return record->end - record->start;
}

static void give_memory(struct tx_records *records)
{
    if (records->record != records->few)
        memory_give(records->account, records->record, records->room * sizeof *records->record);
}

/* Room for one more at the end: slide to the front if half is free there, else double. */
static bool make_room(struct tx_records *records)
{
    enum { ROOM_MAX = 2 * RECORDS_MAX }; /* what slides is never more than what is free */

    if (records->first + records->count < records->room)
        return true;
    if (records->room == 0) {
        records->record = records->few;
        records->room = RECORDS_FEW;
        return true;
    }
    if (records->first > 0 && records->first >= records->room / 2) {
        memmove(records->record, records_at(records, 0), records->count * sizeof *records->record);
        records->first = 0;
        return true;
    }
    if (records->room >= ROOM_MAX)
        return false;
    unsigned room = records->room < RECORDS_FIRST_ROOM ? RECORDS_FIRST_ROOM : records->room * 2;
    struct tx_record *grown = memory_take(records->account, room * sizeof *grown);
    if (grown == NULL)
        return false;
    memcpy(grown, records_at(records, 0), records->count * sizeof *grown);
    give_memory(records);
    records->record = grown;
    records->first = 0;
    records->room = room;
    return true;
}

/* The last record takes what comes behind it. Its time becomes that of its end: what is found lost
 * by it is found so late rather than early. */
static bool grow_last(struct tx_records *records, uint32_t end, uint64_t now_us)
{
    struct tx_record *last = records_at(records, records->count - 1);

    if (last->sacked || last->lost || last->transmission_count > 1)
        return false;
    last->end = end;
    last->sent_us = now_us;
    last->order = ++records->order;
    return true;
}

bool records_append(struct tx_records *records, uint32_t start, uint32_t end, uint64_t now_us)
{
    if (records->count >= RECORDS_MAX)
        return grow_last(records, end, now_us);
    if (!make_room(records))
        return false;
    *records_at(records, records->count++) = (struct tx_record){.start = start,
                                                                .end = end,
                                                                .sent_us = now_us,
                                                                .order = ++records->order,
                                                                .transmission_count = 1};
    return true;
}

static void uncount(struct tx_records *records, const struct tx_record *record, uint32_t bytes)
{
    if (record->sacked)
        records->sacked_bytes -= bytes;
    if (record->lost)
        records->lost_bytes -= bytes;
}

static void note_delivered(struct tx_delivered *delivered, const struct tx_record *record)
{
    if (record->transmission_count > 1) {
        if (!delivered->has_resent || seq_geq(record->order, delivered->resent_order)) {
            delivered->resent_us = record->sent_us;
            delivered->resent_order = record->order;
            delivered->resent_end = record->end;
        }
        if (!delivered->has_resent || record->sent_us < delivered->resent_first_us)
            delivered->resent_first_us = record->sent_us;
        delivered->has_resent = true;
        return;
    }
    if (!delivered->has_once || seq_lt(record->end, delivered->once_lowest_end))
        delivered->once_lowest_end = record->end;
    if (!delivered->has_once || seq_gt(record->end, delivered->once_end)) {
        delivered->once_us = record->sent_us; /* sent in order: the highest is the latest */
        delivered->once_order = record->order;
        delivered->once_end = record->end;
    }
    delivered->has_once = true;
}

static void note_acked(struct tx_acked *acked, const struct tx_record *record)
{
    if (record->transmission_count > 1) {
        acked->was_retransmitted = true;
        if (record->sent_us > acked->resent_us)
            acked->resent_us = record->sent_us;
        return;
    }
    if (record->sacked) /* its sample was due when the SACK came */
        return;
    if (!acked->has_rtt || record->sent_us > acked->sent_us)
        acked->sent_us = record->sent_us;
    acked->has_rtt = true;
}

struct tx_acked records_ack(struct tx_records *records, uint32_t una,
                            struct tx_delivered *delivered)
{
    struct tx_acked acked = {0};

    while (records->count > 0) {
        struct tx_record *record = records_at(records, 0);
        if (seq_leq(una, record->start))
            break;
        records->work++; /* its transmission has paid for that */
        note_acked(&acked, record);
        if (!record->sacked)
            note_delivered(delivered, record);
        if (seq_lt(una, record->end)) { /* part of it */
            uncount(records, record, una - record->start);
            record->start = una;
            break;
        }
        uncount(records, record, length_of(record));
        records->first++;
        records->count--;
    }
    if (records->count == 0)
        records->first = 0;
    return acked;
}

/* Does the front of the array move, to make room behind record `i`? Else the rest does. */
static bool front_moves(const struct tx_records *records, unsigned i)
{
    return records->first > 0 && i < records->count / 2;
}

static unsigned split_work(const struct tx_records *records, unsigned i)
{
    return front_moves(records, i) ? i + 1 : records->count - i;
}

/* Cut record `i` at `seq`, which lies inside it; false when memory is short. */
static bool split(struct tx_records *records, unsigned i, uint32_t seq)
{
    records_spend(records, split_work(records, i));
    if (front_moves(records, i)) {
        memmove(records_at(records, 0) - 1, records_at(records, 0),
                (i + 1) * sizeof *records->record);
        records->first--;
    } else {
        if (!make_room(records))
            return false;
        memmove(records_at(records, i + 1), records_at(records, i),
                (records->count - i) * sizeof *records->record);
    }
    records->count++;
    records_at(records, i)->end = seq;
    records_at(records, i + 1)->start = seq;
    return true;
}

/* Take `gone` records from `i` on out of the list. */
static void remove_records(struct tx_records *records, unsigned i, unsigned gone)
{
    unsigned behind = records->count - i - gone;

    records_spend(records, i < behind ? i : behind);
    if (i < behind) {
        memmove(records_at(records, gone), records_at(records, 0), i * sizeof *records->record);
        records->first += gone;
    } else {
        memmove(records_at(records, i), records_at(records, i + gone),
                behind * sizeof *records->record);
    }
    records->count -= gone;
}

/* Records first to last become one, as if sent when the last of them was, and as often as the one
 * that was sent most often (Karn). */
static void merge(struct tx_records *records, unsigned first, unsigned last)
{
    struct tx_record *record = records_at(records, first);

    records_spend(records, last - first);
    for (unsigned i = first + 1; i <= last; i++) {
        const struct tx_record *next = records_at(records, i);
        if (seq_gt(next->order, record->order)) {
            record->sent_us = next->sent_us;
            record->order = next->order;
        }
        if (next->transmission_count > record->transmission_count)
            record->transmission_count = next->transmission_count;
    }
    record->end = records_at(records, last)->end;
    if (last > first)
        remove_records(records, first + 1, last - first);
}

/* The records [first, behind) are sacked; they become one with each other, and with a neighbour on
 * either side that is sacked as well. What they were sent by matters no more, unless the peer
 * reneges. */
static void merge_sacked(struct tx_records *records, unsigned first, unsigned behind)
{
    if (first > 0 && records_at(records, first - 1)->sacked)
        first--;
    if (behind < records->count && records_at(records, behind)->sacked)
        behind++;
    unsigned moved = first < records->count - behind ? first : records->count - behind;
    if (behind - first > 1 && may_owe(records, behind - first + moved))
        merge(records, first, behind - 1);
}

static void mark_sacked(struct tx_records *records, struct tx_record *record)
{
    uncount(records, record, length_of(record));
    record->lost = false;
    record->sacked = true;
    records->sacked_bytes += length_of(record);
}

/* Cut record `i` for the sake of a SACK block, if that is allowed. */
static bool split_for_sack(struct tx_records *records, unsigned i, uint32_t seq,
                           unsigned record_max)
{
    return records->count < record_max && may_owe(records, split_work(records, i)) &&
           split(records, i, seq);
}

uint32_t records_sack(struct tx_records *records, uint32_t left, uint32_t right,
                      unsigned record_max, struct tx_delivered *delivered)
{
    uint32_t sacked_before = records->sacked_bytes;
    unsigned first = find(records, left);

    if (first < records->count && seq_lt(records_at(records, first)->start, left) &&
        !records_at(records, first)->sacked) {
        if (seq_lt(records_at(records, first)->start, right))
            split_for_sack(records, first, left, record_max);
        first++;
    }
    unsigned i = first;
    for (; i < records->count && seq_lt(records_at(records, i)->start, right); i++) {
        if (!may_owe(records, 1))
            break;
        records_spend(records, 1);
        if (records_at(records, i)->sacked)
            continue;
        if (seq_lt(right, records_at(records, i)->end) &&
            !split_for_sack(records, i, right, record_max))
            break;
        note_delivered(delivered, records_at(records, i));
        mark_sacked(records, records_at(records, i));
    }
    if (i > first)
        merge_sacked(records, first, i);
    return records->sacked_bytes - sacked_before;
}

static void forget_sack(struct tx_records *records, struct tx_record *record)
{
    if (record->sacked)
        records->sacked_bytes -= length_of(record);
    record->sacked = false;
}

void records_forget_sacks(struct tx_records *records)
{
    records_spend(records, records->count);
    for (unsigned i = 0; i < records->count; i++)
        forget_sack(records, records_at(records, i));
}

void records_renege(struct tx_records *records)
{
    if (records_can_walk(records))
        records_forget_sacks(records);
    else
        forget_sack(records, records_at(records, 0));
}

void records_forget_losses(struct tx_records *records)
{
    for (unsigned i = find(records, records->lost_from); records->lost_bytes > 0; i++) {
        records_spend(records, 1);
        if (records_at(records, i)->lost)
            records->lost_bytes -= length_of(records_at(records, i));
        records_at(records, i)->lost = false;
    }
}

struct tx_record *records_tail(struct tx_records *records, uint32_t max_bytes)
{
    unsigned last = records->count;

    while (last > 0 && records_at(records, last - 1)->sacked) /* neighbours are one: at most once */
        last--;
    if (last == 0)
        return NULL;
    last--;
    uint32_t end = records_at(records, last)->end;
    if (length_of(records_at(records, last)) > max_bytes)
        return split(records, last, end - max_bytes) ? records_at(records, last + 1) : NULL;
    unsigned first = last;
    while (first > 0 && !records_at(records, first - 1)->sacked &&
           !records_at(records, first - 1)->lost &&
           end - records_at(records, first - 1)->start <= max_bytes)
        first--;
    merge(records, first, last);
    return records_at(records, first);
}

void records_all_lost(struct tx_records *records)
{
    for (unsigned i = 0; i < records->count; i++)
        records_mark_lost(records, i, UINT32_MAX);
}

void records_mark_lost(struct tx_records *records, unsigned i, uint32_t bytes)
{
    struct tx_record *record = records_at(records, i);

    if (record->lost || record->sacked)
        return;
    if (length_of(record) > bytes && split(records, i, record->start + bytes))
        record = records_at(records, i);
    if (records->lost_bytes == 0 || seq_lt(record->start, records->lost_from))
        records->lost_from = record->start;
    record->lost = true;
    records->lost_bytes += length_of(record);
}

/* One range out of record `i` and the lost ones behind it, up to max_bytes: small segments are sent
 * again as one (9293 3.8.6: "may repackage segments on the retransmission queue"). */
static void merge_lost(struct tx_records *records, unsigned i, uint32_t max_bytes)
{
    uint32_t start = records_at(records, i)->start;
    unsigned last = i;

    while (last + 1 < records->count && records_at(records, last + 1)->lost &&
           records_at(records, last + 1)->end - start <= max_bytes)
        last++;
    merge(records, i, last);
}

struct tx_record *records_next_lost(struct tx_records *records, uint32_t max_bytes)
{
    if (records->lost_bytes == 0)
        return NULL;
    for (unsigned i = find(records, records->lost_from); i < records->count; i++) {
        struct tx_record *record = records_at(records, i);
        records_spend(records, 1);
        if (!record->lost)
            continue;
        records->lost_from = record->start;
        if (length_of(record) > max_bytes && !split(records, i, record->start + max_bytes))
            return NULL;
        merge_lost(records, i, max_bytes);
        return records_at(records, i);
    }
    return NULL;
}

void records_resent(struct tx_records *records, struct tx_record *record, uint64_t now_us)
{
    uncount(records, record, length_of(record));
    record->lost = false;
    record->sent_us = now_us;
    record->order = ++records->order;
    if (record->transmission_count < UINT16_MAX)
        record->transmission_count++;
}

void records_release(struct tx_records *records)
{
    if (records->count > 0)
        return;
    give_memory(records);
    records->record = NULL;
    records->first = records->room = 0;
}

void records_free(struct tx_records *records)
{
    give_memory(records);
    *records = (struct tx_records){.account = records->account};
}
