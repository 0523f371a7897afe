#!/bin/sh
# test_train_cli.sh - train and eval as seen from a shell: progress, run.log, keys as options.
set -u
cd "$(dirname "$0")/.." || exit 1
readme=$PWD/README.md
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

what="epochs count from 1"
[ "$(cut -d, -f 1 log/epochs.csv | tr '\n' ' ')" = "epoch 1 2 3 " ] || complain "epochs.csv counts otherwise"
[ "$(cut -d, -f 1,2 log/steps.csv | tr '\n' ' ')" = "step,epoch 0,1 1,1 2,2 3,2 4,3 5,3 " ] || complain "steps.csv counts otherwise"
expect 0 "inspect" "$L" inspect log/last.safetensors
grep -Eq '^ *epoch:? +3$' out || complain "the adapter counts otherwise"

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

# ---- keys as options ------------------------------------------------------------------------------

expect 0 "keys" "$L" train --print epochs=2 lr=1e-3 seed=3 batch_size=8 slerp.min=-0.5 loss.ce=0.5 tune=ln,bias shuffle=off
cp out keys.txt
expect 0 "keys as options" "$L" train --epochs 2 --lr 1e-3 --seed=3 --batch-size 8 --slerp.min -0.5 --loss-ce .5 --tune ln,bias --print \
    --shuffle off
holds cmp out keys.txt
expect 0 "keys as options with underscores" "$L" train --epochs 1 --epochs=2 lr=1e-3 seed=3 --batch_size 8 --slerp.min=-0.5 --loss.ce 0.5 \
    --print --tune=ln,bias --shuffle off
holds cmp out keys.txt
expect 2 "a key without a value" "$L" train --print --epochs --lr 3
says "--epochs VALUE"
expect 2 "a key with a bad value" "$L" train --print --epochs many
says "epochs=many: invalid value"

# advice TEXT COMMAND ARGUMENT...
advice() {
    text=$1
    shift
    expect 2 "$*" "$L" "$@"
    says "$text"
}
advice "the key is lr (--lr VALUE or lr=VALUE)" train --print --learning-rate 1e-3
advice "learning_rate: unknown; the key is lr" train --print learning_rate=1e-3
advice "the key is batch_size" train --print --bs 8
advice "the key is weight_decay" train --print wd=0
advice "the key is epochs" train --print --n-epochs 3
advice "the key is workers" train --print --num_workers 3
advice "the key is warmup_epochs" train --print warmup=1
advice "the option is --out" train --print --output-dir x
advice "the option is --out" train --print out=x
advice "not on a GPU" train --print --device cuda
advice "not on a GPU" train --print gpu=0
advice "not on a GPU" predict --cuda x
advice "--adapter" eval --checkpoint x
advice "--adapter" train --print --weights x
advice "NAME=LIST" eval --dataset x
advice "the option is --workers" eval --num-workers 3
advice "the option is --batch" predict --bs 3
advice "key of lnclip train; lnclip eval does not use it" eval --epochs 3
advice "did you mean --epochs?" train --print --epoch_s 3
advice "did you mean --out?" train --print --uot 3

expect 0 "eval with options" "$L" eval --model m --adapter log/best.safetensors --out e1 --batch 4 --frames 2 --seed 3 --precision bf16 A=s/real A=s/swap
expect 0 "eval with keys" "$L" eval --model m --adapter log/best.safetensors --out e2 batch_size=4 frames=2 seed=3 precision=bf16 workers=1 A=s/real A=s/swap
holds cmp e1/predictions.csv e2/predictions.csv
holds cmp e1/metrics.json e2/metrics.json
expect 0 "eval with a key as an option" "$L" eval --model m --adapter log/best.safetensors --out e3 --batch-size 4 --frames 2 --seed 3 --precision bf16 A=s/real A=s/swap
holds cmp e1/predictions.csv e3/predictions.csv
expect 0 "a data set named as a key" "$L" eval --model m --adapter log/best.safetensors --out e4 seed=s/real seed=s/swap
holds grep -q '"seed": {' e4/metrics.json

# ---- help, completion, commands of other programs -------------------------------------------------

expect 0 "help" "$L" help
cp out help.txt
expect 0 "--help" "$L" --help
holds cmp out help.txt
expect 0 "train --help" "$L" train --help
cp out help.txt
expect 0 "help train" "$L" help train
holds cmp out help.txt
expect 0 "-V" "$L" -V
prints '^lnclip [0-9]'
advice "did you mean 'train'" help trian
for pair in score:eval evaluate:eval test:eval fit:train infer:predict convert:export info:inspect dataset:lists preprocess:faces; do
    advice "did you mean '${pair#*:}'" "${pair%:*}"
