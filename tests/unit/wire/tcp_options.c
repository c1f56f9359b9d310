/* TCP options: any order and alignment in, two exact layouts out. RFC 9293 3.2, RFC 7323, RFC 2018.
 */
#include "../../../stack/wire/tcp_options.h"

#include "wire.h"

static const struct tcp_options syn = {.has_mss = true,
                                       .mss = 1460,
                                       .has_window_scale = true,
                                       .window_scale = 6,
                                       .has_timestamps = true,
                                       .tsval = 0x11223344,
                                       .tsecr = 0x55667788,
                                       .sack_permitted = true};

START_TEST(a_macos_syn_has_its_exact_bytes) /* MUST-69 */
{
    static const uint8_t expected[] = {2,    4,    0x05, 0xb4, 1,    3,    3,    6,    1, 1, 8, 10,
                                       0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 4, 2, 0, 0};
    uint8_t bytes[TCP_OPTIONS_MAX_BYTES];

    ck_assert_uint_eq(tcp_options_emit(&syn, TCP_SYN_STYLE_MACOS, bytes), sizeof expected);
    ck_assert_mem_eq(bytes, expected, sizeof expected);
}
END_TEST

START_TEST(a_linux_syn_has_its_exact_bytes)
{
    static const uint8_t expected[] = {2,    4,    0x05, 0xb4, 4,    2,    8, 10, 0x11, 0x22,
                                       0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 1, 3,  3,    6};
    uint8_t bytes[TCP_OPTIONS_MAX_BYTES];

    ck_assert_uint_eq(tcp_options_emit(&syn, TCP_SYN_STYLE_LINUX, bytes), sizeof expected);
    ck_assert_mem_eq(bytes, expected, sizeof expected);
}
END_TEST

static void assert_equal(const struct tcp_options *a, const struct tcp_options *b)
{
    ck_assert(a->has_mss == b->has_mss && a->mss == b->mss);
    ck_assert(a->has_window_scale == b->has_window_scale && a->window_scale == b->window_scale);
    ck_assert(a->has_timestamps == b->has_timestamps && a->tsval == b->tsval &&
              a->tsecr == b->tsecr);
    ck_assert_uint_eq(a->user_timeout, b->user_timeout);
    ck_assert(a->sack_permitted == b->sack_permitted);
    ck_assert_uint_eq(a->sack_count, b->sack_count);
    for (unsigned i = 0; i < a->sack_count; i++)
        ck_assert(a->sack[i].left == b->sack[i].left && a->sack[i].right == b->sack[i].right);
}

/* Where the list ends, at the latest where the bytes do, only zeros follow. */
static void assert_zero_padding(const uint8_t *bytes, size_t len)
{
    size_t at = 0;

    while (at < len && bytes[at] != TCP_OPTION_EOL)
        at += bytes[at] == TCP_OPTION_NOP ? 1 : bytes[at + 1];
    ck_assert_uint_le(at, len);
    for (; at < len; at++)
        ck_assert_uint_eq(bytes[at], 0);
}

START_TEST(every_combination_survives_both_layouts) /* MUST-69: and the padding is zero */
{
    uint8_t bytes[TCP_OPTIONS_MAX_BYTES];
    struct tcp_options again;

    memset(bytes, 0xff, sizeof bytes);
    for (unsigned bits = 0; bits < 64; bits++) {
        struct tcp_options options = {0};
        if (bits & 1)
            options.has_mss = true, options.mss = 1400;
        if (bits & 2)
            options.has_window_scale = true, options.window_scale = 14;
        if (bits & 4)
            options.has_timestamps = true, options.tsval = 7, options.tsecr = 9;
        options.sack_permitted = (bits & 8) != 0;
        options.user_timeout = bits & 32 ? 0x8384 : 0;
        enum tcp_syn_style style = bits & 16 ? TCP_SYN_STYLE_LINUX : TCP_SYN_STYLE_MACOS;
        size_t len = tcp_options_emit(&options, style, bytes);
        ck_assert_uint_eq(len % 4, 0);
        assert_zero_padding(bytes, len);
        ck_assert_uint_eq(len, tcp_options_bytes(&options, style));
        ck_assert_int_eq(tcp_options_parse((struct bytes){bytes, len}, &again), DROP_NOT);
        assert_equal(&options, &again);
    }
}
END_TEST

START_TEST(sack_blocks_that_do_not_fit_are_left_out) /* RFC 2018 section 3: 3 beside timestamps */
{
    struct tcp_options options = {.has_timestamps = true, .sack_count = 4}, again;
    uint8_t bytes[TCP_OPTIONS_MAX_BYTES];

    for (uint32_t i = 0; i < 4; i++)
        options.sack[i] = (struct tcp_sack_block){100 * i, 100 * i + 50};
    size_t len = tcp_options_emit(&options, TCP_SYN_STYLE_MACOS, bytes);
    ck_assert_int_eq(tcp_options_parse((struct bytes){bytes, len}, &again), DROP_NOT);
    ck_assert_uint_eq(again.sack_count, 3);
    options.has_timestamps = false;
    len = tcp_options_emit(&options, TCP_SYN_STYLE_MACOS, bytes);
    ck_assert_int_eq(tcp_options_parse((struct bytes){bytes, len}, &again), DROP_NOT);
    assert_equal(&options, &again);
}
END_TEST

