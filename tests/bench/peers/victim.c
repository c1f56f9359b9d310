/* A server on our stack while it is flooded: what it holds, and whom it still serves.
 *
 *   victim DEVICE SECONDS [NAME=VALUE...]     settings as --set of the other programs has them
 *
 *   port 5001   the one that is flooded: what comes goes back, FIN is answered by FIN
 *   port 5002   sends to whoever connects, for so many SECONDS, then FIN
 *   port 5003   reads to the end
 *
 * "ready" when it listens. Ended by a signal it prints one line of JSON: the most memory that it
 * has had (as the stack counts it, looked at once a turn) and the limit, the most connections, SYN
 * cookies sent and brought back, and the packets that it dropped, by reason. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../../apps/common/set_option.h"
#include "../../../apps/common/signals.h"
#include "../../../stack/wire/drop.h"
#include "../../../tun/host.h"

enum { PORT = 5001, BLOCK_BYTES = 1 << 16, ERROR_BYTES = 600 };

struct victim {
    struct host *host;
    struct stack *stack;
    double seconds;
    uint64_t end_us;
    size_t memory_bytes; /* the most */
    uint8_t block[BLOCK_BYTES];
};

/* What a connection or a listener is there for: its context. */
struct role {
    void (*on_ready)(struct victim *victim, struct tcb *tcb);
    const struct role *child;
};

static void on_listener(struct victim *victim, struct tcb *tcb);
static void on_echo(struct victim *victim, struct tcb *tcb);
static void on_source(struct victim *victim, struct tcb *tcb);
static void on_sink(struct victim *victim, struct tcb *tcb);

static const struct role echo_role = {.on_ready = on_echo}, source_role = {.on_ready = on_source},
                         sink_role = {.on_ready = on_sink};
static const struct role listener_role[] = {
    {on_listener, &echo_role}, {on_listener, &source_role}, {on_listener, &sink_role}};

static void serve(struct victim *victim);
static void print_result(const struct victim *victim);

static int failed(const char *what)
{
    fprintf(stderr, "victim: %s\n", what);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct victim victim;
    struct host_config config;
    char error[ERROR_BYTES] = "signals cannot be watched";

    host_config_init(&config);
    if (argc < 3)
        return failed("usage: victim DEVICE SECONDS [NAME=VALUE...]");
    config.tun_name = argv[1];
    victim.seconds = strtod(argv[2], NULL);
    victim.end_us = NEVER;
    for (int i = 3; i < argc; i++)
        if (!set_option_take(&config.stack, argv[i], error, sizeof error))
            return failed(error);
    if (signals_watch() < 0 || (victim.host = host_open(&config, error, sizeof error)) == NULL)
        return failed(error);
    victim.stack = host_stack(victim.host);
    for (uint16_t i = 0; i < 3; i++) {
        enum tcp_err why = TCP_OK;
        struct tcb *tcb = tcp_open_passive(victim.stack, NULL, (uint16_t)(PORT + i), NULL, &why);
        if (tcb == NULL)
            return failed(tcp_err_name(why));
        tcp_set_context(tcb, (void *)(uintptr_t)&listener_role[i]);
    }
    puts("ready");
    fflush(stdout);
    serve(&victim);
    print_result(&victim);
    host_close(victim.host, error, sizeof error);
    return EXIT_SUCCESS;
}

static void serve(struct victim *victim)
{
    struct tcb *tcb;

    while (signals_count() == 0) {
        struct pollfd signal = {.fd = signals_fd(), .events = POLLIN};
        if (host_step(victim->host, &signal, 1, victim->end_us) < 0)
            return;
        while ((tcb = stack_next_ready(victim->stack)) != NULL) {
            const struct role *role = tcp_context(tcb);
            role->on_ready(victim, tcb);
        }
        size_t memory_bytes = stack_memory_bytes(victim->stack);
        if (memory_bytes > victim->memory_bytes)
            victim->memory_bytes = memory_bytes;
    }
}

static void print_result(const struct victim *victim)
{
    const struct stack_counters *counters = stack_counters(victim->stack);

    printf("{\"memory_bytes\": %zu, \"memory_max_bytes\": %zu, \"packets_in\": %" PRIu64
           ", \"syn_cookies_sent\": %" PRIu64 ", \"syn_cookies_taken\": %" PRIu64,
           victim->memory_bytes, stack_config(victim->stack)->memory_max_bytes,
           counters->packets_in, counters->syn_cookies_sent, counters->syn_cookies_taken);
    for (int i = 1; i < DROP_COUNT; i++)
        if (counters->drops[i] > 0)
            printf(", \"%s\": %" PRIu64, drop_name((enum drop)i), counters->drops[i]);
    puts("}");
}

/* ---- the roles */

static void on_listener(struct victim *victim, struct tcb *tcb)
{
    const struct role *role = tcp_context(tcb);
    struct tcb *accepted;

    while ((accepted = tcp_accept(tcb)) != NULL) {
        tcp_set_context(accepted, (void *)(uintptr_t)role->child);
        if (role->child == &source_role)
            victim->end_us = host_now_us(victim->host) + (uint64_t)(victim->seconds * 1e6);
        role->child->on_ready(victim, accepted);
    }
}

static void on_echo(struct victim *victim, struct tcb *tcb)
{
    ptrdiff_t got;

    while ((got = tcp_receive(tcb, victim->block, sizeof victim->block)) > 0)
        tcp_send(tcb, victim->block, (size_t)got);
    if (got < 0 || (tcp_readiness(tcb) & TCP_PEER_CLOSED) != 0)
        tcp_close(tcb);
}

/* Its time is looked at when there is room again, which is all the time. */
static void on_source(struct victim *victim, struct tcb *tcb)
{
    bool has_time = host_now_us(victim->host) < victim->end_us;
    unsigned readiness = tcp_readiness(tcb);

    while (has_time && tcp_send(tcb, victim->block, sizeof victim->block) > 0)
        continue;
    if (!has_time)
        tcp_shutdown(tcb);
    if ((readiness & (TCP_FAILED | TCP_PEER_CLOSED)) == 0)
        return;
    victim->end_us = NEVER;
    tcp_close(tcb);
}

static void on_sink(struct victim *victim, struct tcb *tcb)
{
    ptrdiff_t got;

    while ((got = tcp_receive(tcb, victim->block, sizeof victim->block)) > 0)
        continue;
    if (got < 0 || (tcp_readiness(tcb) & TCP_PEER_CLOSED) != 0)
        tcp_close(tcb);
}
