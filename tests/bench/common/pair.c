/* Two stacks back to back: what one sends is copied once and given to the other at once. */
#include "pair.h"

#include <stdlib.h>
#include <time.h>

#include "../../../tun/link.h"

enum { PORT = 5001, CLIENT_ADDRESS = 0x0a000101, SERVER_ADDRESS = 0x0a000001 };

static uint64_t draw(void *context)
{
    return link_random(&((struct end *)context)->random_state);
}

struct ip_addr pair_server_address(void)
{
    return ip_addr_from_v4(SERVER_ADDRESS);
}

struct ip_addr pair_client_address(unsigned number)
{
    return ip_addr_from_v4(CLIENT_ADDRESS + number);
}

static bool end_open(struct end *end, uint32_t address, unsigned count, const struct way *way)
{
    struct stack_config config;

    stack_config_init(&config);
    for (unsigned i = 0; i < count; i++)
        config.address[i] = ip_addr_from_v4(address + i);
    config.address_count = count;
    config.mtu_bytes = 1500;
    config.connections_max = 4000000;
    config.tcp.backlog = 2000000;
    config.gso_max_bytes = way->gso_max_bytes;
    config.checksum_offload = way->checksum_offload;
    config.random = draw;
    config.random_context = end;
    end->random_state = address;
    end->stack = stack_new(&config, 0);
    return end->stack != NULL;
}

bool pair_open(struct pair *pair, const struct way *way)
{
    *pair = (struct pair){.checksum_ok = way->checksum_offload};
    return end_open(&pair->client, CLIENT_ADDRESS, PAIR_CLIENT_ADDRESSES, way) &&
           end_open(&pair->server, SERVER_ADDRESS, 1, way);
}

void pair_close(struct pair *pair)
{
    stack_free(pair->client.stack);
    stack_free(pair->server.stack);
    *pair = (struct pair){0};
}

bool pair_carry(const struct pair *pair, const struct end *from, const struct end *to)
{
    static uint8_t memory[PACKET_MAX_BYTES];
    struct packet_out out;
    bool any = false;

    while (stack_output(from->stack, &out, pair->now_us)) {
        size_t len = packet_out_copy(&out, memory, sizeof memory);
        struct packet_in in = {.bytes = {memory, len},
                               .checksum_ok = pair->checksum_ok,
                               .segment_bytes = out.segment_bytes};
        stack_input(to->stack, &in, pair->now_us);
        any = true;
    }
    return any;
}

void pair_turn(struct pair *pair)
{
    bool any = pair_carry(pair, &pair->client, &pair->server);

    any |= pair_carry(pair, &pair->server, &pair->client);
    pair->now_us += TURN_US;
    if (!any) {
        uint64_t a = stack_next_deadline_us(pair->client.stack);
        uint64_t b = stack_next_deadline_us(pair->server.stack);
        uint64_t next = a < b ? a : b;
        if (next != NEVER && next > pair->now_us)
            pair->now_us = next;
    }
    stack_on_time(pair->client.stack, pair->now_us);
    stack_on_time(pair->server.stack, pair->now_us);
}

bool pair_connect(struct pair *pair)
{
    struct ip_addr to = pair_server_address();
    enum tcp_err error;

    struct tcb *listener = tcp_open_passive(pair->server.stack, NULL, PORT, NULL, &error);
    pair->sender = tcp_open_active(pair->client.stack, NULL, 0, &to, PORT, NULL, &error);
    for (int turns = 0; turns < 100 && listener != NULL && pair->receiver == NULL; turns++) {
        pair_turn(pair);
        pair->receiver = tcp_accept(listener);
    }
    return pair->sender != NULL && pair->receiver != NULL;
}

double cpu_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double median(double *values, unsigned count)
{
    qsort(values, count, sizeof values[0], compare);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}
