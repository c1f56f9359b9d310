/* The lab, driven by hand: a client stack against its far hosts in virtual time. First the exchange
 * that it replays, number by number; then its servers, its scenarios, and bytes that nobody
 * should send. */
#include "../../../tun/lab.h"

#include <stdio.h>
#include <string.h>

#include "../../../stack/tcp/tcp.h"
#include "../../../stack/udp/udp.h"
#include "../../../stack/wire/dns_message.h"
#include "../../../stack/wire/icmp.h"
#include "../unit.h"

enum { LOG_MAX = 4000, TEXT_BYTES = 2 * 1024 * 1024 };

static const uint64_t SECOND_US = 1000000;
static const uint32_t WEB = 0x8efac48e;

/* A packet on the wire between client and lab. */
struct logged {
    uint64_t at_us;
    bool is_ours;
    uint8_t bytes[200]; /* its beginning */
    size_t len;
};

struct client {
    struct lab *lab;
    struct stack *stack;
    uint64_t now_us;
    unsigned log_count;
    struct logged log[LOG_MAX];
    size_t text_bytes;
    char text[TEXT_BYTES]; /* what a connection has received */
};

static struct client *client_new(const char *scenario, const char *impair, uint64_t seed)
{
    struct client *c = calloc(1, sizeof *c);
    struct stack_config config;
    char error[300] = "";

    c->now_us = lab_start_us();
    c->lab = lab_new(scenario, impair, seed, c->now_us, error, sizeof error);
    ck_assert_msg(c->lab != NULL, "%s", error);
    stack_config_init(&config);
    lab_client_config(c->lab, &config);
    c->stack = stack_new(&config, c->now_us);
    ck_assert_ptr_nonnull(c->stack);
    return c;
}

static void client_free(struct client *c)
{
    stack_free(c->stack);
    lab_free(c->lab);
    free(c);
}

static void log_packet(struct client *c, bool is_ours, const uint8_t *bytes, size_t len)
{
    if (c->log_count == LOG_MAX)
        return;
    struct logged *entry = &c->log[c->log_count++];
    entry->at_us = c->now_us;
    entry->is_ours = is_ours;
    entry->len = len;
    memcpy(entry->bytes, bytes, len < sizeof entry->bytes ? len : sizeof entry->bytes);
}

static void push(struct client *c)
{
    static uint8_t memory[65535];
    struct packet_out out;

    while (stack_output(c->stack, &out, c->now_us)) {
        log_packet(c, true, memory, packet_out_copy(&out, memory, sizeof memory));
        lab_send(c->lab, &out, c->now_us);
    }
}

static uint64_t next_us(const struct client *c)
{
    uint64_t lab_us = lab_next_deadline_us(c->lab), stack_us = stack_next_deadline_us(c->stack);

    return lab_us < stack_us ? lab_us : stack_us;
}

/* Everything up to the next event, that one included. False: nothing will happen any more. */
static bool turn(struct client *c)
{
    struct packet_in in;

    push(c);
    uint64_t at_us = next_us(c);
    if (at_us == NEVER)
        return false;
    if (at_us > c->now_us)
        c->now_us = at_us;
    lab_on_time(c->lab, c->now_us);
    while (lab_receive(c->lab, &in, c->now_us)) {
        log_packet(c, false, in.bytes.data, in.bytes.len);
        stack_input(c->stack, &in, c->now_us);
    }
    stack_on_time(c->stack, c->now_us);
    return true;
}

static void run_for(struct client *c, uint64_t us)
{
    uint64_t end_us = c->now_us + us;

    push(c);
    while (next_us(c) <= end_us && turn(c))
        push(c);
    c->now_us = end_us;
    lab_on_time(c->lab, c->now_us);
}

static struct tcb *connect_to(struct client *c, uint32_t address, uint16_t port)
{
    struct ip_addr remote = ip_addr_from_v4(address);
    enum tcp_err error = TCP_OK;
    struct tcb *tcb = tcp_open_active(c->stack, NULL, 0, &remote, port, NULL, &error);

    ck_assert_msg(tcb != NULL, "%s", tcp_err_name(error));
    return tcb;
}

/* Send `len` bytes as the window lets them go, and receive all that comes. */
static void send_all(struct client *c, struct tcb *tcb, const char *data, size_t len)
{
    size_t sent = 0;

    while (sent < len) {
        ptrdiff_t n = tcp_send(tcb, (const uint8_t *)data + sent, len - sent);
        if (n < 0 || (n == 0 && !turn(c)))
            break;
        sent += (size_t)n;
    }
}

/* What has come by now into c->text. False at the end of the stream. */
static bool receive_some(struct client *c, struct tcb *tcb)
{
    ptrdiff_t n =
        tcp_receive(tcb, (uint8_t *)c->text + c->text_bytes, TEXT_BYTES - 1 - c->text_bytes);

    if (n > 0)
        c->text_bytes += (size_t)n;
    c->text[c->text_bytes] = '\0';
    return n > 0 || (n == 0 && (tcp_readiness(tcb) & TCP_PEER_CLOSED) == 0);
}

static void receive_for(struct client *c, struct tcb *tcb, uint64_t us)
{
    uint64_t end_us = c->now_us + us;

    while (receive_some(c, tcb) && c->now_us <= end_us && turn(c))
        continue;
}

