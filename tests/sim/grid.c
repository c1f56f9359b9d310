/* The grid: one transfer for each combination of loss, reordering, round trip, rate, queue and
 * congestion control, in virtual time. Each completes with every byte right; hardly more is sent
 * again than was lost; the retransmission timer is no storm; and how much of the link was in use is
 * what grid.txt says, figure by figure, so that a change is seen as one: which cell, before, now.
 *
 *     build/fast/tests/sim/grid write     rewrites tests/sim/grid.txt when the change is wanted
 *
 * A cell is run with one seed, and is the same with any compiler and optimisation: the only
 * floating-point numbers in it are constants that a random number is compared with. How long the
 * transfer is depends on the cell (plan_of()): so long that slow start is the smaller part where
 * the path can be filled at all, and so short that all cells together take seconds. At 10 Gbit/s
 * and 20 ms or more it is too short for that, and the figure is that of slow start; long_fat.c has
 * paths of that size. No super-segments: each packet is a segment, and lost alone.
 *
 * Loss and reordering happen to the data's direction, and to the handshake and the FIN; the time
 * begins when the handshake is over.
 *
 * What may be sent again (judge()): 1.2 times the bytes that were lost, and
 * - one segment for the probe of a tail, which may repeat what has arrived (RFC 8985 7.3);
 * - where the path reorders, what is sent again before RACK knows how late a segment may be: the
 *   reordering window grows by a quarter of the least round trip in each round trip with a D-SACK
 *   (RFC 8985 6.2 step 4), and a slow start doubles meanwhile what is late. It is a matter of the
 *   first round trips, whatever the length of the transfer: SPURIOUS_FEW or SPURIOUS_MANY segments.
 * What arrives and is discarded by PAWS counts as lost: when a retransmission has filled a hole,
 * late segments from before it have an older timestamp, and RFC 7323 5.3 R1 throws them away.
 *
 * VERBOSE in the environment prints each cell. Under sanitizers, and with fewer than 10,000
 * SIM_SEEDS, only every so many-th cell is run, which is printed. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../stack/instance.h"
#include "../../stack/tcp/recovery/congestion.h"
#include "../unit/unit.h"

enum {
    SECOND_US = 1000000,
    SEGMENT_BYTES = 1448, /* of payload */
    PACKET_BYTES = 1500,
    KILO = 1024,
    SPURIOUS_FEW = 30,
    SPURIOUS_MANY = 450,
    FULL_SEEDS = 10000,
    STEP_MAX = 31, /* no row or column of the table has a length that it divides */
};

static const char *const table_path = "tests/sim/grid.txt";
static const char *const table_head =
    "Utilisation in per cent: payload bits delivered / (rate x time from the handshake to the "
    "last\n"
    "byte). Written by `build/fast/tests/sim/grid write`, checked by the same program; do not "
    "edit.\n"
    "\n"
    "Rows: loss of the data's direction (bursts: 0.3 % of the packets begin one, of 3.3 on "
    "average),\n"
    "and reordering: 1 % held back by 1/4 of the round trip or 3 packet times, whichever is "
    "longer;\n"
    "\"30 %\" by 5/8 of it or 5 packet times. Columns: round trip without queue, and queue: small "
    "is\n"
    "1/4 of rate x round trip (8 packets at least), BDP 1 (16 packets), bloat 8 (256 KiB).\n"
    "\n"
    "97 is the most that headers leave. Where the path could be filled but is not: small queues "
    "cost\n"
    "what a loss takes off the window; with loss the figure is that of the congestion control's\n"
    "response to it, about MSS/RTT x 1.2/sqrt(loss) for Reno; and a transfer of few round trips "
    "is\n"
    "mostly slow start: 100 Mbit/s over 300 ms, and 10 Gbit/s over 20 ms and more.\n"
    "\n"
    "Under each block, in segments: lost (by the link, its queue, or PAWS), sent again, of these "
    "for\n"
    "nothing; retransmission time-outs; recoveries, and how many were taken back as spurious.\n";

/* ---- the cells */

