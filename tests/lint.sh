#!/bin/sh
# lint.sh - formatting (clang-format 14), static analysis (cppcheck), shell scripts (shellcheck),
# and files that must not be committed: programs, models, files over 1 MB.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
sources=$(git ls-files '*.c' '*.h')

# shellcheck disable=SC2086 # a list of files
clang-format-14 --dry-run --Werror $sources || bad=1

# Includes comments, which clang-format does not wrap.
# shellcheck disable=SC2086
awk 'length > 100 { print FILENAME ":" FNR ": longer than 100 columns"; long = 1 } END { exit long }' $sources || bad=1

# Tests are not analysed: Check's macros are too complex for cppcheck.
analysed=$(git ls-files '*.c' ':!tests/*')
# normalCheckLevelMaxBranches and checkersReport are messages of cppcheck about itself.
# shellcheck disable=SC2086
cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -I. -j2 -D__GNUC__ -D__x86_64__ -DLNCLIP_VERSION='""' \
    -DLNCLIP_WITH_PNG=1 -DLNCLIP_WITH_JPEG=1 -DLNCLIP_WITH_DEFLATE=1 -DLNCLIP_WITH_AV=1 --enable=warning,performance,portability \
    --suppress=missingIncludeSystem --suppress=unmatchedSuppression --suppress=checkersReport \
    --suppress=normalCheckLevelMaxBranches \
    $analysed || bad=1

# The libFuzzer harnesses, which only `make fuzz` builds, must still compile.
"${CC:-cc}" -std=c11 -D_GNU_SOURCE -I. -DLNCLIP_VERSION='""' -DLNCLIP_WITH_PNG=1 -DLNCLIP_WITH_JPEG=1 -DLNCLIP_WITH_DEFLATE=1 -DLNCLIP_WITH_AV=1 \
    -fsyntax-only -Werror tests/fuzz/*.c || bad=1

shellcheck .ci/run tools/*.sh tests/*.sh tests/fuzz/*.sh || bad=1

for file in $(git ls-files); do
    size=$(wc -c <"$file")
    if [ "$size" -gt 1000000 ]; then
        echo "$file: $size bytes; nothing over 1 MB belongs in git"
        bad=1
    fi
    case $file in
    tests/golden/*) ;;
    *.o | *.a | *.so | *.png | *.jpg | *.safetensors)
        echo "$file: built or binary files do not belong in git"
        bad=1
        ;;
    esac
done
[ $bad = 0 ] && echo "lint: clean"
exit $bad
