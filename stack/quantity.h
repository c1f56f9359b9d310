/* Numbers and durations as people write them, on a command line or in a script. Strict: anything
 * but the documented form is refused. */
#ifndef TUNTCP_QUANTITY_H
#define TUNTCP_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

#define DURATION_MAX_US (365ull * 24 * 3600 * 1000000)

/* Decimal digits only, or 0x and hexadecimal ones; from min to max. */
bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value);
/* "5", "0.5", "250ms", "100us", "2s", "1m", "1h": without a unit, seconds. At most a year. */
bool duration_parse(const char *text, uint64_t *us);

#endif
