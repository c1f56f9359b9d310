# shellcheck shell=bash
# Our dissector against tshark on traffic that is not ours: the kernel's, with losses of every kind.

rows_of_others() {
    command -v tcpdump >/dev/null || skip "tcpdump is missing"
    (cd "$root" && OUT=${peers%/tests/e2e} tests/e2e/rows_equal_tshark)
}
it "rows of what the kernel's TCP says equal tshark's" rows_of_others
