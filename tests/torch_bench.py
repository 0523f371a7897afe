#!/usr/bin/env python3
"""lnclip and PyTorch in turn: torch_bench.py LNCLIP [--threads N] [--turns N] [--precision f32,bf16] [--arch NAME] [--check]

Forward at batch 1 and 8 and an LN-tuning step (forward and backward) at batch 8: ours, theirs, ours, theirs ...
on the same threads; prints the medians in milliseconds an image and their ratio. LNCLIP is the program; its times
are those of `lnclip bench`. Neither side reads a model: random weights cost the same.

PyTorch's side is the encoder as one would write it with torch.nn: only LayerNorms have gradients, and
in bf16 weights and residual stream are bf16 while LayerNorm computes in f32, which is faster there than autocast.
Exit code 77, with the reason, if PyTorch cannot be imported; with --check 1 if a ratio is above its limit.
"""
import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time

# A core type forced from outside would slow down both sides, but not alike. Read when the libraries load.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

try:
    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError as reason:
    print(f"PyTorch: skipped: {reason}; on Debian: apt-get install python3-torch")
    sys.exit(77)

# Image, patch, width, layers, heads, MLP width (vit/config.c).
SHAPES = {
    "tiny": (64, 16, 64, 3, 2, 256),
    "vit-b-32": (224, 32, 768, 12, 12, 3072),
    "vit-b-16": (224, 16, 768, 12, 12, 3072),
    "vit-l-14": (224, 14, 1024, 24, 16, 4096),
}
CASES = (("forward", 1), ("forward", 8), ("step", 8))
# The largest ratios ours / theirs that --check accepts, at full size: about a tenth above the highest
# median measured on a processor with AMX (True) and on one without (docs/benchmarks.md).
LIMITS = {
    True: {("bf16", "forward"): 0.56, ("bf16", "step"): 0.68, ("f32", "forward"): 0.62, ("f32", "step"): 0.68},
    False: {("bf16", "forward"): 0.73, ("bf16", "step"): 0.75, ("f32", "forward"): 0.58, ("f32", "step"): 0.50},
}


class Norm(nn.LayerNorm):
    """In f32 whatever comes in; its parameters stay f32."""

    def forward(self, x):
        return F.layer_norm(x.float(), x.shape[-1:], self.weight, self.bias, self.eps).to(x.dtype)


class Block(nn.Module):
    def __init__(self, width, heads, mlp):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = Norm(width), Norm(width)
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.fc1, self.fc2 = nn.Linear(width, mlp), nn.Linear(mlp, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        n = self.norm1(x)
        q, k, v = (part(n).view(batch, tokens, self.heads, -1).transpose(1, 2) for part in (self.q, self.k, self.v))
        weights = torch.softmax((q * (width // self.heads) ** -0.5) @ k.transpose(-1, -2), -1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(batch, tokens, width))
        hidden = self.fc1(self.norm2(x))
        return x + self.fc2(hidden * torch.sigmoid(1.702 * hidden))


class Encoder(nn.Module):
    def __init__(self, size, patch, width, layers, heads, mlp):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch, bias=False)
        self.first = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width))
        self.pre, self.post = Norm(width), Norm(width)
        self.blocks = nn.Sequential(*(Block(width, heads, mlp) for _ in range(layers)))

    def forward(self, pixels):
        x = self.patches(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(x), -1, -1), x], 1) + self.position
        return self.post(self.blocks(self.pre(x))[:, 0])


def their_encoder(shape, precision):
    encoder = Encoder(*shape)
    if precision == "bf16":
        encoder.bfloat16()
    for module in encoder.modules():
        norm = isinstance(module, Norm)
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad = norm
        if norm:
            module.float()
    return encoder


def their_time(encoder, size, precision, case, batch):
    """Seconds an image of one call."""
    pixels = torch.randn(batch, 3, size, size, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    start = time.perf_counter()
    if case == "forward":
        with torch.no_grad():
            encoder(pixels)
    else:
        encoder(pixels).float().sum().backward()
    return (time.perf_counter() - start) / batch


def our_times(program, arguments, precision):
    """{(case, batch): seconds an image}, each the best median of one run of the program."""
    command = [program, "bench", "--json", "--quiet", "--only", "forward,step", "--rounds", str(arguments.rounds),
               "--precision", precision, "--arch", arguments.arch, "--threads", str(arguments.threads)]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {(case, row["batch"]): row["ms_per_image"] / 1e3 for case in ("forward", "step") for row in report[case]}


def limits():
    """The limits for this processor."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        return LIMITS[" amx_tile " in file.read()]


def compare(arguments, precision):
    """Prints one line a case; returns how many ratios are above their limit."""
    above = 0
    shape = SHAPES[arguments.arch]
    ours = {case: [] for case in CASES}
    theirs = {case: [] for case in CASES}
    encoder = their_encoder(shape, precision)
    for case in CASES:  # warms up: the first call allocates
        their_time(encoder, shape[0], precision, *case)
    for _ in range(arguments.turns):
        for case, seconds in our_times(arguments.lnclip, arguments, precision).items():
            ours[case].append(seconds)
        for case in CASES:
            runs = [their_time(encoder, shape[0], precision, *case) for _ in range(arguments.rounds)]
            theirs[case].append(statistics.median(runs))
    for case in CASES:
        mine, other = statistics.median(ours[case]) * 1e3, statistics.median(theirs[case]) * 1e3
        ratios = [a / b for a, b in zip(ours[case], theirs[case])]
        limit = limits()[(precision, case[0])]
        above += mine / other > limit
        name = f"{case[0]}, batch {case[1]}"
        print(f"{name:22}  {precision:9}  {mine:10.1f}  {other:10.1f}  {mine / other:7.2f}"
              f"  {min(ratios):.2f} to {max(ratios):.2f}", flush=True)
    del encoder
    gc.collect()
    return above


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lnclip")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--precision", default="f32,bf16")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--arch", choices=SHAPES, default="vit-l-14")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    print(f"lnclip and PyTorch {torch.__version__} in turn, {arguments.arch}, {arguments.threads} threads,"
          f" {arguments.turns} turns\n")
    print(f"{'ms an image':22}  {'precision':9}  {'lnclip':>10}  {'PyTorch':>10}  {'ratio':>7}  of the turns")
    above = sum(compare(arguments, precision) for precision in arguments.precision.split(","))
    if arguments.check and above:
        print(f"{above} ratios are above their limits: {limits()}")
    return 1 if arguments.check and above else 0


sys.exit(main())
