/* A link's description in words, "loss 5% delay 50ms", read and written: what --impair takes and
 * what a scenario of the lab is made of. A word names a field of struct link_config; one table says
 * which, and of what type its value is. Reading changes nothing until the whole text is right. */
#include <stdio.h>
#include <string.h>

#include "link.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { WORD_BYTES = 40 }; /* longest word or value of a description that is looked at */

enum word_type { WORD_TIME, WORD_PERCENT, WORD_RATE, WORD_SIZE, WORD_LIST, WORD_FLAG };

/* One word of the language: its type and the field of struct link_config that it sets. */
struct word {
    const char *name;
    enum word_type type;
    size_t field; /* its offset */
};

static const struct word words[] = {
    {"delay", WORD_TIME, offsetof(struct link_config, delay_us)},
    {"jitter", WORD_TIME, offsetof(struct link_config, jitter_us)},
    {"rate", WORD_RATE, offsetof(struct link_config, rate_bits_per_s)},
    {"queue", WORD_SIZE, offsetof(struct link_config, queue_bytes)},
    {"loss", WORD_PERCENT, offsetof(struct link_config, loss)},
    {"burst", WORD_PERCENT, offsetof(struct link_config, burst_enter)},
    {"burst-end", WORD_PERCENT, offsetof(struct link_config, burst_leave)},
    {"reorder", WORD_PERCENT, offsetof(struct link_config, reorder)},
    {"reorder-by", WORD_TIME, offsetof(struct link_config, reorder_us)},
    {"duplicate", WORD_PERCENT, offsetof(struct link_config, duplicate)},
    {"corrupt", WORD_PERCENT, offsetof(struct link_config, corrupt)},
    {"drop-syn", WORD_LIST, offsetof(struct link_config, drop_syn_mask)},
    {"drop-data", WORD_LIST, offsetof(struct link_config, drop_data_mask)},
    {"drop-udp", WORD_LIST, offsetof(struct link_config, drop_udp_mask)},
    {"drop-any", WORD_LIST, offsetof(struct link_config, drop_any_mask)},
    {"hold-data", WORD_LIST, offsetof(struct link_config, hold_data_mask)},
    {"hold-by", WORD_TIME, offsetof(struct link_config, hold_us)},
    {"mark", WORD_SIZE, offsetof(struct link_config, mark_bytes)},
    {"mtu", WORD_SIZE, offsetof(struct link_config, mtu_bytes)},
    {"blackhole", WORD_FLAG, offsetof(struct link_config, blackhole)},
};

struct unit {
    const char *name;
    double factor;
};

/* From the largest down: link_config_format() takes the first that divides. */
static const struct unit time_units[] = {{"s", 1e6}, {"ms", 1e3}, {"us", 1}, {NULL, 0}};
static const struct unit rate_units[] = {
    {"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}, {NULL, 0}};
static const struct unit size_units[] = {{"mb", 1048576}, {"kb", 1024}, {"b", 1}, {NULL, 0}};
static const struct unit percent_units[] = {{"%", 0.01}, {NULL, 0}};

/* What a value looks like, by enum word_type. */
static const struct {
    const struct unit *units;
    double min, max; /* in units of the field */
    const char *expected;
} values[] = {
    [WORD_TIME] = {time_units, 0, 3600e6, "a time up to an hour such as 50ms (us, ms, s)"},
    [WORD_PERCENT] = {percent_units, 0, 1, "a percentage from 0% to 100%"},
    [WORD_RATE] = {rate_units, 1, 1e12,
                   "a rate from 1bit to 1000gbit such as 10mbit (bit, kbit, "
                   "mbit, gbit per second)"},
    [WORD_SIZE] = {size_units, 1, LINK_QUEUE_MAX_BYTES,
                   "a size up to 64mb such as 64kb (b, kb, mb)"},
    [WORD_LIST] = {NULL, 0, 0, "packet numbers from 1 to 64 such as 1 or 3,4 or 2-5"},
    [WORD_FLAG] = {NULL, 0, 0, ""},
};

/* The next run of characters that are no blanks, cut to WORD_BYTES; false at the end. */
static bool next_word(const char **text, char word[static WORD_BYTES])
{
    static const char blanks[] = " \t\r\n";
    const char *start = *text + strspn(*text, blanks);
    size_t len = strcspn(start, blanks);

    *text = start + len;
    if (len == 0)
        return false;
    if (len > WORD_BYTES - 1)
        len = WORD_BYTES - 1;
    memcpy(word, start, len);
    word[len] = '\0';
    return true;
}

/* Decimal digits with at most one point, nothing else: strtod() would take "nan", "0x1p3" and the
 * decimal comma of a locale. */
static bool parse_number(const char **at, double *number)
{
    double value = 0, scale = 1;
    bool has_digit = false;

    for (; **at >= '0' && **at <= '9'; (*at)++, has_digit = true)
        value = value * 10 + (**at - '0');
    if (**at == '.') {
        for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, has_digit = true)
            value += (**at - '0') * (scale /= 10);
    }
    *number = value;
    return has_digit;
}

static bool parse_quantity(const char *text, enum word_type type, double *quantity)
{
    double number;

    if (!parse_number(&text, &number))
        return false;
    for (const struct unit *unit = values[type].units; unit->name != NULL; unit++) {
        if (strcmp(text, unit->name) == 0) {
            *quantity = number * unit->factor;
            return *quantity >= values[type].min && *quantity <= values[type].max;
        }
    }
    return false;
}

static bool parse_packet_number(const char **at, unsigned *number)
{
    unsigned value = 0;

    for (; **at >= '0' && **at <= '9' && value <= LINK_MASK_BITS; (*at)++)
        value = value * 10 + (unsigned)(**at - '0');
    *number = value;
    return value >= 1 && value <= LINK_MASK_BITS;
}

/* "1", "3,4", "2-5,7": bit n-1 for packet n. */
static bool parse_list(const char *text, uint64_t *mask)
{
    for (;;) {
        unsigned first, last;
        if (!parse_packet_number(&text, &first))
            return false;
        last = first;
        if (*text == '-') {
            text++;
            if (!parse_packet_number(&text, &last) || last < first)
                return false;
        }
        for (unsigned n = first; n <= last; n++)
            *mask |= 1ull << (n - 1);
        if (*text == '\0')
            return true;
        if (*text++ != ',')
            return false;
    }
}

static bool set_field(const struct word *word, const char *value, struct link_config *config)
{
    char *field = (char *)config + word->field;
    double quantity = 0;

    switch (word->type) {
    case WORD_FLAG:
        *(bool *)(void *)field = true;
        return true;
    case WORD_LIST:
        return parse_list(value, (uint64_t *)(void *)field);
    case WORD_PERCENT:
        if (!parse_quantity(value, word->type, &quantity))
            return false;
        *(double *)(void *)field = quantity;
        return true;
    case WORD_SIZE:
        if (!parse_quantity(value, word->type, &quantity))
            return false;
        *(size_t *)(void *)field = (size_t)(quantity + 0.5);
        return true;
    case WORD_TIME:
    case WORD_RATE:
        if (!parse_quantity(value, word->type, &quantity))
            return false;
        *(uint64_t *)(void *)field = (uint64_t)(quantity + 0.5);
        return true;
    }
    return false;
}

static const struct word *find_word(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(words); i++)
        if (strcmp(words[i].name, name) == 0)
            return &words[i];
    return NULL;
}

