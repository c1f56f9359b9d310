/* A kernel client that asks whether anybody is still served.
 *
 *   knock ADDRESS PORT COUNT SECONDS [PATIENCE [BYTES]]
 *
 * Opens COUNT connections, evenly over so many seconds; each sends BYTES (1) once it is connected
 * and wants them back, all within PATIENCE (3) seconds of its connect(). That is more than to be
 * connected: where SYN cookies are used, the server need not have noticed. The bytes are another
 * stream in each connection, and each is compared. One line of JSON at the end: how many
 * connections there were, how many were served in time and got nothing but their own bytes, and the
 * median and the longest time of those, in milliseconds. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { COUNT_MAX = 100000, EVENTS_MAX = 128, BLOCK_BYTES = 16384 };

struct options {
    struct sockaddr_in to;
    unsigned count;
    double seconds, patience;
    size_t bytes;
};

struct knock {
    int fd; /* -1: it is over */
    unsigned number;
    size_t sent, received;
    double begin_s;
};

struct knocks {
    struct knock *knock;
    int epoll;
    unsigned begun, over; /* of those, all before `over` are over: patience ends in turn */
    double *served_s;     /* how long each has taken */
    unsigned served_count;
};

static bool read_arguments(struct options *options, int argc, char **argv);
static void run(const struct options *options, struct knocks *knocks);
static void print_result(const struct options *options, struct knocks *knocks);

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct options options;
    struct knocks knocks = {0};
    struct rlimit files;

    if (!read_arguments(&options, argc, argv)) {
        fputs("usage: knock ADDRESS PORT COUNT SECONDS [PATIENCE [BYTES]]\n", stderr);
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    knocks.knock = calloc(options.count, sizeof *knocks.knock);
    knocks.served_s = calloc(options.count, sizeof *knocks.served_s);
    knocks.epoll = epoll_create1(0);
    if (knocks.knock == NULL || knocks.served_s == NULL || knocks.epoll < 0) {
        perror("knock");
        return EXIT_FAILURE;
    }
    run(&options, &knocks);
    print_result(&options, &knocks);
    free(knocks.knock);
    free(knocks.served_s);
    return EXIT_SUCCESS;
}

static bool read_arguments(struct options *options, int argc, char **argv)
{
    if (argc < 5 || argc > 7)
        return false;
    *options = (struct options){.to = {.sin_family = AF_INET}};
    options->to.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
    options->count = (unsigned)strtoul(argv[3], NULL, 10);
    options->seconds = strtod(argv[4], NULL);
    options->patience = argc > 5 ? strtod(argv[5], NULL) : 3;
    options->bytes = argc > 6 ? strtoul(argv[6], NULL, 10) : 1;
    return inet_pton(AF_INET, argv[1], &options->to.sin_addr) == 1 && options->count > 0 &&
           options->count <= COUNT_MAX && options->bytes > 0;
}

static void end(struct knocks *knocks, struct knock *knock, bool is_served)
{
    if (is_served)
        knocks->served_s[knocks->served_count++] = now_s() - knock->begin_s;
    close(knock->fd);
    knock->fd = -1;
}

static void begin_one(const struct options *options, struct knocks *knocks)
{
    struct knock *knock = &knocks->knock[knocks->begun++];
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = knock};

    knock->number = knocks->begun;
    knock->begin_s = now_s();
    knock->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (knock->fd < 0)
        return;
    if ((connect(knock->fd, (const struct sockaddr *)&options->to, sizeof options->to) < 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(knocks->epoll, EPOLL_CTL_ADD, knock->fd, &event) < 0)
        end(knocks, knock, false);
}

static char byte_at(const struct knock *knock, size_t position)
{
    return (char)((position * 2654435761u + knock->number * 40503u) >> 8);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void send_more(const struct options *options, struct knock *knock)
{
    char block[BLOCK_BYTES];
    ssize_t len = 1;

    while (knock->sent < options->bytes && len > 0) {
        size_t count = smaller(options->bytes - knock->sent, sizeof block);
        for (size_t i = 0; i < count; i++)
            block[i] = byte_at(knock, knock->sent + i);
        len = send(knock->fd, block, count, MSG_NOSIGNAL);
        knock->sent += len > 0 ? (size_t)len : 0;
    }
}

/* False: a byte is wrong, or there will be none. */
static bool receive_more(const struct options *options, struct knock *knock)
{
    char block[BLOCK_BYTES];

    while (knock->received < options->bytes) {
        ssize_t len = read(knock->fd, block, sizeof block);
        if (len <= 0)
            return len < 0 && errno == EAGAIN;
        for (ssize_t i = 0; i < len; i++)
            if (block[i] != byte_at(knock, knock->received++))
                return false;
    }
    return knock->received == options->bytes;
}

static void on_event(const struct options *options, struct knocks *knocks,
                     const struct epoll_event *event)
{
    struct knock *knock = event->data.ptr;

    if (knock->fd < 0)
        return;
    if ((event->events & (EPOLLERR | EPOLLHUP)) != 0) {
        end(knocks, knock, false);
        return;
    }
    if ((event->events & EPOLLOUT) != 0)
        send_more(options, knock);
    bool is_right = receive_more(options, knock);
    if (!is_right || knock->received == options->bytes)
        end(knocks, knock, is_right && now_s() - knock->begin_s <= options->patience);
}

/* When the next one is to begin, or the oldest to be given up. */
static int wait_ms(const struct options *options, const struct knocks *knocks, double begin_s)
{
    double next_s = begin_s + options->seconds * knocks->begun / options->count;

    if (knocks->begun == options->count)
        next_s = knocks->knock[knocks->over].begin_s + options->patience;
    double left_s = next_s - now_s();
    return left_s > 0 ? (int)(left_s * 1000) + 1 : 0;
}

static void run(const struct options *options, struct knocks *knocks)
{
    struct epoll_event events[EVENTS_MAX];
    double begin_s = now_s();

    while (knocks->over < options->count) {
        int count =
            epoll_wait(knocks->epoll, events, EVENTS_MAX, wait_ms(options, knocks, begin_s));
        for (int i = 0; i < count; i++)
            on_event(options, knocks, &events[i]);
        double due = (now_s() - begin_s) / options->seconds * options->count;
        while (knocks->begun < options->count && knocks->begun <= due)
            begin_one(options, knocks);
        for (; knocks->over < knocks->begun; knocks->over++) {
            struct knock *oldest = &knocks->knock[knocks->over];
            if (oldest->fd >= 0 && now_s() - oldest->begin_s < options->patience)
                break;
            if (oldest->fd >= 0)
                end(knocks, oldest, false);
        }
    }
}

static int compare(const void *a, const void *b)
{
    const double *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

static void print_result(const struct options *options, struct knocks *knocks)
{
    unsigned count = knocks->served_count;

    qsort(knocks->served_s, count, sizeof *knocks->served_s, compare);
    printf("{\"connections\": %u, \"served\": %u, \"median_ms\": %.3f, \"longest_ms\": %.3f}\n",
           options->count, count, count > 0 ? knocks->served_s[count / 2] * 1e3 : 0,
           count > 0 ? knocks->served_s[count - 1] * 1e3 : 0);
}
