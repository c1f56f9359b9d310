/* Events as sentences. One form for all: what happened, a colon, the cause that the stack gave, the
 * RFC clause in parentheses; for events of loss recovery "| cwnd=... ssthresh=... rto=..." after
 * it, so that a comment in a capture stands on its own. Numbers of bytes are relative, as in the
 * rows.
 *
 * The stack gives causes as string constants, but a name that was asked for comes from outside; it
 * has been checked by dns_name_is_valid(), and is cut if it is long. */
#include "explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../stack/tcp/tcp.h"

enum { DURATION_BYTES = 24 };

struct text {
    char *at;
    size_t room;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *form, ...);
static const char *duration(uint64_t us, const char *space, char text[static DURATION_BYTES]);
static void say(const struct trace_event *event, struct text *text);
static void say_timer(const struct trace_event *event, struct text *text);
static void say_rtt(const struct trace_event *event, struct text *text);
static void say_cwnd(const struct trace_event *event, struct text *text);
static void say_cwnd_numbers(enum trace_cwnd what, const uint32_t number[static 4],
                             struct text *text);
static void say_recovery(const struct trace_event *event, struct text *text);
static void say_prr(const struct trace_event *event, struct text *text);
static void say_lost(const struct trace_event *event, struct text *text);
static void say_reordering(const struct trace_event *event, struct text *text);
static void say_range(const struct trace_event *event, struct text *text);
static void say_window(const struct trace_event *event, struct text *text);
static void say_dns(const struct trace_event *event, struct text *text);
static void say_path_mtu(const struct trace_event *event, struct text *text);
static void add_cause(const struct trace_event *event, struct text *text);
static bool has_status(const struct trace_event *event);

int explain_level(const struct trace_event *event)
{
    switch (event->kind) {
    case TRACE_PACKET_IN:
    case TRACE_PACKET_OUT:
        return 0;
    case TRACE_DROP:
    case TRACE_STATE:
    case TRACE_RECOVERY:
    case TRACE_RETRANSMIT:
    case TRACE_DUPLICATE:
    case TRACE_LOST:
    case TRACE_REORDERING:
    case TRACE_RENEGED:
    case TRACE_ECN:
    case TRACE_WINDOW:
    case TRACE_ERROR:
    case TRACE_DNS:
    case TRACE_PATH_MTU:
        return 1;
    case TRACE_TIMER_FIRED:
        return event->u.timer.timer == TIMER_RETRANSMIT ? 1 : 2;
    case TRACE_TIMER_ARMED:
    case TRACE_RTT:
    case TRACE_CWND:
    case TRACE_PRR:
    case TRACE_COUNT:
        return 2;
    }
    return 2;
}

bool explain_belongs_in_capture(const struct trace_event *event)
{
    return explain_level(event) == 1 || event->kind == TRACE_CWND;
}

const char *explain_event(const struct trace_event *event, char *text, size_t room)
{
    struct text out = {.at = text, .room = room};

    if (room == 0)
        return text;
    text[0] = '\0';
    if (event->kind == TRACE_PACKET_IN)
        return text;
    say(event, &out);
    add_cause(event, &out);
    if (has_status(event)) {
        char status[128];

        explain_status(event->tcb, status, sizeof status);
        add(&out, " | %s", status);
    }
    return text;
}

const char *explain_status(const struct tcb *tcb, char *text, size_t room)
{
    struct text out = {.at = text, .room = room};
    struct tcp_status status;
    char rto[DURATION_BYTES];

    if (room > 0)
        text[0] = '\0';
    if (tcb == NULL)
        return text;
    tcp_status(tcb, &status);
    if (status.cwnd_bytes > 0) /* 0: the handshake is not complete */
        add(&out, "cwnd=%u ", (unsigned)status.cwnd_bytes);
    if (status.ssthresh_bytes >= UINT32_MAX / 2) /* as high as it goes, 5681 3.1: no loss yet */
        add(&out, "ssthresh=none ");
    else if (status.cwnd_bytes > 0)
        add(&out, "ssthresh=%u ", (unsigned)status.ssthresh_bytes);
    add(&out, "rto=%s", duration(status.rto_us, "", rto));
    return text;
}

static void add(struct text *text, const char *form, ...)
{
    va_list arguments;

    if (text->room == 0)
        return;
    va_start(arguments, form);
    int len = vsnprintf(text->at, text->room, form, arguments);
    va_end(arguments);
    size_t used = len < 0 ? 0 : (size_t)len < text->room ? (size_t)len : text->room - 1;
    text->at += used;
    text->room -= used;
}

