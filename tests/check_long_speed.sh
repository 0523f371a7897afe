#!/bin/sh
# check_long_speed.sh - ViT-L/14 against PyTorch in turn, f32 and bf16: forward, and LN-tuning step at batch 8.
#
# The limits are ratios (tests/torch_bench.py), so a slow machine does not matter, and neither does a busy one,
# as long as it is busy evenly. About a quarter of an hour on two cores, 8 GB of memory.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build/release}
PYTHON=${PYTHON:-/usr/bin/python3}
if ! "$PYTHON" -c 'import torch' 2>/dev/null; then
    echo "skipped: $PYTHON has no PyTorch"
    exit 77
fi
exec "$PYTHON" tests/torch_bench.py "$BUILD/lnclip" --check
