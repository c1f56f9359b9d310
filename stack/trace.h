/* What the stack tells about itself: one stream of events, from which rows on the terminal, packet
 * comments in a capture, reports and the expectations of tests are all made. The stack formats
 * nothing. Without a sink an event costs one predictable branch. */
#ifndef TUNTCP_TRACE_H
#define TUNTCP_TRACE_H

#include "packet.h"
#include "wire/drop.h"
#include "wire/ip_addr.h"

struct tcb;

enum trace_kind {
    TRACE_PACKET_IN,   /* `packet_in`; comes before everything that the packet causes */
    TRACE_PACKET_OUT,  /* `packet_out`; cause: why it is sent */
    TRACE_DROP,        /* `drop`: the packet of this call, or a datagram, was discarded */
    TRACE_STATE,       /* `state`: a connection moves from one state to another */
    TRACE_TIMER_ARMED, /* `timer` */
    TRACE_TIMER_FIRED, /* `timer` */
    TRACE_RTT,         /* `rtt`: a round trip was measured */
    TRACE_CWND,        /* `cwnd`: the congestion window or ssthresh changed */
    TRACE_RECOVERY,    /* `recovery`: loss recovery entered, left or undone */
    TRACE_PRR,         /* `prr`: how much an acknowledgment lets through during recovery */
    TRACE_LOST,        /* `lost`: these bytes are held to be lost, and by which numbers */
    TRACE_REORDERING,  /* `reordering`: the network does not keep the order */
    TRACE_RENEGED,     /* `range`: the peer has thrown away what it had selectively acknowledged */
    TRACE_RETRANSMIT,  /* `range`: these bytes are sent again, with the packet that follows */
    TRACE_DUPLICATE,   /* `range`: the peer reports that these bytes have arrived twice */
    TRACE_ECN,         /* `ecn`: a router has marked a packet, RFC 3168 */
    TRACE_WINDOW,      /* `window`: the peer's window closed or opened, or our own */
    TRACE_ERROR,       /* `error`: a connection failed, or a soft error was noted */
    TRACE_DNS,         /* `dns`: the resolver asks, hears, or gives up */
    TRACE_PATH_MTU,    /* `path_mtu`: what is thought of the largest packet that a path takes */
    TRACE_COUNT,
};

/* What the stack was doing when the event came about. Events of ORIGIN_PACKET_IN belong to the
 * TRACE_PACKET_IN before them; the others explain the next TRACE_PACKET_OUT, if one follows. */
enum trace_origin { ORIGIN_PACKET_IN, ORIGIN_USER, ORIGIN_TIMER, ORIGIN_OUTPUT };

enum trace_recovery { RECOVERY_ENTERED, RECOVERY_LEFT, RECOVERY_UNDONE };

/* What decided that bytes are lost. */
enum trace_lost_by {
    TRACE_LOST_BY_RACK,           /* later_us, reo_wnd_us */
    TRACE_LOST_BY_SACK,           /* sacked_above_bytes */
    TRACE_LOST_BY_DUPLICATE_ACKS, /* the third */
    TRACE_LOST_BY_PARTIAL_ACK,
    TRACE_LOST_BY_TIMEOUT,
};

/* What happened, and what `mtu_bytes` of the event is. */
enum trace_path_mtu {
    PATH_MTU_KNOWN,      /* a connection begins with less than its link takes: this */
    PATH_MTU_CLAIMED,    /* a router wants this, and is not believed yet */
    PATH_MTU_LOWERED,    /* to this, because a router has said so */
    PATH_MTU_SUSPECTED,  /* to this, because larger packets vanish */
    PATH_MTU_PROBED,     /* a packet of this size is sent to see whether it arrives */
    PATH_MTU_PROBE_LOST, /* it did not */
    PATH_MTU_RAISED,     /* to this, because a probe has arrived */
    PATH_MTU_FORGOTTEN,  /* this is not remembered for new connections any more; 0: it never was */
};

