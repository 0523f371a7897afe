#!/bin/bash
# check_long_faults.sh [PART...] - tests failures of memory, disk and system calls, and killed runs.
#
# Parts: allocations, disks, descriptors, calls, kills (default: all, two at a time). In each case a
# command must either succeed, or exit with code 1 and one clear message, after which the same
# command (train: with --resume) succeeds. Its files must be equal to those of an undisturbed run,
# except for times. Errors are: death by a signal, success with different bytes, failure without a
# message, temporary files left behind.
#
# SAMPLES=N: failures of each kind per command, evenly spaced (24). ROUNDS=N: number of killed runs
# (100). SEED=N: random seed for the times of the kills (1). About ten minutes on two cores. System
# calls are made to fail by strace; without it this part is skipped, with a message.
set -u
cd "$(dirname "$0")/.." || exit 1
case ${BUILD:-} in /*) L=$BUILD/lnclip ;; *) L=$PWD/${BUILD:-build/release}/lnclip ;; esac
SAMPLES=${SAMPLES:-24}
ROUNDS=${ROUNDS:-100}
SEED=${SEED:-1}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
export OPENBLAS_NUM_THREADS=1

# ---- input, made once; the parts run as separate processes and find it in $FAULTS ----------------

if [ -z "${FAULTS:-}" ]; then
    FAULTS=$(mktemp -d)
    trap 'rm -rf "$FAULTS"' EXIT
    export FAULTS
    "${CC:-cc}" -D_GNU_SOURCE -O1 -shared -fPIC -o "$FAULTS/faults.so" tests/faults.c -ldl || exit 1
    (
        cd "$FAULTS" || exit 1
        "$L" init --arch tiny --seed 1 --out model --quiet &&
            "$L" synth --seed 1 --videos 4 --frames 2 --size 64 --out faces --quiet &&
            "$L" train --model model --train faces/lists/train/*.txt --val faces/lists/val/*.txt --out run \
                --recipe cpu batch_size=8 epochs=2 --quiet &&
            "$L" eval --model model --adapter run/best.safetensors --out evaluation --quiet \
                A=faces/lists/val/real.txt,faces/lists/val/swap.txt
    ) >"$FAULTS/log" 2>&1 || {
        cat "$FAULTS/log"
        exit 1
    }
    [ $# -gt 0 ] || set -- kills calls allocations disks descriptors
    printf '%s\n' "$@" | xargs -P 2 -n 1 "$0"
    exit
fi

T=$FAULTS/$1
mkdir -p "$T" && cd "$T" || exit 1
ln -s ../model ../faces ../run ../evaluation .
failures=0
tried=0

complain() {
    failures=$((failures + 1))
    echo "FAIL: $what: $*"
    tail -n 3 err | cut -c 1-300 | sed 's/^/    /'
}

# ---- commands: each writes the folder out, or stdout, which is kept as out/stdout -----------------------------------

COMMANDS="train eval predict lists auc export features calibrate"
set_command() { # NAME: sets `command`
    validation="A=faces/lists/val/real.txt,faces/lists/val/swap.txt"
    case $1 in
    train) command=("$L" train --model model --train faces/lists/train/{real,swap}.txt
        --val faces/lists/val/{real,swap}.txt --out out --recipe cpu batch_size=4 epochs=2 keep=1 save_every=2
        log.tensorboard=on threads=1 workers=0 --quiet) ;;
    eval) command=("$L" eval --model model --adapter run/best.safetensors --out out "$validation" --perturb jpeg=50
        --quiet --threads 1) ;;
    predict) command=("$L" predict --model model --adapter run/best.safetensors --quiet --threads 1 faces/swap) ;;
    lists) command=("$L" lists folder --root faces --real real --fake swap --out out --quiet) ;;
    auc) command=("$L" auc evaluation/predictions.csv --format json --quiet) ;;
    export) command=("$L" export --model model --adapter run/best.safetensors --out out --quiet) ;;
    features) command=("$L" features --model model --quiet --threads 1 --out out/features.safetensors faces/swap) ;;
    calibrate) command=("$L" calibrate --model model --adapter run/best.safetensors --out out/calibrated.safetensors
        --quiet --threads 1 --val faces/lists/val/real.txt faces/lists/val/swap.txt) ;;
    esac
    name=$1
}

prepare() { # empties the working folder
    rm -rf out
    case $name in predict | auc | features | calibrate) mkdir out ;; esac
}

run() { # COMMAND...: sets `code` to its exit code
    "$@" >stdout 2>err </dev/null
    code=$?
    case $name in predict | auc) [ $code = 0 ] && cp stdout out/stdout ;; esac
}

# Collects all output, without times (run.log), in one file for cmp(1). curves.svg is checked by
# check_curves.
contents() {
    (cd out 2>/dev/null || exit 0
        find . -type f ! -name curves.svg ! -name run.log | LC_ALL=C sort | while read -r file; do
            echo "== $file"
            case $file in
            ./steps.csv) sed 's/,[^,]*$//' "$file" ;;
            ./epochs.csv) awk -F, -v OFS=, '{ $11 = ""; print }' "$file" ;;
            *.tfevents.*) wc -c <"$file" ;;
            # A picture that cannot be read is missing in the page, with a message; the metrics are
            # complete.
            ./report.html) sed -e '/^<li title=/d' -e '/images cannot be shown/d' "$file" ;;
            *) cat "$file" ;;
            esac
        done)
}

reference() { # writes the output of an undisturbed run to reference.NAME
    prepare
    what="$name, undisturbed"
    run "${command[@]}"
    [ $code = 0 ] || complain "exit code $code"
    contents >"reference.$name"
    [ ! -e out/curves.svg ] || cp out/curves.svg reference.curves.svg
}

# If curves.svg cannot be written, the run continues with a warning.
check_curves() {
    [ "$name" = train ] && ! cmp -s out/curves.svg reference.curves.svg && ! grep -aq 'curves\.svg: ' err &&
        complain "another curves.svg, and not a word of it"
    return 0
}

check_bytes() {
    contents >now
    cmp -s now "reference.$name" && return 0
    at=$(cmp now "reference.$name" 2>&1 | sed -n 's/.* byte \([0-9]*\).*/\1/p')
    complain "other bytes in or before $(head -c "${at:-9999999}" now | grep -a '^== ' | tail -n 1)"
    return 0
}

