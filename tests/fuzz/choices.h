/* A fuzzer's input as the choices of a walk (tests/talk/model/walk.h). */
#ifndef TUNTCP_FUZZ_CHOICES_H
#define TUNTCP_FUZZ_CHOICES_H

#include "../talk/model/walk.h"

struct input {
    const uint8_t *data;
    size_t len;
};

/* As many bytes as the choice needs; 0 once there are none. */
static inline uint32_t input_take(void *context, uint32_t below)
{
    struct input *input = context;
    uint64_t value = 0;

    for (uint32_t left = below - 1; left > 0 && input->len > 0; left >>= 8) {
        value = value << 8 | *input->data++;
        input->len--;
    }
    return (uint32_t)(value % below);
}

static inline bool input_is_over(void *context)
{
    const struct input *input = context;

    return input->len == 0;
}

#endif
