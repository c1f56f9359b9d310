/* The simulated link: each rule by itself, the order of packets, the bounds, and that a seed
 * determines everything. Packets are made by hand, so that the rules that look for a SYN, for data
 * or for UDP meet real headers. */
#include "../../../tun/link.h"

#include <string.h>

#include "../unit.h"

enum { PACKET_BYTES = 100 };

static struct link_packet packet_of(uint8_t *memory, size_t len)
{
    return (struct link_packet){.bytes = {memory, len}, .checksum_ok = true};
}

/* A header of IPv4 and TCP or UDP that the parsers accept, then `payload_bytes` of payload. */
static size_t make_packet(uint8_t *memory, uint8_t protocol, uint8_t tcp_flags,
                          size_t payload_bytes)
{
    size_t transport_bytes = protocol == IP_PROTOCOL_TCP ? TCP_HEADER_BYTES : 8;
    struct ipv4_packet ip = {
        .src = ip_addr_from_v4(0x0a000001),
        .dst = ip_addr_from_v4(0x0a000002),
        .ttl = 64,
        .protocol = protocol,
    };
    size_t header_bytes = ipv4_emit(&ip, transport_bytes + payload_bytes, memory, PACKET_BYTES);

    memset(memory + header_bytes, 0, transport_bytes + payload_bytes);
    if (protocol == IP_PROTOCOL_TCP) {
        memory[header_bytes + 12] = 5 << 4;
        memory[header_bytes + 13] = tcp_flags;
    }
    return header_bytes + transport_bytes + payload_bytes;
}

static struct link *link_of(const char *text, uint64_t seed)
{
    struct link_config config = {0};
    char error[200];

    ck_assert_msg(link_config_parse(text, &config, error, sizeof error), "%s", error);
    struct link *link = link_new(&config, seed);
    ck_assert_ptr_nonnull(link);
    return link;
}

/* Send `count` packets of `len` bytes at `now_us`, numbered in their first two bytes. */
static void send_numbered(struct link *link, unsigned count, size_t len, uint64_t now_us)
{
    uint8_t memory[2000] = {0};

    for (unsigned i = 0; i < count; i++) {
        memory[0] = (uint8_t)(i >> 8);
        memory[1] = (uint8_t)i;
        struct link_packet packet = packet_of(memory, len);
        link_send(link, &packet, now_us);
    }
}

static unsigned number_of(const struct link_packet *packet)
{
    return (unsigned)packet->bytes.data[0] << 8 | packet->bytes.data[1];
}

static unsigned receive_all(struct link *link)
{
    struct link_packet packet;
    unsigned count = 0;

    while (link_receive(link, &packet, UINT64_MAX))
        count++;
    return count;
}

START_TEST(a_clean_link_delivers_at_once_and_unchanged)
{
    struct link *link = link_of("", 1);
    uint8_t memory[3] = {1, 2, 3};
    struct link_packet packet = packet_of(memory, sizeof memory), got;

    packet.segment_bytes = 1400;
    link_send(link, &packet, 7);
    ck_assert_uint_eq(link_next_us(link), 7);
    ck_assert(link_receive(link, &got, 7));
    ck_assert_mem_eq(got.bytes.data, memory, sizeof memory);
    ck_assert_uint_eq(got.bytes.len, sizeof memory);
    ck_assert_uint_eq(got.segment_bytes, 1400);
    ck_assert(got.checksum_ok);
    ck_assert(!link_receive(link, &got, 7));
    ck_assert_uint_eq(link_next_us(link), UINT64_MAX);
    link_free(link);
}
END_TEST

START_TEST(delay_holds_a_packet_exactly_so_long)
{
    struct link *link = link_of("delay 50ms", 1);
    struct link_packet got;

    send_numbered(link, 1, 10, 1000);
    ck_assert_uint_eq(link_next_us(link), 51000);
    ck_assert(!link_receive(link, &got, 50999));
    ck_assert(link_receive(link, &got, 51000));
    link_free(link);
}
END_TEST