/* "103 us", "36.1 ms", "1.00 s"; `space` stands before the unit. */
static const char *duration(uint64_t us, const char *space, char text[static DURATION_BYTES])
{
    if (us < 1000)
        snprintf(text, DURATION_BYTES, "%u%sus", (unsigned)us, space);
    else if (us < 1000000)
        snprintf(text, DURATION_BYTES, "%.*f%sms", us % 1000 == 0 ? 0 : 1, (double)us / 1e3, space);
    else
        snprintf(text, DURATION_BYTES, "%.2f%ss", (double)us / 1e6, space);
    return text;
}

/* What happened, without the cause. */
static void say(const struct trace_event *event, struct text *text)
{
    switch (event->kind) {
    case TRACE_PACKET_IN:
    case TRACE_PACKET_OUT:
    case TRACE_COUNT:
        return;
    case TRACE_DROP:
        add(text, "dropped, %s", drop_name(event->u.drop));
        return;
    case TRACE_STATE:
        add(text, "%s -> %s", tcp_state_name((enum tcp_state)event->u.state.from),
            tcp_state_name((enum tcp_state)event->u.state.to));
        return;
    case TRACE_TIMER_ARMED:
    case TRACE_TIMER_FIRED:
        say_timer(event, text);
        return;
    case TRACE_RTT:
        say_rtt(event, text);
        return;
    case TRACE_CWND:
        say_cwnd(event, text);
        return;
    case TRACE_RECOVERY:
        say_recovery(event, text);
        return;
    case TRACE_PRR:
        say_prr(event, text);
        return;
    case TRACE_LOST:
        say_lost(event, text);
        return;
    case TRACE_REORDERING:
        say_reordering(event, text);
        return;
    case TRACE_RETRANSMIT:
    case TRACE_DUPLICATE:
    case TRACE_RENEGED:
        say_range(event, text);
        return;
    case TRACE_ECN:
        add(text, event->u.ecn.is_echo ? "congestion ahead of us" : "congestion ahead of the peer");
        return;
    case TRACE_WINDOW:
        say_window(event, text);
        return;
    case TRACE_ERROR:
        add(text, "%s: %s", event->u.error.soft ? "soft error, noted only" : "error",
            tcp_err_name((enum tcp_err)event->u.error.error));
        return;
    case TRACE_DNS:
        say_dns(event, text);
        return;
    case TRACE_PATH_MTU:
        say_path_mtu(event, text);
        return;
    }
}

static void say_timer(const struct trace_event *event, struct text *text)
{
    const char *name = tcp_timer_name((enum tcp_timer)event->u.timer.timer);
    bool is_rto = event->u.timer.timer == TIMER_RETRANSMIT;
    unsigned backoff = event->u.timer.backoff_count;
    char in[DURATION_BYTES];

    if (event->kind == TRACE_TIMER_ARMED) {
        uint64_t us = event->u.timer.deadline_us > event->time_us
                          ? event->u.timer.deadline_us - event->time_us
                          : 0;
        add(text, "%s timer armed: fires in %s", name, duration(us, " ", in));
        return;
    }
    if (!is_rto || event->tcb == NULL) {
        add(text, "%s timer fired", name);
        if (backoff > 0)
            add(text, " (%u in a row without an answer)", backoff + 1);
        return;
    }
    struct tcp_status status;
    tcp_status(event->tcb, &status);
    add(text, "RTO fired (%s", duration(status.rto_us, " ", in));
    if (backoff > 0)
        add(text, ", backoff x%llu", 1ull << (backoff < 63 ? backoff : 63));
    add(text, "): first unacked byte %u", (unsigned)(status.snd_una - status.iss));
}

static void say_rtt(const struct trace_event *event, struct text *text)
{
    char sample[DURATION_BYTES], srtt[DURATION_BYTES], rttvar[DURATION_BYTES], rto[DURATION_BYTES];

    add(text, "RTT sample %s: srtt=%s rttvar=%s rto=%s",
        duration(event->u.rtt.sample_us, " ", sample), duration(event->u.rtt.srtt_us, "", srtt),
        duration(event->u.rtt.rttvar_us, "", rttvar), duration(event->u.rtt.rto_us, "", rto));
}

static void say_cwnd(const struct trace_event *event, struct text *text)
{
    uint32_t now = event->u.cwnd.cwnd_bytes, before = event->u.cwnd.before_bytes;

    add(text, "cwnd=%u", (unsigned)now);
    if (before != 0 && before != now)
        add(text, " (%c%u)", now > before ? '+' : '-',
            (unsigned)(now > before ? now - before : before - now));
    if (event->u.cwnd.ssthresh_bytes < UINT32_MAX / 2)
        add(text, " ssthresh=%u", (unsigned)event->u.cwnd.ssthresh_bytes);
    say_cwnd_numbers(event->u.cwnd.what, event->u.cwnd.number, text);
}

