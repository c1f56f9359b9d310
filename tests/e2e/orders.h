/* What kernel_end.c and our_end.c share: both are one end of a TCP connection that does what it is
 * told. An order is a line on stdin, and is answered by a line on stdout when it has been carried
 * out, so that a test can say in which sequence things happen at both ends, and no sleep is needed.
 *
 * The bytes of a stream are a function of their place in it and of who sends them: whoever reads
 * compares each one.
 *
 *   listen PORT            listens
 *   accept                 accepted
 *   connect PORT [FROM]    our own port is FROM
 *   write N                wrote N        all of it handed over
 *   urgent N               urgent N       as urgent data, which ends behind the last of them
 *   read N                 read N         exactly so many, each of them right
 *   read-end               end            nothing before it
 *   shutdown               shut down      the half-close
 *   close                  closed         with what is unread
 *   quit                   process ends with status 0
 *
 * What goes wrong is answered by "error NAME", "end after N" or "byte N is wrong". */
#ifndef TUNTCP_TESTS_E2E_ORDERS_H
#define TUNTCP_TESTS_E2E_ORDERS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ORDERS_BYTES = 4096, ORDER_WORD_BYTES = 16, ORDER_NUMBERS = 2 };
enum { FROM_KERNEL = 'k', FROM_US = 'u' };

struct orders {
    char text[ORDERS_BYTES];
    size_t len;
};

struct order {
    char word[ORDER_WORD_BYTES];
    char name[ORDER_WORD_BYTES]; /* the second word as it stands */
    unsigned long number[ORDER_NUMBERS];
};

/* Wait for more text. False at the end of stdin. */
static inline bool orders_read(struct orders *orders)
{
    ssize_t got = read(STDIN_FILENO, orders->text + orders->len, ORDERS_BYTES - orders->len);

    if (got <= 0)
        return false;
    orders->len += (size_t)got;
    return true;
}

/* The next whole line, or false. */
static inline bool orders_take(struct orders *orders, struct order *order)
{
    char *end = memchr(orders->text, '\n', orders->len);

    if (end == NULL)
        return false;
    *end = '\0';
    *order = (struct order){0};
    sscanf(orders->text, "%15s %lu %lu", order->word, &order->number[0], &order->number[1]);
    sscanf(orders->text, "%*s %15s %lu", order->name, &order->number[1]);
    orders->len -= (size_t)(end + 1 - orders->text);
    memmove(orders->text, end + 1, orders->len);
    return true;
}

__attribute__((format(printf, 1, 2))) static inline void answer(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
}

/* 1021 is prime: no segment, buffer or window ends where the pattern does. */
static inline uint8_t stream_byte(char sender, uint64_t offset)
{
    return (uint8_t)(offset % 1021 * 31 + (offset >> 16) + (uint8_t)sender);
}

static inline void stream_fill(char sender, uint64_t offset, uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        data[i] = stream_byte(sender, offset + i);
}

/* The index of the first byte that is wrong, or len. */
static inline size_t stream_check(char sender, uint64_t offset, const uint8_t *data, size_t len)
{
    size_t i = 0;

    while (i < len && data[i] == stream_byte(sender, offset + i))
        i++;
    return i;
}

#endif
