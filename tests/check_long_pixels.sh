#!/bin/sh
# check_long_pixels.sh - the decoders against Pillow on 20,000 images that are drawn and damaged from a seed.
#
# Unlike the golden files these are many: every kind of PNG, JPEG, BMP and PNM of random sizes and settings, most of them
# with bytes changed, some with their checksums made right again. What both read must be equal in every pixel, what one
# alone refuses must have a reason in the list of tests/check_long_pixels.py. About a minute. FILES and SEED choose others.
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
