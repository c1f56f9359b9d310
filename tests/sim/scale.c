/* Many connections: two stacks back to back, without a link and in virtual time. What a connection
 * costs in memory, measured, and that nothing becomes slow or stays behind when there are many.
 *
 * SCALE_CONNECTIONS in the environment says how many; 20,000. With 1,000,000 the program takes 3 GB
 * and prints what it has measured. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../../stack/tcp/frozen.h"
#include "../../stack/tcp/tcp.h"
#include "../unit/unit.h"

enum {
    SECOND_US = 1000000,
    CLIENT_ADDRESS = 0x0a000001, /* and the next seven */
    SERVER_ADDRESS = 0x0a000101,
    PORTS = 50000, /* of the client on each address */
    FIRST_PORT = 1024,
    LISTENERS = 8,
    LISTEN_PORT = 80, /* and the next seven */
    BATCH = 500,
    RECORDS = 100000,
    PACKET_MAX_BYTES = 2048,
    REQUESTS = 20000,
};

struct pair {
    struct stack *stack[2]; /* client, server */
    uint64_t random_state, now_us, packet_count;
    struct tcb *listener[LISTENERS];
    struct tcb **client, **server; /* connection i at both ends */
    unsigned count;
};

static uint64_t draw(void *context)
{
    uint64_t *state = context;

    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 32 | *state << 32;
}

static struct stack *new_stack(struct pair *p, uint32_t address, unsigned address_count)
{
    struct stack_config config;

    stack_config_init(&config);
    for (unsigned i = 0; i < address_count; i++)
        config.address[i] = ip_addr_from_v4(address + i);
    config.address_count = address_count;
    config.checksum_offload = true;
    config.random = draw;
    config.random_context = &p->random_state;
    config.connections_max = 10000000;
    config.memory_max_bytes = 0;
    config.tcp.backlog = 10000000;
    config.tcp.syn_cookies = TCP_SYN_COOKIES_OFF;
    return stack_new(&config, p->now_us);
}

static struct pair *pair_new(unsigned room)
{
    struct pair *p = calloc(1, sizeof *p);

    ck_assert_ptr_nonnull(p);
    p->now_us = SECOND_US;
    p->stack[0] = new_stack(p, CLIENT_ADDRESS, STACK_ADDRESSES_MAX);
    p->stack[1] = new_stack(p, SERVER_ADDRESS, 1);
    p->client = calloc(room + 1, sizeof *p->client);
    p->server = calloc(room + 1, sizeof *p->server);
    for (unsigned i = 0; i < LISTENERS; i++) {
        p->listener[i] =
            tcp_open_passive(p->stack[1], NULL, (uint16_t)(LISTEN_PORT + i), NULL, NULL);
        ck_assert_ptr_nonnull(p->listener[i]);
    }
    return p;
}

static void pair_free(struct pair *p)
{
    stack_free(p->stack[0]);
    stack_free(p->stack[1]);
    free(p->client);
    free(p->server);
    free(p);
}

static bool carry(struct pair *p, unsigned from)
{
    uint8_t memory[PACKET_MAX_BYTES];
    struct packet_out out;
    bool any = false;

    while (stack_output(p->stack[from], &out, p->now_us)) {
        struct packet_in in = {.bytes = {memory, packet_out_copy(&out, memory, sizeof memory)},
                               .checksum_ok = true};
        stack_input(p->stack[1 - from], &in, p->now_us);
        p->packet_count++;
        any = true;
    }
    return any;
}

/* Until neither has anything to say. */
static void settle(struct pair *p)
{
    bool any;

    do {
        any = carry(p, 0);
        any = carry(p, 1) || any;
    } while (any);
}

static void pass(struct pair *p, uint64_t us)
{
    p->now_us += us;
    stack_on_time(p->stack[0], p->now_us);
    stack_on_time(p->stack[1], p->now_us);
    settle(p);
}

/* ---- opening, talking, closing */

static void accept_all(struct pair *p)
{
    struct tcb *tcb;

    for (unsigned i = 0; i < LISTENERS; i++)
        while ((tcb = tcp_accept(p->listener[i])) != NULL) {
            struct tcp_status status;
            tcp_status(tcb, &status);
            unsigned address = ip_addr_to_v4(&status.flow.remote) - CLIENT_ADDRESS;
            unsigned at = (i * STACK_ADDRESSES_MAX + address) * PORTS +
                          (status.flow.remote_port - FIRST_PORT);
            p->server[at] = tcb;
        }
}

