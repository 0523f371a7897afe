#!/usr/bin/env python3
"""Golden values of the differentiable operations: outputs and all gradients, from PyTorch in float64.

Writes ops.safetensors beside itself. For each case NAME it holds the operands (NAME/x, ...), the integers
an operation needs (NAME/labels, ...), the gradient of the output that starts the backward (NAME/seed),
the output (NAME/y) and the gradient of each operand (NAME/dx, ...). Operands are float32 numbers, so
both sides start from the same values; results are rounded to float32 once, at the end.
"""
import json
import math
import os
import struct

import numpy as np
import torch
import torch.nn.functional as F

tensors = {}
random = np.random.RandomState(20250319)


def normal(*shape, scale=1.0, offset=0.0):
    return (scale * random.standard_normal(shape) + offset).astype(np.float32)


def emit(name, function, operands, integers=(), scalars=()):
    """Runs one case: `function` maps float64 tensors (a dict) to the output, or to (output, extras)."""
    leaves = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in operands.items()}
    fixed = {k: torch.tensor(v) for k, v in dict(integers).items()}
    fixed.update({k: torch.tensor(v, dtype=torch.float64) for k, v in dict(scalars).items()})
    y = function(**leaves, **fixed)
    y, extras = y if isinstance(y, tuple) else (y, {})
    y = y.reshape(1) if y.dim() == 0 else y
    seed = np.ones(1, np.float32) if y.numel() == 1 else normal(*y.shape)
    y.backward(torch.tensor(seed, dtype=torch.float64))
    for key, value in operands.items():
        tensors[f"{name}/{key}"] = value
        tensors[f"{name}/d{key}"] = leaves[key].grad.numpy().astype(np.float32)
    for key, value in dict(integers).items():
        tensors[f"{name}/{key}"] = np.asarray(value, np.int64)
    for key, value in dict(scalars).items():
        tensors[f"{name}/{key}"] = np.asarray(value, np.float32)
    tensors[f"{name}/seed"] = seed
    tensors[f"{name}/y"] = y.detach().numpy().astype(np.float32)
    for key, value in extras.items():
        tensors[f"{name}/{key}"] = value.detach().numpy().astype(np.float32)


def attention(q, kv, heads):
    B, Tq, D = q.shape
    T, K = kv.shape[1], D // heads
    split = lambda x, n: x.reshape(B, n, heads, K).transpose(1, 2)
    query, key, value = split(q, Tq), split(kv[..., :D], T), split(kv[..., D:], T)
    p = torch.softmax(query @ key.transpose(-1, -2) / math.sqrt(K), -1)
    return (p @ value).transpose(1, 2).reshape(B, Tq, D), {"probabilities": p}


def alignment(z, labels):
    total, pairs = z.sum() * 0, 0
    for i in range(len(z)):
        for j in range(i + 1, len(z)):
            if labels[i] == labels[j]:
                total, pairs = total + (z[i] - z[j]).square().sum(), pairs + 1
    return total / max(pairs, 1)


def uniformity(z):
    i, j = torch.triu_indices(len(z), len(z), 1)
    return torch.log1p(torch.expm1(-2 * (z[i] - z[j]).square().sum(1)).mean())


def slerp(z, partner, t):
    unit = F.normalize(z, dim=1, eps=1e-12)
    a, b, t = unit, unit[partner.clamp(min=0)], t[:, None]
    w = torch.acos((a * b).sum(1, keepdim=True).clamp(-1 + 1e-7, 1 - 1e-7))
    mixed = torch.sin((1 - t) * w) / torch.sin(w) * a + torch.sin(t * w) / torch.sin(w) * b
    return torch.where((partner < 0)[:, None], z, mixed)


def collinear(rows, width, spread):
    """Rows on the unit sphere that are one direction and a little of others: untrained features."""
    x = normal(1, width) + spread * normal(rows, width)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


# linear: activations, parts with and without bias, residual, a matrix as x
emit("linear", lambda x, w0, b0: x @ w0.T + b0,
     {"x": normal(2, 5, 24), "w0": normal(7, 24, scale=0.2), "b0": normal(7)})
emit("linear_residual", lambda x, w0, b0, r: r + x @ w0.T + b0,
     {"x": normal(2, 5, 24), "w0": normal(9, 24, scale=0.2), "b0": normal(9), "r": normal(2, 5, 9)})
emit("linear_quick_gelu", lambda x, w0, b0: (lambda z: z * torch.sigmoid(1.702 * z))(x @ w0.T + b0),
     {"x": normal(2, 5, 24), "w0": normal(20, 24, scale=0.4), "b0": normal(20)})
emit("linear_gelu", lambda x, w0, b0: F.gelu(x @ w0.T + b0),
     {"x": normal(2, 5, 24), "w0": normal(20, 24, scale=0.4), "b0": normal(20)})
