/* Our end of a connection with kernel_end.c, see orders.h: `our_end [options] ADDRESS`, the address
 * being the kernel's. Options are those that all programs share (--mss, --pcapng, --set ...). The
 * rows and states of `tnc -v` are on stderr.
 * Orders of its own:
 *
 *   connect PORT [FROM]   opens          and does not wait
 *   await STATE           in STATE       until the connection is in it
 *   await-urgent          urgent N       until urgent data lies ahead: N bytes up to its end
 *   still-urgent          urgent N       0: nothing urgent is ahead any more
 *   await-sent            sent           until all that was written is acknowledged
 *   keepalive             keepalive on
 *   abort                 aborted
 *   hold                  holds          until `go`: what arrives waits in the device, and what
 *                                        is to be sent waits too, to be the first that moves
 *   go                    goes on
 *
 * An error has the name of enum tcp_err's text. */
#include "orders.h"

#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>

#include "../../apps/common/numbers.h"
#include "../../apps/common/session.h"
#include "../../apps/common/signals.h"

enum { BLOCK_BYTES = 65536 };

struct end {
    struct session session;
    struct ip_addr kernel;
    struct tcb *tcb, *listener;
    uint64_t written, read;
    bool is_held, is_told_to_quit;
};

static int read_options(struct host_options *options, int argc, char **argv);
static void obey_all(struct end *end);
static void obey(struct end *end, const struct order *order);

int main(int argc, char **argv)
{
    static struct end end;
    struct say say = {.program = "our_end", .verbosity = 1};
    struct host_options options;

    host_options_init(&options);
    int first = read_options(&options, argc, argv);
    if (first < 0 || first + 1 != argc || !ip_addr_parse(argv[first], &end.kernel)) {
        fprintf(stderr, "usage: our_end [options] ADDRESS\n");
        return EXIT_USAGE;
    }
    setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
    enum exit_code code = session_open(&end.session, &say, &options);
    if (code == EXIT_OK) {
        answer("ready");
        obey_all(&end);
        tcp_close(end.tcb);
        tcp_close(end.listener);
    }
    return (int)session_close(&end.session, code);
}

/* ---- options */

/* The index of the first argument that is no option, or -1. */
static int read_options(struct host_options *options, int argc, char **argv)
{
    struct option table[HOST_OPTION_COUNT + 1] = {0};
    char error[200];
    int code;

    memcpy(table, host_option_table, sizeof host_option_table);
    while ((code = getopt_long(argc, argv, "", table, NULL)) != -1)
        if (code == '?' || !host_option_take(options, code, optarg, error, sizeof error))
            return -1;
    return optind;
}

/* ---- turns */

/* False when this process is to end. */
static bool turn(struct end *end, struct pollfd *fds, nfds_t count)
{
    return signals_count() == 0 && session_turn(&end->session, fds, count, NEVER) == TURN_OK;
}

static bool has_failed(struct end *end)
{
    if (tcp_error(end->tcb) == TCP_OK)
        return false;
    answer("error %s", tcp_err_name(tcp_error(end->tcb)));
    return true;
}

static void obey_all(struct end *end)
{
    struct pollfd stdin_fd = {.fd = STDIN_FILENO, .events = POLLIN};
    struct orders orders = {0};
    struct order order;

    while (!end->is_told_to_quit) {
        if (!end->is_held && !turn(end, &stdin_fd, 1))
            return;
        if ((end->is_held || stdin_fd.revents != 0) && !orders_read(&orders))
            return;
        while (orders_take(&orders, &order))
            obey(end, &order);
    }
}

/* ---- orders */

static void answer_error(ptrdiff_t error)
{
    answer("error %s", tcp_err_name((enum tcp_err)error));
}

static void answer_result(enum tcp_err error, const char *text)
{
    if (error != TCP_OK)
        answer_error(error);
    else
        answer("%s", text);
}

static void obey_connect(struct end *end, const struct order *order)
{
    enum tcp_err error = TCP_OK;

    end->tcb = tcp_open_active(host_stack(end->session.host), NULL, (uint16_t)order->number[1],
                               &end->kernel, (uint16_t)order->number[0], NULL, &error);
    answer_result(error, "opens");
}

static void obey_listen(struct end *end, const struct order *order)
{
    enum tcp_err error = TCP_OK;

    end->listener = tcp_open_passive(host_stack(end->session.host), NULL,
                                     (uint16_t)order->number[0], NULL, &error);
    answer_result(error, "listens");
}

static void obey_accept(struct end *end, const struct order *order)
{
    (void)order;
    while ((end->tcb = tcp_accept(end->listener)) == NULL)
        if (!turn(end, NULL, 0))
            return;
    answer("accepted");
}

static void obey_await(struct end *end, const struct order *order)
{
    const char *state = order->name;
    struct tcp_status status;

    for (;;) {
        tcp_status(end->tcb, &status);
        if (strcmp(tcp_state_name(status.state), state) == 0) {
            answer("in %s", state);
            return;
        }
        if (has_failed(end) || !turn(end, NULL, 0))
            return;
    }
}

