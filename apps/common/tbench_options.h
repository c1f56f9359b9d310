/* The command line of tbench. */
#ifndef TUNTCP_TBENCH_OPTIONS_H
#define TUNTCP_TBENCH_OPTIONS_H

#include "bench.h"
#include "host_options.h"

struct tbench_options {
    struct host_options common;
    struct bench_config bench;
    unsigned queue_count; /* at least 1 */
    bool prints_json;
};

enum tbench_wish { TBENCH_RUN, TBENCH_HELP, TBENCH_LIST_SETTINGS, TBENCH_WRONG };

/* Read the command line. `options` borrows from argv. TBENCH_WRONG comes with one line in `error`.
 */
enum tbench_wish tbench_options_parse(struct tbench_options *options, int argc, char **argv,
                                      char *error, size_t room);
void tbench_options_help(FILE *out);

#endif
