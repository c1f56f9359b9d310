/* SEGMENT ARRIVES in LISTEN, RFC 9293 3.10.7.2: a SYN makes a connection in SYN-RECEIVED, unless
 * the backlog is full. Then it is answered by a SYN cookie (syncookie.h), and the ACK that brings
 * it back makes the connection.
 *
 * Limits, per listener and much as in Linux: those in SYN-RECEIVED and those that wait for
 * tcp_accept() are together at most `backlog`; connections that come by cookies need only that the
 * latter alone are fewer. Where those are not, SYNs are dropped, and ACKs that complete a handshake
 * are too: what is kept stays in SYN-RECEIVED, and the peer's text or our SYN,ACK try again. */
#include "arrives.h"

#include "arrives_steps.h"

#include "layer.h"
#include "output.h"
#include "route.h"
#include "syncookie.h"

static void take_syn(struct tcb *tcb, const struct tcp_segment *syn)
{
    arrives_take_syn(tcb, syn);
    route_learn(tcb, syn); /* MUST-53 */
    tcb->snd_wnd = tcb->max_snd_wnd = syn->wnd;
}

bool arrives_accept_queue_is_full(const struct tcb *listener)
{
    return listener->work->accept_count >= listener->config->backlog;
}

/* Answer a SYN and keep nothing of it: the TCB that makes the answer is gone afterwards. */
static enum drop send_cookie(struct tcb *listener, const struct flow_id *id,
                             const struct tcp_segment *seg)
{
    struct stack *stack = listener->stack;
    struct tcp_segment syn = syncookie_reduced(listener->config, seg);
    struct tcb *tcb =
        tcb_new(stack, id, TCPS_SYN_RECEIVED, listener->config, listener->shared_config);

    if (tcb == NULL)
        return DROP_TCP_MEMORY;
    tcb->passive_open = true;
    layer_choose_numbers(tcb);
    take_syn(tcb, &syn);
    tcb->iss = syncookie_iss(stack, id, &syn);
    tcp_send_syn_cookie(tcb, syncookie_tsval(tcb_tsval(tcb), &syn),
                        "answers the SYN by a cookie: the backlog is full (RFC 4987 3.6)");
    tcb_free(tcb);
    listener->work->cookie_sent_us = stack->now_us;
    stack->counters.syn_cookies_sent++;
    return DROP_NOT;
}

/* An ACK that brings a cookie back is the SYN, which has been with the peer meanwhile, and the ACK
 * of our answer to it, perhaps with text: first the one arrives, then the other. */
static enum drop take_cookie(struct tcb *listener, const struct flow_id *id,
                             const struct tcp_segment *syn, const struct tcp_segment *seg)
{
    if (arrives_accept_queue_is_full(listener)) /* the peer's text will come again, and so it */
        return DROP_TCP_BACKLOG_FULL;
    struct tcb *tcb = layer_new_child(listener, id);
    if (tcb == NULL)
        return DROP_TCP_MEMORY;
    take_syn(tcb, syn);
    tcb->iss = tcb->snd_una = tcb->snd_nxt = seg->ack - 1;
    tcp_set_state(tcb, TCPS_SYN_RECEIVED, "the ACK brings a valid SYN cookie", "RFC 4987 3.6");
    listener->stack->counters.syn_cookies_taken++;
    enum drop drop = DROP_TCP_MEMORY;
    if (tcp_syn_ack_was_sent(tcb))
        drop = tcp_arrives(tcb, seg);
    else
        tcb_fail(tcb, TCP_ERR_RESOURCES, "memory is short", NULL);
    layer_settle(tcb);
    return drop;
}

/* 3.10.7.2 second. */
static enum drop ack_in_listen(struct tcb *listener, const struct flow_id *id,
                               const struct tcp_segment *seg)
{
    struct tcp_segment syn;

    if (!(seg->flags & TCP_SYN) && syncookie_is_awaited(listener)) {
        if (syncookie_check(listener->stack, id, seg, &syn))
            return take_cookie(listener, id, &syn, seg);
        listener->stack->counters.syn_cookies_failed++;
        tcp_refuse(listener->stack, id, seg, "no valid SYN cookie (9293 3.10.7.2)");
        return DROP_TCP_STATE;
    }
    tcp_refuse(listener->stack, id, seg, "an ACK on a port that only listens (9293 3.10.7.2)");
    return DROP_TCP_STATE;
}

/* With a full accept queue a SYN is dropped, cookies or not: what its ACK would make could not be
 * taken in either. */
static bool wants_cookie(const struct tcb *listener)
{
    enum tcp_syn_cookies how = listener->config->syn_cookies;
    bool is_full = listener->work->handshaking_count + listener->work->accept_count >=
                   listener->config->backlog;

    return how == TCP_SYN_COOKIES_ALWAYS || (how == TCP_SYN_COOKIES_AUTO && is_full);
}

enum drop tcp_arrives_listen(struct tcb *listener, const struct flow_id *id,
                             const struct tcp_segment *seg)
{
    if (seg->flags & TCP_RST) /* first */
        return DROP_TCP_STATE;
    if (seg->flags & TCP_ACK) /* second */
        return ack_in_listen(listener, id, seg);
    if (!(seg->flags & TCP_SYN)) /* fourth */
        return DROP_TCP_STATE;
    if (arrives_accept_queue_is_full(listener)) /* third */
        return DROP_TCP_BACKLOG_FULL;
    if (wants_cookie(listener) && !syn_flood_answers(listener->stack, id, seg->seq))
        return DROP_TCP_SYN_FLOOD;
    if (wants_cookie(listener))
        return send_cookie(listener, id, seg);
    if (listener->work->handshaking_count + listener->work->accept_count >=
        listener->config->backlog)
        return DROP_TCP_BACKLOG_FULL;
    struct tcb *tcb = layer_new_child(listener, id);
    if (tcb == NULL)
        return DROP_TCP_MEMORY;
    take_syn(tcb, seg);
    tcp_set_state(tcb, TCPS_SYN_RECEIVED, "SYN arrives", "9293 3.10.7.2 third");
    tcb_wants_output(tcb);
    /* Departure: text and FIN on a SYN are not queued, here and in SYN-SENT, but left for the peer
     * to send again: before the handshake is done they may come from anywhere. */
    return DROP_NOT;
}
