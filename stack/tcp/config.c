/* The defaults of a connection, see config.h for each one's source. */
#include "config.h"

#include "ecn.h"

enum { SECOND_US = 1000000 };

void tcp_config_init(struct tcp_config *config)
{
    *config = (struct tcp_config){
        .timestamps = true,
        .window_scaling = true,
        .sack = true,
        .ecn = TCP_ECN_ACCEPT,
        .nagle = true,
        .syn_style = TCP_SYN_STYLE_MACOS,
        .send_buffer_bytes = 1 << 20,
        .receive_buffer_bytes = 128 << 10,
        .receive_buffer_max_bytes = UINT16_MAX << 6, /* what a scale of 6 can announce: 4 MB */
        .initial_window_segments = 10,
        .rto_initial_us = SECOND_US,
        .rto_min_us = 200000,
        .rto_max_us = 60ull * SECOND_US,
        .delayed_ack_us = 40000,
        .r1_count = 3,
        .r2_us = 900ull * SECOND_US,
        .syn_ack_r2_us = 32ull * SECOND_US,
        .syn_r2_us = 180ull * SECOND_US,
        .msl_us = 30ull * SECOND_US,
        .fin_wait_2_us = 60ull * SECOND_US,
        .keepalive_idle_us = 7200ull * SECOND_US,
        .keepalive_interval_us = 75ull * SECOND_US,
        .keepalive_count = 9,
        .accept_source_routes = true,
        .path_mtu_min_bytes = 552,
        .path_mtu_raise_us = 600ull * SECOND_US,
        .path_mtu_raise_again_us = 120ull * SECOND_US,
        .black_hole_count = 3,
        .backlog = 128,
        .ttl = 64,
    };
}

static void bound(uint64_t *value, uint64_t low, uint64_t high)
{
    if (*value < low)
        *value = low;
    if (*value > high)
        *value = high;
}

void tcp_config_bound(struct tcp_config *config)
{
    enum { TIMER_MIN_US = 1000, DELAYED_ACK_MAX_US = 499999, MSS_MIN = 48, BUFFER_MIN = 536 };
    enum { KEEPALIVE_COUNT_MIN = 2, PATH_MTU_MIN = 68 };
    const uint64_t msl_max_us = 3600ull * SECOND_US;

    config->tos &= (uint8_t)~ECN_MASK; /* the ECN field is TCP's own, RFC 3168 */
    bound(&config->rto_max_us, TIMER_MIN_US, UINT64_MAX / 4);
    bound(&config->rto_min_us, TIMER_MIN_US, config->rto_max_us);
    bound(&config->rto_initial_us, config->rto_min_us, config->rto_max_us);
    bound(&config->delayed_ack_us, 0, DELAYED_ACK_MAX_US); /* MUST-40 */
    bound(&config->r2_us, TIMER_MIN_US, UINT64_MAX);
    bound(&config->syn_r2_us, TIMER_MIN_US, UINT64_MAX);
    bound(&config->syn_ack_r2_us, TIMER_MIN_US, UINT64_MAX);
    bound(&config->msl_us, 0, msl_max_us);
    if (config->send_buffer_bytes < BUFFER_MIN)
        config->send_buffer_bytes = BUFFER_MIN;
    if (config->receive_buffer_bytes < BUFFER_MIN)
        config->receive_buffer_bytes = BUFFER_MIN;
    if (config->mss_clamp_bytes != 0 && config->mss_clamp_bytes < MSS_MIN)
        config->mss_clamp_bytes = MSS_MIN;
    bound(&config->keepalive_idle_us, TIMER_MIN_US, UINT64_MAX / 4);
    bound(&config->keepalive_interval_us, TIMER_MIN_US, UINT64_MAX / 4);
    if (config->keepalive_count < KEEPALIVE_COUNT_MIN) /* MUST-29 */
        config->keepalive_count = KEEPALIVE_COUNT_MIN;
    if (config->path_mtu_min_bytes < PATH_MTU_MIN) /* RFC 1191 3: no link takes less */
        config->path_mtu_min_bytes = PATH_MTU_MIN;
    bound(&config->path_mtu_raise_us, 0, UINT64_MAX / 4);
    bound(&config->path_mtu_raise_again_us, 0, UINT64_MAX / 4);
    if (config->initial_window_segments == 0)
        config->initial_window_segments = 1;
    if (config->backlog == 0)
        config->backlog = 1;
}
