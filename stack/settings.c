/* The table of settings, and the search for a row by a name, right or nearly so; see settings.h.
 * What is done with the value of a row is in settings_value.c.
 *
 * A row says where its field lies and how large it is, so reading and writing need no code per
 * field: a new field costs one row. */
#include "settings.h"

#include <string.h>

static const char *const off_on[] = {"off", "on", NULL};
static const char *const syn_styles[] = {"macos", "linux", NULL};
static const char *const ecn_modes[] = {"off", "on", "accept", NULL};
static const char *const loss_detections[] = {"rack", "rfc6675", "newreno", NULL};
static const char *const pacings[] = {"off", "on", "auto", NULL};
static const char *const syn_cookie_modes[] = {"off", "auto", "always", NULL};
static const char *const congestions[] = {"reno", "cubic", "bbr", NULL};

#define MS(n)   ((n)*1000ull)
#define S(n)    MS((n)*1000ull)
#define LONG_US (UINT64_MAX / 4) /* a deadline so far away does not overflow */
#define MANY    1000000000

/* A field by its path in struct stack_config, and what its value may be. */
#define FIELD(path)                                \
    .offset = offsetof(struct stack_config, path), \
    .size = sizeof(((struct stack_config *)NULL)->path)
#define STACK(field)    .name = #field, FIELD(field)
#define TCP(field)      .name = #field, FIELD(tcp.field), .of_tcp = true
#define RANGE(from, to) .low = (from), .high = (to)
#define SWITCH          .high = 1, .word = off_on
#define LIVE            .is_live = true

