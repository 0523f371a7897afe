#!/bin/sh
# test_lists.sh - tests lnclip lists on small trees of every kind of data set, as distributed and as
# written by common tools, and errors. The frames are empty files, since they are not decoded.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/support.sh

lists() { # CODE WHAT ARGUMENT...: runs it with output to a new folder o
    code=$1
    what=$2
    shift 2
    rm -rf o
    expect "$code" "$what" "$L" lists "$@" --out o
    [ "$code" = 0 ] || [ ! -e o ] || complain "leaves something behind: $(find o)"
}

row() { # SPLIT SOURCE LABEL EXPECTED FOUND MISSING FRAMES MIN MEDIAN MAX: a line of the table
    grep -q "^ *$(echo "$*" | sed 's/ /  */g')\$" out || complain "no row '$*' in: $(cat out)"
}

holds() { # LIST LINE...: the list has exactly these lines
    list=$1
    shift
    printf '%s\n' "$@" | sed "s|^@|$T/|" >expected
    diff expected "o/$list" >difference 2>&1 || complain "o/$list is not what it should be: $(cat difference)"
}

video() { # FOLDER FRAMES: a folder with 000.png, 001.png...
    mkdir -p "$1"
    i=0
    while [ $i -lt "$2" ]; do
        : >"$1/$(printf %03d $i).png"
        i=$((i + 1))
    done
}


# ---- FaceForensics++ ------------------------------------------------------------------------------
for id in 071 054 720 672 953 974; do
    video "F F/original_sequences/youtube/c23/frames/$id" 5
done
for m in Deepfakes Face2Face FaceSwap NeuralTextures; do
    for id in 071_054 054_071 720_672 672_720 953_974 974_953; do
        video "F F/manipulated_sequences/$m/c23/frames/$id" 5
    done
done
lists 1 "no splits" ff --root "F F"
says "github.com/ondyari/FaceForensics, folder dataset/splits"
mkdir s
echo '[["071", "054"]]' >s/train.json
echo '[["720", "672"]]' >s/val.json
echo '[["953", "974"]]' >s/test.json
rm -r "F F/manipulated_sequences/FaceSwap/c23/frames/953_974"
lists 0 "FaceForensics++" ff --root "F F" --splits s --frames 3
row train real real 2 2 0 6 3 3 3
row train NT fake 2 2 0 6 3 3 3
row test FS fake 2 1 1 3 3 3 3
row test 2 7 6 21
says "1 of 30 videos are missing; o/coverage.json lists them"
says "  test/FS: 953_974 (no folder)"
says "lists written to o"
F="@F F/original_sequences/youtube/c23/frames"
holds test/real.txt "# lnclip: label=real source=real" "$F/953/000.png" "$F/953/002.png" "$F/953/004.png" \
    "$F/974/000.png" "$F/974/002.png" "$F/974/004.png"
F="@F F/manipulated_sequences/FaceSwap/c23/frames"
holds test/FS.txt "# lnclip: label=fake source=FS" "$F/974_953/000.png" "$F/974_953/002.png" "$F/974_953/004.png"
[ "$(find o -type f | wc -l)" = 16 ] || complain "other files than lists: $(find o -type f)"
python=/usr/bin/python3
if [ -x $python ]; then
    $python - 2>err <<'END' || complain "coverage.json is not what it should be"
import json
c = json.load(open("o/coverage.json"))
assert c["kind"] == "ff" and c["frames_per_video"] == 3
assert c["missing"] == [{"split": "test", "source": "FS", "video": "953_974", "reason": "no folder"}]
row = [r for r in c["sources"] if (r["split"], r["source"]) == ("test", "FS")]
assert row == [{"split": "test", "source": "FS", "label": "fake", "expected": 2, "found": 1, "missing": 1,
                "frames": 3, "min": 3, "median": 3, "max": 3}]
assert c["splits"][2] == {"split": "test", "real_videos": 2, "fake_videos": 7, "real_frames": 6, "fake_frames": 21}
END
fi
cp -r o kept
lists 0 "as JSON" ff --root "F F" --splits s --frames 3 --json --quiet
diff out o/coverage.json >/dev/null || complain "prints another JSON than it writes"
silent_on "lists written"

