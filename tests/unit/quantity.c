/* Numbers and durations as people write them: what is taken, and above all what is not. */
#include "../../stack/quantity.h"
#include "unit.h"

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

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, a_number_is_digits_and_nothing_else, 0,
                        sizeof number_rows / sizeof number_rows[0]);
    tcase_add_test(tc, a_number_outside_its_limits_is_refused);
    tcase_add_loop_test(tc, a_duration_is_seconds_or_has_a_known_unit, 0,
                        sizeof duration_rows / sizeof duration_rows[0]);
}

int main(void)
{
    return unit_main("quantity", tests);
}