static const struct setting table[] = {
    /* what a SYN offers */
    {TCP(timestamps), SWITCH, .help = "offer timestamps (RFC 7323)"},
    {TCP(window_scaling), SWITCH, .help = "offer window scaling (RFC 7323)"},
    {TCP(sack), SWITCH, .help = "offer selective acknowledgments (RFC 2018)"},
    {TCP(dsack), SWITCH, LIVE, .help = "report text that arrives twice (RFC 2883)"},
    {TCP(ecn), RANGE(0, 2), .word = ecn_modes,
     .help = "congestion notification: never, offer it, or accept an offer (RFC 3168)"},
    {TCP(accept_source_routes), SWITCH,
     .help = "a listener's connections go back by the source route on which they came"},
    {TCP(syn_style), RANGE(0, 1), .word = syn_styles, .help = "order of the options of our SYN"},
    {TCP(mss_clamp_bytes), RANGE(48, 65495), .zero_is_special = true,
     .help = "announce and send no larger segments; 0: what the MTU allows"},
    {TCP(syn_wnd), RANGE(0, UINT16_MAX), .help = "window in our SYN; 0: chosen by the stack"},
    /* sending */
    {TCP(nagle), SWITCH, LIVE,
     .help = "hold short segments while others are in flight (off: TCP_NODELAY)"},
    {TCP(cork), SWITCH, LIVE, .help = "hold back what does not fill a segment (TCP_CORK)"},
    {TCP(cork_limit_us), RANGE(MS(1), S(1)), LIVE,
     .help = "how long cork may hold it back (MUST-60)"},
    {TCP(send_buffer_bytes), RANGE(536, 1 << 30), LIVE,
     .help = "bytes accepted ahead of the acknowledgments, at first (SO_SNDBUF)"},
    {TCP(send_buffer_max_bytes), RANGE(536, 1 << 30), LIVE,
     .help = "what the send buffer may grow to with the congestion window"},
    {TCP(congestion), RANGE(0, sizeof congestions / sizeof congestions[0] - 2), .word = congestions,
     .help = "congestion control (RFC 5681, RFC 9438, draft-ietf-ccwg-bbr)"},
    {TCP(hystart), SWITCH, .help = "slow start ends when the delay grows (HyStart++, RFC 9406)"},
    {TCP(abe), SWITCH, .help = "give way less to a router's mark than to a loss (RFC 8511)"},
    {TCP(pacing), RANGE(0, 2), .word = pacings, LIVE,
     .help = "spread the window over the round trip; auto: for cubic, on paths above 4 ms;"
             " bbr always does"},
    {TCP(window_validation), SWITCH, LIVE,
     .help = "keep the window for 5 minutes when it is not in use (RFC 7661); off: for one RTO"},
    {TCP(burst_max_segments), RANGE(0, MANY), LIVE,
     .help = "segments between two acknowledgments where nothing is paced; 0: no limit"},
    {TCP(initial_window_segments), RANGE(1, 10000), .help = "first congestion window (RFC 6928)"},
    /* repairing losses */
    {TCP(loss_detection), RANGE(0, 2), .word = loss_detections, LIVE,
     .help = "how loss is found: by time, by SACKed bytes, by duplicate ACKs"},
    {TCP(tlp), SWITCH, LIVE, .help = "a probe when the last segments stay unanswered (RFC 8985 7)"},
    {TCP(tlp_max_ack_delay_us), RANGE(0, S(10)), LIVE,
     .help = "a peer may hold back the ACK of a lone segment so long"},
    {TCP(tlp_first_ack_delay_us), RANGE(0, S(10)), LIVE,
     .help = "... and is given so long until it has shown that it does"},
    {TCP(eifel), SWITCH, LIVE, .help = "see spurious retransmissions by timestamps (RFC 3522)"},
    {TCP(dsack_undo), SWITCH, LIVE,
     .help = "see spurious retransmissions by reported duplicates (RFC 3708)"},
    {TCP(frto), SWITCH, LIVE, .help = "see spurious time-outs by the next two ACKs (RFC 5682)"},
    {TCP(prr), SWITCH, LIVE, .help = "spread a reduction over the round trip (RFC 9937)"},
    {TCP(limited_transmit), SWITCH, LIVE,
     .help = "new data for the first duplicate ACKs (RFC 3042)"},
    {TCP(rto_restart), SWITCH, LIVE,
     .help = "a short flight's time-out counts from its transmission (RFC 7765)"},
    /* receiving */
    {TCP(receive_buffer_bytes), RANGE(536, 1 << 30), .help = "window offered at first (SO_RCVBUF)"},
    {TCP(receive_buffer_max_bytes), RANGE(536, 1 << 30), LIVE,
     .help = "what the window may grow to; the scale is made for it"},
    {TCP(delayed_ack_us), RANGE(0, 499999), LIVE,
     .help = "an acknowledgment waits so long for data to ride on (MUST-40); 0: not at all"},
    {TCP(header_prediction), SWITCH, LIVE,
     .help = "a short way for the next segment in order; changes nothing but the time it takes"},
    {TCP(stretch_acks), SWITCH, LIVE,
     .help = "one acknowledgment for all that has come at once; off: for every second segment"},
    /* the path */
    {TCP(path_mtu_min_bytes), RANGE(68, UINT16_MAX), LIVE,
     .help = "a router's claim of a smaller path MTU counts as this"},
    {TCP(path_mtu_raise_us), RANGE(0, LONG_US), LIVE,
     .help = "larger packets are tried so long after a decrease or a search (RFC 1191, RFC 4821); "
             "0: never"},
    {TCP(black_hole_count), RANGE(0, MANY), LIVE,
     .help = "time-outs of a full segment before smaller ones are tried (RFC 4821); 0: never"},
    /* patience */
    {TCP(rto_initial_us), RANGE(MS(1), LONG_US),
     .help = "retransmission time-out before a round trip is measured"},
    {TCP(rto_min_us), RANGE(MS(1), LONG_US), LIVE, .help = "least retransmission time-out"},
    {TCP(rto_max_us), RANGE(MS(1), LONG_US), LIVE, .help = "largest retransmission time-out"},
    {TCP(r1_count), RANGE(0, MANY), LIVE,
     .help = "retransmissions before trouble is reported (R1)"},
    {TCP(r2_us), RANGE(MS(1), LONG_US), LIVE, .never_is_off = true,
     .help = "user timeout: a connection without an answer for so long fails (R2)"},
    {TCP(syn_r2_us), RANGE(MS(1), LONG_US), LIVE, .never_is_off = true,
     .help = "a SYN without an answer for so long fails (MUST-23)"},
    {TCP(syn_ack_r2_us), RANGE(MS(1), LONG_US), LIVE, .never_is_off = true,
     .help = "a SYN,ACK without an answer for so long fails"},
    {TCP(syn_retry_count), RANGE(0, UINT8_MAX), LIVE,
     .help = "retransmissions of a SYN (retries); 255: as many as there is time for"},
    {TCP(syn_ack_retry_count), RANGE(0, UINT8_MAX),
     .help = "retransmissions of a SYN,ACK (retries); 255: as many as there is time for"},
    {TCP(uto), SWITCH, LIVE, .help = "send and heed the user timeout option (RFC 5482)"},
    {TCP(uto_changeable), SWITCH, LIVE, .help = "let the peer's option change our user timeout"},
    {TCP(uto_advertised_us), RANGE(S(1), S(32767 * 60)), LIVE, .zero_is_special = true,
     .help = "user timeout that the option tells the peer (ADV_UTO); 0: r2"},
    {TCP(uto_min_us), RANGE(S(1), S(32767 * 60)), LIVE,
     .help = "least user timeout that the peer's option can set (L_LIMIT)"},
    {TCP(uto_max_us), RANGE(S(1), S(32767 * 60)), LIVE,
     .help = "largest user timeout that the peer's option can set (U_LIMIT)"},
    {TCP(keepalive), SWITCH, LIVE, .help = "probe a peer that has been silent (SO_KEEPALIVE)"},
    {TCP(keepalive_garbage), SWITCH, LIVE,
     .help = "a probe carries one garbage octet, for ancient peers"},
    {TCP(keepalive_idle_us), RANGE(MS(1), LONG_US), LIVE, .help = "silence before a probe"},
    {TCP(keepalive_interval_us), RANGE(MS(1), LONG_US), LIVE,
     .help = "between probes that are not answered"},
    {TCP(keepalive_count), RANGE(2, MANY), LIVE,
     .help = "unanswered probes that end the connection"},
    /* the end */
    {TCP(linger_us), RANGE(0, LONG_US), LIVE, .never_is_off = true,
     .help = "CLOSE gives what is unsent so long, then resets (SO_LINGER); 0: resets at once"},
    {TCP(fin_wait_2_us), RANGE(0, LONG_US), LIVE,
     .help = "a closed connection waits so long for the peer's FIN"},
    {TCP(msl_us), RANGE(0, S(3600)), LIVE, .help = "TIME-WAIT lasts two of them"},
    /* what the segments carry */
    {TCP(tos), RANGE(0, UINT8_MAX), LIVE,
     .help = "Differentiated Services field, the DSCP in its upper 6 bits (IP_TOS)"},
    {TCP(ttl), RANGE(1, UINT8_MAX), LIVE, .help = "time to live of TCP's packets (IP_TTL)"},
    /* the stack */
    {TCP(backlog), RANGE(1, MANY),
     .help = "connections of a listener that nobody has accepted yet"},
    {TCP(syn_cookies), RANGE(0, 2), .word = syn_cookie_modes,
     .help = "answer SYNs without keeping anything: never, when the backlog is full, or all "
             "(RFC 4987)"},
    {STACK(mtu_bytes), RANGE(68, UINT16_MAX),
     .help = "largest IP packet; an application takes the device's unless told otherwise"},
    {STACK(connections_max), RANGE(1, STACK_CONNECTIONS_MAX), .help = "connections of the stack"},
    {STACK(memory_max_bytes), RANGE(1 << 20, LONG_US), .zero_is_special = true,
     .help = "memory of all connections and buffers; 0: no limit"},
    {STACK(challenge_acks_per_s), RANGE(0, MANY), .help = "challenge ACKs a second (RFC 5961)"},
    {STACK(syn_cookies_per_s), RANGE(0, MANY),
     .help = "SYN cookies a second; a SYN beyond is answered when it comes again"},
    {STACK(handshakes_awake_max), RANGE(0, MANY),
     .help = "connections in SYN-RECEIVED, the newest, that are not shrunk to records yet"},
    {STACK(icmp_errors_per_s), RANGE(0, MANY), .help = "ICMP errors that we send a second"},
    {STACK(datagram_queue_max), RANGE(1, MANY), .help = "datagrams that wait in one UDP socket"},
    {STACK(out_queue_max), RANGE(1, MANY), .help = "packets other than TCP's that wait to go out"},
    {STACK(reassembly_max_bytes), RANGE(0, 1 << 30), .help = "fragments held"},
    {STACK(reassembly_timeout_us), RANGE(MS(1), LONG_US),
     .help = "how long a fragment waits for others"},
    {STACK(path_mtu_age_us), RANGE(0, LONG_US),
     .help = "what was learned of a path's MTU holds so long for new connections (RFC 1191)"},
    {.name = "datagram_ttl",
     FIELD(ttl),
     RANGE(1, UINT8_MAX),
     .help = "time to live of UDP's and ICMP's packets"},
    {STACK(ip_id_random), SWITCH,
     .help = "a random Identification in packets that are never fragmented (RFC 6864)"},
};
enum { COUNT = sizeof table / sizeof table[0] };

