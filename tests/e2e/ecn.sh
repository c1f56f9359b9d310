# shellcheck shell=bash
# Explicit Congestion Notification, RFC 3168, against the kernel's TCP (lib_ends.sh). The router that marks is the
# packet filter of the pair's namespace: some of the packets that may be marked become CE.

# Of what comes from this address every 20th packet that is ECN-capable is marked on its way.
mark() { # ADDRESS
    local hook=input
    [ "$1" = "$us" ] || hook=output
    in_pair nft -f - <<END
table ip router {
    counter marked { }
    chain marks {
        type filter hook $hook priority -300
        ip saddr $1 ip ecn ect0 numgen inc mod 20 == 7 counter name marked ip ecn set ce
    }
}
END
}
assert_marked() { # at least so many
    local count
    count=$(in_pair nft list counter ip router marked | sed -nE 's/.*packets ([0-9]+).*/\1/p')
    [ "$count" -ge "$1" ] || { echo "marked: $count" && return 1; }
}

readonly syn_offers="tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.flags.ece == 1 && tcp.flags.cwr == 1"
readonly syn_ack_accepts="tcp.flags.syn == 1 && tcp.flags.ack == 1 && tcp.flags.ece == 1 && tcp.flags.cwr == 0"
readonly ece="tcp.flags.syn == 0 && tcp.flags.ece == 1"
readonly cwr="tcp.flags.syn == 0 && tcp.flags.cwr == 1"

start_with_ecn() { # ENDS' way to open
    start_ends --set ecn=on
    kernel_setting ecn 1
    "$1"
}

assert_negotiated() { # who opens, who answers
    assert_some "$syn_offers && ip.src == $1"
    assert_some "$syn_ack_accepts && ip.src == $2"
    # 6.1.5: a SYN, and an acknowledgment alone, are not ECN-capable
    assert_none "ip.dsfield.ecn != 0 && (tcp.flags.syn == 1 || tcp.len == 0)"
}

# The sender hears of the marks of its data, gives way, and says so; and then the echo ends.
assert_answered() { # SENDER RECEIVER
    assert_some "ip.src == $1 && ip.dsfield.ecn == 2 && tcp.len > 0"
    assert_some "$ece && ip.src == $2"
    assert_some "$cwr && ip.src == $1 && tcp.len > 0"
    [ "$(packets "ip.src == $2 && tcp.flags.ack == 1" | wc -l)" -gt "$(packets "$ece && ip.src == $2" | wc -l)" ]
}

our_data_is_marked() {
    start_with_ecn open_actively
    mark "$us"
    exchange_bytes 3000000
    assert_marked 3
    we_close_first
    end_ends complete
    assert_negotiated "$us" "$kernel"
    assert_answered "$us" "$kernel"
    trace_has "the peer echoes congestion (ECE) (RFC 3168 6.1.2)" # CWR says that the window is smaller
    assert_none "tcp.analysis.retransmission && ip.src == $us"
}
it "marks on our data are echoed by the kernel, we reduce the window and say so, and nothing is sent twice" our_data_is_marked

kernels_data_is_marked() {
    start_with_ecn open_passively
    mark "$kernel"
    exchange_bytes 3000000
    assert_marked 3
    we_close_first
    end_ends complete
    assert_negotiated "$kernel" "$us"
    assert_answered "$kernel" "$us"
    assert_some "ip.src == $kernel && ip.dsfield.ecn == 3" # as it came to us
    trace_has "a router marked the packet (CE)"
    assert_none "tcp.analysis.retransmission && ip.src == $kernel"
}
it "marks on the kernel's data are echoed by us until it says that it has given way" kernels_data_is_marked

kernel_declines() {
    start_ends --set ecn=on
    kernel_setting ecn 0
    open_actively
    mark "$us"
    exchange_bytes 1000000
    assert_marked 0
    we_close_first
    end_ends complete
    assert_some "$syn_offers && ip.src == $us"
    assert_none "ip.dsfield.ecn != 0 || $ece || $cwr"
}
it "a kernel that declines gets no ECN-capable packet" kernel_declines