static const struct loss {
    const char *name;
    double lost, burst_enter;
    uint64_t segments_min, segments_max;
} losses[] = {
    {"0", 0, 0, 400, 20000},          {"0.1 %", 0.001, 0, 4000, 10000},
    {"1 %", 0.01, 0, 1500, 2000},     {"3 %", 0.03, 0, 800, 1500},
    {"10 %", 0.1, 0, 400, 800},       {"20 %", 0.2, 0, 400, 400},
    {"bursts", 0, 0.003, 2000, 3000},
};
static const struct reordering {
    const char *name;
    double held;
    unsigned rtt_eighths, packet_times;
    uint64_t spurious_max; /* segments */
} reorderings[] = {
    {"0", 0, 0, 0, 0}, {"1 %", 0.01, 2, 3, SPURIOUS_FEW}, {"30 %", 0.3, 5, 5, SPURIOUS_MANY}};
static const struct link_speed {
    const char *name;
    uint64_t bits_per_s;
} rates[] = {{"1 Mbit/s", 1000000}, {"100 Mbit/s", 100000000}, {"10 Gbit/s", 10000000000}};
static const struct rtt {
    const char *name;
    uint64_t us;
} rtts[] = {
    {"0.05 ms", 50}, {"1 ms", 1000}, {"20 ms", 20000}, {"100 ms", 100000}, {"300 ms", 300000}};
static const char *const queues[] = {"small", "BDP", "bloat"};

enum {
    LOSSES = sizeof losses / sizeof losses[0],
    REORDERINGS = sizeof reorderings / sizeof reorderings[0],
    RATES = sizeof rates / sizeof rates[0],
    RTTS = sizeof rtts / sizeof rtts[0],
    QUEUES = sizeof queues / sizeof queues[0],
    ROWS = LOSSES * REORDERINGS,
    COLUMNS = RTTS * QUEUES,
    BLOCKS = TCP_CONGESTION_COUNT * RATES, /* one for each congestion control and rate */
};

struct cell {
    unsigned congestion, rate, loss, reordering, rtt, queue;
};

static struct cell cell_at(unsigned block, unsigned row, unsigned column)
{
    return (struct cell){.congestion = block / RATES,
                         .rate = block % RATES,
                         .loss = row / REORDERINGS,
                         .reordering = row % REORDERINGS,
                         .rtt = column / QUEUES,
                         .queue = column % QUEUES};
}

static const char *congestion_name(unsigned congestion)
{
    return congestion_ops_of((enum tcp_congestion)congestion)->name;
}

static const char *name_of(const struct cell *cell, char *text, size_t room)
{
    snprintf(text, room, "%s, %s, loss %s, reordering %s, %s, queue %s",
             congestion_name(cell->congestion), rates[cell->rate].name, losses[cell->loss].name,
             reorderings[cell->reordering].name, rtts[cell->rtt].name, queues[cell->queue]);
    return text;
}

/* ---- one cell */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static struct link_config bottleneck_of(const struct cell *cell, uint64_t bdp_bytes)
{
    const struct loss *loss = &losses[cell->loss];
    const struct reordering *reordering = &reorderings[cell->reordering];
    const uint64_t rate = rates[cell->rate].bits_per_s, rtt_us = rtts[cell->rtt].us;
    const uint64_t packet_us = PACKET_BYTES * 8ull * SECOND_US / rate + 1;
    const uint64_t queue_bytes[QUEUES] = {larger(bdp_bytes / 4, 8 * PACKET_BYTES),
                                          larger(bdp_bytes, 16 * PACKET_BYTES),
                                          larger(8 * bdp_bytes, 256 * KILO)};

    return (struct link_config){
        .rate_bits_per_s = rate,
        .delay_us = rtt_us / 2,
        .queue_bytes = smaller(queue_bytes[cell->queue], LINK_QUEUE_MAX_BYTES),
        .loss = loss->lost,
        .burst_enter = loss->burst_enter,
        .reorder = reordering->held,
        .reorder_us =
            larger(rtt_us * reordering->rtt_eighths / 8, reordering->packet_times * packet_us),
    };
}

static struct sim_plan plan_of(const struct cell *cell)
{
    const struct loss *loss = &losses[cell->loss];
    const uint64_t bdp_bytes = rates[cell->rate].bits_per_s / 8 * rtts[cell->rtt].us / SECOND_US;
    const uint64_t bytes = larger(16 * bdp_bytes, loss->segments_min * SEGMENT_BYTES);
    struct sim_plan plan = sim_plan_plain(1, smaller(bytes, loss->segments_max * SEGMENT_BYTES));

