/* The kernel's TCP as one end of a benchmark: one thread, no sleeps.
 *
 *   kbench -l MODE ADDRESS PORT [options]      server; prints "ready" when it listens
 *   kbench MODE ADDRESS PORT [options]         client; prints one line of JSON at the end
 *   kbench offload DEVICE on|off               segmentation and checksums of a device (ethtool -K)
 *
 *   sink    reads to the end of the stream; the server answers it by its own
 *   source  writes for --seconds S, or --bytes N; then FIN, and the peer's FIN is waited for
 *   echo    one byte there and back, again and again
 *   crr     --connections N (64) at once: connect, one byte each way, close, and the next
 *   cc      the same without the bytes
 *   idle    opens --connections N, prints "ready N", and holds them until it is killed
 *
 * The server of crr, cc and idle is the same: what comes goes back, FIN is answered by FIN. The
 * client closes first. --from ADDRESS --sources N binds clients to N addresses in turn, for there
 * are no more than 64,512 ports on one; idle connections are spread over as many processes as the
 * limit of open files wants. --cc NAME asks for a congestion control; what was used is printed.
 * --turn MS counts the bytes of bulk by whose turn it was, see turn.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "turn.h"

enum {
    BLOCK_BYTES = 1 << 17,
    EVENTS_MAX = 128,
    FILES_SPARE = 64,
    IDLE_AT_ONCE = 64,
    CHILDREN_MAX = 256,
    STALL_MS = 5000, /* nothing has happened for so long: what is open counts as failed */
};

struct options {
    bool listens;
    const char *mode, *address, *cc;
    uint16_t port;
    double seconds;
    uint64_t byte_count;
    unsigned connection_count, source_count, turn_ms;
    uint32_t from; /* host order; 0: the kernel chooses */
};

struct result {
    uint64_t bytes, transactions, failed;
    uint64_t turn_bytes[2]; /* of bulk, in the turns of a flood and of its control */
    uint64_t in_time;       /* of the transactions: crr and cc */
    double seconds;
    char cc[16];
};

static uint8_t block[BLOCK_BYTES];

static bool read_arguments(struct options *options, int argc, char **argv);
static int set_offload(const char *device, bool on);
static int run_server(const struct options *options);
static int run_client(const struct options *options);

int main(int argc, char **argv)
{
    struct options options;

    signal(SIGPIPE, SIG_IGN);
    if (argc == 4 && strcmp(argv[1], "offload") == 0)
        return set_offload(argv[2], strcmp(argv[3], "on") == 0);
    if (!read_arguments(&options, argc, argv)) {
        fprintf(stderr,
                "usage: kbench [-l] sink|source|echo|crr|cc|idle ADDRESS PORT [--seconds S]\n"
                "       [--bytes N] [--connections N] [--from ADDRESS] [--sources N] [--cc NAME]\n"
                "       [--turn MS]\n"
                "   or: kbench offload DEVICE on|off\n");
        return 2;
    }
    return options.listens ? run_server(&options) : run_client(&options);
}

static bool is_mode(const char *word)
{
    static const char *const modes[] = {"sink", "source", "echo", "crr", "cc", "idle"};

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(word, modes[i]) == 0)
            return true;
    return false;
}

static bool read_arguments(struct options *options, int argc, char **argv)
{
    int at = 1;

    *options = (struct options){.seconds = 1, .connection_count = 64, .source_count = 1};
    options->listens = argc > 1 && strcmp(argv[1], "-l") == 0;
    at += options->listens;
    if (argc < at + 3 || !is_mode(argv[at]))
        return false;
    options->mode = argv[at];
    options->address = argv[at + 1];
    options->port = (uint16_t)strtoul(argv[at + 2], NULL, 10);
    for (at += 3; at + 1 < argc; at += 2) {
        const char *value = argv[at + 1];
        if (strcmp(argv[at], "--seconds") == 0)
            options->seconds = strtod(value, NULL);
        else if (strcmp(argv[at], "--bytes") == 0)
            options->byte_count = strtoull(value, NULL, 10);
        else if (strcmp(argv[at], "--connections") == 0)
            options->connection_count = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(argv[at], "--sources") == 0)
            options->source_count = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(argv[at], "--turn") == 0)
            options->turn_ms = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(argv[at], "--from") == 0)
            options->from = ntohl(inet_addr(value));
        else if (strcmp(argv[at], "--cc") == 0)
            options->cc = value;
        else
            return false;
    }
    return at == argc && options->connection_count > 0 && options->source_count > 0;
}

