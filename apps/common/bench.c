/* Connections that do nothing but be measured.
 *
 * One loop, whatever the number of connections: host_step(), then each connection that
 * stack_next_ready() names gets its turn. A connection is driven by its role, a constant to which
 * its context points, so that a million idle ones cost this file nothing:
 *
 *     role       does                                               used by
 *     listener   accepts, and gives it the mode's role              all servers
 *     sink       reads to the end, closes                           sink
 *     source     writes until time or limit, then FIN               source
 *     drained    waits until the peer has it all                    source, behind its FIN
 *     answer     returns what comes, closes when the peer does      servers of echo, crr, cc, idle
 *     ping       one byte out for each that comes                   client of echo
 *     opening    connected: asks (crr), closes (cc), stays (idle)   clients of crr, cc, idle
 *     asked      one byte has come: closes                          client of crr
 *
 * A connection of crr or cc that has ended is followed by the next at once. The clock is the
 * host's: it is read once a turn. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "signals.h"

enum {
    BLOCK_BYTES = 1 << 16,
    PROGRESS_US = 250000,
    UNDER_WAY_MAX = 64, /* idle: connections that are opened at a time */
};

struct bench;

struct role {
    void (*on_ready)(struct bench *bench, struct tcb *tcb);
};

struct bench {
    const struct bench_config *config;
    const struct say *say;
    struct host *host;
    struct stack *stack;
    struct bench_result *result;
    struct tcb *listener;
    struct tcb
        *bulk; /* source: what is to send its FIN in time; one that the peer lets starve, too */
    uint64_t end_us, progress_us, shown_us, shown_count;
    double begin_s, begin_cpu, full_s, full_cpu;
    double resident_before;
    uint64_t open_count, under_way, launched;
    bool has_begun, is_over, is_full;
    uint8_t block[BLOCK_BYTES];
};

static void on_listener(struct bench *bench, struct tcb *tcb);
static void on_sink(struct bench *bench, struct tcb *tcb);
static void on_source(struct bench *bench, struct tcb *tcb);
static void on_drained(struct bench *bench, struct tcb *tcb);
static void on_answer(struct bench *bench, struct tcb *tcb);
static void on_ping(struct bench *bench, struct tcb *tcb);
static void on_opening(struct bench *bench, struct tcb *tcb);
static void on_asked(struct bench *bench, struct tcb *tcb);

static const struct role listener_role = {on_listener}, sink_role = {on_sink},
                         source_role = {on_source}, drained_role = {on_drained},
                         answer_role = {on_answer}, ping_role = {on_ping},
                         opening_role = {on_opening}, asked_role = {on_asked};

static const char *const mode_names[] = {
    [BENCH_SINK] = "sink", [BENCH_SOURCE] = "source", [BENCH_ECHO] = "echo",
    [BENCH_CRR] = "crr",   [BENCH_CC] = "cc",         [BENCH_IDLE] = "idle",
};
enum { MODE_COUNT = sizeof mode_names / sizeof mode_names[0] };

static bool begin_listening(struct bench *bench);
static enum exit_code loop(struct bench *bench);
static void launch_more(struct bench *bench);
static void check_clock(struct bench *bench);
static void show_progress(struct bench *bench);
static void finish(struct bench *bench);
static double resident_bytes(void);

bool bench_mode_parse(const char *name, enum bench_mode *mode)
{
    for (unsigned i = 0; i < MODE_COUNT; i++) {
        if (strcmp(name, mode_names[i]) != 0)
            continue;
        *mode = (enum bench_mode)i;
        return true;
    }
    return false;
}

const char *bench_mode_name(enum bench_mode mode)
{
    return mode_names[mode];
}

struct bench *bench_new(struct host *host, const struct say *say, const struct bench_config *config)
{
    struct bench *bench = calloc(1, sizeof *bench);

    if (bench == NULL) {
        say_error(say, "out of memory");
        return NULL;
    }
    bench->config = config;
    bench->say = say;
    bench->host = host;
    bench->stack = host_stack(host);
    bench->end_us = NEVER;
    if (!config->listens || begin_listening(bench))
        return bench;
    bench_free(bench);
    return NULL;
}

void bench_free(struct bench *bench)
{
    free(bench);
}

