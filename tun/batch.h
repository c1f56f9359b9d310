/* Packets to and from a TUN device, many a system call. */
#ifndef TUNTCP_BATCH_H
#define TUNTCP_BATCH_H

#include "tun.h"

struct batch;

/* Over `tun`, which is open and stays the caller's; with io_uring where `use_uring` and the kernel
 * allow it, else packet by packet. NULL: memory is short. */
struct batch *batch_open(struct tun *tun, bool use_uring);
/* What has not been flushed is lost. */
void batch_close(struct batch *batch);

/* As tun_read(); the packet is good until the next call. */
int batch_read(struct batch *batch, struct packet_in *in);
/* As tun_write(), but the packet may wait for batch_flush(); what is wrong with the device may be
 * said then, or at the next packet. */
int batch_write(struct batch *batch, const struct packet_out *out);
int batch_flush(struct batch *batch);

#endif
