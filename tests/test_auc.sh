#!/bin/sh
# test_auc.sh - lnclip auc from outside: the table, --json, warnings and refusals. Needs no image and no model.
set -u
cd "$(dirname "$0")/.." || exit 1
L=$PWD/${BUILD:-build/release}/lnclip
case ${BUILD:-} in /*) L=$BUILD/lnclip ;; esac
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T" || exit 1
failures=0
steps=0

complain() {
    failures=$((failures + 1))
    echo "FAIL: $what: $*"
}

auc() { # CODE WHAT ARGUMENT...: runs it, stdout in out, stderr in err
    code=$1
    what=$2
    shift 2
    steps=$((steps + 1))
    "$L" auc "$@" >out 2>err </dev/null
    got=$?
    [ "$got" = "$code" ] || complain "exit code $got, expected $code"
    [ "$code" = 0 ] || tail -n 1 err | grep -q '^lnclip: error: .*: .*; .' || complain "no clear error"
}

prints() { # PATTERN: a line of stdout matches
    grep -q -e "$1" out || complain "stdout does not show '$1'"
}

says() { # TEXT: stderr holds it
    grep -qF -e "$1" err || complain "stderr does not say '$1'"
}

cat >p.csv <<'END'
files,labels,prob_class_0,prob_class_1,dataset,video
r/real/a/0.png,0,0.9,0.1,X,a
r/real/a/1.png,0,0.3,0.7,X,a
r/real/b/0.png,0,0.8,0.2,X,b
r/swap/c/0.png,1,0.4,0.6,X,c
r/face/d/0.png,1,0.7,0.3,X,d
END
auc 0 "a table" p.csv
prints '^ *real  *3  *2$'
prints '^ *fake  *2  *2$'
prints '^ *AUROC  *0.666667  *0.750000$'
prints 'FRAMES  *VIDEOS'
prints '0.500000  face (fake: 1 frames, 1 videos)'
[ ! -s err ] || complain "warns without cause"
auc 0 "JSON" p.csv --json
prints '"auroc": 0.75'
prints '"video": {'
prints '"tpr_at_fpr_0.001":'

{ cat p.csv; tail -n 1 p.csv; } >twice.csv
auc 0 "a row twice" twice.csv
says "1 row"

printf 'label,score\n1,0.25\n1,0.5\n' >fakes.csv
auc 0 "one class" fakes.csv --json
says "fakes: all rows are fake"
prints '"auroc": null'
grep -q '"video"' out && complain "a video level without paths"

printf 'score,label\n0.25,1\n0.5,0\n' >flipped.csv
auc 0 "labels the wrong way round" flipped.csv
says "below chance"

auc 2 "two files" p.csv p.csv
says "paired comparison"
auc 2 "no file"
auc 2 "an unknown option" --jsn p.csv
says "--json"
auc 1 "a missing file" none.csv
auc 1 "a folder" .
printf 'label,score\n0,0.5\n1,x\n' >bad.csv
auc 1 "a bad number" bad.csv
says "bad.csv: line 3, column 2 (score): 'x' is no number"
[ ! -s out ] || complain "prints half a table"
: >empty.csv
auc 1 "an empty file" empty.csv

echo "$steps steps, $failures failures"
[ "$failures" = 0 ]
