/* stack/ip/output.c: the outgoing queue and its fragments. RFC 791 3.2, RFC 6864. */
#include "rig.h"

static enum drop send(struct rig *rig, size_t len, const char *cause)
{
    struct ipv4_packet header = ip_header_for(rig->stack, &rig->us, &rig->peer, 99, 61, 0x28);

    return ip_send(rig->stack, &header, rig_pattern(len), NULL, cause);
}

START_TEST(what_fits_the_mtu_goes_out_as_one_atomic_datagram) /* RFC 6864 4.1 */
{
    struct rig *rig = rig_new();

    ck_assert_int_eq(send(rig, 1480, "a cause"), DROP_NOT);
    ck_assert(rig_out(rig));
    ck_assert(rig->ip.dont_fragment && !rig->ip.more_fragments);
    ck_assert_uint_eq(rig->ip.id, 0);
    ck_assert_uint_eq(rig->ip.ttl, 61);
    ck_assert_uint_eq(rig->ip.tos, 0x28);
    ck_assert_uint_eq(rig->ip.protocol, 99);
    ck_assert(ip_addr_equal(&rig->ip.src, &rig->us) && ip_addr_equal(&rig->ip.dst, &rig->peer));
    rig_assert_bytes(rig->ip.payload, rig_pattern(1480));
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(an_atomic_datagram_has_a_random_id_when_configured) /* RFC 6864 4.1 */
{
    struct rig *rig = rig_prepare();

    rig->config.ip_id_random = true;
    rig_start(rig);
    ck_assert_int_eq(send(rig, 8, "first"), DROP_NOT);
    ck_assert_int_eq(send(rig, 8, "second"), DROP_NOT);
    ck_assert(rig_out(rig));
    uint16_t id = rig->ip.id;
    ck_assert(rig_out(rig));
    ck_assert_uint_ne(rig->ip.id, id);
    rig_free(rig);
}
END_TEST

START_TEST(what_exceeds_the_mtu_is_cut_into_fragments) /* RFC 791 3.2; odd MTUs and lengths too */
{
    static const uint16_t mtus[] = {1500, 1499, 576, 68};
    static const size_t lengths[] = {1481, 2960, 2961, 5000};
    struct rig *rig = rig_prepare();
    static uint8_t joined[65536];
    size_t at = 0, len = lengths[_i / 4];
    uint16_t id = 0;

    rig->config.mtu_bytes = mtus[_i % 4];
    rig_start(rig);
    ck_assert_int_eq(send(rig, len, "a cause"), DROP_NOT);
    do {
        ck_assert(rig_out(rig));
        ck_assert(!rig->ip.dont_fragment);
        ck_assert_uint_eq(rig->ip.fragment_offset_bytes, at);
        ck_assert(at == 0 || rig->ip.id == id);
        id = rig->ip.id;
        memcpy(joined + at, rig->ip.payload.data, rig->ip.payload.len);
        at += rig->ip.payload.len;
    } while (rig->ip.more_fragments);
    rig_assert_bytes((struct bytes){joined, at}, rig_pattern(len));
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(datagrams_in_fragments_have_different_ids) /* RFC 6864 4.2 */
{
    struct rig *rig = rig_new();
    uint8_t seen[8192] = {0};

    for (int i = 0; i < 65536; i++) {
        ck_assert_int_eq(send(rig, 1481, "a cause"), DROP_NOT);
        ck_assert(rig_out(rig));
        ck_assert(!(seen[rig->ip.id / 8] >> (rig->ip.id % 8) & 1));
        seen[rig->ip.id / 8] |= (uint8_t)(1 << (rig->ip.id % 8));
        ck_assert(rig_out(rig));
    }
    rig_free(rig);
}
END_TEST

START_TEST(the_event_of_a_packet_has_the_cause_and_the_flow_it_was_queued_with)
{
    struct rig *rig = rig_new();
    struct flow_id flow = {rig->us, rig->peer, 1234, 53};

    ck_assert_int_eq(send(rig, 8, "the first cause"), DROP_NOT);
    struct ipv4_packet header = ip_header_for(rig->stack, &rig->us, &rig->peer, 17, 64, 0);
    ck_assert_int_eq(ip_send(rig->stack, &header, rig_pattern(8), &flow, "the second cause"),
                     DROP_NOT);
    ck_assert(rig_out(rig));
    ck_assert_str_eq(rig->out_cause, "the first cause");
    ck_assert(ip_addr_equal(&rig->out_flow.remote, &rig->peer));
    ck_assert(rig_out(rig));
    ck_assert_str_eq(rig->out_cause, "the second cause");
    ck_assert_uint_eq(rig->out_flow.local_port, 1234);
    rig_free(rig);
}
END_TEST

START_TEST(a_full_queue_discards_and_counts) /* and has room again when it is pulled */
{
    struct rig *rig = rig_prepare();

    rig->config.out_queue_max = 3;
    rig_start(rig);
    ck_assert_int_eq(send(rig, 8, "one"), DROP_NOT);
    ck_assert_int_eq(send(rig, 8, "two"), DROP_NOT);
    ck_assert_int_eq(send(rig, 1481, "two fragments"), DROP_OUT_QUEUE_FULL);
    ck_assert_int_eq(send(rig, 8, "three"), DROP_NOT);
    ck_assert_int_eq(send(rig, 8, "four"), DROP_OUT_QUEUE_FULL);
    ck_assert_uint_eq(rig_drops(rig, DROP_OUT_QUEUE_FULL), 2);
    ck_assert_str_eq(rig->drop_cause, "four");
    ck_assert(rig_out(rig) && rig_out(rig));
    ck_assert_int_eq(send(rig, 1481, "two fragments"), DROP_NOT);
    ck_assert(rig_out(rig) && rig_out(rig) && rig_out(rig));
    ck_assert_str_eq(rig->out_cause, "two fragments");
    ck_assert(!rig_out(rig));
    rig_free(rig);
}
END_TEST

START_TEST(what_no_ip_packet_can_hold_is_discarded)
{
    struct rig *rig = rig_new();

    ck_assert_int_eq(send(rig, 65516, "too long"), DROP_OUT_QUEUE_FULL);
    ck_assert_int_eq(send(rig, 65515, "just fits"), DROP_NOT);
    rig_free(rig); /* with the queue not empty */
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, what_fits_the_mtu_goes_out_as_one_atomic_datagram);
    tcase_add_test(tc, an_atomic_datagram_has_a_random_id_when_configured);
    tcase_add_loop_test(tc, what_exceeds_the_mtu_is_cut_into_fragments, 0, 16);
    tcase_add_test(tc, datagrams_in_fragments_have_different_ids);
    tcase_add_test(tc, the_event_of_a_packet_has_the_cause_and_the_flow_it_was_queued_with);
    tcase_add_test(tc, a_full_queue_discards_and_counts);
    tcase_add_test(tc, what_no_ip_packet_can_hold_is_discarded);
}

int main(void)
{
    return unit_main("ip/output", tests);
}
