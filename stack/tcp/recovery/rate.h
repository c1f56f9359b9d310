/* Samples of the delivery rate: how fast the network has delivered, by each acknowledgment
 * (draft-ietf-ccwg-bbr-06 section 4.1, which took over draft-cheng-iccrg-delivery-rate-estimation).
 * Only for an algorithm that asks for them: without one there is no struct rate, and nothing is
 * kept or computed. */
#ifndef TUNTCP_TCP_RATE_H
#define TUNTCP_TCP_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "../../memory.h"

/* What was so when a transmission left (4.1.2.1.2, P.): counts are modulo 2^32. */
struct rate_mark {
    uint32_t order; /* of the transmission, see records.h; 0: none */
    uint32_t delivered, lost;
    uint32_t tx_in_flight;       /* with this transmission */
    uint32_t send_elapsed_us;    /* P.send_time - P.first_send_time */
    uint32_t since_delivered_us; /* P.send_time - P.delivered_time */
    bool is_app_limited;
};

/* 4.1.2.1.3, RS. */
struct rate_sample {
    bool has_data;          /* something of which we know how it was sent has been delivered */
    bool is_app_limited;    /* it was sent when there was nothing to send at times */
    uint64_t delivery_rate; /* bytes per second; 0: no reliable one */
    uint32_t interval_us;
    uint32_t delivered;       /* in that interval */
    uint32_t prior_delivered; /* C.delivered when it was sent */
    uint32_t tx_in_flight;
    uint32_t lost; /* since it was sent */
    uint32_t rtt_us;
};

/* 4.1.2.1.1, C. */
struct rate {
    uint32_t delivered, lost;             /* bytes so far, modulo 2^32 */
    uint64_t delivered_us, first_send_us; /* C.delivered_time, C.first_send_time */
    bool is_app_limited;                  /* C.app_limited is not 0 ... */
    uint32_t app_limited_until;           /* ... but this */
    struct rate_sample sample;            /* of the last acknowledgment */
    uint64_t shown;                       /* the last rate that the network had set */
    struct rate_mark *mark;               /* by order, modulo room, which is a power of two */
    unsigned room;
    struct memory *account; /* where its memory is counted; NULL: nowhere */
};

/* What an acknowledgment says. */
struct rate_ack {
    uint64_t now_us;
    uint32_t delivered_bytes; /* newly acknowledged or selectively acknowledged */
    bool has_newest;          /* of what is, the transmission that left last is known: */
    uint32_t order;
    uint64_t sent_us;
    uint64_t min_rtt_us;
};

/* NULL when memory is short. */
struct rate *rate_new(struct memory *account);
void rate_free(struct rate *rate);
/* A transmission has left; `in_flight` with its `bytes`; the list of records is so long. */
void rate_on_sent(struct rate *rate, uint32_t order, uint32_t in_flight, uint32_t bytes,
                  unsigned record_count, uint64_t now_us);
/* So many bytes are held to be lost. */
void rate_on_lost(struct rate *rate, uint32_t bytes);
/* Fills in rate->sample. */
void rate_on_ack(struct rate *rate, const struct rate_ack *ack);
/* There is nothing to send, though the window has room: what is sent up to the end of the next
 * round trip says little about the network. MarkConnectionAppLimited(). */
void rate_app_limited(struct rate *rate, uint32_t in_flight);
/* How the transmission left; NULL when that is not known any more. */
const struct rate_mark *rate_mark_of(const struct rate *rate, uint32_t order);

#endif
