/* --set NAME=VALUE: what is taken, and the line that a slip gets. */
#include "../../../apps/common/set_option.h"
#include "../unit.h"

#include <string.h>

START_TEST(a_value_reaches_its_field)
{
    struct stack_config config;
    char error[200] = "";

    stack_config_init(&config);
    ck_assert(set_option_take(&config, "rto_min=0.3", error, sizeof error));
    ck_assert(set_option_take(&config, "connections_max=7", error, sizeof error));
    ck_assert(set_option_take(&config, "syn_style=linux", error, sizeof error));
    ck_assert_uint_eq(config.tcp.rto_min_us, 300000);
    ck_assert_uint_eq(config.connections_max, 7);
    ck_assert_int_eq(config.tcp.syn_style, TCP_SYN_STYLE_LINUX);
    ck_assert_str_eq(error, "");
}
END_TEST

static const struct {
    const char *assignment, *line;
} slips[] = {
    {"rto_mni=1", "--set rto_mni: there is no such setting; do you mean rto_min or rto_max or "
                  "uto_min; --set list shows all"},
    {"user_timeout=5", "--set user_timeout: there is no such setting; do you mean r2 or uto or "
                       "uto_changeable; --set list shows all"},
    {"xyzzyplugh=1", "--set xyzzyplugh: there is no such setting; --set list shows all"},
    {"rto_min=-1", "--set rto_min: '-1' is not a time from 1ms to 8760h"},
    {"rto_min_us=5", "--set rto_min_us: '5' is not a number of microseconds from 1ms to 8760h"},
    {"linger=soon", "--set linger: 'soon' is not a time from 0s to 8760h, or off"},
    {"mss_clamp=5", "--set mss_clamp: '5' is not a number from 48 to 65495, or 0"},
    {"nagle=maybe", "--set nagle: 'maybe' is not off or on"},
    {"nagle", "--set nagle: write --set NAME=VALUE; --set list shows the names"},
    {"=1", "--set =1: write --set NAME=VALUE; --set list shows the names"},
    {"a_name_that_is_longer_than_any_that_there_could_ever_be=1",
     "--set a_name_that_is_longer_than_any_that_there_could: there is no such setting; --set list "
     "shows all"},
};

START_TEST(a_slip_gets_one_line_that_helps)
{
    struct stack_config config, before;
    char error[300] = "";

    stack_config_init(&config);
    before = config;
    ck_assert(!set_option_take(&config, slips[_i].assignment, error, sizeof error));
    ck_assert_str_eq(error, slips[_i].line);
    ck_assert_mem_eq(&config, &before, sizeof config);
}
END_TEST

START_TEST(a_list_has_a_line_for_each_name_with_default_and_limits)
{
    static const char row[] = "rto_min_us               200ms    1ms to 8760h         "
                              "least retransmission time-out\n";
    char text[16384];
    FILE *out = tmpfile();

    set_option_list(out);
    rewind(out);
    size_t len = fread(text, 1, sizeof text - 1, out);
    text[len] = '\0';
    fclose(out);
    ck_assert_msg(strstr(text, row) != NULL, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "\nlinger_us                off "));
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, a_value_reaches_its_field);
    tcase_add_loop_test(tc, a_slip_gets_one_line_that_helps, 0, sizeof slips / sizeof slips[0]);
    tcase_add_test(tc, a_list_has_a_line_for_each_name_with_default_and_limits);
}

int main(void)
{
    return unit_main("set_option", tests);
}
