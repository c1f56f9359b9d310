/* What holds for each segment that a connection sends, whoever of us makes it: a TCB, the small
 * record of SYN-RECEIVED or TIME-WAIT, or nobody, in answer to a segment without a connection. */
#include "talk.h"

enum { IP_HEADER_BYTES = 20, OTHER_ADDR = 0x0a000009, CLOSED_PORT = 81 };

typedef void look(const struct talk_segment *sent);

/* Look at what has been sent since; returns how many segments. */
static unsigned look_at_all(struct talk *t, look *look_at)
{
    unsigned count = t->sent_count;

    for (unsigned i = 0; i < count; i++)
        look_at(&t->sent[t->sent_first + i]);
    t->sent_first = t->sent_count = 0;
    return count;
}

/* A listener's connection: SYN,ACK and the same again, data and the same again, FIN, and the
 * acknowledgment in TIME-WAIT twice. Lengths are odd. */
static void go_through_an_accepted_connection(struct talk *t, const struct ip_addr *local,
                                              const struct tcp_config *config, look *look_at)
{
    t->listener = tcp_open_passive(t->stack, local, TALK_LISTEN_PORT, config, NULL);
    t->our_port = TALK_LISTEN_PORT;
    ck_assert_ptr_nonnull(t->listener);
    peer_sends(t, "S 0:0(0) win 65535 <mss 1460>");
    time_passes_ms(t, 1500);
    ck_assert_uint_eq(look_at_all(t, look_at), 2);
    peer_sends(t, ". 1:1(0) ack 1");
    t->tcb = tcp_accept(t->listener);
    ck_assert_ptr_nonnull(t->tcb);
    peer_sends(t, "P. 1:12(11) ack 1");
    time_passes_ms(t, 500);
    app_reads(t, 11);
    ck_assert_uint_eq(look_at_all(t, look_at), 1);
    app_writes(t, 101);
    time_passes_ms(t, 4000);
    ck_assert_uint_eq(look_at_all(t, look_at), 2);
    peer_sends(t, ". 12:12(0) ack 102");
    ck_assert_int_eq(tcp_shutdown(t->tcb), TCP_OK);
    talk_pull(t);
    ck_assert_uint_eq(look_at_all(t, look_at), 1);
    peer_sends(t, "F. 12:12(0) ack 103");
    tcp_close(t->tcb);
    t->tcb = NULL;
    ck_assert_uint_eq(look_at_all(t, look_at), 1);
    peer_sends(t, "F. 12:12(0) ack 103");
    ck_assert_uint_eq(look_at_all(t, look_at), 1);
}

/* RFC 1071 and 9293 3.1 to the letter, with nothing of the stack in it: the sum over pseudo header
 * and segment, checksum included, is all ones. */
static void checksum_is_right(const struct talk_segment *sent)
{
    const uint8_t *packet = sent->bytes;
    uint32_t tcp_bytes = (uint32_t)sent->len - IP_HEADER_BYTES;
    uint32_t sum = packet[9] + tcp_bytes;

    ck_assert_uint_eq(packet[0], 0x45);
    for (size_t i = 12; i < sent->len; i++) /* addresses, then the segment */
        sum += i % 2 == 0 ? (uint32_t)packet[i] << 8 : packet[i];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    ck_assert_uint_eq(sum, 0xffff);
}

/* MUST-2 */
START_TEST(checksum_of_each_segment_is_right)
{
    struct talk *t = talk_new(NULL);
    struct ip_addr peer = ip_addr_from_v4(t->peer_addr);

    go_through_an_accepted_connection(t, NULL, NULL, checksum_is_right);
    t->our_port = CLOSED_PORT; /* nobody's answer */
    peer_sends(t, "P. 1:12(11) ack 1");
    ck_assert_uint_eq(look_at_all(t, checksum_is_right), 1);
    t->tcb = tcp_open_active(t->stack, NULL, 0, &peer, t->peer_port, NULL, NULL);
    ck_assert_ptr_nonnull(t->tcb);
    talk_pull(t);
    ck_assert_uint_eq(look_at_all(t, checksum_is_right), 1);
    talk_free(t);
}
END_TEST

static void ttl_and_ds_are_the_applications(const struct talk_segment *sent)
{
    ck_assert_uint_eq(sent->bytes[1], 0xb8);
    ck_assert_uint_eq(sent->bytes[8], 7);
}

/* MUST-48, MUST-49, SHLD-22: what the listener was opened with. */
START_TEST(accepted_connection_has_ttl_and_ds_of_its_listener)
{
    struct talk *t = talk_new(NULL);
    struct tcp_config config = stack_config(t->stack)->tcp;

    config.tos = 0xb8;
    config.ttl = 7;
    go_through_an_accepted_connection(t, NULL, &config, ttl_and_ds_are_the_applications);
    talk_free(t);
}
END_TEST

static void comes_from_the_other_address(const struct talk_segment *sent)
{
    ck_assert_uint_eq(sent->bytes[15], OTHER_ADDR & 0xff);
}

/* MUST-45: of a listener on all addresses, the one that the SYN was sent to. */
START_TEST(accepted_connection_keeps_the_address_of_its_syn)
{
    struct stack_config config = talk_config();

    config.address[config.address_count++] = ip_addr_from_v4(OTHER_ADDR);
    struct talk *t = talk_new(&config);
    t->our_addr = OTHER_ADDR;
    go_through_an_accepted_connection(t, NULL, NULL, comes_from_the_other_address);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_test(tc, checksum_of_each_segment_is_right);
    tcase_add_test(tc, accepted_connection_has_ttl_and_ds_of_its_listener);
    tcase_add_test(tc, accepted_connection_keeps_the_address_of_its_syn);
}

int main(void)
{
    return unit_main("every_segment", tests);
}
