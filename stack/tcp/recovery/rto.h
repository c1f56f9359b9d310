/* The retransmission time-out, RFC 6298 (MUST-18). Only segments that were sent once give samples
 * (Karn's algorithm): the caller sees to that. */
#ifndef TUNTCP_TCP_RTO_H
#define TUNTCP_TCP_RTO_H

#include <stdbool.h>
#include <stdint.h>

#include "../config.h"

struct tcp_rto {
    uint64_t srtt_us; /* 0: no sample yet */
    uint64_t rttvar_us;
    uint64_t rto_us; /* without back-off */
    unsigned backoff_count;
    bool was_spurious; /* the last time-out, and no sample since */
};

void tcp_rto_init(struct tcp_rto *rto, const struct tcp_config *config);
void tcp_rto_sample(struct tcp_rto *rto, uint64_t rtt_us, const struct tcp_config *config);
/* RFC 6298 (5.5): the timer has expired, the wait doubles (MUST-19). */
void tcp_rto_back_off(struct tcp_rto *rto);
/* Progress without a sample, but the round trip cannot have been longer than this: take back the
 * back-off that goes beyond it. */
void tcp_rto_relax(struct tcp_rto *rto, uint64_t rtt_max_us, const struct tcp_config *config);
/* RFC 4015 (11): the time-out was a mistake: no back-off, and the next sample counts in full. */
void tcp_rto_was_spurious(struct tcp_rto *rto);
/* RFC 6298 (5.7): the SYN was retransmitted, the handshake is done without a sample. */
void tcp_rto_after_lost_syn(struct tcp_rto *rto);
/* What to set the timer to: the RTO doubled for each back-off, at most rto_max_us. */
uint64_t tcp_rto_current_us(const struct tcp_rto *rto, const struct tcp_config *config);

#endif