# Checks `code` and the output. If the command failed, runs it again, undisturbed.
judge() {
    tried=$((tried + 1))
    case $code in
    0) check_bytes && check_curves ;;
    134) # assertion in jansson 2.14 without memory (lex_scan_string); all others are ours
        grep -aq 'lex_scan_string: Assertion' err || complain "exit code $code" ;;
    1)
        tail -n 1 err | grep -aq '^lnclip: error: .*: .*; .' || complain "no clear message"
        left=$(find out -name '*.tmp-*' -o -name '.lnclip*' 2>/dev/null | head -n 1)
        [ -z "$left" ] || complain "left behind: $left"
        retry
        ;;
    *) complain "exit code $code" ;;
    esac
}

retry() {
    cp err first_err
    contents >now
    cmp -s now "reference.$name" && return # all files are complete; only the message was lost
    case $name in
    train)
        if [ -n "$(ls -A out 2>/dev/null)" ]; then run "${command[@]}" --resume; else run "${command[@]}"; fi
        ;;
    lists) run "${command[@]}" --overwrite ;;
    *)
        case $name in predict | auc) rm -f out/stdout ;; esac
        run "${command[@]}"
        ;;
    esac
    if [ $code != 0 ]; then
        complain "afterwards exit code $code; at first: $(tail -n 1 first_err | cut -c 1-200)"
    else
        check_bytes
    fi
}

# FROM TO: prints at most SAMPLES evenly spaced numbers between them.
sample() {
    seq "$1" "$2" | awk -v n=$(($2 - $1 + 1)) -v most="$SAMPLES" '
        n <= most || int(NR * most / n) != int((NR - 1) * most / n)'
}

# ---- parts ----------------------------------------------------------------------------------------------------------

allocations() {
    base=$(FAULTS_COUNT=count LD_PRELOAD=$FAULTS/faults.so "$L" --version >/dev/null && cat count)
    for name in $COMMANDS; do
        set_command "$name"
        reference
        prepare
        run env FAULTS_COUNT="$T/count" LD_PRELOAD="$FAULTS/faults.so" "${command[@]}"
        total=$(cat count)
        for all in 0 1; do
            for n in $(sample $((base + 1)) "$total"); do
                what="$name, allocation $n of $total fails$([ $all = 0 ] || echo ', and all later ones')"
                prepare
                run env FAULTS_MALLOC="$n" FAULTS_ALL=$all LD_PRELOAD="$FAULTS/faults.so" "${command[@]}"
                judge
            done
        done
    done
}

disks() {
    for name in $COMMANDS; do
        set_command "$name"
        reference
        # In units of 1024 bytes; programs get SIGXFSZ or EFBIG beyond.
        largest=$(find out -type f -size +0 -printf '%k\n' | sort -n | tail -n 1)
        for limit in $(sample 0 "${largest:-0}"); do
            what="$name, files limited to $limit KiB"
            prepare
            run bash -c 'ulimit -f "$0" && exec "$@"' "$limit" "${command[@]}"
            # The limit also applies to the files of stderr and stdout.
            [ "$limit" = 0 ] && [ ! -s err ] && [ $code = 1 ] && { tried=$((tried + 1)) && retry; continue; }
            judge
        done
        case $name in predict | auc)
            what="$name, stdout is a full disk"
            prepare
            "${command[@]}" >/dev/full 2>err
            code=$?
            [ $code = 1 ] || complain "exit code $code"
            judge
            ;;
        esac
    done
    if mkdir -p small && mount -t tmpfs -o size=64k tmpfs small 2>/dev/null && mountpoint -q small; then
        umount small
        for name in train eval lists export; do
            set_command "$name"
            reference
            for size in 4k 16k 64k 200k 1m; do
                what="$name, a disk of $size"
                rm -rf out
                mount -t tmpfs -o size=$size tmpfs small
                mkdir small/out && ln -s small/out out
                run "${command[@]}"
                rm out
                cp -a small/out out
                umount small
                judge
            done
        done
    else
        echo "no small tmpfs can be mounted here: full disks by ulimit and /dev/full alone"
    fi
}

