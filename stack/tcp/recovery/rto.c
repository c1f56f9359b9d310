/* RFC 6298, computing the retransmission timer.
 *
 * Departure: (2.4) wants a minimum of 1 s. We take 200 ms like Linux: with timestamps, SACK and
 * delayed ACKs below that, a spurious time-out is rare and a real one costs five times less.
 *
 * The clock granularity G stands for more than the clock, which counts microseconds: on a path with
 * an even round trip RTTVAR decays to nothing, and a time-out at SRTT sharp would fire just before
 * each ACK that comes a little late. Half of the minimum is a margin that a delayed ACK rarely
 * exceeds; below a round trip of 100 ms the minimum hides it.
 *
 * Departure from RFC 4015 (11): after a spurious time-out the first sample counts, be it of data
 * that had been sent before; and one that is not above SRTT counts as usual, where (11) leaves SRTT
 * as it was. */
#include "rto.h"

enum { RTO_SYN_LOST_US = 3000000 };

void tcp_rto_init(struct tcp_rto *rto, const struct tcp_config *config)
{
    *rto = (struct tcp_rto){.rto_us = config->rto_initial_us}; /* (2.1) */
}

static uint64_t bounded(uint64_t rto_us, const struct tcp_config *config)
{
    if (rto_us < config->rto_min_us)
        return config->rto_min_us;                                    /* (2.4) */
    return rto_us > config->rto_max_us ? config->rto_max_us : rto_us; /* (2.5) */
}

void tcp_rto_sample(struct tcp_rto *rto, uint64_t rtt_us, const struct tcp_config *config)
{
    if (rtt_us == 0)
        rtt_us = 1;                                   /* 0 means "no sample yet" in srtt_us */
    if (rto->was_spurious && rtt_us > rto->srtt_us) { /* RFC 4015 (11): as if it were the first */
        rto->srtt_us = rtt_us;
        if (rtt_us / 2 > rto->rttvar_us)
            rto->rttvar_us = rtt_us / 2;
    } else if (rto->srtt_us == 0) { /* (2.2) */
        rto->srtt_us = rtt_us;
        rto->rttvar_us = rtt_us / 2;
    } else { /* (2.3): beta 1/4, alpha 1/8; RTTVAR first, with the old SRTT */
        uint64_t delta_us = rtt_us > rto->srtt_us ? rtt_us - rto->srtt_us : rto->srtt_us - rtt_us;
        rto->rttvar_us = (3 * rto->rttvar_us + delta_us) / 4;
        rto->srtt_us = (7 * rto->srtt_us + rtt_us) / 8;
        if (rto->srtt_us == 0)
            rto->srtt_us = 1;
    }
    rto->was_spurious = false;
    uint64_t granularity_us = config->rto_min_us / 2;
    uint64_t margin_us = 4 * rto->rttvar_us;
    if (margin_us < granularity_us) /* max(G, K * RTTVAR) */
        margin_us = granularity_us;
    rto->rto_us = bounded(rto->srtt_us + margin_us, config);
    rto->backoff_count = 0; /* (5.7) and Karn: a valid sample ends the back-off */
}

void tcp_rto_back_off(struct tcp_rto *rto)
{
    rto->backoff_count++;
}

void tcp_rto_was_spurious(struct tcp_rto *rto)
{
    rto->backoff_count = 0;
    rto->was_spurious = true;
}

void tcp_rto_relax(struct tcp_rto *rto, uint64_t rtt_max_us, const struct tcp_config *config)
{
    while (rto->backoff_count > 0) {
        rto->backoff_count--;
        if (tcp_rto_current_us(rto, config) < rtt_max_us) {
            rto->backoff_count++;
            return;
        }
    }
}

void tcp_rto_after_lost_syn(struct tcp_rto *rto)
{
    rto->backoff_count = 0;
    if (rto->srtt_us == 0 && rto->rto_us < RTO_SYN_LOST_US)
        rto->rto_us = RTO_SYN_LOST_US;
}

uint64_t tcp_rto_current_us(const struct tcp_rto *rto, const struct tcp_config *config)
{
    uint64_t rto_us = rto->rto_us;

    for (unsigned i = 0; i < rto->backoff_count && rto_us < config->rto_max_us; i++)
        rto_us *= 2;
    return rto_us > config->rto_max_us ? config->rto_max_us : rto_us;
}
