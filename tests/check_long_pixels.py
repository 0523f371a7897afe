#!/usr/bin/python3
"""check_long_pixels.py TEST_IMAGE FOLDER FILES SEED - see check_long_pixels.sh."""
import collections
import io
import os
import random
import re
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden"))
from make_images import ADAM7, CHANNELS, SIGNATURE, chunk, header, palette, rows  # noqa: E402

# What lnclip alone refuses, by its message: damage that Pillow reads over, and formats left out (docs/formats.md).
STRICTER = [
    ("16-bit grey", "PNG: 16-bit grey, which Pillow's versions convert differently"),
    ("CRC", "PNG: a wrong checksum, also of chunks that Pillow leaves out"),
    ("damaged PNG", "PNG: damage that Pillow leaves out or guesses over"),
    ("not in the palette", "PNG: an index beyond the palette, which Pillow takes for black"),
    ("damaged JPEG", "JPEG: a warning of the library"),
    ("ends too early", "an end within what Pillow does not need"),
    ("not a 24-bit or 32-bit BMP", "BMP: a depth left out"),
    ("not an 8-bit binary PNM", "PNM: a largest value other than 255"),
    ("unsupported image format|not an image", "another format"),
    ("damaged image", "BMP, PNM: damage that Pillow leaves out"),
]
# What Pillow alone refuses, by its message. Nothing: what lnclip reads, Pillow reads.
LAXER = {}


# --- images ------------------------------------------------------------------------------------------------------


def draw_png(rng):
    color = rng.choice(list(CHANNELS))
    depth = rng.choice({0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}[color])
    width, height, interlace = rng.randint(1, 20), rng.randint(1, 20), rng.random() < 0.3
    channels = CHANNELS[color]
    shape = (height, width) if channels == 1 else (height, width, channels)
    samples = np.random.RandomState(rng.getrandbits(31)).randint(0, 1 << depth, shape)
    raw = b""
    for x0, y0, dx, dy in ADAM7 if interlace else [(0, 0, 1, 1)]:
        lines = len(range(y0, height, dy)) if x0 < width else 0
        part = rows(samples, depth, channels, x0, y0, dx, dy)
        step = len(part) // lines if lines else 0
        for line in range(lines):  # any filter decodes to something
            raw += bytes([rng.randint(0, 4)]) + part[line * step + 1 : (line + 1) * step]
    before = palette(1 << depth) if color == 3 else b""
    if rng.random() < 0.2:
        size = {0: 2, 2: 6, 3: rng.randint(1, 1 << depth)}.get(color, 0)
        before += chunk(b"tRNS", rng.randbytes(size)) if size else b""
    if rng.random() < 0.1:
        before += chunk(b"gAMA", struct.pack(">I", rng.randint(1, 200000)))
    if rng.random() < 0.1:
        before = chunk(b"sRGB", b"\0") + before + chunk(b"tEXt", b"Title\0" + rng.randbytes(9).replace(b"\0", b"x"))
    if rng.random() < 0.05:  # rows too few, or too many
        raw = raw[: rng.randint(0, len(raw))] if rng.random() < 0.5 else raw + rng.randbytes(9)
    data = zlib.compress(raw, rng.randint(0, 9))
    cut = rng.randint(0, len(data))
    idat = chunk(b"IDAT", data[:cut]) + chunk(b"IDAT", data[cut:])
    return SIGNATURE + header(width, height, depth, color, int(interlace)) + before + idat + chunk(b"IEND", b"")


def draw_picture(rng, channels):
    width, height = rng.randint(1, 40), rng.randint(1, 40)
    random_state = np.random.RandomState(rng.getrandbits(31))
    values = random_state.randint(0, 256, (height, width, channels)).astype(np.uint8)
    if rng.random() < 0.5:  # smooth
        y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
        values = ((x * rng.randint(0, 9) + y * rng.randint(0, 9) + c * 40) % 256).astype(np.uint8)
    modes = {1: "L", 3: "RGB", 4: "CMYK"}
    return Image.fromarray(values[:, :, 0] if channels == 1 else values, modes[channels])


def draw_jpeg(rng):
    image = draw_picture(rng, rng.choice((1, 3, 3, 3, 4)))
    options = {"quality": rng.randint(1, 100), "progressive": rng.random() < 0.4, "optimize": rng.random() < 0.3}
    if image.mode == "RGB":
        options["subsampling"] = rng.randint(0, 2)
    out = io.BytesIO()
    image.save(out, "jpeg", **options)
    data = out.getvalue()
    if image.mode == "CMYK" and rng.random() < 0.5:  # YCCK
        at = data.index(b"Adobe") + 11
        data = data[:at] + b"\2" + data[at + 1 :]
    return data