# A second run needs --overwrite and does not change other files.
what="an output that exists"
steps=$((steps + 3))
"$L" lists ff --root "F F" --splits s --out o >out 2>err && complain "overwrites"
says "--overwrite"
[ "$(wc -l <o/train/NT.txt)" = 7 ] || complain "changed the lists"
"$L" lists ff --root "F F" --splits s --out o --overwrite >out 2>err || complain "does not overwrite"
[ "$(wc -l <o/train/NT.txt)" = 11 ] || complain "did not replace the lists"
steps=$((steps + 1))
what="an output that a killed process left work in"
mkdir o/.lists-killed
"$L" lists ff --root "F F" --splits s --out o --overwrite >out 2>err || complain "does not overwrite"
[ ! -e o/.lists-killed ] || complain "keeps what a killed process left"
: >o/mine
"$L" lists ff --root "F F" --splits s --out o --overwrite >out 2>err && complain "overwrites somebody's file"
[ -e o/mine ] || complain "lost a file"
what="a full disk"
steps=$((steps + 1))
(ulimit -f 1 && exec "$L" lists ff --root "F F" --splits s --out full >out 2>err)
[ $? = 1 ] || complain "exit code"
tail -n 1 err | grep -q 'lnclip: error: .*cannot be written' || complain "no clear error"
[ ! -e full ] || complain "leaves something: $(find full)"
mkdir here
what="the working folder"
steps=$((steps + 1))
(cd here && "$L" lists ff --root "../F F" --splits ../s --out . >../out 2>../err) || complain "fails"
diff -r here/test kept/test >/dev/null && complain "the same with all frames"
[ -s here/test/real.txt ] || complain "no lists"

# ---- Celeb-DF-v2, DFDC, UADFV ------------------------------------------------------------------------
for v in Celeb-real/id0_0000 Celeb-real/id0_0001 YouTube-real/00170 Celeb-synthesis/id0_id1_0000 \
    Celeb-synthesis/id0_id1_0001; do
    video "CDF/$v" 2
done
printf '1 YouTube-real/00170.mp4\r\n1 Celeb-real/id0_0001.mp4\r\n0 Celeb-synthesis/id0_id1_0000.mp4' \
    >CDF/List_of_testing_videos.txt
lists 0 "Celeb-DF-v2" celebdf2 --root CDF
holds test/YouTube-real.txt "@CDF/YouTube-real/00170/000.png" "@CDF/YouTube-real/00170/001.png"
holds test/Celeb-synthesis.txt "@CDF/Celeb-synthesis/id0_id1_0000/000.png" "@CDF/Celeb-synthesis/id0_id1_0000/001.png"
holds train/Celeb-real.txt "@CDF/Celeb-real/id0_0000/000.png" "@CDF/Celeb-real/id0_0000/001.png"
holds train/Celeb-synthesis.txt "@CDF/Celeb-synthesis/id0_id1_0001/000.png" "@CDF/Celeb-synthesis/id0_id1_0001/001.png"
[ ! -e o/train/YouTube-real.txt ] || complain "an empty list"
rm CDF/List_of_testing_videos.txt
lists 1 "no test list" celebdf2 --root CDF
says "List_of_testing_videos.txt not found"

video "DFDC/test/frames/a, b" 2
printf '\357\273\277filename,label\r\n"a, b.mp4",1\r\ngone.mp4,0\r\n' >DFDC/test/labels.csv
lists 0 "DFDC's test" dfdc --root DFDC
holds test/fake.txt "# lnclip: label=fake source=fake" "@DFDC/test/frames/a, b/000.png" "@DFDC/test/frames/a, b/001.png"
says "test: only fake videos were found"
row test real real 1 0 1 0 - - -

mkdir -p U/real/videos U/fake/videos
: >U/real/videos/0000.mp4
: >U/fake/videos/0000_fake.mp4
lists 1 "videos alone" uadfv --root U
says "has videos but no frames; extract the frames and crop the faces first"
says "  test/fake: 0000_fake (only a video, no frames)"
[ ! -s out ] || complain "prints half a table"

