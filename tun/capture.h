/* A pcapng file of what the stack sends and receives, with comments on the packets that change
 * something. Standard blocks only: section header, interface (LINKTYPE_RAW, nanoseconds), enhanced
 * packet with direction and comments, name resolution, interface statistics.
 *
 * A sink of the event stream. A packet is held back until the next one (or capture_flush) so that
 * the events it caused become its comments. */
#ifndef TUNTCP_CAPTURE_H
#define TUNTCP_CAPTURE_H

#include "../stack/trace.h"

struct capture;

/* `path` "-": standard output. `epoch_us` is what time 0 of the stack is in microseconds since
 * 1970. NULL with a line in `error` when the file cannot be written. */
struct capture *capture_open(const char *path, const char *interface, const char *description,
                             uint64_t epoch_us, char *error, size_t room);
/* The trace_sink: context is the struct capture. */
void capture_event(void *capture, const struct trace_event *event);
/* Write what is held back and flush the file: after each step of the driver, so that a pipe into
 * Wireshark is live. */
void capture_flush(struct capture *capture);
/* Remember that `address` was resolved from `name`: becomes a name resolution block. */
void capture_name(struct capture *capture, const struct ip_addr *address, const char *name);
/* Returns 0, or -1 if anything could not be written (disk full); errno tells. NULL is fine. */
int capture_close(struct capture *capture);

#endif
