/* stack/ip/reassembly.c: fragments that come in order, out of order, twice, over each other, and in
 * floods. RFC 791 3.2, RFC 815, RFC 5722, RFC 3168 5.3. */
#include "rig.h"

#include "../../../stack/ip/reassembly.h"

enum { TIMEOUT_US = 30 * RIG_SECOND_US, MAX_BYTES = 64 * 1024, NOW_US = 1000 };

/* `len` bytes of the pattern from `start` on. */
static struct ipv4_packet fragment(size_t start, size_t len, bool more)
{
    return (struct ipv4_packet){
        .src = rig_addr("192.0.2.1"),
        .dst = rig_addr("10.0.0.2"),
        .protocol = IP_PROTOCOL_UDP,
        .ttl = 60,
        .id = 77,
        .more_fragments = more,
        .fragment_offset_bytes = (uint32_t)start,
        .payload = {rig_pattern(65536).data + start, len},
    };
}

static enum drop add(struct reassembly *r, struct ipv4_packet f, bool *complete)
{
    struct ipv4_packet whole;

    return reassembly_add(r, &f, NOW_US, &whole, complete);
}

static void assert_held(struct reassembly *r, struct ipv4_packet f)
{
    bool complete;

    ck_assert_int_eq(add(r, f, &complete), DROP_NOT);
    ck_assert(!complete);
}

static void assert_completes(struct reassembly *r, struct ipv4_packet f, size_t len)
{
    struct ipv4_packet whole;
    bool complete;

    ck_assert_int_eq(reassembly_add(r, &f, NOW_US, &whole, &complete), DROP_NOT);
    ck_assert(complete);
    ck_assert(!whole.more_fragments);
    ck_assert_uint_eq(whole.fragment_offset_bytes, 0);
    rig_assert_bytes(whole.payload, rig_pattern(len));
}

START_TEST(fragments_in_any_order_give_the_datagram) /* RFC 791 3.2; all 24 orders of 4 pieces */
{
    struct reassembly *r = reassembly_new(MAX_BYTES, TIMEOUT_US);
    int left[4] = {0, 1, 2, 3}, code = _i;

    for (int count = 4; count > 0; count--) {
        int pick = code % count, piece = left[pick];
        code /= count;
        left[pick] = left[count - 1];
        struct ipv4_packet f = fragment((size_t)piece * 16, piece == 3 ? 5 : 16, piece != 3);
        if (count > 1)
            assert_held(r, f);
        else
            assert_completes(r, f, 53);
    }
    ck_assert(!reassembly_discard_oldest(r)); /* nothing stays behind */
    ck_assert_uint_eq(reassembly_used_bytes(r), 0);
    reassembly_free(r);
}
END_TEST

START_TEST(the_longest_datagram_is_put_together) /* 65515 bytes behind a header of 20 */
{
    struct reassembly *r = reassembly_new(256 * 1024, TIMEOUT_US);

    for (size_t at = 0; at + 1480 < 65515; at += 1480)
        assert_held(r, fragment(at, 1480, true));
    assert_completes(r, fragment(44 * 1480, 65515 - 44 * 1480, false), 65515);
    reassembly_free(r);
}
END_TEST

START_TEST(an_exact_copy_of_a_fragment_is_discarded_alone) /* RFC 8200 4.5 */
{
    struct reassembly *r = reassembly_new(MAX_BYTES, TIMEOUT_US);
    bool complete;

    assert_held(r, fragment(0, 16, true));
    ck_assert_int_eq(add(r, fragment(0, 16, true), &complete), DROP_FRAGMENT_OVERLAP);
    assert_completes(r, fragment(16, 16, false), 32);
    reassembly_free(r);
}
END_TEST

/* Held: [16, 48), and the whole datagram would be [0, 64). Each of these touches it. */
static const struct {
    size_t start, len;
    bool more;
} overlaps[] = {
    {0, 24, true},  /* over its beginning */
    {40, 16, true}, /* over its end */
    {24, 8, true},  /* inside */
    {0, 64, true},  /* around */
    {16, 8, true},  /* same start, shorter */
    {16, 40, true}, /* same start, longer */
    {0, 24, false}, /* says that the datagram ends inside it */
    {0, 16, false}, /* says that it ends before it */
};

