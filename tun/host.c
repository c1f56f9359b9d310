/* One turn after the other: packets out, wait, packets in, timers; then the application has its
 * turn, and so on. There are two clocks to do this by.
 *
 * Real time (a TUN device; the lab when someone types). The clock is read when a turn begins and
 * again only if the turn has waited. Packets are read before anything is waited for, so that under
 * load no time goes into poll() on the device; at most BATCH of them, then timers, then the
 * application, whose answer leaves together with the ACKs at the beginning of the next turn.
 *
 * Virtual time (the lab). Nothing waits: the clock jumps to the next event. These move it:
 *
 *     the lab        a packet arrives, or something happens at a far host
 *     a timer        of the stack or of the resolver
 *     output_at_us   the stack's answer to a packet leaves lab_stack_latency_us after it came in
 *     app_at_us      what came in is seen by the application lab_app_latency_us later
 *     wake_us        the application's own alarm clock
 *
 * Before each jump the application's descriptors are polled: what is ready there happens "now".
 * When no event is left, only they can bring news, and the turn waits for them in real time. The
 * same input at the same turns gives the same packets at the same times. An alarm of the
 * application goes off at once when nothing else is to come, however slow a person or a pipe may
 * be: who types wants real time.
 *
 * With --impair two simulated links stand between the stack and the TUN device, one for each
 * direction, with seeds of their own; the lab applies the text to its own links. They carry
 * ordinary packets, each with its own luck, so nothing is left to the device then.
 *
 * Invariants: after the device has gone each turn returns -1; a pcapng is flushed before a wait and
 * at the end of a turn, so that a pipe into Wireshark shows what is known. */
#include "host.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "batch.h"
#include "capture.h"
#include "lab.h"
#include "link.h"
#include "resolv.h"
#include "segments.h"
#include "tun.h"

enum {
    BATCH_IN = 64, /* packets read in one turn before timers and application */
    /* The same: what the cache holds until the application reads it. 64 super-segments would be 4
     * MB: with this bound and ring_rewind() a bulk transfer was 40 % faster (3.0 GB/s instead
     * of 2.2, medians of 5 on a busy machine). */
    BATCH_IN_BYTES = 256 * 1024,
    BATCH_OUT = 256, /* packets written in one turn before the next look at what came in */
    LOOK_US = 100,   /* see look_at() */
    LIVELY_US = 10000,
    YIELD_US = 200, /* see yield() */
    YIELD_PAUSE_MAX = 1023,
    RANDOM_POOL = 32,
    MTU_MIN_BYTES = 68, /* RFC 791 */
    MTU_MAX_BYTES = 65535,
};

static const char DEFAULT_TUN[] = "tun0";

struct host {
    struct stack *stack;
    struct dns_resolver *dns;
    struct capture *capture;
    trace_sink *trace;
    void *trace_context;

    struct tun tun;                    /* its fd is -1 in the lab */
    struct batch *batch;               /* packets to and from it; NULL in the lab */
    struct lab *lab;                   /* NULL: a TUN device */
    struct link *to_device, *to_stack; /* NULL: nothing is impaired */
    bool device_is_gone;
    bool has_more_output; /* the last batch ended before the stack said "none" */

    uint64_t now_us;
    uint64_t epoch_us;
    uint64_t clock_zero_us; /* what CLOCK_MONOTONIC says at time 0 */
    uint64_t spin_us, spin_now_us;
    bool is_virtual;
    uint64_t output_at_us, app_at_us; /* virtual time only; NEVER: nothing planned */
    bool has_news;                    /* something happened since the application's last turn */
    bool saw_app_matter;              /* an event that the application may wait for was traced */

    bool is_seeded;
    uint64_t random_state;
    uint64_t random_pool[RANDOM_POOL];
    unsigned random_left;

    struct pollfd *polled; /* the caller's descriptors, as last seen, behind the device's */
    nfds_t polled_room, seen_count;
    uint64_t seen_us, seen_news_us;   /* when that was, and when one of them had something */
    unsigned yield_pause, yield_left; /* turns without yield(), and how many of them are to come */
    uint8_t packet[TUN_PACKET_ROOM];
    uint8_t piece[SEGMENT_MAX_BYTES]; /* of a merged packet */
};

