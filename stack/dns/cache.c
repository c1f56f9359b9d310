/* The resolver's cache, RFC 1035 7.4 and RFC 2308 5 (negative answers).
 *
 * An entry is one answered question: the name asked for and the outcome of its whole CNAME chain,
 * valid as long as the shortest-lived record in it. The list is in order of use, so that the entry
 * to forget when it is full is the last one; a few hundred names are searched through faster than
 * a packet travels. An entry whose time is up goes when it is met.
 *
 * Names are compared without regard to case (RFC 1035 2.3.3).
 *
 * Not done: records are not kept one by one, so two names with a common alias ask twice. */
#include "cache.h"

#include <stdlib.h>
#include <string.h>

enum { SECOND_US = 1000000 };

struct dns_cache_entry {
    struct dns_cache_entry *next;
    uint64_t expires_us;
    enum dns_err result;
    unsigned address_count;
    struct ip_addr address[DNS_ADDRESSES_MAX];
    char *canonical_name; /* behind `name`, in the same memory */
    char name[];
};

static struct dns_cache_entry *take(struct dns_cache *cache, const char *name, uint64_t now_us);
static struct dns_cache_entry *entry_new(const char *name, const char *canonical_name);
static void put_first(struct dns_cache *cache, struct dns_cache_entry *entry);
static void forget_last(struct dns_cache *cache);

void dns_cache_init(struct dns_cache *cache, unsigned entry_max)
{
    *cache = (struct dns_cache){.entry_max = entry_max};
}

void dns_cache_free(struct dns_cache *cache)
{
    while (cache->entry_count > 0)
        forget_last(cache);
}

void dns_cache_put(struct dns_cache *cache, const char *name, enum dns_err result,
                   const struct dns_answer *answer, uint64_t now_us)
{
    free(take(cache, name, now_us)); /* whatever was known before */
    if (answer->ttl_s == 0 || cache->entry_max == 0)
        return; /* RFC 1035 3.2.1: zero is for the question at hand only */
    struct dns_cache_entry *entry = entry_new(name, answer->canonical_name);
    if (entry == NULL)
        return;
    while (cache->entry_count >= cache->entry_max)
        forget_last(cache);
    entry->result = result;
    entry->expires_us = now_us + (uint64_t)answer->ttl_s * SECOND_US;
    entry->address_count = answer->address_count;
    memcpy(entry->address, answer->address, sizeof entry->address);
    put_first(cache, entry);
}

enum dns_err dns_cache_get(struct dns_cache *cache, const char *name, struct dns_answer *answer,
                           uint64_t now_us)
{
    struct dns_cache_entry *entry = take(cache, name, now_us);

    if (entry == NULL)
        return DNS_PENDING;
    put_first(cache, entry);
    *answer = (struct dns_answer){
        .address_count = entry->address_count,
        .ttl_s = (uint32_t)((entry->expires_us - now_us) / SECOND_US),
        .from_cache = true,
    };
    memcpy(answer->address, entry->address, sizeof answer->address);
    memcpy(answer->canonical_name, entry->canonical_name, strlen(entry->canonical_name) + 1);
    return entry->result;
}

/* Take the entry for `name` out of the list; entries met on the way whose time is up are freed. */
static struct dns_cache_entry *take(struct dns_cache *cache, const char *name, uint64_t now_us)
{
    struct dns_cache_entry **link = &cache->first;

    while (*link != NULL) {
        struct dns_cache_entry *entry = *link;
        bool is_over = entry->expires_us <= now_us;
        if (!is_over && !dns_name_equal(entry->name, name)) {
            link = &entry->next;
            continue;
        }
        *link = entry->next;
        cache->entry_count--;
        if (!is_over)
            return entry;
        free(entry);
    }
    return NULL;
}

static struct dns_cache_entry *entry_new(const char *name, const char *canonical_name)
{
    size_t name_bytes = strlen(name) + 1;
    size_t canonical_bytes = strlen(canonical_name) + 1;
    struct dns_cache_entry *entry = malloc(sizeof *entry + name_bytes + canonical_bytes);

    if (entry == NULL)
        return NULL;
    entry->canonical_name = entry->name + name_bytes;
    memcpy(entry->name, name, name_bytes);
    memcpy(entry->canonical_name, canonical_name, canonical_bytes);
    return entry;
}

static void put_first(struct dns_cache *cache, struct dns_cache_entry *entry)
{
    entry->next = cache->first;
    cache->first = entry;
    cache->entry_count++;
}

static void forget_last(struct dns_cache *cache)
{
    struct dns_cache_entry **link = &cache->first;

    while ((*link)->next != NULL)
        link = &(*link)->next;
    free(*link);
    *link = NULL;
    cache->entry_count--;
}
