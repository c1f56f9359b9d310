/* STATUS (RFC 9293 3.10.6) and readiness: everything that can be asked about a connection, and the
 * names of its states, timers and errors. Nothing here changes anything. */
#include "recovery/detect.h"
#include "recovery/pacing.h"
#include "recovery/rate.h"

/* Everything that was sent has been acknowledged, our FIN included. */
static bool is_finished(const struct tcb *tcb)
{
    switch (tcb->state) {
    case TCPS_FIN_WAIT_2:
    case TCPS_TIME_WAIT:
        return true;
    case TCPS_CLOSED:
        return tcb->error == TCP_OK && tcb->fin_sent;
    case TCPS_LISTEN:
    case TCPS_SYN_SENT:
    case TCPS_SYN_RECEIVED:
    case TCPS_ESTABLISHED:
    case TCPS_FIN_WAIT_1:
    case TCPS_CLOSE_WAIT:
    case TCPS_CLOSING:
    case TCPS_LAST_ACK:
    case TCPS_COUNT:
        break;
    }
    return false;
}

/* The peer's FIN has been taken, behind all its text. */
static bool peer_has_closed(const struct tcb *tcb)
{
    return tcb->peer_fin && tcb->rcv_nxt == tcb->fin_seq + 1;
}

/* With nothing queued there is, whatever the limit: nobody need work it out. (A segment received
 * takes 3 % fewer instructions.) */
static bool has_room_to_send(const struct tcb *tcb)
{
    uint32_t queued_bytes = tcb_send_queued_bytes(tcb);

    return queued_bytes == 0 || queued_bytes < tcb_send_limit(tcb);
}

unsigned tcp_readiness(const struct tcb *tcb)
{
    unsigned readiness = 0;
    bool may_send =
        (tcb->state == TCPS_ESTABLISHED || tcb->state == TCPS_CLOSE_WAIT) && !tcb->fin_queued;

    if (tcb_readable_bytes(tcb) > 0 || peer_has_closed(tcb) || tcb->error != TCP_OK)
        readiness |= TCP_READABLE;
    if (may_send && has_room_to_send(tcb))
        readiness |= TCP_WRITABLE;
    if (tcb->state == TCPS_LISTEN && tcb->work->accept_count > 0)
        readiness |= TCP_ACCEPTABLE;
    if (tcb_is_synchronized(tcb))
        readiness |= TCP_CONNECTED;
    if (peer_has_closed(tcb))
        readiness |= TCP_PEER_CLOSED;
    if (tcb->error != TCP_OK)
        readiness |= TCP_FAILED;
    if (is_finished(tcb))
        readiness |= TCP_FINISHED;
    if (tcb_urgent_bytes(tcb) > 0)
        readiness |= TCP_URGENT;
    return readiness;
}

enum tcp_err tcp_error(const struct tcb *tcb)
{
    return tcb->error;
}

static const char *const loss_detection_names[TCP_LOSS_DETECTION_COUNT] = {
    [TCP_LOSS_DETECTION_RACK] = "rack",
    [TCP_LOSS_DETECTION_RFC6675] = "rfc6675",
    [TCP_LOSS_DETECTION_NEWRENO] = "newreno",
};

static uint32_t resent_bytes(const struct tcb *tcb)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < tcb->work->in_flight.count; i++) {
        const struct tx_record *record = records_at(&tcb->work->in_flight, i);
        if (record->transmission_count > 1 && !record->lost && !record->sacked)
            sum += record->end - record->start;
    }
    return sum;
}

