/* Two walks whose choices are the input's bytes, as in walk.c, one with header prediction and one
 * without: a step after which they differ aborts. */
#include "choices.h"
#include "fuzz.h"

enum { STEPS_MAX = 1000 };

static uint64_t walk(struct input input, bool is_unpredicted)
{
    struct walk_plan plan = {.step_count = STEPS_MAX,
                             .draw = input_take,
                             .is_over = input_is_over,
                             .context = &input,
                             .is_unpredicted = is_unpredicted};

    return walk_run(&plan).hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    HOLDS(walk((struct input){data, len}, false) == walk((struct input){data, len}, true));
    return 0;
}