/* What moved the congestion window, and the numbers that decided, in this order. */
enum trace_cwnd {
    CWND_KEPT,          /* nothing did */
    CWND_SLOW_START,    /* bytes acknowledged */
    CWND_CSS_ENTERED,   /* HyStart++: least RTT of this round, of the last one, threshold, us */
    CWND_CSS_RESUMED,   /* slow start goes on: least RTT of this round, baseline, us */
    CWND_HYSTART_EXIT,  /* slow start has ended: rounds in CSS */
    CWND_AVOIDANCE,     /* Reno: bytes acknowledged */
    CWND_CUBIC,         /* t, K, ms; W_cubic(t), W_max, bytes */
    CWND_RENO_FRIENDLY, /* t, ms; W_est, W_cubic(t), bytes */
    CWND_LOSS,          /* flight; per cent of it that stay */
    CWND_ECN,           /* likewise */
    CWND_TIMEOUT,       /* likewise */
    CWND_UNDONE,
    CWND_RESTARTED,     /* after a pause: its length, us */
    CWND_NOT_VALIDATED, /* not used for five minutes: pipeACK, bytes */
    /* BBR: the state entered, in the order of enum bbr_state, and other decisions of its model. All
     * with: bw, bytes/s; min_rtt, us; inflight_longterm and inflight_shortterm, bytes or UINT32_MAX
     * for none. */
    CWND_BBR_STARTUP,
    CWND_BBR_DRAIN,
    CWND_BBR_DOWN,
    CWND_BBR_CRUISE,
    CWND_BBR_REFILL,
    CWND_BBR_UP,
    CWND_BBR_PROBE_RTT,
    CWND_BBR_MODEL,     /* the window follows the model */
    CWND_BBR_TOO_HIGH,  /* inflight_longterm was cut */
    CWND_BBR_SHORTTERM, /* bw_shortterm and inflight_shortterm were cut */
    CWND_BBR_TIMEOUT,   /* one segment, until something is acknowledged */
};

/* Who a connection or datagram is between; ports are 0 where there are none. */
struct flow_id {
    struct ip_addr local;
    struct ip_addr remote;
    uint16_t local_port;
    uint16_t remote_port;
};

struct trace_event {
    enum trace_kind kind;
    enum trace_origin origin;
    uint64_t time_us;
    const struct flow_id *flow; /* NULL: belongs to no connection */
    const struct tcb *tcb;      /* for tcp_status(); NULL: none */
    const char *cause;          /* one short sentence without a full stop; NULL: goes without */
    const char *clause;         /* such as "9293 3.10.7.4 fifth"; NULL: none decided */
    union {
        const struct packet_in *packet_in;
        const struct packet_out *packet_out;
        enum drop drop;
        struct {
            int from; /* enum tcp_state */
            int to;
        } state;
        struct {
            int timer; /* enum tcp_timer, see tcp_timer_name() */
            uint64_t deadline_us;
            unsigned backoff_count; /* how often it has fired in a row without an answer */
        } timer;
        struct {
            uint64_t sample_us;
            uint64_t srtt_us;
            uint64_t rttvar_us;
            uint64_t rto_us;
        } rtt;
        struct {
            uint32_t cwnd_bytes;
            uint32_t ssthresh_bytes;
            uint32_t before_bytes; /* cwnd before */
            enum trace_cwnd what;
            uint32_t number[4];
        } cwnd;
        struct {
            enum trace_recovery what;
            uint32_t recover; /* relative: up to which byte */
        } recovery;
        struct {
            uint32_t start; /* relative sequence numbers, as in a trace: SYN is 0 */
            uint32_t end;
            unsigned transmission_count; /* with this one */
        } range;
        struct {
            uint32_t start; /* relative */
            uint32_t end;
            enum trace_lost_by by;
            uint64_t age_us;             /* it was sent so long ago */
            uint64_t later_us;           /* and what was sent so much later has been delivered */
            uint64_t reo_wnd_us;         /* a segment may be late by so much */
            uint32_t sacked_above_bytes; /* so much above it is selectively acknowledged */
        } lost;
        struct {
            uint32_t pipe; /* bytes in flight, and what they are to become */
            uint32_t ssthresh;
            uint64_t delivered; /* since the recovery began */
            uint64_t out;       /* sent since then */
            uint32_t count;     /* may be sent now */
            bool is_safe;
        } prr;
        struct {
            uint32_t bytes;      /* so far behind the highest */
            uint64_t reo_wnd_us; /* so long is waited for late ones from now on */
        } reordering;
        struct {
            bool is_echo; /* the peer tells of a mark on our data; false: the peer's was marked */
        } ecn;
        struct {
            bool ours;
            bool closed;
            uint32_t wnd_bytes;
        } window;
        struct {
            int error; /* enum tcp_err */
            bool soft;
        } error;
        struct {
            const char *name; /* what is asked for */
            struct ip_addr server;
            unsigned try_count;
        } dns;
        struct {
            enum trace_path_mtu what;
            uint16_t mtu_bytes;
        } path_mtu;
    } u;
};

typedef void trace_sink(void *context, const struct trace_event *event);

#endif
