/* The host loop over the lab: virtual time and its events, descriptors, alarms, and the lines that
 * are said when it cannot be opened. The TUN device needs root: tests/e2e. */
#include "../../../tun/host.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../../tun/lab.h"
#include "../unit.h"

enum { LOG_MAX = 3000 };

/* Times and a digest of all packets that a host has seen. */
struct packet_log {
    unsigned count;
    uint64_t at_us[LOG_MAX];
    uint64_t digest;
};

static void add_to_digest(struct packet_log *log, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        log->digest = log->digest * 31 + bytes.data[i];
}

static void log_event(void *context, const struct trace_event *event)
{
    struct packet_log *log = context;

    if (event->kind == TRACE_PACKET_IN) {
        add_to_digest(log, event->u.packet_in->bytes);
    } else if (event->kind == TRACE_PACKET_OUT) {
        const struct packet_out *out = event->u.packet_out;
        add_to_digest(log, (struct bytes){out->header, out->header_bytes});
        add_to_digest(log, out->payload[0]);
        add_to_digest(log, out->payload[1]);
    } else {
        return;
    }
    log->digest = log->digest * 31 + event->time_us;
    if (log->count < LOG_MAX)
        log->at_us[log->count++] = event->time_us;
}

static struct host_config lab_config(const char *scenario, struct packet_log *log)
{
    struct host_config config;

    host_config_init(&config);
    config.use_lab = true;
    config.lab_scenario = scenario;
    if (log != NULL) {
        config.trace = log_event;
        config.trace_context = log;
    }
    return config;
}

static struct host *open_host(const struct host_config *config)
{
    char error[300] = "";
    struct host *host = host_open(config, error, sizeof error);

    ck_assert_msg(host != NULL, "%s", error);
    return host;
}

static void close_host(struct host *host)
{
    char error[300] = "";

    ck_assert_msg(host_close(host, error, sizeof error) == 0, "%s", error);
}

static enum dns_err look_up(struct host *host, const char *name, struct ip_addr *address)
{
    struct dns_query *query = dns_lookup(host_dns(host), name);
    struct dns_answer answer = {0};
    enum dns_err result;

    ck_assert_ptr_nonnull(query);
    while ((result = dns_result(query, &answer)) == DNS_PENDING)
        ck_assert_int_eq(host_step(host, NULL, 0, NEVER), 0);
    dns_done(query);
    *address = answer.address[0];
    return result;
}

/* Look google.com up, get `path` from it; how many bytes came. */
static size_t get(struct host *host, const char *path)
{
    struct ip_addr address;
    enum tcp_err error;
    uint8_t data[4096];
    char request[100];
    size_t total = 0;

    ck_assert_int_eq(look_up(host, "google.com", &address), DNS_OK);
    struct tcb *tcb = tcp_open_active(host_stack(host), NULL, 0, &address, 80, NULL, &error);
    ck_assert_ptr_nonnull(tcb);
    while ((tcp_readiness(tcb) & TCP_CONNECTED) == 0)
        ck_assert_int_eq(host_step(host, NULL, 0, NEVER), 0);
    int len = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\n\r\n", path);
    ck_assert_int_eq(tcp_send(tcb, (const uint8_t *)request, (size_t)len), len);
    for (;;) {
        ptrdiff_t n = tcp_receive(tcb, data, sizeof data);
        ck_assert_int_ge(n, 0);
        total += (size_t)n;
        if (n == 0 && (tcp_readiness(tcb) & TCP_PEER_CLOSED))
            break;
        if (n == 0)
            ck_assert_int_eq(host_step(host, NULL, 0, NEVER), 0);
    }
    tcp_close(tcb);
    return total;
}

START_TEST(the_exchange_is_replayed_with_its_times)
{
    static struct packet_log log;
    struct host_config config = lab_config(NULL, &log);
    struct host *host = open_host(&config);
    static const uint64_t times_us[] = {10274590, 10279067, 10280463, 10316859, 10316962};

    ck_assert_uint_gt(get(host, "/"), 500);
    ck_assert_uint_gt(log.count, 5);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_uint_eq(log.at_us[i], times_us[i]);
    ck_assert_uint_eq(log.at_us[5] - log.at_us[3], 1396); /* the GET: the application's turn */
    close_host(host);
}
END_TEST

