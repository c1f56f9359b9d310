/* stdin and stdout at the two ends of a TCP connection. */
#ifndef TUNTCP_STREAM_H
#define TUNTCP_STREAM_H

#include "output.h"
#include "session.h"

struct stream_config {
    int input_fd;           /* -1: nothing is read */
    bool input_is_terminal; /* somebody types: when the peer has ended, so have we */
    struct output *output;
    struct bytes request; /* sent first; borrowed */
    bool sends_crlf;
    uint64_t idle_timeout_us; /* NEVER: none */
    uint64_t quit_delay_us;   /* after the end of input; NEVER: wait for the peer */
    const char *peer;         /* for messages: "google.com (142.250.196.142)" */
    uint16_t peer_port;
};

struct stream_counts {
    uint64_t bytes_sent;
    uint64_t bytes_received;
};

/* Carry bytes both ways until both directions have ended; gives `tcb` back (closed or aborted).
 * Returns the exit code after having said what went wrong; adds to *counts. */
enum exit_code stream_run(struct session *session, const struct stream_config *config,
                          struct tcb *tcb, struct stream_counts *counts);

#endif
