/* A flood of SYNs from addresses that nobody has, put into a TUN device as the kernel's packets.
 *
 *   flood DEVICE ADDRESS PORT [--rate N] [--control ADDRESS --turn MS]
 *
 * to that address and port, N of them a second, or as many as go, until it is ended by a signal.
 * "ready" when it begins; at the end one line of JSON: how many packets the device has taken, how
 * many it had no room for (its queue was full), and in how many seconds. An address that the stack
 * does not have makes packets of the same kind that it drops at once: that is the control, which
 * has every second turn where it is given, by the clock that turn.h explains.
 *
 * The packets go into the device by a packet socket, past the kernel's routing, so the source
 * address can be anything: one of 198.18.0.0/15 (RFC 2544) here. What the stack answers has to
 * vanish: the kernel drops it where it does not forward, or by a blackhole route. Ports, sequence
 * numbers and addresses are drawn by a generator with a fixed seed; the options are those of Linux.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "../../../stack/wire/checksum.h"
#include "../../../stack/wire/ipv4.h"
#include "../../../stack/wire/tcp_segment.h"
#include "turn.h"

enum {
    BATCH = 64,
    PACKET_ROOM = IPV4_HEADER_BYTES + TCP_HEADER_MAX_BYTES,
    PAUSE_NS = 200000, /* between looks at the clock when a rate is kept */
};

static const uint32_t STRANGERS = 0xc6120000, STRANGERS_MASK = (1 << 17) - 1;

struct options {
    const char *device;
    int device_index;
    struct ip_addr address[2]; /* that of the flood, and the control's */
    uint16_t port;
    double rate; /* 0: as many as go */
    unsigned turn_ms;
};

struct batch {
    uint8_t packet[BATCH][PACKET_ROOM];
    struct iovec span[BATCH];
    struct mmsghdr message[BATCH];
    struct sockaddr_ll to;
};

struct result {
    uint64_t taken, refused;
    double seconds;
};

static volatile sig_atomic_t is_ended;

static bool read_arguments(struct options *options, int argc, char **argv);
static int open_device(const struct options *options);
static void flood(int fd, const struct options *options, struct result result[2]);

static void on_signal(int number)
{
    is_ended = number;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct result result[2] = {{0}};

    if (!read_arguments(&options, argc, argv)) {
        fputs("usage: flood DEVICE ADDRESS PORT [--rate N] [--control ADDRESS --turn MS]\n",
              stderr);
        return 2;
    }
    int fd = open_device(&options);
    if (fd < 0) {
        perror(options.device);
        return EXIT_FAILURE;
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    puts("ready");
    fflush(stdout);
    flood(fd, &options, result);
    printf("{\"taken\": %llu, \"refused\": %llu, \"seconds\": %.6f, \"control_taken\": %llu, "
           "\"control_refused\": %llu, \"control_seconds\": %.6f}\n",
           (unsigned long long)result[0].taken, (unsigned long long)result[0].refused,
           result[0].seconds, (unsigned long long)result[1].taken,
           (unsigned long long)result[1].refused, result[1].seconds);
    return EXIT_SUCCESS;
}

static bool read_arguments(struct options *options, int argc, char **argv)
{
    int at = 4;

    if (argc < 4 || !ip_addr_parse(argv[2], &options->address[0]))
        return false;
    options->device = argv[1];
    options->device_index = (int)if_nametoindex(argv[1]);
    options->port = (uint16_t)strtoul(argv[3], NULL, 10);
    for (; at + 1 < argc; at += 2) {
        if (strcmp(argv[at], "--rate") == 0)
            options->rate = strtod(argv[at + 1], NULL);
        else if (strcmp(argv[at], "--turn") == 0)
            options->turn_ms = (unsigned)strtoul(argv[at + 1], NULL, 10);
        else if (strcmp(argv[at], "--control") != 0 ||
                 !ip_addr_parse(argv[at + 1], &options->address[1]))
            return false;
    }
    return at == argc;
}

/* Without the queue in front of the device, so that it tells what it has no room for; and without a
 * protocol, or the socket would get a copy of every answer. */
static int open_device(const struct options *options)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = options->device_index};
    int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) < 0)
        return -1;
    return fd;
}

