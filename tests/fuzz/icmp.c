/* Any bytes as an ICMP message: what parses survives being written again. */
#include "../../stack/wire/icmp.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
    static uint8_t packet[1 << 16];
    struct icmp_message icmp, again;

    (void)icmp_parse((struct bytes){data, len}, false, &icmp);
    if (icmp_parse((struct bytes){data, len}, true, &icmp) != DROP_NOT || len > sizeof packet)
        return 0;
    HOLDS(icmp_emit(&icmp, packet, sizeof packet) == len);
    HOLDS(icmp_parse((struct bytes){packet, len}, false, &again) == DROP_NOT);
    HOLDS(again.type == icmp.type && again.code == icmp.code && again.echo_id == icmp.echo_id);
    HOLDS(again.echo_seq == icmp.echo_seq && again.next_hop_mtu == icmp.next_hop_mtu);
    HOLDS(again.pointer == icmp.pointer && again.body.len == icmp.body.len);
    return 0;
}
