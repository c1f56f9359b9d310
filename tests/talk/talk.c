/* The frame of the conversation tests, see talk.h.
 *
 * The peer's packets are written and ours are read by code of this file, not by stack/wire/: a
 * mistake there must not hide itself. Output is pulled after every event, as a driver does, and
 * waits in a list until the test has looked at it. The last lines of the conversation are printed
 * with a failure. */
#include "talk.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "../../stack/wire/icmp.h"

#define OUR_TS_BASE  0xfffffe00u /* half a second before the wrap */
#define PEER_TS_BASE 0xffffff00u

enum {
    OUR_ADDR = 0x0a000002,
    PEER_ADDR = 0x0a000001,
    ROUTER_ADDR = 0x0a000003,
    START_US = 5000000,
    IP_BYTES = 20,
    ITEMS_MAX = 24,
    VALUES_MAX = 38, /* bytes of a raw option that fills the header */
    PEER_TEXT_MAX_BYTES = 8000,
};

/* One option: its numbers as they stand on the wire. */
struct item {
    uint8_t kind;
    unsigned count;
    uint32_t value[VALUES_MAX];
    bool is_any[VALUES_MAX];
    bool is_raw; /* kind, length, bytes */
};

/* A segment in the notation, numbers absolute. */
struct spoken {
    bool has_ecn;
    uint8_t ecn; /* of the IP header */
    uint8_t flags;
    uint32_t seq, len, ack, win, urg;
    bool has_ack, has_win, has_urg, has_options;
    struct item item[ITEMS_MAX];
    unsigned item_count;
};

/* What the numbers of one direction are relative to. */
struct bases {
    uint32_t seq, ack, ts, ecr;
};

static struct bases ours(const struct talk *t)
{
    return (struct bases){t->iss, t->irs, t->our_ts_base, t->peer_ts_base};
}

static struct bases peers(const struct talk *t)
{
    return (struct bases){t->irs, t->iss, t->peer_ts_base, t->our_ts_base};
}

/* ---- failure and log */

static void note(struct talk *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct talk *t, const char *format, ...)
{
    char *line = t->log[t->log_count++ % TALK_LOG_LINES];
    uint64_t us = t->now_us - t->start_us;
    va_list args;

    int at =
        snprintf(line, TALK_LINE_BYTES, "%4" PRIu64 ".%06" PRIu64 " ", us / 1000000, us % 1000000);
    va_start(args, format);
    vsnprintf(line + at, (size_t)(TALK_LINE_BYTES - at), format, args);
    va_end(args);
}

void talk_fail(struct talk *t, const char *file, int line, const char *format, ...)
{
    unsigned first = t->log_count > TALK_LOG_LINES ? t->log_count - TALK_LOG_LINES : 0;
    char message[1024];
    va_list args;

    int at = snprintf(message, sizeof message, "%s:%d: ", file, line);
    va_start(args, format);
    vsnprintf(message + at, sizeof message - (size_t)at, format, args);
    va_end(args);
    if (t->log_to != NULL)
        fprintf(t->log_to, "---- the conversation so far\n");
    for (unsigned i = first; i < t->log_count && t->log_to != NULL; i++)
        fprintf(t->log_to, "%s\n", t->log[i % TALK_LOG_LINES]);
    if (t->title != NULL && t->log_to != NULL)
        fprintf(t->log_to, "---- %s\n", t->title);
    void (*on_failure)(void *, const char *) = t->on_failure;
    void *context = t->failure_context;
    stack_free(t->stack); /* so that no leak drowns the message */
    free(t->sent);
    free(t);
    if (on_failure != NULL)
        on_failure(context, message);
    ck_abort_msg("%s", message);
    abort();
}

/* ---- bytes, written and read here on purpose */

