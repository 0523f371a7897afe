#!/bin/sh
# check_long_pixels.sh - compares the decoders with Pillow on 20,000 random, partly damaged images.
#
# The images are all kinds of PNG, JPEG, BMP and PNM with random sizes and settings. Most have
# changed bytes, some with corrected checksums. Images that both decode must be equal in every
# pixel; if only one rejects an image, the reason must be in the list of tests/check_long_pixels.py.
# About a minute. Set FILES and SEED for other images.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build/release}
PYTHON=${PYTHON:-/usr/bin/python3}
if [ ! -x "$BUILD/tests/test_image" ]; then
    echo "skipped: $BUILD/tests/test_image is not built"
    exit 77
fi
if ! "$PYTHON" -c 'import numpy, PIL' 2>/dev/null; then
    echo "skipped: $PYTHON has no NumPy and Pillow"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$PYTHON" -W ignore tests/check_long_pixels.py "$BUILD/tests/test_image" "$folder" "${FILES:-20000}" "${SEED:-0}"
