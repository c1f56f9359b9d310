/* The matrix as a table to be read.
 *
 * One row stands for all cells of a place and a kind of segment that a box holds: some positions of
 * SEG.SEQ, some of SEG.ACK, some timestamps, and in all of them the same happens. Boxes are grown
 * from the first cell that no row has yet, in one coordinate after the other; every cell is in
 * exactly one row. */
#include "table.h"

#include <assert.h>

#include "names.h"

enum { ROW_BYTES = 900 };

struct box {
    unsigned seqs, acks, stamps; /* bits */
};

/* All cells of one place and kind: what happens there, "" where no cell exists. */
struct sheet {
    const struct place *place;
    const struct kind *kind;
    char row[SEQ_POSITIONS][ACK_POSITIONS][STAMPS][ROW_BYTES];
    bool is_done[SEQ_POSITIONS][ACK_POSITIONS][STAMPS];
};

/* Everything of a row that comes after the coordinates. */
static void describe(const struct cell *cell, char row[static ROW_BYTES])
{
    struct reaction r = expected_reaction(cell);
    char changes[CHANGES_BYTES], clauses[CLAUSES_BYTES];

    snprintf(row, ROW_BYTES, "%s\t%s\t%s\t%s\t%s\t%s", answer_name(r.answer),
             changes_text(cell, &r, changes), tcp_state_name(r.state), clauses_text(&r, clauses),
             r.note != NULL ? r.note : "", r.elsewhere != NULL ? r.elsewhere : "");
}

static void fill(struct sheet *sheet)
{
    for (int seq = 0; seq < SEQ_POSITIONS; seq++)
        for (int ack = 0; ack < ACK_POSITIONS; ack++)
            for (int stamp = 0; stamp < STAMPS; stamp++) {
                struct cell cell = {sheet->place, sheet->kind, (enum seq_position)seq,
                                    (enum ack_position)ack, (enum stamp)stamp};
                sheet->row[seq][ack][stamp][0] = '\0';
                sheet->is_done[seq][ack][stamp] = false;
                if (cell_exists(&cell))
                    describe(&cell, sheet->row[seq][ack][stamp]);
            }
}

/* ---- boxes */

/* Is the same known of this cell as of the box: it exists, and is in if and only if its ACK is? A
 * cell that does not exist is no objection. */
static bool agrees(const struct sheet *sheet, int seq, int ack, int stamp, unsigned acks,
                   const char *row, bool *has_any)
{
    const char *here = sheet->row[seq][ack][stamp];

    if (here[0] == '\0')
        return true;
    bool is_same = !sheet->is_done[seq][ack][stamp] && strcmp(here, row) == 0;
    if (is_same)
        *has_any = true;
    return is_same == ((acks & 1u << ack) != 0);
}

static bool may_hold_stamp(const struct sheet *sheet, int seq, int stamp, unsigned acks,
                           const char *row)
{
    bool has_any = false;

    for (int ack = 0; ack < ACK_POSITIONS; ack++)
        if (!agrees(sheet, seq, ack, stamp, acks, row, &has_any))
            return false;
    return has_any;
}

static bool may_hold_seq(const struct sheet *sheet, int seq, const struct box *box, const char *row)
{
    for (int stamp = 0; stamp < STAMPS; stamp++)
        if (box->stamps & 1u << stamp && !may_hold_stamp(sheet, seq, stamp, box->acks, row))
            return false;
    return true;
}

static struct box grow(const struct sheet *sheet, int seq, int stamp, const char *row)
{
    struct box box = {0};

    for (int ack = 0; ack < ACK_POSITIONS; ack++)
        if (!sheet->is_done[seq][ack][stamp] && strcmp(sheet->row[seq][ack][stamp], row) == 0)
            box.acks |= 1u << ack;
    for (int other = 0; other < STAMPS; other++)
        if (may_hold_stamp(sheet, seq, other, box.acks, row))
            box.stamps |= 1u << other;
    for (int other = 0; other < SEQ_POSITIONS; other++)
        if (may_hold_seq(sheet, other, &box, row))
            box.seqs |= 1u << other;
    return box;
}

