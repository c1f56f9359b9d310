/* Two things that take turns, measured within one run: the pace of a machine changes by more from
 * one run to the next than they differ. Whoever looks at the same clock knows whose turn it is, so
 * nothing needs to be said between the programs. */
#ifndef TUNTCP_BENCH_TURN_H
#define TUNTCP_BENCH_TURN_H

#include <stdbool.h>
#include <time.h>

struct turn {
    unsigned kind;   /* 0 or 1 */
    bool is_settled; /* what is left of the turn before no longer counts: after a quarter */
};

static inline double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Turns of so many milliseconds; 0: nobody takes turns. */
static inline struct turn turn_at(unsigned turn_ms)
{
    if (turn_ms == 0)
        return (struct turn){.is_settled = true};
    double turns = now_s() * 1000 / turn_ms;
    unsigned long whole = (unsigned long)turns;
    return (struct turn){.kind = whole % 2, .is_settled = turns - (double)whole >= 0.25};
}

#endif
