/* From a name and a port to a connection: the resolver is asked, then TCP is opened, and in between
 * the loop turns until an answer, a time-out or ^C comes.
 *
 * Before a connection exists there is nothing to close in order, so the first ^C ends at once.
 *
 * Not done: /etc/hosts. Every name goes to the DNS, because seeing the query is what a learner is
 * here for. */
#include "dial.h"

#include <stdio.h>

#include "numbers.h"
#include "signals.h"

static enum exit_code say_dns_error(struct session *session, const char *host, enum dns_err error);
static enum exit_code interrupted(struct session *session, const char *during);
static enum exit_code turn_or_stop(struct session *session, uint64_t wake_us, const char *during);
static enum exit_code could_not_open(struct session *session, enum tcp_err error,
                                     const struct ip_addr *address, uint16_t local_port, char *why);
static void explain_failure(const struct tcb *tcb, char *why);

enum exit_code dial_resolve(struct session *session, const char *host, struct target *target)
{
    struct dns_resolver *resolver = host_dns(session->host);
    struct dns_answer answer;
    enum exit_code code = EXIT_OK;
    enum dns_err result;

    *target = (struct target){.name = host, .address_count = 1};
    target->is_numeric = ip_addr_parse(host, &target->address[0]);
    if (target->is_numeric)
        return EXIT_OK;
    if (resolver == NULL)
        return say_dns_error(session, host, DNS_ERR_NO_SERVER);
    struct dns_query *query = dns_lookup(resolver, host);
    if (query == NULL)
        return say_dns_error(session, host, DNS_ERR_RESOURCES);
    while ((result = dns_result(query, &answer)) == DNS_PENDING && code == EXIT_OK)
        code = turn_or_stop(session, NEVER, "resolving");
    dns_done(query);
    if (code != EXIT_OK)
        return code;
    if (result != DNS_OK)
        return say_dns_error(session, host, result);
    target->address_count = answer.address_count;
    for (unsigned i = 0; i < answer.address_count; i++) {
        target->address[i] = answer.address[i];
        host_resolved(session->host, &answer.address[i], host);
    }
    return EXIT_OK;
}

const char *dial_describe(const struct target *target, const struct ip_addr *address,
                          char text[static DIAL_PEER_BYTES])
{
    char number[IP_ADDR_TEXT_BYTES];

    ip_addr_format(address, number);
    if (target->is_numeric)
        snprintf(text, DIAL_PEER_BYTES, "%s", number);
    else
        snprintf(text, DIAL_PEER_BYTES, "%s (%s)", target->name, number);
    return text;
}

void dial_say_connected(const struct session *session, const char *peer, uint16_t port)
{
    say_note(&session->say, "Connection to %s %u port [tcp/%s] succeeded!", peer, port,
             port_service(port, "tcp"));
}

void dial_say_failed(const struct session *session, const char *peer, const char *protocol,
                     uint16_t port, const char *why)
{
    say_error(&session->say, "connect to %s port %u (%s) failed: %s", peer, port, protocol, why);
}

enum exit_code dial_connect(struct session *session, const struct dial_options *options,
                            const struct ip_addr *address, uint16_t port, struct tcb **tcb,
                            char why[static DIAL_WHY_BYTES])
{
    uint64_t deadline_us = session_after(session, options->timeout_us);
    enum exit_code code = EXIT_OK;
    enum tcp_err error = TCP_OK;
    char limit[32];

    *tcb = tcp_open_active(host_stack(session->host), options->local, options->local_port, address,
                           port, NULL, &error);
    if (*tcb == NULL)
        return could_not_open(session, error, address, options->local_port, why);
    while (code == EXIT_OK && (tcp_readiness(*tcb) & (TCP_CONNECTED | TCP_FAILED)) == 0) {
        code = turn_or_stop(session, deadline_us, "connecting");
        if (code != EXIT_OK || session_now_us(session) < deadline_us)
            continue;
        snprintf(why, DIAL_WHY_BYTES, "no answer within %s (-w)",
                 say_duration(options->timeout_us, limit, sizeof limit));
        code = EXIT_NETWORK;
    }
    if (code == EXIT_OK && (tcp_readiness(*tcb) & TCP_CONNECTED) != 0)
        return EXIT_OK;
    if (code == EXIT_OK) {
        explain_failure(*tcb, why);
        code = EXIT_NETWORK;
    }
    tcp_abort(*tcb);
    *tcb = NULL;
    return code;
}

