/* Everything that can be configured, by name: one table over the fields of struct stack_config and
 * struct tcp_config, with limits, the words that a value may be, and one line of explanation each.
 * Command lines, tcp_set() and the scripts of the tests read this one table.
 *
 * A name is that of the field. Its unit may be left out: `rto_min` is rto_min_us; a time without
 * its unit is in seconds, or has a unit in its value: rto_min=0.3, rto_min=300ms,
 * rto_min_us=300000. */
#ifndef TUNTCP_SETTINGS_H
#define TUNTCP_SETTINGS_H

#include "stack.h"

struct setting {
    const char *name;
    const char *help; /* one line, without a full stop */
    size_t offset;    /* in struct stack_config */
    uint8_t size;
    bool of_tcp;             /* a field of struct tcp_config */
    bool is_live;            /* may change while a connection is under way, see tcp_set() */
    bool zero_is_special;    /* 0 is allowed though it lies below `low` */
    bool never_is_off;       /* a time: NEVER is allowed, and written `off` */
    uint64_t low, high;      /* what a value may be */
    const char *const *word; /* names of the values 0, 1, ..., NULL at the end; NULL: a number */
};

enum { SETTINGS_NEAREST_MAX = 3, SETTING_TEXT_BYTES = 32 };

/* The table, from 0 on; NULL behind its end. */
const struct setting *settings_at(unsigned i);
/* The setting called so, NULL if there is none; a value is then in seconds when *in_seconds. */
const struct setting *settings_find(const char *name, bool *in_seconds);
/* For a name that does not exist: the settings that may be meant, the likeliest first. Returns how
 * many. */
unsigned settings_nearest(const char *name,
                          const struct setting *nearest[static SETTINGS_NEAREST_MAX]);

/* How long the name is without its unit. */
size_t setting_bare_bytes(const char *field);
/* Is `name` the field's, with or without its unit? */
bool setting_is_called(const char *field, const char *name, bool *in_seconds);
/* An unsigned number of 1, 2, 4 or 8 bytes, wherever it lies. */
uint64_t setting_load_field(const void *at, size_t size);

bool setting_is_time(const struct setting *setting);
/* Is the value within the limits? */
bool setting_allows(const struct setting *setting, uint64_t value);
/* Read a value. False, with *value untouched, when it is malformed or beyond the limits. */
bool setting_parse(const struct setting *setting, bool in_seconds, const char *text,
                   uint64_t *value);
/* The value as setting_parse() reads it back (times with their unit). Returns `text`. */
char *setting_format(const struct setting *setting, uint64_t value,
                     char text[static SETTING_TEXT_BYTES]);
uint64_t setting_load(const struct setting *setting, const struct stack_config *config);
void setting_store(const struct setting *setting, struct stack_config *config, uint64_t value);
/* The same in the configuration of a connection; the setting is one of TCP's. */
uint64_t setting_load_tcp(const struct setting *setting, const struct tcp_config *config);
void setting_store_tcp(const struct setting *setting, struct tcp_config *config, uint64_t value);
/* Move every value that is beyond its limits to the nearest one that is not. */
void settings_bound(struct tcp_config *config);

#endif
