/* Two stacks back to back in one process, without any device: what the programs here measure. Time
 * inside is virtual, TURN_US a turn, so that nothing is waited for; what counts is CPU time. */
#ifndef TUNTCP_BENCH_PAIR_H
#define TUNTCP_BENCH_PAIR_H

#include "../../../stack/stack.h"
#include "../../../stack/tcp/tcp.h"

enum { PACKET_MAX_BYTES = 1 << 16, TURN_US = 20, PAIR_CLIENT_ADDRESSES = 8 };

struct end {
    struct stack *stack;
    uint64_t random_state;
};

struct pair {
    struct end client, server;
    struct tcb *sender, *receiver; /* pair_connect()'s */
    uint64_t now_us;
    bool checksum_ok; /* checksums are left to the "device" */
};

/* How both stacks are: gso_max_bytes and checksum_offload as in struct stack_config. */
struct way {
    const char *name;
    uint32_t gso_max_bytes;
    bool checksum_offload;
};

/* False: out of memory. pair_close() either way. The client has PAIR_CLIENT_ADDRESSES addresses
 * from pair_client_address() on. */
bool pair_open(struct pair *pair, const struct way *way);
void pair_close(struct pair *pair);
struct ip_addr pair_server_address(void);
struct ip_addr pair_client_address(unsigned number);

/* Everything that one has to say, copied into memory (what a device would do) and given to the
 * other. Returns whether there was anything. */
bool pair_carry(const struct pair *pair, const struct end *from, const struct end *to);
/* One turn of both ends. When neither has anything to say, time leaps to the next deadline. */
void pair_turn(struct pair *pair);
/* A connection from client to server, sender and receiver. */
bool pair_connect(struct pair *pair);

/* CPU time of this process in seconds. */
double cpu_s(void);
/* Sorts the values. */
double median(double *values, unsigned count);

#endif
