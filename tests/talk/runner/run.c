/* The interpreter of scripts: one row, one event.
 *
 * A row is read and carried out before the next one is looked at, so that a mistake in row 9 is
 * reported when rows 1 to 8 have come true. Segments are read and compared by the frame (talk.c);
 * this file has the times, the user calls, the configuration and what is asked about the status.
 *
 * Invariant: a segment that waits to be looked at was sent now. Time passes only in wait_us() and
 * in on_expected(); both stop at the first segment that leaves. Therefore the time of a segment
 * needs no record, and a row's time counts from the row before.
 *
 * A failure leaves through a long jump from the frame's talk_fail(), which has freed the stack. */
#include "run.h"

#include <ctype.h>
#include <inttypes.h>
#include <setjmp.h>

#include "../../../stack/settings.h"
#include "../talk.h"
#include "fields.h"

enum {
    SECOND_US = 1000000,
    WORD_BYTES = 64,
    SHOWN_US = 200 * SECOND_US, /* so long is a late segment waited for, to show it */
};

struct runner {
    struct talk *t;
    struct stack_config config;
    bool has_begun; /* an event was run: the configuration can no longer change */
    const char *name;
    int line;
    const char *at; /* what of the row is still to be read */
    FILE *log_to;
    char *message;
    jmp_buf failed;
};

/* When a row happens, counted from now. */
struct when {
    bool is_given;
    uint64_t first_us, last_us;
};

#define FAIL(r, ...) talk_fail((r)->t, (r)->name, (r)->line, __VA_ARGS__)

static void on_failure(void *context, const char *message)
{
    struct runner *r = context;

    snprintf(r->message, SCRIPT_MESSAGE_BYTES, "%s", message);
    longjmp(r->failed, 1);
}

static struct talk *new_talk(struct runner *r)
{
    struct talk *t = talk_new(&r->config);

    t->on_failure = on_failure;
    t->failure_context = r;
    t->log_to = r->log_to;
    return t;
}

/* The first event: from here on the stack has the configuration of the rows before. */
static void begin(struct runner *r)
{
    if (r->has_begun)
        return;
    talk_free(r->t);
    r->t = new_talk(r);
    r->has_begun = true;
}

/* ---- a row's words */

static void skip_blanks(struct runner *r)
{
    while (*r->at == ' ' || *r->at == '\t')
        r->at++;
}

static bool ends_word(char c)
{
    return c == ' ' || c == '\t' || c == '\0' || c == '=';
}

static bool take(struct runner *r, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(r->at, word, len) != 0 || !ends_word(r->at[len]))
        return false;
    r->at += len;
    skip_blanks(r);
    return true;
}

/* Up to the next blank or '='. */
static void take_word(struct runner *r, char word[static WORD_BYTES])
{
    size_t len = 0;

    for (; !ends_word(r->at[len]); len++) {
        if (len == WORD_BYTES - 1)
            FAIL(r, "syntax: a word is too long");
        word[len] = r->at[len];
    }
    word[len] = '\0';
    if (len == 0)
        FAIL(r, "syntax: a word is missing at \"%s\"", r->at);
    r->at += len;
    skip_blanks(r);
}

static void expect_equals(struct runner *r)
{
    if (*r->at != '=')
        FAIL(r, "syntax: '=' wanted at \"%s\"", r->at);
    r->at++;
    skip_blanks(r);
}

static void expect_end(struct runner *r)
{
    if (*r->at != '\0')
        FAIL(r, "syntax: what is \"%s\"?", r->at);
}

static uint64_t number(struct runner *r, const char *word)
{
    char *end;
    unsigned long long value = strtoull(word, &end, 0);

    if (!isdigit((unsigned char)word[0]) || *end != '\0')
        FAIL(r, "syntax: \"%s\" is no number", word);
    return value;
}

static uint64_t take_number(struct runner *r)
{
    char word[WORD_BYTES];

    take_word(r, word);
    return number(r, word);
}

/* Seconds with at most six decimals, exactly. */
static uint64_t read_seconds(struct runner *r)
{
    uint64_t us = 0, unit_us = SECOND_US;
    const char *first = r->at;

    for (; isdigit((unsigned char)*r->at) && us < UINT32_MAX; r->at++)
        us = us * 10 + (uint64_t)(*r->at - '0');
    us *= SECOND_US;
    if (*r->at == '.')
        for (r->at++; isdigit((unsigned char)*r->at) && unit_us > 1; r->at++)
            us += (uint64_t)(*r->at - '0') * (unit_us /= 10);
    if (r->at == first || isdigit((unsigned char)*r->at))
        FAIL(r, "syntax: a time in seconds is wanted at \"%s\"", first);
    return us;
}