    for (unsigned end = 0; end < 2; end++) {
        plan.checksum_offload[end] = true; /* nothing is corrupted here */
        plan.app[end].uses_the_ring = true;
        plan.app[end].write_max_bytes = plan.app[end].read_max_bytes = 64 * KILO;
    }
    plan.link[0] = bottleneck_of(cell, bdp_bytes);
    plan.link[1] = (struct link_config){.rate_bits_per_s = rates[cell->rate].bits_per_s,
                                        .delay_us = rtts[cell->rtt].us / 2,
                                        .queue_bytes = LINK_QUEUE_MAX_BYTES};
    plan.tcp[0].congestion = (enum tcp_congestion)cell->congestion;
    plan.pulls_after_each_packet = true;
    plan.is_traced = true;
    return plan;
}

/* Payload of end 0. */
struct payload {
    uint64_t sent_bytes, arrived_bytes;
};

static size_t payload_bytes(struct bytes packet)
{
    struct ipv4_packet ip;
    struct tcp_segment seg;

    if (ipv4_parse(packet, true, &ip) != DROP_NOT || tcp_parse(ip.payload, &seg) != DROP_NOT)
        return 0;
    return seg.payload.len;
}

static void on_sent(struct sim *sim, unsigned from, struct bytes packet,
                    const struct packet_out *out)
{
    struct payload *payload = sim->context;

    (void)out;
    if (from == 0)
        payload->sent_bytes += payload_bytes(packet);
}

static void on_arrived(struct sim *sim, unsigned at, const struct link_packet *packet)
{
    struct payload *payload = sim->context;

    if (at == 1)
        payload->arrived_bytes += payload_bytes(packet->bytes);
}

struct outcome {
    uint64_t hundredths;             /* of a per cent of the link */
    uint64_t lost, resent, spurious; /* segments */
    unsigned timeouts, recoveries, undone;
    char failure[SIM_FAILURE_BYTES];
};

static void take_outcome(const struct sim *sim, const struct payload *payload, uint64_t took_us,
                         const struct cell *cell, struct outcome *outcome)
{
    const uint64_t data_bytes = sim->plan.app[0].send_bytes;
    const uint64_t could_bits = rates[cell->rate].bits_per_s / 1000000 * took_us;
    const uint64_t discarded_bytes = sim->stack[1]->counters.drops[DROP_TCP_PAWS] * SEGMENT_BYTES;
    const uint64_t lost_bytes = payload->sent_bytes - payload->arrived_bytes + discarded_bytes;
    const uint64_t resent_bytes = payload->sent_bytes - data_bytes;

    outcome->hundredths = (data_bytes * 8 * 10000 + could_bits / 2) / could_bits;
    outcome->lost = (lost_bytes + SEGMENT_BYTES - 1) / SEGMENT_BYTES;
    outcome->resent = (resent_bytes + SEGMENT_BYTES - 1) / SEGMENT_BYTES;
    outcome->spurious = outcome->resent > outcome->lost ? outcome->resent - outcome->lost : 0;
    outcome->recoveries = sim->seen[0].recoveries;
    outcome->undone = sim->seen[0].undone;
}

static struct outcome run(const struct cell *cell)
{
    struct sim_plan plan = plan_of(cell);
    struct sim *sim = sim_new(&plan);
    struct payload payload = {0};
    struct outcome outcome = {0};

    sim->on_sent = on_sent;
    sim->on_arrived = on_arrived;
    sim->context = &payload;
    while (sim->app[1].tcb == NULL && sim_step(sim)) { /* a lost SYN is no matter of recovery */
    }
    uint64_t begin_us = sim->now_us;
    unsigned timeouts_before = sim->seen[0].timeouts;
    while (sim->app[1].done_us == 0 && sim_step(sim)) { /* nor is a lost FIN */
    }
    outcome.timeouts = sim->seen[0].timeouts - timeouts_before;
    if (sim_run(sim))
        take_outcome(sim, &payload, sim->app[1].done_us - begin_us, cell, &outcome);
    memcpy(outcome.failure, sim->failure, sizeof outcome.failure);
    sim_free(sim);
    return outcome;
}

