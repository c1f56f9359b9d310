/* The matrix as a table to be read. */
#ifndef TUNTCP_TESTS_CELLS_TABLE_H
#define TUNTCP_TESTS_CELLS_TABLE_H

#include "rules.h"

enum { TABLE_COLUMNS = 11 };

/* Print the rows that contain all of these words, tab-separated, with a heading. Returns for how
 * many cells they stand. */
unsigned long table_print(FILE *to, char *const *words, int word_count);

#endif
