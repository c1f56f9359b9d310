/* The Internet checksum, RFC 1071: one's complement sum of 16-bit words, summed over several spans
 * of any length as if they were one. */
#ifndef TUNTCP_WIRE_CHECKSUM_H
#define TUNTCP_WIRE_CHECKSUM_H

#include "ip_addr.h"
#include "bytes.h"

/* A sum in progress; start from {0}. */
struct checksum {
    uint64_t sum; /* in the byte order of memory */
    bool odd;     /* an odd number of bytes so far: the next span starts in the middle of a word */
};

void checksum_add(struct checksum *c, struct bytes bytes);
/* The pseudo-header of TCP and UDP: addresses, protocol, and `length` of header plus payload. */
void checksum_add_pseudo(struct checksum *c, const struct ip_addr *src, const struct ip_addr *dst,
                         uint8_t protocol, size_t length);
/* The folded sum itself (not inverted): what a device that completes a checksum wants to find in
 * the checksum field, given the pseudo-header. */
uint16_t checksum_fold(const struct checksum *c);
/* The complement: what goes into a header. Zero when summed over data with a right checksum. */
uint16_t checksum_finish(const struct checksum *c);
/* The same for an IPv4 header, which is whole words of 32 bits, in one go. */
uint16_t checksum_of_header(struct bytes header);

#endif
