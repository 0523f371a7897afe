#!/usr/bin/env python3
"""Golden values of a model of any size, for test_vit_forward (see there): check_long_vit.py MODEL OUT

MODEL is a folder that `lnclip init` wrote. Writes to OUT the pixels of two images, the seed of the backward,
and PyTorch's features and LayerNorm gradients in the layout of vit.safetensors. float64 for models that fit
into memory that way, else float32 (ViT-L/14 in float64 takes about 6 GB).
"""
import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clip_reference import features_and_gradients, read_safetensors, write_safetensors  # noqa: E402


def main(model, out):
    with open(os.path.join(model, "config.json")) as file:
        config = json.load(file)
    weights, _ = read_safetensors(os.path.join(model, "model.safetensors"))
    random = np.random.RandomState(7)
    size = config["image_size"]
    pixels = random.standard_normal((2, 3, size, size)).astype(np.float32)
    seed = random.standard_normal((2, 1, config["hidden_size"])).astype(np.float32)
    features, _, gradients = features_and_gradients(
        weights, pixels, seed, config["num_hidden_layers"], config["num_attention_heads"], config["hidden_act"],
        lambda name: "norm" in name)
    golden = {"pixels": pixels, "seed": seed, "quick_gelu/features": features.astype(np.float32)}
    for name, gradient in gradients.items():
        golden[f"quick_gelu/d/{name}"] = gradient.astype(np.float32)
    write_safetensors(out, golden)


main(*sys.argv[1:])
