#!/bin/sh
# test_predict.sh - tests lnclip predict: heat maps, CSV, the warning about images that are not face
# crops, and paths without images. (Scores and bad images: test_tools.sh.)
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/support.sh
needs_synth

predict() { # CODE WHAT ARGUMENT...
    code=$1
    what=$2
    shift 2
    expect "$code" "$what" "$L" predict --model m --adapter run/best.safetensors "$@"
}

prints() { # LINE: stdout contains exactly this line
    grep -qxF -e "$1" out || complain "stdout does not hold the line '$1'"
}

holds() { # WHAT COMMAND...: the command succeeds
    what=$1
    shift
    steps=$((steps + 1))
    "$@" >/dev/null 2>&1 || complain "does not hold"
}

# Prints width and height of a PNG from its first chunk.
png_size() {
    od -An -tu1 -j16 -N8 "$1" | awk '{ print $1 * 16777216 + $2 * 65536 + $3 * 256 + $4, $5 * 16777216 + $6 * 65536 + $7 * 256 + $8 }'
}

ppm() { # WIDTH HEIGHT FILE: a grey image
    { printf 'P6 %d %d 255\n' "$1" "$2"; head -c $((3 * $1 * $2)) /dev/zero | tr '\0' 'x'; } >"$3"
}

what=preparation
: >err
"$L" init --arch tiny --seed 1 --out m --quiet || complain "init"
"$L" synth --out s --videos 3 --frames 2 --size 96 --seed 1 --quiet || complain "synth"
"$L" train --model m --train s/lists/train/real.txt s/lists/train/swap.txt --out run --quiet max_steps=1 >out 2>err ||
    complain "train"
