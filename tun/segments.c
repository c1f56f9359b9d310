/* Cutting merged packets. The headers are copied before each piece of payload; then what differs
 * from piece to piece is written over them: total length and identification of IP (each piece has
 * its own, RFC 6864 lets atomic datagrams count), and of TCP the sequence number and the flags that
 * belong to one end: FIN and PSH to the last, CWR to the first (RFC 3168 6.1.2); of UDP the length.
 * Checksums are computed anew.
 *
 * A packet that is not cut is passed on unchanged, but a checksum that the device would complete is
 * completed: captures then verify. */
#include "segments.h"

#include <string.h>

#include "../stack/wire/checksum.h"
#include "../stack/wire/udp.h"

enum {
    IP_TOTAL_LENGTH = 2,
    IP_ID = 4,
    IP_PROTOCOL = 9,
    IP_CHECKSUM = 10,
    IP_ADDRESSES = 12,
    TCP_SEQ = 4,
    TCP_FLAGS = 13,
    UDP_LENGTH = 4,
    UDP_CHECKSUM = 6,
};

static void find_headers(struct segments *segments);
static void copy_payload(const struct segments *segments, size_t from, size_t len, uint8_t *memory);
static void adjust_headers(const struct segments *segments, uint8_t *packet, size_t len,
                           bool is_last);
static void adjust_tcp(const struct segments *segments, uint8_t *tcp, bool is_last);
static void complete_checksum(const struct segments *segments, uint8_t *packet, size_t len);
static uint16_t get_u16(const uint8_t *at);
static uint32_t get_u32(const uint8_t *at);
static void put_u16(uint8_t *at, uint16_t value);
static void put_u32(uint8_t *at, uint32_t value);

void segments_of_out(struct segments *segments, const struct packet_out *out)
{
    *segments = (struct segments){
        .header_bytes = out->header_bytes,
        .payload = {out->payload[0], out->payload[1]},
        .payload_bytes = out->payload[0].len + out->payload[1].len,
        .segment_bytes = out->segment_bytes,
        .checksum_needed = out->checksum_needed,
        .checksum_start = out->checksum_start,
        .checksum_offset = out->checksum_offset,
    };
    memcpy(segments->header, out->header, out->header_bytes);
    find_headers(segments);
}

void segments_of_in(struct segments *segments, const struct packet_in *in)
{
    size_t header_bytes =
        in->bytes.len < PACKET_HEADER_MAX_BYTES ? in->bytes.len : PACKET_HEADER_MAX_BYTES;

    *segments = (struct segments){
        .segment_bytes = in->drop == DROP_NOT ? in->segment_bytes : 0,
        .checksum_needed = in->drop == DROP_NOT && in->checksum_needed,
        .checksum_start = in->checksum_start,
        .checksum_offset = in->checksum_offset,
    };
    if (header_bytes > 0)
        memcpy(segments->header, in->bytes.data, header_bytes);
    segments->header_bytes = header_bytes;
    find_headers(segments);
    segments->payload[0] = bytes_skip(in->bytes, segments->header_bytes);
    segments->payload_bytes = segments->payload[0].len;
}

size_t segments_next(struct segments *segments, uint8_t memory[static SEGMENT_MAX_BYTES])
{
    size_t left = segments->payload_bytes - segments->done_bytes;
    bool is_cut = segments->segment_bytes > 0 && segments->segment_bytes < segments->payload_bytes;
    size_t len = is_cut && segments->segment_bytes < left ? segments->segment_bytes : left;

    if (segments->is_done)
        return 0;
    segments->is_done = len == left;
    if (segments->header_bytes + len > SEGMENT_MAX_BYTES)
        return 0;
    memcpy(memory, segments->header, segments->header_bytes);
    copy_payload(segments, segments->done_bytes, len, memory + segments->header_bytes);
    len += segments->header_bytes;
    if (is_cut)
        adjust_headers(segments, memory, len, segments->is_done);
    else if (segments->checksum_needed)
        complete_checksum(segments, memory, len);
    segments->done_bytes += len - segments->header_bytes;
    segments->index++;
    return len;
}

/* RFC 768: a sum of 0 is sent as its other form, for 0 says that there is none. */
static uint16_t final(const struct segments *segments, uint16_t sum)
{
    return sum == 0 && segments->is_udp ? UINT16_MAX : sum;
}

/* Length of the transport's header behind `ip_bytes`; 0: it is neither TCP nor UDP, or broken. */
static size_t transport_bytes(const struct segments *segments, size_t ip_bytes)
{
    const uint8_t *ip = segments->header;
    size_t have = segments->header_bytes;

    if (ip[IP_PROTOCOL] == IP_PROTOCOL_UDP)
        return ip_bytes + UDP_HEADER_BYTES <= have ? (size_t)UDP_HEADER_BYTES : 0;
    if (ip[IP_PROTOCOL] != IP_PROTOCOL_TCP || ip_bytes + TCP_HEADER_BYTES > have)
        return 0;
    size_t tcp_bytes = (size_t)(ip[ip_bytes + 12] >> 4) * 4;
    return tcp_bytes >= TCP_HEADER_BYTES && ip_bytes + tcp_bytes <= have ? tcp_bytes : 0;
}

