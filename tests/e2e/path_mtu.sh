# shellcheck shell=bash
# A path whose MTU drops from 1500 to 576 in the middle of an upload, behind a router of its own:
#
#     tnc -- tun0 -- kernel, NAT -- up0 === inet0 -- the internet, now a router -- far0 === far1 -- "far"
#                                                                             MTU 1500, then 576
#
# The router's ICMP error passes the NAT, or does not, when a firewall swallows it. Nothing on the way merges
# packets (the capture shows what leaves tun0, and the router counts what it refuses) or clamps the MSS.

readonly far=192.0.2.80
readonly far_mtu=576

in_far() { nsenter --net=/run/netns/far "$@"; }

make_far() {
    [ ! -e /run/netns/far ] || return 0
    ip netns add far
    in_internet ip link add far0 type veth peer name far1 netns far
    in_internet ip addr add 192.0.2.1/24 dev far0
    in_internet ip link set far0 up
    in_internet sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
    in_far ip addr add $far/24 dev far1
    in_far ip link set far1 up
    in_far ip route add default via 192.0.2.1
    in_internet nft -f - <<'END'
table ip far {
    counter complaints { }
    chain output {
        type filter hook output priority 0
        icmp type destination-unreachable icmp code 4 counter name complaints jump complaint
    }
    chain complaint { }
}
END
}

# What the router does from now on.
set_far_mtu() {
    in_internet ip link set far0 mtu "$1"
    in_far ip link set far1 mtu "$1"
}
swallow_complaints() { in_internet nft add rule ip far complaint drop; }
router_complains() { # ... as a router does, and has not done so yet
    in_internet nft flush chain ip far complaint
    in_internet nft reset counter ip far complaints >/dev/null
}
router_has_complained() {
    [ "$(in_internet nft list counter ip far complaints | sed -nE 's/.*packets ([0-9]+).*/\1/p')" -gt 0 ]
}

far_port_is_open() { [ -n "$(in_far ss -Hlnt "sport = :$1")" ]; }
start_far_sink() { # PORT
    nsenter --net=/run/netns/far "$peers/peer" $far "$1" sink >peer 2>peer.err &
    wait_until "the far peer listens" far_port_is_open "$1"
}

# Upload two megabytes; between the first and the second the path becomes narrow.
upload_through_narrowing_path() { # PORT
    local sink
    head -c 2000000 "$scratch/www/big" >there
    start_far_sink "$1"
    sink=$!
    mkfifo feed
    exec 5<>feed
    start_tnc -vv --pcapng capture.pcapng $far "$1" <feed 5>&-
    head -c 1000000 there >&5
    wait_until "the first megabyte is there" file_is_larger peer 999999
    set_far_mtu $far_mtu
    tail -c +1000001 there >&5
    exec 5>&-
    expect_end 0 $!
    expect_end 0 "$sink"
    assert_same_hash peer there
    assert_capture_good capture.pcapng complete
    router_has_complained
}

# Full packets before; after the decision (the last row with this comment) none that is too large.
count_of() { run_tshark -r capture.pcapng -Y "$1" | wc -l; }
frame_with_comment() {
    run_tshark -r capture.pcapng -Y "frame.comment contains \"$1\"" -T fields -e frame.number | tail -n 1
}

told_by_icmp() {
    make_far
    set_far_mtu 1500
    router_complains
    upload_through_narrowing_path 9501
    assert_contains err "path MTU of $far_mtu claimed by a router: larger packets were acknowledged"
    assert_contains err "path MTU lowered to $far_mtu: a router has said so, and the segment has timed out (RFC 5927 7.2)"
    if grep "black hole" err; then return 1; fi
    [ "$(count_of "ip.src == $us && ip.len == 1500")" -gt 600 ]
    lowered=$(frame_with_comment "path MTU lowered to $far_mtu")
    assert_equal "$(count_of "ip.src == $us && ip.len > $far_mtu && frame.number > $lowered")" 0
    [ "$(count_of "ip.src == $us && ip.len == $far_mtu && frame.number > $lowered")" -gt 1000 ]
}
it "an upload goes on when the path MTU drops from 1500 to 576 and a router says so" told_by_icmp

found_without_icmp() {
    make_far
    set_far_mtu 1500
    router_complains
    swallow_complaints
    upload_through_narrowing_path 9502
    assert_contains err "black hole suspected, path MTU lowered to 1024: full-sized segments are not answered, and no router complains (RFC 4821 7.7)"
    assert_contains err "black hole suspected, path MTU lowered to 512"
    assert_contains err "path MTU probe of 1500 bytes"
    if grep "claimed by a router\|a router says" err; then return 1; fi
    assert_equal "$(count_of "icmp")" 0
    lowered=$(frame_with_comment "path MTU lowered to 512")
    [ "$(count_of "ip.src == $us && ip.len == 512 && frame.number > $lowered")" -gt 3 ]
}
it "the same where a firewall swallows what the router says" found_without_icmp

believed_at_the_beginning() {
    make_far
    set_far_mtu $far_mtu
    router_complains
    start_far_sink 9503
    # The far end knows its link and would announce a small MSS: this one says what a far network would not.
    in_far ip route replace 198.51.100.0/24 via 192.0.2.1 advmss 1460
    tnc -vv --pcapng capture.pcapng $far 9503 <"$scratch/www/small" >out 2>err
    in_far ip route del 198.51.100.0/24
    wait_until "the peer has seen the end" is_gone $!
    assert_same_hash peer "$scratch/www/small"
    router_has_complained
    assert_contains err "path MTU lowered to $far_mtu: a router says what the next link takes (RFC 1191 6.4)"
    assert_capture_good capture.pcapng complete
}
it "an upload over a narrow path: the router is believed at once" believed_at_the_beginning
