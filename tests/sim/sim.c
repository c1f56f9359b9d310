/* The simulation, see sim.h. Everything random comes from the plan's seed: by link_random(), with a
 * state of its own for each link, each stack and the applications. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../stack/tcp/frozen.h"

enum {
    SECOND_US = 1000000,
    KILO = 1024,
    SMALL_BYTES = 500,
    STEPS_MAX = 3000000,
    PULLS_MAX = 100000,
    PACKET_MAX_BYTES = 65536,
    CHUNK_MAX_BYTES = 16384,
};

static const uint64_t time_max_us = 40ull * 3600 * SECOND_US;

static void run_app(struct sim *sim, unsigned end);
static void pull(struct sim *sim, unsigned end);
static void deliver(struct sim *sim, unsigned end);
static uint64_t next_us(const struct sim *sim);
static bool only_waits(struct sim *sim);
static bool is_over(const struct sim *sim, unsigned end);

uint64_t sim_below(uint64_t *random_state, uint64_t bound)
{
    return bound == 0 ? 0 : link_random(random_state) % bound;
}

/* Eight bytes of the stream, in the order of their offsets whatever the machine's is. */
static uint64_t eight_bytes(unsigned from, uint64_t offset)
{
    uint64_t mixed = (offset / 8 + 1 + from * 0x51ed2701u) * 0x9e3779b97f4a7c15u;

    mixed = (mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9u;
    return mixed ^ mixed >> 32;
}

uint8_t sim_byte(unsigned from, uint64_t offset)
{
    return (uint8_t)(eight_bytes(from, offset) >> offset % 8 * 8);
}

/* What a stream holds from `offset` on. */
static void fill(unsigned from, uint64_t offset, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint64_t eight = eight_bytes(from, offset + i) >> (offset + i) % 8 * 8;
        for (size_t left = 8 - (offset + i) % 8; left > 0 && i < len; left--, eight >>= 8)
            bytes[i++] = (uint8_t)eight;
    }
}

void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list arguments;

    if (sim->failure[0] != '\0')
        return;
    int len = snprintf(sim->failure, sizeof sim->failure,
                       "at %.6f s: ", (double)(sim->now_us - sim->plan.start_us) / SECOND_US);
    va_start(arguments, format);
    vsnprintf(sim->failure + len, sizeof sim->failure - (size_t)len, format, arguments);
    va_end(arguments);
}

/* ---- plans */

struct sim_plan sim_plan_plain(uint64_t seed, uint64_t bytes)
{
    struct sim_plan plan = {.seed = seed, .start_us = SECOND_US};

    for (unsigned end = 0; end < 2; end++) {
        tcp_config_init(&plan.tcp[end]);
        plan.app[end] = (struct sim_app_plan){.write_max_bytes = CHUNK_MAX_BYTES,
                                              .read_max_bytes = CHUNK_MAX_BYTES};
        plan.iss[end] = UINT32_MAX - 20000 * (end + 1);
        plan.ts_offset[end] = UINT32_MAX - 3000;
    }
    plan.app[0].send_bytes = bytes;
    return plan;
}

/* 1 .. max, small ones as often as large ones. */
static uint64_t any_size(uint64_t *r, uint64_t max)
{
    uint64_t top = 1;

    while (top < max && sim_below(r, 5) != 0)
        top *= 3;
    return 1 + sim_below(r, top < max ? top : max);
}

static bool one_in(uint64_t *r, unsigned n)
{
    return sim_below(r, n) == 0;
}

static double up_to(uint64_t *r, double most)
{
    return most * (double)sim_below(r, 1001) / 1000;
}

static struct link_config any_link(uint64_t *r)
{
    static const uint64_t rates[] = {0, 64000, 256000, 1000000, 10000000, 100000000, 1000000000};
    struct link_config link = {.rate_bits_per_s = rates[sim_below(r, 7)]};

    if (one_in(r, 8)) /* perfect */
        return (struct link_config){0};
    if (!one_in(r, 4))
        link.delay_us = sim_below(r, one_in(r, 2) ? 200001 : 10001);
    if (one_in(r, 2))
        link.jitter_us = sim_below(r, 20001);
    if (one_in(r, 2))
        link.queue_bytes = 1500 + sim_below(r, 40000);
    if (!one_in(r, 3))
        link.loss = up_to(r, one_in(r, 2) ? 0.2 : 0.02);
    if (one_in(r, 4))
        link.burst_enter = up_to(r, 0.05);
    if (one_in(r, 3)) {
        link.reorder = up_to(r, 0.2);
        link.reorder_us = 1 + sim_below(r, 50000);
    }
    if (one_in(r, 3))
        link.duplicate = up_to(r, 0.2);
    if (one_in(r, 3))
        link.corrupt = up_to(r, 0.1);
    return link;
}

