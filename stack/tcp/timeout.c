/* The timeouts, RFC 9293 3.10.8: one function per timer. A timer is a deadline in the TCB and fires
 * once; its handler arms it again if it wants to. What a handler wants to send it asks for: output
 * is pulled. */
#include "timeout.h"

#include "layer.h"
#include "output.h"
#include "recovery/recovery.h"

static void on_reorder(struct tcb *tcb);
static void on_probe(struct tcb *tcb);
static void on_retransmit(struct tcb *tcb);
static void on_persist(struct tcb *tcb);
static void on_delayed_ack(struct tcb *tcb);
static void on_time_wait(struct tcb *tcb);
static void on_keepalive(struct tcb *tcb);
static void on_cork(struct tcb *tcb);
static void on_linger(struct tcb *tcb);
static void on_pacing(struct tcb *tcb);

static void (*const on_expiry[TIMER_COUNT])(struct tcb *tcb) = {
    [TIMER_REORDER] = on_reorder,
    [TIMER_PROBE] = on_probe,
    [TIMER_RETRANSMIT] = on_retransmit,
    [TIMER_PERSIST] = on_persist,
    [TIMER_DELAYED_ACK] = on_delayed_ack,
    [TIMER_TIME_WAIT] = on_time_wait,
    [TIMER_IDLE] = tcb_on_idle_timer,
    [TIMER_KEEPALIVE] = on_keepalive,
    [TIMER_CORK] = on_cork,
    [TIMER_LINGER] = on_linger,
    [TIMER_PACING] = on_pacing,
};

static void trace_fired(const struct tcb *tcb, int timer)
{
    unsigned count = tcb->rto.backoff_count;

    if (timer == TIMER_PERSIST)
        count = tcb->work->probe_count;
    if (timer == TIMER_KEEPALIVE)
        count = tcb->work->keepalive_probe_count;
    tcb_trace(tcb, (struct trace_event){.kind = TRACE_TIMER_FIRED,
                                        .u.timer = {.timer = timer,
                                                    .deadline_us = tcb->stack->now_us,
                                                    .backoff_count = count}});
}

void tcp_on_time(struct tcb *tcb)
{
    uint64_t next_us = NEVER;

    for (int t = 0; t < TIMER_COUNT; t++) {
        if (tcb->work->deadline_us[t] > tcb->stack->now_us)
            continue;
        tcb->work->deadline_us[t] = NEVER;
        trace_fired(tcb, t);
        on_expiry[t](tcb);
    }
    for (int t = 0; t < TIMER_COUNT; t++)
        if (tcb->work->deadline_us[t] < next_us)
            next_us = tcb->work->deadline_us[t];
    if (next_us != NEVER)
        tcb_wake_at(tcb, next_us);
}

/* R2 of the state. A SYN goes the way of all segments (MUST-22) and is given 3 minutes (MUST-23).
 * Departure from MUST-23: the answer to one is given far less, since the peer will repeat its SYN,
 * and since a flood of forged ones fills the backlog for so long. RFC 5482 (3.3): the option speaks
 * of the synchronized states alone. */
static uint64_t r2_of(const struct tcb *tcb)
{
    if (tcb_is_synchronized(tcb))
        return tcb_user_timeout_us(tcb);
    return tcb->passive_open ? tcb->config->syn_ack_r2_us : tcb->config->syn_r2_us;
}

/* A SYN, or the answer to one, has been sent again as often as it may be. */
static bool has_no_retry_left(const struct tcb *tcb, unsigned attempts)
{
    const struct tcp_config *config = tcb->config;
    unsigned limit = tcb->passive_open ? config->syn_ack_retry_count : config->syn_retry_count;

    return !tcb_is_synchronized(tcb) && limit != UINT8_MAX && attempts > limit;
}

/* R1 and R2, 9293 3.8.3: true when the connection has been given up, at R2 (SHLD-11). At R1 IP is
 * asked to doubt the path (MUST-20, 3.8.3 (b)). */
