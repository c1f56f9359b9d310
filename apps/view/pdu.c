/* The messages of one direction that take several segments (Wireshark calls each a PDU), and which
 * of their bytes have come.
 *
 * As in Wireshark 4.0 a PDU is whole when everything from its start to the end that its dissector
 * asked for is there. The dissector may then ask for more, and the PDU goes on with bytes that
 * reach its end. Any others, which can only come again, are a reassembly error. A PDU whose hole is
 * never filled, since Wireshark leaves retransmissions out (stream.c), stays open.
 *
 * Bytes are remembered as ranges of offsets from the PDU's start, sorted and apart. Memory is
 * bounded: PDUS_MAX of them are kept, PDUS_OPEN_MAX of these with what has come of them, and no
 * more than PDU_RANGES_MAX ranges each. What exceeds that can never be whole. */
#include <stdlib.h>
#include <string.h>

#include "dissector.h"

static void remove_pdu(struct pdu **link);
static void keep_within_limits(struct stream_view *stream);
static void add_range(struct pdu *pdu, uint32_t start, uint32_t end);
static bool make_room(struct pdu *pdu);

/* The order of the list is that of creation; numbers are relative to the initial one, as in
 * Wireshark's table, so they are compared as they are. */
struct pdu *pdu_at_or_before(const struct stream_view *stream, uint32_t seq)
{
    struct pdu *best = NULL;

    for (struct pdu *pdu = stream->newest; pdu != NULL; pdu = pdu->older)
        if (pdu->seq <= seq && (best == NULL || pdu->seq > best->seq))
            best = pdu;
    return best;
}

struct pdu *pdu_new(struct stream_view *stream, uint32_t seq)
{
    struct pdu *pdu = calloc(1, sizeof *pdu);

    for (struct pdu **link = &stream->newest; *link != NULL; link = &(*link)->older) {
        if ((*link)->seq == seq) {
            remove_pdu(link);
            break;
        }
    }
    if (pdu == NULL)
        return NULL;
    pdu->seq = seq;
    pdu->older = stream->newest;
    stream->newest = pdu;
    keep_within_limits(stream);
    return pdu;
}

enum pdu_state pdu_add(struct pdu *pdu, uint32_t offset, uint32_t len, bool is_tail)
{
    if (pdu->is_whole && (!pdu->goes_on || offset + len < pdu->end))
        return offset >= pdu->end ? PDU_PAST : PDU_OVERLAP;
    if (pdu->is_whole)
        pdu->is_whole = pdu->goes_on = pdu->has_end = false;
    if (is_tail && !pdu->has_end) {
        pdu->has_end = true;
        pdu->end = offset + len;
    }
    add_range(pdu, offset, offset + len);
    pdu->is_whole = pdu->has_end && pdu->range_count > 0 && pdu->range[0].start == 0 &&
                    pdu->range[0].end >= pdu->end;
    return pdu->is_whole ? PDU_WHOLE : PDU_OPEN;
}

void pdu_keep_bytes(struct pdu *pdu, uint32_t offset, struct bytes bytes)
{
    size_t end = offset + bytes.len;

    if (end > PDU_KEPT_MAX_BYTES)
        return;
    if (end > pdu->kept_bytes) {
        uint8_t *more = realloc(pdu->kept, end);

        if (more == NULL)
            return;
        memset(more + pdu->kept_bytes, 0, end - pdu->kept_bytes);
        pdu->kept = more;
        pdu->kept_bytes = end;
    }
    memcpy(pdu->kept + offset, bytes.data, bytes.len);
}

void pdu_close(struct pdu *pdu)
{
    http_forget(&pdu->http);
    free(pdu->kept);
    free(pdu->range);
    pdu->kept = NULL;
    pdu->kept_bytes = 0;
    pdu->range = NULL;
    pdu->range_count = 0;
    pdu->is_closed = true;
}

void pdus_free(struct stream_view *stream)
{
    while (stream->newest != NULL)
        remove_pdu(&stream->newest);
}

static void remove_pdu(struct pdu **link)
{
    struct pdu *pdu = *link;

    *link = pdu->older;
    pdu_close(pdu);
    free(pdu);
}

static void keep_within_limits(struct stream_view *stream)
{
    unsigned count = 0;
    unsigned open_count = 0;

    for (struct pdu **link = &stream->newest; *link != NULL;) {
        struct pdu *pdu = *link;

        if (++count > PDUS_MAX) {
            remove_pdu(link);
            continue;
        }
        if (!pdu->is_closed && ++open_count > PDUS_OPEN_MAX)
            pdu_close(pdu);
        link = &pdu->older;
    }
}

/* The ranges that it touches become one with it. */
static void add_range(struct pdu *pdu, uint32_t start, uint32_t end)
{
    unsigned first = 0;

    if (pdu->is_closed || start == end)
        return;
    while (first < pdu->range_count && pdu->range[first].end < start)
        first++;
    unsigned behind = first;
    for (; behind < pdu->range_count && pdu->range[behind].start <= end; behind++) {
        start = pdu->range[behind].start < start ? pdu->range[behind].start : start;
        end = pdu->range[behind].end > end ? pdu->range[behind].end : end;
    }
    if (behind == first && !make_room(pdu))
        return;
    memmove(pdu->range + first + 1, pdu->range + behind,
            (pdu->range_count - behind) * sizeof *pdu->range);
    pdu->range[first] = (struct pdu_range){start, end};
    pdu->range_count = pdu->range_count - (behind - first) + 1;
}

/* For one more range. If there is none the new bytes are not remembered. */
static bool make_room(struct pdu *pdu)
{
    unsigned count = pdu->range_count;

    if (count == PDU_RANGES_MAX)
        return false;
    if ((count & (count - 1)) != 0) /* it has room up to the next power of two */
        return true;
    struct pdu_range *more = realloc(pdu->range, (count == 0 ? 1 : 2 * count) * sizeof *more);
    if (more == NULL)
        return false;
    pdu->range = more;
    return true;
}
