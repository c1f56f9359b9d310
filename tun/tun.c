/* The TUN device of Linux: a network interface whose other end is a file descriptor. What the
 * kernel routes to tun0 is read() here, one IP packet a call; what is written here arrives in the
 * kernel as if it had come in over a wire.
 *
 *     kernel 10.0.0.1 --- tun0 --- read()/write() --- 10.0.0.2 this stack
 *
 * IFF_NO_PI: packets come bare, without the four bytes of packet information. The descriptor does
 * not block; who waits is the host loop, with poll().
 *
 * A device has to be up and to have an address before anything works, and a user may open it only
 * when it belongs to him: `scripts/setup` does all this once. Errors name the next command, since
 * what the kernel says (EPERM, EBUSY, EINVAL) helps nobody who meets it for the first time.
 *
 * A device that is not there yet is created when the process may do so; it lives as long as the
 * descriptor, is down and has no address. tun_open() succeeds then, and whoever needs an address
 * decides (host_open()).
 *
 * Each read() and write() costs about as much as all the rest of a packet's way, and with a virtio
 * header (IFF_VNET_HDR) before it a packet may carry 64 KB: ten times the throughput. The flags of
 * a device that `scripts/setup` has made change with each program that attaches to it; the offloads
 * stay, so they are set each time, also to none, and taken back at the end.
 *
 * Many small packets a call are batch.c's. Not done: IFF_NAPI, it costs a fifth. */
#include "tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "steering.h"
#include "virtio.h"

static const char CLONE_DEVICE[] = "/dev/net/tun";

static int write_spans(struct tun *tun, const struct packet_out *out);
static bool name_is_usable(const char *name);
static int attach(struct tun *tun, bool has_header, bool is_queue, char *error, size_t room);
static bool take_offloads(struct tun *tun, unsigned wanted);
static int query(struct tun *tun, bool is_new, char *error, size_t room);

int tun_open(struct tun *tun, const char *name, char *error, size_t room)
{
    return tun_open_as(tun, name, &(struct tun_options){0}, error, room);
}

int tun_open_as(struct tun *tun, const char *name, const struct tun_options *options, char *error,
                size_t room)
{
    *tun = (struct tun){.fd = -1};
    if (!name_is_usable(name)) {
        snprintf(error, room,
                 "\"%.40s\" cannot name a device: 1 to 15 letters and digits such as tun0", name);
        return -1;
    }
    memcpy(tun->name, name, strlen(name) + 1);
    bool is_new = if_nametoindex(name) == 0;
    bool has_header = options->offloads != 0;
    if (attach(tun, has_header, options->is_queue, error, room) < 0)
        return -1;
    if (!take_offloads(tun, options->offloads) && has_header) {
        tun_close(tun);
        if (attach(tun, false, options->is_queue, error, room) < 0)
            return -1;
        take_offloads(tun, 0);
    }
    tun->is_steered = options->is_queue && steering_set(tun->fd);
    if (query(tun, is_new, error, room) < 0) {
        tun_close(tun);
        return -1;
    }
    return 0;
}

void tun_close(struct tun *tun)
{
    if (tun->fd >= 0) {
        if (tun->offloads != 0) /* who comes next may not know what to do with them */
            ioctl(tun->fd, TUNSETOFFLOAD, 0);
        close(tun->fd);
    }
    tun->fd = -1;
}

int tun_read(struct tun *tun, uint8_t memory[static TUN_PACKET_ROOM], struct packet_in *in)
{
    ssize_t len = read(tun->fd, memory, TUN_PACKET_ROOM);

    if (len <= 0)
        return len == 0 || errno == EAGAIN || errno == EINTR ? 0 : -1;
    tun_unframe(tun, (struct bytes){memory, (size_t)len}, in);
    return 1;
}

/* writev() takes 150 ns more than a write(), of 2.5 us: small packets are worth a copy. */
int tun_write(struct tun *tun, const struct packet_out *out)
{
    uint8_t memory[TUN_SMALL_BYTES];
    size_t len = tun_frame(tun, out, memory, sizeof memory);

    return len > 0 ? tun_write_frame(tun, (struct bytes){memory, len}) : write_spans(tun, out);
}

static int write_spans(struct tun *tun, const struct packet_out *out)
{
    uint8_t virtio[VIRTIO_HEADER_BYTES];
    /* writev() does not change what it is given, but its type cannot say so. */
    struct iovec spans[4] = {
        {virtio, sizeof virtio},
        {(void *)(uintptr_t)out->header, out->header_bytes},
        {(void *)(uintptr_t)out->payload[0].data, out->payload[0].len},
        {(void *)(uintptr_t)out->payload[1].data, out->payload[1].len},
    };
    int first = tun->offloads != 0 ? 0 : 1;

    if (first == 0)
        virtio_header_write(out, virtio);
    return writev(tun->fd, spans + first, 4 - first) >= 0 || tun_error_is_loss(errno) ? 0 : -1;
}

