/* The stub resolver: a query per name looked up, a try per question sent (RFC 1034 5.3.1).
 *
 *     dns_lookup -> number? cache? -> try: ask.c -----------------> answer.c -> addresses, or none
 *                                      ^ no answer, no use:          | alias:
 *                                      | the next server             | a new question
 *                                      `-----------------------------'
 *
 * The servers are asked in turn, config.attempts times each. One that answers SERVFAIL, REFUSED or
 * nonsense, or that cannot be reached, gives way to the next at once; one that is silent after
 * config.timeout_us, time over TCP included. An answer that ends in an alias is followed by asking
 * for the alias, at most QUESTIONS_MAX times in all, which also ends loops across answers.
 *
 * One message of DNS_RECORD_MAX records is some 70 kB, so the resolver has one, in which every
 * question is written and every response read.
 *
 * Names are tried as given. Not done: search lists and "ndots" of resolv.conf(5), which make one
 * name mean several; AAAA; sharing one question between two lookups of the same name.
 *
 * Parts: ask.c (one question to one server), answer.c (what a response says), cache.c. */
#include "dns.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "ask.h"
#include "cache.h"

enum {
    QUESTIONS_MAX = 9, /* the name and 8 aliases */
    ATTEMPTS_MAX = 100,
};

static const uint64_t timeout_max_us = 3600 * 1000000ull; /* a sum with a time does not overflow */

struct dns_query {
    struct dns_query *next;
    struct dns_resolver *resolver;
    enum dns_err result;
    struct dns_answer answer;
    struct dns_name name;  /* looked up, without final dot */
    struct dns_name asked; /* in the question under way: the name or an alias */
    unsigned question_count;
    unsigned try_count;    /* of this question */
    bool has_been_refused; /* some server answered, but of no use */
    uint64_t deadline_us;
    struct dns_ask ask;
};

struct dns_resolver {
    struct stack *stack;
    struct dns_config config;
    struct dns_cache cache;
    struct dns_query *first, *last; /* in the order of dns_lookup() */
    struct dns_message message;     /* the one being written or read */
};

static void start(struct dns_query *query, const char *name);
static bool answer_number(struct dns_query *query, const char *name);
static void copy_without_final_dot(struct dns_name *copy, const char *name);
static bool answer_from_cache(struct dns_query *query);
static void try_next(struct dns_query *query, uint64_t now_us);
static void look(struct dns_query *query, uint64_t now_us);
static void read_answer(struct dns_query *query, uint64_t now_us);
static void follow_alias(struct dns_query *query, uint64_t now_us);
static void decide(struct dns_query *query, enum dns_err result, uint64_t now_us);

void dns_config_init(struct dns_config *config)
{
    *config = (struct dns_config){
        .port = DNS_PORT,
        .timeout_us = 5 * 1000000ull,
        .attempts = 2,
        .cache_entries = 256,
        .ttl_max_s = 7 * 24 * 3600,
        .negative_ttl_max_s = 3 * 3600,
    };
}

struct dns_resolver *dns_new(struct stack *stack, const struct dns_config *config)
{
    struct dns_resolver *resolver = calloc(1, sizeof *resolver);

    if (resolver == NULL)
        return NULL;
    resolver->stack = stack;
    resolver->config = *config;
    if (config->server_count > DNS_SERVERS_MAX)
        resolver->config.server_count = DNS_SERVERS_MAX;
    if (config->attempts == 0)
        resolver->config.attempts = 1;
    if (config->attempts > ATTEMPTS_MAX)
        resolver->config.attempts = ATTEMPTS_MAX;
    if (config->timeout_us > timeout_max_us)
        resolver->config.timeout_us = timeout_max_us;
    dns_cache_init(&resolver->cache, config->cache_entries);
    return resolver;
}

void dns_free(struct dns_resolver *resolver)
{
    if (resolver == NULL)
        return;
    while (resolver->first != NULL)
        dns_done(resolver->first);
    dns_cache_free(&resolver->cache);
    free(resolver);
}

struct dns_query *dns_lookup(struct dns_resolver *resolver, const char *name)
{
    struct dns_query *query = calloc(1, sizeof *query);

