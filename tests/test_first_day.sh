#!/bin/sh
# test_first_day.sh - the three ways of README.md, "First steps with your own data", line by line as
# they are there, with a tiny model and synthetic frames: a folder of real and fake images to a
# verdict, a table of paths to a comparison of methods, DeepfakeBench's files to a report.
set -u
cd "$(dirname "$0")/.." || exit 1
readme=$PWD/README.md
. tests/support.sh
needs_synth
LC_ALL=C
export LC_ALL

# ---- what a new user has --------------------------------------------------------------------------
what=preparation
"$L" init --arch tiny --seed 1 --out clip-vit-large-patch14 --quiet || complain "init"
"$L" synth --out s --videos 24 --frames 2 --size 64 --seed 1 --quiet || complain "synth"
"$L" synth --out t --videos 6 --frames 2 --size 64 --seed 2 --quiet || complain "synth"
mkdir -p faces/real faces/fake new bin DeepfakeBench/preprocessing/dataset_json DeepfakeBench/datasets/rgb
ln -s "$L" bin/lnclip
for video in s/real/* s/swap/*; do
    case $video in s/real/*) class=real ;; *) class=fake ;; esac
    cp "$video/000.png" "faces/$class/$(basename "$video").png"
done
cp t/real/000/000.png new/a.png
cp t/swap/000_001/000.png new/b.png
{
    echo 'path;label;method'
    for image in s/real/*/*.png; do echo "$image;REAL;"; done
    for image in s/swap/*/*.png s/warp/*/*.png; do echo "$image;FAKE;$(echo "$image" | cut -d/ -f2)"; done
} >all.csv

# Prints the videos FIRST to LAST of a folder as members of a JSON object of DeepfakeBench, with
# backslashes: LABEL FOLDER ROOT FIRST LAST.
videos() {
    find "$2" -mindepth 1 -maxdepth 1 | sort | sed -n "$4,$5p" | {
        comma=
        while read -r video; do
            printf '%s"%s": {"label": "%s", "frames": [' "$comma" "$(basename "$video")" "$1"
            inner=
            for image in "$video"/*.png; do
                printf '%s"%s\\\\%s"' "$inner" "$3" "$(echo "$image" | cut -d/ -f2- | sed 's,/,\\\\,g')"
                inner=', '
            done
            printf ']}'
            comma=', '
        done
    }
}
json=DeepfakeBench/preprocessing/dataset_json
ln -s "$T/s" DeepfakeBench/datasets/rgb/FaceForensics++
ln -s "$T/t" DeepfakeBench/datasets/rgb/Celeb-DF-v2
{
    printf '{"FaceForensics++": {'
    comma=
    for part in FF-real:real FF-FS:swap; do
        label=${part%:*}
        folder=s/${part#*:}
        printf '%s"%s": {"train": {"c23": {' "$comma" "$label"
        videos "$label" "$folder" FaceForensics++ 1 12
        printf '}}, "val": {"c23": {'
        videos "$label" "$folder" FaceForensics++ 13 18
        printf '}}, "test": {"c23": {'
        videos "$label" "$folder" FaceForensics++ 19 24
        printf '}}}'
        comma=', '
    done
    printf '}}\n'
} >$json/FaceForensics++.json
{
    printf '{"Celeb-DF-v2": {"CelebDFv2_real": {"train": {}, "val": {}, "test": {'
    videos CelebDFv2_real t/real Celeb-DF-v2 1 6
    printf '}}, "CelebDFv2_fake": {"train": {}, "val": {}, "test": {'
    videos CelebDFv2_fake t/swap Celeb-DF-v2 1 6
    printf '}}}}\n'
} >$json/Celeb-DF-v2.json

# ---- the lines of README.md -----------------------------------------------------------------------
awk '/^## /{ inside = /^## First steps/ } inside && /^    /{ text = 1; sub(/^    /, ""); print > ("way" way + 1); next }
     text { text = 0; way++ }' "$readme"
[ "$(echo way*)" = "way1 way2 way3" ] || complain "README.md does not have three ways: $(echo way*)"
PATH=$T/bin:$PATH

run_way() { # NUMBER WHAT: runs the lines, each of which must succeed
    what=$2
    steps=$((steps + 1))
    sh -eu "way$1" >out 2>err </dev/null || complain "exit code $?: $(tail -n 3 err)"
}

run_way 1 "own images to a verdict"
[ "$(grep -cE '^new/[a-z0-9]*\.png	[0-9.e-]*	(real|fake)$' out)" = 2 ] || complain "no verdicts: $(tail -n 3 out)"
says "T = "

run_way 2 "a table to a comparison of methods"
grep -q '\\begin{tabular}' table.tex || complain "no LaTeX: $(cat table.tex)"
for method in ln lora probe; do grep -q "^$method *&" table.tex || complain "$method is not in the table"; done
for split in train val test; do
    sed -n 's,.*/\([0-9_]*\)/[0-9]*\.png$,\1,p' own/$split/*.txt | tr _ '\n' | sort -u >$split.persons
done
sort train.persons val.persons test.persons | uniq -d | grep -q . && complain "a person is in two splits"
cmp -s runs/ln/best.safetensors runs/lora/best.safetensors && complain "two methods are the same"
[ "$(echo own/test/*)" = "own/test/real.txt own/test/swap.txt own/test/warp.txt" ] || complain "other sources than methods"

run_way 3 "DeepfakeBench to a table and a report"
prints 'CDFv2'
prints 'FF++'
grep -q '<svg' DeepfakeBench/cross/report.html || complain "no report"
grep -q '"CDFv2"' DeepfakeBench/cross/metrics.json || complain "no metrics of CDFv2"
[ "$(grep -c CelebDFv2_fake DeepfakeBench/cross/metrics.json)" -gt 0 ] || complain "no sources"

finish
