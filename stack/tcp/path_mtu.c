/* How large the packets of a connection may be: the size in use, and what routers say of it. How it
 * is found out where they say nothing is path_mtu_search.c. One state serves both:
 *
 *     |-- passes -->|<------- not known ------->|<-- does not pass
 *    68            mtu        next_probe    search_high
 *
 * A router that cannot forward a packet says what the next link takes (RFC 1191): `mtu` is lowered,
 * and what was too large goes out again in smaller pieces at once. Anybody can forge such a
 * message, and many tiny segments are an attack (RFC 5927 section 7). Therefore
 *   - it must quote a sequence number in flight (4.1; the caller has checked that);
 *   - a packet larger than it claims must have been sent (7.2, maxsizesent; Departure: one as large
 *     as it claims is not enough, for that would have passed);
 *   - if no packet of the claimed size has been acknowledged yet, it is believed: that is what
 *     happens at the beginning of a connection ("Initial Path-MTU Discovery");
 *   - otherwise it is only noted ("Path-MTU Update"): as long as segments larger than the claim are
 *     acknowledged it is a lie. It is believed when the retransmission timer fires with the quoted
 *     segment still unacknowledged, and forgotten when that is acknowledged (7.2 with MAXSEGRTO 1);
 *   - claims below path_mtu_min_bytes count as that. Departure from RFC 1191 (3), by which the size
 *     follows a router down to 68: of links as narrow nobody has heard, and if there is one the
 *     search finds what it takes.
 *
 * What is learned is told to ip/ for other connections: a router's word when it is believed, a
 * guess when it is acknowledged.
 *
 * Not done: telling a connection at once what another one has learned of the same path (RFC 1191
 * 6.2; a SHOULD in RFC 4821 section 4); it will hear or notice by itself. */
#include "path_mtu.h"

#include "path_mtu_search.h"
#include "recovery/recovery.h"
#include "recovery/undo.h"
#include "seq.h"

static void shrink_windows(struct tcb *tcb, uint32_t old_mss);
static void lose_larger(struct tcb *tcb);
static void take_sample(struct tcb *tcb, uint32_t seq, uint32_t len);
static uint16_t claimed_mtu(const struct tcb *tcb, const struct icmp_error *error);
static void believe(struct tcb *tcb, uint16_t mtu, const char *cause, const char *clause);
static bool is_sacked(const struct tcb *tcb, uint32_t seq);

void path_mtu_trace(const struct tcb *tcb, enum trace_path_mtu what, uint16_t mtu_bytes,
                    const char *cause, const char *clause)
{
    tcb_trace(tcb, (struct trace_event){.kind = TRACE_PATH_MTU,
                                        .cause = cause,
                                        .clause = clause,
                                        .u.path_mtu = {what, mtu_bytes}});
}

static uint16_t smaller(uint16_t a, uint16_t b)
{
    return a < b ? a : b;
}

/* ---- one size takes the place of another */

void path_mtu_start(struct tcb *tcb)
{
    uint16_t mtu = ip_path_mtu(tcb->stack, &tcb->flow.id.remote);

    tcb->work->path = (struct path_mtu){.mtu = mtu, .search_high = mtu, .not_before_us = NEVER};
}

void path_mtu_on_established(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->work->path;
    uint16_t limit = tcb_packet_limit(tcb);

    if (path->mtu < limit) {
        path->not_before_us = tcb->stack->now_us + tcb->config->path_mtu_raise_us;
        path_mtu_trace(tcb, PATH_MTU_KNOWN, path->mtu, "an earlier connection has found it out",
                       "RFC 1191 6.2");
    }
    path->mtu = path->search_high = smaller(path->mtu, limit);
}

/* The congestion window keeps its segments when they become smaller, or there would be a burst of
 * them (RFC 4821 section 4, RFC 5681 3.1; RFC 1191 6.4 lets it keep its bytes), and its bytes when
 * they become larger (RFC 4821 section 4). */
void path_mtu_use(struct tcb *tcb, uint16_t mtu)
{
    uint32_t old_mss = tcb->snd_mss;

    tcb->work->path.mtu = mtu;
    tcb_update_mss(tcb);
    tcb->work->cc.mss = tcb->snd_mss;
    if (tcb->snd_mss < old_mss)
        shrink_windows(tcb, old_mss);
}

/* As many segments as before. What a reduction before that has taken is not given back: it was
 * counted in larger ones. */
static void shrink_windows(struct tcb *tcb, uint32_t old_mss)
{
    struct congestion *cc = &tcb->work->cc;

    cc->cwnd = (uint32_t)((uint64_t)cc->cwnd * tcb->snd_mss / old_mss);
    cc->initial_cwnd = (uint32_t)((uint64_t)cc->initial_cwnd * tcb->snd_mss / old_mss);
    undo_disarm(tcb);
    tcb->work->frto.step = FRTO_OFF;
}

void path_mtu_tell_others(struct tcb *tcb)
{
    uint16_t mtu = tcb->work->path.mtu;

    /* What both ends take is no limit of the path. */
    ip_learn_path_mtu(tcb->stack, &tcb->flow.id.remote,
                      mtu < tcb_packet_limit(tcb) ? mtu : UINT16_MAX);
}

/* What was measured with larger segments no longer counts. */
void path_mtu_lower(struct tcb *tcb, uint16_t mtu)
{
    struct path_mtu *path = &tcb->work->path;

    path->acked = smaller(path->acked, mtu);
    path->sent = 0;
    path->probe.is_out = path->sample.is_out = path->claim.is_pending = false;
    path_mtu_use(tcb, mtu);
    lose_larger(tcb);
}

