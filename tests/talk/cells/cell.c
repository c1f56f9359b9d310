/* The coordinates of the matrix, and the numbers that they stand for in one cell. */
#include "cell.h"

#include <inttypes.h>

enum {
    UNA = OUR_TEXT_ACKED + 1,
    NXT = OUR_TEXT + 1,
    RCV = PEER_TEXT + 1,
    FULL = OUR_BUFFER + 1,
    WND = OUR_BUFFER - PEER_TEXT, /* what is read does not open it yet: 9293 3.8.6.2.2 */
};

const struct place places[PLACES] = {
    {"CLOSED", TCPS_CLOSED},
    {"LISTEN", TCPS_LISTEN, .is_passive = true, .listens = true},
    {"SYN-SENT", TCPS_SYN_SENT, .snd_nxt = 1},
    {"SYN-RECEIVED (passive)", TCPS_SYN_RECEIVED, .is_passive = true, .listens = true, .snd_nxt = 1,
     .rcv_nxt = 1, .rcv_wnd = OUR_BUFFER},
    {"SYN-RECEIVED (active)", TCPS_SYN_RECEIVED, .snd_nxt = 1, .rcv_nxt = 1, .rcv_wnd = OUR_BUFFER},
    {"ESTABLISHED", TCPS_ESTABLISHED, .snd_una = UNA, .snd_nxt = NXT, .rcv_nxt = RCV,
     .rcv_wnd = WND, .unread = PEER_TEXT},
    {"ESTABLISHED (window 0)", TCPS_ESTABLISHED, .is_shut = true, .snd_una = UNA, .snd_nxt = NXT,
     .rcv_nxt = FULL, .unread = OUR_BUFFER},
    {"FIN-WAIT-1", TCPS_FIN_WAIT_1, .fin_is_out = true, .snd_una = UNA, .snd_nxt = NXT + 1,
     .rcv_nxt = RCV, .rcv_wnd = WND, .unread = PEER_TEXT},
    {"FIN-WAIT-1 (window 0)", TCPS_FIN_WAIT_1, .is_shut = true, .fin_is_out = true, .snd_una = UNA,
     .snd_nxt = NXT + 1, .rcv_nxt = FULL, .unread = OUR_BUFFER},
    {"FIN-WAIT-1 (CLOSE called)", TCPS_FIN_WAIT_1, .is_given_up = true, .fin_is_out = true,
     .snd_una = UNA, .snd_nxt = NXT + 1, .rcv_nxt = RCV, .rcv_wnd = WND},
    {"FIN-WAIT-2", TCPS_FIN_WAIT_2, .snd_una = NXT + 1, .snd_nxt = NXT + 1, .rcv_nxt = RCV,
     .rcv_wnd = WND, .unread = PEER_TEXT},
    {"FIN-WAIT-2 (window 0)", TCPS_FIN_WAIT_2, .is_shut = true, .snd_una = NXT + 1,
     .snd_nxt = NXT + 1, .rcv_nxt = FULL, .unread = OUR_BUFFER},
    {"FIN-WAIT-2 (CLOSE called)", TCPS_FIN_WAIT_2, .is_given_up = true, .snd_una = NXT + 1,
     .snd_nxt = NXT + 1, .rcv_nxt = RCV, .rcv_wnd = WND},
    {"CLOSE-WAIT", TCPS_CLOSE_WAIT, .snd_una = UNA, .snd_nxt = NXT, .rcv_nxt = RCV + 1,
     .rcv_wnd = WND - 1, .unread = PEER_TEXT},
    {"CLOSING", TCPS_CLOSING, .fin_is_out = true, .snd_una = UNA, .snd_nxt = NXT + 1,
     .rcv_nxt = RCV + 1, .rcv_wnd = WND - 1, .unread = PEER_TEXT},
    {"LAST-ACK", TCPS_LAST_ACK, .fin_is_out = true, .snd_una = UNA, .snd_nxt = NXT + 1,
     .rcv_nxt = RCV + 1, .rcv_wnd = WND - 1, .unread = PEER_TEXT},
    {"TIME-WAIT", TCPS_TIME_WAIT, .snd_una = NXT + 1, .snd_nxt = NXT + 1, .rcv_nxt = RCV + 1,
     .rcv_wnd = WND - 1, .unread = PEER_TEXT},
    {"TIME-WAIT (CLOSE called)", TCPS_TIME_WAIT, .is_given_up = true, .snd_una = NXT + 1,
     .snd_nxt = NXT + 1, .rcv_nxt = RCV + 1, .rcv_wnd = WND - 1},
    {"TIME-WAIT (and a listener)", TCPS_TIME_WAIT, .is_passive = true, .listens = true,
     .is_given_up = true, .snd_una = NXT + 1, .snd_nxt = NXT + 1, .rcv_nxt = RCV + 1,
     .rcv_wnd = WND - 1},
};

