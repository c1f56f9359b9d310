/* The life of a connection record and the one door through which its state changes, see tcb.h. */
#include "tcb.h"

#include <assert.h>

#include "recovery/recovery.h"
#include "route.h"
#include "seq.h"

#define TO(state) (1u << TCPS_##state)

/* RFC 9293 figure 5 and its notes. Every state may also go to CLOSED: reset, abort, time-out. */
static const unsigned allowed[TCPS_COUNT] = {
    [TCPS_CLOSED] = TO(LISTEN) | TO(SYN_SENT),
    [TCPS_LISTEN] = TO(SYN_RECEIVED) | TO(SYN_SENT),
    [TCPS_SYN_SENT] = TO(SYN_RECEIVED) | TO(ESTABLISHED),
    [TCPS_SYN_RECEIVED] = TO(ESTABLISHED) | TO(FIN_WAIT_1) | TO(LISTEN) | TO(CLOSE_WAIT),
    [TCPS_ESTABLISHED] = TO(FIN_WAIT_1) | TO(CLOSE_WAIT),
    [TCPS_FIN_WAIT_1] = TO(FIN_WAIT_2) | TO(CLOSING) | TO(TIME_WAIT),
    [TCPS_FIN_WAIT_2] = TO(TIME_WAIT),
    [TCPS_CLOSE_WAIT] = TO(LAST_ACK),
    [TCPS_CLOSING] = TO(TIME_WAIT),
    [TCPS_LAST_ACK] = 0,
    [TCPS_TIME_WAIT] = 0,
};

static const uint32_t IPV4_AND_TCP_BYTES = (uint32_t)IPV4_HEADER_BYTES + TCP_HEADER_BYTES;

struct tcb *tcb_new(struct stack *stack, const struct flow_id *id, enum tcp_state state,
                    const struct tcp_config *config, struct shared_config *shared)
{
    int64_t number = pool_take(&stack->tcp.tcbs);

    if (number < 0)
        return NULL;
    struct tcb *tcb = pool_at(&stack->tcp.tcbs, (uint32_t)number);
    tcb->flow.id = *id;
    tcb->flow.ref = flow_ref(FLOW_TCB, (uint32_t)number);
    tcb->stack = stack;
    if (!tcb_take_work(tcb)) {
        pool_give(&stack->tcp.tcbs, (uint32_t)number);
        return NULL;
    }
    tcb->state = state;
    tcb->config = config;
    tcb->shared_config = shared;
    if (shared != NULL)
        shared->holder_count++;
    tcb->peer_mss = 536; /* until the peer says otherwise: MUST-15 */
    tcb->rcv_buffer_bytes = config->receive_buffer_bytes;
    tcp_rto_init(&tcb->rto, config);
    path_mtu_start(tcb);
    tcb_update_mss(tcb);
    tcb->rcv_mss = tcb_announced_mss(tcb) < 536 ? tcb_announced_mss(tcb) : 536;
    tcb->keepalive = config->keepalive;
    tcb->nagle = config->nagle;
    tcb->cork = config->cork;
    tcb->progress_us = tcb->last_sent_us = tcb->last_heard_us = stack->now_us;
    return tcb;
}

void tcb_free(struct tcb *tcb)
{
    struct memory *memory = &tcb->stack->memory;

    if (tcb->shared_config != NULL)
        shared_config_release(tcb->stack, tcb->shared_config);
    tcb_free_work(tcb);
    memory_give(memory, tcb->learned_route, sizeof *tcb->learned_route);
    pool_give(&tcb->stack->tcp.tcbs, flow_number(tcb->flow.ref));
}

void tcb_tell(const struct tcb *tcb, struct trace_event event)
{
    event.flow = &tcb->flow.id;
    event.tcb = tcb;
    stack_trace(tcb->stack, &event);
}

