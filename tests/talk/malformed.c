/* Segments whose header lies about itself, in every state. What is well formed has matrix.c. */
#include "talk.h"

/* MUST-3, MUST-7, and headers that lie about themselves: not even an ACK, in no state. */
START_TEST(malformed_segment_changes_nothing_in_state_y)
{
    static const struct {
        const char *what;
        enum talk_lie lie;
        const char *options;
        enum drop drop;
    } lies[] = {
        {"a bad checksum", LIE_CHECKSUM, "", DROP_TCP_CHECKSUM},
        {"a data offset below 5", LIE_OFFSET_SHORT, "", DROP_TCP_TRUNCATED},
        {"a data offset beyond its end", LIE_OFFSET_BEYOND, "", DROP_TCP_TRUNCATED},
        {"half a header", LIE_TRUNCATED, "", DROP_COUNT},
        {"an option of length 0", (enum talk_lie)99, "<raw 30 0>", DROP_TCP_OPTION_LENGTH},
        {"an option of length 1", (enum talk_lie)99, "<raw 30 1>", DROP_TCP_OPTION_LENGTH},
        {"an option longer than the header", (enum talk_lie)99, "<raw 30 9 1 1>",
         DROP_TCP_OPTION_LENGTH},
    };
    enum { LIES = sizeof lies / sizeof lies[0], ALL = TCPS_COUNT };
    enum tcp_state state = (enum tcp_state)(_i % ALL);
    struct talk *t = talk_in_state(state);
    char title[160];

    ck_assert_int_lt(_i / ALL, LIES);
    snprintf(title, sizeof title, "peer sends %s in %s", lies[_i / ALL].what,
             tcp_state_name(state));
    t->title = title;
    /* A RST that would count if it were well formed. */
    enum drop drop =
        peer_lies(t, lies[_i / ALL].lie,
                  segment("R. %u:%u(0) ack %u win 65535 %s", talk_rcv_nxt(state),
                          talk_rcv_nxt(state), talk_snd_nxt(state), lies[_i / ALL].options));
    ck_assert_int_ne(drop, DROP_NOT);
    if (lies[_i / ALL].drop != DROP_COUNT && lies[_i / ALL].drop != drop)
        talk_fail(t, __FILE__, __LINE__, "dropped as: %s", drop_name(drop));
    we_send_nothing(t);
    state_is(t, state);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, malformed_segment_changes_nothing_in_state_y, 0, 7 * TCPS_COUNT);
}

int main(void)
{
    return unit_main("malformed", tests);
}
