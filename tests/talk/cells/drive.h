/* What the stack does in a cell of the matrix. */
#ifndef TUNTCP_TESTS_CELLS_DRIVE_H
#define TUNTCP_TESTS_CELLS_DRIVE_H

#include "rules.h"

enum { MESSAGE_BYTES = 1500 };

/* Put a fresh connection into the cell's place, let its segment arrive, and compare with what is
 * expected. True if all is as it should be; otherwise `message` has the cell, the clause, and what
 * differs. */
bool cell_comes_true(const struct cell *cell, const struct reaction *expected,
                     char message[static MESSAGE_BYTES]);

#endif
