/* A device, a clock and a stack in one loop: what an application holds. The device is a TUN device
 * or the lab; with --impair a simulated link stands in front of either. */
#ifndef TUNTCP_HOST_H
#define TUNTCP_HOST_H

#include <poll.h>

#include "../stack/dns/dns.h"
#include "../stack/stack.h"
#include "../stack/tcp/tcp.h"
#include "../stack/udp/udp.h"

struct host_config {
    const char *tun_name; /* NULL: "tun0" */
    bool no_offload;      /* ordinary packets with checksums of our own, also where the device can
                             cut and sum; always so behind a simulated link, which models those */
    bool no_io_uring;     /* a system call for each packet, also where the kernel would take many */
    /* This is queue `queue` of `queue_count` of the device, each with a host of its own, opened in
     * this order: see tun.h. 0 or 1: it has the device alone. */
    unsigned queue, queue_count;
    uint64_t spin_us; /* look so long for the next packet before sleeping; 0: sleep at once */
    bool use_lab;
    const char *lab_scenario; /* NULL: clean */
    bool lab_real_time;       /* someone types: let the lab run in real time */
    const char *impair;       /* link_config_parse() text; NULL: none */
    bool has_address;         /* ours; otherwise taken from the device (or the lab) */
    struct ip_addr address;
    struct ip_addr dns_server[DNS_SERVERS_MAX]; /* count 0: resolv.conf, or the lab's */
    unsigned dns_server_count;
    bool has_seed; /* otherwise getrandom(); the lab has its own default */
    uint64_t seed;
    const char *pcapng_path; /* NULL: no capture; "-": standard output */
    /* What the stack starts with; addresses, randomness and trace are the host's business. An
     * mtu_bytes of 0 is the device's. */
    struct stack_config stack;
    trace_sink *trace; /* NULL: none */
    void *trace_context;
};

struct host;

void host_config_init(struct host_config *config);
/* NULL with one line in `error` that says what is wrong and what to do. */
struct host *host_open(const struct host_config *config, char *error, size_t room);
/* Sends what is still to be sent, closes the capture. 0, or -1 with a line in `error` if the
 * capture could not be written. NULL is fine. */
int host_close(struct host *host, char *error, size_t room);

struct stack *host_stack(struct host *host);
struct dns_resolver *host_dns(struct host *host); /* NULL: no server is known */
/* One of several queues: does it get what is sent to the connections that we open on it? */
bool host_is_steered(const struct host *host);
/* The stack's time as of the last turn: starts at 0 with host_open(), in the lab at lab_start_us().
 */
uint64_t host_now_us(const struct host *host);
/* Microseconds since 1970 at which host_now_us() was 0. */
uint64_t host_epoch_us(const struct host *host);
/* A name was resolved: goes into the capture. */
void host_resolved(struct host *host, const struct ip_addr *address, const char *name);

/* One turn: packets out; wait until the device has a packet, a timer fires, one of fds[0..count)
 * is ready (revents are filled in as by poll()), or `wake_us` (NEVER: none) has come; packets in;
 * timers. Returns 0; -1 when the device is gone; 1 when in the lab nothing will ever happen again
 * and no descriptor is waited for. Signals interrupt the wait and give 0. */
int host_step(struct host *host, struct pollfd *fds, nfds_t count, uint64_t wake_us);

#endif
