/* The transmission control block, RFC 9293 3.3.1: everything about one connection, for the files
 * inside tcp/. Applications hold a pointer to it and see tcp.h.
 *
 * Life: tcb_new() by OPEN or by a SYN to a listener; the application's from OPEN or tcp_accept() to
 * tcp_close(); freed by layer_settle(), in one place after each event, when it is CLOSED and nobody
 * holds it. */
#ifndef TUNTCP_TCP_TCB_H
#define TUNTCP_TCP_TCB_H

#include "../instance.h"
#include "ecn.h"
#include "flow.h"
#include "path_mtu.h"
#include "queue.h"
#include "ranges.h"
#include "recovery/congestion.h"
#include "recovery/frto.h"
#include "recovery/prr.h"
#include "recovery/rack.h"
#include "recovery/records.h"
#include "recovery/rto.h"
#include "recovery/tlp.h"
#include "recovery/undo.h"
#include "ring.h"
#include "sleep.h"
#include "shared_config.h"

/* An empty buffer's memory is given back after so long. */
enum { TCB_IDLE_US = 1000000 };

/* How much may be sent while loss is being repaired; see recovery/recovery.h. */
struct recovery {
    bool is_active;
    bool is_after_timeout; /* slow start over the lost flight, RFC 5681 3.1 */
    uint32_t recover;      /* RFC 6582: SND.NXT when recovery began */
    uint32_t dup_ack_count;
    uint32_t flight_at_first_dup; /* FlightSize without what limited transmit has sent since */
    uint32_t dup_acked_bytes;     /* without SACK: each duplicate ACK says a segment has left */
    uint32_t dup_round_end;       /* ... which was sent before this, that was SND.NXT ... */
    uint64_t dup_round_us;        /* ... at this time, a round trip ago or less */
    struct prr prr;
    uint32_t prr_window;         /* the pipe may grow to here; while is_active and with PRR */
    bool send_one;               /* one lost segment goes out whatever the window says */
    uint64_t reduced_us;         /* when the window was reduced last ... */
    bool retransmission_is_lost; /* ... and something sent again since then is lost */
    bool has_rescued;            /* RFC 6675 4, NextSeg rule 4: once per recovery */
};

/* What a connection needs only while something is under way: in flight, waiting to be sent or to be
 * read, or a timer other than the keep-alive's. One that has been idle for TCB_IDLE_US gives it
 * back, so that a million idle connections cost a TCB each and no more; see sleep.h. */
struct work {
    uint32_t number;       /* its place in the pool */
    struct ring send_ring; /* from SND.UNA (or ISS+1) on: in flight, then waiting */
    struct ring receive_ring;
    struct ranges out_of_order;
    struct tx_records in_flight;
    struct rack rack;
    struct tlp tlp;
    struct undo undo;
    struct frto frto;
    struct congestion cc;
    struct recovery recovery;
    struct path_mtu path;
    struct tcp_sack_block duplicate; /* text that arrived twice, to be reported (RFC 2883) */

    /* A listener's. */
    struct queue handshaking;  /* its connections in SYN-RECEIVED, unless they are records */
    struct queue accept_queue; /* complete ones */
    unsigned handshaking_count, accept_count; /* the former with the records */
    uint64_t cookie_sent_us;                  /* the last SYN cookie; NEVER: none yet */

    /* What output has been asked for. */
    const char *ack_cause;
    const char *resend_cause; /* why lost ranges are sent again */
    uint32_t unacked_bytes;   /* received since the last ACK went out */
    bool probe_now;           /* send despite a window that is closed or too small */
    bool urgent_now;          /* the peer does not know yet that urgent data is ahead */
    bool keepalive_now;       /* a keep-alive probe is due */
    bool cork_is_over;        /* what waits goes out: cork_limit_us has passed */
    bool was_refused;         /* a timer has sent something into a closed window, since it closed */

    uint64_t deadline_us[TIMER_COUNT];
    uint64_t unanswered_since_us; /* the first transmission that waits for an answer; NEVER: none */
    unsigned probe_count;         /* zero-window probes in a row */
    unsigned unanswered_probe_count; /* those since the last answer */
    unsigned keepalive_probe_count;  /* keep-alive probes in a row that were not answered */

    /* Receive buffer autotuning: bytes read by the application in this round trip. */
    uint64_t autotune_start_us;
    uint64_t autotune_bytes, autotune_last_bytes; /* in the round trip before */
};

struct tcb {
    struct flow flow; /* first: the links by which table and wheel know it */
    struct stack *stack;
    const struct tcp_config *config;
    struct shared_config *shared_config; /* NULL: the stack's own */
    struct work *work;                   /* NULL: asleep */
    struct slumber slumber;              /* what is remembered of it then */
    enum tcp_state state : 8;
    enum tcp_err error : 8;      /* what ended it */
    enum tcp_err soft_error : 8; /* 9293 3.9.2.2, MUST-47 */

