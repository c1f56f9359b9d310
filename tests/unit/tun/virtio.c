/* The virtio header: each field of it both ways, what contradicts itself, and the device's read and
 * write with a pair of sockets in its place, which keep packets apart alike. */
#include "../unit.h"

#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../../tun/tun.h"
#include "../../../tun/virtio.h"
#include "../view/packets.h"

enum { IP_BYTES = 20, FULL_OFFLOADS = TUN_OFFLOAD_CHECKSUM | TUN_OFFLOAD_TCP4 };

static uint8_t memory[TUN_PACKET_ROOM];

static struct virtio_net_hdr written(const struct packet_out *out)
{
    struct virtio_net_hdr header;
    uint8_t bytes[VIRTIO_HEADER_BYTES];

    memset(bytes, 0xff, sizeof bytes);
    virtio_header_write(out, bytes);
    memcpy(&header, bytes, sizeof header);
    return header;
}

/* What the device would say with `header` before the first `len` bytes of the packet. */
static struct packet_in read_with(struct virtio_net_hdr header, const struct packet *p, size_t len)
{
    struct packet_in in;

    memcpy(memory, &header, sizeof header);
    memcpy(memory + sizeof header, p->memory, len);
    virtio_header_read((struct bytes){memory, sizeof header + len}, &in);
    return in;
}

static struct packet tcp_packet(uint8_t flags)
{
    return segment(true, 80, flags, 1, 1, 500, "0123456789", NULL);
}

static size_t packet_len(const struct packet *p)
{
    return packet_bytes(p).len;
}

/* ---- out */

START_TEST(ordinary_packet_has_a_header_of_zeros)
{
    struct packet_out out = {.header_bytes = 40};
    struct virtio_net_hdr header = written(&out);

    ck_assert_mem_eq(&header, &(struct virtio_net_hdr){0}, sizeof header);
}
END_TEST

START_TEST(checksum_is_left_to_the_device)
{
    struct packet_out out = {
        .header_bytes = 44, .checksum_needed = true, .checksum_start = 24, .checksum_offset = 16};
    struct virtio_net_hdr header = written(&out);

    ck_assert_uint_eq(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    ck_assert_uint_eq(header.csum_start, 24);
    ck_assert_uint_eq(header.csum_offset, 16);
    ck_assert_uint_eq(header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    ck_assert_uint_eq(header.gso_size, 0);
}
END_TEST

START_TEST(super_segment_says_how_it_is_to_be_cut)
{
    struct packet_out out = {.header_bytes = 52,
                             .segment_bytes = 1448,
                             .checksum_needed = true,
                             .checksum_start = IP_BYTES,
                             .checksum_offset = 16};
    struct virtio_net_hdr header = written(&out);

    ck_assert_uint_eq(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
    ck_assert_uint_eq(header.gso_size, 1448);
    ck_assert_uint_eq(header.hdr_len, 52);
    out.header[IP_BYTES + 13] = TCP_ACK | TCP_CWR; /* RFC 3168 6.1.2: on the first one only */
    header = written(&out);
    ck_assert_uint_eq(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN);
}
END_TEST

/* ---- in */

START_TEST(header_of_zeros_says_nothing)
{
    struct packet p = tcp_packet(TCP_ACK);
    struct packet_in in = read_with((struct virtio_net_hdr){0}, &p, packet_len(&p));

    ck_assert_int_eq(in.drop, DROP_NOT);
    ck_assert(!in.checksum_ok && !in.checksum_needed);
    ck_assert_uint_eq(in.segment_bytes, 0);
    ck_assert_uint_eq(in.bytes.len, packet_len(&p));
    ck_assert_mem_eq(in.bytes.data, p.memory, in.bytes.len);
}
END_TEST

START_TEST(unfinished_checksum_counts_as_right)
{
    struct packet p = tcp_packet(TCP_ACK);
    struct virtio_net_hdr header = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = IP_BYTES, .csum_offset = 16};
    struct packet_in in = read_with(header, &p, packet_len(&p));

    ck_assert_int_eq(in.drop, DROP_NOT);
    ck_assert(in.checksum_ok && in.checksum_needed);
    ck_assert_uint_eq(in.checksum_start, IP_BYTES);
    ck_assert_uint_eq(in.checksum_offset, 16);
}
END_TEST

START_TEST(verified_checksum_stands_in_the_packet)
{
    struct packet p = tcp_packet(TCP_ACK);
    struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_DATA_VALID};
    struct packet_in in = read_with(header, &p, packet_len(&p));

    ck_assert(in.drop == DROP_NOT && in.checksum_ok && !in.checksum_needed);
}
END_TEST

START_TEST(merged_segments_say_their_size)
{
    struct packet p = tcp_packet(TCP_ACK | TCP_CWR);
    struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                    .gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
                                    .gso_size = 4,
                                    .hdr_len = 40,
                                    .csum_start = IP_BYTES,
                                    .csum_offset = 16};
    struct packet_in in = read_with(header, &p, packet_len(&p));

    ck_assert_int_eq(in.drop, DROP_NOT);
    ck_assert_uint_eq(in.segment_bytes, 4);
}
END_TEST

/* ---- what does not go together */

