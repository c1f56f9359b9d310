/* Counted memory, see memory.h. */
#include "memory.h"

#include <stdlib.h>

void *memory_take(struct memory *memory, size_t bytes)
{
    return memory_resize(memory, NULL, 0, bytes);
}

void *memory_resize(struct memory *memory, void *block, size_t old_bytes, size_t bytes)
{
    void *resized = realloc(block, bytes);

    if (resized != NULL && memory != NULL)
        memory->used_bytes += bytes - old_bytes;
    return resized;
}

void memory_give(struct memory *memory, void *block, size_t bytes)
{
    if (block != NULL && memory != NULL)
        memory->used_bytes -= bytes;
    free(block);
}

static bool stays_below(const struct memory *memory, size_t bytes, size_t max_bytes)
{
    return memory->used_bytes < max_bytes && bytes <= max_bytes - memory->used_bytes;
}

bool memory_allows(const struct memory *memory, size_t bytes)
{
    return memory == NULL || memory->max_bytes == 0 ||
           stays_below(memory, bytes, memory->max_bytes);
}

bool memory_allows_growth(const struct memory *memory, size_t to_bytes)
{
    return memory_allows(memory, to_bytes);
}

bool memory_allows_newcomer(const struct memory *memory, size_t bytes)
{
    return memory == NULL || memory->max_bytes == 0 ||
           stays_below(memory, bytes, memory->max_bytes - memory->max_bytes / 8);
}
