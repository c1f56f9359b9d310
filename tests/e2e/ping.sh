# shellcheck shell=bash
# The kernel pings our stack, with sizes below and above the MTU: echo replies, and both ends' fragments.

ping_of() { # SIZE
    start_listener -l --pcapng capture.pcapng 8201 </dev/null
    ping -c 5 -i 0.1 -W 2 -s "$1" $us >ping
    kill -INT $!
    wait_until "tnc ends" is_gone $!
    assert_contains ping "5 packets transmitted, 5 received, 0% packet loss"
    assert_capture_good capture.pcapng
}
ping_small() { ping_of 56; }
ping_of_no_bytes() { ping_of 0; }
ping_in_fragments() { ping_of 3000; }
ping_large() { ping_of 8000; }
it "ping with 56 bytes is answered" ping_small
it "ping with no bytes is answered" ping_of_no_bytes
it "ping with 3000 bytes, in fragments, is answered" ping_in_fragments
it "ping with 8000 bytes, in fragments, is answered" ping_large

ping_flood() {
    start_listener -l 8202 </dev/null
    ping -f -c 5000 -W 2 -q $us >ping
    assert_contains ping " 0% packet loss"
}
it "5000 pings as fast as they are answered are all answered" ping_flood
