/* The table of settings: names, limits, values as text, and that it covers the configuration. */
#include "../../stack/settings.h"
#include "unit.h"

#include <string.h>

static const struct setting *called(const char *name)
{
    bool in_seconds;
    const struct setting *setting = settings_find(name, &in_seconds);

    ck_assert_msg(setting != NULL, "%s", name);
    return setting;
}

START_TEST(every_default_is_within_its_limits_and_reads_back)
{
    struct stack_config config;
    const struct setting *setting;
    char text[SETTING_TEXT_BYTES];
    unsigned count = 0;

    stack_config_init(&config);
    for (; (setting = settings_at(count)) != NULL; count++) {
        uint64_t value = setting_load(setting, &config), again = 77;
        ck_assert_msg(setting_allows(setting, value), "%s", setting->name);
        setting_format(setting, value, text);
        ck_assert_msg(setting_parse(setting, setting_is_time(setting), text, &again), "%s=%s",
                      setting->name, text);
        ck_assert_uint_eq(again, value);
    }
    ck_assert_uint_gt(count, 40);
}
END_TEST

/* A row that lies at the wrong place would change its neighbours, or nothing. */
START_TEST(every_setting_changes_its_own_bytes_and_no_others)
{
    const struct setting *setting;

    for (unsigned i = 0; (setting = settings_at(i)) != NULL; i++) {
        struct stack_config before, after;
        memset(&before, 0, sizeof before);
        memset(&after, 0, sizeof after);
        setting_store(setting, &after, setting->high);
        ck_assert_uint_eq(setting_load(setting, &after), setting->high);
        memset((char *)&after + setting->offset, 0, setting->size);
        ck_assert_msg(memcmp(&before, &after, sizeof after) == 0, "%s", setting->name);
    }
}
END_TEST

START_TEST(every_name_is_unique_with_and_without_its_unit)
{
    const struct setting *setting;
    bool in_seconds;
    char bare[64];

    for (unsigned i = 0; (setting = settings_at(i)) != NULL; i++) {
        size_t len = setting_bare_bytes(setting->name);
        memcpy(bare, setting->name, len);
        bare[len] = '\0';
        ck_assert_ptr_eq(settings_find(setting->name, &in_seconds), setting);
        ck_assert(!in_seconds);
        if (strcmp(setting->name, "keepalive_count") == 0)
            continue; /* without its unit it is keepalive, the switch */
        ck_assert_ptr_eq(settings_find(bare, &in_seconds), setting);
        ck_assert(in_seconds == setting_is_time(setting));
    }
}
END_TEST

static const struct {
    const char *name, *text;
    bool is_right;
    uint64_t value;
} values[] = {
    {"rto_min", "0.3", true, 300000},
    {"rto_min", "250ms", true, 250000},
    {"rto_min_us", "250", false, 0}, /* below a millisecond */
    {"rto_min_us", "250000", true, 250000},
    {"rto_min_us", "0.3", false, 0},
    {"rto_min", "", false, 0},
    {"rto_min", "-1", false, 0},
    {"rto_min", "off", false, 0},
    {"r2", "off", true, NEVER},
    {"linger", "off", true, NEVER},
    {"linger", "0", true, 0},
    {"linger", "2", true, 2000000},
    {"delayed_ack", "0.499999", true, 499999},
    {"delayed_ack", "0.5", false, 0}, /* MUST-40 */
    {"nagle", "on", true, 1},
    {"nagle", "off", true, 0},
    {"nagle", "1", true, 1},
    {"nagle", "2", false, 0},
    {"nagle", "linux", false, 0},
    {"syn_style", "linux", true, 1},
    {"congestion", "reno", true, 0},
    {"congestion", "bbr", true, TCP_CONGESTION_BBR},
    {"congestion", "vegas", false, 0},
    {"ttl", "255", true, 255},
    {"ttl", "256", false, 0},
    {"ttl", "0", false, 0},
    {"mss_clamp", "0", true, 0},
    {"mss_clamp", "47", false, 0},
    {"mss_clamp", "48", true, 48},
    {"tos", "0xb8", true, 0xb8},
};

