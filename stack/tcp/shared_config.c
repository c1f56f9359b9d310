/* Configurations with several holders, see shared_config.h. */
#include "shared_config.h"

#include "../instance.h"

struct shared_config *shared_config_new(struct stack *stack, const struct tcp_config *config)
{
    struct pool *pool = &stack->tcp.shared_configs;
    int64_t number = pool_take(pool);

    if (number < 0)
        return NULL;
    struct shared_config *shared = pool_at(pool, (uint32_t)number);
    *shared = (struct shared_config){.number = (uint32_t)number, .config = *config};
    return shared;
}

void shared_config_release(struct stack *stack, struct shared_config *shared)
{
    if (shared->holder_count > 0)
        shared->holder_count--;
    if (shared->holder_count == 0)
        pool_give(&stack->tcp.shared_configs, shared->number);
}