START_TEST(jitter_stretches_but_keeps_the_order)
{
    struct link *link = link_of("delay 10ms jitter 5ms", 3);
    struct link_packet got;
    uint64_t at_us = 0;
    unsigned late_count = 0;

    for (unsigned i = 0; i < 500; i++) {
        uint8_t memory[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        struct link_packet packet = packet_of(memory, sizeof memory);
        link_send(link, &packet, i * 100);
    }
    for (unsigned i = 0; i < 500; i++) {
        ck_assert_uint_ge(link_next_us(link), at_us);
        at_us = link_next_us(link);
        ck_assert_uint_ge(at_us, i * 100 + 10000);
        ck_assert_uint_le(at_us, 500 * 100 + 15000);
        late_count += at_us > i * 100 + 10000;
        ck_assert(link_receive(link, &got, at_us));
        ck_assert_uint_eq(number_of(&got), i);
    }
    ck_assert_uint_gt(late_count, 400);
    link_free(link);
}
END_TEST

START_TEST(rate_sends_one_packet_after_the_other)
{
    struct link *link = link_of("rate 8mbit", 1); /* a byte a microsecond */
    struct link_packet got;

    send_numbered(link, 3, 1000, 0);
    for (uint64_t i = 1; i <= 3; i++) {
        ck_assert_uint_eq(link_next_us(link), i * 1000);
        ck_assert(link_receive(link, &got, i * 1000));
    }
    link_free(link);
}
END_TEST

START_TEST(rate_loses_no_fraction_of_a_microsecond)
{
    struct link *link = link_of("rate 3gbit queue 64mb", 1);
    struct link_packet got;
    uint64_t at_us = 0;

    send_numbered(link, 3000, 1000, 0); /* 24,000,000 bits in 8 ms */
    while (link_receive(link, &got, UINT64_MAX))
        at_us = link_next_us(link) < UINT64_MAX ? link_next_us(link) : at_us;
    ck_assert_uint_ge(at_us, 7995);
    ck_assert_uint_le(at_us, 8000);
    link_free(link);
}
END_TEST

START_TEST(a_full_queue_drops_what_comes_and_recovers)
{
    struct link *link = link_of("rate 8mbit queue 4kb", 1);

    send_numbered(link, 10, 1000, 0);
    ck_assert_uint_eq(link_counters(link)->queue_full, 6);
    send_numbered(link, 1, 1000, 2000); /* two have left by now */
    ck_assert_uint_eq(link_counters(link)->queue_full, 6);
    ck_assert_uint_eq(receive_all(link), 5);
    link_free(link);
}
END_TEST

START_TEST(a_packet_larger_than_the_queue_passes_an_idle_link)
{
    struct link *link = link_of("rate 8mbit queue 100b", 1);

    send_numbered(link, 1, 1000, 0);
    send_numbered(link, 1, 1000, 5000);
    ck_assert_uint_eq(receive_all(link), 2);
    link_free(link);
}
END_TEST

START_TEST(memory_is_bounded_without_a_rate_too)
{
    struct link *link = link_of("delay 1s", 1);
    struct link_packet got;
    uint8_t *memory = calloc(1, 65535);
    struct link_packet packet = packet_of(memory, 65535);

    for (unsigned i = 0; i < 1100; i++) /* 72 MB */
        link_send(link, &packet, 0);
    ck_assert_uint_gt(link_counters(link)->queue_full, 0);
    ck_assert_uint_le((1100 - link_counters(link)->queue_full) * 65535, 64u * 1024 * 1024);
    ck_assert(link_receive(link, &got, 1000000)); /* what is taken out makes room */
    uint64_t before = link_counters(link)->queue_full;
    link_send(link, &packet, 0);
    ck_assert_uint_eq(link_counters(link)->queue_full, before);
    free(memory);
    link_free(link);
}
END_TEST

START_TEST(empty_packets_are_bounded_too)
{
    struct link *link = link_of("delay 1s corrupt 100%", 1);
    struct link_packet packet = packet_of(NULL, 0), got;

    for (unsigned i = 0; i < 2000000; i++)
        link_send(link, &packet, 0);
    ck_assert_uint_gt(link_counters(link)->queue_full, 0);
    ck_assert(link_receive(link, &got, 1000000));
    ck_assert_uint_eq(got.bytes.len, 0);
    link_free(link);
}
END_TEST

START_TEST(loss_takes_its_share)
{
    struct link *link = link_of("loss 20%", 5);

    send_numbered(link, 10000, 10, 0);
    uint64_t lost = link_counters(link)->lost;
    ck_assert_uint_gt(lost, 1800);
    ck_assert_uint_lt(lost, 2200);
    ck_assert_uint_eq(receive_all(link), 10000 - lost);
    ck_assert_uint_eq(link_counters(link)->delivered, 10000 - lost);
    link_free(link);
}
END_TEST

START_TEST(loss_of_0_and_100_percent_are_exact)
{
    struct link *none = link_of("loss 0%", 5), *all = link_of("loss 100%", 5);

    send_numbered(none, 1000, 10, 0);
    send_numbered(all, 1000, 10, 0);
    ck_assert_uint_eq(receive_all(none), 1000);
    ck_assert_uint_eq(receive_all(all), 0);
    link_free(none);
    link_free(all);
}
END_TEST

START_TEST(bursts_lose_several_in_a_row)
{
    struct link *link = link_of("burst 1% burst-end 25%", 9);
    struct link_packet got;
    unsigned previous = 0, burst_count = 0, lost = 0;

    send_numbered(link, 20000, 10, 0);
    while (link_receive(link, &got, 0)) {
        if (number_of(&got) > previous + 1) {
            burst_count++;
            lost += number_of(&got) - previous - 1;
        }
        previous = number_of(&got);
    }
    ck_assert_uint_gt(burst_count, 150);
    ck_assert_uint_lt(burst_count, 250);
    ck_assert_uint_gt(lost, 3 * burst_count); /* the mean is 1 / 25 % */
    ck_assert_uint_lt(lost, 5 * burst_count);
    link_free(link);
}
END_TEST

START_TEST(a_pause_ends_a_burst)
{
    struct link *link = link_of("burst 100% burst-end 0.0000001%", 9);
    struct link_config config = {.burst_enter = 0.01, .burst_leave = 1e-9};
    struct link_packet got;

    send_numbered(link, 1000, 10, 0);
    ck_assert_uint_eq(receive_all(link), 0);
    link_free(link);

    link = link_new(&config, 9);
    send_numbered(link, 2000, 10, 0); /* somewhere in there a burst begins */
    receive_all(link);
    send_numbered(link, 1, 10, 100000);
    ck_assert(!link_receive(link, &got, 100000));
    send_numbered(link, 1, 10, 200001);
    ck_assert(link_receive(link, &got, 200001));
    link_free(link);
}
END_TEST

START_TEST(reorder_lets_later_packets_overtake)
{
    struct link *link = link_of("delay 1ms reorder 10% reorder-by 3ms", 2);
    struct link_packet got;
    unsigned highest = 0, overtaken = 0;
    uint8_t memory[2];

    for (unsigned i = 0; i < 1000; i++) {
        memory[0] = (uint8_t)(i >> 8);
        memory[1] = (uint8_t)i;
        struct link_packet packet = packet_of(memory, sizeof memory);
        link_send(link, &packet, i * 500);
    }
    while (link_receive(link, &got, UINT64_MAX)) {
        overtaken += number_of(&got) < highest;
        highest = number_of(&got) > highest ? number_of(&got) : highest;
    }
    ck_assert_uint_gt(overtaken, 70);
    ck_assert_uint_lt(overtaken, 130);
    ck_assert_uint_eq(link_counters(link)->delivered, 1000);
    link_free(link);
}
END_TEST

START_TEST(duplicate_delivers_the_same_bytes_twice)
{
    struct link *link = link_of("duplicate 100%", 2);
    struct link_packet got;

    send_numbered(link, 5, 10, 0);
    for (unsigned i = 0; i < 10; i++) {
        ck_assert(link_receive(link, &got, 0));
        ck_assert_uint_eq(number_of(&got), i / 2);
    }
    ck_assert(!link_receive(link, &got, 0));
    ck_assert_uint_eq(link_counters(link)->duplicated, 5);
    link_free(link);
}
END_TEST

START_TEST(corrupt_flips_exactly_one_bit_and_takes_the_checksum_promise_back)
{
    struct link *link = link_of("corrupt 100%", 4);
    uint8_t memory[64] = {0};
    uint64_t positions = 0;

    for (unsigned i = 0; i < 1000; i++) {
        struct link_packet packet = packet_of(memory, sizeof memory), got;
        unsigned bit_count = 0;
        link_send(link, &packet, 0);
        ck_assert(link_receive(link, &got, 0));
        ck_assert(!got.checksum_ok);
        for (unsigned at = 0; at < sizeof memory; at++) {
            bit_count += (unsigned)__builtin_popcount(got.bytes.data[at]);
            positions |= (uint64_t)(got.bytes.data[at] != 0) << at;
        }
        ck_assert_uint_eq(bit_count, 1);
    }
    ck_assert_uint_eq(positions, UINT64_MAX); /* every byte is hit at some time */
    link_free(link);
}
END_TEST

START_TEST(held_segment_makes_all_behind_it_wait)
{
    struct link *link = link_of("delay 10ms hold-data 2 hold-by 300ms", 1);
    uint8_t memory[PACKET_BYTES];
    size_t len = make_packet(memory, IP_PROTOCOL_TCP, TCP_ACK, 10);
    static const uint64_t arrivals_us[] = {10000, 311000, 311000, 312000};
    struct link_packet packet = packet_of(memory, len);

    for (uint64_t i = 0; i < 3; i++)
        link_send(link, &packet, i * 1000);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(link_next_us(link), arrivals_us[i]);
        ck_assert(link_receive(link, &packet, arrivals_us[i]));
    }
    packet = packet_of(memory, len);
    link_send(link, &packet, 302000); /* the fourth is not held */
    ck_assert_uint_eq(link_next_us(link), arrivals_us[3]);
    link_free(link);
}
END_TEST

