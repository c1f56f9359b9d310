/* A walk whose choices are the input's bytes, judged by the model of RFC 9293 in tests/talk/model:
 * coverage leads to places that no seed finds. A rule that is broken aborts. */
#include "../talk/model/walk.h"
#include "fuzz.h"

enum { STEPS_MAX = 2000 };

struct input {
    const uint8_t *data;
    size_t len;
};

/* As many bytes as the choice needs; 0 once there are none. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct input input = {data, len};
    struct walk_plan plan = {
        .step_count = STEPS_MAX, .draw = take, .is_over = is_over, .context = &input};
    struct walk_result result = walk_run(&plan);

    if (result.broken != RULE_NONE)
        fputs(result.report, stderr);
    HOLDS(result.broken == RULE_NONE);
    return 0;
}