/* It is sent again at once (RFC 1191 6.4), and is no sign of congestion.
 *
 * Departure from RFC 1191 6.4, which sends one segment alone until acknowledgments arrive: all that
 * the window allows goes again. The router has thrown away what was too large, however empty its
 * queue is. */
static void lose_larger(struct tcb *tcb)
{
    for (unsigned i = 0; i < tcb->work->in_flight.count; i++) {
        const struct tx_record *record = records_at(&tcb->work->in_flight, i);
        if (record->end - record->start > tcb->snd_mss)
            records_mark_lost(&tcb->work->in_flight, i, UINT32_MAX);
    }
    tcb->work->recovery.send_one = true;
    tcb->work->resend_cause = "the path takes smaller packets only (RFC 1191)";
    tcb_wants_output(tcb);
}

/* ---- segments, and their acknowledgments */

void path_mtu_on_sent(struct tcb *tcb, uint32_t seq, uint32_t len, bool is_probe)
{
    if (!tcb_is_synchronized(tcb) || len == 0)
        return;
    if (is_probe) {
        search_on_probe_sent(tcb, seq, len);
        return;
    }
    search_on_sent(tcb, seq);
    take_sample(tcb, seq, len);
}

/* A segment that shows, when it is acknowledged, that its size passes. If it went out in several
 * sizes, the least of them has passed. */
static void take_sample(struct tcb *tcb, uint32_t seq, uint32_t len)
{
    struct path_mtu *path = &tcb->work->path;
    uint32_t payload = len < tcb->snd_mss ? len : tcb->snd_mss;
    uint16_t size = (uint16_t)(tcb_header_bytes(tcb) + payload);

    if (size > path->sent)
        path->sent = size;
    if (!path->sample.is_out && size > path->acked) {
        path->sample.is_out = true;
        path->sample.end = seq + payload;
        path->sample.size = size;
    } else if (path->sample.is_out && seq_lt(seq, path->sample.end)) {
        path->sample.size = smaller(path->sample.size, size);
    }
}

void path_mtu_on_ack(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->work->path;

    path->vanished_count = 0;
    path->has_reason = false;
    if (path->claim.is_pending && seq_gt(tcb->snd_una, path->claim.seq))
        path->claim.is_pending = false;
    if (path->sample.is_out && seq_geq(tcb->snd_una, path->sample.end)) {
        path->sample.is_out = false;
        if (path->sample.size > path->acked)
            path->acked = path->sample.size;
        if (path->is_guess && path->acked >= path->mtu)
            search_on_guess_confirmed(tcb);
    }
    search_on_ack(tcb);
}

/* ---- what a router says */

void path_mtu_on_too_big(struct tcb *tcb, const struct icmp_error *error, uint32_t seq)
{
    struct path_mtu *path = &tcb->work->path;
    uint16_t mtu = claimed_mtu(tcb, error);

    if (mtu >= path->sent) /* a lie: a packet of that size would have passed */
        return;
    if (mtu >= path->mtu) {
        if (search_is_in_probe(tcb, seq)) /* else old: only a probe makes packets larger */
            search_on_probe_too_big(tcb, mtu);
    } else if (mtu >= path->acked) {
        believe(tcb, mtu, "a router says what the next link takes", "RFC 1191 6.4");
    } else if (!path->claim.is_pending || path->claim.mtu != mtu) { /* one for a whole flight */
        path->claim.is_pending = true;
        path->claim.seq = seq;
        path->claim.mtu = mtu;
        path_mtu_trace(tcb, PATH_MTU_CLAIMED, mtu,
                       "larger packets were acknowledged: it waits until this segment times out",
                       "RFC 5927 7.2");
    }
}

/* A router from before RFC 1191 says 0: then the next plateau below what was sent (section 5).
 *
 * Departure from that section: where the length that is quoted is not below the estimate, some
 * routers have counted a header twice, and it wants one taken off. We know what we have sent. */
static uint16_t claimed_mtu(const struct tcb *tcb, const struct icmp_error *error)
{
    uint16_t mtu = error->next_hop_mtu;

    if (mtu == 0)
        mtu = search_plateau_below(smaller(error->quoted_bytes, tcb->work->path.sent));
    return mtu < tcb->config->path_mtu_min_bytes ? tcb->config->path_mtu_min_bytes : mtu;
}

static void believe(struct tcb *tcb, uint16_t mtu, const char *cause, const char *clause)
{
    struct path_mtu *path = &tcb->work->path;

    path_mtu_lower(tcb, mtu);
    path->is_guess = false;
    path->suspect = 0;
    search_end(tcb);
    path_mtu_trace(tcb, PATH_MTU_LOWERED, mtu, cause, clause);
    path_mtu_tell_others(tcb);
}

void path_mtu_on_timeout(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->work->path;

    if (!tcb_is_synchronized(tcb))
        return;
    search_on_timeout(tcb);
    if (path->claim.is_pending && !is_sacked(tcb, path->claim.seq)) {
        believe(tcb, path->claim.mtu, "a router has said so, and the segment has timed out",
                "RFC 5927 7.2");
        return;
    }
    path->claim.is_pending = false;
    search_on_silence(tcb);
}

static bool is_sacked(const struct tcb *tcb, uint32_t seq)
{
    for (unsigned i = 0; i < tcb->work->in_flight.count; i++) {
        const struct tx_record *record = records_at(&tcb->work->in_flight, i);
        if (seq_in(seq, record->start, record->end - record->start))
            return record->sacked;
    }
    return false;
}
