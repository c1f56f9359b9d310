/* The options shared by all applications, and their reading.
 *
 * Everything that can be judged without touching the system is judged here, so that a slip is
 * answered by one line about the argument before any device is opened: addresses, numbers, the text
 * of --impair, the scenario's name. Nothing is printed: the line goes back to the caller. */
#include "host_options.h"

#include <string.h>
#include <unistd.h>

#include "../../tun/lab.h"
#include "numbers.h"
#include "set_option.h"

enum host_option {
    OPTION_LAB = HOST_OPTION_FIRST,
    OPTION_TUN,
    OPTION_NO_OFFLOAD,
    OPTION_NO_IO_URING,
    OPTION_SPIN,
    OPTION_ADDRESS,
    OPTION_DNS,
    OPTION_PCAPNG,
    OPTION_SEED,
    OPTION_IMPAIR,
    OPTION_SYN_STYLE,
    OPTION_MSS,
    OPTION_NO_SACK,
    OPTION_NO_TIMESTAMPS,
    OPTION_NO_WINDOW_SCALING,
    OPTION_NO_NAGLE,
    OPTION_SET,
    OPTION_COLOR,
};

enum { TUN_NAME_BYTES = 16 };

const struct option host_option_table[HOST_OPTION_COUNT] = {
    {"lab", optional_argument, NULL, OPTION_LAB},
    {"tun", required_argument, NULL, OPTION_TUN},
    {"no-offload", no_argument, NULL, OPTION_NO_OFFLOAD},
    {"no-io-uring", no_argument, NULL, OPTION_NO_IO_URING},
    {"spin", required_argument, NULL, OPTION_SPIN},
    {"address", required_argument, NULL, OPTION_ADDRESS},
    {"dns", required_argument, NULL, OPTION_DNS},
    {"pcapng", required_argument, NULL, OPTION_PCAPNG},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"impair", required_argument, NULL, OPTION_IMPAIR},
    {"syn-style", required_argument, NULL, OPTION_SYN_STYLE},
    {"mss", required_argument, NULL, OPTION_MSS},
    {"no-sack", no_argument, NULL, OPTION_NO_SACK},
    {"no-timestamps", no_argument, NULL, OPTION_NO_TIMESTAMPS},
    {"no-window-scaling", no_argument, NULL, OPTION_NO_WINDOW_SCALING},
    {"no-nagle", no_argument, NULL, OPTION_NO_NAGLE},
    {"set", required_argument, NULL, OPTION_SET},
    {"color", optional_argument, NULL, OPTION_COLOR},
    {"colour", optional_argument, NULL, OPTION_COLOR},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
};

const char host_option_help[] =
    "Where the packets go\n"
    "  --lab[=SCENARIO]     an offline internet in this process: no root, no device, no network;\n"
    "                       --lab=list shows the scenarios\n"
    "  --tun NAME           the TUN device (tun0)\n"
    "  --no-offload         cut segments and make checksums ourselves, also where the device can\n"
    "                       (always so with --impair)\n"
    "  --no-io-uring        a system call for each packet, also where the kernel takes many\n"
    "  --spin USEC          look so many microseconds for the next packet before sleeping (0)\n"
    "  --address ADDR       our address (taken from the device)\n"
    "  --dns ADDR           a DNS server, up to 4 times (taken from /etc/resolv.conf)\n"
    "  --impair TEXT        make the link worse: \"loss 5% delay 50ms jitter 2ms rate 10mbit\n"
    "                       reorder 1% duplicate 1% corrupt 1% mtu 576b\"\n"
    "  --seed N             fix everything random, so that a run can be repeated\n"
    "\n"
    "What TCP does\n"
    "  --syn-style STYLE    order of the options in our SYN: macos or linux\n"
    "  --mss N              never announce or send segments above N bytes (64 to 65495)\n"
    "  --no-sack --no-timestamps --no-window-scaling --no-nagle\n"
    "                       leave this feature out\n"
    "  --set NAME=VALUE     anything else, as in --set rto_min=0.3 --set uto=on; can be repeated;\n"
    "                       --set list shows all names, with defaults and limits\n"
    "\n"
    "What is shown\n"
    "  -v, -vv              packets in Wireshark's rows and state changes on stderr; twice:\n"
    "                       reasons, timers, congestion window as well, and at the end the\n"
    "                       connection's status; SIGUSR1 asks for that at any time\n"
    "  --pcapng FILE        write what passes, with comments, for Wireshark; - is stdout, as in\n"
    "                       tnc --pcapng - ... | wireshark -k -i -\n"
    "  --color=WHEN         auto (the default), always or never; NO_COLOR is respected\n";

