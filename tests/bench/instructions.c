/* A small program that does one thing N times, for valgrind to count instructions: the count does
 * not depend on how busy the machine is. Two runs with different N give what one more costs.
 *
 *   instructions receive|send|ack|super|request N
 *
 *   receive  N segments of 1448 bytes arrive in order and are read; an ACK leaves after two
 *   send     N segments are written and leave
 *   ack      the same, and each is acknowledged by a pure ACK of its own
 *   super    N super-segments of 44 MSS arrive in order, merged by the device, and are read; an ACK
 *            leaves after each
 *   request  N connections come, one behind the other: a byte each way, and the peer closes first
 *
 * Checksums are the device's. The peer is no second stack, whose instructions would count as well,
 * but a header in which the numbers are replaced. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../stack/stack.h"
#include "../../stack/tcp/tcp.h"
#include "../../stack/wire/tcp_segment.h"

enum {
    MSS_BYTES = 1448,
    SUPER_BYTES = 44 * MSS_BYTES,
    PORT = 5001,
    PEER_PORT = 40000,
    PEER_ISS = 1000,
    US = 0x0a000002,
    PEER = 0x0a000001,
    WINDOW_SEGMENTS = 10000,
};

struct peer {
    struct stack *stack;
    struct tcb *listener, *tcb;
    uint16_t port;
    uint32_t seq, ack, tsval;
    uint64_t now_us;
    size_t packet_bytes;
};

static uint8_t packet[1 << 16], block[1 << 16];

static bool open_peer(struct peer *peer);
static void receive(struct peer *peer, unsigned long count, size_t len);
static void send_all(struct peer *peer, unsigned long count, bool acks);
static void serve(struct peer *peer, unsigned long count);

int main(int argc, char **argv)
{
    struct peer peer = {.seq = PEER_ISS, .port = PEER_PORT};

    if (argc != 3 || !open_peer(&peer)) {
        fprintf(stderr, "usage: instructions receive|send|ack|super|request N\n");
        return 2;
    }
    unsigned long count = strtoul(argv[2], NULL, 10);
    if (strcmp(argv[1], "receive") == 0)
        receive(&peer, count, MSS_BYTES);
    else if (strcmp(argv[1], "super") == 0)
        receive(&peer, count, SUPER_BYTES);
    else if (strcmp(argv[1], "request") == 0)
        serve(&peer, count);
    else
        send_all(&peer, count, strcmp(argv[1], "ack") == 0);
    stack_free(peer.stack);
    return EXIT_SUCCESS;
}

static uint64_t draw(void *context)
{
    return *(uint64_t *)context += 0x9e3779b97f4a7c15;
}

/* Put a packet of the peer's into `packet`. */
static void write_packet(struct peer *peer, uint8_t flags, size_t len)
{
    struct tcp_segment seg = {.src_port = peer->port,
                              .dst_port = PORT,
                              .seq = peer->seq,
                              .ack = peer->ack,
                              .flags = flags,
                              .wnd = 65535};
    struct ipv4_packet ip = {.src = ip_addr_from_v4(PEER),
                             .dst = ip_addr_from_v4(US),
                             .ttl = 64,
                             .protocol = IP_PROTOCOL_TCP};
    uint8_t header[TCP_HEADER_MAX_BYTES];

    seg.options.has_timestamps = true;
    seg.options.tsval = 1;
    seg.options.tsecr = peer->tsval;
    if ((flags & TCP_SYN) != 0) {
        seg.options.has_mss = true;
        seg.options.mss = 1460;
        seg.options.has_window_scale = true;
        seg.options.window_scale = 10;
        seg.options.sack_permitted = true;
    }
    size_t tcp_bytes = tcp_emit(&seg, TCP_SYN_STYLE_LINUX, header);
    size_t ip_bytes = ipv4_emit(&ip, tcp_bytes + len, packet, sizeof packet);
    memcpy(packet + ip_bytes, header, tcp_bytes);
    peer->packet_bytes = ip_bytes + tcp_bytes + len;
}

/* The packet once more, with the numbers of now. */
static void say(struct peer *peer, size_t len)
{
    struct writer w = writer_of(packet + IPV4_HEADER_BYTES + 4, 8);
    struct packet_in in = {.bytes = {packet, peer->packet_bytes},
                           .checksum_ok = true,
                           .segment_bytes = len > MSS_BYTES ? MSS_BYTES : 0};

    write_u32(&w, peer->seq);
    write_u32(&w, peer->ack);
    stack_input(peer->stack, &in, peer->now_us);
    peer->seq += (uint32_t)len;
}

static unsigned long listen_to(struct peer *peer);

