/* What a connection sends, see output.h.
 *
 * tcp_output() asks a list of questions in order of urgency; the first that has something to send
 * fills in a plan (which sequence numbers, which flags, why), and emit() turns the plan into a
 * packet:
 *
 *   1. the SYN, or SYN,ACK         4. a probe of a closed window
 *   2. what is held to be lost     5. an urgent indication alone
 *   3. new data, and the FIN       6. an acknowledgment alone
 *                                  7. a keep-alive
 *
 * Two rules of loss recovery come between: a probe for a lost tail before new data, and behind it
 * what RFC 6675 sends when there is none.
 *
 * Whatever goes out carries the current acknowledgment and window, so a waiting ACK rides along.
 * The payload is never copied: the packet points into the send ring. */
#include "output.h"

#include "../wire/checksum.h"
#include "announce.h"
#include "recovery/detect.h"
#include "recovery/pacing.h"
#include "recovery/sack.h"
#include "recovery/tlp.h"
#include "recovery/window.h"
#include "route.h"
#include "seq.h"

struct plan {
    uint32_t seq;
    uint32_t len; /* bytes of payload */
    uint8_t flags;
    bool is_loss_probe;       /* RFC 8985 7.3 */
    bool is_new_data;         /* a first transmission, and no window probe */
    bool is_keepalive;        /* before the window: the peer answers it and takes nothing from it */
    bool is_path_mtu_probe;   /* one segment, and larger than SND.MSS */
    struct tx_record *resent; /* NULL: new, or nothing that occupies sequence numbers */
    const char *cause;
    const char *clause;
};

static bool plan_syn(struct tcb *tcb, struct plan *plan);
static bool plan_resend(struct tcb *tcb, struct plan *plan);
static bool plan_loss_probe(struct tcb *tcb, struct plan *plan);
static bool plan_new_data(struct tcb *tcb, struct plan *plan);
static bool plan_next_seg(struct tcb *tcb, struct plan *plan);
static bool plan_probe(struct tcb *tcb, struct plan *plan);
static bool plan_urgent(struct tcb *tcb, struct plan *plan);
static bool plan_ack(struct tcb *tcb, struct plan *plan);
static bool plan_keepalive(struct tcb *tcb, struct plan *plan);
static bool emit(struct tcb *tcb, const struct plan *plan, struct packet_out *out);

bool tcp_output(struct tcb *tcb, struct packet_out *out, struct trace_event *event)
{
    struct plan plan = {0};

    if (tcb->state == TCPS_CLOSED || tcb->state == TCPS_LISTEN)
        return false;
    if (!plan_syn(tcb, &plan) && !plan_resend(tcb, &plan) && !plan_loss_probe(tcb, &plan) &&
        !plan_new_data(tcb, &plan) && !plan_next_seg(tcb, &plan) && !plan_probe(tcb, &plan) &&
        !plan_urgent(tcb, &plan) && !plan_ack(tcb, &plan) && !plan_keepalive(tcb, &plan))
        return false;
    event->flow = &tcb->flow.id;
    event->tcb = tcb;
    event->cause = plan.cause;
    event->clause = plan.clause;
    return emit(tcb, &plan, out);
}

/* ---- 1. the SYN */

static bool plan_syn(struct tcb *tcb, struct plan *plan)
{
    if (tcb_is_synchronized(tcb) || tcb->snd_nxt != tcb->iss)
        return false;
    bool is_answer = tcb->state == TCPS_SYN_RECEIVED;
    *plan = (struct plan){
        .seq = tcb->iss,
        .flags = is_answer ? TCP_SYN | TCP_ACK : TCP_SYN,
        .cause = is_answer ? "answers the SYN" : "active OPEN",
        .clause = is_answer ? "9293 3.10.7.2" : "9293 3.10.1",
    };
    return true;
}

/* ---- 2. what is held to be lost */

/* The most payload that one packet may carry: a full segment, or many for a device that cuts them.
 * A device copies the urgent pointer to each piece, where it would point too far. */
static uint32_t packet_max_bytes(const struct tcb *tcb)
{
    uint32_t gso_bytes = tcb->stack->config.gso_max_bytes;

    return gso_bytes > tcb->snd_mss && !tcb->has_snd_up ? gso_bytes / tcb->snd_mss * tcb->snd_mss
                                                        : tcb->snd_mss;
}

