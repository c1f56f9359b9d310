/* One connection against a scripted peer: the frame of the tests in this folder.
 *
 * A test is the conversation itself, in packetdrill's notation with relative numbers:
 *
 *     struct talk *t = talk_new(NULL);
 *     talk_connect(t);                                    we have sent our SYN
 *     peer_sends(t, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
 *     we_send(t, ". 1:1(0) ack 1");
 *     time_passes_ms(t, 500);
 *     we_send_nothing(t);
 *     talk_free(t);
 *
 * The stack under test is 10.0.0.2, the peer 10.0.0.1. Time is virtual. Both initial sequence
 * numbers and both timestamp clocks start just below 2^32, so every conversation crosses the wrap.
 *
 * A segment is [ECN] FLAGS START:END(LENGTH) [ack N] [win N] [urg N] [<OPTIONS>].
 *   ECN      of the IP header: [ect0], [ect1], [ce], [noecn]; the peer's is [noecn] if not given
 *   FLAGS    letters of S F R P U E W and . for ACK; 0 for none
 *   numbers  relative to the initial sequence number of their side, so the SYN is 0 and the first
 *            byte 1; negative ones lie before it; =N is absolute
 *   OPTIONS  mss N, wscale N, sackOK, TS val N ecr N, sack A:B C:D, uto N, nop, eol, raw K L B B
 *            (kind, length, then bytes: whatever one wants, lies included)
 *   TS       relative to each side's clock at the start of the talk, in milliseconds for ours; on a
 *            segment without ACK, ecr is absolute
 * Of an expected segment flags, range and ack are always compared, ECN, win, urg and OPTIONS where
 * they are given; padding (nop, eol) never, order always, and * stands for any number. <> demands
 * that there be no options.
 *
 * Every segment that leaves has its checksums, lengths, addresses and payload (byte n of either
 * stream is talk_byte(n)) verified by the frame. A segment that the test does not expect fails it:
 * at we_send_nothing(), at the next peer_sends() and at talk_free(). */
#ifndef TUNTCP_TESTS_TALK_H
#define TUNTCP_TESTS_TALK_H

#include <stdio.h>
#include <string.h>

#include "../../stack/tcp/tcp.h"
#include "../unit/unit.h"

/* Enumerators are signed, these are not. */
#define TALK_ISS 0xfffffff0u /* ours */
#define TALK_IRS 0xffffffe0u /* the peer's */

enum {
    TALK_OUR_PORT = 40000, /* of active opens */
    TALK_LISTEN_PORT = 80,
    TALK_PEER_PORT = 7000,
    TALK_SEGMENTS_MAX = 512, /* sent by us and not looked at yet */
    TALK_LOG_LINES = 48,
    TALK_LINE_BYTES = 240,
};

struct talk_segment {
    uint8_t bytes[2048];
    size_t len;
};

struct talk {
    struct stack *stack;
    struct tcb *tcb; /* the connection under test, when the application holds one */
    struct tcb *listener;
    uint64_t start_us, now_us;
    const char *title; /* printed with a failure */
    FILE *log_to;      /* where a failure prints the conversation: stderr; NULL: nowhere */
    /* Takes a failure instead of `check`; does not return. The talk is gone by then. */
    void (*on_failure)(void *context, const char *message);
    void *failure_context;

    /* Who the next segments are between, and what numbers are relative to. */
    uint32_t our_addr, peer_addr;
    uint16_t our_port, peer_port;
    uint32_t iss, irs;
    uint32_t our_ts_base, peer_ts_base;

    /* What the application has written and read: positions in the streams. */
    uint32_t written, read;

    /* What the stack has told. */
    enum tcp_state state;         /* the last one of a connection, listeners apart */
    char path[TALK_LINE_BYTES];   /* the states passed: "CLOSED SYN-SENT ESTABLISHED" */
    enum drop drop;               /* of the last packet */
    unsigned events[TRACE_COUNT]; /* count by enum trace_kind */
    unsigned ready_events;        /* connections yielded by stack_next_ready() */
    uint32_t merged_bytes;        /* what the peer sends is segments of this size, merged by the
                                     device; 0: each is one */
    bool is_holding;              /* true: output is not pulled until it is false again */

    uint32_t heard_win; /* the window of the last segment that we_send() has found */

    struct talk_segment *sent; /* room for sent_room; of these sent_count from sent_first on */
    unsigned sent_first, sent_count, sent_room;
    char log[TALK_LOG_LINES][TALK_LINE_BYTES];
    unsigned log_count;
    uint64_t random_state;
    bool numbers_are_random; /* ISS, port and timestamp offset are the stack's choice */
};

/* The configuration that talk_new(NULL) uses, to be changed and passed to talk_new(). */
struct stack_config talk_config(void);
struct talk *talk_new(const struct stack_config *config);
void talk_free_at(struct talk *t, const char *file, int line);
#define talk_free(t) talk_free_at(t, __FILE__, __LINE__)

