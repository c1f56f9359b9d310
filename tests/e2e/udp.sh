# shellcheck shell=bash
# Datagrams, both ways, and what comes back from ports on which nobody listens.

to_the_kernel() {
    in_internet_start "$peers/peer" $peer 9101 udp-answers 2
    wait_until "the peer is there" udp_port_is_open 9101
    mkfifo lines
    exec 5<>lines
    start_tnc -u -i 2 --pcapng capture.pcapng peer.example 9101 <lines
    echo one >&5
    wait_until "the first answer" file_has out ONE
    echo two >&5
    wait_until "the second answer" file_has out TWO
    exec 5>&-
    assert_equal "$(cat out)" "$(printf 'ONE\nTWO')"
    expect_end 1 $! # a datagram socket has no end: -i makes one
    assert_capture_good capture.pcapng
}
it "tnc -u sends datagrams and prints the answers" to_the_kernel

from_the_kernel() {
    mkfifo lines
    exec 5<>lines
    start_listener -u -l 8101 <lines
    exec 6<>/dev/udp/$us/8101
    echo hello >&6
    wait_until "the datagram is heard" file_has out hello
    echo "and back" >&5
    assert_equal "$(timeout 5 dd bs=100 count=1 status=none <&6)" "and back"
}
it "tnc -u -l hears a datagram and answers its sender" from_the_kernel

our_closed_port() {
    start_listener -l --pcapng capture.pcapng 8102 </dev/null
    exec 6<>/dev/udp/$us/8103
    echo anybody >&6
    # The kernel reports the ICMP error on the next call: reading fails instead of waiting.
    if timeout 5 cat <&6 2>err.cat; then return 1; fi
    assert_matches err.cat refused
    kill -INT $!
    wait_until "tnc ends" is_gone $!
    assert_matches <(info_of capture.pcapng) 'Destination unreachable \(Port unreachable\)'
    assert_capture_good capture.pcapng
}
it "a datagram to a closed port of ours is answered with ICMP port unreachable" our_closed_port

their_closed_port() {
    echo anybody | expect_status 1 tnc -u -w 5 $peer 9102 >out 2>err
    assert_matches err refused
}
it "a datagram to a closed port of theirs: refused, exit 1" their_closed_port

fragments() {
    head -c 6000 "$scratch/www/big" | base64 -w 0 >there
    start_listener -u -l 8104 </dev/null
    # bash writes a line in one datagram of 8001 bytes: six fragments.
    exec 6<>/dev/udp/$us/8104
    in_one_write there >&6
    wait_until "all of it is there" file_is_larger out 7999
    assert_equal "$(head -c 8000 out)" "$(cat there)"
}
in_one_write() { dd if="$1" bs=65507 status=none; }
it "a datagram of 8000 bytes arrives whole from its fragments" fragments