/* How many bytes may leave now, as far as window and pace are concerned. */
static uint32_t network_allowance(const struct tcb *tcb)
{
    uint32_t window = recovery_allowance(tcb), pace = pacing_allowance(tcb);
    uint32_t burst = window_burst_left(tcb);

    if (burst < pace)
        pace = burst;
    if (tcb->work->recovery.send_one && pace < tcb->snd_mss) /* a repair waits for no pace */
        pace = tcb->snd_mss;
    return window < pace ? window : pace;
}

/* It is less than a segment, and one waits. */
static void wait_for_network(struct tcb *tcb)
{
    if (recovery_allowance(tcb) < tcb->snd_mss)
        window_is_full(tcb);
    else if (pacing_is_on(tcb))
        pacing_wait(tcb); /* else the next acknowledgment lets the next burst go */
}

/* Whole segments of `len`, but at least one. */
static uint32_t whole_segments(const struct tcb *tcb, uint32_t len)
{
    return len < tcb->snd_mss ? tcb->snd_mss : len / tcb->snd_mss * tcb->snd_mss;
}

/* What a record was sent as, once more. */
static void plan_record(const struct tcb *tcb, struct tx_record *record, struct plan *plan)
{
    *plan = (struct plan){.seq = record->start,
                          .len = record->end - record->start,
                          .flags = TCP_ACK,
                          .resent = record,
                          .cause = tcb->work->resend_cause};
    if (!tcb_is_synchronized(tcb)) {
        plan->flags = tcb->state == TCPS_SYN_SENT ? TCP_SYN : TCP_SYN | TCP_ACK;
        plan->len--;
    }
    if (tcb->fin_sent && record->end == tcb->snd_nxt) {
        plan->flags |= TCP_FIN;
        plan->len--;
    }
}

/* Not done: sending again what begins behind the right edge of a window that has shrunk (MAY-7),
 * but for the first segment in flight: the peer would drop it. */
static bool plan_resend(struct tcb *tcb, struct plan *plan)
{
    if (tcb->work->frto.step ==
        FRTO_NEXT_ACK) /* RFC 5682 (2b): new data, and no more retransmissions */
        return false;
    if (tcb->work->in_flight.lost_bytes == 0)
        return false;
    bool in_handshake = !tcb_is_synchronized(tcb);
    uint32_t allowance = in_handshake ? tcb->snd_mss : network_allowance(tcb);
    uint32_t max_bytes = whole_segments(tcb, allowance);

    if (max_bytes > packet_max_bytes(tcb))
        max_bytes = packet_max_bytes(tcb);
    struct tx_record *record = records_next_lost(&tcb->work->in_flight, max_bytes);
    if (record == NULL)
        return false;
    bool network_allows =
        record->end - record->start <= allowance || (!in_handshake && recovery_pipe(tcb) == 0);
    bool in_window = record->start == tcb->snd_una || /* SHLD-16; the first doubles as a probe */
                     seq_lt(record->start, tcb_snd_edge(tcb));
    if (!network_allows)
        wait_for_network(tcb);
    if (!network_allows || !in_window)
        return false;
    plan_record(tcb, record, plan);
    return true;
}

/* ---- 3. new data, and the FIN */

static bool may_send_data(const struct tcb *tcb)
{
    switch (tcb->state) {
    case TCPS_ESTABLISHED:
    case TCPS_CLOSE_WAIT:
    case TCPS_FIN_WAIT_1:
    case TCPS_CLOSING:
    case TCPS_LAST_ACK:
        return !tcb->fin_sent;
    case TCPS_CLOSED:
    case TCPS_LISTEN:
    case TCPS_SYN_SENT:
    case TCPS_SYN_RECEIVED:
    case TCPS_FIN_WAIT_2:
    case TCPS_TIME_WAIT:
    case TCPS_COUNT:
        break;
    }
    return false;
}

/* What is left of the peer's window; it may have shrunk below what is in flight (MUST-34),
 * and then nothing new is sent (SHLD-15). */
static uint32_t usable_window(const struct tcb *tcb)
{
    uint32_t edge = tcb_snd_edge(tcb);

    return seq_lt(tcb->snd_nxt, edge) ? edge - tcb->snd_nxt : 0;
}

/* MAY-16: the application has more to come, and what fills no segment waits for it; until it says
 * that it has not, our FIN is to follow, or cork_limit_us has passed. */
static bool is_corked(const struct tcb *tcb)
{
    return tcb->cork && !tcb->work->cork_is_over && !tcb->fin_queued;
}

static void hold_corked(struct tcb *tcb)
{
    if (is_corked(tcb) && tcb->work->deadline_us[TIMER_CORK] == NEVER)
        tcb_timer_set(tcb, TIMER_CORK, tcb->stack->now_us + tcb->config->cork_limit_us);
}

