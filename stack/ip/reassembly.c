/* Putting fragments together again, RFC 791 3.2 and RFC 815.
 *
 * A datagram under way is a list of fragments in ascending order, known by source, destination,
 * protocol and ID (RFC 791). RFC 815 keeps a list of the holes between them; this list of what is
 * there says the same, because fragments are never allowed to overlap: a datagram is complete when
 * its last fragment has come (total_bytes is known) and the bytes held are that many. Its payload
 * is then copied together once.
 *
 * Overlap. RFC 791 lets the later copy win, and nobody agrees on which bytes that makes: attackers
 * use it to show a firewall one packet and the host another. So a fragment that overlaps another
 * spoils the datagram, which stays behind as an empty shell until its time is up, so that
 * fragments that are still on their way do not start it again. An exact copy of a fragment comes
 * from a network that duplicates, not from an attacker: the copy alone is discarded (RFC 8200 4.5).
 * Departure: from RFC 791; it is RFC 5722's rule for IPv6.
 *
 * Memory. Each fragment is one allocation, charged with its bookkeeping against max_bytes; a flood
 * of tiny ones pays for itself. At most REASSEMBLY_DATAGRAMS_MAX are under way, which bounds the
 * search. When there is no room the caller may give up the oldest: the parts of an honest datagram
 * arrive close together, so what has waited long is the least likely to be completed. One buffer
 * of 64 KiB for the complete datagram is taken when the first one completes.
 *
 * Time. A datagram's deadline is set by its first arrival and never moved (RFC 1122 3.3.2), so the
 * list in order of arrival is also in order of deadlines.
 *
 * A fragment that says CE marks the whole datagram (RFC 3168 5.3). */
#include "reassembly.h"

#include <stdlib.h>
#include <string.h>

enum { IPV4_OPTIONS_MAX_BYTES = IPV4_HEADER_MAX_BYTES - IPV4_HEADER_BYTES, ECN_CE = 3 };

struct fragment {
    struct fragment *next, *previous;
    size_t start, end; /* in the datagram's payload */
    uint8_t data[];
};

struct datagram {
    struct datagram *next; /* the one that began after this one */
    struct ip_addr src, dst;
    uint16_t id;
    uint8_t protocol;
    bool is_spoiled; /* an overlap: whatever else comes is discarded too */
    bool is_marked;  /* a fragment said "congestion experienced" */
    uint64_t deadline_us;
    struct fragment *first, *last;
    size_t held_bytes;
    size_t total_bytes;        /* 0 until the last fragment has come */
    struct ipv4_packet header; /* of the fragment at offset 0, once it has come */
    uint8_t options[IPV4_OPTIONS_MAX_BYTES];
};

struct reassembly {
    size_t max_bytes;
    uint64_t timeout_us;
    size_t used_bytes;
    struct memory *memory; /* where it is counted; NULL: nowhere */
    struct datagram *oldest, *youngest;
    unsigned datagram_count;
    struct datagram *lent; /* left the list, but the caller still looks at it */
    uint8_t *whole;        /* payload of the last datagram completed */
};

static void release_lent(struct reassembly *r);
static bool is_well_formed(const struct ipv4_packet *fragment);
static struct datagram *find(const struct reassembly *r, const struct ipv4_packet *fragment);
static bool has_room(const struct reassembly *r, const struct datagram *d, size_t payload_bytes);
static struct datagram *begin(struct reassembly *r, const struct ipv4_packet *fragment,
                              uint64_t now_us);
static struct fragment *neighbour_below(const struct datagram *d, size_t start);
static bool is_copy(const struct fragment *below, const struct ipv4_packet *fragment);
static bool contradicts(const struct datagram *d, const struct fragment *below,
                        const struct ipv4_packet *fragment);
static void spoil(struct reassembly *r, struct datagram *d);
static enum drop insert(struct reassembly *r, struct datagram *d, struct fragment *below,
                        const struct ipv4_packet *fragment);
static void note_header(struct datagram *d, const struct ipv4_packet *fragment);
static bool is_complete(const struct datagram *d);
static enum drop join(struct reassembly *r, struct datagram *d, struct ipv4_packet *whole);
static void leave_list(struct reassembly *r, struct datagram *d);
static void free_fragments(struct reassembly *r, struct datagram *d);
static void free_datagram(struct reassembly *r, struct datagram *d);

struct reassembly *reassembly_new(size_t max_bytes, uint64_t timeout_us)
{
    struct reassembly *r = calloc(1, sizeof *r);

    if (r == NULL)
        return NULL;
    r->max_bytes = max_bytes;
    r->timeout_us = timeout_us;
    return r;
}

void reassembly_count_in(struct reassembly *r, struct memory *memory)
{
    r->memory = memory;
}

