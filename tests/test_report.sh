#!/bin/sh
# test_report.sh - tests report.html: required and forbidden contents, and its size.
#
# Reads pages as text and, if there is a python3, with its HTML parser.
# tests/check_report_browser.sh checks the same pages in a browser: KEEP=DIR keeps them in DIR.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/support.sh

has() { # FILE TEXT
    steps=$((steps + 1))
    grep -qF -e "$2" "$1" || complain "$1 lacks '$2'"
}

lacks() { # FILE PATTERN
    steps=$((steps + 1))
    grep -qiE -e "$2" "$1" && complain "$1 has '$2'"
}

count() { # FILE TEXT NUMBER
    steps=$((steps + 1))
    n=$(grep -oF -e "$2" "$1" | wc -l)
    [ "$n" -eq "$3" ] || complain "$1: '$2' is there $n times, expected $3"
}

# Tags are closed in order, attributes are unique, heading levels have no gaps, and there are no
# external resources.
cat >parse.py <<'END'
import html.parser, sys

VOID = {"meta", "img", "br", "wbr"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.faults, self.level = [], [], 0

    def handle_starttag(self, tag, attributes, closed=False):
        names = [name for name, _ in attributes]
        if len(set(names)) != len(names):
            self.faults.append(f"<{tag}> has an attribute twice")
        for name, value in attributes:
            if name in ("src", "href", "xlink:href", "action", "data") and not value.startswith(("data:image/jpeg;", "#")):
                self.faults.append(f"<{tag} {name}={value[:40]}> would be fetched")
            if name.startswith("on"):
                self.faults.append(f"<{tag} {name}> is a script")
        if tag in ("h1", "h2", "h3", "h4"):
            if int(tag[1]) > self.level + 1:
                self.faults.append(f"<{tag}> after h{self.level}")
            self.level = int(tag[1])
        if tag not in VOID and not closed:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes, True)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> on line {self.getpos()[0]} closes nothing")


for path in sys.argv[1:]:
    page = Page()
    page.feed(open(path, encoding="utf-8", errors="strict").read())
    page.close()
    faults = page.faults + [f"<{tag}> stays open" for tag in page.open]
    print("\n".join(f"{path}: {fault}" for fault in faults[:5]), end="\n" if faults else "")
    if faults:
        sys.exit(1)
END

page() { # FILE: checks for every page
    has "$1" '<!DOCTYPE html>'
    has "$1" '<html lang="en">'
    has "$1" 'name="viewport"'
    has "$1" "default-src 'none'"
    has "$1" 'prefers-color-scheme:dark'
    has "$1" '@media print'
    has "$1" 'id="summary"'
    has "$1" 'id="coverage"'
    has "$1" 'id="provenance"'
    has "$1" 'id="definitions"'
    has "$1" '</html>'
    count "$1" '<h1>' 1
    count "$1" '<caption>' "$(grep -c '<table>' "$1")"
    count "$1" '</table></div>' "$(grep -c '<table>' "$1")"
    lacks "$1" '<script|<link|<iframe|javascript:|@import|url\(|https?://'
    lacks "$1" '[ (>"]-?(nan|inf)[ )<";,]'
    if command -v python3 >/dev/null 2>&1; then
        what="$1 is well-formed"
        steps=$((steps + 1))
        python3 parse.py "$1" >out 2>&1 || complain "$(cat out)"
    fi
}

# ---- a score file, with images -------------------------------------------------------------------

# Frames of one colour in a format that needs no library; formats are detected by content.
for source in real swap warp; do
    for video in 000 001 002 003 004 005; do
        mkdir -p set/$source/$video
        for frame in 000 001; do
            {
                printf 'P6 64 64 255\n'
                head -c 12288 /dev/zero | tr '\0' "$(echo $source | cut -c 2)"
            } >set/$source/$video/$frame.png
        done
    done
    for split in train val test; do
        mkdir -p set/lists/$split
        find set/$source -name '*.png' | sort >set/lists/$split/$source.txt
    done
done

# Without libjpeg-turbo there are no thumbnails: the frames are still listed, and the page gives the
# reason.
thumbnails() { # FILE NUMBER
    if with_jpeg; then
        count "$1" 'src="data:image/jpeg;base64,' "$2"
        return
    fi
    count "$1" '<img' 0
    has "$1" 'images cannot be shown. First reason: '
    has "$1" 'WITH_JPEG=1'
}

