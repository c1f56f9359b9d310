/* The value of a setting: as text, within its limits, and in its field; see settings.h.
 *
 * The sizes of fields are those of the unsigned types of 1, 2, 4 and 8 bytes; an enum counts as the
 * unsigned type of its size. */
#include <string.h>

#include "quantity.h"
#include "settings.h"

/* ---- text */

bool setting_allows(const struct setting *setting, uint64_t value)
{
    if ((value == 0 && setting->zero_is_special) || (value == NEVER && setting->never_is_off))
        return true;
    return value >= setting->low && value <= setting->high;
}

static bool parse_word(const struct setting *setting, const char *text, uint64_t *value)
{
    for (uint64_t i = 0; setting->word[i] != NULL; i++) {
        if (strcmp(text, setting->word[i]) != 0)
            continue;
        *value = i;
        return true;
    }
    return false;
}

bool setting_parse(const struct setting *setting, bool in_seconds, const char *text,
                   uint64_t *value)
{
    uint64_t parsed = NEVER;
    bool is_off = setting->never_is_off && strcmp(text, "off") == 0;
    bool is_word = setting->word != NULL && parse_word(setting, text, &parsed);
    bool is_duration = in_seconds && duration_parse(text, &parsed);

    if (!is_off && !is_word && !is_duration &&
        (in_seconds || !number_parse(text, 0, UINT64_MAX, &parsed)))
        return false;
    if (!setting_allows(setting, parsed))
        return false;
    *value = parsed;
    return true;
}

static char *append(char *at, const char *text)
{
    size_t len = strlen(text);

    memcpy(at, text, len + 1);
    return at + len;
}

static char *append_number(char *at, uint64_t value)
{
    char digits[24];
    size_t first = sizeof digits - 1;

    digits[first] = '\0';
    do
        digits[--first] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    return append(at, &digits[first]);
}

/* The largest unit that needs no fraction. */
static void format_duration(uint64_t us, char *text)
{
    static const struct {
        const char *name;
        uint64_t us;
    } units[] = {{"h", 3600000000}, {"min", 60000000}, {"s", 1000000}, {"ms", 1000}, {"us", 1}};
    size_t i = us == 0 ? 2 : 0;

    while (us % units[i].us != 0)
        i++;
    append(append_number(text, us / units[i].us), units[i].name);
}

char *setting_format(const struct setting *setting, uint64_t value,
                     char text[static SETTING_TEXT_BYTES])
{
    if (setting->never_is_off && value == NEVER)
        append(text, "off");
    else if (setting->word != NULL && value <= setting->high)
        append(text, setting->word[value]);
    else if (setting_is_time(setting))
        format_duration(value < DURATION_MAX_US ? value : DURATION_MAX_US, text);
    else
        append_number(text, value);
    return text;
}

/* ---- fields */

uint64_t setting_load_field(const void *at, size_t size)
{
    uint64_t value = 0;

    switch (size) {
    case 1:
        return *(const uint8_t *)at;
    case 2:
        return *(const uint16_t *)at;
    case 4:
        return *(const uint32_t *)at;
    default:
        memcpy(&value, at, sizeof value);
        return value;
    }
}

static void store(void *at, size_t size, uint64_t value)
{
    uint8_t byte = (uint8_t)value;
    uint16_t half = (uint16_t)value;
    uint32_t word = (uint32_t)value;

    switch (size) {
    case 1:
        memcpy(at, &byte, sizeof byte);
        return;
    case 2:
        memcpy(at, &half, sizeof half);
        return;
    case 4:
        memcpy(at, &word, sizeof word);
        return;
    default:
        memcpy(at, &value, sizeof value);
    }
}

uint64_t setting_load(const struct setting *setting, const struct stack_config *config)
{
    return setting_load_field((const char *)config + setting->offset, setting->size);
}

void setting_store(const struct setting *setting, struct stack_config *config, uint64_t value)
{
    store((char *)config + setting->offset, setting->size, value);
}

uint64_t setting_load_tcp(const struct setting *setting, const struct tcp_config *config)
{
    return setting_load_field((const char *)config +
                                  (setting->offset - offsetof(struct stack_config, tcp)),
                              setting->size);
}

void setting_store_tcp(const struct setting *setting, struct tcp_config *config, uint64_t value)
{
    store((char *)config + (setting->offset - offsetof(struct stack_config, tcp)), setting->size,
          value);
}