/* A turn in which nothing but the network is waited for. */
static enum exit_code turn_or_stop(struct session *session, uint64_t wake_us, const char *during)
{
    if (signals_count() > 0)
        return interrupted(session, during);
    switch (session_turn(session, NULL, 0, wake_us)) {
    case TURN_OK:
        return EXIT_OK;
    case TURN_NOTHING_LEFT:
        say_error(&session->say, "the lab has come to rest while %s: nothing more will happen",
                  during);
        return EXIT_NETWORK;
    case TURN_DEVICE_GONE:
        return EXIT_ENVIRONMENT;
    }
    return EXIT_ENVIRONMENT;
}

static enum exit_code interrupted(struct session *session, const char *during)
{
    say_error(&session->say, "interrupted while %s", during);
    return EXIT_INTERRUPTED;
}

/* Each way in which a name can fail reads differently, because each asks for something else:
 * another spelling, another server, another network. */
static enum exit_code say_dns_error(struct session *session, const char *host, enum dns_err error)
{
    const struct say *say = &session->say;
    char number[IP_ADDR_TEXT_BYTES] = "the DNS server";

    if (!ip_addr_is_unspecified(&session->dns_server))
        ip_addr_format(&session->dns_server, number);
    switch (error) {
    case DNS_ERR_NAME:
        say_error(say, "'%s' cannot be a name: labels have 1 to 63 characters, all at most 253",
                  host);
        return EXIT_USAGE;
    case DNS_ERR_NO_SERVER:
        say_error(say,
                  "%s: no DNS server is known: name one that can be reached from here with "
                  "--dns ADDR",
                  host);
        return EXIT_ENVIRONMENT;
    case DNS_ERR_NOT_FOUND:
        say_error(say, "%s: no such name (NXDOMAIN from %s)", host, number);
        return EXIT_NETWORK;
    case DNS_ERR_NO_ADDRESS:
        say_error(say, "%s: the name exists but has no IPv4 address (no A record at %s)", host,
                  number);
        return EXIT_NETWORK;
    case DNS_ERR_SERVER:
        say_error(say,
                  "%s: %s could not or would not answer (SERVFAIL, REFUSED or nonsense); "
                  "try another server with --dns ADDR",
                  host, number);
        return EXIT_NETWORK;
    case DNS_ERR_TIMED_OUT:
        say_error(say, "%s: no answer from %s; is it reachable? Another server: --dns ADDR", host,
                  number);
        return EXIT_NETWORK;
    case DNS_ERR_RESOURCES:
    case DNS_OK:
    case DNS_PENDING:
        break;
    }
    say_error(say, "%s: %s", host, dns_err_name(error));
    return EXIT_ENVIRONMENT;
}

static enum exit_code could_not_open(struct session *session, enum tcp_err error,
                                     const struct ip_addr *address, uint16_t local_port, char *why)
{
    char number[IP_ADDR_TEXT_BYTES];

    ip_addr_format(address, number);
    if (error == TCP_ERR_EXISTS && local_port != 0) {
        say_error(&session->say, "our port %u is taken: choose another one with -p", local_port);
        return EXIT_ENVIRONMENT;
    }
    if (error == TCP_ERR_UNSPECIFIED || error == TCP_ERR_INVALID) {
        snprintf(why, DIAL_WHY_BYTES, "%s is no address to connect to from here%s", number,
                 number[0] == '1' && number[1] == '2' && number[2] == '7'
                     ? " (the loopback is the kernel's own; use its address on the device)"
                     : "");
        return EXIT_NETWORK;
    }
    say_error(&session->say, "%s: %s", number, tcp_err_name(error));
    return error == TCP_ERR_RESOURCES ? EXIT_ENVIRONMENT : EXIT_NETWORK;
}

static void explain_failure(const struct tcb *tcb, char *why)
{
    struct tcp_status status;

    tcp_status(tcb, &status);
    if (tcp_error(tcb) == TCP_ERR_TIMED_OUT && status.soft_error != TCP_OK)
        snprintf(why, DIAL_WHY_BYTES, "timed out; a router said: %s",
                 tcp_err_name(status.soft_error));
    else if (tcp_error(tcb) == TCP_ERR_TIMED_OUT)
        snprintf(why, DIAL_WHY_BYTES, "timed out, no answer to our SYN");
    else
        snprintf(why, DIAL_WHY_BYTES, "%s", tcp_err_name(tcp_error(tcb)));
}
