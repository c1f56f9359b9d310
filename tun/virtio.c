/* One header for two things that a device does better than a stack, once for many segments:
 *
 *     NEEDS_CSUM   the sum from csum_start to the end goes to csum_start + csum_offset, where the
 *                  sum of the pseudo-header stands already. On the way in it means that the packet
 *                  has never been on a wire: nothing could have damaged it.
 *     gso_type     the payload behind hdr_len is that of several segments of gso_size bytes each
 *
 * On the way in the kernel is not trusted more than a peer: it forwards what others have made. What
 * contradicts itself is marked for the stack to drop. `hdr_len` is a hint (Virtio 1.2 5.1.6.4.1)
 * and decides nothing, but beyond the packet's end it cannot be right.
 *
 * GSO_ECN: a device that does not know RFC 3168 6.1.2 would copy CWR to each segment. We set it
 * where CWR is set, and ask for it (TUN_F_TSO_ECN), since segments.c and the stack both know.
 *
 * The numbers have the machine's byte order: that is the device's way as long as nobody sets
 * another (TUNSETVNETLE). The ten bytes are the shortest form; the twelve of the longer one
 * (num_buffers) say nothing more on a TUN device. */
#include "virtio.h"

#include <linux/virtio_net.h>
#include <string.h>

enum {
    GSO_UDP_L4 = 5, /* VIRTIO_NET_HDR_GSO_UDP_L4, since Linux 6.2 */
    IP_PROTOCOL_AT = 9,
    UDP_CHECKSUM_AT = 6,
    TCP_FLAGS_AT = 13,
};

_Static_assert(sizeof(struct virtio_net_hdr) == VIRTIO_HEADER_BYTES, "the short form");

static bool take_checksum(const struct virtio_net_hdr *header, struct packet_in *in);
static bool take_segments(const struct virtio_net_hdr *header, struct packet_in *in);

void virtio_header_write(const struct packet_out *out, uint8_t header[static VIRTIO_HEADER_BYTES])
{
    struct virtio_net_hdr virtio = {0};

    if (out->checksum_needed) {
        virtio.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        virtio.csum_start = (uint16_t)out->checksum_start;
        virtio.csum_offset = (uint16_t)out->checksum_offset;
    }
    if (out->segment_bytes > 0) {
        virtio.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        if (out->header[out->checksum_start + TCP_FLAGS_AT] & TCP_CWR)
            virtio.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
        virtio.gso_size = (uint16_t)out->segment_bytes;
        virtio.hdr_len = (uint16_t)out->header_bytes;
    }
    memcpy(header, &virtio, sizeof virtio);
}

void virtio_header_read(struct bytes bytes, struct packet_in *in)
{
    struct virtio_net_hdr header;

    *in = (struct packet_in){.bytes = bytes_skip(bytes, VIRTIO_HEADER_BYTES)};
    in->drop = DROP_DEVICE_HEADER;
    if (bytes.len < sizeof header)
        return;
    memcpy(&header, bytes.data, sizeof header);
    if (header.hdr_len > in->bytes.len || !take_checksum(&header, in) ||
        !take_segments(&header, in))
        return;
    in->drop = DROP_NOT;
}

/* Of IP version 4; 0: it is something else, or shorter. */
static size_t ip_header_bytes(struct bytes packet)
{
    if (packet.len < IPV4_HEADER_BYTES || packet.data[0] >> 4 != 4)
        return 0;
    return (size_t)(packet.data[0] & 0x0f) * 4;
}

/* The sum must be that of the transport, or the device vouches for something else. A packet that is
 * not IP version 4 is left to the stack, which says so. */
static bool take_checksum(const struct virtio_net_hdr *header, struct packet_in *in)
{
    size_t ip_bytes = ip_header_bytes(in->bytes);

    in->checksum_ok =
        (header->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID)) != 0;
    if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
        return true;
    if ((size_t)header->csum_start + header->csum_offset + 2 > in->bytes.len)
        return false;
    if (ip_bytes == 0)
        return true;
    size_t field = in->bytes.data[IP_PROTOCOL_AT] == IP_PROTOCOL_TCP ? (size_t)TCP_CHECKSUM_OFFSET
                                                                     : (size_t)UDP_CHECKSUM_AT;
    if (header->csum_start != ip_bytes || header->csum_offset != field)
        return false;
    in->checksum_needed = true;
    in->checksum_start = header->csum_start;
    in->checksum_offset = header->csum_offset;
    return true;
}

static bool take_segments(const struct virtio_net_hdr *header, struct packet_in *in)
{
    uint8_t protocol = ip_header_bytes(in->bytes) > 0 ? in->bytes.data[IP_PROTOCOL_AT] : 0;

    in->segment_bytes = header->gso_size;
    switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
        in->segment_bytes = 0;
        return true;
    case VIRTIO_NET_HDR_GSO_TCPV4:
        return header->gso_size > 0 && protocol == IP_PROTOCOL_TCP;
    case GSO_UDP_L4:
        return header->gso_size > 0 && protocol == IP_PROTOCOL_UDP;
    case VIRTIO_NET_HDR_GSO_TCPV6: /* the stack drops it for its version */
        return header->gso_size > 0 && in->bytes.len > 0 && in->bytes.data[0] >> 4 == 6;
    default:
        return false;
    }
}
