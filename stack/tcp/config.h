/* What can be set about a connection; one documented struct, defaults from the RFCs. The stack's
 * configuration holds the one that new connections start with. Each field can be set by its name as
 * well, see settings.h, and many of them while the connection is under way, see tcp_set(). */
#ifndef TUNTCP_TCP_CONFIG_H
#define TUNTCP_TCP_CONFIG_H

#include "../wire/source_route.h"
#include "../wire/tcp_options.h"

/* How loss is found out, recovery/detect.h. Without SACK it is NewReno's way in any case. */
enum tcp_loss_detection {
    TCP_LOSS_DETECTION_RACK,    /* RFC 8985: by time */
    TCP_LOSS_DETECTION_RFC6675, /* by SACKed bytes */
    TCP_LOSS_DETECTION_NEWRENO, /* RFC 6582: by duplicate ACKs */
    TCP_LOSS_DETECTION_COUNT,
};

/* Explicit Congestion Notification. Departure from SHLD-8: an offer is accepted, but none is made
 * unless it is switched on, because some middleboxes still drop a SYN that offers it; Linux does
 * the same. */
enum tcp_ecn { TCP_ECN_OFF, TCP_ECN_ON, TCP_ECN_ACCEPT };

/* SYN cookies, RFC 4987 3.6: never, when the backlog is full, or for each SYN (which is for tests:
 * see syncookie.c for what a cookie forgets). */
enum tcp_syn_cookies { TCP_SYN_COOKIES_OFF, TCP_SYN_COOKIES_AUTO, TCP_SYN_COOKIES_ALWAYS };

/* Which algorithm sets the congestion window. */
enum tcp_congestion {
    TCP_CONGESTION_RENO,  /* RFC 5681 */
    TCP_CONGESTION_CUBIC, /* RFC 9438 (MAY-18) */
    TCP_CONGESTION_BBR,   /* BBR version 3, draft-ietf-ccwg-bbr-06 */
    TCP_CONGESTION_COUNT,
};

/* AUTO: for CUBIC, on paths where it does some good; see recovery/pacing.c. BBR is always paced. */
enum tcp_pacing { TCP_PACING_OFF, TCP_PACING_ON, TCP_PACING_AUTO, TCP_PACING_COUNT };

struct tcp_config {
    bool timestamps;              /* offer RFC 7323 timestamps; default on */
    bool window_scaling;          /* offer RFC 7323 window scaling; on */
    bool sack;                    /* offer RFC 2018 selective acknowledgment; on */
    bool dsack;                   /* report text that arrives twice, RFC 2883; on */
    enum tcp_ecn ecn;             /* RFC 3168 (SHLD-8); accept */
    bool nagle;                   /* 9293 3.7.4, MUST-17; on; off is TCP_NODELAY */
    bool cork;                    /* hold back what fills no segment, cork_limit_us at most; off */
    enum tcp_syn_style syn_style; /* order of the SYN's options; macOS */

    uint32_t mss_clamp_bytes;   /* never announce or send more than this; 0: what the MTU allows */
    uint32_t send_buffer_bytes; /* what tcp_send() accepts ahead of the acknowledgments at first;
                                   memory is taken as it is used; 256 KiB */
    uint32_t send_buffer_max_bytes; /* what that may grow to with the congestion window; 64 MiB */
    uint32_t receive_buffer_bytes;  /* the window offered at first; 128 KiB */
    uint32_t receive_buffer_max_bytes; /* what it may grow to, and what the scale is made for; 65535
                                          << 10 */
    uint16_t syn_wnd; /* window in our SYN; 0: the smaller of 65535 and the buffer */

    enum tcp_congestion congestion; /* RFC 5681 (Reno), RFC 9438 (CUBIC, MAY-18) or BBR; CUBIC */
    bool hystart;                   /* RFC 9406: slow start ends when delay grows; on */
    bool abe;                       /* RFC 8511: give way less to ECN than to loss; off */
    enum tcp_pacing pacing;         /* spread the window over the round trip; AUTO */
    bool window_validation; /* RFC 7661 instead of RFC 5681 4.1: what a pause leaves of the window;
                               off */
    uint32_t burst_max_segments; /* without pacing, at most so many between two acknowledgments; 0:
                                    as many as the window allows */
    uint32_t initial_window_segments; /* RFC 6928; 10 */

    /* Loss recovery. RACK is the default: it finds the loss of a tail and of retransmissions, and
     * bears reordering, where the others wait for a time-out or send what has arrived. */
    enum tcp_loss_detection loss_detection;
    bool tlp; /* RFC 8985 7: a probe when the last segments are not acknowledged; with RACK; on */
    uint64_t tlp_max_ack_delay_us;   /* how long a peer may hold back the ACK of a lone segment; 40
                                        ms: what we take, and Linux where it can ... */
    uint64_t tlp_first_ack_delay_us; /* ... and how long it is given until it has shown that it
                                        does; 5 ms */
    /* Spurious reductions of the window are taken back, as RFC 4015 says, if ... All are on: each
     * sign is one that others do not give. */
    bool eifel;      /* ... an echoed timestamp is older than the retransmission, RFC 3522 */
    bool dsack_undo; /* ... all that was sent again has arrived twice, RFC 3708 */
    bool frto;       /* ... after a time-out what was not sent again is acknowledged, RFC 5682 */
    bool prr; /* RFC 9937: spread the reduction over the round trip of a fast recovery; on, since
                 half a round trip of silence and then a burst is what there is without it */
    bool limited_transmit; /* RFC 3042: new data for the first duplicate ACKs keeps them coming; on
                            */

