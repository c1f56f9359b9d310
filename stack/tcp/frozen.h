/* Small records that stand for a connection which only waits: in SYN-RECEIVED for the third packet
 * of the handshake (the backlog, and what a SYN flood fills), in TIME-WAIT for 2 MSL to pass.
 *
 * A frozen connection is a TCB without everything that it does not need there. When a segment or
 * its timer comes it is thawed into a TCB, SEGMENT ARRIVES or the timeout runs as for any other,
 * what is to be sent is pulled, and layer_settle() freezes it again. So there is one state machine,
 * not three. */
#ifndef TUNTCP_TCP_FROZEN_H
#define TUNTCP_TCP_FROZEN_H

#include "tcb.h"

struct frozen {
    struct flow flow; /* first: the table holds pointers to it */
    struct stack *stack;
    struct tcb *listener; /* SYN-RECEIVED: the one it came from */
    struct shared_config *shared_config;
    uint64_t deadline_us;         /* SYN,ACK again, or 2 MSL over */
    uint64_t unanswered_since_us; /* when the first SYN,ACK left */
    uint64_t sent_us;             /* when the last one did */
    uint32_t iss, snd_nxt, snd_wnd, irs, rcv_nxt, rcv_adv;
    uint32_t ts_offset, ts_recent, retransmit_count;
    uint16_t peer_mss, remote_uto;
    uint8_t state; /* enum tcp_state */
    uint8_t snd_wnd_shift, rcv_wnd_shift, backoff_count;
    bool window_scaling, timestamps, sack, passive_open, ecn_is_on, ecn_has_declined;
};

/* Is the connection in such a wait, with nothing to send and nobody holding it? */
bool frozen_is_possible(const struct tcb *tcb);
/* Put a record in the place of `tcb`, which is freed. Nothing happens when memory is short. */
void frozen_freeze(struct tcb *tcb);
/* End the connection: traced, out of table and wheel, uncounted, freed. */
void frozen_drop(struct frozen *frozen, const char *why, const char *clause);
/* Free the record alone, when table and wheel go as well. */
void frozen_free(struct frozen *frozen);
/* Put a TCB in the place of the record, which is freed. NULL, and nothing happens, when memory is
 * short. */
struct tcb *frozen_thaw(struct frozen *frozen);

#endif
