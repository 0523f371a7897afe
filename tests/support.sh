# shellcheck shell=sh
# support.sh - the frame of the test scripts: read in by `. tests/support.sh` from the root of the tree.
#
# Leaves $L, the program under test; $T, a new folder without symbolic links in its path, in which the script goes on, and which is
# removed at the end. A step runs a command by `expect`, which leaves its output in $T/out and $T/err; what follows looks
# at them. `finish` is a script's last line.
# shellcheck disable=SC2034 # used by those who read this in
case ${BUILD:-} in /*) L=$BUILD/lnclip ;; *) L=$PWD/${BUILD:-build/release}/lnclip ;; esac
T=$(mktemp -d)
T=$(cd "$T" && pwd -P)
trap 'chmod -R u+rwx "$T"; rm -rf "$T"' EXIT
cd "$T" || exit 1
failures=0
steps=0
what=start # the step at hand
: >err

complain() { # WHY
    failures=$((failures + 1))
    echo "FAIL: $what: $*"
    tail -n 5 "$T/err" | sed 's/^/    /'
}

# The last line of stderr is "lnclip: error: WHAT: WHY; WHAT TO DO", without control characters.
check_message() {
    tail -n 1 "$T/err" | grep -q '^lnclip: error: .*: .*; .' || complain "no clear error message"
    if tr -d '\n\r' <"$T/err" | LC_ALL=C grep -q '[[:cntrl:]]'; then
        complain "control characters in the message"
    fi
}

expect() { # CODE WHAT COMMAND...: runs it; a failure has a clear message
    code=$1
    what=$2
    shift 2
    steps=$((steps + 1))
    "$@" >"$T/out" 2>"$T/err" </dev/null
    got=$?
    [ "$got" = "$code" ] || complain "exit code $got, expected $code"
    [ "$code" = 0 ] || check_message
}

says() { # TEXT: stderr holds it
    grep -qF -e "$1" "$T/err" || complain "stderr does not say '$1'"
}

silent_on() { # TEXT: stderr does not hold it
    if grep -qF -e "$1" "$T/err"; then complain "stderr says '$1'"; fi
}

prints() { # PATTERN: a line of stdout matches
    grep -q -e "$1" "$T/out" || complain "stdout does not show '$1'"
}

holds() { # COMMAND...: it succeeds
    "$@" >/dev/null 2>&1 || complain "not true: $*"
}

# Whether the program was built with libjpeg-turbo, and with libpng: its compiler flags lie beside it.
with_jpeg() { ! grep -qs 'LNCLIP_WITH_JPEG=0' "${L%/*}/flags"; }
with_png() { ! grep -qs 'LNCLIP_WITH_PNG=0' "${L%/*}/flags"; }

# For scripts whose images `lnclip synth` makes, which compresses as JPEG and writes PNG.
needs_synth() {
    with_jpeg && with_png && return
    echo "not run: lnclip synth needs libjpeg-turbo and libpng, and this build lacks one"
    exit 0
}

finish() {
    echo "$steps steps, $failures failures"
    [ "$failures" = 0 ]
    exit
}