enum exit_code bench_run(struct bench *bench, struct bench_result *result)
{
    *result = (struct bench_result){0};
    bench->result = result;
    bench->resident_before = resident_bytes();
    launch_more(bench);
    enum exit_code code = loop(bench);
    finish(bench);
    return code == EXIT_OK && result->failed > 0 ? EXIT_NETWORK : code;
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Bytes of this process in memory; 0 where nobody tells. */
static double resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL)
        return 0;
    if (fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* ---- begin and end */

static bool begin_listening(struct bench *bench)
{
    uint16_t port = bench->config->port;
    enum tcp_err error = TCP_OK;

    bench->listener = tcp_open_passive(bench->stack, NULL, port, NULL, &error);
    if (bench->listener == NULL) {
        say_error(bench->say, "cannot listen on port %u: %s", port, tcp_err_name(error));
        return false;
    }
    tcp_set_context(bench->listener, (void *)(uintptr_t)&listener_role);
    return true;
}

/* The clocks start with the first connection. */
static void begin_clock(struct bench *bench)
{
    if (bench->has_begun)
        return;
    bench->has_begun = true;
    bench->begin_s = seconds_of(CLOCK_MONOTONIC);
    bench->begin_cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    if (bench->config->mode != BENCH_IDLE && bench->config->run_us != NEVER)
        bench->end_us = host_now_us(bench->host) + bench->config->run_us;
}

static void finish(struct bench *bench)
{
    struct bench_result *result = bench->result;
    double now_s = seconds_of(CLOCK_MONOTONIC), now_cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID);

    if (bench->has_begun) {
        result->seconds = now_s - bench->begin_s;
        result->cpu_seconds = now_cpu - bench->begin_cpu;
    }
    if (bench->is_full) {
        result->idle_seconds = now_s - bench->full_s;
        result->idle_cpu = now_cpu - bench->full_cpu;
    }
    if (bench->config->shows_progress)
        fprintf(stderr, "\r%60s\r", "");
    tcp_close(bench->listener);
}

/* What is past has been seen to. */
static uint64_t wake_us(const struct bench *bench)
{
    uint64_t end_us = bench->end_us > host_now_us(bench->host) ? bench->end_us : NEVER;

    return bench->config->shows_progress && bench->progress_us < end_us ? bench->progress_us
                                                                        : end_us;
}

static enum exit_code loop(struct bench *bench)
{
    bool ends_by_signal = bench->config->serves_all || bench->config->run_us == NEVER;
    struct tcb *tcb;

    while (!bench->is_over) {
        struct pollfd signal = {.fd = signals_fd(), .events = POLLIN};
        if (host_step(bench->host, &signal, 1, wake_us(bench)) < 0) {
            say_error(bench->say, "the device has gone; is it still there? Try: ip link");
            return EXIT_ENVIRONMENT;
        }
        if (signals_count() > 0)
            return ends_by_signal ? EXIT_OK : EXIT_INTERRUPTED;
        while ((tcb = stack_next_ready(bench->stack)) != NULL) {
            const struct role *role = tcp_context(tcb);
            role->on_ready(bench, tcb);
        }
        launch_more(bench);
        check_clock(bench);
    }
    return EXIT_OK;
}

static bool is_limit_reached(const struct bench *bench)
{
    const struct bench_result *result = bench->result;
    bool is_source = bench->config->mode == BENCH_SOURCE;
    uint64_t done = is_source ? result->bytes : result->transactions + result->failed;

    if (bench->config->limit > 0)
        return done >= bench->config->limit;
    return host_now_us(bench->host) >= bench->end_us;
}

static void send_fin(struct bench *bench, struct tcb *tcb)
{
    tcp_shutdown(tcb);
    tcp_set_context(tcb, (void *)(uintptr_t)&drained_role);
    if (tcb == bench->bulk)
        bench->bulk = NULL;
}

/* All connections are there: from here on they are idle. */
static void note_full(struct bench *bench)
{
    const struct bench_config *config = bench->config;

    bench->is_full = true;
    bench->result->bytes_per_connection =
        (resident_bytes() - bench->resident_before) / (double)config->connection_count;
    bench->full_s = seconds_of(CLOCK_MONOTONIC);
    bench->full_cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    if (config->run_us != NEVER)
        bench->end_us = host_now_us(bench->host) + config->run_us;
}

static void check_clock(struct bench *bench)
{
    const struct bench_config *config = bench->config;
    bool is_at_end = is_limit_reached(bench);

    if (bench->config->shows_progress && host_now_us(bench->host) >= bench->progress_us)
        show_progress(bench);
    if (config->mode == BENCH_IDLE && !bench->is_full &&
        bench->open_count - bench->under_way >= config->connection_count)
        note_full(bench);
    if (!is_at_end)
        return;
    switch (config->mode) {
    case BENCH_SOURCE:
        if (bench->bulk != NULL)
            send_fin(bench, bench->bulk);
        return;
    case BENCH_SINK:
        return; /* the peer ends it */
    case BENCH_ECHO:
        bench->is_over |= !config->listens;
        return;
    case BENCH_CRR:
    case BENCH_CC:
        bench->is_over |= config->listens || bench->open_count == 0;
        return;
    case BENCH_IDLE:
        bench->is_over = true;
        return;
    }
}

