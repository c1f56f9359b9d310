/* Any bytes as a TCP segment: what parses survives being written again, in both layouts of a SYN.
 */
#include "../../stack/wire/tcp_segment.h"

#include "fuzz.h"

static void check_round_trip(const struct tcp_segment *seg, enum tcp_syn_style style)
{
    uint8_t header[TCP_HEADER_MAX_BYTES];
    struct tcp_segment again;
    size_t header_bytes = tcp_emit(seg, style, header);

    HOLDS(header_bytes % 4 == 0 && header_bytes <= TCP_HEADER_MAX_BYTES);
    HOLDS(tcp_parse((struct bytes){header, header_bytes}, &again) == DROP_NOT);
    HOLDS(again.seq == seg->seq && again.ack == seg->ack && again.flags == seg->flags);
    HOLDS(again.wnd == seg->wnd && again.urgent == seg->urgent && again.payload.len == 0);
    HOLDS(again.options.user_timeout == seg->options.user_timeout);
    HOLDS(again.options.has_mss == seg->options.has_mss && again.options.mss == seg->options.mss);
    HOLDS(again.options.has_timestamps == seg->options.has_timestamps);
    HOLDS(again.options.tsval == seg->options.tsval && again.options.tsecr == seg->options.tsecr);
    HOLDS(again.options.window_scale == seg->options.window_scale);
    HOLDS(again.options.sack_count <= seg->options.sack_count);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
    struct ip_addr src = ip_addr_from_v4(0x0a000001), dst = ip_addr_from_v4(0x0a000002);
    struct tcp_segment seg;

    (void)tcp_checksum_is_right((struct bytes){data, len}, &src, &dst);
    if (tcp_parse((struct bytes){data, len}, &seg) != DROP_NOT)
        return 0;
    HOLDS(seg.payload.len + TCP_HEADER_BYTES <= len);
    HOLDS(seg.options.sack_count <= TCP_SACK_BLOCKS_MAX);
    check_round_trip(&seg, TCP_SYN_STYLE_LINUX);
    check_round_trip(&seg, TCP_SYN_STYLE_MACOS);
    return 0;
}
