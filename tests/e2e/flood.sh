# shellcheck shell=bash
# A SYN flood from addresses that nobody has, through a device of its own (tests/bench/peers/flood.c): who is served
# beside it, and what the stack holds. How fast is scripts/bench's business.

readonly flood_peers=$(dirname "$peers")/bench/peers
victim_says() { sed -nE "s/.*\"$1\": ([0-9]+).*/\1/p" victim; }

# Both bulk connections are there before the flood ends, and the flood before the last of those who knock.
serves_beside_flood() {
    local victim flood sink source
    ip link del tun7 2>/dev/null || true # of a run that has failed
    ip tuntap add tun7 mode tun
    ip addr add 10.8.7.1 peer 10.8.7.2 dev tun7
    ip link set tun7 txqueuelen 5000 up
    "$flood_peers/victim" tun7 0.5 backlog=16 memory_max_bytes=8388608 >victim 2>&1 &
    victim=$!
    wait_until "the victim listens" file_has victim ready
    "$flood_peers/flood" tun7 10.8.7.2 5001 --rate 5000 >flood &
    flood=$!
    wait_until "the flood has begun" file_has flood ready
    timeout 60 "$flood_peers/kbench" sink 10.8.7.2 5002 >sink &
    sink=$!
    timeout 60 "$flood_peers/kbench" source 10.8.7.2 5003 --bytes 3000001 >source &
    source=$!
    timeout 60 "$flood_peers/knock" 10.8.7.2 5001 200 0.5 20 >knock
    wait $sink $source
    kill -INT $flood $victim
    wait $flood $victim
    assert_contains knock '"served": 200,'
    assert_contains source '"bytes": 3000001, '
    assert_contains source '"failed": 0, '
    assert_contains sink '"failed": 0, '
    [ "$(victim_says memory_bytes)" -le "$(victim_says memory_max_bytes)" ]
    [ "$(victim_says syn_cookies_sent)" -gt 200 ]
    [ "$(victim_says syn_cookies_taken)" -gt 0 ]
    ip tuntap del tun7 mode tun
}
it "beside a SYN flood all who knock are served, bulk arrives, and memory stays within its limit" serves_beside_flood
