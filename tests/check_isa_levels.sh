#!/bin/sh
# check_isa_levels.sh [PROGRAM...] - runs the test programs at every ISA level of this processor,
# and trains and applies the tiny model in each precision; its predictions must be close to those of
# plain C.
#
# ISA levels are the values of LNCLIP_CPU (tensor/kernels/kernels.h). BUILD names the folder with lnclip. Exit code 1
# if anything failed. Three minutes on two cores with the programs that CI gives.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build/release}
export BUILD LNCLIP_SCRIPTS=0
unset OPENBLAS_CORETYPE
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

complain() {
    echo "FAIL  LNCLIP_CPU=$LNCLIP_CPU: $*"
    tail -n 5 "$work/log" | sed 's/^/      /'
    failed=1
}

lnclip() { "$BUILD/lnclip" "$@" >"$work/log" 2>&1; }

# PRECISION: a few steps of training, then p_fake of all images into predictions-PRECISION.
train_and_predict() {
    run=$work/run-$LNCLIP_CPU-$1
    training=$1
    [ "$1" = int8 ] && training=bf16 # there is no int8 training
    lnclip train --model "$work/model" --train "$work"/faces/lists/train/*.txt \
        --val "$work"/faces/lists/val/*.txt --out "$run" precision="$training" batch_size=8 epochs=2 &&
        "$BUILD/lnclip" predict --model "$work/model" --adapter "$run/last.safetensors" \
            --precision "$1" --quiet "$work/faces" >"$run/predictions" 2>"$work/log"
}

# PRECISION: prints the largest difference of p_fake from those of ref; fails if it is above 0.002.
compare() {
    paste "$work/run-ref-$1/predictions" "$work/run-$LNCLIP_CPU-$1/predictions" | awk -F '\t' -v precision="$1" '
        { d = $2 - $4; d = d < 0 ? -d : d; most = d > most ? d : most; if ($1 != $3 || $4 == "nan") wrong = 1 }
        END { printf "      %s: p_fake of %d images within %.2g of ref\n", precision, NR, most
              exit !(NR && !wrong && most <= 0.002) }'
}

export LNCLIP_CPU=ref
lnclip synth --seed 5 --videos 6 --frames 2 --size 64 --out "$work/faces" || complain "synth"
lnclip init --arch tiny --seed 1 --out "$work/model" || complain "init"
for LNCLIP_CPU in ref avx2 avx512 avx512_vnni avx512_bf16 amx; do
    if ! lnclip inspect "$work/model" && grep -q 'this processor or system lacks' "$work/log"; then
        echo "LNCLIP_CPU=$LNCLIP_CPU: skipped, this processor or system lacks it"
        continue
    fi
    echo "LNCLIP_CPU=$LNCLIP_CPU"
    if [ $# -gt 0 ]; then tests/run.sh "$@" || failed=1; fi
    for precision in f32 bf16 int8; do
        train_and_predict "$precision" || complain "the tiny model in $precision"
        compare "$precision" || complain "other predictions than ref in $precision"
    done
done
exit "$failed"
