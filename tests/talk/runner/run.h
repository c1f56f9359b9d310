/* Scripts of one connection, in packetdrill's notation: README.md beside this folder has the
 * language. */
#ifndef TUNTCP_TESTS_TALK_RUNNER_RUN_H
#define TUNTCP_TESTS_TALK_RUNNER_RUN_H

#include <stdbool.h>
#include <stdio.h>

enum { SCRIPT_MESSAGE_BYTES = 1200 };

/* Run the script `text`, called `name` in messages, on a stack of its own. True: all is as it says.
 * Otherwise `message` has the place, what was expected and what was so; the conversation goes to
 * `log_to`, unless that is NULL. */
bool script_run(const char *name, const char *text, FILE *log_to,
                char message[static SCRIPT_MESSAGE_BYTES]);
/* The same for a file. */
bool script_run_file(const char *path, FILE *log_to, char message[static SCRIPT_MESSAGE_BYTES]);

#endif
