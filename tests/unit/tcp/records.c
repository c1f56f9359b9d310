/* Transmission records. Numbers lie around the wrap; in the text form a range is START-END with s
 * for sacked, l for lost and a count when it was sent more than once: "0-10 10-20s 20-30l". */
#include "../unit.h"

#include <stdio.h>

#include "../../../stack/tcp/recovery/records.h"

#define BASE 0xffffff80u

static struct tx_records records;
static struct tx_delivered delivered;

static const char *text_of(void)
{
    static char text[400];
    size_t len = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < records.count; i++) {
        const struct tx_record *record = records_at(&records, i);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%u-%u%s%s", i > 0 ? " " : "",
                                record->start - BASE, record->end - BASE, record->sacked ? "s" : "",
                                record->lost ? "l" : "");
        if (record->transmission_count > 1)
            len +=
                (size_t)snprintf(text + len, sizeof text - len, "x%u", record->transmission_count);
    }
    return text;
}

/* The sums that are kept beside the list are right, and it has no gap. */
static void is_sound(void)
{
    uint32_t sacked = 0, lost = 0;
    unsigned unsound_count = 0; /* an assertion per record would take long */

    for (unsigned i = 0; i < records.count; i++) {
        const struct tx_record *record = records_at(&records, i);
        unsound_count += i > 0 && records_at(&records, i - 1)->end != record->start;
        unsound_count += record->start == record->end;
        unsound_count += record->sacked && record->lost;
        sacked += record->sacked ? record->end - record->start : 0;
        lost += record->lost ? record->end - record->start : 0;
    }
    ck_assert_uint_eq(unsound_count, 0);
    ck_assert_uint_eq(records.sacked_bytes, sacked);
    ck_assert_uint_eq(records.lost_bytes, lost);
}

static void is(const char *text)
{
    ck_assert_str_eq(text_of(), text);
    is_sound();
}

/* `count` ranges of 10, sent at 100, 200 ... */
static void with(uint32_t count)
{
    records = (struct tx_records){0};
    for (uint32_t i = 0; i < count; i++)
        ck_assert(records_append(&records, BASE + 10 * i, BASE + 10 * i + 10, 100 * (i + 1)));
}

START_TEST(acknowledgment_forgets_what_lies_before_it)
{
    with(4);
    records_ack(&records, BASE + 0, &delivered);
    is("0-10 10-20 20-30 30-40");
    records_ack(&records, BASE + 10, &delivered);
    is("10-20 20-30 30-40");
    records_ack(&records, BASE + 25, &delivered); /* part of one */
    is("25-30 30-40");
    records_ack(&records, BASE + 40, &delivered);
    is("");
    records_free(&records);
}
END_TEST

/* Karn: only what was sent once gives a sample; the latest of it. */
START_TEST(sample_is_of_the_last_range_that_was_sent_once)
{
    with(3);
    struct tx_acked acked = records_ack(&records, BASE + 20, &delivered);
    ck_assert(acked.has_rtt && !acked.was_retransmitted);
    ck_assert_uint_eq(acked.sent_us, 200);
    acked = records_ack(&records, BASE + 20, &delivered);
    ck_assert(!acked.has_rtt);
    records_mark_lost(&records, 0, UINT32_MAX);
    records_resent(&records, records_next_lost(&records, 100), 900);
    acked = records_ack(&records, BASE + 30, &delivered);
    ck_assert(!acked.has_rtt && acked.was_retransmitted);
    records_free(&records);
}
END_TEST

START_TEST(sacked_range_gives_no_late_sample)
{
    with(3);
    records_sack(&records, BASE + 10, BASE + 30, UINT32_MAX, &delivered);
    struct tx_acked acked = records_ack(&records, BASE + 30, &delivered);
    ck_assert(acked.has_rtt);
    ck_assert_uint_eq(acked.sent_us, 100);
    records_free(&records);
}
END_TEST

