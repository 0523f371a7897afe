#!/bin/sh
# test_faces.sh - lnclip faces: crops of images, folders and lists; continuation, refusals.
set -u
cd "$(dirname "$0")/.." || exit 1
golden=$PWD/tests/golden
. tests/support.sh
with_png || {
    echo "skipped: lnclip faces writes PNG, and this build lacks libpng"
    exit 0
}
sheet=$golden/faces.png
marks="--landmarks $golden/faces.dat"

# Checksums of all files below a folder, names included.
state() { (cd "$1" && find . -type f | LC_ALL=C sort | xargs cksum); }

# ---- crops keep the folders of the frames --------------------------------------------------------

frames=in/original_sequences/youtube/c23/frames
mkdir -p $frames/000 $frames/001 in/manipulated_sequences/Deepfakes/c23/frames/000_001
for frame in 000 003 012; do cp "$sheet" $frames/000/$frame.png; done
cp "$sheet" $frames/001/000.png
cp "$sheet" in/manipulated_sequences/Deepfakes/c23/frames/000_001/007.png
# shellcheck disable=SC2086 # $marks is two words
{
    expect 0 "faces of a folder" "$L" faces --out crops $marks in
    says "5 crops of 5 frames, 0 without a face"
    holds test -s crops/original_sequences/youtube/c23/frames/000/012.png
    holds test -s crops/manipulated_sequences/Deepfakes/c23/frames/000_001/007.png
    holds grep -q '^path,frame,face,score,x0,y0,x1,y1,x1,y1,x2,y2,x3,y3,x4,y4,x5,y5,crop$' crops/faces.csv
    holds grep -q "^$frames/000/003.png,3,0,0.62503" crops/faces.csv
    holds grep -q ',original_sequences/youtube/c23/frames/000/003.png$' crops/faces.csv
    holds test "$(wc -l <crops/faces.csv)" = 6
    holds grep -q '"like": "dfb"' crops/faces.json
    holds grep -q '"crops": 5' crops/faces.json

    expect 0 "faces with one thread" "$L" faces --out crops1 $marks --threads 1 in
    state crops >a
    state crops1 >b
    holds cmp a b

    # ---- lists reads them ------------------------------------------------------------------------

    mkdir splits
    echo '[["000", "001"]]' >splits/train.json
    echo '[["002", "003"]]' >splits/val.json
    echo '[["004", "005"]]' >splits/test.json
    expect 0 "lists of crops" "$L" lists ff --root crops --splits splits --out lists
    holds grep -q "$T/crops/original_sequences/youtube/c23/frames/000/003.png" lists/train/real.txt
    holds grep -q "$T/crops/manipulated_sequences/Deepfakes/c23/frames/000_001/007.png" lists/train/DF.txt

    # ---- continuation ----------------------------------------------------------------------------

    expect 0 "a second run" "$L" faces --out crops $marks in
    state crops >b
    holds cmp a b
    rm crops/original_sequences/youtube/c23/frames/000/003.png
    sed -i '$d' crops/faces.csv
    printf 'in/orig' >>crops/faces.csv # a killed job
    expect 0 "a crop deleted, a row lost, a row cut" "$L" faces --out crops $marks in
    state crops >b
    holds cmp a b
    for delay in 0.02 0.1 0.2 0.3 0.5; do
        rm -rf crops2
        "$L" faces --out crops2 $marks --quiet in >/dev/null 2>&1 &
        sleep $delay
        kill -9 $! 2>/dev/null
        wait $! 2>/dev/null
        expect 0 "continued after a kill at $delay s" "$L" faces --out crops2 $marks in
        state crops2 >b
        holds cmp a b
    done
    expect 1 "another recipe" "$L" faces --out crops $marks --like gend in
    says 'made with like "dfb", not "gend"'
    expect 1 "another size" "$L" faces --out crops $marks --size 128 in
    says "size 256, not 128"
    state crops >b
    holds cmp a b

    # ---- more images into the same folder --------------------------------------------------------

    mkdir -p more/x/y
    cp "$sheet" 'more/x/y/with, comma "and quote".png'
    expect 0 "other images of the same card" "$L" faces --out crops2 $marks more
    says "6 crops of 6 frames"
    holds test -s 'crops2/x/y/with, comma "and quote".png'
    expect 0 "and again" "$L" faces --out crops2 $marks more
    holds test "$(wc -l <crops2/faces.csv)" = 7

    # ---- recipes, lists, images ------------------------------------------------------------------

    echo "$frames/000/003.png" >list.txt
    echo "$frames/001/000.png" >>list.txt
    expect 0 "a list" "$L" faces --out crops3 $marks --like gend --size 128 list.txt
    holds test -s crops3/frames/000/003.png
    holds grep -q '"warp": "OpenCV from 4.11"' crops3/faces.json
    expect 0 "boxes without landmarks" "$L" faces --out crops4 --like ffpp --upsample 0 "$sheet"
    holds test -s crops4/faces.png
    holds grep -q ',275,160,362,246,,,,,,,,,,,faces.png$' crops4/faces.csv

    # ---- refusals --------------------------------------------------------------------------------

    expect 2 "no image" "$L" faces --out never $marks
    expect 2 "no --out" "$L" faces "$sheet"
    expect 2 "unknown recipe" "$L" faces --out never --like x "$sheet"
    says "use dfb, gend or ffpp"
    expect 2 "landmarks without alignment" "$L" faces --out never --like ffpp $marks "$sheet"
    expect 2 "size without alignment" "$L" faces --out never --like ffpp --size 128 "$sheet"
    expect 1 "missing image" "$L" faces --out never $marks missing.png
    says "does not exist"
    expect 2 "an invalid number of frames" "$L" faces --out never $marks --frames stride=0 "$sheet"
    says "--frames stride=0"
    expect 1 "missing landmarks" "$L" faces --out never --landmarks missing.dat "$sheet"
    head -c 9000 "$golden/faces.dat" >short.dat
    expect 1 "cut landmarks" "$L" faces --out never --landmarks short.dat "$sheet"
    says "short.dat"
    cp "$sheet" more/x/y/a.png
    cp "$sheet" more/x/y/a.bmp
    expect 1 "two images of one crop" "$L" faces --out never $marks more
    says "same crop"
    holds test ! -e never
    expect 1 "a folder of something else" "$L" faces --out in $marks "$sheet"
    says "is not empty"
    mkdir foreign
    cp crops/faces.json foreign
    echo "a,b" >foreign/faces.csv
    expect 1 "a foreign faces.csv" "$L" faces --out foreign $marks "$sheet"
    says "is not a row"

    # ---- images that fail, images without a face ---------------------------------------------------

    mkdir -p bad/s/v
    head -c 5000 "$sheet" >bad/s/v/0.png
    cp "$sheet" bad/s/v/1.png
    printf 'P6 2 2 255\n............' >bad/s/v/2.ppm
    expect 1 "one damaged image" "$L" faces --out crops5 $marks bad
    says "1 files failed"
    says "bad/s/v/0.png"
    says "1 crops of 2 frames, 1 without a face"
    holds grep -q '^bad/s/v/2.ppm,2,,*$' crops5/faces.csv
    cp "$sheet" bad/s/v/0.png
    expect 0 "corrected" "$L" faces --out crops5 $marks bad
    says "2 crops of 3 frames"
    expect 1 "no face at all" "$L" faces --out crops6 $marks bad/s/v/2.ppm
    says "no face was found"

    # ---- videos ------------------------------------------------------------------------------------

    mkdir -p video/youtube/c23/videos
    cp "$golden/faces.mp4" video/youtube/c23/videos/071.mp4
    if with_av; then
        expect 0 "a video in a folder" "$L" faces --out v $marks --frames 4 video
        says "4 crops of 4 frames"
        holds test -s v/youtube/c23/videos/071/009.png
        holds grep -q '^video/youtube/c23/videos/071.mp4,3,0,' v/faces.csv
        holds grep -q '"frames": "4 evenly spaced"' v/faces.json
        holds grep -q '"video_decoders": "libavcodec ' v/faces.json
        expect 0 "with one thread" "$L" faces --out v1 $marks --frames 4 --threads 1 video
        state v >a
        state v1 >b
        holds cmp a b
        rm v/youtube/c23/videos/071/003.png
        expect 0 "a crop that was deleted" "$L" faces --out v $marks --frames 4 video
        state v >b
        holds cmp a b
        for delay in 0.1 0.4 0.6; do
            rm -rf v2
            "$L" faces --out v2 $marks --frames 4 --quiet video >/dev/null 2>&1 &
            sleep $delay
            kill -9 $! 2>/dev/null
            wait $! 2>/dev/null
            expect 0 "a video after a kill at $delay s" "$L" faces --out v2 $marks --frames 4 video
            state v2 >b
            holds cmp a b
        done
        expect 1 "another choice of frames" "$L" faces --out v $marks --frames stride=2 video
        says "4 evenly spaced"
        expect 0 "by the longest gap" "$L" faces --out v3 $marks --like gend --frames 3 "$golden/faces.mp4"
        holds test -s v3/faces/005.png -a -s v3/faces/002.png -a -s v3/faces/008.png
        expect 0 "by stride" "$L" faces --out v4 --like ffpp --frames stride=5 "$golden/faces.mp4"
        says "2 crops of 2 frames"
        expect 0 "all frames" "$L" faces --out v5 --like ffpp --frames all "$golden/faces.mp4"
        says "10 crops of 10 frames"
        head -c 3000 "$golden/faces.mp4" >video/youtube/c23/videos/072.mp4
        echo text >video/youtube/c23/videos/073.mp4
        expect 1 "two videos that fail" "$L" faces --out v $marks --frames 4 video
        says "2 files failed"
        says "073.mp4: is not a video"
        says "4 crops of 4 frames"
    else
        expect 1 "a video without FFmpeg" "$L" faces --out v $marks video
        says "build with WITH_AV=1"
    fi
}
finish
