/* Numbers that an outsider must not guess: initial sequence numbers (RFC 6528, SHLD-1, MUST-9),
 * ephemeral ports (RFC 6056 algorithm 3) and timestamp offsets (RFC 7323 5.4). */
#ifndef TUNTCP_TCP_ISN_H
#define TUNTCP_TCP_ISN_H

#include "../siphash.h"
#include "../trace.h"

struct stack;

struct isn {
    struct siphash_key isn_key, port_key, cookie_key;
    uint16_t next_port; /* RFC 6056 3.3.3 calls it next_ephemeral */
};

enum { EPHEMERAL_PORT_FIRST = 49152, EPHEMERAL_PORT_COUNT = 16384 };

void isn_init(struct isn *isn, struct stack *stack);
/* ISN = M + F(localip, localport, remoteip, remoteport, secretkey), M a clock of 4 us (MUST-8); and
 * an offset of the timestamps. */
void isn_choose(struct stack *stack, const struct flow_id *id, uint32_t *iss, uint32_t *ts_offset);
/* A local port for `id` (whose local_port is not set yet) that no connection uses with this remote
 * end; 0: all are taken. */
uint16_t isn_ephemeral_port(struct stack *stack, struct flow_id id);

#endif
