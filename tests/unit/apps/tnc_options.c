/* The command line of tnc: what nc's users type works, and every slip gets a line that names it. */
#include "../../../apps/common/tnc_options.h"
#include "../unit.h"

#include <string.h>

enum { WORDS_MAX = 60, TEXT_BYTES = 512 };

static struct tnc_options options;
static char error[600];

/* Splits at blanks; '_' in a word stands for a blank. */
static enum tnc_wish parse(const char *text)
{
    static char copy[TEXT_BYTES];
    static char *argv[WORDS_MAX + 1];
    int argc = 0;

    strcpy(copy, text);
    argv[argc++] = (char[]){"tnc"};
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        for (char *c = strchr(word, '_'); c != NULL; c = strchr(c, '_'))
            *c = ' ';
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    return tnc_options_parse(&options, argc, argv, error, sizeof error);
}

static void parses(const char *text)
{
    ck_assert_msg(parse(text) == TNC_RUN, "%s: %s", text, error);
}

START_TEST(host_and_port_are_two_words_and_options_may_stand_anywhere)
{
    parses("google.com -v 80 -w 3");
    ck_assert_str_eq(options.host, "google.com");
    ck_assert_uint_eq(options.range[0].first, 80);
    ck_assert_uint_eq(options.connect_timeout_us, 3000000);
    ck_assert_int_eq(options.common.verbosity, 1);
    ck_assert(!options.listens && !options.leaves_stdin);
}
END_TEST

static const char *const listen_spellings[] = {"-l 8080",    "-l -p 8080", "-lp 8080",
                                               "-p 8080 -l", "8080 -l",    "-lp8080"};

START_TEST(every_spelling_of_listening_gives_the_same_port)
{
    parses(listen_spellings[_i]);
    ck_assert(options.listens);
    ck_assert_uint_eq(options.local_port, 8080);
    ck_assert_ptr_null(options.host);
    ck_assert(!options.has_local_address);
}
END_TEST

static const char *const listen_addresses[] = {"-l 10.0.0.2 8080", "-l -p 8080 10.0.0.2",
                                               "-l -s 10.0.0.2 8080"};

START_TEST(a_listener_can_be_bound_to_an_address)
{
    parses(listen_addresses[_i]);
    ck_assert(options.has_local_address);
    ck_assert_uint_eq(ip_addr_to_v4(&options.local_address), 0x0a000002);
    ck_assert_uint_eq(options.local_port, 8080);
}
END_TEST

START_TEST(s_gives_the_stack_its_address_unless_another_option_has)
{
    parses("-s 10.0.0.7 host 80");
    ck_assert(options.common.config.has_address);
    ck_assert_uint_eq(ip_addr_to_v4(&options.common.config.address), 0x0a000007);
    parses("-s 10.0.0.7 --address 10.0.0.8 host 80");
    ck_assert_uint_eq(ip_addr_to_v4(&options.common.config.address), 0x0a000008);
    parses("-l 10.0.0.7 80");
    ck_assert(!options.common.config.has_address);
}
END_TEST

START_TEST(gateways_are_kept_in_their_order)
{
    parses("-g 10.0.0.1 -g 10.0.0.2 host 80");
    const struct source_route *route = &options.common.config.stack.tcp.source_route;
    ck_assert_uint_eq(route->hop_count, 2);
    ck_assert_uint_eq(ip_addr_to_v4(&route->hop[1]), 0x0a000002);
}
END_TEST

START_TEST(a_scan_takes_ranges_and_reads_no_input)
{
    parses("-z host 20-25 80 http");
    ck_assert(options.scans && options.leaves_stdin);
    ck_assert_uint_eq(options.range_count, 3);
    ck_assert_uint_eq(options.range[0].first, 20);
    ck_assert_uint_eq(options.range[0].last, 25);
    ck_assert_uint_eq(options.range[2].first, 80);
}
END_TEST

START_TEST(get_asks_port_80_unless_told_otherwise_and_reads_no_input)
{
    parses("--get / google.com");
    ck_assert_uint_eq(options.range[0].first, 80);
    ck_assert(options.leaves_stdin);
    parses("--get /a google.com 8080");
    ck_assert_uint_eq(options.range[0].first, 8080);
    ck_assert_str_eq(options.get_path, "/a");
}
END_TEST

START_TEST(times_are_taken_with_and_without_a_unit)
{
    parses("-w 250ms -i 2 -q 0 host 80");
    ck_assert_uint_eq(options.connect_timeout_us, 250000);
    ck_assert_uint_eq(options.idle_timeout_us, 2000000);
    ck_assert_uint_eq(options.quit_delay_us, 0);
    parses("-q -1 host 80");
    ck_assert(options.quit_delay_us == NEVER);
}
END_TEST

START_TEST(what_nc_users_add_out_of_habit_is_accepted)
{
    parses("-4NCn 10.0.0.1 80");
    ck_assert(options.sends_crlf && options.no_names);
    parses("-d host 80");
    ck_assert(options.leaves_stdin);
    parses("-lk 80");
    ck_assert(options.keeps_open);
}
END_TEST

