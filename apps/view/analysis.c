/* What an observer guesses from the sequence numbers of a conversation: the words in brackets that
 * Wireshark writes before the ports ("[TCP Retransmission]", "[TCP Dup ACK 15#1]"...). Its rules
 * are published in the Wireshark User's Guide, 7.5 "TCP Analysis"; where the guide leaves something
 * open the behaviour of version 4.0 was observed.
 *
 * Each direction remembers the highest sequence number, the last acknowledgment and the last window
 * (struct sequence_view). A segment is judged against that memory first and enters it afterwards.
 * These are guesses: a stack that retransmits knows why, and rows.c prints its reason below. */
#include "dissector.h"

enum {
    FAST_RETRANSMISSION_US = 20000, /* not later after the duplicate acknowledgments */
    OUT_OF_ORDER_US = 3000,         /* when the round trip of the handshake is not known */
    FLAGS_NEVER_QUIET = TCP_SYN | TCP_FIN | TCP_RST,
};

/* Everything a rule may ask about. */
struct judgement {
    const struct tcp_view *seg;
    uint32_t len; /* payload bytes */
    uint64_t time_us;
    const struct conversation *conversation;
    struct sequence_view *fwd, *rev;
    struct findings *findings;
};

static bool is_before(uint32_t a, uint32_t b);
static void set_bases(const struct judgement *j);
static void note_handshake(struct conversation *c, const struct judgement *j);
static bool judge_window_and_ack(const struct judgement *j);
static void judge_position(const struct judgement *j);
static void judge_window_full(const struct judgement *j);
static bool repeats_last_ack(const struct judgement *j);
static bool judge_probe_answers(const struct judgement *j);
static void judge_ack_of_unseen(const struct judgement *j);
static void judge_resent(const struct judgement *j);
static bool is_fast_retransmission(const struct judgement *j);
static bool is_out_of_order(const struct judgement *j, uint32_t end);
static void remember(const struct judgement *j);

void analyse_segment(struct conversation *conversation, unsigned side, const struct tcp_view *seg,
                     uint64_t time_us, uint64_t number, struct findings *findings)
{
    struct judgement j = {
        .seg = seg,
        .len = (uint32_t)seg->payload.len,
        .time_us = time_us,
        .conversation = conversation,
        .fwd = &conversation->direction[side].seen,
        .rev = &conversation->direction[1 - side].seen,
        .findings = findings,
    };

    set_bases(&j);
    note_handshake(conversation, &j);
    if (judge_window_and_ack(&j) && !judge_probe_answers(&j) && repeats_last_ack(&j) &&
        seg->wnd != 0) {
        findings->flags |= FOUND_DUPLICATE_ACK;
        findings->duplicate_ack_count = ++j.fwd->duplicate_ack_count;
        j.fwd->was_acked_beyond = false;
        findings->duplicate_of = j.fwd->last_new_ack_number;
    }
    if (seg->ack != j.fwd->last_ack) {
        j.fwd->last_new_ack_number = number;
        j.fwd->duplicate_ack_count = 0;
    }
    judge_ack_of_unseen(&j);
    judge_resent(&j);
    remember(&j);
}

void analysis_prefix(const struct findings *findings, struct dissection *row)
{
    /* In this order each is put before what the ones above it have written. */
    static const struct {
        enum finding finding;
        const char *words;
    } prefixes[] = {
        {FOUND_REUSED_PORTS, "[TCP Port numbers reused] "},
        {FOUND_RETRANSMISSION, "[TCP Retransmission] "},
        {FOUND_FAST_RETRANSMISSION, "[TCP Fast Retransmission] "},
        {FOUND_SPURIOUS_RETRANSMISSION, "[TCP Spurious Retransmission] "},
        {FOUND_OUT_OF_ORDER, "[TCP Out-Of-Order] "},
        {FOUND_LOST_SEGMENT, "[TCP Previous segment not captured] "},
        {FOUND_ACK_OF_UNSEEN, "[TCP ACKed unseen segment] "},
        {FOUND_WINDOW_UPDATE, "[TCP Window Update] "},
        {FOUND_WINDOW_FULL, "[TCP Window Full] "},
        {FOUND_KEEP_ALIVE, "[TCP Keep-Alive] "},
        {FOUND_KEEP_ALIVE_ACK, "[TCP Keep-Alive ACK] "},
        {FOUND_DUPLICATE_ACK, ""},
        {FOUND_ZERO_WINDOW_PROBE, "[TCP ZeroWindowProbe] "},
        {FOUND_ZERO_WINDOW, "[TCP ZeroWindow] "},
        {FOUND_ZERO_WINDOW_PROBE_ACK, "[TCP ZeroWindowProbeAck] "},
    };

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if ((findings->flags & prefixes[i].finding) == 0)
            continue;
        if (prefixes[i].finding == FOUND_DUPLICATE_ACK)
            info_prepend(row, "[TCP Dup ACK %llu#%u] ", (unsigned long long)findings->duplicate_of,
                         findings->duplicate_ack_count);
        else
            info_prepend(row, "%s", prefixes[i].words);
    }
}

