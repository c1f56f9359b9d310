/* DNS messages, RFC 1035 section 4. */
#ifndef TUNTCP_WIRE_DNS_MESSAGE_H
#define TUNTCP_WIRE_DNS_MESSAGE_H

#include "bytes.h"
#include "drop.h"
#include "ip_addr.h"

enum {
    DNS_HEADER_BYTES = 12,
    DNS_PORT = 53,
    DNS_NAME_MAX_BYTES = 255, /* RFC 1035 2.3.4: on the wire, length octets included */
    DNS_LABEL_MAX_BYTES = 63,
    DNS_NAME_TEXT_BYTES = 1024, /* every octet escaped as \DDD, with dots and the final zero */
    DNS_UDP_MAX_BYTES = 512,
    DNS_RECORD_MAX = 32, /* records of one answer that are kept; more are skipped */
    DNS_TYPE_A = 1,
    DNS_TYPE_NS = 2,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_SOA = 6,
    DNS_TYPE_AAAA = 28,
    DNS_CLASS_IN = 1,
    DNS_RCODE_OK = 0,
    DNS_RCODE_FORMAT = 1,
    DNS_RCODE_SERVER_FAILURE = 2,
    DNS_RCODE_NAME_ERROR = 3, /* NXDOMAIN */
    DNS_RCODE_REFUSED = 5,
};

/* A name as text: labels joined by dots, no dot at the end, "" for the root; dots and unprintable
 * octets inside a label are escaped as in a zone file. Letters keep their case. */
struct dns_name {
    char text[DNS_NAME_TEXT_BYTES];
};

struct dns_record {
    struct dns_name name;
    uint16_t type;
    uint16_t class;
    uint32_t ttl_s;
    struct ip_addr address; /* type A */
    struct dns_name target; /* type CNAME and NS */
    uint32_t soa_minimum_s; /* type SOA: bounds the time a negative answer is kept, RFC 2308 */
};

struct dns_message {
    uint16_t id;
    bool is_response;
    uint8_t opcode;
    bool authoritative;
    bool truncated;
    bool recursion_desired;
    bool recursion_available;
    uint8_t rcode;
    unsigned question_count; /* only 0 or 1 questions are accepted */
    struct dns_name question;
    uint16_t question_type;
    uint16_t question_class;
    unsigned answer_count; /* answers kept in record[0..answer_count) */
    unsigned record_count; /* answers, then authority records (SOA for negative answers) */
    struct dns_record record[DNS_RECORD_MAX];
};

/* Parse a whole message. Compression pointers may only point backwards and a name may not pass 255
 * octets, so a loop ends by itself. The additional section is not looked at. Records of unknown
 * types are kept with name, type, class and TTL. */
enum drop dns_parse(struct bytes packet, struct dns_message *message);
/* Write header, question, answers and authority. Names equal to the question are compressed to a
 * pointer at offset 12. Returns the length; 0 if it does not fit or a name is not valid. */
size_t dns_emit(const struct dns_message *message, uint8_t *packet, size_t room);

/* May `text` be asked for: labels of 1..63 octets, 1..253 characters, an optional final dot? */
bool dns_name_is_valid(const char *text);
/* Names are compared without regard to ASCII case, RFC 1035 2.3.3; a final dot does not count. */
bool dns_name_equal(const char *a, const char *b);
/* "A", "AAAA", "CNAME"..., NULL for types that we have no name for. */
const char *dns_type_name(uint16_t type);

#endif
