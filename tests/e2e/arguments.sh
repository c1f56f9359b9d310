# shellcheck shell=bash
# Whatever is wrong with the arguments or the machine: one clear line (and a hint about the usage for the
# arguments), nothing on stdout, and the right exit code: 2 for the arguments, 3 for the machine.

# A table: what the line must contain, arguments.
wrong_arguments() {
    local word arguments
    while IFS='|' read -r word arguments; do
        # shellcheck disable=SC2086
        expect_status 2 tnc $arguments >out 2>err </dev/null
        assert_empty out
        assert_equal "$(wc -l <err)" 2
        assert_contains <(head -n 1 err) "$word"
        assert_contains <(tail -n 1 err) "usage: "
    done <<'END'
no host|
--no-such-option|--no-such-option google.com 80
-Y|-Y google.com 80
needs a value|google.com 80 -w
no port|google.com
65536|--lab google.com 65536
'0'|--lab google.com 0
-5|--lab google.com -- -5
80x|--lab google.com 80x
nosuchservice|--lab google.com nosuchservice
90-80|--lab -z google.com 90-80
81|--lab google.com 80 81
-z|--lab google.com 80-81
1.2.3.256|--lab google.com 80 --dns 1.2.3.256
-w|--lab -w minus google.com 80
loss|--lab --impair loss google.com 80
speed=5|--lab --impair speed=5 google.com 80
nosuch|--lab=nosuch google.com 80
--mss|--lab --mss 0 google.com 80
--mss|--lab --mss 70000 google.com 80
windows|--lab --syn-style windows google.com 80
mauve|--lab --color=mauve google.com 80
--seed|--lab --seed one google.com 80
do you mean rto_min or rto_max or uto_min; --set list shows all|--lab --set rto_mni=1 google.com 80
not a time from 1ms to 8760h|--lab --set rto_min=0 google.com 80
not off or on|--lab --set nagle=maybe google.com 80
NAME=VALUE|--lab --set nagle google.com 80
--get|--lab --get page google.com 80
END
}
it "wrong arguments: one line and a usage hint, nothing on stdout, exit 2" wrong_arguments

help() {
    tnc --help >out 2>err
    assert_empty err
    for option in -l -u -v -z -w -i -N -k -n --lab --get --tun --dns --pcapng --seed --impair --mss --set --color; do
        assert_contains out "$option"
    done
}
it "--help names every option on stdout" help

settings() {
    tnc --set list >out 2>err
    assert_empty err
    assert_matches out '^rto_min_us +200ms +1ms to 8760h +least retransmission time-out$'
}
it "--set list shows every setting with default and limits on stdout" settings

as_other() { setpriv --reuid=65534 --regid=65534 --clear-groups timeout 20 "$@"; }
needs_other_user() { as_other true 2>/dev/null || skip "this user namespace has no second user"; }

absent_device() {
    needs_other_user
    cp "$tnc_program" "$scratch/tnc"
    expect_status 3 as_other "$scratch/tnc" --tun absent0 $web 80 >out 2>err </dev/null
    assert_empty out
    assert_one_line err
    assert_contains err scripts/setup
}
it "an absent device: one line that names scripts/setup, exit 3" absent_device

no_permission() {
    needs_other_user
    cp "$tnc_program" "$scratch/tnc"
    expect_status 3 as_other "$scratch/tnc" $web 80 >out 2>err </dev/null
    assert_one_line err
    assert_matches err 'permission|permitted|owner'
}
it "a device of somebody else: one line, exit 3" no_permission

own_device() {
    needs_other_user
    as_other test -w /dev/net/tun || skip "/dev/net/tun is root's alone in this user namespace"
    cp "$tnc_program" "$scratch/tnc"
    SUDO_USER=nobody "$root/scripts/setup" tun5
    expect_status 0 as_other "$scratch/tnc" --tun tun5 --get / google.com 80 >out
    "$root/scripts/setup" --undo tun5
    assert_contains out "<h1>Google</h1>"
}
it "the owner of the device needs no root" own_device

device_down() {
    ip tuntap add dev tun6 mode tun
    expect_status 3 tnc --tun tun6 $web 80 >out 2>err </dev/null
    assert_one_line err
    assert_contains err "ip link set tun6 up"
    ip link set tun6 up
    expect_status 3 tnc --tun tun6 $web 80 >out 2>err </dev/null
    assert_one_line err
    assert_contains err address
    ip tuntap del dev tun6 mode tun
}
it "a device that is down, or has no address: one line that says so, exit 3" device_down

wrong_kind() {
    expect_status 3 tnc --tun up0 $web 80 >out 2>err </dev/null
    assert_one_line err
}
it "a device that is no TUN device: one line, exit 3" wrong_kind

unwritable_capture() {
    expect_status 3 tnc --lab --pcapng /nowhere/x.pcapng --get / google.com 80 >out 2>err </dev/null
    assert_one_line err
    assert_contains err /nowhere/x.pcapng
}
it "a capture that cannot be written: one line, exit 3" unwritable_capture

full_disk() {
    local status=0
    tnc --lab --pcapng /dev/full --get / google.com 80 >out 2>err </dev/null || status=$?
    [ $status -ne 0 ]
    assert_one_line err
}
it "a full disk under the capture is reported" full_disk
