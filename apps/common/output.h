/* Writing to standard output without ever waiting for it. */
#ifndef TUNTCP_OUTPUT_H
#define TUNTCP_OUTPUT_H

#include "../../stack/wire/bytes.h"

struct output {
    int fd;       /* -1: what is written is thrown away */
    bool is_ours; /* opened here, to be closed here */
    bool is_socket;
    bool never_waits; /* a write takes what it can; otherwise poll() must have said yes */
    bool is_blocked;  /* the last write would have waited: poll for POLLOUT */
};

/* Make sure that descriptors 0, 1 and 2 are open, on /dev/null if need be, before anything else is
 * opened: a TUN device that gets number 1 would be taken for standard output. */
void output_guard_standard_streams(void);

/* `fd` -1: throw away. */
void output_open(struct output *output, int fd);
void output_close(struct output *output);
/* Write as much as can be written at once. `is_ready`: poll() has just said POLLOUT. Returns how
 * many bytes went out, 0 if one must poll first (is_blocked is set), or -1 with errno. */
ptrdiff_t output_write(struct output *output, struct bytes bytes, bool is_ready);

#endif
