/* The byte ring, as a send buffer (in order) and as a receive buffer (by place, with holes), each
 * against a plain array. */
#include "../unit.h"

#include <string.h>

#include "../../../stack/tcp/ring.h"

static uint32_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % below;
}

static uint8_t byte_at(size_t position)
{
    return (uint8_t)(position * 31 + (position >> 8));
}

static void are_stream(const struct bytes span[static 2], size_t position)
{
    unsigned wrong_count = 0; /* an assertion per byte would take minutes */

    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < span[s].len; i++)
            wrong_count += span[s].data[i] != byte_at(position++);
    ck_assert_uint_eq(wrong_count, 0);
}

/* The ring's bytes are those of the stream from `position` on. */
static void holds_stream(const struct ring *ring, size_t position)
{
    struct bytes span[2];

    ring_spans(ring, 0, ring->used, span);
    ck_assert_uint_eq(span[0].len + span[1].len, ring->used);
    are_stream(span, position);
}

START_TEST(empty_ring_has_no_memory)
{
    struct ring ring = {0};
    struct bytes span[2];

    ring_spans(&ring, 0, 0, span);
    ck_assert_uint_eq(span[0].len + span[1].len, 0);
    ring_consume(&ring, 0);
    ck_assert_uint_eq(ring_write(&ring, NULL, 0, 100), 0);
    ck_assert_uint_eq(ring.size, 0);
    ring_release(&ring);
}
END_TEST

START_TEST(write_stops_at_the_limit)
{
    struct ring ring = {0};
    uint8_t data[100] = {0};

    ck_assert_uint_eq(ring_write(&ring, data, 100, 150), 100);
    ck_assert_uint_eq(ring_write(&ring, data, 100, 150), 50);
    ck_assert_uint_eq(ring_write(&ring, data, 100, 150), 0);
    ring_consume(&ring, 10);
    ck_assert_uint_eq(ring_write(&ring, data, 100, 150), 10);
    ck_assert_uint_eq(ring_write(&ring, data, 100, 20), 0); /* a limit that has shrunk */
    ck_assert_uint_eq(ring.used, 150);
    ring_release(&ring);
    ck_assert_uint_eq(ring.size, 0);
}
END_TEST

/* Random writes and reads of any length, some through the reserved memory, give the stream back. */
START_TEST(what_is_written_in_order_is_read_in_order)
{
    struct ring ring = {0};
    uint8_t data[5000];
    size_t written = 0, consumed = 0;

    random_state = (uint32_t)_i;
    for (int step = 0; step < 1000; step++) {
        size_t len = draw(sizeof data);
        if (draw(3) == 0) {
            size_t room;
            uint8_t *memory = ring_reserve(&ring, 20000, &room);
            len = len < room ? len : room;
            ck_assert(memory != NULL || room == 0);
            for (size_t i = 0; i < len; i++)
                memory[i] = byte_at(written++);
            ring_commit(&ring, len);
        } else if (draw(2) == 0) {
            for (size_t i = 0; i < len; i++)
                data[i] = byte_at(written + i);
            written += ring_write(&ring, data, len, 20000);
        } else {
            len = len < ring.used ? len : ring.used;
            ring_consume(&ring, len);
            consumed += len;
        }
        ck_assert_uint_le(ring.used, 20000);
        ck_assert_uint_eq(ring.used, written - consumed);
        if (step % 16 == 0)
            holds_stream(&ring, consumed);
    }
    ring_release(&ring);
}
END_TEST

/* Bytes behind a hole stay where they are when the ring grows and when its front is read. */
START_TEST(bytes_behind_a_hole_survive_growth_and_reading)
{
    struct ring ring = {0};
    uint8_t data[40000];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = byte_at(i);
    ck_assert(ring_write_at(&ring, 0, (struct bytes){data, 3000}));
    ring_commit(&ring, 3000);
    ring_consume(&ring, 2500); /* the front is not at the start of the memory now */
    ck_assert(ring_write_at(&ring, 1000, (struct bytes){data + 3500, 2000}));
    ck_assert(ring_write_at(&ring, 30000, (struct bytes){data + 32500, 1000})); /* grows */
    ring_consume(&ring, 300);
    ck_assert(ring_write_at(&ring, 200, (struct bytes){data + 3000, 500})); /* fills the hole */
    ring_commit(&ring, 2500);
    holds_stream(&ring, 2800);
    ck_assert(ring_write_at(&ring, 2700, (struct bytes){data + 5500, 27000}));
    ring_commit(&ring, 28000);
    holds_stream(&ring, 2800);
    ring_release(&ring);
}
END_TEST

