#!/bin/sh
# test_auc.sh - tests lnclip auc: tables, --json, intervals, comparisons, warnings and errors. Needs
# neither images nor models.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/support.sh

auc() { # CODE WHAT ARGUMENT...
    code=$1
    what=$2
    shift 2
    expect "$code" "$what" "$L" auc "$@"
}

cat >p.csv <<'END'
files,labels,prob_class_0,prob_class_1,dataset,video
r/real/a/0.png,0,0.9,0.1,X,a
r/real/a/1.png,0,0.3,0.7,X,a
r/real/b/0.png,0,0.8,0.2,X,b
r/swap/c/0.png,1,0.4,0.6,X,c
r/face/d/0.png,1,0.7,0.3,X,d
END
auc 0 "a table" p.csv --ci off
prints '^real  *3  *2  *2$'
prints '^fake  *2  *2  *2$'
prints '^AUROC  *0.666667  *0.750000  *0.750000$'
prints 'FRAMES  *VIDEOS (mean)  *VIDEOS (median)'
prints '^face  *1  *0.666667  *1  *0.500000$'
grep -v "fewer than 30 per class" err | grep -q . && complain "warns without cause"
auc 0 "JSON" p.csv --json
prints '"auroc": 0.75'
prints '"video": {'
prints '"video_median": {'
prints '"tpr_at_fpr_0.001":'
prints '"partial_auroc_fpr_0.1":'
prints '"auroc_ci95": \['
prints '"auroc": "delong_videos"'
prints '"others": "bootstrap_videos"'
says "2 real and 2 fake videos; with fewer than 30"

# The same seed gives the same bytes on any number of threads, another seed others.
auc 0 "one thread" p.csv --json --threads 1 --seed 5
cp out one
auc 0 "three threads" p.csv --json --threads 3 --seed 5
cmp -s out one || complain "threads change a bit"

# All rows differ by the same amount: the AUROC difference has zero variance, and no p-value.
printf 'label,score\n0,0.1\n0,0.2\n0,0.3\n1,0.7\n1,0.8\n1,0.9\n' >perfect.csv
printf 'label,score\n0,0.5\n0,0.5\n0,0.5\n1,0.5\n1,0.5\n1,0.5\n' >constant.csv
auc 0 "no variance" perfect.csv constant.csv
prints 'AUROC  *1.000000  *0.500000  *-0.5000  *-  *-$'
says "zero variance"
auc 0 "no variance as JSON" perfect.csv constant.csv --json
sed -n '/"auroc": {/,/}/p' out >one
for line in '"difference": -0.5,' '"difference_ci95": null,' '"p": null,'; do
    grep -qF "$line" one || complain "no $line"
done
auc 0 "no difference" constant.csv constant.csv
silent_on "zero variance"

auc 0 "Markdown" p.csv --format md
prints '^| AUROC '
prints '^|:---'
# What is shown, and how: the numbers of the first table, in per cent, with two digits.
auc 0 "chosen metrics" p.csv --ci off --metrics auroc,log_loss,eer --percent --digits 2
prints '^AUROC  *66.67  *75.00  *75.00$'
prints 'FRAMES (%)'
prints '^log loss  *[0-9.]*[0-9]  '
grep -q 'average precision' out && complain 'shows other metrics'
[ "$(grep -nE '^(AUROC|log loss|EER) ' out | cut -d: -f1 | sort -c && grep -cE '^(AUROC|log loss|EER) ' out)" = 3 ] ||
    complain "not the three metrics in the order asked for"
auc 0 "one level" p.csv --ci off --level video --digits 3
prints '^AUROC  *0.750  *0.750$'
auc 0 "one level as CSV" p.csv --ci off --level video --metrics eer,auroc --digits 3 --format csv
[ "$(cut -d, -f3,6 out | sort -u | tr '\n' ' ')" = "level,metric video,auroc video,eer video_median,auroc video_median,eer " ] ||
    complain "other rows: $(cat out)"
for wrong in "--metrics auroc,aurok" "--metrics eer,eer" "--level frames" "--digits 0" "--digits 10"; do
    # shellcheck disable=SC2086
    auc 2 "$wrong" p.csv $wrong
done
# The lowest p of 200 resamples is 2/201.
awk 'BEGIN { print "label,score"; for (i = 0; i < 400; i++) printf "%d,%.3f\n", i % 2, (i % 2) * 0.5 + i % 97 / 200 }' >good.csv
awk 'BEGIN { print "label,score"; for (i = 0; i < 400; i++) printf "%d,%.3f\n", i % 2, (i * 7919) % 400 / 400 }' >bad.csv
auc 0 "the floor of p" good.csv bad.csv --resamples 200 --metrics ap
prints 'average precision .* <= 0.01$'
auc 0 "the floor of p in LaTeX" good.csv bad.csv --resamples 200 --metrics ap --format latex
prints '\$\\le\$ 0.01'

auc 0 "LaTeX" p.csv --format latex
prints '^\\toprule$'
prints '95\\% interval'
prints '^\\end{tabular}$'
auc 0 "CSV" p.csv --format csv
prints '^dataset,source,level,n_real,n_fake,metric,value,lower,upper,method'
prints '^X,face,video,2,1,auroc,0.5,'
[ "$(awk -F, 'NF != 10' out | wc -l)" = 0 ] || complain "rows of another width"
auc 0 "format json" p.csv --format json --ci off
grep -q ci95 out && complain "an interval with --ci off"
auc 2 "an unknown format" p.csv --format html
auc 2 "an unknown mode" p.csv --ci maybe
says "auto, on or off"

