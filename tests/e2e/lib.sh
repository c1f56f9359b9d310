# shellcheck shell=bash
# The harness of the end-to-end tests: the world, the cases, what can be asserted.
#
# A topic is a file of cases; a case is a function and the sentence that turns false when it fails:
#
#     the_page_arrives() { tnc --get / google.com 80 >page; assert_contains page "<html"; }
#     it "a page arrives" the_page_arrives
#
# Each case runs in a shell and a directory of its own under `set -e`, so the first command that fails
# ends it, and what it started in the background is killed by pid when it ends. Nothing is awaited by
# sleeping: wait_until asks a condition again and again, and fails the case after ten seconds.

readonly root=$PWD
readonly tnc_program=$(realpath "${TNC:-build/tnc}")
readonly peers=$(realpath "${OUT:-build/fast}")/tests/e2e
readonly scratch=/run/e2e

readonly web=142.250.196.142       # nginx: google.com
readonly name_server=210.220.163.82 # dnsmasq: in resolv.conf
readonly other_name_server=203.0.113.53
readonly peer=203.0.113.80         # where the kernel's nc and our peer.c listen
readonly hole=203.0.113.66         # everything to it is dropped
readonly us=10.0.0.2               # tnc
readonly kernel=10.0.0.1           # its neighbour on tun0

without_offload=() # --no-offload while topics run once more with it

case_count=0
failed_count=0
skipped_count=0

# ---- the world

in_internet() { nsenter --net=/run/netns/internet "$@"; }
in_internet_start() { nsenter --net=/run/netns/internet "$@" <&0 & } # an exec: $! is the program's own pid

bail_out() {
    echo "Bail out! $*"
    tail -n 20 "$scratch"/*.log "$scratch"/nginx.error 2>/dev/null
    exit 1
}

make_world() (
    set -e
    mount -t sysfs sysfs /sys 2>/dev/null || true
    mount -t tmpfs tmpfs /run
    mkdir -p /run/netns "$scratch"
    chmod 755 "$scratch"
    use_resolv_conf
    use_open_device_file
    make_networks
    make_holes
    scripts/setup >"$scratch/setup.log"
    make_pages
    start_nginx
    start_dnsmasq
)

# Inside this mount namespace only: /etc/resolv.conf names our dnsmasq.
use_resolv_conf() {
    local file
    file=$(readlink -f /etc/resolv.conf || echo /etc/resolv.conf)
    mkdir -p "$(dirname "$file")"
    [ -e "$file" ] || : >"$file"
    echo "nameserver $name_server" >"$scratch/resolv.conf"
    mount --bind "$scratch/resolv.conf" "$file"
}

# Debian lets everybody open /dev/net/tun, some containers root alone: here it is as in Debian.
use_open_device_file() {
    mknod -m 666 "$scratch/tun" c 10 200 2>/dev/null || return 0
    mount --bind "$scratch/tun" /dev/net/tun
}

make_networks() {
    ip link set lo up
    ip netns add internet
    ip link add up0 type veth peer name inet0 netns internet
    ip addr add 198.51.100.2/24 dev up0
    ip link set up0 up
    in_internet ip link set lo up
    in_internet ip addr add 198.51.100.1/24 dev inet0
    in_internet ip link set inet0 up
    in_internet ip addr add $web/32 dev lo
    in_internet ip addr add $name_server/32 dev lo
    in_internet ip route add local 203.0.113.0/24 dev lo # every address of it answers
    ip route add default via 198.51.100.1
    # Linux sends one ICMP error a second to the same host: cases would spoil each other.
    in_internet sh -c 'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit'
}

make_holes() {
    in_internet nft -f - <<END
table ip holes {
    set ports { type inet_service; }
    counter dropped { }
    chain input {
        type filter hook input priority 0
        ip daddr $hole drop
        tcp dport @ports counter name dropped drop
    }
    chain output {
        type filter hook output priority 0
        tcp sport @ports drop
    }
}
END
}

# From now on (or no longer) nothing passes to and from this TCP port in the internet.
vanish() {
    in_internet nft reset counter ip holes dropped >/dev/null
    in_internet nft add element ip holes ports "{ $1 }"
}
holes_have_dropped() { # N: at least so many segments to a port that has vanished
    [ "$(in_internet nft list counter ip holes dropped | sed -nE 's/.*packets ([0-9]+).*/\1/p')" -ge "$1" ]
}
reappear() { in_internet nft delete element ip holes ports "{ $1 }"; }

