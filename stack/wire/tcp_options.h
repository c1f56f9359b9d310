/* TCP options: RFC 9293 3.2 (EOL, NOP, MSS), RFC 7323 (window scale, timestamps), RFC 2018 (SACK),
 * RFC 5482 (user time-out).
 * Unknown options are skipped by their length (MUST-6, MUST-68); an illegal length is an error
 * (MUST-7). */
#ifndef TUNTCP_WIRE_TCP_OPTIONS_H
#define TUNTCP_WIRE_TCP_OPTIONS_H

#include "bytes.h"
#include "drop.h"

enum {
    TCP_OPTIONS_MAX_BYTES = 40,
    TCP_SACK_BLOCKS_MAX = 4,
    TCP_OPTION_EOL = 0,
    TCP_OPTION_NOP = 1,
    TCP_OPTION_MSS = 2,
    TCP_OPTION_WINDOW_SCALE = 3,
    TCP_OPTION_SACK_PERMITTED = 4,
    TCP_OPTION_SACK = 5,
    TCP_OPTION_TIMESTAMPS = 8,
    TCP_OPTION_USER_TIMEOUT = 28,
    TCP_OPTION_USER_TIMEOUT_BYTES = 4,
};

/* In which order the options of a SYN are written: a fingerprint that learners compare. */
enum tcp_syn_style {
    TCP_SYN_STYLE_MACOS, /* MSS NOP WS NOP NOP TS SACK_PERM EOL, zero padding: 24 bytes */
    TCP_SYN_STYLE_LINUX, /* MSS SACK_PERM TS NOP WS: 20 bytes */
};

struct tcp_sack_block {
    uint32_t left;  /* first sequence number of the block */
    uint32_t right; /* the one behind its last */
};

struct tcp_options {
    bool has_mss;
    bool has_window_scale;
    bool has_timestamps;
    bool sack_permitted;
    uint16_t mss;
    uint8_t window_scale; /* as received: RFC 7323 (2.3) caps it at 14, which is TCP's business */
    uint32_t tsval;
    uint32_t tsecr;
    uint16_t user_timeout; /* as on the wire; 0, which is reserved: no option. RFC 5482 (3.4) */
    unsigned sack_count;
    struct tcp_sack_block sack[TCP_SACK_BLOCKS_MAX];
};

enum drop tcp_options_parse(struct bytes options, struct tcp_options *parsed);
/* Write the options, padded with zeros (or led by NOPs, as Linux and macOS do) to a multiple of 4.
 * `style` decides the order when MSS, window scale or SACK-permitted are present (a SYN); other
 * segments carry NOP NOP TS, then NOP NOP SACK. Returns the length. SACK blocks that do not fit
 * are left out from the end. */
size_t tcp_options_emit(const struct tcp_options *options, enum tcp_syn_style style,
                        uint8_t bytes[static TCP_OPTIONS_MAX_BYTES]);
/* How long tcp_options_emit() would make them. */
size_t tcp_options_bytes(const struct tcp_options *options, enum tcp_syn_style style);

/* The field of the user time-out option, RFC 5482 (3.3): 15 bits, of seconds or, with the highest
 * bit, minutes. What it says in seconds; and the field that says at least `seconds`, from 1 s to
 * 32767 minutes. */
uint64_t tcp_user_timeout_s(uint16_t field);
uint16_t tcp_user_timeout_field(uint64_t seconds);

#endif
