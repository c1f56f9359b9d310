/* The trace as rows, in the form of Wireshark's plain-text export, and between them, indented
 * behind a dot, what an observer cannot know: state changes, drops, why something is sent again.
 *
 * A packet in comes before its consequences, so they follow its row by themselves. What the stack
 * says while it makes a packet out (ORIGIN_OUTPUT) comes before that packet: those lines wait in
 * `waiting` and follow its row too. Where Wireshark guesses wrongly ("Out-Of-Order" for what we
 * retransmitted after a time-out) both stand there, its guess in the row and our reason below.
 *
 * Each row is written at once, so that rows of two processes on one terminal do not mix. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "../../tun/explain.h"
#include "../../tun/segments.h"

enum { WAITING_BYTES = 4 * EXPLAIN_BYTES, LINE_BYTES = ROWS_INFO_BYTES + 256 };

struct rows {
    FILE *out;
    int verbosity;
    bool color;
    bool has_first;
    uint64_t first_us;
    struct dissector *dissector;
    struct dissection row;
    char waiting[WAITING_BYTES]; /* lines, each with its newline */
    bool waiting_says_cause;     /* one of them tells of a retransmission, and why */
    char line[LINE_BYTES];
    uint8_t segment[SEGMENT_MAX_BYTES];
};

struct colors {
    unsigned text, ground; /* 0xrrggbb */
};

static void packet(struct rows *rows, struct segments *segments, uint64_t time_us);
static void print_row(struct rows *rows, uint64_t time_us);
static void print_out_reason(struct rows *rows, const struct trace_event *event);
static void print_event(struct rows *rows, const struct trace_event *event);
static void print_between(struct rows *rows, const char *text);
static void print_waiting(struct rows *rows);
static struct colors colors_of(enum row_style style);

struct rows *rows_new(FILE *out, int verbosity, bool color)
{
    struct rows *rows = calloc(1, sizeof *rows);

    if (rows == NULL)
        return NULL;
    rows->out = out;
    rows->verbosity = verbosity;
    rows->color = color;
    rows->dissector = dissector_new();
    if (rows->dissector != NULL)
        return rows;
    free(rows);
    return NULL;
}

void rows_free(struct rows *rows)
{
    if (rows == NULL)
        return;
    print_waiting(rows);
    dissector_free(rows->dissector);
    free(rows);
}

void rows_event(void *context, const struct trace_event *event)
{
    struct rows *rows = context;
    struct segments segments;

    switch (event->kind) {
    case TRACE_PACKET_IN:
        print_waiting(rows);
        segments_of_in(&segments, event->u.packet_in);
        packet(rows, &segments, event->time_us);
        return;
    case TRACE_PACKET_OUT:
        segments_of_out(&segments, event->u.packet_out);
        packet(rows, &segments, event->time_us);
        print_out_reason(rows, event);
        return;
    case TRACE_DROP:
    case TRACE_STATE:
    case TRACE_TIMER_ARMED:
    case TRACE_TIMER_FIRED:
    case TRACE_RTT:
    case TRACE_CWND:
    case TRACE_RECOVERY:
    case TRACE_PRR:
    case TRACE_LOST:
    case TRACE_RETRANSMIT:
    case TRACE_DUPLICATE:
    case TRACE_REORDERING:
    case TRACE_RENEGED:
    case TRACE_ECN:
    case TRACE_WINDOW:
    case TRACE_ERROR:
    case TRACE_DNS:
    case TRACE_PATH_MTU:
        print_event(rows, event);
        return;
    case TRACE_COUNT:
        return;
    }
}

/* One row for each ordinary segment of it. */
static void packet(struct rows *rows, struct segments *segments, uint64_t time_us)
{
    size_t len;

    while ((len = segments_next(segments, rows->segment)) > 0) {
        dissect(rows->dissector, (struct bytes){rows->segment, len}, time_us, &rows->row);
        print_row(rows, time_us);
    }
}

