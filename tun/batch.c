/* A packet of 1500 bytes costs the kernel less than the way into it and back out: many a call are
 * cheaper. Without offload bulk is a third faster out and a fifth in (`make bench` has both).
 *
 *     out   batch_write()  copies a small packet to out[]; batch_flush() hands over all of them
 *     in    batch_read()   hands out what the last reads brought; when nothing is left, and AHEAD
 *                          such packets came one behind the other, it reads as many at once
 *
 * Large packets are left alone: to copy one costs more than a call, and many of them at once would
 * pass the cache by. They are written from where they lie, after what waits, and read one by one
 * into one hot buffer. Short ones do not wait either: while we make the next, the peer on another
 * processor works on the last one. With all of them at the end of a turn, 64 connections of a byte
 * each way at once were a quarter slower.
 *
 * A read for which no packet is there costs more than one that brings something. To read as many as
 * came the last time, whatever that was, took another quarter; and a flood of SYNs that were read
 * so left half to a bulk connection beside it. */
#include "batch.h"

#include <errno.h>
#include <stdlib.h>

#include "uring.h"

enum {
    PATIENT_BYTES = 512, /* one that is shorter is an answer for which somebody waits */
    OUT_BYTES = 1 << 16,
    FEW = 4,    /* fewer are written one by one */
    AHEAD = 32, /* packets of 1500 bytes that the first cache holds */
    IN_ROOM = (TUN_PACKET_ROOM + 4095) / 4096 * 4096 + 1600, /* so that they share it evenly */
    LINE_BYTES = 64,
    IN_LEAD = 2, /* then what follows the virtio, IPv4 and TCP header, with its timestamps, begins a
                    cache line: received 2 % faster, without a copy 7 % */
};

struct batch {
    struct tun *tun;
    struct uring *uring; /* NULL: one by one */

    struct bytes waiting[URING_ENTRIES]; /* in out[] */
    unsigned waiting_count;
    size_t out_bytes;
    int32_t out_result[URING_ENTRIES];

    int32_t in_result[URING_ENTRIES]; /* stay until handed out, whatever is written meanwhile */
    uint8_t in_index[AHEAD];          /* which of the reads brought something */
    unsigned in_count, in_next;       /* how many did, and how many were handed out */
    bool is_ahead;                    /* the next ones are read at once */
    unsigned run_count; /* since the device had nothing, or since they were as many as that */
    size_t run_bytes;

    uint8_t *in_memory; /* AHEAD times IN_ROOM: what is never touched costs no memory */
    uint8_t *in;
    uint8_t out[OUT_BYTES];
};

static unsigned write_many(struct batch *batch);
static void give_up_uring(struct batch *batch);
static void read_ahead(struct batch *batch);
static int take_next(struct batch *batch, struct packet_in *in);
static void end_run(struct batch *batch);

struct batch *batch_open(struct tun *tun, bool use_uring)
{
    struct batch *batch = malloc(sizeof *batch);

    if (batch == NULL)
        return NULL;
    *batch = (struct batch){.tun = tun, .uring = use_uring ? uring_open(tun->fd) : NULL};
    batch->in_memory =
        aligned_alloc(LINE_BYTES, (batch->uring != NULL ? (size_t)AHEAD : 1) * IN_ROOM);
    if (batch->in_memory != NULL) {
        batch->in = batch->in_memory + IN_LEAD;
        return batch;
    }
    batch_close(batch);
    return NULL;
}

void batch_close(struct batch *batch)
{
    if (batch == NULL)
        return;
    uring_close(batch->uring);
    free(batch->in_memory);
    free(batch);
}

/* ---- out ---- */

int batch_write(struct batch *batch, const struct packet_out *out)
{
    bool is_full = batch->waiting_count == URING_ENTRIES ||
                   batch->out_bytes > sizeof batch->out - TUN_SMALL_BYTES;

    if ((is_full || batch->uring == NULL) && batch_flush(batch) < 0)
        return -1;
    if (batch->uring == NULL) /* from the beginning, or just given up */
        return tun_write(batch->tun, out);
    uint8_t *at = batch->out + batch->out_bytes;
    bool may_wait = packet_out_bytes(out) >= PATIENT_BYTES;
    size_t len = may_wait ? tun_frame(batch->tun, out, at, TUN_SMALL_BYTES) : 0;
    if (len == 0) /* goes at once, behind those that wait */
        return batch_flush(batch) < 0 ? -1 : tun_write(batch->tun, out);
    batch->waiting[batch->waiting_count++] = (struct bytes){at, len};
    batch->out_bytes += len;
    return 0;
}

