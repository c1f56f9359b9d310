/* stack/dns/ask.c over TCP: a truncated answer is asked for again. The server is a second stack
 * with a UDP socket and a listener; packets go straight from one to the other. RFC 1035 4.2.2, RFC
 * 7766. */
#include "bench.h"

#include "../../../stack/dns/ask.h"
#include "../../../stack/tcp/tcp.h"

struct pair {
    struct rig *client, *server;
    struct dns_resolver *resolver;
    struct dns_query *query;
    struct dns_answer answer;
    struct udp_socket *socket;
    struct tcb *listener, *connection;
    uint16_t id_over_udp;
    struct dns_message question; /* that came over TCP */
};

/* Everything that one stack has to send goes into the other. */
static bool carry(struct rig *from, struct rig *to)
{
    struct packet_out out;
    uint8_t packet[2048];
    bool has_moved = false;

    while (stack_output(from->stack, &out, from->now_us)) {
        size_t len = packet_out_copy(&out, packet, sizeof packet);
        ck_assert_uint_gt(len, 0);
        rig_in_bytes(to, packet, len, false);
        has_moved = true;
    }
    return has_moved;
}

/* Until both have said what they have to say. */
static void exchange(struct pair *p)
{
    bool has_moved;

    do {
        dns_on_time(p->resolver, p->client->now_us);
        has_moved = carry(p->client, p->server);
        has_moved |= carry(p->server, p->client);
    } while (has_moved);
}

static void pass(struct pair *p, uint64_t us)
{
    rig_pass(p->client, us);
    rig_pass(p->server, us);
    exchange(p);
}

static struct pair *pair_new(bool listens)
{
    struct pair *p = calloc(1, sizeof *p);
    struct dns_config config;
    enum tcp_err error;

    p->client = rig_new();
    p->server = rig_prepare();
    p->server->us = p->client->peer;
    p->server->peer = p->client->us;
    p->server->config.address[0] = p->server->us;
    p->server->config.tcp.nagle = false;
    p->server->random_state = 99;
    rig_start(p->server);
    p->socket = udp_open(p->server->stack, DNS_PORT);
    if (listens) {
        p->listener = tcp_open_passive(p->server->stack, NULL, DNS_PORT, NULL, &error);
        ck_assert_ptr_nonnull(p->listener);
    }
    dns_config_init(&config);
    config.server[0] = p->client->peer;
    config.server_count = 1;
    config.attempts = 1;
    p->resolver = dns_new(p->client->stack, &config);
    return p;
}

static void pair_free(struct pair *p)
{
    dns_free(p->resolver);
    rig_free(p->client);
    rig_free(p->server);
    free(p);
}

/* Look up www.x.com; the answer over UDP is truncated. */
static void ask_and_truncate(struct pair *p)
{
    uint8_t packet[512];
    struct flow_id from;
    struct dns_message *question = malloc(sizeof *question);

    p->query = dns_lookup(p->resolver, "www.x.com");
    exchange(p);
    ptrdiff_t len = udp_receive(p->socket, packet, sizeof packet, &from);
    ck_assert_int_gt(len, 0);
    ck_assert_int_eq(dns_parse((struct bytes){packet, (size_t)len}, question), DROP_NOT);
    p->id_over_udp = question->id;
    struct dns_message *response = response_to(question, DNS_RCODE_OK);
    response->truncated = true;
    add_address(response, "www.x.com", "6.6.6.6", 60); /* not to be used, RFC 2181 9 */
    size_t response_bytes = dns_emit(response, packet, sizeof packet);
    ck_assert_int_eq(udp_send(p->socket, NULL, &from.remote, from.remote_port,
                              (struct bytes){packet, response_bytes}, "truncated"),
                     UDP_OK);
    free(response);
    free(question);
    exchange(p);
}

/* The server takes the connection and reads the question. */
static void accept_question(struct pair *p)
{
    uint8_t packet[512];

    p->connection = tcp_accept(p->listener);
    ck_assert_ptr_nonnull(p->connection);
    ptrdiff_t len = tcp_receive(p->connection, packet, sizeof packet);
    ck_assert_int_gt(len, DNS_LENGTH_BYTES);
    ck_assert_int_eq(packet[0] << 8 | packet[1], len - DNS_LENGTH_BYTES);
    ck_assert_int_eq(
        dns_parse((struct bytes){packet + DNS_LENGTH_BYTES, (size_t)len - DNS_LENGTH_BYTES},
                  &p->question),
        DROP_NOT);
    ck_assert_str_eq(p->question.question.text, "www.x.com");
    ck_assert(p->question.recursion_desired);
}

/* Length and message of the true answer, padded to `padded` bytes behind the length. */
static size_t true_answer(struct pair *p, uint8_t *packet, size_t room, size_t padded)
{
    struct dns_message *response = response_to(&p->question, DNS_RCODE_OK);

    memset(packet, 0, room);
    add_address(response, "www.x.com", "192.0.2.80", 60);
    size_t len = dns_emit(response, packet + DNS_LENGTH_BYTES, room - DNS_LENGTH_BYTES);
    free(response);
    if (len < padded)
        len = padded;
    packet[0] = (uint8_t)(len >> 8);
    packet[1] = (uint8_t)len;
    return DNS_LENGTH_BYTES + len;
}