/* One connection to the web server that says `request`; what came back within a minute. */
static const char *ask_web(struct client *c, const char *request)
{
    struct tcb *tcb = connect_to(c, WEB, 80);

    c->text_bytes = 0;
    send_all(c, tcb, request, strlen(request));
    receive_for(c, tcb, 60 * SECOND_US);
    tcp_close(tcb);
    return c->text;
}

static const struct tcp_segment *segment_of(const struct logged *packet)
{
    static struct tcp_segment seg;
    struct ipv4_packet ip;
    struct bytes bytes = {packet->bytes, packet->len};

    if (bytes.len > sizeof packet->bytes || ipv4_parse(bytes, false, &ip) != DROP_NOT ||
        ip.protocol != IP_PROTOCOL_TCP || tcp_parse(ip.payload, &seg) != DROP_NOT)
        return NULL;
    return &seg;
}

/* The n-th logged TCP segment, from 0. */
static const struct logged *nth_segment(const struct client *c, unsigned n)
{
    for (unsigned i = 0; i < c->log_count; i++)
        if (segment_of(&c->log[i]) != NULL && n-- == 0)
            return &c->log[i];
    ck_abort_msg("no such segment");
    return NULL;
}

/* ---- DNS ---- */

static size_t make_query(const char *name, uint16_t type, uint16_t id, uint8_t *memory, size_t room)
{
    static struct dns_message query;

    query = (struct dns_message){
        .id = id,
        .recursion_desired = true,
        .question_count = 1,
        .question_type = type,
        .question_class = DNS_CLASS_IN,
    };
    strcpy(query.question.text, name);
    return dns_emit(&query, memory, room);
}

/* Ask over UDP; the answer, or NULL when none came within a second. */
static const struct dns_message *ask_dns(struct client *c, const char *name, uint16_t type)
{
    static struct dns_message answer;
    struct ip_addr server = lab_dns_server(c->lab);
    struct udp_socket *socket = udp_open(c->stack, 0);
    uint8_t memory[DNS_UDP_MAX_BYTES];
    size_t len = make_query(name, type, 0x1234, memory, sizeof memory);

    ck_assert_uint_gt(len, 0);
    ck_assert_int_eq(udp_send(socket, NULL, &server, DNS_PORT, (struct bytes){memory, len}, "test"),
                     0);
    run_for(c, SECOND_US);
    ptrdiff_t got = udp_receive(socket, memory, sizeof memory, NULL);
    udp_close(socket);
    if (got < 0)
        return NULL;
    ck_assert_int_eq(dns_parse((struct bytes){memory, (size_t)got}, &answer), DROP_NOT);
    ck_assert_uint_eq(answer.id, 0x1234);
    ck_assert(answer.is_response);
    ck_assert_str_eq(answer.question.text, name);
    return &answer;
}

START_TEST(google_com_is_answered_as_in_the_exchange)
{
    struct client *c = client_new(NULL, NULL, LAB_DEFAULT_SEED);
    const struct dns_message *answer = ask_dns(c, "google.com", DNS_TYPE_A);

    ck_assert_ptr_nonnull(answer);
    ck_assert_uint_eq(answer->rcode, DNS_RCODE_OK);
    ck_assert(!answer->truncated);
    ck_assert_uint_eq(answer->answer_count, 1);
    ck_assert_str_eq(answer->record[0].name.text, "google.com");
    ck_assert_uint_eq(answer->record[0].type, DNS_TYPE_A);
    ck_assert_uint_eq(answer->record[0].class, DNS_CLASS_IN);
    ck_assert_uint_eq(answer->record[0].ttl_s, 267);
    ck_assert_uint_eq(ip_addr_to_v4(&answer->record[0].address), WEB);
    ck_assert_uint_eq(c->log_count, 2);
    ck_assert_uint_eq(c->log[0].len, 70 - 14);
    ck_assert_uint_eq(c->log[1].len, 86 - 14);
    ck_assert_uint_eq(c->log[1].at_us - c->log[0].at_us, 4477);
    client_free(c);
}
END_TEST

START_TEST(www_is_an_alias)
{
    struct client *c = client_new(NULL, NULL, 7);
    const struct dns_message *answer = ask_dns(c, "www.google.com", DNS_TYPE_A);

    ck_assert_ptr_nonnull(answer);
    ck_assert_uint_eq(answer->answer_count, 2);
    ck_assert_uint_eq(answer->record[0].type, DNS_TYPE_CNAME);
    ck_assert_str_eq(answer->record[0].target.text, "google.com");
    ck_assert_str_eq(answer->record[1].name.text, "google.com");
    ck_assert_uint_eq(ip_addr_to_v4(&answer->record[1].address), WEB);
    client_free(c);
}
END_TEST

START_TEST(names_are_found_in_any_case)
{
    struct client *c = client_new(NULL, NULL, 7);
    const struct dns_message *answer = ask_dns(c, "GooGLE.com", DNS_TYPE_A);

    ck_assert_ptr_nonnull(answer);
    ck_assert_uint_eq(answer->answer_count, 1);
    client_free(c);
}
END_TEST

