#!/usr/bin/env python3
"""Times PyTorch on one forward and one LN-tuning step: torch_speed.py MODEL BATCH ROUNDS THREADS

MODEL is a folder that `lnclip init` wrote. The same encoder as ours in plain PyTorch f32 (tests/golden/
clip_reference.py), only LayerNorms with gradients. Prints the medians in seconds an image:
"forward S" and "step S". For tests/check_long_speed.sh, which runs it in turn with the program.
"""
import json
import os
import statistics
import sys
import time

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden"))
from clip_reference import read_safetensors, vision_features  # noqa: E402


def main(model, batch, rounds, threads):
    torch.set_num_threads(threads)
    with open(os.path.join(model, "config.json")) as file:
        config = json.load(file)
    arrays, _ = read_safetensors(os.path.join(model, "model.safetensors"))
    weights = {name: torch.tensor(value, requires_grad="norm" in name) for name, value in arrays.items()}
    layers, heads, size = config["num_hidden_layers"], config["num_attention_heads"], config["image_size"]
    pixels = torch.randn(batch, 3, size, size)

    def forward():
        return vision_features(weights, pixels, layers, heads, config["hidden_act"])[0]

    def step():
        forward().sum().backward()

    def median(run):
        times = []
        for _ in range(rounds + 1):  # the first warms up
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        return statistics.median(times[1:]) / batch

    with torch.no_grad():
        print(f"forward {median(forward):.4f}", flush=True)
    print(f"step {median(step):.4f}", flush=True)


main(sys.argv[1], *map(int, sys.argv[2:]))
