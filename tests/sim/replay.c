/* The same seed and the same input give the same packets at the same times, byte for byte; another
 * seed gives others. What a simulation finds can therefore be looked at again, and so can a capture
 * of a run. */
#include "sim.h"

#include "../unit/unit.h"

enum { SEEDS = 300 };

static uint64_t hash_of(const struct sim_plan *plan)
{
    struct sim *sim = sim_new(plan);

    sim_run(sim);
    uint64_t hash = sim->hash;
    sim_free(sim);
    return hash;
}

START_TEST(a_seed_gives_the_same_packets_each_time)
{
    struct sim_seeds seeds = sim_seeds(SEEDS);

    for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
        struct sim_plan plan = sim_plan_random(seed);
        ck_assert_msg(hash_of(&plan) == hash_of(&plan), "seed %llu", (unsigned long long)seed);
    }
}
END_TEST

START_TEST(another_seed_gives_other_packets)
{
    struct sim_seeds seeds = sim_seeds(SEEDS);
    uint64_t previous = 0;

    for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
        struct sim_plan plan = sim_plan_random(seed);
        uint64_t hash = hash_of(&plan);
        ck_assert_msg(hash != previous, "seed %llu", (unsigned long long)seed);
        previous = hash;
    }
}
END_TEST

START_TEST(the_same_plan_with_another_seed_loses_other_packets)
{
    struct sim_plan plan = sim_plan_plain(1, 200000);

    plan.link[0].loss = plan.link[1].loss = 0.05;
    uint64_t first = hash_of(&plan);
    plan.seed = 2;
    ck_assert_uint_ne(first, hash_of(&plan));
}
END_TEST

START_TEST(a_trace_changes_no_packet)
{
    struct sim_plan plan = sim_plan_random(77);

    plan.is_traced = false;
    uint64_t without = hash_of(&plan);
    plan.is_traced = true;
    ck_assert_uint_eq(without, hash_of(&plan));
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, a_seed_gives_the_same_packets_each_time);
    tcase_add_test(tc, another_seed_gives_other_packets);
    tcase_add_test(tc, the_same_plan_with_another_seed_loses_other_packets);
    tcase_add_test(tc, a_trace_changes_no_packet);
}

int main(void)
{
    return unit_main("replay", tests);
}