/* BBR's model of the path; a bound of UINT32_MAX is none. */
static void say_model(const uint32_t number[static 4], struct text *text)
{
    char rtt[DURATION_BYTES];

    add(text, ", bw=%u.%02uMbit/s", (unsigned)(number[0] / 125000),
        (unsigned)(number[0] / 1250 % 100));
    if (number[1] < UINT32_MAX)
        add(text, " min_rtt=%s", duration(number[1], "", rtt));
    if (number[2] < UINT32_MAX)
        add(text, " inflight_longterm=%u", (unsigned)number[2]);
    if (number[3] < UINT32_MAX)
        add(text, " inflight_shortterm=%u", (unsigned)number[3]);
}

/* What decided: see enum trace_cwnd. */
static void say_cwnd_numbers(enum trace_cwnd what, const uint32_t number[static 4],
                             struct text *text)
{
    unsigned a = (unsigned)number[0], b = (unsigned)number[1], c = (unsigned)number[2],
             d = (unsigned)number[3];
    char one[DURATION_BYTES], two[DURATION_BYTES], three[DURATION_BYTES];

    switch (what) {
    case CWND_SLOW_START:
    case CWND_AVOIDANCE:
        add(text, ", %u bytes acknowledged", a);
        return;
    case CWND_CSS_ENTERED:
        add(text, ", least RTT %s in this round, %s in the last, threshold %s",
            duration(a, " ", one), duration(b, " ", two), duration(c, " ", three));
        return;
    case CWND_CSS_RESUMED:
        add(text, ", least RTT %s in this round, baseline %s", duration(a, " ", one),
            duration(b, " ", two));
        return;
    case CWND_HYSTART_EXIT:
        add(text, ", after %u rounds", a);
        return;
    case CWND_CUBIC:
        add(text, ", t=%ums K=%ums W_cubic=%u W_max=%u", a, b, c, d);
        return;
    case CWND_RENO_FRIENDLY:
        add(text, ", t=%ums W_est=%u W_cubic=%u", a, b, c);
        return;
    case CWND_LOSS:
    case CWND_ECN:
    case CWND_TIMEOUT:
        add(text, ", %u%% of %u bytes in flight", b, a);
        return;
    case CWND_RESTARTED:
        add(text, ", nothing sent for %s", duration(a, " ", one));
        return;
    case CWND_NOT_VALIDATED:
        add(text, ", %u bytes were acknowledged in a round trip lately", a);
        return;
    case CWND_BBR_STARTUP:
    case CWND_BBR_DRAIN:
    case CWND_BBR_DOWN:
    case CWND_BBR_CRUISE:
    case CWND_BBR_REFILL:
    case CWND_BBR_UP:
    case CWND_BBR_PROBE_RTT:
    case CWND_BBR_MODEL:
    case CWND_BBR_TOO_HIGH:
    case CWND_BBR_SHORTTERM:
    case CWND_BBR_TIMEOUT:
        say_model(number, text);
        return;
    case CWND_KEPT:
    case CWND_UNDONE:
        return;
    }
}

static void say_recovery(const struct trace_event *event, struct text *text)
{
    switch (event->u.recovery.what) {
    case RECOVERY_ENTERED:
        add(text, "loss recovery begins, until byte %u is acknowledged",
            (unsigned)event->u.recovery.recover);
        return;
    case RECOVERY_LEFT:
        add(text, "loss recovery ends");
        return;
    case RECOVERY_UNDONE:
        add(text, "loss recovery undone: nothing was lost");
        return;
    }
}

static void say_prr(const struct trace_event *event, struct text *text)
{
    const char *rule = event->u.prr.pipe > event->u.prr.ssthresh ? "in proportion"
                       : event->u.prr.is_safe                    ? "slow start bound"
                                                                 : "conservative bound";

    add(text, "PRR lets %u bytes through, %s: pipe=%u ssthresh=%u delivered=%llu sent=%llu",
        (unsigned)event->u.prr.count, rule, (unsigned)event->u.prr.pipe,
        (unsigned)event->u.prr.ssthresh, (unsigned long long)event->u.prr.delivered,
        (unsigned long long)event->u.prr.out);
}

