/* Loss seen by acknowledgments, and the congestion window: RFC 5681 (slow start, fast retransmit),
 * RFC 3042 (limited transmit), RFC 6582 (NewReno), RFC 6675 (SACK), RFC 6928 (initial window). */
#include "talk.h"

/* `count` full segments in flight from byte 1 on, taken off the list; more may be waiting. The
 * numbers are Reno's. */
static struct talk *with_in_flight(const char *options, uint32_t count, size_t waiting)
{
    struct stack_config config = talk_config();

    config.tcp.congestion = TCP_CONGESTION_RENO;
    struct talk *t = talk_new(&config);
    talk_establish(t, options);
    app_writes(t, count * MSS + waiting);
    for (uint32_t i = 0; i < count; i++)
        we_send(t, segment("%s %u:%u(1460) ack 1", i + 1 == count && waiting == 0 ? "P." : ".",
                           1 + i * MSS, 1 + (i + 1) * MSS));
    return t;
}

/* RFC 6928: min(10 * MSS, max(2 * MSS, 14600)). */
START_TEST(initial_window_is_that_of_rfc_6928)
{
    static const struct {
        const char *options;
        uint32_t mss, count;
    } rows[] = {{"mss 1460", 1460, 10}, {"", 536, 10}, {"mss 1000", 1000, 10}};
    struct talk *t = talk_established(rows[_i].options);
    uint32_t mss = rows[_i].mss;

    app_writes(t, 40000);
    for (uint32_t i = 0; i < rows[_i].count; i++)
        we_send(t, segment(". %u:%u(%u) ack 1", 1 + i * mss, 1 + (i + 1) * mss, mss));
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* RFC 5681 3.1: the window doubles each round trip when each second segment is acknowledged. */
START_TEST(slow_start_doubles_the_window_in_a_round_trip)
{
    struct talk *t = with_in_flight("mss 1460", 10, 40 * MSS);

    for (uint32_t i = 2; i <= 10; i += 2) {
        peer_sends(t, segment(". 1:1(0) ack %u", 1 + i * MSS));
        t->sent_count = t->sent_first = 0;
    }
    ck_assert_uint_eq(talk_status(t).cwnd_bytes, 20 * MSS);
    talk_free(t);
}
END_TEST

/* RFC 5681 3.2: on the third, not before. */
START_TEST(third_duplicate_ack_retransmits_the_first_segment)
{
    struct talk *t = with_in_flight("mss 1460", 10, 0);

    peer_sends(t, ". 1:1(0) ack 1");
    peer_sends(t, ". 1:1(0) ack 1");
    we_send_nothing(t);
    peer_sends(t, ". 1:1(0) ack 1");
    we_send(t, ". 1:1461(1460) ack 1");
    we_send_nothing(t);
    ck_assert(talk_status(t).in_recovery);
    ck_assert_uint_eq(talk_status(t).ssthresh_bytes, 5 * MSS); /* half of the flight */
    talk_free(t);
}
END_TEST

/* RFC 3042: the first two duplicate ACKs each let a new segment go. */
START_TEST(limited_transmit_sends_new_data_for_two_duplicate_acks)
{
    struct talk *t = with_in_flight("mss 1460", 10, 5 * MSS);

    peer_sends(t, ". 1:1(0) ack 1");
    we_send(t, ". 14601:16061(1460) ack 1");
    peer_sends(t, ". 1:1(0) ack 1");
    we_send(t, ". 16061:17521(1460) ack 1");
    peer_sends(t, ". 1:1(0) ack 1");
    we_send(t, ". 1:1461(1460) ack 1");
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* RFC 5681 section 2: what is not a duplicate ACK. */
START_TEST(ack_with_data_or_another_window_is_no_duplicate)
{
    struct talk *t = with_in_flight("mss 1460", 10, 0);

    for (unsigned i = 0; i < 6; i++) {
        if (_i == 0)
            peer_sends(t, segment(". 1:1(0) ack 1 win %u", 60000 + i));
        else
            peer_sends(t, segment("P. %u:%u(10) ack 1", 1 + i * 10, 11 + i * 10));
        we_send_nothing(t);
    }
    talk_free(t);
}
END_TEST

/* RFC 5681 section 2 (a): without data in flight there is nothing to duplicate. */
START_TEST(acks_of_an_idle_connection_are_no_duplicates)
{
    struct talk *t = talk_established("mss 1460");

    for (int i = 0; i < 6; i++)
        peer_sends(t, ". 1:1(0) ack 1");
    app_writes(t, 10 * MSS);
    for (uint32_t i = 0; i < 10; i++)
        we_send(t, segment("%s %u:%u(1460) ack 1", i == 9 ? "P." : ".", 1 + i * MSS,
                           1 + (i + 1) * MSS));
    peer_sends(t, ". 1:1(0) ack 1");
    peer_sends(t, ". 1:1(0) ack 1");
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* RFC 6582 3.2 step 3: a partial acknowledgment says that the next segment is lost too. */
START_TEST(partial_ack_retransmits_the_next_hole)
{
    struct talk *t = with_in_flight("mss 1460", 10, 0);

    for (int i = 0; i < 3; i++)
        peer_sends(t, ". 1:1(0) ack 1");
    we_send(t, ". 1:1461(1460) ack 1");
    for (int i = 0; i < 5; i++)
        peer_sends(t, ". 1:1(0) ack 1");
    peer_sends(t, ". 1:1(0) ack 4381"); /* segments 2 and 3 were there, the fourth is not */
    we_send(t, ". 4381:5841(1460) ack 1");
    we_send_nothing(t);
    ck_assert(talk_status(t).in_recovery);
    peer_sends(t, ". 1:1(0) ack 14601");
    ck_assert(!talk_status(t).in_recovery);
    ck_assert_uint_le(talk_status(t).cwnd_bytes, talk_status(t).ssthresh_bytes);
    talk_free(t);
}
END_TEST

/* RFC 6582 3.2: one reduction per window of data, however many segments of it are lost. */
START_TEST(losses_of_one_window_halve_it_once)
{
    struct talk *t = with_in_flight("mss 1460", 10, 0);

    for (int i = 0; i < 3; i++)
        peer_sends(t, ". 1:1(0) ack 1");
    we_send(t, ". 1:1461(1460) ack 1");
    peer_sends(t, ". 1:1(0) ack 1461");
    we_send(t, ". 1461:2921(1460) ack 1");
    peer_sends(t, ". 1:1(0) ack 2921");
    we_send(t, ". 2921:4381(1460) ack 1");
    ck_assert_uint_eq(talk_status(t).ssthresh_bytes, 5 * MSS);
    talk_free(t);
}
END_TEST

/* RFC 5681 3.1 (4) and the loss window. */
START_TEST(time_out_leaves_one_segment_of_window)
{
    struct talk *t = with_in_flight("mss 1460", 10, 0);

    time_passes_ms(t, 200);
    we_send(t, ". 1:1461(1460) ack 1");
    ck_assert_uint_eq(talk_status(t).cwnd_bytes, MSS);
    ck_assert_uint_eq(talk_status(t).ssthresh_bytes, 5 * MSS);
    peer_sends(t, ". 1:1(0) ack 1461"); /* slow start over what is lost */
    we_send(t, ". 1461:2921(1460) ack 1");
    we_send(t, ". 2921:4381(1460) ack 1");
    we_send_nothing(t);
    talk_free(t);
}
END_TEST

/* RFC 5681 3.1: a segment that times out again does not lower ssthresh again. */
START_TEST(repeated_time_out_keeps_ssthresh)
{
    struct talk *t = with_in_flight("mss 1460", 10, 0);

    for (int i = 0; i < 2; i++) { /* the third would be half a segment, RFC 4821 7.7 */
        ck_assert_uint_ne(time_until_we_send_us(t, 10000), UINT64_MAX);
        we_send(t, ". 1:1461(1460) ack 1");
    }
    ck_assert_uint_eq(talk_status(t).ssthresh_bytes, 5 * MSS);
    talk_free(t);
}
END_TEST

/* ---- SACK */

static struct talk *by_sack_with_in_flight(unsigned count)
{
    struct stack_config config = talk_config();

    config.tcp.loss_detection = TCP_LOSS_DETECTION_RFC6675;
    config.tcp.congestion = TCP_CONGESTION_RENO;
    struct talk *t = talk_new(&config);
    talk_establish(t, "mss 1460,sackOK");
    app_writes(t, count * MSS);
    t->sent_count = t->sent_first = 0;
    return t;
}

/* RFC 6675 section 5: only the holes are sent again. */
START_TEST(sack_repairs_the_holes_alone)
{
    struct talk *t = by_sack_with_in_flight(10);

    peer_sends(t, ". 1:1(0) ack 1 <nop,nop,sack 1461:2921>");
    peer_sends(t, ". 1:1(0) ack 1 <nop,nop,sack 1461:4381>");
    we_send_nothing(t);
    peer_sends(t, ". 1:1(0) ack 1 <nop,nop,sack 1461:5841>"); /* hole: 1 */
    we_send(t, ". 1:1461(1460) ack 1");
    we_send_nothing(t);
    peer_sends(t, ". 1:1(0) ack 1 <nop,nop,sack 7301:8761 1461:5841>");
    peer_sends(t, ". 1:1(0) ack 1 <nop,nop,sack 7301:10221 1461:5841>");
    peer_sends(t, ". 1:1(0) ack 1 <nop,nop,sack 7301:11681 1461:5841>"); /* hole: 5841 */
    we_send(t, ". 5841:7301(1460) ack 1");
    we_send(t, "P. 13141:14601(1460) ack 1"); /* NextSeg rule 4: the rescue, once */
    we_send_nothing(t);
    peer_sends(t, ". 1:1(0) ack 14601");
    ck_assert(!talk_status(t).in_recovery);
    ck_assert_uint_eq(talk_status(t).retransmit_count, 3);
    talk_free(t);
}
END_TEST

/* RFC 6675 (5): "If DupAcks >= DupThresh" is enough, however short the segments are. */
START_TEST(sack_of_three_short_segments_retransmits_the_first)
{
    struct stack_config config = talk_config();

    config.tcp.nagle = false;
    config.tcp.loss_detection = TCP_LOSS_DETECTION_RFC6675;
    struct talk *t = talk_new(&config);
    talk_establish(t, "mss 1460,sackOK");
    for (uint32_t at = 1; at < 401; at += 100) {
        app_writes(t, 100);
        we_send(t, segment("P. %u:%u(100) ack 1", at, at + 100));
    }
    peer_sends(t, ". 1:1(0) ack 1 <nop,nop,sack 101:201>");
    peer_sends(t, ". 1:1(0) ack 1 <nop,nop,sack 101:301>");
    we_send_nothing(t);
    peer_sends(t, ". 1:1(0) ack 1 <nop,nop,sack 101:401>");
    t->title = "three short segments";
    ck_assert_uint_eq(t->sent_count, 1);
    uint32_t at = t->sent_first;
    ck_assert_uint_eq(t->sent[at].bytes[27], (uint8_t)(t->iss + 1)); /* from byte 1 on */
    t->sent_count = 0;
    talk_free(t);
}
END_TEST

/* RFC 2018 section 8: the peer may renege, so SACK alone never frees a byte. */
START_TEST(sacked_bytes_are_kept_until_acknowledged)
{
    struct talk *t = with_in_flight("mss 1460,sackOK", 3, 0);

    peer_sends(t, ". 1:1(0) ack 1 <nop,nop,sack 1461:4381>");
    ck_assert_uint_eq(talk_status(t).send_queued_bytes, 3 * MSS);
    time_passes_ms(t, 1); /* whatever was retransmitted by now is another test's business */
    t->sent_count = t->sent_first = 0;
    peer_sends(t, ". 1:1(0) ack 1461"); /* ... and it has thrown the rest away */
    t->sent_count = t->sent_first = 0;
    ck_assert_uint_ne(time_until_we_send_us(t, 10000), UINT64_MAX);
    we_send(t, ". 1461:2921(1460) ack 1");
    t->sent_count = t->sent_first = 0;
    talk_free(t);
}
END_TEST

/* Blocks that cannot be true change nothing. */
START_TEST(sack_blocks_that_lie_are_ignored)
{
    static const char *const lies[] = {
        "sack 14601:20000", "sack 1:100000",  "sack -5000:-4000",
        "sack 2921:1461",   "sack 1461:1461", "sack -10:14601",
    };
    struct talk *t = with_in_flight("mss 1460,sackOK", 10, 0);

    t->title = lies[_i];
    for (unsigned i = 0; i < 2; i++)
        peer_sends(t, segment(". 1:1(0) ack 1 <nop,nop,%s>", lies[_i]));
    we_send_nothing(t);
    ck_assert_uint_eq(talk_status(t).in_flight_bytes, 10 * MSS);
    talk_free(t);
}
END_TEST

/* RFC 2018 section 3: SACK blocks of a peer with whom it was not agreed count for nothing. */
START_TEST(sack_blocks_without_permission_are_ignored)
{
    struct talk *t = with_in_flight("mss 1460", 10, 0);

    peer_sends(t, ". 1:1(0) ack 1 win 65534 <nop,nop,sack 1461:14601>");
    we_send_nothing(t);
    ck_assert_uint_eq(talk_status(t).in_flight_bytes, 10 * MSS);
    talk_free(t);
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, initial_window_is_that_of_rfc_6928, 0, 3);
    tcase_add_test(tc, slow_start_doubles_the_window_in_a_round_trip);
    tcase_add_test(tc, third_duplicate_ack_retransmits_the_first_segment);
    tcase_add_test(tc, limited_transmit_sends_new_data_for_two_duplicate_acks);
    tcase_add_loop_test(tc, ack_with_data_or_another_window_is_no_duplicate, 0, 2);
    tcase_add_test(tc, acks_of_an_idle_connection_are_no_duplicates);
    tcase_add_test(tc, partial_ack_retransmits_the_next_hole);
    tcase_add_test(tc, losses_of_one_window_halve_it_once);
    tcase_add_test(tc, time_out_leaves_one_segment_of_window);
    tcase_add_test(tc, repeated_time_out_keeps_ssthresh);
    tcase_add_test(tc, sack_repairs_the_holes_alone);
    tcase_add_test(tc, sack_of_three_short_segments_retransmits_the_first);
    tcase_add_test(tc, sacked_bytes_are_kept_until_acknowledged);
    tcase_add_loop_test(tc, sack_blocks_that_lie_are_ignored, 0, 6);
    tcase_add_test(tc, sack_blocks_without_permission_are_ignored);
}

int main(void)
{
    return unit_main("recovery", tests);
}
