/* Runs scripts of one connection (README.md has the language): the files named as arguments, or
 * all of TALK_DIR, which is tests/talk from the repository's root. Every script is one check. A
 * script that fails prints its conversation, its file and line, and the expected and the actual
 * row; the exit status is then not zero. */
#include <glob.h>

#include "runner/run.h"
#include "talk.h"

static char **paths;
static int path_count;

START_TEST(script_comes_true)
{
    char message[SCRIPT_MESSAGE_BYTES];

    if (!script_run_file(paths[_i], stderr, message))
        ck_abort_msg("%s", message);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, script_comes_true, 0, path_count);
}

/* The scripts of all folders, in alphabetical order. */
static void find_scripts(glob_t *found)
{
    const char *dir = getenv("TALK_DIR");
    char pattern[1024];

    snprintf(pattern, sizeof pattern, "%s/*/*.talk", dir != NULL ? dir : "tests/talk");
    if (glob(pattern, 0, NULL, found) != 0)
        fprintf(stderr, "script: nothing matches %s; TALK_DIR names another folder\n", pattern);
    paths = found->gl_pathv;
    path_count = (int)found->gl_pathc;
}

int main(int argc, char **argv)
{
    glob_t found = {0};

    paths = argv + 1;
    path_count = argc - 1;
    if (argc == 1)
        find_scripts(&found);
    int result = path_count > 0 ? unit_main("script", tests) : EXIT_FAILURE;
    if (argc == 1)
        globfree(&found);
    return result;
}
