/* The TUN device: IP packets by read() and write(). Linux, /dev/net/tun, IFF_TUN | IFF_NO_PI, and
 * IFF_VNET_HDR when it is to cut, merge and sum for us. */
#ifndef TUNTCP_TUN_H
#define TUNTCP_TUN_H

#include "../stack/packet.h"

/* What is left to the device; the numbers are the kernel's. */
enum tun_offload {
    TUN_OFFLOAD_CHECKSUM = 0x01,
    TUN_OFFLOAD_TCP4 = 0x02, /* super-segments */
    TUN_OFFLOAD_TCP6 = 0x04,
    TUN_OFFLOAD_TCP_ECN = 0x08, /* also such with CWR */
    TUN_OFFLOAD_UDP4 = 0x20,    /* datagrams of one size, merged; both or none */
    TUN_OFFLOAD_UDP6 = 0x40,
    TUN_OFFLOAD_ALL = 0x6f,
};

enum {
    TUN_PACKET_ROOM = 16 + 65535, /* for whatever tun_read() may bring */
    TUN_SMALL_BYTES = 2048,       /* up to here a frame is worth a copy */
};

struct tun_options {
    unsigned offloads; /* of enum tun_offload: those wanted; 0: ordinary packets only */
    bool is_queue;     /* one of several of the device: IFF_MULTI_QUEUE */
};

struct tun {
    int fd;            /* -1: not open */
    unsigned offloads; /* those that the kernel has; 0: no header stands before the packets */
    bool is_steered;   /* of several queues: a connection's is known from its ports */
    char name[16];
    unsigned mtu_bytes;
    struct ip_addr kernel_address; /* the kernel's end; unspecified if it has none */
    struct ip_addr
        stack_address; /* ours: the point-to-point peer, or the next address of the net */
};

/* Open the device `name`, made before by `scripts/setup` or created now (needs CAP_NET_ADMIN; a new
 * one is down and lives as long as it is open). Returns 0; or -1 with one line in `error` that says
 * what failed and which command to run next, for each errno that users meet: no /dev/net/tun, no
 * permission, busy, wrong type, name too long, interface down. A device without addresses is no
 * error here: both addresses are unspecified then. */
int tun_open(struct tun *tun, const char *name, char *error, size_t room);
/* The same with what else the device can do. An offload that the kernel refuses is given up, down
 * to none: that is no error, tun->offloads tells.
 *
 * Several queues: open the device once for each, in one network namespace, with `is_queue`; a
 * device that is there already must have been made with multi_queue. Queue n, counted in the order
 * of opening, gets the packets of which stack_queue() says so. Where the kernel refuses that rule
 * (!is_steered) only connections that it opens stay on one queue. A device of several queues can
 * also be opened alone, without `is_queue`. */
int tun_open_as(struct tun *tun, const char *name, const struct tun_options *options, char *error,
                size_t room);
void tun_close(struct tun *tun);
/* The next packet, into `memory`, of which *in then speaks: 1. 0 when none is waiting, -1 when the
 * device is gone. */
int tun_read(struct tun *tun, uint8_t memory[static TUN_PACKET_ROOM], struct packet_in *in);
/* One packet out; 0, or -1 with errno. A full queue (EAGAIN, ENOBUFS) counts as loss: 0. What needs
 * an offload needs it to be in tun->offloads. */
int tun_write(struct tun *tun, const struct packet_out *out);

/* For who reads and writes the descriptor himself. A frame is what one read() brings and one
 * write() takes: the packet behind its header, if the device has one. The length of the frame, or 0
 * when it does not fit. */
size_t tun_frame(const struct tun *tun, const struct packet_out *out, uint8_t *memory, size_t room);
void tun_unframe(const struct tun *tun, struct bytes frame, struct packet_in *in);
int tun_write_frame(struct tun *tun, struct bytes frame); /* as tun_write() */
/* Has just this packet been lost, or is the device gone? */
bool tun_error_is_loss(int error);

#endif
