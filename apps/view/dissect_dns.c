/* DNS rows, RFC 1035: "Standard query 0x98ef A google.com", with what each record says in short.
 * Walks the message itself, not with dns_parse(): rows show the additional section (OPT) and types
 * that the resolver does not care for, and as much of a broken message as can be read.
 *
 * A compression pointer must point backwards and a name has at most DNS_LABELS_MAX labels, so a
 * name ends; a message has at most 65535 octets and each record takes some, so the walk ends too.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "dissector.h"

#include "../../stack/wire/dns_message.h"

enum { DNS_LABELS_MAX = 128 };
enum { DNS_TYPE_PTR = 12, DNS_TYPE_MX = 15, DNS_TYPE_SRV = 33, DNS_TYPE_OPT = 41 };

struct walk {
    struct bytes message;
    struct reader r;
    struct dissection *row;
};

static const char *opcode_name(unsigned opcode, char room[static 32]);
static const char *rcode_name(unsigned rcode);
static void add_name(struct walk *w);
static void add_type(struct walk *w, uint16_t type);
static void question(struct walk *w);
static void record(struct walk *w);
static void record_data(struct walk *w, uint16_t type);

void dissect_dns(struct bytes message, struct dissection *row)
{
    struct walk w = {.message = message, .r = reader_of(message), .row = row};
    char opcode[32];
    uint16_t id = read_u16(&w.r);
    uint16_t flags = read_u16(&w.r);
    unsigned questions = read_u16(&w.r);
    unsigned records = read_u16(&w.r);

    records += read_u16(&w.r);
    records += read_u16(&w.r);
    row->protocol = "DNS";
    row->style = ROW_UDP;
    info_clear(row);
    if (w.r.overrun) {
        info_add(row, "[Malformed Packet]");
        return;
    }
    info_add(row, "%s%s 0x%04x", opcode_name(flags >> 11 & 15, opcode),
             (flags & 0x8000) != 0 ? " response" : "", id);
    if ((flags & 0x8000) != 0 && (flags & 15) != DNS_RCODE_OK)
        info_add(row, " %s", rcode_name(flags & 15));
    while (questions-- > 0 && !w.r.overrun)
        question(&w);
    while (records-- > 0 && !w.r.overrun)
        record(&w);
    if (w.r.overrun)
        info_add(row, "[Malformed Packet]");
}

static const char *opcode_name(unsigned opcode, char room[static 32])
{
    static const char *const names[] = {"Standard query",           "Inverse query",
                                        "Server status request",    NULL,
                                        "Zone change notification", "Dynamic update"};

    if (opcode < sizeof names / sizeof names[0] && names[opcode] != NULL)
        return names[opcode];
    snprintf(room, 32, "Unknown operation (%u)", opcode);
    return room;
}

static const char *rcode_name(unsigned rcode)
{
    static const char *const names[] = {
        "No error",          "Format error",    "Server failure",
        "No such name",      "Not implemented", "Refused",
        "Name exists",       "RRset exists",    "RRset does not exist",
        "Not authoritative", "Name out of zone"};

    return rcode < sizeof names / sizeof names[0] ? names[rcode] : "Unknown error";
}

static void question(struct walk *w)
{
    struct reader at_name = w->r;
    struct walk names = *w;

    /* The type stands before the name in the row, behind it in the message. */
    names.row = NULL;
    add_name(&names);
    w->r = names.r;
    uint16_t type = read_u16(&w->r);
    read_u16(&w->r);
    if (w->r.overrun)
        return;
    add_type(w, type);
    info_add(w->row, " ");
    struct reader behind = w->r;
    w->r = at_name;
    add_name(w);
    w->r = behind;
}

/* The name at the reader, printed if there is a row; the reader moves behind it. */
static void add_name(struct walk *w)
{
    struct reader r = w->r;
    size_t limit = w->message.len; /* pointers must lead below where they stand */
    bool has_jumped = false;
    bool is_first = true;

    for (unsigned labels = 0; labels < DNS_LABELS_MAX; labels++) {
        size_t here = (size_t)(r.at - w->message.data);
        unsigned length = read_u8(&r);

        if (r.overrun)
            break;
        if (length >= 0xc0) {
            size_t target = (size_t)(length & 0x3f) << 8 | read_u8(&r);

            if (!has_jumped)
                w->r = r;
            has_jumped = true;
            if (r.overrun || target >= here || target >= limit)
                break;
            limit = target;
            r = reader_of(bytes_skip(w->message, target));
            continue;
        }
        if (length == 0) {
            if (is_first && w->row != NULL)
                info_add(w->row, "<Root>");
            if (!has_jumped)
                w->r = r;
            return;
        }
        struct bytes label = read_bytes(&r, length);
        if (w->row != NULL && !is_first)
            info_add(w->row, ".");
        if (w->row != NULL)
            info_add_bytes(w->row, label);
        is_first = false;
    }
    w->r.overrun = true; /* the name does not end */
}

