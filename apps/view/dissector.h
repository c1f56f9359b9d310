/* Inside the dissector: what its files share. One file a protocol (dissect_tcp.c,
 * dissect_http.c...), the conversations they remember (conversation.c), Wireshark's guesses about
 * sequence numbers (analysis.c), and the text of the columns (columns.c). Applications include
 * rows.h. */
#ifndef TUNTCP_DISSECTOR_H
#define TUNTCP_DISSECTOR_H

#include "../../stack/ip/reassembly.h"
#include "../../stack/packet.h"
#include "rows.h"

/* ---- columns.c: the Info column grows by these; what does not fit is left out */

__attribute__((format(printf, 2, 3))) void info_add(struct dissection *row, const char *form, ...);
__attribute__((format(printf, 2, 3))) void info_prepend(struct dissection *row, const char *form,
                                                        ...);
void info_clear(struct dissection *row);
/* Bytes of the network as text that is safe on a terminal: control characters and what is not
 * UTF-8 are escaped. */
void info_add_bytes(struct dissection *row, struct bytes text);

/* ---- conversations */

enum { WINDOW_SCALE_UNKNOWN = -1, WINDOW_SCALE_NONE = -2 };
enum { HTTP_HEAD_MAX_BYTES = 16384, HTTP_MEDIA_TYPE_BYTES = 96 };
enum { PDUS_MAX = 32, PDUS_OPEN_MAX = 8, PDU_RANGES_MAX = 512, PDU_KEPT_MAX_BYTES = 65535 + 2 };

/* What has been seen of one direction's sequence numbers: the memory of analysis.c. */
struct sequence_view {
    bool has_base, has_next, has_continuous, has_last_ack;
    bool wnd_is_scaled;    /* the last window came in a segment without SYN */
    uint32_t base;         /* initial sequence number: what relative numbers count from */
    uint32_t next;         /* highest sequence number seen, plus one */
    uint64_t next_us;      /* when it was seen */
    uint32_t continuous;   /* the same, up to the first hole */
    bool was_acked_beyond; /* more than `next` was acknowledged, and a row has said so */
    uint32_t last_ack;
    uint64_t last_ack_us;
    uint32_t wnd; /* as last seen, not scaled */
    int window_scale;
    unsigned duplicate_ack_count;
    uint64_t last_new_ack_number; /* the packet that the duplicates repeat */
    unsigned last_findings;       /* of the last segment */
};

enum http_stage {
    HTTP_IDLE, /* between messages */
    HTTP_HEAD,
    HTTP_BODY_BYTES, /* `missing` bytes of body, or of a chunk and its CRLF */
    HTTP_CHUNK_LINE,
    HTTP_TRAILER,
    HTTP_UNTIL_CLOSE,
};

/* An HTTP message as far as it has been read. Only its head is kept; its body is counted. */
struct http_message {
    enum http_stage stage;
    bool is_chunked;
    bool is_response;
    bool has_body;
    char *head; /* HTTP_HEAD_MAX_BYTES, taken when first needed */
    size_t head_bytes;
    uint64_t missing;
    char line[32]; /* chunk size or trailer line so far */
    size_t line_bytes;
    char media_type[HTTP_MEDIA_TYPE_BYTES];
};

/* Bytes of a PDU, as offsets from its start. */
struct pdu_range {
    uint32_t start, end;
};

/* A message that takes several segments: pdu.c. Sequence numbers are relative to the initial one.
 */
struct pdu {
    struct pdu *older;
    uint32_t seq;        /* of its first byte */
    uint32_t next;       /* where it is expected to end */
    bool takes_segments; /* it takes all of the next segment: how long it is is not known yet */
    bool has_end;
    uint32_t end; /* offset behind its last byte, if it has an end */
    bool is_whole;
    bool goes_on;   /* it was whole once, and its dissector wants more */
    bool is_closed; /* nothing more is expected of it */
    struct pdu_range *range;
    unsigned range_count;
    uint32_t read_bytes;      /* so many of it are in `http` */
    struct http_message http; /* of an HTTP conversation */
    uint8_t *kept;            /* of a DNS conversation: what has come of it */
    size_t kept_bytes;
};

/* One direction's bytes on their way to an application dissector. */
struct stream_view {
    struct pdu *newest;
    bool runs_until_fin; /* some message of this direction ends where the stream ends */
    bool has_ended;
};

struct direction {
    struct sequence_view seen;
    struct stream_view stream;
};

struct conversation {
    struct conversation *next_in_bucket;
    struct conversation *newer, *older; /* order of use: the oldest is forgotten */
    struct ip_addr address[2];          /* of direction[0]'s source, and of direction[1]'s */
    uint16_t port[2];
    struct direction direction[2];
    bool has_syn, has_first_rtt;
    uint64_t syn_us;
    uint64_t first_rtt_us;
    bool is_http;        /* an HTTP message was recognised */
    bool head_was_asked; /* the last request was HEAD: its answer has no body */
};

struct conversations;
struct conversations *conversations_new(void);
void conversations_free(struct conversations *all);
/* The conversation between two ends, made if there is none; *side is 0 when `src` is the first end.
 * NULL when memory is short. */
struct conversation *conversation_of(struct conversations *all, const struct ip_addr *src,
                                     uint16_t src_port, const struct ip_addr *dst,
                                     uint16_t dst_port, unsigned *side);