int tun_write_frame(struct tun *tun, struct bytes frame)
{
    return write(tun->fd, frame.data, frame.len) >= 0 || tun_error_is_loss(errno) ? 0 : -1;
}

size_t tun_frame(const struct tun *tun, const struct packet_out *out, uint8_t *memory, size_t room)
{
    size_t before = tun->offloads != 0 ? VIRTIO_HEADER_BYTES : 0;
    size_t len = room > before ? packet_out_copy(out, memory + before, room - before) : 0;

    if (len > 0 && before > 0)
        virtio_header_write(out, memory);
    return len > 0 ? before + len : 0;
}

void tun_unframe(const struct tun *tun, struct bytes frame, struct packet_in *in)
{
    if (tun->offloads != 0)
        virtio_header_read(frame, in);
    else
        *in = (struct packet_in){.bytes = frame};
}

bool tun_error_is_loss(int error)
{
    switch (error) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
    case EINTR:
    case EINVAL: /* not for this kernel: damaged by a simulated link */
    case EIO:    /* somebody has set the interface down: a pulled cable, and it may come back */
        return true;
    default:
        return false;
    }
}

/* The kernel takes a '%' for a pattern, and neither blanks nor slashes are allowed. */
static bool name_is_usable(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len >= IFNAMSIZ || name[0] == '.')
        return false;
    for (const char *at = name; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 127 || strchr("/:%\"", *at) != NULL)
            return false;
    return true;
}

/* ---- the descriptor ---- */

static int explain_open(const char *name, char *error, size_t room)
{
    switch (errno) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        snprintf(error, room,
                 "%s: %s is missing: run \"sudo modprobe tun\" (in a container: start it with "
                 "--device %s)",
                 name, CLONE_DEVICE, CLONE_DEVICE);
        break;
    case EACCES:
    case EPERM:
        snprintf(error, room,
                 "%s: permission denied on %s: run \"sudo chmod 666 %s\" (its usual mode) and "
                 "\"sudo scripts/setup\" once",
                 name, CLONE_DEVICE, CLONE_DEVICE);
        break;
    default:
        snprintf(error, room, "%s: %s: %s", name, CLONE_DEVICE, strerror(errno));
    }
    return -1;
}

static int explain_attach(const char *name, char *error, size_t room)
{
    switch (errno) {
    case EPERM:
    case EACCES:
        snprintf(error, room,
                 "%s: permission denied: run \"sudo scripts/setup\" once, it makes a %s that "
                 "belongs to you",
                 name, name);
        break;
    case EBUSY:
        snprintf(error, room,
                 "%s: busy: another program holds it; end that one (\"sudo fuser -v %s\" lists who "
                 "has a TUN device open) or give another with --tun",
                 name, CLONE_DEVICE);
        break;
    case EINVAL: /* or has one queue where several are wanted */
        snprintf(error, room,
                 "%s: is no plain TUN device: look with \"ip -d link show %s\"; take another with "
                 "--tun, or make one with \"sudo scripts/setup\"",
                 name, name);
        break;
    default:
        snprintf(error, room, "%s: %s", name, strerror(errno));
    }
    return -1;
}

/* The descriptor becomes the device's end, or one of its ends. A device with several is fine for
 * who wants just one, but that has to be said to the kernel. */
static bool set_interface(const struct tun *tun, bool has_header, bool is_queue)
{
    int flags = IFF_TUN | IFF_NO_PI | (has_header ? IFF_VNET_HDR : 0);
    struct ifreq request = {.ifr_flags = (short)(is_queue ? flags | IFF_MULTI_QUEUE : flags)};

    memcpy(request.ifr_name, tun->name, strlen(tun->name) + 1);
    if (ioctl(tun->fd, TUNSETIFF, &request) == 0)
        return true;
    if (errno != EINVAL || is_queue)
        return false;
    request.ifr_flags = (short)(flags | IFF_MULTI_QUEUE);
    if (ioctl(tun->fd, TUNSETIFF, &request) == 0)
        return true;
    errno = EINVAL;
    return false;
}

/* A program that was killed leaves its device busy until the kernel has cleared up behind it, a few
 * hundredths of a second: see uring.c. */
static bool set_interface_patiently(const struct tun *tun, bool has_header, bool is_queue)
{
    const struct timespec moment = {.tv_nsec = 10000000};

    for (int i = 0; i < 20; i++) {
        if (set_interface(tun, has_header, is_queue))
            return true;
        if (errno != EBUSY)
            return false;
        nanosleep(&moment, NULL);
    }
    errno = EBUSY;
    return false;
}

