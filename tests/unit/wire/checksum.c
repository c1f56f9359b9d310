/* The Internet checksum against a plain 16-bit reference, RFC 1071. */
#include "../../../stack/wire/checksum.h"

#include "wire.h"

/* RFC 1071 4.1, word by word over one run of bytes. */
static uint16_t reference(const uint8_t *data, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i++)
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

START_TEST(the_example_of_the_rfc_gives_its_sum) /* RFC 1071 section 3 */
{
    const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    struct checksum sum = {0};

    checksum_add(&sum, (struct bytes){example, sizeof example});
    ck_assert_uint_eq(checksum_fold(&sum), 0xddf2);
    ck_assert_uint_eq(checksum_finish(&sum), (uint16_t)~0xddf2);
}
END_TEST

START_TEST(spans_of_any_length_sum_as_if_they_were_one)
{
    uint64_t random = 7;
    uint8_t data[700];

    for (int round = 0; round < 5000; round++) {
        size_t len = next_random(&random) % sizeof data, at = 0;
        for (size_t i = 0; i < len; i++)
            data[i] = (uint8_t)next_random(&random);
        struct checksum sum = {0};
        while (at < len) {
            size_t span = 1 + next_random(&random) % (len - at);
            checksum_add(&sum, (struct bytes){data + at, span});
            at += span;
        }
        ck_assert_uint_eq(checksum_finish(&sum), reference(data, len));
    }
}
END_TEST

START_TEST(a_full_packet_of_ones_does_not_overflow)
{
    static uint8_t data[65535];
    struct checksum sum = {0};

    memset(data, 0xff, sizeof data);
    checksum_add(&sum, (struct bytes){data, sizeof data});
    ck_assert_uint_eq(checksum_finish(&sum), reference(data, sizeof data));
}
END_TEST

START_TEST(the_pseudo_header_is_addresses_protocol_and_length) /* 9293 3.1 */
{
    struct ip_addr src = ip_addr_from_v4(0x0a000002), dst = ip_addr_from_v4(0x8efac48e);
    const uint8_t pseudo[] = {10, 0, 0, 2, 142, 250, 196, 142, 0, 6, 0x01, 0x02};
    struct checksum sum = {0};

    checksum_add_pseudo(&sum, &src, &dst, 6, 0x0102);
    ck_assert_uint_eq(checksum_finish(&sum), reference(pseudo, sizeof pseudo));
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, the_example_of_the_rfc_gives_its_sum);
    tcase_add_test(tc, spans_of_any_length_sum_as_if_they_were_one);
    tcase_add_test(tc, a_full_packet_of_ones_does_not_overflow);
    tcase_add_test(tc, the_pseudo_header_is_addresses_protocol_and_length);
}

int main(void)
{
    return unit_main("wire/checksum", tests);
}
