/* A simulated link, one direction of it.
 *
 * What happens to a packet, in this order:
 *
 *     link_send()  --> rules (blackhole, the n-th SYN, ...)   dropped: lost
 *                  --> rate: a queue in front of the sender   no room: queue_full; long: marked
 *                  --> loss, bursts of loss                   lost, but it has used the rate
 *                  --> perhaps a second copy                  duplicated
 *                  --> delay + jitter, perhaps held back      reordered, or all behind it wait too
 *                  --> perhaps one bit flipped                corrupted
 *     heap of packets under way, the earliest arrival on top
 *                  --> link_receive()                         delivered
 *
 * The queue is kept as a time, not as a list: `busy_until_ns` is when the last bit accepted so far
 * leaves the sender, and a queue of so many bytes is a wait of at most `queue_ns`. Nanoseconds, so
 * that fast links do not lose a fraction of a microsecond with each packet.
 *
 * Invariants: packets that are not held back arrive in the order in which they were sent (jitter
 * stretches, it does not reorder); equal times keep the order of sending; the bytes under way never
 * pass UNDER_WAY_MAX_BYTES. All that is random is drawn from one generator in the order of the
 * packets, so that a seed and a list of packets determine everything.
 *
 * The burst model is Gilbert's: two states, good and bad; in the bad one everything is lost. It
 * counts packets, and a sender that backs off would meet the same burst minutes later: so a burst
 * also ends when nothing has been sent for BURST_PAUSE_US. */
#include "link.h"

#include <stdlib.h>
#include <string.h>

enum {
    UNDER_WAY_MAX_BYTES = 64 * 1024 * 1024,
    QUEUE_DEFAULT_BYTES = 256 * 1024,
    REORDER_DEFAULT_US = 5000,
    HOLD_DEFAULT_US = 1000000,
    BURST_PAUSE_US = 100000,
};

static const double BURST_LEAVE_DEFAULT = 0.3;

struct entry {
    uint64_t at_us;
    uint64_t order; /* of sending, between equal times */
    uint8_t *data;
    size_t len;
    bool checksum_ok;
    uint32_t segment_bytes;
};

struct link {
    struct link_config config;
    struct link_counters counters;
    uint64_t random_state;
    uint64_t busy_until_ns; /* when the sender has sent what was accepted so far */
    uint64_t queue_ns;      /* how long the whole queue takes */
    uint64_t last_at_us;    /* arrival of the last packet that keeps the order */
    uint64_t order_count;
    bool in_burst;
    uint64_t burst_packet_us;                             /* when the burst met its last packet */
    unsigned syn_count, data_count, any_count, udp_count; /* seen so far, for the masks */
    unsigned held_count;                                  /* the same for hold_data_mask */
    struct entry *heap; /* heap[i] is not later than heap[2i+1] and heap[2i+2] */
    size_t heap_count, heap_room;
    size_t under_way_bytes;
    uint8_t *taken; /* what the last link_receive() lent */
};

struct kind {
    bool is_syn, is_data, is_udp;
};

static bool is_ruled_out(struct link *link, struct bytes packet);
static bool is_too_long(const struct link *link, const struct link_packet *packet);
static bool pass_queue(struct link *link, size_t len, uint64_t now_us, uint64_t *left_us);
static bool is_queue_long(const struct link *link, uint64_t now_us);
static uint64_t held_us(struct link *link, struct bytes packet);
static void mark(struct link *link, struct entry *entry);
static bool is_lost(struct link *link, uint64_t now_us);
static void deliver_later(struct link *link, const struct link_packet *packet, uint64_t left_us,
                          bool is_to_be_marked);
static bool heap_push(struct link *link, struct entry entry);
static struct entry heap_pop(struct link *link);

