#!/bin/bash
# check_long_same.sh BASE - checks that the working tree gives the same files, output and exit codes
# as the commit BASE.
#
# For refactoring. Builds BASE (in build/same/COMMIT, kept for the next time) and the working tree
# as it is (in $BUILD, default build/same/now), runs the same commands with both programs, one
# program after the other in the same folder, and compares every file written, stdout, stderr and
# exit codes byte by byte. Only elapsed times, rates and memory measured at run time are excluded;
# planned bytes are compared. Both programs are built with the same version and revision, because
# they write these into files. Each difference is printed with its command, its file and the first
# lines that differ; the exit code is 1 if there is any. Three minutes on two cores.
#
# BASE may also be set in the environment; without one the script is skipped. SAME_EXCEPT="PATTERN
# ..." allows intended differences: shell patterns of STEP/FILE as printed here. Differences that
# also apply to later commits belong in the table `except`, with their reason. KEEP=DIR keeps both
# results in DIR. LEVEL=avx2 runs all commands at that ISA level: for a commit that intentionally
# changes results at higher levels.
set -u
cd "$(dirname "$0")/.." || exit 1
BASE=${1:-${BASE:-}}
if [ -z "$BASE" ]; then
    echo "skipped: no base commit; BASE=COMMIT names one"
    exit 77
fi
commit=$(git rev-parse --verify --quiet "$BASE^{commit}") || {
    echo "$BASE is not a commit"
    exit 1
}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE OPENBLAS_NUM_THREADS LNCLIP_CPU
[ -z "${LEVEL:-}" ] || export LNCLIP_CPU=$LEVEL
export LC_ALL=C TZ=UTC
started=$SECONDS

# ---- intended differences: PATTERN REASON ------------------------------------------------------

except() {
    cat <<'END'
END
}

# ---- both programs -----------------------------------------------------------------------------

export CCACHE_NOHASHDIR=1 # lets ccache share objects of the two trees
sources=$PWD/build/same/${commit:0:12}
if [ ! -e "$sources/Makefile" ]; then
    mkdir -p "$sources" && git archive "$commit" | tar -x -C "$sources" || exit 1
fi
now=${BUILD:-build/same/now}
build() { # SOURCES BUILD
    make -s -j"$(nproc)" -C "$1" BUILD="$2" VERSION=0 REVISION=same "$2/lnclip" || exit 1
}
build "$sources" program
build . "$now"
case $now in /*) ;; *) now=$PWD/$now ;; esac
echo "built in $((SECONDS - started)) s"

T=$(mktemp -d)
T=$(cd "$T" && pwd -P)
trap 'chmod -R u+rwx "$T"; rm -rf "$T"' EXIT
L=$T/lnclip # a copy of the current program
failures=0

# ---- steps, in $T/work: @ in the arguments of a step is its NAME, under which it writes ----------

said() { # NAME CODE: saves stderr and exit code of a command
    mv out "said/$1.stdout"
    mv err "said/$1.stderr"
    echo "$2" >"said/$1.code"
}

run() { # EXPECTED NAME ARGUMENT...
    local expected=$1 name=$2 code
    shift 2
    echo "lnclip ${*//@/$name}" >"said/$name.command"
    "$L" "${@//@/$name}" >out 2>err </dev/null
    code=$?
    case $expected$code in
    ok0 | bad[12]) ;;
    *)
        echo "FAIL: $side: $name: exit code $code: $(tail -n 1 err)"
        failures=$((failures + 1))
        ;;
    esac
    if [ -e never ]; then
        echo "FAIL: $side: $name: fails, and leaves a file behind"
        failures=$((failures + 1))
        rm -rf never
    fi
    said "$name" $code
}

step() { run ok "$@"; }     # NAME ARGUMENT...: a command that must succeed
refused() { run bad "$@"; } # NAME ARGUMENT...: a command that must fail

