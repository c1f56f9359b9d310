/* The words of the matrix: reactions in the RFC's notation, and only what changes of a connection.
 */
#include "names.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>

const char *answer_name(enum answer answer)
{
    switch (answer) {
    case ANSWER_NONE:
        return "none";
    case ANSWER_ACK:
        return "<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>";
    case ANSWER_ACK_LATER:
        return "<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> delayed";
    case ANSWER_ACK_SOON:
        return "<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> delayed or at once";
    case ANSWER_RST:
        return "<SEQ=SEG.ACK><CTL=RST>";
    case ANSWER_RST_ACK:
        return "<SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>";
    case ANSWER_ABORT:
        return "<SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>";
    case ANSWER_SYN_ACK:
        return "<SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>";
    }
    return "";
}

/* A list of words, separated by `separator`. */
struct list {
    char *text;
    size_t len, room;
    const char *separator;
};

static void add(struct list *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct list *list, const char *format, ...)
{
    va_list args;

    if (list->len > 0)
        list->len +=
            (size_t)snprintf(list->text + list->len, list->room - list->len, "%s", list->separator);
    va_start(args, format);
    list->len += (size_t)vsnprintf(list->text + list->len, list->room - list->len, format, args);
    va_end(args);
    assert(list->len < list->room);
}

const char *clauses_text(const struct reaction *r, char text[static CLAUSES_BYTES])
{
    struct list list = {.text = text, .room = CLAUSES_BYTES, .separator = "; "};

    text[0] = '\0';
    for (unsigned i = 0; i < r->clause_count; i++)
        add(&list, "%s", r->clause[i]);
    return text;
}

const char *changes_text(const struct cell *cell, const struct reaction *r,
                         char text[static CHANGES_BYTES])
{
    struct list list = {.text = text, .room = CHANGES_BYTES, .separator = ", "};
    const struct place *place = cell->place;
    struct arrival seg = cell_arrival(cell);
    bool has_new_irs = r->state == TCPS_SYN_RECEIVED && place->state != TCPS_SYN_RECEIVED;

    text[0] = '\0';
    if (r->state < TCPS_SYN_RECEIVED && r->error != TCP_OK)
        add(&list, "user: %s", tcp_err_name(r->error));
    if (r->state < TCPS_SYN_RECEIVED)
        return text;
    if (has_new_irs || place->state == TCPS_SYN_SENT)
        add(&list, "RCV.NXT=SEG.SEQ+%" PRId64, r->rcv_nxt - seg.seq);
    else if (r->rcv_nxt != place->rcv_nxt)
        add(&list, "RCV.NXT+%" PRId64, r->rcv_nxt - place->rcv_nxt);
    if (r->snd_una != place->snd_una && !has_new_irs)
        add(&list, "SND.UNA=SEG.ACK");
    if (r->readable > place->unread)
        add(&list, "user: %u octets", r->readable - place->unread);
    if (r->is_queued)
        add(&list, "text held");
    if (r->urgent > 0)
        add(&list, "user: urgent data");
    if (r->has_stamp && r->ts_recent != TS_RECENT)
        add(&list, "TS.Recent=SEG.TSval");
    if (r->restarts_2_msl)
        add(&list, "2 MSL begin");
    return text;
}
