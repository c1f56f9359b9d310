# shellcheck shell=bash
# --impair puts the simulated link in front of the real device: whatever it does to the packets, every
# byte arrives, in both directions.

impaired() { # DESCRIPTION [FILE]
    local file=${2:-small}
    start_peer 9401 sink
    limit=100 tnc -v --impair "$1" --seed 7 --pcapng up.pcapng $peer 9401 <"$scratch/www/$file" >out 2>err.up
    wait_until "the peer has seen the end" is_gone $!
    assert_same_hash peer "$scratch/www/$file"
    limit=100 tnc -v --impair "$1" --seed 8 --pcapng down.pcapng --get "/$file" google.com 80 2>err.down | http_body >body
    assert_same_hash body "$scratch/www/$file"
}
impaired_in_rows() { # DESCRIPTION [FILE]: and all rows are tshark's
    local way
    impaired "$@"
    for way in up down; do
        assert_capture_good $way.pcapng
        assert_rows_equal_tshark err.$way $way.pcapng
    done
}
lossy() { impaired_in_rows "loss 10%"; }
# Either sender meets a loss in every third exchange or so, and waits for time-outs: a fifth of a megabyte.
very_lossy() { impaired_in_rows "loss 20%" smaller; }
disordered() { impaired_in_rows "delay 5ms jitter 2ms reorder 10% duplicate 5%"; }
slow() { impaired_in_rows "rate 20mbit queue 30kb delay 10ms"; }
# A flipped bit is a wrong checksum in the capture: that is what is asked for here.
corrupted() { impaired "corrupt 3%"; }
it "a megabyte each way through 10 % loss is right" lossy
it "200 KB each way through 20 % loss are right" very_lossy
it "a megabyte each way through disorder and duplicates is right" disordered
it "a megabyte each way through a slow link with a short queue is right" slow
it "a megabyte each way through flipped bits is right" corrupted

replayed() {
    tnc --lab --seed 3 --impair "loss 10%" -v --get / google.com 80 >out1 2>err1
    tnc --lab --seed 3 --impair "loss 10%" -v --get / google.com 80 >out2 2>err2
    assert_same out1 out2
    assert_same err1 err2
    tnc --lab --seed 4 --impair "loss 10%" -v --get / google.com 80 >out3 2>err3
    if cmp -s err1 err3; then return 1; fi
}
it "in the lab the same seed gives the same packets, another seed others" replayed

# Pages, several requests in one segment, and an upload, in the lab behind links of every kind but one:
# of flipped bits Wireshark tells "[Illegal Segments]" where the segment comes again as it was meant.
lab_exchanges() {
    cat <<'END'
loss 10%
loss 20% delay 20ms
loss 30%
loss 5% reorder 10% duplicate 5% delay 20ms jitter 5ms
reorder 20% delay 5ms jitter 4ms duplicate 10%
rate 2mbit queue 20kb delay 10ms
loss 3% rate 1mbit queue 8kb delay 50ms
END
}
requests() { # SEED
    case $(($1 % 4)) in
    0) printf 'GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /big HTTP/1.1\r\nHost: a\r\n\r\n' ;;
    1) printf 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n' && head -c 200000 /dev/zero ;;
    *) printf 'GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' ;;
    esac
}
lab_rows() {
    local link seed=0
    while [ $seed -lt 42 ]; do
        while read -r link; do
            seed=$((seed + 1))
            requests $seed | tnc --lab --seed $seed --impair "$link" --pcapng $seed.pcapng google.com 80 >out 2>err || true
        done < <(lab_exchanges)
    done
    mergecap -a -w all.pcapng $(seq -f %g.pcapng $seed)
    assert_dissected_as_by_tshark all.pcapng
}
it "rows of 42 exchanges behind bad links are tshark's" lab_rows
