#!/bin/sh
# test_eval.sh - tests eval with several adapters, perturbations and calibration, and compare.
#
# The model is tiny and random: this tests bookkeeping, files and arithmetic, not detection.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/support.sh
needs_synth

eval_with() { # CODE WHAT OPTION...: scores data set `one` without checks of the lists
    code=$1
    what=$2
    shift 2
    expect "$code" "$what" "$L" eval --model m --checks off --quiet "$@" "one=s/lists/test/real.txt,s/lists/test/swap.txt"
}

expect 0 init "$L" init --arch tiny --out m
expect 0 synth "$L" synth --out s --videos 14 --frames 3 --size 80
for seed in 1 2; do
    expect 0 "train $seed" "$L" train --quiet --model m --train s/lists/train/real.txt s/lists/train/swap.txt \
        --val s/lists/val/real.txt s/lists/val/swap.txt --out run$seed epochs=1 batch_size=8 lr=0.01 "seed=$seed"
done
A=run1/best.safetensors
B=run2/best.safetensors

# ---- several adapters -----------------------------------------------------------------------------

eval_with 0 "three adapters" --adapter a=$A --adapter b=$B --adapter again=$A --out e
for name in a b again; do
    for file in predictions.csv metrics.json summary.json evaluation.json; do
        holds test -s e/$name/$file
    done
done
prints '^AUROC, frames$'
prints '^AUROC, videos (mean p_fake)$'
prints '^again  *\*\?[01]\.'
grep -q '^[ab].*\*[01]\.' out || complain 'no best is marked'
prints '^b - a (paired)$'
prints 'a: selected on: val_map_video'
holds cmp e/a/predictions.csv e/again/predictions.csv
cmp -s e/a/predictions.csv e/b/predictions.csv && complain "two adapters have the same scores"
[ "$(find e -type f | wc -l)" = 14 ] || complain "leaves other files than 3 x 4, comparison.json and report.html"
# An adapter compared with itself: no difference and no warning.
sed -n '/"again"/,$p' e/comparison.json >itself
[ "$(grep -c '"difference": 0.0,' itself)" -ge 30 ] || complain "an adapter differs from itself"
grep '"difference":' itself | grep -qv '"difference": \(0.0\|null\),' && complain "an adapter differs from itself"
grep '"p":' itself | grep -qv '"p": \(1.0\|null\)' && complain "p of no difference is not 1"

eval_with 0 "one adapter of a name" --adapter solo=$A --out e1
holds cmp e1/solo/predictions.csv e/a/predictions.csv
[ ! -e e1/comparison.json ] || complain "compares one adapter"
cp $A ./x=y.safetensors
eval_with 0 "a file with = in its name" --adapter x=y.safetensors --out e2
holds cmp e2/predictions.csv e/a/predictions.csv
eval_with 0 "chosen metrics" --adapter $A --out view --metrics ap,auroc --level video --percent --digits 1
prints 'AP (%)  *95% interval  *AUROC (%)'
grep -q '  frame ' out && complain "shows frames"
prints 'video (mean p_fake)'
for format in md latex csv json; do
    eval_with 0 "as $format" --adapter a=$A --adapter b=$B --out e --format $format
done
prints '"comparison": {'
eval_with 0 "one as JSON" --adapter $A --out e2 --json
holds cmp out e2/metrics.json
eval_with 0 "no intervals" --adapter $A --out e2 --ci off
grep -q ci95 e2/metrics.json && complain "--ci off leaves intervals"

# One adapter after several, and the reverse: files of the earlier evaluation are removed.
eval_with 0 "several" --adapter a=$A --adapter b=$B --out form
[ "$(grep -c 'per class, metrics and intervals are imprecise' err)" = 1 ] || complain "the same warning of each adapter"
[ "$(grep -o 'per class, metrics and intervals are imprecise' form/report.html | wc -l)" = 1 ] || complain "report.html warns of each adapter"
what="one after several"
"$L" eval --model m --checks off --adapter $A --out form one=s/lists/test/real.txt,s/lists/test/swap.txt >out 2>err || complain fails
says "form: contains an evaluation of several adapters"
holds test -s form/metrics.json
[ ! -e form/comparison.json ] || complain "comparison.json stays"
expect 0 "compare one after several" "$L" compare form
prints '^one  *frame  *form  '
: >form/predictions-0123456789abcdef0123456789abcdef.partial
eval_with 0 "several after one, with a perturbation" --adapter a=$A --adapter b=$B --out form --perturb blur=1
[ "$(cd form && echo *)" = "a b comparison.json report.html" ] || complain "leaves $(cd form && echo *)"
expect 0 "compare several after one" "$L" compare form
prints '^  *b  *[01]\.'
eval_with 0 "one of a name after several" --adapter a=$A --out form
[ ! -e form/comparison.json ] || complain "comparison.json stays"

