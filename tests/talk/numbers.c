/* Numbers that nobody shall guess: initial sequence numbers (RFC 6528, RFC 9293 3.4.1), ephemeral
 * ports (RFC 6056) and timestamp offsets (RFC 7323 5.4). Here the stack makes its own choice. */
#include "talk.h"

/* What a SYN that has just been sent says. */
struct syn {
    uint16_t port;
    uint32_t iss, tsval;
};

static struct syn open_and_abort(struct talk *t, uint16_t local_port, uint16_t remote_port)
{
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);
    struct tcb *tcb = tcp_open_active(t->stack, NULL, local_port, &peer, remote_port, NULL, NULL);
    struct syn syn;

    ck_assert_ptr_nonnull(tcb);
    talk_pull(t);
    ck_assert_uint_eq(t->sent_count, 1);
    const uint8_t *tcp = t->sent[t->sent_first].bytes + 20;
    syn.port = (uint16_t)(tcp[0] << 8 | tcp[1]);
    syn.iss = (uint32_t)tcp[4] << 24 | (uint32_t)tcp[5] << 16 | (uint32_t)tcp[6] << 8 | tcp[7];
    syn.tsval = 0;
    for (unsigned at = 20; at + 10 <= (unsigned)(tcp[12] >> 4) * 4; at++)
        if (tcp[at] == TCP_OPTION_TIMESTAMPS && tcp[at + 1] == 10) {
            const uint8_t *value = tcp + at + 2;
            syn.tsval = (uint32_t)value[0] << 24 | (uint32_t)value[1] << 16 |
                        (uint32_t)value[2] << 8 | value[3];
            break;
        }
    t->sent_count = t->sent_first = 0;
    tcp_abort(tcb);
    return syn;
}

static struct talk *with_own_numbers(void)
{
    struct talk *t = talk_new(NULL);

    t->numbers_are_random = true;
    return t;
}

/* MUST-8, SHLD-1: M, a clock of 4 microseconds. */
START_TEST(isn_of_a_four_tuple_grows_by_one_every_four_microseconds)
{
    struct talk *t = with_own_numbers();
    struct syn first = open_and_abort(t, 1234, 80);

    time_passes_us(t, 4);
    ck_assert_uint_eq(open_and_abort(t, 1234, 80).iss - first.iss, 1);
    time_passes_ms(t, 1000);
    ck_assert_uint_eq(open_and_abort(t, 1234, 80).iss - first.iss, 250001);
    talk_free(t);
}
END_TEST

/* F: what one connection shows tells nothing of another's: MUST-9, SHLD-1. */
START_TEST(isns_of_other_four_tuples_are_unrelated)
{
    struct talk *t = with_own_numbers();
    uint32_t iss = open_and_abort(t, 1234, 80).iss;
    unsigned near = 0;

    for (uint16_t i = 1; i <= 50; i++) {
        uint32_t by_local = open_and_abort(t, (uint16_t)(1234 + i), 80).iss - iss;
        uint32_t by_remote = open_and_abort(t, 1234, (uint16_t)(80 + i)).iss - iss;
        t->peer_addr++;
        uint32_t by_address = open_and_abort(t, 1234, 80).iss - iss;
        near += (unsigned)((by_local + 0x100000 < 0x200000) + (by_remote + 0x100000 < 0x200000) +
                           (by_address + 0x100000 < 0x200000));
    }
    ck_assert_uint_le(near, 1); /* 150 draws, one in 2048 of them near by chance */
    talk_free(t);
}
END_TEST

/* MUST-9: the secret is the stack's own. */
START_TEST(isn_depends_on_the_secret)
{
    struct talk *t = with_own_numbers();
    struct stack *own = t->stack;
    uint32_t iss = open_and_abort(t, 1234, 80).iss;
    struct stack_config config = *stack_config(own); /* the same, but later in the random numbers */

    t->stack = stack_new(&config, t->now_us);
    ck_assert_uint_ne(open_and_abort(t, 1234, 80).iss, iss);
    stack_free(t->stack);
    t->stack = own;
    talk_free(t);
}
END_TEST

/* RFC 6056 3.2: from 49152 to 65535, and not one after the other for all the world to see. */
START_TEST(ephemeral_ports_are_from_the_dynamic_range)
{
    struct talk *t = with_own_numbers();
    uint16_t lowest = UINT16_MAX, highest = 0;

    for (uint16_t remote = 1; remote <= 300; remote++) {
        uint16_t port = open_and_abort(t, 0, remote).port;
        ck_assert_uint_ge(port, 49152);
        lowest = port < lowest ? port : lowest;
        highest = port > highest ? port : highest;
    }
    ck_assert_int_gt(highest - lowest, 12000); /* of 16384 */
    talk_free(t);
}
END_TEST

