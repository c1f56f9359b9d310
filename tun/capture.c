/* Writing pcapng (draft-ietf-opsawg-pcapng), big-endian so that wire/bytes.h writes it: section
 * header, one interface of LINKTYPE_RAW with nanoseconds, then enhanced packets as they come, name
 * resolution blocks as names become known, and interface statistics at the end.
 *
 * A comment tells what a packet did, which is known only after it: the last packet is therefore
 * held back until the next one or capture_flush(). Events that a packet in causes
 * (ORIGIN_PACKET_IN) become its comments. Those of other origins explain what is sent next, so they
 * wait for the next packet out. Both lists are bounded; what does not fit is left out, the newest
 * first.
 *
 * Merged packets are written as the ordinary segments they stand for (segments.h), with comments on
 * the first. After an error nothing more is written; capture_close() reports it. */
#include "capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "explain.h"
#include "segments.h"

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_NAMES = 4,
    BLOCK_STATISTICS = 5,
    BLOCK_PACKET = 6,
    BYTE_ORDER_MAGIC = 0x1a2b3c4d,
    LINKTYPE_RAW = 101,
    SNAP_LENGTH = 262144,
    RESOLUTION_NANOSECONDS = 9,
};

enum {
    OPTION_END = 0,
    OPTION_COMMENT = 1,
    OPTION_SECTION_OS = 3,
    OPTION_SECTION_APPLICATION = 4,
    OPTION_INTERFACE_NAME = 2,
    OPTION_INTERFACE_DESCRIPTION = 3,
    OPTION_INTERFACE_RESOLUTION = 9,
    OPTION_PACKET_FLAGS = 2,
    OPTION_STATISTICS_RECEIVED = 4,
    OPTION_STATISTICS_DROPPED = 5,
    NAME_RECORD_IPV4 = 1,
    NAME_RECORD_IPV6 = 2,
    FLAGS_INBOUND = 1,
    FLAGS_OUTBOUND = 2,
};

enum { COMMENTS_MAX = 16, NAME_MAX_BYTES = 256 };
enum {
    BLOCK_MAX_BYTES = SEGMENT_MAX_BYTES + COMMENTS_MAX * (EXPLAIN_BYTES + 8) + 256,
};

struct comments {
    unsigned count;
    char text[COMMENTS_MAX][EXPLAIN_BYTES];
};

struct capture {
    FILE *file;
    int error; /* the first errno; 0: all is well */
    uint64_t epoch_us;
    uint64_t packet_count, drop_count;

    bool is_holding, is_out;
    uint64_t held_us;
    struct packet_in in; /* one of these is the packet held back; its bytes are in `memory` */
    struct packet_out out;
    uint8_t memory[SEGMENT_MAX_BYTES];
    struct comments about_held, about_next;
    bool next_says_cause; /* about_next holds a retransmission, which tells the packet's cause */

    struct ip_addr last_address; /* of the name that was written last */
    char last_name[NAME_MAX_BYTES];

    uint8_t segment[SEGMENT_MAX_BYTES];
    uint8_t block[BLOCK_MAX_BYTES];
};

static void write_section(struct capture *capture);
static void write_interface(struct capture *capture, const char *name, const char *description);
static void write_statistics(struct capture *capture);
static void hold_in(struct capture *capture, const struct trace_event *event);
static void hold_out(struct capture *capture, const struct trace_event *event);
static void note(struct capture *capture, const struct trace_event *event);
static void add_comment(struct comments *comments, const char *text);
static void release_held(struct capture *capture);
static void write_packet(struct capture *capture, struct bytes packet,
                         const struct comments *comments);
static struct writer begin_block(struct capture *capture, uint32_t type);
static void end_block(struct capture *capture, struct writer w);
static void option(struct writer *w, uint16_t code, struct bytes value);
static void text_option(struct writer *w, uint16_t code, const char *text);
static void u64_option(struct writer *w, uint16_t code, uint64_t value);
static void pad(struct writer *w, size_t len);
static void timestamp(struct writer *w, uint64_t ns);
static uint64_t nanoseconds(const struct capture *capture, uint64_t time_us);

struct capture *capture_open(const char *path, const char *interface, const char *description,
                             uint64_t epoch_us, char *error, size_t room)
{
    struct capture *capture = calloc(1, sizeof *capture);

    if (capture == NULL) {
        snprintf(error, room, "no memory for a capture");
        return NULL;
    }
    capture->file = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb");
    if (capture->file == NULL) {
        snprintf(error, room, "cannot write the capture %s: %s", path, strerror(errno));
        free(capture);
        return NULL;
    }
    capture->epoch_us = epoch_us;
    write_section(capture);
    write_interface(capture, interface, description);
    return capture;
}

void capture_event(void *context, const struct trace_event *event)
{
    struct capture *capture = context;

    if (event->kind == TRACE_PACKET_IN)
        hold_in(capture, event);
    else if (event->kind == TRACE_PACKET_OUT)
        hold_out(capture, event);
    else
        note(capture, event);
}