START_TEST(empty_ring_begins_at_the_front_again)
{
    struct ring ring = {0};
    struct bytes span[2];

    ck_assert(ring_write_at(&ring, 0, (struct bytes){(const uint8_t *)"abcd", 4}));
    ring_commit(&ring, 4);
    ring_consume(&ring, 2);
    ring_rewind(&ring); /* not while there is something in it */
    ring_spans(&ring, 0, 2, span);
    ck_assert_mem_eq(span[0].data, "cd", 2);
    ring_consume(&ring, 2);
    ring_rewind(&ring);
    ck_assert_uint_eq(ring.head, 0);
    ring_release(&ring);
}
END_TEST

START_TEST(spans_give_any_part)
{
    struct ring ring = {0};
    uint8_t data[4000];
    struct bytes span[2];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = byte_at(i);
    ck_assert_uint_eq(ring_write(&ring, data, 4000, 10000), 4000);
    ring_consume(&ring, 3900);
    for (size_t i = 0; i < 1000; i++)
        data[i] = byte_at(4000 + i);
    ck_assert_uint_eq(ring_write(&ring, data, 1000, 10000), 1000); /* wraps */
    for (size_t offset = 0; offset < ring.used; offset += 7) {
        size_t len = ring.used - offset < 300 ? ring.used - offset : 300;
        ring_spans(&ring, offset, len, span);
        ck_assert_uint_eq(span[0].len + span[1].len, len);
        are_stream(span, 3900 + offset);
    }
    ring_release(&ring);
}
END_TEST

/* Whatever malloc() returns; and all that was taken is counted and given back. */
START_TEST(large_ring_begins_with_a_cache_line)
{
    enum { LARGE_BYTES = 1 << 17 };
    struct memory memory = {0};
    struct ring ring = {.account = &memory};
    void *odd[8];
    size_t room;

    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        odd[i] = malloc(16 * (i + 1));
        uint8_t *at = ring_reserve(&ring, LARGE_BYTES, &room);
        for (; ring.size < LARGE_BYTES; at = ring_reserve(&ring, LARGE_BYTES, &room))
            ring_commit(&ring, room);
        ring_consume(&ring, ring.used);
        at = ring_reserve(&ring, LARGE_BYTES, &room);
        ck_assert_uint_eq((uintptr_t)at % RING_LINE_BYTES, 0);
        ck_assert_uint_ge(memory.used_bytes, LARGE_BYTES);
        ck_assert(ring_is_half_line(&ring, 0) && ring_is_half_line(&ring, 32));
        ck_assert(!ring_is_half_line(&ring, 8));
        ring_commit(&ring, 40);
        ring_consume(&ring, 8);
        ck_assert(!ring_is_half_line(&ring, 0) && ring_is_half_line(&ring, 24));
        ring_release(&ring);
        ck_assert_uint_eq(memory.used_bytes, 0);
    }
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        free(odd[i]);
}
END_TEST

START_TEST(impossible_length_is_refused)
{
    struct ring ring = {0};
    uint8_t byte = 1;

    ck_assert(!ring_write_at(&ring, (size_t)UINT32_MAX, (struct bytes){&byte, 1}));
    ck_assert_uint_eq(ring.size, 0);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, empty_ring_has_no_memory);
    tcase_add_test(tc, write_stops_at_the_limit);
    tcase_add_loop_test(tc, what_is_written_in_order_is_read_in_order, 0, 10);
    tcase_add_test(tc, bytes_behind_a_hole_survive_growth_and_reading);
    tcase_add_test(tc, empty_ring_begins_at_the_front_again);
    tcase_add_test(tc, spans_give_any_part);
    tcase_add_test(tc, large_ring_begins_with_a_cache_line);
    tcase_add_test(tc, impossible_length_is_refused);
}

int main(void)
{
    return unit_main("ring", tests);
}