/* In sequence space, 9293 3.4. */
static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* Where relative numbers count from. Without the SYN, from one before the first number seen. */
static void set_bases(const struct judgement *j)
{
    if (!j->fwd->has_base) {
        j->fwd->has_base = true;
        j->fwd->base = (j->seg->flags & TCP_SYN) != 0 ? j->seg->seq : j->seg->seq - 1;
    }
    if (!j->rev->has_base && (j->seg->flags & TCP_ACK) != 0) {
        j->rev->has_base = true;
        j->rev->base = j->seg->ack - 1;
    }
}

/* The round trip of the handshake: from the last SYN to the first segment that acknowledges without
 * being a SYN, whoever sends it. */
static void note_handshake(struct conversation *c, const struct judgement *j)
{
    unsigned kind = j->seg->flags & (TCP_SYN | TCP_ACK);

    if (kind == TCP_SYN) {
        c->syn_us = j->time_us;
        c->has_syn = true;
    }
    if (kind != TCP_ACK || c->has_first_rtt || !c->has_syn)
        return;
    c->first_rtt_us = j->time_us - c->syn_us;
    c->has_first_rtt = c->first_rtt_us > 0;
}

/* Returns false for a zero window probe, about which nothing else is asked. */
static bool judge_window_and_ack(const struct judgement *j)
{
    if (j->len == 1 && j->fwd->has_next && j->seg->seq == j->fwd->next && j->rev->has_next &&
        j->rev->wnd == 0) {
        j->findings->flags |= FOUND_ZERO_WINDOW_PROBE;
        return false;
    }
    if (j->seg->wnd == 0 && (j->seg->flags & FLAGS_NEVER_QUIET) == 0)
        j->findings->flags |= FOUND_ZERO_WINDOW;
    judge_position(j);
    judge_window_full(j);
    return true;
}

static void judge_position(const struct judgement *j)
{
    const struct tcp_view *seg = j->seg;

    if (j->fwd->has_next && is_before(j->fwd->next, seg->seq) && (seg->flags & TCP_RST) == 0)
        j->findings->flags |= FOUND_LOST_SEGMENT;
    if ((seg->flags & FLAGS_NEVER_QUIET) != 0 || !j->fwd->has_next)
        return;
    if (j->len <= 1 && seg->seq == j->fwd->next - 1)
        j->findings->flags |= FOUND_KEEP_ALIVE;
    if (j->len == 0 && seg->wnd != 0 && seg->wnd != j->fwd->wnd && seg->seq == j->fwd->next &&
        seg->ack == j->fwd->last_ack)
        j->findings->flags |= FOUND_WINDOW_UPDATE;
}

/* The segment ends exactly where the window that the peer has announced ends. */
static void judge_window_full(const struct judgement *j)
{
    int scale = j->rev->wnd_is_scaled && j->rev->window_scale >= 0 ? j->rev->window_scale : 0;
    uint32_t edge = j->rev->last_ack + (j->rev->wnd << scale);

    if (j->len > 0 && j->rev->window_scale != WINDOW_SCALE_UNKNOWN &&
        j->seg->seq + j->len == edge && (j->seg->flags & FLAGS_NEVER_QUIET) == 0)
        j->findings->flags |= FOUND_WINDOW_FULL;
}

/* No data, and the same window and numbers as before. */
static bool repeats_last_ack(const struct judgement *j)
{
    return j->len == 0 && j->fwd->has_next && j->seg->wnd == j->fwd->wnd &&
           j->seg->seq == j->fwd->next && j->seg->ack == j->fwd->last_ack &&
           (j->seg->flags & FLAGS_NEVER_QUIET) == 0;
}