static bool take_lab(struct host_options *options, const char *value, char *error, size_t room);
static bool is_scenario(const char *name);
static bool take_tun(struct host_options *options, const char *value, char *error, size_t room);
static bool take_spin(struct host_options *options, const char *value, char *error, size_t room);
static void list_rules(FILE *out, const char *where, const char *rules);
static bool take_address(struct host_options *options, const char *value, char *error, size_t room);
static bool take_dns(struct host_options *options, const char *value, char *error, size_t room);
static bool take_seed(struct host_options *options, const char *value, char *error, size_t room);
static bool take_impair(struct host_options *options, const char *value, char *error, size_t room);
static bool take_syn_style(struct host_options *options, const char *value, char *error,
                           size_t room);
static bool take_mss(struct host_options *options, const char *value, char *error, size_t room);
static bool take_color(struct host_options *options, const char *value, char *error, size_t room);
static bool take_switch(struct tcp_config *tcp, enum host_option option);

void host_options_init(struct host_options *options)
{
    *options = (struct host_options){.color = COLOR_AUTO};
    host_config_init(&options->config);
}

bool host_option_take(struct host_options *options, int code, const char *value, char *error,
                      size_t room)
{
    switch ((enum host_option)code) {
    case OPTION_LAB:
        return take_lab(options, value, error, room);
    case OPTION_TUN:
        return take_tun(options, value, error, room);
    case OPTION_NO_OFFLOAD:
        options->config.no_offload = true;
        return true;
    case OPTION_NO_IO_URING:
        options->config.no_io_uring = true;
        return true;
    case OPTION_SPIN:
        return take_spin(options, value, error, room);
    case OPTION_ADDRESS:
        return take_address(options, value, error, room);
    case OPTION_DNS:
        return take_dns(options, value, error, room);
    case OPTION_PCAPNG:
        options->config.pcapng_path = value;
        return true;
    case OPTION_SEED:
        return take_seed(options, value, error, room);
    case OPTION_IMPAIR:
        return take_impair(options, value, error, room);
    case OPTION_SYN_STYLE:
        return take_syn_style(options, value, error, room);
    case OPTION_MSS:
        return take_mss(options, value, error, room);
    case OPTION_SET:
        options->lists_settings |= strcmp(value, "list") == 0;
        return options->lists_settings ||
               set_option_take(&options->config.stack, value, error, room);
    case OPTION_COLOR:
        return take_color(options, value, error, room);
    case OPTION_NO_SACK:
    case OPTION_NO_TIMESTAMPS:
    case OPTION_NO_WINDOW_SCALING:
    case OPTION_NO_NAGLE:
        return take_switch(&options->config.stack.tcp, (enum host_option)code);
    }
    snprintf(error, room, "option %d is not known", code);
    return false;
}

/* getopt_long() leaves a short option in optopt, a long one in the word just passed. */
bool host_option_complain(const char *program, const char *short_options, int code, char **argv,
                          char *error, size_t room)
{
    const char *word = argv[optind - 1];
    bool is_known =
        optopt >= HOST_OPTION_FIRST || (optopt > 0 && strchr(short_options, optopt) != NULL);
    bool is_short = optopt != 0 && optopt < HOST_OPTION_FIRST;

    if (code == '?' && is_known) /* only a long option can be given a value that it does not take */
        snprintf(error, room, "%s: this option takes no value", word);
    else if (code == ':' && is_short)
        snprintf(error, room, "-%c needs a value", optopt);
    else if (code == ':')
        snprintf(error, room, "%s needs a value", word);
    else if (is_short)
        snprintf(error, room, "-%c is not an option of %s", optopt, program);
    else
        snprintf(error, room, "%s is not an option of %s", word, program);
    return false;
}

bool host_options_check(const struct host_options *options, char *error, size_t room)
{
    const struct host_config *config = &options->config;

    if (config->use_lab && config->tun_name != NULL) {
        snprintf(error, room, "--lab needs no device: leave out either --lab or --tun");
        return false;
    }
    if (config->pcapng_path != NULL && strcmp(config->pcapng_path, "-") == 0 &&
        isatty(STDOUT_FILENO)) {
        snprintf(error, room,
                 "--pcapng - would fill the terminal with binary data: add "
                 "| wireshark -k -i -, or name a file");
        return false;
    }
    return true;
}

void host_options_list_scenarios(FILE *out)
{
    for (const struct lab_scenario *scenario = lab_scenarios; scenario->name != NULL; scenario++) {
        fprintf(out, "%-18s  %s\n", scenario->name, scenario->summary);
        list_rules(out, "to the server", scenario->to_server);
        list_rules(out, "to us", scenario->to_client);
        list_rules(out, "name server", scenario->dns);
        fprintf(out, "%20s%s\n", "", scenario->command);
    }
}

static void list_rules(FILE *out, const char *where, const char *rules)
{
    if (rules != NULL)
        fprintf(out, "%20s%s: %s\n", "", where, rules);
}