/* RFC 3168 5: what is not ECN-capable is left as it is, and so are the bytes behind the header. */
START_TEST(long_queue_marks_what_is_ecn_capable)
{
    static const uint8_t tos_of[] = {0, 1, 2, 0xba};
    struct link *link = link_of("rate 8mbit queue 10kb mark 150b", 1);
    uint8_t memory[PACKET_BYTES];
    struct link_packet got;

    for (unsigned round = 0; round < 4; round++) {
        size_t len = make_packet(memory, IP_PROTOCOL_TCP, TCP_ACK, 60);
        struct ipv4_packet ip;
        ck_assert_uint_eq(len, PACKET_BYTES);
        ck_assert_int_eq(ipv4_parse((struct bytes){memory, len}, false, &ip), DROP_NOT);
        ip.tos = tos_of[round];
        ipv4_emit(&ip, len - IPV4_HEADER_BYTES, memory, PACKET_BYTES);
        struct link_packet packet = packet_of(memory, len);
        link_send(link, &packet, round * 10000); /* the first meets an idle link */
        link_send(link, &packet, round * 10000);
        ck_assert(link_receive(link, &got, UINT64_MAX));
        ck_assert_mem_eq(got.bytes.data, memory, len);
        ck_assert(link_receive(link, &got, UINT64_MAX));
        ck_assert_int_eq(ipv4_parse(got.bytes, false, &ip), DROP_NOT);
        ck_assert_uint_eq(ip.tos, tos_of[round] == 0 ? 0 : tos_of[round] | 3);
        ck_assert_mem_eq(got.bytes.data + IPV4_HEADER_BYTES, memory + IPV4_HEADER_BYTES,
                         len - IPV4_HEADER_BYTES);
    }
    ck_assert_uint_eq(link_counters(link)->marked, 3);
    link_free(link);
}
END_TEST

