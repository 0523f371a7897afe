"""CLIP's vision transformer in plain PyTorch, with Hugging Face's tensor names, and safetensors files.

The reference that make_vit.py and check_long_vit.py compare with: written from the description of the model
(Radford et al., arXiv 2103.00020; transformers' CLIPVisionModel), without the shortcuts of the C code:
every block computes every token.
"""
import json
import struct

import numpy as np
import torch

DTYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64, "U8": np.uint8}


def read_safetensors(path):
    """Returns ({name: array}, metadata)."""
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    arrays = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        arrays[name] = np.frombuffer(content[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays, metadata


def write_safetensors(path, arrays, metadata=None):
    names = {np.dtype(kind): name for name, kind in DTYPES.items()}
    header, body = {"__metadata__": metadata} if metadata else {}, []
    offset = 0
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        body.append(array.tobytes())
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(body))


def vision_features(p, pixels, layers, heads, activation, eps=1e-5):
    """p: {Hugging Face name: tensor}; pixels [B,3,S,S] -> features [B,1,D], attention [L][B,H,T,T]."""

    def norm(x, name):
        return torch.nn.functional.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], eps)

    def linear(x, name):
        return torch.nn.functional.linear(x, p[name + ".weight"], p[name + ".bias"])

    def act(x):
        return x * torch.sigmoid(1.702 * x) if activation == "quick_gelu" else torch.nn.functional.gelu(x)

    root = "vision_model."
    kernel = p[root + "embeddings.patch_embedding.weight"]
    patches = torch.nn.functional.conv2d(pixels, kernel, stride=kernel.shape[-1])
    batch, width = patches.shape[:2]
    tokens = patches.flatten(2).transpose(1, 2)
    first = p[root + "embeddings.class_embedding"].expand(batch, 1, width)
    x = torch.cat([first, tokens], 1) + p[root + "embeddings.position_embedding.weight"]
    x = norm(x, root + "pre_layrnorm")
    attention = []
    for layer in range(layers):
        name = f"{root}encoder.layers.{layer}."
        n = norm(x, name + "layer_norm1")
        q, k, v = (linear(n, name + f"self_attn.{part}_proj").unflatten(-1, (heads, -1)).transpose(1, 2)
                   for part in "qkv")
        weights = torch.softmax(q @ k.transpose(-1, -2) * (width // heads) ** -0.5, -1)
        attention.append(weights)
        x = x + linear((weights @ v).transpose(1, 2).flatten(2), name + "self_attn.out_proj")
        n = norm(x, name + "layer_norm2")
        x = x + linear(act(linear(n, name + "mlp.fc1")), name + "mlp.fc2")
    return norm(x[:, :1], root + "post_layernorm"), attention


def features_and_gradients(weights, pixels, seed, layers, heads, activation, wanted, dtype=torch.float64):
    """Runs forward and backward of sum(features * seed); gradients of the names that `wanted` accepts."""
    p = {name: torch.tensor(value, dtype=dtype, requires_grad=wanted(name)) for name, value in weights.items()}
    features, attention = vision_features(p, torch.tensor(pixels, dtype=dtype), layers, heads, activation)
    features.backward(torch.tensor(seed, dtype=dtype))
    gradients = {name: tensor.grad.numpy() for name, tensor in p.items() if wanted(name)}
    return features.detach().numpy(), [a.detach().numpy() for a in attention], gradients
