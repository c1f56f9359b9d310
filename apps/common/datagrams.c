/* stdin and stdout at the two ends of a UDP socket (RFC 768).
 *
 * One read() from stdin is one datagram: a line when somebody types, one write() of the program at
 * the other end of a pipe, and pieces of DATAGRAM_MAX_BYTES from a file, as in nc. Larger ones than
 * the MTU travel in fragments. A datagram that comes is kept until stdout has taken all of it; what
 * arrives meanwhile waits in the socket's queue and is dropped, and counted, when that is full: UDP
 * has no flow control, and here one can watch it.
 *
 * Nothing in UDP says that the peer has ended. So a run ends by the clock (-q after the end of
 * stdin, -i when idle), by ^C, by an ICMP error, or, in the lab, when nothing is under way.
 *
 * Steps of a turn return RUNNING, or an exit code to end with. */
#include "datagrams.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "signals.h"

enum { DATAGRAM_MAX_BYTES = 16384, RECEIVE_MAX_BYTES = 65536 };

struct datagrams {
    const struct datagrams_config *config;
    struct session *session;
    struct datagrams_counts *counts;
    struct udp_socket *socket;
    bool has_peer;
    struct ip_addr peer;
    uint16_t peer_port;

    uint8_t outgoing[2 * DATAGRAM_MAX_BYTES]; /* twice: with -C each LF may become two bytes */
    size_t outgoing_bytes;
    bool has_outgoing; /* there is one to send, perhaps again: the queue was full */
    uint8_t incoming[RECEIVE_MAX_BYTES];
    struct bytes unwritten; /* of `incoming` */

    bool input_ended;
    uint64_t input_ended_us;
    uint64_t moved_us;
    struct pollfd fds[2];
    nfds_t fd_count;
    int input_slot, output_slot;
};

static enum exit_code run(struct datagrams *d);
static enum exit_code one_turn(struct datagrams *d);
static void choose_fds(struct datagrams *d);
static uint64_t wake_us(const struct datagrams *d);
static enum exit_code step_receive(struct datagrams *d);
static enum exit_code write_out(struct datagrams *d, bool is_ready);
static enum exit_code receive_failed(const struct datagrams *d, ptrdiff_t error);
static void remember_peer(struct datagrams *d, const struct flow_id *from);
static enum exit_code step_read(struct datagrams *d);
static size_t make_crlf(const uint8_t *data, size_t len, uint8_t *out);
static enum exit_code step_send(struct datagrams *d);
static enum exit_code step_clocks(struct datagrams *d);

enum exit_code datagrams_run(struct session *session, const struct datagrams_config *config,
                             struct datagrams_counts *counts)
{
    struct datagrams d = {
        .config = config,
        .session = session,
        .counts = counts,
        .has_peer = config->has_peer,
        .peer = config->peer,
        .peer_port = config->peer_port,
        .input_ended = config->input_fd < 0,
        .input_ended_us = config->input_fd < 0 ? session_now_us(session) : NEVER,
        .moved_us = session_now_us(session),
    };

    d.socket = udp_open(host_stack(session->host), config->local_port);
    if (d.socket == NULL) {
        say_error(&session->say, "UDP port %u is taken: choose another one", config->local_port);
        return EXIT_ENVIRONMENT;
    }
    if (d.has_peer)
        udp_connect(d.socket, &d.peer, d.peer_port);
    enum exit_code code = run(&d);
    udp_close(d.socket);
    return code;
}

static enum exit_code run(struct datagrams *d)
{
    enum exit_code code = RUNNING;

    while (code == RUNNING)
        code = one_turn(d);
    return code;
}

static enum exit_code one_turn(struct datagrams *d)
{
    enum exit_code (*const steps[])(struct datagrams *) = {step_receive, step_read, step_send,
                                                           step_clocks};
    enum exit_code code = RUNNING;

    choose_fds(d);
    switch (session_turn(d->session, d->fds, d->fd_count, wake_us(d))) {
    case TURN_OK:
        break;
    case TURN_NOTHING_LEFT:
        return EXIT_OK;
    case TURN_DEVICE_GONE:
        return EXIT_ENVIRONMENT;
    }
    if (signals_count() > 0) {
        say_error(&d->session->say, "interrupted");
        return EXIT_INTERRUPTED;
    }
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && code == RUNNING; i++)
        code = steps[i](d);
    return code;
}

static void choose_fds(struct datagrams *d)
{
    d->fd_count = 0;
    d->input_slot = d->output_slot = -1;
    if (!d->input_ended && !d->has_outgoing && d->has_peer) {
        d->input_slot = (int)d->fd_count;
        d->fds[d->fd_count++] = (struct pollfd){.fd = d->config->input_fd, .events = POLLIN};
    }
    if (d->config->output->is_blocked) {
        d->output_slot = (int)d->fd_count;
        d->fds[d->fd_count++] = (struct pollfd){.fd = d->config->output->fd, .events = POLLOUT};
    }
}

static uint64_t wake_us(const struct datagrams *d)
{
    const struct datagrams_config *config = d->config;
    uint64_t wake = NEVER;

    if (d->has_outgoing)
        return session_now_us(d->session);
    if (config->idle_timeout_us != NEVER)
        wake = d->moved_us + config->idle_timeout_us;
    if (!d->has_peer && config->wait_until_us != NEVER)
        wake = config->wait_until_us < wake ? config->wait_until_us : wake;
    if (config->quit_delay_us != NEVER && d->input_ended_us != NEVER &&
        d->input_ended_us + config->quit_delay_us < wake)
        wake = d->input_ended_us + config->quit_delay_us;
    return wake;
}