expect 0 "a model" "$L" init --arch tiny --seed 1 --out m --quiet
{
    echo 'files,labels,prob_class_0,prob_class_1,dataset'
    find set -name '*.png' | sort | awk -v q='"' '{
        n = split($0, part, "/"); fake = part[2] != "real"
        p = 0.05 + 0.9 * ((NR * 37) % 101) / 101; if (fake) p = p ^ 0.4
        for (s = 0; s < 2; s++)
            printf "%s%s%s,%d,%.6f,%.6f,%s\n", q, $0, q, fake, 1 - p, p, s ? q "A <b> & " q q "B" q q q : "FF++"
    }'
    printf 'gone/real/x/0.png,0,0.9,0.1,FF++\ngone/real/\377y/0.png,0,0.01,0.99,FF++\n'
} >scores.csv
what="scores.csv"
expect 0 "a page of scores" "$L" auc scores.csv --resamples 100 --report scores.html
page scores.html
has scores.html 'A &lt;b&gt; &amp; &quot;B&quot;'
lacks scores.html 'A <b>'
# shellcheck disable=SC1003 # a backslash
has scores.html 'gone/real/\xffy/0.png'
with_jpeg && has scores.html '2 of 8 images cannot be shown. First reason: gone/real/'
has scores.html 'Video level'
has scores.html '<td class="forest"><svg'
has scores.html '<td class="key">'
has scores.html '<tr><th scope="row">Mean over data sets</th>'
has scores.html 'Frame level'
has scores.html '95% interval'
has scores.html 'By fake source'
has scores.html 'Hardest real frames'
has scores.html 'Hardest fake frames'
has scores.html 'with fewer than 30 per class'
thumbnails scores.html 28 # 6 real (two are missing) and 8 fake, twice
has scores.html '>ROC</b>'
has scores.html '>Precision and recall</b>'
has scores.html '>Reliability</b>'
has scores.html '>Scores of videos</b>'
expect 0 "the same again" "$L" auc scores.csv --resamples 100 --report again.html
what="the same bytes"
cmp -s scores.html again.html || complain "another page"
expect 0 "without thumbnails" "$L" auc scores.csv --ci off --thumbnails 0 --report bare.html
page bare.html
count bare.html '<img' 0
lacks bare.html 'Hardest real frames'
expect 2 "too many thumbnails" "$L" auc scores.csv --thumbnails 101 --report never.html
expect 2 "a page of two files" "$L" auc scores.csv scores.csv --report never.html
expect 1 "a page in no folder" "$L" auc scores.csv --ci off --report no/folder.html
what="refused"
[ ! -e never.html ] || complain "wrote a page"

printf 'label,score\n1,-2.5\n0,-3\n1,7\n0,1\n' >bare.csv
expect 0 "bare scores" "$L" auc bare.csv --report numbers.html
page numbers.html
lacks numbers.html 'Video level'
lacks numbers.html 'Hardest real|>Reliability<'
printf 'label,score\n1,0.25\n1,0.5\n' >fakes.csv
expect 0 "one class" "$L" auc fakes.csv --report fakes.html
page fakes.html
has fakes.html 'all rows are fake'
lacks fakes.html '>ROC</b>'

# ---- an evaluation -------------------------------------------------------------------------------

train=$(find set/lists/train -name '*.txt' | sort)
val=$(find set/lists/val -name '*.txt' | sort)
lists=$(find set/lists/test -name '*.txt' | sort | tr '\n' ',')
# shellcheck disable=SC2086 # lists of paths without blanks
expect 0 "an adapter" "$L" train --model m --train $train --val $val --out run epochs=1 augment=flip --checks off --quiet
# shellcheck disable=SC2086
expect 0 "calibration" "$L" calibrate --model m --adapter run/best.safetensors --val $val --out c.safetensors --quiet
expect 0 "an evaluation" "$L" eval --model m --adapter c.safetensors --calibrated --out one "t=${lists%,}" \
    --resamples 100 --checks off --quiet
page one/report.html
has one/report.html 'Evaluation of c.safetensors'
has one/report.html 'encoder fingerprint'
has one/report.html 'At the validation threshold'
has one/report.html 'applied to every score'
has one/report.html 'set/lists/test/real.txt'
kind=jpeg
strengths=90,30
with_jpeg || {
    kind=noise
    strengths=3,6
}
expect 0 "several adapters" "$L" eval --model m --adapter "A <1>=run/best.safetensors" --adapter B=run/last.safetensors \
    --out two "t=${lists%,}" --perturb $kind=$strengths --perturb blur=2 --perturb blur=1+resize-box=0.5 --resamples 100 --checks off --quiet --thumbnails 2
