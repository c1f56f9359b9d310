/* Two stacks over two simulated links, in virtual time.
 *
 * A `struct sim_plan` says everything about a run: the link in each direction, the options of each
 * end, how each application sends, reads and closes. sim_plan_random() draws one from a seed. Every
 * byte of a stream is a function of its offset, so each received byte is compared.
 *
 *     application 0                                application 1
 *     stack 0 -- stack_output -- link 0 --> stack_input -- stack 1
 *             <-- stack_input -- link 1 -- stack_output --
 *
 * A run has failed when `failure` is not empty: the first thing that went wrong, in a sentence. */
#ifndef TUNTCP_TESTS_SIM_H
#define TUNTCP_TESTS_SIM_H

#include "../../stack/tcp/tcp.h"
#include "../../tun/link.h"

enum { SIM_PORT = 80, SIM_FAILURE_BYTES = 300 };

enum sim_shutdown {
    SIM_SHUTDOWN_WHEN_SENT,      /* our FIN follows our last byte */
    SIM_SHUTDOWN_AFTER_THE_PEER, /* and waits for the peer's FIN */
};

enum sim_close {
    SIM_CLOSE_AFTER_END,      /* the peer's FIN was read and our own is queued */
    SIM_CLOSE_WHEN_FINISHED,  /* and ours is acknowledged */
    SIM_CLOSE_WHEN_EXCHANGED, /* all is queued and read: the FIN of the peer is not waited for */
};

/* What the application at one end does. */
struct sim_app_plan {
    uint64_t send_bytes;       /* in all */
    uint32_t write_max_bytes;  /* in one call: 1 .. so many, at random */
    uint32_t read_max_bytes;   /* likewise */
    uint64_t write_pause_us;   /* between calls; 0: as much as is taken */
    uint64_t read_pause_us;    /* between calls; 0: all that is there */
    uint64_t stop_at_bytes;    /* having read so much, read nothing for ... */
    uint64_t stop_us;          /* ... so long */
    bool sends_after_the_peer; /* a half-closed connection carries all of it */
    bool uses_the_ring;        /* reserve and commit, peek and consume */
    bool sends_urgent;         /* some of the calls hand over urgent data */
    bool waits_for_readiness;  /* acts only when stack_next_ready() names it */
    enum sim_shutdown shutdown_when;
    enum sim_close close_when;
};

struct sim_plan {
    uint64_t seed;
    uint64_t start_us;
    struct link_config link[2]; /* [i]: from end i to the other */
    struct tcp_config tcp[2];
    struct sim_app_plan app[2];
    uint32_t gso_max_bytes[2];
    bool checksum_offload[2];
    bool opens_from_both_ends;    /* 9293 figure 7 */
    bool pulls_after_each_packet; /* else when all that have arrived are in */
    bool resets_are_fine;         /* else a RST from an end that has a connection is a failure */
    bool is_traced;               /* sim->seen is filled in */
    unsigned connections_max[2];  /* 0: the default */
    uint32_t iss[2], ts_offset[2];
};

/* What an end's trace has told. */
struct sim_seen {
    unsigned timeouts, recoveries, retransmits, probes, paces, undone;
    uint64_t resent_bytes;
};

struct sim_app {
    struct tcb *tcb, *listener;
    uint64_t sent_bytes, received_bytes;
    uint64_t next_write_us, next_read_us;
    bool has_stopped, has_shut_down, has_seen_end, has_closed, is_ready;
    uint64_t done_us;              /* the last byte was read; 0: not yet */
    struct tcp_status last_status; /* before the handle was given back */
};

struct sim {
    struct sim_plan plan;
    struct stack *stack[2];
    struct link *link[2];
    struct sim_app app[2];
    struct sim_ids {
        struct sim *sim;
        unsigned end;
    } id[2];
    uint64_t random_state[3]; /* the stacks', the applications' */
    uint64_t now_us;
    uint64_t step_count, packet_count, reset_count;
    uint64_t hash; /* of all packets, and of when they were sent */
    struct sim_seen seen[2];
    char failure[SIM_FAILURE_BYTES];

    /* Look at every packet as it leaves a stack, and at every one that arrives. */
    void (*on_sent)(struct sim *sim, unsigned from, struct bytes packet,
                    const struct packet_out *out);
    void (*on_arrived)(struct sim *sim, unsigned at, const struct link_packet *packet);
    void *context;
};

/* No loss, no delay, default options, `bytes` from end 0 to end 1. */
struct sim_plan sim_plan_plain(uint64_t seed, uint64_t bytes);
struct sim_plan sim_plan_random(uint64_t seed);
/* For people: what distinguishes this plan. */
const char *sim_plan_format(const struct sim_plan *plan, char *text, size_t room);

struct sim *sim_new(const struct sim_plan *plan);
void sim_free(struct sim *sim);
/* Applications, packets out, then on to the next moment at which something happens, and what
 * happens there. False when nothing ever will, or when the run has failed. */
bool sim_step(struct sim *sim);
/* Until both applications have closed; then until both connections are gone, without another packet
 * once they only wait for TIME-WAIT to pass. True: all was right. */
bool sim_run(struct sim *sim);
/* sim_new(), sim_run(); on failure one paragraph on stderr with a way to run `program` again. */
bool sim_run_plan(const struct sim_plan *plan, const char *program);

void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint8_t sim_byte(unsigned from, uint64_t offset);
uint64_t sim_below(uint64_t *random_state, uint64_t bound);

/* The seeds to try: from, and below. SIM_SEED names a single one, SIM_SEEDS how many (a tenth of
 * them under sanitizers); `default_count` without. */
struct sim_seeds {
    uint64_t first, count;
};
struct sim_seeds sim_seeds(uint64_t default_count);
/* A line that overwrites itself, on a terminal only. */
void sim_progress(const char *program, uint64_t done, uint64_t count);

#endif