/* +0.1, or 3.5 from the beginning of the script; as microseconds from now. */
static uint64_t read_time(struct runner *r)
{
    bool is_relative = *r->at == '+';
    uint64_t passed_us = r->t->now_us - r->t->start_us;

    if (is_relative)
        r->at++;
    uint64_t us = read_seconds(r);
    if (is_relative)
        return us;
    if (us < passed_us)
        FAIL(r, "the time has passed: it is %g", (double)passed_us / SECOND_US);
    return us - passed_us;
}

static struct when take_when(struct runner *r)
{
    struct when when = {0};

    if (*r->at != '+' && !isdigit((unsigned char)*r->at))
        return when;
    when.is_given = true;
    when.first_us = when.last_us = read_time(r);
    if (*r->at == '~') {
        r->at++;
        when.last_us = read_time(r);
    }
    if (!ends_word(*r->at) || when.last_us < when.first_us)
        FAIL(r, "syntax: no time: \"%s\"", r->at);
    skip_blanks(r);
    return when;
}

static const char *when_text(const struct when *when, char text[static WORD_BYTES])
{
    int at = snprintf(text, WORD_BYTES, "+%.10g", (double)when->first_us / SECOND_US);

    if (when->last_us != when->first_us)
        snprintf(text + at, (size_t)(WORD_BYTES - at), "~+%.10g",
                 (double)when->last_us / SECOND_US);
    return text;
}

/* ---- time */

static void wait_us(struct runner *r, uint64_t us)
{
    uint64_t waited_us = time_until_we_send_within_us(r->t, us);

    if (waited_us != UINT64_MAX)
        FAIL(r, "expected: nothing\n      actual: +%.10g > %s", (double)waited_us / SECOND_US,
             talk_next_sent(r->t));
}

/* The time of a row that is no expected segment. */
static void reach(struct runner *r, const struct when *when)
{
    if (when->first_us != when->last_us)
        FAIL(r, "syntax: a range of times is for an expected segment only");
    if (!r->t->is_holding)
        wait_us(r, when->first_us);
    else if (when->first_us > 0)
        time_passes_us(r->t, when->first_us);
}

/* ---- segments */

static void on_expected(struct runner *r, const struct when *when)
{
    uint64_t limit_us = when->is_given ? when->last_us : SHOWN_US;
    uint64_t waited_us = time_until_we_send_within_us(r->t, limit_us + SHOWN_US);
    char text[WORD_BYTES] = "";

    if (when->is_given)
        when_text(when, text);
    if (waited_us == UINT64_MAX)
        FAIL(r, "expected: %s > %s\n      actual: nothing is sent", text, r->at);
    if (when->is_given && (waited_us < when->first_us || waited_us > when->last_us))
        FAIL(r, "expected: %s > %s\n      actual: +%.10g > %s", text, r->at,
             (double)waited_us / SECOND_US, talk_next_sent(r->t));
    we_send_at(r->t, r->at, r->name, r->line);
}

static void on_lie(struct runner *r)
{
    enum talk_lie lie = LIE_CHECKSUM;

    if (take(r, "offset_short"))
        lie = LIE_OFFSET_SHORT;
    else if (take(r, "offset_beyond"))
        lie = LIE_OFFSET_BEYOND;
    else if (take(r, "truncated"))
        lie = LIE_TRUNCATED;
    else if (!take(r, "checksum"))
        FAIL(r, "syntax: checksum, offset_short, offset_beyond or truncated wanted");
    peer_lies_at(r->t, lie, r->at, r->name, r->line);
}

static uint16_t take_mtu(struct runner *r)
{
    if (!take(r, "mtu"))
        FAIL(r, "syntax: mtu and a number wanted");
    uint64_t mtu = take_number(r);
    if (mtu > UINT16_MAX)
        FAIL(r, "syntax: an mtu cannot be that large");
    return (uint16_t)mtu;
}

static uint32_t take_seq(struct runner *r)
{
    if (!take(r, "seq"))
        FAIL(r, "syntax: seq and a relative number wanted");
    uint32_t seq = (uint32_t)take_number(r);
    expect_end(r);
    return seq;
}

