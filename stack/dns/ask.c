/* One question to one server, RFC 1035 4.2: a datagram with a random ID from a random port, both
 * new for each try, because they are all that a forger off the path has to guess: RFC 5452.
 *
 *     begin -- UDP query --> look: response ---------------------> ANSWERED
 *                                   | truncated (TC)
 *                                   `-- TCP query --> response --> ANSWERED
 *
 * The socket is connected, so UDP has already discarded what does not come from the server and port
 * that was asked. What has another ID or question than ours is discarded here and the wait goes
 * on. A malformed message is taken for the server's own only if it has our ID; otherwise a forger
 * could end each try with one byte.
 *
 * Over TCP a message has its length in front (RFC 1035 4.2.2), and both go out in one piece (RFC
 * 7766 8). The response may come in pieces of any size. After a complete response the connection is
 * closed in order, otherwise aborted: it never outlives the try. TCP is looked at by
 * tcp_readiness() and tcp_receive() alone; stack_next_ready() belongs to the application.
 *
 * Not done: EDNS (RFC 6891), so a response over UDP has at most 512 bytes; DNSSEC; reuse of the
 * connection for a further question. */
#include "ask.h"

#include <stdlib.h>
#include <string.h>

#include "../instance.h"

/* Above the 512 bytes that a server may send: what is longer is cut and fails to parse. */
enum { UDP_RESPONSE_MAX_BYTES = 1472 };

static uint16_t draw_id(struct stack *stack);
static bool write_query(struct dns_ask *ask, struct dns_message *scratch);
static enum dns_ask_state look_at_udp(struct dns_ask *ask, struct dns_message *message);
static enum dns_ask_state judge(struct dns_ask *ask, struct bytes packet,
                                struct dns_message *message);
static bool has_our_id(const struct dns_ask *ask, struct bytes packet);
static bool answers_our_question(const struct dns_ask *ask, const struct dns_message *message);
static void discard(const struct dns_ask *ask, enum drop drop, const char *cause);
static enum dns_ask_state turn_to_tcp(struct dns_ask *ask, struct dns_message *scratch);
static enum dns_ask_state look_at_tcp(struct dns_ask *ask, struct dns_message *message);
static bool send_rest(struct dns_ask *ask);
static ptrdiff_t receive_some(struct dns_ask *ask);
static enum dns_ask_state make_room(struct dns_ask *ask);
static bool is_complete(const struct dns_ask *ask);

enum dns_ask_state dns_ask_begin(struct dns_ask *ask, struct stack *stack,
                                 const struct ip_addr *server, uint16_t port, const char *name,
                                 unsigned try_count, struct dns_message *scratch)
{
    *ask = (struct dns_ask){
        .stack = stack,
        .flow = {.local = stack_config(stack)->address[0], .remote = *server, .remote_port = port},
        .name = name,
        .try_count = try_count,
    };
    if (!write_query(ask, scratch))
        return DNS_ASK_NO_USE;
    ask->udp = udp_open_toward(stack, port);
    if (ask->udp == NULL)
        return DNS_ASK_RESOURCES;
    ask->flow.local_port = udp_local_port(ask->udp);
    udp_connect(ask->udp, server, port);
    struct bytes message =
        bytes_skip((struct bytes){ask->query, ask->query_bytes}, DNS_LENGTH_BYTES);
    dns_ask_trace(ask, "asks the server for the addresses of the name");
    int error = udp_send(ask->udp, NULL, server, port, message,
                         "asks a name server for the addresses of a name");
    /* A full outgoing queue has lost the datagram as a network may: the next try mends it. */
    return error == UDP_ERR_INVALID ? DNS_ASK_NO_ANSWER : DNS_ASK_WAITING;
}

enum dns_ask_state dns_ask_look(struct dns_ask *ask, struct dns_message *message)
{
    enum dns_ask_state state = DNS_ASK_WAITING;

    if (ask->udp != NULL)
        state = look_at_udp(ask, message);
    if (state == DNS_ASK_WAITING && ask->tcb != NULL)
        state = look_at_tcp(ask, message);
    return state;
}

