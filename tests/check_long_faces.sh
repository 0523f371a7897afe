#!/bin/sh
# check_long_faces.sh - compares lnclip faces with dlib and OpenCV, and checks that nothing harms it.
#
# Needs Debian's libdlib-dev, libdlib-data, g++, python3-opencv and ffmpeg. Images are drawn by
# lnclip synth. Set RUNS for another number of damaged files (default 1000), KILLS of kills (50).
# With build/asan/lnclip (make CONFIG=asan), damaged files are read by it. About 20 minutes.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build/release}
PYTHON=${PYTHON:-/usr/bin/python3}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
[ -x "$BUILD/tests/test_video" ] || {
    echo "skipped: $BUILD/tests/test_video is not built"
    exit 77
}
if ! "$PYTHON" -c 'import cv2, numpy' 2>/dev/null || ! command -v ffmpeg >/dev/null ||
    ! [ -e /usr/share/dlib/shape_predictor_68_face_landmarks.dat ]; then
    echo "skipped: needs python3-opencv, ffmpeg and libdlib-data"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
g++ -O2 -std=c++17 tests/golden/make_faces.cc -ldlib -lblas -llapack -o "$folder/make_faces" 2>/dev/null || {
    echo "skipped: needs g++ and libdlib-dev"
    exit 77
}
build=$(cd "$BUILD" && pwd -P)
hard=$build/lnclip
[ ! -x build/asan/lnclip ] || hard=$PWD/build/asan/lnclip
golden=$PWD/tests/golden
export build hard golden
"$PYTHON" tests/check_long_faces.py "$folder" "${RUNS:-1000}" "${KILLS:-50}"
