/* The walk, see walk.h. The peer is 10.0.0.1:7000; a life of the connection is one with our
 * listener on port 80, or an active open from port 40000, and when it is over another begins. The
 * first ISS of both sides lies just below 2^32.
 *
 * Segments are drawn near what the model knows: the honest one, then one number off, at the edge of
 * the window, old, or anywhere. Where the model says that text must not be delivered, other bytes
 * than the stream's are sent, so that taking them is seen. */
#include "walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../stack/wire/checksum.h"
#include "outcomes.h"
#include "rows.h"

#define OUR_ISS  0xffffff00u /* enumerators are signed */
#define PEER_ISS 0xfffffe00u

enum {
    OUR_ADDRESS = 0x0a000002,
    PEER_ADDRESS = 0x0a000001,
    LISTEN_PORT = 80,
    ACTIVE_PORT = 40000,
    PEER_PORT = 7000,
    START_US = 5000000,
    SECOND_US = 1000000,
    SENT_MAX = 600, /* a full send buffer in the smallest segments is less */
    PACKET_MAX_BYTES = 1600,
    TEXT_MAX_BYTES = 3000,
    CALL_MAX_BYTES = 6000,
    PULLS_MAX = 100000,
};

struct walk {
    const struct walk_plan *plan;
    struct stack *stack;
    struct tcb *listener, *handle;
    struct model model;
    struct model_seen seen;
    struct rows rows;
    uint64_t now_us, random_state;
    uint32_t peer_clock;
    bool is_active; /* this life began with an active open */
    bool is_tame;   /* the peer is honest for the most part */
    unsigned states, step;
    uint64_t hash;
    enum model_rule broken;
    struct model_sent sent[SENT_MAX];
    uint8_t packets[SENT_MAX][PACKET_MAX_BYTES];
    uint8_t data[CALL_MAX_BYTES];
};

static uint32_t draw(struct walk *w, uint32_t below)
{
    return w->plan->draw(w->plan->context, below);
}

static bool one_in(struct walk *w, uint32_t count)
{
    return draw(w, count) == 0;
}

uint64_t walk_seed(uint64_t seed)
{
    return seed * 0x9e3779b97f4a7c15u + 0x51ed270b;
}

uint32_t walk_draw(void *state, uint32_t below)
{
    uint64_t *s = state;

    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*s >> 32) * below >> 32);
}

/* ---- the stack under test */

static uint64_t next_random(void *context)
{
    uint64_t *state = context;

    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state ^ *state >> 29;
}

/* As RFC 6528 has it, a clock of 4 us and a secret; only that the secret is known. */
static bool choose(void *context, enum stack_choice what, uint32_t *value)
{
    const struct walk *w = context;

    if (what == CHOICE_ISS)
        *value = OUR_ISS + (uint32_t)((w->now_us - START_US) / 4);
    if (what == CHOICE_TS_OFFSET)
        *value = OUR_ISS - START_US / 1000;
    return what == CHOICE_ISS || what == CHOICE_TS_OFFSET;
}

static void on_event(void *context, const struct trace_event *event)
{
    struct walk *w = context;

    if (event->kind != TRACE_STATE || event->flow->remote_port == 0)
        return;
    if (w->seen.move_count == MODEL_MOVES_MAX)
        return;
    w->seen.move[w->seen.move_count++] =
        (struct model_move){(enum tcp_state)event->u.state.from, (enum tcp_state)event->u.state.to};
    w->states |= 1u << event->u.state.to;
    rows_note(&w->rows, w->now_us - START_US, "  %s to %s: %s",
              tcp_state_name((enum tcp_state)event->u.state.from),
              tcp_state_name((enum tcp_state)event->u.state.to), event->cause);
}

static struct stack *new_stack(struct walk *w)
{
    static const uint32_t buffers[] = {536, 2000, 8000, 40000, 131072};
    static const uint64_t delays_us[] = {0, 40000, 200000, 499999};
    struct stack_config config;

