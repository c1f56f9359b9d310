/* The defaults of a connection, see config.h for each one's source. */
#include "config.h"

#include "../settings.h"
#include "ecn.h"

enum { SECOND_US = 1000000 };

void tcp_config_init(struct tcp_config *config)
{
    *config = (struct tcp_config){
        .timestamps = true,
        .window_scaling = true,
        .sack = true,
        .dsack = true,
        .ecn = TCP_ECN_ACCEPT,
        .nagle = true,
        .syn_style = TCP_SYN_STYLE_MACOS,
        .send_buffer_bytes = 256 << 10,
        .send_buffer_max_bytes = 64 << 20, /* 1 Gbit/s over 300 ms are 37.5 MB in flight */
        .receive_buffer_bytes = 128 << 10,
        .receive_buffer_max_bytes = UINT16_MAX << 10, /* what a scale of 10 can announce: 64 MiB */
        .congestion = TCP_CONGESTION_CUBIC,
        .hystart = true,
        .pacing = TCP_PACING_AUTO,
        .initial_window_segments = 10,
        .loss_detection = TCP_LOSS_DETECTION_RACK,
        .tlp = true,
        .tlp_max_ack_delay_us = 40000,
        .tlp_first_ack_delay_us = 5000,
        .eifel = true,
        .dsack_undo = true,
        .frto = true,
        .prr = true,
        .limited_transmit = true,
        .rto_initial_us = SECOND_US,
        .rto_min_us = 200000,
        .rto_max_us = 60ull * SECOND_US,
        .delayed_ack_us = 40000,
        .header_prediction = true,
        .stretch_acks = true,
        .cork_limit_us = 200000,
        .r1_count = 3,
        .r2_us = 900ull * SECOND_US,
        .syn_r2_us = 180ull * SECOND_US,
        .syn_ack_r2_us = 32ull * SECOND_US,
        .syn_retry_count = UINT8_MAX,
        .syn_ack_retry_count = UINT8_MAX,
        .linger_us = NEVER,
        .msl_us = 30ull * SECOND_US,
        .fin_wait_2_us = 60ull * SECOND_US,
        .keepalive_idle_us = 7200ull * SECOND_US,
        .keepalive_interval_us = 75ull * SECOND_US,
        .keepalive_count = 9,
        .accept_source_routes = true,
        .path_mtu_min_bytes = 552,
        .path_mtu_raise_us = 600ull * SECOND_US,
        .black_hole_count = 3,
        .uto_changeable = true,
        .uto_min_us = 100ull * SECOND_US,
        .uto_max_us = 3600ull * SECOND_US,
        .backlog = 128,
        .syn_cookies = TCP_SYN_COOKIES_AUTO,
        .ttl = 64,
    };
}

static void at_most(uint64_t *value, uint64_t limit)
{
    if (*value > limit)
        *value = limit;
}

void tcp_config_bound(struct tcp_config *config)
{
    settings_bound(config);
    config->tos &= (uint8_t)~ECN_MASK; /* the ECN field is TCP's own, RFC 3168 */
    at_most(&config->rto_min_us, config->rto_max_us);
    at_most(&config->rto_initial_us, config->rto_max_us);
    if (config->rto_initial_us < config->rto_min_us)
        config->rto_initial_us = config->rto_min_us;
    at_most(&config->uto_min_us, config->uto_max_us);
}
