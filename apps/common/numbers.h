/* Ports as people write them on a command line; numbers and durations are the stack's own
 * (quantity.h). All pure but for the lookup of service names, and all strict: anything but the
 * documented form is refused. */
#ifndef TUNTCP_NUMBERS_H
#define TUNTCP_NUMBERS_H

#include <stddef.h>

#include "../../stack/quantity.h"

struct port_range {
    uint16_t first;
    uint16_t last; /* inclusive; >= first */
};

/* A port number, 1 to 65535, or the name of a service ("http"). `protocol` is "tcp" or "udp".
 * False with one line in `error` that says what is wrong. */
bool port_parse(const char *text, const char *protocol, uint16_t *port, char *error, size_t room);
/* The same, or a range "20-25". */
bool port_range_parse(const char *text, const char *protocol, struct port_range *range, char *error,
                      size_t room);
/* The name of the service on a port, "*" if it has none, as nc prints it. */
const char *port_service(uint16_t port, const char *protocol);

#endif