static const struct virtio_net_hdr wrong[] = {
    {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0},
    {.gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 4},
    {.gso_type = 5, .gso_size = 4}, /* UDP_L4 of a TCP segment */
    {.gso_type = VIRTIO_NET_HDR_GSO_TCPV6, .gso_size = 4},
    {.gso_type = 2, .gso_size = 4},
    {.gso_type = 0x7f, .gso_size = 4},
    {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 4, .hdr_len = 51},
    {.hdr_len = UINT16_MAX},
    {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = UINT16_MAX, .csum_offset = UINT16_MAX},
    {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = IP_BYTES, .csum_offset = 30},
    {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 49, .csum_offset = 0},
    {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 0, .csum_offset = 16},
    {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = IP_BYTES, .csum_offset = 6},
};

START_TEST(header_that_does_not_fit_is_a_reason_to_drop)
{
    struct packet p = tcp_packet(TCP_ACK);
    struct packet_in in = read_with(wrong[_i], &p, packet_len(&p));

    ck_assert_uint_eq(packet_len(&p), 50);
    ck_assert_int_eq(in.drop, DROP_DEVICE_HEADER);
    ck_assert_uint_eq(in.bytes.len, packet_len(&p));
}
END_TEST

START_TEST(packet_of_any_length_is_survived)
{
    struct packet p = tcp_packet(TCP_ACK);
    struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                    .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                    .gso_size = 4,
                                    .csum_start = IP_BYTES,
                                    .csum_offset = 16};
    struct packet_in in;

    for (size_t len = 0; len < packet_len(&p); len++) {
        in = read_with(header, &p, len);
        ck_assert_int_eq(in.drop, len < IP_BYTES + 18 ? DROP_DEVICE_HEADER : DROP_NOT);
    }
    for (size_t len = 0; len < VIRTIO_HEADER_BYTES; len++) {
        virtio_header_read((struct bytes){memory, len}, &in);
        ck_assert(in.drop == DROP_DEVICE_HEADER && in.bytes.len == 0);
    }
}
END_TEST

/* ---- the device, with a pair of sockets in its place */

static struct tun device(unsigned offloads, int *other_end)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    *other_end = pair[1];
    return (struct tun){.fd = pair[0], .offloads = offloads};
}

START_TEST(super_segment_is_one_write_and_one_read)
{
    int other_end;
    struct tun tun = device(FULL_OFFLOADS, &other_end), back = {.offloads = FULL_OFFLOADS};
    struct packet p = tcp_packet(TCP_ACK);
    struct packet_out out = {
        .header_bytes = 40,
        .payload = {{(const uint8_t *)"012345", 6}, {(const uint8_t *)"6789", 4}},
        .segment_bytes = 4,
        .checksum_needed = true,
        .checksum_start = IP_BYTES,
        .checksum_offset = 16};
    struct packet_in in;

    memcpy(out.header, p.memory, out.header_bytes);
    ck_assert_int_eq(tun_write(&tun, &out), 0);
    back.fd = other_end;
    ck_assert_int_eq(tun_read(&back, memory, &in), 1);
    ck_assert_int_eq(in.drop, DROP_NOT);
    ck_assert(in.checksum_ok);
    ck_assert_uint_eq(in.segment_bytes, 4);
    ck_assert_uint_eq(in.bytes.len, 50);
    ck_assert_mem_eq(in.bytes.data, p.memory, 50);
    ck_assert_int_eq(tun_read(&back, memory, &in), 0);
    close(tun.fd);
    close(other_end);
}
END_TEST

START_TEST(without_offloads_packets_are_bare)
{
    int other_end;
    struct tun tun = device(0, &other_end);
    struct packet p = tcp_packet(TCP_ACK);
    struct packet_out out = {.payload = {packet_bytes(&p)}};
    struct packet_in in;

    ck_assert_int_eq(tun_write(&tun, &out), 0);
    ck_assert_int_eq(read(other_end, memory, sizeof memory), 50);
    ck_assert_int_eq(write(other_end, p.memory, 50), 50);
    ck_assert_int_eq(tun_read(&tun, memory, &in), 1);
    ck_assert_uint_eq(in.bytes.len, 50);
    ck_assert(!in.checksum_ok && in.drop == DROP_NOT);
    close(tun.fd);
    close(other_end);
}
END_TEST

START_TEST(runt_is_read_as_a_packet_to_drop)
{
    int other_end;
    struct tun tun = device(FULL_OFFLOADS, &other_end);
    struct packet_in in;

    ck_assert_int_eq(write(other_end, "abc", 3), 3);
    ck_assert_int_eq(tun_read(&tun, memory, &in), 1);
    ck_assert_int_eq(in.drop, DROP_DEVICE_HEADER);
    close(tun.fd);
    close(other_end);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, ordinary_packet_has_a_header_of_zeros);
    tcase_add_test(tc, checksum_is_left_to_the_device);
    tcase_add_test(tc, super_segment_says_how_it_is_to_be_cut);
    tcase_add_test(tc, header_of_zeros_says_nothing);
    tcase_add_test(tc, unfinished_checksum_counts_as_right);
    tcase_add_test(tc, verified_checksum_stands_in_the_packet);
    tcase_add_test(tc, merged_segments_say_their_size);
    tcase_add_loop_test(tc, header_that_does_not_fit_is_a_reason_to_drop, 0,
                        sizeof wrong / sizeof wrong[0]);
    tcase_add_test(tc, packet_of_any_length_is_survived);
    tcase_add_test(tc, super_segment_is_one_write_and_one_read);
    tcase_add_test(tc, without_offloads_packets_are_bare);
    tcase_add_test(tc, runt_is_read_as_a_packet_to_drop);
}

int main(void)
{
    return unit_main("virtio", tests);
}
