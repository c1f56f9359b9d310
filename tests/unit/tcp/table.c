/* The four-tuple table. */
#include "../unit.h"

#include "../../../stack/tcp/table.h"

enum { FLOWS = 5000 };

static struct table table;
static struct flow *flows;

static struct flow_id id_of(uint32_t i)
{
    return (struct flow_id){.local = ip_addr_from_v4(0x0a000002),
                            .remote = ip_addr_from_v4(0x0a000100 + i % 7),
                            .local_port = (uint16_t)(80 + i % 3),
                            .remote_port = (uint16_t)(1024 + i / 21)};
}

static void set_up(uint32_t count)
{
    ck_assert_int_eq(table_init(&table, (struct siphash_key){1, 2}), 0);
    flows = calloc(FLOWS, sizeof *flows);
    for (uint32_t i = 0; i < count; i++) {
        flows[i].id = id_of(i);
        table_add(&table, &flows[i]);
    }
}

static void tear_down(void)
{
    table_free(&table);
    free(flows);
}

START_TEST(every_entry_is_found_and_no_other)
{
    set_up(FLOWS - 1);
    for (uint32_t i = 0; i < FLOWS - 1; i++) {
        struct flow_id id = id_of(i);
        ck_assert_ptr_eq(table_find(&table, &id), &flows[i]);
    }
    struct flow_id nobody = id_of(FLOWS - 1);
    ck_assert_ptr_null(table_find(&table, &nobody));
    tear_down();
}
END_TEST

/* Each part of the four-tuple counts. */
START_TEST(entry_is_not_found_under_another_four_tuple)
{
    set_up(1);
    struct flow_id id = id_of(0);

    if (_i == 0)
        id.local_port++;
    if (_i == 1)
        id.remote_port++;
    if (_i == 2)
        id.local = ip_addr_from_v4(0x0a000003);
    if (_i == 3)
        id.remote = ip_addr_from_v4(0x0a0000ff);
    ck_assert_ptr_null(table_find(&table, &id));
    ck_assert(!flow_id_equal(&id, &flows[0].id));
    tear_down();
}
END_TEST

START_TEST(removed_entries_are_gone_and_the_others_are_not)
{
    set_up(FLOWS);
    for (uint32_t i = 0; i < FLOWS; i += 2)
        table_remove(&table, &flows[i]);
    table_remove(&table, &flows[0]); /* once more changes nothing */
    ck_assert_uint_eq(table.count, FLOWS / 2);
    for (uint32_t i = 0; i < FLOWS; i++) {
        struct flow_id id = id_of(i);
        ck_assert_ptr_eq(table_find(&table, &id), i % 2 == 0 ? NULL : &flows[i]);
    }
    tear_down();
}
END_TEST

START_TEST(replacement_is_found_in_the_place_of_the_old)
{
    struct flow other = {0};

    set_up(FLOWS);
    other.id = id_of(17);
    table_replace(&table, &flows[17], &other);
    ck_assert_ptr_eq(table_find(&table, &other.id), &other);
    ck_assert_uint_eq(table.count, FLOWS);
    struct flow_id id = id_of(18);
    ck_assert_ptr_eq(table_find(&table, &id), &flows[18]);
    tear_down();
}
END_TEST

/* The point of growing, and of a secret key: chains stay short. */
START_TEST(chains_stay_short)
{
    unsigned longest = 0;

    set_up(FLOWS);
    ck_assert_uint_ge(table.bucket_count, FLOWS);
    for (unsigned i = 0; i < table.bucket_count; i++) {
        unsigned length = 0;
        for (const struct flow *flow = table.bucket[i]; flow != NULL; flow = flow->next)
            length++;
        longest = length > longest ? length : longest;
    }
    ck_assert_uint_le(longest, 10);
    tear_down();
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, every_entry_is_found_and_no_other);
    tcase_add_loop_test(tc, entry_is_not_found_under_another_four_tuple, 0, 4);
    tcase_add_test(tc, removed_entries_are_gone_and_the_others_are_not);
    tcase_add_test(tc, replacement_is_found_in_the_place_of_the_old);
    tcase_add_test(tc, chains_stay_short);
}

int main(void)
{
    return unit_main("table", tests);
}
