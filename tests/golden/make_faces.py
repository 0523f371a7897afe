#!/usr/bin/env python3
"""Golden faces: what dlib and OpenCV make of synthetic faces.

    make_faces.py LNCLIP MAKE_FACES     with python3-opencv 4.6 (Debian 12) and the program of make_faces.cc

Writes next to itself:
  faces.png  a sheet of synthetic faces, drawn by lnclip synth
  faces.dat  a small shape predictor in dlib's format: 68 points, random trees
  faces.txt  for cuts of the sheet: the faces and points that dlib finds
  faces.mp4  ten frames that pan over a face of the sheet (H.264, by ffmpeg 5.1)
  faces_video.png  frames 0, 4 and 9 of faces.mp4 as cv2.VideoCapture reads them, next to each other
  align.txt  similarities of OpenCV's LMEDS, and CRC-32 of crops by warpAffine
"""
import os
import struct
import subprocess
import sys
import tempfile
import zlib

import cv2
import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
lnclip, make_faces = sys.argv[1:3]
rng = np.random.RandomState(7)
FACE, COLUMNS, ROWS = 112, 4, 2

# Cuts of the sheet: x, y, width, height, zoom (pixels repeated), mirrored.
CUTS = [(0, 0, 488, 264, 1, 0), (0, 0, 488, 264, 1, 1), (3, 5, 301, 233, 1, 0), (120, 0, 130, 131, 2, 0),
        (0, 0, 122, 132, 3, 0), (244, 132, 123, 128, 2, 1), (366, 7, 121, 122, 1, 0), (10, 10, 90, 60, 1, 0),
        (0, 0, 17, 9, 1, 0), (200, 100, 1, 1, 1, 0), (60, 60, 333, 64, 2, 0)]


def cut(sheet, x, y, width, height, zoom, mirrored):
    image = sheet[y:y + height, x:x + width].repeat(zoom, 0).repeat(zoom, 1)
    return image[:, ::-1] if mirrored else image