static bool passes(struct link *link, const uint8_t *memory, size_t len, uint32_t segment_bytes)
{
    struct link_packet packet = {.bytes = {memory, len}, .segment_bytes = segment_bytes};

    link_send(link, &packet, 0);
    return link_receive(link, &packet, 0);
}

START_TEST(packets_longer_than_the_mtu_vanish)
{
    struct link *link = link_of("mtu 80b", 1);
    uint8_t memory[PACKET_BYTES] = {0};

    ck_assert(passes(link, memory, 80, 0));
    ck_assert(!passes(link, memory, 81, 0));
    size_t len = make_packet(memory, IP_PROTOCOL_TCP, TCP_ACK, 60); /* 40 bytes of headers */
    ck_assert(!passes(link, memory, len, 0));
    ck_assert(passes(link, memory, len, 40)); /* to be cut: each piece has 80 */
    ck_assert(!passes(link, memory, len, 41));
    link_set_mtu(link, 81);
    ck_assert(passes(link, memory, len, 41));
    link_set_mtu(link, 0);
    ck_assert(passes(link, memory, len, 0));
    link_free(link);
}
END_TEST

START_TEST(blackhole_swallows_everything)
{
    struct link *link = link_of("blackhole", 1);

    send_numbered(link, 100, 10, 0);
    ck_assert_uint_eq(link_next_us(link), UINT64_MAX);
    ck_assert_uint_eq(link_counters(link)->lost, 100);
    link_free(link);
}
END_TEST