static void send_in_pieces(struct pair *p, const uint8_t *packet, size_t len, size_t piece)
{
    for (size_t sent = 0; sent < len;) {
        size_t size = len - sent < piece ? len - sent : piece;
        ptrdiff_t taken = tcp_send(p->connection, packet + sent, size);
        ck_assert_int_ge(taken, 0);
        sent += (size_t)taken;
        exchange(p);
        if (taken == 0)
            pass(p, RIG_SECOND_US / 10);
    }
}

/* The connection is over on both sides, TIME-WAIT included. */
static void assert_nothing_stays_open(struct pair *p)
{
    exchange(p);
    if (p->connection != NULL)
        tcp_close(p->connection);
    p->connection = NULL;
    exchange(p);
    for (int i = 0; i < 200; i++)
        pass(p, RIG_SECOND_US);
    ck_assert_uint_eq(p->client->stack->tcp.table.count, 0);
    ck_assert_ptr_null(p->client->stack->udp.sockets);
}

START_TEST(a_truncated_answer_is_asked_for_again_over_tcp) /* whatever pieces the answer comes in */
{
    static const size_t pieces[] = {1, 2, 3, 7, 1000};
    struct pair *p = pair_new(true);
    uint8_t packet[512];

    ask_and_truncate(p);
    ck_assert_int_eq(dns_result(p->query, &p->answer), DNS_PENDING);
    accept_question(p);
    size_t len = true_answer(p, packet, sizeof packet, 0);
    send_in_pieces(p, packet, len, pieces[_i]);
    ck_assert_int_eq(dns_result(p->query, &p->answer), DNS_OK);
    ck_assert_uint_eq(p->answer.address_count, 1);
    ck_assert_uint_eq(ip_addr_to_v4(&p->answer.address[0]), 0xc0000250);
    dns_done(p->query);
    assert_nothing_stays_open(p);
    pair_free(p);
}
END_TEST

START_TEST(the_longest_answer_over_tcp_is_read)
{
    struct pair *p = pair_new(true);
    static uint8_t packet[DNS_LENGTH_BYTES + 65535];

    ask_and_truncate(p);
    accept_question(p);
    size_t len = true_answer(p, packet, sizeof packet, 65535);
    send_in_pieces(p, packet, len, len);
    ck_assert_int_eq(dns_result(p->query, &p->answer), DNS_OK);
    assert_nothing_stays_open(p);
    pair_free(p);
}
END_TEST

START_TEST(the_connection_is_closed_in_order_after_the_answer)
{
    struct pair *p = pair_new(true);
    uint8_t packet[512];

    ask_and_truncate(p);
    accept_question(p);
    size_t len = true_answer(p, packet, sizeof packet, 0);
    send_in_pieces(p, packet, len, len);
    ck_assert_int_eq(dns_result(p->query, &p->answer), DNS_OK);
    unsigned readiness = tcp_readiness(p->connection);
    ck_assert(readiness & TCP_PEER_CLOSED);
    ck_assert(!(readiness & TCP_FAILED));
    assert_nothing_stays_open(p);
    pair_free(p);
}
END_TEST

START_TEST(the_id_over_tcp_is_a_new_one)
{
    struct pair *p = pair_new(true);

    ask_and_truncate(p);
    accept_question(p);
    ck_assert_uint_ne(p->question.id, p->id_over_udp);
    pair_free(p);
}
END_TEST

START_TEST(an_answer_over_tcp_with_another_id_is_of_no_use)
{
    struct pair *p = pair_new(true);
    uint8_t packet[512];

    ask_and_truncate(p);
    accept_question(p);
    p->question.id ^= 0x4000;
    size_t len = true_answer(p, packet, sizeof packet, 0);
    send_in_pieces(p, packet, len, len);
    ck_assert_int_eq(dns_result(p->query, &p->answer), DNS_ERR_SERVER);
    ck_assert_uint_eq(rig_drops(p->client, DROP_DNS_UNEXPECTED), 1);
    assert_nothing_stays_open(p);
    pair_free(p);
}
END_TEST

START_TEST(a_server_without_tcp_is_of_no_use) /* its stack answers the SYN with RST */
{
    struct pair *p = pair_new(false);

    ask_and_truncate(p);
    ck_assert_int_eq(dns_result(p->query, &p->answer), DNS_ERR_SERVER);
    assert_nothing_stays_open(p);
    pair_free(p);
}
END_TEST

