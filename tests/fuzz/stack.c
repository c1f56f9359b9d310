/* A whole stack under a script. The input is a list of steps, one byte each with arguments behind
 * it: a call of the application, a packet in, or time that passes. The stack has a listener, the
 * connections that come of it, an active connection and a UDP socket.
 *
 * Raw bytes would hardly ever pass for a segment of a connection that exists; so most packets are
 * built from a few bytes of the script, with a right checksum and with sequence and acknowledgment
 * numbers relative to what the stack has last said on that connection.
 *
 * Nothing is demanded of the answers but sanity: no crash, stack_output() comes to an end, what
 * goes out are IP packets of ours, time does not stand still, and memory stays within the limits of
 * the configuration. */
#include "../../stack/instance.h"
#include "../../stack/settings.h"
#include "../../stack/tcp/tcb.h"
#include "../../stack/tcp/tcp.h"
#include "../../stack/udp/udp.h"
#include "../../stack/wire/checksum.h"
#include "fuzz.h"

enum {
    OUR_ADDRESS = 0x0a000001,
    PEER_ADDRESS = 0x0a000002,
    LISTEN_PORT = 80,
    ACTIVE_PORT = 1000,
    UDP_PORT = 53,
    CONNECTIONS_MAX = 24,
    BACKLOG = 6,
    HANDLES = 8,
    PEERS = 8, /* ports of the other end that the script can name */
    STEPS_MAX = 4000,
    PULLS_MAX = 20000, /* with a window of 4 MB and segments of 48 bytes nothing comes near */
    PACKET_MAX_BYTES = 2048,
    SECOND_US = 1000000,
};

/* What the stack has last said on a connection: enough to answer sensibly. */
struct peer {
    uint32_t next;  /* our next sequence number */
    uint32_t ack;   /* one behind what the stack has sent */
    uint32_t tsval; /* the stack's */
};

struct script {
    const uint8_t *data;
    size_t len;
};

struct run {
    struct stack *stack;
    struct script script;
    uint64_t now_us, random_state;
    struct tcb *listener, *handle[HANDLES];
    struct udp_socket *socket;
    struct peer peer[PEERS], active;
    uint8_t packet[PACKET_MAX_BYTES];
};

static uint32_t take(struct run *run, unsigned bytes)
{
    uint32_t value = 0;

    while (bytes-- > 0) {
        value <<= 8;
        if (run->script.len > 0) {
            value |= *run->script.data++;
            run->script.len--;
        }
    }
    return value;
}

static uint64_t draw(void *context)
{
    uint64_t *state = context;

    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state ^ *state >> 29;
}

static void look_at_event(void *context, const struct trace_event *event)
{
    (void)context;
    HOLDS(event->kind != TRACE_STATE || event->u.state.from != event->u.state.to);
    if (event->tcb != NULL) {
        struct tcp_status status;
        tcp_status(event->tcb, &status);
        HOLDS(status.state < TCPS_COUNT);
    }
}

/* ---- packets out */

static void hear(struct run *run, const struct tcp_segment *seg)
{
    struct peer *peer =
        seg->src_port == LISTEN_PORT ? &run->peer[seg->dst_port % PEERS] : &run->active;

    if (seg->flags & TCP_ACK)
        peer->next = seg->ack;
    if (!(seg->flags & TCP_RST))
        peer->ack = seg->seq + tcp_segment_len(seg);
    if (seg->options.has_timestamps)
        peer->tsval = seg->options.tsval;
}

static void pull(struct run *run)
{
    struct packet_out out;
    uint8_t memory[65536];
    unsigned count = 0;

    while (stack_output(run->stack, &out, run->now_us)) {
        struct ipv4_packet ip;
        struct tcp_segment seg;
        size_t len = packet_out_copy(&out, memory, sizeof memory);
        HOLDS(len > 0 && ++count < PULLS_MAX);
        HOLDS(ipv4_parse((struct bytes){memory, len}, false, &ip) == DROP_NOT);
        if (ip.protocol != IP_PROTOCOL_TCP)
            continue;
        HOLDS(tcp_parse(ip.payload, &seg) == DROP_NOT);
        HOLDS(tcp_checksum_is_right(ip.payload, &ip.src, &ip.dst));
        hear(run, &seg);
    }
}

/* ---- packets in */

static void put_in(struct run *run, size_t len, bool checksum_ok, uint32_t segment_bytes)
{
    /* A copy of its own size, so that a read beyond its end is seen. */
    uint8_t *copy = malloc(len > 0 ? len : 1);

    HOLDS(copy != NULL);
    memcpy(copy, run->packet, len);
    stack_input(run->stack, &(struct packet_in){{copy, len}, checksum_ok, segment_bytes},
                run->now_us);
    free(copy);
}