    /* Who holds it. */
    bool is_held; /* by the application */
    bool is_in_accept_queue;
    bool is_among_answered; /* see layer_settle() */
    bool is_retired;        /* CLOSED and out of the table; waits for tcp_close() */
    bool passive_open;      /* MUST-11 */
    struct tcb *listener;   /* the one it came from, until accepted; NULL: none */
    unsigned last_readiness;
    void *context;
    struct queue_link list_link; /* among the listeners, or those closed, or in one of a listener's
                                    two queues */
    struct queue_link output_link, ready_link; /* the latter is used for tcp_layer.answered as long
                                                  as nobody holds it */

    /* Send sequence variables. SND.WND and MAX.SND.WND are in bytes, scaled (REC-1). */
    uint32_t iss, snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2, max_snd_wnd;
    uint32_t snd_up;     /* SND.UP: the octet behind the urgent data (MUST-62) */
    uint32_t snd_mss;    /* payload of a full segment: peer's MSS or ours, options deducted */
    uint16_t peer_mss;   /* what the peer announced */
    uint16_t remote_uto; /* REMOTE_UTO as its option had it; 0: none yet */
    uint8_t snd_wnd_shift;
    bool has_snd_up; /* urgent data is not all acknowledged yet */
    bool fin_queued; /* our FIN follows the bytes in the ring */
    bool fin_sent;

    /* Receive sequence variables. */
    uint32_t irs, rcv_nxt;
    uint32_t rcv_adv; /* right edge announced: RCV.NXT + RCV.WND; it never moves back (SHLD-14) */
    uint32_t rcv_buffer_bytes; /* what the window is made of; grows with use */
    uint32_t rcv_mss;          /* largest segment seen: what "full-sized" means for ACKs */
    uint32_t rcv_up;           /* RCV.UP */
    uint32_t fin_seq;
    uint8_t rcv_wnd_shift;
    bool rcv_wnd_is_closed; /* no window was announced last, though a crumb may be left of it */
    bool has_rcv_up;
    bool peer_fin;   /* a FIN waits at fin_seq, perhaps behind a hole */
    uint8_t rcv_tos; /* of the last acceptable segment, MAY-9 */

    /* Options negotiated. */
    bool window_scaling, timestamps, sack;
    uint32_t ts_offset;     /* added to the clock for TSval */
    uint32_t ts_recent;     /* TS.Recent, RFC 7323 4.3 */
    uint32_t last_ack_sent; /* Last.ACK.sent */
    struct ecn ecn;
    uint64_t ts_recent_us;              /* when it was set: it is valid for 24 days */
    struct source_route *learned_route; /* how to answer (MUST-53); NULL: the direct way */
    struct tcp_rto rto;

    bool ack_now;
    bool keepalive;        /* MUST-24 */
    bool nagle, cork;      /* MUST-17, MAY-16. These and keepalive are here and not in a copy of
                              the configuration, because servers set them on each connection */
    bool uto_now;          /* the peer is to hear of our user time-out, RFC 5482 */
    bool trouble_reported; /* R1 passed, SHLD-9 */
    bool has_unwanted_ack;
    bool may_sleep;           /* it has been idle for long enough */
    uint64_t unwanted_ack_us; /* when an unacceptable segment without text was answered last */
    uint64_t progress_us;     /* when SND.UNA advanced last, or the application let go */
    uint64_t last_sent_us;    /* when something that counts in sequence numbers left last */
    uint64_t last_heard_us;   /* when the peer was heard last, see tcp_arrives() */

    uint64_t bytes_sent, bytes_acked, bytes_received;
    uint64_t segments_sent, segments_received;
    uint64_t resent_bytes, duplicate_bytes; /* sent again; reported by the peer as duplicates */
    uint32_t retransmit_count;
    uint32_t undo_count; /* reductions of the window that were taken back */
};

/* A TCB in `state`, in no table or queue yet; NULL when memory or connections_max is exhausted. */
struct tcb *tcb_new(struct stack *stack, const struct flow_id *id, enum tcp_state state,
                    const struct tcp_config *config, struct shared_config *shared);
void tcb_free(struct tcb *tcb);

/* The only writer of tcb->state: checks the move against RFC 9293 figure 5 and traces it. */
void tcp_set_state(struct tcb *tcb, enum tcp_state next, const char *why, const char *clause);
/* The connection ended: CLOSED, with `error` for the application. */
void tcb_fail(struct tcb *tcb, enum tcp_err error, const char *why, const char *clause);
/* SYN-RECEIVED or SYN-SENT has become ESTABLISHED (or, with a FIN queued, FIN-WAIT-1). */
void tcb_establish(struct tcb *tcb, const char *why, const char *clause);

void tcb_timer_set(struct tcb *tcb, enum tcp_timer timer, uint64_t deadline_us);
/* The wheel is set for this time, whatever it was set for. */
void tcb_wake_at(struct tcb *tcb, uint64_t at_us);
void tcb_timer_clear(struct tcb *tcb, enum tcp_timer timer);
/* Keep-alives are on, and the state is one that they watch: the connection is set up and the peer
 * may still be asked for something. */