static void any_tcp(uint64_t *r, struct tcp_config *tcp)
{
    tcp->sack = !one_in(r, 3);
    tcp->timestamps = !one_in(r, 3);
    tcp->window_scaling = !one_in(r, 3);
    tcp->nagle = !one_in(r, 3);
    tcp->syn_style = one_in(r, 2) ? TCP_SYN_STYLE_LINUX : TCP_SYN_STYLE_MACOS;
    if (one_in(r, 2))
        tcp->mss_clamp_bytes = 88 + (uint32_t)sim_below(r, 1373);
    if (one_in(r, 3))
        tcp->send_buffer_bytes = 1 + (uint32_t)any_size(r, 100 * KILO);
    if (one_in(r, 3))
        tcp->receive_buffer_bytes = 100 + (uint32_t)any_size(r, 100 * KILO);
    if (one_in(r, 3))
        tcp->receive_buffer_max_bytes = tcp->receive_buffer_bytes;
    if (one_in(r, 4))
        tcp->syn_wnd = (uint16_t)any_size(r, UINT16_MAX);
    if (one_in(r, 3))
        tcp->delayed_ack_us = one_in(r, 2) ? 0 : sim_below(r, 400000);
    if (one_in(r, 3))
        tcp->initial_window_segments = 1 + (uint32_t)sim_below(r, 10);
    tcp->rto_max_us = 10 * SECOND_US;
    tcp->r2_us = tcp->syn_r2_us = 24ull * 3600 * SECOND_US; /* no luck is so bad */
    tcp->fin_wait_2_us = 3600ull * SECOND_US;
    tcp->msl_us = 120ull * SECOND_US;
}

static void any_app(uint64_t *r, struct sim_app_plan *app)
{
    app->send_bytes = one_in(r, 12) ? 0 : any_size(r, 300000);
    app->write_max_bytes = (uint32_t)any_size(r, CHUNK_MAX_BYTES);
    app->read_max_bytes = (uint32_t)any_size(r, CHUNK_MAX_BYTES);
    if (one_in(r, 4) && app->send_bytes < 4000ull * app->write_max_bytes)
        app->write_pause_us = 1 + sim_below(r, 50000);
    if (one_in(r, 3))
        app->read_pause_us = 1 + sim_below(r, 50000);
    if (app->read_pause_us > 0 && app->read_max_bytes < 100)
        app->read_max_bytes += 100;
    if (one_in(r, 4)) {
        app->stop_at_bytes = sim_below(r, 100000);
        app->stop_us = sim_below(r, 20 * SECOND_US);
    }
    app->uses_the_ring = one_in(r, 3);
    app->waits_for_readiness = one_in(r, 2);
    app->close_when = (enum sim_close)sim_below(r, 3);
}

/* Keep-alives as often as they like, which may disturb nothing. */
static void any_keepalive(uint64_t *r, struct tcp_config *tcp)
{
    tcp->keepalive = one_in(r, 4);
    tcp->keepalive_garbage = one_in(r, 2);
    tcp->keepalive_idle_us = 50000 + sim_below(r, 2 * SECOND_US);
    tcp->keepalive_interval_us = 50000 + sim_below(r, SECOND_US);
    tcp->keepalive_count = UINT32_MAX; /* no luck is so bad */
}

/* Every way to find and repair losses. */
static void any_loss_recovery(uint64_t *r, struct tcp_config *tcp)
{
    if (one_in(r, 2))
        tcp->loss_detection =
            (enum tcp_loss_detection)sim_below(r, (uint64_t)TCP_LOSS_DETECTION_COUNT);
    tcp->dsack = !one_in(r, 4);
    tcp->tlp = !one_in(r, 4);
    tcp->tlp_max_ack_delay_us = sim_below(r, 100000);
    tcp->tlp_first_ack_delay_us = sim_below(r, 100000);
    tcp->prr = !one_in(r, 4);
    tcp->limited_transmit = !one_in(r, 4);
    tcp->eifel = !one_in(r, 4);
    tcp->dsack_undo = !one_in(r, 4);
    tcp->frto = !one_in(r, 4);
    tcp->rto_restart = one_in(r, 4);
}

