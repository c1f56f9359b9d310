/* TCP options, see tcp_options.h. Reading tolerates any order and any alignment (MUST-64) and skips
 * what it does not know; writing follows one of two layouts, byte for byte those of macOS and of
 * Linux. */
#include "tcp_options.h"

enum {
    MSS_BYTES = 4,
    WINDOW_SCALE_BYTES = 3,
    SACK_PERMITTED_BYTES = 2,
    TIMESTAMPS_BYTES = 10,
    SACK_BLOCK_BYTES = 8,
};

/* ---- reading */

static void parse_sack(struct reader *r, struct tcp_options *parsed)
{
    while (r->left >= SACK_BLOCK_BYTES && parsed->sack_count < TCP_SACK_BLOCKS_MAX) {
        struct tcp_sack_block *block = &parsed->sack[parsed->sack_count++];
        block->left = read_u32(r);
        block->right = read_u32(r);
    }
}

/* One option without its kind and length. One of ours with a wrong length is as good as unknown. */
static void parse_option(uint8_t kind, struct bytes body, struct tcp_options *parsed)
{
    struct reader r = reader_of(body);
    size_t option_bytes = body.len + 2;

    if (kind == TCP_OPTION_MSS && option_bytes == MSS_BYTES) {
        parsed->has_mss = true;
        parsed->mss = read_u16(&r);
    } else if (kind == TCP_OPTION_WINDOW_SCALE && option_bytes == WINDOW_SCALE_BYTES) {
        parsed->has_window_scale = true;
        parsed->window_scale = read_u8(&r);
    } else if (kind == TCP_OPTION_SACK_PERMITTED && option_bytes == SACK_PERMITTED_BYTES) {
        parsed->sack_permitted = true;
    } else if (kind == TCP_OPTION_TIMESTAMPS && option_bytes == TIMESTAMPS_BYTES) {
        parsed->has_timestamps = true;
        parsed->tsval = read_u32(&r);
        parsed->tsecr = read_u32(&r);
    } else if (kind == TCP_OPTION_USER_TIMEOUT && option_bytes == TCP_OPTION_USER_TIMEOUT_BYTES) {
        uint16_t field = read_u16(&r);
        parsed->user_timeout = tcp_user_timeout_s(field) == 0 ? 0 : field;
    } else if (kind == TCP_OPTION_SACK && body.len % SACK_BLOCK_BYTES == 0) {
        parsed->sack_count = 0;
        parse_sack(&r, parsed);
    }
}

/* What nearly every segment has, in both directions: NOP NOP timestamps, as RFC 7323 appendix A
 * recommends. (Written at once a segment sent takes 3 % fewer instructions.) */
static const uint32_t TIMESTAMPS_ALONE = 0x0101080a;
enum { TIMESTAMPS_ALONE_BYTES = 12 };

static bool is_timestamps_alone(struct bytes options, struct tcp_options *parsed)
{
    struct reader r = reader_of(options);

    if (options.len != TIMESTAMPS_ALONE_BYTES || read_u32(&r) != TIMESTAMPS_ALONE)
        return false;
    parsed->has_timestamps = true;
    parsed->tsval = read_u32(&r);
    parsed->tsecr = read_u32(&r);
    return true;
}

/* EOL, NOP and MSS are what everybody has to know (MUST-4). Options are read in every segment
 * (MUST-5); what they mean there is for TCP to say. */
enum drop tcp_options_parse(struct bytes options, struct tcp_options *parsed)
{
    struct reader r = reader_of(options);

    *parsed = (struct tcp_options){0};
    if (is_timestamps_alone(options, parsed))
        return DROP_NOT;
    while (r.left > 0) {
        uint8_t kind = read_u8(&r);
        if (kind == TCP_OPTION_EOL) /* what follows is padding: MUST-69 is the sender's duty */
            break;
        if (kind == TCP_OPTION_NOP)
            continue;
        uint8_t length = read_u8(&r); /* MUST-68 */
        if (length < 2)
            return DROP_TCP_OPTION_LENGTH; /* MUST-7 */
        struct bytes body = read_bytes(&r, length - 2u);
        if (r.overrun)
            return DROP_TCP_OPTION_LENGTH;
        parse_option(kind, body, parsed);
    }
    return DROP_NOT;
}

/* ---- writing */

static void put_nops(struct writer *w, int count)
{
    while (count-- > 0)
        write_u8(w, TCP_OPTION_NOP);
}

static void put_mss(struct writer *w, const struct tcp_options *options)
{
    if (!options->has_mss)
        return;
    write_u8(w, TCP_OPTION_MSS);
    write_u8(w, MSS_BYTES);
    write_u16(w, options->mss);
}

static void put_window_scale(struct writer *w, const struct tcp_options *options)
{
    if (!options->has_window_scale)
        return;
    put_nops(w, 1);
    write_u8(w, TCP_OPTION_WINDOW_SCALE);
    write_u8(w, WINDOW_SCALE_BYTES);
    write_u8(w, options->window_scale);
}

