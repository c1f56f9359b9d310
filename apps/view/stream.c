/* From segments to the bytes an application dissector reads. Bytes reach it in order and once: what
 * comes again is cut off, what comes behind a hole is remembered as a range when the message is
 * known to run past it (the bytes themselves are not needed: http_expects()), and otherwise reading
 * starts afresh behind the hole. Wireshark 4.0 does the same in its default configuration, in which
 * it does not wait for out-of-order segments; it does not look into a segment that it holds to be a
 * retransmission. */
#include <string.h>

#include "dissector.h"

#include "../../stack/wire/dns_message.h"

static bool is_looked_into(const struct direction *dir, const struct tcp_view *seg,
                           const struct findings *findings);
static bool is_before(uint32_t a, uint32_t b);
static unsigned give(struct conversation *c, unsigned side, bool is_http, struct bytes bytes,
                     struct dissection *row);
static unsigned take_segment(struct conversation *c, unsigned side, bool is_http,
                             const struct tcp_view *seg, const struct findings *findings,
                             struct dissection *row);
static void note_end(struct stream_view *stream, uint32_t end);
static bool overlaps_ended(const struct stream_view *stream, uint32_t seq);
static void start_at(struct direction *dir, uint32_t seq);
static bool take_beyond(struct direction *dir, uint32_t start, uint32_t end);
static unsigned give_beyond(struct conversation *c, unsigned side, struct dissection *row);

unsigned dissect_stream(struct conversation *conversation, unsigned side,
                        const struct tcp_view *seg, const struct findings *findings,
                        struct dissection *row)
{
    bool is_http = http_is_port(seg->src_port) || http_is_port(seg->dst_port);
    bool is_dns = seg->src_port == DNS_PORT || seg->dst_port == DNS_PORT;
    unsigned result = 0;

    if ((!is_http && !is_dns) || (seg->flags & TCP_RST) != 0)
        return 0;
    if (seg->payload.len > 0 && is_looked_into(&conversation->direction[side], seg, findings))
        result = take_segment(conversation, side, is_http, seg, findings, row);
    if ((findings->flags & FOUND_NOT_ADVANCING) != 0) {
        info_clear(row);
        return (result & STREAM_MESSAGE) != 0 ? 0 : result;
    }
    if (is_http && (seg->flags & TCP_FIN) != 0) {
        unsigned at_end = http_end(conversation, side, row);

        if (at_end != 0) {
            note_end(&conversation->direction[side].stream, seg->seq + (uint32_t)seg->payload.len);
            result = at_end;
        }
    }
    return result;
}

/* A segment that comes out of order is only looked into when a message waits for its bytes, or had
 * them; a retransmission is not. */
static bool is_looked_into(const struct direction *dir, const struct tcp_view *seg,
                           const struct findings *findings)
{
    if ((findings->flags & (FOUND_SPURIOUS_RETRANSMISSION | FOUND_RETRANSMISSION)) != 0)
        return false;
    return (findings->flags & FOUND_NOT_ADVANCING) == 0 || http_expects(&dir->http) > 0 ||
           overlaps_ended(&dir->stream, seg->seq);
}

static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static unsigned give(struct conversation *c, unsigned side, bool is_http, struct bytes bytes,
                     struct dissection *row)
{
    c->direction[side].stream.next += (uint32_t)bytes.len;
    return is_http ? http_bytes(c, side, bytes, row) : dns_bytes(c, side, bytes, row);
}

static unsigned take_segment(struct conversation *c, unsigned side, bool is_http,
                             const struct tcp_view *seg, const struct findings *findings,
                             struct dissection *row)
{
    struct direction *dir = &c->direction[side];
    struct stream_view *stream = &dir->stream;
    uint32_t end = seg->seq + (uint32_t)seg->payload.len;