void dns_ask_end(struct dns_ask *ask)
{
    udp_close(ask->udp);
    ask->udp = NULL;
    if (is_complete(ask))
        tcp_close(ask->tcb);
    else
        tcp_abort(ask->tcb);
    ask->tcb = NULL;
    free(ask->reply);
    ask->reply = NULL;
}

void dns_ask_trace(const struct dns_ask *ask, const char *cause)
{
    if (ask->stack->config.trace == NULL)
        return;
    stack_trace(
        ask->stack,
        &(struct trace_event){
            .kind = TRACE_DNS,
            .flow = &ask->flow,
            .tcb = ask->tcb,
            .cause = cause,
            .u.dns = {.name = ask->name, .server = ask->flow.remote, .try_count = ask->try_count},
        });
}

static uint16_t draw_id(struct stack *stack)
{
    uint32_t id;

    return stack_choice(stack, CHOICE_DNS_ID, &id) ? (uint16_t)id : (uint16_t)stack_random(stack);
}

/* The query as TCP sends it; UDP leaves out the length in front. False: no such name can be asked
 * for (an alias may lead to one). */
static bool write_query(struct dns_ask *ask, struct dns_message *scratch)
{
    size_t name_bytes = strlen(ask->name) + 1;
    struct writer w = writer_of(ask->query, sizeof ask->query);

    if (name_bytes > sizeof scratch->question.text)
        return false;
    ask->id = draw_id(ask->stack);
    *scratch = (struct dns_message){
        .id = ask->id,
        .recursion_desired = true,
        .question_count = 1,
        .question_type = DNS_TYPE_A,
        .question_class = DNS_CLASS_IN,
    };
    memcpy(scratch->question.text, ask->name, name_bytes);
    size_t len = dns_emit(scratch, ask->query + DNS_LENGTH_BYTES, DNS_QUERY_MAX_BYTES);
    write_u16(&w, (uint16_t)len);
    ask->query_bytes = DNS_LENGTH_BYTES + len;
    ask->sent_bytes = 0;
    return len > 0;
}

static enum dns_ask_state look_at_udp(struct dns_ask *ask, struct dns_message *message)
{
    uint8_t packet[UDP_RESPONSE_MAX_BYTES];
    ptrdiff_t len;

    while ((len = udp_receive(ask->udp, packet, sizeof packet, NULL)) >= 0) {
        enum dns_ask_state state = judge(ask, (struct bytes){packet, (size_t)len}, message);
        if (state == DNS_ASK_ANSWERED && message->truncated)
            return turn_to_tcp(ask, message);
        if (state != DNS_ASK_WAITING)
            return state;
    }
    return len == UDP_NOTHING ? DNS_ASK_WAITING : DNS_ASK_NO_ANSWER;
}

static enum dns_ask_state judge(struct dns_ask *ask, struct bytes packet,
                                struct dns_message *message)
{
    enum drop drop = dns_parse(packet, message);

    if (!has_our_id(ask, packet)) {
        discard(ask, DROP_DNS_UNEXPECTED, "answer does not have the ID of the question");
        return DNS_ASK_WAITING;
    }
    if (drop != DROP_NOT) {
        discard(ask, drop, "the server's answer is malformed");
        return DNS_ASK_NO_USE;
    }
    if (!answers_our_question(ask, message)) {
        discard(ask, DROP_DNS_UNEXPECTED, "answer does not match the question");
        return DNS_ASK_WAITING;
    }
    return DNS_ASK_ANSWERED;
}

static bool has_our_id(const struct dns_ask *ask, struct bytes packet)
{
    struct reader r = reader_of(packet);
    uint16_t id = read_u16(&r);

    return !r.overrun && id == ask->id;
}

/* The question must come back (RFC 5452 9.1); a server that could not even read it may leave it
 * out when it says so. */