eval_with 2 "a name twice" --adapter a=$A --adapter a=$B --out never
eval_with 2 "a name with a slash" --adapter a/b=$A --out never
eval_with 2 "a name of a file beside it" --adapter metrics.json=$A --out never
eval_with 2 "the name of the report" --adapter report.html=$A --out never
eval_with 2 "a name that leaves the folder" --adapter ..=$A --out never
eval_with 2 "no name" --adapter =$A --out never
eval_with 2 "several without names" --adapter $A --adapter $B --out never
eval_with 1 "a missing adapter" --adapter a=$A --adapter b=none.safetensors --out never
eval_with 2 "another word for --ci" --adapter $A --ci maybe --out never
eval_with 2 "another format" --adapter $A --format html --out never
[ ! -e never ] || complain "something was written for a wrong command"

# ---- perturbations --------------------------------------------------------------------------------

eval_with 0 "perturbed" --adapter $A --out p --perturb jpeg=100,30 --perturb noise=0.05 --perturb resize=1,0.5 --perturb blur=1
prints '^one  *none '
prints '^  *noise  *0.05 '
holds cmp p/predictions.csv e/a/predictions.csv
holds test -s p/robustness.json
[ "$(wc -l <p/robustness.csv)" = 15 ] || complain "robustness.csv has another number of rows"
plain=$(grep '^one,none,,video' p/robustness.csv | cut -d, -f7-)
holds test "$plain" = "$(grep '^one,resize,1,video' p/robustness.csv | cut -d, -f7-)" # to its own size
for row in jpeg,30 noise,0.05 blur,1; do
    [ "$(grep "^one,none,,frame" p/robustness.csv | cut -d, -f7-)" != "$(grep "^one,$row,frame" p/robustness.csv | cut -d, -f7-)" ] ||
        complain "$row changes nothing"
done
cp p/robustness.csv before.csv
eval_with 0 "perturbed by other workers" --adapter $A --out p --perturb jpeg=100,30 --perturb noise=0.05 --perturb resize=1,0.5 --perturb blur=1 \
    --batch 2 --workers 3 --threads 1
holds cmp p/robustness.csv before.csv
eval_with 0 "not perturbed" --adapter $A --out p
for file in p/robustness.csv p/robustness.json; do
    [ ! -e $file ] || complain "$file of an earlier evaluation stays"
done
eval_with 0 "perturbed by filters and by several at once" --adapter $A --out q --perturb resize-nearest=1 --perturb noise=0.05,0.1+blur=1 \
    --perturb resize-lanczos=0.5 --perturb resize=0.5
prints '^  *blur+noise  *1+0.05 '
holds grep -q '^one,blur+noise,1+0.1,frame' q/robustness.csv
holds grep -q '"blur+noise": ' q/robustness.json
holds grep -q '"blur+noise": ' q/evaluation.json
[ "$(grep -c . q/robustness.csv)" = 13 ] || complain "robustness.csv has another number of rows"
[ "$(tr -d ' \n' <q/evaluation.json | grep -c '"blur+noise":\[\[1.*,0.05.*\],\[1.*,0.1.*\]\]')" = 1 ] || complain "the strengths of a combination are no arrays"
holds test "$plain" = "$(grep '^one,resize-nearest,1,video' q/robustness.csv | cut -d, -f7-)"
[ "$(grep '^one,resize,0.5,frame' q/robustness.csv | cut -d, -f7-)" != "$(grep '^one,resize-lanczos,0.5,frame' q/robustness.csv | cut -d, -f7-)" ] ||
    complain "two filters do the same"