/* Text that is appended to, never past its room. */
struct text {
    char *start;
    size_t room, len;
};

static void append(struct text *text, const char *more)
{
    for (; *more != '\0' && text->len + 1 < text->room; more++)
        text->start[text->len++] = *more;
    if (text->room > 0)
        text->start[text->len] = '\0';
}

static void explain_unknown(const char *name, char *error, size_t room)
{
    struct text text = {error, room, 0};

    append(&text, "\"");
    append(&text, name);
    append(&text, "\" is no property of a link: expected ");
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        append(&text, i == 0 ? "" : i + 1 < ARRAY_COUNT(words) ? ", " : " or ");
        append(&text, words[i].name);
    }
}

bool link_config_parse(const char *text, struct link_config *config, char *error, size_t room)
{
    struct link_config parsed = *config;
    char name[WORD_BYTES], value[WORD_BYTES] = "";

    while (next_word(&text, name)) {
        const struct word *word = find_word(name);
        if (word == NULL) {
            explain_unknown(name, error, room);
            return false;
        }
        if (word->type != WORD_FLAG && !next_word(&text, value)) {
            snprintf(error, room, "%s: a value is missing: expected %s", name,
                     values[word->type].expected);
            return false;
        }
        if (!set_field(word, value, &parsed)) {
            snprintf(error, room, "%s: \"%s\" is not valid: expected %s", name, value,
                     values[word->type].expected);
            return false;
        }
    }
    *config = parsed;
    return true;
}

/* ---- and back ---- */

static void append_quantity(struct text *text, double quantity, const struct unit *unit)
{
    char number[48];

    while (unit[1].name != NULL &&
           quantity / unit->factor != (double)(uint64_t)(quantity / unit->factor))
        unit++;
    snprintf(number, sizeof number, "%.12g%s", quantity / unit->factor, unit->name);
    append(text, number);
}

static void append_list(struct text *text, uint64_t mask)
{
    const char *between = "";

    for (unsigned n = 0; n < LINK_MASK_BITS; n++) {
        if ((mask >> n & 1) == 0)
            continue;
        unsigned last = n;
        while (last + 1 < LINK_MASK_BITS && (mask >> (last + 1) & 1) != 0)
            last++;
        char range[32];
        if (last > n)
            snprintf(range, sizeof range, "%s%u-%u", between, n + 1, last + 1);
        else
            snprintf(range, sizeof range, "%s%u", between, n + 1);
        append(text, range);
        between = ",";
        n = last;
    }
}

static void append_value(struct text *text, const struct word *word, const void *field)
{
    switch (word->type) {
    case WORD_FLAG:
        return;
    case WORD_LIST:
        append_list(text, *(const uint64_t *)field);
        return;
    case WORD_PERCENT:
        append_quantity(text, *(const double *)field, percent_units);
        return;
    case WORD_SIZE:
        append_quantity(text, (double)*(const size_t *)field, size_units);
        return;
    case WORD_TIME:
        append_quantity(text, (double)*(const uint64_t *)field, time_units);
        return;
    case WORD_RATE:
        append_quantity(text, (double)*(const uint64_t *)field, rate_units);
        return;
    }
}

static bool is_set(const struct word *word, const void *field)
{
    switch (word->type) {
    case WORD_FLAG:
        return *(const bool *)field;
    case WORD_PERCENT:
        return *(const double *)field > 0;
    case WORD_SIZE:
        return *(const size_t *)field > 0;
    case WORD_LIST:
    case WORD_TIME:
    case WORD_RATE:
        return *(const uint64_t *)field > 0;
    }
    return false;
}

const char *link_config_format(const struct link_config *config, char *text, size_t room)
{
    struct text out = {text, room, 0};

    append(&out, "");
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        const void *field = (const char *)config + words[i].field;
        if (!is_set(&words[i], field))
            continue;
        append(&out, out.len > 0 ? " " : "");
        append(&out, words[i].name);
        if (words[i].type == WORD_FLAG)
            continue;
        append(&out, " ");
        append_value(&out, &words[i], field);
    }
    return text;
}
