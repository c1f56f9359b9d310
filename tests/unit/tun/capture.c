/* The capture file: read back block by block. That Wireshark agrees is tested in tests/e2e. */
#include "../unit.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../../../stack/tcp/tcp.h"
#include "../../../tun/capture.h"
#include "../view/packets.h"

enum { FILE_MAX_BYTES = 65536 };

static char path[64];
static struct capture *capture;
static uint8_t file[FILE_MAX_BYTES];
static size_t file_bytes;

static void start(void)
{
    char error[200];

    snprintf(path, sizeof path, "/tmp/capture-test-%ld", (long)getpid());
    capture = capture_open(path, "tun0", "a test", 1700000000000000, error, sizeof error);
    ck_assert_ptr_nonnull(capture);
}

static void finish(void)
{
    ck_assert_int_eq(capture_close(capture), 0);
    FILE *in = fopen(path, "rb");
    ck_assert_ptr_nonnull(in);
    file_bytes = fread(file, 1, sizeof file, in);
    fclose(in);
    remove(path);
}

static void packet_in(const struct packet *p, uint64_t time_us)
{
    struct packet_in in = {.bytes = packet_bytes(p)};
    struct trace_event event = {.kind = TRACE_PACKET_IN, .time_us = time_us, .u.packet_in = &in};

    capture_event(capture, &event);
}

static void packet_out(const struct packet *p, uint32_t segment_bytes, const char *cause)
{
    struct packet_out out = {.header_bytes = p->header_bytes, .segment_bytes = segment_bytes};
    struct trace_event event = {
        .kind = TRACE_PACKET_OUT, .origin = ORIGIN_OUTPUT, .cause = cause, .u.packet_out = &out};

    memcpy(out.header, p->memory, p->header_bytes);
    out.payload[0] = (struct bytes){p->memory + p->header_bytes, p->len - p->header_bytes};
    capture_event(capture, &event);
}

/* The n-th block of this type (from 0); its length and its closing length agree. */
static struct bytes block(uint32_t type, unsigned n)
{
    struct reader r = reader_of((struct bytes){file, file_bytes});

    while (r.left > 0) {
        struct bytes rest = {r.at, r.left};
        uint32_t found = read_u32(&r);
        uint32_t len = read_u32(&r);
        read_bytes(&r, len - 12);
        ck_assert_uint_eq(read_u32(&r), len);
        ck_assert(!r.overrun);
        if (found == type && n-- == 0)
            return bytes_first(rest, len);
    }
    return (struct bytes){0};
}

static bool contains(struct bytes block, const char *text)
{
    return block.len > 0 && memmem(block.data, block.len, text, strlen(text)) != NULL;
}

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, NAMES = 4, STATISTICS = 5, PACKET = 6 };

START_TEST(file_has_section_interface_and_statistics)
{
    start();
    finish();
    ck_assert(contains(block(SECTION, 0), "tuntcp"));
    ck_assert(contains(block(INTERFACE, 0), "tun0"));
    ck_assert_uint_gt(block(STATISTICS, 0).len, 0);
}
END_TEST

START_TEST(packet_carries_its_time_in_nanoseconds_since_1970)
{
    struct packet p = segment(true, 80, TCP_SYN, 0, 0, 500, "", NULL);

    start();
    packet_in(&p, 5);
    finish();
    struct reader r = reader_of(bytes_skip(block(PACKET, 0), 12));
    uint64_t high = read_u32(&r);
    ck_assert_uint_eq(high << 32 | read_u32(&r), 1700000000000005000);
    ck_assert_uint_eq(read_u32(&r), p.len);
    ck_assert_uint_eq(read_u32(&r), p.len);
    ck_assert_mem_eq(r.at, p.memory, p.len);
}
END_TEST

START_TEST(what_a_packet_in_causes_becomes_its_comment)
{
    struct packet p = segment(false, 80, TCP_SYN | TCP_ACK, 0, 1, 500, "", NULL);
    struct trace_event state = {.kind = TRACE_STATE,
                                .origin = ORIGIN_PACKET_IN,
                                .cause = "SYN,ACK acceptable",
                                .u.state = {TCPS_SYN_SENT, TCPS_ESTABLISHED}};

    start();
    packet_in(&p, 0);
    capture_event(capture, &state);
    packet_out(&p, 0, "acknowledges the SYN");
    finish();
    ck_assert(contains(block(PACKET, 0), "SYN-SENT -> ESTABLISHED: SYN,ACK acceptable"));
    ck_assert(!contains(block(PACKET, 1), "SYN-SENT"));
    ck_assert(contains(block(PACKET, 1), "acknowledges the SYN"));
}
END_TEST

