/* Requirements of RFC 9293 that no conversation of the other files shows: what the application sets
 * for one connection (3.7.4, 3.8.3, 3.9.1.9, 3.9.2), addresses (3.9.1.1), what is ignored (3.5.3,
 * 3.9.2), and what a closed window does not stop (3.4, 3.8.6.1). */
#include "../../stack/tcp/tcb.h"
#include "talk.h"

#include "../../stack/wire/icmp.h"
#include "../../stack/wire/ipv4.h"
#include "../../stack/wire/tcp_segment.h"

enum { SECOND_PORT = 40001, SECOND_ADDR = 0x0a000009, IP_HEADER_BYTES = 20 };

/* A second connection to the same peer, which is the one under test from now on; established. */
static void establish_another(struct talk *t, const struct tcp_config *config)
{
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);

    t->tcb = tcp_open_active(t->stack, NULL, SECOND_PORT, &peer, t->peer_port, config, NULL);
    ck_assert_ptr_nonnull(t->tcb);
    t->our_port = SECOND_PORT;
    t->written = t->read = 0;
    we_send(t, "S 0:0(0)");
    peer_sends(t, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
    we_send(t, ". 1:1(0) ack 1");
}

/* ---- what is set for one connection */

/* MUST-17 */
START_TEST(nagle_is_turned_off_for_one_connection_alone)
{
    struct talk *t = talk_established("mss 1460");
    struct tcb *first = t->tcb;
    struct tcp_config config = stack_config(t->stack)->tcp;

    config.nagle = false;
    establish_another(t, &config);
    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    app_writes(t, 10);
    we_send(t, "P. 11:21(10) ack 1");

    t->tcb = first;
    t->our_port = TALK_OUR_PORT;
    t->written = 0;
    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    app_writes(t, 10);
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* MUST-21 */
START_TEST(r2_is_set_for_one_connection_alone)
{
    struct talk *t = talk_established("mss 1460");
    struct tcb *first = t->tcb;
    struct tcp_config config = stack_config(t->stack)->tcp;

    config.r2_us = 2000000;
    establish_another(t, &config);
    t->is_holding = true; /* nothing gets through from here on */
    ck_assert_int_eq(tcp_send(first, (const uint8_t *)"x", 1), 1);
    ck_assert_int_eq(tcp_send(t->tcb, (const uint8_t *)"x", 1), 1);
    for (int ms = 0; ms < 10000; ms += 100) {
        struct packet_out out;
        time_passes_ms(t, 100);
        while (stack_output(t->stack, &out, t->now_us))
            continue;
    }
    ck_assert_int_eq(tcp_error(t->tcb), TCP_ERR_TIMED_OUT);
    ck_assert_int_eq(tcp_error(first), TCP_OK);
    talk_free(t);
}
END_TEST

/* A whole connection: SYN, data, retransmission, acknowledgment, FIN. `look` sees each segment that
 * we send; that its addresses are those of the talk is verified by the frame. */
static void go_through_a_connection(struct talk *t, const struct ip_addr *local,
                                    const struct tcp_config *config,
                                    void (*look)(const uint8_t *packet))
{
    static const char *const heard[] = {"S. 0:0(0) ack 1 win 65535 <mss 1460>", "P. 1:11(10) ack 1",
                                        ". 11:11(0) ack 101", "F. 11:11(0) ack 102"};
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);
    unsigned count = 0;

    t->our_port = TALK_OUR_PORT;
    t->tcb = tcp_open_active(t->stack, local, 0, &peer, t->peer_port, config, NULL);
    ck_assert_ptr_nonnull(t->tcb);
    for (int i = 0; i < 5; i++) {
        time_passes_ms(t, i == 2 ? 2000 : 500); /* the data is sent again meanwhile */
        for (; t->sent_count > 0; t->sent_count--, count++)
            look(t->sent[t->sent_first++].bytes);
        t->sent_first = 0;
        if (i < 4)
            peer_sends(t, heard[i]);
        if (i == 1)
            app_writes(t, 100);
        if (i == 2)
            ck_assert_int_eq(tcp_shutdown(t->tcb), TCP_OK);
    }
    state_is(t, TCPS_TIME_WAIT);
    ck_assert_uint_eq(count, 6);
}