static int open_device(struct host *host, const struct host_config *config, char *error,
                       size_t room);
static int open_capture(struct host *host, const struct host_config *config, char *error,
                        size_t room);
static int open_stack(struct host *host, const struct host_config *config, char *error,
                      size_t room);
static int open_dns(struct host *host, const struct host_config *config, char *error, size_t room);
static void push_output(struct host *host);
static int step_real(struct host *host, struct pollfd *fds, nfds_t count, uint64_t wake_us);
static int step_virtual(struct host *host, struct pollfd *fds, nfds_t count, uint64_t wake_us);
static void free_host(struct host *host);

static uint64_t clock_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t earlier(uint64_t a_us, uint64_t b_us)
{
    return a_us < b_us ? a_us : b_us;
}

void host_config_init(struct host_config *config)
{
    *config = (struct host_config){0};
    stack_config_init(&config->stack);
    config->stack.mtu_bytes = 0;
}

struct host *host_open(const struct host_config *config, char *error, size_t room)
{
    struct host *host = calloc(1, sizeof *host);

    if (host == NULL) {
        snprintf(error, room, "out of memory");
        return NULL;
    }
    host->tun.fd = -1;
    host->output_at_us = NEVER;
    host->app_at_us = NEVER;
    host->trace = config->trace;
    host->trace_context = config->trace_context;
    host->is_seeded = config->has_seed;
    host->random_state = config->seed;
    host->spin_us = host->spin_now_us = config->spin_us;
    if (open_device(host, config, error, room) < 0 || open_capture(host, config, error, room) < 0 ||
        open_stack(host, config, error, room) < 0 || open_dns(host, config, error, room) < 0) {
        free_host(host);
        return NULL;
    }
    return host;
}

/* What the simulated link still holds is on its way already: it arrives. */
static void drain_link(struct host *host)
{
    struct link_packet packet;

    while (host->to_device != NULL && link_receive(host->to_device, &packet, UINT64_MAX))
        batch_write(host->batch, &(struct packet_out){.payload[0] = packet.bytes});
    if (host->batch != NULL)
        batch_flush(host->batch);
}

int host_close(struct host *host, char *error, size_t room)
{
    if (host == NULL)
        return 0;
    if (!host->is_virtual)
        host->now_us = clock_us(CLOCK_MONOTONIC) - host->clock_zero_us;
    do
        push_output(host);
    while (host->has_more_output && !host->device_is_gone);
    drain_link(host);
    int result = capture_close(host->capture);
    host->capture = NULL;
    if (result < 0)
        snprintf(error, room, "the capture could not be written: %s", strerror(errno));
    free_host(host);
    return result;
}

struct stack *host_stack(struct host *host)
{
    return host->stack;
}

struct dns_resolver *host_dns(struct host *host)
{
    return host->dns;
}

bool host_is_steered(const struct host *host)
{
    return host->tun.is_steered;
}

uint64_t host_now_us(const struct host *host)
{
    return host->now_us;
}

uint64_t host_epoch_us(const struct host *host)
{
    return host->epoch_us;
}

void host_resolved(struct host *host, const struct ip_addr *address, const char *name)
{
    if (host->capture != NULL)
        capture_name(host->capture, address, name);
}

int host_step(struct host *host, struct pollfd *fds, nfds_t count, uint64_t wake_us)
{
    for (nfds_t i = 0; i < count; i++)
        fds[i].revents = 0;
    if (host->device_is_gone)
        return -1;
    int result = host->is_virtual ? step_virtual(host, fds, count, wake_us)
                                  : step_real(host, fds, count, wake_us);
    if (host->capture != NULL)
        capture_flush(host->capture);
    return result;
}

/* ---- opening and closing ---- */

static void free_host(struct host *host)
{
    dns_free(host->dns);
    stack_free(host->stack);
    capture_close(host->capture);
    lab_free(host->lab);
    link_free(host->to_device);
    link_free(host->to_stack);
    batch_close(host->batch);
    tun_close(&host->tun);
    free(host->polled);
    free(host);
}