eval_with 2 "a combination twice" --adapter $A --perturb blur=1+noise=0.1 --perturb noise=0.1+blur=1 --out never
says 'duplicate'
eval_with 2 "two of one kind at once" --adapter $A --perturb blur=1+blur=2 --out never
says 'cannot be combined'
eval_with 2 "two filters at once" --adapter $A --perturb resize=64+resize-box=32 --out never
eval_with 2 "an unknown filter" --adapter $A --perturb resize-cubic=64 --out never
eval_with 2 "too many combinations" --adapter $A --out never \
    --perturb "blur=$(seq -s, 1 99)+noise=$(seq -s, 0.01 0.01 0.2)"
says 'give fewer strengths'
eval_with 2 "a strength twice" --adapter $A --perturb jpeg=90,90 --out never
eval_with 2 "a bad strength" --adapter $A --perturb jpeg=101 --out never
eval_with 2 "an unknown perturbation" --adapter $A --perturb sharpen=1 --out never
eval_with 2 "no strength" --adapter $A --perturb blur= --out never
[ ! -e never ] || complain "something was written for a wrong command"

# ---- resuming
# -------------------------------------------------------------------------------------

# Stopped in the second adapter, or at the second strength of the first: no image is scored twice,
# and the results are equal.
# shellcheck disable=SC2086 # a list of words
run_long() { # replaces its shell
    exec "$L" eval --model m --ci off --checks off --batch 1 --adapter a=$A --adapter b=$B --perturb noise=0.1,0.2 --out "$1" $many
}
many=$(for i in $(seq 20); do echo "d$i=s/lists/train/swap.txt,s/lists/train/real.txt"; done)
what="an evaluation in one go"
(run_long whole) >out 2>err || complain "fails"
what="a stopped evaluation"
run_long parts >out 2>err &
pid=$!
for _ in $(seq 3000); do
    [ "$(cat parts/b/*.partial 2>/dev/null | wc -l)" -lt 5 ] || break
    sleep 0.02
