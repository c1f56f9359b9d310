/* RACK, recent acknowledgment: the loss detection of RFC 8985, section 6. */
#ifndef TUNTCP_TCP_RACK_H
#define TUNTCP_TCP_RACK_H

#include <stdbool.h>
#include <stdint.h>

struct tcb;
struct ack_news;

/* The least of the round trips of the last one or two windows of time. */
struct min_rtt {
    uint64_t us; /* 0: none yet */
    uint64_t next_us;
    uint64_t window_start_us;
};

/* RFC 8985 5.3; its names where it has some. */
struct rack {
    struct min_rtt min_rtt;    /* of 10 to 20 s */
    struct min_rtt recent_rtt; /* of one or two round trips: the queue of now is in it */
    /* RACK.segment: of what has been delivered, what was sent last. */
    bool has_segment;
    uint64_t xmit_us;
    uint32_t order, end_seq;
    uint64_t rtt_us;
    /* Reordering. */
    bool has_fack;
    uint32_t fack; /* the highest sequence number delivered */
    bool reordering_seen;
    bool has_dsack_round;
    uint32_t dsack_round;
    unsigned reo_wnd_more;    /* RACK.reo_wnd_mult - 1 */
    unsigned reo_wnd_persist; /* recoveries until reo_wnd_more is forgotten */
    uint64_t reo_wnd_us;      /* as computed last */
};

/* A round trip was measured. */
void rack_note_rtt(struct rack *rack, uint64_t rtt_us, uint64_t now_us);
/* Steps 1 to 4 of RFC 8985 6.2: the news of an acknowledgment. */
void rack_on_ack(struct tcb *tcb, const struct ack_news *news);
/* What was sent again and has been delivered arrived as it was sent last, not before. */
bool rack_is_of_the_last_transmission(const struct tcb *tcb, const struct ack_news *news);
/* A recovery has ended: step 4, the persistence of a larger window. */
void rack_on_recovered(struct rack *rack);
/* Step 5: mark what is lost by now, and let TIMER_REORDER expire when more would be. True: some
 * was. */
bool rack_detect(struct tcb *tcb);
/* RFC 8985 6.3: the retransmission timer has expired. */
void rack_mark_on_timeout(struct tcb *tcb);

#endif
