/* What strangers can do to a stack: SYN floods, connections without number, segments at random. In
 * each test a real transfer goes on, or is made afterwards, and what the stack holds stays within
 * its limits.
 *
 * The strangers' packets are put into the server (end 1) directly, between the steps of the
 * simulation; what the server answers them goes out on the link and is nobody's at the other end.
 */

#include "sim.h"

#include "../../stack/tcp/frozen.h"
#include "../../stack/tcp/tcb.h"
#include "../unit/unit.h"

enum {
    SECOND_US = 1000000,
    SERVER_ADDRESS = 0x0a000002,
    STRANGERS = 0x14000000, /* 20.0.0.0/8 */
    FLOODED_PORT = 81,
    BULK_BYTES = 300000,
    BACKLOG = 32,
    TEXT_MAX_BYTES = 64,
    CONNECTIONS_MAX = 100,
};

/* One segment without options, put in as if it had just arrived. */
static enum drop throw_segment(struct sim *sim, uint32_t from, struct tcp_segment seg)
{
    uint8_t packet[IPV4_HEADER_BYTES + TCP_HEADER_MAX_BYTES + TEXT_MAX_BYTES] = {0};
    struct ipv4_packet ip = {.src = ip_addr_from_v4(from),
                             .dst = ip_addr_from_v4(SERVER_ADDRESS),
                             .protocol = IP_PROTOCOL_TCP,
                             .ttl = 64};
    size_t header = tcp_emit(&seg, TCP_SYN_STYLE_LINUX, packet + IPV4_HEADER_BYTES);
    size_t len = header + seg.payload.len;

    if (ipv4_emit(&ip, len, packet, IPV4_HEADER_BYTES) != IPV4_HEADER_BYTES)
        ck_abort();
    return stack_input(sim->stack[1],
                       &(struct packet_in){{packet, IPV4_HEADER_BYTES + len}, true, 0},
                       sim->now_us);
}

static struct tcp_segment random_segment(uint64_t *r, uint16_t dst_port)
{
    static const uint8_t text[TEXT_MAX_BYTES];

    return (struct tcp_segment){.src_port = (uint16_t)sim_below(r, 65536),
                                .dst_port = dst_port,
                                .seq = (uint32_t)link_random(r),
                                .ack = (uint32_t)link_random(r),
                                .wnd = (uint16_t)sim_below(r, 65536),
                                .flags = (uint8_t)sim_below(r, 64),
                                .payload = {text, sim_below(r, sizeof text + 1)}};
}

static bool one_of_two(uint64_t *r)
{
    return sim_below(r, 2) == 0;
}

static struct sim_plan plan_of_a_victim(void)
{
    struct sim_plan plan = sim_plan_plain(1, BULK_BYTES);

    for (unsigned end = 0; end < 2; end++)
        plan.link[end] = (struct link_config){.rate_bits_per_s = 10000000, .delay_us = 5000};
    plan.app[1].send_bytes = BULK_BYTES;
    plan.tcp[1].backlog = BACKLOG;
    plan.connections_max[1] = CONNECTIONS_MAX;
    plan.resets_are_fine = true;
    return plan;
}

/* Asked after each packet: without ck_assert(), each of which writes to a file. */
static void check_limits(const struct sim *sim)
{
    const struct stack *stack = sim->stack[1];

    if (stack->tcp.connection_count > CONNECTIONS_MAX || stack->tcp.table.count > CONNECTIONS_MAX ||
        stack->ip.queued_count > stack->config.out_queue_max)
        ck_abort_msg("%u connections, %u table entries, %u packets waiting",
                     stack->tcp.connection_count, stack->tcp.table.count, stack->ip.queued_count);
    const struct queue *listeners = &stack->tcp.listeners;
    for (const struct tcb *tcb = queue_front(listeners); tcb != NULL;
         tcb = queue_behind(listeners, &tcb->list_link))
        if (tcb->work->handshaking_count > BACKLOG || tcb->work->accept_count > BACKLOG)
            ck_abort_msg("a backlog of %u and %u", tcb->work->handshaking_count,
                         tcb->work->accept_count);
}

/* Go on until both applications are done. */
static void finish(struct sim *sim)
{
    ck_assert_msg(sim_run(sim), "%s", sim->failure);
    sim_free(sim);
}

