/* The UDP header, RFC 768. */
#ifndef TUNTCP_WIRE_UDP_H
#define TUNTCP_WIRE_UDP_H

#include "bytes.h"
#include "drop.h"
#include "ip_addr.h"

enum { UDP_HEADER_BYTES = 8 };

struct udp_datagram {
    uint16_t src_port;
    uint16_t dst_port;
    struct bytes payload;
};

/* Parse and verify the checksum (left out when `checksum_ok`, or when the sender sent none, 0). */
enum drop udp_parse(struct bytes packet, const struct ip_addr *src, const struct ip_addr *dst,
                    bool checksum_ok, struct udp_datagram *udp);
/* Write header and payload with checksum (0 is sent as 0xffff). Returns the length, 0 if it does
 * not fit. */
size_t udp_emit(const struct udp_datagram *udp, const struct ip_addr *src,
                const struct ip_addr *dst, uint8_t *packet, size_t room);

#endif
