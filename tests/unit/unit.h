/* The frame of a unit test program: a file ends with
 *
 *     static void tests(TCase *tc) { tcase_add_test(tc, one); ... }
 *     int main(void) { return unit_main("rto", tests); }
 *
 * Tests run in this process (no fork), so that the sanitizers see all of it; CK_FORK=yes in the
 * environment changes that while hunting a crash. */
#ifndef TUNTCP_TESTS_UNIT_H
#define TUNTCP_TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

static inline int unit_main(const char *name, void (*add_tests)(TCase *))
{
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create(name);
    SRunner *runner = srunner_create(suite);

    tcase_set_timeout(tc, 600);
    add_tests(tc);
    suite_add_tcase(suite, tc);
    if (getenv("CK_FORK") == NULL)
        srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