static void look_at_nothing(const uint8_t *packet)
{
    (void)packet;
}

static void look_at_tos(const uint8_t *packet)
{
    ck_assert_uint_eq(packet[1], 0xb8);
}

static void look_at_ttl(const uint8_t *packet)
{
    ck_assert_uint_eq(packet[8], 7);
}

static void look_for_urg(const uint8_t *packet)
{
    ck_assert_uint_eq(packet[IP_HEADER_BYTES + 13] & TCP_URG, 0);
    ck_assert_uint_eq(packet[IP_HEADER_BYTES + 18] + packet[IP_HEADER_BYTES + 19], 0);
}

/* A connection that is aborted as soon as it is established: `look` sees SYN, ACK and RST. */
static void open_and_abort(struct talk *t, const struct tcp_config *config,
                           void (*look)(const uint8_t *packet))
{
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);
    unsigned count = 0;

    t->our_port = TALK_OUR_PORT;
    t->tcb = tcp_open_active(t->stack, NULL, 0, &peer, t->peer_port, config, NULL);
    ck_assert_ptr_nonnull(t->tcb);
    for (int i = 0; i < 3; i++) {
        time_passes_ms(t, 1);
        for (; t->sent_count > 0; t->sent_count--, count++)
            look(t->sent[t->sent_first++].bytes);
        t->sent_first = 0;
        if (i == 0)
            peer_sends(t, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
        if (i == 1) {
            tcp_abort(t->tcb);
            t->tcb = NULL;
        }
    }
    ck_assert_uint_eq(count, 3);
}

/* MUST-48, SHLD-22, SHLD-23: the same in each segment, and as the application has set it; but its
 * two lowest bits are ECN's (RFC 3168). */
START_TEST(differentiated_services_field_is_the_applications)
{
    static const uint8_t tos[] = {0xb8, 0xbb};
    struct talk *t = talk_new(NULL);
    struct tcp_config config = stack_config(t->stack)->tcp;

    config.tos = tos[_i];
    go_through_a_connection(t, NULL, &config, look_at_tos);
    talk_free(t);
    t = talk_new(NULL);
    open_and_abort(t, &config, look_at_tos);
    talk_free(t);
}
END_TEST

static void speaks(struct talk *t, uint8_t tos, uint8_t ttl)
{
    const uint8_t *packet = t->sent[t->sent_first].bytes;

    app_writes(t, 10);
    ck_assert_uint_eq(packet[1], tos);
    ck_assert_uint_eq(packet[8], ttl);
    talk_next_sent(t);
    t->sent_count = 0;
    t->sent_first = 0;
    peer_sends(t, segment(". 1:1(0) ack %u", t->written + 1));
}

/* SHLD-21, SHLD-22, MUST-49: changed under way, and of this connection alone. */
START_TEST(differentiated_services_field_and_ttl_can_be_changed_under_way)
{
    struct talk *t = talk_established("mss 1460");

    speaks(t, 0, 64);
    ck_assert_int_eq(tcp_set(t->tcb, "tos", 0x28), TCP_OK);
    speaks(t, 0x28, 64);
    ck_assert_int_eq(tcp_set(t->tcb, "ttl", 9), TCP_OK);
    speaks(t, 0x28, 9);
    ck_assert_uint_eq(talk_status(t).tos, 0x28);
    ck_assert_uint_eq(talk_status(t).ttl, 9);
    ck_assert_uint_eq(stack_config(t->stack)->tcp.tos, 0);
    talk_free(t);
}
END_TEST

