/* WHEN a rule of rules.c applies: what can be asked of a segment and a connection, in the RFCs'
 * words. Numbers are relative, signed and wide, so that `<` is right here. */
#include "view.h"

/* ---- the segment's flags */

bool always(const struct view *v)
{
    (void)v;
    return true;
}

bool is_damaged(const struct view *v)
{
    return v->seg.is_damaged;
}

bool has_syn(const struct view *v)
{
    return (v->seg.flags & TCP_SYN) != 0;
}

bool has_rst(const struct view *v)
{
    return (v->seg.flags & TCP_RST) != 0;
}

bool has_ack(const struct view *v)
{
    return (v->seg.flags & TCP_ACK) != 0;
}

bool has_no_ack(const struct view *v)
{
    return !has_ack(v);
}

bool has_urg(const struct view *v)
{
    return (v->seg.flags & TCP_URG) != 0;
}

bool has_fin(const struct view *v)
{
    return (v->seg.flags & TCP_FIN) != 0;
}

bool has_syn_and_fin(const struct view *v)
{
    return has_syn(v) && has_fin(v);
}

bool has_text(const struct view *v)
{
    return v->seg.text > 0;
}

bool has_syn_and_text(const struct view *v)
{
    return has_syn(v) && has_text(v);
}

static bool has_text_or_fin(const struct view *v)
{
    return has_text(v) || has_fin(v);
}

bool has_syn_and_text_or_fin(const struct view *v)
{
    return has_syn(v) && has_text_or_fin(v);
}

/* ---- SEG.SEQ and the window */

static bool is_octet_in_window(const struct view *v, int64_t octet)
{
    return v->r->rcv_nxt <= octet && octet < v->r->rcv_edge;
}

/* Table 6, "Segment Acceptability Tests", row by row. */
static bool is_acceptable(const struct view *v)
{
    bool window_is_shut = v->r->rcv_edge == v->r->rcv_nxt;
    int64_t last = v->seg.seq + v->seg.seg_len - 1;

    if (v->seg.seg_len == 0 && window_is_shut)
        return v->seg.seq == v->r->rcv_nxt;
    if (v->seg.seg_len == 0)
        return is_octet_in_window(v, v->seg.seq);
    if (window_is_shut)
        return false;
    return is_octet_in_window(v, v->seg.seq) || is_octet_in_window(v, last);
}

/* In SYN-RECEIVED the number of the peer's SYN is the one before RCV.NXT. */
static bool has_number_of_its_syn(const struct view *v)
{
    return v->r->state == TCPS_SYN_RECEIVED && has_syn(v) && !has_rst(v) &&
           v->seg.seq == v->r->rcv_nxt - 1;
}

bool repeats_its_syn(const struct view *v)
{
    return has_number_of_its_syn(v) && has_no_ack(v);
}

bool is_crossing_syn_ack(const struct view *v)
{
    return has_number_of_its_syn(v) && has_ack(v) && !v->place->is_passive;
}

/* "If the RCV.WND is zero, no segments will be acceptable, but special allowance should be made to
 * accept valid ACKs, URGs, and RSTs": those of a segment that has come in its turn. */
static bool has_allowance(const struct view *v)
{
    return v->place->is_shut && v->seg.seq == v->r->rcv_nxt;
}

bool is_not_acceptable(const struct view *v)
{
    return !is_acceptable(v) && !has_allowance(v) && !is_crossing_syn_ack(v);
}

bool covers_the_window(const struct view *v)
{
    return is_not_acceptable(v) && v->seg.seq < v->r->rcv_nxt &&
           v->seg.seq + v->seg.seg_len > v->r->rcv_edge;
}

static bool is_at_rcv_nxt(const struct view *v)
{
    return v->seg.seq == v->r->rcv_nxt;
}

int64_t text_begin(const struct view *v)
{
    return v->seg.seq + (has_syn(v) ? 1 : 0);
}

int64_t text_end(const struct view *v)
{
    return text_begin(v) + v->seg.text;
}

bool has_new_text(const struct view *v)
{
    return has_text(v) && text_end(v) > v->r->rcv_nxt && text_begin(v) < v->r->rcv_edge;
}

static bool is_in_order(const struct view *v)
{
    return text_begin(v) <= v->r->rcv_nxt;
}

bool is_new_text_in_order(const struct view *v)
{
    return has_new_text(v) && is_in_order(v);
}

bool is_exactly_next_text(const struct view *v)
{
    return has_new_text(v) && text_begin(v) == v->r->rcv_nxt && text_end(v) <= v->r->rcv_edge;
}

