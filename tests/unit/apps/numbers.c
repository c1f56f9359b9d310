/* Numbers, durations and ports as people write them: what is taken, and above all what is not. */
#include "../../../apps/common/numbers.h"
#include "../unit.h"

#include <string.h>

static const struct {
    const char *text;
    bool is_right;
    uint64_t value;
} number_rows[] = {
    {"0", true, 0},
    {"18446744073709551615", true, UINT64_MAX},
    {"0xff", true, 255},
    {"0XFFFFFFFFFFFFFFFF", true, UINT64_MAX},
    {"18446744073709551616", false, 0},
    {"0x10000000000000000", false, 0},
    {"99999999999999999999999999", false, 0},
    {"", false, 0},
    {"0x", false, 0},
    {"-1", false, 0},
    {"+1", false, 0},
    {" 1", false, 0},
    {"1 ", false, 0},
    {"1a", false, 0},
    {"\xff", false, 0},
};

START_TEST(a_number_is_digits_and_nothing_else)
{
    uint64_t value = 1;
    bool is_right = number_parse(number_rows[_i].text, 0, UINT64_MAX, &value);

    ck_assert_msg(is_right == number_rows[_i].is_right, "'%s'", number_rows[_i].text);
    if (is_right)
        ck_assert_uint_eq(value, number_rows[_i].value);
}
END_TEST

START_TEST(a_number_outside_its_limits_is_refused)
{
    uint64_t value;

    ck_assert(number_parse("64", 64, 70, &value));
    ck_assert(number_parse("70", 64, 70, &value));
    ck_assert(!number_parse("63", 64, 70, &value));
    ck_assert(!number_parse("71", 64, 70, &value));
}
END_TEST

static const struct {
    const char *text;
    bool is_right;
    uint64_t us;
} duration_rows[] = {
    {"5", true, 5000000},
    {"0", true, 0},
    {"0.5", true, 500000},
    {"1.000001", true, 1000001},
    {"0.0000009", true, 0}, /* below a microsecond */
    {"250ms", true, 250000},
    {"1.5ms", true, 1500},
    {"100us", true, 100},
    {"2s", true, 2000000},
    {"2m", true, 120000000},
    {"2min", true, 120000000},
    {"1h", true, 3600000000},
    {"8760h", true, DURATION_MAX_US},
    {"8761h", false, 0},
    {"31536000.1", false, 0},
    {"99999999999999999999999", false, 0},
    {"", false, 0},
    {".", false, 0},
    {".5", false, 0},
    {"5.", false, 0},
    {"1.2.3", false, 0},
    {"-1", false, 0},
    {"s", false, 0},
    {"5 s", false, 0},
    {"5x", false, 0},
    {"1e3", false, 0},
};

START_TEST(a_duration_is_seconds_or_has_a_known_unit)
{
    uint64_t us = 1;
    bool is_right = duration_parse(duration_rows[_i].text, &us);

    ck_assert_msg(is_right == duration_rows[_i].is_right, "'%s'", duration_rows[_i].text);
    if (is_right)
        ck_assert_uint_eq(us, duration_rows[_i].us);
}
END_TEST

static const struct {
    const char *text;
    uint16_t first, last; /* 0: refused */
    const char *error;    /* a part of it */
} range_rows[] = {
    {"80", 80, 80, ""},
    {"1-65535", 1, 65535, ""},
    {"20-20", 20, 20, ""},
    {"http", 80, 80, ""},
    {"25-20", 0, 0, "write 20-25"},
    {"0", 0, 0, "'0' is not a number from 1 to 65535"},
    {"65536", 0, 0, "'65536' is not a number"},
    {"20-", 0, 0, "''"},
    {"-20", 0, 0, "'-20' is not a number"},
    {"20-25-30", 0, 0, "'25-30' is not a number"},
    {"80x", 0, 0, "'80x' is not a number"},
    {"000000000000000000080-90", 0, 0, "is not a number"},
    {"no-such-service", 0, 0, "neither a port number nor a known tcp service"},
    {"", 0, 0, "neither a port number"},
};

START_TEST(a_port_range_is_two_ports_in_order_and_its_error_names_the_wrong_one)
{
    struct port_range range;
    char error[200] = "";
    bool is_right = port_range_parse(range_rows[_i].text, "tcp", &range, error, sizeof error);

    ck_assert_msg(is_right == (range_rows[_i].first != 0), "'%s': %s", range_rows[_i].text, error);
    ck_assert_msg(strstr(error, range_rows[_i].error) != NULL, "%s", error);
    if (is_right) {
        ck_assert_uint_eq(range.first, range_rows[_i].first);
        ck_assert_uint_eq(range.last, range_rows[_i].last);
    }
}
END_TEST

START_TEST(common_services_are_known_on_a_machine_without_a_list_of_them)
{
    uint16_t port = 0;
    char error[200];

    ck_assert(port_parse("https", "tcp", &port, error, sizeof error));
    ck_assert_uint_eq(port, 443);
    ck_assert(port_parse("domain", "udp", &port, error, sizeof error));
    ck_assert_uint_eq(port, 53);
    ck_assert_str_eq(port_service(80, "tcp"), "http");
    ck_assert_str_eq(port_service(60999, "tcp"), "*");
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, a_number_is_digits_and_nothing_else, 0,
                        sizeof number_rows / sizeof number_rows[0]);
    tcase_add_test(tc, a_number_outside_its_limits_is_refused);
    tcase_add_loop_test(tc, a_duration_is_seconds_or_has_a_known_unit, 0,
                        sizeof duration_rows / sizeof duration_rows[0]);
    tcase_add_loop_test(tc, a_port_range_is_two_ports_in_order_and_its_error_names_the_wrong_one, 0,
                        sizeof range_rows / sizeof range_rows[0]);
    tcase_add_test(tc, common_services_are_known_on_a_machine_without_a_list_of_them);
}

int main(void)
{
    return unit_main("numbers", tests);
}
