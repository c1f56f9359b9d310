/* A simulated link, one direction of it.
 *
 * What happens to a packet, in this order:
 *
 *     link_send()  --> rules (blackhole, the n-th SYN, ...)   dropped: lost
 *                  --> rate: a queue in front of the sender   no room: queue_full
 *                  --> loss, bursts of loss                   lost, but it has used the rate
 *                  --> perhaps a second copy                  duplicated
 *                  --> delay + jitter, perhaps held back      reordered
 *                  --> perhaps one bit flipped                corrupted
 *     heap of packets under way, the earliest arrival on top
 *                  --> link_receive()                         delivered
 *
 * The queue is kept as a time, not as a list: `busy_until_ns` is when the last bit accepted so far
 * leaves the sender, and a queue of so many bytes is a wait of at most `queue_ns`. Nanoseconds, so
 * that fast links do not lose a fraction of a microsecond with each packet.
 *
 * Invariants: packets that are not held back arrive in the order in which they were sent (jitter
 * stretches, it does not reorder); equal times keep the order of sending; the bytes under way never
 * pass UNDER_WAY_MAX_BYTES. All that is random is drawn from one generator in the order of the
 * packets, so that a seed and a list of packets determine everything.
 *
 * The burst model is Gilbert's: two states, good and bad; in the bad one everything is lost. It
 * counts packets, and a sender that backs off would meet the same burst minutes later: so a burst
 * also ends when nothing has been sent for BURST_PAUSE_US. */
#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    UNDER_WAY_MAX_BYTES = 64 * 1024 * 1024,
    QUEUE_DEFAULT_BYTES = 256 * 1024,
    QUEUE_MAX_BYTES = 64 * 1024 * 1024,
    REORDER_DEFAULT_US = 5000,
    BURST_PAUSE_US = 100000,
    MASK_BITS = 64,
    WORD_BYTES = 40, /* longest word or value of a description that is looked at */
};

static const double BURST_LEAVE_DEFAULT = 0.3;

struct entry {
    uint64_t at_us;
    uint64_t order; /* of sending, between equal times */
    uint8_t *data;
    size_t len;
    bool checksum_ok;
    uint32_t segment_bytes;
};

struct link {
    struct link_config config;
    struct link_counters counters;
    uint64_t random_state;
    uint64_t busy_until_ns; /* when the sender has sent what was accepted so far */
    uint64_t queue_ns;      /* how long the whole queue takes */
    uint64_t last_at_us;    /* arrival of the last packet that keeps the order */
    uint64_t order_count;
    bool in_burst;
    uint64_t burst_packet_us;                             /* when the burst met its last packet */
    unsigned syn_count, data_count, any_count, udp_count; /* seen so far, for the masks */
    struct entry *heap; /* heap[i] is not later than heap[2i+1] and heap[2i+2] */
    size_t heap_count, heap_room;
    size_t under_way_bytes;
    uint8_t *taken; /* what the last link_receive() lent */
};

struct kind {
    bool is_syn, is_data, is_udp;
};

static bool is_ruled_out(struct link *link, struct bytes packet);
static bool pass_queue(struct link *link, size_t len, uint64_t now_us, uint64_t *left_us);
static bool is_lost(struct link *link, uint64_t now_us);
static void deliver_later(struct link *link, const struct link_packet *packet, uint64_t left_us);
static bool heap_push(struct link *link, struct entry entry);
static struct entry heap_pop(struct link *link);

/* splitmix64 (Steele, Lea and Flood, 2014). */
uint64_t link_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct link *link_new(const struct link_config *config, uint64_t seed)
{
    struct link *link = calloc(1, sizeof *link);

    if (link == NULL)
        return NULL;
    link->config = *config;
    link->random_state = seed;
    if (link->config.queue_bytes == 0)
        link->config.queue_bytes = QUEUE_DEFAULT_BYTES;
    if (link->config.queue_bytes > QUEUE_MAX_BYTES)
        link->config.queue_bytes = QUEUE_MAX_BYTES;
    if (link->config.reorder_us == 0)
        link->config.reorder_us = REORDER_DEFAULT_US;
    if (link->config.burst_leave <= 0)
        link->config.burst_leave = BURST_LEAVE_DEFAULT;
    if (config->rate_bits_per_s > 0)
        link->queue_ns = link->config.queue_bytes * 8000000000ull / config->rate_bits_per_s;
    return link;
}

void link_free(struct link *link)
{
    if (link == NULL)
        return;
    for (size_t i = 0; i < link->heap_count; i++)
        free(link->heap[i].data);
    free(link->heap);
    free(link->taken);
    free(link);
}