const struct kind kinds[KINDS] = {
    {"SYN", "S", 0, false},
    {"SYN, text", "S", KIND_TEXT, false},
    {"SYN, FIN", "FS", 0, false},
    {"SYN, ACK", "S.", 0, false},
    {"SYN, ACK, text", "S.", KIND_TEXT, false},
    {"SYN, ACK, FIN", "FS.", 0, false},
    {"RST", "R", 0, false},
    {"RST, text", "R", KIND_TEXT, false},
    {"RST, ACK", "R.", 0, false},
    {"RST, SYN", "SR", 0, false},
    {"all flags", "FSRPU.", 0, false},
    {"ACK", ".", 0, false},
    {"text", "P.", KIND_TEXT, false},
    {"text without ACK", "P", KIND_TEXT, false},
    {"FIN", "F.", 0, false},
    {"FIN, text", "FP.", KIND_TEXT, false},
    {"FIN without ACK", "F", 0, false},
    {"no flags", "0", 0, false},
    {"URG", "U.", 0, false},
    {"URG, text", "UP.", KIND_TEXT, false},
    {"URG without ACK", "U", 0, false},
    {"SYN, bad checksum", "S", 0, true},
    {"RST, bad checksum", "R.", 0, true},
    {"text, bad checksum", "P.", KIND_TEXT, true},
    {"FIN, bad checksum", "F.", 0, true},
};

static bool has_flag(const struct kind *kind, char flag)
{
    return strchr(kind->flags, flag) != NULL;
}

/* SEG.LEN without text. */
static uint32_t controls(const struct kind *kind)
{
    return (has_flag(kind, 'S') ? 1u : 0u) + (has_flag(kind, 'F') ? 1u : 0u);
}

/* Before the handshake there is no window, so there are no edges. */
static bool seq_exists(const struct cell *cell)
{
    uint32_t len = cell->kind->text + controls(cell->kind);

    if (cell->kind->is_damaged)
        return cell->seq == SEQ_LEFT_EDGE;
    if (cell->place->state < TCPS_SYN_RECEIVED)
        return cell->seq == SEQ_LEFT || cell->seq == SEQ_LEFT_EDGE || cell->seq == SEQ_FAR_RIGHT;
    switch (cell->seq) {
    case SEQ_STRADDLES_LEFT:
        return len > 1;
    case SEQ_FILLS: /* what has no text cannot be as long as a window */
    case SEQ_COVERS:
        return cell->kind->text > 0 && cell->place->rcv_wnd > 0;
    case SEQ_STRADDLES_RIGHT:
    case SEQ_INSIDE:
    case SEQ_LAST:
        return cell->place->rcv_wnd > 0 && (cell->seq != SEQ_STRADDLES_RIGHT || len > 1);
    case SEQ_RIGHT_EDGE: /* of a window that is shut this is the left one */
        return cell->place->rcv_wnd > 0;
    case SEQ_FAR_LEFT:
    case SEQ_LEFT:
    case SEQ_DUPLICATE:
    case SEQ_LEFT_EDGE:
    case SEQ_RIGHT:
    case SEQ_FAR_RIGHT:
    case SEQ_POSITIONS:
        break;
    }
    return true;
}

