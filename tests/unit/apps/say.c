/* Messages are one bounded line each, whatever they are made of. */
#include "../../../apps/common/say.h"
#include "../unit.h"

#include <string.h>
#include <unistd.h>

enum { HEARD_BYTES = 4096 };

static char heard[HEARD_BYTES];
static FILE *tape;
static int stderr_kept;

static void listen_to_stderr(void)
{
    tape = tmpfile();
    ck_assert_ptr_nonnull(tape);
    fflush(stderr);
    stderr_kept = dup(STDERR_FILENO);
    dup2(fileno(tape), STDERR_FILENO);
}

static const char *what_was_heard(void)
{
    fflush(stderr);
    dup2(stderr_kept, STDERR_FILENO);
    close(stderr_kept);
    rewind(tape);
    heard[fread(heard, 1, sizeof heard - 1, tape)] = '\0';
    fclose(tape);
    return heard;
}

START_TEST(an_error_names_the_program_and_is_said_without_v)
{
    struct say say = {.program = "tnc"};

    listen_to_stderr();
    say_error(&say, "port %d", 99999);
    ck_assert_str_eq(what_was_heard(), "tnc: port 99999\n");
}
END_TEST

START_TEST(a_note_is_said_from_v_on)
{
    struct say say = {.program = "tnc"};

    listen_to_stderr();
    say_note(&say, "quiet");
    say.verbosity = 1;
    say_note(&say, "loud");
    ck_assert_str_eq(what_was_heard(), "loud\n");
}
END_TEST

START_TEST(control_characters_cannot_make_a_second_line_or_move_the_cursor)
{
    struct say say = {.program = "tnc"};

    listen_to_stderr();
    say_error(&say, "%s", "a\nb\033[2Jc\rd\177e");
    ck_assert_str_eq(what_was_heard(), "tnc: a?b?[2Jc?d?e\n");
}
END_TEST

START_TEST(a_message_that_is_too_long_is_cut_and_still_ends_its_line)
{
    struct say say = {.program = "tnc"};
    static char text[3 * 1024];

    memset(text, 'x', sizeof text - 1);
    listen_to_stderr();
    say_error(&say, "%s", text);
    const char *line = what_was_heard();
    ck_assert_uint_lt(strlen(line), 1100);
    ck_assert_int_eq(line[strlen(line) - 1], '\n');
}
END_TEST

START_TEST(a_color_mode_is_obeyed_and_a_file_has_none)
{
    FILE *file = tmpfile();

    ck_assert(say_wants_color(COLOR_ALWAYS, file));
    ck_assert(!say_wants_color(COLOR_NEVER, file));
    ck_assert(!say_wants_color(COLOR_AUTO, file));
    fclose(file);
}
END_TEST

START_TEST(a_duration_reads_as_people_write_it)
{
    char text[32];

    ck_assert_str_eq(say_duration(3000000, text, sizeof text), "3 s");
    ck_assert_str_eq(say_duration(1500000, text, sizeof text), "1.5 s");
    ck_assert_str_eq(say_duration(250000, text, sizeof text), "250 ms");
    ck_assert_str_eq(say_duration(100, text, sizeof text), "0.1 ms");
    ck_assert_str_eq(say_duration(0, text, sizeof text), "0 ms");
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, an_error_names_the_program_and_is_said_without_v);
    tcase_add_test(tc, a_note_is_said_from_v_on);
    tcase_add_test(tc, control_characters_cannot_make_a_second_line_or_move_the_cursor);
    tcase_add_test(tc, a_message_that_is_too_long_is_cut_and_still_ends_its_line);
    tcase_add_test(tc, a_color_mode_is_obeyed_and_a_file_has_none);
    tcase_add_test(tc, a_duration_reads_as_people_write_it);
}

int main(void)
{
    return unit_main("say", tests);
}
