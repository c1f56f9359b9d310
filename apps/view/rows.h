/* The trace as Wireshark 4.0 prints it: one row a packet (No., Time, Source, Destination, Protocol,
 * Length, Info), with what the stack knows between the rows. A sink of the event stream. */
#ifndef TUNTCP_ROWS_H
#define TUNTCP_ROWS_H

#include <stdio.h>

#include "../../stack/trace.h"

struct rows;

enum { ROWS_INFO_BYTES = 4096 }; /* as long as Wireshark lets the column become */

/* `verbosity` 1: rows and state changes; 2: reasons, timers, cwnd and RTO as well. `color`: the
 * colours of Wireshark's default rules. NULL when memory is short. */
struct rows *rows_new(FILE *out, int verbosity, bool color);
void rows_free(struct rows *rows);
/* The trace_sink: context is the struct rows. */
void rows_event(void *rows, const struct trace_event *event);

/* Just the dissector, for tests and tools: what Wireshark's columns hold for one packet that is
 * seen at `time_us`; it remembers the conversations. `info` gets at most ROWS_INFO_BYTES. */
struct dissector;

/* Which of Wireshark's default colouring rules the packet meets. */
enum row_style {
    ROW_PLAIN,
    ROW_BAD_TCP,
    ROW_ICMP_ERROR,
    ROW_ICMP,
    ROW_TCP_RST,
    ROW_LOW_TTL,
    ROW_HTTP,
    ROW_TCP_SYN_FIN,
    ROW_TCP,
    ROW_UDP,
};

struct dissection {
    char source[IP_ADDR_TEXT_BYTES];
    char destination[IP_ADDR_TEXT_BYTES];
    const char *protocol;
    size_t length;
    char info[ROWS_INFO_BYTES];
    uint64_t number; /* of the packet, from 1 */
    enum row_style style;
};
struct dissector *dissector_new(void);
void dissector_free(struct dissector *d);
void dissect(struct dissector *d, struct bytes packet, uint64_t time_us, struct dissection *row);

#endif
