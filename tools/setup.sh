#!/bin/sh
# setup.sh WHAT... - install the Debian or Ubuntu packages that are missing.
#
# WHAT: build (compiler and libraries), test (Check), lint (clang-format, cppcheck, clang), fuzz (clang with libFuzzer), browser
# (Chromium and Python, for the look of reports).
# A package counts as missing when what it provides is not found. As root, or where `sudo -n` works,
# missing ones are installed; elsewhere the exact command is printed and the exit code is 1.
set -eu

missing=""
need_program() { # PROGRAM PACKAGE
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need_header() { # HEADER PACKAGE
    echo "#include <$1>" | "${CC:-cc}" -E -x c - >/dev/null 2>&1 || missing="$missing $2"
}
# Another BLAS has a cblas.h, too: only a program that links shows that this library is there.
need_library() { # LIBRARY HEADER PACKAGE
    printf '#include <stddef.h>\n#include <stdio.h>\n#include <%s>\nint main(void) { return 0; }\n' "$2" |
        "${CC:-cc}" -o /dev/null -x c - "-l$1" >/dev/null 2>&1 || missing="$missing $3"
}

# Debian 12 and later have the runtimes of clang in a package of their own, Ubuntu 22.04 beside its headers.
need_fuzzer_runtime() {
    version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
    version=${version:-14}
    if apt-cache show "libclang-rt-$version-dev" >/dev/null 2>&1; then
        missing="$missing libclang-rt-$version-dev"
    else
        missing="$missing libclang-common-$version-dev"
    fi
}

for what in "$@"; do
    case $what in
    build)
        need_program cc gcc
        need_program pkg-config pkg-config
        need_header stdio.h libc6-dev
        need_library openblas cblas.h libopenblas-dev
        need_header stb/stb_image.h libstb-dev
        need_library png png.h libpng-dev
        need_library jpeg jpeglib.h libjpeg-dev
        need_library deflate libdeflate.h libdeflate-dev
        need_header libavformat/avformat.h libavformat-dev
        need_header libswscale/swscale.h libswscale-dev
        need_library jansson jansson.h libjansson-dev
        need_library xxhash xxhash.h libxxhash-dev
        ;;
    test)
        need_header check.h check
        ;;
    lint)
        need_program clang-format-14 clang-format-14
        need_program cppcheck cppcheck
        need_program clang clang
        need_program shellcheck shellcheck
        ;;
    fuzz)
        need_program clang clang
        printf 'int LLVMFuzzerTestOneInput(void);\nint LLVMFuzzerTestOneInput(void) { return 0; }\n' |
            clang -fsanitize=fuzzer,address,undefined -o /dev/null -x c - 2>/dev/null || need_fuzzer_runtime
        ;;
    browser)
        need_program chromium chromium
        need_program python3 python3
        ;;
    *)
        echo "setup.sh: unknown set '$what': use build, test, lint, fuzz, browser" >&2
        exit 2
        ;;
    esac
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "lnclip needs these Debian packages, or what your system calls them:$missing" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    sudo=""
elif sudo -n true 2>/dev/null; then
    sudo="sudo -n"
else
    echo "Packages are missing and I may not install them. Please run:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 1
fi
echo "installing:$missing"
# The lists may be old or absent on a new machine; a failed update is fatal only if the install fails too.
$sudo apt-get update -qq || true
# shellcheck disable=SC2086 # both are lists of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
