/* A simulated link, one direction of it: delay, jitter, rate with a bounded queue, loss, bursts of
 * loss, reordering, duplication, corruption; and rules such as "drop the first SYN". Everything
 * random comes from a seed: the same seed and the same packets give the same outcome, byte for
 * byte. Pure: no system call, no clock. It stands between two stacks in tests, between the lab's
 * hosts, and in front of a real TUN device (--impair). */
#ifndef TUNTCP_LINK_H
#define TUNTCP_LINK_H

#include "../stack/packet.h"

enum {
    LINK_QUEUE_MAX_BYTES = 64 * 1024 * 1024,
    LINK_MASK_BITS = 64, /* packets that can be told by their number */
};

struct link_config {
    uint64_t delay_us;
    uint64_t jitter_us;       /* up to this much more, uniformly; order is kept (see reorder) */
    uint64_t rate_bits_per_s; /* 0: unlimited */
    size_t queue_bytes;       /* waiting for the rate; 0: 256 KiB; more are dropped */
    double loss;              /* probabilities, 0..1 */
    double burst_enter;       /* per packet: a burst of loss begins (Gilbert model) ... */
    double burst_leave;       /* ... and ends, at the latest in a pause of 100 ms; 0: as 0.3 */
    double reorder;           /* this packet is held back by reorder_us ... */
    uint64_t reorder_us;      /* ... so that later ones overtake it; 0: 5 ms */
    double duplicate;
    double corrupt; /* one random bit is flipped */
    /* Deterministic loss, for scenarios and tests: bit n drops the n-th packet (from 0) that ... */
    uint64_t drop_syn_mask;  /* ... is a TCP segment with SYN */
    uint64_t drop_data_mask; /* ... is a TCP segment with payload */
    uint64_t drop_any_mask;  /* ... is any packet */
    uint64_t drop_udp_mask;  /* ... is a UDP datagram */
    uint64_t hold_data_mask; /* bit n holds the n-th data segment, and all behind it, ... */
    uint64_t hold_us;        /* ... by so much; 0: 1 s */
    size_t mark_bytes; /* ECN, RFC 3168: mark what is capable when more than this waits; 0: no */
    size_t mtu_bytes;  /* longer packets vanish, and no router says so; 0: all lengths pass */
    bool blackhole;    /* nothing passes */
};

/* Read a description such as "loss 5% delay 50ms jitter 2ms rate 10mbit queue 64kb reorder 1%
 * reorder-by 5ms duplicate 0.5% corrupt 0.1% burst 1% burst-end 30% drop-syn 1 drop-data 3,4
 * drop-udp 1 drop-any 2-5 hold-data 3 hold-by 2s mark 16kb mtu 576b blackhole". Packets are counted
 * from 1 in the text. Times are in us, ms or s; rates in bit, kbit, mbit or gbit; sizes in b, kb or
 * mb. What the text names replaces what *config holds (packet numbers are added to it), the rest
 * stays. Returns true; or false with one line in `error` that names the word and what is expected,
 * and *config as it was. */
bool link_config_parse(const char *text, struct link_config *config, char *error, size_t room);
/* The same description back: what a scenario does, for people. Returns `text`. */
const char *link_config_format(const struct link_config *config, char *text, size_t room);

struct link;
struct link_packet {
    struct bytes bytes;
    bool checksum_ok;
    uint32_t segment_bytes;
};

struct link_counters {
    uint64_t sent, delivered, lost, queue_full, duplicated, reordered, corrupted, marked;
};

struct link *link_new(const struct link_config *config, uint64_t seed); /* NULL: memory */
void link_free(struct link *link);
/* Put a packet in at `now_us`; it is copied. */
void link_send(struct link *link, const struct link_packet *packet, uint64_t now_us);
/* Take out the next packet that has arrived by `now_us`; its bytes are valid until the next call.
 * False when there is none. */
bool link_receive(struct link *link, struct link_packet *packet, uint64_t now_us);
/* From now on longer packets vanish; 0: none. */
void link_set_mtu(struct link *link, size_t mtu_bytes);
/* When the next packet arrives; UINT64_MAX: nothing is under way. */
uint64_t link_next_us(const struct link *link);
const struct link_counters *link_counters(const struct link *link);

/* The generator behind it (splitmix64): the next 64 random bits of *state. For seeded callbacks. */
uint64_t link_random(uint64_t *state);

#endif