make_pages() {
    mkdir -p "$scratch/www"
    cat >"$scratch/www/index.html" <<'END'
<!doctype html>
<html lang="en">
<head><title>Google</title></head>
<body><h1>Google</h1><p>A page from nginx behind a NAT.</p></body>
</html>
END
    head -c 104857600 /dev/urandom >"$scratch/www/big"
    head -c 1000000 "$scratch/www/big" >"$scratch/www/small"
    head -c 200000 "$scratch/www/big" >"$scratch/www/smaller"
}

start_nginx() {
    cat >"$scratch/nginx.conf" <<END
daemon off; master_process off; worker_processes 1; user root root;
pid $scratch/nginx.pid; error_log $scratch/nginx.error;
events { worker_connections 64; }
http {
    access_log $scratch/nginx.access; default_type text/html; sendfile on; etag off;
    client_body_temp_path $scratch/t1; proxy_temp_path $scratch/t2; fastcgi_temp_path $scratch/t3;
    uwsgi_temp_path $scratch/t4; scgi_temp_path $scratch/t5;
    server { listen $web:80; server_name google.com; root $scratch/www; }
}
END
    in_internet_start nginx -e "$scratch/nginx.error" -c "$scratch/nginx.conf" 2>"$scratch/nginx.log"
    wait_until "nginx listens" port_is_open 80
}

# many.example has more addresses than a UDP answer of 512 bytes can hold: dnsmasq sets TC.
start_dnsmasq() {
    local i
    for i in $(seq 100 149); do echo "203.0.113.$i many.example"; done >"$scratch/hosts"
    # Without a daemon it neither forks nor changes its user.
    in_internet_start dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --bind-interfaces \
        --listen-address=$name_server --listen-address=$other_name_server --local=/example/ \
        --host-record=google.com,$web,267 --host-record=peer.example,$peer \
        --cname=alias.example,peer.example --addn-hosts="$scratch/hosts" --local-ttl=60 2>"$scratch/dnsmasq.log"
    wait_until "dnsmasq listens" port_is_open 53
}

# ---- cases

it() { # SENTENCE FUNCTION
    local sentence="$1${without_offload:+, without offload}" function=$2 directory status
    case_count=$((case_count + 1))
    directory=$scratch/case/$function
    rm -rf "$directory"
    mkdir -p "$directory"
    chmod 777 "$directory" # some cases run tnc as another user
    (
        set -eE
        exec 9>&1 # the log, also where the failing function's output goes elsewhere
        trap 'echo "failed: $BASH_COMMAND, ${BASH_SOURCE[0]}:$LINENO" >&9 && trap - ERR && print_callers >&9' ERR
        trap end_background EXIT
        cd "$directory"
        "$function"
    ) </dev/null >"$directory/.log" 2>&1
    status=$?
    report "$status" "$sentence" "$directory/.log"
    rm -rf "$directory"
}

print_callers() {
    local depth
    for depth in 2 3 4; do
        [ "${FUNCNAME[depth]:-it}" = it ] || echo "    called from ${FUNCNAME[depth]}, ${BASH_SOURCE[depth]}:${BASH_LINENO[depth - 1]}"
    done
}

report() { # STATUS SENTENCE LOG
    case $1 in
    0) echo "ok $case_count - $2" ;;
    77)
        skipped_count=$((skipped_count + 1))
        echo "ok $case_count - $2 # SKIP $(tail -n 1 "$3")"
        ;;
    *)
        failed_count=$((failed_count + 1))
        echo "not ok $case_count - $2"
        sed 's/^/#   /' "$3" | head -n 200
        [ -z "${KEEP:-}" ] || { mkdir -p "$KEEP" && cp -r "$(dirname "$3")" "$KEEP/"; }
        ;;
    esac
}

skip() {
    echo "$*"
    exit 77
}