/* splitmix64 (Steele, Lea and Flood, 2014). */
uint64_t link_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct link *link_new(const struct link_config *config, uint64_t seed)
{
    struct link *link = calloc(1, sizeof *link);

    if (link == NULL)
        return NULL;
    link->config = *config;
    link->random_state = seed;
    if (link->config.queue_bytes == 0)
        link->config.queue_bytes = QUEUE_DEFAULT_BYTES;
    if (link->config.queue_bytes > LINK_QUEUE_MAX_BYTES)
        link->config.queue_bytes = LINK_QUEUE_MAX_BYTES;
    if (link->config.reorder_us == 0)
        link->config.reorder_us = REORDER_DEFAULT_US;
    if (link->config.hold_us == 0)
        link->config.hold_us = HOLD_DEFAULT_US;
    if (link->config.burst_leave <= 0)
        link->config.burst_leave = BURST_LEAVE_DEFAULT;
    if (config->rate_bits_per_s > 0)
        link->queue_ns = link->config.queue_bytes * 8000000000ull / config->rate_bits_per_s;
    return link;
}

void link_free(struct link *link)
{
    if (link == NULL)
        return;
    for (size_t i = 0; i < link->heap_count; i++)
        free(link->heap[i].data);
    free(link->heap);
    free(link->taken);
    free(link);
}

static bool chance(struct link *link, double probability)
{
    if (probability <= 0)
        return false;
    return (double)(link_random(&link->random_state) >> 11) * 0x1p-53 < probability;
}

void link_send(struct link *link, const struct link_packet *packet, uint64_t now_us)
{
    uint64_t left_us;

    link->counters.sent++;
    if (is_ruled_out(link, packet->bytes) || is_too_long(link, packet)) {
        link->counters.lost++;
        return;
    }
    if (!pass_queue(link, packet->bytes.len, now_us, &left_us)) {
        link->counters.queue_full++;
        return;
    }
    if (is_lost(link, now_us)) {
        link->counters.lost++;
        return;
    }
    left_us += held_us(link, packet->bytes);
    bool twice = chance(link, link->config.duplicate);
    bool is_long = is_queue_long(link, now_us);
    deliver_later(link, packet, left_us, is_long);
    if (twice) {
        link->counters.duplicated++;
        deliver_later(link, packet, left_us, is_long);
    }
}

bool link_receive(struct link *link, struct link_packet *packet, uint64_t now_us)
{
    free(link->taken);
    link->taken = NULL;
    if (link->heap_count == 0 || link->heap[0].at_us > now_us)
        return false;
    struct entry entry = heap_pop(link);
    link->taken = entry.data;
    link->counters.delivered++;
    *packet = (struct link_packet){
        .bytes = {entry.data, entry.len},
        .checksum_ok = entry.checksum_ok,
        .segment_bytes = entry.segment_bytes,
    };
    return true;
}

void link_set_mtu(struct link *link, size_t mtu_bytes)
{
    link->config.mtu_bytes = mtu_bytes;
}

uint64_t link_next_us(const struct link *link)
{
    return link->heap_count > 0 ? link->heap[0].at_us : UINT64_MAX;
}

const struct link_counters *link_counters(const struct link *link)
{
    return &link->counters;
}

/* ---- what happens to one packet ---- */

static struct kind kind_of(struct bytes packet)
{
    struct kind kind = {0};
    struct ipv4_packet ip;
    struct tcp_segment seg;

    if (ipv4_parse(packet, true, &ip) != DROP_NOT || ip.fragment_offset_bytes > 0)
        return kind;
    kind.is_udp = ip.protocol == IP_PROTOCOL_UDP;
    if (ip.protocol == IP_PROTOCOL_TCP && tcp_parse(ip.payload, &seg) == DROP_NOT) {
        kind.is_syn = (seg.flags & TCP_SYN) != 0;
        kind.is_data = seg.payload.len > 0;
    }
    return kind;
}

