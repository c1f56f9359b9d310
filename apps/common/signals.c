/* Signals as something to poll for.
 *
 * A signal that arrives between the look at a flag and the poll() that follows would be slept over.
 * So the handler also writes a byte into a pipe whose other end is polled (the self-pipe trick).
 * Signals belong to the process and a handler has no argument: this is the one place in the
 * applications where static variables cannot be avoided.
 *
 * SIGTERM counts twice: whoever sends it (kill, timeout) will not come back for a second one.
 *
 * SIGPIPE is ignored: when the reader of stdout has gone, write() says so with EPIPE, and there is
 * still a connection to reset. */
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

static atomic_int caught_count; /* each thread of tbench asks for it */
static volatile sig_atomic_t status_is_asked_for;
static int wake_pipe[2] = {-1, -1};

static void on_signal(int number);

int signals_watch(void)
{
    struct sigaction count = {.sa_handler = on_signal};
    /* Nothing is interrupted by a question: a capture that waits in a full pipe goes on. */
    struct sigaction ask = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    if (pipe(wake_pipe) < 0)
        return -1;
    for (int end = 0; end < 2; end++) {
        fcntl(wake_pipe[end], F_SETFL, O_NONBLOCK);
        fcntl(wake_pipe[end], F_SETFD, FD_CLOEXEC);
    }
    sigemptyset(&count.sa_mask);
    sigemptyset(&ask.sa_mask);
    sigemptyset(&ignore.sa_mask);
    if (sigaction(SIGINT, &count, NULL) < 0 || sigaction(SIGTERM, &count, NULL) < 0 ||
        sigaction(SIGUSR1, &ask, NULL) < 0)
        return -1;
    return sigaction(SIGPIPE, &ignore, NULL);
}

int signals_count(void)
{
    return caught_count;
}

bool signals_ask_for_status(void)
{
    bool is_asked_for = status_is_asked_for != 0;

    status_is_asked_for = 0;
    return is_asked_for;
}

int signals_fd(void)
{
    return wake_pipe[0];
}

void signals_drain(void)
{
    char bytes[16];

    while (read(wake_pipe[0], bytes, sizeof bytes) > 0)
        continue;
}

static void on_signal(int number)
{
    int errno_before = errno;

    if (number == SIGUSR1)
        status_is_asked_for = 1;
    else if (caught_count < 100)
        caught_count += number == SIGTERM ? 2 : 1;
    ptrdiff_t written = write(wake_pipe[1], "", 1); /* a full pipe wakes as well */
    (void)written;
    errno = errno_before;
}
