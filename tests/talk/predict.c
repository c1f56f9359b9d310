/* Header prediction changes nothing but time, whatever the peer sends: random walks with and
 * without it say the same at every step. tests/sim/predict.c compares what lies inside, on links;
 * tests/fuzz/predict.c goes where coverage leads. */
#include "../unit/unit.h"
#include "model/walk.h"

enum { SEEDS = 1200, STEPS = 400 };

static struct walk_result walk(uint64_t seed, bool is_unpredicted)
{
    uint64_t state = walk_seed(seed);
    struct walk_plan plan = {.step_count = STEPS,
                             .draw = walk_draw,
                             .context = &state,
                             .is_unpredicted = is_unpredicted};

    return walk_run(&plan);
}

START_TEST(prediction_changes_nothing_that_is_seen)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct walk_result with = walk(seed, false), without = walk(seed, true);
        ck_assert_msg(with.broken == RULE_NONE, "seed %llu\n%s", (unsigned long long)seed,
                      with.report);
        ck_assert_msg(with.hash == without.hash && with.judged_count == without.judged_count,
                      "seed %llu: the walks part", (unsigned long long)seed);
    }
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, prediction_changes_nothing_that_is_seen);
    tcase_set_timeout(tc, 0);
}

int main(void)
{
    return unit_main("predict", tests);
}
