/* The TCP header, RFC 9293 3.1. */
#include "tcp_segment.h"

#include "checksum.h"
#include "ipv4.h"

enum drop tcp_parse(struct bytes packet, struct tcp_segment *seg)
{
    struct reader r = reader_of(packet);

    if (packet.len < TCP_HEADER_BYTES) /* asked once: the reads below ask no more */
        return DROP_TCP_TRUNCATED;
    seg->tos = 0;
    seg->ip_options = (struct bytes){0};
    seg->segment_bytes = 0;
    seg->src_port = read_u16(&r);
    seg->dst_port = read_u16(&r);
    seg->seq = read_u32(&r);
    seg->ack = read_u32(&r);
    size_t header_bytes = (size_t)(read_u8(&r) >> 4) * 4;
    seg->flags = read_u8(&r);
    seg->wnd = read_u16(&r);
    read_u16(&r); /* the checksum: verified before, with the pseudo-header */
    seg->urgent = read_u16(&r);
    if (header_bytes < TCP_HEADER_BYTES)
        return DROP_TCP_TRUNCATED;

    struct bytes options = read_bytes(&r, header_bytes - TCP_HEADER_BYTES);
    seg->payload = read_bytes(&r, r.left);
    return r.overrun ? DROP_TCP_TRUNCATED : tcp_options_parse(options, &seg->options);
}

bool tcp_checksum_is_right(struct bytes packet, const struct ip_addr *src,
                           const struct ip_addr *dst)
{
    struct checksum sum = {0};

    checksum_add_pseudo(&sum, src, dst, IP_PROTOCOL_TCP, packet.len);
    checksum_add(&sum, packet);
    return checksum_finish(&sum) == 0;
}

size_t tcp_emit(const struct tcp_segment *seg, enum tcp_syn_style style,
                uint8_t header[static TCP_HEADER_MAX_BYTES])
{
    size_t options_bytes = tcp_options_emit(&seg->options, style, header + TCP_HEADER_BYTES);
    size_t header_bytes = TCP_HEADER_BYTES + options_bytes;
    struct writer w = writer_of(header, TCP_HEADER_BYTES);

    write_u16(&w, seg->src_port);
    write_u16(&w, seg->dst_port);
    write_u32(&w, seg->seq);
    write_u32(&w, seg->ack);
    write_u8(&w, (uint8_t)(header_bytes / 4 << 4));
    write_u8(&w, seg->flags);
    write_u16(&w, seg->wnd);
    write_u16(&w, 0);
    write_u16(&w, seg->urgent);
    return header_bytes;
}

uint32_t tcp_segment_len(const struct tcp_segment *seg)
{
    return (uint32_t)seg->payload.len + (seg->flags & TCP_SYN ? 1 : 0) +
           (seg->flags & TCP_FIN ? 1 : 0);
}

uint32_t tcp_segment_count(uint32_t payload_bytes, uint32_t segment_bytes)
{
    if (segment_bytes == 0 || payload_bytes <= segment_bytes)
        return 1;
    return (payload_bytes + segment_bytes - 1) / segment_bytes;
}
