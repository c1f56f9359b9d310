/* The cache of path MTUs, see path_mtu.h: a short list that is searched from its beginning, because
 * it is asked once for each connection and holds only hosts behind a link that is narrower than
 * ours. A path is known by its far end alone (RFC 4821 5.2).
 *
 * An entry holds for path_mtu_age_us: paths change, and no router says that packets might be larger
 * again (RFC 1191 6.3). Nothing is done when it ends but that it is not believed any more. Who has
 * a connection looks for a larger MTU by itself, and says here what it found.
 *
 * Invariant: only a transport writes here, after it has recognized the segment that the router has
 * quoted, or has seen packets of this size acknowledged. ip/ itself believes no ICMP error.
 *
 * Negative advice (RFC 1122 3.3.1.4) is meant for choosing another gateway. There is one link here
 * and no gateway to change; what can be wrong in this layer is the path MTU, so that is given up.
 */
#include "path_mtu.h"

#include "../instance.h"

/* Where the path to `remote` is in the list, or would be. */
static unsigned find(const struct ip_paths *paths, const struct ip_addr *remote)
{
    unsigned i = 0;

    while (i < paths->count && !ip_addr_equal(&paths->path[i].remote, remote))
        i++;
    return i;
}

/* What is known and still holds; 0: nothing. */
static uint16_t known_mtu(const struct stack *stack, const struct ip_addr *remote)
{
    const struct ip_paths *paths = &stack->ip.paths;
    unsigned i = find(paths, remote);

    if (i == paths->count ||
        stack->now_us - paths->path[i].learned_us >= stack->config.path_mtu_age_us)
        return 0;
    return paths->path[i].mtu_bytes;
}

uint16_t ip_path_mtu(const struct stack *stack, const struct ip_addr *remote)
{
    uint16_t mtu_bytes = known_mtu(stack, remote);

    return mtu_bytes != 0 ? mtu_bytes : stack->config.mtu_bytes;
}

static void forget(struct ip_paths *paths, const struct ip_addr *remote)
{
    unsigned i = find(paths, remote);

    if (i < paths->count)
        paths->path[i] = paths->path[--paths->count];
}

static unsigned find_oldest(const struct ip_paths *paths)
{
    unsigned oldest = 0;

    for (unsigned i = 1; i < paths->count; i++)
        if (paths->path[i].learned_us < paths->path[oldest].learned_us)
            oldest = i;
    return oldest;
}

void ip_learn_path_mtu(struct stack *stack, const struct ip_addr *remote, uint16_t mtu_bytes)
{
    struct ip_paths *paths = &stack->ip.paths;
    unsigned i = find(paths, remote);

    if (mtu_bytes >= stack->config.mtu_bytes) {
        forget(paths, remote);
        return;
    }
    if (i == IP_PATHS_MAX)
        i = find_oldest(paths);
    else if (i == paths->count)
        paths->count++;
    paths->path[i] = (struct ip_path){*remote, stack->now_us, mtu_bytes};
}

void ip_negative_advice(struct stack *stack, const struct flow_id *flow, const char *cause)
{
    uint16_t mtu_bytes = known_mtu(stack, &flow->remote);

    forget(&stack->ip.paths, &flow->remote);
    if (stack->config.trace)
        stack_trace(stack, &(struct trace_event){.kind = TRACE_PATH_MTU,
                                                 .flow = flow,
                                                 .cause = cause,
                                                 .clause = "9293 3.8.3, RFC 1122 3.3.1.4",
                                                 .u.path_mtu = {PATH_MTU_FORGOTTEN, mtu_bytes}});
}
