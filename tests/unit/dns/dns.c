/* stack/dns/dns.c and ask.c over UDP: questions, forgeries, servers in turn. RFC 1035, RFC 5452. */
#include "bench.h"

#include "../../../stack/dns/ask.h"

static const char *const servers[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3"};

struct bench {
    struct rig *rig;
    struct dns_resolver *resolver;
    struct asked asked;
    struct dns_answer answer;
};

static struct bench *bench_with(struct rig *rig, unsigned server_count)
{
    struct bench *b = calloc(1, sizeof *b);
    struct dns_config config;

    b->rig = rig;
    dns_config_init(&config);
    for (unsigned i = 0; i < server_count; i++)
        config.server[i] = rig_addr(servers[i]);
    config.server_count = server_count;
    b->resolver = dns_new(rig->stack, &config);
    ck_assert_ptr_nonnull(b->resolver);
    return b;
}

static struct bench *bench_new(unsigned server_count)
{
    return bench_with(rig_new(), server_count);
}

static void bench_free(struct bench *b)
{
    dns_free(b->resolver);
    rig_free(b->rig);
    free(b);
}

/* Let the resolver work. */
static enum dns_err result_of(struct bench *b, struct dns_query *query)
{
    dns_on_time(b->resolver, b->rig->now_us);
    return dns_result(query, &b->answer);
}

static void pass(struct bench *b, uint64_t us)
{
    rig_pass(b->rig, us);
    dns_on_time(b->resolver, b->rig->now_us);
}

/* Look up `name`, expecting a query for it, and answer with one address. */
static struct dns_query *look_up_and_answer(struct bench *b, const char *name, uint32_t ttl_s)
{
    struct dns_query *query = dns_lookup(b->resolver, name);

    take_query(b->rig, &b->asked);
    struct dns_message *response = response_to(&b->asked.message, DNS_RCODE_OK);
    add_address(response, name, "142.250.196.142", ttl_s);
    give(b->rig, &b->asked, response);
    ck_assert_int_eq(result_of(b, query), DNS_OK);
    return query;
}

static bool choose_the_id(void *context, enum stack_choice what, uint32_t *value)
{
    (void)context;
    *value = 0x98ef;
    return what == CHOICE_DNS_ID;
}

START_TEST(the_query_is_one_question_with_recursion_desired) /* RFC 1035 4.1.1, 4.1.2 */
{
    static const uint8_t expected[] = {0x98, 0xef, 1,   0,   0,   1, 0,   0,   0,   0, 0, 0, 6, 'g',
                                       'o',  'o',  'g', 'l', 'e', 3, 'c', 'o', 'm', 0, 0, 1, 0, 1};
    struct rig *rig = rig_prepare();

    rig->config.choose = choose_the_id;
    rig_start(rig);
    struct bench *b = bench_with(rig, 1);
    struct dns_query *query = dns_lookup(b->resolver, _i == 0 ? "google.com" : "google.com.");
    ck_assert_int_eq(dns_result(query, &b->answer), DNS_PENDING);
    struct udp_datagram udp = rig_out_udp(rig);
    rig_assert_bytes(udp.payload, (struct bytes){expected, sizeof expected});
    ck_assert_uint_eq(udp.dst_port, 53);
    ck_assert(ip_addr_equal(&rig->ip.dst, &rig->peer));
    ck_assert(!rig_out(rig));
    bench_free(b);
}
END_TEST

START_TEST(an_answer_gives_the_address)
{
    struct bench *b = bench_new(1);

    dns_done(look_up_and_answer(b, _i == 0 ? "google.com" : "google.com.", 267));
    ck_assert_str_eq(b->answer.canonical_name, "google.com");
    ck_assert_uint_eq(b->answer.address_count, 1);
    ck_assert_uint_eq(ip_addr_to_v4(&b->answer.address[0]), 0x8efac48e);
    ck_assert_uint_eq(b->answer.ttl_s, 267);
    ck_assert(!b->answer.from_cache);
    ck_assert_uint_eq(dns_next_deadline_us(b->resolver), NEVER);
    ck_assert(!rig_out(b->rig));
    bench_free(b);
}
END_TEST

START_TEST(a_valid_answer_is_not_asked_for_again) /* the 267 seconds of google.com */
{
    struct bench *b = bench_new(1);

    dns_done(look_up_and_answer(b, "google.com", 267));
    pass(b, 10 * RIG_SECOND_US);
    struct dns_query *query = dns_lookup(b->resolver, "Google.Com.");
    ck_assert_int_eq(dns_result(query, &b->answer), DNS_OK);
    ck_assert(b->answer.from_cache);
    ck_assert_uint_eq(b->answer.ttl_s, 257);
    ck_assert(!rig_out(b->rig));
    dns_done(query);
    pass(b, 257 * RIG_SECOND_US);
    dns_done(look_up_and_answer(b, "google.com", 267));
    bench_free(b);
}
END_TEST

START_TEST(a_time_to_live_of_zero_or_below_serves_once) /* RFC 1035 3.2.1, RFC 2181 8 */
{
    struct bench *b = bench_new(1);

    dns_done(look_up_and_answer(b, "google.com", _i == 0 ? 0 : 0x80000001));
    ck_assert_uint_eq(b->answer.ttl_s, 0);
    dns_done(look_up_and_answer(b, "google.com", 60));
    bench_free(b);
}
END_TEST

START_TEST(a_number_is_its_own_address)
{
    struct bench *b = bench_new(0);
    struct dns_query *query = dns_lookup(b->resolver, "192.0.2.99");

    ck_assert_int_eq(dns_result(query, &b->answer), DNS_OK);
    ck_assert_uint_eq(ip_addr_to_v4(&b->answer.address[0]), 0xc0000263);
    ck_assert_str_eq(b->answer.canonical_name, "192.0.2.99");
    ck_assert(!rig_out(b->rig));
    bench_free(b);
}
END_TEST

START_TEST(a_name_that_cannot_be_asked_for_is_refused) /* RFC 1035 2.3.4 */
{
    static char long_label[65], long_name[300];
    const char *names[] = {"", ".", "..", "a..b", ".a", long_label, long_name};
    struct bench *b = bench_new(1);

    memset(long_label, 'x', 64);
    for (size_t i = 0; i < sizeof long_name - 1; i++)
        long_name[i] = i % 10 == 9 ? '.' : 'x';
    ck_assert_int_eq(dns_result(dns_lookup(b->resolver, names[_i]), &b->answer), DNS_ERR_NAME);
    ck_assert(!rig_out(b->rig));
    bench_free(b);
}
END_TEST

START_TEST(without_servers_only_numbers_have_addresses)
{
    struct bench *b = bench_new(0);

    ck_assert_int_eq(dns_result(dns_lookup(b->resolver, "google.com"), &b->answer),
                     DNS_ERR_NO_SERVER);
    bench_free(b);
}
END_TEST

enum forgery {
    FORGED_ID,
    FORGED_NAME,
    FORGED_TYPE,
    FORGED_CLASS,
    FORGED_NO_RESPONSE,
    FORGED_OPCODE,
    FORGED_NO_QUESTION,
    FORGED_NO_QUESTION_NO_NAME,
    FORGED_SERVER,
    FORGED_PORT,
    FORGED_EMPTY,
    FORGED_ONE_BYTE,
    FORGED_MALFORMED,
    FORGED_COUNT,
};

static void forge(struct bench *b, enum forgery forgery)
{
    struct dns_message *response = response_to(&b->asked.message, DNS_RCODE_OK);
    struct ip_addr server = b->asked.server;
    uint16_t port = DNS_PORT;
    uint8_t packet[512];

    response->id ^= forgery == FORGED_ID || forgery == FORGED_MALFORMED ? 0x0100 : 0;
    if (forgery == FORGED_NAME)
        response->question.text[0] ^= 1;
    response->question_type = (uint16_t)(response->question_type + (forgery == FORGED_TYPE));
    response->question_class = (uint16_t)(response->question_class + (forgery == FORGED_CLASS));
    response->is_response = forgery != FORGED_NO_RESPONSE;
    response->opcode = forgery == FORGED_OPCODE;
    if (forgery == FORGED_NO_QUESTION || forgery == FORGED_NO_QUESTION_NO_NAME)
        response->question_count = 0;
    if (forgery == FORGED_NO_QUESTION_NO_NAME)
        response->rcode = DNS_RCODE_NAME_ERROR;
    if (forgery == FORGED_SERVER)
        server = rig_addr("192.0.2.66");
    port = (uint16_t)(port + (forgery == FORGED_PORT));
    add_address(response, "google.com", "6.6.6.6", 60);
    size_t len = dns_emit(response, packet, sizeof packet);
    free(response);
    if (forgery == FORGED_EMPTY)
        len = 0;
    if (forgery == FORGED_ONE_BYTE)
        len = 1;
    if (forgery == FORGED_MALFORMED)
        len -= 3;
    rig_in_udp_from(b->rig, &server, port, b->asked.port, (struct bytes){packet, len});
}

START_TEST(a_forged_answer_is_discarded_and_the_true_one_taken) /* RFC 5452 9.1 */
{
    struct bench *b = bench_new(2);
    struct dns_query *query = dns_lookup(b->resolver, "google.com");
    bool reaches_the_resolver = _i != FORGED_SERVER && _i != FORGED_PORT;

    take_query(b->rig, &b->asked);
    forge(b, (enum forgery)_i);
    ck_assert_int_eq(result_of(b, query), DNS_PENDING);
    ck_assert_uint_eq(rig_drops(b->rig, DROP_DNS_UNEXPECTED), reaches_the_resolver);
    ck_assert_uint_eq(rig_drops(b->rig, DROP_UDP_CLOSED_PORT), !reaches_the_resolver);
    if (!reaches_the_resolver)
        ck_assert_uint_eq(rig_out_icmp(b->rig).code, ICMP_UNREACHABLE_PORT);
    ck_assert(!rig_out(b->rig)); /* the try goes on */
    struct dns_message *response = response_to(&b->asked.message, DNS_RCODE_OK);
    add_address(response, "google.com", "142.250.196.142", 60);
    response->question.text[0] = 'G';
    give(b->rig, &b->asked, response);
    ck_assert_int_eq(result_of(b, query), DNS_OK);
    ck_assert_uint_eq(ip_addr_to_v4(&b->answer.address[0]), 0x8efac48e);
    bench_free(b);
}
END_TEST

static bool choose_id_zero(void *context, enum stack_choice what, uint32_t *value)
{
    (void)context;
    *value = 0;
    return what == CHOICE_DNS_ID;
}

START_TEST(an_empty_answer_does_not_have_the_id_zero)
{
    struct rig *rig = rig_prepare();

    rig->config.choose = choose_id_zero;
    rig_start(rig);
    struct bench *b = bench_with(rig, 1);
    struct dns_query *query = dns_lookup(b->resolver, "google.com");
    take_query(rig, &b->asked);
    forge(b, (enum forgery)_i);
    ck_assert_int_eq(result_of(b, query), DNS_PENDING);
    ck_assert(!rig_out(rig)); /* the try goes on */
    bench_free(b);
}
END_TEST

START_TEST(each_try_has_a_new_id_and_a_new_port) /* RFC 5452 9.2 */
{
    struct bench *b = bench_new(1);
    unsigned same_id = 0, same_port = 0;

    for (int i = 0; i < 50; i++) {
        uint16_t id = b->asked.message.id, port = b->asked.port;
        struct dns_query *query = dns_lookup(b->resolver, "google.com");
        take_query(b->rig, &b->asked);
        same_id += id == b->asked.message.id;
        same_port += port == b->asked.port;
        dns_done(query);
    }
    ck_assert_uint_le(same_id, 1);
    ck_assert_uint_le(same_port, 1);
    bench_free(b);
}
END_TEST

START_TEST(an_answer_to_an_earlier_try_is_not_taken)
{
    struct bench *b = bench_new(1);
    struct dns_query *query = dns_lookup(b->resolver, "google.com");

    take_query(b->rig, &b->asked);
    pass(b, 5 * RIG_SECOND_US);
    struct dns_message *response = response_to(&b->asked.message, DNS_RCODE_OK);
    add_address(response, "google.com", "6.6.6.6", 60);
    ck_assert_int_eq(give(b->rig, &b->asked, response), DROP_UDP_CLOSED_PORT);
    ck_assert_int_eq(result_of(b, query), DNS_PENDING);
    bench_free(b);
}
END_TEST

START_TEST(silent_servers_are_asked_in_turn_until_the_rounds_are_over)
{
    struct bench *b = bench_new(3);
    struct dns_query *query = dns_lookup(b->resolver, "google.com");

    for (int i = 0; i < 6; i++) {
        struct ip_addr expected = rig_addr(servers[i % 3]);
        ck_assert_int_eq(result_of(b, query), DNS_PENDING);
        take_query(b->rig, &b->asked);
        ck_assert(ip_addr_equal(&b->asked.server, &expected));
        ck_assert_uint_eq(dns_next_deadline_us(b->resolver), b->rig->now_us + 5 * RIG_SECOND_US);
        pass(b, 5 * RIG_SECOND_US - 1);
        ck_assert(!rig_out(b->rig));
        pass(b, 1);
    }
    ck_assert_int_eq(dns_result(query, &b->answer), DNS_ERR_TIMED_OUT);
    ck_assert(!rig_out(b->rig));
    ck_assert_uint_eq(dns_next_deadline_us(b->resolver), NEVER);
    bench_free(b);
}
END_TEST

START_TEST(a_server_of_no_use_gives_way_to_the_next_at_once)
{
    static const uint8_t rcodes[] = {DNS_RCODE_FORMAT, DNS_RCODE_SERVER_FAILURE, 4,
                                     DNS_RCODE_REFUSED};
    struct bench *b = bench_new(2);
    struct dns_query *query = dns_lookup(b->resolver, "google.com");

    for (int i = 0; i < 4; i++) {
        struct ip_addr expected = rig_addr(servers[i % 2]);
        take_query(b->rig, &b->asked);
        ck_assert(ip_addr_equal(&b->asked.server, &expected));
        struct dns_message *response = response_to(&b->asked.message, rcodes[_i]);
        if (i % 2 == 1)
            response->question_count = 0; /* a server may leave the question out */
        give(b->rig, &b->asked, response);
        ck_assert_int_eq(result_of(b, query), i < 3 ? DNS_PENDING : DNS_ERR_SERVER);
    }
    ck_assert(!rig_out(b->rig));
    bench_free(b);
}
END_TEST

START_TEST(the_second_server_answers_for_the_first)
{
    struct bench *b = bench_new(2);
    struct dns_query *query = dns_lookup(b->resolver, "google.com");

    take_query(b->rig, &b->asked);
    give(b->rig, &b->asked, response_to(&b->asked.message, DNS_RCODE_SERVER_FAILURE));
    ck_assert_int_eq(result_of(b, query), DNS_PENDING);
    take_query(b->rig, &b->asked);
    struct dns_message *response = response_to(&b->asked.message, DNS_RCODE_OK);
    add_address(response, "google.com", "142.250.196.142", 60);
    give(b->rig, &b->asked, response);
    ck_assert_int_eq(result_of(b, query), DNS_OK);
    bench_free(b);
}
END_TEST

START_TEST(silence_and_refusal_together_are_no_time_out)
{
    struct bench *b = bench_new(1);
    struct dns_query *query = dns_lookup(b->resolver, "google.com");

    take_query(b->rig, &b->asked);
    give(b->rig, &b->asked, response_to(&b->asked.message, DNS_RCODE_REFUSED));
    ck_assert_int_eq(result_of(b, query), DNS_PENDING);
    pass(b, 5 * RIG_SECOND_US);
    ck_assert_int_eq(dns_result(query, &b->answer), DNS_ERR_SERVER);
    bench_free(b);
}
END_TEST

static const struct {
    uint8_t bytes[40];
    size_t len;
} nonsense[] = {
    /* each behind our ID: */
    {{0x81, 0x80}, 2},                                                /* ends in the header */
    {{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1}, 16}, /* a name that is itself */
    {{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0xc0, 12, 0, 1, 0, 1}, 18}, /* a loop */
    {{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 200, 0, 1, 0, 1}, 16},        /* points forward */
    {{0x81, 0x80, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1}, 15},                /* two questions */
    {{0x81, 0x80, 0, 0, 255, 255, 0, 0, 0, 0}, 10},                           /* 65535 answers */
};

START_TEST(a_malformed_answer_with_our_id_counts_as_the_servers_own)
{
    struct bench *b = bench_new(2);
    struct dns_query *query = dns_lookup(b->resolver, "google.com");
    struct ip_addr second = rig_addr(servers[1]);
    uint8_t packet[64];

    take_query(b->rig, &b->asked);
    packet[0] = (uint8_t)(b->asked.message.id >> 8);
    packet[1] = (uint8_t)b->asked.message.id;
    memcpy(packet + 2, nonsense[_i].bytes, nonsense[_i].len);
    rig_in_udp_from(b->rig, &b->asked.server, DNS_PORT, b->asked.port,
                    (struct bytes){packet, nonsense[_i].len + 2});
    ck_assert_int_eq(result_of(b, query), DNS_PENDING);
    ck_assert_uint_eq(rig_drops(b->rig, DROP_DNS_MALFORMED), 1);
    take_query(b->rig, &b->asked);
    ck_assert(ip_addr_equal(&b->asked.server, &second));
    bench_free(b);
}
END_TEST

START_TEST(a_server_that_cannot_be_reached_gives_way_at_once) /* ICMP port unreachable */
{
    struct bench *b = bench_new(1);
    struct dns_query *query = dns_lookup(b->resolver, "google.com");

    for (int i = 0; i < 2; i++) {
        take_query(b->rig, &b->asked);
        struct icmp_message icmp = {
            .type = ICMP_UNREACHABLE,
            .code = ICMP_UNREACHABLE_PORT,
            .body = {b->rig->packet, IPV4_HEADER_BYTES + UDP_HEADER_BYTES},
        };
        ck_assert_int_eq(rig_in_icmp(b->rig, &icmp), DROP_NOT);
        ck_assert_int_eq(result_of(b, query), i == 0 ? DNS_PENDING : DNS_ERR_TIMED_OUT);
    }
    bench_free(b);
}
END_TEST

START_TEST(no_such_name_is_told_and_kept) /* RFC 2308 5 */
{
    struct bench *b = bench_new(1);
    struct dns_query *query = dns_lookup(b->resolver, "nx.example");
    enum dns_err expected = _i == 0 ? DNS_ERR_NOT_FOUND : DNS_ERR_NO_ADDRESS;

    take_query(b->rig, &b->asked);
    struct dns_message *response =
        response_to(&b->asked.message, _i == 0 ? DNS_RCODE_NAME_ERROR : DNS_RCODE_OK);
    add_soa(response, 3600, 20);
    give(b->rig, &b->asked, response);
    ck_assert_int_eq(result_of(b, query), expected);
    pass(b, 20 * RIG_SECOND_US - 1);
    ck_assert_int_eq(dns_result(dns_lookup(b->resolver, "nx.example"), &b->answer), expected);
    ck_assert(!rig_out(b->rig));
    pass(b, 1);
    ck_assert_int_eq(dns_result(dns_lookup(b->resolver, "nx.example"), &b->answer), DNS_PENDING);
    take_query(b->rig, &b->asked);
    bench_free(b);
}
END_TEST

START_TEST(an_alias_without_address_is_asked_for_and_the_first_name_kept) /* RFC 1034 5.3.3 */
{
    struct bench *b = bench_new(1);
    struct dns_query *query = dns_lookup(b->resolver, "www.x.com");

    take_query(b->rig, &b->asked);
    struct dns_message *response = response_to(&b->asked.message, DNS_RCODE_OK);
    add_alias(response, "www.x.com", "x.net", 30);
    give(b->rig, &b->asked, response);
    ck_assert_int_eq(result_of(b, query), DNS_PENDING);
    take_query(b->rig, &b->asked);
    ck_assert_str_eq(b->asked.message.question.text, "x.net");
    response = response_to(&b->asked.message, DNS_RCODE_OK);
    add_address(response, "x.net", "192.0.2.80", 600);
    give(b->rig, &b->asked, response);
    ck_assert_int_eq(result_of(b, query), DNS_OK);
    ck_assert_uint_eq(b->answer.ttl_s, 30);
    ck_assert_str_eq(b->answer.canonical_name, "x.net");
    ck_assert_int_eq(dns_result(dns_lookup(b->resolver, "www.x.com"), &b->answer), DNS_OK);
    ck_assert_str_eq(b->answer.canonical_name, "x.net");
    bench_free(b);
}
END_TEST

START_TEST(aliases_without_end_are_given_up) /* a chain of new names, or a loop over two */
{
    struct bench *b = bench_new(1);
    struct dns_query *query = dns_lookup(b->resolver, "a.x");
    unsigned question_count = 0;

    while (result_of(b, query) == DNS_PENDING) {
        char target[] = "a.x";
        take_query(b->rig, &b->asked);
        question_count++;
        ck_assert_uint_lt(question_count, 20);
        target[0] = (char)('a' + (_i == 0 ? question_count : question_count % 2));
        struct dns_message *response = response_to(&b->asked.message, DNS_RCODE_OK);
        add_alias(response, b->asked.message.question.text, target, 30);
        give(b->rig, &b->asked, response);
    }
    ck_assert_uint_eq(question_count, 9);
    ck_assert_int_eq(dns_result(query, &b->answer), DNS_ERR_SERVER);
    bench_free(b);
}
END_TEST

START_TEST(an_alias_loop_in_one_answer_ends) /* as an answer of no use */
{
    struct bench *b = bench_new(1);
    struct dns_query *query = dns_lookup(b->resolver, "a.x");

    for (int i = 0; i < 2; i++) {
        take_query(b->rig, &b->asked);
        struct dns_message *response = response_to(&b->asked.message, DNS_RCODE_OK);
        add_alias(response, "a.x", "b.x", 30);
        add_alias(response, "b.x", "a.x", 30);
        give(b->rig, &b->asked, response);
        ck_assert_int_eq(result_of(b, query), i == 0 ? DNS_PENDING : DNS_ERR_SERVER);
    }
    bench_free(b);
}
END_TEST

START_TEST(lookups_under_way_get_their_own_answers)
{
    struct bench *b = bench_new(1);
    struct dns_query *first = dns_lookup(b->resolver, "first.x");
    struct dns_query *second = dns_lookup(b->resolver, "second.x");
    struct asked *other = calloc(1, sizeof *other);

    take_query(b->rig, &b->asked);
    take_query(b->rig, other);
    struct dns_message *response = response_to(&other->message, DNS_RCODE_OK);
    add_address(response, "second.x", "192.0.2.2", 60);
    give(b->rig, other, response);
    ck_assert_int_eq(result_of(b, first), DNS_PENDING);
    ck_assert_int_eq(result_of(b, second), DNS_OK);
    dns_done(second);
    response = response_to(&b->asked.message, DNS_RCODE_NAME_ERROR);
    give(b->rig, &b->asked, response);
    ck_assert_int_eq(result_of(b, first), DNS_ERR_NOT_FOUND);
    dns_done(look_up_and_answer(b, "third.x", 60));
    dns_done(first);
    dns_done(look_up_and_answer(b, "fourth.x", 60));
    free(other);
    bench_free(b);
}
END_TEST

START_TEST(a_lookup_given_up_closes_its_port)
{
    struct bench *b = bench_new(1);

    dns_done(dns_lookup(b->resolver, "google.com"));
    take_query(b->rig, &b->asked);
    ck_assert_int_eq(give(b->rig, &b->asked, response_to(&b->asked.message, DNS_RCODE_OK)),
                     DROP_UDP_CLOSED_PORT);
    ck_assert_uint_eq(dns_next_deadline_us(b->resolver), NEVER);
    dns_done(NULL);
    bench_free(b);
}
END_TEST

START_TEST(a_query_that_found_the_outgoing_queue_full_is_sent_by_the_next_try)
{
    struct rig *rig = rig_prepare();

    rig->config.out_queue_max = 1;
    rig_start(rig);
    struct bench *b = bench_with(rig, 1);
    struct dns_query *first = dns_lookup(b->resolver, "first.x");
    struct dns_query *second = dns_lookup(b->resolver, "second.x");
    take_query(rig, &b->asked);
    dns_done(first);
    ck_assert_int_eq(result_of(b, second), DNS_PENDING);
    ck_assert(!rig_out(rig));
    pass(b, 5 * RIG_SECOND_US);
    take_query(rig, &b->asked);
    ck_assert_str_eq(b->asked.message.question.text, "second.x");
    bench_free(b);
}
END_TEST

START_TEST(each_step_is_told_to_the_trace)
{
    struct bench *b = bench_new(1);
    struct dns_query *query = dns_lookup(b->resolver, "google.com");

    ck_assert_uint_eq(b->rig->dns_event_count, 1);
    take_query(b->rig, &b->asked);
    ck_assert_str_eq(b->rig->out_cause, "asks a name server for the addresses of a name");
    forge(b, FORGED_NAME);
    result_of(b, query);
    ck_assert_str_eq(b->rig->dns_cause, "answer does not match the question");
    pass(b, 10 * RIG_SECOND_US);
    pass(b, 10 * RIG_SECOND_US);
    ck_assert_str_eq(b->rig->dns_cause, dns_err_name(DNS_ERR_TIMED_OUT));
    bench_free(b);
}
END_TEST

START_TEST(random_answers_do_no_harm) /* bytes of a good one changed; the seed is the number */
{
    struct bench *b = bench_new(2);

    b->rig->random_state = (uint64_t)_i;
    for (int i = 0; i < 300; i++) {
        struct dns_query *query = dns_lookup(b->resolver, "google.com");
        uint8_t packet[512];
        for (int j = 0; dns_result(query, &b->answer) == DNS_PENDING && j < 100; j++) {
            take_query(b->rig, &b->asked);
            struct dns_message *response = response_to(&b->asked.message, DNS_RCODE_OK);
            add_alias(response, "google.com", "x.google.com", 0);
            add_address(response, "x.google.com", "192.0.2.1", 0);
            add_soa(response, 0, 0);
            size_t len = dns_emit(response, packet, sizeof packet);
            free(response);
            for (uint64_t k = rig_random(b->rig) % 6; k > 0; k--)
                packet[2 + rig_random(b->rig) % (len - 2)] = (uint8_t)rig_random(b->rig);
            rig_in_udp_from(b->rig, &b->asked.server, DNS_PORT, b->asked.port,
                            (struct bytes){packet, len - rig_random(b->rig) % 3});
            dns_on_time(b->resolver, b->rig->now_us);
            if (b->rig->stack->udp.sockets != NULL && b->rig->stack->ip.first == NULL)
                pass(b, 5 * RIG_SECOND_US); /* discarded: wait for the next try */
            if (b->rig->stack->ip.first == NULL)
                break; /* asked over TCP, or decided */
        }
        dns_done(query);
        while (rig_out(b->rig))
            ;
    }
    bench_free(b);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, the_query_is_one_question_with_recursion_desired, 0, 2);
    tcase_add_loop_test(tc, an_answer_gives_the_address, 0, 2);
    tcase_add_test(tc, a_valid_answer_is_not_asked_for_again);
    tcase_add_loop_test(tc, a_time_to_live_of_zero_or_below_serves_once, 0, 2);
    tcase_add_test(tc, a_number_is_its_own_address);
    tcase_add_loop_test(tc, a_name_that_cannot_be_asked_for_is_refused, 0, 7);
    tcase_add_test(tc, without_servers_only_numbers_have_addresses);
    tcase_add_loop_test(tc, a_forged_answer_is_discarded_and_the_true_one_taken, 0, FORGED_COUNT);
    tcase_add_loop_test(tc, an_empty_answer_does_not_have_the_id_zero, FORGED_EMPTY,
                        FORGED_ONE_BYTE + 1);
    tcase_add_test(tc, each_try_has_a_new_id_and_a_new_port);
    tcase_add_test(tc, an_answer_to_an_earlier_try_is_not_taken);
    tcase_add_test(tc, silent_servers_are_asked_in_turn_until_the_rounds_are_over);
    tcase_add_loop_test(tc, a_server_of_no_use_gives_way_to_the_next_at_once, 0, 4);
    tcase_add_test(tc, the_second_server_answers_for_the_first);
    tcase_add_test(tc, silence_and_refusal_together_are_no_time_out);
    tcase_add_loop_test(tc, a_malformed_answer_with_our_id_counts_as_the_servers_own, 0,
                        sizeof nonsense / sizeof *nonsense);
    tcase_add_test(tc, a_server_that_cannot_be_reached_gives_way_at_once);
    tcase_add_loop_test(tc, no_such_name_is_told_and_kept, 0, 2);
    tcase_add_test(tc, an_alias_without_address_is_asked_for_and_the_first_name_kept);
    tcase_add_loop_test(tc, aliases_without_end_are_given_up, 0, 2);
    tcase_add_test(tc, an_alias_loop_in_one_answer_ends);
    tcase_add_test(tc, lookups_under_way_get_their_own_answers);
    tcase_add_test(tc, a_lookup_given_up_closes_its_port);
    tcase_add_test(tc, a_query_that_found_the_outgoing_queue_full_is_sent_by_the_next_try);
    tcase_add_test(tc, each_step_is_told_to_the_trace);
    tcase_add_loop_test(tc, random_answers_do_no_harm, 0, 10);
}

int main(void)
{
    return unit_main("dns/dns", tests);
}
