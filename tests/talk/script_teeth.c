/* The runner of scripts finds what is wrong: each script here has one mistake, and the right line
 * and message are expected of it. A runner that accepts too much would make every script worthless.
 */
#include "runner/run.h"
#include "talk.h"

#define OPEN                                        \
    "+0 connect\n"                                  \
    "+0 > S 0:0(0)\n"                               \
    "+0.1 < S. 0:0(0) ack 1 win 65535 <mss 1460>\n" \
    "+0 > . 1:1(0) ack 1\n"
#define WRITE       \
    "+0 write 10\n" \
    "+0 > P. 1:11(10) ack 1\n"

/* `message` is how the failure begins, line first; OPEN ends in line 4, WRITE behind it in line 6.
 */
static const struct {
    const char *script, *message;
} wrong[] = {
    /* a segment that is not as expected */
    {"+0 connect\n+0 > S 1:1(0)\n", "2: expected: S 1:1(0)\n      actual: S 0:0(0) win 65535 <mss"},
    {OPEN "+0 write 10\n+0 > P. 1:11(10) ack 2\n",
     "6: expected: P. 1:11(10) ack 2\n      actual: P. 1:11(10) ack 1 win 65535"},
    {OPEN "+0 write 10\n+0 > . 1:11(10) ack 1\n",
     "6: expected: . 1:11(10) ack 1\n      actual: P."},
    {OPEN "+0 write 10\n+0 > P. 1:12(11) ack 1\n", "6: expected: P. 1:12(11) ack 1\n"},
    {OPEN "+0 write 10\n+0 > P. 1:11(10) ack 1 win 1\n", "6: expected: P. 1:11(10) ack 1 win 1\n"},
    {"+0 connect\n+0 > S 0:0(0) <mss 1461,wscale *,TS val * ecr *,sackOK>\n",
     "2: expected: S 0:0("},
    {"+0 connect\n+0 > S 0:0(0) <mss 1460>\n", "2: expected: S 0:0(0) <mss 1460>\n"},
    /* a segment too few, too many */
    {OPEN "+0 > . 1:1(0) ack 1\n",
     "5: expected: +0 > . 1:1(0) ack 1\n      actual: nothing is sent"},
    {OPEN "> P. 1:11(10) ack 1\n", "5: expected:  > P. 1:11(10) ack 1\n      actual: nothing"},
    {OPEN "+0 write 10\n+0.01 < . 1:1(0) ack 1\n",
     "6: expected: nothing\n      actual: +0 > P. 1:11(10) ack 1 win 65535"},
    {OPEN "+0 write 10\n+0 close\n", "6: expected: nothing\n      actual: +0 > P. 1:11(10)"},
    {OPEN "+0 write 10\n", "5: expected: nothing\n      actual: +0 > P. 1:11(10) ack 1 win 65535"},
    {OPEN WRITE "+5 < . 1:1(0) ack 11\n",
     "7: expected: nothing\n      actual: +0.3 > P. 1:11(10) ack 1 win 65535"},
    {OPEN WRITE "nothing for 0.3\n", "7: expected: nothing\n      actual: +0.3 > P. 1:11(10)"},
    {OPEN WRITE "+0.3 assert state=ESTABLISHED\n", "7: expected: nothing\n      actual: +0.3 > "},
    /* the wrong time: early, late, out of the range */
    {OPEN WRITE "+0.2 > P. 1:11(10) ack 1\n",
     "7: expected: +0.2 > P. 1:11(10) ack 1\n      actual: +0.3 > P. 1:11(10) ack 1 win 65535"},
    {OPEN WRITE "+0.300001 > P. 1:11(10) ack 1\n", "7: expected: +0.300001 > P. 1:11(10) ack 1\n"},
    {OPEN WRITE "+0.1~+0.299999 > P. 1:11(10) ack 1\n", "7: expected: +0.1~+0.299999 > P."},
    {OPEN WRITE "0.3 > P. 1:11(10) ack 1\n", "7: expected: +0.2 > P. 1:11(10) ack 1\n"},
    {OPEN WRITE "0.05 < . 1:1(0) ack 11\n", "7: the time has passed: it is 0.1"},
    /* the wrong result of a call, the wrong status */
    {"+0 connect to 224.0.0.1\n", "1: expected: connect = 0\n      actual: connect = UNSPECIFIED"},
    {"+0 listen\n+0 listen\n", "2: expected: listen = 0\n      actual: listen = EXISTS"},
    {"+0 listen\n+0 accept\n", "2: expected: accept = 0\n      actual: accept = none"},
    {OPEN "+0 read 5 = 3\n", "5: expected: read = 3\n      actual: read = 0"},
    {OPEN "+0 shutdown = CLOSING\n", "5: expected: shutdown = CLOSING\n      actual: shutdown = 0"},
    {OPEN "assert state=LISTEN\n", "5: expected: state=LISTEN\n      actual: state=ESTABLISHED"},
    {OPEN "assert rto=0.3 cwnd=1460\n", "5: expected: cwnd=1460\n      actual: cwnd=14600"},
    {OPEN "assert rto=0.4\n", "5: expected: rto=0.4\n      actual: rto=0.3"},
    {OPEN "assert rto_us=3\n", "5: expected: rto_us=3\n      actual: rto_us=300000"},
    {OPEN "assert error=RESET\n", "5: expected: error=RESET\n      actual: error=0"},
    {OPEN "assert snd_nxt=2\n", "5: expected: snd_nxt=2\n      actual: snd_nxt=1"},
    {OPEN "assert readable=1\n", "5: expected: readable=1\n      actual: readable=0"},
    {"+0 write 5\n", "1: there is no connection"},
    {"+0 accept\n", "1: there is no listener"},
    /* not in the language */
    {"# nothing\n\n  // at all\n", "3: the script has no event"},
    {"", "0: the script has no event"},
    {"+0 conect\n", "1: syntax: no event: \"conect\""},
    {"+0\n", "1: syntax: no event: \"\""},
    {"+ connect\n", "1: syntax: a time in seconds is wanted"},
    {"+0.0000001 connect\n", "1: syntax: a time in seconds is wanted"},
    {"+0x connect\n", "1: syntax: no time"},
    {"+1~+0 > S 0:0(0)\n", "1: syntax: no time"},
    {"+0~+1 connect\n", "1: syntax: a range of times is for an expected segment only"},
    {"+0 connect now\n", "1: syntax: what is \"now\""},
    {"+0 connect to nowhere\n", "1: syntax: \"nowhere\" is no address"},
    {OPEN "+0 write\n", "5: syntax: a word is missing"},
    {OPEN "+0 write -5\n", "5: syntax: \"-5\" is no number"},
    {OPEN "+0 write 0\n", "5: syntax: write takes 1 to"},
    {OPEN "+0 write 5 = MANY\n", "5: syntax: \"MANY\" is no number"},
    {OPEN "+0 < . 1:1(0) ack 1 windy\n", "5: what is \"windy\""},
    {OPEN "+0 < . 1:5(3) ack 1\n", "5: the range is not as long as it says"},
    {OPEN "+0 < X 1:1(0)\n", "5: 'X' is no flag"},
    {OPEN "+0 < . 1:1(0) ack 1 <mess 5>\n", "5: unknown option"},
    {OPEN "+0 < . 1:1(0) ack 1 <mss 5\n", "5: unknown option"},
    {OPEN "+0 < . 1:9001(9000) ack 1\n", "5: too long for a segment"},
    {OPEN "+0 < . 1:1(0) ack 1 <sack 1:2 3:4 5:6 7:8 9:10 11:12>\n", "5: too long for a segment"},
    {OPEN "+0 lie always . 1:1(0) ack 1\n", "5: syntax: checksum, offset_short"},
    {OPEN "+0 icmp unreachable moon seq 1\n", "5: syntax: an ICMP error by that name"},
    {OPEN "+0 icmp unreachable port\n", "5: syntax: seq and a relative number"},
    {OPEN "+0 icmp fragmentation seq 1\n", "5: syntax: mtu and a number wanted"},
    {OPEN "+0 icmp fragmentation mtu 65536 seq 1\n", "5: syntax: an mtu cannot be that large"},
    {OPEN "+0 icmp fragmentation mtu 576\n", "5: syntax: seq and a relative number"},
    {OPEN "assert speed=1\n", "5: syntax: the status has no speed"},
    {OPEN "assert rto\n", "5: syntax: '=' wanted"},
    {OPEN "nothing at all\n", "5: syntax: nothing for SECONDS"},
    {OPEN "set nagle=off\n", "5: set comes before the first event"},
    {"set speed=1\n", "1: syntax: the configuration has no speed"},
    {"set nagle\n", "1: syntax: '=' wanted"},
    {"set ttl=256\n", "1: syntax: ttl cannot be 256"},
    {"set rto_min=soon\n", "1: syntax: rto_min cannot be soon"},
    {OPEN "+0 change sack=off\n", "5: expected: change = 0"},
    {OPEN "+0 change ttl=9 = INVALID\n", "5: expected: change = INVALID"},
    {OPEN "assert out_of_order=5:6\n", "5: expected: out_of_order=5:6"},
};

