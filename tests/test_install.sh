#!/bin/sh
# test_install.sh - tests `make install` into folders with unusual names, and builds a program with
# the installed library.
set -u
cd "$(dirname "$0")/.." || exit 1
tree=$PWD
. tests/support.sh
build=${BUILD:-build/release} # relative: BUILD must have no blanks, which the path of the tree may have
if grep -q fsanitize "${L%/*}/flags"; then
    echo "not run: a library with sanitizers needs their flags"
    exit 0
fi

holds() { # WHAT COMMAND...: the command succeeds
    what=$1
    shift
    steps=$((steps + 1))
    "$@" >out 2>err || complain "$what"
}

cat >use.c <<'C'
#include "vit/vit.h"
#include "train/metrics/metrics.h"
#include <stdio.h>
int main(void)
{
    VitConfig config;
    Error error = {0};
    if (vit_config_named("vit-l-14", &config, &error) != STATUS_OK)
        return 1;
    printf("%d\n", config.layers);
    return 0;
}
C

# -o all: installs without rebuilding.
# shellcheck disable=SC2317 # called through holds
install_into() { # DESTDIR PREFIX
    (cd "$tree" && make -s -o all install BUILD="$build" DESTDIR="$1" PREFIX="$2")
}

n=0
# shellcheck disable=SC2016 # these very names
for name in plain 'with blank' "quote's" 'dollar$x' 'ends/' 'a"b&c|d\e'; do
    n=$((n + 1))
    into=$T/$n/$name
    holds "make install DESTDIR=.../$name" install_into "$into" /usr
    holds "the program" test -x "$into/usr/bin/lnclip"
    holds "the man page" test -s "$into/usr/share/man/man1/lnclip.1"
    holds "completion for bash" grep -q -e "--allow-overlap" "$into/usr/share/bash-completion/completions/lnclip"
    holds "completion for zsh" grep -q "^#compdef lnclip" "$into/usr/share/zsh/site-functions/_lnclip"
    holds "the library" test -s "$into/usr/lib/liblnclip.a"
    holds "nothing beside it" test "$(ls "$T/$n")" = "${name%/}"
done
# shellcheck disable=SC2016 # for the inner shell
holds "a relative DESTDIR" sh -c 'cd "$1" && make -s -o all install BUILD="$2" DESTDIR=build/relative.$$ PREFIX=/usr &&
    test -x build/relative.$$/usr/bin/lnclip && rm -r build/relative.$$' sh "$tree" "$build"
holds "a PREFIX with a blank" install_into "" "$T/own prefix"
for prefix in "$T/own prefix" "$T/plain prefix"; do
    [ "$prefix" = "$T/own prefix" ] || { prefix=$T/plain && holds "a plain PREFIX" install_into "" "$prefix"; }
    export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
    holds "pkg-config knows it" pkg-config --exists lnclip
    # pkg-config escapes blanks for a shell
    holds "a program links with $prefix" sh -c \
        "\${CC:-cc} -std=c11 -D_GNU_SOURCE -o use use.c $(pkg-config --cflags --libs lnclip) && ./use"
done

# Every installed header compiles alone, outside the tree.
cd "$T/plain/include/lnclip" || exit 1
for header in */*.h */*/*.h; do
    case $header in *_template.h) continue ;; esac
    echo "#include \"$header\"" >"$T/one.c"
    ${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Werror -I. -fsyntax-only "$T/one.c" >"$T/out" 2>"$T/err" ||
        complain "$header does not compile alone"
    steps=$((steps + 1))
done
cd "$T" || exit 1

finish