/* Sender's silly-window avoidance and Nagle, 9293 3.8.6.2.1 and 3.7.4 (MUST-38, SHLD-7), which
 * the application may turn off (MUST-17). Nothing waits for longer than the peer takes to
 * acknowledge, or than cork may hold it (MUST-60). D is what waits, U what the window leaves. */
static bool is_worth_sending(const struct tcb *tcb, uint32_t waiting, uint32_t usable)
{
    uint32_t size = waiting < usable ? waiting : usable;
    bool nothing_in_flight = tcb->snd_nxt == tcb->snd_una;

    if (size >= tcb->snd_mss) /* (1) a full segment */
        return true;
    if (is_corked(tcb))
        return false;
    if (waiting <= usable && (nothing_in_flight || !tcb->nagle || tcb->fin_queued))
        return true; /* (2) all there is */
    return (nothing_in_flight || !tcb->nagle) && size > 0 && size >= tcb->max_snd_wnd / 2; /* (3) */
}

/* Cut to whole segments, unless the tail may go too. */
static uint32_t without_tail(const struct tcb *tcb, uint32_t len, uint32_t waiting)
{
    uint32_t tail = len % tcb->snd_mss;
    bool tail_may_go = len == waiting && (!tcb->nagle || tcb->fin_queued) && !is_corked(tcb);

    return len > tcb->snd_mss && tail != 0 && !tail_may_go ? len - tail : len;
}

static bool plan_fin_alone(struct tcb *tcb, struct plan *plan)
{
    if (!tcb->fin_queued)
        return false;
    *plan = (struct plan){.seq = tcb->snd_nxt,
                          .flags = TCP_FIN | TCP_ACK,
                          .cause = "CLOSE call: no more data from us",
                          .clause = "9293 3.10.4"};
    return true;
}

/* `len` bytes of the `waiting` ones. */
static void plan_data(struct tcb *tcb, uint32_t len, uint32_t waiting, struct plan *plan)
{
    *plan = (struct plan){.seq = tcb->snd_nxt,
                          .len = len,
                          .flags = TCP_ACK,
                          .is_new_data = true,
                          .cause = "data from the application"};
    if (len == waiting) {
        tcb->work->cork_is_over = false;
        tcb_timer_clear(tcb, TIMER_CORK);
        if (tcb->fin_queued)
            plan->flags |= TCP_FIN;
    }
}

/* The override timer of silly-window avoidance and the zero-window probe are one: TIMER_PERSIST. */
uint64_t tcp_persist_us(const struct tcb *tcb)
{
    uint64_t wait_us = tcp_rto_current_us(&tcb->rto, tcb->config); /* SHLD-29 */
    for (unsigned i = 0; i < tcb->work->probe_count && wait_us < tcb->config->rto_max_us; i++)
        wait_us *= 2; /* SHLD-30 */
    return wait_us > tcb->config->rto_max_us ? tcb->config->rto_max_us : wait_us;
}

static void arm_persist(struct tcb *tcb)
{
    if (tcb->work->deadline_us[TIMER_PERSIST] == NEVER)
        tcb_timer_set(tcb, TIMER_PERSIST, tcb->stack->now_us + tcp_persist_us(tcb));
}

/* One larger segment in the place of an ordinary one. */
static bool plan_path_mtu_probe(struct tcb *tcb, struct plan *plan, uint32_t waiting)
{
    uint32_t len = path_mtu_probe_bytes(tcb, waiting);

    if (len == 0)
        return false;
    *plan = (struct plan){.seq = tcb->snd_nxt,
                          .len = len,
                          .flags = TCP_ACK,
                          .is_new_data = true,
                          .is_path_mtu_probe = true,
                          .cause = "data from the application, as a path MTU probe",
                          .clause = "RFC 4821 7.5"};
    return true;
}

/* A long run of full segments ends, if a few fewer do it, where half a cache line of the ring does:
 * the kernel copies what begins there faster (bulk send gains 9 %, zero copy 5 %; make bench).
 * Whole lines would take more segments from each run, and gain nothing. */
static uint32_t to_half_line(const struct tcb *tcb, uint32_t len)
{
    enum { LONG_RUN = 16, FEWER_MAX = 3 };
    const struct ring *ring = &tcb->work->send_ring;

    if (len < LONG_RUN * tcb->snd_mss || len % tcb->snd_mss != 0)
        return len;
    uint32_t end = ring->used - tcb_unsent_bytes(tcb) + len;
    for (uint32_t fewer = 0; fewer <= FEWER_MAX; fewer++)
        if (ring_is_half_line(ring, end - fewer * tcb->snd_mss))
            return len - fewer * tcb->snd_mss;
    return len;
}