/* What is asked of every cell, whatever the table says. NULL: all is well. */
static const char *judge(const struct cell *cell, const struct outcome *outcome)
{
    uint64_t spurious_max = 1 + reorderings[cell->reordering].spurious_max;

    if (outcome->failure[0] != '\0')
        return outcome->failure;
    if (outcome->resent * 10 > outcome->lost * 12 + spurious_max * 10)
        return "too much is sent again";
    if (outcome->timeouts > 1 && outcome->timeouts * 5 > outcome->lost * 2)
        return "more time-outs than two for five losses";
    return NULL;
}

/* ---- the table */

enum { LABEL_WIDTH = 14, FIELD_WIDTH = 6, FIELD_ROOM = 8, LINE_ROOM = 200, LINES_MAX = 2000 };

struct sums {
    uint64_t lost, resent, spurious;
    unsigned timeouts, recoveries, undone;
};

struct figures {
    char line[LINES_MAX][LINE_ROOM];
    unsigned count;
};

/* Three figures: 96.5, 6.12, 0.06. */
static const char *format_field(uint64_t hundredths, char *text)
{
    unsigned whole = (unsigned)(hundredths / 100), part = (unsigned)(hundredths % 100);

    if (hundredths < 1000)
        snprintf(text, FIELD_ROOM, "%u.%02u", whole, part);
    else
        snprintf(text, FIELD_ROOM, "%u.%u", whole, part / 10);
    return text;
}

static void add_sums(struct sums *sums, const struct outcome *outcome)
{
    sums->lost += outcome->lost;
    sums->resent += outcome->resent;
    sums->spurious += outcome->spurious;
    sums->timeouts += outcome->timeouts;
    sums->recoveries += outcome->recoveries;
    sums->undone += outcome->undone;
}

static const char *format_sums(const struct sums *sums, char *text)
{
    snprintf(text, LINE_ROOM,
             "lost %llu, sent again %llu, for nothing %llu, time-outs %u, recoveries %u, undone %u",
             (unsigned long long)sums->lost, (unsigned long long)sums->resent,
             (unsigned long long)sums->spurious, sums->timeouts, sums->recoveries, sums->undone);
    return text;
}

static const char *format_title(unsigned block, char *text)
{
    snprintf(text, LINE_ROOM, "== %s, %s", congestion_name(block / RATES),
             rates[block % RATES].name);
    return text;
}

static bool read_table(struct figures *table)
{
    FILE *file = fopen(table_path, "r");

    table->count = 0;
    if (file == NULL)
        return false;
    while (table->count < LINES_MAX && fgets(table->line[table->count], LINE_ROOM, file) != NULL) {
        table->line[table->count][strcspn(table->line[table->count], "\n")] = '\0';
        table->count++;
    }
    fclose(file);
    return true;
}

/* Line `i` of a block: 0 is its title, then two lines that name the columns, the rows, the sums. ""
 * when there is none. */
static const char *line_of(const struct figures *table, unsigned block, unsigned i)
{
    char title[LINE_ROOM];

    format_title(block, title);
    for (unsigned at = 0; at + i < table->count; at++)
        if (strcmp(table->line[at], title) == 0)
            return table->line[at + i];
    return "";
}

static const char *field_of(const struct figures *table, unsigned block, unsigned row,
                            unsigned column, char *text)
{
    const char *line = line_of(table, block, 3 + row);
    size_t at = LABEL_WIDTH + (size_t)column * FIELD_WIDTH;

    text[0] = '\0';
    if (strlen(line) >= at + FIELD_WIDTH)
        sscanf(line + at, "%6s", text);
    return text;
}

