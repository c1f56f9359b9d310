/* Numbers that an outsider must not guess, see isn.h. All are keyed hashes of the four-tuple, with
 * secrets drawn when the stack is made: two incarnations of one connection get increasing numbers,
 * and another connection's numbers tell nothing. A configuration may fix them (CHOICE_...), for
 * tests and replays. */
#include "isn.h"

#include "../instance.h"

void isn_init(struct isn *isn, struct stack *stack)
{
    struct siphash_key *keys[] = {&isn->isn_key, &isn->port_key, &isn->cookie_key};

    for (unsigned i = 0; i < 3; i++)
        *keys[i] = (struct siphash_key){stack_random(stack), stack_random(stack)};
    isn->next_port = (uint16_t)stack_random(stack);
}

static uint64_t hash_of(const struct siphash_key *key, const struct flow_id *id)
{
    struct {
        struct ip_addr local, remote;
        uint16_t local_port, remote_port;
    } input = {id->local, id->remote, id->local_port, id->remote_port};

    return siphash(key, &input, sizeof input);
}

/* One hash for both: neither half tells anything of the other. */
void isn_choose(struct stack *stack, const struct flow_id *id, uint32_t *iss, uint32_t *ts_offset)
{
    uint64_t hash = hash_of(&stack->tcp.isn.isn_key, id);

    if (!stack_choice(stack, CHOICE_ISS, iss))
        *iss = (uint32_t)(stack->now_us / 4) + (uint32_t)hash;
    if (!stack_choice(stack, CHOICE_TS_OFFSET, ts_offset))
        *ts_offset = (uint32_t)(hash >> 32);
}

static bool is_free(struct stack *stack, struct flow_id *id, uint16_t port)
{
    id->local_port = port;
    return stack_is_on_our_queue(stack, port, id->remote_port) &&
           table_find(&stack->tcp.table, id) == 0;
}

uint16_t isn_ephemeral_port(struct stack *stack, struct flow_id id)
{
    uint32_t chosen;

    if (stack_choice(stack, CHOICE_LOCAL_PORT, &chosen) && is_free(stack, &id, (uint16_t)chosen))
        return (uint16_t)chosen;
    id.local_port = 0;
    uint32_t offset = (uint32_t)hash_of(&stack->tcp.isn.port_key, &id); /* RFC 6056 3.3.3 */
    for (unsigned i = 0; i < EPHEMERAL_PORT_COUNT; i++) {
        uint16_t port = (uint16_t)(EPHEMERAL_PORT_FIRST +
                                   (offset + stack->tcp.isn.next_port++) % EPHEMERAL_PORT_COUNT);
        if (is_free(stack, &id, port))
            return port;
    }
    return 0;
}