# NAME SIGNAL ARGUMENT...: stops a training after its first epoch. The step where it stops varies,
# so only the exit code is saved.
stopped() {
    local name=$1 signal=$2 process code
    shift 2
    echo "lnclip ${*//@/$name}, stopped by $signal" >"said/$name.command"
    "$L" "${@//@/$name}" >out 2>err </dev/null &
    process=$!
    while kill -0 $process 2>/dev/null && ! grep -qs '^[01],' "$name/epochs.csv"; do sleep 0.01; done
    kill "-$signal" $process
    wait $process 2>/dev/null
    code=$?
    case $code in
    137 | 143) ;;
    *)
        echo "FAIL: $side: $name: exit code $code"
        failures=$((failures + 1))
        ;;
    esac
    : >out
    : >err
    said "$name" $code
}

# ---- commands ----------------------------------------------------------------------------------

train_list="s/lists/train/real.txt s/lists/train/swap.txt"
val_list="s/lists/val/real.txt s/lists/val/swap.txt"
test_set=s/lists/test/real.txt,s/lists/test/swap.txt
data="--train $train_list --val $val_list"
few="batch_size=8 epochs=2 threads=1 workers=1 memory=1 lr=0.01"

# shellcheck disable=SC2086 # lists of words
prepare() {
    local command
    step help --help
    step version --version
    step m init --arch tiny --seed 1 --out @
    step m2 init --arch tiny --seed 2 --out @ --quiet
    step s synth --out @ --videos 14 --frames 2 --size 72 --seed 3
    step s2 synth --out @ --videos 6 --frames 1 --size 48 --threads 2 --quiet
    sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p' said/help.stdout >command_names
    while read -r command; do
        step "help-$command" "$command" --help
        refused "option-$command" "$command" --no-such-option
    done <command_names
    image=s/real/000/000.png
    mkdir empty bad-images
    head -c 3000 s/swap/000_001/000.png >bad-images/truncated.png
    echo text >bad-images/text.png
    : >bad-images/empty.png
    { printf 'P6 320 200 255\n'; head -c 192000 /dev/zero | tr '\0' 'x'; } >grey.ppm
    printf 's/real/000/no%d.png\n' 1 2 3 4 5 6 7 8 9 10 11 12 >missing.txt
    : >empty.txt
}

