/* ICMP messages for IPv4, RFC 792. */
#ifndef TUNTCP_WIRE_ICMP_H
#define TUNTCP_WIRE_ICMP_H

#include "bytes.h"
#include "drop.h"

enum {
    ICMP_HEADER_BYTES = 8,
    ICMP_ECHO_REPLY = 0,
    ICMP_UNREACHABLE = 3,
    ICMP_SOURCE_QUENCH = 4,
    ICMP_REDIRECT = 5,
    ICMP_ECHO_REQUEST = 8,
    ICMP_TIME_EXCEEDED = 11,
    ICMP_PARAMETER_PROBLEM = 12,
    ICMP_UNREACHABLE_NET = 0,
    ICMP_UNREACHABLE_HOST = 1,
    ICMP_UNREACHABLE_PROTOCOL = 2,
    ICMP_UNREACHABLE_PORT = 3,
    ICMP_UNREACHABLE_FRAGMENTATION = 4,
    ICMP_UNREACHABLE_SOURCE_ROUTE = 5,
    ICMP_TIME_EXCEEDED_TRANSIT = 0,
    ICMP_TIME_EXCEEDED_REASSEMBLY = 1,
};

struct icmp_message {
    uint8_t type;
    uint8_t code;
    uint16_t echo_id; /* echo request and reply */
    uint16_t echo_seq;
    uint16_t next_hop_mtu; /* unreachable, code 4 (RFC 1191); otherwise 0 */
    uint8_t pointer;       /* parameter problem */
    struct bytes body;     /* echo: the data; errors: IP header and first bytes of the offender */
};

/* Parse and verify the checksum (left out when `checksum_ok`). `body` borrows from `packet`. */
enum drop icmp_parse(struct bytes packet, bool checksum_ok, struct icmp_message *icmp);
/* Write the whole message, body and checksum included. Returns its length, 0 if it does not fit. */
size_t icmp_emit(const struct icmp_message *icmp, uint8_t *packet, size_t room);

#endif
