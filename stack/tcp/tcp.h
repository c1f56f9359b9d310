/* The user calls of TCP, RFC 9293 3.9.1 and 3.10: what an application holds.
 *
 * A `struct tcb` is the handle of a connection. No call blocks and none transmits by itself: a
 * change becomes packets when stack_output() is pulled. What happens on the network shows in
 * tcp_readiness(), and stack_next_ready() tells for which connections it changed.
 *
 * A handle is the application's from the OPEN or tcp_accept() that returned it until tcp_close()
 * or tcp_abort(), which give it back; a connection that failed keeps its handle until then. */
#ifndef TUNTCP_TCP_H
#define TUNTCP_TCP_H

#include "../stack.h"

/* RFC 9293 3.3.2, in the order of its figure 5. */
enum tcp_state {
    TCPS_CLOSED,
    TCPS_LISTEN,
    TCPS_SYN_SENT,
    TCPS_SYN_RECEIVED,
    TCPS_ESTABLISHED,
    TCPS_FIN_WAIT_1,
    TCPS_FIN_WAIT_2,
    TCPS_CLOSE_WAIT,
    TCPS_CLOSING,
    TCPS_LAST_ACK,
    TCPS_TIME_WAIT,
    TCPS_COUNT,
};

/* Named after the error texts of 9293 3.10; negative, so that a call can return a count or one of
 * these. */
enum tcp_err {
    TCP_OK = 0,
    TCP_ERR_NOT_OPEN = -1,     /* connection does not exist */
    TCP_ERR_EXISTS = -2,       /* connection already exists: the port or four-tuple is taken */
    TCP_ERR_RESOURCES = -3,    /* insufficient resources */
    TCP_ERR_UNSPECIFIED = -4,  /* remote socket unspecified or not valid (MUST-46) */
    TCP_ERR_CLOSING = -5,      /* connection closing: our side has sent its FIN */
    TCP_ERR_RESET = -6,        /* connection reset */
    TCP_ERR_REFUSED = -7,      /* connection refused: RST in answer to our SYN */
    TCP_ERR_ABORTED = -8,      /* connection aborted due to user timeout, or by tcp_abort() */
    TCP_ERR_TIMED_OUT = -9,    /* R2 passed without an answer */
    TCP_ERR_UNREACHABLE = -10, /* a hard ICMP error (host, port or protocol unreachable) */
    TCP_ERR_INVALID = -11,     /* an argument makes no sense */
};

/* What tcp_readiness() is made of. */
enum tcp_readiness {
    TCP_READABLE = 1,     /* tcp_receive() would return bytes, or 0 for the end of the stream */
    TCP_WRITABLE = 2,     /* tcp_send() would accept bytes */
    TCP_ACCEPTABLE = 4,   /* tcp_accept() would return a connection */
    TCP_CONNECTED = 8,    /* the handshake is complete */
    TCP_PEER_CLOSED = 16, /* the peer's FIN has arrived, behind what is still to be read */
    TCP_FAILED = 32,      /* the connection ended by an error: see tcp_error() */
    TCP_FINISHED = 64,    /* our FIN is acknowledged: everything sent has arrived */
    TCP_URGENT = 128,     /* urgent data is still to be read: tcp_status() says how much */
};

enum tcp_timer {
    TIMER_REORDER, /* RFC 8985 6.2: what is merely late has had its time */
    TIMER_PROBE, /* RFC 8985 7.2: an acknowledgment is overdue. Before the RTO, which it restarts */
    TIMER_RETRANSMIT,
    TIMER_PERSIST, /* zero-window probes */
    TIMER_DELAYED_ACK,
    TIMER_TIME_WAIT, /* 2 MSL, and the wait for a FIN in FIN-WAIT-2 after tcp_close() */
    TIMER_IDLE,      /* gives the memory of empty buffers back */
    TIMER_KEEPALIVE, /* 9293 3.8.4; runs only where keep-alives are on */
    TIMER_CORK,      /* a corked tail has waited long enough */
    TIMER_LINGER,    /* after tcp_close(): what is not acknowledged by then is given up */
    TIMER_PACING,    /* the next part of the window may leave */
    TIMER_COUNT,
};

/* OPEN, active (9293 3.10.1). `local` may be NULL: the stack chooses (MUST-44); local_port 0: an
 * ephemeral one (RFC 6056). NULL with *error set when the address is not valid, the port is taken
 * or memory is short. `config` NULL: the stack's. */
