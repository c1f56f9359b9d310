# shellcheck shell=bash
# What goes wrong on real networks, and how tnc ends then: one line that says it, and the exit code.

refused() {
    expect_status 1 tnc --pcapng capture.pcapng $peer 9301 >out 2>err </dev/null
    assert_one_line err
    assert_matches err refused
    assert_capture_good capture.pcapng
    assert_matches <(info_of capture.pcapng) '9301 → [0-9]+ \[RST, ACK\] Seq=1 Ack=1 Win=0 Len=0'
}
it "a refused connection: one line, exit 1" refused

reset() {
    start_peer 9302 reset-after 10
    mkfifo lines
    exec 5<>lines # stays open: only the reset can end tnc
    echo "more than ten bytes" >&5
    expect_status 1 tnc --pcapng capture.pcapng $peer 9302 <lines >out 2>err
    assert_one_line err
    assert_matches err reset
    assert_capture_good capture.pcapng
}
it "a server that resets the connection: one line, exit 1" reset

nobody_there() {
    expect_status 1 tnc -w 2 --pcapng capture.pcapng $hole 80 >out 2>err </dev/null
    assert_one_line err
    assert_matches err 'timed out|time-?out|no answer'
    [ "$(info_of capture.pcapng tcp.flags.syn==1 | wc -l)" -ge 2 ] # the SYN is sent again after a second
    assert_capture_good capture.pcapng
}
it "-w 2 gives up a host that does not answer: one line, exit 1" nobody_there

vanishes() {
    start_peer 9303 sink
    # Input without end: the transfer is in full swing when the peer vanishes.
    start_tnc -i 3 $peer 9303 </dev/zero
    wait_until "bytes flow" file_is_larger peer 100000
    vanish 9303
    expect_end 1 $!
    reappear 9303
    assert_one_line err
}
it "a peer that vanishes in the middle: -i 3 ends it, one line, exit 1" vanishes

vanishes_and_comes_back() {
    head -c 20000000 "$scratch/www/big" >there
    mkfifo go
    exec 5<>go
    start_peer 9304 pause <go
    start_tnc --pcapng capture.pcapng $peer 9304 <there
    # The window is closed in the middle of the transfer; the news that it is open again are lost.
    wait_until "a window of 0 is in the capture" window_is_closed
    vanish 9304
    echo >&5
    wait_until "three of our segments are dropped" holes_have_dropped 3
    reappear 9304
    expect_end 0 $!
    assert_same_hash peer there
}
window_is_closed() { [ -n "$(tshark -r capture.pcapng -Y 'tcp.analysis.zero_window' 2>/dev/null)" ]; }
it "a peer that is away for a while gets everything" vanishes_and_comes_back

scan() {
    expect_status 0 tnc -z $web 80 >out 2>err </dev/null
    assert_empty out
    expect_status 1 tnc -z $web 81 2>err
    tnc -z -v $web 78-82 >out 2>err || true
    assert_matches err "$web.*\b80\b.*succeeded|\b80\b.*(open|succeeded)"
    if grep -qE '\b81\b.*(succeeded|open)' err; then return 1; fi
}
it "-z tells open ports from closed ones, over a range" scan

two_at_once() {
    start_listener -l 8301 </dev/null
    expect_status 3 tnc $web 80 >out2 2>err2 </dev/null
    assert_one_line err2
    assert_matches err2 'busy|use'
}
it "a second tnc on the same device: one line that says it is busy, exit 3" two_at_once

closed_output() {
    { limit=20 tnc --get /big google.com 80 2>err || echo $? >status; } | head -c 1000 >out
    assert_equal "$(wc -c <out) $(cat status)" "1000 1"
}
it "a closed stdout ends tnc" closed_output