START_TEST(options_of_the_stack_reach_its_configuration)
{
    parses("--no-sack --no-timestamps --no-window-scaling "
           "--no-nagle --mss 536 --syn-style linux "
           "--seed 0x10 --tun tun7 --address 10.9.0.2 --dns "
           "10.9.0.1 --dns 10.9.0.3 h 1");
    const struct host_config *config = &options.common.config;
    ck_assert(!config->stack.tcp.sack && !config->stack.tcp.timestamps &&
              !config->stack.tcp.window_scaling);
    ck_assert(!config->stack.tcp.nagle);
    ck_assert_uint_eq(config->stack.tcp.mss_clamp_bytes, 536);
    ck_assert_int_eq(config->stack.tcp.syn_style, TCP_SYN_STYLE_LINUX);
    ck_assert(config->has_seed);
    ck_assert_uint_eq(config->seed, 16);
    ck_assert_str_eq(config->tun_name, "tun7");
    ck_assert_uint_eq(config->dns_server_count, 2);
    ck_assert_uint_eq(ip_addr_to_v4(&config->dns_server[1]), 0x0a090003);
    ck_assert(config->has_address);
}
END_TEST

START_TEST(any_setting_can_be_set_by_name)
{
    parses("--set ttl=9 --set mtu=900 --set r2=off --set uto=on h 1");
    const struct stack_config *stack = &options.common.config.stack;
    ck_assert_uint_eq(stack->tcp.ttl, 9);
    ck_assert_uint_eq(stack->mtu_bytes, 900);
    ck_assert(stack->tcp.r2_us == NEVER && stack->tcp.uto);
}
END_TEST

START_TEST(a_list_of_settings_needs_no_host)
{
    ck_assert_int_eq(parse("--set list"), TNC_LIST_SETTINGS);
}
END_TEST

START_TEST(without_options_the_stack_keeps_its_defaults)
{
    struct tcp_config defaults;

    tcp_config_init(&defaults);
    parses("host 80");
    ck_assert(options.common.config.stack.tcp.timestamps == defaults.timestamps);
    ck_assert(options.common.config.stack.tcp.sack == defaults.sack);
    ck_assert(options.common.config.stack.tcp.nagle == defaults.nagle);
    ck_assert(!options.common.config.use_lab && !options.common.config.has_seed);
}
END_TEST

START_TEST(the_service_name_of_p_is_looked_up_for_the_right_protocol)
{
    parses("-l -p domain -u");
    ck_assert(options.udp);
    ck_assert_uint_eq(options.local_port, 53);
}
END_TEST

START_TEST(help_version_and_the_list_of_scenarios_need_nothing_else)
{
    ck_assert_int_eq(parse("--help"), TNC_HELP);
    ck_assert_int_eq(parse("-h"), TNC_HELP);
    ck_assert_int_eq(parse("--version"), TNC_VERSION);
    ck_assert_int_eq(parse("--lab=list"), TNC_LIST_SCENARIOS);
}
END_TEST

static const struct {
    const char *text;
    const char *error; /* a part of the line */
} wrong_rows[] = {
    {"", "no host was given"},
    {"google.com", "no port was given: tnc google.com PORT"},
    {"-l", "no port was given: tnc -l PORT"},
    {"google.com 99999", "'99999'"},
    {"google.com 0", "'0'"},
    {"google.com htpp", "'htpp'"},
    {"google.com 80 81", "'81' is one word too many"},
    {"google.com 80-90", "-z"},
    {"-z google.com 90-80", "write 80-90"},
    {"-l 1 2 3", "'3' is one word too many"},
    {"-l host 80", "'host' is not a local IPv4 address"},
    {"-l -s 10.0.0.3 10.0.0.2 80", "one address"},
    {"-l -z 80", "-l and -z"},
    {"-l --get / 80", "-l and --get"},
    {"-z --get / host", "-z and --get"},
    {"-u --get / host", "-u and --get"},
    {"-k host 80", "-k needs -l"},
    {"-g gate host 80", "-g 'gate' is not the address of a gateway"},
    {"-g 224.0.0.1 host 80", "-g '224.0.0.1'"},
    {"-u -g 10.0.0.1 host 80", "-u and -g"},
    {"-g 10.0.0.1 -g 10.0.0.1 -g 10.0.0.1 -g 10.0.0.1 -g 10.0.0.1 -g 10.0.0.1 -g 10.0.0.1 "
     "-g 10.0.0.1 -g 10.0.0.1 -g 10.0.0.1 host 80",
     "at most 9 gateways"},
    {"-6 host 80", "-6: IPv6 is not done yet"},
    {"::1 80", "looks like IPv6"},
    {"google.com:80 80", "two words"},
    {"http://google.com 80", "is a URL"},
    {"goo_gle.com 80", "blank"},
    {"goo\001gle.com 80", "control character"},
    {"-x host 80", "-x is not an option"},
    {"-lx 80", "-x is not an option"},
    {"--nonsense host 80", "--nonsense is not an option"},
    {"--no host 80", "--no is not an option"},
    {"--no-sack=yes host 80", "takes no value"},
    {"--help=yes", "takes no value"},
    {"host 80 -w", "-w needs a value"},
    {"host 80 --tun", "--tun needs a value"},
    {"-w soon host 80", "-w 'soon' is not a time"},
    {"-w 0 host 80", "-w '0' is not a time"},
    {"-w -1 host 80", "-w '-1' is not a time"},
    {"-p 0 host 80", "'0'"},
    {"-s nowhere host 80", "'nowhere'"},
    {"--get index.html host", "begins with /"},
    {"--get /a_b host", "%20"},
    {"--mss 63 host 80", "--mss '63'"},
    {"--mss 65496 host 80", "--mss '65496'"},
    {"--seed -1 host 80", "--seed '-1'"},
    {"--dns 127.0.0.53 host 80", "--dns '127.0.0.53'"},
    {"--dns resolver host 80", "--dns 'resolver'"},
    {"--dns 10.0.0.1 --dns 10.0.0.1 --dns 10.0.0.1 "
     "--dns 10.0.0.1 --dns 10.0.0.1 h 1",
     "at most 4"},
    {"--address 0.0.0.0 host 80", "--address '0.0.0.0'"},
    {"--tun abcdefghijklmnop host 80", "1 to 15 characters"},
    {"--syn-style bsd host 80", "macos or linux"},
    {"--set ttl=0 host 80", "--set ttl: '0' is not a number from 1 to 255"},
    {"--set nagel=off host 80", "do you mean nagle; --set list shows all"},
    {"--color=often host 80", "auto, always or never"},
    {"--impair gibberish host 80", "--impair: "},
    {"--lab=nowhere host 80", "no scenario 'nowhere'"},
    {"--lab --tun tun0 host 80", "--lab needs no device"},
    {"-z h 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 "
     "18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33",
     "at most 32"},
};

