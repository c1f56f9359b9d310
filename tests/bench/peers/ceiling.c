/* The yardstick of the benchmark: what a TUN device and the kernel at its other end can do when the
 * stack between costs nothing.
 *
 *   ceiling DEVICE PORT sink|source|echo [--copies 0|1] [--plain] [--seconds S]
 *
 * A fake of TCP, just enough of it to keep a kernel going: it has no timer, no loss recovery but to
 * send everything again when the peer falls silent, no reassembly, no congestion window, no check
 * of anything, and its table of connections is an array made in advance, indexed by the peer's port
 * and the low bits of its address. Every packet of TCP is taken for ours. What a complete stack
 * does beyond this is what its distance from these figures measures.
 *
 *   sink    takes everything; one ACK for what one round of read() gave, BATCH packets at most
 *   source  fills the peer's window for so many seconds, then FIN
 *   echo    a segment that carries bytes is answered by the same number of bytes; so this is the
 *           server for ping-pong, connect+close, and connect, request, response, close
 *
 * FIN is answered by FIN,ACK at once. With --copies 1 the payload is copied once in user space, as
 * a stack must that has buffers of its own: out through a ring of RING_BYTES, since what is in
 * flight has to be kept; in to one block of an application. With the virtio header (the default)
 * the device cuts super-segments and completes checksums; --plain has neither, and the sum of the
 * payload, which is always the same, is known in advance.
 *
 * It waits as a stack has to that has timers: read() until nothing is there, then poll(). Prints
 * "ready" when the device is attached and has its carrier, and runs until it is killed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH = 64,
    BURST = 32,   /* segments out between two looks at what came in */
    STALL_MS = 5, /* source: nothing is heard for so long: something was dropped */
    MSS_BYTES = 1460,
    SUPER_BYTES = 44 * MSS_BYTES,
    PACKET_ROOM = (1 << 16) + (int)sizeof(struct virtio_net_hdr),
    RING_BYTES = 8 * SUPER_BYTES,
    BLOCK_BYTES = 1 << 16,
    SOURCES = 8, /* addresses of the peer that are told apart */
    OUR_SHIFT = 10,
    OFFLOAD_WND_BYTES = 4 << 20,
    PLAIN_WND_BYTES = 700 << 10, /* what a queue of 500 packets holds; see tests/bench/README.md */
    IP_BYTES = 20,
    TCP_BYTES = 20,
    SYN_OPTION_BYTES = 8,
    FIN = 1,
    SYN = 2,
    RST = 4,
    PSH = 8,
    ACK = 16,
};

struct flow {
    uint32_t peer, us; /* addresses, network order in the packet, host order here */
    uint16_t peer_port;
    uint8_t peer_shift;
    bool owes_ack, is_done;
    uint32_t snd_una, snd_nxt, snd_max, rcv_nxt, snd_wnd;
};

struct segment {
    uint32_t src, dst, seq, ack;
    uint16_t src_port, wnd;
    uint8_t flags;
    const uint8_t *options, *payload;
    size_t option_bytes, payload_bytes;
};

struct ceiling {
    int fd;
    bool is_plain, is_source, is_sink, has_ended;
    int copies;
    uint16_t port;
    uint64_t end_us, run_us;
    struct flow *flows;   /* SOURCES * 65536 of them */
    struct flow *current; /* the one that bulk flows on, or that is owed an ACK */
    size_t ring_at;
};

static uint8_t packet[PACKET_ROOM], ring[RING_BYTES], block[BLOCK_BYTES];
static uint32_t block_sum; /* of MSS_BYTES of it */

static bool read_arguments(struct ceiling *c, int argc, char **argv);
static int attach(struct ceiling *c, const char *name);
static void run(struct ceiling *c);
static void take(struct ceiling *c, const struct segment *seg);
static void open_flow(struct ceiling *c, struct flow *flow, const struct segment *seg);
static bool source_burst(struct ceiling *c);
static bool source_one(struct ceiling *c);
static void go_back(struct ceiling *c);
static void flush_ack(struct ceiling *c);
static void reply(struct ceiling *c, struct flow *flow, uint8_t flags, size_t payload_bytes);

int main(int argc, char **argv)
{
    struct ceiling c = {.fd = -1};

    if (!read_arguments(&c, argc, argv)) {
        fprintf(stderr, "usage: ceiling DEVICE PORT sink|source|echo [--copies 0|1] [--plain] "
                        "[--seconds S]\n");
        return 2;
    }
    c.flows = calloc((size_t)SOURCES << 16, sizeof *c.flows);
    if (c.flows == NULL || attach(&c, argv[1]) < 0)
        return 3;
    puts("ready");
    fflush(stdout);
    run(&c);
    perror("ceiling: the device has gone");
    return 1;
}

