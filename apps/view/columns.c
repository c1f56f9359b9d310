/* The text of the Info column: it grows at its end, or at its beginning, and what does not fit is
 * left out. Packets write into it, so bytes of the network pass through info_add_bytes(), which
 * lets nothing through that a terminal would obey: control characters (C0, DEL, C1) and bytes that
 * are not UTF-8 are escaped as \ooo, as Wireshark does. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dissector.h"

static size_t character_bytes(struct bytes text);

void info_add(struct dissection *row, const char *form, ...)
{
    size_t len = strlen(row->info);
    va_list arguments;

    va_start(arguments, form);
    vsnprintf(row->info + len, sizeof row->info - len, form, arguments);
    va_end(arguments);
}

void info_prepend(struct dissection *row, const char *form, ...)
{
    char before[256];
    va_list arguments;

    va_start(arguments, form);
    vsnprintf(before, sizeof before, form, arguments);
    va_end(arguments);

    size_t shift = strlen(before);
    size_t len = strlen(row->info);
    if (len + shift >= sizeof row->info)
        len = sizeof row->info - 1 - shift;
    memmove(row->info + shift, row->info, len);
    memcpy(row->info, before, shift);
    row->info[shift + len] = '\0';
}

void info_clear(struct dissection *row)
{
    row->info[0] = '\0';
}

void info_add_bytes(struct dissection *row, struct bytes text)
{
    while (text.len > 0) {
        size_t count = character_bytes(text);

        if (count > 0)
            info_add(row, "%.*s", (int)count, (const char *)text.data);
        else
            info_add(row, "\\%03o", text.data[0]);
        text = bytes_skip(text, count > 0 ? count : 1);
    }
}

/* How many bytes the printable character takes that `text` begins with; 0 if it begins with none.
 * UTF-8, RFC 3629: overlong forms and surrogates only waste room here, so they are let through. */
static size_t character_bytes(struct bytes text)
{
    uint8_t first = text.data[0];
    size_t count = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (first < 0x20 || first == 0x7f || first > 0xf4 || count > text.len)
        return 0;
    for (size_t i = 1; i < count; i++)
        if ((text.data[i] & 0xc0) != 0x80)
            return 0;
    return first == 0xc2 && text.data[1] < 0xa0 ? 0 : count;
}
