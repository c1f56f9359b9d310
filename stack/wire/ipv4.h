/* The IPv4 header, RFC 791. */
#ifndef TUNTCP_WIRE_IPV4_H
#define TUNTCP_WIRE_IPV4_H

#include "bytes.h"
#include "drop.h"
#include "ip_addr.h"

enum {
    IPV4_HEADER_BYTES = 20,
    IPV4_HEADER_MAX_BYTES = 60,
    IPV4_PACKET_MAX_BYTES = 65535,
    IP_PROTOCOL_ICMP = 1,
    IP_PROTOCOL_TCP = 6,
    IP_PROTOCOL_UDP = 17,
};

struct ipv4_packet {
    struct ip_addr src;
    struct ip_addr dst;
    uint8_t tos; /* DSCP (6 bits) and ECN (2 bits) */
    uint8_t ttl;
    uint8_t protocol;
    uint16_t id;
    bool dont_fragment;
    bool more_fragments;
    uint32_t fragment_offset_bytes;
    struct bytes options; /* well formed: each option's length lies within the header */
    struct bytes payload; /* total length of the header respected; bytes behind it are cut off */
};

/* Parse and check one packet: version, header length, total length, header checksum, option
 * lengths. `checksum_ok` leaves the header checksum out (the device has verified it).
 * The spans of *ip borrow from `packet`. */
enum drop ipv4_parse(struct bytes packet, bool checksum_ok, struct ipv4_packet *ip);

/* Write the header of `ip` with the right checksum, options (padded to 4) included, for
 * `payload_bytes` of payload that follow. `ip->payload` is not looked at. Returns the header's
 * length, 0 if it has no room in `header` or the packet would pass 65535 bytes. */
size_t ipv4_emit(const struct ipv4_packet *ip, size_t payload_bytes, uint8_t *header, size_t room);

#endif
