/* Bulk transfers both ways at once, over links and between ends drawn at random: whatever the link
 * does, every byte arrives, both connections end in order, and nothing is left of them.
 *
 * SIM_SEEDS says how many seeds are tried, SIM_SEED names one to look at. Left out here: how fast
 * it goes (clean.c), and what is allowed on the wire (invariants.c). */
#include "sim.h"

#include "../unit/unit.h"

enum { SEEDS = 10000, PARTS = 100 };

/* The seeds are cut into PARTS, so that a failure hides only those of its part. */
START_TEST(every_byte_arrives_and_nothing_is_left_of_the_connection)
{
    struct sim_seeds seeds = sim_seeds(SEEDS);

    for (uint64_t i = (uint64_t)_i; i < seeds.count; i += PARTS) {
        struct sim_plan plan = sim_plan_random(seeds.first + i);
        ck_assert_msg(sim_run_plan(&plan, "build/fast/tests/sim/bulk"), "seed %llu",
                      (unsigned long long)plan.seed);
    }
    sim_progress("bulk", (uint64_t)(_i + 1) * seeds.count / PARTS, seeds.count);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, every_byte_arrives_and_nothing_is_left_of_the_connection, 0, PARTS);
}

int main(void)
{
    return unit_main("bulk", tests);
}
