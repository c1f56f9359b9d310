/* tnc: netcat over a TCP/IP stack of its own.
 *
 *     tnc [options] HOST PORT     resolve the name, connect, carry bytes    (client)
 *     tnc -l [ADDR] PORT          wait for a connection, carry bytes        (listener)
 *     tnc -z HOST PORT...         connect and say so, port after port       (scanner)
 *     tnc -u ...                  the same with datagrams
 *
 * Everything below the user calls of TCP and UDP happens in stack/, everything about devices and
 * the clock in tun/. This file says what nc does with them; the parts are in common/: the command
 * line (tnc_options), set-up and loop (session), resolving and connecting (dial), stdin and stdout
 * at a connection (stream) or a datagram socket (datagrams).
 *
 * stdout carries the bytes of the connection and nothing else; whatever is said goes to stderr. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/datagrams.h"
#include "common/dial.h"
#include "common/scan.h"
#include "common/set_option.h"
#include "common/signals.h"
#include "common/stream.h"
#include "common/tnc_options.h"

enum {
    REQUEST_BYTES = 4096,
};

struct tnc {
    struct tnc_options options;
    struct session session;
    struct output output;
    struct stream_counts counts;
    char request[REQUEST_BYTES];
};

static enum exit_code read_command_line(struct tnc *tnc, struct say *say, int argc, char **argv);
static enum exit_code make_request(struct tnc *tnc, const struct say *say);
static enum exit_code run(struct tnc *tnc);
static enum exit_code check_local_address(struct tnc *tnc);
static enum exit_code run_client(struct tnc *tnc);
static enum exit_code resolve(struct tnc *tnc, struct target *target);
static enum exit_code connect_to_any(struct tnc *tnc, const struct target *target, struct tcb **tcb,
                                     char peer[static DIAL_PEER_BYTES]);
static enum exit_code run_listener(struct tnc *tnc);
static enum exit_code serve_clients(struct tnc *tnc, struct tcb **listener);
static enum exit_code await_client(struct tnc *tnc, struct tcb *listener, struct tcb **client);
static enum exit_code serve(struct tnc *tnc, struct tcb *client);
static enum exit_code carry(struct tnc *tnc, struct tcb *tcb, const char *peer, uint16_t port);
static enum exit_code run_scan(struct tnc *tnc);
static enum exit_code run_datagrams(struct tnc *tnc);
static struct dial_options dial_options_of(const struct tnc *tnc);
static void say_totals(const struct tnc *tnc);

int main(int argc, char **argv)
{
    static struct tnc tnc;
    struct say say = {.program = "tnc"};

    output_guard_standard_streams();
    enum exit_code code = read_command_line(&tnc, &say, argc, argv);
    if (code != RUNNING)
        return (int)code;
    code = session_open(&tnc.session, &say, &tnc.options.common);
    if (code == EXIT_OK)
        code = run(&tnc);
    output_close(&tnc.output);
    return (int)session_close(&tnc.session, code);
}

/* RUNNING: go on; otherwise the exit code to end with. */
static enum exit_code read_command_line(struct tnc *tnc, struct say *say, int argc, char **argv)
{
    struct tnc_options *options = &tnc->options;
    struct host_config *config = &options->common.config;
    char error[600];
    enum tnc_wish wish = tnc_options_parse(options, argc, argv, error, sizeof error);

    setvbuf(stderr, NULL, _IOLBF, BUFSIZ); /* a row is one write */
    say->verbosity = options->common.verbosity;
    say->color = say_wants_color(options->common.color, stderr);
    switch (wish) {
    case TNC_HELP:
        tnc_options_help(stdout);
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_ENVIRONMENT;
    case TNC_VERSION:
        printf("tnc (tuntcp) %s\n", TUNTCP_VERSION);
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_ENVIRONMENT;
    case TNC_LIST_SCENARIOS:
        host_options_list_scenarios(stdout);
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_ENVIRONMENT;
    case TNC_LIST_SETTINGS:
        set_option_list(stdout);
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_ENVIRONMENT;
    case TNC_WRONG:
        say_error(say, "%s", error);
        say_hint(say, "usage: tnc [options] HOST PORT, or tnc -l PORT; tnc --help explains");
        return EXIT_USAGE;
    case TNC_RUN:
        break;
    }
    config->lab_real_time = config->use_lab && !options->leaves_stdin && isatty(STDIN_FILENO);
    return make_request(tnc, say);
}

/* RFC 9112 (3): what --get sends. The port is part of the Host field unless it is HTTP's own. */
static enum exit_code make_request(struct tnc *tnc, const struct say *say)
{
    const struct tnc_options *options = &tnc->options;
    char port[8] = "";