int batch_flush(struct batch *batch)
{
    bool are_many = batch->uring != NULL && batch->waiting_count >= FEW;
    unsigned done = are_many ? write_many(batch) : 0;
    int result = 0;

    for (; done < batch->waiting_count && result == 0; done++)
        result = tun_write_frame(batch->tun, batch->waiting[done]);
    batch->waiting_count = 0;
    batch->out_bytes = 0;
    return result;
}

/* How many of them have been written, or lost as on a wire: all, unless the kernel refuses or the
 * device is gone. */
static unsigned write_many(struct batch *batch)
{
    unsigned done = 0;

    for (unsigned i = 0; i < batch->waiting_count; i++)
        uring_add_write(batch->uring, batch->waiting[i].data, batch->waiting[i].len);
    bool is_run = uring_run(batch->uring, batch->out_result);
    if (!is_run)
        give_up_uring(batch);
    while (done < batch->waiting_count && (batch->out_result[done] >= 0 ||
                                           (is_run && tun_error_is_loss(-batch->out_result[done]))))
        done++;
    return done;
}

static void give_up_uring(struct batch *batch)
{
    uring_close(batch->uring);
    batch->uring = NULL;
    batch->is_ahead = false;
}

/* ---- in ---- */

int batch_read(struct batch *batch, struct packet_in *in)
{
    if (batch->in_next == batch->in_count && batch->is_ahead)
        read_ahead(batch);
    int result = batch->in_next < batch->in_count ? take_next(batch, in)
                                                  : tun_read(batch->tun, batch->in, in);
    if (result <= 0) {
        end_run(batch);
        return result;
    }
    batch->run_bytes += in->bytes.len;
    if (++batch->run_count == AHEAD)
        end_run(batch);
    return result;
}

/* As tun_read() has it; and the kernel may be short of memory for a request. */
static bool is_nothing_yet(int32_t result)
{
    return result == 0 || result == -EAGAIN || result == -EINTR || result == -ENOMEM;
}

static void read_ahead(struct batch *batch)
{
    for (unsigned i = 0; i < AHEAD; i++)
        uring_add_read(batch->uring, batch->in + (size_t)i * IN_ROOM, TUN_PACKET_ROOM);
    bool is_run = uring_run(batch->uring, batch->in_result);
    if (!is_run)
        give_up_uring(batch);
    batch->in_next = 0;
    batch->in_count = 0;
    for (unsigned i = 0; i < AHEAD; i++) {
        bool is_nothing =
            is_nothing_yet(batch->in_result[i]) || (!is_run && batch->in_result[i] < 0);
        if (!is_nothing) /* may come behind nothing: a packet that arrived between two reads */
            batch->in_index[batch->in_count++] = (uint8_t)i;
    }
    batch->is_ahead = false; /* what has come meanwhile is read one by one */
}

static int take_next(struct batch *batch, struct packet_in *in)
{
    unsigned index = batch->in_index[batch->in_next++];

    if (batch->in_result[index] <= 0)
        return -1;
    tun_unframe(
        batch->tun,
        (struct bytes){batch->in + (size_t)index * IN_ROOM, (size_t)batch->in_result[index]}, in);
    return 1;
}

/* The device had nothing more, or has brought as many as can be read at once. */
static void end_run(struct batch *batch)
{
    bool are_bulk = batch->run_bytes >= (size_t)batch->run_count * PATIENT_BYTES &&
                    batch->run_bytes <= (size_t)batch->run_count * TUN_SMALL_BYTES;

    batch->is_ahead = batch->uring != NULL && batch->run_count == AHEAD && are_bulk;
    batch->run_count = 0;
    batch->run_bytes = 0;
}
