/* resolv.conf(5), read from files in a directory of their own. */
#include "../../../tun/resolv.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../unit.h"

enum { SERVERS_MAX = 4 };

static char directory[] = "/tmp/tuntcp-resolv-XXXXXX";
static char conf[64], upstream[64];

static void set_up(void)
{
    memcpy(directory + sizeof directory - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(conf, sizeof conf, "%s/resolv.conf", directory);
    snprintf(upstream, sizeof upstream, "%s/upstream", directory);
}

static void tear_down(void)
{
    unlink(conf);
    unlink(upstream);
    rmdir(directory);
}

static void write_file(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
}

/* What resolv_servers_from() makes of `text`: addresses joined by blanks. */
static const char *servers_of(const char *text)
{
    static char list[SERVERS_MAX * IP_ADDR_TEXT_BYTES];
    struct ip_addr servers[SERVERS_MAX];
    char address[IP_ADDR_TEXT_BYTES];
    size_t len = 0;

    write_file(conf, text, strlen(text));
    unsigned count = resolv_servers_from(conf, upstream, servers, SERVERS_MAX);
    ck_assert_uint_le(count, SERVERS_MAX);
    list[0] = '\0';
    for (unsigned i = 0; i < count; i++)
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", i > 0 ? " " : "",
                                ip_addr_format(&servers[i], address));
    return list;
}

static const char *const files[][2] = {
    {"nameserver 192.0.2.1\n", "192.0.2.1"},
    {"nameserver 192.0.2.1", "192.0.2.1"},
    {"nameserver 192.0.2.1\r\nnameserver\t192.0.2.2 \n", "192.0.2.1 192.0.2.2"},
    {"  nameserver   192.0.2.1 # office\n", "192.0.2.1"},
    {"# nameserver 192.0.2.1\n;nameserver 192.0.2.2\n", ""},
    {"search example.com\noptions ndots:2\nnameserver 192.0.2.1\n", "192.0.2.1"},
    {"nameserver 2001:db8::1\nnameserver fe80::1%eth0\nnameserver 192.0.2.1\n", "192.0.2.1"},
    {"nameserver 127.0.0.1\nnameserver 127.9.9.9\n", ""},
    {"nameserver 0.0.0.0\nnameserver 255.255.255.255\nnameserver 224.0.0.1\n", ""},
    {"nameserver\nnameserver \nnameservers 192.0.2.1\nnameserver192.0.2.1\n", ""},
    {"nameserver 192.0.2.256\nnameserver 192.0.2\nnameserver 1.2.3.4.5\n", ""},
    {"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n"
     "nameserver 192.0.2.5\n",
     "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4"},
    {"", ""},
};

START_TEST(nameserver_lines_with_usable_ipv4_addresses_are_taken)
{
    ck_assert_str_eq(servers_of(files[_i][0]), files[_i][1]);
}
END_TEST

START_TEST(systemd_resolved_is_replaced_by_the_servers_that_it_asks)
{
    static const char text[] = "nameserver 192.0.2.7\nnameserver 192.0.2.8\n";

    write_file(upstream, text, strlen(text));
    ck_assert_str_eq(servers_of("nameserver 127.0.0.53\noptions edns0\n"), "192.0.2.7 192.0.2.8");
}
END_TEST

START_TEST(the_upstream_list_is_not_read_without_systemd_resolved)
{
    static const char text[] = "nameserver 192.0.2.7\n";

    write_file(upstream, text, strlen(text));
    ck_assert_str_eq(servers_of("nameserver 127.0.0.1\n"), "");
    ck_assert_str_eq(servers_of("nameserver 192.0.2.1\n"), "192.0.2.1");
}
END_TEST

START_TEST(an_upstream_list_that_names_the_stub_again_gives_nothing)
{
    static const char text[] = "nameserver 127.0.0.53\n";

    write_file(upstream, text, strlen(text));
    ck_assert_str_eq(servers_of(text), "");
}
END_TEST

START_TEST(a_missing_file_has_no_servers)
{
    struct ip_addr servers[SERVERS_MAX];

    ck_assert_uint_eq(resolv_servers_from(conf, upstream, servers, SERVERS_MAX), 0);
    ck_assert_uint_eq(resolv_servers(directory, servers, SERVERS_MAX), 0); /* a directory */
    ck_assert_str_eq(servers_of("nameserver 127.0.0.53\n"), "");
}
END_TEST

START_TEST(a_long_line_is_skipped_as_one_line)
{
    char text[2000];

    memset(text, ' ', sizeof text);
    memcpy(text, "search ", 7);
    memcpy(text + 300, "nameserver 192.0.2.9", 20);
    memcpy(text + 1970, "\nnameserver 192.0.2.1\n", 23);
    ck_assert_str_eq(servers_of(text), "192.0.2.1");
}
END_TEST

START_TEST(any_bytes_are_survived)
{
    struct ip_addr servers[SERVERS_MAX];
    char bytes[4096];

    for (unsigned seed = 1; seed < 200; seed++) {
        srandom(seed);
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = "\0\n nameserv1.2\x80"[random() % 15];
        write_file(conf, bytes, sizeof bytes);
        ck_assert_uint_le(resolv_servers_from(conf, conf, servers, SERVERS_MAX), SERVERS_MAX);
    }
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, nameserver_lines_with_usable_ipv4_addresses_are_taken, 0,
                        sizeof files / sizeof files[0]);
    tcase_add_test(tc, systemd_resolved_is_replaced_by_the_servers_that_it_asks);
    tcase_add_test(tc, the_upstream_list_is_not_read_without_systemd_resolved);
    tcase_add_test(tc, an_upstream_list_that_names_the_stub_again_gives_nothing);
    tcase_add_test(tc, a_missing_file_has_no_servers);
    tcase_add_test(tc, a_long_line_is_skipped_as_one_line);
    tcase_add_test(tc, any_bytes_are_survived);
}

int main(void)
{
    return unit_main("resolv", tests);
}