descriptors() {
    for name in $COMMANDS; do
        set_command "$name"
        reference
        for closed in '0<&-' '1>&-' '2>&-' '0<&- 1>&-' '0<&- 2>&-' '1>&- 2>&-' '0<&- 1>&- 2>&-'; do
            what="$name $closed"
            prepare
            : >stdout
            : >err
            bash -c 'c=$1; shift; eval "exec $c"; exec "$@"' - "$closed" "${command[@]}" >stdout 2>err
            code=$?
            tried=$((tried + 1))
            # Without stdout the output is lost, which is a failure, but all files must exist.
            lost=0
            case $closed in *1*) lost=1 ;; esac
            case $name in predict | auc)
                [ $code = $lost ] || complain "exit code $code"
                [ $lost = 0 ] || continue
                cp stdout out/stdout
                ;;
            esac
            [ $code -le $lost ] || complain "exit code $code"
            check_bytes
        done
    done
}

CALLS="openat:EIO openat:EMFILE read:EIO read:EINTR write:EIO write:ENOSPC write:EINTR rename:EIO renameat2:EIO
fsync:EIO fdatasync:EIO mmap:ENOMEM mkdir:ENOSPC close:EIO close:EINTR fstat:EIO newfstatat:EACCES ftruncate:EIO
getdents64:EIO flock:ENOLCK flock:ENOSYS pread64:EIO lseek:EINVAL unlink:EIO"
calls() {
    for name in train eval lists export auc; do
        set_command "$name"
        reference
        what="$name, short reads and writes"
        prepare
        run env FAULTS_SHORT=1 LD_PRELOAD="$FAULTS/faults.so" "${command[@]}"
        [ $code = 0 ] || complain "exit code $code"
        judge
        if ! strace -o /dev/null true 2>/dev/null; then
            echo "strace is not there or may not be used: no system call fails"
            continue
        fi
        for pair in $CALLS; do
            call=${pair%:*}
            # The number of calls before main, which belong to the C library, and in total.
            strace -f -qq -o trace -e trace="$call" "$L" --version >/dev/null 2>&1
            base=$(grep -c "$call(" trace)
            prepare
            run strace -f -qq -o trace -e trace="$call" "${command[@]}"
            # Calls are counted per thread; the main thread makes the most.
            total=$(awk -v call="$call(" 'index($0, call) { n[$1]++ } END { for (t in n) if (n[t] > m) m = n[t]; print m + 0 }' trace)
            [ "$total" -gt "$base" ] || continue
            for n in $(SAMPLES=$((SAMPLES / 3)) sample $((base + 1)) "$total"); do
                what="$name, $call $n of $total: ${pair#*:}"
                prepare
                run timeout 60 strace -f -qq -o /dev/null -e trace="$call" -e inject="$call:error=${pair#*:}:when=$n" \
                    "${command[@]}"
                judge
            done
        done
    done
}

kills() {
    RANDOM=$SEED
    settings=("ema=0.9" "optimizer=sgd sam.rho=0.05" "tune=lora:2" "precision=bf16")
    for setting in "${settings[@]}"; do
        set_command train
        # shellcheck disable=SC2206 # words
        command+=(epochs=4 $setting)
        reference
        milliseconds=$(run date +%s%N && start=$(cat stdout) && prepare && run "${command[@]}" &&
            echo $((($(date +%s%N) - start) / 1000000)))
        for round in $(seq $((ROUNDS / ${#settings[@]}))); do
            what="train $setting, round $round"
            prepare
            code=137
            attempts=0
            while [ $code != 0 ] && [ $attempts -lt 30 ]; do
                resume=()
                [ -n "$(ls -A out 2>/dev/null)" ] && resume=(--resume)
                "${command[@]}" "${resume[@]}" >stdout 2>err &
                process=$!
                # The first runs are killed at random times; the last may finish.
                if [ $attempts -lt 3 ]; then
                    sleep "$(awk -v r="$RANDOM" -v t="$milliseconds" 'BEGIN { print r / 32768 * t / 1000 }')"
                    kill -KILL $process 2>/dev/null
                fi
                wait $process 2>/dev/null
                code=$?
                attempts=$((attempts + 1))
                case $code in 0 | 137) ;; *) complain "exit code $code" && break ;; esac
            done
            tried=$((tried + 1))
            [ $code = 0 ] && check_bytes
        done
    done
}

"$1"
echo "$1: $tried cases, $failures failures"
[ $failures = 0 ]
