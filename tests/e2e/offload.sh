# shellcheck shell=bash
# What is left to the device: segments cut and merged, checksums completed. It shows nowhere but in the speed, so
# captures and rows are those of ordinary segments, and the same topics pass with and without.

packets_of_tun() { cat "/sys/class/net/tun0/statistics/${1}_packets"; } # rx: from us; tx: to us
segments_of() { run_tshark -r "$1" -Y "tcp.len > 0 && ip.src $2 $us" -T fields -e frame.number | wc -l; } # CAPTURE ==|!=

# Bytes right, every segment of the capture whole and with its checksum, rows the same, none beyond the MSS.
transfer_and_look() { # UPLOAD OPTIONS: that file to the peer, a megabyte back
    local upload=$1
    shift
    start_peer 9010 exchange <"$scratch/www/small"
    tnc -v --pcapng capture.pcapng "$@" -n $peer 9010 <"$upload" >back 2>err
    wait_until "the peer has seen the end" is_gone $!
    assert_same_hash peer "$upload"
    assert_same_hash back "$scratch/www/small"
    look_at_capture
}
upload_and_look() {
    head -c 3000000 "$scratch/www/big" >there
    transfer_and_look there "$@"
}
download_and_look() { transfer_and_look /dev/null "$@"; }
look_at_capture() {
    assert_capture_good capture.pcapng complete
    assert_rows_equal_tshark err capture.pcapng
    assert_equal "$(run_tshark -r capture.pcapng -Y 'frame.len > 1500')" ""
}

# The transfer needs less than one packet of tun0 for N segments of the capture.
takes_few_packets() { # rx|tx ==|!= N TRANSFER
    local before
    before=$(packets_of_tun "$1")
    "$4"
    [ $(($3 * ($(packets_of_tun "$1") - before))) -lt "$(segments_of capture.pcapng "$2")" ]
}

super_segments_out() { takes_few_packets rx == 4 upload_and_look; }
it "super-segments leave us, and the capture has the segments they become" super_segments_out

super_segments_in() { takes_few_packets tx '!=' 4 download_and_look; }
it "merged segments come to us, and the capture has the segments they were" super_segments_in

ordinary_segments_out() {
    local before
    before=$(packets_of_tun rx)
    upload_and_look --no-offload
    [ $(($(packets_of_tun rx) - before)) -ge "$(segments_of capture.pcapng ==)" ]
}
it "with --no-offload each segment is a packet" ordinary_segments_out

every_second_is_acknowledged() {
    download_and_look --set stretch_acks=off
    [ "$(run_tshark -r capture.pcapng -Y "tcp.len == 0 && ip.src == $us" -T fields -e frame.number | wc -l)" -ge \
        $(($(segments_of capture.pcapng '!=') / 2)) ]
}
it "with stretch_acks=off every second merged segment has its ACK" every_second_is_acknowledged

spinning() {
    start_peer 9012 exchange <"$scratch/www/small"
    tnc --spin 200 -n $peer 9012 <"$scratch/www/smaller" >back
    assert_same_hash back "$scratch/www/small"
}
it "--spin changes nothing but the waiting" spinning

packet_by_packet() { upload_and_look "$@" --no-io-uring && download_and_look "$@" --no-io-uring; }
it "--no-io-uring changes nothing but the system calls" packet_by_packet
packet_by_packet_plain() { packet_by_packet --no-offload; }
it "--no-io-uring with --no-offload neither" packet_by_packet_plain

in_fresh_namespace() { # KIND of tun0, ROLE of device.c
    ip netns add fresh
    nsenter --net=/run/netns/fresh sh -ec "
        echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 2>/dev/null || true
        ip link set lo up
        ip tuntap add dev tun0 mode tun $1
        ip addr add $kernel/24 dev tun0
        ip link set tun0 txqueuelen 5000 up"
    nsenter --net=/run/netns/fresh timeout 60 "$peers/device" "$2" tun0
    ip netns del fresh
}

refused_offloads() { in_fresh_namespace "" refused; }
it "offloads that the kernel refuses are given up one by one" refused_offloads

two_queues() { in_fresh_namespace multi_queue queues; }
it "two queues of one device carry a stack each" two_queues

descriptors_while_busy() { in_fresh_namespace "" look; }
it "the application's descriptors are not forgotten while packets come" descriptors_while_busy

one_of_many_queues() { in_fresh_namespace multi_queue refused; }
it "a device of several queues can be opened alone" one_of_many_queues

without_offload=(--no-offload)
for topic in transfer interop dns_and_get; do . "$root/tests/e2e/$topic.sh"; done
without_offload=()
