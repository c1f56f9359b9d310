/* One run of an application: its stack and device, its rows on the terminal, its signals. */
#ifndef TUNTCP_SESSION_H
#define TUNTCP_SESSION_H

#include "../view/rows.h"
#include "host_options.h"

enum { SESSION_FDS_MAX = 4 };

struct session {
    struct say say;
    struct host *host;
    struct rows *rows;         /* NULL without -v */
    struct ip_addr dns_server; /* the last one that the resolver spoke of; unspecified: none */
    bool time_is_virtual;      /* the lab, and nobody types */
    bool stdout_is_capture;
    uint64_t start_us; /* the lab's clock does not begin at 0 */
};

enum turn {
    TURN_OK,
    TURN_NOTHING_LEFT, /* the lab has come to rest and nobody will ever say anything again */
    TURN_DEVICE_GONE,  /* already said */
};

/* Opens everything. EXIT_OK, or the exit code after having said why; session_close() either way. */
enum exit_code session_open(struct session *session, const struct say *say,
                            const struct host_options *options);
/* Sends what is still to be sent, waits a moment for the peers of closed connections, and closes
 * everything. Returns `code`, or EXIT_ENVIRONMENT when all went well but the capture could not be
 * written. */
enum exit_code session_close(struct session *session, enum exit_code code);

/* One turn of the loop: see host_step(). `count` at most SESSION_FDS_MAX. */
enum turn session_turn(struct session *session, struct pollfd *fds, nfds_t count, uint64_t wake_us);
uint64_t session_now_us(const struct session *session);
/* The moment `delay_us` from now, NEVER if that is NEVER. */
uint64_t session_after(const struct session *session, uint64_t delay_us);
/* Is `address` one of our own? */
bool session_owns(const struct session *session, const struct ip_addr *address);

#endif
