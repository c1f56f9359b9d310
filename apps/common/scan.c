/* Which ports are open, one after the other, so that the rows of -v read as a list of handshakes.
 *
 * TCP answers clearly: SYN-ACK is open, RST is closed, and silence is a time-out. UDP does not:
 * only a closed port answers for certain, with ICMP port unreachable (RFC 1122 4.1.3.1); silence
 * may mean a service that does not understand the probe, a firewall, a loss, or a kernel that
 * spares its ICMP (Linux: about one a second to each host), so it counts as open and is called what
 * it is.
 *
 * Of one port the failure is said always; of several only with -v, because most are closed. */
#include "scan.h"

#include <stdio.h>

#include "signals.h"

enum {
    HANG_UP_US = 1000000,   /* how long a connection may take to close */
    UDP_PROBE_US = 1000000, /* how long a refusal may take, without -w */
};

struct scan {
    const struct scan_config *config;
    struct session *session;
    const struct ip_addr *address;
    char peer[DIAL_PEER_BYTES];
    char why[DIAL_WHY_BYTES];
    bool says_failures;
    unsigned open_count;
};

static enum exit_code scan_range(struct scan *scan, struct port_range range);
static enum exit_code scan_tcp(struct scan *scan, uint16_t port);
static enum exit_code hang_up(struct session *session, struct tcb *tcb);
static enum exit_code scan_udp(struct scan *scan, uint16_t port);
static ptrdiff_t await_datagram(struct session *session, struct udp_socket *socket,
                                uint64_t deadline_us);

enum exit_code scan_run(struct session *session, const struct scan_config *config)
{
    bool is_single = config->range_count == 1 && config->range[0].first == config->range[0].last;
    struct scan scan = {.config = config,
                        .session = session,
                        .address = &config->target->address[0],
                        .says_failures = is_single || session->say.verbosity > 0};
    enum exit_code code = EXIT_OK;

    dial_describe(config->target, scan.address, scan.peer);
    for (unsigned i = 0; i < config->range_count && code == EXIT_OK; i++)
        code = scan_range(&scan, config->range[i]);
    if (code != EXIT_OK || scan.open_count > 0)
        return code;
    if (!is_single)
        say_error(&session->say, "none of these ports is open at %s", scan.peer);
    return EXIT_NETWORK;
}

static enum exit_code scan_range(struct scan *scan, struct port_range range)
{
    /* Wider than a port: a 16-bit counter would never pass 65535. */
    for (uint32_t number = range.first; number <= range.last; number++) {
        uint16_t port = (uint16_t)number;
        enum exit_code code = scan->config->udp ? scan_udp(scan, port) : scan_tcp(scan, port);
        if (code != EXIT_OK && code != EXIT_NETWORK)
            return code;
        scan->open_count += code == EXIT_OK;
        if (code == EXIT_NETWORK && scan->says_failures)
            dial_say_failed(scan->session, scan->peer, scan->config->udp ? "udp" : "tcp", port,
                            scan->why);
    }
    return EXIT_OK;
}

static enum exit_code scan_tcp(struct scan *scan, uint16_t port)
{
    struct tcb *tcb = NULL;
    enum exit_code code =
        dial_connect(scan->session, &scan->config->dial, scan->address, port, &tcb, scan->why);

    if (code != EXIT_OK)
        return code;
    dial_say_connected(scan->session, scan->peer, port);
    return hang_up(scan->session, tcb);
}

/* Close, and stay until the peer has acknowledged it: leaving at once would leave it waiting. What
 * a talkative server has sent by then is thrown away. */
static enum exit_code hang_up(struct session *session, struct tcb *tcb)
{
    uint64_t deadline_us = session_after(session, HANG_UP_US);
    enum turn turn = TURN_OK;
    struct bytes unread;

    tcp_shutdown(tcb);
    while ((tcp_readiness(tcb) & (TCP_FINISHED | TCP_FAILED)) == 0 && turn == TURN_OK &&
           session_now_us(session) < deadline_us && signals_count() == 0)
        turn = session_turn(session, NULL, 0, deadline_us);
    while ((unread = tcp_receive_peek(tcb)).len > 0)
        tcp_receive_consume(tcb, unread.len);
    tcp_close(tcb);
    if (turn == TURN_DEVICE_GONE)
        return EXIT_ENVIRONMENT;
    return signals_count() > 0 ? EXIT_INTERRUPTED : EXIT_OK;
}

/* The probe is an empty datagram. */
static enum exit_code scan_udp(struct scan *scan, uint16_t port)
{
    const struct dial_options *dial = &scan->config->dial;
    struct session *session = scan->session;
    uint64_t wait_us = dial->timeout_us == NEVER ? UDP_PROBE_US : dial->timeout_us;
    struct udp_socket *socket = udp_open(host_stack(session->host), dial->local_port);

    if (socket == NULL) {
        say_error(&session->say, "our UDP port %u is taken: choose another one with -p",
                  dial->local_port);
        return EXIT_ENVIRONMENT;
    }
    udp_connect(socket, scan->address, port);
    udp_send(socket, dial->local, scan->address, port, (struct bytes){0}, "a probe: is it open?");
    ptrdiff_t result = await_datagram(session, socket, session_after(session, wait_us));
    udp_close(socket);
    if (signals_count() > 0)
        return EXIT_INTERRUPTED;
    if (result == UDP_ERR_REFUSED || result == UDP_ERR_UNREACHABLE) {
        snprintf(scan->why, sizeof scan->why, "%s (ICMP)",
                 result == UDP_ERR_REFUSED ? "refused" : "unreachable");
        return EXIT_NETWORK;
    }
    say_note(&session->say, "%s %u port [udp/%s] %s", scan->peer, port, port_service(port, "udp"),
             result >= 0 ? "answered" : "did not refuse: open, or filtered");
    return EXIT_OK;
}

static ptrdiff_t await_datagram(struct session *session, struct udp_socket *socket,
                                uint64_t deadline_us)
{
    ptrdiff_t result = UDP_NOTHING;
    uint8_t byte;

    while (result == UDP_NOTHING && session_now_us(session) < deadline_us && signals_count() == 0 &&
           session_turn(session, NULL, 0, deadline_us) == TURN_OK)
        result = udp_receive(socket, &byte, sizeof byte, NULL);
    return result;
}
