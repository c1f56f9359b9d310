/* The four-tuple table, see table.h.
 *
 * Linear hashing: with bucket_count between 2^n and 2^(n+1), an entry is in the bucket that n+1
 * bits of its hash name, or, if that does not exist yet, in the one that n bits name. So the next
 * new bucket takes its entries from exactly one old one. If memory for it is short the chains just
 * grow longer. */
#include "table.h"

#include <string.h>

enum {
    TABLE_FIRST_BUCKETS = 64,
    TABLE_SEGMENT_BUCKETS = 1024,
    SEGMENT_BYTES = TABLE_SEGMENT_BUCKETS * sizeof(uint32_t),
};

bool flow_id_equal(const struct flow_id *a, const struct flow_id *b)
{
    return a->local_port == b->local_port && a->remote_port == b->remote_port &&
           ip_addr_equal(&a->remote, &b->remote) && ip_addr_equal(&a->local, &b->local);
}

/* Of two IPv4 addresses what differs, 12 bytes instead of 36. (With SipHash-1-3 in the place of 2-4
 * and what the table remembers an ACK takes 14 % fewer instructions, and a short connection 9 %.)
 */
static uint32_t hash_of(const struct table *table, const struct flow_id *id)
{
    struct {
        uint32_t local, remote;
        uint16_t local_port, remote_port;
    } v4_key; /* no padding in either */
    struct {
        struct ip_addr local, remote;
        uint16_t local_port, remote_port;
    } key;

    if (ip_addr_is_v4(&id->local) && ip_addr_is_v4(&id->remote)) {
        v4_key.local = ip_addr_to_v4(&id->local);
        v4_key.remote = ip_addr_to_v4(&id->remote);
        v4_key.local_port = id->local_port;
        v4_key.remote_port = id->remote_port;
        return (uint32_t)siphash_1_3(&table->key, &v4_key, sizeof v4_key);
    }
    key.local = id->local;
    key.remote = id->remote;
    key.local_port = id->local_port;
    key.remote_port = id->remote_port;
    return (uint32_t)siphash_1_3(&table->key, &key, sizeof key);
}

static uint32_t hash_of_entry(const struct table *table, uint32_t ref)
{
    struct flow_id id;

    table->entries.id(table->entries.owner, ref, &id);
    return hash_of(table, &id);
}

/* Make `id` the last one asked for. What is searched in vain is added next, and what is found is
 * removed or replaced. */
static void remember(struct table *table, const struct flow_id *id)
{
    if (flow_id_equal(id, &table->last_id))
        return;
    table->last_id = *id;
    table->last_hash = hash_of(table, id);
    table->last_found = 0;
}

/* The link behind the entry that `link` leads to. */
static uint32_t *next_of(const struct table *table, uint32_t link)
{
    return &table->entries.links(table->entries.owner, table_ref_of(link))->next;
}

static uint32_t marks_of(uint32_t link)
{
    return link & ~(uint32_t)TABLE_REF_MAX;
}

/* By bits that do not choose the bucket, but in the largest tables. */
static uint32_t mark_of(uint32_t hash)
{
    return 1u << (TABLE_REF_BITS + ((hash >> 16) * TABLE_MARKS >> 16));
}

/* Put an entry in front of a chain. */
static void push(const struct table *table, uint32_t *bucket, uint32_t ref, uint32_t hash)
{
    *next_of(table, ref) = *bucket;
    *bucket = marks_of(*bucket) | mark_of(hash) | ref;
}

static uint32_t *bucket_at(const struct table *table, unsigned i)
{
    return &table->segment[i / TABLE_SEGMENT_BUCKETS][i % TABLE_SEGMENT_BUCKETS];
}

/* The largest power of two that is at most `count`. */
static unsigned level_of(unsigned count)
{
    return 1u << (31 - __builtin_clz(count));
}

static uint32_t *bucket_of(const struct table *table, uint32_t hash)
{
    unsigned level = level_of(table->bucket_count);
    unsigned i = hash & (2 * level - 1);

    return bucket_at(table, i < table->bucket_count ? i : i & (level - 1));
}

/* ---- growing and shrinking */

static bool add_segment(struct table *table)
{
    if (table->segment_count == table->segment_room) {
        unsigned room = table->segment_room == 0 ? 1 : 2 * table->segment_room;
        uint32_t **grown = memory_resize(table->memory, table->segment,
                                         table->segment_room * sizeof *table->segment,
                                         room * sizeof *table->segment);
        if (grown == NULL)
            return false;
        table->segment = grown;
        table->segment_room = room;
    }
    uint32_t *segment = memory_take(table->memory, SEGMENT_BYTES);
    if (segment == NULL)
        return false;
    memset(segment, 0, SEGMENT_BYTES);
    table->segment[table->segment_count++] = segment;
    return true;
}