START_TEST(an_overlap_discards_the_datagram_and_what_follows_of_it) /* RFC 5722 (4) */
{
    struct reassembly *r = reassembly_new(MAX_BYTES, TIMEOUT_US);
    struct ipv4_packet first;
    bool complete;

    assert_held(r, fragment(16, 32, true));
    ck_assert_int_eq(
        add(r, fragment(overlaps[_i].start, overlaps[_i].len, overlaps[_i].more), &complete),
        DROP_FRAGMENT_OVERLAP);
    ck_assert_int_eq(add(r, fragment(0, 16, true), &complete), DROP_FRAGMENT_OVERLAP);
    ck_assert_int_eq(add(r, fragment(16, 32, true), &complete), DROP_FRAGMENT_OVERLAP);
    ck_assert_int_eq(add(r, fragment(48, 16, false), &complete), DROP_FRAGMENT_OVERLAP);
    ck_assert(!complete);
    /* Its end is not told a second time, and then the ID is free again. */
    ck_assert(!reassembly_expire(r, NOW_US + TIMEOUT_US, &first));
    ck_assert_uint_eq(reassembly_used_bytes(r), 0);
    assert_held(r, fragment(0, 16, true));
    assert_completes(r, fragment(16, 16, false), 32);
    reassembly_free(r);
}
END_TEST

START_TEST(a_copy_with_other_bytes_is_an_overlap)
{
    struct reassembly *r = reassembly_new(MAX_BYTES, TIMEOUT_US);
    struct ipv4_packet forged = fragment(0, 16, true);
    bool complete;

    assert_held(r, fragment(0, 16, true));
    forged.payload = rig_pattern(65536);
    forged.payload = bytes_first(bytes_skip(forged.payload, 1), 16);
    ck_assert_int_eq(add(r, forged, &complete), DROP_FRAGMENT_OVERLAP);
    ck_assert_int_eq(add(r, fragment(16, 16, false), &complete), DROP_FRAGMENT_OVERLAP);
    ck_assert(!complete);
    reassembly_free(r);
}
END_TEST

START_TEST(a_second_end_discards_the_datagram)
{
    struct reassembly *r = reassembly_new(MAX_BYTES, TIMEOUT_US);
    bool complete;

    assert_held(r, fragment(32, 8, false));
    ck_assert_int_eq(add(r, fragment(40, 8, _i), &complete), DROP_FRAGMENT_OVERLAP);
    ck_assert_int_eq(add(r, fragment(0, 32, true), &complete), DROP_FRAGMENT_OVERLAP);
    reassembly_free(r);
}
END_TEST

static const struct {
    size_t start, len;
    bool more;
} malformed[] = {
    {0, 0, true},      {8, 0, false},    {0, 12, true},
    {65512, 8, false}, {65528, 8, true}, {65504, 16, true},
};

START_TEST(impossible_lengths_are_refused_and_leave_the_datagram_alone)
{
    struct reassembly *r = reassembly_new(MAX_BYTES, TIMEOUT_US);
    bool complete;

    assert_held(r, fragment(0, 16, true));
    ck_assert_int_eq(
        add(r, fragment(malformed[_i].start, malformed[_i].len, malformed[_i].more), &complete),
        DROP_FRAGMENT_MALFORMED);
    assert_completes(r, fragment(16, 3, false), 19);
    reassembly_free(r);
}
END_TEST

START_TEST(fragments_of_different_datagrams_are_not_mixed) /* RFC 791 3.2: four fields name one */
{
    struct reassembly *r = reassembly_new(MAX_BYTES, TIMEOUT_US);
    struct ipv4_packet other = fragment(16, 16, false);

    if (_i == 0)
        other.id++;
    else if (_i == 1)
        other.protocol = IP_PROTOCOL_ICMP;
    else if (_i == 2)
        other.src = rig_addr("192.0.2.9");
    else
        other.dst = rig_addr("10.0.0.9");
    assert_held(r, fragment(0, 16, true));
    assert_held(r, other);
    assert_completes(r, fragment(16, 16, false), 32);
    reassembly_free(r);
}
END_TEST

