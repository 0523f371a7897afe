#!/usr/bin/python3
"""Golden values for self-blended images: landmarks as NumPy writes them, and the blend computed with NumPy, SciPy and Pillow.

Writes, beside itself:
  sbi/*.npy   one face's landmarks in every kind of array that is read, and arrays that are refused
  sbi.txt     hull FILE POINTS WIDTH HEIGHT CRC32 of the bytes 0 and 1 of the hull's mask, by half-planes in exact arithmetic
              hsv, downscale, sharpen WIDTH HEIGHT PARAMETERS... CRC32 of the result on the pattern of that size
  sbi.bin     whole blends, one after the other; sbi.txt has their lines: blend WIDTH HEIGHT INDEX LANDMARKS
Nothing of sbi*.c is repeated where a library has it: the hull and the filters are SciPy's, the enlargement is Pillow's, and colours are
fractions. Made with NumPy 1.24, SciPy 1.10, Pillow 9.4 (Debian 12).
"""
import os
import zlib
from fractions import Fraction

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.spatial import ConvexHull

from make_images import crc, pattern
from philox import philox_words, uniforms

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "sbi")
TEST, NOISE = 8, 9  # purposes of tensor/random.h

rng = np.random.default_rng(20)


# --- landmarks -----------------------------------------------------------------------------------------


def face():
    """81 points of a face in a crop of 256 x 256, in dlib's order: jaw, then the features, then the forehead."""
    t = np.linspace(np.pi * 0.98, np.pi * 0.02, 17)
    jaw = np.stack([128 + 66 * np.cos(t), 132 + 98 * np.sin(t)], 1)
    inner = np.stack([rng.uniform(80, 176, 51), rng.uniform(100, 195, 51)], 1)
    inner[:10] = np.stack([np.linspace(78, 178, 10), 98 - 6 * np.sin(np.linspace(0, 2 * np.pi, 10))], 1)
    t = np.linspace(np.pi * 0.95, np.pi * 0.05, 13)
    forehead = np.stack([128 + 62 * np.cos(t), 104 - 52 * np.sin(t)], 1)
    return np.concatenate([jaw, inner, forehead])


def save(name, array, **options):
    np.save(os.path.join(FOLDER, name + ".npy"), array, **options)


def write_landmarks():
    os.makedirs(FOLDER, exist_ok=True)
    points = face()
    whole = np.rint(points)
    sets = {
        "f8": points,
        "f4": points.astype(np.float32),
        "i8": whole.astype(np.int64),
        "i4": whole.astype(np.int32),
        "fortran": np.asfortranarray(points),
        "half": points[:68],
        "faces": np.stack([whole[:68], whole[:68] * 0.5]).astype(np.int32),
        "faces_fortran": np.asfortranarray(np.stack([points, points + 1])),
        "outside": rng.integers(-150, 400, (81, 2)),
        "line": np.stack([np.arange(81) * 3 - 10, np.arange(81) * 2 + 5], 1),
        "level": np.stack([np.arange(81) + 20, np.full(81, 33)], 1),
        "point": np.tile(np.array([[17, 41]]), (68, 1)),
        "triangle": np.array([[3, 2], [60, 17], [24, 90]])[np.arange(68) % 3],
        "away": points + 1000,
    }
    for name, array in sets.items():
        save(name, array)
    with open(os.path.join(FOLDER, "version2.npy"), "wb") as f:
        np.lib.format.write_array(f, points, version=(2, 0))
    with open(os.path.join(FOLDER, "version3.npy"), "wb") as f:
        np.lib.format.write_array(f, points, version=(3, 0))
    save("big_endian", points.astype(">f8"))
    save("half_precision", points.astype(np.float16))
    save("complex", points.astype(np.complex64))
    save("object", np.array([[1, 2], [3, None]], dtype=object), allow_pickle=True)
    save("records", np.zeros(81, dtype=[("x", "<f4"), ("y", "<f4")]))
    save("scalar", np.float64(3))
    save("flat", points.ravel())
    save("seventy", points[:70])
    save("three", np.zeros((81, 3)))
    save("none", np.zeros((0, 81, 2)))
    save("deep", np.zeros((1, 1, 1, 81, 2)))
    broken = points.copy()
    broken[40, 1] = np.nan
    save("nan", broken)
    broken[40, 1] = 1e7
    save("far", broken)
    return sets


# --- mask ----------------------------------------------------------------------------------------------