/* The script's bytes as they are. */
static void raw_packet(struct run *run)
{
    size_t len = take(run, 1);

    for (size_t i = 0; i < len; i++)
        run->packet[i] = (uint8_t)take(run, 1);
    put_in(run, len, (len & 1) != 0, 0);
}

/* An IP header in front of `len` bytes that are there already. */
static void send_ip(struct run *run, uint8_t protocol, size_t len, bool checksum_ok,
                    uint32_t segment_bytes)
{
    struct ipv4_packet ip = {.src = ip_addr_from_v4(PEER_ADDRESS),
                             .dst = ip_addr_from_v4(OUR_ADDRESS),
                             .protocol = protocol,
                             .ttl = 64};

    HOLDS(ipv4_emit(&ip, len, run->packet, IPV4_HEADER_BYTES) == IPV4_HEADER_BYTES);
    put_in(run, IPV4_HEADER_BYTES + len, checksum_ok, segment_bytes);
}

static void plausible_options(struct run *run, const struct peer *peer, struct tcp_options *options)
{
    uint32_t which = take(run, 1);

    options->has_mss = which & 1;
    options->mss = (uint16_t)(which & 2 ? take(run, 2) : 1460);
    options->has_window_scale = which & 4;
    options->window_scale = (uint8_t)(which >> 5);
    options->sack_permitted = which & 8;
    options->has_timestamps = which & 16;
    if (options->has_timestamps) {
        options->tsval = (uint32_t)(run->now_us / 1000) + (which & 32 ? take(run, 1) - 128 : 0);
        options->tsecr = peer->tsval;
    }
    if (which & 128)
        options->user_timeout = (uint16_t)(run->now_us >> 10);
    if (!options->has_mss && which & 64) {
        options->sack_count = 1 + which % 3;
        for (unsigned i = 0; i < options->sack_count; i++) {
            options->sack[i].left = peer->ack - take(run, 2);
            options->sack[i].right = options->sack[i].left + take(run, 2);
        }
    }
}

/* A number near `expected`: mostly it itself. */
static uint32_t near(struct run *run, uint32_t expected, uint32_t how)
{
    switch (how & 3) {
    case 1:
        return expected + take(run, 1) - 128;
    case 2:
        return expected + take(run, 2) - 32768;
    case 3:
        return take(run, 4);
    default:
        return expected;
    }
}

static void plausible_segment(struct run *run)
{
    enum { ON_ACTIVE = 8, MERGED = 16, LONG = 32 };
    uint32_t who = take(run, 1), how = take(run, 1);
    bool on_active = who & ON_ACTIVE;
    struct peer *peer = on_active ? &run->active : &run->peer[who % PEERS];
    struct tcp_segment seg = {
        .src_port = on_active ? ACTIVE_PORT : (uint16_t)(2000 + who % PEERS),
        .dst_port = on_active ? ACTIVE_PORT : LISTEN_PORT,
        .flags = (uint8_t)take(run, 1),
        .seq = near(run, peer->next, how),
        .ack = near(run, peer->ack, how >> 2),
        .wnd = (uint16_t)(how & 16 ? take(run, 2) : 65535),
        .urgent = (uint16_t)(how & 32 ? take(run, 1) : 0),
    };
    if (how & 64)
        plausible_options(run, peer, &seg.options);
    size_t len = how & 128 ? take(run, who & LONG ? 2 : 1) % 1600 : 0;

    uint8_t *place = run->packet + IPV4_HEADER_BYTES;
    size_t header = tcp_emit(&seg, TCP_SYN_STYLE_LINUX, place);
    for (size_t i = 0; i < len; i++)
        place[header + i] = (uint8_t)i;
    send_ip(run, IP_PROTOCOL_TCP, header + len, true, who & MERGED ? 1 + (uint32_t)len / 2 : 0);
}

static void plausible_datagram(struct run *run)
{
    size_t len = take(run, 1);
    uint8_t *place = run->packet + IPV4_HEADER_BYTES;
    struct writer w = writer_of(place, 8 + len);

    write_u16(&w, 3000);
    write_u16(&w, (uint16_t)(len & 1 ? UDP_PORT : 4000));
    write_u16(&w, (uint16_t)(8 + len));
    write_u16(&w, 0);
    for (size_t i = 0; i < len; i++)
        write_u8(&w, (uint8_t)i);
    send_ip(run, IP_PROTOCOL_UDP, 8 + len, true, 0);
}

