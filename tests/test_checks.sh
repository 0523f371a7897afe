#!/bin/sh
# test_checks.sh - checks of lists by train and eval: every typical mistake, and lists without one.
#
# The sets are made by lnclip synth, by copies and by links. Runs are dry runs where that is enough.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/support.sh
needs_synth

ends_with() { # TEXT: the last line of stderr contains it
    tail -n 1 err | grep -qF -e "$1" || complain "the last line does not say '$1'"
}

"$L" init --arch tiny --seed 1 --out m --quiet
"$L" synth --out s --videos 12 --frames 2 --size 72 --seed 3 --quiet
train="s/lists/train/real.txt s/lists/train/swap.txt"
val="s/lists/val/real.txt s/lists/val/swap.txt"
test="s/lists/test/real.txt s/lists/test/swap.txt"

try() { # CODE WHAT ARGUMENT...: forecasts a training
    code=$1
    what=$2
    shift 2
    expect "$code" "$what" "$L" train --model m --dry-run batch_size=8 memory=1 "$@"
}

# ---- no problems
# ----------------------------------------------------------------------------------

# shellcheck disable=SC2086 # lists of words
{
    try 0 "clean lists" --train $train --val $val --test $test
    silent_on warning
    says "train: 72 x 72 pixels (32 of 32 images read)"
    says "image size 0.500"
    says "test             swap"
    try 2 "an unknown level" --train $train --checks some
    ends_with "full, quick or off"
    expect 2 "eval at an unknown level" "$L" eval --model m --out never --checks some a=s/real
}

# ---- overlap --------------------------------------------------------------------------------------

# shellcheck disable=SC2086
{
    try 1 "the same files in train and val" --train $train --val $train
    ends_with "train and val share 32 frames"
    ends_with "--allow-overlap"
    says "(val): the same file as "
    says "... and"
    [ "$(grep -c '^  ' err)" = 11 ] || complain "not ten details and their rest"
    try 1 "train in test" --train $train --val $val --test $train
    ends_with "train and test share 32 frames"
    try 1 "val in test" --train $train --val $val --test s/lists/val/swap.txt
    ends_with "val and test share 4 frames"
    try 0 "overlap allowed" --train $train --val $train --allow-overlap
    says "warning: lists: train and val share 32 frames"
    [ "$(grep -c 'warning: .*optimistic' err)" = 1 ] || complain "it is not told once"
    try 0 "nothing looked at" --train $train --val $train --checks off
    silent_on "images read"
    says "32 of 32 validation frames are also training frames"

    mkdir -p copies/swap
    cp -r s/swap/000_001 copies/swap/renamed
    try 1 "copies" --train $train --val s/lists/val/real.txt copies
    ends_with "share 2 copies of frames"
    says "copies/swap/renamed/001.png (val): a copy of "
    try 0 "copies, unread" --train $train --val s/lists/val/real.txt copies --checks quick
    says "images read"

    mkdir -p people/F2F
    cp -r s/reenact/000_001 people/F2F/000_001
    try 1 "other frames of the same people" --train $train --val s/lists/val/real.txt people
    ends_with "share 1 videos of the same FF++ people"
    says "shows FF++ people of"
    expect 1 "a resumed run is checked, too" "$L" train --model m --train $train --val $train --out never --resume
    [ ! -e never ] || complain "it made a folder"
}

# ---- one class, labels ----------------------------------------------------------------------------

try 1 "one class" --train s/lists/train/swap.txt
ends_with "all 16 frames are fake"
silent_on "memory:"
try 0 "real frames alone, with self-blended fakes" --train s/lists/train/real.txt data.sbi=on
mkdir -p mixed/real/v mixed/DF
cp s/real/000/000.png mixed/real/v/
ln -s ../real/v mixed/DF/v
ls mixed/real/v/000.png >mixed1.txt
echo "mixed/DF/v/000.png" >mixed2.txt
try 1 "a frame of two labels" --train mixed1.txt mixed2.txt
ends_with "real and fake"

# ---- one set --------------------------------------------------------------------------------------

mkdir -p odd/real/v odd/DF/w
cp s/real/000/000.png odd/real/v/0.png
cp s/real/000/000.png odd/real/v/1.png
cp s/real/000/000.png odd/DF/w/0.png
printf 'P6 640 480 255\n' >odd/DF/w/1.ppm
head -c 921600 /dev/zero >>odd/DF/w/1.ppm
printf 'P6 4 8 255\n' >odd/DF/w/2.ppm
head -c 96 /dev/zero >>odd/DF/w/2.ppm
try 0 "odd images" --train odd batch_size=2
says "1 of 5 checked images have the size of full video frames"
says "odd/DF/w/1.ppm: 640 x 480"
says "1 of 5 checked images are not square"
says "2 frames are identical to frames with the other label"
says "4..640 (median 72) x 8..480 (median 72)"

for i in 0 1 2 3 4 5 6 7; do
    mkdir -p sized/real/$i sized/DF/$i
    { printf 'P6 16 16 255\n' && printf "%0768d" $i; } >sized/real/$i/0.ppm
    { printf 'P6 32 32 255\n' && printf "%03072d" $i; } >sized/DF/$i/0.ppm
done
try 0 "size tells the label" --train sized
says "warning: train: real and fake images differ in size (AUROC 1.000"
says "warning: train: real and fake files differ in size"

echo "no image" >sized/real/3/0.ppm
echo "no image" >sized/DF/3/0.ppm
try 1 "damaged images" --train sized
says "sized/DF/3/0.ppm: unsupported image format"
ends_with "2 of 16 images cannot be read"

# ---- eval -----------------------------------------------------------------------------------------

# shellcheck disable=SC2086
{
    expect 0 "train" "$L" train --model m --train $train --val $val --out run batch_size=8 memory=1 epochs=1 max_steps=2
    says "best       1"
    says "last       1"
    says "selected on: s/lists/val/swap.txt (val_map_video)"
    eval_with="--model m --adapter run/best.safetensors"
    words="$(echo $train | tr ' ' ,)"
    expect 0 "eval on the training list" "$L" eval $eval_with --out e1 "again=$words"
    says "again: run/best.safetensors was trained on this list"
    expect 0 "eval on the validation list" "$L" eval $eval_with --out e2 "v=$(echo $val | tr ' ' ,)"
    says "v: run/best.safetensors was selected on this list"
    expect 0 "eval on the test list" "$L" eval $eval_with --out e3 "t=$(echo $test | tr ' ' ,)"
    silent_on "on this list"
    expect 0 "eval with odd images" "$L" eval $eval_with --out e4 o=odd
    says "o: 2 frames are identical to frames with the other label"
    expect 0 "eval without checks" "$L" eval $eval_with --out e5 --checks off o=odd
    silent_on "are identical to"
}

finish