/* Forget everything but the ends: the ports are used again. */
void conversation_restart(struct conversation *conversation);

/* ---- a TCP header, taken apart leniently: rows show what is wrong too */

struct tcp_view {
    uint16_t src_port, dst_port;
    uint32_t seq, ack;
    uint16_t flags; /* twelve bits: reserved ones and accurate ECN as well */
    uint16_t wnd, urgent;
    struct bytes options;
    struct bytes payload;
};

/* ---- analysis.c */

enum finding {
    FOUND_RETRANSMISSION = 1,
    FOUND_FAST_RETRANSMISSION = 2,
    FOUND_SPURIOUS_RETRANSMISSION = 4,
    FOUND_OUT_OF_ORDER = 8,
    FOUND_REUSED_PORTS = 16,
    FOUND_LOST_SEGMENT = 32,
    FOUND_ACK_OF_UNSEEN = 64,
    FOUND_WINDOW_UPDATE = 128,
    FOUND_KEEP_ALIVE = 256,
    FOUND_KEEP_ALIVE_ACK = 512,
    FOUND_DUPLICATE_ACK = 1024,
    FOUND_ZERO_WINDOW_PROBE = 2048,
    FOUND_ZERO_WINDOW = 4096,
    FOUND_ZERO_WINDOW_PROBE_ACK = 8192,
    FOUND_WINDOW_FULL = 16384,
    FOUND_NOT_ADVANCING = FOUND_RETRANSMISSION | FOUND_OUT_OF_ORDER,
};

struct findings {
    unsigned flags; /* of enum finding */
    unsigned duplicate_ack_count;
    uint64_t duplicate_of; /* number of the packet */
};

/* Look at one segment that packet `number` carries at `time_us`, and remember it. */
void analyse_segment(struct conversation *conversation, unsigned side, const struct tcp_view *seg,
                     uint64_t time_us, uint64_t number, struct findings *findings);
/* The bracketed words before the ports. */
void analysis_prefix(const struct findings *findings, struct dissection *row);

/* ---- protocols */

struct echo_request {
    struct ip_addr src, dst;
    uint16_t id, seq;
    uint64_t number;
};

enum { ECHO_REQUESTS_MAX = 256 };

struct dissector {
    uint64_t packet_count;
    struct reassembly *reassembly;
    struct conversations *conversations;
    struct echo_request echo[ECHO_REQUESTS_MAX]; /* a ring */
    unsigned echo_count;
};

/* A whole packet of version 6. */
void dissect_ipv6(struct bytes packet, struct dissection *row);
void dissect_icmp(struct dissector *d, const struct ipv4_packet *ip, struct dissection *row);
void dissect_udp(const struct ipv4_packet *ip, struct dissection *row);
void dissect_tcp(struct dissector *d, const struct ipv4_packet *ip, uint64_t time_us,
                 struct dissection *row);
/* One DNS message. */
void dissect_dns(struct bytes message, struct dissection *row);

/* What an application dissector makes of bytes of a stream. It writes into the row what is to stand
 * in the place of TCP's text; nothing if that is to stay. */
enum wants {
    WANTS_NOTHING,
    WANTS_BYTES,   /* outcome.count more */
    WANTS_SEGMENT, /* another one, of any length */
    WANTS_FIN,     /* everything until the stream ends */
};

struct outcome {
    enum wants wants;
    uint32_t count;
    bool has_message; /* one ended, or the bytes are of its protocol in another way */
    size_t start;     /* of the message that wants more, within the bytes given */
};

/* Read on in `http`, which is blank at the start of a message. Bytes whose data is NULL are only
 * counted: they lie within a body. `is_end`: the stream ends behind them, and with it a message of
 * which the head is there. */
struct outcome http_bytes(struct conversation *conversation, struct http_message *http,
                          struct bytes bytes, bool is_end, struct dissection *row);
/* Give its memory back; it is blank then. */
void http_forget(struct http_message *http);
bool http_is_port(uint16_t port);
/* Messages from the start of one on. */
struct outcome dns_bytes(struct bytes bytes, struct dissection *row);

/* ---- pdu.c */

enum pdu_state {
    PDU_OPEN,
    PDU_WHOLE,
    PDU_OVERLAP, /* it is whole and done: these bytes are an error */
    PDU_PAST,    /* the same, and they lie behind its end */
};

/* Make a PDU that starts at `seq`, in the place of one that does. NULL when memory is short. */
struct pdu *pdu_new(struct stream_view *stream, uint32_t seq);
/* The last one that starts at `seq` or before; NULL if there is none. */
struct pdu *pdu_at_or_before(const struct stream_view *stream, uint32_t seq);
/* Bytes of it have come; `is_tail`: up to where it was expected to end. */
enum pdu_state pdu_add(struct pdu *pdu, uint32_t offset, uint32_t len, bool is_tail);
void pdu_keep_bytes(struct pdu *pdu, uint32_t offset, struct bytes bytes);
/* Nothing more is expected of it: free all but what tells a repetition. */
void pdu_close(struct pdu *pdu);
void pdus_free(struct stream_view *stream);

/* ---- stream.c: give a segment's payload to the application dissector of its port. TCP's text
 * stands in the row already; the application's takes its place. */
void dissect_stream(struct conversation *conversation, unsigned side, const struct tcp_view *seg,
                    const struct findings *findings, struct dissection *row);

#endif
