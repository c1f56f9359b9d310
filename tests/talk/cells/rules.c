/* The expectations of the matrix: RFC 9293 3.10.7 as a list of rules, with RFC 5961, RFC 7323, RFC
 * 6191 and RFC 1337 in their places.
 *
 * The rules stand in the order of the text and are walked from the top. A rule speaks of some
 * states, WHEN something is so of the segment, and says what THEN becomes of the connection, and
 * whether that is the end of it ("and return") or the walk goes on. Each names its clause. Where
 * the text leaves a choice, contradicts itself, or is departed from, `note` says why; `elsewhere`
 * is what Linux or FreeBSD are documented to do, where they differ.
 *
 * The rules are written from the RFCs and know nothing of stack/: neither its functions nor its
 * arithmetic. What their words mean is in when.c and then.c, each a line or two. */
#include "view.h"

enum {
    CLOSED = 1 << TCPS_CLOSED,
    LISTEN = 1 << TCPS_LISTEN,
    SYN_SENT = 1 << TCPS_SYN_SENT,
    SYN_RECEIVED = 1 << TCPS_SYN_RECEIVED,
    ESTABLISHED = 1 << TCPS_ESTABLISHED,
    FIN_WAIT_1 = 1 << TCPS_FIN_WAIT_1,
    FIN_WAIT_2 = 1 << TCPS_FIN_WAIT_2,
    CLOSE_WAIT = 1 << TCPS_CLOSE_WAIT,
    CLOSING = 1 << TCPS_CLOSING,
    LAST_ACK = 1 << TCPS_LAST_ACK,
    TIME_WAIT = 1 << TCPS_TIME_WAIT,
    RECEIVING = ESTABLISHED | FIN_WAIT_1 | FIN_WAIT_2, /* the peer may send text */
    PEER_DONE = CLOSE_WAIT | CLOSING | LAST_ACK,
    SYNCHRONIZED = RECEIVING | PEER_DONE | TIME_WAIT,
    OTHER = SYN_RECEIVED | SYNCHRONIZED, /* "Other States", 3.10.7.4 */
    ANY = CLOSED | LISTEN | SYN_SENT | OTHER,
};

enum flow {
    RETURN,
    GO_ON,
    GO_TO_SIXTH, /* "continue processing at the sixth step" */
};

struct rule {
    int states;
    bool (*when)(const struct view *v);
    void (*then)(const struct view *v);
    enum flow flow;
    const char *clause;
    const char *note, *elsewhere;
};