struct tcb *tcp_open_active(struct stack *stack, const struct ip_addr *local, uint16_t local_port,
                            const struct ip_addr *remote, uint16_t remote_port,
                            const struct tcp_config *config, enum tcp_err *error);
/* OPEN, passive: a listener. `local` NULL: on all our addresses; port 0: an ephemeral one. */
struct tcb *tcp_open_passive(struct stack *stack, const struct ip_addr *local, uint16_t local_port,
                             const struct tcp_config *config, enum tcp_err *error);
/* A connection that a listener has completed, or NULL. */
struct tcb *tcp_accept(struct tcb *listener);

/* Queue `len` bytes for sending: the SEND call, 9293 3.10.2. Never blocks. The bytes are copied,
 * so the caller keeps `data`.
 *
 * Returns how many bytes were accepted, 0..len: fewer than len when the send buffer fills, the
 * rest to be offered again after the peer acknowledges. Otherwise a negative enum tcp_err:
 * TCP_ERR_CLOSING after tcp_shutdown(), TCP_ERR_RESET after a reset, TCP_ERR_NOT_OPEN in LISTEN. */
ptrdiff_t tcp_send(struct tcb *tcb, const uint8_t *data, size_t len);
/* As tcp_send(), and the peer is told that urgent data ends behind the bytes accepted (9293 3.8.5,
 * MUST-30, MUST-62): at once, even if its window is closed. Urgent data of any length may be handed
 * over in many calls (MUST-31); where fewer than `len` bytes are accepted, offer the rest by this
 * call again. Zero bytes are no urgent indication. New applications should not use it (SHLD-13). */
ptrdiff_t tcp_send_urgent(struct tcb *tcb, const uint8_t *data, size_t len);
/* Room in the send ring itself, *room bytes (0 if full), valid until the next call to the stack;
 * fill it and say how much was used. Committing more than there was room for is TCP_ERR_INVALID. */
uint8_t *tcp_send_reserve(struct tcb *tcb, size_t *room);
ptrdiff_t tcp_send_commit(struct tcb *tcb, size_t len);

/* Read at most `len` bytes: the RECEIVE call, 9293 3.10.3. Returns how many; 0 at the end of the
 * stream if tcp_readiness() says TCP_PEER_CLOSED, and otherwise when nothing is there yet; or a
 * negative enum tcp_err. Bytes that arrived before an error are readable before it is returned. */
ptrdiff_t tcp_receive(struct tcb *tcb, uint8_t *data, size_t len);
/* The first contiguous bytes that can be read, in the ring itself, and giving them back. */
struct bytes tcp_receive_peek(struct tcb *tcb);
void tcp_receive_consume(struct tcb *tcb, size_t len);

/* Half-close: our FIN follows the bytes accepted so far; receiving goes on. 0 or an error. */
int tcp_shutdown(struct tcb *tcb);
/* CLOSE (9293 3.10.4): as tcp_shutdown(), and the handle is given back; the connection goes on by
 * itself until it is closed in order, for linger_us at most. With bytes unread, or a linger_us of
 * 0, it is reset instead (SHLD-3). NULL is fine. */
void tcp_close(struct tcb *tcb);
/* ABORT (9293 3.10.5): RST to the peer, handle given back. NULL is fine. */
void tcp_abort(struct tcb *tcb);

/* Change a setting of a connection under way, by the name of its field in struct tcp_config
 * (settings.h): nagle (MUST-17), cork, keepalive (MUST-24) and its times (MUST-27), r2_us, the user
 * time-out (MUST-21), the uto_ fields, linger_us, tos (SHLD-21), ttl (MUST-49), buffers and
 * time-outs. tos is the whole former Type of Service octet: leave its lower two bits 0, they are
 * ECN's. An application should not change it without need (SHLD-23): packets of two classes
 * overtake each other, and congestion control takes that for loss.
 *
 * On a listener every setting can be changed; the connections that come afterwards start with it.
 * Setting r2_us turns uto_changeable off, as RFC 5482 (3) wants it.
 *
 * The first call for anything but nagle, cork and keepalive takes memory for a configuration of the
 * connection's own. Returns 0; TCP_ERR_INVALID when there is no such setting, it cannot change any
 * more, or the value is beyond its limits; TCP_ERR_NOT_OPEN in CLOSED; or TCP_ERR_RESOURCES. */
