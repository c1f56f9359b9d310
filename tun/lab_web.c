/* The lab's web server: what a GET needs of HTTP/1.1, RFC 9112. Request line and header lines, GET
 * and HEAD, Content-Length, persistent connections.
 *
 * A request is taken only when its head has come whole; what does not fit SESSION_REQUEST_BYTES is
 * refused. Requests in one connection are answered one after the other.
 *
 * Departure: a request without Host is answered, since that is what everybody types first, and
 * lines may end in LF alone. The Date is that of the exchange which the lab replays. Not done:
 * request bodies and chunked coding, since nobody here needs them; after a method that may carry a
 * body the connection is closed. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lab_session.h"

enum { BIG_BYTES = 1024 * 1024, BYTES_MAX = 1000000000 };

static const char page[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"ISO-8859-1\">\n"
    "<title>Google</title>\n"
    "<style>\n"
    "  body   { font: 18px/1.6 sans-serif; color: #3c4043; max-width: 42em; margin: 12vh auto }\n"
    "  h1     { font-size: 72px; font-weight: 500; letter-spacing: -4px; margin: 0 0 .3em }\n"
    "  .b     { color: #4285f4 } .r { color: #ea4335 } .y { color: #fbbc05 } .g { color: #34a853 "
    "}\n"
    "  pre    { background: #f1f3f4; border-radius: 8px; padding: 1em; font-size: 14px }\n"
    "</style>\n"
    "</head>\n"
    "<body>\n"
    "<h1><span class=\"b\">G</span><span class=\"r\">o</span><span class=\"y\">o</span>"
    "<span class=\"b\">g</span><span class=\"g\">l</span><span class=\"r\">e</span></h1>\n"
    "<p>This page did not come from the Internet. It came from the lab: a web server that runs\n"
    "on a second copy of tuntcp in the same process, behind a simulated link of 18 ms each "
    "way.</p>\n"
    "<p>Every packet between you and it was made, checked and acknowledged by code that you can\n"
    "read. What happened before the first byte of this page:</p>\n"
    "<pre>\n"
    "you                                          lab\n"
    " |  Standard query A google.com  ---------&gt;  | 210.220.163.82\n"
    " |  &lt;---------  A 142.250.196.142, TTL 267  |\n"
    " |                                           |\n"
    " |  SYN  ---------------------------------&gt;  | 142.250.196.142\n"
    " |  &lt;----------------------------  SYN, ACK |\n"
    " |  ACK  ---------------------------------&gt;  | ESTABLISHED\n"
    " |  GET / HTTP/1.1  ----------------------&gt;  |\n"
    " |  &lt;-----------------------------  200 OK  |\n"
    "</pre>\n"
    "<p>Next: <b>/big</b> sends a megabyte, <b>--lab=lost-segment</b> loses some of it, and\n"
    "<b>-vv</b> tells why each packet was sent.</p>\n"
    "</body>\n"
    "</html>\n";

static const char not_found_page[] =
    "<!doctype html>\n<html lang=\"en\"><head><title>Error 404 (Not Found)</title></head>\n"
    "<body><h1>404</h1><p>The lab's web server has / and /big, and /bytes/N for N "
    "bytes.</p></body></html>\n";

static const char refusal_page[] =
    "<!doctype html>\n<html lang=\"en\"><head><title>Error</title></head>\n"
    "<body><p>The lab's web server understands GET and HEAD.</p></body></html>\n";

static bool take_request(struct session *session);

void lab_web_run(struct session *session)
{
    while (!session->is_over) {
        if (session->has_shut_down) {
            session_read_to_the_end(session);
            return;
        }
        if (session->is_responding && !session_send(session))
            return;
        if (session->close_after) {
            session_shut_down(session);
            return;
        }
        if (!take_request(session) && !session_read(session))
            return;
    }
}

/* One request, as far as this server cares. */
struct request {
    char method[8];
    char target[256];
    bool wants_close; /* after the response: asked for, or HTTP/1.0 */
    bool is_valid;
};

/* Length of the request's head with the empty line behind it; 0: it has not come whole. */
static size_t head_bytes(const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\n')
            continue;
        if (i + 1 < len && text[i + 1] == '\n')
            return i + 2;
        if (i + 2 < len && text[i + 1] == '\r' && text[i + 2] == '\n')
            return i + 3;
    }
    return 0;
}

/* RFC 9112 2.2: empty lines in front of a request line are ignored. */
static void skip_empty_lines(struct session *session)
{
    size_t count = 0;

    while (count < session->request_bytes &&
           (session->request[count] == '\r' || session->request[count] == '\n'))
        count++;
    if (count > 0)
        session_consume(session, count);
}

/* Does the comma-separated value of a header line hold `token`? */
static bool has_token(const char *value, const char *token)
{
    size_t token_len = strlen(token);

    while (*value != '\0') {
        value += strspn(value, " \t,");
        size_t len = strcspn(value, " \t,\r");
        if (len == token_len && strncasecmp(value, token, len) == 0)
            return true;
        value += len;
        if (*value == '\r')
            break;
    }
    return false;
}

/* One word of the request line: up to the next blank, which is taken too. False when it is empty or
 * longer than `room`. */