# shellcheck disable=SC2086 # lists of words
trainings() {
    step keys train --keys
    for recipe in paper released gend probe probe-norm cpu; do
        step "print-$recipe" train --recipe $recipe --print
    done
    step train-paper train --model m $data --out @ $few
    step train-gend train --model m $data --out @ --recipe gend $few
    step train-two train --model m $data --out @ $few threads=2 workers=2
    step train-lora train --model m $data --out @ $few tune=lora:2,ln lora.alpha=4 lora.dropout=0.1
    step train-all train --model m $data --out @ $few tune=all weight_decay=0.01 grad_clip=0.5
    step train-bias train --model m $data --out @ $few tune=bias head=linear precision=f32
    step train-names train --model m $data --out @ $few 'tune=*layers.2.mlp*,*post_layernorm*' \
        drop_last=on
    step train-ema train --model m $data --out @ $few ema=0.9 keep=1 epochs=3
    step train-sam train --model m $data --out @ $few optimizer=sgd sam.rho=0.05 sam.adaptive=off \
        precision=f32
    step train-sbi train --model m --train s/lists/train/real.txt --val $val_list --out @ $few \
        data.sbi=on
    step train-pairs train --model m $data --out @ $few pairs=on loss.alignment=0.1 \
        loss.uniformity=0.5
    step train-cache train --model m $data --out @ --recipe probe augment=off $few
    step train-cache-norm train --model m $data --out @ --recipe probe-norm augment=off $few \
        threads=2 precision=f32
    step train-f32 train --model m $data --out @ $few precision=f32 slerp=off augment=flip
    step train-bf16 train --model m $data --out @ $few precision=bf16 tune=all threads=2
    step train-micro train --model m $data --out @ $few micro_batch=3
    # Memory in the middle of the range with the same plan: the programs differ slightly in size.
    step train-twice train --model m --train s/lists/train/*.txt --out @ $few batch_size=96 \
        epochs=1 memory=0.0355 threads=2
    step train-blocks train --model m --train s/lists/train/*.txt --out @ $few batch_size=96 \
        epochs=1 micro_batch=48 memory=0.0396 tune=all threads=2
    step train-chosen train --model m $data --test s/lists/test/real.txt --out @ $few \
        sampling=class frame_choice=random frames=1 limit=12 val_limit=4 monitor=val_loss \
        early_stopping=1 log.tensorboard=on scheduler=cosine epochs=4
    step train-cyclic train --model m --train s/real s/warp --out @ $few sampling=source \
        scheduler=cyclic cycle_epochs=1 warmup_epochs=0.5 loss.label_smoothing=0.1 max_steps=5 \
        seed=7 --checks quick
    step train-adapter train --model m $data --adapter train-paper/best.safetensors --out @ $few \
        epochs=1
    step train-own train --model m $data --out @ --recipe train-lora/recipe.txt epochs=1
    step train-dry train --model m $data --dry-run $few memory=2 batch_size=16
    for level in ref avx2 avx512 avx512_bf16; do
        LNCLIP_CPU=$level run "$(levels $level)" "train-$level" train --model m $data --out @ \
            $few epochs=1
    done

    # A run that fails at an unreadable frame and is resumed when it is readable; killed runs.
    cp -r s broken
    echo broken >broken/swap/009_008/001.png
    local lists=broken/lists/train
    local of_broken="--train $lists/real.txt $lists/swap.txt --val $val_list"
    refused train-broken train --model m $of_broken --out @ $few shuffle=off save_every=2 \
        --checks off epochs=2
    cp s/swap/009_008/001.png broken/swap/009_008/001.png
    step train-mended train --model m $of_broken --out train-broken $few shuffle=off save_every=2 \
        --checks off epochs=2 --resume
    step train-ended train --model m $of_broken --out train-broken $few shuffle=off save_every=2 \
        --checks off epochs=2 --resume threads=2 micro_batch=4
    stopped train-killed KILL train --model m $data --out @ $few epochs=60 save_every=3
    step train-revived train --model m $data --out train-killed $few epochs=60 save_every=3 \
        --resume --quiet
    stopped train-stopped TERM train --model m $data --out @ $few epochs=60 tune=lora:2 ema=0.9
    step train-continued train --model m $data --out train-stopped $few epochs=60 tune=lora:2 \
        ema=0.9 --resume --quiet
}

levels() { # LEVEL: true if this processor supports it
    if LNCLIP_CPU=$1 "$L" init --help >/dev/null 2>&1; then echo ok; else echo bad; fi
}

# shellcheck disable=SC2086 # lists of words
scores() {
    local A=train-paper/best.safetensors B=train-lora/best.safetensors
    step calibrate calibrate --model m --adapter $A --val $val_list --out @.safetensors --fpr 0.25
    step calibrate-json calibrate --model m --adapter $B --val $val_list --out @.safetensors \
        --json --frames 1 --threads 2
    step eval eval --model m --adapter $A --out @ one=$test_set two=s/lists/val/real.txt \
        two=s/lists/val/warp.txt
    step eval-perturbed eval --model m --adapter $A --out @ one=$test_set --perturb jpeg=90,30 \
        --perturb resize=0.5 --perturb resize-lanczos=0.5 --perturb noise=0.05,0.1+blur=1 --json \
        --threads 2 --thumbnails 2
    step eval-calibrated eval --model m --adapter calibrate.safetensors --calibrated --out @ \
        one=$test_set --resamples 100
    step eval-several eval --model m --adapter a=$A --adapter b=$B --out @ one=$test_set \
        two=s/real,s/warp --limit 6 --frames 1 --frame-choice random --perturb blur=2 --seed 5
    for format in md latex csv; do
        step "eval-$format" eval --model m --adapter a=$A --adapter b=$B --out @ one=$test_set \
            --format $format --quiet
        step "eval-one-$format" eval --model m --adapter $B --out @ one=$test_set --format \
            $format --ci off
        step "compare-$format" compare train-paper train-lora eval eval-several --format $format
        step "auc-$format" auc eval/predictions.csv --format $format
        step "auc-two-$format" auc eval-md/a/predictions.csv eval-md/b/predictions.csv --format \
            $format
    done
    for precision in bf16 int8; do
        step "eval-$precision" eval --model m --adapter $A --out @ one=$test_set --precision \
            $precision --ci on
        step "predict-$precision" predict --model m --adapter $A --precision $precision s/real \
            s/swap --threads 2
    done
    # An evaluation that fails at an unreadable frame and is continued.
    echo broken >broken/warp/013_012/001.png
    refused eval-broken eval --model m --adapter $A --out @ one=$test_set b=broken/warp,s/real \
        --batch 1 --checks off
    cp s/warp/013_012/001.png broken/warp/013_012/001.png
    step eval-mended eval --model m --adapter $A --out eval-broken one=$test_set \
        b=broken/warp,s/real --batch 1 --checks off

    step compare compare train-paper train-gend train-lora train-cache
    step compare-json compare train-paper eval-several eval --json
    step predict predict --model m --adapter $A s/real $image grey.ppm
    step predict-json predict --model m --adapter $B --json --batch 1 --workers 1 s/warp
    step predict-csv predict --model m --adapter $A --csv s/splice
    step predict-calibrated predict --model m --adapter calibrate.safetensors --calibrated s/splice
    step predict-explain predict --model m --adapter $A --explain @ $image s/swap/000_001
    step predict-explain-csv predict --model m --adapter train-bias/last.safetensors --csv \
        --explain @ s/real/003
    step predict-explain-json predict --model m --adapter $B --json --explain @ $image --threads 2
    refused predict-bad-images predict --model m --adapter $A bad-images $image none.png
    refused predict-bad-json predict --model m --adapter $A --json bad-images $image empty
    for level in ref avx2 avx512 avx512_bf16; do
        for precision in f32 bf16 int8; do
            LNCLIP_CPU=$level run "$(levels $level)" "predict-$level-$precision" predict --model \
                m --adapter $A s/splice --precision $precision
        done
    done

    step auc auc eval/predictions.csv --report @.html --threads 2
    step auc-json auc eval-several/a/predictions.csv --json --resamples 100 --seed 3
    step auc-two auc eval-md/a/predictions.csv eval-md/b/predictions.csv
    step auc-two-json auc eval-md/a/predictions.csv eval-md/b/predictions.csv --json --ci off
    printf 'label,score\r\n0,-3\r\n1,2\r\n0,1\r\n1,0.5' >bare.csv
    step auc-bare auc bare.csv --report @.html --thumbnails 0
    printf 'label,score\n1,0.25\n1,0.5\n' >fakes.csv
    step auc-fakes auc fakes.csv --json

    step features features --model m --out @.safetensors s/real s/warp
    step features-adapter features --model m --adapter $B --out @.safetensors --batch 3 --threads \
        2 s/swap
    step features-bf16 features --model m --precision bf16 --out @.safetensors s/swap
    step export export --model m --adapter calibrate.safetensors --out @
    step export-lora export --model m --adapter $B --out @
    step export-gend export --model m --adapter $A --format gend --backbone my/clip --out @
    step predict-export predict --model export --calibrated s/real
    step predict-gend predict --model export-gend s/real
    step eval-export eval --model export-lora --out @ \
        A=s/lists/train/real.txt,s/lists/train/swap.txt
    step inspect-model inspect m
    step inspect-json inspect m --json --tune lora:2
    step inspect-tune inspect m --tune 'bias,*post_layernorm*'
    step inspect-file inspect m/model.safetensors
    step inspect-adapter inspect $A --model m
    step inspect-lora inspect $B --model m --json
    step inspect-calibrated inspect calibrate.safetensors
    step inspect-state inspect train-sam/state.safetensors
    step inspect-run inspect train-paper --model m
    step inspect-run-json inspect train-ema --model m --json
    step inspect-features inspect features.safetensors --json
    step inspect-export inspect export
    step inspect-gend inspect export-gend --json
    step inspect-tensor inspect m --tensor grey.ppm --out @.png
    step inspect-tensor-run inspect train-paper --model m --tensor $image --out @.png
    step demo demo --quick --out @ --threads 2
    step demo-one demo --quick --seed 4 --threads 1 --out @ --quiet

    # For bench, only the exit code is compared, because speeds vary.
    step bench bench --quick --arch tiny --precision f32,bf16,int8
    step bench-json bench --quick --model m --json --precision f32 --only forward,step,loader
    rm said/bench.std* said/bench-json.std*
}

video() { # FOLDER FRAMES: empty files 000.png, 001.png... : lists does not decode
    local i
    mkdir -p "$1"
    for ((i = 0; i < $2; i++)); do : >"$1/$(printf %03d $i).png"; done
}

data_sets() {
    local id m v
    for id in 071 054 720 672 953 974; do
        video "F F/original_sequences/youtube/c23/frames/$id" 5
    done
    for m in Deepfakes Face2Face FaceSwap NeuralTextures; do
        for id in 071_054 054_071 720_672 672_720 953_974; do
            video "F F/manipulated_sequences/$m/c23/frames/$id" 5
        done
    done
    refused lists-no-splits lists ff --root "F F" --out @
    mkdir splits
    echo '[["071", "054"]]' >splits/train.json
    echo '[["720", "672"]]' >splits/val.json
    echo '[["953", "974"]]' >splits/test.json
    step lists-ff lists ff --root "F F" --splits splits --frames 3 --out @
    step lists-ff-json lists ff --root "F F" --splits splits --json --out @
    refused lists-ff-again lists ff --root "F F" --splits splits --out lists-ff
    step lists-ff-overwrite lists ff --root "F F" --splits splits --frames 2 --out lists-ff \
        --overwrite

    for v in Celeb-real/id0_000{0,1} YouTube-real/00170 Celeb-synthesis/id0_id1_000{0,1}; do
        video "CDF/$v" 2
    done
    printf '%s\r\n' '1 YouTube-real/00170.mp4' '1 Celeb-real/id0_0001.mp4' \
        '0 Celeb-synthesis/id0_id1_0000.mp4' >CDF/List_of_testing_videos.txt
    step lists-celebdf2 lists celebdf2 --root CDF --out @
    video "DFDC/test/frames/a, b" 2
    printf '\357\273\277filename,label\r\n"a, b.mp4",1\r\ngone.mp4,0\r\n' >DFDC/test/labels.csv
    step lists-dfdc lists dfdc --root DFDC --out @
    video DFDCP/original_videos/frames/m_1 2
    video DFDCP/method_A/frames/m_1_A 2
    printf '%s' '{"original_videos/20/m_1.mp4": {"label": "real", "set": "train"},' \
        ' "method_A/20/20_A/m_1_A.mp4": {"label": "fake", "set": "test", "target_id": 20},' \
        ' "method_A/20/20_A/m_2_A.mp4": {"label": "fake", "set": "test"}}' >DFDCP/dataset.json
    step lists-dfdcp lists dfdcp --root DFDCP --out @
    video DFD/original_sequences/actors/c23/frames/01__walking 2
    video DFD/manipulated_sequences/DeepFakeDetection/c23/frames/01_02__walking__YVGY8LOK 2
    step lists-dfd lists dfd --root DFD --split val --out @
    refused lists-dfd-split lists dfd --root DFD --split dev --out @
    video FFIW/FFIW10K-v1-release/source/val/videos/0001 2
    video FFIW/FFIW10K-v1-release/target/val/videos/0001 2
    video FFIW/FFIW10K-v1-release-test/target/test/0009 1
    step lists-ffiw lists ffiw --root FFIW --out @
    mkdir -p UADFV/{real,fake}/videos
    : >UADFV/real/videos/0000.mp4
    : >UADFV/fake/videos/0000_fake.mp4
    refused lists-videos lists uadfv --root UADFV --out @
    video UADFV/real/frames/0000 2
    video UADFV/fake/frames/0000_fake 2
    step lists-uadfv lists uadfv --root UADFV --out @
    printf '%s' '{"FF-DF": {"FF-real": {"test": {"c23": {"071": {"label": "FF-real", "frames":' \
        ' ["FaceForensics++\\original_sequences\\youtube\\c23\\frames\\071\\000.png"]}}}}}}' >b.json
    step lists-deepfakebench lists deepfakebench b.json --root "$PWD" --replace \
        'FaceForensics++=F F' --out @
    refused lists-deepfakebench-place lists deepfakebench b.json --root "$PWD" --out @
    printf '{"a": {"Odd": {}}}' >odd.json
    refused lists-odd-label lists deepfakebench odd.json --root . --out @
    video own/real/v1 3
    video own/gan/v2 2
    mkdir -p own/gan/v2/@eaDir own/gan/masks
    : >own/gan/v2/clip.mp4
    : >own/gan/masks/1.png
    : >own/gan/2.webp
    step lists-folder lists folder --root own --real real --fake gan --split val --frames 2 --out @
    step lists-folder-all lists folder --root own --label gan=fake --out @
    mv own/real own/surreal
    refused lists-doubt lists folder --root own --out @
}

# Commands with wrong usage or bad input: message and exit code are compared.
# shellcheck disable=SC2086 # lists of words
bad_input() {
    local A=train-paper/best.safetensors never="--out never"
    refused no-command
    refused unknown-command pedict
    LNCLIP_CPU=z80 refused unknown-level init --arch tiny $never
    refused misspelt-option predict --modle m
    refused init-no-arch init $never
    refused init-arch init --arch vit-x $never
    refused init-seed init --arch tiny --seed 1x $never
    refused init-again init --arch tiny --out m
    refused synth-size synth --size 1 $never
    refused synth-again synth --out s
    refused lists-kind lists celebdf --root own $never
    refused lists-root lists ff --root nowhere $never
    refused lists-option lists ff --root own --replace a=b $never
    refused train-key train --model m $data $never batch_sise=8
    refused train-value train --model m $data $never epochs=many
    refused train-range train --model m $data $never augment.jpeg_min=101
    refused train-recipe train --model m $data $never --recipe none
    refused train-tune train --model m $data $never tune=no.such
    refused train-rank train --model m $data $never tune=lora:65
    refused train-class train --model m --train s/lists/train/real.txt $never
    refused train-missing train --model m --train missing.txt $never
    refused train-empty train --model m --train empty.txt $never
    refused train-no-list train --model m $never
    refused train-overlap train --model m --train $train_list --val $train_list $never
    refused train-memory train --model m $data $never memory=0.001
    refused train-again train --model m $data --out train-paper epochs=1
    refused train-changed train --model m $data --out train-paper $few --resume lr=0.1
    refused train-infinity train --model m $data --out @ $few lr=1000 min_lr=1000 \
        weight_decay=1000 epochs=9
    refused train-other-head train --model m $data --adapter $A $never head=linear
    refused predict-no-head predict --model m $image
    refused predict-nothing predict --model m --adapter $A
    refused predict-precision predict --model m --adapter $A --precision f64 $image
    refused predict-empty predict --model m --adapter $A empty
    refused predict-other-model predict --model m2 --adapter $A $image
    refused predict-no-calibration predict --model m --adapter $A --calibrated $image
    refused adapter-none predict --model m --adapter none.safetensors $image
    refused adapter-text predict --model m --adapter missing.txt $image
    head -c 5000 $A >cut.safetensors
    refused adapter-cut predict --model m --adapter cut.safetensors $image
    sed 's/layer_norm1/layer_normX/' $A >unknown.safetensors
    refused adapter-unknown predict --model m --adapter unknown.safetensors $image
    sed 's/"head":"LinearNorm"/"hoad":"LinearNorm"/' $A >unsaid.safetensors
    refused adapter-unsaid predict --model m --adapter unsaid.safetensors $image
    step adapter-said predict --model m --adapter unsaid.safetensors --head linear $image
    local change
    for change in 's/"clip_vision_model"/"bert"/' 's/quick_gelu/relu/' 's/{//' \
        's/"hidden_size": 64/"hidden_size": 128/'; do
        change_model config.json "$change"
    done
    change_model preprocessor_config.json 's/"resample": 3/"resample": 2/'
    change_model model.safetensors 's/class_embedding/class_embeddinX/g'
    change_model model.safetensors 's/"dtype":"F32"/"dtype":"Q32"/'
    change_model model.safetensors \$d
    refused model-none features --model none $image --out never.safetensors
    refused features-bad features --model m bad-images --out never.safetensors
    refused features-folder features --model m $image --out none/never.safetensors
    refused eval-no-name eval --model m --adapter $A $never s/lists/test/real.txt
    refused eval-missing eval --model m --adapter $A $never a=missing.txt
    refused eval-names eval --model m --adapter a=$A --adapter a=$A $never one=$test_set
    refused eval-strength eval --model m --adapter $A $never --perturb jpeg=101 one=$test_set
    refused eval-kind eval --model m --adapter $A $never --perturb sharpen=1 one=$test_set
    refused eval-format eval --model m --adapter $A $never --format html one=$test_set
    refused calibrate-class calibrate --model m --adapter $A --val s/lists/val/real.txt --checks \
        off $never
    refused calibrate-share calibrate --model m --adapter $A --val $val_list --fpr 1 $never
    local rows
    for rows in '0,nan\n1,0.9\n' '0,x\n' '2,0.1\n' '' '0,0.5,0.5\n'; do
        printf 'label,score\n%b' "$rows" >rows.csv
        refused "auc-rows-$((++changes))" auc rows.csv
    done
    printf 'a,b\n0,1\n' >columns.csv
    refused auc-columns auc columns.csv
    refused auc-none auc none.csv
    refused compare-none compare s none
    refused inspect-image inspect $image
    refused inspect-folder inspect s
    refused inspect-tune-unknown inspect m --tune 'no.such*'
    refused export-again export --model m --out export
    refused export-format export --model m --format onnx $never
    refused export-no-backbone export --model m --adapter $A --format gend $never
    refused bench-part bench --only gemm,forwrd
    refused demo-file demo --quick --out missing.txt
    refused demo-other demo --quick --out s
}

changes=0
change_model() { # FILE CHANGE: a copy of the model with its FILE changed by sed(1) is refused
    changes=$((changes + 1))
    rm -rf changed
    cp -r m changed
    sed "$2" "m/$1" >"changed/$1"
    refused "model-$changes" features --model changed "$image" --out never.safetensors
}

commands() { # SIDE PROGRAM: leaves all results in $T/SIDE
    side=$1
    started=$SECONDS
    mkdir -p "$T/work/said"
    cp "$2" "$L"
    cd "$T/work" || exit 1
    changes=0
    prepare
    trainings
    scores
    data_sets
    bad_input
    cd "$T" || exit 1
    mv work "$side"
    echo "$side: $(find "$side/said" -name '*.command' | wc -l) commands, $((SECONDS - started)) s"
}

# ---- comparison --------------------------------------------------------------------------------

# FILE: prints its contents without elapsed times, rates and memory measured at run time.
normalise() {
    case $1 in
    */steps.csv | */epochs.csv) # by the name of the column
        awk -F, -v OFS=, '
            NR == 1 { for (i = 1; i <= NF; i++) if ($i ~ /^(seconds|images_per_second)$/) c = i }
            NR > 1 { $c = "" } { print }' "$1"
        ;;
    *tfevents*) wc -c <"$1" ;; # contains times and checksums of them
    */train-*/features.safetensors) # a hash of the times at which the images were written
        sed 's/"images":"[0-9a-f]*"/"images":""/' "$1"
        ;;
    *.safetensors | *.png) cat "$1" ;;
    # Progress lines before the last one depend on the clock; then rates, durations and memory.
    */said/* | */run.log)
        sed -E -e 's/^[0-9]{4}(-[0-9]{2}){2} [0-9]{2}(:[0-9]{2}){2}  //' \
            -e '/ ([0-9]+)\/\1([ ,]|$)/!{/ [0-9]+\/[0-9]+[ ,].*(left|loss|frames|images)/d}' \
            -e 's/[0-9.,?]+ (img|images)\/s/RATE/' \
            -e 's/([0-9]+ (h|min) )?[0-9.]+ (s|min)( left| in total| per step|, | \(|$)/TIME\4/g' \
            -e 's/^(training time \(s\)).*/\1/' \
            -e 's/((^|[", ])(seconds|images_per_second)(": |: +|,| +))[0-9.e-]+/\1TIME/' \
            -e 's/(peak( memory)?) [0-9.]+ [KMG]iB/\1 MEASURED/' \
            -e 's/program [0-9.]+ [KMG]iB = [0-9.]+ [KMG]iB/program MEASURED = SUM/' "$1"
        ;;
    *.json) sed -E 's/("seconds": )[0-9.e-]+/\1TIME/' "$1" ;;
    *) cat "$1" ;;
    esac
}