/* Returns how many cells the box holds. */
static unsigned mark_done(struct sheet *sheet, const struct box *box)
{
    unsigned count = 0;

    for (int seq = 0; seq < SEQ_POSITIONS; seq++)
        for (int ack = 0; ack < ACK_POSITIONS; ack++)
            for (int stamp = 0; stamp < STAMPS; stamp++)
                if (box->seqs & 1u << seq && box->acks & 1u << ack && box->stamps & 1u << stamp &&
                    sheet->row[seq][ack][stamp][0] != '\0') {
                    assert(!sheet->is_done[seq][ack][stamp]);
                    sheet->is_done[seq][ack][stamp] = true;
                    count++;
                }
    return count;
}

/* ---- rows */

static const char *seq_name(int bit)
{
    return seq_position_name((enum seq_position)bit);
}

static const char *ack_name(int bit)
{
    return ack_position_name((enum ack_position)bit);
}

static const char *ts_name(int bit)
{
    return stamp_name((enum stamp)bit);
}

/* All coordinates in which the place and kind have any cell. */
static struct box extent(const struct sheet *sheet)
{
    struct box box = {0};

    for (int seq = 0; seq < SEQ_POSITIONS; seq++)
        for (int ack = 0; ack < ACK_POSITIONS; ack++)
            for (int stamp = 0; stamp < STAMPS; stamp++)
                if (sheet->row[seq][ack][stamp][0] != '\0') {
                    box.seqs |= 1u << seq;
                    box.acks |= 1u << ack;
                    box.stamps |= 1u << stamp;
                }
    return box;
}

static void put_set(char *text, size_t room, unsigned set, unsigned all, const char *(*name)(int))
{
    size_t len = 0;

    if (set == all && (set & (set - 1)) != 0) {
        snprintf(text, room, "any");
        return;
    }
    for (int bit = 0; set >> bit != 0; bit++)
        if (set & 1u << bit)
            len += (size_t)snprintf(text + len, room - len, "%s%s", len > 0 ? ", " : "", name(bit));
}

/* False if the words are not in it. */
static bool print_box(FILE *to, const struct sheet *sheet, const struct box *box, const char *row,
                      char *const *words, int word_count)
{
    char seqs[250], acks[120], stamps[80];
    char line[ROW_BYTES + 600];
    struct box all = extent(sheet);

    put_set(seqs, sizeof seqs, box->seqs, all.seqs, seq_name);
    put_set(acks, sizeof acks, box->acks, all.acks, ack_name);
    put_set(stamps, sizeof stamps, box->stamps, all.stamps, ts_name);
    snprintf(line, sizeof line, "%s\t%s\t%s\t%s\t%s\t%s", sheet->place->name, sheet->kind->name,
             seqs, acks, stamps, row);
    for (int i = 0; i < word_count; i++)
        if (strstr(line, words[i]) == NULL)
            return false;
    fprintf(to, "%s\n", line);
    return true;
}

static unsigned long print_sheet(FILE *to, struct sheet *sheet, char *const *words, int word_count)
{
    unsigned long printed_count = 0;

    fill(sheet);
    for (int seq = 0; seq < SEQ_POSITIONS; seq++)
        for (int stamp = 0; stamp < STAMPS; stamp++)
            for (int ack = 0; ack < ACK_POSITIONS; ack++) {
                const char *row = sheet->row[seq][ack][stamp];
                if (row[0] == '\0' || sheet->is_done[seq][ack][stamp])
                    continue;
                struct box box = grow(sheet, seq, stamp, row);
                unsigned cell_count = mark_done(sheet, &box);
                if (print_box(to, sheet, &box, row, words, word_count))
                    printed_count += cell_count;
            }
    return printed_count;
}

unsigned long table_print(FILE *to, char *const *words, int word_count)
{
    static struct sheet sheet;
    unsigned long printed_count = 0;

    fprintf(to,
            "state\tsegment\tSEG.SEQ\tSEG.ACK\ttimestamps\tanswer\tbecomes\tnext state\tclause\t"
            "note\telsewhere\n");
    for (int place = 0; place < PLACES; place++)
        for (int kind = 0; kind < KINDS; kind++) {
            sheet.place = &places[place];
            sheet.kind = &kinds[kind];
            printed_count += print_sheet(to, &sheet, words, word_count);
        }
    return printed_count;
}
