/* What a TUN device does for us, without tnc between:
 *
 *     device refused NAME   offloads that the kernel does not have are given up, down to none
 *     device queues NAME    two queues of one device, a stack on each: connections both ways
 *     device look NAME      the application's descriptors are not forgotten while packets come
 *
 * 0 when all is as it should be; else a line on stderr and 1. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../tun/host.h"
#include "../../tun/tun.h"

enum {
    PORT = 9000,
    STREAM_BYTES = 1000000,
    CALL_COUNT = 40, /* all on one queue once in 2^39 times */
    UNKNOWN_OFFLOAD = 1 << 30,
    QUIET_US = 20000, /* so long the descriptor has nothing, and packets that come, */
    BUSY_PACKETS = 5000,
    SOON_US = 1000, /* then it must be seen within that */
};

static char error[300];

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "device: %s %s\n", what, error);
    exit(EXIT_FAILURE);
}

/* ---- refused */

/* What is granted of `wanted`. */
static unsigned granted(const char *name, unsigned wanted)
{
    struct tun tun;

    if (tun_open_as(&tun, name, &(struct tun_options){.offloads = wanted}, error, sizeof error) < 0)
        fail("cannot open");
    unsigned offloads = tun.offloads;
    tun_close(&tun);
    return offloads;
}

/* A packet from the kernel comes as the device was opened: no offload stays behind for the next. */
static void packets_are_bare(const char *name)
{
    static uint8_t memory[TUN_PACKET_ROOM];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    struct tun tun;
    struct packet_in in;
    int result = 0;

    if (tun_open(&tun, name, error, sizeof error) < 0)
        fail("cannot open");
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    to.sin_addr.s_addr = htonl(0x0a000002);
    if (sendto(fd, "abc", 3, 0, (struct sockaddr *)&to, sizeof to) != 3)
        fail("the kernel cannot send");
    do
        result = tun_read(&tun, memory, &in);
    while (result == 0 || (result > 0 && in.bytes.len >= 10 && in.bytes.data[9] == 6));
    if (result < 0 || in.bytes.len != 31 || in.bytes.data[0] != 0x45 || in.checksum_ok)
        fail("a packet is not bare");
    close(fd);
    tun_close(&tun);
}

static void refused(const char *name)
{
    unsigned all = granted(name, TUN_OFFLOAD_ALL);

    if (!(all & TUN_OFFLOAD_CHECKSUM) || !(all & TUN_OFFLOAD_TCP4))
        fail("this kernel has no offloads at all");
    if (granted(name, TUN_OFFLOAD_ALL | UNKNOWN_OFFLOAD) != all)
        fail("one that is unknown takes others with it");
    if (granted(name, UNKNOWN_OFFLOAD) != 0)
        fail("an unknown offload is granted");
    packets_are_bare(name);
}

/* ---- queues: the kernel's end is a process of its own, which sends back what it gets */

static void echo_one(int fd)
{
    static char data[65536];
    ssize_t len;

    while ((len = read(fd, data, sizeof data)) > 0)
        for (ssize_t at = 0, put; at < len; at += put)
            if ((put = write(fd, data + at, (size_t)(len - at))) <= 0)
                exit(EXIT_FAILURE);
    close(fd);
}

static _Noreturn void echo(int listener)
{
    for (int i = 0; i < 2; i++)
        if (fork() == 0) {
            echo_one(accept(listener, NULL, NULL));
            exit(EXIT_SUCCESS);
        }
    exit(EXIT_SUCCESS);
}

static int kernel_socket(struct sockaddr_in *address, uint32_t host)
{
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(PORT)};
    address->sin_addr.s_addr = htonl(host);
    return socket(AF_INET, SOCK_STREAM, 0);
}

static void start_echo(void)
{
    struct sockaddr_in address;
    int fd = kernel_socket(&address, 0x0a000001);

    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 8) < 0)
        fail("the kernel cannot listen");
    if (fork() == 0)
        echo(fd);
    close(fd);
}

/* Connections to our port, one after the other, each of them answered with its end. */
static void start_calls(void)
{
    if (fork() != 0)
        return;
    for (int i = 0; i < CALL_COUNT; i++) {
        struct sockaddr_in address;
        char byte;
        int fd = kernel_socket(&address, 0x0a000002);

        if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 || read(fd, &byte, 1) != 0)
            exit(EXIT_FAILURE);
        close(fd);
    }
    exit(EXIT_SUCCESS);
}