START_TEST(an_unknown_name_does_not_exist_and_that_may_be_kept)
{
    struct client *c = client_new(NULL, NULL, 7);
    const struct dns_message *answer = ask_dns(c, "nx.example", DNS_TYPE_A);

    ck_assert_ptr_nonnull(answer);
    ck_assert_uint_eq(answer->rcode, DNS_RCODE_NAME_ERROR);
    ck_assert_uint_eq(answer->answer_count, 0);
    ck_assert_uint_eq(answer->record_count, 1);
    ck_assert_uint_eq(answer->record[0].type, DNS_TYPE_SOA);
    ck_assert_uint_eq(answer->record[0].soa_minimum_s, 60);
    client_free(c);
}
END_TEST

START_TEST(a_known_name_without_such_a_record_is_no_error)
{
    struct client *c = client_new(NULL, NULL, 7);
    const struct dns_message *answer = ask_dns(c, "google.com", DNS_TYPE_AAAA);

    ck_assert_ptr_nonnull(answer);
    ck_assert_uint_eq(answer->rcode, DNS_RCODE_OK);
    ck_assert_uint_eq(answer->answer_count, 0);
    client_free(c);
}
END_TEST

START_TEST(a_big_answer_is_truncated_over_udp_and_whole_over_tcp) /* RFC 1035 4.2 */
{
    static struct dns_message whole;
    struct client *c = client_new(NULL, NULL, 7);
    const struct dns_message *answer = ask_dns(c, "big.google.com", DNS_TYPE_A);
    struct ip_addr server = lab_dns_server(c->lab);
    uint8_t query[2 + DNS_UDP_MAX_BYTES];

    ck_assert_ptr_nonnull(answer);
    ck_assert(answer->truncated);
    struct tcb *tcb = connect_to(c, ip_addr_to_v4(&server), DNS_PORT);
    size_t len = make_query("big.google.com", DNS_TYPE_A, 99, query + 2, sizeof query - 2);
    query[0] = 0;
    query[1] = (uint8_t)len;
    send_all(c, tcb, (const char *)query, 5); /* the length and the message may come in pieces */
    run_for(c, SECOND_US);
    send_all(c, tcb, (const char *)query + 5, len - 3);
    receive_for(c, tcb, SECOND_US);
    size_t answer_bytes = (size_t)(uint8_t)c->text[0] << 8 | (uint8_t)c->text[1];
    ck_assert_uint_eq(c->text_bytes, answer_bytes + 2);
    struct bytes message = {(const uint8_t *)c->text + 2, answer_bytes};
    ck_assert_int_eq(dns_parse(message, &whole), DROP_NOT);
    ck_assert(!whole.truncated);
    ck_assert_uint_eq(whole.id, 99);
    ck_assert_uint_eq(whole.answer_count, 32);
    tcp_close(tcb);
    client_free(c);
}
END_TEST

/* ---- the replay ---- */

START_TEST(the_first_connection_replays_the_exchange)
{
    struct client *c = client_new(NULL, NULL, LAB_DEFAULT_SEED);

    c->now_us += 4477 + 1396;
    lab_on_time(c->lab, c->now_us);
    struct tcb *tcb = connect_to(c, WEB, 80);
    push(c);
    while (c->log_count < 2)
        ck_assert(turn(c));
    c->now_us += lab_stack_latency_us(c->lab);
    push(c);
    ck_assert_uint_ge(c->log_count, 3);

    const struct tcp_segment *seg = segment_of(&c->log[0]);
    ck_assert_uint_eq(c->log[0].len, 78 - 14);
    ck_assert_uint_eq(seg->src_port, 53747);
    ck_assert_uint_eq(seg->flags, TCP_SYN);
    ck_assert_uint_eq(seg->seq, 2632373117u);
    ck_assert_uint_eq(seg->wnd, 65535);
    ck_assert_uint_eq(seg->options.mss, 1460);
    ck_assert_uint_eq(seg->options.tsval, 596778860);
    ck_assert_uint_eq(seg->options.tsecr, 0);
    ck_assert(seg->options.sack_permitted);
    ck_assert_uint_eq(seg->options.window_scale, 6);

    seg = segment_of(&c->log[1]);
    ck_assert_uint_eq(c->log[1].at_us - c->log[0].at_us, 36396);
    ck_assert_uint_eq(c->log[1].len, 74 - 14);
    ck_assert_uint_eq(seg->flags, TCP_SYN | TCP_ACK);
    ck_assert_uint_eq(seg->seq, 2691239502u);
    ck_assert_uint_eq(seg->ack, 2632373118u);
    ck_assert_uint_eq(seg->wnd, 65535);
    ck_assert_uint_eq(seg->options.mss, 1412);
    ck_assert_uint_eq(seg->options.tsval, 3455834059u);
    ck_assert_uint_eq(seg->options.tsecr, 596778860);
    ck_assert(seg->options.sack_permitted);
    ck_assert_uint_eq(seg->options.window_scale, 8);

    seg = segment_of(&c->log[2]);
    ck_assert_uint_eq(c->log[2].at_us - c->log[1].at_us, 103);
    ck_assert_uint_eq(c->log[2].len, 66 - 14);
    ck_assert_uint_eq(seg->flags, TCP_ACK);
    ck_assert_uint_eq(seg->seq, 2632373118u);
    ck_assert_uint_eq(seg->ack, 2691239503u);
    ck_assert_uint_eq(seg->wnd * 64u, 131584);
    ck_assert_uint_eq(seg->options.tsval, 596778896);
    ck_assert_uint_eq(seg->options.tsecr, 3455834059u);
    tcp_abort(tcb);
    client_free(c);
}
END_TEST

