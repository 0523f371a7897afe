#!/bin/sh
# test_train_cli.sh - train and eval as seen from a shell: progress, run.log, keys as options.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/support.sh
needs_synth

expect 0 "a model" "$L" init --arch tiny --out m
expect 0 "a data set" "$L" synth --out s --videos 4 --frames 4 --size 64
lists=s/lists/train
time='^20[0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]  '

# train_into RUN [ARGUMENT...]
# shellcheck disable=SC2317 # called through expect
train_into() {
    run=$1
    shift
    "$L" train --model m --train "$lists/real.txt" "$lists/swap.txt" --out "$run" batch_size=8 memory=1 "$@"
}

# ---- progress -------------------------------------------------------------------------------------

expect 0 "train into a log" train_into log epochs=3
grep -Eq "${time}epoch 3/3  step 6/6  loss [0-9.]+  [0-9.,]+ img/s  [0-9.]+ s left$" err ||
    complain "no line of progress with the time of day"
grep -q "${time}epoch 3: train loss" err || complain "no time of day at the end of an epoch"

what="train on a terminal"
if command -v script >/dev/null; then
    script -qec "'$L' train --model m --train $lists/real.txt $lists/swap.txt --out tty epochs=150 batch_size=16 micro_batch=1 memory=1" \
        /dev/null </dev/null | tr '\r' '\n' >err
    grep -Eq "^epoch [0-9]+/150  step [0-9]+/150 \([0-9]+ %\)  loss [0-9.]+  [0-9.,]+ img/s  .* left" err ||
        complain "the line of progress lacks epoch, loss or time left"
    if grep -q "$time" err; then complain "times of day on a terminal"; fi
fi

expect 0 "eval" "$L" eval --model m --adapter log/best.safetensors --out e --perturb jpeg=50 \
    A=s/lists/val/real.txt,s/lists/val/swap.txt B=s/lists/val/real.txt,s/lists/val/warp.txt
grep -Eq "${time}scoring 32/32 images  [0-9.,]+ images/s  0.0 s left" err ||
    complain "eval does not count all sets and perturbations"

# ---- run.log --------------------------------------------------------------------------------------

expect 0 "train quietly" train_into 'it'\''s' epochs=1 lr=1e-3 --quiet
[ ! -s err ] || complain "--quiet prints progress"
for line in "command: lnclip train --model m --train .* --out 'it'\\\\''s' batch_size=8 memory=1 epochs=1 lr=1e-3 --quiet" \
    "version: lnclip [0-9]" "folder: $T" "model: m (tiny, " "machine: .* threads" "kernels: " \
    'recipe: paper batch_size=8 memory=1 epochs=1 lr=0.001$' "epoch 1: train loss" "it's: 2 steps"; do
    grep -q "$time$line" "it's/run.log" || complain "run.log lacks '$line'"
done
expect 0 "resume" train_into "it's" epochs=1 lr=1e-3 --resume memory=2 early_stopping=0
[ "$(grep -c "  command: " "it's/run.log")" = 2 ] || complain "run.log was not continued"
cp "it's/run.log" before.log
expect 1 "train into a run" train_into "it's"
holds cmp before.log "it's/run.log"
expect 0 "a warning" train_into warned epochs=1 warmup_epochs=1
grep -q "${time}lnclip: warning: warmup_epochs=1" warned/run.log || complain "run.log lacks a warning"
expect 1 "an error" train_into failed epochs=9 lr=1000 min_lr=1000 weight_decay=1000
grep -q "${time}lnclip: error: step" failed/run.log || complain "run.log lacks the error"
expect 0 "a dry run" train_into none --dry-run
holds test ! -e none
what="files without times"
for file in recipe.txt steps.csv epochs.csv; do
    if grep -q "20[0-9][0-9]-[01][0-9]-" "log/$file"; then complain "$file has a date"; fi
done

finish