static int failed(const char *what)
{
    fprintf(stderr, "kbench: %s: %s\n", what, strerror(errno));
    return EXIT_FAILURE;
}

static struct sockaddr_in name_of(uint32_t address, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(address), .sin_port = htons(port)};
}

/* What ethtool -K does to tso, gso, gro and the two checksums. */
static int set_offload(const char *device, bool on)
{
    static const uint32_t features[] = {ETHTOOL_STXCSUM, ETHTOOL_SRXCSUM, ETHTOOL_STSO,
                                        ETHTOOL_SGSO, ETHTOOL_SGRO};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
        struct ethtool_value value = {.cmd = features[i], .data = on};
        struct ifreq request = {.ifr_data = (void *)&value};
        strncpy(request.ifr_name, device, sizeof request.ifr_name - 1);
        if (ioctl(fd, SIOCETHTOOL, &request) < 0 && errno != EOPNOTSUPP)
            return failed(device);
    }
    close(fd);
    return EXIT_SUCCESS;
}

/* ---- one connection, blocking: bulk and ping-pong */

static void choose_cc(int fd, const char *cc)
{
    if (cc != NULL)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cc, (socklen_t)strlen(cc));
}

static void set_no_delay(int fd)
{
    int one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void count(const struct options *options, ssize_t len, struct result *result)
{
    struct turn turn = turn_at(options->turn_ms);

    result->bytes += (uint64_t)len;
    if (turn.is_settled)
        result->turn_bytes[turn.kind] += (uint64_t)len;
}

/* Read to the end of the stream. */
static void sink(int fd, const struct options *options, struct result *result)
{
    ssize_t len;

    while ((len = read(fd, block, sizeof block)) > 0)
        count(options, len, result);
    result->failed += len < 0;
}

/* Send, FIN, and wait for the peer's: then everything has arrived. */
static void source(int fd, const struct options *options, struct result *result)
{
    double end_s = now_s() + options->seconds;
    uint64_t limit = options->byte_count > 0 ? options->byte_count : UINT64_MAX;

    while (result->bytes < limit && (limit != UINT64_MAX || now_s() < end_s)) {
        uint64_t left = limit - result->bytes;
        ssize_t len = write(fd, block, left < sizeof block ? (size_t)left : sizeof block);
        if (len < 0) {
            result->failed++;
            return;
        }
        count(options, len, result);
    }
    shutdown(fd, SHUT_WR);
    result->failed += read(fd, block, 1) != 0;
}

static void ping(int fd, const struct options *options, struct result *result)
{
    double end_s = now_s() + options->seconds;
    uint64_t limit = options->byte_count > 0 ? options->byte_count : UINT64_MAX;

    while (result->transactions < limit && (limit != UINT64_MAX || now_s() < end_s)) {
        if (write(fd, block, 1) != 1 || read(fd, block, 1) != 1) {
            result->failed++;
            return;
        }
        result->transactions++;
    }
}

static void pong(int fd)
{
    ssize_t len;

    while ((len = read(fd, block, sizeof block)) > 0)
        if (write(fd, block, (size_t)len) != len)
            return;
}

/* ---- server */

static int open_listener(const struct options *options)
{
    struct sockaddr_in name = name_of(ntohl(inet_addr(options->address)), options->port);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    choose_cc(fd, options->cc);
    if (bind(fd, (struct sockaddr *)&name, sizeof name) < 0 || listen(fd, 4096) < 0)
        return -1;
    puts("ready");
    fflush(stdout);
    return fd;
}

/* What comes goes back; the end is answered by the end. */
static void answer(int fd)
{
    ssize_t len = read(fd, block, sizeof block);

    if (len < 0 && errno == EAGAIN)
        return;
    if (len <= 0 || write(fd, block, (size_t)len) != len)
        close(fd);
}

static _Noreturn void serve_many(int listener)
{
    struct epoll_event events[EVENTS_MAX], event = {.events = EPOLLIN, .data.fd = listener};
    int epoll = epoll_create1(0), fd;

    fcntl(listener, F_SETFL, O_NONBLOCK);
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd != listener) {
                answer(events[i].data.fd);
                continue;
            }
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                set_no_delay(fd);
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
            }
        }
    }
}