START_TEST(a_wrong_command_line_gets_one_line_that_names_the_slip)
{
    enum tnc_wish wish = parse(wrong_rows[_i].text);

    ck_assert_msg(wish == TNC_WRONG, "accepted: %s", wrong_rows[_i].text);
    ck_assert_msg(strstr(error, wrong_rows[_i].error) != NULL, "%s: %s", wrong_rows[_i].text,
                  error);
    ck_assert_ptr_null(strchr(error, '\n'));
}
END_TEST

/* Everything that random words can do is to be
 * refused; the sanitizers watch. */
START_TEST(random_words_neither_crash_nor_overflow_the_line)
{
    uint64_t random = 0x9e3779b97f4a7c15ull;
    static char word[8][300];
    char *argv[9];

    for (int round = 0; round < 20000; round++) {
        argv[0] = (char[]){"tnc"};
        int argc = 1 + round % 7;
        for (int i = 1; i < argc; i++) {
            size_t len = 1 + (size_t)(random >> 33) % (round % 100 == 0 ? 298 : 6);
            for (size_t at = 0; at < len; at++) {
                random = random * 6364136223846793005ull + 1442695040888963407ull;
                uint8_t byte = (uint8_t)(random >> 40);
                word[i][at] = (char)(byte % 3 == 0 ? "-lzpuw=0"[byte >> 5] : byte == 0 ? 1 : byte);
            }
            word[i][len] = '\0';
            argv[i] = word[i];
        }
        argv[argc] = NULL;
        error[0] = '\0';
        enum tnc_wish wish = tnc_options_parse(&options, argc, argv, error, 80);
        ck_assert((wish == TNC_WRONG) == (error[0] != '\0'));
        ck_assert_uint_lt(strlen(error), 80);
    }
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, host_and_port_are_two_words_and_options_may_stand_anywhere);
    tcase_add_loop_test(tc, every_spelling_of_listening_gives_the_same_port, 0, 6);
    tcase_add_loop_test(tc, a_listener_can_be_bound_to_an_address, 0, 3);
    tcase_add_test(tc, s_gives_the_stack_its_address_unless_another_option_has);
    tcase_add_test(tc, gateways_are_kept_in_their_order);
    tcase_add_test(tc, a_scan_takes_ranges_and_reads_no_input);
    tcase_add_test(tc, get_asks_port_80_unless_told_otherwise_and_reads_no_input);
    tcase_add_test(tc, times_are_taken_with_and_without_a_unit);
    tcase_add_test(tc, what_nc_users_add_out_of_habit_is_accepted);
    tcase_add_test(tc, options_of_the_stack_reach_its_configuration);
    tcase_add_test(tc, any_setting_can_be_set_by_name);
    tcase_add_test(tc, a_list_of_settings_needs_no_host);
    tcase_add_test(tc, without_options_the_stack_keeps_its_defaults);
    tcase_add_test(tc, the_service_name_of_p_is_looked_up_for_the_right_protocol);
    tcase_add_test(tc, help_version_and_the_list_of_scenarios_need_nothing_else);
    tcase_add_loop_test(tc, a_wrong_command_line_gets_one_line_that_names_the_slip, 0,
                        sizeof wrong_rows / sizeof wrong_rows[0]);
    tcase_add_test(tc, random_words_neither_crash_nor_overflow_the_line);
}

int main(void)
{
    return unit_main("tnc_options", tests);
}
