/* IPv6 rows. The stack does not speak it yet; but a kernel does, and asks for routers and groups
 * whenever a TUN device comes up. Such packets are shown as Wireshark shows them, of all others
 * addresses and protocol.
 *
 * Not done: dissecting anything else of IPv6, fragments included. */
#include <arpa/inet.h>

#include "dissector.h"

enum {
    HEADER_BYTES = 40,
    HOP_BY_HOP = 0,
    ICMPV6 = 58,
    UNIT_BYTES = 8, /* of an extension header's length */
};

/* The types that a kernel sends by itself, RFC 4861 and 3810. */
static const char *icmpv6_info(uint8_t type)
{
    switch (type) {
    case 133:
        return "Router Solicitation";
    case 143:
        return "Multicast Listener Report Message v2";
    default:
        return "";
    }
}

void dissect_ipv6(struct bytes packet, struct dissection *row)
{
    struct reader r = reader_of(packet);

    row->protocol = "IPv6";
    read_bytes(&r, 6);
    uint8_t next = read_u8(&r);
    read_u8(&r); /* hop limit */
    struct bytes source = read_bytes(&r, sizeof(struct in6_addr));
    struct bytes destination = read_bytes(&r, sizeof(struct in6_addr));
    if (r.overrun) {
        info_add(row, "[Malformed Packet]");
        return;
    }
    inet_ntop(AF_INET6, source.data, row->source, sizeof row->source);
    inet_ntop(AF_INET6, destination.data, row->destination, sizeof row->destination);
    if (next == HOP_BY_HOP) {
        next = read_u8(&r);
        size_t units = read_u8(&r);
        read_bytes(&r, units * UNIT_BYTES + UNIT_BYTES - 2);
    }
    if (next != ICMPV6) {
        info_add(row, "Next header %u", next);
        return;
    }
    row->protocol = "ICMPv6";
    info_add(row, "%s", icmpv6_info(read_u8(&r)));
}
