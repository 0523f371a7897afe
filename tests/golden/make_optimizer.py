#!/usr/bin/python3
"""Expected parameters after some optimizer steps, and learning rates, by PyTorch: writes optimizer.txt.

Parameters and gradients are drawn from integers in the same way by tests/test_optimizer.c, so that only
PyTorch's results are stored: one line of 48 parameters after every step of every case, then the rates.
"""
import os
import warnings

import torch

from splitmix import SplitMix

warnings.simplefilter("ignore")
STEPS = 6
SHAPES = [16, 24, 8]  # the first is decayed; the last has tiny gradients, where eps is felt


def draw(random, count, scale):
    return torch.tensor([((random.next() >> 40) / 2 ** 24 - 0.5) * scale for _ in range(count)],
                        dtype=torch.float32)


def groups(parameters, decay):
    return [{"params": parameters[:1], "weight_decay": decay},
            {"params": parameters[1:], "weight_decay": 0.0}]


CASES = [  # optimizer, largest norm (0: none)
    (lambda p: torch.optim.AdamW(groups(p, 0.0), lr=1e-3, betas=(0.9, 0.999), eps=1e-8), 0.0),
    (lambda p: torch.optim.AdamW(groups(p, 0.1), lr=1e-3, betas=(0.8, 0.99), eps=1e-8), 0.0),
    (lambda p: torch.optim.SGD(groups(p, 0.05), lr=1e-3, momentum=0.9), 0.0),
    (lambda p: torch.optim.SGD(groups(p, 0.0), lr=1e-3, momentum=0.0), 0.5),
]


def run_case(number, out):
    make, limit = CASES[number]
    random = SplitMix(number)
    parameters = [torch.nn.Parameter(draw(random, count, 2.0)) for count in SHAPES]
    optimizer = make(parameters)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 / (step + 1)
        for i, parameter in enumerate(parameters):
            parameter.grad = draw(random, SHAPES[i], 2.0 ** -24 if i == 2 else 1.0)
        if limit > 0:
            torch.nn.utils.clip_grad_norm_(parameters, limit)
        optimizer.step()
        values = torch.cat([p.detach() for p in parameters])
        out.write(" ".join("%.9g" % v for v in values.tolist()) + "\n")


def rates(make, lr, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = make(optimizer)
    result = []
    for _ in range(steps):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return result


def write_rates(out):
    """cosine over 37 steps; a warm-up of 6 steps and cycles of 12 over 37 steps; cosine after warm-up."""
    schedule = torch.optim.lr_scheduler
    cosine = rates(lambda o: schedule.CosineAnnealingLR(o, 37, 5e-5), 8e-5, 37)
    rise = [1e-5 + (3e-4 - 1e-5) * i / 6 for i in range(6)]
    cyclic = rise + rates(lambda o: schedule.CosineAnnealingWarmRestarts(o, 12, eta_min=1e-5), 3e-4, 31)
    warm_cosine = rise + rates(lambda o: schedule.CosineAnnealingLR(o, 31, 1e-5), 3e-4, 31)
    for row in (cosine, cyclic, warm_cosine):
        out.write(" ".join("%.17g" % rate for rate in row) + "\n")


with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "optimizer.txt"), "w") as file:
    for case in range(len(CASES)):
        run_case(case, file)
    write_rates(file)
