/* The other end on the kernel's TCP, for what nc cannot do: resets, ends that wait for each other,
 * a reader that pauses. `peer ADDRESS PORT ROLE [N]` serves one connection, then it ends.
 *
 *   reset-after N   read N bytes, then close with SO_LINGER 0: the kernel sends RST
 *   sink            read until the end, copy to stdout
 *   pause           read nothing until a byte comes on stdin, then as sink
 *   answer-at-end   read until the end, then say how many bytes came, then close
 *   close-first     send a line and FIN, then as sink
 *   exchange        send what stdin has, then FIN, and as sink at the same time
 *   call-exchange   the same, but connect to ADDRESS instead of listening there
 *   udp-answers N   answer N datagrams with what came, in capitals
 *
 * It exits 0 when everything went as described and 1 with a line on stderr otherwise. The caller
 * waits for the socket by looking at `ss`; nothing here sleeps. */
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCK_BYTES = 65536 };

struct role {
    const char *name;
    int (*play)(int fd, size_t count);
    enum { LISTENS, CALLS, UDP } how;
};

static int play_reset(int fd, size_t count);
static int play_sink(int fd, size_t count);
static int play_pause(int fd, size_t count);
static int play_answer_at_end(int fd, size_t count);
static int play_close_first(int fd, size_t count);
static int play_exchange(int fd, size_t count);
static int play_udp_answers(int fd, size_t count);
static int failed(const char *what);
static int open_as(const struct role *role, const char *address, const char *port);
static int write_all(int fd, const char *data, size_t len);
static ssize_t copy_to_end(int from, int to);

static const struct role roles[] = {
    {"reset-after", play_reset, LISTENS},
    {"sink", play_sink, LISTENS},
    {"pause", play_pause, LISTENS},
    {"answer-at-end", play_answer_at_end, LISTENS},
    {"close-first", play_close_first, LISTENS},
    {"exchange", play_exchange, LISTENS},
    {"call-exchange", play_exchange, CALLS},
    {"udp-answers", play_udp_answers, UDP},
};

int main(int argc, char **argv)
{
    size_t count = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;

    for (size_t i = 0; argc >= 4 && i < sizeof roles / sizeof roles[0]; i++) {
        if (strcmp(argv[3], roles[i].name) != 0)
            continue;
        int fd = open_as(&roles[i], argv[1], argv[2]);
        if (fd < 0)
            return failed("cannot open the connection");
        return roles[i].play(fd, count);
    }
    fprintf(stderr, "usage: peer ADDRESS PORT ROLE [N]\n");
    return 2;
}

static int failed(const char *what)
{
    perror(what);
    return EXIT_FAILURE;
}

static int open_as(const struct role *role, const char *address, const char *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    int fd = socket(AF_INET, role->how == UDP ? SOCK_DGRAM : SOCK_STREAM, 0);

    if (fd < 0 || inet_pton(AF_INET, address, &name.sin_addr) != 1)
        return -1;
    if (role->how == CALLS)
        return connect(fd, (const struct sockaddr *)&name, sizeof name) < 0 ? -1 : fd;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
        bind(fd, (const struct sockaddr *)&name, sizeof name) < 0)
        return -1;
    if (role->how == UDP)
        return fd;
    return listen(fd, 1) < 0 ? -1 : accept(fd, NULL, NULL);
}

static int play_reset(int fd, size_t count)
{
    char block[BLOCK_BYTES];

    while (count > 0) {
        ssize_t got = read(fd, block, count < sizeof block ? count : sizeof block);
        if (got <= 0)
            return failed("read before the reset");
        count -= (size_t)got;
    }
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) < 0 || close(fd) < 0)
        return failed("reset");
    return EXIT_SUCCESS;
}

static int play_sink(int fd, size_t count)
{
    (void)count;
    return copy_to_end(fd, STDOUT_FILENO) < 0 ? failed("sink") : EXIT_SUCCESS;
}

static int play_pause(int fd, size_t count)
{
    char word;

    if (read(STDIN_FILENO, &word, 1) != 1)
        return failed("stdin");
    return play_sink(fd, count);
}

static int play_answer_at_end(int fd, size_t count)
{
    char line[64];

    (void)count;
    ssize_t got = copy_to_end(fd, -1);
    int len = snprintf(line, sizeof line, "%zd bytes came\n", got);
    if (got < 0 || write_all(fd, line, (size_t)len) < 0 || close(fd) < 0)
        return failed("answer");
    return EXIT_SUCCESS;
}

static int play_close_first(int fd, size_t count)
{
    static const char line[] = "that is all from here\n";

    if (write_all(fd, line, sizeof line - 1) < 0 || shutdown(fd, SHUT_WR) < 0)
        return failed("close first");
    return play_sink(fd, count);
}

static int play_exchange(int fd, size_t count)
{
    int status = 0;
    pid_t sender = fork();

    (void)count;
    if (sender == 0)
        _exit(copy_to_end(STDIN_FILENO, fd) < 0 || shutdown(fd, SHUT_WR) < 0);
    if (sender < 0 || copy_to_end(fd, STDOUT_FILENO) < 0)
        return failed("exchange");
    return waitpid(sender, &status, 0) < 0 || status != 0 ? failed("send") : EXIT_SUCCESS;
}

static int play_udp_answers(int fd, size_t count)
{
    char datagram[BLOCK_BYTES];
    struct sockaddr_storage from;

    for (; count > 0; count--) {
        socklen_t from_len = sizeof from;
        ssize_t len =
            recvfrom(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&from, &from_len);
        if (len < 0)
            return failed("recvfrom");
        for (ssize_t i = 0; i < len; i++)
            datagram[i] = (char)toupper((unsigned char)datagram[i]);
        if (sendto(fd, datagram, (size_t)len, 0, (struct sockaddr *)&from, from_len) != len)
            return failed("sendto");
    }
    return EXIT_SUCCESS;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, data, len);
        if (done < 0)
            return -1;
        data += done;
        len -= (size_t)done;
    }
    return 0;
}

/* Copy until the end of the stream; `to` -1: only count. Returns the number of bytes or -1. */
static ssize_t copy_to_end(int from, int to)
{
    char block[BLOCK_BYTES];
    ssize_t total = 0;

    for (;;) {
        ssize_t got = read(from, block, sizeof block);
        if (got < 0 || (got > 0 && to >= 0 && write_all(to, block, (size_t)got) < 0))
            return -1;
        if (got == 0)
            return total;
        total += got;
    }
}
