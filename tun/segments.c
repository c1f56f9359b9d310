/* Cutting merged packets. The headers are copied before each piece of payload; then what differs
 * from piece to piece is written over them: total length and identification of IP (each piece has
 * its own, RFC 6864 lets atomic datagrams count), sequence number, and the flags that belong to one
 * end: FIN and PSH to the last, CWR to the first (RFC 3168 6.1.2). Checksums are computed anew.
 *
 * A packet that is not cut is passed on unchanged, but a checksum that the device would complete is
 * completed: captures then verify. */
#include "segments.h"

#include <string.h>

#include "../stack/wire/checksum.h"

enum {
    IP_TOTAL_LENGTH = 2,
    IP_ID = 4,
    IP_PROTOCOL = 9,
    IP_CHECKSUM = 10,
    IP_ADDRESSES = 12,
    TCP_SEQ = 4,
    TCP_FLAGS = 13,
};

static void find_headers(struct segments *segments);
static void copy_payload(const struct segments *segments, size_t from, size_t len, uint8_t *memory);
static void adjust_headers(const struct segments *segments, uint8_t *packet, size_t len,
                           bool is_last);
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

/* Only TCP over IPv4 is cut: without its headers a packet counts as one segment. */
static void find_headers(struct segments *segments)
{
    const uint8_t *ip = segments->header;
    size_t have = segments->header_bytes;
    size_t ip_bytes = have > 0 ? (size_t)(ip[0] & 0x0f) * 4 : 0;

    bool is_tcp = have >= IPV4_HEADER_BYTES && ip[0] >> 4 == 4 && ip_bytes >= IPV4_HEADER_BYTES &&
                  ip[IP_PROTOCOL] == IP_PROTOCOL_TCP && have >= ip_bytes + TCP_HEADER_BYTES;
    size_t tcp_bytes = is_tcp ? (size_t)(ip[ip_bytes + 12] >> 4) * 4 : 0;
    if (tcp_bytes < TCP_HEADER_BYTES || ip_bytes + tcp_bytes > have) {
        segments->segment_bytes = 0;
        return;
    }
    if (segments->segment_bytes == 0)
        return;
    segments->ip_bytes = ip_bytes;
    segments->header_bytes = ip_bytes + tcp_bytes; /* of a packet in: more had been copied */
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
    uint8_t *tcp = packet + segments->ip_bytes;
    struct checksum sum = {0};

    put_u16(packet + IP_TOTAL_LENGTH, (uint16_t)len);
    if (get_u16(packet + IP_ID) != 0) /* 0 says: atomic, without an identification */
        put_u16(packet + IP_ID, (uint16_t)(get_u16(packet + IP_ID) + segments->index));
    put_u16(packet + IP_CHECKSUM, 0);
    checksum_add(&sum, (struct bytes){packet, segments->ip_bytes});
    put_u16(packet + IP_CHECKSUM, checksum_finish(&sum));

    put_u32(tcp + TCP_SEQ, get_u32(tcp + TCP_SEQ) + (uint32_t)segments->done_bytes);
    if (!is_last)
        tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (segments->index > 0)
        tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
    put_u16(tcp + TCP_CHECKSUM_OFFSET, 0);
    struct ip_addr src = ip_addr_from_v4(get_u32(packet + IP_ADDRESSES));
    struct ip_addr dst = ip_addr_from_v4(get_u32(packet + IP_ADDRESSES + 4));
    size_t tcp_len = len - segments->ip_bytes;
    sum = (struct checksum){0};
    checksum_add_pseudo(&sum, &src, &dst, IP_PROTOCOL_TCP, tcp_len);
    checksum_add(&sum, (struct bytes){tcp, tcp_len});
    put_u16(tcp + TCP_CHECKSUM_OFFSET, checksum_finish(&sum));
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
    put_u16(packet + field, checksum_finish(&sum));
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
