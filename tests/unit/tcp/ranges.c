/* The list of out-of-order ranges, against a plain map of bytes; SACK blocks in their order. All
 * numbers lie around the wrap. */
#include "../unit.h"

#include <stdio.h>
#include <string.h>

#include "../../../stack/tcp/ranges.h"
#include "../../../stack/tcp/seq.h"

#define BASE 0xffffff00u

static uint32_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % below;
}

/* "10-20 30-40", relative to BASE. */
static const char *text_of(const struct ranges *ranges)
{
    static char text[200];
    size_t len = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < ranges->count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%u-%u", i > 0 ? " " : "",
                                ranges->range[i].start - BASE, ranges->range[i].end - BASE);
    return text;
}

static void add(struct ranges *ranges, uint32_t start, uint32_t end)
{
    ck_assert(ranges_add(ranges, BASE + start, BASE + end));
}

START_TEST(ranges_that_touch_become_one)
{
    static const struct {
        uint32_t start, end;
        const char *after;
    } rows[] = {
        {600, 610, "100-200 300-400 500-610"},
        {50, 99, "50-99 100-200 300-400 500-600"},
        {50, 100, "50-200 300-400 500-600"},
        {200, 300, "100-400 500-600"},
        {150, 350, "100-400 500-600"},
        {120, 130, "100-200 300-400 500-600"},
        {100, 200, "100-200 300-400 500-600"},
        {90, 700, "90-700"},
        {210, 290, "100-200 210-290 300-400 500-600"},
        {200, 550, "100-600"},
    };
    struct ranges ranges = {0};

    add(&ranges, 300, 400);
    add(&ranges, 100, 200);
    add(&ranges, 500, 600);
    add(&ranges, rows[_i].start, rows[_i].end);
    ck_assert_str_eq(text_of(&ranges), rows[_i].after);
    ranges_free(&ranges);
}
END_TEST

START_TEST(join_goes_on_to_the_end_of_what_is_there)
{
    struct ranges ranges = {0};

    add(&ranges, 100, 200);
    add(&ranges, 300, 400);
    ck_assert_uint_eq(ranges_join(&ranges, BASE + 50) - BASE, 50);
    ck_assert_str_eq(text_of(&ranges), "100-200 300-400");
    ck_assert_uint_eq(ranges_join(&ranges, BASE + 100) - BASE, 200);
    ck_assert_str_eq(text_of(&ranges), "300-400");
    ck_assert_uint_eq(ranges_join(&ranges, BASE + 350) - BASE, 400);
    ck_assert_uint_eq(ranges.count, 0);
    ck_assert_uint_eq(ranges_join(&ranges, BASE + 500) - BASE, 500);
    ranges_free(&ranges);
}
END_TEST

START_TEST(join_passes_ranges_that_lie_behind)
{
    struct ranges ranges = {0};

    add(&ranges, 100, 200);
    add(&ranges, 300, 400);
    ck_assert_uint_eq(ranges_join(&ranges, BASE + 1000) - BASE, 1000);
    ck_assert_uint_eq(ranges.count, 0);
    ranges_free(&ranges);
}
END_TEST

/* RFC 2018 section 4: the block of the segment just taken first, then the next most recent. */
START_TEST(sack_blocks_come_most_recent_first)
{
    struct ranges ranges = {0};
    struct tcp_sack_block blocks[4];

    add(&ranges, 100, 200);
    add(&ranges, 500, 600);
    add(&ranges, 300, 400);
    add(&ranges, 200, 210); /* the first one again */
    ck_assert_uint_eq(ranges_sack(&ranges, blocks, 4), 3);
    ck_assert_uint_eq(blocks[0].left - BASE, 100);
    ck_assert_uint_eq(blocks[0].right - BASE, 210);
    ck_assert_uint_eq(blocks[1].left - BASE, 300);
    ck_assert_uint_eq(blocks[2].left - BASE, 500);
    ck_assert_uint_eq(ranges_sack(&ranges, blocks, 1), 1);
    ck_assert_uint_eq(blocks[0].left - BASE, 100);
    ck_assert_uint_eq(ranges_sack(&ranges, blocks, 0), 0);
    ranges_free(&ranges);
}
END_TEST

START_TEST(list_refuses_more_than_its_maximum_but_still_merges)
{
    struct ranges ranges = {0};

    for (uint32_t i = 0; i < RANGES_MAX; i++)
        add(&ranges, i * 10, i * 10 + 5);
    ck_assert(!ranges_add(&ranges, BASE + RANGES_MAX * 10, BASE + RANGES_MAX * 10 + 5));
    ck_assert_uint_eq(ranges.count, RANGES_MAX);
    add(&ranges, 5, 10);
    ck_assert_uint_eq(ranges.count, RANGES_MAX - 1);
    add(&ranges, RANGES_MAX * 10, RANGES_MAX * 10 + 5);
    ranges_free(&ranges);
}
END_TEST

/* Random ranges in random order are the same set as a map of bytes, sorted, and none touch. */
START_TEST(list_is_the_set_of_its_bytes)
{
    enum { BYTES = 1000 };
    struct ranges ranges = {0};
    bool has[BYTES] = {0};
    uint32_t next = 0;

    random_state = (uint32_t)_i;
    for (int step = 0; step < 200; step++) {
        uint32_t start = next + draw(BYTES - next);
        uint32_t end = start + 1 + draw(BYTES - start < 40 ? BYTES - start : 40);
        add(&ranges, start, end);
        memset(has + start, true, end - start);
        if (draw(20) == 0) {
            uint32_t expected = next = next + draw((BYTES - next) / 8 + 1);
            while (expected < BYTES && has[expected])
                expected++;
            next = ranges_join(&ranges, BASE + next) - BASE;
            ck_assert_uint_eq(next, expected);
            if (next >= BYTES - 1)
                break;
        }
        uint32_t total = 0, expected_total = 0, missing_count = 0;
        for (unsigned i = 0; i < ranges.count; i++) {
            const struct range *range = &ranges.range[i];
            ck_assert(i == 0 || seq_lt(ranges.range[i - 1].end, range->start));
            total += range->end - range->start;
            for (uint32_t at = range->start - BASE; at < range->end - BASE; at++)
                missing_count += !has[at];
        }
        for (uint32_t at = next; at < BYTES; at++)
            expected_total += has[at];
        ck_assert_uint_eq(total, expected_total);
        ck_assert_uint_eq(missing_count, 0);
    }
    ranges_free(&ranges);
}
END_TEST

START_TEST(end_is_that_of_the_last_range)
{
    struct ranges ranges = {0};

    ck_assert_uint_eq(ranges_end(&ranges, 7), 7);
    add(&ranges, 500, 600);
    add(&ranges, 100, 200);
    ck_assert_uint_eq(ranges_end(&ranges, 7) - BASE, 600);
    ranges_free(&ranges);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, ranges_that_touch_become_one, 0, 10);
    tcase_add_test(tc, join_goes_on_to_the_end_of_what_is_there);
    tcase_add_test(tc, join_passes_ranges_that_lie_behind);
    tcase_add_test(tc, sack_blocks_come_most_recent_first);
    tcase_add_test(tc, list_refuses_more_than_its_maximum_but_still_merges);
    tcase_add_loop_test(tc, list_is_the_set_of_its_bytes, 0, 50);
    tcase_add_test(tc, end_is_that_of_the_last_range);
}

int main(void)
{
    return unit_main("ranges", tests);
}
