/* A stack on the bench: a test builds packets with the emitters of stack/wire/, puts them in, pulls
 * what comes out, and reads the events. Time stands still until the test moves it; randomness is a
 * counter that is scrambled, the same in every run. Used by the tests of ip, udp and dns. */
#ifndef TUNTCP_TESTS_UNIT_RIG_H
#define TUNTCP_TESTS_UNIT_RIG_H

#include "../unit.h"

#include <string.h>

#include "../../../stack/instance.h"
#include "../../../stack/wire/udp.h"

enum { RIG_PACKET_BYTES = 65535 + 65535, RIG_SECOND_US = 1000000 };

struct rig {
    struct stack *stack;
    struct stack_config config;
    uint64_t now_us;
    uint64_t random_state;
    struct ip_addr us, peer;
    /* from the events */
    unsigned drops_traced[DROP_COUNT];
    const char *drop_cause;
    const char *out_cause;
    struct flow_id out_flow;
    unsigned dns_event_count;
    const char *dns_cause;
    const char *path_cause; /* of the last one about a path MTU */
    uint16_t path_mtu;
    /* the packet that was pulled last, and what is in it */
    uint8_t packet[RIG_PACKET_BYTES];
    struct ipv4_packet ip;
};

static inline uint64_t rig_random(void *context)
{
    struct rig *rig = context;
    uint64_t x = rig->random_state += 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline void rig_on_event(void *context, const struct trace_event *event)
{
    struct rig *rig = context;

    if (event->kind == TRACE_DROP) {
        rig->drops_traced[event->u.drop]++;
        rig->drop_cause = event->cause;
    }
    if (event->kind == TRACE_PACKET_OUT) {
        rig->out_cause = event->cause;
        rig->out_flow = event->flow == NULL ? (struct flow_id){0} : *event->flow;
    }
    if (event->kind == TRACE_PATH_MTU) {
        rig->path_cause = event->cause;
        rig->path_mtu = event->u.path_mtu.mtu_bytes;
    }
    if (event->kind == TRACE_DNS) {
        rig->dns_event_count++;
        rig->dns_cause = event->cause;
    }
}

static inline struct ip_addr rig_addr(const char *text)
{
    struct ip_addr addr;

    ck_assert(ip_addr_parse(text, &addr));
    return addr;
}

/* A rig whose configuration can still be changed; rig_start() makes the stack. */
static inline struct rig *rig_prepare(void)
{
    struct rig *rig = calloc(1, sizeof *rig);

    ck_assert_ptr_nonnull(rig);
    rig->us = rig_addr("10.0.0.2");
    rig->peer = rig_addr("192.0.2.1");
    rig->now_us = 5 * RIG_SECOND_US;
    stack_config_init(&rig->config);
    rig->config.address[0] = rig->us;
    rig->config.address_count = 1;
    rig->config.random = rig_random;
    rig->config.random_context = rig;
    rig->config.trace = rig_on_event;
    rig->config.trace_context = rig;
    return rig;
}

static inline void rig_start(struct rig *rig)
{
    rig->stack = stack_new(&rig->config, rig->now_us);
    ck_assert_ptr_nonnull(rig->stack);
}

static inline struct rig *rig_new(void)
{
    struct rig *rig = rig_prepare();

    rig_start(rig);
    return rig;
}

static inline void rig_free(struct rig *rig)
{
    stack_free(rig->stack);
    free(rig);
}

/* A header from the peer to us. */
static inline struct ipv4_packet rig_header(const struct rig *rig, uint8_t protocol)
{
    return (struct ipv4_packet){
        .src = rig->peer, .dst = rig->us, .ttl = 60, .protocol = protocol, .id = 0x1234};
}

/* Bytes from the device, in memory of exactly their size, so that a read beyond is noticed. */
static inline enum drop rig_in_bytes(struct rig *rig, const uint8_t *data, size_t len,
                                     bool checksum_ok)
{
    uint8_t *exact = malloc(len > 0 ? len : 1);

    if (len > 0)
        memcpy(exact, data, len);
    struct packet_in in = {.bytes = {exact, len}, .checksum_ok = checksum_ok};
    enum drop drop = stack_input(rig->stack, &in, rig->now_us);
    free(exact);
    return drop;
}

static inline enum drop rig_in_packet(struct rig *rig, const struct ipv4_packet *ip,
                                      struct bytes payload, bool checksum_ok)
{
    uint8_t *packet = malloc(RIG_PACKET_BYTES);
    size_t header_bytes = ipv4_emit(ip, payload.len, packet, RIG_PACKET_BYTES);

    ck_assert_uint_ge(header_bytes, IPV4_HEADER_BYTES);
    if (payload.len > 0)
        memcpy(packet + header_bytes, payload.data, payload.len);
    enum drop drop = rig_in_bytes(rig, packet, header_bytes + payload.len, checksum_ok);
    free(packet);
    return drop;
}

/* The payload cut into fragments of `size` bytes (a multiple of 8), given in order. Returns what
 * became of the last one. */
static inline enum drop rig_in_fragments(struct rig *rig, struct ipv4_packet ip,
                                         struct bytes payload, size_t size, bool checksum_ok)
{
    enum drop drop = DROP_NOT;

    for (size_t at = 0; at < payload.len; at += size) {
        struct bytes piece = bytes_first(bytes_skip(payload, at), size);
        ip.fragment_offset_bytes = (uint32_t)at;
        ip.more_fragments = at + size < payload.len;
        drop = rig_in_packet(rig, &ip, piece, checksum_ok);
    }
    return drop;
}

/* A UDP datagram written to `packet`; returns its length. */
static inline size_t rig_udp(const struct ip_addr *src, uint16_t src_port,
                             const struct ip_addr *dst, uint16_t dst_port, struct bytes payload,
                             uint8_t *packet, size_t room)
{
    struct udp_datagram udp = {src_port, dst_port, payload};
    size_t len = udp_emit(&udp, src, dst, packet, room);

    ck_assert_uint_eq(len, UDP_HEADER_BYTES + payload.len);
    return len;
}

static inline enum drop rig_in_udp_from(struct rig *rig, const struct ip_addr *src,
                                        uint16_t src_port, uint16_t dst_port, struct bytes payload)
{
    uint8_t *udp = malloc(UDP_HEADER_BYTES + payload.len);
    size_t len =
        rig_udp(src, src_port, &rig->us, dst_port, payload, udp, UDP_HEADER_BYTES + payload.len);
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_UDP);

    ip.src = *src;
    enum drop drop = rig_in_packet(rig, &ip, (struct bytes){udp, len}, false);
    free(udp);
    return drop;
}

