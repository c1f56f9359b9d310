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
 * Not done: several queues (IFF_MULTI_QUEUE) and the virtio header with its offloads; both are a
 * matter of speed alone. */
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

static const char CLONE_DEVICE[] = "/dev/net/tun";

static bool name_is_usable(const char *name);
static int attach(struct tun *tun, char *error, size_t room);
static int query(struct tun *tun, bool is_new, char *error, size_t room);

int tun_open(struct tun *tun, const char *name, char *error, size_t room)
{
    *tun = (struct tun){.fd = -1};
    if (!name_is_usable(name)) {
        snprintf(error, room,
                 "\"%.40s\" cannot name a device: 1 to 15 letters and digits such as tun0", name);
        return -1;
    }
    memcpy(tun->name, name, strlen(name) + 1);
    bool is_new = if_nametoindex(name) == 0;
    if (attach(tun, error, room) < 0)
        return -1;
    if (query(tun, is_new, error, room) < 0) {
        tun_close(tun);
        return -1;
    }
    return 0;
}

void tun_close(struct tun *tun)
{
    if (tun->fd >= 0)
        close(tun->fd);
    tun->fd = -1;
}

ptrdiff_t tun_read(struct tun *tun, uint8_t *memory, size_t room)
{
    ssize_t len = read(tun->fd, memory, room);

    if (len >= 0)
        return len;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

int tun_write(struct tun *tun, const struct packet_out *out)
{
    /* writev() does not change what it is given, but its type cannot say so. */
    struct iovec spans[3] = {
        {(void *)(uintptr_t)out->header, out->header_bytes},
        {(void *)(uintptr_t)out->payload[0].data, out->payload[0].len},
        {(void *)(uintptr_t)out->payload[1].data, out->payload[1].len},
    };

    if (writev(tun->fd, spans, 3) >= 0)
        return 0;
    /* EIO: somebody has set the interface down. That is a pulled cable, and it may come back. */
    return errno == EAGAIN || errno == ENOBUFS || errno == EINTR || errno == EIO ? 0 : -1;
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
    case EINVAL:
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

static int attach(struct tun *tun, char *error, size_t room)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};

    tun->fd = open(CLONE_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tun->fd < 0)
        return explain_open(tun->name, error, room);
    memcpy(request.ifr_name, tun->name, strlen(tun->name) + 1);
    if (ioctl(tun->fd, TUNSETIFF, &request) == 0)
        return 0;
    explain_attach(tun->name, error, room);
    tun_close(tun);
    return -1;
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
