/* Which SYNs of a flood are answered, see syn_flood.h.
 *
 * Those held back are remembered in a Bloom filter with two bits for each, both in one cache line.
 * At 600,000 SYNs a second a period of two seconds fills 13 % of it, and one invented SYN in thirty
 * is taken for a repetition. It turns over every two seconds, so that a repetition a second later
 * finds its bits. Its 4 MiB are kept once there has been a flood. */
#include "syn_flood.h"

#include <limits.h>
#include <string.h>

#include "../instance.h"

enum {
    SEEN_BYTES = 2 << 20,
    LINE_WORDS = 8, /* of 64 bits: a cache line */
    LINES = SEEN_BYTES / 8 / LINE_WORDS,
    PERIOD_US = 2000000,
    TENTH_US = 100000,
    HEAVY = 4, /* times as many as are answered */
};

void syn_flood_init(struct syn_flood *flood, struct siphash_key key)
{
    *flood = (struct syn_flood){.key = key};
}

void syn_flood_free(struct syn_flood *flood, struct memory *memory)
{
    for (int i = 0; i < 2; i++)
        memory_give(memory, flood->seen[i], SEEN_BYTES);
}

static void begin_tenth(struct syn_flood *flood, unsigned most, uint64_t now_us)
{
    uint64_t passed_us = now_us - flood->tenth_start_us;

    if (passed_us < TENTH_US)
        return;
    flood->is_heavy = passed_us < 2 * TENTH_US && flood->asked_count > HEAVY * most;
    flood->tenth_start_us = now_us;
    flood->asked_count = 0;
}

/* So many a tenth of a second are answered without being asked to come again. None when there were
 * many times as many in the last one: hardly one of them is honest. (At 300,000 and 400,000 SYNs a
 * second 8 and 6 % less time for each.) */
static bool is_calm(struct syn_flood *flood, const struct stack_config *config, uint64_t now_us)
{
    unsigned most = (config->syn_cookies_per_s + 9) / 10;

    begin_tenth(flood, most, now_us);
    flood->asked_count += flood->asked_count < UINT_MAX;
    return !flood->is_heavy && flood->asked_count <= most;
}

/* False when memory is short: then nothing can be held back. */
static bool has_filter(struct syn_flood *flood, struct memory *memory)
{
    for (int i = 0; i < 2; i++) {
        if (flood->seen[i] != NULL)
            continue;
        flood->seen[i] = memory_take(memory, SEEN_BYTES);
        if (flood->seen[i] == NULL)
            return false;
        memset(flood->seen[i], 0, SEEN_BYTES);
    }
    return true;
}

static void turn(struct syn_flood *flood, uint64_t now_us)
{
    uint64_t *oldest = flood->seen[1];

    if (now_us - flood->turned_us < PERIOD_US)
        return;
    if (now_us - flood->turned_us >= 2 * PERIOD_US)
        memset(flood->seen[0], 0, SEEN_BYTES);
    flood->turned_us = now_us;
    flood->seen[1] = flood->seen[0];
    flood->seen[0] = oldest;
    memset(oldest, 0, SEEN_BYTES);
}

struct bits {
    size_t word[2];
    uint64_t bit[2];
};

static struct bits bits_of(const struct syn_flood *flood, const struct flow_id *id, uint32_t seq)
{
    struct {
        struct ip_addr local, remote;
        uint16_t local_port, remote_port;
        uint32_t seq;
    } key = {id->local, id->remote, id->local_port, id->remote_port, seq}; /* no padding: 40 */
    uint64_t hash = siphash_1_3(&flood->key, &key, sizeof key);
    size_t line = (size_t)(hash >> 32) % LINES * LINE_WORDS;

    return (struct bits){{line + (hash >> 6 & 7), line + (hash >> 15 & 7)},
                         {1ull << (hash & 63), 1ull << (hash >> 9 & 63)}};
}

static bool has(const uint64_t *seen, const struct bits *bits)
{
    return (seen[bits->word[0]] & bits->bit[0]) != 0 && (seen[bits->word[1]] & bits->bit[1]) != 0;
}

bool syn_flood_answers(struct stack *stack, const struct flow_id *id, uint32_t seq)
{
    struct syn_flood *flood = &stack->tcp.syn_flood;

    if (stack->config.syn_cookies_per_s == 0 || is_calm(flood, &stack->config, stack->now_us) ||
        !has_filter(flood, &stack->memory))
        return true;
    turn(flood, stack->now_us);
    struct bits bits = bits_of(flood, id, seq);
    if (has(flood->seen[0], &bits) || has(flood->seen[1], &bits))
        return true;
    flood->seen[0][bits.word[0]] |= bits.bit[0];
    flood->seen[0][bits.word[1]] |= bits.bit[1];
    return false;
}
