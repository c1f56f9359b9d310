/* stdin and stdout at the two ends of a UDP socket. */
#ifndef TUNTCP_DATAGRAMS_H
#define TUNTCP_DATAGRAMS_H

#include "output.h"
#include "session.h"

struct datagrams_config {
    int input_fd; /* -1: nothing is read */
    struct output *output;
    bool sends_crlf;
    bool has_peer;         /* false: the first one who sends becomes the peer ... */
    bool answers_everyone; /* ... or, with this, whoever has sent last */
    struct ip_addr peer;
    uint16_t peer_port;
    const struct ip_addr *local; /* NULL: the stack's first address */
    uint16_t local_port;         /* 0: an ephemeral one */
    uint64_t idle_timeout_us;
    uint64_t quit_delay_us;
    uint64_t wait_until_us; /* without a peer: until when one may come; NEVER: no limit */
};

struct datagrams_counts {
    uint64_t bytes_sent;
    uint64_t bytes_received;
};

/* Each read from stdin is a datagram, each datagram that comes is written to stdout. UDP has no
 * end: the run lasts until a time-out, ^C, or an ICMP error. Returns the exit code after having
 * said what went wrong. */
enum exit_code datagrams_run(struct session *session, const struct datagrams_config *config,
                             struct datagrams_counts *counts);

#endif
