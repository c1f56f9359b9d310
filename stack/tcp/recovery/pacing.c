/* Pacing, see pacing.h.
 *
 * rate = factor * cwnd / SRTT. In slow start the factor is 2: each acknowledgment releases twice
 * what it covers, so this is the pace at which slow start sends anyway. In congestion avoidance it
 * is 1.2: with 1 the pace itself would be the limit, and a timer that is late would cost window;
 * the fifth above lets the window fill up again within the round trip, and bounds what a lost run
 * of acknowledgments releases at once.
 *
 * BBR says the rate itself, and is paced whatever config.pacing says and however short the path is:
 * its model is true only of what leaves at that rate. Its quantum is ours, not that of
 * draft-ietf-ccwg-bbr-06 5.6.3, which ends at 64 KB: above 0.5 Gbit/s that would be a timer more
 * often than each millisecond, and one that is late would cost rate. So on a path shorter than a
 * quantum the pace holds on average, and the window is what bounds a burst.
 *
 * `paced_until_ns` is when everything sent so far is paid for at this rate. A timer for each
 * segment would be finer than clocks and waiting are good for, and would tear super-segments apart:
 * so a quantum of a millisecond's worth, or two segments, leaves at once,
 *
 *         quantum    quantum    quantum
 *     ----|##--------|##--------|##------> time; after each, wait until it is paid for
 *
 * and a timer that is late may catch up by one quantum.
 *
 * When it is not asked for or forbidden (config.pacing), pacing is on where it does some good: for
 * CUBIC, when the round trip is at least four quanta long, else the whole window would be one or
 * two of them anyway (a path of 50 to 500 us is never paced); and when the window is larger than
 * the initial one, which may leave as a burst (RFC 6928 2). The least round trip decides, so that a
 * delayed ACK or a queue does not make a short path look long. */
#include "pacing.h"

enum { QUANTUM_US = 1000, AUTO_RTT_MIN_US = 4 * QUANTUM_US, QUANTUM_SEGMENTS = 2 };

static const uint64_t SECOND_NS = 1000000000;

bool pacing_is_on(const struct tcb *tcb)
{
    const struct congestion *cc = &tcb->work->cc;
    if (cc->ops == NULL)
        return false;
    if (cc->ops->has_model)
        return true;
    if (tcb->rto.srtt_us == 0)
        return false;
    switch (tcb->config->pacing) {
    case TCP_PACING_OFF:
        return false;
    case TCP_PACING_ON:
        return true;
    case TCP_PACING_AUTO:
    case TCP_PACING_COUNT:
        break;
    }
    uint64_t rtt_us =
        tcb->work->rack.min_rtt.us > 0 ? tcb->work->rack.min_rtt.us : tcb->rto.srtt_us;
    return cc->ops->wants_pacing && rtt_us >= AUTO_RTT_MIN_US && cc->cwnd > cc->initial_cwnd;
}

uint64_t pacing_rate(const struct tcb *tcb)
{
    const struct congestion *cc = &tcb->work->cc;

    if (!pacing_is_on(tcb))
        return 0;
    if (cc->ops->has_model)
        return cc->ops->pacing_rate(cc) + 1;
    const uint64_t tenths = cc->cwnd < cc->ssthresh ? 20 : 12;
    return cc->cwnd * tenths * (1000000 / 10) / tcb->rto.srtt_us + 1;
}

static uint64_t duration_ns(uint64_t bytes, uint64_t rate)
{
    return bytes * SECOND_NS / rate;
}

static uint64_t quantum_ns(const struct tcb *tcb, uint64_t rate)
{
    uint64_t ns = duration_ns(QUANTUM_SEGMENTS * (uint64_t)tcb->snd_mss, rate);

    return ns > QUANTUM_US * 1000 ? ns : QUANTUM_US * 1000;
}

uint32_t pacing_allowance(const struct tcb *tcb)
{
    uint64_t rate = pacing_rate(tcb);
    uint64_t now_us = tcb->stack->now_us;

    if (rate == 0)
        return UINT32_MAX;
    if (tcb->work->deadline_us[TIMER_PACING] != NEVER &&
        tcb->work->deadline_us[TIMER_PACING] > now_us)
        return 0;
    uint64_t quantum = quantum_ns(tcb, rate), now_ns = now_us * 1000;
    uint64_t until_ns = tcb->work->cc.paced_until_ns;
    if (until_ns >= now_ns + quantum)
        return 0;
    if (until_ns + quantum < now_ns)
        until_ns = now_ns - quantum;
    uint64_t bytes = (now_ns + quantum - until_ns) * rate / SECOND_NS;
    if (bytes < tcb->snd_mss)
        return 0;
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

void pacing_wait(struct tcb *tcb)
{
    uint64_t until_us = (tcb->work->cc.paced_until_ns + 999) / 1000;

    if (tcb->work->deadline_us[TIMER_PACING] != until_us)
        tcb_timer_set(tcb, TIMER_PACING, until_us);
}

void pacing_on_sent(struct tcb *tcb, uint32_t bytes)
{
    uint64_t rate = pacing_rate(tcb);

    if (rate == 0 || bytes == 0)
        return;
    uint64_t quantum = quantum_ns(tcb, rate), now_ns = tcb->stack->now_us * 1000;
    if (tcb->work->cc.paced_until_ns + quantum < now_ns)
        tcb->work->cc.paced_until_ns = now_ns - quantum;
    tcb->work->cc.paced_until_ns += duration_ns(bytes, rate);
}