    if (query == NULL)
        return NULL;
    query->resolver = resolver;
    query->result = DNS_PENDING;
    *(resolver->last == NULL ? &resolver->first : &resolver->last->next) = query;
    resolver->last = query;
    start(query, name);
    return query;
}

enum dns_err dns_result(struct dns_query *query, struct dns_answer *answer)
{
    if (query->result == DNS_OK)
        *answer = query->answer;
    return query->result;
}

void dns_done(struct dns_query *query)
{
    struct dns_query *before = NULL;

    if (query == NULL)
        return;
    struct dns_resolver *resolver = query->resolver;
    for (struct dns_query *at = resolver->first; at != query; at = at->next)
        before = at;
    *(before == NULL ? &resolver->first : &before->next) = query->next;
    if (resolver->last == query)
        resolver->last = before;
    dns_ask_end(&query->ask);
    free(query);
}

void dns_on_time(struct dns_resolver *resolver, uint64_t now_us)
{
    for (struct dns_query *query = resolver->first; query != NULL; query = query->next)
        look(query, now_us);
}

uint64_t dns_next_deadline_us(const struct dns_resolver *resolver)
{
    uint64_t next_us = NEVER;

    for (const struct dns_query *query = resolver->first; query != NULL; query = query->next) {
        if (query->result == DNS_PENDING && query->deadline_us < next_us)
            next_us = query->deadline_us;
    }
    return next_us;
}

const char *dns_err_name(enum dns_err error)
{
    switch (error) {
    case DNS_OK:
        return "the name has an address";
    case DNS_PENDING:
        return "not decided yet";
    case DNS_ERR_NAME:
        return "not a valid name";
    case DNS_ERR_NO_SERVER:
        return "no name server is configured";
    case DNS_ERR_NOT_FOUND:
        return "no such name";
    case DNS_ERR_NO_ADDRESS:
        return "the name has no IPv4 address";
    case DNS_ERR_SERVER:
        return "no name server gave a usable answer";
    case DNS_ERR_TIMED_OUT:
        return "no name server answered";
    case DNS_ERR_RESOURCES:
        return "insufficient resources";
    }
    return "unknown error";
}

static void start(struct dns_query *query, const char *name)
{
    struct dns_resolver *resolver = query->resolver;
    uint64_t now_us = stack_now_us(resolver->stack);

    if (answer_number(query, name))
        return;
    if (!dns_name_is_valid(name)) {
        query->result = DNS_ERR_NAME;
        return;
    }
    copy_without_final_dot(&query->name, name);
    query->asked = query->name;
    query->answer.ttl_s = resolver->config.ttl_max_s;
    query->ask.stack = resolver->stack;
    query->ask.name = query->asked.text;
    if (answer_from_cache(query))
        return;
    if (resolver->config.server_count == 0) {
        query->result = DNS_ERR_NO_SERVER;
        return;
    }
    query->question_count = 1;
    try_next(query, now_us);
}

static bool answer_number(struct dns_query *query, const char *name)
{
    struct ip_addr address;

    if (!ip_addr_parse(name, &address))
        return false;
    query->answer =
        (struct dns_answer){.address = {address}, .address_count = 1, .ttl_s = UINT32_MAX};
    memcpy(query->answer.canonical_name, name, strlen(name) + 1); /* at most 15 characters */
    query->result = DNS_OK;
    return true;
}

/* `name` is valid, and so has 253 characters at most; the copy's memory is zero. */
static void copy_without_final_dot(struct dns_name *copy, const char *name)
{
    size_t len = strlen(name);
    bool ends_in_dot = len > 1 && name[len - 1] == '.' && name[len - 2] != '\\';

    memcpy(copy->text, name, ends_in_dot ? len - 1 : len);
}

static bool answer_from_cache(struct dns_query *query)
{
    struct dns_resolver *resolver = query->resolver;

    query->result = dns_cache_get(&resolver->cache, query->name.text, &query->answer,
                                  stack_now_us(resolver->stack));
    if (query->result == DNS_PENDING)
        return false;
    dns_ask_trace(&query->ask, "known from an earlier answer that is still valid");
    return true;
}

