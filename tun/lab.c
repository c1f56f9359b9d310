/* The lab: three far hosts, each behind a link of its own, and the clock that moves them.
 *
 *     our stack 10.0.0.2 --+-- 10.0.0.1         router: answers pings; host unreachable for the
 * rest
 *                          +-- 210.220.163.82   DNS, 4.477 ms there and back
 *                          +-- 142.250.196.142  web, echo, discard, daytime; 36.396 ms there and
 * back
 *
 * Everything in the lab happens at a time: a packet reaches a far host, a timer of its stack fires,
 * a packet reaches us. lab_on_time() takes these events one by one in the order of their times,
 * each at its own time, however late it is called: what happens does not depend on how often the
 * driver looks, only on what it sent and when.
 *
 * The replay. A real exchange (DNS and TCP handshake with google.com, seen from macOS in Wireshark)
 * is reproduced to the last field. What our stack would draw at random is fixed through
 * stack_config.choose for the first connection: DNS ID, source port, initial sequence number, and
 * the timestamp offset, which is computed so that the SYN carries the observed TSval at the time at
 * which it leaves. The web server's stack has Google's numbers in the same way, and Linux's habits
 * (order of the options, scale 8, MSS 1412) through its tcp_config. Every other number follows from
 * our own TCP. The client's clock ran 36 ms while 36.499 ms passed, hence the phase of the clock
 * matters and LAB_START_US is the time of the capture.
 *
 * With any other seed all of this is drawn from the seed.
 *
 * Not done: fragments are forwarded by their destination like all packets, and are put together by
 * the far stack; there is no TTL to count down, since no router stands between. */
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../stack/wire/icmp.h"
#include "lab_server.h"

enum {
    STACK_LATENCY_US = 103,
    APP_LATENCY_US = 1396,
    ICMP_QUOTED_BYTES = 8, /* of the offender, behind its IP header: RFC 792 */
};

static const uint64_t LAB_START_US = 10274590;
static const uint64_t LAB_EPOCH_US = 1745375959000000; /* Wed, 23 Apr 2025 02:39:19 GMT */

/* The well-known exchange has a client with a scale of 6 (WS=64); the stack's own is larger. */
static const uint32_t CLIENT_BUFFER_MAX_BYTES = UINT16_MAX << 6;

static const uint32_t CLIENT_ADDRESS = 0x0a000002; /* 10.0.0.2 */
static const uint32_t ROUTER_ADDRESS = 0x0a000001; /* 10.0.0.1 */
static const uint32_t DNS_ADDRESS = 0xd2dca352;    /* 210.220.163.82 */
static const uint32_t WEB_ADDRESS = 0x8efac48e;    /* 142.250.196.142 */

/* What shows a scenario best. */
#define GET(name)      "tnc -v --lab=" name " --get / google.com"
#define GET_MUCH(name) "tnc -vv --lab=" name " --get /bytes/2000000 google.com >page"
#define SEND(name)     "tnc -vv --lab=" name " google.com 9 <FILE"

