/* The lab: an internet in this process, without root, device or network, in virtual time. Far hosts
 * are stacks of their own behind simulated links: a DNS server (210.220.163.82) that knows
 * google.com, a web server (142.250.196.142), and the router between (10.0.0.1). With the default
 * seed and the scenario "clean" the first connection replays, number for number, the exchange that
 * learners know from Wireshark. */
#ifndef TUNTCP_LAB_H
#define TUNTCP_LAB_H

#include "../stack/stack.h"
#include "link.h"

enum { LAB_DEFAULT_SEED = 1 };

struct lab;

struct lab_scenario {
    const char *name;
    const char *summary;   /* one line for --lab=list */
    const char *command;   /* what shows it best */
    const char *to_server; /* link_config_parse() text on top of the clean link to the web server */
    const char *to_client; /* ... and for the way back */
    const char *dns;  /* ... and for the DNS server's link, both ways; NULL: clean, like these */
    bool web_is_down; /* nobody listens on port 80 */
    bool has_ecn;     /* our side offers ECN; the servers always accept it */
    uint64_t
        app_latency_us; /* so long after something has come our application looks; 0: as usual */
    uint64_t luck; /* added to the seed: chosen so that with the default seed the very first GET
                      meets what the scenario is named after */
};

/* Ends with a NULL name. The first is "clean". */
extern const struct lab_scenario lab_scenarios[];

/* Where the lab's clock starts, and what its time 0 is in microseconds since 1970. The values are
 * those of the replayed exchange: its first packet has the time 10.274590, and falls into the
 * second that the web server names in its Date. */
uint64_t lab_start_us(void);
uint64_t lab_epoch_us(void);

/* `scenario` NULL: clean. `impair` NULL or link_config_parse() text applied to both directions of
 * all links. NULL with a line in `error` if the scenario is unknown or the text is wrong. */
struct lab *lab_new(const char *scenario, const char *impair, uint64_t seed, uint64_t now_us,
                    char *error, size_t room);
void lab_free(struct lab *lab);

/* What our stack on this side of the link should be: address 10.0.0.2, seeded randomness, and the
 * choices that the replay fixes. The lab must outlive the stack. */
void lab_client_config(struct lab *lab, struct stack_config *config);
struct ip_addr lab_dns_server(const struct lab *lab);
/* How long our own side takes, as observed in the exchange: from a packet in to the stack's answer
 * (103 us), and from an answer to what the application does next (1396 us). Both pass in virtual
 * time only. */
uint64_t lab_stack_latency_us(const struct lab *lab);
uint64_t lab_app_latency_us(const struct lab *lab);

/* A packet from our stack into the lab, and the next one from the lab for our stack (borrowed until
 * the next call); the lab's own time, and when something happens in it next. */
void lab_send(struct lab *lab, const struct packet_out *out, uint64_t now_us);
bool lab_receive(struct lab *lab, struct packet_in *in, uint64_t now_us);
/* To be called at each deadline and whenever the driver's clock has moved: the replay computes the
 * timestamps of our SYN from the time told here. */
void lab_on_time(struct lab *lab, uint64_t now_us);
uint64_t lab_next_deadline_us(const struct lab *lab);

#endif