const struct setting *settings_at(unsigned i)
{
    return i < COUNT ? &table[i] : NULL;
}

/* ---- names */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

bool setting_is_time(const struct setting *setting)
{
    return ends_with(setting->name, "_us");
}

size_t setting_bare_bytes(const char *field)
{
    static const char *const units[] = {"_us", "_bytes", "_count", "_segments"};

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (ends_with(field, units[i]))
            return strlen(field) - strlen(units[i]);
    return strlen(field);
}

bool setting_is_called(const char *field, const char *name, bool *in_seconds)
{
    size_t len = setting_bare_bytes(field);

    *in_seconds = strlen(name) == len && strcmp(field + len, "_us") == 0;
    return strcmp(field, name) == 0 || (strlen(name) == len && strncmp(field, name, len) == 0);
}

const struct setting *settings_find(const char *name, bool *in_seconds)
{
    for (unsigned i = 0; i < COUNT; i++)
        if (setting_is_called(table[i].name, name, in_seconds))
            return &table[i];
    return NULL;
}

/* How many letters must be put in, taken out or replaced to make `b`, of b_len letters, of `a`
 * (Levenshtein). */
static unsigned distance(const char *a, const char *b, size_t b_len)
{
    enum { NAME_MAX_BYTES = 40 };
    unsigned row[NAME_MAX_BYTES + 1];

    if (b_len > NAME_MAX_BYTES)
        return NAME_MAX_BYTES;
    for (unsigned j = 0; j <= b_len; j++)
        row[j] = j;
    for (unsigned i = 1; *a != '\0'; a++, i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned replaced = diagonal + (*a != b[j - 1]);
            unsigned added = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replaced < added ? replaced : added;
        }
    }
    return row[b_len];
}