static uint64_t random_bits(uint64_t *state) /* xorshift64 */
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static size_t make_syn(const struct ip_addr *to, uint16_t port, uint64_t *random, uint8_t *packet)
{
    uint64_t bits = random_bits(random), more = random_bits(random);
    struct ipv4_packet ip = {.src = ip_addr_from_v4(STRANGERS | ((uint32_t)bits & STRANGERS_MASK)),
                             .dst = *to,
                             .protocol = IP_PROTOCOL_TCP,
                             .dont_fragment = true,
                             .ttl = 64};
    struct tcp_segment syn = {.src_port = (uint16_t)(1024 + (bits >> 32) % 64512),
                              .dst_port = port,
                              .seq = (uint32_t)more,
                              .flags = TCP_SYN,
                              .wnd = 64240,
                              .options = {.has_mss = true,
                                          .mss = 1460,
                                          .sack_permitted = true,
                                          .has_timestamps = true,
                                          .tsval = (uint32_t)(more >> 32),
                                          .has_window_scale = true,
                                          .window_scale = 7}};
    uint8_t *tcp = packet + IPV4_HEADER_BYTES;
    size_t len = tcp_emit(&syn, TCP_SYN_STYLE_LINUX, tcp);
    struct checksum sum = {0};

    checksum_add_pseudo(&sum, &ip.src, &ip.dst, IP_PROTOCOL_TCP, len);
    checksum_add(&sum, (struct bytes){tcp, len});
    struct writer field = writer_of(tcp + TCP_CHECKSUM_OFFSET, 2);
    write_u16(&field, checksum_finish(&sum));
    return ipv4_emit(&ip, len, packet, IPV4_HEADER_BYTES) + len;
}

static void send_batch(int fd, const struct options *options, unsigned kind, uint64_t *random,
                       unsigned count, struct result *result)
{
    static struct batch batch;
    unsigned at = 0;

    batch.to = (struct sockaddr_ll){.sll_family = AF_PACKET,
                                    .sll_protocol = htons(ETH_P_IP),
                                    .sll_ifindex = options->device_index};
    for (unsigned i = 0; i < count; i++) {
        size_t len = make_syn(&options->address[kind], options->port, random, batch.packet[i]);
        batch.span[i] = (struct iovec){batch.packet[i], len};
        batch.message[i].msg_hdr = (struct msghdr){.msg_name = &batch.to,
                                                   .msg_namelen = sizeof batch.to,
                                                   .msg_iov = &batch.span[i],
                                                   .msg_iovlen = 1};
    }
    while (at < count) {
        int sent = sendmmsg(fd, batch.message + at, count - at, 0);
        result->taken += sent > 0 ? (unsigned)sent : 0;
        result->refused += sent <= 0;
        at += sent > 0 ? (unsigned)sent : 1;
    }
}

/* What a turn has not got rid of is not made up for in the next one, which is the other's. */
static void flood(int fd, const struct options *options, struct result result[2])
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    uint64_t random = 88172645463325252U;

    while (!is_ended) {
        unsigned kind = turn_at(options->turn_ms).kind;
        double begin_s = now_s(), passed_s = 0, done = 0;
        while (!is_ended && turn_at(options->turn_ms).kind == kind) {
            double due = options->rate > 0 ? options->rate * passed_s - done : BATCH;
            unsigned count = due < BATCH ? (unsigned)due : BATCH;
            if (count > 0)
                send_batch(fd, options, kind, &random, count, &result[kind]);
            else
                nanosleep(&pause, NULL);
            done += count;
            passed_s = now_s() - begin_s;
        }
        result[kind].seconds += passed_s;
    }
}