/* The user time-out option stays off beside keep-alives, which it would put off (RFC 5482 4.2). */
static void any_extras(uint64_t *r, struct tcp_config *tcp)
{
    tcp->cork = one_in(r, 4);
    tcp->uto = !tcp->keepalive && one_in(r, 3);
    tcp->uto_max_us = tcp->r2_us;
    if (one_in(r, 2))
        tcp->send_buffer_max_bytes = tcp->send_buffer_bytes;
}

static void any_congestion(uint64_t *r, struct tcp_config *tcp)
{
    tcp->congestion = (enum tcp_congestion)sim_below(r, TCP_CONGESTION_COUNT);
    tcp->hystart = !one_in(r, 3);
    tcp->abe = one_in(r, 2);
    tcp->pacing = (enum tcp_pacing)sim_below(r, TCP_PACING_COUNT);
    tcp->window_validation = one_in(r, 3);
    tcp->burst_max_segments = one_in(r, 4) ? 1 + (uint32_t)sim_below(r, 20) : 0;
}

/* In which order the two close. */
static void any_order(uint64_t *r, struct sim_plan *plan)
{
    unsigned late = (unsigned)sim_below(r, 2);

    switch (sim_below(r, 3)) {
    case 0: /* one after the other */
        plan->app[late].shutdown_when = SIM_SHUTDOWN_AFTER_THE_PEER;
        break;
    case 1: /* half-close, then data the other way */
        plan->app[late].sends_after_the_peer = true;
        break;
    default: /* each when it is done, perhaps at the same time */
        break;
    }
    for (unsigned end = 0; end < 2; end++) /* each would wait for the other's end */
        if (plan->app[1 - end].shutdown_when == SIM_SHUTDOWN_AFTER_THE_PEER ||
            plan->app[1 - end].sends_after_the_peer)
            plan->app[1 - end].close_when = SIM_CLOSE_AFTER_END;
}

static uint32_t near_the_wrap(uint64_t *r)
{
    return UINT32_MAX - (uint32_t)sim_below(r, one_in(r, 2) ? 1000 : 300000);
}

struct sim_plan sim_plan_random(uint64_t seed)
{
    uint64_t state = seed * 0x2545f4914f6cdd1du, *r = &state;
    struct sim_plan plan = sim_plan_plain(seed, 0);

    plan.start_us = sim_below(r, 10ull * SECOND_US);
    for (unsigned end = 0; end < 2; end++) {
        plan.link[end] = any_link(r);
        any_tcp(r, &plan.tcp[end]);
        any_app(r, &plan.app[end]);
        if (plan.tcp[end].send_buffer_bytes < SMALL_BYTES) /* a few bytes each round trip */
            plan.app[end].send_bytes %= 10 * SMALL_BYTES;
        plan.iss[end] = near_the_wrap(r);
        plan.ts_offset[end] = one_in(r, 2) ? near_the_wrap(r) : (uint32_t)link_random(r);
    }
    any_order(r, &plan);
    plan.opens_from_both_ends = one_in(r, 6);
    plan.pulls_after_each_packet = one_in(r, 2);
    plan.is_traced = one_in(r, 2);
    if (one_in(r, 8)) {
        plan.link[0] = plan.link[1] = (struct link_config){.delay_us = sim_below(r, 5000)};
        for (unsigned end = 0; end < 2; end++) {
            plan.gso_max_bytes[end] = 2000 + (uint32_t)sim_below(r, STACK_GSO_MAX_BYTES - 2000);
            plan.checksum_offload[end] = one_in(r, 2);
        }
    }
    for (unsigned end = 0; end < 2; end++) {
        any_keepalive(r, &plan.tcp[end]);
        any_extras(r, &plan.tcp[end]);
        plan.app[end].sends_urgent = one_in(r, 4);
        any_loss_recovery(r, &plan.tcp[end]);
    }
    for (unsigned end = 0; end < 2; end++)
        any_congestion(r, &plan.tcp[end]);
    for (unsigned end = 0; end < 2; end++)
        plan.tcp[end].stretch_acks = !one_in(r, 4);
    return plan;
}