/* An ICMP message that quotes a segment of the stack's, or what the script says. */
static void plausible_icmp(struct run *run)
{
    uint32_t type = take(run, 1), code = take(run, 1), who = take(run, 1);
    const struct peer *peer = who & 8 ? &run->active : &run->peer[who % PEERS];
    struct ipv4_packet quoted = {.src = ip_addr_from_v4(OUR_ADDRESS),
                                 .dst = ip_addr_from_v4(PEER_ADDRESS),
                                 .protocol = IP_PROTOCOL_TCP,
                                 .ttl = 1};
    uint8_t *place = run->packet + IPV4_HEADER_BYTES;
    struct writer w = writer_of(place, 100);
    struct checksum sum = {0};

    write_u8(&w, (uint8_t)type);
    write_u8(&w, (uint8_t)code);
    write_u16(&w, 0);
    write_u32(&w, take(run, 2));
    ipv4_emit(&quoted, 8, place + 8, IPV4_HEADER_BYTES);
    w = writer_of(place + 8 + IPV4_HEADER_BYTES, 8);
    write_u16(&w, who & 8 ? ACTIVE_PORT : LISTEN_PORT);
    write_u16(&w, (uint16_t)(who & 8 ? ACTIVE_PORT : 2000 + who % PEERS));
    write_u32(&w, peer->ack - 1);
    write_u16(&w, 0);
    write_u16(&w, 0);
    size_t len = 8 + IPV4_HEADER_BYTES + 8;
    checksum_add(&sum, (struct bytes){place, len});
    w = writer_of(place + 2, 2);
    write_u16(&w, checksum_finish(&sum));
    send_ip(run, IP_PROTOCOL_ICMP, len, false, 0);
}

/* ---- calls */

static struct ip_addr peer_address(void)
{
    return ip_addr_from_v4(PEER_ADDRESS);
}

static void open_or_accept(struct run *run, struct tcb **handle, bool active)
{
    struct ip_addr remote = peer_address();
    struct tcp_config config;

    if (*handle != NULL || run->listener == NULL)
        return;
    tcp_config_init(&config);
    config.receive_buffer_bytes = 1 + take(run, 2);
    unsigned choice = take(run, 1);
    config.nagle = choice & 1;
    config.congestion = (enum tcp_congestion)(choice / 2 % TCP_CONGESTION_COUNT);
    config.keepalive_idle_us = 1000000;
    config.keepalive_interval_us = 100000;
    config.keepalive_garbage = !config.nagle;
    *handle =
        active ? tcp_open_active(run->stack, NULL, ACTIVE_PORT, &remote, ACTIVE_PORT, &config, NULL)
               : tcp_accept(run->listener);
}

/* A setting of the table, of the stack's and beyond the limits too: then it is refused. */
static void change_setting(struct tcb *tcb, unsigned which, uint64_t value)
{
    for (; settings_at(which) == NULL; which /= 2)
        continue;
    tcp_set(tcb, settings_at(which)->name, value >> (value & 31)); /* small ones, often */
}

static void use(struct run *run, struct tcb *tcb, uint32_t call)
{
    uint8_t memory[1024] = {0};
    size_t len = take(run, 2) % sizeof memory, room;
    uint8_t *place;

    switch (call) {
    case 0:
        tcp_send(tcb, memory, len);
        break;
    case 1:
        place = tcp_send_reserve(tcb, &room);
        if (len > room)
            len = room;
        if (len > 0)
            memset(place, 1, len);
        tcp_send_commit(tcb, len);
        break;
    case 2:
        HOLDS(tcp_receive(tcb, memory, len) <= (ptrdiff_t)len);
        break;
    case 3:
        tcp_receive_consume(tcb, bytes_first(tcp_receive_peek(tcb), len).len);
        break;
    case 4:
        tcp_shutdown(tcb);
        break;
    case 5:
        HOLDS(tcp_readiness(tcb) != 0 || tcp_error(tcb) == TCP_OK);
        break;
    case 6:
        HOLDS(tcp_send_urgent(tcb, memory, len) <= (ptrdiff_t)len);
        break;
    case 7:
        change_setting(tcb, (unsigned)len, take(run, 4));
        break;
    default:
        break;
    }
}

static void call_tcp(struct run *run)
{
    uint32_t what = take(run, 1);
    struct tcb **handle = &run->handle[what % HANDLES];
    uint32_t call = what / HANDLES % 16;

    if (call >= 12 || *handle == NULL) {
        open_or_accept(run, handle, call & 1);
    } else if (call == 10) {
        tcp_close(*handle);
        *handle = NULL;
    } else if (call == 11) {
        tcp_abort(*handle);
        *handle = NULL;
    } else {
        use(run, *handle, call % 8);
    }
}

