/* TCP rows, RFC 9293 3.1: ports, flags, relative numbers, the window after scaling, the options in
 * the order of the wire. Before them stand the guesses of analysis.c; the text of an application
 * protocol takes their place where a message ends (stream.c). */
#include <string.h>

#include "dissector.h"

enum { WINDOW_SCALE_MAX = 14, TCP_OPTION_MD5 = 19, TCP_OPTION_FAST_OPEN = 34 };

static bool view_of(struct bytes packet, struct tcp_view *seg, struct dissection *row);
static void note_restart(struct conversation *c, unsigned side, const struct tcp_view *seg,
                         struct findings *findings);
static void learn_window_scale(struct conversation *c, unsigned side, const struct tcp_view *seg);
static void add_segment(const struct conversation *c, unsigned side, const struct tcp_view *seg,
                        struct dissection *row);
static void add_flags(unsigned flags, struct dissection *row);
static void add_options(struct bytes options, uint32_t ack_base, struct dissection *row);
static void add_option(uint8_t kind, struct bytes body, uint32_t ack_base, struct dissection *row);
static enum row_style style_of(const struct tcp_view *seg, const struct findings *findings,
                               bool is_http);

void dissect_tcp(struct dissector *d, const struct ipv4_packet *ip, uint64_t time_us,
                 struct dissection *row)
{
    struct tcp_view seg;
    struct findings findings = {0};
    unsigned side;

    row->protocol = "TCP";
    row->style = ROW_TCP;
    if (!view_of(ip->payload, &seg, row))
        return;
    struct conversation *c =
        conversation_of(d->conversations, &ip->src, seg.src_port, &ip->dst, seg.dst_port, &side);
    if (c == NULL) {
        info_add(row, "%u → %u [out of memory]", seg.src_port, seg.dst_port);
        return;
    }
    note_restart(c, side, &seg, &findings);
    analyse_segment(c, side, &seg, time_us, row->number, &findings);
    learn_window_scale(c, side, &seg);

    add_segment(c, side, &seg, row);
    dissect_stream(c, side, &seg, &findings, row);
    analysis_prefix(&findings, row);
    row->style = style_of(&seg, &findings, strncmp(row->protocol, "HTTP", 4) == 0);
}

static bool view_of(struct bytes packet, struct tcp_view *seg, struct dissection *row)
{
    struct reader r = reader_of(packet);

    *seg = (struct tcp_view){0};
    seg->src_port = read_u16(&r);
    seg->dst_port = read_u16(&r);
    seg->seq = read_u32(&r);
    seg->ack = read_u32(&r);
    uint16_t offset_and_flags = read_u16(&r);
    seg->flags = offset_and_flags & 0xfff;
    seg->wnd = read_u16(&r);
    read_u16(&r);
    seg->urgent = read_u16(&r);
    if (r.overrun) {
        info_add(row, "[Malformed Packet]");
        return false;
    }
    size_t header_bytes = (size_t)(offset_and_flags >> 12) * 4;
    if (header_bytes < TCP_HEADER_BYTES || header_bytes > packet.len) {
        info_add(row, "%u → %u", seg->src_port, seg->dst_port);
        add_flags(seg->flags, row);
        info_add(row, " Seq=%u, bogus TCP header length (%zu, must be %s)", seg->seq, header_bytes,
                 header_bytes < TCP_HEADER_BYTES ? "at least 20" : "within the packet");
        return false;
    }
    seg->options = read_bytes(&r, header_bytes - TCP_HEADER_BYTES);
    seg->payload = read_bytes(&r, r.left);
    return true;
}

/* A SYN with another initial number is a new connection between the same ports. One with the same
 * number is the old SYN again, also after a reset. */
static void note_restart(struct conversation *c, unsigned side, const struct tcp_view *seg,
                         struct findings *findings)
{
    struct sequence_view *seen = &c->direction[side].seen;
    unsigned kind = seg->flags & (TCP_SYN | TCP_ACK);

    if (kind == TCP_SYN && seen->has_base) {
        if (seg->seq != seen->base) {
            conversation_restart(c);
            findings->flags |= FOUND_REUSED_PORTS;
        } else {
            seen->next = seen->continuous;
        }
    }
    if (kind == (TCP_SYN | TCP_ACK) && seen->has_base && seg->seq != seen->base) {
        seen->base = seg->seq;
        findings->flags |= FOUND_REUSED_PORTS;
    }
}

/* RFC 7323 2: windows are scaled only when both SYNs carry the option. */
static void learn_window_scale(struct conversation *c, unsigned side, const struct tcp_view *seg)
{
    struct sequence_view *fwd = &c->direction[side].seen;
    struct sequence_view *rev = &c->direction[1 - side].seen;
    struct tcp_options options;

    if ((seg->flags & TCP_SYN) == 0)
        return;
    if (tcp_options_parse(seg->options, &options) == DROP_NOT && options.has_window_scale)
        fwd->window_scale =
            options.window_scale > WINDOW_SCALE_MAX ? WINDOW_SCALE_MAX : options.window_scale;
    bool is_answer = (seg->flags & TCP_ACK) != 0;
    if (fwd->window_scale == WINDOW_SCALE_UNKNOWN ||
        (is_answer && rev->window_scale == WINDOW_SCALE_NONE)) {
        fwd->window_scale = WINDOW_SCALE_NONE;
        rev->window_scale = WINDOW_SCALE_NONE;
    }
}