static int run_server(const struct options *options)
{
    int listener = open_listener(options);
    struct result ignored = {0};

    if (listener < 0)
        return failed("cannot listen");
    if (strchr("ci", options->mode[0]) != NULL) /* crr, cc, idle */
        serve_many(listener);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            return failed("accept");
        set_no_delay(fd);
        if (strcmp(options->mode, "sink") == 0)
            sink(fd, options, &ignored);
        else if (strcmp(options->mode, "source") == 0)
            source(fd, options, &ignored);
        else
            pong(fd);
        close(fd);
        ignored = (struct result){0};
    }
}

/* ---- client */

/* A socket under way to the server, or connected if `flags` let it block; -1 with errno. */
static int open_connection(const struct options *options, int flags, unsigned number)
{
    struct sockaddr_in to = name_of(ntohl(inet_addr(options->address)), options->port);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | flags, 0);

    if (fd < 0)
        return -1;
    choose_cc(fd, options->cc);
    if (options->from != 0) {
        struct sockaddr_in from = name_of(options->from + number % options->source_count, 0);
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0)
            goto fail;
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS)
        return fd;
fail:
    close(fd);
    return -1;
}

static int run_one(const struct options *options, struct result *result)
{
    int fd = open_connection(options, 0, 0);
    socklen_t cc_bytes = sizeof result->cc - 1;

    if (fd < 0)
        return failed("connect");
    set_no_delay(fd);
    getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, result->cc, &cc_bytes);
    double begin_s = now_s();
    if (strcmp(options->mode, "sink") == 0)
        sink(fd, options, result);
    else if (strcmp(options->mode, "source") == 0)
        source(fd, options, result);
    else
        ping(fd, options, result);
    result->seconds = now_s() - begin_s;
    close(fd);
    return EXIT_SUCCESS;
}

/* One event of a connection of crr or cc. Returns whether it has ended; *ok: as it should. */
static bool advance(int fd, uint32_t events, bool has_request, bool *ok)
{
    *ok = false;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0)
        return true;
    if (!has_request) {
        *ok = true;
        return true;
    }
    if ((events & EPOLLIN) != 0) {
        *ok = read(fd, block, 1) == 1;
        return true;
    }
    return write(fd, block, 1) != 1;
}

/* Edges only: one says that the connection is there, the other that the answer is. */
static bool launch(const struct options *options, int epoll, unsigned *number)
{
    int fd = open_connection(options, SOCK_NONBLOCK, (*number)++);
    struct linger reset = {.l_onoff = 1};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd};

    /* Idle ones end by a reset: the FINs of 54,000 of them would be sent again to whoever is
     * measured next. */
    if (options->mode[0] == 'i')
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    return fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* What counts is what was done in time; those that are under way are still waited for, since they
 * could fail. */
static void note_time(struct result *result, double begin_s)
{
    result->seconds = now_s() - begin_s;
    result->in_time = result->transactions;
}

static void run_churn(const struct options *options, struct result *result)
{
    struct epoll_event events[EVENTS_MAX];
    bool has_request = strcmp(options->mode, "crr") == 0, ok;
    double begin_s = now_s(), end_s = begin_s + options->seconds;
    uint64_t limit = options->byte_count > 0 ? options->byte_count : UINT64_MAX;
    unsigned open_count = 0, number = 0;
    int epoll = epoll_create1(0);

    for (; open_count < options->connection_count; open_count++)
        if (!launch(options, epoll, &number))
            break;
    result->failed += options->connection_count - open_count;
    while (open_count > 0) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, STALL_MS);
        if (count <= 0) {
            result->failed += open_count;
            break;
        }
        bool has_time = limit != UINT64_MAX || now_s() < end_s;
        if (!has_time && result->seconds <= 0)
            note_time(result, begin_s);
        for (int i = 0; i < count; i++) {
            if (!advance(events[i].data.fd, events[i].events, has_request, &ok))
                continue;
            close(events[i].data.fd);
            result->transactions += ok;
            result->failed += !ok;
            open_count--;
            bool goes_on = has_time && number < limit;
            if (goes_on && launch(options, epoll, &number))
                open_count++;
            else
                result->failed += goes_on;
        }
    }
    if (result->seconds <= 0)
        note_time(result, begin_s);
}

