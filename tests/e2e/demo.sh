# shellcheck shell=bash
# scripts/demo, as a new user runs it: without root, without network, twice.

demo_twice() {
    # An empty network namespace is a machine without a cable.
    for i in 1 2; do
        (cd "$root" && unshare --net ./scripts/demo) >out 2>err
        assert_contains out "[SYN] Seq=0"
        assert_contains out "[SYN, ACK] Seq=0 Ack=1"
        assert_equal "$(tail -n 1 out | tr -d '\r')" "</html>"
    done
}
it "the demo shows the rows of the handshake and ends with the page, twice" demo_twice
