/* Which SYNs of a flood are answered, see syn_flood.h.
 *
 * Those held back are remembered in a Bloom filter with two bits for each, both within 64 bytes,
 * and those answered with five more. At 400,000 SYNs a second a period of five seconds fills 12 %
 * of it, and one invented SYN in forty is taken for a repetition. It turns over after each period
 * and the last one is kept beside it, so a repetition finds its bits when it comes up to five
 * seconds later: after 1, 2 and 4 seconds (RFC 6298 (5.5)), or 3 (where the first RTO is that
 * long). It then renews them, or who has lost a SYN or an answer would not be heard again.
 *
 * One repetition is answered in a period, or a single SYN sent again and again would have an answer
 * each time. The filters take 8 MiB, which are kept once there has been a flood; where they would
 * be more than a quarter of all memory that is allowed, all SYNs are answered. */
#include "syn_flood.h"

#include <limits.h>
#include <string.h>

#include "../instance.h"

enum {
    SEEN_BYTES = 4 << 20,
    LINE_WORDS = 8, /* of 64 bits: a cache line */
    LINES = SEEN_BYTES / 8 / LINE_WORDS,
    PERIOD_US = 5000000,
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
    if (flood->seen[1] != NULL)
        return true;
    if (!memory_allows_newcomer(memory, 2 * SEEN_BYTES) ||
        (memory->max_bytes != 0 && memory->max_bytes / 4 < 2 * SEEN_BYTES))
        return false;
    for (int i = 0; i < 2; i++) {
        if (flood->seen[i] == NULL)
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

/* Its bits of a line: the first say that the SYN has been seen, the others that it has been
 * answered. These are more, for they lie among all those, and who is taken for answered waits once
 * more. */
enum { SEEN_AT = 0, SEEN_COUNT = 2, ANSWERED_AT = 2, ANSWERED_COUNT = 5, LINE_BITS = 512 };

struct place {
    size_t line; /* its first word */
    unsigned at, step;
};

static struct place place_of(const struct syn_flood *flood, const struct flow_id *id, uint32_t seq)
{
    struct {
        struct ip_addr local, remote;
        uint16_t local_port, remote_port;
        uint32_t seq;
    } key = {id->local, id->remote, id->local_port, id->remote_port, seq}; /* no padding: 40 */
    uint64_t hash = siphash_1_3(&flood->key, &key, sizeof key);

    return (struct place){.line = (size_t)(hash >> 32) % LINES * LINE_WORDS,
                          .at = (unsigned)hash % LINE_BITS,
                          .step = (unsigned)(hash >> 16) % LINE_BITS | 1};
}

static bool has(const uint64_t *filter, const struct place *place, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        unsigned at = (place->at + i * place->step) % LINE_BITS;
        if ((filter[place->line + at / 64] >> at % 64 & 1) == 0)
            return false;
    }
    return true;
}

static void set(uint64_t *filter, const struct place *place, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        unsigned at = (place->at + i * place->step) % LINE_BITS;
        filter[place->line + at / 64] |= 1ull << at % 64;
    }
}

bool syn_flood_answers(struct stack *stack, const struct flow_id *id, uint32_t seq)
{
    struct syn_flood *flood = &stack->tcp.syn_flood;

    if (stack->config.syn_cookies_per_s == 0 || is_calm(flood, &stack->config, stack->now_us) ||
        !has_filter(flood, &stack->memory))
        return true;
    turn(flood, stack->now_us);
    struct place place = place_of(flood, id, seq);
    bool is_repetition = has(flood->seen[0], &place, SEEN_AT, SEEN_COUNT) ||
                         has(flood->seen[1], &place, SEEN_AT, SEEN_COUNT);
    bool is_answered = has(flood->seen[0], &place, ANSWERED_AT, ANSWERED_COUNT);
    set(flood->seen[0], &place, SEEN_AT, SEEN_COUNT);
    if (!is_repetition || is_answered)
        return false;
    set(flood->seen[0], &place, ANSWERED_AT, ANSWERED_COUNT);
    return true;
}
