/* What an application tells its user on stderr, and how it ends: messages, colour, exit codes. */
#ifndef TUNTCP_SAY_H
#define TUNTCP_SAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TUNTCP_VERSION "0.1"

enum exit_code {
    RUNNING = -1, /* not the end yet */
    EXIT_OK = 0,
    EXIT_NETWORK = 1,      /* refused, reset, timed out, no such name */
    EXIT_USAGE = 2,        /* an argument makes no sense */
    EXIT_ENVIRONMENT = 3,  /* no device, no permission, a file that cannot be written */
    EXIT_INTERRUPTED = 130 /* as shells count it: 128 + SIGINT */
};

enum color_mode { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct say {
    const char *program;
    int verbosity; /* how many -v */
    bool color;
};

/* Colour on `stream`? With COLOR_AUTO when it is a terminal and NO_COLOR is not set
 * (https://no-color.org). */
bool say_wants_color(enum color_mode mode, FILE *stream);

/* One line each, whatever the arguments hold: control characters become '?', and what is too long
 * is cut. An error is said always, with the program's name before it; a hint (what to do about it)
 * always; a note from -v on. */
void say_error(const struct say *say, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void say_hint(const struct say *say, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say_note(const struct say *say, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "3 s", "0.5 s", "250 ms": a duration for people. Returns `text`. */
const char *say_duration(uint64_t us, char *text, size_t room);

#endif
