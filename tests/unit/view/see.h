/* The dissector under test, and segments between a client and a server that it sees one after the
 * other, a millisecond apart. */
#ifndef TUNTCP_TESTS_SEE_H
#define TUNTCP_TESTS_SEE_H

#include <check.h>

#include "../../../apps/view/rows.h"
#include "packets.h"

enum { WEB = 80, PLAIN = 9999 };

static struct dissector *d;
static struct dissection row;
static uint64_t now_us;

static inline void setup(void)
{
    d = dissector_new();
    ck_assert_ptr_nonnull(d);
    now_us = 1000000;
}

static inline void teardown(void)
{
    dissector_free(d);
}

static inline void see(const struct packet *p)
{
    dissect(d, packet_bytes(p), now_us, &row);
    now_us += 1000;
}

/* A segment without options, and what its Info is. */
static inline const char *client(uint16_t port, uint8_t flags, uint32_t seq, uint32_t ack,
                                 uint16_t wnd, const char *text)
{
    struct packet p = segment(true, port, flags, seq, ack, wnd, text, NULL);

    see(&p);
    return row.info;
}

static inline const char *server(uint16_t port, uint8_t flags, uint32_t seq, uint32_t ack,
                                 uint16_t wnd, const char *text)
{
    struct packet p = segment(false, port, flags, seq, ack, wnd, text, NULL);

    see(&p);
    return row.info;
}

static inline void handshake(uint16_t port)
{
    client(port, TCP_SYN, 0, 0, 65535, "");
    server(port, TCP_SYN | TCP_ACK, 0, 1, 65535, "");
    client(port, TCP_ACK, 1, 1, 65535, "");
}

#endif
