/* What every application sets up and takes down: rows on stderr as a sink of the stack's events,
 * signals, and the host with its device, stack and capture.
 *
 * Events are asked for only when somebody looks: with -v for the rows, or while a name may have to
 * be resolved, so that an error can name the DNS server that gave it.
 *
 * The lab in virtual time never waits: when nothing is under way any more, host_step() says so. The
 * descriptor that signals wake would be something to wait for, so there it is polled only beside
 * another descriptor; without any, no wait needs to be woken. */
#include "session.h"

#include <string.h>
#include <unistd.h>

#include "../../stack/tcp/tcp.h"
#include "signals.h"

enum { ERROR_BYTES = 400, LINGER_US = 500000 };

static void linger(struct session *session);
static void on_event(void *context, const struct trace_event *event);

enum exit_code session_open(struct session *session, const struct say *say,
                            const struct host_options *options)
{
    struct host_config config = options->config;
    char error[ERROR_BYTES] = "";

    *session = (struct session){.say = *say};
    session->time_is_virtual = config.use_lab && !config.lab_real_time;
    session->stdout_is_capture = config.pcapng_path != NULL && strcmp(config.pcapng_path, "-") == 0;
    if (signals_watch() < 0) {
        say_error(say, "signals cannot be watched: too many open files?");
        return EXIT_ENVIRONMENT;
    }
    if (say->verbosity > 0) {
        session->rows = rows_new(stderr, say->verbosity, say->color);
        if (session->rows == NULL) {
            say_error(say, "out of memory");
            return EXIT_ENVIRONMENT;
        }
    }
    if (config.trace == NULL) {
        config.trace = on_event;
        config.trace_context = session;
    }
    session->host = host_open(&config, error, sizeof error);
    if (session->host == NULL) {
        say_error(say, "%s", error);
        return EXIT_ENVIRONMENT;
    }
    session->start_us = host_now_us(session->host);
    return EXIT_OK;
}

enum exit_code session_close(struct session *session, enum exit_code code)
{
    char error[ERROR_BYTES] = "";

    linger(session);
    if (host_close(session->host, error, sizeof error) < 0) {
        say_error(&session->say, "%s", error);
        code = code == EXIT_OK ? EXIT_ENVIRONMENT : code;
    }
    rows_free(session->rows);
    session->host = NULL;
    session->rows = NULL;
    return code;
}

/* A connection that was closed on the way, one of the resolver's, may still wait for its peer's
 * FIN. Without us the peer would send it in vain, again and again, and whoever opens the device
 * next would get it. */
static void linger(struct session *session)
{
    if (session->host == NULL)
        return;
    uint64_t end_us = session_after(session, LINGER_US);
    enum turn turn = TURN_OK;

    while (turn == TURN_OK && tcp_unfinished_count(host_stack(session->host)) > 0 &&
           session_now_us(session) < end_us && signals_count() == 0)
        turn = session_turn(session, NULL, 0, end_us);
}

enum turn session_turn(struct session *session, struct pollfd *fds, nfds_t count, uint64_t wake_us)
{
    struct pollfd all[SESSION_FDS_MAX + 1];
    nfds_t all_count = count;

    for (nfds_t i = 0; i < count; i++)
        all[i] = fds[i];
    if (count > 0 || !session->time_is_virtual)
        all[all_count++] = (struct pollfd){.fd = signals_fd(), .events = POLLIN};
    for (nfds_t i = 0; i < all_count; i++)
        all[i].revents = 0;

    int result = host_step(session->host, all, all_count, wake_us);

    signals_drain();
    for (nfds_t i = 0; i < count; i++)
        fds[i].revents = all[i].revents;
    while (stack_next_ready(host_stack(session->host)) != NULL)
        continue; /* an application with one connection asks that one */
    if (result < 0) {
        say_error(&session->say, "the device has gone; is it still there? Try: ip link");
        return TURN_DEVICE_GONE;
    }
    return result == 0 ? TURN_OK : TURN_NOTHING_LEFT;
}

uint64_t session_now_us(const struct session *session)
{
    return host_now_us(session->host);
}

uint64_t session_after(const struct session *session, uint64_t delay_us)
{
    return delay_us == NEVER ? NEVER : session_now_us(session) + delay_us;
}

bool session_owns(const struct session *session, const struct ip_addr *address)
{
    const struct stack_config *config = stack_config(host_stack(session->host));

    for (unsigned i = 0; i < config->address_count; i++)
        if (ip_addr_equal(&config->address[i], address))
            return true;
    return false;
}

static void on_event(void *context, const struct trace_event *event)
{
    struct session *session = context;

    if (event->kind == TRACE_DNS)
        session->dns_server = event->u.dns.server;
    if (session->rows != NULL)
        rows_event(session->rows, event);
}