void tcp_set_state(struct tcb *tcb, enum tcp_state next, const char *why, const char *clause)
{
    assert(next == TCPS_CLOSED || (allowed[tcb->state] & (1u << next)));
    enum tcp_state from = tcb->state;

    tcb->state = next;
    tcb_trace(tcb, (struct trace_event){.kind = TRACE_STATE,
                                        .cause = why,
                                        .clause = clause,
                                        .u.state = {(int)from, (int)next}});
    tcb_notify(tcb);
}

/* Everything that a CLOSED connection no longer needs; what was received stays to be read. */
static void stop_everything(struct tcb *tcb)
{
    struct work *work = tcb->work;

    tcb->ack_now = false;
    if (work == NULL) /* asleep */
        return;
    for (int t = 0; t < TIMER_COUNT; t++)
        work->deadline_us[t] = NEVER;
    work->probe_now = false;
    work->urgent_now = false;
    work->keepalive_now = false;
    ring_release(&work->send_ring);
    records_free(&work->in_flight);
    ranges_free(&work->out_of_order);
}

void tcb_fail(struct tcb *tcb, enum tcp_err error, const char *why, const char *clause)
{
    if (error != TCP_OK) {
        tcb->error = error;
        tcb_trace(tcb, (struct trace_event){.kind = TRACE_ERROR,
                                            .cause = why,
                                            .clause = clause,
                                            .u.error = {.error = (int)error}});
    }
    stop_everything(tcb);
    if (tcb->state != TCPS_CLOSED)
        tcp_set_state(tcb, TCPS_CLOSED, why, clause);
}

void tcb_establish(struct tcb *tcb, const char *why, const char *clause)
{
    tcp_set_state(tcb, TCPS_ESTABLISHED, why, clause);
    path_mtu_on_established(tcb);
    recovery_start(tcb);
    if (tcb->fin_queued)
        tcp_set_state(tcb, TCPS_FIN_WAIT_1, "CLOSE was called before", "9293 3.10.4");
    tcb->uto_now = tcb->config->uto; /* RFC 5482 (3): once more behind the SYN */
    if (tcb->listener != NULL) {
        tcb->keepalive = tcb->listener->keepalive;
        tcb->nagle = tcb->listener->nagle;
        tcb->cork = tcb->listener->cork;
        tcb_notify(tcb->listener);
    }
    tcb_watch_silence(tcb);
    tcb_timer_set(tcb, TIMER_IDLE, tcb->stack->now_us + SLEEP_US);
    tcb_wants_output(tcb);
}

/* Timers: a deadline in the TCB each; the wheel knows the earliest. One that moves later costs a
 * store: the wheel fires at the old time and is set again (lazy re-arming). */
void tcb_timer_set(struct tcb *tcb, enum tcp_timer timer, uint64_t deadline_us)
{
    tcb->work->deadline_us[timer] = deadline_us;
    if (!wheel_is_set(&tcb->flow.links.timer) || deadline_us < tcb->flow.timer_at_us)
        tcb_wake_at(tcb, deadline_us);
    tcb_trace(tcb, (struct trace_event){.kind = TRACE_TIMER_ARMED,
                                        .u.timer = {.timer = (int)timer,
                                                    .deadline_us = deadline_us,
                                                    .backoff_count = tcb->rto.backoff_count}});
}

void tcb_wake_at(struct tcb *tcb, uint64_t at_us)
{
    tcb->flow.timer_at_us = at_us;
    wheel_set(&tcb->stack->tcp.wheel, tcb->flow.ref);
}

void tcb_timer_clear(struct tcb *tcb, enum tcp_timer timer)
{
    tcb->work->deadline_us[timer] = NEVER;
}

void tcb_watch_silence(struct tcb *tcb)
{
    tcb->work->keepalive_probe_count = 0;
    tcb->work->keepalive_now = false;
    if (tcb_is_kept_alive(tcb))
        tcb_timer_set(tcb, TIMER_KEEPALIVE, tcb->last_heard_us + tcb_keepalive_idle_us(tcb));
    else
        tcb_timer_clear(tcb, TIMER_KEEPALIVE);
}

