/* stdin and stdout at the two ends of a TCP connection.
 *
 *     stdin --read()--> send ring --> segments --> peer
 *     stdout <--write()-- receive ring <-- segments <-- peer
 *
 * Bytes are read straight into the send ring and written straight from the receive ring: no copy
 * and no buffer of our own lies between. That makes TCP's flow control the only one: while stdout
 * takes nothing the receive ring fills and our window closes; while the peer's window is closed the
 * send ring is full and stdin is left alone.
 *
 * The two directions end independently (9293 3.6). Our FIN follows the end of stdin, and reading
 * goes on until the peer's FIN. If nothing is read (--get, -d), or if somebody types, our FIN
 * follows the peer's. A file or a pipe that is still being sent when the peer has ended is sent to
 * its end: half-closed is a state, not an error.
 *
 * The run is over when the peer's FIN has been read and our own is acknowledged. Departure from
 * 9293 3.6.1 (MUST-13): a process that ends takes its TIME-WAIT with it, because nobody at a
 * prompt waits for 2 MSL; the peer of a last ACK that was lost then times out by itself.
 *
 * Steps of a turn return RUNNING, or an exit code to end with. */
#include "stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "signals.h"
#include "status.h"

enum { READ_MAX_BYTES = 256 * 1024, LINE_BYTES = 4096 };

struct stream {
    const struct stream_config *config;
    struct session *session;
    struct tcb *tcb;
    struct stream_counts *counts;

    struct bytes pending; /* to be sent before more is read: the request, or `expanded` */
    uint8_t expanded[2 * LINE_BYTES]; /* with -C: what was read, line ends made CR LF */
    bool last_was_cr;
    bool input_ended;
    bool input_failed; /* ended by an error: said, and the exit code will tell */
    bool fin_sent;
    bool is_closing;         /* after ^C */
    uint64_t moved_us;       /* when a byte last moved */
    uint64_t input_ended_us; /* NEVER: not yet */

    struct pollfd fds[2];
    nfds_t fd_count;
    int input_slot, output_slot; /* in fds; -1: not polled */
};

static enum exit_code one_turn(struct stream *s);
static void say_status(const struct stream *s);
static void choose_fds(struct stream *s);
static int add_fd(struct stream *s, int fd, short events);
static uint64_t wake_us(const struct stream *s);
static bool slot_is_ready(const struct stream *s, int slot);
static enum exit_code on_rest(struct stream *s);
static enum exit_code step_interrupt(struct stream *s);
static enum exit_code step_output(struct stream *s);
static enum exit_code output_failed(struct stream *s);
static enum exit_code step_input(struct stream *s);
static void send_pending(struct stream *s);
static void read_into_ring(struct stream *s);
static void read_with_crlf(struct stream *s);
static size_t expand_line_ends(struct stream *s, const uint8_t *data, size_t len);
static void note_read(struct stream *s, ptrdiff_t len);
static void end_input(struct stream *s);
static enum exit_code step_end(struct stream *s);
static enum exit_code connection_failed(struct stream *s);
static enum exit_code step_clocks(struct stream *s);

enum exit_code stream_run(struct session *session, const struct stream_config *config,
                          struct tcb *tcb, struct stream_counts *counts)
{
    struct stream s = {
        .config = config,
        .session = session,
        .tcb = tcb,
        .counts = counts,
        .pending = config->request,
        .moved_us = session_now_us(session),
        .input_ended_us = NEVER,
    };
    enum exit_code code = RUNNING;

    while (code == RUNNING)
        code = one_turn(&s);
    if (session->say.verbosity > 1)
        say_status(&s);
    if (code == EXIT_OK)
        tcp_close(tcb);
    else
        tcp_abort(tcb);
    return code == EXIT_OK && s.input_failed ? EXIT_ENVIRONMENT : code;
}

/* The turn comes first: it sends the ACK that completes the handshake before there is data for it
 * to ride on, as a kernel does, and learners expect to see it. */
static enum exit_code one_turn(struct stream *s)
{
    enum exit_code (*const steps[])(struct stream *) = {step_interrupt, step_output, step_input,
                                                        step_end, step_clocks};
    enum exit_code code = RUNNING;

    choose_fds(s);
    switch (session_turn(s->session, s->fds, s->fd_count, wake_us(s))) {
    case TURN_OK:
        break;
    case TURN_NOTHING_LEFT:
        return on_rest(s);
    case TURN_DEVICE_GONE:
        return EXIT_ENVIRONMENT;
    }
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && code == RUNNING; i++)
        code = steps[i](s);
    return code;
}

