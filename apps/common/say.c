/* Messages for the user. All of them go to stderr: stdout carries the bytes of the connection
 * alone.
 *
 * Arguments and peers can hold anything, so every message passes through one door, put_line(),
 * which makes it a single bounded line without control characters: nothing that is printed can move
 * the cursor, change colours or pretend to be a second message. */
#include "say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_BYTES = 1024 };

#define COLOR_ERROR "\033[1;31m"
#define COLOR_NOTE  "\033[36m"
#define COLOR_END   "\033[0m"

static void put_line(const struct say *say, const char *prefix, const char *color,
                     const char *format, va_list arguments);
static void blank_control_characters(char *text);

bool say_wants_color(enum color_mode mode, FILE *stream)
{
    const char *no_color = getenv("NO_COLOR");

    if (mode != COLOR_AUTO)
        return mode == COLOR_ALWAYS;
    return (no_color == NULL || no_color[0] == '\0') && isatty(fileno(stream));
}

void say_error(const struct say *say, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    put_line(say, say->program, COLOR_ERROR, format, arguments);
    va_end(arguments);
}

void say_hint(const struct say *say, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    put_line(say, NULL, COLOR_NOTE, format, arguments);
    va_end(arguments);
}

void say_note(const struct say *say, const char *format, ...)
{
    va_list arguments;

    if (say->verbosity < 1)
        return;
    va_start(arguments, format);
    put_line(say, NULL, COLOR_NOTE, format, arguments);
    va_end(arguments);
}

const char *say_duration(uint64_t us, char *text, size_t room)
{
    if (us >= 1000000 && us % 1000000 == 0)
        snprintf(text, room, "%" PRIu64 " s", us / 1000000);
    else if (us >= 1000000)
        snprintf(text, room, "%.1f s", (double)us / 1e6);
    else
        snprintf(text, room, "%g ms", (double)us / 1e3);
    return text;
}

static void put_line(const struct say *say, const char *prefix, const char *color,
                     const char *format, va_list arguments)
{
    char line[LINE_BYTES];

    vsnprintf(line, sizeof line, format, arguments);
    blank_control_characters(line);
    fprintf(stderr, "%s%s%s%s%s\n", say->color ? color : "", prefix == NULL ? "" : prefix,
            prefix == NULL ? "" : ": ", line, say->color ? COLOR_END : "");
}

static void blank_control_characters(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}