    if (options->get_path == NULL)
        return RUNNING;
    if (options->range[0].first != 80)
        snprintf(port, sizeof port, ":%u", options->range[0].first);
    int len = snprintf(tnc->request, sizeof tnc->request,
                       "GET %s HTTP/1.1\r\nHost: %s%s\r\nUser-Agent: tnc/%s\r\nAccept: */*\r\n"
                       "Connection: close\r\n\r\n",
                       options->get_path, options->host, port, TUNTCP_VERSION);
    if (len >= 0 && (size_t)len < sizeof tnc->request)
        return RUNNING;
    say_error(say, "--get: host and path together are too long (at most about %d characters)",
              REQUEST_BYTES - 150);
    return EXIT_USAGE;
}

static enum exit_code run(struct tnc *tnc)
{
    const struct tnc_options *options = &tnc->options;
    enum exit_code code = check_local_address(tnc);

    if (code != EXIT_OK)
        return code;
    output_open(&tnc->output, tnc->session.stdout_is_capture ? -1 : STDOUT_FILENO);
    if (tnc->session.stdout_is_capture && !options->scans)
        say_error(&tnc->session.say, "stdout carries the capture: what the peer sends is in it, "
                                     "and printed nowhere else");
    if (options->scans)
        return run_scan(tnc);
    if (options->udp)
        code = run_datagrams(tnc);
    else
        code = options->listens ? run_listener(tnc) : run_client(tnc);
    say_totals(tnc);
    return code;
}

static enum exit_code check_local_address(struct tnc *tnc)
{
    const struct tnc_options *options = &tnc->options;
    const struct ip_addr *ours = &stack_config(host_stack(tnc->session.host))->address[0];
    char theirs_text[IP_ADDR_TEXT_BYTES], ours_text[IP_ADDR_TEXT_BYTES];

    if (!options->has_local_address || session_owns(&tnc->session, &options->local_address))
        return EXIT_OK;
    ip_addr_format(&options->local_address, theirs_text);
    say_error(&tnc->session.say, "%s is not our address, that is %s; to take it: --address %s",
              theirs_text, ip_addr_format(ours, ours_text), theirs_text);
    return EXIT_ENVIRONMENT;
}

static enum exit_code run_client(struct tnc *tnc)
{
    uint16_t port = tnc->options.range[0].first;
    struct target target;
    struct tcb *tcb = NULL;
    char peer[DIAL_PEER_BYTES];
    enum exit_code code = resolve(tnc, &target);

    if (code == EXIT_OK)
        code = connect_to_any(tnc, &target, &tcb, peer);
    return code == EXIT_OK ? carry(tnc, tcb, peer, port) : code;
}

static enum exit_code resolve(struct tnc *tnc, struct target *target)
{
    const char *host = tnc->options.host;
    struct ip_addr address;

    if (!tnc->options.no_names || ip_addr_parse(host, &address))
        return dial_resolve(&tnc->session, host, target);
    say_error(&tnc->session.say, "-n: '%s' is not an address, and names are not looked up", host);
    return EXIT_USAGE;
}

/* A name may have several addresses: the first that answers serves, and the failure of the last one
 * is said always. */
static enum exit_code connect_to_any(struct tnc *tnc, const struct target *target, struct tcb **tcb,
                                     char peer[static DIAL_PEER_BYTES])
{
    struct dial_options dial = dial_options_of(tnc);
    uint16_t port = tnc->options.range[0].first;
    enum exit_code code = EXIT_NETWORK;
    char why[DIAL_WHY_BYTES];

    for (unsigned i = 0; i < target->address_count && code == EXIT_NETWORK; i++) {
        bool is_last = i + 1 == target->address_count;
        dial_describe(target, &target->address[i], peer);
        code = dial_connect(&tnc->session, &dial, &target->address[i], port, tcb, why);
        if (code == EXIT_NETWORK && (is_last || tnc->session.say.verbosity > 0))
            dial_say_failed(&tnc->session, peer, "tcp", port, why);
    }
    if (code == EXIT_OK)
        dial_say_connected(&tnc->session, peer, port);
    return code;
}

static enum exit_code run_listener(struct tnc *tnc)
{
    const struct tnc_options *options = &tnc->options;
    const struct stack_config *config = stack_config(host_stack(tnc->session.host));
    const struct ip_addr *local = options->has_local_address ? &options->local_address : NULL;
    enum tcp_err error = TCP_OK;
    char number[IP_ADDR_TEXT_BYTES];

    struct tcb *listener =
        tcp_open_passive(host_stack(tnc->session.host), local, options->local_port, NULL, &error);
    if (listener == NULL) {
        say_error(&tnc->session.say, "cannot listen on port %u: %s", options->local_port,
                  tcp_err_name(error));
        return EXIT_ENVIRONMENT;
    }
    say_note(&tnc->session.say, "Listening on %s %u",
             ip_addr_format(local != NULL ? local : &config->address[0], number),
             options->local_port);
    enum exit_code code = serve_clients(tnc, &listener);
    tcp_close(listener);
    return code;
}

/* One client, after which the port is closed to others, or with -k one after the other until ^C. */
static enum exit_code serve_clients(struct tnc *tnc, struct tcb **listener)
{
    enum exit_code code;

