/* Packets for the tests of the view, built by the stack's own emitters. */
#ifndef TUNTCP_TESTS_PACKETS_H
#define TUNTCP_TESTS_PACKETS_H

#include <string.h>

#include "../../../stack/packet.h"
#include "../../../stack/wire/checksum.h"

enum { PACKET_BYTES = 4096 };

struct packet {
    uint8_t memory[PACKET_BYTES];
    size_t header_bytes;
    size_t len;
};

/* A client, 10.0.0.2, and a server, 142.250.196.142; the initial numbers lie just below 2^32. */
enum { CLIENT_PORT = 53747 };

static const uint32_t client_iss = 0xfffffff0;
static const uint32_t server_iss = 0xffffffe0;

static inline struct ip_addr end_address(bool is_client)
{
    return ip_addr_from_v4(is_client ? 0x0a000002 : 0x8efac48e);
}

/* A segment from one of them; `seq` and `ack` are relative. */
static inline struct packet segment(bool from_client, uint16_t server_port, uint8_t flags,
                                    uint32_t seq, uint32_t ack, uint16_t wnd, const char *text,
                                    const struct tcp_options *options)
{
    struct packet p = {0};
    uint32_t our_iss = from_client ? client_iss : server_iss;
    uint32_t their_iss = from_client ? server_iss : client_iss;
    struct tcp_segment seg = {
        .src_port = from_client ? CLIENT_PORT : server_port,
        .dst_port = from_client ? server_port : CLIENT_PORT,
        .seq = our_iss + seq,
        .ack = (flags & TCP_ACK) != 0 ? their_iss + ack : 0,
        .wnd = wnd,
        .flags = flags,
    };
    struct ipv4_packet ip = {.src = end_address(from_client),
                             .dst = end_address(!from_client),
                             .ttl = 64,
                             .protocol = IP_PROTOCOL_TCP,
                             .id = 7,
                             .dont_fragment = true};
    uint8_t tcp[TCP_HEADER_MAX_BYTES];
    struct checksum sum = {0};
    struct bytes payload = {(const uint8_t *)text, strlen(text)};

    if (options != NULL)
        seg.options = *options;
    size_t tcp_bytes = tcp_emit(&seg, TCP_SYN_STYLE_MACOS, tcp);
    checksum_add_pseudo(&sum, &ip.src, &ip.dst, IP_PROTOCOL_TCP, tcp_bytes + payload.len);
    checksum_add(&sum, (struct bytes){tcp, tcp_bytes});
    checksum_add(&sum, payload);
    struct writer field = writer_of(tcp + TCP_CHECKSUM_OFFSET, 2);
    write_u16(&field, checksum_finish(&sum));
    size_t ip_bytes = ipv4_emit(&ip, tcp_bytes + payload.len, p.memory, sizeof p.memory);
    struct writer w = writer_of(p.memory + ip_bytes, sizeof p.memory - ip_bytes);
    write_bytes(&w, (struct bytes){tcp, tcp_bytes});
    write_bytes(&w, payload);
    p.header_bytes = ip_bytes + tcp_bytes;
    p.len = p.header_bytes + payload.len;
    return p;
}

static inline struct bytes packet_bytes(const struct packet *p)
{
    return (struct bytes){p->memory, p->len};
}

#endif
