#!/bin/sh
# check_long_coverage.sh - empirical coverage of the 95 % intervals in 2,000 simulated data sets per
# row.
#
# tests/test_coverage.c defines the simulations and the rows with a limit; 500 data sets for the
# bootstrap. A few minutes.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build/release}
export LNCLIP_COVERAGE_SETS=2000 LNCLIP_COVERAGE_FRAME_SETS=500
exec "$BUILD/tests/test_coverage"