page two/report.html
has two/report.html 'Evaluation of 2 adapters'
has two/report.html 'A &lt;1&gt;'
has two/report.html 'id="differences"'
has two/report.html "AUROC by strength of $kind"
has two/report.html 'AUROC by strength of blur'
has two/report.html 'AUROC by strength of blur+resize-box'
has two/report.html '1+0.5'
has two/report.html 'weights selected on'
has two/report.html 'lr = '
thumbnails two/report.html 8 # of each adapter
# shellcheck disable=SC2086
expect 0 "an adapter with another head" "$L" train --model m --train $train --val $val --out run2 epochs=2 batch_size=1 seed=4 augment=flip --checks off --quiet
# Its curves: the name of the run, the best epoch in both charts, last values, a smoothed loss.
has run2/curves.svg 'class="name">run2</text>'
best=$(awk -F, '$NF == 1 { best = $1 } END { print best }' run2/epochs.csv)
count run2/curves.svg "best epoch: $best<" 2
loss=$(awk -F, 'END { printf "%.4g", $5 }' run2/epochs.csv)
has run2/curves.svg "validation (cross-entropy), last $loss<"
has run2/curves.svg '>AUROC video, last '
has run2/curves.svg '>training, smoothed, last '
has run2/curves.svg 'class="line faint"'
expect 0 "three adapters" "$L" eval --model m --adapter "A <1>=run/best.safetensors" --adapter B=run2/best.safetensors \
    --adapter "calibrated, with a long name=c.safetensors" --out three "t=${lists%,}" "second=${lists%,}" \
    --perturb $kind=$strengths --perturb blur=2 --resamples 100 --checks off --quiet --thumbnails 3
page three/report.html
has three/report.html 'AUROC by adapter and data set, with 95% interval; the best is bold'
# A row per adapter: two data sets with intervals, and the mean; the best of each column is bold.
has three/report.html '<tr><th scope="col" class="word">adapter</th><th scope="col">t</th><th scope="col">second</th><th scope="col">mean</th></tr>'
what="the best is bold"
steps=$((steps + 1))
for level in Video Frame; do
    sed -n "/$level level/,/<\/table>/p" three/report.html >pivot
    best=$(sed -n 's/.*<th scope="row">.*<td>\(<b>\)\{0,1\}\([0-9.]*\)\(<.b>\)\{0,1\}<.td><.tr>$/\2/p' pivot | sort -n | tail -n 1)
    bold=$(sed -n 's/.*<th scope="row">.*<td><b>\([0-9.]*\)<.b><.td><.tr>$/\1/p' pivot | sort -u)
    [ "${best:-none}" = "$bold" ] || complain "best mean of $level is '$best', bold is '$bold'"
    grep -q '<td>[0-9.]*<.td><.tr>' pivot || complain "every mean of $level is bold"
done
# Paired differences: an axis around 0 and an interval in each row; 2 levels, 2 adapters, 2 sets.
count three/report.html '<path class="zero"' 8
has three/report.html 'paired 95% intervals'
# Every adapter has its hardest frames, and every panel of robustness has bands and the same axis.
count three/report.html '<h4>calibrated, with a long name</h4>' 4
thumbnails three/report.html 36
what="robustness"
steps=$((steps + 1))
sed -n '/<h3>Robustness/,/<details>/p' three/report.html >panels
[ "$(grep -c 'class="band faint"' panels)" -eq 12 ] || complain "$(grep -c 'class="band' panels) bands for 2 sets, 2 kinds and 3 adapters"
axes=$(awk '/<figure>/ { axis = "" } /text-anchor="end"/ { gsub(/<[^>]*>/, " "); axis = axis $0 } /<\/figure>/ { print axis }' panels | tr -d ' ' | sort -u | wc -l)
[ "$axes" -eq 1 ] || complain "$axes different axes"
has three/report.html '>chance 0.5000</text>'
has three/report.html 'TPR at FPR 0.01 in the legend'

# ---- size ----------------------------------------------------------------------------------------

awk 'BEGIN {
    srand(1); print "files,labels,prob_class_0,prob_class_1,dataset"
    for (s = 0; s < 5; s++) for (v = 0; v < 400; v++) for (f = 0; f < 50; f++) {
        p = (rand() + (v % 4 != 0)) / 2
        printf "%s/%03d/%02d.png,%d,%.6f,%.6f,set %d\n", v % 4 ? "kind" v % 4 : "real", v, f, v % 4 != 0, 1 - p, p, s
    }
}' >large.csv
expect 0 "100,000 frames" "$L" auc large.csv --ci off --report large.html
page large.html
what="size"
size=$(wc -c <large.html)
[ "$size" -lt 2000000 ] || complain "$size bytes for 100,000 frames"

if [ -n "${KEEP:-}" ]; then
    mkdir -p "$KEEP"
    cp scores.html numbers.html fakes.html large.html "$KEEP"
    cp one/report.html "$KEEP/one.html"
    cp two/report.html "$KEEP/two.html"
    cp three/report.html "$KEEP/three.html"
fi
command -v python3 >/dev/null 2>&1 || echo "no python3: pages were not parsed"
finish
