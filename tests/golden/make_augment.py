#!/usr/bin/python3
"""Golden values for augmentation: torchvision 0.14 on Pillow images, for many draws of each operation.

Writes, beside itself:
  augment.txt        OPERATION WIDTH HEIGHT PARAMETERS... CRC32 of the result on the pattern of that size
  augment_blur.bin   the results of the blurs, whose sums torchvision takes in another order, one after the other
The noise and the whole recipe are drawn by the Philox4x32-10 of philox.py.
Made with torchvision 0.14.1, Pillow 9.4 (libjpeg-turbo) and NumPy 1.24 (Debian 12).
"""
import io
import math
import os
import random

import numpy as np
import torchvision.transforms.functional as F
from PIL import Image
from torchvision.transforms import InterpolationMode

from make_images import crc, pattern
from philox import uniforms

HERE = os.path.dirname(os.path.abspath(__file__))
DRAWS = 50
AUGMENT, NOISE = 4, 9  # purposes of tensor/random.h


# --- operations ----------------------------------------------------------------------------------------


def affine(image, degrees, shift_x, shift_y, scale):
    return F.affine(image, degrees, [shift_x, shift_y], scale, [0.0, 0.0], InterpolationMode.NEAREST, fill=0)


def jpeg(image, quality):
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def noise(image, sigma, seed):
    values = np.asarray(image)
    u = uniforms(seed, NOISE, 0, 0, 2 * values.size)
    normal = np.sqrt(-2 * np.log(1 - u[0::2])) * np.cos(6.283185307179586476925 * u[1::2])
    noisy = values / np.float32(255) + np.float32(sigma) * normal.astype(np.float32).reshape(values.shape)
    assert noisy.dtype == np.float32
    return Image.fromarray((np.clip(noisy, 0, 1) * np.float32(255)).astype(np.uint8), "RGB")


def gend(image, seed, index, epoch):
    """The recipe of arXiv 2508.06248 with the draws of one frame; None where it blurs."""
    u = uniforms(seed, AUGMENT, index, epoch, 12)

    def between(low, high, i):
        return low + (high - low) * u[i]

    if u[5] < 0.1:
        return None
    if u[0] < 0.5:
        image = F.hflip(image)
    width, height = image.size
    far_x, far_y = 0.1 * width, 0.1 * height
    shift = round(between(-far_x, far_x, 2)), round(between(-far_y, far_y, 3))
    image = affine(image, between(-10, 10, 1), *shift, between(0.9, 1.1, 4))
    steps = [
        lambda x: F.adjust_brightness(x, 1 + between(-0.1, 0.1, 8)),
        lambda x: F.adjust_contrast(x, 1 + between(-0.1, 0.1, 9)),
    ]
    for step in reversed(steps) if u[7] < 0.5 else steps:
        image = step(image)
    return jpeg(image, 40 + int(61 * u[10]))


# --- draws ---------------------------------------------------------------------------------------------


def sides(rng):
    return rng.randint(30, 56), rng.randint(30, 48)


def main():
    rng = random.Random(4)
    lines, blurred = [], []

    def add(name, size, result, *parameters):
        lines.append(" ".join([name, str(size[0]), str(size[1]), *[repr(p) for p in parameters], crc(result)]))

    def draw(name, operation, *ranges):
        for i in range(DRAWS):
            size = sides(rng)
            parameters = [r(rng) for r in ranges]
            add(name, size, operation(pattern(*size), *parameters), *parameters)

    draw("flip", F.hflip)
    draw(
        "affine",
        affine,
        lambda r: r.uniform(-10, 10),
        lambda r: r.randint(-6, 6),
        lambda r: r.randint(-5, 5),
        lambda r: r.uniform(0.9, 1.1),
    )
    for degrees in (0.0, 90.0, -90.0, 180.0, 45.0, 1e-9):  # without rotation Pillow goes another way
        for shift_x, shift_y, scale in ((0, 0, 1.0), (3, -7, 1.5), (-100, 2, 0.3), (0, 50, 20.0)):
            size = sides(rng)
            parameters = degrees, shift_x, shift_y, scale
            add("affine", size, affine(pattern(*size), *parameters), *parameters)
    for size in ((1, 1), (1, 9), (9, 1), (33000, 3), (3, 33000)):  # the last two exceed 16.16
        for parameters in ((0.0, 0, 0, 0.9), (7.5, 1, 0, 1.1)):
            add("affine", size, affine(pattern(*size), *parameters), *parameters)
    draw("brightness", F.adjust_brightness, lambda r: r.uniform(0.9, 1.1))
    draw("contrast", F.adjust_contrast, lambda r: r.uniform(0.9, 1.1))
    for name, operation in (("brightness", F.adjust_brightness), ("contrast", F.adjust_contrast)):
        for factor in (0.0, 0.3, 1.0, 2.5, 300.0):
            add(name, (41, 30), operation(pattern(41, 30), factor), factor)
    draw("jpeg", jpeg, lambda r: r.randint(40, 100))
    draw("resize-bilinear", F.resize, lambda r: r.randint(1, 90))
    for size, shorter in (((1, 1), 1), ((1, 1), 7), ((1, 40), 3), ((40, 1), 2), ((48, 48), 48), ((31, 47), 31)):
        add("resize-bilinear", size, F.resize(pattern(*size), shorter), shorter)
    draw("noise", noise, lambda r: r.choice((0.001, 0.01, 0.03, 0.05, 0.1, 0.2, 5.0)), lambda r: r.getrandbits(53))
    for index in range(DRAWS):
        size = sides(rng)
        result = gend(pattern(*size), 7, index, 3)
        if result:
            add("gend", size, result, 7, index, 3)
    for i in range(DRAWS):
        size = rng.randint(10, 24), rng.randint(10, 24)
        kernel = [(3, 7), (7, 7), (1, 5), (13, 3), (9, 11)][0 if i < 20 else 1 if i < 40 else rng.randint(2, 4)]
        sigma = rng.uniform(0.1, 2)
        result = F.gaussian_blur(pattern(*size), list(kernel), [sigma, sigma])
        add("blur", size, result, *kernel, sigma)
        blurred.append(np.asarray(result).tobytes())
    for name in ("nearest", "box", "hamming", "bicubic", "lanczos"):

        def resize(image, shorter):
            return F.resize(image, shorter, InterpolationMode(name))

        draw("resize-" + name, resize, lambda r: r.randint(1, 90))
        for size, shorter in (((1, 1), 1), ((1, 1), 7), ((1, 40), 3), ((40, 1), 2), ((48, 48), 48), ((31, 47), 31)):
            add("resize-" + name, size, resize(pattern(*size), shorter), shorter)
        for shorter in (224, 112, 64):  # the sizes of GenD's tests
            add("resize-" + name, (299, 317), resize(pattern(299, 317), shorter), shorter)
        add("resize-" + name, (700, 1100), resize(pattern(700, 1100), 11), 11)  # many taps
        add("resize-" + name, (3, 11), resize(pattern(3, 11), 700), 700)
    with open(os.path.join(HERE, "augment.txt"), "w") as f:
        f.write("\n".join(lines) + "\n")
    with open(os.path.join(HERE, "augment_blur.bin"), "wb") as f:
        f.write(b"".join(blurred))


main()
