/* HTTP rows, RFC 9112: a message's first line stands in the row of the segment that completes it,
 * with the media type of its body: "HTTP/1.1 200 OK  (text/html)". Where a message ends is
 * 9112 6.3: no body (HEAD, 1xx, 204, 304), chunked, Content-Length, or the close.
 *
 * The head is kept, HTTP_HEAD_MAX_BYTES of it; the body is only counted. What is wanted of a
 * message that goes on: of a head, and of a chunked body, one more segment; of a body with a length
 * just what is missing; and without one all until the FIN. Whenever bytes are read that leave the
 * message incomplete its first line is shown already.
 *
 * Not done: Wireshark's dissectors for the bodies; of those only JSON's mark in the columns is
 * made. A trailer is read to its end where Wireshark takes its first line for the end; and fields
 * of a chunked message without the first line, which it calls malformed, are a continuation. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dissector.h"

static uint64_t counted_bytes(const struct http_message *http);
static void count_body(struct http_message *http, size_t len);
static bool take_byte(struct conversation *c, struct http_message *http, uint8_t byte);
static bool refuse(const struct conversation *c, struct http_message *http, struct dissection *row);
static void want_rest(const struct http_message *http, struct outcome *outcome);
static void take_head_byte(struct conversation *c, struct http_message *http, uint8_t byte);
static void take_line_byte(struct http_message *http, uint8_t byte);
static struct bytes first_line(const struct http_message *http);
static bool is_http_line(struct bytes line);
static bool starts_with(struct bytes line, const char *word);
static void read_head(struct conversation *c, struct http_message *http);
static bool field_is(struct bytes line, const char *name, struct bytes *value);
static void note_media_type(struct http_message *http, struct bytes value);
static void choose_body(struct conversation *c, struct http_message *http, uint64_t length,
                        bool has_length);
static void end_message(struct http_message *http, struct dissection *row);
static void add_first_line(const struct http_message *http, struct dissection *row);
static void add_media_type(const struct http_message *http, struct dissection *row);
static struct bytes next_line(struct bytes *text);
static uint64_t number_of(struct bytes text, unsigned base);

bool http_is_port(uint16_t port)
{
    static const uint16_t ports[] = {80, 3128, 3132, 5985, 8080, 8088, 11371, 1900, 2869, 2710};

    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++)
        if (ports[i] == port)
            return true;
    return false;
}

void http_forget(struct http_message *http)
{
    free(http->head);
    *http = (struct http_message){0};
}

struct outcome http_bytes(struct conversation *conversation, struct http_message *http,
                          struct bytes bytes, bool is_end, struct dissection *row)
{
    struct outcome outcome = {.wants = WANTS_NOTHING};
    size_t given = bytes.len;

    while (bytes.len > 0) {
        struct reader r = reader_of(bytes);
        uint64_t counted = counted_bytes(http);
        size_t len = counted == 0 ? 1 : counted < bytes.len ? (size_t)counted : bytes.len;

        if (http->stage == HTTP_IDLE)
            outcome.start = given - bytes.len;
        if (counted > 0) {
            count_body(http, len);
        } else if (bytes.data == NULL) { /* only counted, where each must be seen */
            break;
        } else if (!take_byte(conversation, http, read_u8(&r))) {
            outcome.has_message |= refuse(conversation, http, row);
            return outcome;
        }
        bytes = bytes_skip(bytes, len);
        if (http->stage == HTTP_BODY_BYTES && http->missing == 0) {
            end_message(http, row);
            outcome.has_message = true;
        }
    }
    if (is_end && http->stage != HTTP_IDLE && http->stage != HTTP_HEAD) {
        end_message(http, row);
        outcome.has_message = true;
    } else if (http->stage != HTTP_IDLE) {
        add_first_line(http, row);
        want_rest(http, &outcome);
    }
    return outcome;
}

/* Bytes of a body or of a chunk, which are not read. */
static uint64_t counted_bytes(const struct http_message *http)
{
    if (http->stage == HTTP_UNTIL_CLOSE)
        return UINT64_MAX;
    return http->stage == HTTP_BODY_BYTES ? http->missing : 0;
}

static void count_body(struct http_message *http, size_t len)
{
    http->has_body = true;
    if (http->stage == HTTP_UNTIL_CLOSE)
        return;
    http->missing -= len;
    if (http->missing > 0 || !http->is_chunked)
        return;
    http->stage = HTTP_CHUNK_LINE;
    http->line_bytes = 0;
}

/* One byte of a head, a chunk's size or a trailer. A message that has ended is left in the stage
 * HTTP_BODY_BYTES with nothing missing. False: this is not HTTP. */
