/* Peer sends X in state Y, RFC 9293 3.10.7.4 with RFC 5961: every segment of the list below in
 * every state that this section is about. One row is one segment; a row tells for each state how
 * it is answered and which state follows. 3.10.7.1 to 3.10.7.3 have files of their own.
 *
 * SYN-RECEIVED is that of a passive OPEN: "return to LISTEN" ends the connection and leaves the
 * listener, so it shows as CLOSED. */
#include "talk.h"

enum { FIRST = TCPS_SYN_RECEIVED, STATES = TCPS_TIME_WAIT - TCPS_SYN_RECEIVED + 1 };

/* SEG.ACK. */
enum ack {
    ACK_NONE,
    ACK_NXT,     /* SND.NXT: everything that we have sent, our FIN included */
    ACK_UNA,     /* SND.UNA; in SYN-RECEIVED SND.NXT, for there is no way on without it */
    ACK_OLD,     /* SND.UNA - 1 */
    ACK_TOO_OLD, /* SND.UNA - MAX.SND.WND - 1 */
    ACK_UNSENT,  /* SND.NXT + 1 */
};

enum answer {
    SILENT,
    ACK,        /* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> */
    ACK_FIN,    /* the same, when the segment and its FIN have been taken */
    RST_OF_ACK, /* <SEQ=SEG.ACK><CTL=RST> */
};

struct outcome {
    enum answer answer;
    enum tcp_state state;
};

#define STAYS              \
    {                      \
        SILENT, TCPS_COUNT \
    }
#define ACKED           \
    {                   \
        ACK, TCPS_COUNT \
    }
#define GOES(answer, state)  \
    {                        \
        answer, TCPS_##state \
    }