finish() {
    echo "1..$case_count"
    echo "# $((case_count - failed_count - skipped_count)) passed, $failed_count failed, $skipped_count skipped"
    [ $failed_count -eq 0 ]
    exit
}

end_background() {
    local pids
    pids=$(jobs -p)
    # shellcheck disable=SC2086
    [ -z "$pids" ] || kill $pids 2>/dev/null || true
    wait 2>/dev/null || true
}

# ---- what cases do

# The program under test, never longer than `limit` seconds.
tnc() { timeout -k 5 "${limit:-30}" "$tnc_program" "${without_offload[@]}" "$@"; }

# tnc in the background: its pid is in $!, its output in the files out and err. (A function with & behind
# it would be a shell between, which is killed in its stead.)
start_tnc() { # ARGUMENTS of tnc; stdin is this function's
    "$tnc_program" "${without_offload[@]}" "$@" <&0 >out 2>err &
}

# The same for one that listens: it answers on tun0 when this returns.
start_listener() {
    start_tnc "$@"
    wait_until "tnc answers" ping -c 1 -W 1 -q $us
}

# The exit status of what runs in the background.
expect_end() { # STATUS PID
    local status=0
    wait_until "process $2 ends" is_gone "$2"
    wait "$2" || status=$?
    [ $status -eq "$1" ] || explain_status "$status instead of $1"
}

wait_until() { # WHAT COMMAND...
    local what=$1 tries
    shift
    for tries in $(seq 200); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.05
    done
    echo "waited in vain after $tries tries: $what ($*)"
    return 1
}

port_is_open() { [ -n "$(in_internet ss -Hlnt "sport = :$1")" ]; }
udp_port_is_open() { [ -n "$(in_internet ss -Hlnu "sport = :$1")" ]; }
is_gone() { ! kill -0 "$1" 2>/dev/null; }
file_has() { grep -qF -- "$2" "$1"; }
file_is_larger() { [ "$(stat -c %s "$1")" -gt "$2" ]; }

# peer.c in the internet, listening when this returns; its stdout goes to the file `peer`.
start_peer() { # PORT ROLE [N]
    in_internet_start "$peers/peer" $peer "$@" <&0 >peer 2>peer.err
    wait_until "the peer listens" port_is_open "$1"
}

explain_status() {
    echo "exit status $*" >&9
    [ ! -f err ] || tail -n 20 err >&9
    return 1
}

expect_status() { # STATUS COMMAND...
    local wanted=$1 status=0
    shift
    "$@" || status=$?
    [ $status -eq "$wanted" ] || explain_status "$status instead of $wanted: $*"
}

# ---- what is asserted

assert_equal() { # IS SHOULD
    [ "$1" = "$2" ] || { printf 'is:     %s\nshould: %s\n' "$1" "$2" && return 1; }
}

assert_same() { # FILE SHOULD: byte for byte; differences of text are shown
    cmp "$1" "$2" || { (diff -a "$1" "$2" || true) | head -n 40 && return 1; }
}

assert_same_hash() { # FILE SHOULD
    assert_equal "$(wc -c <"$1") bytes" "$(wc -c <"$2") bytes"
    assert_equal "$(sha256sum <"$1")" "$(sha256sum <"$2")"
}

assert_contains() { # FILE TEXT
    grep -qF -- "$2" "$1" || { echo "\"$2\" is not in $1:" && head -n 40 "$1" && return 1; }
}

assert_matches() { # FILE REGEX
    grep -qiE -- "$2" "$1" || { echo "nothing in $1 matches $2:" && head -n 40 "$1" && return 1; }
}

assert_one_line() { # FILE
    [ "$(wc -l <"$1")" -eq 1 ] && [ "$(tail -c 1 "$1" | wc -l)" -eq 1 ] || { echo "not one line in $1:" && head -n 40 "$1" && return 1; }
}

assert_empty() { # FILE
    [ ! -s "$1" ] || { echo "$1 is not empty:" && head -n 40 "$1" && return 1; }
}

# ---- captures

