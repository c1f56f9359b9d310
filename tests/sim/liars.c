/* A receiver that lies, on a path that loses: between the acknowledgments that it owes it tells
 * lies, and the transfer is compared with that of an honest receiver over the same path. No kind of
 * lie makes it faster; and whatever is said, every byte arrives.
 *
 * The lies are put into the sender (end 0) directly, before each acknowledgment that arrives there.
 * What cannot be told from the truth is not among them, see tests/talk/liars_gain.c. */
#include "sim.h"

#include "../../stack/tcp/seq.h"
#include "../unit/unit.h"

#include <stdio.h>

enum {
    MILLI_US = 1000,
    SECOND_US = 1000000,
    MBIT = 1000000,
    BULK_BYTES = 2000000,
    SEEDS = 20,
    TIMES = 10, /* each lie is told so often */
};

enum lie {
    HONEST,
    DIVIDED_ACKS,
    DUPLICATE_ACKS,
    ACKS_OF_UNSENT,
    SACKS_OF_UNSENT,
    REPORTED_DUPLICATES,
    INVENTED_ECHOES,
    OLD_ECHOES,
    SWINGING_WINDOW,
    SPURIOUS_ECE,
    LIE_COUNT,
};

static const char *const names[LIE_COUNT] = {
    [HONEST] = "honest",
    [DIVIDED_ACKS] = "divided ACKs",
    [DUPLICATE_ACKS] = "duplicate ACKs",
    [ACKS_OF_UNSENT] = "ACKs of what was not sent",
    [SACKS_OF_UNSENT] = "SACKs of what was not sent",
    [REPORTED_DUPLICATES] = "reported duplicates",
    [INVENTED_ECHOES] = "invented echoes",
    [OLD_ECHOES] = "old echoes",
    [SWINGING_WINDOW] = "swinging window",
    [SPURIOUS_ECE] = "ECE",
};

struct liar {
    enum lie lie;
    uint32_t last_ack;
};

static void tell(struct sim *sim, const struct ipv4_packet *ip, const struct tcp_segment *seg)
{
    uint8_t packet[IPV4_HEADER_BYTES + TCP_HEADER_MAX_BYTES] = {0};
    size_t header = tcp_emit(seg, TCP_SYN_STYLE_LINUX, packet + IPV4_HEADER_BYTES);

    if (ipv4_emit(ip, header, packet, IPV4_HEADER_BYTES) != IPV4_HEADER_BYTES)
        ck_abort();
    stack_input(sim->stack[0], &(struct packet_in){{packet, IPV4_HEADER_BYTES + header}, true, 0},
                sim->now_us);
}

/* The i-th of TIMES lies instead of `seg`. */
static struct tcp_segment lie_about(const struct liar *liar, struct tcp_segment seg, uint32_t i)
{
    uint32_t step = (seg.ack - liar->last_ack) / (TIMES + 1), unsent = seg.ack + (1u << 24);

    switch (liar->lie) {
    case DIVIDED_ACKS:
        seg.ack = liar->last_ack + (i + 1) * step;
        break;
    case DUPLICATE_ACKS:
        seg.ack = liar->last_ack;
        seg.options.sack_count = 0;
        break;
    case ACKS_OF_UNSENT:
        seg.ack = unsent + i;
        break;
    case SACKS_OF_UNSENT:
        seg.ack = liar->last_ack;
        seg.options.sack_count = 1;
        seg.options.sack[0] = (struct tcp_sack_block){unsent, unsent + 1000 * (i + 1)};
        break;
    case REPORTED_DUPLICATES:
        seg.ack = liar->last_ack;
        seg.options.sack_count = 1;
        seg.options.sack[0] = (struct tcp_sack_block){seg.ack - 1448 * (i + 1), seg.ack - 1448 * i};
        break;
    case INVENTED_ECHOES:
        seg.options.tsecr += i % 2 == 0 ? 1 << 20 : 10;
        break;
    case OLD_ECHOES: /* Eifel spoofing: the acknowledgment of a retransmission is never its own */
        seg.options.tsecr -= 30;
        break;
    case SWINGING_WINDOW:
        seg.ack = liar->last_ack;
        seg.wnd = i % 2 == 0 ? 0 : 1;
        break;
    case SPURIOUS_ECE:
        seg.flags |= TCP_ECE;
        break;
    case HONEST:
    case LIE_COUNT:
        break;
    }
    return seg;
}