START_TEST(a_syn_flood_fills_the_backlog_and_no_more_while_a_connection_goes_on)
{
    struct sim_plan plan = plan_of_a_victim();
    plan.tcp[1].syn_cookies = TCP_SYN_COOKIES_OFF;
    struct sim *sim = sim_new(&plan);
    uint64_t r = 1;

    struct tcb *listener = tcp_open_passive(sim->stack[1], NULL, FLOODED_PORT, NULL, NULL);
    ck_assert_ptr_nonnull(listener);
    while (!sim->app[0].has_closed && sim_step(sim))
        for (unsigned i = 0; i < 100; i++) {
            struct tcp_segment syn = random_segment(&r, FLOODED_PORT);
            syn.flags = TCP_SYN;
            throw_segment(sim, STRANGERS + (uint32_t)sim_below(&r, 1 << 24), syn);
            check_limits(sim);
        }
    ck_assert_uint_gt(sim->stack[1]->counters.drops[DROP_TCP_BACKLOG_FULL], 10000);
    tcp_close(listener);
    finish(sim);
}
END_TEST

/* The third packet never comes: what waits for it costs a small record each, and is given up. */
START_TEST(a_listener_serves_again_when_the_flood_has_been_given_up)
{
    struct sim_plan plan = plan_of_a_victim();
    struct sim *sim;
    uint64_t r = 2;

    plan.tcp[1].syn_r2_us = 30 * SECOND_US;
    plan.tcp[1].syn_cookies = TCP_SYN_COOKIES_OFF;
    sim = sim_new(&plan);
    for (unsigned i = 0; i < 1000; i++) { /* before the real SYN */
        struct tcp_segment syn = random_segment(&r, SIM_PORT);
        syn.flags = TCP_SYN;
        throw_segment(sim, STRANGERS + i, syn);
    }
    ck_assert_uint_eq(sim->app[1].listener->work->handshaking_count, BACKLOG);
    finish(sim);
}
END_TEST

/* Real connects while SYNs from nowhere keep the backlog full: open, one byte there and back. */
enum {
    CONNECTS = 1000,
    CONNECT_EVERY_US = 2000,
    SYN_EVERY_US = 50,
    CONNECT_PATIENCE_US = 3 * SECOND_US,
};

struct connect {
    struct tcb *tcb;
    uint64_t since_us;
};

struct connects {
    struct connect connect[CONNECTS];
    unsigned opened, succeeded, failed;
};

static void open_one(struct sim *sim, struct connects *all)
{
    struct ip_addr server = ip_addr_from_v4(SERVER_ADDRESS);
    struct connect *one = &all->connect[all->opened++];

    one->since_us = sim->now_us;
    one->tcb = tcp_open_active(sim->stack[0], NULL, 0, &server, FLOODED_PORT, NULL, NULL);
    ck_assert_ptr_nonnull(one->tcb);
    ck_assert_int_eq(tcp_send(one->tcb, (const uint8_t *)"?", 1), 1);
}

static void look_at_those_under_way(struct sim *sim, struct connects *all)
{
    for (unsigned i = 0; i < all->opened; i++) {
        struct connect *one = &all->connect[i];
        uint8_t byte;
        if (one->tcb == NULL)
            continue;
        bool is_late = sim->now_us - one->since_us > CONNECT_PATIENCE_US;
        if (tcp_receive(one->tcb, &byte, 1) == 1)
            all->succeeded++;
        else if (is_late)
            all->failed++;
        else
            continue;
        tcp_abort(one->tcb);
        one->tcb = NULL;
    }
}

/* Answer what is there to be answered, and let go. */
static void serve(struct tcb *listener, struct tcb **open, unsigned *open_count)
{
    struct tcb *tcb;
    uint8_t byte;

    while (*open_count < BACKLOG && (tcb = tcp_accept(listener)) != NULL)
        open[(*open_count)++] = tcb;
    for (unsigned i = 0; i < *open_count; i++) {
        ptrdiff_t got = tcp_receive(open[i], &byte, 1);
        if (got == 1)
            ck_assert_int_eq(tcp_send(open[i], &byte, 1), 1);
        if (got == 0)
            continue;
        tcp_close(open[i]);
        open[i--] = open[--*open_count];
    }
}