def half_planes(points, width, height):
    """The cells in the hull of whole or f32 points: on the left of all edges of SciPy's hull, edges included."""
    points = np.asarray(points, np.float64)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    low, high = points.min(0), points.max(0)
    inside = (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1])
    if np.linalg.matrix_rank(points - points[0]) == 2:
        corners = points[ConvexHull(points).vertices]  # counter-clockwise
    else:
        ends = np.lexsort((points[:, 1], points[:, 0]))
        corners = points[ends[[0, -1]]]
    for a, b in zip(corners, np.roll(corners, -1, 0)):
        inside &= (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]) >= 0
    return inside


def reflected(values, kernel, axis):
    return ndimage.correlate1d(values, kernel, axis=axis, mode="mirror")


def gaussian(taps, sigma):
    kernel = np.exp(-0.5 * ((np.arange(taps) - taps // 2) / sigma) ** 2)
    return kernel / kernel.sum()


def displacement(seed, width, height):
    noise = philox_words(seed, NOISE, 0, 0, 2 * 80 * 80 // 4).astype(np.float64) / 2**31 - 1
    fields = []
    for field in noise.reshape(2, 80, 80):
        smooth = ndimage.gaussian_filter(50 / 4 * field, 7 / 4, truncate=4)[7:-7, 7:-7]
        at = np.mgrid[:height, :width] / 4
        fields.append(ndimage.map_coordinates(smooth, at, order=1))
    return fields


def soften(region, seed, erosion, blur, sigma):
    """The published mask: deformed, eroded by a square, blurred, its largest value 1."""
    height, width = region.shape
    shift_x, shift_y = displacement(seed, width, height)
    y, x = np.mgrid[:height, :width]
    from_x = np.clip(np.floor(x + shift_x + 0.5).astype(int), 0, width - 1)
    from_y = np.clip(np.floor(y + shift_y + 0.5).astype(int), 0, height - 1)
    mask = ndimage.minimum_filter(region[from_y, from_x].astype(np.float64), erosion, mode="nearest")
    for axis in 0, 1:
        mask = reflected(mask, gaussian(blur, sigma), axis)
    return mask / mask.max()


# --- the change of one side ----------------------------------------------------------------------------


def half_up(value):
    return int((2 * value + 1) // 2)


def shifted_hsv(rgb, shift):
    """Through hue in steps of 2 degrees, saturation and value of 8 bits, as fractions."""
    r, g, b = (int(v) for v in rgb)
    value, low = max(r, g, b), min(r, g, b)
    hue = saturation = 0
    if value > low:
        sixth = Fraction(g - b, value - low) if value == r else Fraction(b - r, value - low) + 2 if value == g else Fraction(r - g, value - low) + 4
        hue = half_up(30 * (sixth % 6)) % 180
        saturation = half_up(Fraction(255 * (value - low), value))
    hue = (hue + shift[0]) % 180
    saturation, value = (min(max(v + s, 0), 255) for v, s in zip((saturation, value), shift[1:]))

    def channel(n):  # the standard's formula: value - value * saturation * max(0, min(k, 4 - k, 1))
        k = (n + Fraction(hue, 30)) % 6
        return half_up(value - value * Fraction(saturation, 255) * max(0, min(k, 4 - k, 1)))

    return [channel(5), channel(3), channel(1)]


def hsv(image, shift):
    values = np.asarray(image).reshape(-1, 3)
    return np.array([shifted_hsv(v, shift) for v in values], np.uint8).reshape(np.asarray(image).shape)


def downscale(values, factor):
    height, width = values.shape[:2]
    rows, columns = height // factor, width // factor
    small = values[(np.arange(rows) * (height / rows)).astype(int)][:, (np.arange(columns) * (width / columns)).astype(int)]
    return np.asarray(Image.fromarray(small).resize((width, height), Image.BILINEAR))


def sharpen(values, alpha, lightness):
    kernel = np.full((3, 3, 1), -1.0)
    kernel[1, 1] = 8 + lightness
    same = np.zeros((3, 3, 1))
    same[1, 1] = 1
    result = ndimage.correlate(values.astype(np.float64), (1 - alpha) * same + alpha * kernel, mode="mirror")
    return np.floor(np.clip(result, 0, 255) + 0.5).clip(0, 255).astype(np.uint8)


def truncated(values):
    return np.clip(values, 0, 255).astype(np.uint8)


def changed(values, u):
    if u[1] < 0.3:
        values = truncated(values + (40 * u[2:5] - 20))
    values = hsv(values, [-int(v >= 0.5) for v in u[5:8]])
    values = truncated((0.9 + 0.2 * u[9]) * values + 255 * (0.2 * u[8] - 0.1))
    if u[10] < 0.5:
        return downscale(values, 2 if u[11] < 0.5 else 4)
    return sharpen(values, 0.2 + 0.3 * u[12], 0.5 + 0.5 * u[13])


# --- the blend -----------------------------------------------------------------------------------------


def at_centers(values, out_width, out_height):
    """Resized bilinearly, not antialiased, the middles of pixels upon each other."""
    height, width = values.shape
    y, x = np.mgrid[:out_height, :out_width]
    at = (y + 0.5) * height / out_height - 0.5, (x + 0.5) * width / out_width - 0.5
    return ndimage.map_coordinates(values, at, order=1, mode="nearest")


def self_blend(values, index, points):
    u = uniforms(1, TEST, index, 0, 28)
    height, width = values.shape[:2]
    scale = 0.95 + (1 / 0.95 - 0.95) * u[16:18]
    size = np.array([width, height])
    offset = (1 - scale) * (size - 1) / 2 + (2 * u[14:16] - 1) * np.array([0.03, 0.015]) * size
    cells = 192 + (65 * u[22:24]).astype(int)

    def to_grid(xy):
        return (scale * xy + offset + 0.5) * cells / size - 0.5

    if points is None:
        top, bottom = (0.18 + 0.18 * u[18]) * height, (0.88 + 0.08 * u[19]) * height
        center = to_grid(np.array([(width - 1) / 2, (top + bottom) / 2]))
        radius = np.array([(0.52 + 0.12 * u[20]) * width, bottom - top]) / 2 * scale * cells / size
        y, x = np.mgrid[: cells[1], : cells[0]]
        region = ((x - center[0]) / radius[0]) ** 2 + ((y - center[1]) / radius[1]) ** 2 <= 1
    else:
        region = half_planes(to_grid(points[:68] if u[18] < 0.25 else points), *cells)
    y, x = np.mgrid[: cells[1], : cells[0]]
    low, high = to_grid(np.array([-0.5, -0.5])), to_grid(size - 0.5)
    region &= (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1])
    mask = soften(region, int(u[21] * 2.0**53), *(5 + 2 * (11 * u[24:26]).astype(int)), 5 + int(41 * u[26]))
    mask = at_centers(mask, width, height)[..., None] * [0.25, 0.5, 0.75, 1, 1, 1][int(6 * u[27])]

    source, target = (changed(values, u), values) if u[0] < 0.5 else (values, changed(values, u))
    y, x = np.mgrid[:height, :width]
    at = (y - offset[1]) / scale[1], (x - offset[0]) / scale[0]
    moved = np.stack([ndimage.map_coordinates(source[..., c].astype(np.float64), at, order=1, mode="nearest") for c in range(3)], 2)
    return np.floor(mask * moved + (1 - mask) * target + 0.5).astype(np.uint8)


def write_values(sets):
    lines, blends = [], b""
    for name in "f4", "i4", "outside", "line", "level", "point", "triangle", "half":
        for count in sorted({68, len(sets[name])}):
            for width, height in (256, 256), (97, 64):
                mask = half_planes(sets[name].astype(np.float32)[:count], width, height).astype(np.uint8)
                lines.append(f"hull {name} {count} {width} {height} {zlib.crc32(mask.tobytes()):08x}")
    for width, height, shift in (31, 20, (0, 0, 0)), (40, 24, (-1, -1, -1)), (37, 32, (-1, 0, 0)), (33, 20, (50, 90, -60)), (16, 17, (-180, -90, 90)):
        lines.append(f"hsv {width} {height} {shift[0]} {shift[1]} {shift[2]} {crc(hsv(pattern(width, height), shift))}")
    for width, height, factor in (64, 48, 2), (64, 48, 4), (61, 47, 2), (62, 47, 4), (5, 4, 4):
        lines.append(f"downscale {width} {height} {factor} {crc(downscale(np.asarray(pattern(width, height)), factor))}")
    for width, height, alpha, lightness in (64, 48, 0.25, 0.5), (61, 48, 0.5, 1), (2, 2, 0.5, 0.75), (2, 33, 0.375, 0.5), (33, 2, 0, 1):
        lines.append(f"sharpen {width} {height} {alpha} {lightness} {crc(sharpen(np.asarray(pattern(width, height)), alpha, lightness))}")
    for index in range(32):
        width, height = (48, 42) if index % 2 == 0 else (37, 48)
        points = None if index % 4 < 2 else (sets["f4"] * [width / 256, height / 256]).astype(np.float32)
        lines.append(f"blend {width} {height} {index} {'none' if points is None else 'f4'}")
        values = np.asarray(pattern(width, height))
        blends += self_blend(values, index, None if points is None else points.astype(np.float64)).tobytes()
    with open(os.path.join(HERE, "sbi.txt"), "w") as f:
        f.write("\n".join(lines) + "\n")
    with open(os.path.join(HERE, "sbi.bin"), "wb") as f:
        f.write(blends)


write_values(write_landmarks())
