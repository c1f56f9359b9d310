# shellcheck shell=bash
# The main job: resolve google.com with our DNS over our UDP, then speak HTTP over our TCP, through a
# real tun0 and a NAT, with nginx and dnsmasq. nginx's own answer to curl is the measure; only its
# Date may differ.

readonly request='GET / HTTP/1.1\r\nHost: google.com\r\nConnection: close\r\n\r\n'

# What nginx says to the same request of the kernel's TCP.
answer_of_nginx() { # PATH
    in_internet curl -si --raw -H 'Connection: close' --resolve "google.com:80:$web" "http://google.com$1" | without_date
}

get_by_stdin() {
    # shellcheck disable=SC2059
    printf "$request" | tnc google.com 80 >out 2>err
    without_date <out >is
    answer_of_nginx / >should
    assert_same is should
    assert_empty err
}
it "a request on stdin brings the page of google.com exactly as nginx sends it" get_by_stdin

get_by_option() {
    tnc --get / google.com 80 >out 2>err
    without_date <out >is
    answer_of_nginx / >should
    assert_same is should
    http_body <out >body
    assert_same body "$scratch/www/index.html"
}
it "--get brings the page of google.com exactly as nginx sends it" get_by_option

get_by_address() {
    tnc --pcapng capture.pcapng --get /small $web 80 >out
    http_body <out >body
    assert_same body "$scratch/www/small"
    assert_equal "$(info_of capture.pcapng dns)" ""
    assert_capture_good capture.pcapng complete
}
it "an address needs no DNS" get_by_address

service_name() {
    tnc --get / google.com http >out
    assert_contains out "<h1>Google</h1>"
}
it "a port can be given by the name of its service" service_name

five_rows() {
    tnc --pcapng capture.pcapng --get / google.com 80 >out
    assert_capture_good capture.pcapng complete
    rows_of_tshark capture.pcapng | sed -n 1,5p | cut -f 3,4,5,7 |
        sed -E 's/0x[0-9a-f]{4}/ID/; s/\b[0-9]{5} → /PORT → /; s/ → [0-9]{5}\b/ → PORT/; s/(TSval|TSecr)=[1-9][0-9]*/\1=N/g; s/Win=[0-9]+/Win=N/; s/WS=[0-9]+/WS=N/' >is
    tr '|' '\t' >should <<END
$us|$name_server|DNS|Standard query ID A google.com
$name_server|$us|DNS|Standard query response ID A google.com A $web
$us|$web|TCP|PORT → 80 [SYN] Seq=0 Win=N Len=0 MSS=1460 WS=N TSval=N TSecr=0 SACK_PERM
$web|$us|TCP|80 → PORT [SYN, ACK] Seq=0 Ack=1 Win=N Len=0 MSS=1460 SACK_PERM TSval=N TSecr=N WS=N
$us|$web|TCP|PORT → 80 [ACK] Seq=1 Ack=1 Win=N Len=0 TSval=N TSecr=N
END
    assert_same is should
}
it "the capture begins with the five rows that learners know: query, response, SYN, SYN-ACK, ACK" five_rows

rows_are_tsharks() {
    tnc -v --pcapng capture.pcapng --get / google.com 80 >out 2>err
    assert_capture_good capture.pcapng complete
    assert_rows_equal_tshark err capture.pcapng
}
it "the rows of -v are tshark's, column by column" rows_are_tsharks

rows_are_tsharks_at_length() {
    tnc -v --pcapng capture.pcapng --get /small google.com 80 >out 2>err
    assert_capture_good capture.pcapng complete
    assert_rows_equal_tshark err capture.pcapng
}
it "the rows of -v are tshark's for a page of a megabyte too" rows_are_tsharks_at_length

answer_in_detail() {
    tnc --pcapng capture.pcapng --get / google.com 80 >out
    assert_capture_good capture.pcapng
    assert_equal "$(run_tshark -r capture.pcapng -Y dns.flags.response==1 -T fields -e dns.resp.ttl -e dns.a -e dns.flags.rcode)" \
        "$(printf '267\t%s\t0' $web)"
    assert_equal "$(info_of capture.pcapng 'dns.flags.response==0' | wc -l)" 1
}
it "one query is asked, and its answer has the TTL of 267 s" answer_in_detail

alias_is_followed() {
    start_peer 9001 close-first
    tnc --pcapng capture.pcapng alias.example 9001 >out </dev/null
    assert_contains out "that is all from here"
    assert_capture_good capture.pcapng complete
}
it "a CNAME is followed to its address" alias_is_followed

other_server() {
    tnc --dns $other_name_server --pcapng capture.pcapng --get / google.com 80 >out
    assert_contains out "<h1>Google</h1>"
    assert_equal "$(run_tshark -r capture.pcapng -Y dns -T fields -e ip.dst | sed -n 1p)" $other_name_server
    assert_capture_good capture.pcapng complete
}
it "--dns asks another server than resolv.conf names" other_server

no_such_name() {
    expect_status 1 tnc --pcapng capture.pcapng nx.example 80 >out 2>err
    assert_empty out
    assert_one_line err
    assert_contains err nx.example
    assert_capture_good capture.pcapng
    assert_matches <(info_of capture.pcapng) 'No such name A nx.example'
}
it "a name that does not exist: one line with the name in it, exit 1" no_such_name

server_refuses() {
    expect_status 1 tnc refused.invalid 80 >out 2>err
    assert_one_line err
    assert_contains err refused.invalid
    expect_status 1 tnc nx.example 80 2>err.nx
    if diff <(sed s/refused.invalid/NAME/ err) <(sed s/nx.example/NAME/ err.nx); then return 1; fi
}
it "a server that refuses to answer is told apart from a name that does not exist" server_refuses

no_answer() {
    expect_status 1 tnc --dns $hole --pcapng capture.pcapng google.com 80 >out 2>err
    assert_one_line err
    assert_capture_good capture.pcapng
    [ "$(info_of capture.pcapng dns | wc -l)" -ge 2 ] # it has asked again
}
it "a DNS server that is silent is asked again, then given up: one line, exit 1" no_answer

no_dns_server_there() {
    expect_status 1 tnc --dns $web google.com 80 >out 2>err # nothing on UDP port 53: ICMP
    assert_one_line err
}
it "a host without DNS server, which says so by ICMP: one line, exit 1" no_dns_server_there

truncated_answer() {
    expect_status 1 tnc --pcapng capture.pcapng many.example 9 >out 2>err # the connection is refused
    assert_capture_good capture.pcapng
    [ "$(run_tshark -r capture.pcapng -Y 'dns.flags.truncated==1 && udp' | wc -l)" -eq 1 ]
    [ "$(run_tshark -2 -r capture.pcapng -Y 'dns.flags.response==1 && tcp && dns.count.answers==50' | wc -l)" -eq 1 ]
    assert_matches <(info_of capture.pcapng 'tcp.port==9') '203.0.113.1[0-4][0-9]|→ 9 \[SYN\]'
    # Refused or not, the connection to the server has its end before we go, and nobody after us gets its FIN.
    [ "$(run_tshark -r capture.pcapng -Y 'tcp.srcport==53 && tcp.flags.fin==1' | wc -l)" -eq 1 ]
    [ "$(run_tshark -r capture.pcapng -Y 'tcp.dstport==53' -T fields -e tcp.flags.fin | tail -n 1)" = 0 ]
}
it "an answer that is truncated is asked for again over our own TCP" truncated_answer
