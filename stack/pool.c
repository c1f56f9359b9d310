/* Pools of objects by number, see pool.h.
 *
 * chunk[] maps the number of a chunk to where it lies. An entry whose chunk has been given back
 * holds the next such entry instead, marked by an odd value, which no pointer has.
 *
 * Under the address sanitizer an object that is not in use is poisoned, so that a use after
 * pool_give() is found as one after free() would be. */
#include "pool.h"

#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif

#ifdef POISONS
void __asan_poison_memory_region(void const volatile *address, size_t bytes);
void __asan_unpoison_memory_region(void const volatile *address, size_t bytes);
#define POISON(address, bytes)   __asan_poison_memory_region(address, bytes)
#define UNPOISON(address, bytes) __asan_unpoison_memory_region(address, bytes)
#else
#define POISON(address, bytes)   ((void)0)
#define UNPOISON(address, bytes) ((void)0)
#endif

void pool_init(struct pool *pool, size_t object_bytes, unsigned chunk_objects,
               struct memory *memory)
{
    *pool = (struct pool){.object_bytes = (uint32_t)object_bytes,
                          .shift = (unsigned)__builtin_ctz(chunk_objects),
                          .memory = memory};
}

static bool is_absent(uintptr_t entry)
{
    return entry & 1;
}

static struct pool_chunk *chunk_at(const struct pool *pool, uint32_t number)
{
    return (struct pool_chunk *)pool->chunk[number];
}

static size_t objects_bytes(const struct pool *pool)
{
    return (size_t)pool->object_bytes << pool->shift;
}

static uint64_t all_used(const struct pool *pool)
{
    return UINT64_MAX >> (POOL_CHUNK_OBJECTS_MAX - (1u << pool->shift));
}

static void free_chunk(struct pool *pool, struct pool_chunk *chunk)
{
    UNPOISON(chunk + 1, objects_bytes(pool));
    memory_give(pool->memory, chunk, sizeof *chunk + objects_bytes(pool));
}

void pool_free(struct pool *pool)
{
    for (uint32_t i = 0; i < pool->chunk_count; i++)
        if (!is_absent(pool->chunk[i]))
            free_chunk(pool, chunk_at(pool, i));
    memory_give(pool->memory, pool->chunk, pool->chunk_room * sizeof *pool->chunk);
    *pool = (struct pool){0};
}

/* ---- the list of chunks with room */

static void join(struct pool *pool, uint32_t number)
{
    struct pool_chunk *chunk = chunk_at(pool, number);

    chunk->previous = 0;
    chunk->next = pool->first_with_room;
    if (chunk->next != 0)
        chunk_at(pool, chunk->next - 1)->previous = number + 1;
    pool->first_with_room = number + 1;
}

static void leave(struct pool *pool, uint32_t number)
{
    struct pool_chunk *chunk = chunk_at(pool, number);

    if (chunk->next != 0)
        chunk_at(pool, chunk->next - 1)->previous = chunk->previous;
    if (chunk->previous != 0)
        chunk_at(pool, chunk->previous - 1)->next = chunk->next;
    else
        pool->first_with_room = chunk->next;
}

/* ---- chunks */

/* A number for a new chunk: one that has been given back, or the next. */
static bool has_chunk_number(struct pool *pool)
{
    enum { ROOM_FIRST = 4 };

    if (pool->first_absent != 0 || pool->chunk_count < pool->chunk_room)
        return true;
    uint32_t room = pool->chunk_room == 0 ? ROOM_FIRST : 2 * pool->chunk_room;
    uintptr_t *grown =
        memory_resize(pool->memory, pool->chunk, pool->chunk_room * sizeof *pool->chunk,
                      room * sizeof *pool->chunk);
    if (grown == NULL)
        return false;
    pool->chunk = grown;
    pool->chunk_room = room;
    return true;
}

static bool add_chunk(struct pool *pool)
{
    if (!has_chunk_number(pool))
        return false;
    struct pool_chunk *chunk = memory_take(pool->memory, sizeof *chunk + objects_bytes(pool));
    if (chunk == NULL)
        return false;
    POISON(chunk + 1, objects_bytes(pool));
    chunk->used = 0;
    uint32_t number = pool->chunk_count;
    if (pool->first_absent != 0) {
        number = pool->first_absent - 1;
        pool->first_absent = (uint32_t)(pool->chunk[number] >> 1);
    } else {
        pool->chunk_count++;
    }
    pool->chunk[number] = (uintptr_t)chunk;
    join(pool, number);
    return true;
}

static void remove_chunk(struct pool *pool, uint32_t number)
{
    leave(pool, number);
    free_chunk(pool, chunk_at(pool, number));
    pool->chunk[number] = (uintptr_t)pool->first_absent << 1 | 1;
    pool->first_absent = number + 1;
}

/* ---- objects */

int64_t pool_take(struct pool *pool)
{
    if (pool->first_with_room == 0 && !add_chunk(pool))
        return POOL_NONE;
    uint32_t number = pool->first_with_room - 1;
    struct pool_chunk *chunk = chunk_at(pool, number);
    unsigned within = (unsigned)__builtin_ctzll(~chunk->used);

    chunk->used |= (uint64_t)1 << within;
    if (chunk->used == all_used(pool))
        leave(pool, number);
    pool->count++;
    uint32_t object = number << pool->shift | within;
    UNPOISON(pool_at(pool, object), pool->object_bytes);
    memset(pool_at(pool, object), 0, pool->object_bytes);
    return object;
}

void pool_give(struct pool *pool, uint32_t object)
{
    uint32_t number = object >> pool->shift;
    struct pool_chunk *chunk = chunk_at(pool, number);

    POISON(pool_at(pool, object), pool->object_bytes);
    if (chunk->used == all_used(pool))
        join(pool, number);
    chunk->used &= ~((uint64_t)1 << (object & ((1u << pool->shift) - 1)));
    pool->count--;
    bool is_only_one = pool->first_with_room == number + 1 && chunk->next == 0;
    if (chunk->used == 0 && !is_only_one)
        remove_chunk(pool, number);
}

int64_t pool_next(const struct pool *pool, uint32_t object)
{
    unsigned within = object & ((1u << pool->shift) - 1);

    for (uint32_t i = object >> pool->shift; i < pool->chunk_count; i++, within = 0) {
        if (is_absent(pool->chunk[i]))
            continue;
        uint64_t used = chunk_at(pool, i)->used >> within << within;
        if (used != 0)
            return (int64_t)(i << pool->shift | (unsigned)__builtin_ctzll(used));
    }
    return POOL_NONE;
}
