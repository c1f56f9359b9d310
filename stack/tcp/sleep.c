/* Idle connections asleep, see sleep.h.
 *
 * The window is kept as it was; what a pause does to it is window_after_idle()'s business. Timers
 * do not run in one's sleep but for the keep-alive's, whose deadline follows from when the peer was
 * heard last. */
#include "sleep.h"

#include "recovery/window.h"
#include "seq.h"
#include "tcb.h"

/* `work` is all zeros. */
static void begin(const struct tcb *tcb, struct work *work)
{
    struct memory *account = &tcb->stack->memory;

    work->unanswered_since_us = work->cookie_sent_us = NEVER;
    work->send_ring.account = work->receive_ring.account = account;
    work->out_of_order.account = work->in_flight.account = account;
    for (int t = 0; t < TIMER_COUNT; t++)
        work->deadline_us[t] = NEVER;
}

bool tcb_take_work(struct tcb *tcb)
{
    struct pool *pool = &tcb->stack->tcp.works;
    int64_t number = pool_take(pool);

    if (number < 0)
        return false;
    struct work *work = pool_at(pool, (uint32_t)number);
    work->number = (uint32_t)number;
    begin(tcb, work);
    queue_init(&work->handshaking, offsetof(struct tcb, list_link));
    queue_init(&work->accept_queue, offsetof(struct tcb, list_link));
    tcb->work = work;
    return true;
}

void tcb_free_work(struct tcb *tcb)
{
    struct work *work = tcb->work;

    if (work == NULL)
        return;
    ring_release(&work->send_ring);
    ring_release(&work->receive_ring);
    ranges_free(&work->out_of_order);
    records_free(&work->in_flight);
    congestion_stop(&work->cc);
    pool_give(&tcb->stack->tcp.works, work->number);
    tcb->work = NULL;
}

/* The working state of a connection that was asleep. */
static void recall(struct tcb *tcb)
{
    const struct slumber *slumber = &tcb->slumber;
    struct work *work = tcb->work;
    uint64_t now_us = tcb->stack->now_us;

    work->cc.cwnd = slumber->cwnd;
    work->cc.ssthresh = slumber->ssthresh;
    work->recovery.recover = tcb->snd_una - 1; /* as with the ISS, RFC 6582 3.2 step 1 */
    work->rack.reordering_seen = slumber->reordering_seen;
    if (slumber->min_rtt_us != 0)
        rack_note_rtt(&work->rack, slumber->min_rtt_us, now_us);
    work->path = (struct path_mtu){.mtu = slumber->path_mtu,
                                   .search_high = slumber->path_mtu,
                                   .not_before_us = slumber->path_mtu_not_before_us};
}

bool tcb_wake(struct tcb *tcb)
{
    if (tcb->work != NULL)
        return true;
    if (!tcb_take_work(tcb))
        return false;
    window_start(tcb, tcb->config->initial_window_segments);
    recall(tcb);
    tcb_timer_set(tcb, TIMER_IDLE, tcb->stack->now_us + TCB_IDLE_US);
    if (tcb_is_kept_alive(tcb))
        tcb->work->deadline_us[TIMER_KEEPALIVE] = tcb->last_heard_us + tcb_keepalive_idle_us(tcb);
    return true;
}

static bool has_no_timer(const struct tcb *tcb)
{
    for (int t = 0; t < TIMER_COUNT; t++)
        if (t != TIMER_KEEPALIVE && tcb->work->deadline_us[t] != NEVER)
            return false;
    return true;
}

/* Nothing is under way in either direction. */
static bool is_still(const struct tcb *tcb)
{
    const struct work *work = tcb->work;
    bool is_quiet_state = tcb->state == TCPS_ESTABLISHED || tcb->state == TCPS_CLOSE_WAIT ||
                          tcb->state == TCPS_FIN_WAIT_2;
    bool fin_waits = tcb->peer_fin && seq_leq(tcb->rcv_nxt, tcb->fin_seq); /* behind a hole */

    return is_quiet_state && tcb->snd_una == tcb->snd_nxt && work->send_ring.used == 0 &&
           work->receive_ring.used == 0 && work->out_of_order.count == 0 && !fin_waits;
}

static bool wants_nothing(const struct tcb *tcb)
{
    return !queue_has(&tcb->output_link) && !tcb->ack_now && !tcb->work->keepalive_now &&
           tcb->work->keepalive_probe_count == 0 && has_no_timer(tcb);
}

static uint64_t later_us(uint64_t a_us, uint64_t b_us)
{
    return a_us > b_us ? a_us : b_us;
}

/* RFC 7661 remembers for five minutes how much of the window was in use. */
static uint64_t sleeps_after_us(const struct tcb *tcb)
{
    enum { NON_VALIDATED_PERIOD_US = 300000000 };

    return tcb->config->window_validation ? NON_VALIDATED_PERIOD_US : SLEEP_US;
}

void tcb_on_idle_timer(struct tcb *tcb)
{
    struct work *work = tcb->work;
    uint64_t now_us = tcb->stack->now_us;
    uint64_t since_us = later_us(tcb->last_heard_us, later_us(tcb->last_sent_us, tcb->progress_us));

    records_release(&work->in_flight);
    if (work->send_ring.used == 0)
        ring_release(&work->send_ring);
    if (work->receive_ring.used == 0 && work->out_of_order.count == 0) {
        ring_release(&work->receive_ring);
        ranges_free(&work->out_of_order);
    }
    if (!is_still(tcb)) /* what ends that sets the timer again */
        return;
    uint64_t due_us = since_us + sleeps_after_us(tcb);
    tcb->may_sleep = now_us >= due_us && wants_nothing(tcb);
    if (!tcb->may_sleep)
        tcb_timer_set(tcb, TIMER_IDLE, now_us < due_us ? due_us : now_us + SLEEP_US);
}

void tcb_sleep(struct tcb *tcb)
{
    struct work *work = tcb->work;

    tcb->may_sleep = false;
    if (!wants_nothing(tcb)) { /* another timer has expired behind this one */
        tcb_timer_set(tcb, TIMER_IDLE, tcb->stack->now_us + SLEEP_US);
        return;
    }
    tcb->slumber = (struct slumber){.cwnd = work->cc.cwnd,
                                    .ssthresh = work->cc.ssthresh,
                                    .min_rtt_us = (uint32_t)work->rack.min_rtt.us,
                                    .path_mtu_not_before_us = work->path.not_before_us,
                                    .path_mtu = work->path.mtu,
                                    .reordering_seen = work->rack.reordering_seen};
    wheel_clear(&tcb->stack->tcp.wheel, tcb->flow.ref);
    if (work->deadline_us[TIMER_KEEPALIVE] != NEVER)
        tcb_wake_at(tcb, work->deadline_us[TIMER_KEEPALIVE]);
    tcb_free_work(tcb);
}

void tcb_look_awake(const struct tcb *tcb, struct tcb *copy, struct work *work)
{
    *copy = *tcb;
    *work = (struct work){0};
    begin(tcb, work);
    copy->work = work;
    congestion_init(&work->cc, tcb->config, tcb->snd_mss, tcb->config->initial_window_segments);
    if (work->cc.ops->has_model) /* its memory is not taken for a look */
        work->cc.ops = &congestion_cubic;
    recall(copy);
}
