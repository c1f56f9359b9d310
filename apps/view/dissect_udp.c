/* UDP rows, RFC 768: "5000 → 9999 Len=5", or DNS on port 53. */
#include "dissector.h"

#include "../../stack/wire/dns_message.h"
#include "../../stack/wire/udp.h"

void dissect_udp(const struct ipv4_packet *ip, struct dissection *row)
{
    struct reader r = reader_of(ip->payload);
    uint16_t src_port = read_u16(&r);
    uint16_t dst_port = read_u16(&r);
    uint16_t length = read_u16(&r);

    read_u16(&r);
    row->protocol = "UDP";
    row->style = ROW_UDP;
    if (r.overrun) {
        info_add(row, "[Malformed Packet]");
        return;
    }
    if (length < UDP_HEADER_BYTES) {
        info_add(row, "%u → %u [BAD UDP LENGTH %u < 8]", src_port, dst_port, length);
        return;
    }
    if (length > ip->payload.len) {
        info_add(row, "%u → %u [BAD UDP LENGTH %u > IP PAYLOAD LENGTH]", src_port, dst_port,
                 length);
        return;
    }
    struct bytes payload = read_bytes(&r, (size_t)length - UDP_HEADER_BYTES);
    if (payload.len > 0 && (src_port == DNS_PORT || dst_port == DNS_PORT)) {
        dissect_dns(payload, row);
        return;
    }
    info_add(row, "%u → %u Len=%zu", src_port, dst_port, payload.len);
}
