/* Rows of a walk, see rows.h. */
#include "rows.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static struct row *next_row(struct rows *rows, uint64_t time_us)
{
    struct row *row = &rows->row[rows->count++ % ROWS_MAX];

    row->time_us = time_us;
    return row;
}

void rows_segment(struct rows *rows, uint64_t time_us, char direction,
                  const struct tcp_segment *seg, struct rows_base base)
{
    struct row *row = next_row(rows, time_us);

    row->direction = direction;
    row->seg = *seg;
    row->len = seg->payload.len;
    row->base = base;
}

void rows_note(struct rows *rows, uint64_t time_us, const char *format, ...)
{
    struct row *row = next_row(rows, time_us);
    va_list args;

    row->direction = '\0';
    va_start(args, format);
    vsnprintf(row->note, sizeof row->note, format, args);
    va_end(args);
}

/* ---- the notation */

struct text {
    char *at;
    size_t room, len;
};

static void say(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = vsnprintf(text->at + text->len, text->room - text->len, format, args);
    va_end(args);
    text->len += (size_t)len;
    if (text->len >= text->room)
        text->len = text->room - 1;
}

static void say_flags(struct text *text, uint8_t flags)
{
    static const char letters[] = "FSRP.UEW";

    for (unsigned i = 0; i < 8; i++)
        if (flags & 1u << i)
            say(text, "%c", letters[i]);
    if (flags == 0)
        say(text, "0");
}

static void say_options(struct text *text, const struct row *row)
{
    const struct tcp_options *options = &row->seg.options;
    const char *between = " <";

    if (options->has_mss) {
        say(text, "%smss %u", between, options->mss);
        between = ",";
    }
    if (options->has_window_scale) {
        say(text, "%swscale %u", between, options->window_scale);
        between = ",";
    }
    if (options->sack_permitted) {
        say(text, "%ssackOK", between);
        between = ",";
    }
    if (options->has_timestamps) {
        say(text, "%sTS val %u ecr %u", between, options->tsval, options->tsecr);
        between = ",";
    }
    for (unsigned i = 0; i < options->sack_count; i++) {
        say(text, "%s%d:%d", i == 0 ? between[0] == ',' ? ",sack " : " <sack " : " ",
            (int32_t)(options->sack[i].left - row->base.ack),
            (int32_t)(options->sack[i].right - row->base.ack));
        between = ",";
    }
    if (between[0] == ',')
        say(text, ">");
}

static void say_row(struct text *text, const struct row *row)
{
    const struct tcp_segment *seg = &row->seg;
    int32_t start = (int32_t)(seg->seq - row->base.seq);

    say(text, "%4" PRIu64 ".%06" PRIu64 " ", row->time_us / 1000000, row->time_us % 1000000);
    if (row->direction == '\0') {
        say(text, "%s\n", row->note);
        return;
    }
    say(text, row->direction == '!' ? "lie checksum " : "%c ", row->direction);
    say_flags(text, seg->flags);
    say(text, " %d:%d(%zu)", start, start + (int32_t)row->len, row->len);
    if (seg->flags & TCP_ACK)
        say(text, " ack %d", (int32_t)(seg->ack - row->base.ack));
    say(text, " win %u", seg->wnd);
    if (seg->flags & TCP_URG)
        say(text, " urg %u", seg->urgent);
    say_options(text, row);
    say(text, "\n");
}

size_t rows_print(const struct rows *rows, char *text, size_t room)
{
    struct text all = {text, room, 0};
    unsigned first = rows->count > ROWS_MAX ? rows->count - ROWS_MAX : 0;

    for (unsigned i = first; i < rows->count; i++)
        say_row(&all, &rows->row[i % ROWS_MAX]);
    return all.len;
}
