/* Any bytes as an IPv4 packet: what parses stays inside the input and survives being written again.
 */
#include "../../stack/wire/source_route.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
    struct ipv4_packet ip, again;
    struct source_route route;
    uint8_t packet[IPV4_HEADER_MAX_BYTES];

    (void)ipv4_parse((struct bytes){data, len}, false, &ip);
    (void)source_route_parse((struct bytes){data, len}, &route); /* of a quotation: unchecked */
    HOLDS(route.hop_count <= SOURCE_ROUTE_HOPS_MAX);
    if (ipv4_parse((struct bytes){data, len}, true, &ip) != DROP_NOT)
        return 0;
    HOLDS(ip.payload.len + ip.options.len + IPV4_HEADER_BYTES <= len);
    size_t header_bytes = ipv4_emit(&ip, 0, packet, sizeof packet);
    HOLDS(header_bytes == IPV4_HEADER_BYTES + ip.options.len);
    HOLDS(ipv4_parse((struct bytes){packet, header_bytes}, false, &again) == DROP_NOT);
    HOLDS(again.id == ip.id && again.ttl == ip.ttl && again.protocol == ip.protocol);
    HOLDS(again.fragment_offset_bytes == ip.fragment_offset_bytes);
    HOLDS(ip_addr_equal(&again.src, &ip.src) && ip_addr_equal(&again.dst, &ip.dst));
    return 0;
}
