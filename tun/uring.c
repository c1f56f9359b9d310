/* Linux' io_uring: two rings in memory shared with the kernel. We write what is to be done into the
 * one, entries of `struct io_uring_sqe`, say so with one system call, and read what came of it from
 * the other, entries of `struct io_uring_cqe` (io_uring(7)).
 *
 *     sq_tail, ours ---> | sqe | sqe | sqe |  --- io_uring_enter() --->  the device
 *     cq_head, ours ---> | cqe | cqe | cqe |  <--- one for each, res: bytes or -errno
 *
 * RWF_NOWAIT, which a device has to know (TUN since Linux 5.13), keeps a request from being put
 * off until something comes: each is done within the call, one after the other, so packets keep
 * their order and nothing is ever left under way. O_NONBLOCK alone does not do that. The descriptor
 * is registered, which saves to look it up for each request. The kernel lets go of a ring in its
 * own time, and so of a registered descriptor: uring_close() takes it back, or the device would be
 * busy a while longer (who is killed cannot; tun_open() waits for that).
 *
 * Left out: everything asynchronous, which is what io_uring is otherwise for. */
#include "uring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* A ring of entries in the memory of both. */
struct shared_ring {
    unsigned *head, *tail;
    unsigned mask;
};

struct uring {
    int fd;
    struct shared_ring sq, cq;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    unsigned planned;
    uint8_t *rings; /* what is mapped */
    size_t rings_bytes, sqes_bytes;
};

static bool map_rings(struct uring *uring, const struct io_uring_params *params);
static void add(struct uring *uring, uint8_t opcode, const void *memory, size_t len);
static unsigned collect(struct uring *uring, int32_t *result);

struct uring *uring_open(int fd)
{
    struct io_uring_params params = {0};
    struct uring *uring = calloc(1, sizeof *uring);

    if (uring == NULL)
        return NULL;
    uring->fd = (int)syscall(SYS_io_uring_setup, URING_ENTRIES, &params);
    if (uring->fd >= 0 && map_rings(uring, &params) &&
        syscall(SYS_io_uring_register, uring->fd, IORING_REGISTER_FILES, &fd, 1) == 0)
        return uring;
    uring_close(uring);
    return NULL;
}

void uring_close(struct uring *uring)
{
    if (uring == NULL)
        return;
    if (uring->sqes != NULL)
        munmap(uring->sqes, uring->sqes_bytes);
    if (uring->rings != NULL)
        munmap(uring->rings, uring->rings_bytes);
    if (uring->fd >= 0) {
        syscall(SYS_io_uring_register, uring->fd, IORING_UNREGISTER_FILES, NULL, 0);
        close(uring->fd);
    }
    free(uring);
}

void uring_add_read(struct uring *uring, uint8_t *memory, size_t room)
{
    add(uring, IORING_OP_READ, memory, room);
}

void uring_add_write(struct uring *uring, const uint8_t *data, size_t len)
{
    add(uring, IORING_OP_WRITE, data, len);
}

/* A signal may end the call early; what is done by then stays done. */
bool uring_run(struct uring *uring, int32_t result[static URING_ENTRIES])
{
    unsigned count = uring->planned, done = 0, submitted = 0;

    for (unsigned i = 0; i < count; i++)
        result[i] = -EAGAIN;
    uring->planned = 0;
    while (done < count) {
        long taken = syscall(SYS_io_uring_enter, uring->fd, count - submitted, count - done,
                             IORING_ENTER_GETEVENTS, NULL, 0);
        if (taken < 0 && errno != EINTR)
            return false;
        submitted += taken > 0 ? (unsigned)taken : 0;
        done += collect(uring, result);
    }
    return count == 0 || result[0] != -EOPNOTSUPP;
}

/* ---- the rings ---- */

static void *map(const struct uring *uring, size_t bytes, off_t what)
{
    void *at =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, uring->fd, what);

    return at != MAP_FAILED ? at : NULL;
}

static bool map_rings(struct uring *uring, const struct io_uring_params *params)
{
    const struct io_sqring_offsets *sq = &params->sq_off;
    const struct io_cqring_offsets *cq = &params->cq_off;
    size_t sq_bytes = sq->array + params->sq_entries * sizeof(unsigned);
    size_t cq_bytes = cq->cqes + params->cq_entries * sizeof(struct io_uring_cqe);

    if (!(params->features & IORING_FEAT_SINGLE_MMAP))
        return false;
    uring->rings_bytes = sq_bytes > cq_bytes ? sq_bytes : cq_bytes;
    uring->sqes_bytes = params->sq_entries * sizeof(struct io_uring_sqe);
    uring->rings = map(uring, uring->rings_bytes, IORING_OFF_SQ_RING);
    uring->sqes = map(uring, uring->sqes_bytes, IORING_OFF_SQES);
    if (uring->rings == NULL || uring->sqes == NULL)
        return false;
    uint8_t *at = uring->rings;
    unsigned *array = (void *)(at + sq->array);
    uring->sq = (struct shared_ring){(void *)(at + sq->head), (void *)(at + sq->tail),
                                     *(unsigned *)(void *)(at + sq->ring_mask)};
    uring->cq = (struct shared_ring){(void *)(at + cq->head), (void *)(at + cq->tail),
                                     *(unsigned *)(void *)(at + cq->ring_mask)};
    uring->cqes = (void *)(at + cq->cqes);
    for (unsigned i = 0; i < params->sq_entries; i++)
        array[i] = i; /* entries are used in their order */
    return true;
}

static void add(struct uring *uring, uint8_t opcode, const void *memory, size_t len)
{
    unsigned tail = *uring->sq.tail;

    uring->sqes[tail & uring->sq.mask] = (struct io_uring_sqe){
        .opcode = opcode,
        .flags = IOSQE_FIXED_FILE,
        .fd = 0, /* the first of those registered */
        .addr = (uintptr_t)memory,
        .len = (uint32_t)len,
        .rw_flags = RWF_NOWAIT,
        .user_data = uring->planned++,
    };
    __atomic_store_n(uring->sq.tail, tail + 1, __ATOMIC_RELEASE);
}

/* How many have been done since the last time. */
static unsigned collect(struct uring *uring, int32_t *result)
{
    unsigned head = *uring->cq.head, first = head;
    unsigned tail = __atomic_load_n(uring->cq.tail, __ATOMIC_ACQUIRE);

    for (; head != tail; head++) {
        const struct io_uring_cqe *cqe = &uring->cqes[head & uring->cq.mask];
        result[cqe->user_data] = cqe->res;
    }
    __atomic_store_n(uring->cq.head, head, __ATOMIC_RELEASE);
    return head - first;
}
