/* Does a stack become slower, or fat, with the number of its connections? Two of them back to back
 * in one process, CPU time and memory alone.
 *
 *   growth [N]      up to N idle connections, 1000000 by default (about 4 GB)
 *
 * Beside 1, 1,000, 100,000 and N idle connections the same bulk goes over ACTIVE_COUNT connections,
 * by segments of one MSS; all levels exist at once and take turns, so that the machine's moods meet
 * all of them. The cost of a segment is the CPU time of both stacks, its ACK included. A lookup is
 * an ACK to an idle connection drawn at random: on a table beyond the caches it pays for them.
 *
 * Memory is what malloc() has given out (mallinfo2), so everything counts: tables, timers, slack.
 * Per idle connection it is half of what one more costs both stacks; for TIME-WAIT it is what the
 * client has when all are closed and the server is gone; for SYN-RECEIVED what half-open
 * connections from spoofed addresses cost a listener. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../stack/wire/tcp_segment.h"
#include "../../tun/link.h"
#include "common/pair.h"

enum {
    RUNS = 5,
    LEVEL_MAX = 4,
    ACTIVE_COUNT = 16,
    SEGMENTS = 20000, /* of one measurement, all connections together */
    MSS_BYTES = 1448,
    LOOKUPS = 20000,
    AT_ONCE = 1000,
    SECOND_US = 1000000,
    BATCH_US = SECOND_US / 10, /* connections that are opened between two turns */
    FIRST_PORT = 1024,
    LAST_PORT = 61023, /* 60,000 of them */
    ACTIVE_PORT = 100,
    SERVER_PORT = 5000,
    SERVER_PORTS_MAX = 8,
    HALF_OPEN_COUNT = 100000,
};

struct level {
    unsigned long idle_count;
    struct pair pair;
    struct tcb *listener[SERVER_PORTS_MAX];
    struct tcb *sender[ACTIVE_COUNT], *receiver[ACTIVE_COUNT];
    struct tcb **idle; /* the client's */
    double idle_bytes; /* each */
    double segment_ns[RUNS], lookup_ns[RUNS];
};

static const struct way way = {"segments of one MSS", 0, true};
static uint8_t block[1 << 16];
static uint64_t random_state = 1;

static bool open_level(struct level *level);
static bool measure_segments(struct level *level, double *ns);
static void measure_lookups(struct level *level, double *ns);
static double time_wait_bytes(struct level *level);
static double half_open_bytes(void);
static void print_levels(struct level *levels, unsigned count);

int main(int argc, char **argv)
{
    unsigned long most = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    static struct level levels[LEVEL_MAX] = {
        {.idle_count = 1}, {.idle_count = 1000}, {.idle_count = 100000}};
    unsigned count = 0;

    while (count < LEVEL_MAX - 1 && levels[count].idle_count < most)
        count++;
    levels[count++].idle_count = most;
    for (unsigned i = 0; i < count; i++) {
        if (open_level(&levels[i]))
            continue;
        fprintf(stderr, "growth: %lu connections could not be made\n", levels[i].idle_count);
        return EXIT_FAILURE;
    }
    for (int run = 0; run < RUNS; run++)
        for (unsigned i = 0; i < count; i++) {
            if (!measure_segments(&levels[i], &levels[i].segment_ns[run])) {
                fprintf(stderr, "growth: the bulk beside %lu connections did not arrive\n",
                        levels[i].idle_count);
                return EXIT_FAILURE;
            }
            measure_lookups(&levels[i], &levels[i].lookup_ns[run]);
        }
    print_levels(levels, count);
    printf("a connection in TIME-WAIT     %6.0f bytes\n", time_wait_bytes(&levels[count - 1]));
    for (unsigned i = 0; i < count; i++) {
        pair_close(&levels[i].pair);
        free(levels[i].idle);
    }
    printf("a connection in SYN-RECEIVED  %6.0f bytes\n", half_open_bytes());
    return EXIT_SUCCESS;
}

static void print_levels(struct level *levels, unsigned count)
{
    double segment_at_one = 0, lookup_at_one = 0;

    printf("%-20s %12s %8s %12s %8s %14s\n", "idle connections", "ns/segment", "ratio", "ns/lookup",
           "ratio", "bytes each");
    for (unsigned i = 0; i < count; i++) {
        double segment = median(levels[i].segment_ns, RUNS);
        double lookup = median(levels[i].lookup_ns, RUNS);
        if (i == 0) {
            segment_at_one = segment;
            lookup_at_one = lookup;
        }
        printf("%-20lu %12.0f %8.2f %12.0f %8.2f", levels[i].idle_count, segment,
               segment / segment_at_one, lookup, lookup / lookup_at_one);
        if (levels[i].idle_count >= 1000)
            printf(" %14.0f", levels[i].idle_bytes);
        putchar('\n');
    }
}