START_TEST(everything_arrives_in_a_scenario)
{
    static const char *const scenarios[] = {"lost-syn", "lost-segment", "burst-loss",
                                            "reorder",  "dup",          "corrupt"};
    struct host_config config = lab_config(scenarios[_i], NULL);
    struct host *host = open_host(&config);

    ck_assert_uint_gt(get(host, "/big"), 1024 * 1024);
    close_host(host);
}
END_TEST

static uint64_t digest_of(uint64_t seed, const char *impair)
{
    static struct packet_log log;
    struct host_config config = lab_config(NULL, &log);

    log = (struct packet_log){0};
    config.has_seed = true;
    config.seed = seed;
    config.impair = impair;
    struct host *host = open_host(&config);
    get(host, "/big");
    close_host(host);
    return log.digest;
}

START_TEST(a_seed_determines_every_packet_and_its_time)
{
    static const char impair[] = "loss 3% reorder 5% jitter 1ms";

    ck_assert_uint_eq(digest_of(9, impair), digest_of(9, impair));
    ck_assert_uint_ne(digest_of(9, impair), digest_of(10, impair));
}
END_TEST

START_TEST(a_name_that_does_not_exist_is_reported)
{
    struct host_config config = lab_config(NULL, NULL);
    struct host *host = open_host(&config);
    struct ip_addr address;

    ck_assert_int_eq(look_up(host, "nx.example", &address), DNS_ERR_NOT_FOUND);
    close_host(host);
}
END_TEST

START_TEST(a_truncated_answer_is_asked_for_again_over_tcp)
{
    struct host_config config = lab_config(NULL, NULL);
    struct host *host = open_host(&config);
    struct ip_addr address;

    ck_assert_int_eq(look_up(host, "big.google.com", &address), DNS_OK);
    ck_assert_uint_eq(ip_addr_to_v4(&address), 0x8efac48e);
    close_host(host);
}
END_TEST

START_TEST(the_application_hears_of_a_timer_that_decides)
{
    struct host_config config = lab_config("dns-timeout", NULL);
    struct host *host = open_host(&config);
    struct ip_addr address;

    ck_assert_int_eq(look_up(host, "google.com", &address), DNS_ERR_TIMED_OUT);
    ck_assert_uint_gt(host_now_us(host) - lab_start_us(), 5000000);
    close_host(host);
}
END_TEST

START_TEST(with_nothing_to_come_a_turn_says_so)
{
    struct host_config config = lab_config(NULL, NULL);
    struct host *host = open_host(&config);
    int result = 0;

    for (int i = 0; i < 100 && result == 0; i++)
        result = host_step(host, NULL, 0, NEVER);
    ck_assert_int_eq(result, 1);
    close_host(host);
}
END_TEST

START_TEST(an_alarm_goes_off_at_its_virtual_time)
{
    struct host_config config = lab_config(NULL, NULL);
    struct host *host = open_host(&config);
    uint64_t wake_us = lab_start_us() + 3600000000u;

    while (host_now_us(host) < wake_us)
        ck_assert_int_eq(host_step(host, NULL, 0, wake_us), 0);
    ck_assert_uint_eq(host_now_us(host), wake_us);
    close_host(host);
}
END_TEST

START_TEST(a_ready_descriptor_comes_before_a_jump_of_the_clock)
{
    struct host_config config = lab_config(NULL, NULL);
    struct host *host = open_host(&config);
    struct dns_query *query = dns_lookup(host_dns(host), "google.com");
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    ck_assert_int_eq(host_step(host, &fd, 1, NEVER), 0);
    ck_assert_int_eq(fd.revents, POLLIN);
    ck_assert_uint_eq(host_now_us(host), lab_start_us());
    dns_done(query);
    close(ends[0]);
    close(ends[1]);
    close_host(host);
}
END_TEST

