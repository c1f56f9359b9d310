/* The fields of the status that a script can name. */
#ifndef TUNTCP_TESTS_TALK_RUNNER_FIELDS_H
#define TUNTCP_TESTS_TALK_RUNNER_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_kind {
    FIELD_NUMBER,
    FIELD_FROM_ISS, /* sequence numbers, relative to ours and to the peer's first */
    FIELD_FROM_IRS,
    FIELD_STATE,
    FIELD_ERROR,
    FIELD_TEXT,
    FIELD_RANGES, /* "100:200,300:400" relative to the peer's first; "none" */
};

struct field {
    const char *name;
    size_t offset, size;
    enum field_kind kind;
};

/* NULL if there is none. A name is that of the header, or the same without its unit; a time
 * without its unit is in seconds. */
const struct field *find_status_field(const char *name, bool *is_seconds); /* struct tcp_status */
uint64_t field_load(const void *base, const struct field *field);

#endif