static bool chance(struct link *link, double probability)
{
    if (probability <= 0)
        return false;
    return (double)(link_random(&link->random_state) >> 11) * 0x1p-53 < probability;
}

void link_send(struct link *link, const struct link_packet *packet, uint64_t now_us)
{
    uint64_t left_us;

    link->counters.sent++;
    if (is_ruled_out(link, packet->bytes)) {
        link->counters.lost++;
        return;
    }
    if (!pass_queue(link, packet->bytes.len, now_us, &left_us)) {
        link->counters.queue_full++;
        return;
    }
    if (is_lost(link, now_us)) {
        link->counters.lost++;
        return;
    }
    bool twice = chance(link, link->config.duplicate);
    deliver_later(link, packet, left_us);
    if (twice) {
        link->counters.duplicated++;
        deliver_later(link, packet, left_us);
    }
}

bool link_receive(struct link *link, struct link_packet *packet, uint64_t now_us)
{
    free(link->taken);
    link->taken = NULL;
    if (link->heap_count == 0 || link->heap[0].at_us > now_us)
        return false;
    struct entry entry = heap_pop(link);
    link->taken = entry.data;
    link->counters.delivered++;
    *packet = (struct link_packet){
        .bytes = {entry.data, entry.len},
        .checksum_ok = entry.checksum_ok,
        .segment_bytes = entry.segment_bytes,
    };
    return true;
}

uint64_t link_next_us(const struct link *link)
{
    return link->heap_count > 0 ? link->heap[0].at_us : UINT64_MAX;
}

const struct link_counters *link_counters(const struct link *link)
{
    return &link->counters;
}

/* ---- what happens to one packet ---- */

static struct kind kind_of(struct bytes packet)
{
    struct kind kind = {0};
    struct ipv4_packet ip;
    struct tcp_segment seg;

    if (ipv4_parse(packet, true, &ip) != DROP_NOT || ip.fragment_offset_bytes > 0)
        return kind;
    kind.is_udp = ip.protocol == IP_PROTOCOL_UDP;
    if (ip.protocol == IP_PROTOCOL_TCP && tcp_parse(ip.payload, &seg) == DROP_NOT) {
        kind.is_syn = (seg.flags & TCP_SYN) != 0;
        kind.is_data = seg.payload.len > 0;
    }
    return kind;
}

/* Is this, the next of its kind, marked in the mask? */
static bool is_marked(uint64_t mask, unsigned *count)
{
    unsigned n = *count;

    if (n < MASK_BITS)
        *count = n + 1;
    return n < MASK_BITS && (mask >> n & 1) != 0;
}

static bool is_ruled_out(struct link *link, struct bytes packet)
{
    const struct link_config *config = &link->config;
    bool is_out = config->blackhole;

    if (is_marked(config->drop_any_mask, &link->any_count))
        is_out = true;
    if ((config->drop_syn_mask | config->drop_data_mask | config->drop_udp_mask) == 0)
        return is_out;
    struct kind kind = kind_of(packet);
    if (kind.is_syn && is_marked(config->drop_syn_mask, &link->syn_count))
        is_out = true;
    if (kind.is_data && is_marked(config->drop_data_mask, &link->data_count))
        is_out = true;
    if (kind.is_udp && is_marked(config->drop_udp_mask, &link->udp_count))
        is_out = true;
    return is_out;
}

/* Wait behind what is already queued. A packet that meets an idle sender always passes, so that a
 * queue smaller than a packet is not a blackhole. *left_us: when its last bit has left. */
static bool pass_queue(struct link *link, size_t len, uint64_t now_us, uint64_t *left_us)
{
    uint64_t now_ns = now_us * 1000;

    *left_us = now_us;
    if (link->config.rate_bits_per_s == 0)
        return true;
    uint64_t send_ns = len * 8000000000ull / link->config.rate_bits_per_s;
    if (link->busy_until_ns <= now_ns)
        link->busy_until_ns = now_ns;
    else if (link->busy_until_ns - now_ns + send_ns > link->queue_ns)
        return false;
    link->busy_until_ns += send_ns;
    *left_us = (link->busy_until_ns + 999) / 1000;
    return true;
}

static bool is_lost(struct link *link, uint64_t now_us)
{
    if (link->in_burst && now_us > link->burst_packet_us + BURST_PAUSE_US)
        link->in_burst = false;
    if (!link->in_burst)
        link->in_burst = chance(link, link->config.burst_enter);
    bool lost_in_burst = link->in_burst;
    link->burst_packet_us = now_us;
    if (link->in_burst && chance(link, link->config.burst_leave))
        link->in_burst = false;
    return chance(link, link->config.loss) || lost_in_burst;
}

