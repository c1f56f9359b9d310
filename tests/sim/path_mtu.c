/* Paths that take smaller packets than the link of the sender, from the beginning or from the
 * middle of a transfer on, with a router that says so or without: every byte arrives, soon, and the
 * size that is found is right. RFC 1191, RFC 4821.
 *
 * The link in the direction of the data drops what is too long; the ICMP errors of its router are
 * made here. */
#include "sim.h"

#include <stdio.h>

#include "../../stack/tcp/tcb.h"
#include "../../stack/wire/icmp.h"
#include "../unit/unit.h"

enum {
    MILLI_US = 1000,
    SECOND_US = 1000000,
    STREAM_BYTES = 400000,
    STEP_BYTES = 16, /* the search is done when it has come so close */
    ROUTER = 0x0a0000fe,
};

struct path {
    size_t mtu_bytes;
    size_t router_mtu_bytes; /* what its router says; 0: nothing */
};

/* "Fragmentation needed", with the first bytes of the packet. */
static void complain(struct sim *sim, unsigned to, struct bytes packet, uint16_t mtu_bytes)
{
    enum { QUOTED_BYTES = IPV4_HEADER_BYTES + 8, MESSAGE_BYTES = ICMP_HEADER_BYTES + QUOTED_BYTES };
    uint8_t memory[IPV4_HEADER_BYTES + MESSAGE_BYTES];
    struct icmp_message icmp = {.type = ICMP_UNREACHABLE,
                                .code = ICMP_UNREACHABLE_FRAGMENTATION,
                                .next_hop_mtu = mtu_bytes,
                                .body = bytes_first(packet, QUOTED_BYTES)};
    struct ipv4_packet ip = {.src = ip_addr_from_v4(ROUTER),
                             .dst = stack_config(sim->stack[to])->address[0],
                             .ttl = 64,
                             .protocol = IP_PROTOCOL_ICMP};

    ipv4_emit(&ip, MESSAGE_BYTES, memory, sizeof memory);
    icmp_emit(&icmp, memory + IPV4_HEADER_BYTES, MESSAGE_BYTES);
    stack_input(sim->stack[to], &(struct packet_in){.bytes = {memory, sizeof memory}}, sim->now_us);
}

static void look_at_sent(struct sim *sim, unsigned from, struct bytes packet,
                         const struct packet_out *out)
{
    const struct path *path = sim->context;
    size_t payload_bytes = out->payload[0].len + out->payload[1].len;
    size_t len =
        out->segment_bytes > 0 ? packet.len - payload_bytes + out->segment_bytes : packet.len;

    if (from == 0 && path->router_mtu_bytes > 0 && len > path->router_mtu_bytes)
        complain(sim, from, packet, (uint16_t)path->router_mtu_bytes);
}

static struct sim *new_sim(struct sim_plan *plan, struct path *path)
{
    for (unsigned end = 0; end < 2; end++)
        plan->link[end].delay_us = 10 * MILLI_US;
    struct sim *sim = sim_new(plan);
    sim->on_sent = look_at_sent;
    sim->context = path;
    return sim;
}

/* From now on. */
static void narrow(struct sim *sim, size_t mtu_bytes, bool has_icmp)
{
    struct path *path = sim->context;

    path->mtu_bytes = mtu_bytes;
    path->router_mtu_bytes = has_icmp ? mtu_bytes : 0;
    link_set_mtu(sim->link[0], mtu_bytes);
}

static void run_until_received(struct sim *sim, uint64_t bytes)
{
    while (sim->app[1].received_bytes < bytes)
        ck_assert_msg(sim_step(sim), "%s", sim->failure);
}

static unsigned size_in_use(const struct sim *sim)
{
    struct tcp_status status;

    tcp_status(sim->app[0].tcb, &status);
    return status.path_mtu_bytes;
}

static const uint16_t mtus[] = {1500, 1499, 1492, 1400, 1006, 576, 575, 296};
enum { MTU_COUNT = sizeof mtus / sizeof mtus[0], VARIANTS = 16 };

