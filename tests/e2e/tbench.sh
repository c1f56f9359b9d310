# shellcheck shell=bash
# tbench in each of its modes, as server and as client, against the kernel's TCP (tests/bench/peers/kbench.c)
# on tun0, for small fixed amounts. How fast it is is none of this file's business.

readonly tbench_program=$(dirname "$tnc_program")/tbench
readonly bench_peers=$(dirname "$peers")/bench/peers

tbench() { timeout -k 5 "${limit:-30}" "$tbench_program" "$@"; }
kbench() { timeout -k 5 30 "$bench_peers/kbench" "$@"; }

# What an option of --json says.
json_of() { sed -nE "s/.*\"$2\": \"?([^\",}]*).*/\1/p" "$1"; }
assert_json() { # FILE: one object on one line
    assert_one_line "$1"
    assert_matches "$1" '^\{("[a-z_]+": ("[a-z]+"|true|false|[0-9]+(\.[0-9]+)?)(, )?)+\}$'
}
# FILE NAME VALUE...: pairs that the object must hold
assert_members() {
    local file=$1
    shift
    while [ $# -gt 0 ]; do
        assert_equal "$1 $(json_of "$file" "$1")" "$1 $2"
        shift 2
    done
}

start_tbench() { # ARGUMENTS
    "$tbench_program" "$@" >out 2>err &
    wait_until "tbench listens" file_has err ready
}
start_kbench() { # MODE [OPTIONS]
    "$bench_peers/kbench" -l "$1" $kernel 5001 "${@:2}" >peer 2>&1 &
    wait_until "kbench listens" file_has peer ready
}

serves_bulk() {
    local options
    for options in "" --zero-copy --no-offload "--no-offload --zero-copy"; do
        # shellcheck disable=SC2086
        start_tbench sink -l --json $options 5001
        kbench source $us 5001 --bytes 3000001 >client
        expect_end 0 $!
        assert_json out
        assert_members out mode sink bytes 3000001 failed 0 connections 1
        assert_members client bytes 3000001 failed 0
        # shellcheck disable=SC2086
        start_tbench source -l --bytes 3000001 --json $options 5001
        kbench sink $us 5001 >client
        expect_end 0 $!
        assert_json out
        assert_members out mode source bytes 3000001 failed 0
        assert_members client bytes 3000001 failed 0
    done
}
it "tbench serves sink and source, byte for byte, with and without copies and offload" serves_bulk

serves_many() {
    start_tbench echo -l --json 5001
    kbench echo $us 5001 --bytes 500 >client
    expect_end 0 $!
    assert_members out mode echo bytes 500 failed 0
    assert_members client transactions 500 failed 0
    for mode in crr cc; do
        start_tbench $mode -l --json 5001
        kbench $mode $us 5001 --bytes 300 --connections 20 >client
        assert_members client transactions 300 failed 0
        kill -INT $!
        expect_end 0 $!
        assert_json out
        assert_members out mode $mode connections 300 failed 0
    done
}
it "tbench serves echo, crr and cc, and no connection fails" serves_many

asks_each() {
    start_kbench sink
    tbench source --bytes 3000001 --json $kernel 5001 >out
    assert_members out mode source bytes 3000001 failed 0
    end_background
    start_kbench source --bytes 3000001
    tbench sink --json $kernel 5001 >out
    assert_members out mode sink bytes 3000001 failed 0
    end_background
    start_kbench echo
    tbench echo --bytes 500 --json $kernel 5001 >out
    assert_members out mode echo transactions 500 failed 0
    end_background
    start_kbench crr
    tbench crr --bytes 300 --json $kernel 5001 >out
    assert_members out mode crr transactions 300 failed 0
    tbench cc --bytes 300 --json $kernel 5001 >out
    assert_members out mode cc transactions 300 failed 0
    tbench cc --bytes 300 $kernel 5001 >out
    assert_matches out '^cc: 300 in [0-9.]+ s, [0-9]+ /s, 0 failed; CPU [0-9.]+ s$'
}
it "tbench asks in each mode, and gets what it asked for" asks_each

holds_idle() {
    local server
    start_tbench idle -l --connections 1000 --seconds 200ms --json 5001
    server=$!
    "$bench_peers/kbench" idle $us 5001 --connections 1000 >client &
    expect_end 0 $server
    assert_contains client "ready 1000"
    assert_json out
    assert_members out mode idle connections 1000 failed 0
    [ "$(json_of out bytes_per_connection)" -gt 100 ]
    end_background
    start_kbench idle
    tbench idle --connections 500 --seconds 100ms --json $kernel 5001 >out
    assert_members out mode idle connections 500 failed 0
}
it "tbench holds idle connections and counts what they take" holds_idle

refused() {
    expect_status 1 tbench cc --bytes 10 --json $kernel 5001 >out 2>err
    assert_contains err "connection refused"
    assert_json out
    assert_members out transactions 0
}
it "tbench says why its connections fail, exit 1" refused

tbench_arguments() {
    local word arguments
    while IFS='|' read -r word arguments; do
        # shellcheck disable=SC2086
        expect_status 2 tbench $arguments >out 2>err </dev/null
        assert_empty out
        assert_equal "$(wc -l <err)" 2
        assert_contains <(head -n 1 err) "$word"
        assert_contains <(tail -n 1 err) "usage: "
    done <<'END'
no mode|
'swim' is no mode|swim 10.0.0.1 5001
the address is missing|sink
the port is missing|sink 10.0.0.1
the port is missing|sink -l
one word too many|sink -l 10.0.0.2 5001
one word too many|sink 10.0.0.1 5001 5002
'google.com' is not an address|sink google.com 5001
70000|sink 10.0.0.1 70000
--bytes 'x'|source --bytes x 10.0.0.1 5001
--connections '0'|cc --connections 0 10.0.0.1 5001
--seconds '0'|cc --seconds 0 10.0.0.1 5001
needs a value|cc 10.0.0.1 5001 --seconds
-x is not an option|cc -x 10.0.0.1 5001
--lab|cc --lab 10.0.0.1 5001
do you mean rto_min|cc --set rto_mni=1 10.0.0.1 5001
END
}
it "wrong arguments of tbench: one line and a usage hint, nothing on stdout, exit 2" tbench_arguments

tbench_help() {
    tbench --help >out 2>err
    assert_empty err
    for option in sink source echo crr cc idle --bytes --seconds --connections --zero-copy --json --no-offload --spin --set; do
        assert_contains out "$option"
    done
}
it "tbench --help names every mode and option on stdout" tbench_help

# The yardstick of scripts/bench: it has to be right before it is fast.
yardstick() {
    local options
    ip tuntap add tun8 mode tun
    ip addr add 10.8.8.1 peer 10.8.8.2 dev tun8
    ip link set tun8 txqueuelen 5000 up
    for options in "--copies 0" "--copies 1" --plain "--plain --copies 1"; do
        # shellcheck disable=SC2086
        "$bench_peers/ceiling" tun8 5001 sink $options >ceiling 2>&1 &
        wait_until "the ceiling is there" file_has ceiling ready
        kbench source 10.8.8.2 5001 --bytes 3000001 >client
        assert_members client bytes 3000001 failed 0
        end_background
        # shellcheck disable=SC2086
        "$bench_peers/ceiling" tun8 5001 source --seconds 0.05 $options >ceiling 2>&1 &
        wait_until "the ceiling is there" file_has ceiling ready
        kbench sink 10.8.8.2 5001 >client
        assert_members client failed 0
        end_background
        # shellcheck disable=SC2086
        "$bench_peers/ceiling" tun8 5001 echo $options >ceiling 2>&1 &
        wait_until "the ceiling is there" file_has ceiling ready
        kbench echo 10.8.8.2 5001 --bytes 100 >client
        assert_members client transactions 100 failed 0
        kbench crr 10.8.8.2 5001 --bytes 200 >client
        assert_members client transactions 200 failed 0
        end_background
    done
    ip tuntap del tun8 mode tun
}
it "the ceiling answers the kernel in each mode, with and without offload" yardstick
