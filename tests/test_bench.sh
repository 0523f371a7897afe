#!/bin/sh
# test_bench.sh - lnclip bench from outside: the report has every key that scripts read, tables fit
# the screen, unknown names are errors, no files remain. Uses --quick and a tiny model; checks no
# times.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/support.sh
mkdir "$T/tmp"
TMPDIR=$T/tmp
export TMPDIR

bench() { # CODE WHAT ARGUMENT...
    code=$1
    what=$2
    shift 2
    expect "$code" "$what" "$L" bench "$@"
    [ -z "$(ls tmp)" ] || complain "left $(ls tmp) behind"
}

rows() { # SECTION COUNT KEY...: so many rows, each with all the keys; cut out by the report's indentation
    section=$1
    count=$2
    shift 2
    sed -n "/^  \"$section\": \[$/,/^  \]/p" out >rows
    [ "$(grep -c '^    {' rows)" = "$count" ] ||
        complain "$section: $(grep -c '^    {' rows) rows, expected $count"
    for key in "$@"; do
        [ "$(grep -c "^      \"$key\":" rows)" = "$count" ] || complain "$section: '$key' is missing in a row"
    done
    if grep -Eq '": (-|0\.0,?$|null)' rows; then complain "$section: a number is not positive"; fi
}

peaks() { # KEY: the four rates, all positive
    for rate in f32 bf16 int8 dram; do
        sed -n "/^  \"$1\": {/,/^  }/p" out | grep -Eq "^    \"$rate\": [0-9.e+]*[1-9]" ||
            complain "$1: '$rate' is missing or not positive"
    done
}

# Two threads whatever the machine has: one thread pool, so the number of rows is known.
bench 0 "a report" --quick --arch tiny --threads 2 --precision f32,bf16,int8 --json
case $(tr -d '\n' <out) in
'{'*'}') ;;
*) complain "stdout is no JSON object" ;;
esac
peaks peak
peaks peak_after
grep -q '^    "library": "' out || complain "blas: library is missing"
grep -q '^    "core": "' out || complain "blas: core is missing"
products=$(sed -n '/^  "gemm": \[/,/^  \]/p' out | grep -c '"precision": "f32"')
case $products in
8 | 16) ;; # with and without packed weights, or only without where packing does not pay
*) complain "gemm: $products rows in f32" ;;
esac
rows gemm $((products + 16)) precision name M N K threads ms gflops share
rows attention 4 precision direction threads ms_per_image gflops share
rows layer_norm 4 precision direction threads ms_per_image
rows forward 6 precision batch threads ms_per_image gflops share
rows step 2 precision batch threads ms_per_image gflops share
grep -q '"images_per_second": [0-9.]*[1-9]' out || grep -q '"loader": {}' out || complain "loader: no rate"
if grep -q '^    "jpeg": {' out; then # every recipe's augmentation
    for key in jpeg_paper jpeg_gend; do grep -q "^    \"$key\": {" out || complain "loader: no $key"; done
fi
[ "$(grep -c '"threads": 1,' out)" = 4 ] || complain "one thread, though two were asked for" # LayerNorm's

bench 0 "tables" --quick --arch tiny --precision f32
for title in processor kernels BLAS 'peak, from registers' gemm attention LayerNorm encoder loader; do
    grep -q "^$title" out || complain "no '$title'"
done
[ "$(awk '{ if (length($0) > widest) widest = length } END { print widest }' out)" -le 100 ] ||
    complain "wider than 100 columns"

bench 0 "one part" --quick --arch tiny --precision f32 --only forward --json
rows gemm 0
rows step 0
grep -q '"batch": 8' out || complain "no forward"

"$L" init --arch tiny --out model --quiet || exit 1
bench 0 "a model of one's own" --quick --model model --precision f32 --only step --json
grep -q '"name": "model"' out || complain "does not name the model"

OPENBLAS_CORETYPE=Prescott bench 0 "a forced core" --quick --arch tiny --only peak --json
if grep -Eq '"kernels": "(avx|amx)' out; then
    says "OPENBLAS_CORETYPE=Prescott"
    grep -q '"forced": "Prescott"' out || complain "the report does not tell that the core is forced"
fi

bench 2 "an unknown part" --only gemm,forwrd
says "did you mean 'forward'"
bench 2 "an unknown precision" --precision int9
says "did you mean 'int8'"
bench 2 "an unknown shape" --arch vit-x
bench 2 "two models" --arch tiny --model model
bench 2 "a word too many" tiny
bench 1 "a model that is not there" --model none --quick

what="a signal"
steps=$((steps + 1))
part=loader
with_jpeg || part=forward
"$L" bench --arch tiny --rounds 1000 --only $part >out 2>err &
process=$!
sleep 1
kill -TERM $process
wait $process
got=$?
[ "$got" = 143 ] || complain "exit code $got, expected 143"
[ -z "$(ls tmp)" ] || complain "left $(ls tmp) behind"

finish
