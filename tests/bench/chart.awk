# The chart of scripts/bench: for each row a bar per side, as long as it is fast compared with the ceiling,
# with its figure beside it. SVG without fonts or scripts of its own; its colours follow the reader's choice
# of light or dark.

# How fast compared with the ceiling; for a time, less is more.
function speed(unit, value, ceiling) {
    if (!ceiling) return 0
    return unit == "us" ? ceiling / value : value / ceiling
}

function figure(unit, value) { return sprintf(value < 100 ? "%.2f %s" : "%.0f %s", value, unit) }

function bar(class, value, unit, ceiling,    width) {
    if (!value) return
    width = speed(unit, value, ceiling) * full
    if (width > 1.25 * full) width = 1.25 * full
    svg = svg sprintf("<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"11\"/>", class, left, y, width)
    svg = svg sprintf("<text class=\"small\" x=\"%.1f\" y=\"%d\">%s</text>\n", left + width + 5, y + 10, figure(unit, value))
    y += 13
}

function legend(x, class, text) {
    svg = svg sprintf("<rect class=\"%s\" x=\"%d\" y=\"36\" width=\"11\" height=\"11\"/><text class=\"small\" x=\"%d\" y=\"46\">%s</text>\n",
        class, x, x + 15, text)
}

END {
    left = 210; full = 340; y = 62
    svg = svg "<text class=\"title\" x=\"10\" y=\"22\">Speed compared with the ceiling of a TUN device</text>\n"
    if (load > 0.5)
        svg = svg "<text class=\"small\" x=\"430\" y=\"22\">the machine was busy: trust none of this</text>\n"
    legend(left, "tuntcp", "tuntcp"); legend(left + 80, "ceiling", "ceiling"); legend(left + 160, "kernel", "Linux over veth"); legend(left + 290, "lwip", "lwIP")
    n = rows_of(line)
    for (i = 1; i <= n; i++) {
        split(line[i], f, "|")
        if (!median(f[3], f[6])) continue
        sub(/^ +/, "… ", f[1])
        ceiling = median(f[3], f[4])
        svg = svg sprintf("<text x=\"10\" y=\"%d\">%s</text>\n", y + 11, f[1])
        bar("tuntcp", median(f[3], f[6]), f[2], ceiling)
        bar("ceiling", ceiling, f[2], ceiling)
        bar("kernel", median(f[3], f[5]), f[2], ceiling)
        if (f[7] != "") bar("lwip", median(f[3], f[7]), f[2], ceiling)
        y += 9
    }
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 %d\" width=\"720\" height=\"%d\" role=\"img\" aria-label=\"Speed of tuntcp, of the ceiling, of Linux and of lwIP\">\n", y + 4, y + 4
    print "<style>text{font:13px sans-serif;fill:#222}.small{font-size:11px}.title{font-weight:bold}"
    print ".tuntcp{fill:#0b7a75}.ceiling{fill:#b8b8b8}.kernel{fill:#d08c2e}.lwip{fill:#8a6bbf}"
    print "@media(prefers-color-scheme:dark){text{fill:#ddd}.tuntcp{fill:#2fc4bc}.ceiling{fill:#6a6a6a}}</style>"
    printf "%s</svg>\n", svg
}