/* As much as may go at once, in full segments (SHLD-28), however many SENDs it was written by
 * (SHLD-27). */
static bool plan_new_data(struct tcb *tcb, struct plan *plan)
{
    if (!may_send_data(tcb))
        return false;
    uint32_t waiting = tcb_unsent_bytes(tcb);
    if (waiting < tcb->snd_mss)
        window_has_nothing_to_send(tcb);
    if (waiting == 0)
        return plan_fin_alone(tcb, plan);

    if (tcb->ecn.holds)
        return false;
    uint32_t usable = usable_window(tcb);
    if (!is_worth_sending(tcb, waiting, usable)) {
        hold_corked(tcb);
        if (tcb->snd_nxt == tcb->snd_una && !is_corked(tcb))
            arm_persist(tcb);
        return false;
    }
    if (tcb->snd_nxt == tcb->snd_una)
        window_after_idle(tcb);
    uint32_t allowance = network_allowance(tcb);
    uint32_t len = waiting < usable ? waiting : usable;
    if (allowance >= tcb->snd_mss && plan_path_mtu_probe(tcb, plan, len))
        return true;
    if (len > packet_max_bytes(tcb))
        len = packet_max_bytes(tcb);
    if (len > allowance) { /* whole segments: none is cut short for the network's sake */
        len = allowance / tcb->snd_mss * tcb->snd_mss;
        if (len == 0) {
            wait_for_network(tcb);
            return false;
        }
    }
    len = to_half_line(tcb, without_tail(tcb, len, waiting));
    if (tcb->uto_now && len > tcb->snd_mss - TCP_OPTION_USER_TIMEOUT_BYTES)
        len = tcb->snd_mss - TCP_OPTION_USER_TIMEOUT_BYTES; /* MUST-16: room for the option */
    plan_data(tcb, len, waiting, plan);
    return true;
}

/* RFC 8985 7.3, TLP_send_probe(): new data if there is some that the peer can take, else the last
 * segment once more; Nagle and the window of the network are not asked. */
static bool plan_loss_probe(struct tcb *tcb, struct plan *plan)
{
    if (!tcb->work->tlp.is_due)
        return false;
    tcb->work->tlp.is_due = false;
    uint32_t waiting = may_send_data(tcb) ? tcb_unsent_bytes(tcb) : 0;
    uint32_t usable = usable_window(tcb);
    uint32_t len = waiting < usable ? waiting : usable;
    if (len > 0) {
        plan_data(tcb, len < tcb->snd_mss ? len : tcb->snd_mss, waiting, plan);
    } else {
        struct tx_record *last =
            records_tail(&tcb->work->in_flight, tcb->snd_mss + (tcb->fin_sent ? 1 : 0));
        if (last == NULL || seq_geq(last->start, tcb_snd_edge(tcb)))
            return false;
        plan_record(tcb, last, plan);
    }
    plan->is_loss_probe = true;
    plan->cause = "tail loss probe: no acknowledgment for two round trips";
    plan->clause = "RFC 8985 7.3";
    return true;
}

/* RFC 6675 NextSeg(): nothing lost and nothing new, but the network has room. */
static bool plan_next_seg(struct tcb *tcb, struct plan *plan)
{
    return detect_next_seg(tcb) && plan_resend(tcb, plan);
}

/* ---- 4. a probe of a closed or silly window, 9293 3.8.6.1 (MUST-36) */

static bool plan_probe(struct tcb *tcb, struct plan *plan)
{
    if (!tcb->work->probe_now)
        return false;
    tcb->work->probe_now = false;
    if (!may_send_data(tcb) || tcb_unsent_bytes(tcb) == 0)
        return false;
    uint32_t waiting = tcb_unsent_bytes(tcb);
    uint32_t len = usable_window(tcb);
    if (len == 0)
        len = 1;
    if (len > waiting)
        len = waiting;
    if (len > tcb->snd_mss)
        len = tcb->snd_mss;
    *plan = (struct plan){.seq = tcb->snd_nxt,
                          .len = len,
                          .flags = TCP_ACK,
                          .cause = tcb->snd_wnd == 0 ? "zero-window probe"
                                                     : "window too small for too long",
                          .clause = tcb->snd_wnd == 0 ? "9293 3.8.6.1" : "9293 3.8.6.2.1 (4)"};
    return true;
}

/* ---- 5. an urgent indication alone, and 6. an acknowledgment alone */

