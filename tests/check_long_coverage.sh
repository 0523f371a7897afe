#!/bin/sh
# check_long_coverage.sh - 2,000 simulated data sets a row: how often the 95 % intervals hold the truth.
#
# tests/test_coverage.c says what is simulated and which rows are judged; 500 sets for the bootstrap. A few minutes.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build/release}
export LNCLIP_COVERAGE_SETS=2000 LNCLIP_COVERAGE_FRAME_SETS=500
exec "$BUILD/tests/test_coverage"
