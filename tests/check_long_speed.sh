#!/bin/sh
# check_long_speed.sh - compares the speed of ViT-L/14 with PyTorch, in turns: forward and LN-tuning
# step at batch 8, in f32 and bf16.
#
# The limits are ratios (tests/torch_bench.py), so a slow or evenly loaded machine does not matter.
# About 15 minutes on two cores, 8 GB of memory.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build/release}
PYTHON=${PYTHON:-/usr/bin/python3}
if ! "$PYTHON" -c 'import torch' 2>/dev/null; then
    echo "skipped: $PYTHON has no PyTorch"
    exit 77
fi
exec "$PYTHON" tests/torch_bench.py "$BUILD/lnclip" --check