static uint64_t arrival_us(struct link *link, uint64_t left_us)
{
    uint64_t at_us = left_us + link->config.delay_us;

    if (link->config.jitter_us > 0)
        at_us += link_random(&link->random_state) % (link->config.jitter_us + 1);
    if (chance(link, link->config.reorder)) {
        link->counters.reordered++;
        return at_us + link->config.reorder_us; /* and nobody waits for it */
    }
    if (at_us < link->last_at_us)
        at_us = link->last_at_us;
    link->last_at_us = at_us;
    return at_us;
}

static void flip_one_bit(struct link *link, struct entry *entry)
{
    uint64_t bit = link_random(&link->random_state) % (entry->len * 8);

    entry->data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    entry->checksum_ok = false;
    link->counters.corrupted++;
}

static void deliver_later(struct link *link, const struct link_packet *packet, uint64_t left_us)
{
    struct entry entry = {
        .at_us = arrival_us(link, left_us),
        .order = link->order_count++,
        .len = packet->bytes.len,
        .checksum_ok = packet->checksum_ok,
        .segment_bytes = packet->segment_bytes,
    };

    entry.data = malloc(entry.len > 0 ? entry.len : 1);
    if (entry.data == NULL) {
        link->counters.queue_full++;
        return;
    }
    if (entry.len > 0)
        memcpy(entry.data, packet->bytes.data, entry.len);
    if (entry.len > 0 && chance(link, link->config.corrupt))
        flip_one_bit(link, &entry);
    if (!heap_push(link, entry)) {
        link->counters.queue_full++;
        free(entry.data);
    }
}

/* ---- the packets under way: a binary heap ---- */

static size_t cost_of(const struct entry *entry)
{
    return entry->len + sizeof *entry;
}

