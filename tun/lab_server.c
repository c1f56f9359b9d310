/* The servers of the lab: DNS, HTTP, echo and discard, written against the same user calls as any
 * application, so that the lab also is an example of a server on this stack.
 *
 *     verb --> serve() --> datagrams on port 53:        lab_names_answer()
 *                      --> stack_next_ready(): listener accept_all()
 *                                              session  session->run(): lab_web_run() ...
 *
 * A session is one connection. It is a small machine that never waits: it reads while it has no
 * response to send, sends while it has one, and returns when the connection offers neither; the
 * next readiness brings it back. Its memory is fixed: one request of at most SESSION_REQUEST_BYTES,
 * one reply of at most SESSION_REPLY_BYTES, and a body that is either a constant or computed. There
 * are at most SESSIONS_MAX; who comes when all are taken is reset.
 *
 * A server that is done sends its FIN first and reads on until the peer's: a CLOSE with unread
 * bytes would be a reset (9293 3.6.1, SHLD-3), and that could destroy the response on its way. */
#include "lab_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../stack/udp/udp.h"
#include "lab_session.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { SESSIONS_MAX = 64, BIG_LINE_BYTES = 16 };

struct service {
    unsigned bit; /* of enum lab_services */
    uint16_t port;
    void (*run)(struct session *session);
};

static void run_echo(struct session *session);
static void run_daytime(struct session *session);

static const struct service services_of_tcp[] = {
    {LAB_DNS, DNS_PORT, lab_names_run},
    {LAB_WEB, 80, lab_web_run},
    {LAB_ECHO, 7, run_echo},
    {LAB_DISCARD, 9, session_read_to_the_end},
    {LAB_DAYTIME, 13, run_daytime},
};

struct lab_server {
    struct stack *stack;
    struct udp_socket *dns_socket; /* NULL: not a DNS server */
    struct tcb *listener[ARRAY_COUNT(services_of_tcp)];
    struct session *sessions;
    unsigned session_count;
    struct lab_names names;
};

static bool open_services(struct lab_server *server, unsigned services);
static void serve(struct lab_server *server);
static void end_session(struct lab_server *server, struct session *session);

struct lab_server *lab_server_new(const struct stack_config *config, unsigned services,
                                  uint64_t now_us)
{
    struct lab_server *server = calloc(1, sizeof *server);

    if (server == NULL)
        return NULL;
    server->stack = stack_new(config, now_us);
    if (server->stack == NULL || !open_services(server, services)) {
        lab_server_free(server);
        return NULL;
    }
    return server;
}

void lab_server_free(struct lab_server *server)
{
    if (server == NULL)
        return;
    while (server->sessions != NULL)
        end_session(server, server->sessions);
    if (server->stack != NULL)
        udp_close(server->dns_socket);
    stack_free(server->stack);
    free(server);
}

void lab_server_input(struct lab_server *server, const struct packet_in *packet, uint64_t now_us)
{
    stack_input(server->stack, packet, now_us);
    serve(server);
}

void lab_server_on_time(struct lab_server *server, uint64_t now_us)
{
    stack_on_time(server->stack, now_us);
    serve(server);
}

bool lab_server_output(struct lab_server *server, struct packet_out *out, uint64_t now_us)
{
    return stack_output(server->stack, out, now_us);
}

uint64_t lab_server_next_deadline_us(const struct lab_server *server)
{
    return stack_next_deadline_us(server->stack);
}

/* ---- sockets and sessions ---- */

static bool open_services(struct lab_server *server, unsigned services)
{
    enum tcp_err error;

    if (services & LAB_DNS) {
        server->dns_socket = udp_open(server->stack, DNS_PORT);
        if (server->dns_socket == NULL)
            return false;
    }
    for (size_t i = 0; i < ARRAY_COUNT(services_of_tcp); i++) {
        const struct service *service = &services_of_tcp[i];
        if ((services & service->bit) == 0)
            continue;
        server->listener[i] = tcp_open_passive(server->stack, NULL, service->port, NULL, &error);
        if (server->listener[i] == NULL)
            return false;
    }
    return true;
}

static struct session *session_of(const struct lab_server *server, const struct tcb *tcb)
{
    for (struct session *session = server->sessions; session != NULL; session = session->next)
        if (session->tcb == tcb)
            return session;
    return NULL;
}

static void run_session(struct lab_server *server, struct session *session)
{
    if (tcp_readiness(session->tcb) & TCP_FAILED)
        session->is_over = true;
    else
        session->run(session);
    if (session->is_over)
        end_session(server, session);
}

static void accept_all(struct lab_server *server, struct tcb *listener,
                       const struct service *service)
{
    for (struct tcb *tcb = tcp_accept(listener); tcb != NULL; tcb = tcp_accept(listener)) {
        struct session *session =
            server->session_count < SESSIONS_MAX ? calloc(1, sizeof *session) : NULL;
        if (session == NULL) {
            tcp_abort(tcb);
            continue;
        }
        session->names = &server->names;
        session->tcb = tcb;
        session->run = service->run;
        session->next = server->sessions;
        server->sessions = session;
        server->session_count++;
        run_session(server, session); /* its first bytes may have come with the handshake */
    }
}

/* The connection goes on by itself until it is closed in order; the session does not. */
static void end_session(struct lab_server *server, struct session *session)
{
    struct session **at = &server->sessions;

    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    server->session_count--;
    tcp_close(session->tcb);
    free(session);
}