START_TEST(real_connects_succeed_during_a_syn_flood)
{
    struct sim_plan plan = plan_of_a_victim();
    static struct connects all;
    struct tcb *open[BACKLOG];
    unsigned open_count = 0;
    uint64_t r = 6, next_us = 0, flooded_us = plan.start_us;

    for (unsigned end = 0; end < 2; end++)
        plan.link[end] = (struct link_config){.rate_bits_per_s = 100000000, .delay_us = 5000};
    plan.app[0].send_bytes = 100 * BULK_BYTES;
    plan.connections_max[1] = 0;
    all = (struct connects){0};
    struct sim *sim = sim_new(&plan);
    struct tcb *listener = tcp_open_passive(sim->stack[1], NULL, FLOODED_PORT, NULL, NULL);

    while (all.succeeded + all.failed < CONNECTS && sim_step(sim)) {
        for (; flooded_us < sim->now_us; flooded_us += SYN_EVERY_US) {
            struct tcp_segment syn = random_segment(&r, FLOODED_PORT);
            syn.flags = TCP_SYN;
            throw_segment(sim, STRANGERS + (uint32_t)sim_below(&r, 1 << 24), syn);
        }
        serve(listener, open, &open_count);
        if (sim->now_us < next_us)
            continue;
        next_us = sim->now_us + CONNECT_EVERY_US;
        if (all.opened < CONNECTS)
            open_one(sim, &all);
        look_at_those_under_way(sim, &all);
    }
    ck_assert_str_eq(sim->failure, "");
    ck_assert_uint_ge(all.succeeded, CONNECTS / 100 * 99);
    ck_assert_uint_gt(sim->stack[1]->counters.syn_cookies_taken, CONNECTS / 2);
    ck_assert_uint_gt(sim->stack[1]->counters.syn_cookies_sent, 10 * CONNECTS);
    ck_assert_uint_le(sim->stack[1]->tcp.syn_receiveds.count, BACKLOG);
    ck_assert_uint_gt(sim->app[1].received_bytes, BULK_BYTES); /* the other connection goes on */
    while (open_count > 0)
        tcp_abort(open[--open_count]);
    tcp_close(listener);
    sim_free(sim);
}
END_TEST

START_TEST(a_connection_in_syn_received_costs_a_small_record)
{
    struct sim_plan plan = plan_of_a_victim();
    struct sim *sim = sim_new(&plan);
    uint64_t r = 3;

    for (unsigned i = 0; i < BACKLOG; i++) {
        struct tcp_segment syn = random_segment(&r, SIM_PORT);
        syn.flags = TCP_SYN;
        throw_segment(sim, STRANGERS + i, syn);
    }
    sim_step(sim); /* the SYN,ACKs leave */
    const struct tcp_layer *tcp = &sim->stack[1]->tcp;
    unsigned awake_count = sim->stack[1]->config.handshakes_awake_max;
    ck_assert_uint_ge(tcp->table.count, BACKLOG);
    ck_assert_uint_eq(tcp->syn_receiveds.count, tcp->table.count - awake_count);
    ck_assert_uint_eq(tcp->tcbs.count, 1 + awake_count); /* the listener, and the newest */
    tcp_close(sim->app[1].listener);
    sim->app[1].listener = NULL;
    sim_free(sim);
}
END_TEST