/* "bytes 1 to 1448 are lost: RACK, a segment sent 12.4 ms later is delivered, reo_wnd 3.1 ms". */
static void say_lost(const struct trace_event *event, struct text *text)
{
    unsigned start = event->u.lost.start;
    unsigned end = event->u.lost.end;
    char later[DURATION_BYTES], window[DURATION_BYTES], age[DURATION_BYTES];

    if (end - start == 1)
        add(text, "byte %u is lost: ", start);
    else
        add(text, "bytes %u to %u are lost: ", start, end - 1);
    switch (event->u.lost.by) {
    case TRACE_LOST_BY_RACK:
        add(text, "RACK, a segment sent %s later is delivered, reo_wnd %s",
            duration(event->u.lost.later_us, " ", later),
            duration(event->u.lost.reo_wnd_us, " ", window));
        return;
    case TRACE_LOST_BY_SACK:
        add(text, "%u bytes above are selectively acknowledged",
            (unsigned)event->u.lost.sacked_above_bytes);
        return;
    case TRACE_LOST_BY_DUPLICATE_ACKS:
        add(text, "third duplicate ACK");
        return;
    case TRACE_LOST_BY_PARTIAL_ACK:
        add(text, "the acknowledgment ends before it");
        return;
    case TRACE_LOST_BY_TIMEOUT:
        add(text, "no acknowledgment for %s", duration(event->u.lost.age_us, " ", age));
        return;
    }
}

static void say_reordering(const struct trace_event *event, struct text *text)
{
    char window[DURATION_BYTES];

    add(text, "the network reorders: %u bytes late, from now on reo_wnd is at least %s",
        (unsigned)event->u.reordering.bytes, duration(event->u.reordering.reo_wnd_us, " ", window));
}

static void say_range(const struct trace_event *event, struct text *text)
{
    unsigned start = event->u.range.start;
    unsigned end = event->u.range.end;
    unsigned last = end > start ? end - 1 : start;
    unsigned count = event->u.range.transmission_count;

    if (event->kind == TRACE_DUPLICATE) {
        add(text, "the peer reports a duplicate (D-SACK): bytes %u to %u", start, last);
        return;
    }
    if (event->kind == TRACE_RENEGED) {
        add(text, "the peer has reneged on bytes %u to %u", start, last);
        return;
    }
    add(text, "retransmission");
    if (count > 1)
        add(text, " %u", count - 1);
    if (start == last)
        add(text, " of byte %u", start);
    else
        add(text, " of bytes %u to %u", start, last);
}

static void say_window(const struct trace_event *event, struct text *text)
{
    const char *whose = event->u.window.ours ? "our receive window" : "the peer's window";

    if (event->u.window.closed)
        add(text, "%s closed", whose);
    else
        add(text, "%s opened to %u bytes", whose, (unsigned)event->u.window.wnd_bytes);
}

static void say_dns(const struct trace_event *event, struct text *text)
{
    char server[IP_ADDR_TEXT_BYTES];

    add(text, "DNS");
    if (event->u.dns.name != NULL)
        add(text, " %.200s", event->u.dns.name);
    if (!ip_addr_is_unspecified(&event->u.dns.server))
        add(text, " at %s", ip_addr_format(&event->u.dns.server, server));
    if (event->u.dns.try_count > 1)
        add(text, ", try %u", event->u.dns.try_count);
}

static void say_path_mtu(const struct trace_event *event, struct text *text)
{
    static const char *const forms[] = {
        [PATH_MTU_KNOWN] = "path MTU is %u",
        [PATH_MTU_CLAIMED] = "path MTU of %u claimed by a router",
        [PATH_MTU_LOWERED] = "path MTU lowered to %u",
        [PATH_MTU_SUSPECTED] = "black hole suspected, path MTU lowered to %u",
        [PATH_MTU_PROBED] = "path MTU probe of %u bytes",
        [PATH_MTU_PROBE_LOST] = "path MTU probe of %u bytes lost",
        [PATH_MTU_RAISED] = "path MTU raised to %u",
        [PATH_MTU_FORGOTTEN] = "path MTU of %u forgotten",
    };
    unsigned mtu_bytes = event->u.path_mtu.mtu_bytes;

    if (event->u.path_mtu.what == PATH_MTU_FORGOTTEN && mtu_bytes == 0)
        add(text, "IP asked to doubt the path, of which it knows nothing");
    else
        add(text, forms[event->u.path_mtu.what], mtu_bytes);
}

static void add_cause(const struct trace_event *event, struct text *text)
{
    bool is_first = event->kind == TRACE_PACKET_OUT;

    if (event->cause != NULL)
        add(text, "%s%s", is_first ? "" : ": ", event->cause);
    if (event->clause != NULL)
        add(text, "%s(%s)", is_first && event->cause == NULL ? "" : " ", event->clause);
}

/* Sentences about loss end with how the connection stands. */
static bool has_status(const struct trace_event *event)
{
    if (event->tcb == NULL)
        return false;
    return event->kind == TRACE_RETRANSMIT || event->kind == TRACE_RECOVERY ||
           (event->kind == TRACE_TIMER_FIRED && event->u.timer.timer == TIMER_RETRANSMIT);
}