/* The configuration is shared until it is changed, and then by nobody else's doing. */
START_TEST(setting_of_one_connection_leaves_its_siblings_and_the_listener_alone)
{
    struct talk *t = talk_new(NULL);
    struct tcp_config config = stack_config(t->stack)->tcp;

    t->listener = tcp_open_passive(t->stack, NULL, TALK_LISTEN_PORT, &config, NULL);
    t->our_port = TALK_LISTEN_PORT;
    struct tcb *child[3];
    for (int i = 0; i < 3; i++) {
        t->peer_port = (uint16_t)(TALK_PEER_PORT + i);
        peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
        we_send(t, "S. 0:0(0) ack 1");
        peer_sends(t, ". 1:1(0) ack 1");
        child[i] = tcp_accept(t->listener);
        ck_assert_ptr_nonnull(child[i]);
        ck_assert_ptr_eq(child[i]->config, t->listener->config);
    }
    ck_assert_int_eq(tcp_set(child[1], "nagle", 0), TCP_OK); /* needs no copy */
    ck_assert_ptr_eq(child[1]->config, t->listener->config);
    ck_assert_int_eq(tcp_set(child[0], "r2_us", 5000000), TCP_OK);
    ck_assert_uint_eq(child[0]->config->r2_us, 5000000);
    ck_assert_uint_eq(child[1]->config->r2_us, config.r2_us);
    ck_assert_int_eq(tcp_set(t->listener, "r2_us", 7000000), TCP_OK);
    ck_assert_uint_eq(t->listener->config->r2_us, 7000000);
    ck_assert_uint_eq(child[1]->config->r2_us, config.r2_us);
    const struct tcp_config *own = child[0]->config;
    ck_assert_int_eq(tcp_set(child[0], "ttl", 3), TCP_OK); /* the copy is its own already */
    ck_assert_ptr_eq(child[0]->config, own);
    t->tcb = child[2];
    talk_free(t);
}
END_TEST

/* MUST-49 */
START_TEST(time_to_live_is_the_applications)
{
    struct talk *t = talk_new(NULL);
    struct tcp_config config = stack_config(t->stack)->tcp;

    config.ttl = 7;
    go_through_a_connection(t, NULL, &config, look_at_ttl);
    talk_free(t);
    t = talk_new(NULL);
    open_and_abort(t, &config, look_at_ttl);
    talk_free(t);
}
END_TEST

/* SHLD-13: nothing is urgent by itself. */
START_TEST(no_segment_is_urgent)
{
    struct talk *t = talk_new(NULL);

    go_through_a_connection(t, NULL, NULL, look_for_urg);
    talk_free(t);
}
END_TEST

/* ---- addresses */

static struct talk *with_two_addresses(void)
{
    struct stack_config config = talk_config();

    config.address[config.address_count++] = ip_addr_from_v4(SECOND_ADDR);
    return talk_new(&config);
}

/* MUST-43, MUST-45: the address of the OPEN, to the end. */
START_TEST(active_open_may_name_the_local_address_and_keeps_it)
{
    struct talk *t = with_two_addresses();
    struct ip_addr local = ip_addr_from_v4(SECOND_ADDR);

    t->our_addr = SECOND_ADDR;
    go_through_a_connection(t, &local, NULL, look_at_nothing);
    talk_free(t);
}
END_TEST

/* MUST-44, MUST-45: the stack's first address, to the end. */
START_TEST(active_open_without_a_local_address_keeps_the_one_chosen)
{
    struct talk *t = with_two_addresses();

    go_through_a_connection(t, NULL, NULL, look_at_nothing);
    talk_free(t);
}
END_TEST

/* 9293 3.10.7.1: nobody listens at the second one, which says so itself. */
START_TEST(reset_comes_from_the_address_that_was_asked)
{
    struct talk *t = with_two_addresses();

    t->our_addr = SECOND_ADDR;
    t->our_port = TALK_LISTEN_PORT;
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    we_send(t, "R. =0:=0(0) ack 1");
    talk_free(t);
}
END_TEST