/* Is this, the next of its kind, one of the mask's? */
static bool is_chosen(uint64_t mask, unsigned *count)
{
    unsigned n = *count;

    if (n < LINK_MASK_BITS)
        *count = n + 1;
    return n < LINK_MASK_BITS && (mask >> n & 1) != 0;
}

static bool is_ruled_out(struct link *link, struct bytes packet)
{
    const struct link_config *config = &link->config;
    bool is_out = config->blackhole;

    if (is_chosen(config->drop_any_mask, &link->any_count))
        is_out = true;
    if ((config->drop_syn_mask | config->drop_data_mask | config->drop_udp_mask) == 0)
        return is_out;
    struct kind kind = kind_of(packet);
    if (kind.is_syn && is_chosen(config->drop_syn_mask, &link->syn_count))
        is_out = true;
    if (kind.is_data && is_chosen(config->drop_data_mask, &link->data_count))
        is_out = true;
    if (kind.is_udp && is_chosen(config->drop_udp_mask, &link->udp_count))
        is_out = true;
    return is_out;
}

/* Of a packet that a device will cut, the pieces count: each has the whole header. */
static bool is_too_long(const struct link *link, const struct link_packet *packet)
{
    size_t len = packet->bytes.len, mtu_bytes = link->config.mtu_bytes;
    struct ipv4_packet ip;
    struct tcp_segment seg;

    if (mtu_bytes == 0 || len <= mtu_bytes)
        return false;
    if (packet->segment_bytes > 0 && ipv4_parse(packet->bytes, true, &ip) == DROP_NOT &&
        tcp_parse(ip.payload, &seg) == DROP_NOT)
        len += packet->segment_bytes - seg.payload.len;
    return len > mtu_bytes;
}

/* Wait behind what is already queued. A packet that meets an idle sender always passes, so that a
 * queue smaller than a packet is not a blackhole. *left_us: when its last bit has left. */
static bool pass_queue(struct link *link, size_t len, uint64_t now_us, uint64_t *left_us)
{
    uint64_t now_ns = now_us * 1000;

    *left_us = now_us;
    if (link->config.rate_bits_per_s == 0)
        return true;
    uint64_t send_ns = len * 8000000000ull / link->config.rate_bits_per_s;
    if (link->busy_until_ns <= now_ns)
        link->busy_until_ns = now_ns;
    else if (link->busy_until_ns - now_ns + send_ns > link->queue_ns)
        return false;
    link->busy_until_ns += send_ns;
    *left_us = (link->busy_until_ns + 999) / 1000;
    return true;
}

/* More than mark_bytes wait, this packet included. */
static bool is_queue_long(const struct link *link, uint64_t now_us)
{
    uint64_t waiting_ns =
        link->busy_until_ns > now_us * 1000 ? link->busy_until_ns - now_us * 1000 : 0;
    uint64_t limit_ns = link->queue_ns / link->config.queue_bytes * link->config.mark_bytes;

    return link->config.mark_bytes > 0 && waiting_ns > limit_ns;
}

static bool is_lost(struct link *link, uint64_t now_us)
{
    if (link->in_burst && now_us > link->burst_packet_us + BURST_PAUSE_US)
        link->in_burst = false;
    if (!link->in_burst)
        link->in_burst = chance(link, link->config.burst_enter);
    bool lost_in_burst = link->in_burst;
    link->burst_packet_us = now_us;
    if (link->in_burst && chance(link, link->config.burst_leave))
        link->in_burst = false;
    return chance(link, link->config.loss) || lost_in_burst;
}

static uint64_t arrival_us(struct link *link, uint64_t left_us)
{
    uint64_t at_us = left_us + link->config.delay_us;

    if (link->config.jitter_us > 0)
        at_us += link_random(&link->random_state) % (link->config.jitter_us + 1);
    if (chance(link, link->config.reorder)) {
        link->counters.reordered++;
        return at_us + link->config.reorder_us; /* and nobody waits for it */
    }
    if (at_us < link->last_at_us)
        at_us = link->last_at_us;
    link->last_at_us = at_us;
    return at_us;
}