struct rule_case {
    const char *text;
    uint8_t protocol;
    uint8_t tcp_flags;
    size_t payload_bytes;
    const char *passes; /* of four packets
                           of this kind */
};

static const struct rule_case rule_cases[] = {
    {"drop-syn 1", IP_PROTOCOL_TCP, TCP_SYN, 0, ".yyy"},
    {"drop-syn 1", IP_PROTOCOL_TCP, TCP_SYN | TCP_ACK, 0, ".yyy"},
    {"drop-syn 1", IP_PROTOCOL_TCP, TCP_ACK, 10, "yyyy"},
    {"drop-syn 1", IP_PROTOCOL_UDP, 0, 10, "yyyy"},
    {"drop-data 2,4", IP_PROTOCOL_TCP, TCP_ACK, 10, "y.y."},
    {"drop-data 2,4", IP_PROTOCOL_TCP, TCP_ACK, 0, "yyyy"},
    {"drop-udp 2-3", IP_PROTOCOL_UDP, 0, 10, "y..y"},
    {"drop-udp 2-3", IP_PROTOCOL_TCP, TCP_ACK, 10, "yyyy"},
    {"drop-any 3", IP_PROTOCOL_UDP, 0, 10, "yy.y"},
    {"drop-any 3 drop-any 1", IP_PROTOCOL_TCP, TCP_SYN, 0, ".y.y"},
};

START_TEST(a_rule_drops_the_numbered_packets_of_its_kind)
{
    const struct rule_case *c = &rule_cases[_i];
    struct link *link = link_of(c->text, 1);
    uint8_t memory[PACKET_BYTES];
    struct link_packet got;

    for (unsigned i = 0; i < 4; i++) {
        size_t len = make_packet(memory, c->protocol, c->tcp_flags, c->payload_bytes);
        struct link_packet packet = packet_of(memory, len);
        link_send(link, &packet, i);
        ck_assert_msg(link_receive(link, &got, i) == (c->passes[i] == 'y'), "%s, packet %u",
                      c->text, i + 1);
    }
    link_free(link);
}
END_TEST

START_TEST(a_rule_counts_packets_of_other_kinds_apart)
{
    struct link *link = link_of("drop-data 2", 1);
    uint8_t memory[PACKET_BYTES];
    struct link_packet got;
    static const size_t payloads[] = {0, 5, 0, 0, 5, 5};
    static const bool passes[] = {true, true, true, true, false, true};

    for (unsigned i = 0; i < 6; i++) {
        struct link_packet packet =
            packet_of(memory, make_packet(memory, IP_PROTOCOL_TCP, TCP_ACK, payloads[i]));
        link_send(link, &packet, 0);
        ck_assert_int_eq(link_receive(link, &got, 0), passes[i]);
    }
    link_free(link);
}
END_TEST

START_TEST(rules_survive_bytes_that_are_no_packet)
{
    struct link *link = link_of("drop-syn 1-64 drop-data 1-64 drop-udp 1-64", 1);
    uint8_t memory[64];
    uint64_t random = 1;

    for (unsigned i = 0; i < 20000; i++) {
        size_t len = link_random(&random) % (sizeof memory + 1);
        for (size_t at = 0; at < len; at++)
            memory[at] = (uint8_t)link_random(&random);
        if (len > 0)
            memory[0] = 0x45;
        struct link_packet packet = packet_of(memory, len), got;
        link_send(link, &packet, i);
        link_receive(link, &got, i);
    }
    link_free(link);
}
END_TEST

/* A digest of everything that comes out: times, order and bytes. */
static uint64_t digest_of(uint64_t seed)
{
    struct link *link = link_of("delay 10ms jitter 3ms rate 5mbit queue 8kb loss 5% burst 2% "
                                "reorder 10% duplicate 5% corrupt 5%",
                                seed);
    struct link_packet got;
    uint64_t digest = 0;

    for (unsigned i = 0; i < 100; i++)
        send_numbered(link, 7, 100, i * 1000);
    while (link_next_us(link) != UINT64_MAX) {
        digest = digest * 31 + link_next_us(link);
        ck_assert(link_receive(link, &got, link_next_us(link)));
        for (size_t at = 0; at < got.bytes.len; at++)
            digest = digest * 31 + got.bytes.data[at];
    }
    link_free(link);
    return digest;
}

