#!/bin/sh
# run.sh PROGRAM... - runs the test programs, then the test scripts tests/test_*.sh, and counts.
#
# BUILD names the build folder of lnclip for the scripts. LNCLIP_SCRIPTS=0 skips the scripts, which
# are slow under sanitizers. Prints one line for each that passes. Exit code 1 if anything failed.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build/release}
export BUILD
# Restores ignored signals (nohup: SIGHUP), which a shell cannot do, for the tests of signals.
if [ -z "${LNCLIP_SIGNALS_RESET:-}" ] && env --default-signal=HUP true 2>/dev/null; then
    export LNCLIP_SIGNALS_RESET=1
    exec env --default-signal=HUP,INT,TERM tests/run.sh "$@"
fi
# A core type from the environment would test other OpenBLAS kernels.
unset OPENBLAS_CORETYPE
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
failed=0

run() {
    name=$1
    shift
    start=$(date +%s)
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "ok    $name ($(($(date +%s) - start)) s) $(grep -E '^[0-9]+%: Checks' "$log" | tail -n 1)"
    else
        failed=$((failed + 1))
        echo "FAIL  $name"
        sed 's/^/      /' "$log"
    fi
}

for program in "$@"; do
    run "$(basename "$program")" "$program"
done
if [ "${LNCLIP_SCRIPTS:-1}" = 1 ]; then
    for script in tests/test_*.sh; do
        run "$(basename "$script")" sh "$script"
    done
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
