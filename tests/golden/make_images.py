#!/usr/bin/python3
"""Golden values for images: what Pillow makes of many files, sizes and JPEG qualities.

Writes, beside itself:
  images/*             small files of every kind, good and bad
  images.txt           FILE WIDTH HEIGHT CRC32 of Pillow's convert("RGB"), or FILE error WORDS of our message
  resize.txt           WIDTH HEIGHT SIZE CRC32 of CLIP's resize and centre crop by Pillow
  resize_full.txt      WIDTH HEIGHT NEW_WIDTH NEW_HEIGHT CRC32 of Pillow's bicubic
  jpeg_roundtrip.txt   WIDTH HEIGHT QUALITY CRC32 of save(quality) and load
  normalize.txt        CLIPImageProcessor's value for each channel and pixel value, in hexadecimal
Made with Pillow 9.4 and NumPy 1.24 (Debian 12).
"""
import io
import os
import random
import struct
import sys
import zlib

import numpy as np
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "images")


def crc(image):
    return "%08x" % zlib.crc32(np.asarray(image).tobytes())


def pattern(width, height):
    """The same pixels as support_pattern in tests/support_image.c."""
    y, x, c = np.meshgrid(
        np.arange(height, dtype=np.uint32), np.arange(width, dtype=np.uint32), np.arange(3, dtype=np.uint32), indexing="ij"
    )
    if (width + height) % 2 == 0:
        v = x * np.uint32(5) + y * np.uint32(3) + c * np.uint32(40) + ((x * y) >> np.uint32(4))
    else:
        v = x * np.uint32(73856093) ^ y * np.uint32(19349663) ^ c * np.uint32(83492791)
        v ^= v >> np.uint32(13)
        v = v * np.uint32(1274126177)
        v >>= np.uint32(16)
    return Image.fromarray((v & np.uint32(255)).astype(np.uint8), "RGB")


# --- PNG, written by hand so that every variant exists ---------------------------------------------

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind, data, damage=False):
    check = zlib.crc32(kind + data) ^ (1 if damage else 0)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def header(width, height, depth, color, interlace=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace))


def rows(samples, depth, channels, x0, y0, dx, dy):
    out = b""
    for line in samples[y0::dy]:
        values = line[x0::dx].ravel() if channels > 1 else line[x0::dx]
        if len(values) == 0:
            continue
        out += b"\0"
        if depth == 16:
            out += values.astype(">u2").tobytes()
        elif depth == 8:
            out += values.astype(np.uint8).tobytes()
        else:
            bits = "".join(format(int(v), "0%db" % depth) for v in values)
            bits += "0" * (-len(bits) % 8)
            out += bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    return out


CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def raw_png(width, height, depth, color, interlace=False, seed=1):
    channels = CHANNELS[color]
    shape = (height, width) if channels == 1 else (height, width, channels)
    samples = np.random.RandomState(seed).randint(0, 1 << depth, shape)
    passes = ADAM7 if interlace else [(0, 0, 1, 1)]
    return b"".join(rows(samples, depth, channels, *p) for p in passes)


