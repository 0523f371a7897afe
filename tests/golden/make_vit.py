#!/usr/bin/env python3
"""Golden values of the whole encoder: features, attention and gradients, from PyTorch in float64.

Writes vit_model.safetensors, a small model with random weights that are far from their initialisation, and
vit.safetensors: pixels, the seed of the backward (gradient of the features), and for each activation the
features, the attention and the gradients: of all parameters for quick_gelu, of LayerNorms for gelu.
"""
import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clip_reference import features_and_gradients, write_safetensors  # noqa: E402

S, P, D, L, H, F, B = 32, 8, 32, 2, 4, 80, 3
T = (S // P) ** 2 + 1
random = np.random.RandomState(20250320)


def normal(*shape, scale=1.0, offset=0.0):
    return (scale * random.standard_normal(shape) + offset).astype(np.float32)


def make_weights():
    root = "vision_model."
    weights = {
        root + "embeddings.class_embedding": normal(D),
        root + "embeddings.patch_embedding.weight": normal(D, 3, P, P, scale=0.1),
        root + "embeddings.position_embedding.weight": normal(T, D, scale=0.5),
    }
    norms = [root + "pre_layrnorm", root + "post_layernorm"]
    for layer in range(L):
        name = f"{root}encoder.layers.{layer}."
        norms += [name + "layer_norm1", name + "layer_norm2"]
        for part in "q", "k", "v", "out":
            weights[name + f"self_attn.{part}_proj.weight"] = normal(D, D, scale=1.5 * D**-0.5)
            weights[name + f"self_attn.{part}_proj.bias"] = normal(D, scale=0.3)
        weights[name + "mlp.fc1.weight"] = normal(F, D, scale=1.5 * D**-0.5)
        weights[name + "mlp.fc1.bias"] = normal(F, scale=0.3)
        weights[name + "mlp.fc2.weight"] = normal(D, F, scale=F**-0.5)
        weights[name + "mlp.fc2.bias"] = normal(D, scale=0.3)
    for name in norms:
        weights[name + ".weight"] = normal(D, scale=0.2, offset=1.0)
        weights[name + ".bias"] = normal(D, scale=0.2)
    return weights


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    weights = make_weights()
    config = {"model_type": "clip_vision_model", "image_size": S, "patch_size": P, "hidden_size": D,
              "num_hidden_layers": L, "num_attention_heads": H, "intermediate_size": F}
    write_safetensors(os.path.join(here, "vit_model.safetensors"), weights,
                      {"format": "pt", "config": json.dumps(config)})

    pixels, seed = normal(B, 3, S, S), normal(B, 1, D)
    golden = {"pixels": pixels, "seed": seed}
    for activation, wanted in (("quick_gelu", lambda name: True), ("gelu", lambda name: "norm" in name)):
        features, attention, gradients = features_and_gradients(weights, pixels, seed, L, H, activation, wanted)
        golden[f"{activation}/features"] = features.astype(np.float32)
        for layer, probabilities in enumerate(attention):
            last = layer == L - 1
            golden[f"{activation}/attention/{layer}"] = (
                probabilities[:, :, :1] if last else probabilities).astype(np.float32)
        for name, gradient in gradients.items():
            golden[f"{activation}/d/{name}"] = gradient.astype(np.float32)
    write_safetensors(os.path.join(here, "vit.safetensors"), golden)


main()
