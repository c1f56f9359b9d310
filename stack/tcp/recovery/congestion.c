/* What the algorithms of congestion control share, see congestion.h. */
#include "congestion.h"

#include "rate.h"

const struct congestion_ops *congestion_ops_of(enum tcp_congestion congestion)
{
    switch (congestion) {
    case TCP_CONGESTION_RENO:
        return &congestion_reno;
    case TCP_CONGESTION_BBR:
        return &congestion_bbr;
    case TCP_CONGESTION_CUBIC:
    case TCP_CONGESTION_COUNT:
        break;
    }
    return &congestion_cubic;
}

void congestion_init(struct congestion *cc, const struct tcp_config *config, uint32_t mss,
                     uint32_t segments)
{
    uint32_t cwnd = congestion_larger(segments, 1) * mss;

    if (segments == 10) /* RFC 6928 (1) */
        cwnd = mss * 10 < 14600 ? mss * 10 : congestion_larger(2 * mss, 14600);
    *cc = (struct congestion){.ops = congestion_ops_of(config->congestion),
                              .cwnd = cwnd,
                              .initial_cwnd = cwnd,
                              .ssthresh = SSTHRESH_UNKNOWN,
                              .mss = mss,
                              .has_hystart = config->hystart,
                              .has_abe = config->abe};
}

void congestion_start(struct congestion *cc, const struct congestion_path *path)
{
    if (!cc->ops->has_model)
        return;
    cc->rate = rate_new(path->account);
    if (cc->rate != NULL && cc->ops->start(cc, path))
        return;
    rate_free(cc->rate);
    cc->rate = NULL;
    cc->ops = &congestion_cubic;
}

void congestion_stop(struct congestion *cc)
{
    if (cc->ops == NULL || cc->rate == NULL)
        return;
    cc->ops->stop(cc);
    rate_free(cc->rate);
    cc->rate = NULL;
}

struct congestion_note congestion_reduce(struct congestion *cc, enum trace_cwnd what,
                                         uint32_t flight, uint32_t percent)
{
    uint32_t bytes = (uint32_t)((uint64_t)flight * percent / 100);

    cc->prior_cwnd = cc->cwnd;
    cc->prior_ssthresh = cc->ssthresh;
    cc->ssthresh = congestion_larger(bytes, 2 * cc->mss);
    cc->cwnd = what == CWND_ECN ? congestion_larger(bytes, cc->mss) : cc->ssthresh;
    return (struct congestion_note){.what = what, .number = {flight, percent}};
}