    stack_config_init(&config);
    config.address[0] = ip_addr_from_v4(OUR_ADDRESS);
    config.address_count = 1;
    config.random = next_random;
    config.random_context = &w->random_state;
    config.choose = choose;
    config.choose_context = w;
    config.trace = on_event;
    config.trace_context = w;
    if (w->random_state % 2 == 0) /* in SYN-RECEIVED it is a record */
        config.handshakes_awake_max = 0;
    w->model.throttles = one_in(w, 4);
    config.challenge_acks_per_s = w->model.throttles ? 3 : 1000000;
    config.tcp.timestamps = !one_in(w, 3);
    config.tcp.window_scaling = !one_in(w, 3);
    config.tcp.sack = !one_in(w, 3);
    config.tcp.ecn = (enum tcp_ecn)draw(w, 3);
    config.tcp.nagle = !one_in(w, 3);
    config.tcp.send_buffer_bytes = one_in(w, 2) ? 3000 : 20000;
    config.tcp.receive_buffer_bytes = buffers[draw(w, 5)];
    config.tcp.receive_buffer_max_bytes = config.tcp.receive_buffer_bytes << draw(w, 3);
    config.tcp.delayed_ack_us = delays_us[draw(w, 4)];
    config.tcp.congestion = (enum tcp_congestion)draw(w, TCP_CONGESTION_COUNT);
    config.tcp.header_prediction = !w->plan->is_unpredicted;
    bool throttles = w->model.throttles;
    model_init(&w->model, &config.tcp, w->now_us);
    w->model.throttles = throttles;
    return stack_new(&config, w->now_us);
}

/* ---- what is seen */

static void note(struct walk *w, const void *data, size_t len)
{
    const uint8_t *at = data;

    for (size_t i = 0; i < len; i++)
        w->hash = (w->hash ^ at[i]) * 0x100000001b3u;
}

/* Its numbers; between them lies padding. */
static void note_status(struct walk *w, const struct tcp_status *s)
{
    const uint64_t numbers[] = {s->state,
                                s->snd_una,
                                s->snd_nxt,
                                s->snd_wnd,
                                s->rcv_nxt,
                                s->rcv_wnd,
                                s->cwnd_bytes,
                                s->ssthresh_bytes,
                                s->in_flight_bytes,
                                s->snd_mss_bytes,
                                s->rcv_mss_bytes,
                                s->rcv_tos,
                                s->srtt_us,
                                s->rttvar_us,
                                s->rto_us,
                                s->backoff_count,
                                s->send_queued_bytes,
                                s->receive_queued_bytes,
                                s->unsent_bytes,
                                s->sacked_bytes,
                                s->lost_bytes,
                                s->resent_bytes,
                                s->urgent_bytes,
                                s->out_of_order_ranges,
                                s->bytes_sent,
                                s->bytes_acked,
                                s->bytes_received,
                                s->segments_sent,
                                s->segments_received,
                                s->retransmit_count,
                                s->delivery_rate_bytes_per_s,
                                s->delivery_is_app_limited,
                                s->in_recovery,
                                s->undo_count,
                                s->min_rtt_us,
                                s->reo_wnd_us,
                                s->receive_buffer_bytes,
                                (uint64_t)(int)s->error};

    note(w, numbers, sizeof numbers);
    note(w, s->deadline_us, sizeof s->deadline_us);
}

static void pull(struct walk *w)
{
    struct packet_out out;
    unsigned count = 0;

    while (count < SENT_MAX && stack_output(w->stack, &out, w->now_us)) {
        struct ipv4_packet ip;
        struct model_sent *sent = &w->sent[count];
        size_t len = packet_out_copy(&out, w->packets[count], PACKET_MAX_BYTES);
        if (ipv4_parse((struct bytes){w->packets[count], len}, false, &ip) != DROP_NOT ||
            !tcp_checksum_is_right(ip.payload, &ip.src, &ip.dst) ||
            tcp_parse(ip.payload, &sent->seg) != DROP_NOT)
            abort(); /* the frame of the talks says more about it */
        note(w, w->packets[count], len);
        sent->header_bytes = ip.payload.len - sent->seg.payload.len;
        count++;
    }
    w->seen.sent = w->sent;
    w->seen.sent_count = count;
}

static struct rows_base base_of(const struct walk *w, bool is_ours)
{
    uint32_t ours = w->model.iss, peers = w->model.irs;

    return is_ours ? (struct rows_base){ours, peers} : (struct rows_base){peers, ours};
}