static bool read_arguments(struct ceiling *c, int argc, char **argv)
{
    if (argc < 4)
        return false;
    c->port = (uint16_t)strtoul(argv[2], NULL, 10);
    c->is_sink = strcmp(argv[3], "sink") == 0;
    c->is_source = strcmp(argv[3], "source") == 0;
    c->run_us = 1000000;
    for (int i = 4; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--plain") == 0)
            c->is_plain = true;
        else if (strcmp(argv[i], "--copies") == 0 && has_value)
            c->copies = atoi(argv[++i]);
        else if (strcmp(argv[i], "--seconds") == 0 && has_value)
            c->run_us = (uint64_t)(strtod(argv[++i], NULL) * 1e6);
        else
            return false;
    }
    return c->is_sink || c->is_source || strcmp(argv[3], "echo") == 0;
}

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- the device */

/* Until the kernel has heard that somebody has attached it drops what it has for us. */
static void wait_for_carrier(const char *name)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq answer = {0};

    strncpy(answer.ifr_name, name, sizeof answer.ifr_name - 1);
    for (int i = 0; i < 100000; i++)
        if (ioctl(fd, SIOCGIFFLAGS, &answer) < 0 || (answer.ifr_flags & IFF_RUNNING) != 0)
            break;
    close(fd);
}

static int attach(struct ceiling *c, const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    unsigned offload = c->is_plain ? 0 : TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    int header_bytes = sizeof(struct virtio_net_hdr);

    if (!c->is_plain)
        request.ifr_flags |= IFF_VNET_HDR;
    strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
    c->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (c->fd < 0 || ioctl(c->fd, TUNSETIFF, &request) < 0 ||
        ioctl(c->fd, TUNSETOFFLOAD, offload) < 0 ||
        (!c->is_plain && ioctl(c->fd, TUNSETVNETHDRSZ, &header_bytes) < 0)) {
        fprintf(stderr, "ceiling: %s: %s\n", name, strerror(errno));
        return -1;
    }
    wait_for_carrier(name);
    return 0;
}

/* ---- bytes */

static uint16_t load16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t load32(const uint8_t *at)
{
    return (uint32_t)load16(at) << 16 | load16(at + 2);
}

static void store16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void store32(uint8_t *at, uint32_t value)
{
    store16(at, value >> 16);
    store16(at + 2, value);
}

static uint32_t sum_of(const uint8_t *at, size_t len, uint32_t sum)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += load16(at + i);
    return (len & 1) != 0 ? sum + (uint32_t)(at[len - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)(sum + (sum >> 16));
}

/* ---- the loop */

/* False: not a segment of TCP. */
static bool parse(const uint8_t *at, size_t len, struct segment *seg)
{
    size_t ip_bytes = (size_t)(at[0] & 15) * 4;

    if (len < IP_BYTES + TCP_BYTES || at[0] >> 4 != 4 || at[9] != 6)
        return false;
    const uint8_t *tcp = at + ip_bytes;
    size_t tcp_bytes = (size_t)(tcp[12] >> 4) * 4;
    *seg = (struct segment){
        .src = load32(at + 12),
        .dst = load32(at + 16),
        .src_port = load16(tcp),
        .seq = load32(tcp + 4),
        .ack = load32(tcp + 8),
        .flags = tcp[13],
        .wnd = load16(tcp + 14),
        .options = tcp + TCP_BYTES,
        .option_bytes = tcp_bytes - TCP_BYTES,
        .payload = tcp + tcp_bytes,
        .payload_bytes = len - ip_bytes - tcp_bytes,
    };
    return true;
}

/* Up to BATCH packets; how many, -1 when the device is gone. */
static int take_batch(struct ceiling *c)
{
    size_t before = c->is_plain ? 0 : sizeof(struct virtio_net_hdr);
    struct segment seg;

    for (int count = 0; count < BATCH; count++) {
        ssize_t len = read(c->fd, packet, sizeof packet);
        if (len < 0 && (errno == EAGAIN || errno == EINTR))
            return count;
        if (len < 0)
            return -1;
        if ((size_t)len > before && parse(packet + before, (size_t)len - before, &seg))
            take(c, &seg);
    }
    return BATCH;
}

