/* A random walk of one connection after the other through one stack, judged by the model at every
 * step: segments of a peer that is mostly honest, calls of a user, and time. Whatever is random
 * comes from walk_draw, so a seed, or the bytes of a fuzzer, replay a walk. */
#ifndef TUNTCP_TESTS_TALK_WALK_H
#define TUNTCP_TESTS_TALK_WALK_H

#include "model.h"

enum { WALK_REPORT_BYTES = 8192 };

struct walk_plan {
    unsigned step_count;
    uint32_t (*draw)(void *context, uint32_t below); /* 0 .. below - 1 */
    bool (*is_over)(void *context);                  /* NULL: after step_count steps */
    void *context;
    /* Change what was seen before it is judged: how the tests of the model lie to it. */
    void (*lie)(void *context, const struct model *m, struct model_seen *seen);
    void *lie_context;
    bool is_unpredicted; /* the stack runs without header prediction */
};

struct walk_result {
    enum model_rule broken;
    unsigned step;                  /* in which a rule was broken */
    uint64_t judged_count;          /* segments */
    unsigned states;                /* that were passed, 1 << state */
    uint64_t hash;                  /* of what was sent, and what STATUS said, after each step */
    char report[WALK_REPORT_BYTES]; /* when broken: the rule, the model's state and the last rows */
};

struct walk_result walk_run(const struct walk_plan *plan);

/* Draws from a seed. */
uint64_t walk_seed(uint64_t seed);
uint32_t walk_draw(void *state, uint32_t below);

#endif
