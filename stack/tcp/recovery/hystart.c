/* Slow start: RFC 5681 3.1 with appropriate byte counting (RFC 3465), so that delayed and stretched
 * ACKs do not slow it down and a peer that splits its ACKs does not speed it up; and HyStart++ (RFC
 * 9406), which ends the first slow start before it fills the queue to the brim.
 *
 *     slow start --- a round's least RTT is above the last one's by a threshold ---> CSS
 *         ^                                                                           |
 *         +------ the least RTT falls below the baseline: it was jitter -------------+
 *                                                                                     |
 *     congestion avoidance <------- five rounds of CSS, or a loss --------------------+
 *
 * In CSS (conservative slow start) the window grows a quarter as fast: a wrong exit costs little,
 * and a right one overshoots little. Only the first slow start is watched (RFC 9406 4.3): later
 * ones know ssthresh.
 *
 * Departure: RFC 3465 2.3 limits what one ACK adds to L = 2 segments, we to 8, as RFC 9406 4.3
 * wants it for senders that do not pace, and without limit for those that do. A receiver that takes
 * many segments at once acknowledges them by one ACK; with L = 2 the window would hardly grow. */
#include "congestion.h"

enum { /* RFC 9406 4.3 */
       MIN_RTT_THRESH_US = 4000,
       MAX_RTT_THRESH_US = 16000,
       MIN_RTT_DIVISOR = 8,
       N_RTT_SAMPLE = 8,
       CSS_GROWTH_DIVISOR = 4,
       CSS_ROUNDS = 5,
       L = 8,
};

static struct congestion_note grow(struct congestion *cc, const struct congestion_ack *ack);
static struct congestion_note watch(struct congestion *cc, const struct congestion_ack *ack,
                                    struct congestion_note note);
static bool take_sample(struct hystart *hystart, uint32_t rtt_us);
static struct congestion_note enter_css(struct hystart *hystart, struct congestion_note note);
static struct congestion_note resume(struct hystart *hystart, struct congestion_note note);
static bool end_round(struct hystart *hystart);

struct congestion_note slow_start_on_ack(struct congestion *cc, const struct congestion_ack *ack)
{
    struct congestion_note note = {.what = CWND_KEPT};

    if (congestion_may_grow(ack) && cc->cwnd < CONGESTION_WINDOW_MAX)
        note = grow(cc, ack);
    if (cc->has_hystart && congestion_is_first_slow_start(cc))
        note = watch(cc, ack, note);
    return note;
}

static struct congestion_note grow(struct congestion *cc, const struct congestion_ack *ack)
{
    uint32_t bytes = ack->acked_bytes;
    uint32_t limit = L * cc->mss;

    if (ack->after_timeout) /* what it acknowledges was mostly sent before: RFC 3465 2.3 */
        limit = cc->mss;
    else if (ack->is_paced)
        limit = CONGESTION_WINDOW_MAX;
    if (bytes > limit)
        bytes = limit;
    if (cc->hystart.css_baseline_min_us > 0 && congestion_is_first_slow_start(cc))
        bytes /= CSS_GROWTH_DIVISOR;
    bytes += cc->cwnd;
    cc->cwnd = bytes < cc->ssthresh ? bytes : cc->ssthresh; /* slow start ends there */
    return (struct congestion_note){CWND_SLOW_START, {ack->acked_bytes}};
}

/* RFC 9406 4.2. The acknowledgment that ends a round was caused by a byte of that round, so its
 * sample still belongs to it. */
static struct congestion_note watch(struct congestion *cc, const struct congestion_ack *ack,
                                    struct congestion_note note)
{
    struct hystart *hystart = &cc->hystart;

    if (ack->rtt_us > 0 && take_sample(hystart, ack->rtt_us))
        note = hystart->css_baseline_min_us == 0 ? enter_css(hystart, note) : resume(hystart, note);
    if (ack->round_begins && end_round(hystart)) {
        cc->ssthresh = cc->cwnd;
        return (struct congestion_note){CWND_HYSTART_EXIT, {CSS_ROUNDS}};
    }
    return note;
}

/* True when the round has shown enough to be judged. */
static bool take_sample(struct hystart *hystart, uint32_t rtt_us)
{
    if (hystart->current_round_min_us == 0 || rtt_us < hystart->current_round_min_us)
        hystart->current_round_min_us = rtt_us;
    if (hystart->rtt_sample_count < N_RTT_SAMPLE)
        hystart->rtt_sample_count++;
    return hystart->rtt_sample_count >= N_RTT_SAMPLE;
}

static uint32_t threshold_us(uint32_t last_round_min_us)
{
    uint32_t us = last_round_min_us / MIN_RTT_DIVISOR;

    if (us > MAX_RTT_THRESH_US)
        us = MAX_RTT_THRESH_US;
    return us > MIN_RTT_THRESH_US ? us : MIN_RTT_THRESH_US;
}

static struct congestion_note enter_css(struct hystart *hystart, struct congestion_note note)
{
    uint32_t last_us = hystart->last_round_min_us, current_us = hystart->current_round_min_us;
    uint32_t more_us = threshold_us(last_us);

    if (last_us == 0 || current_us < last_us + more_us)
        return note;
    hystart->css_baseline_min_us = current_us;
    hystart->css_round_count = 0;
    return (struct congestion_note){CWND_CSS_ENTERED, {current_us, last_us, more_us}};
}

static struct congestion_note resume(struct hystart *hystart, struct congestion_note note)
{
    uint32_t baseline_us = hystart->css_baseline_min_us;

    if (hystart->current_round_min_us >= baseline_us)
        return note;
    hystart->css_baseline_min_us = 0;
    return (struct congestion_note){CWND_CSS_RESUMED, {hystart->current_round_min_us, baseline_us}};
}

/* True when it was the last round of CSS; the one in which CSS began counts (RFC 9406 4.2). */
static bool end_round(struct hystart *hystart)
{
    if (hystart->current_round_min_us > 0)
        hystart->last_round_min_us = hystart->current_round_min_us;
    hystart->current_round_min_us = 0;
    hystart->rtt_sample_count = 0;
    return hystart->css_baseline_min_us > 0 && ++hystart->css_round_count >= CSS_ROUNDS;
}