done
kill -INT $pid
wait $pid
[ $? = 130 ] || complain "exit code is not 130"
[ -z "$(find parts -name metrics.json)" ] || complain "writes results of the first adapter before the second is done"
holds grep -q . parts/b/*.partial
echo "lnclip partial evaluation, version 1, key other" >parts/a/predictions-0123456789abcdef0123456789abcdef.partial
touch parts/a/predictions-mine.partial
what="going on"
(run_long parts) >out 2>err || complain "fails"
says "parts/a: "
says "are reused from an interrupted evaluation"
for file in comparison.json a/predictions.csv b/predictions.csv a/robustness.csv b/robustness.csv b/metrics.json; do
    holds cmp whole/$file parts/$file
done
[ -z "$(find parts -name 'predictions-*.partial' ! -name '*mine*')" ] || complain "scores for a restart are left behind"
holds test -e parts/a/predictions-mine.partial

# The intervals of a data set do not depend on its position on the command line.
expect 0 "two data sets" "$L" eval --model m --checks off --quiet --adapter $A --out o1 x=s/lists/test/real.txt,s/lists/test/swap.txt \
    y=s/lists/val/real.txt,s/lists/val/swap.txt
expect 0 "in the other order" "$L" eval --model m --checks off --quiet --adapter $A --out o2 y=s/lists/val/swap.txt,s/lists/val/real.txt \
    x=s/lists/test/swap.txt,s/lists/test/real.txt
holds cmp o1/summary.json o2/summary.json
tr -d ',' <o1/metrics.json | sort >o1.sorted
tr -d ',' <o2/metrics.json | sort >o2.sorted
holds cmp o1.sorted o2.sorted

# The score of an interrupted evaluation is not reused for a replaced frame, but for a copied one.
cp -r s t
eval_t() { # CODE WHAT: evaluates t into k; its last frame may be unreadable
    expect "$1" "$2" "$L" eval --model m --checks off --quiet --batch 1 --adapter $A --out k one=t/list.txt
}
find t -path '*/real/*.png' | sort | head -n 5 >t/list.txt
sed -i 's,^t/,,' t/list.txt
last=t/$(tail -n 1 t/list.txt)
third=t/$(sed -n 3p t/list.txt)
cp "$last" whole.png
echo broken >"$last"
eval_t 1 "stopped by a broken frame"
cp whole.png "$last"
cp -r k k2
cp "$third" third.png && cp third.png "$third"
eval_t 0 "continued with a copied frame"
says "k: 4 of 5 scores are reused"
silent_on "the image has changed"
cp k/predictions.csv before.csv
rm -r k && mv k2 k
cp whole.png "$third"
eval_t 0 "continued with a replaced frame"
says "k: 2 of 5 scores are reused"
says "the image has changed since it was scored"
rm -r k
eval_t 0 "the same from the start"
cmp -s k/predictions.csv before.csv && complain "the replaced frame has its old score"

# A file system without locks causes a warning, not an error.
if command -v "${CC:-cc}" >/dev/null 2>&1; then
    printf '#include <errno.h>\nint flock(int d, int o) { (void)d, (void)o; errno = ENOLCK; return -1; }\n' >noflock.c
    if "${CC:-cc}" -shared -fPIC -o noflock.so noflock.c 2>/dev/null && [ -z "${ASAN_OPTIONS:-}" ] && ! grep -qs fsanitize "${L%/*}/flags"; then
        expect 0 "without flock" env LD_PRELOAD="$PWD/noflock.so" "$L" eval --model m --checks off --quiet --adapter $A --out n \
            one=s/lists/test/real.txt,s/lists/test/swap.txt
        says "does not support locks"
    fi
fi

# ---- calibration ----------------------------------------------------------------------------------

expect 0 calibrate "$L" calibrate --model m --adapter $A --val s/lists/val/real.txt s/lists/val/swap.txt --out cal.safetensors \
    --fpr 0.25 --checks off --quiet --json
prints '"temperature": '
prints '"threshold_fpr": 0.25'
expect 0 "calibrate once more" "$L" calibrate --model m --adapter cal.safetensors --val s/lists/val/real.txt s/lists/val/swap.txt \
    --out cal2.safetensors --fpr 0.25 --checks off --quiet
holds cmp cal.safetensors cal2.safetensors # fitted on uncalibrated scores, even for a calibrated adapter
expect 0 "inspect a calibrated adapter" "$L" inspect cal.safetensors
prints 'calibrated_on'
eval_with 0 "a calibrated adapter, not applied" --adapter cal.safetensors --out c0
holds cmp c0/predictions.csv e/a/predictions.csv
grep -q at_threshold c0/metrics.json && complain "applies what was not asked for"
eval_with 0 "calibrated" --adapter cal.safetensors --calibrated --out c
holds grep -q '"at_threshold": {' c/metrics.json
holds grep -q '"temperature": ' c/evaluation.json
prints 'At the thresholds by fpr=0.25'
prints '^calibrated: T = '
# On the calibration frames the false-positive rate is at most the requested one.
expect 0 "calibrated, on val" "$L" eval --model m --checks off --quiet --adapter cal.safetensors --calibrated --out cv \
    v=s/lists/val/real.txt,s/lists/val/swap.txt
sed -n '/"at_threshold"/,$p' cv/metrics.json | grep '"fpr":' | tr -d ' ,' | while IFS=: read -r _ fpr; do
    awk "BEGIN { exit !($fpr <= 0.25) }" || echo bad
done | grep -q bad && complain "the share of false alarms is above the one asked for"
frame=$(sed -n 2p c/predictions.csv | cut -d, -f1)
expect 0 "predict, calibrated" "$L" predict --model m --adapter cal.safetensors --calibrated "s/lists/test/$frame"
[ "$(cut -f2 out)" = "$(sed -n 2p c/predictions.csv | cut -d, -f4)" ] || complain "predict and eval differ"
says "T = "
threshold=$(sed -n 's/.*p_fake > \([0-9.e-]*\)$/\1/p' err)
[ "$(cut -f3 out)" = "$(cut -f2 out | awk "{ print (\$1 > $threshold) ? \"fake\" : \"real\" }")" ] || complain "another verdict"
expect 0 "predict, calibrated, a video" "$L" predict --model m --adapter cal.safetensors --calibrated --by video "s/lists/test/$(dirname "$frame")"
says "threshold of videos"
expect 0 "export" "$L" export --model m --adapter "$A" --out merged --quiet
expect 0 "calibrate a model with its head" "$L" calibrate --model merged --val s/lists/val --out head.safetensors --checks off \
    --frames 1 --frame-choice random --limit 6 --seed 3
grep -q '6 frames of' out || complain "not 6 frames: $(cat out)"
[ "$(wc -c <head.safetensors)" -lt 10000 ] || complain "a copy of the model"
expect 0 "predict with this head" "$L" predict --model merged --adapter head.safetensors --calibrated "s/lists/test/$frame"
expect 1 "calibrate a model without head" "$L" calibrate --model m --val s/lists/val --out never.safetensors --checks off
[ ! -e never.safetensors ] || complain "wrote it"
expect 1 "predict, calibrated, without adapter" "$L" predict --model m --calibrated "s/lists/test/$frame"
eval_with 1 "no calibration" --adapter $A --calibrated --out never
says "lnclip calibrate"
eval_with 1 "no calibration in the model" --calibrated --out never
for share in 1 -0.1 x; do
    expect 2 "--fpr $share" "$L" calibrate --model m --adapter $A --val s/lists/val/real.txt --out never --fpr $share
done
ece() { sed -n "s/.*\"ece_$1\": \([0-9.e-]*\).*/\1/p" out; }
for rule in tpr=0.9 eer youden; do
    # shellcheck disable=SC2046
    expect 0 "calibrate by $rule" "$L" calibrate --model m --adapter $A --val s/lists/val/real.txt s/lists/val/swap.txt \
        --out "$rule.safetensors" --checks off --quiet --json $(echo "--$rule" | tr '=' ' ')
    prints "\"threshold_rule\": \"$rule\""
    prints '"threshold_fpr": null'
    # Either T lowers the calibration error of these frames, or it stays 1.
    awk "BEGIN { exit !($(ece after) <= $(ece before)) }" || complain "the calibration error rose: $(cat out)"
    eval_with 0 "calibrated by $rule" --adapter "$rule.safetensors" --calibrated --out "by-$rule"
    prints "At the thresholds by $rule"
