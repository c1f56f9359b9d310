/* The frame of a fuzzer: libFuzzer calls LLVMFuzzerTestOneInput with bytes of its own making,
 * steered by coverage. A property that does not hold aborts. */
#ifndef TUNTCP_TESTS_FUZZ_H
#define TUNTCP_TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLDS(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len);

#endif