static const struct rule rules[] = {
    {ANY, is_damaged, ignore, RETURN, "9293 3.1 MUST-3"},

    /* 3.10.7.1 */
    {CLOSED, has_rst, ignore, RETURN, "9293 3.10.7.1"},
    {CLOSED, has_no_ack, reset_from_its_seq, RETURN, "9293 3.10.7.1"},
    {CLOSED, has_ack, reset_from_its_ack, RETURN, "9293 3.10.7.1"},

    /* 3.10.7.2 */
    {LISTEN, has_rst, ignore, RETURN, "9293 3.10.7.2 first"},
    {LISTEN, has_ack, reset_from_its_ack, RETURN, "9293 3.10.7.2 second"},
    {LISTEN, has_syn_and_fin, open_for_syn, RETURN, "9293 3.10.7.2 third",
     "departure: text and FIN are not queued, the peer sends them again", "Linux drops it"},
    {LISTEN, has_syn_and_text, open_for_syn, RETURN, "9293 3.10.7.2 third",
     "departure: text and FIN are not queued, the peer sends them again"},
    {LISTEN, has_syn, open_for_syn, RETURN, "9293 3.10.7.2 third"},
    {LISTEN, always, ignore, RETURN, "9293 3.10.7.2 fourth"},

    /* 3.10.7.3 */
    {SYN_SENT, has_bad_ack_and_rst, ignore, RETURN, "9293 3.10.7.3 first"},
    {SYN_SENT, acks_nothing_of_a_syn, reset_from_its_ack, RETURN, "9293 3.10.7.3 first"},
    {SYN_SENT, has_rst_and_ack, end_refused, RETURN, "9293 3.10.7.3 second",
     "departure: 3.10.7.3 calls it \"connection reset\", 3.10.7.4 the same thing \"refused\""},
    {SYN_SENT, has_rst, ignore, RETURN, "9293 3.10.7.3 second"},
    {SYN_SENT, has_syn_and_ack, establish_from_syn_sent, GO_TO_SIXTH, "9293 3.10.7.3 fourth"},
    {SYN_SENT, has_syn_and_text_or_fin, cross_syns, RETURN, "9293 3.10.7.3 fourth",
     "departure: text and FIN are not queued, the peer sends them again"},
    {SYN_SENT, has_syn, cross_syns, RETURN, "9293 3.10.7.3 fourth"},
    {SYN_SENT, always, ignore, RETURN, "9293 3.10.7.3 fifth"},

    /* 3.10.7.4, before the first: a SYN that reopens, and timestamps */
    {TIME_WAIT, is_request_with_newer_timestamp, open_for_syn, RETURN, "RFC 6191 2; SHLD-4"},
    {TIME_WAIT, is_request_that_brings_timestamps, open_for_syn, RETURN, "RFC 6191 2; SHLD-4"},
    {TIME_WAIT, is_request_with_higher_number, open_for_syn, RETURN, "RFC 6191 2; MAY-2"},
    {OTHER, lacks_its_timestamp, ignore, RETURN, "RFC 7323 3.2", NULL,
     "Linux takes it, FreeBSD too unless net.inet.tcp.tolerate_missing_ts is 0"},
    {OTHER, is_too_early, acknowledge, RETURN, "RFC 7323 5.3 R1", NULL,
     "Linux limits such answers (net.ipv4.tcp_invalid_ratelimit)"},

    /* first: the sequence number */
    {TIME_WAIT, repeats_the_fin, acknowledge_and_wait_again, RETURN, "9293 3.10.7.4 fifth, eighth",
     "by the first check alone 2 MSL would never start again"},
    {OTHER, has_rst_not_in_window, ignore, RETURN, "RFC 5961 3.2 (1)"},
    {SYN_RECEIVED, repeats_its_syn, send_syn_ack_again, RETURN, "9293 3.10.7.4 first",
     "departure: not a plain ACK; our SYN,ACK was lost", "Linux does the same"},
    {OTHER, covers_the_window, acknowledge, RETURN, "9293 3.10.7.4 first",
     "table 6 word for word: neither its first nor its last octet is in the window"},
    {SYN_RECEIVED, is_crossing_syn_ack, acknowledge, GO_ON, "9293 3.5 figure 8, A.2",
     "departure: by the first and fourth check it would be dropped"},
    {OTHER, is_not_acceptable, acknowledge, RETURN, "9293 3.10.7.4 first", NULL,
     "Linux limits such answers (net.ipv4.tcp_invalid_ratelimit)"},
    {OTHER, has_timestamp_to_keep, learn_timestamp, GO_ON, "RFC 7323 5.3 R3"},

    /* second: RST */
    {TIME_WAIT, has_rst_at_rcv_nxt, ignore, RETURN, "RFC 1337 3 (F1)",
     "departure: 2 MSL are waited out, or an old duplicate could end them",
     "Linux ends TIME-WAIT unless net.ipv4.tcp_rfc1337 is set; FreeBSD ignores it"},
    {SYN_RECEIVED, has_rst_at_rcv_nxt_and_was_passive, return_to_listen, RETURN,
     "9293 3.10.7.4 second; MUST-11"},
    {SYN_RECEIVED, has_rst_at_rcv_nxt, end_refused, RETURN, "9293 3.10.7.4 second"},
    {RECEIVING | CLOSE_WAIT, has_rst_at_rcv_nxt, end_reset, RETURN,
     "9293 3.10.7.4 second; RFC 5961 3.2 (2)"},
    {CLOSING | LAST_ACK, has_rst_at_rcv_nxt, end_reset, RETURN,
     "9293 3.10.7.4 second; RFC 5961 3.2 (2); 9293 3.5.3",
     "3.5.3 has the user advised, 3.10.7.4 does not speak of it"},
    {OTHER, has_rst, acknowledge, RETURN, "RFC 5961 3.2 (3)"},

    /* fourth: SYN */
    {SYN_RECEIVED, has_syn_and_was_passive, return_to_listen, RETURN, "9293 3.10.7.4 fourth", NULL,
     "Linux answers by RST"},
    {OTHER, has_unexpected_syn, acknowledge, RETURN, "RFC 5961 4.2"},

    /* fifth: ACK */
    {OTHER, has_no_ack, ignore, RETURN, "9293 3.10.7.4 fifth"},
    {SYN_RECEIVED, acks_something_new, establish, GO_ON, "9293 3.10.7.4 fifth"},
    {SYN_RECEIVED, always, reset_from_its_ack, RETURN, "9293 3.10.7.4 fifth; 3.5.2 group 2",
     "RFC 5961 5.2 would have an ACK sent; before the connection stands a reset is right"},
    {SYNCHRONIZED, acks_what_cannot_be, acknowledge, RETURN, "RFC 5961 5.2; MAY-12"},
    {SYNCHRONIZED, acks_something_new, advance_snd_una, GO_ON, "9293 3.10.7.4 fifth"},
    {RECEIVING | PEER_DONE, acks_nothing_new, ignore, GO_ON, "9293 3.10.7.4 fifth"},
    {FIN_WAIT_1, acks_our_fin, to_fin_wait_2, GO_ON, NULL},
    {CLOSING, acks_our_fin, to_time_wait, RETURN, NULL},
    {LAST_ACK, acks_our_fin, end_quietly, RETURN, NULL},
    {TIME_WAIT, has_ack, ignore, RETURN, "9293 3.10.7.4 fifth",
     "departure: only the peer's FIN is acknowledged and has 2 MSL begin again"},

    /* sixth: URG */
    {RECEIVING, has_urg, mark_urgent, GO_ON, "9293 3.10.7.4 sixth"},

    /* seventh: text. What begins behind a hole is held, its FIN as well. */
    {RECEIVING, has_text_and_window_is_shut, acknowledge, RETURN, "9293 3.4 MUST-66",
     "there is no room for the text; ACK and URG are taken"},
    {FIN_WAIT_1 | FIN_WAIT_2, has_text_for_nobody, abort_for_lost_text, RETURN,
     "9293 3.6.1 SHLD-3"},
    {RECEIVING, is_behind_a_hole, hold_for_later, RETURN, "9293 3.10.7.4 first SHLD-31, MAY-13"},
    {RECEIVING, is_exactly_next_text, take_whole_text, GO_ON, "9293 3.10.7.4 seventh"},
    {RECEIVING, is_new_text_in_order, take_new_part_of_text, GO_ON, "9293 3.10.7.4 seventh",
     "only what is new and in the window"},
    {PEER_DONE, has_fin, ignore, RETURN, "9293 3.10.7.4 seventh, eighth",
     "departure: no second FIN is taken, there is nothing behind the first"},
    {PEER_DONE, has_text, ignore, RETURN, "9293 3.10.7.4 seventh"},

    /* eighth: FIN */
    {RECEIVING, is_fin_next_but_window_ends, ignore, GO_ON, NULL,
     "departure: it lies just behind the window, but needs no room there"},
    {ESTABLISHED, is_fin_next, take_fin_to_close_wait, RETURN, "9293 3.10.7.4 eighth"},
    {FIN_WAIT_1, is_fin_next, take_fin_to_closing, RETURN, "9293 3.10.7.4 eighth"},
    {FIN_WAIT_2, is_fin_next, take_fin_to_time_wait, RETURN, "9293 3.10.7.4 eighth"},
    {OTHER, always, ignore, RETURN, NULL},
};

