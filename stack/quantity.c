/* Numbers and durations as people write them.
 *
 * strtol() and its family are not used: they take blanks, signs and trailing rubbish, and "-1" or
 * " 80" is a mistake that wants to be heard about. */
#include "quantity.h"

#include <string.h>

static int digit_value(char c);
static bool parse_digits(const char **text, uint64_t max, uint64_t *value);
static bool parse_fraction(const char **text, uint64_t unit_us, uint64_t *us);
static uint64_t unit_us_of(const char *name);

bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    uint64_t base = is_hex ? 16 : 10;
    uint64_t sum = 0;

    text += is_hex ? 2 : 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        int digit = digit_value(*text);
        if (digit < 0 || (uint64_t)digit >= base || sum > (UINT64_MAX - (uint64_t)digit) / base)
            return false;
        sum = sum * base + (uint64_t)digit;
    }
    *value = sum;
    return sum >= min && sum <= max;
}

bool duration_parse(const char *text, uint64_t *us)
{
    const char *unit = text + strspn(text, "0123456789.");
    uint64_t unit_us = unit_us_of(unit);
    uint64_t whole = 0;

    if (unit_us == 0 || !parse_digits(&text, DURATION_MAX_US / unit_us, &whole))
        return false;
    *us = whole * unit_us;
    if (*text == '.' && !parse_fraction(&text, unit_us, us))
        return false;
    return text == unit && *us <= DURATION_MAX_US;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The digits at *text, at least one, as a number of at most `max`; *text moves behind them. */
static bool parse_digits(const char **text, uint64_t max, uint64_t *value)
{
    const char *start = *text;

    *value = 0;
    for (; **text >= '0' && **text <= '9'; (*text)++) {
        uint64_t digit = (uint64_t)(**text - '0');
        if (digit > max || *value > (max - digit) / 10)
            return false;
        *value = *value * 10 + digit;
    }
    return *text > start;
}

/* ".5": adds the part of a unit; digits that are worth less than a microsecond count nothing. */
static bool parse_fraction(const char **text, uint64_t unit_us, uint64_t *us)
{
    const char *start = ++*text;

    for (; **text >= '0' && **text <= '9'; (*text)++) {
        unit_us /= 10;
        *us += unit_us * (uint64_t)(**text - '0');
    }
    return *text > start;
}

static uint64_t unit_us_of(const char *name)
{
    static const struct {
        const char *name;
        uint64_t us;
    } units[] = {{"", 1000000},   {"s", 1000000},    {"us", 1},        {"ms", 1000},
                 {"m", 60000000}, {"h", 3600000000}, {"min", 60000000}};

    for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(units[i].name, name) == 0)
            return units[i].us;
    return 0;
}
