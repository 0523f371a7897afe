#!/usr/bin/env python3
"""Methods of fine-tuning beside each other on the demo's data: compare_methods.py LNCLIP WORK [--seeds 1 2 3 4 5] [--methods NAME...] [--set KEY=VALUE...]

For each seed `lnclip demo` draws the data set and pretrains the backbone (kept in WORK/SEED, and made only once); then every
method is trained by `lnclip train` on the families of forgery seen in training, for a fixed length, and its last adapter scored
by `lnclip eval` on all families. Prints mean and standard deviation of the video AUROC over the seeds, the numbers trained and
the seconds of training, as the table of docs/benchmarks.md. Needs no package of Python.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import time

SEEN, UNSEEN = ("swap", "resynthesis", "splice"), ("reenact", "warp")

# As in the demo: the encoder is small and the run short, so rates are high; no augmentation on pictures this small.
COMMON = {"batch_size": "32", "min_lr": "0", "augment": "off", "precision": "f32", "drop_last": "off"}

# Name, built-in recipe, and what differs from it and from COMMON. Rates were chosen on seed 101, which is none of the five.
METHODS = (
    ("linear probe", "probe-norm", {"epochs": "40", "lr": "3e-2", "slerp": "off"}),
    ("LN-tuning, CE alone", "paper", {"epochs": "10", "lr": "3e-2", "slerp": "off"}),
    ("LN-tuning, paper", "paper", {"epochs": "10", "lr": "3e-2"}),
    ("LN-tuning, gend", "gend", {"epochs": "10", "lr": "3e-2"}),
    ("biases", "paper", {"tune": "bias", "epochs": "10", "lr": "3e-2", "slerp": "off"}),
    ("LoRA, rank 8", "paper", {"tune": "lora:8", "epochs": "10", "lr": "3e-3", "slerp": "off"}),
    ("full fine-tuning", "paper", {"tune": "all", "epochs": "10", "lr": "3e-4", "slerp": "off"}),
)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def lists(data, split, families):
    return [os.path.join(data, "lists", split, f"{family}.txt") for family in families]


def trained_numbers(adapter):
    """Counts the numbers of an adapter's tensors from its header."""
    with open(adapter, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    total = 0
    for name, tensor in header.items():
        if name != "__metadata__":
            count = 1
            for extent in tensor["shape"]:
                count *= extent
            total += count
    return total


def one(program, folder, method, seed, extra):
    """Trains and scores one method; returns what the table shows."""
    name, recipe, differences = method
    data, model = os.path.join(folder, "data"), os.path.join(folder, "backbone")
    settings = {**COMMON, "seed": str(seed), **differences, **extra}
    tag = name.replace(" ", "-").replace(",", "") + "-" + settings["lr"]
    out, scores = os.path.join(folder, tag), os.path.join(folder, tag + "-eval")
    started = time.monotonic()
    if not os.path.exists(os.path.join(out, "last.safetensors")):
        run(program, "train", "--quiet", "--model", model, "--train", *lists(data, "train", ("real",) + SEEN), "--out", out,
            "--recipe", recipe, *(f"{key}={value}" for key, value in settings.items()))
    seconds = time.monotonic() - started
    adapter = os.path.join(out, "last.safetensors")
    sets = [f"seen={','.join(lists(data, 'test', ('real',) + SEEN))}", f"unseen={','.join(lists(data, 'test', ('real',) + UNSEEN))}"]
    run(program, "eval", "--quiet", "--model", model, "--adapter", adapter, "--out", scores, *sets)
    with open(os.path.join(scores, "metrics.json")) as file:
        metrics = json.load(file)
    return {"seen": metrics["seen"]["video"]["auroc"], "unseen": metrics["unseen"]["video"]["auroc"], "seconds": seconds,
            "numbers": trained_numbers(adapter)}


def spread(values):
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values) if len(values) > 1 else 0:.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("work")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--methods", nargs="+", default=[method[0] for method in METHODS])
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="for every method: to look for a rate")
    options = parser.parse_args()
    extra = dict(pair.split("=", 1) for pair in options.set)
    results = {name: [] for name in options.methods}
    for seed in options.seeds:
        folder = os.path.join(options.work, str(seed))
        if not glob.glob(os.path.join(folder, "demo.json")):
            run(options.program, "demo", "--quiet", "--seed", str(seed), "--out", folder)
        for method in METHODS:
            if method[0] in results:
                result = one(options.program, folder, method, seed, extra)
                results[method[0]].append(result)
                print(f"seed {seed}, {method[0]}: seen {result['seen']:.3f}, unseen {result['unseen']:.3f}, {result['seconds']:.1f} s",
                      file=sys.stderr)
    print("| method | trained numbers | video AUROC, seen | unseen | seconds |\n|---|---|---|---|---|")
    for name, rows in results.items():
        print(f"| {name} | {rows[0]['numbers']:,} | {spread([row['seen'] for row in rows])} | "
              f"{spread([row['unseen'] for row in rows])} | {statistics.median(row['seconds'] for row in rows):.0f} |")


if __name__ == "__main__":
    main()
