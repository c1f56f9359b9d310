/* Many reads or writes of one descriptor in one system call: Linux' io_uring, without its library.
 */
#ifndef TUNTCP_URING_H
#define TUNTCP_URING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { URING_ENTRIES = 64 };

struct uring;

/* For `fd`, which does not block and stays the caller's. NULL: the kernel has no io_uring (Linux
 * 5.6), forbids it, or memory is short. */
struct uring *uring_open(int fd);
void uring_close(struct uring *uring);

/* Plan one more read or write, at most URING_ENTRIES until the next run; the memory stays where it
 * is until then. */
void uring_add_read(struct uring *uring, uint8_t *memory, size_t room);
void uring_add_write(struct uring *uring, const uint8_t *data, size_t len);
/* Do what was planned, in its order, waiting for nothing. result[n] is what the read() or write()
 * would have returned, or a negative errno: -EAGAIN where nothing was there. False when the kernel
 * does not do that, or not any more: what has been done is told by result[n], none of the others is
 * 0 or above, and the ring is of no more use. */
bool uring_run(struct uring *uring, int32_t result[static URING_ENTRIES]);

#endif