/* Our SYN,ACK: where the peer's acknowledgments begin, and what it echoes. Nothing is behind it,
 * and who has asked leaves a record until the peer answers, as on a device. */
static bool take_syn_ack(struct peer *peer)
{
    struct packet_out out;
    struct tcp_segment seg;

    if (!stack_output(peer->stack, &out, peer->now_us) ||
        tcp_parse(
            (struct bytes){out.header + IPV4_HEADER_BYTES, out.header_bytes - IPV4_HEADER_BYTES},
            &seg) != DROP_NOT)
        return false;
    peer->ack = seg.seq + 1;
    peer->tsval = seg.options.tsval;
    return listen_to(peer) == 0;
}

/* What leaves; how many packets. */
static unsigned long listen_to(struct peer *peer)
{
    struct packet_out out;
    unsigned long count = 0;

    while (stack_output(peer->stack, &out, peer->now_us))
        count++;
    return count;
}

/* The handshake of a connection to the listener. */
static bool connect_peer(struct peer *peer)
{
    write_packet(peer, TCP_SYN, 0);
    say(peer, 0);
    peer->seq++;
    if (!take_syn_ack(peer))
        return false;
    write_packet(peer, TCP_ACK, 0);
    say(peer, 0);
    peer->tcb = tcp_accept(peer->listener);
    return peer->tcb != NULL;
}

static bool open_peer(struct peer *peer)
{
    static uint64_t random_state;
    struct stack_config config;
    enum tcp_err error;

    stack_config_init(&config);
    config.address[0] = ip_addr_from_v4(US);
    config.address_count = 1;
    config.mtu_bytes = 1500;
    config.checksum_offload = true;
    config.random = draw;
    config.random_context = &random_state;
    config.tcp.initial_window_segments = WINDOW_SEGMENTS;
    config.tcp.send_buffer_bytes = WINDOW_SEGMENTS * MSS_BYTES;
    config.tcp.receive_buffer_bytes = 4 << 20;
    peer->stack = stack_new(&config, 0);
    if (peer->stack == NULL)
        return false;
    peer->listener = tcp_open_passive(peer->stack, NULL, PORT, NULL, &error);
    return peer->listener != NULL && connect_peer(peer);
}

static void receive(struct peer *peer, unsigned long count, size_t len)
{
    size_t received = 0;
    ptrdiff_t got;

    write_packet(peer, TCP_ACK, len);
    for (unsigned long i = 0; i < count; i++) {
        say(peer, len);
        while ((got = tcp_receive(peer->tcb, block, sizeof block)) > 0)
            received += (size_t)got;
        if (i % 2 == 1 || len > MSS_BYTES)
            listen_to(peer);
        peer->now_us += 10;
    }
    if (received != count * len)
        fprintf(stderr, "instructions: %zu of %zu bytes arrived\n", received, count * len);
}

static void send_all(struct peer *peer, unsigned long count, bool acks)
{
    unsigned long left = 0;

    for (unsigned long i = 0; i < count; i++)
        tcp_send(peer->tcb, block, MSS_BYTES);
    left = listen_to(peer);
    if (left != count)
        fprintf(stderr, "instructions: %lu of %lu segments left\n", left, count);
    for (unsigned long i = 0; acks && i < count; i++) {
        peer->now_us += 10;
        peer->ack += MSS_BYTES;
        say(peer, 0);
    }
}

/* A byte of ours has left; the peer acknowledges it with its FIN, and our FIN with the last ACK. */
static void answer_and_close(struct peer *peer)
{
    tcp_send(peer->tcb, block, 1);
    listen_to(peer);
    peer->ack++;
    write_packet(peer, TCP_FIN | TCP_ACK, 0);
    say(peer, 0);
    peer->seq++;
    while (stack_next_ready(peer->stack) != NULL)
        ;
    tcp_close(peer->tcb);
    listen_to(peer);
    peer->ack++;
    write_packet(peer, TCP_ACK, 0);
    say(peer, 0);
}

static void serve(struct peer *peer, unsigned long count)
{
    enum { PORTS = 20000 };

    for (unsigned long i = 0; i < count; i++) {
        peer->now_us += 1000;
        peer->port = (uint16_t)(PEER_PORT + 1 + i % PORTS);
        peer->seq = PEER_ISS;
        peer->ack = 0;
        if (!connect_peer(peer))
            fprintf(stderr, "instructions: connection %lu does not come about\n", i);
        write_packet(peer, TCP_ACK | TCP_PSH, 1);
        say(peer, 1);
        while (stack_next_ready(peer->stack) != NULL)
            ;
        if (tcp_receive(peer->tcb, block, sizeof block) != 1)
            fprintf(stderr, "instructions: connection %lu brings nothing\n", i);
        answer_and_close(peer);
    }
}
