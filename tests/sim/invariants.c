/* What a peer may rely on, watched on the wire during random transfers: each packet is looked at as
 * it leaves a stack, and as it arrives, without a look into either.
 *
 * For each end the observer keeps what its packets have said so far (highest sequence number,
 * acknowledgment, right window edge, TSval) and what it has been told (the right edge that has
 * arrived, the MSS of the peer). All comparisons are of sequence numbers near each other. */
#include "sim.h"

#include <stdio.h>

#include "../../stack/tcp/seq.h"
#include "../unit/unit.h"

enum { SEEDS = 2000, MSS_DEFAULT = 536 };

struct wire_end {
    bool has_syn, has_window_scale, has_ack, has_edge, has_tsval;
    uint8_t window_shift;
    uint32_t iss, mss;  /* what its SYN says */
    uint32_t highest;   /* one behind the last sequence number sent */
    uint32_t ack, edge; /* the last acknowledgment; the right edge of its window */
    uint32_t tsval;
    bool is_told_edge;
    uint32_t told_edge; /* of the peer's window, by packets that have arrived */
    uint32_t told_mss;
};

struct wire {
    struct wire_end end[2];
};

static void look_at_sent(struct sim *sim, unsigned from, struct bytes packet,
                         const struct packet_out *out);
static void look_at_arrived(struct sim *sim, unsigned at, const struct link_packet *packet);

START_TEST(the_wire_shows_no_violation)
{
    struct sim_seeds seeds = sim_seeds(SEEDS);

    for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
        struct sim_plan plan = sim_plan_random(seed);
        struct sim *sim = sim_new(&plan);
        struct wire wire = {0};
        char failure[SIM_FAILURE_BYTES], text[2000];
        sim->on_sent = look_at_sent;
        sim->on_arrived = look_at_arrived;
        sim->context = &wire;
        bool is_right = sim_run(sim);
        snprintf(failure, sizeof failure, "%s", sim->failure);
        sim_free(sim);
        ck_assert_msg(is_right,
                      "seed %llu, %s\n%sAgain: SIM_SEED=%llu build/fast/tests/sim/invariants",
                      (unsigned long long)seed, failure, sim_plan_format(&plan, text, sizeof text),
                      (unsigned long long)seed);
        sim_progress("invariants", seed - seeds.first + 1, seeds.count);
    }
}
END_TEST

/* ---- what a packet may not do */

/* 9293 3.7.1, MUST-16: options count against the MSS that the peer has announced. */
static void check_size(struct sim *sim, const struct wire_end *self, const struct tcp_segment *seg,
                       const struct packet_out *out)
{
    size_t segment_bytes = out->segment_bytes > 0 ? out->segment_bytes : seg->payload.len;
    size_t options_bytes = tcp_options_bytes(&seg->options, TCP_SYN_STYLE_LINUX);

    if (segment_bytes > 0 && segment_bytes + options_bytes > self->told_mss)
        sim_fail(sim, "%zu bytes and %zu of options in a segment, the peer's MSS is %u",
                 segment_bytes, options_bytes, self->told_mss);
}

/* New text lies in the window that the peer has announced, but for a probe of one octet (3.8.6.1);
 * and it follows what was sent before. Text that was sent before is the same text. */
static void check_text(struct sim *sim, unsigned from, const struct wire_end *self,
                       const struct tcp_segment *seg)
{
    uint32_t start = seg->seq + (seg->flags & TCP_SYN ? 1 : 0);
    uint32_t end = start + (uint32_t)seg->payload.len;

    if (self->has_syn && seq_gt(seg->seq, self->highest))
        sim_fail(sim, "end %u skips sequence numbers", from);
    bool is_keepalive = sim->plan.tcp[from].keepalive_garbage && seg->payload.len == 1 &&
                        end == self->highest && seg->payload.data[0] == 0; /* 9293 3.8.4 */
    if (seg->payload.len == 0 || is_keepalive)
        return;
    bool is_new = seq_gt(end, self->highest);
    bool is_probe = seg->payload.len == 1 && start == self->told_edge;
    if (is_new && !is_probe && (!self->is_told_edge || seq_gt(end, self->told_edge)))
        sim_fail(sim, "end %u sends %u bytes beyond the peer's window", from,
                 end - self->told_edge);
    for (size_t i = 0; i < seg->payload.len; i++)
        if (seg->payload.data[i] != sim_byte(from, start - self->iss - 1 + (uint64_t)i)) {
            sim_fail(sim, "end %u sends a wrong byte", from);
            return;
        }
}

/* 9293 3.8.5, MUST-62: urgent data ends within what the application has handed over. */
static void check_urgent(struct sim *sim, unsigned from, const struct wire_end *self,
                         const struct tcp_segment *seg)
{
    uint32_t written_end = self->iss + 1 + (uint32_t)sim->app[from].sent_bytes;

    if (!(seg->flags & TCP_URG))
        return;
    if (!sim->plan.app[from].sends_urgent || seg->urgent == 0 ||
        seq_gt(seg->seq + seg->urgent, written_end))
        sim_fail(sim, "end %u sends an urgent pointer that leads nowhere", from);
}

static uint32_t edge_of(const struct wire *wire, unsigned from, const struct tcp_segment *seg)
{
    const struct wire_end *end = &wire->end[from];
    bool is_scaled = end->has_window_scale && wire->end[1 - from].has_window_scale &&
                     !(seg->flags & TCP_SYN); /* RFC 7323 2.2 */

    return seg->ack + ((uint32_t)seg->wnd << (is_scaled ? end->window_shift : 0));
}

