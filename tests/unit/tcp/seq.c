/* Sequence numbers, RFC 9293 3.4: comparison around the wrap. */
#include "../unit.h"

#include "../../../stack/tcp/seq.h"

START_TEST(order_is_that_of_the_shorter_way_round)
{
    static const struct {
        uint32_t smaller, larger;
    } rows[] = {
        {0, 1},          {0xffffffff, 0},          {0xfffffff0, 5},
        {0, 0x7fffffff}, {0x80000001, 0x80000002}, {0xffffffff, 0x7ffffffe},
    };
    uint32_t a = rows[_i].smaller, b = rows[_i].larger;

    ck_assert(seq_lt(a, b) && !seq_lt(b, a));
    ck_assert(seq_leq(a, b) && !seq_leq(b, a));
    ck_assert(seq_gt(b, a) && !seq_gt(a, b));
    ck_assert(seq_geq(b, a) && !seq_geq(a, b));
    ck_assert_uint_eq(seq_max(a, b), b);
    ck_assert_uint_eq(seq_max(b, a), b);
    ck_assert_uint_eq(seq_min(a, b), a);
    ck_assert_uint_eq(seq_min(b, a), a);
}
END_TEST

START_TEST(number_is_neither_before_nor_after_itself)
{
    ck_assert(!seq_lt(0xffffffff, 0xffffffff) && !seq_gt(0xffffffff, 0xffffffff));
    ck_assert(seq_leq(0xffffffff, 0xffffffff) && seq_geq(0xffffffff, 0xffffffff));
}
END_TEST

START_TEST(window_holds_its_first_but_not_the_one_behind_its_last)
{
    ck_assert(seq_in(0xfffffff0, 0xfffffff0, 0x20));
    ck_assert(seq_in(0x0000000f, 0xfffffff0, 0x20));
    ck_assert(!seq_in(0x00000010, 0xfffffff0, 0x20));
    ck_assert(!seq_in(0xffffffef, 0xfffffff0, 0x20));
    ck_assert(!seq_in(0xfffffff0, 0xfffffff0, 0));
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, order_is_that_of_the_shorter_way_round, 0, 6);
    tcase_add_test(tc, number_is_neither_before_nor_after_itself);
    tcase_add_test(tc, window_holds_its_first_but_not_the_one_behind_its_last);
}

int main(void)
{
    return unit_main("seq", tests);
}