/* MUST-43, MUST-45 */
START_TEST(passive_open_may_name_the_local_address)
{
    struct talk *t = with_two_addresses();
    struct ip_addr local = ip_addr_from_v4(SECOND_ADDR);

    t->listener = tcp_open_passive(t->stack, &local, TALK_LISTEN_PORT, NULL, NULL);
    ck_assert_ptr_nonnull(t->listener);
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>"); /* to the first one */
    we_send(t, "R. =0:=0(0) ack 1");
    t->our_addr = SECOND_ADDR;
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    we_send(t, "S. 0:0(0) ack 1");
    peer_sends(t, ". 1:1(0) ack 1");
    ck_assert_ptr_nonnull(tcp_accept(t->listener));
    talk_free(t);
}
END_TEST

/* MUST-42: SYN-SENT (and any other state) on the port is no obstacle; MUST-41: nor is it disturbed,
 * neither by the OPEN nor by a second one that fails. */
START_TEST(passive_open_disturbs_no_connection_of_the_same_port)
{
    static const enum tcp_state states[] = {TCPS_SYN_SENT, TCPS_ESTABLISHED, TCPS_FIN_WAIT_2};
    struct talk *t = talk_in_state(states[_i]);
    enum tcp_err error = TCP_OK;

    ck_assert_ptr_nonnull(tcp_open_passive(t->stack, NULL, TALK_OUR_PORT, NULL, &error));
    ck_assert_ptr_null(tcp_open_passive(t->stack, NULL, TALK_OUR_PORT, NULL, &error));
    ck_assert_int_eq(error, TCP_ERR_EXISTS);
    state_is(t, states[_i]);
    if (states[_i] == TCPS_SYN_SENT) {
        peer_sends(t, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
        we_send(t, ". 1:1(0) ack 1");
        state_is(t, TCPS_ESTABLISHED);
    }
    peer_sends(t, segment("P. 1:11(10) ack %u", states[_i] == TCPS_FIN_WAIT_2 ? 2 : 1));
    app_reads(t, 10);
    t->is_holding = true; /* its ACK is not this test's business */
    t->peer_port++;       /* and the listener works */
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    t->is_holding = false;
    we_send(t, "S. 0:0(0) ack 1");
    talk_free(t);
}
END_TEST

/* MUST-42: the other of the two states, SYN-RECEIVED. */
START_TEST(passive_open_disturbs_no_connection_in_syn_received)
{
    struct talk *t = talk_in_state(TCPS_SYN_RECEIVED);
    struct ip_addr local = ip_addr_from_v4(t->our_addr);

    ck_assert_ptr_nonnull(tcp_open_passive(t->stack, &local, TALK_LISTEN_PORT, NULL, NULL));
    peer_sends(t, ". 1:1(0) ack 1");
    state_is(t, TCPS_ESTABLISHED);
    ck_assert_ptr_nonnull(tcp_accept(t->listener));
    talk_free(t);
}
END_TEST

/* ---- what is ignored */

static enum drop peer_sends_syn_with_ip_options(struct talk *t, struct bytes options)
{
    struct tcp_segment syn = {.src_port = t->peer_port,
                              .dst_port = t->our_port,
                              .seq = t->irs,
                              .wnd = 65535,
                              .flags = TCP_SYN};
    struct ipv4_packet ip = {.src = ip_addr_from_v4(t->peer_addr),
                             .dst = ip_addr_from_v4(t->our_addr),
                             .ttl = 64,
                             .protocol = IP_PROTOCOL_TCP,
                             .options = options};
    uint8_t packet[IPV4_HEADER_MAX_BYTES + TCP_HEADER_MAX_BYTES], header[TCP_HEADER_MAX_BYTES];
    size_t header_bytes = tcp_emit(&syn, TCP_SYN_STYLE_LINUX, header);
    size_t ip_bytes = ipv4_emit(&ip, header_bytes, packet, sizeof packet);

    memcpy(packet + ip_bytes, header, header_bytes);
    struct packet_in in = {.bytes = {packet, ip_bytes + header_bytes}, .checksum_ok = true};
    return stack_input(t->stack, &in, t->now_us);
}

/* MUST-50: record route, timestamp, a kind that nobody knows. */
START_TEST(ip_options_of_the_peer_are_ignored)
{
    static const struct {
        uint8_t bytes[12];
        size_t len;
    } options[] = {
        {{7, 7, 4, 0, 0, 0, 0, 0}, 8},
        {{68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12},
        {{0x9e, 4, 1, 2}, 4},
        {{1, 1, 1, 0}, 4},
    };
    struct talk *t = talk_in_state(TCPS_LISTEN);
    struct bytes bytes = {options[_i].bytes, options[_i].len};

    ck_assert_int_eq(peer_sends_syn_with_ip_options(t, bytes), DROP_NOT);
    we_send(t, "S. 0:0(0) ack 1");
    talk_free(t);
}
END_TEST

/* RFC 1122 3.3.5: loose and strict source routes that lead on from here. A host is no gateway. */
START_TEST(packet_with_a_way_to_go_is_not_taken)
{
    static const uint8_t kinds[] = {131, 137};
    struct talk *t = talk_in_state(TCPS_LISTEN);
    uint8_t option[] = {kinds[_i], 7, 4, 10, 9, 0, 1, 0};

    ck_assert_int_eq(peer_sends_syn_with_ip_options(t, (struct bytes){option, sizeof option}),
                     DROP_IP_OPTIONS);
    talk_free(t);
}
END_TEST

/* MUST-56: each of them, with data in flight; SHLD-20: nobody is woken up by one. */
START_TEST(soft_errors_neither_abort_nor_wake_an_established_connection)
{
    static const struct {
        uint8_t type, code;
    } rows[] = {
        {ICMP_UNREACHABLE, 0},       {ICMP_UNREACHABLE, 1},       {ICMP_UNREACHABLE, 5},
        {ICMP_TIME_EXCEEDED, 0},     {ICMP_TIME_EXCEEDED, 1},     {ICMP_PARAMETER_PROBLEM, 0},
        {ICMP_PARAMETER_PROBLEM, 1}, {ICMP_PARAMETER_PROBLEM, 2},
    };
    struct talk *t = talk_established("mss 1460");

    app_writes(t, 10);
    we_send(t, "P. 1:11(10) ack 1");
    t->ready_events = 0;
    router_sends_error(t, rows[_i].type, rows[_i].code, 1);
    state_is(t, TCPS_ESTABLISHED);
    ck_assert_int_eq(talk_status(t).soft_error, TCP_ERR_UNREACHABLE);
    ck_assert_uint_eq(t->ready_events, 0);
    peer_sends(t, ". 1:1(0) ack 11");
    state_is(t, TCPS_ESTABLISHED);
    talk_free(t);
}
END_TEST

/* MUST-56: the codes that would be hard in an Unreachable. */
START_TEST(parameter_problem_does_not_refuse_a_connection)
{
    struct talk *t = talk_in_state(TCPS_SYN_SENT);

    router_sends_error(t, ICMP_PARAMETER_PROBLEM, (uint8_t)_i, 0);
    state_is(t, TCPS_SYN_SENT);
    talk_free(t);
}
END_TEST

/* SHLD-2: the text of a RST changes nothing, in SYN-SENT and later. */
START_TEST(reset_may_carry_text)
{
    struct talk *t = talk_in_state(_i == 0 ? TCPS_SYN_SENT : TCPS_ESTABLISHED);
    uint8_t byte;

    peer_sends(t, _i == 0 ? "R. 0:20(20) ack 1" : "R. 1:21(20) ack 1");
    state_is(t, TCPS_CLOSED);
    ck_assert_int_eq(tcp_receive(t->tcb, &byte, 1), _i == 0 ? TCP_ERR_REFUSED : TCP_ERR_RESET);
    talk_free(t);
}
END_TEST

/* ---- our window is closed */

static struct talk *with_closed_window(void)
{
    struct stack_config config = talk_config();

    config.tcp.receive_buffer_bytes = 4000;
    config.tcp.window_scaling = false;
    struct talk *t = talk_new(&config);
    talk_establish(t, "mss 1460");
    peer_sends(t, "P. 1:4001(4000) ack 1");
    we_send(t, ". 1:1(0) ack 4001 win 0");
    return t;
}

/* MUST-66: its text does not fit, its urgent pointer counts. */
START_TEST(closed_window_still_takes_urgent_pointers)
{
    struct talk *t = with_closed_window();

    t->ready_events = 0;
    peer_sends(t, _i == 0 ? "U. 4001:4001(0) ack 1 urg 100" : "U. 4001:4101(100) ack 1 urg 100");
    if (_i == 1)
        we_send(t, ". 1:1(0) ack 4001 win 0");
    ck_assert_uint_eq(t->ready_events, 1);
    ck_assert(tcp_readiness(t->tcb) & TCP_URGENT);
    ck_assert_uint_eq(talk_status(t).urgent_bytes, 4100);
    talk_free(t);
}
END_TEST

/* MAY-8: a day of probes does not open it, nor end the connection. */
START_TEST(window_stays_closed_for_as_long_as_nobody_reads)
{
    struct talk *t = with_closed_window();

    for (int minute = 0; minute < 24 * 60; minute++) {
        time_passes_ms(t, 60000);
        peer_sends(t, ". 4001:4002(1) ack 1");
        we_send(t, ". 1:1(0) ack 4001 win 0");
    }
    app_reads(t, 4000);
    we_send(t, ". 1:1(0) ack 4001 win 4000");
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, nagle_is_turned_off_for_one_connection_alone);
    tcase_add_test(tc, r2_is_set_for_one_connection_alone);
    tcase_add_loop_test(tc, differentiated_services_field_is_the_applications, 0, 2);
    tcase_add_test(tc, differentiated_services_field_and_ttl_can_be_changed_under_way);
    tcase_add_test(tc, setting_of_one_connection_leaves_its_siblings_and_the_listener_alone);
    tcase_add_test(tc, time_to_live_is_the_applications);
    tcase_add_test(tc, no_segment_is_urgent);
    tcase_add_test(tc, active_open_may_name_the_local_address_and_keeps_it);
    tcase_add_test(tc, active_open_without_a_local_address_keeps_the_one_chosen);
    tcase_add_test(tc, reset_comes_from_the_address_that_was_asked);
    tcase_add_test(tc, passive_open_may_name_the_local_address);
    tcase_add_loop_test(tc, passive_open_disturbs_no_connection_of_the_same_port, 0, 3);
    tcase_add_test(tc, passive_open_disturbs_no_connection_in_syn_received);
    tcase_add_loop_test(tc, ip_options_of_the_peer_are_ignored, 0, 4);
    tcase_add_loop_test(tc, packet_with_a_way_to_go_is_not_taken, 0, 2);
    tcase_add_loop_test(tc, soft_errors_neither_abort_nor_wake_an_established_connection, 0, 8);
    tcase_add_loop_test(tc, parameter_problem_does_not_refuse_a_connection, 0, 4);
    tcase_add_loop_test(tc, reset_may_carry_text, 0, 2);
    tcase_add_loop_test(tc, closed_window_still_takes_urgent_pointers, 0, 2);
    tcase_add_test(tc, window_stays_closed_for_as_long_as_nobody_reads);
}

int main(void)
{
    return unit_main("labels", tests);
}
