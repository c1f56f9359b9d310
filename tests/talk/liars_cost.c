/* Peers that lie: about what has arrived, about their windows and clocks, about duplicates. What a
 * lie brings is compared with what the truth brings, and what it costs is counted: the records of
 * the flight that are looked at or moved for an acknowledgment (records.h), not time.
 *
 * What no TCP can detect is a peer that acknowledges what was sent and has not arrived yet, or
 * never will: it hides the loss from congestion control, at the price of its own stream. It gains
 * no more than a receiver on an empty, short path has. */
#include "talk.h"

#include "../../stack/tcp/seq.h"
#include "../../stack/tcp/tcb.h"

enum {
    SMALL_MSS = 536,
    CROWD = 3 * RECORDS_MAX, /* segments in flight: more than there are records, ... */
    FEW = 1000,              /* ... or so few that there is room for pieces of them */
};

/* ---- what a lie costs */

/* Everything that we have to send leaves, and nobody looks at it. Returns how many packets. */
static unsigned pull_blindly(struct talk *t)
{
    struct packet_out out;
    unsigned count = 0;

    while (stack_output(t->stack, &out, t->now_us))
        count++;
    return count;
}

/* So many segments of 536 bytes are in flight, and the window is 1 GiB. */
static struct talk *with_a_crowd(enum tcp_loss_detection way, uint32_t count)
{
    struct stack_config config = talk_config();

    config.tcp.send_buffer_bytes = config.tcp.send_buffer_max_bytes = 64 << 20;
    config.tcp.loss_detection = way;
    config.tcp.pacing = TCP_PACING_OFF;
    struct talk *t = talk_new(&config);
    talk_connect(t);
    time_passes_ms(t, 100);
    peer_sends(t, "S. 0:0(0) ack 1 win 65535 <mss 536,sackOK,wscale 14>");
    we_send(t, ". 1:1(0) ack 1");
    peer_sends(t, ". 1:1(0) ack 1 win 65535"); /* scaled now */
    t->tcb->work->cc.cwnd = 64 << 20;
    t->is_holding = true;
    app_writes(t, 2 * count * SMALL_MSS);
    t->tcb->work->cc.cwnd = count * SMALL_MSS;
    ck_assert_uint_eq(pull_blindly(t), count);
    time_passes_ms(t, 100);
    return t;
}

/* Each acknowledgment and each packet out pays for so many records. */
enum { WORK_PER_EVENT = 300 };

struct bill {
    uint64_t before, acks, packets;
};

static void charge(struct talk *t, struct bill *bill, const char *text)
{
    peer_sends(t, text);
    bill->acks++;
    bill->packets += pull_blindly(t);
    ck_assert_uint_le(t->tcb->work->in_flight.room, 2 * RECORDS_MAX);
}

static void is_bounded(struct talk *t, const struct bill *bill, const char *what)
{
    uint64_t work = t->tcb->work->in_flight.work - bill->before;

    ck_assert_msg(work <= 2 * RECORDS_MAX + WORK_PER_EVENT * (bill->acks + bill->packets),
                  "%s: %llu records for %llu acknowledgments and %llu packets", what,
                  (unsigned long long)work, (unsigned long long)bill->acks,
                  (unsigned long long)bill->packets);
}

static uint32_t edge_of(uint32_t i)
{
    return 1 + i * SMALL_MSS;
}

enum tactic {
    EVERY_SECOND,      /* every second segment, from the front */
    BACKWARDS,         /* from the back */
    SINGLE_BYTES,      /* four blocks of one byte each, in the middle of the flight */
    INTO_THE_MIDDLE,   /* the hole between two blocks is filled, in the middle of the flight */
    LEAPS,             /* half of the flight in one block, the same again shifted by a byte ... */
    RENEGING,          /* the second is SACKed, the first acknowledged, and no more */
    RESENT_ONE_BY_ONE, /* every second segment, and then what is sent again for it, each alone */
    ONE_BYTE_FURTHER,  /* the acknowledgment number, byte by byte, below a full list */
    ANYTHING,          /* four blocks anywhere */
    TACTIC_COUNT,
};

static const char *const tactic_names[TACTIC_COUNT] = {
    [EVERY_SECOND] = "every second",
    [BACKWARDS] = "backwards",
    [SINGLE_BYTES] = "single bytes",
    [INTO_THE_MIDDLE] = "into the middle",
    [LEAPS] = "leaps",
    [RENEGING] = "reneging",
    [RESENT_ONE_BY_ONE] = "resent",
    [ONE_BYTE_FURTHER] = "one byte further",
    [ANYTHING] = "anything",
};