static void open_batch(struct pair *p, unsigned count)
{
    struct ip_addr server = ip_addr_from_v4(SERVER_ADDRESS);

    for (unsigned i = 0; i < count; i++, p->count++) {
        unsigned address = p->count / PORTS % STACK_ADDRESSES_MAX;
        unsigned listener = p->count / PORTS / STACK_ADDRESSES_MAX;
        struct ip_addr local = ip_addr_from_v4(CLIENT_ADDRESS + address);
        p->client[p->count] =
            tcp_open_active(p->stack[0], &local, (uint16_t)(FIRST_PORT + p->count % PORTS), &server,
                            (uint16_t)(LISTEN_PORT + listener), NULL, NULL);
        if (p->client[p->count] == NULL)
            ck_abort_msg("connection %u cannot be opened", p->count);
    }
    settle(p);
    accept_all(p);
}

/* One byte there and one back. */
static void exchange(struct pair *p, unsigned i)
{
    uint8_t byte = 'x';

    if (tcp_send(p->client[i], &byte, 1) != 1)
        ck_abort_msg("connection %u does not take a byte", i);
    settle(p);
    if (tcp_receive(p->server[i], &byte, 1) != 1 || tcp_send(p->server[i], &byte, 1) != 1)
        ck_abort_msg("connection %u has no byte at the server", i);
    settle(p);
    if (tcp_receive(p->client[i], &byte, 1) != 1)
        ck_abort_msg("connection %u has no byte at the client", i);
}

static void close_all(struct pair *p, unsigned first)
{
    for (unsigned i = first; i < p->count; i++)
        tcp_close(p->client[i]); /* which goes to TIME-WAIT, then */
    settle(p);
    for (unsigned i = first; i < p->count; i++)
        tcp_close(p->server[i]);
    settle(p);
}

/* ---- measures */

/* What malloc() has given out in all, its overhead included; 0 where nobody knows. */
static size_t malloced_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static double cpu_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void costs_at_most(const char *what, unsigned count, size_t malloced_before_bytes,
                          size_t counted_bytes, unsigned max_bytes)
{
    size_t now_bytes = malloced_bytes();

    printf("%u in %s: %.1f bytes each", count, what, (double)counted_bytes / count);
    ck_assert_uint_le(counted_bytes, (size_t)count * max_bytes);
    if (now_bytes > malloced_before_bytes) {
        printf(", %.1f with malloc()'s own", (double)(now_bytes - malloced_before_bytes) / count);
        ck_assert_uint_le(now_bytes - malloced_before_bytes, (size_t)count * max_bytes);
    }
    printf("\n");
}

START_TEST(a_connection_in_time_wait_costs_64_bytes)
{
    struct pair *p = pair_new(RECORDS);

    open_batch(p, BATCH); /* what a stack keeps in reserve, once */
    close_all(p, 0);
    size_t before_bytes = malloced_bytes(), counted_bytes = stack_memory_bytes(p->stack[0]);
    while (p->count < RECORDS) {
        unsigned first = p->count;
        open_batch(p, BATCH);
        close_all(p, first);
    }
    ck_assert_uint_eq(p->stack[0]->tcp.time_waits.count, RECORDS);
    costs_at_most("TIME-WAIT", RECORDS - BATCH, before_bytes,
                  stack_memory_bytes(p->stack[0]) - counted_bytes, 64);
    pass(p, 61 * (uint64_t)SECOND_US);
    ck_assert_uint_eq(p->stack[0]->tcp.connection_count, 0);
    ck_assert_uint_le(stack_memory_bytes(p->stack[0]), counted_bytes + 100000); /* directories */
    pair_free(p);
}
END_TEST

/* As if it came from a device. */
static void throw_syn(struct pair *p, uint32_t from)
{
    uint8_t packet[IPV4_HEADER_BYTES + TCP_HEADER_MAX_BYTES];
    struct ipv4_packet ip = {.src = ip_addr_from_v4(from),
                             .dst = ip_addr_from_v4(SERVER_ADDRESS),
                             .protocol = IP_PROTOCOL_TCP,
                             .ttl = 64};
    struct tcp_segment syn = {
        .src_port = 1000, .dst_port = LISTEN_PORT, .seq = from, .wnd = 1000, .flags = TCP_SYN};
    size_t tcp_bytes = tcp_emit(&syn, TCP_SYN_STYLE_LINUX, packet + IPV4_HEADER_BYTES);

    ipv4_emit(&ip, tcp_bytes, packet, IPV4_HEADER_BYTES);
    stack_input(p->stack[1], &(struct packet_in){{packet, IPV4_HEADER_BYTES + tcp_bytes}, true, 0},
                p->now_us);
}

static void throw_syns(struct pair *p, unsigned count)
{
    struct packet_out out;

    for (unsigned i = 0; i < count; i++, p->count++) {
        throw_syn(p, 0x14000000 + p->count);
        while (stack_output(p->stack[1], &out, p->now_us)) {
        }
    }
}