# ---- DeepfakeBench, own folders ---------------------------------------------------------------------
printf '%s' '{"FF-DF": {"FF-real": {"test": {"c23": {"071": {"label": "FF-real", "frames": ["FaceForensics++\\original_sequences\\youtube\\c23\\frames\\071\\000.png"]}}}}}}' >b.json
lists 0 "DeepfakeBench" deepfakebench b.json --root "$T" --replace 'FaceForensics++=F F'
holds test/FF-real.txt "# lnclip: label=real source=FF-real" "@F F/original_sequences/youtube/c23/frames/071/000.png"
lists 1 "DeepfakeBench, another folder" deepfakebench b.json --root "$T"
says "--replace"
lists 1 "no JSON" deepfakebench s/none.json --root .
printf '{"a": {"Odd": {}}}' >odd.json
lists 1 "a label that is not known" deepfakebench odd.json --root .
says "the label Odd is not in DeepfakeBench's dictionary"
video own/real/v1 2
odd=$(printf 'own/g\374n')
video "$odd/v 2" 2
lists 0 "own folders" folder --root own --real real --fake "$(printf 'g\374n')" --split val
holds val/real.txt "@own/real/v1/000.png" "@own/real/v1/001.png"
row val 1 1 2 2
lists 0 "own folders as a shell completes them" folder --root own --real "$PWD/own/real/" --fake "$(printf 'g\374n/')" --split val
row val 1 1 2 2
lists 0 "own folders, fakes alone" folder --root own --fake real
holds test/real.txt "# lnclip: label=fake source=real" "@own/real/v1/000.png" "@own/real/v1/001.png"

# Images without video folders, skipped files, doubtful names.
mkdir -p loose/real loose/fake/masks loose/fake/clip/@eaDir
: >loose/real/1.png
: >loose/real/2.png
: >loose/real/10.png
: >loose/fake/1.png
: >loose/fake/2.webp
: >loose/fake/masks/1.png
: >loose/fake/clip/a.png
: >loose/fake/clip/@eaDir/a.png
: >loose/fake/clip/clip.mp4
lists 0 "images without folders of videos" folder --root loose --frames 1
row test real real 3 3 0 3 1 1 1
row test fake fake 2 2 0 2 1 1 1
holds test/real.txt "@loose/real/1.png" "@loose/real/10.png" "@loose/real/2.png"
says "/fake: 1 .webp files (images of an unsupported format or suffix"
says "/fake: 1 folders masks (masks or landmarks)"
says "/fake: 1 folders @eaDir (hidden or system files)"
says "/fake: 1 .mp4 files (videos"
mv loose/real loose/surreal
lists 2 "a name in doubt" folder --root loose
says "surreal: the letters 'real' in its name are part of another word"
lists 0 "a name in doubt, with its label" folder --root loose --label surreal=fake --label fake=fake
says "only fake videos were found"
holds test/surreal.txt "# lnclip: label=fake video=image source=surreal" "@loose/surreal/1.png" "@loose/surreal/10.png" \
    "@loose/surreal/2.png"
lists 2 "a label of another form" folder --root loose --label surreal=Fake
says "is not of the form NAME=real or NAME=fake"

# ---- tables of paths and labels ------------------------------------------------------------------------
mkdir flat
for i in 0 1 2 3; do : >flat/$i.png; done
cat >t.csv <<'END'
Image Path;Class;split;video_id
flat/0.png;real;train;a b
flat/1.png;real;train;a b
flat/2.png;FAKE;test;c%
flat/9.png;fake;test;d
END
lists 0 "a table" csv t.csv
says "t.csv: paths from 'Image Path', labels from 'Class', splits from 'split'; videos from 'video_id'"
says "1 of 4 files do not exist, the first in line 5: flat/9.png"
row train real real 1 1 0 2 2 2 2
row test fake fake 2 1 1 1 1 1 1
holds train/real.txt "# lnclip: label=real video-name=a%20b source=real" "@flat/0.png" "@flat/1.png"
holds test/fake.txt "# lnclip: label=fake video-name=c%25 source=fake" "@flat/2.png"
printf 'path,label\n0.png,0\n1.png,1\n' >flat/t.csv
lists 0 "a table, paths from its folder" csv flat/t.csv --split val
holds val/fake.txt "# lnclip: label=fake video=image source=fake" "@flat/1.png"
lists 0 "a table, paths from --root" csv t.csv --root . --split-column none --video-column none
row test fake fake 2 1 1 1 1 1 1
lists 1 "a table without labels" csv t.csv --label-column Age
says "has no column 'Age'; the columns are: Image Path, Class, split, video_id"
lists 2 "a split twice" csv t.csv --split val
says "--split-column none"
lists 2 "a column for another kind" uadfv --root own --path-column a
lists 2 "no table" csv

