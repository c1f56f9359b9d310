/* The four-tuple table, see table.h. Chained buckets: removal is simple, and an entry's place never
 * moves. If memory for a larger table is short the chains just grow longer. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

enum { TABLE_FIRST_BUCKETS = 64 };

bool flow_id_equal(const struct flow_id *a, const struct flow_id *b)
{
    return a->local_port == b->local_port && a->remote_port == b->remote_port &&
           ip_addr_equal(&a->remote, &b->remote) && ip_addr_equal(&a->local, &b->local);
}

static struct flow **bucket_of(const struct table *table, const struct flow_id *id)
{
    struct {
        struct ip_addr local, remote;
        uint16_t local_port, remote_port;
    } key = {id->local, id->remote, id->local_port, id->remote_port}; /* no padding: 36 bytes */

    return &table->bucket[siphash(&table->key, &key, sizeof key) & (table->bucket_count - 1)];
}

int table_init(struct table *table, struct siphash_key key)
{
    *table = (struct table){.bucket_count = TABLE_FIRST_BUCKETS, .key = key};
    table->bucket = calloc(table->bucket_count, sizeof *table->bucket);
    return table->bucket == NULL ? -1 : 0;
}

void table_free(struct table *table)
{
    free(table->bucket);
    *table = (struct table){0};
}

struct flow *table_find(const struct table *table, const struct flow_id *id)
{
    for (struct flow *flow = *bucket_of(table, id); flow != NULL; flow = flow->next)
        if (flow_id_equal(&flow->id, id))
            return flow;
    return NULL;
}

static void push(struct table *table, struct flow *flow)
{
    struct flow **bucket = bucket_of(table, &flow->id);
    flow->next = *bucket;
    *bucket = flow;
}

static void grow(struct table *table)
{
    struct table larger = *table;

    larger.bucket_count *= 2;
    larger.bucket = calloc(larger.bucket_count, sizeof *larger.bucket);
    if (larger.bucket == NULL)
        return;
    for (unsigned i = 0; i < table->bucket_count; i++) {
        struct flow *next;
        for (struct flow *flow = table->bucket[i]; flow != NULL; flow = next) {
            next = flow->next;
            push(&larger, flow);
        }
    }
    free(table->bucket);
    *table = larger;
}

void table_add(struct table *table, struct flow *flow)
{
    if (table->count >= table->bucket_count / 4 * 3)
        grow(table);
    push(table, flow);
    table->count++;
}

static struct flow **link_to(const struct table *table, const struct flow *flow)
{
    struct flow **link = bucket_of(table, &flow->id);
    while (*link != NULL && *link != flow)
        link = &(*link)->next;
    return link;
}

void table_remove(struct table *table, struct flow *flow)
{
    struct flow **link = link_to(table, flow);
    if (*link == NULL)
        return;
    *link = flow->next;
    table->count--;
}

void table_replace(struct table *table, struct flow *flow, struct flow *with)
{
    struct flow **link = link_to(table, flow);
    with->next = flow->next;
    *link = with;
}