/* Without a seed the bits come from the kernel: sequence numbers, ports and DNS IDs are secrets. */
static uint64_t host_random(void *context)
{
    struct host *host = context;

    if (host->is_seeded)
        return link_random(&host->random_state);
    if (host->random_left == 0) {
        if (getrandom(host->random_pool, sizeof host->random_pool, 0) !=
            (ssize_t)sizeof host->random_pool)
            abort(); /* cannot be: requests of up to 256 bytes are never cut short */
        host->random_left = RANDOM_POOL;
    }
    return host->random_pool[--host->random_left];
}

static int open_lab(struct host *host, const struct host_config *config, char *error, size_t room)
{
    uint64_t seed = config->has_seed ? config->seed : LAB_DEFAULT_SEED;

    host->now_us = lab_start_us();
    host->epoch_us = lab_epoch_us();
    host->is_virtual = !config->lab_real_time;
    host->clock_zero_us = clock_us(CLOCK_MONOTONIC) - host->now_us;
    host->lab = lab_new(config->lab_scenario, config->impair, seed, host->now_us, error, room);
    return host->lab != NULL ? 0 : -1;
}

static int open_impairment(struct host *host, const struct host_config *config, char *error,
                           size_t room)
{
    struct link_config link = {0};

    if (config->impair == NULL)
        return 0;
    if (!link_config_parse(config->impair, &link, error, room))
        return -1;
    host->to_device = link_new(&link, host_random(host));
    host->to_stack = link_new(&link, host_random(host));
    if (host->to_device != NULL && host->to_stack != NULL)
        return 0;
    snprintf(error, room, "out of memory");
    return -1;
}

static int open_device(struct host *host, const struct host_config *config, char *error,
                       size_t room)
{
    const char *name = config->tun_name != NULL ? config->tun_name : DEFAULT_TUN;

    if (config->use_lab)
        return open_lab(host, config, error, room);
    host->clock_zero_us = clock_us(CLOCK_MONOTONIC);
    host->epoch_us = clock_us(CLOCK_REALTIME);
    if (open_impairment(host, config, error, room) < 0)
        return -1;
    bool has_offload = !config->no_offload && config->impair == NULL;
    struct tun_options options = {.offloads = has_offload ? TUN_OFFLOAD_ALL : 0,
                                  .is_queue = config->queue_count > 1};
    if (tun_open_as(&host->tun, name, &options, error, room) < 0)
        return -1;
    host->batch = batch_open(&host->tun, !config->no_io_uring);
    if (host->batch != NULL)
        return 0;
    snprintf(error, room, "out of memory");
    return -1;
}

/* Events go to the capture first: a sink of the application may end the program. */
static void on_trace(void *context, const struct trace_event *event)
{
    struct host *host = context;

    if (event->kind == TRACE_STATE || event->kind == TRACE_ERROR || event->kind == TRACE_DNS)
        host->saw_app_matter = true;
    if (host->capture != NULL)
        capture_event(host->capture, event);
    if (host->trace != NULL)
        host->trace(host->trace_context, event);
}

static int open_capture(struct host *host, const struct host_config *config, char *error,
                        size_t room)
{
    if (config->pcapng_path == NULL)
        return 0;
    host->capture =
        capture_open(config->pcapng_path, host->lab != NULL ? "lab" : host->tun.name,
                     host->lab != NULL ? "tuntcp lab" : "tuntcp", host->epoch_us, error, room);
    return host->capture != NULL ? 0 : -1;
}

/* The stack's address: as given, or the device's other end. */
static int choose_address(const struct host *host, const struct host_config *config,
                          struct stack_config *stack, char *error, size_t room)
{
    char text[IP_ADDR_TEXT_BYTES];

    stack->address_count = 1;
    if (config->has_address)
        stack->address[0] = config->address;
    else if (host->lab == NULL)
        stack->address[0] = host->tun.stack_address;
    bool has_none = memcmp(&stack->address[0], &(struct ip_addr){0}, sizeof(struct ip_addr)) == 0;
    if (has_none) {
        snprintf(
            error, room,
            "%s: has no address: run \"sudo scripts/setup\" once, or give ours with -s ADDRESS",
            host->tun.name);
        return -1;
    }
    ip_addr_format(&stack->address[0], text);
    if (!ip_addr_is_valid_source(&stack->address[0])) {
        snprintf(error, room, "%s cannot be an address of ours: expected one such as 10.0.0.2",
                 text);
        return -1;
    }
    if (host->lab == NULL && ip_addr_equal(&stack->address[0], &host->tun.kernel_address)) {
        snprintf(error, room, "%s is the kernel's own address on %s: take the other end's", text,
                 host->tun.name);
        return -1;
    }
    return 0;
}

