#!/bin/sh
# test_tools.sh - end-to-end tests of the program: every command, exit code, and kind of bad input.
#
# Each step runs $BUILD/lnclip and checks the exit code and the form of the error message. Images,
# models and adapters are made by the program or by printf.
set -u
cd "$(dirname "$0")/.." || exit 1
manual=$PWD/docs/lnclip.1
. tests/support.sh
needs_synth

prints() { # TEXT: the stdout of the last step contains it
    grep -qF -e "$1" "$T/out" || complain "stdout does not hold '$1'"
}

holds() { # WHAT COMMAND...: the command succeeds
    what=$1
    shift
    steps=$((steps + 1))
    "$@" >/dev/null 2>&1 || complain "$what"
}

lacks() { # PATH...: none of them exists
    for path in "$@"; do
        [ ! -e "$path" ] || complain "left $path behind"
    done
}

lines_of() {
    wc -l <"$1" | tr -d ' '
}

# safetensors FILE JSON [DATA]: writes a file with this header, followed by the bytes of the file
# DATA.
safetensors() {
    length=${#2}
    {
        # shellcheck disable=SC2059 # the format is the two bytes of the length
        printf "\\$(printf %03o $((length % 256)))\\$(printf %03o $((length / 256)))"
        printf '\0\0\0\0\0\0%s' "$2"
        [ $# -lt 3 ] || cat "$3"
    } >"$1"
}

# ---- the program ----------------------------------------------------------------------------------

expect 0 "help" "$L" --help
prints "predict"
expect 0 "version" "$L" --version
prints "lnclip "
commands=$("$L" --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p')
[ "$(echo "$commands" | wc -l)" -ge 14 ] || complain "--help names too few commands"
tr -d '\n' <"$manual" | sed 's/\\-/-/g' >man.txt
for command in $commands; do
    expect 0 "$command --help" "$L" "$command" --help
    prints "usage: lnclip $command"
    prints "example:"
    for word in "^\\.B $command\$" $(sed -n 's/^  \(--[a-z-]*\).*/\1/p' out); do
        grep -qe "$word" man.txt "$manual" || complain "the man page lacks $word"
    done
    expect 2 "$command with an unknown option" "$L" "$command" --no-such-option
done
expect 2 "no command" "$L"
expect 2 "unknown command" "$L" pedict
says "did you mean 'predict'"
expect 2 "misspelt option" "$L" predict --modle x
says "did you mean --model?"
expect 2 "unknown kernels" env LNCLIP_CPU=z80 "$L" init --arch tiny --out never
says "LNCLIP_CPU"
lacks never
expect 1 "full standard output" sh -c "'$L' --help >/dev/full"
expect 2 "control characters in an argument" "$L" "$(printf 'x\033[31m\nlnclip: error: y: z; w')"
says '\x1b[31m\n'

# ---- init -----------------------------------------------------------------------------------------

expect 0 "init" "$L" init --arch tiny --seed 1 --out m
for file in config.json preprocessor_config.json model.safetensors; do
    holds "init writes $file" test -s m/$file
done
expect 0 "init again" "$L" init --arch tiny --seed 1 --out m1 --quiet
[ ! -s err ] || complain "--quiet is not quiet"
holds "same seed, same bytes" cmp m/model.safetensors m1/model.safetensors
expect 0 "init with another seed" "$L" init --arch tiny --seed 2 --out m2
if cmp -s m/model.safetensors m2/model.safetensors; then complain "the seed changes nothing"; fi
expect 1 "init over a model" "$L" init --arch tiny --seed 2 --out m
holds "the model is untouched" cmp m/model.safetensors m1/model.safetensors
expect 2 "init without --arch" "$L" init --out x
expect 2 "init without --out" "$L" init --arch tiny
expect 2 "init with an unknown arch" "$L" init --arch vit-x --out x
says "vit-l-14"
expect 2 "init with a bad seed" "$L" init --arch tiny --seed -1 --out x
expect 2 "init with an argument too many" "$L" init --arch tiny --out x y
lacks x
echo text >a-file
expect 1 "init into a file" "$L" init --arch tiny --out a-file
expect 1 "init on a full disk" sh -c "ulimit -f 16; exec '$L' init --arch tiny --out full"
holds "nothing half-written" sh -c '! ls -A full | grep -q "safetensors"'

# ---- synth ----------------------------------------------------------------------------------------

expect 0 "synth" "$L" synth --out s --videos 8 --frames 2 --size 72 --seed 3
for source in real swap reenact resynthesis warp splice; do
    for split in train val test; do
        holds "synth lists $split/$source" test -s s/lists/$split/$source.txt
    done
done
expect 1 "synth over a data set" "$L" synth --out s --videos 8 --frames 2 --size 72
expect 2 "synth without --out" "$L" synth
expect 2 "synth with a bad size" "$L" synth --out x --size 1
expect 2 "synth of no videos" "$L" synth --out x --videos 0
lacks x
expect 1 "synth on a full disk" sh -c "ulimit -f 1; exec '$L' synth --out full-synth --videos 6 --frames 1"

# ---- adapters to test with ------------------------------------------------------------------------

# Any matrix of the model can be used as a head: its values are small and finite.
dd if=m/model.safetensors of=numbers bs=4 skip=100000 count=130 2>/dev/null
head_tensors='"head.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"head.weight":{"dtype":"F32","shape":[2,64],"data_offsets":[8,520]}'
safetensors head.safetensors "{\"__metadata__\":{\"head\":\"LinearNorm\"},$head_tensors}" numbers

# ---- predict --------------------------------------------------------------------------------------

expect 0 "predict" "$L" predict --model m --adapter head.safetensors s/real s/swap/000_001/001.png
[ "$(lines_of out)" = 17 ] || complain "predict prints $(lines_of out) lines, not 17"
grep -Eqv "^s/[a-z0-9_/]*\.png$(printf '\t')0\.[0-9]+$" out && complain "predict prints lines of another form"
head -n 16 out | cut -f 1 >names
holds "folders are walked in order" sh -c 'LC_ALL=C sort -c names'
cp out predictions
expect 0 "predict by one thread, image by image" "$L" predict --model m --adapter head.safetensors \
    --threads 1 --batch 1 --workers 1 --precision f32 s/real s/swap/000_001/001.png
holds "threads and batch change nothing" cmp out predictions
expect 0 "predict as JSON" "$L" predict --model m --adapter head.safetensors --json s/real/000
prints '{"path": "s/real/000/000.png", "p_fake": 0.'
expect 1 "predict without a head" "$L" predict --model m s/real
says "--adapter"
[ ! -s out ] || complain "predict without a head prints something"
expect 2 "predict of nothing" "$L" predict --model m --adapter head.safetensors
expect 2 "predict without a model" "$L" predict s/real
# Other precisions: the same order, values close to f32; bit-identical with one thread and batch 1.
for precision in bf16 int8; do
    expect 0 "predict in $precision" "$L" predict --model m --adapter head.safetensors \
        --precision $precision s/real s/swap/000_001/001.png
    cp out narrow
    holds "$precision gives other scores" sh -c '! cmp -s narrow predictions'
    paste predictions narrow | awk -F '\t' '$1 != $3 || ($2 - $4) ^ 2 > 0.002 ^ 2 { bad = 1 } END { exit bad }' ||
        complain "predict in $precision is far from f32"
    expect 0 "predict in $precision by one thread" "$L" predict --model m --adapter head.safetensors \
        --precision $precision --threads 1 --batch 1 --workers 1 s/real s/swap/000_001/001.png
    holds "threads and batch change nothing in $precision" cmp out narrow
done
expect 2 "predict in f64" "$L" predict --model m --adapter head.safetensors --precision f64 s/real
says "f64"
expect 1 "predict of an empty folder" sh -c "mkdir -p empty; exec '$L' predict --model m --adapter head.safetensors empty"
expect 1 "predict to a full disk" sh -c "exec '$L' predict --model m --adapter head.safetensors s/real >/dev/full"

# Unreadable images get nan and a message on stderr; the others are scored.
image=s/real/000/000.png
bad=0
mkdir bad-images
: >bad-images/empty.png
head -c 3000 $image >bad-images/truncated.png
echo "no image" >bad-images/text.png
head -c 3000 /dev/urandom >bad-images/noise.jpg
{ head -c 2000 $image; printf 'flip'; tail -c +2005 $image; } >bad-images/flipped.png
{ printf 'P6 1 60000 255\n'; head -c 180000 /dev/zero; } >bad-images/thin.ppm
printf 'P6 20000 20000 255\n' >bad-images/huge.ppm
printf 'P6 0 10 255\n' >bad-images/no-width.ppm
expect 1 "predict of bad images" "$L" predict --model m --adapter head.safetensors $image bad-images missing.png $image
for file in bad-images/*; do
    grep -q "^$file$(printf '\t')nan$" out || complain "$file has no line with nan"
    says "$file"
    bad=$((bad + 1))
done
grep -q "^missing.png$(printf '\t')nan$" out || complain "missing.png has no line with nan"
says "$((bad + 1)) of $((bad + 3)) images"
[ "$(lines_of out)" = $((bad + 3)) ] || complain "predict of bad images prints $(lines_of out) lines"
[ "$(head -n 1 out)" = "$(tail -n 1 out)" ] || complain "bad neighbours change a score"
expect 1 "predict of bad images as JSON" "$L" predict --model m --adapter head.safetensors --json missing.png
prints '"p_fake": null'
name=$(printf 'line\nbreak\033[31m.png')
cp $image "$name"
expect 0 "predict of a name with control characters" "$L" predict --model m --adapter head.safetensors "$name"
prints 'line\nbreak\x1b[31m.png'

# ---- adapters -------------------------------------------------------------------------------------

bad_adapter() { # WHAT FILE
    expect 1 "adapter: $1" "$L" predict --model m --adapter "$2" $image
    [ ! -s out ] || complain "adapter: $1: prints something"
}
bad_adapter "missing" none.safetensors
bad_adapter "a text file" a-file
bad_adapter "a folder" s
safetensors wide.safetensors '{"head.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"head.weight":{"dtype":"F32","shape":[2,32],"data_offsets":[8,264]}}' /dev/null
head -c 264 numbers | cat wide.safetensors - >wide2.safetensors
bad_adapter "of another width" wide2.safetensors
says "32"
safetensors unknown.safetensors '{"foo.bar":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}' /dev/null
head -c 8 numbers >>unknown.safetensors
bad_adapter "an unknown name" unknown.safetensors
says "foo.bar"
fc1='{"vision_model.encoder.layers.0.mlp.fc1.bias":{"dtype":"F32","shape":[256],"data_offsets":[0,1024]}}'
head -c 1024 /dev/zero | tr '\0' 'A' >changed
safetensors frozen.safetensors "$fc1" changed
bad_adapter "another value of a frozen tensor" frozen.safetensors
says "fc1.bias"
head -c 1024 /dev/zero >unchanged
safetensors equal.safetensors "$fc1" unchanged
expect 0 "features with an adapter that repeats the base" "$L" features --model m --adapter equal.safetensors --out equal-features.safetensors $image
expect 2 "two adapters" "$L" predict --model m --adapter head.safetensors --adapter head.safetensors $image

# ---- information not in the files
# -----------------------------------------------------------------

# The kind of a head is never assumed; each command accepts --head.
mkdir unsaid
safetensors unsaid/head.safetensors "{$head_tensors}" numbers
unsaid="--model m --adapter unsaid/head.safetensors"
sets="--val s/lists/val/real.txt s/lists/val/swap.txt"
for command in "predict $unsaid $image" "eval $unsaid --out never x=s/real,s/swap" \
    "calibrate $unsaid $sets --out never" "export $unsaid --out never" \
    "train $unsaid --train s/real s/swap --out never max_steps=1"; do
    # shellcheck disable=SC2086 # words of a command
    expect 1 "$command" "$L" $command
    says "pass --head LinearNorm (a head on L2-normalised features) or --head linear"
    lacks never
    # shellcheck disable=SC2086
    expect 2 "$command with an unknown head" "$L" $command --head mlp
done
expect 0 "inspect a head of unknown kind" "$L" inspect unsaid/head.safetensors
holds "inspect says so" grep -q "^head: *unknown" out
# shellcheck disable=SC2086 # a list of words
expect 0 "features need no head" "$L" features $unsaid --out f-unsaid.safetensors $image
for kind in LinearNorm linear; do
    # shellcheck disable=SC2086
    expect 0 "predict --head $kind" "$L" predict $unsaid --head $kind s/real
    cp out predicted-$kind
done
holds "the kind of a head decides the scores" sh -c '! cmp -s predicted-linear predicted-LinearNorm'
printf '{"model_type":"GenD","backbone":"openai/clip-vit-large-patch14","head":"linear"}' >unsaid/config.json
# shellcheck disable=SC2086
expect 0 "predict with the config.json of a head" "$L" predict $unsaid s/real
holds "its config.json says linear" cmp out predicted-linear
# shellcheck disable=SC2086
expect 2 "predict with another --head than its config.json" "$L" predict $unsaid --head LinearNorm s/real
says "linear, not LinearNorm"
# shellcheck disable=SC2086 # a list of words
expect 2 "train from a linear head as LinearNorm" "$L" train $unsaid --train s/real s/swap --out never max_steps=1
says "give head=linear"
# shellcheck disable=SC2086 # a list of words
expect 0 "train from a linear head" "$L" train $unsaid --train s/real s/swap --out from-linear max_steps=1 \
    head=linear frames=1 batch_size=4
expect 0 "inspect its adapter" "$L" inspect from-linear/last.safetensors
holds "which says its kind" grep -q "^head: *linear" out
# shellcheck disable=SC2086 # a list of words
expect 2 "--head and head= that differ" "$L" train $unsaid --train s/real --out never --head linear head=LinearNorm
rm unsaid/config.json

# Heads and activation of a GenD model with a CLIP that is not from OpenAI.
mkdir gend
sed 's/"config":/"unread":/;s/"preprocessor_config":/"preprocessor_unread":/' m/model.safetensors >gend/model.safetensors
cat >gend/config.json <<END
{"model_type":"GenD","backbone":"laion/CLIP-ViT-none","head":"linear"}
END
expect 1 "a backbone that is not known" env HF_HUB_CACHE="$PWD/hub" "$L" features --model gend --out never $image
says "pass --activation"
expect 0 "its activation given" "$L" features --model gend --activation quick_gelu --heads 2 --out gend.safetensors $image
says "warning: gend: assumed: no preprocessor_config.json"
expect 0 "features of the same as a CLIP" "$L" features --model m --out clip.safetensors $image
expect 0 "with another activation" "$L" features --model gend --activation gelu --heads 2 --out gelu.safetensors $image
tail -c 256 clip.safetensors >clip-feature
tail -c 256 gend.safetensors >gend-feature
tail -c 256 gelu.safetensors >gelu-feature
holds "which is the right one" cmp clip-feature gend-feature
holds "and not the wrong one" sh -c '! cmp -s clip-feature gelu-feature'
mkdir -p hub/models--laion--CLIP-ViT-none/refs hub/models--laion--CLIP-ViT-none/snapshots/1
printf 1 >hub/models--laion--CLIP-ViT-none/refs/main
cp m/*.json hub/models--laion--CLIP-ViT-none/snapshots/1
expect 0 "a backbone in the cache" env HF_HUB_CACHE="$PWD/hub" "$L" features --quiet --model gend --out cached.safetensors $image
[ ! -s err ] || complain "something is assumed of a backbone in the cache"
tail -c 256 cached.safetensors >gend-feature
holds "is used" cmp clip-feature gend-feature
expect 2 "an activation that contradicts it" env HF_HUB_CACHE="$PWD/hub" "$L" features --model gend --activation gelu --out never $image
# Files of lnclip have them in the metadata, for any backbone.
mkdir own
cp m/model.safetensors own
cp gend/config.json own
expect 0 "the metadata of lnclip's own file" "$L" features --quiet --model own --out own.safetensors $image
[ ! -s err ] || complain "something is assumed of lnclip's own file"
tail -c 256 own.safetensors >own-feature
holds "is used" cmp clip-feature own-feature
expect 2 "an unknown activation" "$L" features --model m --activation relu --out never $image
expect 2 "heads that contradict config.json" "$L" inspect m --heads 1
says "says 2 heads, not 1"

# An adapter is rejected if its base has another activation or preprocessing.
cp -r m mean
sed 's/0\.481454[0-9]*/0.5/' m/preprocessor_config.json >mean/preprocessor_config.json
expect 1 "an adapter of a model with another mean" "$L" predict --model mean --adapter from-linear/last.safetensors $image
says "was trained on a model with size 64, mean 0.48145467"

# transformers 5 stores the preprocessing in processor_config.json.
cp -r m processor
rm processor/preprocessor_config.json
printf '{"processor_class":"CLIPProcessor","image_processor":%s}' "$(cat mean/preprocessor_config.json)" \
    >processor/processor_config.json
for model in mean processor; do
    expect 0 "features of $model" "$L" features --model $model --out $model.safetensors $image
    tail -c 256 $model.safetensors >feature-$model
done
holds "processor_config.json is read" cmp feature-mean feature-processor
holds "and its mean used" sh -c '! cmp -s feature-mean clip-feature'

# Element types without arithmetic are listed, and kept when an adapter is rewritten.
more='"text_model.embeddings.position_ids":{"dtype":"I32","shape":[1,2],"data_offsets":[520,528]},"text_model.mask":{"dtype":"BOOL","shape":[2],"data_offsets":[528,530]},"text_model.scale":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[530,531]},"text_model.nibbles":{"dtype":"F4","shape":[2],"data_offsets":[531,532]}'
{ cat numbers; printf 'abcdefghijkl'; } >numbers-more
safetensors types.safetensors "{$head_tensors,$more,\"__metadata__\":null}" numbers-more
expect 0 "inspect element types" "$L" inspect types.safetensors --json
for type in I32 BOOL F8_E4M3 F4; do prints "\"dtype\": \"$type\""; done
# shellcheck disable=SC2086
expect 0 "calibrate keeps them" "$L" calibrate --model m --adapter types.safetensors --head linear $sets --out kept.safetensors
expect 0 "inspect what it kept" "$L" inspect kept.safetensors --json
for type in I32 BOOL F8_E4M3 F4; do prints "\"dtype\": \"$type\""; done
prints '"head": "linear"'

# ---- models ---------------------------------------------------------------------------------------

bad_model() { # WHAT MODEL
    expect 1 "model: $1" "$L" features --model "$2" --out never.safetensors $image
    lacks never.safetensors
}
new_model() { # makes a new copy in b
    rm -rf b
    cp -r m b
}
bad_model "missing" none
bad_model "an empty folder" empty
bad_model "a text file" a-file
new_model && head -c 400000 m/model.safetensors >b/model.safetensors
bad_model "truncated" b
new_model && : >b/model.safetensors
bad_model "of no bytes" b
new_model && printf x >>b/model.safetensors
bad_model "with a byte too many" b
new_model && printf '\377\377\377\377\377\377\377\177{}' >b/model.safetensors
bad_model "with a lying header length" b
new_model && printf '\2\0\0\0\0\0\0\0[]' >b/model.safetensors
bad_model "with another header" b
new_model && safetensors b/model.safetensors '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}' unchanged
bad_model "with overlapping tensors" b
new_model && safetensors b/model.safetensors '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9999999]}}' unchanged
bad_model "with tensors beyond the end" b
new_model && safetensors b/model.safetensors '{"a":{"dtype":"Q7","shape":[2],"data_offsets":[0,8]}}' unchanged
bad_model "of an unknown type" b
new_model && head -c 8 numbers >eight && safetensors b/model.safetensors '{"foo":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}' eight
bad_model "with missing and unexpected names" b
says "55 tensors missing, 1 unexpected"
says "class_embedding"
says "more"
new_model && sed 's/"clip_vision_model"/"bert"/' m/config.json >b/config.json
bad_model "config of another model" b
says "bert"
new_model && sed 's/quick_gelu/relu/' m/config.json >b/config.json
bad_model "another hidden_act" b
says "relu"
new_model && sed 's/quick_gelu/gelu/' m/config.json >b/config.json
expect 0 "model with the exact GELU" "$L" features --model b --out gelu.safetensors $image
new_model && echo '{' >b/config.json
bad_model "config that is no JSON" b
new_model && sed 's/"hidden_size": 64/"hidden_size": 128/' m/config.json >b/config.json
bad_model "config of another width" b
new_model && sed 's/"resample": 3/"resample": 2/' m/preprocessor_config.json >b/preprocessor_config.json
bad_model "another resample" b
says "resample"
cp m/model.safetensors alone.safetensors
expect 1 "one file of heads that do not divide" "$L" predict --model alone.safetensors $image

# ---- features -------------------------------------------------------------------------------------

echo half >"f.safetensors.tmp-$(sh -c 'echo $$')" # from a process killed while writing
echo half >f.safetensors.tmp-$$
expect 0 "features" "$L" features --model m --out f.safetensors s/real $image
[ "$(echo f.safetensors.tmp-*)" = f.safetensors.tmp-$$ ] || complain "leftovers: $(echo f.safetensors.tmp-*)"
rm f.safetensors.tmp-$$
expect 0 "features seen by inspect" "$L" inspect f.safetensors --json
prints '"name": "features"'
tr -d ' \n' <out >flat
grep -q '"shape":\[17,64\]' flat || complain "features have another shape"
expect 0 "features of one thread" "$L" features --model m --out f1.safetensors --threads 1 --batch 3 s/real $image
holds "threads and batch change no feature" cmp f.safetensors f1.safetensors
expect 1 "features of bad images" "$L" features --model m --out f1.safetensors s/real bad-images
says "$bad of $((bad + 16)) images"
holds "the old file stays" cmp f.safetensors f1.safetensors
expect 1 "features of missing images" "$L" features --model m --out f1.safetensors no1.png no2.png no3.png
says "no3.png"
says "3 of 3"
expect 1 "features into a missing folder" "$L" features --model m --out none/f.safetensors $image
expect 1 "features on a full disk" sh -c "ulimit -f 1; exec '$L' features --model m --out f1.safetensors s/real"
holds "the old file survives a full disk" cmp f.safetensors f1.safetensors
expect 2 "features without --out" "$L" features --model m $image

# ---- eval -----------------------------------------------------------------------------------------

lists=s/lists/train
expect 0 "eval" "$L" eval --model m --adapter head.safetensors --out e "one=$lists/real.txt,$lists/swap.txt" \
    "two=$lists/real.txt" "two=$lists/warp.txt" two=s/lists/val/warp.txt
prints "frame"
prints "video"
for file in predictions.csv metrics.json summary.json evaluation.json report.html; do
    holds "eval writes $file" test -s e/$file
done
[ "$(head -n 1 e/predictions.csv | tr -d '\r')" = files,labels,prob_class_0,prob_class_1,dataset,video,margin ] ||
    complain "predictions.csv has another head"
frames=$(cat $lists/real.txt $lists/real.txt $lists/swap.txt $lists/warp.txt s/lists/val/warp.txt | wc -l)
[ "$(lines_of e/predictions.csv)" = $((frames + 1)) ] || complain "predictions.csv has another number of rows"
[ "$(find e | wc -l)" = 6 ] || complain "eval leaves other files"
expect 0 "eval as JSON" "$L" eval --model m --adapter head.safetensors --out e2 --json --quiet --batch 3 --threads 1 \
    "one=$lists/real.txt,$lists/swap.txt" "two=$lists/real.txt,$lists/warp.txt,s/lists/val/warp.txt"
holds "--json prints metrics.json" cmp out e2/metrics.json
grep -qv "lnclip: warning: " err && complain "eval --quiet is not quiet"
holds "lists united either way, any batch" cmp e/predictions.csv e2/predictions.csv
holds "and the same metrics" cmp e/metrics.json e2/metrics.json
expect 0 "auc of predictions.csv" "$L" auc --json e/predictions.csv
holds "auc agrees with eval" cmp out e/metrics.json

# ---- auc ------------------------------------------------------------------------------------------

auc() { # CODE WHAT TEXT: runs auc on a file with this text
    printf '%b' "$3" >scores.csv
    expect "$1" "auc: $2" "$L" auc scores.csv --json
}
auc 0 "two columns" 'label,score\n0,0.1\n0,0.4\n1,0.35\n1,0.8\n'
prints '"auroc": 0.75'
auc 0 "no last newline, CRLF" 'label,score\r\n0,0.1\r\n1,0.9'
auc 0 "one class" 'label,score\n1,0.1\n1,0.9\n'
prints '"auroc": null'
says "warning"
auc 1 "not a number" 'label,score\n0,nan\n1,0.9\n'
auc 1 "infinity" 'label,score\n0,inf\n1,0.9\n'
auc 1 "text for a number" 'label,score\n0,x\n1,0.9\n'
auc 1 "another label" 'label,score\n0,0.1\n2,0.9\n'
auc 1 "no rows" 'label,score\n'
auc 1 "no bytes" ''
auc 1 "other columns" 'a,b\n0,1\n'
auc 0 "a duplicate row" 'files,labels,prob_class_0,prob_class_1\na/real/v/1.png,0,0.5,0.5\na/real/v/1.png,0,0.5,0.5\na/b/v/2.png,1,0.2,0.8\n'
says "warning"
expect 1 "auc of a missing file" "$L" auc none.csv
expect 2 "auc of nothing" "$L" auc
expect 0 "auc of two files" "$L" auc e/predictions.csv e2/predictions.csv
expect 0 "auc as a table" "$L" auc e/predictions.csv
prints "AUROC"

# ---- eval: lists ----------------------------------------------------------------------------------

cp $lists/real.txt "$lists/a,b.txt"
expect 0 "eval of a list with a comma in its name" "$L" eval --model m --adapter head.safetensors --out e3 "x=$lists/a,b.txt"
says "undefined"
grep -q '"auroc": *null' e3/metrics.json || complain "one class: AUROC is not null"
expect 0 "eval of a folder" "$L" eval --model m --adapter head.safetensors --out e4 x=s/real x=s/splice --frames 1
[ "$(lines_of e4/predictions.csv)" = 17 ] || complain "--frames 1 keeps another number of frames"

for i in 1 2 3 4 5 6 7; do echo "s/real/000/no$i.png"; done >missing1.txt
for i in 1 2 3 4 5 6; do echo "s/warp/000/no$i.png"; done >missing2.txt
expect 1 "eval of missing frames" "$L" eval --model m --adapter head.safetensors --out never "a=$lists/real.txt,missing1.txt" b=missing2.txt
says "no7.png"
says "more"
says "13 problems in 2 data sets"
expect 1 "eval of a missing list" "$L" eval --model m --adapter head.safetensors --out never a=none.txt
: >empty.txt
expect 1 "eval of an empty list" "$L" eval --model m --adapter head.safetensors --out never a=empty.txt
echo frame.png >short.txt
cp $image frame.png
expect 1 "eval of a path without source and video" "$L" eval --model m --adapter head.safetensors --out never a=short.txt
expect 2 "eval of a list without a name" "$L" eval --model m --adapter head.safetensors --out never $lists/real.txt
expect 2 "eval of an empty name" "$L" eval --model m --adapter head.safetensors --out never =x
expect 2 "eval of an empty list name" "$L" eval --model m --adapter head.safetensors --out never a=x,,y
expect 2 "eval of nothing" "$L" eval --model m --adapter head.safetensors --out never
expect 2 "eval without --out" "$L" eval --model m --adapter head.safetensors "a=$lists/real.txt"
expect 1 "eval without a head" "$L" eval --model m --out no-head "a=$lists/real.txt"
lacks never
expect 1 "eval into a file" "$L" eval --model m --adapter head.safetensors --out a-file "a=$lists/real.txt"

# An unreadable frame is an error; the scores are kept, and the same command continues after a
# repair.
broken=$(tail -n 1 $lists/warp.txt)
broken=$lists/$broken
cp "$broken" whole.png
echo broken >"$broken"
expect 1 "eval of a broken frame, seen early" "$L" eval --model m --adapter head.safetensors --out never "one=$lists/warp.txt,s/lists/val/warp.txt"
lacks never
expect 1 "eval of a broken frame" "$L" eval --model m --adapter head.safetensors --out e5 --batch 1 --checks off "one=$lists/real.txt,$lists/swap.txt" \
    "two=$lists/real.txt,$lists/warp.txt,s/lists/val/warp.txt"
lacks e5/predictions.csv e5/metrics.json
cp whole.png "$broken"
cp -r e5 e6
expect 0 "eval goes on in another precision" "$L" eval --precision bf16 --model m --adapter head.safetensors --out e6 \
    "one=$lists/real.txt,$lists/swap.txt" "two=$lists/real.txt,$lists/warp.txt,s/lists/val/warp.txt"
grep -q "are reused" "$T/err" && complain "an evaluation mixes precisions"
rm -rf e6
printf '0.5 0.' >>"$(ls e5/*.partial)" # a line truncated by a crash
expect 0 "eval goes on" "$L" eval --model m --adapter head.safetensors --out e5 "one=$lists/real.txt,$lists/swap.txt" \
    "two=$lists/real.txt,$lists/warp.txt,s/lists/val/warp.txt"
says "scores are reused"
holds "with the same scores" cmp e/predictions.csv e5/predictions.csv
[ "$(find e5 | wc -l)" = 6 ] || complain "a finished evaluation leaves other files"
expect 1 "eval on a full disk" sh -c "ulimit -f 2; exec '$L' eval --quiet --model m --adapter head.safetensors --out e5 one=$lists/swap.txt two=$lists/warp.txt three=$lists/real.txt four=$lists/splice.txt"
holds "the old evaluation survives a full disk" cmp e/predictions.csv e5/predictions.csv
holds "and its metrics" cmp e/metrics.json e5/metrics.json

# A signal: the scores are kept; exit code 130 or 143.
many=$(for i in $(seq 200); do echo "d$i=s/swap"; done)
stop_eval() { # SIGNAL CODE
    steps=$((steps + 1))
    what="eval stopped by $1"
    # shellcheck disable=SC2086 # a list of words
    "$L" eval --model m --adapter head.safetensors --out "stop$2" --batch 1 $many >out 2>err &
    pid=$!
    for _ in $(seq 200); do
        [ "$(cat "stop$2"/*.partial 2>/dev/null | wc -l)" -lt 5 ] || break
        sleep 0.05
    done
    kill "-$1" $pid
    wait $pid
    got=$?
    [ $got = "$2" ] || complain "eval stopped by $1: exit code $got, expected $2"
    check_message "eval stopped by $1"
    lacks "stop$2/predictions.csv"
    holds "scores are kept" test -s "stop$2"/*.partial
}
stop_eval INT 130
stop_eval TERM 143
# shellcheck disable=SC2086 # a list of words
expect 0 "eval goes on after a signal" "$L" eval --model m --adapter head.safetensors --out stop143 $many
says "scores are reused"

# ---- train ----------------------------------------------------------------------------------------

real="$lists/real.txt"
expect 0 "train" "$L" train --model m --train $lists/real.txt $lists/swap.txt --val s/lists/val/real.txt \
    --val s/lists/val/swap.txt --out run epochs=2 batch_size=8 memory=1
for file in recipe.txt steps.csv epochs.csv best.safetensors last.safetensors state.safetensors; do
    holds "train writes $file" test -s run/$file
done
[ "$(head -n 1 run/steps.csv)" = step,epoch,lr,loss,loss_ce,loss_alignment,loss_uniformity,grad_norm,images_per_second ] ||
    complain "steps.csv has another head"
[ "$(head -n 1 run/epochs.csv)" = epoch,step,lr,train_loss,val_loss,val_auroc_frame,val_auroc_video,val_map_frame,val_map_video,val_eer_video,seconds,best ] ||
    complain "epochs.csv has another head"
cp run/last.safetensors last
expect 2 "print the recipe of no run" "$L" train --resume --print
expect 1 "train into a run" "$L" train --model m --train $lists/real.txt $lists/swap.txt --out run epochs=1
holds "the run is untouched" cmp run/last.safetensors last
expect 2 "train with an unknown key" "$L" train --model m --train $real $lists/swap.txt --out never batch_sise=8
says "batch_size"
expect 2 "train with a bad value" "$L" train --model m --train $real $lists/swap.txt --out never epochs=many
expect 2 "train with an unknown recipe" "$L" train --model m --train $real $lists/swap.txt --out never --recipe none
expect 1 "train on one class" "$L" train --model m --train $real --out never epochs=1
expect 1 "train on missing frames" "$L" train --model m --train missing1.txt missing2.txt --out never epochs=1
says "13"
says "more"
expect 1 "train and validate on missing frames" "$L" train --model m --train missing1.txt --val missing2.txt --out never epochs=1
says "13 problems"
expect 1 "train on an empty list" "$L" train --model m --train empty.txt --out never epochs=1
expect 2 "train without lists" "$L" train --model m --out never
expect 1 "train with too little memory" "$L" train --model m --train $real $lists/swap.txt --out never memory=0.001
lacks never
expect 1 "train to infinity" "$L" train --model m --train $real $lists/swap.txt --out infinite epochs=9 batch_size=8 memory=1 lr=1000 min_lr=1000 weight_decay=1000
says "step"
expect 1 "train on a full disk" sh -c "ulimit -f 4; exec '$L' train --quiet --model m --train $real $lists/swap.txt --out full-run epochs=1 batch_size=8 memory=1"
expect 0 "train with the encoder frozen" "$L" train --model m --train $real $lists/swap.txt --val s/lists/val/real.txt s/lists/val/swap.txt \
    --out probe --recipe probe augment=off epochs=3 batch_size=8 memory=1
expect 0 "explain the keys of a recipe" "$L" train --keys
prints "loss.uniformity"
expect 0 "print a recipe" "$L" train --recipe gend --print
prints "loss.uniformity = 0.5"
expect 0 "a dry run" "$L" train --model m --train $real $lists/swap.txt --dry-run batch_size=8 memory=1

stop_train() { # SIGNAL CODE
    steps=$((steps + 1))
    what="train stopped by $1"
    "$L" train --model m --train "$real" $lists/swap.txt --out "train$2" epochs=500 batch_size=8 memory=1 max_steps=400 save_every=1000 >out 2>err &
    pid=$!
    for _ in $(seq 200); do
        if [ -s "train$2/steps.csv" ] && [ "$(lines_of "train$2/steps.csv")" -ge 5 ]; then break; fi
        sleep 0.02
    done
    kill "-$1" $pid
    wait $pid
    got=$?
    [ $got = "$2" ] || complain "exit code $got, expected $2"
    check_message "$what"
    holds "the state is saved" test -s "train$2/state.safetensors"
}
stop_train INT 130
stop_train TERM 143
stop_train HUP 129

# Training continues if the reader of its progress ends (tee after Ctrl-C); predict ends without a
# reader.
expect 0 "train into a closed pipe" sh -c "{ '$L' train --model m --train $real $lists/swap.txt --out piped epochs=1 batch_size=8 memory=1 2>&1; echo \$? >code; } | true; exit \$(cat code)"
holds "the run is complete" test -s piped/best.safetensors
expect 0 "predict into a closed pipe" sh -c "trap '' PIPE; { '$L' predict --model m --adapter run/best.safetensors s/real 2>why; echo \$? >code; } | head -0; cat why >&2; [ \$(cat code) = 141 ]"
silent_on "error"
expect 0 "keys into a closed pipe" sh -c "{ sleep 0.2; '$L' train --keys 2>why; echo \$? >code; } | true; cat why >&2; [ \$(cat code) = 141 ]"
silent_on "error"
expect 0 "train goes on after a signal" "$L" train --model m --train $real $lists/swap.txt --out train143 --resume memory=2
[ "$(lines_of train143/steps.csv)" = 401 ] || complain "the resumed run has another number of steps"
expect 0 "predict with the trained adapter" "$L" predict --model m --adapter run/best.safetensors s/real
expect 1 "its adapter on another model" "$L" predict --model m2 --adapter run/best.safetensors s/real

# ---- export ---------------------------------------------------------------------------------------

expect 0 "export a model with its adapter" "$L" export --model m --adapter run/last.safetensors --out merged
expect 0 "predict with an adapter" "$L" predict --model m --adapter run/last.safetensors $image
cp "$T/out" separate
expect 0 "predict with the exported model" "$L" predict --model merged $image
cmp -s "$T/out" separate || complain "the exported model predicts otherwise"
expect 0 "export for GenD" "$L" export --model m --adapter run/last.safetensors --format gend --backbone my/clip --out for-gend
expect 0 "predict with the model for GenD" "$L" predict --model for-gend $image
cmp -s "$T/out" separate || complain "the model for GenD predicts otherwise"
holds "config.json names the backbone" grep -q '"backbone": "my/clip"' for-gend/config.json
if head -c 20000 for-gend/model.safetensors | grep -aq '"vision_model'; then complain "a tensor lacks its prefix"; fi
expect 1 "export for GenD without a name of the backbone" "$L" export --model m --adapter run/last.safetensors --format gend --out never-gend
says "pass --backbone"
# shellcheck disable=SC2317 # called through expect
export_gend() { "$L" export --model m --adapter run/last.safetensors --format gend --backbone "$1" --out "$2"; }
mkdir tower-clip own-clip gelu-clip grey-clip
cp m/config.json m/preprocessor_config.json tower-clip
cp m/preprocessor_config.json own-clip
cp m/preprocessor_config.json gelu-clip
{ printf '{"model_type":"clip","text_config":{},"vision_config":' && cat m/config.json && printf '}'; } >own-clip/config.json
cp own-clip/config.json grey-clip
sed 's/quick_gelu/gelu/' own-clip/config.json >gelu-clip/config.json
sed 's/0.48145467/0.5/' m/preprocessor_config.json >grey-clip/preprocessor_config.json
expect 0 "export for GenD over a CLIP in a folder" export_gend own-clip for-gend-own
expect 1 "export for GenD over a vision tower" export_gend tower-clip never-gend
says "is not a complete CLIP"
expect 1 "export for GenD over another activation" export_gend gelu-clip never-gend
says "heads 2, gelu"
expect 1 "export for GenD over another preprocessing" export_gend grey-clip never-gend
says "mean"
expect 1 "export for GenD over another shape" export_gend openai/clip-vit-large-patch14 never-gend
says "shape differs"
expect 1 "export for GenD without head" "$L" export --model m --format gend --backbone clip --out never-gend
expect 2 "a format of a later version" "$L" export --model m --format onnx --out never-gend
says "not available in this version"
expect 2 "an unknown format" "$L" export --model m --format x --out never-gend
lacks never-gend
expect 0 "calibrate" "$L" calibrate --model m --adapter run/last.safetensors --val $lists/*.txt --out calibrated.safetensors
expect 0 "export what is calibrated" "$L" export --model m --adapter calibrated.safetensors --out merged-calibrated
expect 0 "predict with a calibrated adapter" "$L" predict --model m --adapter calibrated.safetensors --calibrated $image
cp "$T/out" separate
expect 0 "predict with the calibrated model" "$L" predict --model merged-calibrated --calibrated $image
cmp -s "$T/out" separate || complain "the exported model has another calibration"
expect 1 "calibrated, where there is no calibration" "$L" predict --model merged --calibrated $image
expect 0 "a merged model on its own training lists" "$L" eval --model merged --out own A=$lists/real.txt,$lists/swap.txt
says "was trained on this list"
expect 0 "the merged model says where it comes from" "$L" inspect merged
prints "selected_on"
prints "record"
expect 0 "export of an exported model" "$L" export --model merged-calibrated --out exported-again
holds "an exported model is exported alike" cmp merged-calibrated/model.safetensors exported-again/model.safetensors
expect 1 "export over a model" "$L" export --model m --out merged
says "not an empty folder"
expect 1 "export to a full disk" sh -c "ulimit -f 100; exec '$L' export --model m --out full"
expect 0 "export where a full disk ended one" "$L" export --model m --out full
expect 1 "train on with less than an adapter changed" "$L" train --model m --adapter run/last.safetensors --train $lists/*.txt --out lost tune=none
says "lnclip export"
expect 2 "export without --out" "$L" export --model m
expect 1 "export of no model" "$L" export --model none --out never
expect 1 "export of an adapter of another model" "$L" export --model m2 --adapter run/last.safetensors --out never/deeper
lacks never
expect 1 "export into a file" "$L" export --model m --out a-file

# ---- inspect --------------------------------------------------------------------------------------

expect 0 "inspect a model" "$L" inspect m
prints "vision_model.embeddings.class_embedding"
prints "1,154"
expect 0 "inspect a model as JSON" "$L" inspect m --json --tune none
prints '"trained_parameters": 130'
expect 2 "inspect with an unknown tune" "$L" inspect m --tune 'no.such*'
expect 0 "inspect one file" "$L" inspect m/model.safetensors
expect 0 "inspect an adapter" "$L" inspect head.safetensors
prints "head.weight"
expect 0 "inspect the drift of an adapter" "$L" inspect run/last.safetensors --model m
prints "drift"
expect 0 "inspect a run" "$L" inspect run --model m --json
prints '"batch_size": 8'
prints '"last_epoch"'
expect 0 "inspect what the network sees" "$L" inspect m --tensor $image --out seen.png
holds "as a PNG" test -s seen.png
expect 0 "which it would see the same" "$L" predict --model m --adapter head.safetensors $image seen.png
[ "$(cut -f 2 out | uniq | wc -l)" = 1 ] || complain "the picture of --tensor is not what the network sees"
expect 0 "inspect what the network of a run sees" "$L" inspect run --model m --tensor $image --out seen-run.png
holds "as that of its model does" cmp seen.png seen-run.png
expect 0 "inspect what that of an adapter sees" "$L" inspect run/last.safetensors --model m --tensor $image --out seen-adapter.png
holds "the same" cmp seen.png seen-adapter.png
expect 1 "inspect --tensor of a run without its model" "$L" inspect run --tensor $image --out never.png
says "--model"
expect 1 "inspect --tensor of a run on another model" "$L" inspect run --model m2 --tensor $image --out never.png
expect 1 "inspect --tensor of nothing" "$L" inspect none --model m --tensor $image --out never.png
expect 2 "inspect --tensor without --out" "$L" inspect m --tensor $image
expect 1 "inspect --tensor of a bad image" "$L" inspect m --tensor a-file --out never.png
lacks never.png
expect 1 "inspect a missing file" "$L" inspect none
expect 1 "inspect an image" "$L" inspect $image
expect 1 "inspect a folder of something else" "$L" inspect s
expect 2 "inspect nothing" "$L" inspect

# ---- demo -----------------------------------------------------------------------------------------

expect 0 "demo, rehearsed" "$L" demo --quick --out demo
prints "probe"
holds "demo writes its table" grep -q auroc demo/demo.json
expect 1 "demo into a file" "$L" demo --quick --out a-file

# ---- the end --------------------------------------------------------------------------------------

rm -f "$name"
find . -name '*.partial' -o -name '*.tmp*' -o -name '*.??????' | grep -v -e '^./stop130/' -e '^./e5/' >left
[ ! -s left ] || complain "temporary files are left: $(tr '\n' ' ' <left)"
finish