START_TEST(only_the_first_connection_has_the_fixed_numbers)
{
    struct client *c = client_new(NULL, NULL, LAB_DEFAULT_SEED);

    for (unsigned i = 0; i < 2; i++) {
        ask_web(c, "HEAD / HTTP/1.0\r\n\r\n");
        run_for(c, SECOND_US);
    }
    unsigned syn_count = 0;
    for (unsigned i = 0; i < c->log_count; i++) {
        const struct tcp_segment *seg = segment_of(&c->log[i]);
        if (seg == NULL || (seg->flags & TCP_SYN) == 0)
            continue;
        bool is_fixed = seg->seq == 2632373117u || seg->seq == 2691239502u;
        ck_assert_int_eq(is_fixed, syn_count < 2);
        syn_count++;
    }
    ck_assert_uint_eq(syn_count, 4);
    client_free(c);
}
END_TEST

START_TEST(another_seed_draws_its_own_numbers)
{
    struct client *c = client_new(NULL, NULL, 2);

    ask_web(c, "HEAD / HTTP/1.0\r\n\r\n");
    ck_assert_uint_ne(segment_of(nth_segment(c, 0))->seq, 2632373117u);
    ck_assert_uint_ne(segment_of(nth_segment(c, 1))->seq, 2691239502u);
    client_free(c);
}
END_TEST

/* A digest of all packets and times of one GET under every kind
 * of trouble. */
static uint64_t digest_of(uint64_t seed)
{
    struct client *c = client_new("burst-loss", "reorder 10% duplicate 5% corrupt 2%", seed);
    uint64_t digest = 0;

    ask_web(c, "GET /big HTTP/1.0\r\n\r\n");
    for (unsigned i = 0; i < c->log_count; i++) {
        digest = digest * 31 + c->log[i].at_us;
        for (size_t at = 0; at < c->log[i].len && at < sizeof c->log[i].bytes; at++)
            digest = digest * 31 + c->log[i].bytes[at];
    }
    client_free(c);
    return digest;
}

START_TEST(a_seed_determines_every_packet)
{
    ck_assert_uint_eq(digest_of(5), digest_of(5));
    ck_assert_uint_ne(digest_of(5), digest_of(6));
}
END_TEST

/* ---- the web server ---- */

struct web_case {
    const char *request;
    const char *status;
    bool has_body;
    bool server_closes;
};