static bool ack_exists(const struct cell *cell)
{
    const struct place *place = cell->place;

    if (!has_flag(cell->kind, '.'))
        return cell->ack == ACK_NONE;
    if (place->state <= TCPS_LISTEN) /* nothing is sent, so all are alike */
        return cell->ack == ACK_UNSENT;
    if (cell->kind->is_damaged) /* it would count */
        return cell->ack == (place->snd_nxt > place->snd_una ? ACK_NXT : ACK_UNA);
    switch (cell->ack) {
    case ACK_NONE:
        return false;
    case ACK_PART:
        return place->snd_nxt - place->snd_una > 1;
    case ACK_TEXT:
        return place->fin_is_out;
    case ACK_NXT:
        return place->snd_nxt > place->snd_una;
    case ACK_TOO_OLD:
    case ACK_OLDEST:
    case ACK_OLD:
    case ACK_UNA:
    case ACK_UNSENT:
    case ACK_POSITIONS:
        break;
    }
    return true;
}

static bool stamp_exists(const struct cell *cell)
{
    bool is_agreed = cell->stamp >= STAMP_FRESH;

    if (cell->kind->is_damaged)
        return cell->stamp == STAMP_NONE;
    if (is_agreed && cell->place->state < TCPS_SYN_RECEIVED)
        return false;
    /* Which ACK fields are good does not depend on the timestamps: three of them will do. */
    return cell->stamp == STAMP_NONE || cell->ack == ACK_NONE || cell->ack == ACK_UNA ||
           cell->ack == ACK_NXT || cell->ack == ACK_UNSENT;
}

bool cell_exists(const struct cell *cell)
{
    return seq_exists(cell) && ack_exists(cell) && stamp_exists(cell);
}

bool cell_has_timestamps(const struct cell *cell)
{
    return cell->stamp >= STAMP_FRESH;
}

static int64_t ack_of(const struct cell *cell)
{
    const struct place *place = cell->place;

    switch (cell->ack) {
    case ACK_TOO_OLD:
        return place->snd_una - PEER_WINDOW - 1;
    case ACK_OLDEST:
        return place->snd_una - PEER_WINDOW;
    case ACK_OLD:
        return place->snd_una - 1;
    case ACK_UNA:
        return place->snd_una;
    case ACK_PART:
        return (place->snd_una + place->snd_nxt) / 2;
    case ACK_TEXT:
        return place->snd_nxt - 1;
    case ACK_NXT:
        return place->snd_nxt;
    case ACK_UNSENT:
        return place->snd_nxt + 1;
    case ACK_NONE:
    case ACK_POSITIONS:
        break;
    }
    return 0;
}

static int64_t seq_of(const struct cell *cell, int64_t len)
{
    int64_t left = cell->place->rcv_nxt;
    int64_t right = left + cell->place->rcv_wnd;
    int64_t last = len > 0 ? len : 1; /* an empty segment counts as the octet that it names */

    switch (cell->seq) {
    case SEQ_FAR_LEFT:
        return left - INT32_MAX + 100;
    case SEQ_LEFT:
        return left - 100;
    case SEQ_DUPLICATE:
        return left - last;
    case SEQ_STRADDLES_LEFT:
    case SEQ_COVERS:
        return left - (len + 1) / 2;
    case SEQ_LEFT_EDGE:
    case SEQ_FILLS:
        return left;
    case SEQ_INSIDE:
        return left + 200;
    case SEQ_LAST:
        return right - last;
    case SEQ_STRADDLES_RIGHT:
        return right - len / 2;
    case SEQ_RIGHT_EDGE:
        return right;
    case SEQ_RIGHT:
        return right + 100;
    case SEQ_FAR_RIGHT:
        return right + INT32_MAX - 2000;
    case SEQ_POSITIONS:
        break;
    }
    return 0;
}