static inline bool tcb_is_kept_alive(const struct tcb *tcb)
{
    return tcb->keepalive && tcb->state >= TCPS_ESTABLISHED && tcb->state != TCPS_TIME_WAIT;
}

/* RFC 5482: USER_TIMEOUT, which is R2 of a synchronized connection, and the ADV_UTO that our option
 * tells. */
uint64_t tcb_user_timeout_us(const struct tcb *tcb);
uint64_t tcb_advertised_uto_us(const struct tcb *tcb);
/* How long the peer may be silent before it is probed. RFC 5482 (4.2): longer than USER_TIMEOUT. */
uint64_t tcb_keepalive_idle_us(const struct tcb *tcb);
/* A user time-out option of the peer's. */
void tcb_take_uto(struct tcb *tcb, uint16_t user_timeout);

/* What tcp_send() keeps at most: enough for the window in flight and as much again, which the
 * application writes meanwhile. It follows the congestion window up and down. */
uint32_t tcb_send_limit(const struct tcb *tcb);

/* Let the keep-alive timer, if it is to run, expire when the peer has been silent for so long. */
void tcb_watch_silence(struct tcb *tcb);
/* Ask to be pulled for output. */
void tcb_wants_output(struct tcb *tcb);
/* Send an ACK at the next opportunity, for this reason. */
void tcb_ack_now(struct tcb *tcb, const char *cause);
/* Let stack_next_ready() yield this connection if its readiness has changed. */
void tcb_notify(struct tcb *tcb);

/* Emit an event of this connection; `event` needs kind, cause, clause and its part of the union. */
void tcb_tell(const struct tcb *tcb, struct trace_event event);
/* The same; without a sink the event is not even made. */
#define tcb_trace(tcb, ...) \
    ((tcb)->stack->config.trace != NULL ? tcb_tell(tcb, __VA_ARGS__) : (void)0)

/* Our SYN has been acknowledged. Asked of the state, not of SND.UNA: after 4 GiB that is ISS again.
 */
static inline bool tcb_is_synchronized(const struct tcb *tcb)
{
    return tcb->state >= TCPS_ESTABLISHED;
}

/* The peer may still send text: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2. */
static inline bool tcb_may_receive(const struct tcb *tcb)
{
    return tcb->state == TCPS_ESTABLISHED || tcb->state == TCPS_FIN_WAIT_1 ||
           tcb->state == TCPS_FIN_WAIT_2;
}

/* Our FIN has been acknowledged. */
static inline bool tcb_fin_is_acked(const struct tcb *tcb)
{
    return tcb->fin_sent && tcb->snd_una == tcb->snd_nxt;
}

/* RFC 7323: TSval, a millisecond clock with an offset of the connection's own: then, and now. */
static inline uint32_t tcb_tsval_at(const struct tcb *tcb, uint64_t us)
{
    return (uint32_t)(us / 1000) + tcb->ts_offset;
}

static inline uint32_t tcb_tsval(const struct tcb *tcb)
{
    return tcb_tsval_at(tcb, tcb->stack->now_us);
}

/* The MSS option that we send: what the interface can receive (MUST-67), or the clamp. The MTU is
 * the least that the device ever has (SHLD-6). */
uint16_t tcb_announced_mss(const struct tcb *tcb);
/* The largest packet that both ends can take, whatever lies between them. */
uint16_t tcb_packet_limit(const struct tcb *tcb);
/* The IP and TCP header of a segment with text. */
uint32_t tcb_header_bytes(const struct tcb *tcb);
/* After the options are known or the MTU changed: the payload of a full segment (MUST-16). */
void tcb_update_mss(struct tcb *tcb);
/* How far the end of urgent data lies ahead of what the application has read; 0: not urgent. */
uint32_t tcb_urgent_bytes(const struct tcb *tcb);
/* The sequence number of the first byte in the send ring. */
static inline uint32_t tcb_first_data_seq(const struct tcb *tcb)
{
    return tcb_is_synchronized(tcb) ? tcb->snd_una : tcb->iss + 1;
}

/* RCV.WND. */
static inline uint32_t tcb_rcv_wnd(const struct tcb *tcb)
{
    return tcb->rcv_adv - tcb->rcv_nxt;
}

/* The right edge of the peer's window. It may lie before SND.NXT: shrunk, or a probe is in flight.
 */
static inline uint32_t tcb_snd_edge(const struct tcb *tcb)
{
    return tcb->snd_una + tcb->snd_wnd;
}

/* What the application has not read yet, and what lies in the send ring. */
static inline uint32_t tcb_readable_bytes(const struct tcb *tcb)
{
    return tcb->work != NULL ? tcb->work->receive_ring.used : 0;
}

static inline uint32_t tcb_send_queued_bytes(const struct tcb *tcb)
{
    return tcb->work != NULL ? tcb->work->send_ring.used : 0;
}

/* Bytes of the send ring that have not been sent yet. */
uint32_t tcb_unsent_bytes(const struct tcb *tcb);

#endif
