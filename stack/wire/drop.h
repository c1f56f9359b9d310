/* Why a packet was discarded. Nothing is dropped silently: each discarded packet has one of these
 * values, a counter in `struct stack_counters`, and a trace event. */
#ifndef TUNTCP_WIRE_DROP_H
#define TUNTCP_WIRE_DROP_H

enum drop {
    DROP_NOT,           /* the packet is good */
    DROP_DEVICE_HEADER, /* what the device says of the packet does not fit it */
    DROP_IP_VERSION,
    DROP_IP_TRUNCATED,
    DROP_IP_HEADER_LENGTH,
    DROP_IP_CHECKSUM,
    DROP_IP_OPTIONS,
    DROP_IP_NOT_OURS,
    DROP_IP_SOURCE,
    DROP_IP_PROTOCOL,
    DROP_FRAGMENT_MALFORMED, /* beyond 65535, or not a multiple of 8 bytes */
    DROP_FRAGMENT_OVERLAP,   /* RFC 5722's rule, applied to IPv4 */
    DROP_FRAGMENT_MEMORY,
    DROP_FRAGMENT_TIMEOUT,
    DROP_ICMP_TRUNCATED,
    DROP_ICMP_CHECKSUM,
    DROP_ICMP_UNKNOWN_TYPE,
    DROP_ICMP_RATE_LIMIT,
    DROP_UDP_TRUNCATED,
    DROP_UDP_CHECKSUM,
    DROP_UDP_CLOSED_PORT,
    DROP_UDP_QUEUE_FULL,
    DROP_TCP_TRUNCATED,
    DROP_TCP_CHECKSUM,
    DROP_TCP_OPTION_LENGTH,
    DROP_TCP_BAD_ADDRESS,    /* broadcast or multicast: MUST-57, MUST-63 */
    DROP_TCP_CLOSED_PORT,    /* answered with RST unless it is one */
    DROP_TCP_NOT_ACCEPTABLE, /* outside the receive window */
    DROP_TCP_PAWS,           /* timestamp older than the last one, RFC 7323 (5) */
    DROP_TCP_RST_INVALID,    /* RST not at RCV.NXT, RFC 5961 (3) */
    DROP_TCP_SYN_INVALID,    /* SYN in a synchronized state, RFC 5961 (4) */
    DROP_TCP_ACK_INVALID,    /* acknowledges what was never sent, or is too old */
    DROP_TCP_NO_ACK,         /* a segment without ACK where one is needed */
    DROP_TCP_STATE,          /* nothing to be done with it in this state */
    DROP_TCP_BACKLOG_FULL,
    DROP_TCP_SYN_FLOOD, /* one of very many SYNs: answered when it comes again */
    DROP_TCP_MEMORY,
    DROP_TCP_AFTER_CLOSE, /* data for an application that has gone: SHLD-3 */
    DROP_DNS_MALFORMED,
    DROP_DNS_UNEXPECTED, /* id, question or server do not match the query */
    DROP_OUT_QUEUE_FULL,
    DROP_COUNT,
};

/* A few words for a trace, such as "bad TCP checksum". */
const char *drop_name(enum drop drop);

#endif
