/* lwIP on a TUN device, to be compared with: Debian's library as it is built (64 KB of window and
 * buffer, no offload, a lock around each batch), through its raw interface. Compiled only where
 * liblwip-dev is installed; nothing else here knows of it.
 *
 *   lwip DEVICE ADDRESS PORT sink|source|echo|crr|cc [--seconds S]
 *
 * The modes are those of kbench.c, as the server. Packets are read until there are none, then
 * poll(), as in the others; lwIP's timers run in a thread of its own. Prints "ready", and runs
 * until it is killed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <lwip/ip4.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>
#include <lwip/tcpip.h>

enum { BATCH = 64, PACKET_ROOM = 1 << 16, MTU_BYTES = 1500 };

static struct {
    int fd;
    bool is_source;
    double run_s, end_s;
} peer;
static struct netif device;
static uint8_t packet[PACKET_ROOM], block[PACKET_ROOM];

static int attach(const char *name);
static err_t start_device(struct netif *netif);
static err_t on_accept(void *context, struct tcp_pcb *pcb, err_t error);
static void run(void);

int main(int argc, char **argv)
{
    ip4_addr_t address, mask, none = {0};

    if (argc < 5) {
        fprintf(stderr, "usage: lwip DEVICE ADDRESS PORT sink|source|echo|crr|cc [--seconds S]\n");
        return 2;
    }
    peer.is_source = strcmp(argv[4], "source") == 0;
    peer.run_s = argc == 7 ? strtod(argv[6], NULL) : 1;
    peer.fd = attach(argv[1]);
    if (peer.fd < 0) {
        fprintf(stderr, "lwip: %s: %s\n", argv[1], strerror(errno));
        return 3;
    }
    tcpip_init(NULL, NULL);
    LOCK_TCPIP_CORE();
    ip4addr_aton(argv[2], &address);
    ip4addr_aton("255.0.0.0", &mask);
    netif_add(&device, &address, &mask, &none, NULL, start_device, ip4_input);
    netif_set_default(&device);
    netif_set_up(&device);
    netif_set_link_up(&device);
    struct tcp_pcb *listener = tcp_new();
    tcp_bind(listener, IP4_ADDR_ANY, (u16_t)strtoul(argv[3], NULL, 10));
    listener = tcp_listen(listener);
    tcp_accept(listener, on_accept);
    UNLOCK_TCPIP_CORE();
    puts("ready");
    fflush(stdout);
    run();
    return 1;
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the device */

static int attach(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

    strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETOFFLOAD, 0) < 0)
        return -1;
    /* Until the kernel has heard that somebody has attached it drops what it has for us. */
    int other = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 0; i < 100000; i++)
        if (ioctl(other, SIOCGIFFLAGS, &request) < 0 || (request.ifr_flags & IFF_RUNNING) != 0)
            break;
    close(other);
    return fd;
}

static err_t send_packet(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    ssize_t written;

    (void)netif;
    (void)to;
    if (p->next == NULL) {
        written = write(peer.fd, p->payload, p->len);
    } else {
        static uint8_t memory[PACKET_ROOM];
        u16_t len = pbuf_copy_partial(p, memory, sizeof memory - 1, 0);
        written = write(peer.fd, memory, len);
    }
    return written > 0 ? ERR_OK : ERR_IF;
}

static err_t start_device(struct netif *netif)
{
    netif->mtu = MTU_BYTES;
    netif->name[0] = 't';
    netif->name[1] = 'u';
    netif->output = send_packet;
    return ERR_OK;
}

static int take_batch(void)
{
    int count = 0;

    for (; count < BATCH; count++) {
        ssize_t len = read(peer.fd, packet, sizeof packet);
        if (len <= 0)
            break;
        struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
        if (p == NULL)
            break;
        pbuf_take(p, packet, (u16_t)len);
        if (device.input(p, &device) != ERR_OK)
            pbuf_free(p);
    }
    return count;
}

static void run(void)
{
    struct pollfd fd = {.fd = peer.fd, .events = POLLIN};

    for (;;) {
        LOCK_TCPIP_CORE();
        int count = take_batch();
        UNLOCK_TCPIP_CORE();
        if (count == 0)
            poll(&fd, 1, -1);
    }
}

/* ---- the server */

/* As much as fits; FIN when the time is over. */
static void source_some(struct tcp_pcb *pcb)
{
    if (now_s() >= peer.end_s) {
        peer.end_s = 1e18;
        tcp_shutdown(pcb, 0, 1);
        return;
    }
    while (tcp_sndbuf(pcb) > 0 && tcp_sndqueuelen(pcb) < TCP_SND_QUEUELEN - 4) {
        tcpwnd_size_t room = tcp_sndbuf(pcb);
        u16_t len = (u16_t)(room < TCP_MSS * 16 ? room : TCP_MSS * 16);
        if (tcp_write(pcb, block, len, TCP_WRITE_FLAG_COPY) != ERR_OK)
            break;
    }
    tcp_output(pcb);
}

static err_t on_sent(void *context, struct tcp_pcb *pcb, u16_t len)
{
    (void)context;
    (void)len;
    if (peer.end_s < 1e18)
        source_some(pcb);
    return ERR_OK;
}

/* A sink and an answering server are the same but for the answer: bulk is never one byte. */
static err_t on_receive(void *context, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    (void)context;
    (void)error;
    if (p == NULL)
        return tcp_close(pcb);
    u16_t len = p->tot_len;
    pbuf_copy_partial(p, block, len, 0);
    tcp_recved(pcb, len);
    pbuf_free(p);
    if (len == 1) {
        tcp_write(pcb, block, 1, TCP_WRITE_FLAG_COPY);
        tcp_output(pcb);
    }
    return ERR_OK;
}

static err_t on_accept(void *context, struct tcp_pcb *pcb, err_t error)
{
    (void)context;
    if (error != ERR_OK || pcb == NULL)
        return ERR_VAL;
    tcp_nagle_disable(pcb);
    tcp_recv(pcb, on_receive);
    if (!peer.is_source)
        return ERR_OK;
    peer.end_s = now_s() + peer.run_s;
    tcp_sent(pcb, on_sent);
    source_some(pcb);
    return ERR_OK;
}