static bool gave_up(struct tcb *tcb, unsigned attempts)
{
    bool in_handshake = !tcb_is_synchronized(tcb);
    uint64_t now_us = tcb->stack->now_us;
    uint64_t r2_us = r2_of(tcb);
    bool is_unanswered =
        tcb->work->unanswered_since_us != NEVER && now_us - tcb->work->unanswered_since_us >= r2_us;
    /* Departure from MUST-37 and SHLD-17, as 9293 3.8.6.1 allows by way of RFC 6429: nobody is left
     * who could abort it, and a peer that never opens its window would keep it for ever. */
    bool is_orphan = !tcb->is_held && tcb->listener == NULL && now_us - tcb->progress_us >= r2_us;

    bool has_retried = has_no_retry_left(tcb, attempts);
    if (is_unanswered || is_orphan || has_retried) {
        if (!in_handshake)
            tcp_send_reset(tcb, "gives up: no answer for too long (R2)");
        tcb_fail(tcb,
                 tcb->soft_error != TCP_OK && in_handshake ? tcb->soft_error : TCP_ERR_TIMED_OUT,
                 has_retried ? "no answer to any of the SYNs" : "no answer for too long (R2)",
                 "9293 3.8.3");
        return true;
    }
    if (attempts >= tcb->config->r1_count && !tcb->trouble_reported) { /* SHLD-9, SHLD-10 */
        tcb->trouble_reported = true;
        tcb_trace(tcb,
                  (struct trace_event){.kind = TRACE_ERROR,
                                       .cause = "many retransmissions without an answer (R1)",
                                       .clause = "9293 3.8.3",
                                       .u.error = {.error = (int)TCP_ERR_TIMED_OUT, .soft = true}});
        ip_negative_advice(tcb->stack, &tcb->flow.id,
                           "many retransmissions without an answer (R1)");
    }
    return false;
}

/* The time after `wait_us`, or that of R2 if it comes before: nobody waits for a last long
 * back-off. */
static uint64_t before_r2(const struct tcb *tcb, uint64_t wait_us)
{
    uint64_t now_us = tcb->stack->now_us;
    uint64_t since_us =
        tcb->work->unanswered_since_us == NEVER ? now_us : tcb->work->unanswered_since_us;
    uint64_t passed_us = now_us - since_us;
    uint64_t left_us = r2_of(tcb) > passed_us ? r2_of(tcb) - passed_us : 0;

    return now_us + (wait_us < left_us ? wait_us : left_us);
}

void tcp_bring_r2_forward(struct tcb *tcb)
{
    static const enum tcp_timer timers[] = {TIMER_RETRANSMIT, TIMER_PERSIST};
    uint64_t due_us = before_r2(tcb, NEVER / 2);

    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++)
        if (tcb->work->deadline_us[timers[i]] != NEVER &&
            tcb->work->deadline_us[timers[i]] > due_us)
            tcb_timer_set(tcb, timers[i], due_us);
}

/* RFC 8985 6.2 step 5. */
static void on_reorder(struct tcb *tcb)
{
    recovery_on_reorder_timer(tcb);
    tcb_wants_output(tcb);
}

/* RFC 8985 7.3. */
static void on_probe(struct tcb *tcb)
{
    tlp_on_timer(tcb);
}

/* RFC 6298 (5.4) to (5.6). */
static void on_retransmit(struct tcb *tcb)
{
    tcb->ecn.holds = false;
    if (tcb->work->in_flight.count ==
        0) { /* ECN held new data back, or memory was short: try again */
        tcb_wants_output(tcb);
        return;
    }
    if (gave_up(tcb, tcb->rto.backoff_count + 1))
        return;
    tcb->work->was_refused |= tcb->snd_wnd == 0;
    path_mtu_on_timeout(tcb);
    recovery_on_timeout(tcb);
    tcp_rto_back_off(&tcb->rto); /* (5.5) */
    uint64_t wait_us = tcp_rto_current_us(&tcb->rto, tcb->config);
    tcb_timer_set(tcb, TIMER_RETRANSMIT, before_r2(tcb, wait_us)); /* (5.6) */
    tcb_wants_output(tcb);
}

