# shellcheck shell=bash
# tnc as a server: the kernel's nc and curl reach it at its own address, straight through tun0.

nc_reaches_us() {
    echo "from us" >answer
    start_listener -l --pcapng capture.pcapng 8001 <answer
    echo "from nc" | timeout 10 nc -N -n $us 8001 >got
    wait_until "tnc ends" is_gone $!
    assert_equal "$(cat out)" "from nc"
    assert_equal "$(cat got)" "from us"
    assert_capture_good capture.pcapng complete
}
it "tnc -l serves the kernel's nc, both ways" nc_reaches_us

listener_rows() {
    start_listener -v -l --pcapng capture.pcapng 8001 </dev/null
    echo "from nc" | timeout 10 nc -N -n $us 8001 >got
    wait_until "tnc ends" is_gone $!
    assert_capture_good capture.pcapng complete
    assert_rows_equal_tshark err capture.pcapng
}
it "a listener's rows of -v are tshark's too, ping included" listener_rows

curl_reaches_us() {
    printf 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n' >answer
    start_listener -l -p 8002 <answer
    assert_equal "$(curl -s -m 10 http://$us:8002/)" hello
    wait_until "tnc ends" is_gone $!
    assert_contains out "GET / HTTP/1.1"
}
it "curl gets a page from tnc -l -p PORT" curl_reaches_us

from_the_internet() {
    start_listener -lp 8003 </dev/null
    in_internet ip route replace $us/32 via 198.51.100.2
    echo "from afar" | in_internet timeout 10 nc -N -n $us 8003
    in_internet ip route del $us/32
    wait_until "tnc ends" is_gone $!
    assert_equal "$(cat out)" "from afar"
}
it "tnc -lp PORT is reached from behind the uplink too" from_the_internet

one_then_no_more() {
    start_listener -l 8004 </dev/null
    echo one | timeout 10 nc -N -n $us 8004
    wait_until "tnc ends" is_gone $!
    wait "$!"
}
it "without -k a listener serves one connection and exits 0" one_then_no_more

again_and_again() {
    start_listener -l -k 8005 </dev/null
    for i in 1 2 3; do
        echo "visitor $i" | timeout 10 nc -N -n $us 8005
        wait_until "visitor $i is heard" file_has out "visitor $i"
    done
    assert_equal "$(cat out)" "$(printf 'visitor %d\n' 1 2 3)"
    kill -0 $!
}
it "-k serves one visitor after another" again_and_again

bulk_both_ways() {
    head -c 20000000 "$scratch/www/big" >there
    tail -c 20000000 "$scratch/www/big" >back
    start_listener -l 8006 <back
    timeout 60 "$peers/peer" $us 8006 call-exchange <there >got
    wait_until "tnc ends" is_gone $!
    assert_same_hash out there
    assert_same_hash got back
}
it "a listener receives and sends 20 MB at once" bulk_both_ways

closed_port() {
    start_listener -l --pcapng capture.pcapng 8007 </dev/null
    expect_status 1 timeout 10 nc -n $us 8008 2>err.nc
    kill -INT $!
    wait_until "tnc ends" is_gone $!
    assert_matches <(info_of capture.pcapng) '8008 → [0-9]+ \[RST, ACK\] Seq=1 Ack=1 Win=0 Len=0'
    assert_capture_good capture.pcapng
}
it "a port on which nobody listens answers with RST" closed_port

status_on_signal() {
    mkfifo never
    exec 8<>never
    start_listener -l 8011 <never
    listener=$!
    echo visitor | timeout 20 nc -n $us 8011 &
    wait_until "the visitor is heard" file_has out visitor
    kill -USR1 "$listener"
    wait_until "the status is said" file_has err "ESTABLISHED recv-q:0 send-q:0 $us:8011"
    kill -INT "$listener"
    wait_until "tnc ends" is_gone "$listener"
}
it "SIGUSR1 asks for the status of the connection, and changes nothing" status_on_signal

interrupted() {
    start_listener -l 8009 </dev/null
    kill -INT $!
    wait_until "tnc ends" is_gone $!
}
it "^C ends a listener that waits" interrupted