START_TEST(the_header_is_that_of_the_first_fragment)
{
    struct reassembly *r = reassembly_new(MAX_BYTES, TIMEOUT_US);
    struct ipv4_packet first = fragment(0, 16, true), last = fragment(16, 16, false), whole;
    uint8_t options[] = {1, 1, 1, 0};
    bool complete;

    first.ttl = 7;
    first.tos = 0xb8;
    first.options = (struct bytes){options, sizeof options};
    ck_assert_int_eq(reassembly_add(r, &last, NOW_US, &whole, &complete), DROP_NOT);
    ck_assert_int_eq(reassembly_add(r, &first, NOW_US, &whole, &complete), DROP_NOT);
    ck_assert(complete);
    ck_assert_uint_eq(whole.ttl, 7);
    ck_assert_uint_eq(whole.tos, 0xb8);
    ck_assert_uint_eq(whole.id, 77);
    rig_assert_bytes(whole.options, (struct bytes){options, sizeof options});
    reassembly_free(r);
}
END_TEST

START_TEST(congestion_experienced_by_one_fragment_marks_the_datagram) /* RFC 3168 5.3 */
{
    struct reassembly *r = reassembly_new(MAX_BYTES, TIMEOUT_US);
    struct ipv4_packet first = fragment(0, 16, true), last = fragment(16, 16, false), whole;
    bool complete;

    first.tos = 2;
    last.tos = 3;
    ck_assert_int_eq(reassembly_add(r, &first, NOW_US, &whole, &complete), DROP_NOT);
    ck_assert_int_eq(reassembly_add(r, &last, NOW_US, &whole, &complete), DROP_NOT);
    ck_assert(complete);
    ck_assert_uint_eq(whole.tos, 3);
    reassembly_free(r);
}
END_TEST

START_TEST(a_later_fragment_does_not_move_the_deadline) /* RFC 1122 3.3.2 */
{
    struct reassembly *r = reassembly_new(MAX_BYTES, TIMEOUT_US);
    struct ipv4_packet f = fragment(16, 16, true), whole, first;
    bool complete;

    assert_held(r, fragment(0, 16, true));
    ck_assert_int_eq(reassembly_add(r, &f, NOW_US + TIMEOUT_US - 1, &whole, &complete), DROP_NOT);
    ck_assert_uint_eq(reassembly_next_deadline_us(r), NOW_US + TIMEOUT_US);
    ck_assert(!reassembly_expire(r, NOW_US + TIMEOUT_US - 1, &first));
    ck_assert(reassembly_expire(r, NOW_US + TIMEOUT_US, &first));
    rig_assert_bytes(first.payload, rig_pattern(16));
    ck_assert(first.more_fragments);
    ck_assert(!reassembly_expire(r, NOW_US + TIMEOUT_US, &first));
    ck_assert_uint_eq(reassembly_next_deadline_us(r), UINT64_MAX);
    ck_assert_uint_eq(reassembly_used_bytes(r), 0);
    reassembly_free(r);
}
END_TEST

START_TEST(expiry_without_the_first_fragment_says_so)
{
    struct reassembly *r = reassembly_new(MAX_BYTES, TIMEOUT_US);
    struct ipv4_packet first;

    assert_held(r, fragment(16, 16, true));
    ck_assert(reassembly_expire(r, NOW_US + TIMEOUT_US, &first));
    ck_assert_uint_eq(first.payload.len, 0);
    reassembly_free(r);
}
END_TEST

START_TEST(a_flood_stays_within_the_memory) /* whatever the size of the pieces */
{
    struct reassembly *r = reassembly_new(MAX_BYTES, TIMEOUT_US);
    size_t sizes[] = {8, 64, 1480};
    unsigned refused_count = 0;
    bool complete;

    for (unsigned i = 0; i < 20000; i++) {
        /* Every other piece of one datagram, or the beginnings of many. */
        struct ipv4_packet f = fragment(_i < 3 ? i * 16 % 65000 / 8 * 8 : 0, sizes[_i % 3], true);
        f.id = (uint16_t)(_i < 3 ? i / 4000 : i);
        refused_count += add(r, f, &complete) == DROP_FRAGMENT_MEMORY;
        ck_assert_uint_le(reassembly_used_bytes(r), MAX_BYTES);
    }
    ck_assert_uint_gt(reassembly_used_bytes(r), 0);
    if (_i >= 3 || _i == 0)
        ck_assert_uint_gt(refused_count, 0);
    reassembly_free(r);
}
END_TEST

