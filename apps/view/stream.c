/* From segments to the bytes an application dissector reads, as Wireshark 4.0 does it by default
 * ("Allow subdissector to reassemble TCP streams" on, "Reassemble out-of-order segments" off):
 *
 * - A dissector is given each segment as it comes. If it finds that a message goes on behind the
 *   segment it says what it wants: so many bytes more, one more segment, or all until the FIN. The
 *   message is a PDU from then on (pdu.c).
 * - Bytes within a PDU are collected; its rows say "[TCP segment of a reassembled PDU]". When it is
 *   whole the dissector reads it again, in the row of the segment that completed it.
 * - What follows the end of a PDU within a segment is looked at as a segment of its own, even when
 *   a hole keeps that PDU from being whole. The row begins with the first of such parts: it decides
 *   the protocol, and only it says "[TCP segment of a reassembled PDU]".
 * - Nothing waits for lost bytes. A segment behind a hole continues a PDU that is known to reach so
 *   far; otherwise its bytes are read as if a message began there ("Continuation").
 * - A segment that analysis.c holds to be a retransmission is left out, so that the hole which it
 *   fills stays open. A fast retransmission fills it. One out of order fills it, too, but is never
 *   shown to the dissector: a PDU which it completes is lost.
 *
 * An HTTP message is read on where it was left, not again from its start, so that a body need not
 * be kept: of bytes that come behind a hole only the count matters, since only a body whose length
 * is known reaches over a hole.
 *
 * Not done: "[Illegal Segments]", which Wireshark says of a PDU whose bytes came twice and differed
 * (a flipped bit, sent again as it was meant), since they are not kept. */
#include <string.h>

#include "dissector.h"

#include "../../stack/wire/dns_message.h"

/* Wireshark's number for "all until the FIN", and the most that it is told to wait for. */
enum { UNTIL_FIN_BYTES = 0x0ffffffe };

/* RFC 867: any bytes, no messages. */
enum { DAYTIME_PORT = 13 };

/* What is left of a segment. */
struct part {
    struct conversation *conversation;
    unsigned side;
    bool is_http;
    bool is_left_out, is_shown; /* to the dissector */
    bool is_first;              /* of its segment */
    bool has_fin;
    uint32_t seq, next; /* relative; of the first byte, and behind the last */
    struct bytes bytes;
    struct dissection *row;
};

static struct part part_of(struct conversation *c, unsigned side, const struct tcp_view *seg,
                           const struct findings *findings, struct dissection *row);
static void show_daytime(struct part *part, bool is_response);
static bool is_before(uint32_t a, uint32_t b);
static bool end_stream(struct part *part);
static bool take_part(struct part *part);
static void begin(struct part *part);
static bool carry_on(struct part *part, struct pdu *pdu);
static bool collect(struct part *part, struct pdu *pdu, uint32_t len, bool is_tail);
static bool read_whole(struct part *part, struct pdu *pdu, uint32_t len);
static struct bytes unread(const struct part *part, const struct pdu *pdu);
static struct outcome give(struct part *part, struct http_message *http, struct bytes bytes);
static void open_pdu(struct part *part, uint32_t seq, const struct outcome *outcome,
                     struct http_message *http);
static void expect(struct stream_view *stream, struct pdu *pdu, uint32_t from,
                   const struct outcome *outcome);
static void show(struct part *part, const struct dissection *application, bool is_protocol);
static void say_incomplete(struct part *part);

void dissect_stream(struct conversation *conversation, unsigned side, const struct tcp_view *seg,
                    const struct findings *findings, struct dissection *row)
{
    bool is_dns = seg->src_port == DNS_PORT || seg->dst_port == DNS_PORT;
    struct part part = part_of(conversation, side, seg, findings, row);

    if (seg->src_port == DAYTIME_PORT || seg->dst_port == DAYTIME_PORT)
        show_daytime(&part, seg->src_port == DAYTIME_PORT);
    if ((!part.is_http && !is_dns) || (seg->flags & TCP_RST) != 0)
        return;
    if ((seg->flags & TCP_FIN) != 0 && end_stream(&part))
        return;
    while (part.bytes.len > 0 && take_part(&part))
        part.is_first = false;
}

