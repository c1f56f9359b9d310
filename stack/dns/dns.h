/* A stub resolver, RFC 1035 section 7 and RFC 1034 5.3.1: asks recursive servers, keeps what they
 * answer as long as it is valid. It uses the public calls of udp/ and tcp/ like any application. */
#ifndef TUNTCP_DNS_H
#define TUNTCP_DNS_H

#include "../stack.h"
#include "../wire/dns_message.h"

enum { DNS_SERVERS_MAX = 4, DNS_ADDRESSES_MAX = 8 };

enum dns_err {
    DNS_OK = 0,
    DNS_PENDING = 1,         /* not decided yet */
    DNS_ERR_NAME = -1,       /* the name cannot be asked for: label or name too long, or empty */
    DNS_ERR_NO_SERVER = -2,  /* no server is configured */
    DNS_ERR_NOT_FOUND = -3,  /* NXDOMAIN: no such name */
    DNS_ERR_NO_ADDRESS = -4, /* the name exists but has no address of this type */
    DNS_ERR_SERVER = -5,     /* no server gave a usable answer: SERVFAIL, REFUSED or nonsense */
    DNS_ERR_TIMED_OUT = -6,  /* no server answered */
    DNS_ERR_RESOURCES = -7,
};

struct dns_resolver;
struct dns_query;

struct dns_config {
    struct ip_addr server[DNS_SERVERS_MAX];
    unsigned server_count;
    uint16_t port;               /* 53 */
    uint64_t timeout_us;         /* for one try; 5 s, as resolv.conf(5) */
    unsigned attempts;           /* rounds over all servers; 2; 0 counts as 1 */
    unsigned cache_entries;      /* 256; 0: nothing is kept */
    uint32_t ttl_max_s;          /* an answer is kept no longer; one week */
    uint32_t negative_ttl_max_s; /* RFC 2308 5; 3 hours */
};

struct dns_answer {
    struct ip_addr address[DNS_ADDRESSES_MAX];
    unsigned address_count;
    uint32_t ttl_s; /* time left of the shortest-lived record in the chain; a number: UINT32_MAX */
    bool from_cache;
    char canonical_name[DNS_NAME_TEXT_BYTES]; /* at the end of the CNAME chain */
};

void dns_config_init(struct dns_config *config);
/* The resolver belongs to the stack's driver: dns_on_time() wants to be called after each
 * stack_input() and stack_on_time(), and dns_free() before stack_free(). NULL when memory is short.
 * dns_free(NULL) is fine; it ends all queries, whose handles are no longer valid. */
struct dns_resolver *dns_new(struct stack *stack, const struct dns_config *config);
void dns_free(struct dns_resolver *resolver);

/* Start to look up the IPv4 addresses of `name`. A numeric address is answered at once. The name is
 * asked for as it is given: there is no search list, and "localhost" is a name like any other. NULL
 * when memory is short. Otherwise poll dns_result() until it is not DNS_PENDING, then dns_done().
 */
struct dns_query *dns_lookup(struct dns_resolver *resolver, const char *name);
/* DNS_PENDING, DNS_OK with *answer filled in, or the error. */
enum dns_err dns_result(struct dns_query *query, struct dns_answer *answer);
/* End the query, decided or not. NULL is fine. */
void dns_done(struct dns_query *query);

/* Read what has come, ask again what timed out. A query over TCP shows up in stack_next_ready() as
 * a connection whose tcp_context() is NULL: leave it alone, the resolver looks after it here. */
void dns_on_time(struct dns_resolver *resolver, uint64_t now_us);
uint64_t dns_next_deadline_us(const struct dns_resolver *resolver);

/* "no such name" and so on. */
const char *dns_err_name(enum dns_err error);

#endif
