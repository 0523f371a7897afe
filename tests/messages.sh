#!/bin/sh
# messages.sh - prints the messages, help texts and other sentences of the program, by file.
#
# A sentence is a string with at least two words, outside of tests, assertions and JSON formats.
# Adjacent strings are joined, as by the compiler. tests/golden/messages.txt holds the output, so
# that all wording can be proof-read in one file; test_structure.sh fails where they differ. Renew:
#
#     tests/messages.sh >tests/golden/messages.txt
set -u
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C
git ls-files '*.c' '*.h' ':!tests' 2>/dev/null | grep -q . || {
    echo "messages.sh: needs a git checkout" >&2
    exit 77
}
# shellcheck disable=SC2016 # awk's own $0
git ls-files '*.c' '*.h' ':!tests' | sort | xargs awk '
function end_of_string() {
    if (!assertion && joined !~ /^[{[][a-z]:/ && joined ~ /[A-Za-z][a-z,;:]+ [%(A-Za-z]/ &&
        !((FILENAME, joined) in seen)) {
        if (FILENAME != named) {
            printf "%s# %s\n", named == "" ? "" : "\n", FILENAME
            named = FILENAME
        }
        seen[FILENAME, joined] = 1
        print joined
    }
    joined = ""
}
FNR == 1 { comment = assertion = 0; joined = "" }
{
    line = $0
    while (line != "") {
        if (comment) {
            at = index(line, "*/")
            if (!at) break
            comment = 0
            line = substr(line, at + 2)
        } else if (match(line, /^[ \t\\]+/)) {
            line = substr(line, RLENGTH + 1)
        } else if (substr(line, 1, 2) == "/*") {
            comment = 1
            line = substr(line, 3)
        } else if (match(line, /^"([^"\\]|\\.)*"/)) {
            joined = joined substr(line, 2, RLENGTH - 2)
            line = substr(line, RLENGTH + 1)
        } else if (match(line, /^(PRI[a-zA-Z0-9]+|[A-Z][A-Z0-9_]+)/) && joined != "") {
            joined = joined "<" substr(line, 1, RLENGTH) ">"
            line = substr(line, RLENGTH + 1)
        } else if (match(line, /^\x27([^\x27\\]|\\.)*\x27/)) {
            end_of_string()
            line = substr(line, RLENGTH + 1)
        } else {
            end_of_string()
            match(line, /^([A-Za-z0-9_]+|.)/)
            token = substr(line, 1, RLENGTH)
            if (token ~ /^(assert|_Static_assert)$/) assertion = 1
            if (token == ";") assertion = 0
            line = substr(line, RLENGTH + 1)
        }
    }
}
'
