/* A thread for each queue of the device, with a host and a stack of its own. They share nothing but
 * the configuration, which is constant, and the signals. The kernel keeps the packets of a
 * connection on one queue (tun/steering.c), so no stack sees those of another's.
 *
 * All queues are open before anything listens, and all listen before a thread starts: with fewer
 * the kernel would spread connections otherwise, or to a stack that refuses them. For the same
 * reason none is closed before all threads have ended.
 *
 * The first queue has the calling thread; with one queue there is no other. This is the only file
 * of the project that makes threads. */
#include "bench_queues.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ERROR_BYTES = 600 };

struct queue {
    pthread_t thread;
    bool has_thread;
    struct host *host;
    struct bench *bench;
    struct bench_result *result;
    enum exit_code code;
};

struct bench_queues {
    unsigned count;
    const struct say *say;
    struct queue queue[BENCH_QUEUES_MAX];
};

static bool open_hosts(struct bench_queues *queues, const struct host_config *config,
                       const struct say *say);
static bool may_call(const struct bench_queues *queues, const struct say *say);
static void *run_one(void *context);

struct bench_queues *bench_queues_open(unsigned count, const struct host_config *config,
                                       const struct bench_config *bench, const struct say *say)
{
    struct bench_queues *queues = calloc(1, sizeof *queues);

    if (queues == NULL) {
        say_error(say, "out of memory");
        return NULL;
    }
    queues->count = count;
    queues->say = say;
    if (!open_hosts(queues, config, say) || (!bench->listens && !may_call(queues, say)))
        goto fail;
    for (unsigned i = 0; i < count; i++) {
        queues->queue[i].bench = bench_new(queues->queue[i].host, say, bench);
        if (queues->queue[i].bench == NULL)
            goto fail;
    }
    if (bench->listens)
        say_hint(say, "ready: listening on port %u", bench->port);
    return queues;
fail:
    bench_queues_close(queues);
    return NULL;
}

enum exit_code bench_queues_run(struct bench_queues *queues, struct bench_result results[])
{
    enum exit_code code = EXIT_OK;

    memset(results, 0, queues->count * sizeof *results);
    for (unsigned i = 0; i < queues->count; i++)
        queues->queue[i].result = &results[i];
    for (unsigned i = 1; i < queues->count; i++) {
        struct queue *queue = &queues->queue[i];
        queue->has_thread = pthread_create(&queue->thread, NULL, run_one, queue) == 0;
        if (!queue->has_thread) {
            say_error(queues->say, "no thread can be started for queue %u", i);
            queue->code = EXIT_ENVIRONMENT;
        }
    }
    run_one(&queues->queue[0]);
    for (unsigned i = 0; i < queues->count; i++) {
        if (queues->queue[i].has_thread)
            pthread_join(queues->queue[i].thread, NULL);
        if (code == EXIT_OK)
            code = queues->queue[i].code;
    }
    return code;
}

enum exit_code bench_queues_close(struct bench_queues *queues)
{
    enum exit_code code = EXIT_OK;
    char error[ERROR_BYTES];

    if (queues == NULL)
        return code;
    for (unsigned i = 0; i < queues->count; i++) {
        bench_free(queues->queue[i].bench);
        if (host_close(queues->queue[i].host, error, sizeof error) == 0)
            continue;
        say_error(queues->say, "%s", error);
        code = EXIT_ENVIRONMENT;
    }
    free(queues);
    return code;
}

struct bench_result bench_results_sum(unsigned count, const struct bench_result results[])
{
    struct bench_result sum = results[0];

    for (unsigned i = 1; i < count; i++) {
        const struct bench_result *result = &results[i];
        sum.bytes += result->bytes;
        sum.transactions += result->transactions;
        sum.failed += result->failed;
        sum.connections += result->connections;
        sum.cpu_seconds += result->cpu_seconds;
        if (result->seconds > sum.seconds)
            sum.seconds = result->seconds;
        if (sum.error == TCP_OK)
            sum.error = result->error;
    }
    return sum;
}

static bool open_hosts(struct bench_queues *queues, const struct host_config *config,
                       const struct say *say)
{
    char error[ERROR_BYTES];

    for (unsigned i = 0; i < queues->count; i++) {
        struct host_config own = *config;
        own.queue = i;
        own.queue_count = queues->count;
        queues->queue[i].host = host_open(&own, error, sizeof error);
        if (queues->queue[i].host != NULL)
            continue;
        say_error(say, "%s", error);
        return false;
    }
    return true;
}

/* Where the kernel spreads packets by a rule of its own, the answers to what we open come to any
 * queue: every stack but one would refuse them. */
static bool may_call(const struct bench_queues *queues, const struct say *say)
{
    if (queues->count == 1 || host_is_steered(queues->queue[queues->count - 1].host))
        return true;
    say_error(say, "the kernel does not let us choose the queue of a connection, which a client "
                   "with --queues needs: run it as root (CAP_BPF)");
    return false;
}

static void *run_one(void *context)
{
    struct queue *queue = context;

    queue->code = bench_run(queue->bench, queue->result);
    return NULL;
}
