/* How large the packets of a connection may be. Two ways lead to it, and one state serves both:
 *
 *     |-- passes -->|<------- not known ------->|<-- does not pass
 *    68            mtu        next_probe    search_high
 *
 * With ICMP (RFC 1191): a router that cannot forward a packet says what the next link takes; `mtu`
 * is lowered, and what was too large goes out again in smaller pieces at once. Anybody can forge
 * such a message, and many tiny segments are an attack (RFC 5927 section 7). Therefore
 *   - it must quote a sequence number in flight (the caller has checked that);
 *   - if no packet of the claimed size has been acknowledged yet, it is believed: that is what
 *     happens at the beginning of a connection ("Initial Path-MTU Discovery");
 *   - otherwise it is only noted ("Path-MTU Update"): as long as segments larger than the claim are
 *     acknowledged it is a lie. It is believed when the retransmission timer fires with the quoted
 *     segment still unacknowledged, and forgotten when that is acknowledged (7.2 with MAXSEGRTO 1);
 *   - claims below path_mtu_min_bytes count as that.
 *
 * Without ICMP (RFC 4821), where a firewall swallows the message: when a full-sized segment goes
 * unanswered black_hole_count times in a row, its size is suspected, and smaller ones are tried
 * until one is acknowledged. Then the largest that passes is searched by probes: a segment with
 * real data takes the place of an ordinary one and is larger than those. It is sent only when at
 * least three ordinary ones follow at once, so that duplicate ACKs show its loss (7.4); the loss
 * says nothing about congestion (7.6.2), and its bytes go out again in ordinary segments (the
 * "non-overlapping" method of 10.1). An outage looks like a black hole, so the first probe has the
 * size that was in use before: if it passes, all is as it was.
 *
 * Upwards: path_mtu_raise_us after the last decrease (RFC 1191 section 3), or after a search (RFC
 * 4821 7.3), the same search begins, from the top. No timer runs for it: an idle connection has
 * nothing to find out. It is asked when there is data to send.
 *
 * What is learned is told to ip/ for other connections: a router's word when it is believed, a
 * guess when it is acknowledged.
 *
 * Departure from RFC 4821 7.7, which halves the size down to 68 bytes: we stop at 256. An outage of
 * some seconds would lead to segments of 16 bytes; of links between these sizes nobody has heard.
 *
 * Not done: telling a connection what another one has just learned of the same path; it will hear
 * or notice by itself. */
#include "path_mtu.h"

#include "recovery/recovery.h"
#include "seq.h"

/* RFC 1191 section 7: sizes that links have, for routers that do not say theirs, and to find the
 * right one sooner. Beside its table (as of 1990): Ethernet, with jumbo frames, with PPPoE (1492),
 * in an IP tunnel (1480), in WireGuard (1420); the least of IPv6 and of IPv4. */
static const uint16_t plateaus[] = {65535, 32000, 17914, 9000, 8166, 4352, 2002, 1500, 1492,
                                    1480,  1420,  1280,  1006, 576,  508,  296,  68};
enum { PLATEAU_COUNT = sizeof plateaus / sizeof plateaus[0] };

enum {
    BASE_BYTES = 1024, /* RFC 4821 7.2: "probably safe enough" */
    LEAST_BYTES = 256,
    STEP_BYTES = 16,         /* a search that has come so close is done */
    SEGMENTS_BEHIND = 3,     /* a probe: DupThresh */
    PAUSE_TIMEOUT_TIMES = 5, /* RFC 4821 7.6.3: a lost probe that costs a time-out is dear */
};