static void show_progress(struct bench *bench)
{
    const struct bench_result *result = bench->result;
    uint64_t now_us = host_now_us(bench->host);
    bool is_bulk = bench->config->mode <= BENCH_SOURCE, is_idle = bench->config->mode == BENCH_IDLE;
    uint64_t count = is_bulk ? result->bytes : result->transactions;
    double seconds = (double)(now_us - bench->shown_us) / 1e6;
    double rate = seconds > 0 ? (double)(count - bench->shown_count) / seconds : 0;

    if (is_idle)
        fprintf(stderr, "\r%llu connections ", (unsigned long long)result->connections);
    else if (is_bulk)
        fprintf(stderr, "\r%.1f MB, %.1f MB/s   ", (double)count / 1e6, rate / 1e6);
    else
        fprintf(stderr, "\r%llu done, %.0f /s   ", (unsigned long long)count, rate);
    fflush(stderr);
    bench->shown_us = now_us;
    bench->shown_count = count;
    bench->progress_us = now_us + PROGRESS_US;
}

/* ---- connections come and go */

static void note_error(struct bench *bench, enum tcp_err error)
{
    bench->result->failed++;
    if (bench->result->error == TCP_OK)
        bench->result->error = error;
}

/* The end of a connection that is one of many. */
static void end_one(struct bench *bench, struct tcb *tcb, bool is_good)
{
    bench->result->transactions += is_good;
    if (!is_good)
        note_error(bench, tcp_error(tcb));
    bench->open_count--;
    tcp_close(tcb);
}

/* The end of the one connection. A server of echo, source or sink ends with it as well. */
static void end_bulk(struct bench *bench, struct tcb *tcb)
{
    if (tcp_error(tcb) != TCP_OK)
        note_error(bench, tcp_error(tcb));
    tcp_close(tcb);
    bench->open_count--;
    if (tcb == bench->bulk)
        bench->bulk = NULL;
    bench->is_over = !bench->config->serves_all;
}

static const struct role *role_of(const struct bench_config *config)
{
    switch (config->mode) {
    case BENCH_SINK:
        return &sink_role;
    case BENCH_SOURCE:
        return &source_role;
    case BENCH_ECHO:
        return config->listens ? &answer_role : &ping_role;
    case BENCH_CRR:
    case BENCH_CC:
    case BENCH_IDLE:
        break;
    }
    return config->listens ? &answer_role : &opening_role;
}

static void adopt(struct bench *bench, struct tcb *tcb)
{
    const struct role *role = role_of(bench->config);

    tcp_set_context(tcb, (void *)(uintptr_t)role);
    bench->open_count++;
    bench->result->connections++;
    if (bench->config->mode == BENCH_SOURCE)
        bench->bulk = tcb;
    if (bench->config->mode <= BENCH_ECHO)
        tcp_set(tcb, "nagle", 0);
}

static void on_listener(struct bench *bench, struct tcb *tcb)
{
    struct tcb *accepted;

    while ((accepted = tcp_accept(tcb)) != NULL) {
        begin_clock(bench);
        adopt(bench, accepted);
        role_of(bench->config)->on_ready(bench, accepted);
    }
}

/* How many connections a client still wants to begin now. */
static uint64_t wanted(const struct bench *bench)
{
    const struct bench_config *config = bench->config;

    if (config->mode <= BENCH_ECHO)
        return bench->launched == 0;
    if (config->mode == BENCH_IDLE) {
        uint64_t left = config->connection_count - bench->launched;
        uint64_t room = UNDER_WAY_MAX - bench->under_way;
        return left < room ? left : room;
    }
    if (bench->has_begun && is_limit_reached(bench))
        return 0;
    uint64_t room = config->connection_count - bench->open_count;
    if (config->limit == 0)
        return room;
    return config->limit - bench->launched < room ? config->limit - bench->launched : room;
}

static void launch_more(struct bench *bench)
{
    const struct bench_config *config = bench->config;
    enum tcp_err error = TCP_OK;

    if (config->listens)
        return;
    for (uint64_t left = wanted(bench); left > 0; left--) {
        struct tcb *tcb =
            tcp_open_active(bench->stack, NULL, 0, &config->peer, config->port, NULL, &error);
        if (tcb == NULL) {
            note_error(bench, error);
            bench->is_over = true;
            return;
        }
        begin_clock(bench);
        adopt(bench, tcb);
        bench->launched++;
        bench->under_way++;
    }
}

