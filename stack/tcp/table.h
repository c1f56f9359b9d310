/* The four-tuple table: from addresses and ports to a connection or its record. Hashed with
 * SipHash-1-3 under a secret key, so that nobody outside can fill one bucket: chains stay short.
 *
 * It grows and shrinks by one bucket at a time (linear hashing, Litwin 1980), so that no insertion
 * waits for a million entries to be moved, and no second table lies beside the first meanwhile. An
 * entry costs two thirds of a bucket, 4 bytes, and 4 more for the link in the entry itself. */
#ifndef TUNTCP_TCP_TABLE_H
#define TUNTCP_TCP_TABLE_H

#include "../memory.h"
#include "../siphash.h"
#include "../trace.h"
#include "../wheel.h"

/* A link of a chain: the ref of an entry, and marks above it. Each entry has one of six marks by
 * its hash, and the link has those of all entries from there on: a search ends where its mark is
 * missing, mostly without a look at any entry. (What a SYN's search in vain read of 54,000 idle
 * connections was 4 % of a short connection's time.) */
enum { TABLE_REF_BITS = 26, TABLE_MARKS = 6, TABLE_REF_MAX = (1 << TABLE_REF_BITS) - 1 };

static inline uint32_t table_ref_of(uint32_t link)
{
    return link & TABLE_REF_MAX;
}

/* What every entry begins with: its links in the table and the wheel. In both it is known by its
 * number, its `ref`, from 1 to TABLE_REF_MAX. */
struct flow_links {
    uint32_t next; /* in its bucket; 0: none */
    struct wheel_links timer;
};

/* How the table finds an entry. */
struct table_entries {
    const void *owner;
    struct flow_links *(*links)(const void *owner, uint32_t ref);
    void (*id)(const void *owner, uint32_t ref, struct flow_id *id);
};

struct table {
    uint32_t **segment; /* the buckets, TABLE_SEGMENT_BUCKETS in a piece */
    unsigned segment_count, segment_room;
    unsigned bucket_count;
    unsigned count;         /* entries */
    struct flow_id last_id; /* the last one asked for, its hash, and what was found; 0: nothing */
    uint32_t last_hash, last_found;
    struct siphash_key key;
    struct table_entries entries;
    struct memory *memory;
};

int table_init(struct table *table, struct siphash_key key, const struct table_entries *entries,
               struct memory *memory); /* 0, or -1: memory */
void table_free(struct table *table);
uint32_t table_find(struct table *table, const struct flow_id *id); /* 0: nobody */
void table_add(struct table *table, uint32_t ref); /* its id must not be there yet */
/* Nothing happens when it is not in the table. */
void table_remove(struct table *table, uint32_t ref);
/* `with` takes the place of `ref`; both have the same id. */
void table_replace(struct table *table, uint32_t ref, uint32_t with);

bool flow_id_equal(const struct flow_id *a, const struct flow_id *b);

#endif