    do {
        struct tcb *client = NULL;
        code = await_client(tnc, *listener, &client);
        if (code != EXIT_OK)
            return code;
        if (!tnc->options.keeps_open) {
            tcp_close(*listener);
            *listener = NULL;
        }
        code = serve(tnc, client);
    } while (tnc->options.keeps_open && (code == EXIT_OK || code == EXIT_NETWORK) &&
             signals_count() == 0);
    return code;
}

static enum exit_code await_client(struct tnc *tnc, struct tcb *listener, struct tcb **client)
{
    struct session *session = &tnc->session;
    uint64_t deadline_us = session_after(session, tnc->options.connect_timeout_us);

    while ((*client = tcp_accept(listener)) == NULL) {
        switch (session_turn(session, NULL, 0, deadline_us)) {
        case TURN_OK:
            break;
        case TURN_NOTHING_LEFT:
            say_error(&session->say, "the lab has come to rest: nobody in it will connect");
            return EXIT_NETWORK;
        case TURN_DEVICE_GONE:
            return EXIT_ENVIRONMENT;
        }
        if (signals_count() > 0) {
            say_error(&session->say, "interrupted while listening");
            return EXIT_INTERRUPTED;
        }
        if (session_now_us(session) >= deadline_us) {
            say_error(&session->say, "nobody has connected in time (-w)");
            return EXIT_NETWORK;
        }
    }
    return EXIT_OK;
}

static enum exit_code serve(struct tnc *tnc, struct tcb *client)
{
    struct tcp_status status;
    char peer[IP_ADDR_TEXT_BYTES];

    tcp_status(client, &status);
    ip_addr_format(&status.flow.remote, peer);
    say_note(&tnc->session.say, "Connection received on %s %u", peer, status.flow.remote_port);
    return carry(tnc, client, peer, status.flow.remote_port);
}

static enum exit_code carry(struct tnc *tnc, struct tcb *tcb, const char *peer, uint16_t port)
{
    const struct tnc_options *options = &tnc->options;
    const struct stream_config config = {
        .input_fd = options->leaves_stdin ? -1 : STDIN_FILENO,
        .input_is_terminal = isatty(STDIN_FILENO),
        .output = &tnc->output,
        .request = {(const uint8_t *)tnc->request, strlen(tnc->request)},
        .sends_crlf = options->sends_crlf,
        .idle_timeout_us = options->idle_timeout_us,
        .quit_delay_us = options->quit_delay_us,
        .peer = peer,
        .peer_port = port,
    };

    return stream_run(&tnc->session, &config, tcb, &tnc->counts);
}

static enum exit_code run_scan(struct tnc *tnc)
{
    const struct tnc_options *options = &tnc->options;
    struct target target;
    enum exit_code code = resolve(tnc, &target);

    if (code != EXIT_OK)
        return code;
    return scan_run(&tnc->session, &(struct scan_config){
                                       .target = &target,
                                       .dial = dial_options_of(tnc),
                                       .udp = options->udp,
                                       .range = options->range,
                                       .range_count = options->range_count,
                                   });
}

static enum exit_code run_datagrams(struct tnc *tnc)
{
    const struct tnc_options *options = &tnc->options;
    struct datagrams_counts counts = {0};
    struct target target;
    struct datagrams_config config = {
        .input_fd = options->leaves_stdin ? -1 : STDIN_FILENO,
        .output = &tnc->output,
        .sends_crlf = options->sends_crlf,
        .has_peer = !options->listens,
        .answers_everyone = options->keeps_open,
        .local = options->has_local_address ? &options->local_address : NULL,
        .local_port = options->local_port,
        .idle_timeout_us = options->idle_timeout_us,
        .quit_delay_us = options->quit_delay_us,
        .wait_until_us = session_after(&tnc->session, options->connect_timeout_us),
    };

    if (config.has_peer) {
        enum exit_code code = resolve(tnc, &target);
        if (code != EXIT_OK)
            return code;
        config.peer = target.address[0];
        config.peer_port = options->range[0].first;
    }
    enum exit_code code = datagrams_run(&tnc->session, &config, &counts);
    tnc->counts.bytes_sent = counts.bytes_sent;
    tnc->counts.bytes_received = counts.bytes_received;
    return code;
}

static struct dial_options dial_options_of(const struct tnc *tnc)
{
    const struct tnc_options *options = &tnc->options;

    return (struct dial_options){
        .local = options->has_local_address ? &options->local_address : NULL,
        .local_port = options->local_port,
        .timeout_us = options->connect_timeout_us,
    };
}

/* As ncat does. The seconds are the stack's, so that the lab prints the same at every run. */
static void say_totals(const struct tnc *tnc)
{
    say_note(&tnc->session.say,
             "%" PRIu64 " bytes sent, %" PRIu64 " bytes received in %.2f seconds.",
             tnc->counts.bytes_sent, tnc->counts.bytes_received,
             (double)(session_now_us(&tnc->session) - tnc->session.start_us) / 1e6);
}