static double allocated_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return (double)(info.uordblks + info.hblkhd);
}

/* ---- connections */

static struct tcb *open_one(struct level *level, unsigned long number, uint16_t local_port)
{
    const unsigned ports = LAST_PORT - FIRST_PORT + 1;
    struct ip_addr from = pair_client_address((unsigned)(number / ports) % PAIR_CLIENT_ADDRESSES);
    struct ip_addr to = pair_server_address();
    unsigned long part = number / ports / PAIR_CLIENT_ADDRESSES;
    uint16_t port = local_port != 0 ? local_port : (uint16_t)(FIRST_PORT + number % ports);
    enum tcp_err error;

    return tcp_open_active(level->pair.client.stack, &from, port, &to,
                           (uint16_t)(SERVER_PORT + part), NULL, &error);
}

/* Turns until nothing moves any more: three without a packet are enough. */
static void settle(struct pair *pair)
{
    for (int i = 0; i < 8; i++) {
        pair_carry(pair, &pair->client, &pair->server);
        pair_carry(pair, &pair->server, &pair->client);
        pair->now_us += TURN_US;
    }
}

/* So much later; what is idle for ten seconds gives its working memory back. */
static void pass(struct pair *pair, uint64_t us)
{
    pair->now_us += us;
    stack_on_time(pair->client.stack, pair->now_us);
    stack_on_time(pair->server.stack, pair->now_us);
    settle(pair);
}

static unsigned long accept_all(struct level *level)
{
    unsigned long count = 0;

    for (int i = 0; i < SERVER_PORTS_MAX; i++) {
        struct tcb *accepted;
        while ((accepted = tcp_accept(level->listener[i])) != NULL) {
            tcp_set_context(accepted, level->listener[i]);
            count++;
        }
    }
    return count;
}

static bool open_active(struct level *level)
{
    for (int i = 0; i < ACTIVE_COUNT; i++) {
        level->sender[i] = open_one(level, 0, (uint16_t)(ACTIVE_PORT + i));
        settle(&level->pair);
        level->receiver[i] = tcp_accept(level->listener[0]);
        if (level->sender[i] == NULL || level->receiver[i] == NULL)
            return false;
    }
    return true;
}

static bool open_level(struct level *level)
{
    unsigned long accepted = 0;
    enum tcp_err error;

    level->idle = calloc(level->idle_count, sizeof *level->idle);
    double before = allocated_bytes();
    if (level->idle == NULL || !pair_open(&level->pair, &way))
        return false;
    for (int i = 0; i < SERVER_PORTS_MAX; i++)
        level->listener[i] = tcp_open_passive(level->pair.server.stack, NULL,
                                              (uint16_t)(SERVER_PORT + i), NULL, &error);
    for (unsigned long i = 0; i < level->idle_count; i++) {
        level->idle[i] = open_one(level, i, 0);
        if (level->idle[i] == NULL)
            return false;
        if ((i + 1) % AT_ONCE != 0 && i + 1 < level->idle_count)
            continue;
        settle(&level->pair);
        accepted += accept_all(level);
        pass(&level->pair, BATCH_US);
    }
    for (int i = 0; i < 8; i++)
        pass(&level->pair, 4 * SECOND_US);
    level->idle_bytes = (allocated_bytes() - before) / 2 / (double)level->idle_count;
    return accepted == level->idle_count && open_active(level);
}

/* ---- cost */

static void drain(struct tcb *receiver, size_t *received)
{
    ptrdiff_t got;

    while ((got = tcp_receive(receiver, block, sizeof block)) > 0)
        *received += (size_t)got;
}

static bool measure_segments(struct level *level, double *ns)
{
    const size_t wanted = (size_t)SEGMENTS * MSS_BYTES;
    uint64_t before = stack_counters(level->pair.server.stack)->packets_in;
    size_t sent = 0, received = 0;
    double begin = cpu_s();

    for (long turns = 0; turns < 10000000 && received < wanted; turns++) {
        for (int i = 0; i < ACTIVE_COUNT && sent < wanted; i++) {
            size_t len = wanted - sent < sizeof block ? wanted - sent : sizeof block;
            ptrdiff_t accepted = tcp_send(level->sender[i], block, len);
            sent += accepted > 0 ? (size_t)accepted : 0;
        }
        pair_turn(&level->pair);
        for (int i = 0; i < ACTIVE_COUNT; i++)
            drain(level->receiver[i], &received);
    }
    uint64_t segments = stack_counters(level->pair.server.stack)->packets_in - before;
    *ns = (cpu_s() - begin) * 1e9 / (double)segments;
    return received == wanted;
}

