/* What a stack has taken from malloc(), counted, and the limit that its parts keep to.
 *
 * Taking never fails for the limit's sake: whoever can do with less asks memory_allows() first, a
 * buffer before it grows, a listener before it makes a connection. What has been promised to a
 * connection that exists is taken anyway. */
#ifndef TUNTCP_MEMORY_H
#define TUNTCP_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

struct memory {
    size_t used_bytes; /* asked of malloc() and not given back; its own overhead is not in it */
    size_t max_bytes;  /* 0: no limit */
};

/* Each takes NULL for `memory`: then nothing is counted. NULL when malloc() has nothing. */
void *memory_take(struct memory *memory, size_t bytes);
/* realloc(): the block had `old_bytes`. */
void *memory_resize(struct memory *memory, void *block, size_t old_bytes, size_t bytes);
void memory_give(struct memory *memory, void *block, size_t bytes);

/* Would so many bytes more stay within the limit? */
bool memory_allows(const struct memory *memory, size_t bytes);
/* May a buffer grow? Only to what is left: of many that want all they can get each has an equal
 * part in the end, and one alone half (dynamic thresholds, Choudhury and Hahne, 1998). */
bool memory_allows_growth(const struct memory *memory, size_t to_bytes);
/* The same within seven eighths of it: the rest is for connections that exist already. */
bool memory_allows_newcomer(const struct memory *memory, size_t bytes);

#endif