/* RFC 6056 2.2: no four-tuple twice, however many there are. */
START_TEST(ephemeral_port_is_never_one_in_use)
{
    struct talk *t = with_own_numbers();
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);
    bool *is_used = calloc(65536, sizeof *is_used);

    for (unsigned i = 0; i < 3000; i++) {
        struct tcb *tcb = tcp_open_active(t->stack, NULL, 0, &peer, 80, NULL, NULL);
        struct tcp_status status;
        ck_assert_ptr_nonnull(tcb);
        tcp_status(tcb, &status);
        ck_assert(!is_used[status.flow.local_port]);
        is_used[status.flow.local_port] = true;
    }
    free(is_used);
    for (unsigned i = 0; i < 3000; i += 300) { /* more than the list of segments holds at once */
        struct packet_out out;
        for (int j = 0; j < 300; j++)
            ck_assert(stack_output(t->stack, &out, t->now_us));
    }
    talk_free(t);
}
END_TEST

/* RFC 6056 3.3.3: the search goes on until a free one is found, also past ports that others chose.
 */
START_TEST(last_free_port_is_found)
{
    struct stack_config config = talk_config();
    struct tcp_status status;

    config.connections_max = 20000;
    struct talk *t = talk_new(&config);
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);
    t->numbers_are_random = true;
    for (unsigned port = 49152; port < 65536; port++)
        if (port != 60000)
            ck_assert_ptr_nonnull(
                tcp_open_active(t->stack, NULL, (uint16_t)port, &peer, 80, NULL, NULL));
    struct tcb *tcb = tcp_open_active(t->stack, NULL, 0, &peer, 80, NULL, NULL);
    ck_assert_ptr_nonnull(tcb);
    tcp_status(tcb, &status);
    ck_assert_uint_eq(status.flow.local_port, 60000);
    for (struct packet_out out; stack_output(t->stack, &out, t->now_us);)
        continue;
    talk_free(t);
}
END_TEST

/* When every port is taken OPEN says so; it does not search for ever. */
START_TEST(exhausted_ports_are_reported)
{
    struct stack_config config = talk_config();
    enum tcp_err error = TCP_OK;
    struct packet_out out;

    config.connections_max = 20000;
    struct talk *t = talk_new(&config);
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);
    t->numbers_are_random = true;
    for (unsigned i = 0; i < 16384; i++)
        ck_assert_ptr_nonnull(tcp_open_active(t->stack, NULL, 0, &peer, 80, NULL, &error));
    ck_assert_ptr_null(tcp_open_active(t->stack, NULL, 0, &peer, 80, NULL, &error));
    ck_assert_int_eq(error, TCP_ERR_EXISTS);
    while (stack_output(t->stack, &out, t->now_us))
        continue;
    ck_assert_ptr_nonnull(tcp_open_active(t->stack, NULL, 0, &peer, 81, NULL, &error));
    while (stack_output(t->stack, &out, t->now_us))
        continue;
    talk_free(t);
}
END_TEST

/* RFC 7323 5.4: the clock of one connection says nothing of the host's, nor of another's. */
START_TEST(timestamp_offset_is_a_connections_own)
{
    struct talk *t = with_own_numbers();
    uint32_t first = open_and_abort(t, 1234, 80).tsval;
    uint32_t second = open_and_abort(t, 1235, 80).tsval;

    ck_assert_uint_ne(first, (uint32_t)(t->now_us / 1000));
    ck_assert_uint_ne(first, second);
    time_passes_ms(t, 7);
    ck_assert_uint_eq(open_and_abort(t, 1234, 80).tsval - first, 7); /* but goes on for the same */
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, isn_of_a_four_tuple_grows_by_one_every_four_microseconds);
    tcase_add_test(tc, isns_of_other_four_tuples_are_unrelated);
    tcase_add_test(tc, isn_depends_on_the_secret);
    tcase_add_test(tc, ephemeral_ports_are_from_the_dynamic_range);
    tcase_add_test(tc, ephemeral_port_is_never_one_in_use);
    tcase_add_test(tc, last_free_port_is_found);
    tcase_add_test(tc, exhausted_ports_are_reported);
    tcase_add_test(tc, timestamp_offset_is_a_connections_own);
}

int main(void)
{
    return unit_main("numbers", tests);
}
