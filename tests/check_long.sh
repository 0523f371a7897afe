#!/bin/sh
# check_long.sh - runs all checks that take minutes or need PyTorch: tests/check_long_*.sh.
#
# Each script prints its measurements and exits 0 (passed), 77 (skipped, with the reason) or another
# code (failed). check_long_same.sh compares with another commit and is skipped unless BASE=COMMIT
# names it in the environment.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build/release}
export BUILD
unset OPENBLAS_CORETYPE
passed=0
failed=0
skipped=0
for script in tests/check_long_*.sh; do
    echo "== $script"
    "$script"
    case $? in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *)
        failed=$((failed + 1))
        echo "FAIL  $script"
        ;;
    esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
