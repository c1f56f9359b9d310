/* The words that the table and the failures of the matrix are written in. */
#ifndef TUNTCP_TESTS_CELLS_NAMES_H
#define TUNTCP_TESTS_CELLS_NAMES_H

#include "rules.h"

enum { CLAUSES_BYTES = 300, CHANGES_BYTES = 300 };

/* The answer in the RFC's notation. */
const char *answer_name(enum answer answer);
/* All clauses that have led to a reaction, in their order. */
const char *clauses_text(const struct reaction *r, char text[static CLAUSES_BYTES]);
/* What becomes of the connection's variables, and what the user gets. */
const char *changes_text(const struct cell *cell, const struct reaction *r,
                         char text[static CHANGES_BYTES]);

#endif
