/* The dissector: what Wireshark's columns hold for one IP packet. This file is the IP layer; it
 * puts fragments together and hands the payload to the file of its protocol.
 *
 * Its aim is equality with tshark 4.0 in its default configuration, packet by packet, for what a
 * learner meets on our stack: IPv4, ICMP, UDP, DNS, TCP, HTTP. Like tshark's single pass it knows
 * only the past. Memory is bounded: conversations, fragments and HTTP heads have limits, and what
 * is forgotten is shown as if the capture began there.
 *
 * Not done: other application protocols (their segments are shown as TCP or UDP). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dissector.h"

enum { FRAGMENTS_MAX_BYTES = 4 << 20 };

static const uint64_t fragments_kept_us = 600u * 1000000u;

static void dissect_ipv4(struct dissector *d, const struct ipv4_packet *ip, uint64_t time_us,
                         struct dissection *row);
static void fragment_row(const struct ipv4_packet *ip, struct dissection *row);
static const char *protocol_name(uint8_t protocol);
static void unreadable_row(struct bytes packet, enum drop drop, struct dissection *row);

struct dissector *dissector_new(void)
{
    struct dissector *d = calloc(1, sizeof *d);

    if (d == NULL)
        return NULL;
    d->conversations = conversations_new();
    d->reassembly = reassembly_new(FRAGMENTS_MAX_BYTES, fragments_kept_us);
    if (d->conversations != NULL && d->reassembly != NULL)
        return d;
    dissector_free(d);
    return NULL;
}

void dissector_free(struct dissector *d)
{
    if (d == NULL)
        return;
    conversations_free(d->conversations);
    reassembly_free(d->reassembly);
    free(d);
}

void dissect(struct dissector *d, struct bytes packet, uint64_t time_us, struct dissection *row)
{
    struct ipv4_packet ip;
    struct ipv4_packet whole;
    bool is_complete = true;

    row->source[0] = row->destination[0] = row->info[0] = '\0';
    row->protocol = "IPv4";
    row->length = packet.len;
    row->style = ROW_PLAIN;
    row->number = ++d->packet_count;

    if (packet.len > 0 && packet.data[0] >> 4 == 6) {
        dissect_ipv6(packet, row);
        return;
    }
    enum drop drop = ipv4_parse(packet, true, &ip); /* as Wireshark: checksums are not checked */
    if (drop != DROP_NOT) {
        unreadable_row(packet, drop, row);
        return;
    }
    ip_addr_format(&ip.src, row->source);
    ip_addr_format(&ip.dst, row->destination);
    if (ip.more_fragments || ip.fragment_offset_bytes > 0) {
        struct ipv4_packet oldest;

        while (reassembly_expire(d->reassembly, time_us, &oldest))
            continue;
        if (reassembly_add(d->reassembly, &ip, time_us, &whole, &is_complete) != DROP_NOT)
            is_complete = false;
        if (!is_complete) {
            fragment_row(&ip, row);
            return;
        }
        whole.ttl = ip.ttl;
        ip = whole;
    }
    dissect_ipv4(d, &ip, time_us, row);
    if (ip.ttl < 5 && row->style != ROW_BAD_TCP && row->style != ROW_ICMP_ERROR &&
        row->style != ROW_ICMP && row->style != ROW_TCP_RST)
        row->style = ROW_LOW_TTL;
}

static void dissect_ipv4(struct dissector *d, const struct ipv4_packet *ip, uint64_t time_us,
                         struct dissection *row)
{
    if (ip->protocol == IP_PROTOCOL_ICMP)
        dissect_icmp(d, ip, row);
    else if (ip->protocol == IP_PROTOCOL_UDP)
        dissect_udp(ip, row);
    else if (ip->protocol == IP_PROTOCOL_TCP)
        dissect_tcp(d, ip, time_us, row);
    else
        info_add(row, "%s (%u)", protocol_name(ip->protocol), ip->protocol);
}

static void fragment_row(const struct ipv4_packet *ip, struct dissection *row)
{
    info_add(row, "Fragmented IP protocol (proto=%s %u, off=%u, ID=%04x)",
             protocol_name(ip->protocol), ip->protocol, (unsigned)ip->fragment_offset_bytes,
             ip->id);
}

static const char *protocol_name(uint8_t protocol)
{
    switch (protocol) {
    case IP_PROTOCOL_ICMP:
        return "ICMP";
    case IP_PROTOCOL_TCP:
        return "TCP";
    case IP_PROTOCOL_UDP:
        return "UDP";
    case 253:
    case 254:
        return "Use for experimentation and testing";
    default:
        return "Unknown";
    }
}

/* The stack says what is wrong in its own words: Wireshark's depend on where it stopped reading. */
static void unreadable_row(struct bytes packet, enum drop drop, struct dissection *row)
{
    struct reader r = reader_of(packet);
    struct ip_addr address;

    read_bytes(&r, 12);
    uint32_t src = read_u32(&r);
    uint32_t dst = read_u32(&r);
    if (!r.overrun && packet.data[0] >> 4 == 4) {
        address = ip_addr_from_v4(src);
        ip_addr_format(&address, row->source);
        address = ip_addr_from_v4(dst);
        ip_addr_format(&address, row->destination);
    }
    row->protocol = "IP";
    info_add(row, "[Malformed Packet: %s]", drop_name(drop));
}