/* 9293 3.4: acknowledgments do not go back. 3.8.6.2.1, SHLD-14: neither does the window's edge, but
 * for what the scale cannot express where the buffer is full (RFC 7323 2.4). */
static void check_ack_and_edge(struct sim *sim, unsigned from, const struct tcp_segment *seg)
{
    struct wire *wire = sim->context;
    struct wire_end *self = &wire->end[from], *peer = &wire->end[1 - from];
    uint32_t edge = edge_of(wire, from, seg);

    if (self->has_ack && seq_lt(seg->ack, self->ack))
        sim_fail(sim, "end %u acknowledges less than before", from);
    if (seq_gt(seg->ack, peer->highest))
        sim_fail(sim, "end %u acknowledges what was not sent", from);
    uint32_t unit = self->has_window_scale ? 1u << self->window_shift : 1;
    if (self->has_edge && seq_leq(edge + unit, self->edge))
        sim_fail(sim, "the window of end %u shrinks by %u", from, self->edge - edge);
    self->has_ack = self->has_edge = true;
    self->ack = seg->ack;
    self->edge = edge;
}

/* RFC 2883 4: the first block may report a duplicate: below the acknowledgment, or part of the
 * second block. */
static bool is_duplicate_block(const struct tcp_segment *seg)
{
    const struct tcp_sack_block *block = seg->options.sack;

    return seq_leq(block[0].right, seg->ack) ||
           (seg->options.sack_count > 1 && seq_geq(block[0].left, block[1].left) &&
            seq_leq(block[0].right, block[1].right));
}

/* RFC 2018 3: blocks lie above the acknowledgment, and hold what the peer has sent. */
static void check_sack(struct sim *sim, unsigned from, const struct tcp_segment *seg)
{
    const struct wire *wire = sim->context;

    for (unsigned i = 0; i < seg->options.sack_count; i++) {
        const struct tcp_sack_block *block = &seg->options.sack[i];
        bool is_below = seq_leq(block->left, seg->ack) && !(i == 0 && is_duplicate_block(seg));
        if (is_below || seq_geq(block->left, block->right) ||
            seq_gt(block->right, wire->end[1 - from].highest))
            sim_fail(sim, "end %u sends a SACK block that makes no sense", from);
    }
}

/* RFC 7323 3.2: TSval does not go back. */
static void check_timestamp(struct sim *sim, unsigned from, struct wire_end *self,
                            const struct tcp_segment *seg)
{
    if (!seg->options.has_timestamps)
        return;
    if (self->has_tsval && seq_lt(seg->options.tsval, self->tsval))
        sim_fail(sim, "TSval of end %u goes back", from);
    self->has_tsval = true;
    self->tsval = seg->options.tsval;
}

static void take_syn(struct wire_end *self, const struct tcp_segment *seg)
{
    if (!self->has_syn)
        self->highest = seg->seq;
    self->has_syn = true;
    self->iss = seg->seq;
    self->mss = seg->options.has_mss ? seg->options.mss : MSS_DEFAULT;
    self->has_window_scale = seg->options.has_window_scale;
    self->window_shift = seg->options.window_scale;
}

static void look_at_sent(struct sim *sim, unsigned from, struct bytes packet,
                         const struct packet_out *out)
{
    struct wire *wire = sim->context;
    struct wire_end *self = &wire->end[from];
    struct ipv4_packet ip;
    struct tcp_segment seg;

    if (ipv4_parse(packet, false, &ip) != DROP_NOT || tcp_parse(ip.payload, &seg) != DROP_NOT) {
        sim_fail(sim, "end %u sends what is no segment", from);
        return;
    }
    if (!out->checksum_needed && !tcp_checksum_is_right(ip.payload, &ip.src, &ip.dst)) /* MUST-2 */
        sim_fail(sim, "wrong TCP checksum");
    if (seg.flags & TCP_RST) /* whether it may is sim.c's to say */
        return;
    if (seg.flags & TCP_SYN)
        take_syn(self, &seg);
    check_size(sim, self, &seg, out);
    check_text(sim, from, self, &seg);
    check_urgent(sim, from, self, &seg);
    check_timestamp(sim, from, self, &seg);
    if (seg.flags & TCP_ACK) {
        check_ack_and_edge(sim, from, &seg);
        check_sack(sim, from, &seg);
    }
    self->highest = seq_max(self->highest, seg.seq + tcp_segment_len(&seg));
}

static void look_at_arrived(struct sim *sim, unsigned at, const struct link_packet *packet)
{
    struct wire *wire = sim->context;
    struct wire_end *self = &wire->end[at];
    struct ipv4_packet ip;
    struct tcp_segment seg;

    if (ipv4_parse(packet->bytes, false, &ip) != DROP_NOT ||
        (!packet->checksum_ok && !tcp_checksum_is_right(ip.payload, &ip.src, &ip.dst)) ||
        tcp_parse(ip.payload, &seg) != DROP_NOT || seg.flags & TCP_RST)
        return;
    if (seg.flags & TCP_SYN)
        self->told_mss = seg.options.has_mss ? seg.options.mss : MSS_DEFAULT;
    if (!(seg.flags & TCP_ACK))
        return;
    uint32_t edge = edge_of(wire, 1 - at, &seg);
    if (!self->is_told_edge || seq_gt(edge, self->told_edge))
        self->told_edge = edge;
    self->is_told_edge = true;
}

static void tests(TCase *tc)
{
    tcase_add_test(tc, the_wire_shows_no_violation);
}

int main(void)
{
    return unit_main("invariants", tests);
}