enum { RULES = sizeof rules / sizeof rules[0] };
_Static_assert(RULES <= 64, "struct reaction has one bit for each rule");

int rule_count(void)
{
    return RULES;
}

const char *rule_name(int rule)
{
    return rules[rule].clause != NULL ? rules[rule].clause : rules[rule].note;
}

static void cite(struct reaction *r, const struct rule *rule)
{
    if (rule->note != NULL)
        r->note = rule->note;
    if (rule->elsewhere != NULL)
        r->elsewhere = rule->elsewhere;
    if (rule->clause == NULL || r->clause_count == CLAUSES_MAX)
        return;
    for (unsigned i = 0; i < r->clause_count; i++)
        if (strcmp(r->clause[i], rule->clause) == 0)
            return;
    r->clause[r->clause_count++] = rule->clause;
}

struct reaction expected_reaction(const struct cell *cell)
{
    const struct place *place = cell->place;
    struct reaction r = {
        .state = place->state,
        .snd_una = place->snd_una,
        .snd_nxt = place->snd_nxt,
        .rcv_nxt = place->rcv_nxt,
        .rcv_edge = place->rcv_nxt + place->rcv_wnd,
        .readable = place->unread,
        .has_stamp = cell_has_timestamps(cell),
        .ts_recent = TS_RECENT,
    };
    struct view v = {cell, place, cell_arrival(cell), &r};

    for (int i = 0; i < RULES; i++) {
        const struct rule *rule = &rules[i];
        if ((rule->states & 1 << r.state) == 0 || !rule->when(&v))
            continue;
        rule->then(&v);
        cite(&r, rule);
        r.rules |= 1ull << i;
        if (rule->flow == RETURN)
            break;
        while (rule->flow == GO_TO_SIXTH && rules[i + 1].when != has_urg)
            i++;
    }
    return r;
}
