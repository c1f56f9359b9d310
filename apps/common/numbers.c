/* Numbers, durations and ports as people write them.
 *
 * strtol() and its family are not used: they take blanks, signs and trailing rubbish, and a port of
 * "-1" or " 80" is a mistake that wants to be heard about. Service names come from the system
 * (/etc/services), and a few of them from a table here, because a fresh machine may lack the file.
 */
#include "numbers.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

enum { PORT_MAX = 65535 };

struct service {
    const char *name;
    uint16_t port;
};

static const struct service services[] = {
    {"echo", 7},  {"discard", 9}, {"daytime", 13}, {"ftp", 21},  {"ssh", 22},    {"telnet", 23},
    {"smtp", 25}, {"domain", 53}, {"http", 80},    {"ntp", 123}, {"https", 443},
};
enum { SERVICE_COUNT = sizeof services / sizeof services[0] };

static int digit_value(char c);
static bool parse_digits(const char **text, uint64_t max, uint64_t *value);
static bool parse_fraction(const char **text, uint64_t unit_us, uint64_t *us);
static uint64_t unit_us_of(const char *name);
static bool service_port(const char *name, const char *protocol, uint16_t *port);

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

bool port_parse(const char *text, const char *protocol, uint16_t *port, char *error, size_t room)
{
    uint64_t number;

    if (number_parse(text, 1, PORT_MAX, &number)) {
        *port = (uint16_t)number;
        return true;
    }
    if (service_port(text, protocol, port))
        return true;
    if (isdigit((unsigned char)text[0]) || text[0] == '-')
        snprintf(error, room, "port '%s' is not a number from 1 to 65535", text);
    else
        snprintf(error, room, "'%s' is neither a port number nor a known %s service", text,
                 protocol);
    return false;
}

bool port_range_parse(const char *text, const char *protocol, struct port_range *range, char *error,
                      size_t room)
{
    const char *dash = strchr(text, '-');
    char first[8] = "";

    /* Names of services may hold a dash ("http-alt"): only what begins with a digit is a range. */
    if (dash == NULL || !isdigit((unsigned char)text[0])) {
        bool ok = port_parse(text, protocol, &range->first, error, room);
        range->last = range->first;
        return ok;
    }
    if ((size_t)(dash - text) < sizeof first)
        memcpy(first, text, (size_t)(dash - text));
    if (!port_parse(first[0] == '\0' ? text : first, protocol, &range->first, error, room) ||
        !port_parse(dash + 1, protocol, &range->last, error, room))
        return false;
    if (range->first <= range->last)
        return true;
    snprintf(error, room, "port range '%s' runs backwards: write %u-%u", text, range->last,
             range->first);
    return false;
}

const char *port_service(uint16_t port, const char *protocol)
{
    const struct servent *entry = getservbyport(htons(port), protocol);

    if (entry != NULL)
        return entry->s_name;
    for (unsigned i = 0; i < SERVICE_COUNT; i++)
        if (services[i].port == port)
            return services[i].name;
    return "*";
}

static bool service_port(const char *name, const char *protocol, uint16_t *port)
{
    const struct servent *entry = name[0] == '\0' ? NULL : getservbyname(name, protocol);

    if (entry != NULL) {
        *port = ntohs((uint16_t)entry->s_port);
        return *port != 0;
    }
    for (unsigned i = 0; i < SERVICE_COUNT; i++) {
        if (strcmp(services[i].name, name) != 0)
            continue;
        *port = services[i].port;
        return true;
    }
    return false;
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