static void print_row(struct rows *rows, uint64_t time_us)
{
    const struct dissection *row = &rows->row;
    char time[32];

    if (!rows->has_first) {
        rows->has_first = true;
        rows->first_us = time_us;
        fprintf(rows->out, "%-7s %-14s %-21s %-21s %-8s %-6s %s\n", "No.", "Time", "Source",
                "Destination", "Protocol", "Length", "Info");
    }
    uint64_t since_us = time_us - rows->first_us;
    snprintf(time, sizeof time, "%llu.%06llu", (unsigned long long)(since_us / 1000000),
             (unsigned long long)(since_us % 1000000));
    snprintf(rows->line, sizeof rows->line, "%7llu %-14s %-21s %-21s %-8s %-6zu %s",
             (unsigned long long)row->number, time, row->source, row->destination, row->protocol,
             row->length, row->info);
    if (!rows->color) {
        fprintf(rows->out, "%s\n", rows->line);
        return;
    }
    struct colors c = colors_of(row->style);
    fprintf(rows->out, "\x1b[38;2;%u;%u;%um\x1b[48;2;%u;%u;%um%s\x1b[0m\n", c.text >> 16,
            c.text >> 8 & 0xff, c.text & 0xff, c.ground >> 16, c.ground >> 8 & 0xff,
            c.ground & 0xff, rows->line);
}

/* Below a packet out: what waited for it, or its cause and how the connection stands. */
static void print_out_reason(struct rows *rows, const struct trace_event *event)
{
    char reason[EXPLAIN_BYTES];
    char status[128];
    char text[EXPLAIN_BYTES + 144];
    bool is_explained = rows->waiting_says_cause;

    print_waiting(rows);
    if (is_explained || rows->verbosity < 2)
        return;
    explain_event(event, reason, sizeof reason);
    explain_status(event->tcb, status, sizeof status);
    if (reason[0] == '\0' && status[0] == '\0')
        return;
    snprintf(text, sizeof text, "%s%s%s", reason,
             reason[0] != '\0' && status[0] != '\0' ? " | " : "", status);
    print_between(rows, text);
}

static void print_event(struct rows *rows, const struct trace_event *event)
{
    char text[EXPLAIN_BYTES];
    size_t len = strlen(rows->waiting);

    if (explain_level(event) > rows->verbosity)
        return;
    explain_event(event, text, sizeof text);
    if (event->kind == TRACE_RETRANSMIT)
        rows->waiting_says_cause = true;
    if (event->origin != ORIGIN_OUTPUT)
        print_between(rows, text);
    else if (len + strlen(text) + 2 < sizeof rows->waiting)
        snprintf(rows->waiting + len, sizeof rows->waiting - len, "%s\n", text);
}

static void print_between(struct rows *rows, const char *text)
{
    fprintf(rows->out, rows->color ? "\x1b[2m%23s· %s\x1b[0m\n" : "%23s· %s\n", "", text);
}

static void print_waiting(struct rows *rows)
{
    char *line = rows->waiting;

    while (line[0] != '\0') {
        char *end = strchr(line, '\n');

        *end = '\0';
        print_between(rows, line);
        line = end + 1;
    }
    rows->waiting[0] = '\0';
    rows->waiting_says_cause = false;
}

/* Wireshark's default colouring rules. */
static struct colors colors_of(enum row_style style)
{
    enum { DARK = 0x12272e };

    switch (style) {
    case ROW_PLAIN:
        return (struct colors){DARK, 0xffffff};
    case ROW_BAD_TCP:
        return (struct colors){0xf78787, DARK};
    case ROW_ICMP_ERROR:
        return (struct colors){0xb7f774, DARK};
    case ROW_ICMP:
        return (struct colors){DARK, 0xfce0ff};
    case ROW_TCP_RST:
        return (struct colors){0xfffc9c, 0xa40000};
    case ROW_LOW_TTL:
        return (struct colors){0xecf0eb, 0xa40000};
    case ROW_HTTP:
        return (struct colors){DARK, 0xe4ffc7};
    case ROW_TCP_SYN_FIN:
        return (struct colors){DARK, 0xa0a0a0};
    case ROW_TCP:
        return (struct colors){DARK, 0xe7e6ff};
    case ROW_UDP:
        return (struct colors){DARK, 0xdaeeff};
    }
    return (struct colors){DARK, 0xffffff};
}