static bool judge_probe_answers(const struct judgement *j)
{
    bool probed = (j->rev->last_findings & FOUND_ZERO_WINDOW_PROBE) != 0;

    if (repeats_last_ack(j) && j->seg->wnd != 0 &&
        (j->rev->last_findings & FOUND_KEEP_ALIVE) != 0) {
        j->findings->flags |= FOUND_KEEP_ALIVE_ACK;
        return true;
    }
    if (!probed || !repeats_last_ack(j) || j->seg->wnd != 0)
        return false;
    j->findings->flags |= FOUND_ZERO_WINDOW_PROBE_ACK;
    return true;
}

/* About what lies behind a hole it is said once. About what was never seen, too, until the other
 * end changes its own acknowledgment, and not at all after that end's duplicate acknowledgments,
 * which are counted anew then. */
static void judge_ack_of_unseen(const struct judgement *j)
{
    struct sequence_view *rev = j->rev;
    bool is_said = false;

    if (!rev->has_continuous || (j->seg->flags & TCP_ACK) == 0 ||
        !is_before(rev->continuous, j->seg->ack))
        return;
    if (rev->continuous == rev->next) {
        is_said = rev->was_acked_beyond || rev->duplicate_ack_count > 0;
        rev->was_acked_beyond = true;
        rev->duplicate_ack_count = 0;
    }
    if (!is_said)
        j->findings->flags |= FOUND_ACK_OF_UNSEEN;
    rev->continuous = rev->next;
}

/* Data, SYN or FIN that lies below the highest number seen: one of four things. */
static void judge_resent(const struct judgement *j)
{
    uint32_t end = j->seg->seq + j->len;
    bool has_syn_or_fin = (j->seg->flags & (TCP_SYN | TCP_FIN)) != 0;
    bool is_resent = j->fwd->has_next && is_before(j->seg->seq, j->fwd->next);

    if ((j->len == 0 && !has_syn_or_fin) || (j->findings->flags & FOUND_KEEP_ALIVE) != 0)
        return;
    if (j->len > 1 && j->fwd->next - 1 == j->seg->seq) /* repeats a probe's byte, but brings more */
        is_resent = false;
    if (j->len > 0 && j->rev->has_last_ack && !is_before(j->rev->last_ack, end))
        j->findings->flags |= FOUND_SPURIOUS_RETRANSMISSION;
    else if (is_resent && is_fast_retransmission(j))
        j->findings->flags |= FOUND_FAST_RETRANSMISSION;
    else if (is_resent && is_out_of_order(j, end + (has_syn_or_fin ? 1 : 0)))
        j->findings->flags |= FOUND_OUT_OF_ORDER;
    else if (is_resent)
        j->findings->flags |= FOUND_RETRANSMISSION;
}

/* Soon after duplicate acknowledgments that asked for it. Acknowledging what the other end was
 * never seen to send counts as if they had been among that, until it acknowledges again. */
static bool is_fast_retransmission(const struct judgement *j)
{
    return (j->rev->duplicate_ack_count >= 2 || j->rev->was_acked_beyond) &&
           j->rev->last_ack == j->seg->seq &&
           j->time_us - j->rev->last_ack_us < FAST_RETRANSMISSION_US;
}

/* It came soon after the highest number, and it is not the last segment once more. */
static bool is_out_of_order(const struct judgement *j, uint32_t end)
{
    uint64_t soon_us =
        j->conversation->has_first_rtt ? j->conversation->first_rtt_us : OUT_OF_ORDER_US;

    return j->time_us - j->fwd->next_us < soon_us && j->fwd->next != end;
}

static void remember(const struct judgement *j)
{
    struct sequence_view *fwd = j->fwd;
    uint32_t end = j->seg->seq + j->len + ((j->seg->flags & (TCP_SYN | TCP_FIN)) != 0 ? 1 : 0);
    bool is_probe = (j->findings->flags & FOUND_ZERO_WINDOW_PROBE) != 0;

    if ((!fwd->has_next || is_before(fwd->next, end)) && !is_probe) {
        fwd->has_next = true;
        fwd->next = end;
        fwd->next_us = j->time_us;
    }
    if (j->seg->ack != fwd->last_ack)
        fwd->was_acked_beyond = false;
    if ((!fwd->has_continuous || j->seg->seq == fwd->continuous) && !is_probe) {
        fwd->has_continuous = true;
        fwd->continuous = fwd->next;
    }
    fwd->wnd = j->seg->wnd;
    fwd->wnd_is_scaled = (j->seg->flags & TCP_SYN) == 0;
    fwd->last_ack = j->seg->ack;
    fwd->has_last_ack = j->seg->ack != 0;
    fwd->last_ack_us = j->time_us;
    fwd->last_findings = j->findings->flags;
}
