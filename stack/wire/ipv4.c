/* The IPv4 header, RFC 791 3.1. What parses here has a sound shape: lengths agree, the checksum is
 * right, every option lies inside the header. Whether it is for us is ip/'s business. */
#include "ipv4.h"

#include "checksum.h"

enum {
    FLAG_DONT_FRAGMENT = 0x4000,
    FLAG_MORE_FRAGMENTS = 0x2000,
    FRAGMENT_OFFSET_MASK = 0x1fff,
    FRAGMENT_UNIT_BYTES = 8,
    OPTION_END = 0,
    OPTION_NOP = 1,
};

/* Walk over the options by their lengths; none may reach beyond the header. */
static bool options_are_well_formed(struct bytes options)
{
    struct reader r = reader_of(options);

    while (r.left > 0) {
        uint8_t kind = read_u8(&r);
        if (kind == OPTION_END)
            return true;
        if (kind == OPTION_NOP)
            continue;
        uint8_t length = read_u8(&r);
        if (length < 2)
            return false;
        read_bytes(&r, length - 2u);
    }
    return !r.overrun;
}

enum drop ipv4_parse(struct bytes packet, bool checksum_ok, struct ipv4_packet *ip)
{
    struct reader r = reader_of(packet);

    *ip = (struct ipv4_packet){0};
    uint8_t version_and_length = read_u8(&r);
    if (!r.overrun && version_and_length >> 4 != 4)
        return DROP_IP_VERSION;
    if (r.left < IPV4_HEADER_BYTES - 1) /* asked once: the reads below ask no more */
        return DROP_IP_TRUNCATED;
    size_t header_bytes = (size_t)(version_and_length & 0xf) * 4;
    ip->tos = read_u8(&r);
    size_t total_bytes = read_u16(&r);
    ip->id = read_u16(&r);
    uint16_t fragment = read_u16(&r);
    ip->dont_fragment = (fragment & FLAG_DONT_FRAGMENT) != 0;
    ip->more_fragments = (fragment & FLAG_MORE_FRAGMENTS) != 0;
    ip->fragment_offset_bytes = (uint32_t)(fragment & FRAGMENT_OFFSET_MASK) * FRAGMENT_UNIT_BYTES;
    ip->ttl = read_u8(&r);
    ip->protocol = read_u8(&r);
    read_u16(&r); /* the checksum: summed below with the rest */
    ip->src = ip_addr_from_v4(read_u32(&r));
    ip->dst = ip_addr_from_v4(read_u32(&r));
    if (header_bytes < IPV4_HEADER_BYTES)
        return DROP_IP_HEADER_LENGTH;
    if (total_bytes < header_bytes || total_bytes > packet.len)
        return DROP_IP_TRUNCATED;

    ip->options = read_bytes(&r, header_bytes - IPV4_HEADER_BYTES);
    ip->payload = read_bytes(&r, total_bytes - header_bytes); /* link padding is cut off */
    if (!checksum_ok && checksum_of_header(bytes_first(packet, header_bytes)) != 0)
        return DROP_IP_CHECKSUM;
    return options_are_well_formed(ip->options) ? DROP_NOT : DROP_IP_OPTIONS;
}

size_t ipv4_emit(const struct ipv4_packet *ip, size_t payload_bytes, uint8_t *header, size_t room)
{
    size_t options_bytes = (ip->options.len + 3) / 4 * 4;
    size_t header_bytes = IPV4_HEADER_BYTES + options_bytes;
    struct writer w = writer_of(header, IPV4_HEADER_BYTES); /* of known length: no write asks */
    uint16_t fragment = (uint16_t)(ip->fragment_offset_bytes / FRAGMENT_UNIT_BYTES);

    if (header_bytes > IPV4_HEADER_MAX_BYTES || header_bytes > room ||
        payload_bytes > IPV4_PACKET_MAX_BYTES - header_bytes)
        return 0;
    if (ip->dont_fragment)
        fragment |= FLAG_DONT_FRAGMENT;
    if (ip->more_fragments)
        fragment |= FLAG_MORE_FRAGMENTS;
    write_u8(&w, (uint8_t)(4 << 4 | header_bytes / 4));
    write_u8(&w, ip->tos);
    write_u16(&w, (uint16_t)(header_bytes + payload_bytes));
    write_u16(&w, ip->id);
    write_u16(&w, fragment);
    write_u8(&w, ip->ttl);
    write_u8(&w, ip->protocol);
    struct writer checksum_field = w;
    write_u16(&w, 0);
    write_u32(&w, ip_addr_to_v4(&ip->src));
    write_u32(&w, ip_addr_to_v4(&ip->dst));
    w = writer_of(header + IPV4_HEADER_BYTES, options_bytes);
    write_bytes(&w, ip->options);
    for (size_t i = ip->options.len; i < options_bytes; i++)
        write_u8(&w, OPTION_END);
    write_u16(&checksum_field, checksum_of_header((struct bytes){header, header_bytes}));
    return header_bytes;
}
