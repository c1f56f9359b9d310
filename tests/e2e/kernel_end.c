/* The kernel's end of a connection with our_end.c, see orders.h: `kernel_end ADDRESS`, the address
 * being the other end's. Calls block, so that the answer to an order tells that it has had its
 * effect. Orders of its own:
 *
 *   set OPTION N      set           an option of the socket, also before it listens
 *   at-mark           1 or 0        SIOCATMARK: is the next byte the urgent one?
 *   urgent-byte       urgent byte N  MSG_OOB: the urgent byte, which is the Nth of the stream
 *
 * An error has the name that errno.h gives it. */
#include "orders.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { BLOCK_BYTES = 65536 };

struct end {
    int fd, listener; /* listener -1: none */
    struct in_addr other;
    uint64_t written, read;
};

static void new_socket(struct end *end);
static void obey(struct end *end, const struct order *order);
static void obey_connect(struct end *end, const struct order *order);
static void obey_listen(struct end *end, const struct order *order);
static void obey_accept(struct end *end, const struct order *order);
static void obey_set(struct end *end, const struct order *order);
static void obey_write(struct end *end, const struct order *order);
static void obey_urgent(struct end *end, const struct order *order);
static void obey_read(struct end *end, const struct order *order);
static void obey_read_end(struct end *end, const struct order *order);
static void obey_urgent_byte(struct end *end, const struct order *order);
static void obey_at_mark(struct end *end, const struct order *order);
static void obey_shutdown(struct end *end, const struct order *order);
static void obey_close(struct end *end, const struct order *order);
static void answer_error(void);
static void answer_result(int result, const char *text);

int main(int argc, char **argv)
{
    struct end end = {.listener = -1};
    struct orders orders = {0};
    struct order order;

    if (argc != 2 || inet_pton(AF_INET, argv[1], &end.other) != 1) {
        fprintf(stderr, "usage: kernel_end ADDRESS\n");
        return 2;
    }
    new_socket(&end);
    answer("ready");
    do {
        while (orders_take(&orders, &order)) {
            if (strcmp(order.word, "quit") == 0)
                return EXIT_SUCCESS;
            obey(&end, &order);
        }
    } while (orders_read(&orders));
    return EXIT_SUCCESS;
}

static void new_socket(struct end *end)
{
    end->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (end->fd < 0 || setsockopt(end->fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0) {
        perror("socket");
        exit(EXIT_FAILURE);
    }
}

static void obey(struct end *end, const struct order *order)
{
    static const struct {
        const char *word;
        void (*obey)(struct end *end, const struct order *order);
    } orders[] = {
        {"listen", obey_listen},   {"accept", obey_accept},     {"connect", obey_connect},
        {"set", obey_set},         {"write", obey_write},       {"urgent", obey_urgent},
        {"read", obey_read},       {"read-end", obey_read_end}, {"urgent-byte", obey_urgent_byte},
        {"at-mark", obey_at_mark}, {"shutdown", obey_shutdown}, {"close", obey_close},
    };

    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
        if (strcmp(order->word, orders[i].word) == 0) {
            orders[i].obey(end, order);
            return;
        }
    answer("what is '%s'?", order->word);
}

static void answer_error(void)
{
    answer("error %s", strerrorname_np(errno));
}

static void answer_result(int result, const char *text)
{
    if (result < 0)
        answer_error();
    else
        answer("%s", text);
}

static int bind_port(const struct end *end, unsigned long port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    return bind(end->fd, (const struct sockaddr *)&name, sizeof name);
}

static void obey_connect(struct end *end, const struct order *order)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)order->number[0]),
                               .sin_addr = end->other};
    int result = order->number[1] != 0 ? bind_port(end, order->number[1]) : 0;

    if (result == 0)
        result = connect(end->fd, (const struct sockaddr *)&name, sizeof name);
    answer_result(result, "connected");
}

static void obey_listen(struct end *end, const struct order *order)
{
    int result = bind_port(end, order->number[0]);

    end->listener = end->fd;
    answer_result(result < 0 ? result : listen(end->fd, 1), "listens");
}