/* One spelling for what people write in several: user_timeout, "user timeout", TCP_NODELAY. */
static char plain(char letter)
{
    if (letter == '_' || letter == '-')
        return ' ';
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

static bool holds(const char *text, const char *word)
{
    for (; *text != '\0'; text++) {
        size_t len = 0;
        while (word[len] != '\0' && plain(text[len]) == plain(word[len]))
            len++;
        if (word[len] == '\0')
            return true;
    }
    return false;
}

/* Small is close: a part of the name, a slip of the fingers, a word of the explanation. */
enum { NOT_MEANT = 5 };

static unsigned strangeness(const struct setting *setting, const char *name)
{
    size_t len = strlen(name);
    unsigned letters = distance(name, setting->name, setting_bare_bytes(setting->name));

    if (len < 3)
        return letters < len ? letters : NOT_MEANT;
    if (holds(setting->name, name))
        return 1;
    if (holds(setting->help, name))
        return 3;
    return letters <= 4 && 2 * letters <= len ? letters : NOT_MEANT;
}

unsigned settings_nearest(const char *name,
                          const struct setting *nearest[static SETTINGS_NEAREST_MAX])
{
    unsigned count = 0;

    for (unsigned limit = 0; limit < NOT_MEANT; limit++)
        for (unsigned i = 0; i < COUNT && count < SETTINGS_NEAREST_MAX; i++)
            if (strangeness(&table[i], name) == limit)
                nearest[count++] = &table[i];
    return count;
}

/* ---- limits */

void settings_bound(struct tcp_config *config)
{
    for (unsigned i = 0; i < COUNT; i++) {
        const struct setting *setting = &table[i];
        if (!setting->of_tcp)
            continue;
        uint64_t value = setting_load_tcp(setting, config);
        if (!setting_allows(setting, value))
            setting_store_tcp(setting, config, value < setting->low ? setting->low : setting->high);
    }
}
