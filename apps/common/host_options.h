/* The command-line options that every application with a stack of its own shares: which device or
 * lab, addresses, name servers, what the connection offers, capture, colour and verbosity. */
#ifndef TUNTCP_HOST_OPTIONS_H
#define TUNTCP_HOST_OPTIONS_H

#include <getopt.h>

#include "../../tun/host.h"
#include "say.h"

enum {
    HOST_OPTION_FIRST = 256, /* codes from here on are host_option_take()'s */
    HOST_OPTION_COUNT = 21,
    HOST_OPTION_END = HOST_OPTION_FIRST + 64, /* an application's own long options start here */
    MSS_MIN_BYTES = 64,
    MSS_MAX_BYTES = 65495,
};

struct host_options {
    struct host_config config;
    enum color_mode color;
    int verbosity;
    bool lists_scenarios; /* --lab=list: print them and end */
    bool lists_settings;  /* --set list: the same */
};

/* For getopt_long(): HOST_OPTION_COUNT entries, without the final one of zeros. */
extern const struct option host_option_table[HOST_OPTION_COUNT];
/* The part of --help that describes them. */
extern const char host_option_help[];

void host_options_init(struct host_options *options);
/* One option as getopt_long() found it. False with one line in `error`. */
bool host_option_take(struct host_options *options, int code, const char *value, char *error,
                      size_t room);
/* getopt_long() gave '?' or ':': the line in `error` that says why. Returns false. */
bool host_option_complain(const char *program, const char *short_options, int code, char **argv,
                          char *error, size_t room);
/* After the last option: do they go together? False with one line in `error`. */
bool host_options_check(const struct host_options *options, char *error, size_t room);
/* What --lab=list prints. */
void host_options_list_scenarios(FILE *out);

#endif