# Text that needs escaping in a table.
# shellcheck disable=SC2016 # dollars are literal
printf 'label,score,dataset\n0,0.1,"a_b | 50%% & $x$, \\ ""q"""\n1,0.7,"a_b | 50%% & $x$, \\ ""q"""\n' >odd.csv
auc 0 "odd names in Markdown" odd.csv --format md --ci off
# shellcheck disable=SC2016 # dollars are literal
prints '^\*\*a\\_b \\| 50% & $x$, \\\\ "q"\*\*$'
auc 0 "odd names in LaTeX" odd.csv --format latex --ci off
# shellcheck disable=SC2016 # dollars are literal
prints '^% a\\_b \\textbar{} 50\\% \\& \\$x\\$, \\textbackslash{} "q"$'
printf 'files,labels,prob_class_1,source\na/b/c,0,0.1,real\na/d/c,1,0.7,[x]\n' >bracket.csv
auc 0 "a name that LaTeX would take for an option" bracket.csv --format latex --ci off
prints '^{}\[x\] '
auc 0 "odd names in CSV" odd.csv --format csv --ci off
# shellcheck disable=SC2016 # dollars are literal
prints '^"a_b | 50% & $x$, \\ ""q""",,frame,1,1,auroc,1,'

{ cat p.csv; tail -n 1 p.csv; } >twice.csv
auc 0 "a row twice" twice.csv
says "1 row"

printf 'label,score\n1,0.25\n1,0.5\n' >fakes.csv
auc 0 "one class" fakes.csv --json
says "fakes: all rows are fake"
prints '"auroc": null'
grep -q '"video"' out && complain "a video level without paths"

printf 'score,label\n0.25,1\n0.5,0\n' >flipped.csv
{ printf 'label,score\n'; for i in 1 2 3 4 5 6 7 8 9 10; do
    printf '%d,0.%d1\n%d,0.%d1\n' $((i % 2)) $i $((i % 2)) $i
done; } >doubled.csv
auc 0 "bare rows, each twice" doubled.csv
says "written twice"
says "assumed to be independent"

auc 0 "labels the wrong way round" flipped.csv
says "below chance"

auc 0 "two files" p.csv p.csv
prints '^VIDEOS  AUROC  *0.750000  *0.750000  *+0.0000  *\[+0.0000, +0.0000\]  *1.0000$'
prints '^FRAMES  AUROC  *0.666667  *0.666667  *+0.0000  *\[+0.0000, +0.0000\]  *1.0000$'
auc 0 "two files as JSON" p.csv p.csv --json
prints '"difference_ci95": \['
prints '"p": 1'
auc 0 "two files as CSV" p.csv p.csv --format csv
prints '^X,frame,auroc,0.66666666666666663,0.66666666666666663,0,0,0,1,bootstrap_videos'
head -n 5 p.csv >fewer.csv
auc 1 "other rows" p.csv fewer.csv
says "1 rows of data set X are not in fewer.csv"
[ ! -s out ] || complain "prints half a comparison"
cp p.csv same.csv
auc 0 "three files" p.csv p.csv same.csv
[ "$(grep -c 'A is p.csv, B is ' out)" = 2 ] || complain "not two comparisons with the first: $(grep 'A is' out)"
auc 0 "three files as JSON" p.csv p.csv same.csv --json
prints '"first": "p.csv"'
prints '^ *"same.csv": {'
auc 0 "three files as CSV" p.csv p.csv same.csv --format csv
[ "$(grep -c '^dataset,' out)" = 1 ] || complain "not one table"
prints '^same.csv: X,frame,auroc,'
mkdir folder
cp p.csv folder/predictions.csv
auc 0 "a folder" folder --json
cp out by_folder
auc 0 "its file" p.csv --json
cmp -s out by_folder || complain "not the same as its predictions.csv"
mkdir hollow
auc 1 "a folder without scores" hollow
says "hollow: has no predictions.csv"
printf 'truth;probability;score;margin\nreal;0.1;0.9;1\nFake;0.8;0.2;2\nreal;0.7;0.1;3\nfake;0.9;0.3;4\n' >own.csv
auc 0 "columns of other names" own.csv --label-column truth --score-column probability --json
prints '"auroc": 1.0'
auc 0 "a column with a meaning of its own" own.csv --label-column truth --score-column margin --json
prints '"auroc": 0.75'
auc 1 "no such column" own.csv --label-column truth --score-column p
says "line 1: has no column p; give --score-column"
auc 2 "no file"
auc 2 "an unknown option" --jsn p.csv
says "--json"
auc 1 "a missing file" none.csv
auc 1 "a folder" .
printf 'label,score\n0,0.5\n1,x\n' >bad.csv
auc 1 "a bad number" bad.csv
says "bad.csv: line 3, column 2 (score): 'x' is not a number"
[ ! -s out ] || complain "prints half a table"
: >empty.csv
auc 1 "an empty file" empty.csv

finish