START_TEST(no_more_datagrams_than_the_limit_are_under_way)
{
    struct reassembly *r = reassembly_new(1024 * 1024, TIMEOUT_US);
    struct ipv4_packet f = fragment(0, 8, true);
    bool complete;

    for (f.id = 0; f.id < REASSEMBLY_DATAGRAMS_MAX; f.id++)
        assert_held(r, f);
    ck_assert_int_eq(add(r, f, &complete), DROP_FRAGMENT_MEMORY);
    ck_assert(reassembly_discard_oldest(r));
    assert_held(r, f);
    reassembly_free(r);
}
END_TEST

START_TEST(a_refused_fragment_may_be_offered_again)
{
    struct reassembly *r = reassembly_new(4096, TIMEOUT_US);
    struct ipv4_packet hog = fragment(0, 3000, true);
    bool complete;

    hog.id = 1;
    assert_held(r, hog);
    assert_held(r, fragment(0, 16, true));
    ck_assert_int_eq(add(r, fragment(16, 1480, false), &complete), DROP_FRAGMENT_MEMORY);
    ck_assert(reassembly_discard_oldest(r));
    assert_completes(r, fragment(16, 1480, false), 1496);
    reassembly_free(r);
}
END_TEST

START_TEST(random_fragments_complete_only_what_was_sent) /* the seed is the test's number */
{
    struct rig rig = {.random_state = (uint64_t)_i};
    struct reassembly *r = reassembly_new(16 * 1024, TIMEOUT_US);
    struct ipv4_packet whole;
    unsigned complete_count = 0;

    for (uint64_t step = 0; step < 5000; step++) {
        uint64_t dice = rig_random(&rig);
        size_t start = (dice & 7) * 16, len = (dice >> 8) % 10 > 0 ? 16 : (dice >> 16) & 63;
        struct ipv4_packet f = fragment(start, len, start < 112);
        f.id = (uint16_t)((dice >> 32) & 3);
        bool complete;
        enum drop drop = reassembly_add(r, &f, step * 100000, &whole, &complete);
        ck_assert(drop == DROP_NOT || !complete);
        if (complete) {
            complete_count++;
            rig_assert_bytes(whole.payload, rig_pattern(whole.payload.len));
        }
        while (reassembly_expire(r, step * 100000, &whole))
            ;
        ck_assert_uint_le(reassembly_used_bytes(r), 16 * 1024);
    }
    ck_assert_uint_gt(complete_count, 0);
    reassembly_free(r);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, fragments_in_any_order_give_the_datagram, 0, 24);
    tcase_add_test(tc, the_longest_datagram_is_put_together);
    tcase_add_test(tc, an_exact_copy_of_a_fragment_is_discarded_alone);
    tcase_add_loop_test(tc, an_overlap_discards_the_datagram_and_what_follows_of_it, 0,
                        sizeof overlaps / sizeof *overlaps);
    tcase_add_test(tc, a_copy_with_other_bytes_is_an_overlap);
    tcase_add_loop_test(tc, a_second_end_discards_the_datagram, 0, 2);
    tcase_add_loop_test(tc, impossible_lengths_are_refused_and_leave_the_datagram_alone, 0,
                        sizeof malformed / sizeof *malformed);
    tcase_add_loop_test(tc, fragments_of_different_datagrams_are_not_mixed, 0, 4);
    tcase_add_test(tc, the_header_is_that_of_the_first_fragment);
    tcase_add_test(tc, congestion_experienced_by_one_fragment_marks_the_datagram);
    tcase_add_test(tc, a_later_fragment_does_not_move_the_deadline);
    tcase_add_test(tc, expiry_without_the_first_fragment_says_so);
    tcase_add_loop_test(tc, a_flood_stays_within_the_memory, 0, 6);
    tcase_add_test(tc, no_more_datagrams_than_the_limit_are_under_way);
    tcase_add_test(tc, a_refused_fragment_may_be_offered_again);
    tcase_add_loop_test(tc, random_fragments_complete_only_what_was_sent, 0, 20);
}

int main(void)
{
    return unit_main("ip/reassembly", tests);
}
