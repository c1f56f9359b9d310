/* ICMP rows, RFC 792 (and RFC 1191 for "Fragmentation needed"). An echo reply names the packet of
 * its request: the last ECHO_REQUESTS_MAX requests are remembered in a ring. */
#include "dissector.h"

#include "../../stack/wire/icmp.h"

static void echo_row(struct dissector *d, const struct ipv4_packet *ip, bool is_reply, uint16_t id,
                     uint16_t seq, struct dissection *row);
static uint64_t request_of(const struct dissector *d, const struct echo_request *reply);
static const char *unreachable_name(uint8_t code);
static const char *redirect_name(uint8_t code);

void dissect_icmp(struct dissector *d, const struct ipv4_packet *ip, struct dissection *row)
{
    struct reader r = reader_of(ip->payload);
    uint8_t type = read_u8(&r);
    uint8_t code = read_u8(&r);

    read_u16(&r);
    uint16_t id = read_u16(&r);
    uint16_t seq = read_u16(&r);
    row->protocol = "ICMP";
    row->style = ROW_ICMP;
    if (r.overrun) {
        info_add(row, "[Malformed Packet]");
        return;
    }
    switch (type) {
    case ICMP_ECHO_REPLY:
    case ICMP_ECHO_REQUEST:
        echo_row(d, ip, type == ICMP_ECHO_REPLY, id, seq, row);
        return;
    case ICMP_UNREACHABLE:
        row->style = ROW_ICMP_ERROR;
        info_add(row, "Destination unreachable (%s)", unreachable_name(code));
        return;
    case ICMP_SOURCE_QUENCH:
        row->style = ROW_ICMP_ERROR;
        info_add(row, "Source quench (flow control)");
        return;
    case ICMP_REDIRECT:
        row->style = ROW_ICMP_ERROR;
        info_add(row, "Redirect             (%s)", redirect_name(code));
        return;
    case ICMP_TIME_EXCEEDED:
        row->style = ROW_ICMP_ERROR;
        info_add(row, "Time-to-live exceeded (%s)",
                 code == ICMP_TIME_EXCEEDED_TRANSIT ? "Time to live exceeded in transit"
                                                    : "Fragment reassembly time exceeded");
        return;
    case ICMP_PARAMETER_PROBLEM:
        info_add(row, "Parameter problem    (%s)",
                 code == 0   ? "Pointer indicates the error"
                 : code == 1 ? "Missing a required option"
                             : "Bad length");
        return;
    default:
        info_add(row, "%s",
                 type == 13   ? "Timestamp request    "
                 : type == 14 ? "Timestamp reply      "
                              : "Unknown ICMP (obsolete or malformed?)");
        return;
    }
}

static void echo_row(struct dissector *d, const struct ipv4_packet *ip, bool is_reply, uint16_t id,
                     uint16_t seq, struct dissection *row)
{
    uint16_t swapped = (uint16_t)(seq >> 8 | seq << 8); /* as a little-endian host would read it */

    info_add(row, "Echo (ping) %s id=0x%04x, seq=%u/%u, ttl=%u", is_reply ? "reply   " : "request ",
             id, seq, swapped, ip->ttl);
    if (!is_reply) {
        d->echo[d->echo_count++ % ECHO_REQUESTS_MAX] = (struct echo_request){
            .src = ip->src, .dst = ip->dst, .id = id, .seq = seq, .number = row->number};
        return;
    }
    uint64_t request =
        request_of(d, &(struct echo_request){.src = ip->dst, .dst = ip->src, .id = id, .seq = seq});
    if (request != 0)
        info_add(row, " (request in %llu)", (unsigned long long)request);
}

/* The number of the request that `wanted` names; 0: not seen, or forgotten. */
static uint64_t request_of(const struct dissector *d, const struct echo_request *wanted)
{
    unsigned kept = d->echo_count < ECHO_REQUESTS_MAX ? d->echo_count : ECHO_REQUESTS_MAX;

    for (unsigned i = 1; i <= kept; i++) {
        const struct echo_request *request = &d->echo[(d->echo_count - i) % ECHO_REQUESTS_MAX];

        if (request->id == wanted->id && request->seq == wanted->seq &&
            ip_addr_equal(&request->src, &wanted->src) &&
            ip_addr_equal(&request->dst, &wanted->dst))
            return request->number;
    }
    return 0;
}

static const char *unreachable_name(uint8_t code)
{
    static const char *const names[] = {
        "Network unreachable",
        "Host unreachable",
        "Protocol unreachable",
        "Port unreachable",
        "Fragmentation needed",
        "Source route failed",
        "Network unknown",
        "Host unknown",
        "Source host isolated",
        "Network administratively prohibited",
        "Host administratively prohibited",
        "Network unreachable for TOS",
        "Host unreachable for TOS",
        "Communication administratively filtered",
        "Host precedence violation",
        "Precedence cutoff in effect",
    };

    return code < sizeof names / sizeof names[0] ? names[code] : "Unknown";
}

static const char *redirect_name(uint8_t code)
{
    static const char *const names[] = {
        "Redirect for network",
        "Redirect for host",
        "Redirect for type of service and network",
        "Redirect for type of service and host",
    };

    return code < sizeof names / sizeof names[0] ? names[code] : "Unknown";
}