/* Whole handshakes, by a peer that guesses nothing and hears everything. */
START_TEST(no_more_connections_than_allowed_are_accepted)
{
    struct sim_plan plan = plan_of_a_victim();
    struct sim *sim = sim_new(&plan);
    struct tcb *listener = tcp_open_passive(sim->stack[1], NULL, FLOODED_PORT, NULL, NULL);
    struct tcb *taken[2 * CONNECTIONS_MAX];
    unsigned count = 0;

    for (unsigned i = 0; i < 2 * CONNECTIONS_MAX; i++) {
        struct tcp_segment seg = {
            .src_port = 5, .dst_port = FLOODED_PORT, .seq = 100, .wnd = 1000, .flags = TCP_SYN};
        throw_segment(sim, STRANGERS + i, seg);
        seg.flags = TCP_ACK;
        seg.seq = 101;
        seg.ack = plan.iss[1] + 1;
        struct packet_out out;
        while (stack_output(sim->stack[1], &out, sim->now_us)) {
        }
        throw_segment(sim, STRANGERS + i, seg);
        struct tcb *one = tcp_accept(listener);
        if (one != NULL)
            taken[count++] = one;
        check_limits(sim);
    }
    ck_assert_uint_eq(count, CONNECTIONS_MAX - 2); /* two listeners */
    ck_assert_uint_gt(sim->stack[1]->counters.drops[DROP_TCP_MEMORY], 0);
    enum tcp_err error = TCP_OK;
    struct ip_addr remote = ip_addr_from_v4(STRANGERS);
    ck_assert_ptr_null(tcp_open_active(sim->stack[1], NULL, 0, &remote, 80, NULL, &error));
    ck_assert_int_eq(error, TCP_ERR_RESOURCES);
    while (count > 0)
        tcp_abort(taken[--count]);
    tcp_close(listener);
    finish(sim); /* there is room again */
}
END_TEST

START_TEST(random_segments_from_strangers_disturb_no_connection)
{
    struct sim_plan plan = plan_of_a_victim();
    struct sim *sim = sim_new(&plan);
    struct tcb *listener = tcp_open_passive(sim->stack[1], NULL, FLOODED_PORT, NULL, NULL);
    uint64_t r = 4, next_us = 0;
    unsigned count = 0;

    while (!sim->app[0].has_closed && sim_step(sim)) {
        if (sim->app[1].tcb == NULL || sim->now_us < next_us)
            continue;
        next_us = sim->now_us + 1000; /* the answers share the link with the transfer */
        for (unsigned i = 0; i < 15; i++, count++) {
            uint16_t port = (uint16_t)(one_of_two(&r) ? FLOODED_PORT : sim_below(&r, 65536));
            throw_segment(sim, STRANGERS + (uint32_t)sim_below(&r, 1 << 24),
                          random_segment(&r, port));
            check_limits(sim);
        }
    }
    ck_assert_uint_gt(count, 3000);
    tcp_close(listener);
    finish(sim);
}
END_TEST

/* The attacker knows both addresses and ports, but not the sequence numbers (RFC 5961). */
START_TEST(blind_resets_and_syns_do_not_end_a_connection)
{
    struct sim_plan plan = plan_of_a_victim();
    struct sim *sim = sim_new(&plan);
    uint64_t r = 5;
    unsigned count = 0;

    while (!sim->app[0].has_closed && sim_step(sim)) {
        if (sim->app[0].tcb == NULL || sim->app[1].tcb == NULL)
            continue;
        struct tcp_status server;
        tcp_status(sim->app[1].tcb, &server);
        for (unsigned i = 0; i < 10; i++, count++) {
            struct tcp_segment seg = random_segment(&r, SIM_PORT);
            seg.src_port = server.flow.remote_port;
            seg.flags = one_of_two(&r) ? TCP_RST : TCP_SYN;
            if (seg.flags == TCP_RST && seg.seq == server.rcv_nxt)
                seg.seq++;
            seg.payload.len = 0;
            if (one_of_two(&r)) /* even near the window */
                seg.seq = server.rcv_nxt + 1 + (uint32_t)sim_below(&r, 1000);
            throw_segment(sim, 0x0a000001, seg);
            check_limits(sim);
        }
    }
    ck_assert_uint_gt(count, 3000);
    finish(sim);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, a_syn_flood_fills_the_backlog_and_no_more_while_a_connection_goes_on);
    tcase_add_test(tc, a_listener_serves_again_when_the_flood_has_been_given_up);
    tcase_add_test(tc, real_connects_succeed_during_a_syn_flood);
    tcase_add_test(tc, a_connection_in_syn_received_costs_a_small_record);
    tcase_add_test(tc, no_more_connections_than_allowed_are_accepted);
    tcase_add_test(tc, random_segments_from_strangers_disturb_no_connection);
    tcase_add_test(tc, blind_resets_and_syns_do_not_end_a_connection);
}

int main(void)
{
    return unit_main("flood", tests);
}
