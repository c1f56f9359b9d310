/* Window validation, RFC 7661 (Experimental; config.window_validation).
 *
 * RFC 5681 4.1 throws the window away after a pause of one RTO, however often such pauses come.
 * Here it is kept for five minutes, but it is not believed: it does not grow, and a loss is
 * answered by what was really in use, not by what was allowed.
 *
 *     validated phase:      pipeACK >= cwnd / 2, or not measured yet
 *     non-validated phase:  the rest; after five minutes of it the window is halved
 *
 * pipeACK is the most that was acknowledged in a round trip during the sampling period of three
 * round trips, or a second. The maximum is kept for two halves of that period, so that it covers
 * between a half and all of it, and nothing has to be listed.
 *
 * Not done: a limit of its own for bursts out of a window that is not validated (4.4.2). Pacing
 * spreads what is sent (pacing.c), and without it burst_max_segments bounds what one acknowledgment
 * lets out, but not what leaves after a pause. */
#include "validation.h"

enum { SAMPLING_ROUNDS = 3, SAMPLING_MIN_US = 1000000 };

static const uint64_t NON_VALIDATED_PERIOD_US = 300000000; /* 4.4.3: five minutes */

static void turn_halves(struct validation *validation, uint64_t now_us, uint32_t srtt_us)
{
    uint64_t period_us = SAMPLING_ROUNDS * (uint64_t)srtt_us;

    if (period_us < SAMPLING_MIN_US)
        period_us = SAMPLING_MIN_US;
    if (now_us - validation->half_began_us < period_us / 2)
        return;
    bool is_next = now_us - validation->half_began_us < period_us;
    validation->pipe_ack[1] = is_next ? validation->pipe_ack[0] : 0;
    validation->pipe_ack[0] = 0;
    validation->half_began_us = now_us;
}

void validation_on_ack(struct validation *validation, const struct congestion_ack *ack)
{
    if (ack->in_recovery || ack->after_timeout) { /* 4.2 */
        validation_forget(validation);
        return;
    }
    turn_halves(validation, ack->now_us, ack->srtt_us);
    validation->round_bytes += ack->acked_bytes;
    if (!ack->round_begins)
        return;
    if (validation->has_round) {
        validation->is_measured = true;
        validation->pipe_ack[0] =
            congestion_larger(validation->pipe_ack[0], validation->round_bytes);
    }
    validation->has_round = true; /* the first was cut short */
    validation->round_bytes = 0;
}

uint32_t validation_pipe_ack(const struct validation *validation)
{
    return congestion_larger(validation->pipe_ack[0], validation->pipe_ack[1]);
}

bool validation_holds(const struct validation *validation, uint32_t cwnd)
{
    return !validation->is_measured || validation_pipe_ack(validation) >= cwnd / 2;
}

void validation_forget(struct validation *validation)
{
    validation->pipe_ack[0] = validation->pipe_ack[1] = 0;
    validation->round_bytes = 0;
    validation->has_round = validation->is_measured = false;
}

void validation_note(struct validation *validation, bool is_validated, uint64_t since_us)
{
    if (is_validated)
        validation->unvalidated_since_us = 0;
    else if (validation->unvalidated_since_us == 0)
        validation->unvalidated_since_us = since_us;
}

unsigned validation_take_periods(struct validation *validation, uint64_t now_us)
{
    unsigned count = 0;

    if (validation->unvalidated_since_us == 0)
        return 0;
    while (count < 32 && now_us - validation->unvalidated_since_us >= NON_VALIDATED_PERIOD_US) {
        validation->unvalidated_since_us += NON_VALIDATED_PERIOD_US;
        count++;
    }
    return count;
}
