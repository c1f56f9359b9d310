/* The lab's DNS server: RFC 1035 with a zone of three names.
 *
 *     google.com      A 142.250.196.142, kept for 267 s
 *     www.google.com  an alias of it
 *     big.google.com  more addresses than a datagram of 512 bytes holds
 *
 * Anything else does not exist. What does not fit a datagram is truncated and asked for again over
 * TCP, where each message stands behind its length (RFC 1035 4.2.2). A negative answer carries a
 * SOA record that says how long it may be kept (RFC 2308 3). */
#include <stdio.h>
#include <string.h>

#include "lab_session.h"

enum {
    ZONE_TTL_S = 267,
    BIG_NAME_ADDRESS_COUNT = DNS_RECORD_MAX, /* 16 bytes each: more than 512 together */
    NEGATIVE_TTL_S = 60,
    DNS_RCODE_NOT_IMPLEMENTED = 4,
};

static const uint32_t GOOGLE_ADDRESS = 0x8efac48e; /* 142.250.196.142 */

static void look_up(const char *name, uint16_t type, struct dns_message *answer);
static bool take_query(struct session *session);

size_t lab_names_answer(struct lab_names *names, struct bytes query, uint8_t *reply, size_t room)
{
    const struct dns_message *question = &names->question;
    struct dns_message *answer = &names->answer;

    if (dns_parse(query, &names->question) != DROP_NOT || question->is_response)
        return 0;
    memset(answer, 0, sizeof *answer);
    answer->id = question->id;
    answer->is_response = true;
    answer->opcode = question->opcode;
    answer->recursion_desired = question->recursion_desired;
    answer->recursion_available = true;
    answer->question_count = question->question_count;
    answer->question = question->question;
    answer->question_type = question->question_type;
    answer->question_class = question->question_class;
    if (question->opcode != 0)
        answer->rcode = DNS_RCODE_NOT_IMPLEMENTED;
    else if (question->question_count == 0)
        answer->rcode = DNS_RCODE_FORMAT;
    else if (question->question_class != DNS_CLASS_IN)
        answer->rcode = DNS_RCODE_REFUSED;
    else
        look_up(question->question.text, question->question_type, answer);

    size_t len = dns_emit(answer, reply, room);
    if (len > 0)
        return len;
    answer->truncated = true; /* RFC 1035 4.1.1: what did not fit is asked for over TCP */
    answer->answer_count = 0;
    answer->record_count = 0;
    return dns_emit(answer, reply, room);
}

void lab_names_run(struct session *session)
{
    while (!session->is_over) {
        if (session->is_responding && !session_send(session))
            return;
        if (!take_query(session) && !session->is_over && !session_read(session))
            return;
    }
}

static void add_record(struct dns_message *answer, const struct dns_record *record)
{
    answer->record[answer->record_count++] = *record;
}

static void add_address(struct dns_message *answer, const char *name, uint32_t address)
{
    struct dns_record record = {
        .type = DNS_TYPE_A,
        .class = DNS_CLASS_IN,
        .ttl_s = ZONE_TTL_S,
        .address = ip_addr_from_v4(address),
    };

    snprintf(record.name.text, sizeof record.name.text, "%s", name);
    add_record(answer, &record);
    answer->answer_count++;
}

static void add_alias(struct dns_message *answer, const char *name, const char *target)
{
    struct dns_record record = {.type = DNS_TYPE_CNAME, .class = DNS_CLASS_IN, .ttl_s = ZONE_TTL_S};

    snprintf(record.name.text, sizeof record.name.text, "%s", name);
    snprintf(record.target.text, sizeof record.target.text, "%s", target);
    add_record(answer, &record);
    answer->answer_count++;
}

/* How long "there is no such thing" may be kept, RFC 2308 3. */
static void add_negative_ttl(struct dns_message *answer)
{
    struct dns_record record = {
        .type = DNS_TYPE_SOA,
        .class = DNS_CLASS_IN,
        .ttl_s = NEGATIVE_TTL_S,
        .soa_minimum_s = NEGATIVE_TTL_S,
    };

    add_record(answer, &record);
}

/* The zone. */
static void look_up(const char *name, uint16_t type, struct dns_message *answer)
{
    bool is_google = dns_name_equal(name, "google.com");
    bool is_www = dns_name_equal(name, "www.google.com");
    bool is_big = dns_name_equal(name, "big.google.com");

    if (!is_google && !is_www && !is_big) {
        answer->rcode = DNS_RCODE_NAME_ERROR;
        add_negative_ttl(answer);
        return;
    }
    if (is_www && (type == DNS_TYPE_A || type == DNS_TYPE_CNAME))
        add_alias(answer, name, "google.com");
    if (type == DNS_TYPE_A && (is_google || is_www))
        add_address(answer, is_www ? "google.com" : name, GOOGLE_ADDRESS);
    for (uint32_t i = 0; is_big && type == DNS_TYPE_A && i < BIG_NAME_ADDRESS_COUNT; i++)
        add_address(answer, name, GOOGLE_ADDRESS + i);
    if (answer->answer_count == 0)
        add_negative_ttl(answer);
}

/* RFC 1035 4.2.2: each message behind its length in two bytes. */
static bool take_query(struct session *session)
{
    struct reader r = reader_of((struct bytes){session->request, session->request_bytes});
    size_t message_bytes = read_u16(&r);
    struct bytes message = read_bytes(&r, message_bytes);

    if (message_bytes > SESSION_REQUEST_BYTES - 2)
        session->is_over = true;
    if (r.overrun)
        return false;
    size_t len =
        lab_names_answer(session->names, message, session->reply + 2, SESSION_REPLY_BYTES - 2);
    session_consume(session, 2 + message_bytes);
    if (len == 0) {
        session->is_over = true;
        return true;
    }
    struct writer w = writer_of(session->reply, 2);
    write_u16(&w, (uint16_t)len);
    session->reply_bytes = 2 + len;
    session_respond(session, "", 0);
    return true;
}