static bool is_earlier(const struct entry *a, const struct entry *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static bool heap_has_room(struct link *link)
{
    if (link->heap_count < link->heap_room)
        return true;
    size_t room = link->heap_room > 0 ? 2 * link->heap_room : 16;
    struct entry *heap = realloc(link->heap, room * sizeof *heap);
    if (heap == NULL)
        return false;
    link->heap = heap;
    link->heap_room = room;
    return true;
}

static bool heap_push(struct link *link, struct entry entry)
{
    if (link->under_way_bytes + cost_of(&entry) > UNDER_WAY_MAX_BYTES || !heap_has_room(link))
        return false;
    link->under_way_bytes += cost_of(&entry);
    size_t i = link->heap_count++;
    while (i > 0 && is_earlier(&entry, &link->heap[(i - 1) / 2])) {
        link->heap[i] = link->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    link->heap[i] = entry;
    return true;
}

static struct entry heap_pop(struct link *link)
{
    struct entry *heap = link->heap;
    struct entry top = heap[0];
    struct entry last = heap[--link->heap_count];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= link->heap_count)
            break;
        if (child + 1 < link->heap_count && is_earlier(&heap[child + 1], &heap[child]))
            child++;
        if (!is_earlier(&heap[child], &last))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    link->under_way_bytes -= cost_of(&top);
    return top;
}

/* ---- the description in words ---- */

enum word_type { WORD_TIME, WORD_PERCENT, WORD_RATE, WORD_SIZE, WORD_LIST, WORD_FLAG };

/* One word of the language: its type and the field of struct link_config that it sets. */
struct word {
    const char *name;
    enum word_type type;
    size_t field; /* its offset */
};

static const struct word words[] = {
    {"delay", WORD_TIME, offsetof(struct link_config, delay_us)},
    {"jitter", WORD_TIME, offsetof(struct link_config, jitter_us)},
    {"rate", WORD_RATE, offsetof(struct link_config, rate_bits_per_s)},
    {"queue", WORD_SIZE, offsetof(struct link_config, queue_bytes)},
    {"loss", WORD_PERCENT, offsetof(struct link_config, loss)},
    {"burst", WORD_PERCENT, offsetof(struct link_config, burst_enter)},
    {"burst-end", WORD_PERCENT, offsetof(struct link_config, burst_leave)},
    {"reorder", WORD_PERCENT, offsetof(struct link_config, reorder)},
    {"reorder-by", WORD_TIME, offsetof(struct link_config, reorder_us)},
    {"duplicate", WORD_PERCENT, offsetof(struct link_config, duplicate)},
    {"corrupt", WORD_PERCENT, offsetof(struct link_config, corrupt)},
    {"drop-syn", WORD_LIST, offsetof(struct link_config, drop_syn_mask)},
    {"drop-data", WORD_LIST, offsetof(struct link_config, drop_data_mask)},
    {"drop-udp", WORD_LIST, offsetof(struct link_config, drop_udp_mask)},
    {"drop-any", WORD_LIST, offsetof(struct link_config, drop_any_mask)},
    {"blackhole", WORD_FLAG, offsetof(struct link_config, blackhole)},
};

struct unit {
    const char *name;
    double factor;
};

/* From the largest down: link_config_format() takes the first that divides. */
static const struct unit time_units[] = {{"s", 1e6}, {"ms", 1e3}, {"us", 1}, {NULL, 0}};
static const struct unit rate_units[] = {
    {"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}, {NULL, 0}};
static const struct unit size_units[] = {{"mb", 1048576}, {"kb", 1024}, {"b", 1}, {NULL, 0}};
static const struct unit percent_units[] = {{"%", 0.01}, {NULL, 0}};

/* What a value looks like, by enum word_type. */
static const struct {
    const struct unit *units;
    double min, max; /* in units of the field */
    const char *expected;
} values[] = {
    [WORD_TIME] = {time_units, 0, 3600e6, "a time up to an hour such as 50ms (us, ms, s)"},
    [WORD_PERCENT] = {percent_units, 0, 1, "a percentage from 0% to 100%"},
    [WORD_RATE] = {rate_units, 1, 1e12,
                   "a rate from 1bit to 1000gbit such as 10mbit (bit, kbit, "
                   "mbit, gbit per second)"},
    [WORD_SIZE] = {size_units, 1, QUEUE_MAX_BYTES, "a size up to 64mb such as 64kb (b, kb, mb)"},
    [WORD_LIST] = {NULL, 0, 0, "packet numbers from 1 to 64 such as 1 or 3,4 or 2-5"},
    [WORD_FLAG] = {NULL, 0, 0, ""},
};

/* The next run of characters that are no blanks, cut to WORD_BYTES; false at the end. */
static bool next_word(const char **text, char word[static WORD_BYTES])
{
    static const char blanks[] = " \t\r\n";
    const char *start = *text + strspn(*text, blanks);
    size_t len = strcspn(start, blanks);

    *text = start + len;
    if (len == 0)
        return false;
    if (len > WORD_BYTES - 1)
        len = WORD_BYTES - 1;
    memcpy(word, start, len);
    word[len] = '\0';
    return true;
}

/* Decimal digits with at most one point, nothing else: strtod() would take "nan", "0x1p3" and the
 * decimal comma of a locale. */
static bool parse_number(const char **at, double *number)
{
    double value = 0, scale = 1;
    bool has_digit = false;

    for (; **at >= '0' && **at <= '9'; (*at)++, has_digit = true)
        value = value * 10 + (**at - '0');
    if (**at == '.') {
        for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, has_digit = true)
            value += (**at - '0') * (scale /= 10);
    }
    *number = value;
    return has_digit;
}

static bool parse_quantity(const char *text, enum word_type type, double *quantity)
{
    double number;

    if (!parse_number(&text, &number))
        return false;
    for (const struct unit *unit = values[type].units; unit->name != NULL; unit++) {
        if (strcmp(text, unit->name) == 0) {
            *quantity = number * unit->factor;
            return *quantity >= values[type].min && *quantity <= values[type].max;
        }
    }
    return false;
}

static bool parse_packet_number(const char **at, unsigned *number)
{
    unsigned value = 0;

    for (; **at >= '0' && **at <= '9' && value <= MASK_BITS; (*at)++)
        value = value * 10 + (unsigned)(**at - '0');
    *number = value;
    return value >= 1 && value <= MASK_BITS;
}

/* "1", "3,4", "2-5,7": bit n-1 for packet n. */
static bool parse_list(const char *text, uint64_t *mask)
{
    for (;;) {
        unsigned first, last;
        if (!parse_packet_number(&text, &first))
            return false;
        last = first;
        if (*text == '-') {
            text++;
            if (!parse_packet_number(&text, &last) || last < first)
                return false;
        }
        for (unsigned n = first; n <= last; n++)
            *mask |= 1ull << (n - 1);
        if (*text == '\0')
            return true;
        if (*text++ != ',')
            return false;
    }
}

static bool set_field(const struct word *word, const char *value, struct link_config *config)
{
    char *field = (char *)config + word->field;
    double quantity = 0;

    switch (word->type) {
    case WORD_FLAG:
        *(bool *)(void *)field = true;
        return true;
    case WORD_LIST:
        return parse_list(value, (uint64_t *)(void *)field);
    case WORD_PERCENT:
        if (!parse_quantity(value, word->type, &quantity))
            return false;
        *(double *)(void *)field = quantity;
        return true;
    case WORD_SIZE:
        if (!parse_quantity(value, word->type, &quantity))
            return false;
        *(size_t *)(void *)field = (size_t)(quantity + 0.5);
        return true;
    case WORD_TIME:
    case WORD_RATE:
        if (!parse_quantity(value, word->type, &quantity))
            return false;
        *(uint64_t *)(void *)field = (uint64_t)(quantity + 0.5);
        return true;
    }
    return false;
}

static const struct word *find_word(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(words); i++)
        if (strcmp(words[i].name, name) == 0)
            return &words[i];
    return NULL;
}

/* Text that is appended to, never past its room. */
struct text {
    char *start;
    size_t room, len;
};

static void append(struct text *text, const char *more)
{
    for (; *more != '\0' && text->len + 1 < text->room; more++)
        text->start[text->len++] = *more;
    if (text->room > 0)
        text->start[text->len] = '\0';
}

static void explain_unknown(const char *name, char *error, size_t room)
{
    struct text text = {error, room, 0};

    append(&text, "\"");
    append(&text, name);
    append(&text, "\" is no property of a link: expected ");
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        append(&text, i == 0 ? "" : i + 1 < ARRAY_COUNT(words) ? ", " : " or ");
        append(&text, words[i].name);
    }
}

