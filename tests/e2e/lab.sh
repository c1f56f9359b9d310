# shellcheck shell=bash
# The lab needs no root, no device and no network: every case runs in an empty network namespace, as
# another user where that is possible.

lab() { # ARGUMENTS of tnc
    cp -n "$tnc_program" "$scratch/tnc-lab"
    timeout -k 5 30 unshare --net "${other_user[@]}" "$scratch/tnc-lab" "$@"
}
other_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
"${other_user[@]}" true 2>/dev/null || other_user=()

# The exchange that learners know, captured with Ethernet headers of 14 bytes that a TUN device has not.
known_exchange() {
    tr '|' '\t' <<'END'
0.000000|10.0.0.2|210.220.163.82|DNS|56|Standard query 0x98ef A google.com
0.004477|210.220.163.82|10.0.0.2|DNS|72|Standard query response 0x98ef A google.com A 142.250.196.142
0.005873|10.0.0.2|142.250.196.142|TCP|64|53747 → 80 [SYN] Seq=0 Win=65535 Len=0 MSS=1460 WS=64 TSval=596778860 TSecr=0 SACK_PERM
0.042269|142.250.196.142|10.0.0.2|TCP|60|80 → 53747 [SYN, ACK] Seq=0 Ack=1 Win=65535 Len=0 MSS=1412 SACK_PERM TSval=3455834059 TSecr=596778860 WS=256
0.042372|10.0.0.2|142.250.196.142|TCP|52|53747 → 80 [ACK] Seq=1 Ack=1 Win=131584 Len=0 TSval=596778896 TSecr=3455834059
END
}

# Rows without their number, times relative to the first.
relative_rows() {
    rows_of "$1" | awk -F '\t' -v OFS='\t' 'NR == 1 { start = $2 } { $2 = sprintf("%.6f", $2 - start); print }' | cut -f 2-
}

exchange() {
    lab -v --lab --get / google.com 80 >out 2>err
    relative_rows err | sed -n 1,5p >is
    known_exchange >should
    assert_same is should
}
it "the lab replays the exchange that learners know, field by field" exchange

exchange_by_stdin() {
    printf 'GET / HTTP/1.1\r\nHost: google.com\r\nConnection: close\r\n\r\n' | lab -v --lab google.com 80 >out 2>err
    relative_rows err | sed -n 1,5p >is
    known_exchange >should
    assert_same is should
    lab --lab --get / google.com 80 >out.get
    assert_same out out.get
}
it "with the request on stdin it is the same exchange and the same page" exchange_by_stdin

raw_fields() {
    lab --lab --pcapng capture.pcapng --get / google.com 80 >out
    assert_capture_good capture.pcapng complete
    assert_equal "$(run_tshark -r capture.pcapng -Y 'dns.flags.response==1' -T fields -e dns.id -e dns.resp.ttl -e dns.resp.len -e dns.a)" \
        "$(printf '0x98ef\t267\t4\t142.250.196.142')"
    assert_equal "$(run_tshark -r capture.pcapng -Y tcp -T fields -e tcp.seq_raw -e tcp.ack_raw | sed -n 1,3p)" \
        "$(printf '2632373117\t0\n2691239502\t2632373118\n2632373118\t2691239503')"
    # NOP 1, MSS 2, window scale 3, SACK permitted 4, timestamps 8, end and padding 0.
    assert_equal "$(run_tshark -r capture.pcapng -Y tcp.flags.syn==1 -T fields -e tcp.option_kind)" \
        "$(printf '2,1,3,1,1,8,4,0,0\n2,4,8,1,3')"
}
it "raw sequence numbers, option order and the DNS answer are those of the exchange" raw_fields

page() {
    lab --lab --get / google.com 80 >out 2>err
    assert_equal "$(head -n 1 out | tr -d '\r')" "HTTP/1.1 200 OK"
    assert_contains out "Date: Wed, 23 Apr 2025 02:39:29 GMT"
    assert_contains out "Expires: -1"
    assert_matches out '</html>'
    assert_empty err
}
it "the lab's google.com sends a page, and stdout carries nothing else" page

capture_on_stdout() {
    lab --lab --pcapng - --get / google.com 80 >capture.pcapng 2>err
    lab --lab --pcapng second.pcapng --get / google.com 80 >out
    assert_same <(run_tshark -V -r capture.pcapng) <(run_tshark -V -r second.pcapng)
    assert_capture_good capture.pcapng complete
}
it "--pcapng - writes the same capture to stdout" capture_on_stdout

rows_and_capture() {
    lab -v --lab --pcapng capture.pcapng --get / google.com 80 >out 2>err
    assert_capture_good capture.pcapng complete
    assert_rows_equal_tshark err capture.pcapng
}
it "the lab's rows are tshark's, column by column" rows_and_capture

comments() {
    lab --lab --pcapng capture.pcapng --get / google.com 80 >out
    assert_matches <(run_tshark -r capture.pcapng -T fields -e frame.comment) 'ESTABLISHED'
}
it "packets carry comments that say what they changed" comments

window_steps() {
    local words='slow start \(RFC 5681 3.1\)|conservative slow start \(RFC 9406 4.2\)|loss \(RFC 5681 3.1\)'

    head -c 300000 /dev/zero >zeros
    lab -vv --lab --impair "rate 2mbit delay 20ms queue 30kb" --pcapng capture.pcapng google.com 80 <zeros >out 2>err
    assert_equal "$(grep -oE "$words" err | sort -u | wc -l)" 3
    assert_equal "$(run_tshark -r capture.pcapng -T fields -e frame.comment | grep -oE "$words" | sort -u | wc -l)" 3
}
it "-vv and a capture tell each step of the congestion window, and why" window_steps