static bool answers_our_question(const struct dns_ask *ask, const struct dns_message *message)
{
    if (!message->is_response || message->opcode != 0)
        return false;
    if (message->question_count == 0)
        return message->rcode != DNS_RCODE_OK && message->rcode != DNS_RCODE_NAME_ERROR;
    return message->question_type == DNS_TYPE_A && message->question_class == DNS_CLASS_IN &&
           dns_name_equal(message->question.text, ask->name);
}

static void discard(const struct dns_ask *ask, enum drop drop, const char *cause)
{
    dns_ask_trace(ask, cause);
    stack_drop(ask->stack, drop, &ask->flow);
}

/* RFC 2181 9: what a truncated response holds is not used, the question is asked again. */
static enum dns_ask_state turn_to_tcp(struct dns_ask *ask, struct dns_message *scratch)
{
    enum tcp_err error = TCP_OK;
    struct tcp_status status;

    udp_close(ask->udp);
    ask->udp = NULL;
    if (!write_query(ask, scratch))
        return DNS_ASK_NO_USE;
    ask->tcb = tcp_open_active(ask->stack, NULL, 0, &ask->flow.remote, ask->flow.remote_port, NULL,
                               &error);
    if (ask->tcb == NULL)
        return error == TCP_ERR_RESOURCES ? DNS_ASK_RESOURCES : DNS_ASK_NO_USE;
    tcp_status(ask->tcb, &status);
    ask->flow = status.flow;
    dns_ask_trace(ask, "the answer is truncated, asking again over TCP");
    return DNS_ASK_WAITING;
}

static enum dns_ask_state look_at_tcp(struct dns_ask *ask, struct dns_message *message)
{
    ptrdiff_t len;

    if (!send_rest(ask))
        return DNS_ASK_NO_USE;
    while ((len = receive_some(ask)) > 0) {
        ask->received_bytes += (size_t)len;
        if (ask->received_bytes == DNS_LENGTH_BYTES) {
            enum dns_ask_state state = make_room(ask);
            if (state != DNS_ASK_WAITING)
                return state;
        }
        if (!is_complete(ask))
            continue;
        struct bytes packet = {ask->reply, ask->reply_bytes};
        bool is_usable = judge(ask, packet, message) == DNS_ASK_ANSWERED && !message->truncated;
        return is_usable ? DNS_ASK_ANSWERED : DNS_ASK_NO_USE;
    }
    bool is_over = len < 0 || (tcp_readiness(ask->tcb) & (TCP_PEER_CLOSED | TCP_FAILED)) != 0;
    return is_over ? DNS_ASK_NO_USE : DNS_ASK_WAITING;
}

/* False if the connection has failed. */
static bool send_rest(struct dns_ask *ask)
{
    while (ask->sent_bytes < ask->query_bytes) {
        ptrdiff_t len =
            tcp_send(ask->tcb, ask->query + ask->sent_bytes, ask->query_bytes - ask->sent_bytes);
        if (len <= 0)
            return len == 0;
        ask->sent_bytes += (size_t)len;
    }
    return true;
}

/* The next bytes, of the length in front or of the message. */
static ptrdiff_t receive_some(struct dns_ask *ask)
{
    size_t received = ask->received_bytes;

    if (received < DNS_LENGTH_BYTES)
        return tcp_receive(ask->tcb, ask->reply_length + received, DNS_LENGTH_BYTES - received);
    received -= DNS_LENGTH_BYTES;
    return tcp_receive(ask->tcb, ask->reply + received, ask->reply_bytes - received);
}

static enum dns_ask_state make_room(struct dns_ask *ask)
{
    struct reader r = reader_of((struct bytes){ask->reply_length, DNS_LENGTH_BYTES});

    ask->reply_bytes = read_u16(&r);
    if (ask->reply_bytes < DNS_HEADER_BYTES)
        return DNS_ASK_NO_USE;
    ask->reply = malloc(ask->reply_bytes);
    return ask->reply == NULL ? DNS_ASK_RESOURCES : DNS_ASK_WAITING;
}

static bool is_complete(const struct dns_ask *ask)
{
    return ask->reply != NULL && ask->received_bytes == DNS_LENGTH_BYTES + ask->reply_bytes;
}