static void put_timestamps(struct writer *w, const struct tcp_options *options)
{
    write_u8(w, TCP_OPTION_TIMESTAMPS);
    write_u8(w, TIMESTAMPS_BYTES);
    write_u32(w, options->tsval);
    write_u32(w, options->tsecr);
}

static void put_user_timeout(struct writer *w, const struct tcp_options *options)
{
    if (options->user_timeout == 0)
        return;
    write_u8(w, TCP_OPTION_USER_TIMEOUT);
    write_u8(w, TCP_OPTION_USER_TIMEOUT_BYTES);
    write_u16(w, options->user_timeout);
}

static void put_sack_permitted(struct writer *w)
{
    write_u8(w, TCP_OPTION_SACK_PERMITTED);
    write_u8(w, SACK_PERMITTED_BYTES);
}

static void put_sack(struct writer *w, const struct tcp_options *options)
{
    size_t room = w->left < 4 ? 0 : (w->left - 4) / SACK_BLOCK_BYTES;
    size_t count = options->sack_count < room ? options->sack_count : room;

    if (count == 0)
        return;
    put_nops(w, 2);
    write_u8(w, TCP_OPTION_SACK);
    write_u8(w, (uint8_t)(2 + count * SACK_BLOCK_BYTES));
    for (size_t i = 0; i < count; i++) {
        write_u32(w, options->sack[i].left);
        write_u32(w, options->sack[i].right);
    }
}

/* MSS NOP WS NOP NOP TS SACK_PERM EOL. */
static void put_macos_syn(struct writer *w, const struct tcp_options *options)
{
    put_mss(w, options);
    put_window_scale(w, options);
    if (options->has_timestamps) {
        put_nops(w, 2);
        put_timestamps(w, options);
    }
    if (options->sack_permitted)
        put_sack_permitted(w);
}

/* MSS SACK_PERM TS NOP WS: SACK_PERM takes the place of the two NOPs before the timestamps. */
static void put_linux_syn(struct writer *w, const struct tcp_options *options)
{
    put_mss(w, options);
    if (options->sack_permitted && !options->has_timestamps)
        put_nops(w, 2);
    if (options->sack_permitted)
        put_sack_permitted(w);
    if (options->has_timestamps) {
        if (!options->sack_permitted)
            put_nops(w, 2);
        put_timestamps(w, options);
    }
    put_window_scale(w, options);
}

static size_t put_timestamps_alone(const struct tcp_options *options,
                                   uint8_t bytes[static TCP_OPTIONS_MAX_BYTES])
{
    struct writer w = writer_of(bytes, TIMESTAMPS_ALONE_BYTES);

    write_u32(&w, TIMESTAMPS_ALONE);
    write_u32(&w, options->tsval);
    write_u32(&w, options->tsecr);
    return TIMESTAMPS_ALONE_BYTES;
}

size_t tcp_options_emit(const struct tcp_options *options, enum tcp_syn_style style,
                        uint8_t bytes[static TCP_OPTIONS_MAX_BYTES])
{
    bool is_syn = options->has_mss || options->has_window_scale || options->sack_permitted;
    bool has_more = options->user_timeout != 0 || options->sack_count > 0;
    struct writer w = writer_of(bytes, TCP_OPTIONS_MAX_BYTES);

    if (options->has_timestamps && !is_syn && !has_more)
        return put_timestamps_alone(options, bytes);
    if (is_syn && style == TCP_SYN_STYLE_MACOS) {
        put_macos_syn(&w, options);
    } else if (is_syn) {
        put_linux_syn(&w, options);
    } else if (options->has_timestamps) {
        put_nops(&w, 2);
        put_timestamps(&w, options);
    }
    put_user_timeout(&w, options);
    put_sack(&w, options);
    while ((TCP_OPTIONS_MAX_BYTES - w.left) % 4 != 0)
        write_u8(&w,
                 TCP_OPTION_EOL); /* the first ends the list, the rest is zero padding: MUST-69 */
    return TCP_OPTIONS_MAX_BYTES - w.left;
}

size_t tcp_options_bytes(const struct tcp_options *options, enum tcp_syn_style style)
{
    uint8_t bytes[TCP_OPTIONS_MAX_BYTES];

    return tcp_options_emit(options, style, bytes);
}

/* ---- the user time-out, RFC 5482 (3.3) */

enum { IN_MINUTES = 0x8000, USER_TIMEOUT_MAX = 0x7fff, MINUTE_S = 60 };

uint64_t tcp_user_timeout_s(uint16_t field)
{
    return (uint64_t)(field & USER_TIMEOUT_MAX) * (field & IN_MINUTES ? MINUTE_S : 1);
}

uint16_t tcp_user_timeout_field(uint64_t seconds)
{
    uint64_t minutes = seconds / MINUTE_S + (seconds % MINUTE_S != 0);

    if (seconds <= USER_TIMEOUT_MAX)
        return seconds == 0 ? 1 : (uint16_t)seconds;
    return (uint16_t)(IN_MINUTES | (minutes < USER_TIMEOUT_MAX ? minutes : USER_TIMEOUT_MAX));
}