/* stdin is polled only while there is room for what it holds, stdout only while it is what keeps
 * bytes waiting. */
static void choose_fds(struct stream *s)
{
    bool wants_input = s->config->input_fd >= 0 && !s->input_ended && s->pending.len == 0 &&
                       (tcp_readiness(s->tcb) & TCP_WRITABLE) != 0;

    s->fd_count = 0;
    s->input_slot = wants_input ? add_fd(s, s->config->input_fd, POLLIN) : -1;
    s->output_slot = s->config->output->is_blocked ? add_fd(s, s->config->output->fd, POLLOUT) : -1;
}

static int add_fd(struct stream *s, int fd, short events)
{
    s->fds[s->fd_count] = (struct pollfd){.fd = fd, .events = events};
    return (int)s->fd_count++;
}

/* Not at all by the clock, unless a time-out runs or there is something to do right after this
 * turn: a request to be sent. */
static uint64_t wake_us(const struct stream *s)
{
    const struct stream_config *config = s->config;
    uint64_t wake = NEVER;

    if (s->pending.len > 0 && (tcp_readiness(s->tcb) & TCP_WRITABLE) != 0)
        return session_now_us(s->session);
    if (config->idle_timeout_us != NEVER)
        wake = s->moved_us + config->idle_timeout_us;
    if (config->quit_delay_us != NEVER && s->input_ended_us != NEVER) {
        uint64_t quit_us = s->input_ended_us + config->quit_delay_us;
        if (quit_us > session_now_us(s->session) && quit_us < wake)
            wake = quit_us;
    }
    return wake;
}

static bool slot_is_ready(const struct stream *s, int slot)
{
    return slot >= 0 && s->fds[slot].revents != 0;
}

static enum exit_code on_rest(struct stream *s)
{
    say_error(&s->session->say, "the lab has come to rest: neither side has anything more to send, "
                                "and the connection is still open");
    return EXIT_NETWORK;
}

/* Numbers and our own words alone: nothing that has to pass through say.h. */
static void say_status(const struct stream *s)
{
    struct tcp_status status;

    tcp_status(s->tcb, &status);
    status_print(stderr, &status, session_now_us(s->session));
}

static enum exit_code step_interrupt(struct stream *s)
{
    const struct say *say = &s->session->say;

    if (signals_ask_for_status())
        say_status(s);
    if (signals_count() > 1) {
        say_error(say, "interrupted: connection aborted (RST)");
        return EXIT_INTERRUPTED;
    }
    if (signals_count() == 1 && !s->is_closing) {
        s->is_closing = true;
        say_error(say, "interrupted: closing in order (FIN); ^C again aborts (RST)");
        end_input(s);
    }
    return RUNNING;
}

static enum exit_code step_output(struct stream *s)
{
    bool is_ready = slot_is_ready(s, s->output_slot);

    for (;;) {
        struct bytes bytes = tcp_receive_peek(s->tcb);
        if (bytes.len == 0)
            return RUNNING;
        ptrdiff_t written = output_write(s->config->output, bytes, is_ready);
        if (written < 0)
            return output_failed(s);
        if (written == 0)
            return RUNNING;
        tcp_receive_consume(s->tcb, (size_t)written);
        s->counts->bytes_received += (uint64_t)written;
        s->moved_us = session_now_us(s->session);
        is_ready = false;
    }
}

/* A reader that has gone (head, less) has had what it wanted: no message, as with any other tool.
 */
static enum exit_code output_failed(struct stream *s)
{
    if (errno == EPIPE)
        return EXIT_NETWORK;
    say_error(&s->session->say, "cannot write to standard output: %s", strerror(errno));
    return EXIT_ENVIRONMENT;
}

static enum exit_code step_input(struct stream *s)
{
    if (s->pending.len > 0)
        send_pending(s);
    if (slot_is_ready(s, s->input_slot) && !s->input_ended) {
        if (s->config->sends_crlf)
            read_with_crlf(s);
        else
            read_into_ring(s);
    }
    return RUNNING;
}

static void send_pending(struct stream *s)
{
    ptrdiff_t sent = tcp_send(s->tcb, s->pending.data, s->pending.len);

    if (sent <= 0)
        return; /* no room yet; an error shows in tcp_readiness() */
    s->pending = bytes_skip(s->pending, (size_t)sent);
    s->counts->bytes_sent += (uint64_t)sent;
    s->moved_us = session_now_us(s->session);
}

