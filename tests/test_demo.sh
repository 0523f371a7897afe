#!/bin/sh
# test_demo.sh - lnclip demo --quick: every step runs, results are bit-identical for any number of
# threads, other commands read its files, and a folder that is not from a demo is not changed.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/support.sh
needs_synth

holds() { # WHAT COMMAND...: the command succeeds
    expect 0 "$@"
}

refuses() { # WHAT TEXT COMMAND...: exit code 1, and the last line of stderr contains TEXT
    what=$1
    text=$2
    shift 2
    expect 1 "$what" "$@"
    tail -n 1 err | grep -q "^lnclip: error: .*$text.*; " || complain "the last line does not name $text"
}

holds "one thread" "$L" demo --quick --seed 3 --threads 1 --out one
cp out table
holds "the last line is the path of a page" test "$(tail -n 1 table)" = "Open this page in a browser: one/report.html"
holds "which compares the methods" grep -q '<td><b>[0-9.]*</b>' one/report.html
with_jpeg && holds "with thumbnails" grep -q 'src="data:image/jpeg' one/report.html
holds "on both data sets" grep -q 'adapter</th><th scope="col">seen</th><th scope="col">unseen</th>' one/report.html
holds "the table is on stdout" grep -q '^  all unseen  *[01]\.[0-9]*  *[01]\.[0-9]*$' table
holds "it tells the seed" grep -q 'seed 3' table
holds "two threads" "$L" demo --quick --seed 3 --threads 2 --quiet --out two
cp err messages
holds "quiet" test ! -s messages
for file in backbone/model.safetensors probe.safetensors ln.safetensors data/splice/000_001/000.png; do
    holds "the same bits in $file" cmp "one/$file" "two/$file"
done
# The page names its folder.
for d in one two; do sed 's/\btwo\b/one/g' $d/report.html >$d.html; done
holds "the same page" cmp one.html two.html
# shellcheck disable=SC2016 # the inner shell expands it
holds "the same scores" sh -c 'for d in one two; do grep -E "auroc|\"(swap|warp|splice)" $d/demo.json >$d.txt; done
    cmp one.txt two.txt'
holds "it says that it is finished" grep -q '"finished": true' one/demo.json

holds "the data, backbone and adapter serve eval" "$L" eval --model one/backbone \
    --adapter one/ln.safetensors --out scores \
    warp=one/data/lists/test/warp.txt,one/data/lists/test/real.txt
auroc=$(sed -n '/"auroc_video": {/,/}/s/.*"warp": \([0-9.]*\).*/\1/p' one/demo.json | tail -n 1)
holds "the demo tells an AUROC of warp" test -n "$auroc"
holds "eval finds the demo's AUROC" sh -c "sed -n '/\"video\"/,\$p' scores/metrics.json |
    grep -m 1 '\"auroc\"' | grep -q '$auroc'"

touch one/data/mine.txt
holds "its own folder is replaced" "$L" demo --quick --seed 4 --out one
holds "and nothing old is left" test ! -e one/data/mine.txt
touch two/mine.txt
refuses "a folder with something else in it" "mine.txt" "$L" demo --quick --out two
holds "which keeps everything" test -e two/ln.safetensors
mkdir -p full/data
touch full/data/kept.txt
refuses "a folder without demo.json" "demo.json" "$L" demo --quick --out full
holds "which keeps everything, too" test -e full/data/kept.txt
touch file
refuses "a file for a folder" "file" "$L" demo --quick --out file

finish