# ---- splits ------------------------------------------------------------------------------------------
for a in 00 02 04 06 08 10 12 14; do
    b=$(printf %02d $((${a#0} + 1)))
    for v in real/0$a real/0$b DF/0${a}_0$b DF/0${b}_0$a NT/0${a}_0$b NT/0${b}_0$a; do video "P/$v" 1; done
done
lists 0 "by person: pairs stay together" split P --by person --parts 2:1:1
says "48 videos in 8 groups by person, parts 2:1:1, seed 0"
row train real real 8 8 0 8 1 1 1
row val DF fake 4 4 0 4 1 1 1
row test NT fake 4 4 0 4 1 1 1
cat o/train/*.txt o/val/*.txt o/test/*.txt | sort | uniq -d | grep . && complain "a frame is in two parts"
for split in train val test; do
    sed -n 's,^/.*/\([0-9_]*\)/000.png$,\1,p' o/$split/*.txt | tr _ '\n' | sort -u >$split.persons
done
sort train.persons val.persons test.persons | uniq -d | grep . && complain "a person is in two parts"
cp -r o kept.split
lists 0 "the same again, in another order" split P/real P/NT P/DF --by person --parts 0.5:0.25:0.25
diff -r -x coverage.json kept.split o >/dev/null || complain "another split"
lists 0 "another seed" split P --by person --parts 2:1:1 --seed 5
diff -r -x coverage.json kept.split o >/dev/null && complain "the same split"
lists 0 "by video, without val" split P/real,P/DF --parts 3:0:1
row train real real 12 12 0 12 1 1 1
row test DF fake 4 4 0 4 1 1 1
[ ! -e o/val ] || complain "val is there"
printf 'path,label,video,split\nflat/0.png,real,a,train\nflat/1.png,fake,b b,test\nflat/2.png,real,c,train\nflat/3.png,fake,d,val\n' >v.csv
lists 0 "a table, whose splits do not matter" split v.csv --parts 1:0:1
row train real real 1 1 0 1 1 1 1
row test fake fake 1 1 0 1 1 1 1
grep -h video-name o/*/fake.txt | grep -q 'video-name=b%20b source=fake' || complain "loses the names of videos"
for v in Celeb-real/id0_0000 Celeb-real/id1_0000 Celeb-synthesis/id0_id1_0000 Celeb-synthesis/id1_id0_0000; do video "Q/$v" 1; done
lists 1 "all persons are connected" split Q --by person
says "would be empty: 4 videos form 1 group, the largest of 4"
lists 2 "parts of another form" split P --parts 8:2
lists 2 "another unit" split P --by frame
lists 2 "nothing to split" split
lists 2 "an option of split" uadfv --root own --parts 1:1:1

# ---- wrong usage ---------------------------------------------------------------------------------------
lists 2 "no kind" --root own
lists 2 "an unknown kind" celebdf --root own
says "did you mean 'celebdf2'?"
lists 2 "no root" ff
lists 2 "no file" deepfakebench --root own
lists 2 "a file too many" ff x.json --root own
lists 2 "an option of another kind" ff --root own --replace a=b
says "does not apply to lists ff"
lists 2 "sources that do not say what they are" folder --root own
lists 2 "a bad level" ff --root "F F" --splits s --compression c99
lists 2 "a bad number" ff --root "F F" --splits s --frames 0
lists 1 "a missing root" ff --root nowhere
lists 1 "another root" ff --root s --splits s
says "does not contain this data set"
what="help"
steps=$((steps + 1))
"$L" lists --help >out 2>err || complain "exit code"
for kind in ff celebdf2 dfdc dfdcp dfd ffiw uadfv deepfakebench csv split folder; do
    grep -q "^  $kind  *." out || complain "does not name $kind"
done

finish