void reassembly_free(struct reassembly *r)
{
    if (r == NULL)
        return;
    while (reassembly_discard_oldest(r))
        ;
    memory_give(r->memory, r->whole, IPV4_PACKET_MAX_BYTES);
    free(r);
}

enum drop reassembly_add(struct reassembly *r, const struct ipv4_packet *fragment, uint64_t now_us,
                         struct ipv4_packet *whole, bool *complete)
{
    *complete = false;
    release_lent(r);
    if (!is_well_formed(fragment))
        return DROP_FRAGMENT_MALFORMED;

    struct datagram *d = find(r, fragment);
    if (d != NULL && d->is_spoiled)
        return DROP_FRAGMENT_OVERLAP;
    struct fragment *below = d == NULL ? NULL : neighbour_below(d, fragment->fragment_offset_bytes);
    if (is_copy(below, fragment))
        return DROP_FRAGMENT_OVERLAP;
    if (d != NULL && contradicts(d, below, fragment)) {
        spoil(r, d);
        return DROP_FRAGMENT_OVERLAP;
    }
    if (!has_room(r, d, fragment->payload.len))
        return DROP_FRAGMENT_MEMORY;
    if (d == NULL)
        d = begin(r, fragment, now_us);
    if (d == NULL || insert(r, d, below, fragment) != DROP_NOT)
        return DROP_FRAGMENT_MEMORY;
    if (!is_complete(d))
        return DROP_NOT;
    *complete = join(r, d, whole) == DROP_NOT;
    return *complete ? DROP_NOT : DROP_FRAGMENT_MEMORY;
}

bool reassembly_discard_oldest(struct reassembly *r)
{
    release_lent(r);
    if (r->oldest == NULL)
        return false;
    struct datagram *d = r->oldest;
    leave_list(r, d);
    free_datagram(r, d);
    return true;
}

bool reassembly_expire(struct reassembly *r, uint64_t now_us, struct ipv4_packet *first)
{
    *first = (struct ipv4_packet){0};
    release_lent(r);
    while (r->oldest != NULL && r->oldest->deadline_us <= now_us) {
        struct datagram *d = r->oldest;
        leave_list(r, d);
        r->lent = d;
        if (d->is_spoiled) { /* its loss has been told when it happened */
            release_lent(r);
            continue;
        }
        if (d->first != NULL && d->first->start == 0) {
            *first = d->header;
            first->payload = (struct bytes){d->first->data, d->first->end};
        }
        return true;
    }
    return false;
}

uint64_t reassembly_next_deadline_us(const struct reassembly *r)
{
    return r->oldest == NULL ? UINT64_MAX : r->oldest->deadline_us;
}

size_t reassembly_used_bytes(const struct reassembly *r)
{
    return r->used_bytes;
}

static void release_lent(struct reassembly *r)
{
    if (r->lent != NULL)
        free_datagram(r, r->lent);
    r->lent = NULL;
}

/* Every fragment but the last carries a multiple of 8 bytes; together they stay within the length
 * that an IP header can express (the "ping of death" did not). */
static bool is_well_formed(const struct ipv4_packet *fragment)
{
    size_t len = fragment->payload.len;
    size_t end = fragment->fragment_offset_bytes + len;

    if (len == 0 || (fragment->more_fragments && len % 8 != 0))
        return false;
    return end + IPV4_HEADER_BYTES + fragment->options.len <= IPV4_PACKET_MAX_BYTES;
}

static struct datagram *find(const struct reassembly *r, const struct ipv4_packet *fragment)
{
    struct datagram *d = r->oldest;

    while (d != NULL &&
           !(d->id == fragment->id && d->protocol == fragment->protocol &&
             ip_addr_equal(&d->src, &fragment->src) && ip_addr_equal(&d->dst, &fragment->dst)))
        d = d->next;
    return d;
}

static bool has_room(const struct reassembly *r, const struct datagram *d, size_t payload_bytes)
{
    size_t wanted = sizeof(struct fragment) + payload_bytes;

    if (d == NULL) {
        if (r->datagram_count >= REASSEMBLY_DATAGRAMS_MAX)
            return false;
        wanted += sizeof *d;
    }
    return wanted <= r->max_bytes - r->used_bytes && memory_allows(r->memory, wanted);
}

static struct datagram *begin(struct reassembly *r, const struct ipv4_packet *fragment,
                              uint64_t now_us)
{
    struct datagram *d = memory_take(r->memory, sizeof *d);

    if (d == NULL)
        return NULL;
    *d = (struct datagram){0};
    d->src = fragment->src;
    d->dst = fragment->dst;
    d->id = fragment->id;
    d->protocol = fragment->protocol;
    d->deadline_us = now_us + r->timeout_us;
    if (r->youngest != NULL)
        r->youngest->next = d;
    else
        r->oldest = d;
    r->youngest = d;
    r->datagram_count++;
    r->used_bytes += sizeof *d;
    return d;
}

