# shellcheck shell=bash
# --impair puts the simulated link in front of the real device: whatever it does to the packets, every
# byte arrives, in both directions.

impaired() { # DESCRIPTION
    start_peer 9401 sink
    limit=100 tnc --impair "$1" --seed 7 $peer 9401 <"$scratch/www/small" >out 2>err
    wait_until "the peer has seen the end" is_gone $!
    assert_same_hash peer "$scratch/www/small"
    limit=100 tnc --impair "$1" --seed 8 --pcapng capture.pcapng --get /small google.com 80 2>>err | http_body >body
    assert_same_hash body "$scratch/www/small"
    assert_empty err
}
lossy() { impaired "loss 10%" && assert_capture_good capture.pcapng; }
very_lossy() { impaired "loss 20%" && assert_capture_good capture.pcapng; }
disordered() { impaired "delay 5ms jitter 2ms reorder 10% duplicate 5%" && assert_capture_good capture.pcapng; }
slow() { impaired "rate 20mbit queue 30kb delay 10ms" && assert_capture_good capture.pcapng; }
# A flipped bit is a wrong checksum in the capture: that is what is asked for here.
corrupted() { impaired "corrupt 3%"; }
it "a megabyte each way through 10 % loss is right" lossy
it "a megabyte each way through 20 % loss is right" very_lossy
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
