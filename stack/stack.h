/* One instance of the stack: addresses, limits, and the four verbs that drive it.
 *
 *     for (;;) {
 *         wait for a packet, the application, or stack_next_deadline_us();
 *         stack_input(stack, &in, now_us);                        once per packet
 *         stack_on_time(stack, now_us);
 *         tcp_send(), tcp_receive(), ...                          the application
 *         while (stack_output(stack, &out, now_us))
 *             write it to the device;
 *     }
 *
 * Nothing else moves packets. The stack makes no system call, has no clock and no randomness of
 * its own: the same calls with the same arguments give the same packets, byte for byte. A stack is
 * used by one thread; stacks share nothing. */
#ifndef TUNTCP_STACK_H
#define TUNTCP_STACK_H

#include "packet.h"
#include "tcp/config.h"
#include "trace.h"

struct stack;
struct tcb;

#define NEVER UINT64_MAX

enum {
    STACK_ADDRESSES_MAX = 8,
    STACK_CONNECTIONS_MAX = 16000000, /* what table and wheel can number */
    STACK_GSO_MAX_BYTES = 64240, /* 44 full segments of 1460 bytes: what one IP packet can hold */
};

/* Values that the stack draws at random or computes from a secret, and that a test or a replay may
 * want to fix. */
enum stack_choice {
    CHOICE_ISS,        /* initial send sequence number, RFC 6528 */
    CHOICE_TS_OFFSET,  /* what is added to the millisecond clock for TSval, RFC 7323 5.4 */
    CHOICE_LOCAL_PORT, /* ephemeral port, RFC 6056; UDP and TCP */
    CHOICE_DNS_ID,
    CHOICE_IP_ID,
};

struct stack_config {
    struct ip_addr address[STACK_ADDRESSES_MAX]; /* ours; the first is the default source */
    unsigned address_count;
    uint16_t mtu_bytes;
    uint32_t gso_max_bytes; /* payload of one packet out; 0: never above the MSS */
    bool checksum_offload;  /* the device completes transport checksums */
    /* One of several stacks with the same addresses, each at a queue of the device: this one is at
     * `queue` of `queue_count`. Connections that we open, and udp_open_toward(), take a port whose
     * packets the device brings to it, see stack_queue(). 0: this is the only one. */
    unsigned queue, queue_count;

    uint64_t (*random)(void *context); /* 64 random bits; required */
    void *random_context;
    /* Fix a choice: store it and return true. NULL, or false: the stack chooses. */
    bool (*choose)(void *context, enum stack_choice what, uint32_t *value);
    void *choose_context;
    trace_sink *trace; /* NULL: no events */
    void *trace_context;

    /* Limits. */
    unsigned connections_max; /* TCBs and records; more are refused; to STACK_CONNECTIONS_MAX */
    /* Connections, buffers, fragments, packets that wait. Near it no connection is made (the last
     * eighth is for those that exist), and buffers and windows stop growing, the largest first;
     * each may have RING_ASSURED_BYTES whatever happens. 0: no limit. */
    size_t memory_max_bytes;
    unsigned datagram_queue_max; /* datagrams waiting in one UDP socket */
    unsigned out_queue_max;      /* packets other than TCP segments waiting to go out */
    size_t reassembly_max_bytes; /* fragments held */
    uint64_t reassembly_timeout_us;
    uint64_t path_mtu_age_us;   /* RFC 1191 6.3: what was learned of a path holds so long; 10 min */
    unsigned icmp_errors_per_s; /* ICMP errors we send */
    unsigned challenge_acks_per_s; /* RFC 5961 (7) */
    unsigned syn_cookies_per_s;    /* beyond them a SYN is answered when it comes for the second
                                      time, see tcp/syn_flood.h; 20,000; 0: all are answered */
    unsigned handshakes_awake_max; /* so many in SYN-RECEIVED, the newest, are no records yet but
                                      TCBs, 1.5 KB each; 32 */
    uint8_t ttl;
    bool ip_id_random; /* RFC 6864: atomic datagrams may carry any ID; false: 0 */

    struct tcp_config tcp; /* what new connections start with */
};

struct stack_counters {
    uint64_t packets_in;
    uint64_t packets_out;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t drops[DROP_COUNT];
    /* SYN cookies, RFC 4987: sent, brought back, and ACKs without a valid one while some were out.
     */
    uint64_t syn_cookies_sent, syn_cookies_taken, syn_cookies_failed;
};

/* Times the sum of a connection's two ports, its upper half says to which queue it belongs. */
#define STACK_QUEUE_FACTOR 0x9e3779b1u /* 2^32 / the golden ratio: neighbours lie far apart */

static inline unsigned stack_queue(uint16_t port, uint16_t other_port, unsigned queue_count)
{
    return (((uint32_t)port + other_port) * STACK_QUEUE_FACTOR >> 16) % queue_count;
}

/* Documented defaults; fill in addresses and `random` afterwards. */
void stack_config_init(struct stack_config *config);
/* NULL when memory is short or the configuration lacks an address or `random`. */
struct stack *stack_new(const struct stack_config *config, uint64_t now_us);
/* Frees the stack with all its sockets and connections; says nothing to the peers. */
void stack_free(struct stack *stack);

/* A packet from the device. Returns why it was discarded, or DROP_NOT. */
enum drop stack_input(struct stack *stack, const struct packet_in *packet, uint64_t now_us);
/* Let time pass: every deadline up to now_us fires. Cheap when none has passed. */
void stack_on_time(struct stack *stack, uint64_t now_us);
/* The next packet for the device, if there is one. Its payload borrows from the stack until the
 * next call of any kind. Returns false, with *out untouched, when there is none. */
bool stack_output(struct stack *stack, struct packet_out *out, uint64_t now_us);
/* When stack_on_time() wants to be called next, NEVER if not at all. It may be called earlier. */
uint64_t stack_next_deadline_us(const struct stack *stack);

/* A connection whose readiness changed since it was last returned (see tcp_readiness()), or NULL.
 * One loop over it serves one connection or a million. */
struct tcb *stack_next_ready(struct stack *stack);

const struct stack_counters *stack_counters(const struct stack *stack);
/* What of memory_max_bytes is in use: bytes asked of malloc(), without its own overhead. */
size_t stack_memory_bytes(const struct stack *stack);
const struct stack_config *stack_config(const struct stack *stack);
/* The time of the last verb, in the microseconds of whoever drives the stack. */
uint64_t stack_now_us(const struct stack *stack);

#endif