static bool take_word(const char **at, char *word, size_t room)
{
    size_t len = strcspn(*at, " ");

    if (len == 0 || len >= room || (*at)[len] == '\0')
        return false;
    memcpy(word, *at, len);
    word[len] = '\0';
    *at += len + 1;
    return true;
}

/* RFC 9112 3: method, one blank, target, one blank, version. */
static bool parse_request_line(const char *line, struct request *request)
{
    if (!take_word(&line, request->method, sizeof request->method) ||
        !take_word(&line, request->target, sizeof request->target) ||
        strncmp(line, "HTTP/1.", 7) != 0 || line[7] < '0' || line[7] > '9')
        return false;
    request->wants_close = line[7] == '0';
    return line[8] == '\0' || (line[8] == '\r' && line[9] == '\0');
}

/* `text` is the head as one string, its lines ended by LF. */
static struct request parse_request(char *text)
{
    struct request request = {0};
    char *line = strchr(text, '\n');

    *line++ = '\0';
    request.is_valid = parse_request_line(text, &request);
    for (char *next = strchr(line, '\n'); next != NULL; next = strchr(line, '\n')) {
        *next++ = '\0';
        if (strncasecmp(line, "Connection:", 11) == 0 && has_token(line + 11, "close"))
            request.wants_close = true;
        line = next;
    }
    return request;
}

static void respond_http(struct session *session, const char *status, const char *type,
                         const char *body, size_t body_bytes, bool is_head)
{
    int len =
        snprintf((char *)session->reply, sizeof session->reply,
                 "HTTP/1.1 %s\r\n"
                 "Date: Wed, 23 Apr 2025 02:39:29 GMT\r\n"
                 "Expires: -1\r\n"
                 "Cache-Control: private, max-age=0\r\n"
                 "Content-Type: %s\r\n"
                 "Server: tuntcp-lab\r\n"
                 "Content-Length: %zu\r\n"
                 "%s\r\n",
                 status, type, body_bytes, session->close_after ? "Connection: close\r\n" : "");

    session->reply_bytes = (size_t)len;
    if (is_head)
        session_respond(session, "", 0);
    else
        session_respond(session, body, body_bytes);
}

static const char *path_of(struct request *request)
{
    char *path = request->target;

    path[strcspn(path, "?#")] = '\0';
    if (strncasecmp(path, "http://", 7) != 0)
        return path;
    path = strchr(path + 7, '/'); /* absolute-form, RFC 9112 3.2.2 */
    return path != NULL ? path : "/";
}

/* /big is a megabyte of counted lines, /bytes/N as many bytes of them as one likes; 0: neither. */
static size_t counted_bytes(const char *path)
{
    static const char prefix[] = "/bytes/";
    size_t bytes = 0;

    if (strcmp(path, "/big") == 0)
        return BIG_BYTES;
    if (strncmp(path, prefix, sizeof prefix - 1) != 0)
        return 0;
    for (path += sizeof prefix - 1; *path >= '0' && *path <= '9' && bytes < BYTES_MAX; path++)
        bytes = bytes * 10 + (size_t)(*path - '0');
    return *path == '\0' && bytes <= BYTES_MAX ? bytes : 0;
}

static void answer_request(struct session *session, struct request *request)
{
    static const char html[] = "text/html; charset=ISO-8859-1";
    bool is_head = strcmp(request->method, "HEAD") == 0;

    session->close_after = request->wants_close;
    if (!request->is_valid) {
        session->close_after = true;
        respond_http(session, "400 Bad Request", html, refusal_page, sizeof refusal_page - 1,
                     false);
    } else if (!is_head && strcmp(request->method, "GET") != 0) {
        session->close_after = true; /* a body may follow that nobody here reads */
        respond_http(session, "405 Method Not Allowed\r\nAllow: GET, HEAD", html, refusal_page,
                     sizeof refusal_page - 1, false);
    } else if (strcmp(path_of(request), "/") == 0) {
        respond_http(session, "200 OK", html, page, sizeof page - 1, is_head);
    } else if (counted_bytes(path_of(request)) > 0) {
        respond_http(session, "200 OK", "text/plain", NULL, counted_bytes(path_of(request)),
                     is_head);
    } else {
        respond_http(session, "404 Not Found", html, not_found_page, sizeof not_found_page - 1,
                     is_head);
    }
}

/* Take one request out of the buffer and answer it. False when none has come whole. */
static bool take_request(struct session *session)
{
    char head[SESSION_REQUEST_BYTES + 1];

    skip_empty_lines(session);
    size_t len = head_bytes(session->request, session->request_bytes);
    if (len == 0 && session->request_bytes < SESSION_REQUEST_BYTES)
        return false;
    if (len == 0) {
        session->close_after = true;
        session->request_bytes = 0;
        respond_http(session, "431 Request Header Fields Too Large", "text/plain", "", 0, true);
        return true;
    }
    memcpy(head, session->request, len);
    head[len] = '\0';
    session_consume(session, len);
    bool has_zero = memchr(head, '\0', len) != NULL;
    struct request request = has_zero ? (struct request){0} : parse_request(head);
    answer_request(session, &request);
    return true;
}