/* One bucket more; what it takes over comes from one other. */
static void grow(struct table *table)
{
    unsigned added = table->bucket_count, level = level_of(added);

    if (added == table->segment_count * TABLE_SEGMENT_BUCKETS && !add_segment(table))
        return;
    table->bucket_count++;
    uint32_t *source = bucket_at(table, added - level), *target = bucket_at(table, added);
    uint32_t link = *source;
    *source = *target = 0;
    while (link != 0) {
        uint32_t ref = table_ref_of(link), hash = hash_of_entry(table, ref);
        link = *next_of(table, ref);
        push(table, (hash & (2 * level - 1)) == added ? target : source, ref, hash);
    }
}

/* One bucket less; its entries join those of the one that they came from. */
static void shrink(struct table *table)
{
    unsigned last = table->bucket_count - 1;
    uint32_t *end = bucket_at(table, last - level_of(last)), joining = *bucket_at(table, last);

    while (*end != 0) {
        *end |= marks_of(joining);
        end = next_of(table, *end);
    }
    *end = joining;
    table->bucket_count--;
    /* one segment is kept in reserve, so that a count that goes up and down costs no malloc() */
    if (table->segment_count * TABLE_SEGMENT_BUCKETS - last >= 2 * TABLE_SEGMENT_BUCKETS)
        memory_give(table->memory, table->segment[--table->segment_count], SEGMENT_BYTES);
}

/* ---- the calls */

int table_init(struct table *table, struct siphash_key key, const struct table_entries *entries,
               struct memory *memory)
{
    *table = (struct table){.key = key, .entries = *entries, .memory = memory};
    table->bucket_count = TABLE_FIRST_BUCKETS;
    table->last_hash = hash_of(table, &table->last_id);
    return add_segment(table) ? 0 : -1;
}

void table_free(struct table *table)
{
    for (unsigned i = 0; i < table->segment_count; i++)
        memory_give(table->memory, table->segment[i], SEGMENT_BYTES);
    memory_give(table->memory, table->segment, table->segment_room * sizeof *table->segment);
    *table = (struct table){0};
}

/* The one that was found last is found again without a search: packets of one connection come in a
 * row, and two calls or more for each. */
uint32_t table_find(struct table *table, const struct flow_id *id)
{
    remember(table, id);
    if (table->last_found != 0)
        return table->last_found;
    uint32_t mark = mark_of(table->last_hash), link = *bucket_of(table, table->last_hash);

    while ((link & mark) != 0) {
        struct flow_id other;
        uint32_t ref = table_ref_of(link);
        table->entries.id(table->entries.owner, ref, &other);
        if (flow_id_equal(id, &other)) {
            table->last_found = ref;
            return ref;
        }
        link = *next_of(table, ref);
    }
    return 0;
}

/* The bucket to which `ref` belongs. */
static uint32_t *bucket_for(struct table *table, uint32_t ref)
{
    struct flow_id id;

    table->entries.id(table->entries.owner, ref, &id);
    remember(table, &id);
    return bucket_of(table, table->last_hash);
}

void table_add(struct table *table, uint32_t ref)
{
    if (table->count >= table->bucket_count / 2 * 3) /* three entries for two buckets */
        grow(table);
    uint32_t *bucket = bucket_for(table, ref);
    push(table, bucket, ref, table->last_hash);
    table->count++;
}

/* The link that leads to `ref`, or the 0 at the end of the chain. */
static uint32_t *link_to(struct table *table, uint32_t ref)
{
    uint32_t *link = bucket_for(table, ref);

    while (*link != 0 && table_ref_of(*link) != ref)
        link = next_of(table, *link);
    return link;
}

void table_remove(struct table *table, uint32_t ref)
{
    uint32_t *link = link_to(table, ref);

    if (*link == 0)
        return;
    /* The links before this one may keep a mark too many, which costs a look and no more; who comes
     * and goes is at the front, and has none before it. */
    *link = *next_of(table, ref);
    if (table->last_found == ref)
        table->last_found = 0;
    table->count--;
    /* two, to be as small as it was when the last one leaves */
    for (int i = 0; i < 2 && table->count < table->bucket_count / 2 &&
                    table->bucket_count > TABLE_FIRST_BUCKETS;
         i++)
        shrink(table);
}

void table_replace(struct table *table, uint32_t ref, uint32_t with)
{
    uint32_t *link = link_to(table, ref);

    *next_of(table, with) = *next_of(table, ref);
    *link = marks_of(*link) | with;
    if (table->last_found == ref)
        table->last_found = with;
}
