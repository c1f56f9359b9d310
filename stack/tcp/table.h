/* The four-tuple table: from addresses and ports to a connection or its record. Hashed with SipHash
 * under a secret key, so that nobody outside can fill one bucket (chains stay short); it doubles
 * when it is three quarters full. */
#ifndef TUNTCP_TCP_TABLE_H
#define TUNTCP_TCP_TABLE_H

#include "../siphash.h"
#include "../trace.h"
#include "../wheel.h"

/* What every entry begins with: a connection in full (struct tcb), or the small record that stands
 * for one in SYN-RECEIVED or TIME-WAIT (struct frozen). */
enum flow_kind { FLOW_TCB, FLOW_FROZEN };

struct flow {
    struct flow *next; /* in its bucket */
    struct wheel_timer timer;
    struct flow_id id;
    enum flow_kind kind;
};

struct table {
    struct flow **bucket;
    unsigned bucket_count; /* a power of two */
    unsigned count;
    struct siphash_key key;
};

int table_init(struct table *table, struct siphash_key key); /* 0, or -1: memory */
void table_free(struct table *table);
struct flow *table_find(const struct table *table, const struct flow_id *id);
void table_add(struct table *table, struct flow *flow); /* its id must not be there yet */
void table_remove(struct table *table, struct flow *flow);
/* `with` takes the place of `flow`; both have the same id. */
void table_replace(struct table *table, struct flow *flow, struct flow *with);

bool flow_id_equal(const struct flow_id *a, const struct flow_id *b);

#endif
