/* Small records that stand for a connection which only waits: in SYN-RECEIVED for the third packet
 * of the handshake (the backlog, and what a SYN flood fills), in TIME-WAIT for 2 MSL to pass.
 *
 * A frozen connection is a TCB without everything that it does not need there. When a segment or
 * its timer comes it is thawed into a TCB, SEGMENT ARRIVES or the timeout runs as for any other,
 * what is to be sent is pulled, and layer_settle() freezes it again. So there is one state machine,
 * not three.
 *
 * A server has one in TIME-WAIT for each connection that it closed in the last minute, so their
 * size counts: with its share of the table and of the pool it is at most 64 bytes, and 96 for one
 * in SYN-RECEIVED. So a local address is its place in the configuration, what lies at 32-bit
 * distances is kept as a difference, and every link is a ref (flow.h). */
#ifndef TUNTCP_TCP_FROZEN_H
#define TUNTCP_TCP_FROZEN_H

#include "tcb.h"

/* A configuration by its place in the pool + 1; 0: the stack's own. A connection whose
 * configuration has a higher one is not frozen in TIME-WAIT. */
enum { TIME_WAIT_SHARED_MAX = (1 << 17) - 1 };

struct time_wait {
    struct flow_links links; /* first: the table and the wheel know it by them */
    uint32_t deadline_ms;    /* rounded up; the lower 32 bits of 50 days */
    struct ip_addr remote;
    uint16_t local_port, remote_port;
    uint32_t snd_nxt, rcv_nxt, ts_offset, ts_recent;
    uint16_t snd_wnd, rcv_wnd; /* as in the header, scaled down */
    uint32_t shared_config : 17;
    uint32_t local : 3; /* which of the stack's addresses */
    uint32_t snd_wnd_shift : 4, rcv_wnd_shift : 4;
    uint32_t window_scaling : 1, timestamps : 1, sack : 1, passive_open : 1;
};

struct syn_received {
    struct flow_links links;    /* first, as above */
    uint32_t listener;          /* the ref of the one it came from */
    uint64_t since_us;          /* when the first SYN,ACK left */
    uint32_t sent_after_us;     /* the last one left so much later */
    uint32_t deadline_after_us; /* and goes out again so much later; counted from since_us, too */
    struct ip_addr remote;
    uint16_t local_port, remote_port;
    uint32_t iss, irs, rcv_wnd, ts_offset, ts_recent;
    uint16_t snd_wnd, peer_mss, remote_uto, retransmit_count;
    uint32_t shared_config; /* its place in the pool + 1 */
    uint32_t local : 3;
    uint32_t snd_wnd_shift : 4, rcv_wnd_shift : 4;
    uint32_t backoff_count : 8;
    uint32_t window_scaling : 1, timestamps : 1, sack : 1, ecn_is_on : 1, ecn_has_declined : 1;
};

_Static_assert(sizeof(struct time_wait) == 60, "a record in TIME-WAIT has grown");
_Static_assert(sizeof(struct syn_received) == 88, "a record in SYN-RECEIVED has grown");
_Static_assert(STACK_ADDRESSES_MAX <= 8, "3 bits");

/* Is the connection in such a wait, with nothing to send and nobody holding it? */
bool frozen_is_possible(const struct tcb *tcb);
/* Put a record in the place of `tcb`, which is freed. Nothing happens when memory is short. */
void frozen_freeze(struct tcb *tcb);
/* Put a TCB in the place of the record, which is freed. NULL, and nothing happens, when memory is
 * short. */
struct tcb *frozen_thaw(struct stack *stack, uint32_t ref);
/* The listener of a connection in SYN-RECEIVED has closed: a RST tells the peer, and the record is
 * freed. Nothing is thawed, which could fail for want of memory. */
void frozen_abort(struct stack *stack, uint32_t ref);

/* What the table and the wheel ask. */
void frozen_id(const struct stack *stack, uint32_t ref, struct flow_id *id);
uint64_t frozen_deadline_us(const struct stack *stack, uint32_t ref);
/* Memory was short when its timer fired: later. */
void frozen_postpone(struct stack *stack, uint32_t ref, uint64_t deadline_us);

#endif