done
expect 2 "two rules" "$L" calibrate --model m --adapter $A --val s/lists/val/real.txt --out never --eer --fpr 0.1
says "exclude each other"
expect 2 "--tpr 0" "$L" calibrate --model m --adapter $A --val s/lists/val/real.txt --out never --tpr 0
expect 2 "calibrate without frames" "$L" calibrate --model m --adapter $A --out never
expect 1 "calibrate on one class" "$L" calibrate --model m --adapter $A --val s/lists/val/real.txt --out never --checks off
[ ! -e never ] || complain "something was written for a failed command"

# ---- frames and labels ----------------------------------------------------------------------------

# Names without leading zeros, images without video folders, other files, a doubtful name.
mkdir -p n/surreal/v n/real n/fake
frame=$(find s/swap -name '*.png' | head -n 1)
for i in $(seq 0 31); do cp "$frame" n/surreal/v/"$i".png; done
for i in 1 2 3; do cp "$frame" n/fake/$i.png && cp "$(find s/real -name '*.png' | sed -n ${i}p)" n/real/$i.png; done
: >n/real/lost.webp
expect 1 "a source in doubt" "$L" eval --model m --adapter $A --out en n=n
says "--label surreal=real or --label surreal=fake"
says "the letters 'real' in its name are part of another word"
expect 2 "a label for no source" "$L" eval --model m --adapter $A --out en n=n --label surreal=fake --label swp=fake
expect 2 "a label of another form" "$L" eval --model m --adapter $A --out en n=n --label surreal
[ ! -e en ] || complain "something was written for a failed command"
expect 0 "with its label" "$L" eval --model m --adapter $A --out en n=n --label surreal=fake --frames 4
says "n: 10 of 38 frames are used, 28 are not"
says "n/real: 1 .webp files"
grep -q '^n  *surreal  *fake  *1  *4$' err || complain "does not show the label of every source"
grep -q '^n  *real  *real  *3  *3$' err || complain "does not count each image as a video"
for i in 0 10 20 31; do
    grep -q "^n/surreal/v/$i.png,1," en/predictions.csv || complain "--frames 4 does not take $i.png"
done
# The same videos without the column, and with backslashes. Random numbers depend on the name of the
# set.
expect 0 "auc by the column" "$L" auc en/predictions.csv --json
cp out by_column
cut -d, -f1-4 en/predictions.csv | sed '1!s|/|\\|g' >n.csv
expect 0 "auc by the paths" "$L" auc n.csv --json
holds cmp out by_column
expect 0 "random frames" "$L" eval --model m --adapter $A --out er n=n --label surreal=fake --frames 4 \
    --frame-choice random --seed 1