static void add_segment(const struct conversation *c, unsigned side, const struct tcp_view *seg,
                        struct dissection *row)
{
    const struct sequence_view *fwd = &c->direction[side].seen;
    const struct sequence_view *rev = &c->direction[1 - side].seen;
    bool is_scaled = (seg->flags & TCP_SYN) == 0 && fwd->window_scale >= 0;
    uint32_t wnd = is_scaled ? (uint32_t)seg->wnd << fwd->window_scale : seg->wnd;

    info_add(row, "%u → %u", seg->src_port, seg->dst_port);
    add_flags(seg->flags, row);
    info_add(row, " Seq=%u", seg->seq - fwd->base);
    if ((seg->flags & TCP_ACK) != 0)
        info_add(row, " Ack=%u", seg->ack - rev->base);
    info_add(row, " Win=%u", wnd);
    if ((seg->flags & TCP_URG) != 0)
        info_add(row, " Urg=%u", seg->urgent);
    info_add(row, " Len=%zu", seg->payload.len);
    add_options(seg->options, rev->base, row);
}

/* From the lowest bit on. */
static void add_flags(unsigned flags, struct dissection *row)
{
    static const char *const names[] = {"FIN", "SYN", "RST", "PSH",      "ACK",      "URG",
                                        "ECE", "CWR", "AE",  "Reserved", "Reserved", "Reserved"};
    const char *between = "";

    info_add(row, " [");
    for (unsigned bit = 0; bit < sizeof names / sizeof names[0]; bit++) {
        if ((flags & 1u << bit) == 0)
            continue;
        info_add(row, "%s%s", between, names[bit]);
        between = ", ";
        if (bit >= 9)
            break;
    }
    info_add(row, "%s]", flags == 0 ? "<None>" : "");
}

static void add_options(struct bytes options, uint32_t ack_base, struct dissection *row)
{
    struct reader r = reader_of(options);

    while (r.left > 0) {
        uint8_t kind = read_u8(&r);

        if (kind == TCP_OPTION_EOL)
            return;
        if (kind == TCP_OPTION_NOP)
            continue;
        uint8_t length = read_u8(&r);
        if (length < 2)
            return;
        struct bytes body = read_bytes(&r, (size_t)length - 2);
        if (r.overrun)
            return;
        add_option(kind, body, ack_base, row);
    }
}

static void add_option(uint8_t kind, struct bytes body, uint32_t ack_base, struct dissection *row)
{
    struct reader r = reader_of(body);

    if (kind == TCP_OPTION_MSS && body.len == 2) {
        info_add(row, " MSS=%u", read_u16(&r));
    } else if (kind == TCP_OPTION_WINDOW_SCALE && body.len == 1) {
        unsigned shift = read_u8(&r);
        info_add(row, " WS=%u", 1u << (shift > WINDOW_SCALE_MAX ? WINDOW_SCALE_MAX : shift));
    } else if (kind == TCP_OPTION_SACK_PERMITTED && body.len == 0) {
        info_add(row, " SACK_PERM");
    } else if (kind == TCP_OPTION_TIMESTAMPS && body.len == 8) {
        uint32_t tsval = read_u32(&r);
        info_add(row, " TSval=%u TSecr=%u", tsval, read_u32(&r));
    } else if (kind == TCP_OPTION_USER_TIMEOUT && body.len == 2) {
        info_add(row, " USER_TO=%u", read_u16(&r) & 0x7fff);
    } else if (kind == TCP_OPTION_MD5) {
        info_add(row, " MD5");
    } else if (kind == TCP_OPTION_FAST_OPEN) {
        info_add(row, body.len == 0 ? " TFO=R" : " TFO=C");
    }
    while (kind == TCP_OPTION_SACK && r.left >= 8) {
        uint32_t left = read_u32(&r);
        info_add(row, " SLE=%u SRE=%u", left - ack_base, read_u32(&r) - ack_base);
    }
}

/* The first rule that is met, in the order of Wireshark's list. */
static enum row_style style_of(const struct tcp_view *seg, const struct findings *findings,
                               bool is_http)
{
    unsigned bad = findings->flags &
                   ~(unsigned)(FOUND_WINDOW_UPDATE | FOUND_KEEP_ALIVE | FOUND_KEEP_ALIVE_ACK);

    if (bad != 0)
        return ROW_BAD_TCP;
    if ((seg->flags & TCP_RST) != 0)
        return ROW_TCP_RST;
    if (is_http || seg->src_port == 80 || seg->dst_port == 80)
        return ROW_HTTP;
    return (seg->flags & (TCP_SYN | TCP_FIN)) != 0 ? ROW_TCP_SYN_FIN : ROW_TCP;
}