static bool take_byte(struct conversation *c, struct http_message *http, uint8_t byte)
{
    if (http->stage == HTTP_IDLE) {
        if (byte < 0x20 || byte > 0x7e)
            return false;
        if (http->head == NULL && (http->head = malloc(HTTP_HEAD_MAX_BYTES)) == NULL)
            return false;
        http->stage = HTTP_HEAD;
        http->head_bytes = 0;
    }
    if (http->stage != HTTP_HEAD) {
        take_line_byte(http, byte);
        return true;
    }
    if (http->head_bytes == HTTP_HEAD_MAX_BYTES)
        return false;
    take_head_byte(c, http, byte);
    return byte != '\n' || is_http_line(first_line(http));
}

/* Bytes that are no message: the rest of one, if this conversation has spoken HTTP before. */
static bool refuse(const struct conversation *c, struct http_message *http, struct dissection *row)
{
    http->stage = HTTP_IDLE;
    if (!c->is_http)
        return false;
    info_add(row, "Continuation");
    row->protocol = "HTTP";
    return true;
}

static void want_rest(const struct http_message *http, struct outcome *outcome)
{
    outcome->wants = WANTS_SEGMENT;
    if (http->stage == HTTP_UNTIL_CLOSE)
        outcome->wants = WANTS_FIN;
    if (http->stage != HTTP_BODY_BYTES || http->is_chunked)
        return;
    outcome->wants = WANTS_BYTES;
    outcome->count = http->missing < UINT32_MAX ? (uint32_t)http->missing : UINT32_MAX;
}

static void take_head_byte(struct conversation *c, struct http_message *http, uint8_t byte)
{
    size_t len = http->head_bytes;

    http->head[len] = (char)byte;
    http->head_bytes = len + 1;
    if (byte != '\n' || len == 0)
        return;
    if (http->head[len - 1] == '\n' ||
        (len >= 2 && http->head[len - 1] == '\r' && http->head[len - 2] == '\n'))
        read_head(c, http);
}

/* A chunk's size, or one line of the trailer that an empty line ends: 9112 7.1. */
static void take_line_byte(struct http_message *http, uint8_t byte)
{
    enum { CRLF_BYTES = 2 };

    if (byte == '\r')
        return;
    if (byte != '\n') {
        if (http->line_bytes < sizeof http->line)
            http->line[http->line_bytes++] = (char)byte;
        return;
    }
    struct bytes line = {(const uint8_t *)http->line, http->line_bytes};
    http->line_bytes = 0;
    if (http->stage == HTTP_CHUNK_LINE) {
        http->missing = number_of(line, 16);
        http->stage = http->missing > 0 ? HTTP_BODY_BYTES : HTTP_TRAILER;
        http->missing += http->missing > 0 ? CRLF_BYTES : 0;
    } else if (line.len == 0) {
        http->stage = HTTP_BODY_BYTES;
        http->missing = 0;
    }
}

static struct bytes first_line(const struct http_message *http)
{
    struct bytes text = {(const uint8_t *)http->head, http->head_bytes};

    return next_line(&text);
}

static bool is_http_line(struct bytes line)
{
    static const char *const methods[] = {
        "GET ",       "HEAD ",      "POST ",  "PUT ",         "DELETE ",     "OPTIONS ",
        "TRACE ",     "CONNECT ",   "PATCH ", "LINK ",        "UNLINK ",     "PROPFIND ",
        "PROPPATCH ", "MKCOL ",     "COPY ",  "MOVE ",        "LOCK ",       "UNLOCK ",
        "SEARCH ",    "REPORT ",    "MERGE ", "CHECKOUT ",    "CHECKIN ",    "MKACTIVITY ",
        "NOTIFY ",    "SUBSCRIBE ", "POLL ",  "UNSUBSCRIBE ", "MKWORKSPACE "};

    if (starts_with(line, "HTTP/") || starts_with(line, "ICY"))
        return true;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (starts_with(line, methods[i]))
            return true;
    return false;
}

static bool starts_with(struct bytes line, const char *word)
{
    size_t len = strlen(word);

    return line.len >= len && memcmp(line.data, word, len) == 0;
}

