# shellcheck shell=bash
# Our TCP and the kernel's, order by order: every way to open and to close, resets, closed windows, urgent
# data and keep-alives, each in both directions. What each end is told is in orders.h.

# ---- opening

kernel_closes_first() {
    kernel shutdown "shut down"
    us read-end end
    us shutdown "shut down"
    us "await CLOSED" "in CLOSED"
    kernel read-end end
}

active_open() {
    start_ends
    open_actively
    exchange_bytes 100000
    we_close_first
    end_ends complete
    assert_states "SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT"
}
it "we open and close: SYN-SENT to TIME-WAIT by the way of figure 5" active_open

passive_open() {
    start_ends
    open_passively
    exchange_bytes 100000
    kernel_closes_first
    wait_until "the kernel is in TIME-WAIT" kernel_is time-wait
    end_ends complete
    assert_states "LISTEN SYN-RECEIVED ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED CLOSED" # the last: the listener
}
it "the kernel opens and closes: LISTEN to CLOSED, and TIME-WAIT is the kernel's" passive_open

# The kernel's SYN lies in the device until ours has left: neither side has seen the other's.
simultaneous_open() {
    start_ends
    us hold holds
    kernel "connect 9000 9001"
    wait_until "the kernel's SYN is out" kernel_is syn-sent
    us "connect 9001 9000" opens
    us go "goes on"
    us "await ESTABLISHED" "in ESTABLISHED"
    kernel_says connected
    exchange_bytes 100000
    we_close_first
    end_ends
    assert_states "SYN-SENT SYN-RECEIVED ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT"
    assert_some "tcp.flags.syn == 1 && tcp.flags.ack == 0 && ip.src == $us"
    assert_some "tcp.flags.syn == 1 && tcp.flags.ack == 0 && ip.src == $kernel"
    assert_none "tcp.flags.reset == 1"
}
it "SYNs that cross make one connection: SYN-SENT, SYN-RECEIVED, ESTABLISHED, and bytes both ways" simultaneous_open

# Our first SYN is dropped, so that the kernel's meets us in SYN-SENT; then our answer is let through.
tnc_opens_simultaneously() {
    make_pair
    drop_ours
    head -c 100000 "$scratch/www/big" >there
    tail -c 100000 "$scratch/www/big" >back
    in_pair_start "$tnc_program" "${without_offload[@]}" -v -p 9000 --pcapng capture.pcapng "$kernel" 9001 <there >out 2>trace
    local tnc_pid=$!
    wait_until "our SYN is out" trace_has "9001 [SYN]"
    in_pair_start nc -N -n -p 9001 "$us" 9000 <back >got
    wait_until "the kernel's SYN has met us" trace_has "SYN-SENT -> SYN-RECEIVED"
    drop_nothing
    expect_end 0 $tnc_pid
    assert_same_hash out back
    assert_same_hash got there
    assert_capture_good capture.pcapng
    assert_contains trace "SYN-RECEIVED -> ESTABLISHED"
}
it "tnc -p PORT to a peer that connects to that port: one connection, 100 KB each way" tnc_opens_simultaneously

# ---- closing

we_half_close() {
    start_ends
    open_actively
    us shutdown "shut down"
    kernel read-end end
    us "await FIN-WAIT-2" "in FIN-WAIT-2"
    kernel "write 300000" # more than a window: ours must go on opening
    us "read 300000" "read 300000"
    kernel_says "wrote 300000"
    us "write 1" "error connection closing"
    kernel close closed
    us read-end end
    us "await TIME-WAIT" "in TIME-WAIT"
    end_ends complete
}
it "we end our half, and go on receiving in FIN-WAIT-2" we_half_close

kernel_half_closes() {
    start_ends
    open_actively
    kernel shutdown "shut down"
    us read-end end
    us "await CLOSE-WAIT" "in CLOSE-WAIT"
    us "write 300000"
    kernel "read 300000" "read 300000"
    us_says "wrote 300000"
    us shutdown "shut down"
    us "await CLOSED" "in CLOSED"
    kernel read-end end
    end_ends complete
    assert_states "SYN-SENT ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED"
}
it "the kernel ends its half, and we go on sending in CLOSE-WAIT" kernel_half_closes

