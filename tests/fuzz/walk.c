/* A walk whose choices are the input's bytes, judged by the model of RFC 9293 in tests/talk/model:
 * coverage leads to places that no seed finds. A rule that is broken aborts. */
#include "choices.h"
#include "fuzz.h"

enum { STEPS_MAX = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct input input = {data, len};
    struct walk_plan plan = {
        .step_count = STEPS_MAX, .draw = input_take, .is_over = input_is_over, .context = &input};
    struct walk_result result = walk_run(&plan);

    if (result.broken != RULE_NONE)
        fputs(result.report, stderr);
    HOLDS(result.broken == RULE_NONE);
    return 0;
}