emit("linear_parts", lambda x, w0, w1, w2, b0, b2: torch.cat((x @ w0.T + b0, x @ w1.T, x @ w2.T + b2), -1),
     {"x": normal(6, 24), "w0": normal(5, 24), "w1": normal(8, 24), "w2": normal(3, 24),
      "b0": normal(5), "b2": normal(3)})

norm = lambda x, gamma, beta: F.layer_norm(x, x.shape[-1:], gamma, beta, 1e-5)
emit("layer_norm", norm, {"x": normal(2, 5, 48), "gamma": normal(48), "beta": normal(48)})
emit("layer_norm_offset", norm,
     {"x": normal(2, 5, 48, scale=0.01, offset=0.3), "gamma": normal(48), "beta": normal(48)})

emit("attention", lambda q, kv: attention(q, kv, 4), {"q": normal(2, 9, 32), "kv": normal(2, 9, 64)})
emit("attention_class", lambda q, kv: attention(q, kv, 3),
     {"q": normal(2, 1, 15, scale=3), "kv": normal(2, 11, 30, scale=3)})

emit("patch_embed", lambda pixels, weight: F.conv2d(pixels, weight, stride=5).flatten(2).transpose(1, 2),
     {"pixels": normal(2, 3, 17, 17), "weight": normal(6, 3, 5, 5)})
emit("embed_tokens",
     lambda patches, cls, position: torch.cat((cls.expand(len(patches), 1, -1), patches), 1) + position,
     {"patches": normal(3, 4, 6), "cls": normal(6), "position": normal(5, 6)})
emit("select_token", lambda x: x[:, 2:3], {"x": normal(3, 4, 6)})

emit("add", lambda a, b: a + b, {"a": normal(3, 7), "b": normal(3, 7)})
emit("scale", lambda x: -1.75 * x, {"x": normal(3, 7)})
emit("gelu", F.gelu, {"x": np.linspace(-9, 9, 145, dtype=np.float32).reshape(5, 29)})
emit("softmax", lambda x: torch.softmax(x, -1), {"x": normal(4, 2, 9, scale=4)})

tiny = normal(5, 16)
tiny[1] *= 1e-6
tiny[3] = 0
emit("l2_normalize", lambda x: F.normalize(x, dim=-1, eps=1e-3), {"x": tiny})

classes = [3, 0, 2, 2, 1, 0]
for smoothing in (0, 0.1):
    emit(f"cross_entropy_{smoothing:g}",
         lambda x, labels, s=smoothing: F.cross_entropy(x, labels, label_smoothing=s),
         {"x": normal(6, 4, scale=5)}, {"labels": classes})

labels = [0, 1, 1, 0, 2, 0, 1]
for name, spread in (("", 1.0), ("_collinear", 3e-4), ("_equal_but_rounding", 3e-6)):
    emit("alignment" + name, alignment, {"z": collinear(7, 24, spread)}, {"labels": labels})
    emit("uniformity" + name, uniformity, {"z": collinear(7, 24, spread)})
emit("alignment_no_pair", alignment, {"z": collinear(3, 8, 1.0)}, {"labels": [0, 1, 2]})

between = {"t": random.uniform(size=7).astype(np.float32)}
partner = {"partner": [3, -1, 0, 5, 6, 5, 2]}  # row 5 meets itself: there the clamp holds the cosine
emit("slerp", slerp, {"z": normal(7, 24)}, partner, between)
emit("slerp_collinear", slerp, {"z": 20 * collinear(7, 24, 3e-3)}, partner, between)
emit("slerp_near_clamp", slerp, {"z": collinear(7, 24, 5e-4)}, partner, between)  # 1 - cos near 2.5e-7
emit("slerp_clamped", slerp, {"z": collinear(7, 24, 1e-5)}, partner, between)
opposite = normal(2, 24)
opposite[1] = -opposite[0] + 1e-2 * opposite[1]
emit("slerp_opposite", slerp, {"z": opposite}, {"partner": [1, 0]},
     {"t": np.array([0.3, 0.9], np.float32)})
emit("slerp_tiny", slerp, {"z": normal(2, 24) * np.array([[1], [1e-14]], np.float32)}, {"partner": [1, 0]},
     {"t": np.array([0.3, 0.9], np.float32)})  # the second row's norm is held by eps

emit("cast", lambda x: x.float().bfloat16().float().double(), {"x": normal(3, 7)})  # dx is rounded as y is


def write(path):
    header, offset, blob = {}, 0, b""
    kinds = {"float32": "F32", "int64": "I64"}
    for name in sorted(tensors):
        data = np.ascontiguousarray(tensors[name]).tobytes()
        header[name] = {"dtype": kinds[str(tensors[name].dtype)], "shape": list(tensors[name].shape),
                        "data_offsets": [offset, offset + len(data)]}
        offset, blob = offset + len(data), blob + data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + blob)


write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "ops.safetensors"))
