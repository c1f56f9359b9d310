/* What the servers have answered, as long as it is valid: addresses, and that there are none. */
#ifndef TUNTCP_DNS_CACHE_H
#define TUNTCP_DNS_CACHE_H

#include "dns.h"

struct dns_cache {
    struct dns_cache_entry *first; /* the last one used */
    unsigned entry_count;
    unsigned entry_max;
};

void dns_cache_init(struct dns_cache *cache, unsigned entry_max);
void dns_cache_free(struct dns_cache *cache);
/* Keep `result` (DNS_OK with its answer, DNS_ERR_NOT_FOUND or DNS_ERR_NO_ADDRESS) for
 * answer->ttl_s; not at all if that is 0. Forgets the entry used least recently when full. */
void dns_cache_put(struct dns_cache *cache, const char *name, enum dns_err result,
                   const struct dns_answer *answer, uint64_t now_us);
/* What is kept for `name`, with the time that it has left; DNS_PENDING if nothing is. */
enum dns_err dns_cache_get(struct dns_cache *cache, const char *name, struct dns_answer *answer,
                           uint64_t now_us);

#endif
