# shellcheck shell=bash
# Two ends of a connection: our stack and the kernel's, with nothing between them but the device
#
#     our_end.c: 10.0.0.2 -- tun0 -- 10.0.0.1: kernel_end.c
#
# They live in a network namespace of their own, "pair", whose sysctls and packet filter a case may change,
# and do what they are told, line by line; orders.h has the orders:
#
#     start_ends                              both are there; our packets go to capture.pcapng, rows to trace
#     us "write 100" "wrote 100"              an order, and the answer to wait for
#     kernel "read 100"                       an order alone; its answer is waited for by ...
#     kernel_says "read 100"
#     end_ends                                both end well, and the capture is good

in_pair() { nsenter --net=/run/netns/pair "$@"; }
in_pair_start() { nsenter --net=/run/netns/pair "$@" <&0 & }

# A new one for each start: no setting, rule or TIME-WAIT of another case is in it. The kernel is to answer every
# keep-alive, where it would answer one in half a second.
make_pair() {
    [ ! -e /run/netns/pair ] || ip netns del pair
    ip netns add pair
    in_pair sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null || true # where there is any
    in_pair ip link set lo up
    in_pair ip tuntap add dev tun0 mode tun
    in_pair ip addr add "$kernel/24" dev tun0
    in_pair ip link set tun0 txqueuelen 1000 up
    kernel_setting invalid_ratelimit 0
}
kernel_setting() { in_pair sh -c "echo $2 >/proc/sys/net/ipv4/tcp_$1"; } # NAME VALUE

# From now on the kernel drops what comes from us: `drop_ours "tcp flags fin"`; or no longer.
drop_ours() { # [MATCH]
    in_pair nft -f - <<END
table ip pair {
    chain in {
        type filter hook input priority 0
        ip saddr $us ${1:-} drop
    }
}
END
}
drop_nothing() { in_pair nft flush ruleset; }

start_ends() { # OPTIONS of our_end
    make_pair
    mkfifo us.orders us.answers kernel.orders kernel.answers
    exec 5<>us.orders 6<>us.answers 7<>kernel.orders 8<>kernel.answers
    in_pair_start "$peers/our_end" "${without_offload[@]}" --pcapng capture.pcapng "$@" "$kernel" <&5 >&6 2>trace
    our_pid=$!
    in_pair_start "$peers/kernel_end" "$us" <&7 >&8 2>kernel.err
    kernel_pid=$!
    us_says ready
    kernel_says ready
}

us() { # ORDER [ANSWER]
    echo "$1" >&5
    [ -z "${2:-}" ] || us_says "$2"
}
kernel() { # ORDER [ANSWER]
    echo "$1" >&7
    [ -z "${2:-}" ] || kernel_says "$2"
}
us_says() { read_answer 6 "$1"; }
kernel_says() { read_answer 8 "$1"; }

read_answer() { # FD ANSWER
    local is
    read -r -t 20 -u "$1" is || { echo "no answer; it should be: $2" && tail -n 20 trace kernel.err && return 1; }
    [ "$is" = "$2" ] || { assert_equal "$is" "$2" || tail -n 20 trace && return 1; }
}

end_ends() { # "complete", see assert_capture_good
    us quit
    kernel quit
    expect_end 0 "$our_pid"
    expect_end 0 "$kernel_pid"
    assert_capture_good capture.pcapng "$@"
}

# The connection as `ss` sees it: `kernel_is closing`. In SYN-RECEIVED etc. the names are those of ss.
kernel_is() { [ -n "$(in_pair ss -Htn state "$1" dst "$us")" ]; }

trace_has() { # TEXT [N]: at least so many rows
    [ "$(grep -cF -- "$1" trace)" -ge "${2:-1}" ]
}

# The states that our end has been in, one after the other.
assert_states() { # "SYN-SENT ESTABLISHED ..."
    assert_equal "$(sed -nE 's/^ *· [A-Z0-9-]+ -> ([A-Z0-9-]+):.*/\1/p' trace | tr '\n' ' ')" "$1 "
}

packets() { run_tshark -r capture.pcapng -Y "$1"; } # FILTER
assert_some() { [ -n "$(packets "$1")" ] || { echo "no packet is: $1" && return 1; }; }
assert_none() { [ -z "$(packets "$1")" ] || { echo "there should be no: $1" && packets "$1" | head && return 1; }; }

# ---- what many cases have in common

open_actively() {
    kernel "listen 9000" listens
    kernel accept
    us "connect 9000" opens
    us "await ESTABLISHED" "in ESTABLISHED"
    kernel_says accepted
}

open_passively() {
    us "listen 9000" listens
    us accept
    kernel "connect 9000" connected
    us_says accepted
}

exchange_bytes() { # N
    us "write $1"
    kernel "read $1" "read $1"
    us_says "wrote $1"
    kernel "write $1"
    us "read $1" "read $1"
    kernel_says "wrote $1"
}

# The side that closes first is in TIME-WAIT afterwards.
we_close_first() {
    us shutdown "shut down"
    kernel read-end end
    kernel close closed
    us read-end end
    us "await TIME-WAIT" "in TIME-WAIT"
}