START_TEST(a_silent_descriptor_does_not_hold_the_clock)
{
    struct host_config config = lab_config(NULL, NULL);
    struct host *host = open_host(&config);
    struct dns_query *query = dns_lookup(host_dns(host), "google.com");
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    struct pollfd fd = {.fd = ends[0], .events = POLLIN, .revents = POLLIN};
    ck_assert_int_eq(host_step(host, &fd, 1, NEVER), 0);
    ck_assert_int_eq(fd.revents, 0);
    ck_assert_uint_eq(host_now_us(host), lab_start_us() + 4477 + 1396);
    dns_done(query);
    close(ends[0]);
    close(ends[1]);
    close_host(host);
}
END_TEST

START_TEST(with_nothing_else_to_come_a_turn_waits_for_a_descriptor)
{
    struct host_config config = lab_config(NULL, NULL);
    struct host *host = open_host(&config);
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    close(ends[1]); /* its end is what there is to hear */
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    ck_assert_int_eq(host_step(host, &fd, 1, NEVER), 0);
    ck_assert_int_eq(fd.revents, POLLHUP);
    close(ends[0]);
    close_host(host);
}
END_TEST

START_TEST(in_real_time_the_lab_answers_too)
{
    struct host_config config = lab_config(NULL, NULL);
    struct ip_addr address;

    config.lab_real_time = true;
    struct host *host = open_host(&config);
    ck_assert_int_eq(look_up(host, "google.com", &address), DNS_OK);
    ck_assert_uint_ge(host_now_us(host) - lab_start_us(), 4477);
    close_host(host);
}
END_TEST

/* What is wrong with a configuration, and what the line must say. */
enum wrong { SCENARIO, IMPAIR, MTU, ADDRESS, DEVICE_NAME, WRONG_COUNT };

START_TEST(a_wrong_configuration_is_refused_with_one_line)
{
    static const char *const words[WRONG_COUNT] = {
        [SCENARIO] = "\"rain\"", [IMPAIR] = "\"5\"",     [MTU] = "68 to 1500",
        [ADDRESS] = "224.0.0.1", [DEVICE_NAME] = "tun0",
    };
    struct host_config config = lab_config(NULL, NULL);
    char error[300] = "";

    switch ((enum wrong)_i) {
    case SCENARIO:
        config.lab_scenario = "rain";
        break;
    case IMPAIR:
        config.impair = "loss 5";
        break;
    case MTU:
        config.stack.mtu_bytes = 9000;
        break;
    case ADDRESS:
        config.has_address = true;
        config.address = ip_addr_from_v4(0xe0000001);
        break;
    case DEVICE_NAME:
        config.use_lab = false;
        config.tun_name = "no such name for a device";
        break;
    case WRONG_COUNT:
        break;
    }
    ck_assert_ptr_null(host_open(&config, error, sizeof error));
    ck_assert_msg(strstr(error, words[_i]) != NULL, "%s", error);
    ck_assert_ptr_null(strchr(error, '\n'));
}
END_TEST

START_TEST(closing_nothing_is_fine)
{
    ck_assert_int_eq(host_close(NULL, NULL, 0), 0);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, the_exchange_is_replayed_with_its_times);
    tcase_add_loop_test(tc, everything_arrives_in_a_scenario, 0, 6);
    tcase_add_test(tc, a_seed_determines_every_packet_and_its_time);
    tcase_add_test(tc, a_name_that_does_not_exist_is_reported);
    tcase_add_test(tc, a_truncated_answer_is_asked_for_again_over_tcp);
    tcase_add_test(tc, the_application_hears_of_a_timer_that_decides);
    tcase_add_test(tc, with_nothing_to_come_a_turn_says_so);
    tcase_add_test(tc, an_alarm_goes_off_at_its_virtual_time);
    tcase_add_test(tc, a_ready_descriptor_comes_before_a_jump_of_the_clock);
    tcase_add_test(tc, a_silent_descriptor_does_not_hold_the_clock);
    tcase_add_test(tc, with_nothing_else_to_come_a_turn_waits_for_a_descriptor);
    tcase_add_test(tc, in_real_time_the_lab_answers_too);
    tcase_add_loop_test(tc, a_wrong_configuration_is_refused_with_one_line, 0, WRONG_COUNT);
    tcase_add_test(tc, closing_nothing_is_fine);
}

int main(void)
{
    return unit_main("host", tests);
}
