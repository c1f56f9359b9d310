/* Ports as people write them. Service names come from the system (/etc/services), and a few of them
 * from a table here, because a fresh machine may lack the file. */
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

static bool service_port(const char *name, const char *protocol, uint16_t *port);

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