def make_sheet(folder):
    """Faces that dlib finds, on a background of smooth noise."""
    subprocess.check_call([lnclip, 'synth', '--quiet', '--out', folder + '/synth', '--videos', '40', '--frames', '2',
                           '--size', '224'], stderr=subprocess.DEVNULL)
    height, width = ROWS * 132, COLUMNS * 122
    noise = rng.normal(110, 20, (height // 6 + 1, width // 6 + 1, 3)).clip(0, 255).astype(np.uint8)
    sheet = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    found = 0
    for video in range(40):
        image = cv2.imread(f'{folder}/synth/real/{video:03d}/000.png')
        if image is None:
            raise SystemExit('synth: another layout')
        image = cv2.resize(image, (FACE, FACE), interpolation=cv2.INTER_AREA) & 0xf8
        cv2.imwrite(folder + '/one.ppm', image)
        out = subprocess.run([make_faces, here + '/faces.dat', folder + '/one.ppm'], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, check=True).stdout.decode()
        if 'faces 1 0' in out or found == COLUMNS * ROWS:
            continue
        y, x = 132 * (found // COLUMNS) + 10, 122 * (found % COLUMNS) + 5
        sheet[y:y + FACE, x:x + FACE] = image
        found += 1
    print(found, 'faces')
    return sheet & 0xf8


def integer(value):
    magnitude = abs(value)
    count = max(1, (magnitude.bit_length() + 7) // 8)
    return bytes([count | (0x80 if value < 0 else 0)]) + magnitude.to_bytes(count, 'little')


def number(value):
    """A multiple of 1/4096."""
    return integer(int(round(value * 4096))) + integer(-12)


def base_shape():
    """68 points in the order of iBUG, in units of the box."""
    arc = [(.5 - .48 * np.cos(t), .35 + .62 * np.sin(t)) for t in np.linspace(0, np.pi, 17)]
    brows = [(.12 + .08 * i, .22 - .02 * (2 - abs(i - 2))) for i in range(5)]
    brows += [(1 - x, y) for x, y in reversed(brows)]
    nose = [(.5, .34 + .08 * i) for i in range(4)] + [(.4 + .05 * i, .64 + .02 * (2 - abs(i - 2))) for i in range(5)]
    eyes = [(cx + .08 * np.cos(t), .36 - .035 * np.sin(t)) for cx in (.28, .72) for t in np.arange(6) * -np.pi / 3 + np.pi]
    mouth = [(.5 - .18 * np.cos(t), .8 - .07 * np.sin(t)) for t in np.arange(12) * np.pi / 6]
    mouth += [(.5 - .14 * np.cos(t), .8 - .03 * np.sin(t)) for t in np.arange(8) * np.pi / 4]
    return np.array(arc + brows + nose + eyes + mouth)


def make_predictor(path, forests=2, trees=4, splits=3, pixels=24):
    shape = base_shape()
    points = len(shape)
    assert points == 68

    def matrix(values):
        return integer(-2 * points) + integer(-1) + b''.join(number(v) for v in values)

    out = integer(1) + matrix(shape.ravel()) + integer(forests)
    for _ in range(forests):
        out += integer(trees)
        for _ in range(trees):
            out += integer(splits)
            for _ in range(splits):
                out += integer(rng.randint(pixels)) + integer(rng.randint(pixels)) + number(rng.uniform(-20, 20))
            out += integer(splits + 1)
            for _ in range(splits + 1):
                out += matrix(rng.normal(0, .004, 2 * points) + rng.normal(0, .01))
    out += integer(forests)
    for _ in range(forests):
        out += integer(pixels) + b''.join(integer(rng.randint(points)) for _ in range(pixels))
    out += integer(forests)
    for _ in range(forests):
        out += integer(pixels) + b''.join(number(v) for v in rng.normal(0, .1, 2 * pixels))
    with open(path, 'wb') as file:
        file.write(out)


def make_video(sheet):
    with tempfile.TemporaryDirectory() as folder:
        for i in range(10):
            cv2.imwrite(f'{folder}/{i:03d}.png', sheet[i // 2:i // 2 + 132, i:i + 122])
        subprocess.check_call(['ffmpeg', '-v', 'error', '-y', '-framerate', '25', '-i', folder + '/%03d.png', '-c:v', 'libx264',
                               '-crf', '23', '-pix_fmt', 'yuv420p', '-fflags', '+bitexact', here + '/faces.mp4'])
    capture, frames = cv2.VideoCapture(here + '/faces.mp4'), []
    for _ in range(10):
        frames.append(capture.read()[1])
    cv2.imwrite(here + '/faces_video.png', np.hstack([frames[0], frames[4], frames[9]]))


def main():
    make_predictor(here + '/faces.dat')
    with tempfile.TemporaryDirectory() as folder, open(here + '/faces.txt', 'w') as out:
        sheet = make_sheet(folder)
        cv2.imwrite(here + '/faces.png', sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        make_video(sheet)
        out.write('# Made by make_faces.py with dlib 19.24: cut x y width height zoom mirrored, then its faces.\n')
        for row in CUTS:
            cv2.imwrite(folder + '/cut.ppm', cut(sheet, *row))
            out.write('cut %d %d %d %d %d %d\n' % row)
            out.write(subprocess.run([make_faces, here + '/faces.dat', folder + '/cut.ppm'], stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL, check=True).stdout.decode())
    target = np.array([(.34, .46), (.66, .46), (.5, .64), (.37, .82), (.63, .82)]) * 256
    target = ((target + 38.4) * 256 / 332.8).astype(np.float32)
    with open(here + '/align.txt', 'w') as out:
        out.write('# Made by make_faces.py with OpenCV %s.\n' % cv2.__version__)
        for _ in range(12):
            points = (target + rng.normal(0, 8, (5, 2)) + rng.normal(0, 40, (1, 2))).astype(np.float32)
            map_, _ = cv2.estimateAffinePartial2D(points, target, method=cv2.LMEDS)
            out.write('median %s %s\n' % (' '.join('%.9g' % v for v in points.ravel()),
                                          ' '.join('%.9g' % v for v in (map_[0, 0], map_[1, 0], map_[0, 2], map_[1, 2]))))
        for _ in range(12):
            angle, scale, shift = rng.uniform(-3.2, 3.2), rng.uniform(.3, 2), rng.uniform(-200, 200, 2)
            a, b = scale * np.cos(angle), scale * np.sin(angle)
            map_ = np.array([[a, -b, shift[0]], [b, a, shift[1]]])
            crop = cv2.warpAffine(sheet[:, :, ::-1].copy(), map_, (96, 96), flags=cv2.INTER_LINEAR)
            out.write('warp %.17g %.17g %.17g %.17g %08x\n' % (a, b, shift[0], shift[1], zlib.crc32(crop.tobytes())))


main()
