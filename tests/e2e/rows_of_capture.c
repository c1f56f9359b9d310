/* rows_of_capture FILE: the rows of a capture as our dissector makes them, one packet a line,
 * "No|Source|Destination|Protocol|Length|Info", so that they can be compared with tshark's. Reads
 * pcap (microseconds or nanoseconds) and pcapng, of either byte order, with raw IP, or Ethernet
 * whose 14 bytes are left out (lengths then differ by these). Other packets are an error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../apps/view/rows.h"

enum { LINKTYPE_ETHERNET = 1, LINKTYPE_RAW = 101, ETHERNET_BYTES = 14, INTERFACES_MAX = 16 };

struct file {
    const uint8_t *at;
    size_t left;
    bool is_big_endian;
};

struct interface {
    unsigned link_type;
    uint64_t ticks_per_s;
};

struct job {
    struct dissector *dissector;
    struct dissection row;
};

static uint32_t number(const struct file *f, size_t offset, unsigned bytes);
static void one_packet(struct job *job, unsigned link_type, struct bytes packet, uint64_t time_us);
static int read_pcap(struct job *job, struct file f);
static int read_pcapng(struct job *job, struct file f);
static uint8_t *whole_file(const char *path, size_t *len);

int main(int argc, char **argv)
{
    struct job job = {0};
    size_t len = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: rows_of_capture FILE\n");
        return 2;
    }
    uint8_t *memory = whole_file(argv[1], &len);
    job.dissector = dissector_new();
    if (memory == NULL || job.dissector == NULL) {
        perror(argv[1]);
        return EXIT_FAILURE;
    }
    struct file f = {.at = memory, .left = len};
    int result = len >= 4 && memcmp(memory, "\x0a\x0d\x0d\x0a", 4) == 0 ? read_pcapng(&job, f)
                                                                        : read_pcap(&job, f);
    dissector_free(job.dissector);
    free(memory);
    return result;
}

static uint32_t number(const struct file *f, size_t offset, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < bytes && offset + i < f->left; i++) {
        unsigned shift = f->is_big_endian ? 8 * (bytes - 1 - i) : 8 * i;

        value |= (uint32_t)f->at[offset + i] << shift;
    }
    return value;
}

static void one_packet(struct job *job, unsigned link_type, struct bytes packet, uint64_t time_us)
{
    if (link_type == LINKTYPE_ETHERNET)
        packet = bytes_skip(packet, ETHERNET_BYTES);
    dissect(job->dissector, packet, time_us, &job->row);
    printf("%llu|%s|%s|%s|%zu|%s\n", (unsigned long long)job->row.number, job->row.source,
           job->row.destination, job->row.protocol, job->row.length, job->row.info);
}

static int read_pcap(struct job *job, struct file f)
{
    enum { HEADER_BYTES = 24, RECORD_BYTES = 16 };
    uint32_t magic = number(&f, 0, 4);

    f.is_big_endian = magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1;
    magic = number(&f, 0, 4);
    if (f.left < HEADER_BYTES || (magic != 0xa1b2c3d4 && magic != 0xa1b23c4d)) {
        fprintf(stderr, "neither pcap nor pcapng\n");
        return EXIT_FAILURE;
    }
    unsigned per_us = magic == 0xa1b23c4d ? 1000 : 1;
    unsigned link_type = number(&f, 20, 4);
    f.at += HEADER_BYTES;
    f.left -= HEADER_BYTES;
    while (f.left >= RECORD_BYTES) {
        uint64_t time_us = (uint64_t)number(&f, 0, 4) * 1000000 + number(&f, 4, 4) / per_us;
        size_t len = number(&f, 8, 4);

        if (len > f.left - RECORD_BYTES)
            break;
        one_packet(job, link_type, (struct bytes){f.at + RECORD_BYTES, len}, time_us);
        f.at += RECORD_BYTES + len;
        f.left -= RECORD_BYTES + len;
    }
    return EXIT_SUCCESS;
}

static int read_pcapng(struct job *job, struct file f)
{
    enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, ENHANCED_PACKET = 6, OPTION_TSRESOL = 9 };
    struct interface interface[INTERFACES_MAX] = {{0}};
    unsigned interface_count = 0;

    while (f.left >= 12) {
        uint32_t type = number(&f, 0, 4);

        if (type == SECTION)
            f.is_big_endian = f.at[8] == 0x1a;
        size_t len = number(&f, 4, 4);
        if (len < 12 || len > f.left)
            break;
        struct file block = {.at = f.at, .left = len, .is_big_endian = f.is_big_endian};
        if (type == INTERFACE && interface_count < INTERFACES_MAX) {
            struct interface *i = &interface[interface_count++];

            *i = (struct interface){number(&block, 8, 2), 1000000};
            for (size_t at = 16; at + 4 < len && number(&block, at, 2) != 0;
                 at += 4 + ((number(&block, at + 2, 2) + 3) & ~(size_t)3))
                if (number(&block, at, 2) == OPTION_TSRESOL && number(&block, at + 4, 1) == 9)
                    i->ticks_per_s = 1000000000;
        }
        uint32_t which = number(&block, 8, 4);
        if (type == ENHANCED_PACKET && which < interface_count &&
            number(&block, 20, 4) + 32 <= len) {
            uint64_t ticks = (uint64_t)number(&block, 12, 4) << 32 | number(&block, 16, 4);

            one_packet(job, interface[which].link_type,
                       (struct bytes){f.at + 28, number(&block, 20, 4)},
                       ticks / (interface[which].ticks_per_s / 1000000));
        }
        f.at += len;
        f.left -= len;
    }
    return EXIT_SUCCESS;
}

static uint8_t *whole_file(const char *path, size_t *len)
{
    FILE *in = fopen(path, "rb");
    size_t room = 1 << 20;
    uint8_t *memory = malloc(room);

    while (in != NULL && memory != NULL) {
        *len += fread(memory + *len, 1, room - *len, in);
        if (*len < room)
            break;
        uint8_t *more = realloc(memory, room *= 2);
        if (more == NULL)
            free(memory);
        memory = more;
    }
    if (in != NULL)
        fclose(in);
    else {
        free(memory);
        memory = NULL;
    }
    return memory;
}