static void read_into_ring(struct stream *s)
{
    size_t room = 0;
    uint8_t *memory = tcp_send_reserve(s->tcb, &room);

    if (memory == NULL || room == 0)
        return;
    ptrdiff_t len =
        read(s->config->input_fd, memory, room < READ_MAX_BYTES ? room : READ_MAX_BYTES);
    if (len > 0 && tcp_send_commit(s->tcb, (size_t)len) >= 0)
        s->counts->bytes_sent += (uint64_t)len;
    note_read(s, len);
}

static void read_with_crlf(struct stream *s)
{
    uint8_t data[LINE_BYTES];
    ptrdiff_t len = read(s->config->input_fd, data, sizeof data);

    if (len > 0) {
        s->pending = (struct bytes){s->expanded, expand_line_ends(s, data, (size_t)len)};
        send_pending(s);
    }
    note_read(s, len);
}

/* LF becomes CR LF, unless it has its CR already. */
static size_t expand_line_ends(struct stream *s, const uint8_t *data, size_t len)
{
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n' && !s->last_was_cr)
            s->expanded[out++] = '\r';
        s->expanded[out++] = data[i];
        s->last_was_cr = data[i] == '\r';
    }
    return out;
}

static void note_read(struct stream *s, ptrdiff_t len)
{
    if (len > 0) {
        s->moved_us = session_now_us(s->session);
        return;
    }
    if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (len < 0) {
        say_error(&s->session->say, "cannot read standard input: %s", strerror(errno));
        s->input_failed = true;
    }
    end_input(s);
}

static void end_input(struct stream *s)
{
    if (s->input_ended)
        return;
    s->input_ended = true;
    s->input_ended_us = session_now_us(s->session);
}

/* Our FIN when it is time for it, then: is it over? */
static enum exit_code step_end(struct stream *s)
{
    unsigned ready = tcp_readiness(s->tcb);
    bool is_empty = tcp_receive_peek(s->tcb).len == 0;
    bool peer_has_ended = (ready & TCP_PEER_CLOSED) != 0 && is_empty;

    if ((ready & TCP_FAILED) != 0)
        return is_empty ? connection_failed(s) : RUNNING;
    if (peer_has_ended && (s->config->input_fd < 0 || s->config->input_is_terminal))
        end_input(s);
    if (s->is_closing)
        s->pending.len = 0;
    if (s->input_ended && s->pending.len == 0 && !s->fin_sent) {
        s->fin_sent = true;
        tcp_shutdown(s->tcb);
    }
    return peer_has_ended && (ready & TCP_FINISHED) != 0 ? EXIT_OK : RUNNING;
}

static enum exit_code connection_failed(struct stream *s)
{
    const struct stream_config *config = s->config;
    const struct say *say = &s->session->say;

    if (tcp_error(s->tcb) == TCP_ERR_RESET)
        say_error(say, "connection reset by %s port %u", config->peer, config->peer_port);
    else if (tcp_error(s->tcb) == TCP_ERR_TIMED_OUT || tcp_error(s->tcb) == TCP_ERR_ABORTED)
        say_error(say, "%s port %u has stopped answering: gave up (timed out)", config->peer,
                  config->peer_port);
    else
        say_error(say, "connection to %s port %u lost: %s", config->peer, config->peer_port,
                  tcp_err_name(tcp_error(s->tcb)));
    return EXIT_NETWORK;
}

/* -i and -q. Quitting waits for our FIN to be acknowledged: until then bytes could still be lost
 * with this process. */
static enum exit_code step_clocks(struct stream *s)
{
    const struct stream_config *config = s->config;
    uint64_t now_us = session_now_us(s->session);
    char limit[32];

    if (config->idle_timeout_us != NEVER && now_us - s->moved_us >= config->idle_timeout_us) {
        say_error(&s->session->say, "nothing has moved for %s (-i): giving up",
                  say_duration(config->idle_timeout_us, limit, sizeof limit));
        return EXIT_NETWORK;
    }
    if (config->quit_delay_us == NEVER || s->input_ended_us == NEVER ||
        now_us - s->input_ended_us < config->quit_delay_us ||
        (tcp_readiness(s->tcb) & TCP_FINISHED) == 0)
        return RUNNING;
    say_note(&s->session->say, "the input ended %s ago (-q): quitting",
             say_duration(config->quit_delay_us, limit, sizeof limit));
    return EXIT_OK;
}