def draw_other(rng):
    kind = rng.choice(("bmp", "bmp", "rgba", "ppm", "pgm", "palette"))
    image = draw_picture(rng, 1 if kind == "pgm" else 3)
    if kind == "rgba":
        image = image.convert("RGBA")
    if kind == "palette":
        image = image.convert("P")
    out = io.BytesIO()
    image.save(out, "ppm" if kind in ("ppm", "pgm") else "bmp")
    data = out.getvalue()
    if kind in ("bmp", "rgba") and rng.random() < 0.2:  # upside down
        height = struct.unpack("<i", data[22:26])[0]
        data = data[:22] + struct.pack("<i", -height) + data[26:]
    return data


# --- damage ------------------------------------------------------------------------------------------------------


def repair_png(data):
    """The same chunks with right checksums, as far as they can be told apart."""
    out, at = data[:8], 8
    while at + 8 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if at + 12 + length > len(data):
            break
        body = data[at + 4 : at + 8 + length]
        out += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return out + data[at:]


def damage(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not data:
            break
        # Headers are short and decide much: half of the damage is there.
        at = rng.randrange(min(len(data), 64) if rng.random() < 0.5 else len(data))
        how = rng.randrange(6)
        if how == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif how == 2:
            del data[at : at + rng.randint(1, 8)]
        elif how == 3:
            data[at:at] = rng.randbytes(rng.randint(1, 8))
        elif how == 4:
            del data[at + 1 :]
        else:
            data += rng.randbytes(rng.randint(1, 20))
    return bytes(data)


def draw(rng):
    kind = rng.choice(("png", "png", "jpeg", "other"))
    data = {"png": draw_png, "jpeg": draw_jpeg, "other": draw_other}[kind](rng)
    if rng.random() < 0.6:
        data = damage(rng, data)
        if kind == "png" and rng.random() < 0.7:
            data = repair_png(data)
    return data


# --- the two readers ---------------------------------------------------------------------------------------------


def read_pillow(data):
    """ "WIDTH HEIGHT CRC", or "error TEXT" """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened = Image.open(io.BytesIO(data))
            format_name = opened.format
            image = opened.convert("RGB")
        return "%d %d %08x" % (image.width, image.height, zlib.crc32(np.asarray(image).tobytes())), format_name
    except Exception as error:  # Pillow raises whatever its plugins raise
        return "error %s: %s" % (type(error).__name__, error), "unread"


def read_lnclip(program, paths):
    lines = subprocess.run(
        [program], input="\n".join(paths) + "\n", env=dict(os.environ, LNCLIP_READ_IMAGES="1"),
        stdout=subprocess.PIPE, check=True, text=True, errors="replace",
    ).stdout.splitlines()  # fmt: skip
    assert len(lines) == len(paths), "%d answers for %d files" % (len(lines), len(paths))
    return lines


def judge(ours, theirs, format_name):
    """What is counted, and whether it is allowed."""
    if ours.startswith("error ") and theirs.startswith("error "):
        return "both refuse", True
    if ours.startswith("error "):
        for pattern, reason in STRICTER:
            if re.search(pattern, ours):
                return "only lnclip refuses: " + reason, True
        return "only lnclip refuses, without a reason in the list", False
    if theirs.startswith("error "):
        for pattern, reason in LAXER.items():
            if re.search(pattern, theirs):
                return "only Pillow refuses: " + reason, True
        return "only Pillow refuses", False
    return ("both read, equal: " + format_name, True) if ours == theirs else ("both read, and differ", False)


def main():
    program, folder, count, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    counts, failures = collections.Counter(), 0
    BATCH = 1000
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        contents = [draw(random.Random(seed * 1000003 + i)) for i in numbers]
        paths = [os.path.join(folder, "%d" % i) for i in range(len(contents))]
        for path, data in zip(paths, contents):
            with open(path, "wb") as file:
                file.write(data)
        for number, data, ours in zip(numbers, contents, read_lnclip(program, paths)):
            theirs, format_name = read_pillow(data)
            what, allowed = judge(ours, theirs, format_name)
            counts[what] += 1
            if not allowed:
                failures += 1
                kept = os.path.join(os.environ.get("KEEP", folder), "pixels-%d" % number)
                if "KEEP" in os.environ:
                    with open(kept, "wb") as file:
                        file.write(data)
                if failures <= 20:
                    print("FAIL  file %d (KEEP=FOLDER keeps it): lnclip: %s; Pillow: %s" % (number, ours, theirs))
    for what, times in sorted(counts.items()):
        print("%7d  %s" % (times, what))
    equal = sum(times for what, times in counts.items() if what.startswith("both read, equal"))
    if equal < count // 5:
        print("FAIL  only %d of %d files were read by both" % (equal, count))
        failures += 1
    print("%d files, Pillow %s: %d failures" % (count, Image.__version__, failures))
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