static void print_result(const struct options *options, const struct result *result)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    double cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("{\"mode\": \"%s\", \"bytes\": %llu, \"transactions\": %llu, \"in_time\": %llu, "
           "\"failed\": %llu, \"flood_bytes\": %llu, \"control_bytes\": %llu, "
           "\"seconds\": %.6f, \"cpu_seconds\": %.6f, \"congestion_control\": \"%s\"}\n",
           options->mode, (unsigned long long)result->bytes,
           (unsigned long long)result->transactions, (unsigned long long)result->in_time,
           (unsigned long long)result->failed, (unsigned long long)result->turn_bytes[0],
           (unsigned long long)result->turn_bytes[1], result->seconds, cpu_s, result->cc);
}

/* ---- idle connections */

/* Opens `count` of them, IDLE_AT_ONCE under way at a time; returns how many there are. */
static unsigned open_idle(const struct options *options, unsigned number, unsigned count)
{
    struct epoll_event events[EVENTS_MAX];
    unsigned under_way = 0, launched = 0, connected = 0;
    int epoll = epoll_create1(0);

    while (connected < count) {
        while (launched < count && under_way < IDLE_AT_ONCE && launch(options, epoll, &number)) {
            launched++;
            under_way++;
        }
        int ready = epoll_wait(epoll, events, EVENTS_MAX, STALL_MS);
        if (ready <= 0)
            break;
        for (int i = 0; i < ready; i++) {
            if ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0)
                return connected;
            epoll_ctl(epoll, EPOLL_CTL_DEL, events[i].data.fd, NULL);
            under_way--;
            connected++;
        }
    }
    return connected;
}

static unsigned files_max(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > (1 << 20) ? 1 << 20 : (unsigned)limit.rlim_cur;
}

static void on_term(int number)
{
    (void)number; /* pause() returns */
}

/* What holds on until the last socket is closed: whoever waits for this process waits for all. */
static void end_all(const pid_t *child, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        kill(child[i], SIGKILL);
    for (unsigned i = 0; i < count; i++)
        waitpid(child[i], NULL, 0);
}

/* Each process says how many it has through a pipe, and stays. */
static int run_idle(const struct options *options)
{
    unsigned each = files_max() - FILES_SPARE, total = 0, part, child_count = 0;
    pid_t children[CHILDREN_MAX];
    int fds[2];

    signal(SIGTERM, on_term);

    if (pipe(fds) < 0)
        return failed("pipe");
    for (unsigned begun = 0; begun < options->connection_count && child_count < CHILDREN_MAX;
         begun += each) {
        unsigned left = options->connection_count - begun;
        pid_t child = fork();
        if (child < 0)
            return failed("fork");
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            part = open_idle(options, begun, left < each ? left : each);
            if (write(fds[1], &part, sizeof part) == sizeof part)
                pause();
            _exit(EXIT_SUCCESS);
        }
        children[child_count++] = child;
        if (read(fds[0], &part, sizeof part) == sizeof part)
            total += part;
    }
    printf("ready %u\n", total);
    fflush(stdout);
    pause();
    end_all(children, child_count);
    return EXIT_SUCCESS;
}

static int run_client(const struct options *options)
{
    struct result result = {0};
    int status = EXIT_SUCCESS;

    if (strcmp(options->mode, "idle") == 0)
        return run_idle(options);
    if (options->mode[0] == 'c')
        run_churn(options, &result);
    else
        status = run_one(options, &result);
    if (status == EXIT_SUCCESS)
        print_result(options, &result);
    return status;
}
