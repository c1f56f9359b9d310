/* The command line of tnc: nc's letters, and words for what nc does not have.
 *
 * Reading goes in three steps: options one by one, the words that are left (host, ports), then
 * whether all of it makes sense together. Each step that fails leaves one line that says what to
 * write instead; nothing is printed here, so tests can ask for any command line. */
#include "tnc_options.h"

#include <ctype.h>
#include <string.h>

enum tnc_option { OPTION_GET = HOST_OPTION_END, OPTION_VERSION };

static const char short_options[] = ":lp:s:g:uvzw:i:Nq:kn46Cdh";
static const struct option own_table[] = {
    {"get", required_argument, NULL, OPTION_GET},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};
enum { OWN_COUNT = sizeof own_table / sizeof own_table[0] };

static const char help_head[] =
    "tnc: netcat over a TCP/IP stack of its own\n"
    "\n"
    "  tnc [options] HOST PORT         connect; stdin goes out, what comes goes to stdout\n"
    "  tnc -l [options] [ADDR] PORT    wait for a connection (also -l -p PORT)\n"
    "  tnc -z [options] HOST PORT...   only look which ports are open; ranges as in 20-25\n"
    "  tnc --get PATH [options] HOST [PORT]\n"
    "                                  ask a web server for a page\n"
    "\n"
    "Options of netcat\n"
    "  -l           listen             -k           with -l: go on after a client has ended\n"
    "  -u           UDP                -n           addresses only, no names\n"
    "  -p PORT      local port         -s ADDR      local address\n"
    "  -g ADDR      go by way of this gateway: a source route; several in their order\n"
    "  -w TIME      limit for connecting (with -l: for waiting)\n"
    "  -i TIME      end when nothing has moved for so long\n"
    "  -q TIME      end so long after the end of stdin; -1: wait for the peer (the default)\n"
    "  -N           FIN at the end of stdin: what tnc does anyway\n"
    "  -C           send line ends as CR LF\n"
    "  -d           do not read stdin\n"
    "  -4, -6       IPv4 (the default); IPv6 is not done yet\n"
    "  TIME is in seconds, or with a unit: 0.5, 250ms, 2m\n"
    "\n";

static const char help_tail[] =
    "  --help, --version\n"
    "\n"
    "^C closes in order (FIN); a second ^C aborts (RST).\n"
    "\n"
    "Exit codes\n"
    "  0 all went well                          1 the network: refused, reset, timed out, no such "
    "name\n"
    "  2 an argument is wrong                   3 this machine: no device, no permission, disk "
    "full\n"
    "  130 interrupted\n"
    "\n"
    "Examples\n"
    "  tnc -v --lab google.com 80               type GET / HTTP/1.0 and an empty line\n"
    "  tnc --lab --get / google.com             the same page by itself\n"
    "  tnc --lab=list                           what else can happen in the lab\n"
    "  tnc --pcapng get.pcapng --get / example.com && wireshark get.pcapng\n"
    "  tnc -l 8080 < page.html                  serve one file over a TUN device (see "
    "scripts/setup)\n"
    "  tnc -vz --impair 'loss 20%' 10.0.0.1 22 80 8000-8010\n";

static bool take_option(struct tnc_options *options, int code, char **argv, char *error,
                        size_t room);
static bool *flag_of(struct tnc_options *options, int code);
static bool take_value(struct tnc_options *options, int code, const char *value, char *error,
                       size_t room);
static bool take_time(const char *option, const char *value, uint64_t *us, char *error,
                      size_t room);
static bool take_gateway(struct source_route *route, const char *value, char *error, size_t room);
static bool take_get(struct tnc_options *options, const char *path, char *error, size_t room);
static bool take_words(struct tnc_options *options, int count, char **word, char *error,
                       size_t room);
static bool take_listen_words(struct tnc_options *options, int count, char **word, char *error,
                              size_t room);
static bool take_ports(struct tnc_options *options, int count, char **word, char *error,
                       size_t room);
static bool check_host(const struct tnc_options *options, char *error, size_t room);
static bool check_locals(struct tnc_options *options, char *error, size_t room);
static bool check_combinations(const struct tnc_options *options, char *error, size_t room);

