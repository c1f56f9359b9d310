/* tun/batch.c with a pair of sockets in the device's place, which keep packets apart alike: each
 * packet passes, once, whole and in its order, one by one and many at once, whatever their sizes.
 */
#include "../unit.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../tun/batch.h"
#include "../../../tun/uring.h"

enum { ONE_BY_ONE, MANY_AT_ONCE, WAYS, LARGE_BYTES = 60000, BUFFER_BYTES = 8 << 20 };

struct bench {
    struct tun tun;
    struct batch *batch;
    int kernel; /* the other end of the device */
    uint32_t written, read;
};

static uint8_t memory[TUN_PACKET_ROOM], expected[TUN_PACKET_ROOM];

static struct bench make(unsigned offloads)
{
    struct bench b = {0};
    int pair[2], bytes = BUFFER_BYTES;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    b.kernel = pair[1];
    b.tun = (struct tun){.fd = pair[0], .offloads = offloads};
    return b;
}

static void open_batch(struct bench *b, int way)
{
    b->batch = batch_open(&b->tun, way == MANY_AT_ONCE);
    ck_assert_ptr_nonnull(b->batch);
}

static void end(struct bench *b)
{
    batch_close(b->batch);
    close(b->tun.fd);
    close(b->kernel);
}

/* Packet `number` of that length: different from all others. */
static struct bytes packet(uint32_t number, size_t len)
{
    memset(expected, (int)(number % 251), len);
    memcpy(expected, &number, len < sizeof number ? len : sizeof number);
    return (struct bytes){expected, len};
}

static size_t length_of(uint32_t number)
{
    return number % 101 == 5 ? LARGE_BYTES : 40 + number * 37 % 1461;
}

static void write_next(struct bench *b)
{
    struct packet_out out = {.header_bytes = 40};
    struct bytes bytes = packet(b->written, length_of(b->written));
    size_t half = 40 + (bytes.len - 40) / 2;

    b->written++;
    memcpy(out.header, bytes.data, 40);
    out.payload[0] = (struct bytes){bytes.data + 40, half - 40};
    out.payload[1] = (struct bytes){bytes.data + half, bytes.len - half};
    ck_assert_int_eq(batch_write(b->batch, &out), 0);
}

/* What has come out at the kernel's side so far is right; how many there were. */
static uint32_t look_at_kernel(struct bench *b)
{
    ssize_t len;

    while ((len = read(b->kernel, memory, sizeof memory)) > 0) {
        struct bytes bytes = packet(b->read, length_of(b->read));
        ck_assert_uint_eq((size_t)len, bytes.len);
        ck_assert_mem_eq(memory, bytes.data, bytes.len);
        b->read++;
    }
    return b->read;
}

START_TEST(packets_out_keep_their_order)
{
    static const unsigned counts[] = {1, 2, 3, 4, 5, 63, 64, 65, 0, 130, 7};
    struct bench b = make(0);

    open_batch(&b, _i);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (unsigned n = 0; n < counts[i]; n++)
            write_next(&b);
        ck_assert_int_eq(batch_flush(b.batch), 0);
        ck_assert_uint_eq(look_at_kernel(&b), b.written);
    }
    end(&b);
}
END_TEST

START_TEST(packets_in_keep_their_order)
{
    static const unsigned counts[] = {1, 3, 30, 30, 10, 200, 64, 64, 0, 0, 5, 1, 1, 128, 0, 7, 70};
    struct bench b = make(0);
    struct packet_in in;

    open_batch(&b, _i);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (unsigned n = 0; n < counts[i]; n++) {
            struct bytes bytes = packet(b.written, length_of(b.written));
            ck_assert_int_eq(write(b.kernel, bytes.data, bytes.len), (ssize_t)bytes.len);
            b.written++;
        }
        while (batch_read(b.batch, &in) > 0) {
            struct bytes bytes = packet(b.read, length_of(b.read));
            ck_assert_uint_eq(in.bytes.len, bytes.len);
            ck_assert_mem_eq(in.bytes.data, bytes.data, bytes.len);
            b.read++;
        }
        ck_assert_uint_eq(b.read, b.written);
    }
    end(&b);
}
END_TEST

/* What was read at once stays good while other packets are written. */
START_TEST(packets_pass_both_ways_at_once)
{
    enum { COUNT = 200, BYTES = 1000 };
    struct bench b = make(0);
    struct packet_out out = {.header_bytes = 40};
    struct packet_in in;

    open_batch(&b, _i);
    out.payload[0] = (struct bytes){memory, 600};
    for (uint32_t n = 0; n < COUNT; n++) {
        struct bytes bytes = packet(n, BYTES + n);
        ck_assert_int_eq(write(b.kernel, bytes.data, bytes.len), (ssize_t)bytes.len);
    }
    for (uint32_t n = 0; n < COUNT; n++) {
        ck_assert_int_eq(batch_read(b.batch, &in), 1);
        struct bytes bytes = packet(n, BYTES + n);
        ck_assert_uint_eq(in.bytes.len, bytes.len);
        ck_assert_mem_eq(in.bytes.data, bytes.data, bytes.len);
        for (int i = 0; i < 8; i++)
            ck_assert_int_eq(batch_write(b.batch, &out), 0);
        ck_assert_int_eq(batch_flush(b.batch), 0);
        for (int i = 0; i < 8; i++)
            ck_assert_int_eq(read(b.kernel, memory, sizeof memory), 640);
    }
    end(&b);
}
END_TEST

enum { RACES = 1000, RACE_PACKETS = 100, RACE_BYTES = 600 };

/* How many races each side has come to; both stay awake, or they would take turns. */
struct race {
    atomic_uint started, done;
};

static void wait_until(atomic_uint *count, unsigned wanted)
{
    while (atomic_load(count) < wanted)
        sched_yield();
}

