/* The reader and the writer never leave their memory, and say when they would have. */
#include "wire.h"

START_TEST(numbers_are_read_in_network_order)
{
    const uint8_t memory[] = {0x01, 0x02, 0x03, 0xff, 0xfe, 0xfd, 0xfc};
    struct reader r = reader_of((struct bytes){memory, sizeof memory});

    ck_assert_uint_eq(read_u8(&r), 0x01);
    ck_assert_uint_eq(read_u16(&r), 0x0203);
    ck_assert_uint_eq(read_u32(&r), 0xfffefdfc);
    ck_assert(!r.overrun);
}
END_TEST

START_TEST(reading_past_the_end_gives_zero_and_is_remembered)
{
    const uint8_t memory[] = {0xff, 0xff, 0xff};
    struct reader r = reader_of((struct bytes){memory, sizeof memory});

    ck_assert_uint_eq(read_u32(&r), 0);
    ck_assert(r.overrun);
    ck_assert_uint_eq(read_u8(&r),
                      0); /* nothing is there any more, not even what would have fitted */
}
END_TEST

START_TEST(too_long_a_run_of_bytes_is_empty_and_is_remembered)
{
    const uint8_t memory[] = {1, 2};
    struct reader r = reader_of((struct bytes){memory, sizeof memory});

    ck_assert_uint_eq(read_bytes(&r, 3).len, 0);
    ck_assert(r.overrun);
    r = reader_of((struct bytes){memory, sizeof memory});
    ck_assert_uint_eq(read_bytes(&r, SIZE_MAX).len, 0);
    ck_assert(r.overrun);
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    uint8_t memory[10];
    struct writer w = writer_of(memory, sizeof memory);
    const uint8_t text[] = "abc";

    write_u8(&w, 7);
    write_u16(&w, 0xbeef);
    write_u32(&w, 0xdeadbeef);
    write_bytes(&w, (struct bytes){text, 3});
    ck_assert(!w.overrun);
    ck_assert_uint_eq(w.left, 0);
    struct reader r = reader_of((struct bytes){memory, sizeof memory});
    ck_assert_uint_eq(read_u8(&r), 7);
    ck_assert_uint_eq(read_u16(&r), 0xbeef);
    ck_assert_uint_eq(read_u32(&r), 0xdeadbeef);
    ck_assert_mem_eq(read_bytes(&r, 3).data, text, 3);
}
END_TEST

START_TEST(writing_past_the_end_leaves_the_memory_alone)
{
    uint8_t memory[] = {1, 2, 3, 4};
    struct writer w = writer_of(memory, 3);

    write_u32(&w, 0xffffffff);
    ck_assert(w.overrun);
    write_u8(&w, 0xff);
    ck_assert_mem_eq(memory, ((const uint8_t[]){1, 2, 3, 4}), 4);
}
END_TEST

START_TEST(skipping_and_cutting_stay_inside)
{
    const uint8_t memory[] = {1, 2, 3};
    struct bytes all = {memory, 3};

    ck_assert_uint_eq(bytes_skip(all, 1).len, 2);
    ck_assert_uint_eq(bytes_skip(all, 1).data[0], 2);
    ck_assert_uint_eq(bytes_skip(all, 4).len, 0);
    ck_assert_uint_eq(bytes_first(all, 2).len, 2);
    ck_assert_uint_eq(bytes_first(all, 9).len, 3);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, numbers_are_read_in_network_order);
    tcase_add_test(tc, reading_past_the_end_gives_zero_and_is_remembered);
    tcase_add_test(tc, too_long_a_run_of_bytes_is_empty_and_is_remembered);
    tcase_add_test(tc, what_is_written_is_read_back);
    tcase_add_test(tc, writing_past_the_end_leaves_the_memory_alone);
    tcase_add_test(tc, skipping_and_cutting_stay_inside);
}

int main(void)
{
    return unit_main("wire/bytes", tests);
}
