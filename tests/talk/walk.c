/* Random walks against the model of RFC 9293 in model/: seeds from WALK_SEED, or 1, so many as
 * WALK_SEEDS says. Their count is fixed, so that the same is tested on a slow machine: two and a
 * half million segments, in a quarter of a minute under sanitizers. `make walk WALK_SEEDS=...` runs
 * many more, and tells how far it is. */
#include <stdio.h>
#include <unistd.h>

#include "../unit/unit.h"
#include "model/walk.h"

enum { SEEDS = 3500, STEPS = 500 };

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void show_progress(uint64_t done, uint64_t count, uint64_t judged_count)
{
    if (isatty(STDERR_FILENO) || (done % 1000 == 0 && getenv("WALK_SEEDS") != NULL))
        fprintf(stderr, "%swalk: %llu of %llu seeds, %llu segments%s",
                isatty(STDERR_FILENO) ? "\r" : "", (unsigned long long)done,
                (unsigned long long)count, (unsigned long long)judged_count,
                isatty(STDERR_FILENO) && done < count ? "" : "\n");
}

/* LISTEN is the listener's. */
static unsigned every_state(void)
{
    return (1u << TCPS_COUNT) - 1 - (1u << TCPS_LISTEN);
}

START_TEST(every_answer_is_allowed)
{
    uint64_t first = number_from("WALK_SEED", 1);
    uint64_t count = number_from("WALK_SEEDS", getenv("WALK_SEED") != NULL ? 1 : SEEDS);
    uint64_t judged_count = 0;
    unsigned states = 0;

    for (uint64_t seed = first; seed < first + count; seed++) {
        uint64_t state = walk_seed(seed);
        struct walk_plan plan = {.step_count = STEPS, .draw = walk_draw, .context = &state};
        struct walk_result result = walk_run(&plan);
        judged_count += result.judged_count;
        states |= result.states;
        if (result.broken != RULE_NONE)
            ck_abort_msg("seed %llu\n%sAgain: WALK_SEED=%llu build/asan/tests/talk/walk",
                         (unsigned long long)seed, result.report, (unsigned long long)seed);
        show_progress(seed - first + 1, count, judged_count);
    }
    /* Fewer seeds may not come everywhere. */
    ck_assert_msg(count < SEEDS || states == every_state(), "states passed: %#x", states);
    printf("walk: %llu seeds, %llu segments judged\n", (unsigned long long)count,
           (unsigned long long)judged_count);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, every_answer_is_allowed);
    tcase_set_timeout(tc, 0);
}

int main(void)
{
    return unit_main("walk", tests);
}