static int choose_mtu(const struct host *host, const struct host_config *config,
                      struct stack_config *stack, char *error, size_t room)
{
    unsigned device_bytes = host->lab != NULL ? 1500 : host->tun.mtu_bytes;

    if (device_bytes > MTU_MAX_BYTES)
        device_bytes = MTU_MAX_BYTES;
    unsigned mtu_bytes = config->stack.mtu_bytes > 0 ? config->stack.mtu_bytes : device_bytes;
    if (mtu_bytes < MTU_MIN_BYTES || mtu_bytes > device_bytes) {
        snprintf(error, room, "an MTU of %u does not fit: expected %d to %u, the device's own",
                 mtu_bytes, MTU_MIN_BYTES, device_bytes);
        return -1;
    }
    stack->mtu_bytes = (uint16_t)mtu_bytes;
    return 0;
}

static int open_stack(struct host *host, const struct host_config *config, char *error, size_t room)
{
    struct stack_config stack = config->stack;

    stack.random = host_random;
    stack.random_context = host;
    stack.queue = config->queue;
    stack.queue_count = host->tun.is_steered ? config->queue_count : 0;
    if (host->tun.offloads & TUN_OFFLOAD_CHECKSUM)
        stack.checksum_offload = true;
    if (host->tun.offloads & TUN_OFFLOAD_TCP4)
        stack.gso_max_bytes = STACK_GSO_MAX_BYTES;
    if (host->lab != NULL)
        lab_client_config(host->lab, &stack);
    if (choose_address(host, config, &stack, error, room) < 0 ||
        choose_mtu(host, config, &stack, error, room) < 0)
        return -1;
    if (host->capture != NULL || host->trace != NULL || host->is_virtual) {
        stack.trace = on_trace;
        stack.trace_context = host;
    }
    host->stack = stack_new(&stack, host->now_us);
    if (host->stack != NULL)
        return 0;
    snprintf(error, room, "out of memory");
    return -1;
}

/* Without a server there is no resolver: addresses can be used, names cannot. */
static int open_dns(struct host *host, const struct host_config *config, char *error, size_t room)
{
    struct dns_config dns;

    /* The ten seconds of resolv.conf(5) in more and shorter tries: at 20 % loss each way two would
     * fail one time in eight. */
    dns_config_init(&dns);
    dns.timeout_us = 2000000;
    dns.attempts = 5;
    dns.server_count = config->dns_server_count;
    memcpy(dns.server, config->dns_server, sizeof dns.server);
    if (dns.server_count == 0 && host->lab != NULL) {
        dns.server[0] = lab_dns_server(host->lab);
        dns.server_count = 1;
    } else if (dns.server_count == 0) {
        dns.server_count = resolv_servers(NULL, dns.server, DNS_SERVERS_MAX);
    }
    if (dns.server_count == 0)
        return 0;
    host->dns = dns_new(host->stack, &dns);
    if (host->dns != NULL)
        return 0;
    snprintf(error, room, "out of memory");
    return -1;
}

/* ---- packets ---- */

static void write_device(struct host *host, const struct packet_out *out)
{
    if (host->lab != NULL)
        lab_send(host->lab, out, host->now_us);
    else if (batch_write(host->batch, out) < 0)
        host->device_is_gone = true;
}

static void write_impaired(struct host *host, const struct packet_out *out)
{
    struct link_packet packet = {
        .bytes = {host->packet, packet_out_copy(out, host->packet, sizeof host->packet)}};

    link_send(host->to_device, &packet, host->now_us);
}

/* What has come to the end of the simulated link. */
static void pass_on_impaired(struct host *host)
{
    struct link_packet packet;

    while (host->to_device != NULL && link_receive(host->to_device, &packet, host->now_us))
        write_device(host, &(struct packet_out){.payload[0] = packet.bytes});
}