/* SND.NXT. Departure from <SEQ=SND.NXT> of 3.10.7.4: where a probe that the peer has not taken, or
 * a shrunk window, has left that outside what the peer accepts, the edge of its window. It would
 * drop the acknowledgment otherwise, and answer it, and we would answer that. */
static uint32_t acceptable_seq(const struct tcb *tcb)
{
    return seq_min(tcb->snd_nxt, tcb_snd_edge(tcb));
}

static bool is_urgent(const struct tcb *tcb, uint32_t seq)
{
    return tcb->has_snd_up && seq_gt(tcb->snd_up, seq);
}

/* 9293 3.8.5: the peer is to hear of urgent data although window, Nagle or the network hold the
 * data itself back. It is said once like this; if that is lost, each later segment says it. */
static bool plan_urgent(struct tcb *tcb, struct plan *plan)
{
    if (!tcb->work->urgent_now || !tcb_is_synchronized(tcb))
        return false;
    tcb->work->urgent_now = false;
    *plan = (struct plan){.seq = acceptable_seq(tcb),
                          .flags = TCP_ACK,
                          .cause = "urgent data is ahead, but may not be sent yet",
                          .clause = "9293 3.8.5"};
    return true;
}

static bool plan_ack(struct tcb *tcb, struct plan *plan)
{
    if (!tcb->ack_now || tcb->state == TCPS_SYN_SENT)
        return false;
    *plan = (struct plan){.seq = tcb_is_synchronized(tcb) ? acceptable_seq(tcb) : tcb->snd_nxt,
                          .flags = TCP_ACK,
                          .cause = tcb->work->ack_cause,
                          .clause = "9293 3.8.6.3"};
    return true;
}

/* ---- 7. a keep-alive, 9293 3.8.4 */

static bool plan_keepalive(struct tcb *tcb, struct plan *plan)
{
    if (!tcb->work->keepalive_now)
        return false;
    tcb->work->keepalive_now = false;
    if (tcb->snd_una != tcb->snd_nxt) /* MUST-26 */
        return false;
    *plan = (struct plan){.seq = tcb->snd_nxt - 1,
                          .flags = TCP_ACK,
                          .is_keepalive = true,
                          .cause = "keep-alive: is the peer still there?",
                          .clause = "9293 3.8.4"};
    return true;
}

/* ---- the packet */

static void fill_syn_options(const struct tcb *tcb, struct tcp_options *options, bool is_answer)
{
    const struct tcp_config *config = tcb->config;

    options->has_mss = true; /* MUST-14, SHLD-5, MAY-3: always */
    options->mss = tcb_announced_mss(tcb);
    options->has_window_scale = is_answer ? tcb->window_scaling : config->window_scaling;
    options->window_scale = tcb->rcv_wnd_shift;
    options->has_timestamps = is_answer ? tcb->timestamps : config->timestamps;
    options->sack_permitted = is_answer ? tcb->sack : config->sack;
    if (config->uto)
        options->user_timeout = tcp_user_timeout_field(tcb_advertised_uto_us(tcb) / 1000000);
}

/* RFC 5482 (3): ADV_UTO rides on the first segment behind our SYN, and again whenever it has
 * changed; on one with room for it, SACK blocks go first. */
static void fill_user_timeout(struct tcb *tcb, const struct plan *plan, struct tcp_options *options)
{
    if (!tcb->uto_now || options->sack_count > 0 ||
        plan->len > tcb->snd_mss - TCP_OPTION_USER_TIMEOUT_BYTES)
        return;
    options->user_timeout = tcp_user_timeout_field(tcb_advertised_uto_us(tcb) / 1000000);
    tcb->uto_now = false;
}

/* How many SACK blocks a segment can carry: what is left of the header's 40 bytes of options, and
 * of the packet. Data is not cut shorter for them: where they do not fit, after_ack() sends them on
 * an ACK of their own. */
static unsigned sack_room(const struct tcb *tcb, const struct plan *plan)
{
    enum { SACK_MAX_WITH_TIMESTAMPS = 3, SACK_HEAD_BYTES = 4, SACK_BLOCK_BYTES = 8 };
    unsigned max = tcb->timestamps ? SACK_MAX_WITH_TIMESTAMPS : TCP_SACK_BLOCKS_MAX;
    uint32_t left = plan->len < tcb->snd_mss ? tcb->snd_mss - plan->len : 0;
    uint32_t fitting = left > SACK_HEAD_BYTES ? (left - SACK_HEAD_BYTES) / SACK_BLOCK_BYTES : 0;

    return plan->len == 0 || fitting > max ? max : fitting;
}

