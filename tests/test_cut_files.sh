#!/bin/sh
# test_cut_files.sh - truncates a model file while it is in use: the run must end with a message and
# a saved state, not by SIGBUS, and continue bit-identically when the file is restored.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/support.sh
needs_synth

what=preparation
"$L" init --arch tiny --seed 1 --out m --quiet || complain "init"
"$L" synth --out s --videos 3 --frames 2 --size 64 --seed 1 --quiet || complain "synth"
cp -r m whole
lists="s/lists/train/real.txt s/lists/train/swap.txt"
settings="batch_size=8 memory=1 max_steps=30 epochs=30 save_every=100000"

# shellcheck disable=SC2086 # several words
run() { # PRECISION
    expect 0 "an undisturbed run in $1" "$L" train --quiet --model m --train $lists --out "straight-$1" $settings precision="$1"
    steps=$((steps + 1))
    what="train in $1, model truncated"
    "$L" train --quiet --model m --train $lists --out "run-$1" $settings precision="$1" >out 2>err &
    pid=$!
    for _ in $(seq 400); do
        if [ -s "run-$1/steps.csv" ] && [ "$(wc -l <"run-$1/steps.csv")" -ge 5 ]; then break; fi
        sleep 0.01
    done
    : >m/model.safetensors
    wait $pid
    got=$?
    [ $got = 1 ] || complain "exit code $got, expected 1"
    check_message
    says "m/model.safetensors: shrank"
    [ -s "run-$1/state.safetensors" ] || complain "no state is saved"
    expect 1 "the rest with the file as it is" "$L" train --quiet --model m --train $lists --out "run-$1" --resume
    cp whole/model.safetensors m/model.safetensors
    expect 0 "the rest with the file restored" "$L" train --quiet --model m --train $lists --out "run-$1" $settings precision="$1" --resume
    cmp "straight-$1/last.safetensors" "run-$1/last.safetensors" >out 2>&1 || complain "the run ends with other bits"
}
run f32
run bf16

finish
