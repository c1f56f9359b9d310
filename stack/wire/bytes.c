/* Reading and writing of bytes in network order, see bytes.h. Each function checks the room that is
 * left, and nothing else does. */
#include "bytes.h"

#include <string.h>

struct reader reader_of(struct bytes bytes)
{
    return (struct reader){.at = bytes.data, .left = bytes.len};
}

/* `len` bytes to look at, or NULL and the overrun noted. */
static const uint8_t *take(struct reader *r, size_t len)
{
    if (r->left < len) {
        r->overrun = true;
        r->left = 0;
        return NULL;
    }
    const uint8_t *at = r->at;
    if (len > 0)
        r->at += len;
    r->left -= len;
    return at;
}

uint8_t read_u8(struct reader *r)
{
    const uint8_t *at = take(r, 1);
    return at == NULL ? 0 : at[0];
}

uint16_t read_u16(struct reader *r)
{
    const uint8_t *at = take(r, 2);
    if (at == NULL)
        return 0;
    return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t read_u32(struct reader *r)
{
    const uint8_t *at = take(r, 4);
    return at == NULL
               ? 0
               : (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

struct bytes read_bytes(struct reader *r, size_t len)
{
    const uint8_t *at = take(r, len);
    return at == NULL ? (struct bytes){NULL, 0} : (struct bytes){at, len};
}

struct writer writer_of(uint8_t *memory, size_t len)
{
    return (struct writer){.at = memory, .left = len};
}

static uint8_t *reserve(struct writer *w, size_t len)
{
    if (w->left < len) {
        w->overrun = true;
        w->left = 0;
        return NULL;
    }
    uint8_t *at = w->at;
    w->at += len;
    w->left -= len;
    return at;
}

void write_u8(struct writer *w, uint8_t value)
{
    uint8_t *at = reserve(w, 1);
    if (at != NULL)
        at[0] = value;
}

void write_u16(struct writer *w, uint16_t value)
{
    uint8_t *at = reserve(w, 2);
    if (at == NULL)
        return;
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

void write_u32(struct writer *w, uint32_t value)
{
    uint8_t *at = reserve(w, 4);
    if (at == NULL)
        return;
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

void write_bytes(struct writer *w, struct bytes bytes)
{
    if (bytes.len == 0)
        return;
    uint8_t *at = reserve(w, bytes.len);
    if (at != NULL)
        memcpy(at, bytes.data, bytes.len);
}

struct bytes bytes_skip(struct bytes bytes, size_t count)
{
    if (count >= bytes.len)
        return (struct bytes){NULL, 0};
    return (struct bytes){bytes.data + count, bytes.len - count};
}

struct bytes bytes_first(struct bytes bytes, size_t count)
{
    if (count < bytes.len)
        bytes.len = count;
    return bytes;
}