static void add_type(struct walk *w, uint16_t type)
{
    static const struct {
        uint16_t type;
        const char *name;
    } names[] = {{1, "A"},      {2, "NS"},     {5, "CNAME"},  {6, "SOA"},     {12, "PTR"},
                 {13, "HINFO"}, {15, "MX"},    {16, "TXT"},   {28, "AAAA"},   {29, "LOC"},
                 {33, "SRV"},   {35, "NAPTR"}, {39, "DNAME"}, {41, "OPT"},    {43, "DS"},
                 {44, "SSHFP"}, {46, "RRSIG"}, {47, "NSEC"},  {48, "DNSKEY"}, {50, "NSEC3"},
                 {52, "TLSA"},  {64, "SVCB"},  {65, "HTTPS"}, {99, "SPF"},    {250, "TSIG"},
                 {251, "IXFR"}, {252, "AXFR"}, {255, "ANY"},  {256, "URI"},   {257, "CAA"}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].type == type) {
            info_add(w->row, " %s", names[i].name);
            return;
        }
    }
    info_add(w->row, " Unknown (%u)", type);
}

static void record(struct walk *w)
{
    struct walk owner = *w;

    owner.row = NULL;
    add_name(&owner);
    w->r = owner.r;
    uint16_t type = read_u16(&w->r);
    read_u16(&w->r); /* class */
    read_u32(&w->r); /* TTL */
    uint16_t length = read_u16(&w->r);
    struct reader data = w->r;
    read_bytes(&w->r, length);
    if (w->r.overrun)
        return;
    add_type(w, type);
    struct reader behind = w->r;
    w->r = data;
    record_data(w, type);
    w->r = behind;
}

static void record_data(struct walk *w, uint16_t type)
{
    char text[IP_ADDR_TEXT_BYTES];
    struct ip_addr address;
    struct bytes octets;

    switch (type) {
    case DNS_TYPE_A:
        address = ip_addr_from_v4(read_u32(&w->r));
        info_add(w->row, " %s", ip_addr_format(&address, text));
        return;
    case DNS_TYPE_AAAA:
        octets = read_bytes(&w->r, sizeof address.octet);
        if (!w->r.overrun && inet_ntop(AF_INET6, octets.data, text, sizeof text) != NULL)
            info_add(w->row, " %s", text);
        return;
    case DNS_TYPE_MX:
        info_add(w->row, " %u ", read_u16(&w->r));
        add_name(w);
        return;
    case DNS_TYPE_SRV: {
        unsigned priority = read_u16(&w->r);
        unsigned weight = read_u16(&w->r);
        info_add(w->row, " %u %u %u ", priority, weight, read_u16(&w->r));
        add_name(w);
        return;
    }
    case DNS_TYPE_NS:
    case DNS_TYPE_CNAME:
    case DNS_TYPE_SOA:
    case DNS_TYPE_PTR:
        info_add(w->row, " ");
        add_name(w);
        return;
    default:
        return;
    }
}

/* RFC 1035 4.2.2: each message stands behind its length. The last one that is whole makes the row.
 */
struct outcome dns_bytes(struct bytes bytes, struct dissection *row)
{
    struct outcome outcome = {.wants = WANTS_NOTHING};

    while (bytes.len > 0) {
        struct reader r = reader_of(bytes);
        size_t len = read_u16(&r);

        if (r.overrun) {
            outcome.wants = WANTS_SEGMENT;
            return outcome;
        }
        if (len > r.left) {
            outcome.wants = WANTS_BYTES;
            outcome.count = (uint32_t)(len - r.left);
            return outcome;
        }
        dissect_dns(read_bytes(&r, len), row);
        outcome.has_message = true;
        outcome.start += 2 + len;
        bytes = bytes_skip(bytes, 2 + len);
    }
    return outcome;
}
