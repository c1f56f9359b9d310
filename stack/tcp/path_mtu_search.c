/* The size of packets that a path takes, found out without routers: RFC 4821. A firewall may
 * swallow their messages, and none tells when larger packets would pass.
 *
 * When a full-sized segment goes unanswered black_hole_count times in a row, and no router has
 * given a reason, its size is suspected, and smaller ones are tried until one is acknowledged
 * (7.7); twice as many times when others as large have passed. Then the largest that passes is
 * searched by probes: a segment with real data takes the place of an ordinary one and is larger
 * than those. It is sent only when at least three ordinary ones follow at once, so that duplicate
 * ACKs show its loss (7.4); the loss says nothing about congestion (7.6.2), and its bytes go out
 * again in ordinary segments (the "non-overlapping" method of 10.1). An outage, or much loss at
 * random, looks like a black hole, so the first probe is a check of the size that was in use
 * before: if it passes, all is as it was. Departure from 7.4: it waits for no window and no quiet
 * moment, which such a path may never have, but for nothing in flight; and it is made up to
 * CHECKS_MAX times (RFC 8899 5.1.2: MAX_PROBES).
 *
 * Upwards: path_mtu_raise_us after the last decrease (RFC 1191 section 3), or after a search (RFC
 * 4821 7.3, which wants ten minutes, and never less than five), the same search begins, from the
 * top. No timer runs for it: an idle connection has nothing to find out. It is asked when there is
 * data to send.
 *
 * `mtu` is eff_pmtu and search_low in one (7.1). Departure from 7.7, where what is in use may lie
 * above what has passed and falls to that first: it falls to what is probably safe.
 *
 * Departure from 7.7, which halves the size down to 68 bytes: we stop at 256. An outage of some
 * seconds would lead to segments of 16 bytes; of links between these sizes nobody has heard.
 *
 * Departure from RFC 1191 (3), which wants a minute between two increases, and five after a router
 * has complained: a search goes on at once when a probe has arrived, and after the pause of 7.6.2
 * when one was lost. RFC 4821 (1) has relaxed that; a probe that is lost costs little.
 *
 * Not done: lowering the size again when more is lost with it than before, as where packets go by
 * several paths (7.8); setting the sizes that a search begins and ends with (7.2). */
#include "path_mtu_search.h"

#include "path_mtu.h"
#include "recovery/recovery.h"
#include "seq.h"

/* Sizes that links have, for routers that do not say theirs, and to find the right one sooner: the
 * plateaus of RFC 1191 table 7-1, and what is common today: Ethernet with jumbo frames (9000) and
 * without (1500), IP in IP (1480), WireGuard (1420), the least of IPv6 (1280), and 576, which every
 * host takes (RFC 791). */
static const uint16_t plateaus[] = {65535, 32000, 17914, 9000, 8166, 4352, 2002, 1500, 1492,
                                    1480,  1420,  1280,  1006, 576,  508,  296,  68};
enum { PLATEAU_COUNT = sizeof plateaus / sizeof plateaus[0] };

enum {
    BASE_BYTES = 1024, /* RFC 4821 7.2: "probably safe enough" */
    LEAST_BYTES = 256,
    STEP_BYTES = 16,     /* a search that has come so close is done (7.3) */
    SEGMENTS_BEHIND = 3, /* a probe: DupThresh */
    CHECKS_MAX = 3,
    PAUSE_TIMEOUT_TIMES = 5, /* 7.6.3: a lost probe that costs a time-out is dear */
};

static uint16_t size_between(uint16_t low, uint16_t high);
static void begin_search(struct tcb *tcb);
static void narrow_search(struct tcb *tcb, uint64_t wait_us);
static uint64_t pause_us(const struct tcb *tcb);
static void on_probe_arrived(struct tcb *tcb);
static void on_probe_lost(struct tcb *tcb, uint16_t high, uint64_t wait_us, const char *cause,
                          const char *clause);
static bool is_search_due(struct tcb *tcb);
static void give_up_probe(struct tcb *tcb);
static void resend_probe(struct tcb *tcb);
static bool has_as_large_one_passed(const struct tcb *tcb);
static uint16_t head_bytes(const struct tcb *tcb);
static uint16_t size_below(uint16_t mtu);
static void suspect_black_hole(struct tcb *tcb);

/* ---- sizes */

uint16_t search_plateau_below(uint16_t size)
{
    for (unsigned i = 0; i < PLATEAU_COUNT; i++)
        if (plateaus[i] < size)
            return plateaus[i];
    return 0;
}

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

/* ---- the search */

void search_end(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->work->path;

    path->not_before_us = path->mtu < tcb_packet_limit(tcb)
                              ? tcb->stack->now_us + tcb->config->path_mtu_raise_us
                              : NEVER;
    path->search_high = path->mtu;
}

static void begin_search(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->work->path;

    path->search_high = path->next_probe = tcb_packet_limit(tcb);
    path->not_before_us = tcb->stack->now_us;
    if (path->search_high <= path->mtu)
        search_end(tcb);
}

