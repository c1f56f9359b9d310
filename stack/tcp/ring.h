/* A byte ring: the send buffer, and the receive buffer with its holes.
 *
 * It starts without memory and doubles as it is filled, up to the limit that its user gives each
 * time. An empty ring is written from the front again, so that a fast connection keeps using the
 * same few cache lines: ring_write() does so by itself, who writes by place asks for it when
 * nothing lies beyond a hole. ring_release() gives the memory back.
 *
 * A ring is either written in order (ring_write, ring_reserve) or by place (ring_write_at). */
#ifndef TUNTCP_TCP_RING_H
#define TUNTCP_TCP_RING_H

#include "../memory.h"
#include "../wire/bytes.h"

enum {
    RING_FIRST_BYTES = 512,     /* many connections exchange no more than a few hundred */
    RING_ASSURED_BYTES = 4096,  /* a ring may grow to this whatever the limit says */
    RING_LINE_BYTES = 64,       /* a cache line */
    RING_RESERVE_BYTES = 16384, /* who asks for room without saying how much is offered this: an
                                   initial window of full segments and not many small ones */
};

struct ring {
    uint8_t *memory;
    uint32_t lead;          /* of the block that was taken for it, before the first cache line */
    uint32_t size;          /* a power of two, or 0 */
    uint32_t head;          /* where the first byte is */
    uint32_t used;          /* how many bytes are stored behind it, without holes */
    struct memory *account; /* where its memory is counted; NULL: nowhere */
};

/* How many bytes the ring could hold, up to `wanted`: all of them, or, where its account has no
 * more to give, what it has and RING_ASSURED_BYTES at least. */
size_t ring_capacity(const struct ring *ring, size_t wanted);
/* Store up to `len` bytes behind those that are there, keeping at most `limit`. Returns how many.
 */
size_t ring_write(struct ring *ring, const uint8_t *data, size_t len, size_t limit);
/* Memory for the next bytes, *room of them in one piece; ring_commit() says how many were filled.
 */
uint8_t *ring_reserve(struct ring *ring, size_t limit, size_t *room);
void ring_commit(struct ring *ring, size_t len);
/* Store bytes `offset` behind the first one, leaving a hole before them; `used` does not change:
 * ring_commit() makes them part of the stream once the hole is filled. False when memory is short.
 */
bool ring_write_at(struct ring *ring, size_t offset, struct bytes bytes);
/* Bytes [offset, offset+len) of those stored: one span, or two when they wrap. */
void ring_spans(const struct ring *ring, size_t offset, size_t len, struct bytes span[static 2]);
/* Does the byte `offset` behind the first one begin half a cache line? Only in a large ring. */
bool ring_is_half_line(const struct ring *ring, size_t offset);
/* Discard the first `len` bytes. */
void ring_consume(struct ring *ring, size_t len);
/* If nothing is stored, the next byte goes to the front. */
void ring_rewind(struct ring *ring);
void ring_release(struct ring *ring);

#endif
