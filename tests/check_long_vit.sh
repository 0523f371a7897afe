#!/bin/sh
# check_long_vit.sh - compares features and LayerNorm gradients of tiny, ViT-B/32 and ViT-L/14 with
# PyTorch.
#
# Random weights of `lnclip init`, two images, PyTorch in float64. Bounds (in test_vit_forward):
# features 1e-5, each LayerNorm's gradient 1e-4, relative. Needs the program, the tests and python3
# with PyTorch; about two minutes, 7 GB of memory and 1.3 GB of disk. Set LNCLIP_ARCHS for other
# architectures.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build/release}
PYTHON=${PYTHON:-/usr/bin/python3}
if [ ! -x "$BUILD/lnclip" ] || [ ! -x "$BUILD/tests/test_vit_forward" ]; then
    echo "skipped: $BUILD/lnclip or $BUILD/tests/test_vit_forward is not built"
    exit 77
fi
if ! "$PYTHON" -c 'import torch' 2>/dev/null; then
    echo "skipped: $PYTHON has no PyTorch"
    exit 77
fi
unset OPENBLAS_CORETYPE
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for arch in ${LNCLIP_ARCHS:-tiny vit-b-32 vit-l-14}; do
    "$BUILD/lnclip" init --arch "$arch" --seed 11 --out "$folder/$arch" || exit 1
    "$PYTHON" tests/golden/check_long_vit.py "$folder/$arch" "$folder/golden.safetensors" || exit 1
    echo "$arch:"
    CK_FORK=no LNCLIP_VIT_MODEL="$folder/$arch" LNCLIP_VIT_GOLDEN="$folder/golden.safetensors" \
        "$BUILD/tests/test_vit_forward" || exit 1
    rm -rf "${folder:?}/$arch"
done