static inline enum drop rig_in_udp(struct rig *rig, uint16_t src_port, uint16_t dst_port,
                                   struct bytes payload)
{
    return rig_in_udp_from(rig, &rig->peer, src_port, dst_port, payload);
}

static inline enum drop rig_in_icmp(struct rig *rig, const struct icmp_message *icmp)
{
    size_t room = ICMP_HEADER_BYTES + icmp->body.len;
    uint8_t *message = malloc(room);
    struct ipv4_packet ip = rig_header(rig, IP_PROTOCOL_ICMP);
    size_t len = icmp_emit(icmp, message, room);

    ck_assert_uint_eq(len, room);
    enum drop drop = rig_in_packet(rig, &ip, (struct bytes){message, len}, false);
    free(message);
    return drop;
}

/* Pull one packet and take its IP header apart, into rig->ip. */
static inline bool rig_out(struct rig *rig)
{
    struct packet_out out;

    if (!stack_output(rig->stack, &out, rig->now_us))
        return false;
    size_t len = packet_out_copy(&out, rig->packet, sizeof rig->packet);
    ck_assert_uint_eq(len, packet_out_bytes(&out));
    ck_assert_uint_le(len, rig->config.mtu_bytes);
    ck_assert_int_eq(ipv4_parse((struct bytes){rig->packet, len}, false, &rig->ip), DROP_NOT);
    return true;
}

/* Pull one packet that has to be an ICMP message. */
static inline struct icmp_message rig_out_icmp(struct rig *rig)
{
    struct icmp_message icmp = {0};

    ck_assert(rig_out(rig));
    ck_assert_int_eq(rig->ip.protocol, IP_PROTOCOL_ICMP);
    ck_assert_int_eq(icmp_parse(rig->ip.payload, false, &icmp), DROP_NOT);
    return icmp;
}

/* Pull one packet that has to be a UDP datagram. */
static inline struct udp_datagram rig_out_udp(struct rig *rig)
{
    struct udp_datagram udp = {0};

    ck_assert(rig_out(rig));
    ck_assert_int_eq(rig->ip.protocol, IP_PROTOCOL_UDP);
    ck_assert_int_eq(udp_parse(rig->ip.payload, &rig->ip.src, &rig->ip.dst, false, &udp), DROP_NOT);
    return udp;
}

static inline void rig_pass(struct rig *rig, uint64_t us)
{
    rig->now_us += us;
    stack_on_time(rig->stack, rig->now_us);
}

static inline uint64_t rig_drops(const struct rig *rig, enum drop drop)
{
    ck_assert_uint_eq(stack_counters(rig->stack)->drops[drop], rig->drops_traced[drop]);
    return stack_counters(rig->stack)->drops[drop];
}

/* Bytes that differ from their neighbours, so that a piece in the wrong place is noticed. */
static inline struct bytes rig_pattern(size_t len)
{
    static uint8_t pattern[65536];

    if (pattern[1] == 0) {
        for (size_t i = 0; i < sizeof pattern; i++)
            pattern[i] = (uint8_t)((i * 7 + i / 251) & 255);
    }
    ck_assert_uint_le(len, sizeof pattern);
    return (struct bytes){pattern, len};
}

static inline void rig_assert_bytes(struct bytes got, struct bytes expected)
{
    ck_assert_uint_eq(got.len, expected.len);
    if (got.len > 0)
        ck_assert_mem_eq(got.data, expected.data, got.len);
}

#endif
