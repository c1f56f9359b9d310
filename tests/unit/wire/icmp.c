/* ICMP messages, RFC 792. */
#include "../../../stack/wire/icmp.h"

#include "wire.h"

static const struct icmp_message examples[] = {
    {.type = ICMP_ECHO_REQUEST, .echo_id = 7, .echo_seq = 0x1ff},
    {.type = ICMP_ECHO_REPLY, .echo_id = 0xffff, .echo_seq = 1},
    {.type = ICMP_UNREACHABLE, .code = ICMP_UNREACHABLE_FRAGMENTATION, .next_hop_mtu = 576},
    {.type = ICMP_UNREACHABLE, .code = ICMP_UNREACHABLE_PORT},
    {.type = ICMP_TIME_EXCEEDED, .code = ICMP_TIME_EXCEEDED_REASSEMBLY},
    {.type = ICMP_PARAMETER_PROBLEM, .pointer = 20},
};
enum { EXAMPLE_COUNT = sizeof examples / sizeof *examples };

static size_t message_of(int i, uint8_t *packet, size_t room)
{
    static const uint8_t body[] = "body of odd length";
    struct icmp_message icmp = examples[i];

    icmp.body = (struct bytes){body, sizeof body};
    return icmp_emit(&icmp, packet, room);
}

START_TEST(what_is_emitted_parses_to_the_same)
{
    uint8_t packet[100];
    size_t len = message_of(_i, packet, sizeof packet);
    struct icmp_message icmp;

    ck_assert_int_eq(icmp_parse((struct bytes){packet, len}, false, &icmp), DROP_NOT);
    ck_assert_uint_eq(icmp.type, examples[_i].type);
    ck_assert_uint_eq(icmp.code, examples[_i].code);
    ck_assert_uint_eq(icmp.echo_id, examples[_i].echo_id);
    ck_assert_uint_eq(icmp.echo_seq, examples[_i].echo_seq);
    ck_assert_uint_eq(icmp.next_hop_mtu, examples[_i].next_hop_mtu);
    ck_assert_uint_eq(icmp.pointer, examples[_i].pointer);
    ck_assert_str_eq((const char *)icmp.body.data, "body of odd length");
}
END_TEST

static bool parses(struct bytes prefix)
{
    struct icmp_message icmp;

    return icmp_parse(prefix, false, &icmp) == DROP_NOT;
}

START_TEST(no_prefix_of_a_message_is_a_message)
{
    uint8_t packet[100];
    size_t len = message_of(0, packet, sizeof packet);

    /* The one that lacks only the body's final zero byte has the same sum. */
    ck_assert_uint_eq(accepted_prefixes((struct bytes){packet, len}, parses), 1);
}
END_TEST

START_TEST(a_flipped_bit_is_noticed)
{
    uint8_t packet[100];
    size_t len = message_of(0, packet, sizeof packet);
    struct icmp_message icmp;

    for (size_t bit = 0; bit < len * 8; bit++) {
        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_int_eq(icmp_parse((struct bytes){packet, len}, false, &icmp), DROP_ICMP_CHECKSUM);
        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}
END_TEST

START_TEST(a_message_that_does_not_fit_is_not_emitted)
{
    uint8_t packet[100];

    ck_assert_uint_eq(message_of(0, packet, ICMP_HEADER_BYTES + 18), 0);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, what_is_emitted_parses_to_the_same, 0, EXAMPLE_COUNT);
    tcase_add_test(tc, no_prefix_of_a_message_is_a_message);
    tcase_add_test(tc, a_flipped_bit_is_noticed);
    tcase_add_test(tc, a_message_that_does_not_fit_is_not_emitted);
}

int main(void)
{
    return unit_main("wire/icmp", tests);
}