/* The kernel's side as a process of its own: in each race it writes some packets, lets the reader
 * go, and writes the others while that one reads. */
static void run_writer(const struct bench *b, struct race *race)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails does not wait for it */
    for (uint32_t n = 0; n < RACES * RACE_PACKETS; n++) {
        unsigned number = n / RACE_PACKETS + 1, place = n % RACE_PACKETS;
        if (place == 0)
            wait_until(&race->done, number - 1);
        if (place == 33 + number % 32)
            atomic_store(&race->started, number);
        for (unsigned i = 0; place > 40 && i < number % 8; i++)
            sched_yield();
        while (write(b->kernel, packet(n, RACE_BYTES).data, RACE_BYTES) != RACE_BYTES)
            sched_yield(); /* no room */
    }
    _exit(EXIT_SUCCESS);
}

/* Of the reads that are asked for at once the first may find nothing, and the next something. */
START_TEST(none_is_lost_that_comes_between_two_reads)
{
    struct bench b = make(0);
    struct race *race =
        mmap(NULL, sizeof *race, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct packet_in in;
    int status;

    ck_assert_ptr_ne(race, MAP_FAILED);
    open_batch(&b, _i);
    pid_t writer = fork();
    ck_assert_int_ge(writer, 0);
    if (writer == 0)
        run_writer(&b, race);
    for (unsigned number = 1; number <= RACES; number++) {
        wait_until(&race->started, number);
        while (b.read < number * RACE_PACKETS) {
            int result = batch_read(b.batch, &in);
            ck_assert_int_ge(result, 0);
            if (result > 0)
                ck_assert_mem_eq(in.bytes.data, &b.read, sizeof b.read);
            b.read += (uint32_t)result;
        }
        atomic_store(&race->done, number);
    }
    ck_assert_int_eq(waitpid(writer, &status, 0), writer);
    ck_assert_int_eq(status, 0);
    munmap(race, sizeof *race);
    end(&b);
}
END_TEST

START_TEST(header_stands_before_each_packet)
{
    struct bench b = make(TUN_OFFLOAD_CHECKSUM);
    struct packet_out out = {.header_bytes = 40};
    struct packet_in in;

    open_batch(&b, _i);
    for (int round = 0; round < 3; round++) {
        for (unsigned n = 0; n < 20; n++)
            ck_assert_int_eq(batch_write(b.batch, &out), 0);
        ck_assert_int_eq(batch_flush(b.batch), 0);
        for (unsigned n = 0; n < 20; n++) {
            ck_assert_int_eq(read(b.kernel, memory, sizeof memory), 50);
            ck_assert_int_eq(write(b.kernel, memory, 50), 50);
        }
        for (unsigned n = 0; n < 20; n++) {
            ck_assert_int_eq(batch_read(b.batch, &in), 1);
            ck_assert_uint_eq(in.bytes.len, 40);
            ck_assert_int_eq(in.drop, DROP_NOT);
        }
        ck_assert_int_eq(batch_read(b.batch, &in), 0);
    }
    end(&b);
}
END_TEST

START_TEST(device_that_goes_is_said)
{
    struct bench b = make(0);
    struct packet_out out = {.header_bytes = 40};

    signal(SIGPIPE, SIG_IGN);
    open_batch(&b, _i);
    close(b.kernel);
    int result = 0;
    for (unsigned n = 0; n < 10 && result == 0; n++)
        result = batch_write(b.batch, &out);
    ck_assert_int_eq(result == 0 ? batch_flush(b.batch) : result, -1);
    end(&b);
}
END_TEST

START_TEST(ring_does_reads_and_writes_in_their_order)
{
    struct bench b = make(0);
    struct uring *uring = uring_open(b.tun.fd);
    int32_t result[URING_ENTRIES];
    static uint8_t slot[URING_ENTRIES][16];

    if (uring == NULL) { /* this kernel has none: batch.c does without */
        end(&b);
        return;
    }
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < URING_ENTRIES; i++)
            uring_add_write(uring, (const uint8_t *)"0123456789", i % 10 + 1);
        ck_assert(uring_run(uring, result));
        for (unsigned i = 0; i < URING_ENTRIES; i++) {
            ck_assert_int_eq(result[i], (int)(i % 10 + 1));
            ck_assert_int_eq(read(b.kernel, slot[0], 16), (ssize_t)(i % 10 + 1));
        }
        for (unsigned i = 0; i < 3; i++)
            ck_assert_int_eq(write(b.kernel, &"abc"[i], 1), 1);
        for (unsigned i = 0; i < URING_ENTRIES; i++)
            uring_add_read(uring, slot[i], sizeof slot[i]);
        ck_assert(uring_run(uring, result));
        for (unsigned i = 0; i < URING_ENTRIES; i++)
            ck_assert_int_eq(result[i], i < 3 ? 1 : -EAGAIN);
        ck_assert(slot[0][0] == 'a' && slot[1][0] == 'b' && slot[2][0] == 'c');
    }
    uring_close(uring);
    end(&b);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, packets_out_keep_their_order, 0, WAYS);
    tcase_add_loop_test(tc, packets_in_keep_their_order, 0, WAYS);
    tcase_add_loop_test(tc, packets_pass_both_ways_at_once, 0, WAYS);
    tcase_add_loop_test(tc, none_is_lost_that_comes_between_two_reads, 0, WAYS);
    tcase_add_loop_test(tc, header_stands_before_each_packet, 0, WAYS);
    tcase_add_loop_test(tc, device_that_goes_is_said, 0, WAYS);
    tcase_add_test(tc, ring_does_reads_and_writes_in_their_order);
}

int main(void)
{
    return unit_main("batch", tests);
}