# Whatever else the options of a segment are, the row says what tshark says.
user_timeouts() {
    lab -v --lab --set uto=on --set uto_advertised=10h --set tos=0x28 --pcapng capture.pcapng --get / google.com 80 >out 2>err
    assert_rows_equal_tshark err capture.pcapng
    assert_equal "$(grep -c 'USER_TO=600$' err)" 2
    assert_equal "$(run_tshark -r capture.pcapng -Y 'tcp and ip.src==10.0.0.2' -T fields -e ip.dsfield | sort -u)" 0x28
}
it "--set reaches the packets: the user time-out option in SYN and ACK, the DS field in all" user_timeouts

status_at_the_end() {
    lab -vv --lab --get / google.com 80 >out 2>err
    assert_matches <(grep -A 3 '^CLOSED recv-q:0 send-q:0 10.0.0.2:53747 142.250.196.142:80' err) \
        '^	 ts sack cubic wscale:8,6 rto:200 rtt:36\.[0-9]+/[0-9.]+ mss:1400 pmtu:1452 advmss:1460 cwnd:10 minrtt:36\.[0-9]+$'
    assert_matches err '^	 snd_una:[0-9]+ snd_nxt:[0-9]+ rcv_nxt:[0-9]+ peer_mss:1412 in_flight:0'
}
it "-vv ends with the status of the connection" status_at_the_end

repeated() {
    lab -vv --lab --get / google.com 80 >out1 2>err1
    lab -vv --lab --get / google.com 80 >out2 2>err2
    assert_same err1 err2
    assert_same out1 out2
}
it "two runs are the same, byte for byte" repeated

# A table: scenario, exit code, what the rows or the messages must show.
scenario_endings() {
    cat <<'END'
clean|0|Standard query response 0x98ef A google.com A 142.250.196.142
lost-syn|0|\[TCP Retransmission\].*\[SYN\]
lost-segment|0|\[TCP (Fast )?Retransmission\].*Seq=1 .*Len=1400
tail-loss|0|bytes received
burst-loss|0|bytes received
reorder|0|bytes received
dup|0|bytes received
corrupt|0|bytes received
sawtooth|0|loss recovery begins
long-fat-pipe|0|200019. bytes received
slow-reader|0|\[TCP ZeroWindowProbe\]
spurious-rto|0|RTO fired
ecn|0|CWR\] Seq=[1-9]
half-close|0|FIN-WAIT-2 -> TIME-WAIT
simultaneous-close|0|FIN-WAIT-1 -> CLOSING
refused|1|refused
blackhole|1|timed out
dns-timeout|1|google.com
slow|0|bytes received
END
}

# The command that --lab=list shows under the scenario's name, as one would type it; FILE is a file.
command_of() { # NAME
    lab --lab=list | sed -nE "/^$1  /,/^ *(tnc|printf)/{s/^ *((tnc|printf).*)/\1/p}"
}

scenarios() {
    local name status shows
    assert_equal "$(lab --lab=list | sed -nE 's/^([a-z0-9][a-z0-9-]*)  .*/\1/p')" "$(scenario_endings | cut -d '|' -f 1)"
    head -c 300000 /dev/zero >FILE
    while IFS='|' read -r name status shows; do
        echo "scenario $name: $(command_of "$name")"
        tnc() { lab --pcapng "$name.pcapng" "$@"; }
        expect_status "$status" eval "$(command_of "$name")" >out 2>err </dev/null
        assert_matches err "$shows"
        # Flipped bits are wrong checksums in the capture, and meant to be.
        [ "$name" = corrupt ] || assert_capture_good "$name.pcapng"
    done < <(scenario_endings)
}
it "every command of --lab=list shows what its scenario is named after" scenarios

unknown_name() {
    expect_status 1 lab --lab nosuch.example 80 >out 2>err </dev/null
    assert_one_line err
    assert_contains err nosuch.example
}
it "the lab knows that a name does not exist: one line, exit 1" unknown_name

refused_in_lab() {
    expect_status 1 lab --lab google.com 81 >out 2>err </dev/null
    assert_one_line err
    assert_matches err refused
}
it "the lab's server refuses another port: one line, exit 1" refused_in_lab

impaired_lab() {
    local seed
    # By address: a query of UDP is tried twice only, and may be lost twice.
    for seed in 1 2 3 4 5 6 7 8 9 10; do
        echo "seed $seed"
        expect_status 0 lab -v --lab --seed $seed --impair "loss 20%" --get / 142.250.196.142 80 >out 2>err
        assert_matches out '</html>'
    done
}
it "through 20 % loss the lab's page arrives with every one of ten seeds" impaired_lab

slow_reader() {
    # Half a second without reading: the pipe is full long before the megabyte is there.
    lab --lab --impair "loss 10%" --get /big google.com 80 2>err | (sleep 0.5 && cat) >slow
    lab --lab --impair "loss 10%" --get /big google.com 80 >fast
    assert_same_hash slow fast
    [ "$(wc -c <slow)" -gt 1000000 ]
    assert_empty err
}
it "virtual time waits for a slow reader of stdout: nothing is lost" slow_reader