const struct lab_scenario lab_scenarios[] = {
    {.name = "clean",
     .summary = "nothing goes wrong: the exchange as everybody knows it",
     .command = GET("clean")},
    {.name = "lost-syn",
     .summary = "the first SYN is lost and sent again after a second",
     .command = GET("lost-syn"),
     .to_server = "drop-syn 1"},
    {.name = "lost-segment",
     .summary = "the first segment of the response is lost",
     .command = GET("lost-segment"),
     .to_client = "drop-data 1"},
    {.name = "tail-loss",
     .summary = "the last segment of the response is lost: nothing behind it tells of that",
     .command = GET("tail-loss"),
     .to_client = "drop-data 2"},
    {.name = "burst-loss",
     .summary = "losses come in bursts, both ways",
     .command = GET("burst-loss"),
     .to_server = "burst 5% burst-end 40%",
     .to_client = "burst 5% burst-end 40%",
     .luck = 3},
    {.name = "reorder",
     .summary = "segments overtake each other",
     .command = GET("reorder"),
     .to_server = "reorder 20% reorder-by 5ms",
     .to_client = "reorder 20% reorder-by 5ms",
     .luck = 2},
    {.name = "dup",
     .summary = "packets arrive twice",
     .command = GET("dup"),
     .to_server = "duplicate 30%",
     .to_client = "duplicate 30%"},
    {.name = "corrupt",
     .summary = "single bits are flipped: checksums find them",
     .command = GET("corrupt"),
     .to_server = "corrupt 10%",
     .to_client = "corrupt 10%",
     .luck = 3},
    {.name = "sawtooth",
     .summary = "a narrow path with a short queue: the congestion window climbs and falls",
     .command = SEND("sawtooth"),
     .to_server = "rate 4mbit queue 16kb",
     .to_client = "rate 4mbit"},
    {.name = "long-fat-pipe",
     .summary = "a gigabit far away: it takes many round trips and large windows to fill",
     .command = GET_MUCH("long-fat-pipe"),
     .to_server = "delay 150ms rate 1gbit queue 40mb",
     .to_client = "delay 150ms rate 1gbit queue 40mb"},
    {.name = "slow-reader",
     .summary = "our application looks only once a second: the window closes and is probed",
     .command = GET_MUCH("slow-reader"),
     .app_latency_us = 1000000},
    {.name = "spurious-rto",
     .summary = "the path stands still for two seconds: a time-out, but nothing was lost",
     .command = SEND("spurious-rto"),
     .to_server = "hold-data 12 hold-by 2s"},
    {.name = "ecn",
     .summary = "a router marks instead of dropping (RFC 3168): the window falls without a loss",
     .command = SEND("ecn"),
     .to_server = "rate 4mbit queue 64kb mark 16kb",
     .to_client = "rate 4mbit queue 64kb mark 16kb",
     .has_ecn = true},
    {.name = "half-close",
     .summary = "we close first and go on receiving: the page comes slowly in FIN-WAIT-2",
     .command = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | tnc -v --lab=half-close google.com 80",
     .to_client = "rate 100kbit"},
    {.name = "simultaneous-close",
     .summary = "both sides close at once: the FINs cross, both pass CLOSING",
     .command = "tnc -v --lab=simultaneous-close google.com 13 </dev/null"},
    {.name = "refused",
     .summary = "nobody listens on port 80: the SYN is answered by a RST",
     .command = GET("refused"),
     .web_is_down = true},
    {.name = "blackhole",
     .summary = "packets to the web server vanish: the SYN is never answered",
     .command = GET("blackhole"),
     .to_server = "blackhole"},
    {.name = "dns-timeout",
     .summary = "packets to and from the DNS server vanish",
     .command = GET("dns-timeout"),
     .dns = "blackhole"},
    {.name = "slow",
     .summary = "a long and narrow path with a short queue",
     .command = GET("slow"),
     .to_server = "delay 300ms rate 64kbit queue 8kb",
     .to_client = "delay 300ms rate 64kbit queue 8kb",
     .dns = "delay 300ms"},
    {.name = NULL},
};

/* A host, and the way to it and back. */
struct far_host {
    uint32_t address;
    struct lab_server *server;
    struct link *to_server, *to_client;
};

enum { HOST_ROUTER, HOST_DNS, HOST_WEB, HOST_COUNT };

/* Which of the fixed choices have been given out. */
struct script {
    bool gave_dns_id, gave_iss, gave_ts_offset;
};

struct lab {
    uint64_t now_us;
    const struct lab_scenario *scenario;
    bool is_replay;
    struct script client, web;
    uint64_t client_random, host_random[HOST_COUNT];
    struct far_host host[HOST_COUNT];
    uint8_t packet[IPV4_PACKET_MAX_BYTES]; /* one on its way from a stack into a link */
};

/* What is fixed on either side of the replayed connection. */
struct fixed_numbers {
    uint32_t iss, tsval;
};
static const struct fixed_numbers CLIENT_NUMBERS = {.iss = 2632373117u, .tsval = 596778860u};
static const struct fixed_numbers WEB_NUMBERS = {.iss = 2691239502u, .tsval = 3455834059u};
static const uint16_t REPLAY_DNS_ID = 0x98ef;
static const uint16_t REPLAY_PORT = 53747;

/* What a host is like before scenario and --impair. */
static const struct {
    uint32_t address;
    unsigned services;
    uint64_t to_server_us, to_client_us;
} host_plan[HOST_COUNT] = {
    [HOST_ROUTER] = {ROUTER_ADDRESS, 0, 100, 100},
    [HOST_DNS] = {DNS_ADDRESS, LAB_DNS, 2238, 2239},
    [HOST_WEB] = {WEB_ADDRESS, LAB_WEB | LAB_ECHO | LAB_DISCARD | LAB_DAYTIME, 18198, 18198},
};

static const struct lab_scenario *find_scenario(const char *name, char *error, size_t room);
static bool make_links(struct lab *lab, const struct lab_scenario *scenario, const char *impair,
                       uint64_t *seeds, char *error, size_t room);
