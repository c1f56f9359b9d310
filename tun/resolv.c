/* The system's DNS servers, from resolv.conf(5).
 *
 * Only the keyword `nameserver` is looked at; a line counts when its first word is that keyword and
 * its second an IPv4 address. Everything else is skipped: other keywords, comments, IPv6 servers.
 *
 * Loopback servers answer the kernel's own sockets only: a query that leaves a TUN device with a
 * destination of 127.0.0.0/8 is a martian and is dropped (RFC 1122 3.2.1.3 (g)). systemd-resolved
 * is such a server, but it keeps the list of those that it asks itself; that list is taken. With
 * any other loopback server, or without the list, nothing is found, and the user is asked to name
 * one: a public server is never chosen silently, since the names that one looks up are private.
 *
 * Not done: `search`, `options`; names are looked up as they are written. */
#include "resolv.h"

#include <stdio.h>
#include <string.h>

enum {
    LINE_BYTES = 256,
    LINES_MAX = 1000, /* of a file that may be anything */
};

static const char RESOLV_CONF[] = "/etc/resolv.conf";
static const char RESOLVED_UPSTREAM[] = "/run/systemd/resolve/resolv.conf";
static const uint32_t RESOLVED_STUB = 0x7f000035; /* 127.0.0.53 */

/* What one file says. */
struct found {
    struct ip_addr *servers;
    unsigned count, max;
    bool has_resolved_stub;
};

static bool read_file(const char *path, struct found *found);

unsigned resolv_servers(const char *path, struct ip_addr *servers, unsigned max)
{
    return resolv_servers_from(path, RESOLVED_UPSTREAM, servers, max);
}

unsigned resolv_servers_from(const char *path, const char *upstream_path, struct ip_addr *servers,
                             unsigned max)
{
    struct found found = {.servers = servers, .max = max};
    struct found upstream = {.servers = servers, .max = max};

    if (!read_file(path != NULL ? path : RESOLV_CONF, &found))
        return 0;
    if (!found.has_resolved_stub)
        return found.count;
    return read_file(upstream_path, &upstream) ? upstream.count : 0;
}

/* One line to a string without its end; the rest of a line that is too long is skipped. */
static bool read_line(FILE *file, char line[static LINE_BYTES])
{
    if (fgets(line, LINE_BYTES, file) == NULL)
        return false;
    if (strchr(line, '\n') == NULL) {
        for (int c = getc(file); c != EOF && c != '\n';)
            c = getc(file);
    }
    line[strcspn(line, "\r\n")] = '\0';
    return true;
}

/* The next word of *at, ended with a zero in place; NULL at the end of the line. */
static char *take_word(char **at)
{
    static const char blanks[] = " \t";
    char *word = *at + strspn(*at, blanks);
    size_t len = strcspn(word, blanks);

    if (len == 0)
        return NULL;
    *at = word + len;
    if (**at != '\0')
        *(*at)++ = '\0';
    return word;
}

static void read_nameserver(const char *text, struct found *found)
{
    struct ip_addr server;

    if (!ip_addr_parse(text, &server))
        return;
    uint32_t v4 = ip_addr_to_v4(&server);
    if (v4 == RESOLVED_STUB)
        found->has_resolved_stub = true;
    if (v4 >> 24 == 127 || !ip_addr_is_valid_source(&server) || found->count == found->max)
        return;
    found->servers[found->count++] = server;
}

static bool read_file(const char *path, struct found *found)
{
    FILE *file = fopen(path, "re");
    char line[LINE_BYTES];

    if (file == NULL)
        return false;
    for (unsigned i = 0; i < LINES_MAX && read_line(file, line); i++) {
        char *at = line;
        const char *keyword = take_word(&at);
        const char *value = keyword != NULL ? take_word(&at) : NULL;
        if (value != NULL && strcmp(keyword, "nameserver") == 0)
            read_nameserver(value, found);
    }
    fclose(file);
    return true;
}
