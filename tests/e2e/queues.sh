# shellcheck shell=bash
# tbench --queues: a stack and a thread for each queue of a device of its own, against the kernel's TCP.

readonly queued_tbench=$(dirname "$tnc_program")/tbench
readonly queue_peers=$(dirname "$peers")/bench/peers

make_queues() {
    ip link del tun6 2>/dev/null || true # of a case that has failed
    ip tuntap add tun6 mode tun multi_queue
    ip addr add 10.8.6.1 peer 10.8.6.2 dev tun6
    ip link set tun6 txqueuelen 5000 up
}
remove_queues() { ip tuntap del tun6 mode tun multi_queue; }

start_queues() { # ARGUMENTS of tbench
    "$queued_tbench" "$@" --tun tun6 --queues 2 --json >out 2>err &
    wait_until "tbench listens" file_has err ready
}
# The n-th number of that name in the result: the first is the sum, the others are the queues'.
figure_of() { grep -o "\"$1\": [0-9]*" out | sed -n "$2s/.* //p"; } # NAME N

# All on one of two queues: once in 2^39 times of 40.
shared_by_both() { # NAME SUM
    assert_equal "$(figure_of "$1" 1)" "$2"
    [ "$(figure_of "$1" 2)" -gt 0 ]
    [ "$(figure_of "$1" 3)" -gt 0 ]
    assert_equal $(($(figure_of "$1" 2) + $(figure_of "$1" 3))) "$2"
}

serves_on_queues() {
    local options
    make_queues
    for options in "" --no-offload; do
        # shellcheck disable=SC2086
        start_queues crr -l $options 5001
        timeout 60 "$queue_peers/knock" 10.8.6.2 5001 200 0.2 20 50000 >knock
        assert_contains knock '"served": 200,'
        kill -INT $!
        expect_end 0 $!
        shared_by_both connections 200
        shared_by_both bytes 10000000
        assert_equal "$(figure_of failed 1)" 0
    done
    remove_queues
}
it "200 connections over two queues, every byte right, each queue serves some" serves_on_queues

bulk_on_queues() {
    local i server
    make_queues
    start_queues sink -l 5001
    server=$!
    for i in $(seq 12); do timeout 60 "$queue_peers/kbench" source 10.8.6.2 5001 --bytes 300001 >"client$i" & done
    for i in $(seq 12); do wait_until "client $i has sent all" file_has "client$i" '"bytes": 300001,'; done
    kill -INT $server
    expect_end 0 $server
    assert_equal "$(figure_of bytes 1)" 3600012
    assert_equal "$(figure_of connections 1)" 12
    assert_equal "$(figure_of failed 1)" 0
    remove_queues
}
it "a server of bulk takes several connections on two queues" bulk_on_queues

calls_from_queues() {
    local mode
    make_queues
    "$queue_peers/kbench" -l crr 10.8.6.1 5001 >peer 2>&1 &
    wait_until "kbench listens" file_has peer ready
    for mode in crr cc; do
        "$queued_tbench" $mode --tun tun6 --queues 2 --bytes 300 --json 10.8.6.1 5001 >out 2>err ||
            ! grep -q CAP_BPF err || { remove_queues && skip "the kernel wants CAP_BPF for our own calls"; }
        shared_by_both transactions 600
        assert_equal "$(figure_of failed 1)" 0
    done
    remove_queues
}
it "what two queues open comes back to them" calls_from_queues

readonly without_bpf=(setpriv --bounding-set=-bpf,-sys_admin --inh-caps=-bpf,-sys_admin)

# The kernel's own rule is enough for what it opens itself.
serves_without_bpf() {
    [ "$(cat /proc/sys/kernel/unprivileged_bpf_disabled 2>/dev/null)" != 0 ] || skip "here everybody may load such programs"
    "${without_bpf[@]}" true || skip "no capability can be given up here"
    make_queues
    "${without_bpf[@]}" "$queued_tbench" crr -l --tun tun6 --queues 2 --json 5001 >out 2>err &
    wait_until "tbench listens" file_has err ready
    timeout 60 "$queue_peers/knock" 10.8.6.2 5001 200 0.2 20 50000 >knock
    assert_contains knock '"served": 200,'
    kill -INT $!
    expect_end 0 $!
    shared_by_both connections 200
    expect_status 3 "${without_bpf[@]}" "$queued_tbench" crr --tun tun6 --queues 2 --bytes 10 10.8.6.1 5001 >out 2>err
    assert_empty out
    assert_one_line err
    assert_contains err CAP_BPF
    remove_queues
}
it "without CAP_BPF a server has its queues all the same, and a client says what it lacks" serves_without_bpf

refuses_queues() {
    local word arguments
    while IFS='|' read -r word arguments; do
        # shellcheck disable=SC2086
        expect_status 2 "$queued_tbench" $arguments >out 2>err </dev/null
        assert_empty out
        assert_contains <(head -n 1 err) "$word"
    done <<'END'
--queues '0'|crr -l --queues 0 5001
--queues '65'|crr -l --queues 65 5001
idle counts|idle -l --queues 2 5001
-v shows|crr -l -v --queues 2 5001
--pcapng writes|crr -l --pcapng x.pcapng --queues 2 5001
END
    expect_status 3 "$queued_tbench" crr -l --queues 2 5001 2>err # tun0 has one
    assert_one_line err
}
it "--queues says what it cannot do, and a device of one queue is none of several" refuses_queues