START_TEST(a_connection_in_syn_received_costs_96_bytes)
{
    struct pair *p = pair_new(0);

    throw_syns(p, BATCH);
    size_t before_bytes = malloced_bytes(), counted_bytes = stack_memory_bytes(p->stack[1]);
    throw_syns(p, RECORDS - BATCH);
    ck_assert_uint_eq(p->stack[1]->tcp.syn_receiveds.count,
                      RECORDS - p->stack[1]->config.handshakes_awake_max);
    costs_at_most("SYN-RECEIVED", RECORDS - BATCH, before_bytes,
                  stack_memory_bytes(p->stack[1]) - counted_bytes, 96);
    tcp_close(p->listener[0]);
    ck_assert_uint_eq(p->stack[1]->tcp.syn_receiveds.count, 0);
    pair_free(p);
}
END_TEST

/* What a segment costs at both ends together, timers included. */
static double segment_us(struct pair *p)
{
    double begin = cpu_s();
    uint64_t before_count = p->packet_count;
    uint64_t r = 1;

    for (unsigned i = 0; i < REQUESTS; i++) {
        pass(p, 200);
        exchange(p, (unsigned)(draw(&r) % p->count));
    }
    return (cpu_s() - begin) / (double)(p->packet_count - before_count) * 1e6;
}

START_TEST(many_connections_open_talk_idle_and_close)
{
    const char *wanted = getenv("SCALE_CONNECTIONS");
    unsigned count = wanted != NULL ? (unsigned)strtoul(wanted, NULL, 10) : 20000;
    struct pair *p = pair_new(count);
    double begin = cpu_s();

    open_batch(p, 1);
    double few_us = segment_us(p);
    pass(p, 2 * (uint64_t)SECOND_US);
    size_t counted_bytes = stack_memory_bytes(p->stack[1]);
    while (p->count < count) {
        unsigned first = p->count;
        open_batch(p, count - first < BATCH ? count - first : BATCH);
        for (unsigned i = first; i < p->count; i++)
            exchange(p, i);
        pass(p, 10000); /* buffers are given back meanwhile */
    }
    double opened_s = cpu_s() - begin;
    for (int i = 0; i < 8; i++) /* delayed ACKs, loss probes, empty buffers back, and asleep */
        pass(p, 4 * (uint64_t)SECOND_US);
    ck_assert_uint_eq(stack_next_deadline_us(p->stack[0]), NEVER); /* idle costs nothing */
    ck_assert_uint_eq(stack_next_deadline_us(p->stack[1]), NEVER);
    double idle_bytes = (double)(stack_memory_bytes(p->stack[1]) - counted_bytes) / count;
    printf("%u connections in %.1f s; idle: %.0f bytes each\n", count, opened_s, idle_bytes);
    ck_assert_double_le(idle_bytes, 512);
    printf("a segment: %.2f us with one connection, %.2f us with all\n", few_us, segment_us(p));
    begin = cpu_s();
    close_all(p, 0);
    ck_assert_uint_eq(p->stack[0]->tcp.time_waits.count, count);
    ck_assert_uint_eq(p->stack[1]->tcp.connection_count, LISTENERS);
    pass(p, 61 * (uint64_t)SECOND_US);
    ck_assert_uint_eq(p->stack[0]->tcp.connection_count, 0);
    printf("closed in %.1f s\n", cpu_s() - begin);
    pair_free(p);
}
END_TEST

/* Each listener has its own; none is walked through. */
START_TEST(children_that_nobody_accepted_end_with_their_listener)
{
    struct pair *p = pair_new(2 * BATCH);
    struct ip_addr server = ip_addr_from_v4(SERVER_ADDRESS);

    for (unsigned i = 0; i < 2 * BATCH; i++)
        ck_assert_ptr_nonnull(
            p->client[i] = tcp_open_active(p->stack[0], NULL, (uint16_t)(FIRST_PORT + i), &server,
                                           (uint16_t)(LISTEN_PORT + i % 2), NULL, NULL));
    settle(p);
    throw_syns(p, 10);
    ck_assert_uint_eq(p->stack[1]->tcp.connection_count, LISTENERS + 2 * BATCH + 10);
    tcp_close(p->listener[0]);
    ck_assert_uint_eq(p->stack[1]->tcp.connection_count, LISTENERS - 1 + BATCH);
    settle(p);
    ck_assert_int_eq(tcp_error(p->client[0]), TCP_ERR_RESET);
    ck_assert_int_eq(tcp_error(p->client[1]), TCP_OK);
    pair_free(p);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, a_connection_in_time_wait_costs_64_bytes);
    tcase_add_test(tc, a_connection_in_syn_received_costs_96_bytes);
    tcase_add_test(tc, many_connections_open_talk_idle_and_close);
    tcase_add_test(tc, children_that_nobody_accepted_end_with_their_listener);
}

int main(void)
{
    return unit_main("scale", tests);
}