static void on_icmp(struct runner *r)
{
    static const struct {
        const char *name;
        uint8_t type, code;
    } known[] = {
        {"unreachable net", 3, 0},  {"unreachable host", 3, 1},     {"unreachable protocol", 3, 2},
        {"unreachable port", 3, 3}, {"unreachable route", 3, 5},    {"quench", 4, 0},
        {"exceeded ttl", 11, 0},    {"exceeded reassembly", 11, 1}, {"parameter", 12, 0}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!take(r, known[i].name))
            continue;
        router_sends_error(r->t, known[i].type, known[i].code, take_seq(r));
        return;
    }
    if (take(r, "fragmentation")) {
        uint16_t mtu = take_mtu(r);
        router_wants_less(r->t, mtu, take_seq(r));
        return;
    }
    FAIL(r, "syntax: an ICMP error by that name is not known: \"%s\"", r->at);
}

/* ---- user calls */

static const struct {
    const char *name;
    enum tcp_err error;
} errors[] = {{"0", TCP_OK},
              {"NOT_OPEN", TCP_ERR_NOT_OPEN},
              {"EXISTS", TCP_ERR_EXISTS},
              {"RESOURCES", TCP_ERR_RESOURCES},
              {"UNSPECIFIED", TCP_ERR_UNSPECIFIED},
              {"CLOSING", TCP_ERR_CLOSING},
              {"RESET", TCP_ERR_RESET},
              {"REFUSED", TCP_ERR_REFUSED},
              {"ABORTED", TCP_ERR_ABORTED},
              {"TIMED_OUT", TCP_ERR_TIMED_OUT},
              {"UNREACHABLE", TCP_ERR_UNREACHABLE},
              {"INVALID", TCP_ERR_INVALID}};

static const char *result_text(int64_t result, char text[static WORD_BYTES])
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (result == errors[i].error)
            return errors[i].name;
    snprintf(text, WORD_BYTES, "%" PRId64, result);
    return text;
}

/* A count, or the name of an error. */
static int64_t result_of(struct runner *r, const char *word)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (strcmp(word, errors[i].name) == 0)
            return errors[i].error;
    return (int64_t)number(r, word);
}

/* `= RESULT`, which may be left out when it is 0. */
static int64_t take_result(struct runner *r)
{
    char word[WORD_BYTES] = "0";

    if (*r->at == '=') {
        expect_equals(r);
        take_word(r, word);
    }
    expect_end(r);
    return result_of(r, word);
}

static void compare_result(struct runner *r, const char *call, int64_t wanted, int64_t actual)
{
    char wanted_text[WORD_BYTES], actual_text[WORD_BYTES];

    if (wanted != actual)
        FAIL(r, "expected: %s = %s\n      actual: %s = %s", call, result_text(wanted, wanted_text),
             call, result_text(actual, actual_text));
    talk_pull(r->t);
}

static struct tcb *connection(struct runner *r)
{
    if (r->t->tcb == NULL)
        FAIL(r, "there is no connection: connect or accept comes first");
    return r->t->tcb;
}

/* A listener counts as the connection while nothing is accepted. */
static struct tcb *handle(struct runner *r)
{
    return r->t->tcb == NULL && r->t->listener != NULL ? r->t->listener : connection(r);
}

static void give_back_handle(struct runner *r)
{
    if (r->t->tcb != NULL)
        r->t->tcb = NULL;
    else
        r->t->listener = NULL;
    talk_pull(r->t);
}

static void on_connect(struct runner *r)
{
    struct ip_addr peer = ip_addr_from_v4(r->t->peer_addr);
    enum tcp_err error = TCP_OK;
    char address[WORD_BYTES];

    if (take(r, "to")) {
        take_word(r, address);
        if (!ip_addr_parse(address, &peer))
            FAIL(r, "syntax: \"%s\" is no address", address);
    }
    int64_t wanted = take_result(r);
    r->t->our_port = TALK_OUR_PORT;
    r->t->tcb = tcp_open_active(r->t->stack, NULL, 0, &peer, r->t->peer_port, NULL, &error);
    compare_result(r, "connect", wanted, error);
}

static void on_listen(struct runner *r)
{
    enum tcp_err error = TCP_OK;
    int64_t wanted = take_result(r);
    struct tcb *listener = tcp_open_passive(r->t->stack, NULL, TALK_LISTEN_PORT, NULL, &error);

    compare_result(r, "listen", wanted, error);
    if (listener == NULL)
        return;
    r->t->listener = listener;
    r->t->our_port = TALK_LISTEN_PORT;
    r->t->state = TCPS_LISTEN;
}

