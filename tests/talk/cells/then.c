/* What THEN becomes of a connection by a rule of rules.c, and what is sent. */
#include "view.h"

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void ignore(const struct view *v)
{
    (void)v;
}

void acknowledge(const struct view *v)
{
    v->r->answer = ANSWER_ACK;
}

void acknowledge_and_wait_again(const struct view *v)
{
    acknowledge(v);
    v->r->restarts_2_msl = true;
}

void reset_from_its_ack(const struct view *v)
{
    v->r->answer = ANSWER_RST;
}

void reset_from_its_seq(const struct view *v)
{
    v->r->answer = ANSWER_RST_ACK;
}

void end_quietly(const struct view *v)
{
    v->r->state = TCPS_CLOSED;
}

void end_reset(const struct view *v)
{
    v->r->state = TCPS_CLOSED;
    v->r->error = TCP_ERR_RESET;
}

void end_refused(const struct view *v)
{
    v->r->state = TCPS_CLOSED;
    v->r->error = TCP_ERR_REFUSED;
}

void return_to_listen(const struct view *v)
{
    v->r->state = TCPS_LISTEN;
}

void abort_for_lost_text(const struct view *v)
{
    v->r->answer = ANSWER_ABORT;
    v->r->state = TCPS_CLOSED;
}

void learn_timestamp(const struct view *v)
{
    v->r->has_stamp = v->seg.has_stamp;
    v->r->ts_recent = v->seg.ts_val;
}

static void learn_syn(const struct view *v)
{
    v->r->rcv_nxt = v->seg.seq + 1;
    v->r->rcv_edge = v->r->rcv_nxt + OUR_BUFFER;
    learn_timestamp(v);
}

/* A connection in SYN-RECEIVED, over LISTEN or what is left in TIME-WAIT: MAY-2 (1), our numbers go
 * on above the old ones. */
void open_for_syn(const struct view *v)
{
    learn_syn(v);
    v->r->answer = ANSWER_SYN_ACK;
    v->r->state = TCPS_SYN_RECEIVED;
    v->r->iss = v->r->snd_nxt;
    v->r->snd_una = v->r->iss;
    v->r->snd_nxt = v->r->iss + 1;
}

void send_syn_ack_again(const struct view *v)
{
    v->r->answer = ANSWER_SYN_ACK;
}

void cross_syns(const struct view *v)
{
    learn_syn(v);
    v->r->answer = ANSWER_SYN_ACK;
    v->r->state = TCPS_SYN_RECEIVED;
}

void establish_from_syn_sent(const struct view *v)
{
    learn_syn(v);
    v->r->snd_una = v->seg.ack;
    v->r->state = TCPS_ESTABLISHED;
    v->r->answer = ANSWER_ACK;
}

void establish(const struct view *v)
{
    v->r->snd_una = v->seg.ack;
    v->r->state = TCPS_ESTABLISHED;
}

void advance_snd_una(const struct view *v)
{
    v->r->snd_una = v->seg.ack;
}

void to_fin_wait_2(const struct view *v)
{
    v->r->state = TCPS_FIN_WAIT_2;
}

void to_time_wait(const struct view *v)
{
    v->r->state = TCPS_TIME_WAIT;
    v->r->restarts_2_msl = true;
}

/* RCV.UP <- max(RCV.UP, SEG.UP); the application is told if that is ahead of what it has read. */
void mark_urgent(const struct view *v)
{
    int64_t first_unread = v->r->rcv_nxt - v->r->readable;
    int64_t up = v->seg.seq + v->seg.up;

    if (up > first_unread)
        v->r->urgent = (uint32_t)(up - first_unread);
}

static void take_text(const struct view *v, enum answer answer)
{
    int64_t end = smaller(text_end(v), v->r->rcv_edge);

    v->r->readable += (uint32_t)(end - v->r->rcv_nxt);
    v->r->rcv_nxt = end;
    if (v->r->answer != ANSWER_ACK)
        v->r->answer = answer;
}

void take_whole_text(const struct view *v)
{
    take_text(v, ANSWER_ACK_LATER);
}

void take_new_part_of_text(const struct view *v)
{
    take_text(v, ANSWER_ACK_SOON);
}

void hold_for_later(const struct view *v)
{
    v->r->is_queued = has_new_text(v);
    acknowledge(v);
}

static void take_fin(const struct view *v)
{
    v->r->rcv_nxt++;
    if (v->r->rcv_edge < v->r->rcv_nxt)
        v->r->rcv_edge = v->r->rcv_nxt;
    acknowledge(v);
}

void take_fin_to_close_wait(const struct view *v)
{
    take_fin(v);
    v->r->state = TCPS_CLOSE_WAIT;
}

void take_fin_to_closing(const struct view *v)
{
    take_fin(v);
    v->r->state = TCPS_CLOSING;
}

void take_fin_to_time_wait(const struct view *v)
{
    take_fin(v);
    to_time_wait(v);
}
