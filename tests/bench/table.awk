# The table of scripts/bench and which of its bounds hold. Exit code 1 with check=1 when one does not.
# is_whole=1: all rows were wanted.

function figure(value) { return !value ? "" : sprintf(value < 100 ? "%.2f" : "%.0f", value) }
# How many times the better: for a time the other's over ours.
function ratio(unit, ours, theirs) { return !ours || !theirs ? "" : sprintf("%.2f", ours / theirs) }

# What was not asked for is not judged; what was and gave nothing does not hold.
function bound(text, is_measured, holds) {
    if (!is_measured && !is_whole) return
    holds = is_measured && holds
    printf "  %-5s %s%s\n", holds ? "holds" : "FAILS", text, is_measured ? "" : " (not measured)"
    bad += !holds
}

# tuntcp over another side: at least so much.
function at_least(what, row, ours, theirs, least,    a, b) {
    a = median(row, ours); b = median(row, theirs); sub(/_.*/, "", theirs)
    bound(sprintf("%s: %.2f of %s, wanted at least %.2f", what, b ? a / b : 0, theirs, least), a && b, a >= least * b)
}

# One queue of the device and two. Reported, not judged.
function queues_row(label, row,    i) {
    if (!count[row, 2]) return
    printf "%-30s %10s %10s %8s", label, figure(median(row, 1)), figure(median(row, 2)), ratio("", median(row, 2), median(row, 1))
    for (i = 1; i <= 2; i++) printf " %6.2f %6.2f", median(row "_server", i), median(row "_peer", i)
    printf " %8.2f\n", median(row "_share", 2)
}

function queues_table() {
    if (!count["queues_crr", 2]) return
    print ""
    printf "%-30s %10s %10s %8s %13s %13s %8s\n", "queues of the device", "1", "2", "ratio", "CPU with 1", "CPU with 2", "busier"
    printf "%-30s %10s %10s %8s %6s %6s %6s %6s %8s\n", "", "", "", "", "server", "peer", "server", "peer", "queue"
    queues_row("bulk send, 4 at once, GB/s", "queues_source")
    queues_row("bulk receive, 4 at once, GB/s", "queues_sink")
    queues_row("request+response, 64, /s", "queues_crr")
}

# What is left to a bulk connection beside a flood and beside its control, in turns; and who is still served.
function flood_row(label, row) {
    if (!count[row, "syn"]) return
    printf "%-30s %10.0f %10.0f %10.2f %10.2f %8.2f %8d %10.0f\n", label, median(row "_rate", "control"), median(row "_rate", "syn"),
        median(row, "control"), median(row, "syn"), ratio("", median(row, "syn"), median(row, "control")),
        median(row "_served", "syn"), median(row "_longest", "syn")
}

function flood_table(    part) {
    if (!count["flood_memory", "syn"]) return
    print ""
    printf "%-30s %21s %21s %8s %8s %10s\n", "", "packets/s", "GB/s beside", "", "served", "longest"
    printf "%-30s %10s %10s %10s %10s %8s %8s %10s\n", "SYN flood", "control", "SYNs", "control", "SYNs", "ratio", "of 1000", "ms"
    for (part = 8; part >= 2; part /= 2) {
        flood_row("bulk send, rate 1/" part, "flood_send_" part)
        flood_row("bulk receive, rate 1/" part, "flood_receive_" part)
    }
    printf "memory during the flood: at most %.1f MB of %.1f MB\n", most("flood_memory", "syn") / 1e6, median("flood_memory_max", "syn") / 1e6
}

function flood_bounds(    part, row, way, ways, i) {
    split("send receive", ways, " ")
    for (part = 8; part >= 2; part /= 2)
        for (i = 1; i in ways; i++) {
            row = "flood_" ways[i] "_" part
            at_least("SYN flood, rate 1/" part ", bulk " ways[i], row, "syn", "control", 0.5)
            bound(sprintf("SYN flood, rate 1/%d, bulk %s: %d of 1000 connects served within 3 s, wanted at least 990", part,
                ways[i], median(row "_served", "syn")), count[row, "syn"], median(row "_served", "syn") >= 990)
        }
    bound("SYN flood: memory within its limit", count["flood_memory", "syn"],
        most("flood_memory", "syn") <= median("flood_memory_max", "syn"))
}

