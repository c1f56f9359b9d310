/* Pools of objects by number, and the accounts of memory. */
#include "../../stack/pool.h"
#include "unit.h"

enum { OBJECTS = 1000, OBJECT_BYTES = 12, CHUNK_BYTES = 64 * OBJECT_BYTES + 16 };

static struct pool pool;
static struct memory memory;
static uint32_t number[OBJECTS];

static void set_up(void)
{
    memory = (struct memory){0};
    pool_init(&pool, OBJECT_BYTES, 64, &memory);
}

static void take_all(void)
{
    for (uint32_t i = 0; i < OBJECTS; i++) {
        int64_t taken = pool_take(&pool);
        ck_assert_int_ge(taken, 0);
        number[i] = (uint32_t)taken;
        ck_assert_uint_eq(*(uint32_t *)pool_at(&pool, number[i]), 0);
        *(uint32_t *)pool_at(&pool, number[i]) = i;
    }
}

static void tear_down(void)
{
    pool_free(&pool);
    ck_assert_uint_eq(memory.used_bytes, 0);
}

START_TEST(each_object_has_a_place_of_its_own)
{
    set_up();
    take_all();
    ck_assert_uint_eq(pool.count, OBJECTS);
    for (uint32_t i = 0; i < OBJECTS; i++)
        ck_assert_uint_eq(*(uint32_t *)pool_at(&pool, number[i]), i);
    tear_down();
}
END_TEST

START_TEST(places_given_back_are_taken_again)
{
    set_up();
    take_all();
    size_t full_bytes = memory.used_bytes;
    for (uint32_t i = 0; i < OBJECTS; i += 2)
        pool_give(&pool, number[i]);
    for (uint32_t i = 0; i < OBJECTS; i += 2) {
        number[i] = (uint32_t)pool_take(&pool);
        *(uint32_t *)pool_at(&pool, number[i]) = i;
    }
    ck_assert_uint_eq(memory.used_bytes, full_bytes);
    for (uint32_t i = 0; i < OBJECTS; i++)
        ck_assert_uint_eq(*(uint32_t *)pool_at(&pool, number[i]), i);
    tear_down();
}
END_TEST

START_TEST(an_empty_pool_keeps_one_chunk)
{
    set_up();
    for (int round = 0; round < 3; round++) { /* the numbers of chunks given back are used again */
        take_all();
        ck_assert_uint_eq(pool.chunk_count, (OBJECTS + 63) / 64);
        for (uint32_t i = 0; i < OBJECTS; i++)
            pool_give(&pool, number[i]);
        ck_assert_uint_eq(pool.count, 0);
        ck_assert_uint_eq(memory.used_bytes, CHUNK_BYTES + pool.chunk_room * sizeof *pool.chunk);
    }
    tear_down();
}
END_TEST

START_TEST(objects_in_use_are_visited_in_order)
{
    uint32_t count = 0;

    set_up();
    ck_assert_int_eq(pool_next(&pool, 0), -1);
    take_all();
    for (uint32_t i = 0; i < OBJECTS; i++)
        if (i % 3 != 0 || (i >= 128 && i < 256))
            pool_give(&pool, number[i]);
    for (int64_t i = 0; (i = pool_next(&pool, (uint32_t)i)) >= 0; i++) {
        ck_assert_uint_eq(*(uint32_t *)pool_at(&pool, (uint32_t)i) % 3, 0);
        count++;
    }
    ck_assert_uint_eq(count, pool.count);
    tear_down();
}
END_TEST

START_TEST(newcomers_leave_an_eighth_to_those_that_are_there)
{
    struct memory limited = {.used_bytes = 700, .max_bytes = 800};

    ck_assert(memory_allows(&limited, 100));
    ck_assert(!memory_allows(&limited, 101));
    ck_assert(!memory_allows_newcomer(&limited, 1));
    limited.used_bytes = 699;
    ck_assert(memory_allows_newcomer(&limited, 1));
    limited.used_bytes = 900; /* what was promised was taken */
    ck_assert(!memory_allows(&limited, 0));
    ck_assert(memory_allows(&memory, SIZE_MAX)); /* no limit */
    ck_assert(memory_allows(NULL, 1));
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, each_object_has_a_place_of_its_own);
    tcase_add_test(tc, places_given_back_are_taken_again);
    tcase_add_test(tc, an_empty_pool_keeps_one_chunk);
    tcase_add_test(tc, objects_in_use_are_visited_in_order);
    tcase_add_test(tc, newcomers_leave_an_eighth_to_those_that_are_there);
}

int main(void)
{
    return unit_main("pool", tests);
}
