/* The words of the rules: what may be asked of a segment that arrives, and what may be done. */
#ifndef TUNTCP_TESTS_CELLS_VIEW_H
#define TUNTCP_TESTS_CELLS_VIEW_H

#include "rules.h"

/* What the rules look at: the segment, and the connection as it has become so far. */
struct view {
    const struct cell *cell;
    const struct place *place;
    struct arrival seg;
    struct reaction *r;
};

/* ---- when.c */

bool always(const struct view *v);
bool is_damaged(const struct view *v);
bool has_syn(const struct view *v);
bool has_rst(const struct view *v);
bool has_ack(const struct view *v);
bool has_no_ack(const struct view *v);
bool has_urg(const struct view *v);
bool has_fin(const struct view *v);
bool has_syn_and_fin(const struct view *v);
bool has_text(const struct view *v);
bool has_syn_and_text(const struct view *v);
bool has_syn_and_text_or_fin(const struct view *v);
bool repeats_its_syn(const struct view *v);
bool is_crossing_syn_ack(const struct view *v);
bool is_not_acceptable(const struct view *v);
bool covers_the_window(const struct view *v);
bool has_new_text(const struct view *v);
bool is_new_text_in_order(const struct view *v);
bool is_exactly_next_text(const struct view *v);
bool is_behind_a_hole(const struct view *v);
bool is_fin_next(const struct view *v);
bool is_fin_next_but_window_ends(const struct view *v);
bool repeats_the_fin(const struct view *v);
bool acks_something_new(const struct view *v);
bool acks_nothing_new(const struct view *v);
bool acks_nothing_of_a_syn(const struct view *v);
bool acks_what_cannot_be(const struct view *v);
bool acks_our_fin(const struct view *v);
bool lacks_its_timestamp(const struct view *v);
bool is_too_early(const struct view *v);
bool has_timestamp_to_keep(const struct view *v);
bool is_request_with_newer_timestamp(const struct view *v);
bool is_request_that_brings_timestamps(const struct view *v);
bool is_request_with_higher_number(const struct view *v);
bool has_rst_at_rcv_nxt(const struct view *v);
bool has_rst_at_rcv_nxt_and_was_passive(const struct view *v);
bool has_rst_not_in_window(const struct view *v);
bool has_syn_and_was_passive(const struct view *v);
bool has_syn_and_ack(const struct view *v);
bool has_bad_ack_and_rst(const struct view *v);
bool has_rst_and_ack(const struct view *v);
bool has_text_for_nobody(const struct view *v);
bool has_text_and_window_is_shut(const struct view *v);
bool has_unexpected_syn(const struct view *v);
/* Where the text of a segment begins and ends; the end is the number of its FIN. */
int64_t text_begin(const struct view *v);
int64_t text_end(const struct view *v);

/* ---- then.c */

void ignore(const struct view *v);
void acknowledge(const struct view *v);
void acknowledge_and_wait_again(const struct view *v);
void reset_from_its_ack(const struct view *v);
void reset_from_its_seq(const struct view *v);
void end_quietly(const struct view *v);
void end_reset(const struct view *v);
void end_refused(const struct view *v);
void return_to_listen(const struct view *v);
void abort_for_lost_text(const struct view *v);
void learn_timestamp(const struct view *v);
void open_for_syn(const struct view *v);
void send_syn_ack_again(const struct view *v);
void cross_syns(const struct view *v);
void establish_from_syn_sent(const struct view *v);
void establish(const struct view *v);
void advance_snd_una(const struct view *v);
void to_fin_wait_2(const struct view *v);
void to_time_wait(const struct view *v);
void mark_urgent(const struct view *v);
void take_whole_text(const struct view *v);
void take_new_part_of_text(const struct view *v);
void hold_for_later(const struct view *v);
void take_fin_to_close_wait(const struct view *v);
void take_fin_to_closing(const struct view *v);
void take_fin_to_time_wait(const struct view *v);

#endif
