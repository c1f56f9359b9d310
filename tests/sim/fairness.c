/* How flows share a bottleneck: two senders, each over a path of its own, meet in one queue.
 *
 *     sender 0 -- access 0 --+                                +-- back 0 --> sender 0
 *                            +-- bottleneck --> receiver -----+
 *     sender 1 -- access 1 --+   rate, queue                  +-- back 1 --> sender 1
 *
 * The access links only delay, each by a part of its flow's round trip; the bottleneck has the rate
 * and the queue. Measured is what each flow brings through in the second half of the run, and
 * Jain's index of these: 1 when all get the same, 1/2 when one of two gets all. Times are virtual,
 * so that the figures are exact. */
#include <stdio.h>
#include <stdlib.h>

#include "../../stack/tcp/tcp.h"
#include "../../tun/link.h"
#include "../unit/unit.h"

enum {
    FLOWS = 2,
    PORT = 80,
    MBIT = 1000000,
    MILLI_US = 1000,
    SECOND_US = 1000000,
    CHUNK_BYTES = 1 << 16,
    PACKET_MAX_BYTES = 65536,
};

static const uint32_t RECEIVER_ADDRESS = 0x0a0000fe, SENDER_ADDRESS = 0x0a000001;

struct sender {
    struct stack *stack;
    struct link *access, *back;
    struct tcb *tcb;
    uint64_t received_bytes; /* of its stream, by the receiver */
};

struct world {
    struct stack *receiver;
    struct link *bottleneck;
    struct tcb *listener;
    struct tcb *accepted[FLOWS];
    unsigned accepted_count;
    struct sender sender[FLOWS];
    uint64_t random_state, now_us;
};

static uint64_t draw(void *context)
{
    return link_random(context);
}

static struct stack *new_stack(struct world *w, uint32_t address, enum tcp_congestion congestion)
{
    struct stack_config config;

    stack_config_init(&config);
    config.address[0] = ip_addr_from_v4(address);
    config.address_count = 1;
    config.random = draw;
    config.random_context = &w->random_state;
    config.tcp.congestion = congestion;
    return stack_new(&config, w->now_us);
}

static const struct pair {
    const char *name;
    enum tcp_congestion congestion[FLOWS];
    uint64_t rtt_ms[FLOWS];
    uint64_t rate_mbit_per_s;
    unsigned least_jain_percent;
} pairs[] = {
    {"CUBIC and CUBIC", {TCP_CONGESTION_CUBIC, TCP_CONGESTION_CUBIC}, {40, 40}, 20, 95},
    {"Reno and Reno", {TCP_CONGESTION_RENO, TCP_CONGESTION_RENO}, {40, 40}, 20, 95},
    {"CUBIC and Reno", {TCP_CONGESTION_CUBIC, TCP_CONGESTION_RENO}, {40, 40}, 20, 90},
    {"BBR and BBR", {TCP_CONGESTION_BBR, TCP_CONGESTION_BBR}, {40, 40}, 20, 90},
    {"BBR and CUBIC", {TCP_CONGESTION_BBR, TCP_CONGESTION_CUBIC}, {40, 40}, 20, 70},
    {"BBR and Reno", {TCP_CONGESTION_BBR, TCP_CONGESTION_RENO}, {40, 40}, 20, 70},
    {"BBR, 20 ms and 80 ms", {TCP_CONGESTION_BBR, TCP_CONGESTION_BBR}, {20, 80}, 20, 70},
    {"CUBIC, 20 ms and 80 ms", {TCP_CONGESTION_CUBIC, TCP_CONGESTION_CUBIC}, {20, 80}, 20, 75},
};
enum { PAIR_COUNT = sizeof pairs / sizeof pairs[0] };

static void open_world(struct world *w, const struct pair *pair)
{
    const struct link_config bottleneck = {.rate_bits_per_s = pair->rate_mbit_per_s * MBIT,
                                           .queue_bytes = 100000, /* 40 ms */
                                           .delay_us = MILLI_US};

    *w = (struct world){.random_state = 1, .now_us = SECOND_US};
    w->receiver = new_stack(w, RECEIVER_ADDRESS, TCP_CONGESTION_CUBIC);
    w->bottleneck = link_new(&bottleneck, 1);
    w->listener = tcp_open_passive(w->receiver, NULL, PORT, NULL, NULL);
    for (unsigned i = 0; i < FLOWS; i++) {
        struct sender *sender = &w->sender[i];
        struct ip_addr to = ip_addr_from_v4(RECEIVER_ADDRESS);
        struct link_config half = {.delay_us = pair->rtt_ms[i] * MILLI_US / 2 - MILLI_US / 2};
        sender->stack = new_stack(w, SENDER_ADDRESS + i, pair->congestion[i]);
        sender->access = link_new(&half, 2 + i);
        sender->back = link_new(&half, 4 + i);
        sender->tcb = tcp_open_active(sender->stack, NULL, 0, &to, PORT, NULL, NULL);
        ck_assert_ptr_nonnull(sender->tcb);
    }
}

static void close_world(struct world *w)
{
    stack_free(w->receiver);
    link_free(w->bottleneck);
    for (unsigned i = 0; i < FLOWS; i++) {
        stack_free(w->sender[i].stack);
        link_free(w->sender[i].access);
        link_free(w->sender[i].back);
    }
}