/* The last fragment that starts at or before `start`. Searched from the end, because fragments
 * mostly come in order. */
static struct fragment *neighbour_below(const struct datagram *d, size_t start)
{
    struct fragment *f = d->last;

    while (f != NULL && f->start > start)
        f = f->previous;
    return f;
}

static bool is_copy(const struct fragment *below, const struct ipv4_packet *fragment)
{
    size_t len = fragment->payload.len;

    return below != NULL && below->start == fragment->fragment_offset_bytes &&
           below->end - below->start == len &&
           memcmp(below->data, fragment->payload.data, len) == 0;
}

/* Does the fragment overlap a neighbour, or disagree with the others about the end? */
static bool contradicts(const struct datagram *d, const struct fragment *below,
                        const struct ipv4_packet *fragment)
{
    size_t start = fragment->fragment_offset_bytes;
    size_t end = start + fragment->payload.len;
    const struct fragment *above = below == NULL ? d->first : below->next;

    if (below != NULL && below->end > start)
        return true;
    if (above != NULL && above->start < end)
        return true;
    if (d->total_bytes > 0 && (end > d->total_bytes || !fragment->more_fragments))
        return true;
    return !fragment->more_fragments && d->last != NULL && d->last->end > end;
}

static void spoil(struct reassembly *r, struct datagram *d)
{
    free_fragments(r, d);
    d->is_spoiled = true;
}

static enum drop insert(struct reassembly *r, struct datagram *d, struct fragment *below,
                        const struct ipv4_packet *fragment)
{
    size_t len = fragment->payload.len;
    struct fragment *f = memory_take(r->memory, sizeof *f + len);

    if (f == NULL)
        return DROP_FRAGMENT_MEMORY;
    f->start = fragment->fragment_offset_bytes;
    f->end = f->start + len;
    memcpy(f->data, fragment->payload.data, len);
    f->previous = below;
    f->next = below == NULL ? d->first : below->next;
    *(f->previous == NULL ? &d->first : &f->previous->next) = f;
    *(f->next == NULL ? &d->last : &f->next->previous) = f;
    r->used_bytes += sizeof *f + len;
    d->held_bytes += len;
    note_header(d, fragment);
    return DROP_NOT;
}

/* The datagram's header is that of its first fragment (RFC 791 3.2); its length comes from the
 * last. */
static void note_header(struct datagram *d, const struct ipv4_packet *fragment)
{
    if ((fragment->tos & ECN_CE) == ECN_CE)
        d->is_marked = true;
    if (!fragment->more_fragments)
        d->total_bytes = fragment->fragment_offset_bytes + fragment->payload.len;
    if (fragment->fragment_offset_bytes != 0)
        return;
    d->header = *fragment;
    d->header.payload = (struct bytes){NULL, 0};
    d->header.options = bytes_first(fragment->options, sizeof d->options);
    if (d->header.options.len > 0)
        memcpy(d->options, fragment->options.data, d->header.options.len);
    d->header.options.data = d->options;
}

static bool is_complete(const struct datagram *d)
{
    return d->total_bytes > 0 && d->held_bytes == d->total_bytes;
}

static enum drop join(struct reassembly *r, struct datagram *d, struct ipv4_packet *whole)
{
    leave_list(r, d);
    r->lent = d; /* its options are borrowed too */
    if (r->whole == NULL)
        r->whole = memory_take(r->memory, IPV4_PACKET_MAX_BYTES);
    if (r->whole == NULL)
        return DROP_FRAGMENT_MEMORY;
    for (const struct fragment *f = d->first; f != NULL; f = f->next)
        memcpy(r->whole + f->start, f->data, f->end - f->start);
    *whole = d->header;
    whole->payload = (struct bytes){r->whole, d->total_bytes};
    whole->more_fragments = false;
    if (d->is_marked)
        whole->tos |= ECN_CE;
    return DROP_NOT;
}

static void leave_list(struct reassembly *r, struct datagram *d)
{
    struct datagram *before = NULL;

    for (struct datagram *at = r->oldest; at != d; at = at->next)
        before = at;
    *(before == NULL ? &r->oldest : &before->next) = d->next;
    if (r->youngest == d)
        r->youngest = before;
    d->next = NULL;
    r->datagram_count--;
}

static void free_fragments(struct reassembly *r, struct datagram *d)
{
    while (d->first != NULL) {
        struct fragment *f = d->first;
        d->first = f->next;
        size_t bytes = sizeof *f + (f->end - f->start);
        r->used_bytes -= bytes;
        memory_give(r->memory, f, bytes);
    }
    d->last = NULL;
    d->held_bytes = 0;
}

static void free_datagram(struct reassembly *r, struct datagram *d)
{
    free_fragments(r, d);
    r->used_bytes -= sizeof *d;
    memory_give(r->memory, d, sizeof *d);
}