const char *sim_plan_format(const struct sim_plan *plan, char *text, size_t room)
{
    char link[200];
    size_t len = 0;

    for (unsigned end = 0; end < 2 && len < room; end++) {
        const struct tcp_config *tcp = &plan->tcp[end];
        const struct sim_app_plan *app = &plan->app[end];
        len += (size_t)snprintf(
            text + len, room - len,
            "  end %u: link: %s\n"
            "    %s%s%s%s%s%s%s mss %u send-buffer %u..%u receive-buffer %u..%u gso %u iss %u\n"
            "    sends %llu by %u every %llu us, reads %u every %llu us, stops at %llu for %llu us"
            "%s%s%s%s%s shutdown %d close %d\n",
            end, link_config_format(&plan->link[end], link, sizeof link), tcp->sack ? "sack " : "",
            tcp->timestamps ? "timestamps " : "", tcp->window_scaling ? "scaling " : "",
            tcp->nagle ? "nagle " : "", tcp->cork ? "cork " : "", tcp->uto ? "uto " : "",
            tcp->syn_style == TCP_SYN_STYLE_LINUX ? "linux" : "macos", tcp->mss_clamp_bytes,
            tcp->send_buffer_bytes, tcp->send_buffer_max_bytes, tcp->receive_buffer_bytes,
            tcp->receive_buffer_max_bytes, plan->gso_max_bytes[end], plan->iss[end],
            (unsigned long long)app->send_bytes, app->write_max_bytes,
            (unsigned long long)app->write_pause_us, app->read_max_bytes,
            (unsigned long long)app->read_pause_us, (unsigned long long)app->stop_at_bytes,
            (unsigned long long)app->stop_us,
            app->sends_after_the_peer ? ", sends after the peer's end" : "",
            app->uses_the_ring ? ", in the ring" : "", app->sends_urgent ? ", urgent" : "",
            tcp->keepalive ? ", keep-alive" : "",
            app->waits_for_readiness ? ", waits for readiness" : "", (int)app->shutdown_when,
            (int)app->close_when);
    }
    if (len < room)
        snprintf(text + len, room - len, "  %s, pulls %s\n",
                 plan->opens_from_both_ends ? "simultaneous open" : "end 0 opens",
                 plan->pulls_after_each_packet ? "after each packet" : "after all packets");
    return text;
}

/* ---- one run */

static struct ip_addr address_of(unsigned end)
{
    return ip_addr_from_v4(0x0a000001u + end);
}

static uint64_t draw(void *context)
{
    return link_random(context);
}

static bool choose(void *context, enum stack_choice what, uint32_t *value)
{
    const struct sim_ids *id = context;
    const struct sim_plan *plan = &id->sim->plan;

    if (what == CHOICE_ISS)
        *value = plan->iss[id->end];
    else if (what == CHOICE_TS_OFFSET)
        *value = plan->ts_offset[id->end];
    else
        return false;
    return true;
}

static void see(void *context, const struct trace_event *event)
{
    const struct sim_ids *id = context;
    struct sim_seen *seen = &id->sim->seen[id->end];

    if (event->kind == TRACE_TIMER_FIRED && event->u.timer.timer == TIMER_RETRANSMIT)
        seen->timeouts++;
    else if (event->kind == TRACE_TIMER_FIRED && event->u.timer.timer == TIMER_PERSIST)
        seen->probes++;
    else if (event->kind == TRACE_TIMER_FIRED && event->u.timer.timer == TIMER_PACING)
        seen->paces++;
    else if (event->kind == TRACE_RECOVERY && event->u.recovery.what == RECOVERY_ENTERED)
        seen->recoveries++;
    else if (event->kind == TRACE_RECOVERY && event->u.recovery.what == RECOVERY_UNDONE)
        seen->undone++;
    if (event->kind == TRACE_RETRANSMIT) {
        seen->retransmits++;
        seen->resent_bytes += event->u.range.end - event->u.range.start;
    }
}

static struct stack *new_stack(struct sim *sim, unsigned end)
{
    struct stack_config config;