cmp -s er/predictions.csv en/predictions.csv && complain "random frames are the even ones"
expect 0 "a limit" "$L" eval --model m --adapter $A --out er n=n --label surreal=fake --limit 19
# shellcheck disable=SC2015 # either is a complaint
[ "$(grep -c ',0,' er/predictions.csv)" -ge 2 ] && [ "$(wc -l <er/predictions.csv)" = 20 ] ||
    complain "does not keep 19 frames"
expect 2 "another choice" "$L" eval --model m --adapter $A --out er n=n --frames 4 --frame-choice odd

# ---- compare --------------------------------------------------------------------------------------

expect 0 compare "$L" compare run1 run2 c0 e
prints 'seed  *parameters  *best epoch  *AUROC'
prints '^run1  *1  *[0-9]*  *1 of 1  *[01]\.'
prints '^run2  *2  *[0-9]*  *1 of 1  *[01]\.'
# The best epoch is found, even if the monitor has a column after it.
cp -r run1 run3
awk '{ print $0 (NR == 1 ? ",val_brier_frame" : ",0.25") }' run1/epochs.csv >run3/epochs.csv
expect 0 "compare with a monitor's column" "$L" compare run1 run3
prints '^run3  *[0-9]*  *1 of 1  *[01]\.'
expect 0 compare "$L" compare run1 run2 c0 e
# Two seeds of one recipe: mean and sample standard deviation of what the runs' own rows say.
awk '/^run[12]  *[12] / { n++; s += $7; q += $7 * $7 }
     /^run  *2 / { found = $0 }
     END { m = s / n; d = sqrt((q - n * m * m) / (n - 1)); want = sprintf("%.4f ± %.4f", m, d)
           exit index(found, want) == 0 }' out || complain "not the mean over seeds: $(grep '^run' out)"
prints '^one  *frame  *[a-z]'
prints '^c0 and 2 more  *s/lists'
# The pivot: a row per method, the mean over data sets, the best marked.
expect 0 "compare evaluations" "$L" compare e --level frame --metrics auroc,eer --percent --digits 1 --format latex
prints '^% AUROC, frames, per cent'
prints '^% EER, frames, per cent'
[ "$(grep -c textbf out)" -ge 2 ] || complain "no best is marked"
for format in md latex csv json; do
    expect 0 "compare as $format" "$L" compare run1 run2 e --format $format
    [ -s out ] || complain "prints nothing"
done
prints '"trained_parameters": '
expect 0 "compare as a page" "$L" compare run1 run2 e --html page.html
for part in '<svg' 'Validation mAP' '<section id="evaluations">' '</html>'; do
    holds grep -q "$part" page.html
done
prints '^run1  *1 '
cp page.html before.html
cp -r run2 broken
echo nonsense >broken/steps.csv
expect 1 "compare a run with a broken steps.csv" "$L" compare run1 broken --html page.html
says "broken/steps.csv"
holds cmp page.html before.html
expect 2 "a page and CSV" "$L" compare run1 run2 --html page.html --format csv
expect 1 "compare a model" "$L" compare run1 m
expect 1 "compare nothing there" "$L" compare none
expect 2 "compare nothing" "$L" compare
expect 2 "compare an unknown level" "$L" compare run1 --level videos
echo '{"one": ' >c0/metrics.json
expect 1 "compare a broken file" "$L" compare c0
says "c0/metrics.json"

# ---- untrusted numbers
# ----------------------------------------------------------------------------

# A product of dimensions that overflows before a 0, an epoch larger than any integer, a loss near
# the largest double.
mkdir hostile
cp run1/recipe.txt run1/steps.csv hostile/
header='{"x":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}'
# shellcheck disable=SC2059 # the format is an octal number
{ printf "\\$(printf %o ${#header})\\000\\000\\000\\000\\000\\000\\000" && printf %s "$header"; } >hostile/best.safetensors
{ head -n 1 run1/epochs.csv && echo 99999999999999999,1,1.8e308,-1.8e308,1e308,1e308,1e308,1e308,nan,inf,1,1; } >hostile/epochs.csv
expect 0 "compare a hostile run" "$L" compare run1 hostile
silent_on "runtime error"

finish
