/* From a name and a port to a connection. */
#ifndef TUNTCP_DIAL_H
#define TUNTCP_DIAL_H

#include "session.h"

enum { DIAL_WHY_BYTES = 200, DIAL_PEER_BYTES = 320 };

struct target {
    const char *name;
    bool is_numeric;
    struct ip_addr address[DNS_ADDRESSES_MAX];
    unsigned address_count;
};

struct dial_options {
    const struct ip_addr *local; /* NULL: the stack chooses */
    uint16_t local_port;         /* 0: the stack chooses */
    uint64_t timeout_us;         /* NEVER: TCP's own */
};

/* The addresses of `host`, which is a name or an address. EXIT_OK, or the exit code after having
 * said why. */
enum exit_code dial_resolve(struct session *session, const char *host, struct target *target);
/* "google.com (142.250.196.142)", or the address alone if that was given. Returns `text`. */
const char *dial_describe(const struct target *target, const struct ip_addr *address,
                          char text[static DIAL_PEER_BYTES]);
/* "Connection to ... succeeded!" as a note, "connect to ... failed" as an error, in nc's words. */
void dial_say_connected(const struct session *session, const char *peer, uint16_t port);
void dial_say_failed(const struct session *session, const char *peer, const char *protocol,
                     uint16_t port, const char *why);
/* Connect. EXIT_OK with *tcb established, the caller's to close. EXIT_NETWORK with the reason in
 * `why`, unsaid, because a scan wants to be quiet; any other exit code after having said why. */
enum exit_code dial_connect(struct session *session, const struct dial_options *options,
                            const struct ip_addr *address, uint16_t port, struct tcb **tcb,
                            char why[static DIAL_WHY_BYTES]);

#endif