static int attach(struct tun *tun, bool has_header, bool is_queue, char *error, size_t room)
{
    tun->fd = open(CLONE_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tun->fd < 0)
        return explain_open(tun->name, error, room);
    if (set_interface_patiently(tun, has_header, is_queue))
        return 0;
    explain_attach(tun->name, error, room);
    tun_close(tun);
    return -1;
}

static unsigned without_highest(unsigned bits)
{
    unsigned bit = 1u << 31;

    while (bit > 0 && !(bits & bit))
        bit >>= 1;
    return bits & ~bit;
}

/* As many of them as the kernel has: it refuses all when it does not know one, so they are given up
 * one by one, the youngest first. Without the checksum there are no others. */
static bool take_offloads(struct tun *tun, unsigned wanted)
{
    int header_bytes = VIRTIO_HEADER_BYTES; /* another program may have asked for more */

    tun->offloads = 0;
    if (wanted == 0) {
        ioctl(tun->fd, TUNSETOFFLOAD, 0);
        return true;
    }
    if (ioctl(tun->fd, TUNSETVNETHDRSZ, &header_bytes) < 0)
        return false;
    while (ioctl(tun->fd, TUNSETOFFLOAD, (unsigned long)wanted) < 0 && wanted != 0)
        wanted = without_highest(wanted);
    if (!(wanted & TUN_OFFLOAD_CHECKSUM))
        return false;
    tun->offloads = wanted;
    return true;
}

/* ---- what the interface is like ---- */

/* One question about the interface, through any socket; false when there is no answer. */
static bool ask(const struct tun *tun, unsigned long what, struct ifreq *answer)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    *answer = (struct ifreq){0};
    memcpy(answer->ifr_name, tun->name, sizeof tun->name);
    bool has_answer = ioctl(fd, what, answer) == 0;
    close(fd);
    return has_answer;
}

static uint32_t ask_address(const struct tun *tun, unsigned long what)
{
    struct ifreq answer;
    struct sockaddr_in address;

    if (!ask(tun, what, &answer) || answer.ifr_addr.sa_family != AF_INET)
        return 0;
    memcpy(&address, &answer.ifr_addr, sizeof address);
    return ntohl(address.sin_addr.s_addr);
}

/* Our end of the link: the point-to-point peer when one is set; else, when the interface has a
 * whole net, the address behind the kernel's, or the one before where that would be the broadcast
 * address. 0: there is none. */
static uint32_t find_stack_address(uint32_t kernel, uint32_t peer, uint32_t mask)
{
    uint32_t host_bits = ~mask;

    if (peer != 0 && peer != kernel)
        return peer;
    if (host_bits == 0)
        return 0;
    if (host_bits == 1) /* RFC 3021: both addresses of a /31 are hosts */
        return kernel ^ 1;
    return (kernel & host_bits) + 1 < host_bits ? kernel + 1 : kernel - 1;
}

/* Opening plugs the cable in, but the kernel hears of it in a worker of its own, and until then it
 * drops what it has for us: the answer to a first packet would be lost on a busy machine. At most a
 * tenth of a second, since nothing depends on it but that answer. */
static void wait_for_carrier(const struct tun *tun)
{
    const struct timespec moment = {.tv_nsec = 500000};
    struct ifreq answer;

    for (int i = 0; i < 200; i++) {
        if (!ask(tun, SIOCGIFFLAGS, &answer) || (answer.ifr_flags & IFF_RUNNING) != 0)
            return;
        nanosleep(&moment, NULL);
    }
}

static int query(struct tun *tun, bool is_new, char *error, size_t room)
{
    struct ifreq answer;

    if (!ask(tun, SIOCGIFFLAGS, &answer)) {
        snprintf(error, room, "%s: cannot be asked for its state: %s", tun->name, strerror(errno));
        return -1;
    }
    if (!is_new && (answer.ifr_flags & IFF_UP) == 0) {
        snprintf(error, room, "%s: is down: run \"sudo ip link set %s up\"", tun->name, tun->name);
        return -1;
    }
    if (!is_new)
        wait_for_carrier(tun);
    tun->mtu_bytes = ask(tun, SIOCGIFMTU, &answer) ? (unsigned)answer.ifr_mtu : 1500;

    uint32_t kernel = ask_address(tun, SIOCGIFADDR);
    if (kernel == 0)
        return 0;
    uint32_t stack = find_stack_address(kernel, ask_address(tun, SIOCGIFDSTADDR),
                                        ask_address(tun, SIOCGIFNETMASK));
    tun->kernel_address = ip_addr_from_v4(kernel);
    if (stack != 0)
        tun->stack_address = ip_addr_from_v4(stack);
    return 0;
}