static void begin(struct walk *w, enum model_event event)
{
    w->seen = (struct model_seen){.event = event, .time_us = w->now_us};
}

/* A SYN in TIME-WAIT has begun a new connection: the handle is that of the old one. */
static void give_back_old_handle(struct walk *w)
{
    const struct model_seen *seen = &w->seen;

    if (w->handle == NULL || seen->move_count < 2 ||
        seen->move[seen->move_count - 1].to != TCPS_SYN_RECEIVED)
        return;
    tcp_close(w->handle);
    w->handle = NULL;
}

/* After an event: what the stack sends, what it says of itself, and what the model thinks. */
static void look(struct walk *w)
{
    pull(w);
    give_back_old_handle(w);
    if (!w->is_active && w->handle == NULL)
        w->handle = tcp_accept(w->listener);
    w->seen.has_status = w->handle != NULL;
    if (w->seen.has_status) {
        tcp_status(w->handle, &w->seen.status);
        note_status(w, &w->seen.status);
    }
    note(w, &w->seen.move_count, sizeof w->seen.move_count);
    while (stack_next_ready(w->stack) != NULL)
        continue;
    if (w->plan->lie != NULL)
        w->plan->lie(w->plan->lie_context, &w->model, &w->seen);
    w->broken = model_judge(&w->model, &w->seen);
    for (unsigned i = 0; i < w->seen.sent_count; i++)
        rows_segment(&w->rows, w->now_us - START_US, '>', &w->sent[i].seg, base_of(w, true));
}

/* ---- the peer */

static uint32_t near(struct walk *w, uint32_t honest, const uint32_t *places, unsigned place_count)
{
    uint32_t how = draw(w, w->is_tame ? 40 : 10);

    if (how == 0)
        return honest + 1;
    if (how == 1)
        return honest - 1;
    if (how == 2)
        return honest + draw(w, 5000) - 2500;
    if (how == 3)
        return one_in(w, 4) ? draw(w, UINT32_MAX) : places[draw(w, place_count)];
    if (how == 4)
        return places[draw(w, place_count)];
    return honest;
}

static uint32_t a_seq(struct walk *w, size_t len)
{
    const struct model *m = &w->model;
    uint32_t edge = m->edge;
    const uint32_t places[] = {edge,         edge - 1,
                               edge + 1,     edge - (uint32_t)len,
                               m->irs,       m->rcv_nxt - (uint32_t)len,
                               edge + 70000, m->rcv_nxt + (uint32_t)len,
                               m->far_edge,  m->irs + 1};

    if (m->state == TCPS_CLOSED || m->state == TCPS_SYN_SENT)
        return PEER_ISS + draw(w, 1000);
    return near(w, m->rcv_nxt, places, sizeof places / sizeof places[0]);
}

static uint32_t an_ack(struct walk *w)
{
    const struct model *m = &w->model;
    uint32_t flight = m->snd_nxt - m->snd_una;
    const uint32_t places[] = {m->snd_una,
                               m->snd_una + draw(w, flight + 1),
                               m->iss,
                               m->snd_una - m->max_snd_wnd,
                               m->snd_una - m->max_snd_wnd - 1,
                               m->snd_una + flight / 2};

    return near(w, one_in(w, 4) ? m->snd_una + draw(w, flight + 1) : m->snd_nxt, places,
                sizeof places / sizeof places[0]);
}

static uint8_t some_flags(struct walk *w)
{
    static const uint8_t any[] = {TCP_ACK,
                                  TCP_SYN,
                                  TCP_SYN | TCP_ACK,
                                  TCP_RST,
                                  TCP_RST | TCP_ACK,
                                  TCP_FIN,
                                  TCP_FIN | TCP_ACK,
                                  TCP_SYN | TCP_FIN,
                                  TCP_PSH,
                                  0,
                                  0xff,
                                  TCP_URG | TCP_ACK,
                                  TCP_SYN | TCP_RST,
                                  TCP_SYN | TCP_FIN | TCP_ACK};
    enum tcp_state state = w->model.state;

    if (one_in(w, w->is_tame ? 25 : 5))
        return any[draw(w, sizeof any)];
    if (state == TCPS_CLOSED)
        return TCP_SYN;
    if (state == TCPS_SYN_SENT)
        return one_in(w, 4) ? TCP_SYN : TCP_SYN | TCP_ACK;
    if (state == TCPS_TIME_WAIT && one_in(w, 3))
        return one_in(w, 2) ? TCP_SYN : TCP_FIN | TCP_ACK;
    if (one_in(w, 30))
        return TCP_FIN | TCP_ACK;
    return one_in(w, 30) ? TCP_URG | TCP_ACK : TCP_ACK;
}

