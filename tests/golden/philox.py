"""Philox4x32-10 and the streams of tensor/random.h, for the generators of golden values."""
import numpy as np


def philox_words(seed, purpose, index, sub, blocks):
    """The first 4 * blocks words of a stream."""
    mask = np.uint64(0xFFFFFFFF)
    x = [np.arange(blocks, dtype=np.uint64)] + [np.full(blocks, v, np.uint64) for v in (purpose, index, sub)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = x[0] * np.uint64(0xD2511F53), x[2] * np.uint64(0xCD9E8D57)
        shift = np.uint64(32)
        x = [p1 >> shift ^ x[1] ^ np.uint64(k0), p1 & mask, p0 >> shift ^ x[3] ^ np.uint64(k1), p0 & mask]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(x, axis=1).ravel()


def uniforms(seed, purpose, index, sub, count):
    words = philox_words(seed, purpose, index, sub, (count + 1) // 2)[: 2 * count]
    high, low = words[0::2], words[1::2]
    return ((high << np.uint64(32) | low) >> np.uint64(11)).astype(np.float64) * 2.0**-53
