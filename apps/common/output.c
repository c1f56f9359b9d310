/* Standard output that never holds up the network.
 *
 * A plain write() to a pipe or a terminal waits until all bytes have found room, and while it waits
 * no packet is read, no ACK sent and no timer served. Setting O_NONBLOCK would cure that, but the
 * flag belongs to the open file that we share with the shell and with everyone else who writes
 * there. Opening /proc/self/fd/1 makes a new open file on the same pipe or terminal whose flags are
 * ours alone. Where that does not work (no /proc, no permission) poll() is asked first and at most
 * PIPE_BUF bytes are written, which a pipe that polls writable takes at once.
 *
 * Regular files never wait in this sense and keep their descriptor, and with it their offset. */
#include "output.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_MAX_BYTES = 256 * 1024 };

static int reopen_without_waiting(int fd);
static ptrdiff_t write_some(struct output *output, struct bytes bytes);

void output_guard_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* The lowest free number is this one. Read-only also for stdout, so that writing to what
         * the caller has closed is reported instead of vanishing. */
        if (open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd)
            _exit(EXIT_ENVIRONMENT);
    }
}

void output_open(struct output *output, int fd)
{
    struct stat status;

    *output = (struct output){.fd = fd};
    if (fd < 0 || fstat(fd, &status) < 0 || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
        return;
    output->is_socket = S_ISSOCK(status.st_mode);
    output->never_waits = S_ISREG(status.st_mode) || output->is_socket;
    if (output->never_waits)
        return;
    int own = reopen_without_waiting(fd);
    if (own < 0)
        return;
    output->fd = own;
    output->is_ours = true;
    output->never_waits = true;
}

void output_close(struct output *output)
{
    if (output->is_ours)
        close(output->fd);
    *output = (struct output){.fd = -1};
}

ptrdiff_t output_write(struct output *output, struct bytes bytes, bool is_ready)
{
    output->is_blocked = false;
    if (output->fd < 0 || bytes.len == 0)
        return (ptrdiff_t)bytes.len;
    if (!output->never_waits && !is_ready) {
        output->is_blocked = true;
        return 0;
    }
    ptrdiff_t written = write_some(output, bytes);
    if (written >= 0)
        return written;
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        return -1;
    output->is_blocked = true;
    return 0;
}

static int reopen_without_waiting(int fd)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static ptrdiff_t write_some(struct output *output, struct bytes bytes)
{
    size_t max = output->never_waits ? WRITE_MAX_BYTES : PIPE_BUF;
    size_t len = bytes.len < max ? bytes.len : max;

    if (output->is_socket)
        return send(output->fd, bytes.data, len, MSG_DONTWAIT);
    return write(output->fd, bytes.data, len);
}