static void on_arrived(struct sim *sim, unsigned at, const struct link_packet *packet)
{
    struct liar *liar = sim->context;
    struct ipv4_packet ip;
    struct tcp_segment seg;

    if (at != 0 || ipv4_parse(packet->bytes, true, &ip) != DROP_NOT ||
        tcp_parse(ip.payload, &seg) != DROP_NOT || seg.flags != TCP_ACK || seg.payload.len > 0)
        return;
    for (uint32_t i = 0; liar->lie != HONEST && liar->last_ack != 0 && i < TIMES; i++) {
        struct tcp_segment told = lie_about(liar, seg, i);
        tell(sim, &ip, &told);
    }
    if (liar->last_ack == 0 || seq_gt(seg.ack, liar->last_ack))
        liar->last_ack = seg.ack;
}

/* What SEEDS transfers take in all. */
static double seconds_with(enum lie lie, bool sack, enum tcp_congestion congestion)
{
    double seconds = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct liar liar = {.lie = lie};
        struct sim_plan plan = sim_plan_plain(seed, BULK_BYTES);
        for (int end = 0; end < 2; end++) {
            plan.link[end].rate_bits_per_s = 20 * MBIT;
            plan.link[end].delay_us = 20 * MILLI_US;
            plan.tcp[end].sack = sack;
            plan.tcp[end].congestion = congestion;
        }
        plan.link[0].loss = 0.01;
        plan.tcp[1].delayed_ack_us = 0; /* more ACKs are no lie */
        struct sim *sim = sim_new(&plan);
        sim->on_arrived = on_arrived;
        sim->context = &liar;
        ck_assert_msg(sim_run(sim), "%s: %s", names[lie], sim->failure);
        seconds += (double)sim->app[1].done_us / SECOND_US;
        sim_free(sim);
    }
    return seconds;
}

/* With SACK or without: what it is a lie about is there. */
static bool can_be_told(enum lie lie, bool sack)
{
    return sack || (lie != SACKS_OF_UNSENT && lie != REPORTED_DUPLICATES);
}

/* What lies bring by chance (the losses hit other packets), and, of reported duplicates, by right:
 * a peer that says that its network reorders is waited for longer, up to SRTT (RFC 8985 6.2 step
 * 4), and two losses are one more often.
 */
static double least_part(enum lie lie)
{
    return lie == REPORTED_DUPLICATES ? 0.9 : 0.93;
}

START_TEST(lies_make_no_transfer_faster)
{
    bool sack = _i % 2 == 0;
    enum tcp_congestion congestion = _i / 2 % 2 == 0 ? TCP_CONGESTION_CUBIC : TCP_CONGESTION_RENO;
    double truth = seconds_with(HONEST, sack, congestion);

    for (enum lie lie = HONEST + 1; lie < LIE_COUNT; lie++) {
        if (!can_be_told(lie, sack))
            continue;
        double told = seconds_with(lie, sack, congestion);
        if (getenv("VERBOSE") != NULL)
            printf("%-28s %-8s %-6s %6.3f s, honest %6.3f s\n", names[lie],
                   sack ? "SACK" : "no SACK", congestion == TCP_CONGESTION_RENO ? "Reno" : "CUBIC",
                   told / SEEDS, truth / SEEDS);
        ck_assert_msg(told >= least_part(lie) * truth, "%s: %.3f s, honest %.3f s", names[lie],
                      told, truth);
    }
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, lies_make_no_transfer_faster, 0, 4);
}

int main(void)
{
    return unit_main("liars", tests);
}