START_TEST(sack_splits_ranges_at_its_edges)
{
    static const struct {
        uint32_t left, right, newly;
        const char *after;
    } rows[] = {
        {10, 20, 10, "0-10 10-20s 20-30 30-40"},
        {5, 8, 3, "0-5 5-8s 8-10 10-20 20-30 30-40"},
        {5, 25, 20, "0-5 5-25s 25-30 30-40"}, /* neighbours that are sacked become one */
        {0, 40, 40, "0-40s"},
        {35, 40, 5, "0-10 10-20 20-30 30-35 35-40s"},
    };

    with(4);
    ck_assert_uint_eq(
        records_sack(&records, BASE + rows[_i].left, BASE + rows[_i].right, UINT32_MAX, &delivered),
        rows[_i].newly);
    is(rows[_i].after);
    /* The same once more says nothing new. */
    ck_assert_uint_eq(
        records_sack(&records, BASE + rows[_i].left, BASE + rows[_i].right, UINT32_MAX, &delivered),
        0);
    is(rows[_i].after);
    records_free(&records);
}
END_TEST

START_TEST(lost_range_that_is_sacked_is_not_lost)
{
    with(3);
    records_all_lost(&records);
    is("0-10l 10-20l 20-30l");
    ck_assert_uint_eq(records_sack(&records, BASE + 10, BASE + 20, UINT32_MAX, &delivered), 10);
    is("0-10l 10-20s 20-30l");
    records_mark_lost(&records, 1, UINT32_MAX);
    is("0-10l 10-20s 20-30l");
    records_free(&records);
}
END_TEST

/* RFC 2018 section 8: reneging. */
START_TEST(forgotten_sacks_can_be_lost)
{
    with(3);
    records_sack(&records, BASE + 10, BASE + 30, UINT32_MAX, &delivered);
    records_forget_sacks(&records);
    is("0-10 10-30");
    records_all_lost(&records);
    is("0-10l 10-30l");
    records_free(&records);
}
END_TEST

START_TEST(lost_ranges_are_handed_out_in_order_and_in_pieces)
{
    with(3);
    ck_assert_ptr_null(records_next_lost(&records, 100));
    records_mark_lost(&records, 1, UINT32_MAX);
    struct tx_record *lost = records_next_lost(&records, 4);
    ck_assert_uint_eq(lost->start - BASE, 10);
    ck_assert_uint_eq(lost->end - BASE, 14);
    records_resent(&records, lost, 900);
    is("0-10 10-14x2 14-20l 20-30");
    lost = records_next_lost(&records, 100);
    ck_assert_uint_eq(lost->start - BASE, 14);
    records_resent(&records, lost, 900);
    is("0-10 10-14x2 14-20x2 20-30");
    ck_assert_ptr_null(records_next_lost(&records, 100));
    records_free(&records);
}
END_TEST

/* 9293 3.8.6: segments on the retransmission queue may be repackaged. */
START_TEST(lost_ranges_that_fit_together_are_handed_out_as_one)
{
    with(4);
    records_mark_lost(&records, 0, UINT32_MAX);
    records_resent(&records, records_next_lost(&records, 10), 900);
    records_all_lost(&records);
    struct tx_record *lost = records_next_lost(&records, 25);
    ck_assert_uint_eq(lost->end - lost->start, 20);
    is("0-20lx2 20-30l 30-40l"); /* Karn: part of it was sent twice */
    records_free(&records);
}
END_TEST

START_TEST(part_of_a_range_can_be_lost)
{
    with(2);
    records_mark_lost(&records, 0, 4);
    is("0-4l 4-10 10-20");
    records_ack(&records, BASE + 2, &delivered); /* and part of the lost one acknowledged */
    is("2-4l 4-10 10-20");
    records_free(&records);
}
END_TEST

/* RFC 8985 6.2 asks what was newly delivered, when it was sent, and whether more than once. */
START_TEST(delivered_ranges_are_told_once)
{
    with(4);
    delivered = (struct tx_delivered){0};
    records_sack(&records, BASE + 10, BASE + 30, UINT32_MAX, &delivered);
    ck_assert(delivered.has_once && !delivered.has_resent);
    ck_assert_uint_eq(delivered.once_us, 300);
    ck_assert_uint_eq(delivered.once_end, BASE + 30);
    ck_assert_uint_eq(delivered.once_lowest_end, BASE + 20);
    records_mark_lost(&records, 0, UINT32_MAX);
    records_resent(&records, records_next_lost(&records, 100), 900);
    delivered = (struct tx_delivered){0};
    records_ack(&records, BASE + 30, &delivered);
    ck_assert(!delivered.has_once && delivered.has_resent);
    ck_assert_uint_eq(delivered.resent_us, 900);
    ck_assert_uint_eq(delivered.resent_end, BASE + 10);
    records_free(&records);
}
END_TEST

