/* Every kind of segment in every state: the matrix of RFC 9293 3.10.7, with RFC 5961, 7323, 6191
 * and 1337.
 *
 * cells/cell.h says what the coordinates of a cell are, cells/rules.c what must happen there, from
 * the RFCs alone, and cells/drive.c makes it happen. A check is one kind of segment in one place; a
 * failure prints the cell, the segment, the clauses that decide it, and what was expected and seen.
 *
 *     matrix                    the checks
 *     matrix table [WORD...]    the table, or those of its rows that contain all words */
#include "cells/drive.h"
#include "cells/table.h"

enum { NO_CELL = -1 };

/* The next cell of the same place and kind; `at` begins with NO_CELL. */
static bool next_cell(struct cell *cell, int *at)
{
    while (++*at < SEQ_POSITIONS * ACK_POSITIONS * STAMPS) {
        cell->seq = (enum seq_position)(*at / (ACK_POSITIONS * STAMPS));
        cell->ack = (enum ack_position)(*at / STAMPS % ACK_POSITIONS);
        cell->stamp = (enum stamp)(*at % STAMPS);
        if (cell_exists(cell))
            return true;
    }
    return false;
}

/* MAY-12, MUST-66, SHLD-31, MAY-13, SHLD-3, SHLD-4, MAY-2, MUST-11 as far as one segment goes. */
START_TEST(segment_of_this_kind_does_in_this_place_what_the_rules_say)
{
    struct cell cell = {.place = &places[_i / KINDS], .kind = &kinds[_i % KINDS]};
    char message[MESSAGE_BYTES], first[MESSAGE_BYTES];
    unsigned failed_count = 0, count = 0;

    for (int at = NO_CELL; next_cell(&cell, &at); count++) {
        struct reaction expected = expected_reaction(&cell);
        if (!cell_comes_true(&cell, &expected, message) && failed_count++ == 0)
            memcpy(first, message, sizeof first);
    }
    ck_assert_uint_gt(count, 0);
    if (failed_count > 0)
        ck_abort_msg("%u of %u cells differ, the first is\n    %s", failed_count, count, first);
}
END_TEST

static unsigned long visit_all(uint64_t *rules)
{
    unsigned long count = 0;

    for (int i = 0; i < PLACES * KINDS; i++) {
        struct cell cell = {.place = &places[i / KINDS], .kind = &kinds[i % KINDS]};
        for (int at = NO_CELL; next_cell(&cell, &at); count++)
            *rules |= expected_reaction(&cell).rules;
    }
    return count;
}

START_TEST(every_rule_decides_some_cell)
{
    uint64_t used = 0;

    visit_all(&used);
    for (int rule = 0; rule < rule_count(); rule++)
        ck_assert_msg(used & 1ull << rule, "rule %d decides nothing: %s", rule, rule_name(rule));
}
END_TEST

/* ---- teeth: an expectation that is wrong in one thing fails, and the message says in which */

static struct cell find_cell(const char *place, const char *kind, enum seq_position seq,
                             enum ack_position ack)
{
    struct cell cell = {.seq = seq, .ack = ack, .stamp = STAMP_FRESH};

    for (int i = 0; i < PLACES; i++)
        if (strcmp(places[i].name, place) == 0)
            cell.place = &places[i];
    for (int i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].name, kind) == 0)
            cell.kind = &kinds[i];
    ck_assert(cell_exists(&cell));
    return cell;
}

static void assert_fails(const struct cell *cell, struct reaction wrong, const char *what)
{
    char message[MESSAGE_BYTES];

    ck_assert_msg(!cell_comes_true(cell, &wrong, message), "not noticed: %s", what);
    ck_assert_msg(strstr(message, what) != NULL, "\"%s\" is not in %s", what, message);
}

