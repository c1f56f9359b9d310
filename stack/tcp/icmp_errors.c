/* ICMP errors about segments that we sent, RFC 9293 3.9.2.2: soft ones are noted, hard ones end a
 * connection that is not established yet, and "fragmentation needed" is for path MTU discovery,
 * path_mtu.c.
 *
 * RFC 5927 4.1: an error is believed only if it quotes a sequence number in flight; anyone
 * can send one. */
#include "layer.h"
#include "seq.h"
#include "tcb.h"

/* Destination Unreachable 2 and 3 (SHLD-26). Code 4 is path MTU discovery's business. */
static bool is_hard(const struct icmp_error *error)
{
    return error->type == ICMP_UNREACHABLE &&
           (error->code == ICMP_UNREACHABLE_PROTOCOL || error->code == ICMP_UNREACHABLE_PORT);
}

static bool is_too_big(const struct icmp_error *error)
{
    return error->type == ICMP_UNREACHABLE && error->code == ICMP_UNREACHABLE_FRAGMENTATION;
}

/* True if the segment that the error quotes, *seq, is in flight. */
static bool quotes_what_is_in_flight(const struct tcb *tcb, const struct icmp_error *error,
                                     uint32_t *seq)
{
    struct reader r = reader_of(error->quoted_transport);

    read_u32(&r); /* ports */
    *seq = read_u32(&r);
    return !r.overrun && seq_in(*seq, tcb->snd_una, tcb->snd_nxt - tcb->snd_una);
}

/* The application finds it in tcp_status(), and in the trace as it happens (SHLD-25); who does not
 * want to be told gives the stack no trace sink (SHLD-20). */
static void note(struct tcb *tcb)
{
    tcb->soft_error = TCP_ERR_UNREACHABLE;
    tcb->work->path.has_reason = true;
    tcb_trace(tcb, (struct trace_event){.kind = TRACE_ERROR,
                                        .cause = "ICMP error noted, the connection goes on",
                                        .clause = "9293 3.9.2.2",
                                        .u.error = {.error = (int)tcb->soft_error, .soft = true}});
}

/* Departure from SHLD-26: as RFC 5927 5.2 describes it, a hard error ends a connection only
 * before it is established; later it counts as soft. */
void tcp_on_icmp_error(struct stack *stack, const struct icmp_error *error)
{
    if (error->type == ICMP_SOURCE_QUENCH) /* MUST-55 */
        return;
    struct tcb *tcb = layer_find(stack, &error->flow); /* MUST-54 */
    uint32_t seq;
    if (tcb == NULL)
        return;
    if (!quotes_what_is_in_flight(tcb, error, &seq))
        ; /* old or forged */
    else if (is_hard(error) && !tcb_is_synchronized(tcb))
        tcb_fail(tcb, TCP_ERR_UNREACHABLE, "ICMP says that it cannot be reached", "9293 3.9.2.2");
    else if (is_too_big(error) && tcb_is_synchronized(tcb))
        path_mtu_on_too_big(tcb, error, seq);
    else
        note(tcb); /* MUST-56 */
    layer_settle(tcb);
}