END {
    n = rows_of(line)
    head = "%-30s %10s %10s %10s %10s %11s %10s\n"
    for (i = 1; i <= n; i++) {
        split(line[i], f, "|")
        us = median(f[3], f[6])
        if (!us) continue
        if (!shown++) printf head, "", "ceiling", "kernel", "lwIP", "tuntcp", "of ceiling", "of kernel"
        ceiling = median(f[3], f[4]); kernel_value = median(f[3], f[5])
        printf head, f[1] ", " f[2], figure(ceiling), figure(kernel_value), figure(f[7] == "" ? 0 : median(f[3], f[7])),
            figure(us), ratio(f[2], us, ceiling), ratio(f[2], us, kernel_value)
    }
    if (count["idle_cpu", "tuntcp"])
        printf "processor time with 54,000 idle: %.3f %%\n", median("idle_cpu", "tuntcp")
    flood_table()
    queues_table()
    if (count["flood_memory", "syn"] + count["queues_crr", 2]) print ""
    printf "medians of %d runs, Linux %s, %d processors%s\n", runs, kernel, cpus, cc == "" ? "" : ", kernel side: " cc
    if (load > 0.5)
        printf "the machine was busy with other things (load %s before): trust none of this\n", load
    print ""

    print "bounds:"
    at_least("bulk send", "send", "tuntcp", "ceiling_1", 0.85)
    at_least("bulk send", "send", "tuntcp", "kernel", 0.7)
    at_least("bulk receive", "receive", "tuntcp", "ceiling_1", 0.85)
    at_least("bulk receive", "receive", "tuntcp", "kernel", 0.7)
    at_least("bulk send, zero copy", "send", "tuntcp_zero", "ceiling_0", 0.85)
    at_least("bulk send, zero copy", "send", "tuntcp_zero", "kernel", 0.9)
    at_least("bulk receive, zero copy", "receive", "tuntcp_zero", "ceiling_0", 0.85)
    at_least("bulk receive, zero copy", "receive", "tuntcp_zero", "kernel", 0.9)
    at_least("bulk send, no offload", "send", "tuntcp_plain", "ceiling_plain", 0.9)
    at_least("bulk receive, no offload", "receive", "tuntcp_plain", "ceiling_plain", 0.85)
    a = median("send", "tuntcp_plain"); b = median("send", "tuntcp_calls")
    bound(sprintf("bulk send, no offload: %.2f of that with a call for each packet, wanted at least 1.10", b ? a / b : 0), a && b, a >= 1.1 * b)
    us = median("ping", "tuntcp"); ceiling = median("ping", "ceiling"); kernel_value = median("ping", "kernel")
    bound(sprintf("ping-pong: %.2f of the ceiling's time, wanted at most 1.10", ceiling ? us / ceiling : 0), us && ceiling, us <= 1.1 * ceiling)
    bound(sprintf("ping-pong: %.2f of the kernel's time, wanted less", kernel_value ? us / kernel_value : 0), us && kernel_value, us < kernel_value)
    at_least("connect+close", "cc", "tuntcp", "ceiling", 0.95)
    at_least("connect+close", "cc", "tuntcp", "kernel", 1.7)
    at_least("request+response", "crr", "tuntcp", "ceiling", 0.9)
    at_least("request+response", "crr", "tuntcp", "kernel", 1.6)
    a = median("crr_54k", "tuntcp"); b = median("crr_none", "tuntcp")
    bound(sprintf("request+response beside 54,000 idle: %.2f of that with none, wanted at least 0.95", b ? a / b : 0), a && b, a >= 0.95 * b)
    a = median("idle_cpu", "tuntcp")
    bound(sprintf("processor time with 54,000 idle: %.3f %%, wanted at most 0.1", a), count["idle_cpu", "tuntcp"], a <= 0.1)
    flood_bounds()
    a = failed["tuntcp"] + failed["tuntcp_zero"] + failed["tuntcp_plain"] + failed["tuntcp_calls"]
    bound(sprintf("failed connections: %d, wanted none", a), 1, a == 0)
    for (side in failed)
        if (failed[side] && side !~ /^tuntcp/) printf "  (%d failed of %s)\n", failed[side], side
    exit check && bad > 0
}
