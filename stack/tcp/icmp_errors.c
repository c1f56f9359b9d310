/* ICMP errors about segments that we sent, RFC 9293 3.9.2.2: soft ones are noted, hard ones end a
 * connection that is not established yet, and "fragmentation needed" lowers the segment size: path
 * MTU discovery, RFC 1191, without which a stack that always sets DF would fall silent behind a
 * tunnel.
 *
 * RFC 5927 section 4: an error is believed only if it quotes a sequence number in flight; anyone
 * can send one.
 *
 * Not done: looking for a larger MTU again after a while (RFC 1191 6.3), and finding one where ICMP
 * is filtered (RFC 4821). */
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

static bool quotes_what_is_in_flight(const struct tcb *tcb, const struct icmp_error *error)
{
    struct reader r = reader_of(error->quoted_transport);

    read_u32(&r); /* ports */
    uint32_t seq = read_u32(&r);
    return !r.overrun && seq_in(seq, tcb->snd_una, tcb->snd_nxt - tcb->snd_una);
}

/* The application finds it in tcp_status(), and in the trace as it happens (SHLD-25); who does not
 * want to be told gives the stack no trace sink (SHLD-20). */
static void note(struct tcb *tcb)
{
    tcb->soft_error = TCP_ERR_UNREACHABLE;
    tcb_trace(tcb, (struct trace_event){.kind = TRACE_ERROR,
                                        .cause = "ICMP error noted, the connection goes on",
                                        .clause = "9293 3.9.2.2",
                                        .u.error = {.error = (int)tcb->soft_error, .soft = true}});
}

/* RFC 1191 6.3 and 6.4: smaller segments from now on, and what was too large at once again. It is
 * no sign of congestion, so the window stays. */
static void lower_path_mtu(struct tcb *tcb, uint16_t next_hop_mtu)
{
    /* Smaller ones are forged more often than real, and would let an attacker make us send a header
     * per few bytes; Linux has the same floor. A router from before RFC 1191 says 0. */
    enum { PATH_MTU_MIN = 552 };
    uint16_t path_mtu = next_hop_mtu < PATH_MTU_MIN ? PATH_MTU_MIN : next_hop_mtu;
    uint32_t old_mss = tcb->snd_mss;

    if (path_mtu >= tcb->stack->config.mtu_bytes ||
        (tcb->path_mtu != 0 && path_mtu >= tcb->path_mtu))
        return;
    tcb->path_mtu = path_mtu;
    tcb_update_mss(tcb);
    if (tcb->snd_mss >= old_mss)
        return;
    tcb->cc.mss = tcb->snd_mss;
    for (unsigned i = 0; i < tcb->in_flight.count; i++) {
        const struct tx_record *record = records_at(&tcb->in_flight, i);
        if (record->end - record->start > tcb->snd_mss)
            records_mark_lost(&tcb->in_flight, i, UINT32_MAX);
    }
    tcb->recovery.send_one = true;
    tcb->resend_cause = "the path takes smaller packets only (RFC 1191)";
    tcb_wants_output(tcb);
}

/* Departure from SHLD-26: as RFC 5927 section 5 wants it, a hard error ends a connection only
 * before it is established; later it counts as soft. */
void tcp_on_icmp_error(struct stack *stack, const struct icmp_error *error)
{
    if (error->type == ICMP_SOURCE_QUENCH) /* MUST-55 */
        return;
    struct tcb *tcb = layer_find(stack, &error->flow); /* MUST-54 */
    if (tcb == NULL)
        return;
    if (!quotes_what_is_in_flight(tcb, error))
        ; /* old or forged */
    else if (is_hard(error) && !tcb_is_synchronized(tcb))
        tcb_fail(tcb, TCP_ERR_UNREACHABLE, "ICMP says that it cannot be reached", "9293 3.9.2.2");
    else if (is_too_big(error) && tcb_is_synchronized(tcb))
        lower_path_mtu(tcb, error->next_hop_mtu);
    else
        note(tcb); /* MUST-56 */
    layer_settle(tcb);
}
