/* A flood of SYNs costs an answer each, even when nothing is kept of them (syncookie.h): three
 * times what it costs to drop them. Beyond syn_cookies_per_s a SYN is answered when it comes for
 * the second time, and in a heavy flood, of four times as many, no other. An honest peer repeats it
 * after a second (RFC 6298 (2.1)); whoever invents addresses does not, or has to send twice as
 * much: one repetition has an answer, others five seconds later at the earliest. */
#ifndef TUNTCP_TCP_SYN_FLOOD_H
#define TUNTCP_TCP_SYN_FLOOD_H

#include "../memory.h"
#include "../siphash.h"
#include "../trace.h"

struct stack;

struct syn_flood {
    struct siphash_key key;
    uint64_t tenth_start_us; /* the tenth of a second that is counted ... */
    unsigned asked_count;    /* ... and how many SYNs came in it */
    bool is_heavy;           /* far too many in the one before */
    uint64_t turned_us;
    uint64_t *seen[2]; /* a Bloom filter of the SYNs that came, of this period and the one before;
                          NULL until there is a flood */
};

void syn_flood_init(struct syn_flood *flood, struct siphash_key key);
void syn_flood_free(struct syn_flood *flood, struct memory *memory);
/* Is this SYN to be answered by a cookie? */
bool syn_flood_answers(struct stack *stack, const struct flow_id *id, uint32_t seq);

#endif
