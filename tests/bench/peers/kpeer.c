/* The kernel's TCP as the opposite end of a benchmark, or as the sender to be compared with.
 *
 *   kpeer sink ADDRESS PORT            take one connection after the other and read each to its
 * end; for each a line "BYTES SUM MICROSECONDS" on stdout: how many came, the sum of all octets
 * modulo 2^32, the time from accept() to the end kpeer source ADDRESS PORT BYTES [CC] connect and
 * send so many octets of the pattern, FIN, wait for the peer's FIN; prints which congestion control
 * the kernel used
 *
 *   kpeer pattern BYTES                that many octets of the pattern on stdout
 *
 * A sink answers the end of the stream by its own, so that a sender knows when all has arrived. CC
 * is a name such as cubic; where the kernel does not offer it, its default is used, and printed. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK_BYTES = 1 << 16 };

static uint8_t block[BLOCK_BYTES];

static int failed(const char *what)
{
    perror(what);
    return EXIT_FAILURE;
}

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static struct sockaddr_in name_of(const char *address, const char *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET};

    inet_pton(AF_INET, address, &name.sin_addr);
    name.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    return name;
}

static void serve(int fd)
{
    uint64_t start_us = now_us(), byte_count = 0;
    uint32_t sum = 0;
    ssize_t len;

    while ((len = read(fd, block, sizeof block)) > 0) {
        byte_count += (uint64_t)len;
        for (ssize_t i = 0; i < len; i++)
            sum += block[i];
    }
    printf("%llu %u %llu%s\n", (unsigned long long)byte_count, sum,
           (unsigned long long)(now_us() - start_us), len < 0 ? " reset" : "");
    fflush(stdout);
    close(fd);
}

static int run_sink(const char *address, const char *port)
{
    struct sockaddr_in name = name_of(address, port);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&name, sizeof name) < 0 || listen(listener, 16) < 0)
        return failed("kpeer: cannot listen");
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            return failed("kpeer: accept");
        serve(fd);
    }
}

/* The pattern that everybody here sends: octet n is n modulo 251, so that a lost or doubled block
 * changes the sum. */
static void fill(uint64_t position, size_t len)
{
    for (size_t i = 0; i < len; i++)
        block[i] = (uint8_t)((position + i) % 251);
}

static int run_source(const char *address, const char *port, uint64_t byte_count, const char *cc)
{
    struct sockaddr_in name = name_of(address, port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char used[32] = "";
    socklen_t used_bytes = sizeof used - 1;

    if (cc != NULL)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cc, (socklen_t)strlen(cc));
    getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, used, &used_bytes);
    puts(used);
    if (connect(fd, (struct sockaddr *)&name, sizeof name) < 0)
        return failed("kpeer: connect");
    for (uint64_t sent = 0; sent < byte_count;) {
        size_t len = byte_count - sent < sizeof block ? (size_t)(byte_count - sent) : sizeof block;
        fill(sent, len);
        for (size_t at = 0; at < len;) {
            ssize_t written = write(fd, block + at, len - at);
            if (written < 0)
                return failed("kpeer: write");
            at += (size_t)written;
        }
        sent += len;
    }
    shutdown(fd, SHUT_WR);
    ssize_t len = read(fd, block, 1);
    close(fd);
    return len == 0 ? EXIT_SUCCESS : failed("kpeer: the peer did not take all");
}

static int run_pattern(uint64_t byte_count)
{
    for (uint64_t done = 0; done < byte_count; done += sizeof block) {
        uint64_t left = byte_count - done;
        fill(done, sizeof block);
        if (fwrite(block, 1, left < sizeof block ? left : sizeof block, stdout) == 0)
            return failed("kpeer: stdout");
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : failed("kpeer: stdout");
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "pattern") == 0)
        return run_pattern(strtoull(argv[2], NULL, 10));
    if (argc == 4 && strcmp(argv[1], "sink") == 0)
        return run_sink(argv[2], argv[3]);
    if (argc >= 5 && argc <= 6 && strcmp(argv[1], "source") == 0)
        return run_source(argv[2], argv[3], strtoull(argv[4], NULL, 10),
                          argc == 6 ? argv[5] : NULL);
    fprintf(stderr,
            "usage: kpeer sink ADDRESS PORT | source ADDRESS PORT BYTES [CC] | pattern BYTES\n");
    return 2;
}
