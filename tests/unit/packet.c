/* A packet out as one run of bytes. */
#include "../../stack/packet.h"

#include "unit.h"

START_TEST(header_and_spans_are_joined)
{
    const uint8_t one[] = {4, 5}, two[] = {6};
    struct packet_out out = {
        .header = {1, 2, 3}, .header_bytes = 3, .payload = {{one, 2}, {two, 1}}};
    uint8_t memory[6];

    ck_assert_uint_eq(packet_out_bytes(&out), 6);
    ck_assert_uint_eq(packet_out_copy(&out, memory, sizeof memory), 6);
    ck_assert_mem_eq(memory, ((const uint8_t[]){1, 2, 3, 4, 5, 6}), 6);
    ck_assert_uint_eq(packet_out_copy(&out, memory, 5), 0);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, header_and_spans_are_joined);
}

int main(void)
{
    return unit_main("packet", tests);
}