static void run(struct ceiling *c)
{
    struct pollfd fd = {.fd = c->fd, .events = POLLIN};

    block_sum = sum_of(block, MSS_BYTES, 0);
    for (;;) {
        int count = take_batch(c);
        if (count < 0)
            return;
        flush_ack(c);
        bool has_sent = c->is_source && source_burst(c);
        if (count == 0 && !has_sent && poll(&fd, 1, c->is_source ? STALL_MS : -1) == 0)
            go_back(c);
    }
}

static void take(struct ceiling *c, const struct segment *seg)
{
    struct flow *flow = &c->flows[(seg->src % SOURCES) << 16 | seg->src_port];

    if ((seg->flags & RST) != 0)
        return;
    if ((seg->flags & SYN) != 0) {
        open_flow(c, flow, seg);
        return;
    }
    flow->snd_una = seg->ack;
    if ((int32_t)(flow->snd_una - flow->snd_nxt) > 0) /* what was sent again had arrived */
        flow->snd_nxt = flow->snd_una;
    flow->snd_wnd = (uint32_t)seg->wnd << flow->peer_shift;
    if (seg->payload_bytes > 0 && seg->seq == flow->rcv_nxt) {
        flow->rcv_nxt += (uint32_t)seg->payload_bytes;
        if (c->copies > 0)
            memcpy(block, seg->payload, seg->payload_bytes);
        if (c->is_sink) {
            flow->owes_ack = true;
            c->current = flow;
        } else {
            reply(c, flow, ACK | PSH, seg->payload_bytes);
        }
    }
    if ((seg->flags & FIN) != 0 && seg->seq + seg->payload_bytes == flow->rcv_nxt) {
        flow->rcv_nxt++;
        flow->owes_ack = false;
        reply(c, flow, flow->is_done ? ACK : FIN | ACK, 0);
        flow->is_done = true;
    }
}

static void open_flow(struct ceiling *c, struct flow *flow, const struct segment *seg)
{
    *flow = (struct flow){
        .peer = seg->src,
        .us = seg->dst,
        .peer_port = seg->src_port,
        .rcv_nxt = seg->seq + 1,
        .snd_una = 0xfffff000,
        .snd_nxt = 0xfffff000,
        .snd_max = 0xfffff001,
    };
    for (size_t i = 0; i + 2 < seg->option_bytes && seg->options[i] != 0;
         i += seg->options[i] == 1 ? 1 : seg->options[i + 1])
        if (seg->options[i] == 3)
            flow->peer_shift = seg->options[i + 2];
    reply(c, flow, SYN | ACK, 0);
    if (c->is_source) {
        c->current = flow;
        c->end_us = now_us() + c->run_us;
    }
}

static void flush_ack(struct ceiling *c)
{
    if (c->current == NULL || !c->current->owes_ack)
        return;
    c->current->owes_ack = false;
    reply(c, c->current, ACK, 0);
}

/* Whether anything was sent. */
static bool source_burst(struct ceiling *c)
{
    int count = 0;

    while (count < BURST && source_one(c))
        count++;
    return count > 0;
}

/* A busy peer may drop what its socket has no room for: then everything is sent again. */
static void go_back(struct ceiling *c)
{
    struct flow *flow = c->current;

    if (flow == NULL || flow->snd_una == flow->snd_nxt)
        return;
    flow->snd_max -= flow->is_done; /* the FIN's number */
    flow->is_done = false;
    flow->snd_nxt = flow->snd_una;
}

/* A quarter of the window at most: a peer that has less than two segments takes its time to
 * acknowledge them. */
static uint32_t source_size(const struct ceiling *c, const struct flow *flow)
{
    uint32_t quarter = flow->snd_wnd / 4 / MSS_BYTES * MSS_BYTES;

    if (c->is_plain || quarter < MSS_BYTES)
        return MSS_BYTES;
    return quarter < SUPER_BYTES ? quarter : SUPER_BYTES;
}

/* One segment of bulk, or the FIN behind it. False: the window is full, or all is said. */
static bool source_one(struct ceiling *c)
{
    struct flow *flow = c->current;

    if (flow == NULL || flow->snd_wnd == 0 || flow->is_done)
        return false;
    uint32_t again = flow->snd_max - flow->snd_nxt; /* of what has been sent before */
    bool is_over = now_us() >= c->end_us;
    if (is_over && again == 0) {
        flow->is_done = true;
        reply(c, flow, FIN | ACK, 0);
        return true;
    }
    uint32_t size = source_size(c, flow);
    uint32_t in_flight = flow->snd_nxt - flow->snd_una;
    uint32_t room = flow->snd_wnd > in_flight ? flow->snd_wnd - in_flight : 0;
    if (room < size && in_flight > 0)
        return false;
    size = room < size ? room : size;
    reply(c, flow, ACK | PSH, is_over && again < size ? again : size);
    return true;
}

