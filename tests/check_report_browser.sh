#!/bin/sh
# check_report_browser.sh - makes the pages of test_report.sh and checks them with headless Chromium
# (check_report_browser.py). Exits 77, with the reason, without a browser or python3.
set -u
cd "$(dirname "$0")/.." || exit 1
if ! command -v python3 >/dev/null 2>&1; then
    echo "skipped: no python3 to talk to a browser with; on Debian: apt-get install python3"
    exit 77
fi
check=tests/check_report_browser.py
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
python3 "$check" --find || exit
KEEP=$T sh tests/test_report.sh || exit 1
bad=0
for page in "$T"/*.html; do
    echo "-- $(basename "$page")"
    python3 "$check" "$page" || bad=1
done

# Each check must detect a fault.
spoil() { # WHAT SED-EXPRESSION
    sed "$2" "$T/scores.html" >"$T/spoilt"
    mv "$T/spoilt" "$T/spoilt.html"
    if python3 "$check" "$T/spoilt.html" >"$T/log" 2>&1; then
        echo "FAIL: a page with $1 passes"
        bad=1
    fi
}
spoil "pale text" 's/--soft:#5c6066/--soft:#9aa0a6/'
spoil "pale text in the dark" 's/--soft:#a4a8ae/--soft:#505458/'
spoil "a table wider than the page" 's/\.scroll{overflow-x:auto/.scroll{overflow-x:visible/'
spoil "a table that scrolls without a hint" 's/animation-timeline:scroll(self inline)//'
spoil "a caption that scrolls away" 's/position:sticky;left:0;max-width:100cqw/max-width:100cqw/'
spoil "scores that are cut off" 's/\.frames b{/&width:1.5rem;overflow:hidden;/'
spoil "plots that are not aligned" 's/display:block;align-self:end}/display:block}/;s/grid-template-rows:subgrid;//'
spoil "a script that its policy forbids" 's|</footer>|<script>1</script></footer>|'
spoil "something to fetch" 's|</footer>|<img src="http://127.0.0.1:9/x.png" alt="x"></footer>|'
spoil "a heading left out" 's|<h2>Coverage</h2>|<h5>Coverage</h5>|'
[ $bad = 0 ] && echo "reports in the browser: all good"
exit $bad
