/* The two structures on which a million connections rest, alone: the table of four-tuples and the
 * timing wheel. CPU time of one operation with 1,000, 100,000 and 1,000,000 entries; medians of
 * RUNS, the sizes in turns.
 *
 *   find, near   one of the first 64 entries: what the hash and the comparison cost
 *   find, any    an entry drawn at random: beyond the caches it pays for them
 *   set          a timer drawn at random is set anew, up to a minute ahead
 *   fire         time passes a millisecond at a time; a timer that is due is set anew. Per timer,
 *                the looks at empty slots included
 *
 * A cost that is O(1) grows by the caches alone. */
#include <stdio.h>
#include <stdlib.h>

#include "../../stack/tcp/table.h"
#include "../../tun/link.h"
#include "common/pair.h"

enum { SIZES = 3, RUNS = 5, OPERATIONS = 200000, NEAR_COUNT = 64, AHEAD_US = 60000000 };

enum operation { FIND_NEAR, FIND_ANY, SET, FIRE, OPERATION_COUNT };

struct entry {
    struct flow_links links;
    struct flow_id id;
    uint64_t at_us;
};

struct parts {
    uint32_t count;
    struct entry *entries; /* known by place + 1 */
    struct table table;
    struct wheel wheel;
    uint64_t now_us;
    double ns[OPERATION_COUNT][RUNS];
};

static uint64_t random_state = 1;

static bool open_parts(struct parts *parts);
static void close_parts(struct parts *parts);
static void find(struct parts *parts, uint32_t among);
static void set(struct parts *parts);
static uint32_t fire(struct parts *parts);

static double ns_of(struct parts *parts, enum operation operation)
{
    double begin = cpu_s();
    uint32_t done = OPERATIONS;

    switch (operation) {
    case FIND_NEAR:
        find(parts, NEAR_COUNT);
        break;
    case FIND_ANY:
        find(parts, parts->count);
        break;
    case SET:
        set(parts);
        break;
    case FIRE:
        done = fire(parts);
        break;
    case OPERATION_COUNT:
        break;
    }
    return (cpu_s() - begin) * 1e9 / (double)done;
}

int main(void)
{
    static const char *const names[] = {"find, near", "find, any", "set", "fire"};
    static struct parts all[SIZES] = {{.count = 1000}, {.count = 100000}, {.count = 1000000}};

    for (int i = 0; i < SIZES; i++)
        if (!open_parts(&all[i]))
            return EXIT_FAILURE;
    for (int run = 0; run < RUNS; run++)
        for (int i = 0; i < SIZES; i++)
            for (int o = 0; o < OPERATION_COUNT; o++)
                all[i].ns[o][run] = ns_of(&all[i], (enum operation)o);
    printf("%-14s", "ns, entries:");
    for (int i = 0; i < SIZES; i++)
        printf(" %10u", all[i].count);
    putchar('\n');
    for (int o = 0; o < OPERATION_COUNT; o++) {
        printf("%-14s", names[o]);
        for (int i = 0; i < SIZES; i++)
            printf(" %10.0f", median(all[i].ns[o], RUNS));
        putchar('\n');
    }
    for (int i = 0; i < SIZES; i++)
        close_parts(&all[i]);
    return EXIT_SUCCESS;
}

/* ---- how table and wheel find an entry */

static struct flow_links *links_of(const void *owner, uint32_t ref)
{
    return &((const struct parts *)owner)->entries[ref - 1].links;
}

static void id_of(const void *owner, uint32_t ref, struct flow_id *id)
{
    *id = ((const struct parts *)owner)->entries[ref - 1].id;
}

static struct wheel_links *timer_of(const void *owner, uint32_t ref)
{
    return &links_of(owner, ref)->timer;
}

static uint64_t at_us_of(const void *owner, uint32_t ref)
{
    return ((const struct parts *)owner)->entries[ref - 1].at_us;
}

/* ---- the operations */

static uint32_t draw(uint32_t below)
{
    return (uint32_t)(link_random(&random_state) % below);
}

static void set_ahead(struct parts *parts, uint32_t ref)
{
    parts->entries[ref - 1].at_us = parts->now_us + 1 + draw(AHEAD_US);
    wheel_set(&parts->wheel, ref);
}

static bool open_parts(struct parts *parts)
{
    const struct table_entries entries = {parts, links_of, id_of};
    const struct wheel_timers timers = {parts, timer_of, at_us_of};

    parts->entries = calloc(parts->count, sizeof *parts->entries);
    if (parts->entries == NULL ||
        table_init(&parts->table, (struct siphash_key){1, 2}, &entries, NULL) < 0)
        return false;
    wheel_init(&parts->wheel, &timers, 0);
    for (uint32_t i = 0; i < parts->count; i++) {
        parts->entries[i].id = (struct flow_id){.local = ip_addr_from_v4(0x0a000002),
                                                .remote = ip_addr_from_v4(0x0b000000 + i / 50000),
                                                .local_port = 80,
                                                .remote_port = (uint16_t)(1024 + i % 50000)};
        table_add(&parts->table, i + 1);
        set_ahead(parts, i + 1);
    }
    return true;
}

static void close_parts(struct parts *parts)
{
    table_free(&parts->table);
    free(parts->entries);
}

static void find(struct parts *parts, uint32_t among)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < OPERATIONS; i++)
        found += table_find(&parts->table, &parts->entries[draw(among)].id) != 0;
    if (found != OPERATIONS)
        abort(); /* cannot be: they are all there */
}

static void set(struct parts *parts)
{
    for (uint32_t i = 0; i < OPERATIONS; i++)
        set_ahead(parts, 1 + draw(parts->count));
}

/* Returns how many have fired: OPERATIONS, or what a minute brings. */
static uint32_t fire(struct parts *parts)
{
    uint32_t fired = 0, ref;

    for (int i = 0; i < 60000 && fired < OPERATIONS; i++) {
        parts->now_us += 1000;
        wheel_advance(&parts->wheel, parts->now_us);
        while ((ref = wheel_take_due(&parts->wheel)) != 0) {
            set_ahead(parts, ref);
            fired++;
        }
    }
    return fired;
}