static void write_block(FILE *file, unsigned block)
{
    struct sums sums = {0};
    char text[LINE_ROOM];

    fprintf(file, "\n%s\n%-*s", format_title(block, text), LABEL_WIDTH, "");
    for (unsigned rtt = 0; rtt < RTTS; rtt++)
        fprintf(file, "%*s", QUEUES * FIELD_WIDTH, rtts[rtt].name);
    fprintf(file, "\n%-7s%-7s", "loss", "reord.");
    for (unsigned column = 0; column < COLUMNS; column++)
        fprintf(file, "%*s", FIELD_WIDTH, queues[column % QUEUES]);
    for (unsigned row = 0; row < ROWS; row++) {
        fprintf(file, "\n%-7s%-7s", losses[row / REORDERINGS].name,
                reorderings[row % REORDERINGS].name);
        for (unsigned column = 0; column < COLUMNS; column++) {
            struct cell cell = cell_at(block, row, column);
            struct outcome outcome = run(&cell);
            const char *complaint = judge(&cell, &outcome);
            if (complaint != NULL)
                fprintf(stderr, "%s: %s\n", name_of(&cell, text, sizeof text), complaint);
            add_sums(&sums, &outcome);
            fprintf(file, "%*s", FIELD_WIDTH, format_field(outcome.hundredths, text));
        }
    }
    fprintf(file, "\n%s\n", format_sums(&sums, text));
}

static int write_table(void)
{
    FILE *file = fopen(table_path, "w");

    if (file == NULL) {
        perror(table_path);
        return EXIT_FAILURE;
    }
    fputs(table_head, file);
    for (unsigned block = 0; block < BLOCKS; block++)
        write_block(file, block);
    return fclose(file) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the test */

static struct figures checked_in;

/* Every so many-th cell. */
static unsigned step(void)
{
    uint64_t count = sim_seeds(FULL_SEEDS).count;

    return count >= FULL_SEEDS ? 1 : (unsigned)smaller(FULL_SEEDS / count, STEP_MAX);
}

static bool compare(const struct cell *cell, const struct outcome *outcome, const char *before)
{
    char now[FIELD_ROOM], name[LINE_ROOM];
    const char *complaint = judge(cell, outcome);

    format_field(outcome->hundredths, now);
    name_of(cell, name, sizeof name);
    if (getenv("VERBOSE") != NULL)
        printf("%-75s %6s lost %llu, sent again %llu, time-outs %u, recoveries %u, undone %u\n",
               name, now, (unsigned long long)outcome->lost, (unsigned long long)outcome->resent,
               outcome->timeouts, outcome->recoveries, outcome->undone);
    if (complaint != NULL)
        printf("%s: %s: lost %llu, sent again %llu segments, %u time-outs\n", name, complaint,
               (unsigned long long)outcome->lost, (unsigned long long)outcome->resent,
               outcome->timeouts);
    else if (strcmp(now, before) != 0)
        printf("%-75s before %6s now %6s\n", name, before, now);
    return complaint == NULL && strcmp(now, before) == 0;
}

START_TEST(every_cell_is_as_the_table_says)
{
    const unsigned block = (unsigned)_i, every = step();
    unsigned different = 0, count = 0;
    struct sums sums = {0};
    char before[FIELD_ROOM], text[LINE_ROOM];

    for (unsigned i = block % every; i < ROWS * COLUMNS; i += every, count++) {
        struct cell cell = cell_at(block, i / COLUMNS, i % COLUMNS);
        struct outcome outcome = run(&cell);
        add_sums(&sums, &outcome);
        if (!compare(&cell, &outcome,
                     field_of(&checked_in, block, i / COLUMNS, i % COLUMNS, before)))
            different++;
    }
    format_sums(&sums, text);
    if (every == 1 && strcmp(line_of(&checked_in, block, 3 + ROWS), text) != 0) {
        printf("%s\n  before: %s\n  now:    %s\n", line_of(&checked_in, block, 0),
               line_of(&checked_in, block, 3 + ROWS), text);
        different++;
    }
    ck_assert_msg(different == 0,
                  "%u of %u figures differ from %s (see above). If that is wanted: "
                  "build/fast/tests/sim/grid write",
                  different, count, table_path);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, every_cell_is_as_the_table_says, 0, BLOCKS);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "write") == 0)
        return write_table();
    if (!read_table(&checked_in))
        fprintf(stderr, "%s cannot be read: run from the project's root\n", table_path);
    if (step() > 1)
        printf("grid: one cell in %u of %d\n", step(), BLOCKS * ROWS * COLUMNS);
    return unit_main("grid", tests);
}
