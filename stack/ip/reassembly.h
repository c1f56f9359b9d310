/* Putting fragments together again, RFC 791 3.2 and RFC 815, with bounded memory. */
#ifndef TUNTCP_IP_REASSEMBLY_H
#define TUNTCP_IP_REASSEMBLY_H

#include "../memory.h"
#include "../wire/ipv4.h"

enum { REASSEMBLY_DATAGRAMS_MAX = 64 }; /* under way at a time */

struct reassembly;

/* Holds at most max_bytes of fragments, bookkeeping included, and each datagram for at most
 * timeout_us. NULL when memory is short; reassembly_free(NULL) is fine. */
struct reassembly *reassembly_new(size_t max_bytes, uint64_t timeout_us);
/* Before the first fragment: its memory is counted there, and stays within that limit as well. */
void reassembly_count_in(struct reassembly *r, struct memory *memory);
void reassembly_free(struct reassembly *r);

/* Add one fragment. When it completes its datagram, *whole is that datagram (options and payload
 * borrowed until the next call) and *complete is true. Returns DROP_NOT or why it was discarded:
 *
 * DROP_FRAGMENT_MALFORMED  impossible length or offset; the datagram is not touched
 * DROP_FRAGMENT_OVERLAP    overlaps another: the datagram is lost, with all fragments yet to come;
 *                          or an exact copy of one that is there: only the copy is lost
 * DROP_FRAGMENT_MEMORY     no room; nothing has changed, and it may be offered again after
 *                          reassembly_discard_oldest() */
enum drop reassembly_add(struct reassembly *r, const struct ipv4_packet *fragment, uint64_t now_us,
                         struct ipv4_packet *whole, bool *complete);

/* Give up the datagram that has waited longest; false when there is none. */
bool reassembly_discard_oldest(struct reassembly *r);

/* Discard one datagram whose time has passed; false when there is none. Call until false. *first
 * is its first fragment if that has come (payload.len > 0), for the ICMP time exceeded; borrowed
 * until the next call. */
bool reassembly_expire(struct reassembly *r, uint64_t now_us, struct ipv4_packet *first);
/* When the oldest datagram expires; UINT64_MAX when none waits. */
uint64_t reassembly_next_deadline_us(const struct reassembly *r);
/* Memory in use, never above max_bytes. */
size_t reassembly_used_bytes(const struct reassembly *r);

#endif
