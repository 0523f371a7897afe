#!/bin/sh
# run.sh BUILD SECONDS [NAME...] - runs each harness of BUILD/lnclip_fuzz for SECONDS, and prints a table.
#
# BUILD/seeds holds first inputs (seeds.sh), BUILD/corpus what was found beyond them, from which the next call goes on,
# BUILD/crashes the inputs that failed, BUILD/logs what libFuzzer printed. JOBS harnesses run at a time. Exit code 1
# if one found a fault; `BUILD/lnclip_fuzz NAME BUILD/crashes/NAME-...` shows it again.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$(cd "$1" && pwd -P) || exit 1
seconds=$2
shift 2
JOBS=${JOBS:-$(nproc)}
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT

"$build/lnclip_fuzz" --list >"$T/targets" || exit 1
for name; do
    grep -q "^$name " "$T/targets" || {
        echo "run.sh: $name: unknown harness; choose of: $(cut -d' ' -f1 "$T/targets" | tr '\n' ' ')" >&2
        exit 2
    }
done
tests/fuzz/seeds.sh "$build" "$build/seeds" >"$T/log" 2>&1 || {
    cat "$T/log"
    exit 1
}
mkdir -p "$build/corpus" "$build/crashes" "$build/logs"

export build seconds TMPDIR="$T"
[ -d /dev/shm ] && [ -w /dev/shm ] && TMPDIR=$(mktemp -d /dev/shm/lnclip-fuzz-XXXXXX) && trap 'rm -rf "$T" "$TMPDIR"' EXIT
export ASAN_OPTIONS=detect_stack_use_after_return=0:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1
unset OPENBLAS_CORETYPE
export OPENBLAS_NUM_THREADS=1

# NAME LONGEST: one harness; its exit code into logs/NAME.code.
cat >"$T/one" <<'END'
mkdir -p "$build/corpus/$1"
"$build/lnclip_fuzz" "$1" -max_total_time="$seconds" -max_len="$2" -timeout=25 -rss_limit_mb=3000 \
    -print_final_stats=1 -artifact_prefix="$build/crashes/$1-" "$build/corpus/$1" "$build/seeds/$1" \
    >"$build/logs/$1" 2>&1
echo $? >"$build/logs/$1.code"
END
for name; do grep "^$name " "$T/targets"; done >"$T/chosen"
[ $# -gt 0 ] || cp "$T/targets" "$T/chosen"
xargs -P "$JOBS" -L 1 sh "$T/one" <"$T/chosen"

printf '%-22s %12s %8s %8s %8s\n' harness executions 'a second' edges result
failed=0
while read -r name _; do
    log=$build/logs/$name
    result=ok
    [ "$(cat "$log.code")" = 0 ] || { result=FAULT && failed=1; }
    awk -v name="$name" -v result="$result" '
        /^stat::number_of_executed_units/ { executions = $2 }
        /^stat::average_exec_per_sec/ { speed = $2 }
        / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") edges = $(i + 1) }
        END { printf "%-22s %12d %8d %8d %8s\n", name, executions, speed, edges, result }' "$log"
    [ $result = ok ] || grep -a -m 5 -E 'ERROR: |SUMMARY|not true|error:|Test unit written' "$log" | sed 's/^/    /'
done <"$T/chosen"
exit $failed
