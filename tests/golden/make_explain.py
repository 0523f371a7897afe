#!/usr/bin/python3
"""Relevance maps by PyTorch, in float64: writes explain.safetensors for tests/test_explain.c.

The encoder is vit_model.safetensors and the images are those of vit.safetensors. Rollout and gradient x attention are
computed as their papers write them, from whole [T,T] matrices of every block, with autograd's gradient of
logit(fake) - logit(real) with respect to the attention. Stored: the head, both maps of each image, and the gradient in
each block (of the last one the class token's query alone, the only one that has any).
"""
import json
import os
import sys

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from clip_reference import read_safetensors, vision_features, write_safetensors  # noqa: E402


def share(row):
    """The class token's row, without its own entry, as shares of 1."""
    return row[1:] / row[1:].sum()


def rollout(attention):
    eye = torch.eye(attention[0].shape[-1], dtype=torch.float64)
    R = eye
    for A in attention:
        R = (0.5 * A.mean(0) + 0.5 * eye) @ R
    return share(R[0])


def gradient_attention(attention, gradients):
    R = torch.eye(attention[0].shape[-1], dtype=torch.float64)
    for A, dA in zip(attention, gradients):
        R = R + (A * dA).clamp(min=0).mean(0) @ R
    return share(R[0])


def main():
    weights, metadata = read_safetensors(os.path.join(HERE, "vit_model.safetensors"))
    config = json.loads(metadata["config"])
    pixels = read_safetensors(os.path.join(HERE, "vit.safetensors"))[0]["pixels"]
    random = np.random.RandomState(7)
    W = random.standard_normal((2, config["hidden_size"])).astype(np.float32)
    b = np.array([0.25, -0.5], np.float32)
    p = {name: torch.tensor(value, dtype=torch.float64) for name, value in weights.items()}
    images = torch.tensor(pixels, dtype=torch.float64, requires_grad=True)
    features, attention = vision_features(p, images, config["num_hidden_layers"], config["num_attention_heads"],
                                          "quick_gelu")
    for A in attention:
        A.retain_grad()
    z = torch.nn.functional.normalize(features[:, 0], dim=-1)
    logits = z @ torch.tensor(W, dtype=torch.float64).T + torch.tensor(b, dtype=torch.float64)
    (logits[:, 1] - logits[:, 0]).sum().backward()
    golden = {"head.weight": W, "head.bias": b}
    for name, maps in (
        ("rollout", [rollout([A[i] for A in attention]) for i in range(len(pixels))]),
        ("gradient", [gradient_attention([A[i] for A in attention], [A.grad[i] for A in attention])
                      for i in range(len(pixels))]),
    ):
        golden[name] = torch.stack(maps).detach().numpy().astype(np.float32)
    for layer, A in enumerate(attention):
        last = layer == len(attention) - 1
        golden[f"d_attention/{layer}"] = (A.grad[:, :, :1] if last else A.grad).numpy().astype(np.float32)
    write_safetensors(os.path.join(HERE, "explain.safetensors"), golden)


main()