static const struct web_case web_cases[] = {
    {"GET / HTTP/1.1\r\n\r\n", "200 OK", true, false},
    {"GET / HTTP/1.1\n\n", "200 OK", true, false},
    {"\r\n\r\nGET / HTTP/1.1\r\nHost: google.com\r\n\r\n", "200 OK", true, false},
    {"GET / HTTP/1.1\r\nHost: google.com\r\nConnection: close\r\n\r\n", "200 OK", true, true},
    {"GET / HTTP/1.1\r\nconnection:keep-alive , CLOSE\r\n\r\n", "200 OK", true, true},
    {"GET / HTTP/1.1\r\nConnection: closed\r\n\r\n", "200 OK", true, false},
    {"GET / HTTP/1.0\r\n\r\n", "200 OK", true, true},
    {"GET http://google.com/?q=1 HTTP/1.1\r\n\r\n", "200 OK", true, false},
    {"GET http://google.com HTTP/1.1\r\n\r\n", "200 OK", true, false},
    {"HEAD / HTTP/1.1\r\n\r\n", "200 OK", false, false},
    {"HEAD /big HTTP/1.1\r\n\r\n", "200 OK", false, false},
    {"GET /nothing HTTP/1.1\r\n\r\n", "404 Not Found", true, false},
    {"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "405 Method Not Allowed", true, true},
    {"GET /\r\n\r\n", "400 Bad Request", true, true},
    {"GET  / HTTP/1.1\r\n\r\n", "400 Bad Request", true, true},
    {"GET / HTTP/2.0\r\n\r\n", "400 Bad Request", true, true},
    {"GET / HTTP/1.1 x\r\n\r\n", "400 Bad Request", true, true},
    {"TOOLONGAMETHOD / HTTP/1.1\r\n\r\n", "400 Bad Request", true, true},
    {"\x16\x03\x01\r\n\r\n", "400 Bad Request", true, true},
};

START_TEST(a_request_gets_its_response)
{
    const struct web_case *w = &web_cases[_i];
    struct client *c = client_new(NULL, NULL, 3);
    struct tcb *tcb = connect_to(c, WEB, 80);
    char start[100];
    size_t content_bytes = 0;

    send_all(c, tcb, w->request, strlen(w->request));
    receive_for(c, tcb, 10 * SECOND_US);
    snprintf(start, sizeof start, "HTTP/1.1 %s\r\n", w->status);
    ck_assert_msg(strncmp(c->text, start, strlen(start)) == 0, "%s: %s", w->request, c->text);
    const char *body = strstr(c->text, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    ck_assert_int_eq(
        sscanf(strstr(c->text, "Content-Length: "), "Content-Length: %zu", &content_bytes), 1);
    ck_assert_uint_eq(strlen(body + 4), w->has_body ? content_bytes : 0);
    ck_assert_int_eq((tcp_readiness(tcb) & TCP_PEER_CLOSED) != 0, w->server_closes);
    ck_assert_int_eq(strstr(c->text, "Connection: close\r\n") != NULL, w->server_closes);
    ck_assert_int_eq(tcp_error(tcb), TCP_OK);
    tcp_close(tcb);
    client_free(c);
}
END_TEST

START_TEST(the_response_has_the_lines_of_the_exchange)
{
    struct client *c = client_new(NULL, NULL, LAB_DEFAULT_SEED);

    ask_web(c, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(
        c->text, "HTTP/1.1 200 OK\r\nDate: Wed, 23 Apr 2025 02:39:29 GMT\r\nExpires: -1\r\n"));
    ck_assert_ptr_nonnull(strstr(c->text, "Content-Type: text/html; charset=ISO-8859-1\r\n"));
    ck_assert_ptr_nonnull(strstr(c->text, "<title>Google</title>"));
    ck_assert_uint_eq((lab_epoch_us() + c->log[0].at_us) / SECOND_US, 1745375969);
    client_free(c);
}
END_TEST

START_TEST(several_requests_in_one_connection_are_answered_in_order)
{
    struct client *c = client_new(NULL, NULL, 3);

    ask_web(c, "HEAD / HTTP/1.1\r\n\r\nHEAD /x HTTP/1.1\r\n\r\nHEAD /big HTTP/1.1\r\nConnection: "
               "close\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    const char *first = strstr(c->text, "200 OK"), *second = strstr(c->text, "404 Not");
    ck_assert(first != NULL && second != NULL && first < second);
    const char *third = strstr(second, "200 OK");
    ck_assert_ptr_nonnull(third);
    ck_assert_ptr_null(strstr(third, "<title>")); /* nothing is answered
                                                     after the close */
    client_free(c);
}
END_TEST

START_TEST(a_request_may_come_byte_by_byte)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    struct client *c = client_new(NULL, NULL, 3);
    struct tcb *tcb = connect_to(c, WEB, 80);

    for (const char *at = request; *at != '\0'; at++) {
        send_all(c, tcb, at, 1);
        run_for(c, SECOND_US);
    }
    receive_for(c, tcb, 10 * SECOND_US);
    ck_assert_ptr_nonnull(strstr(c->text, "</html>"));
    tcp_close(tcb);
    client_free(c);
}
END_TEST

START_TEST(a_request_after_the_clients_fin_is_answered)
{
    static const char request[] = "GET / HTTP/1.1\r\n\r\n";
    struct client *c = client_new(NULL, NULL, 3);
    struct tcb *tcb = connect_to(c, WEB, 80);

    send_all(c, tcb, request, strlen(request));
    tcp_shutdown(tcb);
    receive_for(c, tcb, 10 * SECOND_US);
    ck_assert_ptr_nonnull(strstr(c->text, "</html>"));
    ck_assert(tcp_readiness(tcb) & TCP_PEER_CLOSED);
    tcp_close(tcb);
    client_free(c);
}
END_TEST

START_TEST(a_request_without_end_is_refused_in_bounded_memory)
{
    static char request[200000];
    struct client *c = client_new(NULL, NULL, 3);
    struct tcb *tcb = connect_to(c, WEB, 80);

    memset(request, 'x', sizeof request);
    send_all(c, tcb, request, sizeof request);
    receive_for(c, tcb, 10 * SECOND_US);
    ck_assert_ptr_nonnull(strstr(c->text, "HTTP/1.1 431 "));
    tcp_close(tcb);
    client_free(c);
}
END_TEST

static void check_big(const char *text)
{
    const char *body = strstr(text, "\r\n\r\n");

    ck_assert_ptr_nonnull(body);
    body += 4;
    ck_assert_uint_eq(strlen(body), 1024 * 1024);
    for (unsigned i = 0; i < 1024 * 1024 / 16; i++) {
        char line[24];
        snprintf(line, sizeof line, "%015u\n", i);
        ck_assert_msg(memcmp(body + i * 16, line, 16) == 0, "line %u", i);
    }
}

START_TEST(a_megabyte_of_numbered_lines_arrives_whole)
{
    struct client *c = client_new(NULL, NULL, 3);

    check_big(ask_web(c, "GET /big HTTP/1.0\r\n\r\n"));
    client_free(c);
}
END_TEST

/* ---- the other services ----
 */

START_TEST(echo_returns_what_it_gets) /* RFC 862 */
{
    static char data[50000];
    struct client *c = client_new(NULL, NULL, 3);
    struct tcb *tcb = connect_to(c, WEB, 7);
    size_t sent = 0;

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7 + i / 256);
    while (sent < sizeof data) {
        ptrdiff_t n = tcp_send(tcb, (const uint8_t *)data + sent, sizeof data - sent);
        ck_assert_int_ge(n, 0);
        sent += (size_t)n;
        ck_assert(turn(c));
    }
    tcp_shutdown(tcb);
    receive_for(c, tcb, 60 * SECOND_US);
    ck_assert_uint_eq(c->text_bytes, sizeof data);
    ck_assert_mem_eq(c->text, data, sizeof data);
    tcp_close(tcb);
    client_free(c);
}
END_TEST

START_TEST(discard_takes_everything_and_says_nothing) /* RFC 863 */
{
    static char data[50000];
    struct client *c = client_new(NULL, NULL, 3);
    struct tcb *tcb = connect_to(c, WEB, 9);

    send_all(c, tcb, data, sizeof data);
    tcp_shutdown(tcb);
    receive_for(c, tcb, 60 * SECOND_US);
    ck_assert_uint_eq(c->text_bytes, 0);
    ck_assert(tcp_readiness(tcb) & TCP_PEER_CLOSED);
    ck_assert(tcp_readiness(tcb) & TCP_FINISHED);
    tcp_close(tcb);
    client_free(c);
}
END_TEST

START_TEST(a_closed_port_refuses)
{
    struct client *c = client_new(NULL, NULL, 3);
    struct tcb *tcb = connect_to(c, WEB, 81);

    run_for(c, SECOND_US);
    ck_assert_int_eq(tcp_error(tcb), TCP_ERR_REFUSED);
    tcp_close(tcb);
    client_free(c);
}
END_TEST

START_TEST(the_router_says_that_an_address_does_not_exist)
{
    struct client *c = client_new(NULL, NULL, 3);
    struct tcb *tcb = connect_to(c, 0x01020304, 80);
    struct ipv4_packet ip;
    struct icmp_message icmp;

    run_for(c, SECOND_US / 2);
    ck_assert_uint_eq(c->log_count, 2);
    struct bytes packet = {c->log[1].bytes, c->log[1].len};
    ck_assert_int_eq(ipv4_parse(packet, false, &ip), DROP_NOT);
    ck_assert_uint_eq(ip_addr_to_v4(&ip.src), 0x0a000001);
    ck_assert_int_eq(icmp_parse(ip.payload, false, &icmp), DROP_NOT);
    ck_assert_uint_eq(icmp.type, ICMP_UNREACHABLE);
    ck_assert_uint_eq(icmp.code, ICMP_UNREACHABLE_HOST);
    ck_assert_uint_eq(icmp.body.len, 28);
    ck_assert_mem_eq(icmp.body.data, c->log[0].bytes, 28);
    tcp_abort(tcb);
    client_free(c);
}
END_TEST

START_TEST(more_connections_than_a_server_serves_are_no_harm)
{
    struct client *c = client_new(NULL, NULL, 3);
    struct tcb *tcb[100];
    unsigned connected = 0;

    for (unsigned i = 0; i < 100; i++)
        tcb[i] = connect_to(c, WEB, 7);
    run_for(c, 5 * SECOND_US);
    for (unsigned i = 0; i < 100; i++) {
        connected += tcp_error(tcb[i]) == TCP_OK;
        tcp_close(tcb[i]);
    }
    ck_assert_uint_eq(connected, 64);
    run_for(c, 200 * SECOND_US);
    ck_assert_ptr_nonnull(strstr(ask_web(c, "GET / HTTP/1.0\r\n\r\n"), "200 OK"));
    client_free(c);
}
END_TEST

/* ----
 * scenarios
 * ---- */

struct outcome {
    const char *scenario;
    bool gets_page;
    enum tcp_err error;
};

static const struct outcome outcomes[] = {
    {"clean", true, TCP_OK},
    {"lost-syn", true, TCP_OK},
    {"lost-segment", true, TCP_OK},
    {"burst-loss", true, TCP_OK},
    {"reorder", true, TCP_OK},
    {"dup", true, TCP_OK},
    {"corrupt", true, TCP_OK},
    {"refused", false, TCP_ERR_REFUSED},
    {"dns-timeout", true, TCP_OK},
    {"tail-loss", true, TCP_OK},
    {"sawtooth", true, TCP_OK},
    {"long-fat-pipe", true, TCP_OK},
    {"slow-reader", true, TCP_OK},
    {"spurious-rto", true, TCP_OK},
    {"ecn", true, TCP_OK},
    {"half-close", true, TCP_OK},
    {"simultaneous-close", true, TCP_OK},
    {"slow", true, TCP_OK},
    {"blackhole", false, TCP_ERR_TIMED_OUT},
};

START_TEST(a_scenario_ends_as_its_name_says)
{
    const struct outcome *o = &outcomes[_i];
    struct client *c = client_new(o->scenario, NULL, LAB_DEFAULT_SEED);
    struct tcb *tcb = connect_to(c, WEB, 80);
    static const char request[] = "GET /big HTTP/1.0\r\n\r\n";

    send_all(c, tcb, request, strlen(request));
    receive_for(c, tcb, 1000 * SECOND_US);
    if (o->gets_page)
        check_big(c->text);
    ck_assert_int_eq(tcp_error(tcb), o->error);
    tcp_close(tcb);
    client_free(c);
}
END_TEST

START_TEST(lost_syn_is_sent_again_after_a_second) /* RFC 6298 (2.1) */
{
    struct client *c = client_new("lost-syn", NULL, LAB_DEFAULT_SEED);

    ask_web(c, "HEAD / HTTP/1.0\r\n\r\n");
    ck_assert_uint_eq(segment_of(nth_segment(c, 0))->flags, TCP_SYN);
    ck_assert_uint_eq(segment_of(nth_segment(c, 1))->flags, TCP_SYN);
    ck_assert_uint_eq(nth_segment(c, 1)->at_us - nth_segment(c, 0)->at_us, SECOND_US);
    client_free(c);
}
END_TEST

/* What a scenario is named after, seen from the client's side of the link. */
static struct tcp_segment segment_in_log(const struct logged *packet)
{
    struct tcp_segment seg;
    struct bytes tcp = {packet->bytes + IPV4_HEADER_BYTES,
                        (packet->len < sizeof packet->bytes ? packet->len : sizeof packet->bytes) -
                            IPV4_HEADER_BYTES};

    ck_assert_int_eq(tcp_parse(tcp, &seg), DROP_NOT);
    return seg;
}

/* Something is missing: our SACK tells. */
static bool shows_burst_loss(const struct client *c)
{
    for (unsigned i = 0; i < c->log_count; i++) {
        const struct logged *packet = &c->log[i];
        if (!packet->is_ours || packet->bytes[9] != IP_PROTOCOL_TCP)
            continue;
        if (segment_in_log(packet).options.sack_count > 0)
            return true;
    }
    return false;
}

static bool shows_reordering(const struct client *c)
{
    struct tcp_segment seg, previous = {0};
    bool is_late = false;

    for (unsigned i = 0; i < c->log_count; i++) {
        const struct logged *packet = &c->log[i];
        if (packet->is_ours || packet->len < sizeof packet->bytes) /* carries no data */
            continue;
        struct bytes tcp = {packet->bytes + IPV4_HEADER_BYTES,
                            sizeof packet->bytes - IPV4_HEADER_BYTES};
        ck_assert_int_eq(tcp_parse(tcp, &seg), DROP_NOT);
        if (previous.src_port != 0 && (int32_t)(seg.seq - previous.seq) < 0)
            is_late = true;
        previous = seg;
    }
    return is_late;
}

static bool shows_duplicates(const struct client *c)
{
    for (unsigned i = 1; i < c->log_count; i++)
        if (!c->log[i].is_ours && c->log[i].at_us == c->log[i - 1].at_us &&
            c->log[i].len == c->log[i - 1].len &&
            memcmp(c->log[i].bytes, c->log[i - 1].bytes, 52) == 0)
            return true;
    return false;
}

static bool shows_corruption(const struct client *c)
{
    const uint64_t *drops = stack_counters(c->stack)->drops;

    return drops[DROP_TCP_CHECKSUM] + drops[DROP_IP_CHECKSUM] > 0;
}

static const struct {
    const char *scenario;
    bool (*shows)(const struct client *c);
} shows[] = {
    {"burst-loss", shows_burst_loss},
    {"reorder", shows_reordering},
    {"dup", shows_duplicates},
    {"corrupt", shows_corruption},
};

START_TEST(the_first_get_meets_what_the_scenario_is_named_after)
{
    struct client *c = client_new(shows[_i].scenario, NULL, LAB_DEFAULT_SEED);
    struct client *clean = client_new(NULL, NULL, LAB_DEFAULT_SEED);
    static const char request[] = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";

    ck_assert_ptr_nonnull(strstr(ask_web(c, request), "</html>"));
    ck_assert_ptr_nonnull(strstr(ask_web(clean, request), "</html>"));
    ck_assert(shows[_i].shows(c));
    ck_assert(!shows[_i].shows(clean));
    client_free(c);
    client_free(clean);
}
END_TEST

START_TEST(dns_timeout_means_no_answer)
{
    struct client *c = client_new("dns-timeout", NULL, LAB_DEFAULT_SEED);

    ck_assert_ptr_null(ask_dns(c, "google.com", DNS_TYPE_A));
    client_free(c);
}
END_TEST

START_TEST(every_scenario_has_a_test)
{
    for (const struct lab_scenario *s = lab_scenarios; s->name != NULL; s++) {
        bool is_tested = false;
        for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++)
            is_tested = is_tested || strcmp(outcomes[i].scenario, s->name) == 0;
        ck_assert_msg(is_tested, "%s", s->name);
    }
}
END_TEST

