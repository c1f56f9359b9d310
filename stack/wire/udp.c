/* The UDP header, RFC 768. */
#include "udp.h"

#include "checksum.h"
#include "ipv4.h"

enum drop udp_parse(struct bytes packet, const struct ip_addr *src, const struct ip_addr *dst,
                    bool checksum_ok, struct udp_datagram *udp)
{
    struct reader r = reader_of(packet);

    *udp = (struct udp_datagram){0};
    udp->src_port = read_u16(&r);
    udp->dst_port = read_u16(&r);
    size_t length = read_u16(&r);
    uint16_t checksum = read_u16(&r);
    if (r.overrun || length < UDP_HEADER_BYTES || length > packet.len)
        return DROP_UDP_TRUNCATED;
    udp->payload = read_bytes(&r, length - UDP_HEADER_BYTES);
    if (checksum_ok || checksum == 0)
        return DROP_NOT;

    struct checksum sum = {0};
    checksum_add_pseudo(&sum, src, dst, IP_PROTOCOL_UDP, length);
    checksum_add(&sum, bytes_first(packet, length));
    return checksum_finish(&sum) == 0 ? DROP_NOT : DROP_UDP_CHECKSUM;
}

size_t udp_emit(const struct udp_datagram *udp, const struct ip_addr *src,
                const struct ip_addr *dst, uint8_t *packet, size_t room)
{
    size_t length = UDP_HEADER_BYTES + udp->payload.len;
    struct writer w = writer_of(packet, room);

    if (length > room || length > UINT16_MAX)
        return 0;
    write_u16(&w, udp->src_port);
    write_u16(&w, udp->dst_port);
    write_u16(&w, (uint16_t)length);
    struct writer checksum_field = w;
    write_u16(&w, 0);
    write_bytes(&w, udp->payload);

    struct checksum sum = {0};
    checksum_add_pseudo(&sum, src, dst, IP_PROTOCOL_UDP, length);
    checksum_add(&sum, (struct bytes){packet, length});
    uint16_t checksum = checksum_finish(&sum);
    write_u16(&checksum_field, checksum == 0 ? UINT16_MAX : checksum); /* 0 means "none" */
    return length;
}
