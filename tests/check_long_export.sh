#!/bin/sh
# check_long_export.sh - reads the output of `lnclip export` with the intended programs.
#
# --format gend: GenD's class (yermandy/GenD) must load it and give the p_fake of `lnclip predict`
# within 1e-5 for every image, for both kinds of head, with a complete CLIP and with only a vision
# tower. --format hf: CLIPVisionModel must load it completely and give the features of `lnclip
# features`. LNCLIP_GEND is the root of GenD's source; PYTHON must have transformers (GenD asks for
# 4.56.2), PyTorch, safetensors and Pillow. All models are small and random: half a minute, and
# nothing is downloaded.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build/release}
PYTHON=${PYTHON:-/usr/bin/python3}
if [ ! -x "$BUILD/lnclip" ]; then
    echo "skipped: $BUILD/lnclip is not built"
    exit 77
fi
if [ ! -f "${LNCLIP_GEND:-}/src/hf/modeling_gend.py" ]; then
    echo "skipped: LNCLIP_GEND is not the root of GenD's source"
    exit 77
fi
if ! "$PYTHON" -c 'import PIL, safetensors, torch, transformers' 2>/dev/null; then
    echo "skipped: $PYTHON has no transformers, PyTorch, safetensors or Pillow"
    exit 77
fi
unset OPENBLAS_CORETYPE
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 HF_HUB_CACHE="$folder/hub"

run() {
    "$BUILD/lnclip" "$@" --quiet || {
        echo "failed: lnclip $*" >&2
        exit 1
    }
}

# A complete CLIP saved by transformers, and only its vision tower saved by lnclip.
run init --arch tiny --seed 5 --out "$folder/tiny"
"$PYTHON" -W ignore tests/check_long_export.py make "$folder/tiny" "$folder/whole-clip" || exit 1
run export --model "$folder/whole-clip" --out "$folder/tower"
run synth --out "$folder/set" --videos 8 --frames 4 --size 96 --seed 3
lists=$folder/set/lists/train
images=$(find "$folder/set" -name '000.png' | sort | head -12)

for head in LinearNorm linear; do
    run train --model "$folder/whole-clip" --train "$lists/real.txt" "$lists/swap.txt" --out "$folder/run-$head" \
        "head=$head" epochs=12 batch_size=8 lr=3e-2 >/dev/null
    for base in whole-clip tower; do
        out=$folder/$head-$base
        set -- --model "$folder/$base" --adapter "$folder/run-$head/last.safetensors"
        run export "$@" --out "$out-hf"
        run export "$@" --format gend --backbone "$folder/whole-clip" --out "$out-gend"
        # shellcheck disable=SC2086 # a list of files, none with blanks
        run predict "$@" --json $images >"$out.json"
        # shellcheck disable=SC2086
        run features --model "$out-hf" --out "$out.safetensors" $images
        echo "$head, $base:"
        "$PYTHON" -W ignore tests/check_long_export.py compare "$LNCLIP_GEND" "$out" "$base" || exit 1
    done
done