/* The search goes on between `mtu` and `search_high`, `wait_us` from now. */
static void narrow_search(struct tcb *tcb, uint64_t wait_us)
{
    struct path_mtu *path = &tcb->work->path;

    path->next_probe = size_between(path->mtu, path->search_high);
    path->not_before_us = tcb->stack->now_us + wait_us;
    if (path->next_probe == 0)
        search_end(tcb);
}

/* RFC 4821 7.6.2: losses without congestion control must be rarer than those with it. The next one
 * of these is expected after as many round trips as the window has packets. */
static uint64_t pause_us(const struct tcb *tcb)
{
    uint64_t rtt_us = tcb->rto.srtt_us != 0 ? tcb->rto.srtt_us : tcb->rto.rto_us;

    return (tcb->work->cc.cwnd / tcb->snd_mss + 1) * rtt_us;
}

static void on_probe_arrived(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->work->path;

    path->probe.is_out = false;
    path->acked = path->probe.size;
    path->suspect = 0;
    path_mtu_use(tcb, path->probe.size);
    path_mtu_trace(tcb, PATH_MTU_RAISED, path->mtu, "the probe is acknowledged", "RFC 4821 7.6.1");
    path_mtu_tell_others(tcb);
    narrow_search(tcb, 0);
}

/* Nothing larger than `high` passes. */
static void on_probe_lost(struct tcb *tcb, uint16_t high, uint64_t wait_us, const char *cause,
                          const char *clause)
{
    struct path_mtu *path = &tcb->work->path;

    path->probe.is_out = false;
    path_mtu_trace(tcb, PATH_MTU_PROBE_LOST, path->probe.size, cause, clause);
    path->search_high = high;
    if (path->suspect > path->mtu) /* then it was no outage */
        path->search_high = high < path->suspect ? high : path->suspect - 1;
    path->suspect = 0;
    narrow_search(tcb, wait_us);
}

/* Other connections may know, and what else passes is searched. */
void search_on_guess_confirmed(struct tcb *tcb)
{
    tcb->work->path.is_guess = false;
    tcb->work->path.checks_left = CHECKS_MAX;
    path_mtu_tell_others(tcb);
    begin_search(tcb);
}

void search_on_ack(struct tcb *tcb)
{
    const struct path_mtu *path = &tcb->work->path;

    if (path->probe.is_out && seq_geq(tcb->snd_una, path->probe.end))
        on_probe_arrived(tcb);
}

/* ---- probes */

static bool is_search_due(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->work->path;

    if (tcb->stack->now_us < path->not_before_us || path->is_guess || path->probe.is_out)
        return false;
    if (path->search_high <= path->mtu && tcb->config->path_mtu_raise_us > 0)
        begin_search(tcb);
    return path->search_high > path->mtu;
}

/* The next probe is to tell whether the size was really at fault. */
static bool is_check(const struct tcb *tcb)
{
    return tcb->work->path.suspect > tcb->work->path.mtu && tcb->work->path.checks_left > 0;
}

/* RFC 4821 7.4: no losses, room for the probe and what shows its loss, and no duplicate ACKs that
 * speak of something else. */
uint32_t path_mtu_probe_bytes(struct tcb *tcb, uint32_t waiting)
{
    if (waiting <= tcb->snd_mss || !is_search_due(tcb))
        return 0;
    uint32_t probe_bytes = tcb->work->path.next_probe - tcb_header_bytes(tcb);
    if (is_check(tcb) && tcb->snd_una == tcb->snd_nxt && waiting >= probe_bytes)
        return probe_bytes;
    bool is_quiet = !tcb->work->recovery.is_active && !tcb->work->recovery.is_after_timeout &&
                    tcb->work->recovery.dup_ack_count == 0 &&
                    tcb->work->in_flight.lost_bytes == 0 && tcb->work->in_flight.sacked_bytes == 0;

    uint32_t window = recovery_allowance(tcb);
    uint32_t room = waiting < window ? waiting : window;
    return is_quiet && room >= probe_bytes + SEGMENTS_BEHIND * tcb->snd_mss ? probe_bytes : 0;
}

bool search_is_in_probe(const struct tcb *tcb, uint32_t seq)
{
    const struct path_mtu *path = &tcb->work->path;

    return path->probe.is_out &&
           seq_in(seq, path->probe.start, path->probe.end - path->probe.start);
}

/* SACKs may have cut it. */
bool path_mtu_is_of_probe(const struct tcb *tcb, const struct tx_record *record)
{
    return search_is_in_probe(tcb, record->start) &&
           seq_leq(record->end, tcb->work->path.probe.end);
}

/* Inconclusive (RFC 4821 7.6.4): the same again when the pause is over (7.4). */
static void give_up_probe(struct tcb *tcb)
{
    tcb->work->path.probe.is_out = false;
    tcb->work->path.not_before_us = tcb->stack->now_us + pause_us(tcb);
}