static void push_output(struct host *host)
{
    struct packet_out out;
    unsigned count = 0;

    while (count < BATCH_OUT && !host->device_is_gone &&
           stack_output(host->stack, &out, host->now_us)) {
        if (host->to_device != NULL)
            write_impaired(host, &out);
        else
            write_device(host, &out);
        count++;
    }
    host->has_more_output = count == BATCH_OUT;
    pass_on_impaired(host);
    if (host->batch != NULL && batch_flush(host->batch) < 0)
        host->device_is_gone = true;
}

static void input(struct host *host, const struct packet_in *in)
{
    stack_input(host->stack, in, host->now_us);
    if (host->dns != NULL)
        dns_on_time(host->dns, host->now_us);
}

/* Merged segments are one arrival. Merged datagrams are many, for UDP keeps them apart, and an ICMP
 * error may quote one: with its checksum, so that is finished. */
static void input_from_device(struct host *host, const struct packet_in *in)
{
    bool may_be_udp =
        in->checksum_needed ? in->checksum_offset != TCP_CHECKSUM_OFFSET : in->segment_bytes > 0;
    struct segments pieces;
    size_t len;

    pieces.is_udp = false; /* to fill all of it with zeros for each packet is 0.1 us */
    if (may_be_udp && in->drop == DROP_NOT)
        segments_of_in(&pieces, in);
    if (!pieces.is_udp) {
        input(host, in);
        return;
    }
    while ((len = segments_next(&pieces, host->piece)) > 0)
        input(host,
              &(struct packet_in){.bytes = {host->piece, len}, .checksum_ok = in->checksum_ok});
}

static unsigned take_from_lab(struct host *host)
{
    struct packet_in in;
    unsigned count = 0;

    lab_on_time(host->lab, host->now_us);
    while (count < BATCH_IN && lab_receive(host->lab, &in, host->now_us)) {
        input(host, &in);
        count++;
    }
    return count;
}

static unsigned take_from_link(struct host *host)
{
    struct link_packet packet;
    unsigned count = 0;

    while (count < BATCH_IN && link_receive(host->to_stack, &packet, host->now_us)) {
        input(host, &(struct packet_in){.bytes = packet.bytes});
        count++;
    }
    return count;
}

static unsigned take_from_tun(struct host *host)
{
    struct packet_in in;
    unsigned count = 0;
    size_t bytes = 0;

    while (count < BATCH_IN && bytes < BATCH_IN_BYTES) {
        int result = batch_read(host->batch, &in);
        if (result < 0)
            host->device_is_gone = true;
        if (result <= 0)
            break;
        if (host->to_stack != NULL)
            link_send(host->to_stack, &(struct link_packet){.bytes = in.bytes}, host->now_us);
        else
            input_from_device(host, &in);
        bytes += in.bytes.len;
        count++;
    }
    if (host->to_stack != NULL)
        count += take_from_link(host);
    return count;
}

/* At most about BATCH_IN packets; how many. */
static unsigned take_input(struct host *host)
{
    return host->lab != NULL ? take_from_lab(host) : take_from_tun(host);
}

/* ---- time ---- */

static uint64_t timer_us(const struct host *host)
{
    uint64_t stack_us = stack_next_deadline_us(host->stack);

    return host->dns != NULL ? earlier(stack_us, dns_next_deadline_us(host->dns)) : stack_us;
}

static void run_timers(struct host *host)
{
    if (timer_us(host) > host->now_us)
        return;
    stack_on_time(host->stack, host->now_us);
    if (host->dns != NULL)
        dns_on_time(host->dns, host->now_us);
}

/* When something other than a packet from the TUN device happens next. */
static uint64_t next_event_us(const struct host *host)
{
    uint64_t next_us = timer_us(host);

    if (host->lab != NULL)
        next_us = earlier(next_us, lab_next_deadline_us(host->lab));
    if (host->to_device != NULL)
        next_us = earlier(next_us, link_next_us(host->to_device));
    if (host->to_stack != NULL)
        next_us = earlier(next_us, link_next_us(host->to_stack));
    return next_us;
}

/* ---- a turn in real time ---- */

