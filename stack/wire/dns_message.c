/* DNS messages, RFC 1035 section 4: reading with every length checked, writing with the question's
 * name compressed.
 *
 * Names are where DNS parsers fail. Here a pointer may only point before the place where the
 * current run of labels began, and the name's length on the wire is counted: each jump goes
 * strictly back, so a loop cannot be. A message of nothing but pointers could still send each of
 * its names over thousands of them; so no name may take more jumps than it can have labels. */
#include "dns_message.h"

#include <string.h>

enum {
    FLAG_RESPONSE = 0x8000,
    FLAG_AUTHORITATIVE = 0x0400,
    FLAG_TRUNCATED = 0x0200,
    FLAG_RECURSION_DESIRED = 0x0100,
    FLAG_RECURSION_AVAILABLE = 0x0080,
    OPCODE_SHIFT = 11,
    POINTER_MARK = 0xc0,
    A_BYTES = 4,
    JUMPS_MAX = DNS_NAME_MAX_BYTES / 2, /* labels of one octet take two on the wire */
};

/* ---- names as text */

static bool is_plain(uint8_t octet)
{
    return octet > ' ' && octet < 0x7f && octet != '.' && octet != '\\';
}

/* One octet of a label into the text, escaped if need be; the text has room for the longest name.
 */
static char *put_octet(char *at, uint8_t octet)
{
    if (is_plain(octet)) {
        *at++ = (char)octet;
        return at;
    }
    *at++ = '\\';
    if (octet == '.' || octet == '\\') {
        *at++ = (char)octet;
        return at;
    }
    *at++ = (char)('0' + octet / 100);
    *at++ = (char)('0' + octet / 10 % 10);
    *at++ = (char)('0' + octet % 10);
    return at;
}

/* One octet from the text; false at the end of the text or on a bad escape. */
static bool take_octet(const char **text, uint8_t *octet)
{
    const char *at = *text;

    if (*at == '\0')
        return false;
    if (*at != '\\') {
        *octet = (uint8_t)*at;
        *text = at + 1;
        return true;
    }
    at++;
    if (*at < '0' || *at > '9') {
        *octet = (uint8_t)*at;
        *text = at + 1;
        return *at != '\0';
    }
    unsigned value = 0;
    for (int i = 0; i < 3; i++, at++) {
        if (*at < '0' || *at > '9')
            return false;
        value = value * 10 + (unsigned)(*at - '0');
    }
    *octet = (uint8_t)value;
    *text = at;
    return value <= UINT8_MAX;
}

/* ---- reading */

/* The name at `r`, which moves behind it; pointers are followed in `packet`. */
static bool parse_name(struct bytes packet, struct reader *r, struct dns_name *name)
{
    char *at = name->text;
    size_t wire_bytes = 1; /* the root label */
    struct reader here = *r;
    unsigned jump_count = 0;
    size_t run_start = packet.len - here.left; /* where this run of labels began */

    for (;;) {
        uint8_t length = read_u8(&here);
        if (here.overrun)
            return false;
        if ((length & POINTER_MARK) == POINTER_MARK) {
            size_t target = (size_t)(length & ~POINTER_MARK) << 8 | read_u8(&here);
            if (here.overrun || target >= run_start || jump_count == JUMPS_MAX)
                return false;
            if (jump_count++ == 0)
                *r = here;
            run_start = target;
            here = reader_of(bytes_skip(packet, target));
            continue;
        }
        if (length > DNS_LABEL_MAX_BYTES)
            return false;
        if (length == 0)
            break;
        struct bytes label = read_bytes(&here, length);
        wire_bytes += 1u + length;
        if (here.overrun || wire_bytes > DNS_NAME_MAX_BYTES)
            return false;
        if (at != name->text)
            *at++ = '.';
        for (size_t i = 0; i < label.len; i++)
            at = put_octet(at, label.data[i]);
    }
    *at = '\0';
    if (jump_count == 0)
        *r = here;
    return true;
}