    if (!stream->is_known)
        start_at(dir, seg->seq);
    if (is_before(stream->next, seg->seq)) {
        if (is_http && take_beyond(dir, seg->seq, end))
            return STREAM_INCOMPLETE;
        start_at(dir, seg->seq);
    }
    if (!is_before(stream->next, end)) {
        if (is_http && is_before(stream->message_start, seg->seq) && dir->http.stage != HTTP_IDLE)
            return STREAM_INCOMPLETE;
        if (overlaps_ended(stream, seg->seq))
            return STREAM_OVERLAP;
        if ((findings->flags & FOUND_FAST_RETRANSMISSION) == 0 ||
            (dir->http.stage != HTTP_IDLE && stream->message_start == seg->seq))
            return 0;
        start_at(dir, seg->seq); /* what was taken for granted before: look at it now */
    }
    struct bytes news = bytes_skip(seg->payload, stream->next - seg->seq);
    if (dir->http.stage == HTTP_IDLE)
        stream->message_start = stream->next;
    unsigned result = give(c, side, is_http, news, row);
    unsigned behind = give_beyond(c, side, row);
    if (((result | behind) & STREAM_MESSAGE) != 0 && is_before(stream->message_start, seg->seq))
        note_end(stream, end);
    return behind != 0 ? behind : result;
}

/* The message, of several segments, ends at `end`. */
static void note_end(struct stream_view *stream, uint32_t end)
{
    stream->ended[stream->ended_count++ % STREAM_ENDED_MAX] =
        (struct stream_range){stream->message_start, end};
}

/* Bytes within a message that was put together long ago: Wireshark complains. */
static bool overlaps_ended(const struct stream_view *stream, uint32_t seq)
{
    for (unsigned i = 0; i < STREAM_ENDED_MAX && i < stream->ended_count; i++)
        if (is_before(stream->ended[i].start, seq) && is_before(seq, stream->ended[i].end))
            return true;
    return false;
}

/* Read on from `seq`: bytes before it are missing for good, or were never looked at. */
static void start_at(struct direction *dir, uint32_t seq)
{
    http_restart(&dir->http);
    dir->dns.piece_bytes = 0;
    dir->stream.is_known = true;
    dir->stream.next = seq;
    dir->stream.message_start = seq;
    dir->stream.beyond_count = 0;
}

/* Remember start..end, which lies behind a hole, as far as the message goes. False if that is not
 * known, or there are too many holes. */
static bool take_beyond(struct direction *dir, uint32_t start, uint32_t end)
{
    struct stream_view *stream = &dir->stream;
    uint64_t expected = http_expects(&dir->http);

    if (start - stream->next >= expected || stream->beyond_count == STREAM_RANGES_MAX)
        return false;
    if (end - stream->next > expected)
        end = stream->next + (uint32_t)expected;
    stream->beyond[stream->beyond_count].start = start;
    stream->beyond[stream->beyond_count].end = end;
    for (unsigned i = 0; i < stream->beyond_count; i++) { /* grows the range it touches */
        if (stream->beyond[i].end == start) {
            stream->beyond[i].end = end;
            return true;
        }
    }
    stream->beyond_count++;
    return true;
}

/* The hole is filled: the ranges that follow without a gap are given, as mere counts. */
static unsigned give_beyond(struct conversation *c, unsigned side, struct dissection *row)
{
    struct stream_view *stream = &c->direction[side].stream;
    unsigned result = 0;

    for (unsigned i = 0; i < stream->beyond_count;) {
        uint32_t start = stream->beyond[i].start;
        uint32_t end = stream->beyond[i].end;

        if (is_before(stream->next, start)) {
            i++;
            continue;
        }
        stream->beyond[i] = stream->beyond[--stream->beyond_count];
        if (is_before(stream->next, end)) {
            struct bytes counted = {.data = NULL, .len = end - stream->next};

            result |= give(c, side, true, counted, row);
        }
        i = 0; /* what was behind a later hole may follow now */
    }
    return result;
}
