# Shared by table.awk and chart.awk: what scripts/bench wrote, "ROW SIDE VALUE" a line, as medians.

{ count[$1, $2]++; value[$1, $2, count[$1, $2]] = $3; if ($1 == "failed") failed[$2] += $3 }

# 0: it was not measured.
function median(row, side,    n, i, j, v, t) {
    n = count[row, side]
    if (!n) return 0
    for (i = 1; i <= n; i++) v[i] = value[row, side, i]
    for (i = 1; i <= n; i++)
        for (j = i + 1; j <= n; j++)
            if (v[j] + 0 < v[i] + 0) { t = v[i]; v[i] = v[j]; v[j] = t }
    return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}

function most(row, side,    i, m) {
    for (i = 1; i <= count[row, side]; i++) if (value[row, side, i] + 0 > m) m = value[row, side, i]
    return m
}

# The rows of table and chart: label|unit|row|ceiling|kernel|tuntcp|lwIP, by the names of the sides.
function rows_of(line,    n) {
    line[++n] = "bulk send|GB/s|send|ceiling_1|kernel|tuntcp|"
    line[++n] = "bulk send, zero copy|GB/s|send|ceiling_0|kernel|tuntcp_zero|"
    line[++n] = "bulk send, no offload|GB/s|send|ceiling_plain|kernel_plain|tuntcp_plain|lwip"
    line[++n] = "  a call for each packet|GB/s|send|ceiling_plain|kernel_plain|tuntcp_calls|"
    line[++n] = "bulk receive|GB/s|receive|ceiling_1|kernel|tuntcp|"
    line[++n] = "bulk receive, zero copy|GB/s|receive|ceiling_0|kernel|tuntcp_zero|"
    line[++n] = "bulk receive, no offload|GB/s|receive|ceiling_plain|kernel_plain|tuntcp_plain|lwip"
    line[++n] = "  a call for each packet|GB/s|receive|ceiling_plain|kernel_plain|tuntcp_calls|"
    line[++n] = "ping-pong, one processor|us|ping|ceiling|kernel|tuntcp|lwip"
    line[++n] = "connect+close, 64 at once|/s|cc|ceiling|kernel|tuntcp|lwip"
    line[++n] = "request+response, 64|/s|crr|ceiling|kernel|tuntcp|lwip"
    line[++n] = "  beside 10,000 idle|/s|crr_10k|ceiling|kernel|tuntcp|lwip"
    line[++n] = "  beside 54,000 idle|/s|crr_54k|ceiling|kernel|tuntcp|lwip"
    line[++n] = "  in turns with it: none idle|/s|crr_none|ceiling|kernel|tuntcp|lwip"
    return n
}