static void obey_accept(struct end *end, const struct order *order)
{
    (void)order;
    end->fd = accept(end->listener, NULL, NULL);
    answer_result(end->fd, "accepted");
}

static void obey_set(struct end *end, const struct order *order)
{
    static const struct {
        const char *name;
        int level, option;
    } options[] = {
        {"keepalive", SOL_SOCKET, SO_KEEPALIVE},   {"keepidle", IPPROTO_TCP, TCP_KEEPIDLE},
        {"keepintvl", IPPROTO_TCP, TCP_KEEPINTVL}, {"keepcnt", IPPROTO_TCP, TCP_KEEPCNT},
        {"oobinline", SOL_SOCKET, SO_OOBINLINE},   {"maxseg", IPPROTO_TCP, TCP_MAXSEG},
    };
    int value = (int)order->number[1];

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (strcmp(order->name, options[i].name) == 0) {
            answer_result(
                setsockopt(end->fd, options[i].level, options[i].option, &value, sizeof value),
                "set");
            return;
        }
    answer("what is '%s'?", order->name);
}

static void send_all(struct end *end, const char *what, size_t count, int flags)
{
    uint8_t block[BLOCK_BYTES];

    for (size_t left = count; left > 0;) {
        size_t len = left < sizeof block ? left : sizeof block;
        stream_fill(FROM_KERNEL, end->written, block, len);
        ssize_t done = send(end->fd, block, len, flags | MSG_NOSIGNAL);
        if (done < 0) {
            answer_error();
            return;
        }
        end->written += (size_t)done;
        left -= (size_t)done;
    }
    answer("%s %zu", what, count);
}

static void obey_write(struct end *end, const struct order *order)
{
    send_all(end, "wrote", order->number[0], 0);
}

static void obey_urgent(struct end *end, const struct order *order)
{
    send_all(end, "urgent", order->number[0], MSG_OOB);
}

static void obey_read(struct end *end, const struct order *order)
{
    uint8_t block[BLOCK_BYTES];

    for (size_t left = order->number[0]; left > 0;) {
        ssize_t got = recv(end->fd, block, left < sizeof block ? left : sizeof block, 0);
        if (got < 0) {
            answer_error();
            return;
        }
        size_t right = stream_check(FROM_US, end->read, block, (size_t)got);
        end->read += right;
        left -= right;
        if (got == 0 || right < (size_t)got) {
            answer(got == 0 ? "end after %ju" : "byte %ju is wrong", (uintmax_t)end->read);
            return;
        }
    }
    answer("read %lu", order->number[0]);
}

static void obey_read_end(struct end *end, const struct order *order)
{
    (void)order;
    uint8_t byte;
    ssize_t got = recv(end->fd, &byte, 1, 0);

    if (got > 0)
        answer("no end after %ju", (uintmax_t)end->read);
    else
        answer_result((int)got, "end");
}

/* Out of line: the byte is not part of what recv() gives, but of the stream that we compare. */
static void obey_urgent_byte(struct end *end, const struct order *order)
{
    struct pollfd urgent = {.fd = end->fd, .events = POLLPRI};
    uint8_t byte;

    (void)order;
    if (poll(&urgent, 1, -1) < 0 || recv(end->fd, &byte, 1, MSG_OOB) != 1)
        answer_error();
    else if (byte != stream_byte(FROM_US, end->read))
        answer("byte %ju is wrong", (uintmax_t)end->read);
    else
        answer("urgent byte %ju", (uintmax_t)++end->read);
}

static void obey_at_mark(struct end *end, const struct order *order)
{
    int is_at_mark = 0;

    (void)order;
    if (ioctl(end->fd, SIOCATMARK, &is_at_mark) < 0)
        answer_error();
    else
        answer("%d", is_at_mark);
}

static void obey_shutdown(struct end *end, const struct order *order)
{
    (void)order;
    answer_result(shutdown(end->fd, SHUT_WR), "shut down");
}

static void obey_close(struct end *end, const struct order *order)
{
    (void)order;
    answer_result(close(end->fd), "closed");
}
