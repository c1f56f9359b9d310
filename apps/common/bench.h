/* The six measurements of tbench, on a host that is open. */
#ifndef TUNTCP_BENCH_H
#define TUNTCP_BENCH_H

#include "../../tun/host.h"
#include "say.h"

enum bench_mode { BENCH_SINK, BENCH_SOURCE, BENCH_ECHO, BENCH_CRR, BENCH_CC, BENCH_IDLE };

struct bench_config {
    enum bench_mode mode;
    bool listens;
    bool zero_copy;
    bool shows_progress;
    bool serves_all; /* a server that takes connections until a signal, also in the modes of one */
    struct ip_addr peer;
    uint16_t port;
    uint64_t run_us;           /* NEVER: until a signal */
    uint64_t limit;            /* bytes, round trips or connections; 0: run_us counts */
    uint64_t connection_count; /* at once */
};

struct bench_result {
    uint64_t bytes;        /* of the stream that is measured: sent, or received */
    uint64_t transactions; /* round trips, or connections that came to their end */
    uint64_t failed;
    uint64_t connections;          /* opened */
    double seconds;                /* from the first connection to the end */
    double cpu_seconds;            /* of this thread in that time */
    double bytes_per_connection;   /* idle: growth of the resident memory; 0: not measured */
    double idle_seconds, idle_cpu; /* idle: time and CPU time from when all were there */
    enum tcp_err error;            /* the first one */
};

struct bench;

/* False: there is no such mode. */
bool bench_mode_parse(const char *name, enum bench_mode *mode);
const char *bench_mode_name(enum bench_mode mode);

/* The measurement on `host`, which it borrows, as `say` and `config`; a server listens from here
 * on. NULL, said, when the port is taken or memory is short. */
struct bench *bench_new(struct host *host, const struct say *say,
                        const struct bench_config *config);
void bench_free(struct bench *bench);
/* Runs to its end. EXIT_OK; EXIT_NETWORK when a connection failed (`failed` and `error` tell);
 * EXIT_ENVIRONMENT, said, when the device has gone; EXIT_INTERRUPTED when a signal ended what would
 * have ended by itself. The result holds what was done in any case. Several can run at once, each
 * on a host of its own. */
enum exit_code bench_run(struct bench *bench, struct bench_result *result);

#endif