void tcb_wants_output(struct tcb *tcb)
{
    queue_join(&tcb->stack->tcp.output, &tcb->output_link);
}

void tcb_ack_now(struct tcb *tcb, const char *cause)
{
    tcb->ack_now = true;
    tcb->work->ack_cause = cause;
    tcb_wants_output(tcb);
}

void tcb_notify(struct tcb *tcb)
{
    if (tcb->is_held)
        queue_join(&tcb->stack->tcp.ready, &tcb->ready_link);
}

uint16_t tcb_announced_mss(const struct tcb *tcb)
{
    uint32_t mss = tcb->stack->config.mtu_bytes - IPV4_AND_TCP_BYTES;

    if (tcb->config->mss_clamp_bytes != 0 && tcb->config->mss_clamp_bytes < mss)
        mss = tcb->config->mss_clamp_bytes;
    return (uint16_t)mss;
}

uint16_t tcb_packet_limit(const struct tcb *tcb)
{
    enum { PEER_MSS_MIN_BYTES = 48 };
    uint32_t mss = tcb_announced_mss(tcb);
    /* Departure from MUST-16: a peer that announces an MSS of 1 would make us send a header per
     * byte. */
    uint32_t peer_mss = tcb->peer_mss < PEER_MSS_MIN_BYTES ? PEER_MSS_MIN_BYTES : tcb->peer_mss;

    return (uint16_t)(IPV4_AND_TCP_BYTES + (peer_mss < mss ? peer_mss : mss));
}

uint32_t tcb_header_bytes(const struct tcb *tcb)
{
    enum { TIMESTAMPS_BYTES = 12 };

    return IPV4_AND_TCP_BYTES + (tcb->timestamps ? TIMESTAMPS_BYTES : 0) +
           (route_of(tcb) != NULL ? (uint32_t)source_route_bytes(route_of(tcb)) : 0);
}

void tcb_update_mss(struct tcb *tcb)
{
    enum { SND_MSS_MIN_BYTES = 16 };
    uint32_t packet_bytes = tcb_packet_limit(tcb), header = tcb_header_bytes(tcb);

    if (tcb->work->path.mtu < packet_bytes)
        packet_bytes = tcb->work->path.mtu;
    tcb->snd_mss = packet_bytes > header + SND_MSS_MIN_BYTES
                       ? packet_bytes - header /* 9293 3.7.1 */
                       : SND_MSS_MIN_BYTES;
}

uint32_t tcb_urgent_bytes(const struct tcb *tcb)
{
    if (!tcb->has_rcv_up)
        return 0;
    bool fin_is_taken = tcb->peer_fin && seq_gt(tcb->rcv_nxt, tcb->fin_seq);
    uint32_t text_end = fin_is_taken ? tcb->fin_seq : tcb->rcv_nxt;
    uint32_t consumed = text_end - tcb_readable_bytes(tcb);
    uint32_t up = fin_is_taken ? seq_min(tcb->rcv_up, tcb->fin_seq) : tcb->rcv_up;

    return seq_gt(up, consumed) ? up - consumed : 0;
}

uint32_t tcb_unsent_bytes(const struct tcb *tcb)
{
    uint32_t first = tcb_first_data_seq(tcb);
    uint32_t sent = seq_gt(tcb->snd_nxt, first) ? tcb->snd_nxt - first : 0;

    if (tcb->fin_sent && sent > 0)
        sent--;
    return tcb->work->send_ring.used - sent;
}

/* Four times what the path holds at its shortest round trip, so that it stays full while losses are
 * repaired and queues come and go. More only waits in a queue; and memory in use is copied more
 * slowly the more there is of it: a ring of 8 MB has a third of the speed of one of 1 MB.
 *
 * Where both ends are on one machine nothing else ends the growth of the window, and repairs take
 * no time: there it is once (8 % faster with copies, 16 % without; make bench), but eight of the
 * largest super-segments at least. With half as many we slept until the peer had read (18 % slower
 * without copies, 5 % with them). */