static void call_udp(struct run *run)
{
    uint8_t memory[2000] = {0};
    struct ip_addr remote = peer_address();
    uint32_t what = take(run, 2);

    if (what & 1)
        (void)udp_send(run->socket, NULL, &remote, 3000, (struct bytes){memory, what % 2000},
                       "test");
    else
        (void)udp_receive(run->socket, memory, what % 100, NULL);
}

static void close_or_open_listener(struct run *run)
{
    if (run->listener != NULL) {
        tcp_close(run->listener);
        run->listener = NULL;
        return;
    }
    run->listener = tcp_open_passive(run->stack, NULL, LISTEN_PORT, NULL, NULL);
}

/* ---- the script */

static void pass_time(struct run *run)
{
    uint32_t how = take(run, 1);
    uint64_t next_us = stack_next_deadline_us(run->stack);

    if (how == 255 && next_us != NEVER)
        run->now_us = next_us > run->now_us ? next_us : run->now_us;
    else
        run->now_us += (uint64_t)(1 + how % 16) << (how / 16 + 6);
    stack_on_time(run->stack, run->now_us);
}

static void step(struct run *run)
{
    switch (take(run, 1) % 16) {
    case 0:
        raw_packet(run);
        break;
    case 1:
        plausible_datagram(run);
        break;
    case 2:
        plausible_icmp(run);
        break;
    case 3:
        call_udp(run);
        break;
    case 4:
        if (take(run, 1) < 16)
            close_or_open_listener(run);
        break;
    case 5:
    case 6:
    case 7:
        pass_time(run);
        break;
    case 8:
    case 9:
    case 10:
        call_tcp(run);
        break;
    default:
        plausible_segment(run);
        break;
    }
}

static void check_limits(struct run *run)
{
    const struct stack *stack = run->stack;

    HOLDS(stack->tcp.connection_count <= CONNECTIONS_MAX);
    HOLDS(stack->tcp.table.count <= CONNECTIONS_MAX);
    HOLDS(stack->ip.queued_count <= stack->config.out_queue_max);
    HOLDS(stack->tcp.tcbs.count + stack->tcp.time_waits.count + stack->tcp.syn_receiveds.count <=
          CONNECTIONS_MAX + HANDLES); /* the latter: CLOSED, but held */
    HOLDS(stack->counters.syn_cookies_taken <= stack->counters.packets_in);
    HOLDS(run->listener == NULL || (run->listener->work->handshaking_count <= BACKLOG &&
                                    run->listener->work->accept_count <= BACKLOG));
}

/* The length of the script decides what else is special: SYN cookies for all, little memory. */
static struct stack *new_stack(struct run *run)
{
    enum { LITTLE_MEMORY_BYTES = 100000 };
    struct stack_config config;

    stack_config_init(&config);
    config.address[0] = ip_addr_from_v4(OUR_ADDRESS);
    config.address_count = 1;
    config.random = draw;
    config.random_context = &run->random_state;
    config.trace = look_at_event;
    config.connections_max = CONNECTIONS_MAX;
    config.handshakes_awake_max = 2;
    config.datagram_queue_max = 8;
    config.out_queue_max = 32;
    config.tcp.backlog = BACKLOG;
    config.tcp.send_buffer_bytes = 20000;
    config.tcp.send_buffer_max_bytes = 50000;
    config.tcp.receive_buffer_bytes = 8000;
    config.tcp.receive_buffer_max_bytes = 100000;
    if (run->script.len % 4 == 3)
        config.tcp.syn_cookies = TCP_SYN_COOKIES_ALWAYS;
    if (run->script.len % 8 == 5)
        config.memory_max_bytes = LITTLE_MEMORY_BYTES;
    return stack_new(&config, run->now_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct run run = {.script = {data, len}, .now_us = SECOND_US};
    struct tcb *ready;

    run.stack = new_stack(&run);
    HOLDS(run.stack != NULL);
    run.socket = udp_open(run.stack, UDP_PORT);
    close_or_open_listener(&run);
    for (unsigned i = 0; i < STEPS_MAX && run.script.len > 0; i++) {
        step(&run);
        pull(&run);
        while ((ready = stack_next_ready(run.stack)) != NULL)
            HOLDS(tcp_readiness(ready) != 0 || tcp_error(ready) == TCP_OK);
        HOLDS(stack_next_deadline_us(run.stack) > 0);
        check_limits(&run);
    }
    stack_free(run.stack);
    return 0;
}
