/* Two walks whose choices are the input's bytes, as in walk.c, one with header prediction and one
 * without: a step after which they differ aborts. */
#include "../talk/model/walk.h"
#include "fuzz.h"

enum { STEPS_MAX = 1000 };

struct input {
    const uint8_t *data;
    size_t len;
};

static uint32_t take(void *context, uint32_t below)
{
    struct input *input = context;
    uint64_t value = 0;

    for (uint32_t left = below - 1; left > 0 && input->len > 0; left >>= 8) {
        value = value << 8 | *input->data++;
        input->len--;
    }
    return (uint32_t)(value % below);
}

static bool is_over(void *context)
{
    const struct input *input = context;

    return input->len == 0;
}

static uint64_t walk(struct input input, bool is_unpredicted)
{
    struct walk_plan plan = {.step_count = STEPS_MAX,
                             .draw = take,
                             .is_over = is_over,
                             .context = &input,
                             .is_unpredicted = is_unpredicted};

    return walk_run(&plan).hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    HOLDS(walk((struct input){data, len}, false) == walk((struct input){data, len}, true));
    return 0;
}
