/* A cell of the matrix: one connection in one state, and one segment that arrives.
 *
 * Its five coordinates are the place (a state, and how the connection came there), the kind of
 * segment, SEG.SEQ against the receive window, SEG.ACK against what we have sent, and the
 * timestamps. Not every combination exists: a segment of one octet cannot straddle an edge.
 *
 * Numbers are relative to the initial sequence numbers, as in all talks, but here they are signed
 * and of 64 bits, so that nothing in the expectations can wrap, while the stack crosses 2^32. */
#ifndef TUNTCP_TESTS_CELLS_CELL_H
#define TUNTCP_TESTS_CELLS_CELL_H

#include "../talk.h"

/* The connection of every place: the peer offers 1000 octets, has sent 100 that nobody has read
 * and may send 900 more; of our 200 octets 100 are acknowledged. TS.Recent is 100. */
enum {
    PEER_WINDOW = 1000, /* MAX.SND.WND */
    OUR_BUFFER = 1000,
    PEER_TEXT = 100,
    OUR_TEXT = 200,
    OUR_TEXT_ACKED = 100,
    KIND_TEXT = 10, /* octets of a segment that is said to have text */
    URGENT_OFFSET = 5,
    TS_RECENT = 100,
    EARLY_TS = 50,
    FRESH_TS = 300, /* behind the wrap of the peer's clock */
};

struct place {
    const char *name;
    enum tcp_state state;
    bool is_passive;  /* it came from LISTEN */
    bool listens;     /* a listener waits on the same port for the next connection */
    bool is_shut;     /* RCV.WND is 0: the application does not read */
    bool is_given_up; /* the application has called CLOSE and reads no more */
    bool fin_is_out;  /* our FIN is sent and not acknowledged */
    int64_t snd_una, snd_nxt, rcv_nxt, rcv_wnd;
    uint32_t unread; /* octets that the application may read */
};

enum { PLACES = 19 };
extern const struct place places[PLACES];

struct kind {
    const char *name;
    const char *flags; /* in the notation */
    uint32_t text;     /* octets, if its position does not say otherwise */
    bool is_damaged;   /* its checksum is wrong */
};

enum { KINDS = 25 };
extern const struct kind kinds[KINDS];

/* SEG.SEQ, or the whole segment, against the window RCV.NXT .. RCV.NXT+RCV.WND. */
enum seq_position {
    SEQ_FAR_LEFT,       /* half of the sequence space away */
    SEQ_LEFT,           /* wholly left of the window */
    SEQ_DUPLICATE,      /* its last octet is the last one that has been received */
    SEQ_STRADDLES_LEFT, /* old octets, and new ones */
    SEQ_LEFT_EDGE,      /* at RCV.NXT */
    SEQ_FILLS,          /* from RCV.NXT, and its text ends with the window */
    SEQ_COVERS,         /* from left of the window to right of it */
    SEQ_INSIDE,         /* behind a hole */
    SEQ_LAST,           /* its last octet is the last one of the window */
    SEQ_STRADDLES_RIGHT,
    SEQ_RIGHT_EDGE, /* at RCV.NXT+RCV.WND, so just outside */
    SEQ_RIGHT,
    SEQ_FAR_RIGHT,
    SEQ_POSITIONS,
};

/* SEG.ACK. */
enum ack_position {
    ACK_NONE,    /* no ACK bit */
    ACK_TOO_OLD, /* SND.UNA - MAX.SND.WND - 1 */
    ACK_OLDEST,  /* SND.UNA - MAX.SND.WND, the oldest that RFC 5961 section 5 lets pass */
    ACK_OLD,     /* SND.UNA - 1 */
    ACK_UNA,
    ACK_PART, /* half of what is in flight */
    ACK_TEXT, /* everything but our FIN */
    ACK_NXT,
    ACK_UNSENT, /* SND.NXT + 1 */
    ACK_POSITIONS,
};

enum stamp {
    STAMP_NONE,    /* timestamps are not agreed upon, and the segment has none */
    STAMP_UNASKED, /* not agreed upon, but the segment has them */
    STAMP_FRESH,   /* agreed upon; SEG.TSval > TS.Recent */
    STAMP_SAME,    /* SEG.TSval = TS.Recent */
    STAMP_EARLY,   /* SEG.TSval < TS.Recent: for PAWS */
    STAMP_MISSING, /* agreed upon, but the segment has none */
    STAMPS,
};

struct cell {
    const struct place *place;
    const struct kind *kind;
    enum seq_position seq;
    enum ack_position ack;
    enum stamp stamp;
};

/* The segment of a cell. */
struct arrival {
    uint8_t flags;
    int64_t seq, ack;
    uint32_t text;    /* octets of text */
    uint32_t seg_len; /* SEG.LEN: with SYN and FIN */
    uint32_t up;      /* SEG.UP, with URG */
    bool has_stamp;
    int32_t ts_val;
    bool is_damaged;
};

bool cell_exists(const struct cell *cell);
/* Have the connection's two sides agreed upon timestamps? */
bool cell_has_timestamps(const struct cell *cell);
struct arrival cell_arrival(const struct cell *cell);
/* The segment in the notation of talks. */
const char *cell_segment(const struct cell *cell);

const char *seq_position_name(enum seq_position seq);
const char *ack_position_name(enum ack_position ack);
const char *stamp_name(enum stamp stamp);

#endif