/* A pure ACK that says nothing new, to connections drawn at random. The packet is made outside the
 * time that is measured. */
static void measure_lookups(struct level *level, double *ns)
{
    static uint8_t packets[LOOKUPS][64];
    static size_t lengths[LOOKUPS];

    for (int i = 0; i < LOOKUPS; i++) {
        struct tcb *tcb = level->idle[link_random(&random_state) % level->idle_count];
        struct tcp_status status;
        tcp_status(tcb, &status);
        struct tcp_segment seg = {.src_port = status.flow.local_port,
                                  .dst_port = status.flow.remote_port,
                                  .seq = status.snd_nxt,
                                  .ack = status.rcv_nxt,
                                  .flags = TCP_ACK,
                                  .wnd = 65535};
        struct ipv4_packet ip = {.src = status.flow.local,
                                 .dst = status.flow.remote,
                                 .ttl = 64,
                                 .protocol = IP_PROTOCOL_TCP};
        uint8_t header[TCP_HEADER_MAX_BYTES];
        size_t tcp_bytes = tcp_emit(&seg, TCP_SYN_STYLE_LINUX, header);
        size_t ip_bytes = ipv4_emit(&ip, tcp_bytes, packets[i], sizeof packets[i]);
        memcpy(packets[i] + ip_bytes, header, tcp_bytes);
        lengths[i] = ip_bytes + tcp_bytes;
    }
    double begin = cpu_s();
    for (int i = 0; i < LOOKUPS; i++) {
        struct packet_in in = {.bytes = {packets[i], lengths[i]}, .checksum_ok = true};
        stack_input(level->pair.server.stack, &in, level->pair.now_us);
    }
    *ns = (cpu_s() - begin) * 1e9 / LOOKUPS;
    settle(&level->pair);
}

/* ---- memory */

/* The client closes first; the server follows when it hears of it. */
static double time_wait_bytes(struct level *level)
{
    struct tcb *tcb;

    for (int i = 0; i < ACTIVE_COUNT; i++)
        tcp_abort(level->sender[i]);
    for (unsigned long i = 0; i < level->idle_count; i++) {
        tcp_close(level->idle[i]);
        if ((i + 1) % AT_ONCE != 0 && i + 1 < level->idle_count)
            continue;
        settle(&level->pair);
        while ((tcb = stack_next_ready(level->pair.server.stack)) != NULL)
            if (tcp_context(tcb) != NULL && (tcp_readiness(tcb) & TCP_PEER_CLOSED) != 0)
                tcp_close(tcb);
        settle(&level->pair);
    }
    stack_free(level->pair.server.stack);
    level->pair.server.stack = NULL;
    double with = allocated_bytes();
    stack_free(level->pair.client.stack);
    level->pair.client.stack = NULL;
    return (with - allocated_bytes()) / (double)level->idle_count;
}

static size_t syn_of(uint32_t number, uint8_t *packet, size_t room)
{
    struct tcp_segment seg = {.src_port = (uint16_t)(1024 + number % 50000),
                              .dst_port = SERVER_PORT,
                              .seq = number,
                              .flags = TCP_SYN,
                              .wnd = 65535};
    struct ipv4_packet ip = {.src = ip_addr_from_v4(0x0b000000 + number),
                             .dst = pair_server_address(),
                             .ttl = 64,
                             .protocol = IP_PROTOCOL_TCP};
    uint8_t header[TCP_HEADER_MAX_BYTES];

    size_t tcp_bytes = tcp_emit(&seg, TCP_SYN_STYLE_LINUX, header);
    size_t ip_bytes = ipv4_emit(&ip, tcp_bytes, packet, room);
    memcpy(packet + ip_bytes, header, tcp_bytes);
    return ip_bytes + tcp_bytes;
}

static double half_open_bytes(void)
{
    struct pair pair;
    struct packet_out out;
    uint8_t packet[128];
    enum tcp_err error;

    if (!pair_open(&pair, &way))
        return 0;
    tcp_open_passive(pair.server.stack, NULL, SERVER_PORT, NULL, &error);
    double before = allocated_bytes();
    for (uint32_t i = 0; i < HALF_OPEN_COUNT; i++) {
        struct packet_in in = {.bytes = {packet, syn_of(i, packet, sizeof packet)},
                               .checksum_ok = true};
        stack_input(pair.server.stack, &in, 0);
        while (stack_output(pair.server.stack, &out, 0))
            continue;
    }
    double bytes = (allocated_bytes() - before) / HALF_OPEN_COUNT;
    pair_close(&pair);
    return bytes;
}