static bool make_servers(struct lab *lab, const struct lab_scenario *scenario, uint64_t now_us);
static uint64_t next_inside_us(const struct far_host *host);
static void run_host(struct lab *lab, struct far_host *host);
static bool choose_for_client(void *context, enum stack_choice what, uint32_t *value);
static bool choose_for_web(void *context, enum stack_choice what, uint32_t *value);

static uint64_t seeded_random(void *state)
{
    return link_random(state);
}

uint64_t lab_start_us(void)
{
    return LAB_START_US;
}

uint64_t lab_epoch_us(void)
{
    return LAB_EPOCH_US;
}

struct lab *lab_new(const char *scenario_name, const char *impair, uint64_t seed, uint64_t now_us,
                    char *error, size_t room)
{
    const struct lab_scenario *scenario = find_scenario(scenario_name, error, room);

    if (scenario == NULL)
        return NULL;
    uint64_t seeds = seed + scenario->luck;
    struct lab *lab = calloc(1, sizeof *lab);
    if (lab == NULL) {
        snprintf(error, room, "lab: out of memory");
        return NULL;
    }
    lab->now_us = now_us;
    lab->scenario = scenario;
    lab->is_replay = seed == LAB_DEFAULT_SEED;
    lab->client_random = link_random(&seeds);
    for (int i = 0; i < HOST_COUNT; i++)
        lab->host_random[i] = link_random(&seeds);
    if (!make_links(lab, scenario, impair, &seeds, error, room)) {
        lab_free(lab);
        return NULL;
    }
    if (!make_servers(lab, scenario, now_us)) {
        snprintf(error, room, "lab: out of memory");
        lab_free(lab);
        return NULL;
    }
    return lab;
}

void lab_free(struct lab *lab)
{
    if (lab == NULL)
        return;
    for (int i = 0; i < HOST_COUNT; i++) {
        lab_server_free(lab->host[i].server);
        link_free(lab->host[i].to_server);
        link_free(lab->host[i].to_client);
    }
    free(lab);
}

void lab_client_config(struct lab *lab, struct stack_config *config)
{
    config->address[0] = ip_addr_from_v4(CLIENT_ADDRESS);
    config->address_count = 1;
    config->gso_max_bytes = 0;
    config->checksum_offload = false;
    if (config->tcp.receive_buffer_max_bytes > CLIENT_BUFFER_MAX_BYTES)
        config->tcp.receive_buffer_max_bytes = CLIENT_BUFFER_MAX_BYTES;
    config->random = seeded_random;
    config->random_context = &lab->client_random;
    config->choose = choose_for_client;
    config->choose_context = lab;
    if (lab->scenario->has_ecn)
        config->tcp.ecn = TCP_ECN_ON;
}

struct ip_addr lab_dns_server(const struct lab *lab)
{
    return ip_addr_from_v4(lab->host[HOST_DNS].address);
}

uint64_t lab_stack_latency_us(const struct lab *lab)
{
    (void)lab;
    return STACK_LATENCY_US;
}

uint64_t lab_app_latency_us(const struct lab *lab)
{
    return lab->scenario->app_latency_us != 0 ? lab->scenario->app_latency_us : APP_LATENCY_US;
}

/* A packet for an address that nobody has goes to the router, which says so. */
void lab_send(struct lab *lab, const struct packet_out *out, uint64_t now_us)
{
    struct far_host *host = &lab->host[HOST_ROUTER];
    struct ipv4_packet ip;

    lab_on_time(lab, now_us);
    struct link_packet packet = {
        .bytes = {lab->packet, packet_out_copy(out, lab->packet, sizeof lab->packet)}};
    if (ipv4_parse(packet.bytes, false, &ip) != DROP_NOT)
        return;
    for (int i = 0; i < HOST_COUNT; i++)
        if (ip_addr_to_v4(&ip.dst) == lab->host[i].address)
            host = &lab->host[i];
    link_send(host->to_server, &packet, lab->now_us);
}

bool lab_receive(struct lab *lab, struct packet_in *in, uint64_t now_us)
{
    struct far_host *first = &lab->host[0];
    struct link_packet packet;

    for (int i = 1; i < HOST_COUNT; i++)
        if (link_next_us(lab->host[i].to_client) < link_next_us(first->to_client))
            first = &lab->host[i];
    if (!link_receive(first->to_client, &packet, now_us))
        return false;
    *in = (struct packet_in){.bytes = packet.bytes};
    return true;
}

void lab_on_time(struct lab *lab, uint64_t now_us)
{
    for (;;) {
        struct far_host *first = &lab->host[0];
        for (int i = 1; i < HOST_COUNT; i++)
            if (next_inside_us(&lab->host[i]) < next_inside_us(first))
                first = &lab->host[i];
        uint64_t at_us = next_inside_us(first);
        if (at_us > now_us)
            break;
        if (at_us > lab->now_us)
            lab->now_us = at_us;
        run_host(lab, first);
    }
    if (now_us > lab->now_us)
        lab->now_us = now_us;
}