static bool parse_record_data(struct bytes packet, struct reader *r, struct dns_record *record)
{
    struct reader data = *r;
    struct dns_name ignored;
    size_t length = data.left;

    switch (record->type) {
    case DNS_TYPE_A:
        if (length != A_BYTES)
            return false;
        record->address = ip_addr_from_v4(read_u32(&data));
        return true;
    case DNS_TYPE_CNAME:
    case DNS_TYPE_NS:
        return parse_name(packet, &data, &record->target);
    case DNS_TYPE_SOA:
        if (!parse_name(packet, &data, &ignored) || !parse_name(packet, &data, &ignored))
            return false;
        for (int i = 0; i < 4; i++) /* serial, refresh, retry, expire */
            read_u32(&data);
        record->soa_minimum_s = read_u32(&data);
        return !data.overrun;
    default:
        return true;
    }
}

static bool parse_record(struct bytes packet, struct reader *r, struct dns_record *record)
{
    *record = (struct dns_record){0};
    if (!parse_name(packet, r, &record->name))
        return false;
    record->type = read_u16(r);
    record->class = read_u16(r);
    record->ttl_s = read_u32(r);
    if (record->ttl_s > INT32_MAX) /* RFC 2181 8: the top bit set counts as zero */
        record->ttl_s = 0;
    size_t length = read_u16(r);
    size_t start = packet.len - r->left;
    read_bytes(r, length);
    if (r->overrun)
        return false;
    /* The data ends where its length says, though names in it may point before it. */
    struct bytes upto = bytes_first(packet, start + length);
    struct reader data = reader_of(bytes_skip(upto, start));
    return parse_record_data(upto, &data, record);
}

static bool parse_section(struct bytes packet, struct reader *r, unsigned count,
                          struct dns_message *message)
{
    struct dns_record skipped;

    for (unsigned i = 0; i < count; i++) {
        bool has_room = message->record_count < DNS_RECORD_MAX;
        if (!parse_record(packet, r, has_room ? &message->record[message->record_count] : &skipped))
            return false;
        if (has_room)
            message->record_count++;
    }
    return true;
}

static void parse_flags(uint16_t flags, struct dns_message *message)
{
    message->is_response = (flags & FLAG_RESPONSE) != 0;
    message->opcode = flags >> OPCODE_SHIFT & 0xf;
    message->authoritative = (flags & FLAG_AUTHORITATIVE) != 0;
    message->truncated = (flags & FLAG_TRUNCATED) != 0;
    message->recursion_desired = (flags & FLAG_RECURSION_DESIRED) != 0;
    message->recursion_available = (flags & FLAG_RECURSION_AVAILABLE) != 0;
    message->rcode = flags & 0xf;
}

enum drop dns_parse(struct bytes packet, struct dns_message *message)
{
    struct reader r = reader_of(packet);

    message->question_count = message->answer_count = message->record_count = 0;
    message->question.text[0] = '\0';
    message->question_type = message->question_class = 0;
    message->id = read_u16(&r);
    parse_flags(read_u16(&r), message);
    message->question_count = read_u16(&r);
    unsigned answer_count = read_u16(&r);
    unsigned authority_count = read_u16(&r);
    read_u16(&r); /* additional records: not looked at */
    if (r.overrun || message->question_count > 1)
        return DROP_DNS_MALFORMED;
    if (message->question_count == 1) {
        if (!parse_name(packet, &r, &message->question))
            return DROP_DNS_MALFORMED;
        message->question_type = read_u16(&r);
        message->question_class = read_u16(&r);
        if (r.overrun)
            return DROP_DNS_MALFORMED;
    }
    if (message->truncated) /* the rest is incomplete by definition: it is asked again over TCP */
        return DROP_NOT;
    if (!parse_section(packet, &r, answer_count, message))
        return DROP_DNS_MALFORMED;
    message->answer_count = message->record_count;
    return parse_section(packet, &r, authority_count, message) ? DROP_NOT : DROP_DNS_MALFORMED;
}

/* ---- writing */

static bool emit_name(struct writer *w, const char *text)
{
    uint8_t label[DNS_LABEL_MAX_BYTES];
    size_t wire_bytes = 1;

    while (*text != '\0') {
        size_t length = 0;
        while (*text != '\0' && *text != '.') {
            if (length == sizeof label || !take_octet(&text, &label[length]))
                return false;
            length++;
        }
        wire_bytes += 1 + length;
        if (length == 0 || wire_bytes > DNS_NAME_MAX_BYTES)
            return false;
        write_u8(w, (uint8_t)length);
        write_bytes(w, (struct bytes){label, length});
        if (*text == '.')
            text++;
    }
    write_u8(w, 0);
    return true;
}