START_TEST(silence_over_tcp_ends_at_the_deadline_of_the_try)
{
    struct pair *p = pair_new(true);

    uint64_t start_us = p->client->now_us;
    ask_and_truncate(p);
    accept_question(p);
    ck_assert_uint_eq(dns_next_deadline_us(p->resolver), start_us + 5 * RIG_SECOND_US);
    pass(p, 5 * RIG_SECOND_US - 1);
    ck_assert_int_eq(dns_result(p->query, &p->answer), DNS_PENDING);
    pass(p, 1);
    ck_assert_int_eq(dns_result(p->query, &p->answer), DNS_ERR_TIMED_OUT);
    ck_assert(tcp_readiness(p->connection) & TCP_FAILED); /* aborted */
    assert_nothing_stays_open(p);
    pair_free(p);
}
END_TEST

START_TEST(an_answer_that_breaks_off_is_of_no_use) /* closed after n bytes, in order or by RST */
{
    struct pair *p = pair_new(true);
    uint8_t packet[512];

    ask_and_truncate(p);
    accept_question(p);
    true_answer(p, packet, sizeof packet, 0);
    if (_i / 2 > 0)
        send_in_pieces(p, packet, (size_t)_i / 2, 512);
    if (_i % 2 == 0)
        tcp_close(p->connection);
    else
        tcp_abort(p->connection);
    p->connection = NULL;
    exchange(p);
    ck_assert_int_eq(dns_result(p->query, &p->answer), DNS_ERR_SERVER);
    assert_nothing_stays_open(p);
    pair_free(p);
}
END_TEST

START_TEST(a_length_too_short_for_a_message_is_of_no_use)
{
    struct pair *p = pair_new(true);
    uint8_t packet[64] = {0, (uint8_t)_i};

    ask_and_truncate(p);
    accept_question(p);
    send_in_pieces(p, packet, sizeof packet, 64);
    ck_assert_int_eq(dns_result(p->query, &p->answer), DNS_ERR_SERVER);
    assert_nothing_stays_open(p);
    pair_free(p);
}
END_TEST

START_TEST(an_answer_truncated_over_tcp_as_well_is_of_no_use)
{
    struct pair *p = pair_new(true);
    uint8_t packet[512];

    ask_and_truncate(p);
    accept_question(p);
    size_t len = true_answer(p, packet, sizeof packet, 0);
    packet[DNS_LENGTH_BYTES + 2] |= 2;
    send_in_pieces(p, packet, len, len);
    ck_assert_int_eq(dns_result(p->query, &p->answer), DNS_ERR_SERVER);
    assert_nothing_stays_open(p);
    pair_free(p);
}
END_TEST

START_TEST(a_lookup_given_up_over_tcp_aborts_the_connection) /* by dns_done(), by dns_free() */
{
    struct pair *p = pair_new(true);

    ask_and_truncate(p);
    accept_question(p);
    if (_i == 0)
        dns_done(p->query);
    else {
        dns_free(p->resolver);
        p->resolver = NULL;
    }
    carry(p->client, p->server);
    ck_assert(tcp_readiness(p->connection) & TCP_FAILED);
    ck_assert_uint_eq(p->client->stack->tcp.table.count, 0);
    pair_free(p);
}
END_TEST

/* A resolver at one of several queues of a device has its answers brought to that queue. */
START_TEST(questions_leave_from_ports_of_our_queue)
{
    struct pair *p = pair_new(false);
    uint8_t packet[512];
    struct flow_id from;

    p->client->stack->config.queue_count = 2;
    p->client->stack->config.queue = (unsigned)_i;
    for (int n = 0; n < 40; n++) {
        struct dns_query *query = dns_lookup(p->resolver, "www.x.com");
        exchange(p);
        ck_assert_int_gt(udp_receive(p->socket, packet, sizeof packet, &from), 0);
        ck_assert_uint_eq(stack_queue(from.remote_port, DNS_PORT, 2), (unsigned)_i);
        dns_done(query);
    }
    pair_free(p);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, questions_leave_from_ports_of_our_queue, 0, 2);
    tcase_add_loop_test(tc, a_truncated_answer_is_asked_for_again_over_tcp, 0, 5);
    tcase_add_test(tc, the_longest_answer_over_tcp_is_read);
    tcase_add_test(tc, the_connection_is_closed_in_order_after_the_answer);
    tcase_add_test(tc, the_id_over_tcp_is_a_new_one);
    tcase_add_test(tc, an_answer_over_tcp_with_another_id_is_of_no_use);
    tcase_add_test(tc, a_server_without_tcp_is_of_no_use);
    tcase_add_test(tc, silence_over_tcp_ends_at_the_deadline_of_the_try);
    tcase_add_loop_test(tc, an_answer_that_breaks_off_is_of_no_use, 0, 40);
    tcase_add_loop_test(tc, a_length_too_short_for_a_message_is_of_no_use, 0, DNS_HEADER_BYTES);
    tcase_add_test(tc, an_answer_truncated_over_tcp_as_well_is_of_no_use);
    tcase_add_loop_test(tc, a_lookup_given_up_over_tcp_aborts_the_connection, 0, 2);
}

int main(void)
{
    return unit_main("dns/ask", tests);
}