/* However much is sent in however small pieces: walking the list costs so much and no more. */
START_TEST(list_has_a_limit)
{
    records = (struct tx_records){0};
    for (uint32_t at = 0; at < 3 * RECORDS_MAX; at++)
        if (!records_append(&records, BASE + at, BASE + at + 1, at))
            ck_abort_msg("no room at %u", (unsigned)at);
    ck_assert_uint_eq(records.count, RECORDS_MAX);
    ck_assert_uint_eq(records_at(&records, RECORDS_MAX - 1)->end, BASE + 3 * RECORDS_MAX);
    is_sound();
    records_ack(&records, BASE + 3 * RECORDS_MAX, &delivered);
    is("");
    records_free(&records);
}
END_TEST

START_TEST(tail_is_cut_off_the_last_range)
{
    with(2);
    ck_assert_uint_eq(records_tail(&records, 4)->start, BASE + 16);
    is("0-10 10-16 16-20");
    ck_assert_uint_eq(records_tail(&records, 5)->start, BASE + 16);
    ck_assert_uint_eq(records_tail(&records, 10)->start, BASE + 10);
    is("0-10 10-20"); /* what fits together is one */
    records_mark_lost(&records, 0, UINT32_MAX);
    records_forget_losses(&records);
    is("0-10 10-20");
    records_sack(&records, BASE + 10, BASE + 20, UINT32_MAX, &delivered);
    ck_assert_uint_eq(records_tail(&records, 4)->start, BASE + 6);
    is("0-6 6-10 10-20s");
    records_free(&records);
    ck_assert_ptr_null(records_tail(&records, 100));
}
END_TEST

/* A long life of small steps keeps the list sound and its memory small. */
START_TEST(list_stays_sound_and_small)
{
    uint32_t state = (uint32_t)_i, una = 0, nxt = 0;

    records = (struct tx_records){0};
    for (int step = 0; step < 3000; step++) {
        state = state * 1664525 + 1013904223;
        uint32_t what = (state >> 8) % 8, much = (state >> 12) % 50 + 1;
        uint32_t at = nxt == una ? una : una + (state >> 20) % (nxt - una);
        if (what < 3 && nxt - una < 2000) {
            ck_assert(records_append(&records, BASE + nxt, BASE + nxt + much, (uint64_t)step));
            nxt += much;
        } else if (what == 3) {
            una = at;
            records_ack(&records, BASE + una, &delivered);
        } else if (what == 4) {
            records_sack(&records, BASE + at, BASE + (nxt - at < much ? nxt : at + much),
                         UINT32_MAX, &delivered);
        } else if (what == 5 && records.count > 0) {
            records_mark_lost(&records, at % records.count, much);
        } else if (what == 6 && records_next_lost(&records, much) != NULL) {
            records_resent(&records, records_next_lost(&records, much), (uint64_t)step);
        } else if (what == 7 && much == 50) {
            records_forget_sacks(&records);
            records_all_lost(&records);
        }
        is_sound();
        ck_assert(records.count == 0 || records_at(&records, 0)->start == BASE + una);
        ck_assert(records.count == 0 || records_at(&records, records.count - 1)->end == BASE + nxt);
    }
    ck_assert_uint_le(records.room, 4096);
    records_free(&records);
}
END_TEST

/* What may be looked at and moved is limited; an acknowledgment and time make room for more. */
START_TEST(work_that_is_not_lent_is_left_out)
{
    with(4);
    records_spend(&records, RECORDS_OWED_MAX);
    ck_assert(!records_can_walk(&records));
    uint64_t wait_us = records_walk_wait_us(&records);
    ck_assert_uint_gt(wait_us * RECORDS_PER_US, 4);
    ck_assert_uint_eq(records_sack(&records, BASE + 12, BASE + 40, UINT32_MAX, &delivered), 0);
    records_pay(&records, wait_us, false); /* time counts from 0 */
    ck_assert(records_can_walk(&records));
    records_spend(&records, RECORDS_OWED_MAX);
    records_pay(&records, wait_us + 100, true);
    ck_assert_uint_eq(records.owed, RECORDS_OWED_MAX - RECORDS_PER_ACK - 100 * RECORDS_PER_US);
    records_pay(&records, wait_us + 100, false);
    records_pay(&records, wait_us + 102, false);
    ck_assert_uint_eq(records.owed, RECORDS_OWED_MAX - RECORDS_PER_ACK - 102 * RECORDS_PER_US);
    ck_assert(records_can_walk(&records));
    ck_assert_uint_eq(records_sack(&records, BASE + 12, BASE + 40, UINT32_MAX, &delivered), 28);
    is("0-10 10-12 12-40s");
    records_free(&records);
}
END_TEST