static struct tcp_options some_options(struct walk *w, uint8_t flags)
{
    const struct model *m = &w->model;
    struct tcp_options options = {0};
    bool is_syn = flags & TCP_SYN;

    if (is_syn) {
        static const uint16_t sizes[] = {1460, 1460, 1460, 536, 100, 9000, 1};
        options.has_mss = !one_in(w, 4);
        options.mss = sizes[draw(w, 7)];
        options.has_window_scale = !one_in(w, 3);
        options.window_scale = (uint8_t)(one_in(w, 10) ? draw(w, 256) : draw(w, 8));
        options.sack_permitted = !one_in(w, 3);
    } else if (one_in(w, 6)) {
        options.sack_count = 1 + draw(w, 3);
        for (unsigned i = 0; i < options.sack_count; i++) {
            options.sack[i].left = m->snd_una + draw(w, 4000) - 100;
            options.sack[i].right = options.sack[i].left + draw(w, 3000);
        }
    }
    bool wants = is_syn ? one_in(w, 2) : model_has_timestamps(m);
    options.has_timestamps = wants != one_in(w, is_syn ? 1000 : 40);
    options.tsval = w->peer_clock - (one_in(w, 20) ? draw(w, 50) : 0);
    options.tsecr = m->tsval;
    return options;
}

/* A copy of its own size, so that reading past its end is seen. */
static void put_in(struct walk *w, const uint8_t *packet, size_t len)
{
    uint8_t *copy = malloc(len);

    memcpy(copy, packet, len);
    stack_input(w->stack, &(struct packet_in){.bytes = {copy, len}}, w->now_us);
    free(copy);
}

static void deliver(struct walk *w, struct tcp_segment *seg, bool is_damaged)
{
    uint8_t packet[IPV4_HEADER_BYTES + TCP_HEADER_MAX_BYTES + TEXT_MAX_BYTES];
    struct ipv4_packet ip = {.src = ip_addr_from_v4(PEER_ADDRESS),
                             .dst = ip_addr_from_v4(OUR_ADDRESS),
                             .protocol = IP_PROTOCOL_TCP,
                             .tos = (uint8_t)(one_in(w, 4) ? draw(w, 4) : 0), /* RFC 3168 5 */
                             .ttl = 64};
    uint8_t *tcp = packet + IPV4_HEADER_BYTES;
    struct checksum sum = {0};

    size_t header_bytes = tcp_emit(seg, TCP_SYN_STYLE_LINUX, tcp);
    size_t len = header_bytes + seg->payload.len;
    memcpy(tcp + header_bytes, seg->payload.data, seg->payload.len);
    checksum_add_pseudo(&sum, &ip.src, &ip.dst, IP_PROTOCOL_TCP, len);
    checksum_add(&sum, (struct bytes){tcp, len});
    struct writer writer = writer_of(tcp + TCP_CHECKSUM_OFFSET, 2);
    write_u16(&writer, (uint16_t)(checksum_finish(&sum) ^ (is_damaged ? 0x5a5a : 0)));
    ipv4_emit(&ip, len, packet, IPV4_HEADER_BYTES);
    put_in(w, packet, IPV4_HEADER_BYTES + len);
}

static void fill_text(struct walk *w, const struct tcp_segment *seg, uint8_t *text)
{
    uint8_t other = model_takes_text(&w->model, seg) ? 0 : 0xff;
    uint32_t position = seg->seq + !!(seg->flags & TCP_SYN) - w->model.irs - 1;

    if (seg->flags & TCP_SYN && w->model.state <= TCPS_SYN_SENT)
        position = 0;
    for (size_t i = 0; i < seg->payload.len; i++)
        text[i] = model_byte_peers(position + (uint32_t)i) ^ other;
}

