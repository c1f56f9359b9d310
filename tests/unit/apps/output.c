/* Standard output never holds up the network. */
#include "../../../apps/common/output.h"
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK_BYTES = 4096, CHUNKS_MAX = 10000 };

static uint8_t chunk[CHUNK_BYTES];

/* Writes until the output says that it is full; returns whether it did. */
static bool fills_up(struct output *output)
{
    for (int i = 0; i < CHUNKS_MAX; i++)
        if (output_write(output, (struct bytes){chunk, sizeof chunk}, false) == 0)
            return true;
    return false;
}

START_TEST(a_full_pipe_says_so_instead_of_waiting)
{
    struct output output;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    output_open(&output, ends[1]);
    ck_assert(fills_up(&output));
    ck_assert(output.is_blocked);
    output_close(&output);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(the_pipe_that_others_share_keeps_its_flags)
{
    struct output output;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    output_open(&output, ends[1]);
    ck_assert_int_eq(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
    output_close(&output);
    ck_assert_int_ge(fcntl(ends[1], F_GETFD), 0); /* and stays open */
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_full_socket_says_so_instead_of_waiting)
{
    struct output output;
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    output_open(&output, ends[1]);
    ck_assert(fills_up(&output));
    ck_assert(output.is_blocked);
    output_close(&output);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_reader_that_has_gone_is_an_error_and_no_signal)
{
    struct output output;
    int ends[2];

    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe(ends), 0);
    output_open(&output, ends[1]);
    close(ends[0]);
    ck_assert_int_eq(output_write(&output, (struct bytes){chunk, 1}, false), -1);
    ck_assert_int_eq(errno, EPIPE);
    output_close(&output);
    close(ends[1]);
}
END_TEST

START_TEST(a_full_disk_is_an_error)
{
    struct output output;
    int fd = open("/dev/full", O_WRONLY);

    if (fd < 0)
        return; /* not every system has it */
    output_open(&output, fd);
    ck_assert_int_eq(output_write(&output, (struct bytes){chunk, 1}, true), -1);
    ck_assert_int_eq(errno, ENOSPC);
    output_close(&output);
    close(fd);
}
END_TEST

START_TEST(without_a_descriptor_everything_is_taken_and_thrown_away)
{
    struct output output;

    output_open(&output, -1);
    ck_assert_int_eq(output_write(&output, (struct bytes){chunk, sizeof chunk}, false),
                     CHUNK_BYTES);
    ck_assert(!output.is_blocked);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, a_full_pipe_says_so_instead_of_waiting);
    tcase_add_test(tc, the_pipe_that_others_share_keeps_its_flags);
    tcase_add_test(tc, a_full_socket_says_so_instead_of_waiting);
    tcase_add_test(tc, a_reader_that_has_gone_is_an_error_and_no_signal);
    tcase_add_test(tc, a_full_disk_is_an_error);
    tcase_add_test(tc, without_a_descriptor_everything_is_taken_and_thrown_away);
}

int main(void)
{
    return unit_main("output", tests);
}