/* Ask the next server that can be asked; give up after the last round. */
static void try_next(struct dns_query *query, uint64_t now_us)
{
    struct dns_resolver *resolver = query->resolver;
    const struct dns_config *config = &resolver->config;

    while (query->try_count < config->attempts * config->server_count) {
        const struct ip_addr *server = &config->server[query->try_count % config->server_count];
        dns_ask_end(&query->ask);
        query->try_count++;
        query->deadline_us = now_us + config->timeout_us;
        enum dns_ask_state state =
            dns_ask_begin(&query->ask, resolver->stack, server, config->port, query->asked.text,
                          query->try_count, &resolver->message);
        if (state == DNS_ASK_WAITING)
            return;
        if (state == DNS_ASK_RESOURCES) {
            decide(query, DNS_ERR_RESOURCES, now_us);
            return;
        }
        if (state == DNS_ASK_NO_USE)
            query->has_been_refused = true;
    }
    decide(query, query->has_been_refused ? DNS_ERR_SERVER : DNS_ERR_TIMED_OUT, now_us);
}

/* Ends by itself: each round without an answer takes one of a bounded number of tries, each answer
 * one of a bounded number of questions. */
static void look(struct dns_query *query, uint64_t now_us)
{
    while (query->result == DNS_PENDING) {
        switch (dns_ask_look(&query->ask, &query->resolver->message)) {
        case DNS_ASK_WAITING:
            if (now_us < query->deadline_us)
                return;
            dns_ask_trace(&query->ask, "no answer in time");
            try_next(query, now_us);
            break;
        case DNS_ASK_NO_ANSWER:
            dns_ask_trace(&query->ask, "the server cannot be reached");
            try_next(query, now_us);
            break;
        case DNS_ASK_NO_USE:
            dns_ask_trace(&query->ask, "the answer is of no use");
            query->has_been_refused = true;
            try_next(query, now_us);
            break;
        case DNS_ASK_RESOURCES:
            decide(query, DNS_ERR_RESOURCES, now_us);
            break;
        case DNS_ASK_ANSWERED:
            read_answer(query, now_us);
            break;
        }
    }
}

static void read_answer(struct dns_query *query, uint64_t now_us)
{
    struct dns_resolver *resolver = query->resolver;
    uint32_t chain_ttl_s = query->answer.ttl_s; /* of the answers before this one */

    enum dns_verdict verdict =
        dns_answer_read(&resolver->message, query->asked.text, &resolver->config, &query->answer);
    if (chain_ttl_s < query->answer.ttl_s)
        query->answer.ttl_s = chain_ttl_s;
    switch (verdict) {
    case DNS_VERDICT_ADDRESSES:
        decide(query, DNS_OK, now_us);
        break;
    case DNS_VERDICT_ALIAS:
        follow_alias(query, now_us);
        break;
    case DNS_VERDICT_NO_NAME:
        decide(query, DNS_ERR_NOT_FOUND, now_us);
        break;
    case DNS_VERDICT_NO_ADDRESS:
        decide(query, DNS_ERR_NO_ADDRESS, now_us);
        break;
    case DNS_VERDICT_NO_USE:
        query->answer.ttl_s = chain_ttl_s;
        query->has_been_refused = true;
        dns_ask_trace(&query->ask, "the answer is of no use");
        try_next(query, now_us);
        break;
    }
}

static void follow_alias(struct dns_query *query, uint64_t now_us)
{
    if (query->question_count == QUESTIONS_MAX) {
        dns_ask_trace(&query->ask, "too many aliases, one after the other");
        decide(query, DNS_ERR_SERVER, now_us);
        return;
    }
    dns_ask_trace(&query->ask, "the name is an alias, asking for what it stands for");
    memcpy(query->asked.text, query->answer.canonical_name, sizeof query->asked.text);
    query->question_count++;
    query->try_count = 0;
    query->has_been_refused = false;
    try_next(query, now_us);
}

static void decide(struct dns_query *query, enum dns_err result, uint64_t now_us)
{
    query->result = result;
    dns_ask_trace(&query->ask, dns_err_name(result));
    dns_ask_end(&query->ask);
    if (result == DNS_OK || result == DNS_ERR_NOT_FOUND || result == DNS_ERR_NO_ADDRESS)
        dns_cache_put(&query->resolver->cache, query->name.text, result, &query->answer, now_us);
}