uint64_t lab_next_deadline_us(const struct lab *lab)
{
    uint64_t next_us = UINT64_MAX;

    for (int i = 0; i < HOST_COUNT; i++) {
        uint64_t inside_us = next_inside_us(&lab->host[i]);
        uint64_t to_us = link_next_us(lab->host[i].to_client);
        next_us = inside_us < next_us ? inside_us : next_us;
        next_us = to_us < next_us ? to_us : next_us;
    }
    return next_us;
}

/* ---- making it ---- */

static const struct lab_scenario *find_scenario(const char *name, char *error, size_t room)
{
    if (name == NULL)
        return &lab_scenarios[0];
    for (const struct lab_scenario *s = lab_scenarios; s->name != NULL; s++)
        if (strcmp(s->name, name) == 0)
            return s;
    int len = snprintf(error, room, "lab: there is no scenario \"%.40s\": expected", name);
    for (const struct lab_scenario *s = lab_scenarios; s->name != NULL; s++)
        if (len >= 0 && (size_t)len < room)
            len += snprintf(error + len, room - (size_t)len, "%s %s", s == lab_scenarios ? "" : ",",
                            s->name);
    return NULL;
}

static struct link *make_link(uint64_t delay_us, const char *rules, const char *impair,
                              uint64_t *seeds, char *error, size_t room)
{
    struct link_config config = {.delay_us = delay_us};

    if (!link_config_parse(rules != NULL ? rules : "", &config, error, room) ||
        !link_config_parse(impair != NULL ? impair : "", &config, error, room))
        return NULL;
    struct link *link = link_new(&config, link_random(seeds));
    if (link == NULL)
        snprintf(error, room, "lab: out of memory");
    return link;
}

static bool make_links(struct lab *lab, const struct lab_scenario *scenario, const char *impair,
                       uint64_t *seeds, char *error, size_t room)
{
    const char *const rules[HOST_COUNT][2] = {
        [HOST_ROUTER] = {NULL, NULL},
        [HOST_DNS] = {scenario->dns, scenario->dns},
        [HOST_WEB] = {scenario->to_server, scenario->to_client},
    };

    for (int i = 0; i < HOST_COUNT; i++) {
        struct far_host *host = &lab->host[i];
        host->to_server =
            make_link(host_plan[i].to_server_us, rules[i][0], impair, seeds, error, room);
        host->to_client =
            make_link(host_plan[i].to_client_us, rules[i][1], impair, seeds, error, room);
        if (host->to_server == NULL || host->to_client == NULL)
            return false;
    }
    return true;
}

/* The web server looks like Google's: see the numbers of its SYN-ACK in the exchange. */
static void configure_web(struct lab *lab, struct stack_config *config)
{
    config->tcp.syn_style = TCP_SYN_STYLE_LINUX;
    config->tcp.mss_clamp_bytes = 1412;
    config->tcp.syn_wnd = 65535;
    config->tcp.receive_buffer_max_bytes = 12 * 1024 * 1024; /* above 65535 << 7: scale 8 */
    config->choose = choose_for_web;
    config->choose_context = lab;
}

static bool make_servers(struct lab *lab, const struct lab_scenario *scenario, uint64_t now_us)
{
    for (int i = 0; i < HOST_COUNT; i++) {
        unsigned services = host_plan[i].services;
        struct stack_config config;

        stack_config_init(&config);
        config.address[0] = ip_addr_from_v4(host_plan[i].address);
        config.address_count = 1;
        config.connections_max = 1024;
        config.random = seeded_random;
        config.random_context = &lab->host_random[i];
        if (i == HOST_WEB)
            configure_web(lab, &config);
        if (scenario->web_is_down)
            services &= ~(unsigned)LAB_WEB;
        lab->host[i].address = host_plan[i].address;
        lab->host[i].server = lab_server_new(&config, services, now_us);
        if (lab->host[i].server == NULL)
            return false;
    }
    return true;
}

/* ---- running it ---- */

/* When the next thing happens at this host itself. */
static uint64_t next_inside_us(const struct far_host *host)
{
    uint64_t packet_us = link_next_us(host->to_server);
    uint64_t timer_us = lab_server_next_deadline_us(host->server);

    return packet_us < timer_us ? packet_us : timer_us;
}