/* As fast as it goes. At the latest the second time-out after R1 leads down to what passes 296. */
START_TEST(transfer_completes)
{
    size_t mtu_bytes = mtus[_i / VARIANTS];
    bool has_icmp = _i & 1, begins_wide = _i & 2, has_super_segments = _i & 4, is_bare = _i & 8;
    struct sim_plan plan = sim_plan_plain(1, STREAM_BYTES);
    struct path path;

    plan.gso_max_bytes[0] = has_super_segments ? STACK_GSO_MAX_BYTES : 0;
    plan.app[1].send_bytes = STREAM_BYTES; /* the other way nothing is in the way */
    plan.tcp[0].timestamps = plan.tcp[0].sack = !is_bare;
    plan.app[0].close_when = SIM_CLOSE_WHEN_FINISHED; /* its last status is asked for */
    struct sim *sim = new_sim(&plan, &path);
    narrow(sim, begins_wide ? 0 : mtu_bytes, has_icmp);
    if (begins_wide) {
        run_until_received(sim, STREAM_BYTES / 4);
        narrow(sim, mtu_bytes, has_icmp);
    }
    ck_assert_msg(sim_run(sim), "mtu %zu: %s", mtu_bytes, sim->failure);
    ck_assert_uint_le(sim->app[0].last_status.path_mtu_bytes, mtu_bytes);
    ck_assert_uint_lt(sim->app[1].done_us - plan.start_us, 12 * SECOND_US);
    if (mtu_bytes == 1500)
        ck_assert_uint_eq(sim->app[0].last_status.path_mtu_bytes, 1500);
    sim_free(sim);
}
END_TEST

/* 8 KB every 100 ms, about: there is time to find the size. */
static struct sim_plan slow_plan(void)
{
    struct sim_plan plan = sim_plan_plain(1, 1000ull * STREAM_BYTES);

    plan.app[0].write_max_bytes = 16000;
    plan.app[0].write_pause_us = 100 * MILLI_US;
    return plan;
}

static void run_for(struct sim *sim, uint64_t us)
{
    uint64_t end_us = sim->now_us + us;

    while (sim->now_us < end_us)
        ck_assert_msg(sim_step(sim), "%s", sim->failure);
}

/* RFC 4821 7.3; and with it the second connection would begin. */
START_TEST(search_finds_the_largest_size_that_passes)
{
    size_t mtu_bytes = mtus[_i / 2];
    bool has_icmp = _i & 1;
    struct sim_plan plan = slow_plan();
    struct path path;
    struct sim *sim = new_sim(&plan, &path);

    narrow(sim, mtu_bytes, has_icmp);
    run_for(sim, 60ull * SECOND_US);
    ck_assert_uint_le(size_in_use(sim), mtu_bytes);
    ck_assert_uint_gt(size_in_use(sim) + STEP_BYTES, mtu_bytes);
    ck_assert_uint_eq(ip_path_mtu(sim->stack[0], &stack_config(sim->stack[1])->address[0]),
                      size_in_use(sim));
    sim_free(sim);
}
END_TEST

/* RFC 1191 (3): ten minutes after a router has spoken. RFC 4821 7.3: or after a search. */
START_TEST(path_that_grows_is_used_again_after_ten_minutes)
{
    bool has_icmp = _i & 1;
    uint64_t pause_us = 600ull * SECOND_US;
    struct sim_plan plan = slow_plan();
    struct path path;
    struct sim *sim = new_sim(&plan, &path);

    narrow(sim, 576, has_icmp);
    run_for(sim, 20ull * SECOND_US);
    narrow(sim, 0, false);
    run_for(sim, pause_us - 20ull * SECOND_US);
    ck_assert_uint_lt(size_in_use(sim), 576 + STEP_BYTES);
    run_for(sim, 20ull * SECOND_US);
    ck_assert_uint_eq(size_in_use(sim), 1500);
    sim_free(sim);
}
END_TEST

/* RFC 4821 7.6.2: probes that are lost, one after the other, leave the congestion window alone. */
START_TEST(search_costs_no_congestion_window)
{
    struct sim_plan plan = slow_plan();
    struct path path;

    plan.is_traced = true;
    plan.tcp[0].path_mtu_raise_us = 2 * SECOND_US;
    struct sim *sim = new_sim(&plan, &path);
    narrow(sim, 1300, true); /* learned at once, by ICMP */
    run_for(sim, SECOND_US);
    narrow(sim, 1300, false);
    uint32_t cwnd_bytes = sim->app[0].tcb->work->cc.cwnd;
    unsigned resent = sim->seen[0].retransmits;
    run_for(sim, 60ull * SECOND_US);
    ck_assert_uint_ge(sim->app[0].tcb->work->cc.cwnd, cwnd_bytes);
    ck_assert_uint_ge(sim->seen[0].retransmits, resent + 20); /* or it shows nothing */
    ck_assert_uint_eq(sim->seen[0].timeouts, 0);
    ck_assert_uint_eq(sim->seen[0].recoveries, 0);
    sim_free(sim);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, transfer_completes, 0, MTU_COUNT * VARIANTS);
    tcase_add_loop_test(tc, search_finds_the_largest_size_that_passes, 0, 2 * MTU_COUNT);
    tcase_add_loop_test(tc, path_that_grows_is_used_again_after_ten_minutes, 0, 2);
    tcase_add_test(tc, search_costs_no_congestion_window);
}

int main(void)
{
    return unit_main("sim/path_mtu", tests);
}