static void describe(const struct tcb *tcb, struct tcp_status *status)
{
    *status = (struct tcp_status){
        .state = tcb->state,
        .flow = tcb->flow.id,
        .passive_open = tcb->passive_open,
        .iss = tcb->iss,
        .snd_una = tcb->snd_una,
        .snd_nxt = tcb->snd_nxt,
        .snd_wnd = tcb->snd_wnd,
        .irs = tcb->irs,
        .rcv_nxt = tcb->rcv_nxt,
        .rcv_wnd = tcb_rcv_wnd(tcb),
        .cwnd_bytes = tcb->work->cc.cwnd,
        .ssthresh_bytes = tcb->work->cc.ssthresh,
        .in_flight_bytes = recovery_pipe(tcb),
        .path_mtu_bytes = (uint16_t)(tcb_header_bytes(tcb) + tcb->snd_mss),
        .snd_mss_bytes = tcb->snd_mss,
        .rcv_mss_bytes = tcb_announced_mss(tcb),
        .peer_mss_bytes = tcb->peer_mss,
        .snd_wnd_shift = tcb->snd_wnd_shift,
        .rcv_wnd_shift = tcb->rcv_wnd_shift,
        .timestamps = tcb->timestamps,
        .sack = tcb->sack,
        .window_scaling = tcb->window_scaling,
        .ecn = tcb->ecn.is_on,
        .rcv_tos = tcb->rcv_tos,
        .srtt_us = tcb->rto.srtt_us,
        .rttvar_us = tcb->rto.rttvar_us,
        .rto_us = tcp_rto_current_us(&tcb->rto, tcb->config),
        .backoff_count = tcb->rto.backoff_count,
        .send_queued_bytes = tcb->work->send_ring.used,
        .receive_queued_bytes = tcb->work->receive_ring.used,
        .unsent_bytes = tcb->state == TCPS_CLOSED ? 0 : tcb_unsent_bytes(tcb),
        .sacked_bytes = tcb->work->in_flight.sacked_bytes,
        .lost_bytes = tcb->work->in_flight.lost_bytes,
        .resent_bytes = resent_bytes(tcb),
        .urgent_bytes = tcb_urgent_bytes(tcb),
        .out_of_order_ranges = tcb->work->out_of_order.count,
        .bytes_sent = tcb->bytes_sent,
        .bytes_acked = tcb->bytes_acked,
        .bytes_received = tcb->bytes_received,
        .segments_sent = tcb->segments_sent,
        .segments_received = tcb->segments_received,
        .retransmit_count = tcb->retransmit_count,
        .congestion_control = tcb->work->cc.ops != NULL
                                  ? tcb->work->cc.ops->name
                                  : congestion_ops_of(tcb->config->congestion)->name,
        .pacing_bytes_per_s = pacing_rate(tcb),
        .delivery_rate_bytes_per_s = tcb->work->cc.rate != NULL ? tcb->work->cc.rate->shown : 0,
        .delivery_is_app_limited = tcb->work->cc.rate != NULL && tcb->work->cc.rate->is_app_limited,
        .in_recovery = tcb->work->recovery.is_active || tcb->work->recovery.is_after_timeout,
        .undo_count = tcb->undo_count,
        .loss_detection = loss_detection_names[detect_way(tcb)],
        .min_rtt_us = tcb->work->rack.min_rtt.us,
        .reo_wnd_us = tcb->work->rack.reo_wnd_us,
        .user_timeout_us = tcb_user_timeout_us(tcb),
        .remote_user_timeout_us = tcp_user_timeout_s(tcb->remote_uto) * 1000000,
        .send_buffer_bytes = tcb_send_limit(tcb),
        .receive_buffer_bytes = tcb->rcv_buffer_bytes,
        .tos = tcb->config->tos,
        .ttl = tcb->config->ttl,
        .nagle = tcb->nagle,
        .cork = tcb->cork,
        .keepalive = tcb->keepalive,
        .error = tcb->error,
        .soft_error = tcb->soft_error,
    };
    for (int t = 0; t < TIMER_COUNT; t++)
        status->deadline_us[t] = tcb->work->deadline_us[t];
    for (unsigned i = 0; i < tcb->work->out_of_order.count && i < TCP_STATUS_RANGES_MAX; i++)
        status->out_of_order[i] = (struct tcp_status_range){tcb->work->out_of_order.range[i].start,
                                                            tcb->work->out_of_order.range[i].end};
}

unsigned tcp_unfinished_count(const struct stack *stack)
{
    return stack->tcp.tcbs.count;
}

void tcp_status(const struct tcb *tcb, struct tcp_status *status)
{
    struct tcb copy;
    struct work work;

    if (tcb->work == NULL) {
        tcb_look_awake(tcb, &copy, &work);
        tcb = &copy;
    }
    describe(tcb, status);
}

const char *tcp_state_name(enum tcp_state state)
{
    static const char *const names[TCPS_COUNT] = {
        [TCPS_CLOSED] = "CLOSED",           [TCPS_LISTEN] = "LISTEN",
        [TCPS_SYN_SENT] = "SYN-SENT",       [TCPS_SYN_RECEIVED] = "SYN-RECEIVED",
        [TCPS_ESTABLISHED] = "ESTABLISHED", [TCPS_FIN_WAIT_1] = "FIN-WAIT-1",
        [TCPS_FIN_WAIT_2] = "FIN-WAIT-2",   [TCPS_CLOSE_WAIT] = "CLOSE-WAIT",
        [TCPS_CLOSING] = "CLOSING",         [TCPS_LAST_ACK] = "LAST-ACK",
        [TCPS_TIME_WAIT] = "TIME-WAIT",
    };

    return (unsigned)state < TCPS_COUNT ? names[state] : "unknown";
}

const char *tcp_timer_name(enum tcp_timer timer)
{
    static const char *const names[TIMER_COUNT] = {
        [TIMER_REORDER] = "reordering",
        [TIMER_PROBE] = "loss probe",
        [TIMER_RETRANSMIT] = "retransmission",
        [TIMER_PERSIST] = "persist",
        [TIMER_DELAYED_ACK] = "delayed ACK",
        [TIMER_TIME_WAIT] = "TIME-WAIT",
        [TIMER_IDLE] = "idle",
        [TIMER_KEEPALIVE] = "keep-alive",
        [TIMER_CORK] = "cork",
        [TIMER_LINGER] = "linger",
        [TIMER_PACING] = "pacing",
    };

    return (unsigned)timer < TIMER_COUNT ? names[timer] : "unknown";
}

const char *tcp_err_name(enum tcp_err error)
{
    switch (error) {
    case TCP_OK:
        return "no error";
    case TCP_ERR_NOT_OPEN:
        return "connection does not exist";
    case TCP_ERR_EXISTS:
        return "connection already exists";
    case TCP_ERR_RESOURCES:
        return "insufficient resources";
    case TCP_ERR_UNSPECIFIED:
        return "remote socket unspecified";
    case TCP_ERR_CLOSING:
        return "connection closing";
    case TCP_ERR_RESET:
        return "connection reset";
    case TCP_ERR_REFUSED:
        return "connection refused";
    case TCP_ERR_ABORTED:
        return "connection aborted";
    case TCP_ERR_TIMED_OUT:
        return "connection timed out";
    case TCP_ERR_UNREACHABLE:
        return "destination unreachable";
    case TCP_ERR_INVALID:
        return "invalid argument";
    }
    return "unknown error";
}
