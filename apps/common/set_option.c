/* --set: names, values and limits are the stack's own table (settings.h); here they get words. */
#include "set_option.h"

#include <string.h>

#include "../../stack/settings.h"

enum { NAME_BYTES = 48, RANGE_BYTES = 120 };

static bool complain_of_name(const char *name, char *error, size_t room);
static int name_bytes_of(const struct setting *setting);
static const char *kind_of(const struct setting *setting, bool in_seconds);
static const char *range_text(const struct setting *setting, char text[static RANGE_BYTES]);

bool set_option_take(struct stack_config *config, const char *assignment, char *error, size_t room)
{
    const char *equals = strchr(assignment, '=');
    size_t len = equals == NULL ? 0 : (size_t)(equals - assignment);
    char name[NAME_BYTES], range[RANGE_BYTES];
    bool in_seconds = false;
    uint64_t value;

    if (len == 0) {
        snprintf(error, room, "--set %s: write --set NAME=VALUE; --set list shows the names",
                 assignment);
        return false;
    }
    snprintf(name, sizeof name, "%.*s", (int)(len < NAME_BYTES ? len : NAME_BYTES), assignment);
    const struct setting *setting = settings_find(name, &in_seconds);
    if (setting == NULL)
        return complain_of_name(name, error, room);
    if (!setting_parse(setting, in_seconds, equals + 1, &value)) {
        snprintf(error, room, "--set %s: '%s' is not %s%s", name, equals + 1,
                 kind_of(setting, in_seconds), range_text(setting, range));
        return false;
    }
    setting_store(setting, config, value);
    return true;
}

static bool complain_of_name(const char *name, char *error, size_t room)
{
    const struct setting *nearest[SETTINGS_NEAREST_MAX];
    unsigned count = settings_nearest(name, nearest);
    char names[SETTINGS_NEAREST_MAX * NAME_BYTES] = "";
    size_t at = 0;

    for (unsigned i = 0; i < count; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%.*s", i > 0 ? " or " : "",
                               name_bytes_of(nearest[i]), nearest[i]->name);
    snprintf(error, room, "--set %s: there is no such setting%s%s; --set list shows all", name,
             count > 0 ? "; do you mean " : "", names);
    return false;
}

/* Times without their unit, because people write seconds. */
static int name_bytes_of(const struct setting *setting)
{
    return (int)(setting_is_time(setting) ? setting_bare_bytes(setting->name)
                                          : strlen(setting->name));
}

static const char *kind_of(const struct setting *setting, bool in_seconds)
{
    if (setting->word != NULL)
        return "";
    if (!setting_is_time(setting))
        return "a number from ";
    return in_seconds ? "a time from " : "a number of microseconds from ";
}

/* "off or on", "1 to 255", "1s to 1h, or 0". */
static const char *range_text(const struct setting *setting, char text[static RANGE_BYTES])
{
    char low[SETTING_TEXT_BYTES], high[SETTING_TEXT_BYTES];
    size_t at = 0;

    text[0] = '\0';
    for (uint64_t i = 0; setting->word != NULL && setting->word[i] != NULL; i++)
        at += (size_t)snprintf(text + at, RANGE_BYTES - at, "%s%s", i > 0 ? " or " : "",
                               setting->word[i]);
    if (setting->word != NULL)
        return text;
    setting_format(setting, setting->low, low);
    setting_format(setting, setting->high, high);
    snprintf(text, RANGE_BYTES, "%s to %s%s%s", low, high, setting->zero_is_special ? ", or 0" : "",
             setting->never_is_off ? ", or off" : "");
    return text;
}

void set_option_list(FILE *out)
{
    static const char row[] = "%-24s %-8s %-20s %s\n";
    struct stack_config defaults;
    char value[SETTING_TEXT_BYTES], range[RANGE_BYTES];
    const struct setting *setting;

    stack_config_init(&defaults);
    fputs("Times are in seconds, or have a unit: 0.5, 250ms, 2m. The unit at the end of a name may "
          "be\nleft out: rto_min=0.3 is rto_min_us=300000.\n\n",
          out);
    fprintf(out, row, "NAME", "DEFAULT", "LIMITS", "WHAT IT IS");
    for (unsigned i = 0; (setting = settings_at(i)) != NULL; i++)
        fprintf(out, row, setting->name,
                setting_format(setting, setting_load(setting, &defaults), value),
                range_text(setting, range), setting->help);
}
