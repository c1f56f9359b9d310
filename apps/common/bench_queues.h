/* One measurement on each queue of a TUN device. */
#ifndef TUNTCP_BENCH_QUEUES_H
#define TUNTCP_BENCH_QUEUES_H

#include "bench.h"

enum { BENCH_QUEUES_MAX = 64 };

struct bench_queues; /* 1 to BENCH_QUEUES_MAX of them */

/* Opens the queues, and listens on all of them if `bench` says so. The arguments are borrowed until
 * bench_queues_close(). NULL, said, when that cannot be done. */
struct bench_queues *bench_queues_open(unsigned count, const struct host_config *config,
                                       const struct bench_config *bench, const struct say *say);
/* Runs all to their end, each in a thread of its own, and stores a result for each. Returns the
 * first exit code that is not EXIT_OK. */
enum exit_code bench_queues_run(struct bench_queues *queues, struct bench_result results[]);
/* Sends what is still to be sent, closes the device. EXIT_OK, or EXIT_ENVIRONMENT, said, when the
 * capture could not be written. NULL is fine. */
enum exit_code bench_queues_close(struct bench_queues *queues);

/* All of them as one: counts are sums, the time is the longest. */
struct bench_result bench_results_sum(unsigned count, const struct bench_result results[]);

#endif