START_TEST(a_seed_determines_everything)
{
    ck_assert_uint_eq(digest_of(42), digest_of(42));
    ck_assert_uint_ne(digest_of(42), digest_of(43));
}
END_TEST

START_TEST(a_description_is_read_word_by_word)
{
    struct link_config c = {0};
    char error[200];

    ck_assert(link_config_parse("loss 5% delay 50ms jitter 250us rate 1.5mbit queue 64kb reorder "
                                "1% reorder-by 7ms duplicate 0.5% corrupt 0.1% burst 2% burst-end "
                                "40% drop-syn 1 drop-data 3,4 drop-udp 64 drop-any 2-3 blackhole",
                                &c, error, sizeof error));
    ck_assert_double_eq_tol(c.loss, 0.05, 1e-12);
    ck_assert_uint_eq(c.delay_us, 50000);
    ck_assert_uint_eq(c.jitter_us, 250);
    ck_assert_uint_eq(c.rate_bits_per_s, 1500000);
    ck_assert_uint_eq(c.queue_bytes, 65536);
    ck_assert_double_eq_tol(c.reorder, 0.01, 1e-12);
    ck_assert_uint_eq(c.reorder_us, 7000);
    ck_assert_double_eq_tol(c.duplicate, 0.005, 1e-12);
    ck_assert_double_eq_tol(c.corrupt, 0.001, 1e-12);
    ck_assert_double_eq_tol(c.burst_enter, 0.02, 1e-12);
    ck_assert_double_eq_tol(c.burst_leave, 0.4, 1e-12);
    ck_assert_uint_eq(c.drop_syn_mask, 1);
    ck_assert_uint_eq(c.drop_data_mask, 12);
    ck_assert_uint_eq(c.drop_udp_mask, 1ull << 63);
    ck_assert_uint_eq(c.drop_any_mask, 6);
    ck_assert(c.blackhole);
}
END_TEST

START_TEST(a_description_adds_to_what_is_there)
{
    struct link_config c = {.delay_us = 5, .loss = 0.5, .drop_syn_mask = 2};
    char error[200];

    ck_assert(link_config_parse("\t loss 1%\n drop-syn 1 ", &c, error, sizeof error));
    ck_assert_uint_eq(c.delay_us, 5);
    ck_assert_double_eq_tol(c.loss, 0.01, 1e-12);
    ck_assert_uint_eq(c.drop_syn_mask, 3);
}
END_TEST

static const char *const wrong_texts[][2] = {
    /* what is written, and a word that the message must hold */
    {"los 5%", "\"los\""},
    {"los 5%", "mtu or blackhole"},
    {"loss", "value is missing"},
    {"loss 5", "\"5\""},
    {"loss 101%", "0% to 100%"},
    {"loss -1%", "0% to 100%"},
    {"loss 5%%", "percentage"},
    {"loss nan%", "percentage"},
    {"loss .%", "percentage"},
    {"loss 0x5%", "percentage"},
    {"delay 50", "50ms"},
    {"delay 5min", "us, ms, s"},
    {"delay 1e3ms", "time"},
    {"delay 3601s", "hour"},
    {"rate 0bit", "rate"},
    {"rate 10mb", "mbit"},
    {"rate 99999999999999999999999999999gbit", "rate"},
    {"queue 65mb", "64mb"},
    {"queue 0b", "size"},
    {"drop-syn 0", "1 to 64"},
    {"drop-syn 65", "1 to 64"},
    {"drop-syn 4294967297", "1 to 64"},
    {"drop-syn 1,", "1 to 64"},
    {"drop-syn 5-2", "1 to 64"},
    {"drop-syn 1-", "1 to 64"},
    {"drop-syn a", "1 to 64"},
    {"blackhole yes", "\"yes\""},
    {"loss 5% delay", "delay"},
};

