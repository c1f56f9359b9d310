# shellcheck shell=bash
# Many bytes, each of them right: against nginx and the kernel's TCP, in both directions, also at once.
# 104,857,600 random bytes compared by SHA-256.

download() {
    limit=120 tnc --get /big google.com 80 2>err | http_body >body
    assert_same_hash body "$scratch/www/big"
    assert_empty err
}
it "100 MB from nginx arrive right" download

upload() {
    start_peer 9002 sink
    limit=120 tnc peer.example 9002 <"$scratch/www/big" >out 2>err
    wait_until "the peer has seen the end" is_gone $!
    assert_same_hash peer "$scratch/www/big"
    assert_empty out
}
it "100 MB to the kernel arrive right" upload

nc_upload() {
    in_internet_start nc -l -n $peer 9003 >got </dev/null
    wait_until "nc listens" port_is_open 9003
    tnc -n $peer 9003 <"$scratch/www/small"
    wait_until "nc has seen the end" is_gone $!
    assert_same got "$scratch/www/small"
}
it "a megabyte to the kernel's nc arrives right" nc_upload

both_ways() {
    head -c 20000000 "$scratch/www/big" >there
    tail -c 20000000 "$scratch/www/big" >back
    start_peer 9004 exchange <back
    limit=60 tnc -n $peer 9004 <there >out
    wait_until "the peer has seen the end" is_gone $!
    assert_same_hash peer there
    assert_same_hash out back
}
it "20 MB in each direction at once arrive right" both_ways

closed_window() {
    head -c 20000000 "$scratch/www/big" >there
    mkfifo go
    exec 5<>go
    start_peer 9005 pause <go
    start_tnc --pcapng capture.pcapng $peer 9005 <there
    # The reader reads only after our stack has found the window closed and probed it.
    wait_until "a window of 0 is in the capture" window_is_closed
    echo >&5
    expect_end 0 $!
    assert_same_hash peer there
    assert_capture_good capture.pcapng complete
}
window_is_closed() { [ -n "$(tshark -r capture.pcapng -Y 'tcp.analysis.zero_window' 2>/dev/null)" ]; }
it "a reader that pauses closes the window, and all arrives when it goes on" closed_window

small_writes() {
    start_peer 9006 sink
    for i in $(seq 500); do echo "line $i"; done >should
    while IFS= read -r line; do echo "$line"; done <should | tnc --pcapng capture.pcapng $peer 9006
    wait_until "the peer has seen the end" is_gone $!
    assert_same peer should
    assert_capture_good capture.pcapng complete
}
it "500 small writes arrive in order" small_writes
