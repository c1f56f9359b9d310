/* The list of transmission records, see records.h: an array whose front moves forward as the peer
 * acknowledges, and back to the start of its memory when that runs out. */
#include "records.h"

#include <stdlib.h>
#include <string.h>

#include "../seq.h"

enum { RECORDS_FIRST_ROOM = 8, RECORDS_MAX = 1 << 16 };

struct tx_record *records_at(const struct tx_records *records, unsigned i)
{
    return &records->record[records->first + i];
}

static uint32_t length_of(const struct tx_record *record)
{
    return record->end - record->start;
}

/* Room for one more at the end: slide to the front if half is free there, else double. */
static bool make_room(struct tx_records *records)
{
    if (records->first + records->count < records->room)
        return true;
    if (records->first > records->room / 2) {
        memmove(records->record, records_at(records, 0), records->count * sizeof *records->record);
        records->first = 0;
        return true;
    }
    if (records->room >= RECORDS_MAX)
        return false;
    unsigned room = records->room == 0 ? RECORDS_FIRST_ROOM : records->room * 2;
    struct tx_record *grown = realloc(records->record, room * sizeof *grown);
    if (grown == NULL)
        return false;
    records->record = grown;
    records->room = room;
    return true;
}

bool records_append(struct tx_records *records, uint32_t start, uint32_t end, uint64_t now_us)
{
    if (!make_room(records))
        return false;
    *records_at(records, records->count++) =
        (struct tx_record){.start = start, .end = end, .sent_us = now_us, .transmission_count = 1};
    return true;
}

static void uncount(struct tx_records *records, const struct tx_record *record, uint32_t bytes)
{
    if (record->sacked)
        records->sacked_bytes -= bytes;
    if (record->lost)
        records->lost_bytes -= bytes;
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

struct tx_acked records_ack(struct tx_records *records, uint32_t una)
{
    struct tx_acked acked = {0};

    while (records->count > 0) {
        struct tx_record *record = records_at(records, 0);
        if (seq_leq(una, record->start))
            break;
        note_acked(&acked, record);
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

/* Cut record `i` at `seq`, which lies inside it; false when memory is short. */
static bool split(struct tx_records *records, unsigned i, uint32_t seq)
{
    if (!make_room(records))
        return false;
    memmove(records_at(records, i + 1), records_at(records, i),
            (records->count - i) * sizeof *records->record);
    records->count++;
    records_at(records, i)->end = seq;
    records_at(records, i + 1)->start = seq;
    return true;
}

uint32_t records_sack(struct tx_records *records, uint32_t left, uint32_t right,
                      unsigned record_max)
{
    uint32_t newly_bytes = 0;

    for (unsigned i = 0; i < records->count; i++) {
        struct tx_record *record = records_at(records, i);
        if (seq_leq(right, record->start))
            break;
        if (seq_leq(record->end, left) || record->sacked)
            continue;
        if (seq_lt(record->start, left)) {
            if (records->count >= record_max || !split(records, i, left))
                break;
            continue; /* the second half is next */
        }
        if (seq_lt(right, record->end) &&
            (records->count >= record_max || !split(records, i, right)))
            break;
        record = records_at(records, i); /* split() may have moved it */
        uncount(records, record, length_of(record));
        record->lost = false;
        record->sacked = true;
        records->sacked_bytes += length_of(record);
        newly_bytes += length_of(record);
    }
    return newly_bytes;
}

void records_forget_sacks(struct tx_records *records)
{
    for (unsigned i = 0; i < records->count; i++)
        records_at(records, i)->sacked = false;
    records->sacked_bytes = 0;
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
    record->lost = true;
    records->lost_bytes += length_of(record);
}

/* One range out of record `i` and the lost ones behind it, up to max_bytes: small segments are sent
 * again as one (9293 3.8.6: "may repackage segments on the retransmission queue"). */
static void merge_lost(struct tx_records *records, unsigned i, uint32_t max_bytes)
{
    struct tx_record *record = records_at(records, i);
    unsigned last = i;

    while (last + 1 < records->count && records_at(records, last + 1)->lost &&
           records_at(records, last + 1)->end - record->start <= max_bytes) {
        const struct tx_record *next = records_at(records, ++last);
        if (next->transmission_count > record->transmission_count)
            record->transmission_count = next->transmission_count; /* Karn */
    }
    if (last == i)
        return;
    record->end = records_at(records, last)->end;
    memmove(records_at(records, i + 1), records_at(records, last + 1),
            (records->count - last - 1) * sizeof *records->record);
    records->count -= last - i;
}

struct tx_record *records_next_lost(struct tx_records *records, uint32_t max_bytes)
{
    if (records->lost_bytes == 0)
        return NULL;
    for (unsigned i = 0; i < records->count; i++) {
        struct tx_record *record = records_at(records, i);
        if (!record->lost)
            continue;
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
    if (record->transmission_count < UINT16_MAX)
        record->transmission_count++;
}

void records_free(struct tx_records *records)
{
    free(records->record);
    *records = (struct tx_records){0};
}