static uint32_t get(const uint8_t *at, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

static void put(uint8_t *at, unsigned bytes, uint32_t value)
{
    for (unsigned i = bytes; i-- > 0; value >>= 8)
        at[i] = (uint8_t)value;
}

static uint32_t sum_words(const uint8_t *at, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 == 0 ? (uint32_t)at[i] << 8 : at[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static uint16_t tcp_sum(const uint8_t *packet, size_t len)
{
    uint32_t sum = sum_words(packet + 12, 8, 6 + (uint32_t)(len - IP_BYTES));

    return (uint16_t)~sum_words(packet + IP_BYTES, len - IP_BYTES, sum);
}

uint8_t talk_byte(uint32_t position)
{
    return (uint8_t)(position * 31 + (position >> 8) * 7);
}

static void put_ip_header(uint8_t *packet, size_t len, uint8_t tos, uint8_t protocol, uint32_t src,
                          uint32_t dst)
{
    memset(packet, 0, IP_BYTES);
    packet[0] = 0x45;
    packet[1] = tos;
    put(packet + 2, 2, (uint32_t)len);
    packet[8] = 64;
    packet[9] = protocol;
    put(packet + 12, 4, src);
    put(packet + 16, 4, dst);
    put(packet + 10, 2, (uint16_t)~sum_words(packet, IP_BYTES, 0));
}

/* ---- the notation, read */

struct cursor {
    struct talk *t;
    const char *at, *text, *file;
    int line;
};

static void expect_char(struct cursor *c, char wanted)
{
    if (*c->at++ != wanted)
        talk_fail(c->t, c->file, c->line, "not in the notation, at '%c' wanted: %s", wanted,
                  c->text);
}

static void skip_blanks(struct cursor *c)
{
    while (*c->at == ' ')
        c->at++;
}

static bool take_word(struct cursor *c, const char *word)
{
    size_t len = strlen(word);

    skip_blanks(c);
    if (strncmp(c->at, word, len) != 0 || isalnum((unsigned char)c->at[len]))
        return false;
    c->at += len;
    skip_blanks(c);
    return true;
}

static uint32_t take_number(struct cursor *c, uint32_t base)
{
    char *end;

    if (*c->at == '=') {
        base = 0;
        c->at++;
    }
    long long value = strtoll(c->at, &end, 0);
    if (end == c->at)
        talk_fail(c->t, c->file, c->line, "number wanted at \"%s\": %s", c->at, c->text);
    c->at = end;
    return (uint32_t)value + base;
}

static void take_value(struct cursor *c, struct item *item, uint32_t base)
{
    skip_blanks(c);
    if (item->count == VALUES_MAX)
        talk_fail(c->t, c->file, c->line, "too many numbers in an option: %s", c->text);
    if (*c->at == '*') {
        item->is_any[item->count++] = true;
        c->at++;
        return;
    }
    item->value[item->count++] = take_number(c, base);
}

/* The ECN field of the IP header, by its value. */
static const char *const ecn_names[] = {"noecn", "ect1", "ect0", "ce"};

static void take_ecn(struct cursor *c, struct spoken *s)
{
    skip_blanks(c);
    if (*c->at != '[')
        return;
    c->at++;
    for (uint8_t i = 0; i < sizeof ecn_names / sizeof ecn_names[0] && !s->has_ecn; i++)
        if (take_word(c, ecn_names[i])) {
            s->has_ecn = true;
            s->ecn = i;
        }
    expect_char(c, ']');
}

static uint8_t take_flags(struct cursor *c)
{
    static const char letters[] = "FSRP.UEW";
    uint8_t flags = 0;

    skip_blanks(c);
    for (; *c->at != ' ' && *c->at != '\0'; c->at++) {
        const char *letter = strchr(letters, *c->at);
        if (letter != NULL)
            flags |= (uint8_t)(1u << (letter - letters));
        else if (*c->at != '0')
            talk_fail(c->t, c->file, c->line, "'%c' is no flag: %s", *c->at, c->text);
    }
    return flags;
}

static struct item take_option(struct cursor *c, const struct bases *bases, bool has_ack)
{
    struct item item = {0};

    if (take_word(c, "mss")) {
        item.kind = TCP_OPTION_MSS;
        take_value(c, &item, 0);
    } else if (take_word(c, "wscale")) {
        item.kind = TCP_OPTION_WINDOW_SCALE;
        take_value(c, &item, 0);
    } else if (take_word(c, "sackOK")) {
        item.kind = TCP_OPTION_SACK_PERMITTED;
    } else if (take_word(c, "uto")) {
        item.kind = TCP_OPTION_USER_TIMEOUT;
        take_value(c, &item, 0);
    } else if (take_word(c, "nop")) {
        item.kind = TCP_OPTION_NOP;
    } else if (take_word(c, "eol")) {
        item.kind = TCP_OPTION_EOL;
    } else if (take_word(c, "TS")) {
        item.kind = TCP_OPTION_TIMESTAMPS;
        take_word(c, "val");
        take_value(c, &item, bases->ts);
        take_word(c, "ecr");
        take_value(c, &item, has_ack ? bases->ecr : 0);
    } else if (take_word(c, "sack")) {
        item.kind = TCP_OPTION_SACK;
        while (*c->at != ',' && *c->at != '>') {
            take_value(c, &item, bases->ack);
            expect_char(c, ':');
            take_value(c, &item, bases->ack);
            skip_blanks(c);
        }
    } else if (take_word(c, "raw")) {
        item.is_raw = true;
        while (*c->at != ',' && *c->at != '>') {
            take_value(c, &item, 0);
            skip_blanks(c);
        }
    } else {
        talk_fail(c->t, c->file, c->line, "unknown option at \"%s\": %s", c->at, c->text);
    }
    skip_blanks(c);
    return item;
}

static struct spoken read_notation(struct talk *t, const char *text, const struct bases *bases,
                                   const char *file, int line)
{
    struct cursor c = {.t = t, .at = text, .text = text, .file = file, .line = line};
    struct spoken s = {0};

    take_ecn(&c, &s);
    s.flags = take_flags(&c);
    skip_blanks(&c);
    s.seq = take_number(&c, bases->seq);
    expect_char(&c, ':');
    uint32_t end = take_number(&c, bases->seq);
    expect_char(&c, '(');
    s.len = take_number(&c, 0);
    expect_char(&c, ')');
    if (end - s.seq != s.len)
        talk_fail(t, file, line, "the range is not as long as it says: %s", text);
    if ((s.has_ack = take_word(&c, "ack")))
        s.ack = take_number(&c, bases->ack);
    if ((s.has_win = take_word(&c, "win")))
        s.win = take_number(&c, 0);
    if ((s.has_urg = take_word(&c, "urg")))
        s.urg = take_number(&c, 0);
    skip_blanks(&c);
    if (*c.at == '<') {
        s.has_options = true;
        c.at++;
        while (*c.at != '>') {
            if (s.item_count == ITEMS_MAX)
                talk_fail(t, file, line, "too many options: %s", text);
            s.item[s.item_count++] = take_option(&c, bases, s.has_ack);
            if (*c.at == ',')
                c.at++;
        }
        c.at++;
    }
    skip_blanks(&c);
    if (*c.at != '\0')
        talk_fail(t, file, line, "what is \"%s\": %s", c.at, text);
    return s;
}

const char *segment(const char *format, ...)
{
    static char text[4][TALK_LINE_BYTES]; /* several may be used in one statement */
    static unsigned turn;
    char *line = text[turn++ % 4];
    va_list args;

    va_start(args, format);
    vsnprintf(line, TALK_LINE_BYTES, format, args);
    va_end(args);
    return line;
}

/* ---- packets of the peer */

static size_t put_option(const struct item *item, uint8_t *at)
{
    static const uint8_t width[] = {
        [TCP_OPTION_MSS] = 2,  [TCP_OPTION_WINDOW_SCALE] = 1, [TCP_OPTION_SACK_PERMITTED] = 0,
        [TCP_OPTION_SACK] = 4, [TCP_OPTION_TIMESTAMPS] = 4,   [TCP_OPTION_USER_TIMEOUT] = 2};

    if (item->is_raw) {
        for (unsigned i = 0; i < item->count; i++)
            at[i] = (uint8_t)item->value[i];
        return item->count;
    }
    at[0] = item->kind;
    if (item->kind == TCP_OPTION_NOP || item->kind == TCP_OPTION_EOL)
        return 1;
    size_t len = 2;
    for (unsigned i = 0; i < item->count; i++, len += width[item->kind])
        put(at + len, width[item->kind], item->value[i]);
    at[1] = (uint8_t)len;
    return len;
}

static size_t option_bytes(const struct item *item)
{
    uint8_t bytes[2 + VALUES_MAX * 4];

    return put_option(item, bytes);
}

/* Returns the packet's length. */
static size_t write_packet(const struct talk *t, const struct spoken *s, uint8_t *packet)
{
    uint8_t *tcp = packet + IP_BYTES;
    size_t header_bytes = TCP_HEADER_BYTES;

    memset(tcp, 0, TCP_HEADER_MAX_BYTES);
    put(tcp, 2, t->peer_port);
    put(tcp + 2, 2, t->our_port);
    put(tcp + 4, 4, s->seq);
    put(tcp + 8, 4, s->has_ack ? s->ack : 0);
    tcp[13] = s->flags;
    put(tcp + 14, 2, s->has_win ? s->win : 65535);
    put(tcp + 18, 2, s->urg);
    for (unsigned i = 0; i < s->item_count; i++)
        header_bytes += put_option(&s->item[i], tcp + header_bytes);
    header_bytes = (header_bytes + 3) / 4 * 4;
    tcp[12] = (uint8_t)(header_bytes / 4 << 4);
    uint32_t position = s->seq - t->irs + (s->flags & TCP_SYN ? 1 : 0);
    for (uint32_t i = 0; i < s->len; i++)
        tcp[header_bytes + i] = talk_byte(position + i);
    size_t len = IP_BYTES + header_bytes + s->len;
    put_ip_header(packet, len, s->ecn, IP_PROTOCOL_TCP, t->peer_addr, t->our_addr);
    put(tcp + 16, 2, tcp_sum(packet, len));
    return len;
}

static enum drop deliver(struct talk *t, const uint8_t *packet, size_t len)
{
    uint8_t *copy = malloc(len); /* of exactly that size, so that reading past it is seen */

    memcpy(copy, packet, len);
    struct packet_in in = {.bytes = {copy, len}, .segment_bytes = t->merged_bytes};
    t->drop = stack_input(t->stack, &in, t->now_us);
    free(copy);
    talk_pull(t);
    return t->drop;
}

/* ---- our packets, taken apart and verified */

static const char *flags_text(uint8_t flags, char text[9])
{
    static const struct {
        uint8_t flag;
        char letter;
    } letters[] = {{TCP_FIN, 'F'}, {TCP_SYN, 'S'}, {TCP_RST, 'R'}, {TCP_PSH, 'P'},
                   {TCP_ACK, '.'}, {TCP_URG, 'U'}, {TCP_ECE, 'E'}, {TCP_CWR, 'W'}};
    size_t len = 0;

    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if (flags & letters[i].flag)
            text[len++] = letters[i].letter;
    if (len == 0)
        text[len++] = '0';
    text[len] = '\0';
    return text;
}

static const char *item_text(const struct item *item, const struct bases *bases, bool has_ack,
                             char text[120])
{
    const uint32_t *value = item->value;
    size_t len = 0;

    switch (item->is_raw ? -1 : (int)item->kind) {
    case TCP_OPTION_MSS:
        snprintf(text, 120, "mss %u", value[0]);
        break;
    case TCP_OPTION_WINDOW_SCALE:
        snprintf(text, 120, "wscale %u", value[0]);
        break;
    case TCP_OPTION_SACK_PERMITTED:
        snprintf(text, 120, "sackOK");
        break;
    case TCP_OPTION_USER_TIMEOUT:
        snprintf(text, 120, "uto %u", value[0]);
        break;
    case TCP_OPTION_NOP:
        snprintf(text, 120, "nop");
        break;
    case TCP_OPTION_TIMESTAMPS:
        snprintf(text, 120, "TS val %d ecr %d", (int32_t)(value[0] - bases->ts),
                 (int32_t)(value[1] - (has_ack ? bases->ecr : 0)));
        break;
    case TCP_OPTION_SACK:
        len = (size_t)snprintf(text, 120, "sack");
        for (unsigned i = 0; i < item->count; i += 2)
            len +=
                (size_t)snprintf(text + len, 120 - len, " %d:%d", (int32_t)(value[i] - bases->ack),
                                 (int32_t)(value[i + 1] - bases->ack));
        break;
    default:
        snprintf(text, 120, "raw %u ...", item->kind);
        break;
    }
    return text;
}

static void format_spoken(const struct spoken *s, const struct bases *bases, char *text,
                          size_t room)
{
    char flags[9], item[120];
    int32_t start = (int32_t)(s->seq - bases->seq);
    size_t at = s->ecn == 0 ? 0 : (size_t)snprintf(text, room, "[%s] ", ecn_names[s->ecn]);

    at += (size_t)snprintf(text + at, room - at, "%s %d:%d(%u)", flags_text(s->flags, flags), start,
                           start + (int32_t)s->len, s->len);

    if (s->has_ack)
        at += (size_t)snprintf(text + at, room - at, " ack %d", (int32_t)(s->ack - bases->ack));
    if (s->has_win)
        at += (size_t)snprintf(text + at, room - at, " win %u", s->win);
    if (s->has_urg)
        at += (size_t)snprintf(text + at, room - at, " urg %u", s->urg);
    for (unsigned i = 0; i < s->item_count && at < room; i++)
        at += (size_t)snprintf(text + at, room - at, "%s%s", i == 0 ? " <" : ",",
                               item_text(&s->item[i], bases, s->has_ack, item));
    if (s->item_count > 0 && at < room)
        snprintf(text + at, room - at, ">");
}

static bool read_options(const uint8_t *at, size_t left, struct spoken *s)
{
    while (left > 0) {
        uint8_t kind = at[0];
        if (kind == TCP_OPTION_EOL || kind == TCP_OPTION_NOP) {
            at++;
            left--;
            continue;
        }
        if (left < 2 || at[1] < 2 || at[1] > left || s->item_count == ITEMS_MAX)
            return false;
        struct item *item = &s->item[s->item_count++];
        *item = (struct item){.kind = kind};
        bool is_short = kind == TCP_OPTION_MSS || kind == TCP_OPTION_USER_TIMEOUT;
        unsigned width = is_short ? 2 : kind == TCP_OPTION_WINDOW_SCALE ? 1 : 4;
        for (unsigned i = 2; i + width <= at[1]; i += width)
            item->value[item->count++] = get(at + i, width);
        left -= at[1];
        at += at[1];
    }
    return true;
}

/* What we have sent, as a spoken segment with nothing left out. */
static struct spoken take_apart(const struct talk_segment *sent)
{
    const uint8_t *tcp = sent->bytes + IP_BYTES;
    size_t header_bytes = (size_t)(tcp[12] >> 4) * 4;
    struct spoken s = {
        .ecn = sent->bytes[1] & 3,
        .flags = tcp[13],
        .seq = get(tcp + 4, 4),
        .len = (uint32_t)(sent->len - IP_BYTES - header_bytes),
        .ack = get(tcp + 8, 4),
        .win = get(tcp + 14, 2),
        .urg = get(tcp + 18, 2),
        .has_ack = (tcp[13] & TCP_ACK) != 0,
        .has_win = true,
        .has_urg = (tcp[13] & TCP_URG) != 0,
        .has_options = true,
    };

    (void)read_options(tcp + TCP_HEADER_BYTES, header_bytes - TCP_HEADER_BYTES, &s);
    return s;
}

/* What must be so of any packet that leaves. Returns what is not, or NULL. */
static const char *fault_of(const struct talk *t, const struct talk_segment *sent)
{
    const uint8_t *packet = sent->bytes;
    const uint8_t *tcp = packet + IP_BYTES;

    if (sent->len < IP_BYTES + TCP_HEADER_BYTES || packet[0] != 0x45)
        return "not an IPv4 packet with a TCP header";
    if (get(packet + 2, 2) != sent->len)
        return "the IP length is wrong";
    if (sum_words(packet, IP_BYTES, 0) != 0xffff)
        return "the IP checksum is wrong";
    if (packet[9] != IP_PROTOCOL_TCP)
        return "not TCP";
    if (get(packet + 12, 4) != t->our_addr || get(packet + 16, 4) != t->peer_addr)
        return "the addresses are wrong";
    if (get(packet + 6, 2) != 0x4000)
        return "DF is not set, or it is a fragment";
    if (tcp_sum(packet, sent->len) != 0)
        return "the TCP checksum is wrong";
    size_t header_bytes = (size_t)(tcp[12] >> 4) * 4;
    if (header_bytes < TCP_HEADER_BYTES || IP_BYTES + header_bytes > sent->len)
        return "the data offset is wrong";
    struct spoken s = {0};
    if (!read_options(tcp + TCP_HEADER_BYTES, header_bytes - TCP_HEADER_BYTES, &s))
        return "the options are malformed";
    uint32_t position = get(tcp + 4, 4) - TALK_ISS; /* whatever ISS a connection has */
    for (size_t i = IP_BYTES + header_bytes; i < sent->len; i++)
        if (packet[i] != talk_byte(position++))
            return "the payload is not what the application wrote";
    return NULL;
}

/* The end of the list, behind what is still to be looked at. */
static struct talk_segment *place_for_sent(struct talk *t)
{
    if (t->sent_first > 0 && t->sent_first + t->sent_count == t->sent_room) {
        memmove(t->sent, t->sent + t->sent_first, t->sent_count * sizeof t->sent[0]);
        t->sent_first = 0;
    }
    if (t->sent_count == TALK_SEGMENTS_MAX)
        talk_fail(t, __FILE__, __LINE__, "the stack does not stop sending");
    if (t->sent_count == t->sent_room) {
        t->sent_room = t->sent_room > 0 ? 2 * t->sent_room : 4;
        t->sent = realloc(t->sent, t->sent_room * sizeof t->sent[0]);
        ck_assert_ptr_nonnull(t->sent);
    }
    return &t->sent[t->sent_first + t->sent_count];
}

void talk_pull(struct talk *t)
{
    struct packet_out out;

    while (!t->is_holding && stack_output(t->stack, &out, t->now_us)) {
        struct talk_segment *sent = place_for_sent(t);
        sent->len = packet_out_copy(&out, sent->bytes, sizeof sent->bytes);
        if (sent->bytes[9] == IP_PROTOCOL_ICMP)
            continue;
        const char *fault = fault_of(t, sent);
        if (fault != NULL)
            talk_fail(t, __FILE__, __LINE__, "we sent a bad packet: %s", fault);
        t->sent_count++;
        struct spoken s = take_apart(sent);
        struct bases bases = ours(t);
        char text[TALK_LINE_BYTES];
        format_spoken(&s, &bases, text, sizeof text);
        note(t, "> %s", text);
    }
    while (stack_next_ready(t->stack) != NULL)
        t->ready_events++;
}

/* ---- saying and hearing */

void forget_sent(struct talk *t)
{
    talk_pull(t);
    t->sent_count = t->sent_first = 0;
}

const char *talk_next_sent(struct talk *t)
{
    static char text[TALK_LINE_BYTES];

    talk_pull(t);
    if (t->sent_count == 0)
        return NULL;
    struct spoken s = take_apart(&t->sent[t->sent_first]);
    struct bases bases = ours(t);
    format_spoken(&s, &bases, text, sizeof text);
    return text;
}

static void drop_first_sent(struct talk *t)
{
    t->sent_first++;
    if (--t->sent_count == 0)
        t->sent_first = 0;
}

bool talk_hear(struct talk *t, struct talk_heard *heard)
{
    struct bases bases = ours(t);

    talk_pull(t);
    if (t->sent_count == 0)
        return false;
    struct spoken s = take_apart(&t->sent[t->sent_first]);
    *heard = (struct talk_heard){
        .flags = s.flags,
        .seq = (int32_t)(s.seq - bases.seq),
        .ack = s.has_ack ? (int32_t)(s.ack - bases.ack) : 0,
        .len = s.len,
        .win = s.win,
    };
    for (unsigned i = 0; i < s.item_count; i++)
        if (s.item[i].kind == TCP_OPTION_TIMESTAMPS) {
            heard->has_ts = true;
            heard->ts_val = (int32_t)(s.item[i].value[0] - bases.ts);
            heard->ts_ecr = (int32_t)(s.item[i].value[1] - bases.ecr);
        }
    drop_first_sent(t);
    return true;
}

void we_send_nothing_at(struct talk *t, const char *file, int line)
{
    const char *text = talk_next_sent(t);

    if (text == NULL)
        return;
    talk_fail(t, file, line, "not expected: %s (and %u more)", text, t->sent_count - 1);
}

static bool item_matches(const struct item *wanted, const struct item *actual)
{
    if (wanted->kind != actual->kind || wanted->count != actual->count)
        return false;
    for (unsigned i = 0; i < wanted->count; i++)
        if (!wanted->is_any[i] && wanted->value[i] != actual->value[i])
            return false;
    return true;
}

static bool options_match(const struct spoken *wanted, const struct spoken *actual)
{
    unsigned next = 0;

    for (unsigned i = 0; i < wanted->item_count; i++) {
        const struct item *item = &wanted->item[i];
        if (item->kind == TCP_OPTION_NOP || item->kind == TCP_OPTION_EOL)
            continue;
        if (next == actual->item_count || !item_matches(item, &actual->item[next++]))
            return false;
    }
    return next == actual->item_count;
}

static bool matches(const struct spoken *wanted, const struct spoken *actual)
{
    return (!wanted->has_ecn || wanted->ecn == actual->ecn) && wanted->flags == actual->flags &&
           wanted->seq == actual->seq && wanted->len == actual->len &&
           wanted->has_ack == actual->has_ack && (!wanted->has_ack || wanted->ack == actual->ack) &&
           (!wanted->has_win || wanted->win == actual->win) &&
           (!wanted->has_urg || wanted->urg == actual->urg) &&
           (!wanted->has_options || options_match(wanted, actual));
}

void we_send_at(struct talk *t, const char *text, const char *file, int line)
{
    struct bases bases = ours(t);
    struct spoken wanted = read_notation(t, text, &bases, file, line);
    char actual_text[TALK_LINE_BYTES];

    talk_pull(t);
    if (t->sent_count == 0)
        talk_fail(t, file, line, "expected: %s\n    but nothing is sent", text);
    struct talk_segment *sent = &t->sent[t->sent_first];
    struct spoken actual = take_apart(sent);
    format_spoken(&actual, &bases, actual_text, sizeof actual_text);
    if (get(sent->bytes + IP_BYTES, 2) != t->our_port ||
        get(sent->bytes + IP_BYTES + 2, 2) != t->peer_port)
        talk_fail(t, file, line, "expected: %s\n    sent on another connection: %s", text,
                  actual_text);
    if (!matches(&wanted, &actual))
        talk_fail(t, file, line, "expected: %s\n      actual: %s", text, actual_text);
    t->heard_win = actual.win;
    drop_first_sent(t);
}

static size_t prepare(struct talk *t, const char *text, uint8_t *packet, const char *file, int line)
{
    struct bases bases = peers(t);
    struct spoken s = read_notation(t, text, &bases, file, line);

    size_t options_bytes = 0;

    for (unsigned i = 0; i < s.item_count; i++)
        options_bytes += option_bytes(&s.item[i]);
    if (options_bytes > TCP_HEADER_MAX_BYTES - TCP_HEADER_BYTES || s.len > PEER_TEXT_MAX_BYTES)
        talk_fail(t, file, line, "too long for a segment: %s", text);
    if (!t->is_holding)
        we_send_nothing_at(t, file, line);
    note(t, "< %s", text);
    return write_packet(t, &s, packet);
}

enum drop peer_sends_at(struct talk *t, const char *text, const char *file, int line)
{
    uint8_t packet[8192];
    size_t len = prepare(t, text, packet, file, line);

    return deliver(t, packet, len);
}

enum drop peer_lies_at(struct talk *t, enum talk_lie lie, const char *text, const char *file,
                       int line)
{
    uint8_t packet[8192];
    size_t len = prepare(t, text, packet, file, line);
    uint8_t *tcp = packet + IP_BYTES;

    if (lie == LIE_OFFSET_SHORT)
        tcp[12] = 4 << 4;
    if (lie == LIE_OFFSET_BEYOND)
        tcp[12] = 15 << 4;
    if (lie == LIE_TRUNCATED)
        len = IP_BYTES + 12;
    put_ip_header(packet, len, packet[1], IP_PROTOCOL_TCP, t->peer_addr, t->our_addr);
    if (lie != LIE_TRUNCATED) {
        put(tcp + 16, 2, 0);
        put(tcp + 16, 2, (uint16_t)(tcp_sum(packet, len) + (lie == LIE_CHECKSUM ? 1 : 0)));
    }
    return deliver(t, packet, len);
}

static void send_error(struct talk *t, uint8_t type, uint8_t code, uint16_t mtu, uint32_t seq,
                       size_t quoted_bytes)
{
    uint8_t packet[IP_BYTES + 8 + IP_BYTES + 8] = {0};
    uint8_t *icmp = packet + IP_BYTES;
    uint8_t *quoted = icmp + 8;

    icmp[0] = type;
    icmp[1] = code;
    put(icmp + 6, 2, mtu);
    put_ip_header(quoted, quoted_bytes, 0, IP_PROTOCOL_TCP, t->our_addr, t->peer_addr);
    put(quoted + IP_BYTES, 2, t->our_port);
    put(quoted + IP_BYTES + 2, 2, t->peer_port);
    put(quoted + IP_BYTES + 4, 4, t->iss + seq);
    put(icmp + 2, 2, (uint16_t)~sum_words(icmp, sizeof packet - IP_BYTES, 0));
    put_ip_header(packet, sizeof packet, 0, IP_PROTOCOL_ICMP, ROUTER_ADDR, t->our_addr);
    note(t, "< ICMP type %u code %u mtu %u about %u", type, code, mtu, seq);
    (void)deliver(t, packet, sizeof packet);
}

void router_sends_error(struct talk *t, uint8_t type, uint8_t code, uint32_t seq)
{
    send_error(t, type, code, 0, seq, IP_BYTES + TCP_HEADER_BYTES);
}

void router_wants_less(struct talk *t, uint16_t mtu, uint32_t seq)
{
    send_error(t, ICMP_UNREACHABLE, ICMP_UNREACHABLE_FRAGMENTATION, mtu, seq,
               IP_BYTES + TCP_HEADER_BYTES + MSS);
}

/* ---- time */

/* Let time pass until the next deadline or `end_us`; false when that is reached. */
static bool step(struct talk *t, uint64_t end_us)
{
    uint64_t next_us = stack_next_deadline_us(t->stack);

    if (next_us > end_us) {
        t->now_us = end_us;
        stack_on_time(t->stack, t->now_us);
        talk_pull(t);
        return false;
    }
    if (next_us > t->now_us)
        t->now_us = next_us;
    stack_on_time(t->stack, t->now_us);
    talk_pull(t);
    return true;
}

void time_passes_us(struct talk *t, uint64_t us)
{
    uint64_t end_us = t->now_us + us;
    unsigned step_count = 0;

    talk_pull(t);
    while (step(t, end_us))
        if (++step_count > 1000000)
            talk_fail(t, __FILE__, __LINE__, "a deadline is due for ever");
}

void time_passes_ms(struct talk *t, uint64_t ms)
{
    time_passes_us(t, ms * 1000);
}

uint64_t time_until_we_send_within_us(struct talk *t, uint64_t max_us)
{
    uint64_t begin_us = t->now_us;

    talk_pull(t);
    while (t->sent_count == 0)
        if (!step(t, begin_us + max_us) && t->sent_count == 0)
            return UINT64_MAX;
    return t->now_us - begin_us;
}

uint64_t time_until_we_send_us(struct talk *t, uint64_t max_ms)
{
    return time_until_we_send_within_us(t, max_ms * 1000);
}

/* ---- the stack under test */

static uint64_t next_random(void *context)
{
    struct talk *t = context;

    t->random_state = t->random_state * 6364136223846793005u + 1442695040888963407u;
    return t->random_state >> 32 | t->random_state << 32;
}

static bool choose(void *context, enum stack_choice what, uint32_t *value)
{
    const struct talk *t = context;

    if (t->numbers_are_random)
        return false;
    switch (what) {
    case CHOICE_ISS:
        *value = TALK_ISS;
        return true;
    case CHOICE_TS_OFFSET:
        *value = OUR_TS_BASE - START_US / 1000;
        return true;
    case CHOICE_LOCAL_PORT:
        *value = TALK_OUR_PORT;
        return true;
    case CHOICE_DNS_ID:
    case CHOICE_IP_ID:
        break;
    }
    return false;
}

static void append_state(struct talk *t, int state)
{
    size_t len = strlen(t->path);

    snprintf(t->path + len, sizeof t->path - len, "%s%s", len > 0 ? " " : "",
             tcp_state_name((enum tcp_state)state));
}

static void on_event(void *context, const struct trace_event *event)
{
    struct talk *t = context;

    t->events[event->kind]++;
    if (event->kind == TRACE_DROP)
        note(t, "  dropped: %s", drop_name(event->u.drop));
    if (event->kind != TRACE_STATE || event->flow->remote_port == 0)
        return;
    if (t->path[0] == '\0')
        append_state(t, event->u.state.from);
    append_state(t, event->u.state.to);
    t->state = (enum tcp_state)event->u.state.to;
    note(t, "  %s to %s: %s", tcp_state_name((enum tcp_state)event->u.state.from),
         tcp_state_name(t->state), event->cause);
}

struct stack_config talk_config(void)
{
    struct stack_config config;

    stack_config_init(&config);
    config.address[0] = ip_addr_from_v4(OUR_ADDR);
    config.address_count = 1;
    config.handshakes_awake_max = 0; /* the harder case: each is frozen and thawed */
    config.tcp.receive_buffer_max_bytes = UINT16_MAX << 6; /* a small unit shows more of a window */
    return config;
}

struct talk *talk_new(const struct stack_config *given)
{
    struct stack_config config = given != NULL ? *given : talk_config();
    struct talk *t = calloc(1, sizeof *t);

    ck_assert_ptr_nonnull(t);
    t->log_to = stderr;
    config.random = next_random;
    config.random_context = t;
    config.choose = choose;
    config.choose_context = t;
    config.trace = on_event;
    config.trace_context = t;
    t->start_us = t->now_us = START_US;
    t->our_addr = OUR_ADDR;
    t->peer_addr = PEER_ADDR;
    t->our_port = TALK_LISTEN_PORT;
    t->peer_port = TALK_PEER_PORT;
    t->iss = TALK_ISS;
    t->irs = TALK_IRS;
    t->our_ts_base = OUR_TS_BASE;
    t->peer_ts_base = PEER_TS_BASE;
    t->random_state = 1;
    t->stack = stack_new(&config, t->now_us);
    ck_assert_ptr_nonnull(t->stack);
    return t;
}

void talk_free_at(struct talk *t, const char *file, int line)
{
    we_send_nothing_at(t, file, line);
    stack_free(t->stack);
    free(t->sent);
    free(t);
}

/* ---- the application */

void app_writes(struct talk *t, size_t len)
{
    uint8_t *data = malloc(len);

    for (size_t i = 0; i < len; i++)
        data[i] = talk_byte(t->written + 1 + (uint32_t)i);
    ptrdiff_t accepted = tcp_send(t->tcb, data, len);
    free(data);
    if (accepted != (ptrdiff_t)len)
        talk_fail(t, __FILE__, __LINE__, "tcp_send() of %zu bytes says %td", len, accepted);
    t->written += (uint32_t)len;
    note(t, "  the application writes %zu bytes", len);
    talk_pull(t);
}

void app_reads(struct talk *t, size_t len)
{
    uint8_t *data = malloc(len + 1);
    ptrdiff_t got = tcp_receive(t->tcb, data, len);

    note(t, "  the application reads %td of %zu bytes", got, len);
    if (got != (ptrdiff_t)len)
        talk_fail(t, __FILE__, __LINE__, "tcp_receive() of %zu bytes says %td", len, got);
    for (size_t i = 0; i < len; i++)
        if (data[i] != talk_byte(++t->read))
            talk_fail(t, __FILE__, __LINE__, "byte %u is wrong", t->read);
    free(data);
    talk_pull(t);
}

/* ---- the way into a state */

void talk_listen(struct talk *t)
{
    enum tcp_err error = TCP_OK;

    t->listener = tcp_open_passive(t->stack, NULL, TALK_LISTEN_PORT, NULL, &error);
    ck_assert_ptr_nonnull(t->listener);
    t->our_port = TALK_LISTEN_PORT;
    t->state = TCPS_LISTEN;
}

void talk_connect(struct talk *t)
{
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);
    enum tcp_err error = TCP_OK;

    t->our_port = TALK_OUR_PORT;
    t->tcb = tcp_open_active(t->stack, NULL, 0, &peer, t->peer_port, NULL, &error);
    ck_assert_ptr_nonnull(t->tcb);
    we_send(t, "S 0:0(0)");
}

void talk_establish(struct talk *t, const char *options)
{
    talk_connect(t);
    peer_sends(t, segment("S. 0:0(0) ack 1 win 65535 <%s>", options));
    we_send(t, ". 1:1(0) ack 1");
    state_is(t, TCPS_ESTABLISHED);
}

/* Everything of the peer's handshake but the last ACK. */
static void half_accept(struct talk *t, const char *options)
{
    talk_listen(t);
    peer_sends(t, segment("S 0:0(0) win 65535 <%s>", options));
    we_send(t, "S. 0:0(0) ack 1");
}

void talk_accept(struct talk *t, const char *options)
{
    bool has_timestamps = strstr(options, "TS ") != NULL;

    half_accept(t, options);
    peer_sends(t, has_timestamps ? ". 1:1(0) ack 1 win 65535 <TS val 0 ecr 0>"
                                 : ". 1:1(0) ack 1 win 65535");
    t->tcb = tcp_accept(t->listener);
    ck_assert_ptr_nonnull(t->tcb);
    state_is(t, TCPS_ESTABLISHED);
}

struct talk *talk_established(const char *options)
{
    struct talk *t = talk_new(NULL);

    talk_establish(t, options);
    return t;
}

static void we_shut_down(struct talk *t, uint32_t ack)
{
    ck_assert_int_eq(tcp_shutdown(t->tcb), TCP_OK);
    we_send(t, segment("F. 1:1(0) ack %u", ack));
}

static void peer_shuts_down(struct talk *t, uint32_t ack)
{
    peer_sends(t, segment("F. 1:1(0) ack %u", ack));
    we_send(t, segment(". %u:%u(0) ack 2", talk_snd_nxt(t->state), talk_snd_nxt(t->state)));
}

struct talk *talk_in_state(enum tcp_state state)
{
    struct talk *t = talk_new(NULL);

    if (state == TCPS_LISTEN)
        talk_listen(t);
    if (state == TCPS_SYN_SENT)
        talk_connect(t);
    if (state == TCPS_SYN_RECEIVED)
        half_accept(t, "mss 1460");
    if (state >= TCPS_ESTABLISHED)
        talk_establish(t, "mss 1460");
    if (state == TCPS_FIN_WAIT_1 || state == TCPS_FIN_WAIT_2 || state == TCPS_CLOSING ||
        state == TCPS_TIME_WAIT)
        we_shut_down(t, 1);
    if (state == TCPS_FIN_WAIT_2)
        peer_sends(t, ". 1:1(0) ack 2");
    if (state == TCPS_CLOSE_WAIT || state == TCPS_LAST_ACK || state == TCPS_CLOSING)
        peer_shuts_down(t, 1);
    if (state == TCPS_TIME_WAIT)
        peer_shuts_down(t, 2);
    if (state == TCPS_LAST_ACK)
        we_shut_down(t, 2);
    state_is(t, state);
    return t;
}

uint32_t talk_snd_nxt(enum tcp_state state)
{
    switch (state) {
    case TCPS_FIN_WAIT_1:
    case TCPS_FIN_WAIT_2:
    case TCPS_CLOSING:
    case TCPS_LAST_ACK:
    case TCPS_TIME_WAIT:
        return 2;
    case TCPS_SYN_SENT:
    case TCPS_SYN_RECEIVED:
    case TCPS_ESTABLISHED:
    case TCPS_CLOSE_WAIT:
        return 1;
    case TCPS_CLOSED:
    case TCPS_LISTEN:
    case TCPS_COUNT:
        break;
    }
    return 0;
}

uint32_t talk_snd_una(enum tcp_state state)
{
    bool all_acked = state == TCPS_ESTABLISHED || state == TCPS_CLOSE_WAIT ||
                     state == TCPS_FIN_WAIT_2 || state == TCPS_TIME_WAIT;

    return all_acked ? talk_snd_nxt(state) : talk_snd_nxt(state) - 1;
}

uint32_t talk_rcv_nxt(enum tcp_state state)
{
    return state >= TCPS_CLOSE_WAIT ? 2 : 1;
}

/* ---- what is so */

void state_is_at(struct talk *t, enum tcp_state state, const char *file, int line)
{
    if (t->state != state)
        talk_fail(t, file, line, "expected state %s, but it is %s", tcp_state_name(state),
                  tcp_state_name(t->state));
}

void path_is_at(struct talk *t, const char *path, const char *file, int line)
{
    if (strcmp(t->path, path) != 0)
        talk_fail(t, file, line, "expected states: %s\n      but they were: %s", path, t->path);
}

struct tcp_status talk_status(struct talk *t)
{
    struct tcp_status status;

    tcp_status(t->tcb, &status);
    return status;
}

uint64_t drops(struct talk *t, enum drop drop)
{
    return stack_counters(t->stack)->drops[drop];
}