enum tnc_wish tnc_options_parse(struct tnc_options *options, int argc, char **argv, char *error,
                                size_t room)
{
    struct option table[HOST_OPTION_COUNT + OWN_COUNT];
    int code;

    memcpy(table, host_option_table, sizeof host_option_table);
    memcpy(table + HOST_OPTION_COUNT, own_table, sizeof own_table);
    *options = (struct tnc_options){
        .connect_timeout_us = NEVER, .idle_timeout_us = NEVER, .quit_delay_us = NEVER};
    host_options_init(&options->common);
    error[0] = '\0';
    opterr = 0;
    optind = 0; /* glibc and musl: start afresh, whatever was parsed before */
    while ((code = getopt_long(argc, argv, short_options, table, NULL)) != -1) {
        if (code == 'h')
            return TNC_HELP;
        if (code == OPTION_VERSION)
            return TNC_VERSION;
        if (!take_option(options, code, argv, error, room))
            return TNC_WRONG;
    }
    if (options->common.lists_scenarios)
        return TNC_LIST_SCENARIOS;
    if (options->common.lists_settings)
        return TNC_LIST_SETTINGS;
    if (!check_combinations(options, error, room) ||
        !take_words(options, argc - optind, argv + optind, error, room) ||
        !check_host(options, error, room) || !check_locals(options, error, room) ||
        !host_options_check(&options->common, error, room))
        return TNC_WRONG;
    options->leaves_stdin |= options->get_path != NULL || options->scans;
    return TNC_RUN;
}

void tnc_options_help(FILE *out)
{
    fputs(help_head, out);
    fputs(host_option_help, out);
    fputs(help_tail, out);
}

static bool take_option(struct tnc_options *options, int code, char **argv, char *error,
                        size_t room)
{
    bool *flag = flag_of(options, code);

    if (flag != NULL) {
        *flag = true;
        return true;
    }
    if (code == 'v') {
        options->common.verbosity += options->common.verbosity < 9;
        return true;
    }
    if (code == '?' || code == ':')
        return host_option_complain("tnc", short_options, code, argv, error, room);
    if (code >= HOST_OPTION_FIRST && code < HOST_OPTION_END)
        return host_option_take(&options->common, code, optarg, error, room);
    return take_value(options, code, optarg, error, room);
}

static bool *flag_of(struct tnc_options *options, int code)
{
    switch (code) {
    case 'l':
        return &options->listens;
    case 'u':
        return &options->udp;
    case 'z':
        return &options->scans;
    case 'k':
        return &options->keeps_open;
    case 'n':
        return &options->no_names;
    case 'C':
        return &options->sends_crlf;
    case 'd':
        return &options->leaves_stdin;
    case '6':
        return &options->ipv6;
    case '4':
    case 'N':
        return &options->accepted;
    default:
        return NULL;
    }
}

static bool take_value(struct tnc_options *options, int code, const char *value, char *error,
                       size_t room)
{
    switch (code) {
    case 'p':
        options->port_text = value; /* a name's port depends on -u, which may still follow */
        return true;
    case 's':
        options->local_text = value;
        return true;
    case 'g':
        return take_gateway(&options->common.config.stack.tcp.source_route, value, error, room);
    case 'w':
        return take_time("-w", value, &options->connect_timeout_us, error, room);
    case 'i':
        return take_time("-i", value, &options->idle_timeout_us, error, room);
    case 'q':
        if (strcmp(value, "-1") == 0) {
            options->quit_delay_us = NEVER;
            return true;
        }
        return take_time("-q", value, &options->quit_delay_us, error, room);
    case OPTION_GET:
        return take_get(options, value, error, room);
    default:
        snprintf(error, room, "option %d is not known", code);
        return false;
    }
}

static bool take_time(const char *option, const char *value, uint64_t *us, char *error, size_t room)
{
    if (duration_parse(value, us) && (*us > 0 || strcmp(option, "-q") == 0))
        return true;
    snprintf(error, room, "%s '%s' is not a time: write seconds, or a unit as in 0.5, 250ms, 2m",
             option, value);
    return false;
}

static bool take_gateway(struct source_route *route, const char *value, char *error, size_t room)
{
    struct ip_addr gateway;

    if (!ip_addr_parse(value, &gateway) || !ip_addr_is_valid_source(&gateway)) {
        snprintf(error, room, "-g '%s' is not the address of a gateway such as 10.0.0.1", value);
        return false;
    }
    if (route->hop_count == SOURCE_ROUTE_HOPS_MAX) {
        snprintf(error, room, "-g: at most %d gateways have room in an IP header",
                 SOURCE_ROUTE_HOPS_MAX);
        return false;
    }
    route->hop[route->hop_count++] = gateway;
    return true;
}

/* A blank or a line end inside the path would begin another part of the request. */
static bool take_get(struct tnc_options *options, const char *path, char *error, size_t room)
{
    options->get_path = path;
    if (path[0] != '/') {
        snprintf(error, room, "--get '%s': a path begins with /, as in --get /index.html", path);
        return false;
    }
    for (const char *c = path; *c != '\0'; c++) {
        if ((unsigned char)*c > ' ' && *c != 0x7f)
            continue;
        snprintf(error, room, "--get '%s': blanks are written %%20 in a path", path);
        return false;
    }
    return true;
}

