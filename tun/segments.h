/* Packets as they look on a wire: a packet that carries several segments at once (segment_bytes
 * above 0: GSO on the way out, GRO on the way in) is cut into the ordinary ones it stands for, and
 * a checksum that was left to the device is completed. For those who show packets or write them
 * down, and for merged datagrams, which UDP has to keep apart. */
#ifndef TUNTCP_SEGMENTS_H
#define TUNTCP_SEGMENTS_H

#include "../stack/packet.h"

enum { SEGMENT_MAX_BYTES = IPV4_PACKET_MAX_BYTES + PACKET_HEADER_MAX_BYTES };

struct segments {
    uint8_t header[PACKET_HEADER_MAX_BYTES]; /* IP and TCP, as the first segment has them */
    size_t header_bytes;
    size_t ip_bytes; /* of `header`; 0: not cut, neither TCP nor UDP over IPv4 */
    bool is_udp;
    struct bytes payload[2];
    size_t payload_bytes;
    size_t segment_bytes; /* payload of each; all of it when there is just one */
    size_t done_bytes;
    uint16_t index;
    bool is_done;
    bool checksum_needed;
    size_t checksum_start, checksum_offset;
};

/* The packet must stay as it is until the last segment has been taken. */
void segments_of_out(struct segments *segments, const struct packet_out *out);
/* One that the device is wrong about (in->drop) is shown as it came. */
void segments_of_in(struct segments *segments, const struct packet_in *in);
/* The next ordinary packet, written to `memory`; its length, 0 when there is none. One that is
 * longer than `memory` is left out. */
size_t segments_next(struct segments *segments, uint8_t memory[static SEGMENT_MAX_BYTES]);

#endif