static void on_ready(struct lab_server *server, struct tcb *tcb)
{
    for (size_t i = 0; i < ARRAY_COUNT(services_of_tcp); i++) {
        if (server->listener[i] == tcb) {
            accept_all(server, tcb, &services_of_tcp[i]);
            return;
        }
    }
    struct session *session = session_of(server, tcb);
    if (session != NULL)
        run_session(server, session);
}

static void answer_datagrams(struct lab_server *server)
{
    uint8_t query[DNS_UDP_MAX_BYTES], answer[DNS_UDP_MAX_BYTES];
    struct flow_id from;

    while (udp_readable(server->dns_socket)) {
        ptrdiff_t len = udp_receive(server->dns_socket, query, sizeof query, &from);
        if (len < 0)
            continue; /* an ICMP error: the client has gone */
        size_t answer_bytes = lab_names_answer(&server->names, (struct bytes){query, (size_t)len},
                                               answer, sizeof answer);
        if (answer_bytes > 0)
            udp_send(server->dns_socket, &from.local, &from.remote, from.remote_port,
                     (struct bytes){answer, answer_bytes}, "DNS answer");
    }
}

static void serve(struct lab_server *server)
{
    if (server->dns_socket != NULL)
        answer_datagrams(server);
    for (struct tcb *tcb = stack_next_ready(server->stack); tcb != NULL;
         tcb = stack_next_ready(server->stack))
        on_ready(server, tcb);
}

/* ---- what sessions have in common: read, respond, close ---- */

bool session_read(struct session *session)
{
    ptrdiff_t len = tcp_receive(session->tcb, session->request + session->request_bytes,
                                SESSION_REQUEST_BYTES - session->request_bytes);

    if (len > 0) {
        session->request_bytes += (size_t)len;
        return true;
    }
    if (len < 0 || (tcp_readiness(session->tcb) & TCP_PEER_CLOSED))
        session->is_over = true;
    return false;
}

void session_consume(struct session *session, size_t len)
{
    session->request_bytes -= len;
    memmove(session->request, session->request + len, session->request_bytes);
}

/* The bytes of the response from sent_bytes on, as many as lie in one piece. `line` is where a
 * computed piece is put. */
static struct bytes next_piece(const struct session *session, char line[static BIG_LINE_BYTES + 1])
{
    if (session->sent_bytes < session->reply_bytes)
        return (struct bytes){session->reply + session->sent_bytes,
                              session->reply_bytes - session->sent_bytes};
    size_t at = session->sent_bytes - session->reply_bytes;
    if (session->body != NULL)
        return (struct bytes){(const uint8_t *)session->body + at, session->body_bytes - at};
    if (at == session->body_bytes)
        return (struct bytes){NULL, 0};
    /* /big: lines of 16 bytes, each its own number, so that any part tells where it belongs. */
    snprintf(line, BIG_LINE_BYTES + 1, "%015u\n", (unsigned)(at / BIG_LINE_BYTES));
    size_t offset = at % BIG_LINE_BYTES;
    return (struct bytes){(const uint8_t *)line + offset, BIG_LINE_BYTES - offset};
}

bool session_send(struct session *session)
{
    char line[BIG_LINE_BYTES + 1];

    for (;;) {
        struct bytes piece = next_piece(session, line);
        if (piece.len == 0)
            break;
        ptrdiff_t len = tcp_send(session->tcb, piece.data, piece.len);
        if (len < 0)
            session->is_over = true;
        if (len <= 0)
            return false;
        session->sent_bytes += (size_t)len;
    }
    session->is_responding = false;
    return true;
}

void session_respond(struct session *session, const char *body, size_t body_bytes)
{
    session->body = body;
    session->body_bytes = body_bytes;
    session->sent_bytes = 0;
    session->is_responding = true;
}

void session_read_to_the_end(struct session *session)
{
    for (struct bytes bytes = tcp_receive_peek(session->tcb); bytes.len > 0;
         bytes = tcp_receive_peek(session->tcb))
        tcp_receive_consume(session->tcb, bytes.len);
    if (tcp_readiness(session->tcb) & TCP_PEER_CLOSED)
        session->is_over = true;
}

void session_shut_down(struct session *session)
{
    tcp_shutdown(session->tcb);
    session->has_shut_down = true;
    session_read_to_the_end(session);
}

/* ---- echo: RFC 862; discard, RFC 863, is session_read_to_the_end(); daytime: RFC 867 ---- */

static void run_echo(struct session *session)
{
    for (;;) {
        struct bytes bytes = tcp_receive_peek(session->tcb);
        if (bytes.len == 0)
            break;
        ptrdiff_t len = tcp_send(session->tcb, bytes.data, bytes.len);
        if (len < 0)
            session->is_over = true;
        if (len <= 0)
            return;
        tcp_receive_consume(session->tcb, (size_t)len);
    }
    if (tcp_readiness(session->tcb) & TCP_PEER_CLOSED)
        session->is_over = true;
}

/* The time of the exchange that the lab replays, whoever asks and when. */
static void run_daytime(struct session *session)
{
    static const char now[] = "Wed, 23 Apr 2025 02:39:29 GMT\r\n";

    if (session->has_shut_down) {
        session_read_to_the_end(session);
        return;
    }
    if (!session->is_responding)
        session_respond(session, now, sizeof now - 1);
    if (session_send(session))
        session_shut_down(session);
}
