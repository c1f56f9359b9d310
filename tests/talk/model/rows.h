/* The last rows of a walk in the notation of the talks. They are kept as they are and formatted
 * only when somebody wants to read them: a walk has millions. */
#ifndef TUNTCP_TESTS_TALK_ROWS_H
#define TUNTCP_TESTS_TALK_ROWS_H

#include "../../../stack/wire/tcp_segment.h"

enum { ROWS_MAX = 24, ROW_NOTE_BYTES = 100 };

/* What sequence and acknowledgment numbers are relative to. */
struct rows_base {
    uint32_t seq, ack;
};

struct row {
    uint64_t time_us;
    char direction; /* '<' '>', '!' damaged, 0: a note */
    struct tcp_segment seg;
    size_t len;
    struct rows_base base;
    char note[ROW_NOTE_BYTES];
};

struct rows {
    struct row row[ROWS_MAX];
    unsigned count;
};

void rows_segment(struct rows *rows, uint64_t time_us, char direction,
                  const struct tcp_segment *seg, struct rows_base base);
void rows_note(struct rows *rows, uint64_t time_us, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Returns how many characters were written. */
size_t rows_print(const struct rows *rows, char *text, size_t room);

#endif
