/* A configuration shared by a listener and its children, or of one connection alone once tcp_set()
 * has changed it; freed with the last of them. */
#ifndef TUNTCP_TCP_SHARED_CONFIG_H
#define TUNTCP_TCP_SHARED_CONFIG_H

#include <stdint.h>

#include "config.h"

struct stack;

struct shared_config {
    unsigned holder_count;
    uint32_t number; /* its place in the pool */
    struct tcp_config config;
};

/* A copy of `config` that nobody holds yet; NULL when memory is short. */
struct shared_config *shared_config_new(struct stack *stack, const struct tcp_config *config);
/* One of its holders lets go. */
void shared_config_release(struct stack *stack, struct shared_config *shared);

#endif