static bool take_words(struct tnc_options *options, int count, char **word, char *error,
                       size_t room)
{
    if (options->listens)
        return take_listen_words(options, count, word, error, room);
    if (count == 0) {
        snprintf(error, room, "no host was given: tnc HOST PORT, or tnc -l PORT to listen");
        return false;
    }
    options->host = word[0];
    if (count == 1 && options->get_path != NULL) {
        options->range[options->range_count++] = (struct port_range){80, 80};
        return true;
    }
    if (count == 1) {
        snprintf(error, room, "no port was given: tnc %s PORT", word[0]);
        return false;
    }
    if (count > 2 && !options->scans) {
        snprintf(error, room, "'%s' is one word too many: tnc HOST PORT (several ports go with -z)",
                 word[2]);
        return false;
    }
    return take_ports(options, count - 1, word + 1, error, room);
}

static bool take_listen_words(struct tnc_options *options, int count, char **word, char *error,
                              size_t room)
{
    int port_words = options->port_text == NULL ? 1 : 0;

    if (count < port_words) {
        snprintf(error, room, "no port was given: tnc -l PORT");
        return false;
    }
    if (count > port_words + 1) {
        snprintf(error, room, "'%s' is one word too many: tnc -l [ADDR] PORT",
                 word[port_words + 1]);
        return false;
    }
    if (count == port_words + 1)
        options->host = word[0];
    if (port_words == 1)
        options->port_text = word[count - 1];
    return true;
}

static bool take_ports(struct tnc_options *options, int count, char **word, char *error,
                       size_t room)
{
    const char *protocol = options->udp ? "udp" : "tcp";

    if (count > TNC_RANGES_MAX) {
        snprintf(error, room, "at most %d ports or ranges can be given", TNC_RANGES_MAX);
        return false;
    }
    for (int i = 0; i < count; i++) {
        struct port_range *range = &options->range[options->range_count++];
        if (!port_range_parse(word[i], protocol, range, error, room))
            return false;
        if (range->first != range->last && !options->scans) {
            snprintf(error, room, "'%s' is several ports: they go with -z only", word[i]);
            return false;
        }
    }
    return true;
}

static bool check_host(const struct tnc_options *options, char *error, size_t room)
{
    const char *host = options->host;
    const char *colon = host == NULL ? NULL : strchr(host, ':');

    if (host == NULL)
        return true;
    error[0] = '\0';
    if (host[0] == '\0')
        snprintf(error, room, "the host is empty: tnc HOST PORT");
    else if (strstr(host, "://") != NULL || strchr(host, '/') != NULL)
        snprintf(error, room, "'%s' is a URL: write tnc --get PATH HOST", host);
    else if (colon != NULL && strchr(colon + 1, ':') != NULL)
        snprintf(error, room, "'%s' looks like IPv6, which is not done yet: use an IPv4 address",
                 host);
    else if (colon != NULL)
        snprintf(error, room, "'%s': write host and port as two words", host);
    for (const char *c = host; *c != '\0' && error[0] == '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            snprintf(error, room, "the host '%s' holds a blank or a control character", host);
    return error[0] == '\0';
}

/* -p, -s, and the address behind -l. A stack of our own can take any address: -s gives it one, as
 * --address does. The one behind -l has to be ours already. */
static bool check_locals(struct tnc_options *options, char *error, size_t room)
{
    const char *protocol = options->udp ? "udp" : "tcp";
    const char *address = options->local_text;
    struct host_config *config = &options->common.config;

    if (options->port_text != NULL &&
        !port_parse(options->port_text, protocol, &options->local_port, error, room))
        return false;
    if (options->listens && options->host != NULL) {
        if (address != NULL && strcmp(address, options->host) != 0) {
            snprintf(error, room, "-s %s and %s: one address to listen on is enough", address,
                     options->host);
            return false;
        }
        address = options->host;
    }
    if (address == NULL || (options->listens && strcmp(address, "0.0.0.0") == 0))
        return true;
    options->has_local_address = true;
    if (!ip_addr_parse(address, &options->local_address)) {
        snprintf(error, room, "'%s' is not a local IPv4 address such as 10.0.0.2", address);
        return false;
    }
    if (options->local_text != NULL && !config->has_address) {
        config->has_address = true;
        config->address = options->local_address;
    }
    return true;
}

static bool check_combinations(const struct tnc_options *options, char *error, size_t room)
{
    const struct {
        bool is_wrong;
        const char *line;
    } rules[] = {
        {options->ipv6, "-6: IPv6 is not done yet; leave it out to use IPv4"},
        {options->listens && options->scans, "-l and -z do not go together: -z only connects"},
        {options->listens && options->get_path != NULL, "-l and --get do not go together"},
        {options->scans && options->get_path != NULL, "-z and --get do not go together"},
        {options->udp && options->get_path != NULL, "-u and --get do not go together: HTTP is TCP"},
        {options->udp && options->common.config.stack.tcp.source_route.hop_count > 0,
         "-u and -g do not go together: only TCP goes by gateways here"},
        {options->keeps_open && !options->listens, "-k needs -l: it keeps a listener open"},
    };

    for (unsigned i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (!rules[i].is_wrong)
            continue;
        snprintf(error, room, "%s", rules[i].line);
        return false;
    }
    return true;
}
