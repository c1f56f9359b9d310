/* How fast the stack itself is: two stacks back to back in one process, without any device.
 *
 * One sends 64 MiB to the other; each packet out is copied once into memory (what a device would
 * do) and given to the other stack. The time inside is virtual, 20 us a turn, so that nothing is
 * waited for; what is measured is the CPU time of this process. Three ways: segments of one MSS
 * with checksums made and verified, the same with checksums left to the device, and super-segments.
 *
 * Absolute figures say little: machines differ and are shared. Each way is therefore given as a
 * ratio to memcpy of blocks of 1448 bytes through as much memory, measured in the same run,
 * alternating with it; the same for the checksum alone. Medians of five.
 *
 * Left out: system calls, which cost far more than all of this on a plain TUN device, and loss. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../stack/wire/checksum.h"
#include "common/pair.h"

enum {
    BULK_BYTES = 64 << 20,
    RUNS = 5,
    BLOCK_BYTES = 1448,
    WORKING_SET_BYTES = 1 << 20,
};

static const struct way ways[] = {
    {"TCP, segments of one MSS, checksums ours", 0, false},
    {"TCP, segments of one MSS, checksums the device's", 0, true},
    {"TCP, super-segments, checksums the device's", STACK_GSO_MAX_BYTES, true},
};
enum { WAY_COUNT = sizeof ways / sizeof ways[0] };

static uint8_t source[WORKING_SET_BYTES], target[WORKING_SET_BYTES];

static double bulk_mb_per_s(const struct way *way);
static double memcpy_mb_per_s(void);
static double checksum_mb_per_s(void);
static void print_row(const char *name, double mb_per_s, double ratio);

int main(void)
{
    double copy[RUNS], sum[RUNS], sum_ratio[RUNS], bulk[WAY_COUNT][RUNS], ratio[WAY_COUNT][RUNS];

    for (size_t i = 0; i < sizeof source; i++)
        source[i] = (uint8_t)(i * 7 % 251);
    for (int run = 0; run < RUNS; run++) {
        copy[run] = memcpy_mb_per_s();
        sum[run] = checksum_mb_per_s();
        sum_ratio[run] = sum[run] / copy[run];
        for (size_t w = 0; w < WAY_COUNT; w++) {
            bulk[w][run] = bulk_mb_per_s(&ways[w]);
            if (bulk[w][run] <= 0) {
                fprintf(stderr, "bulk: \"%s\" did not finish\n", ways[w].name);
                return EXIT_FAILURE;
            }
            ratio[w][run] = bulk[w][run] / copy[run];
        }
    }
    printf("%-52s %10s %12s\n", "CPU time, medians of 5", "MB/s", "of memcpy");
    print_row("memcpy, 1448-byte blocks in 1 MiB", median(copy, RUNS), 1);
    print_row("checksum, 1448-byte blocks in 1 MiB", median(sum, RUNS), median(sum_ratio, RUNS));
    for (size_t w = 0; w < WAY_COUNT; w++)
        print_row(ways[w].name, median(bulk[w], RUNS), median(ratio[w], RUNS));
    return EXIT_SUCCESS;
}

static void print_row(const char *name, double mb_per_s, double ratio)
{
    printf("%-52s %10.0f %12.3f\n", name, mb_per_s, ratio);
}

/* ---- the two measures of the machine */

static double memcpy_mb_per_s(void)
{
    double begin = cpu_s();

    for (size_t done = 0, at = 0; done < BULK_BYTES * (size_t)4; done += BLOCK_BYTES) {
        memcpy(target + at, source + at, BLOCK_BYTES);
        /* The compiler must believe that somebody reads the copy. */
        __asm__ volatile("" ::"r"(target) : "memory");
        at = at + 2 * BLOCK_BYTES <= WORKING_SET_BYTES ? at + BLOCK_BYTES : 0;
    }
    return BULK_BYTES * 4.0 / 1e6 / (cpu_s() - begin);
}

static double checksum_mb_per_s(void)
{
    double begin = cpu_s();
    uint32_t all = 0;

    for (size_t done = 0, at = 0; done < BULK_BYTES * (size_t)4; done += BLOCK_BYTES) {
        struct checksum c = {0};
        checksum_add(&c, (struct bytes){source + at, BLOCK_BYTES});
        all += checksum_finish(&c);
        at = at + 2 * BLOCK_BYTES <= WORKING_SET_BYTES ? at + BLOCK_BYTES : 0;
    }
    __asm__ volatile("" ::"r"(all));
    return BULK_BYTES * 4.0 / 1e6 / (cpu_s() - begin);
}

/* ---- two stacks */

/* Offer as much as fits, in application-sized writes. */
static size_t offer(struct tcb *sender, size_t left)
{
    size_t given = 0;

    while (given < left) {
        size_t len = left - given < PACKET_MAX_BYTES ? left - given : PACKET_MAX_BYTES;
        ptrdiff_t accepted = tcp_send(sender, source, len);
        if (accepted <= 0)
            break;
        given += (size_t)accepted;
    }
    return given;
}

static size_t drain(struct tcb *receiver)
{
    size_t taken = 0;
    ptrdiff_t got;

    while ((got = tcp_receive(receiver, target, PACKET_MAX_BYTES)) > 0)
        taken += (size_t)got;
    return taken;
}

/* 0: it did not finish. */
static double bulk_mb_per_s(const struct way *way)
{
    struct pair pair = {0};
    size_t sent = 0, received = 0;
    double begin = 0, seconds = 0;

    if (pair_open(&pair, way) && pair_connect(&pair)) {
        begin = cpu_s();
        for (long turns = 0; turns < 10000000 && received < BULK_BYTES; turns++) {
            sent += offer(pair.sender, BULK_BYTES - sent);
            pair_turn(&pair);
            received += drain(pair.receiver);
        }
        seconds = cpu_s() - begin;
    }
    pair_close(&pair);
    return received < BULK_BYTES ? 0 : BULK_BYTES / 1e6 / seconds;
}