done
expect 2 "completion for another shell" "$L" help --completion fish
says "use bash or zsh"
expect 0 "completion for zsh" "$L" help --completion zsh
prints "^#compdef lnclip"
expect 0 "completion for bash" "$L" help --completion bash
cp out complete.bash
cat >complete.sh <<'B'
# complete.sh SCRIPT WORD...: prints the completions of the last word
. "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_lnclip 2>err.complete
printf '%s\n' "${COMPREPLY[@]}"
B
completes() { # WORD WORD...: the first is a completion of the command line of the others
    what="completion of $*"
    wanted=$1
    shift
    bash complete.sh ./complete.bash "$@" >out 2>err
    grep -qxF -e "$wanted" out || complain "does not offer $wanted"
}
completes train lnclip tr
completes --version lnclip --v
completes --allow-overlap lnclip train --model m --al
completes --batch_size lnclip train --b
completes epochs= lnclip train ep
completes eval lnclip help ev
completes --perturb lnclip eval --p
touch epfile
completes epfile lnclip train ep
for command in $("$L" --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p'); do
    for option in $("$L" "$command" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p'); do
        completes "$option" lnclip "$command" "$option"
    done
done

# ---- a longer run ---------------------------------------------------------------------------------

expect 0 "a run of 2 epochs" train_into short scheduler=constant epochs=2
expect 0 "a run of 3 epochs" train_into long scheduler=constant epochs=3
expect 0 "extended to 3 epochs" train_into short --resume --epochs 3
holds cmp short/last.safetensors long/last.safetensors
holds cmp short/recipe.txt long/recipe.txt
expect 2 "a cosine run is not extended" train_into log --resume epochs=5
says "--adapter RUN"

# ---- warnings and refusals ------------------------------------------------------------------------

expect 0 "a rising loss" train_into rising epochs=4 lr=1 min_lr=1 head=linear
[ "$(grep -c "is more than 10 times that of step 0" err)" = 1 ] || complain "a rising loss is not warned of once"
expect 0 "stopped before it rises" train_into resumed epochs=4 lr=1 min_lr=1 head=linear scheduler=constant batch_size=16 epochs=1
silent_on "10 times"
expect 0 "a resumed rising loss" train_into resumed --resume batch_size=16 epochs=8
says "10 times that of step 0"
expect 0 "no rising loss" train_into calm epochs=2
silent_on "10 times"

expect 0 "eval" "$L" eval --model m --adapter log --out kept A=s/real A=s/swap
cp kept/predictions.csv kept.csv
expect 0 "eval of the same adapter" "$L" eval --model m --adapter log --out kept A=s/real A=s/swap B=s/real B=s/warp
expect 0 "and back" "$L" eval --model m --adapter log --out kept A=s/real A=s/swap
expect 1 "eval of another adapter" "$L" eval --model m --adapter rising --out kept A=s/real A=s/swap
says "kept: contains an evaluation of another adapter (log/best.safetensors)"
says "--overwrite"
expect 1 "evals of other adapters" "$L" eval --model m --adapter a=rising --adapter b=calm --out kept A=s/real A=s/swap
says "of another adapter"
holds cmp kept.csv kept/predictions.csv
expect 0 "replaced" "$L" eval --model m --adapter rising --out kept --overwrite A=s/real A=s/swap
cmp -s kept.csv kept/predictions.csv && complain "not replaced"
expect 0 "named" "$L" eval --model m --adapter a=log --adapter b=calm --out named-eval A=s/real A=s/swap
expect 1 "another adapter of this name" "$L" eval --model m --adapter a=rising --out named-eval A=s/real A=s/swap
says "named-eval/a: contains"
expect 0 "a model with a head" "$L" export --model m --adapter log --out with-head
expect 0 "its evaluation" "$L" eval --model with-head --out head-eval A=s/real A=s/swap
expect 0 "a second one" "$L" export --model m --adapter rising --out with-head2
expect 1 "eval of another model" "$L" eval --model with-head2 --out head-eval A=s/real A=s/swap
says "of another model"
expect 0 "overwritten" "$L" eval --model with-head2 --out head-eval --overwrite A=s/real A=s/swap

# ---- adapters by run folder, models by name -------------------------------------------------------

image=$(find s/real -name '*.png' | sort | head -n 1)
expect 0 "predict with best.safetensors" "$L" predict --model m --adapter log/best.safetensors "$image"
cp out scores.txt
expect 0 "predict with a run" "$L" predict --model m --adapter log "$image"
says "log: using log/best.safetensors"
holds cmp out scores.txt
expect 0 "eval with a run" "$L" eval --model m --adapter log/ --out e5 A=s/real A=s/swap
says "best.safetensors"
expect 0 "eval with named runs" "$L" eval --model m --adapter one=log --adapter "two=it's" --out e6 A=s/real A=s/swap
holds cmp e5/predictions.csv e6/one/predictions.csv
expect 0 "features with a run" "$L" features --model m --adapter log --out f.safetensors "$image"
expect 0 "export with a run" "$L" export --model m --adapter log --out merged
expect 0 "calibrate a run" "$L" calibrate --model m --adapter log --val s/real s/swap --out calibrated.safetensors
expect 0 "train from a run" train_into further --adapter log epochs=1
expect 1 "a folder without an adapter" "$L" predict --model m --adapter s "$image"
says "s: contains no best.safetensors"

unset HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_HOME XDG_CACHE_HOME
HOME=$T/home
export HOME
expect 1 "a model that is not in the cache" "$L" predict --model owner/name "$image"
says "hf download owner/name config.json preprocessor_config.json model.safetensors"
says "huggingface-cli download"
says "https://huggingface.co/owner/name/resolve/main/"
says "$T/home/.cache/huggingface/hub"
expect 1 "a model that is nowhere" "$L" eval --model none --adapter log --out never A=no-such-list.txt
says "none: no such file or folder"
expect 1 "before lists are walked" "$L" train --model owner/name --train no-such-list.txt --out never
says "hf download"
cached() { # FOLDER: a cache with the model
    mkdir -p "$1/models--owner--name/snapshots/0123abc" "$1/models--owner--name/refs"
    printf 0123abc >"$1/models--owner--name/refs/main"
    cp m/* "$1/models--owner--name/snapshots/0123abc/"
}
cached "$T/home/.cache/huggingface/hub"
expect 0 "a model in the cache" "$L" predict --model owner/name --adapter log "$image"
says "owner/name: using $T/home/.cache/huggingface/hub/models--owner--name/snapshots/0123abc"
holds cmp out scores.txt
cached xdg/huggingface/hub
expect 0 "XDG_CACHE_HOME" env XDG_CACHE_HOME=xdg "$L" predict --model owner/name --adapter log "$image"
says "using xdg/huggingface/hub/"
cached hf/hub
expect 0 "HF_HOME" env HF_HOME=hf XDG_CACHE_HOME=xdg "$L" predict --model owner/name --adapter log "$image"
says "using hf/hub/"
cached cache
expect 0 "HF_HUB_CACHE" env HF_HUB_CACHE=cache HF_HOME=hf "$L" predict --model owner/name --adapter log "$image"
says "using cache/"
rm cache/models--owner--name/snapshots/*/model.safetensors
expect 1 "a cache without the weights" env HF_HUB_CACHE=cache "$L" predict --model owner/name --adapter log "$image"
says "without model.safetensors"
mkdir owner
cp -r m owner/name
expect 0 "a path wins" env HF_HUB_CACHE=cache "$L" predict --model owner/name --adapter log "$image"
silent_on "using cache"
expect 0 "train of a cached model" env HF_HUB_CACHE=hf/hub "$L" train --model owner/name --train $lists/real.txt $lists/swap.txt --out named epochs=1 batch_size=8 memory=1

# ---- README: the Python user ----------------------------------------------------------------------

what="the lines of pandas in README.md"
grep -q '^    scores = pandas.read_csv("eval/predictions.csv")$' "$readme" || complain "are not there"
if python3 -c 'import pandas' 2>/dev/null; then
    mkdir eval
    cp e/predictions.csv eval
    python3 -c 'import pandas
scores = pandas.read_csv("eval/predictions.csv")
assert len(scores.groupby(["dataset", "video"]).prob_class_1.mean()) == 4' || complain "fail"
fi
what="the lines of transformers in README.md"
grep -q 'CLIPVisionModel.from_pretrained("merged")$' "$readme" || complain "are not there"
holds grep -q '"CLIPVisionModel"' merged/config.json
holds test -s merged/preprocessor_config.json

finish