/* ---- out */

static void emit_tcp(const struct ceiling *c, struct flow *flow, uint8_t flags, uint8_t *tcp)
{
    uint32_t wnd = c->is_plain ? PLAIN_WND_BYTES : OFFLOAD_WND_BYTES;
    static const uint8_t syn_options[SYN_OPTION_BYTES] = {2, 4, MSS_BYTES >> 8, MSS_BYTES & 255, 1,
                                                          3, 3, OUR_SHIFT};

    store16(tcp, c->port);
    store16(tcp + 2, flow->peer_port);
    store32(tcp + 4, flow->snd_nxt);
    store32(tcp + 8, flow->rcv_nxt);
    tcp[12] = (uint8_t)((TCP_BYTES + ((flags & SYN) != 0 ? SYN_OPTION_BYTES : 0)) << 2);
    tcp[13] = flags;
    store16(tcp + 14, (flags & SYN) != 0 ? 65535 : wnd >> OUR_SHIFT);
    store32(tcp + 16, 0);
    if ((flags & SYN) != 0)
        memcpy(tcp + TCP_BYTES, syn_options, sizeof syn_options);
}

static void emit_ip(const struct flow *flow, size_t total_bytes, uint8_t *ip)
{
    memset(ip, 0, IP_BYTES);
    ip[0] = 0x45;
    store16(ip + 2, (uint32_t)total_bytes);
    ip[6] = 0x40;
    ip[8] = 64;
    ip[9] = 6;
    store32(ip + 12, flow->us);
    store32(ip + 16, flow->peer);
    store16(ip + 10, (uint16_t)~fold(sum_of(ip, IP_BYTES, 0)));
}

static void emit_checksum(const struct ceiling *c, const struct flow *flow, uint8_t *tcp,
                          size_t tcp_bytes, const uint8_t *payload, size_t payload_bytes)
{
    uint32_t sum = (flow->us >> 16) + (flow->us & 0xffff) + (flow->peer >> 16) +
                   (flow->peer & 0xffff) + 6 + (uint32_t)(tcp_bytes + payload_bytes);

    if (!c->is_plain) {
        store16(tcp + 16, fold(sum));
        return;
    }
    sum = sum_of(tcp, tcp_bytes, sum);
    sum = payload_bytes == MSS_BYTES ? sum + block_sum : sum_of(payload, payload_bytes, sum);
    store16(tcp + 16, (uint16_t)~fold(sum));
}

static const uint8_t *payload_of(struct ceiling *c, size_t len)
{
    if (c->copies == 0)
        return block;
    if (c->ring_at + len > RING_BYTES)
        c->ring_at = 0;
    uint8_t *at = ring + c->ring_at;
    memcpy(at, block, len);
    c->ring_at += len;
    return at;
}

static void reply(struct ceiling *c, struct flow *flow, uint8_t flags, size_t payload_bytes)
{
    struct virtio_net_hdr virtio = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = IP_BYTES, .csum_offset = 16};
    size_t tcp_bytes = TCP_BYTES + ((flags & SYN) != 0 ? SYN_OPTION_BYTES : 0);
    uint8_t header[IP_BYTES + TCP_BYTES + SYN_OPTION_BYTES];
    const uint8_t *payload = payload_of(c, payload_bytes);

    if (payload_bytes > MSS_BYTES) {
        virtio.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        virtio.gso_size = MSS_BYTES;
        virtio.hdr_len = IP_BYTES + TCP_BYTES;
    }
    emit_ip(flow, IP_BYTES + tcp_bytes + payload_bytes, header);
    emit_tcp(c, flow, flags, header + IP_BYTES);
    emit_checksum(c, flow, header + IP_BYTES, tcp_bytes, payload, payload_bytes);
    struct iovec spans[3] = {{&virtio, sizeof virtio},
                             {header, IP_BYTES + tcp_bytes},
                             {(void *)(uintptr_t)payload, payload_bytes}};
    if (writev(c->fd, spans + c->is_plain, 3 - c->is_plain) < 0)
        perror("ceiling: write");
    flow->snd_nxt += (uint32_t)payload_bytes + ((flags & (SYN | FIN)) != 0);
    if ((int32_t)(flow->snd_nxt - flow->snd_max) > 0)
        flow->snd_max = flow->snd_nxt;
}