patterns=$({ except | sed 's/ .*//'; tr ' ' '\n' <<<"${SAME_EXCEPT:-}"; } | grep .)
on_purpose() { # STEP/FILE
    local pattern
    while read -r pattern; do
        # shellcheck disable=SC2254 # a pattern
        [ -z "$pattern" ] || case $1 in $pattern) return 0 ;; esac
    done <<<"$patterns"
    return 1
}

# PATH: reports a difference; stdin is its text. Not for use in a pipe, whose subshell would lose
# the count.
differs() {
    local file=${1#./} step where
    case $file in
    said/*) step=${file#said/} where=${step##*.} step=${step%.*} ;;
    */*) step=${file%%/*} where=${file#*/} ;;
    *) step=${file%%.*} where=$file ;;
    esac
    if on_purpose "$step/$where"; then
        echo "on purpose: $step/$where"
        return
    fi
    failures=$((failures + 1))
    echo "FAIL: $step/$where"
    [ ! -e "base/said/$step.command" ] || sed 's/^/    /' "base/said/$step.command"
    head -n 4 | cut -c 1-300 | sed 's/^/    /'
}

compare() {
    local file kind side
    for side in base now; do # names with kinds, permissions and links; contents
        (cd $side && find . -printf '%P\t%y %m %l\n' | sort) >$side.names
        (cd $side && find . -type f -print0 | sort -z | xargs -0 sha256sum) >$side.sums
    done
    diff base.names now.names | grep '^[<>]' >names
    while IFS=$'\t' read -r file kind; do
        case $file in '<'*) side=base ;; *) side=now ;; esac
        differs "${file#??}" <<<"only in $side, or of another kind: $kind"
    done <names
    while read -r file; do
        [ -f "now/$file" ] || continue
        normalise "base/$file" >base.text
        normalise "now/$file" >now.text
        cmp -s base.text now.text && continue
        case $file in
        *.safetensors | *.png) differs "$file" < <(cmp base.text now.text 2>&1) ;;
        *) differs "$file" < <(diff -a base.text now.text) ;;
        esac
    done < <(diff base.sums now.sums | sed -n 's/^< [^ ]*  //p')
}

commands base "$sources/program/lnclip"
commands now "$now/lnclip"
compare
[ -z "${KEEP:-}" ] || { mkdir -p "$KEEP" && cp -r base now "$KEEP"; }
echo "$(find base -type f | wc -l) files compared, $failures differences"
[ $failures = 0 ]
