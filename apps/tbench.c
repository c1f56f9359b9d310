/* tbench: how fast is this TCP/IP stack?
 *
 *     tbench source 10.0.0.1 5001        send for a second to a peer on the kernel's TCP
 *     tbench crr -l 5001                 answer the connections that somebody else measures
 *
 * The measurements are in common/bench.c, the command line in common/tbench_options.c. `make bench`
 * runs this program against tests/bench/peers/kbench.c, and beside it what it is compared with.
 *
 * stdout has the result and nothing else: one line for people, or with --json one object. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "common/bench_queues.h"
#include "common/output.h"
#include "common/set_option.h"
#include "common/signals.h"
#include "common/tbench_options.h"
#include "view/rows.h"

enum { ERROR_BYTES = 600 };

static enum exit_code read_command_line(struct tbench_options *options, struct say *say, int argc,
                                        char **argv);
static enum exit_code measure(const struct tbench_options *options, const struct say *say);
static void print_result(const struct tbench_options *options, const struct say *say,
                         const struct bench_result results[]);

int main(int argc, char **argv)
{
    static struct tbench_options options;
    struct say say = {.program = "tbench"};

    output_guard_standard_streams();
    enum exit_code code = read_command_line(&options, &say, argc, argv);
    if (code != RUNNING)
        return (int)code;
    return (int)measure(&options, &say);
}

/* RUNNING: go on; otherwise the exit code to end with. */
static enum exit_code read_command_line(struct tbench_options *options, struct say *say, int argc,
                                        char **argv)
{
    char error[ERROR_BYTES];
    enum tbench_wish wish = tbench_options_parse(options, argc, argv, error, sizeof error);

    say->verbosity = options->common.verbosity;
    say->color = say_wants_color(options->common.color, stderr);
    options->bench.shows_progress =
        isatty(STDERR_FILENO) && say->verbosity == 0 && options->queue_count == 1;
    switch (wish) {
    case TBENCH_HELP:
        tbench_options_help(stdout);
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_ENVIRONMENT;
    case TBENCH_LIST_SETTINGS:
        set_option_list(stdout);
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_ENVIRONMENT;
    case TBENCH_WRONG:
        say_error(say, "%s", error);
        say_hint(say, "usage: tbench MODE [-l] [options] [ADDRESS] PORT; tbench --help explains");
        return EXIT_USAGE;
    case TBENCH_RUN:
        break;
    }
    return RUNNING;
}

/* Events cost time: they are asked for only with -v. */
static enum exit_code measure(const struct tbench_options *options, const struct say *say)
{
    struct host_config config = options->common.config;
    struct bench_result results[BENCH_QUEUES_MAX];
    struct rows *rows = NULL;

    if (signals_watch() < 0) {
        say_error(say, "signals cannot be watched");
        return EXIT_ENVIRONMENT;
    }
    signal(SIGUSR1, SIG_IGN); /* nobody here would take it, and no poll() would sleep any more */
    if (say->verbosity > 0 && (rows = rows_new(stderr, say->verbosity, say->color)) != NULL) {
        config.trace = rows_event;
        config.trace_context = rows;
    }
    enum exit_code code = EXIT_ENVIRONMENT;
    struct bench_queues *queues =
        bench_queues_open(options->queue_count, &config, &options->bench, say);
    if (queues != NULL) {
        code = bench_queues_run(queues, results);
        print_result(options, say, results);
        enum exit_code end = bench_queues_close(queues);
        code = code == EXIT_OK ? end : code;
    }
    rows_free(rows);
    return fflush(stdout) == 0 ? code : EXIT_ENVIRONMENT;
}

static double per_second(uint64_t count, double seconds)
{
    return seconds > 0 ? (double)count / seconds : 0;
}

static void print_queues(unsigned count, const struct bench_result results[])
{
    printf(", \"queues\": [");
    for (unsigned i = 0; i < count; i++)
        printf("%s{\"connections\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"transactions\": %" PRIu64
               ", \"cpu_seconds\": %.6f}",
               i > 0 ? ", " : "", results[i].connections, results[i].bytes, results[i].transactions,
               results[i].cpu_seconds);
    printf("]");
}

static void print_json(const struct tbench_options *options, const struct bench_result *result,
                       const struct bench_result results[])
{
    const struct bench_config *bench = &options->bench;

    printf("{\"mode\": \"%s\", \"listen\": %s, \"zero_copy\": %s, \"bytes\": %" PRIu64
           ", \"transactions\": %" PRIu64 ", \"connections\": %" PRIu64 ", \"failed\": %" PRIu64
           ", \"seconds\": %.6f, \"cpu_seconds\": %.6f",
           bench_mode_name(bench->mode), bench->listens ? "true" : "false",
           bench->zero_copy ? "true" : "false", result->bytes, result->transactions,
           result->connections, result->failed, result->seconds, result->cpu_seconds);
    printf(", \"bytes_per_second\": %.0f, \"transactions_per_second\": %.1f",
           per_second(result->bytes, result->seconds),
           per_second(result->transactions, result->seconds));
    if (bench->mode == BENCH_IDLE)
        printf(", \"bytes_per_connection\": %.0f, \"idle_seconds\": %.6f, "
               "\"idle_cpu_seconds\": %.6f",
               result->bytes_per_connection, result->idle_seconds, result->idle_cpu);
    if (options->queue_count > 1)
        print_queues(options->queue_count, results);
    puts("}");
}

static void print_line(const struct tbench_options *options, const struct bench_result *result)
{
    const char *name = bench_mode_name(options->bench.mode);

    switch (options->bench.mode) {
    case BENCH_SINK:
    case BENCH_SOURCE:
        printf("%s: %.1f MB in %.3f s, %.1f MB/s", name, (double)result->bytes / 1e6,
               result->seconds, per_second(result->bytes, result->seconds) / 1e6);
        break;
    case BENCH_ECHO:
    case BENCH_CRR:
    case BENCH_CC:
        printf("%s: %" PRIu64 " in %.3f s, %.0f /s, %" PRIu64 " failed", name, result->transactions,
               result->seconds, per_second(result->transactions, result->seconds), result->failed);
        break;
    case BENCH_IDLE:
        printf("%s: %" PRIu64 " connections, %.0f bytes each, %.3f %% CPU while idle", name,
               result->connections, result->bytes_per_connection,
               result->idle_seconds > 0 ? 100 * result->idle_cpu / result->idle_seconds : 0);
        break;
    }
    printf("; CPU %.3f s\n", result->cpu_seconds);
}

static void print_result(const struct tbench_options *options, const struct say *say,
                         const struct bench_result results[])
{
    struct bench_result sum = bench_results_sum(options->queue_count, results);

    if (sum.error != TCP_OK)
        say_error(say, "%" PRIu64 " failed, the first: %s", sum.failed, tcp_err_name(sum.error));
    if (options->prints_json)
        print_json(options, &sum, results);
    else
        print_line(options, &sum);
}