/* RFC 3168 5: ECT(0) or ECT(1) becomes CE. */
static void mark(struct link *link, struct entry *entry)
{
    enum { ECN_MASK = 3, ECN_CE = 3 };
    struct ipv4_packet ip;
    uint8_t header[IPV4_HEADER_MAX_BYTES];

    if (ipv4_parse((struct bytes){entry->data, entry->len}, false, &ip) != DROP_NOT ||
        (ip.tos & ECN_MASK) == 0 || (ip.tos & ECN_MASK) == ECN_CE)
        return;
    ip.tos |= ECN_CE;
    size_t len = ipv4_emit(&ip, ip.payload.len, header, sizeof header);
    if (len > 0 && len <= entry->len)
        memcpy(entry->data, header, len);
    link->counters.marked++;
}

/* This packet is held back, and all that follow wait behind it: the path has moved, or a queue on
 * it has stood still. */
static uint64_t held_us(struct link *link, struct bytes packet)
{
    if (link->config.hold_data_mask == 0 || !kind_of(packet).is_data ||
        !is_chosen(link->config.hold_data_mask, &link->held_count))
        return 0;
    return link->config.hold_us;
}

static void flip_one_bit(struct link *link, struct entry *entry)
{
    uint64_t bit = link_random(&link->random_state) % (entry->len * 8);

    entry->data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    entry->checksum_ok = false;
    link->counters.corrupted++;
}

static void deliver_later(struct link *link, const struct link_packet *packet, uint64_t left_us,
                          bool is_to_be_marked)
{
    struct entry entry = {
        .at_us = arrival_us(link, left_us),
        .order = link->order_count++,
        .len = packet->bytes.len,
        .checksum_ok = packet->checksum_ok,
        .segment_bytes = packet->segment_bytes,
    };

    entry.data = malloc(entry.len > 0 ? entry.len : 1);
    if (entry.data == NULL) {
        link->counters.queue_full++;
        return;
    }
    if (entry.len > 0)
        memcpy(entry.data, packet->bytes.data, entry.len);
    if (is_to_be_marked)
        mark(link, &entry);
    if (entry.len > 0 && chance(link, link->config.corrupt))
        flip_one_bit(link, &entry);
    if (!heap_push(link, entry)) {
        link->counters.queue_full++;
        free(entry.data);
    }
}

/* ---- the packets under way: a binary heap ---- */

static size_t cost_of(const struct entry *entry)
{
    return entry->len + sizeof *entry;
}

static bool is_earlier(const struct entry *a, const struct entry *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static bool heap_has_room(struct link *link)
{
    if (link->heap_count < link->heap_room)
        return true;
    size_t room = link->heap_room > 0 ? 2 * link->heap_room : 16;
    struct entry *heap = realloc(link->heap, room * sizeof *heap);
    if (heap == NULL)
        return false;
    link->heap = heap;
    link->heap_room = room;
    return true;
}

static bool heap_push(struct link *link, struct entry entry)
{
    if (link->under_way_bytes + cost_of(&entry) > UNDER_WAY_MAX_BYTES || !heap_has_room(link))
        return false;
    link->under_way_bytes += cost_of(&entry);
    size_t i = link->heap_count++;
    while (i > 0 && is_earlier(&entry, &link->heap[(i - 1) / 2])) {
        link->heap[i] = link->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    link->heap[i] = entry;
    return true;
}

static struct entry heap_pop(struct link *link)
{
    struct entry *heap = link->heap;
    struct entry top = heap[0];
    struct entry last = heap[--link->heap_count];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= link->heap_count)
            break;
        if (child + 1 < link->heap_count && is_earlier(&heap[child + 1], &heap[child]))
            child++;
        if (!is_earlier(&heap[child], &last))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    link->under_way_bytes -= cost_of(&top);
    return top;
}