static bool take_lab(struct host_options *options, const char *value, char *error, size_t room)
{
    options->config.use_lab = true;
    options->config.lab_scenario = value;
    options->lists_scenarios = value != NULL && strcmp(value, "list") == 0;
    if (value == NULL || options->lists_scenarios || is_scenario(value))
        return true;
    snprintf(error, room, "the lab has no scenario '%s': --lab=list shows them", value);
    return false;
}

static bool is_scenario(const char *name)
{
    for (const struct lab_scenario *scenario = lab_scenarios; scenario->name != NULL; scenario++)
        if (strcmp(scenario->name, name) == 0)
            return true;
    return false;
}

static bool take_tun(struct host_options *options, const char *value, char *error, size_t room)
{
    options->config.tun_name = value;
    if (value[0] != '\0' && strlen(value) < TUN_NAME_BYTES && strchr(value, '/') == NULL)
        return true;
    snprintf(error, room, "--tun '%s': a device's name has 1 to %d characters", value,
             TUN_NAME_BYTES - 1);
    return false;
}

static bool take_spin(struct host_options *options, const char *value, char *error, size_t room)
{
    enum { SPIN_MAX_US = 1000000 };

    if (number_parse(value, 0, SPIN_MAX_US, &options->config.spin_us))
        return true;
    snprintf(error, room, "--spin '%s' is not a number of microseconds from 0 to %d", value,
             SPIN_MAX_US);
    return false;
}

static bool take_address(struct host_options *options, const char *value, char *error, size_t room)
{
    options->config.has_address = true;
    if (ip_addr_parse(value, &options->config.address) &&
        ip_addr_is_valid_source(&options->config.address))
        return true;
    snprintf(error, room, "--address '%s' is not an IPv4 address a host can have, such as 10.0.0.2",
             value);
    return false;
}

static bool take_dns(struct host_options *options, const char *value, char *error, size_t room)
{
    struct host_config *config = &options->config;
    struct ip_addr server;

    if (config->dns_server_count == DNS_SERVERS_MAX) {
        snprintf(error, room, "--dns can be given at most %d times", DNS_SERVERS_MAX);
        return false;
    }
    if (!ip_addr_parse(value, &server) || !ip_addr_is_valid_source(&server)) {
        snprintf(error, room, "--dns '%s' is not the IPv4 address of a server that can be reached",
                 value);
        return false;
    }
    config->dns_server[config->dns_server_count++] = server;
    return true;
}

static bool take_seed(struct host_options *options, const char *value, char *error, size_t room)
{
    options->config.has_seed = true;
    if (number_parse(value, 0, UINT64_MAX, &options->config.seed))
        return true;
    snprintf(error, room, "--seed '%s' is not a number from 0 to 18446744073709551615", value);
    return false;
}

static bool take_impair(struct host_options *options, const char *value, char *error, size_t room)
{
    struct link_config link = {0};
    char why[200];

    options->config.impair = value;
    if (link_config_parse(value, &link, why, sizeof why))
        return true;
    snprintf(error, room, "--impair: %s", why);
    return false;
}

static bool take_syn_style(struct host_options *options, const char *value, char *error,
                           size_t room)
{
    bool is_linux = strcmp(value, "linux") == 0;

    options->config.stack.tcp.syn_style = is_linux ? TCP_SYN_STYLE_LINUX : TCP_SYN_STYLE_MACOS;
    if (is_linux || strcmp(value, "macos") == 0)
        return true;
    snprintf(error, room, "--syn-style '%s': it is macos or linux", value);
    return false;
}

static bool take_mss(struct host_options *options, const char *value, char *error, size_t room)
{
    uint64_t mss;

    if (!number_parse(value, MSS_MIN_BYTES, MSS_MAX_BYTES, &mss)) {
        snprintf(error, room, "--mss '%s' is not a number from %d to %d", value, MSS_MIN_BYTES,
                 MSS_MAX_BYTES);
        return false;
    }
    options->config.stack.tcp.mss_clamp_bytes = (uint32_t)mss;
    return true;
}

static bool take_color(struct host_options *options, const char *value, char *error, size_t room)
{
    static const char *const names[] = {
        [COLOR_AUTO] = "auto", [COLOR_ALWAYS] = "always", [COLOR_NEVER] = "never"};

    for (int mode = COLOR_AUTO; mode <= COLOR_NEVER; mode++) {
        if (value != NULL && strcmp(value, names[mode]) != 0)
            continue;
        options->color = value == NULL ? COLOR_ALWAYS : (enum color_mode)mode;
        return true;
    }
    snprintf(error, room, "--color=%s: it is auto, always or never", value);
    return false;
}

static bool take_switch(struct tcp_config *tcp, enum host_option option)
{
    tcp->sack = tcp->sack && option != OPTION_NO_SACK;
    tcp->timestamps = tcp->timestamps && option != OPTION_NO_TIMESTAMPS;
    tcp->window_scaling = tcp->window_scaling && option != OPTION_NO_WINDOW_SCALING;
    tcp->nagle = tcp->nagle && option != OPTION_NO_NAGLE;
    return true;
}