START_TEST(a_value_is_taken_only_within_its_limits)
{
    bool in_seconds;
    const struct setting *setting = settings_find(values[_i].name, &in_seconds);
    uint64_t value = 77;

    ck_assert_ptr_nonnull(setting);
    bool is_right = setting_parse(setting, in_seconds, values[_i].text, &value);
    ck_assert_msg(is_right == values[_i].is_right, "%s=%s", values[_i].name, values[_i].text);
    ck_assert_uint_eq(value, is_right ? values[_i].value : 77);
}
END_TEST

START_TEST(a_time_is_written_in_the_largest_unit_without_a_fraction)
{
    static const struct {
        uint64_t us;
        const char *text;
    } rows[] = {{0, "0s"},           {1, "1us"},         {1500, "1500us"},
                {200000, "200ms"},   {1000000, "1s"},    {90000000, "90s"},
                {120000000, "2min"}, {7200000000, "2h"}, {NEVER - 1, "8760h"}};
    char text[SETTING_TEXT_BYTES];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_str_eq(setting_format(called("msl"), rows[i].us, text), rows[i].text);
    ck_assert_str_eq(setting_format(called("r2"), NEVER, text), "off");
}
END_TEST

static const struct {
    const char *typed, *meant; /* NULL: nothing comes near */
} slips[] = {
    {"rto_mni", "rto_min_us"},
    {"sak", "sack"},
    {"backlok", "backlog"},
    {"timestamp", "timestamps"},
    {"mss", "mss_clamp_bytes"},
    {"nodelay", "nagle"},
    {"TCP_NODELAY", "nagle"},
    {"user_timeout", "r2_us"},
    {"retries", "syn_retry_count"},
    {"so_linger", "linger_us"},
    {"x", NULL},
    {"xyzzyplugh", NULL},
    {"", NULL},
};

START_TEST(a_wrong_name_leads_to_the_likeliest)
{
    const struct setting *nearest[SETTINGS_NEAREST_MAX];
    unsigned count = settings_nearest(slips[_i].typed, nearest);

    if (slips[_i].meant == NULL) {
        ck_assert_uint_eq(count, 0);
        return;
    }
    ck_assert_msg(count > 0 && strcmp(nearest[0]->name, slips[_i].meant) == 0, "%s: %s",
                  slips[_i].typed, count > 0 ? nearest[0]->name : "nothing");
}
END_TEST

START_TEST(a_configuration_is_bound_to_the_limits)
{
    struct tcp_config config;

    tcp_config_init(&config);
    config.rto_max_us = 0;
    config.delayed_ack_us = UINT64_MAX; /* MUST-40 */
    config.keepalive_count = 0;         /* MUST-29 */
    config.ttl = 0;
    config.linger_us = 0;
    config.uto_max_us = 1;
    tcp_config_bound(&config);
    ck_assert_uint_eq(config.rto_max_us, 1000);
    ck_assert_uint_eq(config.rto_min_us, 1000);
    ck_assert_uint_eq(config.rto_initial_us, 1000);
    ck_assert_uint_lt(config.delayed_ack_us, 500000);
    ck_assert_uint_eq(config.keepalive_count, 2);
    ck_assert_uint_eq(config.ttl, 1);
    ck_assert_uint_eq(config.linger_us, 0);
    ck_assert_uint_eq(config.uto_min_us, config.uto_max_us);
    ck_assert_uint_eq(config.r2_us, 900000000);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, every_default_is_within_its_limits_and_reads_back);
    tcase_add_test(tc, every_setting_changes_its_own_bytes_and_no_others);
    tcase_add_test(tc, every_name_is_unique_with_and_without_its_unit);
    tcase_add_loop_test(tc, a_value_is_taken_only_within_its_limits, 0,
                        sizeof values / sizeof values[0]);
    tcase_add_test(tc, a_time_is_written_in_the_largest_unit_without_a_fraction);
    tcase_add_loop_test(tc, a_wrong_name_leads_to_the_likeliest, 0, sizeof slips / sizeof slips[0]);
    tcase_add_test(tc, a_configuration_is_bound_to_the_limits);
}

int main(void)
{
    return unit_main("settings", tests);
}