static void on_accept(struct runner *r)
{
    bool is_none = strcmp(r->at, "= none") == 0;

    if (!is_none && take_result(r) != 0)
        FAIL(r, "syntax: accept gives 0 or none");
    if (r->t->listener == NULL)
        FAIL(r, "there is no listener: listen comes first");
    struct tcb *tcb = tcp_accept(r->t->listener);
    if ((tcb == NULL) != is_none)
        FAIL(r, "expected: accept = %s\n      actual: accept = %s", is_none ? "none" : "0",
             tcb == NULL ? "none" : "0");
    if (tcb != NULL)
        r->t->tcb = tcb;
    talk_pull(r->t);
}

enum { CALL_MAX_BYTES = 16 << 20 };

static void on_write(struct runner *r)
{
    uint64_t len = take_number(r);
    int64_t wanted = *r->at == '=' ? take_result(r) : (int64_t)len;
    struct tcb *tcb = handle(r);

    expect_end(r);
    if (len == 0 || len > CALL_MAX_BYTES)
        FAIL(r, "syntax: write takes 1 to %d bytes", CALL_MAX_BYTES);
    uint8_t *data = malloc(len);
    for (size_t i = 0; i < len; i++)
        data[i] = talk_byte(r->t->written + 1 + (uint32_t)i);
    ptrdiff_t accepted = tcp_send(tcb, data, len);
    free(data);
    if (accepted > 0)
        r->t->written += (uint32_t)accepted;
    compare_result(r, "write", wanted, accepted);
}

static void on_read(struct runner *r)
{
    uint64_t len = take_number(r);
    int64_t wanted = *r->at == '=' ? take_result(r) : (int64_t)len;
    struct tcb *tcb = handle(r);
    ptrdiff_t wrong = -1;

    expect_end(r);
    if (len == 0 || len > CALL_MAX_BYTES)
        FAIL(r, "syntax: read takes 1 to %d bytes", CALL_MAX_BYTES);
    uint8_t *data = malloc(len);
    ptrdiff_t got = tcp_receive(tcb, data, len);
    for (ptrdiff_t i = 0; i < got; i++)
        if (data[i] != talk_byte(++r->t->read) && wrong < 0)
            wrong = i;
    free(data);
    if (wrong >= 0)
        FAIL(r, "byte %td of the %td that were read is not what the peer sent", wrong, got);
    compare_result(r, "read", wanted, got);
}

static void on_shutdown(struct runner *r)
{
    int64_t wanted = take_result(r);

    compare_result(r, "shutdown", wanted, tcp_shutdown(handle(r)));
}

static void on_close(struct runner *r)
{
    expect_end(r);
    tcp_close(handle(r));
    give_back_handle(r);
}

static void on_abort(struct runner *r)
{
    expect_end(r);
    tcp_abort(handle(r));
    give_back_handle(r);
}

/* ---- fields of the configuration and of the status, by their names */

static const struct {
    const char *name;
    enum tcp_readiness bit;
} readiness_bits[] = {
    {"readable", TCP_READABLE},   {"writable", TCP_WRITABLE},       {"acceptable", TCP_ACCEPTABLE},
    {"connected", TCP_CONNECTED}, {"peer_closed", TCP_PEER_CLOSED}, {"failed", TCP_FAILED},
    {"finished", TCP_FINISHED},   {"urgent_data", TCP_URGENT},
};

/* A value is a number, seconds, or one of the words for 0 and 1. */
static uint64_t take_value(struct runner *r, bool is_seconds)
{
    char word[WORD_BYTES];

    if (is_seconds) {
        uint64_t us = read_seconds(r);
        if (!ends_word(*r->at))
            FAIL(r, "syntax: no time: \"%s\"", r->at);
        skip_blanks(r);
        return us;
    }
    take_word(r, word);
    if (strcmp(word, "on") == 0)
        return 1;
    if (strcmp(word, "off") == 0)
        return 0;
    return number(r, word);
}

/* NAME=VALUE of the settings. */
static const struct setting *take_setting(struct runner *r, uint64_t *value)
{
    char name[WORD_BYTES], text[WORD_BYTES];
    bool in_seconds = false;

    take_word(r, name);
    expect_equals(r);
    const struct setting *setting = settings_find(name, &in_seconds);
    if (setting == NULL)
        FAIL(r, "syntax: the configuration has no %s", name);
    take_word(r, text);
    if (!setting_parse(setting, in_seconds, text, value))
        FAIL(r, "syntax: %s cannot be %s", name, text);
    return setting;
}

