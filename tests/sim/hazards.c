/* Two stacks that could keep each other busy for ever, or stand in each other's way: windows closed
 * at both ends, probes beside data, a segment from somebody else. The streams are compared byte by
 * byte, as in every simulation. */
#include "sim.h"

#include <string.h>

#include "../../stack/tcp/tcb.h"
#include "../unit/unit.h"

enum {
    MILLI_US = 1000,
    SECOND_US = 1000000,
    BUFFER_BYTES = 20000,
    STREAM_BYTES = 100000,
};

/* 10 ms there and back; receive buffers that do not grow. */
static struct sim_plan plan_with_small_buffers(void)
{
    struct sim_plan plan = sim_plan_plain(1, STREAM_BYTES);

    for (unsigned end = 0; end < 2; end++) {
        plan.link[end].delay_us = 5 * MILLI_US;
        plan.tcp[end].receive_buffer_bytes = BUFFER_BYTES;
        plan.tcp[end].receive_buffer_max_bytes = BUFFER_BYTES;
    }
    plan.pulls_after_each_packet = true; /* or answers to several segments would be one */
    plan.is_traced = true;
    return plan;
}

/* Until so long after the start, or a little later. */
static void run_until(struct sim *sim, uint64_t us)
{
    while (sim->now_us < sim->plan.start_us + us)
        ck_assert_msg(sim_step(sim), "%s", sim->failure);
}

/* The same at exactly that moment, the application at end 0 reading nothing. */
static void run_unread_until(struct sim *sim, uint64_t us)
{
    sim->app[0].next_read_us = sim->plan.start_us + us;
    run_until(sim, us);
    ck_assert_uint_eq(sim->now_us, sim->plan.start_us + us);
}

/* 9293 3.8.6.1: a probe and its answer, and no answer to that. */
START_TEST(two_closed_windows_exchange_two_packets_for_each_probe)
{
    struct sim_plan plan = plan_with_small_buffers();

    plan.app[1].send_bytes = STREAM_BYTES;
    for (unsigned end = 0; end < 2; end++) {
        plan.app[end].stop_us = 100ull * SECOND_US; /* having read nothing */
        plan.tcp[end].timestamps = _i == 0;
        plan.tcp[end].window_scaling = _i == 0;
    }
    struct sim *sim = sim_new(&plan);
    run_until(sim, SECOND_US);
    ck_assert_uint_eq(sim->app[0].received_bytes + sim->app[1].received_bytes, 0);
    uint64_t packet_count = sim->packet_count;
    unsigned probe_count = sim->seen[0].probes + sim->seen[1].probes;
    run_until(sim, 100ull * SECOND_US - 1);
    packet_count = sim->packet_count - packet_count;
    probe_count = sim->seen[0].probes + sim->seen[1].probes - probe_count;
    ck_assert_uint_ge(probe_count, 8); /* or it shows nothing */
    ck_assert_uint_le(probe_count, 30);
    ck_assert_uint_le(packet_count, 2 * probe_count + 4);
    ck_assert_msg(sim_run(sim), "%s", sim->failure); /* and then all arrives */
    sim_free(sim);
}
END_TEST

/* MUST-37, SHLD-17: for an hour, four times R2, the reader (or both of them) takes nothing. Nobody
 * gives up, and then all arrives. */
START_TEST(window_closed_for_an_hour_ends_nothing)
{
    struct sim_plan plan = plan_with_small_buffers();

    for (unsigned end = 0; end < 2; end++) {
        bool pauses = _i == 2 || end == (unsigned)_i;
        plan.app[end].send_bytes = STREAM_BYTES;
        plan.app[end].stop_us = pauses ? 3600ull * SECOND_US : 0;
        plan.app[end].close_when = SIM_CLOSE_WHEN_FINISHED; /* else nobody would hold it */
    }
    struct sim *sim = sim_new(&plan);
    run_until(sim, 3599ull * SECOND_US);
    for (unsigned end = 0; end < 2; end++) {
        bool pauses = _i == 2 || end == (unsigned)_i;
        ck_assert_uint_eq(sim->app[end].received_bytes, pauses ? 0 : STREAM_BYTES);
        if (pauses)
            ck_assert_uint_ge(sim->seen[1 - end].probes, 59); /* one a minute */
    }
    ck_assert_msg(sim_run(sim), "%s", sim->failure);
    for (unsigned end = 0; end < 2; end++)
        ck_assert_uint_eq(sim->app[end].received_bytes, STREAM_BYTES);
    sim_free(sim);
}
END_TEST

/* End 1 reads nothing of what end 0 sends; when its window has closed and is probed, it begins to
 * send itself. */
