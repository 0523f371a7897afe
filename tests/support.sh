# shellcheck shell=sh
# support.sh - functions for test scripts, included by `. tests/support.sh` from the root of the
# tree.
#
# Sets $L, the program under test, and $T, a new working directory without symbolic links in its
# path, which is removed at exit. `expect` runs a command with output to $T/out and $T/err; the
# following checks examine these. `finish` is the last line of a script.
# shellcheck disable=SC2034 # used by those who read this in
case ${BUILD:-} in /*) L=$BUILD/lnclip ;; *) L=$PWD/${BUILD:-build/release}/lnclip ;; esac
T=$(mktemp -d)
T=$(cd "$T" && pwd -P)
trap 'chmod -R u+rwx "$T"; rm -rf "$T"' EXIT
cd "$T" || exit 1
failures=0
steps=0
what=start # the current step
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

says() { # TEXT: stderr contains it
    grep -qF -e "$1" "$T/err" || complain "stderr does not say '$1'"
}

silent_on() { # TEXT: stderr does not contain it
    if grep -qF -e "$1" "$T/err"; then complain "stderr says '$1'"; fi
}

prints() { # PATTERN: a line of stdout matches
    grep -q -e "$1" "$T/out" || complain "stdout does not show '$1'"
}

holds() { # COMMAND...: it succeeds
    "$@" >/dev/null 2>&1 || complain "not true: $*"
}

# True if the program was built with libjpeg-turbo, with FFmpeg, with libpng, by the file of compiler flags next
# to it.
with_jpeg() { ! grep -qs 'LNCLIP_WITH_JPEG=0' "${L%/*}/flags"; }
with_av() { ! grep -qs 'LNCLIP_WITH_AV=0' "${L%/*}/flags"; }
with_png() { ! grep -qs 'LNCLIP_WITH_PNG=0' "${L%/*}/flags"; }

# Skips a script that needs `lnclip synth`, which compresses as JPEG and writes PNG.
needs_synth() {
    with_jpeg && with_png && return
    echo "skipped: lnclip synth needs libjpeg-turbo and libpng, and this build lacks one"
    exit 0
}

finish() {
    echo "$steps steps, $failures failures"
    [ "$failures" = 0 ]
    exit
}