/* 9293 3.8.6.1: the window has been closed for one RTO, or the last probe was not answered with a
 * larger one. A window that has shrunk to nothing is probed in the same way (MUST-35). */
static void on_persist(struct tcb *tcb)
{
    bool is_moot =
        tcb->snd_wnd > 0 && tcb->work->in_flight.count > 0; /* data could be sent after all */
    if (is_moot || gave_up(tcb, tcb->work->unanswered_probe_count))
        return;
    tcb->work->probe_count++;
    tcb->work->unanswered_probe_count++;
    tcb->work->was_refused |= tcb->snd_wnd == 0;
    tcb_timer_set(tcb, TIMER_PERSIST, before_r2(tcb, tcp_persist_us(tcb)));
    if (tcb->work->in_flight.count >
        0) { /* the probe is still unacknowledged: the same octet again */
        records_mark_lost(&tcb->work->in_flight, 0, UINT32_MAX);
        tcb->work->recovery.send_one = true;
        tcb->work->resend_cause = "zero-window probe, again";
    } else {
        tcb->work->probe_now = true;
    }
    tcb_wants_output(tcb);
}

static void on_delayed_ack(struct tcb *tcb)
{
    tcb_ack_now(tcb, "delayed ACK: the timer expired");
}

/* TIME-WAIT TIMEOUT; and a FIN-WAIT-2 that nobody holds has waited long enough. */
static void on_time_wait(struct tcb *tcb)
{
    if (tcb->state == TCPS_TIME_WAIT)
        tcb_fail(tcb, TCP_OK, "2 MSL have passed", "9293 3.10.8");
    else if (tcb->state == TCPS_FIN_WAIT_2)
        tcb_fail(tcb, TCP_OK, "the peer's FIN does not come", NULL);
}

/* 9293 3.8.4. The timer is not moved by each segment that arrives: it expires, sees when the peer
 * was heard last, and is set anew. While data or our FIN waits for an acknowledgment, R2 and the
 * window probes watch the peer (MUST-26). */
static void on_keepalive(struct tcb *tcb)
{
    const struct tcp_config *config = tcb->config;
    uint64_t now_us = tcb->stack->now_us;
    bool is_idle = tcb->snd_una == tcb->snd_nxt && tcb_unsent_bytes(tcb) == 0;

    if (!tcb_is_kept_alive(tcb))
        return;
    if (!is_idle) {
        tcb_timer_set(tcb, TIMER_KEEPALIVE, now_us + tcb_keepalive_idle_us(tcb));
        return;
    }
    if (now_us - tcb->last_heard_us < tcb_keepalive_idle_us(tcb)) {
        tcb_watch_silence(tcb);
        return;
    }
    if (tcb->work->keepalive_probe_count >= config->keepalive_count) { /* at least 2: MUST-29 */
        tcp_send_reset(tcb, "gives up: no answer to keep-alive probes");
        tcb_fail(tcb, TCP_ERR_TIMED_OUT, "no answer to keep-alive probes", "9293 3.8.4");
        return;
    }
    tcb->work->keepalive_probe_count++;
    tcb->work->keepalive_now = true;
    tcb_timer_set(tcb, TIMER_KEEPALIVE, now_us + config->keepalive_interval_us);
    tcb_wants_output(tcb);
}

/* MUST-60: the application has kept cork in for long enough. */
static void on_cork(struct tcb *tcb)
{
    tcb->work->cork_is_over = true;
    tcb_wants_output(tcb);
}

/* What CLOSE left to be sent has not all arrived in linger_us. */
static void on_linger(struct tcb *tcb)
{
    tcp_send_reset(tcb, "CLOSE: the linger time is over (9293 3.9.1.4)");
    tcb_fail(tcb, TCP_ERR_ABORTED, "the linger time is over", "9293 3.9.1.4");
}

static void on_pacing(struct tcb *tcb)
{
    tcb_wants_output(tcb);
}
