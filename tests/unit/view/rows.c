/* The rows on the terminal: their form, and what stands between them. */
#include "../unit.h"

#include <stdio.h>

#include "../../../apps/view/rows.h"
#include "../../../stack/tcp/tcp.h"
#include "packets.h"

static char *text;
static size_t text_bytes;
static FILE *out;
static struct rows *rows;

static void start(int verbosity, bool color)
{
    out = open_memstream(&text, &text_bytes);
    ck_assert_ptr_nonnull(out);
    rows = rows_new(out, verbosity, color);
    ck_assert_ptr_nonnull(rows);
}

/* Everything printed so far. */
static const char *printed(void)
{
    fflush(out);
    return text;
}

static void stop(void)
{
    rows_free(rows);
    fclose(out);
    free(text);
}

static void packet_in(const struct packet *p, uint64_t time_us)
{
    struct packet_in in = {.bytes = packet_bytes(p)};
    struct trace_event event = {.kind = TRACE_PACKET_IN, .time_us = time_us, .u.packet_in = &in};

    rows_event(rows, &event);
}

static void packet_out(const struct packet *p, uint32_t segment_bytes, const char *cause)
{
    static struct packet_out packet;
    struct trace_event event = {
        .kind = TRACE_PACKET_OUT, .origin = ORIGIN_OUTPUT, .cause = cause, .u.packet_out = &packet};

    packet = (struct packet_out){.header_bytes = p->header_bytes, .segment_bytes = segment_bytes};
    memcpy(packet.header, p->memory, p->header_bytes);
    size_t half = (p->len - p->header_bytes) / 2;
    packet.payload[0] = (struct bytes){p->memory + p->header_bytes, half};
    packet.payload[1] =
        (struct bytes){p->memory + p->header_bytes + half, p->len - p->header_bytes - half};
    rows_event(rows, &event);
}

START_TEST(row_has_the_form_of_the_plain_text_export)
{
    struct packet syn = segment(true, 80, TCP_SYN, 0, 0, 65535, "", NULL);
    struct packet answer = segment(false, 80, TCP_SYN | TCP_ACK, 0, 1, 65535, "", NULL);

    start(1, false);
    packet_in(&syn, 5000000);
    packet_in(&answer, 6070001);
    ck_assert_str_eq(
        printed(),
        "No.     Time           Source                Destination           Protocol Length Info\n"
        "      1 0.000000       10.0.0.2              142.250.196.142       TCP      40     "
        "53747 → 80 [SYN] Seq=0 Win=65535 Len=0\n"
        "      2 1.070001       142.250.196.142       10.0.0.2              TCP      40     "
        "80 → 53747 [SYN, ACK] Seq=0 Ack=1 Win=65535 Len=0\n");
    stop();
}
END_TEST

START_TEST(state_change_follows_the_packet_that_caused_it)
{
    struct packet answer = segment(false, 80, TCP_SYN | TCP_ACK, 0, 1, 65535, "", NULL);
    struct trace_event state = {.kind = TRACE_STATE,
                                .origin = ORIGIN_PACKET_IN,
                                .cause = "SYN,ACK acceptable",
                                .clause = "9293 3.10.7.3",
                                .u.state = {TCPS_SYN_SENT, TCPS_ESTABLISHED}};

    start(1, false);
    packet_in(&answer, 0);
    rows_event(rows, &state);
    ck_assert_ptr_nonnull(strstr(printed(), "Len=0\n                       · SYN-SENT -> "
                                            "ESTABLISHED: SYN,ACK acceptable (9293 3.10.7.3)\n"));
    stop();
}
END_TEST

START_TEST(reason_of_a_retransmission_follows_its_row)
{
    struct packet data = segment(true, 9999, TCP_ACK, 1, 1, 65535, "data", NULL);
    struct trace_event again = {
        .kind = TRACE_RETRANSMIT, .origin = ORIGIN_OUTPUT, .cause = "RTO", .u.range = {1, 5, 2}};

    start(1, false);
    rows_event(rows, &again);
    packet_out(&data, 0, "RTO");
    ck_assert_ptr_nonnull(strstr(
        printed(), "Len=4\n                       · retransmission 1 of bytes 1 to 4: RTO\n"));
    stop();
}
END_TEST

START_TEST(why_a_packet_is_sent_is_told_at_verbosity_2_only)
{
    struct packet data = segment(true, 80, TCP_ACK, 1, 1, 65535, "data", NULL);

    start(1, false);
    packet_out(&data, 0, "data from the application");
    ck_assert_ptr_null(strstr(printed(), "data from the application"));
    stop();
    start(2, false);
    packet_out(&data, 0, "data from the application");
    ck_assert_ptr_nonnull(strstr(printed(), "· data from the application\n"));
    stop();
}
END_TEST

START_TEST(merged_packet_is_shown_as_the_segments_it_becomes)
{
    struct packet data = segment(true, 9999, TCP_ACK | TCP_PSH, 1, 1, 65535, "0123456789", NULL);

    start(1, false);
    packet_out(&data, 4, NULL);
    ck_assert_ptr_nonnull(
        strstr(printed(), "44     53747 → 9999 [ACK] Seq=1 Ack=1 Win=65535 Len=4\n"));
    ck_assert_ptr_nonnull(
        strstr(printed(), "44     53747 → 9999 [ACK] Seq=5 Ack=1 Win=65535 Len=4\n"));
    ck_assert_ptr_nonnull(
        strstr(printed(), "42     53747 → 9999 [PSH, ACK] Seq=9 Ack=1 Win=65535 Len=2\n"));
    stop();
}
END_TEST

START_TEST(colors_are_those_of_the_default_rules)
{
    struct packet rst = segment(true, 9999, TCP_RST, 1, 0, 0, "", NULL);

    start(1, true);
    packet_in(&rst, 0);
    ck_assert_ptr_nonnull(strstr(printed(), "\x1b[38;2;255;252;156m\x1b[48;2;164;0;0m      1 "));
    stop();
    start(1, false);
    packet_in(&rst, 0);
    ck_assert_ptr_null(strchr(printed(), '\x1b'));
    stop();
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, row_has_the_form_of_the_plain_text_export);
    tcase_add_test(tc, state_change_follows_the_packet_that_caused_it);
    tcase_add_test(tc, reason_of_a_retransmission_follows_its_row);
    tcase_add_test(tc, why_a_packet_is_sent_is_told_at_verbosity_2_only);
    tcase_add_test(tc, merged_packet_is_shown_as_the_segments_it_becomes);
    tcase_add_test(tc, colors_are_those_of_the_default_rules);
}

int main(void)
{
    return unit_main("rows", tests);
}
