/* A connection to one of the lab's servers, and what the servers share: read, respond, close.
 * Inside tun/ only, between lab_server.c and the servers themselves. */
#ifndef TUNTCP_LAB_SESSION_H
#define TUNTCP_LAB_SESSION_H

#include "../stack/tcp/tcp.h"
#include "../stack/wire/dns_message.h"

enum { SESSION_REQUEST_BYTES = 4096, SESSION_REPLY_BYTES = 1024 };

/* Where the DNS server works: its messages are too large for the call stack. */
struct lab_names {
    struct dns_message question, answer;
};

/* A response is `reply` and then `body_bytes` of body. */
struct session {
    struct session *next;
    struct tcb *tcb;
    void (*run)(struct session *session); /* the server: does what can be done now */
    struct lab_names *names;
    size_t request_bytes;
    uint8_t request[SESSION_REQUEST_BYTES];
    size_t reply_bytes;
    uint8_t reply[SESSION_REPLY_BYTES];
    const char *body; /* NULL: that of /big */
    size_t body_bytes;
    size_t sent_bytes; /* of reply and body together */
    bool is_responding;
    bool close_after; /* this response */
    bool has_shut_down;
    bool is_over;
};

/* Fill up `request`. False when nothing new is there: the peer has more to say later, or has
 * closed, which ends the session. */
bool session_read(struct session *session);
/* Take the first `len` bytes off `request`. */
void session_consume(struct session *session, size_t len);
/* Begin to send `reply`, filled in before, and the body. */
void session_respond(struct session *session, const char *body, size_t body_bytes);
/* Offer the response to the connection. True when all of it was accepted. */
bool session_send(struct session *session);
/* Throw away what comes until the peer has closed, which ends the session. */
void session_read_to_the_end(struct session *session);
/* Send the FIN, then read to the end. */
void session_shut_down(struct session *session);

/* The web server and the DNS server over TCP. */
void lab_web_run(struct session *session);
void lab_names_run(struct session *session);

/* Answer the DNS message `query` into `reply`. Returns the answer's length, 0 for silence: what is
 * no query must not be answered, or two servers could talk forever. */
size_t lab_names_answer(struct lab_names *names, struct bytes query, uint8_t *reply, size_t room);

#endif
