/* Reading a response: RFC 1034 3.6.2 and 5.3.3 (aliases), RFC 2308 (negative answers).
 *
 * The name asked for may be an alias of another, that of a third, and so on: the chain is followed
 * through the answer section until a name has no CNAME. Each record is met at most once on an
 * honest chain, so a chain of more steps than there are records is a loop.
 *
 *     www.x.com CNAME x.com        \ the answer lives as long as the shortest-lived record
 *         x.com A     142.250.1.1  / of the chain
 *
 * A negative answer comes with the zone's SOA, which says how long it may be kept: the smaller of
 * the SOA's own TTL and its MINIMUM field (RFC 2308 5); without SOA it is not kept. The response
 * code speaks of the chain's last name (RFC 6604 3).
 *
 * A TTL above config.ttl_max_s is cut to it; the parser has taken one with the highest bit set for
 * zero (RFC 2181 8).
 *
 * A referral, with name servers and no SOA, is of no use to a stub resolver: its server does not
 * recurse. */
#include "answer.h"

#include <string.h>

static const struct dns_record *find(const struct dns_message *message, const char *name,
                                     uint16_t type);
static bool follow_aliases(const struct dns_message *message, struct dns_answer *answer);
static void collect_addresses(const struct dns_message *message, struct dns_answer *answer);
static const struct dns_record *find_authority(const struct dns_message *message, uint16_t type);
static enum dns_verdict read_negative(const struct dns_message *message, const char *name,
                                      const struct dns_config *config, struct dns_answer *answer);
static void limit_ttl(struct dns_answer *answer, uint32_t ttl_s);
static void copy_name(char to[static DNS_NAME_TEXT_BYTES], const char *name);

enum dns_verdict dns_answer_read(const struct dns_message *message, const char *name,
                                 const struct dns_config *config, struct dns_answer *answer)
{
    *answer = (struct dns_answer){.ttl_s = config->ttl_max_s};
    copy_name(answer->canonical_name, name);
    if (message->rcode != DNS_RCODE_OK && message->rcode != DNS_RCODE_NAME_ERROR)
        return DNS_VERDICT_NO_USE;
    if (!follow_aliases(message, answer))
        return DNS_VERDICT_NO_USE;
    collect_addresses(message, answer);
    if (answer->address_count > 0)
        return DNS_VERDICT_ADDRESSES;
    return read_negative(message, name, config, answer);
}

static const struct dns_record *find(const struct dns_message *message, const char *name,
                                     uint16_t type)
{
    for (unsigned i = 0; i < message->answer_count; i++) {
        const struct dns_record *record = &message->record[i];
        if (record->type == type && record->class == DNS_CLASS_IN &&
            dns_name_equal(record->name.text, name))
            return record;
    }
    return NULL;
}

/* False if the chain bites its tail. */
static bool follow_aliases(const struct dns_message *message, struct dns_answer *answer)
{
    const struct dns_record *alias;

    for (unsigned steps = 0;
         (alias = find(message, answer->canonical_name, DNS_TYPE_CNAME)) != NULL; steps++) {
        if (steps == message->answer_count)
            return false;
        limit_ttl(answer, alias->ttl_s);
        copy_name(answer->canonical_name, alias->target.text);
    }
    return true;
}

static void collect_addresses(const struct dns_message *message, struct dns_answer *answer)
{
    for (unsigned i = 0; i < message->answer_count; i++) {
        const struct dns_record *record = &message->record[i];
        if (record->type != DNS_TYPE_A || record->class != DNS_CLASS_IN ||
            !dns_name_equal(record->name.text, answer->canonical_name) ||
            answer->address_count == DNS_ADDRESSES_MAX)
            continue;
        answer->address[answer->address_count++] = record->address;
        limit_ttl(answer, record->ttl_s);
    }
}

static const struct dns_record *find_authority(const struct dns_message *message, uint16_t type)
{
    for (unsigned i = message->answer_count; i < message->record_count; i++) {
        const struct dns_record *record = &message->record[i];
        if (record->type == type && record->class == DNS_CLASS_IN)
            return record;
    }
    return NULL;
}

static enum dns_verdict read_negative(const struct dns_message *message, const char *name,
                                      const struct dns_config *config, struct dns_answer *answer)
{
    const struct dns_record *soa = find_authority(message, DNS_TYPE_SOA);
    bool is_name_error = message->rcode == DNS_RCODE_NAME_ERROR;

    if (soa == NULL && !is_name_error) {
        if (!dns_name_equal(answer->canonical_name, name))
            return DNS_VERDICT_ALIAS; /* the server has not followed the chain to its end */
        if (!message->authoritative && find_authority(message, DNS_TYPE_NS) != NULL)
            return DNS_VERDICT_NO_USE;
    }
    limit_ttl(answer, soa == NULL ? 0 : soa->ttl_s);
    limit_ttl(answer, soa == NULL ? 0 : soa->soa_minimum_s);
    limit_ttl(answer, config->negative_ttl_max_s);
    return is_name_error ? DNS_VERDICT_NO_NAME : DNS_VERDICT_NO_ADDRESS;
}

static void limit_ttl(struct dns_answer *answer, uint32_t ttl_s)
{
    if (ttl_s < answer->ttl_s)
        answer->ttl_s = ttl_s;
}

static void copy_name(char to[static DNS_NAME_TEXT_BYTES], const char *name)
{
    size_t len = strlen(name);

    if (len >= DNS_NAME_TEXT_BYTES)
        len = DNS_NAME_TEXT_BYTES - 1;
    memmove(to, name, len);
    to[len] = '\0';
}
