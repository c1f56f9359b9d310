/* SYN cookies, RFC 4987 3.6 and appendix A. A flood of SYNs from addresses that do not answer fills
 * the backlog with connections that will never be; the next honest SYN would be dropped. Instead it
 * is answered without anything being kept. The answer's numbers hold what must not be forgotten:
 *
 *     ISS:              | keyed hash of four-tuple, IRS and the rest (28) | time (1) | MSS (3) |
 *     TSval's last six: | ECN (1) | SACK (1) | window scale (4; 15: none) |
 *
 * and the ACK of the handshake brings both back, as SEG.ACK - 1 and TSecr. Nobody can make up such
 * an ACK without having seen the SYN,ACK: a guess is right once in 2^28 times. The time counts
 * units of 67 s, of which this one and the last are accepted: a cookie is good for one to two.
 *
 * What it costs, and why it is done only when the backlog is full:
 * - the MSS is rounded down to one of eight;
 * - without timestamps on the SYN nothing says what is in TSval: no window scale, no SACK, no ECN;
 * - the SYN,ACK is not sent again when it is lost (the peer's SYN comes again);
 * - the user time-out option of the SYN (RFC 5482) is forgotten;
 * - an ACK that is lost is replaced only by a segment that begins at the same number: the first
 *   data. Data that overtakes it is answered by a RST, for nothing tells it from a stranger's.
 *
 * RFC 6528's demand, numbers that grow from one incarnation to the next, is not met by a hash; the
 * time of a cookie is too short for the old one's segments to matter where TIME-WAIT is kept. */
#include "syncookie.h"

#include "seq.h"

enum {
    COUNT_SHIFT = 26, /* microseconds to units of 67 s */
    COUNTS_VALID = 2,
    MSS_BITS = 3,
    TIME_BITS = 1,
    HASH_SHIFT = MSS_BITS + TIME_BITS,
    TSVAL_BITS = 6,
    TSVAL_MASK = (1 << TSVAL_BITS) - 1,
    TSVAL_SACK = 1 << 4,
    TSVAL_ECN = 1 << 5,
    NO_WINDOW_SCALE = 15,
    MSS_DEFAULT = 536, /* MUST-15 */
};

/* The common links, each with and without one encapsulation, and the largest packets of all. */
static const uint16_t mss_of[1 << MSS_BITS] = {48, 536, 1220, 1380, 1440, 1460, 8960, 65495};

static unsigned mss_index(uint16_t mss)
{
    unsigned i = sizeof mss_of / sizeof mss_of[0] - 1;

    while (i > 0 && mss_of[i] > mss)
        i--;
    return i;
}

static uint64_t count_at(uint64_t now_us)
{
    return now_us >> COUNT_SHIFT;
}

static uint32_t cookie_of(const struct stack *stack, const struct flow_id *id, uint32_t irs,
                          uint64_t count, unsigned index)
{
    struct {
        uint64_t count;
        struct ip_addr local, remote;
        uint16_t local_port, remote_port;
        uint32_t irs;
        uint64_t index;
    } input = {count, id->local, id->remote, id->local_port, id->remote_port, irs, index};
    uint32_t hash = (uint32_t)siphash(&stack->tcp.isn.cookie_key, &input, sizeof input);

    return hash << HASH_SHIFT | (uint32_t)(count & ((1 << TIME_BITS) - 1)) << MSS_BITS | index;
}

/* ---- the answer */

struct tcp_segment syncookie_reduced(const struct tcp_config *config, const struct tcp_segment *syn)
{
    struct tcp_segment reduced = {.seq = syn->seq,
                                  .flags = TCP_SYN,
                                  .wnd = syn->wnd,
                                  .tos = syn->tos,
                                  .ip_options = syn->ip_options};

    reduced.options.has_mss = true;
    reduced.options.mss = mss_of[mss_index(syn->options.has_mss ? syn->options.mss : MSS_DEFAULT)];
    if (!config->timestamps || !syn->options.has_timestamps)
        return reduced;
    reduced.flags = syn->flags & (TCP_SYN | TCP_ECE | TCP_CWR);
    reduced.options.has_timestamps = true;
    reduced.options.tsval = syn->options.tsval;
    reduced.options.sack_permitted = syn->options.sack_permitted;
    reduced.options.has_window_scale = syn->options.has_window_scale;
    reduced.options.window_scale = syn->options.window_scale < NO_WINDOW_SCALE
                                       ? syn->options.window_scale
                                       : NO_WINDOW_SCALE - 1;
    return reduced;
}

uint32_t syncookie_iss(const struct stack *stack, const struct flow_id *id,
                       const struct tcp_segment *reduced)
{
    return cookie_of(stack, id, reduced->seq, count_at(stack->now_us),
                     mss_index(reduced->options.mss));
}

uint32_t syncookie_tsval(uint32_t tsval, const struct tcp_segment *reduced)
{
    const struct tcp_options *options = &reduced->options;
    uint32_t bits = options->has_window_scale ? options->window_scale : NO_WINDOW_SCALE;

    if (options->sack_permitted)
        bits |= TSVAL_SACK;
    if ((reduced->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR))
        bits |= TSVAL_ECN;
    uint32_t said = (tsval & ~(uint32_t)TSVAL_MASK) | bits;
    return seq_gt(said, tsval) ? said - (TSVAL_MASK + 1) : said; /* the clock never runs back */
}

/* ---- the acknowledgment */

static void take_timestamp_bits(const struct tcp_options *options, struct tcp_segment *syn)
{
    uint32_t bits = options->tsecr & TSVAL_MASK;

    syn->options.has_timestamps = true;
    syn->options.tsval = options->tsval;
    syn->options.window_scale = bits & NO_WINDOW_SCALE;
    syn->options.has_window_scale = syn->options.window_scale != NO_WINDOW_SCALE;
    syn->options.sack_permitted = (bits & TSVAL_SACK) != 0;
    if (bits & TSVAL_ECN)
        syn->flags |= TCP_ECE | TCP_CWR;
}

bool syncookie_check(const struct stack *stack, const struct flow_id *id,
                     const struct tcp_segment *seg, struct tcp_segment *syn)
{
    uint32_t cookie = seg->ack - 1, irs = seg->seq - 1;
    unsigned index = cookie & ((1 << MSS_BITS) - 1);
    uint64_t count = count_at(stack->now_us);

    if ((cookie >> MSS_BITS & 1) != (count & 1)) /* the last one's, then */
        count--;
    if (cookie != cookie_of(stack, id, irs, count, index))
        return false;
    *syn = (struct tcp_segment){.seq = irs,
                                .flags = TCP_SYN,
                                .wnd = seg->wnd,
                                .tos = seg->tos,
                                .ip_options = seg->ip_options};
    syn->options.has_mss = true;
    syn->options.mss = mss_of[index];
    if (seg->options.has_timestamps)
        take_timestamp_bits(&seg->options, syn);
    return true;
}

bool syncookie_is_awaited(const struct tcb *listener)
{
    const uint64_t valid_us = (uint64_t)COUNTS_VALID << COUNT_SHIFT;

    return listener->work->cookie_sent_us != NEVER &&
           listener->config->syn_cookies != TCP_SYN_COOKIES_OFF &&
           listener->stack->now_us - listener->work->cookie_sent_us < valid_us;
}