/* May an ICMP error be sent about this packet? RFC 1122 3.2.2. */
static bool may_be_answered(const struct ipv4_packet *ip)
{
    bool is_icmp_error = ip->protocol == IP_PROTOCOL_ICMP &&
                         (ip->payload.len == 0 || ip->payload.data[0] != ICMP_ECHO_REQUEST);

    return !is_icmp_error && ip->fragment_offset_bytes == 0 && ip_addr_is_valid_source(&ip->src) &&
           !ip_addr_is_multicast(&ip->dst) && !ip_addr_is_broadcast(&ip->dst);
}

static void answer_unreachable(struct lab *lab, struct far_host *router, struct bytes packet,
                               const struct ipv4_packet *offender)
{
    uint8_t answer[2 * IPV4_HEADER_MAX_BYTES + ICMP_HEADER_BYTES + ICMP_QUOTED_BYTES];
    size_t offender_header_bytes = (size_t)(offender->payload.data - packet.data);
    struct icmp_message icmp = {
        .type = ICMP_UNREACHABLE,
        .code = ICMP_UNREACHABLE_HOST,
        .body = bytes_first(packet, offender_header_bytes + ICMP_QUOTED_BYTES),
    };
    struct ipv4_packet ip = {
        .src = ip_addr_from_v4(router->address),
        .dst = offender->src,
        .tos = 0xc0, /* internetwork control: RFC 1812 4.3.2.5 */
        .ttl = 64,
        .protocol = IP_PROTOCOL_ICMP,
    };

    if (!may_be_answered(offender))
        return;
    size_t icmp_bytes =
        icmp_emit(&icmp, answer + IPV4_HEADER_BYTES, sizeof answer - IPV4_HEADER_BYTES);
    ipv4_emit(&ip, icmp_bytes, answer, IPV4_HEADER_BYTES);
    struct link_packet out = {.bytes = {answer, IPV4_HEADER_BYTES + icmp_bytes}};
    link_send(router->to_client, &out, lab->now_us);
}

static void deliver(struct lab *lab, struct far_host *host, const struct link_packet *packet)
{
    struct packet_in in = {.bytes = packet->bytes};
    struct ipv4_packet ip;

    if (host == &lab->host[HOST_ROUTER] && ipv4_parse(packet->bytes, false, &ip) == DROP_NOT &&
        ip_addr_to_v4(&ip.dst) != host->address)
        answer_unreachable(lab, host, packet->bytes, &ip);
    else
        lab_server_input(host->server, &in, lab->now_us);
}

static void run_host(struct lab *lab, struct far_host *host)
{
    struct link_packet packet;
    struct packet_out out;

    while (link_receive(host->to_server, &packet, lab->now_us))
        deliver(lab, host, &packet);
    lab_server_on_time(host->server, lab->now_us);
    while (lab_server_output(host->server, &out, lab->now_us)) {
        packet.bytes.data = lab->packet;
        packet.bytes.len = packet_out_copy(&out, lab->packet, sizeof lab->packet);
        packet.checksum_ok = false;
        packet.segment_bytes = 0;
        link_send(host->to_client, &packet, lab->now_us);
    }
}

/* ---- the choices of the replay ---- */

/* ISS and timestamp offset, of the first connection only. TSval is milliseconds plus offset. */
static bool choose_number(struct script *script, const struct fixed_numbers *fixed,
                          enum stack_choice what, uint64_t now_us, uint32_t *value)
{
    if (what == CHOICE_ISS && !script->gave_iss) {
        script->gave_iss = true;
        *value = fixed->iss;
        return true;
    }
    if (what == CHOICE_TS_OFFSET && !script->gave_ts_offset) {
        script->gave_ts_offset = true;
        *value = fixed->tsval - (uint32_t)(now_us / 1000);
        return true;
    }
    return false;
}

static bool choose_for_client(void *context, enum stack_choice what, uint32_t *value)
{
    struct lab *lab = context;
    struct script *script = &lab->client;

    if (!lab->is_replay)
        return false;
    if (what == CHOICE_DNS_ID && !script->gave_dns_id) {
        script->gave_dns_id = true;
        *value = REPLAY_DNS_ID;
        return true;
    }
    /* Nobody tells whether a port is for UDP or TCP: the same one until TCP has drawn its first
     * ISS. Where it is taken the stack draws another. */
    if (what == CHOICE_LOCAL_PORT && !script->gave_iss) {
        *value = REPLAY_PORT;
        return true;
    }
    return choose_number(script, &CLIENT_NUMBERS, what, lab->now_us, value);
}

static bool choose_for_web(void *context, enum stack_choice what, uint32_t *value)
{
    struct lab *lab = context;

    return lab->is_replay && choose_number(&lab->web, &WEB_NUMBERS, what, lab->now_us, value);
}
