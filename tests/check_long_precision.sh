#!/bin/sh
# check_long_precision.sh - compares ViT-L/14 in bf16 and int8 with f32: cosine similarity of
# features, also with channels of very different scale, and of LayerNorm gradients. Random weights.
# Two minutes on two idle cores, 9 GiB.
set -u
BUILD=${BUILD:-build/release}
if [ ! -x "$BUILD/tests/test_vit_precision" ]; then
    echo "skipped: $BUILD/tests/test_vit_precision is not built; run make check-long"
    exit 77
fi
LNCLIP_VIT_ARCH=vit-l-14 "$BUILD/tests/test_vit_precision"