void capture_flush(struct capture *capture)
{
    release_held(capture);
    if (fflush(capture->file) != 0 && capture->error == 0)
        capture->error = errno;
}

void capture_name(struct capture *capture, const struct ip_addr *address, const char *name)
{
    bool is_v4 = ip_addr_is_v4(address);
    size_t address_bytes = is_v4 ? 4 : sizeof address->octet;
    size_t name_bytes = strlen(name) + 1;

    if (name_bytes > NAME_MAX_BYTES ||
        (strcmp(name, capture->last_name) == 0 && ip_addr_equal(address, &capture->last_address)))
        return;
    memcpy(capture->last_name, name, name_bytes);
    capture->last_address = *address;

    struct writer w = begin_block(capture, BLOCK_NAMES);
    write_u16(&w, is_v4 ? NAME_RECORD_IPV4 : NAME_RECORD_IPV6);
    write_u16(&w, (uint16_t)(address_bytes + name_bytes));
    if (is_v4)
        write_u32(&w, ip_addr_to_v4(address));
    else
        write_bytes(&w, (struct bytes){address->octet, address_bytes});
    write_bytes(&w, (struct bytes){(const uint8_t *)name, name_bytes});
    pad(&w, address_bytes + name_bytes);
    write_u32(&w, 0); /* the end of the records */
    end_block(capture, w);
}

int capture_close(struct capture *capture)
{
    if (capture == NULL)
        return 0;
    release_held(capture);
    write_statistics(capture);
    bool has_failed = capture->file == stdout ? fflush(stdout) != 0 : fclose(capture->file) != 0;
    int error = capture->error != 0 ? capture->error : has_failed ? errno : 0;
    free(capture);
    errno = error;
    return error == 0 ? 0 : -1;
}

static void write_section(struct capture *capture)
{
    struct writer w = begin_block(capture, BLOCK_SECTION);
    struct utsname os;

    write_u32(&w, BYTE_ORDER_MAGIC);
    write_u16(&w, 1); /* version 1.0 */
    write_u16(&w, 0);
    write_u32(&w, UINT32_MAX); /* length of the section: not known */
    write_u32(&w, UINT32_MAX);
    text_option(
        &w, OPTION_COMMENT,
        "Packets of tuntcp, a TCP/IP stack in user space; the comments say why each was sent "
        "and what it did");
    if (uname(&os) == 0) {
        char text[sizeof os.sysname + sizeof os.release + 2];

        snprintf(text, sizeof text, "%s %s", os.sysname, os.release);
        text_option(&w, OPTION_SECTION_OS, text);
    }
    text_option(&w, OPTION_SECTION_APPLICATION, "tuntcp");
    option(&w, OPTION_END, (struct bytes){NULL, 0});
    end_block(capture, w);
}

static void write_interface(struct capture *capture, const char *name, const char *description)
{
    struct writer w = begin_block(capture, BLOCK_INTERFACE);
    uint8_t resolution = RESOLUTION_NANOSECONDS;

    write_u16(&w, LINKTYPE_RAW);
    write_u16(&w, 0);
    write_u32(&w, SNAP_LENGTH);
    text_option(&w, OPTION_INTERFACE_NAME, name);
    text_option(&w, OPTION_INTERFACE_DESCRIPTION, description);
    option(&w, OPTION_INTERFACE_RESOLUTION, (struct bytes){&resolution, 1});
    option(&w, OPTION_END, (struct bytes){NULL, 0});
    end_block(capture, w);
}

static void write_statistics(struct capture *capture)
{
    struct writer w = begin_block(capture, BLOCK_STATISTICS);

    write_u32(&w, 0); /* the interface */
    timestamp(&w, nanoseconds(capture, capture->held_us));
    u64_option(&w, OPTION_STATISTICS_RECEIVED, capture->packet_count);
    u64_option(&w, OPTION_STATISTICS_DROPPED, capture->drop_count);
    option(&w, OPTION_END, (struct bytes){NULL, 0});
    end_block(capture, w);
}

static void hold_in(struct capture *capture, const struct trace_event *event)
{
    struct bytes bytes = bytes_first(event->u.packet_in->bytes, sizeof capture->memory);

    release_held(capture);
    if (bytes.len > 0)
        memcpy(capture->memory, bytes.data, bytes.len);
    capture->in = *event->u.packet_in;
    capture->in.bytes = (struct bytes){capture->memory, bytes.len};
    capture->is_out = false;
    capture->is_holding = true;
    capture->held_us = event->time_us;
    capture->about_held.count = 0;
}