/* Only TCP and UDP over IPv4 are cut: without their headers a packet counts as one segment. */
static void find_headers(struct segments *segments)
{
    const uint8_t *ip = segments->header;
    bool is_v4 = segments->header_bytes >= IPV4_HEADER_BYTES && ip[0] >> 4 == 4;
    size_t ip_bytes = is_v4 ? (size_t)(ip[0] & 0x0f) * 4 : 0;
    size_t bytes = ip_bytes >= IPV4_HEADER_BYTES ? transport_bytes(segments, ip_bytes) : 0;

    segments->is_udp = is_v4 && ip[IP_PROTOCOL] == IP_PROTOCOL_UDP;
    if (bytes == 0)
        segments->segment_bytes = 0;
    if (segments->segment_bytes == 0)
        return;
    segments->ip_bytes = ip_bytes;
    segments->header_bytes = ip_bytes + bytes; /* of a packet in: more had been copied */
}

static void copy_payload(const struct segments *segments, size_t from, size_t len, uint8_t *memory)
{
    size_t copied = 0;

    for (unsigned i = 0; i < 2; i++) {
        struct bytes part = bytes_first(bytes_skip(segments->payload[i], from), len - copied);

        from -= from < segments->payload[i].len ? from : segments->payload[i].len;
        if (part.len > 0)
            memcpy(memory + copied, part.data, part.len);
        copied += part.len;
    }
}

static void adjust_headers(const struct segments *segments, uint8_t *packet, size_t len,
                           bool is_last)
{
    uint8_t *transport = packet + segments->ip_bytes;
    uint8_t protocol = packet[IP_PROTOCOL];
    size_t transport_len = len - segments->ip_bytes;
    uint8_t *field = transport + (segments->is_udp ? (int)UDP_CHECKSUM : (int)TCP_CHECKSUM_OFFSET);
    struct checksum sum = {0};

    put_u16(packet + IP_TOTAL_LENGTH, (uint16_t)len);
    put_u16(packet + IP_ID, (uint16_t)(get_u16(packet + IP_ID) + segments->index));
    put_u16(packet + IP_CHECKSUM, 0);
    checksum_add(&sum, (struct bytes){packet, segments->ip_bytes});
    put_u16(packet + IP_CHECKSUM, checksum_finish(&sum));

    if (segments->is_udp)
        put_u16(transport + UDP_LENGTH, (uint16_t)transport_len);
    else
        adjust_tcp(segments, transport, is_last);
    put_u16(field, 0);
    struct ip_addr src = ip_addr_from_v4(get_u32(packet + IP_ADDRESSES));
    struct ip_addr dst = ip_addr_from_v4(get_u32(packet + IP_ADDRESSES + 4));
    sum = (struct checksum){0};
    checksum_add_pseudo(&sum, &src, &dst, protocol, transport_len);
    checksum_add(&sum, (struct bytes){transport, transport_len});
    put_u16(field, final(segments, checksum_finish(&sum)));
}

static void adjust_tcp(const struct segments *segments, uint8_t *tcp, bool is_last)
{
    put_u32(tcp + TCP_SEQ, get_u32(tcp + TCP_SEQ) + (uint32_t)segments->done_bytes);
    if (!is_last)
        tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (segments->index > 0)
        tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
}

/* As the device does it: the field holds the sum of the pseudo-header already. */
static void complete_checksum(const struct segments *segments, uint8_t *packet, size_t len)
{
    struct checksum sum = {0};
    size_t field = segments->checksum_start + segments->checksum_offset;

    if (segments->checksum_start > len || field + 2 > len)
        return;
    checksum_add(&sum,
                 (struct bytes){packet + segments->checksum_start, len - segments->checksum_start});
    put_u16(packet + field, final(segments, checksum_finish(&sum)));
}

static uint16_t get_u16(const uint8_t *at)
{
    struct reader r = reader_of((struct bytes){at, 2});

    return read_u16(&r);
}

static uint32_t get_u32(const uint8_t *at)
{
    struct reader r = reader_of((struct bytes){at, 4});

    return read_u32(&r);
}

static void put_u16(uint8_t *at, uint16_t value)
{
    struct writer w = writer_of(at, 2);

    write_u16(&w, value);
}

static void put_u32(uint8_t *at, uint32_t value)
{
    struct writer w = writer_of(at, 4);

    write_u32(&w, value);
}
