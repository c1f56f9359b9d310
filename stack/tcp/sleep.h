/* Idle connections asleep. Most of a TCB is of use only while something is under way; that part,
 * struct work, is given back when nothing has been for SLEEP_US, and taken again by the first
 * segment, timer or call that needs it. Of the path a few numbers are kept; what else was measured
 * is too old by then. */
#ifndef TUNTCP_TCP_SLEEP_H
#define TUNTCP_TCP_SLEEP_H

#include <stdbool.h>
#include <stdint.h>

struct tcb;
struct work;

/* RACK's least round trip and the like look back about as far (RFC 8985 6.2 step 1). */
enum { SLEEP_US = 10000000 };

/* What an idle connection remembers. */
struct slumber {
    uint64_t path_mtu_not_before_us; /* for larger packets */
    uint32_t cwnd, ssthresh;
    uint32_t min_rtt_us;
    uint16_t path_mtu; /* a search for a larger one begins anew */
    bool reordering_seen;
};

/* A new connection's working state. False when memory is short. */
bool tcb_take_work(struct tcb *tcb);
void tcb_free_work(struct tcb *tcb);
/* Awake, if it was asleep. False when memory is short. */
bool tcb_wake(struct tcb *tcb);
/* TIMER_IDLE: give back the memory of empty buffers, and after a while ask layer_settle() for
 * tcb_sleep(): tcb->may_sleep. */
void tcb_on_idle_timer(struct tcb *tcb);
void tcb_sleep(struct tcb *tcb);
/* For those who only look: *copy is `tcb` as it would be awake, with *work as its working state. */
void tcb_look_awake(const struct tcb *tcb, struct tcb *copy, struct work *work);

#endif
