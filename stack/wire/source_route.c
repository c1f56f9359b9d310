/* Source routes, RFC 791 3.1 and RFC 1122 3.2.1.8 (c).
 *
 * To reach D by way of G1 and G2, a packet leaves for G1 with the option {>> G2, D}. Each gateway
 * puts the address behind the pointer into the destination and its own in its place, so that D
 * receives {G1, G2 >>}: the route as it was gone, which read backwards is the route home. */
#include "source_route.h"

enum {
    OPTION_END = 0,
    OPTION_NOP = 1,
    OPTION_LOOSE = 131,
    OPTION_STRICT = 137,
    HEAD_BYTES = 3,  /* type, length, pointer */
    POINTER_MIN = 4, /* counted from 1, the type being the first octet */
    ADDRESS_BYTES = 4,
};

static enum source_route_end parse_data(struct bytes data, struct source_route *route)
{
    struct reader r = reader_of(data);
    uint8_t pointer = read_u8(&r);
    size_t length = data.len + 2;

    if (r.overrun || r.left % ADDRESS_BYTES != 0 || pointer < POINTER_MIN ||
        pointer % ADDRESS_BYTES != 0)
        return SOURCE_ROUTE_MALFORMED;
    while (r.left > 0 && route->hop_count < SOURCE_ROUTE_HOPS_MAX)
        route->hop[route->hop_count++] = ip_addr_from_v4(read_u32(&r));
    return pointer > length ? SOURCE_ROUTE_COMPLETE : SOURCE_ROUTE_GOES_ON;
}

enum source_route_end source_route_parse(struct bytes options, struct source_route *route)
{
    struct reader r = reader_of(options);

    *route = (struct source_route){0};
    while (r.left > 0) {
        uint8_t type = read_u8(&r);
        if (type == OPTION_END)
            break;
        if (type == OPTION_NOP)
            continue;
        uint8_t length = read_u8(&r);
        struct bytes data = read_bytes(&r, length < 2 ? SIZE_MAX : length - 2u);
        if (r.overrun) /* of a quotation: in a packet the parser lets no such length through */
            return SOURCE_ROUTE_MALFORMED;
        if (type != OPTION_LOOSE && type != OPTION_STRICT)
            continue;
        route->is_strict = type == OPTION_STRICT;
        return parse_data(data, route);
    }
    return SOURCE_ROUTE_NONE;
}

struct source_route source_route_back(const struct source_route *route,
                                      const struct ip_addr *source)
{
    struct source_route back = {.is_strict = route->is_strict};

    for (unsigned i = route->hop_count; i-- > 0;)
        if (i > 0 || !ip_addr_equal(&route->hop[0], source))
            back.hop[back.hop_count++] = route->hop[i];
    return back;
}

void source_route_apply(const struct source_route *route, struct ipv4_packet *ip,
                        uint8_t option[static SOURCE_ROUTE_MAX_BYTES])
{
    struct writer w = writer_of(option, SOURCE_ROUTE_MAX_BYTES);

    if (route->hop_count == 0)
        return;
    write_u8(&w, route->is_strict ? OPTION_STRICT : OPTION_LOOSE);
    write_u8(&w, (uint8_t)(HEAD_BYTES + route->hop_count * ADDRESS_BYTES));
    write_u8(&w, POINTER_MIN);
    for (unsigned i = 1; i < route->hop_count; i++)
        write_u32(&w, ip_addr_to_v4(&route->hop[i]));
    write_u32(&w, ip_addr_to_v4(&ip->dst));
    ip->dst = route->hop[0];
    ip->options = (struct bytes){option, SOURCE_ROUTE_MAX_BYTES - w.left};
}

/* The option, padded to a multiple of 4. */
size_t source_route_bytes(const struct source_route *route)
{
    return route->hop_count == 0 ? 0 : ADDRESS_BYTES * ((size_t)route->hop_count + 1);
}