/* ---- the conversation */

enum drop peer_sends_at(struct talk *t, const char *segment, const char *file, int line);
#define peer_sends(t, segment) peer_sends_at(t, segment, __FILE__, __LINE__)
void we_send_at(struct talk *t, const char *segment, const char *file, int line);
#define we_send(t, segment) we_send_at(t, segment, __FILE__, __LINE__)
void we_send_nothing_at(struct talk *t, const char *file, int line);
#define we_send_nothing(t) we_send_nothing_at(t, __FILE__, __LINE__)
/* The first segment that was sent and not looked at yet, in the notation; NULL if there is none. */
const char *talk_next_sent(struct talk *t);
/* What a segment of ours says, in the notation's relative numbers. */
struct talk_heard {
    uint8_t flags;
    int32_t seq, ack; /* ack: 0 without the ACK bit */
    uint32_t len, win;
    bool has_ts;
    int32_t ts_val, ts_ecr;
};
/* Take the first segment that was not looked at yet off the list; false if there is none. */
bool talk_hear(struct talk *t, struct talk_heard *heard);
/* What we have sent and nobody has looked at does not matter. */
void forget_sent(struct talk *t);
/* printf() for a segment whose numbers the test computes. */
const char *segment(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Segments that no honest peer sends. */
enum talk_lie {
    LIE_CHECKSUM,      /* the TCP checksum is wrong */
    LIE_OFFSET_SHORT,  /* data offset of 4 words: less than a header */
    LIE_OFFSET_BEYOND, /* data offset behind the end of the segment */
    LIE_TRUNCATED,     /* only 12 bytes of the header are there */
};
enum drop peer_lies_at(struct talk *t, enum talk_lie lie, const char *segment, const char *file,
                       int line);
#define peer_lies(t, lie, segment) peer_lies_at(t, lie, segment, __FILE__, __LINE__)
/* An ICMP error from the router 10.0.0.3 about our segment with this relative sequence number. */
void router_sends_error(struct talk *t, uint8_t type, uint8_t code, uint32_t seq);
/* "Fragmentation needed and DF set", RFC 1191: the next link takes `mtu` bytes, and our segment
 * with this number was a full-sized one. */
void router_wants_less(struct talk *t, uint16_t mtu, uint32_t seq);

/* ---- time: every timer on the way fires at its deadline, and its output is pulled then */

void time_passes_us(struct talk *t, uint64_t us);
void time_passes_ms(struct talk *t, uint64_t ms);
/* Let time pass until we send something, at most `max_ms`. Returns how long it took, in
 * microseconds; UINT64_MAX when nothing was sent. */
uint64_t time_until_we_send_us(struct talk *t, uint64_t max_ms);
/* The same, with a limit in microseconds. */
uint64_t time_until_we_send_within_us(struct talk *t, uint64_t max_us);

/* ---- the application */

/* Write bytes talk_byte(n)... and have them accepted. */
void app_writes(struct talk *t, size_t len);
/* Read exactly `len` bytes and compare them. */
void app_reads(struct talk *t, size_t len);
/* Pull what a user call has made due. */
void talk_pull(struct talk *t);
uint8_t talk_byte(uint32_t position);

/* ---- the way into a state */

void talk_listen(struct talk *t);
/* Active OPEN: the SYN has left and is taken off the list of segments. */
void talk_connect(struct talk *t);
/* ESTABLISHED by an active OPEN; `options` are those of the peer's SYN,ACK, "" for none. */
void talk_establish(struct talk *t, const char *options);
/* The same by a passive OPEN, and accepted. */
void talk_accept(struct talk *t, const char *options);
/* talk_new() and talk_establish() in one. */
struct talk *talk_established(const char *options);
/* A new talk with its connection in `state`. Relative numbers are then: SND.NXT 1, or 2 when our
 * FIN has been sent (FIN-WAIT-1, CLOSING and LAST-ACK: not acknowledged yet); RCV.NXT 1, or 2 when
 * the peer's FIN has arrived. SYN-RECEIVED comes from a listener. CLOSED has no connection at all.
 */
struct talk *talk_in_state(enum tcp_state state);
uint32_t talk_snd_nxt(enum tcp_state state);
uint32_t talk_snd_una(enum tcp_state state);
uint32_t talk_rcv_nxt(enum tcp_state state);

/* ---- what is so */

void state_is_at(struct talk *t, enum tcp_state state, const char *file, int line);
#define state_is(t, state) state_is_at(t, state, __FILE__, __LINE__)
void path_is_at(struct talk *t, const char *path, const char *file, int line);
#define path_is(t, path) path_is_at(t, path, __FILE__, __LINE__)
struct tcp_status talk_status(struct talk *t);
/* A full segment without timestamps. */
enum { MSS = 1460 };
/* How many packets were discarded for this reason so far. */
uint64_t drops(struct talk *t, enum drop drop);
void talk_fail(struct talk *t, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5), noreturn));

#endif
