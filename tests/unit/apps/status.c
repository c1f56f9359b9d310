/* The status of a connection as text: names and units of `ss -ti`. */
#include "../../../apps/common/status.h"
#include "../unit.h"

#include <string.h>

static char text[2000];

static struct tcp_status established(void)
{
    struct tcp_status status = {
        .state = TCPS_ESTABLISHED,
        .flow = {.local = ip_addr_from_v4(0x0a000002),
                 .remote = ip_addr_from_v4(0x8efac48e),
                 .local_port = 53747,
                 .remote_port = 80},
        .iss = 0xfffffff0,
        .snd_una = 0xfffffff1,
        .snd_nxt = 0xfffffff1,
        .snd_wnd = 65535,
        .irs = 0xffffffe0,
        .rcv_nxt = 0xffffffe1,
        .rcv_wnd = 131584,
        .cwnd_bytes = 14000,
        .ssthresh_bytes = UINT32_MAX,
        .snd_mss_bytes = 1400,
        .rcv_mss_bytes = 1460,
        .peer_mss_bytes = 1412,
        .path_mtu_bytes = 1452,
        .rto_us = 1000000,
        .congestion_control = "reno",
        .user_timeout_us = NEVER,
    };

    for (int timer = 0; timer < TIMER_COUNT; timer++)
        status.deadline_us[timer] = NEVER;
    return status;
}

static const char *printed(const struct tcp_status *status)
{
    FILE *out = tmpfile();

    status_print(out, status, 5000000);
    rewind(out);
    text[fread(text, 1, sizeof text - 1, out)] = '\0';
    fclose(out);
    return text;
}

START_TEST(a_connection_at_rest_shows_what_there_is)
{
    struct tcp_status status = established();

    ck_assert_str_eq(printed(&status),
                     "ESTABLISHED recv-q:0 send-q:0 10.0.0.2:53747 142.250.196.142:80\n"
                     "\t reno rto:1000 mss:1400 pmtu:1452 advmss:1460 cwnd:10\n"
                     "\t bytes_sent:0 bytes_acked:0 bytes_received:0 segs_out:0 segs_in:0 "
                     "snd_wnd:65535 rcv_wnd:131584\n"
                     "\t snd_una:1 snd_nxt:1 rcv_nxt:1 peer_mss:1412 in_flight:0\n");
}
END_TEST

START_TEST(a_connection_in_trouble_shows_all_of_it)
{
    struct tcp_status status = established();

    status.state = TCPS_CLOSE_WAIT;
    status.timestamps = status.sack = status.window_scaling = true;
    status.snd_wnd_shift = 8;
    status.rcv_wnd_shift = 6;
    status.srtt_us = 36396;
    status.rttvar_us = 10250;
    status.backoff_count = 2;
    status.ssthresh_bytes = 2800;
    status.min_rtt_us = 35100;
    status.pacing_bytes_per_s = 125000;
    status.delivery_rate_bytes_per_s = 62500;
    status.delivery_is_app_limited = true;
    status.snd_nxt += 5 * 1400;
    status.send_queued_bytes = 8000;
    status.unsent_bytes = 1000;
    status.lost_bytes = 1400;
    status.sacked_bytes = 2800;
    status.resent_bytes = 1;
    status.retransmit_count = 3;
    status.in_flight_bytes = 2800;
    status.deadline_us[TIMER_RETRANSMIT] = 5250000;
    status.deadline_us[TIMER_KEEPALIVE] = 4000000;
    status.receive_queued_bytes = 7;
    status.out_of_order_ranges = 2;
    status.out_of_order[0] = (struct tcp_status_range){status.irs + 11, status.irs + 21};
    status.out_of_order[1] = (struct tcp_status_range){status.irs + 31, status.irs + 41};
    status.user_timeout_us = 900000000;
    status.remote_user_timeout_us = 60000000;
    status.error = TCP_ERR_TIMED_OUT;
    status.soft_error = TCP_ERR_UNREACHABLE;
    ck_assert_str_eq(printed(&status),
                     "CLOSE-WAIT recv-q:7 send-q:8000 10.0.0.2:53747 142.250.196.142:80 "
                     "timer:(retransmission,250ms,2) timer:(keep-alive,0ms,0)\n"
                     "\t ts sack reno wscale:8,6 rto:1000 backoff:2 rtt:36.396/10.25 mss:1400 "
                     "pmtu:1452 advmss:1460 cwnd:10 ssthresh:2 pacing_rate:1000000bps "
                     "delivery_rate:500000bps app_limited minrtt:35.1\n"
                     "\t bytes_sent:0 bytes_acked:0 bytes_received:0 segs_out:0 segs_in:0 "
                     "unacked:5 retrans:1/3 lost:1 sacked:2 notsent:1000 rcv_ooopack:2 "
                     "snd_wnd:65535 rcv_wnd:131584\n"
                     "\t snd_una:1 snd_nxt:7001 rcv_nxt:1 peer_mss:1412 in_flight:2800 "
                     "out_of_order:11-21,31-41 user_timeout:900000 remote_user_timeout:60000 "
                     "error:connection timed out soft_error:destination unreachable\n");
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, a_connection_at_rest_shows_what_there_is);
    tcase_add_test(tc, a_connection_in_trouble_shows_all_of_it);
}

int main(void)
{
    return unit_main("status", tests);
}
