/* Anything may come at any time: a peer that sends random segments near the truth, an application
 * that makes random calls, and time that passes, from a seed. Nothing of it may crash, leak (the
 * sanitizers look), send a malformed packet (the frame looks), take a way between states that
 * figure 5 of RFC 9293 does not have (tcp_set_state() looks), or break one of the promises below.
 */
#include "talk.h"

enum { STEPS = 400, SEEDS = 400 };

struct chaos {
    struct talk *t;
    uint32_t state;
    struct tcb *edge_of; /* whose right edge is watched */
    uint32_t edge;
};

static uint32_t draw(struct chaos *c, uint32_t below)
{
    c->state = c->state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(c->state >> 4) * below >> 28);
}

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* SHLD-14: the right edge of our window never moves left, but for what the window scale cannot
 * express when the buffer is full (RFC 7323 2.4). */
static void watch_right_edge(struct chaos *c, const uint8_t *tcp)
{
    struct talk *t = c->t;

    if (t->tcb == NULL || (tcp[13] & (TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK)
        return;
    struct tcp_status status = talk_status(t);
    if (status.state < TCPS_ESTABLISHED || status.flow.local_port != (tcp[0] << 8 | tcp[1]))
        return; /* a connection that was let go is still talking */
    uint32_t win = (uint32_t)(tcp[14] << 8 | tcp[15]) << status.rcv_wnd_shift;
    uint32_t edge = get_u32(tcp + 8) + win;
    if (c->edge_of == t->tcb && (int32_t)(edge - c->edge) <= -(1 << status.rcv_wnd_shift))
        talk_fail(t, __FILE__, __LINE__, "the right edge moves left by %d",
                  (int32_t)(c->edge - edge));
    c->edge_of = t->tcb;
    c->edge = edge;
}

static void look_at_what_was_sent(struct chaos *c)
{
    struct talk *t = c->t;

    talk_pull(t);
    for (; t->sent_count > 0; t->sent_count--, t->sent_first++)
        watch_right_edge(c, t->sent[t->sent_first].bytes + 20);
    t->sent_first = 0;
    if (t->tcb == NULL)
        return;
    struct tcp_status status = talk_status(t);
    ck_assert_uint_le(status.snd_nxt - status.snd_una, (1u << 20) + 2);
    ck_assert_uint_le(status.send_queued_bytes, 1u << 20);
    ck_assert_uint_le(status.out_of_order_ranges, 256);
    ck_assert(status.state != TCPS_CLOSED || status.deadline_us[TIMER_RETRANSMIT] == NEVER);
}

static int32_t near(struct chaos *c, uint32_t truth)
{
    static const int32_t offsets[] = {0, 0, 0, 0, 0, 0, 0, 1, -1, 100, -100, 1460, 70000, -70000};

    if (draw(c, 200) == 0)
        return (int32_t)(c->state * 2654435761u);
    return (int32_t)truth + offsets[draw(c, sizeof offsets / sizeof offsets[0])];
}

static void peer_sends_something(struct chaos *c)
{
    static const char *const flags[] = {".", ".",  ".", ".",  "P.", "P.", "P.", "F.", "FP.",
                                        "S", "S.", "R", "R.", "U.", "0",  "P",  "SF", "FSRPUEW."};
    static const char *const options[] = {"",
                                          "mss 1460",
                                          "mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 7",
                                          "mss 88,sackOK,nop,wscale 14",
                                          "TS val 3 ecr 0",
                                          "TS val -3 ecr 9",
                                          "raw 8 3 1",
                                          "raw 5 2",
                                          "raw 30 0"};
    static const uint32_t lengths[] = {0, 0, 0, 1, 10, 536, 1460, 1460, 3000};
    struct talk *t = c->t;
    struct tcp_status status = {.snd_una = t->iss, .snd_nxt = t->iss + 1, .rcv_nxt = t->irs + 1};

    if (t->tcb != NULL)
        status = talk_status(t);
    const char *flag = flags[draw(c, sizeof flags / sizeof flags[0])];
    const char *option = options[draw(c, 2) == 0 ? 0 : draw(c, 9)];
    char sack[60] = "";
    uint32_t len = lengths[draw(c, sizeof lengths / sizeof lengths[0])];
    bool is_syn = strchr(flag, 'S') != NULL;
    int32_t seq = near(c, is_syn ? 0 : status.rcv_nxt - t->irs);
    int32_t ack = near(c, (draw(c, 2) ? status.snd_una : status.snd_nxt) - t->iss);
    if (status.timestamps && draw(c, 10) > 0)
        option = draw(c, 5) > 0 ? "TS val 3 ecr 0" : "TS val 4 ecr 1";
    else if (status.sack && draw(c, 3) == 0) {
        int32_t left = near(c, status.snd_una - t->iss + draw(c, 20000));
        snprintf(sack, sizeof sack, "nop,nop,sack %d:%d", left, left + (int32_t)draw(c, 5000));
        option = sack;
    }
    t->sent_count = t->sent_first = 0;
    peer_sends(t, segment("%s %d:%d(%u) %s win %u urg %u <%s>", flag, seq, seq + (int32_t)len, len,
                          strchr(flag, 0x2e) ? segment("ack %d", ack) : "",
                          draw(c, 4) ? 65535 : draw(c, 3000), draw(c, 3000), option));
}

static void app_does_something(struct chaos *c)
{
    struct talk *t = c->t;
    uint8_t data[5000];
    struct tcp_status status = talk_status(t);
    size_t len = draw(c, sizeof data);

    switch (draw(c, 12)) {
    case 0:
    case 1:
    case 2:
    case 3:
        t->iss = status.iss;
        for (size_t i = 0; i < len; i++) {
            uint32_t una = status.snd_una == status.iss ? status.iss + 1 : status.snd_una;
            data[i] = talk_byte(una - TALK_ISS + (uint32_t)status.send_queued_bytes + (uint32_t)i);
        }
        (void)tcp_send(t->tcb, data, len);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        (void)tcp_receive(t->tcb, data, len);
        break;
    case 8:
        (void)tcp_shutdown(t->tcb);
        break;
    case 9:
    case 10:
        if (draw(c, 6) > 0)
            break;
        tcp_close(t->tcb);
        t->tcb = NULL;
        break;
    default:
        if (draw(c, 12) > 0)
            break;
        tcp_abort(t->tcb);
        t->tcb = NULL;
        break;
    }
}

static void app_begins_something(struct chaos *c)
{
    struct talk *t = c->t;
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);

    c->edge_of = NULL;
    t->tcb = tcp_accept(t->listener);
    if (t->tcb != NULL) {
        t->our_port = TALK_LISTEN_PORT;
    } else if (draw(c, 4) == 0) {
        t->our_port = TALK_OUR_PORT;
        t->tcb = tcp_open_active(t->stack, NULL, t->our_port, &peer, t->peer_port, NULL, NULL);
    } else {
        t->our_port = TALK_LISTEN_PORT;
        t->iss = TALK_ISS;
    }
    if (t->tcb != NULL)
        t->iss = talk_status(t).iss;
}

START_TEST(nothing_that_happens_does_harm)
{
    struct chaos c = {.t = talk_new(NULL), .state = (uint32_t)_i * 2654435761u + 1};
    struct talk *t = c.t;
    char title[40];

    snprintf(title, sizeof title, "seed %d", _i);
    t->title = title;
    talk_listen(t);
    for (int step = 0; step < STEPS; step++) {
        uint32_t what = draw(&c, 20);
        if (what < 12)
            peer_sends_something(&c);
        else if (what < 14)
            time_passes_us(t, draw(&c, 40) == 0 ? 100000000 : draw(&c, 400000));
        else if (t->tcb != NULL)
            app_does_something(&c);
        else
            app_begins_something(&c);
        look_at_what_was_sent(&c);
    }
    time_passes_ms(t, 10);
    t->sent_count = t->sent_first = 0;
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, nothing_that_happens_does_harm, 0, SEEDS);
}

int main(void)
{
    return unit_main("anything", tests);
}