static void hold_out(struct capture *capture, const struct trace_event *event)
{
    const struct packet_out *out = event->u.packet_out;
    size_t at = 0;
    char cause[EXPLAIN_BYTES];

    release_held(capture);
    capture->out = *out;
    for (unsigned i = 0; i < 2; i++) {
        struct bytes part = bytes_first(out->payload[i], sizeof capture->memory - at);

        if (part.len > 0)
            memcpy(capture->memory + at, part.data, part.len);
        capture->out.payload[i] = (struct bytes){capture->memory + at, part.len};
        at += part.len;
    }
    capture->is_out = true;
    capture->is_holding = true;
    capture->held_us = event->time_us;
    capture->about_held = capture->about_next;
    capture->about_next.count = 0;
    if (!capture->next_says_cause)
        add_comment(&capture->about_held, explain_event(event, cause, sizeof cause));
    capture->next_says_cause = false;
}

static void note(struct capture *capture, const struct trace_event *event)
{
    char text[EXPLAIN_BYTES];

    if (event->kind == TRACE_DROP)
        capture->drop_count++;
    if (!explain_belongs_in_capture(event))
        return;
    if (event->kind == TRACE_RETRANSMIT)
        capture->next_says_cause = true;
    bool is_about_held =
        event->origin == ORIGIN_PACKET_IN && capture->is_holding && !capture->is_out;
    explain_event(event, text, sizeof text);
    add_comment(is_about_held ? &capture->about_held : &capture->about_next, text);
}

static void add_comment(struct comments *comments, const char *text)
{
    if (text[0] == '\0' || comments->count == COMMENTS_MAX)
        return;
    snprintf(comments->text[comments->count++], EXPLAIN_BYTES, "%s", text);
}

static void release_held(struct capture *capture)
{
    static const struct comments none;
    struct segments segments;
    bool is_first = true;
    size_t len;

    if (!capture->is_holding)
        return;
    capture->is_holding = false;
    if (capture->is_out)
        segments_of_out(&segments, &capture->out);
    else
        segments_of_in(&segments, &capture->in);
    while ((len = segments_next(&segments, capture->segment)) > 0) {
        write_packet(capture, (struct bytes){capture->segment, len},
                     is_first ? &capture->about_held : &none);
        is_first = false;
    }
    capture->about_held.count = 0;
}

static void write_packet(struct capture *capture, struct bytes packet,
                         const struct comments *comments)
{
    struct writer w = begin_block(capture, BLOCK_PACKET);
    uint8_t flags[4];
    struct writer flags_writer = writer_of(flags, sizeof flags);

    write_u32(&w, 0); /* the interface */
    timestamp(&w, nanoseconds(capture, capture->held_us));
    write_u32(&w, (uint32_t)packet.len);
    write_u32(&w, (uint32_t)packet.len);
    write_bytes(&w, packet);
    pad(&w, packet.len);
    for (unsigned i = 0; i < comments->count; i++)
        text_option(&w, OPTION_COMMENT, comments->text[i]);
    write_u32(&flags_writer, capture->is_out ? FLAGS_OUTBOUND : FLAGS_INBOUND);
    option(&w, OPTION_PACKET_FLAGS, (struct bytes){flags, sizeof flags});
    option(&w, OPTION_END, (struct bytes){NULL, 0});
    end_block(capture, w);
    capture->packet_count++;
}

/* A block is its type, its length, the body, and the length again. */
static struct writer begin_block(struct capture *capture, uint32_t type)
{
    struct writer w = writer_of(capture->block, sizeof capture->block);

    write_u32(&w, type);
    write_u32(&w, 0); /* end_block() knows */
    return w;
}

static void end_block(struct capture *capture, struct writer w)
{
    size_t len = sizeof capture->block - w.left + 4;
    struct writer length = writer_of(capture->block + 4, 4);

    write_u32(&w, (uint32_t)len);
    write_u32(&length, (uint32_t)len);
    if (capture->error != 0 || w.overrun)
        return;
    if (fwrite(capture->block, 1, len, capture->file) != len)
        capture->error = errno != 0 ? errno : EIO;
}

static void option(struct writer *w, uint16_t code, struct bytes value)
{
    write_u16(w, code);
    write_u16(w, (uint16_t)value.len);
    write_bytes(w, value);
    pad(w, value.len);
}

static void text_option(struct writer *w, uint16_t code, const char *text)
{
    option(w, code, (struct bytes){(const uint8_t *)text, strlen(text)});
}

static void u64_option(struct writer *w, uint16_t code, uint64_t value)
{
    uint8_t memory[8];
    struct writer number = writer_of(memory, sizeof memory);

    write_u32(&number, (uint32_t)(value >> 32));
    write_u32(&number, (uint32_t)value);
    option(w, code, (struct bytes){memory, sizeof memory});
}

/* Zeros up to a multiple of four. */
static void pad(struct writer *w, size_t len)
{
    static const uint8_t zeros[4];

    write_bytes(w, (struct bytes){zeros, (4 - len % 4) % 4});
}

static void timestamp(struct writer *w, uint64_t ns)
{
    write_u32(w, (uint32_t)(ns >> 32));
    write_u32(w, (uint32_t)ns);
}

static uint64_t nanoseconds(const struct capture *capture, uint64_t time_us)
{
    return (capture->epoch_us + time_us) * 1000;
}