static void peer_sends(struct walk *w)
{
    static const uint16_t lengths[] = {0, 0, 0, 0, 0, 1, 10, 100, 536, 1460, 1460, TEXT_MAX_BYTES};
    uint8_t text[TEXT_MAX_BYTES];
    uint8_t flags = some_flags(w);
    bool is_syn = flags & TCP_SYN;
    size_t len = is_syn && !one_in(w, 10) ? 0 : lengths[draw(w, 12)];
    struct tcp_segment seg = {
        .src_port = PEER_PORT,
        .dst_port = w->is_active ? ACTIVE_PORT : LISTEN_PORT,
        .flags = (uint8_t)(flags | (one_in(w, 20) ? draw(w, 4) << 6 : 0)), /* ECE, CWR */
        .seq = a_seq(w, len),
        .wnd = (uint16_t)(one_in(w, 4) ? draw(w, 4) * draw(w, 1000) : 65535),
        .urgent = (uint16_t)(flags & TCP_URG ? draw(w, 2000) : 0),
        .options = some_options(w, flags),
        .payload = {text, len},
    };

    if (flags & TCP_ACK)
        seg.ack = an_ack(w);
    if (w->model.state == TCPS_TIME_WAIT && is_syn && one_in(w, 2))
        seg.seq = w->model.rcv_nxt + draw(w, 100000);
    fill_text(w, &seg, text);
    begin(w, MODEL_SEGMENT);
    w->seen.arrived = &seg;
    w->seen.is_damaged = one_in(w, 100);
    bool begins = is_syn && w->model.state <= TCPS_SYN_SENT;
    rows_segment(&w->rows, w->now_us - START_US, w->seen.is_damaged ? '!' : '<', &seg,
                 begins ? (struct rows_base){seg.seq, w->model.iss} : base_of(w, false));
    deliver(w, &seg, w->seen.is_damaged);
    look(w);
}

/* ---- time */

static void time_is(struct walk *w, uint64_t now_us)
{
    w->now_us = now_us;
    w->peer_clock = PEER_ISS + (uint32_t)((now_us - START_US) / 1000);
    begin(w, MODEL_TIME);
    stack_on_time(w->stack, now_us);
    look(w);
}

static void time_passes(struct walk *w)
{
    static const uint64_t at_most_us[] = {1000,    10000,   100000,   1000000,
                                          1000000, 5000000, 70000000, 1000000000};
    uint64_t end_us = w->now_us + draw(w, (uint32_t)at_most_us[draw(w, one_in(w, 4) ? 8 : 5)]);
    uint64_t next_us;

    for (unsigned i = 0; w->broken == RULE_NONE && i < PULLS_MAX; i++) {
        next_us = stack_next_deadline_us(w->stack);
        if (next_us > end_us)
            break;
        time_is(w, next_us > w->now_us ? next_us : w->now_us);
    }
    if (w->broken == RULE_NONE)
        time_is(w, end_us);
}

/* ---- the user */

static void call(struct walk *w, enum model_event event)
{
    begin(w, event);
    w->seen.len = draw(w, CALL_MAX_BYTES);
    w->seen.data = w->data;
    switch (event) {
    case MODEL_SEND:
        w->seen.is_urgent = one_in(w, 20);
        for (size_t i = 0; i < w->seen.len; i++)
            w->data[i] = model_byte_ours(w->model.written + (uint32_t)i);
        w->seen.result = w->seen.is_urgent ? tcp_send_urgent(w->handle, w->data, w->seen.len)
                                           : tcp_send(w->handle, w->data, w->seen.len);
        break;
    case MODEL_RECEIVE:
        w->seen.result = tcp_receive(w->handle, w->data, w->seen.len);
        break;
    case MODEL_SHUTDOWN:
        w->seen.result = tcp_shutdown(w->handle);
        break;
    case MODEL_CLOSE:
        tcp_close(w->handle);
        w->handle = NULL;
        break;
    case MODEL_ABORT:
        tcp_abort(w->handle);
        w->handle = NULL;
        break;
    case MODEL_SEGMENT:
    case MODEL_TIME:
    case MODEL_OPEN:
        break;
    }
    static const char *const names[] = {[MODEL_SEND] = "send",
                                        [MODEL_RECEIVE] = "receive",
                                        [MODEL_SHUTDOWN] = "shutdown",
                                        [MODEL_CLOSE] = "close",
                                        [MODEL_ABORT] = "abort"};
    rows_note(&w->rows, w->now_us - START_US, "  %s %zu = %td", names[event], w->seen.len,
              w->seen.result);
    look(w);
}

