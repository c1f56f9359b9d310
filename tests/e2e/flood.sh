# shellcheck shell=bash
# A SYN flood from addresses that nobody has, through a device of its own (tests/bench/peers/flood.c): who is served
# beside it, and what the stack holds. How fast is scripts/bench's business.

readonly flood_peers=$(dirname "$peers")/bench/peers
victim_says() { sed -nE "s/.*\"$1\": ([0-9]+).*/\1/p" victim; }

start_victim() { # SECONDS SETTING...
    ip link del tun7 2>/dev/null || true # of a run that has failed
    ip tuntap add tun7 mode tun
    ip addr add 10.8.7.1 peer 10.8.7.2 dev tun7
    ip link set tun7 txqueuelen 5000 up
    "$flood_peers/victim" tun7 "$@" >victim 2>&1 &
    victim=$!
    wait_until "the victim listens" file_has victim ready
}

start_flood() { # OPTION...
    "$flood_peers/flood" tun7 10.8.7.2 5001 --rate 5000 "$@" >flood &
    flood=$!
    wait_until "the flood has begun" file_has flood ready
}

end_both() {
    kill -INT $flood $victim
    wait $flood $victim
    ip tuntap del tun7 mode tun
}

# Both bulk connections are there before the flood ends, and the flood before the last of those who knock.
serves_beside_flood() {
    local victim flood sink source
    start_victim 0.5 backlog=16 memory_max_bytes=8388608
    start_flood
    timeout 60 "$flood_peers/kbench" sink 10.8.7.2 5002 >sink &
    sink=$!
    timeout 60 "$flood_peers/kbench" source 10.8.7.2 5003 --bytes 3000001 >source &
    source=$!
    timeout 60 "$flood_peers/knock" 10.8.7.2 5001 200 0.5 20 >knock
    wait $sink $source
    end_both
    assert_contains knock '"served": 200,'
    assert_contains source '"bytes": 3000001, '
    assert_contains source '"failed": 0, '
    assert_contains sink '"failed": 0, '
    [ "$(victim_says memory_bytes)" -le "$(victim_says memory_max_bytes)" ]
    [ "$(victim_says syn_cookies_sent)" -gt 200 ]
    [ "$(victim_says syn_cookies_taken)" -gt 0 ]
}
it "beside a SYN flood all who knock are served, bulk arrives, and memory stays within its limit" serves_beside_flood

# Far beyond syn_cookies_per_s each SYN has to come again, and the kernel's does. The control, which takes turns with the
# flood, is dropped for its address.
serves_those_who_come_again() {
    local victim flood
    start_victim 0.5 backlog=16 syn_cookies_per_s=100
    start_flood --control 10.8.7.3 --turn 100
    timeout 60 "$flood_peers/kbench" source 10.8.7.2 5003 --seconds 0.5 --turn 100 >source &
    timeout 60 "$flood_peers/knock" 10.8.7.2 5001 50 0.5 20 >knock
    wait $!
    end_both
    assert_contains knock '"served": 50,'
    assert_contains source '"failed": 0, '
    assert_matches source '"flood_bytes": [1-9].*"control_bytes": [1-9]'
    assert_matches flood '"taken": [1-9].*"control_taken": [1-9]'
    assert_contains victim "not for our address"
    assert_contains victim "this one is answered when it comes again"
    [ "$(victim_says syn_cookies_sent)" -lt 500 ]
}
it "in a heavy flood all who come again are served, and hardly another SYN is answered" serves_those_who_come_again
