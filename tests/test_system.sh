#!/bin/sh
# test_system.sh - tests closed or full standard descriptors, and process limits.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/support.sh
needs_synth

holds() { # WHAT COMMAND...: the command succeeds
    what=$1
    shift
    steps=$((steps + 1))
    "$@" >/dev/null 2>&1 || complain "$what"
}

# ---- input
# ------------------------------------------------------------------------------------------

expect 0 "init" "$L" init --arch tiny --out m --quiet
expect 0 "synth" "$L" synth --out s --videos 8 --frames 2 --size 64 --quiet
val_list=s/lists/val/real.txt,s/lists/val/swap.txt
lists="--train s/lists/train/real.txt s/lists/train/swap.txt --val s/lists/val/real.txt s/lists/val/swap.txt"
train="train --model m $lists batch_size=8 epochs=1 frames=1 augment=off" # words
calibrate="calibrate --model m --val s/lists/val/real.txt s/lists/val/swap.txt"
# shellcheck disable=SC2086 # a list of words
expect 0 "train" "$L" $train --out run --quiet
expect 0 "eval" "$L" eval --model m --adapter run/best.safetensors --out ev "A=$val_list" --ci off
image=s/real/000/000.png

# ---- descriptors --------------------------------------------------------------------------------------

streams() { # CLOSED CODE COMMAND...: runs it with the descriptors CLOSED closed
    closed=$1
    code=$2
    shift 2
    what="$2 with closed: $closed"
    steps=$((steps + 1))
    (
        for descriptor in $closed; do
            case $descriptor in
            0) exec <&- ;;
            1) exec >&- ;;
            2) exec 2>&- ;;
            esac
        done
        exec "$@"
    ) </dev/null >out 2>err
    got=$?
    [ "$got" = "$code" ] || complain "exit code $got, expected $code"
}

# Printed text must never go to an output file, whichever descriptors are closed.
n=0
for closed in "0 1 2" "0 1" "2" "1 2"; do
    n=$((n + 1))
    # shellcheck disable=SC2086
    streams "$closed" 0 "$L" $train --out "run$n"
    holds "the same adapter" cmp run/last.safetensors "run$n/last.safetensors"
    holds "steps.csv has nothing but rows" test \
        "$(cut -d, -f1-8 "run$n/steps.csv" | cksum)" = "$(cut -d, -f1-8 run/steps.csv | cksum)"
done
# shellcheck disable=SC2086
expect 0 "such a run can be resumed" "$L" $train --out run1 --resume
streams "0 1 2" 0 "$L" init --arch tiny --out m2
holds "the same model" cmp m/model.safetensors m2/model.safetensors
streams "0 1 2" 0 "$L" synth --out s2 --videos 8 --frames 2 --size 64
holds "the same frames" diff -r s/swap s2/swap
streams "0 1 2" 0 "$L" export --model m --adapter run/best.safetensors --out hf
expect 0 "export" "$L" export --model m --adapter run/best.safetensors --out hf2
holds "the same export" cmp hf/model.safetensors hf2/model.safetensors
streams "0 1 2" 0 "$L" features --model m --out f.safetensors "$image"
expect 0 "features" "$L" features --model m --out f2.safetensors "$image"
holds "the same features" cmp f.safetensors f2.safetensors

# A table that cannot be written is a failure, reported on stderr if that is open.
tables() { # COMMAND...
    streams "0 1 2" 1 "$L" "$@"
    streams "1" 1 "$L" "$@"
    tail -n 1 err | grep -q '^lnclip: error: .*: .*; .' || complain "no clear error message"
    expect 1 "$1 into a full file" sh -c '"$@" >/dev/full' sh "$L" "$@"
    streams "2" 0 "$L" "$@"
}
tables --help
tables --version
tables train --recipe paper --print
tables eval --model m --adapter run/best.safetensors --out ev2 "A=$val_list" --ci off
tables eval --model m --adapter run/best.safetensors --out ev2 "A=$val_list" --ci off --json
holds "the same scores" cmp ev/predictions.csv ev2/predictions.csv
# shellcheck disable=SC2086
tables $calibrate --adapter run/best.safetensors --out calibrated.safetensors
tables compare run ev
tables predict --model m --adapter run/best.safetensors "$image"
tables predict --model m --adapter run/best.safetensors --json "$image"
tables auc ev/predictions.csv --ci off
tables auc ev/predictions.csv --ci off --json
tables auc ev/predictions.csv ev2/predictions.csv
tables inspect m
tables inspect run --json
tables bench --help

# ---- limits on processes --------------------------------------------------------------------------------

# Limits do not apply to root: uses another user, and a folder that it can read.
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
if [ "$(id -u)" = 0 ] && as_nobody prlimit --nproc=1 true 2>/dev/null && cp "$L" lnclip && chmod 755 . lnclip &&
    as_nobody test -x "$T/lnclip" && ! grep -q fsanitize "${L%/*}/flags"; then
    expect 0 "no process allowed but itself" as_nobody prlimit --nproc=1 ./lnclip --version
    mkdir limited && chmod 777 limited
    expect 0 "predict" "$L" predict --model m --adapter run/best.safetensors "$image"
    cp out scores
    expect 0 "predict with one process" as_nobody prlimit --nproc=1 ./lnclip predict \
        --threads 3 --model m --adapter run/best.safetensors "$image"
    says "lnclip: warning: threads:"
    holds "the same scores" cmp out scores
    # shellcheck disable=SC2086
    expect 0 "train with one process" as_nobody prlimit --nproc=1 ./lnclip $train \
        --threads 3 --out limited/run
    says "lnclip: warning: threads:"
    holds "the same adapter" cmp run/last.safetensors limited/run/last.safetensors
else
    echo "not run: limits on processes need root, setpriv, prlimit, and a build without sanitizers"
fi

finish