# The kernel's FIN lies in the device until ours has left. Our acknowledgment of it is dropped for a while,
# so that the kernel can be seen in CLOSING; its FIN, sent again, is acknowledged from TIME-WAIT.
simultaneous_close() {
    start_ends
    open_actively
    exchange_bytes 1000
    drop_ours "tcp flags == ack"
    us hold holds
    kernel shutdown "shut down"
    us shutdown "shut down"
    us go "goes on"
    us "await TIME-WAIT" "in TIME-WAIT"
    wait_until "the kernel is in CLOSING" kernel_is closing
    drop_nothing
    wait_until "the kernel is in TIME-WAIT" kernel_is time-wait
    kernel read-end end
    us read-end end
    end_ends complete
    assert_states "SYN-SENT ESTABLISHED FIN-WAIT-1 CLOSING TIME-WAIT"
}
it "FINs that cross lead both ends through CLOSING to TIME-WAIT" simultaneous_close

kernel_resets() {
    start_ends
    open_actively
    us "write 1000" "wrote 1000"
    us await-sent sent # unread, in the kernel's buffer
    kernel close closed
    us read-end "error connection reset"
    end_ends
    assert_states "SYN-SENT ESTABLISHED CLOSED"
}
it "the kernel closes with bytes unread: we report the reset" kernel_resets

we_reset() {
    start_ends
    open_actively
    kernel "write 1000" "wrote 1000"
    us "read 1" "read 1" # the rest is there
    us close closed
    kernel read-end "error ECONNRESET"
    end_ends
    assert_some "tcp.flags.reset == 1 && ip.src == $us"
}
it "we close with bytes unread: the kernel gets ECONNRESET (SHLD-3)" we_reset

we_reset_what_comes_late() {
    start_ends
    open_actively
    us close closed
    wait_until "our FIN is there" kernel_is close-wait
    kernel "write 1000" "wrote 1000"
    wait_until "the kernel has lost the connection" kernel_is_without
    kernel "write 1" "error EPIPE" # a reset behind our FIN
    end_ends
    assert_matches <(info_of capture.pcapng) "9000 \[RST, ACK\]"
}
kernel_is_without() { [ -z "$(in_pair ss -Htn dst "$us")" ]; }
it "bytes that arrive after our CLOSE are answered by a reset (SHLD-3)" we_reset_what_comes_late

kernel_resets_what_comes_late() {
    start_ends
    open_actively
    kernel close closed
    us read-end end
    us "write 1000" "wrote 1000"
    us "await CLOSED" "in CLOSED"
    us read-end "error connection reset"
    end_ends
}
it "bytes that arrive after the kernel's close are answered by a reset, which we report" kernel_resets_what_comes_late

we_abort() {
    start_ends
    open_actively
    exchange_bytes 1000
    us abort aborted
    kernel read-end "error ECONNRESET"
    end_ends
}
it "ABORT: the kernel gets ECONNRESET" we_abort

# ---- closed windows

# Waits of at most 50 ms stand for minutes: what counts is R2, the time after which an unanswered connection
# is given up. Minutes as such pass in tests/sim.
kernel_does_not_read() {
    start_ends --set rto_max_us=50000 --set r2_us=1000000
    open_actively
    us "write 1000000"
    wait_until "40 probes are answered" trace_has "[TCP ZeroWindowProbeAck]" 40
    kernel "read 1000000" "read 1000000"
    us_says "wrote 1000000"
    we_close_first
    end_ends complete
}
it "the kernel's window is closed for 40 of our probes, twice R2, then all arrives (MUST-37)" kernel_does_not_read

# Linux waits 0.2 s for its first probe and then twice as long each time. Its probe is a keep-alive in form: no
# byte, before the window.
we_do_not_read() {
    start_ends
    open_actively
    kernel "write 1000000"
    wait_until "4 probes are there" trace_has "[TCP Keep-Alive]" 4
    us "read 1000000" "read 1000000"
    kernel_says "wrote 1000000"
    we_close_first
    end_ends complete
}
it "our window is closed for 4 of the kernel's probes, then all arrives" we_do_not_read

