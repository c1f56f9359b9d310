/* --set NAME=VALUE: any setting of the stack and of its connections, by name. */
#ifndef TUNTCP_SET_OPTION_H
#define TUNTCP_SET_OPTION_H

#include <stdio.h>

#include "../../stack/stack.h"

/* Read "NAME=VALUE" into the configuration. False with one line in `error` that says which names
 * are near or which values are possible. */
bool set_option_take(struct stack_config *config, const char *assignment, char *error, size_t room);
/* What --set list prints: a line for each name. */
void set_option_list(FILE *out);

#endif