static uint64_t path_holds_bytes(const struct tcb *tcb)
{
    enum { SAME_MACHINE_US = 200, SAME_MACHINE_BYTES = 512 << 10 };
    const uint32_t *most = tcb->work->cc.flight_most;
    uint64_t flight = most[0] > most[1] ? most[0] : most[1];
    uint64_t min_us = tcb->work->rack.min_rtt.us, srtt_us = tcb->rto.srtt_us;
    bool is_same_machine = min_us < SAME_MACHINE_US;
    uint64_t wanted = (is_same_machine ? 1 : 4) * flight;

    if (min_us != 0 && min_us < srtt_us)
        wanted = wanted * min_us / srtt_us;
    return is_same_machine && wanted < SAME_MACHINE_BYTES ? SAME_MACHINE_BYTES : wanted;
}

uint32_t tcb_send_limit(const struct tcb *tcb)
{
    const struct tcp_config *config = tcb->config;
    uint64_t wanted = 2 * (uint64_t)(tcb->work != NULL ? tcb->work->cc.cwnd : tcb->slumber.cwnd);

    if (tcb->work != NULL && path_holds_bytes(tcb) < wanted)
        wanted = path_holds_bytes(tcb);
    if (wanted > config->send_buffer_max_bytes)
        wanted = config->send_buffer_max_bytes;
    if (wanted < config->send_buffer_bytes)
        wanted = config->send_buffer_bytes;
    if (tcb->work == NULL)
        return (uint32_t)wanted;
    const struct ring *ring = &tcb->work->send_ring;
    if (ring->used < ring->size && ring->size <= wanted)
        return (uint32_t)wanted; /* there is room in any case: nobody is asked */
    return (uint32_t)ring_capacity(ring, wanted);
}

/* ---- the user time-out, RFC 5482
 *
 * Not done: giving the option up where a path swallows all SYNs that carry it (4.1). Behind the SYN
 * it rides on one segment alone, which goes out again without it. */

uint64_t tcb_advertised_uto_us(const struct tcb *tcb)
{
    const struct tcp_config *config = tcb->config;

    return config->uto_advertised_us != 0 ? config->uto_advertised_us : config->r2_us;
}

/* (3.1). Before the peer has said anything REMOTE_UTO counts as 0: what we tell it is what we do.
 */
uint64_t tcb_user_timeout_us(const struct tcb *tcb)
{
    const struct tcp_config *config = tcb->config;

    if (!config->uto || !config->uto_changeable)
        return config->r2_us;
    uint64_t adv_us = tcb_advertised_uto_us(tcb);
    uint64_t remote_us = tcp_user_timeout_s(tcb->remote_uto) * 1000000;
    uint64_t wanted_us = adv_us > remote_us ? adv_us : remote_us;
    if (wanted_us < config->uto_min_us)
        wanted_us = config->uto_min_us;
    if (wanted_us < 2 * tcb->rto.rto_us) /* or no answer to a second transmission could count */
        wanted_us = 2 * tcb->rto.rto_us;
    return wanted_us < config->uto_max_us ? wanted_us : config->uto_max_us;
}

uint64_t tcb_keepalive_idle_us(const struct tcb *tcb)
{
    enum { SECOND_US = 1000000 };
    uint64_t idle_us = tcb->config->keepalive_idle_us;
    uint64_t user_timeout_us = tcb_user_timeout_us(tcb);

    if (!tcb->config->uto || user_timeout_us == NEVER || idle_us > user_timeout_us)
        return idle_us;
    return user_timeout_us + SECOND_US;
}

/* Kept even if it may not change anything here: tcp_status() tells the application (3.1). */
void tcb_take_uto(struct tcb *tcb, uint16_t user_timeout)
{
    if (tcb->config->uto && user_timeout != 0)
        tcb->remote_uto = user_timeout;
}
