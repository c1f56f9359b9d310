/* The TCP header, RFC 9293 3.1. */
#ifndef TUNTCP_WIRE_TCP_SEGMENT_H
#define TUNTCP_WIRE_TCP_SEGMENT_H

#include "ip_addr.h"
#include "tcp_options.h"

enum {
    TCP_HEADER_BYTES = 20,
    TCP_HEADER_MAX_BYTES = 60,
    TCP_CHECKSUM_OFFSET = 16,
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80,
};

/* One segment. The names are RFC 9293's: SEG.SEQ is `seq`, SEG.ACK `ack`, SEG.WND `wnd` (the raw
 * 16 bits), SEG.UP `urgent`. */
struct tcp_segment {
    uint16_t src_port;
    uint16_t dst_port;
    uint32_t seq;
    uint32_t ack;
    uint16_t wnd;
    uint16_t urgent;
    uint8_t flags; /* TCP_FIN ... TCP_CWR */
    struct tcp_options options;
    struct bytes payload;
    /* Of the IP header that carried it. tcp_parse() does not see that: its caller fills them in. */
    uint8_t tos;             /* DSCP (6 bits) and ECN (2 bits) */
    struct bytes ip_options; /* for a source route */
    /* Of the device, alike: payload of each segment when it has merged several; 0: just one. */
    uint32_t segment_bytes;
};

/* Parse the header. The checksum is verified by tcp_checksum_is_right(), before. */
enum drop tcp_parse(struct bytes packet, struct tcp_segment *seg);
bool tcp_checksum_is_right(struct bytes packet, const struct ip_addr *src,
                           const struct ip_addr *dst);

/* Write header and options with a checksum field of 0, the payload left out. `style` as in
 * tcp_options_emit(). Returns the header's length, a multiple of 4. */
size_t tcp_emit(const struct tcp_segment *seg, enum tcp_syn_style style,
                uint8_t header[static TCP_HEADER_MAX_BYTES]);

/* SEG.LEN: payload plus one for SYN and one for FIN. */
uint32_t tcp_segment_len(const struct tcp_segment *seg);
/* How many segments a packet stands for that carries `payload_bytes`, `segment_bytes` in each; 0:
 * all in one. */
uint32_t tcp_segment_count(uint32_t payload_bytes, uint32_t segment_bytes);

#endif