/* The order of enum tcp_state: FIN-WAIT-2 before CLOSE-WAIT. TCPS_COUNT: stays where it is. */
static const struct row {
    const char *segment;
    const char *flags;
    int32_t seq; /* relative to RCV.NXT */
    uint32_t len;
    enum ack ack;
    const char *more;
    struct outcome outcome[STATES];
} rows[] = {
    /* first: the sequence number */
    {"text left of the window",
     "P.",
     -20,
     10,
     ACK_UNA,
     "",
     {ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED}},
    {"text right of the window",
     "P.",
     70000,
     10,
     ACK_UNA,
     "",
     {ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED}},
    {"an ACK left of the window (a keep-alive)",
     ".",
     -1,
     0,
     ACK_UNA,
     "",
     {ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED}},
    {"an ACK right of the window",
     ".",
     70000,
     0,
     ACK_UNA,
     "",
     {ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED}},
    {"its FIN once more",
     "F.",
     -1,
     0,
     ACK_UNA,
     "",
     {ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED}},
    /* second: RST, RFC 5961 section 3 */
    {"RST at RCV.NXT",
     "R",
     0,
     0,
     ACK_NONE,
     "",
     {GOES(SILENT, CLOSED), GOES(SILENT, CLOSED), GOES(SILENT, CLOSED), GOES(SILENT, CLOSED),
      GOES(SILENT, CLOSED), GOES(SILENT, CLOSED), GOES(SILENT, CLOSED), STAYS /* RFC 1337 */}},
    {"RST,ACK at RCV.NXT",
     "R.",
     0,
     0,
     ACK_NXT,
     "",
     {GOES(SILENT, CLOSED), GOES(SILENT, CLOSED), GOES(SILENT, CLOSED), GOES(SILENT, CLOSED),
      GOES(SILENT, CLOSED), GOES(SILENT, CLOSED), GOES(SILENT, CLOSED), STAYS}},
    {"RST in the window",
     "R",
     1,
     0,
     ACK_NONE,
     "",
     {ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED}},
    {"RST left of the window",
     "R",
     -1,
     0,
     ACK_NONE,
     "",
     {STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS}},
    {"RST right of the window",
     "R",
     70000,
     0,
     ACK_NONE,
     "",
     {STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS}},
    /* fourth: SYN, RFC 5961 section 4; nobody listens, so TIME-WAIT is not reused */
    {"SYN in the window",
     "S",
     100,
     0,
     ACK_NONE,
     "",
     {GOES(SILENT, CLOSED), ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED}},
    {"SYN right of the window",
     "S",
     70000,
     0,
     ACK_NONE,
     "",
     {ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED}},
    {"SYN,ACK in the window",
     "S.",
     100,
     0,
     ACK_NXT,
     "",
     {GOES(SILENT, CLOSED), ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED}},
    /* fifth: ACK */
    {"no ACK", "0", 0, 0, ACK_NONE, "", {STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS}},
    {"text without ACK",
     "P",
     0,
     10,
     ACK_NONE,
     "",
     {STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS}},
    {"FIN without ACK",
     "F",
     0,
     0,
     ACK_NONE,
     "",
     {STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS}},
    {"an ACK of everything",
     ".",
     0,
     0,
     ACK_NXT,
     "",
     {GOES(SILENT, ESTABLISHED), STAYS, GOES(SILENT, FIN_WAIT_2), STAYS, STAYS,
      GOES(SILENT, TIME_WAIT), GOES(SILENT, CLOSED), STAYS}},
    {"an ACK of nothing new",
     ".",
     0,
     0,
     ACK_UNA,
     "",
     {GOES(SILENT, ESTABLISHED), STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS}},
    {"an old ACK",
     ".",
     0,
     0,
     ACK_OLD,
     "",
     {GOES(RST_OF_ACK, COUNT), STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS}},
    {"an ACK older than the largest window",
     ".",
     0,
     0,
     ACK_TOO_OLD,
     "",
     {GOES(RST_OF_ACK, COUNT), ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED}},
    {"an ACK of what was never sent",
     ".",
     0,
     0,
     ACK_UNSENT,
     "",
     {GOES(RST_OF_ACK, COUNT), ACKED, ACKED, ACKED, ACKED, ACKED, ACKED, ACKED}},
    /* sixth: URG */
    {"an urgent pointer",
     "U.",
     0,
     0,
     ACK_UNA,
     "urg 100",
     {GOES(SILENT, ESTABLISHED), STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS}},
    /* seventh: text. In order it is acknowledged with delay; that is not waited for here. */
    {"text in order",
     "P.",
     0,
     10,
     ACK_UNA,
     "",
     {GOES(SILENT, ESTABLISHED), STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS}},
    {"text behind a hole",
     "P.",
     10,
     10,
     ACK_UNA,
     "",
     {GOES(ACK, ESTABLISHED), ACKED, ACKED, ACKED, STAYS, STAYS, STAYS, STAYS}},
    /* eighth: FIN */
    {"FIN at RCV.NXT",
     "F.",
     0,
     0,
     ACK_UNA,
     "",
     {GOES(ACK_FIN, CLOSE_WAIT), GOES(ACK_FIN, CLOSE_WAIT), GOES(ACK_FIN, CLOSING),
      GOES(ACK_FIN, TIME_WAIT), STAYS, STAYS, STAYS, STAYS}},
    {"FIN with the ACK of ours",
     "F.",
     0,
     0,
     ACK_NXT,
     "",
     {GOES(ACK_FIN, CLOSE_WAIT), GOES(ACK_FIN, CLOSE_WAIT), GOES(ACK_FIN, TIME_WAIT),
      GOES(ACK_FIN, TIME_WAIT), STAYS, GOES(SILENT, TIME_WAIT), GOES(SILENT, CLOSED), STAYS}},
    {"FIN with text",
     "FP.",
     0,
     10,
     ACK_UNA,
     "",
     {GOES(ACK_FIN, CLOSE_WAIT), GOES(ACK_FIN, CLOSE_WAIT), GOES(ACK_FIN, CLOSING),
      GOES(ACK_FIN, TIME_WAIT), STAYS, STAYS, STAYS, STAYS}},
    {"FIN behind a hole",
     "F.",
     10,
     0,
     ACK_UNA,
     "",
     {GOES(ACK, ESTABLISHED), ACKED, ACKED, ACKED, STAYS, STAYS, STAYS, STAYS}},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static uint32_t ack_of(enum ack ack, enum tcp_state state)
{
    switch (ack) {
    case ACK_NONE:
        break;
    case ACK_NXT:
        return talk_snd_nxt(state);
    case ACK_UNA:
        return state == TCPS_SYN_RECEIVED ? talk_snd_nxt(state) : talk_snd_una(state);
    case ACK_OLD:
        return talk_snd_una(state) - 1;
    case ACK_TOO_OLD:
        return talk_snd_una(state) - 65535 - 1;
    case ACK_UNSENT:
        return talk_snd_nxt(state) + 1;
    }
    return 0;
}

static const char *written(const struct row *row, enum tcp_state state)
{
    int32_t seq = (int32_t)talk_rcv_nxt(state) + row->seq;

    if (row->ack == ACK_NONE)
        return segment("%s %d:%d(%u) %s", row->flags, seq, seq + (int32_t)row->len, row->len,
                       row->more);
    return segment("%s %d:%d(%u) ack %d win 65535 %s", row->flags, seq, seq + (int32_t)row->len,
                   row->len, (int32_t)ack_of(row->ack, state), row->more);
}

static void hear(struct talk *t, const struct row *row, enum tcp_state state, enum answer answer)
{
    uint32_t seq = talk_snd_nxt(state);
    uint32_t rcv_nxt = talk_rcv_nxt(state);

    switch (answer) {
    case SILENT:
        break;
    case ACK:
        we_send(t, segment(". %u:%u(0) ack %u", seq, seq, rcv_nxt));
        break;
    case ACK_FIN:
        we_send(t, segment(". %u:%u(0) ack %u", seq, seq, rcv_nxt + row->len + 1));
        break;
    case RST_OF_ACK:
        seq = ack_of(row->ack, state);
        we_send(t, segment("R %d:%d(0)", (int32_t)seq, (int32_t)seq));
        break;
    }
    we_send_nothing(t);
}

/* All rows of the table; ACK_TOO_OLD is MAY-12. */
START_TEST(peer_sends_x_in_state_y)
{
    const struct row *row = &rows[_i / STATES];
    enum tcp_state state = (enum tcp_state)(FIRST + _i % STATES);
    const struct outcome *outcome = &row->outcome[_i % STATES];
    struct talk *t = talk_in_state(state);
    char title[160];

    snprintf(title, sizeof title, "peer sends %s in %s", row->segment, tcp_state_name(state));
    t->title = title;
    peer_sends(t, written(row, state));
    hear(t, row, state, outcome->answer);
    state_is(t, outcome->state == TCPS_COUNT ? state : outcome->state);
    talk_free(t);
}
END_TEST

/* MUST-3, MUST-7, and headers that lie about themselves: not even an ACK, in no state. */
START_TEST(malformed_segment_changes_nothing_in_state_y)
{
    static const struct {
        const char *what;
        enum talk_lie lie;
        const char *options;
        enum drop drop;
    } lies[] = {
        {"a bad checksum", LIE_CHECKSUM, "", DROP_TCP_CHECKSUM},
        {"a data offset below 5", LIE_OFFSET_SHORT, "", DROP_TCP_TRUNCATED},
        {"a data offset beyond its end", LIE_OFFSET_BEYOND, "", DROP_TCP_TRUNCATED},
        {"half a header", LIE_TRUNCATED, "", DROP_COUNT},
        {"an option of length 0", (enum talk_lie)99, "<raw 30 0>", DROP_TCP_OPTION_LENGTH},
        {"an option of length 1", (enum talk_lie)99, "<raw 30 1>", DROP_TCP_OPTION_LENGTH},
        {"an option longer than the header", (enum talk_lie)99, "<raw 30 9 1 1>",
         DROP_TCP_OPTION_LENGTH},
    };
    enum { LIES = sizeof lies / sizeof lies[0], ALL = TCPS_COUNT };
    enum tcp_state state = (enum tcp_state)(_i % ALL);
    struct talk *t = talk_in_state(state);
    char title[160];

    ck_assert_int_lt(_i / ALL, LIES);
    snprintf(title, sizeof title, "peer sends %s in %s", lies[_i / ALL].what,
             tcp_state_name(state));
    t->title = title;
    /* A RST that would count if it were well formed. */
    enum drop drop =
        peer_lies(t, lies[_i / ALL].lie,
                  segment("R. %u:%u(0) ack %u win 65535 %s", talk_rcv_nxt(state),
                          talk_rcv_nxt(state), talk_snd_nxt(state), lies[_i / ALL].options));
    ck_assert_int_ne(drop, DROP_NOT);
    if (lies[_i / ALL].drop != DROP_COUNT && lies[_i / ALL].drop != drop)
        talk_fail(t, __FILE__, __LINE__, "dropped as: %s", drop_name(drop));
    we_send_nothing(t);
    state_is(t, state);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, peer_sends_x_in_state_y, 0, ROWS * STATES);
    tcase_add_loop_test(tc, malformed_segment_changes_nothing_in_state_y, 0, 7 * TCPS_COUNT);
}

int main(void)
{
    return unit_main("every_state", tests);
}
