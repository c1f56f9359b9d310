/* A byte ring, see ring.h. Positions are kept as (head, used) and masked with size - 1, which is
 * why the size is a power of two. Growing copies the stored bytes and everything behind them that a
 * ring_write_at() may have placed, so holes survive it. */
#include "ring.h"

#include <string.h>

static uint32_t index_of(const struct ring *ring, size_t offset)
{
    return (uint32_t)((ring->head + offset) & (ring->size - 1));
}

/* What is taken for a ring of `size` bytes: a large one begins with a cache line. */
static size_t block_bytes(uint32_t size)
{
    enum { LARGE_BYTES = 1 << 16 };

    return size < LARGE_BYTES ? size : size + RING_LINE_BYTES;
}

static void give_block(struct ring *ring)
{
    if (ring->size > 0)
        memory_give(ring->account, ring->memory - ring->lead, block_bytes(ring->size));
}

/* Make room for `need` bytes in all. */
static bool grow(struct ring *ring, size_t need)
{
    if (need <= ring->size)
        return true;
    if (need > UINT32_MAX / 2)
        return false;
    uint32_t size = ring->size == 0 ? RING_FIRST_BYTES : ring->size;
    while (size < need)
        size *= 2;
    uint8_t *memory = memory_take(ring->account, block_bytes(size));
    if (memory == NULL)
        return false;
    uint32_t lead = block_bytes(size) > size ? -(uintptr_t)memory % RING_LINE_BYTES : 0;
    memory += lead;
    if (ring->size > 0) {
        size_t front = ring->size - ring->head;
        memcpy(memory, ring->memory + ring->head, front);
        memcpy(memory + front, ring->memory, ring->head);
    }
    give_block(ring);
    ring->memory = memory;
    ring->lead = lead;
    ring->size = size;
    ring->head = 0;
    return true;
}

bool ring_write_at(struct ring *ring, size_t offset, struct bytes bytes)
{
    if (bytes.len == 0)
        return true;
    if (!grow(ring, offset + bytes.len))
        return false;
    uint32_t at = index_of(ring, offset);
    size_t front = ring->size - at < bytes.len ? ring->size - at : bytes.len;
    memcpy(ring->memory + at, bytes.data, front);
    if (bytes.len > front)
        memcpy(ring->memory, bytes.data + front, bytes.len - front);
    return true;
}

size_t ring_capacity(const struct ring *ring, size_t wanted)
{
    size_t size = ring->size == 0 ? RING_FIRST_BYTES : ring->size;

    if (size >= wanted || memory_allows_growth(ring->account, 2 * wanted))
        return wanted;
    while (size < wanted &&
           (size < RING_ASSURED_BYTES || memory_allows_growth(ring->account, 2 * size)))
        size *= 2;
    return size < wanted ? size : wanted;
}

void ring_rewind(struct ring *ring)
{
    if (ring->used == 0)
        ring->head = 0;
}

size_t ring_write(struct ring *ring, const uint8_t *data, size_t len, size_t limit)
{
    size_t wanted = ring->used + len < limit ? ring->used + len : limit;
    size_t capacity = ring_capacity(ring, wanted);
    size_t room = capacity > ring->used ? capacity - ring->used : 0;
    struct bytes accepted = {data, len < room ? len : room};

    ring_rewind(ring);
    if (!ring_write_at(ring, ring->used, accepted))
        return 0;
    ring->used += (uint32_t)accepted.len;
    return accepted.len;
}

uint8_t *ring_reserve(struct ring *ring, size_t limit, size_t *room)
{
    *room = 0;
    ring_rewind(ring);
    limit = ring_capacity(ring, limit);
    if (ring->used >= limit)
        return NULL;
    if (ring->used == ring->size) {
        size_t twice = (size_t)ring->size * 2;
        size_t wanted = twice > RING_RESERVE_BYTES ? twice : RING_RESERVE_BYTES;
        if (!grow(ring, wanted < limit ? wanted : limit))
            return NULL;
    }
    uint32_t at = index_of(ring, ring->used);
    size_t free_bytes = ring->size - ring->used;
    size_t contiguous = ring->size - at;
    *room = free_bytes < contiguous ? free_bytes : contiguous;
    if (*room > limit - ring->used)
        *room = limit - ring->used;
    return ring->memory + at;
}

void ring_commit(struct ring *ring, size_t len)
{
    ring->used += (uint32_t)len;
}

void ring_spans(const struct ring *ring, size_t offset, size_t len, struct bytes span[static 2])
{
    span[0] = span[1] = (struct bytes){NULL, 0};
    if (len == 0)
        return;
    uint32_t at = index_of(ring, offset);
    size_t front = ring->size - at < len ? ring->size - at : len;
    span[0] = (struct bytes){ring->memory + at, front};
    if (len > front)
        span[1] = (struct bytes){ring->memory, len - front};
}

bool ring_is_half_line(const struct ring *ring, size_t offset)
{
    return index_of(ring, offset) % (RING_LINE_BYTES / 2) == 0;
}

void ring_consume(struct ring *ring, size_t len)
{
    if (len == 0)
        return;
    ring->head = index_of(ring, len);
    ring->used -= (uint32_t)len;
}

void ring_release(struct ring *ring)
{
    give_block(ring);
    *ring = (struct ring){.account = ring->account};
}