static bool emit_name_or_pointer(struct writer *w, const struct dns_message *message,
                                 const char *text)
{
    if (message->question_count == 0 || !dns_name_equal(text, message->question.text))
        return emit_name(w, text);
    write_u16(w, POINTER_MARK << 8 | DNS_HEADER_BYTES);
    return true;
}

static bool emit_record(struct writer *w, const struct dns_message *message,
                        const struct dns_record *record)
{
    if (!emit_name_or_pointer(w, message, record->name.text))
        return false;
    write_u16(w, record->type);
    write_u16(w, record->class);
    write_u32(w, record->ttl_s);
    struct writer length_field = *w;
    write_u16(w, 0);
    size_t left = w->left;
    switch (record->type) {
    case DNS_TYPE_A:
        write_u32(w, ip_addr_to_v4(&record->address));
        break;
    case DNS_TYPE_CNAME:
    case DNS_TYPE_NS:
        if (!emit_name_or_pointer(w, message, record->target.text))
            return false;
        break;
    case DNS_TYPE_SOA:
        write_u8(w, 0); /* primary server and mailbox: the root */
        write_u8(w, 0);
        for (int i = 0; i < 4; i++)
            write_u32(w, 0);
        write_u32(w, record->soa_minimum_s);
        break;
    default:
        return false;
    }
    if (w->overrun)
        return false;
    write_u16(&length_field, (uint16_t)(left - w->left));
    return true;
}

size_t dns_emit(const struct dns_message *message, uint8_t *packet, size_t room)
{
    struct writer w = writer_of(packet, room);
    unsigned flags = (message->is_response ? FLAG_RESPONSE : 0) |
                     (unsigned)(message->opcode & 0xf) << OPCODE_SHIFT |
                     (message->authoritative ? FLAG_AUTHORITATIVE : 0) |
                     (message->truncated ? FLAG_TRUNCATED : 0) |
                     (message->recursion_desired ? FLAG_RECURSION_DESIRED : 0) |
                     (message->recursion_available ? FLAG_RECURSION_AVAILABLE : 0) |
                     (message->rcode & 0xf);

    if (message->question_count > 1 || message->record_count > DNS_RECORD_MAX ||
        message->answer_count > message->record_count)
        return 0;
    write_u16(&w, message->id);
    write_u16(&w, (uint16_t)flags);
    write_u16(&w, (uint16_t)message->question_count);
    write_u16(&w, (uint16_t)message->answer_count);
    write_u16(&w, (uint16_t)(message->record_count - message->answer_count));
    write_u16(&w, 0);
    if (message->question_count == 1) {
        if (!emit_name(&w, message->question.text))
            return 0;
        write_u16(&w, message->question_type);
        write_u16(&w, message->question_class);
    }
    for (unsigned i = 0; i < message->record_count; i++)
        if (!emit_record(&w, message, &message->record[i]))
            return 0;
    return w.overrun ? 0 : room - w.left;
}

/* ---- comparing */

bool dns_name_is_valid(const char *text)
{
    enum { TEXT_MAX = 253 };
    uint8_t wire[DNS_NAME_MAX_BYTES];
    struct writer w = writer_of(wire, sizeof wire);
    size_t length = strlen(text);

    if (length > 0 && text[length - 1] == '.')
        length--;
    return length >= 1 && length <= TEXT_MAX && text[0] != '.' && emit_name(&w, text);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool dns_name_equal(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    if (*a == '.' && a[1] == '\0')
        a++;
    if (*b == '.' && b[1] == '\0')
        b++;
    return *a == '\0' && *b == '\0';
}

const char *dns_type_name(uint16_t type)
{
    switch (type) {
    case DNS_TYPE_A:
        return "A";
    case DNS_TYPE_NS:
        return "NS";
    case DNS_TYPE_CNAME:
        return "CNAME";
    case DNS_TYPE_SOA:
        return "SOA";
    case DNS_TYPE_AAAA:
        return "AAAA";
    default:
        return NULL;
    }
}