static struct part part_of(struct conversation *c, unsigned side, const struct tcp_view *seg,
                           const struct findings *findings, struct dissection *row)
{
    uint32_t seq = seg->seq - c->direction[side].seen.base + ((seg->flags & TCP_SYN) != 0 ? 1 : 0);

    return (struct part){
        .conversation = c,
        .side = side,
        .is_http = http_is_port(seg->src_port) || http_is_port(seg->dst_port),
        .is_left_out =
            (findings->flags & (FOUND_RETRANSMISSION | FOUND_SPURIOUS_RETRANSMISSION)) != 0,
        .is_shown = (findings->flags & (FOUND_RETRANSMISSION | FOUND_OUT_OF_ORDER)) == 0,
        .is_first = true,
        .has_fin = (seg->flags & TCP_FIN) != 0,
        .seq = seq,
        .next = seq + (uint32_t)seg->payload.len,
        .bytes = seg->payload,
        .row = row,
    };
}

static void show_daytime(struct part *part, bool is_response)
{
    if (part->bytes.len == 0 || part->is_left_out || !part->is_shown)
        return;
    part->row->protocol = "DAYTIME";
    info_clear(part->row);
    info_add(part->row, "DAYTIME %s", is_response ? "Response" : "Request");
}

static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* The first FIN of a stream in which a message runs until the FIN: it and the bytes beside it are
 * the end of whatever PDU they lie in. True if that makes the row. */
static bool end_stream(struct part *part)
{
    struct stream_view *stream = &part->conversation->direction[part->side].stream;
    struct pdu *pdu = pdu_at_or_before(stream, part->seq);

    if (!stream->runs_until_fin || stream->has_ended)
        return false;
    stream->has_ended = true;
    if (pdu == NULL)
        return false;
    if (!collect(part, pdu, (uint32_t)part->bytes.len, true))
        return true;
    if (!pdu->is_whole)
        return false;
    if (part->is_shown)
        give(part, &pdu->http, unread(part, pdu));
    pdu_close(pdu);
    return true;
}

/* Take the first message, or piece of one, off the part. True if another follows. */
static bool take_part(struct part *part)
{
    struct stream_view *stream = &part->conversation->direction[part->side].stream;
    struct pdu *pdu = pdu_at_or_before(stream, part->seq);

    if (pdu != NULL && pdu->seq == part->seq && !is_before(pdu->next, part->next))
        return false; /* its first segment again */
    if (part->is_left_out)
        return false;
    if (pdu != NULL && is_before(part->seq, pdu->next))
        return carry_on(part, pdu);
    begin(part);
    return false;
}

/* No PDU reaches here: read it as if a message began. */
static void begin(struct part *part)
{
    struct http_message http = {0};

    if (!part->is_shown)
        return;
    struct outcome outcome = give(part, &http, part->bytes);
    if (outcome.wants != WANTS_NOTHING)
        open_pdu(part, part->seq + (uint32_t)outcome.start, &outcome, &http);
    http_forget(&http);
}

/* The part begins within the PDU. */
static bool carry_on(struct part *part, struct pdu *pdu)
{
    bool is_tail = !is_before(part->next, pdu->next);
    uint32_t end = is_tail && !pdu->takes_segments ? pdu->next : part->next;
    uint32_t len = end - part->seq;

    if (is_tail && pdu->takes_segments) {
        pdu->takes_segments = false;
        pdu->next = part->next;
    }
    if (!collect(part, pdu, len, is_tail))
        return false;
    if (!pdu->is_whole)
        say_incomplete(part);
    else if (part->is_shown && read_whole(part, pdu, len))
        return false;
    else if (!part->is_shown)
        pdu_close(pdu);
    part->bytes = bytes_skip(part->bytes, len);
    part->seq += len;
    return true;
}

/* Add `len` bytes to the PDU. False if it is too late for that. */
static bool collect(struct part *part, struct pdu *pdu, uint32_t len, bool is_tail)
{
    uint32_t offset = part->seq - pdu->seq;
    enum pdu_state state = pdu_add(pdu, offset, len, is_tail);

    if (state == PDU_OVERLAP || state == PDU_PAST) {
        info_add(part->row, "[Reassembly error, protocol TCP: New fragment %s]",
                 state == PDU_OVERLAP ? "overlaps old data (retransmission?)"
                                      : "past old data limits");
        return false;
    }
    if (!part->is_http)
        pdu_keep_bytes(pdu, offset, bytes_first(part->bytes, len));
    return true;
}

