/* The TUN device: IP packets by read() and write(). Linux, /dev/net/tun, IFF_TUN | IFF_NO_PI. */
#ifndef TUNTCP_TUN_H
#define TUNTCP_TUN_H

#include "../stack/packet.h"

struct tun {
    int fd; /* -1: not open */
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
void tun_close(struct tun *tun);
/* The next packet into `memory`; its length, 0 when none is waiting, -1 when the device is gone. */
ptrdiff_t tun_read(struct tun *tun, uint8_t *memory, size_t room);
/* One packet out; 0, or -1 with errno. A full queue (EAGAIN, ENOBUFS) counts as loss: 0. */
int tun_write(struct tun *tun, const struct packet_out *out);

#endif
