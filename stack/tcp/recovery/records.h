/* Transmission records: what is in flight, as a short sorted list of sequence ranges, each with the
 * time of its last transmission, how often it was sent, and whether the peer holds it (sacked) or
 * it is held to be lost. Loss detection, recovery, RTT samples and Karn's rule all read this one
 * list; the payload stays in the send ring. A SYN and a FIN count one sequence number each, like
 * any byte.
 *
 * The list stays short, so that walking it costs little: a range may be a super-segment of many
 * segments; neighbours that are sacked become one; and with RECORDS_MAX of them the last one grows
 * instead. It is an array: a sequence number is found by bisection.
 *
 * Some peers want it long: one that SACKs every second segment makes each ACK cost a walk over all
 * of it, or half of the array to be moved. So there is a limit: what is looked at or moved is owed;
 * each acknowledgment pays for RECORDS_PER_ACK of them, and time for some; and no more than two
 * walks over the longest list are lent. What is not lent is put off, or left out where it only
 * saves room. An honest peer comes near that where thousands of segments are in flight on a path
 * that reorders many of them; then time has to pay, or RACK would starve.
 *
 * Invariant: the ranges are contiguous from SND.UNA to SND.NXT. */
#ifndef TUNTCP_TCP_RECORDS_H
#define TUNTCP_TCP_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../memory.h"

enum {
    RECORDS_FEW = 2,
    RECORDS_MAX = 8192, /* of full segments that is 12 MB in flight */
    RECORDS_PER_ACK = 256,
    RECORDS_PER_US = 8, /* and a microsecond for so many: a fiftieth of a core or so */
    RECORDS_OWED_MAX = 2 * RECORDS_MAX,
};

struct tx_record {
    uint64_t sent_us;
    uint32_t start, end; /* [start, end) */
    uint32_t order;      /* of the transmissions this was the so many-th: many leave at one time */
    uint16_t transmission_count;
    bool sacked;
    bool lost; /* and not sent again yet */
};

struct tx_records {
    struct tx_record *record; /* in use: [first, first + count); memory of its own, or ... */
    unsigned first, count, room;
    struct tx_record few[RECORDS_FEW]; /* ... this: a SYN, or an answer and the FIN behind it */
    uint32_t order;                    /* of the last transmission */
    uint32_t sacked_bytes;
    uint32_t lost_bytes;
    uint32_t lost_from;     /* no lost range starts before this, if any is lost */
    uint32_t owed;          /* for records that were looked at or moved */
    uint64_t paid_us;       /* until then time has paid */
    uint64_t work;          /* all that were looked at or moved so far, for tests and the curious */
    struct memory *account; /* where its memory is counted; NULL: nowhere */
};

/* What an acknowledgment says has arrived that was not known to have: cumulatively or by SACK. */
struct tx_delivered {
    bool has_once; /* ranges that were sent once ... */
    uint64_t once_us;
    uint32_t once_order, once_end; /* ... the last-sent of them ... */
    uint32_t once_lowest_end;      /* ... and where the first in the stream ends */
    bool has_resent;               /* ranges that were sent more than once, the last-sent of them */
    uint64_t resent_us;
    uint32_t resent_order, resent_end;
    uint64_t resent_first_us; /* ... and when the first-sent of them left */
};

/* What an acknowledgment took off the list. */
struct tx_acked {
    bool has_rtt;           /* a range that was sent once was acknowledged: Karn's rule */
    uint64_t sent_us;       /* when the last-sent of those left */
    bool was_retransmitted; /* a range that was sent more than once was acknowledged ... */
    uint64_t resent_us;     /* ... and when the last-sent of those left for the last time */
};

/* A new range at the end. False when memory is short; then nothing may be sent. Behind RECORDS_MAX
 * ranges the last one grows. */
bool records_append(struct tx_records *records, uint32_t start, uint32_t end, uint64_t now_us);
/* An acknowledgment, if there is one, and the time that has passed pay. */
void records_pay(struct tx_records *records, uint64_t now_us, bool is_ack);
/* May all of the list be walked over? If not, so many microseconds from now. */
bool records_can_walk(const struct tx_records *records);
uint64_t records_walk_wait_us(const struct tx_records *records);
/* So many records were looked at. */
void records_spend(struct tx_records *records, unsigned count);
/* Forget everything before `una`. What had not been sacked is added to *delivered. */
struct tx_acked records_ack(struct tx_records *records, uint32_t una,
                            struct tx_delivered *delivered);
/* Mark [left, right) as held by the peer, splitting ranges at its edges. Returns how many bytes are
 * newly marked, and adds them to *delivered. A range that would have to be split is left alone once
 * there are record_max ranges, or too much is owed. */
uint32_t records_sack(struct tx_records *records, uint32_t left, uint32_t right,
                      unsigned record_max, struct tx_delivered *delivered);
/* Forget all SACKs: the peer may have reneged, RFC 2018 section 8. */
void records_forget_sacks(struct tx_records *records);
/* The same for a peer that has: the first is forgotten in any case, all if that is lent. */
void records_renege(struct tx_records *records);
/* Everything that is not sacked is lost. */
void records_all_lost(struct tx_records *records);
/* Mark the part of record `i` up to at most `bytes` as lost. */
void records_mark_lost(struct tx_records *records, unsigned i, uint32_t bytes);
/* What was marked lost is taken to be under way after all. */
void records_forget_losses(struct tx_records *records);
/* The last `max_bytes` or less that are not sacked, to be sent again as one; NULL when there are
 * none or memory is short. */
struct tx_record *records_tail(struct tx_records *records, uint32_t max_bytes);
/* The first lost range, at most `max_bytes` of it (the rest is split off), joined with those behind
 * it that are lost too; NULL: none. */
struct tx_record *records_next_lost(struct tx_records *records, uint32_t max_bytes);
/* It was sent again. */
void records_resent(struct tx_records *records, struct tx_record *record, uint64_t now_us);
/* The byte `seq` has been SACKed. */
bool records_is_sacked(const struct tx_records *records, uint32_t seq);
struct tx_record *records_at(const struct tx_records *records, unsigned i);
/* Give the memory of an empty list back; what is counted goes on. */
void records_release(struct tx_records *records);
void records_free(struct tx_records *records);

#endif