/* The head is whole: how long is the body? */
static void read_head(struct conversation *c, struct http_message *http)
{
    struct bytes text = {(const uint8_t *)http->head, http->head_bytes};
    struct bytes line = next_line(&text);
    struct bytes value;
    uint64_t length = 0;
    bool has_length = false;

    http->is_response = starts_with(line, "HTTP/") || starts_with(line, "ICY");
    if (!http->is_response)
        c->head_was_asked = starts_with(line, "HEAD ");
    http->is_chunked = false;
    http->has_body = false;
    http->media_type[0] = '\0';
    while (text.len > 0) {
        line = next_line(&text);
        if (field_is(line, "Content-Length", &value)) {
            length = number_of(value, 10);
            has_length = true;
        } else if (field_is(line, "Transfer-Encoding", &value)) {
            http->is_chunked =
                value.len >= 7 && strncasecmp((const char *)value.data, "chunked", 7) == 0;
        } else if (field_is(line, "Content-Type", &value)) {
            note_media_type(http, value);
        }
    }
    choose_body(c, http, length, has_length);
}

static bool field_is(struct bytes line, const char *name, struct bytes *value)
{
    size_t len = strlen(name);

    if (line.len <= len || line.data[len] != ':' ||
        strncasecmp((const char *)line.data, name, len) != 0)
        return false;
    *value = bytes_skip(line, len + 1);
    while (value->len > 0 && (value->data[0] == ' ' || value->data[0] == '\t'))
        *value = bytes_skip(*value, 1);
    return true;
}

/* Without its parameters, in lower case; characters that no media type has end it. */
static void note_media_type(struct http_message *http, struct bytes value)
{
    size_t len = 0;

    while (len < value.len && len + 1 < sizeof http->media_type && value.data[len] > ' ' &&
           value.data[len] < 0x7f && value.data[len] != ';') {
        uint8_t byte = value.data[len];

        http->media_type[len++] = (char)(byte >= 'A' && byte <= 'Z' ? byte + 0x20 : byte);
    }
    http->media_type[len] = '\0';
}

/* 9112 6.3, in its order. */
static void choose_body(struct conversation *c, struct http_message *http, uint64_t length,
                        bool has_length)
{
    struct bytes line = first_line(http);
    unsigned status = http->is_response ? (unsigned)number_of(bytes_skip(line, 9), 10) : 0;
    bool has_none = http->is_response &&
                    (c->head_was_asked || status / 100 == 1 || status == 204 || status == 304);

    c->is_http = true;
    http->missing = 0;
    http->line_bytes = 0;
    http->stage = HTTP_BODY_BYTES;
    if (has_none)
        return;
    if (http->is_chunked)
        http->stage = HTTP_CHUNK_LINE;
    else if (has_length)
        http->missing = length;
    else if (http->is_response)
        http->stage = HTTP_UNTIL_CLOSE;
}

static void end_message(struct http_message *http, struct dissection *row)
{
    row->protocol = "HTTP";
    add_first_line(http, row);
    if (http->has_body && http->media_type[0] != '\0')
        add_media_type(http, row);
    http->stage = HTTP_IDLE;
}

/* Nothing while the line is not whole. */
static void add_first_line(const struct http_message *http, struct dissection *row)
{
    if (http->head == NULL || memchr(http->head, '\n', http->head_bytes) == NULL)
        return;
    info_add_bytes(row, first_line(http));
    info_add(row, " ");
}

static void add_media_type(const struct http_message *http, struct dissection *row)
{
    if (strcmp(http->media_type, "application/octet-stream") == 0)
        return;
    if (strcmp(http->media_type, "application/json") == 0) {
        row->protocol = "HTTP/JSON";
        info_add(row, ", JavaScript Object Notation");
    }
    info_add(row, " (%s)", http->media_type);
}

/* Takes the first line off `text`; returns it without its end. */
static struct bytes next_line(struct bytes *text)
{
    const uint8_t *end = memchr(text->data, '\n', text->len);
    size_t len = end != NULL ? (size_t)(end - text->data) : text->len;
    struct bytes line = bytes_first(*text, len);

    *text = bytes_skip(*text, end != NULL ? len + 1 : len);
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* The number that `text` begins with; 0 if none, and no more than a petabyte: nobody counts
 * further, and sums must not wrap. */
static uint64_t number_of(struct bytes text, unsigned base)
{
    static const uint64_t enough = UINT64_C(1) << 50;
    uint64_t number = 0;

    for (size_t i = 0; i < text.len && number < enough; i++) {
        uint8_t byte = text.data[i];
        unsigned digit = byte >= '0' && byte <= '9'   ? (unsigned)(byte - '0')
                         : byte >= 'a' && byte <= 'f' ? (unsigned)(byte - 'a' + 10)
                         : byte >= 'A' && byte <= 'F' ? (unsigned)(byte - 'A' + 10)
                                                      : base;
        if (digit >= base)
            break;
        number = number * base + digit;
    }
    return number;
}