/* Without a cut that is not lent, whole ranges are marked all the same; they become no one. */
START_TEST(sack_without_credit_marks_whole_ranges)
{
    with(4);
    records_spend(&records, RECORDS_OWED_MAX - 2);
    ck_assert_uint_eq(records_sack(&records, BASE + 5, BASE + 30, UINT32_MAX, &delivered), 20);
    is("0-10 10-20s 20-30s 30-40");
    records_pay(&records, 100, true);
    ck_assert_uint_eq(records_sack(&records, BASE + 10, BASE + 40, UINT32_MAX, &delivered), 10);
    is("0-10 10-40s");
    records_free(&records);
}
END_TEST

START_TEST(reneging_is_forgotten_as_far_as_it_is_lent)
{
    with(4);
    records_sack(&records, BASE + 0, BASE + 10, UINT32_MAX, &delivered);
    records_sack(&records, BASE + 20, BASE + 30, UINT32_MAX, &delivered);
    records_spend(&records, RECORDS_OWED_MAX);
    records_renege(&records);
    is("0-10 10-20 20-30s 30-40");
    records_sack(&records, BASE + 0, BASE + 10, UINT32_MAX, &delivered);
    records_pay(&records, 100, true);
    records_renege(&records);
    is("0-10 10-20 20-30 30-40");
    records_free(&records);
}
END_TEST

START_TEST(first_lost_range_is_found_again_after_an_earlier_one) /* lost_from */
{
    with(4);
    records_mark_lost(&records, 2, UINT32_MAX);
    records_mark_lost(&records, 1, UINT32_MAX);
    ck_assert_uint_eq(records_next_lost(&records, 10)->start, BASE + 10);
    records_resent(&records, records_at(&records, 1), 500);
    ck_assert_uint_eq(records_next_lost(&records, 10)->start, BASE + 20);
    records_mark_lost(&records, 0, UINT32_MAX);
    ck_assert_uint_eq(records_next_lost(&records, 10)->start, BASE + 0);
    records_forget_losses(&records);
    is("0-10 10-20x2 20-30 30-40");
    records_mark_lost(&records, 3, UINT32_MAX);
    ck_assert_uint_eq(records_next_lost(&records, 10)->start, BASE + 30);
    records_free(&records);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, acknowledgment_forgets_what_lies_before_it);
    tcase_add_test(tc, sample_is_of_the_last_range_that_was_sent_once);
    tcase_add_test(tc, sacked_range_gives_no_late_sample);
    tcase_add_loop_test(tc, sack_splits_ranges_at_its_edges, 0, 5);
    tcase_add_test(tc, lost_range_that_is_sacked_is_not_lost);
    tcase_add_test(tc, forgotten_sacks_can_be_lost);
    tcase_add_test(tc, lost_ranges_are_handed_out_in_order_and_in_pieces);
    tcase_add_test(tc, lost_ranges_that_fit_together_are_handed_out_as_one);
    tcase_add_test(tc, part_of_a_range_can_be_lost);
    tcase_add_test(tc, delivered_ranges_are_told_once);
    tcase_add_test(tc, list_has_a_limit);
    tcase_add_test(tc, tail_is_cut_off_the_last_range);
    tcase_add_loop_test(tc, list_stays_sound_and_small, 0, 20);
    tcase_add_test(tc, work_that_is_not_lent_is_left_out);
    tcase_add_test(tc, sack_without_credit_marks_whole_ranges);
    tcase_add_test(tc, reneging_is_forgotten_as_far_as_it_is_lent);
    tcase_add_test(tc, first_lost_range_is_found_again_after_an_earlier_one);
}

int main(void)
{
    return unit_main("records", tests);
}
