# shellcheck shell=bash
# What either end can leave out, and small segments: a megabyte each way, every byte compared, against the
# kernel's TCP (lib_ends.sh).

exchange_and_close() {
    exchange_bytes 1000000
    we_close_first
    end_ends complete
}

# ---- options: one counts only if both SYNs have it, so it is left out by our end, by a kernel that listens, and by
# one that connects

# The first SYN may offer it, nothing that follows has it.
assert_absent() { # FILTER
    assert_none "($1) && !(tcp.flags.syn == 1 && tcp.flags.ack == 0)"
}

we_leave_out() { # FLAG FILTER [OPTIONS of our end]
    start_ends "--no-$1" "${@:3}"
    open_actively
    exchange_and_close
    assert_none "($2) && ip.src == $us"
    assert_absent "$2"
}

kernel_leaves_out() { # SYSCTL FILTER [OPTIONS of our end]
    local open
    for open in open_actively open_passively; do
        start_ends "${@:3}"
        kernel_setting "$1" 0
        $open
        exchange_and_close
        assert_absent "$2"
        rm capture.pcapng ./*.orders ./*.answers
    done
}

readonly timestamps_seen="tcp.options.timestamp.tsval"
readonly scaling_seen="tcp.options.wscale.shift || tcp.window_size > 65535"
readonly sack_seen="tcp.options.sack_perm || tcp.options.sack_le"
# Without losses there would be nothing to acknowledge selectively.
readonly losses=(--impair "loss 2%" --seed 7)

we_leave_out_timestamps() { we_leave_out timestamps "$timestamps_seen"; }
it "without timestamps on our side all arrives, and nobody sends one" we_leave_out_timestamps
kernel_leaves_out_timestamps() { kernel_leaves_out timestamps "$timestamps_seen"; }
it "without timestamps on the kernel's side all arrives, and nobody sends one" kernel_leaves_out_timestamps

we_leave_out_scaling() { we_leave_out window-scaling "$scaling_seen"; }
it "without window scaling on our side all arrives through windows below 64 KB" we_leave_out_scaling
kernel_leaves_out_scaling() { kernel_leaves_out window_scaling "$scaling_seen"; }
it "without window scaling on the kernel's side all arrives through windows below 64 KB" kernel_leaves_out_scaling

we_leave_out_sack() { we_leave_out sack "$sack_seen" "${losses[@]}"; }
it "without SACK on our side all arrives, losses included" we_leave_out_sack
kernel_leaves_out_sack() { kernel_leaves_out sack "$sack_seen" "${losses[@]}"; }
it "without SACK on the kernel's side all arrives, losses included" kernel_leaves_out_sack

with_everything() {
    start_ends "${losses[@]}"
    open_actively
    exchange_and_close
    local from
    for from in $us $kernel; do
        assert_some "$timestamps_seen && ip.src == $from && tcp.len > 0"
        assert_some "tcp.window_size > 65535 && ip.src == $from"
        assert_some "tcp.options.sack_le && ip.src == $from"
    done
}
it "with all options both ends use them" with_everything

# ---- small segments: the text of a full one is the MSS less the 12 bytes of the timestamps (MUST-16)

assert_full_segments() { # BYTES
    local from
    for from in $us $kernel; do
        assert_equal "$from $(run_tshark -r capture.pcapng -Y "ip.src == $from" -T fields -e tcp.len | sort -n | tail -n 1)" "$from $1"
    done
}

our_mss() { # MSS
    start_ends --mss "$1"
    open_actively
    exchange_and_close
    assert_full_segments $(($1 - 12))
}
our_mss_536() { our_mss 536; }
it "--mss 536 holds for both directions" our_mss_536
our_mss_88() { our_mss 88; }
it "--mss 88 holds for both directions" our_mss_88

kernels_mss() { # MSS
    start_ends
    kernel "set maxseg $1" set
    open_actively
    exchange_and_close
    assert_full_segments $(($1 - 12))
}
kernels_mss_536() { kernels_mss 536; }
it "the kernel's MSS of 536 holds for both directions" kernels_mss_536
kernels_mss_88() { kernels_mss 88; }
it "the kernel's MSS of 88 holds for both directions" kernels_mss_88
