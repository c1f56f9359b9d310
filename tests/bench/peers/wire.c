/* A wire between two TUN devices, with the simulated link of tun/link.h in each direction: what an
 * impaired path is made of where the kernel has no netem.
 *
 *   wire DEVICE-A DEVICE-B RULES-A-TO-B RULES-B-TO-A SEED
 *
 * Both devices are made here; the caller moves one into another network namespace and gives them
 * addresses when "ready" has been printed. RULES are those of tnc --impair. Ends by SIGTERM,
 * printing what each direction has done: "sent lost queue_full delivered", a line each. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../../../tun/link.h"
#include "../../../tun/tun.h"

enum { BATCH = 64 };

struct direction {
    struct tun *from, *to;
    struct link *link;
};

static volatile sig_atomic_t has_ended;
static uint8_t memory[TUN_PACKET_ROOM];

static void on_term(int number)
{
    (void)number;
    has_ended = 1;
}

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void take(struct direction *direction)
{
    struct packet_in in;

    for (int i = 0; i < BATCH && tun_read(direction->from, memory, &in) > 0; i++) {
        struct link_packet packet = {.bytes = in.bytes};
        link_send(direction->link, &packet, now_us());
    }
}

static void give(struct direction *direction)
{
    struct link_packet packet;

    while (link_receive(direction->link, &packet, now_us())) {
        struct packet_out out = {.payload = {packet.bytes}};
        tun_write(direction->to, &out);
    }
}

static struct link *link_of(const char *rules, uint64_t seed)
{
    struct link_config config = {0};
    char error[200];

    if (!link_config_parse(rules, &config, error, sizeof error)) {
        fprintf(stderr, "wire: %s\n", error);
        exit(2);
    }
    return link_new(&config, seed);
}

static void run(struct direction direction[static 2])
{
    struct pollfd fds[2] = {{.fd = direction[0].from->fd, .events = POLLIN},
                            {.fd = direction[1].from->fd, .events = POLLIN}};

    while (!has_ended) {
        uint64_t next_us = link_next_us(direction[0].link), now = now_us();
        if (link_next_us(direction[1].link) < next_us)
            next_us = link_next_us(direction[1].link);
        uint64_t wait_us = next_us == UINT64_MAX ? 1000000 : next_us > now ? next_us - now : 0;
        struct timespec wait = {.tv_sec = (time_t)(wait_us / 1000000),
                                .tv_nsec = (long)(wait_us % 1000000) * 1000};
        if (ppoll(fds, 2, &wait, NULL) < 0 && errno != EINTR)
            break;
        for (int i = 0; i < 2; i++) {
            take(&direction[i]);
            give(&direction[i]);
        }
    }
}

int main(int argc, char **argv)
{
    struct tun a, b;
    char error[200];

    if (argc != 6) {
        fprintf(stderr, "usage: wire DEVICE-A DEVICE-B RULES-A-TO-B RULES-B-TO-A SEED\n");
        return 2;
    }
    if (tun_open(&a, argv[1], error, sizeof error) < 0 ||
        tun_open(&b, argv[2], error, sizeof error) < 0) {
        fprintf(stderr, "wire: %s\n", error);
        return 3;
    }
    uint64_t seed = strtoull(argv[5], NULL, 10);
    struct direction direction[2] = {{&a, &b, link_of(argv[3], seed)},
                                     {&b, &a, link_of(argv[4], seed + 1)}};
    signal(SIGTERM, on_term);
    puts("ready");
    fflush(stdout);
    run(direction);
    for (int i = 0; i < 2; i++) {
        const struct link_counters *c = link_counters(direction[i].link);
        printf("%llu %llu %llu %llu\n", (unsigned long long)c->sent, (unsigned long long)c->lost,
               (unsigned long long)c->queue_full, (unsigned long long)c->delivered);
        link_free(direction[i].link);
    }
    tun_close(&a);
    tun_close(&b);
    return 0;
}
