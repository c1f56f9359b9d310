/* PRR, RFC 9937: the sums, and what holds for any run of acknowledgments. */
#include "../unit.h"

#include "../../../stack/tcp/recovery/prr.h"

enum { MSS = 1000 };

START_TEST(proportion_rounds_up)
{
    struct prr prr;

    prr_start(&prr, 3 * MSS);
    uint32_t count = prr_on_ack(&prr, &(struct prr_ack){3 * MSS, 2 * MSS, MSS, 1, false});
    ck_assert_uint_eq(count, 1); /* CEIL(2 / 3) */
}
END_TEST

START_TEST(first_retransmission_is_never_held_back)
{
    struct prr prr;

    prr_start(&prr, 10 * MSS);
    uint32_t count = prr_on_ack(&prr, &(struct prr_ack){10 * MSS, 5 * MSS, MSS, 0, false});
    ck_assert_uint_eq(count, MSS);
    prr_on_sent(&prr, MSS);
    count = prr_on_ack(&prr, &(struct prr_ack){10 * MSS, 5 * MSS, MSS, 0, false});
    ck_assert_uint_eq(count, 0);
}
END_TEST

/* RFC 9937 6.2: the flight ends at ssthresh and never beyond what was delivered, plus one segment
 * for each safe acknowledgment. */
START_TEST(flight_comes_down_to_ssthresh_whatever_comes)
{
    uint32_t state = (uint32_t)_i + 1, flight = 40 * MSS, ssthresh = 20 * MSS;
    uint32_t pipe = flight, safe_count = 0;
    uint64_t delivered = 0;
    struct prr prr;

    prr_start(&prr, flight);
    pipe -= (uint32_t)_i % 30 * MSS; /* held to be lost at once */
    for (int round = 0; round < 200; round++) {
        state = state * 1664525 + 1013904223;
        uint32_t arrived = (state >> 8) % (2 * MSS);
        bool is_safe = (state >> 20) % 2 == 0;
        arrived = arrived < pipe ? arrived : pipe;
        pipe -= arrived;
        delivered += arrived;
        safe_count += is_safe;
        uint32_t count = prr_on_ack(&prr, &(struct prr_ack){pipe, ssthresh, MSS, arrived, is_safe});
        prr_on_sent(&prr, count);
        pipe += count;
        ck_assert_uint_le(prr.out, delivered + (uint64_t)(safe_count + 1) * MSS);
    }
    ck_assert_uint_le(pipe, ssthresh + MSS);
    ck_assert_uint_ge(pipe, ssthresh - 2 * MSS);
}
END_TEST

START_TEST(nothing_in_flight_at_the_beginning_divides_by_nothing)
{
    struct prr prr;

    prr_start(&prr, 0);
    prr_on_ack(&prr, &(struct prr_ack){2 * MSS, MSS, MSS, MSS, false});
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, proportion_rounds_up);
    tcase_add_test(tc, first_retransmission_is_never_held_back);
    tcase_add_loop_test(tc, flight_comes_down_to_ssthresh_whatever_comes, 0, 30);
    tcase_add_test(tc, nothing_in_flight_at_the_beginning_divides_by_nothing);
}

int main(void)
{
    return unit_main("prr", tests);
}