    bool rto_restart; /* RFC 7765: for a flight of less than four segments the RTO counts from
                         the transmission, not from the last acknowledgment; off: a lost tail is
                         probed before (tlp), and with an RTO of 200 ms the peers that delay
                         their ACKs as long would cause time-outs */
    uint64_t rto_initial_us; /* RFC 6298 (2.1); 1 s */
    uint64_t rto_min_us;     /* Departure from RFC 6298 (2.4): 200 ms, as Linux; */
    uint64_t rto_max_us;     /* RFC 6298 (2.5); 60 s */
    uint64_t delayed_ack_us; /* 9293 3.8.6.3, below 0.5 s (MUST-40); 40 ms; 0: no delay */
    bool header_prediction; /* the common segments take a short way; it changes nothing but time; on
                             */
    bool stretch_acks;      /* one ACK for all segments that have come together; off: one for every
                               second, at least (SHLD-19); on */
    uint64_t cork_limit_us; /* MUST-60: a corked tail waits so long at most; 200 ms */
    uint64_t r1_count;      /* retransmissions before trouble is reported (SHLD-10); 3 */
    uint64_t r2_us;     /* MUST-21, the user time-out: time without an answer before the connection
                           fails; 15 min (SHLD-11: at least 100 s; Linux's 15 retransmissions take as
                           long); NEVER: it does not */
    uint64_t syn_r2_us; /* the same for a SYN (MUST-23); 180 s */
    uint64_t syn_ack_r2_us;  /* the same for the answer to a SYN; 32 s, five transmissions */
    uint8_t syn_retry_count; /* retransmissions of a SYN, whatever time is left; 255: no limit */
    uint8_t syn_ack_retry_count; /* the same for the answer to one */
    /* What CLOSE does with data that is not acknowledged yet, 9293 3.9.1.4 and SO_LINGER. NEVER,
     * the default: it goes on in the background until all has arrived, or R2. A time: a reset ends
     * that. 0: CLOSE resets at once. */
    uint64_t linger_us;
    uint64_t msl_us;        /* TIME-WAIT lasts two of them; 30 s */
    uint64_t fin_wait_2_us; /* a closed connection waits so long for the peer's FIN; 60 s */
    /* Keep-alives, 9293 3.8.4. A connection is probed when nothing has arrived for
     * keepalive_idle_us and nothing waits for an acknowledgment; tcp_set_keepalive() switches them
     * per connection. */
    bool keepalive;                 /* MAY-5, MUST-24; off (MUST-25) */
    bool keepalive_garbage;         /* a probe carries one garbage octet (MAY-6); off (SHLD-12) */
    uint64_t keepalive_idle_us;     /* MUST-27; 2 h (MUST-28) */
    uint64_t keepalive_interval_us; /* between probes that are not answered; 75 s */
    unsigned keepalive_count; /* so many in a row end the connection; 9, at least 2 (MUST-29) */

    /* 9293 3.9.2.1: gateways that packets go by (MUST-51); none. And whether a connection from a
     * listener goes back by the source route on which it came (MUST-53); on. */
    struct source_route source_route;
    bool accept_source_routes;
    /* Path MTU discovery, see path_mtu.c. */
    uint16_t path_mtu_min_bytes; /* a router's claim of less counts as this: smaller ones are
                                    forged more often than real; 552, as Linux; at least 68 */
    uint64_t path_mtu_raise_us;  /* larger packets are tried so long after a decrease or a search;
                                    10 min. RFC 1191 (3) and RFC 4821 7.3 forbid less than 5.
                                    0: never */
    unsigned black_hole_count;   /* RFC 4821 7.7: after so many time-outs of a full segment smaller
                                    ones are tried; 3, R1; 0: never */
    /* RFC 5482, the user time-out option: each end tells the other how long it waits, and both
     * adopt USER_TIMEOUT = min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)). */
    bool uto;                   /* ENABLED: send the option and heed it; off */
    bool uto_changeable;        /* CHANGEABLE: the option may replace r2_us; on. Setting r2_us on a
                                   connection turns it off */
    uint64_t uto_advertised_us; /* ADV_UTO; 0: r2_us */
    uint64_t uto_min_us;        /* L_LIMIT; 100 s, as SHLD-11 */
    uint64_t uto_max_us;        /* U_LIMIT; 1 h */

    unsigned backlog; /* of a listener's connections, those in the handshake and those that wait
                         for tcp_accept(); with SYN cookies the latter alone; 128 */
    enum tcp_syn_cookies syn_cookies; /* auto */
    uint8_t tos; /* DSCP in the upper 6 bits (MUST-48); 0. Every segment has it (SHLD-22);
                    tcp_set() changes it under way (SHLD-21), see there for SHLD-23 */
    uint8_t ttl; /* MUST-49; 64 */
};

void tcp_config_init(struct tcp_config *config);
/* Replace values with which TCP cannot work (a timer of zero, a window of nothing) by the nearest
 * ones with which it can. */
void tcp_config_bound(struct tcp_config *config);

#endif