static bool reserve_polled(struct host *host, nfds_t count)
{
    if (count <= host->polled_room)
        return true;
    struct pollfd *polled = realloc(host->polled, count * sizeof *polled);
    if (polled == NULL)
        return false;
    host->polled = polled;
    host->polled_room = count;
    return true;
}

/* Keep what is known of the caller's descriptors now. */
static bool note_seen(struct host *host, const struct pollfd *fds, nfds_t count)
{
    bool has_news = false;

    if (!reserve_polled(host, 1 + count))
        return false;
    for (nfds_t i = 0; i < count; i++) {
        host->polled[1 + i] = fds[i];
        has_news = has_news || fds[i].revents != 0;
    }
    host->seen_count = count;
    host->seen_us = host->now_us;
    if (has_news)
        host->seen_news_us = host->now_us;
    return has_news;
}

static bool are_same_as_seen(const struct host *host, const struct pollfd *fds, nfds_t count)
{
    if (count != host->seen_count)
        return false;
    for (nfds_t i = 0; i < count; i++)
        if (fds[i].fd != host->polled[1 + i].fd || fds[i].events != host->polled[1 + i].events)
            return false;
    return true;
}

/* Whether the caller's descriptors have something, without waiting. Those that have had nothing for
 * LIVELY_US are asked every LOOK_US only (a ping-pong takes 4 % less time). */
static bool look_at(struct host *host, struct pollfd *fds, nfds_t count)
{
    if (count == 0)
        return false;
    if (host->now_us < host->seen_us + LOOK_US && host->now_us >= host->seen_news_us + LIVELY_US &&
        are_same_as_seen(host, fds, count)) {
        for (nfds_t i = 0; i < count; i++)
            fds[i].revents = 0;
        return false;
    }
    poll(fds, count, 0);
    return note_seen(host, fds, count);
}

/* Look for a packet, or something at the caller's descriptors, without sleeping: to wake up costs
 * ten times what an answer takes. As long as that succeeds spin_us are spent on it; each time that
 * it does not, half as much as the last time, down to a sixteenth. */
static bool spin(struct host *host, struct pollfd *fds, nfds_t count, uint64_t until_us)
{
    uint64_t end_us = earlier(until_us, host->now_us + host->spin_now_us);
    bool has_news = false;

    while (!has_news && host->now_us < end_us && !host->device_is_gone) {
        host->now_us = clock_us(CLOCK_MONOTONIC) - host->clock_zero_us;
        has_news = take_input(host) > 0 || look_at(host, fds, count);
    }
    host->spin_now_us = has_news ? host->spin_us : host->spin_now_us / 2;
    if (host->spin_now_us < host->spin_us / 16)
        host->spin_now_us = host->spin_us / 16;
    return has_news;
}

/* Before we sleep, whoever else wants this processor may have it: if it is our peer, the answer is
 * there when we come back, and neither has to be woken (a ping-pong on one processor takes 4 % less
 * time). In vain, or if others keep it for long, we sleep at once the next times, twice as often
 * each time. */
static bool yield(struct host *host)
{
    uint64_t before_us = host->now_us;

    if (host->yield_left > 0) {
        host->yield_left--;
        return false;
    }
    sched_yield();
    host->now_us = clock_us(CLOCK_MONOTONIC) - host->clock_zero_us;
    bool has_input = take_input(host) > 0;
    if (has_input && host->now_us < before_us + YIELD_US)
        host->yield_pause = 0;
    else if (host->yield_pause < YIELD_PAUSE_MAX)
        host->yield_pause = 2 * host->yield_pause + 1;
    host->yield_left = host->yield_pause;
    return has_input;
}

/* Wait for the device, the caller's descriptors, or until `until_us` (NEVER: no limit). A signal
 * ends the wait. */