static enum exit_code step_receive(struct datagrams *d)
{
    enum exit_code code = write_out(d, d->output_slot >= 0 && d->fds[d->output_slot].revents != 0);

    while (code == RUNNING && d->unwritten.len == 0) {
        struct flow_id from;
        ptrdiff_t len = udp_receive(d->socket, d->incoming, sizeof d->incoming, &from);
        if (len == UDP_NOTHING)
            return RUNNING;
        if (len < 0)
            return receive_failed(d, len);
        remember_peer(d, &from);
        d->counts->bytes_received += (uint64_t)len;
        d->moved_us = session_now_us(d->session);
        d->unwritten = (struct bytes){d->incoming, (size_t)len};
        code = write_out(d, false);
    }
    return code;
}

static enum exit_code write_out(struct datagrams *d, bool is_ready)
{
    while (d->unwritten.len > 0) {
        ptrdiff_t written = output_write(d->config->output, d->unwritten, is_ready);
        if (written == 0)
            return RUNNING;
        if (written < 0 && errno == EPIPE)
            return EXIT_NETWORK;
        if (written < 0) {
            say_error(&d->session->say, "cannot write to standard output: %s", strerror(errno));
            return EXIT_ENVIRONMENT;
        }
        d->unwritten = bytes_skip(d->unwritten, (size_t)written);
        is_ready = false;
    }
    return RUNNING;
}

static enum exit_code receive_failed(const struct datagrams *d, ptrdiff_t error)
{
    char number[IP_ADDR_TEXT_BYTES];

    if (d->config->answers_everyone)
        return RUNNING; /* one of many has gone */
    ip_addr_format(&d->peer, number);
    say_error(&d->session->say, "%s port %u (udp): %s", number, d->peer_port,
              error == UDP_ERR_REFUSED ? "connection refused (ICMP port unreachable)"
                                       : "unreachable (ICMP)");
    return EXIT_NETWORK;
}

static void remember_peer(struct datagrams *d, const struct flow_id *from)
{
    char number[IP_ADDR_TEXT_BYTES];
    bool is_known =
        d->has_peer && d->peer_port == from->remote_port && ip_addr_equal(&d->peer, &from->remote);

    if (is_known || (d->has_peer && !d->config->answers_everyone))
        return;
    d->has_peer = true;
    d->peer = from->remote;
    d->peer_port = from->remote_port;
    if (!d->config->answers_everyone)
        udp_connect(d->socket, &d->peer, d->peer_port);
    ip_addr_format(&d->peer, number);
    say_note(&d->session->say, "Connection received on %s %u", number, d->peer_port);
}

static enum exit_code step_read(struct datagrams *d)
{
    uint8_t data[DATAGRAM_MAX_BYTES];

    if (d->input_slot < 0 || d->fds[d->input_slot].revents == 0)
        return RUNNING;
    ptrdiff_t len = read(d->config->input_fd, data, sizeof data);
    if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return RUNNING;
    if (len < 0)
        say_error(&d->session->say, "cannot read standard input: %s", strerror(errno));
    if (len <= 0) {
        d->input_ended = true;
        d->input_ended_us = session_now_us(d->session);
        return RUNNING;
    }
    d->has_outgoing = true;
    d->outgoing_bytes = (size_t)len;
    if (d->config->sends_crlf)
        d->outgoing_bytes = make_crlf(data, (size_t)len, d->outgoing);
    else
        memcpy(d->outgoing, data, (size_t)len);
    return RUNNING;
}

static size_t make_crlf(const uint8_t *data, size_t len, uint8_t *out)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n' && (i == 0 || data[i - 1] != '\r'))
            out[count++] = '\r';
        out[count++] = data[i];
    }
    return count;
}

static enum exit_code step_send(struct datagrams *d)
{
    struct bytes payload = {d->outgoing, d->outgoing_bytes};

    if (!d->has_outgoing)
        return RUNNING;
    int result = udp_send(d->socket, d->config->local, &d->peer, d->peer_port, payload,
                          "the application sends a datagram");
    if (result == UDP_ERR_RESOURCES)
        return RUNNING; /* the outgoing queue is full: the next turn empties it */
    d->has_outgoing = false;
    if (result < 0) {
        char number[IP_ADDR_TEXT_BYTES];
        say_error(&d->session->say, "a datagram cannot be sent to %s: %s",
                  ip_addr_format(&d->peer, number),
                  result == UDP_ERR_TOO_LONG ? "it is too long" : "no such destination from here");
        return EXIT_NETWORK;
    }
    d->counts->bytes_sent += d->outgoing_bytes;
    d->moved_us = session_now_us(d->session);
    return RUNNING;
}

static enum exit_code step_clocks(struct datagrams *d)
{
    const struct datagrams_config *config = d->config;
    uint64_t now_us = session_now_us(d->session);
    char limit[32];

    if (!d->has_peer && now_us >= config->wait_until_us) {
        say_error(&d->session->say, "nothing came in time (-w)");
        return EXIT_NETWORK;
    }
    if (config->idle_timeout_us != NEVER && now_us - d->moved_us >= config->idle_timeout_us) {
        say_error(&d->session->say, "nothing has moved for %s (-i): giving up",
                  say_duration(config->idle_timeout_us, limit, sizeof limit));
        return EXIT_NETWORK;
    }
    if (config->quit_delay_us == NEVER || d->input_ended_us == NEVER || d->has_outgoing ||
        now_us - d->input_ended_us < config->quit_delay_us)
        return RUNNING;
    return EXIT_OK;
}
