/* Samples of the delivery rate, see rate.h.
 *
 * The rate is what was delivered between two acknowledgments, over the time between them: from the
 * last one before a segment left to the one that says it has arrived. If what is acknowledged had
 * itself taken longer to leave, that time counts instead, for nothing arrives faster than it was
 * sent; and what was acknowledged late and in one lump does not look fast (4.1.1.2):
 *
 *     sent       a--b--c-----P            send_elapsed: a to P
 *                ^first                                             data_acked
 *     acked   K------------------K'  P    ack_elapsed: K to P    -------------------------------
 *             ^knee before P left         delivery rate =         max(send_elapsed, ack_elapsed)
 *
 * Times are kept as durations that end when P left, in 32 bits: what lies more than an hour back
 * counts as an hour. A transmission is known by its number (tx_record.order), which splitting and
 * joining of records leave alone, so records are no longer for this than without it. Marks lie in a
 * ring twice as long as the list of records has been; of a hole that stays while more than that is
 * sent the mark is overwritten, and it gives no sample.
 *
 * Departure from 4.1.2.4: whether the application had run out of data is not asked when it writes
 * again, but noted when output finds nothing to send. Output is pulled after every event, so that
 * is earlier, and the same. Not done: estimates without SACK from duplicate ACKs (4.1.3.5.1): they
 * count as delivered, but give no sample. */
#include "rate.h"

#include <string.h>

#include "../seq.h"
#include "records.h"

enum { MARKS_FIRST_ROOM = 32, MARKS_MAX = 2 * RECORDS_MAX };

static const uint64_t SECOND_US = 1000000;

static struct rate_mark *take_marks(struct memory *account, unsigned count)
{
    struct rate_mark *mark = memory_take(account, count * sizeof *mark);

    return mark != NULL ? memset(mark, 0, count * sizeof *mark) : NULL;
}

struct rate *rate_new(struct memory *account)
{
    struct rate *rate = memory_take(account, sizeof *rate);

    if (rate == NULL)
        return NULL;
    *rate = (struct rate){.account = account, .room = MARKS_FIRST_ROOM};
    rate->mark = take_marks(account, rate->room);
    if (rate->mark != NULL)
        return rate;
    memory_give(account, rate, sizeof *rate);
    return NULL;
}

void rate_free(struct rate *rate)
{
    if (rate == NULL)
        return;
    memory_give(rate->account, rate->mark, rate->room * sizeof *rate->mark);
    memory_give(rate->account, rate, sizeof *rate);
}

static struct rate_mark *slot(const struct rate *rate, uint32_t order)
{
    return &rate->mark[order & (rate->room - 1)];
}

/* Twice the room, if memory allows; else old marks are overwritten earlier. */
static void grow(struct rate *rate)
{
    struct rate_mark *old = rate->mark;
    unsigned count = rate->room;
    struct rate_mark *mark = NULL;

    if (memory_allows_growth(rate->account, 2 * count * sizeof *mark))
        mark = take_marks(rate->account, 2 * count);
    if (mark == NULL)
        return;
    rate->mark = mark;
    rate->room = 2 * count;
    for (unsigned i = 0; i < count; i++)
        *slot(rate, old[i].order) = old[i];
    memory_give(rate->account, old, count * sizeof *old);
}

static uint32_t duration_us(uint64_t from_us, uint64_t to_us)
{
    uint64_t us = to_us > from_us ? to_us - from_us : 0;

    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

/* 4.1.2.2, OnPacketSent(). */
void rate_on_sent(struct rate *rate, uint32_t order, uint32_t in_flight, uint32_t bytes,
                  unsigned record_count, uint64_t now_us)
{
    if (rate->room < 2 * record_count && rate->room < MARKS_MAX)
        grow(rate);
    if (in_flight <= bytes)
        rate->first_send_us = rate->delivered_us = now_us;
    *slot(rate, order) =
        (struct rate_mark){.order = order,
                           .delivered = rate->delivered,
                           .lost = rate->lost,
                           .tx_in_flight = in_flight,
                           .send_elapsed_us = duration_us(rate->first_send_us, now_us),
                           .since_delivered_us = duration_us(rate->delivered_us, now_us),
                           .is_app_limited = rate->is_app_limited};
}

void rate_on_lost(struct rate *rate, uint32_t bytes)
{
    rate->lost += bytes;
}

const struct rate_mark *rate_mark_of(const struct rate *rate, uint32_t order)
{
    const struct rate_mark *mark = slot(rate, order);

    return mark->order == order && order != 0 ? mark : NULL;
}

/* 4.1.2.3, UpdateRateSample() for the newest of what was delivered. */
static void take_newest(struct rate *rate, const struct rate_ack *ack, const struct rate_mark *mark)
{
    struct rate_sample *rs = &rate->sample;
    uint64_t ack_elapsed_us = (uint64_t)mark->since_delivered_us + (ack->now_us - ack->sent_us);
    uint64_t interval_us =
        ack_elapsed_us > mark->send_elapsed_us ? ack_elapsed_us : mark->send_elapsed_us;

    *rs = (struct rate_sample){.has_data = true,
                               .is_app_limited = mark->is_app_limited,
                               .interval_us = duration_us(0, interval_us),
                               .delivered = rate->delivered - mark->delivered,
                               .prior_delivered = mark->delivered,
                               .tx_in_flight = mark->tx_in_flight,
                               .lost = rate->lost - mark->lost,
                               .rtt_us = duration_us(ack->sent_us, ack->now_us)};
    rate->first_send_us = ack->sent_us;
    if (interval_us < ack->min_rtt_us || interval_us == 0) /* an earlier transmission has arrived */
        return;
    rs->delivery_rate = rs->delivered * SECOND_US / interval_us;
    if (!rs->is_app_limited || rs->delivery_rate >= rate->shown)
        rate->shown = rs->delivery_rate;
}

/* 4.1.2.3, GenerateRateSample(). */
void rate_on_ack(struct rate *rate, const struct rate_ack *ack)
{
    rate->sample = (struct rate_sample){0};
    if (ack->delivered_bytes == 0)
        return;
    rate->delivered += ack->delivered_bytes;
    rate->delivered_us = ack->now_us;
    if (rate->is_app_limited && seq_gt(rate->delivered, rate->app_limited_until))
        rate->is_app_limited = false; /* the bubble has left the pipe */
    const struct rate_mark *mark = ack->has_newest ? rate_mark_of(rate, ack->order) : NULL;
    if (mark != NULL)
        take_newest(rate, ack, mark);
}

void rate_app_limited(struct rate *rate, uint32_t in_flight)
{
    rate->is_app_limited = true;
    rate->app_limited_until = rate->delivered + in_flight;
}
