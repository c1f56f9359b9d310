# shellcheck shell=bash
# Each end of a connection ends for itself: what one side still has to say arrives after the other's FIN.

we_end_first() {
    start_peer 9201 answer-at-end
    printf '0123456789' | tnc --pcapng capture.pcapng $peer 9201 >out
    assert_equal "$(cat out)" "10 bytes came"
    assert_capture_good capture.pcapng complete
}
it "the end of stdin sends FIN, and the answer to it is still received" we_end_first

they_end_first() {
    start_peer 9202 close-first
    (wait_until "their FIN is here" fin_is_here && echo "and this is from us") |
        tnc --pcapng capture.pcapng $peer 9202 >out 2>err
    assert_contains out "that is all from here"
    wait_until "the peer ends" file_has peer "and this is from us"
    assert_capture_good capture.pcapng complete
}
fin_is_here() { [ -n "$(tshark -r capture.pcapng -Y "tcp.flags.fin == 1 && ip.src == $peer" 2>/dev/null)" ]; }
it "after the peer's FIN our own bytes still go out" they_end_first

nothing_said() {
    start_peer 9203 answer-at-end
    tnc --pcapng capture.pcapng $peer 9203 >out </dev/null
    assert_equal "$(cat out)" "0 bytes came"
    # A connection without data is "Complete, NO_DATA" but for the peer's line.
    assert_capture_good capture.pcapng complete
}
it "an empty stdin closes in order" nothing_said