set -- s/real/*/000.png
one=$1
two=$2

# ---- heat maps ------------------------------------------------------------------------------------

predict 0 "without heat maps" s/real
cp out plain
frames=$(wc -l <plain | tr -d ' ')
silent_on "face crop"
predict 0 "heat maps of a folder" --explain maps s/real
holds "heat maps change no score" cmp out plain
[ "$(find maps -name '*.png' | wc -l | tr -d ' ')" = "$frames" ] || complain "not one heat map an image"
[ "$(find maps -type f | wc -l | tr -d ' ')" = "$frames" ] || complain "something else is in the folder"
for file in maps/*; do # an image of 64 pixels has panels of 320: docs/formats.md
    [ "$(png_size "$file")" = "1056 462" ] || complain "$file is $(png_size "$file")"
done
predict 0 "a heat map is an image" maps/*.png
says "do not look like aligned face crops"
cmp -s maps/000_000.png maps/001_000.png && complain "heat maps of different images are the same"
predict 0 "by one thread, over an earlier run" --explain again --threads 1 --batch 1 s/real
predict 0 "by two" --explain again --threads 2 s/real
holds "the same bytes whatever the threads" diff -r maps again
predict 0 "one image: named by its stem" --explain single "$one"
holds "DIR/STEM.png" test -s single/000.png
predict 0 "equal stems and the same image twice" --explain names "$one" "$two" "$one"
[ "$(find names -type f | wc -l | tr -d ' ')" = 3 ] || complain "not three heat maps"
for file in names/*-2.png; do
    holds "the same image twice: numbered" cmp "$file" "${file%-2.png}.png"
done
# The picture has the name of the image: two names of one image differ, also if a name is long, not
# ASCII, or has control characters.
long=$(printf 'long%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20)
mkdir named
for name in a b "$long" "caf\303\251" "$(printf 'x\tz')"; do cp "$one" "named/$name.png"; done
predict 0 "names in heat maps" --explain headed named
[ "$(find headed -name '*.png' -exec cksum {} + | cut -d ' ' -f 1 | sort -u | wc -l)" -eq 5 ] || complain "two names have the same heat map"
[ "$(png_size headed/a.png)" = "1056 462" ] || complain "a heat map with a name is $(png_size headed/a.png)"
cp "$one" own.png
cp own.png own.before
predict 1 "a heat map never replaces an image" --explain . own.png
says "own.png"
holds "the image is untouched" cmp own.png own.before
[ ! -s out ] || complain "scores are printed first"
mkdir links
ln -s ../own.png links/other.png
cp "$two" other.png
predict 1 "nor an image by another name" --explain links own.png other.png
holds "the image is untouched" cmp own.png own.before
predict 1 "into a file" --explain own.before "$one"
predict 1 "with an image that cannot be read" --explain partly "$one" missing.png
[ "$(find partly -type f | wc -l | tr -d ' ')" = 1 ] || complain "not one heat map"
predict 2 "in bf16" --explain maps --precision bf16 "$one"
says "f32"

# ---- output formats
# -------------------------------------------------------------------------------

score=$(cut -f 2 plain | head -n 1)
odd=$(printf 'a, "b"\nc.png')
cp "$one" "$odd"
predict 0 "CSV" --csv "$one" "$odd"
prints "path,p_fake,margin"
margin=$(grep "^$one,$score," out | cut -d, -f3)
prints "$one,$score,$margin"
prints '"a, ""b""'
prints "c.png\",$score,$margin"
echo "$score $margin" | awk '{ d = 1 / (1 + exp(-$2)) - $1; exit !(d < 1e-6 && d > -1e-6) }' ||
    complain "$margin is not the logit of $score"
[ "$(wc -l <out | tr -d ' ')" = 4 ] || complain "$(wc -l <out) lines"
predict 1 "CSV with heat maps" --csv --explain csv "$one" missing.png
prints "path,p_fake,heatmap,margin"
prints "$one,$score,csv/000.png,$margin"
prints "missing.png,nan,,nan"
predict 1 "JSON with heat maps" --json --explain csv "$one" missing.png
grep -qF "\"p_fake\": $score, \"heatmap\": \"csv/000.png\", \"margin\": $margin}" out || complain "no heat map"
grep -qF '"p_fake": null, "heatmap": null, "margin": null}' out || complain "no null"
predict 2 "two forms at once" --csv --json "$one"

# ---- images that are not face crops
# ---------------------------------------------------------------

ppm 1280 720 screen.ppm
ppm 100 90 oblong.ppm
ppm 60 60 small.ppm
ppm 900 900 square.ppm
ppm 66 64 nearly.ppm
predict 0 "no face crops" screen.ppm oblong.ppm small.ppm square.ppm nearly.ppm "$one" oblong.ppm
says "4 of 7 images do not look like aligned face crops"
says "screen.ppm (1280 x 720, a whole video frame)"
says "oblong.ppm (100 x 90, not square)"
says "small.ppm (60 x 60, small)"
says "and more"
silent_on "square.ppm (900"
silent_on nearly.ppm
[ "$(grep -c 'face crops' err)" = 1 ] || complain "the notice comes more than once"

# ---- paths without images
# -------------------------------------------------------------------------

mkdir empty
predict 1 "an empty folder among others" empty s/real empty
holds "the others are scored" cmp out plain
says "2 of the paths contain no image"
says "empty: "
predict 1 "an empty folder alone" empty
[ ! -s out ] || complain "something is printed"

# ---- videos, verdicts, lists of paths -------------------------------------------------------------

tab=$(printf '\t')
predict 0 "images" s/real
mean=$(head -n 2 out | awk '{ sum += $2 } END { printf "%.6f", sum / 2 }')
first=$(dirname "$one")
predict 0 "one line a video" --by video s/real
[ "$(wc -l <out)" = "$(find s/real -name 000.png | wc -l)" ] || complain "not one line a video"
[ "$(head -n 1 out | cut -f1)" = "$first" ] || complain "the first line is not of $first"
[ "$(head -n 1 out | awk '{ printf "%.6f", $2 }')" = "$mean" ] || complain "not the mean of the frames"
mkdir -p own/real
cp "$one" own/real/a.png
cp "$two" own/real/b.png
predict 0 "images without folders of videos" --by video --threshold 0 own
[ "$(cut -f1,3 out | tr '\t\n' '  ')" = "own/real/a.png fake own/real/b.png fake " ] || complain "$(cat out)"
predict 0 "a threshold nothing exceeds" --threshold 1 "$one"
[ "$(cut -f3 out)" = real ] || complain "no third column real"
predict 0 "columns" --by video --csv --threshold 1 "$first"
prints "path,p_fake,frames,verdict"
predict 0 "columns of images" --csv --threshold 1 "$first"
prints "path,p_fake,margin,verdict"
predict 0 "an object of a video" --by video --json --threshold 1 "$first"
grep -q '"frames": 2, "verdict": "real"}' out || complain "$(cat out)"
predict 1 "a frame that cannot be read" --by video --threshold 1 "$one" "$first/none.png" nowhere/x.png
[ "$(cut -f1,3 out | tr '\t\n' '  ')" = "$first real nowhere nan " ] || complain "$(cat out)"
predict 0 "the images of a list" "$one" "$two"
cp out plain
mkdir paths
printf '# comment\n../%s\r\n\n%s' "$one" "$T/$two" >paths/list.txt
predict 0 "--list: paths from its folder" --list paths/list.txt
[ "$(cut -f2 out)" = "$(cut -f2 plain)" ] || complain "other scores"
[ "$(head -n 1 out | cut -f1)" = "../$one" ] || complain "another path than written"
printf '%s\0%s\0' "$one" "$two" >paths/zero
predict 0 "separated by zero bytes" --list paths/zero
holds "the same lines" cmp out plain
what="standard input"
steps=$((steps + 1))
printf '%s\n%s\n' "$one" "$two" | "$L" predict --model m --adapter run/best.safetensors - >out 2>err || complain "fails"
holds "the same lines" cmp out plain
predict 1 "empty standard input" -
says "standard input: has no path"
printf 'path,label\na,1\n' >t.csv
predict 1 "a table for --list" --list t.csv
says "t.csv: is a table"
printf '\032\105\337\243xxxx' >v.mp4
predict 1 "a video for --list" --list v.mp4
says "v.mp4: is a video; crop its faces first"
predict 1 "a video" v.mp4
prints "v.mp4${tab}nan"
says "v.mp4: is a video; crop its faces first"
predict 2 "another unit" --by frame "$one"
predict 2 "no probability" --threshold 1.5 "$one"
predict 2 "paths and a list" --list paths/list.txt "$one"
predict 1 "no calibration" --calibrated "$one"
says "not calibrated"

# ---- a signal -------------------------------------------------------------------------------------

# Heat maps of these images take many seconds. Interrupts after the first ones: no picture may be
# incomplete.
what="a signal while heat maps are drawn"
steps=$((steps + 1))
set --
while [ $# -lt 60 ]; do set -- "$@" s/real s/swap; done
"$L" predict --model m --adapter run/best.safetensors --json --explain stopped "$@" >out 2>err </dev/null &
process=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    [ -n "$(find stopped -name '*.png' 2>/dev/null | head -n 1)" ] && break
    sleep 0.3
done
kill -TERM $process
wait $process
got=$?
[ "$got" = 143 ] || complain "exit code $got, expected 143"
says "heat maps are written"
[ "$(tail -n 1 out)" = "]" ] || complain "the JSON is not ended"
[ -z "$(find stopped -type f ! -name '*.png')" ] || complain "left something half-written"
for file in stopped/*.png; do
    [ "$(png_size "$file") $(tail -c 8 "$file" | head -c 4)" = "1056 462 IEND" ] || complain "$file is cut short"
done

finish
