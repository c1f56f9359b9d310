/* Any bytes as a UDP datagram: what parses survives being written again. */
#include "../../stack/wire/udp.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
    static uint8_t packet[1 << 16];
    struct ip_addr src = ip_addr_from_v4(0x0a000001), dst = ip_addr_from_v4(0x0a000002);
    struct udp_datagram udp, again;

    (void)udp_parse((struct bytes){data, len}, &src, &dst, false, &udp);
    if (udp_parse((struct bytes){data, len}, &src, &dst, true, &udp) != DROP_NOT)
        return 0;
    HOLDS(udp.payload.len + UDP_HEADER_BYTES <= len);
    size_t written = udp_emit(&udp, &src, &dst, packet, sizeof packet);
    HOLDS(written == UDP_HEADER_BYTES + udp.payload.len);
    HOLDS(udp_parse((struct bytes){packet, written}, &src, &dst, false, &again) == DROP_NOT);
    HOLDS(again.src_port == udp.src_port && again.dst_port == udp.dst_port);
    return 0;
}
