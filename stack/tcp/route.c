/* The source route of a connection, RFC 9293 3.9.2.1: the application gives one on active OPEN
 * (MUST-51), or a connection from a listener goes back by the way on which its peer's segments came
 * (MUST-53).
 *
 * What the application gave counts more than what arrives (MUST-52), and of what arrives the latest
 * (SHLD-24), if the segment is one that the connection accepts.
 *
 * RFC 7126 4.3 advises against it: whoever sends from a stranger's address with a source route by
 * way of himself gets the answers. So it can be switched off (accept_source_routes), and routers,
 * Linux among them, seldom let such packets pass. */
#include "route.h"

const struct source_route *route_of(const struct tcb *tcb)
{
    return tcb->config->source_route.hop_count > 0 ? &tcb->config->source_route
                                                   : tcb->learned_route;
}

bool route_is_valid(const struct source_route *route)
{
    if (route->hop_count > SOURCE_ROUTE_HOPS_MAX)
        return false;
    for (unsigned i = 0; i < route->hop_count; i++)
        if (!ip_addr_is_valid_source(&route->hop[i]))
            return false;
    return true;
}

/* Memory is taken once a connection. Without any, the route stays what it was. */
void route_learn(struct tcb *tcb, const struct tcp_segment *seg)
{
    struct source_route route;

    if (seg->ip_options.len == 0 || !tcb->passive_open || !tcb->config->accept_source_routes ||
        source_route_parse(seg->ip_options, &route) != SOURCE_ROUTE_COMPLETE)
        return;
    route = source_route_back(&route, &tcb->flow.id.remote);
    if (!route_is_valid(&route))
        return;
    if (tcb->learned_route == NULL)
        tcb->learned_route = memory_take(&tcb->stack->memory, sizeof route);
    if (tcb->learned_route == NULL)
        return;
    *tcb->learned_route = route;
    tcb_update_mss(tcb);
    tcb->work->cc.mss = tcb->snd_mss;
}