static void fill_options(struct tcb *tcb, const struct plan *plan, struct tcp_options *options)
{
    if (plan->flags & TCP_SYN) {
        fill_syn_options(tcb, options, (plan->flags & TCP_ACK) != 0);
    } else { /* no MSS: MUST-65 */
        options->has_timestamps = tcb->timestamps;
        options->sack_count = sack_report(tcb, options->sack, sack_room(tcb, plan));
        fill_user_timeout(tcb, plan, options);
    }
    if (options->has_timestamps) {
        options->tsval = tcb_tsval(tcb);
        options->tsecr = plan->flags & TCP_ACK ? tcb->ts_recent : 0; /* RFC 7323 3.2 */
    }
}

/* TCP header behind the IP header in out->header, checksum included. The addresses are those of the
 * OPEN (MUST-45), and the application's TTL and Differentiated Services go to IP as they are
 * (MUST-48, MUST-49, SHLD-22).
 * Not done: a retransmission with the Identification of the first transmission (MAY-4), which says
 * nothing in an atomic datagram (RFC 6864 4.1). */
static void write_headers(struct tcb *tcb, const struct tcp_segment *seg, struct packet_out *out)
{
    const struct flow_id *id = &tcb->flow.id;
    const struct source_route *route = route_of(tcb);
    size_t ip_bytes = IPV4_HEADER_BYTES + (route != NULL ? source_route_bytes(route) : 0);
    uint8_t *tcp_header = out->header + ip_bytes;
    size_t tcp_bytes = tcp_emit(seg, tcb->config->syn_style, tcp_header);
    size_t payload_bytes = out->payload[0].len + out->payload[1].len;
    struct ipv4_packet ip = ip_header_for(tcb->stack, &id->local, &id->remote, IP_PROTOCOL_TCP,
                                          tcb->config->ttl, seg->tos);
    uint8_t option[SOURCE_ROUTE_MAX_BYTES];
    if (route != NULL)
        source_route_apply(route, &ip, option);
    (void)ipv4_emit(&ip, tcp_bytes + payload_bytes, out->header, ip_bytes);
    struct checksum sum = {0};

    checksum_add_pseudo(&sum, &id->local, &id->remote, IP_PROTOCOL_TCP, tcp_bytes + payload_bytes);
    out->checksum_start = ip_bytes;
    out->checksum_offset = TCP_CHECKSUM_OFFSET;
    out->checksum_needed = tcb->stack->config.checksum_offload;
    uint16_t field = checksum_fold(&sum);
    if (!out->checksum_needed) {
        checksum_add(&sum, (struct bytes){tcp_header, tcp_bytes});
        checksum_add(&sum, out->payload[0]);
        checksum_add(&sum, out->payload[1]);
        field = checksum_finish(&sum); /* MUST-2 */
    }
    struct writer at_checksum = writer_of(tcp_header + TCP_CHECKSUM_OFFSET, sizeof field);
    write_u16(&at_checksum, field);
    out->header_bytes = ip_bytes + tcp_bytes;
}

/* Remember what is in flight and start the clock for it. */
static bool remember_in_flight(struct tcb *tcb, const struct plan *plan)
{
    uint64_t now_us = tcb->stack->now_us;
    uint32_t occupied =
        plan->len + (plan->flags & TCP_SYN ? 1 : 0) + (plan->flags & TCP_FIN ? 1 : 0);

    if (occupied == 0)
        return true;
    if (plan->resent != NULL) {
        records_resent(&tcb->work->in_flight, plan->resent, now_us);
        if (!plan->is_loss_probe)
            undo_on_resent(tcb, plan->resent);
        tcb->work->recovery.send_one = false;
        tcb->retransmit_count += tcp_segment_count(plan->len, tcb->snd_mss);
        tcb->resent_bytes += occupied;
        tcb_trace(tcb, (struct trace_event){.kind = TRACE_RETRANSMIT,
                                            .cause = plan->cause,
                                            .u.range = {plan->seq - tcb->iss,
                                                        plan->seq + occupied - tcb->iss,
                                                        plan->resent->transmission_count}});
    } else {
        if (!records_append(&tcb->work->in_flight, plan->seq, plan->seq + occupied, now_us)) {
            tcb_timer_set(tcb, TIMER_RETRANSMIT, /* memory is short: try again then */
                          now_us + tcp_rto_current_us(&tcb->rto, tcb->config));
            return false;
        }
        tcb->snd_nxt = plan->seq + occupied;
        tcb->bytes_sent += plan->len;
    }
    path_mtu_on_sent(tcb, plan->seq, plan->len, plan->is_path_mtu_probe);
    tcb->last_sent_us = now_us;
    pacing_on_sent(tcb, plan->len);
    window_on_sent(tcb, plan->len);
    if (tcb->work->unanswered_since_us == NEVER)
        tcb->work->unanswered_since_us = now_us;
    bool is_repair =
        plan->resent != NULL && tcb->work->recovery.is_active; /* RFC 6675 6: MAY re-arm */
    if (tcb->work->deadline_us[TIMER_RETRANSMIT] != NEVER && !is_repair)
        return true; /* it repeats data whose window has shrunk too */
    if (tcb->snd_wnd == 0 && tcb_is_synchronized(tcb) && plan->len > 0)
        arm_persist(tcb); /* a probe is repeated by the persist timer, not by the RTO */
    else                  /* RFC 6298 (5.1) */
        tcb_timer_set(tcb, TIMER_RETRANSMIT, now_us + tcp_rto_current_us(&tcb->rto, tcb->config));
    return true;
}

