/* The header that stands before each packet of a TUN device with IFF_VNET_HDR: what the device
 * knows of the packet, or shall do to it. struct virtio_net_hdr, Virtio 1.2 5.1.6. */
#ifndef TUNTCP_VIRTIO_H
#define TUNTCP_VIRTIO_H

#include "../stack/packet.h"

enum { VIRTIO_HEADER_BYTES = 10 };

/* Of a packet for the device: which checksum it is to complete, and to what size it is to cut. */
void virtio_header_write(const struct packet_out *out, uint8_t header[static VIRTIO_HEADER_BYTES]);
/* Of what was read, header and packet. in->drop is DROP_DEVICE_HEADER when the two do not go
 * together; in->bytes is the packet in either case. */
void virtio_header_read(struct bytes bytes, struct packet_in *in);

#endif