START_TEST(wrong_script_fails_in_its_line)
{
    char message[SCRIPT_MESSAGE_BYTES] = "", wanted[SCRIPT_MESSAGE_BYTES];

    ck_assert_msg(!script_run("wrong", wrong[_i].script, NULL, message), "this passes:\n%s",
                  wrong[_i].script);
    snprintf(wanted, sizeof wanted, "wrong:%s", wrong[_i].message);
    ck_assert_msg(strncmp(message, wanted, strlen(wanted)) == 0,
                  "script:\n%smessage wanted: %s\n            got: %s", wrong[_i].script, wanted,
                  message);
}
END_TEST

/* What is forgiven: blanks, comments, a last line without its end. */
START_TEST(right_script_comes_true)
{
    char message[SCRIPT_MESSAGE_BYTES] = "";

    ck_assert_msg(script_run("right",
                             "# a comment\n\nset rto_min=0.25 nagle=off // more\n" OPEN
                             "  0.2\twrite  10 =  10 \r\n"
                             "+0~+0.1 > P. 1:11(10) ack 1  # at once\n"
                             "0.5 > P. 1:11(10) ack 1\n"
                             "> P. 1:11(10) ack 1",
                             stderr, message),
                  "%s", message);
}
END_TEST

START_TEST(file_that_is_not_there_fails)
{
    char message[SCRIPT_MESSAGE_BYTES] = "";

    ck_assert(!script_run_file("tests/talk/none.talk", NULL, message));
    ck_assert_str_eq(message, "tests/talk/none.talk:0: cannot be opened");
}
END_TEST

static void tests(TCase *tc)
{
    tcase_add_loop_test(tc, wrong_script_fails_in_its_line, 0, sizeof wrong / sizeof wrong[0]);
    tcase_add_test(tc, right_script_comes_true);
    tcase_add_test(tc, file_that_is_not_there_fails);
}

int main(void)
{
    return unit_main("script_teeth", tests);
}
