/* The command line of tbench: MODE, then HOST and PORT as netcat has them; -l for the server. As in
 * tnc every slip leaves one line that says what to write instead, and nothing is printed here. */
#include "tbench_options.h"

#include <string.h>

#include "bench_queues.h"
#include "numbers.h"

enum tbench_option {
    OPTION_BYTES = HOST_OPTION_END,
    OPTION_SECONDS,
    OPTION_CONNECTIONS,
    OPTION_ZERO_COPY,
    OPTION_QUEUES,
    OPTION_JSON,
};

enum { CONNECTIONS_MAX = 1000000, SECONDS_DEFAULT = 1, CONNECTIONS_DEFAULT = 64 };

static const char short_options[] = ":lvh";
static const struct option own_table[] = {
    {"listen", no_argument, NULL, 'l'},
    {"bytes", required_argument, NULL, OPTION_BYTES},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"zero-copy", no_argument, NULL, OPTION_ZERO_COPY},
    {"queues", required_argument, NULL, OPTION_QUEUES},
    {"json", no_argument, NULL, OPTION_JSON},
    {NULL, 0, NULL, 0},
};
enum { OWN_COUNT = sizeof own_table / sizeof own_table[0] };

static const char help_head[] =
    "tbench: how fast is this TCP/IP stack?\n"
    "\n"
    "  tbench MODE [options] ADDRESS PORT    connect to a peer and measure\n"
    "  tbench MODE -l [options] PORT         be the server that a peer measures\n"
    "\n"
    "Modes\n"
    "  sink     take bytes to the end of the stream\n"
    "  source   send bytes for --seconds, or --bytes of them; end when the peer has them all\n"
    "  echo     one byte there and back, again and again; the server returns whatever comes\n"
    "  crr      --connections at once: connect, one byte each way, close, and the next\n"
    "  cc       the same without the bytes: connect, close\n"
    "  idle     open --connections (or wait for them), hold them for --seconds, count memory\n"
    "\n"
    "What is measured\n"
    "  --seconds TIME       how long (1); a server of crr, cc and idle ends by ^C unless given\n"
    "  --bytes N            so many bytes (source) or round trips (echo) or connections (crr, cc)\n"
    "                       instead of a time\n"
    "  --connections N      at once: crr and cc (64), idle (64)\n"
    "  --zero-copy          send from and receive in the stack's own rings, without a copy\n"
    "  --queues N           so many queues of the device, a thread and a stack for each; the "
    "three\n"
    "                       above then count for each queue, and a server ends by ^C\n"
    "  --json               the result as one object on stdout\n"
    "\n";

static const char help_tail[] =
    "  --help\n"
    "\n"
    "On stderr the rate is shown while it runs, if that is a terminal. A client of crr and cc "
    "closes\n"
    "first and so keeps its ports for 2 MSL: give --set msl=0 to make more connections than "
    "ports.\n"
    "\n"
    "Exit codes\n"
    "  0 all went well       1 a connection failed      2 an argument is wrong\n"
    "  3 this machine: no device, no permission         130 interrupted\n"
    "\n"
    "Examples\n"
    "  tbench sink -l 5001                   a server that takes everything\n"
    "  tbench source --zero-copy 10.0.0.1 5001\n"
    "  tbench idle -l --connections 54000 --json 5001\n";

static bool take_option(struct tbench_options *options, int code, char **argv, char *error,
                        size_t room);
static bool take_words(struct bench_config *bench, int count, char **word, char *error,
                       size_t room);
static bool check_queues(struct tbench_options *options, char *error, size_t room);

enum tbench_wish tbench_options_parse(struct tbench_options *options, int argc, char **argv,
                                      char *error, size_t room)
{
    struct option table[HOST_OPTION_COUNT + OWN_COUNT];
    int code;

    memcpy(table, host_option_table, sizeof host_option_table);
    memcpy(table + HOST_OPTION_COUNT, own_table, sizeof own_table);
    *options = (struct tbench_options){
        .bench = {.run_us = NEVER, .connection_count = CONNECTIONS_DEFAULT}};
    host_options_init(&options->common);
    options->common.config.stack.connections_max = 2 * CONNECTIONS_MAX;
    options->common.config.stack.tcp.backlog = 4096;
    error[0] = '\0';
    opterr = 0;
    optind = 0; /* glibc and musl: start afresh, whatever was parsed before */
    while ((code = getopt_long(argc, argv, short_options, table, NULL)) != -1) {
        if (code == 'h')
            return TBENCH_HELP;
        if (!take_option(options, code, argv, error, room))
            return TBENCH_WRONG;
    }
    if (options->common.lists_settings)
        return TBENCH_LIST_SETTINGS;
    if (!take_words(&options->bench, argc - optind, argv + optind, error, room) ||
        !host_options_check(&options->common, error, room))
        return TBENCH_WRONG;
    if (options->common.config.use_lab) {
        snprintf(error, room, "--lab: nobody in the lab answers a benchmark; use a TUN device");
        return TBENCH_WRONG;
    }
    if (!check_queues(options, error, room))
        return TBENCH_WRONG;
    bool waits_for_signal = options->bench.listens && options->bench.mode >= BENCH_CRR;
    if (options->bench.run_us == NEVER && !waits_for_signal)
        options->bench.run_us = SECONDS_DEFAULT * UINT64_C(1000000);
    return TBENCH_RUN;
}