bool is_behind_a_hole(const struct view *v)
{
    return has_text_or_fin(v) && text_begin(v) > v->r->rcv_nxt;
}

/* The FIN is the next thing to be received, the text before it having been. */
bool is_fin_next(const struct view *v)
{
    return has_fin(v) && text_end(v) == v->r->rcv_nxt;
}

bool is_fin_next_but_window_ends(const struct view *v)
{
    return is_fin_next(v) && v->r->rcv_nxt == v->r->rcv_edge;
}

bool repeats_the_fin(const struct view *v)
{
    return has_fin(v) && !has_rst(v) && text_end(v) == v->r->rcv_nxt - 1;
}

/* ---- SEG.ACK */

bool acks_something_new(const struct view *v)
{
    return v->r->snd_una < v->seg.ack && v->seg.ack <= v->r->snd_nxt;
}

bool acks_nothing_new(const struct view *v)
{
    return v->seg.ack <= v->place->snd_una;
}

bool acks_nothing_of_a_syn(const struct view *v)
{
    return has_ack(v) && !acks_something_new(v);
}

/* RFC 5961 section 5: SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT. */
bool acks_what_cannot_be(const struct view *v)
{
    return v->seg.ack < v->r->snd_una - PEER_WINDOW || v->seg.ack > v->r->snd_nxt;
}

bool acks_our_fin(const struct view *v)
{
    return v->place->fin_is_out && v->seg.ack == v->r->snd_nxt;
}

/* ---- timestamps */

/* RFC 7323 5.2: a RST is not subject to any of this. That RFC says SHOULD here, RFC 5961 4.2 says
 * MUST of the answer to a SYN. */
bool lacks_its_timestamp(const struct view *v)
{
    return v->cell->stamp == STAMP_MISSING && !has_rst(v) && !has_syn(v);
}

bool is_too_early(const struct view *v)
{
    return v->cell->stamp == STAMP_EARLY && !has_rst(v);
}

/* R3: SEG.TSval >= TS.Recent and SEG.SEQ <= Last.ACK.sent, which is RCV.NXT in all places. */
bool has_timestamp_to_keep(const struct view *v)
{
    return v->cell->stamp == STAMP_FRESH && !has_rst(v) && v->seg.seq <= v->r->rcv_nxt;
}

/* ---- a new connection out of TIME-WAIT */

static bool is_request(const struct view *v)
{
    return v->place->listens && has_syn(v) && !has_ack(v) && !has_rst(v);
}

bool is_request_with_newer_timestamp(const struct view *v)
{
    return is_request(v) && v->cell->stamp == STAMP_FRESH;
}

bool is_request_that_brings_timestamps(const struct view *v)
{
    return is_request(v) && v->cell->stamp == STAMP_UNASKED;
}

/* The last number seen is that of the peer's FIN. */
bool is_request_with_higher_number(const struct view *v)
{
    return is_request(v) && v->cell->stamp != STAMP_EARLY && v->seg.seq > v->r->rcv_nxt - 1;
}

/* ---- the connection */

static bool was_passive(const struct view *v)
{
    return v->place->is_passive;
}

bool has_rst_at_rcv_nxt(const struct view *v)
{
    return has_rst(v) && is_at_rcv_nxt(v);
}

bool has_rst_at_rcv_nxt_and_was_passive(const struct view *v)
{
    return has_rst_at_rcv_nxt(v) && was_passive(v);
}

bool has_rst_not_in_window(const struct view *v)
{
    return has_rst(v) && !is_octet_in_window(v, v->seg.seq) && !is_at_rcv_nxt(v);
}

bool has_syn_and_was_passive(const struct view *v)
{
    return has_syn(v) && was_passive(v);
}

bool has_syn_and_ack(const struct view *v)
{
    return has_syn(v) && has_ack(v);
}

bool has_bad_ack_and_rst(const struct view *v)
{
    return acks_nothing_of_a_syn(v) && has_rst(v);
}

bool has_rst_and_ack(const struct view *v)
{
    return has_rst(v) && has_ack(v);
}

bool has_text_for_nobody(const struct view *v)
{
    return v->place->is_given_up && has_new_text(v);
}

bool has_text_and_window_is_shut(const struct view *v)
{
    return v->place->is_shut && has_text(v);
}

bool has_unexpected_syn(const struct view *v)
{
    return has_syn(v) && !is_crossing_syn_ack(v);
}