START_TEST(wrong_expectation_is_noticed)
{
    struct cell text = find_cell("ESTABLISHED", "URG, text", SEQ_LEFT_EDGE, ACK_NXT);
    struct cell reset = find_cell("ESTABLISHED", "RST", SEQ_LEFT_EDGE, ACK_NONE);
    struct cell fin = find_cell("TIME-WAIT", "FIN", SEQ_DUPLICATE, ACK_UNA);
    struct reaction wrong = expected_reaction(&text);
    char message[MESSAGE_BYTES];

    ck_assert(cell_comes_true(&text, &wrong, message));
    wrong.answer = ANSWER_ACK; /* at once */
    assert_fails(&text, wrong, "answer");
    wrong.answer = ANSWER_NONE;
    assert_fails(&text, wrong, "answer");
    wrong = expected_reaction(&text);
    wrong.ts_recent--;
    assert_fails(&text, wrong, "answer");
    assert_fails(&text, wrong, "TS.Recent");
    wrong = expected_reaction(&text);
    wrong.state = TCPS_CLOSE_WAIT;
    assert_fails(&text, wrong, "state");
    wrong = expected_reaction(&text);
    wrong.snd_una--;
    assert_fails(&text, wrong, "SND.UNA");
    wrong = expected_reaction(&text);
    wrong.rcv_edge++;
    assert_fails(&text, wrong, "right edge");
    wrong = expected_reaction(&text);
    wrong.rcv_nxt--;
    assert_fails(&text, wrong, "RCV.NXT");
    wrong = expected_reaction(&text);
    wrong.snd_nxt++;
    assert_fails(&text, wrong, "SND.NXT");
    wrong = expected_reaction(&text);
    wrong.readable++;
    assert_fails(&text, wrong, "readable octets");
    wrong = expected_reaction(&text);
    wrong.is_queued = true;
    assert_fails(&text, wrong, "text held");
    wrong = expected_reaction(&text);
    wrong.urgent++;
    assert_fails(&text, wrong, "urgent octets");
    wrong = expected_reaction(&reset);
    wrong.error = TCP_OK;
    assert_fails(&reset, wrong, "error");
    wrong = expected_reaction(&fin);
    wrong.restarts_2_msl = false;
    assert_fails(&fin, wrong, "2 MSL");
}
END_TEST

/* ---- what people see of it */

START_TEST(table_has_every_cell_in_one_row)
{
    char *text = NULL, *words[] = {"TIME-WAIT", "RFC 1337"};
    size_t len = 0;
    uint64_t rules = 0;

    FILE *to = open_memstream(&text, &len);
    ck_assert_uint_eq(table_print(to, NULL, 0), visit_all(&rules));
    unsigned long some_count = table_print(to, words, 2);
    ck_assert_uint_gt(some_count, 0);
    ck_assert_uint_lt(some_count, 1000);
    fclose(to);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        unsigned column_count = 1;
        for (const char *at = line; *at != '\0'; at++)
            column_count += *at == '\t' ? 1 : 0;
        ck_assert_msg(column_count == TABLE_COLUMNS, "%u columns: %s", column_count, line);
    }
    free(text);
}
END_TEST

/* So that README.md stays true. */
START_TEST(readme_tells_how_many_cells_there_are)
{
    const char *dir = getenv("TALK_DIR");
    char path[1024], line[400], wanted[60];
    uint64_t rules = 0;
    bool is_told = false;

    snprintf(wanted, sizeof wanted, "%lu cells", visit_all(&rules));
    printf("matrix: %s, %d rules, %d places, %d kinds of segments\n", wanted, rule_count(), PLACES,
           KINDS);
    snprintf(path, sizeof path, "%s/README.md", dir != NULL ? dir : "tests/talk");
    FILE *readme = fopen(path, "r");
    ck_assert_msg(readme != NULL, "%s is lacking; TALK_DIR names another folder", path);
    while (fgets(line, sizeof line, readme) != NULL)
        is_told = is_told || strstr(line, wanted) != NULL;
    fclose(readme);
    ck_assert_msg(is_told, "%s does not say: %s", path, wanted);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, segment_of_this_kind_does_in_this_place_what_the_rules_say, 0,
                        PLACES * KINDS);
    tcase_add_test(tc, every_rule_decides_some_cell);
    tcase_add_test(tc, wrong_expectation_is_noticed);
    tcase_add_test(tc, table_has_every_cell_in_one_row);
    tcase_add_test(tc, readme_tells_how_many_cells_there_are);
}

int main(int argc, char **argv)
{
    if (argc == 1)
        return unit_main("matrix", tests);
    if (strcmp(argv[1], "table") != 0) {
        fprintf(stderr, "usage: matrix [table [WORD...]]\n");
        return EXIT_FAILURE;
    }
    table_print(stdout, argv + 2, argc - 2);
    return EXIT_SUCCESS;
}