START_TEST(data_goes_on_while_a_probe_the_other_way_is_in_flight)
{
    struct sim_plan plan = plan_with_small_buffers();

    plan.app[1].stop_us = 60ull * SECOND_US;
    plan.app[1].send_bytes = STREAM_BYTES;
    plan.app[1].write_max_bytes = 1000;
    plan.app[1].write_pause_us = 10 * MILLI_US; /* 2 s in all */
    plan.tcp[0].sack = plan.tcp[1].sack = _i == 0;
    struct sim *sim = sim_new(&plan);
    sim->app[1].next_write_us = plan.start_us + 3 * SECOND_US;
    run_until(sim, 3 * SECOND_US);
    ck_assert_uint_ge(sim->seen[0].probes, 3); /* or it shows nothing */
    ck_assert_uint_eq(sim->app[1].sent_bytes, 0);
    run_until(sim, 10 * SECOND_US);
    ck_assert_uint_eq(sim->app[1].received_bytes, 0);
    ck_assert_uint_eq(sim->app[0].received_bytes, STREAM_BYTES);
    ck_assert_uint_le(sim->app[0].done_us - plan.start_us, 6 * SECOND_US);
    ck_assert_uint_eq(sim->seen[1].timeouts, 0);
    ck_assert_uint_eq(sim->seen[1].retransmits, 0);
    ck_assert_msg(sim_run(sim), "%s", sim->failure);
    sim_free(sim);
}
END_TEST

/* Text that looks as if the other end had sent it: right ports, right numbers. */
static void forge_text(struct sim *sim, unsigned to, uint32_t len)
{
    const struct tcb *victim = sim->app[to].tcb;
    uint8_t packet[200] = {0}, header[TCP_HEADER_MAX_BYTES];
    struct tcp_segment seg = {.src_port = victim->flow.id.remote_port,
                              .dst_port = victim->flow.id.local_port,
                              .seq = victim->rcv_nxt,
                              .ack = victim->snd_nxt,
                              .flags = TCP_ACK | TCP_PSH,
                              .wnd = 1000,
                              .options = {.has_timestamps = victim->timestamps,
                                          .tsval = victim->ts_recent,
                                          .tsecr = tcb_tsval(victim)}};
    size_t header_bytes = tcp_emit(&seg, TCP_SYN_STYLE_LINUX, header);
    struct ipv4_packet ip = {.protocol = IP_PROTOCOL_TCP,
                             .ttl = 64,
                             .src = victim->flow.id.remote,
                             .dst = victim->flow.id.local};
    size_t ip_bytes = ipv4_emit(&ip, header_bytes + len, packet, sizeof packet);

    memcpy(packet + ip_bytes, header, header_bytes);
    struct packet_in in = {.bytes = {packet, ip_bytes + header_bytes + len}, .checksum_ok = true};
    ck_assert_int_eq(stack_input(sim->stack[to], &in, sim->now_us), DROP_NOT);
}

/* Now each end holds the other's ACKs to be unacceptable. RFC 5961 (7). */
START_TEST(one_forged_segment_does_not_start_an_endless_exchange)
{
    struct sim_plan plan = plan_with_small_buffers();

    plan.link[0].delay_us = plan.link[1].delay_us = MILLI_US;
    plan.tcp[0].timestamps = _i == 0;
    plan.app[0].send_bytes = 5000;
    plan.app[0].write_max_bytes = 1000;
    plan.app[0].write_pause_us = 3600ull * SECOND_US;
    plan.app[1].shutdown_when = SIM_SHUTDOWN_AFTER_THE_PEER; /* so both ends are silent */
    struct sim *sim = sim_new(&plan);
    run_unread_until(sim, SECOND_US);
    ck_assert_int_eq(sim->app[0].tcb->state, TCPS_ESTABLISHED);
    uint64_t packet_count = sim->packet_count;
    forge_text(sim, 0, 10);
    run_unread_until(sim, 1800ull * SECOND_US);
    ck_assert_uint_ge(sim->packet_count - packet_count, 1); /* or it was not taken */
    ck_assert_uint_le(sim->packet_count - packet_count, 4);
    sim_free(sim);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, two_closed_windows_exchange_two_packets_for_each_probe, 0, 2);
    tcase_add_loop_test(tc, window_closed_for_an_hour_ends_nothing, 0, 3);
    tcase_add_loop_test(tc, data_goes_on_while_a_probe_the_other_way_is_in_flight, 0, 2);
    tcase_add_loop_test(tc, one_forged_segment_does_not_start_an_endless_exchange, 0, 2);
}

int main(void)
{
    return unit_main("hazards", tests);
}