static void user_calls(struct walk *w)
{
    uint32_t what = draw(w, 40);

    if (w->handle == NULL)
        return;
    if (what < 18)
        call(w, MODEL_SEND);
    else if (what < 36)
        call(w, MODEL_RECEIVE);
    else if (what < 38)
        call(w, MODEL_SHUTDOWN);
    else
        call(w, one_in(w, 3) ? MODEL_ABORT : MODEL_CLOSE);
}

/* ---- one life after the other */

static void open_actively(struct walk *w)
{
    struct ip_addr peer = ip_addr_from_v4(PEER_ADDRESS);
    enum tcp_err error;

    begin(w, MODEL_OPEN);
    rows_note(&w->rows, w->now_us - START_US, "  connect");
    w->handle = tcp_open_active(w->stack, NULL, ACTIVE_PORT, &peer, PEER_PORT, NULL, &error);
    if (w->handle == NULL)
        abort();
    look(w);
}

/* The connection is gone: the handle is given back, and perhaps another life begins. */
static bool begins_anew(struct walk *w)
{
    if (w->model.state != TCPS_CLOSED)
        return false;
    if (w->handle != NULL && one_in(w, 3)) {
        call(w, one_in(w, 2) ? MODEL_CLOSE : MODEL_ABORT);
        return true;
    }
    if (w->handle != NULL) {
        user_calls(w);
        return true;
    }
    if (!one_in(w, 3))
        return false;
    w->is_active = one_in(w, 2);
    w->model.listens = !w->is_active;
    if (w->is_active)
        open_actively(w);
    return w->is_active;
}

static void step(struct walk *w)
{
    uint32_t what = draw(w, 20);

    if (begins_anew(w))
        return;
    if (what < 13)
        peer_sends(w);
    else if (what < 16)
        time_passes(w);
    else
        user_calls(w);
}

/* ---- a walk, and what to say when it has failed */

static void report(const struct walk *w, struct walk_result *result)
{
    const struct model *m = &w->model;
    size_t room = sizeof result->report;

    size_t at = rows_print(&w->rows, result->report, room);
    at += (size_t)snprintf(result->report + at, room - at,
                           "the model: %s%s, ISS %u, SND.UNA %u, SND.NXT %u, SND.WND %u, IRS %u, "
                           "RCV.NXT %u, window up to %u, %u written, %u read%s%s\n",
                           tcp_state_name(m->state), m->listens ? " of a listener" : "", m->iss,
                           m->snd_una, m->snd_nxt, m->snd_wnd, m->irs, m->rcv_nxt, m->edge,
                           m->written, m->read, m->has_shut_down ? ", shut down" : "",
                           m->has_closed ? ", closed" : "");
    snprintf(result->report + at, room - at, "step %u breaks %s\n%s\n", w->step,
             model_rule_text(w->broken), m->why);
}

struct walk_result walk_run(const struct walk_plan *plan)
{
    struct walk *w = calloc(1, sizeof *w);
    struct walk_result result = {0};

    if (w == NULL)
        abort();
    w->plan = plan;
    w->now_us = START_US;
    w->peer_clock = PEER_ISS;
    w->stack = new_stack(w);
    w->is_tame = !one_in(w, 3);
    w->model.listens = true;
    w->listener = tcp_open_passive(w->stack, NULL, LISTEN_PORT, NULL, NULL);
    if (w->listener == NULL)
        abort();
    for (; w->step < plan->step_count && w->broken == RULE_NONE; w->step++) {
        if (plan->is_over != NULL && plan->is_over(plan->context))
            break;
        step(w);
    }
    result.broken = w->broken;
    result.step = w->step;
    result.judged_count = w->model.judged_count;
    result.states = w->states;
    result.hash = w->hash;
    if (w->broken != RULE_NONE)
        report(w, &result);
    stack_free(w->stack);
    free(w);
    return result;
}