static const char *anything(uint32_t count, uint64_t *random)
{
    uint32_t edge[8];

    for (int i = 0; i < 8; i++) {
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        edge[i] = i % 2 == 0 ? (uint32_t)((*random >> 33) % (count * SMALL_MSS))
                             : edge[i - 1] + 1 + (uint32_t)((*random >> 33) % 2000);
    }
    return segment(". 1:1(0) ack 1 win 65535 <sack %u:%u %u:%u %u:%u %u:%u>", edge[0], edge[1],
                   edge[2], edge[3], edge[4], edge[5], edge[6], edge[7]);
}

/* What the peer says as the i-th of count / 2, with `count` segments in flight. */
static const char *statement(enum tactic tactic, uint32_t count, uint32_t i, uint64_t *random)
{
    const uint32_t middle = edge_of(count / 2);
    uint32_t at = 2 * i + 1;

    switch (tactic) {
    case BACKWARDS:
        at = count - 2 - at;
        break;
    case RESENT_ONE_BY_ONE:
        at = at < RECORDS_MAX ? at : (at - 1) % RECORDS_MAX;
        break;
    case SINGLE_BYTES:
        return segment(". 1:1(0) ack 1 win 65535 <sack %u:%u %u:%u %u:%u %u:%u>", middle + 16 * i,
                       middle + 16 * i + 1, middle + 16 * i + 4, middle + 16 * i + 5,
                       middle + 16 * i + 8, middle + 16 * i + 9, middle + 16 * i + 12,
                       middle + 16 * i + 13);
    case INTO_THE_MIDDLE:
        at = middle + 3 * (i / 2) * SMALL_MSS;
        if (i % 2 == 0)
            return segment(". 1:1(0) ack 1 win 65535 <sack %u:%u %u:%u>", at, at + 3, at + 4,
                           at + 7);
        return segment(". 1:1(0) ack 1 win 65535 <sack %u:%u>", at + 3, at + 4);
    case LEAPS:
        return segment(". 1:1(0) ack 1 win 65535 <sack %u:%u>", edge_of(1 + i % 3) + i,
                       edge_of(count / 2) + i);
    case RENEGING:
        return segment(". 1:1(0) ack %u win 65535 <sack %u:%u>", edge_of(i), edge_of(i + 1),
                       edge_of(i + 2));
    case ONE_BYTE_FURTHER:
        return segment(". 1:1(0) ack %u win 65535 <sack %u:%u>", 1 + i, edge_of(2 * i + 3),
                       edge_of(2 * i + 4));
    case ANYTHING:
        return anything(count, random);
    case EVERY_SECOND:
    case TACTIC_COUNT:
        break;
    }
    return segment(". 1:1(0) ack 1 win 65535 <sack %u:%u>", edge_of(at), edge_of(at + 1));
}

/* No tactic makes an acknowledgment cost more than a number of records that does not depend on how
 * many there are. */
START_TEST(acknowledgment_costs_little_whatever_it_says)
{
    enum tcp_loss_detection way = (enum tcp_loss_detection)(_i / TACTIC_COUNT / 2);
    enum tactic tactic = (enum tactic)(_i / 2 % TACTIC_COUNT);
    uint32_t count = _i % 2 == 0 ? CROWD : FEW;
    struct talk *t = with_a_crowd(way, count);
    struct bill bill = {.before = t->tcb->work->in_flight.work};
    uint64_t random = 1;

    for (uint32_t i = 0; i < count / 2 - 2; i++)
        charge(t, &bill, statement(tactic, count, i, &random));
    is_bounded(t, &bill, tactic_names[tactic]);
    talk_free(t);
}
END_TEST

/* A walk that was put off comes when time has paid for it: all holes below what was SACKed last are
 * lost. */
START_TEST(losses_are_found_although_the_walk_was_put_off)
{
    struct talk *t = with_a_crowd(TCP_LOSS_DETECTION_RACK, CROWD);
    struct bill bill = {0};
    uint64_t random = 1;
    unsigned missed_count = 0;

    for (uint32_t i = 0; i < RECORDS_MAX / 2; i++)
        charge(t, &bill, statement(EVERY_SECOND, CROWD, i, &random));
    ck_assert(!records_can_walk(&t->tcb->work->in_flight));
    time_passes_us(t, 4 * RECORDS_OWED_MAX);
    for (unsigned i = 0; i + 1 < t->tcb->work->in_flight.count; i++) {
        const struct tx_record *record = records_at(&t->tcb->work->in_flight, i);
        missed_count += !record->sacked && !record->lost && record->transmission_count == 1 &&
                        seq_lt(record->end, TALK_ISS + edge_of(RECORDS_MAX - 2));
    }
    ck_assert_uint_eq(missed_count, 0);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, acknowledgment_costs_little_whatever_it_says, 0,
                        TCP_LOSS_DETECTION_COUNT * TACTIC_COUNT * 2);
    tcase_add_test(tc, losses_are_found_although_the_walk_was_put_off);
}

int main(void)
{
    return unit_main("liars_cost", tests);
}
