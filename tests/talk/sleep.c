/* Idle connections asleep: what they cost, what wakes them, and that nobody notices. */
#include "talk.h"

#include <string.h>

#include "../../stack/tcp/tcb.h"

enum {
    SECOND_MS = 1000,
    IDLE_TCB_MAX_BYTES = 480, /* with what malloc() and the table add, below 512 */
};

static bool is_asleep(const struct talk *t)
{
    return t->tcb->work == NULL;
}

/* ESTABLISHED, 1,000 bytes exchanged each way, and asleep. */
static struct talk *asleep_with(struct stack_config config)
{
    struct talk *t = talk_new(&config);

    talk_establish(t, "mss 1460");
    app_writes(t, 1000);
    we_send(t, "P. 1:1001(1000) ack 1");
    time_passes_ms(t, 50);
    peer_sends(t, "P. 1:1001(1000) ack 1001");
    time_passes_ms(t, 100);
    we_send(t, ". 1001:1001(0) ack 1001");
    app_reads(t, 1000);
    ck_assert(!is_asleep(t));
    time_passes_ms(t, 9 * SECOND_MS);
    ck_assert(!is_asleep(t));
    time_passes_ms(t, 3 * SECOND_MS);
    ck_assert(is_asleep(t));
    return t;
}

static struct talk *asleep(void)
{
    return asleep_with(talk_config());
}

START_TEST(idle_connection_costs_its_tcb_alone)
{
    struct talk *t = asleep();

    ck_assert_uint_le(sizeof(struct tcb), IDLE_TCB_MAX_BYTES);
    ck_assert_uint_eq(stack_next_deadline_us(t->stack), NEVER); /* and no timer runs for it */
    talk_free(t);
}
END_TEST

START_TEST(text_of_the_peer_wakes_it)
{
    struct talk *t = asleep();

    peer_sends(t, "P. 1001:1501(500) ack 1001");
    ck_assert(!is_asleep(t));
    app_reads(t, 500);
    time_passes_ms(t, 100);
    we_send(t, ". 1001:1001(0) ack 1501");
    time_passes_ms(t, 12 * SECOND_MS);
    ck_assert(is_asleep(t));
    talk_free(t);
}
END_TEST

START_TEST(send_wakes_it)
{
    struct talk *t = asleep();

    app_writes(t, 500);
    we_send(t, "P. 1001:1501(500) ack 1001");
    ck_assert_uint_ge(time_until_we_send_us(t, SECOND_MS), 1); /* and recovery works */
    we_send(t, "P. 1001:1501(500) ack 1001");
    peer_sends(t, ". 1001:1001(0) ack 1501");
    talk_free(t);
}
END_TEST

START_TEST(reset_ends_it_in_its_sleep)
{
    struct talk *t = asleep();

    peer_sends(t, "R 1001:1001(0)");
    state_is(t, TCPS_CLOSED);
    ck_assert_int_eq(tcp_error(t->tcb), TCP_ERR_RESET);
    talk_free(t);
}
END_TEST

START_TEST(fin_wakes_it_and_half_closed_it_sleeps_again)
{
    struct talk *t = asleep();

    peer_sends(t, "F. 1001:1001(0) ack 1001");
    we_send(t, ". 1001:1001(0) ack 1002");
    state_is(t, TCPS_CLOSE_WAIT);
    time_passes_ms(t, 12 * SECOND_MS);
    ck_assert(is_asleep(t));
    uint8_t byte;
    ck_assert_int_eq(tcp_receive(t->tcb, &byte, 1), 0);
    ck_assert_uint_eq(tcp_receive_peek(t->tcb).len, 0);
    tcp_receive_consume(t->tcb, 1);
    ck_assert_int_eq(tcp_shutdown(t->tcb), TCP_OK);
    we_send(t, "F. 1001:1001(0) ack 1002");
    peer_sends(t, ". 1002:1002(0) ack 1002");
    state_is(t, TCPS_CLOSED);
    talk_free(t);
}
END_TEST

/* CLOSE (0) and ABORT (1). */
START_TEST(close_and_abort_wake_it)
{
    struct talk *t = asleep();

    if (_i == 0) {
        tcp_close(t->tcb);
        we_send(t, "F. 1001:1001(0) ack 1001");
    } else {
        tcp_abort(t->tcb);
        we_send(t, "R. 1001:1001(0) ack 1001");
    }
    t->tcb = NULL;
    talk_free(t);
}
END_TEST

START_TEST(keep_alive_wakes_it)
{
    struct stack_config config = talk_config();

    config.tcp.keepalive = true;
    config.tcp.keepalive_idle_us = 60 * SECOND_MS * 1000ull;
    struct talk *t = asleep_with(config);

    time_until_we_send_us(t, 100 * SECOND_MS);
    we_send(t, ". 1000:1000(0) ack 1001");
    peer_sends(t, ". 1001:1001(0) ack 1001");
    time_passes_ms(t, 12 * SECOND_MS);
    ck_assert(is_asleep(t));
    ck_assert_uint_gt(time_until_we_send_us(t, 100 * SECOND_MS), 40 * SECOND_MS * 1000ull);
    we_send(t, ". 1000:1000(0) ack 1001");
    talk_free(t);
}
END_TEST

/* Who asks notices nothing. */
START_TEST(status_is_that_of_a_connection_awake)
{
    struct talk *t = talk_established("mss 1460");

    app_writes(t, 1000);
    we_send(t, "P. 1:1001(1000) ack 1");
    time_passes_ms(t, 50);
    peer_sends(t, ". 1:1(0) ack 1001");
    struct tcp_status before = talk_status(t);
    unsigned readiness = tcp_readiness(t->tcb);
    time_passes_ms(t, 12 * SECOND_MS);
    ck_assert(is_asleep(t));
    struct tcp_status status = talk_status(t);

    ck_assert_uint_eq(tcp_readiness(t->tcb), readiness);
    before.deadline_us[TIMER_IDLE] = NEVER;
    ck_assert_mem_eq(&status, &before, sizeof status);
    talk_free(t);
}
END_TEST

/* Something waits: out-of-order text, an unread byte, a closed window. */
START_TEST(with_something_under_way_it_stays_awake)
{
    struct talk *t = talk_established("mss 1460,sackOK");

    if (_i == 0) {
        peer_sends(t, ". 101:201(100) ack 1");
        forget_sent(t);
    } else {
        peer_sends(t, ". 1:2(1) ack 1");
    }
    time_passes_ms(t, 100 * SECOND_MS);
    ck_assert(!is_asleep(t));
    forget_sent(t);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, idle_connection_costs_its_tcb_alone);
    tcase_add_test(tc, text_of_the_peer_wakes_it);
    tcase_add_test(tc, send_wakes_it);
    tcase_add_test(tc, reset_ends_it_in_its_sleep);
    tcase_add_test(tc, fin_wakes_it_and_half_closed_it_sleeps_again);
    tcase_add_loop_test(tc, close_and_abort_wake_it, 0, 2);
    tcase_add_test(tc, keep_alive_wakes_it);
    tcase_add_test(tc, status_is_that_of_a_connection_awake);
    tcase_add_loop_test(tc, with_something_under_way_it_stays_awake, 0, 2);
}

int main(void)
{
    return unit_main("sleep", tests);
}