START_TEST(a_wrong_description_is_refused_with_the_word_and_what_is_expected)
{
    struct link_config c = {.delay_us = 5};
    char error[300] = "";

    ck_assert_msg(!link_config_parse(wrong_texts[_i][0], &c, error, sizeof error), "%s",
                  wrong_texts[_i][0]);
    ck_assert_msg(strstr(error, wrong_texts[_i][1]) != NULL, "%s: %s", wrong_texts[_i][0], error);
    ck_assert_ptr_null(strchr(error, '\n'));
    ck_assert_uint_eq(c.delay_us, 5);
    ck_assert_double_eq(c.loss, 0); /* nothing of it is taken over */
}
END_TEST

START_TEST(an_error_fits_any_room)
{
    struct link_config c = {0};
    char error[300];
    char text[5000];

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    for (size_t room = 1; room <= sizeof error; room++) {
        ck_assert(!link_config_parse(text, &c, error, room));
        ck_assert_uint_lt(strlen(error), room);
    }
}
END_TEST

static const char *const round_trips[] = {
    "",
    "delay 50ms",
    "delay 1396us jitter 1500us",
    "delay 18198us",
    "rate 10mbit queue 64kb",
    "rate 1500kbit",
    "loss 5%",
    "loss 0.1% burst 1% burst-end 30%",
    "reorder 1% reorder-by 5ms duplicate 0.5% corrupt 12.5%",
    "drop-syn 1 drop-data 3,5-7 drop-udp 1-64 drop-any 2",
    "hold-data 3 hold-by 2s mark 16kb mtu 576b",
    "blackhole",
};

START_TEST(a_description_comes_back_as_it_was_read)
{
    struct link_config c = {0};
    char error[200], text[400];

    ck_assert_msg(link_config_parse(round_trips[_i], &c, error, sizeof error), "%s", error);
    ck_assert_str_eq(link_config_format(&c, text, sizeof text), round_trips[_i]);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, a_clean_link_delivers_at_once_and_unchanged);
    tcase_add_test(tc, delay_holds_a_packet_exactly_so_long);
    tcase_add_test(tc, jitter_stretches_but_keeps_the_order);
    tcase_add_test(tc, rate_sends_one_packet_after_the_other);
    tcase_add_test(tc, rate_loses_no_fraction_of_a_microsecond);
    tcase_add_test(tc, a_full_queue_drops_what_comes_and_recovers);
    tcase_add_test(tc, a_packet_larger_than_the_queue_passes_an_idle_link);
    tcase_add_test(tc, memory_is_bounded_without_a_rate_too);
    tcase_add_test(tc, empty_packets_are_bounded_too);
    tcase_add_test(tc, loss_takes_its_share);
    tcase_add_test(tc, loss_of_0_and_100_percent_are_exact);
    tcase_add_test(tc, bursts_lose_several_in_a_row);
    tcase_add_test(tc, a_pause_ends_a_burst);
    tcase_add_test(tc, reorder_lets_later_packets_overtake);
    tcase_add_test(tc, duplicate_delivers_the_same_bytes_twice);
    tcase_add_test(tc, corrupt_flips_exactly_one_bit_and_takes_the_checksum_promise_back);
    tcase_add_test(tc, held_segment_makes_all_behind_it_wait);
    tcase_add_test(tc, long_queue_marks_what_is_ecn_capable);
    tcase_add_test(tc, packets_longer_than_the_mtu_vanish);
    tcase_add_test(tc, blackhole_swallows_everything);
    tcase_add_loop_test(tc, a_rule_drops_the_numbered_packets_of_its_kind, 0,
                        sizeof rule_cases / sizeof rule_cases[0]);
    tcase_add_test(tc, a_rule_counts_packets_of_other_kinds_apart);
    tcase_add_test(tc, rules_survive_bytes_that_are_no_packet);
    tcase_add_test(tc, a_seed_determines_everything);
    tcase_add_test(tc, a_description_is_read_word_by_word);
    tcase_add_test(tc, a_description_adds_to_what_is_there);
    tcase_add_loop_test(tc, a_wrong_description_is_refused_with_the_word_and_what_is_expected, 0,
                        sizeof wrong_texts / sizeof wrong_texts[0]);
    tcase_add_test(tc, an_error_fits_any_room);
    tcase_add_loop_test(tc, a_description_comes_back_as_it_was_read, 0,
                        sizeof round_trips / sizeof round_trips[0]);
}

int main(void)
{
    return unit_main("link", tests);
}
