/* F-RTO: was the time-out spurious? RFC 5682 2.1, and 3.1 with SACK. */
#ifndef TUNTCP_TCP_FRTO_H
#define TUNTCP_TCP_FRTO_H

#include <stdbool.h>
#include <stdint.h>

struct tcb;
struct ack_news;

enum frto_step {
    FRTO_OFF,
    FRTO_FIRST_ACK, /* step 2: the first segment was sent again, its acknowledgment is awaited */
    FRTO_NEXT_ACK,  /* step 3: new data was sent instead of more retransmissions */
};

struct frto {
    enum frto_step step;
    uint32_t recover;   /* SND.NXT before that new data */
    uint32_t new_bytes; /* of it that may still be sent */
};

/* Step 1, before recovery hears of the time-out. `is_repeated`: an earlier time-out has not been
 * recovered from. */
void frto_on_timeout(struct tcb *tcb, bool is_repeated);
/* True: the time-out was spurious. */
bool frto_on_ack(struct tcb *tcb, const struct ack_news *news);

#endif