bool link_config_parse(const char *text, struct link_config *config, char *error, size_t room)
{
    struct link_config parsed = *config;
    char name[WORD_BYTES], value[WORD_BYTES] = "";

    while (next_word(&text, name)) {
        const struct word *word = find_word(name);
        if (word == NULL) {
            explain_unknown(name, error, room);
            return false;
        }
        if (word->type != WORD_FLAG && !next_word(&text, value)) {
            snprintf(error, room, "%s: a value is missing: expected %s", name,
                     values[word->type].expected);
            return false;
        }
        if (!set_field(word, value, &parsed)) {
            snprintf(error, room, "%s: \"%s\" is not valid: expected %s", name, value,
                     values[word->type].expected);
            return false;
        }
    }
    *config = parsed;
    return true;
}

/* ---- and back ---- */

static void append_quantity(struct text *text, double quantity, const struct unit *unit)
{
    char number[48];

    while (unit[1].name != NULL &&
           quantity / unit->factor != (double)(uint64_t)(quantity / unit->factor))
        unit++;
    snprintf(number, sizeof number, "%.12g%s", quantity / unit->factor, unit->name);
    append(text, number);
}

static void append_list(struct text *text, uint64_t mask)
{
    const char *between = "";

    for (unsigned n = 0; n < MASK_BITS; n++) {
        if ((mask >> n & 1) == 0)
            continue;
        unsigned last = n;
        while (last + 1 < MASK_BITS && (mask >> (last + 1) & 1) != 0)
            last++;
        char range[32];
        if (last > n)
            snprintf(range, sizeof range, "%s%u-%u", between, n + 1, last + 1);
        else
            snprintf(range, sizeof range, "%s%u", between, n + 1);
        append(text, range);
        between = ",";
        n = last;
    }
}

static void append_value(struct text *text, const struct word *word, const void *field)
{
    switch (word->type) {
    case WORD_FLAG:
        return;
    case WORD_LIST:
        append_list(text, *(const uint64_t *)field);
        return;
    case WORD_PERCENT:
        append_quantity(text, *(const double *)field, percent_units);
        return;
    case WORD_SIZE:
        append_quantity(text, (double)*(const size_t *)field, size_units);
        return;
    case WORD_TIME:
        append_quantity(text, (double)*(const uint64_t *)field, time_units);
        return;
    case WORD_RATE:
        append_quantity(text, (double)*(const uint64_t *)field, rate_units);
        return;
    }
}

static bool is_set(const struct word *word, const void *field)
{
    switch (word->type) {
    case WORD_FLAG:
        return *(const bool *)field;
    case WORD_PERCENT:
        return *(const double *)field > 0;
    case WORD_SIZE:
        return *(const size_t *)field > 0;
    case WORD_LIST:
    case WORD_TIME:
    case WORD_RATE:
        return *(const uint64_t *)field > 0;
    }
    return false;
}

const char *link_config_format(const struct link_config *config, char *text, size_t room)
{
    struct text out = {text, room, 0};

    append(&out, "");
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        const void *field = (const char *)config + words[i].field;
        if (!is_set(&words[i], field))
            continue;
        append(&out, out.len > 0 ? " " : "");
        append(&out, words[i].name);
        if (words[i].type == WORD_FLAG)
            continue;
        append(&out, " ");
        append_value(&out, &words[i], field);
    }
    return text;
}
