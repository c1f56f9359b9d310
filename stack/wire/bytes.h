/* Bytes in network order: the only place that indexes packet memory.
 *
 * A `struct reader` walks over received bytes and remembers an overrun instead of failing at
 * each step: a parser reads its fields straight through and asks `overrun` once at the end.
 * Reading past the end yields zeros. A `struct writer` is its mirror image for sending: writing
 * past the end is dropped and remembered. Host byte order everywhere else. */
#ifndef TUNTCP_WIRE_BYTES_H
#define TUNTCP_WIRE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed memory: valid for the call it is passed to, unless its owner says otherwise. */
struct bytes {
    const uint8_t *data;
    size_t len;
};

struct reader {
    const uint8_t *at;
    size_t left;
    bool overrun; /* something was read that was not there */
};

struct writer {
    uint8_t *at;
    size_t left;
    bool overrun; /* something was written for which there was no room */
};

struct reader reader_of(struct bytes bytes);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
/* The next `len` bytes, borrowed from the packet; empty, with `overrun` set, if there are fewer. */
struct bytes read_bytes(struct reader *r, size_t len);

struct writer writer_of(uint8_t *memory, size_t len);
void write_u8(struct writer *w, uint8_t value);
void write_u16(struct writer *w, uint16_t value);
void write_u32(struct writer *w, uint32_t value);
void write_bytes(struct writer *w, struct bytes bytes);

/* The part of `bytes` behind its first `count` bytes; empty if there are not that many. */
struct bytes bytes_skip(struct bytes bytes, size_t count);
/* At most the first `count` bytes. */
struct bytes bytes_first(struct bytes bytes, size_t count);

#endif
