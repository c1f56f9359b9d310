/* The command line of tnc. */
#ifndef TUNTCP_TNC_OPTIONS_H
#define TUNTCP_TNC_OPTIONS_H

#include "host_options.h"
#include "numbers.h"

enum { TNC_RANGES_MAX = 32 };

struct tnc_options {
    struct host_options common;
    bool listens;      /* -l */
    bool udp;          /* -u */
    bool scans;        /* -z */
    bool keeps_open;   /* -k */
    bool no_names;     /* -n */
    bool sends_crlf;   /* -C */
    bool leaves_stdin; /* -d, --get, -z */
    bool ipv6;         /* -6: refused */
    bool accepted;     /* -4, -N: what we do anyway */
    const char *host;  /* NULL with -l: on all our addresses */
    struct port_range range[TNC_RANGES_MAX];
    unsigned range_count;
    const char *port_text;  /* -p */
    uint16_t local_port;    /* 0: the stack chooses; with -l: the port */
    const char *local_text; /* -s */
    bool has_local_address;
    struct ip_addr local_address;
    uint64_t connect_timeout_us; /* -w; NEVER: TCP's own */
    uint64_t idle_timeout_us;    /* -i; NEVER: none */
    uint64_t quit_delay_us;      /* -q; NEVER: wait for the peer */
    const char *get_path;        /* NULL: not --get */
};

enum tnc_wish { TNC_RUN, TNC_HELP, TNC_VERSION, TNC_LIST_SCENARIOS, TNC_LIST_SETTINGS, TNC_WRONG };

/* Read the command line; pure but for the lookup of service names. `options` borrows from argv.
 * TNC_WRONG comes with one line in `error`. */
enum tnc_wish tnc_options_parse(struct tnc_options *options, int argc, char **argv, char *error,
                                size_t room);
void tnc_options_help(FILE *out);

#endif