static bool remember(struct tcb *tcb, const struct plan *plan)
{
    uint32_t nxt = tcb->snd_nxt;

    if (!remember_in_flight(tcb, plan))
        return false;
    recovery_on_sent(tcb, plan->len);
    if (plan->is_loss_probe)
        tlp_on_sent(tcb, plan->resent != NULL);
    else if (tcb->snd_nxt != nxt)
        tlp_schedule(tcb);
    return true;
}

/* An acknowledgment has gone out. On data it is no duplicate ACK, and has perhaps no room for a
 * SACK block: then a hole is reported by one of its own as well. */
static void after_ack(struct tcb *tcb, const struct plan *plan, const struct tcp_segment *seg)
{
    bool hole_is_untold = plan->len > 0 && seg->options.sack_count == 0 && sack_is_due(tcb);

    tcb->work->unacked_bytes = tcb->rcv_nxt - seg->ack;
    tcb->ack_now = tcb->ack_now && (hole_is_untold || tcb->work->unacked_bytes > 0);
    tcb->last_ack_sent = seg->ack;
    tcb_timer_clear(tcb, TIMER_DELAYED_ACK);
}

/* URG and SEG.UP. What lies further ahead than the field can say is announced as far as it can, and
 * by later segments to its end (MUST-31). Never on a SYN: no data may follow it yet. */
static void fill_urgent(struct tcb *tcb, struct tcp_segment *seg)
{
    if (seg->flags & TCP_SYN || !is_urgent(tcb, seg->seq))
        return;
    uint32_t ahead = tcb->snd_up - seg->seq; /* to the octet behind the urgent data: MUST-62 */

    seg->flags |= TCP_URG;
    seg->urgent = ahead > UINT16_MAX ? UINT16_MAX : (uint16_t)ahead;
    tcb->work->urgent_now = false;
}

static bool emit(struct tcb *tcb, const struct plan *plan, struct packet_out *out)
{
    static const uint8_t garbage[1] = {0};

    if (!remember(tcb, plan))
        return false;
    if (plan->flags & TCP_FIN && !tcb->fin_sent) {
        tcb->fin_sent = true;
        if (tcb->state == TCPS_CLOSE_WAIT)
            tcp_set_state(tcb, TCPS_LAST_ACK, "our FIN is sent", "9293 3.10.4");
    }
    out->payload[0] = out->payload[1] = (struct bytes){0};
    out->segment_bytes = 0;
    struct tcp_segment seg = {
        .src_port = tcb->flow.id.local_port,
        .dst_port = tcb->flow.id.remote_port,
        .seq = plan->seq,
        .flags = plan->flags,
        .tos = tcb->config->tos | ecn_codepoint(tcb, plan->is_new_data),
    };
    seg.flags |= plan->flags & TCP_SYN ? ecn_syn_flags(tcb, plan->resent != NULL)
                                       : ecn_flags(tcb, plan->is_new_data);
    fill_options(tcb, plan, &seg.options);
    if (plan->flags & TCP_ACK)
        seg.ack = announce_acknowledgment(tcb, plan->len, plan->flags);
    seg.wnd = plan->flags & TCP_SYN ? announce_syn_window(tcb) : announce_window(tcb);
    if (plan->flags & TCP_ACK && seg.ack != tcb->rcv_nxt)
        seg.wnd = announce_window_behind(tcb, seg.ack);
    if (plan->len > 0) {
        uint32_t first = tcb_first_data_seq(tcb);
        ring_spans(&tcb->work->send_ring, plan->seq - first, plan->len, out->payload);
        if (plan->seq + plan->len == first + tcb->work->send_ring.used)
            seg.flags |= TCP_PSH; /* MUST-61 */
        if (plan->len > tcb->snd_mss && !plan->is_path_mtu_probe)
            out->segment_bytes = tcb->snd_mss;
    }
    if (plan->is_keepalive && tcb->config->keepalive_garbage) /* MAY-6 */
        out->payload[0] = (struct bytes){garbage, sizeof garbage};
    fill_urgent(tcb, &seg);
    write_headers(tcb, &seg, out);
    if (plan->flags & TCP_ACK && !plan->is_keepalive)
        after_ack(tcb, plan, &seg);
    tcb->segments_sent += tcp_segment_count(plan->len, out->segment_bytes);
    return true;
}

