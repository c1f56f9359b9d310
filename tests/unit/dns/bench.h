/* Name servers for the tests of the resolver: a test takes the query out of the stack, builds a
 * message, and gives it back as this server's answer or as a forger's. */
#ifndef TUNTCP_TESTS_UNIT_DNS_BENCH_H
#define TUNTCP_TESTS_UNIT_DNS_BENCH_H

#include "../ip/rig.h"

#include "../../../stack/dns/dns.h"

/* A query as it came out, and where it came from. */
struct asked {
    struct dns_message message;
    struct ip_addr server;
    uint16_t port;
    size_t len;
};

static inline struct dns_message *response_to(const struct dns_message *query, uint8_t rcode)
{
    struct dns_message *response = malloc(sizeof *response);

    *response = *query;
    response->is_response = true;
    response->recursion_available = true;
    response->rcode = rcode;
    response->answer_count = response->record_count = 0;
    return response;
}

static inline struct dns_record *add_record(struct dns_message *response, const char *name,
                                            uint16_t type, uint32_t ttl_s)
{
    ck_assert_uint_lt(response->record_count, DNS_RECORD_MAX);
    struct dns_record *record = &response->record[response->record_count++];

    *record = (struct dns_record){.type = type, .class = DNS_CLASS_IN, .ttl_s = ttl_s};
    ck_assert_uint_lt(strlen(name), sizeof record->name.text);
    memcpy(record->name.text, name, strlen(name) + 1);
    if (type != DNS_TYPE_SOA && type != DNS_TYPE_NS)
        response->answer_count = response->record_count;
    return record;
}

static inline void add_address(struct dns_message *response, const char *name, const char *address,
                               uint32_t ttl_s)
{
    add_record(response, name, DNS_TYPE_A, ttl_s)->address = rig_addr(address);
}

static inline void add_alias(struct dns_message *response, const char *name, const char *target,
                             uint32_t ttl_s)
{
    struct dns_record *record = add_record(response, name, DNS_TYPE_CNAME, ttl_s);

    memcpy(record->target.text, target, strlen(target) + 1);
}

/* Authority records come behind all answers. */
static inline void add_soa(struct dns_message *response, uint32_t ttl_s, uint32_t minimum_s)
{
    add_record(response, "zone", DNS_TYPE_SOA, ttl_s)->soa_minimum_s = minimum_s;
}

/* Pull the query that the resolver has sent. */
static inline void take_query(struct rig *rig, struct asked *asked)
{
    struct udp_datagram udp = rig_out_udp(rig);

    ck_assert_uint_eq(udp.dst_port, DNS_PORT);
    ck_assert_int_eq(dns_parse(udp.payload, &asked->message), DROP_NOT);
    asked->server = rig->ip.dst;
    asked->port = udp.src_port;
    asked->len = udp.payload.len;
}

/* Give `response` to the stack as the answer of the server that was asked, and free it. */
static inline enum drop give(struct rig *rig, const struct asked *asked,
                             struct dns_message *response)
{
    uint8_t packet[2048];
    size_t len = dns_emit(response, packet, sizeof packet);

    ck_assert_uint_gt(len, 0);
    free(response);
    return rig_in_udp_from(rig, &asked->server, DNS_PORT, asked->port, (struct bytes){packet, len});
}

#endif