START_TEST(a_wrong_scenario_or_impairment_is_refused_with_one_line)
{
    char error[300] = "";

    ck_assert_ptr_null(lab_new("sunny", NULL, 1, 0, error, sizeof error));
    ck_assert_ptr_nonnull(strstr(error, "\"sunny\""));
    ck_assert_ptr_nonnull(strstr(error, "blackhole"));
    ck_assert_ptr_null(lab_new(NULL, "loss much", 1, 0, error, sizeof error));
    ck_assert_ptr_nonnull(strstr(error, "\"much\""));
    for (size_t room = 1; room < 80; room++)
        ck_assert_ptr_null(lab_new("sunny", NULL, 1, 0, error, room));
}
END_TEST

/* ---- bytes that nobody should send ---- */

START_TEST(random_requests_on_every_port_are_survived)
{
    static const uint16_t ports[] = {80, 7, 9, DNS_PORT};
    struct client *c = client_new(NULL, NULL, 3);
    struct ip_addr dns = lab_dns_server(c->lab);
    uint64_t random = 11;
    char data[3000];

    for (unsigned i = 0; i < 200; i++) {
        uint16_t port = ports[i % 4];
        struct tcb *tcb = connect_to(c, port == DNS_PORT ? ip_addr_to_v4(&dns) : WEB, port);
        size_t len = link_random(&random) % sizeof data;
        for (size_t at = 0; at < len; at++)
            data[at] = i % 8 < 4 ? (char)link_random(&random)
                                 : "GET / HTP1.\r\n\r\n:"[link_random(&random) % 17];
        send_all(c, tcb, data, len);
        c->text_bytes = 0;
        receive_for(c, tcb, SECOND_US);
        if (i % 3 == 0)
            tcp_abort(tcb);
        else
            tcp_close(tcb);
    }
    run_for(c, 300 * SECOND_US);
    c->text_bytes = 0;
    ck_assert_ptr_nonnull(strstr(ask_web(c, "GET / HTTP/1.0\r\n\r\n"), "200 OK"));
    client_free(c);
}
END_TEST

