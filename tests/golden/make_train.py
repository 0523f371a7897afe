#!/usr/bin/python3
"""Twelve training steps by PyTorch, in f64: writes train.safetensors for tests/test_train_golden.c.

The encoder is vit_model.safetensors; head and frames are drawn from integers here and in the test alike. No
augmentation, no shuffling, no slerp; batches of 4 of 14 frames, so that each epoch ends with a short one.
Stored: the numbers of every step, and how far each trained tensor moved.
"""
import json
import math
import os
import sys

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from clip_reference import read_safetensors, vision_features, write_safetensors  # noqa: E402
from splitmix import SplitMix  # noqa: E402

FRAMES, BATCH, EPOCHS = 14, 4, 3
LABELS = [(0b10110100110010 >> frame) & 1 for frame in range(FRAMES)]
LR, MIN_LR, DECAY, ALIGNMENT, UNIFORMITY = 8e-5, 5e-5, 0.01, 0.1, 0.5
MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]
DTYPE = torch.float32 if "--f32" in sys.argv else torch.float64


def draw_pixels(size):
    """[FRAMES,3,S,S], normalised."""
    frames = []
    for frame in range(FRAMES):
        random = SplitMix(1000 + frame)
        frames.append([random.next() >> 56 for _ in range(size * size * 3)])
    pixels = torch.tensor(frames, dtype=DTYPE).reshape(FRAMES, size, size, 3).permute(0, 3, 1, 2) / 255
    return (pixels - torch.tensor(MEAN, dtype=DTYPE)[:, None, None]) / torch.tensor(STD, dtype=DTYPE)[:, None, None]


def draw_head(width):
    random = SplitMix(7)
    bound = 1 / math.sqrt(width)
    values = [bound * (2 * ((random.next() >> 40) / 2**24) - 1) for _ in range(2 * width + 2)]
    values = torch.tensor(np.array(values, np.float32), dtype=DTYPE)
    return values[: 2 * width].reshape(2, width).clone(), values[2 * width :].clone()


def losses_of(z, logits, labels):
    squares = (z[:, None] - z[None]).pow(2).sum(-1)
    first, second = torch.triu_indices(len(z), len(z), 1)
    pairs = squares[first, second]
    same = labels[first] == labels[second]
    ce = torch.nn.functional.cross_entropy(logits, labels)
    alignment = pairs[same].mean() if same.any() else z.sum() * 0
    uniformity = torch.log(torch.exp(-2 * pairs).mean())
    return ce + ALIGNMENT * alignment + UNIFORMITY * uniformity, ce, alignment, uniformity


def main():
    weights, metadata = read_safetensors(os.path.join(HERE, "vit_model.safetensors"))
    config = json.loads(metadata["config"])
    p = {name: torch.tensor(value, dtype=DTYPE) for name, value in weights.items()}
    trained = {name: value.requires_grad_() for name, value in p.items() if "norm" in name}
    weight, bias = draw_head(config["hidden_size"])
    trained["weight"], trained["bias"] = weight.requires_grad_(), bias.requires_grad_()
    start = {name: value.detach().clone() for name, value in trained.items()}
    rest = [value for name, value in trained.items() if name != "weight"]
    optimizer = torch.optim.AdamW([{"params": [weight], "weight_decay": DECAY},
                                   {"params": rest, "weight_decay": 0.0}], lr=LR)
    pixels, labels = draw_pixels(config["image_size"]), torch.tensor(LABELS)

    rows, steps = [], EPOCHS * math.ceil(FRAMES / BATCH)
    for step in range(steps):
        lr = MIN_LR + (LR - MIN_LR) / 2 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = lr
        first = step % math.ceil(FRAMES / BATCH) * BATCH
        chosen = slice(first, min(first + BATCH, FRAMES))
        features, _ = vision_features(p, pixels[chosen], config["num_hidden_layers"],
                                      config["num_attention_heads"], "quick_gelu")
        z = torch.nn.functional.normalize(features[:, 0], dim=-1)
        losses = losses_of(z, z @ weight.T + bias, labels[chosen])
        optimizer.zero_grad()
        losses[0].backward()
        norm = torch.sqrt(sum(value.grad.double().pow(2).sum() for value in trained.values()))
        optimizer.step()
        rows.append([lr, *(value.item() for value in losses), norm.item()])

    golden = {f"change/{name}": (value.detach() - start[name]).numpy().astype(np.float32)
              for name, value in trained.items()}
    golden["steps"] = np.array(rows)
    if DTYPE == torch.float64:
        write_safetensors(os.path.join(HERE, "train.safetensors"), golden)
        return
    stored, _ = read_safetensors(os.path.join(HERE, "train.safetensors"))
    for name in golden:  # how far PyTorch's own f32 is from its f64
        print(name, np.linalg.norm(golden[name] - stored[name]) / np.linalg.norm(stored[name]))


main()