/* ---- the roles */

static void on_sink(struct bench *bench, struct tcb *tcb)
{
    ptrdiff_t got;

    if (bench->config->zero_copy) {
        struct bytes bytes;
        while ((bytes = tcp_receive_peek(tcb)).len > 0) {
            bench->result->bytes += bytes.len;
            tcp_receive_consume(tcb, bytes.len);
        }
    }
    while ((got = tcp_receive(tcb, bench->block, sizeof bench->block)) > 0)
        bench->result->bytes += (size_t)got;
    if (got < 0 || (tcp_readiness(tcb) & TCP_PEER_CLOSED) != 0)
        end_bulk(bench, tcb);
}

static ptrdiff_t offer(struct bench *bench, struct tcb *tcb, size_t len)
{
    size_t room;

    if (!bench->config->zero_copy)
        return tcp_send(tcb, bench->block, len < sizeof bench->block ? len : sizeof bench->block);
    tcp_send_reserve(tcb, &room);
    return room == 0 ? 0 : tcp_send_commit(tcb, len < room ? len : room);
}

static void on_source(struct bench *bench, struct tcb *tcb)
{
    uint64_t limit = bench->config->limit;

    while (!is_limit_reached(bench)) {
        uint64_t left = limit > 0 ? limit - bench->result->bytes : SIZE_MAX;
        ptrdiff_t accepted = offer(bench, tcb, (size_t)left);
        if (accepted <= 0)
            break;
        bench->result->bytes += (size_t)accepted;
    }
    if ((tcp_readiness(tcb) & TCP_FAILED) != 0)
        end_bulk(bench, tcb);
    else if (is_limit_reached(bench))
        send_fin(bench, tcb);
}

static void on_drained(struct bench *bench, struct tcb *tcb)
{
    if ((tcp_readiness(tcb) & (TCP_FAILED | TCP_PEER_CLOSED)) != 0)
        end_bulk(bench, tcb);
}

/* What does not fit into the send buffer stays unread. */
static void on_answer(struct bench *bench, struct tcb *tcb)
{
    struct bytes bytes;
    ptrdiff_t sent;

    while ((bytes = tcp_receive_peek(tcb)).len > 0 &&
           (sent = tcp_send(tcb, bytes.data, bytes.len)) > 0) {
        tcp_receive_consume(tcb, (size_t)sent);
        bench->result->bytes += (size_t)sent;
    }
    unsigned readiness = tcp_readiness(tcb);
    bool has_failed = (readiness & TCP_FAILED) != 0;
    if (!has_failed && (bytes.len > 0 || (readiness & TCP_PEER_CLOSED) == 0))
        return;
    if (bench->config->mode == BENCH_ECHO)
        end_bulk(bench, tcb);
    else
        end_one(bench, tcb, !has_failed);
}

static void on_ping(struct bench *bench, struct tcb *tcb)
{
    unsigned readiness = tcp_readiness(tcb);
    uint8_t byte;

    if ((readiness & (TCP_FAILED | TCP_PEER_CLOSED)) != 0) {
        note_error(bench, tcp_error(tcb));
        end_bulk(bench, tcb);
        return;
    }
    if ((readiness & TCP_CONNECTED) == 0)
        return;
    bool is_first = bench->under_way > 0;
    bench->under_way = 0;
    bool has_come = tcp_receive(tcb, &byte, 1) == 1;
    bench->result->transactions += has_come;
    if (is_limit_reached(bench))
        end_bulk(bench, tcb);
    else if (is_first || has_come)
        tcp_send(tcb, bench->block, 1);
}

static void on_opening(struct bench *bench, struct tcb *tcb)
{
    unsigned readiness = tcp_readiness(tcb);

    if ((readiness & (TCP_FAILED | TCP_CONNECTED)) == 0)
        return;
    bench->under_way -= bench->under_way > 0;
    if ((readiness & TCP_FAILED) != 0) {
        end_one(bench, tcb, false);
    } else if (bench->config->mode == BENCH_CC) {
        end_one(bench, tcb, true);
    } else {
        tcp_set_context(tcb, (void *)(uintptr_t)&asked_role);
        if (bench->config->mode == BENCH_CRR)
            tcp_send(tcb, bench->block, 1);
    }
}

static void on_asked(struct bench *bench, struct tcb *tcb)
{
    uint8_t byte;
    ptrdiff_t got = tcp_receive(tcb, &byte, 1);

    if (got == 0 && (tcp_readiness(tcb) & TCP_PEER_CLOSED) == 0)
        return;
    end_one(bench, tcb, got == 1);
}
