/* Ports as people write them: what is taken, and above all what is not. */
#include "../../../apps/common/numbers.h"
#include "../unit.h"

#include <string.h>

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
    tcase_add_loop_test(tc, a_port_range_is_two_ports_in_order_and_its_error_names_the_wrong_one, 0,
                        sizeof range_rows / sizeof range_rows[0]);
    tcase_add_test(tc, common_services_are_known_on_a_machine_without_a_list_of_them);
}

int main(void)
{
    return unit_main("numbers", tests);
}