struct arrival cell_arrival(const struct cell *cell)
{
    static const char letters[] = "FSRP.U";
    struct arrival seg = {.text = cell->kind->text, .is_damaged = cell->kind->is_damaged};

    for (const char *letter = cell->kind->flags; *letter != '\0' && *letter != '0'; letter++)
        seg.flags |= (uint8_t)(1u << (strchr(letters, *letter) - letters));
    seg.seq = seq_of(cell, seg.text + controls(cell->kind));
    if (cell->seq == SEQ_FILLS)
        seg.text = (uint32_t)cell->place->rcv_wnd - (has_flag(cell->kind, 'S') ? 1 : 0);
    if (cell->seq == SEQ_COVERS)
        seg.text += (uint32_t)cell->place->rcv_wnd;
    seg.seg_len = seg.text + controls(cell->kind);
    seg.ack = ack_of(cell);
    seg.up = seg.flags & TCP_URG ? URGENT_OFFSET : 0;
    seg.has_stamp = cell->stamp != STAMP_NONE && cell->stamp != STAMP_MISSING;
    seg.ts_val = cell->stamp == STAMP_EARLY  ? EARLY_TS
                 : cell->stamp == STAMP_SAME ? TS_RECENT
                                             : FRESH_TS;
    return seg;
}

const char *cell_segment(const struct cell *cell)
{
    struct arrival seg = cell_arrival(cell);
    const char *ack = seg.flags & TCP_ACK ? segment(" ack %" PRId64, seg.ack) : "";
    const char *up = seg.flags & TCP_URG ? segment(" urg %u", seg.up) : "";
    const char *stamp = seg.has_stamp ? segment(" <TS val %d ecr 0>", seg.ts_val) : "";

    return segment("%s %" PRId64 ":%" PRId64 "(%u)%s win %d%s%s", cell->kind->flags, seg.seq,
                   seg.seq + seg.text, seg.text, ack, PEER_WINDOW, up, stamp);
}

/* ---- names */

const char *seq_position_name(enum seq_position seq)
{
    static const char *const names[SEQ_POSITIONS] = {
        [SEQ_FAR_LEFT] = "far left",        [SEQ_LEFT] = "left",
        [SEQ_DUPLICATE] = "duplicate",      [SEQ_STRADDLES_LEFT] = "straddles left edge",
        [SEQ_LEFT_EDGE] = "at RCV.NXT",     [SEQ_FILLS] = "fills window",
        [SEQ_COVERS] = "covers window",     [SEQ_INSIDE] = "inside",
        [SEQ_LAST] = "last in window",      [SEQ_STRADDLES_RIGHT] = "straddles right edge",
        [SEQ_RIGHT_EDGE] = "at right edge", [SEQ_RIGHT] = "right",
        [SEQ_FAR_RIGHT] = "far right",
    };

    return names[seq];
}

const char *ack_position_name(enum ack_position ack)
{
    static const char *const names[ACK_POSITIONS] = {
        [ACK_NONE] = "-",
        [ACK_TOO_OLD] = "UNA-MAX.WND-1",
        [ACK_OLDEST] = "UNA-MAX.WND",
        [ACK_OLD] = "UNA-1",
        [ACK_UNA] = "UNA",
        [ACK_PART] = "part",
        [ACK_TEXT] = "all but FIN",
        [ACK_NXT] = "NXT",
        [ACK_UNSENT] = "NXT+1",
    };

    return names[ack];
}

const char *stamp_name(enum stamp stamp)
{
    static const char *const names[STAMPS] = {
        [STAMP_NONE] = "-",    [STAMP_UNASKED] = "unasked", [STAMP_FRESH] = "fresh",
        [STAMP_SAME] = "same", [STAMP_EARLY] = "early",     [STAMP_MISSING] = "missing",
    };

    return names[stamp];
}