START_TEST(what_a_timer_does_is_told_with_the_next_packet_out)
{
    struct packet p = segment(true, 80, TCP_ACK, 1, 1, 500, "abc", NULL);
    struct trace_event fired = {.kind = TRACE_STATE,
                                .origin = ORIGIN_TIMER,
                                .cause = "the timer",
                                .u.state = {TCPS_SYN_SENT, TCPS_CLOSED}};

    start();
    packet_in(&p, 0);
    capture_event(capture, &fired);
    packet_in(&p, 1);
    packet_out(&p, 0, NULL);
    finish();
    ck_assert(!contains(block(PACKET, 0), "the timer"));
    ck_assert(!contains(block(PACKET, 1), "the timer"));
    ck_assert(contains(block(PACKET, 2), "the timer"));
}
END_TEST

START_TEST(merged_packet_is_written_as_its_segments)
{
    struct packet p = segment(true, 80, TCP_ACK, 1, 1, 500, "0123456789", NULL);

    start();
    packet_out(&p, 4, "data");
    finish();
    ck_assert(contains(block(PACKET, 0), "data"));
    ck_assert(contains(block(PACKET, 2), "89"));
    ck_assert_uint_eq(block(PACKET, 3).len, 0);
}
END_TEST

START_TEST(name_is_written_once)
{
    struct ip_addr address = end_address(false);

    start();
    capture_name(capture, &address, "google.com");
    capture_name(capture, &address, "google.com");
    finish();
    ck_assert(contains(block(NAMES, 0), "google.com"));
    ck_assert_uint_eq(block(NAMES, 1).len, 0);
}
END_TEST

START_TEST(comments_without_a_packet_do_not_pile_up)
{
    struct packet p = segment(true, 80, TCP_ACK, 1, 1, 500, "abc", NULL);
    struct trace_event state = {.kind = TRACE_STATE, .origin = ORIGIN_TIMER, .cause = "again"};

    start();
    for (unsigned i = 0; i < 10000; i++)
        capture_event(capture, &state);
    packet_out(&p, 0, NULL);
    finish();
    ck_assert_uint_lt(block(PACKET, 0).len, 16 * 512 + 256);
    ck_assert(contains(block(PACKET, 0), "again"));
}
END_TEST

START_TEST(packet_of_the_longest_kind_fits)
{
    static uint8_t bytes[IPV4_PACKET_MAX_BYTES];
    struct packet_in in = {.bytes = {bytes, sizeof bytes}};
    struct trace_event event = {.kind = TRACE_PACKET_IN, .u.packet_in = &in};

    start();
    capture_event(capture, &event);
    ck_assert_int_eq(capture_close(capture), 0);
    FILE *written = fopen(path, "rb");
    fseek(written, 0, SEEK_END);
    ck_assert_int_gt(ftell(written), IPV4_PACKET_MAX_BYTES);
    fclose(written);
    remove(path);
}
END_TEST

START_TEST(full_disk_is_reported_by_close)
{
    char error[200];
    struct packet p = segment(true, 80, TCP_ACK, 1, 1, 500, "abc", NULL);

    capture = capture_open("/dev/full", "tun0", "a test", 0, error, sizeof error);
    ck_assert_ptr_nonnull(capture);
    packet_in(&p, 0);
    capture_flush(capture);
    ck_assert_int_eq(capture_close(capture), -1);
    ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

START_TEST(file_that_cannot_be_made_is_named)
{
    char error[200] = "";

    ck_assert_ptr_null(capture_open("/nowhere/x.pcapng", "tun0", "", 0, error, sizeof error));
    ck_assert_ptr_nonnull(strstr(error, "/nowhere/x.pcapng"));
    ck_assert_int_eq(capture_close(NULL), 0);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, file_has_section_interface_and_statistics);
    tcase_add_test(tc, packet_carries_its_time_in_nanoseconds_since_1970);
    tcase_add_test(tc, what_a_packet_in_causes_becomes_its_comment);
    tcase_add_test(tc, what_a_timer_does_is_told_with_the_next_packet_out);
    tcase_add_test(tc, merged_packet_is_written_as_its_segments);
    tcase_add_test(tc, name_is_written_once);
    tcase_add_test(tc, comments_without_a_packet_do_not_pile_up);
    tcase_add_test(tc, packet_of_the_longest_kind_fits);
    tcase_add_test(tc, full_disk_is_reported_by_close);
    tcase_add_test(tc, file_that_cannot_be_made_is_named);
}

int main(void)
{
    return unit_main("capture", tests);
}
