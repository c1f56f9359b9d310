/* Every connection has a number of 32 bits, its ref, by which the table and the wheel know it:
 * which of the three things it is, and its place in the pool of those. */
#ifndef TUNTCP_TCP_FLOW_H
#define TUNTCP_TCP_FLOW_H

#include "../pool.h"
#include "../stack.h"
#include "table.h"

struct tcb;

enum flow_kind { FLOW_TCB = 1, FLOW_TIME_WAIT, FLOW_SYN_RECEIVED };

/* (A pool begins a chunk when all others are full: its numbers are never above what was in use at
 * once by more than a chunk.) */
_Static_assert(STACK_CONNECTIONS_MAX + POOL_CHUNK_OBJECTS_MAX <= TABLE_REF_MAX >> 2,
               "a ref has room for the number of every connection");

static inline uint32_t flow_ref(enum flow_kind kind, uint32_t number)
{
    return number << 2 | (uint32_t)kind;
}

static inline enum flow_kind flow_kind_of(uint32_t ref)
{
    return (enum flow_kind)(ref & 3);
}

static inline uint32_t flow_number(uint32_t ref)
{
    return ref >> 2;
}

/* A connection in full, as table and wheel see it: what struct tcb begins with. */
struct flow {
    struct flow_links links;
    uint32_t ref;
    uint64_t timer_at_us; /* what the wheel is set for */
    struct flow_id id;
};

/* How the table and the wheel of a stack find them. */
struct table_entries flow_entries(const struct stack *stack);
struct wheel_timers flow_timers(const struct stack *stack);
/* NULL: it is a record. */
struct tcb *flow_tcb(const struct stack *stack, uint32_t ref);

#endif
