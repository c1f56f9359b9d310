/* PRR, proportional rate reduction: RFC 9937, which replaces RFC 6937. */
#ifndef TUNTCP_TCP_PRR_H
#define TUNTCP_TCP_PRR_H

#include <stdbool.h>
#include <stdint.h>

struct prr {
    uint32_t recover_fs; /* RecoverFS, 6.1: what was in flight when the recovery began */
    uint64_t delivered;  /* prr_delivered, since then, bytes */
    uint64_t out;        /* prr_out */
};

/* One acknowledgment of a fast recovery. */
struct prr_ack {
    uint32_t pipe;      /* in flight, after it */
    uint32_t ssthresh;  /* what congestion control aims at */
    uint32_t mss;       /* SMSS */
    uint32_t delivered; /* DeliveredData: newly acknowledged or SACKed; for a recovery without SACK
                           see recovery.c */
    bool is_safe;       /* SafeACK: SND.UNA advanced, and nothing more was found lost */
};

/* A recovery begins with so many bytes in flight: not SACKed before this acknowledgment. */
void prr_start(struct prr *prr, uint32_t recover_fs);
/* 6.2. SndCnt: how many bytes may be sent in answer. */
uint32_t prr_on_ack(struct prr *prr, const struct prr_ack *ack);
/* 6.3. */
void prr_on_sent(struct prr *prr, uint32_t bytes);

#endif
