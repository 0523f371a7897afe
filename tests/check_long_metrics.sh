#!/bin/sh
# check_long_metrics.sh - compares `lnclip auc` on 1,000 random score files with scikit-learn and
# SciPy, to 1e-10.
#
# Unlike the golden files, these are generated from a seed (SEED=0 by default), are read from CSV,
# and have videos. Tests all metrics at all levels, DeLong's interval, and the paired comparison.
# About five minutes.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build/release}
PYTHON=${PYTHON:-/usr/bin/python3}
if ! "$PYTHON" -c 'import sklearn, scipy' 2>/dev/null; then
    echo "skipped: $PYTHON has no scikit-learn and SciPy"
    exit 77
fi
exec "$PYTHON" -W ignore tests/check_long_metrics.py "$BUILD/lnclip" "${FILES:-1000}" "${SEED:-0}"