    stack_config_init(&config);
    config.address[0] = address_of(end);
    config.address_count = 1;
    config.random = draw;
    config.random_context = &sim->random_state[end];
    config.choose = choose;
    config.choose_context = &sim->id[end];
    config.gso_max_bytes = sim->plan.gso_max_bytes[end];
    config.checksum_offload = sim->plan.checksum_offload[end];
    config.tcp = sim->plan.tcp[end];
    if (sim->plan.seed % 2 == 0) /* in every other run all in SYN-RECEIVED are records */
        config.handshakes_awake_max = 0;
    if (sim->plan.connections_max[end] > 0)
        config.connections_max = sim->plan.connections_max[end];
    if (sim->plan.is_traced) {
        config.trace = see;
        config.trace_context = &sim->id[end];
    }
    return stack_new(&config, sim->now_us);
}

static void open_connections(struct sim *sim)
{
    struct ip_addr other[2] = {address_of(1), address_of(0)};
    enum tcp_err error = TCP_OK;

    if (sim->plan.opens_from_both_ends) {
        for (unsigned end = 0; end < 2; end++)
            sim->app[end].tcb = tcp_open_active(sim->stack[end], NULL, SIM_PORT, &other[end],
                                                SIM_PORT, NULL, &error);
    } else {
        sim->app[1].listener = tcp_open_passive(sim->stack[1], NULL, SIM_PORT, NULL, &error);
        sim->app[0].tcb =
            tcp_open_active(sim->stack[0], NULL, 0, &other[0], SIM_PORT, NULL, &error);
    }
    if (error != TCP_OK)
        sim_fail(sim, "OPEN fails: %s", tcp_err_name(error));
}

struct sim *sim_new(const struct sim_plan *plan)
{
    struct sim *sim = calloc(1, sizeof *sim);

    if (sim == NULL)
        abort();
    sim->plan = *plan;
    sim->now_us = plan->start_us;
    for (unsigned end = 0; end < 2; end++) {
        sim->id[end] = (struct sim_ids){sim, end};
        sim->random_state[end] = plan->seed * 5 + end;
        sim->stack[end] = new_stack(sim, end);
        sim->link[end] = link_new(&plan->link[end], plan->seed * 7 + end);
        sim->app[end].is_ready = true;
        if (sim->stack[end] == NULL || sim->link[end] == NULL)
            abort();
    }
    sim->random_state[2] = plan->seed * 11;
    open_connections(sim);
    return sim;
}

void sim_free(struct sim *sim)
{
    for (unsigned end = 0; end < 2; end++) {
        stack_free(sim->stack[end]);
        link_free(sim->link[end]);
    }
    free(sim);
}

bool sim_step(struct sim *sim)
{
    for (unsigned end = 0; end < 2; end++)
        run_app(sim, end);
    for (unsigned end = 0; end < 2; end++)
        pull(sim, end);
    uint64_t at_us = next_us(sim);
    if (at_us == NEVER || sim->failure[0] != '\0')
        return false;
    if (at_us > sim->now_us)
        sim->now_us = at_us;
    for (unsigned end = 0; end < 2; end++) {
        stack_on_time(sim->stack[end], sim->now_us);
        deliver(sim, end);
    }
    if (++sim->step_count > STEPS_MAX)
        sim_fail(sim, "livelock: %d steps without an end", STEPS_MAX);
    if (sim->now_us - sim->plan.start_us > time_max_us)
        sim_fail(sim, "not finished after %llu s", (unsigned long long)time_max_us / SECOND_US);
    return true;
}

static void check_that_nothing_is_left(struct sim *sim)
{
    for (unsigned end = 0; end < 2; end++)
        if (sim->stack[end]->tcp.connection_count != 0 || sim->stack[end]->tcp.table.count != 0)
            sim_fail(sim, "end %u still has a connection, and no timer for it", end);
}

bool sim_run(struct sim *sim)
{
    while (!sim->app[0].has_closed || !sim->app[1].has_closed)
        if (!sim_step(sim)) {
            sim_fail(sim, "stuck: received %llu and %llu bytes, and nothing is under way",
                     (unsigned long long)sim->app[0].received_bytes,
                     (unsigned long long)sim->app[1].received_bytes);
            return false;
        }
    while (!only_waits(sim) && sim_step(sim)) {
    }
    uint64_t packet_count = sim->packet_count;
    while (sim_step(sim)) {
    }
    if (sim->packet_count != packet_count)
        sim_fail(sim, "%llu packets after the end",
                 (unsigned long long)(sim->packet_count - packet_count));
    check_that_nothing_is_left(sim);
    return sim->failure[0] == '\0';
}