void search_on_probe_sent(struct tcb *tcb, uint32_t seq, uint32_t len)
{
    struct path_mtu *path = &tcb->work->path;

    path->probe.is_out = true;
    path->probe.start = seq;
    path->probe.end = seq + len;
    path->probe.size = path->sent = path->next_probe;
    path_mtu_trace(tcb, PATH_MTU_PROBED, path->probe.size,
                   "one larger segment, to see whether the path takes it", "RFC 4821 7.5");
}

/* What is acknowledged from now on may be this copy. */
void search_on_sent(struct tcb *tcb, uint32_t seq)
{
    if (search_is_in_probe(tcb, seq))
        give_up_probe(tcb);
}

/* Its bytes go out again in ordinary segments, without a recovery; nor may the duplicate ACKs that
 * are still under way begin one. */
static void resend_probe(struct tcb *tcb)
{
    for (unsigned i = 0; i < tcb->work->in_flight.count; i++) {
        const struct tx_record *record = records_at(&tcb->work->in_flight, i);
        if (path_mtu_is_of_probe(tcb, record))
            records_mark_lost(&tcb->work->in_flight, i, UINT32_MAX);
    }
    tcb->work->recovery.recover = tcb->snd_nxt;
    tcb->work->recovery.send_one = true;
    tcb->work->resend_cause = "the bytes of a lost path MTU probe";
    tcb_wants_output(tcb);
}

bool path_mtu_takes_loss(struct tcb *tcb)
{
    bool is_lost = false, is_alone = true;

    if (!tcb->work->path.probe.is_out)
        return false;
    for (unsigned i = 0; i < tcb->work->in_flight.count; i++) {
        const struct tx_record *record = records_at(&tcb->work->in_flight, i);
        is_lost = is_lost || (record->lost && path_mtu_is_of_probe(tcb, record));
        is_alone = is_alone && (!record->lost || path_mtu_is_of_probe(tcb, record));
    }
    if (is_lost && is_alone) {
        resend_probe(tcb);
        on_probe_lost(tcb, tcb->work->path.probe.size - 1, pause_us(tcb),
                      "what was sent behind it has arrived; no sign of congestion",
                      "RFC 4821 7.6.2");
        return true;
    }
    if (is_lost)
        give_up_probe(tcb);
    return false;
}

/* The very size that the router has named is the next to be tried; RFC 4821 7.6.2 would even use it
 * untried. Not at once: congestion control has not heard of this loss either. */
void search_on_probe_too_big(struct tcb *tcb, uint16_t mtu)
{
    resend_probe(tcb);
    on_probe_lost(tcb, mtu, pause_us(tcb), "a router says that it is too large", "RFC 4821 7.6.2");
    tcb->work->path.next_probe = tcb->work->path.search_high;
}

void search_on_timeout(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->work->path;
    bool is_head = path->probe.is_out && path->probe.start == tcb->snd_una;

    if (is_head && is_check(tcb) && --path->checks_left > 0)
        path->probe.is_out = false; /* again, when the window is empty */
    else if (is_head)
        on_probe_lost(tcb, path->probe.size - 1, PAUSE_TIMEOUT_TIMES * pause_us(tcb),
                      "the retransmission timer has fired for it", "RFC 4821 7.6.3");
    else if (path->probe.is_out)
        give_up_probe(tcb);
}

/* ---- silence */

void search_on_silence(struct tcb *tcb)
{
    struct path_mtu *path = &tcb->work->path;

    if (path->has_reason || head_bytes(tcb) <= size_below(path->mtu))
        return; /* not its size is at fault */
    if (path->vanished_count++ == 0)
        path->others_passed = has_as_large_one_passed(tcb);
    uint64_t limit = tcb->config->black_hole_count;
    if (path->others_passed)
        limit *= 2;
    if (limit > 0 && path->vanished_count >= limit)
        suspect_black_hole(tcb);
}

/* When the timer fires for the first time, the peer may hold what was sent behind the segment that
 * is missing: then it is not size that decides, at least it was not then. Where much is lost at
 * random this tells a run of bad luck from a black hole. */
static bool has_as_large_one_passed(const struct tcb *tcb)
{
    for (unsigned i = 0; i < tcb->work->in_flight.count; i++) {
        const struct tx_record *record = records_at(&tcb->work->in_flight, i);
        if (record->sacked && record->end - record->start >= tcb->snd_mss)
            return true;
    }
    return false;
}

/* What goes out again when the timer fires; 0: the peer has no room for it, and need not answer. */
static uint16_t head_bytes(const struct tcb *tcb)
{
    if (tcb->work->in_flight.count == 0)
        return 0;
    const struct tx_record *record = records_at(&tcb->work->in_flight, 0);
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
    struct path_mtu *path = &tcb->work->path;
    uint16_t mtu = size_below(path->mtu);

    path->suspect = path->mtu;
    path->acked = 0;
    path->is_guess = true;
    path_mtu_lower(tcb, mtu);
    path_mtu_trace(tcb, PATH_MTU_SUSPECTED, mtu,
                   "full-sized segments are not answered, and no router complains", "RFC 4821 7.7");
}