/* Everything that the stack has to send, into the link that `choose` names for a packet. */
static void pull(struct world *w, struct stack *stack,
                 struct link *(*choose)(struct world *, unsigned, const uint8_t *), unsigned from)
{
    uint8_t memory[PACKET_MAX_BYTES];
    struct packet_out out;

    while (stack_output(stack, &out, w->now_us)) {
        struct link_packet packet = {
            .bytes = {memory, packet_out_copy(&out, memory, sizeof memory)}};
        link_send(choose(w, from, memory), &packet, w->now_us);
    }
}

static struct link *access_of(struct world *w, unsigned from, const uint8_t *packet)
{
    (void)packet;
    return w->sender[from].access;
}

/* The way back is that of the flow: the last byte of the destination says which. */
static struct link *back_of(struct world *w, unsigned from, const uint8_t *packet)
{
    enum { LAST_BYTE_OF_DESTINATION = 19 };

    (void)from;
    return w->sender[packet[LAST_BYTE_OF_DESTINATION] - (SENDER_ADDRESS & 0xff)].back;
}

static void run_apps(struct world *w)
{
    static uint8_t chunk[CHUNK_BYTES];
    struct tcb *accepted;

    while ((accepted = tcp_accept(w->listener)) != NULL)
        w->accepted[w->accepted_count++] = accepted;
    for (unsigned i = 0; i < FLOWS; i++)
        while (tcp_send(w->sender[i].tcb, chunk, sizeof chunk) > 0) {
        }
    for (unsigned i = 0; i < w->accepted_count; i++) {
        struct tcp_status status;
        tcp_status(w->accepted[i], &status);
        unsigned flow = ip_addr_to_v4(&status.flow.remote) - SENDER_ADDRESS;
        ptrdiff_t got;
        while ((got = tcp_receive(w->accepted[i], chunk, sizeof chunk)) > 0)
            w->sender[flow].received_bytes += (uint64_t)got;
    }
}

static void deliver(struct world *w, struct link *link, struct stack *to)
{
    struct link_packet packet;

    while (link_receive(link, &packet, w->now_us))
        stack_input(to, &(struct packet_in){packet.bytes, packet.checksum_ok, 0}, w->now_us);
}

static uint64_t next_us(const struct world *w)
{
    uint64_t at[] = {stack_next_deadline_us(w->receiver), link_next_us(w->bottleneck)};
    uint64_t next_us = at[0] < at[1] ? at[0] : at[1];

    for (unsigned i = 0; i < FLOWS; i++) {
        const struct sender *sender = &w->sender[i];
        uint64_t own[] = {stack_next_deadline_us(sender->stack), link_next_us(sender->access),
                          link_next_us(sender->back)};
        for (unsigned k = 0; k < 3; k++)
            if (own[k] < next_us)
                next_us = own[k];
    }
    return next_us;
}

static void step(struct world *w)
{
    struct link_packet packet;

    run_apps(w);
    pull(w, w->receiver, back_of, 0);
    for (unsigned i = 0; i < FLOWS; i++)
        pull(w, w->sender[i].stack, access_of, i);
    uint64_t at_us = next_us(w);
    if (at_us > w->now_us)
        w->now_us = at_us;
    stack_on_time(w->receiver, w->now_us);
    for (unsigned i = 0; i < FLOWS; i++) {
        stack_on_time(w->sender[i].stack, w->now_us);
        deliver(w, w->sender[i].back, w->sender[i].stack);
        while (link_receive(w->sender[i].access, &packet, w->now_us))
            link_send(w->bottleneck, &packet, w->now_us);
    }
    deliver(w, w->bottleneck, w->receiver);
}

static void run_for(struct world *w, uint64_t us)
{
    uint64_t until_us = w->now_us + us;

    while (w->now_us < until_us)
        step(w);
}

START_TEST(two_flows_share_a_bottleneck)
{
    const struct pair *pair = &pairs[_i];
    const uint64_t half_us = 60ull * SECOND_US;
    struct world w;
    uint64_t before[FLOWS];
    double rate[FLOWS];

    open_world(&w, pair);
    run_for(&w, half_us);
    for (unsigned i = 0; i < FLOWS; i++)
        before[i] = w.sender[i].received_bytes;
    run_for(&w, half_us);
    for (unsigned i = 0; i < FLOWS; i++)
        rate[i] = (double)(w.sender[i].received_bytes - before[i]) * 8 / (double)half_us;
    close_world(&w);
    double sum = rate[0] + rate[1], squares = rate[0] * rate[0] + rate[1] * rate[1];
    double jain = sum * sum / (FLOWS * squares);
    printf("%-24s %6.2f and %6.2f Mbit/s of %u, Jain's index %.3f\n", pair->name, rate[0], rate[1],
           (unsigned)pair->rate_mbit_per_s, jain);
    ck_assert_double_ge(jain, pair->least_jain_percent / 100.0);
    ck_assert_double_ge(sum, 0.9 * (double)pair->rate_mbit_per_s);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, two_flows_share_a_bottleneck, 0, PAIR_COUNT);
}

int main(void)
{
    return unit_main("fairness", tests);
}