tnc_is_not_read() {
    make_pair
    mkfifo out
    exec 5<>out # holds the pipe open, and nothing drains it
    head -c 1000000 "$scratch/www/big" >back
    in_pair_start "$peers/peer" "$kernel" 9000 exchange <back >peer 2>peer.err
    wait_until "the peer listens" pair_listens 9000
    in_pair_start "$tnc_program" "${without_offload[@]}" -v -d --pcapng capture.pcapng "$kernel" 9000 >out 2>trace
    wait_until "4 probes are there" trace_has "[TCP Keep-Alive]" 4
    head -c 1000000 <&5 >got
    expect_end 0 $!
    assert_same_hash got back
    assert_capture_good capture.pcapng complete
}
pair_listens() { [ -n "$(in_pair ss -Hlnt "sport = :$1")" ]; }
it "tnc with a stdout that nobody reads closes the window, and all arrives later" tnc_is_not_read

# ---- urgent data, 9293 3.8.5

kernel_sends_urgent() {
    start_ends
    open_actively
    kernel "write 100" "wrote 100"
    kernel "urgent 1" "urgent 1"
    kernel "write 50" "wrote 50"
    us await-urgent "urgent 101"
    us "read 100" "read 100"
    us still-urgent "urgent 1"
    us "read 1" "read 1"
    us still-urgent "urgent 0"
    us "read 50" "read 50"
    we_close_first
    end_ends complete
    # The pointer names the byte behind the urgent one (MUST-62).
    assert_some "tcp.flags.urg == 1 && tcp.seq + tcp.urgent_pointer == 102"
    assert_none "tcp.flags.urg == 1 && tcp.seq + tcp.urgent_pointer != 102"
}
it "the kernel's urgent byte: its place in the stream is known before it is read" kernel_sends_urgent

kernel_receives_urgent_out_of_line() {
    start_ends
    open_actively
    us "write 10" "wrote 10"
    us "urgent 1" "urgent 1"
    us "write 5" "wrote 5"
    kernel "read 10" "read 10"
    kernel at-mark 1
    kernel urgent-byte "urgent byte 11"
    kernel "read 5" "read 5"
    we_close_first
    end_ends complete
}
it "our urgent byte: the kernel stops at the mark, and MSG_OOB gives it" kernel_receives_urgent_out_of_line

kernel_receives_urgent_inline() {
    start_ends
    open_actively
    kernel "set oobinline 1" set
    us "write 3000" "wrote 3000"
    us "urgent 2000" "urgent 2000" # the last of them is the kernel's "urgent byte"
    us "write 500" "wrote 500"
    kernel "read 1" "read 1"
    kernel at-mark 0
    kernel "read 4998" "read 4998"
    kernel at-mark 1
    kernel "read 501" "read 501"
    we_close_first
    end_ends complete
}
it "our urgent data, in line: SIOCATMARK is true before its last byte" kernel_receives_urgent_inline

# ---- keep-alives, 9293 3.8.4

# One second is the shortest time that the kernel takes for any of these.
kernel_keeps_alive() {
    kernel "set keepidle 1" set
    kernel "set keepintvl 1" set
    kernel "set keepcnt 2" set
    kernel "set keepalive 1" set
}
readonly quick_keepalives="--set keepalive_idle_us=30000 --set keepalive_interval_us=30000 --set keepalive_count=3"

we_answer_keepalives() {
    start_ends
    open_actively
    kernel_keeps_alive
    wait_until "three keep-alives are answered" trace_has "[TCP Keep-Alive ACK]" 3
    exchange_bytes 1000
    we_close_first
    end_ends complete
}
it "the kernel's keep-alives are answered, and the connection lives" we_answer_keepalives

we_vanish() {
    start_ends
    open_actively
    kernel_keeps_alive
    drop_ours
    kernel read-end "error ETIMEDOUT"
    end_ends
}
it "the kernel's keep-alives end its connection when we have vanished" we_vanish

kernel_answers_keepalives() {
    # shellcheck disable=SC2086
    start_ends $quick_keepalives
    open_actively
    us keepalive "keepalive on"
    wait_until "ten keep-alives are answered" trace_has "[TCP Keep-Alive ACK]" 10
    exchange_bytes 1000
    we_close_first
    end_ends complete
}
it "our keep-alives are answered by the kernel, and the connection lives" kernel_answers_keepalives

kernel_vanishes() {
    # shellcheck disable=SC2086
    start_ends $quick_keepalives
    open_actively
    us keepalive "keepalive on"
    drop_ours
    us read-end "error connection timed out"
    end_ends
    assert_states "SYN-SENT ESTABLISHED CLOSED"
}
it "our keep-alives end the connection when the kernel has vanished" kernel_vanishes