START_TEST(random_packets_are_survived)
{
    struct client *c = client_new(NULL, NULL, 3);
    uint64_t random = 12;
    uint8_t payload[100];

    for (unsigned i = 0; i < 20000; i++) {
        struct ipv4_packet ip = {
            .src = ip_addr_from_v4(0x0a000002),
            .dst = i % 3 == 0   ? ip_addr_from_v4(WEB)
                   : i % 3 == 1 ? lab_dns_server(c->lab)
                                : ip_addr_from_v4((uint32_t)link_random(&random)),
            .ttl = 64,
            .protocol = (uint8_t)(i % 5 == 0  ? IP_PROTOCOL_ICMP
                                  : i % 5 < 3 ? IP_PROTOCOL_UDP
                                  : i % 5 < 4 ? IP_PROTOCOL_TCP
                                              : link_random(&random)),
            .more_fragments = i % 7 == 0,
            .fragment_offset_bytes = i % 11 == 0 ? 8 * (uint32_t)(link_random(&random) % 100) : 0,
        };
        size_t len = link_random(&random) % sizeof payload;
        for (size_t at = 0; at < len; at++)
            payload[at] = (uint8_t)link_random(&random);
        struct packet_out out = {.payload[0] = {payload, len}};
        out.header_bytes = ipv4_emit(&ip, len, out.header, sizeof out.header);
        lab_send(c->lab, &out, c->now_us);
        if (i % 100 == 0)
            run_for(c, 1000);
    }
    run_for(c, 100 * SECOND_US);
    ck_assert_ptr_nonnull(strstr(ask_web(c, "GET / HTTP/1.0\r\n\r\n"), "200 OK"));
    client_free(c);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, google_com_is_answered_as_in_the_exchange);
    tcase_add_test(tc, www_is_an_alias);
    tcase_add_test(tc, names_are_found_in_any_case);
    tcase_add_test(tc, an_unknown_name_does_not_exist_and_that_may_be_kept);
    tcase_add_test(tc, a_known_name_without_such_a_record_is_no_error);
    tcase_add_test(tc, a_big_answer_is_truncated_over_udp_and_whole_over_tcp);
    tcase_add_test(tc, the_first_connection_replays_the_exchange);
    tcase_add_test(tc, only_the_first_connection_has_the_fixed_numbers);
    tcase_add_test(tc, another_seed_draws_its_own_numbers);
    tcase_add_test(tc, a_seed_determines_every_packet);
    tcase_add_loop_test(tc, a_request_gets_its_response, 0, sizeof web_cases / sizeof web_cases[0]);
    tcase_add_test(tc, the_response_has_the_lines_of_the_exchange);
    tcase_add_test(tc, several_requests_in_one_connection_are_answered_in_order);
    tcase_add_test(tc, a_request_may_come_byte_by_byte);
    tcase_add_test(tc, a_request_after_the_clients_fin_is_answered);
    tcase_add_test(tc, a_request_without_end_is_refused_in_bounded_memory);
    tcase_add_test(tc, a_megabyte_of_numbered_lines_arrives_whole);
    tcase_add_test(tc, echo_returns_what_it_gets);
    tcase_add_test(tc, discard_takes_everything_and_says_nothing);
    tcase_add_test(tc, a_closed_port_refuses);
    tcase_add_test(tc, the_router_says_that_an_address_does_not_exist);
    tcase_add_test(tc, more_connections_than_a_server_serves_are_no_harm);
    tcase_add_loop_test(tc, a_scenario_ends_as_its_name_says, 0,
                        sizeof outcomes / sizeof outcomes[0]);
    tcase_add_test(tc, lost_syn_is_sent_again_after_a_second);
    tcase_add_loop_test(tc, the_first_get_meets_what_the_scenario_is_named_after, 0,
                        sizeof shows / sizeof shows[0]);
    tcase_add_test(tc, dns_timeout_means_no_answer);
    tcase_add_test(tc, every_scenario_has_a_test);
    tcase_add_test(tc, a_wrong_scenario_or_impairment_is_refused_with_one_line);
    tcase_add_test(tc, random_requests_on_every_port_are_survived);
    tcase_add_test(tc, random_packets_are_survived);
}

int main(void)
{
    return unit_main("lab", tests);
}
