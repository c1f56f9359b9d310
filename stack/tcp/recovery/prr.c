/* PRR, RFC 9937 section 6: how much is sent during fast recovery, so that it ends with ssthresh
 * bytes in flight, whatever was lost and however the acknowledgments come.
 *
 * While more is in flight than ssthresh, each delivered byte releases ssthresh / RecoverFS bytes:
 * with Reno's half, a segment for every second one, all through the round trip, where a window set
 * to half at once sends nothing for half of it and then a burst. When heavy loss has taken the
 * flight below ssthresh, each delivered byte releases one byte (the conservative bound), and one
 * segment more while the recovery makes progress (the slow start bound): never a burst.
 *
 * An acknowledgment that delivers nothing releases nothing, so neither duplicates of ACKs nor ACKs
 * cut into pieces gain anything. */
#include "prr.h"

void prr_start(struct prr *prr, uint32_t recover_fs)
{
    *prr = (struct prr){.recover_fs = recover_fs > 0 ? recover_fs : 1};
}

static uint64_t less(uint64_t from, uint64_t bytes)
{
    return from > bytes ? from - bytes : 0;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint32_t prr_on_ack(struct prr *prr, const struct prr_ack *ack)
{
    uint64_t count;

    prr->delivered += ack->delivered;
    if (ack->pipe > ack->ssthresh) { /* proportional: CEIL(prr_delivered * ssthresh / RecoverFS) */
        uint64_t due = (prr->delivered * ack->ssthresh + prr->recover_fs - 1) / prr->recover_fs;
        count = less(due, prr->out);
    } else { /* the bounds */
        count = larger(less(prr->delivered, prr->out), ack->delivered);
        if (ack->is_safe)
            count += ack->mss;
        count = smaller(ack->ssthresh - ack->pipe, count);
    }
    if (prr->out == 0 && count == 0) /* the fast retransmission itself */
        count = ack->mss;
    return (uint32_t)count;
}

void prr_on_sent(struct prr *prr, uint32_t bytes)
{
    prr->out += bytes;
}
