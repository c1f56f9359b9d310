# shellcheck shell=bash
# scripts/setup: what it makes, that a second run changes nothing, and that --undo restores what was found.

# Everything that a set-up may change, as text.
state_of_machine() {
    ip -o link show | sed -E 's/^[0-9]+: //; s/ state [A-Z]+//; s/<[^>]*>//; s/ qdisc [a-z_]+//'
    ip -o -4 addr show | sed -E 's/^[0-9]+: //'
    ip -4 route show table all | sort
    nft list ruleset
    cat /proc/sys/net/ipv4/ip_forward
    for file in /proc/sys/net/ipv4/conf/*/forwarding; do echo "$file $(cat "$file")"; done
}

in_fresh_network() { # FUNCTION: with an uplink and nothing else
    export -f "$1" state_of_machine assert_same explain_status expect_status assert_equal assert_matches
    export root us
    unshare --net --mount bash -eEuc '
        trap "echo \"failed: \$BASH_COMMAND\"" ERR
        mount -t sysfs sysfs /sys
        mount -t tmpfs tmpfs /run
        ip link set lo up
        ip link add up0 type veth peer name up1
        ip addr add 198.51.100.2/24 dev up0
        ip link set up0 up
        ip link set up1 up
        ip route add default via 198.51.100.1
        '"$1"
}

sets_up() {
    "$root/scripts/setup" >log
    ip -o -4 addr show dev tun0 | grep ' 10.0.0.1/24 '
    ip -o link show dev tun0 | grep '[<,]UP[,>].* qlen 5000'
    assert_equal "$(cat /proc/sys/net/ipv4/ip_forward)" 0
    assert_equal "$(cat /proc/sys/net/ipv4/conf/tun0/forwarding /proc/sys/net/ipv4/conf/up0/forwarding /proc/sys/net/ipv4/conf/lo/forwarding | tr -d '\n')" 110
    assert_equal "$(nft list tables)" "table ip tuntcp_tun0"
}
sets_up_here() { in_fresh_network sets_up; }
it "setup makes the device, its addresses, the forwarding of two interfaces and one table" sets_up_here

is_idempotent() {
    "$root/scripts/setup" >log
    state_of_machine >first
    "$root/scripts/setup" >log
    state_of_machine >second
    assert_same second first
    if grep '^+' log; then return 1; fi
}
is_idempotent_here() { in_fresh_network is_idempotent; }
it "a second setup runs no command and changes nothing" is_idempotent_here

undoes() {
    state_of_machine >before
    "$root/scripts/setup" >log
    "$root/scripts/setup" >log
    "$root/scripts/setup" --undo >log
    state_of_machine >after
    assert_same after before
    "$root/scripts/setup" --undo >log # nothing left to undo: fine
}
undoes_here() { in_fresh_network undoes; }
it "--undo restores exactly what was found" undoes_here

undoes_on_given_device() {
    ip tuntap add dev tun0 mode tun
    echo 1 >/proc/sys/net/ipv4/conf/up0/forwarding
    state_of_machine >before
    "$root/scripts/setup" >log
    "$root/scripts/setup" --undo >log
    state_of_machine >after
    assert_same after before
}
undoes_on_given_device_here() { in_fresh_network undoes_on_given_device; }
it "--undo keeps a device and a forwarding that were there before" undoes_on_given_device_here

two_devices() {
    state_of_machine >before
    "$root/scripts/setup" >log
    "$root/scripts/setup" tun1 >>log
    grep -q '10.0.0.0/24 is in use' log
    "$root/scripts/setup" --undo >>log
    assert_equal "$(cat /proc/sys/net/ipv4/conf/up0/forwarding)" 1
    "$root/scripts/setup" --undo tun1 >>log
    state_of_machine >after
    assert_same after before
}
two_devices_here() { in_fresh_network two_devices; }
it "two devices share the uplink, and the last one undone restores it" two_devices_here

dry_run() {
    state_of_machine >before
    "$root/scripts/setup" --dry-run >log
    state_of_machine >after
    assert_same after before
    grep -q '^+ ip tuntap add dev tun0' log
}
dry_run_here() { in_fresh_network dry_run; }
it "--dry-run shows the commands and runs none" dry_run_here

other_net() {
    ip addr add 10.0.5.1/16 dev up0
    "$root/scripts/setup" >log
    grep -q '10.0.0.0/24 is in use' log
    assert_equal "$(ip -o -4 addr show dev tun0 | grep -c ' 10.123.45.1/24 ')" 1
}
other_net_here() { in_fresh_network other_net; }
it "another net is taken, and said so, when 10.0.0.0/24 is in use" other_net_here

no_uplink() {
    ip route del default
    "$root/scripts/setup" >log
    grep -q 'no uplink' log
    ip -o -4 addr show dev tun0 | grep ' 10.0.0.1/24 '
    assert_equal "$(nft list tables)" ""
}
no_uplink_here() { in_fresh_network no_uplink; }
it "without default route the device is made, and that there is no uplink is said" no_uplink_here

narrow_uplink() {
    ip link set up0 mtu 1400
    "$root/scripts/setup" >log
    ip -o link show dev tun0 | grep ' mtu 1400 '
}
narrow_uplink_here() { in_fresh_network narrow_uplink; }
it "the device takes the MTU of an uplink that is narrower" narrow_uplink_here

foreign_device() {
    ip link add tun0 type veth peer name tun9
    expect_status 1 "$root/scripts/setup" >log 2>err
    assert_matches err 'another name'
}
foreign_device_here() { in_fresh_network foreign_device; }
it "a device of that name that is no TUN device is left alone" foreign_device_here

several_queues() {
    state_of_machine >before
    "$root/scripts/setup" --multi-queue >log
    ip -d -o link show dev tun0 | grep -q multi_queue
    "$root/scripts/setup" --multi-queue >log
    if grep '^+' log; then return 1; fi
    "$root/scripts/setup" >log # is content with it
    "$root/scripts/setup" --undo >log
    state_of_machine >after
    assert_same after before
    "$root/scripts/setup" >log
    expect_status 1 "$root/scripts/setup" --multi-queue >log 2>err
    assert_matches err 'has one queue'
}
several_queues_here() { in_fresh_network several_queues; }
it "--multi-queue makes a device of several queues, --undo removes it, and one that has one queue is left alone" several_queues_here

not_root() {
    setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null || skip "this user namespace has no second user"
    cp "$root/scripts/setup" "$scratch/setup"
    expect_status 3 setpriv --reuid=65534 --regid=65534 --clear-groups "$scratch/setup" >out 2>err
    assert_one_line err
    assert_contains err sudo
}
it "setup without root: one line that says what to run, exit 3" not_root