/* The first `len` bytes of the part complete the PDU: the dissector reads it. True if it wants more
 * than the segment holds. */
static bool read_whole(struct part *part, struct pdu *pdu, uint32_t len)
{
    struct stream_view *stream = &part->conversation->direction[part->side].stream;
    uint32_t read_from = part->is_http ? pdu->read_bytes : 0;
    struct outcome outcome = give(part, &pdu->http, unread(part, pdu));

    pdu->read_bytes = pdu->end;
    if (outcome.wants == WANTS_NOTHING) {
        pdu_close(pdu);
        return false;
    }
    if (outcome.has_message) { /* another message begins in the part */
        struct http_message http = pdu->http;

        pdu->http = (struct http_message){0};
        pdu->next = pdu->seq + read_from + (uint32_t)outcome.start;
        pdu_close(pdu);
        open_pdu(part, pdu->next, &outcome, &http);
        http_forget(&http);
        return true;
    }
    uint32_t from = outcome.wants == WANTS_SEGMENT ? part->next : part->seq + len;
    pdu->goes_on = true;
    expect(stream, pdu, is_before(from, pdu->next) ? pdu->next : from, &outcome);
    return true;
}

/* What the dissector has not read yet of a PDU that is whole. */
static struct bytes unread(const struct part *part, const struct pdu *pdu)
{
    uint32_t offset = part->seq - pdu->seq;
    size_t count = pdu->end - pdu->read_bytes;

    if (!part->is_http)
        return (struct bytes){pdu->kept, pdu->kept_bytes};
    if (pdu->end <= pdu->read_bytes)
        return (struct bytes){0};
    if (offset > pdu->read_bytes || offset + part->bytes.len < pdu->end)
        return (struct bytes){NULL, count};
    return bytes_first(bytes_skip(part->bytes, pdu->read_bytes - offset), count);
}

static struct outcome give(struct part *part, struct http_message *http, struct bytes bytes)
{
    struct dissection application = {.number = part->row->number};
    struct outcome outcome =
        part->is_http ? http_bytes(part->conversation, http, bytes, part->has_fin, &application)
                      : dns_bytes(bytes, &application);

    show(part, &application, outcome.has_message);
    if (outcome.wants != WANTS_NOTHING && !outcome.has_message)
        say_incomplete(part);
    return outcome;
}

/* A message that starts at `seq`, of which `http` has read all that the segment has, goes on. */
static void open_pdu(struct part *part, uint32_t seq, const struct outcome *outcome,
                     struct http_message *http)
{
    struct stream_view *stream = &part->conversation->direction[part->side].stream;
    struct pdu *pdu = pdu_new(stream, seq);

    if (pdu == NULL)
        return;
    pdu->http = *http;
    *http = (struct http_message){0};
    pdu->read_bytes = part->next - seq;
    pdu_add(pdu, 0, pdu->read_bytes, false);
    if (!part->is_http)
        pdu_keep_bytes(pdu, 0, bytes_skip(part->bytes, seq - part->seq));
    expect(stream, pdu, part->next, outcome);
}

/* Move the PDU's end from `from` on by what the dissector wants. */
static void expect(struct stream_view *stream, struct pdu *pdu, uint32_t from,
                   const struct outcome *outcome)
{
    pdu->takes_segments = outcome->wants == WANTS_SEGMENT;
    if (outcome->wants == WANTS_SEGMENT)
        pdu->next = from + 1;
    else if (outcome->wants == WANTS_FIN || outcome->count > UNTIL_FIN_BYTES)
        pdu->next = from + UNTIL_FIN_BYTES;
    else
        pdu->next = from + outcome->count;
    if (outcome->wants == WANTS_FIN)
        stream->runs_until_fin = true;
}

/* Put the application's text behind that of the parts before, or in the place of TCP's. */
static void show(struct part *part, const struct dissection *application, bool is_protocol)
{
    if (is_protocol && part->is_first)
        part->row->protocol = application->protocol;
    if (application->info[0] == '\0')
        return;
    if (part->is_first)
        info_clear(part->row);
    info_add(part->row, "%s", application->info);
}

static void say_incomplete(struct part *part)
{
    if (part->is_first)
        info_add(part->row, " [TCP segment of a reassembled PDU]");
}
