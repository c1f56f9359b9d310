/* The reasons for a drop in words. A switch without default: the compiler finds the forgotten one.
 */
#include "drop.h"

const char *drop_name(enum drop drop)
{
    switch (drop) {
    case DROP_NOT:
        return "not dropped";
    case DROP_DEVICE_HEADER:
        return "the device's header does not fit the packet";
    case DROP_IP_VERSION:
        return "not IP version 4";
    case DROP_IP_TRUNCATED:
        return "IP packet truncated";
    case DROP_IP_HEADER_LENGTH:
        return "bad IP header length";
    case DROP_IP_CHECKSUM:
        return "bad IP header checksum";
    case DROP_IP_OPTIONS:
        return "bad IP options";
    case DROP_IP_NOT_OURS:
        return "not for our address";
    case DROP_IP_SOURCE:
        return "bad IP source address";
    case DROP_IP_PROTOCOL:
        return "unknown IP protocol";
    case DROP_FRAGMENT_MALFORMED:
        return "malformed fragment";
    case DROP_FRAGMENT_OVERLAP:
        return "overlapping fragment";
    case DROP_FRAGMENT_MEMORY:
        return "no memory for fragments";
    case DROP_FRAGMENT_TIMEOUT:
        return "fragments did not all arrive in time";
    case DROP_ICMP_TRUNCATED:
        return "ICMP message truncated";
    case DROP_ICMP_CHECKSUM:
        return "bad ICMP checksum";
    case DROP_ICMP_UNKNOWN_TYPE:
        return "ICMP type not handled";
    case DROP_ICMP_RATE_LIMIT:
        return "ICMP rate limit";
    case DROP_UDP_TRUNCATED:
        return "UDP datagram truncated";
    case DROP_UDP_CHECKSUM:
        return "bad UDP checksum";
    case DROP_UDP_CLOSED_PORT:
        return "UDP port closed";
    case DROP_UDP_QUEUE_FULL:
        return "UDP receive queue full";
    case DROP_TCP_TRUNCATED:
        return "TCP segment truncated";
    case DROP_TCP_CHECKSUM:
        return "bad TCP checksum";
    case DROP_TCP_OPTION_LENGTH:
        return "illegal TCP option length";
    case DROP_TCP_BAD_ADDRESS:
        return "TCP from or to an address that cannot have a connection";
    case DROP_TCP_CLOSED_PORT:
        return "TCP port closed";
    case DROP_TCP_NOT_ACCEPTABLE:
        return "outside the receive window";
    case DROP_TCP_PAWS:
        return "old timestamp (PAWS)";
    case DROP_TCP_RST_INVALID:
        return "RST not at the expected sequence number";
    case DROP_TCP_SYN_INVALID:
        return "SYN in a synchronized state";
    case DROP_TCP_ACK_INVALID:
        return "ACK out of range";
    case DROP_TCP_NO_ACK:
        return "no ACK";
    case DROP_TCP_STATE:
        return "nothing to be done with it in this state";
    case DROP_TCP_BACKLOG_FULL:
        return "backlog full";
    case DROP_TCP_SYN_FLOOD:
        return "a flood of SYNs: this one is answered when it comes again";
    case DROP_TCP_MEMORY:
        return "no memory for the connection";
    case DROP_TCP_AFTER_CLOSE:
        return "data after close";
    case DROP_DNS_MALFORMED:
        return "malformed DNS message";
    case DROP_DNS_UNEXPECTED:
        return "DNS answer that was not asked for";
    case DROP_OUT_QUEUE_FULL:
        return "outgoing queue full";
    case DROP_COUNT:
        break;
    }
    return "unknown reason";
}