START_TEST(a_user_timeout_has_its_exact_bytes) /* RFC 5482 (3.3) */
{
    static const uint8_t expected[] = {28, 4, 0x83, 0x84};
    struct tcp_options options = {.user_timeout = 0x8384};
    uint8_t bytes[TCP_OPTIONS_MAX_BYTES];

    ck_assert_uint_eq(tcp_options_emit(&options, TCP_SYN_STYLE_LINUX, bytes), sizeof expected);
    ck_assert_mem_eq(bytes, expected, sizeof expected);
}
END_TEST

/* Seconds up to 15 bits, then minutes, rounded up: a peer that waits longer does no harm. */
static const struct {
    uint64_t seconds, said_seconds;
    uint16_t field;
} user_timeouts[] = {
    {0, 1, 1},
    {1, 1, 1},
    {32767, 32767, 0x7fff},
    {32768, 32820, 0x8000 + 547},
    {32820, 32820, 0x8000 + 547},
    {1966020, 1966020, 0xffff},
    {UINT64_MAX, 1966020, 0xffff},
};

START_TEST(a_user_timeout_is_said_in_seconds_or_minutes) /* RFC 5482 (3.3) */
{
    uint16_t field = tcp_user_timeout_field(user_timeouts[_i].seconds);

    ck_assert_uint_eq(field, user_timeouts[_i].field);
    ck_assert_uint_eq(tcp_user_timeout_s(field), user_timeouts[_i].said_seconds);
}
END_TEST

START_TEST(a_reserved_user_timeout_counts_as_none) /* RFC 5482 (3.4) */
{
    static const uint8_t zeros[][4] = {{28, 4, 0, 0}, {28, 4, 0x80, 0}};
    struct tcp_options options;

    ck_assert_int_eq(tcp_options_parse((struct bytes){zeros[_i], 4}, &options), DROP_NOT);
    ck_assert_uint_eq(options.user_timeout, 0);
}
END_TEST

START_TEST(unknown_options_are_skipped_by_their_length) /* MUST-6, MUST-64, MUST-68 */
{
    static const uint8_t bytes[] = {254, 5, 9, 9, 9, 3, 3, 7, 34, 2, 2, 4, 2, 0};
    struct tcp_options options;

    ck_assert_int_eq(tcp_options_parse((struct bytes){bytes, sizeof bytes}, &options), DROP_NOT);
    ck_assert(options.has_window_scale && options.window_scale == 7);
    ck_assert(options.has_mss && options.mss == 512);
}
END_TEST

START_TEST(nothing_behind_the_end_of_the_list_counts) /* MUST-4 */
{
    static const uint8_t bytes[] = {1, 0, 2, 4, 2, 0, 3, 0};
    struct tcp_options options;

    ck_assert_int_eq(tcp_options_parse((struct bytes){bytes, sizeof bytes}, &options), DROP_NOT);
    ck_assert(!options.has_mss);
}
END_TEST

static const uint8_t illegal[][4] = {
    {2, 0, 0, 0}, {2, 1, 0, 0}, {8, 10, 0, 0}, {254, 5, 0, 0}, {1, 1, 1, 2}};

START_TEST(an_illegal_length_is_an_error) /* MUST-7 */
{
    struct tcp_options options;

    ck_assert_int_eq(tcp_options_parse((struct bytes){illegal[_i], 4}, &options),
                     DROP_TCP_OPTION_LENGTH);
}
END_TEST

START_TEST(a_known_option_of_a_wrong_size_is_as_good_as_unknown)
{
    static const uint8_t bytes[] = {2, 3, 9, 3, 4, 9, 9, 4, 3, 9, 8, 4, 9, 9, 5, 5, 9, 9, 9, 1};
    struct tcp_options options;

    ck_assert_int_eq(tcp_options_parse((struct bytes){bytes, sizeof bytes}, &options), DROP_NOT);
    assert_equal(&options, &(struct tcp_options){0});
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, a_macos_syn_has_its_exact_bytes);
    tcase_add_test(tc, a_linux_syn_has_its_exact_bytes);
    tcase_add_test(tc, every_combination_survives_both_layouts);
    tcase_add_test(tc, sack_blocks_that_do_not_fit_are_left_out);
    tcase_add_test(tc, a_user_timeout_has_its_exact_bytes);
    tcase_add_loop_test(tc, a_user_timeout_is_said_in_seconds_or_minutes, 0,
                        (int)(sizeof user_timeouts / sizeof *user_timeouts));
    tcase_add_loop_test(tc, a_reserved_user_timeout_counts_as_none, 0, 2);
    tcase_add_test(tc, unknown_options_are_skipped_by_their_length);
    tcase_add_test(tc, nothing_behind_the_end_of_the_list_counts);
    tcase_add_loop_test(tc, an_illegal_length_is_an_error, 0,
                        (int)(sizeof illegal / sizeof *illegal));
    tcase_add_test(tc, a_known_option_of_a_wrong_size_is_as_good_as_unknown);
}

int main(void)
{
    return unit_main("wire/tcp_options", tests);
}