def png(width, height, depth, color, interlace=False, before=b"", pieces=1):
    data = zlib.compress(raw_png(width, height, depth, color, interlace))
    step = -(-len(data) // pieces)
    idat = b"".join(chunk(b"IDAT", data[i : i + step]) for i in range(0, len(data), step))
    return SIGNATURE + header(width, height, depth, color, int(interlace)) + before + idat + chunk(b"IEND", b"")


def palette(count):
    return chunk(b"PLTE", np.random.RandomState(2).randint(0, 256, 3 * count).astype(np.uint8).tobytes())


GOOD, BAD = {}, {}


def make_png():
    for interlace in (False, True):
        name = "-interlaced" if interlace else ""
        for depth in (1, 2, 4, 8):
            GOOD["grey%d%s.png" % (depth, name)] = png(13, 11, depth, 0, interlace)
            colors = palette(1 << depth)
            GOOD["palette%d%s.png" % (depth, name)] = png(13, 11, depth, 3, interlace, colors)
        for depth in (8, 16):
            GOOD["rgb%d%s.png" % (depth, name)] = png(13, 11, depth, 2, interlace)
            GOOD["rgba%d%s.png" % (depth, name)] = png(13, 11, depth, 6, interlace)
            GOOD["greyalpha%d%s.png" % (depth, name)] = png(13, 11, depth, 4, interlace)
    gamma = chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"cHRM", struct.pack(">8I", *range(1, 9)))
    GOOD["rgb8-gamma.png"] = png(13, 11, 8, 2, before=gamma)
    GOOD["rgb8-srgb-text.png"] = png(13, 11, 8, 2, before=chunk(b"sRGB", b"\0") + chunk(b"tEXt", b"Title\0frame"))
    GOOD["rgb8-transparent.png"] = png(13, 11, 8, 2, before=chunk(b"tRNS", struct.pack(">3H", 1, 2, 3)))
    GOOD["grey8-transparent.png"] = png(13, 11, 8, 0, before=chunk(b"tRNS", struct.pack(">H", 7)))
    GOOD["palette4-transparent.png"] = png(13, 11, 4, 3, before=palette(16) + chunk(b"tRNS", bytes(range(16))))
    GOOD["rgb8-pieces.png"] = png(13, 11, 8, 2, pieces=9)
    GOOD["rgb8-column.png"] = png(1, 40, 8, 2)
    GOOD["rgb8-row.png"] = png(40, 1, 8, 2)
    filtered = io.BytesIO()
    pattern(32, 20).save(filtered, "png")
    GOOD["filtered.png"] = filtered.getvalue()

    whole = GOOD["rgb8.png"]
    raw = raw_png(13, 11, 8, 2)
    data = zlib.compress(raw)

    def rgb(idat, **options):
        return SIGNATURE + header(13, 11, 8, 2) + options.get("before", b"") + idat + chunk(b"IEND", b"")

    BAD["grey16.png"] = (png(13, 11, 16, 0), "16-bit grey")
    BAD["cut-half.png"] = (whole[: len(whole) // 2], "ends too early")
    BAD["cut-end.png"] = (whole[:-12], "ends too early")
    BAD["cut-header.png"] = (whole[:20], "ends too early")
    BAD["crc-pixels.png"] = (rgb(chunk(b"IDAT", data, True)), "CRC")
    BAD["crc-text.png"] = (png(13, 11, 8, 2, before=chunk(b"tEXt", b"Title\0frame", True)), "CRC")
    BAD["crc-header.png"] = (whole[:29] + b"\0\0\0\0" + whole[33:], "CRC")
    BAD["adler.png"] = (rgb(chunk(b"IDAT", data[:-1] + bytes([data[-1] ^ 1]))), "damaged PNG")
    BAD["deflate.png"] = (rgb(chunk(b"IDAT", data[:30] + b"\xff" * 30 + data[60:])), "damaged PNG")
    BAD["rows-missing.png"] = (rgb(chunk(b"IDAT", zlib.compress(raw[:200]))), "damaged PNG")
    BAD["no-pixels.png"] = (rgb(b""), "damaged PNG")
    BAD["no-palette.png"] = (png(13, 11, 8, 3), "damaged PNG")
    BAD["palette-index.png"] = (png(13, 11, 8, 3, before=palette(20)), "not in the palette")
    BAD["critical.png"] = (png(13, 11, 8, 2, before=chunk(b"ABCD", b"?")), "damaged PNG")
    BAD["zero-width.png"] = (SIGNATURE + header(0, 11, 8, 2) + chunk(b"IDAT", data) + chunk(b"IEND", b""), "zero")
    BAD["too-large.png"] = (SIGNATURE + header(13378, 13378, 8, 2) + chunk(b"IDAT", data) + chunk(b"IEND", b""), "limit")
    BAD["bomb.png"] = (SIGNATURE + header(0x7FFFFFFF, 0x7FFFFFFF, 8, 2) + chunk(b"IDAT", data), "limit")
    BAD["text.png"] = (b"this is not an image\n", "unsupported image format")
    BAD["empty.png"] = (b"", "empty")
    BAD["signature.png"] = (SIGNATURE, "ends too early")


def make_jpeg():
    def save(image, **options):
        out = io.BytesIO()
        image.save(out, "jpeg", **options)
        return out.getvalue()

    image = pattern(37, 22)
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        GOOD["rgb-%s.jpg" % name] = save(image, quality=80, subsampling=subsampling)
        GOOD["rgb-%s-progressive.jpg" % name] = save(image, quality=60, subsampling=subsampling, progressive=True)
    GOOD["grey.jpg"] = save(image.convert("L"), quality=75)
    GOOD["noise.jpg"] = save(pattern(38, 21), quality=90)
    exif = Image.Exif()
    exif[0x112] = 6
    GOOD["exif-rotated.jpg"] = save(image, quality=75, exif=exif)
    inks = Image.merge("CMYK", [pattern(20, 15).getchannel(i) for i in (0, 1, 2, 1)])
    GOOD["cmyk.jpg"] = save(inks, quality=90)
    at = GOOD["cmyk.jpg"].index(b"Adobe") + 11
    assert GOOD["cmyk.jpg"][at] == 0
    GOOD["ycck.jpg"] = GOOD["cmyk.jpg"][:at] + b"\2" + GOOD["cmyk.jpg"][at + 1 :]
    at = GOOD["rgb-444.jpg"].index(b"JFIF") - 4
    GOOD["adobe-rgb.jpg"] = (
        GOOD["rgb-444.jpg"][:at] + b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0" + GOOD["rgb-444.jpg"][at + 18 :]
    )

    whole = GOOD["rgb-420.jpg"]
    BAD["cut-half.jpg"] = (whole[: len(whole) - 80], "Premature end")
    BAD["cut-end.jpg"] = (whole[:-2], "Premature end")
    BAD["cut-header.jpg"] = (whole[:40], "damaged JPEG")
    BAD["garbage.jpg"] = (whole[:-60] + b"\xff\x00" * 20 + whole[-20:], "damaged JPEG")
    BAD["cut-progressive.jpg"] = (GOOD["rgb-420-progressive.jpg"][:-100], "Premature end")
    frame = whole.index(b"\xff\xc0") + 5
    BAD["zero-height.jpg"] = (whole[:frame] + b"\0\0" + whole[frame + 2 :], "damaged JPEG")
    BAD["too-large.jpg"] = (whole[:frame] + struct.pack(">HH", 65500, 65500) + whole[frame + 4 :], "limit")
    BAD["twelve-bit.jpg"] = (whole[: frame - 1] + b"\x0c" + whole[frame:], "damaged JPEG")


def make_others():
    def save(image, kind):
        out = io.BytesIO()
        image.save(out, kind)
        return out.getvalue()

    image = pattern(31, 18)
    GOOD["rgb.bmp"] = save(image, "bmp")
    GOOD["rgba.bmp"] = save(image.convert("RGBA"), "bmp")
    GOOD["rgb.ppm"] = save(image, "ppm")
    GOOD["grey.pgm"] = save(image.convert("L"), "ppm")
    GOOD["tiny.ppm"] = b"P6\n# a comment\n1 1\n255\n\x0a\x0b\x0c"
    GOOD["wrong-suffix.png"] = save(image, "bmp")
    BAD["palette.bmp"] = (save(image.convert("P"), "bmp"), "24-bit or 32-bit")
    BAD["cut.bmp"] = (GOOD["rgb.bmp"][:-5], "ends too early")
    BAD["cut-header.bmp"] = (GOOD["rgb.bmp"][:20], "24-bit or 32-bit")
    BAD["cut-one.ppm"] = (GOOD["rgb.ppm"][:-1], "ends too early")
    # The rest that stb_image asks for after its first 128 bytes is exactly 128 long: the size of its buffer.
    BAD["cut-buffer.pgm"] = (b"P5 61 4 255\n" + b"x" * 243, "ends too early")
    BAD["maximum.ppm"] = (b"P6 1 1 100\nabc", "largest value")
    BAD["deep.pgm"] = (b"P5 1 1 65535\nab", "largest value")
    BAD["overflow.ppm"] = (b"P6 99999999999 1 255\nabc", "largest value")
    BAD["too-large.ppm"] = (b"P6 99999 99999 255\nabc", "limit")
    BAD["zero.ppm"] = (b"P6 0 5 255\nabc", "image is empty")
    BAD["text.ppm"] = (b"P3 1 1 255\n1 2 3\n", "unsupported image format")
    # What stb_image reads over: any byte between the numbers, and a compression above 2^31.
    BAD["magic.pgm"] = (b"P53 1 1 255\n" + b"x" * 9, "largest value")
    BAD["separator.pgm"] = (b"P5 1 1 255\xeb" + b"x" * 9, "largest value")
    compression = b"\xa5\x34\x20\xba"
    BAD["compression.bmp"] = (GOOD["rgb.bmp"][:30] + compression + GOOD["rgb.bmp"][34:], "compressed BMP")
    BAD["frame.gif"] = (save(image.convert("P"), "gif"), "unsupported image format")


def write_files():
    make_png()
    make_jpeg()
    make_others()
    os.makedirs(FOLDER, exist_ok=True)
    lines = []
    for name, content in sorted(GOOD.items()):
        image = Image.open(io.BytesIO(content)).convert("RGB")
        lines.append("%s %d %d %s" % (name, image.width, image.height, crc(image)))
        with open(os.path.join(FOLDER, name), "wb") as file:
            file.write(content)
    for name, (content, words) in sorted(BAD.items()):
        lines.append("%s error %s" % (name, words))
        with open(os.path.join(FOLDER, name), "wb") as file:
            file.write(content)
    return lines


# --- Resizing ---------------------------------------------------------------------------------------

def clip_crop(image, size):
    """CLIPImageProcessor: shorter edge to size, the longer truncated, centre crop."""
    short, long = sorted(image.size)
    long = int(size * long / short)
    width, height = (size, long) if image.width <= image.height else (long, size)
    image = image.resize((width, height), Image.BICUBIC)
    top, left = (height - size) // 2, (width - size) // 2
    return np.asarray(image)[top : top + size, left : left + size]


def crop_sizes():
    draw = random.Random(5)
    sizes = [(n, n, 224) for n in (1, 2, 3, 7, 111, 112, 223, 224, 225, 226, 255, 256, 257, 299, 320, 384, 448, 512, 513)]
    sizes += [(1, n, 224) for n in (2, 3, 5, 17, 100, 300)] + [(n, 1, 224) for n in (2, 3, 5, 17, 100, 300)]
    sizes += [(2, 301, 224), (301, 2, 224), (3, 1000, 224), (1000, 3, 224), (224, 225, 224), (225, 224, 224)]
    sizes += [(224, 500, 224), (500, 224, 224), (1280, 720, 224), (720, 1280, 224), (1999, 700, 224)]
    sizes += [(256, 256, s) for s in (1, 2, 14, 32, 64, 256, 336, 384)] + [(300, 200, 336), (200, 300, 336), (301, 401, 64)]
    while len(sizes) < 240:
        most = 700 if len(sizes) % 4 == 0 else 330
        sizes.append((draw.randint(1, most), draw.randint(1, most), 224))
    return sizes


FULL_SIZES = [(1, 1, 1, 1), (1, 1, 5, 3), (5, 3, 1, 1), (17, 9, 17, 9), (17, 9, 17, 30), (17, 9, 40, 9), (100, 80, 33, 27)]
FULL_SIZES += [(33, 27, 100, 80), (640, 3, 5, 200), (3, 640, 200, 5), (64, 64, 63, 65), (300, 300, 7, 7), (9, 200, 9, 100)]


def write(name, lines):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def normalized():
    mean = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)
    std = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 256, 1).repeat(3, axis=2)
    image = (pixels * (1 / 255)).astype(np.float32)  # transformers.image_transforms.rescale
    image = (image - mean) / std  # and normalize
    return ["%s" % float(image[0, value, c]).hex() for c in range(3) for value in range(256)]


def main():
    write("images.txt", write_files())
    write("resize.txt", ["%d %d %d %s" % (w, h, s, crc(clip_crop(pattern(w, h), s))) for w, h, s in crop_sizes()])
    write("resize_full.txt", ["%d %d %d %d %s" % (w, h, a, b, crc(pattern(w, h).resize((a, b), Image.BICUBIC))) for w, h, a, b in FULL_SIZES])
    lines = []
    for width, height in ((64, 48), (37, 22), (38, 21), (1, 1), (9, 200)):
        for quality in (1, 10, 40, 55, 75, 90, 95, 96, 100):
            out = io.BytesIO()
            pattern(width, height).save(out, "jpeg", quality=quality)
            lines.append("%d %d %d %s" % (width, height, quality, crc(Image.open(out))))
    write("jpeg_roundtrip.txt", lines)
    write("normalize.txt", normalized())


if __name__ == "__main__":
    sys.exit(main())
