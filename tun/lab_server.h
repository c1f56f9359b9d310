/* A far host of the lab: a stack of its own with the servers that run on it. Driven by the same
 * verbs as the stack inside; after each of them the servers have had their turn. */
#ifndef TUNTCP_LAB_SERVER_H
#define TUNTCP_LAB_SERVER_H

#include "../stack/stack.h"

/* Which servers run on the host; bits. */
enum lab_services {
    LAB_DNS = 1,      /* UDP and TCP port 53 */
    LAB_WEB = 2,      /* TCP port 80 */
    LAB_ECHO = 4,     /* TCP port 7, RFC 862 */
    LAB_DISCARD = 8,  /* TCP port 9, RFC 863 */
    LAB_DAYTIME = 16, /* TCP port 13, RFC 867: says the time and closes */
};

struct lab_server;

/* NULL when memory is short. lab_server_free(NULL) is fine. */
struct lab_server *lab_server_new(const struct stack_config *config, unsigned services,
                                  uint64_t now_us);
void lab_server_free(struct lab_server *server);

void lab_server_input(struct lab_server *server, const struct packet_in *packet, uint64_t now_us);
void lab_server_on_time(struct lab_server *server, uint64_t now_us);
bool lab_server_output(struct lab_server *server, struct packet_out *out, uint64_t now_us);
uint64_t lab_server_next_deadline_us(const struct lab_server *server);

#endif