static void trace(const struct tcb *tcb, enum trace_path_mtu what, uint16_t mtu_bytes,
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

/* The congestion window keeps its segments when they become smaller, or there would be a burst of
 * them (RFC 4821 section 4, RFC 5681 3.1; RFC 1191 6.4 lets it keep its bytes), and its bytes when
 * they become larger (RFC 4821 section 4). */
static void use(struct tcb *tcb, uint16_t mtu)
{
    uint32_t old_mss = tcb->snd_mss;

    tcb->path.mtu = mtu;
    tcb_update_mss(tcb);
    tcb->cc.mss = tcb->snd_mss;
    if (tcb->snd_mss < old_mss)
        tcb->cc.cwnd = (uint32_t)((uint64_t)tcb->cc.cwnd * tcb->snd_mss / old_mss);
}

void path_mtu_start(struct tcb *tcb)
{
    uint16_t mtu = ip_path_mtu(tcb->stack, &tcb->flow.id.remote);

    tcb->path = (struct path_mtu){.mtu = mtu, .search_high = mtu, .not_before_us = NEVER};
}

void path_mtu_on_established(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->path;
    uint16_t limit = tcb_packet_limit(tcb);

    if (path->mtu < limit) {
        path->not_before_us = tcb->stack->now_us + tcb->config->path_mtu_raise_us;
        trace(tcb, PATH_MTU_KNOWN, path->mtu, "an earlier connection has found it out",
              "RFC 1191 6.2");
    }
    path->mtu = path->search_high = smaller(path->mtu, limit);
}

/* What was measured with larger segments no longer counts, and what of them is in flight is lost:
 * it is sent again at once (RFC 1191 6.4), and is no sign of congestion.
 *
 * Departure from RFC 1191 6.4, which sends one segment alone until acknowledgments arrive: all that
 * the window allows goes again. The router has thrown away what was too large, however empty its
 * queue is. */
static void lower(struct tcb *tcb, uint16_t mtu)
{
    struct path_mtu *path = &tcb->path;

    path->acked = smaller(path->acked, mtu);
    path->sent = 0;
    path->probe.is_out = path->sample.is_out = path->claim.is_pending = false;
    use(tcb, mtu);
    for (unsigned i = 0; i < tcb->in_flight.count; i++) {
        const struct tx_record *record = records_at(&tcb->in_flight, i);
        if (record->end - record->start > tcb->snd_mss)
            records_mark_lost(&tcb->in_flight, i, UINT32_MAX);
    }
    tcb->recovery.send_one = true;
    tcb->resend_cause = "the path takes smaller packets only (RFC 1191)";
    tcb_wants_output(tcb);
}

/* ---- the search */

/* Half-way between what passes and what does not, or the nearest size there that links have. 0:
 * close enough. */
static uint16_t size_between(uint16_t low, uint16_t high)
{
    uint16_t middle = (uint16_t)(low + (high - low + 1) / 2), best = 0;

    if (high < low + STEP_BYTES)
        return 0;
    for (unsigned i = 0; i < PLATEAU_COUNT; i++) {
        uint16_t size = plateaus[i];
        int distance = size > middle ? size - middle : middle - size;
        int best_distance = best > middle ? best - middle : middle - best;
        if (size > low && size <= high && (best == 0 || distance < best_distance))
            best = size;
    }
    return best != 0 ? best : middle;
}

static void end_search(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->path;

    path->not_before_us = path->mtu < tcb_packet_limit(tcb)
                              ? tcb->stack->now_us + tcb->config->path_mtu_raise_us
                              : NEVER;
    path->search_high = path->mtu;
}

static void begin_search(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->path;

    path->search_high = path->next_probe = tcb_packet_limit(tcb);
    path->not_before_us = tcb->stack->now_us;
    if (path->search_high <= path->mtu)
        end_search(tcb);
}

/* The search goes on between `mtu` and `search_high`, `wait_us` from now. */
static void narrow_search(struct tcb *tcb, uint64_t wait_us)
{
    struct path_mtu *path = &tcb->path;

    path->next_probe = size_between(path->mtu, path->search_high);
    path->not_before_us = tcb->stack->now_us + wait_us;
    if (path->next_probe == 0)
        end_search(tcb);
}

/* RFC 4821 7.6.2: losses without congestion control must be rarer than those with it. The next one
 * of these is expected after as many round trips as the window has packets. */
static uint64_t pause_us(const struct tcb *tcb)
{
    uint64_t rtt_us = tcb->rto.srtt_us != 0 ? tcb->rto.srtt_us : tcb->rto.rto_us;

    return (tcb->cc.cwnd / tcb->snd_mss + 1) * rtt_us;
}

static void on_probe_arrived(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->path;

    path->probe.is_out = false;
    path->acked = path->probe.size;
    path->suspect = 0;
    use(tcb, path->probe.size);
    trace(tcb, PATH_MTU_RAISED, path->mtu, "the probe is acknowledged", "RFC 4821 7.6.1");
    /* What both ends take is no limit of the path. */
    ip_learn_path_mtu(tcb->stack, &tcb->flow.id.remote,
                      path->mtu < tcb_packet_limit(tcb) ? path->mtu : UINT16_MAX);
    narrow_search(tcb, 0);
}

/* Nothing larger than `high` passes. */
static void on_probe_lost(struct tcb *tcb, uint16_t high, uint64_t wait_us, const char *cause,
                          const char *clause)
{
    struct path_mtu *path = &tcb->path;

    path->probe.is_out = false;
    trace(tcb, PATH_MTU_PROBE_LOST, path->probe.size, cause, clause);
    path->search_high = high;
    if (path->suspect > path->mtu) /* then it was no outage */
        path->search_high = smaller(high, path->suspect - 1);
    path->suspect = 0;
    narrow_search(tcb, wait_us);
}

/* ---- probes */

static bool is_search_due(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->path;

    if (tcb->stack->now_us < path->not_before_us || path->is_guess || path->probe.is_out)
        return false;
    if (path->search_high <= path->mtu && tcb->config->path_mtu_raise_us > 0)
        begin_search(tcb);
    return path->search_high > path->mtu;
}

/* RFC 4821 7.4: no losses, room for the probe and what shows its loss, and no duplicate ACKs that
 * speak of something else. */
uint32_t path_mtu_probe_bytes(struct tcb *tcb, uint32_t room)
{
    if (room <= (SEGMENTS_BEHIND + 1) * tcb->snd_mss || !is_search_due(tcb))
        return 0;
    uint32_t probe_bytes = tcb->path.next_probe - tcb_header_bytes(tcb);
    bool is_quiet = !tcb->recovery.is_active && !tcb->recovery.is_after_timeout &&
                    tcb->recovery.dup_ack_count == 0 && tcb->in_flight.lost_bytes == 0 &&
                    tcb->in_flight.sacked_bytes == 0;

    return is_quiet && room >= probe_bytes + SEGMENTS_BEHIND * tcb->snd_mss ? probe_bytes : 0;
}

static bool is_in_probe(const struct tcb *tcb, uint32_t seq)
{
    const struct path_mtu *path = &tcb->path;

    return path->probe.is_out &&
           seq_in(seq, path->probe.start, path->probe.end - path->probe.start);
}

/* SACKs may have cut it. */
static bool is_of_probe(const struct tcb *tcb, const struct tx_record *record)
{
    return is_in_probe(tcb, record->start) && seq_leq(record->end, tcb->path.probe.end);
}

/* RFC 4821 7.6.4: inconclusive; the same again later. */
static void give_up_probe(struct tcb *tcb)
{
    tcb->path.probe.is_out = false;
    tcb->path.not_before_us = tcb->stack->now_us + pause_us(tcb);
}

static void on_probe_sent(struct tcb *tcb, uint32_t seq, uint32_t len)
{
    struct path_mtu *path = &tcb->path;

    path->probe.is_out = true;
    path->probe.start = seq;
    path->probe.end = seq + len;
    path->probe.size = path->sent = path->next_probe;
    trace(tcb, PATH_MTU_PROBED, path->probe.size,
          "one larger segment, to see whether the path takes it", "RFC 4821 7.3");
}

/* A segment that shows, when it is acknowledged, that its size passes. If it went out in several
 * sizes, the least of them has passed. */
static void take_sample(struct tcb *tcb, uint32_t seq, uint32_t len)
{
    struct path_mtu *path = &tcb->path;
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

void path_mtu_on_sent(struct tcb *tcb, uint32_t seq, uint32_t len, bool is_probe)
{
    if (!tcb_is_synchronized(tcb) || len == 0)
        return;
    if (is_probe) {
        on_probe_sent(tcb, seq, len);
        return;
    }
    if (is_in_probe(tcb, seq)) /* what is acknowledged from now on may be this copy */
        give_up_probe(tcb);
    take_sample(tcb, seq, len);
}

/* Its bytes go out again in ordinary segments, without a recovery; nor may the duplicate ACKs that
 * are still under way begin one. */
static void resend_probe(struct tcb *tcb)
{
    for (unsigned i = 0; i < tcb->in_flight.count; i++) {
        const struct tx_record *record = records_at(&tcb->in_flight, i);
        if (is_of_probe(tcb, record))
            records_mark_lost(&tcb->in_flight, i, UINT32_MAX);
    }
    tcb->recovery.recover = tcb->snd_nxt;
    tcb->recovery.send_one = true;
    tcb->resend_cause = "the bytes of a lost path MTU probe";
    tcb_wants_output(tcb);
}

bool path_mtu_takes_loss(struct tcb *tcb)
{
    bool is_lost = false, is_alone = true;

    if (!tcb->path.probe.is_out)
        return false;
    for (unsigned i = 0; i < tcb->in_flight.count; i++) {
        const struct tx_record *record = records_at(&tcb->in_flight, i);
        is_lost = is_lost || (record->lost && is_of_probe(tcb, record));
        is_alone = is_alone && (!record->lost || is_of_probe(tcb, record));
    }
    if (is_lost && is_alone) {
        resend_probe(tcb);
        on_probe_lost(tcb, tcb->path.probe.size - 1, pause_us(tcb),
                      "what was sent behind it has arrived; no sign of congestion",
                      "RFC 4821 7.6.2");
        return true;
    }
    if (is_lost)
        give_up_probe(tcb);
    return false;
}

/* ---- acknowledgments */

/* The size that was guessed passes: other connections may know, and what else passes is searched.
 */
static void confirm_guess(struct tcb *tcb)
{
    tcb->path.is_guess = false;
    ip_learn_path_mtu(tcb->stack, &tcb->flow.id.remote, tcb->path.mtu);
    begin_search(tcb);
}

void path_mtu_on_ack(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->path;

    path->vanished_count = 0;
    path->has_reason = false;
    if (path->claim.is_pending && seq_gt(tcb->snd_una, path->claim.seq))
        path->claim.is_pending = false;
    if (path->sample.is_out && seq_geq(tcb->snd_una, path->sample.end)) {
        path->sample.is_out = false;
        if (path->sample.size > path->acked)
            path->acked = path->sample.size;
        if (path->is_guess && path->acked >= path->mtu)
            confirm_guess(tcb);
    }
    if (path->probe.is_out && seq_geq(tcb->snd_una, path->probe.end))
        on_probe_arrived(tcb);
}

/* ---- what a router says */

static void believe(struct tcb *tcb, uint16_t mtu, const char *cause, const char *clause)
{
    struct path_mtu *path = &tcb->path;

    lower(tcb, mtu);
    path->is_guess = false;
    path->suspect = 0;
    end_search(tcb);
    trace(tcb, PATH_MTU_LOWERED, mtu, cause, clause);
    ip_learn_path_mtu(tcb->stack, &tcb->flow.id.remote, mtu);
}

/* A router from before RFC 1191 says 0: then the next plateau below what was sent (section 5; some
 * count a header twice in what they quote). */
static uint16_t claimed_mtu(const struct tcb *tcb, const struct icmp_error *error)
{
    const struct path_mtu *path = &tcb->path;
    uint16_t sent = smaller(error->quoted_bytes, path->probe.is_out ? path->probe.size : path->mtu);
    uint16_t mtu = error->next_hop_mtu;

    for (unsigned i = 0; i < PLATEAU_COUNT && mtu == 0; i++)
        if (plateaus[i] < sent)
            mtu = plateaus[i];
    return mtu < tcb->config->path_mtu_min_bytes ? tcb->config->path_mtu_min_bytes : mtu;
}

void path_mtu_on_too_big(struct tcb *tcb, const struct icmp_error *error, uint32_t seq)
{
    struct path_mtu *path = &tcb->path;
    uint16_t mtu = claimed_mtu(tcb, error);

    if (mtu >= path->sent)
        return; /* a packet of that size would have passed */
    if (is_in_probe(tcb, seq) && mtu >= path->mtu && mtu < path->probe.size) {
        resend_probe(tcb);
        on_probe_lost(tcb, mtu, pause_us(tcb), "a router says that it is too large",
                      "RFC 4821 7.6.2");
        path->next_probe = path->search_high; /* the very size that the router has named */
    } else if (mtu >= path->mtu) {
        return; /* nothing makes packets larger but a probe that arrives */
    } else if (mtu < path->acked) {
        if (path->claim.is_pending && path->claim.mtu == mtu)
            return; /* one for each segment of a flight */
        path->claim.is_pending = true;
        path->claim.seq = seq;
        path->claim.mtu = mtu;
        trace(tcb, PATH_MTU_CLAIMED, mtu,
              "larger packets were acknowledged: it waits until this segment times out",
              "RFC 5927 7.2");
    } else {
        believe(tcb, mtu, "a router says what the next link takes", "RFC 1191 6.4");
    }
}

/* ---- silence */

/* What goes out again when the timer fires; 0: the peer has no room for it, and need not answer. */
static uint16_t head_bytes(const struct tcb *tcb)
{
    if (tcb->in_flight.count == 0)
        return 0;
    const struct tx_record *record = records_at(&tcb->in_flight, 0);
    uint32_t payload = record->end - record->start;

    if (payload > tcb->snd_mss)
        payload = tcb->snd_mss;
    return seq_leq(record->start + payload, tcb_snd_edge(tcb))
               ? (uint16_t)(tcb_header_bytes(tcb) + payload)
               : 0;
}

/* RFC 4821 7.7: first down to what is probably safe, then by halves. */
static uint16_t size_below(uint16_t mtu)
{
    if (mtu > BASE_BYTES)
        return BASE_BYTES;
    return mtu / 2 > LEAST_BYTES ? mtu / 2 : LEAST_BYTES;
}

/* The peer does not answer, and a smaller segment might do better. What was acknowledged before
 * says nothing any more. */
static void suspect_black_hole(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->path;
    uint16_t mtu = size_below(path->mtu);

    path->suspect = path->mtu;
    path->acked = 0;
    path->is_guess = true;
    lower(tcb, mtu);
    trace(tcb, PATH_MTU_SUSPECTED, mtu,
          "full-sized segments are not answered, and no router complains", "RFC 4821 7.7");
}

static bool is_sacked(const struct tcb *tcb, uint32_t seq)
{
    for (unsigned i = 0; i < tcb->in_flight.count; i++) {
        const struct tx_record *record = records_at(&tcb->in_flight, i);
        if (seq_in(seq, record->start, record->end - record->start))
            return record->sacked;
    }
    return false;
}

void path_mtu_on_timeout(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->path;

    if (!tcb_is_synchronized(tcb))
        return;
    if (path->probe.is_out && path->probe.start == tcb->snd_una)
        on_probe_lost(tcb, path->probe.size - 1, PAUSE_TIMEOUT_TIMES * pause_us(tcb),
                      "the retransmission timer has fired for it", "RFC 4821 7.6.3");
    else if (path->probe.is_out)
        give_up_probe(tcb);
    if (path->claim.is_pending && !is_sacked(tcb, path->claim.seq)) {
        believe(tcb, path->claim.mtu, "a router has said so, and the segment has timed out",
                "RFC 5927 7.2");
        return;
    }
    path->claim.is_pending = false;
    if (path->has_reason || head_bytes(tcb) <= size_below(path->mtu))
        return; /* not its size is at fault */
    path->vanished_count++;
    if (tcb->config->black_hole_count > 0 && path->vanished_count >= tcb->config->black_hole_count)
        suspect_black_hole(tcb);
}