# The ports of our own peers carry no protocol: random bytes there may look like one by chance.
run_tshark() {
    HOME=$scratch tshark -n -d tcp.port==8000-9999,data -d udp.port==8000-9999,data "$@" 2>tshark.err ||
        { cat tshark.err >&9 && return 1; }
    if grep -v 'Running as user' tshark.err >&9; then return 1; fi
}

# Twice through the file, and with what tshark does not look at by default.
check_with_tshark() {
    run_tshark -2 -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE "$@"
}

# tshark reads the whole file, makes the same row of each packet as our dissector does, and finds no
# malformed packet, no wrong checksum and no expert error. With "complete" every connection in it is whole,
# from the SYN to both FINs: completeness 31.
assert_capture_good() { # FILE [complete]
    local bad
    [ -s "$1" ] || { echo "$1 is empty" && return 1; }
    assert_dissected_as_by_tshark "$1"
    # Status 0 is "bad"; 8388608 is the severity "error". A checksum of 0xffff from the far side is as good
    # as 0 in one's complement: the kernel's NAT makes it now and then, and tshark alone minds. A segment that
    # an ICMP error quotes is cut short: its checksum says nothing. And where the far side's retransmission
    # meets bytes that came late, tshark says of its own reassembly that a fragment overlaps old data.
    bad=$(check_with_tshark -r "$1" -Y "(_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 ||
        udp.checksum.status == 0 || icmp.checksum.status == 0 || _ws.expert.severity >= 8388608) &&
        !(tcp.checksum == 0xffff && ip.src != $us) && !(icmp.type == 3 && tcp.checksum.status == 0) &&
        !(_ws.malformed.reassembly && (tcp.analysis.out_of_order || tcp.analysis.retransmission))")
    [ -z "$bad" ] || { printf 'bad packets in %s:\n%s\n' "$1" "$bad" && return 1; }
    [ "${2:-}" = complete ] || return 0
    bad=$(check_with_tshark -r "$1" -Y tcp -T fields -e tcp.stream -e tcp.completeness | sort -u | awk '$2 != 31')
    [ -z "$bad" ] || { printf 'connections that are not complete (stream, completeness): %s\n' "$bad" && return 1; }
}

# The rows that -v would have printed of these packets, but for the time.
assert_dissected_as_by_tshark() { # CAPTURE
    "$peers/rows_of_capture" "$1" >"$1.rows"
    [ -s "$1.rows" ] || { echo "no packets in $1" && return 1; }
    run_tshark -r "$1" -T fields -E separator='|' -e _ws.col.No. -e _ws.col.Source -e _ws.col.Destination \
        -e _ws.col.Protocol -e _ws.col.Length -e _ws.col.Info >"$1.rows.tshark"
    assert_same "$1.rows" "$1.rows.tshark"
}

# The rows on stderr of `tnc -v`, without what stands between them, with one tab between the columns.
rows_of() { # FILE
    sed -nE 's/^ *([0-9]+) +([0-9]+\.[0-9]{6}) +([^ ]+) +([^ ]+) +([^ ]+) +([0-9]+) +(.*)$/\1\t\2\t\3\t\4\t\5\t\6\t\7/p' "$1"
}

rows_of_tshark() { # CAPTURE
    # The capture has nanoseconds, the rows microseconds, which is what the stack counts.
    run_tshark -r "$1" -T fields -e _ws.col.No. -e _ws.col.Time -e _ws.col.Source -e _ws.col.Destination \
        -e _ws.col.Protocol -e _ws.col.Length -e _ws.col.Info | sed -E 's/^([0-9]+\t[0-9]+\.[0-9]{6})000\t/\1\t/'
}

assert_rows_equal_tshark() { # STDERR CAPTURE
    rows_of "$1" >rows
    rows_of_tshark "$2" >rows.tshark
    [ -s rows ] || { echo "no rows in $1:" && head -n 40 "$1" && return 1; }
    assert_same rows rows.tshark
}

info_of() { # CAPTURE [FILTER]: one Info a line
    run_tshark -r "$1" -Y "${2:-frame}" -T fields -e _ws.col.Info
}

# ---- HTTP

http_body() { LC_ALL=C sed '1,/^\r$/d'; }
without_date() { LC_ALL=C sed '/^Date: /d'; }
