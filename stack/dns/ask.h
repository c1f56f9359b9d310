/* One question to one server: over UDP first, over TCP if the answer does not fit a datagram. */
#ifndef TUNTCP_DNS_ASK_H
#define TUNTCP_DNS_ASK_H

#include "../tcp/tcp.h"
#include "../udp/udp.h"
#include "dns.h"

enum dns_ask_state {
    DNS_ASK_WAITING,
    DNS_ASK_ANSWERED,  /* *message is the response */
    DNS_ASK_NO_USE,    /* the server has answered, but not so that we can use it */
    DNS_ASK_NO_ANSWER, /* it cannot be reached */
    DNS_ASK_RESOURCES, /* memory is short */
};

enum {
    DNS_LENGTH_BYTES = 2, /* in front of each message over TCP, RFC 1035 4.2.2 */
    DNS_QUERY_MAX_BYTES = DNS_HEADER_BYTES + DNS_NAME_MAX_BYTES + 4,
};

struct dns_ask {
    struct stack *stack;
    struct flow_id flow; /* to the server; for the trace */
    uint16_t id;
    const char *name;       /* asked for; borrowed from whoever asks */
    unsigned try_count;     /* for the trace */
    struct udp_socket *udp; /* NULL when not, or no longer, over UDP */
    struct tcb *tcb;        /* NULL when not over TCP */
    uint8_t query[DNS_LENGTH_BYTES + DNS_QUERY_MAX_BYTES]; /* over TCP: length, message */
    size_t query_bytes;
    size_t sent_bytes;
    uint8_t reply_length[DNS_LENGTH_BYTES];
    uint8_t *reply; /* over TCP: taken when its length is known */
    size_t reply_bytes;
    size_t received_bytes; /* with the length in front */
};

/* Send the question for the addresses of `name`, which is borrowed until dns_ask_end(). *scratch is
 * overwritten. Returns DNS_ASK_WAITING or why it came to nothing; dns_ask_end() in any case. */
enum dns_ask_state dns_ask_begin(struct dns_ask *ask, struct stack *stack,
                                 const struct ip_addr *server, uint16_t port, const char *name,
                                 unsigned try_count, struct dns_message *scratch);
/* Read what has come. *message is overwritten in any case. */
enum dns_ask_state dns_ask_look(struct dns_ask *ask, struct dns_message *message);
/* Close what is open. May be called more than once. */
void dns_ask_end(struct dns_ask *ask);
void dns_ask_trace(const struct dns_ask *ask, const char *cause);

#endif
