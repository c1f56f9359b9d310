/* Objects of one size, each known by a number of 32 bits instead of a pointer of 64.
 *
 * They lie in chunks of a few dozen, taken from malloc() one by one and given back when the last of
 * a chunk's objects has gone (but for one empty chunk, so that an object that comes and goes costs
 * no malloc()). An object's place never moves. Taking one, giving it back, and finding it by its
 * number cost O(1). */
#ifndef TUNTCP_POOL_H
#define TUNTCP_POOL_H

#include <stdint.h>

#include "memory.h"

enum { POOL_CHUNK_OBJECTS_MAX = 64, POOL_NONE = -1 };

struct pool_chunk {
    uint64_t used;           /* a bit for each object */
    uint32_t next, previous; /* in the list of those with room: number + 1; 0: none */
};

struct pool {
    uint32_t object_bytes;
    unsigned shift;   /* 1 << shift objects in a chunk */
    uintptr_t *chunk; /* by number: a struct pool_chunk *, or given back, see pool.c */
    uint32_t chunk_room, chunk_count;       /* of chunk[] */
    uint32_t first_with_room, first_absent; /* number + 1; 0: none */
    uint32_t count;                         /* objects in use */
    struct memory *memory;
};

/* Nothing is taken from malloc() yet. `chunk_objects` is a power of two, at most 64; the size is a
 * multiple of 4, or of 8 if the object holds anything of 8 bytes. */
void pool_init(struct pool *pool, size_t object_bytes, unsigned chunk_objects,
               struct memory *memory);
/* Everything back to malloc(), objects in use as well. */
void pool_free(struct pool *pool);
/* The number of an object, filled with zeros; -1 when memory is short. */
int64_t pool_take(struct pool *pool);
void pool_give(struct pool *pool, uint32_t number);
/* The first object in use from `number` on; -1: none. */
int64_t pool_next(const struct pool *pool, uint32_t number);

static inline void *pool_at(const struct pool *pool, uint32_t number)
{
    uint32_t within = number & ((1u << pool->shift) - 1);

    return (char *)pool->chunk[number >> pool->shift] + sizeof(struct pool_chunk) +
           (size_t)within * pool->object_bytes;
}

#endif