int tcp_set(struct tcb *tcb, const char *name, uint64_t value);
/* The same as tcp_set() of keepalive. */
void tcp_set_keepalive(struct tcb *tcb, bool on);

/* Bits of enum tcp_readiness, now. */
unsigned tcp_readiness(const struct tcb *tcb);
/* The error that ended the connection, TCP_OK if none; and the last soft error noted (MUST-47). */
enum tcp_err tcp_error(const struct tcb *tcb);

/* The application's own pointer, for loops over stack_next_ready(). */
void tcp_set_context(struct tcb *tcb, void *context);
void *tcp_context(const struct tcb *tcb);

enum { TCP_STATUS_RANGES_MAX = 4 };

struct tcp_status_range {
    uint32_t start, end; /* [start, end) */
};

/* STATUS (9293 3.10.6): what `ss -ti` shows, under the RFC's names. Relative sequence numbers are
 * obtained by subtracting iss or irs. */
struct tcp_status {
    enum tcp_state state;
    struct flow_id flow;
    bool passive_open;
    uint32_t iss, snd_una, snd_nxt, snd_wnd;
    uint32_t irs, rcv_nxt, rcv_wnd;
    uint32_t cwnd_bytes, ssthresh_bytes, in_flight_bytes;
    uint16_t path_mtu_bytes;               /* the largest packets that are sent */
    uint32_t snd_mss_bytes, rcv_mss_bytes; /* without options; what the peer can get, what we can */
    uint16_t peer_mss_bytes;               /* the peer's MSS option */
    uint8_t snd_wnd_shift, rcv_wnd_shift;
    bool timestamps, sack, window_scaling; /* negotiated */
    bool ecn;                              /* the same: marks are echoed, RFC 3168 */
    uint8_t rcv_tos;                       /* DSCP and ECN of the last segment received (MAY-9) */
    uint64_t srtt_us, rttvar_us, rto_us;   /* srtt_us 0: not measured yet */
    unsigned backoff_count;
    uint64_t deadline_us[TIMER_COUNT]; /* NEVER: not running */
    size_t send_queued_bytes, receive_queued_bytes;
    /* Of what is queued: not sent yet, held by the peer (SACK), held to be lost, and sent again but
     * not acknowledged. */
    uint32_t unsent_bytes, sacked_bytes, lost_bytes, resent_bytes;
    uint32_t urgent_bytes;        /* still to be read up to the end of urgent data, MUST-33 */
    unsigned out_of_order_ranges; /* how many there are; the lowest of them: */
    struct tcp_status_range out_of_order[TCP_STATUS_RANGES_MAX];
    uint64_t bytes_sent, bytes_acked, bytes_received;
    uint64_t segments_sent, segments_received, retransmit_count;
    const char *congestion_control;
    uint64_t pacing_bytes_per_s;        /* 0: not paced */
    uint64_t delivery_rate_bytes_per_s; /* 0: not measured; BBR does */
    bool delivery_is_app_limited;       /* and the application, not the network, sets it now */
    bool in_recovery;
    unsigned undo_count;             /* spurious reductions of the window, taken back */
    const char *loss_detection;      /* in use: "rack", "rfc6675" or "newreno" */
    uint64_t min_rtt_us, reo_wnd_us; /* RACK's; min_rtt_us 0: not measured yet */
    uint64_t user_timeout_us; /* R2 in use: r2_us, or what RFC 5482 made of it; NEVER: none */
    uint64_t remote_user_timeout_us;                  /* what the peer's option says; 0: nothing */
    uint32_t send_buffer_bytes, receive_buffer_bytes; /* as autotuning has them now */
    uint8_t tos, ttl;
    bool nagle, cork, keepalive;
    enum tcp_err error;
    enum tcp_err soft_error;
};

void tcp_status(const struct tcb *tcb, struct tcp_status *status);

/* How many connections have more to do than to wait in SYN-RECEIVED or TIME-WAIT, listeners among
 * them: 0 when everything is closed and every peer has said its last. */
unsigned tcp_unfinished_count(const struct stack *stack);

const char *tcp_state_name(enum tcp_state state); /* "SYN-SENT" */
const char *tcp_timer_name(enum tcp_timer timer); /* "retransmission" */
const char *tcp_err_name(enum tcp_err error);     /* "connection refused" */

#endif