bool sim_run_plan(const struct sim_plan *plan, const char *program)
{
    struct sim *sim = sim_new(plan);
    bool is_right = sim_run(sim);

    if (!is_right) {
        char text[2000];
        fprintf(stderr, "\n%s: seed %llu, %s\n%sAgain: SIM_SEED=%llu %s\n", program,
                (unsigned long long)plan->seed, sim->failure,
                sim_plan_format(plan, text, sizeof text), (unsigned long long)plan->seed, program);
    }
    sim_free(sim);
    return is_right;
}

/* Both are CLOSED or in TIME-WAIT, and no packet is under way: only the passing of time is waited
 * for. */
static bool only_waits(struct sim *sim)
{
    pull(sim, 0);
    pull(sim, 1);
    return link_next_us(sim->link[0]) == NEVER && link_next_us(sim->link[1]) == NEVER &&
           is_over(sim, 0) && is_over(sim, 1);
}

static bool is_over(const struct sim *sim, unsigned end)
{
    const struct tcp_layer *tcp = &sim->stack[end]->tcp;

    for (int64_t i = 0; (i = pool_next(&tcp->tcbs, (uint32_t)i)) >= 0; i++) {
        const struct tcb *tcb = pool_at(&tcp->tcbs, (uint32_t)i);
        if (tcb->state != TCPS_TIME_WAIT && tcb->state != TCPS_CLOSED && tcb->state != TCPS_LISTEN)
            return false;
    }
    return tcp->syn_receiveds.count == 0;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_us(const struct sim *sim)
{
    uint64_t at_us = NEVER;

    for (unsigned end = 0; end < 2; end++) {
        const struct sim_app *app = &sim->app[end];
        at_us = earlier(at_us, stack_next_deadline_us(sim->stack[end]));
        at_us = earlier(at_us, link_next_us(sim->link[end]));
        if (app->has_closed)
            continue;
        if (app->next_read_us > sim->now_us)
            at_us = earlier(at_us, app->next_read_us);
        if (app->next_write_us > sim->now_us)
            at_us = earlier(at_us, app->next_write_us);
    }
    return at_us;
}

/* ---- packets */

static void note(struct sim *sim, unsigned from, struct bytes packet)
{
    enum { TCP_FLAGS_AT = IPV4_HEADER_BYTES + 13 };

    sim->packet_count++;
    sim->hash = (sim->hash ^ sim->now_us) * 0x100000001b3u + from;
    for (size_t i = 0; i < packet.len; i += sizeof sim->hash) {
        uint64_t eight = 0;
        size_t left = packet.len - i;
        memcpy(&eight, packet.data + i, left < sizeof eight ? left : sizeof eight);
        sim->hash = (sim->hash ^ eight) * 0x9e3779b97f4a7c15u;
        sim->hash ^= sim->hash >> 32;
    }
    if (packet.len > TCP_FLAGS_AT && packet.data[TCP_FLAGS_AT] & TCP_RST) {
        sim->reset_count++;
        if (sim->stack[from]->tcp.table.count > 0 && !sim->plan.resets_are_fine)
            sim_fail(sim, "end %u sends a RST although it has the connection", from);
    }
}

static void pull(struct sim *sim, unsigned end)
{
    uint8_t memory[PACKET_MAX_BYTES];
    struct packet_out out;

    for (unsigned i = 0; stack_output(sim->stack[end], &out, sim->now_us); i++) {
        struct link_packet packet = {
            .bytes = {memory, packet_out_copy(&out, memory, sizeof memory)},
            .checksum_ok = out.checksum_needed,
            .segment_bytes = out.segment_bytes};
        note(sim, end, packet.bytes);
        if (sim->on_sent != NULL)
            sim->on_sent(sim, end, packet.bytes, &out);
        if (out.segment_bytes > 0) /* nobody cuts it here, so nobody makes its checksum either */
            packet.checksum_ok = true;
        link_send(sim->link[end], &packet, sim->now_us);
        if (i > PULLS_MAX) {
            sim_fail(sim, "stack_output() of end %u does not come to an end", end);
            return;
        }
    }
}

static void deliver(struct sim *sim, unsigned end)
{
    struct link_packet packet;

    while (link_receive(sim->link[1 - end], &packet, sim->now_us)) {
        if (sim->on_arrived != NULL)
            sim->on_arrived(sim, end, &packet);
        stack_input(sim->stack[end],
                    &(struct packet_in){packet.bytes, packet.checksum_ok, packet.segment_bytes},
                    sim->now_us);
        if (sim->plan.pulls_after_each_packet)
            pull(sim, end);
    }
}

/* ---- applications */

static void read_some(struct sim *sim, unsigned end)
{
    const struct sim_app_plan *plan = &sim->plan.app[end];
    struct sim_app *app = &sim->app[end];
    uint8_t memory[CHUNK_MAX_BYTES + 200], expected[sizeof memory];
    size_t len = 1 + sim_below(&sim->random_state[2], plan->read_max_bytes);
    struct bytes got = {memory, 0};

    if (len > sizeof memory)
        len = sizeof memory;
    if (plan->uses_the_ring) {
        got = bytes_first(tcp_receive_peek(app->tcb), len);
    } else {
        ptrdiff_t count = tcp_receive(app->tcb, memory, len);
        if (count < 0) {
            sim_fail(sim, "RECEIVE at end %u: %s", end, tcp_err_name((enum tcp_err)count));
            return;
        }
        got.len = (size_t)count;
    }
    fill(1 - end, app->received_bytes, expected, got.len);
    if (got.len > 0 && memcmp(got.data, expected, got.len) != 0) {
        sim_fail(sim, "a byte is wrong at end %u, of the %zu from %llu on", end, got.len,
                 (unsigned long long)app->received_bytes);
        return;
    }
    app->received_bytes += got.len;
    if (plan->uses_the_ring)
        tcp_receive_consume(app->tcb, got.len);
}

/* A reader may stop for a while, pause after each call, or read all there is. */
static void read_as_planned(struct sim *sim, unsigned end)
{
    const struct sim_app_plan *plan = &sim->plan.app[end];
    struct sim_app *app = &sim->app[end];

    if (app->next_read_us > sim->now_us)
        return;
    while (tcp_readiness(app->tcb) & TCP_READABLE && !app->has_seen_end &&
           sim->failure[0] == '\0') {
        if (!app->has_stopped && plan->stop_us > 0 && app->received_bytes >= plan->stop_at_bytes) {
            app->has_stopped = true;
            app->next_read_us = sim->now_us + plan->stop_us;
            return;
        }
        uint64_t before = app->received_bytes;
        read_some(sim, end);
        if (app->received_bytes == before) {
            app->has_seen_end = true;
            if (!(tcp_readiness(app->tcb) & TCP_PEER_CLOSED))
                sim_fail(sim, "readable without a byte at end %u, and the peer has not closed",
                         end);
            if (before != sim->plan.app[1 - end].send_bytes)
                sim_fail(sim, "end %u reads the end after %llu bytes", end,
                         (unsigned long long)before);
        }
        if (app->received_bytes >= sim->plan.app[1 - end].send_bytes && app->done_us == 0)
            app->done_us = sim->now_us;
        if (plan->read_pause_us > 0) {
            app->next_read_us = sim->now_us + plan->read_pause_us;
            return;
        }
    }
}

static ptrdiff_t write_in_the_ring(struct sim *sim, unsigned end, size_t len)
{
    struct sim_app *app = &sim->app[end];
    size_t room;
    uint8_t *place = tcp_send_reserve(app->tcb, &room);

    if (len > room)
        len = room;
    fill(end, app->sent_bytes, place, len);
    return tcp_send_commit(app->tcb, len);
}

static ptrdiff_t write_by_copy(struct sim *sim, unsigned end, size_t len)
{
    uint8_t memory[CHUNK_MAX_BYTES];

    fill(end, sim->app[end].sent_bytes, memory, len);
    bool is_urgent = sim->plan.app[end].sends_urgent && one_in(&sim->random_state[2], 4);
    return is_urgent ? tcp_send_urgent(sim->app[end].tcb, memory, len)
                     : tcp_send(sim->app[end].tcb, memory, len);
}

static void write_as_planned(struct sim *sim, unsigned end)
{
    const struct sim_app_plan *plan = &sim->plan.app[end];
    struct sim_app *app = &sim->app[end];

    if (app->next_write_us > sim->now_us || (plan->sends_after_the_peer && !app->has_seen_end))
        return;
    while (app->sent_bytes < plan->send_bytes && tcp_readiness(app->tcb) & TCP_WRITABLE) {
        uint64_t left = plan->send_bytes - app->sent_bytes;
        size_t len = 1 + sim_below(&sim->random_state[2], plan->write_max_bytes);
        if (len > left)
            len = (size_t)left;
        ptrdiff_t taken =
            plan->uses_the_ring ? write_in_the_ring(sim, end, len) : write_by_copy(sim, end, len);
        if (taken <= 0) {
            sim_fail(sim, "SEND at end %u returns %td though it is writable", end, taken);
            return;
        }
        app->sent_bytes += (uint64_t)taken;
        if (plan->write_pause_us > 0) {
            app->next_write_us = sim->now_us + plan->write_pause_us;
            return;
        }
    }
}

static void close_as_planned(struct sim *sim, unsigned end)
{
    const struct sim_app_plan *plan = &sim->plan.app[end];
    struct sim_app *app = &sim->app[end];
    bool all_is_queued = app->sent_bytes == plan->send_bytes;
    bool all_is_read = app->received_bytes == sim->plan.app[1 - end].send_bytes;
    bool is_connected = (tcp_readiness(app->tcb) & TCP_CONNECTED) != 0;
    unsigned readiness = tcp_readiness(app->tcb);

    if (all_is_queued && !app->has_shut_down && is_connected &&
        (app->has_seen_end ||
         (plan->shutdown_when == SIM_SHUTDOWN_WHEN_SENT && !plan->sends_after_the_peer))) {
        app->has_shut_down = true;
        if (tcp_shutdown(app->tcb) != TCP_OK)
            sim_fail(sim, "CLOSE fails at end %u", end);
    }
    bool closes = plan->close_when == SIM_CLOSE_WHEN_EXCHANGED ? all_is_queued && all_is_read
                                                               : app->has_seen_end;
    if (plan->close_when == SIM_CLOSE_WHEN_FINISHED)
        closes = closes && readiness & TCP_FINISHED;
    if (app->has_shut_down && closes) {
        tcp_status(app->tcb, &app->last_status);
        tcp_close(app->tcb);
        app->tcb = NULL;
        app->has_closed = true;
    }
}

static void accept_connection(struct sim *sim, unsigned end)
{
    struct sim_app *app = &sim->app[end];

    app->tcb = tcp_accept(app->listener);
    if (app->tcb == NULL)
        return;
    tcp_close(app->listener);
    app->listener = NULL;
}

static void run_app(struct sim *sim, unsigned end)
{
    struct sim_app *app = &sim->app[end];
    struct tcb *ready;

    while ((ready = stack_next_ready(sim->stack[end])) != NULL)
        app->is_ready |= ready == app->tcb || ready == app->listener;
    bool is_time = (app->next_read_us != 0 && app->next_read_us <= sim->now_us) ||
                   (app->next_write_us != 0 && app->next_write_us <= sim->now_us);
    if (app->has_closed || (sim->plan.app[end].waits_for_readiness && !app->is_ready && !is_time))
        return;
    app->is_ready = false;
    if (app->tcb == NULL && app->listener != NULL)
        accept_connection(sim, end);
    if (app->tcb == NULL)
        return;
    if (tcp_readiness(app->tcb) & TCP_FAILED) {
        sim_fail(sim, "the connection of end %u failed: %s", end,
                 tcp_err_name(tcp_error(app->tcb)));
        return;
    }
    read_as_planned(sim, end);
    write_as_planned(sim, end);
    close_as_planned(sim, end);
}

/* ---- for the programs */

#if defined(__has_feature)
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif

static bool is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
    return true;
#else
    return false;
#endif
}

struct sim_seeds sim_seeds(uint64_t default_count)
{
    const char *one = getenv("SIM_SEED"), *many = getenv("SIM_SEEDS");

    if (one != NULL)
        return (struct sim_seeds){strtoull(one, NULL, 10), 1};
    uint64_t count =
        many != NULL ? strtoull(many, NULL, 10) * default_count / 10000 : default_count;
    if (is_sanitized())
        count /= 10;
    return (struct sim_seeds){1, count > 0 ? count : 1};
}

void sim_progress(const char *program, uint64_t done, uint64_t count)
{
    if (!isatty(STDERR_FILENO))
        return;
    if (done < count)
        fprintf(stderr, "\r%s: %llu of %llu seeds", program, (unsigned long long)done,
                (unsigned long long)count);
    else
        fprintf(stderr, "\r\033[K");
    fflush(stderr);
}