static void wait_until(struct host *host, struct pollfd *fds, nfds_t count, uint64_t until_us)
{
    uint64_t left_us = until_us > host->now_us ? until_us - host->now_us : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left_us / 1000000),
                               .tv_nsec = (long)(left_us % 1000000) * 1000};

    if (!reserve_polled(host, 1 + count))
        return;
    /* in the lab its fd is -1, which ppoll() passes over */
    host->polled[0] = (struct pollfd){.fd = host->tun.fd, .events = POLLIN};
    if (count > 0)
        memcpy(host->polled + 1, fds, count * sizeof *fds);
    int result = ppoll(host->polled, 1 + count, until_us == NEVER ? NULL : &timeout, NULL);
    host->now_us = clock_us(CLOCK_MONOTONIC) - host->clock_zero_us;
    if (result < 0)
        return; /* EINTR: the caller looks what the signal wants */
    if (count > 0)
        memcpy(fds, host->polled + 1, count * sizeof *fds);
    note_seen(host, fds, count);
    if ((host->polled[0].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
        host->device_is_gone = true;
}

/* Until something happens. */
static void rest(struct host *host, struct pollfd *fds, nfds_t count, uint64_t until_us)
{
    if (host->capture != NULL)
        capture_flush(host->capture);
    if (host->spin_us > 0 && spin(host, fds, count, until_us))
        return;
    if (yield(host)) {
        look_at(host, fds, count);
        return;
    }
    wait_until(host, fds, count, until_us);
    take_input(host);
}

static int step_real(struct host *host, struct pollfd *fds, nfds_t count, uint64_t wake_us)
{
    host->now_us = clock_us(CLOCK_MONOTONIC) - host->clock_zero_us;
    push_output(host);
    if (take_input(host) > 0 || host->has_more_output) {
        look_at(host, fds, count);
    } else {
        rest(host, fds, count, earlier(wake_us, next_event_us(host)));
    }
    run_timers(host);
    return host->device_is_gone ? -1 : 0;
}

/* ---- a turn in virtual time ---- */

/* Everything that is due now, except the application. */
static void run_due(struct host *host)
{
    bool has_input = false;

    while (take_input(host) > 0)
        has_input = true;
    if (has_input) {
        host->output_at_us =
            earlier(host->output_at_us, host->now_us + lab_stack_latency_us(host->lab));
        host->app_at_us = earlier(host->app_at_us, host->now_us + lab_app_latency_us(host->lab));
        host->has_news = true;
    }
    if (timer_us(host) <= host->now_us) {
        host->saw_app_matter = false;
        run_timers(host);
        host->output_at_us = host->now_us;
        host->has_news = true;
        if (host->saw_app_matter)
            host->app_at_us =
                earlier(host->app_at_us, host->now_us + lab_app_latency_us(host->lab));
    }
    if (host->output_at_us > host->now_us)
        return;
    do
        push_output(host);
    while (host->has_more_output);
    host->output_at_us = NEVER;
}

static bool is_any_ready(struct pollfd *fds, nfds_t count)
{
    return count > 0 && poll(fds, count, 0) != 0; /* an interrupting signal is news, too */
}

/* Is it the application's turn? */
static bool is_app_due(struct host *host, struct pollfd *fds, nfds_t count, uint64_t wake_us)
{
    bool is_ready = is_any_ready(fds, count);

    return is_ready || host->app_at_us <= host->now_us || wake_us <= host->now_us;
}

/* Does the application wait until somebody reads what it writes? */
static bool awaits_reader(const struct pollfd *fds, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++)
        if ((fds[i].events & POLLOUT) != 0)
            return true;
    return false;
}

static int step_virtual(struct host *host, struct pollfd *fds, nfds_t count, uint64_t wake_us)
{
    if (host->output_at_us == NEVER) /* the application has had its turn: send what it wants sent */
        host->output_at_us = host->now_us;
    for (;;) {
        run_due(host);
        if (is_app_due(host, fds, count, wake_us))
            break;
        uint64_t next_us = earlier(next_event_us(host), earlier(host->output_at_us, wake_us));
        next_us = earlier(next_us, host->app_at_us);
        /* A reader outside lives in real time. Without this, virtual hours would pass until it
         * reads on, and the far end would give up. */
        if (next_us > host->now_us && awaits_reader(fds, count)) {
            poll(fds, count, -1);
            break;
        }
        if (next_us != NEVER) {
            if (next_us > host->now_us)
                host->now_us = next_us;
            continue;
        }
        if (host->has_news) /* of timers that the application has not seen */
            break;
        if (count == 0)
            return 1;
        poll(fds, count, -1);
        break;
    }
    if (host->app_at_us <= host->now_us)
        host->app_at_us = NEVER;
    host->has_news = false;
    return 0;
}