void tbench_options_help(FILE *out)
{
    fputs(help_head, out);
    fputs(host_option_help, out);
    fputs(help_tail, out);
}

static bool take_seconds(struct bench_config *bench, const char *value, char *error, size_t room)
{
    if (duration_parse(value, &bench->run_us) && bench->run_us > 0)
        return true;
    snprintf(error, room, "--seconds '%s' is not a time: write seconds, or a unit as in 250ms",
             value);
    return false;
}

static bool take_number(const char *option, const char *value, uint64_t max, uint64_t *number,
                        char *error, size_t room)
{
    if (number_parse(value, 1, max, number))
        return true;
    snprintf(error, room, "%s '%s' is not a number from 1 to %llu", option, value,
             (unsigned long long)max);
    return false;
}

static bool take_queues(unsigned *count, const char *value, char *error, size_t room)
{
    uint64_t number = 0;

    if (!take_number("--queues", value, BENCH_QUEUES_MAX, &number, error, room))
        return false;
    *count = (unsigned)number;
    return true;
}

static bool take_option(struct tbench_options *options, int code, char **argv, char *error,
                        size_t room)
{
    struct bench_config *bench = &options->bench;

    switch (code) {
    case 'l':
        bench->listens = true;
        return true;
    case 'v':
        options->common.verbosity += options->common.verbosity < 9;
        return true;
    case OPTION_BYTES:
        return take_number("--bytes", optarg, UINT64_MAX, &bench->limit, error, room);
    case OPTION_SECONDS:
        return take_seconds(bench, optarg, error, room);
    case OPTION_CONNECTIONS:
        return take_number("--connections", optarg, CONNECTIONS_MAX, &bench->connection_count,
                           error, room);
    case OPTION_ZERO_COPY:
        bench->zero_copy = true;
        return true;
    case OPTION_QUEUES:
        return take_queues(&options->queue_count, optarg, error, room);
    case OPTION_JSON:
        options->prints_json = true;
        return true;
    default:
        return code >= HOST_OPTION_FIRST
                   ? host_option_take(&options->common, code, optarg, error, room)
                   : host_option_complain("tbench", short_options, code, argv, error, room);
    }
}

static bool take_words(struct bench_config *bench, int count, char **word, char *error, size_t room)
{
    int wanted = bench->listens ? 2 : 3;

    if (count == 0) {
        snprintf(error, room, "no mode was given: sink, source, echo, crr, cc or idle");
        return false;
    }
    if (!bench_mode_parse(word[0], &bench->mode)) {
        snprintf(error, room, "'%s' is no mode: sink, source, echo, crr, cc or idle", word[0]);
        return false;
    }
    if (count < wanted) {
        snprintf(error, room, "%s is missing: tbench %s %s",
                 bench->listens || count == 2 ? "the port" : "the address", word[0],
                 bench->listens ? "-l PORT" : "ADDRESS PORT");
        return false;
    }
    if (count > wanted) {
        snprintf(error, room, "'%s' is one word too many", word[wanted]);
        return false;
    }
    if (!bench->listens && !ip_addr_parse(word[1], &bench->peer)) {
        snprintf(error, room, "'%s' is not an address such as 10.0.0.1", word[1]);
        return false;
    }
    return port_parse(word[wanted - 1], "tcp", &bench->port, error, room);
}

/* What one stack alone can do. */
static bool check_queues(struct tbench_options *options, char *error, size_t room)
{
    const char *what = NULL;

    options->bench.serves_all = options->bench.listens && options->queue_count > 0;
    if (options->queue_count == 0)
        options->queue_count = 1;
    if (options->queue_count == 1)
        return true;
    if (options->bench.mode == BENCH_IDLE)
        what = "idle counts the memory of one stack";
    else if (options->common.verbosity > 0)
        what = "-v shows the packets of one stack";
    else if (options->common.config.pcapng_path != NULL)
        what = "--pcapng writes the packets of one stack";
    if (what == NULL)
        return true;
    snprintf(error, room, "%s: leave --queues out", what);
    return false;
}
