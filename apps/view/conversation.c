/* The conversations that the dissector remembers: a hash table by the two ends, and a list in the
 * order of last use. A packet stream from the network decides how many there are, so at most
 * CONVERSATIONS_MAX are kept; the one that was silent for longest is forgotten. A forgotten one
 * that speaks again is a new one: its numbers count from what is seen first, as in a capture that
 * starts in the middle. The hash is not keyed: who floods one bucket makes rows slow, nothing else.
 */
#include <stdlib.h>
#include <string.h>

#include "dissector.h"

enum { BUCKETS = 1024, CONVERSATIONS_MAX = 4096 };

struct conversations {
    struct conversation *bucket[BUCKETS];
    struct conversation *newest, *oldest;
    unsigned count;
};

static unsigned bucket_of(const struct ip_addr *a, uint16_t a_port, const struct ip_addr *b,
                          uint16_t b_port);
static struct conversation *find(struct conversation *first, const struct ip_addr *src,
                                 uint16_t src_port, const struct ip_addr *dst, uint16_t dst_port,
                                 unsigned *side);
static struct conversation *make(const struct ip_addr *src, uint16_t src_port,
                                 const struct ip_addr *dst, uint16_t dst_port);
static void use(struct conversations *all, struct conversation *c);
static void unlink_from_order(struct conversations *all, struct conversation *c);
static void forget_oldest(struct conversations *all);
static void start(struct conversation *c);
static void clear(struct conversation *c);

struct conversations *conversations_new(void)
{
    return calloc(1, sizeof(struct conversations));
}

void conversations_free(struct conversations *all)
{
    if (all == NULL)
        return;
    while (all->oldest != NULL)
        forget_oldest(all);
    free(all);
}

struct conversation *conversation_of(struct conversations *all, const struct ip_addr *src,
                                     uint16_t src_port, const struct ip_addr *dst,
                                     uint16_t dst_port, unsigned *side)
{
    unsigned bucket = bucket_of(src, src_port, dst, dst_port);
    struct conversation *c = find(all->bucket[bucket], src, src_port, dst, dst_port, side);

    if (c != NULL) {
        unlink_from_order(all, c);
        use(all, c);
        return c;
    }
    *side = 0;
    c = make(src, src_port, dst, dst_port);
    if (c == NULL)
        return NULL;
    c->next_in_bucket = all->bucket[bucket];
    all->bucket[bucket] = c;
    use(all, c);
    if (++all->count > CONVERSATIONS_MAX)
        forget_oldest(all);
    return c;
}

void conversation_restart(struct conversation *conversation)
{
    struct conversation blank = {
        .next_in_bucket = conversation->next_in_bucket,
        .newer = conversation->newer,
        .older = conversation->older,
        .address = {conversation->address[0], conversation->address[1]},
        .port = {conversation->port[0], conversation->port[1]},
    };

    clear(conversation);
    *conversation = blank;
    start(conversation);
}

/* The same for both directions: the ends are added. */
static unsigned bucket_of(const struct ip_addr *a, uint16_t a_port, const struct ip_addr *b,
                          uint16_t b_port)
{
    uint32_t hash = ((uint32_t)a_port + b_port) * 2654435761u;

    for (size_t i = 0; i < sizeof a->octet; i++)
        hash = hash * 31 + (uint32_t)a->octet[i] + b->octet[i];
    return (hash ^ hash >> 16) % BUCKETS;
}

static struct conversation *find(struct conversation *first, const struct ip_addr *src,
                                 uint16_t src_port, const struct ip_addr *dst, uint16_t dst_port,
                                 unsigned *side)
{
    for (struct conversation *c = first; c != NULL; c = c->next_in_bucket) {
        for (unsigned s = 0; s < 2; s++) {
            if (c->port[s] == src_port && c->port[1 - s] == dst_port &&
                ip_addr_equal(&c->address[s], src) && ip_addr_equal(&c->address[1 - s], dst)) {
                *side = s;
                return c;
            }
        }
    }
    return NULL;
}

static struct conversation *make(const struct ip_addr *src, uint16_t src_port,
                                 const struct ip_addr *dst, uint16_t dst_port)
{
    struct conversation *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->address[0] = *src;
    c->address[1] = *dst;
    c->port[0] = src_port;
    c->port[1] = dst_port;
    start(c);
    return c;
}

static void use(struct conversations *all, struct conversation *c)
{
    c->newer = NULL;
    c->older = all->newest;
    if (all->newest != NULL)
        all->newest->newer = c;
    else
        all->oldest = c;
    all->newest = c;
}

static void unlink_from_order(struct conversations *all, struct conversation *c)
{
    if (c->older != NULL)
        c->older->newer = c->newer;
    else
        all->oldest = c->newer;
    if (c->newer != NULL)
        c->newer->older = c->older;
    else
        all->newest = c->older;
}

static void forget_oldest(struct conversations *all)
{
    struct conversation *c = all->oldest;
    unsigned bucket = bucket_of(&c->address[0], c->port[0], &c->address[1], c->port[1]);
    struct conversation **link = &all->bucket[bucket];

    while (*link != c)
        link = &(*link)->next_in_bucket;
    *link = c->next_in_bucket;
    unlink_from_order(all, c);
    all->count--;
    clear(c);
    free(c);
}

static void start(struct conversation *c)
{
    c->direction[0].seen.window_scale = WINDOW_SCALE_UNKNOWN;
    c->direction[1].seen.window_scale = WINDOW_SCALE_UNKNOWN;
}

static void clear(struct conversation *c)
{
    for (unsigned s = 0; s < 2; s++)
        pdus_free(&c->direction[s].stream);
}