/* ---- segments without a connection */

void tcp_send_stray(struct stack *stack, const struct tcp_config *config, const struct flow_id *id,
                    const struct source_route *route, struct tcp_segment seg, const char *cause)
{
    seg.src_port = id->local_port;
    seg.dst_port = id->remote_port;
    uint8_t header[TCP_HEADER_MAX_BYTES];
    size_t header_bytes = tcp_emit(&seg, config->syn_style, header);
    struct checksum sum = {0};

    checksum_add_pseudo(&sum, &id->local, &id->remote, IP_PROTOCOL_TCP, header_bytes);
    checksum_add(&sum, (struct bytes){header, header_bytes});
    struct writer field = writer_of(header + TCP_CHECKSUM_OFFSET, 2);
    write_u16(&field, checksum_finish(&sum));
    struct ipv4_packet ip =
        ip_header_for(stack, &id->local, &id->remote, IP_PROTOCOL_TCP, config->ttl, config->tos);
    uint8_t option[SOURCE_ROUTE_MAX_BYTES];
    source_route_apply(route != NULL ? route : &config->source_route, &ip, option);
    (void)ip_send(stack, &ip, (struct bytes){header, header_bytes}, id, cause);
}

void tcp_send_syn_cookie(struct tcb *tcb, uint32_t tsval, const char *cause)
{
    struct tcp_segment seg = {.seq = tcb->iss,
                              .ack = tcb->rcv_nxt,
                              .flags = TCP_SYN | TCP_ACK | ecn_syn_flags(tcb, false),
                              .wnd = announce_syn_window(tcb)};

    fill_syn_options(tcb, &seg.options, true);
    seg.options.tsval = tsval;
    seg.options.tsecr = tcb->ts_recent;
    tcp_send_stray(tcb->stack, tcb->config, &tcb->flow.id, route_of(tcb), seg, cause);
}

bool tcp_syn_ack_was_sent(struct tcb *tcb)
{
    const struct plan plan = {.seq = tcb->iss, .flags = TCP_SYN | TCP_ACK};

    if (!remember_in_flight(tcb, &plan))
        return false;
    (void)announce_syn_window(tcb);
    tcb->last_ack_sent = tcb->rcv_nxt;
    records_at(&tcb->work->in_flight, 0)
        ->transmission_count++; /* nobody knows when: no RTT sample */
    return true;
}

void tcp_send_reset(struct tcb *tcb, const char *cause)
{
    uint32_t seq = tcb_is_synchronized(tcb) ? acceptable_seq(tcb) : tcb->snd_nxt;

    struct tcp_segment seg = {.seq = seq, .ack = tcb->rcv_nxt, .flags = TCP_RST | TCP_ACK};

    if (tcb->timestamps) { /* RFC 7323 3.2: a SHOULD for resets */
        seg.options.has_timestamps = true;
        seg.options.tsval = tcb_tsval(tcb);
        seg.options.tsecr = tcb->ts_recent;
    }
    tcp_send_stray(tcb->stack, tcb->config, &tcb->flow.id, route_of(tcb), seg, cause);
}

void tcp_refuse(struct stack *stack, const struct flow_id *id, const struct tcp_segment *seg,
                const char *cause)
{
    const struct tcp_config *config = &stack->config.tcp;

    if (seg->flags & TCP_RST)
        return;
    struct tcp_segment reset = {.seq = seg->ack, .flags = TCP_RST};
    if (!(seg->flags & TCP_ACK))
        reset = (struct tcp_segment){.ack = seg->seq + tcp_segment_len(seg),
                                     .flags = TCP_RST | TCP_ACK};
    tcp_send_stray(stack, config, id, NULL, reset, cause);
}
