/* Packets at the edge of the stack: what comes in and what goes out. */
#ifndef TUNTCP_PACKET_H
#define TUNTCP_PACKET_H

#include "wire/bytes.h"
#include "wire/drop.h"
#include "wire/ipv4.h"
#include "wire/tcp_segment.h"

enum { PACKET_HEADER_MAX_BYTES = IPV4_HEADER_MAX_BYTES + TCP_HEADER_MAX_BYTES };

/* A packet in: one IP packet, and what the device already knows of it. */
struct packet_in {
    struct bytes bytes;
    bool checksum_ok;       /* the device has verified the TCP or UDP checksum, or it needs none */
    uint32_t segment_bytes; /* payload per segment when several were merged; 0: just one */
    enum drop drop;         /* not DROP_NOT: the device is wrong about it, it is to be discarded */
    bool checksum_needed;   /* its checksum was never finished: see struct packet_out. The stack */
    size_t checksum_start;  /* needs none, but who shows the packet completes it */
    size_t checksum_offset;
};

/* A packet out: a finished header in the caller's memory and at most two spans of payload that
 * point into the stack (a send ring, a datagram's slot). They are valid until the next call to
 * the stack. */
struct packet_out {
    uint8_t header[PACKET_HEADER_MAX_BYTES];
    size_t header_bytes;
    struct bytes payload[2];
    uint32_t segment_bytes; /* above 0: cut the payload into segments of this size (GSO) */
    bool checksum_needed;   /* the transport checksum is left to the device ... */
    size_t checksum_start;  /* ... summed from here to the end, header included ... */
    size_t checksum_offset; /* ... and stored here, counted from checksum_start */
};

/* Length of the whole packet. */
size_t packet_out_bytes(const struct packet_out *out);
/* Copy the whole packet to `memory`; returns its length, 0 if `room` does not suffice. */
size_t packet_out_copy(const struct packet_out *out, uint8_t *memory, size_t room);

#endif