static void obey_still_urgent(struct end *end, const struct order *order)
{
    struct tcp_status status;

    (void)order;
    tcp_status(end->tcb, &status);
    answer("urgent %u", status.urgent_bytes);
}

static void obey_await_urgent(struct end *end, const struct order *order)
{
    (void)order;
    while (!(tcp_readiness(end->tcb) & TCP_URGENT))
        if (has_failed(end) || !turn(end, NULL, 0))
            return;
    obey_still_urgent(end, order);
}

static void obey_await_sent(struct end *end, const struct order *order)
{
    struct tcp_status status;

    (void)order;
    for (tcp_status(end->tcb, &status); status.send_queued_bytes > 0; tcp_status(end->tcb, &status))
        if (has_failed(end) || !turn(end, NULL, 0))
            return;
    answer("sent");
}

typedef ptrdiff_t sending(struct tcb *tcb, const uint8_t *data, size_t len);

static void send_all(struct end *end, const char *what, size_t count, sending *send_bytes)
{
    uint8_t block[BLOCK_BYTES];

    for (size_t left = count; left > 0;) {
        size_t len = left < sizeof block ? left : sizeof block;
        stream_fill(FROM_US, end->written, block, len);
        ptrdiff_t done = send_bytes(end->tcb, block, len);
        if (done < 0) {
            answer_error(done);
            return;
        }
        end->written += (size_t)done;
        left -= (size_t)done;
        if (done == 0 && !turn(end, NULL, 0))
            return;
    }
    answer("%s %zu", what, count);
}

static void obey_write(struct end *end, const struct order *order)
{
    send_all(end, "wrote", order->number[0], tcp_send);
}

static void obey_urgent(struct end *end, const struct order *order)
{
    send_all(end, "urgent", order->number[0], tcp_send_urgent);
}

static void obey_read(struct end *end, const struct order *order)
{
    uint8_t block[BLOCK_BYTES];

    for (size_t left = order->number[0]; left > 0;) {
        ptrdiff_t got = tcp_receive(end->tcb, block, left < sizeof block ? left : sizeof block);
        if (got < 0) {
            answer_error(got);
            return;
        }
        size_t right = stream_check(FROM_KERNEL, end->read, block, (size_t)got);
        end->read += right;
        left -= right;
        bool is_end = got == 0 && (tcp_readiness(end->tcb) & TCP_PEER_CLOSED) != 0;
        if (is_end || right < (size_t)got) {
            answer(is_end ? "end after %ju" : "byte %ju is wrong", (uintmax_t)end->read);
            return;
        }
        if (got == 0 && !turn(end, NULL, 0))
            return;
    }
    answer("read %lu", order->number[0]);
}

static void obey_read_end(struct end *end, const struct order *order)
{
    uint8_t byte;

    (void)order;
    for (;;) {
        ptrdiff_t got = tcp_receive(end->tcb, &byte, 1);
        if (got < 0)
            answer_error(got);
        else if (got > 0)
            answer("no end after %ju", (uintmax_t)end->read);
        else if (tcp_readiness(end->tcb) & TCP_PEER_CLOSED)
            answer("end");
        else if (turn(end, NULL, 0))
            continue;
        return;
    }
}

static void obey_keepalive(struct end *end, const struct order *order)
{
    (void)order;
    tcp_set_keepalive(end->tcb, true);
    answer("keepalive on");
}

static void obey_shutdown(struct end *end, const struct order *order)
{
    (void)order;
    answer_result((enum tcp_err)tcp_shutdown(end->tcb), "shut down");
}

static void obey_close(struct end *end, const struct order *order)
{
    (void)order;
    tcp_close(end->tcb);
    end->tcb = NULL;
    answer("closed");
}

static void obey_abort(struct end *end, const struct order *order)
{
    (void)order;
    tcp_abort(end->tcb);
    end->tcb = NULL;
    answer("aborted");
}

static void obey_hold(struct end *end, const struct order *order)
{
    (void)order;
    end->is_held = true;
    answer("holds");
}

static void obey_go(struct end *end, const struct order *order)
{
    (void)order;
    end->is_held = false;
    answer("goes on");
}

static void obey_quit(struct end *end, const struct order *order)
{
    (void)order;
    end->is_told_to_quit = true;
}

static void obey(struct end *end, const struct order *order)
{
    static const struct {
        const char *word;
        void (*obey)(struct end *end, const struct order *order);
    } orders[] = {
        {"listen", obey_listen},
        {"accept", obey_accept},
        {"connect", obey_connect},
        {"await", obey_await},
        {"await-urgent", obey_await_urgent},
        {"still-urgent", obey_still_urgent},
        {"await-sent", obey_await_sent},
        {"write", obey_write},
        {"urgent", obey_urgent},
        {"read", obey_read},
        {"read-end", obey_read_end},
        {"keepalive", obey_keepalive},
        {"shutdown", obey_shutdown},
        {"close", obey_close},
        {"abort", obey_abort},
        {"hold", obey_hold},
        {"go", obey_go},
        {"quit", obey_quit},
    };

    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
        if (strcmp(order->word, orders[i].word) == 0) {
            orders[i].obey(end, order);
            return;
        }
    answer("what is '%s'?", order->word);
}
