/* The status of a connection as text.
 *
 * Names and units are those of `ss -ti`: rto, rtt and times left in milliseconds, cwnd, ssthresh,
 * unacked, retrans, lost and sacked in segments, the rest in bytes. The last line has what ss does
 * not show, under the RFC's names; its sequence numbers are relative, as in the rows. */
#include "status.h"

#include <inttypes.h>

static void print_ends(FILE *out, const struct tcp_status *status);
static void print_timers(FILE *out, const struct tcp_status *status, uint64_t now_us);
static void print_path(FILE *out, const struct tcp_status *status);
static void print_traffic(FILE *out, const struct tcp_status *status);
static void print_variables(FILE *out, const struct tcp_status *status);

void status_print(FILE *out, const struct tcp_status *status, uint64_t now_us)
{
    print_ends(out, status);
    print_timers(out, status, now_us);
    print_path(out, status);
    print_traffic(out, status);
    print_variables(out, status);
}

static void print_ends(FILE *out, const struct tcp_status *status)
{
    char local[IP_ADDR_TEXT_BYTES], remote[IP_ADDR_TEXT_BYTES];

    fprintf(out, "%s recv-q:%zu send-q:%zu %s:%u %s:%u", tcp_state_name(status->state),
            status->receive_queued_bytes, status->send_queued_bytes,
            ip_addr_format(&status->flow.local, local), status->flow.local_port,
            ip_addr_format(&status->flow.remote, remote), status->flow.remote_port);
}

/* As timer:(on,200ms,0) of ss: which, how long still, how often it has fired in vain. */
static void print_timers(FILE *out, const struct tcp_status *status, uint64_t now_us)
{
    for (int timer = 0; timer < TIMER_COUNT; timer++) {
        uint64_t deadline_us = status->deadline_us[timer];
        if (deadline_us == NEVER)
            continue;
        uint64_t left_us = deadline_us > now_us ? deadline_us - now_us : 0;
        fprintf(out, " timer:(%s,%.0fms,%u)", tcp_timer_name((enum tcp_timer)timer),
                (double)left_us / 1e3, timer == TIMER_RETRANSMIT ? status->backoff_count : 0);
    }
    fputc('\n', out);
}

static uint32_t segments(const struct tcp_status *status, uint32_t bytes)
{
    uint32_t mss = status->snd_mss_bytes;

    return mss == 0 ? 0 : (bytes + mss - 1) / mss;
}

static void print_path(FILE *out, const struct tcp_status *status)
{
    fprintf(out, "\t%s%s%s %s", status->timestamps ? " ts" : "", status->sack ? " sack" : "",
            status->ecn ? " ecn" : "", status->congestion_control);
    if (status->window_scaling)
        fprintf(out, " wscale:%u,%u", status->snd_wnd_shift, status->rcv_wnd_shift);
    fprintf(out, " rto:%g", (double)status->rto_us / 1e3);
    if (status->backoff_count > 0)
        fprintf(out, " backoff:%u", status->backoff_count);
    if (status->srtt_us > 0)
        fprintf(out, " rtt:%g/%g", (double)status->srtt_us / 1e3, (double)status->rttvar_us / 1e3);
    fprintf(out, " mss:%u pmtu:%u advmss:%u cwnd:%u", status->snd_mss_bytes, status->path_mtu_bytes,
            status->rcv_mss_bytes, segments(status, status->cwnd_bytes));
    if (status->ssthresh_bytes != UINT32_MAX && status->ssthresh_bytes > 0)
        fprintf(out, " ssthresh:%u", segments(status, status->ssthresh_bytes));
    if (status->pacing_bytes_per_s > 0)
        fprintf(out, " pacing_rate:%" PRIu64 "bps", 8 * status->pacing_bytes_per_s);
    if (status->delivery_rate_bytes_per_s > 0)
        fprintf(out, " delivery_rate:%" PRIu64 "bps%s", 8 * status->delivery_rate_bytes_per_s,
                status->delivery_is_app_limited ? " app_limited" : "");
    if (status->min_rtt_us > 0)
        fprintf(out, " minrtt:%g", (double)status->min_rtt_us / 1e3);
    fputc('\n', out);
}

static void print_if_any(FILE *out, const char *name, uint64_t value)
{
    if (value > 0)
        fprintf(out, " %s:%" PRIu64, name, value);
}

static void print_traffic(FILE *out, const struct tcp_status *status)
{
    fprintf(out,
            "\t bytes_sent:%" PRIu64 " bytes_acked:%" PRIu64 " bytes_received:%" PRIu64
            " segs_out:%" PRIu64 " segs_in:%" PRIu64,
            status->bytes_sent, status->bytes_acked, status->bytes_received, status->segments_sent,
            status->segments_received);
    print_if_any(out, "unacked", segments(status, status->snd_nxt - status->snd_una));
    if (status->retransmit_count > 0)
        fprintf(out, " retrans:%u/%" PRIu64, segments(status, status->resent_bytes),
                status->retransmit_count);
    print_if_any(out, "lost", segments(status, status->lost_bytes));
    print_if_any(out, "sacked", segments(status, status->sacked_bytes));
    print_if_any(out, "notsent", status->unsent_bytes);
    print_if_any(out, "rcv_ooopack", status->out_of_order_ranges);
    fprintf(out, " snd_wnd:%u rcv_wnd:%u\n", status->snd_wnd, status->rcv_wnd);
}

static void print_variables(FILE *out, const struct tcp_status *status)
{
    fprintf(out, "\t snd_una:%u snd_nxt:%u rcv_nxt:%u peer_mss:%u in_flight:%u",
            status->snd_una - status->iss, status->snd_nxt - status->iss,
            status->rcv_nxt - status->irs, status->peer_mss_bytes, status->in_flight_bytes);
    for (unsigned i = 0; i < status->out_of_order_ranges && i < TCP_STATUS_RANGES_MAX; i++)
        fprintf(out, "%s%u-%u", i == 0 ? " out_of_order:" : ",",
                status->out_of_order[i].start - status->irs,
                status->out_of_order[i].end - status->irs);
    if (status->user_timeout_us != NEVER)
        fprintf(out, " user_timeout:%g", (double)status->user_timeout_us / 1e3);
    if (status->remote_user_timeout_us > 0)
        fprintf(out, " remote_user_timeout:%g", (double)status->remote_user_timeout_us / 1e3);
    if (status->error != TCP_OK)
        fprintf(out, " error:%s", tcp_err_name(status->error));
    if (status->soft_error != TCP_OK)
        fprintf(out, " soft_error:%s", tcp_err_name(status->soft_error));
    fputc('\n', out);
}