struct end {
    struct host *host;
    struct tcb *tcb, *listener;
    uint32_t sent, received;
    unsigned call_count;
};

static uint8_t byte_at(uint32_t position)
{
    return (uint8_t)(position % 251);
}

static void open_end(struct end *end, const char *name, unsigned queue)
{
    struct host_config config;
    struct ip_addr kernel = ip_addr_from_v4(0x0a000001);
    enum tcp_err why;

    host_config_init(&config);
    config.tun_name = name;
    config.queue = queue;
    config.queue_count = 2;
    end->host = host_open(&config, error, sizeof error);
    if (end->host == NULL)
        fail("cannot open a queue:");
    end->tcb = tcp_open_active(host_stack(end->host), NULL, 0, &kernel, PORT, NULL, &why);
    end->listener = tcp_open_passive(host_stack(end->host), NULL, PORT, NULL, &why);
    if (end->tcb == NULL || end->listener == NULL)
        fail("cannot open a connection");
}

static void take_calls(struct end *end)
{
    struct tcb *call;

    while ((call = tcp_accept(end->listener)) != NULL) {
        end->call_count++;
        tcp_close(call);
    }
}

static void turn(struct end *end)
{
    struct bytes bytes;
    uint8_t byte = byte_at(end->sent);

    while (end->sent < STREAM_BYTES && tcp_send(end->tcb, &byte, 1) == 1)
        byte = byte_at(++end->sent);
    while ((bytes = tcp_receive_peek(end->tcb)).len > 0) {
        for (size_t i = 0; i < bytes.len; i++)
            if (bytes.data[i] != byte_at(end->received++))
                fail("a byte is wrong");
        tcp_receive_consume(end->tcb, bytes.len);
    }
    take_calls(end);
    if (tcp_readiness(end->tcb) & TCP_FAILED)
        fail("a connection has failed");
    if (host_step(end->host, NULL, 0, host_now_us(end->host)) < 0)
        fail("the device is gone");
}

static bool is_done(const struct end *end)
{
    return end->received == STREAM_BYTES;
}

static void queues(const char *name)
{
    static struct end end[2];

    open_end(&end[0], name, 0);
    open_end(&end[1], name, 1);
    start_echo();
    start_calls();
    while (!is_done(&end[0]) || !is_done(&end[1]) ||
           end[0].call_count + end[1].call_count < CALL_COUNT) {
        turn(&end[0]);
        turn(&end[1]);
    }
    if (end[0].call_count == 0 || end[1].call_count == 0)
        fail("one queue has all the calls");
    for (int i = 0; i < 2; i++) {
        tcp_close(end[i].tcb);
        host_close(end[i].host, error, sizeof error);
    }
}

/* ---- look */

static void fill_device(void)
{
    struct sockaddr_in to;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    close(kernel_socket(&to, 0x0a000002));
    for (int i = 0; i < BUSY_PACKETS; i++)
        (void)sendto(fd, "abc", 3, 0, (struct sockaddr *)&to, sizeof to);
    close(fd);
}

static void look(const char *name)
{
    struct host_config config;
    int ends[2];

    host_config_init(&config);
    config.tun_name = name;
    struct host *host = host_open(&config, error, sizeof error);
    if (host == NULL || pipe(ends) < 0)
        fail("cannot open");
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    while (host_now_us(host) < QUIET_US)
        host_step(host, &fd, 1, QUIET_US);
    fill_device();
    host_step(host, &fd, 1, NEVER);
    if (fd.revents != 0 || write(ends[1], "x", 1) != 1)
        fail("the pipe is not right");
    uint64_t ready_us = host_now_us(host);
    while (fd.revents == 0) {
        host_step(host, &fd, 1, NEVER);
        if (fd.revents == 0 && host_now_us(host) > ready_us + SOON_US)
            fail("a descriptor that is ready is not seen");
    }
    host_close(host, error, sizeof error);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "refused") == 0)
        refused(argv[2]);
    else if (argc == 3 && strcmp(argv[1], "queues") == 0)
        queues(argv[2]);
    else if (argc == 3 && strcmp(argv[1], "look") == 0)
        look(argv[2]);
    else
        fail("usage: device refused|queues|look NAME");
    return EXIT_SUCCESS;
}
