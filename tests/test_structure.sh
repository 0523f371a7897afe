#!/bin/sh
# test_structure.sh - code rules that the compiler does not check: which folder may include which;
# every header compiles alone; external symbols have the prefix of their module;
# docs/architecture.md describes every file; headers name their tests; tests/golden/messages.txt has
# all texts of the program.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build/release}
bad=0
complain() {
    echo "$*"
    bad=1
}

# Permitted includes (docs/architecture.md): "folder: folders".
rule() { # FOLDER ALLOWED...
    folder=$1
    shift
    for file in "$folder"/*.[ch] "$folder"/*/*.[ch]; do
        [ -e "$file" ] || continue
        # shellcheck disable=SC2013 # folder names, no spaces
        for included in $(sed -n 's/^#include "\([a-z]*\)\/.*/\1/p' "$file" | sort -u); do
            case " $* " in
            *" $included "*) ;;
            *) complain "$file includes $included/: $folder may include only: $*" ;;
            esac
        done
        if grep -q '^#include "[^/]*"' "$file"; then
            complain "$file: includes of ours are written from the root, as \"$folder/x.h\""
        fi
    done
}
rule tensor tensor
rule vit vit tensor
rule data data tensor
rule train train vit data tensor
rule tools tools train vit data tensor

# The file table of docs/architecture.md has a row "| **`folder/`** | |" before the files of each
# folder.
for file in $(git ls-files 'tensor/*.c' 'vit/*.c' 'data/*.c' 'train/*.c' 'tools/*.c'); do
    awk -v folder="$(dirname "$file")" -v name="$(basename "$file" .c)" '
        /^\| \*\*`/ { split($0, part, "`"); here = part[2] == folder "/"; next }
        !/^\|/ { here = 0 }
        here {
            split($0, cell, "|")
            count = split(cell[2], word, "`")
            for (i = 2; i <= count; i += 2) {
                gsub(/\*/, ".*", word[i])
                if (name ~ "^" word[i] "$")
                    found = 1
            }
        }
        END { exit !found }' docs/architecture.md || complain "$file: docs/architecture.md does not say what it is for"
done

# Each header compiles alone, except templates.
# shellcheck disable=SC2016 # CC is expanded by the inner shell
alone=$(git ls-files 'tensor/*.h' 'vit/*.h' 'data/*.h' 'train/*.h' 'tools/*.h' | grep -v '_template\.h$' |
    xargs -P "$(nproc)" -I '{}' sh -c 'echo "#include \"{}\"" |
        ${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -I. -fsyntax-only -x c - ||
        echo "{} does not compile alone"')
[ -z "$alone" ] || complain "$alone"

# A private header may be included only by its module and by tests.
foreign=$(git grep -n '^#include ".*_private\.h"' -- '*.c' '*.h' ':!tests' |
    awk -F '[":/]' '{ split($0, part, "\""); sub(/\/.*/, "", part[2]); if ($1 != part[2]) print }')
[ -z "$foreign" ] || complain "a private header of another module: $foreign"

# Each header names the tests that cover it.
for header in $(git ls-files 'tensor/*.h' 'vit/*.h' 'data/*.h' 'train/*.h' 'tools/*.h' | grep -v '_template\.h$'); do
    covering=$(sed -n 's/^ \* Tests: \(.*\)\.$/\1/p' "$header" | tr -d ,)
    [ -n "$covering" ] || complain "$header does not name its tests: \" * Tests: tests/test_X.c.\""
    for file in $covering; do
        [ -e "$file" ] || complain "$header names $file, which does not exist"
    done
done

# Every text of the program is in one file, for proof-reading.
tests/messages.sh | diff - tests/golden/messages.txt >/dev/null ||
    complain "texts changed: tests/messages.sh >tests/golden/messages.txt, then read the difference"

# In tensor/ symbols have the prefix of their part (tensor_, tape_, op_, ...), elsewhere of their
# folder.
prefixes() { # LIBRARY REGEX
    strays=$(nm -g --defined-only "$BUILD/liblnclip_$1.a" 2>/dev/null |
        awk 'NF == 3 && $2 ~ /[TDBRC]/ { print $3 }' | grep -Ev "^(__|_ZGV|$2)")
    [ -z "$strays" ] || complain "liblnclip_$1.a: symbols without their module's prefix: $strays"
}
prefixes tensor 'text_|number_|csv_|mem_|table_|hash_|arena_|attention_|c_locale|machine_|dtype_|error_|file_|gemm|kernels|op_|packed_|precision_|random_|safetensors_|tape_|tensor_|threads_|cpu_'
prefixes vit 'vit_'
prefixes data 'data_'
prefixes train 'train_|eval_|metrics_|plot_'
exit $bad