static void on_set(struct runner *r)
{
    uint64_t value;

    if (r->has_begun)
        FAIL(r, "set comes before the first event");
    do {
        const struct setting *setting = take_setting(r, &value);
        setting_store(setting, &r->config, value);
    } while (*r->at != '\0');
}

/* tcp_set(): of the connection, or of the listener while nothing is accepted. */
static void on_change(struct runner *r)
{
    uint64_t value;
    const struct setting *setting = take_setting(r, &value);

    compare_result(r, "change", take_result(r), tcp_set(handle(r), setting->name, value));
}

static const char *error_text(uint64_t error)
{
    char unused[WORD_BYTES];
    const char *text = result_text((int32_t)(uint32_t)error, unused);

    return text == unused ? "?" : text;
}

static void compare_words(struct runner *r, const char *name, const char *actual)
{
    char wanted[WORD_BYTES];

    take_word(r, wanted);
    if (strcmp(wanted, actual) != 0)
        FAIL(r, "expected: %s=%s\n      actual: %s=%s", name, wanted, name, actual);
}

static void compare_numbers(struct runner *r, const char *name, uint64_t actual, bool is_seconds)
{
    uint64_t wanted = take_value(r, is_seconds);

    if (wanted == actual)
        return;
    if (is_seconds)
        FAIL(r, "expected: %s=%.10g\n      actual: %s=%.10g", name, (double)wanted / SECOND_US,
             name, (double)actual / SECOND_US);
    FAIL(r, "expected: %s=%" PRIu64 "\n      actual: %s=%" PRIu64, name, wanted, name, actual);
}

/* True when `name` is one of the bits of tcp_readiness(); its value is then compared. */
static bool compare_readiness(struct runner *r, const char *name)
{
    for (size_t i = 0; i < sizeof readiness_bits / sizeof readiness_bits[0]; i++) {
        if (strcmp(name, readiness_bits[i].name) != 0)
            continue;
        compare_numbers(r, name, (tcp_readiness(handle(r)) & readiness_bits[i].bit) != 0, false);
        return true;
    }
    return false;
}

/* The out-of-order ranges that the status shows. */
static const char *ranges_text(const struct tcp_status *status, char text[static WORD_BYTES])
{
    int at = 0;

    if (status->out_of_order_ranges == 0)
        return "none";
    for (unsigned i = 0; i < status->out_of_order_ranges && i < TCP_STATUS_RANGES_MAX; i++)
        at += snprintf(text + at, WORD_BYTES - (size_t)at, "%s%" PRIu32 ":%" PRIu32,
                       i == 0 ? "" : ",", status->out_of_order[i].start - status->irs,
                       status->out_of_order[i].end - status->irs);
    return text;
}

static void compare_field(struct runner *r, const char *name)
{
    char text[WORD_BYTES];
    struct tcp_status status;
    bool is_seconds;
    const struct field *field = find_status_field(name, &is_seconds);

    if (field == NULL)
        FAIL(r, "syntax: the status has no %s", name);
    if (field->kind == FIELD_STATE) { /* outlives the handle */
        compare_words(r, name, tcp_state_name(r->t->state));
        return;
    }
    tcp_status(handle(r), &status);
    uint64_t value = field_load(&status, field);
    switch (field->kind) {
    case FIELD_FROM_ISS:
        compare_numbers(r, name, (uint32_t)value - status.iss, false);
        break;
    case FIELD_FROM_IRS:
        compare_numbers(r, name, (uint32_t)value - status.irs, false);
        break;
    case FIELD_ERROR:
        compare_words(r, name, error_text(value));
        break;
    case FIELD_TEXT:
        compare_words(r, name,
                      *(const char *const *)(const void *)((const char *)&status + field->offset));
        break;
    case FIELD_RANGES:
        compare_words(r, name, ranges_text(&status, text));
        break;
    case FIELD_NUMBER:
    case FIELD_STATE:
        compare_numbers(r, name, value, is_seconds);
        break;
    }
}

static void on_assert(struct runner *r)
{
    char name[WORD_BYTES];

    do {
        take_word(r, name);
        expect_equals(r);
        if (!compare_readiness(r, name))
            compare_field(r, name);
    } while (*r->at != '\0');
}

