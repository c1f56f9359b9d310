# shellcheck shell=bash
# The README keeps its word: every command in it is run, and shows what the README says.

readme() { (cd "$root" && tests/e2e/readme README.md); }
it "every command of the README prints what the README shows" readme