/* ---- the other events */

static void on_nothing(struct runner *r)
{
    if (!take(r, "for"))
        FAIL(r, "syntax: nothing for SECONDS");
    uint64_t us = read_seconds(r);
    skip_blanks(r);
    expect_end(r);
    wait_us(r, us);
}

static void on_peer_sends(struct runner *r)
{
    peer_sends_at(r->t, r->at, r->name, r->line);
}

/* Output is not pulled until `release`: what arrives in between arrives together. */
static void on_hold(struct runner *r)
{
    expect_end(r);
    r->t->is_holding = true;
}

static void on_release(struct runner *r)
{
    expect_end(r);
    r->t->is_holding = false;
    talk_pull(r->t);
}

/* From now on each segment of the peer's stands for several of this size; 0: for itself. */
static void on_merged(struct runner *r)
{
    r->t->merged_bytes = (uint32_t)take_number(r);
    expect_end(r);
}

static const struct {
    const char *name;
    void (*run)(struct runner *);
    bool may_leave_segments; /* that wait to be looked at */
} events[] = {
    {"<", on_peer_sends, false},      {"lie", on_lie, false},
    {"icmp", on_icmp, false},         {"connect", on_connect, false},
    {"listen", on_listen, false},     {"accept", on_accept, false},
    {"write", on_write, false},       {"read", on_read, false},
    {"shutdown", on_shutdown, false}, {"close", on_close, false},
    {"abort", on_abort, false},       {"nothing", on_nothing, false},
    {"hold", on_hold, false},         {"release", on_release, false},
    {"change", on_change, false},     {"assert", on_assert, true},
    {"merged", on_merged, false},
};

static void run_event(struct runner *r)
{
    begin(r);
    struct when when = take_when(r);
    if (take(r, ">")) {
        on_expected(r, &when);
        return;
    }
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (!take(r, events[i].name))
            continue;
        if (!events[i].may_leave_segments || when.first_us > 0)
            reach(r, &when);
        events[i].run(r);
        return;
    }
    FAIL(r, "syntax: no event: \"%s\"", r->at);
}

static void run_row(struct runner *r, const char *row)
{
    r->at = row;
    skip_blanks(r);
    if (*r->at == '\0')
        return;
    if (take(r, "set"))
        on_set(r);
    else
        run_event(r);
}

/* The row without its comment and the blanks at its end. */
static void strip(char *row)
{
    size_t len = strcspn(row, "#\r");
    const char *slashes = strstr(row, "//");

    if (slashes != NULL && (size_t)(slashes - row) < len)
        len = (size_t)(slashes - row);
    while (len > 0 && isspace((unsigned char)row[len - 1]))
        len--;
    row[len] = '\0';
}

static void run_rows(struct runner *r, const char *text)
{
    char row[TALK_LINE_BYTES];

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        r->line++;
        if (len >= sizeof row)
            FAIL(r, "syntax: the line is too long");
        memcpy(row, text, len);
        row[len] = '\0';
        strip(row);
        run_row(r, row);
        text += len + (text[len] == '\n');
    }
    if (!r->has_begun)
        FAIL(r, "the script has no event");
    r->t->is_holding = false;
    wait_us(r, 0); /* nothing may be left over */
}

bool script_run(const char *name, const char *text, FILE *log_to,
                char message[static SCRIPT_MESSAGE_BYTES])
{
    struct runner r = {.name = name, .log_to = log_to, .message = message};

    r.config = talk_config();
    r.t = new_talk(&r);
    if (setjmp(r.failed) != 0)
        return false;
    run_rows(&r, text);
    talk_free(r.t);
    return true;
}

bool script_run_file(const char *path, FILE *log_to, char message[static SCRIPT_MESSAGE_BYTES])
{
    enum { FILE_MAX_BYTES = 64 << 10 };
    static char text[FILE_MAX_BYTES + 1];
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        snprintf(message, SCRIPT_MESSAGE_BYTES, "%s:0: cannot be opened", path);
        return false;
    }
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    text[len <= FILE_MAX_BYTES ? len : 0] = '\0';
    if (len > FILE_MAX_BYTES || strlen(text) != len || len == 0) {
        snprintf(message, SCRIPT_MESSAGE_BYTES, "%s:0: empty, too long, or not text", path);
        return false;
    }
    return script_run(path, text, log_to, message);
}
